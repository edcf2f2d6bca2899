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
    "any_below",
    "best_swap",
    "best_swap_per_slot",
    "lowest",
    "scan",
    "swap_change",
    "swap_changes",
]

_ONE = np.uint64(1)
# Elements between what is read and what is asked for: about 100 ns.
_AHEAD = 4096


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
    losses, changes : ndarray of shape (k,), float64
        Removal losses, kept up to date, and scratch.
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
    n_swaps = 0
    for b in range(candidates.size):
        candidate = candidates[b]
        if candidate == last:
            return n_swaps, last, True
        if excluded[candidate]:
            continue
        shared = swap_changes(rows[b], state, losses, changes)
        if any_below(changes, -shared):
            slot = lowest(changes)
            excluded[state.medoids[slot]] = False
            excluded[candidate] = True
            replace_medoid(state, candidate, rows[b], slot, scratch)
            curve[n_swaps] = removal_losses(state, losses)
            last = candidate
            n_swaps += 1
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
    best_candidate, best_slot, best_change = -1, -1, np.inf
    for b in range(candidates.size):
        if excluded[candidates[b]]:
            continue
        slot, change = swap_change(rows[b], state, losses, changes)
        if change < best_change:
            best_candidate, best_slot, best_change = candidates[b], slot, change
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
    for b in range(candidates.size):
        if excluded[candidates[b]]:
            continue
        shared = swap_changes(rows[b], state, losses, changes)
        for i in range(changes.size):
            if shared + changes[i] < best[i]:
                best[i], of[i] = shared + changes[i], candidates[b]
