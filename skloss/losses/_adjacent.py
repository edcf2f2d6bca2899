"""Adjacent-categories losses over rows, for the logit link.

log P(y = k) / P(y = k + 1) = eta_k: a softmax of the scores summed from the right. All
rows of a call are of one class c; scores are taken relative to that class's, so that
nothing is lost where its probability is near 1.
"""

import numpy as np

from skloss._elementary import exp, log, log1p
from skloss._jit import kernel
from skloss.losses._ordinal_gaps import logit_lower_gap

__all__ = ["adjacent_derivatives", "adjacent_gaps", "adjacent_value"]

_BLOCK = 256  # rows whose work arrays stay in the first-level cache
_SUM = {"reassoc", "contract", "nsz"}


@kernel
def _relative_scores(S, low, size, c, E, top):
    """Write the scores less that of class c, and the largest of the others'."""
    m = S.shape[0]
    top[:size] = -np.inf
    E[c, :size] = 0.0
    for k in range(c - 1, -1, -1):
        for i in range(size):
            E[k, i] = E[k + 1, i] + S[k, low + i]
            top[i] = max(top[i], E[k, i])
    for k in range(c + 1, m + 1):
        for i in range(size):
            E[k, i] = E[k - 1, i] - S[k - 1, low + i]
            top[i] = max(top[i], E[k, i])


@kernel
def _exponentials(E, top, rest, size, c):
    """Turn scores into exponentials relative to `top`, and sum all but class c's."""
    rest[:size] = 0.0
    for k in range(E.shape[0]):
        for i in range(size):
            E[k, i] = exp(E[k, i] - top[i])
    for k in range(E.shape[0]):
        if k != c:
            for i in range(size):
                rest[i] += E[k, i]


@kernel(fastmath=_SUM)
def _block_value(weight, low, top, rest, own, size):
    total = 0.0
    for i in range(size):
        # own = exp(-top) is 1 unless another class has a larger score
        value = top[i] + log1p(rest[i] + (own[i] - 1.0))
        total += weight[low + i] * value
    return total


@kernel
def adjacent_value(S, lo, hi, c, weight):
    """Sum the weighted losses of rows of one class.

    Parameters
    ----------
    S : ndarray of shape (m, n)
        Scores eta_k of the rows, C-contiguous.
    lo, hi : int
        The rows are lo..hi-1.
    c : int
        Their class, from 0 to m.
    weight : ndarray of shape (n,)
        Weights of all n rows.

    Returns
    -------
    float
    """
    E = np.empty((S.shape[0] + 1, _BLOCK))
    top, rest = np.empty(_BLOCK), np.empty(_BLOCK)
    total = 0.0
    for low in range(lo, hi, _BLOCK):
        size = min(_BLOCK, hi - low)
        _relative_scores(S, low, size, c, E, top)
        for i in range(size):
            top[i] = max(top[i], 0.0)
        _exponentials(E, top, rest, size, c)
        total += _block_value(weight, low, top, rest, E[c], size)
    return total


@kernel
def adjacent_derivatives(S, lo, hi, c, weight, G, cumulative):
    """Sum the weighted losses of rows of one class and write their gradients.

    Parameters
    ----------
    S : ndarray of shape (m, n)
        Scores eta_k of the rows, C-contiguous.
    lo, hi : int
        The rows are lo..hi-1.
    c : int
        Their class, from 0 to m.
    weight : ndarray of shape (n,)
        Weights of all n rows.
    G : ndarray of shape (m, n)
        Columns lo..hi-1 are filled with weight * (P(y <= k) - [c <= k]).
    cumulative : ndarray of shape (m, n)
        Columns lo..hi-1 are filled with P(y <= k).

    Returns
    -------
    float
    """
    m = S.shape[0]
    E = np.empty((m + 1, _BLOCK))
    top, rest, sums = np.empty(_BLOCK), np.empty(_BLOCK), np.empty(_BLOCK)
    total = 0.0
    for low in range(lo, hi, _BLOCK):
        size = min(_BLOCK, hi - low)
        _relative_scores(S, low, size, c, E, top)
        for i in range(size):
            top[i] = max(top[i], 0.0)
        _exponentials(E, top, rest, size, c)
        total += _block_value(weight, low, top, rest, E[c], size)
        for i in range(size):
            rest[i] = 1.0 / (rest[i] + E[c, i])  # scale of the probabilities
        sums[:size] = 0.0
        for k in range(m):
            for i in range(size):
                sums[i] += E[k, i]
                cumulative[k, low + i] = sums[i] * rest[i]
        for k in range(c):
            for i in range(size):
                G[k, low + i] = weight[low + i] * cumulative[k, low + i]
        # P(y <= k) - 1 from the other end, so that it keeps its digits
        sums[:size] = 0.0
        for k in range(m - 1, c - 1, -1):
            for i in range(size):
                sums[i] += E[k + 1, i]
                G[k, low + i] = -weight[low + i] * (sums[i] * rest[i])
    return total


@kernel
def adjacent_gaps(S, lo, hi, c, weight, s):
    """Sum the weighted gaps of rows of one class.

    The gap of a row is the divergence of (1 - s) e_c + s pi from its probabilities
    pi, which is that of two classes: c, and all others together.

    Parameters
    ----------
    S : ndarray of shape (m, n)
        Scores eta_k of the rows, C-contiguous.
    lo, hi : int
        The rows are lo..hi-1.
    c : int
        Their class, from 0 to m.
    weight : ndarray of shape (n,)
        Weights of all n rows.
    s : float
        Factor of the gradients, from 0 to 1.

    Returns
    -------
    float
    """
    E = np.empty((S.shape[0] + 1, _BLOCK))
    top, rest = np.empty(_BLOCK), np.empty(_BLOCK)
    total = 0.0
    for low in range(lo, hi, _BLOCK):
        size = min(_BLOCK, hi - low)
        _relative_scores(S, low, size, c, E, top)
        _exponentials(E, top, rest, size, c)
        for i in range(size):
            log_odds = top[i] + log(rest[i])  # of all others against class c
            total += weight[low + i] * logit_lower_gap(-log_odds, s)
    return total
