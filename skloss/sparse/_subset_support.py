"""A support that columns enter and leave one at a time.

Columns have unit mean square, so does the target. The loss of a support S is
``1 - q_S' (G_SS + l2 I)^-1 q_S``, with the Gram matrix G, the correlations with the
target q, and ``diagonal = 1 + l2``. Each move changes what is known of a support by a
multiple of one vector, so that it costs O(k d).
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel

__all__ = ["DEPENDENT", "Support", "least_useful", "loss_of", "move_to", "place_of"]

DEPENDENT = 1e-9  # share of a column's square below which the rest counts as none
_SHAKY = 1e-4  # share below which its departure costs digits
_MOVES = 64  # after which the support is made anew, for it gathers rounding
_FAST = {"reassoc", "contract", "arcp", "nsz"}


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
def place_of(column, columns, size):
    for i in range(size):
        if columns[i] == column:
            return i
    return -1


@kernel
def move_to(held, grams, q, diagonal, wanted, size):
    """Let columns leave and enter until the support is the one that is wanted.

    Parameters
    ----------
    held : Support
        Changed in place. Columns that depend on others stay out.
    grams : Grams
        Among them, those of the columns.
    q, diagonal
        See the top of this file.
    wanted : ndarray of intp
        Columns, the first `size` of them in use.
    size : int
        Their number.
    """
    for at in range(held.count[0] - 1, -1, -1):
        if held.count[1] <= _MOVES and place_of(held.columns[at], wanted, size) < 0:
            _leave(held, at, diagonal)
    if held.count[1] > _MOVES:
        _clear(held, q, diagonal)
    for i in range(size):
        if place_of(wanted[i], held.columns, held.count[0]) < 0:
            _enter(held, grams, diagonal, wanted[i])


@kernel
def least_useful(held):
    """Place of the column whose departure raises the loss least."""
    position, least = 0, np.inf
    for i in range(held.count[0]):
        value = held.w[i] ** 2 / held.inverse[i, i]
        if value < least:
            position, least = i, value
    return position


@kernel
def loss_of(held, q):
    """Loss of the support."""
    loss = 1.0
    for i in range(held.count[0]):
        loss -= held.w[i] * q[held.columns[i]]
    return loss
