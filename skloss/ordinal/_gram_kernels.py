"""Weighted Gram matrices of few columns, where BLAS spends its time on packing."""

import numpy as np

from skloss._jit import kernel

__all__ = ["SMALL", "add_small_gram"]

SMALL = 40  # columns up to which this wins
_ROWS = 128  # at a time: the columns stay in the first-level cache


@kernel(fastmath={"reassoc", "contract"})
def add_small_gram(Z, columns, lo, hi, weight, out):
    """Add ``R @ diag(weight) @ R.T`` to `out`, where ``R = Z[columns, lo:hi]``.

    Parameters
    ----------
    Z : ndarray of shape (p + 1, n)
        Columns of the design, each contiguous.
    columns : ndarray of shape (P,), intp
        Which of them.
    lo, hi : int
        Range of rows of the design.
    weight : ndarray of shape (hi - lo,)
        Weights.
    out : ndarray of shape (P, P)
        Symmetric; added to.
    """
    P = columns.size
    heavy = np.empty(_ROWS)
    for start in range(lo, hi, _ROWS):
        stop = min(start + _ROWS, hi)
        size = stop - start
        w = weight[start - lo : stop - lo]
        for j in range(P):
            # Slices, since of an index that is a sum its sign would be looked at.
            column = Z[columns[j], start:stop]
            for i in range(size):
                heavy[i] = column[i] * w[i]
            k = 0
            while k + 2 < j:  # four products share the loads of the weighted column
                c0, c1 = Z[columns[k], start:stop], Z[columns[k + 1], start:stop]
                c2, c3 = Z[columns[k + 2], start:stop], Z[columns[k + 3], start:stop]
                s0 = s1 = s2 = s3 = 0.0
                for i in range(size):
                    s0 += heavy[i] * c0[i]
                    s1 += heavy[i] * c1[i]
                    s2 += heavy[i] * c2[i]
                    s3 += heavy[i] * c3[i]
                out[j, k] += s0
                out[j, k + 1] += s1
                out[j, k + 2] += s2
                out[j, k + 3] += s3
                k += 4
            while k <= j:
                c0 = Z[columns[k], start:stop]
                s0 = 0.0
                for i in range(size):
                    s0 += heavy[i] * c0[i]
                out[j, k] += s0
                k += 1
    for j in range(P):
        for k in range(j):
            out[k, j] = out[j, k]
