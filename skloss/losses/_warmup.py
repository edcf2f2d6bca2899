"""Compile the kernels of the losses once, so that later processes only load them."""

import numpy as np

from skloss.losses._contract import LOSSES
from skloss.losses._evaluation import evaluate, value_and_gradient

__all__ = ["warmup"]


def warmup():
    """Evaluate every loss on a few points in float32 and float64.

    Returns
    -------
    list of str
        Names of the losses.
    """
    for name, loss in LOSSES.items():
        for dtype in (np.float32, np.float64):
            rows = loss.targets == "class"
            y = np.array([0, 1]) if rows else np.ones(2, dtype)
            f = np.zeros((2, 2) if rows else 2, dtype)
            evaluate(name, y, f)
            value_and_gradient(name, y, f)
    return list(LOSSES)
