"""Elementary functions that vectorise inside compiled loops.

Calls into the C library keep LLVM from vectorising a loop; the functions here are
branch-free polynomials instead. Each is a plain NumPy or SciPy function in Python and
its own polynomial, chosen by the argument's dtype, inside kernels: float32 in means
float32 arithmetic. The docstrings state the compiled forms' error bounds, tested over
the whole range in both dtypes: in units of the dtype's epsilon (2^-52, 2^-23) relative
to the exact value unless they say otherwise. The bounds hold where the exact value is
a normal number; below that, results are right to about one denormal step.

All polynomials were computed for this package by a weighted Remez exchange (rational
ones by an iteratively reweighted linear fit) in 60-digit arithmetic, minimising the
relative error of the function itself.
"""

from skloss._elementary._error_function import erf, normal_cdf
from skloss._elementary._exponential import exp, exp_half, expm1, sigmoid, tanh
from skloss._elementary._logarithm import log, log1p, softplus, softplus_sigmoid
from skloss._elementary._normal import normal_quantile
from skloss._elementary._trigonometric import arccos, arcsin_small, cos, sin, sin_pi

__all__ = [
    "arccos",
    "arcsin_small",
    "cos",
    "erf",
    "exp",
    "exp_half",
    "expm1",
    "log",
    "log1p",
    "normal_cdf",
    "normal_quantile",
    "sigmoid",
    "sin",
    "sin_pi",
    "softplus",
    "softplus_sigmoid",
    "tanh",
]
