"""The medoid silhouette, against its definition and a peer."""

import kmedoids
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import nan_euclidean_distances

from skloss.cluster import KMedoids
from skloss.cluster.medoid_silhouette import (
    medoid_silhouette_samples,
    medoid_silhouette_score,
)


def by_definition(distances):
    values = []
    for row in np.asarray(distances, dtype=float).tolist():
        a, s = sorted(row)[:2]
        values.append(1.0 if a == 0 else 1 - a / s)
    return np.array(values)


@pytest.mark.parametrize("k", [2, 3, 20])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_same_as_definition_and_peer(rng, k, dtype):
    X = rng.standard_normal((100, 4)).astype(dtype)
    medoids = rng.choice(100, k, replace=False)
    samples = medoid_silhouette_samples(X, medoids)
    D = cdist(X, X)
    atol = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(samples, by_definition(D[:, medoids]), rtol=0, atol=atol)
    mean, theirs = kmedoids.medoid_silhouette(D, medoids, samples=True)
    np.testing.assert_allclose(samples, theirs, rtol=0, atol=atol)
    assert medoid_silhouette_score(X, medoids) == pytest.approx(mean, abs=atol)
    assert samples.dtype == np.float64
    np.testing.assert_array_equal(samples[medoids], 1.0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forms_of_precomputed_dissimilarities_agree(rng, dtype):
    D = rng.random((50, 50)).astype(dtype)  # asymmetric, and no zeros on the diagonal
    medoids = rng.choice(50, 4, replace=False)
    whole = medoid_silhouette_samples(D, medoids, metric="precomputed")
    chosen = medoid_silhouette_samples(D[:, medoids], metric="precomputed")
    np.testing.assert_array_equal(whole, chosen)
    np.testing.assert_allclose(whole, by_definition(D[:, medoids]), atol=1e-12)
    # New samples against the candidates of a fit: no square matrix.
    some = medoid_silhouette_samples(D[:7], medoids, metric="precomputed")
    np.testing.assert_array_equal(some, whole[:7])


def test_integer_dissimilarities_keep_their_digits():
    large = 2**40
    D = np.array([[large, large + 1]])
    samples = medoid_silhouette_samples(D, metric="precomputed")
    assert samples[0] == pytest.approx(1 / (large + 1), rel=1e-3)


@pytest.mark.parametrize(
    "metric, params",
    [
        ("manhattan", None),
        ("cosine", None),
        ("minkowski", {"p": 3}),
        (lambda x, y: abs(x - y).max() + 0.25, None),
    ],
)
def test_metrics(rng, metric, params):
    X, medoids = rng.standard_normal((40, 3)), np.array([3, 30, 11])
    samples = medoid_silhouette_samples(X, medoids, metric=metric, metric_params=params)
    if callable(metric):
        D = np.array([[metric(x, X[m]) for m in medoids] for x in X])
    else:
        name = {"manhattan": "cityblock"}.get(metric, metric)
        D = cdist(X, X[medoids], name, **(params or {}))
        D[medoids, range(3)] = 0  # cosine's rounding
    np.testing.assert_allclose(samples, by_definition(D), rtol=0, atol=1e-7)


def test_missing_values_of_a_metric_that_takes_them(rng):
    X, medoids = rng.standard_normal((40, 4)), [3, 30, 11]
    X[range(40), rng.integers(0, 4, 40)] = np.nan
    X[medoids] = rng.standard_normal((3, 4))
    D = nan_euclidean_distances(X, X[medoids])
    D[medoids, range(3)] = 0  # rounding
    samples = medoid_silhouette_samples(X, medoids, metric="nan_euclidean")
    np.testing.assert_allclose(samples, by_definition(D), rtol=0, atol=1e-12)
    score = medoid_silhouette_score(X, medoids, metric="nan_euclidean")
    assert score == pytest.approx(samples.mean(), rel=1e-12)
    model = KMedoids(3, metric="nan_euclidean", init=medoids, max_iter=300).fit(X)
    score = medoid_silhouette_score(X, model.medoid_indices_, metric="nan_euclidean")
    assert model.medoid_silhouette_ == pytest.approx(score, rel=1e-12)
    with pytest.raises(ValueError, match="NaN"):
        medoid_silhouette_samples(X, medoids)
    X[5] = np.nan  # shares no column with any medoid
    with pytest.raises(ValueError, match="gave nan for a pair of rows"):
        medoid_silhouette_samples(X, medoids, metric="nan_euclidean")


def test_sparse_and_frames_are_as_dense(rng):
    X = rng.standard_normal((60, 5)) * (rng.random((60, 5)) < 0.5)
    medoids = [5, 50, 31]
    dense = medoid_silhouette_samples(X, medoids, metric="manhattan")
    for other in (sparse.csr_array(X), sparse.coo_matrix(X), pd.DataFrame(X)):
        samples = medoid_silhouette_samples(other, medoids, metric="manhattan")
        np.testing.assert_allclose(samples, dense, rtol=0, atol=1e-12)


def test_many_blocks_are_as_one(rng):
    X = rng.standard_normal((1500, 3))
    medoids = rng.permutation(1500)[:600]  # 873 rows to a block
    expected = by_definition(cdist(X, X[medoids]))
    samples = medoid_silhouette_samples(X, medoids)
    np.testing.assert_allclose(samples, expected, rtol=0, atol=1e-9)


def test_ties_and_duplicates():
    X = [[0.0], [0.0], [2.0], [1.0], [3.0]]
    # a = s = 0 at the duplicates; then a tie of 2 with 2, and of 1 with 1.
    samples = medoid_silhouette_samples(X, [0, 1])
    np.testing.assert_array_equal(samples, [1, 1, 0, 0, 0])


def test_weights_are_repeated_rows(rng):
    X, weights = rng.standard_normal((30, 2)), rng.integers(0, 4, 30)
    medoids, weights[[4, 9]] = [4, 9], 1
    rows = np.repeat(np.arange(30), weights)
    repeated = medoid_silhouette_score(X[rows], np.searchsorted(rows, medoids))
    for unit in (1.0, 2.0**1022):  # their sum overflows
        weighted = medoid_silhouette_score(X, medoids, sample_weight=weights * unit)
        assert weighted == pytest.approx(repeated, rel=1e-12)


def test_input_is_not_changed(rng):
    D = pairwise_distances(rng.standard_normal((20, 2)))
    D.flags.writeable = False
    before = D.copy()
    medoid_silhouette_samples(D, [1, 2, 3], metric="precomputed")
    np.testing.assert_array_equal(D, before)


D = np.array([[0.0, 1.0, 2.0], [1.0, 0.0, 3.0], [2.0, 3.0, 0.0]])


@pytest.mark.parametrize(
    "X, medoids, options, message",
    [
        (D, [0], {}, "at least 2 medoids; got 1"),
        (D, [0, 3], {}, "medoids holds 3, which is not an index from 0 to 2"),
        (D, [-1, 1], {}, "medoids holds -1"),
        (D, [1, 2, 1], {}, "medoids holds 1 more than once"),
        (D, [0.0, 1.0], {}, r"integers, .* an array of float64 of shape \(2,\)"),
        (D, [True, False], {}, "array of bool"),
        (D, [[0, 1]], {}, r"shape \(1, 2\)"),
        (D, None, {}, "metric is 'euclidean'"),
        (D, [0, 1], {"metric": "nearby"}, "nearby"),
        (D[:, :1], None, {"metric": "precomputed"}, "X has 1 column"),
        (-D, [0, 1], {"metric": "precomputed"}, r"sample 0 to medoid 1 is -1\.0"),
        (D + np.inf, [0, 1], {"metric": "precomputed"}, "infinity"),
        (D * 1e200, [0, 1], {"metric": "sqeuclidean"}, "medoid 1 is inf"),
        (D, [0, 1], {"sample_weight": [1, -1, 1]}, r"sample_weight\[1\]"),
        (D, [0, 1], {"sample_weight": [0, 0, 0]}, "zero"),
    ],
)
@pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")
def test_bad_input(X, medoids, options, message):
    with pytest.raises(ValueError, match=message):
        medoid_silhouette_score(X, medoids, **options)
