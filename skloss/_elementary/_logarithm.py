"""Logarithm, log(1 + x), and the softplus of a logistic loss."""

from math import inf, nan, sqrt

import numpy as np
from scipy.special import expit

from skloss._elementary._exponential import LN2, exp
from skloss._elementary._format import CONTRACT, FORMATS, split
from skloss._jit import compiled_for, kernel

__all__ = ["log", "log1p", "softplus", "softplus_sigmoid"]

# P(z) with log(1 + f) = f - s (f - z P(z)), s = f / (2 + f), z = s^2, highest degree
# first. For 1 + f between sqrt(1/2) and sqrt(2): relative error 1.3e-18, 8.1e-10 ...
_COEFFICIENTS = {
    np.float64: (
        0.147961046819666,
        0.15314035913060925,
        0.18183564863477478,
        0.22222198563553802,
        0.2857142874247406,
        0.39999999999414326,
        0.6666666666666734,
    ),
    np.float32: (0.2987186349572849, 0.39977536935456054, 0.6666677641552508),
}
# ... and for 1 + f between 1 and 2, where softplus needs no exponent: 1.4e-18, 4.6e-9.
_COEFFICIENTS_TO_2 = {
    np.float64: (
        0.1701858236373068,
        0.08340097229176444,
        0.12106087350094955,
        0.13300973432971977,
        0.15386559935639524,
        0.18181743924320293,
        0.22222223969746968,
        0.28571428547853717,
        0.40000000000157243,
        0.6666666666666631,
    ),
    np.float32: (
        0.28024448336078484,
        0.2799914343733356,
        0.4002169888872312,
        0.6666641313726503,
    ),
}


def log(x):
    """Natural logarithm of `x`.

    Compiled: error at most 1 epsilon, denormal arguments included; -inf at 0, nan
    below, inf at inf, nan stays nan.
    """
    return np.log(x)


def log1p(x):
    """Natural logarithm of 1 + `x`, without cancellation near 0.

    Compiled: error at most 1.5 epsilon; -inf at -1, nan below, inf at inf; the sign of
    -0.0 is lost.
    """
    return np.log1p(x)


def softplus(x):
    """Smooth positive part log(1 + exp(x)).

    Compiled: error at most 2 epsilon, small values included.
    """
    return np.logaddexp(0.0, x)


def softplus_sigmoid(x):
    """Softplus and its derivative, the sigmoid, sharing one exponential.

    Compiled: errors at most 2.5 epsilon each.
    """
    return np.logaddexp(0.0, x), expit(x)


def _logarithm(real):
    """Kernel giving log(u + rest) for u > 0, |rest| below an epsilon of u.

    `scaled` is the power of two by which u was multiplied beforehand.
    """
    bits, mantissa, bias, _ = FORMATS[real]
    coefficients = tuple(real(c) for c in _COEFFICIENTS[real])
    ln2_high, ln2_low = split(LN2, real, (33 if real is np.float64 else 15,))
    zero, half, one, two = real(0), real(0.5), real(1), real(2)
    root = real(sqrt(2))
    fraction_bits = bits((1 << mantissa) - 1)
    exponent_bits = bits((2 * bias + 1) << mantissa)
    one_bits = bits(bias << mantissa)
    # An exponent field or'ed into the low bits of `anchor` makes a float of itself
    anchor = real(2.0**mantissa)
    anchor_bits = anchor.view(bits)
    offset = real(2.0**mantissa + bias)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def logarithm(u, rest, scaled):
        b = real(u).view(bits)
        field = bits(bits(bits(b & exponent_bits) >> mantissa) | anchor_bits)
        k = field.view(real) - offset - scaled
        m = bits(bits(b & fraction_bits) | one_bits).view(real)
        if m > root:
            m, k = m * half, k + one
        f = m - one
        s = f / (two + f)
        z = s * s
        p = zero
        for c in coefficients:
            p = p * z + c
        return k * ln2_high - ((s * (f - z * p) - (k * ln2_low + rest)) - f)

    return logarithm


@compiled_for(log)
def _(real):
    logarithm = _logarithm(real)
    mantissa = FORMATS[real].mantissa
    normal, lift = np.finfo(real).smallest_normal, real(2.0 ** (mantissa + 1))
    power, zero, infinite, undefined = real(mantissa + 1), real(0), real(inf), real(nan)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        u = x * lift if x < normal else x
        result = logarithm(u, zero, power if x < normal else zero)
        if not x < infinite:
            result = x
        if x < zero:
            result = undefined
        return -infinite if x == zero else result

    return compiled


@compiled_for(log1p)
def _(real):
    logarithm = _logarithm(real)
    zero, one, infinite, undefined = real(0), real(1), real(inf), real(nan)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        u = one + x
        # what the addition rounded off (Knuth's two-sum)
        x_seen = u - one
        rest = (one - (u - x_seen)) + (x - x_seen)
        result = logarithm(u, rest / u, zero)
        if not x < infinite:
            result = x
        if x < -one:
            result = undefined
        return -infinite if x == -one else result

    return compiled


def _log1p_to_1(real):
    """Kernel giving (log(1 + e), s) for e in [0, 1] from s = e / (2 + e)."""
    coefficients = tuple(real(c) for c in _COEFFICIENTS_TO_2[real])
    zero = real(0)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def log1p_to_1(e, s):
        z = s * s
        p = zero
        for c in coefficients:
            p = p * z + c
        return e - s * (e - z * p)

    return log1p_to_1


@compiled_for(softplus)
def _(real):
    log1p_to_1 = _log1p_to_1(real)
    zero, two = real(0), real(2)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        e = exp(-abs(x))
        return max(x, zero) + log1p_to_1(e, e / (two + e))

    return compiled


@compiled_for(softplus_sigmoid)
def _(real):
    log1p_to_1 = _log1p_to_1(real)
    zero, one, two = real(0), real(1), real(2)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        e = exp(-abs(x))
        # one division serves s = e / (2 + e) and 1 / (1 + e): divisions are what
        # this loop waits for
        u, v = one + e, two + e
        q = one / (u * v)
        softplus_ = max(x, zero) + log1p_to_1(e, e * (u * q))
        return softplus_, (one if x >= zero else e) * (v * q)

    return compiled
