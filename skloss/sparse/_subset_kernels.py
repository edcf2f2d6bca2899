"""Compiled parts of the subset search on Gram matrices.

Columns have unit mean square, so does the target; `cache` holds columns of their Gram
matrix as rows, and ``slot[j]`` says in which row column j is (-1: in none). The loss
of a support S is ``1 - q_S' (G_SS + l2 I)^-1 q_S``, with `q` the correlations with the
target; ``diagonal = 1 + l2``. `blocked` holds infinity for columns that must not enter.
"""

import numpy as np

from skloss._jit import kernel

__all__ = ["DEPENDENT", "improve"]

DEPENDENT = 1e-7  # share of a column's square below which the rest counts as none
_TILE = 512  # columns whose products with the support stay in the caches
_ROUNDING = 1e-13  # of losses computed from Gram matrices
_FAST = {"reassoc", "contract", "arcp", "nsz"}


@kernel
def _invert(cache, slot, support, size, diagonal, factor, inverse):
    """Invert the Gram matrix of a support; return a dependent position or -1."""
    for i in range(size):
        row = slot[support[i]]
        for j in range(i + 1):
            total = cache[row, support[j]]
            if i == j:
                total = diagonal
            for m in range(j):
                total -= factor[i, m] * factor[j, m]
            if i > j:
                factor[i, j] = total / factor[j, j]
            elif total <= DEPENDENT * diagonal:
                return i
            else:
                factor[i, i] = np.sqrt(total)
    for column in range(size):  # inverse of the factor, kept in the upper half
        for i in range(column, size):
            total = 1.0 if i == column else 0.0
            for m in range(column, i):
                total -= factor[i, m] * inverse[column, m]
            inverse[column, i] = total / factor[i, i]
    for i in range(size):
        for j in range(i, size):
            total = 0.0
            for m in range(j, size):
                total += inverse[i, m] * inverse[j, m]
            factor[i, j] = total  # row i of the upper half is not read any more
        for j in range(i, size):
            inverse[i, j] = factor[i, j]
    for i in range(size):
        for j in range(i):
            inverse[i, j] = inverse[j, i]
    return -1


@kernel(fastmath=_FAST)
def _add_one(row, factor, out):
    for j in range(out.size):
        out[j] += factor * row[j]


@kernel(fastmath=_FAST)
def _add_four(r0, r1, r2, r3, f0, f1, f2, f3, out):
    for j in range(out.size):
        out[j] += f0 * r0[j] + f1 * r1[j] + f2 * r2[j] + f3 * r3[j]


@kernel
def _combine(cache, slot, support, size, start, stop, factors, out):
    """Combine Gram columns; four at a time share the loads of the result."""
    for j in range(out.size):
        out[j] = 0.0
    tiled = size - size % 4
    for i in range(0, tiled, 4):
        _add_four(
            cache[slot[support[i]], start:stop],
            cache[slot[support[i + 1]], start:stop],
            cache[slot[support[i + 2]], start:stop],
            cache[slot[support[i + 3]], start:stop],
            factors[i],
            factors[i + 1],
            factors[i + 2],
            factors[i + 3],
            out,
        )
    for i in range(tiled, size):
        _add_one(cache[slot[support[i]], start:stop], factors[i], out)


@kernel(fastmath=_FAST)
def _lower(row, product, g, rest, coefficient):
    for j in range(g.size):
        g[j] -= coefficient * row[j]
        rest[j] -= product[j] * row[j]


@kernel(fastmath=_FAST)
def _gains_of_growth(g, rest, least, out):
    for j in range(g.size):
        out[j] = g[j] * g[j] / rest[j] if rest[j] > least else -1.0


@kernel(fastmath=_FAST)
def _gains_of_swaps(product, g, rest, least, coefficient, square, out):
    """Raise `out` to the gains of putting each column in the place of one."""
    shift, factor, lost = coefficient / square, 1.0 / square, coefficient**2 / square
    for j in range(g.size):
        new = g[j] + product[j] * shift
        left = rest[j] + product[j] * product[j] * factor
        gain = (new * new / left if left > least else 0.0) - lost
        out[j] = max(out[j], gain)


@kernel
def _best_entry(cache, slot, q, blocked, diagonal, support, size, inverse, w, grow):
    """Column whose entry, alone or in exchange, lowers the loss most, and by what."""
    n_columns = q.size
    products = np.empty((size, _TILE))
    g, rest, gains = np.empty(_TILE), np.empty(_TILE), np.empty(_TILE)
    least = DEPENDENT * diagonal
    best, entering = -1.0, -1
    for start in range(0, n_columns, _TILE):
        stop = min(start + _TILE, n_columns)
        m = stop - start
        for j in range(m):
            g[j] = q[start + j]
            rest[j] = diagonal + blocked[start + j]
            gains[j] = -1.0
        for i in range(size):
            _combine(
                cache, slot, support, size, start, stop, inverse[i], products[i, :m]
            )
            row = cache[slot[support[i]], start:stop]
            _lower(row, products[i, :m], g[:m], rest[:m], w[i])
        if grow:
            _gains_of_growth(g[:m], rest[:m], least, gains[:m])
        else:
            for i in range(size):
                _gains_of_swaps(
                    products[i, :m],
                    g[:m],
                    rest[:m],
                    least,
                    w[i],
                    inverse[i, i],
                    gains[:m],
                )
        for j in range(m):
            if gains[j] > best:
                best, entering = gains[j], start + j
    return entering, best


@kernel
def _leaving_for(cache, slot, q, diagonal, support, size, inverse, w, entering):
    """Position whose exchange for a column gains most."""
    products = np.zeros(size)
    new, rest = q[entering], diagonal
    for i in range(size):
        for other in range(size):
            products[i] += inverse[i, other] * cache[slot[support[other]], entering]
        shared = cache[slot[support[i]], entering]
        new -= w[i] * shared
        rest -= products[i] * shared
    best, leaving = -np.inf, 0
    for i in range(size):
        square = inverse[i, i]
        left = rest + products[i] ** 2 / square
        if left > DEPENDENT * diagonal:
            gain = (new + products[i] * w[i] / square) ** 2 / left - w[i] ** 2 / square
            if gain > best:
                best, leaving = gain, i
    return leaving


@kernel
def _least_useful(size, inverse, w):
    position = 0
    for i in range(1, size):
        least = w[position] ** 2 / inverse[position, position]
        if w[i] ** 2 / inverse[i, i] < least:
            position = i
    return position


@kernel
def _fit(cache, slot, q, diagonal, support, size, factor, inverse, w):
    """Drop dependent columns, then fit; return the size and the loss."""
    while True:
        bad = _invert(cache, slot, support, size, diagonal, factor, inverse)
        if bad < 0:
            break
        size -= 1
        for i in range(bad, size):
            support[i] = support[i + 1]
    loss = 1.0
    for i in range(size):
        w[i] = 0.0
        for other in range(size):
            w[i] += inverse[i, other] * q[support[other]]
        loss -= w[i] * q[support[i]]
    return size, loss


@kernel
def improve(cache, slot, q, blocked, diagonal, support, size, target, max_moves):
    """Grow or shrink a support to a size, then swap while that lowers the loss.

    The gain of putting j in the place of i is, with B the inverse of the support's
    Gram matrix, ``w = B q_S``, ``T = G_S B``, g the correlations with the residual
    and delta what the support leaves of the columns' squares,
    ``(g_j + T_ji w_i / B_ii)^2 / (delta_j + T_ji^2 / B_ii) - w_i^2 / B_ii``.

    Parameters
    ----------
    cache, slot, q, blocked, diagonal
        See the top of this file.
    support : ndarray of shape (most,), intp
        Columns, the first `size` of them in use; changed in place.
    size, target : int
        Its size, and the one that is wanted, at most `most`.
    max_moves : int
        Largest number of moves.

    Returns
    -------
    size : int
        Smaller than `target` if the other columns depend on these.
    loss : float
    missing : int
        Column of the support that the cache must get before one goes on; -1 if the
        support is a local optimum.
    """
    most = support.size
    factor, inverse = np.empty((most, most)), np.empty((most, most))
    w = np.empty(most)
    size, loss = _fit(cache, slot, q, diagonal, support, size, factor, inverse, w)
    for _ in range(max_moves):
        if size > target:
            leaving = _least_useful(size, inverse, w)
            size -= 1
            for i in range(leaving, size):
                support[i] = support[i + 1]
        else:
            grow = size < target
            for i in range(size):
                blocked[support[i]] = np.inf
            entering, gain = _best_entry(
                cache, slot, q, blocked, diagonal, support, size, inverse, w, grow
            )
            for i in range(size):
                blocked[support[i]] = 0.0
            if entering < 0 or gain <= _ROUNDING + (0.0 if grow else 1e-10 * loss):
                break
            if grow:
                support[size] = entering
                size += 1
            else:
                leaving = _leaving_for(
                    cache, slot, q, diagonal, support, size, inverse, w, entering
                )
                support[leaving] = entering
            if slot[entering] < 0:
                return size, loss, entering
        size, loss = _fit(cache, slot, q, diagonal, support, size, factor, inverse, w)
    return size, loss, -1
