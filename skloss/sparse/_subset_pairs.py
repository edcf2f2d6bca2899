"""Exchanges of two columns of a subset for two others, all of them."""

from itertools import combinations

import numpy as np

from skloss._jit import kernel
from skloss.sparse._subset_support import DEPENDENT

__all__ = ["better_pairs"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}
_ROUNDING = 1e-12


@kernel(fastmath=_FAST)
def _count_better(row, g, rest, factor, inverse, least, wanted):
    """How many columns gain more than `wanted` beside one that has entered."""
    count = 0
    for j in range(g.size):
        new = g[j] - row[j] * factor
        left = rest[j] - row[j] * row[j] * inverse
        count += (new * new > wanted * left) & (left > least)
    return count


@kernel
def _best_pair(G, g, rest, least, wanted):
    """Pair whose entry lowers the loss most, by more than `wanted`; -1 for none."""
    best, first, second = wanted, -1, -1
    for i in range(g.size - 1):
        if rest[i] <= least:
            continue
        inverse, factor = 1.0 / rest[i], g[i] / rest[i]
        gain, row, after = g[i] * factor, G[i, i + 1 :], i + 1
        # Most columns are ruled out as partners without a division.
        if not _count_better(
            row, g[after:], rest[after:], factor, inverse, least, best - gain
        ):
            continue
        for j in range(after, g.size):
            new = g[j] - G[i, j] * factor
            left = rest[j] - G[i, j] * G[i, j] * inverse
            if left > least and gain + new * new / left > best:
                best, first, second = gain + new * new / left, i, j
    return first, second


def better_pairs(design, support, loss):
    """Yield supports that are better by an exchange of two columns.

    Parameters
    ----------
    design : SubsetDesign
        Data.
    support : ndarray of shape (k,), intp
        Columns.
    loss : float
        Their loss.

    Yields
    ------
    ndarray of shape (k,), intp
        For each two columns that leave, the best two that enter, if that helps.
    """
    gram, q, size = design.gram(), design.q, len(support)
    gram[np.diag_indices_from(gram)] += design.l2
    for leaving in combinations(range(size), 2):
        kept = np.delete(support, leaving)
        part = gram[:, kept]
        T = np.linalg.solve(part[kept], part.T)
        w = np.linalg.solve(part[kept], q[kept])
        left_over = gram - part @ T
        rest = np.where(design.usable, left_over.diagonal(), 0.0)
        rest[kept] = 0.0
        lost = 1.0 - w @ q[kept] - loss
        wanted = lost + _ROUNDING + 1e-10 * loss
        least = DEPENDENT * design.diagonal
        pair = _best_pair(left_over, q - part @ w, rest, least, wanted)
        if pair[0] >= 0:
            yield np.sort(np.append(kept, pair))
