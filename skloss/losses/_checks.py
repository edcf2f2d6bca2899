"""Checks of the parameters and of the targets of losses."""

import math

import numpy as np

from skloss._jit import kernel

__all__ = ["TARGETS", "check_fraction", "check_nonnegative", "check_positive"]


def _refuse(loss, name, allowed):
    raise ValueError(
        f"{name} of {type(loss).__name__} must be {allowed}; "
        f"got {getattr(loss, name)!r}."
    )


def check_positive(loss, name):
    """Raise ValueError unless the named parameter is a finite number above 0."""
    parameter = getattr(loss, name)
    if not (_is_number(parameter) and 0 < parameter < math.inf):
        _refuse(loss, name, "a finite number above 0")


def check_nonnegative(loss, name):
    """Raise ValueError unless the named parameter is a finite number of at least 0."""
    parameter = getattr(loss, name)
    if not (_is_number(parameter) and 0 <= parameter < math.inf):
        _refuse(loss, name, "a finite number of at least 0")


def check_fraction(loss, name):
    """Raise ValueError unless the named parameter lies strictly between 0 and 1."""
    parameter = getattr(loss, name)
    if not (_is_number(parameter) and 0 < parameter < 1):
        _refuse(loss, name, "a number strictly between 0 and 1")


def _is_number(parameter):
    return isinstance(parameter, (int, float, np.number)) and not isinstance(
        parameter, (bool, np.bool_)
    )


@kernel
def _has_only_signs(y):
    n_others = 0
    for i in range(y.size):
        n_others += abs(y[i]) != 1
    return n_others == 0


# What `targets` of a scalar loss allows: (words, predicate on an array of finite
# numbers that is not empty).
TARGETS = {
    "sign": ("-1 or +1", _has_only_signs),
    "real": ("finite", lambda y: True),
    "nonnegative": ("at least 0", lambda y: y.min() >= 0),
    "positive": ("above 0", lambda y: y.min() > 0),
}
