"""What keeps the cumulative probabilities in order, and where.

The likelihood of a row only asks that its own class has positive probability, so that
the hyperplanes of the thresholds may cross, on other rows or between them. Each class
here minimises the objective under one more or less strict condition.
"""

import dataclasses

import numpy as np

from skloss.ordinal._certificate import certify
from skloss.ordinal._separation import recedes

__all__ = ["Observed", "Solution", "Train", "solution_of"]


@dataclasses.dataclass(frozen=True, eq=False)
class Solution:
    """Answer of an ordering's `solve`.

    Parameters
    ----------
    x : ndarray of shape (size,)
        Unknowns.
    n_iter : int
        Number of Newton steps.
    status : str
        As of `skloss.solvers.SolverResult`.
    kkt_violation : float
        Largest distance of a coordinate from stationarity.
    problem : OrdinalProblem
        The smooth part, with what constraints add to it.
    point : Seen
        The last look at it: data of the size of the rows.
    held : ndarray of shape (size,) or None
        Weights of absolute values in constraints, times their multipliers.
    multipliers : ndarray or None
        Of the constraints, for a warm start.
    separated : bool
        Whether it was seen that the objective has no minimum.
    """

    x: np.ndarray
    n_iter: int
    status: str
    kkt_violation: float
    problem: object
    point: object
    held: np.ndarray | None = None
    multipliers: np.ndarray | None = None
    separated: bool = False


class Observed:
    """Only the observed classes have positive probability: the paper's objective."""

    _POLISHING = 1  # steps: Newton's method squares what is left

    def __init__(self, engine):
        self.engine = engine

    def solve(self, alpha, x0, *, warm=None, **options):
        """Minimise the objective.

        Parameters
        ----------
        alpha : float
            Strength of the penalty.
        x0 : ndarray of shape (size,)
            Start.
        warm : Solution, default=None
            Solution at another strength, for its multipliers.
        **options
            ``tol``, ``max_iter``, ``working`` and ``callback``: see `Engine.solve`.

        Returns
        -------
        Solution
        """
        problem = self.engine.problem(alpha)
        if warm is not None and warm.problem.family is self.engine.family:
            problem.resume(warm.point)
        result = self.engine.solve(problem, self.engine.l1(alpha), x0, **options)
        return solution_of(result, problem)

    def polished(self, alpha, solution, tol):
        """Go on a little, without which a converged fit may be just within `tol`.

        Certificates count what is left in full.
        """
        if solution.status != "converged" or solution.kkt_violation <= 0.01 * tol:
            return solution
        options = {
            "tol": 1e-4 * tol,
            "max_iter": self._POLISHING,
            "warm": solution,
        }
        better = self._again(alpha, solution, options)
        if not better.kkt_violation < 0.9 * solution.kkt_violation:  # rounding
            return solution
        n_iter = solution.n_iter + better.n_iter
        return dataclasses.replace(better, n_iter=n_iter, status=solution.status)

    def _again(self, alpha, solution, options):
        working = np.flatnonzero(solution.x)
        return self.solve(alpha, solution.x, working=working, **options)

    def is_separated(self, alpha, solution):
        """Whether the objective has no minimum, as far as a converged fit can tell."""
        weights = self.engine.l1(alpha)
        if solution.held is not None:
            weights = weights + solution.held
        if solution.status != "converged":
            return False
        return recedes(solution.problem, solution.x, weights)

    def certificate(self, alpha, solution):
        """Bound the distance of a solution from the optimum."""
        l1 = self.engine.l1(alpha)
        return certify(solution.problem, solution.x, l1, held=solution.held)


def solution_of(result, problem):
    """Solution from a solver's result."""
    return Solution(
        x=result.x,
        n_iter=result.n_iter,
        status=result.status,
        kkt_violation=result.kkt_violation,
        problem=problem,
        point=problem.latest,
    )


class Train(Observed):
    """Ordered on every training row, by an interior point method.

    The barrier on the gaps that the likelihood leaves free loses weight in steps; at
    the last one it moves the objective by less than `_LAST` times the number of
    thresholds.
    """

    _FIRST, _LAST, _FACTOR = 1e-3, 4e-8, 0.1
    _POLISHING = 5  # near the barrier's edge steps are shorter

    def __init__(self, engine):
        super().__init__(engine)
        self.family = engine.make_family(engine.starts, engine.weights, everywhere=True)

    def solve(self, alpha, x0, *, tol, working=None, warm=None, callback=None, **limit):
        """Minimise the objective; see `Observed.solve`."""
        stages = _Stages(callback)
        options = {"callback": stages, **limit}
        free = super().solve(alpha, x0, tol=tol, working=working, **options)
        if self._smallest_gap(free.x) >= 0.0 or free.status == "stopped":
            return free
        engine, family, l1 = self.engine, self.family, self.engine.l1(alpha)
        x, n_iter = self._inside(free.x), free.n_iter
        family.barrier = self._FIRST
        while True:
            stages.done = n_iter
            last = family.barrier <= self._LAST
            problem = engine.problem(alpha, family=family)
            result = engine.solve(
                problem,
                l1,
                x,
                tol=tol if last else max(tol, 0.1 * family.barrier),
                working=_union(working, x),
                **options,
            )
            x, n_iter = result.x, n_iter + result.n_iter
            if last or result.status in ("stopped", "max_iter"):
                break
            family.barrier = max(family.barrier * self._FACTOR, self._LAST)
        return dataclasses.replace(solution_of(result, problem), n_iter=n_iter)

    def _again(self, alpha, solution, options):
        """Take a step at the last weight of the barrier."""
        if solution.problem.family is not self.family:  # no barrier was needed
            return super()._again(alpha, solution, options)
        problem = self.engine.problem(alpha, family=self.family)
        problem.resume(solution.point)
        options.pop("warm")
        l1 = self.engine.l1(alpha)
        return solution_of(
            self.engine.solve(problem, l1, solution.x, **options), problem
        )

    def _gaps(self, x):
        family = self.family
        scores = self.engine.problem(0.0, family=family).scores(x)
        return [family.gap(scores, k) for k in range(1, family.m)]

    def _smallest_gap(self, x):
        return min((gap.min() for gap in self._gaps(x)), default=0.0)

    def _inside(self, x):
        """Move a point towards the null model until all rows are in order."""
        null = self.engine.null()
        share = 1.0
        gaps, safe = self._gaps(x), self._gaps(null)
        for gap, most in zip(gaps, safe):
            worst = gap.min()
            if worst < 0.0:
                share = min(share, most.min() / (most.min() - worst))
        return null + 0.8 * share * (x - null)


class _Stages:
    """A callback that counts the iterations of several solutions as one run's."""

    def __init__(self, callback):
        self.callback, self.done = callback, 0

    def __call__(self, info):
        if self.callback is None:
            return False
        info = info._replace(n_iter=self.done + info.n_iter, converged=False)
        return self.callback(info)


def _union(working, x):
    """Working set that keeps what is nonzero; None if there is none."""
    return None if working is None else np.union1d(working, np.flatnonzero(x))
