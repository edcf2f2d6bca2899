"""Quadratics as the solvers see them: a Gram matrix, stored or computed on demand.

A solver over a quadratic ``w @ G @ w / 2 - c @ w`` asks three things of G: its
`diagonal`, dense `block` matrices on a few coordinates, and its `product` with a
vector. Whatever answers them is a Gram.
"""

from typing import Protocol

import numpy as np

from skloss.solvers._checks import check_finite, design, vector
from skloss.solvers._columns import columns_of

__all__ = [
    "SLACK",
    "DenseGram",
    "DesignGram",
    "Gram",
    "as_gram",
    "check_diagonal",
]

# Asymmetry and negative curvature beyond this share are not the rounding of a matrix
# that somebody computed in single precision.
SLACK = 1e-5
_NOISE = 1e-8  # share of the largest diagonal entry that a zero may have become
_STRIP = 64  # rows at a time in the search for them


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
        self._columns = columns_of(X, self.weight, center)
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


def as_gram(G):
    """Wrap an array; leave a Gram as it is."""
    if all(hasattr(G, name) for name in ("size", "diagonal", "block", "product")):
        return G
    return DenseGram(G)
