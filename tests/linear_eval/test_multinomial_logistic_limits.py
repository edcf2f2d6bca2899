"""MultinomialLogistic where floating point runs out: separation, units, weights."""

import re
import warnings

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning

from skloss.datasets import make_regime_mixture
from skloss.linear_eval import MultinomialLogistic
from skloss.linear_eval._coordinates import Coordinates
from skloss.linear_eval._softmax_ridge import SoftmaxRidge
from skloss.solvers.newton_cg import newton_cg


def polynomial(seed, n_samples, n_classes):
    """Powers 1 to 15 of three columns near 1, which are nearly collinear."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(0.5, 1.5, (n_samples, 3))
    X = np.hstack([t**power for power in range(1, 16)])
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    S = Z @ rng.standard_normal((45, n_classes)) / 3
    return X, (S + rng.gumbel(size=S.shape)).argmax(axis=1)


def twins(seed, n_samples, n_classes):
    """Columns in pairs that differ by less than float32 can tell."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, 60))
    X = np.hstack([X, X + 1e-7 * rng.standard_normal(X.shape)])
    S = X @ rng.standard_normal((120, n_classes)) + rng.gumbel(size=(len(X), n_classes))
    return X, S.argmax(axis=1)


def mixture(seed, n_samples, n_classes, mode="easy"):
    return make_regime_mixture(n_samples, 120, n_classes, mode=mode, random_state=seed)


def relative_gap(model, X, y, C):
    """Primal minus dual objective over the primal, in extended precision.

    The model's probabilities are the dual point.
    """
    X, coef = X.astype(np.longdouble), model.coef_.astype(np.longdouble)
    scores = X @ coef.T + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([0 * scores, scores])
    own = y[:, None] == model.classes_
    scores -= scores[own][:, None]
    others = np.where(own, 0, np.exp(scores)).sum(axis=1)
    log_P = scores - np.log1p(others)[:, None]
    P = np.exp(log_P)
    # P - Y, without the cancellation of P - 1
    residuals = np.where(own, 0, P)
    residuals[own] = -residuals.sum(axis=1)
    moments = residuals.T @ X
    if len(coef) == 1:
        moments = moments[1:]
    primal = -log_P[own].sum() + (coef**2).sum() / (2 * C)
    dual = -np.sum(P * log_P) - C * (moments**2).sum() / 2
    return float((primal - dual) / primal)


def rounding_of(model, X):
    """A few units of rounding in sums of probabilities and in scores, as a gap."""
    terms = (np.abs(X) @ np.abs(model.coef_.T)).max()
    return 2e-15 / model.objective_ + 2e-15 * terms


NEARLY_SINGULAR = [
    (mixture, 2, 1632, 5, 1.0),
    (mixture, 0, 1300, 2, 1e4),
    (mixture, 3, 911, 3, 1e4),
    (mixture, 4, 900, 4, 1e6),
    (polynomial, 0, 3000, 3, 1e4),
    (polynomial, 1, 4000, 5, 1e6),
    (polynomial, 2, 4000, 2, 1e6),
    (twins, 0, 1000, 4, 1e4),
    (twins, 1, 1000, 3, 1e6),
]


@pytest.mark.parametrize("make, seed, n_samples, n_classes, C", NEARLY_SINGULAR)
def test_nearly_separable_and_collinear_data_reach_the_optimum(
    make, seed, n_samples, n_classes, C
):
    X, y = make(seed, n_samples, n_classes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MultinomialLogistic(C=C).fit(X, y)
    assert model.converged_
    rounding = rounding_of(model, X)
    assert model.dual_gap_ <= 1e-6
    gap = relative_gap(model, X, y, C)
    assert -rounding < gap
    assert gap == pytest.approx(model.dual_gap_, rel=1e-3, abs=rounding)


@pytest.mark.parametrize("make", [mixture, polynomial])
def test_sparse_data_go_over_to_double_precision_too(make):
    X, y = make(1, 2000, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MultinomialLogistic(C=1e6).fit(sparse.csr_array(X), y)
    rounding = rounding_of(model, X)
    assert -rounding < relative_gap(model, X, y, 1e6) < 1e-6 + rounding


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_sharpening_changes_the_precision_and_nothing_else(form, rng):
    X, y = noisy(rng)
    weights, settings = np.full(150, 1 / 150), {"penalty": 0.01, "fit_intercept": True}
    data = Coordinates(form(X), weights, dtype=np.float32, **settings).data
    problem = SoftmaxRidge(data, y, weights, rng.standard_normal((3, 5)), **settings)
    V = rng.standard_normal((3, 5))
    before = problem.objective, problem.gradient()
    coarse = problem.hessian_product(V.astype(np.float32))
    assert problem.sharpen()
    assert problem.objective == pytest.approx(before[0], rel=1e-14)
    np.testing.assert_allclose(problem.gradient(), before[1], atol=1e-6)
    fine = problem.hessian_product(V)
    assert fine.dtype == problem.dtype == np.float64
    np.testing.assert_allclose(fine, coarse, atol=1e-5)
    step = 1e-6
    gradients = []
    for side in (step, -step):
        moved = SoftmaxRidge(
            data, y, weights, problem.parameters + side * V, **settings
        )
        assert moved.sharpen()
        gradients.append(moved.gradient())
    differences = (gradients[0] - gradients[1]) / (2 * step)
    differences[:, :-1] += problem._ridge * V.mean(axis=0)[:-1]  # starts lose shifts
    np.testing.assert_allclose(fine, differences, atol=1e-8)
    assert not problem.sharpen()


def test_classes_gain_no_common_shift():
    """Rounding must not add one: nothing would remove it, and the gap would stall."""
    X, y = mixture(2, 1632, 5)
    weights = np.full(len(y), 1 / len(y))
    settings = {"penalty": 1 / len(y), "fit_intercept": True}
    coordinates = Coordinates(X, weights, dtype=np.float32, **settings)
    start = np.random.default_rng(0).standard_normal((5, X.shape[1] + 1))
    problem = SoftmaxRidge(coordinates.data, y, weights, start, **settings)
    result = newton_cg(problem, tol=1e-10)
    assert result.converged
    size = np.abs(result.x).max()
    assert np.abs(result.x.mean(axis=0)).max() < 1e-13 * size


def noisy(rng, n_samples=150, n_classes=3):
    X = rng.standard_normal((n_samples, 4))
    y = (X[:, :n_classes] + rng.gumbel(size=(n_samples, n_classes))).argmax(axis=1)
    return X, y


@pytest.mark.parametrize("weight", [1e308, 1e200, 1e-300, 1e-310])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0}])
def test_only_C_times_the_weights_matters(weight, class_weight, rng):
    X, y = noisy(rng)
    model = MultinomialLogistic(C=0.01 / weight, class_weight=class_weight)
    plain = MultinomialLogistic(C=0.01, class_weight=class_weight).fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y, np.full(len(y), weight))
    np.testing.assert_allclose(model.coef_, plain.coef_, rtol=1e-7)
    np.testing.assert_allclose(model.intercept_, plain.intercept_, rtol=1e-7)


def test_weights_without_worth_give_the_class_frequencies(rng):
    """λ = 1 / (C Σs) beyond the largest float leaves nothing but the intercepts."""
    X, y = noisy(rng)
    model = MultinomialLogistic().fit(X, y, np.full(len(y), 1e-310))
    assert not model.coef_.any()
    frequencies = np.bincount(y) / len(y)
    np.testing.assert_allclose(model.predict_proba(X[:1])[0], frequencies, rtol=1e-9)


@pytest.mark.parametrize(
    "factors, culprit",
    [
        ({0: 1e308, 1: 1e308}, "class_weight is too large"),
        ({0: 1e-320, 1: 1.0}, "class_weight"),
    ],
)
def test_class_weights_beyond_floats_are_named(factors, culprit, rng):
    X, y = noisy(rng, n_classes=2)
    weights = np.where(y == 0, 1e-50, 50.0)
    with pytest.raises(ValueError, match=culprit):
        MultinomialLogistic(class_weight=factors).fit(X, y, weights)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_tiny_columns_are_suppressed_by_a_penalty_and_named_without(make, rng):
    X, y = noisy(rng)
    X[:, 1] *= 1e-200
    model = MultinomialLogistic().fit(make(X), y)
    rest = MultinomialLogistic().fit(make(np.delete(X, 1, axis=1)), y)
    assert not model.coef_[:, 1].any()
    assert model.objective_ == pytest.approx(rest.objective_, rel=2e-6)
    with pytest.raises(ValueError, match="feature 1 are too small"):
        MultinomialLogistic(C=np.inf).fit(make(X), y)


def test_coefficients_that_overflow_float32_are_named(rng):
    X, y = noisy(rng)
    tiny = (X * 1e-39).astype(np.float32)
    assert MultinomialLogistic().fit(tiny, y).converged_
    with pytest.raises(ValueError, match="coefficients overflow float32"):
        MultinomialLogistic(C=np.inf).fit(tiny, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scores_that_overflow_are_named(n_classes, rng):
    X, y = noisy(rng, n_classes=n_classes)
    model = MultinomialLogistic(C=1e6).fit(X / 1e3, y)
    for predict in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(ValueError, match="values in X are too large"):
            predict(np.full((2, 4), 1e308))


def test_repeated_rows_without_penalty_leave_no_rounding_to_fit(rng):
    """Wide data with copies of rows: the span has fewer dimensions than rows."""
    X = rng.standard_normal((5, 40)).repeat(3, axis=0)
    y = np.arange(5).repeat(3) % 3
    with pytest.warns(ConvergenceWarning, match="separable"):
        model = MultinomialLogistic(C=np.inf).fit(X, y)
    assert model.score(X, y) == 1
    assert np.abs(model.coef_).max() < 1e3


def test_stored_columns_that_are_constant_get_zero(rng):
    """Also where the weights do not sum to one exactly."""
    X, y = noisy(rng)
    X[:, 2] = 7
    model = MultinomialLogistic(C=np.inf).fit(sparse.csr_array(X), y, rng.random(150))
    assert not model.coef_[:, 2].any()
    assert np.abs(model.coef_).max() < 100


@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.sampled_from([2, 3, 10, 60]),
    n_features=st.sampled_from([1, 2, 20, 80]),
    form=st.sampled_from([np.asarray, sparse.csr_array, sparse.csc_array]),
    dtype=st.sampled_from([np.float32, np.float64]),
    log_unit=st.sampled_from([-310, -200, -30, 0, 30, 100, 200]),
    log_weight=st.sampled_from([-310, 0, 150, 305]),
    C=st.sampled_from([1e-300, 1e-10, 1.0, 1e10, np.inf]),
    class_weight=st.sampled_from([None, "balanced", {0: 1e200}, {1: 1e-200}]),
    fit_intercept=st.booleans(),
)
def test_extremes_end_in_a_finite_model_or_a_clear_error(
    seed,
    n_samples,
    n_features,
    form,
    dtype,
    log_unit,
    log_weight,
    C,
    class_weight,
    fit_intercept,
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, n_features))
    X[:, 0] = rng.choice([0.0, 7.0, X[0, 0]])
    X[rng.integers(0, n_samples, n_samples // 2)] = X[0]
    with np.errstate(over="ignore"):
        X = (X * 10.0**log_unit).astype(dtype)
    assume(np.isfinite(X).all())
    y = rng.integers(0, 3, n_samples)
    y[:2] = 0, 1
    weights = rng.uniform(0.1, 1, n_samples) * 10.0**log_weight
    model = MultinomialLogistic(
        C=C, class_weight=class_weight, fit_intercept=fit_intercept
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        try:
            P = model.fit(form(X), y, weights).predict_proba(form(X))
        except np.linalg.LinAlgError:  # a ValueError, but not a clear one
            raise AssertionError("a matrix that is not finite") from None
        except ValueError as error:
            assert re.search("values (in|of) (X|feature)", str(error))
            return
    assert np.isfinite(model.coef_).all()
    scores = X.astype(float) @ model.coef_.T.astype(float) + model.intercept_
    if scores.shape[1] == 1:
        scores = np.hstack([0 * scores, scores])
    terms = np.abs(X.astype(float)) @ np.abs(model.coef_.T.astype(float))
    size = 1 + (terms + np.abs(model.intercept_)).max()
    atol = 10 * n_features * np.finfo(dtype).eps * size
    np.testing.assert_allclose(P, softmax(scores, axis=1), atol=atol)
