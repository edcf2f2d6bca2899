"""Least squares on the features that a penalty has chosen."""

import math

import numpy as np

__all__ = ["relaxed"]

_AT_ONCE = 1 << 20  # residuals held at a time
_RANK = 1e-12  # of squared lengths: what is below is rounding


def relaxed(grams, task, solutions):
    """Replace the coefficients of solutions by least squares on their support.

    Parameters
    ----------
    grams : FoldGrams
        What was solved.
    task : int
        Which of its tasks.
    solutions : list of PathSolution
        Its solutions.

    Returns
    -------
    list of PathSolution
        With the errors of the new coefficients; certificates are those of the old.
    """
    step = max(1, _AT_ONCE // max(1, grams.n_rows))
    out = []
    for start in range(0, len(solutions), step):
        part = solutions[start : start + step]
        values = [_refit(grams, task, solution.support) for solution in part]
        tasks = [task] * len(part)
        residuals = grams.residuals(tasks, [s.support for s in part], values)
        errors = grams.scored_errors(tasks, residuals)
        for solution, w, error in zip(part, values, errors):
            out.append(solution._replace(values=w, scored_error=float(error)))
    return out


def _refit(grams, task, support):
    if not support.size:
        return np.empty(0)
    gram = grams.grams[task]
    places = gram.place[support]
    G = gram.matrix[np.ix_(places, places)]
    unit = np.where(G.diagonal() > 0, G.diagonal(), math.inf) ** -0.5
    scaled = G * np.outer(unit, unit)
    target = unit * grams.linear[task, support]
    return unit * np.linalg.lstsq(scaled, target, rcond=_RANK)[0]
