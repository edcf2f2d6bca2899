"""Scores of a linear classifier, and what predictions make of them.

A product with few columns is bound by reading X, and BLAS does it in several passes
over small panels: one compiled pass that centres and multiplies each row while it is
in the first-level cache takes about two thirds of the time. With many classes, BLAS
is the faster one.
"""

import numpy as np

from skloss._blocks import rows_per_block
from skloss._jit import kernel
from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import as_kernel_array

__all__ = ["FEW_CLASSES", "centered_scores", "log_softmax", "row_argmax", "softmax"]

FEW_CLASSES = 16  # up to here the compiled pass wins


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

    n_threads = threads_for(blocks.n_bytes) if few else 1  # BLAS has its own threads
    map_row_blocks(score, blocks.n_rows, rows_per_block(blocks.n_columns), n_threads)
    return out


def _score_rows_by_blas(X, center, coef, intercept, out):
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


@kernel
def row_argmax(scores):
    """Return the column of the first largest score of each row.

    NumPy's reductions along short rows take ten times as long.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores.

    Returns
    -------
    ndarray of shape (n_samples,), intp
    """
    out = np.empty(len(scores), np.intp)
    for i in range(len(scores)):
        best, at = scores[i, 0], 0
        for k in range(1, scores.shape[1]):
            if scores[i, k] > best:
                best, at = scores[i, k], k
        out[i] = at
    return out


def softmax(scores):
    """Turn scores into probabilities, in place.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores; each row holds a finite one.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        `scores`.
    """
    _subtract_row_max(scores)
    np.exp(scores, out=scores)
    _divide_by_row_sum(scores)
    return scores


def log_softmax(scores):
    """Turn scores into log-probabilities, in place.

    Parameters
    ----------
    scores : ndarray of shape (n_samples, n_classes)
        Scores; each row holds a finite one.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        `scores`.
    """
    _subtract_row_max(scores)
    scores -= np.log(np.exp(scores).sum(axis=1, keepdims=True))
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
