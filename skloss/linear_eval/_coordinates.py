"""The coordinates in which softmax regression is solved, and the way back."""

import numpy as np

from skloss._linear_scores import LinearScores
from skloss.linear_eval._rotation import rotate, worth_rotating
from skloss.linear_eval._standardise import standardise

__all__ = ["Coordinates"]


class Coordinates:
    """Standardised columns, after a rotation into the span of the rows if X is wide.

    Outside stand scores with coefficients (K, p) for the columns of X; inside,
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

    @property
    def center(self):
        """Mean of the rows of X (p,); zero without an intercept."""
        return self.data.center if self._rotation is None else self._rotation.center

    def outside(self, T):
        """Scores of the columns of X, in float64."""
        coef = T[:, :-1] * self.data.scale
        intercept = T[:, -1].copy() if self.fit_intercept else np.zeros(len(T))
        if self._rotation is not None:
            # The mean of the rotated rows is zero but for rounding.
            intercept -= coef @ self.data.center
            coef = coef @ self._rotation.basis.T
        if len(T) > 1:  # rounding apart, they have no mean over the classes already
            coef -= coef.mean(axis=0)
            intercept -= intercept.mean()
        return LinearScores(coef, intercept, self.center)

    def inside(self, scores):
        """Parameters of the solver with the same decision function."""
        coef = scores.coef.astype(np.float64)
        intercept = scores.intercept + coef @ (self.center - scores.center)
        if self._rotation is not None:
            coef = coef @ self._rotation.basis
            intercept += coef @ self.data.center
        T = np.zeros((len(coef), self.n_features + 1))
        np.divide(coef, self.data.scale, out=T[:, :-1], where=self.data.used)
        if self.fit_intercept:
            T[:, -1] = intercept
        return T
