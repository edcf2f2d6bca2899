"""Subsets of columns that start from the coefficients of an L1 fit."""

import numpy as np

from skloss.sparse._subset_design import SubsetDesign
from skloss.sparse._subset_search import SubsetSearch

__all__ = ["Subsets", "best_subsets", "by_size"]


def by_size(coef, scale):
    """Columns that are used, by falling size of their standardised coefficients."""
    size = np.abs(coef) * scale
    order = np.argsort(-size, kind="stable")
    return order[: np.count_nonzero(size)]


class Subsets:
    """Best subsets of each size that were found.

    Parameters
    ----------
    design : SubsetDesign
        Data.
    supports : list of ndarray of intp
        Of sizes from 1 on.
    """

    def __init__(self, design, supports):
        self.design, self.supports = design, supports

    def coef(self, size):
        """Coefficients (d,) of the subset of a size, in units of the data."""
        coef = np.zeros(self.design.n_columns)
        fit = self.design.fit(self.supports[size - 1])
        coef[fit.support] = fit.coef
        return coef

    def predictions(self, X, sizes):
        """Predictions (n, n_sizes) for rows."""
        W = np.stack([self.coef(size) for size in sizes], axis=1)
        used = np.flatnonzero(W.any(axis=1))
        columns = X[:, used]
        columns = columns.toarray() if hasattr(columns, "toarray") else columns
        return self.design.y_center + (columns - self.design.center[used]) @ W[used]


def best_subsets(X, y, weight, order, most, *, center, l2):
    """Search subsets from the largest coefficients and, apart, from none.

    Parameters
    ----------
    X : ndarray or CSC array of shape (n, d)
        Rows.
    y : ndarray of shape (n,)
        Target.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    order : ndarray of intp
        Columns by falling importance.
    most : int
        Largest size.
    center : bool
        Whether there is an intercept.
    l2 : float
        Ridge penalty on coefficients of columns of mean square 1.

    Returns
    -------
    Subsets
    """
    design = SubsetDesign(X, y, weight, center=center, l2=l2)
    search = SubsetSearch(design, most)
    if design.is_constant:
        return Subsets(design, search.supports)
    search.sweep()
    better = False
    for size in range(1, most + 1):
        better |= search.offer(order[:size], size)
    if better:
        search.sweep()
    return Subsets(design, search.polished())
