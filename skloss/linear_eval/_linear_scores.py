"""Scores of a linear classifier, and what predictions make of them.

A product with few columns is bound by reading X, and BLAS does it in several passes
over small panels: one compiled pass that centres and multiplies each row while it is
in the first-level cache takes about two thirds of the time. With many classes, BLAS
is the faster one.
"""

import contextlib

import numpy as np
from scipy.special import expit, log_expit
from sklearn.base import ClassifierMixin
from sklearn.utils import gen_batches

from skloss._blocks import BLOCK_BYTES, rows_per_block
from skloss._jit import kernel
from skloss._parallel import map_row_blocks, one_blas_thread, threads_for
from skloss._validation import as_kernel_array

__all__ = ["FEW_CLASSES", "LinearScoresMixin", "centered_scores", "refuse_overflow"]

FEW_CLASSES = 16  # up to here the compiled pass wins
# Of the rows that are centred for BLAS: small beside the scores of many rows.
_BLAS_BYTES = 1 << 19
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


def refuse_overflow(scores):
    """Raise an error if scores of finite data are not finite.

    Parameters
    ----------
    scores : ndarray
        Scores.

    Raises
    ------
    ValueError
        If one is infinite or nan.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        total = scores.sum()  # finite but for a rare overflow of the sum itself
    if not (np.isfinite(total) or np.isfinite(scores).all()):
        raise ValueError(
            f"The values in X are too large: a score overflows {scores.dtype}. Divide "
            "X by a constant."
        )


def centered_scores(blocks, center, coef, intercept, dtype):
    """Compute ``(X - center) @ coef.T + intercept`` without copying X.

    Parameters
    ----------
    blocks : RowBlocks
        Dense rows of X (n_samples, n_features).
    center : ndarray of shape (n_features,)
        Point near which the scores keep their digits.
    coef : ndarray of shape (n_classes, n_features)
        Coefficients.
    intercept : ndarray of shape (n_classes,)
        Scores at the center.
    dtype : numpy dtype
        float32 or float64, for the arithmetic and the result.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Up to `FEW_CLASSES`, every score of a row with nan or infinity is not finite
        (whatever the coefficients); BLAS does not promise that.
    """
    parameters = [as_kernel_array(a, dtype) for a in (center, coef, intercept)]
    few = len(coef) <= FEW_CLASSES
    score_rows = _score_rows if few else _score_rows_by_blas
    out = np.empty((blocks.n_rows, len(coef)), dtype=dtype)

    def score(start, stop):
        rows = as_kernel_array(blocks.rows(start, stop), dtype)
        score_rows(rows, *parameters, out[start:stop])

    n_bytes, at_least = (BLOCK_BYTES, 1) if few else (_BLAS_BYTES, 64)
    block_rows = rows_per_block(blocks.n_columns, n_bytes=n_bytes, at_least=at_least)
    with contextlib.nullcontext() if few else one_blas_thread():
        map_row_blocks(score, blocks.n_rows, block_rows, threads_for(blocks.n_bytes))
    return out


def _score_rows_by_blas(X, center, coef, intercept, out):
    with one_blas_thread():  # threads run over blocks, so that results never vary
        np.matmul(X - center, coef.T, out=out)
    out += intercept


@kernel(fastmath={"reassoc", "contract"})
def _score_rows(X, center, coef, intercept, out):
    n_features, n_classes = X.shape[1], len(coef)
    tiled = n_classes - n_classes % 4
    centered = np.empty(n_features, X.dtype)
    zero = X.dtype.type(0)
    for i in range(len(X)):
        row, scores = X[i], out[i]
        for j in range(n_features):
            centered[j] = row[j] - center[j]
        for k in range(0, tiled, 4):  # four classes share each load of the row
            c0, c1, c2, c3 = coef[k], coef[k + 1], coef[k + 2], coef[k + 3]
            s0 = s1 = s2 = s3 = zero
            for j in range(n_features):
                s0 += centered[j] * c0[j]
                s1 += centered[j] * c1[j]
                s2 += centered[j] * c2[j]
                s3 += centered[j] * c3[j]
            scores[k] = s0 + intercept[k]
            scores[k + 1] = s1 + intercept[k + 1]
            scores[k + 2] = s2 + intercept[k + 2]
            scores[k + 3] = s3 + intercept[k + 3]
        for k in range(tiled, n_classes):
            c0 = coef[k]
            s0 = zero
            for j in range(n_features):
                s0 += centered[j] * c0[j]
            scores[k] = s0 + intercept[k]


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
