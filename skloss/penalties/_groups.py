"""Coefficients in groups: labels, order, norms; and penalties of them."""

import numpy as np

from skloss.penalties._vector_contract import VectorPenalty

__all__ = ["GroupedPenalty", "Groups", "check_factors"]


class Groups:
    """Which group each coefficient belongs to.

    Parameters
    ----------
    labels : array-like of shape (size,)
        An integer for each coefficient; equal ones make a group.

    Attributes
    ----------
    index : ndarray of shape (size,), intp
        Number of the group, in the order of labels.
    order : ndarray of shape (size,), intp
        Coefficients, group by group.
    starts : ndarray of shape (n + 1,), intp
        Where each group begins in `order`.
    sizes : ndarray of shape (n,), intp
        Numbers of coefficients.
    n : int
        Number of groups.

    Raises
    ------
    ValueError
        If `labels` are not integers, one for each coefficient.
    """

    def __init__(self, labels):
        labels = np.asarray(labels)
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ValueError(
                "groups must be one integer for each coefficient; got an array of "
                f"shape {labels.shape} and dtype {labels.dtype}."
            )
        self.labels = labels
        _, index = np.unique(labels, return_inverse=True)
        self.index = index.astype(np.intp)
        self.order = np.argsort(self.index, kind="stable").astype(np.intp)
        self.sizes = np.bincount(self.index).astype(np.intp)
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(np.intp)
        self.n = self.sizes.size

    def sums(self, v):
        """Sum of a vector over each group."""
        return np.bincount(self.index, v, self.n)

    def norms(self, v):
        """Euclidean norm of a vector on each group, without overflow."""
        unit = np.abs(v).max(initial=0.0)
        if not 0.0 < unit < np.inf:
            return np.sqrt(self.sums(v * v))
        v = v / unit
        return unit * np.sqrt(self.sums(v * v))

    def closure(self, columns):
        """All coefficients of the groups of some."""
        chosen = np.zeros(self.n, dtype=bool)
        chosen[self.index[columns]] = True
        return np.flatnonzero(chosen[self.index])

    def restrict(self, columns):
        """Keep some coefficients; return their groups, and which of all these are."""
        groups = Groups(self.index[columns])
        return groups, np.unique(self.index[columns])


def check_factors(name, factors, n, *, above_zero=False):
    """Read one factor for each of n groups; None means 1.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If their number is not n, or one is negative or not finite.
    """
    if factors is None:
        return np.ones(n)
    factors = np.array(factors, dtype=np.float64)
    if factors.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},); got {factors.shape}.")
    low = factors.min(initial=np.inf)
    if not np.isfinite(factors).all() or low < 0 or (above_zero and low == 0):
        words = "above 0" if above_zero else "of at least 0"
        raise ValueError(f"{name} must be finite numbers {words}; got {factors}.")
    return factors


class GroupedPenalty(VectorPenalty):
    """Base of the penalties of groups.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    groups : array-like of shape (size,)
        An integer for each coefficient; equal ones make a group.
    """

    def __init__(self, alpha, groups):
        self.groups = Groups(groups)
        super().__init__(alpha, self.groups.index.size)

    def closure(self, columns):
        """Add the rest of the groups of some columns.

        Parameters
        ----------
        columns : ndarray of intp
            Distinct coefficients.

        Returns
        -------
        ndarray of intp
            The coefficients.
        """
        return self.groups.closure(columns)

    def _restricted(self, columns):
        groups, which = self.groups.restrict(columns)
        return {"groups": groups, "weights": self.weights[which]}
