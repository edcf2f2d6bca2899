"""Predictions that all ordinal classifiers share."""

import numpy as np
from scipy.sparse import issparse
from sklearn.base import ClassifierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._fitted_scores import fitted_scores
from skloss._linear_scores import refuse_overflow, score_rows
from skloss.losses.links import get_link
from skloss.ordinal._probabilities import (
    class_log_probabilities,
    class_probability_rows,
    cumulative_rows,
    log_odds,
)
from skloss.ordinal._repair import absolute_errors, decide

__all__ = ["OrdinalPredictionsMixin"]


class OrdinalPredictionsMixin(ClassifierMixin):
    """Predictions from one score for each threshold.

    A subclass has ``classes_``, ``coef_``, ``intercept_``, the parameters `link` and
    `decision`, and ``_likelihood()``, the keywords of its family.
    """

    def _threshold_scores(self, X):
        """Scores of "y > k" (n, m) in float64, and the dtype of what is returned."""
        check_is_fitted(self)
        return self._scores_of(validate_data(self, X, accept_sparse="csr", reset=False))

    def _scores_of(self, X):
        """`_threshold_scores` of validated rows."""
        scores = fitted_scores(self)
        m = len(self.classes_) - 1
        if len(scores.coef) != m:  # one row for all thresholds
            coef = np.broadcast_to(scores.coef, (m, scores.coef.shape[1]))
            scores = scores._replace(coef=np.ascontiguousarray(coef))
        g = score_rows(X, scores, np.float64)
        refuse_overflow(g)
        # With an ordering float64 coefficients are no sign of float64 data.
        ordered = getattr(self, "ordering", "observed") != "observed"
        single = ordered or self.coef_.dtype == np.float32
        return g, X.dtype if single and X.dtype == np.float32 else np.float64

    def _probabilities(self, X):
        g, dtype = self._threshold_scores(X)
        how = getattr(self, "repair", "isotonic")
        return class_probability_rows(g, **self._likelihood(), how=how), dtype

    def predict(self, X):
        """Predict a class for each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,)
            With ``decision="mode"`` the most probable class, with "median" the class
            in which the cumulative probability reaches one half, which has the least
            expected absolute error.
        """
        probabilities, _ = self._probabilities(X)
        return self.classes_[decide(probabilities, self.decision)]

    def predict_proba(self, X):
        """Compute class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; not negative, rows summing to 1.
        """
        probabilities, dtype = self._probabilities(X)
        return probabilities.astype(dtype, copy=False)

    def predict_log_proba(self, X):
        """Compute the logarithms of the class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; -inf where a probability is zero.
        """
        likelihood = self._likelihood()
        if likelihood["family"] != "cumulative":
            g, dtype = self._threshold_scores(X)
            logs = class_log_probabilities(g, **likelihood)
        else:
            probabilities, dtype = self._probabilities(X)
            with np.errstate(divide="ignore"):
                logs = np.log(probabilities)
        if dtype == np.float32:  # what `predict_proba` rounds to 1 is 0 here
            logs[np.exp(logs).astype(dtype) == 1] = 0.0
        with np.errstate(over="ignore"):
            return logs.astype(dtype, copy=False)

    def predict_cumulative(self, X):
        """Compute the probability of exceeding each class but the last.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes - 1)
            P(y > k) as each threshold says: not repaired where they are out of order.
        """
        g, dtype = self._threshold_scores(X)
        return cumulative_rows(g, **self._likelihood()).astype(dtype, copy=False)

    def decision_function(self, X):
        """Compute scores of the classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            For two classes the score of the second (its log-odds where the link is
            not symmetric); else the log-probabilities, or with ``decision="median"``
            the negative expected absolute errors, in numbers of classes.
        """
        check_is_fitted(self)
        if len(self.classes_) > 2 and self.decision == "median":
            probabilities, dtype = self._probabilities(X)
            return -absolute_errors(probabilities).astype(dtype, copy=False)
        if len(self.classes_) > 2:
            return self.predict_log_proba(X)
        g, dtype = self._threshold_scores(X)
        if not get_link(self.link).symmetric:  # a score of 0 is not even odds then
            g = log_odds(g, **self._likelihood())
        return g.ravel().astype(dtype, copy=False)

    @property
    def thresholds_(self):
        """Negative of `intercept_`, as other software writes the model."""
        return -self.intercept_

    @property
    def differences_(self):
        """Weights of each threshold less those of the one before it; first as is."""
        coef = self.coef_.toarray() if issparse(self.coef_) else self.coef_
        return np.diff(coef, axis=0, prepend=np.zeros((1, coef.shape[1]), coef.dtype))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
