"""Every metric against SciPy, scikit-learn or its formula in plain Python."""

import warnings

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import _VALID_METRICS

from skloss.kernels import (
    METRICS,
    ComputedCandidates,
    cross_distances,
    find_metric,
    known_metrics,
    prepare,
)

W = np.array([0.5, 2.0, 0.0, 1.0, 3.0])
SQUARES = ["euclidean", "sqeuclidean", "cosine"]
SPARSE = [name for name in METRICS if METRICS[name].sparse]
WEIGHTED = [name for name in METRICS if "w" in METRICS[name].params]


def rows_of(X, metric, params=None, **options):
    source = ComputedCandidates(X, metric=metric, metric_params=params, **options)
    return source.rows(0, source.n_rows)


def data_for(metric, rng, n=70, p=5):
    if metric == "haversine":
        return rng.uniform(-1, 1, (n, 2))
    if find_metric(metric).boolean:
        X = rng.random((n, p)) < 0.6
        X[~X[:, :2].any(axis=1), 1] = True  # 0/0 for some metrics
        return X
    X = rng.standard_normal((n, p))
    if metric in ("hamming", "canberra"):
        X = np.round(X)  # equal values, and pairs of zeros
    return X


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "gower"])
def test_equals_scikit_learn(metric, rng):
    X = data_for(metric, rng)
    got = rows_of(X, metric)
    expected = pairwise_distances(X, metric=metric)
    assert got.dtype == np.float64
    if metric == "russellrao":  # scikit-learn sets the diagonal to 0
        np.fill_diagonal(expected, 1 - X.mean(axis=1))
    if METRICS[metric].reflexive:
        np.fill_diagonal(expected, 0)
        assert not got.diagonal().any()
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "gower"])
def test_rows_are_at_zero_from_equal_rows_where_the_table_says_so(metric, rng):
    """By SciPy, which computes them from the differences of the two rows."""
    if metric == "nan_euclidean":
        metric = "euclidean"
    for dtype in (float, bool):
        X = data_for(metric, rng)
        if metric == "haversine":
            distances = pairwise_distances(X, X.copy(), metric=metric).diagonal()
        else:
            X = np.c_[X, rng.random(len(X)) < 0.5, np.zeros(len(X))].astype(dtype)
            X[:, 0] = rng.random(len(X)) + 0.5  # neither constant nor all False
            name = {"manhattan": "cityblock", "l1": "cityblock", "l2": "euclidean"}
            name = name.get(metric, metric)
            params = {}
            if metric == "mahalanobis":
                params["VI"] = np.eye(X.shape[1])
            elif metric == "seuclidean":
                params["V"] = np.ones(X.shape[1])
            rows = X.astype(bool if find_metric(metric).boolean else float)
            distances = [cdist([x], [x], name, **params)[0, 0] for x in rows]
        assert (np.max(distances) < 1e-12) == find_metric(metric).reflexive


def test_table_holds_all_metrics_of_scikit_learn():
    gone = {"wminkowski"}  # SciPy has dropped it
    assert set(METRICS) == (set(_VALID_METRICS) - gone) | {"gower"}
    assert known_metrics() == sorted(METRICS)


@pytest.mark.parametrize("metric", [m for m in METRICS if m not in ("l1", "l2")])
def test_triangle_inequality_holds_where_the_table_says_so(metric, rng):
    X = data_for(metric, rng, n=60)
    D = rows_of(X, metric)
    detour = (D[:, :, None] + D[None, :, :]).min(axis=1)
    if METRICS[metric].triangle:
        assert (detour - D).min() >= -1e-12
    np.testing.assert_allclose(D, D.T, atol=1e-12)


@pytest.mark.parametrize("metric", ["sqeuclidean", "cosine", "braycurtis"])
def test_triangle_inequality_fails_where_the_table_says_so(metric, rng):
    D = rows_of(np.abs(data_for(metric, rng)), metric)
    assert not METRICS[metric].triangle
    detour = (D[:, :, None] + D[None, :, :]).min(axis=1)
    assert (detour - D).min() < -1e-6


@pytest.mark.parametrize("metric", WEIGHTED)
def test_weights_equal_scipy(metric, rng):
    X = data_for(metric, rng)
    name = {"manhattan": "cityblock", "l1": "cityblock", "l2": "euclidean"}
    expected = cdist(X, X, name.get(metric, metric), w=W)
    if METRICS[metric].reflexive:
        np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(
        rows_of(X, metric, {"w": W}), expected, rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("p", [0.5, 1, 1.5, 2, 3, 7.25, np.inf])
def test_minkowski_equals_scipy(p, weighted, rng):
    X = rng.standard_normal((50, 5))
    X[3] = X[8]
    params = {"p": p, "w": W} if weighted else {"p": p}
    expected = cdist(X, X, "minkowski", **params)
    np.testing.assert_allclose(
        rows_of(X, "minkowski", params), expected, rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("p", [1, 2, 3, 4, 7, 31, 32, 33, 130])
@pytest.mark.parametrize(
    "metric", [*SQUARES, "manhattan", "chebyshev", "hamming", "canberra"]
)
def test_any_number_of_features(metric, p, rng):
    """Direct kernels and BLAS, full and partial groups of features."""
    X = rng.standard_normal((83, p))
    expected = cdist(X, X, metric.replace("manhattan", "cityblock"))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(rows_of(X, metric), expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 1023, 1024, 1025, 2500])
def test_any_number_of_points(n, rng):
    X = rng.standard_normal((n, 3))
    source = ComputedCandidates(X, metric="manhattan")
    np.testing.assert_allclose(
        source.rows(0, min(n, 5)), cdist(X[:5], X, "cityblock"), rtol=1e-12
    )


@pytest.mark.parametrize("p", [7, 150])
@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].native])
def test_single_precision(metric, p, rng):
    X = np.round(rng.standard_normal((90, p)), 1).astype(np.float32)
    got = rows_of(X, metric)
    assert got.dtype == np.float32
    exact = rows_of(X.astype(np.float64), metric)
    np.testing.assert_allclose(got, exact, rtol=2e-5, atol=1e-6 * exact.max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [6, 200])
@pytest.mark.parametrize("metric", SQUARES)
def test_near_duplicates_keep_their_distance(metric, p, dtype, rng):
    """Products lose all digits here; the distances have to be computed otherwise."""
    X = rng.standard_normal((40, p))
    X[20:] = X[:20] * (1 + 1e-4 * rng.standard_normal((20, p)))
    X = X.astype(dtype)
    got = rows_of(X, metric).astype(float)[np.arange(20), np.arange(20, 40)]
    A, B = X[:20].astype(float), X[20:].astype(float)
    if metric == "cosine":
        A /= np.linalg.norm(A, axis=1)[:, None]
        B /= np.linalg.norm(B, axis=1)[:, None]
    expected = ((A - B) ** 2).sum(axis=1)
    expected = {
        "euclidean": np.sqrt(expected), "sqeuclidean": expected, "cosine": expected / 2
    }[metric]  # fmt: skip
    rtol = {np.float32: 5e-3, np.float64: 1e-9}[dtype]
    np.testing.assert_allclose(got, expected, rtol=rtol)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [6, 200])
@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].native])
def test_equal_rows_are_exactly_zero_apart(metric, p, dtype, rng):
    X = rng.standard_normal((30, p)).astype(dtype)
    D = rows_of(X[np.r_[:30, :30]], metric)
    assert not D[:30, 30:].diagonal().any()
    assert not D[30:, :30].diagonal().any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [6, 200])
def test_far_from_zero(p, dtype, rng):
    X = (rng.standard_normal((60, p)) + 1e6).astype(dtype)
    expected = cdist(X.astype(float), X.astype(float))
    rtol = {np.float32: 1e-5, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(rows_of(X, "euclidean"), expected, rtol=rtol)


def test_rows_of_zeros_have_no_direction(rng):
    X = rng.standard_normal((9, 4))
    X[[2, 5]] = 0
    expected = pairwise_distances(X, metric="cosine")
    for data in (X, sparse.csr_array(X)):
        np.testing.assert_allclose(rows_of(data, "cosine"), expected, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", SPARSE)
def test_sparse_equals_dense(metric, dtype, rng):
    X = rng.standard_normal((80, 30)) * (rng.random((80, 30)) < 0.3)
    X[7] = X[11]
    X = X.astype(dtype)
    got = rows_of(sparse.csr_array(X), metric)
    assert got.dtype == dtype
    assert got[7, 11] == got[11, 7] == 0
    rtol = {np.float32: 1e-5, np.float64: 1e-12}[dtype]
    np.testing.assert_allclose(got, rows_of(X, metric), rtol=rtol, atol=rtol / 10)


def test_sparse_near_duplicates(rng):
    X = rng.standard_normal((20, 50)) * (rng.random((20, 50)) < 0.4)
    near = X + 1e-7 * rng.standard_normal(X.shape) * (rng.random(X.shape) < 0.3)
    both = np.r_[X, near]
    got = rows_of(sparse.csr_array(both), "euclidean")
    np.testing.assert_allclose(got, cdist(both, both), rtol=1e-9)


def test_sparse_entries_given_twice_are_summed():
    twice = sparse.csr_array(
        (np.array([1.0, 2.0, 4.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), (2, 2)
    )
    np.testing.assert_allclose(rows_of(twice, "euclidean")[0, 1], 5.0)


def gower(x, y, categorical, ranges, weights):
    """The definition of Gower (1971), one feature after the other."""
    total = 0.0
    for k in range(len(x)):
        if categorical[k]:
            total += weights[k] * (x[k] != y[k])
        elif ranges[k] > 0:
            total += weights[k] * abs(x[k] - y[k]) / ranges[k]
    return total / sum(weights)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("weights", [None, [1.0, 0.5, 2.0, 0.0, 3.0]])
@pytest.mark.parametrize("categorical", [None, [1, -1], [0, 1, 2, 3, 4]])
def test_gower_equals_its_formula(categorical, weights, dtype, rng):
    X = np.round(rng.standard_normal((40, 5)) * 2).astype(dtype)
    X[:, 2] = 4  # without a range
    params = prepare("gower", X, {"categorical": categorical, "weights": weights})
    mask = np.zeros(5, bool)
    mask[categorical or []] = True
    assert (params["categorical"] == mask).all()
    expected = [
        [gower(x, y, mask, np.ptp(X, axis=0), weights or [1] * 5) for y in X] for x in X
    ]
    np.testing.assert_allclose(
        rows_of(X, "gower", params),
        expected,
        rtol=1e-5 if dtype == np.float32 else 1e-12,
    )
    new = X[:7] * 3  # beyond the ranges of the fit
    expected = [
        [gower(x, y, mask, np.ptp(X, axis=0), weights or [1] * 5) for y in X[:4]]
        for x in new
    ]
    got = cross_distances(new, X[:4], metric="gower", metric_params=params)
    np.testing.assert_allclose(got, expected, rtol=1e-5)


def test_gower_with_given_ranges():
    X = np.array([[0.0, 1.0], [1.0, 2.0]])
    mask = np.array([False, True])
    got = rows_of(X, "gower", {"categorical": mask, "ranges": [4.0, 0.0]})
    assert got[0, 1] == (1 / 4 + 1) / 2


def test_a_callable_sees_the_point_first(rng):
    X = rng.standard_normal((12, 3))

    def climb(point, candidate, *, factor):
        return factor * max(0.0, candidate[0] - point[0]) + 0.5

    source = ComputedCandidates(X, metric=climb, metric_params={"factor": 2.0})
    expected = [[climb(o, j, factor=2.0) for o in X] for j in X]
    np.testing.assert_allclose(source.rows(0, 12), expected)
    assert source.is_symmetric is None
    got = cross_distances(X, X[:4], metric=climb, metric_params={"factor": 2.0})
    np.testing.assert_allclose(got, np.transpose(expected)[:, :4])


@pytest.mark.parametrize("metric", ["seuclidean", "mahalanobis"])
def test_blocks_agree_on_what_the_data_decide(metric, rng):
    X = rng.standard_normal((50, 4)) * [1, 5, 0.1, 2]
    source = ComputedCandidates(X, metric=metric)
    expected = squareform(pdist(X, metric))
    for start in range(0, 50, 7):
        np.testing.assert_allclose(
            source.rows(start, min(start + 7, 50)), expected[start : start + 7],
            rtol=1e-9, atol=1e-9,
        )  # fmt: skip
    got = cross_distances(
        X[:5], X[5:9], metric=metric, metric_params=source.metric_params
    )
    np.testing.assert_allclose(got, expected[:5, 5:9], rtol=1e-9)
    given = prepare("mahalanobis", X, {"V": np.cov(X.T)})["VI"]
    np.testing.assert_allclose(given, prepare("mahalanobis", X)["VI"])


def test_missing_values_where_the_metric_allows_them(rng):
    X = rng.standard_normal((20, 4))
    X[rng.random(X.shape) < 0.2] = np.nan
    X[:, 0] = 1
    share = np.isfinite(X[:, None] - X).mean(axis=2)
    expected = np.sqrt(np.nansum((X[:, None] - X) ** 2, axis=2) / share)
    # scikit-learn computes it from products: half the digits are lost near 0.
    np.testing.assert_allclose(
        rows_of(X, "nan_euclidean"), expected, rtol=1e-9, atol=1e-7
    )


def test_a_distance_that_is_not_finite_is_refused(rng):
    with pytest.raises(ValueError, match=r"'correlation' gave nan"):
        rows_of(np.ones((3, 4)), "correlation")
    with pytest.raises(ValueError, match="gave inf"):
        rows_of(rng.random((3, 4)), lambda x, y: np.inf)


def test_conversion_to_boolean_is_said_once(rng):
    X = np.round(rng.random((300, 6)))
    with pytest.warns(DataConversionWarning) as caught:
        source = ComputedCandidates(X, metric="jaccard")
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        D = source.rows(0, 300)
        source.take([1, 2])
        cross = cross_distances(X, X[:3], metric="jaccard")
    np.testing.assert_allclose(D, cdist(X.astype(bool), X.astype(bool), "jaccard"))
    np.testing.assert_allclose(cross, D[:, :3])


@pytest.mark.parametrize("metric", [m for m in METRICS if m != "haversine"])
def test_boolean_data(metric, rng):
    """Truth values are 0 and 1 to all metrics, and nobody is warned of them."""
    X = rng.random((60, 40)) < 0.5
    numbers = X.astype(float)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        source = ComputedCandidates(X, metric=metric)
        got = source.rows(0, 60)
        cross = cross_distances(
            X, X[:7], metric=metric, metric_params=prepare(metric, X)
        )
    assert got.dtype == cross.dtype == np.float64
    if metric == "gower":
        expected = (X[:, None] != X).mean(axis=2)
    else:
        rows = X if METRICS[metric].boolean else numbers
        expected = pairwise_distances(rows, metric=metric)
    if metric == "russellrao":  # scikit-learn sets the diagonal to 0
        np.fill_diagonal(expected, 1 - X.mean(axis=1))
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(cross, expected[:, :7], rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize(
    ("metric", "match"),
    [
        ("dice", "gave nan for a pair of rows that are all False"),
        ("sokalsneath", "gave nan for a pair of rows that are all False"),
        ("braycurtis", "gave nan for a pair of rows of which the entries cancel"),
        ("correlation", "gave nan for a pair of rows of which one is constant"),
    ],
)
def test_undefined_distances_say_why(metric, match, rng):
    X = rng.random((5, 4)) < 2
    X[1:3] = False
    with pytest.raises(ValueError, match=match):
        rows_of(X, metric)


@pytest.mark.parametrize("p", [5, 60])
def test_overflow_is_left_to_the_caller_without_a_warning(p, rng):
    X = 1e200 * rng.standard_normal((20, p))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        D = rows_of(X, "sqeuclidean")
    np.testing.assert_array_equal(D, np.where(np.eye(20), 0, np.inf))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("p", [5, 150])
@pytest.mark.parametrize("metric", [m for m in METRICS if METRICS[m].native])
def test_cross_distances_do_not_depend_on_the_company(metric, p, dtype, rng):
    X = rng.standard_normal((5000, p)).astype(dtype)
    centers = X[:7]
    params = prepare(metric, X)
    options = {"metric": metric, "metric_params": params}
    whole = cross_distances(X, centers, **options)
    assert whole.shape == (5000, 7)
    assert whole.dtype == dtype
    assert whole.flags.c_contiguous
    few = cross_distances(X[4090:4101], centers[2:5], **options)
    assert (few == whole[4090:4101, 2:5]).all()
    source = ComputedCandidates(X, **options)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(
        whole.T, source.rows(0, 7), rtol=tolerance, atol=tolerance * 1e-3
    )


@pytest.mark.parametrize("metric", SPARSE)
def test_cross_distances_of_sparse_rows(metric, rng):
    X = rng.standard_normal((60, 20)) * (rng.random((60, 20)) < 0.4)
    got = cross_distances(sparse.csr_array(X), sparse.csr_array(X[:5]), metric=metric)
    np.testing.assert_allclose(
        got, cross_distances(X, X[:5], metric=metric), rtol=1e-9, atol=1e-12
    )
