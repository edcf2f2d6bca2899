"""Exponential, exponential minus one, logistic sigmoid, and hyperbolic tangent."""

from math import copysign, e, log2

import numpy as np
from scipy.special import expit

from skloss._elementary._format import CONTRACT, FORMATS, power_of_two, split
from skloss._jit import compiled_for, kernel

__all__ = ["exp", "exp_half", "exp_minus", "expm1", "sigmoid", "tanh"]

LN2 = "0.693147180559945309417232121458176568075500134360255254120680"

# q(r) with exp(r) = 1 + r + r^2 q(r) on |r| <= log(2)/2, highest degree first:
# minimax relative error of expm1 1.8e-17 in float64, 1.4e-8 in float32.
_COEFFICIENTS = {
    np.float64: (
        2.511447888806998e-08,
        2.762632722369815e-07,
        2.7557227932341277e-06,
        2.4801504444344665e-05,
        0.0001984126990306003,
        0.0013888888932379845,
        0.008333333333314574,
        0.04166666666657362,
        0.16666666666666685,
        0.5000000000000006,
    ),
    np.float32: (
        0.0013946448185718902,
        0.008366583978136213,
        0.04166628205923595,
        0.16666542991707795,
        0.5000000061923965,
    ),
}
# Beyond these the result is 0 (-1 for expm1) or inf, and the scaling below works.
_LIMITS = {np.float64: (-746.0, 710.0), np.float32: (-104.5, 89.0)}


def exp(x):
    """Exponential of `x`.

    Compiled: error at most 1 epsilon; gradual underflow to 0 below the smallest
    normal number, overflow to inf, nan stays nan.
    """
    return np.exp(x)


def exp_half(x):
    """Square root of the exponential of `x`, exp(x / 2).

    Compiled: error at most 1 epsilon; underflow and overflow as of `exp`, at twice
    the argument.
    """
    return np.exp(0.5 * x)


def expm1(x):
    """Exponential of `x`, minus 1, without cancellation near 0.

    Compiled: error at most 1.5 epsilon; the sign of -0.0 is lost.
    """
    return np.expm1(x)


def sigmoid(x):
    """Logistic sigmoid 1 / (1 + exp(-x)).

    Compiled: error at most 2 epsilon, small values included.
    """
    return expit(x)


def tanh(x):
    """Hyperbolic tangent of `x`.

    Compiled: error at most 2 epsilon, small values included; the sign of -0.0 is kept;
    -1 and 1 at infinities, nan stays nan.
    """
    return np.tanh(x)


def _reduction(real):
    """Kernel splitting x - less into (n, expm1(r)) with x - less = n log(2) + r.

    `less` is at most 0.1 in absolute value; a constant 0 costs nothing.
    """
    shift = FORMATS[real].shift
    coefficients = tuple(real(c) for c in _COEFFICIENTS[real])
    low, high = (real(limit) for limit in _LIMITS[real])
    # n has at most 11 (float32: 8) bits, so n times the first part is exact
    ln2_high, ln2_low = split(LN2, real, (33 if real is np.float64 else 15,))
    per_ln2, zero = real(log2(e)), real(0)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def reduce(x, less):
        x = min(max(x, low), high)
        n = ((x - less) * per_ln2 + shift) - shift
        r = ((x - n * ln2_high) - less) - n * ln2_low
        q = zero
        for c in coefficients:
            q = q * r + c
        return n, r + r * r * q

    return reduce


def exp_minus(real):
    """Kernel giving exp(x - less) for arguments of more digits than x has room for.

    `less` is at most 0.1 in absolute value; the error is at most 1 epsilon.
    """
    reduce, scale = _reduction(real), power_of_two(real)
    shift, half, one = FORMATS[real].shift, real(0.5), real(1)

    # 2^n is applied in two halves: n reaches past the normal exponents
    @kernel(fastmath=CONTRACT, forceinline=True)
    def exponential(x, less):
        n, p = reduce(x, less)
        m = (n * half + shift) - shift
        return (one + p) * scale(m) * scale(n - m)

    return exponential


@compiled_for(exp)
def _(real):
    exponential, zero = exp_minus(real), real(0)
    return kernel(lambda x: exponential(x, zero), forceinline=True)


@compiled_for(exp_half)
def _(real):
    half = real(0.5)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        return exp(half * x)

    return compiled


@compiled_for(expm1)
def _(real):
    reduce, scale = _reduction(real), power_of_two(real)
    shift, half, zero = FORMATS[real].shift, real(0.5), real(0)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        n, p = reduce(x, zero)
        m = (n * half + shift) - shift
        outer = scale(n - m)
        # (2^m (1 + p) - 2^(m - n)) 2^(n - m), the leading terms joined exactly
        return (p * scale(m) + (scale(m) - scale(m - n))) * outer

    return compiled


@compiled_for(sigmoid)
def _(real):
    zero, one = real(0), real(1)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        e = exp(-abs(x))
        return (one if x >= zero else e) / (one + e)

    return compiled


@compiled_for(tanh)
def _(real):
    two = real(2)
    # 1 from here on, to the last digit; expm1 must not overflow
    top = real(20 if real is np.float64 else 10)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        e = expm1(two * min(abs(x), top))
        return copysign(e / (e + two), x)

    return compiled
