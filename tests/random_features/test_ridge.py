"""`RandomFeatureRidge` before scikit-learn's ridge on features, and explicit solves."""

import warnings

import numpy as np
import pytest
from scipy import linalg
from sklearn.base import clone
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import Ridge
from sklearn.metrics.pairwise import laplacian_kernel

from tests.random_features.ridge_cases import (
    SOLVERS,
    model_of,
    reference,
    same_model,
    sample,
)


@pytest.fixture
def data(rng):
    return sample(rng)


# --- The optimum ---


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("n_components", [40, 400])
@pytest.mark.parametrize("how", SOLVERS, ids=str)
def test_is_ridge_on_features(data, rng, how, n_components, weighted, fit_intercept):
    X, y = data
    weight = rng.uniform(0.1, 3, len(y)) if weighted else None
    model = model_of(n_components, fit_intercept=fit_intercept, **how)
    model.fit(X, y, weight)
    Z, ridge = reference(model, X, y, weight)
    scale = np.abs(ridge.coef_).max()
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=0, atol=1e-9 * scale)
    assert model.intercept_ == pytest.approx(ridge.intercept_, rel=1e-9, abs=1e-9)
    np.testing.assert_allclose(model.predict(X), ridge.predict(Z), atol=1e-9)
    assert model.coef_.shape == (n_components,)
    assert isinstance(model.intercept_, float)
    if not how:
        assert model.solver_ == ("primal" if n_components == 40 else "dual")


@pytest.mark.parametrize("activation", ["cos", "sincos", "exp", "step", np.tanh])
@pytest.mark.parametrize("solver", ["primal", "dual"])
@pytest.mark.parametrize("sampling", ["iid", "orthogonal", "qmc", "hadamard"])
def test_every_kind_of_feature(data, activation, solver, sampling):
    X, y = data
    options = {"activation": activation, "solver": solver, "sampling": sampling}
    model = model_of(333, gamma=0.1, **options).fit(X, y)
    Z, ridge = reference(model, X, y)
    np.testing.assert_allclose(model.predict(X), ridge.predict(Z), rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.predict(X[3:5]), ridge.predict(Z[3:5]), atol=1e-8)


@pytest.mark.parametrize("alpha", [0.3, [0.3, 2.0, 0.3]])
@pytest.mark.parametrize("how", SOLVERS, ids=str)
def test_many_targets(data, rng, how, alpha):
    X, y = data
    Y = np.column_stack([y, 3 * y**2 - 5, rng.normal(size=len(y))])
    weight = rng.uniform(0, 2, len(y))
    model = model_of(alpha=alpha, **how).fit(X, Y, weight)
    _, ridge = reference(model, X, Y, weight)
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=0, atol=1e-8)
    np.testing.assert_allclose(model.intercept_, ridge.intercept_, rtol=1e-9)
    assert model.coef_.shape == (3, 40) and model.intercept_.shape == (3,)
    for t, value in enumerate(np.broadcast_to(alpha, 3)):
        one = clone(model).set_params(alpha=value).fit(X, Y[:, t], weight)
        for name in ("coef_", "degrees_of_freedom_", "effective_ridge_", "gcv_score_"):
            found = getattr(model, name)[t]
            np.testing.assert_allclose(found, getattr(one, name), rtol=1e-6, atol=1e-8)
    column = model.set_params(alpha=[1.0]).fit(X, Y[:, :1], weight)
    assert column.predict(X).shape == (150, 1) and column.coef_.shape == (1, 40)


@pytest.mark.parametrize("how", [{"precision": "mixed"}, {"precision": "float64"}])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, [1e-3, 10.0]])
def test_mixed_precision_has_the_digits_of_double(rng, how, alpha):
    X = rng.normal(size=(3000, 5))
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] ** 2])
    y = Y if np.ndim(alpha) else Y[:, 0]
    weight = rng.uniform(0, 2, 3000)
    model = model_of(350, alpha=alpha, solver="primal", **how).fit(X, y, weight)
    _, ridge = reference(model, X, y, weight)
    assert model.precision_ == how["precision"]
    assert model.n_iter_ == 1 if how["precision"] == "float64" else model.n_iter_ > 1
    scale = np.abs(ridge.coef_).max()
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=0, atol=1e-9 * scale)
    double = clone(model).set_params(precision="float64").fit(X, y, weight)
    for name in ("degrees_of_freedom_", "effective_ridge_", "gcv_score_"):
        found, expected = getattr(model, name), getattr(double, name)
        np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize("alpha", [0.0, 1e-9, [1.0, 1e-9]])
def test_mixed_precision_gives_way_where_it_cannot_do(rng, alpha):
    X = rng.normal(size=(2000, 3))
    Y = np.column_stack([np.sin(X[:, 0]), X[:, 1] ** 2])
    y = Y if np.ndim(alpha) else Y[:, 0]
    options = {"alpha": alpha, "activation": "tanh", "solver": "primal"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", linalg.LinAlgWarning)
        model = model_of(310, precision="mixed", **options).fit(X, y)
        double = model_of(310, precision="float64", **options).fit(X, y)
        assert model.precision_ == "float64"
        np.testing.assert_array_equal(model.coef_, double.coef_)
        # It keeps sums then, and can go on.
        auto = clone(model).set_params(precision="auto").fit(X, y)
        auto.partial_fit(X[:5], y[:5])
        double.fit(np.vstack([X, X[:5]]), np.concatenate([y, y[:5]]))
    np.testing.assert_allclose(auto.predict(X), double.predict(X), atol=1e-6)


def test_precision_that_is_chosen(data):
    X, y = data
    X, y = np.tile(X, (3, 1)), np.tile(y, 3)
    assert model_of(299).fit(X, y).precision_ == "float64"
    assert model_of(300, alpha=1.0).fit(X, y).precision_ == "mixed"
    assert model_of(500).fit(X, y).precision_ == "float64"
    assert model_of(500, precision="mixed").fit(X, y).precision_ == "float64"
    assert model_of(300).fit(X.astype(np.float32), y).precision_ == "float32"
    assert model_of(300).partial_fit(X, y).precision_ == "float64"


@pytest.mark.parametrize("solver", ["primal", "dual"])
@pytest.mark.parametrize("n_components", [60, 500])
def test_single_precision(data, solver, n_components):
    X, y = data
    narrow = X.astype(np.float32)
    options = {"solver": solver, "alpha": 0.5}
    model = model_of(n_components, **options).fit(narrow, y)
    _, ridge = reference(model_of(n_components, **options).fit(X, y), X, y)
    assert model.coef_.dtype == model.predict(narrow).dtype == np.float32
    assert model.precision_ == "float32"
    assert model.predict(X).dtype == np.float64
    scale = np.abs(ridge.coef_).max()
    np.testing.assert_allclose(model.coef_, ridge.coef_, rtol=0, atol=2e-3 * scale)
    exact = model_of(n_components, precision="float64", **options).fit(narrow, y)
    np.testing.assert_allclose(exact.coef_, ridge.coef_, rtol=0, atol=2e-5 * scale)
    assert exact.precision_ == "float64" and exact.coef_.dtype == np.float32
    rough = model_of(n_components, precision="float32", **options).fit(X, y)
    assert rough.precision_ == "float32" and rough.coef_.dtype == np.float64


def test_single_precision_warns_of_small_penalties(data):
    X, y = data
    narrow = X.astype(np.float32)
    model = model_of(alpha=1e-7, solver="primal")
    with pytest.warns(UserWarning, match="alpha=1e-07.*single precision"):
        model.fit(narrow, y)
    with pytest.warns(UserWarning, match="alpha=1e-07.*single precision"):
        clone(model).partial_fit(narrow, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(alpha=1.0).fit(narrow, y)
        model.set_params(alpha=1e-7, precision="float64").fit(narrow, y)


# --- Infinite width ---


@pytest.mark.parametrize(
    "options",
    [
        {"activation": "cos"},
        {"activation": "relu"},
        {"activation": "cos", "distribution": "cauchy"},
        {"activation": "erf"},
        {"activation": np.tanh},
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [True, False])
def test_infinite_width_is_kernel_ridge(data, rng, options, weighted):
    X, y = data
    Y = np.column_stack([y, X[:, 3]])
    weight = rng.uniform(0.1, 2, len(y)) if weighted else None
    finite = model_of(3, **options).fit(X, y)
    K = finite.random_features_.kernel(X)
    model = model_of(np.inf, fit_intercept=False, **options).fit(X, Y, weight)
    expected = KernelRidge(alpha=0.1, kernel="precomputed").fit(K, Y, weight)
    new = rng.normal(size=(20, 4))
    there = expected.predict(finite.random_features_.kernel(new, X))
    np.testing.assert_allclose(model.predict(new), there, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(model.dual_coef_, expected.dual_coef_, atol=1e-7)
    assert model.random_features_ is None and model.solver_ == "dual"
    with pytest.raises(AttributeError, match="dual_coef_"):
        _ = model.coef_
    with pytest.raises(AttributeError, match="infinite"):
        _ = finite.dual_coef_


def test_infinite_width_of_cosines_is_the_rbf_kernel(data):
    X, y = data
    model = model_of(np.inf, activation="cos", fit_intercept=False).fit(X, y)
    expected = KernelRidge(alpha=0.1, kernel="rbf", gamma=0.3).fit(X, y)
    np.testing.assert_allclose(model.predict(X), expected.predict(X), atol=1e-9)
    assert model.predict(X.astype(np.float32)).dtype == np.float64
    single = clone(model).fit(X.astype(np.float32), y)
    assert single.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(single.predict(X), expected.predict(X), atol=1e-4)


@pytest.mark.parametrize("weighted", [True, False])
def test_infinite_width_with_intercept(data, rng, weighted):
    """The conditions of the optimum in the rows' coefficients and the intercept."""
    X, y = data
    weight = rng.uniform(0.1, 2, len(y)) if weighted else np.ones(len(y))
    K = laplacian_kernel(X, gamma=0.3)
    n = len(y)
    system = np.zeros((n + 1, n + 1))
    system[:n, :n] = K + 0.1 * np.diag(1 / weight)
    system[:n, n] = system[n, :n] = 1.0
    found = np.linalg.solve(system, np.append(y + 100, 0.0))
    options = {"activation": "cos", "distribution": "cauchy"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = model_of(np.inf, **options).fit(X, y + 100, weight)
    np.testing.assert_allclose(model.dual_coef_, found[:n], rtol=0, atol=1e-8)
    assert model.intercept_ == pytest.approx(found[n], rel=1e-10)
    np.testing.assert_allclose(model.predict(X), K @ found[:n] + found[n], rtol=1e-9)


def test_wide_models_tend_to_infinite_ones(data):
    X, y = data
    limit = model_of(np.inf, activation="cos").fit(X, y).predict(X)
    errors = [
        np.abs(model_of(k, activation="cos").fit(X, y).predict(X) - limit).mean()
        for k in (1000, 64_000)
    ]
    assert errors[1] < 0.25 * errors[0] < 0.05


# --- No penalty ---


@pytest.mark.parametrize("solver", ["primal", "dual"])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("n_components", [30, 400])
def test_without_penalty_the_shortest_coefficients(
    data, solver, fit_intercept, n_components
):
    X, y = data
    options = {"solver": solver, "fit_intercept": fit_intercept, "activation": "cos"}
    model = model_of(n_components, alpha=0.0, gamma=1.0, **options).fit(X, y)
    Z = model.random_features_.transform(X)
    center, y_center = (Z.mean(axis=0), y.mean()) if fit_intercept else (0.0, 0.0)
    coef = np.linalg.lstsq(Z - center, y - y_center, rcond=1e-7)[0]
    scale = np.abs(coef).max()
    np.testing.assert_allclose(model.coef_, coef, rtol=0, atol=1e-6 * scale)
    rank = min(n_components, len(y) - fit_intercept)
    assert model.degrees_of_freedom_ == pytest.approx(rank + fit_intercept)
    if n_components == 400:
        np.testing.assert_allclose(model.predict(X), y, rtol=0, atol=1e-7)


def test_features_that_repeat(data):
    """A row of features of rank 2: the shortest coefficients, not any."""
    X, y = data
    X = X[:, :1]
    model = model_of(20, alpha=0.0, bias=0.0, activation="linear", solver="primal")
    model.fit(X, y)
    Z = model.random_features_.transform(X)
    coef = np.linalg.lstsq(Z - Z.mean(axis=0), y - y.mean(), rcond=1e-10)[0]
    np.testing.assert_allclose(model.coef_, coef, rtol=1e-8)
    assert model.degrees_of_freedom_ == pytest.approx(2.0)


@pytest.mark.parametrize("solver", ["primal", "dual"])
def test_tiny_penalties_are_reported(data, solver):
    X, y = data
    model = model_of(20, alpha=1e-30, activation="linear", solver=solver)
    with pytest.warns(linalg.LinAlgWarning, match="alpha=1e-30"):
        model.fit(X, y).coef_  # noqa: B018
    without = clone(model).set_params(alpha=0.0).fit(X, y)
    np.testing.assert_allclose(model.predict(X), without.predict(X), atol=1e-9)


# --- Descriptions ---


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("how", SOLVERS, ids=str)
def test_descriptions_by_brute_force(data, rng, how, fit_intercept, weighted):
    """The trace of the matrix that maps targets to predictions, column by column."""
    X, y = data
    X, y = X[:60], y[:60]
    weight = rng.integers(0, 3, 60).astype(float) if weighted else None
    model = model_of(25, fit_intercept=fit_intercept, **how).fit(X, y, weight)
    Z = model.random_features_.transform(X)
    ridge = Ridge(0.1, fit_intercept=fit_intercept, solver="svd")
    H = ridge.fit(Z, np.eye(60), weight).predict(Z)
    w = np.ones(60) if weight is None else weight
    degrees = H.diagonal()[w > 0].sum()
    tol = 1e-5 if how.get("precision") == "mixed" else 1e-9
    assert model.degrees_of_freedom_ == pytest.approx(degrees, rel=tol)
    assert model.effective_ridge_ == pytest.approx(0.1 / (w.sum() - degrees), rel=tol)
    residual = (w * (y - H @ y) ** 2).sum()
    gcv = residual / w.sum() / (1 - degrees / w.sum()) ** 2
    assert model.gcv_score_ == pytest.approx(gcv, rel=tol)
    assert isinstance(model.gcv_score_, float)
    assert model.n_samples_seen_ == np.count_nonzero(w)


@pytest.mark.parametrize("fit_intercept", [True, False])
def test_descriptions_at_infinite_width(data, fit_intercept):
    X, y = data
    options = {"activation": "cos", "fit_intercept": fit_intercept}
    model = model_of(np.inf, **options).fit(X, y)
    K = model_of(1, activation="cos").fit(X, y).random_features_.kernel(X)
    mean = np.full((150, 150), 1 / 150) if fit_intercept else np.zeros((150, 150))
    rest = np.eye(150) - mean
    K = rest @ K @ rest
    H = mean + K @ np.linalg.inv(K + 0.1 * np.eye(150)) @ rest
    assert model.degrees_of_freedom_ == pytest.approx(H.trace(), rel=1e-9)
    gcv = np.mean((y - H @ y) ** 2) / (1 - H.trace() / 150) ** 2
    assert model.gcv_score_ == pytest.approx(gcv, rel=1e-8)


def test_effective_ridge_of_interpolating_models(data):
    X, y = data
    model = model_of(400, alpha=0.0, activation="cos", gamma=1.0).fit(X, y)
    assert model.effective_ridge_ >= 0 and model.gcv_score_ >= 0


# --- Weights, shifts, large numbers ---


@pytest.mark.parametrize("how", SOLVERS, ids=str)
@pytest.mark.parametrize("gamma", [0.3, "scale"])
def test_weights_are_repetitions(data, rng, how, gamma):
    X, y = data
    weight = rng.integers(0, 4, len(y))
    X, y = X.copy(), y.copy()
    X[weight == 0], y[weight == 0] = 1e6, -1e6  # absent
    weighted = model_of(gamma=gamma, **how).fit(X, y, weight)
    rows = np.repeat(np.arange(len(y)), weight)
    repeated = model_of(gamma=gamma, **how).fit(X[rows], y[rows])
    same_model(weighted, repeated, data[0])
    for name in ("degrees_of_freedom_", "gcv_score_"):
        found, expected = getattr(weighted, name), getattr(repeated, name)
        # A repeated row is counted once for each copy.
        tol = 1e-4 if how.get("precision") == "mixed" else 1e-8
        if name == "gcv_score_" or how.get("solver") != "dual":
            assert found == pytest.approx(expected, rel=tol)


@pytest.mark.parametrize("how", SOLVERS, ids=str)
def test_shifts_of_targets_shift_the_intercept(data, how):
    X, y = data
    model, shifted = model_of(**how).fit(X, y), model_of(**how).fit(X, y + 7.25)
    np.testing.assert_allclose(model.coef_, shifted.coef_, rtol=0, atol=1e-10)
    assert shifted.intercept_ - model.intercept_ == pytest.approx(7.25, abs=1e-10)


@pytest.mark.parametrize("how", SOLVERS, ids=str)
@pytest.mark.parametrize("activation", ["relu", "cos"])
def test_large_offsets_do_not_cancel(data, how, activation):
    X, y = data
    X, y = X + 1e5, y + 1e8
    model = model_of(activation=activation, **how).fit(X, y)
    Z = model.random_features_.transform(X)
    left = Z - Z.mean(axis=0)
    # From a decomposition of the features themselves, not of their squares.
    U, s, Vt = np.linalg.svd(left, full_matrices=False)
    coef = Vt.T @ (s / (s**2 + 0.1) * (U.T @ (y - y.mean())))
    scale = np.abs(coef).max()
    np.testing.assert_allclose(model.coef_, coef, rtol=0, atol=1e-6 * scale)
    fitted = left @ coef + y.mean()
    np.testing.assert_allclose(model.predict(X), fitted, rtol=0, atol=3e-6)
