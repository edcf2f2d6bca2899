"""Small dense quadratics with a penalty of the whole vector.

Accelerated proximal gradient steps find which coefficients are zero or equal; Newton's
method on the smooth piece of the penalty finishes.
"""

import math

import numpy as np

from skloss.penalties._vector_contract import prox_residual
from skloss.solvers._active_set import _gradient
from skloss.solvers._composite_newton import newton
from skloss.solvers._working_set import FREE_TOL

__all__ = ["WholeProblem"]

_MAX_PASSES = 200
_PATIENCE = 8  # passes without progress after which rounding is to blame
_LARGE = 500  # coefficients beyond which eigenvalues cost more than steps
_FIRST_STEPS, _MOST_STEPS = 50, 1000  # accelerated steps per pass
# Newton steps per pass. Clusters change one at a time in a Newton step, many at once
# in a proximal gradient step.
_MOST_NEWTON = 3


class WholeProblem:
    """``w @ Q @ w / 2 - c @ w + square / 2 + penalty(w)`` for a small Q.

    Parameters
    ----------
    Q : ndarray of shape (k, k)
        C-contiguous, symmetric, positive semi-definite.
    c : ndarray of shape (k,)
        Linear part.
    square : float
        Mean square of the target.
    """

    def __init__(self, Q, c, square):
        self.Q, self.c, self.square = Q, c, square
        self.steepest = _largest_curvature(Q)

    def minimize(self, penalty, w, tol, max_passes=_MAX_PASSES):
        """Minimise from a start.

        Parameters
        ----------
        penalty : VectorPenalty
            The penalty of these coefficients.
        w : ndarray of shape (k,)
            Start.
        tol : float
            Largest duality gap.
        max_passes : int
            Largest number of rounds of first-order steps and Newton steps.

        Returns
        -------
        ndarray of shape (k,)
            The best point found.
        """
        w, q = w.copy(), _gradient(self.Q, self.c, w)
        gap = self.gap(penalty, w, q)
        best, result, patience = gap, w.copy(), _PATIENCE
        n_steps = _FIRST_STEPS
        for _ in range(max_passes):
            if best <= tol or patience == 0:
                break
            before = gap
            w, q = self._accelerate(penalty, w, q, n_steps)
            gap = self.gap(penalty, w, q)
            if not gap <= max(tol, 0.01 * before):
                w = newton(self.Q, self.c, self.square, penalty, w, _MOST_NEWTON)
                q = _gradient(self.Q, self.c, w)
                gap = self.gap(penalty, w, q)
            n_steps = min(2 * n_steps, _MOST_STEPS)
            if math.isnan(gap):
                break
            patience = _PATIENCE if gap < 0.5 * best else patience - 1
            if gap < best:
                best, result = gap, w.copy()
        return result

    def gap(self, penalty, w, q):
        """Duality gap at w, where the gradient is q; large until the free settle."""
        s, part = penalty.gap(w, -q)
        residual = max(self.square - self.c @ w + q @ w, 0.0)
        gap = part + 0.5 * residual * (1.0 - s) ** 2
        free = penalty.free & (self.Q.diagonal() > 0.0)
        if free.any() and self.square > 0.0:
            step = 1.0 / self.steepest
            left = prox_residual(penalty, w, -q, step)[free]
            size = np.sqrt(self.Q.diagonal()[free] * self.square)
            excess = float((left / size).max())
            if excess > 0.1 * FREE_TOL:
                gap += self.square * excess / FREE_TOL
        return gap

    def _accelerate(self, penalty, w, q, n_steps):
        """Accelerated proximal gradient steps, restarted where they turn back.

        B. O'Donoghue, E. Candès, "Adaptive Restart for Accelerated Gradient Schemes",
        Foundations of Computational Mathematics 15, 2015.
        """
        at, q_at, theta = w, q, 1.0
        for _ in range(n_steps):
            if self.steepest <= 0.0:
                break
            new = penalty.prox(at - q_at / self.steepest, 1.0 / self.steepest)
            q_new = _gradient(self.Q, self.c, new)
            step = new - at
            if not (step.any() or (new - w).any()):
                break
            length, curvature = step @ step, step @ (q_new - q_at)
            if math.inf > curvature > (1.0 + 1e-9) * self.steepest * length > 0.0:
                self.steepest = 1.05 * curvature / length
                continue
            move = new - w
            if -step @ move > 0.0:
                theta, momentum = 1.0, 0.0
            else:
                last, theta = theta, 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * theta**2))
                momentum = (last - 1.0) / theta
            at, q_at = new + momentum * move, q_new + momentum * (q_new - q)
            w, q = new, q_new
        return w, q


def _largest_curvature(Q):
    """Largest eigenvalue; by the power method, and maybe too small, for a large Q."""
    unit = np.abs(Q).max(initial=0.0)
    if not 0.0 < unit < math.inf:
        return 0.0
    if len(Q) <= _LARGE:
        return unit * float(np.linalg.eigvalsh(Q / unit)[-1]) * (1.0 + 1e-12)
    # A start made of Q itself may be in its null space.
    v = np.random.default_rng(0).standard_normal(len(Q))
    value = 0.0
    for _ in range(30):
        v = Q @ (v / math.sqrt(v @ v)) / unit
        value = math.sqrt(v @ v)
        if not value > 0.0:
            break
    return unit * max(1.05 * value, 1.0)
