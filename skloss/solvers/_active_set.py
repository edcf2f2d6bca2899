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

_MAX_DROPS = 32  # coefficients stopped per Cholesky factor
_MAX_FACTORS = 50  # in a row, of singular matrices
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
            for _ in range(_MAX_FACTORS):
                if not _newton(penalty, Q, q, x, weight):
                    break
                q = _gradient(Q, c, x)
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

    Returns
    -------
    bool
        Whether to go on at once: more coefficients are off zero than the matrix has
        rank, and not all of them have been stopped yet. Sweeps would free others.
    """
    # Where a penalty is concave its quadratic piece has no minimum to step to.
    active, *piece_of = _active_piece(penalty, Q, q, x, weight, 0.0)
    if active.size == 0:
        return False
    factor, singular = _factor_or_near(piece_of[0])
    if factor is None:
        return False
    n_stopped = _follow(factor.T, *piece_of[1:], _MAX_DROPS)
    x[active] = piece_of[1]
    return singular and n_stopped == _MAX_DROPS


@kernel
def _active_piece(penalty, Q, q, x, weight, least_bend):
    """Quadratic piece of the objective around `x`, in the coordinates that may move.

    Those count on whose piece the penalty's second derivative is at least a certain
    number.

    Returns
    -------
    active : ndarray of shape (a,), intp
        These coordinates.
    H : ndarray of shape (a, a)
        Second derivatives.
    at, gradient, lower, upper : ndarray of shape (a,)
        Where they are, first derivatives, and the ends of the piece.
    """
    k = x.size
    active = np.empty(k, np.intp)
    gradient, lower, upper, curvature = np.empty((4, k))
    a = 0
    for j in range(k):
        low, high, slope, bend = piece(penalty, x[j], weight[j])
        if low < high and bend >= least_bend and Q[j, j] > 0.0:
            active[a], lower[a], upper[a], curvature[a] = j, low, high, bend
            gradient[a] = q[j] + slope
            a += 1
    active = active[:a]
    H = np.empty((a, a))
    for i in range(a):
        row = Q[active[i]]
        for j in range(a):
            H[i, j] = row[active[j]]
        H[i, i] += curvature[i]
    return active, H, x[active], gradient[:a], lower[:a], upper[:a]


@kernel
def _follow(U, at, gradient, lower, upper, max_drops):
    """Step towards the minimum, stopping coordinates at the ends of their pieces.

    The matrix is factored once. That the coefficients stopped so far do not move is a
    few linear conditions on the step, met through their Schur complement.

    Parameters
    ----------
    U : ndarray of shape (a, a)
        Upper Cholesky factor.
    at, gradient, lower, upper : ndarray of shape (a,)
        See `_active_piece`; the first two are overwritten.
    max_drops : int
        Largest number of coordinates stopped.

    Returns
    -------
    int
        How many were.
    """
    a = at.size
    columns, stopped = np.empty((max_drops, a)), np.empty(max_drops, np.intp)
    force, step = np.empty(max_drops), np.empty(a)
    for n_stopped in range(max_drops):
        step[:] = -gradient
        _solve(U, step)
        if not _hold(columns, stopped, n_stopped, force, step):
            return n_stopped
        length, first = 1.0, -1
        for j in range(a):
            end = upper[j] if step[j] > 0.0 else lower[j]
            if step[j] != 0.0 and (end - at[j]) / step[j] < length:
                length, first = (end - at[j]) / step[j], j
        for j in range(a):
            moved = at[j] + length * step[j]
            at[j] = min(max(moved, lower[j]), upper[j])
            gradient[j] -= length * gradient[j]
        if first < 0:
            return n_stopped
        at[first] = upper[first] if step[first] > 0.0 else lower[first]
        for i in range(n_stopped):
            gradient[stopped[i]] -= length * force[i]
        stopped[n_stopped] = first
        columns[n_stopped] = 0.0
        columns[n_stopped, first] = 1.0
        _solve(U, columns[n_stopped])
    return max_drops


@kernel(fastmath={"reassoc", "contract"})
def _solve(U, b):
    """Overwrite `b` with the solution of ``U.T @ U @ x = b``."""
    for j in range(b.size):
        b[j] /= U[j, j]
        rest, row, value = b[j + 1 :], U[j, j + 1 :], b[j]
        for i in range(rest.size):
            rest[i] -= value * row[i]
    for j in range(b.size - 1, -1, -1):
        rest, row, total = b[j + 1 :], U[j, j + 1 :], 0.0
        for i in range(rest.size):
            total += row[i] * rest[i]
        b[j] = (b[j] - total) / U[j, j]


@kernel
def _hold(columns, stopped, n_stopped, force, step):
    """Correct a step so that some coordinates do not move; False without success.

    Parameters
    ----------
    columns : ndarray of shape (max_drops, a)
        First `n_stopped` rows: the inverse's columns of these coordinates.
    stopped : ndarray of shape (max_drops,), intp
        The coordinates.
    n_stopped : int
        How many.
    force : ndarray of shape (max_drops,)
        Overwritten by the multipliers.
    step : ndarray of shape (a,)
        Overwritten by the corrected step.
    """
    S = np.empty((n_stopped, n_stopped))
    for i in range(n_stopped):
        force[i] = step[stopped[i]]
        for j in range(n_stopped):
            S[i, j] = columns[j, stopped[i]]
    for j in range(n_stopped):  # elimination; S is positive definite
        if not S[j, j] > 0.0:
            return False
        for i in range(j + 1, n_stopped):
            ratio = S[i, j] / S[j, j]
            for other in range(j + 1, n_stopped):
                S[i, other] -= ratio * S[j, other]
            force[i] -= ratio * force[j]
    for j in range(n_stopped - 1, -1, -1):
        for i in range(j + 1, n_stopped):
            force[j] -= S[j, i] * force[i]
        force[j] /= S[j, j]
    for i in range(n_stopped):
        for j in range(step.size):
            step[j] -= force[i] * columns[i, j]
    for i in range(n_stopped):
        step[stopped[i]] = 0.0
    return np.isfinite(step).all()


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
    """Cholesky factor of H, or of H with a ridge like rounding; None without either."""
    return _factor_or_near(H)[0]


def _factor_or_near(H):
    """Cholesky factor of H, or None, and whether H is singular.

    Duplicate columns make the matrix singular; a ridge at the level of rounding then
    leaves a direction that still descends.
    """
    for ridge in (0.0, 1e-12, 1e-9):
        matrix = H + np.diag(ridge * H.diagonal()) if ridge else H
        # H is symmetric: its rows are the columns that LAPACK expects.
        factor, info = lapack.dpotrf(matrix.T, lower=1, clean=0)
        if info == 0:
            return factor, ridge > 0.0
    return None, True
