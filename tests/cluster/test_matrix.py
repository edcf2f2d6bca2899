"""k-medoids of a matrix by functions, against the estimator and brute force."""

import inspect

import kmedoids
import numpy as np
import pytest
from scipy.spatial.distance import cdist

from skloss.cluster import KMedoids, k_medoids, pam_build


@pytest.fixture
def D(rng):
    X = rng.standard_normal((60, 3))
    return cdist(X, X)


def test_takes_what_the_estimator_takes_with_its_defaults():
    ours = inspect.signature(k_medoids).parameters
    theirs = inspect.signature(KMedoids).parameters
    # What concerns rows, and what a function has no memory for.
    without = {"metric", "metric_params", "precompute", "warm_start", "n_clusters"}
    assert set(ours) - {"D", "n_clusters", "sample_weight"} == set(theirs) - without
    for name in set(theirs) - without:
        assert ours[name].default == theirs[name].default
        assert ours[name].kind is inspect.Parameter.KEYWORD_ONLY


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"method": "pam", "init": "first"},
        {"init": [5, 2, 40, 7]},
        {"init": "random", "n_init": 3, "random_state": 0},
        {"shuffle": True, "random_state": 1},
        {"method": "onebatch", "batch_size": 20, "random_state": 2},
        {"method": "dynmsc", "min_clusters": 3},
        {"bound": True, "n_jobs": 2},
    ],
)
def test_same_as_the_estimator(D, rng, parameters):
    weights = rng.uniform(1, 2, 60)
    result = k_medoids(D, 4, sample_weight=weights, **parameters)
    model = KMedoids(4, metric="precomputed", **parameters)
    model.fit(D, sample_weight=weights)
    np.testing.assert_array_equal(result.medoids, model.medoid_indices_)
    np.testing.assert_array_equal(result.labels, model.labels_)
    to_medoids = D[:, result.medoids].min(axis=1)
    assert result.loss == pytest.approx(weights @ to_medoids, rel=1e-12)
    assert result.silhouette == model.medoid_silhouette_
    assert (result.n_iter, result.n_swaps) == (model.n_iter_, model.n_swaps_)
    assert result.lower_bound == getattr(model, "lower_bound_", None)


def test_few_passes_and_lines(D, capsys):
    with pytest.warns(UserWarning, match="did not converge in 1 passes"):
        k_medoids(D, 5, init="first", max_iter=1, verbose=1)
    assert "[KMedoids]" in capsys.readouterr().out


def test_unknown_parameters():
    with pytest.raises(TypeError, match="metric"):
        k_medoids([[0.0]], 1, metric="euclidean")


def test_build_equals_the_peer(D):
    theirs = kmedoids.pam_build(D, 7)
    np.testing.assert_array_equal(pam_build(D, 7), theirs.medoids)


def test_build_returns_as_many_as_asked_for(rng):
    X = np.repeat(rng.standard_normal((3, 2)), 5, axis=0)
    weights = np.ones(15)
    weights[:2] = 0
    chosen = pam_build(cdist(X, X), 6, sample_weight=weights)
    first = [2, 5, 10]  # of each distinct row, of positive weight
    assert sorted(chosen[:3]) == first
    # Then nothing is gained: the lowest that are left.
    assert chosen[3:].tolist() == [3, 4, 6]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda D: D[:, :5], r"square; D has shape \(60, 5\)"),
        (lambda D: np.where(np.eye(60) > 0, np.nan, D), r"D\[0, 0\] is NaN"),
        (lambda D: D + np.diag(np.full(60, np.inf)), r"D\[0, 0\] is inf"),
        (lambda D: D[0], "2D array"),
        (lambda D: D * 1e308, "overflow"),
    ],
)
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_build_names_its_matrix(D, change, message):
    scaled = D / D.max()  # 1e308 is finite, the sum is not
    with pytest.raises(ValueError, match=message):
        pam_build(change(scaled), 2)
