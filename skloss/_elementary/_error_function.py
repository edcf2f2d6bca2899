"""Error function and the normal distribution function."""

from math import copysign

import numpy as np
import scipy.special

from skloss._elementary._exponential import exp_minus, expm1
from skloss._elementary._format import CONTRACT, FORMATS
from skloss._jit import compiled_for, kernel

__all__ = ["erf", "normal_cdf"]

# H(t) with erfc(t) = exp(-t H(t)) for 0 <= t <= _TOP, highest degree first: relative
# error of erf 2.2e-17 in float64, 4.0e-9 in float32. From _TOP on, erf rounds to 1.
_LOG_ERFC = {
    np.float64: (
        -3.5924550821437115e-15,
        1.6149806019615178e-13,
        -3.3645633749818484e-12,
        4.3020412393235804e-11,
        -3.7609212912548653e-10,
        2.3606404935785936e-09,
        -1.0773919707922834e-08,
        3.458684423955438e-08,
        -6.573903410142406e-08,
        -1.1696208031912584e-08,
        5.706115170120842e-07,
        -2.037159418883558e-06,
        3.1329305892351537e-06,
        3.1696981991434876e-06,
        -2.9575684205043974e-05,
        6.442047971644244e-05,
        2.590449713621274e-05,
        -0.0005901324294896231,
        0.0016962076697425402,
        -0.00020919485390604614,
        -0.019128446993096283,
        0.10277260330131553,
        0.6366197723675909,
        1.1283791670955126,
    ),
    np.float32: (
        -9.256314272829844e-06,
        0.00011764216398753649,
        -0.0006328412666701732,
        0.0016670369726221098,
        -0.0001604062479207822,
        -0.019153058433358985,
        0.10277782913991942,
        0.6366193820954984,
        1.128379171609461,
    ),
}
_TOP = {np.float64: 5.95, np.float32: 3.95}
# p(w) with p((t - 4) / (t + 4)) = (t + 4) exp(t^2 / 2) times the normal tail beyond t,
# for 0 <= t <= _FAR, highest degree first: relative error 2.0e-17 in float64, 8.6e-9
# in float32. Beyond _FAR the tail is 0.
_SCALED_TAIL = {
    np.float64: (
        -1.1965445715937965e-09,
        -3.392070743306459e-10,
        1.4618770738953257e-08,
        1.6069582942191706e-08,
        -7.720971587510009e-08,
        -1.5659221854725544e-07,
        2.6415383294836146e-07,
        1.0218569517211007e-06,
        -6.252281518877363e-07,
        -5.920010933473157e-06,
        7.149755627581886e-07,
        3.514456948624061e-05,
        -1.9078440523185457e-06,
        -0.00023109490365841214,
        0.00013334424855371684,
        0.0016308184532693153,
        -0.0034796923616120822,
        -0.007540188966434089,
        0.060396574890666695,
        -0.18652185795966547,
        0.3871374007422195,
        -0.6078966419718921,
        0.7552851304157515,
    ),
    np.float32: (
        -0.00013197036203699684,
        0.0001793567680859714,
        0.0015699231063904296,
        -0.003512556665049224,
        -0.007525272027671419,
        0.06040383198172291,
        -0.18652344118410172,
        0.38713690100244963,
        -0.6078965882905045,
        0.7552851353865433,
    ),
}
_FAR = {np.float64: 39.0, np.float32: 14.5}


def erf(x):
    """Error function of `x`, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.

    Compiled: error at most 2 epsilon, small values included; the sign of -0.0 is kept;
    -1 and 1 at infinities, nan stays nan.
    """
    return scipy.special.erf(x)


def normal_cdf(x):
    """Probability that a standard normal variable is at most `x`.

    Compiled: error at most 4 epsilon, small probabilities included, gradual underflow
    to 0 below the smallest normal number; 0 and 1 at infinities, nan stays nan. SciPy's
    own function, which plain Python calls, is off by up to about x^2 epsilon in the
    left tail.
    """
    return scipy.special.ndtr(x)


def _pairs(coefficients, real):
    """Coefficients two by two: LLVM unrolls loops of up to 15 rounds only."""
    padded = (0.0,) * (len(coefficients) % 2) + coefficients
    exact = tuple(real(c) for c in padded)
    return tuple(zip(exact[::2], exact[1::2], strict=True))


@compiled_for(erf)
def _(real):
    pairs = _pairs(_LOG_ERFC[real], real)
    top, zero = real(_TOP[real]), real(0)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        t = min(abs(x), top)
        h = zero
        for c, d in pairs:
            h = (h * t + c) * t + d
        return copysign(expm1(-(t * h)), x)

    return compiled


@compiled_for(normal_cdf)
def _(real):
    exponential = exp_minus(real)
    pairs = _pairs(_SCALED_TAIL[real], real)
    far, zero, half, one, four = (real(c) for c in (_FAR[real], 0, 0.5, 1, 4))
    bits, mantissa = FORMATS[real].bits, FORMATS[real].mantissa
    leading = bits(-1 << (mantissa + 2) // 2)

    @kernel(fastmath=CONTRACT, forceinline=True)
    def compiled(x):
        t = min(abs(x), far)
        # half of the digits: their square is exact
        short = bits(real(t).view(bits) & leading).view(real)
        rest = (t - short) * (t + short)
        scale = one / (t + four)
        w = (t - four) * scale
        p = zero
        for c, d in pairs:
            p = (p * w + c) * w + d
        tail = exponential(-half * (short * short), half * rest) * (p * scale)
        return tail if x < zero else one - tail

    return compiled
