"""Fitted regressions beside their problem, which the built-in problems share."""

from typing import NamedTuple

import cvxpy as cp
import numpy as np

from skloss._conic import (
    LinearModel,
    elastic_net,
    fitted_coef,
    linear_model,
    numeric_scores,
)

__all__ = ["Fit", "log_linear", "penalised", "regression", "squared", "weighted_rows"]


class Fit(NamedTuple):
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


def regression(estimator, X, y, sample_weight, *, centered=True, ridge=None):
    """Fit on the scale of the targets.

    `ridge`, as in `skloss._conic.linear_model`, may be a function of that scale.
    """
    X, Y, weight = weighted_rows(X, y, sample_weight)
    centered = centered and estimator.fit_intercept
    center, unit = _center_and_unit(Y, weight, centered)
    ridge = ridge(unit) if callable(ridge) else ridge
    parts = {"center": center, "unit": unit, "ridge": ridge}
    return _fit(estimator, X, Y, weight, (Y - center) / unit, unit, parts)


def log_linear(estimator, X, y, sample_weight, *, ridge):
    """Fit of log(mean), its targets in units of the null model's mean.

    `ridge`, as in `skloss._conic.linear_model`, is a function of that mean.
    """
    X, Y, weight = weighted_rows(X, y, sample_weight)
    mean = weight @ Y[:, 0] if estimator.fit_intercept else 1.0
    mean = mean if mean > 0 else 1.0
    if np.ptp(Y) <= 1e-12 * mean:  # constant targets: a null model that is not perfect
        mean *= np.e
    parts = {"center": np.log(mean), "ridge": ridge(mean)}
    return _fit(estimator, X, Y, weight, Y / mean, mean, parts)


def _fit(estimator, X, Y, weight, targets, unit, parts):
    if getattr(estimator, "positive", False):
        parts["ridge"] = None
    parts["fit_intercept"] = estimator.fit_intercept
    model = linear_model(X, weight, Y.shape[1], **parts)
    fitted, coef = numeric_scores(X, estimator), fitted_coef(estimator).T
    return Fit(model, targets, unit, weight, Y, fitted, coef)


def weighted_rows(X, y, sample_weight):
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


def squared(fit):
    """Weighted mean of half the squared error, as an expression and as a number."""
    root = np.sqrt(fit.weight / 2)[:, None]
    expression = fit.unit**2 * cp.sum_squares(cp.multiply(root, fit.errors))
    return expression, np.sum((root * fit.residuals) ** 2)


def penalised(estimator, fit, loss, value, strength, l1_ratio):
    """Problem and fitted objective; infinite if the fit breaks a constraint."""
    loss = loss + fit.model.elastic_net(strength, l1_ratio)
    value = value + elastic_net(fit.coef, strength, l1_ratio)
    constraints = []
    if getattr(estimator, "positive", False):
        constraints = [fit.model.coef >= 0]
        value = value if (fit.coef >= 0).all() else np.inf
    return cp.Problem(cp.Minimize(loss), constraints), float(value)
