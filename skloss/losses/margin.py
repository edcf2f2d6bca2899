"""Margin losses for two classes: functions of z = y f with y in {-1, +1}.

All of them are convex and classification-calibrated (negative derivative at z = 0;
P. L. Bartlett, M. I. Jordan, J. D. McAuliffe, "Convexity, Classification, and Risk
Bounds", JASA 101, 2006). Where the conjugate exists it is given in the dual variable
``a = y b``, with b in the range of the derivative in z.
"""

from math import inf
from typing import NamedTuple

from skloss._elementary import exp, log, log1p, sigmoid, softplus, softplus_sigmoid
from skloss._values import POSITIVE
from skloss.losses._contract import (
    conjugate,
    curvature,
    derivative,
    probability,
    register,
    value,
    value_derivative,
)

__all__ = [
    "Exponential",
    "Hinge",
    "Logistic",
    "ModifiedHuber",
    "SmoothedHinge",
    "SquaredHinge",
]


@register("logistic")
class Logistic(NamedTuple):
    """Logistic loss, log(1 + exp(-z)).

    The negative log-likelihood of logistic regression. Neither value nor derivative
    overflows, and both keep their relative accuracy where they are tiny.

    References
    ----------
    D. R. Cox, "The Regression Analysis of Binary Sequences", JRSS B 20, 1958.

    Examples
    --------
    >>> from skloss.losses import Logistic, derivative
    >>> float(derivative(Logistic(), 1.0, 0.0))
    -0.5
    """

    targets = "sign"
    lipschitz = 1.0
    smoothness = 0.25


@value.implement(Logistic)
def _(loss, y, f):
    return softplus(-(y * f))


@derivative.implement(Logistic)
def _(loss, y, f):
    return -y * sigmoid(-(y * f))


@value_derivative.implement(Logistic)
def _(loss, y, f):
    v, p = softplus_sigmoid(-(y * f))
    return v, -y * p


@curvature.implement(Logistic)
def _(loss, y, f):
    return sigmoid(f) * sigmoid(-f)


@conjugate.implement(Logistic)
def _(loss, y, a):
    p = -y * a
    if p < 0.0 or p > 1.0:
        return inf
    if p == 0.0 or p == 1.0:
        return 0.0
    return p * log(p) + (1.0 - p) * log1p(-p)


@probability.implement(Logistic)
def _(loss, f):
    return sigmoid(f)


@register("hinge")
class Hinge(NamedTuple):
    """Hinge loss, max(0, 1 - z): the support vector machine's.

    References
    ----------
    C. Cortes, V. Vapnik, "Support-Vector Networks", Machine Learning 20, 1995.

    Examples
    --------
    >>> from skloss.losses import Hinge, derivative
    >>> derivative(Hinge(), -1.0, 0.0)
    1.0
    """

    targets = "sign"
    lipschitz = 1.0
    smoothness = inf


@value.implement(Hinge)
def _(loss, y, f):
    return max(1.0 - y * f, 0.0)


@derivative.implement(Hinge)
def _(loss, y, f):
    return -y if y * f < 1.0 else 0.0


@curvature.implement(Hinge)
def _(loss, y, f):
    return 0.0


@conjugate.implement(Hinge)
def _(loss, y, a):
    b = y * a
    return b if -1.0 <= b <= 0.0 else inf


@register("squared_hinge")
class SquaredHinge(NamedTuple):
    """Squared hinge loss, max(0, 1 - z)^2.

    References
    ----------
    S. S. Keerthi, D. DeCoste, "A Modified Finite Newton Method for Fast Solution of
    Large Scale Linear SVMs", JMLR 6, 2005.

    Examples
    --------
    >>> from skloss.losses import SquaredHinge, value
    >>> value(SquaredHinge(), 1.0, -1.0)
    4.0
    """

    targets = "sign"
    lipschitz = inf
    smoothness = 2.0


@value.implement(SquaredHinge)
def _(loss, y, f):
    m = max(1.0 - y * f, 0.0)
    return m * m


@derivative.implement(SquaredHinge)
def _(loss, y, f):
    return -2.0 * y * max(1.0 - y * f, 0.0)


@curvature.implement(SquaredHinge)
def _(loss, y, f):
    return 2.0 if y * f < 1.0 else 0.0


@conjugate.implement(SquaredHinge)
def _(loss, y, a):
    b = y * a
    return b + 0.25 * b * b if b <= 0.0 else inf


@probability.implement(SquaredHinge)
def _(loss, f):
    return min(max(0.5 + 0.5 * f, 0.0), 1.0)


@register("smoothed_hinge")
class SmoothedHinge(NamedTuple):
    """Hinge loss whose kink is a parabola of a given width.

    0 for z >= 1, 1 - z - width / 2 for z <= 1 - width, (1 - z)^2 / (2 width) between;
    the hinge loss for width -> 0.

    Parameters
    ----------
    width : float, default=1.0
        Length of the quadratic piece in units of z, positive.

    References
    ----------
    S. Shalev-Shwartz, T. Zhang, "Stochastic Dual Coordinate Ascent Methods for
    Regularized Loss Minimization", JMLR 14, 2013.

    Examples
    --------
    >>> from skloss.losses import SmoothedHinge, value
    >>> value(SmoothedHinge(width=0.5), 1.0, 0.0)
    0.75
    """

    width: float = 1.0

    allowed = {"width": POSITIVE}
    targets = "sign"
    lipschitz = 1.0

    @property
    def smoothness(self):
        """Lipschitz constant of the derivative."""
        return 1.0 / self.width


@value.implement(SmoothedHinge)
def _(loss, y, f):
    m = 1.0 - y * f
    clipped = min(max(m, 0.0), loss.width)
    return clipped / loss.width * (m - 0.5 * clipped)


@derivative.implement(SmoothedHinge)
def _(loss, y, f):
    return -y * (min(max(1.0 - y * f, 0.0), loss.width) / loss.width)


@curvature.implement(SmoothedHinge)
def _(loss, y, f):
    return 1.0 / loss.width if 0.0 < 1.0 - y * f < loss.width else 0.0


@conjugate.implement(SmoothedHinge)
def _(loss, y, a):
    b = y * a
    return b + 0.5 * loss.width * b * b if -1.0 <= b <= 0.0 else inf


@register("modified_huber")
class ModifiedHuber(NamedTuple):
    """Squared hinge loss made linear for badly wrong scores.

    max(0, 1 - z)^2 for z >= -1, -4 z below: tolerant of outliers, and still a
    probability can be read off the score.

    References
    ----------
    T. Zhang, "Solving Large Scale Linear Prediction Problems Using Stochastic
    Gradient Descent Algorithms", ICML 2004.

    Examples
    --------
    >>> from skloss.losses import ModifiedHuber, value
    >>> value(ModifiedHuber(), 1.0, -3.0)
    12.0
    """

    targets = "sign"
    lipschitz = 4.0
    smoothness = 2.0


@value.implement(ModifiedHuber)
def _(loss, y, f):
    m = max(1.0 - y * f, 0.0)
    clipped = min(m, 2.0)
    return clipped * (2.0 * m - clipped)


@derivative.implement(ModifiedHuber)
def _(loss, y, f):
    return -2.0 * y * min(max(1.0 - y * f, 0.0), 2.0)


@curvature.implement(ModifiedHuber)
def _(loss, y, f):
    return 2.0 if -1.0 < y * f < 1.0 else 0.0


@conjugate.implement(ModifiedHuber)
def _(loss, y, a):
    b = y * a
    return b + 0.25 * b * b if -4.0 <= b <= 0.0 else inf


@probability.implement(ModifiedHuber)
def _(loss, f):
    return min(max(0.5 + 0.5 * f, 0.0), 1.0)


@register("exponential")
class Exponential(NamedTuple):
    """Exponential loss, exp(-z): AdaBoost's.

    Overflows to inf for z below -709 (float32: -88), where no finite number is right.

    References
    ----------
    J. Friedman, T. Hastie, R. Tibshirani, "Additive Logistic Regression: a
    Statistical View of Boosting", Annals of Statistics 28, 2000.

    Examples
    --------
    >>> from skloss.losses import Exponential, value
    >>> float(value(Exponential(), 1.0, 0.0))
    1.0
    """

    targets = "sign"
    lipschitz = inf
    smoothness = inf


@value.implement(Exponential)
def _(loss, y, f):
    return exp(-(y * f))


@derivative.implement(Exponential)
def _(loss, y, f):
    return -y * exp(-(y * f))


@curvature.implement(Exponential)
def _(loss, y, f):
    return exp(-(y * f))


@conjugate.implement(Exponential)
def _(loss, y, a):
    p = -y * a
    if p < 0.0:
        return inf
    return p * log(p) - p if p > 0.0 else 0.0


@probability.implement(Exponential)
def _(loss, f):
    return sigmoid(2.0 * f)
