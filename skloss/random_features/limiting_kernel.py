"""The kernel that products of random features tend to."""

import numpy as np
from scipy import sparse
from scipy.spatial.distance import cdist
from sklearn.metrics.pairwise import laplacian_kernel, rbf_kernel
from sklearn.utils.extmath import safe_sparse_dot

from skloss.kernels.dual_activations import dual_activation
from skloss.random_features._matern import matern_kernel

__all__ = ["kernel_of"]

# Their kernels change with the angle between rows as such, which products of rows
# that nearly coincide do not tell.
_OF_ANGLES = ("step", "sign")


def kernel_of(feature_map, X, Y):
    """Evaluate the kernel of features.

    Parameters
    ----------
    feature_map : FeatureMap
        What the features are; their number does not matter.
    X, Y : ndarray or CSR array of shape (n, d) and (m, d)
        Rows.

    Returns
    -------
    ndarray of shape (n, m)
        Kernel, in float32 if both are.

    Raises
    ------
    ValueError
        If the kernel overflows, as that of "exp" does at large rows.
    """
    dtype = np.promote_types(X.dtype, Y.dtype)
    if feature_map.activation in ("cos", "sincos"):
        kernel = _of_differences(feature_map, X, Y)
    else:
        kernel = _of_products(feature_map, X, Y)
    with np.errstate(over="ignore"):
        kernel = kernel.astype(dtype, copy=False)
    # Its ends tell of infinity and nan without an array of their own.
    if not np.isfinite([kernel.min(initial=0.0), kernel.max(initial=0.0)]).all():
        raise ValueError(
            f"activation={feature_map.activation!r} has a kernel that is not finite at "
            f"these rows with gamma={feature_map.gamma:.6g}: rescale them, or take a "
            "smaller gamma."
        )
    return kernel


def _of_differences(feature_map, X, Y):
    weights, gamma = feature_map.weights, feature_map.gamma
    if weights.distribution == "gaussian":
        return rbf_kernel(X, Y, gamma=gamma)
    if weights.distribution == "cauchy":
        return laplacian_kernel(X, Y, gamma=gamma)
    X, Y = _dense(X), _dense(Y)
    if weights.distribution == "student":
        return matern_kernel(X, Y, nu=weights.nu, gamma=gamma)
    out = np.ones((len(X), len(Y)))
    for x, y in zip(X.T, Y.T):
        # NumPy's sinc has a factor of pi.
        out *= np.sinc(np.subtract.outer(x, y) * (weights.scale / np.pi))
    return out


def _of_products(feature_map, X, Y):
    """Means of products of two activations of correlated normal numbers."""
    # Angles between rows need all digits of their products.
    X, Y = X.astype(np.float64, copy=False), Y.astype(np.float64, copy=False)
    S = np.ascontiguousarray(safe_sparse_dot(X, Y.T, dense_output=True))
    S *= 2.0 * feature_map.gamma
    S += feature_map.bias**2
    distances = None
    if feature_map.activation in _OF_ANGLES and not sparse.issparse(X):
        distances = cdist(X, _dense(Y), "sqeuclidean")
        distances *= 2.0 * feature_map.gamma
    return dual_activation(
        feature_map.activation,
        S,
        feature_map.variances(X),
        feature_map.variances(Y),
        negative_slope=feature_map.negative_slope,
        squared_distances=distances,
        out=S,
    )


def _dense(X):
    return X.toarray() if sparse.issparse(X) else X
