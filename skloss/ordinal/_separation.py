"""Whether the unpenalised objective has no minimum.

The loss of a row falls in the score of "y <= k" for its own class and rises in that for
the class below. If a direction of the unpenalised coefficients lowers no row's score
where it should not and raises none (A. Albert and J. A. Anderson, "On the existence of
maximum likelihood estimates in logistic regression models", Biometrika 71, 1984), the
likelihood grows along it for ever. Gradients vanish there, so that any tolerance is
met. Whether there is such a direction is a linear programme, asked for where a fit
looks like it: where Newton's step still moves scores, or curvature is all but gone.
"""

import numpy as np
from scipy.optimize import linprog

from skloss.ordinal._steps import VANISHED, newton_step

__all__ = ["is_receding", "may_recede", "recedes", "unpenalized"]

_LARGE = 0.1  # change of a score by a Newton step at a converged point
_SUSPECT = 0.02  # the same, that rouses suspicion: some tails are short
_FLAT = 1e-4  # smallest curvature, as a share of the largest, that rouses no suspicion
_LARGEST_PROGRAMME = 2e7  # numbers in its matrix
_GAIN = 1e-6  # mean gain of the scores that is no rounding


def recedes(problem, x, l1):
    """Whether the objective has no minimum in its unpenalised coordinates.

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
    free = unpenalized(problem, l1)
    if not free.size:
        return False
    Q, q, _ = problem.at(x).model(free, 0.0)
    step = np.zeros(problem.size)
    step[free] = newton_step(Q, q)
    return may_recede(problem, Q, step) and is_receding(problem, free, step)


def unpenalized(problem, l1=0.0):
    """Coordinates in which the objective may have no minimum.

    Parameters
    ----------
    problem : OrdinalProblem
        Smooth part.
    l1 : float or ndarray of shape (size,), default=0.0
        Weights of the absolute values.

    Returns
    -------
    ndarray of intp
        Intercepts and unpenalised coefficients; empty if there are none of these.
    """
    free = np.full(problem.size, l1) == 0
    if problem.ridge is not None:
        free &= problem.ridge == 0
    free[: problem.m] = True
    free[problem.m :] &= np.tile(problem.used, problem.q)
    if not free[problem.m :].any():
        return np.empty(0, dtype=np.intp)
    return np.flatnonzero(free)


def may_recede(problem, Q, step):
    """Whether a fit looks as if it went on to infinity.

    Parameters
    ----------
    problem : OrdinalProblem
        Smooth part.
    Q : ndarray of shape (k, k) or WideModel
        Second derivatives in the unpenalised coordinates.
    step : ndarray of shape (size,)
        Newton's next step.

    Returns
    -------
    bool
    """
    if np.abs(problem.scores(step)).max() > _SUSPECT:
        return True
    if not isinstance(Q, np.ndarray):
        return False
    diagonal = Q.diagonal()
    if diagonal.min() <= VANISHED:
        return True
    unit = 1.0 / np.sqrt(diagonal)
    values = np.linalg.eigvalsh(Q * np.outer(unit, unit))
    flattest = diagonal.min() / np.median(diagonal)
    return bool(min(values[0] / values[-1], flattest) < _FLAT)


def is_receding(problem, free, step):
    """Whether there is a direction in which no row's loss rises, and some fall.

    Parameters
    ----------
    problem : OrdinalProblem
        Smooth part.
    free : ndarray of intp
        Unpenalised coordinates.
    step : ndarray of shape (size,)
        Newton's next step, which decides where the programme would be too large.

    Returns
    -------
    bool
    """
    signs = problem.family.recession_signs()
    if signs is None or len(signs) * len(free) > _LARGEST_PROGRAMME:
        return bool(np.abs(problem.scores(step)).max() > _LARGE)
    gains = np.empty((len(signs), len(free)))
    unit = np.zeros(problem.size)
    for i, coordinate in enumerate(free):
        unit[coordinate] = 1.0
        gains[:, i] = signs * problem.scores(unit)
        unit[coordinate] = 0.0
    mean = gains.mean(axis=0)
    programme = linprog(
        -mean, A_ub=-gains, b_ub=np.zeros(len(signs)), bounds=(-1, 1), method="highs"
    )
    return bool(programme.status == 0 and -programme.fun > _GAIN)
