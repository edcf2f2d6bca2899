"""Paths and certificates as plain functions."""

import warnings
from numbers import Integral, Real
from types import SimpleNamespace

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_X_y
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skloss._parallel import one_blas_thread
from skloss.sparse._fits import fold_grams
from skloss.sparse._inputs import as_sample
from skloss.sparse._plans import PENALTY_CONSTRAINTS, plan_of
from skloss.sparse._selection import alphas_of, check_strengths

__all__ = ["duality_gap", "sparse_path"]

_DEFAULTS = {
    "l1_ratio": 0.5,
    "gamma": 3.0,
    "groups": None,
    "feature_weights": None,
    "n_nonzero_coefs": None,
    "positive": False,
}
_CONSTRAINTS = {
    **PENALTY_CONSTRAINTS,
    "alpha": [Interval(Real, 0, None, closed="left")],
    "alphas": ["array-like", None],
    "n_alphas": [Interval(Integral, 1, None, closed="left")],
    "eps": [Interval(Real, 0, 1, closed="neither")],
}


def sparse_path(
    X,
    y,
    *,
    penalty="l1",
    alphas=None,
    n_alphas=100,
    eps=1e-3,
    tol=1e-6,
    max_iter=1000,
    sample_weight=None,
    **options,
):
    """Solve penalised least squares at falling strengths, without an intercept.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Design; it is neither centred nor scaled.
    y : array-like of shape (n_samples,)
        Target.
    penalty : str, default="l1"
        Name of the penalty; see `SparseRegressor`.
    alphas : array-like of shape (n_alphas,), default=None
        Strengths; by default `n_alphas` from the smallest at which all penalised
        coefficients are zero, geometrically down to `eps` times that. With
        "sparse_envelope" they never are; the first one leaves at most a tenth of what
        a step along the `n_nonzero_coefs` largest gradients could gain.
    n_alphas : int, default=100
        How many, where `alphas` is None.
    eps : float, default=1e-3
        Smallest beside the largest, where `alphas` is None.
    tol : float, default=1e-6
        Largest duality gap, as a share of the mean square of y; see `SparseRegressor`.
    max_iter : int, default=1000
        Largest number of passes over X per strength.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; 1 for each sample by default.
    **options
        ``l1_ratio``, ``gamma``, ``groups``, ``feature_weights``, ``n_nonzero_coefs``
        and ``positive`` of `SparseRegressor`.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Strengths, falling.
    coefs : ndarray of shape (n_features, n_alphas)
        Coefficients, float64.
    dual_gaps : ndarray of shape (n_alphas,)
        Bounds on the distances of the objectives from their minima; nan for "mcp" and
        "scad".

    Raises
    ------
    ValueError
        If an argument is out of range.
    TypeError
        If an option is none of those above.

    Warns
    -----
    ConvergenceWarning
        If a fit did not reach its tolerance.
    UserWarning
        If ``groups`` or ``n_nonzero_coefs`` is given with a penalty that does not look
        at it.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse import sparse_path
    >>> X, y = load_diabetes(return_X_y=True)
    >>> alphas, coefs, gaps = sparse_path(X, y - y.mean(), n_alphas=3, eps=0.1)
    >>> (coefs != 0).sum(axis=0).tolist()
    [0, 4, 5]
    """
    _check(
        "sparse_path",
        options,
        penalty=penalty,
        alphas=alphas,
        n_alphas=n_alphas,
        eps=eps,
        tol=tol,
        max_iter=max_iter,
    )
    estimator, sample = _read(X, y, sample_weight, penalty, options)
    with one_blas_thread():
        grams = fold_grams(sample, center=False)
        plan = plan_of(estimator, sample.X.shape[1])
        alphas = alphas_of(
            n_alphas if alphas is None else alphas, lambda: plan.alpha_max(grams), eps
        )
        (path,) = plan.solve(grams, alphas, tol=tol, max_iter=max_iter)
    n_late = sum(not solution.converged for solution in path)
    if n_late:
        warnings.warn(
            f"sparse_path: {n_late} of {len(path)} fits did not reach tol={tol:g}; "
            "their dual gaps tell how far they are. Raise max_iter, or tol, or scale "
            "the columns of X alike.",
            ConvergenceWarning,
            stacklevel=2,
        )
    coefs = np.zeros((sample.X.shape[1], len(alphas)))
    for a, solution in enumerate(path):
        coefs[solution.support, a] = solution.values
    return alphas, coefs, np.array([solution.dual_gap for solution in path])


def duality_gap(
    X,
    y,
    coef,
    alpha,
    *,
    penalty="l1",
    fit_intercept=False,
    sample_weight=None,
    **options,
):
    """Bound how far the objective of given coefficients is from its minimum.

    The dual point is made of the residuals, scaled down until it is feasible. The
    coefficients may come from anywhere.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Design.
    y : array-like of shape (n_samples,)
        Target.
    coef : array-like of shape (n_features,)
        Coefficients.
    alpha : float
        Strength of the penalty, at least 0.
    penalty : str, default="l1"
        Name of a convex penalty; see `SparseRegressor`.
    fit_intercept : bool, default=False
        Whether there is an intercept, which is then taken to be the best one.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights; 1 for each sample by default.
    **options
        See `sparse_path`.

    Returns
    -------
    float
        In units of the objective, half the weighted mean square of the residuals plus
        the penalty; infinite where a constraint is violated or a feature without
        penalty is not at its minimum.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso
    >>> from skloss.sparse import duality_gap
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = Lasso(alpha=0.5, tol=1e-2).fit(X, y)
    >>> gap = duality_gap(X, y, model.coef_, 0.5, fit_intercept=True)
    >>> bool(0 < gap < 1e-3 * y.var())
    True
    """
    given = {"penalty": penalty, "alpha": alpha, "fit_intercept": fit_intercept}
    _check("duality_gap", options, **given)
    estimator, sample = _read(X, y, sample_weight, penalty, options)
    if np.asarray(coef).dtype.kind not in "biuf":
        raise ValueError(f"coef must be numbers; got {coef!r}.")
    coef = np.asarray(coef, dtype=np.float64)
    if coef.shape != (sample.X.shape[1],):
        raise ValueError(
            f"coef must be {sample.X.shape[1]} numbers, one for each feature; got "
            f"shape {coef.shape}."
        )
    if not np.isfinite(coef).all():
        raise ValueError("coef must be finite; got nan or infinite numbers.")
    (alpha,) = check_strengths("alpha", [alpha])
    with one_blas_thread():
        grams = fold_grams(sample, center=fit_intercept)
        plan = plan_of(estimator, sample.X.shape[1])
        if plan.is_concave:
            raise ValueError(
                f"penalty={penalty!r} is not convex and has no duality gap."
            )
        support = np.flatnonzero(coef)
        return float(plan.evaluate(grams, alpha, support, coef[support]).dual_gap)


def _check(caller, options, **given):
    """Refuse arguments that the estimators would refuse, by name."""
    unknown = sorted(set(options) - set(_DEFAULTS))
    if unknown:
        raise TypeError(
            f"Unknown option {unknown[0]!r}; allowed are {sorted(_DEFAULTS)}."
        )
    given |= options
    constraints = {name: _CONSTRAINTS[name] for name in given}
    validate_parameter_constraints(constraints, given, caller_name=caller)


def _read(X, y, sample_weight, penalty, options):
    """Estimator that holds the options, and the data."""
    X, y = check_X_y(X, y, accept_sparse="csc", y_numeric=True, ensure_min_samples=2)
    estimator = SimpleNamespace(penalty=penalty, **{**_DEFAULTS, **options})
    return estimator, as_sample(X, y, sample_weight)
