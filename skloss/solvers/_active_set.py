"""Small dense penalised quadratics: coordinate descent with active-set Newton.

Coordinate descent finds which coefficients are nonzero (or off their bounds); once it
has settled, one Cholesky factor on those finishes what would take it thousands of
sweeps on correlated columns. Newton's step goes to the first coefficient that would
leave its piece of the penalty, drops it, and tries again a few times. This is the
inner solver of everything in this package that is quadratic plus a penalty.
"""

import numpy as np
from scipy.linalg import lapack

from skloss._jit import kernel
from skloss.penalties import kkt_distances, piece, prox

__all__ = ["has_negative_curvature", "minimize_block"]

_MAX_DROPS = 8  # coefficients stopped per Cholesky factor
_MAX_PASSES = 200
_PATIENCE = 8  # passes without progress after which rounding is to blame


@kernel
def _sweep(penalty, Q, q, x, weight):
    """One cyclic pass over the coefficients, keeping ``q = Q @ x - c``."""
    for j in range(x.size):
        diagonal = Q[j, j]
        if diagonal <= 0.0:
            continue
        old = x[j]
        new = prox(penalty, old - q[j] / diagonal, weight[j] / diagonal)
        step = new - old
        if step != 0.0:
            x[j] = new
            row = Q[j]
            for i in range(q.size):
                q[i] += step * row[i]


@kernel
def _pieces(penalty, x, weight, lower, upper, slope, curvature):
    """Write the quadratic piece of the penalty around each coefficient."""
    for j in range(x.size):
        lower[j], upper[j], slope[j], curvature[j] = piece(penalty, x[j], weight[j])


def minimize_block(penalty, Q, c, x, weight, tol, max_passes=_MAX_PASSES):
    """Minimise ``x @ Q @ x / 2 - c @ x + sum(weight * penalty(x))`` in place.

    Parameters
    ----------
    penalty : named tuple
        A convex penalty.
    Q : ndarray of shape (k, k)
        C-contiguous, symmetric, positive semi-definite.
    c : ndarray of shape (k,)
        Linear part.
    x : ndarray of shape (k,)
        Start; overwritten by the result.
    weight : ndarray of shape (k,)
        Penalty weights.
    tol : float
        Largest distance from stationarity allowed.
    max_passes : int
        Largest number of rounds of sweeps and a Newton step.

    Returns
    -------
    float
        Largest distance from stationarity left.
    """
    distances = np.empty_like(x)
    q = _gradient(Q, c, x)
    violation = best = kkt_distances(penalty, x, q, weight, distances)
    patience = _PATIENCE
    for _ in range(max_passes):
        if violation <= tol or patience == 0:
            break
        before = violation
        for _ in range(_sweeps_per_newton(x)):
            _sweep(penalty, Q, q, x, weight)
            violation = kkt_distances(penalty, x, q, weight, distances)
            if violation <= tol:
                break
        # Sweeps that shrink the violation this fast are cheaper than a factor.
        if violation > 0.05 * before:
            _newton(penalty, Q, q, x, weight)
        q = _gradient(Q, c, x)  # afresh: the kept gradient gathers rounding errors
        violation = kkt_distances(penalty, x, q, weight, distances)
        patience = _PATIENCE if violation < 0.5 * best else patience - 1
        best = min(best, violation)
    return violation


def _gradient(Q, c, x):
    support = np.flatnonzero(x)
    if 2 * support.size > x.size:
        return Q @ x - c
    return x[support] @ Q[support] - c


def _sweeps_per_newton(x):
    """Balance the cost of sweeps, 2ak each, with a Cholesky factor, a^3/3.

    A factor's flop is about four times cheaper than a sweep's.
    """
    n_active = np.count_nonzero(x)
    return int(np.clip(n_active**2 / (24 * x.size), 3, 30))


def _newton(penalty, Q, q, x, weight):
    """Newton steps on the smooth piece around `x`, stopping what reaches its end.

    The matrix is factored once. That the coefficients stopped so far do not move is a
    few linear conditions on the step, met through their Schur complement.
    """
    lower, upper, slope, curvature = np.empty((4, x.size))
    _pieces(penalty, x, weight, lower, upper, slope, curvature)
    # Where a penalty is concave its quadratic piece has no minimum to step to.
    active = np.flatnonzero((lower < upper) & (curvature >= 0) & (Q.diagonal() > 0))
    H = Q[np.ix_(active, active)]
    H[np.diag_indices(active.size)] += curvature[active]
    factor = _factor(H)
    if factor is None or active.size == 0:
        return
    at, gradient = x[active], q[active] + slope[active]
    lower, upper = lower[active], upper[active]
    stopped = []
    columns = np.empty((active.size, _MAX_DROPS), order="F")  # of the inverse
    for _ in range(_MAX_DROPS):
        step = lapack.dpotrs(factor, -gradient, lower=1)[0]
        if stopped:
            V = columns[:, : len(stopped)]
            _, force, failed = lapack.dposv(V[stopped], step[stopped])
            if failed:
                break
            step -= V @ force
            step[stopped] = 0.0
        if not np.isfinite(step).all():
            break
        end = np.where(step > 0, upper, lower)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = np.where(step == 0, np.inf, (end - at) / step)
        first = int(np.argmin(reach))
        length = min(1.0, reach[first])
        moved = length * step
        at += moved
        if length == 1.0:
            break
        at[first] = end[first]
        gradient += H @ moved
        unit = np.zeros(active.size)
        unit[first] = 1.0
        columns[:, len(stopped)] = lapack.dpotrs(factor, unit, lower=1)[0]
        stopped.append(first)
    x[active] = np.clip(at, lower, upper)


def has_negative_curvature(Q, slack):
    """Whether a matrix stays indefinite with `slack` times its diagonal added to it.

    Parameters
    ----------
    Q : ndarray of shape (k, k)
        Symmetric.
    slack : float
        What may be rounding.

    Returns
    -------
    bool
        False also if there are numbers that are not finite, of which nothing is known.
    """
    seen = np.flatnonzero(Q.diagonal() > 0)
    H = Q[np.ix_(seen, seen)]
    if not np.isfinite(H).all():
        return False
    H[np.diag_indices(seen.size)] *= 1 + slack
    return seen.size > 0 and lapack.dpotrf(H.T, lower=1, clean=0)[1] != 0


def _factor(H):
    """Cholesky factor of H; None if there is none.

    Duplicate columns make the matrix singular; a ridge at the level of rounding then
    leaves a direction that still descends.
    """
    for ridge in (0.0, 1e-12, 1e-9):
        matrix = H + np.diag(ridge * H.diagonal()) if ridge else H
        # H is symmetric: its rows are the columns that LAPACK expects.
        factor, info = lapack.dpotrf(matrix.T, lower=1, clean=0)
        if info == 0:
            return factor
    return None
