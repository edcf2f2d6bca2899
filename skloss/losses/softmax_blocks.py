"""Softmax cross-entropy on blocks of rows, with the classes along the first axis.

Scores are stored class-major, (K, n): every operation then runs along the rows of
the data, however few classes there are, and vectorises. A block is a range of
columns ``start:stop`` of at most `BLOCK_ROWS`, so that its scores stay in the
first-level cache between the steps.

With ``reference=True`` one further class, whose score is zero in every row, takes
part in the softmax without being stored. Its rows carry the label -1. One stored
class and a reference class make the binomial loss.
"""

import numpy as np

from skloss._elementary import exp, log
from skloss._jit import kernel

__all__ = [
    "BLOCK_ROWS",
    "class_information",
    "copy_block",
    "fisher_weighting",
    "informativeness",
    "residuals",
    "softmax",
]

BLOCK_ROWS = 512
SUMS = {"reassoc", "contract", "arcp", "nsz"}


@kernel(fastmath=SUMS)
def softmax(S, start, stop, labels, weights, reference, E, top, total, P):
    """Probabilities and weighted cross-entropy of one block.

    Parameters
    ----------
    S : ndarray of shape (K, n), float64
        Scores.
    start, stop : int
        The block.
    labels : ndarray of shape (n,), intp
        Class of each row, -1 for the reference class.
    weights : ndarray of shape (n,), float64
        Weight of each row.
    reference : bool
        Whether a class with score zero takes part.
    E : ndarray of shape (K, BLOCK_ROWS), float64
        Workspace.
    top, total : ndarray of shape (BLOCK_ROWS,), float64
        Workspace.
    P : ndarray of shape (K, n)
        Filled with the probabilities of the block.

    Returns
    -------
    float
        Sum over the block of weight times cross-entropy.
    """
    n_classes = S.shape[0]
    size = stop - start
    top = top[:size]
    total = total[:size]
    unstored = 0.0 if reference else -np.inf
    for i in range(size):
        top[i] = unstored
    for k in range(n_classes):
        s = S[k, start:stop]
        for i in range(size):
            top[i] = max(top[i], s[i])
    for i in range(size):
        total[i] = exp(unstored - top[i])
    for k in range(n_classes):
        s = S[k, start:stop]
        e = E[k, :size]
        for i in range(size):
            value = exp(s[i] - top[i])
            e[i] = value
            total[i] += value
    loss = 0.0
    for i in range(size):
        y = labels[start + i]
        picked = S[y, start + i] if y >= 0 else 0.0
        top[i] -= picked
    w = weights[start:stop]
    for i in range(size):
        loss += w[i] * (log(total[i]) + top[i])
        total[i] = 1.0 / total[i]
    for k in range(n_classes):
        e = E[k, :size]
        p = P[k, start:stop]
        for i in range(size):
            p[i] = e[i] * total[i]
    return loss


@kernel
def copy_block(source, source_start, target, target_start, size):
    """Copy columns of one class-major array into another."""
    for k in range(source.shape[0]):
        s = source[k, source_start : source_start + size]
        t = target[k, target_start : target_start + size]
        for i in range(size):
            t[i] = s[i]


@kernel(fastmath=SUMS)
def residuals(P, start, stop, labels, weights, R):
    """Fill `R` with weight times (probability - indicator of the label)."""
    size = stop - start
    w = weights[start:stop]
    for k in range(P.shape[0]):
        p = P[k, start:stop]
        r = R[k, :size]
        for i in range(size):
            r[i] = w[i] * p[i]
    for i in range(size):
        y = labels[start + i]
        if y >= 0:
            R[y, i] -= w[i]


@kernel(fastmath=SUMS)
def fisher_weighting(P, start, stop, weights, mean, Z):
    """Replace changes of the scores `Z` by the changes of the residuals.

    Row i becomes ``w_i (diag(P_i) - P_i P_iᵀ) Z_i``, the Fisher information of the
    row's class distribution applied to it.
    """
    n_classes = P.shape[0]
    size = stop - start
    mean = mean[:size]
    w = weights[start:stop]
    mean[:] = 0.0
    for k in range(n_classes):
        p = P[k, start:stop]
        z = Z[k, :size]
        for i in range(size):
            mean[i] += p[i] * z[i]
    for k in range(n_classes):
        p = P[k, start:stop]
        z = Z[k, :size]
        for i in range(size):
            z[i] = w[i] * p[i] * (z[i] - mean[i])


@kernel(fastmath=SUMS)
def informativeness(P, weights, reference, out):
    """Fill `out` (n,) with weight times ``1 - Σ_k P_ik²``, the reference included."""
    n = out.shape[0]
    one = out.dtype.type(1)
    for start in range(0, n, BLOCK_ROWS):
        stop = min(start + BLOCK_ROWS, n)
        size = stop - start
        o = out[start:stop]
        w = weights[start:stop]
        if reference:
            p = P[0, start:stop]
            for i in range(size):
                o[i] = one - (one - p[i]) * (one - p[i])
        else:
            o[:] = one
        for k in range(P.shape[0]):
            p = P[k, start:stop]
            for i in range(size):
                o[i] -= p[i] * p[i]
        for i in range(size):
            o[i] *= w[i]


def class_information(P, weights, reference):
    """Weighted sum over rows of ``diag(P_i) - P_i P_iᵀ``.

    The diagonal is summed from products of probabilities, never as a difference:
    the result stays positive semi-definite when the probabilities are near 0 and 1.

    Parameters
    ----------
    P : ndarray of shape (K, n)
        Probabilities.
    weights : ndarray of shape (n,)
        Weights, of the same dtype.
    reference : bool
        Whether a class that is not stored takes part.

    Returns
    -------
    ndarray of shape (K, K), float64
    """
    weighted = P * weights
    information = -(weighted @ P.T).astype(np.float64)
    diagonal = information.reshape(-1)[:: P.shape[0] + 1]
    diagonal[:] = 0.0
    diagonal[:] = -information.sum(axis=1)
    if reference:
        diagonal += weighted @ (1 - P.sum(axis=0))
    return information
