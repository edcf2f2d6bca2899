"""The binary format of a real dtype, and kernels that work on its bits."""

from fractions import Fraction
from math import floor
from typing import NamedTuple

import numpy as np

from skloss._jit import kernel

__all__ = ["CONTRACT", "FORMATS", "power_of_two", "split"]

# Lets LLVM fuse products into sums, and nothing else: range reductions below rely on
# the order of their operations.
CONTRACT = {"contract"}


class Format(NamedTuple):
    """Layout of an IEEE 754 binary format.

    Adding `shift` to a number below ``2**(mantissa - 1)`` rounds it to an integer and
    leaves that integer in the low bits: a conversion that every instruction set
    vectorises.
    """

    bits: type  # integer dtype of the same width
    mantissa: int  # stored bits of the significand
    bias: int  # of the exponent
    shift: float


FORMATS = {
    np.float32: Format(np.int32, 23, 127, np.float32(1.5 * 2**23)),
    np.float64: Format(np.int64, 52, 1023, np.float64(1.5 * 2**52)),
}


def power_of_two(real):
    """Kernel giving 2**n for an integer-valued n within the normal exponents."""
    bits, mantissa, bias, shift = FORMATS[real]

    @kernel(forceinline=True)
    def scale(n):
        return bits((real(n + shift).view(bits) + bias) << mantissa).view(real)

    return scale


def split(constant, real, widths):
    """Split an exact constant into a sum of `real` parts for Cody–Waite reduction.

    Parameters
    ----------
    constant : str
        Decimal digits, more than the parts can hold.
    real : {np.float32, np.float64}
        Type of the parts.
    widths : tuple of int
        Bits of each leading part: short parts times a short integer are exact.

    Returns
    -------
    tuple
        The leading parts and the rounded remainder.
    """
    rest, parts = Fraction(constant), []
    for width in widths:
        exponent = width - 1 - floor(np.log2(float(rest)))
        part = Fraction(floor(rest * 2**exponent)) / Fraction(2) ** exponent
        parts.append(real(float(part)))
        rest -= part
    return *parts, real(float(rest))
