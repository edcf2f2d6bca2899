"""Sorted L1 (SLOPE): the larger a coefficient, the more it pays; equals cluster.

M. Bogdan, E. van den Berg, C. Sabatti, W. Su, E. Candès, "SLOPE: adaptive variable
selection via convex optimization", Annals of Applied Statistics 9(3), 2015: the
penalty, its proximal operator by averaging adjacent violators, its weights, its dual.
"""

import numpy as np
from scipy.special import ndtri

from skloss._jit import kernel
from skloss.penalties._groups import check_factors
from skloss.penalties._vector_contract import Piece, VectorPenalty

__all__ = ["Slope", "benjamini_hochberg"]


def benjamini_hochberg(size, q=0.1):
    """Compute weights that control false discoveries for orthogonal columns.

    Parameters
    ----------
    size : int
        Number of coefficients.
    q : float, default=0.1
        The share, strictly between 0 and 1.

    Returns
    -------
    ndarray of shape (size,)
        The normal quantiles at ``1 - i * q / (2 * size)`` for i from 1.

    Raises
    ------
    ValueError
        If `q` is out of range.

    Examples
    --------
    >>> from skloss.penalties import benjamini_hochberg
    >>> benjamini_hochberg(2, q=0.1).round(3).tolist()
    [1.96, 1.645]
    """
    if not 0 < q < 1:
        raise ValueError(f"q must be strictly between 0 and 1; got {q!r}.")
    # The lower tail keeps its digits for many coefficients.
    return -ndtri(np.arange(1, size + 1) * (q / (2 * size)))


@kernel
def _falling(z, out):
    """Project on the sequences that fall and stay at least 0, by pooling violators."""
    means, ends = np.empty(z.size), np.empty(z.size, np.intp)
    top = 0
    for i in range(z.size):
        mean, start = z[i], i
        while top > 0 and means[top - 1] <= mean:
            top -= 1
            before = ends[top - 1] if top > 0 else 0
            weight = (start - before) / (i + 1 - before)
            mean += weight * (means[top] - mean)
            start = before
        means[top], ends[top] = mean, i + 1
        top += 1
    start = 0
    for block in range(top):
        mean = max(means[block], 0.0)
        for i in range(start, ends[block]):
            out[i] = mean
        start = ends[block]


class Slope(VectorPenalty):
    """Sorted L1: ``alpha * sum_i weights[i] * |w|_(i)``, the largest ``|w|`` first.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    weights : array-like of shape (size,)
        Numbers of at least 0 that do not increase, the first above 0; see
        `benjamini_hochberg`. Equal ones make it the lasso.

    Raises
    ------
    ValueError
        If a number is out of range or the weights increase.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import Slope
    >>> penalty = Slope(1.0, [2.0, 1.0])
    >>> penalty.value(np.array([1.0, -3.0]))
    7.0
    >>> penalty.prox(np.array([3.0, -3.2]), 1.0)
    array([ 1.6, -1.6])
    """

    def __init__(self, alpha, weights):
        weights = np.atleast_1d(np.asarray(weights, dtype=np.float64))
        super().__init__(alpha, weights.size)
        self.weights = check_factors("weights", weights, weights.size)
        if not weights.size or weights[0] == 0 or (np.diff(weights) > 0).any():
            raise ValueError(
                "weights must not increase and begin with a number above 0; got "
                f"{weights}."
            )

    def _value(self, w):
        return float(self.alpha * (self.weights @ -np.sort(-np.abs(w))))

    def _prox(self, v, step):
        size = np.abs(v)
        order = np.argsort(-size, kind="stable")
        falling, out = np.empty(self.size), np.empty(self.size)
        _falling(size[order] - step * self.alpha * self.weights, falling)
        out[order] = falling
        # Where nothing is subtracted, averages of equals may be off by rounding.
        return np.copysign(out, v) if self.alpha * step else v.copy()

    def _critical_alpha(self, u):
        sums = np.cumsum(-np.sort(-np.abs(u)))
        return float((sums / np.cumsum(self.weights)).max(initial=0.0))

    def _activity(self, u, slack):
        """Size of the gradient of coefficients that need not be zero.

        J. Larsson, M. Bogdan, J. Wallin, "The strong screening rule for SLOPE",
        NeurIPS 2020: up to the last place where the sum of the sorted sizes, less the
        weights, is largest.
        """
        size = np.abs(u)
        order = np.argsort(-size, kind="stable")
        sums = np.cumsum(size[order] - slack * self.alpha * self.weights)
        result = np.zeros(self.size)
        last = self.size - int(np.argmax(sums[::-1]))
        if sums[last - 1] >= 0.0:
            result[order[:last]] = size[order[:last]]
        return result

    def _restricted(self, columns):
        return {"weights": self.weights[: columns.size]}

    def _piece(self, w):
        """Equal sizes stay equal, and in their order."""
        size = np.abs(w)
        if self.alpha == 0.0:
            active = np.arange(self.size)
            flat = np.zeros(self.size)
            return Piece(
                active, flat + 1.0, None, w.copy(), flat, None, flat > 0.0, False
            )
        order = np.argsort(-size, kind="stable")
        order = order[: np.count_nonzero(size)]
        falls = np.ones(order.size, dtype=bool)
        falls[1:] = size[order[1:]] < size[order[:-1]]
        merge = np.cumsum(falls) - 1
        z = size[order[falls]]
        gradient = self.alpha * np.bincount(
            merge, self.weights[: order.size], minlength=z.size
        )
        bounded = np.zeros(z.size, dtype=bool)
        bounded[-1:] = True
        return Piece(order, np.sign(w[order]), merge, z, gradient, None, bounded, True)
