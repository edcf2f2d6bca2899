"""Numbers as people read them."""

import math

import numpy as np

__all__ = ["number", "ratio", "seconds", "with_interval"]


def number(value, unit=None):
    """Write a number with sensible digits.

    Parameters
    ----------
    value : float
    unit : float, default=None
        Size of its uncertainty; two digits of it are shown. Three significant digits
        when it is not known.

    Returns
    -------
    str
        An en dash for nan.
    """
    if value is None or not np.isfinite(value):
        return "–"
    if value == 0 and not unit:
        return "0"
    size = unit if unit and np.isfinite(unit) and unit > 0 else abs(value) / 10
    digits = min(1 - math.floor(math.log10(size)), 6)
    magnitude = abs(value)
    if magnitude and (magnitude >= 1e6 or (digits == 6 and magnitude < 1e-4)):
        return f"{value:.2e}"
    text = f"{value:,.{max(digits, 0)}f}"
    return text[1:] if text.strip("-0.,") == "" and text[0] == "-" else text


def with_interval(value, low, high, unit=None):
    """Write a score and half the width of its interval.

    Parameters
    ----------
    value, low, high : float
    unit : float, default=None
        Size that decides on the digits; the half width itself by default.

    Returns
    -------
    str
    """
    half = (high - low) / 2
    unit = unit if unit and np.isfinite(unit) else half
    if not np.isfinite(half):
        return number(value, unit)
    return f"{number(value, unit)} ± {number(half, unit)}"


def ratio(value):
    """Write a ratio to the fastest model.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    if not np.isfinite(value):
        return "–"
    return f"{value:,.0f}×" if value >= 9.95 else f"{value:.2g}×"


def seconds(value):
    """Write a duration.

    Parameters
    ----------
    value : float

    Returns
    -------
    str
    """
    if not np.isfinite(value):
        return "–"
    if value < 1e-3:
        return f"{value * 1e6:.0f} µs"
    if value < 1:
        return f"{value * 1e3:.3g} ms"
    return f"{value:.3g} s"
