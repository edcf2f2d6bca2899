"""What swapping a medoid for a candidate does to the medoid silhouette.

Notation of the family: point o, candidate j, slot i (the place of a medoid), w_o the
weight of a point, d = D[o, j]. For each point, a <= s <= t are the dissimilarities to
its nearest, second and third nearest medoid. With q(x, y) = x / y, and 0 where x = 0,

    average medoid silhouette = 1 - loss / (sum of w),  loss = sum of w_o q(a_o, s_o).

Putting j into slot i leaves the two smallest of three numbers behind at every point:
of (a, s, d); of (s, t, d) where i was the nearest slot, and of (a, t, d) where it was
the second (Lenssen and Schubert 2022). So one pass serves all slots: a term that all
share, and corrections to the two slots that a point depends on. Only points with
d < t differ from what removing slot i alone would do, about 3 of k: they are found 64
at a time.

All values are the plain smallest dissimilarities: that a medoid belongs to itself
matters to labels alone.
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel
from skloss._simd import LANES, less_bits, trailing_zeros

__all__ = [
    "Nearest3",
    "assign_top3",
    "best_slot",
    "best_swap",
    "best_swap_afresh",
    "put_medoid",
    "removal_effects",
    "scan",
]

_ONE = np.uint64(1)
_TINY = 5e-324  # the smallest positive number: no positive divisor is smaller

# Columns of `Nearest3.terms`, which lie together because points are visited apart.
_A, _S, _WEIGHT, _LOSS, _WITHOUT_FIRST, _WITHOUT_SECOND = range(6)


class Nearest3(NamedTuple):
    """Points and their three nearest medoids.

    Parameters
    ----------
    medoids : ndarray of shape (k,), intp
        Candidate in each slot.
    to_medoids : ndarray of shape (k, n_points), float32 or float64
        Dissimilarities of the points to the medoids.
    slots : ndarray of shape (n_points, 3), intp
        Slots of the three nearest medoids, lower slots first among equals; the third
        is -1 if k = 2.
    to_third : ndarray of shape (n_points,)
        Dissimilarity t, in the dtype of `to_medoids`; infinite if k = 2.
    terms : ndarray of shape (n_points, 6), float64
        For each point a, s, w, its loss w q(a, s), how this changes when the nearest
        medoid leaves, w (q(s, t) - q(a, s)), and when the second does,
        w (q(a, t) - q(a, s)).
    weights : ndarray of shape (n_points,), float64
        Sample weights.
    fixed : ndarray of shape (k,), bool
        Slots whose medoids stay.
    """

    medoids: np.ndarray
    to_medoids: np.ndarray
    slots: np.ndarray
    to_third: np.ndarray
    terms: np.ndarray
    weights: np.ndarray
    fixed: np.ndarray


@kernel(forceinline=True)
def _ratio(low, high):
    """q(low, high), without a branch: a divisor of 0 only meets a dividend of 0."""
    return low / max(high, _TINY)


@kernel(forceinline=True)
def _set_terms(state, o, a, s, t):
    w = state.weights[o]
    loss = _ratio(a, s)
    terms = state.terms[o]
    terms[_A], terms[_S], terms[_WEIGHT], terms[_LOSS] = a, s, w, w * loss
    terms[_WITHOUT_FIRST] = w * (_ratio(s, t) - loss)
    terms[_WITHOUT_SECOND] = w * (_ratio(a, t) - loss)


@kernel(forceinline=True)
def _assign_point(state, o):
    infinity = state.to_third.dtype.type(np.inf)
    first, second, third = -1, -1, -1
    a, s, t = infinity, infinity, infinity
    for i in range(state.medoids.size):
        d = state.to_medoids[i, o]
        if d < t:
            if d < s:
                third, t = second, s
                if d < a:
                    second, s = first, a
                    first, a = i, d
                else:
                    second, s = i, d
            else:
                third, t = i, d
    state.slots[o, 0], state.slots[o, 1], state.slots[o, 2] = first, second, third
    state.to_third[o] = t
    _set_terms(state, o, np.float64(a), np.float64(s), np.float64(t))


@kernel
def assign_top3(state):
    """Find the three nearest medoids of every point.

    Parameters
    ----------
    state : Nearest3
        `slots`, `to_third` and `terms` are overwritten.
    """
    for o in range(state.weights.size):
        _assign_point(state, o)


@kernel
def removal_effects(state, effects):
    r"""Compute how the loss changes when a medoid is removed and none replaces it.

    Parameters
    ----------
    state : Nearest3
    effects : ndarray of shape (k,), float64
        Overwritten by the change for each slot, infinite for fixed slots; by 0 if
        k = 2, where no second nearest would remain and `best_slot` does without.

    Returns
    -------
    float
        The loss, :math:`\sum_o w_o q(a_o, s_o)`.
    """
    effects[:] = 0.0
    loss = 0.0
    for o in range(state.weights.size):
        effects[state.slots[o, 0]] += state.terms[o, _WITHOUT_FIRST]
        effects[state.slots[o, 1]] += state.terms[o, _WITHOUT_SECOND]
        loss += state.terms[o, _LOSS]
    if effects.size == 2:
        effects[:] = 0.0
    for i in range(effects.size):
        if state.fixed[i]:
            effects[i] = np.inf
    return loss


@kernel
def put_medoid(state, candidate, row, slot):
    """Put a candidate into a slot and bring all points up to date.

    The result is the same as that of `assign_top3` on the new medoids.

    Parameters
    ----------
    state : Nearest3
        Changed in place.
    candidate : intp
        The new medoid.
    row : ndarray of shape (n_points,)
        Dissimilarity of every point to the new medoid.
    slot : intp
        Slot of the medoid that leaves.
    """
    state.medoids[slot] = candidate
    state.to_medoids[slot] = row
    for o in range(row.size):
        slots = state.slots[o]
        left = slots[0] == slot or slots[1] == slot or slots[2] == slot
        # Equality too, because the new medoid's slot may be lower than the third's.
        if left or row[o] <= state.to_third[o]:
            _assign_point(state, o)


@kernel(forceinline=True)
def _contribute(state, row, o, changes):
    d = np.float64(row[o])
    terms = state.terms[o]
    a, s, w = terms[_A], terms[_S], terms[_WEIGHT]
    nearer, farther = min(a, d), max(a, d)
    # Two of the three ratios agree where d < s; but a division takes less time than
    # a branch that goes either way.
    stay = w * _ratio(nearer, min(s, farther))
    without_first = w * _ratio(min(s, d), max(s, d))
    without_second = w * _ratio(nearer, farther)
    changes[state.slots[o, 0]] += without_first - stay - terms[_WITHOUT_FIRST]
    changes[state.slots[o, 1]] += without_second - stay - terms[_WITHOUT_SECOND]
    return stay - terms[_LOSS]


@kernel(forceinline=True)
def _ratio_of(x, y):
    low, high = (x, y) if x < y else (y, x)
    return low / (high if high > _TINY else _TINY)


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _change_beside(row, stays, leaves, weights):
    """Change of the loss when of two medoids one leaves for a candidate.

    Every point's change is taken by itself: they are exactly 0 if nothing changes.
    """
    change = 0.0
    for o in range(row.size):
        e = np.float64(stays[o])
        loss = _ratio_of(e, np.float64(leaves[o]))
        change += weights[o] * (_ratio_of(np.float64(row[o]), e) - loss)
    return change


@kernel
def best_slot(row, state, effects, changes):
    """Find the best slot for one candidate.

    Parameters
    ----------
    row : ndarray of shape (n_points,)
        Dissimilarity of every point to the candidate.
    state : Nearest3
        Points and medoids.
    effects : ndarray of shape (k,), float64
        Effects of the removals, as `removal_effects` gives them.
    changes : ndarray of shape (k,), float64
        Scratch: the changes without the term that all slots share.

    Returns
    -------
    slot : intp
        The lowest of the best slots.
    change : float
        How much the loss changes.
    """
    changes[:] = effects
    shared = 0.0
    if changes.size == 2:
        for i in range(2):
            stays, leaves = state.to_medoids[1 - i], state.to_medoids[i]
            changes[i] += _change_beside(row, stays, leaves, state.weights)
    else:
        whole = row.size - row.size % LANES
        for start in range(0, whole, LANES):
            bits = less_bits(row, state.to_third, start)
            while bits:
                o = start + trailing_zeros(bits)
                bits &= bits - _ONE
                shared += _contribute(state, row, o, changes)
        for o in range(whole, row.size):
            if row[o] < state.to_third[o]:
                shared += _contribute(state, row, o, changes)
    slot = 0
    for i in range(1, changes.size):
        if changes[i] < changes[slot]:
            slot = i
    return slot, shared + changes[slot]


@kernel
def scan(rows, candidates, state, effects, changes, excluded, threshold, last, curve):
    """Go through candidates in order and do every swap that lowers the loss.

    Parameters
    ----------
    rows : ndarray of shape (n_candidates, n_points)
        Dissimilarities of all points to the candidates.
    candidates : ndarray of shape (n_candidates,), intp
        Which candidates these are.
    state : Nearest3
        Changed in place.
    effects, changes : ndarray of shape (k,), float64
        Effects of removals, kept up to date, and scratch.
    excluded : ndarray, bool
        For each candidate of the source, whether it may not become a medoid; those
        that are medoids already are excluded too.
    threshold : float
        A swap must change the loss to less than this.
    last : intp
        Candidate of the last swap: arriving there means that a whole round brought
        none. -1 for none.
    curve : ndarray of shape (n_candidates,), float64
        Receives the loss after each swap.

    Returns
    -------
    n_swaps : int
        Swaps done.
    last : intp
        Candidate of the last swap, in this block or before.
    round_ended : bool
        Whether `last` was met.
    """
    n_swaps = 0
    for b in range(candidates.size):
        candidate = candidates[b]
        if candidate == last:
            return n_swaps, last, True
        if excluded[candidate]:
            continue
        slot, change = best_slot(rows[b], state, effects, changes)
        if change < threshold:
            excluded[state.medoids[slot]] = False
            excluded[candidate] = True
            put_medoid(state, candidate, rows[b], slot)
            curve[n_swaps] = removal_effects(state, effects)
            last = candidate
            n_swaps += 1
    return n_swaps, last, False


@kernel
def best_swap(rows, candidates, state, effects, excluded):
    """Find the best swap with any of some candidates; the first of equals wins.

    Parameters
    ----------
    rows, candidates, state, effects, excluded : as in `scan`
        Nothing is changed.

    Returns
    -------
    position, slot : intp
        The swap; -1 if all candidates are excluded. The position is that among
        `candidates`.
    change : float
        How much the loss changes; infinite if there is no swap.
    """
    best_position, best, best_change = -1, -1, np.inf
    changes = np.empty(effects.size)
    for b in range(candidates.size):
        if excluded[candidates[b]]:
            continue
        slot, change = best_slot(rows[b], state, effects, changes)
        if change < best_change:
            best_position, best, best_change = b, slot, change
    return best_position, best, best_change


@kernel
def _offer(a, s, row):
    """Let further dissimilarities compete with the two smallest of every point."""
    for o in range(row.size):
        d = row[o]
        larger = d if d > a[o] else a[o]
        s[o] = larger if larger < s[o] else s[o]
        a[o] = d if d < a[o] else a[o]


@kernel(fastmath={"reassoc", "contract", "nsz"})
def _loss_of(a, s, weights):
    loss = 0.0
    for o in range(a.size):
        loss += weights[o] * _ratio_of(np.float64(a[o]), np.float64(s[o]))
    return loss


@kernel
def best_swap_afresh(rows, candidates, state, excluded):
    """Find the same swap as `best_swap`, by assigning all points for every pair.

    This is what PAMMEDSIL does, k^2 times the work.

    Parameters
    ----------
    rows, candidates, state, excluded : as in `scan`
        Nothing is changed.

    Returns
    -------
    position, slot : intp
    change : float
    """
    best_position, best, best_change = -1, -1, np.inf
    loss = state.terms[:, _LOSS].sum()
    k = state.medoids.size
    a, s = np.empty_like(rows[0]), np.empty_like(rows[0])
    for b in range(candidates.size):
        if excluded[candidates[b]]:
            continue
        for slot in range(k):
            if state.fixed[slot]:
                continue
            a[:], s[:] = rows[b], np.inf
            for i in range(k):
                if i != slot:
                    _offer(a, s, state.to_medoids[i])
            change = _loss_of(a, s, state.weights) - loss
            if change < best_change:
                best_position, best, best_change = b, slot, change
    return best_position, best, best_change
