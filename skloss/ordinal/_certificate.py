"""Bounds on the distance from the optimum, from the dual problem.

Any derivatives u of the rows' losses that some scores have, for which the penalty's
conjugate is finite at the gradient they give, bound the minimum from below (Fenchel's
duality). The derivatives at the solution do but for the penalty: scaled down they
satisfy it too, since with every u the set of derivatives has s * u for s in [0, 1].
For the cumulative logit, for one, it is {u >= 0, v <= 0, |u + v| <= 1} for the upper
and lower score. Written as a sum of terms none of which is negative (Fenchel-Young),
the bound does not cancel.
"""

import math
from typing import NamedTuple

import numpy as np

from skloss.ordinal._limits import LARGEST_HESSIAN
from skloss.ordinal._steps import newton_step

__all__ = ["Certificate", "certify"]

_STEPS = 4
_SETTLED = 1e-13
_WEAK = 1e-6


class Certificate(NamedTuple):
    """What is proved about a solution."""

    objective: float
    dual_gap: float


def certify(problem, x, l1, *, held=None):
    """Bound the distance of an objective from its minimum.

    A constraint ``held @ abs(x) + tilt @ x <= 0`` with its multiplier in it is part of
    the dual point: the multiplier is scaled with the derivatives.

    Parameters
    ----------
    problem : OrdinalProblem
        Smooth part.
    x : ndarray of shape (size,)
        The solution, which satisfies the constraints.
    l1 : ndarray of shape (size,)
        Weights of the absolute values in the objective.
    held : ndarray of shape (size,), default=None
        Weights of the absolute values in constraints, times their multipliers.

    Returns
    -------
    Certificate
        The gap is nan where the loss is not convex.
    """
    held = np.zeros(problem.size) if held is None else held
    point = problem.at(x)
    objective = _objective(point, l1)
    gap = _gap_at(problem, point, l1, held, objective)
    # Where a penalty is small beside what rounding leaves of gradients, so is what
    # scaling leaves of the dual point. Then the minimum without that penalty, which
    # is not above, bounds better.
    ridge = _ridge(problem)
    weak = (l1 > 0) & (l1 < _WEAK) | (ridge > 0) & (ridge < _WEAK)
    if weak.any() and problem.tilt is None and problem.size <= LARGEST_HESSIAN:
        bare = problem.with_ridge(np.where(ridge < _WEAK, 0.0, ridge))
        strong = np.where(l1 < _WEAK, 0.0, l1)
        free = _gap_at(bare, bare.at(x), strong, held, objective)
        gap = free if math.isnan(gap) else min(gap, free)
    # Neither a loss nor a penalty is negative.
    return Certificate(objective, min(max(gap, 0.0), objective))


def _gap_at(problem, point, l1, held, objective):
    """Distance of an objective from the dual value near a point."""
    free = np.flatnonzero((l1 + held == 0) & (_ridge(problem) == 0))
    settled, decrement = _settle(problem, point, free)
    above = objective - _objective(settled, l1)
    return above + _gap(settled, l1, held) + decrement


def _objective(point, l1):
    """Loss and penalty, without barriers and multipliers."""
    problem, x = point.problem, point.x
    loss = problem.family.likelihood(point.scores)
    return float(loss + 0.5 * _ridge(problem) @ (x * x) + l1 @ np.abs(x))


def _ridge(problem):
    return np.zeros(problem.size) if problem.ridge is None else problem.ridge


def _settle(problem, point, free):
    """Minimise over the unpenalised coordinates, as the dual requires.

    Returns the point, and half the squared Newton decrement there: what rounding has
    left to gain.
    """
    if not len(free):
        return point, 0.0
    for _ in range(_STEPS):
        if np.abs(point.gradient[free]).max() <= _SETTLED:
            return point, 0.0
        Q, q, _ = point.model(free, 0.0)
        step = newton_step(Q, q)
        decrement = 0.5 * abs(float(q @ step))
        point.forget()
        full = np.zeros(problem.size)
        full[free] = step
        moved = problem.at(point.x + full)
        if not np.abs(moved.gradient[free]).max() < 0.5 * np.abs(q).max():
            break  # nothing but rounding is left
        point = moved
    return point, decrement


def _gap(point, l1, held):
    """Sum of Fenchel-Young terms of the rows, of the penalty and of constraints."""
    problem, x = point.problem, point.x
    ridge = _ridge(problem)
    u = ridge * x - point.gradient
    s = _scaling(u, l1, held, ridge)
    bound = l1 + s * held
    excess = np.maximum(s * np.abs(u) - bound, 0.0)
    dual = np.divide(excess**2, 2 * ridge, out=np.zeros_like(u), where=ridge > 0)
    terms = bound * np.abs(x) + 0.5 * ridge * x * x + dual - s * u * x
    free = (l1 + held == 0) & (ridge == 0)
    gap = np.maximum(terms[~free], 0.0).sum()
    tilt = 0.0 if problem.tilt is None else problem.tilt @ x
    gap -= s * (tilt + held @ np.abs(x))
    return float(gap + problem.family.gaps(point.scores, s))


def _scaling(u, l1, held, ridge):
    """Largest s in [0, 1] with ``s * abs(u) <= l1 + s * held`` where required."""
    required = (ridge == 0) & (l1 > 0)
    size = np.abs(u[required]) - held[required]
    limit = l1[required]
    ratio = np.divide(limit, size, out=np.ones_like(size), where=size > limit)
    return float(ratio.min(initial=1.0))
