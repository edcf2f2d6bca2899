"""Sweeps over numbers of medoids, against brute force and separate fits."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris, make_blobs
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import pairwise_distances

from skloss.cluster import KMedoids, medoid_curve, medoid_silhouette_score


def loss_of(D, medoids, weights=None):
    return np.average(D[:, medoids].min(axis=1), weights=weights) * (
        len(D) if weights is None else np.sum(weights)
    )


def best_single_swap(D, medoids, weights=None):
    """Loss after the best swap of one medoid, by trying them all."""
    best = np.inf
    for slot in range(len(medoids)):
        others = np.delete(medoids, slot)
        to_others = D[:, others].min(axis=1, initial=np.inf)
        after = np.minimum(D, to_others[:, None])
        w = np.ones(len(D)) if weights is None else weights
        best = min(best, (w @ after)[w > 0].min())
    return best


@pytest.mark.parametrize("weighted", [False, True])
def test_each_number_is_a_local_optimum(rng, weighted):
    X = rng.standard_normal((120, 3))
    weights = rng.integers(0, 4, 120).astype(float) if weighted else None
    D = pairwise_distances(X)
    curve = medoid_curve(X, range(1, 13), sample_weight=weights)
    for k, loss, medoids in zip(curve.k_range, curve.losses, curve.medoids):
        assert len(set(medoids.tolist())) == k == len(medoids)
        assert loss == pytest.approx(loss_of(D, medoids, weights), rel=1e-12)
        assert best_single_swap(D, medoids, weights) >= loss * (1 - 1e-12)
        if weighted:
            assert weights[medoids].all()


@pytest.mark.parametrize("seed", range(5))
def test_losses_never_increase(seed):
    X, _ = make_blobs(300, 2, centers=12, random_state=seed)
    curve = medoid_curve(X, range(1, 31), metric="manhattan")
    assert (np.diff(curve.losses) <= 0).all()


def test_silhouettes_are_those_of_the_medoids(rng):
    X = rng.standard_normal((90, 4))
    curve = medoid_curve(X, [2, 5, 9])
    for medoids, silhouette in zip(curve.medoids, curve.silhouettes):
        expected = medoid_silhouette_score(X, medoids)
        assert silhouette == pytest.approx(expected, rel=1e-12)


def test_finds_the_number_of_blobs():
    centers = [[0, 0], [0, 9], [9, 0], [9, 9], [20, 0], [20, 9]]
    X, _ = make_blobs(400, centers=centers, random_state=0)
    assert medoid_curve(X, range(1, 15)).best_n_clusters == 6


def test_one_medoid_has_no_silhouette(rng):
    curve = medoid_curve(rng.standard_normal((20, 2)), [1])
    assert np.isnan(curve.silhouettes).all()
    assert curve.best_n_clusters is None


def test_continuing_takes_few_swaps_and_ends_as_well():
    X = load_iris().data
    numbers = range(2, 20)
    curve = medoid_curve(X, numbers)
    anew = [KMedoids(k, init="random", random_state=0).fit(X) for k in numbers]
    assert curve.n_swaps.sum() < sum(model.n_swaps_ for model in anew) / 2
    assert curve.losses.sum() <= 1.01 * sum(model.inertia_ for model in anew)


def test_order_and_type_of_the_range_do_not_matter(rng):
    X = rng.standard_normal((60, 2))
    curve = medoid_curve(X, np.array([7, 2, 4], dtype=np.uint8))
    assert curve.k_range.tolist() == [2, 4, 7]
    other = medoid_curve(X, (2, 4, 7))
    assert all(map(np.array_equal, curve.medoids, other.medoids))


@pytest.mark.parametrize("precompute", [True, False, "condensed"])
def test_the_same_however_the_dissimilarities_are_kept(rng, precompute):
    X = rng.standard_normal((150, 5))
    expected = medoid_curve(pairwise_distances(X), range(1, 9), metric="precomputed")
    curve = medoid_curve(X, range(1, 9), precompute=precompute)
    np.testing.assert_allclose(curve.losses, expected.losses, rtol=1e-12)
    assert all(map(np.array_equal, curve.medoids, expected.medoids))


def test_sparse_rows_and_single_precision(rng):
    X = sparse.random_array((80, 30), density=0.2, rng=rng, format="csr")
    expected = medoid_curve(X.toarray(), range(1, 6), metric="manhattan")
    single = X.astype(np.float32)
    for data, rtol in ((X, 1e-12), (single, 1e-6), (single.toarray(), 1e-6)):
        curve = medoid_curve(data, range(1, 6), metric="manhattan")
        np.testing.assert_allclose(curve.losses, expected.losses, rtol=rtol)


def test_asymmetric_dissimilarities(rng):
    D = rng.uniform(1, 2, (50, 50))
    np.fill_diagonal(D, 0)
    curve = medoid_curve(D, range(1, 8), metric="precomputed")
    for loss, medoids in zip(curve.losses, curve.medoids):
        assert loss == pytest.approx(loss_of(D, medoids), rel=1e-12)
        assert best_single_swap(D, medoids) >= loss * (1 - 1e-12)


def test_scale_of_the_weights(rng):
    X, weights = rng.standard_normal((40, 2)), rng.uniform(1, 2, 40)
    curve = medoid_curve(X, [2, 3], sample_weight=weights)
    large = medoid_curve(X, [2, 3], sample_weight=weights * 2.0**600)
    np.testing.assert_array_equal(large.losses, curve.losses * 2.0**600)


@pytest.mark.parametrize(
    ("k_range", "message"),
    [
        ([], "at least one integer"),
        ([[2, 3]], "one-dimensional"),
        ([2.0, 3.0], "integer"),
        ([True], "integer"),
        ([2, 3, 2], "2 more than once"),
        ([0, 1], "holds 0"),
        ([2, 31], "k_range holds 31, more than the 30 samples"),
    ],
)
def test_wrong_ranges(rng, k_range, message):
    with pytest.raises(ValueError, match=message):
        medoid_curve(rng.standard_normal((30, 2)), k_range)


@pytest.mark.parametrize("precompute", [True, False])
def test_more_medoids_than_distinct_samples(rng, precompute):
    X = np.repeat(rng.standard_normal((3, 2)), 10, axis=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        medoid_curve(X, [1, 2, 3], precompute=precompute)
    with pytest.warns(ConvergenceWarning, match="distinct than 4, which") as caught:
        curve = medoid_curve(X, [2, 4, 6], precompute=precompute)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert [len(set(medoids.tolist())) for medoids in curve.medoids] == [2, 4, 6]


def test_pruned(rng):
    X = rng.standard_normal((200, 2))
    curve = medoid_curve(X, [3, 8], precompute="pruned")
    expected = medoid_curve(X, [3, 8])
    np.testing.assert_allclose(curve.losses, expected.losses, rtol=1e-12)
    assert all(map(np.array_equal, curve.medoids, expected.medoids))
    with pytest.raises(ValueError, match="precompute='pruned' computes distances"):
        medoid_curve(pairwise_distances(X), [3], metric="precomputed",
                     precompute="pruned")  # fmt: skip
    with pytest.raises(ValueError, match="cosine"):
        medoid_curve(X, [3], metric="cosine", precompute="pruned")


def test_wrong_parameters(rng):
    X = rng.standard_normal((30, 2))
    with pytest.raises(ValueError, match="no_metric"):
        medoid_curve(X, [2], metric="no_metric")
    with pytest.raises(ValueError, match="max_iter"):
        medoid_curve(X, [2], max_iter=0)
    with pytest.raises(ValueError, match="positive"):
        medoid_curve(X, [2, 5], sample_weight=np.arange(30) > 26)


def test_warns_when_passes_run_out(rng):
    X = rng.standard_normal((200, 2))
    with pytest.warns(ConvergenceWarning, match="in 1 passes"):
        medoid_curve(X, [3, 20], max_iter=1)
