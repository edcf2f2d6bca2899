"""Wide data turned into square data, exactly.

With an L2 penalty the coefficients lie in the span of the (centred) rows. When there
are fewer rows than columns, coordinates in that span are fewer than the features, and
because they are orthonormal the penalty keeps its form.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

__all__ = ["Rotation", "rotate", "worth_rotating"]

# The factorisation costs 4 n² p operations; beyond this many rows it would not pay.
_MOST_ROWS = 2000


class Rotation(NamedTuple):
    """Rows in coordinates of their own span.

    Parameters
    ----------
    X : ndarray of shape (n, n)
        The centred rows in the new coordinates.
    basis : ndarray of shape (p, n)
        Orthonormal columns: the new coordinates in terms of the features.
    center : ndarray of shape (p,)
        What was subtracted from the rows.
    """

    X: np.ndarray
    basis: np.ndarray
    center: np.ndarray


def worth_rotating(X):
    """Whether X is dense with fewer rows than columns, but not too many rows."""
    n_samples, n_features = X.shape
    return not sparse.issparse(X) and n_samples < min(n_features, _MOST_ROWS + 1)


def rotate(X, weights, *, center):
    """Rotate the rows of X (n, p), n < p, into n coordinates.

    Parameters
    ----------
    X : ndarray of shape (n, p)
        Data.
    weights : ndarray of shape (n,)
        Weights of the rows, summing to 1.
    center : bool
        Whether to subtract the weighted mean first.

    Returns
    -------
    Rotation
        Its basis lies where a float64 copy of X was.
    """
    X = X.astype(np.float64)
    mean = weights @ X if center else np.zeros(X.shape[1])
    X -= mean
    largest = max(X.max(), -X.min())  # without an array of absolute values
    rounding = max(X.shape) * np.finfo(np.float64).eps * largest
    basis, triangle = linalg.qr(
        X.T, mode="economic", overwrite_a=True, check_finite=False
    )
    # Rows that depend on others leave rounding, which without a penalty would count.
    triangle[np.abs(triangle).max(axis=1) <= rounding] = 0
    return Rotation(np.ascontiguousarray(triangle.T), basis, mean)
