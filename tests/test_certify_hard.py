"""Problems that an interior-point solver finds hard as they come."""

import sys
import types

import cvxpy as cp
import mpmath
import numpy as np
import pytest
from scipy import sparse
from scipy.special import logsumexp
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, LassoLars, LinearRegression, LogisticRegression

from skloss import MultinomialLogistic, certify
from skloss.certification import _reference, _registry

newton = {"solver": "newton-cholesky", "tol": 1e-10, "max_iter": 1000}


def far_from_zero(seed):
    """Columns of very different scale, far from zero, for a fit without intercept."""
    rng = np.random.default_rng(seed)
    n, p, k = rng.integers([30, 2, 2], [200, 12, 5])
    Z, W = rng.normal(size=(n, p)), rng.normal(size=(p, k))
    X = Z * 10 ** rng.uniform(-3, 3, size=p) + rng.uniform(-1e3, 1e3, size=p)
    C = 10 ** rng.uniform(-2, 4)
    return X, np.argmax(Z @ W + rng.gumbel(size=(n, k)), axis=1), C


def naive_problem(estimator, X, y, sample_weight):
    """Multinomial logistic regression in the columns as they are."""
    coef = cp.Variable((X.shape[1], len(estimator.classes_)))
    own = 1.0 * (y[:, None] == estimator.classes_)
    scores, strength = X @ coef, 1 / (2 * estimator.C * len(y))
    loss = cp.sum(cp.log_sum_exp(scores, axis=1)) - cp.sum(cp.multiply(own, scores))
    problem = cp.Problem(cp.Minimize(loss / len(y) + strength * cp.sum_squares(coef)))
    f, w = X @ estimator.coef_.T, estimator.coef_
    value = np.mean(logsumexp(f, axis=1) - np.sum(own * f, axis=1))
    return problem, value + strength * np.sum(w**2)


def false_problem(estimator, X, y, sample_weight):
    """A solver's problem whose optimum lies above the fit's objective."""
    problem, value = naive_problem(estimator, X, y, sample_weight)
    return cp.Problem(cp.Minimize(problem.objective.expr + 0.1)), value


@pytest.fixture
def judged_by(monkeypatch):
    """Replace the problem of LogisticRegression."""

    def replace(function):
        module = types.ModuleType("own_certificates")
        module.function = function
        monkeypatch.setitem(sys.modules, "own_certificates", module)
        problems = {"sklearn.LogisticRegression": "own_certificates:function"}
        monkeypatch.setattr(_registry, "_PROBLEMS", problems)

    return replace


@pytest.mark.parametrize("seed", range(24))
def test_columns_far_from_zero_without_intercept(seed):
    X, y, C = far_from_zero(seed)
    for model in (MultinomialLogistic(tol=1e-8), LogisticRegression(**newton)):
        model.set_params(C=C, fit_intercept=False).fit(X, y)
        for rows in (X, sparse.csr_array(X)):
            verdict = certify(model, rows, y)
            assert verdict.verdict == "passed", verdict
            assert verdict.relative_gap > -1e-8  # the reference came all the way
        model.coef_ = model.coef_ * 0.8
        assert certify(model, X, y).verdict == "failed"


@pytest.mark.parametrize("seed", [0, 15, 50])
def test_columns_as_they_are_take_a_second_attempt(seed, judged_by):
    """With its first settings Clarabel (0.11) gives up on these."""
    judged_by(naive_problem)
    X, y, C = far_from_zero(seed)
    model = LogisticRegression(C=C, fit_intercept=False, **newton).fit(X, y)
    problem, value = naive_problem(model, X, y, None)
    attempts = [found for _, found in _reference.references(problem, None, 1.0)]
    assert certify(model, X, y).verdict == "passed"
    assert min(attempts) == pytest.approx(value, rel=1e-8)
    assert min(attempts) > value - 1e-10  # what they attain bounds the optimum


def test_a_reference_that_did_worse_is_void(judged_by):
    judged_by(false_problem)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(3, size=60)
    model = LogisticRegression(fit_intercept=False, **newton).fit(X, y)
    verdict = certify(model, X, y)
    assert verdict.verdict == "void" and not verdict and not verdict.passed
    assert verdict.gap == pytest.approx(-0.1, abs=1e-7)
    assert "void" in repr(verdict)
    model.coef_ = model.coef_ + 10.0
    assert certify(model, X, y).verdict == "failed"


def test_the_best_attempt_is_reported(judged_by, monkeypatch):
    """A first attempt that stops early is followed by others."""
    judged_by(naive_problem)
    settings = {"CLARABEL": ({"max_iter": 1}, {"max_iter": 4, "tol_gap_rel": 0.5})}
    monkeypatch.setattr(_reference, "_SETTINGS", settings)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 3)), rng.integers(3, size=60)
    model = LogisticRegression(fit_intercept=False, **newton).fit(X, y)
    verdict = certify(model, X, y)
    assert verdict.verdict == "passed" and verdict.solver == "SCS"
    # Who names a solver gets that one.
    with pytest.raises(RuntimeError, match="CLARABEL"):
        certify(model, X, y, solver="clarabel")


def test_sklearns_least_squares_may_be_the_one_that_is_wrong():
    """On collinear columns; the truth is that of 60 digits."""
    X, y, _ = far_from_zero(21)
    y = y + np.random.default_rng(21).exponential(size=len(y))
    with mpmath.workdps(60):
        A, b = mpmath.matrix(X.tolist()), mpmath.matrix(y.tolist())
        error = b - A * mpmath.lu_solve(A.T * A, A.T * b)
        best = float((error.T * error)[0] / (2 * len(y)))
    model = LinearRegression(fit_intercept=False).fit(X, y)
    verdict = certify(model, X, y)
    assert verdict.verdict == "failed"
    assert verdict.reference_objective == pytest.approx(best, rel=1e-9)
    model.coef_ = np.linalg.lstsq(X, y, rcond=1e-15)[0]
    assert certify(model, X, y).verdict == "passed"


def test_positive_lars_is_not_the_positive_lasso():
    """As scikit-learn's documentation says; coordinate descent finds the optimum."""
    X, y = load_diabetes(return_X_y=True)
    lasso = Lasso(alpha=0.05, positive=True, tol=1e-9).fit(X, y)
    lars = LassoLars(alpha=0.05, positive=True).fit(X, y)
    assert certify(lasso, X, y).verdict == "passed"
    assert certify(lars, X, y).verdict == "failed"
    assert certify(LassoLars(alpha=30.0, positive=True).fit(X, y), X, y)
