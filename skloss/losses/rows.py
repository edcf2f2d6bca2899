"""Losses on a row of class scores."""

from math import inf, sqrt
from typing import NamedTuple

from skloss._elementary import exp, log, log1p
from skloss.losses._contract import (
    block_gradient,
    register,
    row_conjugate,
    row_curvature_product,
    row_gradient,
    row_value,
)

__all__ = ["SoftmaxCrossEntropy"]


@register("softmax_cross_entropy")
class SoftmaxCrossEntropy(NamedTuple):
    """Cross-entropy of the softmax of the scores, logsumexp(F) - F[y].

    The negative log-likelihood of multinomial logistic regression. Adding a number to
    all scores changes nothing; the largest score is subtracted first, so that nothing
    overflows.

    References
    ----------
    D. R. Cox, "Some Procedures Connected with the Logistic Qualitative Response
    Curve", 1966. The bound of 1/2 on the Hessian's eigenvalues: D. Böhning,
    "Multinomial Logistic Regression Algorithm", AISM 44, 1992.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.losses import SoftmaxCrossEntropy, row_value
    >>> float(row_value(SoftmaxCrossEntropy(), 1, np.array([0.0, 1e6])))
    0.0
    """

    targets = "class"
    lipschitz = sqrt(2.0)
    smoothness = 0.5


@row_value.implement(SoftmaxCrossEntropy)
def _(loss, y, F):
    top = F[0]
    for k in range(1, F.size):
        top = max(F[k], top)
    # the terms equal to 1 are counted apart: a tiny loss keeps its digits
    rest, ties = 0.0, -1.0
    for k in range(F.size):
        e = exp(F[k] - top)
        rest += 0.0 if e == 1.0 else e
        ties += 1.0 if e == 1.0 else 0.0
    return log1p(ties + rest) + (top - F[y])


@row_gradient.implement(SoftmaxCrossEntropy)
def _(loss, y, F, out):
    top, target = F[0], F[y]
    for k in range(1, F.size):
        top = max(F[k], top)
    # 1 - p of the target is the sum of the others: subtracting loses its digits
    rest, ties, others = 0.0, -1.0, 0.0
    for k in range(F.size):
        e = exp(F[k] - top)
        rest += 0.0 if e == 1.0 else e
        ties += 1.0 if e == 1.0 else 0.0
        others += 0.0 if k == y else e
        out[k] = e
    scale = 1.0 / (1.0 + (ties + rest))
    for k in range(F.size):
        out[k] *= scale
    out[y] = -others * scale
    return log1p(ties + rest) + (top - target)


@block_gradient.implement(SoftmaxCrossEntropy)
def _(loss, y, F, values, out):
    for i in range(F.shape[0]):
        top, target = F[i, 0], F[i, y[i]]
        for k in range(1, F.shape[1]):
            top = max(F[i, k], top)
        for k in range(F.shape[1]):
            out[i, k] = F[i, k] - top
        values[i] = top - target
    # rows may be too short for vector instructions, the block is not
    flat = out.reshape(out.size)
    for j in range(flat.size):
        flat[j] = exp(flat[j])
    for i in range(F.shape[0]):
        rest, ties, others = 0.0, -1.0, 0.0
        for k in range(F.shape[1]):
            e = out[i, k]
            rest += 0.0 if e == 1.0 else e
            ties += 1.0 if e == 1.0 else 0.0
            others += 0.0 if k == y[i] else e
        scale = 1.0 / (1.0 + (ties + rest))
        for k in range(F.shape[1]):
            out[i, k] *= scale
        out[i, y[i]] = -others * scale
        values[i] += log1p(ties + rest)


@row_curvature_product.implement(SoftmaxCrossEntropy)
def _(loss, y, F, v, out):
    top = F[0]
    for k in range(1, F.size):
        top = max(F[k], top)
    total = 0.0
    mean = 0.0
    for k in range(F.size):
        e = exp(F[k] - top)
        total += e
        mean += e * v[k]
    scale = 1.0 / total
    mean *= scale
    # the exponentials again: keeping them in `out` would overwrite `F` or `v`
    for k in range(F.size):
        out[k] = exp(F[k] - top) * scale * (v[k] - mean)


@row_conjugate.implement(SoftmaxCrossEntropy)
def _(loss, y, a):
    # the negative entropy of q = a + e_y on the simplex
    entropy = 0.0
    total = 0.0
    for k in range(a.size):
        q = a[k] + 1.0 if k == y else a[k]
        if q < 0.0:
            return inf
        if q > 0.0:
            entropy += q * log(q)
        total += q
    return entropy if abs(total - 1.0) <= 1e-6 else inf
