"""Columns of X centred and scaled, without changing the problem that is solved.

Newton's method does not care about the units of the columns, but its inner iteration
and float32 do. The penalty is carried over exactly: in standardised units the squared
coefficient of column j has the weight λ / d_j².
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skloss._blocks import narrow_csr_parts
from skloss._jit import kernel
from skloss._moments import column_moments, refuse_underflow
from skloss._validation import as_kernel_array, column_scale
from skloss.linear_eval._design import Columns, SparseRows
from skloss.losses.softmax_blocks import BLOCK_ROWS

__all__ = ["Rows", "Standardised", "standardise"]

# A column so small that the penalty on its standardised coefficient exceeds this has
# no influence on the fit; it is left out, and overflows nothing.
_LARGEST_RIDGE = 1e12
# Rows standardised at a time.
_BLOCK = 2 * BLOCK_ROWS


class Rows(NamedTuple):
    """The user's rows (n, p) with the center and inverse scale (p,) to apply."""

    data: np.ndarray
    center: np.ndarray
    scale: np.ndarray

    def blocks(self):
        """Yield ``(start, stop, Columns)`` in float64, valid until the next one."""
        n_samples, n_features = self.data.shape
        # A row length that is a power of two would map a column to one cache set.
        block = np.empty((n_features, _BLOCK + 8))
        for start in range(0, n_samples, _BLOCK):
            stop = min(start + _BLOCK, n_samples)
            _standardise_block(self.data, start, stop, self.center, self.scale, block)
            yield start, stop, Columns(block)


class Standardised(NamedTuple):
    """One data matrix in the two precisions of the solver.

    Parameters
    ----------
    fast : Columns or SparseRows
        Copy of `dtype` on which the iterations run.
    exact : Rows or SparseRows
        The user's data, standardised in float64 on the fly.
    center : ndarray of shape (p,)
        What is subtracted from the columns.
    scale : ndarray of shape (p,)
        What they are multiplied by afterwards; 0 for columns that are left out.
    """

    fast: NamedTuple
    exact: NamedTuple
    center: np.ndarray
    scale: np.ndarray

    @property
    def used(self):
        """Which columns take part."""
        return self.scale > 0

    def with_fast(self, dtype):
        """Return the same data with a fast copy of another precision."""
        if isinstance(self.exact, Rows):
            return self._replace(fast=_columns(self.exact, dtype))
        values = as_kernel_array(self.exact.data, dtype)
        return self._replace(fast=self.exact._replace(data=values))


def standardise(X, weights, *, penalty, center, dtype):
    """Standardise the columns of X.

    Parameters
    ----------
    X : C-contiguous ndarray or CSR matrix of shape (n, p)
        Data.
    weights : ndarray of shape (n,), float64
        Weights of the rows, summing to 1.
    penalty : float
        λ, the weight of the squared coefficients in the units of X.
    center : bool
        Whether there is an intercept, which absorbs the columns' means.
    dtype : dtype
        Precision of the fast copy.

    Returns
    -------
    Standardised
    """
    n_features = X.shape[1]
    mean, square = column_moments(X, weights, center=center)
    spread = np.sqrt(square)
    used = column_scale(mean, spread) == spread  # not constant
    used &= penalty / _LARGEST_RIDGE <= square
    refuse_underflow(X, weights, square, smallest=penalty / _LARGEST_RIDGE)
    scale = np.divide(1.0, spread, out=np.zeros(n_features), where=used)
    if sparse.issparse(X):
        values = as_kernel_array(X.data, np.float64)
        exact = SparseRows(values, *narrow_csr_parts(X)[1:], mean, scale)
    else:
        exact = Rows(as_kernel_array(X, X.dtype), mean, scale)
    return Standardised(None, exact, mean, scale).with_fast(dtype)


def _columns(rows, dtype):
    """Copy of the standardised rows, stored feature by feature."""
    copy = np.empty(rows.data.shape[::-1], dtype)
    for start, stop, block in rows.blocks():
        copy[:, start:stop] = block.data[:, : stop - start]
    return Columns(copy)


@kernel
def _standardise_block(X, start, stop, center, scale, out):
    """Copy rows start:stop of X (n, p) into the columns of `out`, standardised."""
    for i in range(stop - start):
        row = X[start + i]
        for j in range(X.shape[1]):
            out[j, i] = (row[j] - center[j]) * scale[j]
