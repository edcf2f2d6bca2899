"""Convex penalties that act on each coefficient alone.

Proximal operators and conjugates of these functions are tabulated in N. Parikh and
S. Boyd, "Proximal Algorithms", Foundations and Trends in Optimization 1(3), 2014; the
elastic net is from H. Zou and T. Hastie, JRSS B 67(2), 2005.
"""

import math
from typing import NamedTuple

from skloss._jit import dispatched
from skloss._values import NONNEGATIVE, SHARE, Allowed
from skloss.penalties._contract import (
    conjugate,
    dual_scale,
    piece,
    prox,
    register,
    subdifferential_distance,
    value,
)

__all__ = ["L1", "L2", "Box", "ElasticNet", "NonNegative"]


@register("l1")
class L1(NamedTuple):
    """The lasso's penalty, ``alpha * |w|``: exact zeros.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, at least 0.

    Examples
    --------
    >>> from skloss.penalties import L1, evaluate
    >>> evaluate(L1(alpha=0.5), [1.0, -3.0])
    2.0
    """

    alpha: float = 1.0

    allowed = {"alpha": NONNEGATIVE}


@register("l2")
class L2(NamedTuple):
    """The ridge penalty, ``alpha / 2 * w**2``.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, at least 0.

    Examples
    --------
    >>> from skloss.penalties import L2, evaluate
    >>> evaluate(L2(alpha=0.5), [1.0, -3.0])
    2.5
    """

    alpha: float = 1.0

    allowed = {"alpha": NONNEGATIVE}


@register("elasticnet")
class ElasticNet(NamedTuple):
    """Lasso and ridge together.

    ``alpha * (l1_ratio * |w| + (1 - l1_ratio) / 2 * w**2)``

    Parameters
    ----------
    alpha : float, default=1.0
        Strength, at least 0.
    l1_ratio : float, default=0.5
        From 0, which is ridge, to 1, which is the lasso.

    Examples
    --------
    >>> from skloss.penalties import ElasticNet, evaluate
    >>> evaluate(ElasticNet(alpha=1.0, l1_ratio=0.5), [1.0, -3.0])
    4.5
    """

    alpha: float = 1.0
    l1_ratio: float = 0.5

    allowed = {"alpha": NONNEGATIVE, "l1_ratio": SHARE}


@register("nonnegative")
class NonNegative(NamedTuple):
    """Coefficients of at least 0, with an elastic net on them if `alpha` > 0.

    Parameters
    ----------
    alpha : float, default=0.0
        Strength of the elastic net, at least 0.
    l1_ratio : float, default=1.0
        From 0, which is ridge, to 1, which is the lasso.

    Examples
    --------
    >>> from skloss.penalties import NonNegative, evaluate
    >>> evaluate(NonNegative(), [1.0, 3.0]), evaluate(NonNegative(), [1.0, -3.0])
    (0.0, inf)
    """

    alpha: float = 0.0
    l1_ratio: float = 1.0

    allowed = {"alpha": NONNEGATIVE, "l1_ratio": SHARE}


@register("box")
class Box(NamedTuple):
    """Coefficients between `lower` and `upper`.

    Parameters
    ----------
    lower : float, default=0.0
        Smallest value allowed; may be -inf.
    upper : float, default=1.0
        Largest value allowed; may be inf.

    Examples
    --------
    >>> from skloss.penalties import Box, prox
    >>> prox(Box(lower=0.0, upper=1.0), 2.5, 1.0)
    1.0
    """

    lower: float = 0.0
    upper: float = 1.0

    # Each end of infinity leaves one side open; the other two hold no number at all.
    allowed = {
        "lower": Allowed("a number below inf", highest=math.inf, ends=(True, False)),
        "upper": Allowed("a number above -inf", lowest=-math.inf, ends=(False, True)),
    }

    def check(self):
        """Raise ValueError if the box is empty."""
        if self.lower > self.upper:
            raise ValueError(
                f"lower of Box must be at most upper; got lower={self.lower!r} and "
                f"upper={self.upper!r}."
            )


# All of them are one function, a |w| + b w**2 / 2 on an interval, so that each
# operation is written once, for that function.


@dispatched
def canonical(penalty, weight):
    """Return (a, b, lower, upper) of the weighted penalty's canonical form."""


@canonical.implement(L1)
def _(penalty, weight):
    return weight * penalty.alpha, 0.0, -math.inf, math.inf


@canonical.implement(L2)
def _(penalty, weight):
    return 0.0, weight * penalty.alpha, -math.inf, math.inf


@canonical.implement(ElasticNet)
def _(penalty, weight):
    strength = weight * penalty.alpha
    r = penalty.l1_ratio
    return strength * r, strength * (1.0 - r), -math.inf, math.inf


@canonical.implement(NonNegative)
def _(penalty, weight):
    strength = weight * penalty.alpha
    r = penalty.l1_ratio
    lower = 0.0 if weight > 0.0 else -math.inf
    return strength * r, strength * (1.0 - r), lower, math.inf


@canonical.implement(Box)
def _(penalty, weight):
    if weight > 0.0:
        return 0.0, 0.0, penalty.lower, penalty.upper
    return 0.0, 0.0, -math.inf, math.inf


def _value(penalty, w, weight=1.0):
    a, b, lower, upper = canonical(penalty, weight)
    if w < lower or w > upper:
        return math.inf
    return a * abs(w) + 0.5 * b * w * w


def _prox(penalty, v, step):
    a, b, lower, upper = canonical(penalty, step)
    x = (max(v - a, 0.0) + min(v + a, 0.0)) / (1.0 + b)
    return min(max(x, lower), upper)


def _subdifferential_distance(penalty, w, g, weight=1.0):
    a, b, lower, upper = canonical(penalty, weight)
    if w < lower or w > upper:
        return math.inf
    slope = b * w
    smallest = -math.inf if w == lower else slope + (a if w > 0.0 else -a)
    largest = math.inf if w == upper else slope + (-a if w < 0.0 else a)
    return max(smallest + g, -g - largest, 0.0)


def _conjugate(penalty, u, weight=1.0):
    a, b, lower, upper = canonical(penalty, weight)
    excess = max(abs(u) - a, 0.0)
    if excess == 0.0:
        w = 0.0
    elif b > 0.0:
        w = math.copysign(excess / b, u)
    else:
        w = math.copysign(math.inf, u)
    w = min(max(w, lower), upper)
    if math.isinf(w):
        return math.inf
    return u * w - a * abs(w) - 0.5 * b * w * w


def _dual_scale(penalty, u, weight=1.0):
    a, b, lower, upper = canonical(penalty, weight)
    bound = upper if u > 0.0 else lower
    if b > 0.0 or abs(u) <= a or not math.isinf(bound):
        return 1.0
    return a / abs(u) * (1.0 - 1e-15)  # rounded into the domain


def _piece(penalty, w, weight=1.0):
    a, b, lower, upper = canonical(penalty, weight)
    if a > 0.0:
        if w >= 0.0:
            lower = max(lower, 0.0)
        if w <= 0.0:
            upper = min(upper, 0.0)
    if not lower < w < upper:
        return w, w, 0.0, 0.0
    return lower, upper, b * w + math.copysign(a, w), b


for _penalty in (L1, L2, ElasticNet, NonNegative, Box):
    value.implement(_penalty)(_value)
    prox.implement(_penalty)(_prox)
    subdifferential_distance.implement(_penalty)(_subdifferential_distance)
    conjugate.implement(_penalty)(_conjugate)
    dual_scale.implement(_penalty)(_dual_scale)
    piece.implement(_penalty)(_piece)
