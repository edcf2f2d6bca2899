"""Kernels on whole coefficient vectors."""

from skloss._jit import kernel
from skloss.penalties._contract import subdifferential_distance, value

__all__ = ["kkt_distances", "total"]


@kernel
def total(penalty, w, weight):
    """Sum of weighted penalties, for kernels and solvers.

    `evaluate` is the same with its arguments checked.

    Parameters
    ----------
    penalty : named tuple
        A penalty.
    w : ndarray of shape (n_coefficients,)
        Coefficients.
    weight : ndarray of shape (n_coefficients,)
        Factors of the penalty.

    Returns
    -------
    float
        The sum.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import L1, total
    >>> total(L1(alpha=0.5), np.array([1.0, -3.0]), np.array([1.0, 0.0]))
    0.5
    """
    result = 0.0
    for j in range(w.size):
        result += value(penalty, w[j], weight[j])
    return result


@kernel
def kkt_distances(penalty, w, g, weight, out):
    """Distances from stationarity, and the largest of them.

    Parameters
    ----------
    penalty : named tuple
        A penalty.
    w : ndarray of shape (n_coefficients,)
        Coefficients.
    g : ndarray of shape (n_coefficients,)
        Gradient of the smooth part of the objective at `w`.
    weight : ndarray of shape (n_coefficients,)
        Factors of the penalty.
    out : ndarray of shape (n_coefficients,)
        Overwritten with the distances; may be `w`, `g` or `weight` itself.

    Returns
    -------
    float
        The largest distance.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import L1, kkt_distances
    >>> out = np.empty(2)
    >>> w, g = np.array([0.0, 1.0]), np.array([0.75, -0.5])
    >>> kkt_distances(L1(alpha=0.5), w, g, np.ones(2), out)
    0.25
    >>> out
    array([0.25, 0.  ])
    """
    largest = 0.0
    for j in range(w.size):
        out[j] = subdifferential_distance(penalty, w[j], g[j], weight[j])
        largest = max(largest, out[j])
    return largest
