"""Choosing a strength by its errors on held-out folds."""

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from sklearn.model_selection import check_cv

from skloss._parallel import one_blas_thread
from skloss.sparse._fits import fold_grams

__all__ = [
    "alpha_grid",
    "best_position",
    "check_alphas",
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


def check_alphas(alphas):
    """Read strengths that a user gave; return them falling.

    Parameters
    ----------
    alphas : array-like of shape (A,)
        Numbers of at least 0.

    Returns
    -------
    ndarray of shape (A,)
    """
    given = np.asarray(alphas, dtype=np.float64)
    if given.ndim != 1 or not given.size or not np.isfinite(given).all():
        raise ValueError(
            "alphas must be a number of strengths, or a list of finite ones; got "
            f"{alphas!r}."
        )
    if given.min() < 0:
        raise ValueError(f"alphas must not be negative; got {given.min()}.")
    return np.sort(given)[::-1].copy()


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
    rows = np.arange(len(sample.y))
    tasks = [(rows[:0], rows[:0])]
    tasks += [(np.setdiff1d(rows, train), test) for train, test in splits]
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
