"""Digits, formats of X, memory, threads and the automatic shrinkage."""

import pickle
import tracemalloc
from fractions import Fraction
from functools import partial

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skloss.linear_eval import PooledGaussianNB, _class_moments, _class_moments_kernels
from skloss.linear_eval._variance_shrinkage import shrinkage_intensity


def dyadic(rng, n, p):
    """Values whose sums with 1e7 are exact, so that shifting changes no digit."""
    return rng.integers(-(2**20), 2**20, size=(n, p)) / 2**20


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_batches", [1, 9])
def test_data_far_from_zero_keep_their_digits(n_batches, make, rng):
    X, y = dyadic(rng, 300, 5), np.arange(300) % 3
    near, far = PooledGaussianNB(), PooledGaussianNB()
    for rows in np.array_split(np.arange(300), n_batches):
        near.partial_fit(X[rows], y[rows], [0, 1, 2])
        far.partial_fit(make(X[rows] + 1e7), y[rows], [0, 1, 2])
    np.testing.assert_allclose(far.var_, near.var_, rtol=1e-13)
    np.testing.assert_allclose(far.theta_ - 1e7, near.theta_, atol=1e-8)
    np.testing.assert_allclose(
        far.predict_proba(X + 1e7), near.predict_proba(X), atol=1e-12
    )
    scores = (X + 1e7) @ far.coef_.T + far.intercept_
    np.testing.assert_allclose(
        scores - scores[:, :1],
        far._scores(X + 1e7) - far._scores(X + 1e7)[:, :1],
        atol=1e-6,
    )


def test_classes_far_apart_keep_their_digits(rng):
    X, y = dyadic(rng, 300, 5), np.arange(300) % 3
    apart = X + np.array([0, 1e7, -1e9])[y][:, None]
    got = PooledGaussianNB(var_smoothing=0).fit(apart, y)
    expected = PooledGaussianNB(var_smoothing=0).fit(X, y)
    np.testing.assert_allclose(got.var_, expected.var_, rtol=1e-13)


def exact_variance(x, y):
    """Pooled variance of one feature in rational arithmetic."""
    total = Fraction(0)
    for k in np.unique(y):
        values = [Fraction(v) for v in x[y == k].tolist()]
        mean = sum(values) / len(values)
        total += sum((v - mean) ** 2 for v in values)
    return float(total / len(x))


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("outlier", [1e3, 1e7, 1e12])
def test_class_that_begins_with_an_outlier_keeps_its_digits(outlier, make, rng):
    X, y = rng.normal(size=(200, 1)), np.arange(200) % 2
    X[0] = outlier
    weights = np.ones(200)
    got = PooledGaussianNB(var_smoothing=0).fit(make(X), y).var_[0]
    assert got == pytest.approx(exact_variance(X[:, 0], y), rel=1e-13)
    # Next to no weight on the outlier: the shift is no typical row at all.
    weights[0] = 1e-30
    got = PooledGaussianNB(var_smoothing=0).fit(make(X), y, weights).var_[0]
    means = [np.average(X[y == k], axis=0, weights=weights[y == k]) for k in (0, 1)]
    expected = (weights @ (X - np.array(means)[y]) ** 2 / weights.sum())[0]
    assert got == pytest.approx(expected, rel=1e-10)


@given(st.integers(-140, 140))
def test_powers_of_two_as_units_change_nothing(exponent):
    X, y = load_iris(return_X_y=True)
    unit = 2.0**exponent
    plain = PooledGaussianNB().fit(X, y)
    scaled = PooledGaussianNB().fit(X * unit, y)
    np.testing.assert_array_equal(scaled.var_, plain.var_ * unit**2)
    np.testing.assert_array_equal(
        scaled.predict_log_proba(X * unit), plain.predict_log_proba(X)
    )


SPARSE = {
    "csr": sparse.csr_array,
    "csr matrix": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "64-bit": lambda X: with_int64(sparse.csr_array(X)),
    "explicit zeros": lambda X: with_zeros(sparse.csr_array(X)),
    "entries twice": lambda X: twice(sparse.csr_array(X)),
    "integers": lambda X: sparse.csr_array(X.astype(int)),
}


def with_int64(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


def with_zeros(X):
    X.data[::3] = 0
    return X


def twice(X):
    data, indices = np.repeat(X.data / 2, 2), np.repeat(X.indices, 2)
    return sparse.csr_array((data, indices, X.indptr * 2), shape=X.shape)


@pytest.mark.parametrize(
    "parameters", [{}, {"var_smoothing": 0.0, "shrinkage": "auto"}]
)
@pytest.mark.parametrize("kind", SPARSE)
def test_sparse_is_dense(kind, parameters):
    X, y = load_digits(return_X_y=True)
    stored = SPARSE[kind](X)
    dense = stored.toarray()
    expected = PooledGaussianNB(**parameters).fit(dense, y)
    got = PooledGaussianNB(**parameters).fit(stored, y)
    np.testing.assert_allclose(got.theta_, expected.theta_, atol=1e-12)
    np.testing.assert_allclose(got.var_, expected.var_, rtol=1e-12)
    for method in ("predict_proba", "predict_joint_log_proba", "decision_function"):
        np.testing.assert_allclose(
            getattr(got, method)(stored), getattr(expected, method)(dense), atol=1e-8
        )


def peak_bytes(function):
    function()  # compile, import and fill caches first
    tracemalloc.start()
    function()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_sparse_data_are_never_made_dense():
    X = sparse.random_array((4000, 5000), density=1e-3, format="csr", rng=0)
    y = np.arange(4000) % 2
    model = PooledGaussianNB().fit(X, y)
    assert peak_bytes(lambda: model.fit(X, y)) < 4e6  # dense: 160 MB
    assert peak_bytes(lambda: model.predict_joint_log_proba(X)) < 4e6


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("order", ["C", "F"])
def test_dense_data_are_never_copied_whole(order, dtype, rng):
    X = np.asarray(rng.integers(0, 255, size=(60_000, 100)), dtype=dtype, order=order)
    y = np.arange(60_000) % 2
    model = PooledGaussianNB().fit(X, y)
    # One block of 4 MB, weights, codes and scores of 0.5 MB each; X has 6 to 48 MB.
    with threadpool_limits(1, user_api="openmp"):
        assert peak_bytes(lambda: model.fit(X, y)) < 6e6
        assert peak_bytes(lambda: model.predict(X)) < 6e6


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.uint8])
@pytest.mark.parametrize("n_classes", [2, 10, 20])
def test_memory_of_predictions_is_that_of_the_scores(n_classes, dtype, rng):
    """A block of 4 MB comes on top for integers and for many classes."""
    n = 200_000
    X = rng.integers(0, 255, size=(n, 10)).astype(dtype)
    y = np.arange(n) % n_classes
    model = PooledGaussianNB().fit(X, y)
    scores = n * n_classes * model.coef_.itemsize
    block = 4.2e6 * (dtype == np.uint8 or n_classes > 16) + 1.5e6
    with threadpool_limits(1, user_api="openmp"):
        for name in SCORES:
            method = getattr(model, name)
            assert peak_bytes(partial(method, X)) < scores + block, name
        assert peak_bytes(lambda: model.predict(X)) < scores + max(8.2 * n, block)


@pytest.mark.parametrize("n_classes", [2, 10])
def test_memory_of_predictions_on_sparse_rows(n_classes):
    n = 100_000
    X = sparse.random_array((n, 50), density=0.01, format="csr", rng=0)
    model = PooledGaussianNB().fit(X, np.arange(n) % n_classes)
    scores, stored = 8 * n * n_classes, 12 * X.nnz + 4 * n
    assert peak_bytes(lambda: model.predict_proba(X)) < scores + 8 * n
    assert peak_bytes(lambda: model.predict(X)) < scores + 8.2 * n
    peak = peak_bytes(lambda: model.predict_joint_log_proba(X))
    assert peak < scores + 2 * stored + 24 * n


def test_results_do_not_depend_on_the_threads(monkeypatch, rng):
    X, y = rng.lognormal(sigma=3, size=(120_000, 12)), rng.integers(0, 4, 120_000)
    models = []
    for n_threads in (1, 2, 5):
        monkeypatch.setattr(_class_moments, "threads_for", lambda n, t=n_threads: t)
        models.append(PooledGaussianNB(shrinkage="auto").fit(X, y))
    for model in models[1:]:
        np.testing.assert_array_equal(model.theta_, models[0].theta_)
        np.testing.assert_array_equal(model.var_, models[0].var_)
        assert model.shrinkage_ == models[0].shrinkage_


def test_many_blocks_are_one(rng):
    X, y = rng.normal(size=(120_000, 12)) + 1e5, rng.integers(0, 4, 120_000)
    got = PooledGaussianNB(var_smoothing=0).fit(X, y)
    means = np.stack([(X - 1e5)[y == k].mean(axis=0) for k in range(4)])
    expected = ((X - 1e5 - means[y]) ** 2).mean(axis=0)
    np.testing.assert_allclose(got.var_, expected, rtol=1e-12)
    np.testing.assert_allclose(got.theta_ - 1e5, means, atol=1e-9)


def float_attributes(model):
    names = ("class_count_", "class_prior_", "theta_", "var_", "coef_", "intercept_")
    return [getattr(model, name) for name in names]


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_float32_stays_float32_with_float64_sums(make, rng):
    X = rng.normal(size=(5000, 8)).astype(np.float32) + np.float32(100)
    y = np.arange(5000) % 3
    narrow = PooledGaussianNB().fit(make(X), y)
    wide = PooledGaussianNB().fit(X.astype(np.float64), y)
    for a, b in zip(float_attributes(narrow), float_attributes(wide)):
        assert a.dtype == np.float32 and b.dtype == np.float64
        np.testing.assert_allclose(a, b, rtol=2e-7, atol=1e-6 * np.abs(b).max())
    proba = narrow.predict_proba(make(X))
    assert proba.dtype == narrow.predict_joint_log_proba(make(X)).dtype == np.float32
    tolerance = 1e-6 if make is np.asarray else 1e-4  # sparse rows are not centred
    np.testing.assert_allclose(proba, wide.predict_proba(X), atol=tolerance)


SCORES = ("predict_proba", "predict_log_proba", "predict_joint_log_proba")


@pytest.mark.parametrize("dtype", ["f2", ">f4", ">f2"])
def test_all_that_float32_holds_is_float32(dtype, rng):
    X, y = rng.normal(size=(300, 4)).astype(dtype), np.arange(300) % 3
    expected = PooledGaussianNB().fit(X.astype(np.float32), y)
    model = PooledGaussianNB().fit(X, y)
    for a, b in zip(float_attributes(model), float_attributes(expected)):
        assert a.dtype == np.float32 and a.dtype.isnative
        np.testing.assert_array_equal(a, b)
    for name in SCORES:
        got = getattr(model, name)(X)
        assert got.dtype == np.float32 and got.dtype.isnative
        np.testing.assert_array_equal(got, getattr(expected, name)(X.astype("f4")))


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("n_classes", [2, 40])  # the compiled pass, and BLAS
@pytest.mark.parametrize("dtype", ["i1", "u1", "u2", "?"])
def test_small_integers_are_scored_like_floats(dtype, n_classes, make, rng):
    X = rng.integers(0, 127, size=(400, 4)).astype(dtype)
    y = np.arange(400) % n_classes
    model = PooledGaussianNB().fit(make(X.astype(np.float32)), y)
    for name in SCORES:
        score = getattr(model, name)
        got, expected = score(make(X)), score(X.astype(np.float64))
        assert got.dtype == np.float32 and expected.dtype == np.float64
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5)


def test_float32_and_float64_batches_make_float64(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    model = PooledGaussianNB().fit(X[:20].astype(np.float32), y[:20])
    model.partial_fit(X[20:], y[20:])
    assert all(a.dtype == np.float64 for a in float_attributes(model))
    narrow = PooledGaussianNB().fit(X.astype(np.float32), y)
    assert narrow.predict_proba(X).dtype == np.float64
    assert narrow.merge(model).coef_.dtype == np.float64


@pytest.mark.parametrize("make", [np.asfortranarray, lambda X: X[:, ::-1][:, ::-1]])
def test_layout_does_not_matter(make, rng):
    X, y = rng.normal(size=(50, 3)), np.arange(50) % 2
    expected = PooledGaussianNB().fit(X, y)
    got = PooledGaussianNB().fit(make(X), y)
    np.testing.assert_array_equal(got.var_, expected.var_)
    np.testing.assert_array_equal(got.predict_proba(make(X)), expected.predict_proba(X))


def test_read_only_files_need_no_other_kernel(tmp_path, rng):
    X, y = rng.normal(size=(50, 3)), np.arange(50) % 2
    np.save(tmp_path / "X.npy", X)
    expected = PooledGaussianNB(shrinkage="auto").fit(X, y)
    compiled = _class_moments_kernels.add_sums.signatures.copy()
    stored = np.load(tmp_path / "X.npy", mmap_mode="r")
    model = PooledGaussianNB(shrinkage="auto").fit(stored, y)
    np.testing.assert_array_equal(model.var_, expected.var_)
    assert _class_moments_kernels.add_sums.signatures == compiled


def intensity_by_definition(X, y):
    """Opgen-Rhein and Strimmer's formula with n - K degrees of freedom, unabridged."""
    n, K = len(y), len(np.unique(y))
    means = np.stack([X[y == k].mean(axis=0) for k in range(K)])
    u = (X - means[y]) ** 2
    v = n / (n - K) * u.mean(axis=0)
    var_v = n / (n - K) ** 3 * ((u - u.mean(axis=0)) ** 2).sum(axis=0)
    return min(1.0, var_v.sum() / ((v - np.median(v)) ** 2).sum())


@pytest.mark.parametrize("n, K", [(7, 2), (30, 3), (500, 10)])
def test_automatic_shrinkage_is_the_published_formula(n, K, rng):
    y = np.arange(n) % K
    X = rng.normal(size=(n, 40)) * rng.gamma(2.0, size=40) + rng.normal(size=(K, 40))[y]
    model = PooledGaussianNB(shrinkage="auto", var_smoothing=0).fit(X, y)
    assert model.shrinkage_ == pytest.approx(intensity_by_definition(X, y), rel=1e-10)
    raw = PooledGaussianNB(var_smoothing=0).fit(X, y).var_
    t = model.shrinkage_
    np.testing.assert_allclose(model.var_, (1 - t) * raw + t * np.median(raw))


def test_automatic_shrinkage_comes_close_to_the_best_intensity(rng):
    truth = rng.gamma(3.0, size=200)
    y = np.arange(12) % 3
    grid = np.linspace(0, 1, 21)
    errors, automatic = np.zeros(21), 0.0
    for _ in range(30):
        X = rng.normal(size=(12, 200)) * np.sqrt(truth)
        raw = PooledGaussianNB(var_smoothing=0).fit(X, y).var_
        shrunk = (1 - grid[:, None]) * raw + grid[:, None] * np.median(raw)
        unbiased = 12 / 9
        errors += ((unbiased * shrunk - truth) ** 2).mean(axis=1)
        model = PooledGaussianNB(var_smoothing=0, shrinkage="auto").fit(X, y)
        automatic += ((unbiased * model.var_ - truth) ** 2).mean()
    assert 0.1 < grid[errors.argmin()] < 0.9
    assert automatic < 1.1 * errors.min()
    assert automatic < 0.8 * errors[0]


@pytest.mark.parametrize("amount", [0.0, 0.3, 1.0])
def test_fixed_shrinkage_moves_toward_the_median_of_the_positive(amount, rng):
    X, y = rng.normal(size=(30, 4)) * [1, 2, 3, 0], np.arange(30) % 2
    raw = PooledGaussianNB(var_smoothing=0).fit(X, y).var_
    got = PooledGaussianNB(var_smoothing=0, shrinkage=amount).fit(X, y)
    expected = (1 - amount) * raw + amount * np.median(raw[:3])
    np.testing.assert_allclose(got.var_, expected)
    assert got.shrinkage_ == amount


def test_automatic_shrinkage_at_its_limits():
    one = np.ones(3)
    assert shrinkage_intensity(one, 4 * one, 10.0, 2) == 1  # equal variances
    assert shrinkage_intensity(one, one, 2.0, 2) == 1  # no degrees of freedom
    assert shrinkage_intensity(0 * one, 0 * one, 10.0, 2) == 1
    spread = np.array([1.0, 2.0, 9.0])
    noiseless = spread**2  # all squares equal their mean
    assert shrinkage_intensity(spread, noiseless, 10.0, 2) == pytest.approx(0)
    huge = 1e150  # where squares of squares overflow
    noisy = shrinkage_intensity(spread, 3 * noiseless, 10.0, 2)
    assert 0 < noisy < 1
    scaled = shrinkage_intensity(spread * huge, 3 * noiseless * huge * huge, 10.0, 2)
    assert scaled == pytest.approx(noisy)


@pytest.mark.parametrize("weight", [1e305, 1e-200, 1e-310])
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_only_ratios_of_the_weights_matter(weight, make, rng):
    X, y = rng.normal(size=(60, 4)) * [1e-3, 1, 1, 1e3], np.arange(60) % 3
    plain = PooledGaussianNB().fit(make(X), y)
    whole = PooledGaussianNB().fit(make(X), y, np.full(60, weight))
    parts = PooledGaussianNB()
    for rows in (slice(0, 30), slice(30, 60)):
        parts.partial_fit(make(X[rows]), y[rows], [0, 1, 2], np.full(30, weight))
    for model in (whole, parts):
        np.testing.assert_allclose(model.theta_, plain.theta_, rtol=1e-10, atol=1e-15)
        np.testing.assert_allclose(model.var_, plain.var_, rtol=1e-10)
        np.testing.assert_allclose(model.class_count_, weight * 20.0)
        np.testing.assert_allclose(model.class_prior_, 1 / 3)


def test_batches_of_any_weight_go_together(rng):
    """The lighter batch, of 1e-280 times the weight, leaves no trace."""
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    light, heavy = (X[:20], y[:20]), (X[20:] + 5, y[20:])
    alone = PooledGaussianNB().fit(*heavy)
    for first, second in ((light, heavy), (heavy, light)):
        model = PooledGaussianNB()
        for X, y in (first, second):
            weight = 1e200 if X is heavy[0] else 1e-80
            model.partial_fit(X, y, [0, 1], np.full(20, weight))
        np.testing.assert_allclose(model.theta_, alone.theta_, rtol=1e-12)
        np.testing.assert_allclose(model.var_, alone.var_, rtol=1e-12)


def test_weights_whose_sum_overflows_are_named_and_change_nothing(rng):
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    with pytest.raises(ValueError, match="sample_weight is too large"):
        PooledGaussianNB().fit(X, y, np.full(40, 1e308))
    model = PooledGaussianNB().fit(X, y, np.full(40, 4e306))
    before = model.class_count_
    with pytest.raises(ValueError, match="sample_weight is too large"):
        model.partial_fit(X, y, sample_weight=np.full(40, 8e306))
    np.testing.assert_array_equal(model.class_count_, before)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_scores_that_overflow_are_named(make, rng):
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    model = PooledGaussianNB().fit(make(X * 1e-9), y)
    with pytest.raises(ValueError, match="values in X are too large"):
        model.predict_proba(make(np.full((2, 3), 1e308) * [1, -1, 1]))


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_data_frames_in_pipelines_and_searches(frame):
    iris = load_iris()
    X = frame({name: iris.data[:, j] for j, name in enumerate("abcd")})
    model = PooledGaussianNB().fit(X, iris.target)
    assert model.feature_names_in_.tolist() == list("abcd")
    search = GridSearchCV(
        make_pipeline(StandardScaler(), PooledGaussianNB()),
        {"pooledgaussiannb__shrinkage": [None, 0.5, "auto"]},
        n_jobs=2,
    ).fit(X, iris.target)
    assert search.best_score_ > 0.9
    assert not np.isnan(search.cv_results_["mean_test_score"]).any()


def test_sample_weights_are_routed():
    X, y = load_iris(return_X_y=True)
    weights = np.arange(150) % 3
    with sklearn.config_context(enable_metadata_routing=True):
        model = PooledGaussianNB().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        out = cross_validate(
            model, X, y, params={"sample_weight": weights}, return_estimator=True, cv=3
        )
    assert sum(m.class_count_.sum() for m in out["estimator"]) == 2 * weights.sum()


@pytest.mark.parametrize("shrinkage", [None, "auto"])
def test_copies_predict_and_go_on_learning(shrinkage):
    X, y = load_iris(return_X_y=True)
    model = PooledGaussianNB(shrinkage=shrinkage).fit(X[::2], y[::2])
    blob = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=blob)
    assert all(name.startswith("skloss.") for name in trusted)
    for copy in (
        pickle.loads(pickle.dumps(model)),
        skops.io.loads(blob, trusted=trusted),
    ):
        np.testing.assert_array_equal(copy.predict_proba(X), model.predict_proba(X))
        copy.partial_fit(X[1::2], y[1::2])
        whole = clone(model).fit(X, y)
        np.testing.assert_allclose(copy.var_, whole.var_, rtol=1e-12)
