"""Which features enter the Lasso path of a part of the rows first."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skloss._parallel import one_blas_thread
from skloss.solvers._columns import columns_of
from skloss.sparse._entry_walk import DONE, Walks, begin, move, turn
from skloss.sparse._preconditioner import read_scaling

__all__ = ["Entries", "HalvesDesign", "first_to_enter"]

_ROUNDING = 1e-13  # share of a mean square that is no variance


class Entries(NamedTuple):
    """What entered the paths of several halves.

    Parameters
    ----------
    features : list of ndarray of intp
        For each half, in the order of entry.
    dual_gaps : ndarray of shape (n_halves,)
        Of the solution where the last one entered, as a share of half the sum of
        squares of the target.
    """

    features: list
    dual_gaps: np.ndarray


class HalvesDesign(NamedTuple):
    """Columns that are standardised over all rows, as the paths read them.

    Parameters
    ----------
    matrix : ndarray or CSC array of shape (n, d), float64
        Columns; sparse ones may be as far from zero as ten standard deviations.
    squares : ndarray or CSC array of shape (n, d)
        Their squares.
    target : ndarray of shape (n,)
        Target, less its mean and divided by its largest magnitude.
    usable : ndarray of shape (d,), bool
        Columns that are neither constant nor equal to one before them.
    """

    matrix: object
    squares: object
    target: np.ndarray
    usable: np.ndarray

    @classmethod
    def read(cls, sample):
        """Standardise the columns of a sample, in one copy of them."""
        X, y, weight = sample.X, sample.y, sample.weight
        center, scale, usable = read_scaling(X, weight, True)
        # Equal columns are for the first; shares of nothing are not enlarged.
        factor = np.where(usable, 1.0 / scale, 0.0)
        if sparse.issparse(X):
            matrix = X.astype(np.float64)
            matrix.data *= np.repeat(factor, np.diff(X.indptr))
            matrix = sparse.csc_array(columns_of(matrix, weight, True).X)
            squares = matrix.copy()
            squares.data **= 2
        else:
            matrix = X - center
            matrix *= factor
            squares = np.square(matrix)
        target = y - y[0]
        target = target / (np.abs(target).max() or 1.0)
        return cls(matrix, squares, target - target.mean(), usable)

    def products(self, rows):
        """Products (b, d) of vectors (b, n) with all columns."""
        return _times(rows, self.matrix)

    def columns(self, features):
        """Columns as rows of a dense array (len(features), n)."""
        chosen = self.matrix[:, features]
        chosen = chosen.toarray() if sparse.issparse(chosen) else chosen
        return np.ascontiguousarray(chosen.T)

    def moments(self, halves):
        """Means of the columns over halves, and one over their lengths, (b, d)."""
        inside = np.zeros((len(halves), len(self.target)))
        np.put_along_axis(inside, halves, 1.0 / halves.shape[1], axis=1)
        mean, square = _times(inside, self.matrix), _times(inside, self.squares)
        variance = square - mean**2
        varies = (variance > _ROUNDING * square) & self.usable
        length = np.sqrt(np.where(varies, variance, 1.0) * halves.shape[1])
        return mean, np.where(varies, 1.0 / length, 0.0)


def _times(rows, matrix):
    if sparse.issparse(matrix):
        return np.ascontiguousarray((matrix.T @ rows.T).T)
    return rows @ matrix


def first_to_enter(design, halves, most):
    """Find the features that enter the Lasso path first, for several halves.

    Parameters
    ----------
    design : HalvesDesign
        Data.
    halves : ndarray of shape (b, m), intp
        Rows of each half.
    most : int
        How many features.

    Returns
    -------
    Entries
    """
    # A copy, as another process may have got a memory map, for which kernels would be
    # compiled apart.
    halves = np.array(halves, dtype=np.intp)
    with one_blas_thread():
        mean, scale = design.moments(halves)
        most = int(min(most, halves.shape[1] - 1, np.count_nonzero(design.usable)))
        walks = Walks.over(halves, mean, scale, max(most, 1))
        residuals = np.zeros((len(halves), len(design.target)))
        targets = design.target[halves]
        targets = targets - targets.mean(axis=1, keepdims=True)
        length = np.sqrt(np.square(targets).sum(axis=1, keepdims=True))
        constant = length[:, 0] <= np.sqrt(halves.shape[1]) * 1e-13
        targets /= np.where(constant[:, None], np.inf, length)
        np.put_along_axis(residuals, halves, targets, axis=1)
        begin(walks, design.products(residuals))
        _walk(design, walks, np.zeros_like(residuals))
        gaps = _dual_gaps(design, walks, targets, residuals)
    features = [
        walks.entered[h, :count].copy() for h, count in enumerate(walks.n_entered)
    ]
    return Entries(features, gaps)


def _walk(design, walks, moves):
    """Advance all paths from event to event until none has another one."""
    everyone = np.arange(len(moves))
    while True:
        event = walks.event
        # A feature that has entered before has its column still.
        known = walks.place[everyone, np.maximum(event, 0)] >= 0
        new = (event >= 0) & ~known
        features, source = np.unique(event[new], return_inverse=True)
        at = np.full(len(moves), -1, dtype=np.intp)
        at[new] = source
        turn(walks, design.columns(features), at, moves)
        paths = np.flatnonzero(walks.event != DONE)
        if not paths.size:
            return
        move(walks, design.products(moves[paths]), paths)


def _dual_gaps(design, walks, targets, residuals):
    """Certify where the paths ended, from products computed afresh."""
    left = targets - np.einsum("hr,hrm->hm", walks.coef, walks.panel)
    np.put_along_axis(residuals, walks.rows, left, axis=1)
    pull = design.products(residuals)
    pull = (pull - left.sum(axis=1, keepdims=True) * walks.mean) * walks.scale
    strength = walks.strength
    size = np.abs(pull).max(axis=1)
    shrink = np.minimum(1.0, strength / np.where(size > 0, size, 1.0))
    square = np.square(left).sum(axis=1)
    primal = 0.5 * square + strength * np.abs(walks.coef).sum(axis=1)
    dual = shrink * (targets * left).sum(axis=1) - 0.5 * shrink**2 * square
    return 2.0 * np.maximum(primal - dual, 0.0)
