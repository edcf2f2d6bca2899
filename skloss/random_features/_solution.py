"""What follows from the sums of a fit, computed when it is first asked for."""

from functools import cached_property

import numpy as np

from skloss.random_features._primal import (
    decompose,
    factorised,
    least_eigenvalue,
    solve,
    trace_of_inverse,
)

__all__ = ["GivenSolution", "PrimalSolution"]


_ROUNDING = 1e-12  # share of the weight that rounding may leave


class _Solution:
    """Ridge coefficients and what describes the fit.

    Subclasses give `coef` (k, t), `intercept`, `alpha`, `residual` and `freedom`, each
    of shape (t,), and the floats `weight` and `center`: the coefficients, the
    intercepts, the penalties, sums of squares left, traces of hat matrices without
    the intercept, the sum of the weights, and whether there is an intercept.
    """

    @property
    def degrees(self):
        """Traces of the hat matrices."""
        return self.freedom + float(self.center)

    @property
    def effective_ridge(self):
        """Estimates of the penalty that acts on each eigenvalue of the kernel."""
        left = self._left
        none = np.full(left.shape, np.inf)
        return np.divide(self.alpha, left, out=none, where=left > 0)

    @property
    def gcv(self):
        """Generalised cross-validation: estimates of the mean squared error."""
        left = self._left
        share = np.divide(self.weight, left, out=np.zeros_like(left), where=left > 0)
        return np.where(left > 0, self.residual / self.weight * share**2, np.inf)

    @property
    def _left(self):
        """Weight that is left when degrees of freedom are taken away."""
        left = self.weight - self.degrees
        return np.where(left > _ROUNDING * self.weight, left, 0.0)


class GivenSolution(_Solution):
    """A solution that was computed from something else than sums.

    Parameters
    ----------
    coef : ndarray of shape (k, t) or None
        Coefficients.
    intercept, alpha, residual, freedom : ndarray of shape (t,)
        As described above.
    weight : float
        Sum of the weights.
    center : bool
        Whether there is an intercept.
    gcv : ndarray of shape (t,)
        As described above, from what does not cancel where few rows are left.
    """

    gcv = None  # an attribute here

    def __init__(self, coef, intercept, alpha, residual, freedom, weight, center, gcv):
        self.coef, self.intercept, self.alpha = coef, intercept, alpha
        self.residual, self.freedom = residual, freedom
        self.weight, self.center, self.gcv = weight, center, gcv


class PrimalSolution(_Solution):
    """The solution that sums determine.

    Parameters
    ----------
    sums : RidgeSums
        Sums over the rows.
    alpha : ndarray of shape (t,)
        Penalties.
    center : bool
        Whether there is an intercept.
    coef : ndarray of shape (k, t), default=None
        Coefficients that are better than those from the sums.
    """

    def __init__(self, sums, alpha, center, coef=None):
        self.sums, self.alpha, self.center = sums, alpha, center
        self.weight = sums.weight
        if coef is not None:
            self._solved = self._described(sums.centred(center), coef)

    def solved(self):
        """Solve now rather than when it is first asked for.

        Returns
        -------
        PrimalSolution
            Itself.
        """
        _ = self._solved
        return self

    @cached_property
    def _solved(self):
        centred = self.sums.centred(self.center)
        return self._described(centred, solve(centred, self.alpha))

    def _described(self, centred, coef):
        """Coefficients, intercepts and squares left."""
        # At the solution its squares need no matrix: A w = B - alpha w.
        explained = np.einsum("ij,ij->j", coef, centred.products + self.alpha * coef)
        left = np.maximum(centred.y_squares - explained, 0.0)
        return coef, centred.intercept(coef), left

    @property
    def coef(self):
        return self._solved[0]

    @property
    def intercept(self):
        return self._solved[1]

    @property
    def residual(self):
        return self._solved[2]

    @cached_property
    def freedom(self):
        squares = self.sums.centred(self.center).squares
        k, least = len(squares), least_eigenvalue(squares.diagonal())
        degrees, spectrum = np.empty_like(self.alpha), None
        for value in np.unique(self.alpha):
            factor = factorised(squares, value) if value > least else None
            if factor is not None:
                found = k - value * trace_of_inverse(factor)
            else:
                spectrum = decompose(squares)[0] if spectrum is None else spectrum
                kept = spectrum[spectrum > least_eigenvalue(spectrum)]
                found = (kept / (kept + value)).sum()
            degrees[self.alpha == value] = found
        return degrees
