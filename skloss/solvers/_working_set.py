"""What solvers with separable penalties share: working sets and dual certificates."""

import math

import numpy as np

from skloss._jit import kernel
from skloss.penalties import conjugate, dual_scale, kkt_distances, value

__all__ = [
    "FREE_TOL",
    "ROUNDING",
    "dual_reach",
    "grow",
    "penalty_gap",
    "stationarity",
]

# Gradients are sums in which terms cancel; both are shares of those terms' size.
ROUNDING = 64 * np.finfo(np.float64).eps  # what rounding may leave of a zero
FREE_TOL = 1e-9  # above it, an unpenalised coordinate is not at its minimum


@kernel
def penalty_gap(penalty, x, gradient, weight):
    """Penalty's part of a duality gap, and the scaling that makes the dual feasible.

    With u = -gradient, s in [0, 1] is the largest scaling for which ``s * u`` lies in
    the domain of the penalty's conjugate, and the part is
    ``sum(Omega(x) + Omega*(s * u) - s * u * x)``: terms that are not negative
    (Fenchel-Young), hence free of cancellation. Coordinates of weight 0 must be at
    their minimum but for rounding.

    Returns
    -------
    tuple of float
        s and the part of the gap.
    """
    s = 1.0
    for j in range(x.size):
        if weight[j] > 0.0:
            s = min(s, dual_scale(penalty, -gradient[j], weight[j]))
    gap = 0.0
    for j in range(x.size):
        u = -s * gradient[j]
        if weight[j] > 0.0:
            primal = value(penalty, x[j], weight[j])
            dual = conjugate(penalty, u, weight[j])
            gap += max(primal + dual - u * x[j], 0.0)
        else:
            gap += abs(u * x[j])
    return s, gap


def stationarity(penalty, x, gradient, weight, distances):
    """Write the distances from stationarity; return the largest.

    Returns
    -------
    float
        nan if an entry of the gradient is not a finite number, which comparisons in
        a kernel would pass over.
    """
    largest = kkt_distances(penalty, x, gradient, weight, distances)
    is_finite = np.count_nonzero(np.isfinite(gradient)) == gradient.size
    return largest if is_finite else math.nan


def dual_reach(penalty):
    """Say how far dual points must be scaled down to be feasible, at worst.

    Returns
    -------
    float
        1 if every point is feasible as it is (ridge, boxes); 0 if scaling need not
        help (constraints without bound); in between otherwise (L1).
    """
    return min(dual_scale(penalty, u) for u in (1e100, -1e100))


def grow(working, x, distances):
    """Add the support of `x` and the worst violators to a working set.

    Parameters
    ----------
    working : ndarray of intp
        Sorted coordinates.
    x, distances : ndarray of shape (p,)
        The iterate and its distances from stationarity.

    Returns
    -------
    ndarray of intp
        Sorted coordinates, at most 50 more, or as many more as the support has.
    """
    if working.size == x.size:
        return working
    support = np.flatnonzero(x)
    working = np.union1d(working, support)
    outside = distances.copy()
    outside[working] = 0.0
    n_new = min(max(50, support.size), np.count_nonzero(outside))
    worst = np.argpartition(-outside, n_new - 1)[:n_new] if n_new else support[:0]
    return np.union1d(working, worst)
