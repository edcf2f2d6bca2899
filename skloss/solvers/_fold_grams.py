"""Least squares on one design for several sets of rows, as the folds of a validation.

Each task leaves some rows out. What needs a pass over X is done for all tasks in one:
a path for five folds reads X hardly more often than a path for one. Each task chooses
columns of its own: few folds need the same ones.
"""

import numpy as np

from skloss.solvers._columns import DenseColumns, columns_of
from skloss.solvers._fold_moments import FoldMoments
from skloss.solvers._task_gram import TaskGram

__all__ = ["FoldGrams"]

_FEW_COLUMNS = 64  # whose Gram matrices are small, however few the rows
_ROWS = 4096  # at a time, whose errors are computed


class FoldGrams:
    """A design, a target and tasks on it.

    With weights s that sum to W over the rows of a task, and columns and target less
    their weighted means over them, its linear part is ``c = X.T @ diag(s) @ y / W``.

    Parameters
    ----------
    X : ndarray or CSC array of shape (n, p)
        Design. It is not copied.
    y : ndarray of shape (n,)
        Target.
    weight : ndarray of shape (n,)
        Row weights of at least 0.
    left_out : list of ndarray of intp
        Rows that each task leaves out; some weight must be left.
    center : bool
        Whether to subtract means, which is to fit an intercept.
    scored : list of ndarray of intp, default=None
        Rows whose errors are of interest, for each task; those left out by default.

    Attributes
    ----------
    grams : list of TaskGram
        Gram matrices of the columns that each task has chosen.
    linear : ndarray of shape (n_tasks, p)
        c of each task.
    square : ndarray of shape (n_tasks,)
        Weighted mean square of the target.
    means : ndarray of shape (n_tasks, p)
        Column means over each task's rows.
    target_means : ndarray of shape (n_tasks,)
        Means of the target.
    """

    def __init__(self, X, y, weight, left_out, *, center, scored=None):
        self.size, self.n_rows = X.shape[1], X.shape[0]
        self.center = center
        self.weight = weight / weight.sum()
        self.columns = columns_of(X, self.weight, center)
        self.left_out = left_out
        self.scored = left_out if scored is None else scored
        self.weights = np.repeat(self.weight[:, None], len(left_out), axis=1)
        for f, rows in enumerate(left_out):
            self.weights[rows, f] = 0.0
        self.shares = self.weights.sum(axis=0)
        self.weights /= self.shares
        self._read_target(y)
        self.grams = [TaskGram(self, f) for f in range(len(left_out))]
        self.moments = None

    def _read_target(self, y):
        S = self.weights
        self.target_means = y @ S if self.center else np.zeros(S.shape[1])
        Y = y[:, None] - self.target_means
        if self.center:  # twice, for targets far from zero
            more = np.einsum("if,if->f", S, Y)
            Y -= more
            self.target_means += more
        weighted = S * Y
        self.target, self.square = Y, np.einsum("if,if->f", weighted, Y)
        if self.center:
            noise = 64 * np.finfo(np.float64).eps * np.abs(self.target_means)
            for f in np.flatnonzero(np.sqrt(self.square) <= noise):
                seen = y[S[:, f] > 0]
                if np.ptp(seen) == 0:  # exactly zero, of which rounding makes a fit
                    self.target_means[f], Y[:, f] = seen[0], y - seen[0]
                    weighted[:, f] = self.square[f] = 0.0
        self.linear = self.columns.back_product(weighted).T.copy()
        self.shifts = np.zeros_like(self.linear)
        if self.center:
            # Columns are less their means over all rows, so that these are small.
            self.shifts = self.columns.back_product(S).T.copy()
        self.means = self.shifts + self.columns.center
        # Columns that do not vary over a task's rows, of those chosen.
        self.silent = np.zeros(self.linear.shape, dtype=bool)

    def read_all(self):
        """Get ready to choose all columns at once, in all tasks.

        Of dense columns, far fewer than rows, one pass over X then serves all Gram
        matrices.
        """
        are_few = self.size <= max(_FEW_COLUMNS, self.n_rows // 4)
        is_dense = isinstance(self.columns, DenseColumns)
        if self.moments is None and are_few and is_dense:
            self.moments = FoldMoments(self)

    def extend(self, new):
        """Choose more columns in all tasks."""
        for gram in self.grams:
            gram.extend(new)

    @property
    def kept(self):
        """Columns chosen in the first task."""
        return self.grams[0].kept

    @property
    def place(self):
        """Where each column is among those chosen in the first task, or -1."""
        return self.grams[0].place

    def gram(self, task):
        """Gram matrix (k, k) of the columns chosen in a task."""
        return self.grams[task].matrix

    def look(self, tasks, supports, values):
        """Show several coefficient vectors from every side that a path needs.

        From Gram matrices of all columns where the tasks have them, or from a pass
        over X.

        Parameters
        ----------
        tasks, supports, values
            See `residuals`.

        Returns
        -------
        gradients : ndarray of shape (p, len(tasks))
            Of half the mean squares of the residuals.
        squares : ndarray of shape (len(tasks),)
            These mean squares.
        errors : ndarray of shape (len(tasks),)
            See `scored_errors`.
        """
        if all(self.grams[f].kept.size == self.size for f in set(tasks)):
            return self._look_at_grams(tasks, supports, values)
        residuals = self.residuals(tasks, supports, values)
        gradients, squares = self.gradients(tasks, residuals)
        return gradients, squares, self.scored_errors(tasks, residuals)

    def _look_at_grams(self, tasks, supports, values):
        W = np.zeros((self.size, len(tasks)))
        for b, (support, w) in enumerate(zip(supports, values)):
            W[support, b] = w
        gradients, squares = np.empty_like(W), np.empty(len(tasks))
        errors = np.full(len(tasks), np.nan)
        tasks = np.asarray(tasks)
        for f in np.unique(tasks):
            own, gram = np.flatnonzero(tasks == f), self.grams[f]
            V, c = W[np.ix_(gram.kept, own)], self.linear[f, gram.kept, None]
            pull = gram.matrix @ V - c
            gradients[np.ix_(gram.kept, own)] = pull
            total = self.square[f] + np.einsum("jb,jb->b", V, pull - c)
            squares[own] = np.maximum(total, 0.0)
            errors[own] = self._errors_of(f, W[:, own])
        return gradients, squares, errors

    def _errors_of(self, task, W):
        """Mean squares (b,) on a task's scored rows of residuals of W (p, b)."""
        rows, errors = self.scored[task], np.full(W.shape[1], np.nan)
        total = self.weight[rows].sum()
        if not total > 0:
            return errors
        if self.moments is not None:
            errors = self.moments.errors(task, W)
        unknown = np.flatnonzero(np.isnan(errors))
        if unknown.size:
            errors[unknown] = 0.0
            owners, everything = [task] * unknown.size, np.arange(self.size)
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                R = self._residuals(owners, everything, W[:, unknown], part)
                errors[unknown] += self.weight[part] @ R**2 / total
        return errors

    def residuals(self, tasks, supports, values, rows=None):
        """Residuals of several coefficient vectors.

        Parameters
        ----------
        tasks : list of int
            Task of each.
        supports : list of ndarray of intp
            Columns that are not zero.
        values : list of ndarray
            Their coefficients.
        rows : ndarray of intp, default=None
            Rows of the design; None means all.

        Returns
        -------
        ndarray of shape (n_rows, len(tasks))
        """
        union = np.unique(np.concatenate([*supports, np.empty(0, np.intp)]))
        union = union.astype(np.intp)
        W = np.zeros((union.size, len(tasks)))
        for b, (support, w) in enumerate(zip(supports, values)):
            W[np.searchsorted(union, support), b] = w
        return self._residuals(tasks, union, W, rows)

    def _residuals(self, tasks, columns, W, rows):
        R = self.target[:, tasks] if rows is None else self.target[np.ix_(rows, tasks)]
        if not columns.size:
            return R
        offset = np.einsum("bj,jb->b", self.shifts[np.ix_(tasks, columns)], W)
        return R - self.columns.scores_at(columns, W, rows) + offset

    def gradients(self, tasks, residuals):
        """Gradients (p, b) of half the mean squares of residuals, and these (b,)."""
        weighted = self.weights[:, tasks] * residuals
        squares = np.einsum("ib,ib->b", weighted, residuals)
        G = self.columns.back_product(weighted)
        if self.center:
            G -= self.shifts[tasks].T * weighted.sum(axis=0)
        G[self.silent[tasks].T] = 0.0
        return -G, squares

    def scored_errors(self, tasks, residuals):
        """Mean square of each residual over its task's scored rows; nan for none."""
        errors = np.full(len(tasks), np.nan)
        for b, f in enumerate(tasks):
            rows = self.scored[f]
            weight = self.weight[rows]
            if weight.sum() > 0:
                errors[b] = np.average(np.square(residuals[rows, b]), weights=weight)
        return errors

    def null_gradients(self, weight):
        """Gradients (n_tasks, p) where only what has no weight is fitted."""
        free = np.flatnonzero(weight == 0)
        self.extend(free)
        gradients = -self.linear
        if not free.size:
            return gradients
        values = []
        for f, gram in enumerate(self.grams):
            places = gram.place[free]
            block = gram.matrix[np.ix_(places, places)]
            unit = 1.0 / np.sqrt(np.where(block.diagonal() > 0, block.diagonal(), 1.0))
            scaled = block * np.outer(unit, unit)
            target = unit * self.linear[f, free]
            values.append(unit * np.linalg.lstsq(scaled, target)[0])
        tasks = list(range(len(self.grams)))
        order = np.argsort(free)
        supports = [free[order]] * len(tasks)
        residuals = self.residuals(tasks, supports, [v[order] for v in values])
        return self.gradients(tasks, residuals)[0].T
