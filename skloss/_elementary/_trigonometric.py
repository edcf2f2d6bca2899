"""Cosine, sine, arc cosine and arc sine."""

from math import pi

import numpy as np

from skloss._elementary._format import CONTRACT, FORMATS, split
from skloss._jit import compiled_for, kernel

__all__ = ["arccos", "arcsin_small", "cos", "sin", "sin_pi"]

PI = "3.14159265358979323846264338327950288419716939937510582097494"

# S(z) with sin(r) = r + r z S(z), z = r^2, |r| <= pi/2, highest degree first:
# relative error 2.8e-19 in float64, 6.1e-9 in float32.
_SINE = {
    np.float64: (
        2.7211658771297023e-15,
        -7.642990639831833e-13,
        1.6058939673759982e-10,
        -2.5052106872172834e-08,
        2.755731921113051e-06,
        -0.0001984126984120918,
        0.008333333333333194,
        -0.16666666666666666,
    ),
    np.float32: (
        2.605764874131863e-06,
        -0.0001980959612313203,
        0.008333066159258856,
        -0.16666659547368864,
    ),
}
# A(z) with arcsin(t) = t + t z A(z), z = t^2, 0 <= t <= 1/2: 9.8e-19 and 5.0e-9.
_ARCSINE = {
    np.float64: (
        0.03267688920411153,
        -0.02107730564860871,
        0.021763521181679783,
        0.0036830265211080988,
        0.010786535253998593,
        0.011397774414456281,
        0.013980961714080252,
        0.017351600062778905,
        0.022372215662395323,
        0.030381942683523448,
        0.0446428571751232,
        0.0749999999997026,
        0.16666666666666763,
    ),
    np.float32: (
        0.042218698541556354,
        0.02414751925042461,
        0.04547711631809237,
        0.07495241627473591,
        0.16666753930938585,
    ),
}


def cos(x):
    """Cosine of `x` in radians.

    Compiled: error at most 2 epsilon for ``|x| <= 1e7`` (float32: ``1e4``), or 1e-26
    (float32: 1e-10) absolute next to the zeros. Beyond, the result is within
    ``2 * epsilon * |x|`` of the cosine, about what the last digit of `x` is worth, and
    always within [-1, 1].
    nan at infinities.
    """
    return np.cos(x)


def sin(x):
    """Sine of `x` in radians; bounds as for `cos`."""
    return np.sin(x)


def sin_pi(x):
    """Sine of `x` half turns, ``sin(pi x)``, for two thirds of the time of `sin`.

    Compiled: error at most 2 epsilon for ``|x| <= 2^51`` (float32: ``2^22``). Beyond,
    the result is within ``2 * epsilon * |pi x|`` of the sine, and within [-1, 1].
    nan at infinities.
    """
    n = np.round(x)
    return np.sin(np.pi * (x - n)) * (1 - 2 * np.abs(n % 2))


def arccos(x):
    """Angle in [0, pi] whose cosine is `x`.

    Compiled: error at most 1.5 epsilon, angles near 0 included; nan outside of
    [-1, 1].
    """
    return np.arccos(x)


def arcsin_small(x):
    """Angle whose sine is `x`, for ``|x| <= 1/2``.

    Compiled: error at most 1 epsilon there, none promised elsewhere.
    """
    return np.arcsin(x)


def _sine(real):
    """Kernel giving (-1)^n sin(r) for ``|r| <= pi / 2`` and n + the format's shift."""
    bits = FORMATS[real].bits
    sign_position = 63 if real is np.float64 else 31
    coefficients = tuple(real(c) for c in _SINE[real])
    zero = real(0)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def sine(r, shifted):
        z = r * r
        s = zero
        for c in coefficients:
            s = s * z + c
        s = r + r * (z * s)
        odd = bits(real(shifted).view(bits) << sign_position)
        return bits(real(s).view(bits) ^ odd).view(real)

    return sine


def _half_turns(real, offset):
    """Kernel giving (-1)^n sin(x - (n + offset) pi) for the nearest integer n."""
    sine, shift = _sine(real), FORMATS[real].shift
    # parts of 30 (float32: 11) bits times n + offset are exact within the stated range
    widths = (30, 30) if real is np.float64 else (11, 11)
    pi_1, pi_2, pi_3 = split(PI, real, widths)
    per_pi, quarter_turn = real(1 / pi), real(pi / 2)
    offset = real(offset)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def half_turns(x):
        shifted = (x * per_pi - offset) + shift
        n = (shifted - shift) + offset
        r = ((x - n * pi_1) - n * pi_2) - n * pi_3
        return sine(min(max(r, -quarter_turn), quarter_turn), shifted)

    return half_turns


@compiled_for(sin)
def _(real):
    return _half_turns(real, 0.0)


@compiled_for(cos)
def _(real):
    # cos(x) = -(-1)^n sin(x - (n + 1/2) pi)
    half_turns = _half_turns(real, 0.5)
    return kernel(lambda x: -half_turns(x), forceinline=True)


@compiled_for(sin_pi)
def _(real):
    sine, shift = _sine(real), FORMATS[real].shift
    half_turn, half = real(pi), real(0.5)

    # Only a subtraction, which is exact, takes x into half a turn.
    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        shifted = x + shift
        r = min(max(x - (shifted - shift), -half), half)
        return sine(r * half_turn, shifted)

    return compiled


@compiled_for(arccos)
def _(real):
    coefficients = tuple(real(c) for c in _ARCSINE[real])
    straight, straight_low = split(PI, real, (24 if real is np.float32 else 53,))
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    right, right_low = half * straight, half * straight_low

    # arccos|x| is 2 arcsin(sqrt((1 - |x|) / 2)) near 1 and pi/2 - arcsin|x| elsewhere
    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        a = abs(x)
        near = a > half
        z = (one - a) * half if near else a * a
        t = np.sqrt(z) if near else a
        s = zero
        for c in coefficients:
            s = s * z + c
        s = t + t * (z * s)
        quarters = (zero if x > zero else two) if near else one
        s = two * s if near else -s
        s = s if x > zero else -s
        return quarters * right + (quarters * right_low + s)

    return compiled


@compiled_for(arcsin_small)
def _(real):
    coefficients = tuple(real(c) for c in _ARCSINE[real])
    zero = real(0)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        z = x * x
        s = zero
        for c in coefficients:
            s = s * z + c
        return x + x * (z * s)

    return compiled
