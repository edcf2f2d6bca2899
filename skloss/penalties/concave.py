"""Concave penalties of single coefficients: small ones to zero, large ones untouched.

Both are the lasso's near zero and constant far from it, so that large coefficients are
not biased; in between they are concave. MCP is from C.-H. Zhang, "Nearly unbiased
variable selection under minimax concave penalty", Annals of Statistics 38(2), 2010;
SCAD from J. Fan and R. Li, "Variable selection via nonconcave penalized likelihood and
its oracle properties", JASA 96(456), 2001.

A weight multiplies the penalty of its coefficient as a whole: the threshold of zero
becomes ``weight * alpha``, while the coefficient beyond which the penalty is constant
stays ``gamma * alpha``. The problem of the proximal operator may then have several
local minima; the operator returns a global one, the smallest if there are two.
"""

import math
from typing import NamedTuple

from skloss._jit import dispatched, kernel
from skloss._values import NONNEGATIVE, Allowed
from skloss.penalties._contract import (
    conjugate,
    dual_scale,
    piece,
    prox,
    register,
    subdifferential_distance,
    value,
)

__all__ = ["MCP", "SCAD"]


def _check_positive(penalty):
    if not isinstance(penalty.positive, bool):
        raise TypeError(
            f"positive of {type(penalty).__name__} must be True or False; got "
            f"{penalty.positive!r}."
        )


@register("mcp")
class MCP(NamedTuple):
    """The minimax concave penalty.

    ``alpha * t - t**2 / (2 * gamma)`` for ``t = |w|`` up to ``gamma * alpha``, constant
    beyond.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, at least 0: the slope at zero.
    gamma : float, default=3.0
        Above 1. The larger, the closer to the lasso.
    positive : bool, default=False
        Whether coefficients must be at least 0.

    Examples
    --------
    >>> from skloss.penalties import MCP, evaluate
    >>> evaluate(MCP(alpha=1.0, gamma=2.0), [1.0, 10.0])
    1.75
    """

    alpha: float = 1.0
    gamma: float = 3.0
    positive: bool = False

    allowed = {
        "alpha": NONNEGATIVE,
        "gamma": Allowed("a finite number above 1", 1.0, math.inf, (False, False)),
    }

    def check(self):
        """Raise TypeError if `positive` is not a bool."""
        _check_positive(self)


@register("scad")
class SCAD(NamedTuple):
    """Smoothly clipped absolute deviation.

    Its derivative at ``t = |w|`` is `alpha` up to ``t = alpha``, falls linearly to 0 at
    ``gamma * alpha``, and stays there.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, at least 0: the slope at zero.
    gamma : float, default=3.7
        Above 2. The larger, the closer to the lasso.
    positive : bool, default=False
        Whether coefficients must be at least 0.

    Examples
    --------
    >>> from skloss.penalties import SCAD, evaluate
    >>> evaluate(SCAD(alpha=1.0, gamma=3.0), [1.0, 10.0])
    3.0
    """

    alpha: float = 1.0
    gamma: float = 3.7
    positive: bool = False

    allowed = {
        "alpha": NONNEGATIVE,
        "gamma": Allowed("a finite number above 2", 2.0, math.inf, (False, False)),
    }

    def check(self):
        """Raise TypeError if `positive` is not a bool."""
        _check_positive(self)


# What follows is written once, for a penalty with slope alpha up to t = knot, falling
# linearly to 0 at t = gamma * alpha: the knot is 0 for MCP and alpha for SCAD.


@dispatched
def knot(penalty):
    """Return the coefficient up to which the penalty is the lasso's."""


@knot.implement(MCP)
def _(penalty):
    return 0.0


@knot.implement(SCAD)
def _(penalty):
    return penalty.alpha


def _value(penalty, w, weight=1.0):
    if w < 0.0 and penalty.positive and weight > 0.0:
        return math.inf
    a, start = penalty.alpha, knot(penalty)
    end = penalty.gamma * a
    t = abs(w)
    total = a * min(t, start)
    bent = min(t, end) - start
    if bent > 0.0:
        # The mean of the slopes at both ends, times the length.
        total += a * bent * (1.0 - 0.5 * bent / (end - start))
    return weight * total


def _subdifferential_distance(penalty, w, g, weight=1.0):
    bounded = penalty.positive and weight > 0.0
    if w < 0.0 and bounded:
        return math.inf
    if w == 0.0:
        size = -g if bounded else abs(g)
        return max(size - weight * penalty.alpha, 0.0)
    a, start, t = penalty.alpha, knot(penalty), abs(w)
    end = penalty.gamma * a
    slope = a
    if t > start:
        slope = a * (end - t) / (end - start) if t < end else 0.0
    return abs(g + math.copysign(weight * slope, w))


def _conjugate(penalty, u, weight=1.0):
    # The penalty is bounded: any slope at all outgrows it.
    return 0.0 if _is_outgrown(penalty, u, weight) else math.inf


def _dual_scale(penalty, u, weight=1.0):
    return 1.0 if _is_outgrown(penalty, u, weight) else 0.0


@kernel
def _is_outgrown(penalty, u, weight):
    """Whether no coefficient gains from slope u."""
    return u == 0.0 or (u < 0.0 and penalty.positive and weight > 0.0)


def _piece(penalty, w, weight=1.0):
    a, start, t = penalty.alpha, knot(penalty), abs(w)
    end = penalty.gamma * a
    bounded = penalty.positive and weight > 0.0
    if bounded and not w > 0.0:
        return w, w, 0.0, 0.0
    if weight == 0.0 or a == 0.0:
        return 0.0 if bounded else -math.inf, math.inf, 0.0, 0.0
    if t == 0.0:
        return w, w, 0.0, 0.0
    if t <= start:
        lower, upper, slope, curvature = 0.0, start, weight * a, 0.0
    elif t < end:
        curvature = -weight * a / (end - start)
        lower, upper, slope = start, end, curvature * (t - end)
    else:
        lower, upper, slope, curvature = end, math.inf, 0.0, 0.0
    if w < 0.0:
        return -upper, -lower, -slope, curvature
    return lower, upper, slope, curvature


@prox.implement(MCP)
def _(penalty, v, step):
    if v <= 0.0 and penalty.positive and step > 0.0:
        return 0.0
    a, gamma, t = penalty.alpha, penalty.gamma, abs(v)
    if step >= gamma:  # concave up to gamma * alpha: zero, or v itself
        return v if t > a * math.sqrt(step * gamma) else 0.0
    if t > gamma * a:
        return v
    x = max(t - step * a, 0.0) / (1.0 - step / gamma)
    return math.copysign(min(x, t), v)


@prox.implement(SCAD)
def _(penalty, v, step):
    if v <= 0.0 and penalty.positive and step > 0.0:
        return 0.0
    a, gamma, t = penalty.alpha, penalty.gamma, abs(v)
    soft = max(t - step * a, 0.0)
    if step >= gamma - 1.0:  # concave between alpha and gamma * alpha
        if step >= gamma + 1.0:
            limit = a * math.sqrt(step * (gamma + 1.0))
        else:
            limit = a * 0.5 * (gamma + 1.0 + step)
        return v if t > limit else math.copysign(soft, v)
    if t > gamma * a:
        return v
    if soft > a:
        soft = (t * (gamma - 1.0) - step * gamma * a) / (gamma - 1.0 - step)
    return math.copysign(min(soft, t), v)


for _penalty in (MCP, SCAD):
    value.implement(_penalty)(_value)
    subdifferential_distance.implement(_penalty)(_subdifferential_distance)
    conjugate.implement(_penalty)(_conjugate)
    dual_scale.implement(_penalty)(_dual_scale)
    piece.implement(_penalty)(_piece)
