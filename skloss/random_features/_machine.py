"""Fitted models that predict: coefficients of features, or of training rows."""

import numpy as np
from scipy import sparse

from skloss._blocks import row_blocks, rows_per_block
from skloss._parallel import map_row_blocks, one_blas_thread, threads_for
from skloss.random_features._data import is_fetched
from skloss.random_features._dual import block_of_features
from skloss.random_features._feature_map import HELD
from skloss.random_features.limiting_kernel import kernel_of

__all__ = ["FeatureMachine", "KernelMachine"]


class FeatureMachine:
    """Coefficients of features.

    Parameters
    ----------
    feature_map : FeatureMap
        What the features are.
    dtype : numpy dtype
        Of the rows that it was fitted to.
    """

    def __init__(self, feature_map, dtype):
        self.map, self.dtype = feature_map, np.dtype(dtype)
        size = feature_map.n_components * feature_map.weights.n_features
        self.units = None if size > HELD else self._units(self.dtype)

    def _units(self, dtype):
        return self.map.units(0, self.map.n_components, dtype)

    def predict(self, blocks, coef, intercept, dtype, n_jobs=None):
        """Predict rows.

        Parameters
        ----------
        blocks : RowBlocks
            Rows.
        coef : ndarray of shape (k, t)
            Coefficients.
        intercept : ndarray of shape (t,)
            Intercepts.
        dtype : numpy dtype
            Of the arithmetic and of the predictions.
        n_jobs : int, default=None
            Threads.

        Returns
        -------
        ndarray of shape (n, t)
        """
        out = np.empty((blocks.n_rows, coef.shape[1]), dtype)
        coef = coef.astype(dtype)
        # Rows that have to be fetched are fetched once, many at a time.
        parts = blocks.iterate() if is_fetched(blocks) else [(0, len(out), blocks)]
        for start, stop, part in parts:
            self._fill(row_blocks(part), coef, out[start:stop], start, n_jobs)
        return out + intercept.astype(dtype)

    def _fill(self, blocks, coef, out, offset, n_jobs):
        """Write products of features and coefficients of rows from a number on."""
        n, k, dtype = len(out), len(coef), out.dtype
        step = k if self.units is not None else block_of_features(self.map, 4096)
        rows = rows_per_block(min(step, k), n_bytes=1 << 21, at_least=64)
        for start in range(0, k, step):
            stop = min(start + step, k)
            units = self._units_of(start, stop, dtype)

            def fill(first, last, units=units, start=start, stop=stop):
                features = np.empty((last - first, stop - start), dtype)
                # What overflows is told below.
                quiet = np.errstate(over="ignore", invalid="ignore")
                with one_blas_thread(), quiet:
                    self.map.features(blocks.rows(first, last), units, features)
                    part = features @ coef[start:stop]
                if not np.isfinite(part).all():
                    self.map.check_finite(features, offset + first)
                out[first:last] = part if start == 0 else out[first:last] + part

            with one_blas_thread():
                n_bytes = n * (stop - start) * dtype.itemsize
                map_row_blocks(fill, n, rows, threads_for(n_bytes, n_jobs))

    def _units_of(self, start, stop, dtype):
        if self.units is not None and self.dtype == dtype:
            return self.units
        return self.map.units(start, stop, dtype)


class KernelMachine:
    """Coefficients of training rows.

    Parameters
    ----------
    feature_map : FeatureMap
        Of which the kernel is the limit.
    X : ndarray or CSR array of shape (n, d)
        Training rows.
    dtype : numpy dtype
        Of the rows that it was fitted to.
    """

    def __init__(self, feature_map, X, dtype):
        self.map, self.X, self.dtype = feature_map, X, np.dtype(dtype)

    def predict(self, blocks, coef, intercept, dtype, n_jobs=None):
        """Predict rows; see `FeatureMachine.predict`."""
        out = np.empty((blocks.n_rows, coef.shape[1]), dtype)
        rows = rows_per_block(self.X.shape[0], n_bytes=1 << 23, at_least=16)
        for start, stop, X in blocks.iterate(rows):
            K = kernel_of(self.map, _as_is(X), self.X)
            out[start:stop] = K @ coef + intercept
        return out


def _as_is(X):
    return X if sparse.issparse(X) else np.asarray(X)
