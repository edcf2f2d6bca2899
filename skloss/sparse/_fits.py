"""Between the estimators and the path solvers."""

import math
import warnings
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skloss.solvers._fold_grams import FoldGrams

__all__ = [
    "Progressed",
    "dense_of",
    "fold_grams",
    "keep_certificate",
    "keep_solution",
    "progress_report",
    "warn_unless_certified",
]

_FAINT = 1e-14  # strengths beside the largest that matters
_ALL_ROWS = np.empty(0, dtype=np.intp)  # what a fit to all rows leaves out


class Progressed(NamedTuple):
    """One fit of a path, as callbacks see it."""

    n_iter: int  # fits so far
    alpha: float
    objective: float
    dual_gap: float
    kkt_violation: float
    n_active: int
    converged: bool


def fold_grams(sample, left_out=(_ALL_ROWS,), scored=None, *, center):
    """Least squares on a sample, on all rows or on those of each fold.

    Parameters
    ----------
    sample : Sample
        Data.
    left_out : sequence of ndarray of intp, default=(no rows,)
        Rows that each task leaves out.
    scored : sequence of ndarray of intp, default=None
        Test rows of each task; those left out by default.
    center : bool
        Whether to fit an intercept.

    Returns
    -------
    FoldGrams
    """
    X, y, weight = sample.X, sample.y, sample.weight
    return FoldGrams(X, y, weight, list(left_out), center=center, scored=scored)


def dense_of(solution, n_features):
    """Coefficients (n_features,) of a `PathSolution`."""
    coef = np.zeros(n_features)
    coef[solution.support] = solution.values
    return coef


def keep_solution(estimator, grams, task, solution, dtype):
    """Set `coef_` and `intercept_` of an estimator.

    Parameters
    ----------
    estimator : SparseLinear
        The estimator.
    grams : FoldGrams
        What was fitted.
    task : int
        Which of its tasks.
    solution : PathSolution
        The solution.
    dtype : numpy dtype
        Of the coefficients.
    """
    coef = dense_of(solution, grams.size)
    at_center = grams.target_means[task] - grams.shifts[task] @ coef
    estimator._keep_scores(coef, at_center, grams.columns.center, dtype)


def keep_certificate(estimator, solution):
    """Set the proofs of a solution's quality."""
    estimator.objective_ = float(solution.objective)
    estimator.dual_gap_ = float(solution.dual_gap)
    estimator.kkt_violation_ = float(solution.kkt_violation)


def progress_report(progress, alphas, task=0):
    """Return the path solvers' callback that reports the fits of a task.

    Parameters
    ----------
    progress : Progress
        Told of every fit.
    alphas : ndarray of shape (A,)
        Strengths.
    task : int, default=0
        The task; others are not reported.
    """

    def report(number, solutions):
        if number != task:
            return False
        done, last = len(solutions), solutions[-1]
        return progress(
            Progressed(
                n_iter=done,
                alpha=float(alphas[done - 1]),
                objective=float(last.objective),
                dual_gap=float(last.dual_gap),
                kkt_violation=float(last.kkt_violation),
                n_active=len(last.support),
                converged=done == len(alphas),
            )
        )

    return report


def warn_unless_certified(estimator, solution, grams, plan, alpha):
    """Warn of a fit that did not reach its tolerance.

    Parameters
    ----------
    estimator : estimator
        The estimator, with `tol` and `max_iter`.
    solution : PathSolution
        The worst fit.
    grams : FoldGrams
        What was fitted; its first task.
    plan : Plan
        The penalty.
    alpha : float
        Its strength.
    """
    if solution.converged:
        return
    square = grams.square[0]
    if math.isnan(solution.dual_gap):
        reached = f"a violation of stationarity of {solution.kkt_violation:.2g}"
    else:
        share = solution.dual_gap / square if square > 0 else math.inf
        reached = f"a duality gap of {share:.2g} of the mean square of y"
    advice = "Raise max_iter, or tol, or scale the columns of X alike."
    largest = plan.alpha_max(grams)
    if alpha < _FAINT * largest:
        advice = (
            f"Raise alpha: {alpha:.2g} is lost in rounding beside {largest:.2g}, the "
            f"largest that matters. Or {advice[0].lower()}{advice[1:]}"
        )
    warnings.warn(
        f"{type(estimator).__name__} stopped after {solution.n_iter} passes over X "
        f"with {reached}; tol is {estimator.tol:g}. {advice}",
        ConvergenceWarning,
        stacklevel=3,
    )
