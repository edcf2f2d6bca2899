"""Kernels of penalties ``sum_g l1 * ||w_g||_1 + l2[g] * ||w_g||``, group by group.

Vectors come group by group: group g is ``v[starts[g] : starts[g + 1]]``.
"""

import math

from skloss._jit import kernel

__all__ = ["critical", "norm", "scale", "shrink", "shrunk_norm", "shrunk_norms"]

_ROOT_STEPS = 100


@kernel
def shrink(v, amount, positive):
    """Soft threshold, where the sign is that of the coefficients allowed."""
    if positive:
        return max(v - amount, 0.0)
    return max(v - amount, 0.0) + min(v + amount, 0.0)


@kernel
def shrunk_norm(v, begin, end, amount, positive):
    """Euclidean norm of a part of a vector after soft thresholds, without overflow."""
    total = 0.0
    for i in range(begin, end):
        total += shrink(v[i], amount, positive) ** 2
    if 1e-280 < total < 1e280:
        return math.sqrt(total)
    unit = 0.0
    for i in range(begin, end):
        unit = max(unit, abs(shrink(v[i], amount, positive)))
    if not 0.0 < unit < math.inf:
        return math.sqrt(total)
    total = 0.0
    for i in range(begin, end):
        total += (shrink(v[i], amount, positive) / unit) ** 2
    return unit * math.sqrt(total)


@kernel
def norm(v, begin, end):
    """Euclidean norm of a part of a vector, without overflow."""
    any_sign = bool(0)  # a literal would compile the kernel once more
    return shrunk_norm(v, begin, end, 0.0, any_sign)


@kernel
def shrunk_norms(v, starts, amount, positive, out):
    """Write the Euclidean norm of each group after soft thresholds."""
    for g in range(out.size):
        out[g] = shrunk_norm(v, starts[g], starts[g + 1], amount, positive)


@kernel
def scale(u, begin, end, l1, l2, positive, t):
    """Smallest number, of at least t, with ``||(u - t * l1)_+|| <= t * l2``.

    The difference of the two is convex and falls, so that Newton's method from below
    never passes the root.
    """
    if l1 == 0.0:
        size = shrunk_norm(u, begin, end, 0.0, positive)
        return max(t, size / l2) if l2 > 0.0 else t
    for _ in range(_ROOT_STEPS):
        size = shrunk_norm(u, begin, end, t * l1, positive)
        if size <= t * l2:
            break
        slope = l2
        for i in range(begin, end):
            slope += l1 * (abs(shrink(u[i], t * l1, positive)) / size)
        step = (size - t * l2) / slope
        if step <= 4e-16 * t:
            break
        t += step
    return t


@kernel
def critical(u, starts, l1, l2, positive):
    """Smallest t for which u is feasible at strengths ``t * l1`` and ``t * l2``."""
    t = 0.0
    for g in range(l2.size):
        t = scale(u, starts[g], starts[g + 1], l1, l2[g], positive, t)
    return t
