"""Quadratics as the solvers see them: a Gram matrix, stored or computed on demand.

A solver over a quadratic ``w @ G @ w / 2 - c @ w`` asks three things of G: its
`diagonal`, dense `block` matrices on a few coordinates, and its `product` with a
vector. Whatever answers them is a Gram.
"""

from typing import Protocol

import numpy as np
from scipy import sparse

__all__ = ["DenseGram", "DesignGram", "Gram", "as_gram"]


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
        Symmetric and positive semi-definite; taken to be so without a check.

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
        self.size = len(self.G)

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


class DesignGram:
    """The weighted Gram matrix of a design, computed as needed.

    It is ``(X - m).T @ diag(s) @ (X - m) + ridge * I``.

    Only the blocks that are asked for are computed, and they are kept: a path of
    solutions over one design pays for each pair of columns once.

    Parameters
    ----------
    X : ndarray or sparse array of shape (n, p)
        Design. Dense columns are read fastest in Fortran order, sparse ones from CSC.
    weight : array-like of shape (n,), default=None
        Row weights s of at least 0; None means ``1 / n`` each.
    center : bool, default=False
        Subtract the weighted column means m, without forming ``X - m``.
    ridge : float, default=0.0
        Added to the diagonal.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.solvers import DesignGram
    >>> gram = DesignGram(np.array([[1.0, 2.0], [3.0, 5.0]]), center=True)
    >>> gram.block(np.array([0, 1])).tolist()
    [[1.0, 1.5], [1.5, 2.25]]
    """

    def __init__(self, X, weight=None, *, center=False, ridge=0.0):
        self.X = X.tocsc() if sparse.issparse(X) else X
        n, self.size = X.shape
        self.weight = np.full(n, 1.0 / n) if weight is None else np.asarray(weight)
        self.total_weight = self.weight.sum()
        self.ridge = float(ridge)
        self.mean = None
        if center:
            self.mean = (self.X.T @ self.weight) / self.total_weight
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
        if sparse.issparse(self.X):
            result = self.X.multiply(self.X).T @ self.weight
        else:
            result = np.einsum("ij,ij,i->j", self.X, self.X, self.weight)
        result = np.asarray(result, dtype=np.float64)
        if self.mean is not None:
            result = np.maximum(result - self.total_weight * self.mean**2, 0.0)
        return result + self.ridge

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
        support = np.flatnonzero(w)
        if 4 * support.size < self.size:
            scores = self.X[:, support] @ w[support]
        else:
            scores = self.X @ w
        if self.mean is not None:
            scores = scores - self.mean[support] @ w[support]
        weighted = self.weight * scores
        result = self.X.T @ weighted
        if self.mean is not None:
            result = result - self.mean * weighted.sum()
        return result + self.ridge * w

    def _extend(self, new):
        kept = np.concatenate([self._kept, new])
        right = self.X[:, new]
        if sparse.issparse(right):
            right = right.multiply(self.weight[:, None]).tocsc()
            added = (self.X[:, kept].T @ right).toarray()
        else:
            added = self.X[:, kept].T @ (self.weight[:, None] * right)
        if self.mean is not None:
            added -= self.total_weight * np.outer(self.mean[kept], self.mean[new])
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


def as_gram(G):
    """Wrap an array; leave a Gram as it is."""
    if all(hasattr(G, name) for name in ("size", "diagonal", "block", "product")):
        return G
    return DenseGram(G)
