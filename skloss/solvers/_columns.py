"""Columns of a design, dense or sparse, centred without a copy of it."""

import numpy as np
from scipy import sparse

from skloss.solvers._checks import shares

__all__ = ["DenseColumns", "SparseColumns", "columns_of", "row_parts"]

_PART = 1 << 18  # numbers that are widened or centred at a time: they fit in a cache


def columns_of(X, weight, center):
    """Wrap a design.

    Parameters
    ----------
    X : ndarray or CSC array of shape (n, p)
        Design.
    weight : ndarray of shape (n,)
        Row weights.
    center : bool
        Whether to subtract the weighted means.

    Returns
    -------
    DenseColumns or SparseColumns
    """
    kind = SparseColumns if sparse.issparse(X) else DenseColumns
    return kind(X, weight, center)


class _Columns:
    """Columns of a design and the means that are still to be subtracted from them."""

    def __init__(self, X, weight, center):
        self.X, self.weight = X, weight
        self.total = weight.sum()
        self.mean = np.zeros(X.shape[1])
        if center:
            self._center(shares("weight", weight))

    def squares(self):
        return self._squares(self.weight)

    def products(self, kept, new):
        result = self._products(kept, new)
        if self.mean.any():
            result -= self.total * np.outer(self.mean[kept], self.mean[new])
        return result

    def scores(self, w):
        support = np.flatnonzero(w)
        few = 4 * support.size < w.size
        scores = self._at(support) @ w[support] if few else self._scores(w)
        return scores - self.mean @ w

    def back_product(self, r):
        """Product of all columns with a vector (n,), or with columns (n, b)."""
        return self._back_product(r) - np.multiply.outer(self.mean, r.sum(axis=0))

    @property
    def center(self):
        """What is subtracted, at once or later."""
        return self.mean

    def _cancels(self, row_shares):
        """Whether to subtract a column's mean later would cost over two digits."""
        return self.mean**2 > 100 * self._squares(row_shares)


class DenseColumns(_Columns):
    """Dense columns, centred (less `shift`) a part at a time where they must be."""

    shift = None

    @property
    def center(self):
        """What is subtracted, at once or later."""
        return self.mean if self.shift is None else self.shift

    def _center(self, row_shares):
        # Twice: what rounding makes the first mean miss is what the rest has.
        self.mean = self._back_product(row_shares)
        self.shift, self.mean = self.mean, np.zeros_like(self.mean)
        self.mean = self.shift + self._back_product(row_shares)
        self.shift = None
        if self._cancels(row_shares).any():
            self.shift, self.mean = self.mean, np.zeros_like(self.mean)

    def _squares(self, weight):
        total = np.zeros(self.X.shape[1])
        shift = self.center if self.center.any() else None
        for rows, part in row_parts(self.X, shift):
            total += weight[rows] @ np.square(part)
        return total

    def _products(self, kept, new):
        right = self._at(new)
        return self._at(kept).T @ (self.weight[:, None] * right)

    def _scores(self, w):
        if self._is_plain():
            return self.X @ w
        return np.concatenate([part @ w for _, part in row_parts(self.X, self.shift)])

    def _back_product(self, r):
        if self._is_plain():
            return self.X.T @ r
        total = np.zeros((self.X.shape[1], *r.shape[1:]))
        for rows, part in row_parts(self.X, self.shift):
            total += part.T @ r[rows]
        return total

    def suffix_products(self, chosen, n_new, weight, rows=None):
        """Products of chosen columns with the last of them; see `SparseColumns`."""
        k = len(chosen)
        out = np.zeros((k, n_new))
        for part in _ranges(len(weight), k):
            panel = self._panel(chosen, part if rows is None else rows[part])
            if n_new == k:  # of a matrix with itself, BLAS computes one half only
                panel *= np.sqrt(weight[part, None])
                out += panel.T @ panel
            else:
                out += panel.T @ (weight[part, None] * panel[:, k - n_new :])
        return out

    def scores_at(self, chosen, W, rows=None):
        """Product of chosen columns with coefficients (k, b), on some of the rows."""
        n_rows = self.X.shape[0] if rows is None else len(rows)
        if len(chosen) == self.X.shape[1] and self._is_plain():
            in_order = np.empty_like(W)
            in_order[chosen] = W
            return self._rows(rows) @ in_order - self.mean @ in_order
        out = np.empty((n_rows, W.shape[1]))
        for part in _ranges(n_rows, len(chosen)):
            panel = self._panel(chosen, part if rows is None else rows[part])
            np.matmul(panel, W, out=out[part])
        return out

    def _rows(self, rows):
        """Take some rows, without a copy where they follow each other."""
        if rows is None:
            return self.X
        if len(rows) and (np.diff(rows) == 1).all():
            return self.X[rows[0] : rows[-1] + 1]
        return self.X[rows]

    def are_equal(self, i, j):
        """Whether two columns are the same numbers."""
        return np.array_equal(self.X[:, i], self.X[:, j])

    def _panel(self, chosen, rows):
        """Gather some rows of some columns, less their means."""
        if isinstance(rows, slice):
            panel = self.X[rows, chosen].astype(np.float64, copy=False)
        else:
            panel = self.X[rows[:, None], chosen].astype(np.float64, copy=False)
        panel -= self.center[chosen]
        return panel

    def _is_plain(self):
        return self.shift is None and self.X.dtype == np.float64

    def _at(self, indices):
        columns = self.X[:, indices].astype(np.float64, copy=False)
        if self.shift is not None:
            columns -= self.shift[indices]
        return columns


class SparseColumns(_Columns):
    """Sparse columns; those without zeros to speak of are stored centred if need be."""

    def __init__(self, X, weight, center):
        self.subtracted = np.zeros(X.shape[1])  # from what is stored
        super().__init__(X.astype(np.float64, copy=False), weight, center)

    @property
    def center(self):
        """What is subtracted, at once or later."""
        return self.subtracted + self.mean

    def _center(self, row_shares):
        self.mean = self.X.T @ row_shares
        full = np.flatnonzero(self._cancels(row_shares))
        if not full.size:
            return
        columns = self.X[:, full].toarray()
        mean = self.mean[full]
        mean = mean + row_shares @ (columns - mean)  # twice, as for dense ones
        columns -= mean
        rest = np.setdiff1d(np.arange(self.mean.size), full)
        stacked = sparse.hstack([self.X[:, rest], columns], format="csc")
        self.X = stacked[:, np.argsort(np.concatenate([rest, full]))]
        self.subtracted[full] = mean
        self.mean[full] = row_shares @ columns  # what rounding has left

    def _squares(self, weight):
        """Weighted squares of ``X - mean``, term by term so that nothing cancels."""
        X = self.X
        counts = np.diff(X.indptr)
        stored = np.square(X.data - np.repeat(self.mean, counts))
        pattern = (X.indices, X.indptr)
        squares = sparse.csc_array((stored, *pattern), X.shape).T @ weight
        ones = sparse.csc_array((np.ones(X.nnz), *pattern), X.shape)
        absent = np.maximum(weight.sum() - ones.T @ weight, 0.0)
        absent[counts == X.shape[0]] = 0.0
        return squares + absent * self.mean**2

    def _products(self, kept, new):
        right = self._at(new).multiply(self.weight[:, None]).tocsc()
        return (self._at(kept).T @ right).toarray()

    def _scores(self, w):
        return self.X @ w

    def _back_product(self, r):
        return self.X.T @ r

    def _at(self, indices):
        return self.X[:, indices]

    def suffix_products(self, chosen, n_new, weight, rows=None):
        """Products of chosen columns with the last of them, on some of the rows.

        Parameters
        ----------
        chosen : ndarray of shape (k,), intp
            Columns.
        n_new : int
            How many of the last.
        weight : ndarray
            Weights of the rows.
        rows : ndarray of intp, default=None
            Rows; None means all.

        Returns
        -------
        ndarray of shape (k, n_new)
        """
        X = self._at(chosen)
        if rows is not None:
            X = X[rows]
        new = slice(len(chosen) - n_new, None)
        product = (X.T @ X[:, new].multiply(weight[:, None]).tocsc()).toarray()
        total, mean = X.T @ weight, self.mean[chosen]
        product -= np.outer(mean, total[new])
        product -= np.outer(total - weight.sum() * mean, mean[new])
        return product

    def are_equal(self, i, j):
        """Whether two columns are the same numbers."""
        return (self._at([i]) != self._at([j])).nnz == 0

    def scores_at(self, chosen, W, rows=None):
        """Product of chosen columns with coefficients (k, b), on some of the rows."""
        X = self._at(chosen)
        return (X if rows is None else X[rows]) @ W - self.mean[chosen] @ W


def _ranges(n, k):
    """Slices of rows of which k columns are few numbers."""
    step = max(256, 4 * _PART // max(1, k))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def row_parts(X, shift=None):
    """Copy a dense matrix in float64, less a row, some rows at a time.

    Yields
    ------
    rows : slice
        Which rows.
    part : ndarray of shape (n_rows, p)
        The copy.
    """
    n_rows = max(64, _PART // max(1, X.shape[1]))
    for start in range(0, X.shape[0], n_rows):
        rows = slice(start, start + n_rows)
        part = X[rows].astype(np.float64)
        if shift is not None:
            part -= shift
        yield rows, part
