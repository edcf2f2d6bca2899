"""Scores in order in the whole of a box of features."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve, lstsq
from scipy.optimize import nnls

from skloss.ordinal._families import Cumulative
from skloss.ordinal._limits import LARGEST_HESSIAN
from skloss.ordinal._ordering import Observed, Solution, Train
from skloss.penalties import L1, total
from skloss.solvers._active_set import minimize_block
from skloss.solvers._line_search import backtrack
from skloss.solvers._result import Iteration, Recorder
from skloss.solvers._working_set import grow, stationarity

__all__ = ["Box", "ordering_of"]

_PENALTY = L1(1.0)
# Of the gradient in the model: multipliers are read off what moves its minimiser.
_EXACT = 1e-12
_NEARLY = 1e-9
_ROUNDING = 1e-10  # what keeping clear of the conditions' ends costs


class Box(Observed):
    """Ordered in the whole of a box of features.

    With the box's midpoint for origin and half-widths r, the scores of two thresholds
    that differ by ``gap + x @ change`` are in order in the whole box if and only if
    ``r @ abs(change) <= gap``: a convex condition, one for each pair of thresholds.

    The method is proximal Newton with feasible steps. Each minimises the quadratic
    model plus the penalty under the conditions themselves, which are no harder in the
    model than in truth; between two points that satisfy them all points do. Their
    multipliers add to the weights of the penalty and tilt the model.

    Parameters
    ----------
    engine : Engine
        What is fitted.
    low, high : ndarray of shape (p,)
        The box, in units of the columns of X.
    """

    def __init__(self, engine, low, high):
        super().__init__(engine)
        scaling = engine.scaling
        # From the centre first: far from zero a midpoint has lost digits.
        low = (low - scaling.center) * scaling.scale
        high = (high - scaling.center) * scaling.scale
        self.middle, self.half = (low + high) / 2, (high - low) / 2
        self.curvature = 0.0  # added to the model, where it needed some last
        self.blocks, self.signs = engine.structure.steps()

    def solve(
        self, alpha, x0, *, tol, max_iter, working=None, callback=None, warm=None
    ):
        """Minimise the objective; see `Observed.solve`."""
        problem, l1 = self.engine.problem(alpha), self.engine.l1(alpha)
        nu = np.zeros(len(self.blocks))
        if warm is not None:
            problem.resume(warm.point)
            nu = warm.multipliers
        point = problem.at(self._inside(x0))
        working = np.flatnonzero(l1 == 0) if working is None else working
        if problem.size <= LARGEST_HESSIAN:
            working = np.arange(problem.size)
        recorder, distances = Recorder(callback, max_iter), np.empty(problem.size)
        stalled = False
        for n_iter in range(max_iter + 1):
            info = self._look(point, l1, nu, distances, n_iter, tol)
            if recorder.ends(info, n_working=working.size, stalled=stalled):
                break
            working = grow(working, point.x, distances)
            model = _Model(self, point, l1, working, nu)
            new, nu = model.minimise()
            found = _step(point, new - point.x, l1, info.objective)
            stalled, point = found is None, found or point
        held, tilt = self.linear(nu)
        return Solution(
            x=self.scaled_into(point.x),
            n_iter=n_iter,
            status=recorder.status,
            kkt_violation=info.kkt_violation,
            problem=self.engine.problem(alpha, tilt=tilt),
            point=point.seen(),
            held=held,
            multipliers=nu,
        )

    def _look(self, point, l1, nu, distances, n_iter, tol):
        """Stationarity of the Lagrangian, and complementarity of the conditions."""
        held, tilt = self.linear(nu)
        violation = stationarity(
            _PENALTY, point.x, point.gradient + tilt, l1 + held, distances
        )
        objective = point.loss + total(_PENALTY, point.x, l1)
        slack = float(-nu @ self.excess(point.x))
        # What multipliers and distances leave open counts in full, not squared.
        converged = violation <= tol and slack <= max(0.01 * tol, _ROUNDING)
        n_active = int(np.count_nonzero(point.x))
        return Iteration(
            n_iter, point.x, objective, np.nan, violation, n_active, converged
        )

    def _inside(self, x):
        """Move a start that breaks a condition towards the null model.

        Conditions are convex, and the null model meets them with room to spare.
        """
        excess = self.excess(x)
        if excess.max() <= _NEARLY:  # rounding, of a warm start
            return self.scaled_into(x)
        null = self.engine.null()
        room = -self.excess(null)
        broken = excess > 0.0
        share = (room[broken] / (room[broken] + excess[broken])).min()
        return null + 0.9 * share * (x - null)

    def linear(self, nu):
        """Weights of absolute values, and linear term, that the conditions add.

        Parameters
        ----------
        nu : ndarray of shape (m - 1,)
            Multipliers.

        Returns
        -------
        held, tilt : ndarray of shape (size,)
        """
        engine = self.engine
        m, q, p = engine.m, engine.q, engine.p
        held, tilt = np.zeros((2, m + q * p))
        tilt[:m] = np.append(nu, 0.0) - np.append(0.0, nu)
        held[m:].reshape(q, p)[self.blocks] = nu[:, None] * self.half
        moved = (nu * self.signs)[:, None] * self.middle
        tilt[m:].reshape(q, p)[self.blocks] = -moved
        return held, tilt

    def excess(self, x):
        """How far each condition is from being met; negative where it is."""
        engine = self.engine
        m = engine.m
        change = x[m:].reshape(engine.q, engine.p)[self.blocks]
        gap = np.diff(x[:m]) + self.signs * (change @ self.middle)
        return np.abs(change) @ self.half - gap

    def slopes(self, x):
        """Gradients of the conditions (m - 1, size), where x is not zero."""
        engine = self.engine
        m, q, p = engine.m, engine.q, engine.p
        A = np.zeros((len(self.blocks), m + q * p))
        signs = np.sign(x[m:].reshape(q, p))
        inner = A[:, m:].reshape(len(A), q, p)
        for k, (block, sign) in enumerate(zip(self.blocks, self.signs)):
            A[k, k], A[k, k + 1] = 1.0, -1.0
            inner[k, block] = self.half * signs[block] - sign * self.middle
        return A

    def scaled_into(self, x):
        """Shrink changes so that the conditions hold exactly, rounding included.

        Only the half-widths bind: gaps at the midpoint stay as they are.
        """
        engine = self.engine
        m, x = engine.m, x.copy()
        changes = x[m:].reshape(engine.q, engine.p)
        rounding = self._rounding(x)
        for k, (block, sign) in enumerate(zip(self.blocks, self.signs)):
            change = changes[block].copy()
            reach = np.abs(change) @ self.half
            shift = sign * (change @ self.middle)
            room = (x[k + 1] - x[k] + shift) * (1 - 1e-10) - rounding[k]
            room = max(room, 0.0)
            if reach > room:
                shrink = room / reach
                x[k + 1 : m] += (1 - shrink) * shift
                changes[block] = shrink * change
        return x

    def _rounding(self, x):
        """Bound what rounding does to the distance of neighbours' scores (m - 1,).

        With columns that nearly cancel, scores are small sums of large numbers.
        """
        B = self.engine.problem(0.0).weights_of(x)[:, :-1]
        terms = np.abs(B) @ (np.abs(self.middle) + self.half)
        eps = np.finfo(np.float64).eps
        return (self.engine.p + 2) * eps * (terms[1:] + terms[:-1])


class _Model:
    """Quadratic model around a point, under the conditions.

    Parameters
    ----------
    box : Box
        The conditions.
    point : OrdinalPoint
        Where.
    l1 : ndarray of shape (size,)
        Weights of the absolute values.
    working : ndarray of intp
        Coordinates that move.
    nu : ndarray of shape (m - 1,)
        Multipliers to start from.
    """

    _ROUNDS, _PATIENCE = 60, 8
    _SETTLED = 1e-10

    def __init__(self, box, point, l1, working, nu):
        self.box, self.l1, self.working, self.nu = box, l1, working, nu
        self.x = point.x
        self.Q, self.q, _ = point.model(working, 0.0)

    def minimise(self):
        """Return the minimiser (size,) and the conditions' multipliers.

        With fewer rows than coefficients the model has no unique minimiser. It gets one
        by a little curvature more, which shortens the step and changes no fixed point.
        """
        curved = self.Q.copy()
        for more in (0.0, 1e-6, 1e-3, 1e-1):
            if more < 1e-3 * self.box.curvature:
                continue
            self.Q = curved + np.diag(more * (curved.diagonal() + 1e-3))
            with np.errstate(over="ignore", invalid="ignore"):  # it is looked for
                result, nu, settled = self._maximise_dual()
            if settled:
                break
        self.box.curvature = more
        return self.box.scaled_into(result), nu

    def _maximise_dual(self):
        """Minimise over coefficients, and maximise over multipliers.

        The dual function of the multipliers is concave and piecewise quadratic:
        Newton's method, shortening steps that are too long.
        """
        nu, step, length, best = self.nu, np.zeros(len(self.nu)), 1.0, -np.inf
        result, waits = self.x, 0
        for _ in range(self._ROUNDS):
            trial_nu = nu + length * step
            if not np.isfinite(trial_nu).all() or waits == self._PATIENCE:
                break
            trial = self._lagrangian_minimiser(trial_nu, result)
            excess = self.box.excess(trial)
            value = self._value(trial) + trial_nu @ excess
            if value >= best - 1e-13 * abs(value):
                waits = 0 if value > best + 1e-12 * abs(value) else waits + 1
                result, nu, best, length = trial, trial_nu, value, 1.0
                step = self._newton(trial, nu, excess)
                size = max(np.abs(step).max(initial=0.0), excess.max(initial=0.0))
                if size <= self._SETTLED:
                    return result, nu, True
            else:
                length /= 4
                if length < 1e-8:
                    break
        return result, nu, False

    def _lagrangian_minimiser(self, nu, start):
        held, tilt = self.box.linear(nu)
        rows = self.working
        x = start[rows].copy()
        c = self.Q @ self.x[rows] - self.q - tilt[rows]
        minimize_block(_PENALTY, self.Q, c, x, (self.l1 + held)[rows], _EXACT)
        new = self.x.copy()
        new[rows] = x
        return new

    def _value(self, new):
        step = (new - self.x)[self.working]
        return self.q @ step + 0.5 * step @ (self.Q @ step) + self.l1 @ np.abs(new)

    def _newton(self, x, nu, excess):
        """Step of the multipliers that maximises the dual's quadratic piece."""
        held, _ = self.box.linear(nu)
        rows = self.working
        active = np.flatnonzero((x[rows] != 0) | ((self.l1 + held)[rows] == 0))
        A = self.box.slopes(x)[:, rows[active]]
        M = A @ _solve(self.Q[np.ix_(active, active)], A.T)
        values, vectors = np.linalg.eigh((M + M.T) / 2)
        roots = np.sqrt(np.maximum(values, 1e-12 * max(values[-1], 1e-300)))
        # max over z = nu + step >= 0 of excess @ step - step @ M @ step / 2
        right = vectors.T @ (excess + M @ nu) / roots
        z, _ = nnls(roots[:, None] * vectors.T, right)
        return z - nu


def _step(point, direction, l1, objective):
    """Search along a direction; None if rounding hides every decrease."""

    def penalty(x):
        return total(_PENALTY, x, l1)

    promised = point.gradient @ direction
    promised += penalty(point.x + direction) - penalty(point.x)
    return backtrack(point, direction, objective, min(promised, 0.0), penalty)[0]


def _solve(Q, right):
    try:
        return cho_solve(cho_factor(Q), right)
    except np.linalg.LinAlgError:
        return lstsq(Q, right)[0]


def ordering_of(engine, low=None, high=None):
    """Return the ordering that a model asks for.

    Parameters
    ----------
    engine : Engine
        What is fitted.
    low, high : ndarray of shape (p,), default=None
        The box.

    Returns
    -------
    Observed, Train or Box
    """
    never_cross = (
        not isinstance(engine.family, Cumulative)
        or engine.m == 1
        or engine.model.structure == "parallel"
    )
    if engine.model.ordering == "observed" or never_cross:
        return Observed(engine)
    if engine.model.ordering == "train":
        return Train(engine)
    return Box(engine, low, high)
