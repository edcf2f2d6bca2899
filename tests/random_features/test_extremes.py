"""Storage, scales and rows that are at the edge of what can be computed."""

import pickle
import tracemalloc

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.linear_model import Ridge

from skloss.random_features import RandomFeatureRidge, RandomFeatures
from tests.random_features.ridge_cases import Shelf, model_of, same_model, sample

OVERFLOWS = ("linear", "relu", "square", "exp", "gelu")


# --- Storage of rows to transform ---


@pytest.mark.parametrize("activation", ["cos", "exp"])
def test_sliceable_rows(rng, activation):
    X = rng.normal(size=(90_000, 30))
    shelf = Shelf(X)
    options = {"activation": activation, "random_state": 0}
    features = RandomFeatures(5, **options).fit(shelf)
    plain = RandomFeatures(5, **options).fit(X)
    assert features.gamma_ == pytest.approx(plain.gamma_, rel=1e-12)
    plain = RandomFeatures(5, gamma=features.gamma_, **options).fit(X)
    np.testing.assert_array_equal(features.transform(shelf), plain.transform(X))
    assert shelf.most < 90_000


def test_dask_arrays_are_transformed_where_they_are(rng):
    array = pytest.importorskip("dask.array")
    X = rng.normal(size=(100, 6)).astype(np.float32)
    chunked = array.from_array(X, chunks=(30, 4))
    features = RandomFeatures(7, gamma=0.2, random_state=0).fit(chunked)
    Z = features.transform(chunked)
    assert Z.shape == (100, 7) and Z.dtype == np.float32
    assert Z.chunks == ((30, 30, 30, 10), (7,))
    expected = RandomFeatures(7, gamma=0.2, random_state=0).fit(X).transform(X)
    np.testing.assert_allclose(Z.compute(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.int8, bool, np.float16, ">f8"])
def test_memory_maps_of_other_dtypes_are_not_copied(rng, tmp_path, dtype):
    X = rng.integers(0, 2 if dtype is bool else 50, (100_000, 80)).astype(dtype)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    y = rng.normal(size=100_000)
    model = model_of(20, gamma=1e-4, solver="primal", precision="float64")
    model.fit(X[:10], y[:10])  # compiles
    plain = clone(model).fit(X.astype(np.float64), y)
    tracemalloc.start()
    model.fit(mapped, y)
    found = model.predict(mapped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.5 * 8 * X.size
    tol = 1e-4 if dtype == np.float16 else 1e-9  # which is computed in float32
    np.testing.assert_allclose(found, plain.predict(X), rtol=tol, atol=tol)


def test_weights_are_drawn_once_and_not_stored(rng):
    X = rng.normal(size=(3, 200))
    features = RandomFeatures(500, random_state=0).fit(X)
    size = len(pickle.dumps(features))
    Z = features.transform(X)
    assert len(pickle.dumps(features)) == size < 10_000
    again = pickle.loads(pickle.dumps(features))
    np.testing.assert_array_equal(again.transform(X), Z)
    np.testing.assert_array_equal(features.transform(X), Z)
    narrow = features.transform(X.astype(np.float32))
    assert narrow.dtype == np.float32
    np.testing.assert_allclose(narrow, Z, atol=1e-5)


def test_few_orthogonal_units_of_many_columns(rng):
    X = rng.normal(size=(4, 700))
    few, all_ = (
        RandomFeatures(k, gamma=0.1, sampling="orthogonal", random_state=0).fit(X)
        for k in (9, 700)
    )
    W = few.random_weights_
    np.testing.assert_allclose(W, all_.random_weights_[:, :9], rtol=1e-11, atol=1e-12)
    products = W.T @ W
    lengths = np.sqrt(products.diagonal())
    np.testing.assert_allclose(
        products / np.outer(lengths, lengths), np.eye(9), atol=1e-12
    )


# --- Rows that overflow ---


@pytest.mark.parametrize("activation", OVERFLOWS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features_that_overflow(rng, activation, dtype):
    X = rng.normal(size=(300, 3)).astype(dtype)
    bad = X.copy()
    bad[201] = np.finfo(dtype).max / 4
    options = {"activation": activation, "gamma": 10.0, "random_state": 0}
    features = RandomFeatures(40, **options).fit(X)
    model = RandomFeatureRidge(40, **options).fit(X / 30, X[:, 0])
    for act in (features.transform, model.predict):
        with pytest.raises(ValueError, match=rf"{activation}.*X\[201\].*not finite"):
            act(bad)


@pytest.mark.parametrize("activation", ["relu", "square", "cos"])
@pytest.mark.parametrize("kind", [np.asarray, csr_array])
@pytest.mark.parametrize("precision", ["float64", "mixed", "float32"])
def test_rows_without_weight_may_be_anything_finite(rng, activation, kind, precision):
    X, y = sample(rng)
    weight = rng.integers(0, 3, len(y)).astype(float)
    weight[:3] = 0, 0, 1
    kept = weight > 0
    model = model_of(
        30, activation=activation, precision=precision, solver="primal", gamma=0.1
    )
    expected = clone(model).fit(kind(X[kept]), y[kept], weight[kept])
    X[~kept], y[~kept] = 1e200, 1e100
    model.fit(kind(X), y, weight)
    tol = {"float64": 1e-9, "mixed": 1e-8, "float32": 1e-3}[precision]
    same_model(model, expected, X[kept], tol)
    if precision == "float64":
        half = clone(model).partial_fit(kind(X[:70]), y[:70], weight[:70])
        half.partial_fit(kind(X[70:]), y[70:], weight[70:])
        same_model(half, expected, X[kept], tol)


# --- Scales ---


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_targets_that_overflow(rng, dtype):
    X = rng.normal(size=(30, 2)).astype(dtype)
    size = 1e36 if dtype is np.float32 else 1e200
    with pytest.raises(ValueError, match=r"y has values up to 3e.*rescale"):
        model_of(5).fit(X, np.full(30, -3 * size))
    y = size / 1e61 * rng.normal(size=30) if dtype is np.float64 else 1e33 * X[:, 0]
    assert np.isfinite(model_of(5).fit(X, y).predict(X)).all()


@pytest.mark.parametrize("unit", [1e-30, 1e-20, 1e10, 1e15])
def test_single_precision_of_small_and_large_features(rng, unit):
    """Their squares are not numbers in single precision."""
    X, y = sample(rng)
    X = (X * unit).astype(np.float32)
    model = model_of(20, bias=0.0, alpha=0.1 * unit**2, activation="relu")
    model.fit(X, y)
    Z = model.random_features_.transform(X.astype(np.float64)) / unit
    expected = Ridge(0.1, solver="svd").fit(Z, y)
    np.testing.assert_allclose(model.predict(X), expected.predict(Z), atol=1e-4)


# --- Descriptions ---


@pytest.mark.parametrize("n_components", [np.inf, 200])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_gcv_of_interpolating_models_is_the_limit(rng, n_components, fit_intercept):
    """With the eigenvalues of a centred kernel, by hand."""
    X, y = sample(rng)
    X, y = X[:60], y[:60]
    model = model_of(n_components, fit_intercept=fit_intercept, activation="relu")
    wide = model_of(1).fit(X, y).random_features_
    K = wide.kernel(X)
    if n_components < np.inf:
        Z = model.fit(X, y).random_features_.transform(X)
        K = Z @ Z.T
    rest = np.eye(60) - (np.full((60, 60), 1 / 60) if fit_intercept else 0.0)
    S, V = np.linalg.eigh(rest @ K @ rest)
    S, V = S[int(fit_intercept) :], V[:, int(fit_intercept) :]
    for alpha in (0.0, 1e-12, 1e-8, 1e-3):
        c = V.T @ y / (S + alpha)
        expected = 60 * (c**2).sum() / (1 / (S + alpha)).sum() ** 2
        found = model.set_params(alpha=alpha).fit(X, y).gcv_score_
        assert found == pytest.approx(expected, rel=1e-6)


def test_gcv_where_nothing_is_left():
    assert model_of(5).fit([[1.0, 2.0]], [3.0]).gcv_score_ == np.inf
    X = np.random.default_rng(0).normal(size=(6, 2))
    assert model_of(9, alpha=0.0).partial_fit(X, X[:, 0]).gcv_score_ == np.inf
