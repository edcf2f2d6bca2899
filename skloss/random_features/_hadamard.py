"""Walsh-Hadamard transforms, and products with structured random matrices."""

import numpy as np

from skloss._jit import kernel
from skloss._random import sign

__all__ = ["fill_signs", "padded", "project", "transform"]


def padded(n):
    """Smallest power of two that is at least n."""
    return 1 << max(0, int(n) - 1).bit_length()


@kernel(fastmath={"contract"})
def transform(x):
    """Multiply a vector by the Hadamard matrix of Sylvester's order, in place.

    Parameters
    ----------
    x : ndarray of shape (n,)
        n is a power of two. The result is not normalised: twice the transform is n
        times the vector.
    """
    n, half = x.size, 1
    while half < n:
        for start in range(0, n, 2 * half):
            left, right = x[start : start + half], x[start + half : start + 2 * half]
            for j in range(half):
                a, b = left[j], right[j]
                left[j], right[j] = a + b, a - b
        half *= 2


@kernel
def fill_signs(key, stream, start, out):
    """Fill `out` (n,) with random signs of the indices `start` to ``start + n - 1``."""
    for i in range(out.size):
        out[i] = sign(key, stream, start + i)


@kernel(fastmath={"contract"})
def project(X, signs, first, scale, out):
    """Multiply rows by blocks ``H D1 H D2 H D3`` of structured random matrices.

    F. X. Yu, A. T. Suresh, K. Choromanski, D. Holtmann-Rice, S. Kumar, "Orthogonal
    Random Features", NeurIPS 2016, section 4.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows.
    signs : ndarray of shape (n_blocks, 3, p)
        Diagonals D3, D2 and D1 of each block; p is a power of two of at least d.
    first : int
        Feature of the first block that is wanted first.
    scale : float
        Factor of the result, in its dtype.
    out : ndarray of shape (n, m)
        Features `first` to ``first + m - 1`` of each row.
    """
    p, d = signs.shape[2], X.shape[1]
    buffer = np.empty(p, X.dtype)
    for i in range(X.shape[0]):
        row, result = X[i], out[i]
        done = 0
        for b in range(signs.shape[0]):
            for j in range(d):
                buffer[j] = row[j]
            for j in range(d, p):
                buffer[j] = 0.0
            for turn in range(3):
                diagonal = signs[b, turn]
                for j in range(p):
                    buffer[j] *= diagonal[j]
                transform(buffer)
            begin = first if b == 0 else 0
            count = min(p - begin, result.size - done)
            part, taken = result[done : done + count], buffer[begin : begin + count]
            for j in range(count):
                part[j] = scale * taken[j]
            done += count
