"""Kernels of block descent on groups of columns: exact steps, extrapolated.

Each sweep minimises over one group after the other, with the scalar root of its norm in
the eigenvectors of the group's Gram matrix. Between sweeps, what the last ones left
is extrapolated (Q. Bertrand and M. Massias, "Anderson acceleration of coordinate
descent", AISTATS 2021).

There are two forms of the columns. As vectors of n rows, with the residuals; or as rows
of their Gram matrix, with the negative gradient in place of residuals (`is_gram`).
"""

import math
from typing import NamedTuple

import numpy as np

from skloss._jit import kernel
from skloss.penalties._group_kernels import excess, norm, scale, shrink

__all__ = ["GroupColumns", "GroupStrengths", "descend", "subtract_all"]

_DEPTH = 4  # sweeps that are extrapolated
_INNER_STEPS = 50
_INNER_TOL = 1e-3  # of a block's whole move
_ROOT_STEPS = 100
_ROOT_TOL = 1e-14


class GroupColumns(NamedTuple):
    """Columns of a working set, group by group.

    Parameters
    ----------
    rows : ndarray of shape (k, m)
        The columns, or the rows of their Gram matrix (m = k).
    is_gram : bool
        Which of the two.
    target : ndarray of shape (m,)
        Target, or products of the columns with it.
    linear : ndarray of shape (k,)
        Products of the columns with the target.
    square : float
        Mean square of the target.
    starts : ndarray of shape (G + 1,), intp
        Where the groups begin.
    steepest : ndarray of shape (G,)
        Largest eigenvalue of each group's Gram matrix, or a bound of it.
    values : ndarray of shape (k,)
        Eigenvalues of the groups' Gram matrices.
    vectors : ndarray of shape (v,)
        Eigenvectors of each, as the columns of a matrix; none for groups too large.
    places : ndarray of shape (G + 1,), intp
        Where each group's begin in `vectors`.
    """

    rows: np.ndarray
    is_gram: bool
    target: np.ndarray
    linear: np.ndarray
    square: float
    starts: np.ndarray
    steepest: np.ndarray
    values: np.ndarray
    vectors: np.ndarray
    places: np.ndarray


class GroupStrengths(NamedTuple):
    """Penalty ``sum_g l1 * ||w_g||_1 + l2[g] * ||w_g|| + ridge / 2 * ||w||**2``.

    Parameters
    ----------
    l1 : float
        Factor of absolute values.
    l2 : ndarray of shape (G,)
        Factors of norms.
    ridge : float
        Factor of squares.
    positive : bool
        Whether coefficients must be at least 0.
    """

    l1: float
    l2: np.ndarray
    ridge: float
    positive: bool


@kernel(fastmath={"reassoc", "contract"})
def _products(rows, r, out):
    """Write the products of some rows with a vector."""
    for i in range(0, out.size - 1, 2):
        one, two = rows[i], rows[i + 1]
        s = t = 0.0
        for k in range(r.size):
            s += one[k] * r[k]
            t += two[k] * r[k]
        out[i], out[i + 1] = s, t
    if out.size % 2:
        one, s = rows[out.size - 1], 0.0
        for k in range(r.size):
            s += one[k] * r[k]
        out[out.size - 1] = s


@kernel(fastmath={"reassoc", "contract"})
def _subtract(rows, factors, r):
    """Subtract multiples of some rows from a vector."""
    whole = factors.size - factors.size % 4
    for i in range(0, whole, 4):
        a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        p, q, s, t = factors[i], factors[i + 1], factors[i + 2], factors[i + 3]
        for k in range(r.size):
            r[k] -= p * a[k] + q * b[k] + s * c[k] + t * d[k]
    for i in range(whole, factors.size):
        a, p = rows[i], factors[i]
        for k in range(r.size):
            r[k] -= p * a[k]


@kernel
def subtract_all(columns, w, r):
    """Subtract the columns' combination from a vector, passing over zero groups."""
    for g in range(columns.starts.size - 1):
        begin, end = columns.starts[g], columns.starts[g + 1]
        if w[begin:end].any():
            _subtract(columns.rows[begin:end], w[begin:end], r)


@kernel
def _root(b, values, l2):
    """Norm t of the minimiser, where ``sum(b**2 / (values * t + l2)**2) = 1``.

    Newton's method on ``1 / sqrt(sum)``, which is concave and nearly linear in t.
    """
    size, largest = norm(b), values.max()
    if size <= l2 or largest <= 0.0:
        return 0.0
    t = (size - l2) / largest
    for _ in range(_ROOT_STEPS):
        total = slope = 0.0
        for i in range(b.size):
            if b[i] != 0.0:
                bend = values[i] * t + l2
                term = (b[i] / bend) ** 2
                total += term
                slope += term * values[i] / bend
        if not slope > 0.0:
            break
        step = (math.sqrt(total) - 1.0) * total / slope
        t += step
        if step <= _ROOT_TOL * t:
            break
    return t


@kernel
def _rotated(b, w, values, vectors, l2, ridge, new):
    """Minimise over a group with a norm alone, in the basis of its eigenvectors.

    Parameters
    ----------
    b, w : ndarray of shape (m,)
        Negative gradient, and coefficients.
    values, vectors : ndarray of shape (m,) and (m, m)
        Of the group's Gram matrix.
    l2, ridge : float
        Factors.
    new : ndarray of shape (m,)
        Overwritten by the minimiser.
    """
    m = b.size
    turned, bends = np.zeros(m), values + ridge
    at = np.zeros(m)
    for j in range(m):
        row, x, y = vectors[j], b[j], w[j]
        for i in range(m):
            turned[i] += row[i] * x
            at[i] += row[i] * y
    for i in range(m):
        turned[i] += bends[i] * at[i]
    if l2 > 0.0:
        t = _root(turned, bends, l2)
        for i in range(m):
            turned[i] *= t / (bends[i] * t + l2)
    else:
        least = 1e-13 * bends.max()
        for i in range(m):
            turned[i] = turned[i] / bends[i] if bends[i] > least else at[i]
    for j in range(m):
        row, s = vectors[j], 0.0
        for i in range(m):
            s += row[i] * turned[i]
        new[j] = s


@kernel
def _proximal(b, w, bend, l1, l2, positive, new):
    """Proximal gradient step on a group."""
    for j in range(b.size):
        new[j] = shrink(w[j] + b[j] / bend, l1 / bend, positive)
    size = norm(new)
    factor = 1.0 - l2 / bend / size if size > l2 / bend else 0.0
    for j in range(b.size):
        new[j] *= factor


@kernel
def _iterated(b, w, values, vectors, l1, l2, ridge, positive, new):
    """Minimise over a group by accelerated proximal gradient steps, restarted."""
    m, bend = b.size, values.max() + ridge
    last, at, gradient, moved = w.copy(), w.copy(), b.copy(), np.empty(m)
    theta = 1.0
    for _ in range(_INNER_STEPS):
        _proximal(gradient, at, bend, l1, l2, positive, new)
        step = whole = turn = 0.0
        for j in range(m):
            step += (new[j] - at[j]) ** 2
            whole += (new[j] - w[j]) ** 2
            turn += (at[j] - new[j]) * (new[j] - last[j])
        if step <= _INNER_TOL**2 * whole:
            break
        before, theta = theta, 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * theta**2))
        momentum = (before - 1.0) / theta
        if turn > 0.0:
            theta, momentum = 1.0, 0.0
        for j in range(m):
            at[j] = new[j] + momentum * (new[j] - last[j])
            last[j] = new[j]
        moved[:] = 0.0
        for j in range(m):
            row = vectors[j]
            for i in range(m):
                moved[i] += row[i] * (at[j] - w[j])
        for j in range(m):
            row, s = vectors[j], ridge * (at[j] - w[j])
            for i in range(m):
                s += row[i] * values[i] * moved[i]
            gradient[j] = b[j] - s


@kernel
def _minimise_block(columns, strengths, g, b, w, new):
    """Minimise over group g, or descend; b is its negative gradient."""
    l1, l2, ridge = strengths.l1, strengths.l2[g], strengths.ridge
    positive = strengths.positive
    begin, end = columns.starts[g], columns.starts[g + 1]
    bend = columns.steepest[g] + ridge
    first, last = columns.places[g], columns.places[g + 1]
    m = end - begin
    if m == 1 or first == last:
        _proximal(b, w, bend, l1, l2, positive, new)
        return
    values = columns.values[begin:end]
    vectors = columns.vectors[first:last].reshape(m, m)
    if l1 > 0.0 or positive:
        _iterated(b, w, values, vectors, l1, l2, ridge, positive, new)
    else:
        _rotated(b, w, values, vectors, l2, ridge, new)


@kernel
def _sweep(columns, strengths, visited, w, r):
    """Minimise over some groups, one after the other."""
    for g in visited:
        begin, end = columns.starts[g], columns.starts[g + 1]
        if columns.steepest[g] + strengths.ridge <= 0.0:
            continue
        at, rows = w[begin:end], columns.rows[begin:end]
        b, new = np.empty(end - begin), np.empty(end - begin)
        _slope(columns, strengths, begin, end, w, r, b)
        _minimise_block(columns, strengths, g, b, at, new)
        moves = False
        for j in range(b.size):
            b[j] = new[j] - at[j]
            moves |= b[j] != 0.0
            at[j] = new[j]
        if moves:
            _subtract(rows, b, r)


@kernel
def _look(columns, strengths, w, r, visited):
    """Duality gap, and which groups to visit.

    Parameters
    ----------
    visited : ndarray of shape (G,), intp
        Overwritten by the groups that are not zero, or should not be.

    Returns
    -------
    gap : float
        On these columns; groups without penalty count with what they lack.
    left : float
        Largest gradient of those, as a share of what it may be.
    n : int
        How many groups to visit.
    """
    l1, positive = strengths.l1, strengths.positive
    u, work = np.zeros(w.size), np.empty(w.size)
    t, left, n = 1.0, 0.0, 0
    for g in range(visited.size):
        begin, end = columns.starts[g], columns.starts[g + 1]
        l2, at, mine = strengths.l2[g], w[begin:end], u[begin:end]
        _slope(columns, strengths, begin, end, w, r, mine)
        if not (excess(mine, l1, l2, positive, work) > 0.0 or at.any()):
            continue
        visited[n] = g
        n += 1
        if l1 > 0.0 or l2 > 0.0:
            t = scale(mine, l1, l2, positive, work, t)
            continue
        unit = math.sqrt(columns.square * columns.steepest[g]) + 1e-300
        for j in range(at.size):
            if not (positive and at[j] == 0.0 and mine[j] <= 0.0):
                left = max(left, abs(mine[j]) / unit)
    return _gap(columns, strengths, w, r, u, 1.0 / t), left, n


@kernel
def _slope(columns, strengths, begin, end, w, r, out):
    """Write the negative gradient of some columns, but for the norms."""
    if columns.is_gram:
        out[:] = r[begin:end]
    else:
        _products(columns.rows[begin:end], r, out)
    if strengths.ridge > 0.0:
        for j in range(out.size):
            out[j] -= strengths.ridge * w[begin + j]


@kernel
def _residual_square(columns, w, r):
    """Mean square of the residuals."""
    total = 0.0
    if columns.is_gram:
        total = columns.square
        for j in range(w.size):
            total -= w[j] * (columns.linear[j] + r[j])
        return max(total, 0.0)
    for x in r:
        total += x * x
    return total


@kernel
def _gap(columns, strengths, w, r, u, s):
    """Duality gap at the dual point ``s * u``, as a sum of terms of at least 0."""
    square = _residual_square(columns, w, r)
    if strengths.ridge > 0.0:
        square += strengths.ridge * norm(w) ** 2
    gap = 0.5 * (1.0 - s) ** 2 * square
    for g in range(columns.starts.size - 1):
        mine = slice(columns.starts[g], columns.starts[g + 1])
        at, of, l2 = w[mine], u[mine], strengths.l2[g]
        if not at.any():
            continue
        part = l2 * norm(at)
        for j in range(at.size):
            part += strengths.l1 * abs(at[j]) - s * of[j] * at[j]
        if l2 > 0.0 or strengths.l1 > 0.0:
            gap += max(part, 0.0)
        else:
            gap += abs(part)
    return gap


@kernel
def _objective(columns, strengths, w, r):
    """Objective at coefficients; infinite if one has the wrong sign."""
    total = 0.5 * _residual_square(columns, w, r)
    for g in range(columns.starts.size - 1):
        at = w[columns.starts[g] : columns.starts[g + 1]]
        total += strengths.l2[g] * norm(at)
    for x in w:
        total += strengths.l1 * abs(x) + 0.5 * strengths.ridge * x * x
        if strengths.positive and x < 0.0:
            return math.inf
    return total


@kernel
def _mix(history):
    """Weights of the last points whose mixed step is shortest; False without any."""
    n = history.shape[0] - 1
    M, c = np.empty((n, n)), np.ones(n)
    for i in range(n):
        for j in range(i + 1):
            total = 0.0
            for k in range(history.shape[1]):
                one = history[i + 1, k] - history[i, k]
                total += one * (history[j + 1, k] - history[j, k])
            M[i, j] = M[j, i] = total
    trace = 0.0
    for i in range(n):
        trace += M[i, i]
    for i in range(n):
        M[i, i] += 1e-10 * trace
    for j in range(n):
        if not M[j, j] > 0.0:
            return False, c
        for i in range(j + 1, n):
            ratio = M[i, j] / M[j, j]
            for k in range(j, n):
                M[i, k] -= ratio * M[j, k]
            c[i] -= ratio * c[j]
    for j in range(n - 1, -1, -1):
        for i in range(j + 1, n):
            c[j] -= M[j, i] * c[i]
        c[j] /= M[j, j]
    total = c.sum()
    if not (abs(total) > 0.0 and np.isfinite(total)):
        return False, c
    return True, c / total


@kernel
def _extrapolate(columns, strengths, points, residuals, w, r):
    """Move to the extrapolation of the last points, if it is lower."""
    found, c = _mix(points)
    if not found:
        return
    there, left = np.zeros(w.size), np.zeros(r.size)
    for i in range(c.size):
        for j in range(w.size):
            there[j] += c[i] * points[i + 1, j]
        for k in range(r.size):
            left[k] += c[i] * residuals[i + 1, k]
    lowest = _objective(columns, strengths, w, r)
    if _objective(columns, strengths, there, left) < lowest:
        w[:] = there
        r[:] = left


@kernel
def descend(columns, strengths, w, r, tol, free_tol, max_sweeps):
    """Minimise in place by sweeps over the groups that are not zero, or should not be.

    Parameters
    ----------
    columns : GroupColumns
        The columns.
    strengths : GroupStrengths
        The penalty.
    w : ndarray of shape (k,)
        Coefficients.
    r : ndarray of shape (m,)
        Residuals, or the negative gradient.
    tol : float
        Largest duality gap.
    free_tol : float
        Largest gradient of what has no penalty, as a share of its size.
    max_sweeps : int
        Largest number of sweeps.

    Returns
    -------
    bool
        Whether the tolerances are met.
    """
    visited = np.empty(columns.starts.size - 1, np.intp)
    points = np.empty((_DEPTH + 1, w.size))
    residuals = np.empty((_DEPTH + 1, r.size))
    done, at_once = 0, 1
    while True:
        gap, left, n = _look(columns, strengths, w, r, visited)
        if gap <= tol and left <= free_tol:
            return True
        if n == 0 or done >= max_sweeps:
            return False
        points[0], residuals[0] = w, r
        for i in range(at_once):
            _sweep(columns, strengths, visited[:n], w, r)
            points[i + 1], residuals[i + 1] = w, r
        done += at_once
        if at_once == _DEPTH:
            _extrapolate(columns, strengths, points, residuals, w, r)
        at_once = min(at_once + 2, _DEPTH)
