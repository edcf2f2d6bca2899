"""Least squares with a penalty of the whole vector, at falling strengths, certified."""

import math

import numpy as np

from skloss.penalties._vector_contract import prox_residual
from skloss.solvers._composite_block import BlockProblem
from skloss.solvers._lockstep import Common, PathSolution, PathTask, run
from skloss.solvers._working_set import FREE_TOL, ROUNDING

__all__ = ["composite_path"]

_ROUNDED = 1e-15  # gaps cannot be told from zero below it


@np.errstate(over="ignore", invalid="ignore")
def composite_path(data, levels, *, tol=1e-6, max_iter=1000, report=None):
    """Solve penalised least squares at every level, for all tasks of `data`.

    Columns join a working set, whole groups at a time, as they are needed. On their
    Gram matrices block coordinate descent (penalties that are sums over groups) or
    accelerated proximal gradient steps (others), both with Newton steps on the smooth
    pieces of the penalty, solve some levels ahead. One pass over X then gives the
    gradients of all these solutions and tasks together, which certify them or say
    which columns are missing.

    Parameters
    ----------
    data : FoldGrams
        Design, target and tasks.
    levels : list of Level
        In the order of falling strength; their penalties are those of whole vectors
        (`skloss.penalties._vector_contract`), of one kind. Thresholds are not looked
        at.
    tol : float, default=1e-6
        Largest duality gap, as a share of the mean square of the target (less its
        mean).
    max_iter : int, default=1000
        Largest number of passes over X per level.
    report : callable, default=None
        Called with the number of the task and its solutions so far, whenever there is
        a new one; returns True to stop.

    Returns
    -------
    list of list of PathSolution
        For each task, one for each level (fewer if `report` stopped it). Their
        `kkt_violation` is the largest move of a coefficient by a proximal gradient
        step, per unit of its length.

    References
    ----------
    R. Tibshirani et al., "Strong rules for discarding predictors in lasso-type
    problems", JRSS B 74(2), 2012. J. Nutini, I. Laradji, M. Schmidt, "Let's Make Block
    Coordinate Descent Converge Faster", JMLR 23, 2022.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import GroupLasso
    >>> from skloss.solvers._fold_grams import FoldGrams
    >>> from skloss.solvers.composite import composite_path
    >>> from skloss.solvers.path import Level
    >>> X, y = np.eye(3) * np.sqrt(3), np.array([3.0, 4.0, 1.0]) * np.sqrt(3)
    >>> data = FoldGrams(X, y, np.ones(3), [[]], center=False)
    >>> penalty = GroupLasso(1.0, [0, 0, 1], weights=[1.0, 2.0])
    >>> [[solution]] = composite_path(data, [Level(penalty, 0.0)])
    >>> solution.support.tolist(), solution.values.round(6).tolist()
    ([0, 1], [2.4, 3.2])
    """
    common = Common(data, levels, tol, max_iter, report)
    tasks = [_Task(common, f) for f in range(len(data.left_out))]
    first = [task.first_columns() for task in tasks] if levels else []
    first = np.unique(np.concatenate([*first, np.empty(0, np.intp)])).astype(np.intp)
    data.extend(first[data.place[first] < 0])
    return run(data, tasks, data.extend)


class _Task(PathTask):
    """The path of one task with a penalty of all coefficients."""

    def __init__(self, common, number):
        super().__init__(common, number)
        self.problem, self.problem_key = None, None

    def first_columns(self):
        """Columns that are never penalised, and those needed first."""
        common = self.common
        penalty = common.levels[0].penalty
        free = common.levels[-1].penalty.free | penalty.free
        likely = self._likely(common.data.linear[self.number], 0, penalty, 0)
        return penalty.closure(np.union1d(np.flatnonzero(free), likely))

    def solve(self, level, x):
        data, kept = self.common.data, self.common.data.kept
        square = data.square[self.number]
        aim = max(0.3 * self.precision * self.common.tol, _ROUNDED) * square
        penalty = level.penalty.restrict(kept)
        return self._problem(level.ridge).minimize(penalty, x, aim)

    def _problem(self, ridge):
        """Quadratic on the working set."""
        data, f = self.common.data, self.number
        kept = data.kept
        if self.problem_key != (kept.size, ridge):
            Q, c = data.grams[f], data.linear[f, kept]
            if ridge:
                Q = Q.copy()
                Q[np.diag_indices(kept.size)] += ridge
            self.problem = BlockProblem(Q, c, data.square[f])
            self.problem_key = kept.size, ridge
        return self.problem

    def certify(self, seen, gradient):
        """Duality gap of a trial, and its penalty and negative gradient."""
        trial, square = seen.trial, float(seen.square)
        common, level = self.common, self.common.levels[trial.level]
        u = -gradient
        data, f, penalty = common.data, self.number, level.penalty
        w = np.zeros(data.size)
        w[trial.support] = trial.values
        if level.ridge:
            u[trial.support] -= level.ridge * trial.values
            square += level.ridge * float(trial.values @ trial.values)
        objective = 0.5 * square + penalty.value(w)
        s, part = penalty.gap(w, u)
        gap = float(part + 0.5 * square * (1.0 - s) ** 2)
        violations = prox_residual(penalty, w, u, self._step())
        if not self._free_have_settled(penalty, violations):
            gap = math.inf
        solution = PathSolution(
            support=trial.support,
            values=trial.values,
            objective=objective,
            dual_gap=gap,
            kkt_violation=float(violations.max(initial=0.0)),
            n_iter=self.n_iter,
            converged=bool(gap <= common.tol * data.square[f]),
            scored_error=float(seen.error),
        )
        return solution, (penalty, u)

    def _step(self):
        steepest = 0.0 if self.problem is None else self.problem.steepest
        return 1.0 / steepest if steepest > 0.0 else 1.0

    def _free_have_settled(self, penalty, violations):
        """Whether the dual point is feasible where nothing is penalised."""
        data, f = self.common.data, self.number
        free = np.flatnonzero(penalty.free)
        if not free.size:
            return True
        places = data.place[free]
        lengths = np.sqrt(np.maximum(data.grams[f][places, places], 0.0))
        size = lengths * math.sqrt(data.square[f])
        return bool((violations[free] <= FREE_TOL * size + ROUNDING).all())

    def violators(self, looked, n_active):
        """Columns outside the working set that would lower the objective."""
        penalty, u = looked
        score = penalty.activity(u, 1.0)
        new = _largest(score, self.common.data.kept, max(20, n_active // 4))
        return penalty.closure(new)

    def likely(self, gradient, trial):
        """Columns that the next levels will need."""
        penalty = self.common.levels[trial.level].penalty
        return self._likely(
            -gradient, len(self.solved) - 1, penalty, trial.support.size
        )

    def _likely(self, u, done, penalty, n_active):
        """Columns that the next levels will need, by the sequential strong rule."""
        levels = self.common.levels
        ahead = levels[min(done + self.ahead, len(levels)) - 1].penalty.alpha
        if penalty.alpha == 0.0:
            return np.empty(0, dtype=np.intp)
        slack = max(2.0 * ahead / penalty.alpha - 1.0, 0.5 * ahead / penalty.alpha)
        score = penalty.activity(u, slack)
        new = _largest(score, self.common.data.kept, max(30, n_active // 4))
        return penalty.closure(new)


def _largest(score, kept, most):
    """Columns outside a set with the largest scores above zero."""
    score = score.copy()
    score[kept] = 0.0
    candidates = np.flatnonzero(score > 0.0)
    if candidates.size > most:
        order = np.argpartition(-score[candidates], most - 1)[:most]
        candidates = candidates[order]
    return candidates
