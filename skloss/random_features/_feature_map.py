"""Random features of rows, a block at a time, from nothing but a seed and a width."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils.extmath import safe_sparse_dot

from skloss._blocks import rows_per_block
from skloss.random_features._activations import (
    BOUNDED,
    IN_HALF_TURNS,
    Cos,
    Exp,
    SinCos,
    apply,
    expand,
    find_activation,
)
from skloss.random_features._weights import Weights

__all__ = ["HELD", "FeatureMap", "Units"]

HELD = 1 << 22  # numbers of weights up to which they are kept
_ROOT_2 = np.sqrt(2.0)


class Units(NamedTuple):
    """Weights and offsets of consecutive units, in one dtype.

    Parameters
    ----------
    first : int
        Number of the first unit.
    rows : ndarray of shape (m, d) or None
        Weights; None where products are made without them.
    offset : ndarray of shape (m,)
        Offsets. For activations that turn, both are in half turns, and the cosine's
        are half of one ahead.
    """

    first: int
    rows: np.ndarray | None
    offset: np.ndarray


class FeatureMap(NamedTuple):
    """What determines random features.

    Parameters
    ----------
    weights : Weights
        Of the units.
    activation : str or callable
        What units do.
    negative_slope : float
        Of "leaky_relu".
    bias : float
        Standard deviation of the offsets, where they are not phases.
    n_components : int
        Number of features, by the root of which they are divided.
    gamma : float
        Half of the variance of each weight.
    """

    weights: Weights
    activation: object
    negative_slope: float
    bias: float
    n_components: int
    gamma: float

    @property
    def is_paired(self):
        """Whether each unit gives two features."""
        return self.activation == "sincos"

    def units(self, start, stop, dtype):
        """Units that features `start` to ``stop - 1`` come from.

        Parameters
        ----------
        start, stop : int
            Features; `start` is even where features come in pairs.
        dtype : numpy dtype
            float32 or float64.

        Returns
        -------
        Units
        """
        if self.is_paired:
            start, stop = start // 2, (stop + 1) // 2
        weights = self.weights
        rows = None if weights.is_structured else weights.rows(start, stop)
        offset = self.offsets(start, stop)
        if self._turns:
            rows = None if rows is None else rows / np.pi
            offset = offset / np.pi + (0.5 if self.activation == "cos" else 0.0)
        # Their transpose is what rows are multiplied with: sparse products copy it
        # unless it is contiguous.
        rows = None if rows is None else np.asfortranarray(rows, dtype=dtype)
        return Units(start, rows, offset.astype(dtype))

    @property
    def _turns(self):
        is_named = isinstance(self.activation, str)
        return is_named and self.activation in IN_HALF_TURNS

    def offsets(self, start, stop):
        """Offsets of units `start` to ``stop - 1``, float64."""
        if self.activation == "cos":
            return self.weights.uniform_offsets(start, stop)
        if self.bias:
            return self.bias * self.weights.normal_offsets(start, stop)
        return np.zeros(stop - start)

    def features(self, X, units, out, shift=None):
        """Features of rows.

        Parameters
        ----------
        X : ndarray or CSR array of shape (n, d)
            Rows.
        units : Units
            The units wanted, in the dtype of `out`.
        out : ndarray of shape (n, m)
            Result, C-contiguous, float32 or float64.
        shift : ndarray of shape (m,), default=None
            What is to be subtracted from the features.

        Returns
        -------
        ndarray
            `out`.
        """
        dtype = out.dtype
        shift = np.zeros(out.shape[1], dtype) if shift is None else shift
        act = find_activation(self.activation, self.negative_slope, dtype)
        factor = _ROOT_2 if isinstance(act, Cos) else 1.0
        factor = _ROOT_2 if isinstance(act, SinCos) else factor
        scale = dtype.type(factor / np.sqrt(self.n_components))
        if isinstance(act, SinCos):
            U = np.empty((len(out), units.offset.size), dtype)
            self._products(X, units, U)
            expand(U, units.offset, scale, shift, out)
            return out
        self._products(X, units, out)
        if not isinstance(act, tuple):
            out += units.offset
            out[...] = _called(act, out)
            out *= scale
            out -= shift
            return out
        of_row = np.zeros(len(out), dtype)
        if isinstance(act, Exp):
            of_row -= 0.5 * self.variances(X).astype(dtype)
        apply(act, out, units.offset, of_row, scale, shift)
        return out

    def stays_finite(self, X, dtype):
        """Tell whether features cannot overflow, without a look at them."""
        if isinstance(self.activation, str) and self.activation in BOUNDED:
            numbers = X.data if sparse.issparse(X) else X
            largest = max(numbers.max(initial=0.0), -numbers.min(initial=0.0))
            # The longest tails of weights are sixteen orders of magnitude long.
            return largest * self.weights.scale < np.finfo(dtype).max ** 0.4
        return False

    def check_finite(self, features, first=0):
        """Check features, of rows from a number on; raise ValueError."""
        with np.errstate(over="ignore", invalid="ignore"):
            total = features.sum()  # cheaper than to look at each of them
        if np.isfinite(total) or np.isfinite(features).all():
            return
        row = first + int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise ValueError(
            f"activation={self.activation!r} gives features of X[{row}] that are not "
            f"finite in {features.dtype}, with gamma={self.gamma:.6g}."
        )

    def variances(self, X):
        """Variances of what a unit receives from each row, over its weights."""
        if sparse.issparse(X):
            squares = np.asarray(X.multiply(X).sum(axis=1)).ravel()
        else:
            squares = np.einsum("ij,ij->i", X, X)
        return 2.0 * self.gamma * squares + self.bias**2

    def _products(self, X, units, out):
        if units.rows is None:
            few = rows_per_block(X.shape[1]) if sparse.issparse(X) else X.shape[0]
            for start in range(0, X.shape[0], max(few, 1)):
                part = X[start : start + few]
                part = part.toarray() if sparse.issparse(part) else part
                part = part.astype(out.dtype, copy=False)
                first, stop = units.first, units.first + units.offset.size
                out[start : start + few] = self.weights.project(part, first, stop)
            if self._turns:
                out /= out.dtype.type(np.pi)
        elif sparse.issparse(X):
            out[...] = safe_sparse_dot(X, units.rows.T)
        else:
            np.dot(X.astype(out.dtype, copy=False), units.rows.T, out=out)


def _called(function, U):
    """Let a user's function act on an array."""
    result = np.asarray(function(U))
    if result.shape != U.shape:
        raise ValueError(
            f"activation returned an array of shape {result.shape} for one of shape "
            f"{U.shape}: it must act on each number."
        )
    return result
