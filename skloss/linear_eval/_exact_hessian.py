"""The Hessian of softmax regression, factorised, as a preconditioner."""

import numpy as np
from scipy import linalg

__all__ = ["CholeskyPreconditioner"]

# Added to the Hessian's diagonal, relative to its mean: about the rounding.
_JITTER = {np.dtype(np.float32): 1e-7, np.dtype(np.float64): 1e-15}
_TINY = np.finfo(np.float64).tiny
# Numbers in the scaled copy of a block of rows; it should stay in the last cache.
_BLOCK_SIZE = 1 << 20


class CholeskyPreconditioner:
    """Inverse of the Hessian, assembled in the precision of the data.

    The Hessian of the loss is ``Σ_i w_i (diag(P_i) - P_i P_iᵀ) ⊗ x_i x_iᵀ``: minus one
    product of a (K (p + 1), n) matrix with its transpose, except for the diagonal
    blocks, which are summed apart because the difference would cancel.

    Parameters
    ----------
    design : Columns
        The standardised data.
    P : ndarray of shape (K, n)
        Class probabilities.
    weights : ndarray of shape (n,)
        Weights of the rows.
    ridge : ndarray of shape (p,)
        Weight of each feature's squared coefficients.
    fit_intercept : bool
        Whether there is an intercept.
    """

    def __init__(self, design, P, weights, *, ridge, fit_intercept):
        n_classes, (n_features, n_samples) = P.shape[0], design.data.shape
        size = n_features + 1
        order = n_classes * size
        H = np.zeros((order, order), P.dtype)
        diagonal = np.zeros((n_classes, size, size), P.dtype)
        rows = max(64, _BLOCK_SIZE // order)
        for start in range(0, n_samples, rows):
            block = slice(start, min(start + rows, n_samples))
            X = np.empty((size, block.stop - start), P.dtype)
            X[:-1] = design.data[:, block]
            X[-1] = fit_intercept
            p, w = P[:, block], weights[block]
            scaled = ((np.sqrt(w) * p)[:, None] * X).reshape(order, -1)
            H -= scaled @ scaled.T
            for k in range(n_classes):
                scaled = np.sqrt(w * p[k] * (1 - p[k])) * X
                diagonal[k] += scaled @ scaled.T
        H = H.reshape(n_classes, size, n_classes, size)
        for k in range(n_classes):
            H[k, :, k] = diagonal[k]
        self._shape = n_classes, size
        self._factor = _factorise(H, ridge, fit_intercept)

    def __call__(self, R):
        """Apply the preconditioner to a residual (K, p + 1)."""
        solution = linalg.cho_solve((self._factor, True), R.ravel(), check_finite=False)
        return solution.reshape(self._shape)


def _factorise(H, ridge, fit_intercept):
    """Lower Cholesky factor of the Hessian (K, p + 1, K, p + 1) plus the ridge.

    The Hessian is blind to shifts of all classes. A multiple of the projection on
    those shifts makes it definite and changes nothing elsewhere.
    """
    n_classes, size = H.shape[:2]
    dtype = H.dtype
    H = H.astype(np.float64)
    features = np.arange(size)
    curvature = max(np.einsum("kjkj->", H) / (n_classes * size), _TINY)
    if n_classes > 1:
        H[:, features, :, features] += curvature / n_classes
    penalty = np.append(ridge, 0.0 if fit_intercept else curvature)
    for k in range(n_classes):
        H[k, features, k, features] += penalty
    H = H.reshape(n_classes * size, -1)
    jitter = _JITTER[dtype] * curvature
    while True:
        H.flat[:: len(H) + 1] += jitter
        try:
            return linalg.cholesky(H, lower=True, check_finite=False).astype(dtype)
        except linalg.LinAlgError:
            jitter *= 10
