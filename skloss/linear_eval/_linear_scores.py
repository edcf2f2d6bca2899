"""Predictions from the scores of a linear classifier with a softmax."""

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import ClassifierMixin
from sklearn.utils import gen_batches

from skloss._jit import kernel

__all__ = ["LinearScoresMixin"]

# Rows at a time in `_log_softmax`, whose workspace is as large as they are.
_LOG_ROWS = 4096


class LinearScoresMixin(ClassifierMixin):
    """Predictions from scores whose softmax are the probabilities.

    A subclass has ``classes_`` and ``_scores(X)``, which returns new arrays: scores of
    shape (n_samples, n_classes), or for two classes the log-odds (n_samples,) of the
    second.
    """

    def predict(self, X):
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        best = _best_class(self._scores(X))  # the scores are freed here
        return self.classes_[best]

    def predict_proba(self, X):
        """Compute class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        scores = self._scores(X)
        if scores.ndim == 1:
            return np.stack([expit(-scores), expit(scores)], axis=1)
        return _softmax(scores)

    def predict_log_proba(self, X):
        """Compute the logarithms of the class probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`; accurate also where the probabilities
            underflow.
        """
        scores = self._scores(X)
        if scores.ndim == 1:
            return np.stack([log_expit(-scores), log_expit(scores)], axis=1)
        return _log_softmax(scores)


def _best_class(scores):
    """Position of the most probable class of each row."""
    return _row_argmax(scores) if scores.ndim == 2 else (scores > 0).astype(np.intp)


@kernel
def _row_argmax(scores):
    """Column of the first largest score of each row.

    NumPy's reductions along short rows take ten times as long.
    """
    out = np.empty(len(scores), np.intp)
    for i in range(len(scores)):
        best, at = scores[i, 0], 0
        for k in range(1, scores.shape[1]):
            if scores[i, k] > best:
                best, at = scores[i, k], k
        out[i] = at
    return out


def _softmax(scores):
    """Turn scores, a finite one in each row, into probabilities, in place."""
    _subtract_row_max(scores)
    np.exp(scores, out=scores)
    _divide_by_row_sum(scores)
    return scores


def _log_softmax(scores):
    """Turn scores, a finite one in each row, into log-probabilities, in place."""
    _subtract_row_max(scores)
    for rows in gen_batches(len(scores), _LOG_ROWS):
        scores[rows] -= np.log(np.exp(scores[rows]).sum(axis=1, keepdims=True))
    return scores


@kernel
def _subtract_row_max(scores):
    for i in range(len(scores)):
        row = scores[i]
        largest = row[0]
        for k in range(1, len(row)):
            largest = max(largest, row[k])
        for k in range(len(row)):
            row[k] -= largest


@kernel
def _divide_by_row_sum(values):
    for i in range(len(values)):
        row = values[i]
        total = row[0]
        for k in range(1, len(row)):
            total += row[k]
        for k in range(len(row)):
            row[k] /= total
