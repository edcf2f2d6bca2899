"""How the distances of a block of candidates to all points are computed.

An engine is made once for a set of points and then asked for blocks:
``fill(candidates, out, first)`` writes the distance of row i of `candidates` to point
o >= `first` to ``out[i, o]``. `out` (n_candidates, n_points) is C-contiguous. Engines
keep no state between calls, so that several threads may ask at once; these enter
``context()`` around all of their calls. Blocks of about ``block_bytes`` suit it best.
"""

import contextlib
import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.metrics import pairwise_distances
from sklearn.utils.extmath import safe_sparse_dot

from skloss._blocks import csr_parts, rows_per_block
from skloss._parallel import one_blas_thread
from skloss._validation import as_kernel_array
from skloss.kernels import _distance_kernels as kernels

__all__ = [
    "ByProducts",
    "BySparseProducts",
    "Directly",
    "OfDirections",
    "Part",
    "WithScikitLearn",
    "scaled",
    "unit_rows",
]

# Products that a strip of points has with a block of candidates: they are in the
# second-level cache still when they become distances. Smaller ones slow BLAS down.
_STRIP_BYTES = 1 << 21
# A block that stays in a core's second-level cache until it has been looked at; and one
# with enough rows for BLAS, which packs all points for every block.
_CACHED_BYTES = 1 << 21
_PACKED_BYTES = 1 << 22
# Squared distances below this share of the squared norms are computed from the rows:
# products have lost more than three, or nine, decimals to cancellation there.
_NEARBY = {np.dtype(np.float32): 1e-3, np.dtype(np.float64): 1e-6}


# For which rows metrics are not defined.
_UNDEFINED = {
    "braycurtis": "of which the entries cancel or are all 0",
    "correlation": "of which one is constant",
    "dice": "that are all False",
    "sokalsneath": "that are all False",
}


class Part(NamedTuple):
    """A metric over some columns.

    Parameters
    ----------
    metric : NamedTuple
        One of `skloss.kernels._distance_kernels`.
    encode : callable
        ``encode(X)`` gives the rows that the metric is computed from.
    weights : ndarray or None
        One weight for each encoded column, for metrics that use them.
    """

    metric: NamedTuple
    encode: callable = lambda X: X
    weights: np.ndarray | None = None


def scaled(scale, columns=slice(None)):
    """Encode rows as multiples of their columns."""
    return lambda X: X[:, columns] * scale


def unit_rows(X):
    """Divide rows by their norms; rows of zeros stay as they are."""
    if sparse.issparse(X):
        norms = np.sqrt(np.asarray(X.multiply(X).sum(axis=1), float)).ravel()
        norms[norms == 0] = 1
        return sparse.csr_array(X.multiply(1 / norms[:, None]))
    # The largest entry first: squares of the rest neither overflow nor vanish.
    largest = np.abs(X).max(axis=1, initial=0).astype(np.float64)
    largest[largest == 0] = 1
    rows = X / largest[:, None]
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    norms[norms == 0] = 1
    rows /= norms[:, None]
    return rows


class Directly:
    """Distances feature by feature: each depends on its two rows alone.

    Parameters
    ----------
    parts : list of Part
        Metrics to be added up.
    X : ndarray of shape (n_points, n_features)
        The points.
    dtype : numpy dtype
        float32 or float64.
    """

    context = staticmethod(contextlib.nullcontext)
    block_bytes = _CACHED_BYTES

    def __init__(self, parts, X, dtype):
        self._parts, self._dtype = parts, dtype
        self._points, self._weights = [], []
        for part in parts:
            points = as_kernel_array(part.encode(X).T, dtype)
            weights = np.ones(len(points)) if part.weights is None else part.weights
            self._points.append(points)
            self._weights.append(as_kernel_array(weights, dtype))

    def fill(self, candidates, out, first=0):
        fresh = True
        for part, points, weights in zip(self._parts, self._points, self._weights):
            rows = as_kernel_array(part.encode(candidates), self._dtype)
            kernels.fill_block(part.metric, rows, points, weights, first, fresh, out)
            fresh = False

    def features(self):
        """Metric, encoded points (n_features, n_points) and weights of each part."""
        metrics = [part.metric for part in self._parts]
        return list(zip(metrics, self._points, self._weights))


class ByProducts:
    """Distances made of squared differences, from the products of centred rows.

    Centring keeps the products from swamping distances between points that are far
    from the origin.

    Parameters
    ----------
    part : Part
        With metric Euclidean, SquaredEuclidean or HalfSquared.
    X : ndarray of shape (n_points, n_features)
        The points.
    dtype : numpy dtype
        float32 or float64.
    """

    context = staticmethod(one_blas_thread)
    block_bytes = _PACKED_BYTES

    def __init__(self, part, X, dtype):
        self._part, self._dtype = part, dtype
        self._nearby = dtype.type(_NEARBY[dtype])
        encoded = part.encode(X)
        self._mean = encoded.mean(axis=0, dtype=np.float64)
        self._points, self._norms = self._centred(encoded)

    def _centred(self, encoded):
        centred = np.empty(encoded.shape, self._dtype)
        np.subtract(encoded, self._mean, out=centred, casting="same_kind")
        norms = np.empty(len(centred), self._dtype)
        rows = as_kernel_array(centred, self._dtype)
        kernels.squared_norms(rows, norms)
        return rows, as_kernel_array(norms, self._dtype)

    def fill(self, candidates, out, first=0):
        rows, norms = self._centred(self._part.encode(candidates))
        n_points = out.shape[1]
        step = rows_per_block(
            len(rows), self._dtype.itemsize, n_bytes=_STRIP_BYTES, at_least=256
        )
        # Overflow shows in the distances, where callers look for it.
        with one_blas_thread(), np.errstate(over="ignore", invalid="ignore"):
            for start in range(first, n_points, step):
                stop = min(start + step, n_points)
                np.matmul(rows, self._points[start:stop].T, out=out[:, start:stop])
                kernels.finish_products(
                    self._part.metric, rows, norms, self._points, self._norms,
                    self._nearby, start, stop, out,
                )  # fmt: skip


class BySparseProducts:
    """The same for rows of CSR arrays, which cannot be centred.

    Parameters
    ----------
    part : Part
        With metric Euclidean, SquaredEuclidean or HalfSquared.
    X : sparse array of shape (n_points, n_features)
        The points.
    dtype : numpy dtype
        float32 or float64.
    """

    context = staticmethod(contextlib.nullcontext)
    block_bytes = _CACHED_BYTES

    def __init__(self, part, X, dtype):
        self._part, self._dtype = part, dtype
        self._nearby = dtype.type(_NEARBY[dtype])
        self._points, *self._arrays = self._described(X)

    def _described(self, X):
        rows = sparse.csr_array(self._part.encode(X), dtype=self._dtype)
        if not rows.has_canonical_format:
            rows = rows.copy()
            rows.sum_duplicates()
        data, indices, indptr = csr_parts(rows)
        norms = np.empty(rows.shape[0], self._dtype)
        kernels.sparse_squared_norms(data, indptr, norms)
        return rows, data, indices, indptr, as_kernel_array(norms, self._dtype)

    def fill(self, candidates, out, first=0):
        rows, *arrays = self._described(candidates)
        points = self._points[first:] if first else self._points
        out[:, first:] = safe_sparse_dot(rows, points.T, dense_output=True)
        kernels.finish_sparse_products(
            self._part.metric, *arrays, *self._arrays, self._nearby, first, out
        )


class OfDirections:
    """Cosine distances: rows of zeros are at distance 1 from every row.

    Parameters
    ----------
    engine : Directly, ByProducts or BySparseProducts
        Computes half the squared distances of unit rows, in which equal directions
        are 0 apart, whereas 1 less a cosine would be lost in rounding.
    X : ndarray or sparse array of shape (n_points, n_features)
        The points.
    """

    def __init__(self, engine, X):
        self._engine = engine
        self.context, self.block_bytes = engine.context, engine.block_bytes
        self._zeros = _zero_rows(X)

    def fill(self, candidates, out, first=0):
        self._engine.fill(candidates, out, first)
        out[_zero_rows(candidates)] = 1
        if len(self._zeros):
            out[:, self._zeros] = 1


def _zero_rows(X):
    if sparse.issparse(X):
        return np.flatnonzero(np.asarray(abs(X).sum(axis=1)).ravel() == 0)
    return np.flatnonzero(~X.any(axis=1))


class WithScikitLearn:
    """Any metric of `sklearn.metrics.pairwise_distances`, callables included.

    Parameters
    ----------
    metric : str or callable
        As in scikit-learn. A callable is given a point and a candidate.
    params : dict
        Further arguments of the metric.
    X : ndarray or sparse array of shape (n_points, n_features)
        The points.
    boolean : bool, default=False
        Whether the metric takes truth values.
    """

    context = staticmethod(contextlib.nullcontext)
    block_bytes = _CACHED_BYTES

    def __init__(self, metric, params, X, *, boolean=False):
        self._metric, self._params, self._boolean = metric, params, boolean
        if boolean and X.dtype != bool:
            warnings.warn(
                f"Data was converted to boolean for metric {metric!r}.",
                DataConversionWarning,
                stacklevel=4,
            )
        self._points = self._encode(X)

    def _encode(self, X):
        return X.astype(bool, copy=False) if self._boolean else X

    def fill(self, candidates, out, first=0):
        block = pairwise_distances(
            self._points[first:],
            self._encode(candidates),
            metric=self._metric,
            n_jobs=1,
            **self._params,
        )
        if not np.isfinite(block).all():
            o, i = np.argwhere(~np.isfinite(block))[0]
            raise ValueError(
                f"metric={self._metric!r} gave {block[o, i]} for a pair of rows"
                f"{self._reason(block[o, i])}; distances must be finite."
            )
        out[:, first:] = block.T

    def _reason(self, value):
        reason = None if callable(self._metric) else _UNDEFINED.get(self._metric)
        return f" {reason}" if reason and np.isnan(value) else ""
