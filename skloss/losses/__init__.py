"""Losses: what is minimised, as values that print, compare, pickle and tune.

A loss such as ``Huber(delta=1.0)`` is a named tuple of its parameters. The functions
`value`, `derivative`, `curvature`, `value_derivative`, `conjugate` and `probability`
(`row_value` and so on for losses on a row of class scores) choose their arithmetic by
the loss's type, in Python and in kernels; `evaluate`, `evaluate_gradient` and
`value_and_gradient` apply them to arrays.

Losses of ordinal models are built from a link such as ``Logit()``; `links`, `ordinal`
and `ordinal_passes` hold what they do.

A new loss is a named tuple under ``@register(name)`` that says its ``targets``,
``lipschitz`` and ``smoothness``, followed by ``@value.implement(cls)`` and the others.
"""

from skloss.losses._contract import (
    LOSSES,
    block_gradient,
    conjugate,
    curvature,
    derivative,
    probability,
    register,
    row_conjugate,
    row_curvature_product,
    row_gradient,
    row_value,
    value,
    value_derivative,
)
from skloss.losses._evaluation import (
    evaluate,
    evaluate_gradient,
    get,
    value_and_gradient,
)
from skloss.losses.links import (
    LINKS,
    Cauchit,
    CLogLog,
    Logit,
    LogLog,
    Probit,
    get_link,
)
from skloss.losses.margin import (
    Exponential,
    Hinge,
    Logistic,
    ModifiedHuber,
    SmoothedHinge,
    SquaredHinge,
)
from skloss.losses.regression import (
    Absolute,
    EpsilonInsensitive,
    Gamma,
    Huber,
    Poisson,
    Quantile,
    Squared,
    SquaredEpsilonInsensitive,
)
from skloss.losses.rows import SoftmaxCrossEntropy

__all__ = [
    "LINKS",
    "LOSSES",
    "Absolute",
    "CLogLog",
    "Cauchit",
    "EpsilonInsensitive",
    "Exponential",
    "Gamma",
    "Hinge",
    "Huber",
    "LogLog",
    "Logistic",
    "Logit",
    "ModifiedHuber",
    "Poisson",
    "Probit",
    "Quantile",
    "SmoothedHinge",
    "SoftmaxCrossEntropy",
    "Squared",
    "SquaredEpsilonInsensitive",
    "SquaredHinge",
    "block_gradient",
    "conjugate",
    "curvature",
    "derivative",
    "evaluate",
    "evaluate_gradient",
    "get",
    "get_link",
    "probability",
    "register",
    "row_conjugate",
    "row_curvature_product",
    "row_gradient",
    "row_value",
    "value",
    "value_and_gradient",
    "value_derivative",
]
