"""Whether the unpenalised objective has no minimum.

Where classes can be separated, the likelihood grows for ever along some direction:
gradients vanish, so that any tolerance is met, but Newton's steps do not.
"""

import numpy as np

from skloss.ordinal._steps import newton_step

__all__ = ["is_receding", "recedes"]

_LARGE = 0.1  # change of a score by a Newton step at a converged point


def recedes(problem, x, l1):
    """Whether a Newton step at a stationary point still moves some score.

    Parameters
    ----------
    problem : OrdinalProblem
        Smooth part.
    x : ndarray of shape (size,)
        Point at which the gradient is within tolerance.
    l1 : ndarray of shape (size,)
        Weights of the absolute values; a penalised coordinate stays where it is.

    Returns
    -------
    bool
    """
    free = l1 == 0
    if problem.ridge is not None:
        free &= problem.ridge == 0
    free[: problem.m] = True
    free[problem.m :] &= np.tile(problem.used, problem.q)
    if not free[problem.m :].any():
        return False
    free = np.flatnonzero(free)
    point = problem.at(x)
    Q, q, _ = point.model(free, 0.0)
    step = np.zeros(problem.size)
    step[free] = newton_step(Q, q)
    return is_receding(problem, step)


def is_receding(problem, step):
    """Whether a step from a converged point is one towards infinity."""
    return bool(np.abs(problem.scores(step)).max() > _LARGE)
