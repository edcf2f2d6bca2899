"""Compiled search for the best supports, on columns of a Gram matrix.

For losses and for the names q and `diagonal` see `_subset_support`. `blocked` holds
infinity for columns that must not enter.
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel
from skloss.sparse._subset_column_kernels import two_products
from skloss.sparse._subset_support import (
    DEPENDENT,
    least_useful,
    loss_of,
    move_to,
    place_of,
)

__all__ = ["GROWS", "SWAPS", "SWEEPS", "Best", "Grams", "improve"]

_ROUNDING = 1e-13  # of losses computed from Gram matrices
SWAPS, GROWS, SWEEPS = 0, 1, 2  # ways to work
_SAME = 1e-12  # losses that differ by less are the same
_FAST = {"reassoc", "contract", "arcp", "nsz"}


class Grams(NamedTuple):
    """Columns of the Gram matrix that were needed so far.

    Parameters
    ----------
    rows : ndarray of shape (room, d)
        The columns, as rows.
    slot : ndarray of shape (d,), intp
        Row that holds each column, or -1.
    count : ndarray of shape (1,), intp
        Rows in use.
    A, by_column, weight, mean, shrink
        `Table` from which kernels make further ones; it has no rows if they cannot.
    """

    rows: np.ndarray
    slot: np.ndarray
    count: np.ndarray
    A: np.ndarray
    by_column: bool
    weight: np.ndarray
    mean: np.ndarray
    shrink: np.ndarray


class Best(NamedTuple):
    """Best supports found so far, and what is being worked on.

    Parameters
    ----------
    columns : ndarray of shape (most + 1, most), intp
        Sorted columns of the best support of each size, the first ``sizes[k]`` in use.
    sizes : ndarray of shape (most + 1,), intp
        Their numbers: k, or what is left of dependent columns.
    losses : ndarray of shape (most + 1,)
        Their losses; infinity where none was found.
    version : ndarray of shape (most + 1,), intp
        How often each was replaced.
    seen : ndarray of shape (most + 1, 2), intp
        Versions of the neighbours, smaller and larger, that it was last made from.
    work : ndarray of intp
        Support that is being improved.
    state : ndarray of shape (5,), intp
        The size of the support in work; the size that is wanted; how to get there:
        `SWAPS`, `GROWS` or `SWEEPS`; the step of a sweep; whether the sweep has
        improved anything.
    """

    columns: np.ndarray
    sizes: np.ndarray
    losses: np.ndarray
    version: np.ndarray
    seen: np.ndarray
    work: np.ndarray
    state: np.ndarray

    @classmethod
    def empty(cls, most):
        """Know the empty support only."""
        losses = np.full(most + 1, np.inf)
        losses[0] = 1.0
        sizes, version = np.zeros((2, most + 1), dtype=np.intp)
        return cls(
            np.zeros((most + 1, most), dtype=np.intp),
            sizes,
            losses,
            version,
            np.full((most + 1, 2), -1, dtype=np.intp),
            np.zeros(2 * most + 1, dtype=np.intp),
            np.zeros(5, dtype=np.intp),
        )

    def support(self, k):
        """Best support of a size."""
        return self.columns[k, : self.sizes[k]].copy()

    def is_better(self, loss, k):
        """Whether a loss is below that of the best support of a size."""
        return loss < self.losses[k] - _SAME

    def keep(self, support, loss, k):
        """Keep a sorted support in place of the best one of a size."""
        self.columns[k, : len(support)] = support
        self.sizes[k], self.losses[k] = len(support), loss
        self.version[k] += 1


@kernel
def _has(grams, column, likely):
    """Whether a Gram column is there, or there was room to make it.

    With it comes one that is likely to be asked for later, which costs next to
    nothing; -1 for none.
    """
    rows, slot, count = grams.rows, grams.slot, grams.count
    if slot[column] >= 0:
        return True
    n, room = grams.weight.size, rows.shape[0] - count[0]
    if n == 0 or room == 0:
        return False
    first = count[0]
    slot[column] = first
    count[0] += 1
    if room > 1 and likely >= 0 and slot[likely] < 0:
        slot[likely] = count[0]
        count[0] += 1
        two_products(grams, column, likely, rows[first], rows[first + 1])
    else:
        two_products(grams, column, column, rows[first], np.empty(rows.shape[1]))
    return True


@kernel
def _is_known(held, best, k):
    """Whether the support is the best one of a size, in whatever order."""
    size = held.count[0]
    if k >= best.sizes.size or best.sizes[k] != size:
        return False
    for i in range(size):
        if place_of(held.columns[i], best.columns[k], size) < 0:
            return False
    return True


@kernel
def _best_growth(g, rest, blocked, least, pursuit):
    """Column whose entry lowers the loss most, or correlates most, and the next best.

    They are -1 for none.
    """
    best, entering, good, second = _ROUNDING, -1, _ROUNDING, -1
    for j in range(g.size):
        left = rest[j] + blocked[j]
        square = 1.0 + blocked[j] if pursuit else left
        if g[j] * g[j] > good * square and left > least:
            gain = g[j] * g[j] / square
            if gain > best:
                good, second = best, entering
                best, entering = gain, j
            else:
                good, second = gain, j
    return entering, second


@kernel(fastmath=_FAST)
def _count_better(product, g, rest, blocked, shift, factor, least, wanted):
    """How many columns, in the place of one, have a first term above `wanted`."""
    count = 0
    for j in range(g.size):
        new = g[j] + product[j] * shift
        left = rest[j] + blocked[j] + product[j] * product[j] * factor
        count += (new * new > wanted * left) & (left > least)
    return count


@kernel
def _best_swap(held, blocked, least, wanted):
    """Exchange that lowers the loss most: place, column, a good other column.

    The columns are -1 for none.
    """
    best, good, second = _ROUNDING + wanted, _ROUNDING + wanted, -1
    g, rest = held.g, held.rest
    leaving, entering = 0, -1
    for i in range(held.count[0]):
        product, factor = held.products[i], 1.0 / held.inverse[i, i]
        shift = held.w[i] * factor
        lost = held.w[i] * shift
        # Most columns of most places are ruled out without a division.
        if not _count_better(
            product, g, rest, blocked, shift, factor, least, best + lost
        ):
            continue
        for j in range(g.size):
            new = g[j] + product[j] * shift
            left = rest[j] + blocked[j] + product[j] * product[j] * factor
            if new * new > (good + lost) * left and left > least:
                gain = new * new / left - lost
                if gain > best:
                    if entering != j:
                        good, second = best, entering
                    best, leaving, entering = gain, i, j
                elif j != entering:
                    good, second = gain, j
    return leaving, entering, second


@kernel
def _keep(best, loss):
    """Keep the support in work as the best one of its size, sorted, if it is better."""
    size, k = best.state[0], best.state[1]
    if loss >= best.losses[k] - _SAME:
        return
    columns = best.columns[k]
    for i in range(size):
        at = i
        while at and columns[at - 1] > best.work[i]:
            columns[at] = columns[at - 1]
            at -= 1
        columns[at] = best.work[i]
    best.sizes[k], best.losses[k] = size, loss
    best.version[k] += 1
    best.state[4] = 1


@kernel
def _next(best):
    """Put into work what a sweep goes on with; return whether there is anything.

    Each support is made from the next smaller one first, and then, in falling order,
    from the next larger one, unless that was done before.
    """
    most, state = best.sizes.size - 1, best.state
    while state[3] < 2 * most - 1:
        grows = state[3] < most
        k = state[3] + 1 if grows else 2 * most - 1 - state[3]
        source, side = (k - 1, 0) if grows else (k + 1, 1)
        state[3] += 1
        if best.seen[k, side] != best.version[source]:
            best.seen[k, side] = best.version[source]
            state[0], state[1] = best.sizes[source], k
            for i in range(best.sizes[source]):
                best.work[i] = best.columns[source, i]
            return True
    return False


@kernel
def _count_absent(slot, work, size):
    count = 0
    for i in range(size):
        count += slot[work[i]] < 0
    return count


@kernel
def improve(grams, q, blocked, diagonal, held, best):
    """Improve the support in work until no exchange helps, or supports of all sizes.

    It grows or shrinks to the size that is wanted; then columns are exchanged while
    that lowers the loss. The gain of putting j in the place of i is, with B the inverse
    of the support's Gram matrix, ``w = B q_S``, ``T = B G_S``, g the correlations with
    the residual and delta what the support leaves of the columns' squares,
    ``(g_j + T_ij w_i / B_ii)^2 / (delta_j + T_ij^2 / B_ii) - w_i^2 / B_ii``.

    Parameters
    ----------
    grams : Grams
    q, blocked, diagonal
        See the top of this file.
    held : Support
        Of any columns; moved to the result.
    best : Best
        Its state says what to do. With `SWAPS` the result is in work; so it is with
        `GROWS`, in the order in which orthogonal matching pursuit adds columns, and
        without exchanges. With `SWEEPS` it replaces the supports that it improves.

    Returns
    -------
    loss : float
        Of the support in work.
    ended : bool
        If not, the cache must get the columns of the support in work before one goes
        on.
    """
    least, work, state, moves = DEPENDENT * diagonal, best.work, best.state, 0
    mode = state[2]
    while mode != SWEEPS or state[1] > 0 or _next(best):
        if _count_absent(grams.slot, work, state[0]):
            return np.inf, False
        move_to(held, grams, q, diagonal, work, state[0])
        for i in range(held.count[0]):
            work[i] = held.columns[i]
        size, target = held.count[0], state[1]
        state[0] = size
        if size > target:
            state[0] -= 1
            work[least_useful(held)] = work[size - 1]
            continue
        loss, place, entering, likely = loss_of(held, q), size, -1, -1
        if size < target:
            entering, likely = _best_growth(
                held.g, held.rest, blocked, least, mode == GROWS
            )
        elif (
            mode != GROWS and moves < 100 * target and not _is_known(held, best, target)
        ):
            place, entering, likely = _best_swap(held, blocked, least, 1e-10 * loss)
        if entering >= 0:
            moves += 1
            work[place] = entering
            state[0] = max(size, place + 1)
            if not _has(grams, entering, likely):
                return np.inf, False
        elif mode != SWEEPS:
            return loss, True
        else:
            _keep(best, loss)
            state[1], moves = 0, 0
    return np.inf, True
