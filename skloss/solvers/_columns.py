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
        product = self._back_product(r)
        if self.mean.any():
            product -= np.multiply.outer(self.mean, r.sum(axis=0))
        return product

    @property
    def center(self):
        """What is subtracted, at once or later."""
        return self.mean


def _cancels(mean, squares):
    """Whether to subtract a column's mean later would cost over two digits."""
    return mean**2 > 100 * squares


class DenseColumns(_Columns):
    """Dense columns, centred (less `shift`) a part at a time where they must be."""

    shift = None
    memory = np.empty(0)

    @property
    def center(self):
        """What is subtracted, at once or later."""
        return self.mean if self.shift is None else self.shift

    def _center(self, row_shares):
        # Twice: what rounding makes the first mean miss is what the rest has.
        mean = self._back_product(row_shares)
        rest, squares = np.zeros_like(mean), np.zeros_like(mean)
        for rows, part in row_parts(self.X, mean):
            rest += row_shares[rows] @ part
            squares += row_shares[rows] @ np.square(part, out=part)
        self.mean = mean + rest
        if _cancels(self.mean, squares).any():
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
        # With X on the right BLAS needs half the time where r has few columns.
        if self._is_plain():
            return (r.T @ self.X).T
        total = np.zeros((*r.shape[1:], self.X.shape[1]))
        for rows, part in row_parts(self.X, self.shift):
            total += r[rows].T @ part
        return total.T

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
                out += ((weight[part, None] * panel[:, k - n_new :]).T @ panel).T
        return out

    def second_moments(self, rows, weight, more=None):
        """Weighted products of all columns, less their centers, and of `more`.

        Parameters
        ----------
        rows : ndarray of intp
            Over which rows.
        weight : ndarray of shape (n,)
            Weights of the rows.
        more : ndarray of shape (n, m), default=None
            Columns that come after those of the design.

        Returns
        -------
        ndarray of shape (p + m, p + m)
        """
        p, m = self.X.shape[1], 0 if more is None else more.shape[1]
        out, buffer, weight = np.zeros((p + m, p + m)), None, weight[rows]
        factor = weight.max(initial=0.0)
        are_equal = weight.min(initial=factor) == factor
        for part in _ranges(len(rows), p + m):
            if buffer is None:
                order = "F" if self.X.flags.f_contiguous else "C"
                buffer = np.empty((len(rows[part]), p + m), order=order)
            panel = buffer[: len(rows[part])]
            np.subtract(self._rows(rows[part]), self.center, out=panel[:, :p])
            if m:
                panel[:, p:] = more[rows[part]]
            if not are_equal:
                panel *= np.sqrt(weight[part, None])
            out += panel.T @ panel  # BLAS computes one half only
        return factor * out if are_equal else out

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
        """Gather some rows of some columns, less their means.

        The next panel may take its place.
        """
        if isinstance(rows, slice):
            panel = self._whole_panel(chosen, rows)
        else:
            panel = self.X[rows[:, None], chosen].astype(np.float64, copy=False)
        if self.center.any():
            panel -= self.center[chosen]
        return panel

    def _whole_panel(self, chosen, rows):
        X, n = self.X, self.X.shape[0]
        is_whole = rows.start == 0 and rows.stop == n and X.dtype == np.float64
        if not (is_whole and X.flags.forc):
            return X[rows, chosen].astype(np.float64, copy=False)
        # Memory that is new at each gathering costs more than to fill it.
        size = n * len(chosen)
        if size > self.memory.size:
            self.memory = np.empty(3 * size // 2)
        memory = self.memory[:size]
        if X.flags.f_contiguous:
            panel = memory.reshape(len(chosen), n)
            return np.take(X.T, chosen, axis=0, out=panel, mode="clip").T
        panel = memory.reshape(n, len(chosen))
        return np.take(X, chosen, axis=1, out=panel, mode="clip")

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
        full = np.flatnonzero(_cancels(self.mean, self._squares(row_shares)))
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
        The copy, until the next one takes its place.
    """
    n_rows = min(max(64, _PART // max(1, X.shape[1])), X.shape[0])
    order = "F" if X.flags.f_contiguous else "C"
    buffer = np.empty((n_rows, X.shape[1]), order=order)
    for start in range(0, X.shape[0], max(1, n_rows)):
        rows = slice(start, start + n_rows)
        part = buffer[: len(X[rows])]
        if shift is None:
            part[:] = X[rows]
        else:
            np.subtract(X[rows], shift, out=part)
        yield rows, part
