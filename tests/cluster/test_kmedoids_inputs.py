"""KMedoids on bad and on awkward input: clear errors, never nan, a crash or a hang."""

import re
import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import pairwise_distances

from skloss.cluster import KMedoids, k_medoids, pam_build

METHODS = [
    "fasterpam",
    "fastpam1",
    "fastpam2",
    "pam",
    "alternate",
    "onebatch",
    "fastermsc",
    "fastmsc",
    "pammedsil",
    "dynmsc",
]
INITS = ["build", "lab", "k-medoids++", "random", "first"]
by_method = pytest.mark.parametrize("method", METHODS)
by_init = pytest.mark.parametrize("init", INITS)
X = load_iris().data
D = pairwise_distances(X)


def with_value(array, value):
    array = np.array(array)
    array[3, 2] = value
    return array


def assert_sound(model, n, k):
    """Finite numbers, distinct medoids that belong to themselves."""
    medoids = model.medoid_indices_
    assert len(set(medoids.tolist())) == k == model.n_clusters_
    assert np.isfinite(model.inertia_)
    assert np.isfinite(model.loss_curve_).all()
    assert np.isfinite(model.medoid_silhouette_) or k == 1
    assert model.labels_.shape == (n,)
    assert model.labels_[medoids].tolist() == list(range(k))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_clusters": 0}, "n_clusters=0 must be at least 1"),
        ({"n_clusters": -2}, "n_clusters=-2 must be at least 1"),
        ({"n_clusters": 151}, "n_samples=150 must be at least n_clusters=151"),
        ({"n_clusters": True}, "n_clusters must be an integer; got True"),
        ({"n_clusters": 2.0}, "'n_clusters' .* Got 2.0"),
        ({"n_clusters": "3"}, "'n_clusters' .* Got '3'"),
        ({"n_clusters": None}, "'n_clusters' .* Got None"),
        ({"metric": "euclid"}, "metric='euclid' is unknown.*'euclidean'"),
        ({"metric": 3}, "'metric' .* Got 3"),
        ({"metric_params": {"p": 3}}, "metric_params holds \\['p'\\].*'euclidean'"),
        ({"metric_params": 3}, "'metric_params' .* Got 3"),
        ({"method": "pamm"}, "'method' .* Got 'pamm'"),
        ({"init": "kmeans"}, "'init' .* Got 'kmeans'"),
        ({"init": [0, 1]}, r"init has shape \(2,\).*n_clusters=3"),
        ({"init": [[0, 1, 2]]}, r"init has shape \(1, 3\)"),
        ({"init": [0, 5, 5]}, "init holds 5 more than once"),
        ({"init": [0, 1, 150]}, "init holds 150.*0 to 149"),
        ({"init": [-1, 0, 1]}, "init holds -1.*0 to 149"),
        ({"init": [0.0, 1.0, 2.0]}, "init must hold integers.*float64"),
        ({"init": [True, False, True]}, "init must hold integers.*bool"),
        ({"init": ["a", "b", "c"]}, "init must hold integers"),
        ({"n_init": 0}, "'n_init' .* Got 0"),
        ({"max_iter": 0}, "'max_iter' .* Got 0"),
        ({"shuffle": "yes"}, "'shuffle' .* Got 'yes'"),
        ({"precompute": "full"}, "'precompute' .* Got 'full'"),
        ({"batch_size": 0}, "'batch_size' .* Got 0"),
        ({"batch_size": "all"}, "'batch_size' .* Got 'all'"),
        ({"min_clusters": 2.5}, "'min_clusters' .* Got 2.5"),
        (
            {"method": "dynmsc", "min_clusters": 5},
            "min_clusters=5 must be an integer from 2 to n_clusters=3",
        ),
        ({"method": "dynmsc", "min_clusters": 1}, "min_clusters=1 must be"),
        ({"method": "dynmsc", "min_clusters": True}, "min_clusters=True must be"),
        ({"bound": 1}, "'bound' .* Got 1"),
        ({"bound": True, "method": "fastermsc"}, "bound=True.*'fastermsc'"),
        ({"random_state": "a"}, "'random_state' .* Got 'a'"),
        ({"n_jobs": 0}, "n_jobs=0"),
        ({"n_jobs": 1.5}, "'n_jobs' .* Got 1.5"),
        ({"warm_start": 2}, "'warm_start' .* Got 2"),
        (
            {"metric": lambda a, b: abs(a - b).sum(), "precompute": "condensed"},
            "precompute='condensed'",
        ),
        ({"metric": lambda a, b: np.nan}, "gave nan"),
        ({"metric": lambda a, b: np.inf}, "gave inf"),
        ({"metric": lambda a, b: -1.0, "method": "fastermsc"}, "is -1.0; .*silhouette"),
    ],
)
def test_parameters_are_named(parameters, message):
    model = KMedoids(**({"n_clusters": 3} | parameters))
    with pytest.raises(ValueError, match=message):
        model.fit(X)
    assert not [name for name in vars(model) if name.endswith("_")]


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(150), r"sample_weight\[0\] is -1.0"),
        (np.r_[1.0, np.nan, np.ones(148)], r"sample_weight\[1\] is nan"),
        (np.r_[1.0, np.inf, np.ones(148)], r"sample_weight\[1\] is inf"),
        (np.zeros(150), "sample_weight are zero"),
        (np.r_[1.0, 2.0, np.zeros(148)], "sample_weight has 2 .*n_clusters=3"),
        (np.ones(3), "sample_weight has 3 values for 150"),
        (np.ones((150, 2)), r"sample_weight has shape \(150, 2\)"),
    ],
)
def test_weights_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        KMedoids(3).fit(X, sample_weight=weights)
    with pytest.raises(ValueError, match=message):
        pam_build(D, 3, sample_weight=weights)


def test_a_sample_without_weight_is_no_initial_medoid():
    weights = np.ones(150)
    weights[7] = 0
    with pytest.raises(ValueError, match="init holds 7, a sample without weight"):
        KMedoids(2, init=[1, 7]).fit(X, sample_weight=weights)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (with_value(X, np.nan), ValueError, "X contains NaN"),
        (with_value(X, np.inf), ValueError, "X contains infinity"),
        (X[0], ValueError, "2D array"),
        (X[None], ValueError, "dim 3"),
        (X[:0], ValueError, "0 sample"),
        (X[:, :0], ValueError, "0 feature"),
        (X + 1j, ValueError, "Complex"),
        (X.astype(str), ValueError, "numeric"),
        (np.full((5, 2), "a", dtype=object), ValueError, "could not convert"),
    ],
)
def test_bad_rows(data, error, message):
    with pytest.raises(error, match=message):
        KMedoids(1).fit(data)


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (with_value(D, np.nan), ValueError, r"[XD]\[3, 2\] is NaN"),
        (with_value(D, -np.inf), ValueError, r"[XD]\[3, 2\] is -inf"),
        (D[:100], ValueError, r"square; [XD] has shape \(100, 150\)"),
        (D[0], ValueError, "2D array"),
        (np.empty((0, 0)), ValueError, "0 sample"),
        (D + 1j, ValueError, "Complex"),
        (D.astype(str), ValueError, "numeric"),
        (np.full((3, 3), "a"), ValueError, "numeric"),
        (sparse.csr_array(D), TypeError, "[Ss]parse"),
    ],
)
@pytest.mark.parametrize("function", [k_medoids, pam_build])
def test_bad_matrices(function, data, error, message):
    with pytest.raises(error, match=message):
        function(data, 1)


@pytest.mark.parametrize("k", [0, -1, 151, 2.5, True, "2", None])
def test_functions_name_the_number_of_clusters(k):
    for function in (k_medoids, pam_build):
        with pytest.raises(ValueError, match=f"n_clusters.*{k}"):
            function(D, k)


def test_functions_refuse_unknown_parameters():
    with pytest.raises(TypeError, match="foo"):
        k_medoids(D, 3, foo=1)


def test_bad_rows_to_predict():
    model = KMedoids(3).fit(X)
    for call in (model.predict, model.transform, model.score):
        with pytest.raises(ValueError, match=r"2 features.*expecting 4"):
            call(X[:, :2])
        with pytest.raises(ValueError, match="contains NaN"):
            call(with_value(X, np.nan))
    with pytest.raises(ValueError, match=r"sample_weight\[0\] is -1"):
        model.score(X, sample_weight=-np.ones(150))
    with pytest.raises(NotFittedError):
        KMedoids(3).predict(X)


def test_bad_dissimilarities_to_predict():
    model = KMedoids(3, metric="precomputed").fit(D)
    for width in (1, 2, 4, 149, 151):
        wide = np.zeros((5, width))
        message = rf"X has {width} columns.*150 samples.*3 medoids"
        for call in (model.predict, model.transform, model.score):
            with pytest.raises(ValueError, match=message):
                call(wide)
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(with_value(D, np.nan))
    with pytest.raises(ValueError, match="numeric"):
        model.predict(D.astype(str))


@by_method
def test_negative_dissimilarities(method, rng):
    M = D - 0.3 * (D > 0) * (rng.random(D.shape) < 0.5)
    model = KMedoids(4, metric="precomputed", method=method, random_state=0)
    if method in ("fastermsc", "fastmsc", "pammedsil", "dynmsc"):
        with pytest.raises(ValueError, match=r"dissimilarity of point .* is -"):
            model.fit(M)
        return
    model.fit(M)
    medoids = model.medoid_indices_
    assert model.labels_[medoids].tolist() == [0, 1, 2, 3]
    expected = M[:, medoids].min(axis=1)
    expected[medoids] = 0  # a medoid belongs to itself
    assert model.inertia_ == pytest.approx(expected.sum())
    assert np.isnan(model.medoid_silhouette_)


@by_method
def test_a_diagonal_that_is_not_zero(method, rng):
    M = rng.random((60, 60)) + 0.1
    model = KMedoids(6, metric="precomputed", method=method, random_state=0)
    with pytest.warns(UserWarning, match="diagonal .* not zero"):
        model.fit(M)
    k, medoids = model.n_clusters_, model.medoid_indices_
    assert model.labels_[medoids].tolist() == list(range(k))
    # What counts is the nearest medoid, be it the sample itself or not.
    assert model.inertia_ == pytest.approx(M[:, medoids].min(axis=1).sum())
    if method in ("fasterpam", "fastpam1", "fastpam2", "pam"):
        assert model.loss_curve_[-1] == pytest.approx(model.inertia_)
        assert (np.diff(model.loss_curve_) < 0).all()


def test_a_metric_that_is_not_zero_for_equal_rows():
    model = KMedoids(5, metric=lambda a, b: abs(a - b).sum() + 0.25, init="first")
    model.fit(np.repeat(X[:20], 2, axis=0))
    assert_sound(model, 40, 5)


@by_init
@by_method
def test_fewer_distinct_samples_than_clusters(method, init):
    model = KMedoids(5, method=method, init=init, random_state=0)
    model.set_params(min_clusters=5)
    rows = np.repeat([[0.0, 1.0], [5.0, 2.0], [3.0, 3.0]], 4, axis=0)
    if method == "alternate":  # may leave a place without a medoid
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(rows)
    else:
        with pytest.warns(ConvergenceWarning, match="distinct than n_clusters=5"):
            model.fit(rows)
        assert model.inertia_ == 0
    assert_sound(model, 12, 5)


@by_init
@by_method
@pytest.mark.parametrize("n", [2, 3, 12])
def test_equal_samples(method, init, n):
    model = KMedoids(2, method=method, init=init, random_state=0)
    with pytest.warns(ConvergenceWarning, match="distinct"):
        model.fit(np.full((n, 3), 7.0))
    assert_sound(model, n, 2)
    assert model.inertia_ == 0


@pytest.mark.parametrize("method", [m for m in METHODS if m != "dynmsc"])
@by_init
def test_one_sample(method, init):
    model = KMedoids(1, method=method, init=init, random_state=0).fit([[3.0, 4.0]])
    assert_sound(model, 1, 1)
    assert model.medoid_indices_.tolist() == [0]
    assert model.inertia_ == 0
    assert model.transform([[0.0, 0.0]]) == [[5.0]]


@by_method
def test_two_samples(method):
    model = KMedoids(2, method=method, random_state=0).fit([[3.0], [4.0]])
    assert_sound(model, 2, 2)
    assert model.inertia_ == 0


@by_method
def test_constant_columns(method):
    padded = np.column_stack([np.full(150, 1e9), X, np.zeros(150)])
    model = KMedoids(4, method=method, random_state=0, metric="manhattan").fit(padded)
    plain = KMedoids(4, method=method, random_state=0, metric="manhattan").fit(X)
    assert model.inertia_ == pytest.approx(plain.inertia_, rel=1e-12)


@by_method
@pytest.mark.parametrize("scale", [1e300, 1e-300, 1e-320])
def test_extreme_scales_of_dissimilarities(method, scale):
    # the scale is a power of two: only underflow may change anything
    scale = 2.0 ** np.floor(np.log2(scale))
    model = KMedoids(3, metric="precomputed", method=method, random_state=0)
    model.fit(D * scale)
    assert_sound(model, 150, model.n_clusters_)
    plain = KMedoids(3, metric="precomputed", method=method, random_state=0).fit(D)
    if scale > 1e-310:
        assert model.medoid_indices_.tolist() == plain.medoid_indices_.tolist()
        assert model.inertia_ == plain.inertia_ * scale


@by_method
@by_init
def test_sums_that_overflow_are_refused(method, init):
    huge = D / D.max() * 1e308
    model = KMedoids(3, metric="precomputed", method=method, init=init, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        with pytest.raises(ValueError, match="sum overflows"):
            model.fit(huge)
    assert not hasattr(model, "medoid_indices_")


def test_build_refuses_sums_that_overflow():
    with pytest.raises(ValueError, match="sum overflows"):
        pam_build(D / D.max() * 1e308, 3)


def test_single_precision_is_summed_in_double():
    large = (D / D.max() * 3e38).astype(np.float32)
    model = KMedoids(3, metric="precomputed").fit(large)
    expected = large[:, model.medoid_indices_].min(axis=1).astype(float).sum()
    assert expected > np.finfo(np.float32).max
    assert model.inertia_ == pytest.approx(expected, rel=1e-12)


@by_method
@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "cosine"])
@pytest.mark.parametrize("scale", [2.0**990, 2.0**-990])
def test_extreme_scales_of_rows(method, metric, scale):
    model = KMedoids(3, metric=metric, method=method, random_state=0).fit(X * scale)
    assert_sound(model, 150, model.n_clusters_)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "minkowski"])
@pytest.mark.parametrize("p", [4, 60])
def test_squares_that_overflow_are_refused(metric, p, rng):
    rows = rng.standard_normal((50, p)) * 1e300
    for precompute in (True, False):
        for init in INITS:
            model = KMedoids(
                3, metric=metric, init=init, precompute=precompute, random_state=0
            )
            with pytest.raises(ValueError, match=r"too large|finite"):
                model.fit(rows)


@pytest.mark.parametrize(
    "weights",
    [
        np.full(150, 2.0**1000),
        np.full(150, 2.0**-1060),
        np.r_[1e300, np.full(149, 1e-300)],
        np.r_[np.full(149, 5e-324), 1e300],
    ],
)
@by_method
def test_extreme_weights(weights, method):
    model = KMedoids(3, method=method, random_state=0).fit(X, sample_weight=weights)
    assert_sound(model, 150, model.n_clusters_)
    if len(set(weights)) == 1:
        plain = KMedoids(3, method=method, random_state=0).fit(X)
        assert model.medoid_indices_.tolist() == plain.medoid_indices_.tolist()
        assert model.inertia_ == pytest.approx(plain.inertia_ * weights[0])
        assert model.loss_curve_[-1] == pytest.approx(
            plain.loss_curve_[-1]
            * (weights[0] if plain.loss_curve_[-1] == plain.inertia_ else 1)
        )


def test_one_outlier_far_away():
    rows = X.copy()
    rows[7] = 1e150
    model = KMedoids(3).fit(rows)
    assert_sound(model, 150, 3)
    assert 7 in model.medoid_indices_
    assert model.inertia_ < 1e4


@by_init
@pytest.mark.parametrize("batch_size", [6, 7, 150, 1000])
def test_one_batch_of_any_size(init, batch_size):
    weights = np.arange(150) % 3
    for w in (None, weights):
        model = KMedoids(
            6, method="onebatch", init=init, batch_size=batch_size, random_state=0
        ).fit(X, sample_weight=w)
        assert_sound(model, 150, 6)
        if w is not None:
            assert weights[model.medoid_indices_].all()


@by_method
def test_too_few_passes_are_warned_of(method):
    model = KMedoids(6, method=method, init="first", max_iter=1, random_state=0)
    # for "dynmsc", passes are limited for each number of medoids
    n_passes = 5 if method == "dynmsc" else 1
    message = rf"did not converge in {n_passes} pass.*max_iter"
    with pytest.warns(ConvergenceWarning, match=message):
        model.fit(X)
    assert model.n_iter_ == n_passes


def test_objects_that_are_numbers():
    assert KMedoids(3).fit(X.astype(object)).inertia_ == KMedoids(3).fit(X).inertia_
    model = KMedoids(3, metric="precomputed").fit(D.astype(object))
    assert model.inertia_ == KMedoids(3, metric="precomputed").fit(D).inertia_
    np.testing.assert_array_equal(model.predict(D.astype(object)), model.labels_)


def test_the_input_is_not_changed():
    weights = np.arange(1.0, 151.0)
    for method in METHODS:
        for data, metric in ((X.copy(), "euclidean"), (D.copy(), "precomputed")):
            before = data.copy()
            given = weights.copy()
            KMedoids(4, metric=metric, method=method, random_state=0).fit(
                data, sample_weight=given
            ).predict(data)
            np.testing.assert_array_equal(data, before)
            np.testing.assert_array_equal(given, weights)


def test_init_is_not_changed():
    init = np.array([3, 60, 120])
    model = KMedoids(3, init=init).fit(X)
    assert init.tolist() == [3, 60, 120]
    assert model.init is init
    assert model.n_swaps_ > 0
    for dtype in (np.uint64, np.int8, object):
        if dtype is object:
            with pytest.raises(ValueError, match=r"init must hold integers.*object"):
                KMedoids(3, init=init.astype(dtype)).fit(X)
        else:
            again = KMedoids(3, init=init.astype(dtype)).fit(X)
            assert again.medoid_indices_.tolist() == model.medoid_indices_.tolist()


def test_messages_are_one_sentence_about_the_argument():
    with pytest.raises(ValueError, match=re.escape("init holds 150")) as caught:
        KMedoids(2, init=[1, 150]).fit(X)
    assert len(str(caught.value)) < 120


@by_method
def test_rows_without_a_direction(method):
    # two rows of zeros have no cosine, but each is at 0 from itself
    rows = np.vstack([np.zeros((3, 2)), np.eye(2), 2 * np.eye(2)])
    for k in (2, 5):
        model = KMedoids(k, metric="cosine", method=method, init="first")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.set_params(min_clusters=k, random_state=0).fit(rows)
        assert_sound(model, 7, k)
        D = pairwise_distances(rows, metric="cosine")
        expected = D[:, model.medoid_indices_].min(axis=1).sum()
        assert model.inertia_ == pytest.approx(expected, abs=1e-12)
