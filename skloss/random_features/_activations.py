"""Nonlinearities of random units: named values, applied in place in compiled loops.

An activation is a ``NamedTuple``, so that the loops are compiled apart for each and
hold no branches.
"""

from numbers import Real
from typing import NamedTuple

import numpy as np

from skloss._elementary import erf, exp, normal_cdf, sigmoid, sin_pi, tanh
from skloss._jit import compiled_for, dispatched, kernel

__all__ = [
    "ACTIVATIONS",
    "BOUNDED",
    "IN_HALF_TURNS",
    "activate",
    "apply",
    "expand",
    "find_activation",
]

ACTIVATIONS = {}  # public name -> class


@dispatched
def activate(activation, u):
    """Apply an activation to a number.

    Parameters
    ----------
    activation : named tuple
        Which one; its parameters have the dtype of `u`.
    u : float
        What a random unit receives.

    Returns
    -------
    float
        What it gives, before any scaling, in the dtype of `u`.
    """


def _register(name):
    def add(cls):
        cls.name = name
        ACTIVATIONS[name] = cls
        return cls

    return add


def step(u):
    """One for positive numbers, else 0."""
    return np.where(u > 0, 1.0, 0.0)


@compiled_for(step)
def _(real):
    zero, one = real(0), real(1)
    return kernel(lambda u: one if u > zero else zero, forceinline=True)


def signum(u):
    """Sign of a number; 0 has none."""
    return np.sign(u)


@compiled_for(signum)
def _(real):
    zero, one = real(0), real(1)

    @kernel(forceinline=True)
    def compiled(u):
        return (one if u > zero else zero) - (one if u < zero else zero)

    return compiled


def relu(u):
    """Positive part of a number."""
    return np.maximum(u, 0.0)


@compiled_for(relu)
def _(real):
    zero = real(0)
    return kernel(lambda u: max(u, zero), forceinline=True)


@_register("linear")
class Linear(NamedTuple):
    """The number itself."""


@activate.implement(Linear)
def _(activation, u):
    return u


@_register("relu")
class Relu(NamedTuple):
    """Its positive part."""


@activate.implement(Relu)
def _(activation, u):
    return relu(u)


@_register("leaky_relu")
class LeakyRelu(NamedTuple):
    """The positive part, and a share of the negative one."""

    slope: float


@activate.implement(LeakyRelu)
def _(activation, u):
    return relu(u) - activation.slope * relu(-u)


@_register("abs")
class Abs(NamedTuple):
    """Its magnitude."""


@activate.implement(Abs)
def _(activation, u):
    return abs(u)


@_register("step")
class Step(NamedTuple):
    """One where it is positive, else 0."""


@activate.implement(Step)
def _(activation, u):
    return step(u)


@_register("sign")
class Sign(NamedTuple):
    """Its sign."""


@activate.implement(Sign)
def _(activation, u):
    return signum(u)


@_register("erf")
class Erf(NamedTuple):
    """The error function."""


@activate.implement(Erf)
def _(activation, u):
    return erf(u)


@_register("gelu")
class Gelu(NamedTuple):
    """The number times the normal probability of a smaller one.

    D. Hendrycks, K. Gimpel, "Gaussian Error Linear Units", 2016, arXiv 1606.08415.
    """


@activate.implement(Gelu)
def _(activation, u):
    return u * normal_cdf(u)


@_register("tanh")
class Tanh(NamedTuple):
    """The hyperbolic tangent."""


@activate.implement(Tanh)
def _(activation, u):
    return tanh(u)


@_register("sigmoid")
class Sigmoid(NamedTuple):
    """The logistic function."""


@activate.implement(Sigmoid)
def _(activation, u):
    return sigmoid(u)


@_register("sin")
class Sin(NamedTuple):
    """The sine, of a number in half turns."""


@activate.implement(Sin)
def _(activation, u):
    return sin_pi(u)


@_register("cos")
class Cos(NamedTuple):
    """The cosine; the offsets of the units are random phases.

    It is the sine of a number in half turns that is half of one ahead.
    """


@activate.implement(Cos)
def _(activation, u):
    return sin_pi(u)


@_register("sincos")
class SinCos(NamedTuple):
    """Sine and cosine, one after the other: two features of each unit.

    Numbers are in half turns.
    """


IN_HALF_TURNS = tuple(cls.name for cls in (Sin, Cos, SinCos))
BOUNDED = (*IN_HALF_TURNS, "erf", "sigmoid", "sign", "step", "tanh")


@_register("exp")
class Exp(NamedTuple):
    """The exponential, divided by its mean over the weights: positive features."""


@activate.implement(Exp)
def _(activation, u):
    return exp(u)


@_register("square")
class Square(NamedTuple):
    """The square."""


@activate.implement(Square)
def _(activation, u):
    return u * u


def find_activation(activation, negative_slope, dtype):
    """Resolve an activation.

    Parameters
    ----------
    activation : str or callable
        Name, or a function of an array that acts on each number.
    negative_slope : float
        Of "leaky_relu".
    dtype : numpy dtype
        Of the numbers.

    Returns
    -------
    named tuple or callable

    Raises
    ------
    ValueError
        If there is no such activation, or the slope is not a finite number.
    """
    if callable(activation):
        return activation
    if not isinstance(activation, str) or activation not in ACTIVATIONS:
        raise ValueError(
            f"activation={activation!r}: expected a callable or one of "
            f"{sorted(ACTIVATIONS)}."
        )
    cls = ACTIVATIONS[activation]
    if cls is not LeakyRelu:
        return cls()
    if not isinstance(negative_slope, Real) or not np.isfinite(negative_slope):
        raise ValueError(
            f"negative_slope={negative_slope!r}: expected a finite number."
        )
    return LeakyRelu(np.dtype(dtype).type(negative_slope))


@kernel(fastmath={"contract"})
def apply(activation, U, offset, of_row, scale, shift):
    """Turn what units receive into features, in place.

    Parameters
    ----------
    activation : named tuple
        Any but `SinCos`, its parameters in the dtype of `U`.
    U : ndarray of shape (n, k)
        Products of rows and weights; replaced by
        ``scale * activate(U + offset + of_row) - shift``.
    offset : ndarray of shape (k,)
        Of the units.
    of_row : ndarray of shape (n,)
        Of the rows.
    scale : float
        In the dtype of `U`, as all else.
    shift : ndarray of shape (k,)
        What is subtracted from the features.
    """
    for i in range(U.shape[0]):
        u, r = U[i], of_row[i]
        for j in range(u.size):
            u[j] = scale * activate(activation, u[j] + offset[j] + r) - shift[j]


@kernel(fastmath={"contract"})
def expand(U, offset, scale, shift, out):
    """Sines and cosines of what units receive, alternating.

    Parameters
    ----------
    U : ndarray of shape (n, h)
        Products of rows and weights, in half turns; overwritten.
    offset : ndarray of shape (h,)
        Of the units, in half turns.
    scale : float
        In the dtype of `U`, as all else.
    shift : ndarray of shape (k,)
        What is subtracted from the features.
    out : ndarray of shape (n, k)
        Result; k is 2 h, or 2 h - 1 if the last cosine is left out.
    """
    k, half = out.shape[1], U.dtype.type(0.5)
    for i in range(U.shape[0]):
        u, row = U[i], out[i]
        for j in range(u.size):
            u[j] += offset[j]
        for j in range(k // 2):
            row[2 * j] = scale * sin_pi(u[j]) - shift[2 * j]
            row[2 * j + 1] = scale * sin_pi(u[j] + half) - shift[2 * j + 1]
        if k % 2:
            row[k - 1] = scale * sin_pi(u[u.size - 1]) - shift[k - 1]
