"""Ordinal losses over rows: sums of weighted values, derivatives and gaps.

Arrays are C-contiguous float64, of one length and distinct; weights are positive.
Everything written is multiplied by the row's weight.
"""

from skloss._jit import kernel
from skloss.losses._adjacent import (
    adjacent_derivatives,
    adjacent_gaps,
    adjacent_value,
)
from skloss.losses._gap_sums import interval_gap_sum, lower_gap_sum, upper_gap_sum
from skloss.losses.links import cdf, survival
from skloss.losses.ordinal import (
    between,
    gap_barrier,
    interval,
    lower,
    upper,
)
from skloss.losses.ordinal import interval_value as row_value

__all__ = [
    "adjacent_derivatives",
    "adjacent_gaps",
    "adjacent_value",
    "barrier_derivatives",
    "barrier_value",
    "class_probabilities",
    "interval_derivatives",
    "interval_gaps",
    "interval_value",
    "lower_derivatives",
    "lower_gaps",
    "lower_value",
    "survivals",
    "upper_derivatives",
    "upper_gaps",
    "upper_value",
]

# Sums may be reordered: that is what lets the loops vectorise.
_SUM = {"reassoc", "contract", "nsz"}


@kernel(fastmath=_SUM)
def interval_value(link, a, b, weight):
    """Sum the weighted values of `ordinal.interval`.

    Parameters
    ----------
    link : named tuple
        The link.
    a, b, weight : ndarray of shape (n,)
        Scores below and above, weights.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(a.size):
        total += weight[i] * row_value(link, a[i], b[i])
    return total


@kernel(fastmath=_SUM)
def interval_derivatives(link, a, b, weight, ga, gb, haa, hbb, hab):
    """Sum the weighted values of `ordinal.interval` and write what it derives.

    Parameters
    ----------
    link : named tuple
        The link.
    a, b, weight : ndarray of shape (n,)
        Scores below and above, weights.
    ga, gb, haa, hbb, hab : ndarray of shape (n,)
        Filled with the weighted derivatives and curvatures.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(a.size):
        w = weight[i]
        value, da, db, aa, bb, ab = interval(link, a[i], b[i])
        total += w * value
        ga[i], gb[i] = w * da, w * db
        haa[i], hbb[i], hab[i] = w * aa, w * bb, w * ab
    return total


@kernel
def interval_gaps(link, a, b, weight, s):
    """Sum the weighted gaps of `ordinal.interval_gap`.

    Parameters
    ----------
    link : named tuple
        The link.
    a, b, weight : ndarray of shape (n,)
        Scores below and above, weights.
    s : float
        Factor of the gradients, from 0 to 1.

    Returns
    -------
    float
    """
    return interval_gap_sum(link, a, b, weight, s)


@kernel(fastmath=_SUM)
def lower_value(link, b, weight):
    """Sum the weighted values of `ordinal.lower`.

    Parameters
    ----------
    link : named tuple
        The link.
    b, weight : ndarray of shape (n,)
        Scores and weights.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(b.size):
        total += weight[i] * lower(link, b[i])[0]
    return total


@kernel(fastmath=_SUM)
def lower_derivatives(link, b, weight, g, h):
    """Sum the weighted values of `ordinal.lower` and write what it derives.

    Parameters
    ----------
    link : named tuple
        The link.
    b, weight : ndarray of shape (n,)
        Scores and weights.
    g, h : ndarray of shape (n,)
        Filled with the weighted derivatives and curvatures.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(b.size):
        value, slope, curvature = lower(link, b[i])
        total += weight[i] * value
        g[i], h[i] = weight[i] * slope, weight[i] * curvature
    return total


@kernel
def lower_gaps(link, b, weight, s):
    """Sum the weighted gaps of `ordinal.lower_gap`.

    Parameters
    ----------
    link : named tuple
        The link.
    b, weight : ndarray of shape (n,)
        Scores and weights.
    s : float
        Factor of the gradients, from 0 to 1.

    Returns
    -------
    float
    """
    return lower_gap_sum(link, b, weight, s)


@kernel(fastmath=_SUM)
def upper_value(link, a, weight):
    """Sum the weighted values of `ordinal.upper`.

    Parameters
    ----------
    link : named tuple
        The link.
    a, weight : ndarray of shape (n,)
        Scores and weights.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(a.size):
        total += weight[i] * upper(link, a[i])[0]
    return total


@kernel(fastmath=_SUM)
def upper_derivatives(link, a, weight, g, h):
    """Sum the weighted values of `ordinal.upper` and write what it derives.

    Parameters
    ----------
    link : named tuple
        The link.
    a, weight : ndarray of shape (n,)
        Scores and weights.
    g, h : ndarray of shape (n,)
        Filled with the weighted derivatives and curvatures.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(a.size):
        value, slope, curvature = upper(link, a[i])
        total += weight[i] * value
        g[i], h[i] = weight[i] * slope, weight[i] * curvature
    return total


@kernel
def upper_gaps(link, a, weight, s):
    """Sum the weighted gaps of `ordinal.upper_gap`.

    Parameters
    ----------
    link : named tuple
        The link.
    a, weight : ndarray of shape (n,)
        Scores and weights.
    s : float
        Factor of the gradients, from 0 to 1.

    Returns
    -------
    float
    """
    return upper_gap_sum(link, a, weight, s)


@kernel(fastmath=_SUM)
def barrier_value(t, weight):
    """Sum the weighted values of `ordinal.gap_barrier`.

    Parameters
    ----------
    t, weight : ndarray of shape (n,)
        Gaps and weights.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(t.size):
        total += weight[i] * gap_barrier(t[i])[0]
    return total


@kernel(fastmath=_SUM)
def barrier_derivatives(t, weight, g, h):
    """Sum the weighted values of `ordinal.gap_barrier` and write what it derives.

    Parameters
    ----------
    t, weight : ndarray of shape (n,)
        Gaps and weights.
    g, h : ndarray of shape (n,)
        Filled with the weighted derivatives and curvatures.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(t.size):
        value, slope, curvature = gap_barrier(t[i])
        total += weight[i] * value
        g[i], h[i] = weight[i] * slope, weight[i] * curvature
    return total


@kernel
def class_probabilities(link, eta, out):
    """Probabilities of the classes, negative where scores cross.

    Parameters
    ----------
    link : named tuple
        The link.
    eta : ndarray of shape (n, m)
        Scores of the thresholds, C-contiguous.
    out : ndarray of shape (n, m + 1)
        Filled with F(eta_k) - F(eta_{k-1}), F being 0 before the first score and 1
        after the last; C-contiguous.

    Returns
    -------
    None
        The result is in `out`.
    """
    n, m = eta.shape
    for i in range(n):
        out[i, 0] = cdf(link, eta[i, 0])
        for k in range(1, m):
            a, b = eta[i, k - 1], eta[i, k]
            p = between(link, min(a, b), max(a, b))
            out[i, k] = p if a <= b else -p
        out[i, m] = survival(link, eta[i, m - 1])


@kernel
def survivals(link, eta, out):
    """Probabilities 1 - F(eta) of exceeding each threshold.

    Parameters
    ----------
    link : named tuple
        The link.
    eta : ndarray of shape (n, m)
        Scores of the thresholds, C-contiguous.
    out : ndarray of shape (n, m)
        Filled with the probabilities; C-contiguous.

    Returns
    -------
    None
        The result is in `out`.
    """
    for i in range(eta.shape[0]):
        for k in range(eta.shape[1]):
            out[i, k] = survival(link, eta[i, k])
