"""Penalised least squares at falling strengths of the penalty, each certified."""

import functools
import math

import numpy as np
from scipy.linalg import blas

from skloss.penalties import L1, MCP, SCAD, NonNegative, total
from skloss.solvers._active_set import minimize_block
from skloss.solvers._concave_set import minimize_concave
from skloss.solvers._homotopy import Homotopy
from skloss.solvers._lockstep import (
    Common,
    Level,
    PathSolution,
    PathTask,
    Seen,
    Trial,
    largest,
    run,
)
from skloss.solvers._working_set import (
    FREE_TOL,
    ROUNDING,
    dual_reach,
    penalty_gap,
    stationarity,
)

__all__ = ["Level", "PathSolution", "look_at", "polish", "quadratic_path"]

_ALL_AT_ONCE = 50  # so few columns need no working set
_TALL = 10  # rows per column; then a Gram matrix of all columns may save passes over X
_UNPENALISED = 1e-200  # weights below only tell a constraint from none

_reach = functools.lru_cache(maxsize=1024)(dual_reach)  # tasks ask for the same ones


@np.errstate(over="ignore", invalid="ignore")
def quadratic_path(
    data, levels, weight, *, start=(), tol=1e-6, max_iter=1000, report=None
):
    """Solve penalised least squares at every level, for all tasks of `data`.

    Columns join a task's working set as they are needed. On their Gram matrix the
    homotopy of the lasso, or coordinate descent with active-set Newton where there is
    a ridge, a concave penalty or no end in sight, solves some levels ahead. One pass
    over X then gives the gradients of all these solutions and tasks together, which
    certify them or say which columns are missing. With many rows for each column no
    pass is needed: all columns are in the Gram matrices.

    Parameters
    ----------
    data : FoldGrams
        Design, target and tasks.
    levels : list of Level
        In the order of falling strength.
    weight : ndarray of shape (p,)
        Penalty weights of at least 0; 0 frees a coordinate.
    start : array-like of intp, default=()
        Columns likely to be needed.
    tol : float, default=1e-6
        Largest duality gap, as a share of the mean square of the target (less its
        mean). Where there is none, 100 times it is the largest violation of
        stationarity, as a share of the level's threshold.
    max_iter : int, default=1000
        Largest number of passes over X per level.
    report : callable, default=None
        Called with the number of the task and its solutions so far, whenever there is
        a new one; returns True to stop.

    Returns
    -------
    list of list of PathSolution
        For each task, one for each level (fewer if `report` stopped it).

    References
    ----------
    M. R. Osborne, B. Presnell, B. A. Turlach, "A new approach to variable selection in
    least squares problems", IMA Journal of Numerical Analysis 20(3), 2000 (homotopy).
    R. Tibshirani et al., "Strong rules for discarding predictors in lasso-type
    problems", JRSS B 74(2), 2012. J. Nutini, I. Laradji, M. Schmidt, "Let's Make Block
    Coordinate Descent Converge Faster", JMLR 23, 2022 (Newton on the active set).
    """
    common = Common(data, levels, tol, max_iter, report, weight)
    first = _first_columns(common, np.asarray(start, dtype=np.intp))
    if first.size == data.size:
        data.read_all()
        common = common._replace(has_all_columns=True)
    tasks = [_Task(common, f) for f in range(len(data.left_out))]
    _add(tasks, [first] * len(tasks))
    return run(data, tasks, _add)


def look_at(data, level, weight, support, values):
    """Certify given coefficients, whatever they come from.

    Parameters
    ----------
    data : FoldGrams
        Design and target; its first task counts.
    level : Level
        The penalty.
    weight : ndarray of shape (p,)
        Its weights.
    support, values : ndarray of shape (k,)
        Coordinates that are not zero, and their values.

    Returns
    -------
    PathSolution
    """
    common = Common(data, [level], 0.0, 1, None, weight)
    free = np.flatnonzero(weight < _UNPENALISED)
    data.extend(free)
    residuals = data.residuals([0], [support], [values])
    gradients, squares = data.gradients([0], residuals)
    trial = Trial(0, 0, values, support, values)
    seen = Seen(trial, gradients[:, 0], squares[0], math.nan)
    return _Task(common, 0).certify(seen, np.ascontiguousarray(gradients[:, 0]))[0]


def polish(data, level, weight, solution):
    """Take a certified solution to the accuracy of floating point.

    Parameters
    ----------
    data : FoldGrams
        Design and target; its first task counts.
    level : Level
        The penalty.
    weight : ndarray of shape (p,)
        Its weights.
    solution : PathSolution
        The solution of this task.

    Returns
    -------
    PathSolution
        The better of the old and the new one, in violation of stationarity.
    """
    support, gram = solution.support, data.grams[0]
    gram.extend(support)
    kept = gram.kept
    x = np.zeros(kept.size)
    x[gram.place[support]] = solution.values
    c = data.linear[0, kept]
    Q = gram.matrix + level.ridge * np.eye(kept.size)
    tol = 1e-14 * np.abs(c).max(initial=0.0)
    _inner_solver(level)(level.penalty, Q, c, x, weight[kept], tol)
    places = np.flatnonzero(x)
    places = places[np.argsort(kept[places])]
    new = look_at(data, level, weight, kept[places], x[places])
    if not new.kkt_violation < solution.kkt_violation:
        return solution
    return new._replace(
        n_iter=solution.n_iter,
        converged=solution.converged,
        scored_error=solution.scored_error,
    )


def _is_concave(level):
    return isinstance(level.penalty, (MCP, SCAD))


def _inner_solver(level):
    return minimize_concave if _is_concave(level) else minimize_block


def _first_columns(common, start):
    """Columns that no level keeps at zero, and those that one is likely to use."""
    first = np.union1d(np.flatnonzero(common.weight < _UNPENALISED), start)
    size = common.data.size
    is_tall = size <= 5 * len(common.levels) and _TALL * size <= common.data.n_rows
    if size <= _ALL_AT_ONCE or is_tall or common.levels[-1].threshold == 0.0:
        first = np.arange(size)
    return first


def _add(tasks, wanted):
    """Add columns to working sets; of equal ones the first alone may move."""
    for task, columns in zip(tasks, wanted):
        gram, common = task.gram, task.common
        new = columns[gram.place[columns] < 0]
        if not new.size:
            continue
        new = np.unique(new)
        gram.extend(new)
        # With a ridge the minimum is unique, and equal columns share.
        if not any(level.ridge for level in common.levels):
            gram.silence(gram.copies(new, common.weight))


class _Task(PathTask):
    """The path of one task with a separable penalty."""

    def __init__(self, common, number):
        super().__init__(common, number)
        self.gram, self.homotopy = common.data.grams[number], Homotopy()
        self.free = np.flatnonzero(common.weight < _UNPENALISED)

    @property
    def kept(self):
        return self.gram.kept

    def solve_ahead(self):
        kept = self.kept
        self.linear = self.common.data.linear[self.number, kept]
        self.steepest = np.abs(self.linear).max(initial=0.0)
        self.weight = self.common.weight[kept]
        return super().solve_ahead()

    def solve(self, level, x):
        c, weight = self.linear, self.weight
        tol = self._inner_tol(level, x)
        if not level.ridge and isinstance(level.penalty, (L1, NonNegative)):
            solution = self.homotopy.solve(
                self.gram.buffer,
                c,
                x,
                level.threshold * weight,
                tol,
                positive=isinstance(level.penalty, NonNegative),
            )
            if solution is not None:
                return solution
        Q = self.gram.matrix.copy()
        Q[np.diag_indices(len(Q))] += level.ridge
        x = x.copy()
        result = _inner_solver(level)(level.penalty, Q, c, x, weight, tol)
        self.is_finished = result if _is_concave(level) else True
        return x

    def _inner_tol(self, level, x):
        """Distance from stationarity that makes a gap of a part of what is allowed."""
        tol, square = self.common.tol, self.common.data.square[self.number]
        lengths = blas.dasum(x) if x.size else 0.0
        linear = 0.2 * tol * square / lengths if lengths > 0.0 else math.inf
        scaled = 0.3 * math.sqrt(tol) * level.threshold
        if _is_concave(level):
            scaled = 50 * tol * level.threshold
        most = min(linear, scaled) if level.threshold else linear
        most = self.precision * min(most, math.sqrt(tol * square))
        return max(most, 1e-15 * self.steepest)

    def certify(self, seen, gradient):
        """Solution with its certificate, and distances from stationarity."""
        common, trial = self.common, seen.trial
        level, square = common.levels[trial.level], float(seen.square)
        x = np.zeros(common.data.size)
        x[trial.support] = trial.values
        if level.ridge:  # as if by more rows of the design
            gradient[trial.support] += level.ridge * trial.values
            square += level.ridge * float(trial.values @ trial.values)
        distances = np.empty(x.size)
        violation = stationarity(level.penalty, x, gradient, common.weight, distances)
        objective = 0.5 * square + total(level.penalty, x, common.weight)
        gap, converged = self._gap(level, x, gradient, square, distances, violation)
        solution = PathSolution(
            support=trial.support,
            values=trial.values,
            objective=objective,
            dual_gap=gap,
            kkt_violation=violation,
            n_iter=self.n_iter,
            converged=bool(converged),
            scored_error=float(seen.error),
        )
        return solution, distances

    def _gap(self, level, x, gradient, square, distances, violation):
        """Duality gap, nan if there is none, and whether the tolerance is met."""
        common = self.common
        tol, scale = common.tol, common.data.square[self.number]
        weight = common.weight
        if level.threshold == 0.0 and isinstance(level.penalty, L1):
            weight = np.zeros_like(weight)  # nothing is penalised but by the ridge
        elif _reach(level.penalty) == 0.0:
            limit = level.threshold or 0.01 * np.abs(gradient).max(initial=0.0)
            limit = max(limit, 1e-9 * math.sqrt(scale * self._largest_square()))
            if violation <= 100 * tol * limit:
                return math.nan, True
            noise = self._gradient_noise(level, x)
            return math.nan, bool((distances <= noise).all())
        if not self._settle(gradient, weight):
            return math.inf, False
        s, gap = penalty_gap(level.penalty, x, gradient, weight)
        gap = float(gap + 0.5 * square * (1.0 - s) ** 2)
        return gap, gap <= tol * scale

    def _gradient_noise(self, level, x):
        """Bound what rounding leaves of gradients (p,) that are zero."""
        lengths = self._lengths()
        square = self.common.data.square[self.number]
        (support,) = x.nonzero()
        terms = math.sqrt(square) + lengths[support] @ np.abs(x[support])
        return ROUNDING * (lengths * terms + level.ridge * np.abs(x))

    def _lengths(self):
        """Of columns (p,); those not looked at are not longer than some."""
        lengths = np.full(self.common.data.size, math.sqrt(self._largest_square()))
        diagonal = self.gram.matrix.diagonal()
        lengths[self.kept] = np.sqrt(np.maximum(diagonal, 0.0))
        return lengths

    def _settle(self, gradient, weight):
        """Whether the dual point is feasible, but for rounding, without a penalty.

        Coordinates whose constraint alone is left, of tiny weight, become so.
        """
        are_own = weight is self.common.weight
        free = self.free if are_own else np.flatnonzero(weight < _UNPENALISED)
        if not free.size:
            return True
        size = self._lengths()[free] * math.sqrt(self.common.data.square[self.number])
        bound = weight[free] > 0.0
        excess = np.where(
            bound, np.maximum(-gradient[free], 0.0), np.abs(gradient[free])
        )
        gradient[free[bound]] = np.maximum(gradient[free[bound]], 0.0)
        return bool((excess <= FREE_TOL * size).all())

    def _largest_square(self):
        return self.gram.matrix.diagonal().max(initial=0.0)

    def violators(self, looked, n_active):
        """Columns outside the working set that are farthest from stationarity."""
        distances = looked
        distances[self.kept] = 0.0
        n_new = min(np.count_nonzero(distances), max(20, n_active // 4))
        return largest(distances, n_new)

    def missing(self, looks):
        """Columns that solutions further ahead lack, though nothing certifies these."""
        common = self.common
        excess = np.zeros(common.data.size)
        for seen in looks:
            reach = common.levels[seen.trial.level].threshold * common.weight
            np.maximum(excess, np.abs(seen.gradient) - reach, out=excess)
        excess[self.kept] = 0.0
        most = max([30, *(seen.trial.support.size // 2 for seen in looks)])
        return largest(excess, min(np.count_nonzero(excess), most))

    def likely(self, gradient, trial):
        """Columns that the next levels will need, by the sequential strong rule."""
        levels = self.common.levels
        ahead = levels[min(trial.level + self.ahead, len(levels) - 1)]
        limit = 2 * ahead.threshold - levels[trial.level].threshold
        with np.errstate(divide="ignore"):
            size = np.abs(gradient) / self.common.weight
        size[self.kept] = 0.0
        candidates = np.flatnonzero(size >= max(limit, 0.5 * ahead.threshold))
        most = max(30, trial.support.size // 8)
        if candidates.size > most:
            candidates = candidates[largest(size[candidates], most)]
        return candidates
