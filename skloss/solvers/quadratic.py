"""Quadratic plus separable penalty over a Gram matrix, to a certified accuracy."""

import math

import numpy as np

from skloss.penalties import get, proximal_point, total
from skloss.solvers._active_set import has_negative_curvature, minimize_block
from skloss.solvers._checks import check_finite, check_tol, indices, vector
from skloss.solvers._result import Iteration, Recorder
from skloss.solvers._working_set import (
    FREE_TOL,
    ROUNDING,
    dual_reach,
    grow,
    penalty_gap,
    stationarity,
)
from skloss.solvers.gram import SLACK, as_gram, check_diagonal

__all__ = ["gram_descent"]

_ALL_AT_ONCE = 200  # so few coordinates need no working set


@np.errstate(over="ignore", invalid="ignore")  # the status tells
def gram_descent(
    G,
    c,
    penalty,
    *,
    weight=None,
    x0=None,
    y_squared=None,
    working_set=None,
    tol=1e-8,
    max_iter=200,
    callback=None,
):
    """Minimise ``x @ G @ x / 2 - c @ x + sum(weight * penalty(x))``.

    Cyclic coordinate descent with a maintained gradient and Newton steps on the
    active set, over a working set that grows by the coordinates that violate
    stationarity most. The result is the same on every machine and for any number of
    threads of this package.

    Parameters
    ----------
    G : array-like of shape (p, p) or Gram
        Symmetric and positive semi-definite; see `skloss.solvers.DesignGram` for one
        that is computed from a design as needed.
    c : array-like of shape (p,)
        Linear part. It must be orthogonal to the null space of G, as ``X.T @ y`` is.
    penalty : str or named tuple
        A convex penalty of `skloss.penalties`.
    weight : array-like of shape (p,), default=None
        Penalty weights of at least 0; 0 frees a coordinate. None means 1.
    x0 : array-like of shape (p,), default=None
        Start; None means as near to zero as the penalty allows.
    y_squared : float, default=None
        For least squares, where ``G = X.T @ X`` and ``c = X.T @ y``, the square
        ``y @ y``. Half of it is added to the objective, and it makes a duality gap
        possible for penalties that are not strongly convex (L1).
    working_set : array-like of int, default=None
        Coordinates likely to be nonzero, in addition to those of `x0`.
    tol : float, default=1e-8
        Stop when the duality gap is at most `tol` times `y_squared` (times the
        objective's size if that is not given). Where there is no gap (see `Returns`),
        stop when the violation of stationarity is at most ``tol * max(abs(c))``.
    max_iter : int, default=200
        Largest number of full gradients after the first; with 0 the start is only
        looked at.
    callback : callable, default=None
        Called with an `Iteration` after each; returns True to stop.

    Returns
    -------
    SolverResult
        `dual_gap` bounds the distance to the minimum. It is nan when the dual has no
        feasible point at hand: L1 without `y_squared`, and constraints without bound
        (`NonNegative` with ``alpha=0``).

    Raises
    ------
    ValueError
        If shapes do not match, a weight or `tol` is negative, or a number is not
        finite; or if G turns out not to be symmetric or not positive semi-definite.
        The latter is noticed where the solution leads along negative curvature.

    References
    ----------
    J. Friedman, T. Hastie, R. Tibshirani, "Regularization Paths for Generalized Linear
    Models via Coordinate Descent", Journal of Statistical Software 33(1), 2010 (the
    updates on a Gram matrix). J. Nutini, I. Laradji, M. Schmidt, "Let's Make Block
    Coordinate Descent Converge Faster", JMLR 23, 2022 (Newton on the active set).

    Examples
    --------
    >>> from skloss.penalties import L1
    >>> from skloss.solvers import gram_descent
    >>> result = gram_descent([[2.0, 0.0], [0.0, 1.0]], [4.0, 0.5], L1(alpha=1.0))
    >>> result.x.tolist()
    [1.5, 0.0]
    """
    check_tol(tol)
    recorder = Recorder(callback, max_iter)
    problem = _Quadratic(G, c, get(penalty), weight, y_squared)
    x = problem.start(x0)
    working = np.union1d(indices("working_set", working_set, x.size), problem.free)
    if problem.size <= _ALL_AT_ONCE:
        working = np.arange(problem.size)
    for n_iter in range(max_iter + 1):
        info = problem.certify(x, n_iter, tol)
        if recorder.ends(info, n_working=working.size):
            break
        working = grow(working, x, problem.distances)
        problem.improve(x, working, 0.05 * info.kkt_violation)
    if recorder.status not in ("converged", "stopped"):
        problem.check_curvature_on(working)
    return recorder.result(info)


class _Quadratic:
    """The problem of `gram_descent` and its certificates."""

    def __init__(self, G, c, penalty, weight, y_squared):
        self.gram = as_gram(G)
        self.size = self.gram.size
        self.penalty = penalty
        self.diagonal = np.asarray(self.gram.diagonal(), dtype=np.float64)
        check_finite("diagonal of G", self.diagonal)
        check_diagonal(self.diagonal)
        self.c = vector("c", c, self.size, broadcast=False)
        self.weight = vector("weight", 1.0 if weight is None else weight, self.size)
        if self.size and self.weight.min() < 0:
            raise ValueError(f"weight must not be negative; got {self.weight.min()}.")
        if y_squared is not None and not 0 <= y_squared < math.inf:
            raise ValueError(
                f"y_squared must be finite and at least 0; got {y_squared!r}."
            )
        self.y_squared = y_squared
        self.free = np.flatnonzero(self.weight == 0)
        reach = dual_reach(penalty)
        self.has_gap = reach == 1.0 or (reach > 0.0 and y_squared is not None)
        self.c_scale = np.abs(self.c).max(initial=0.0)
        self.distances = np.empty(self.size)

    def start(self, x0):
        """Project the start on the constraints; zero it where G is zero."""
        x = vector("x0", 0.0 if x0 is None else x0, self.size)
        x[self.diagonal <= 0] = 0.0
        # An infinitesimal step of the prox projects on the constraints.
        return proximal_point(self.penalty, x, np.where(self.weight > 0, 1e-300, 0.0))

    def improve(self, x, working, tol):
        """Solve the problem on the working set, in place."""
        Q = self.gram.block(working)
        c = self.c[working]
        fixed = x.copy()
        fixed[working] = 0.0
        if fixed.any():
            c = c - self.gram.product(fixed)[working]
        part = x[working]
        minimize_block(self.penalty, Q, c, part, self.weight[working], tol)
        x[working] = part

    def certify(self, x, n_iter, tol):
        """Gradient, distances from stationarity, duality gap."""
        gradient, free_gap = self._refit_free(x, self.gram.product(x) - self.c)
        violation = stationarity(self.penalty, x, gradient, self.weight, self.distances)
        linear, curved = self.c @ x, gradient @ x
        self._check_curvature(x, linear + curved)
        objective = 0.5 * (curved - linear) + total(self.penalty, x, self.weight)
        gap = math.nan
        if self.y_squared is not None:
            objective += 0.5 * self.y_squared
        if self.has_gap:
            residual = 0.0 if self.y_squared is None else self.y_squared
            residual = max(residual - linear + curved, 0.0)
            s, gap = penalty_gap(self.penalty, x, gradient, self.weight)
            gap = float(gap + 0.5 * residual * (1.0 - s) ** 2) + free_gap
            scale = abs(objective) if self.y_squared is None else self.y_squared
            converged = gap <= tol * scale
        else:
            converged = violation <= tol * self.c_scale
        n_active = int(np.count_nonzero(x))
        return Iteration(
            n_iter, x, float(objective), gap, violation, n_active, bool(converged)
        )

    def _check_curvature(self, x, curvature):
        """Refuse a point with ``x @ G @ x`` below zero: no bound would be one."""
        largest = (self._lengths() @ np.abs(x)) ** 2
        # What it was computed from may cancel, with c large beside G.
        noise = ROUNDING * np.abs(self.c) @ np.abs(x)
        if curvature < -SLACK * largest - noise and largest < math.inf:
            raise ValueError(
                "G must be positive semi-definite; the solver met an x with x @ G @ x "
                f"= {curvature:.3g}."
            )

    def check_curvature_on(self, working):
        """Say so if a run failed because G is indefinite."""
        self._refuse_negative_curvature(self.gram.block(working))

    @staticmethod
    def _refuse_negative_curvature(block):
        if has_negative_curvature(block, SLACK):
            raise ValueError(
                "G must be positive semi-definite; it has negative curvature on "
                f"{len(block)} coordinates that the solver worked on."
            )

    def _lengths(self):
        return np.sqrt(np.maximum(self.diagonal, 0.0))

    def _refit_free(self, x, gradient):
        """Minimise exactly over the unpenalised coordinates, as the dual requires.

        Returns the gradient and 0, or inf if it did not vanish where it must.
        """
        free = self.free
        # The terms that the gradient is a sum of, since |G_jk|^2 <= G_jj G_kk.
        lengths = self._lengths()
        terms = np.abs(self.c[free]) + lengths[free] * (lengths @ np.abs(x))
        if (np.abs(gradient[free]) > ROUNDING * terms).any() and np.isfinite(
            terms
        ).all():
            # In columns of equal length, or the short ones would count for nothing.
            unit = 1.0 / np.where(lengths[free] > 0, lengths[free], 1.0)
            block = self.gram.block(free) * np.outer(unit, unit)
            self._refuse_negative_curvature(block)  # or this were a saddle point
            step = np.zeros(self.size)
            step[free] = unit * np.linalg.lstsq(block, -unit * gradient[free])[0]
            x += step
            gradient = gradient + self.gram.product(step)
            terms += lengths[free] * (lengths @ np.abs(step))
        settled = np.abs(gradient[free]) <= FREE_TOL * terms
        settled |= lengths[free] == 0  # where c can only be rounding
        return gradient, 0.0 if settled.all() else math.inf
