"""Standardised columns of a design: of mean 0 and mean square 1."""

import numpy as np
from scipy import sparse

from skloss.solvers._columns import columns_of
from skloss.sparse._subset_column_kernels import Table, spreads

__all__ = ["CONSTANT", "standardised"]

CONSTANT = 8 * np.finfo(np.float64).eps  # spread of a column beside its mean
_COPIED = 1 << 27  # numbers up to which dense data may be copied: 1 GB
_LARGE = 16.0  # mean beside the spread above which products would lose digits


def standardised(X, weight, center):
    """Wrap a design.

    Parameters
    ----------
    X : ndarray or CSC array of shape (n, d)
        Rows.
    weight : ndarray of shape (n,)
        Row weights, summing to 1, none of them 0.
    center : bool
        Whether to subtract the weighted means.

    Returns
    -------
    object
        With `mean` and `scale`, of shape (d,), of the columns as they came; `shrink`,
        one over the scale, or 0 for columns that are constant up to rounding; `table`,
        from which kernels make products; ``at(support)``, the columns of a support
        times the roots of the weights, and ``back_product(r)``, the product of all of
        them with a vector or with columns.
    """
    may_copy = not sparse.issparse(X) and X.size <= _COPIED
    A, by_column = _laid_out(X)
    if A is None and may_copy:
        A, by_column = X.astype(np.float64, order="C"), False
    if A is not None:
        columns = _DenseColumns(X, A, by_column, weight, center)
        if not columns.has_large_means():
            return columns
        if may_copy:
            return columns.shifted()
    return _CentredColumns(X, weight, center)


def _laid_out(X):
    """Return the data as kernels read them, or their transpose; None for a copy."""
    if sparse.issparse(X) or X.dtype != np.float64:
        return None, False
    if X.flags.c_contiguous:
        return X, False
    return (X.T, True) if X.flags.f_contiguous else (None, False)


class _DenseColumns:
    """Dense columns where they lie."""

    def __init__(self, X, A, by_column, weight, center, shift=0.0):
        self.X, d = X, X.shape[1]
        mean = np.dot(A if by_column else A.T, weight) if center else np.zeros(d)
        rest, square = np.empty(d), np.empty(d)
        spreads(A, by_column, weight, mean, rest, square)
        if center:
            mean += rest  # what rounding has left of the means
            square -= rest**2
        self.scale = np.sqrt(np.maximum(square, 0.0))
        self.mean = mean + shift
        self.shrink = _shrink(self.scale, self.mean)
        self.root = np.sqrt(weight)
        self.table = Table(A, by_column, weight, mean, self.shrink)

    def has_large_means(self):
        """Whether some mean hides the digits of what varies."""
        large = np.abs(self.table.mean) > _LARGE * self.scale
        return bool((large & (self.shrink > 0)).any())

    def shifted(self):
        """Return the same columns, copied and with their means subtracted."""
        A = self.table.A - (self.mean[:, None] if self.table.by_column else self.mean)
        return _DenseColumns(
            self.X, A, self.table.by_column, self.table.weight, True, self.mean
        )

    def at(self, support):
        A, by_column, _, mean, shrink = self.table
        Z = A[support].T if by_column else A[:, support]
        return (Z - mean[support]) * shrink[support] * self.root[:, None]

    def back_product(self, r, out=None):
        A, by_column, _, mean, shrink = self.table
        factors = (self.root * r.T).T
        product = np.dot(A if by_column else A.T, factors, out=out)
        product -= np.multiply.outer(mean, factors.sum(axis=0))
        product *= shrink if r.ndim == 1 else shrink[:, None]
        return product


class _CentredColumns:
    """The same for sparse designs, and for those that are too large for a copy."""

    def __init__(self, X, weight, center):
        self.columns = columns_of(X, weight, center)
        self.X, self.mean = X, self.columns.center
        self.root = np.sqrt(weight)[:, None]
        self.scale = np.sqrt(self.columns.squares())
        self.shrink = _shrink(self.scale, self.mean)
        self.table = Table.empty(X.shape[1])

    def at(self, support):
        return (
            self.columns.scores_at(support, np.diag(self.shrink[support])) * self.root
        )

    def back_product(self, r, out=None):
        root = self.root if r.ndim == 2 else self.root[:, 0]
        product = self.columns.back_product(root * r)
        return np.multiply(product.T, self.shrink, out=out).T


def _shrink(scale, mean):
    """One over the scale; 0 for columns that are constant up to rounding."""
    usable = scale > CONSTANT * np.abs(mean)
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=usable)
