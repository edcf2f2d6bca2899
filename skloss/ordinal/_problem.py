"""Ordinal regression as the proximal Newton solver sees it."""

import math
from typing import NamedTuple

import numpy as np

from skloss.ordinal._curvature import hessian, partial_hessian
from skloss.ordinal._limits import LARGEST_HESSIAN
from skloss.ordinal._wide_model import WideModel

__all__ = ["OrdinalProblem"]

_FEW_SCORES = 1 << 16  # up to which memory is no matter


class OrdinalProblem:
    """The smooth part of the objective, for `skloss.solvers.prox_newton`.

    The unknowns are m intercepts, then q blocks of p coefficients of standardised
    columns. The smooth part is the loss, a ridge, and a linear term.

    Parameters
    ----------
    rows : DenseRows or SparseRows
        Rows sorted by class.
    family : Cumulative, Stopping or Adjacent
        The likelihood.
    structure : Structure
        How blocks make up the weights of the thresholds.
    used : ndarray of shape (p,), bool
        Columns that are not constant.
    ridge : ndarray of shape (size,), default=None
        Half of it times the square of each unknown is added.
    tilt : ndarray of shape (size,), default=None
        Its product with the unknowns is added.
    """

    def __init__(self, rows, family, structure, used, *, ridge=None, tilt=None):
        self.rows, self.family, self.structure = rows, family, structure
        self.used = used
        self.m, self.q = structure.T.shape
        self.p = rows.n_columns - 1
        self.size = self.m + self.q * self.p
        self.ridge, self.tilt = ridge, tilt
        self.latest = None  # what was seen at the last point

    def penalty_weight(self, weight):
        """Weights of all unknowns, which is what they are given as."""
        return np.ascontiguousarray(weight, dtype=np.float64)

    def gradient_scale(self):
        """Size of gradient entries: standardised columns are comparable as they are."""
        scale = np.ones(self.size)
        scale[self.m :] = np.tile(self.used.astype(np.float64), self.q)
        return scale

    def weights_of(self, x):
        """Weights and intercepts of the thresholds.

        Parameters
        ----------
        x : ndarray of shape (size,)
            Unknowns.

        Returns
        -------
        ndarray of shape (m, p + 1)
            For standardised columns, intercepts last.
        """
        B = np.empty((self.m, self.p + 1))
        blocks = x[self.m :].reshape(self.q, self.p)
        np.matmul(self.structure.T, blocks, out=B[:, :-1])
        B[:, -1] = x[: self.m]
        return B

    def unknowns_of(self, B):
        """Unknowns of given weights; see `weights_of`."""
        blocks = self.structure.blocks_of(B[:, :-1])
        return np.concatenate([B[:, -1], blocks.ravel()])

    def scores(self, x):
        """Scores of each threshold on its rows, one after the other."""
        B = self.weights_of(x)
        family, out = self.family, np.empty(self.family.n_scores)
        if self.structure.is_common:
            common = self.rows.scores(np.append(B[0, :-1], 0.0), 0, self.rows.n_rows)
            for k, (lo, hi) in enumerate(family.ranges):
                np.add(common[lo:hi], B[k, -1], out=family.segment(out, k))
            return out
        for k, (lo, hi) in enumerate(family.ranges):
            family.segment(out, k)[:] = self.rows.scores(B[k], lo, hi)
        return out

    def back(self, first):
        """Gradient in the unknowns from the derivatives in the scores."""
        family = self.family
        if self.structure.is_common:
            return self._back_common(first)
        G = np.empty((self.m, self.p + 1))
        for k, (lo, hi) in enumerate(family.ranges):
            G[k] = self.rows.back(family.segment(first, k), lo, hi)
        gradient = np.empty(self.size)
        gradient[: self.m] = G[:, -1]
        gradient[self.m :] = (self.structure.T.T @ G[:, :-1]).ravel()
        return gradient

    def _back_common(self, first):
        family, total = self.family, np.zeros(self.rows.n_rows)
        gradient = np.empty(self.size)
        for k, (lo, hi) in enumerate(family.ranges):
            part = family.segment(first, k)
            total[lo:hi] += part
            gradient[k] = part.sum()
        gradient[self.m :] = self.rows.back(total, 0, self.rows.n_rows)[:-1]
        return gradient

    def smooth_extra(self, x):
        """Ridge and linear term."""
        total = 0.0
        if self.ridge is not None:
            total += 0.5 * float(self.ridge @ (x * x))
        if self.tilt is not None:
            total += float(self.tilt @ x)
        return total

    def resume(self, seen):
        """Spare a second look at what a problem with the same loss has seen."""
        self.latest = seen
        return self

    def with_ridge(self, ridge):
        """Return the same loss with another ridge."""
        data = self.rows, self.family, self.structure, self.used
        return OrdinalProblem(*data, ridge=ridge).resume(self.latest)

    def at(self, x):
        """Look at the problem at one point; see `OrdinalPoint`."""
        x = np.array(x, dtype=np.float64)
        known = self.latest
        if known is not None and np.array_equal(known.x, x):
            return OrdinalPoint(self, x, known.scores, known)
        return OrdinalPoint(self, x, self.scores(x))


class Seen(NamedTuple):
    """What is kept of a point: nothing that would keep the problem alive with it."""

    x: np.ndarray
    scores: np.ndarray
    row_loss: float
    row_gradient: np.ndarray
    terms: list | None  # second derivatives in the scores, where rows are few


class OrdinalPoint:
    """An ordinal problem at one point: loss, gradient, quadratic model.

    Parameters
    ----------
    problem : OrdinalProblem
        The problem.
    x : ndarray of shape (size,)
        The unknowns.
    scores : ndarray
        Their scores.
    known : Seen, default=None
        The same point of a problem with the same loss.
    """

    def __init__(self, problem, x, scores, known=None):
        self.problem, self.x, self.scores = problem, x, scores
        self._terms = None
        if known is None:
            loss, first, self._terms = problem.family.derivatives(scores)
            self.row_loss, self.row_gradient = loss, problem.back(first)
        else:
            self.row_loss, self.row_gradient = known.row_loss, known.row_gradient
            self._terms = known.terms
        self.loss = self.row_loss + problem.smooth_extra(x)
        self.gradient = self.row_gradient.copy()
        if problem.ridge is not None:
            self.gradient += problem.ridge * x
        if problem.tilt is not None:
            self.gradient += problem.tilt
        problem.latest = self.seen()

    def seen(self):
        """Return what another problem with the same loss need not look at again."""
        terms = self._terms if len(self.scores) <= _FEW_SCORES else None
        return Seen(self.x, self.scores, self.row_loss, self.row_gradient, terms)

    @property
    def terms(self):
        """Second derivatives in the scores, computed again where they were let go."""
        if self._terms is None:
            self._terms = self.problem.family.derivatives(self.scores)[2]
        return self._terms

    def forget(self):
        """Let go of half of what a point holds, the second derivatives."""
        self._terms = None

    def rounding(self):
        """Say what rounding leaves of gradient entries: nothing that `tol` sees."""
        return 0.0

    def has_flat_rows(self):
        """Whether the model needs damping from the start."""
        return False

    def along(self, direction):
        """Prepare the line search: value and new point at any step length."""
        problem = self.problem
        self.forget()  # the model has been made
        moved, full = problem.scores(direction), {}

        def point_at(length):
            if length in full:
                return full[length]
            scores = self.scores + length * moved
            return OrdinalPoint(problem, self.x + length * direction, scores)

        def loss_at(length):
            if length == 1.0:  # nearly always accepted: look at all of it at once
                full[length] = point_at(length)
                return full[length].loss
            full.clear()
            value = problem.family.value(self.scores + length * moved)
            return value + problem.smooth_extra(self.x + length * direction)

        return loss_at, point_at

    def model(self, working, damping):
        """Quadratic model on the working set.

        Parameters
        ----------
        working : ndarray of intp
            Sorted coordinates.
        damping : float
            Relative increase of the curvature along each coordinate.

        Returns
        -------
        Q : ndarray of shape (k, k) or WideModel
            Matrix; of more than `LARGEST_HESSIAN` coordinates it is not held.
        q : ndarray of shape (k,)
            Gradient.
        back : callable
            Maps a step in the model's coordinates to one of the unknowns.
        """
        problem = self.problem
        if working.size > LARGEST_HESSIAN:
            model = WideModel(self, working, damping)
            return model, self.gradient[working], lambda step: step
        if working.size == problem.size:
            Q = hessian(problem.rows, self.terms, problem.structure.T)
        else:
            Q = partial_hessian(problem.rows, self.terms, problem.structure.T, working)
        diagonal = np.diag_indices(len(Q))
        if problem.ridge is not None:
            Q[diagonal] += problem.ridge[working]
        if damping:
            Q[diagonal] *= 1.0 + damping
        return Q, self.gradient[working], lambda step: step

    def dual_gap(self, penalty, weight):
        """No gap while iterating: the certificate is made once, at the end."""
        return math.nan
