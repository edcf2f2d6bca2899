"""Passes over the data: scores, gradients and Hessian products of softmax regression.

Every pass reads the design once, block by block, and keeps a block's scores in cache
between the steps. Sums over rows are float64 whatever the dtype of the blocks.
"""

import numpy as np

from skloss._jit import kernel
from skloss.linear_eval._design import (
    accumulate,
    arrange,
    collect,
    scores,
    workspace,
)
from skloss.losses.softmax_blocks import (
    BLOCK_ROWS,
    copy_block,
    fisher_weighting,
    residuals,
    softmax,
)

__all__ = [
    "column_sums",
    "evaluate",
    "gradient",
    "hessian_product",
    "move",
    "score_changes",
    "shift",
]


@kernel
def evaluate(design, first, last, T, labels, weights, reference, S, P, G):
    """Loss of some rows at the parameters `T`, with all that follows from it.

    Parameters
    ----------
    design : Columns or SparseRows
        Consecutive rows of the data in float64.
    first, last : int
        Which rows of the arrays below they are, `last` excluded.
    T : ndarray of shape (K, p + 1), float64
        Parameters.
    labels, weights, reference
        As in `softmax_blocks.softmax`.
    S : ndarray of shape (K, n), float64
        The rows' scores are filled in.
    P : ndarray of shape (K, n)
        The rows' probabilities are filled in.
    G : ndarray of shape (K, p + 1), float64
        Filled with the rows' gradient of the loss.

    Returns
    -------
    float
    """
    n_classes = P.shape[0]
    n_rows = last - first
    work = workspace(design, T)
    arranged = arrange(design, T)
    sums = np.zeros(arranged.shape)
    E = np.empty((n_classes, BLOCK_ROWS))
    B = np.empty((n_classes, BLOCK_ROWS))
    top = np.empty(BLOCK_ROWS)
    total = np.empty(BLOCK_ROWS)
    loss = 0.0
    for start in range(0, n_rows, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_rows)
        size = stop - start
        y = labels[first + start : first + stop]
        w = weights[first + start : first + stop]
        scores(design, arranged, start, stop, work, B)
        copy_block(B, 0, S, first + start, size)
        loss += softmax(B, 0, size, y, w, reference, E, top, total, B)
        copy_block(B, 0, P, first + start, size)
        residuals(B, 0, size, y, w, E)
        accumulate(design, E, start, stop, work, sums)
    collect(design, sums, G)
    return loss


@kernel
def gradient(design, P, labels, weights, G):
    """Fill `G` with the gradient of the loss at the probabilities `P`."""
    n_classes, n_samples = P.shape
    T = np.zeros(G.shape, P.dtype)
    work = workspace(design, T)
    sums = np.zeros(arrange(design, T).shape)
    R = np.empty((n_classes, BLOCK_ROWS), P.dtype)
    for start in range(0, n_samples, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_samples)
        residuals(P, start, stop, labels, weights, R)
        accumulate(design, R, start, stop, work, sums)
    collect(design, sums, G)


@kernel
def hessian_product(design, V, P, weights, out):
    """Fill `out` with the Hessian of the loss at `P` applied to `V`."""
    n_classes, n_samples = P.shape
    work = workspace(design, V)
    arranged = arrange(design, V)
    sums = np.zeros(arranged.shape)
    Z = np.empty((n_classes, BLOCK_ROWS), P.dtype)
    mean = np.empty(BLOCK_ROWS, P.dtype)
    for start in range(0, n_samples, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_samples)
        scores(design, arranged, start, stop, work, Z)
        fisher_weighting(P, start, stop, weights, mean, Z)
        accumulate(design, Z, start, stop, work, sums)
    collect(design, sums, out)


@kernel
def score_changes(design, V, Z):
    """Fill `Z` (K, n) with the scores of all rows under the parameters `V`."""
    n_classes, n_samples = Z.shape
    work = workspace(design, V)
    arranged = arrange(design, V)
    B = np.empty((n_classes, BLOCK_ROWS), V.dtype)
    for start in range(0, n_samples, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_samples)
        scores(design, arranged, start, stop, work, B)
        copy_block(B, 0, Z, start, stop - start)


@kernel
def move(S, Z, step, labels, weights, reference, P):
    """Add ``step * Z`` to the scores, refresh `P` and return the loss."""
    n_classes, n_samples = S.shape
    E = np.empty((n_classes, BLOCK_ROWS))
    top = np.empty(BLOCK_ROWS)
    total = np.empty(BLOCK_ROWS)
    loss = 0.0
    for start in range(0, n_samples, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_samples)
        for k in range(n_classes):
            s = S[k, start:stop]
            z = Z[k, start:stop]
            for i in range(stop - start):
                s[i] += step * z[i]
        loss += softmax(S, start, stop, labels, weights, reference, E, top, total, P)
    return loss


@kernel
def shift(S, change, labels, weights, reference, totals):
    """Add `change` (K,) to all rows' scores; return the loss there.

    `totals` (K,) is filled with the column sums of the residuals, the gradient of the
    loss in the intercepts.
    """
    n_classes, n_samples = S.shape
    E = np.empty((n_classes, BLOCK_ROWS))
    B = np.empty((n_classes, BLOCK_ROWS))
    top = np.empty(BLOCK_ROWS)
    total = np.empty(BLOCK_ROWS)
    loss = 0.0
    totals[:] = 0.0
    for start in range(0, n_samples, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_samples)
        size = stop - start
        y = labels[start:stop]
        w = weights[start:stop]
        for k in range(n_classes):
            s = S[k, start:stop]
            for i in range(size):
                s[i] += change[k]
                B[k, i] = s[i]
        loss += softmax(B, 0, size, y, w, reference, E, top, total, B)
        residuals(B, 0, size, y, w, E)
        for k in range(n_classes):
            for i in range(size):
                totals[k] += E[k, i]
    return loss


@kernel
def column_sums(design, R, out):
    """Fill `out` (K, p + 1) with ``R [X̃, 1]``, for designs stored standardised."""
    n_classes, n_samples = R.shape
    T = np.zeros(out.shape, R.dtype)
    work = workspace(design, T)
    sums = np.zeros(arrange(design, T).shape)
    B = np.empty((n_classes, BLOCK_ROWS), R.dtype)
    for start in range(0, n_samples, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n_samples)
        copy_block(R, start, B, 0, stop - start)
        accumulate(design, B, start, stop, work, sums)
    collect(design, sums, out)
