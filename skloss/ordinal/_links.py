"""Links of the other direction, and quantiles that lose no digits."""

import numpy as np

from skloss.losses.links import CLogLog, LogLog, quantile

__all__ = ["mirrored", "quantile_of"]

_MIRRORS = {CLogLog: LogLog, LogLog: CLogLog}


def mirrored(link):
    """Link with the distribution function ``1 - F(-t)``."""
    return _MIRRORS.get(type(link), type(link))()


def quantile_of(link, below, above):
    """Quantile of a probability, given with its complement.

    Parameters
    ----------
    link : named tuple
        The link.
    below, above : ndarray
        Probabilities that sum to 1, each exact where it is small.

    Returns
    -------
    ndarray
        Scores.
    """
    lower, upper = quantile(link, below), -quantile(mirrored(link), above)
    return np.where(below <= 0.5, lower, upper)
