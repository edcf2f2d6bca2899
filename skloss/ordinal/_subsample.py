"""A start from a tenth of the rows, where rows are plenty."""

import numpy as np

from skloss.ordinal._problem import OrdinalProblem

__all__ = ["subsample_start"]

_STEP = 10
_ROWS_PER_FEATURE = 200
_TOL = 1e-4
_SMALLEST_CLASS = 20  # rows of a class in the sample


def subsample_start(engine, alpha, x):
    """Solve on every tenth row, if the rest then needs but a step or two.

    Newton's method converges quadratically: what it does far from the optimum can be
    done on few rows.

    Parameters
    ----------
    engine : Engine
        Data and model.
    alpha : float
        Strength of the penalty.
    x : ndarray of shape (size,)
        Start.

    Returns
    -------
    ndarray of shape (size,)
        A better start; `x` itself if rows are few, or if the sample's solution
        misjudges them.
    """
    n = engine.rows.n_rows
    smallest = np.diff(engine.starts).min()
    if n <= _ROWS_PER_FEATURE * engine.p or smallest < _STEP * _SMALLEST_CLASS:
        return x
    rows, picked, starts = engine.rows.every(_STEP, engine.starts)
    weights = engine.weights[picked]
    # Each class keeps its share, or intercepts would be those of another sample.
    for lo, hi, share in zip(starts, starts[1:], engine.shares):
        total = weights[lo:hi].sum()
        if total == 0.0:
            return x
        weights[lo:hi] *= share / total
    family = engine.make_family(starts, weights)
    full = engine.problem(alpha)
    problem = OrdinalProblem(
        rows, family, engine.structure, engine.used, ridge=full.ridge
    )
    result = engine.solve(problem, engine.l1(alpha), x, tol=_TOL, max_iter=20)
    better = result.converged and np.isfinite(engine.objective(0.0, result.x))
    return result.x if better else x
