"""One data set, ready to be fitted at any strength of the penalty."""

import copy
from typing import NamedTuple

import numpy as np

from skloss.losses.links import get_link
from skloss.ordinal._families import Adjacent, Cumulative, Stopping
from skloss.ordinal._limits import LARGEST_HESSIAN
from skloss.ordinal._links import mirrored
from skloss.ordinal._newton import newton
from skloss.ordinal._problem import OrdinalProblem
from skloss.ordinal._rows import sorted_rows
from skloss.ordinal._structure import structure_of
from skloss.penalties import L1
from skloss.solvers.proximal_newton import prox_newton

__all__ = ["Engine", "Model"]

_PENALTY = L1(1.0)  # the strengths are in the weights
_FEW = 200  # unknowns that are not worth a working set
_OFF = 1e100  # a weight that keeps any coefficient at zero


class Model(NamedTuple):
    """What is fitted, the strength of the penalty apart."""

    family: str = "cumulative"
    link: str = "logit"
    structure: str = "fused"
    base: str | int = "first"
    base_penalty: float = 1.0
    l1_ratio: float = 1.0
    reverse: bool = False
    ordering: str = "observed"
    standardize: bool = True
    penalty_factors: np.ndarray | None = None

    def internal_link(self):
        """Link of the event that the solver's scores are about."""
        link = get_link(self.link)
        # P(y > k | y >= k) = F(score) is a stopping model of the opposite event.
        return mirrored(link) if self.family == "continuation" else link


class Engine:
    """Rows, likelihood and structure of one data set.

    Parameters
    ----------
    X : C-contiguous ndarray or CSR matrix of shape (n, p)
        Data.
    codes : ndarray of shape (n,), intp
        Classes from 0 to K - 1, each with some weight, in the user's order.
    weights : ndarray of shape (n,)
        Weights, summing to 1.
    n_classes : int
        K.
    model : Model
        What to fit.
    """

    def __init__(self, X, codes, weights, n_classes, model):
        self.model = model
        if model.reverse:
            codes = n_classes - 1 - codes
        self.shares = np.bincount(codes, weights, minlength=n_classes)
        self.rows, order, self.scaling = sorted_rows(X, codes, weights)
        counts = np.bincount(codes[order], minlength=n_classes)
        self.starts = np.append(0, np.cumsum(counts))
        self.weights = weights[order]
        self.structure = structure_of(model.structure, model.base, self.shares)
        self.family = self.make_family(self.starts, self.weights)
        self.used = self.scaling.scale > 0
        self.m, self.q = self.structure.T.shape
        self.p = X.shape[1]
        self.l1_factors = self._factors(1)
        self.ridge_factors = self._factors(2)

    def at_ratio(self, l1_ratio):
        """Return an engine of the same rows with another mix of penalties."""
        other = copy.copy(self)
        other.model = self.model._replace(l1_ratio=float(l1_ratio))
        return other

    def make_family(self, starts, weights, **options):
        """Return the likelihood for other rows."""
        kinds = {"cumulative": Cumulative, "adjacent": Adjacent}
        kind = kinds.get(self.model.family, Stopping)
        return kind(starts, weights, self.model.internal_link(), **options)

    def _factors(self, power):
        """Relative strength of the penalty on a power of each unknown."""
        model = self.model
        v = np.ones(self.p) if model.penalty_factors is None else model.penalty_factors
        if not model.standardize:
            # The unknowns are those of standardised columns in any case.
            v = v * np.minimum(self.scaling.scale, 1e75) ** power
        blocks = np.ones(self.q)
        if self.structure.base is not None:
            blocks[self.structure.base] = model.base_penalty
        return np.concatenate([np.zeros(self.m), np.outer(blocks, v).ravel()])

    def problem(self, alpha, *, family=None, tilt=None):
        """Smooth part of the objective at a strength of the penalty."""
        ridge = None
        if self.model.l1_ratio < 1:
            ridge = alpha * (1 - self.model.l1_ratio) * self.ridge_factors
        family = family or self.family
        structure, used = self.structure, self.used
        return OrdinalProblem(
            self.rows, family, structure, used, ridge=ridge, tilt=tilt
        )

    def l1(self, alpha):
        """Weight of the absolute value of each unknown."""
        return alpha * self.model.l1_ratio * self.l1_factors

    def null(self):
        """Unknowns of the model without features."""
        x = np.zeros(self.m + self.q * self.p)
        x[: self.m] = self.family.null_intercepts(self.shares)
        return x

    def solve(self, problem, l1, x0, *, tol, max_iter, working=None, callback=None):
        """Minimise a smooth part and weighted absolute values.

        Parameters
        ----------
        problem : OrdinalProblem
            Smooth part; see `problem`.
        l1 : ndarray of shape (size,)
            Weights of the absolute values; see `l1`.
        x0 : ndarray of shape (size,)
            Start, where the objective must be finite.
        tol : float
            Largest distance from stationarity.
        max_iter : int
            Largest number of Newton steps.
        working : ndarray of intp, default=None
            Coordinates likely to move.
        callback : callable, default=None
            See `prox_newton`.

        Returns
        -------
        SolverResult
        """
        if not l1.any() and problem.size <= LARGEST_HESSIAN:
            options = {"tol": tol, "max_iter": max_iter, "callback": callback}
            return newton(problem, x0, **options)[0]
        if problem.size <= _FEW:
            working = np.arange(problem.size)
        return prox_newton(
            problem,
            _PENALTY,
            weight=l1,
            x0=x0,
            working_set=working,
            tol=tol,
            max_iter=max_iter,
            callback=callback,
        )

    def unpenalized(self, *, tol, max_iter=100):
        """Solution at an infinite penalty, and the strength that gives it.

        Returns
        -------
        x : ndarray of shape (size,)
            Unknowns; zero where they are penalised.
        alpha_max : float
            Smallest penalty with this solution; 0 if nothing is penalised.
        """
        penalized = self.l1_factors > 0
        free = ~penalized
        free[: self.m] = False
        x = self.null()
        problem = OrdinalProblem(self.rows, self.family, self.structure, self.used)
        if (free[self.m :] & np.tile(self.used, self.q)).any():
            weight = np.where(penalized, _OFF, 0.0)
            result = prox_newton(
                problem, _PENALTY, weight=weight, x0=x, tol=tol, max_iter=max_iter
            )
            x = result.x
        if not penalized.any():
            return x, 0.0
        gradient = np.abs(problem.at(x).gradient[penalized])
        ratio = max(self.model.l1_ratio, 0.01)
        return x, float((gradient / (ratio * self.l1_factors[penalized])).max())

    def strong_set(self, x, gradient, alpha, previous):
        """Coordinates that a smaller penalty is likely to move.

        The sequential strong rule: those whose gradient is above ``2 * alpha -
        previous``, in units of their weight.
        """
        limit = (2 * alpha - previous) * self.model.l1_ratio * self.l1_factors
        return np.flatnonzero((np.abs(gradient) >= limit) | (x != 0))

    def outside(self, x):
        """Public coefficients (m, p) and their scores at the centre (m,)."""
        B = self.problem(0.0).weights_of(x)
        coef, at_center = self.scaling.outside(B)
        if self.model.reverse:
            return coef[::-1].copy(), at_center[::-1].copy()
        return -coef, -at_center

    def inside(self, coef, at_center):
        """Unknowns of public coefficients; the inverse of `outside`."""
        if self.model.reverse:
            coef, at_center = coef[::-1], at_center[::-1]
        else:
            coef, at_center = -coef, -at_center
        return self.problem(0.0).unknowns_of(self.scaling.inside(coef, at_center))

    def objective(self, alpha, x):
        """Objective of unknowns; infinite or nan where a row is impossible."""
        problem = self.problem(alpha)
        loss = self.family.value(problem.scores(x)) + problem.smooth_extra(x)
        return float(loss + self.l1(alpha) @ np.abs(x))
