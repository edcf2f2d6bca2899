"""The convex problems of scikit-learn's own linear models.

Objectives are those of scikit-learn's documentation, divided by a constant where that
makes them averages.
"""

import cvxpy as cp
import numpy as np

from skloss import _conic
from skloss._conic import elastic_net, linear_scores, numeric_scores

__all__ = [
    "elastic_net_regression",
    "gamma_regression",
    "logistic_regression",
    "poisson_regression",
    "quantile_regression",
    "ridge_regression",
    "support_vector_regression",
]


def _regression(estimator, X, y, weight):
    """Model, fitted scores and targets (n, n_outputs) of the rows with weight."""
    rows = np.flatnonzero(weight > 0)
    X, weight = X[rows], weight[rows]
    Y = np.asarray(y, dtype=np.float64)[rows].reshape(len(rows), -1)
    model = linear_scores(X, weight, Y.shape[1], fit_intercept=estimator.fit_intercept)
    fitted = numeric_scores(X, estimator.coef_, estimator.intercept_)
    return model, fitted, Y, weight


def _coef(estimator):
    """Fitted coefficients (p, n_outputs) in float64."""
    return np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64)).T


def _squared(model, fitted, Y, weight):
    """Weighted half squared error, as an expression and as a number."""
    root = np.sqrt(weight / 2)[:, None]
    expression = cp.sum_squares(cp.multiply(root, model.scores - Y))
    return expression, np.sum((root * (fitted - Y)) ** 2)


def _positive(estimator, coef):
    return [coef >= 0] if getattr(estimator, "positive", False) else []


def ridge_regression(estimator, X, y, sample_weight):
    """Half the weighted sum of squares plus ``alpha / 2 * |w|**2``."""
    model, fitted, Y, weight = _regression(estimator, X, y, sample_weight)
    loss, value = _squared(model, fitted, Y, weight)
    alpha = np.broadcast_to(np.asarray(estimator.alpha, np.float64), Y.shape[1])
    root = np.sqrt(alpha / 2)[None, :]
    loss = loss + cp.sum_squares(cp.multiply(root, model.coef))
    value = value + np.sum((root * _coef(estimator)) ** 2)
    constraints = _positive(estimator, model.coef)
    return cp.Problem(cp.Minimize(loss), constraints), float(value)


def elastic_net_regression(estimator, X, y, sample_weight):
    """Half the weighted mean squared error plus the elastic net (or lasso)."""
    weight = sample_weight / sample_weight.sum()
    model, fitted, Y, weight = _regression(estimator, X, y, weight)
    loss, value = _squared(model, fitted, Y, weight)
    penalty = estimator.alpha, getattr(estimator, "l1_ratio", 1.0)
    loss = loss + elastic_net(model.coef, *penalty)
    value = value + elastic_net(_coef(estimator), *penalty)
    constraints = _positive(estimator, model.coef)
    return cp.Problem(cp.Minimize(loss), constraints), float(value)


def _glm(estimator, X, y, sample_weight, loss, value):
    """Weighted mean half deviance, up to terms in y alone, plus a ridge."""
    weight = sample_weight / sample_weight.sum()
    model, fitted, Y, weight = _regression(estimator, X, y, weight)
    expression = weight @ loss(Y[:, 0], model.scores[:, 0])
    expression = expression + elastic_net(model.coef, estimator.alpha, 0.0)
    number = weight @ value(Y[:, 0], fitted[:, 0])
    number = number + elastic_net(_coef(estimator), estimator.alpha, 0.0)
    return cp.Problem(cp.Minimize(expression)), float(number)


def poisson_regression(estimator, X, y, sample_weight):
    """Weighted mean of ``exp(f) - y f`` plus ``alpha / 2 * |w|**2``."""
    return _glm(
        estimator,
        X,
        y,
        sample_weight,
        lambda y, f: cp.exp(f) - cp.multiply(y, f),
        lambda y, f: np.exp(f) - y * f,
    )


def gamma_regression(estimator, X, y, sample_weight):
    """Weighted mean of ``y exp(-f) + f`` plus ``alpha / 2 * |w|**2``."""
    return _glm(
        estimator,
        X,
        y,
        sample_weight,
        lambda y, f: cp.multiply(y, cp.exp(-f)) + f,
        lambda y, f: y * np.exp(-f) + f,
    )


def quantile_regression(estimator, X, y, sample_weight):
    """Weighted mean pinball loss plus ``alpha * |w|_1``."""
    weight = sample_weight / sample_weight.sum()
    model, fitted, Y, weight = _regression(estimator, X, y, weight)
    q, penalty = estimator.quantile, (estimator.alpha, 1.0)
    residual = Y[:, 0] - model.scores[:, 0]
    loss = weight @ cp.maximum(q * residual, (q - 1) * residual)
    residual = Y[:, 0] - fitted[:, 0]
    value = weight @ np.maximum(q * residual, (q - 1) * residual)
    loss = loss + elastic_net(model.coef, *penalty)
    value = value + elastic_net(_coef(estimator), *penalty)
    return cp.Problem(cp.Minimize(loss)), float(value)


def support_vector_regression(estimator, X, y, sample_weight):
    """``(|w|**2 + (b / scaling)**2) / 2 + C sum(s * loss)``, divided by C and sum(s).

    liblinear penalises the intercept, as the weight of a constant column.
    """
    total = sample_weight.sum()
    model, fitted, Y, weight = _regression(estimator, X, y, sample_weight / total)
    strength = 1 / (estimator.C * total)
    excess = cp.pos(cp.abs(Y[:, 0] - model.scores[:, 0]) - estimator.epsilon)
    errors = np.maximum(np.abs(Y[:, 0] - fitted[:, 0]) - estimator.epsilon, 0)
    squared = estimator.loss == "squared_epsilon_insensitive"
    loss = weight @ (cp.square(excess) if squared else excess)
    value = weight @ (errors**2 if squared else errors)
    loss = loss + elastic_net(model.coef, strength, 0.0)
    value = value + elastic_net(_coef(estimator), strength, 0.0)
    if estimator.fit_intercept:
        scaling = estimator.intercept_scaling
        loss = loss + elastic_net(model.intercept / scaling, strength, 0.0)
        value = value + elastic_net(estimator.intercept_ / scaling, strength, 0.0)
    return cp.Problem(cp.Minimize(loss)), float(value)


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
