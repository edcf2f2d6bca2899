"""Tail of the normal distribution: its probability, logarithm and hazard.

Beyond 4 the hazard is t + K(t) with Laplace's continued fraction
K(t) = 1 / (t + 2 / (t + 3 / (t + ...))), whose convergents are ratios of polynomials
in 1 / t^2 with positive coefficients: nothing cancels. Below 4 the error function of
the C library serves.
"""

from math import erfc, floor, pi, sqrt

from skloss._elementary import exp, log, log1p
from skloss._jit import kernel

__all__ = [
    "LOG_ROOT_2PI",
    "log_normal_tail",
    "normal_density",
    "normal_hazard",
    "normal_tail",
]

LOG_ROOT_2PI = float(0.5 * log(2.0 * pi))
_PER_ROOT_2PI = 1.0 / sqrt(2.0 * pi)
_PER_ROOT_2 = sqrt(0.5)
_FAR = 4.0
_CONTRACT = {"contract"}


def _convergent(order):
    """Coefficients in 1 / t^2 of t K(t), highest degree first, to a given order."""
    # c_j = c_{j-1} + (j / t^2) c_{j-2}, for numerators and denominators alike
    numerators, denominators = [[0], [1]], [[1], [1]]
    for j in range(2, order + 1):
        for terms in (numerators, denominators):
            lifted = [0, *(j * c for c in terms[-2])]
            last = terms[-1] + [0] * (len(lifted) - len(terms[-1]))
            lifted += [0] * (len(last) - len(lifted))
            terms.append([x + y for x, y in zip(last, lifted, strict=True)])
    size = max(len(numerators[-1]), len(denominators[-1]))
    pair = (numerators[-1], denominators[-1])
    return tuple(
        tuple(float(c) for c in reversed(terms + [0] * (size - len(terms))))
        for terms in pair
    )


# At t = 4 the relative error of the 36th convergent is 1.3e-16.
_NUMERATOR, _DENOMINATOR = _convergent(36)


@kernel(fastmath=_CONTRACT)
def _excess(t):
    """Hazard minus t, for t >= 4."""
    z = 1.0 / (t * t)
    above = below = 0.0
    for c in _NUMERATOR:
        above = above * z + c
    for c in _DENOMINATOR:
        below = below * z + c
    return above / (below * t)


@kernel(fastmath=_CONTRACT)
def normal_density(t):
    """Density of the standard normal distribution.

    Parameters
    ----------
    t : float

    Returns
    -------
    float
        Right to a few epsilon: the square of `t` is not rounded.
    """
    t = min(abs(t), 40.0)
    # few bits, so that the square is exact
    short = floor(16.0 * t) * 0.0625
    rest = -0.5 * (t - short) * (t + short)
    return _PER_ROOT_2PI * (exp(-0.5 * short * short) * exp(rest))


@kernel
def normal_hazard(t):
    """Hazard r = density / tail of the standard normal, and its excess r - t.

    Parameters
    ----------
    t : float

    Returns
    -------
    tuple of float
        The hazard and the excess, each with a small relative error.
    """
    if t >= _FAR:
        excess = _excess(t)
        return t + excess, excess
    hazard = normal_density(t) / (0.5 * erfc(t * _PER_ROOT_2))
    return hazard, hazard - t


@kernel
def normal_tail(t):
    """Probability that a standard normal variable exceeds `t`.

    Parameters
    ----------
    t : float

    Returns
    -------
    float
    """
    if t >= _FAR:
        return normal_density(t) / (t + _excess(t))
    return 0.5 * erfc(t * _PER_ROOT_2)


@kernel
def log_normal_tail(t):
    """Logarithm of `normal_tail`.

    Parameters
    ----------
    t : float

    Returns
    -------
    float
        Of small relative error in both tails.
    """
    if t >= _FAR:
        return -(0.5 * t * t + LOG_ROOT_2PI + log(t + _excess(t)))
    if t >= 0.0:
        return log(0.5 * erfc(t * _PER_ROOT_2))
    return log1p(-normal_tail(-t))
