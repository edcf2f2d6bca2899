"""Features of the rows of a data set, a few rows at a time."""

import numpy as np
from scipy import sparse

from skloss._blocks import rows_per_block

__all__ = ["FeatureRows"]

_IN_CACHE = 1 << 19  # bytes of features that are used while they are in the cache
_LEAST_ROWS = 64  # below which products are slow


class FeatureRows:
    """Features of rows, computed anew in each pass.

    Parameters
    ----------
    feature_map : FeatureMap
        What the features are.
    units : Units
        All of its units.
    blocks : RowBlocks
        The rows.
    dtype : numpy dtype
        Of the features.
    weight : ndarray of shape (n,), default=None
        Of the rows. Those of weight 0 are taken for rows of zeros, so that nothing in
        them can overflow.
    """

    def __init__(self, feature_map, units, blocks, dtype, weight=None):
        self.map, self.units, self.source = feature_map, units, blocks
        self.weight = weight
        self.dtype, self.n_columns = np.dtype(dtype), feature_map.n_components
        self.few = rows_per_block(
            self.n_columns, self.dtype.itemsize, n_bytes=_IN_CACHE, at_least=_LEAST_ROWS
        )

    @property
    def n_rows(self):
        """Number of rows."""
        return self.source.n_rows

    def first(self, n_rows):
        """Compute the features of the first rows."""
        X = self._present(self.source.rows(0, min(n_rows, self.n_rows)), 0)
        return self._features(X, np.empty((X.shape[0], self.n_columns), self.dtype))

    def blocks(self, shift=None, room=None, few=None):
        """Go through the features of all rows, in order.

        Parameters
        ----------
        shift : ndarray of shape (k,), default=None
            What is to be subtracted.
        room : callable, default=None
            ``room(n)`` returns an array of shape (n, k) for the next features, n being
            `few` at most; by default all are written to one buffer.
        few : int, default=None
            Rows at a time; by default as many as stay in the cache.

        Yields
        ------
        start, stop : int
            Which rows these are.
        features : ndarray of shape (stop - start, k)
            Their features.
        """
        few = few or self.few
        if room is None:
            buffer = np.empty((min(few, self.n_rows), self.n_columns), self.dtype)
        shift = None if shift is None else shift.astype(self.dtype)
        for first, _, X in self.source.iterate():
            for start in range(0, X.shape[0], few):
                part = self._present(X[start : start + few], first + start)
                n = part.shape[0]
                out = buffer[:n] if room is None else room(n)
                features = self._features(part, out, shift)
                yield first + start, first + start + n, features

    def _present(self, X, start):
        """Make zeros of rows of weight 0."""
        if self.weight is None:
            return X
        present = self.weight[start : start + X.shape[0]] > 0
        if present.all():
            return X
        if sparse.issparse(X):
            return sparse.diags_array(present.astype(X.dtype)).tocsr() @ X
        return np.where(present[:, None], X, X.dtype.type(0))

    def _features(self, X, out, shift=None):
        return self.map.features(X, self.units, out, shift)
