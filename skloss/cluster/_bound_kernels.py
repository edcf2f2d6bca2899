"""Compiled parts of the lower bound on the loss of k medoids."""

import numpy as np

from skloss._jit import kernel

__all__ = ["common_unit", "cover", "reduced_costs"]


# Four rows share each multiplier and weight that is loaded; one row alone would spend
# more time on those than on its own values.
@kernel(fastmath={"reassoc", "nsz"})
def reduced_costs(matrix, ids, weights, multipliers, costs):
    r"""Sum what candidates would save at the points' prices.

    A row's sum does not depend on which rows stand beside it.

    Parameters
    ----------
    matrix : ndarray of shape (n_rows, n_points), float32 or float64
        Dissimilarities, a row for each candidate.
    ids : ndarray of shape (n_ids,), intp
        Rows to evaluate.
    weights, multipliers : ndarray of shape (n_points,), float64
        Sample weights and prices.
    costs : ndarray of shape (n_ids,), float64
        Overwritten by :math:`\sum_o \min(0, w_o D_{oj} - \lambda_o)`.
    """
    last = ids.size - 1
    for i in range(0, ids.size, 4):
        i1, i2, i3 = min(i + 1, last), min(i + 2, last), min(i + 3, last)
        row0, row1 = matrix[ids[i]], matrix[ids[i1]]
        row2, row3 = matrix[ids[i2]], matrix[ids[i3]]
        sum0, sum1, sum2, sum3 = 0.0, 0.0, 0.0, 0.0
        for o in range(multipliers.size):
            w, price = weights[o], multipliers[o]
            sum0 += min(0.0, w * row0[o] - price)
            sum1 += min(0.0, w * row1[o] - price)
            sum2 += min(0.0, w * row2[o] - price)
            sum3 += min(0.0, w * row3[o] - price)
        costs[i3], costs[i2], costs[i1], costs[i] = sum3, sum2, sum1, sum0


@kernel
def cover(matrix, ids, weights, multipliers, counts, nearest):
    r"""Count for each point the candidates cheaper than its price, and the cheapest.

    Parameters
    ----------
    matrix, ids, weights, multipliers : ndarray
        As in `reduced_costs`.
    counts, nearest : ndarray of shape (n_points,), float64
        Overwritten by the number of rows with :math:`w_o D_{oj} < \lambda_o` and by
        the least :math:`w_o D_{oj}`.
    """
    counts[:] = 0.0
    nearest[:] = np.inf
    for i in ids:
        row = matrix[i]
        for o in range(multipliers.size):
            cost = weights[o] * row[o]
            counts[o] += 1.0 if cost < multipliers[o] else 0.0
            nearest[o] = min(nearest[o], cost)


@kernel
def common_unit(matrix, weights, unit, smallest):
    """Lower a power of two until it divides all weighted dissimilarities.

    Parameters
    ----------
    matrix, weights : ndarray
        As in `reduced_costs`.
    unit : float
        Power of two to begin with.
    smallest : float
        Give up below.

    Returns
    -------
    float
        The largest power of two up to `unit` that divides all; 0.0 if it would be
        less than `smallest`.
    """
    per_unit = 1.0 / unit
    for i in range(matrix.shape[0]):
        for o in range(weights.size):
            parts = weights[o] * matrix[i, o] * per_unit
            while parts != np.floor(parts):
                unit, per_unit, parts = unit / 2, per_unit * 2, parts * 2
                if unit < smallest:
                    return 0.0
    return unit
