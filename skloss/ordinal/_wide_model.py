"""The quadratic model of more coefficients than a matrix of them can be held for."""

import numpy as np

from skloss.ordinal._curvature import partial_hessian
from skloss.penalties import kkt_distances
from skloss.solvers._active_set import minimize_block
from skloss.solvers.newton_cg import conjugate_gradient

__all__ = ["WideModel"]

_CHUNK = 1000  # coefficients whose second derivatives are held at once
_ROUNDS = 30
_PRODUCTS = 100


class WideModel:
    """Second derivatives that are multiplied, never held.

    Its minimiser is sought in turns: chunks of coefficients one after the other, which
    finds out which of them are zero, and conjugate gradients on those that are not.

    Parameters
    ----------
    point : OrdinalPoint
        Where.
    working : ndarray of intp
        Sorted unknowns that move.
    damping : float
        Relative increase of the curvature along each.
    """

    def __init__(self, point, working, damping):
        self.problem, self.terms = point.problem, point.terms
        self.working = working
        self.extra = np.zeros(working.size)
        if self.problem.ridge is not None:
            self.extra += self.problem.ridge[working]
        self.diagonal = self._diagonal() + self.extra
        self.extra += damping * self.diagonal

    def _diagonal(self):
        """Second derivative along each unknown, columns being standardised."""
        problem = self.problem
        T = problem.structure.T
        loads = np.hstack([np.eye(problem.m), np.repeat(T, problem.p, axis=1)])
        loads = loads[:, self.working]
        total = np.zeros(self.working.size)
        for term in self.terms:
            twice = 1.0 if term.k == term.other else 2.0
            curvature = twice * term.sign * term.weight.sum()
            total += curvature * loads[term.k] * loads[term.other]
        return np.maximum(total, 1e-12)

    def product(self, v):
        """Product with a vector on the working set: two passes over the rows."""
        problem, family = self.problem, self.problem.family
        step = np.zeros(problem.size)
        step[self.working] = v
        moved = problem.scores(step)
        pushed = np.zeros_like(moved)
        for term in self.terms:
            k, other, lo, hi = term[:4]
            signed = term.sign * term.weight
            own, there = (family.segment(moved, t, lo, hi) for t in (k, other))
            family.segment(pushed, k, lo, hi)[:] += signed * there
            if k != other:
                family.segment(pushed, other, lo, hi)[:] += signed * own
        return problem.back(pushed)[self.working] + self.extra * v

    def solve(self, target):
        """Solution of the equations without penalty, by conjugate gradients."""
        return conjugate_gradient(
            self.product,
            target,
            lambda r: r / self.diagonal,
            rtol=1e-8,
            max_products=10 * _PRODUCTS,
        ).x

    def minimize(self, penalty, q, x, weight, tol):
        """Minimise ``q @ step + step @ H @ step / 2`` plus the penalty, in place.

        Parameters
        ----------
        penalty : named tuple
            Penalty.
        q : ndarray of shape (k,)
            Gradient at `x`.
        x : ndarray of shape (k,)
            Start; overwritten by the result.
        weight : ndarray of shape (k,)
            Weights of the penalty.
        tol : float
            Largest distance from stationarity.
        """
        g, distances = q.copy(), np.empty_like(x)
        for _ in range(_ROUNDS):
            if weight.any():
                g = self._sweep(penalty, g, x, weight, tol)
            g = self._follow(g, x, weight)
            if kkt_distances(penalty, x, g, weight, distances) <= tol:
                break

    def _sweep(self, penalty, g, x, weight, tol):
        """Minimise over chunk after chunk; return the gradient after that."""
        problem = self.problem
        for start in range(0, x.size, _CHUNK):
            chunk = slice(start, start + _CHUNK)
            Q = partial_hessian(
                problem.rows, self.terms, problem.structure.T, self.working[chunk]
            )
            Q[np.diag_indices(len(Q))] += self.extra[chunk]
            new = x[chunk].copy()
            minimize_block(
                penalty, Q, Q @ new - g[chunk], new, weight[chunk], 0.1 * tol
            )
            step = np.zeros_like(x)
            step[chunk] = new - x[chunk]
            if step.any():
                x[chunk] = new
                g = g + self.product(step)
        return g

    def _follow(self, g, x, weight):
        """Step on the smooth piece around `x`, as far as no coefficient changes sign.

        Returns the gradient after that.
        """
        active = (x != 0) | (weight == 0)
        slope = np.where(active, g + weight * np.sign(x), 0.0)

        def product(v):
            return np.where(active, self.product(v), 0.0)

        step = conjugate_gradient(
            product,
            -slope,
            lambda r: r / self.diagonal,
            rtol=1e-3,
            max_products=_PRODUCTS,
        ).x
        crosses = (weight > 0) & (np.sign(x + step) != np.sign(x)) & active
        if crosses.any():
            reach = -x[crosses] / step[crosses]
            step *= min(1.0, reach.min())
        x += step
        x[crosses & (np.abs(x) < 1e-14)] = 0.0
        return g + self.product(step)
