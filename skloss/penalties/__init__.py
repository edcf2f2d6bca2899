"""Penalties: what is added to a loss, as values that print, compare and pickle.

`L1`, `L2`, `ElasticNet`, `NonNegative` and `Box` are named tuples of their parameters;
the functions `value`, `prox`, `subdifferential_distance`, `conjugate`, `dual_scale`
and `piece` choose their arithmetic by the penalty's type, in Python and in kernels.
"""

import numpy as np

from skloss._values import resolve
from skloss.penalties._arrays import kkt_distances, proximal_point, total
from skloss.penalties._contract import (
    PENALTIES,
    conjugate,
    dual_scale,
    piece,
    prox,
    register,
    subdifferential_distance,
    value,
)
from skloss.penalties.separable import L1, L2, Box, ElasticNet, NonNegative

__all__ = [
    "L1",
    "L2",
    "PENALTIES",
    "Box",
    "ElasticNet",
    "NonNegative",
    "conjugate",
    "dual_scale",
    "evaluate",
    "get",
    "kkt_distances",
    "piece",
    "prox",
    "proximal_point",
    "register",
    "subdifferential_distance",
    "total",
    "value",
]


def get(penalty):
    """Resolve a penalty given by name or as an instance.

    Parameters
    ----------
    penalty : str or named tuple
        "l1", "l2", "elasticnet", "nonnegative" or "box" with default parameters, or
        an instance.

    Returns
    -------
    named tuple
        The penalty.

    Raises
    ------
    ValueError
        If the name is unknown or a parameter out of range.
    TypeError
        If `penalty` is neither a name nor a penalty.

    Examples
    --------
    >>> from skloss import penalties
    >>> penalties.get("elasticnet")
    ElasticNet(alpha=1.0, l1_ratio=0.5)
    """
    return resolve(penalty, PENALTIES, "penalty")


def evaluate(penalty, w, weight=None):
    """Total penalty of a coefficient array.

    Parameters
    ----------
    penalty : str or named tuple
        The penalty, by name or as an instance.
    w : array-like
        Coefficients, of any shape.
    weight : array-like, default=None
        Weights of at least 0, broadcast against `w`; None means 1.

    Returns
    -------
    float
        The sum; infinite if a constraint is violated.

    Raises
    ------
    ValueError
        If a weight is negative or the penalty is not valid.

    Examples
    --------
    >>> from skloss.penalties import L1, evaluate
    >>> evaluate(L1(alpha=0.5), [1.0, -3.0])
    2.0
    >>> evaluate(L1(alpha=0.5), [1.0, -3.0], weight=[1.0, 0.0])
    0.5
    """
    w = np.asarray(w, dtype=np.float64)
    weights = np.empty(w.shape)
    weights[...] = 1.0 if weight is None else weight
    if weights.size and not weights.min() >= 0:
        raise ValueError(f"weight must not be negative; got {weights.min()}.")
    return total(get(penalty), w.ravel(), weights.ravel())
