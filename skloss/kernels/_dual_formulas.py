"""Compiled expectations of products of activations of two Gaussian numbers.

For (u, v) centred Gaussian, :func:`dual` is E[phi(u) phi(v)] and :func:`dual_slope`
E[phi'(u) phi'(v)], its derivative with respect to the covariance. Both read a
:class:`Moments`, which holds the covariance in forms that neither overflow nor
cancel: variances enter through their square roots, and 1 less the correlation through
the expected squared distance of u and v. Everything is computed in float64 whatever
the dtype of the arrays, and every formula treats u and v alike, so that results for
mirrored covariances are mirrored bit for bit.

An activation is an immutable value; the table of names is in `dual_activations`.
"""

from math import pi
from typing import NamedTuple

import numpy as np

from skloss._elementary import arcsin_small, exp, expm1
from skloss._jit import dispatched, kernel

__all__ = [
    "Bump",
    "Cosine",
    "Erf",
    "Exponential",
    "Gelu",
    "Linear",
    "Moments",
    "Piecewise",
    "Sign",
    "Sine",
    "Slope",
    "Square",
    "Step",
    "Wave",
    "arcsin_of",
    "dual",
    "dual_slope",
    "moments_of",
]

# 1 - correlation comes from squared distances up to this share of the product of the
# standard deviations. Beyond, u and v are apart or of different sizes, and the
# rounding of the distance is no less than that of the correlation.
_NEAR = 0.25
_PER_PI = 1 / pi
_RIGHT = pi / 2


class Linear(NamedTuple):
    """phi(u) = u."""


class Piecewise(NamedTuple):
    """phi(u) = `below` u for u < 0, `above` u for u > 0 (Cho and Saul, 2009)."""

    below: float
    above: float


class Step(NamedTuple):
    """phi(u) = 1 for u > 0, else 0."""


class Sign(NamedTuple):
    """phi(u) = the sign of u, 0 at 0."""


class Erf(NamedTuple):
    """phi(u) = erf(u) (Williams, 1997)."""


class Gelu(NamedTuple):
    """phi(u) = u times the normal distribution function (Tsuchida et al., 2021)."""


class Square(NamedTuple):
    """phi(u) = u^2."""


class Exponential(NamedTuple):
    """phi(u) = exp(u - var(u) / 2)."""


class Bump(NamedTuple):
    """phi(u) = exp(-u^2)."""


class Sine(NamedTuple):
    """phi(u) = sin(u)."""


class Cosine(NamedTuple):
    """phi(u) = cos(u)."""


class Wave(NamedTuple):
    """A wave of a phase that is random or pi/4: E exp(-`rate` E(u - v)^2)."""

    rate: float


class Slope(NamedTuple):
    """The derivative of an activation."""

    activation: tuple


class Moments(NamedTuple):
    """Covariance of (u, v) as the activations read it.

    Shares and spreads are those of a variance q next to the activation's own width t:
    q / (q + t) and sqrt(t / (q + t)).
    """

    covariance: float
    scale: float  # product of the standard deviations
    cosine: float  # correlation, within [-1, 1]
    gap: float  # 1 - correlation, relatively exact near 0
    distance: float  # E(u - v)^2
    decay: float  # log of E exp(i |u| ± i |v|), the larger of the two
    share: float  # root of the product of the shares
    spread_x: float
    spread_y: float


@kernel(forceinline=True)
def moments_of(k, distance, q, r, root_q, root_r, share, spread_x, spread_y):
    """Moments of a pair from its covariance, distance, and its sides' columns."""
    scale = root_q * root_r
    known = scale > 0
    cosine = k / scale if known else 0.0
    cosine = min(max(cosine, -1.0), 1.0)
    apart = root_q - root_r
    close = (distance - apart * apart) / (2 * scale) if known else 1.0
    close = close if close > 0 else 0.0
    gap = close if distance < _NEAR * scale else 1 - cosine
    size = abs(k)
    decay = 0.5 * ((size - q) + (size - r))
    decay = -0.5 * distance if k > 0 else decay
    decay = decay if decay < 0 else 0.0
    return Moments(k, scale, cosine, gap, distance, decay, share, spread_x, spread_y)


@kernel(forceinline=True)
def _supplement(m):
    """Pi less the angle between u and v; both are relatively exact near 0."""
    size = abs(m.cosine)
    near = size > 0.5
    small = m.gap if m.gap < 1 else 2 - m.gap
    angle = arcsin_small(np.sqrt(0.5 * small) if near else size)
    acute = 2 * angle if near else _RIGHT - angle
    return pi - acute if m.cosine > 0 else acute


@kernel(forceinline=True)
def _sine_squared(m):
    """1 less the squared product of correlation and share, without cancellation."""
    u, v = m.spread_x * m.spread_x, m.spread_y * m.spread_y
    narrow = (u + v) - u * v
    return narrow + (m.share * m.share) * (m.gap * (2 - m.gap))


@kernel(forceinline=True)
def arcsin_of(sine, cosine_squared):
    """Arc sine where the square of its cosine is known better than from the sine."""
    size = abs(sine)
    near = size > 0.5
    small = np.sqrt(cosine_squared / (2 * (1 + size))) if near else size
    angle = arcsin_small(small)
    angle = _RIGHT - 2 * angle if near else angle
    return angle if sine > 0 else -angle


@dispatched
def dual(activation, m):
    """E[phi(u) phi(v)], with an error of some epsilons of sqrt(E phi(u)^2 phi(v)^2).

    The mean squares are those of u and of v, multiplied.
    """


@dispatched
def dual_slope(activation, m):
    """E[phi'(u) phi'(v)], which is the derivative of `dual` by the covariance."""


@dual.implement(Slope)
def _(activation, m):
    return dual_slope(activation.activation, m)


@dual.implement(Linear)
def _(activation, m):
    return m.covariance


@dual_slope.implement(Linear)
def _(activation, m):
    return 1.0


@dual.implement(Piecewise)
def _(activation, m):
    bend = activation.above - activation.below
    rest = _supplement(m)
    sine = np.sqrt(m.gap * (2 - m.gap))
    half_plane = m.scale * (sine + rest * m.cosine)
    straight = activation.above * activation.below * m.covariance
    return (0.5 * _PER_PI * bend * bend) * half_plane + straight


@dual_slope.implement(Piecewise)
def _(activation, m):
    bend = activation.above - activation.below
    middle = 0.5 * (activation.above + activation.below)
    angle = _supplement(m) - _RIGHT
    return (0.5 * _PER_PI * bend * bend) * angle + middle * middle


@dual.implement(Step)
def _(activation, m):
    # a number that is always 0 is never above it
    return 0.5 * _PER_PI * _supplement(m) if m.scale > 0 else 0.0


@dual_slope.implement(Step)
def _(activation, m):
    return 0.0  # by convention: almost everywhere


@dual.implement(Sign)
def _(activation, m):
    cosine_squared = m.gap * (2 - m.gap)
    return 2 * _PER_PI * arcsin_of(m.cosine, cosine_squared)


@dual_slope.implement(Sign)
def _(activation, m):
    return 0.0  # by convention: almost everywhere


@dual.implement(Erf)
def _(activation, m):
    return 2 * _PER_PI * arcsin_of(m.share * m.cosine, _sine_squared(m))


@dual_slope.implement(Erf)
def _(activation, m):
    return 4 * _PER_PI * (m.spread_x * m.spread_y / np.sqrt(_sine_squared(m)))


@dual.implement(Gelu)
def _(activation, m):
    squared = _sine_squared(m)
    u, v = m.spread_x * m.spread_x, m.spread_y * m.spread_y
    rho = m.share * m.cosine
    mass = 0.25 + 0.5 * _PER_PI * arcsin_of(rho, squared)
    tail = m.gap * (2 - m.gap) + m.cosine * m.cosine * (u + v)
    edge = m.scale * m.share * (tail / np.sqrt(squared))
    return m.covariance * mass + 0.5 * _PER_PI * edge


@dual_slope.implement(Gelu)
def _(activation, m):
    squared = _sine_squared(m)
    u, v = m.spread_x * m.spread_x, m.spread_y * m.spread_y
    rho = m.share * m.cosine
    mass = 0.25 + 0.5 * _PER_PI * arcsin_of(rho, squared)
    edge = rho * ((u + v) + u * v / squared) / np.sqrt(squared)
    return mass + 0.5 * _PER_PI * edge


@dual.implement(Square)
def _(activation, m):
    return m.scale * m.scale + 2 * (m.covariance * m.covariance)


@dual_slope.implement(Square)
def _(activation, m):
    return 4 * m.covariance


@dual.implement(Exponential)
def _(activation, m):
    return exp(m.covariance)


@dual_slope.implement(Exponential)
def _(activation, m):
    return exp(m.covariance)


@dual.implement(Bump)
def _(activation, m):
    return m.spread_x * m.spread_y / np.sqrt(_sine_squared(m))


@dual_slope.implement(Bump)
def _(activation, m):
    sine = np.sqrt(_sine_squared(m))
    ratio = m.spread_x * m.spread_y / sine
    return 2 * (m.share * m.cosine) * (ratio * ratio) / sine


@kernel(forceinline=True)
def _waves(m):
    """E sin(u) sin(v) and E cos(u) cos(v)."""
    low = expm1(-2 * abs(m.covariance))
    larger = exp(m.decay)
    sines = -0.5 * larger * low
    return (sines if m.covariance > 0 else -sines), 0.5 * larger * (2 + low)


@dual.implement(Sine)
def _(activation, m):
    return _waves(m)[0]


@dual_slope.implement(Sine)
def _(activation, m):
    return _waves(m)[1]


@dual.implement(Cosine)
def _(activation, m):
    return _waves(m)[1]


@dual_slope.implement(Cosine)
def _(activation, m):
    return _waves(m)[0]


@dual.implement(Wave)
def _(activation, m):
    return exp(-activation.rate * m.distance)


@dual_slope.implement(Wave)
def _(activation, m):
    return 2 * activation.rate * exp(-activation.rate * m.distance)
