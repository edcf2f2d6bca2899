"""Weighted means and variances of columns, dense or sparse."""

import numpy as np
from scipy import sparse

from skloss._blocks import narrow_csr_parts
from skloss._jit import kernel
from skloss._validation import as_kernel_array

__all__ = ["column_moments", "refuse_underflow"]

# Variances below this have lost digits, or all of them.
_UNDERFLOW = 1e-300


def column_moments(X, weights, *, center=True):
    """Compute the mean of every column and the mean square about it.

    Parameters
    ----------
    X : C-contiguous ndarray or CSR matrix of shape (n, p)
        Data, float32 or float64.
    weights : ndarray of shape (n,), float64
        Weights of the rows, summing to 1.
    center : bool, default=True
        Measure from the means; otherwise from zero, which is returned for them.

    Returns
    -------
    mean, square : ndarray of shape (p,)
        In float64, whatever the dtype of X.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._moments import column_moments
    >>> mean, square = column_moments(np.array([[1.0], [3.0]]), np.array([0.5, 0.5]))
    >>> mean.item(), square.item()
    (2.0, 1.0)
    """
    mean, square = np.zeros(X.shape[1]), np.empty(X.shape[1])
    if sparse.issparse(X):
        _sparse_moments(*narrow_csr_parts(X), weights, center, mean, square)
    else:
        _dense_moments(as_kernel_array(X, X.dtype), weights, center, mean, square)
    return mean, square


def refuse_underflow(X, weights, square, *, smallest=0.0):
    """Refuse columns that vary, but so little that their variance underflows.

    Parameters
    ----------
    X : ndarray or CSR matrix of shape (n, p)
        Data.
    weights : ndarray of shape (n,)
        Weights of the rows.
    square : ndarray of shape (p,)
        Their variances, from `column_moments`.
    smallest : float, default=0.0
        Variances below this do not matter to the caller.

    Raises
    ------
    ValueError
        If there is such a column; the message names it.
    """
    columns = np.flatnonzero(square < _UNDERFLOW)
    if smallest > _UNDERFLOW or not len(columns):
        return
    values = X[weights > 0][:, columns]
    spread = values.max(axis=0) - values.min(axis=0)
    spread = spread.toarray().ravel() if sparse.issparse(spread) else spread
    if spread.any():
        raise ValueError(
            f"The values of feature {columns[spread.argmax()]} are too small: their "
            "variance underflows. Multiply them by a constant."
        )


@kernel(fastmath={"contract"})
def _dense_moments(X, weights, center, mean, square):
    """Weighted means, and mean squares about them."""
    n_samples, n_features = X.shape
    square[:] = 0.0
    if center:
        mean[:] = 0.0
        for i in range(n_samples):
            w = weights[i]
            x = X[i]
            for j in range(n_features):
                mean[j] += w * x[j]
    residue = np.zeros(n_features)
    for i in range(n_samples):
        w = weights[i]
        x = X[i]
        for j in range(n_features):
            t = x[j] - mean[j]
            wt = w * t
            residue[j] += wt
            square[j] += wt * t
    if center:
        # What rounding left of the mean: matters when columns sit far from zero.
        for j in range(n_features):
            mean[j] += residue[j]
            square[j] = max(square[j] - residue[j] * residue[j], 0.0)


@kernel
def _sparse_moments(data, indices, indptr, weights, center, mean, square):
    """Weighted means, and mean squares about them, of compressed rows."""
    n_features = mean.shape[0]
    mean[:] = 0.0
    square[:] = 0.0
    stored = np.zeros(n_features)
    if center:
        for i in range(weights.shape[0]):
            for at in range(indptr[i], indptr[i + 1]):
                mean[indices[at]] += weights[i] * data[at]
    total = 0.0
    for i in range(weights.shape[0]):
        total += weights[i]
        for at in range(indptr[i], indptr[i + 1]):
            j = indices[at]
            t = data[at] - mean[j]
            square[j] += weights[i] * t * t
            stored[j] += weights[i]
    for j in range(n_features):
        # Exactly zero where all rows store the column: the same sum, in the same order.
        square[j] += max(total - stored[j], 0.0) * mean[j] * mean[j]
