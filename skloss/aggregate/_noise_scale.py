"""What Gaussian noise costs in privacy: the analytic Gaussian mechanism.

Gaussian noise of standard deviation s, added to a number that one person's data move
by at most D, is (epsilon, delta)-private exactly if, with x = D/s,

    delta >= Phi(x/2 - epsilon/x) - exp(epsilon) Phi(-x/2 - epsilon/x),

the least delta (B. Balle, Y.-X. Wang, "Improving the Gaussian mechanism for
differential privacy: analytical calibration and optimal denoising", ICML 2018). With
a = x/2 - epsilon/x and the density phi, the right side has the derivative phi(a) with
respect to x: it increases. It also is phi(a) (R(-a) - R(x - a)), where R is Mills'
ratio (1 - Phi)/phi, which neither overflows nor underflows for a <= 0.
"""

import math
from fractions import Fraction

import numpy as np
from scipy.special import erfcx, ndtr

__all__ = ["discrete_gaussian_unit", "largest_ratio", "log_delta"]

_ROOT_HALF = math.sqrt(0.5)
_LOG_ROOT_2PI = 0.5 * math.log(2 * math.pi)
# On intervals this short, 16 nodes integrate the slope of Mills' ratio to rounding.
_SHORT = 0.5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def _mills(t):
    return math.sqrt(math.pi / 2) * erfcx(_ROOT_HALF * t)


def log_delta(ratio, epsilon):
    """Compute the logarithm of the least delta of Gaussian noise.

    Parameters
    ----------
    ratio : float
        Sensitivity over standard deviation of the noise, positive.
    epsilon : float
        Positive.

    Returns
    -------
    float
        At most 0; accurate to 1e-12 for `epsilon` up to 10,000, and beyond that as far
        as the digits of `ratio` determine it. Minus infinity below about -500,000.
    """
    a = 0.5 * ratio - epsilon / ratio
    if a < -1000:
        return -math.inf
    log_density = -0.5 * a * a - _LOG_ROOT_2PI
    if ratio < _SHORT:
        # The difference of two almost equal ratios, as an integral of R' = tR - 1.
        t = 0.5 * ratio * (_NODES + 1) - a
        mean = 0.5 * float(_WEIGHTS @ _mills_slope(t))
        return log_density + math.log(ratio) + math.log(mean)
    if a > 0:  # where R(-a) would overflow
        return math.log(ndtr(a) - math.exp(log_density) * _mills(ratio - a))
    return log_density + math.log(_mills(-a) - _mills(ratio - a))


def _mills_slope(t):
    """Return 1 - t R(t), by its asymptotic series where this cancels."""
    u = 1 / np.maximum(t, 1.0) ** 2
    series = u * (1 - 3 * u * (1 - 5 * u * (1 - 7 * u * (1 - 9 * u))))
    return np.where(t > 50, series, 1 - t * _mills(t))


def largest_ratio(epsilon, delta):
    """Find the largest ratio of sensitivity to noise that is private enough.

    Parameters
    ----------
    epsilon : float
        Positive and finite.
    delta : float
        Between 0 and 1.

    Returns
    -------
    float
        The last float at which `log_delta` is not above ``log(delta)``.
    """
    target = math.log(delta)
    # The derivative of delta is a density, at most 1/sqrt(2 pi).
    low = 0.5 * delta
    high = max(1.0, math.sqrt(2) * math.sqrt(epsilon))
    while log_delta(high, epsilon) <= target:
        low, high = high, 2 * high
    while True:
        # Halving ratios, then differences: the ends may be 300 decades apart.
        middle = math.sqrt(low) * math.sqrt(high)
        if high < 2 * low or not low < middle < high:
            middle = low + 0.5 * (high - low)
        if not low < middle < high:
            return low
        if log_delta(middle, epsilon) <= target:
            low = middle
        else:
            high = middle


def discrete_gaussian_unit(epsilon, delta, bits):
    """Compute the scale of discrete Gaussian noise for a sensitivity of 1.

    With scale t and the noise moved by j steps, the discrete law needs a delta of at
    most the sum over whole x of f(x) = max(0, u(x) - v(x)), where u is the normal
    density of deviation t and v(x) = exp(epsilon) u(x - j): the discrete law divides
    by the sum of u, which is above 1. The integral of f is the delta of the continuous
    law, and the trapezoidal rule is off by at most an eighth of the variation of f'.
    This is, where v <= u, at most that of u', 1/t^2, and of v', (2 + (j/t)^2)/t^2, and
    at the end of that half line the jump u j/t^2 <= 0.4 (j/t)/t^2.

    Parameters
    ----------
    epsilon : float
        Positive and finite.
    delta : float
        Between 0 and 1.
    bits : int
        The scale of the noise will be at least ``2**(bits - 1)`` steps.

    Returns
    -------
    Fraction
        Ratio t/j of the scale of the noise to the sensitivity, both in steps, or a
        little more.

    Raises
    ------
    ValueError
        If `delta` is so small that the grid counts.
    """
    # Of a smaller delta the ratio would be smaller.
    ratio = largest_ratio(epsilon, delta)
    variation = (3 + 0.4 * ratio + ratio * ratio) * 4.0 ** (1 - bits)
    target = delta * (1 - 2.0**-30) - variation / 8  # and room for the rounding
    if target < delta / 2:
        raise ValueError(
            f"delta={delta} is too small for discrete Gaussian noise of epsilon="
            f"{epsilon}: it must be at least {variation / 4:.1e}. mechanism='laplace' "
            "needs none."
        )
    return (1 + Fraction(1, 2**bits)) / Fraction(largest_ratio(epsilon, target))
