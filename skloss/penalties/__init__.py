"""Penalties: what is added to a loss, as values that print, compare and pickle.

`L1`, `L2`, `ElasticNet`, `NonNegative`, `Box`, `MCP` and `SCAD` are named tuples of
their parameters; the functions `value`, `prox`, `subdifferential_distance`,
`conjugate`, `dual_scale` and `piece` choose their arithmetic by the penalty's type, in
Python and in kernels.

`GroupLasso`, `SparseGroupLasso`, `SparseEnvelope` and `Slope` act on all coefficients
together; they are objects with methods (`skloss.penalties._vector_contract`).
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
from skloss.penalties.concave import MCP, SCAD
from skloss.penalties.envelope import SparseEnvelope
from skloss.penalties.grouped import GroupLasso, SparseGroupLasso
from skloss.penalties.separable import L1, L2, Box, ElasticNet, NonNegative
from skloss.penalties.slope import Slope, benjamini_hochberg

__all__ = [
    "L1",
    "L2",
    "MCP",
    "PENALTIES",
    "SCAD",
    "Box",
    "ElasticNet",
    "GroupLasso",
    "NonNegative",
    "Slope",
    "SparseEnvelope",
    "SparseGroupLasso",
    "benjamini_hochberg",
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
