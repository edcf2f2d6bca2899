"""What the fitted sparse regressors share: coefficients, predictions, support."""

from types import SimpleNamespace

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._fitted_scores import attributes_of, fitted_scores, rounded
from skloss._linear_scores import LinearScores, refuse_overflow, score_rows
from skloss._validation import scores_dtype

__all__ = ["SparseLinear"]


class SparseLinear(RegressorMixin):
    """A linear regressor of which most coefficients are zero."""

    def predict(self, X):
        """Predict the target.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Predictions, in float32 if both X and the coefficients are.
        """
        check_is_fitted(self)
        X = validate_data(
            self,
            X,
            reset=False,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
        )
        dtype = scores_dtype(X, self.coef_)
        out = score_rows(X, self._scores(), dtype)[:, 0]
        refuse_overflow(out)
        return out

    def get_support(self, indices=False):
        """Return which features the model uses.

        Parameters
        ----------
        indices : bool, default=False
            Whether to return positions instead of a mask.

        Returns
        -------
        ndarray
            Of shape (n_features,) and bool, or the sorted positions of the nonzero
            coefficients.
        """
        check_is_fitted(self)
        mask = self.coef_ != 0
        return np.flatnonzero(mask) if indices else mask

    def _keep_scores(self, coef, at_center, center, dtype):
        """Keep coefficients as fitted attributes.

        Parameters
        ----------
        coef : ndarray of shape (n_features,)
            Coefficients, float64.
        at_center : float
            Prediction at the center.
        center : ndarray of shape (n_features,)
            A point near the data, from which they are measured.
        dtype : numpy dtype
            Of the coefficients.
        """
        scores = LinearScores(coef[None], np.array([at_center], dtype=float), center)
        kept = attributes_of(rounded(scores, dtype))
        self.coef_ = kept["coef_"][0]
        self.intercept_ = kept["intercept_"][0]
        self._center = kept["_center"]
        self._centered_intercept = kept["_centered_intercept"]

    def _scores(self):
        """Scores that the public attributes stand for."""
        public = SimpleNamespace(
            coef_=np.asarray(self.coef_)[None],
            intercept_=np.atleast_1d(self.intercept_),
        )
        if hasattr(self, "_center"):
            public._center = self._center
            public._centered_intercept = self._centered_intercept
        return fitted_scores(public)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
