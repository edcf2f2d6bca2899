"""Kernels of penalties ``sum_g l1 * ||w_g||_1 + l2[g] * ||w_g||``, group by group.

Coefficients come as they are; `order` and `starts` of `Blocks` say which are together.
A group with ``l1 = l2[g] = 0`` is free.
"""

import math

import numpy as np

from skloss._jit import kernel

__all__ = [
    "block_excess",
    "block_gap",
    "block_prox",
    "block_value",
    "critical",
    "excess",
    "norm",
    "scale",
    "shrink",
]

_ROOT_STEPS = 100


@kernel
def shrink(v, amount, positive):
    """Soft threshold, where the sign is that of the coefficients allowed."""
    if positive:
        return max(v - amount, 0.0)
    return max(v - amount, 0.0) + min(v + amount, 0.0)


@kernel
def norm(v):
    """Euclidean norm, without overflow."""
    total = 0.0
    for x in v:
        total += x * x
    if 1e-280 < total < 1e280:
        return math.sqrt(total)
    unit = 0.0
    for x in v:
        unit = max(unit, abs(x))
    if not 0.0 < unit < math.inf:
        return math.sqrt(total)
    total = 0.0
    for x in v:
        total += (x / unit) ** 2
    return unit * math.sqrt(total)


@kernel
def excess(u, l1, l2, positive, work):
    """Norm of what a gradient has beyond the absolute values, less that of the norm."""
    for i in range(u.size):
        work[i] = shrink(u[i], l1, positive)
    return norm(work[: u.size]) - l2


@kernel
def scale(u, l1, l2, positive, work, t):
    """Smallest number, of at least t, with ``||(u - t * l1)_+|| <= t * l2``.

    The difference of the two is convex and falls, so that Newton's method from below
    never passes the root.
    """
    if l1 == 0.0:
        size = excess(u, 0.0, 0.0, positive, work)
        return max(t, size / l2) if l2 > 0.0 else t
    for _ in range(_ROOT_STEPS):
        size = excess(u, t * l1, 0.0, positive, work)
        if size <= t * l2:
            break
        slope = l2
        for i in range(u.size):
            slope += l1 * (abs(work[i]) / size)
        step = (size - t * l2) / slope
        if step <= 4e-16 * t:
            break
        t += step
    return t


@kernel
def critical(u, order, starts, l1, l2, positive):
    """Smallest t for which u is feasible at strengths ``t * l1`` and ``t * l2``."""
    t = 0.0
    mine, work = np.empty((2, u.size))
    for g in range(l2.size):
        m = starts[g + 1] - starts[g]
        for i in range(m):
            mine[i] = u[order[starts[g] + i]]
        t = scale(mine[:m], l1, l2[g], positive, work, t)
    return t


@kernel
def block_value(w, order, starts, l1, l2, positive):
    """Penalty of coefficients; infinite if one has the wrong sign."""
    total = 0.0
    mine = np.empty(w.size)
    for g in range(l2.size):
        m = starts[g + 1] - starts[g]
        for i in range(m):
            mine[i] = x = w[order[starts[g] + i]]
            total += l1 * abs(x)
            if positive and x < 0.0:
                return math.inf
        total += l2[g] * norm(mine[:m])
    return total


@kernel
def block_prox(v, order, starts, l1, l2, positive, out):
    """Write the proximal operator: coefficients shrink, then groups do."""
    mine = np.empty(v.size)
    for g in range(l2.size):
        begin, m = starts[g], starts[g + 1] - starts[g]
        for i in range(m):
            x = v[order[begin + i]]
            mine[i] = shrink(x, l1, positive) if l1 > 0.0 or positive else x
        size = norm(mine[:m])
        factor = 1.0 - l2[g] / size if size > l2[g] else 0.0
        for i in range(m):
            out[order[begin + i]] = factor * mine[i]


@kernel
def block_gap(w, u, s, order, starts, l1, l2, positive):
    """Penalty's part of a duality gap at ``s * u``, which is feasible."""
    total = 0.0
    mine = np.empty(w.size)
    for g in range(l2.size):
        m = starts[g + 1] - starts[g]
        part = away = 0.0
        for i in range(m):
            j = order[starts[g] + i]
            mine[i] = w[j]
            part += l1 * abs(w[j]) - s * u[j] * w[j]
            away += abs(u[j] * w[j])
            if positive and w[j] < 0.0:
                return math.inf
        if l1 == 0.0 and l2[g] == 0.0:
            total += s * away
        else:
            part += l2[g] * norm(mine[:m])
            total += 0.0 if part < 0.0 else part  # nan stays nan
    return total


@kernel
def block_excess(u, order, starts, l1, l2, positive, out):
    """Write how far each group's gradient is beyond what keeps it at zero."""
    mine, work = np.empty((2, u.size))
    for g in range(l2.size):
        begin, m = starts[g], starts[g + 1] - starts[g]
        for i in range(m):
            mine[i] = u[order[begin + i]]
        value = max(excess(mine[:m], l1, l2[g], positive, work), 0.0)
        if l1 == 0.0 and l2[g] == 0.0:
            value = math.inf
        for i in range(m):
            out[order[begin + i]] = value
