"""The convex problems of scikit-learn's own linear models.

Objectives are those of scikit-learn's documentation, divided by a constant where that
makes them averages, and with the terms in y alone that make losses 0 at a perfect fit.
"""

from typing import NamedTuple

import cvxpy as cp
import numpy as np
from scipy.special import xlogy

from skloss import _conic
from skloss._conic import LinearModel, elastic_net, linear_model, numeric_scores

__all__ = [
    "elastic_net_regression",
    "gamma_regression",
    "logistic_regression",
    "poisson_regression",
    "quantile_regression",
    "ridge_regression",
    "support_vector_regression",
]


class _Fit(NamedTuple):
    """A fitted regression beside its problem, in the units of the targets' spread."""

    model: LinearModel
    targets: np.ndarray  # (n, n_outputs), in the units of the model's scores
    unit: float
    weight: np.ndarray  # (n,), sums to 1
    Y: np.ndarray  # (n, n_outputs)
    fitted: np.ndarray  # (n, n_outputs), scores of the fit
    coef: np.ndarray  # (p, n_outputs), of the fit

    @property
    def errors(self):
        """Scores less targets, as a cvxpy expression in units of `unit`."""
        return self.model.scores - self.targets

    @property
    def residuals(self):
        """Scores less targets of the fit."""
        return self.fitted - self.Y


def _regression(estimator, X, y, sample_weight, *, centered=True):
    """Fit on the scale of the targets."""
    X, Y, weight = _weighted_rows(X, y, sample_weight)
    centered = centered and estimator.fit_intercept
    center, unit = _center_and_unit(Y, weight, centered)
    parts = {"center": center, "unit": unit}
    return _fit(estimator, X, Y, weight, (Y - center) / unit, unit, parts)


def _log_linear(estimator, X, y, sample_weight):
    """Fit of log(mean), its targets in units of the null model's mean."""
    X, Y, weight = _weighted_rows(X, y, sample_weight)
    mean = weight @ Y[:, 0] if estimator.fit_intercept else 1.0
    mean = mean if mean > 0 else 1.0
    if np.ptp(Y) <= 1e-12 * mean:  # constant targets: a null model that is not perfect
        mean *= np.e
    parts = {"center": np.log(mean)}
    return _fit(estimator, X, Y, weight, Y / mean, mean, parts)


def _fit(estimator, X, Y, weight, targets, unit, parts):
    parts["fit_intercept"] = estimator.fit_intercept
    model = linear_model(X, weight, Y.shape[1], **parts)
    fitted = numeric_scores(X, estimator.coef_, estimator.intercept_)
    coef = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64)).T
    return _Fit(model, targets, unit, weight, Y, fitted, coef)


def _weighted_rows(X, y, sample_weight):
    """Rows with weight, targets (n, n_outputs), and weights that sum to 1."""
    rows = np.flatnonzero(sample_weight > 0)
    weight = sample_weight[rows] / sample_weight[rows].sum()
    return X[rows], np.asarray(y, np.float64)[rows].reshape(len(rows), -1), weight


def _center_and_unit(Y, weight, centered):
    """Mean and spread of the targets; 0 and their size if they are constant."""
    top = np.abs(Y).max(initial=0.0)
    if top == 0:
        return np.zeros(Y.shape[1]), 1.0
    center = weight @ (Y / top) if centered else np.zeros(Y.shape[1])
    spread = np.sqrt(np.sum(weight @ (Y / top - center) ** 2))
    if spread <= 1e-12 * np.abs(center).max():
        return np.zeros(Y.shape[1]), top
    return center * top, spread * top


def _squared(fit):
    """Weighted mean of half the squared error, as an expression and as a number."""
    root = np.sqrt(fit.weight / 2)[:, None]
    expression = fit.unit**2 * cp.sum_squares(cp.multiply(root, fit.errors))
    return expression, np.sum((root * fit.residuals) ** 2)


def _penalised(estimator, fit, loss, value, strength, l1_ratio):
    """Problem and fitted objective; infinite if the fit breaks a constraint."""
    loss = loss + fit.model.elastic_net(strength, l1_ratio)
    value = value + elastic_net(fit.coef, strength, l1_ratio)
    constraints = []
    if getattr(estimator, "positive", False):
        constraints = [fit.model.coef >= 0]
        value = value if (fit.coef >= 0).all() else np.inf
    return cp.Problem(cp.Minimize(loss), constraints), float(value)


def ridge_regression(estimator, X, y, sample_weight):
    """Half the weighted sum of squares plus ``alpha / 2 * |w|**2``."""
    fit = _regression(estimator, X, y, sample_weight)
    loss, value = _squared(fit)
    total, alpha = sample_weight.sum(), np.asarray(estimator.alpha, np.float64)
    return _penalised(estimator, fit, total * loss, total * value, alpha, 0.0)


def elastic_net_regression(estimator, X, y, sample_weight):
    """Half the weighted mean squared error plus the elastic net (or lasso)."""
    fit = _regression(estimator, X, y, sample_weight)
    l1_ratio = getattr(estimator, "l1_ratio", 1.0)
    return _penalised(estimator, fit, *_squared(fit), estimator.alpha, l1_ratio)


def poisson_regression(estimator, X, y, sample_weight):
    """Weighted mean of half the Poisson deviance plus ``alpha / 2 * |w|**2``.

    ``exp(f) - y f + y log(y) - y`` is half the deviance.
    """
    if np.min(y) < 0:
        raise ValueError(f"y must be at least 0 for {estimator!r}; got {np.min(y)}.")
    fit = _log_linear(estimator, X, y, sample_weight)
    t, scores = fit.targets[:, 0], fit.model.scores[:, 0]
    constant = fit.weight @ (xlogy(t, t) - t)
    loss = fit.weight @ (cp.exp(scores) - cp.multiply(t, scores)) + constant
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y, f = fit.Y[:, 0], fit.fitted[:, 0]
        excess = f - np.log(y)
        terms = np.where(y > 0, y * (np.expm1(excess) - excess), np.exp(f))
    loss, value = fit.unit * loss, fit.weight @ terms
    return _penalised(estimator, fit, loss, value, estimator.alpha, 0.0)


def gamma_regression(estimator, X, y, sample_weight):
    """Weighted mean of half the gamma deviance plus ``alpha / 2 * |w|**2``.

    ``y exp(-f) + f - log(y) - 1`` is half the deviance.
    """
    if np.min(y) <= 0:
        raise ValueError(f"y must be above 0 for {estimator!r}; got {np.min(y)}.")
    fit = _log_linear(estimator, X, y, sample_weight)
    t, scores = fit.targets[:, 0], fit.model.scores[:, 0]
    constant = fit.weight @ (np.log(t) + 1)
    loss = fit.weight @ (cp.multiply(t, cp.exp(-scores)) + scores) - constant
    excess = fit.fitted[:, 0] - np.log(fit.Y[:, 0])
    with np.errstate(over="ignore"):
        value = fit.weight @ (np.expm1(-excess) + excess)
    return _penalised(estimator, fit, loss, value, estimator.alpha, 0.0)


def quantile_regression(estimator, X, y, sample_weight):
    """Weighted mean pinball loss plus ``alpha * |w|_1``."""
    fit, q = _regression(estimator, X, y, sample_weight), estimator.quantile
    errors, residuals = fit.errors[:, 0], fit.residuals[:, 0]
    loss = fit.unit * (fit.weight @ cp.maximum((1 - q) * errors, -q * errors))
    value = fit.weight @ np.maximum((1 - q) * residuals, -q * residuals)
    return _penalised(estimator, fit, loss, value, estimator.alpha, 1.0)


def support_vector_regression(estimator, X, y, sample_weight):
    """``(|w|**2 + (b / scaling)**2) / 2 + C sum(s * loss)``, divided by C and sum(s).

    liblinear penalises the intercept, as the weight of a constant column.
    """
    degree = 2 if estimator.loss == "squared_epsilon_insensitive" else 1
    strength = 1 / (estimator.C * sample_weight.sum())
    ridge = strength / 2 / estimator.intercept_scaling**2
    _, Y, weight = _weighted_rows(X, y, sample_weight)

    def objective_of_constant(b):
        errors = np.maximum(np.abs(Y[:, 0] - b) - estimator.epsilon, 0)
        return weight @ errors**degree + ridge * b**2

    # The mean is no good constant where the penalty on it is strong.
    mean = weight @ Y[:, 0]
    centered = objective_of_constant(mean) < objective_of_constant(0.0)
    fit = _regression(estimator, X, y, sample_weight, centered=centered)
    excess = cp.pos(cp.abs(fit.errors[:, 0]) - estimator.epsilon / fit.unit)
    errors = np.maximum(np.abs(fit.residuals[:, 0]) - estimator.epsilon, 0)
    loss = fit.weight @ (cp.square(excess) if degree == 2 else excess)
    loss, value = fit.unit**degree * loss, fit.weight @ errors**degree
    if estimator.fit_intercept:
        loss = loss + ridge * fit.unit**2 * cp.sum_squares(fit.model.intercept)
        value = value + ridge * np.sum(np.square(estimator.intercept_))
    return _penalised(estimator, fit, loss, value, strength, 0.0)


def logistic_regression(estimator, X, y, sample_weight):
    """Weighted mean log-loss plus the elastic net of strength ``1 / (C sum(s))``."""
    if estimator.solver == "liblinear" and estimator.fit_intercept:
        raise TypeError(
            "certify does not know LogisticRegression(solver='liblinear') with an "
            "intercept, which it penalises; use another solver or fit_intercept=False."
        )
    penalty = estimator.penalty
    return _conic.logistic_regression(
        estimator,
        X,
        y,
        sample_weight,
        C=np.inf if penalty is None else estimator.C,
        l1_ratio={"l1": 1.0, "l2": 0.0}.get(penalty, estimator.l1_ratio),
    )
