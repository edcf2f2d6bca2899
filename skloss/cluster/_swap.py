"""What swapping a medoid for a candidate changes, for all medoids at once.

Putting candidate j into slot i changes the total deviation by

    acc_j + r_i + sum over o with i_o = i of w_o (min(max(d, a_o), s_o) - s_o),
    acc_j = sum over o of w_o (min(d, a_o) - a_o),

with d the dissimilarity of point o to j (Schubert and Rousseeuw 2021). Only points
with d < s_o contribute, about 2 of k: they are found 64 at a time.
"""

import numpy as np

from skloss._jit import kernel
from skloss._simd import LANES, less_bits, prefetch, trailing_zeros
from skloss.cluster._assignment import removal_losses, replace_medoid

__all__ = [
    "GROUP",
    "any_below",
    "best_swap",
    "best_swap_per_slot",
    "lowest",
    "scan",
    "swap_change",
    "swap_changes",
]

_ONE = np.uint64(1)
# Candidates that are evaluated together while swaps are rare. They share what is read
# of the points, and memory answers four streams faster than one.
GROUP = 4
# Elements between what is read and what is asked for.
_AHEAD = 1024
_AHEAD_OF_GROUP = 256
# Candidates without a swap after which swaps count as rare.
_CALM = 4
_ROUNDING = 1e-15


@kernel(forceinline=True)
def _contribute(state, row, o, changes):
    d = np.float64(row[o])
    a, s = np.float64(state.to_nearest[o]), np.float64(state.to_second[o])
    w = state.weights[o]
    changes[state.nearest[o]] += w * (max(d, a) - s)
    return w * (min(d, a) - a)


@kernel
def swap_changes(row, state, losses, changes):
    """Compute what putting a candidate into each slot changes.

    Parameters
    ----------
    row : ndarray of shape (n_points,)
        Dissimilarity of every point to the candidate.
    state : Assignment
        Points and medoids.
    losses : ndarray of shape (k,), float64
        Removal loss of each slot.
    changes : ndarray of shape (k,), float64
        Overwritten by the changes without the term that all slots share.

    Returns
    -------
    float
        The term that all slots share, acc_j.
    """
    changes[:] = losses
    shared = 0.0
    whole = row.size - row.size % LANES
    for start in range(0, whole, LANES):
        # Most often the next rows follow in memory.
        prefetch(row, start + _AHEAD)
        bits = less_bits(row, state.to_second, start)
        while bits:
            o = start + trailing_zeros(bits)
            bits &= bits - _ONE
            shared += _contribute(state, row, o, changes)
    for o in range(whole, row.size):
        if row[o] < state.to_second[o]:
            shared += _contribute(state, row, o, changes)
    return shared


@kernel(forceinline=True)
def _visit(bits, start, row, state, changes):
    """Contributions of the points whose bits are set."""
    shared = 0.0
    while bits:
        o = start + trailing_zeros(bits)
        bits &= bits - _ONE
        shared += _contribute(state, row, o, changes)
    return shared


@kernel
def _changes_of_group(rows, b, state, losses, changes, shared):
    """Do what `swap_changes` does for GROUP candidates from `b` on."""
    first, second, third, fourth = rows[b], rows[b + 1], rows[b + 2], rows[b + 3]
    limits = state.to_second
    for g in range(GROUP):
        changes[g, :] = losses
        shared[g] = 0.0
    n_points = first.size
    whole = n_points - n_points % LANES
    for start in range(0, whole, LANES):
        prefetch(first, start + _AHEAD_OF_GROUP)
        prefetch(second, start + _AHEAD_OF_GROUP)
        prefetch(third, start + _AHEAD_OF_GROUP)
        prefetch(fourth, start + _AHEAD_OF_GROUP)
        bits = less_bits(first, limits, start)
        if bits:
            shared[0] += _visit(bits, start, first, state, changes[0])
        bits = less_bits(second, limits, start)
        if bits:
            shared[1] += _visit(bits, start, second, state, changes[1])
        bits = less_bits(third, limits, start)
        if bits:
            shared[2] += _visit(bits, start, third, state, changes[2])
        bits = less_bits(fourth, limits, start)
        if bits:
            shared[3] += _visit(bits, start, fourth, state, changes[3])
    for g in range(GROUP):
        row = rows[b + g]
        for o in range(whole, n_points):
            if row[o] < limits[o]:
                shared[g] += _contribute(state, row, o, changes[g])


@kernel
def _evaluate(rows, b, together, state, losses, changes, shared):
    """Evaluate the candidates from `b` on, GROUP of them or one; how many."""
    if together and b + GROUP <= rows.shape[0]:
        _changes_of_group(rows, b, state, losses, changes, shared)
        return GROUP
    shared[0] = swap_changes(rows[b], state, losses, changes[0])
    return 1


@kernel
def swap_change(row, state, losses, changes):
    """Find the best slot for one candidate.

    Parameters
    ----------
    row, state, losses, changes : as in `swap_changes`

    Returns
    -------
    slot : intp
        The lowest of the best slots.
    change : float
        How much the total deviation changes.
    """
    shared = swap_changes(row, state, losses, changes)
    slot = lowest(changes)
    return slot, shared + changes[slot]


@kernel
def lowest(values):
    """Position of the lowest value, the first of equals."""
    slot = 0
    for i in range(1, values.size):
        if values[i] < values[slot]:
            slot = i
    return slot


@kernel(forceinline=True)
def any_below(values, limit):
    """Whether any value is below a limit."""
    # Unlike the search for the lowest, counting vectorises.
    count = 0
    for i in range(values.size):
        count += values[i] < limit
    return count > 0


@kernel
def scan(rows, candidates, state, losses, changes, excluded, scratch, last, curve):
    """Go through candidates in order and do every swap that lowers the deviation.

    Parameters
    ----------
    rows : ndarray of shape (n_candidates, n_points)
        Dissimilarities of all points to the candidates.
    candidates : ndarray of shape (n_candidates,), intp
        Which candidates these are.
    state : Assignment
        Changed in place.
    losses : ndarray of shape (k,), float64
        Removal losses, kept up to date.
    changes : ndarray of shape (GROUP, k), float64
        Scratch.
    excluded : ndarray, bool
        For each candidate of the source, whether it may not become a medoid; those
        that are medoids already are excluded too.
    scratch : ndarray of shape (n_points,), intp
        Scratch of `replace_medoid`.
    last : intp
        Candidate of the last swap: arriving there means that a whole round brought
        none. -1 for none.
    curve : ndarray of shape (n_candidates,), float64
        Receives the deviation after each swap.

    Returns
    -------
    n_swaps : int
        Swaps done.
    scratch : ndarray of shape (n_points,), intp
        Scratch of `replace_medoid`.
    last : intp
        Candidate of the last swap, in this block or before.
    round_ended : bool
        Whether `last` was met.
    """
    shared = np.empty(GROUP)
    n_swaps, b, calm = 0, 0, 0
    while b < candidates.size:
        n = _evaluate(rows, b, calm >= _CALM, state, losses, changes, shared)
        for g in range(n):
            calm += 1
            candidate = candidates[b]
            if candidate == last:
                return n_swaps, last, True
            b += 1
            if excluded[candidate] or not any_below(changes[g], -shared[g]):
                continue
            slot = lowest(changes[g])
            excluded[state.medoids[slot]] = False
            excluded[candidate] = True
            replace_medoid(state, candidate, rows[b - 1], slot, scratch)
            curve[n_swaps] = removal_losses(state, losses)
            last = candidate
            n_swaps += 1
            calm = 0
            break  # the rest of the group is to be evaluated anew
    return n_swaps, last, False


@kernel
def best_swap(rows, candidates, state, losses, changes, excluded):
    """Find the best swap with any of some candidates; the first of equals wins.

    Parameters
    ----------
    rows, candidates, state, losses, changes, excluded : as in `scan`
        Nothing is changed but the scratch.

    Returns
    -------
    candidate, slot : intp
        The swap; -1 if all candidates are excluded.
    change : float
        How much the total deviation changes; infinite if there is none.
    """
    shared = np.empty(GROUP)
    best_candidate, best_slot, best_change = -1, -1, np.inf
    b = 0
    while b < candidates.size:
        n = _evaluate(rows, b, True, state, losses, changes, shared)
        for g in range(n):
            candidate = candidates[b + g]
            # A quick look, with room for its rounding, spares the slow search.
            room = _ROUNDING * (abs(best_change) + abs(shared[g]))
            limit = best_change - shared[g] + room
            if not excluded[candidate] and any_below(changes[g], limit):
                slot = lowest(changes[g])
                change = shared[g] + changes[g, slot]
                if change < best_change:
                    best_candidate, best_slot = candidate, slot
                    best_change = change
        b += n
    return best_candidate, best_slot, best_change


@kernel
def best_swap_per_slot(rows, candidates, state, losses, changes, excluded, best, of):
    """Improve, for each slot, on the best swap known so far.

    Parameters
    ----------
    rows, candidates, state, losses, changes, excluded : as in `scan`
    best : ndarray of shape (k,), float64
        Change of the total deviation by the best swap; lowered in place.
    of : ndarray of shape (k,), intp
        Its candidate; updated with it.
    """
    shared = np.empty(GROUP)
    b = 0
    while b < candidates.size:
        n = _evaluate(rows, b, True, state, losses, changes, shared)
        for g in range(n):
            if excluded[candidates[b + g]]:
                continue
            for i in range(losses.size):
                if shared[g] + changes[g, i] < best[i]:
                    best[i], of[i] = shared[g] + changes[g, i], candidates[b + g]
        b += n
