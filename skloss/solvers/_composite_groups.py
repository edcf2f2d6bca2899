"""Least squares with a penalty that is a sum over groups, on a working set of groups.

Wide designs are worked on as columns, tall ones as Gram matrices, whichever is smaller.
"""

import numpy as np
from scipy import sparse

from skloss.solvers._composite_group_kernels import (
    GroupColumns,
    GroupStrengths,
    descend,
    objective,
    subtract,
)
from skloss.solvers._composite_newton import newton
from skloss.solvers._working_set import FREE_TOL

__all__ = ["GroupProblem", "WorkingGroups"]

_LARGE = 256  # groups beyond it take single proximal steps
_FEWEST_SWEEPS, _MOST_SWEEPS = 60, 1000  # before Newton's method
_MOST_NEWTON = 8
_ROUNDS = 40  # of sweeps and Newton's method
_PATIENCE = 5  # rounds without progress
_NO_PROGRESS = 1e-15  # of the mean square of the target


class WorkingGroups:
    """Groups of columns chosen one after the other, for each task of a design.

    Parameters
    ----------
    data : FoldGrams
        Design, target and tasks. Its Gram matrices are used while they are small.
    blocks : Blocks
        Groups of all columns.

    Attributes
    ----------
    kept : ndarray of shape (k,), intp
        Columns chosen so far, group by group.
    place : ndarray of shape (p,), intp
        Where each column is among them, or -1.
    which : ndarray of shape (G,), intp
        Numbers of their groups.
    """

    def __init__(self, data, blocks):
        self.data, self.size = data, data.size
        sizes = np.diff(blocks.starts)
        self.group = np.empty(data.size, dtype=np.intp)
        self.group[blocks.order] = np.repeat(np.arange(sizes.size), sizes)
        self.kept = self.which = np.empty(0, dtype=np.intp)
        self.place = np.full(data.size, -1, dtype=np.intp)
        self.starts = np.zeros(1, dtype=np.intp)
        self.panels, self.grams = None, [np.empty((0, 0))] * len(data.left_out)
        self.tasks = [_Eigen() for _ in data.left_out]

    def __getattr__(self, name):
        return getattr(self.data, name)  # what a pass over X shows

    def extend(self, new):
        """Choose more columns, whole groups that are not among them."""
        if not len(new):
            return
        new = new[np.argsort(self.group[new], kind="stable")]
        old = self.kept.size
        self.kept = np.concatenate([self.kept, new])
        self.place[new] = np.arange(old, self.kept.size)
        begins = np.diff(self.group[new], prepend=-1) != 0
        self.which = np.concatenate([self.which, self.group[new][begins]])
        self.starts = np.append(
            np.concatenate([self.starts[:-1], old + np.flatnonzero(begins)]),
            self.kept.size,
        ).astype(np.intp)
        if self.panels is None and 2 * self.kept.size > self.data.n_rows:
            self.panels = [_Panel(self.data, f) for f in range(len(self.tasks))]
            new = self.kept
        if self.panels is None:
            self.data.extend(new[self.data.place[new] < 0])
            places = self.data.place[self.kept]
            self.grams = [
                self.data.gram(f)[np.ix_(places, places)]
                for f in range(len(self.tasks))
            ]
        for f, eigen in enumerate(self.tasks):
            if self.panels is not None:
                self.panels[f].extend(new)
            eigen.extend(self.rows(f), self.starts, self.panels is None)

    def rows(self, f):
        """Columns of a task as rows, or its Gram matrix."""
        if self.panels is not None:
            return self.panels[f].rows
        return self.grams[f]

    def target(self, f):
        """Return the target, or the products of the columns with it."""
        if self.panels is not None:
            return self.panels[f].target
        return self.data.linear[f, self.kept]


class _Panel:
    """Chosen columns of a task, centred, times the roots of its row weights."""

    def __init__(self, data, f):
        self.data, self.f = data, f
        self.root = np.sqrt(data.weights[:, f])
        self.target = self.root * data.target[:, f]
        self.store, self.n = np.empty((0, data.n_rows)), 0

    @property
    def rows(self):
        """The columns, as rows (k, n)."""
        return self.store[: self.n]

    def extend(self, new):
        """Gather more columns."""
        data, end = self.data, self.n + len(new)
        if end > len(self.store):
            most = min(max(2 * self.n, end), data.size)
            store = np.empty((most, data.n_rows))
            store[: self.n] = self.rows
            self.store = store
        rows = self.store[self.n : end]
        columns = data.columns
        if sparse.issparse(columns.X):
            rows[:] = columns.X[:, new].T.toarray()
            center = columns.mean[new]
        else:
            rows[:] = columns.X.T[new]
            center = columns.center[new]
        rows -= (center + data.shifts[self.f, new])[:, None]
        rows *= self.root
        # Columns that do not vary over the task's rows, but for rounding.
        noise = (64 * np.finfo(np.float64).eps * columns.center[new]) ** 2
        constant = np.einsum("ji,ji->j", rows, rows) <= noise
        rows[constant] = 0.0
        data.silent[self.f, new[constant]] = True
        data.linear[self.f, new[constant]] = 0.0
        self.n = end


class _Eigen:
    """Eigenvalues and eigenvectors of the groups' Gram matrices, of one task."""

    def __init__(self):
        self.steepest = np.empty(0)
        self.lengths = np.empty(0)
        self.values, self.vectors = np.empty(0), np.empty(0)
        self.places = np.zeros(1, dtype=np.intp)

    def extend(self, rows, starts, is_gram):
        """Decompose the groups that are new."""
        n_old = self.steepest.size
        steepest, values, vectors = [self.steepest], [self.values], [self.vectors]
        sizes = []
        for begin, end in zip(starts[n_old:], starts[n_old + 1 :]):
            block = rows[begin:end, begin:end] if is_gram else rows[begin:end]
            if end - begin > _LARGE:
                top = _largest_eigenvalue(block, is_gram)
                steepest.append([top])
                values.append(np.full(end - begin, top))
                sizes.append(0)
                continue
            own, turn = np.linalg.eigh(block if is_gram else block @ block.T)
            own = np.maximum(own, 0.0)
            steepest.append(own[-1:])
            values.append(own)
            vectors.append(turn.ravel())
            sizes.append(turn.size)
        self.steepest = np.concatenate(steepest)
        self.values, self.vectors = np.concatenate(values), np.concatenate(vectors)
        ends = self.places[-1] + np.cumsum(sizes)
        self.places = np.concatenate([self.places, ends]).astype(np.intp)
        new = rows[starts[n_old] :]
        squares = (
            new[:, starts[n_old] :].diagonal()
            if is_gram
            else np.einsum("ji,ji->j", new, new)
        )
        self.lengths = np.append(self.lengths, np.sqrt(np.maximum(squares, 0.0)))


def _largest_eigenvalue(block, is_gram):
    """Of the Gram matrix of columns, given it or them, from above."""
    if is_gram:
        top = np.linalg.eigvalsh(block)[-1]
    else:
        small = block if len(block) < block.shape[1] else block.T
        top = np.linalg.eigvalsh(small @ small.T)[-1]
    return max(top, 0.0) * (1.0 + 1e-12)


class GroupProblem:
    """Half the mean square of the residuals plus a penalty, on the working set.

    Parameters
    ----------
    working : WorkingGroups
        The working set, which may grow.
    f : int
        The task.
    """

    def __init__(self, working, f):
        self.working, self.f = working, f
        self.square = float(working.data.square[f])
        self.columns = None

    def _columns(self):
        if self.columns is None or len(self.columns.rows) < self.working.kept.size:
            self.columns = self._gather()
        return self.columns

    def _gather(self):
        working, eigen = self.working, self.working.tasks[self.f]
        return GroupColumns(
            rows=working.rows(self.f),
            is_gram=working.panels is None,
            target=working.target(self.f),
            square=self.square,
            starts=working.starts,
            steepest=eigen.steepest,
            values=eigen.values,
            vectors=eigen.vectors,
            places=eigen.places,
        )

    def minimize(self, penalty, ridge, w, tol):
        """Minimise from a start.

        Parameters
        ----------
        penalty : VectorPenalty
            The penalty of all columns.
        ridge : float
            Factor of half the squares.
        w : ndarray of shape (k,)
            Start, on the working set.
        tol : float
            Largest duality gap.

        Returns
        -------
        ndarray of shape (k,)
            A point that is not higher, but for rounding.
        """
        columns, blocks = self._columns(), penalty.blocks()
        l2 = np.ascontiguousarray(blocks.l2[self.working.which], dtype=np.float64)
        strengths = GroupStrengths(float(blocks.l1), l2, ridge, blocks.positive)
        k = w.size
        start, state = w, self._state(columns, w)
        first = lowest = objective(columns, strengths, state[:k], state[k:])
        patience = _PATIENCE
        for _ in range(_ROUNDS):
            n = _sweeps_before_newton(state[:k], state[k:])
            if descend(columns, strengths, state, tol, 0.1 * FREE_TOL, n):
                break
            state = self._state(columns, state[:k])  # without what rounding added
            value = objective(columns, strengths, state[:k], state[k:])
            new = self._newton(columns, penalty, ridge, state[:k])
            there = self._state(columns, new)
            reached = objective(columns, strengths, there[:k], there[k:])
            if reached <= value:  # False for nan
                value, state = reached, there
            # The gap may still fall where the objective is down to rounding.
            patience -= not value < lowest - _NO_PROGRESS * self.square
            if patience == 0:
                break
            lowest = value
        end = objective(columns, strengths, state[:k], state[k:])
        return state[:k] if end <= first + _NO_PROGRESS * self.square else start

    @staticmethod
    def _state(columns, w):
        """Coefficients, then the residuals, or the negative gradient."""
        state = np.concatenate([w, columns.target])
        subtract(columns.rows, 0, w.size, w, state[w.size :])
        return state

    def _newton(self, columns, penalty, ridge, w):
        """Newton steps on the groups that are not zero."""
        starts = columns.starts
        used = np.add.reduceat(w != 0.0, starts[:-1]) > 0
        active = np.flatnonzero(np.repeat(used, np.diff(starts)))
        if not active.size:
            return w
        if columns.is_gram:
            Q = columns.rows[np.ix_(active, active)]
        else:
            rows = columns.rows[active]
            Q = rows @ rows.T
        Q[np.diag_indices(active.size)] += ridge
        penalty = penalty.restrict(self.working.kept[active])
        new = w.copy()
        c = self.working.data.linear[self.f, self.working.kept[active]]
        new[active] = newton(Q, c, self.square, penalty, w[active], _MOST_NEWTON)
        return new


def _sweeps_before_newton(w, r):
    """Balance the cost of sweeps with that of a Cholesky factor, or a few."""
    n_active = np.count_nonzero(w)
    return min(max(n_active**2 // (8 * r.size + 1), _FEWEST_SWEEPS), _MOST_SWEEPS)
