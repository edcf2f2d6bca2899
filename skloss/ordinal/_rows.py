"""Rows sorted by class and standardised: all that the solver knows of X.

The likelihood needs, for each threshold, the rows of a range of classes: a slice of
rows sorted by class. Standardised rows end in a column of ones for the intercepts.

Both kinds of rows offer ``scores(b, lo, hi)``, ``back(d, lo, hi)``,
``gram(weight, lo, hi, columns)`` and ``cross(weight, lo, hi, left, right)``;
coefficients and gradients are (p + 1,), the intercept last.
"""

from itertools import pairwise

import numpy as np
from scipy import sparse

from skloss._blocks import narrow_csr_parts
from skloss._jit import kernel
from skloss._moments import column_moments, refuse_underflow
from skloss._validation import as_kernel_array, column_scale
from skloss.ordinal._gram_kernels import SMALL, add_small_gram

__all__ = ["DenseRows", "Scaling", "SparseRows", "sorted_rows"]

# Weighted copies of this size stay in the second-level cache between two products.
_BLOCK_BYTES = 1 << 18


class Scaling:
    """Where columns have their centre and what they are divided by.

    Parameters
    ----------
    center : ndarray of shape (p,)
        Weighted means.
    scale : ndarray of shape (p,)
        Inverse of the weighted standard deviations; 0 for constant columns.
    """

    def __init__(self, center, scale):
        self.center = center
        self.scale = scale

    def outside(self, B):
        """Scores of the columns of X from those of standardised columns.

        Parameters
        ----------
        B : ndarray of shape (m, p + 1)
            Coefficients and intercepts for standardised columns.

        Returns
        -------
        coef : ndarray of shape (m, p)
            Coefficients for the columns of X.
        at_center : ndarray of shape (m,)
            Scores at the centre.
        """
        return B[:, :-1] * self.scale, B[:, -1].copy()

    def inside(self, coef, at_center):
        """Invert `outside`; coefficients of constant columns are lost."""
        B = np.zeros((len(coef), coef.shape[1] + 1))
        np.divide(coef, self.scale, out=B[:, :-1], where=self.scale > 0)
        B[:, -1] = at_center
        return B


def sorted_rows(X, codes, weights):
    """Sort and standardise the rows that have weight.

    Parameters
    ----------
    X : C-contiguous ndarray or CSR matrix of shape (n, p)
        Data, float32 or float64.
    codes : ndarray of shape (n,), intp
        Classes from 0.
    weights : ndarray of shape (n,), float64
        Weights, summing to 1. Rows of weight zero are left out.

    Returns
    -------
    rows : DenseRows or SparseRows
        In the order of classes, rows of one class in the order they came.
    order : ndarray of intp
        Rows of X that these are.
    scaling : Scaling
        What was done to the columns.
    """
    order = np.argsort(codes, kind="stable")
    if not weights.all():
        order = order[weights[order] > 0]
    mean, square = column_moments(X, weights)
    spread = np.sqrt(square)
    constant = column_scale(mean, spread) != spread
    refuse_underflow(X, weights, square)
    scale = np.divide(1.0, spread, out=np.zeros(len(spread)), where=~constant)
    kind = SparseRows if sparse.issparse(X) else DenseRows
    return kind.of(X, order, mean, scale), order, Scaling(mean, scale)


class DenseRows:
    """Standardised rows, stored feature by feature.

    Few features are the rule: passes over rows then vectorise along the rows. And of
    many features few take part in Gram matrices.

    Parameters
    ----------
    Z : C-contiguous ndarray of shape (p + 1, n or more)
        Features; the last holds ones.
    n_rows : int
        Number n of rows that are filled.
    """

    def __init__(self, Z, n_rows):
        self.Z = Z
        self.n_columns, self.n_rows = len(Z), n_rows

    @classmethod
    def of(cls, X, order, center, scale):
        """Copy the rows of X in the given order."""
        # A length that is a power of two would map a row to one set of the cache.
        Z = np.empty((X.shape[1] + 1, len(order) + 8))
        _standardised_copy(as_kernel_array(X, X.dtype), order, center, scale, Z)
        return cls(Z, len(order))

    def every(self, step, starts):
        """Return about every `step`-th row of each class.

        Returns
        -------
        rows : DenseRows or SparseRows
            Those rows.
        picked : ndarray of intp
            Which they are.
        starts : ndarray of shape (K + 1,)
            Where classes begin among them.
        """
        picked = [np.arange(lo, hi, step) for lo, hi in pairwise(starts)]
        sizes = [0, *(len(rows) for rows in picked)]
        picked = np.concatenate(picked)
        return self._picked(picked), picked, np.cumsum(sizes)

    def _picked(self, rows):
        return DenseRows(self.Z.take(rows, axis=1), len(rows))

    def scores(self, b, lo, hi):
        """Scores of rows ``lo`` to ``hi``."""
        support = np.flatnonzero(b)
        if 4 * len(support) < len(b):
            return b[support] @ self.Z[support, lo:hi]
        return b @ self.Z[:, lo:hi]

    def back(self, d, lo, hi):
        """Product of derivatives in the scores of rows ``lo`` to ``hi`` with them."""
        return self.Z[:, lo:hi] @ d

    def gram(self, weight, lo, hi, columns=None):
        """Weighted Gram matrix of rows ``lo`` to ``hi``.

        Parameters
        ----------
        weight : ndarray of shape (hi - lo,)
            At least 0.
        lo, hi : int
            Range of rows.
        columns : ndarray of intp, default=None
            Which columns; all by default.

        Returns
        -------
        ndarray of shape (P, P)
        """
        P = self.n_columns if columns is None else len(columns)
        out = np.zeros((P, P))
        if P <= SMALL:
            columns = np.arange(P) if columns is None else columns
            add_small_gram(self.Z, columns, lo, hi, weight, out)
            return out
        for start, stop in _blocks(lo, hi, P):
            part = self._part(start, stop, columns)
            part = part * np.sqrt(weight[start - lo : stop - lo])
            out += part @ part.T  # NumPy calls the symmetric product
        return out

    def cross(self, weight, lo, hi, left, right):
        """Weighted products of columns over rows ``lo`` to ``hi``.

        Parameters
        ----------
        weight : ndarray of shape (hi - lo,)
            Of any sign.
        lo, hi : int
            Range of rows.
        left, right : ndarray of intp
            Which columns.

        Returns
        -------
        ndarray of shape (len(left), len(right))
        """
        out = np.zeros((len(left), len(right)))
        for start, stop in _blocks(lo, hi, max(out.shape)):
            heavy = self._part(start, stop, right) * weight[start - lo : stop - lo]
            out += self._part(start, stop, left) @ heavy.T
        return out

    def _part(self, start, stop, columns):
        return self.Z[slice(None) if columns is None else columns, start:stop]


def _blocks(lo, hi, n_columns):
    """Ranges of rows whose weighted copy is small."""
    step = max(64, _BLOCK_BYTES // (8 * n_columns))
    for start in range(lo, hi, step):
        yield start, min(start + step, hi)


class SparseRows(DenseRows):
    """Standardised rows of a CSR matrix; only what is multiplied is ever dense.

    Parameters
    ----------
    X : scipy.sparse CSR matrix of shape (n, p)
        Rows, sorted, float64.
    center, scale : ndarray of shape (p,)
        What is subtracted from the columns, and what they are multiplied by then.
    """

    def __init__(self, X, center, scale):
        self.X, self.center, self.scale = X, center, scale
        self.parts = narrow_csr_parts(X)
        self.n_rows, self.n_columns = X.shape[0], X.shape[1] + 1

    @classmethod
    def of(cls, X, order, center, scale):
        """Copy the rows of X in the given order."""
        rows = sparse.csr_array(X)[order].astype(np.float64, copy=False)
        # To subtract such a mean afterwards would cost more than two digits. Columns
        # that have one are hardly sparse: fewer than 1 in 100 of their values is zero.
        full = np.flatnonzero((center * scale) ** 2 > 100)
        if len(full):
            rows, center = _centered(rows, full, center), center.copy()
            center[full] = 0.0
        return cls(rows, center, scale)

    def _picked(self, rows):
        return SparseRows(self.X[rows], self.center, self.scale)

    def scores(self, b, lo, hi):
        """Scores of rows ``lo`` to ``hi``."""
        scaled = b[:-1] * self.scale
        out = np.empty(hi - lo)
        _csr_scores(*self.parts, scaled, b[-1] - self.center @ scaled, lo, out)
        return out

    def back(self, d, lo, hi):
        """Product of derivatives in the scores of rows ``lo`` to ``hi`` with them."""
        out = np.zeros(self.n_columns)
        _csr_back(*self.parts, d, lo, out)
        total = d.sum()
        out[:-1] = (out[:-1] - total * self.center) * self.scale
        out[-1] = total
        return out

    def gram(self, weight, lo, hi, columns=None):
        """Weighted Gram matrix of rows ``lo`` to ``hi``."""
        if columns is None:
            columns = np.arange(self.n_columns)
        return self.cross(weight, lo, hi, columns, columns)

    def cross(self, weight, lo, hi, left, right):
        """Weighted products of columns; see `DenseRows.cross`.

        Means are subtracted afterwards.
        """
        total, last = weight.sum(), self.n_columns - 1
        product = np.zeros((len(left), len(right)))
        reach = np.zeros(len(left)), np.zeros(len(right))
        places = self._places(left), self._places(right)
        _csr_cross(*self.parts, weight, lo, *places, product, *reach)
        # The column of ones is not stored.
        ones = places[0][last], places[1][last]
        if ones[0] >= 0:
            product[ones[0]], reach[0][ones[0]] = reach[1], total
        if ones[1] >= 0:
            product[:, ones[1]], reach[1][ones[1]] = reach[0], total
        a, b = self._shift(left), self._shift(right)
        product -= np.outer(reach[0], b) + np.outer(a, reach[1] - total * b)
        return product * np.outer(self._unit(left), self._unit(right))

    def _places(self, columns):
        """Where each column is among the given ones; -1 if it is not."""
        places = np.full(self.n_columns, -1)
        places[columns] = np.arange(len(columns))
        return places

    def _shift(self, columns):
        return np.append(self.center, 0.0)[columns]

    def _unit(self, columns):
        return np.append(self.scale, 1.0)[columns]


def _centered(rows, full, center):
    """Store the differences from the mean of some columns."""
    columns = rows[:, full].toarray() - center[full]
    rest = np.setdiff1d(np.arange(rows.shape[1]), full)
    stacked = sparse.hstack([rows.tocsc()[:, rest], columns], format="csc")
    return stacked[:, np.argsort(np.append(rest, full))].tocsr()


@kernel(fastmath={"contract"})
def _standardised_copy(X, order, center, scale, out):
    """Copy rows of X, centred and scaled, into columns of `out` above ones.

    Eight rows at a time fill whole cache lines of every feature.
    """
    n, n_features = len(order), X.shape[1]
    for start in range(0, n, 8):
        stop = min(start + 8, n)
        for j in range(n_features):
            for i in range(start, stop):
                out[j, i] = (X[order[i], j] - center[j]) * scale[j]
    for i in range(n):
        out[n_features, i] = 1.0


@kernel(fastmath={"contract"})
def _csr_scores(data, indices, indptr, b, intercept, lo, out):
    for i in range(len(out)):
        total = 0.0
        for at in range(indptr[lo + i], indptr[lo + i + 1]):
            total += data[at] * b[indices[at]]
        out[i] = total + intercept


@kernel(fastmath={"contract"})
def _csr_back(data, indices, indptr, d, lo, out):
    for i in range(len(d)):
        for at in range(indptr[lo + i], indptr[lo + i + 1]):
            out[indices[at]] += d[i] * data[at]


@kernel(fastmath={"contract"})
def _csr_cross(
    data,
    indices,
    indptr,
    weight,
    lo,
    at_left,
    at_right,
    out,
    reach_left,
    reach_right,
):
    """Add weighted products of columns of rows from `lo` on, and weighted sums."""
    for i in range(len(weight)):
        start, stop, w = indptr[lo + i], indptr[lo + i + 1], weight[i]
        for at in range(start, stop):
            k = at_right[indices[at]]
            if k >= 0:
                reach_right[k] += w * data[at]
        for at in range(start, stop):
            j = at_left[indices[at]]
            if j < 0:
                continue
            heavy, row = w * data[at], out[j]
            reach_left[j] += heavy
            for other in range(start, stop):
                k = at_right[indices[other]]
                if k >= 0:
                    row[k] += heavy * data[other]
