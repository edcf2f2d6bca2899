"""Orders of columns from L1 paths, from which searches for the best subset start."""

from typing import NamedTuple

import numpy as np

from skloss.sparse._preconditioned_design import L1Design, Target
from skloss.sparse._preconditioned_subset import by_size
from skloss.sparse._preconditioner import count_distinct_rows
from skloss.sparse.design_preconditioner import DesignPreconditioner

__all__ = ["Starts", "l1_starts"]

_RATIO = 0.8  # of a strength to the one before
_LEAST = 1e-4  # smallest strength, as a share of the largest
_REACH = 8  # columns in the last model, in units of the largest size
_REACH_WITH_PIVOTS = 4  # the same, beside pivots
_SHARE = 4  # distinct rows for each of its columns, at least
_TOL = 1e-3  # duality gap, as a share of the target's square
_PASSES = 10  # over X for a strength; starts need not be exact


class Starts(NamedTuple):
    """How the L1 paths that give starts are to be made.

    Parameters
    ----------
    most : int
        Largest size of a subset.
    center : bool
        Whether there is an intercept.
    positive : bool
        Whether coefficients must not be negative: others are left out of the orders.
    random : int, RandomState or None
        Draws the supports of the preconditioner.
    """

    most: int
    center: bool
    positive: bool
    random: object


def l1_starts(sample, splits, starts):
    """Order columns by their coefficients at some strengths of two L1 paths.

    One path runs on standardised columns; the other one, where columns nearly
    reproduce others, in the basis of a `DesignPreconditioner` with pivots unpenalised.
    Each goes on until several times the columns that are wanted have entered: those of
    the best subset tend to be among the largest coefficients of models with many, not
    among the first to enter.

    Parameters
    ----------
    sample : Sample
        Data.
    splits : list of (ndarray of intp, ndarray of intp)
        Rows to fit and to predict. The paths of all folds run in step.
    starts : Starts
        How the paths are made.

    Returns
    -------
    list of list of ndarray of intp
        Of all rows, then of each fold: columns by falling coefficient, for each
        strength that was picked.
    """
    target = Target.read(sample.y, sample.weight, starts.center)
    n_rows = count_distinct_rows(sample.X, sample.weight)
    orders = [[] for _ in range(1 + len(splits))]
    for look in (False, True):
        basis = DesignPreconditioner(center=starts.center, random_state=starts.random)
        columns = basis._find(sample.X, sample.weight, look=look)
        if look and not basis.n_rounds_:
            break
        data = (columns, sample.weight, basis._basis, basis._usable)
        design = L1Design(*data, basis.pivots_)
        paths = _paths(design, target, splits, starts.most, n_rows)
        for found, picked in zip(orders, paths):
            for fit in picked:
                u = design.preconditioned(fit.support, fit.values)
                w = basis._basis.apply(u[None])[0]
                w = np.maximum(w, 0.0) if starts.positive else w
                found.append(by_size(w, basis.scale_))
    return orders


def _paths(design, target, splits, most, n_rows):
    """Solutions of each task of which the models are of some sizes."""
    alpha_max = design.alpha_max(target)
    if not alpha_max > 0.0:
        return []
    n_free = design.pivots.size
    reach = _REACH_WITH_PIVOTS if n_free else _REACH
    last = n_free + max(most, min(reach * most, n_rows // _SHARE))
    n_levels = int(np.log(_LEAST) / np.log(_RATIO))
    rows = np.arange(target.y.size)
    solutions = design.path(
        target,
        alpha_max * _RATIO ** np.arange(1, n_levels + 1),
        [rows[:0], *(np.setdiff1d(rows, train) for train, _ in splits)],
        tol=_TOL,
        max_iter=_PASSES,
        report=lambda _, solved: solved[-1].support.size >= last,
        scored=[rows[:0]] * (1 + len(splits)),
    )
    sizes = {min(n_free + share * most, last) for share in (1, 2, 4, _REACH)}
    return [_picked(path, sizes) for path in solutions]


def _picked(path, sizes):
    """First solutions of at least some sizes, each once; the last one, if none is."""
    reached = np.array([fit.support.size for fit in path])
    at = {int(np.argmax(reached >= size)) for size in sizes if reached.max() >= size}
    return [path[i] for i in sorted(at | {len(path) - 1})]
