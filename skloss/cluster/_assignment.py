"""Which medoids each point is nearest to, kept up to date while medoids are swapped.

Notation of the family: point o, candidate j, slot i (the place of a medoid). For each
point, a is the dissimilarity to its nearest medoid and s that to its second nearest.
The matrix of dissimilarities to the medoids is kept, one column per slot, so that no
swap reads the dissimilarities of any other candidate again.
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel
from skloss._simd import LANES, equal_bits, less_bits, trailing_zeros
from skloss._validation import as_kernel_array

__all__ = [
    "Assignment",
    "assign",
    "assign_points",
    "average_silhouette",
    "removal_losses",
    "replace_medoid",
    "total_deviation",
]


_ONE = np.uint64(1)


class Assignment(NamedTuple):
    """Points and their two nearest medoids.

    Parameters
    ----------
    medoids : ndarray of shape (k,), intp
        Candidate in each slot.
    to_medoids : ndarray of shape (k, n_points)
        Dissimilarities of the points to the medoids, one row per slot.
    nearest, second : ndarray of shape (n_points,), intp
        Slots of the nearest and second nearest medoid; -1 for none.
    to_nearest, to_second : ndarray of shape (n_points,)
        Dissimilarities to them; infinite for none.
    own : ndarray of shape (n_points,), intp
        The candidate that each point is itself, -1 for none.
    weights : ndarray of shape (n_points,), float64
        Sample weights.
    fixed : ndarray of shape (k,), bool
        Slots whose medoids may not be swapped.
    """

    medoids: np.ndarray
    to_medoids: np.ndarray
    nearest: np.ndarray
    second: np.ndarray
    to_nearest: np.ndarray
    to_second: np.ndarray
    own: np.ndarray
    weights: np.ndarray
    fixed: np.ndarray


@kernel(forceinline=True)
def _belong(state, o, d, slot):
    """Assign a medoid to itself unless another is nearer; whether it is assigned.

    No other is, except for negative dissimilarities and those of an object to itself
    that are not 0. A duplicate of it in a lower slot is just as near.
    """
    if state.nearest[o] == slot:
        if d > state.to_second[o]:
            return False
    elif d > state.to_nearest[o]:
        return False
    else:
        state.second[o], state.to_second[o] = state.nearest[o], state.to_nearest[o]
        state.nearest[o] = slot
    state.to_nearest[o] = d
    return True


@kernel
def _claim(state, candidate, row, slot):
    """Assign a medoid to itself where its dissimilarities did not show it."""
    if candidate < row.size and state.own[candidate] == candidate:
        _belong(state, candidate, row[candidate], slot)
        return
    for o in range(row.size):
        if state.own[o] == candidate:
            _belong(state, o, row[o], slot)


@kernel(forceinline=True)
def _offer(state, o, d, slot):
    """Let a medoid that is nearer than the second nearest so far take its place."""
    # Without branches: whether it is the nearest is a coin's toss.
    a, nearest = state.to_nearest[o], state.nearest[o]
    first = d < a
    state.second[o], state.to_second[o] = nearest if first else slot, max(a, d)
    state.nearest[o], state.to_nearest[o] = slot if first else nearest, min(a, d)


@kernel
def _assign(state):
    """Assign all points; slots are the outer loop, so that rows are read in order."""
    n_points = state.nearest.size
    whole = n_points - n_points % LANES
    state.nearest[:], state.to_nearest[:] = -1, np.inf
    state.second[:], state.to_second[:] = -1, np.inf
    for i in range(state.medoids.size):
        row = state.to_medoids[i]
        for start in range(0, whole, LANES):
            bits = less_bits(row, state.to_second, start)
            while bits:
                o = start + trailing_zeros(bits)
                bits &= bits - _ONE
                _offer(state, o, row[o], i)
        for o in range(whole, n_points):
            if row[o] < state.to_second[o]:
                _offer(state, o, row[o], i)
    for i in range(state.medoids.size):
        _claim(state, state.medoids[i], state.to_medoids[i], i)


@kernel(fastmath={"reassoc", "contract"})
def total_deviation(state):
    """Sum the weighted dissimilarities of the points to their nearest medoids."""
    to_nearest, weights = state.to_nearest, state.weights
    total = 0.0
    for o in range(to_nearest.size):
        total += weights[o] * np.float64(to_nearest[o])
    return total


@kernel
def removal_losses(state, losses):
    r"""Compute what removing each medoid would cost.

    Parameters
    ----------
    state : Assignment
        Points and medoids.
    losses : ndarray of shape (k,), float64
        Overwritten by :math:`r_i = \sum_{o: i_o=i} w_o (s_o - a_o)`, infinite for
        fixed medoids.

    Returns
    -------
    float
        Total deviation :math:`\sum_o w_o a_o`.
    """
    losses[:] = 0.0
    for o in range(state.nearest.size):
        a, s = np.float64(state.to_nearest[o]), np.float64(state.to_second[o])
        losses[state.nearest[o]] += state.weights[o] * (s - a)
    for i in range(losses.size):
        if state.fixed[i]:
            losses[i] = np.inf
    return total_deviation(state)


@kernel(forceinline=True)
def _replace_for(state, o, d, slot):
    """Bring one point up to date; whether its second nearest is to be looked for."""
    if state.own[o] == state.medoids[slot] and _belong(state, o, d, slot):
        return 0
    if state.nearest[o] == slot:
        if d < state.to_second[o]:
            state.to_nearest[o] = d
            return 0
        state.nearest[o], state.to_nearest[o] = state.second[o], state.to_second[o]
    elif d < state.to_nearest[o]:
        state.second[o], state.to_second[o] = state.nearest[o], state.to_nearest[o]
        state.nearest[o], state.to_nearest[o] = slot, d
        return 0
    elif d >= state.to_second[o]:
        if state.second[o] != slot:
            return 0
    else:
        state.second[o], state.to_second[o] = slot, d
        return 0
    state.second[o], state.to_second[o] = slot, d
    return 1


@kernel
def _find_second(state, points, slot):
    """Look for the second nearest medoids of points that have that in `slot` so far.

    Slots are the outer loop, so that rows are read in order.
    """
    for i in range(state.medoids.size):
        if i == slot:
            continue
        row = state.to_medoids[i]
        for o in points:
            if row[o] < state.to_second[o] and i != state.nearest[o]:
                state.second[o], state.to_second[o] = i, row[o]


@kernel
def replace_medoid(state, candidate, row, slot, lost):
    """Put a candidate into a slot and bring all points up to date.

    Parameters
    ----------
    state : Assignment
        Changed in place.
    candidate : intp
        The new medoid.
    row : ndarray of shape (n_points,)
        Dissimilarity of every point to the new medoid.
    slot : intp
        Slot of the medoid that leaves.
    lost : ndarray of shape (n_points,), intp
        Scratch: the points that have lost their second nearest medoid.
    """
    state.medoids[slot] = candidate
    state.to_medoids[slot] = row
    n_lost = 0
    whole = row.size - row.size % LANES
    for start in range(0, whole, LANES):
        # all others keep both their medoids
        bits = less_bits(row, state.to_second, start)
        bits |= equal_bits(state.nearest, slot, start)
        bits |= equal_bits(state.second, slot, start)
        while bits:
            lost[n_lost] = o = start + trailing_zeros(bits)
            bits &= bits - _ONE
            n_lost += _replace_for(state, o, row[o], slot)
    for o in range(whole, row.size):
        lost[n_lost] = o
        n_lost += _replace_for(state, o, row[o], slot)
    _find_second(state, lost[:n_lost], slot)
    _claim(state, candidate, row, slot)


def assign(to_medoids, medoids, weights=None, own=None, fixed=None):
    """Assign points to medoids.

    A slot takes a point over from the lower ones only if it is strictly nearer, or if
    its medoid is the point itself.

    Parameters
    ----------
    to_medoids : ndarray of shape (k, n_points)
        Dissimilarities of the points to the medoids; the result owns it.
    medoids : array-like of shape (k,)
        Candidate in each slot.
    weights : ndarray of shape (n_points,), default=None
        Sample weights, 1 by default.
    own : ndarray of shape (n_points,), default=None
        The candidate that each point is, -1 for none; none is by default.
    fixed : ndarray of shape (k,), default=None
        Slots that may not be swapped; none by default.

    Returns
    -------
    Assignment
    """
    n_points = to_medoids.shape[1]
    dtype = to_medoids.dtype
    if weights is None:
        weights = np.ones(n_points)
    if own is None:
        own = np.full(n_points, -1)
    if fixed is None:
        fixed = np.zeros(len(medoids), dtype=bool)
    state = Assignment(
        medoids=np.array(medoids, dtype=np.intp),
        to_medoids=np.require(to_medoids, requirements=["C", "W"]),
        nearest=np.empty(n_points, dtype=np.intp),
        second=np.empty(n_points, dtype=np.intp),
        to_nearest=np.empty(n_points, dtype=dtype),
        to_second=np.empty(n_points, dtype=dtype),
        own=as_kernel_array(own, np.intp),
        weights=as_kernel_array(weights, np.float64),
        fixed=as_kernel_array(fixed, np.bool_),
    )
    _assign(state)
    return state


def assign_points(problem, medoids):
    """Assign the points of a problem to some of its candidates.

    Parameters
    ----------
    problem : Problem
        Dissimilarities, weights and constraints.
    medoids : array-like of shape (k,)
        Candidate in each slot.

    Returns
    -------
    Assignment
    """
    to_medoids = np.array(problem.source.take(medoids))
    return assign(to_medoids, medoids, problem.weights, problem.own, problem.fixed)


def average_silhouette(state):
    """Compute the average medoid silhouette, with 1 for points at their medoid.

    Parameters
    ----------
    state : Assignment
        Points and medoids.

    Returns
    -------
    float
        Weighted mean of :math:`1 - a_o/s_o`; nan for one medoid or negative
        dissimilarities.
    """
    a, s = state.to_nearest.astype(np.float64), state.to_second.astype(np.float64)
    if len(state.medoids) < 2 or a.min() < 0:
        return np.nan
    ratios = np.divide(a, s, out=np.zeros_like(a), where=a > 0)
    return 1.0 - float(np.average(ratios, weights=state.weights))
