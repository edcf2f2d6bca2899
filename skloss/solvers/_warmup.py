"""Compile the kernels of the solvers once, so that later processes only load them."""

import numpy as np

from skloss.losses import LOSSES
from skloss.penalties import PENALTIES
from skloss.solvers.linear_problem import LinearProblem, is_smooth
from skloss.solvers.proximal_newton import prox_newton
from skloss.solvers.quadratic import gram_descent

__all__ = ["warmup"]


def warmup():
    """Solve a tiny problem with every penalty and with every smooth loss.

    Returns
    -------
    list of str
        Names of the penalties and of the losses.
    """
    G, c = np.array([[2.0, 1.0], [1.0, 2.0]]), np.array([3.0, -1.0])
    for penalty in PENALTIES:
        gram_descent(G, c, penalty, y_squared=9.0)
    X, y = np.array([[1.0], [0.0], [-1.0]]), np.ones(3)
    losses = [cls() for cls in LOSSES.values()]
    smooth = [f for f in losses if f.targets != "class" and is_smooth(f)]
    for loss in smooth:
        prox_newton(LinearProblem(loss, X, y), "l1")
    return [*PENALTIES, *(loss.name for loss in smooth)]
