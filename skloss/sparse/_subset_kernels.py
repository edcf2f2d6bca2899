"""Compiled parts of the subset search on Gram matrices.

Columns have unit mean square, so does the target. The loss of a support S is
``1 - q_S' (G_SS + l2 I)^-1 q_S``, with the Gram matrix G, the correlations with the
target q, and ``diagonal = 1 + l2``. `blocked` holds infinity for columns that must not
enter.

A search holds a `Support`, which columns enter and leave one at a time: each changes
it by a multiple of one vector, so that a move costs O(k d).
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel

__all__ = ["DEPENDENT", "Grams", "Support", "improve"]

DEPENDENT = 1e-7  # share of a column's square below which the rest counts as none
_SHAKY = 1e-4  # share below which its departure costs digits
_MOVES = 64  # after which the support is made anew, for it gathers rounding
_ROUNDING = 1e-13  # of losses computed from Gram matrices
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
    Z : ndarray of shape (n, d) or (0, d)
        Data from which kernels make further ones; empty if they cannot.
    """

    rows: np.ndarray
    slot: np.ndarray
    count: np.ndarray
    Z: np.ndarray


class Support(NamedTuple):
    """Columns in the model, and what the search has to know about all others.

    Parameters
    ----------
    columns : ndarray of shape (most,), intp
        S, the first ``count[0]`` of them in use.
    count : ndarray of shape (2,), intp
        Their number, and the moves since everything was computed anew.
    inverse : ndarray of shape (most, most)
        B, the inverse of their Gram matrix with its ridge.
    w : ndarray of shape (most,)
        Coefficients ``B q_S``.
    products : ndarray of shape (most, d)
        T: coefficients of all columns on those of the support, ``B G_S``.
    g : ndarray of shape (d,)
        Correlations with the residual.
    rest : ndarray of shape (d,)
        What the support leaves of the squares of the columns.
    """

    columns: np.ndarray
    count: np.ndarray
    inverse: np.ndarray
    w: np.ndarray
    products: np.ndarray
    g: np.ndarray
    rest: np.ndarray

    @classmethod
    def empty(cls, most, q, diagonal):
        """Make the empty support of up to `most` columns."""
        return cls(
            np.zeros(most, dtype=np.intp),
            np.zeros(2, dtype=np.intp),
            np.zeros((most, most)),
            np.zeros(most),
            np.empty((most, len(q))),
            q.copy(),
            np.full(len(q), diagonal),
        )


@kernel
def _fill(out, value):
    for j in range(out.size):
        out[j] = value


@kernel(fastmath=_FAST)
def _add(row, factor, out):
    for j in range(out.size):
        out[j] += factor * row[j]


@kernel(fastmath=_FAST)
def _add_squares(row, factor, out):
    for j in range(out.size):
        out[j] += factor * row[j] * row[j]


@kernel(fastmath=_FAST)
def _add_rows(Z, i, factors, out):
    """Add eight rows, which share the loads and the stores of the sum."""
    f0, f1, f2, f3 = factors[i], factors[i + 1], factors[i + 2], factors[i + 3]
    f4, f5, f6, f7 = factors[i + 4], factors[i + 5], factors[i + 6], factors[i + 7]
    for j in range(out.size):
        total = f0 * Z[i, j] + f1 * Z[i + 1, j] + f2 * Z[i + 2, j] + f3 * Z[i + 3, j]
        total += f4 * Z[i + 4, j] + f5 * Z[i + 5, j]
        out[j] += total + f6 * Z[i + 6, j] + f7 * Z[i + 7, j]


@kernel
def _has(grams, column):
    """Whether a Gram column is there, or there was room to make it."""
    rows, slot, count, Z = grams
    if slot[column] >= 0:
        return True
    n = Z.shape[0]
    if n == 0 or count[0] == rows.shape[0]:
        return False
    slot[column] = count[0]
    count[0] += 1
    out, factors = rows[slot[column]], np.empty(n)
    for i in range(n):
        factors[i] = Z[i, column]
    _fill(out, 0.0)
    tiled = n - n % 8
    for i in range(0, tiled, 8):
        _add_rows(Z, i, factors, out)
    for i in range(tiled, n):
        _add(Z[i], factors[i], out)
    return True


@kernel
def _clear(held, q, diagonal):
    held.count[0] = held.count[1] = 0
    _fill(held.g, 0.0)
    _add(q, 1.0, held.g)
    _fill(held.rest, diagonal)


@kernel
def _enter(held, grams, diagonal, column):
    """Let a cached column enter, unless it depends on the others."""
    columns, count, B, w, T, g, rest = held
    size = count[0]
    rows, slot = grams.rows, grams.slot
    row, new = rows[slot[column]], T[size]
    square = diagonal
    for m in range(size):
        B[size, m] = T[m, column]
        square -= T[m, column] * row[columns[m]]
    if square <= DEPENDENT * diagonal:
        return
    _fill(new, 0.0)
    _add(row, 1.0, new)
    for m in range(size):
        _add(rows[slot[columns[m]]], -B[size, m], new)
    for m in range(size):  # of those the ridge is not in the cache
        new[columns[m]] = 0.0
    new[column] = square
    c = g[column] / square
    _add(new, -c, g)
    _add_squares(new, -1.0 / square, rest)
    for j in range(new.size):
        new[j] /= square
    for m in range(size):
        u = B[size, m]
        _add(new, -u, T[m])
        w[m] -= c * u
        for other in range(size):
            B[m, other] += u * B[size, other] / square
    for m in range(size):
        B[size, m] /= -square
        B[m, size] = B[size, m]
    B[size, size], w[size], columns[size] = 1.0 / square, c, column
    g[column] = rest[column] = 0.0
    count[0] += 1
    count[1] += 1


@kernel
def _leave(held, at, diagonal):
    """Let the column at a place leave; the last one takes the place."""
    columns, count, B, w, T, g, rest = held
    size = count[0]
    square = 1.0 / B[at, at]
    for m in range(size):
        if m != at:
            factor = B[m, at] * square
            _add(T[at], -factor, T[m])
            w[m] -= factor * w[at]
            for other in range(size):
                if other != at:
                    B[m, other] -= factor * B[at, other]
    _add(T[at], w[at] * square, g)
    _add_squares(T[at], square, rest)
    last = size - 1
    if at != last:
        _fill(T[at], 0.0)
        _add(T[last], 1.0, T[at])
        for m in range(last):
            B[at, m] = B[last, m]
        B[at, at] = B[last, last]
        for m in range(last):
            B[m, at] = B[at, m]
        w[at], columns[at] = w[last], columns[last]
    count[0] = last
    count[1] += _MOVES if square < _SHAKY * diagonal else 1


@kernel
def _place(column, columns, size):
    for i in range(size):
        if columns[i] == column:
            return i
    return -1


@kernel
def _is_known(held, known):
    """Whether the support is one that is known, in whatever order."""
    size = held.count[0]
    for i in range(size):
        if _place(held.columns[i], known, known.size) < 0:
            return False
    return known.size == size


@kernel
def _least_useful(held):
    position, least = 0, np.inf
    for i in range(held.count[0]):
        value = held.w[i] ** 2 / held.inverse[i, i]
        if value < least:
            position, least = i, value
    return position


@kernel
def _best_growth(g, rest, blocked, least, pursuit):
    """Column whose entry lowers the loss most, or correlates most; -1 for none."""
    best, entering = _ROUNDING, -1
    for j in range(g.size):
        left = rest[j] + blocked[j]
        square = 1.0 + blocked[j] if pursuit else left
        if g[j] * g[j] > best * square and left > least:
            best, entering = g[j] * g[j] / square, j
    return entering


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
    """Exchange that lowers the loss most: place and column (-1: none)."""
    best = _ROUNDING + wanted
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
            if new * new > (best + lost) * left and left > least:
                best = new * new / left - lost
                leaving, entering = i, j
    return leaving, entering


@kernel
def _write(held, support, q):
    """Copy the columns; return their number and the loss."""
    loss = 1.0
    for i in range(held.count[0]):
        support[i] = held.columns[i]
        loss -= held.w[i] * q[support[i]]
    return held.count[0], loss


@kernel
def improve(
    grams,
    q,
    blocked,
    diagonal,
    held,
    support,
    size,
    target,
    known,
    pursuit,
    max_moves,
):
    """Grow or shrink a support to a size, then swap while that lowers the loss.

    The gain of putting j in the place of i is, with B the inverse of the support's
    Gram matrix, ``w = B q_S``, ``T = B G_S``, g the correlations with the residual
    and delta what the support leaves of the columns' squares,
    ``(g_j + T_ij w_i / B_ii)^2 / (delta_j + T_ij^2 / B_ii) - w_i^2 / B_ii``.

    Parameters
    ----------
    grams : Grams
        Among them, those of the columns to start from.
    q, blocked, diagonal
        See the top of this file.
    held : Support
        Of any columns; moved to the result.
    support : ndarray of shape (most,), intp
        Columns to start from, the first `size` of them in use; changed in place.
    size, target : int
        Their number, and the one that is wanted, at most `most`.
    known : ndarray of intp
        A local optimum, where the search may stop at once.
    pursuit : bool
        Whether to grow by what correlates most with the residual, and not to swap, as
        orthogonal matching pursuit does.
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
    least = DEPENDENT * diagonal
    for _ in range(max_moves):
        for at in range(held.count[0] - 1, -1, -1):
            if held.count[1] <= _MOVES and _place(held.columns[at], support, size) < 0:
                _leave(held, at, diagonal)
        if held.count[1] > _MOVES:
            _clear(held, q, diagonal)
        for i in range(size):
            if _place(support[i], held.columns, held.count[0]) < 0:
                _enter(held, grams, diagonal, support[i])
        size, loss = _write(held, support, q)
        if size > target:
            size -= 1
            support[_least_useful(held)] = support[size]
            continue
        if size < target:
            leaving = size
            entering = _best_growth(held.g, held.rest, blocked, least, pursuit)
        elif pursuit or _is_known(held, known):
            break
        else:
            leaving, entering = _best_swap(held, blocked, least, 1e-10 * loss)
        if entering < 0:
            break
        support[leaving] = entering
        size = max(size, leaving + 1)
        if not _has(grams, entering):
            return size, loss, entering
    return size, loss, -1
