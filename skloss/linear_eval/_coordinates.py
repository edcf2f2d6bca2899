"""The coordinates in which softmax regression is solved, and the way back."""

import numpy as np

from skloss.linear_eval._rotation import rotate, worth_rotating
from skloss.linear_eval._standardise import standardise

__all__ = ["Coordinates"]


class Coordinates:
    """Standardised columns, after a rotation into the span of the rows if X is wide.

    Outside stand coefficients (K, p) and intercepts (K,) for the columns of X; inside,
    parameters (K, q + 1) for the columns that the solver sees, intercepts last.

    Parameters
    ----------
    X : C-contiguous ndarray or CSR matrix of shape (n, p)
        Data.
    weights : ndarray of shape (n,), float64
        Weights of the rows, summing to 1.
    penalty : float
        λ, the weight of the squared coefficients outside.
    fit_intercept : bool
        Whether intercepts absorb the columns' means.
    dtype : dtype
        Precision of the solver's copy.

    Attributes
    ----------
    data : Standardised
        The data inside.
    """

    def __init__(self, X, weights, *, penalty, fit_intercept, dtype):
        self._rotation = None
        if worth_rotating(X):
            self._rotation = rotate(X, weights, center=fit_intercept)
            X = self._rotation.X
        self.data = standardise(
            X, weights, penalty=penalty, center=fit_intercept, dtype=dtype
        )
        self.fit_intercept = fit_intercept

    @property
    def n_features(self):
        """Number of columns inside."""
        return len(self.data.scale)

    def outside(self, T):
        """Coefficients and intercepts for the columns of X."""
        coef = T[:, :-1] * self.data.scale
        if not self.fit_intercept:
            intercept = np.zeros(len(T))
        else:
            intercept = T[:, -1] - coef @ self.data.center
        if self._rotation is not None:
            coef = coef @ self._rotation.basis.T
            intercept -= coef @ self._rotation.center
        if len(T) > 1:  # rounding apart, they have no mean over the classes already
            coef -= coef.mean(axis=0)
            intercept -= intercept.mean()
        return coef, intercept

    def inside(self, coef, intercept):
        """Parameters of the solver with the same decision function."""
        if self._rotation is not None:
            intercept = intercept + coef @ self._rotation.center
            coef = coef @ self._rotation.basis
        T = np.zeros((len(coef), self.n_features + 1))
        np.divide(coef, self.data.scale, out=T[:, :-1], where=self.data.used)
        if self.fit_intercept:
            T[:, -1] = intercept + coef @ self.data.center
        return T
