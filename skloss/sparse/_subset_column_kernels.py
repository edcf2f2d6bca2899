"""Passes over dense columns where they lie: their spreads, and their products."""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel

__all__ = ["Table", "spreads", "two_products"]

_FAST = {"reassoc", "contract", "arcp", "nsz"}


class Table(NamedTuple):
    """Columns as they came, and how each is to be centred and scaled.

    Parameters
    ----------
    A : ndarray of shape (n, d) or (d, n)
        The data, or their transpose.
    by_column : bool
        Whether it is the transpose.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    mean, shrink : ndarray of shape (d,)
        What is subtracted from each column, and the factor of the difference.
    """

    A: np.ndarray
    by_column: bool
    weight: np.ndarray
    mean: np.ndarray
    shrink: np.ndarray

    @classmethod
    def empty(cls, d):
        """Make a table without rows."""
        return cls(np.empty((0, d)), False, np.empty(0), np.empty(0), np.empty(0))


@kernel(fastmath=_FAST)
def _add_rows(A, i, last, f, g, first, second):
    """Add eight rows with other factors to each of two sums.

    Memory is what limits: the second sum costs next to nothing. Behind the last row
    there are factors of 0.
    """
    a, b, c = min(i + 1, last), min(i + 2, last), min(i + 3, last)
    d, e, h, k = min(i + 4, last), min(i + 5, last), min(i + 6, last), min(i + 7, last)
    f0, f1, f2, f3 = f[i], f[i + 1], f[i + 2], f[i + 3]
    f4, f5, f6, f7 = f[i + 4], f[i + 5], f[i + 6], f[i + 7]
    g0, g1, g2, g3 = g[i], g[i + 1], g[i + 2], g[i + 3]
    g4, g5, g6, g7 = g[i + 4], g[i + 5], g[i + 6], g[i + 7]
    for j in range(first.size):
        x0, x1, x2, x3 = A[i, j], A[a, j], A[b, j], A[c, j]
        x4, x5, x6, x7 = A[d, j], A[e, j], A[h, j], A[k, j]
        total = f0 * x0 + f1 * x1 + f2 * x2 + f3 * x3 + f4 * x4 + f5 * x5
        first[j] += total + f6 * x6 + f7 * x7
        total = g0 * x0 + g1 * x1 + g2 * x2 + g3 * x3 + g4 * x4 + g5 * x5
        second[j] += total + g6 * x6 + g7 * x7


@kernel(fastmath=_FAST)
def _of_column(row, f, g):
    first, second = 0.0, 0.0
    for i in range(row.size):
        first += row[i] * f[i]
        second += row[i] * g[i]
    return first, second


@kernel
def two_products(table, one, other, first, second):
    """Products of the standardised columns with two of them.

    Parameters
    ----------
    table : Table or Grams
        With the fields of a `Table`.
    one, other : int
        The two.
    first, second : ndarray of shape (d,)
        Results.
    """
    A, by_column, mean, shrink = table.A, table.by_column, table.mean, table.shrink
    n = table.weight.size
    f, g = np.zeros(n + 7), np.zeros(n + 7)
    in_f, in_g = 0.0, 0.0
    for i in range(n):
        x, y = (A[one, i], A[other, i]) if by_column else (A[i, one], A[i, other])
        f[i] = (x - mean[one]) * shrink[one] * table.weight[i]
        g[i] = (y - mean[other]) * shrink[other] * table.weight[i]
        in_f += f[i]
        in_g += g[i]
    for j in range(first.size):
        first[j] = second[j] = 0.0
        if by_column:
            first[j], second[j] = _of_column(A[j], f, g)
    if not by_column:
        for i in range(0, n, 8):
            _add_rows(A, i, n - 1, f, g, first, second)
    for j in range(first.size):
        first[j] = (first[j] - in_f * mean[j]) * shrink[j]
        second[j] = (second[j] - in_g * mean[j]) * shrink[j]


@kernel(fastmath=_FAST)
def _spread_of_column(row, weight, mean):
    rest, square = 0.0, 0.0
    for i in range(row.size):
        left = row[i] - mean
        rest += weight[i] * left
        square += weight[i] * left * left
    return rest, square


@kernel(fastmath=_FAST)
def _add_spreads(A, i, last, weight, mean, rest, square):
    """Add what four rows give; behind the last one there are weights of 0."""
    a, b, c = min(i + 1, last), min(i + 2, last), min(i + 3, last)
    w0, w1, w2, w3 = weight[i], weight[i + 1], weight[i + 2], weight[i + 3]
    for j in range(mean.size):
        m = mean[j]
        x0, x1, x2, x3 = A[i, j] - m, A[a, j] - m, A[b, j] - m, A[c, j] - m
        rest[j] += w0 * x0 + w1 * x1 + w2 * x2 + w3 * x3
        square[j] += w0 * x0 * x0 + w1 * x1 * x1 + w2 * x2 * x2 + w3 * x3 * x3


@kernel
def spreads(A, by_column, weight, mean, rest, square):
    """Weighted means and mean squares of what is left of columns without some numbers.

    Parameters
    ----------
    A, by_column, weight
        As in `Table`.
    mean : ndarray of shape (d,)
        What to subtract.
    rest, square : ndarray of shape (d,)
        Results.
    """
    n = weight.size
    padded = np.zeros(n + 3)
    for i in range(n):
        padded[i] = weight[i]
    for j in range(mean.size):
        rest[j] = square[j] = 0.0
        if by_column:
            rest[j], square[j] = _spread_of_column(A[j], padded, mean[j])
    if not by_column:
        for i in range(0, n, 4):
            _add_spreads(A, i, n - 1, padded, mean, rest, square)
