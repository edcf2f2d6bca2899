"""CLARA on data that come in chunks."""

import pickle

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.base import clone
from sklearn.datasets import make_blobs

from skloss.cluster import CLARA, KMedoids, medoid_silhouette_score


@pytest.fixture(scope="module")
def blobs():
    return make_blobs(3000, 6, centers=12, cluster_std=1.5, random_state=1)[0]


def test_chunks_come_near_to_one_fit(blobs):
    whole = CLARA(12, random_state=0).fit(blobs)
    model = CLARA(12, random_state=0)
    chunks = np.array_split(np.arange(len(blobs)), 8)
    for chunk in chunks:
        model.partial_fit(blobs[chunk])
        assert model.inertia_ == pytest.approx(-model.score(blobs[chunk]), rel=1e-12)
        np.testing.assert_array_equal(model.labels_, model.predict(blobs[chunk]))
    assert -model.score(blobs) < 1.08 * whole.inertia_
    # The places of the medoids among all rows ever seen.
    np.testing.assert_array_equal(model.cluster_centers_, blobs[model.medoid_indices_])
    assert model.n_samples_seen_ == len(blobs)
    assert model.cluster_weights_.sum() == pytest.approx(len(blobs))
    assert len(model.loss_curve_) == len(model.subsample_losses_) == 8
    assert (model.loss_curve_[0] == model.subsample_losses_[0]) and model.n_iter_ >= 1


def test_the_first_chunk_is_the_problem_of_kmedoids(rng):
    X = rng.standard_normal((100, 3))
    for init in ("build", [5, 50, 95]):
        expected = KMedoids(3, init=init).fit(X)
        model = CLARA(3, init=init, sample_size=100).partial_fit(X)
        np.testing.assert_array_equal(model.medoid_indices_, expected.medoid_indices_)
        np.testing.assert_array_equal(model.labels_, expected.labels_)


def test_chunks_after_a_fit(blobs):
    model = CLARA(12, init=np.arange(12), random_state=0).fit(blobs[:1000])
    before = model.n_distances_
    model.partial_fit(blobs[1000:])
    np.testing.assert_array_equal(model.cluster_centers_, blobs[model.medoid_indices_])
    assert len(model.loss_curve_) == 6
    assert model.loss_curve_[-1] == model.inertia_
    assert model.n_distances_ > before


def test_a_chunk_replaces_medoids_only_if_that_pays(rng):
    X = np.repeat([[0.0], [10.0]], 40, axis=0) + 0.1 * rng.standard_normal((80, 1))
    model = CLARA(2, random_state=0).fit(X)
    before = model.cluster_centers_.copy()
    # A few samples elsewhere do not outweigh many before.
    model.partial_fit(np.array([[11.0], [11.0], [11.0]]))
    np.testing.assert_array_equal(model.cluster_centers_, before)
    assert model.n_samples_seen_ == 83
    assert model.cluster_weights_.sum() == pytest.approx(83)
    # Very many do: one medoid moves there, the other stands for the rest.
    model.partial_fit(np.full((60, 1), 50.0), sample_weight=np.full(60, 100.0))
    assert 50.0 in model.cluster_centers_
    np.testing.assert_allclose(np.sort(model.cluster_weights_), [83, 6000])
    assert model.medoid_indices_.max() in range(83, 143)
    assert model.inertia_ == 0


def test_medoids_are_replaced_where_chunk_and_past_are_nearer_to_others(rng):
    n_replaced = n_kept = 0
    for seed in range(10):
        X = rng.standard_normal((330, 2))
        model = CLARA(4, sample_size=30, random_state=seed).partial_fit(X[:30])
        for start in range(30, 330, 60):
            chunk = X[start : start + 60]
            centers, totals = model.cluster_centers_, model.cluster_weights_
            stay = cdist(chunk, centers).min(axis=1).sum()
            model.partial_fit(chunk)
            np.testing.assert_array_equal(
                model.cluster_centers_, X[model.medoid_indices_]
            )
            moved = totals @ cdist(centers, model.cluster_centers_).min(axis=1)
            assert model.inertia_ + moved <= stay * (1 + 1e-12)
            assert model.inertia_ == pytest.approx(model.loss_curve_[-1])
            if np.array_equal(model.cluster_centers_, centers):
                n_kept += model.subsample_losses_[-1] != model.inertia_
            else:
                n_replaced += 1
                assert (model.medoid_indices_ >= start).any()
    assert min(n_replaced, n_kept) > 0


def test_chunks_smaller_than_the_number_of_clusters(blobs):
    model = CLARA(12, random_state=0).partial_fit(blobs[:200])
    model.partial_fit(blobs[200:203])
    assert model.labels_.shape == (3,)
    with pytest.raises(ValueError, match="n_clusters=12"):
        CLARA(12).partial_fit(blobs[:3])


def test_sparse_chunks(rng):
    X = sparse.random_array((200, 30), density=0.2, rng=rng, format="csr")
    model = CLARA(5, random_state=0)
    dense = CLARA(5, random_state=0, init="first", metric="manhattan")
    for start in (0, 100):
        model.partial_fit(X[start : start + 100])
        dense.partial_fit(X[start : start + 100].toarray())
    assert sparse.issparse(model.cluster_centers_)
    expected = X[model.medoid_indices_].toarray()
    np.testing.assert_array_equal(model.cluster_centers_.toarray(), expected)
    with pytest.raises(ValueError, match="sparse in all chunks"):
        dense.partial_fit(X)


def test_chunks_keep_the_metric_of_the_first(rng):
    X = rng.standard_normal((300, 3)) * [1, 10, 100]
    model = CLARA(4, metric="seuclidean", random_state=0).partial_fit(X[:100])
    model.partial_fit(5 * X[100:])
    V = X[:100].var(axis=0, ddof=1)
    expected = cdist(X, model.cluster_centers_, "seuclidean", V=V)
    np.testing.assert_allclose(model.transform(X), expected, rtol=1e-9)


def test_chunks_that_cannot_be(blobs):
    D = cdist(blobs[:30], blobs[:30])
    with pytest.raises(ValueError, match=r"precomputed.*partial_fit"):
        CLARA(2, metric="precomputed").partial_fit(D)
    model = CLARA(3, random_state=0).partial_fit(blobs[:100])
    state = pickle.dumps(model)
    with pytest.raises(ValueError, match="n_clusters=4"):
        clone(model).fit(blobs[:100]).set_params(n_clusters=4).partial_fit(blobs)
    with pytest.raises(ValueError, match="NaN"):
        model.partial_fit(np.full((5, 6), np.nan))
    with pytest.raises(ValueError, match="sample_weight"):
        model.partial_fit(blobs, sample_weight=-np.ones(len(blobs)))
    assert pickle.dumps(model) == state


def test_silhouettes_in_chunks(blobs):
    model = CLARA(12, method="fastermsc", random_state=0)
    for start in range(0, 3000, 1000):
        model.partial_fit(blobs[start : start + 1000])
    best = KMedoids(12, method="fastermsc").fit(blobs).medoid_silhouette_
    reached = medoid_silhouette_score(blobs, model.medoid_indices_)
    assert reached > 0.9 * best
