"""The minimum of a convex function of one number, however far the start."""

import math

__all__ = ["lowest"]

_MAX_STEPS = 100


def lowest(line):
    """Minimise a convex function of one number, from 0: bracketed Newton steps.

    The derivative's sign says on which side the minimum lies. A Newton step is taken
    if it stays between the ends known so far and is at most half as long as the one
    before; else the bracket is halved or, as long as it is open, the step doubled.

    Parameters
    ----------
    line : callable
        ``line(b)`` returns at b the value, the first and the second derivative, and
        how much of the first may be rounding. Infinite values are steps too long.

    Returns
    -------
    float
        The minimiser to rounding, or the best point met. `line` was called there last.
    """
    low, high, step, newton = -math.inf, math.inf, math.nan, math.inf
    b, best, least = 0.0, 0.0, math.inf
    for _ in range(_MAX_STEPS):
        value, slope, bend, noise = line(b)
        if value < least:
            best, least = b, value
        if math.isnan(slope):  # the step was too long, which tells the side
            slope = step
        if abs(slope) <= noise < math.inf or math.isnan(slope):
            return b
        low, high = (b, high) if slope < 0 else (low, b)
        previous, newton = newton, _newton_step(value, slope, bend)
        if low < b + newton < high and abs(newton) <= 0.5 * abs(previous):
            step = newton
        elif math.isfinite(high - low):
            step = 0.5 * (low + high) - b
        else:
            step = math.copysign(_expansion(step, value, slope), -slope)
        if b + step == b:
            return b
        b += step
    line(best)
    return best


def _newton_step(value, slope, bend):
    """Newton step, at most four times as long as the tangent's way to zero.

    No loss is below zero, so that the way is a natural length. Where the curvature all
    but vanishes the step alone would be astronomical.
    """
    step = abs(slope / bend) if bend > 0 else math.inf
    return math.copysign(min(step, 4 * _tangent(value, slope)), -slope)


def _tangent(value, slope):
    length = abs(value / slope) if slope else math.inf
    return length if math.isfinite(length) and length > 0 else math.inf


def _expansion(step, value, slope):
    known = (2 * abs(step), _tangent(value, slope))
    return max((x for x in known if math.isfinite(x)), default=1.0)
