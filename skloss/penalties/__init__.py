"""Penalties: what is added to a loss, as values that print, compare and pickle.

`L1`, `L2`, `ElasticNet`, `NonNegative` and `Box` are named tuples of their parameters;
the functions `value`, `prox`, `subdifferential_distance`, `conjugate`, `dual_scale`
and `piece` choose their arithmetic by the penalty's type, in Python and in kernels.
"""

from skloss.penalties._arrays import kkt_distances, total
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
from skloss.penalties._evaluation import evaluate, get, proximal_point
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
