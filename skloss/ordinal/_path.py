"""Fits at falling strengths of the penalty, each from the one before."""

import dataclasses
from typing import NamedTuple

import numpy as np

from skloss.ordinal._inputs import check_alphas

__all__ = ["Path", "PathPoint", "alpha_grid", "public_path"]


class PathPoint(NamedTuple):
    """One fit of a path, as callbacks see it."""

    n_iter: int  # fits so far
    alpha: float
    objective: float
    n_active: int
    newton_steps: int
    kkt_violation: float
    x: np.ndarray
    converged: bool = False


def alpha_grid(alpha_max, n_alphas, eps):
    """Strengths from the largest that matters, geometrically down to `eps` of it."""
    if alpha_max <= 0.0:  # nothing is penalised, or nothing moves
        return np.zeros(1)
    if n_alphas == 1:
        return np.array([alpha_max])
    return alpha_max * np.logspace(0.0, np.log10(eps), n_alphas)


class Path(NamedTuple):
    """What a path is fitted with.

    Parameters
    ----------
    engine : Engine
        Data and model.
    ordering : Observed, Train or Box
        How each fit is done.
    start : ndarray of shape (size,)
        Solution at `alpha_max`.
    alpha_max : float
        Where the first coefficient moves.
    alphas : ndarray of shape (A,)
        Falling strengths.
    """

    engine: object
    ordering: object
    start: np.ndarray
    alpha_max: float
    alphas: np.ndarray

    @classmethod
    def prepare(cls, estimator, engine, sample, *, alphas, eps=1e-3):
        """Make ready for strengths, or for a number of them."""
        start, alpha_max = engine.unpenalized(tol=estimator.tol)
        if np.ndim(alphas) == 0:
            alphas = alpha_grid(alpha_max, int(alphas), eps)
        ordering = estimator._ordering(engine, sample)
        return cls(engine, ordering, start, alpha_max, check_alphas(alphas))

    def fit(self, estimator, report=None):
        """Fit at every strength.

        Parameters
        ----------
        estimator : estimator
            With `tol` and `max_iter`, of each fit.
        report : callable, default=None
            Called with a `PathPoint` after each fit; returns True to stop.

        Returns
        -------
        list of Solution
            One for each strength; fewer if `report` stopped the path.
        """
        options = {"tol": estimator.tol, "max_iter": estimator.max_iter}
        solutions, solution = [], None
        x, previous = self.start, max(self.alpha_max, self.alphas[0])
        for i, alpha in enumerate(self.alphas):
            working = None
            if solution is not None:
                gradient = solution.point.row_gradient
                working = self.engine.strong_set(x, gradient, alpha, previous)
            solution = self.ordering.solve(
                alpha, x, working=working, warm=solution, **options
            )
            x, previous = solution.x, alpha
            # What is as large as the rows is kept of the last fit only.
            solutions.append(dataclasses.replace(solution, problem=None, point=None))
            if report is not None and report(_seen(self.engine, i, alpha, solution)):
                break
        # What is not penalised is not at any strength: one look is enough.
        separated = self.ordering.is_separated(alpha, solution)
        solutions[-1] = dataclasses.replace(solutions[-1], separated=separated)
        return solutions


def _seen(engine, i, alpha, solution):
    seen = solution.point
    smooth = seen.row_loss + engine.problem(alpha).smooth_extra(seen.x)
    objective = smooth + float(engine.l1(alpha) @ np.abs(solution.x))
    return PathPoint(
        n_iter=i + 1,
        alpha=float(alpha),
        objective=objective,
        n_active=int(np.count_nonzero(solution.x[engine.m :])),
        newton_steps=solution.n_iter,
        kkt_violation=float(solution.kkt_violation),
        x=solution.x,
    )


def public_path(engine, solutions):
    """Public intercepts (A, m) and coefficients (A, m, p) of a path."""
    pairs = [engine.outside(solution.x) for solution in solutions]
    coefs = np.stack([coef for coef, _ in pairs])
    at_center = np.stack([at for _, at in pairs])
    return at_center - coefs @ engine.scaling.center, coefs
