"""The convex problems of scikit-learn's own linear regressors.

Objectives are those of scikit-learn's documentation, divided by a constant where that
makes them averages, and with the terms in y alone that make losses 0 at a perfect fit.
Cross-validated models are judged as the fit to all data that they end with, at the
strength that they chose.
"""

import cvxpy as cp
import numpy as np
from scipy.special import xlogy

from skloss.certification._fit import (
    log_linear,
    penalised,
    regression,
    squared,
    weighted_rows,
)

__all__ = [
    "elastic_net_regression",
    "gamma_regression",
    "huber_regression",
    "least_squares",
    "poisson_regression",
    "quantile_regression",
    "ridge_regression",
    "support_vector_regression",
    "tweedie_regression",
]


def least_squares(estimator, X, y, sample_weight):
    """Half the weighted mean squared error."""
    fit = regression(estimator, X, y, sample_weight, ridge=0.0)
    return penalised(estimator, fit, *squared(fit), 0.0, 0.0)


def ridge_regression(estimator, X, y, sample_weight):
    """Half the weighted sum of squares plus ``alpha / 2 * |w|**2``."""
    alpha = getattr(estimator, "alpha_", getattr(estimator, "alpha", None))
    alpha, total = np.asarray(alpha, np.float64), sample_weight.sum()
    ridge = alpha.mean() / total
    fit = regression(estimator, X, y, sample_weight, ridge=ridge)
    loss, value = squared(fit)
    return penalised(estimator, fit, total * loss, total * value, alpha, 0.0)


def elastic_net_regression(estimator, X, y, sample_weight):
    """Half the weighted mean squared error plus the elastic net (or lasso)."""
    alpha = getattr(estimator, "alpha_", getattr(estimator, "alpha", None))
    l1_ratio = getattr(estimator, "l1_ratio_", getattr(estimator, "l1_ratio", 1.0))
    ridge = alpha if l1_ratio == 0 else None
    fit = regression(estimator, X, y, sample_weight, ridge=ridge)
    return penalised(estimator, fit, *squared(fit), alpha, l1_ratio)


def huber_regression(estimator, X, y, sample_weight):
    """``mean(s + H(r / s) s) + alpha / sum(weight) |w|**2``, least in the scale s, too.

    ``H(r / s) s``, with H quadratic up to epsilon, is the least of ``a**2 / s +
    2 epsilon |r - a|`` in a: jointly convex in r and s.
    """
    epsilon = estimator.epsilon
    strength = 2 * estimator.alpha / sample_weight.sum()

    def ridge(unit):  # the curvature is 2 / s
        return strength * unit / 2

    fit = regression(estimator, X, y, sample_weight, ridge=ridge)
    scale = cp.Variable() + 1  # in units of the targets' spread
    linear = cp.Variable(len(fit.weight))
    quadratic = cp.multiply(np.sqrt(fit.weight), fit.errors[:, 0] - linear)
    loss = scale + cp.quad_over_lin(quadratic, scale)
    loss = loss + 2 * epsilon * (fit.weight @ cp.abs(linear))
    s, size = float(estimator.scale_), np.abs(fit.residuals[:, 0])
    if s > 0:
        outside = 2 * epsilon * size - epsilon**2 * s
        terms = np.where(size <= epsilon * s, size**2 / s, outside)
        value = s + fit.weight @ terms
    else:
        value = np.inf
    return penalised(estimator, fit, fit.unit * loss, value, strength, 0.0)


def poisson_regression(estimator, X, y, sample_weight):
    """Weighted mean of half the Poisson deviance plus ``alpha / 2 * |w|**2``.

    ``exp(f) - y f + y log(y) - y`` is half the deviance.
    """
    if np.min(y) < 0:
        raise ValueError(f"y must be at least 0 for {estimator!r}; got {np.min(y)}.")
    alpha = estimator.alpha
    fit = log_linear(estimator, X, y, sample_weight, ridge=lambda mean: alpha / mean)
    t, scores = fit.targets[:, 0], fit.model.scores[:, 0]
    constant = fit.weight @ (xlogy(t, t) - t)
    loss = fit.weight @ (cp.exp(scores) - cp.multiply(t, scores)) + constant
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        y, f = fit.Y[:, 0], fit.fitted[:, 0]
        excess = f - np.log(y)
        terms = np.where(y > 0, y * (np.expm1(excess) - excess), np.exp(f))
    loss, value = fit.unit * loss, fit.weight @ terms
    return penalised(estimator, fit, loss, value, alpha, 0.0)


def gamma_regression(estimator, X, y, sample_weight):
    """Weighted mean of half the gamma deviance plus ``alpha / 2 * |w|**2``.

    ``y exp(-f) + f - log(y) - 1`` is half the deviance.
    """
    if np.min(y) <= 0:
        raise ValueError(f"y must be above 0 for {estimator!r}; got {np.min(y)}.")
    alpha = estimator.alpha
    fit = log_linear(estimator, X, y, sample_weight, ridge=lambda mean: alpha)
    t, scores = fit.targets[:, 0], fit.model.scores[:, 0]
    constant = fit.weight @ (np.log(t) + 1)
    loss = fit.weight @ (cp.multiply(t, cp.exp(-scores)) + scores) - constant
    excess = fit.fitted[:, 0] - np.log(fit.Y[:, 0])
    with np.errstate(over="ignore"):
        value = fit.weight @ (np.expm1(-excess) + excess)
    return penalised(estimator, fit, loss, value, alpha, 0.0)


def tweedie_regression(estimator, X, y, sample_weight):
    """Weighted mean of half the deviance of power 0, 1 or 2, plus the ridge penalty.

    Of the identity link for power 0, of the log link for the others.
    """
    power, link = estimator.power, estimator.link
    link = ("identity" if power <= 0 else "log") if link == "auto" else link
    if (power, link) == (0, "identity"):
        alpha = estimator.alpha
        fit = regression(estimator, X, y, sample_weight, ridge=alpha)
        return penalised(estimator, fit, *squared(fit), alpha, 0.0)
    if (power, link) == (1, "log"):
        return poisson_regression(estimator, X, y, sample_weight)
    if (power, link) == (2, "log"):
        return gamma_regression(estimator, X, y, sample_weight)
    raise TypeError(
        f"certify knows TweedieRegressor with power 0 and the identity link, and with "
        f"powers 1 and 2 and the log link; got power={power} and the {link} link."
    )


def quantile_regression(estimator, X, y, sample_weight):
    """Weighted mean pinball loss plus ``alpha * |w|_1``."""
    fit, q = regression(estimator, X, y, sample_weight), estimator.quantile
    errors, residuals = fit.errors[:, 0], fit.residuals[:, 0]
    loss = fit.unit * (fit.weight @ cp.maximum((1 - q) * errors, -q * errors))
    value = fit.weight @ np.maximum((1 - q) * residuals, -q * residuals)
    return penalised(estimator, fit, loss, value, estimator.alpha, 1.0)


def support_vector_regression(estimator, X, y, sample_weight):
    """``(|w|**2 + (b / scaling)**2) / 2 + C sum(s * loss)``, divided by C and sum(s).

    liblinear penalises the intercept, as the weight of a constant column.
    """
    degree = 2 if estimator.loss == "squared_epsilon_insensitive" else 1
    strength = 1 / (estimator.C * sample_weight.sum())
    penalty = strength / 2 / estimator.intercept_scaling**2
    _, Y, weight = weighted_rows(X, y, sample_weight)

    def objective_of_constant(b):
        errors = np.maximum(np.abs(Y[:, 0] - b) - estimator.epsilon, 0)
        return weight @ errors**degree + penalty * b**2

    def ridge(unit):  # the slope changes by about as much over one unit
        return strength / 2 * unit ** (2 - degree)

    # The mean is no good constant where the penalty on it is strong.
    mean = weight @ Y[:, 0]
    centered = objective_of_constant(mean) < objective_of_constant(0.0)
    fit = regression(estimator, X, y, sample_weight, centered=centered, ridge=ridge)
    excess = cp.pos(cp.abs(fit.errors[:, 0]) - estimator.epsilon / fit.unit)
    errors = np.maximum(np.abs(fit.residuals[:, 0]) - estimator.epsilon, 0)
    loss = fit.weight @ (cp.square(excess) if degree == 2 else excess)
    loss, value = fit.unit**degree * loss, fit.weight @ errors**degree
    if estimator.fit_intercept:
        loss = loss + penalty * fit.unit**2 * cp.sum_squares(fit.model.intercept)
        value = value + penalty * np.sum(np.square(estimator.intercept_))
    return penalised(estimator, fit, loss, value, strength, 0.0)
