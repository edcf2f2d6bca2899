"""Linear models written for cvxpy, to certify fits that other code made.

Everything here is independent of the package's own losses and solvers: the conic form
is cvxpy's and the numbers are NumPy's and SciPy's. Import it from certificates only:
it needs cvxpy, which is slow to load.
"""

from typing import NamedTuple

import cvxpy as cp
import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn.utils.class_weight import compute_class_weight

__all__ = [
    "Scores",
    "elastic_net",
    "linear_scores",
    "logistic_regression",
    "numeric_scores",
]


class Scores(NamedTuple):
    """Scores of a linear model and what they are made of, as cvxpy expressions."""

    scores: cp.Expression  # (n, n_outputs)
    coef: cp.Expression  # (p, n_outputs), in the units of X
    intercept: cp.Expression  # (n_outputs,), in the units of X


def linear_scores(X, weight, n_outputs, *, fit_intercept):
    """Scores with free coefficients, in columns scaled so that conic solvers like them.

    The change of variables is exact: `coef` and `intercept` are those of X itself.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n, p)
        Rows.
    weight : ndarray of shape (n,)
        Row weights, for the means that dense columns are centred by.
    n_outputs : int
        Number of scores per row.
    fit_intercept : bool
        Whether there is an intercept.

    Returns
    -------
    Scores
    """
    n, p = X.shape
    X = X.astype(np.float64)
    center = np.zeros(p)
    if sparse.issparse(X):
        scale = np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel())
    else:
        if fit_intercept:
            center = np.average(X, axis=0, weights=weight)
        X = X - center
        scale = np.sqrt(np.mean(X**2, axis=0))
    scale[scale <= 1e-12 * np.abs(center)] = 1.0  # constant columns
    unscale = sparse.diags_array(1 / scale)
    variable = cp.Variable((p, n_outputs))
    coef = unscale @ variable
    scores, intercept = (X @ unscale) @ variable, cp.Constant(np.zeros(n_outputs))
    if fit_intercept:
        shifted = cp.Variable((1, n_outputs))
        scores = scores + np.ones((n, 1)) @ shifted
        intercept = cp.vec(shifted, order="C") - coef.T @ center
    return Scores(scores, coef, intercept)


def elastic_net(coef, strength, l1_ratio):
    """``strength * (l1_ratio * |coef|_1 + (1 - l1_ratio) / 2 * |coef|^2)``.

    `coef` is a cvxpy expression or an array; the result is of the same kind.
    """
    if isinstance(coef, cp.Expression):
        absolute, square = cp.sum(cp.abs(coef)), cp.sum_squares(coef)
    else:
        absolute, square = np.abs(coef).sum(), np.sum(np.square(coef))
    result = 0.0
    if strength * l1_ratio > 0:
        result = result + strength * l1_ratio * absolute
    if strength * (1 - l1_ratio) > 0:
        result = result + strength * (1 - l1_ratio) / 2 * square
    return result


def numeric_scores(X, coef, intercept):
    """Scores (n, n_outputs) of fitted attributes, in float64."""
    coef = np.atleast_2d(np.asarray(coef, dtype=np.float64))
    return np.asarray(X @ coef.T) + np.asarray(intercept, dtype=np.float64)


def logistic_regression(estimator, X, y, sample_weight, *, C, l1_ratio):
    """Multinomial or, for two classes, binomial logistic regression.

    The weighted mean of the negative log-likelihood plus the elastic net of strength
    ``1 / (C * sum(s))``, where s is the sample weight times the class weight.

    Parameters
    ----------
    estimator : estimator
        Fitted, with `classes_`, `coef_`, `intercept_`, `class_weight` and
        `fit_intercept` as in scikit-learn's ``LogisticRegression``.
    X : ndarray or sparse array of shape (n, p)
        Rows.
    y : array-like of shape (n,)
        Labels.
    sample_weight : ndarray of shape (n,)
        Row weights.
    C : float
        Inverse strength of the penalty; may be inf.
    l1_ratio : float
        Share of the L1 norm.

    Returns
    -------
    problem : cvxpy.Problem
        The problem.
    objective : float
        Its objective at the fitted attributes.
    """
    rows = np.flatnonzero(sample_weight > 0)
    X, y, weight = X[rows], np.asarray(y)[rows], sample_weight[rows]
    factor = compute_class_weight(
        estimator.class_weight, classes=estimator.classes_, y=y, sample_weight=weight
    )
    labels = np.searchsorted(estimator.classes_, y)
    weight = weight * factor[labels]
    strength = 0.0 if np.isinf(C) else 1 / (C * weight.sum())
    weight /= weight.sum()
    fitted = numeric_scores(X, estimator.coef_, estimator.intercept_)
    n_scores = fitted.shape[1]
    model = linear_scores(X, weight, n_scores, fit_intercept=estimator.fit_intercept)
    if n_scores == 1:
        sign = 2.0 * labels - 1.0
        loss = weight @ cp.logistic(-cp.multiply(sign, model.scores[:, 0]))
        value = weight @ np.logaddexp(0.0, -sign * fitted[:, 0])
    else:
        own = cp.multiply(weight[:, None] * np.eye(n_scores)[labels], model.scores)
        loss = weight @ cp.log_sum_exp(model.scores, axis=1) - cp.sum(own)
        own = fitted[np.arange(len(labels)), labels]
        value = weight @ (logsumexp(fitted, axis=1) - own)
    coef = np.asarray(estimator.coef_, dtype=np.float64)
    loss = loss + elastic_net(model.coef, strength, l1_ratio)
    value = value + elastic_net(coef, strength, l1_ratio)
    return cp.Problem(cp.Minimize(loss)), float(value)
