"""Scores of linear models, computed row by row near a center.

A product with few columns is bound by reading X, and BLAS does it in several passes
over small panels: one compiled pass that centres and multiplies each row while it is
in the first-level cache takes about two thirds of the time. With many columns of
scores, BLAS is the faster one.
"""

import contextlib
from typing import NamedTuple

import numpy as np

from skloss._blocks import BLOCK_BYTES, row_blocks, rows_per_block
from skloss._jit import kernel
from skloss._parallel import map_row_blocks, one_blas_thread, threads_for
from skloss._validation import as_kernel_array

__all__ = [
    "FEW_SCORES",
    "LinearScores",
    "centered_scores",
    "refuse_overflow",
    "score_rows",
]

FEW_SCORES = 16  # up to here the compiled pass wins
# Of the rows that are centred for BLAS: small beside the scores of many rows.
_BLAS_BYTES = 1 << 19


class LinearScores(NamedTuple):
    """Scores ``(x - center) @ coef.T + intercept``, float64 but for the center."""

    coef: np.ndarray  # (n_scores, n_features)
    intercept: np.ndarray  # (n_scores,)
    center: np.ndarray  # (n_features,), in the dtype of the rows


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
    coef : ndarray of shape (n_scores, n_features)
        Coefficients.
    intercept : ndarray of shape (n_scores,)
        Scores at the center.
    dtype : numpy dtype
        float32 or float64, for the arithmetic and the result.

    Returns
    -------
    ndarray of shape (n_samples, n_scores)
        Up to `FEW_SCORES`, every score of a row with nan or infinity is not finite
        (whatever the coefficients); BLAS does not promise that.
    """
    parameters = [as_kernel_array(a, dtype) for a in (center, coef, intercept)]
    few = len(coef) <= FEW_SCORES
    compute = _compiled_scores if few else _blas_scores
    out = np.empty((blocks.n_rows, len(coef)), dtype=dtype)

    def score(start, stop):
        rows = as_kernel_array(blocks.rows(start, stop), dtype)
        compute(rows, *parameters, out[start:stop])

    n_bytes, at_least = (BLOCK_BYTES, 1) if few else (_BLAS_BYTES, 64)
    block_rows = rows_per_block(blocks.n_columns, n_bytes=n_bytes, at_least=at_least)
    with contextlib.nullcontext() if few else one_blas_thread():
        map_row_blocks(score, blocks.n_rows, block_rows, threads_for(blocks.n_bytes))
    return out


def _blas_scores(X, center, coef, intercept, out):
    with one_blas_thread():  # threads run over blocks, so that results never vary
        np.matmul(X - center, coef.T, out=out)
    out += intercept


@kernel(fastmath={"reassoc", "contract"})
def _compiled_scores(X, center, coef, intercept, out):
    n_features, n_scores = X.shape[1], len(coef)
    tiled = n_scores - n_scores % 4
    centered = np.empty(n_features, X.dtype)
    zero = X.dtype.type(0)
    for i in range(len(X)):
        row, scores = X[i], out[i]
        for j in range(n_features):
            centered[j] = row[j] - center[j]
        for k in range(0, tiled, 4):  # four scores share each load of the row
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
        for k in range(tiled, n_scores):
            c0 = coef[k]
            s0 = zero
            for j in range(n_features):
                s0 += centered[j] * c0[j]
            scores[k] = s0 + intercept[k]


def score_rows(X, scores, dtype):
    """Compute the scores of the rows of X, block by block.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n_samples, n_features)
        Rows.
    scores : LinearScores
        What to compute.
    dtype : numpy dtype
        float32 or float64, of the result, and of the arithmetic on dense rows
        (`skloss._validation.scores_dtype`).

    Returns
    -------
    ndarray of shape (n_samples, n_scores)
        Infinite or nan where they overflow.
    """
    coef, intercept, center = scores
    blocks = row_blocks(X)
    with np.errstate(over="ignore", invalid="ignore"):
        if blocks.is_sparse:
            return _sparse_scores(blocks, scores, dtype)
        return centered_scores(blocks, center, coef, intercept, dtype)


def _sparse_scores(blocks, scores, dtype):
    # Zeros may be far from the center: what cancels here needs float64.
    coef, intercept, center = scores
    intercept = intercept - coef @ center
    out = np.empty((blocks.n_rows, len(coef)), dtype)
    for start, stop, rows in blocks.iterate():
        out[start:stop] = rows @ coef.T + intercept
    return out
