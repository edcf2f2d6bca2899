"""Sums of Bregman gaps over rows; those of the logit in loops that vectorise.

A sum needs each gap to a small share of its row's loss only, not of itself: the
definition loss(z) - loss(z') - s grad.(z - z') then serves as it is. For the logit z'
is known in closed form, see `_ordinal_gaps.logit_interval_gap`.
"""

from math import sqrt

from skloss._elementary import exp, expm1, log, log1p, softplus_sigmoid
from skloss._jit import dispatched, kernel
from skloss.losses.links import Logit
from skloss.losses.ordinal import interval_gap, lower_gap, upper_gap

__all__ = ["interval_gap_sum", "lower_gap_sum", "upper_gap_sum"]

_SUM = {"reassoc", "contract", "nsz"}
# Below this distance of two scores z' is too far from z beside it.
_NARROW = 0.02


@kernel(fastmath=_SUM)
def _logit_end_sum(b, weight, s, sign):
    """Sum the gaps of ``softplus(-sign * b)``, for s above 0.

    Parameters
    ----------
    b, weight : ndarray of shape (n,)
        Scores and weights.
    s : float
        Factor of the gradients.
    sign : float
        1 for the lowest class, -1 for the highest.

    Returns
    -------
    float
    """
    log_s = log(s)
    total = 0.0
    for i in range(b.size):
        loss, p = softplus_sigmoid(-sign * b[i])
        p *= s
        total += weight[i] * max((1.0 - p) * (loss + log1p(-p)) + p * log_s, 0.0)
    return total


@kernel(fastmath=_SUM)
def _logit_interval_sum(a, b, weight, s):
    """Sum the gaps of ``softplus(a) + softplus(-b) - log(1 - exp(a - b))``.

    Parameters
    ----------
    a, b, weight : ndarray of shape (n,)
        Scores below and above, weights.
    s : float
        Factor of the gradients, above 0.

    Returns
    -------
    float
    """
    total = 0.0
    for i in range(a.size):
        total += weight[i] * _wide_gap(a[i], b[i], s)
    for i in range(a.size):
        if not b[i] - a[i] >= _NARROW:
            total += weight[i] * interval_gap(Logit(), a[i], b[i], s)
    return total


@kernel(fastmath=_SUM | {"arcp"}, forceinline=True)
def _wide_gap(a, b, s):
    """Gap of scores that are not close; 0 for those that are."""
    wide = b - a >= _NARROW
    t = b - a if wide else 1.0
    # Far out gradients underflow, and the gap with them.
    a, b = max(a, -600.0), min(b, 600.0)
    loss_a, p1 = softplus_sigmoid(a)
    loss_b, p3 = softplus_sigmoid(-b)
    not_p1, not_p3 = exp(-loss_a), exp(-loss_b)
    z = exp(-min(t, 600.0))
    one_less_z = -expm1(-min(t, 600.0))
    q = z / one_less_z
    u, w = s * (p1 + q), s * (p3 + q)
    uw = s * s * q * (1.0 + q)
    root = sqrt(1.0 + 4.0 * uw)
    log_q = log(2.0 * uw / (1.0 + root))
    rest = 1.0 - s
    log_p1 = log(2.0 * u * (rest + s * (p1 + not_p3)) / (1.0 + 2.0 * u + root))
    log_p3 = log(2.0 * w * (rest + s * (not_p1 + p3)) / (1.0 + 2.0 * w + root))
    a_ = log_p1 - log_p3 + log_q - log(u)
    b_ = log_p1 - log_p3 - log_q + log(w)
    loss = loss_a + loss_b - log(one_less_z)
    loss_ = log_q - log_p1 - log_p3
    gap = loss - loss_ - u * (a - a_) + w * (b - b_)
    return max(gap, 0.0) if wide else 0.0


@dispatched
def interval_gap_sum(link, a, b, weight, s):
    """Sum the weighted gaps of `ordinal.interval_gap`."""


@interval_gap_sum.otherwise
def _(link, a, b, weight, s):
    total = 0.0
    for i in range(a.size):
        total += weight[i] * interval_gap(link, a[i], b[i], s)
    return total


@interval_gap_sum.implement(Logit)
def _(link, a, b, weight, s):
    if s > 0.0:
        return _logit_interval_sum(a, b, weight, s)
    total = 0.0
    for i in range(a.size):
        total += weight[i] * interval_gap(link, a[i], b[i], s)
    return total


@dispatched
def lower_gap_sum(link, b, weight, s):
    """Sum the weighted gaps of `ordinal.lower_gap`."""


@lower_gap_sum.otherwise
def _(link, b, weight, s):
    total = 0.0
    for i in range(b.size):
        total += weight[i] * lower_gap(link, b[i], s)
    return total


@lower_gap_sum.implement(Logit)
def _(link, b, weight, s):
    return _logit_end_sum(b, weight, max(s, 1e-300), 1.0)


@dispatched
def upper_gap_sum(link, a, weight, s):
    """Sum the weighted gaps of `ordinal.upper_gap`."""


@upper_gap_sum.otherwise
def _(link, a, weight, s):
    total = 0.0
    for i in range(a.size):
        total += weight[i] * upper_gap(link, a[i], s)
    return total


@upper_gap_sum.implement(Logit)
def _(link, a, weight, s):
    return _logit_end_sum(a, weight, max(s, 1e-300), -1.0)
