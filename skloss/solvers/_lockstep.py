"""Paths of several tasks, in step: a pass over X looks at solutions of all of them."""

import math
from typing import NamedTuple

import numpy as np

__all__ = [
    "Common",
    "Level",
    "PathSolution",
    "PathTask",
    "Seen",
    "Trial",
    "largest",
    "run",
]

_FIRST_AHEAD = 4  # levels solved between two passes over X
_MOST_AHEAD = 16
_MOST_AHEAD_OF_GRAMS = 32  # where nothing is read in between
_FEW = 1 << 20  # numbers of which memory is no matter
_FINEST = 1e-5  # part of the tolerance below which no solution gets better


class Level(NamedTuple):
    """One strength of the penalty.

    Parameters
    ----------
    penalty : named tuple
        A separable penalty of `skloss.penalties`.
    threshold : float
        Size of a gradient entry, in units of its weight, up to which a coefficient
        is zero.
    ridge : float
        Half of it times the squares of all coefficients is added.
    """

    penalty: object
    threshold: float
    ridge: float = 0.0


class PathSolution(NamedTuple):
    """Solution at one level.

    Parameters
    ----------
    support : ndarray of shape (k,), intp
        Sorted coordinates that are not zero.
    values : ndarray of shape (k,)
        Their values.
    objective : float
        Half the mean square of the residuals, plus the penalty.
    dual_gap : float
        Bound on its distance from the minimum; nan without one.
    kkt_violation : float
        Largest distance of a coordinate from stationarity.
    n_iter : int
        Passes over X in which the level was looked at.
    converged : bool
        Whether the tolerance was met.
    scored_error : float
        Mean square of the residuals on the task's scored rows; nan if there are none.
    """

    support: np.ndarray
    values: np.ndarray
    objective: float
    dual_gap: float
    kkt_violation: float
    n_iter: int
    converged: bool
    scored_error: float = math.nan


class Common(NamedTuple):
    """What all tasks of a path share.

    Parameters
    ----------
    data : FoldGrams
        Design, target and tasks.
    levels : list of Level
        In the order of falling strength.
    tol : float
        Largest duality gap, as a share of the mean square of the target.
    max_iter : int
        Largest number of passes over X per level.
    report : callable or None
        Called with the number of the task and its solutions so far.
    weight : ndarray of shape (p,), default=None
        Weights of a separable penalty.
    has_all_columns : bool, default=False
        Whether all columns are in the Gram matrices.
    """

    data: object
    levels: list
    tol: float
    max_iter: int
    report: object
    weight: np.ndarray | None = None
    has_all_columns: bool = False

    def most_ahead(self):
        """How many levels ahead residuals may be held without outgrowing X."""
        if self.has_all_columns:
            return _MOST_AHEAD_OF_GRAMS
        n_tasks = len(self.data.left_out)
        if self.data.n_rows * n_tasks * _MOST_AHEAD <= _FEW:
            return _MOST_AHEAD
        return int(np.clip(self.data.size // (8 * n_tasks), 1, _MOST_AHEAD))


class Trial(NamedTuple):
    """A solution on the working set."""

    task: int
    level: int
    x: np.ndarray  # (k,), of the working set at the time
    support: np.ndarray
    values: np.ndarray
    is_finished: bool = True  # as near to a solution as asked for, or rounding allows


class Seen(NamedTuple):
    """What a pass over X has shown of a trial."""

    trial: Trial
    gradient: np.ndarray  # (p,), not contiguous
    square: float
    error: float


def run(data, tasks, add):
    """Advance tasks until all are done.

    Parameters
    ----------
    data : FoldGrams
        Design, target and tasks.
    tasks : list of PathTask
        The tasks.
    add : callable
        ``add(tasks, wanted)`` adds columns, an array for each of some tasks, to their
        working sets.

    Returns
    -------
    list of list of PathSolution
    """
    while running := [task for task in tasks if not task.is_done()]:
        trials = [trial for task in running for trial in task.solve_ahead()]
        owners = [trial.task for trial in trials]
        supports, values = [t.support for t in trials], [t.values for t in trials]
        gradients, squares, errors = data.look(owners, supports, values)
        looks = [Seen(*each) for each in zip(trials, gradients.T, squares, errors)]
        wanted, at = [], 0
        for task in running:
            wanted.append(task.judge(looks[at : at + task.n_trials]))
            at += task.n_trials
        add(running, wanted)
    return [task.solved for task in tasks]


class PathTask:
    """The path of one task: how far it is, and where it stands.

    Parameters
    ----------
    common : Common
        What it shares with the others.
    number : int
        Which it is.
    """

    def __init__(self, common, number):
        self.common, self.number = common, number
        self.solved, self.x = [], np.empty(0)
        self.most_ahead, self.n_trials = common.most_ahead(), 0
        self.ahead = min(_FIRST_AHEAD, self.most_ahead)
        if common.has_all_columns:
            self.ahead = self.most_ahead
        self.n_iter, self.precision = 0, 1.0
        self.stopped, self.is_finished = False, True

    @property
    def kept(self):
        """Columns of the working set (k,)."""
        return self.common.data.kept

    def solve(self, level, x):
        """Return the solution (k,) on the working set, starting from another."""
        raise NotImplementedError

    def certify(self, seen, gradient):
        """Return the `PathSolution` of a trial, and what `violators` needs of it."""
        raise NotImplementedError

    def violators(self, looked, n_active):
        """Columns that a solution lacks; none if it is not exact enough itself."""
        raise NotImplementedError

    def missing(self, looks):
        """Columns that solutions further ahead lack, though nothing certifies these."""
        return np.empty(0, dtype=np.intp)

    def likely(self, gradient, trial):
        """Columns that the levels after a trial's will need."""
        raise NotImplementedError

    def is_done(self):
        """Whether all levels are solved, or nobody wants the rest."""
        return self.stopped or len(self.solved) == len(self.common.levels)

    def solve_ahead(self):
        """Solve the next levels on the working set, each from the one before."""
        kept, at = self.kept, len(self.solved)
        x = np.zeros(kept.size)
        x[: self.x.size] = self.x
        trials, in_order = [], bool((kept[1:] > kept[:-1]).all())
        for number in range(at, min(at + self.ahead, len(self.common.levels))):
            x = self.solve(self.common.levels[number], x)
            (places,) = x.nonzero()
            if not in_order:
                places = places[np.argsort(kept[places])]
            found = kept[places], x[places]
            trials.append(Trial(self.number, number, x, *found, self.is_finished))
        self.n_trials = len(trials)
        return trials

    def judge(self, looks):
        """Keep the solutions that are certified; return the columns to add."""
        self.n_iter += 1
        for i, seen in enumerate(looks):
            gradient = np.ascontiguousarray(seen.gradient)
            solution, looked = self.certify(seen, gradient)
            ends = self.n_iter >= self.common.max_iter or self.precision < _FINEST
            if not (solution.converged or ends):
                self.ahead = max(min(_FIRST_AHEAD, self.most_ahead), i)
                new = self.violators(looked, seen.trial.support.size)
                self.x = seen.trial.x  # nearer than the level before
                if not new.size:
                    self.precision *= 0.1 if seen.trial.is_finished else 1.0
                    return new
                later = self.missing(looks[i + 1 :])
                return np.concatenate([new, later, self.likely(gradient, seen.trial)])
            self.solved.append(solution)
            self.x, self.n_iter, self.precision = seen.trial.x, 1, 1.0
            if self.common.report is not None:
                self.stopped = bool(self.common.report(self.number, self.solved))
            if self.is_done():
                return np.empty(0, dtype=np.intp)
        self.n_iter = 0
        self.ahead = min(2 * self.ahead, self.most_ahead)
        return self.likely(gradient, seen.trial)


def largest(size, count):
    """Positions of the largest numbers, the first of those equal but for rounding."""
    if not count:
        return np.empty(0, dtype=np.intp)
    order = np.argpartition(-size, count - 1)
    least = size[order[count - 1]]
    enough = np.flatnonzero(size >= least * (1 - 1e-9))
    rounded = np.round(size[enough] / max(size.max(), 1e-300), 10)
    return enough[np.argsort(-rounded, kind="stable")[:count]]
