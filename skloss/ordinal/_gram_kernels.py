"""Weighted Gram matrices of few columns, where BLAS spends its time on packing."""

import numpy as np

from skloss._jit import kernel

__all__ = ["SMALL", "add_small_gram"]

SMALL = 16  # columns up to which this wins
_ROWS = 128  # at a time: 16 columns, plain and weighted, stay in the first-level cache


@kernel(fastmath={"reassoc", "contract"})
def add_small_gram(Z, weight, out):
    """Add ``Z.T @ diag(weight) @ Z`` to `out`.

    Rows are turned into short columns first: products of columns vectorise whatever
    their number, those of rows only if they are long.

    Parameters
    ----------
    Z : ndarray of shape (n, P)
        C-contiguous.
    weight : ndarray of shape (n,)
        Weights.
    out : ndarray of shape (P, P)
        Symmetric; added to.
    """
    n, P = Z.shape
    plain, weighted = np.empty((P, _ROWS)), np.empty((P, _ROWS))
    for start in range(0, n, _ROWS):
        size = min(_ROWS, n - start)
        for j in range(P):
            column, heavy = plain[j], weighted[j]
            for i in range(size):
                column[i] = Z[start + i, j]
                heavy[i] = column[i] * weight[start + i]
            for i in range(size, _ROWS):
                column[i] = heavy[i] = 0.0
        for j in range(P):
            column = plain[j]
            k = 0
            while k < j:  # two products share the loads of a column
                first, second = weighted[k], weighted[k + 1]
                a = b = 0.0
                for i in range(_ROWS):
                    a += column[i] * first[i]
                    b += column[i] * second[i]
                out[j, k] += a
                out[j, k + 1] += b
                k += 2
            if k == j:
                first = weighted[k]
                a = 0.0
                for i in range(_ROWS):
                    a += column[i] * first[i]
                out[j, k] += a
    for j in range(P):
        for k in range(j):
            out[k, j] = out[j, k]
