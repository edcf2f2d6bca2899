"""MultinomialLogistic against independent optima and exact properties."""

import importlib.util
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.linear_model import LogisticRegression

from skloss.linear_eval import MultinomialLogistic

_LOADER = Path(__file__).parents[1] / "data" / "loader.py"


def load_real(name):
    """A whole real data set from tests/data, or one that scikit-learn holds."""
    if name == "digits":
        return load_digits(return_X_y=True)
    spec = importlib.util.spec_from_file_location("loader", _LOADER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.load(name)


def objective(X, y, coef, intercept, *, C=1.0, weights=None):
    """F of the docstring, in plain NumPy and float64."""
    X = X.toarray() if sparse.issparse(X) else X
    s = np.ones(len(X)) if weights is None else np.asarray(weights, dtype=float)
    codes = np.unique(y, return_inverse=True)[1]
    scores = X @ coef.T + intercept
    if scores.shape[1] == 1:
        scores = np.hstack([np.zeros_like(scores), scores])
    losses = -log_softmax(scores, axis=1)[np.arange(len(X)), codes]
    return s @ losses / s.sum() + 0.5 * (coef**2).sum() / (C * s.sum())


def make_noisy(rng, n_samples=200, n_features=6, n_classes=4):
    """Overlapping classes: informative features, badly scaled, with noise."""
    X = rng.standard_normal((n_samples, n_features))
    truth = rng.standard_normal((n_features, n_classes))
    y = (X @ truth + rng.gumbel(size=(n_samples, n_classes))).argmax(axis=1)
    return X * np.geomspace(0.01, 100, n_features) + 3, y


@pytest.mark.parametrize("name", ["digits", "satimage", "penbased", "vowel"])
def test_reaches_the_optimum_of_raw_real_data(name):
    X, y = load_real(name)
    model = MultinomialLogistic().fit(X, y)
    peer = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000)
    peer.fit(X, y)
    best = objective(X, y, peer.coef_, peer.intercept_)
    reached = objective(X, y, model.coef_, model.intercept_)
    assert model.converged_
    assert reached == pytest.approx(model.objective_, rel=1e-12)
    assert reached <= best * (1 + 1e-6)
    # never below the true gap
    assert (reached - best) / reached <= model.dual_gap_ + 1e-14
    assert model.dual_gap_ <= 1e-6


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize("C", [1e-3, 1.0, 1e3])
def test_coefficients_of_small_data_equal_scikit_learns(load, C):
    X, y = load(return_X_y=True)
    model = MultinomialLogistic(C=C, tol=1e-13).fit(X, y)
    peer = LogisticRegression(
        C=C, solver="newton-cholesky", tol=1e-13, max_iter=1000
    ).fit(X, y)
    assert model.coef_.shape == peer.coef_.shape
    assert model.intercept_.shape == peer.intercept_.shape
    np.testing.assert_allclose(
        model.predict_proba(X), peer.predict_proba(X), rtol=0, atol=2e-5
    )
    scale = np.abs(peer.coef_).max()
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=0, atol=1e-4 * scale)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_agrees_with_cvxpy(rng, n_classes, fit_intercept):
    X, y = make_noisy(rng, 80, 5, n_classes)
    s = rng.uniform(0.2, 3, len(y))
    C = 0.7
    model = MultinomialLogistic(C=C, fit_intercept=fit_intercept, tol=1e-12)
    model.fit(X, y, s)
    W, b = cp.Variable((5, n_classes)), cp.Variable((1, n_classes))
    constraints = [] if fit_intercept else [b == 0]
    ridge = cp.sum_squares(W)
    if n_classes == 2:
        constraints += [W[:, 0] == 0, b[:, 0] == 0]
    S = X @ W + np.ones((len(X), 1)) @ b
    own = cp.sum(cp.multiply(np.eye(n_classes)[y], S), axis=1)
    loss = s @ (cp.log_sum_exp(S, axis=1) - own) / s.sum()
    problem = cp.Problem(cp.Minimize(loss + ridge / (2 * C * s.sum())), constraints)
    problem.solve(solver=cp.CLARABEL)
    assert model.objective_ == pytest.approx(problem.value, rel=1e-7)
    assert objective(
        X, y, model.coef_, model.intercept_, C=C, weights=s
    ) == pytest.approx(model.objective_, rel=1e-12)
    if not fit_intercept:
        assert not model.intercept_.any()


@pytest.mark.parametrize("tol", [1e-1, 1e-3, 1e-6, 1e-9])
@pytest.mark.parametrize("C", [1e-4, 1.0, 1e4])
def test_gap_is_never_below_the_true_one(rng, tol, C):
    X, y = make_noisy(rng, 3000, 12, 5)
    model = MultinomialLogistic(C=C, tol=tol).fit(X, y)
    peer = LogisticRegression(
        C=C, solver="newton-cholesky", tol=1e-12, max_iter=1000
    ).fit(X, y)
    best = objective(X, y, peer.coef_, peer.intercept_, C=C)
    reached = objective(X, y, model.coef_, model.intercept_, C=C)
    assert (reached - best) / reached <= model.dual_gap_ + 1e-14
    assert model.dual_gap_ <= tol


def test_gap_is_valid_when_iterations_run_out(rng):
    X, y = make_noisy(rng, 3000, 12, 5)
    best = MultinomialLogistic(tol=1e-12).fit(X, y).objective_
    for max_iter in (1, 2, 4):
        model = MultinomialLogistic(tol=1e-12, max_iter=max_iter)
        with pytest.warns(match="gap"):
            model.fit(X, y)
        assert not model.converged_
        assert model.n_iter_ == max_iter
        assert (model.objective_ - best) / model.objective_ <= model.dual_gap_


def test_intercepts_are_stationary(rng):
    X, y = make_noisy(rng, 2000, 8, 5)
    model = MultinomialLogistic().fit(X, y)
    frequencies = np.bincount(y) / len(y)
    mean = model.predict_proba(X).mean(axis=0)
    np.testing.assert_allclose(mean, frequencies, rtol=0, atol=1e-12)


def test_coefficients_sum_to_zero_over_the_classes(rng):
    X, y = make_noisy(rng, 2000, 8, 5)
    model = MultinomialLogistic().fit(X, y)
    size = np.abs(model.coef_).max()
    np.testing.assert_allclose(model.coef_.sum(axis=0), 0, atol=1e-13 * size)


def test_permuting_the_classes_permutes_the_rows(rng):
    X, y = make_noisy(rng)
    order = np.array([2, 0, 3, 1])
    model = MultinomialLogistic(tol=1e-13).fit(X, y)
    permuted = MultinomialLogistic(tol=1e-13).fit(X, order[y])
    np.testing.assert_allclose(
        permuted.coef_[order], model.coef_, rtol=0, atol=1e-5 * abs(model.coef_).max()
    )


@pytest.mark.parametrize("name", ["digits", "satimage"])
def test_a_huge_offset_changes_no_probability(name):
    X, y = load_real(name)
    model = MultinomialLogistic(tol=1e-9).fit(X, y)
    shifted = MultinomialLogistic(tol=1e-9).fit(X + 1e4, y)
    np.testing.assert_allclose(
        shifted.predict_proba(X + 1e4), model.predict_proba(X), rtol=0, atol=1e-3
    )


def test_units_matter_only_with_a_penalty(rng):
    X, y = make_noisy(rng)
    units = np.geomspace(1e-3, 1e3, X.shape[1])
    for C, equal in ((np.inf, True), (1.0, False)):
        raw = MultinomialLogistic(C=C, tol=1e-10).fit(X, y)
        scaled = MultinomialLogistic(C=C, tol=1e-10).fit(X * units, y)
        assert (raw.objective_ == pytest.approx(scaled.objective_, rel=1e-8)) is equal


@pytest.mark.parametrize("n_samples", [200, 6000])
def test_integer_weights_are_repetitions(rng, n_samples):
    X, y = make_noisy(rng, n_samples)
    weights = rng.integers(0, 4, n_samples)
    weighted = MultinomialLogistic(tol=1e-12).fit(X, y, weights)
    rows = np.repeat(np.arange(n_samples), weights)
    repeated = MultinomialLogistic(tol=1e-12).fit(X[rows], y[rows])
    assert weighted.objective_ == pytest.approx(repeated.objective_, rel=1e-11)
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 2: 0.5}])
def test_class_weights_are_scikit_learns(rng, class_weight):
    X, y = make_noisy(rng)
    s = rng.uniform(0.5, 2, len(y))
    model = MultinomialLogistic(class_weight=class_weight, tol=1e-12).fit(X, y, s)
    peer = LogisticRegression(
        class_weight=class_weight, solver="newton-cholesky", tol=1e-12
    ).fit(X, y, s)
    np.testing.assert_allclose(
        model.predict_proba(X), peer.predict_proba(X), rtol=0, atol=1e-5
    )


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize("n_samples", [150, 8000])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_sparse_equals_dense(rng, form, n_samples, fit_intercept):
    X, y = make_noisy(rng, n_samples)
    X = np.where(rng.random(X.shape) < 0.4, X, 0.0)
    settings = {"tol": 1e-11, "fit_intercept": fit_intercept}
    dense = MultinomialLogistic(**settings).fit(X, y)
    stored = form(X)
    model = MultinomialLogistic(**settings).fit(stored, y)
    assert model.objective_ == pytest.approx(dense.objective_, rel=1e-10)
    np.testing.assert_allclose(
        model.predict_proba(stored), dense.predict_proba(X), rtol=0, atol=1e-4
    )


def test_many_sparse_features_reach_the_optimum(rng):
    X = sparse.random_array((300, 2500), density=0.02, rng=rng, format="csr")
    y = rng.integers(0, 3, 300)
    model = MultinomialLogistic(C=10.0).fit(X, y)
    wide = MultinomialLogistic(C=10.0).fit(X.toarray(), y)  # solved by rotation
    peer = LogisticRegression(C=10.0, tol=1e-10, max_iter=10_000).fit(X, y)
    best = objective(X, y, peer.coef_, peer.intercept_, C=10.0)
    for fitted in (model, wide):
        assert fitted.converged_
        assert fitted.objective_ <= best * (1 + 1e-6)


@pytest.mark.parametrize("n_features", [60, 400])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_more_features_than_rows(rng, n_features, fit_intercept):
    X = rng.standard_normal((50, n_features)) * np.geomspace(0.1, 10, n_features) + 1
    y = rng.integers(0, 3, 50)
    model = MultinomialLogistic(C=0.1, fit_intercept=fit_intercept).fit(X, y)
    peer = LogisticRegression(
        C=0.1,
        fit_intercept=fit_intercept,
        solver="newton-cholesky",
        tol=1e-12,
        max_iter=1000,
    ).fit(X, y)
    best = objective(X, y, peer.coef_, peer.intercept_, C=0.1)
    reached = objective(X, y, model.coef_, model.intercept_, C=0.1)
    assert (reached - best) / reached <= model.dual_gap_ + 1e-13
    assert model.dual_gap_ <= 1e-6


def test_float32_data_give_float32_and_the_same_optimum(rng):
    X, y = make_noisy(rng, 5000)
    X = X.astype(np.float32)
    model = MultinomialLogistic().fit(X, y)
    double = MultinomialLogistic().fit(X.astype(np.float64), y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.predict_proba(X).dtype == np.float32
    assert model.objective_ == pytest.approx(double.objective_, rel=2e-6)
    np.testing.assert_allclose(model.coef_, double.coef_, rtol=1e-2, atol=1e-3)


def test_precisions_agree():
    X, y = load_digits(return_X_y=True)
    mixed = MultinomialLogistic(tol=1e-10).fit(X, y)
    double = MultinomialLogistic(tol=1e-10, precision="double").fit(X, y)
    assert mixed.objective_ == pytest.approx(double.objective_, rel=1e-10)


def test_small_C_gives_the_class_frequencies(rng):
    X, y = make_noisy(rng)
    model = MultinomialLogistic(C=1e-12, tol=1e-12).fit(X, y)
    expected = np.tile(np.bincount(y) / len(y), (len(y), 1))
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6)


def test_small_C_has_a_linear_closed_form(rng):
    """To first order in C the coefficients are C times minus the loss's gradient."""
    X, y = make_noisy(rng)
    X = X / X.std(axis=0)
    C = 1e-8
    model = MultinomialLogistic(C=C, tol=1e-16).fit(X, y)
    Y = np.eye(4)[y]
    np.testing.assert_allclose(
        model.coef_, C * (Y - Y.mean(axis=0)).T @ X, rtol=1e-4, atol=1e-12
    )


def test_one_binary_feature_without_penalty_has_a_closed_form():
    """The saturated model: coefficients are the log odds of a table of counts."""
    counts = np.array([[30, 10], [5, 20]])  # feature value, class
    X = np.repeat([0.0, 0.0, 1.0, 1.0], counts.ravel())[:, None]
    y = np.repeat([0, 1, 0, 1], counts.ravel())
    model = MultinomialLogistic(C=np.inf, tol=1e-14).fit(X, y)
    odds = np.log(counts[:, 1] / counts[:, 0])
    assert model.intercept_[0] == pytest.approx(odds[0], rel=1e-6)
    assert model.coef_[0, 0] == pytest.approx(odds[1] - odds[0], rel=1e-6)


def test_infinite_C_equals_scikit_learn(rng):
    X, y = make_noisy(rng)
    model = MultinomialLogistic(C=np.inf, tol=1e-10).fit(X, y)
    peer = LogisticRegression(
        C=np.inf, solver="newton-cholesky", tol=1e-10, max_iter=1000
    ).fit(X, y)
    assert model.converged_
    np.testing.assert_allclose(
        model.predict_proba(X), peer.predict_proba(X), rtol=0, atol=1e-5
    )


def test_warm_start_at_the_solution_needs_no_step(rng):
    X, y = make_noisy(rng, 3000)
    model = MultinomialLogistic(warm_start=True, tol=1e-8).fit(X, y)
    first = model.objective_
    model.fit(X, y)
    assert model.n_iter_ == 0
    assert model.objective_ == pytest.approx(first, rel=1e-10)
    model.set_params(C=2.0).fit(X, y)
    cold = MultinomialLogistic(C=2.0, tol=1e-8).fit(X, y)
    assert model.n_iter_ < cold.n_iter_
    assert model.objective_ == pytest.approx(cold.objective_, rel=2e-8)


def test_warm_start_ignores_an_unfit_solution(rng):
    X, y = make_noisy(rng)
    model = MultinomialLogistic(warm_start=True).fit(X, y)
    model.fit(X, y + 1)  # other classes
    model.fit(X[:, :3], y + 1)  # fewer features
    cold = MultinomialLogistic().fit(X[:, :3], y)
    np.testing.assert_array_equal(model.coef_, cold.coef_)


def test_history_tells_every_step(rng):
    X, y = make_noisy(rng, 3000)
    model = MultinomialLogistic().fit(X, y)
    assert [entry["n_iter"] for entry in model.history_] == list(
        range(1, model.n_iter_ + 1)
    )
    assert sum(e["n_products"] for e in model.history_) == model.n_products_
    objectives = [entry["objective"] for entry in model.history_]
    # rounding of the float32 copy apart, from which the first ones are computed
    assert all(np.diff(objectives) < 1e-7)
    assert model.history_[-1]["dual_gap"] == pytest.approx(model.dual_gap_)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_predictions_hang_together(rng, n_classes):
    X, y = make_noisy(rng, 5000, 6, n_classes)
    model = MultinomialLogistic().fit(X, y)
    scores = X @ model.coef_.T + model.intercept_
    if n_classes == 2:
        scores = np.hstack([0 * scores, scores])
    expected = log_softmax(scores, axis=1)
    np.testing.assert_allclose(
        model.predict_log_proba(X), expected, rtol=1e-10, atol=1e-12
    )
    np.testing.assert_allclose(model.predict_proba(X), np.exp(expected), atol=1e-12)
    np.testing.assert_array_equal(model.predict(X), expected.argmax(axis=1))
