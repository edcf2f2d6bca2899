"""Small dense quadratics with a concave penalty of single coefficients (MCP, SCAD).

As in `_active_set`, coordinate descent finds the pieces of the penalty that the
coefficients are on. It needs thousands of sweeps where columns depend on each other,
and its violation of stationarity may rise for long on the way, while the objective
falls. So nothing is concluded from violations that do not fall, and all steps descend:

- the objective on these pieces is one quadratic. On coordinates on which it is convex,
  a Newton step goes towards its minimum, and stops at the ends of the pieces;
- where one more coordinate makes it concave, there is a direction in which it falls
  faster and faster: it is followed to the end of a piece.

What is returned is thus a minimum in all coefficients that are not zero, no saddle.
"""

import math

import numpy as np
from scipy.linalg import lapack

from skloss.penalties import kkt_distances
from skloss.solvers._active_set import (
    _MAX_DROPS,
    _MAX_FACTORS,
    _active_piece,
    _follow,
    _gradient,
    _sweep,
    _sweeps_per_newton,
)

__all__ = ["minimize_concave"]

_MAX_ROUNDS = 200
_PATIENCE = 5  # rounds after which coefficients at ends of pieces may stay there
_SINGULAR = 1e-9  # share of a diagonal that makes a singular matrix definite
_NOISE = 4 * np.finfo(np.float64).eps  # share of its terms by which a gradient is off


def minimize_concave(penalty, Q, c, x, weight, tol, max_rounds=_MAX_ROUNDS):
    """Find a minimum of ``x @ Q @ x / 2 - c @ x + sum(weight * penalty(x))`` nearby.

    Parameters
    ----------
    penalty : named tuple
        A penalty that is quadratic in pieces, MCP or SCAD.
    Q : ndarray of shape (k, k)
        C-contiguous, symmetric, positive semi-definite.
    c : ndarray of shape (k,)
        Linear part.
    x : ndarray of shape (k,)
        Start; overwritten by the result, which is never worse.
    weight : ndarray of shape (k,)
        Penalty weights.
    tol : float
        Largest distance from stationarity allowed.
    max_rounds : int, default=200
        Largest number of rounds of sweeps and Newton steps.

    Returns
    -------
    bool
        Whether there is no use in going on: the tolerance is met, or rounding forbids.
    """
    if not x.size:
        return True
    distances, n_settled = np.empty_like(x), 0
    lengths = np.sqrt(np.maximum(Q.diagonal(), 0.0))
    for _ in range(max_rounds):
        q = _gradient(Q, c, x)
        violation = before = kkt_distances(penalty, x, q, weight, distances)
        for _ in range(_sweeps_per_newton(x)):
            _sweep(penalty, Q, q, x, weight)
            violation = kkt_distances(penalty, x, q, weight, distances)
            if violation <= tol:
                break
        if tol < violation <= 0.05 * before:  # sweeps do well by themselves
            continue
        is_minimum = _descend(penalty, Q, c, x, weight)
        support, q = x != 0.0, _gradient(Q, c, x)
        # A coordinate whose own problem is not convex may yet leap.
        _sweep(penalty, Q, q, x, weight)
        q = _gradient(Q, c, x)
        violation = kkt_distances(penalty, x, q, weight, distances)
        if not math.isfinite(violation):
            return True
        noise = _NOISE * (np.abs(c) + lengths * (lengths @ np.abs(x)))
        if violation > tol and (distances > noise).any():
            n_settled = 0
            continue
        n_settled += 1
        has_leapt = ((x != 0.0) != support).any()
        if (is_minimum and not has_leapt) or n_settled > _PATIENCE:
            return True
    return False


def _descend(penalty, Q, c, x, weight):
    """Step to a minimum of the quadratic pieces around `x`, or to their ends.

    Returns
    -------
    bool
        Whether there is one, and nothing was stopped on the way.
    """
    for _ in range(_MAX_FACTORS):
        active, H, *rest = _piece_ahead(penalty, Q, c, x, weight)
        if not active.size:
            return True
        # Those on which the penalty is convex first.
        order = np.argsort(H.diagonal() < Q.diagonal()[active], kind="stable")
        active, H = active[order], np.ascontiguousarray(H[np.ix_(order, order)])
        at, gradient, lower, upper = (each[order] for each in rest)
        factor, n_convex = _leading_factor(H)
        start, slope = at.copy(), gradient.copy()
        n_stopped = 0
        if n_convex:
            first = slice(n_convex)
            piece_of = at[first], gradient[first], lower[first], upper[first]
            n_stopped = _step(factor, *piece_of)
        has_fallen = False
        if not n_stopped and n_convex < active.size:
            slope += H[:, :n_convex] @ (at - start)[:n_convex]
            has_fallen = _fall(factor, H, slope, at, lower, upper)
        x[active] = at
        if n_convex == active.size:
            return n_stopped == 0
        # Without headway, sweeps move what is in the way.
        if not has_fallen and (at == start).all():
            return False
    return False


def _piece_ahead(penalty, Q, c, x, weight):
    """Quadratic piece around `x`, as `_active_piece` says, on which it can descend.

    Where two pieces meet, coefficients are moved by one unit of rounding to the piece
    that their gradient leads to. On the other one they would be at an end.
    """
    args = penalty, Q, _gradient(Q, c, x), x, weight, -math.inf
    found = _active_piece(*args)
    active, _, at, gradient, lower, upper = found
    ends = np.flatnonzero((at == lower) | (at == upper))
    if not ends.size:
        return found
    ahead = np.copysign(math.inf, -gradient[ends])
    x[active[ends]] = np.nextafter(at[ends], ahead)
    return _active_piece(*args)


def _leading_factor(H):
    """Cholesky factor of as many leading rows and columns as have one, and how many."""
    # H is symmetric: its rows are the columns that LAPACK expects.
    factor, info = lapack.dpotrf(H.T, lower=1, clean=0)
    if info == 0:
        return factor, len(H)
    H = H.copy()
    H[np.diag_indices(len(H))] *= 1.0 + _SINGULAR
    size = len(H)
    while size:
        factor, info = lapack.dpotrf(H[:size, :size].T, lower=1, clean=0)
        if info == 0:
            return factor, size
        size = max(info - 1, 0)
    return np.empty((0, 0)), 0


def _step(factor, at, gradient, lower, upper):
    """Step by Newton to the ends of pieces at most; return how many were met."""
    end = at - lapack.dpotrs(factor, gradient, lower=1)[0]
    if ((lower <= end) & (end <= upper)).all():
        at[:] = end
        return 0
    return _follow(factor.T, at, gradient, lower, upper, _MAX_DROPS)


def _fall(factor, H, gradient, at, lower, upper):
    """Go along a direction in which a quadratic is concave, to the end of a piece.

    Parameters
    ----------
    factor : ndarray of shape (m, m)
        Lower Cholesky factor of the leading part of H.
    H : ndarray of shape (a, a)
        Second derivatives. The first m + 1 rows and columns are not positive definite.
    gradient, at, lower, upper : ndarray of shape (a,)
        First derivatives, where the coordinates are (overwritten), and ends of pieces.

    Returns
    -------
    bool
        Whether there was such a direction, and room.
    """
    m = len(factor)
    step = np.zeros(at.size)
    step[m] = 1.0
    if m:
        step[:m] = -lapack.dpotrs(factor, H[m, :m], lower=1)[0]
    slope, curvature = gradient @ step, step @ H @ step
    if not curvature <= 0.0:  # but for rounding, or not a number
        return False
    if slope > 0.0 or (slope == 0.0 and at[m] > 0.0):
        step = -step
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(step > 0.0, upper - at, lower - at) / step
    room[step == 0.0] = math.inf
    first = int(np.argmin(room))
    if not 0.0 < room[first] < math.inf:
        return False
    end = upper[first] if step[first] > 0.0 else lower[first]
    np.clip(at + room[first] * step, lower, upper, out=at)
    at[first] = end
    return True
