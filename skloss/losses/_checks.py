"""Checks of the targets of losses."""

from skloss._jit import kernel

__all__ = ["TARGETS"]


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
