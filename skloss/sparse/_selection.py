"""Choosing a strength by its errors on held-out folds."""

from numbers import Integral

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.model_selection import check_cv

from skloss._parallel import one_blas_thread
from skloss.sparse._fits import fold_grams

__all__ = [
    "alpha_grid",
    "alphas_of",
    "best_position",
    "check_strengths",
    "solve_folds",
    "splits_of",
]


def alpha_grid(alpha_max, n_alphas, eps):
    """Strengths from the largest that matters, geometrically down to `eps` of it."""
    if alpha_max <= 0.0:  # nothing is penalised, or nothing moves
        alpha_max = np.finfo(np.float64).tiny ** 0.25
    if n_alphas == 1:
        return np.array([alpha_max])
    return np.geomspace(alpha_max, alpha_max * eps, n_alphas)


def alphas_of(given, alpha_max, eps, *, zero=True):
    """Read the strengths of a path; return them falling.

    Parameters
    ----------
    given : int or array-like of shape (A,)
        Strengths, or how many of `alpha_grid`.
    alpha_max : callable
        Returns the largest strength of a grid.
    eps : float
        Smallest strength of a grid beside the largest.
    zero : bool, default=True
        Whether a strength may be 0.

    Returns
    -------
    ndarray of shape (A,)
    """
    if isinstance(given, Integral):
        return alpha_grid(alpha_max(), int(given), eps)
    return np.sort(check_strengths("alphas", given, zero=zero))[::-1].copy()


def check_strengths(name, given, *, zero=True):
    """Read a list of strengths that a user gave.

    Parameters
    ----------
    name : str
        The parameter.
    given : array-like of shape (A,)
        Finite numbers of at least 0.
    zero : bool, default=True
        Whether 0 itself is allowed.

    Returns
    -------
    ndarray of shape (A,)
    """
    try:
        numbers = [] if np.iscomplexobj(given) else given
        strengths = np.array(numbers, dtype=np.float64)
    except (TypeError, ValueError):
        strengths = np.empty(0)
    if strengths.ndim != 1 or not strengths.size:
        raise ValueError(
            f"{name} must be a list of numbers, at least one; got {given!r}."
        )
    allowed = np.isfinite(strengths) & (strengths >= 0)
    allowed &= zero | (strengths > 0)
    if not allowed.all():
        least = "of at least 0" if zero else "above 0"
        raise ValueError(
            f"{name} must be finite numbers {least}; got {strengths[~allowed][0]}."
        )
    return strengths


def splits_of(cv, sample, groups=None):
    """Folds with test rows, as positions of rows.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        As scikit-learn takes it; 5 folds by default.
    sample : Sample
        Data.
    groups : array-like of shape (n,), default=None
        Handed to the splitter.

    Returns
    -------
    list of (train, test)
        Folds whose test rows have no weight are left out.
    """
    rows = np.arange(len(sample.y))
    splits = check_cv(cv, sample.y).split(sample.X, sample.y, groups)
    try:
        splits = [(rows[train], rows[test]) for train, test in splits]
    except IndexError as error:
        raise ValueError(f"cv names rows that there are not: {error}.") from None
    except ValueError as error:
        raise ValueError(f"cv={cv!r} does not go with the data: {error}") from error
    weight = sample.weight
    splits = [(train, test) for train, test in splits if weight[test].any()]
    if not splits:
        raise ValueError("cv gives no fold with test rows of positive weight.")
    if any(np.count_nonzero(weight[train]) < 2 for train, _ in splits):
        raise ValueError("cv gives a fold with fewer than 2 training rows of weight.")
    return splits


def solve_folds(sample, splits, solve, *, center, n_jobs=None):
    """Solve paths on all rows and on the training rows of every fold.

    Parameters
    ----------
    sample : Sample
        Data.
    splits : list of (train, test)
        Folds.
    solve : callable
        ``solve(grams)`` returns, for each task of a `FoldGrams`, a list of
        `PathSolution`; it must survive pickling with more than one job.
    center : bool
        Whether an intercept is fitted.
    n_jobs : int, default=None
        Processes. In each, its folds go in step: a pass over X serves all of them.

    Returns
    -------
    path : list of PathSolution
        Of all rows.
    errors : ndarray of shape (A, n_folds)
        Mean squared errors on test rows, weighted by the sample weights.
    folds : list of lists of PathSolution
        Of each fold.
    """
    nothing = np.empty(0, dtype=np.intp)
    tasks = [(nothing, nothing)]
    for train, test in splits:
        is_left_out = np.ones(len(sample.y), dtype=bool)
        is_left_out[train] = False
        tasks.append((np.flatnonzero(is_left_out), test))
    jobs = min(effective_n_jobs(n_jobs), len(tasks))
    chunks = [tasks[i::jobs] for i in range(jobs)]
    parts = Parallel(n_jobs=jobs)(
        delayed(_solve_chunk)(sample, chunk, solve, center) for chunk in chunks
    )
    solutions = [None] * len(tasks)
    for i, part in enumerate(parts):
        solutions[i::jobs] = part
    path, *folds = solutions
    errors = np.array([[s.scored_error for s in fold] for fold in folds])
    return path, errors.T, folds


def _solve_chunk(sample, chunk, solve, center):
    left_out, scored = (list(part) for part in zip(*chunk))
    with one_blas_thread():
        return solve(fold_grams(sample, left_out, scored, center=center))


def best_position(errors, *, one_se):
    """Position of the best of falling strengths, or of a larger one as good.

    Parameters
    ----------
    errors : ndarray of shape (A, n_folds)
        Smaller is better.
    one_se : bool
        Whether to take the first within a standard error of the best.

    Returns
    -------
    int
    """
    mean = errors.mean(axis=1)
    best = int(np.nanargmin(mean))
    n_folds = errors.shape[1]
    if not one_se or n_folds == 1:
        return best
    slack = errors[best].std(ddof=1) / np.sqrt(n_folds)
    return int(np.flatnonzero(mean <= mean[best] + slack)[0])
