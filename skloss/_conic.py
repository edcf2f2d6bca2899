"""Linear models written for cvxpy, to certify fits that other code made.

Everything here is independent of the package's own losses and solvers: the conic form
is cvxpy's and the numbers are NumPy's and SciPy's. Import it from certificates only:
it needs cvxpy, which is slow to load.

Problems are written so that all variables at zero are the null model: no feature
counts, and the intercept is a good constant. Its objective is the scale on which
`skloss.certify` solves the problem and judges a gap. Variables are in units of the
data's own spread, because solvers have absolute tolerances, and where only a squared
norm penalises the coefficients, along directions in which loss and penalty together
curve alike: columns of very different scale, or far from zero without an intercept that
would centre them, would leave an interior-point solver short of the optimum.
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
    "fitted_coef",
    "labelled_rows",
    "linear_model",
    "logistic_regression",
    "numeric_scores",
]

# Sparse rows with no more entries than this, zeros included, are treated as dense ones.
_SMALL = 1_000_000


class LinearModel(NamedTuple):
    """A linear model with free coefficients.

    Scores are ``center + unit * scores``, coefficients in the units of the data
    ``factor * coef``, and the intercept ``unit * intercept``.
    """

    scores: cp.Expression  # (n, n_outputs)
    coef: cp.Expression  # (p, n_outputs)
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
            top = square.max()  # kept out of what the solver sees to a tolerance
            roots = cp.multiply(np.sqrt(square / top), self.coef)
            result = result + top * cp.sum_squares(roots)
        return result


def linear_model(
    X, weight, n_outputs, *, fit_intercept, center=0.0, unit=1.0, ridge=None
):
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
    ridge : float, default=None
        Strength of a squared penalty that comes beside the mean of a loss whose
        curvature is about 1, if nothing else is asked of the coefficients. The model
        is the same whatever it is; the variables are chosen by it.

    Returns
    -------
    LinearModel
    """
    n, p = X.shape
    X = X.astype(np.float64)
    if sparse.issparse(X) and n * p <= _SMALL:
        X = X.toarray()
    mean = np.zeros(p)
    if sparse.issparse(X):
        scale = np.sqrt(np.asarray(X.multiply(X).mean(axis=0)).ravel())
    else:
        if fit_intercept:
            mean = np.average(X, axis=0, weights=weight)
        X = X - mean
        scale = np.sqrt(np.mean(X**2, axis=0))
    scale[scale <= 1e-12 * np.abs(mean)] = 1.0  # constant columns
    X = X @ sparse.diags_array(1 / scale)
    if ridge is None or sparse.issparse(X) or p > n or not X.any():
        coef = cp.Variable((p, n_outputs))
        scores = X @ coef
    else:
        X, directions = _directions(X, np.sqrt(ridge) / scale)
        free = cp.Variable((X.shape[1], n_outputs))
        scores, coef = X @ free, directions @ free
    intercept = cp.Constant(np.zeros(n_outputs))
    if fit_intercept:
        shift = cp.Variable((1, n_outputs))
        scores = scores + np.ones((n, 1)) @ shift
        level = np.broadcast_to(np.asarray(center) / unit, n_outputs)
        intercept = cp.vec(shift, order="C") + level - coef.T @ (mean / scale)
    factor = np.tile(unit / scale[:, None], n_outputs)
    return LinearModel(scores, coef, intercept, factor)


def _directions(X, penalty):
    """Directions d_k in which ``|X d|^2 / n + |penalty * d|^2`` is 1, orthogonal in it.

    Returns
    -------
    scores : ndarray of shape (n, rank)
        ``X @ directions``.
    directions : ndarray of shape (p, rank)
        Without those that change neither scores nor penalty by more than rounding.
    """
    n = len(X)
    stacked = np.vstack([X / np.sqrt(n), np.diag(penalty)])
    norm = np.linalg.norm(stacked, axis=0)
    norm[norm == 0] = 1.0
    left, size, right = np.linalg.svd(stacked / norm, full_matrices=False)
    keep = size > np.finfo(np.float64).eps * len(stacked) * size[0]
    directions = (right[keep] / size[keep, None] / norm).T
    return np.sqrt(n) * left[:n, keep], directions


def elastic_net(coef, strength, l1_ratio):
    """`LinearModel.elastic_net` of numbers `coef` (p, n_outputs)."""
    absolute, square = np.abs(coef), np.square(coef)
    return np.sum(strength * (l1_ratio * absolute + (1 - l1_ratio) / 2 * square))


def fitted_coef(estimator):
    """Fitted coefficients (n_outputs, p) in float64, also if they are kept sparse."""
    coef = estimator.coef_
    coef = coef.toarray() if sparse.issparse(coef) else coef
    return np.atleast_2d(np.asarray(coef, dtype=np.float64))


def numeric_scores(X, estimator):
    """Scores (n, n_outputs) of the fitted attributes, in float64."""
    intercept = np.asarray(estimator.intercept_, dtype=np.float64)
    return np.asarray(X @ fitted_coef(estimator).T) + intercept


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
    X, labels, weight = labelled_rows(estimator, X, y, sample_weight)
    strength = 0.0 if np.isinf(C) else 1 / (C * weight.sum())
    weight /= weight.sum()
    fitted = numeric_scores(X, estimator)
    n_scores, fit_intercept = fitted.shape[1], estimator.fit_intercept
    center = _log_odds(labels, weight, n_scores) if fit_intercept else 0.0
    model = linear_model(
        X,
        weight,
        n_scores,
        fit_intercept=fit_intercept,
        center=center,
        ridge=strength if l1_ratio == 0 else None,
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
    coef = fitted_coef(estimator).T
    loss = loss + model.elastic_net(strength, l1_ratio)
    value = value + elastic_net(coef, strength, l1_ratio)
    return cp.Problem(cp.Minimize(loss)), float(value)


def labelled_rows(estimator, X, y, sample_weight):
    """Rows with weight, their class numbers, and weights times class weights."""
    rows = np.flatnonzero(sample_weight > 0)
    X, y, weight = X[rows], np.asarray(y)[rows], sample_weight[rows]
    factor = compute_class_weight(
        estimator.class_weight, classes=estimator.classes_, y=y, sample_weight=weight
    )
    labels = np.searchsorted(estimator.classes_, y)
    return X, labels, weight * factor[labels]


def _log_odds(labels, weight, n_scores):
    """Scores of the best constant; zeros if a class has no weight."""
    share = np.bincount(labels, weights=weight, minlength=max(2, n_scores))
    if not share.all():
        return np.zeros(n_scores)
    scores = np.log(share)
    return scores[1:] - scores[0] if n_scores == 1 else scores - scores.mean()
