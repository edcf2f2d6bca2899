"""Preconditioned Newton-CG for smooth convex problems.

The solver sees a problem through a few methods and never its data, so that any family
whose Hessian can be applied but not inverted can use it.
"""

import math
from typing import NamedTuple

import numpy as np

from skloss.solvers._checks import check_count, check_offers, check_tol
from skloss.solvers._result import Iteration, SolverResult

__all__ = ["Direction", "NewtonProblem", "conjugate_gradient", "newton_cg"]

_SUFFICIENT_DECREASE = 1e-4
_MAX_TRIALS = 30
# Differences of the objective below this share of it are rounding, which must not
# reject a step that still shrinks the gradient.
_ROUNDING = 8 * np.finfo(np.float64).eps
# A step cut below this share, or a linear solve at its limit of products, twice in a
# row: the directions are not what they claim to be.
_SHORT_STEP = 0.5
# The linear systems are solved to 0.3 at first and more accurately as the gradient
# shrinks, which makes the convergence of order 3/2.
_LARGEST_RTOL = 0.3


_MEMBERS = (
    *("parameters", "objective", "dtype", "resolution", "gradient", "dual_gap"),
    *("hessian_product", "preconditioner", "begin_line", "try_step", "accept"),
    *("refine", "sharpen"),
)


class Direction(NamedTuple):
    """Approximate solution of a linear system.

    Parameters
    ----------
    x : ndarray
        The solution.
    n_products : int
        Number of products with the matrix.
    """

    x: np.ndarray
    n_products: int


class NewtonProblem:
    """What `newton_cg` must know of a problem; subclass it.

    The problem holds the current point and all that belongs to it. Arrays may have any
    shape. `gradient` is float64; `hessian_product` and the preconditioner take and
    return arrays of `dtype`, which may be less precise: they shape the direction, not
    the answer.

    Attributes
    ----------
    parameters : ndarray
        The current point.
    objective : float
        The objective there.
    dtype : dtype
        Precision of directions.
    resolution : float
        Relative decrease of the objective that the present accuracy can still tell.
        The solver asks for more accuracy when it expects less than that.

    Examples
    --------
    A quadratic, whose Newton step is exact:

    >>> import numpy as np
    >>> from skloss.solvers.newton_cg import NewtonProblem, newton_cg
    >>> class Quadratic(NewtonProblem):
    ...     def __init__(self, A, b):
    ...         self.A, self.b, self.parameters = A, b, np.zeros(len(b))
    ...         self.objective = 0.0
    ...     def gradient(self):
    ...         return self.A @ self.parameters - self.b
    ...     def hessian_product(self, V):
    ...         return self.A @ V
    ...     def preconditioner(self):
    ...         return np.linalg.inv(self.A).dot
    ...     def begin_line(self, direction):
    ...         self.start, self.direction = self.parameters, direction
    ...     def try_step(self, step):
    ...         self.x = x = self.start + step * self.direction
    ...         self.value = 0.5 * x @ self.A @ x - self.b @ x
    ...         return self.value
    ...     def accept(self):
    ...         self.parameters, self.objective = self.x, self.value
    >>> newton_cg(Quadratic(np.diag([1.0, 4.0]), np.array([2.0, 4.0])), tol=1e-9).x
    array([2., 1.])
    """

    dtype = np.float64
    resolution = 0.0

    def gradient(self):
        """Compute the gradient of the objective at the current point.

        Returns
        -------
        ndarray
            In float64.
        """
        raise NotImplementedError

    def hessian_product(self, V):
        """Apply the Hessian at the current point.

        Parameters
        ----------
        V : ndarray
            Direction, of `dtype`.

        Returns
        -------
        ndarray
            Of `dtype`.
        """
        raise NotImplementedError

    def preconditioner(self):
        """Approximate the inverse of the Hessian at the current point.

        Returns
        -------
        callable
            Takes and returns an array of `dtype`; the identity by default.
        """
        return lambda R: R

    def begin_line(self, direction):
        """Prepare trial steps from the current point.

        Parameters
        ----------
        direction : ndarray
            Where the steps go.
        """
        raise NotImplementedError

    def try_step(self, step):
        """Compute the objective at a trial point.

        Parameters
        ----------
        step : float
            The trial point is the current one plus ``step * direction``.

        Returns
        -------
        float
            Infinite or nan where it is not defined.
        """
        raise NotImplementedError

    def accept(self):
        """Make the last trial point the current one."""
        raise NotImplementedError

    def dual_gap(self, gradient):
        """Bound the distance of the objective from its minimum.

        Parameters
        ----------
        gradient : ndarray
            Gradient at the current point.

        Returns
        -------
        float
            The bound; nan, the default, if none is known.
        """
        return math.nan

    def refine(self):
        """Compute more accurately from now on, if there is a way.

        Returns
        -------
        bool
            False when there is nothing more, the default.
        """
        return False

    def sharpen(self):
        """Compute directions more accurately from now on, if there is a way.

        The solver asks for it when directions lead nowhere: steps stay short, linear
        solves do not end, or the objective stops improving.

        Returns
        -------
        bool
            False when there is nothing more, the default.
        """
        return False


def conjugate_gradient(product, target, precondition, *, rtol, max_products=150):
    """Solve ``A x = target`` by preconditioned conjugate gradients.

    Parameters
    ----------
    product : callable
        ``product(v)`` returns A v, with A symmetric positive semi-definite.
    target : ndarray
        Right-hand side, of any shape.
    precondition : callable
        ``precondition(r)`` returns M⁻¹ r for a symmetric positive M near A.
    rtol : float
        Stop when the residual, measured in the norm of M⁻¹, has shrunk to this share.
    max_products : int, default=150
        Largest number of products.

    Returns
    -------
    Direction
        A descent direction for the quadratic model, however early it stopped.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 5.3.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.solvers.newton_cg import conjugate_gradient
    >>> A = np.diag([1.0, 2.0, 4.0])
    >>> conjugate_gradient(A.dot, np.ones(3), lambda r: r, rtol=1e-9).x
    array([1.  , 0.5 , 0.25])
    """
    x = np.zeros_like(target)
    residual = target.copy()
    direction = precondition(residual).copy()
    size = float(np.vdot(residual, direction))
    goal = rtol * rtol * size
    n_products = 0
    while n_products < max_products and size > goal:
        image = product(direction)
        n_products += 1
        curvature = float(np.vdot(direction, image))
        if not curvature > 0:  # flat to rounding: follow it only from the start
            if n_products == 1:
                x = direction
            break
        step = size / curvature
        x += step * direction
        residual -= step * image
        conditioned = precondition(residual)
        size, previous = float(np.vdot(residual, conditioned)), size
        direction *= size / previous
        direction += conditioned
    return Direction(x, n_products)


def newton_cg(problem, *, tol=1e-8, max_iter=100, max_products=150, callback=None):
    """Minimise a smooth convex function by preconditioned Newton-CG.

    Stops when the certificate is met: `problem.dual_gap` is at most ``tol`` times the
    objective. For a problem without a dual bound, half the squared Newton decrement,
    which estimates the distance from the minimum, takes its place and its name.

    Parameters
    ----------
    problem : NewtonProblem
        The problem, at its starting point. It is left at the minimiser.
    tol : float, default=1e-8
        Relative accuracy of the objective.
    max_iter : int, default=100
        Largest number of Newton steps; with 0 the start is only looked at.
    max_products : int, default=150
        Largest number of Hessian products in each step.
    callback : callable, default=None
        Called with an `Iteration` after each step; a true answer stops.

    Returns
    -------
    SolverResult
        Each entry of `history` also tells `n_products` and `step`.

    Raises
    ------
    TypeError
        If `problem` lacks something that a `NewtonProblem` has.
    ValueError
        If an option is out of range.

    References
    ----------
    Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.1.

    Examples
    --------
    `NewtonProblem` shows a whole problem.

    >>> import numpy as np
    >>> from skloss.solvers.newton_cg import NewtonProblem, newton_cg
    >>> class AtItsMinimum(NewtonProblem):
    ...     parameters, objective = np.zeros(2), 1.0
    ...     def gradient(self):
    ...         return np.zeros(2)
    ...     def dual_gap(self, gradient):
    ...         return gradient @ gradient
    >>> newton_cg(AtItsMinimum(), tol=1e-6).status
    'converged'
    """
    check_offers("problem", problem, _MEMBERS, "NewtonProblem")
    check_tol(tol)
    check_count("max_iter", max_iter)
    check_count("max_products", max_products, 1)
    return _NewtonCG(problem, tol, max_iter, max_products, callback).run()


class _NewtonCG:
    """The state of one run of `newton_cg`."""

    def __init__(self, problem, tol, max_iter, max_products, callback):
        self.problem = problem
        self.tol = tol
        self.max_iter = max_iter
        self.max_products = max_products
        self.callback = callback
        self.history = []
        self.first_size = None
        self.gap = math.nan
        self.doubtful = False

    def run(self):
        self._look()
        status = self._certified()
        while status is None:
            if len(self.history) >= self.max_iter:
                status = "max_iter"
            else:
                status = self._iterate()
        if status != "converged":
            while self.problem.refine():
                pass
            self._look()
        return SolverResult(
            x=self.problem.parameters,
            objective=self.problem.objective,
            n_iter=len(self.history),
            status=status,
            dual_gap=self.gap,
            history=self.history,
        )

    def _look(self):
        """Take the gradient and the certificate at the current point."""
        self.gradient = self.problem.gradient()
        gap = self.problem.dual_gap(self.gradient)
        self.bounded = not math.isnan(gap)
        if self.bounded:
            self.gap = gap

    def _certified(self):
        """Return "converged" if the gap is small in the best available accuracy."""
        while self.gap <= self.tol * abs(self.problem.objective):
            if not self.problem.refine():
                return "converged"
            self._look()
        return None

    def _iterate(self):
        problem = self.problem
        direction, n_products = self._direction()
        slope = float(np.vdot(self.gradient, direction))
        before = problem.objective, self.gap
        descends = -math.inf < slope < 0 and np.isfinite(direction).all()
        step = self._search(direction, slope) if descends else 0.0
        decrease = -0.5 * slope
        refined = False
        if step == 0.0 or decrease <= problem.resolution * abs(problem.objective):
            refined = problem.refine()
        if step == 0.0 and not (refined or problem.sharpen()):
            return "stalled"
        self._look()
        if not self.bounded:
            self.gap = decrease
        status = self._certified()
        if step == 0.0:
            return status
        stuck = status is None and not refined and not self._progressed(*before)
        if stuck and not (problem.refine() or problem.sharpen()):
            status = "stalled"
        elif stuck:
            self._look()
            status = self._certified()
        status = self._report(status, n_products, step)
        if status is None:
            self._doubt(n_products, step)
        return status

    def _progressed(self, objective, gap):
        """Whether the last step made either smaller by more than rounding."""
        least = _ROUNDING * abs(objective)
        return self.problem.objective < objective - least or self.gap < 0.5 * gap

    def _doubt(self, n_products, step):
        """Ask for better directions after two steps in a row that speak for it."""
        doubtful = step < _SHORT_STEP or n_products >= self.max_products
        if doubtful and self.doubtful and self.problem.sharpen():
            self._look()
            doubtful = False
        self.doubtful = doubtful

    def _direction(self):
        precondition = self.problem.preconditioner()
        target = -self.gradient.astype(self.problem.dtype)
        size = math.sqrt(max(float(np.vdot(target, precondition(target))), 0.0))
        self.first_size = self.first_size or size or 1.0
        rtol = min(_LARGEST_RTOL, math.sqrt(size / self.first_size))
        with np.errstate(over="ignore", invalid="ignore"):  # `_iterate` will see
            return conjugate_gradient(
                self.problem.hessian_product,
                target,
                precondition,
                rtol=rtol,
                max_products=self.max_products,
            )

    def _search(self, direction, slope):
        """Armijo backtracking; returns the step, 0 when there is no decrease."""
        problem = self.problem
        start = problem.objective + _ROUNDING * abs(problem.objective)
        problem.begin_line(direction)
        step = 1.0
        for _ in range(_MAX_TRIALS):
            value = problem.try_step(step)
            if value <= start + _SUFFICIENT_DECREASE * step * slope:
                problem.accept()
                return step
            # the minimiser of the parabola through what is known of the line
            rise = value - start - step * slope
            best = -0.5 * slope * step * step / rise if math.isfinite(rise) else 0.0
            step = min(max(best, 0.1 * step), 0.5 * step)
        problem.try_step(0.0)
        problem.accept()
        return 0.0

    def _report(self, status, n_products, step):
        info = Iteration(
            n_iter=len(self.history) + 1,
            x=self.problem.parameters,
            objective=self.problem.objective,
            dual_gap=self.gap,
            converged=status == "converged",
        )
        self.history.append(
            {
                "n_iter": info.n_iter,
                "objective": info.objective,
                "dual_gap": info.dual_gap,
                "n_products": n_products,
                "step": float(step),
            }
        )
        if self.callback is not None and self.callback(info) and status is None:
            return "stopped"
        return status
