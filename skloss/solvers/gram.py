"""Quadratics as the solvers see them: a Gram matrix, stored or computed on demand.

A solver over a quadratic ``w @ G @ w / 2 - c @ w`` asks three things of G: its
`diagonal`, dense `block` matrices on a few coordinates, and its `product` with a
vector. Whatever answers them is a Gram.
"""

from typing import Protocol

import numpy as np
from scipy import sparse

from skloss.solvers._checks import check_finite, design, shares, vector

__all__ = [
    "SLACK",
    "DenseGram",
    "DesignGram",
    "Gram",
    "as_gram",
    "check_diagonal",
    "row_parts",
]

# Asymmetry and negative curvature beyond this share are not the rounding of a matrix
# that somebody computed in single precision.
SLACK = 1e-5
_NOISE = 1e-8  # share of the largest diagonal entry that a zero may have become
_STRIP = 64  # rows at a time in the search for them
_PART = 1 << 18  # numbers that are widened or centred at a time: they fit in a cache


class Gram(Protocol):
    """A symmetric positive semi-definite matrix G (p, p), possibly never stored."""

    size: int

    def diagonal(self):
        """Diagonal of G (p,)."""

    def block(self, indices):
        """Dense ``G[indices][:, indices]``, C-contiguous float64, not to be written."""

    def product(self, w):
        """``G @ w`` (p,) for `w` (p,), which may be mostly zero."""


class DenseGram:
    """A stored matrix.

    Parameters
    ----------
    G : array-like of shape (p, p)
        Symmetric and positive semi-definite. Symmetry is checked and so is every pair
        of coordinates; that no larger set of them has negative curvature is not,
        since it would cost more than most solutions.

    Raises
    ------
    ValueError
        If the matrix is not square, not finite, not symmetric (to the rounding of
        single precision), or if a pair of coordinates shows that it is not positive
        semi-definite.

    Examples
    --------
    >>> from skloss.solvers import DenseGram
    >>> DenseGram([[2.0, 1.0], [1.0, 3.0]]).diagonal().tolist()
    [2.0, 3.0]
    """

    def __init__(self, G):
        self.G = np.ascontiguousarray(G, dtype=np.float64)
        if self.G.ndim != 2 or self.G.shape[0] != self.G.shape[1]:
            raise ValueError(f"G must be a square matrix; got shape {self.G.shape}.")
        check_finite("G", self.G)
        self.size = len(self.G)
        _check_pairs(self.G)

    def diagonal(self):
        """Diagonal of the matrix.

        Returns
        -------
        ndarray of shape (p,)
            Not to be written.
        """
        return self.G.diagonal()

    def block(self, indices):
        """Dense submatrix.

        Parameters
        ----------
        indices : ndarray of intp
            Distinct coordinates.

        Returns
        -------
        ndarray of shape (len(indices), len(indices))
            C-contiguous; not to be written.
        """
        if len(indices) == self.size and np.array_equal(indices, np.arange(self.size)):
            return self.G
        return self.G[np.ix_(indices, indices)]

    def product(self, w):
        """Product with a vector, at the cost of its nonzeros.

        Parameters
        ----------
        w : ndarray of shape (p,)
            Vector.

        Returns
        -------
        ndarray of shape (p,)
            ``G @ w``.
        """
        support = np.flatnonzero(w)
        if 2 * support.size > self.size:
            return self.G @ w
        return w[support] @ self.G[support]  # symmetric: rows are contiguous


def _check_pairs(G):
    """Refuse an asymmetric matrix, or one with a pair of negative curvature."""
    diagonal = G.diagonal()
    check_diagonal(diagonal)
    # Rounding of long columns may be all that there is of a column without effect.
    lengths = np.sqrt(np.maximum(diagonal, _NOISE * diagonal.max(initial=0.0)))
    for start in range(0, len(G), _STRIP):
        rows = slice(start, start + _STRIP)
        strip = G[rows, start:]
        # Divided one by one: the product of two lengths may overflow.
        unit = lengths[rows, None], lengths[start:]
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            skew = np.abs(strip - G[start:, rows].T) / unit[0] / unit[1]
            pairs = np.abs(strip) / unit[0] / unit[1]
        for ratios, limit, wanted in (
            (skew, SLACK, "symmetric"),
            (pairs, 1 + SLACK, "positive semi-definite"),
        ):
            if (ratios > limit).any():
                i, j = start + np.argwhere(ratios > limit)[0]
                raise ValueError(
                    f"G must be {wanted}; got G[{i}, {j}] = {G[i, j]} and "
                    f"G[{j}, {i}] = {G[j, i]}, where the diagonal has {diagonal[i]} "
                    f"and {diagonal[j]}."
                )


def check_diagonal(diagonal):
    """Refuse negative curvature along a coordinate."""
    if diagonal.min(initial=0.0) < -_NOISE * diagonal.max(initial=0.0):
        j = int(diagonal.argmin())
        raise ValueError(
            f"G must be positive semi-definite; its diagonal has {diagonal[j]} at {j}."
        )


class DesignGram:
    """The weighted Gram matrix of a design, computed as needed.

    It is ``(X - m).T @ diag(s) @ (X - m) + ridge * I``.

    Only the blocks that are asked for are computed, and they are kept: a path of
    solutions over one design pays for each pair of columns once.

    Means far larger than the spread around them cost no accuracy. Products with X are
    corrected for them afterwards, except where that would cancel more than two digits.
    Then dense columns are centred, a part at a time, before they are multiplied. Of
    such sparse columns fewer than 1 in 100 entries (by weight) can be zeros; they are
    stored centred, which takes hardly more memory.

    Parameters
    ----------
    X : array-like or sparse array of shape (n, p)
        Design of finite numbers; computed with in float64. Dense columns are read
        fastest in Fortran order, sparse ones from CSC.
    weight : array-like of shape (n,), default=None
        Row weights s of at least 0; None means ``1 / n`` each.
    center : bool, default=False
        Subtract the weighted column means m, without a dense copy of X.
    ridge : float, default=0.0
        Added to the diagonal.

    Raises
    ------
    ValueError
        If a shape is wrong, a number is not finite, or a weight is negative.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.solvers import DesignGram
    >>> gram = DesignGram(np.array([[1.0, 2.0], [3.0, 5.0]]), center=True)
    >>> gram.block(np.array([0, 1])).tolist()
    [[1.0, 1.5], [1.5, 2.25]]
    """

    def __init__(self, X, weight=None, *, center=False, ridge=0.0):
        X = design("X", X)
        n, self.size = X.shape
        self.weight = vector("weight", 1.0 / n if weight is None else weight, n)
        if self.weight.min() < 0:
            raise ValueError(f"weight must not be negative; got {self.weight.min()}.")
        self.ridge = float(vector("ridge", ridge, 1)[0])
        columns = _SparseColumns if sparse.issparse(X) else _DenseColumns
        self._columns = columns(X, self.weight, center)
        self._kept = np.empty(0, dtype=np.intp)  # coordinates of the stored block
        self._place = np.full(self.size, -1, dtype=np.intp)
        self._stored = np.empty((0, 0))

    def diagonal(self):
        """Diagonal of the matrix.

        Returns
        -------
        ndarray of shape (p,)
            Not to be written.
        """
        return self._columns.squares() + self.ridge

    def block(self, indices):
        """Dense submatrix; what is seen for the first time is computed.

        Parameters
        ----------
        indices : ndarray of intp
            Distinct coordinates.

        Returns
        -------
        ndarray of shape (len(indices), len(indices))
            C-contiguous; not to be written.
        """
        new = indices[self._place[indices] < 0]
        if new.size:
            self._extend(new)
        places = self._place[indices]
        return self._stored[np.ix_(places, places)]

    def product(self, w):
        """Product with a vector, by two products with X.

        Parameters
        ----------
        w : ndarray of shape (p,)
            Vector; the first product costs its nonzeros.

        Returns
        -------
        ndarray of shape (p,)
            ``G @ w``.
        """
        scores = self._columns.scores(w)
        return self._columns.back_product(self.weight * scores) + self.ridge * w

    def _extend(self, new):
        kept = np.concatenate([self._kept, new])
        added = self._columns.products(kept, new)
        old = self._kept.size
        stored = np.empty((kept.size, kept.size))
        stored[:old, :old] = self._stored
        stored[:, old:] = added
        stored[old:, :old] = added[:old].T
        inside = stored[old:, old:]
        inside[:] = (inside + inside.T) / 2
        inside[np.diag_indices(new.size)] += self.ridge
        self._place[new] = np.arange(old, kept.size)
        self._kept, self._stored = kept, stored


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
        return self._back_product(r) - self.mean * r.sum()

    def _cancels(self, row_shares):
        """Whether to subtract a column's mean later would cost over two digits."""
        return self.mean**2 > 100 * self._squares(row_shares)


class _DenseColumns(_Columns):
    """Dense columns, centred (less `shift`) a part at a time where they must be."""

    shift = None

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
        shift = self.mean if self.shift is None else self.shift
        for rows, part in row_parts(self.X, shift if shift.any() else None):
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
        parts = row_parts(self.X, self.shift)
        return sum((r[rows] @ part for rows, part in parts), np.zeros(self.X.shape[1]))

    def _is_plain(self):
        return self.shift is None and self.X.dtype == np.float64

    def _at(self, indices):
        columns = self.X[:, indices].astype(np.float64, copy=False)
        if self.shift is not None:
            columns -= self.shift[indices]
        return columns


class _SparseColumns(_Columns):
    """Sparse columns; those without zeros to speak of are stored centred if need be."""

    def __init__(self, X, weight, center):
        super().__init__(X.astype(np.float64, copy=False), weight, center)

    def _center(self, row_shares):
        self.mean = self.X.T @ row_shares
        full = np.flatnonzero(self._cancels(row_shares))
        if not full.size:
            return
        columns = self.X[:, full].toarray()
        mean = self.mean[full]
        columns -= mean + row_shares @ (columns - mean)  # twice, as for dense ones
        rest = np.setdiff1d(np.arange(self.mean.size), full)
        stacked = sparse.hstack([self.X[:, rest], columns], format="csc")
        self.X = stacked[:, np.argsort(np.concatenate([rest, full]))]
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


def as_gram(G):
    """Wrap an array; leave a Gram as it is."""
    if all(hasattr(G, name) for name in ("size", "diagonal", "block", "product")):
        return G
    return DenseGram(G)
