"""Kernels of block descent on groups of columns: exact steps, extrapolated.

Each sweep minimises over one group after the other, with the scalar root of its norm in
the eigenvectors of the group's Gram matrix. Between sweeps, what the last ones left
is extrapolated (Q. Bertrand and M. Massias, "Anderson acceleration of coordinate
descent", AISTATS 2021).

There are two forms of the columns. As vectors of n rows, with the residuals; or as rows
of their Gram matrix, with the negative gradient in place of residuals (`is_gram`).

Plain loops, few slices and one scratch array: array expressions and assignments to
slices would take several times as long to compile.
"""

import math
from typing import NamedTuple

import numpy as np

from skloss._jit import kernel
from skloss.penalties._group_kernels import norm, scale, shrink, shrunk_norm

__all__ = ["GroupColumns", "GroupStrengths", "descend", "objective", "subtract"]

_DEPTH = 4  # sweeps that are extrapolated
_SCRATCH = 6  # vectors of k numbers
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
def _slope(columns, ridge, begin, end, w, r, out):
    """Write the negative gradient of some columns, but for the norms."""
    for j in range(begin, end):
        total = 0.0
        if columns.is_gram:
            total = r[j]
        else:
            row = columns.rows[j]
            for k in range(r.size):
                total += row[k] * r[k]
        out[j] = total - ridge * w[j]


@kernel(fastmath={"reassoc", "contract"})
def subtract(rows, begin, end, factors, r):
    """Subtract multiples of rows from `begin` to `end` from a vector.

    Parameters
    ----------
    rows : ndarray of shape (k, m)
        All rows.
    begin, end : int
        Which of them.
    factors : ndarray of shape (k,)
        A factor for each of all.
    r : ndarray of shape (m,)
        The vector, overwritten.
    """
    whole = end - (end - begin) % 4
    for i in range(begin, whole, 4):
        a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
        p, q, s, t = factors[i], factors[i + 1], factors[i + 2], factors[i + 3]
        if p != 0.0 or q != 0.0 or s != 0.0 or t != 0.0:
            for k in range(r.size):
                r[k] -= p * a[k] + q * b[k] + s * c[k] + t * d[k]
    for i in range(whole, end):
        a, p = rows[i], factors[i]
        if p != 0.0:
            for k in range(r.size):
                r[k] -= p * a[k]


@kernel
def _root(b, values, begin, end, ridge, l2):
    """Norm t of the minimiser: ``sum(b**2 / ((values + ridge) * t + l2)**2) = 1``.

    Newton's method on ``1 / sqrt(sum)``, which is concave and nearly linear in t.
    """
    size, largest = norm(b, begin, end), values[end - 1] + ridge
    if size <= l2 or largest <= 0.0:
        return 0.0
    t = (size - l2) / largest
    for _ in range(_ROOT_STEPS):
        total = slope = 0.0
        for i in range(begin, end):
            if b[i] != 0.0:
                bend = (values[i] + ridge) * t + l2
                term = (b[i] / bend) ** 2
                total += term
                slope += term * (values[i] + ridge) / bend
        if not slope > 0.0:
            break
        step = (math.sqrt(total) - 1.0) * total / slope
        t += step
        if step <= _ROOT_TOL * t:
            break
    return t


@kernel
def _rotated(columns, strengths, g, w, work):
    """Minimise over a group with a norm alone, in the basis of its eigenvectors.

    Parameters
    ----------
    columns, strengths : GroupColumns, GroupStrengths
        The columns and the penalty.
    g : int
        The group.
    w : ndarray of shape (k,)
        Coefficients.
    work : ndarray of shape (_SCRATCH, k)
        The first row holds the negative gradient; the second is overwritten by the
        minimiser, the others are scratch.
    """
    l2, ridge = strengths.l2[g], strengths.ridge
    begin, end, place = columns.starts[g], columns.starts[g + 1], columns.places[g]
    m, values, vectors = end - begin, columns.values, columns.vectors
    b, new, turned, at = work[0], work[1], work[2], work[3]
    for i in range(begin, end):
        turned[i] = at[i] = 0.0
    for j in range(begin, end):
        row = vectors[place + (j - begin) * m :]
        for i in range(m):
            turned[begin + i] += row[i] * b[j]
            at[begin + i] += row[i] * w[j]
    for i in range(begin, end):
        turned[i] += (values[i] + ridge) * at[i]
    t = _root(turned, values, begin, end, ridge, l2) if l2 > 0.0 else 1.0
    least = 0.0 if l2 > 0.0 else 1e-13 * (values[end - 1] + ridge)
    for i in range(begin, end):
        bend = (values[i] + ridge) * t + l2
        turned[i] = turned[i] * t / bend if bend > least else at[i]
    for j in range(begin, end):
        row, total = vectors[place + (j - begin) * m :], 0.0
        for i in range(m):
            total += row[i] * turned[begin + i]
        new[j] = total


@kernel
def _proximal(b, w, bend, strengths, g, begin, end, new):
    """Proximal gradient step on a group."""
    l1, l2 = strengths.l1 / bend, strengths.l2[g] / bend
    for j in range(begin, end):
        new[j] = shrink(w[j] + b[j] / bend, l1, strengths.positive)
    size = norm(new, begin, end)
    factor = 1.0 - l2 / size if size > l2 else 0.0
    for j in range(begin, end):
        new[j] *= factor


@kernel
def _iterated(columns, strengths, g, w, work):
    """Minimise over a group by accelerated proximal gradient steps, restarted.

    Parameters
    ----------
    columns, strengths, g, w, work
        As those of `_rotated`.
    """
    ridge, bend = strengths.ridge, columns.steepest[g] + strengths.ridge
    begin, end, place = columns.starts[g], columns.starts[g + 1], columns.places[g]
    m, values, vectors = end - begin, columns.values, columns.vectors
    b, new, last, at = work[0], work[1], work[2], work[3]
    gradient, moved = work[4], work[5]
    for j in range(begin, end):
        last[j], at[j], gradient[j] = w[j], w[j], b[j]
    theta = 1.0
    for _ in range(_INNER_STEPS):
        _proximal(gradient, at, bend, strengths, g, begin, end, new)
        step = whole = turn = 0.0
        for j in range(begin, end):
            step += (new[j] - at[j]) ** 2
            whole += (new[j] - w[j]) ** 2
            turn += (at[j] - new[j]) * (new[j] - last[j])
        if step <= _INNER_TOL**2 * whole:
            break
        before, theta = theta, 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * theta**2))
        momentum = (before - 1.0) / theta
        if turn > 0.0:
            theta, momentum = 1.0, 0.0
        for j in range(begin, end):
            at[j] = new[j] + momentum * (new[j] - last[j])
            last[j], moved[j] = new[j], 0.0
        for j in range(begin, end):
            row, x = vectors[place + (j - begin) * m :], at[j] - w[j]
            for i in range(m):
                moved[begin + i] += row[i] * x
        for j in range(begin, end):
            row, total = vectors[place + (j - begin) * m :], ridge * (at[j] - w[j])
            for i in range(m):
                total += row[i] * values[begin + i] * moved[begin + i]
            gradient[j] = b[j] - total


@kernel
def _sweep(columns, strengths, visited, n, w, r, work):
    """Minimise over the first n of some groups, or descend, one after the other."""
    ridge, b, new = strengths.ridge, work[0], work[1]
    for i in range(n):
        g = visited[i]
        begin, end = columns.starts[g], columns.starts[g + 1]
        bend = columns.steepest[g] + ridge
        if bend <= 0.0:
            continue
        _slope(columns, ridge, begin, end, w, r, b)
        if end - begin == 1 or columns.places[g] == columns.places[g + 1]:
            _proximal(b, w, bend, strengths, g, begin, end, new)
        elif strengths.l1 > 0.0 or strengths.positive:
            _iterated(columns, strengths, g, w, work)
        else:
            _rotated(columns, strengths, g, w, work)
        for j in range(begin, end):
            b[j] = new[j] - w[j]
            w[j] = new[j]
        subtract(columns.rows, begin, end, b, r)


@kernel
def _look(columns, strengths, w, r, visited, u):
    """Duality gap, and which groups to visit.

    Parameters
    ----------
    visited : ndarray of shape (G,), intp
        Overwritten by the groups that are not zero, or should not be.
    u : ndarray of shape (k,)
        Overwritten by the dual point, up to its scale.

    Returns
    -------
    gap : float
        On these columns; groups without penalty count with what they lack.
    left : float
        Largest gradient of those, as a share of what it may be.
    n : int
        How many groups to visit.
    """
    l1, positive, starts = strengths.l1, strengths.positive, columns.starts
    t, left, n = 1.0, 0.0, 0
    _slope(columns, strengths.ridge, starts[0], starts[-1], w, r, u)
    for g in range(visited.size):
        begin, end, l2 = starts[g], starts[g + 1], strengths.l2[g]
        lacks = shrunk_norm(u, begin, end, l1, positive) > l2
        if not (lacks or norm(w, begin, end) > 0.0):
            continue
        visited[n] = g
        n += 1
        if l1 > 0.0 or l2 > 0.0:
            t = scale(u, begin, end, l1, l2, positive, t)
            continue
        unit = math.sqrt(columns.square * columns.steepest[g]) + 1e-300
        for j in range(begin, end):
            if not (positive and w[j] == 0.0 and u[j] <= 0.0):
                left = max(left, abs(u[j]) / unit)
    return _gap(columns, strengths, w, r, u, 1.0 / t), left, n


@kernel
def _loss(columns, ridge, w, r):
    """Half the mean square of the residuals, and half the ridge."""
    total = squares = 0.0
    for x in w:
        squares += x * x
    if columns.is_gram:
        total = columns.square
        for j in range(w.size):
            total -= w[j] * (columns.target[j] + r[j])
        total = max(total, 0.0)
    else:
        for x in r:
            total += x * x
    return 0.5 * (total + ridge * squares)


@kernel
def _gap(columns, strengths, w, r, u, s):
    """Duality gap at the dual point ``s * u``, as a sum of terms of at least 0."""
    gap = (1.0 - s) ** 2 * _loss(columns, strengths.ridge, w, r)
    for g in range(columns.starts.size - 1):
        begin, end, l2 = columns.starts[g], columns.starts[g + 1], strengths.l2[g]
        part = l2 * norm(w, begin, end)
        for j in range(begin, end):
            part += strengths.l1 * abs(w[j]) - s * u[j] * w[j]
        if l2 > 0.0 or strengths.l1 > 0.0:
            gap += max(part, 0.0)
        else:
            gap += abs(part)
    return gap


@kernel
def objective(columns, strengths, w, r):
    """Objective at coefficients; infinite if one has the wrong sign.

    Parameters
    ----------
    columns, strengths : GroupColumns, GroupStrengths
        The columns and the penalty.
    w : ndarray of shape (k,)
        Coefficients.
    r : ndarray of shape (m,)
        Residuals, or the negative gradient without the ridge's part.

    Returns
    -------
    float
    """
    total = _loss(columns, strengths.ridge, w, r)
    for g in range(columns.starts.size - 1):
        size = norm(w, columns.starts[g], columns.starts[g + 1])
        total += strengths.l2[g] * size
    for x in w:
        total += strengths.l1 * abs(x)
        if strengths.positive and x < 0.0:
            return math.inf
    return total


@kernel
def _mix(history, k, M, c):
    """Find the weights of the last points whose mixed step is shortest.

    Parameters
    ----------
    history : ndarray of shape (_DEPTH + 2, k + m)
        The points, whose first k numbers count, and one row not used.
    k : int
        Number of coefficients.
    M, c : ndarray of shape (_DEPTH, _DEPTH) and (_DEPTH,)
        Overwritten; c by the weights.

    Returns
    -------
    bool
        False if there are none.
    """
    n, trace = c.size, 0.0
    for i in range(n):
        c[i] = 1.0
        for j in range(i + 1):
            total = 0.0
            for h in range(k):
                one = history[i + 1, h] - history[i, h]
                total += one * (history[j + 1, h] - history[j, h])
            M[i, j] = M[j, i] = total
        trace += M[i, i]
    for j in range(n):
        M[j, j] += 1e-10 * trace
        if not M[j, j] > 0.0:
            return False
        for i in range(j + 1, n):
            ratio = M[i, j] / M[j, j]
            for h in range(j, n):
                M[i, h] -= ratio * M[j, h]
            c[i] -= ratio * c[j]
    total = 0.0
    for j in range(n - 1, -1, -1):
        for i in range(j + 1, n):
            c[j] -= M[j, i] * c[i]
        c[j] /= M[j, j]
        total += c[j]
    for j in range(n):
        c[j] /= total
    return 0.0 < abs(total) < math.inf


@kernel
def _extrapolate(columns, strengths, history, c, state, k):
    """Move to the extrapolation of the last points, if it is lower."""
    new = history[_DEPTH + 1]
    for j in range(new.size):
        total = 0.0
        for i in range(_DEPTH):
            total += c[i] * history[i + 1, j]
        new[j] = total
    lowest = objective(columns, strengths, state[:k], state[k:])
    if objective(columns, strengths, new[:k], new[k:]) < lowest:
        for j in range(new.size):
            state[j] = new[j]


@kernel
def descend(columns, strengths, state, tol, free_tol, max_sweeps):
    """Minimise in place by sweeps over the groups that are not zero, or should not be.

    Parameters
    ----------
    columns : GroupColumns
        The columns.
    strengths : GroupStrengths
        The penalty.
    state : ndarray of shape (k + m,)
        Coefficients, then the residuals, or the negative gradient.
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
    k = columns.starts[-1]
    w, r = state[:k], state[k:]
    visited = np.empty(columns.starts.size - 1, np.intp)
    history, work = np.empty((_DEPTH + 2, state.size)), np.empty((_SCRATCH, k))
    M, c = np.empty((_DEPTH, _DEPTH)), np.empty(_DEPTH)
    done, at_once = 0, 1
    while True:
        gap, left, n = _look(columns, strengths, w, r, visited, work[0])
        if gap <= tol and left <= free_tol:
            return True
        if n == 0 or done >= max_sweeps:
            return False
        for i in range(at_once + 1):
            if i > 0:
                _sweep(columns, strengths, visited, n, w, r, work)
            for j in range(state.size):
                history[i, j] = state[j]
        done += at_once
        if at_once == _DEPTH and _mix(history, k, M, c):
            _extrapolate(columns, strengths, history, c, state, k)
        at_once = min(at_once + 2, _DEPTH)
