"""The L1 path of preconditioned regression: its design, its strengths, its folds."""

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

from skloss.penalties import L1
from skloss.solvers._fold_grams import FoldGrams
from skloss.solvers.path import Level, PathSolution, polish, quadratic_path
from skloss.sparse._preconditioner import FLOOR, independent, root_mean_squares

__all__ = ["L1Design", "PathPoint", "Target"]

_NOTHING = 1e-8  # less than this left of a column is rounding
_AT_ONCE = 1 << 20  # numbers in a block of columns


class Target(NamedTuple):
    """What is predicted.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Target, less its mean if there is an intercept.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    mean : float
        What was subtracted.
    center : bool
        Whether there is an intercept.
    """

    y: np.ndarray
    weight: np.ndarray
    mean: float
    center: bool

    @classmethod
    def read(cls, y, weight, center):
        """Centre a target; a constant one becomes exactly zero."""
        if not center:
            return cls(y, weight, 0.0, center)
        seen = y[weight > 0]
        if np.ptp(seen) == 0:
            return cls(np.where(weight > 0, 0.0, y - seen[0]), weight, seen[0], center)
        mean = float(weight @ y)
        mean += float(weight @ (y - mean))  # what rounding has left
        return cls(y - mean, weight, mean, center)


class PathPoint(NamedTuple):
    """One fit of a path, as callbacks see it."""

    n_iter: int  # fits so far
    alpha: float
    objective: float
    n_active: int
    dual_gap: float
    solution: object
    phase: object
    converged: bool = False


class L1Design:
    """Columns of mean square 1, of which pivots are free and the others penalised.

    A span of columns that are not penalised may have any basis: the pivots are
    replaced by an orthonormal one, and the rest of the other columns, scaled to mean
    square 1, stands for them. So the path runs on well conditioned columns.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
        Standardised columns in the new basis; a dense one is overwritten.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    basis : Basis
        From these columns to the original ones.
    usable : ndarray of shape (d,), bool
        Columns that may have a coefficient.
    free : ndarray of shape (m,), intp
        Columns not to be penalised; none, and `basis` without a round, leave a sparse
        design sparse.
    """

    def __init__(self, design, weight, basis, usable, free):
        self.basis, self.weight = basis, weight
        self.penalty = np.ones(usable.size)
        self.lengths, self.pivots = np.ones(usable.size), free[:0]
        if basis.rounds or not hasattr(design, "X"):
            self.Z = design.dense()
            self.Z[:, ~usable] = 0.0
        else:
            factors = np.where(usable, 1.0 / basis.scale, 0.0)
            Z = design.X.astype(np.float64)
            Z.data *= np.repeat(factors, np.diff(Z.indptr))
            self.Z = sparse.csc_array(Z)
        if free.size:
            self._free(free)

    def _free(self, free):
        """Project pivots out of the other columns, and make them orthonormal."""
        Z, weight = self.Z, self.weight
        chosen, _, R = independent(Z[:, free], weight)
        self.pivots, dependent = free[chosen], np.delete(free, chosen)
        Z[:, dependent] = 0.0
        # All rows, those without weight, too: some may be predicted.
        Q = linalg.solve_triangular(R, Z[:, self.pivots].T, trans="T").T
        others = np.delete(np.arange(Z.shape[1]), self.pivots)
        self._others, self._R = others, R
        self._shadow = np.empty((self.pivots.size, others.size))
        step = max(1, _AT_ONCE // len(Z))
        for start in range(0, others.size, step):
            part = slice(start, start + step)
            columns = Z[:, others[part]]
            shadow = (weight[:, None] * Q).T @ columns
            rest = columns - Q @ shadow
            length = root_mean_squares(rest, weight)
            rest[:, length <= _NOTHING] = 0.0
            # What is left of dependent columns is not made as large as the others.
            length[length < FLOOR] = 1.0
            Z[:, others[part]] = rest / length
            self._shadow[:, part], self.lengths[others[part]] = shadow, length
        Z[:, self.pivots] = Q
        self.penalty[self.pivots] = 0.0

    def preconditioned(self, support, values):
        """Coefficients (d,) in the basis of the preconditioner."""
        u = np.zeros(self.penalty.size)
        u[support] = values
        u /= self.lengths
        if self.pivots.size:
            rest = u[self.pivots] - self._shadow @ u[self._others]
            u[self.pivots] = linalg.solve_triangular(self._R, rest)
        return u

    def alpha_max(self, target):
        """Least strength at which all penalised coefficients are zero."""
        pull = target.weight * target.y
        if self.pivots.size:
            Q = self.Z[:, self.pivots]
            pull = pull - target.weight * (Q @ (Q.T @ pull))
        # Pulls of centred rows sum to zero: columns need not be centred.
        if target.center:
            pull = pull - target.weight * pull.sum()
        return float(np.abs((self.Z.T @ pull)[self.penalty > 0]).max(initial=0.0))

    def path(self, target, alphas, left_out=None, scored=None, **options):
        """Solve for all strengths, for several sets of rows.

        Parameters
        ----------
        target : Target
            What is predicted.
        alphas : ndarray of shape (n_alphas,)
            Strengths, falling. A strength of 0 comes alone.
        left_out, scored : list of ndarray of intp, default=None
            Rows that each task leaves out, and those of which it computes the mean
            squared error; None means one task on all rows.
        **options
            Of `quadratic_path`.

        Returns
        -------
        list of list of PathSolution
            For each task, one for each strength.
        """
        nothing = [np.empty(0, dtype=np.intp)]
        self.fits = data = FoldGrams(
            self.Z,
            target.y,
            target.weight,
            nothing if left_out is None else left_out,
            center=target.center,
            scored=nothing if scored is None else scored,
        )
        if alphas[-1] == 0.0:
            return [[self._least_squares(data)]]
        return self.solve(alphas, **options)

    def solve(self, alphas, **options):
        """Solve for all strengths, on the sets of rows of the last path."""
        levels = [Level(L1(float(alpha)), float(alpha)) for alpha in alphas]
        return quadratic_path(self.fits, levels, self.penalty, **options)

    def possible_gain(self, solution):
        """Bound by how much the mean square of residuals on all rows can still fall.

        Infinite unless all columns were needed and are independent.
        """
        data, n_kept = self.fits, self.fits.kept.size
        if n_kept < data.size:
            return math.inf
        Q = data.gram(0)
        x = np.zeros(n_kept)
        x[data.place[solution.support]] = solution.values
        gradient = data.linear[0, data.kept] - Q @ x
        used = Q.diagonal() > 0.0
        try:
            factor = linalg.cho_factor(Q[np.ix_(used, used)])
        except linalg.LinAlgError:
            return math.inf
        return float(gradient[used] @ linalg.cho_solve(factor, gradient[used]))

    def polished(self, alpha, solution):
        """Take a solution of the first task of the last path as far as it goes."""
        if alpha == 0.0:
            return solution
        level = Level(L1(float(alpha)), float(alpha))
        return polish(self.fits, level, self.penalty, solution)

    def _least_squares(self, data):
        """Solution without penalty: the shortest one, if there are several."""
        root = np.sqrt(self.weight)[:, None]
        Z = self.Z.toarray() if sparse.issparse(self.Z) else self.Z
        Z = root * (Z - data.means[0] if data.center else Z)
        residual = root[:, 0] * data.target[:, 0]
        x = np.zeros(Z.shape[1])
        for _ in range(2):  # the second step bounds what rounding has left of the first
            step = linalg.lstsq(Z, residual, lapack_driver="gelsy")[0]
            moved = Z @ step
            x += step
            residual = residual - moved
        support = np.flatnonzero(x)
        return PathSolution(
            support,
            x[support],
            0.5 * float(residual @ residual),
            0.5 * float(moved @ moved),
            float(np.abs(Z.T @ residual).max()),
            1,
            True,
        )
