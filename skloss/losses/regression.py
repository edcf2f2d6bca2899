"""Losses for a real target, in the residual r = f - y or with a log link.

For the log link, f is the logarithm of the predicted mean. The Poisson and gamma
losses are halves of the unit deviances, less the terms of y alone, as in
scikit-learn's loss module; the squared error is half the square, likewise.
"""

from math import inf
from typing import NamedTuple

from skloss._elementary import exp, exp_half, log
from skloss._values import FRACTION, NONNEGATIVE, POSITIVE
from skloss.losses._contract import conjugate, curvature, derivative, register, value

__all__ = [
    "Absolute",
    "EpsilonInsensitive",
    "Gamma",
    "Huber",
    "Poisson",
    "Quantile",
    "Squared",
    "SquaredEpsilonInsensitive",
]


@register("squared")
class Squared(NamedTuple):
    """Half the squared error, r^2 / 2: its minimiser is the mean.

    References
    ----------
    C. F. Gauss, "Theoria combinationis observationum erroribus minimis obnoxiae",
    1823.

    Examples
    --------
    >>> from skloss.losses import Squared, value
    >>> value(Squared(), 1.0, 3.0)
    2.0
    """

    targets = "real"
    lipschitz = inf
    smoothness = 1.0


@value.implement(Squared)
def _(loss, y, f):
    r = f - y
    return 0.5 * r * r


@derivative.implement(Squared)
def _(loss, y, f):
    return f - y


@curvature.implement(Squared)
def _(loss, y, f):
    return 1.0


@conjugate.implement(Squared)
def _(loss, y, a):
    return a * y + 0.5 * a * a


@register("absolute")
class Absolute(NamedTuple):
    """Absolute error, abs(r): its minimiser is the median.

    References
    ----------
    P.-S. de Laplace, "Théorie analytique des probabilités", second supplement, 1818.

    Examples
    --------
    >>> from skloss.losses import Absolute, value
    >>> value(Absolute(), 1.0, -2.0)
    3.0
    """

    targets = "real"
    lipschitz = 1.0
    smoothness = inf


@value.implement(Absolute)
def _(loss, y, f):
    return abs(f - y)


@derivative.implement(Absolute)
def _(loss, y, f):
    return 1.0 if f > y else (-1.0 if f < y else 0.0)


@curvature.implement(Absolute)
def _(loss, y, f):
    return 0.0


@conjugate.implement(Absolute)
def _(loss, y, a):
    return a * y if abs(a) <= 1.0 else inf


@register("huber")
class Huber(NamedTuple):
    """Quadratic within `delta` of the target, linear beyond.

    r^2 / 2 for abs(r) <= delta, delta (abs(r) - delta / 2) beyond: half the squared
    error for delta -> inf, and `delta` times the absolute error for delta -> 0.

    Parameters
    ----------
    delta : float, default=1.35
        Residual from which on the loss is linear, positive. The default has 95 %
        of the mean's efficiency for normal errors of variance 1.

    References
    ----------
    P. J. Huber, "Robust Estimation of a Location Parameter", Annals of Mathematical
    Statistics 35, 1964.

    Examples
    --------
    >>> from skloss.losses import Huber, value
    >>> value(Huber(delta=1.0), 0.0, 3.0)
    2.5
    """

    delta: float = 1.35

    allowed = {"delta": POSITIVE}
    targets = "real"
    smoothness = 1.0

    @property
    def lipschitz(self):
        """Largest absolute derivative."""
        return self.delta


@value.implement(Huber)
def _(loss, y, f):
    r = abs(f - y)
    clipped = min(r, loss.delta)
    return clipped * (r - 0.5 * clipped)


@derivative.implement(Huber)
def _(loss, y, f):
    return min(max(f - y, -loss.delta), loss.delta)


@curvature.implement(Huber)
def _(loss, y, f):
    return 1.0 if abs(f - y) < loss.delta else 0.0


@conjugate.implement(Huber)
def _(loss, y, a):
    return a * y + 0.5 * a * a if abs(a) <= loss.delta else inf


@register("epsilon_insensitive")
class EpsilonInsensitive(NamedTuple):
    """Absolute error beyond a tolerance, max(0, abs(r) - epsilon).

    Parameters
    ----------
    epsilon : float, default=0.1
        Residuals up to this cost nothing, at least 0; in units of the target.

    References
    ----------
    V. Vapnik, "The Nature of Statistical Learning Theory", 1995.

    Examples
    --------
    >>> from skloss.losses import EpsilonInsensitive, value
    >>> value(EpsilonInsensitive(epsilon=0.5), 0.0, 2.0)
    1.5
    """

    epsilon: float = 0.1

    allowed = {"epsilon": NONNEGATIVE}
    targets = "real"
    lipschitz = 1.0
    smoothness = inf


@value.implement(EpsilonInsensitive)
def _(loss, y, f):
    return max(abs(f - y) - loss.epsilon, 0.0)


@derivative.implement(EpsilonInsensitive)
def _(loss, y, f):
    r = f - y
    return 1.0 if r > loss.epsilon else (-1.0 if r < -loss.epsilon else 0.0)


@curvature.implement(EpsilonInsensitive)
def _(loss, y, f):
    return 0.0


@conjugate.implement(EpsilonInsensitive)
def _(loss, y, a):
    return a * y + loss.epsilon * abs(a) if abs(a) <= 1.0 else inf


@register("squared_epsilon_insensitive")
class SquaredEpsilonInsensitive(NamedTuple):
    """Squared error beyond a tolerance, max(0, abs(r) - epsilon)^2.

    Not halved, as in scikit-learn's ``LinearSVR``: twice `Squared` for epsilon = 0.

    Parameters
    ----------
    epsilon : float, default=0.1
        Residuals up to this cost nothing, at least 0; in units of the target.

    References
    ----------
    C.-H. Ho, C.-J. Lin, "Large-scale Linear Support Vector Regression", JMLR 13, 2012.

    Examples
    --------
    >>> from skloss.losses import SquaredEpsilonInsensitive, value
    >>> value(SquaredEpsilonInsensitive(epsilon=0.5), 0.0, 2.0)
    2.25
    """

    epsilon: float = 0.1

    allowed = {"epsilon": NONNEGATIVE}
    targets = "real"
    lipschitz = inf
    smoothness = 2.0


@value.implement(SquaredEpsilonInsensitive)
def _(loss, y, f):
    m = max(abs(f - y) - loss.epsilon, 0.0)
    return m * m


@derivative.implement(SquaredEpsilonInsensitive)
def _(loss, y, f):
    r = f - y
    return 2.0 * (r - min(max(r, -loss.epsilon), loss.epsilon))


@curvature.implement(SquaredEpsilonInsensitive)
def _(loss, y, f):
    return 2.0 if abs(f - y) > loss.epsilon else 0.0


@conjugate.implement(SquaredEpsilonInsensitive)
def _(loss, y, a):
    return a * y + loss.epsilon * abs(a) + 0.25 * a * a


@register("quantile")
class Quantile(NamedTuple):
    """Pinball loss: its minimiser is a quantile.

    quantile * (y - f) where the target lies above the prediction, (1 - quantile) *
    (f - y) where it lies below; half the absolute error at 0.5.

    Parameters
    ----------
    quantile : float, default=0.5
        Strictly between 0 and 1.

    References
    ----------
    R. Koenker, G. Bassett, "Regression Quantiles", Econometrica 46, 1978.

    Examples
    --------
    >>> from skloss.losses import Quantile, value
    >>> value(Quantile(quantile=0.75), 2.0, 0.0)
    1.5
    """

    quantile: float = 0.5

    allowed = {"quantile": FRACTION}
    targets = "real"
    smoothness = inf

    @property
    def lipschitz(self):
        """Largest absolute derivative."""
        return max(self.quantile, 1.0 - self.quantile)


@value.implement(Quantile)
def _(loss, y, f):
    r = f - y
    return max((1.0 - loss.quantile) * r, -loss.quantile * r)


@derivative.implement(Quantile)
def _(loss, y, f):
    if f == y:
        return 0.0
    return 1.0 - loss.quantile if f > y else -loss.quantile


@curvature.implement(Quantile)
def _(loss, y, f):
    return 0.0


@conjugate.implement(Quantile)
def _(loss, y, a):
    return a * y if -loss.quantile <= a <= 1.0 - loss.quantile else inf


@register("poisson")
class Poisson(NamedTuple):
    """Half the Poisson deviance with a log link, exp(f) - y f.

    The full half deviance adds y log(y) - y. Overflows to inf for f above 709
    (float32: 88), where no finite number is right.

    References
    ----------
    P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd edition, 1989.

    Examples
    --------
    >>> from skloss.losses import Poisson, derivative
    >>> float(derivative(Poisson(), 3.0, 0.0))
    -2.0
    """

    targets = "nonnegative"
    lipschitz = inf
    smoothness = inf


@value.implement(Poisson)
def _(loss, y, f):
    return exp(f) - y * f


@derivative.implement(Poisson)
def _(loss, y, f):
    return exp(f) - y


@curvature.implement(Poisson)
def _(loss, y, f):
    return exp(f)


@conjugate.implement(Poisson)
def _(loss, y, a):
    mean = a + y
    if mean < 0.0:
        return inf
    return mean * log(mean) - mean if mean > 0.0 else 0.0


@register("gamma")
class Gamma(NamedTuple):
    """Half the gamma deviance with a log link, f + y exp(-f).

    The full half deviance subtracts log(y) + 1. Overflows to inf for f below
    log(y) - 709 (float32: log(y) - 88), where no finite number is right. Denormal
    targets, below 2.3e-308 (float32: 1.2e-38), overflow earlier, for f below -1419
    (float32: -177).

    References
    ----------
    P. McCullagh, J. A. Nelder, "Generalized Linear Models", 2nd edition, 1989.

    Examples
    --------
    >>> from skloss.losses import Gamma, derivative
    >>> float(derivative(Gamma(), 3.0, 0.0))
    -2.0
    """

    targets = "positive"
    lipschitz = inf
    smoothness = inf


# y exp(-f) is taken as (y exp(-f / 2)) exp(-f / 2): for normal y, a half overflows or
# underflows only where the whole does. exp(log(y) - f) would be slower, and less
# accurate by the rounding of log(y).


@value.implement(Gamma)
def _(loss, y, f):
    half = exp_half(-f)
    return f + (y * half) * half


@derivative.implement(Gamma)
def _(loss, y, f):
    half = exp_half(-f)
    return 1.0 - (y * half) * half


@curvature.implement(Gamma)
def _(loss, y, f):
    half = exp_half(-f)
    return (y * half) * half


@conjugate.implement(Gamma)
def _(loss, y, a):
    ratio = 1.0 - a
    if ratio < 0.0:
        return inf
    # not log(ratio / y): the quotient may leave the range of floats
    return ratio * (log(ratio) - log(y)) - ratio if ratio > 0.0 else 0.0
