"""The lasso's solution followed while its strengths change.

Between two sets of strengths the solution is piecewise linear, with a new piece where
a coefficient reaches zero or a gradient its strength. The Cholesky factor of the
active Gram matrix is updated there, so that a piece costs one product of the active
rows. Any coefficients are the solution for some strengths: a path may start from any.
See M. R. Osborne, B. Presnell, B. A. Turlach, "A new approach to variable selection in
least squares problems", IMA Journal of Numerical Analysis 20(3), 2000.
"""

import math

import numpy as np
from scipy.linalg import lapack

from skloss._jit import kernel

__all__ = ["Homotopy"]

_INDEPENDENT = 1e-12  # share of a column's square that the active ones must leave of it
_MOST_ACTIVE = 2000  # beyond, factors by BLAS are cheaper than an update for each piece
_MOVING = 1e-10  # of two rates that cancel, what is not rounding
_ROOM = 40  # for active coordinates, before the first come
_ATTEMPTS = 4
_PATIENCE = 3  # failures in a row


class Homotopy:
    """Solutions of ``min x @ Q @ x / 2 - c @ x + sum(strength * |x|)``, one by one.

    Attributes
    ----------
    active : ndarray of shape (capacity,), intp
        Coordinates off zero or without a penalty; the first `n_active` count.
    factor : ndarray of shape (capacity, capacity)
        Lower Cholesky factor of the rows and columns of Q at these. An inverse would
        lose the digits that tell whether one more column depends on them.
    """

    def __init__(self):
        self.active, self.factor = np.empty(0, np.intp), np.empty((0, 0))
        self.n_active, self.n_failures = 0, 0

    def solve(self, Q, c, x, strength, tol, *, positive=False):
        """Find the solution from some coefficients nearby.

        Parameters
        ----------
        Q : ndarray of shape (capacity, capacity)
            C-contiguous. Its leading (k, k) part, symmetric and positive semi-definite,
            counts: the same as in the last call, but for more rows and columns.
        c : ndarray of shape (k,)
            Linear part.
        x : ndarray of shape (k,)
            Start.
        strength : ndarray of shape (k,)
            Strengths, at least 0.
        tol : float
            Largest distance from stationarity allowed.
        positive : bool, default=False
            Whether coefficients must be at least 0.

        Returns
        -------
        ndarray of shape (k,) or None
            None if the active columns are too many or nearly dependent.
        """
        if self.n_failures == _PATIENCE:
            return None
        x, k = x.copy(), x.size
        free = np.zeros(k, dtype=bool)
        if not positive and np.count_nonzero(strength) < k:
            free = (strength == 0.0) & (Q.diagonal()[:k] > 0.0)
        if not self._start(Q, x, (x != 0.0) | free, free):
            x[:] = 0.0  # a longer way, from where nothing depends on anything
            if not self._start(Q, x, free, free):
                return self._fail()
        for _ in range(_ATTEMPTS):
            off = self._follow(Q, c, x, strength, free, positive, 0.1 * tol)
            if off <= tol:
                self.n_failures = 0
                return x
            # Updates lose digits where columns nearly depend on each other.
            if not self._factor(Q, np.sort(self.active[: self.n_active])):
                break
        return self._fail()

    def _follow(self, Q, c, x, *args):
        """Follow the solution, with more room whenever there is too little."""
        while True:
            L, active, a = self.factor, self.active, self.n_active
            self.n_active, off = _follow(L, active, a, Q, c, x, *args)
            most = min(x.size, _MOST_ACTIVE + 1)
            if off < np.inf or self.n_active < active.size or active.size == most:
                return off
            self._reserve(active.size + 1, most)

    def _fail(self):
        self.n_failures += 1
        self.n_active = 0

    def _start(self, Q, x, wanted, free):
        """Make the active set the wanted one; return whether that can be.

        Of free columns that depend on each other some stay out, at zero.
        """
        n_wanted = np.count_nonzero(wanted)
        if n_wanted > _MOST_ACTIVE:
            return False
        self._reserve(n_wanted, min(wanted.size, _MOST_ACTIVE + 1))
        n_kept = np.count_nonzero(wanted[self.active[: self.n_active]])
        if n_kept == n_wanted == self.n_active:
            return True
        is_new = 4 * (n_wanted - n_kept) > n_kept + 20
        if is_new and self._factor(Q, np.flatnonzero(wanted)):
            return True
        args = self.factor, self.active, self.n_active, Q, x, wanted, free
        a = _reconcile(*args)
        self.n_active = max(a, 0)
        return a >= 0

    def _reserve(self, n_wanted, most):
        """Make room for so many active coordinates; there never are more than most."""
        old = self.active.size
        if n_wanted <= old and old > 0:
            return
        capacity = min(max(n_wanted + _ROOM, 3 * old // 2), most)
        a, factor = self.n_active, np.empty((capacity, capacity))
        factor[:a, :a] = self.factor[:a, :a]
        active = np.empty(capacity, np.intp)
        active[:a] = self.active[:a]
        self.factor, self.active = factor, active

    def _factor(self, Q, wanted):
        a = self.n_active = wanted.size
        self.active[:a] = wanted
        # H is symmetric: its rows are the columns that LAPACK expects.
        upper, info = lapack.dpotrf(Q[np.ix_(wanted, wanted)].T, lower=0)
        if info:
            self.n_active = 0
            return False
        self.factor[:a, :a] = upper.T
        return True


@kernel(fastmath={"reassoc", "contract"})
def _add_rows(Q, places, values, out):
    """Add the product of some rows of a matrix with coefficients (a,) to `out`."""
    n = places.size
    full = n - n % 4
    for i in range(0, full, 4):
        r0, r1 = Q[places[i]], Q[places[i + 1]]
        r2, r3 = Q[places[i + 2]], Q[places[i + 3]]
        v0, v1, v2, v3 = values[i], values[i + 1], values[i + 2], values[i + 3]
        for j in range(out.size):
            out[j] += v0 * r0[j] + v1 * r1[j] + v2 * r2[j] + v3 * r3[j]
    for i in range(full, n):
        row, v = Q[places[i]], values[i]
        for j in range(out.size):
            out[j] += v * row[j]


@kernel(fastmath={"reassoc", "contract"})
def _solve_lower(L, a, r):
    """Overwrite the first numbers of r with the solution of ``L @ x = r``."""
    for i in range(a):
        row, total = L[i, :i], r[i]
        for j in range(i):
            total -= row[j] * r[j]
        r[i] = total / L[i, i]


@kernel(fastmath={"reassoc", "contract"})
def _solve_upper(L, a, r):
    """Overwrite the first numbers of r with the solution of ``L.T @ x = r``."""
    for i in range(a - 1, -1, -1):
        value, row = r[i] / L[i, i], L[i, :i]
        for j in range(i):
            r[j] -= value * row[j]
        r[i] = value


@kernel(fastmath={"reassoc", "contract"})
def _enter(L, active, a, Q, new):
    """Add a coordinate; False if the active ones leave too little of it."""
    if a >= active.size:
        return False
    row, rest = L[a], Q[new, new]
    for i in range(a):
        row[i] = Q[new, active[i]]
    _solve_lower(L, a, row)
    for i in range(a):
        rest -= row[i] * row[i]
    if not rest > _INDEPENDENT * Q[new, new]:
        return False
    row[a] = math.sqrt(rest)
    active[a] = new
    return True


@kernel
def _leave(L, active, a, position):
    """Take out the coordinate at a position, by rotations of the columns behind it."""
    cos, sin = np.empty(a), np.empty(a)
    for i in range(position + 1, a):
        row, above = L[i], L[i - 1]
        for j in range(position):
            above[j] = row[j]
        carried = row[position]
        for j in range(position, i - 1):
            above[j] = cos[j] * carried + sin[j] * row[j + 1]
            carried = cos[j] * row[j + 1] - sin[j] * carried
        length = math.hypot(carried, row[i])
        cos[i - 1], sin[i - 1] = carried / length, row[i] / length
        above[i - 1] = length
        active[i - 1] = active[i]


@kernel
def _reconcile(L, active, a, Q, x, wanted, free):
    """Make the active set the wanted one; return its size, -1 if it is singular."""
    present = np.zeros(wanted.size, np.bool_)
    for position in range(a - 1, -1, -1):
        if wanted[active[position]]:
            present[active[position]] = True
        else:
            _leave(L, active, a, position)
            a -= 1
    for j in range(wanted.size):
        if wanted[j] and not present[j]:
            if _enter(L, active, a, Q, j):
                a += 1
            elif free[j]:
                x[j] = 0.0
            else:
                return -1
    return a


@kernel
def _follow(L, active, a, Q, c, x, strength, free, positive, slack):
    """Follow the solution from strengths for which `x` is one to those wanted.

    Parameters
    ----------
    L, active, a
        See `Homotopy`; overwritten.
    Q, c, x, strength, positive
        See `Homotopy.solve`; `x` is overwritten.
    free : ndarray of shape (k,), bool
        What is not penalised; all of it is active.
    slack : float
        Excess of a gradient over its strength that is no reason to move.

    Returns
    -------
    a : int
        Size of the active set.
    off : float
        Largest distance from stationarity; infinite if the end was not reached, as
        where there is no room for one more active coordinate.
    """
    k = x.size
    q, u, level, sign = np.empty(k), np.empty(k), np.empty(k), np.zeros(k)
    _gradient(Q, c, x, active, a, q)
    for j in range(k):
        size = -q[j] if positive else abs(q[j])
        level[j] = size if size > strength[j] + slack else strength[j]
    for i in range(a):
        j = active[i]
        sign[j] = 1.0 if x[j] > 0.0 or free[j] else -1.0
        level[j] = -sign[j] * q[j]
    d, rate = np.empty(k), np.empty(k)
    for j in range(k):
        rate[j] = strength[j] - level[j]
    left, just_left = 1.0, -1
    for _ in range(4 * k + 100):
        for i in range(a):
            d[i] = -rate[active[i]] * sign[active[i]]
        _solve_lower(L, a, d)
        _solve_upper(L, a, d)
        for j in range(k):
            u[j] = 0.0
        _add_rows(Q, active[:a], d[:a], u)
        length, position = _first_to_stop(active[:a], d, x, sign, free, left)
        length, new = _first_to_move(
            Q, q, u, level, rate, sign, just_left, positive, length
        )
        left -= length
        for i in range(a):
            x[active[i]] += length * d[i]
        for j in range(k):
            q[j] += length * u[j]
            level[j] += length * rate[j]
        if new >= 0:
            if a == active.size:
                return a, np.inf
            sign[new], just_left = -1.0 if q[new] > 0.0 else 1.0, -1
            if not _enter(L, active, a, Q, new):
                position = _make_way(L, active[:a], Q, new, x, sign, free)
                if position < 0:
                    return a, np.inf
                just_left = active[position]
                sign[just_left] = 0.0
                _leave(L, active, a, position)
                a -= 1
                if not _enter(L, active, a, Q, new):
                    x[new] = 0.0
                    return a, np.inf
            a += 1
        elif position >= 0:
            just_left = active[position]
            x[just_left] = sign[just_left] = 0.0
            _leave(L, active, a, position)
            a -= 1
        else:
            _gradient(Q, c, x, active, a, q)
            return a, _distance(Q, q, sign, strength, positive)
    return a, np.inf


@kernel
def _gradient(Q, c, x, active, a, q):
    """Gradient of the smooth part, afresh: that kept gathers rounding errors."""
    values = np.empty(a)
    for i in range(a):
        values[i] = x[active[i]]
    for j in range(q.size):
        q[j] = -c[j]
    _add_rows(Q, active[:a], values, q)


@kernel
def _make_way(L, active, Q, new, x, sign, free):
    """Let a column grow in place of active ones that it depends on.

    Scores stay as they are, and so does the penalty, until one of these is zero.
    Returns its position; -1 if none gets there.
    """
    a = active.size
    z = np.empty(a)
    for i in range(a):
        z[i] = -sign[new] * Q[new, active[i]]
    _solve_lower(L, a, z)
    _solve_upper(L, a, z)
    largest = 0.0
    for i in range(a):
        largest = max(largest, abs(z[i]))
    for i in range(a):
        if abs(z[i]) < 1e-8 * largest:
            z[i] = 0.0  # it does not depend on this one
    length, position = _first_to_stop(active, z, x, sign, free, np.inf)
    if position >= 0:
        for i in range(a):
            x[active[i]] += length * z[i]
        x[active[position]] = 0.0
        x[new] = length * sign[new]
    return position


@kernel
def _first_to_stop(active, d, x, sign, free, most):
    """How far until an active coefficient is zero, and its position, or `most`, -1."""
    length, position = most, -1
    for i in range(active.size):
        j = active[i]
        if not free[j] and sign[j] * d[i] < 0.0:
            end = max(-x[j] / d[i], 0.0)
            if end < length:
                length, position = end, i
    return length, position


@kernel
def _first_to_move(Q, q, u, level, rate, sign, just_left, positive, most):
    """How far until a gradient reaches its strength, and which, or `most`, -1.

    What has left last is at its strength already, on the way inside. What depends on
    active columns may stay at its strength: there rounding alone makes it move.
    """
    length, first = most, -1
    for j in range(q.size):
        if sign[j] != 0.0 or Q[j, j] <= 0.0 or j == just_left:
            continue
        least = _MOVING * (abs(u[j]) + abs(rate[j]))
        closing = -u[j] - rate[j]
        if closing > least:
            end = max((level[j] + q[j]) / closing, 0.0)
            if end < length:
                length, first = end, j
        closing = u[j] - rate[j]
        if closing > least and not positive:
            end = max((level[j] - q[j]) / closing, 0.0)
            if end < length:
                length, first = end, j
    return length, first


@kernel
def _distance(Q, q, sign, strength, positive):
    """Largest distance from stationarity."""
    off = 0.0
    for j in range(q.size):
        if sign[j] != 0.0:
            off = max(off, abs(q[j] + strength[j] * sign[j]))
        elif Q[j, j] > 0.0:
            off = max(off, (-q[j] if positive else abs(q[j])) - strength[j])
    return off
