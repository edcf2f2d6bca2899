"""Least squares with a penalty of the whole vector, at falling strengths, certified."""

import math

import numpy as np

from skloss.penalties._vector_contract import prox_residual
from skloss.solvers._composite_groups import GroupProblem, WorkingGroups
from skloss.solvers._composite_whole import WholeProblem
from skloss.solvers._lockstep import Common, PathSolution, PathTask, run
from skloss.solvers._working_set import FREE_TOL, ROUNDING

__all__ = ["composite_path"]

_ROUNDED = 1e-15  # gaps cannot be told from zero below it


@np.errstate(over="ignore", invalid="ignore")
def composite_path(data, levels, *, tol=1e-6, max_iter=1000, report=None):
    """Solve penalised least squares at every level, for all tasks of `data`.

    Columns join a working set, whole groups at a time, as they are needed. Some levels
    ahead are solved on them: for a penalty that is a sum over groups, by exact steps on
    one group after the other, extrapolated, on the columns themselves or on their Gram
    matrix, whichever is smaller; for others, by accelerated proximal gradient steps.
    Newton steps on the smooth pieces of the penalty finish where these are slow. One
    pass over X then gives the gradients of all these solutions and tasks together,
    which certify them or say which columns are missing.

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
    Coordinate Descent Converge Faster", JMLR 23, 2022. Q. Bertrand and M. Massias,
    "Anderson acceleration of coordinate descent", AISTATS 2021.

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
    blocks = levels[0].penalty.blocks() if levels else None
    if blocks is None:
        kind, working = _WholeTask, data
    else:
        kind, working = _GroupTask, WorkingGroups(data, blocks)
    common = Common(working, levels, tol, max_iter, report)
    tasks = [kind(common, f) for f in range(len(data.left_out))]
    first = [task.first_columns() for task in tasks] if levels else []
    first = np.unique(np.concatenate([*first, np.empty(0, np.intp)])).astype(np.intp)
    working.extend(first[working.place[first] < 0])

    def add(tasks, wanted):
        new = np.unique(np.concatenate(wanted))
        working.extend(new[working.place[new] < 0])

    return run(working, tasks, add)


class _Task(PathTask):
    """The path of one task with a penalty of all coefficients.

    `most_likely` and `most_missing` say how many columns join the working set at once,
    before and after they are missed: at least, and as a share of the active ones.
    """

    most_likely, most_missing = (30, 0.25), (20, 0.25)

    def first_columns(self):
        """Columns that are never penalised, and those needed first."""
        common = self.common
        penalty = common.levels[0].penalty
        free = common.levels[-1].penalty.free | penalty.free
        likely = self._likely(common.data.linear[self.number], 0, penalty, 0)
        return penalty.closure(np.union1d(np.flatnonzero(free), likely))

    def solve(self, level, x):
        square = self.common.data.square[self.number]
        aim = max(0.3 * self.precision * self.common.tol, _ROUNDED) * square
        return self._minimize(level, x, aim)

    def _minimize(self, level, x, aim):
        """Return the solution (k,) on the working set, up to a duality gap."""
        raise NotImplementedError

    def _steepest(self):
        """Largest curvature seen, or 0."""
        raise NotImplementedError

    def _lengths(self):
        """Root mean squares (k,) of the working set's columns."""
        raise NotImplementedError

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
        steepest = self._steepest()
        return 1.0 / steepest if steepest > 0.0 else 1.0

    def _free_have_settled(self, penalty, violations):
        """Whether the dual point is feasible where nothing is penalised."""
        data, f = self.common.data, self.number
        free = np.flatnonzero(penalty.free)
        if not free.size:
            return True
        size = self._lengths()[data.place[free]] * math.sqrt(data.square[f])
        return bool((violations[free] <= FREE_TOL * size + ROUNDING).all())

    def violators(self, looked, n_active):
        """Columns outside the working set that would lower the objective."""
        penalty, u = looked
        score = penalty.activity(u, 1.0)
        new = _largest(
            score, self.common.data.kept, self._room(n_active, self.most_missing)
        )
        return penalty.closure(new)

    def missing(self, looks):
        """Columns that solutions further ahead lack."""
        levels, found = self.common.levels, [np.empty(0, dtype=np.intp)]
        for seen in looks:
            penalty = levels[seen.trial.level].penalty
            found.append(self.violators((penalty, -seen.gradient), len(seen.trial.x)))
        return np.unique(np.concatenate(found))

    def likely(self, gradient, trial):
        """Columns that the next levels will need."""
        penalty = self.common.levels[trial.level].penalty
        return self._likely(-gradient, trial.level, penalty, trial.support.size)

    def _room(self, n_active, most):
        """How many columns may join the working set at once."""
        return max(most[0], int(most[1] * n_active))

    def _likely(self, u, done, penalty, n_active):
        """Columns that the next levels will need, by the sequential strong rule."""
        levels = self.common.levels
        ahead = levels[min(done + self.ahead, len(levels)) - 1].penalty.alpha
        if penalty.alpha == 0.0:
            return np.empty(0, dtype=np.intp)
        slack = max(2.0 * ahead / penalty.alpha - 1.0, 0.5 * ahead / penalty.alpha)
        score = penalty.activity(u, slack)
        new = _largest(
            score, self.common.data.kept, self._room(n_active, self.most_likely)
        )
        return penalty.closure(new)


class _GroupTask(_Task):
    """The path of one task with a sum over groups."""

    # Sweeps pass over groups that stay zero; passes over X cost more than these.
    most_likely, most_missing = (60, 0.5), (40, 0.5)

    def __init__(self, common, number):
        super().__init__(common, number)
        self.problem = GroupProblem(common.data, number)

    def _minimize(self, level, x, aim):
        return self.problem.minimize(level.penalty, level.ridge, x, aim)

    def _steepest(self):
        return self.common.data.tasks[self.number].steepest.max(initial=0.0)

    def _lengths(self):
        return self.common.data.tasks[self.number].lengths


class _WholeTask(_Task):
    """The path of one task with a penalty that is no sum."""

    def __init__(self, common, number):
        super().__init__(common, number)
        self.problem, self.problem_key = None, None

    def _minimize(self, level, x, aim):
        penalty = level.penalty.restrict(self.common.data.kept)
        return self._problem(level.ridge).minimize(penalty, x, aim)

    def _problem(self, ridge):
        """Quadratic on the working set."""
        data, f = self.common.data, self.number
        kept = data.kept
        if self.problem_key != (kept.size, ridge):
            Q, c = data.gram(f), data.linear[f, kept]
            if ridge:
                Q = Q.copy()
                Q[np.diag_indices(kept.size)] += ridge
            self.problem = WholeProblem(Q, c, data.square[f])
            self.problem_key = kept.size, ridge
        return self.problem

    def _steepest(self):
        return 0.0 if self.problem is None else self.problem.steepest

    def _lengths(self):
        diagonal = self.common.data.gram(self.number).diagonal()
        return np.sqrt(np.maximum(diagonal, 0.0))


def _largest(score, kept, most):
    """Columns outside a set with the largest scores above zero."""
    score = score.copy()
    score[kept] = 0.0
    candidates = np.flatnonzero(score > 0.0)
    if candidates.size > most:
        order = np.argpartition(-score[candidates], most - 1)[:most]
        candidates = candidates[order]
    return candidates
