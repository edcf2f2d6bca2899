"""Linear models written for cvxpy, to certify fits that other code made.

Everything here is independent of the package's own losses and solvers: the conic form
is cvxpy's and the numbers are NumPy's and SciPy's. Import it from certificates only:
it needs cvxpy, which is slow to load.

Problems are written so that all variables at zero are the null model: no feature
counts, and the intercept is a good constant. Its objective is the scale on which
`skloss.certify` solves the problem and judges a gap. Variables are in units of the
data's own spread, because solvers have absolute tolerances.
"""

from typing import NamedTuple

import cvxpy as cp
import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn.utils.class_weight import compute_class_weight

__all__ = [
    "LinearModel",
    "elastic_net",
    "linear_model",
    "logistic_regression",
    "numeric_scores",
]


class LinearModel(NamedTuple):
    """A linear model with free coefficients.

    Scores are ``center + unit * scores``, coefficients in the units of the data
    ``factor * coef``, and the intercept ``unit * intercept``.
    """

    scores: cp.Expression  # (n, n_outputs)
    coef: cp.Variable  # (p, n_outputs)
    intercept: cp.Expression  # (n_outputs,)
    factor: np.ndarray  # (p, n_outputs)

    def elastic_net(self, strength, l1_ratio):
        """``strength * (l1_ratio * |w|_1 + (1 - l1_ratio) / 2 * |w|^2)``.

        Of the coefficients w in the units of the data; `strength` may differ between
        outputs, (n_outputs,).
        """
        absolute = strength * l1_ratio * self.factor
        square = strength * (1 - l1_ratio) / 2 * self.factor**2
        result = 0.0
        if absolute.any():
            result = result + cp.sum(cp.multiply(absolute, cp.abs(self.coef)))
        if square.any():
            result = result + cp.sum(cp.multiply(square, cp.square(self.coef)))
        return result


def linear_model(X, weight, n_outputs, *, fit_intercept, center=0.0, unit=1.0):
    """Make a linear model in columns and targets scaled as conic solvers like them.

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
    center : float or ndarray of shape (n_outputs,), default=0.0
        Scores of the null model; 0 without an intercept.
    unit : float, default=1.0
        Unit of the scores.

    Returns
    -------
    LinearModel
    """
    n, p = X.shape
    X = X.astype(np.float64)
    mean = np.zeros(p)
    if sparse.issparse(X):
        scale = np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel())
    else:
        if fit_intercept:
            mean = np.average(X, axis=0, weights=weight)
        X = X - mean
        scale = np.sqrt(np.mean(X**2, axis=0))
    scale[scale <= 1e-12 * np.abs(mean)] = 1.0  # constant columns
    coef = cp.Variable((p, n_outputs))
    scores = (X @ sparse.diags_array(1 / scale)) @ coef
    intercept = cp.Constant(np.zeros(n_outputs))
    if fit_intercept:
        shift = cp.Variable((1, n_outputs))
        scores = scores + np.ones((n, 1)) @ shift
        level = np.broadcast_to(np.asarray(center) / unit, n_outputs)
        intercept = cp.vec(shift, order="C") + level - coef.T @ (mean / scale)
    factor = np.tile(unit / scale[:, None], n_outputs)
    return LinearModel(scores, coef, intercept, factor)


def elastic_net(coef, strength, l1_ratio):
    """`LinearModel.elastic_net` of numbers `coef` (p, n_outputs)."""
    absolute, square = np.abs(coef), np.square(coef)
    return np.sum(strength * (l1_ratio * absolute + (1 - l1_ratio) / 2 * square))


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
    n_scores, fit_intercept = fitted.shape[1], estimator.fit_intercept
    center = _log_odds(labels, weight, n_scores) if fit_intercept else 0.0
    model = linear_model(
        X, weight, n_scores, fit_intercept=fit_intercept, center=center
    )
    scores = model.scores + np.broadcast_to(center, fitted.shape)
    if n_scores == 1:
        sign = 2.0 * labels - 1.0
        loss = weight @ cp.logistic(-cp.multiply(sign, scores[:, 0]))
        value = weight @ np.logaddexp(0.0, -sign * fitted[:, 0])
    else:
        own = cp.multiply(weight[:, None] * np.eye(n_scores)[labels], scores)
        loss = weight @ cp.log_sum_exp(scores, axis=1) - cp.sum(own)
        own = fitted[np.arange(len(labels)), labels]
        value = weight @ (logsumexp(fitted, axis=1) - own)
    coef = np.atleast_2d(np.asarray(estimator.coef_, dtype=np.float64)).T
    loss = loss + model.elastic_net(strength, l1_ratio)
    value = value + elastic_net(coef, strength, l1_ratio)
    return cp.Problem(cp.Minimize(loss)), float(value)


def _log_odds(labels, weight, n_scores):
    """Scores of the best constant; zeros if a class has no weight."""
    share = np.bincount(labels, weights=weight, minlength=max(2, n_scores))
    if not share.all():
        return np.zeros(n_scores)
    scores = np.log(share)
    return scores[1:] - scores[0] if n_scores == 1 else scores - scores.mean()
