"""Proximal Newton for a smooth loss plus a separable penalty."""

import math

import numpy as np

from skloss.penalties import get, piece, proximal_point, total
from skloss.solvers._active_set import minimize_block
from skloss.solvers._checks import check_offers, check_tol, indices, vector
from skloss.solvers._line_search import backtrack
from skloss.solvers._result import Iteration, Recorder
from skloss.solvers._working_set import dual_reach, grow, stationarity

__all__ = ["prox_newton"]

_MEMBERS = ("size", "penalty_weight", "gradient_scale", "at")
_ALL_AT_ONCE = 50  # so few coordinates need no working set


@np.errstate(over="ignore", invalid="ignore")  # the status tells
def prox_newton(
    problem,
    penalty,
    *,
    weight=None,
    x0=None,
    working_set=None,
    tol=1e-8,
    max_iter=100,
    callback=None,
):
    """Minimise ``problem(x) + sum(weight * penalty(x))``.

    Each iteration minimises the quadratic model plus the penalty on a working set of
    coordinates, by coordinate descent with active-set Newton, and searches along the
    step until the objective has decreased enough (Armijo). Infinite values of the
    loss are steps too long.

    Parameters
    ----------
    problem : LinearProblem or alike
        The smooth part. It has `size`, ``penalty_weight(weight)``,
        ``gradient_scale()`` and ``at(x)``, which returns a point with `x`, `loss`,
        `gradient`, ``model(working, damping)``, ``along(direction)``,
        ``has_flat_rows()``, ``rounding()`` and ``dual_gap(penalty, weight)``; see
        `skloss.solvers.LinearProblem` for what each means.
    penalty : str or named tuple
        A convex penalty of `skloss.penalties`.
    weight : array-like of shape (n_penalised,), default=None
        Penalty weights of at least 0; 0 frees a coordinate. None means 1.
    x0 : array-like of shape (size,), default=None
        Start; None means zero, or as near to it as the penalty allows.
    working_set : array-like of int, default=None
        Coordinates likely to be nonzero, in addition to those of `x0`.
    tol : float, default=1e-8
        Stop when the duality gap is at most `tol` times the objective's size. Where
        there is no gap, stop when each coordinate's violation of stationarity is at
        most `tol` times the size its gradient entry could have at zero
        (`LinearProblem.gradient_scale`), wherever the start, or rounding.
    max_iter : int, default=100
        Largest number of Newton steps; with 0 the start is only looked at.
    callback : callable, default=None
        Called with an `Iteration` after each; returns True to stop.

    Returns
    -------
    SolverResult
        `dual_gap` is nan when the loss has no conjugate here or the penalty has no
        dual point at hand (`NonNegative` with ``alpha=0``).

    Raises
    ------
    TypeError
        If `problem` lacks something that a `LinearProblem` has.
    ValueError
        If shapes do not match, a weight or `tol` is negative, or a number is not
        finite.

    References
    ----------
    J. D. Lee, Y. Sun, M. A. Saunders, "Proximal Newton-Type Methods for Minimizing
    Composite Functions", SIAM Journal on Optimization 24(3), 2014.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import L1
    >>> from skloss.solvers import LinearProblem, prox_newton
    >>> X = np.array([[-2.0, 0.1], [-1.0, -0.1], [1.0, 0.1], [2.0, -0.1]])
    >>> problem = LinearProblem("logistic", X, [-1, -1, 1, 1])
    >>> result = prox_newton(problem, L1(alpha=0.1))
    >>> result.converged, float(result.x[1])
    (True, 0.0)
    """
    check_offers("problem", problem, _MEMBERS, "LinearProblem")
    check_tol(tol)
    recorder = Recorder(callback, max_iter)
    run = _Run(problem, get(penalty), weight, tol)
    point = problem.at(run.start(x0))
    working = run.first_working_set(working_set)
    stalled = False
    for n_iter in range(max_iter + 1):
        info = run.certify(point, n_iter)
        if recorder.ends(info, n_working=working.size, stalled=stalled):
            break
        working = grow(working, point.x, run.distances)
        new = run.step(point, working, info)
        stalled = new is None
        point = new or point
    return recorder.result(info)


class _Run:
    """One run of `prox_newton`: its constants and the little it remembers."""

    def __init__(self, problem, penalty, weight, tol):
        self.problem = problem
        self.penalty = penalty
        self.weight = problem.penalty_weight(weight)
        if self.weight.min(initial=0.0) < 0:
            raise ValueError(f"weight must not be negative; got {self.weight.min()}.")
        self.tol = tol
        self.distances = np.empty(problem.size)
        self.has_gap = dual_reach(penalty) > 0.0
        self.gradient_scale = None
        self.damping = None

    def start(self, x0):
        """Project the start on the constraints; zero it where it has no effect."""
        x = vector("x0", 0.0 if x0 is None else x0, self.problem.size)
        if x.any():  # the model is flat there, and would leave it where it is
            x[self._scale() == 0.0] = 0.0
        return proximal_point(self.penalty, x, np.where(self.weight > 0, 1e-300, 0.0))

    def first_working_set(self, hint):
        """Free and hinted coordinates; all where sparsity is not to be expected."""
        hint = indices("working_set", hint, self.problem.size)
        lower, upper, _, _ = piece(self.penalty, 0.0)
        if self.problem.size <= _ALL_AT_ONCE or lower < 0.0 < upper:
            return np.arange(self.problem.size)
        return np.union1d(hint, np.flatnonzero(self.weight == 0))

    def certify(self, point, n_iter):
        """Objective, stationarity and duality gap of a point."""
        x, weight = point.x, self.weight
        violation = stationarity(
            self.penalty, x, point.gradient, weight, self.distances
        )
        if n_iter == 0:
            self.first_violation = violation
        objective = point.loss + total(self.penalty, x, weight)
        gap = point.dual_gap(self.penalty, weight) if self.has_gap else math.nan
        if math.isnan(gap):
            converged = self._is_stationary(point)
        else:
            converged = gap <= self.tol * abs(objective)
        n_active = int(np.count_nonzero(x))
        return Iteration(n_iter, x, objective, gap, violation, n_active, converged)

    def _is_stationary(self, point):
        limit = self.tol * self._scale() + point.rounding()
        return bool((self.distances <= limit).all())

    def _scale(self):
        if self.gradient_scale is None:
            self.gradient_scale = self.problem.gradient_scale()
        return self.gradient_scale

    def step(self, point, working, info):
        """One Newton step; None if rounding hides every decrease."""
        if self.damping is None:
            self.damping = 1e-3 if point.has_flat_rows() else 0.0
        while True:
            direction, decrease = self._direction(point, working, info)
            new, length = backtrack(
                point, direction, info.objective, decrease, self._penalty
            )
            if length == 1.0:
                self.damping = self.damping / 10 if self.damping > 1e-12 else 0.0
            elif length < 0.1:
                self.damping = max(10 * self.damping, 1e-3)
            if new is not None or self.damping >= 1e3 or decrease == 0.0:
                return new

    def _penalty(self, x):
        return total(self.penalty, x, self.weight)

    def _direction(self, point, working, info):
        """Minimiser of model plus penalty, and the decrease it promises (< 0)."""
        Q, q, back = point.model(working, self.damping)
        old, weight = point.x[working], self.weight[working]
        new = old.copy()
        # Relative accuracy proportional to the violation: quadratic convergence.
        shrink = info.kkt_violation / max(self.first_violation, 1e-300)
        tol = 0.01 * info.kkt_violation * min(1.0, shrink)
        if hasattr(Q, "minimize"):  # a model too large for a matrix
            Q.minimize(self.penalty, q, new, weight, tol)
        else:
            minimize_block(self.penalty, Q, Q @ old - q, new, weight, tol)
        step = new - old
        promised = q @ step + (
            total(self.penalty, new, weight) - total(self.penalty, old, weight)
        )
        direction = np.zeros(self.problem.size)
        direction[working] = back(step)
        return direction, min(promised, 0.0)
