"""Preconditioner for Hessians that are nearly a Kronecker product plus a ridge.

A loss on K linear scores of p features has the Hessian ``Σ_i A_i ⊗ x_i x_iᵀ``, where
A_i (K, K) is the curvature of row i in its scores. Were A_i the same for all rows, this
would be ``A ⊗ Γ``, which two small eigendecompositions invert together with a ridge.
"""

import copy

import numpy as np

__all__ = ["KroneckerPreconditioner"]

# Directions whose curvature is below this share of the largest are rounding: the
# shift of all classes by one amount is such a direction of the softmax.
_NULL = 1e-7
# A ridge below this share of the curvature is raised to it; in a preconditioner that
# changes nothing, and it bounds the range of the units.
_FLOOR = 1e-12
_TINY = np.finfo(np.float64).tiny


def _positive_spectrum(classes):
    """Positive eigenvalues of a semi-definite matrix and their eigenvectors."""
    alpha, V = np.linalg.eigh(classes)
    keep = alpha > _NULL * max(alpha[-1], _TINY)
    return alpha[keep], V[:, keep]


class KroneckerPreconditioner:
    """Inverse of ``A ⊗ [[Γ + m mᵀ, m], [mᵀ, 1]] + diag(ridge)``, applied to (K, p + 1).

    The last column of the parameters is an intercept, which has no ridge. It is
    eliminated through `mean` rather than regularised: a ridge on the intercept spoils
    the preconditioner exactly where the true ridge is strong.

    Applying it costs ``2 K p (K + p)`` multiplications, ``2 K² p`` when `gram` is
    diagonal.

    Parameters
    ----------
    gram : ndarray of shape (p, p) or (p,)
        Γ, the covariance of the features, or its diagonal.
    mean : ndarray of shape (p,) or None
        m, the mean of the features; None when there is no intercept, in which case the
        last column of the result is zero.
    classes : ndarray of shape (K, K)
        A, symmetric positive semi-definite. Its null space is projected out.
    ridge : ndarray of shape (p,)
        Non-negative weight of each feature's squared coefficient.
    dtype : dtype, default=float32
        Precision in which it is stored and applied.

    References
    ----------
    The elimination of the intercept is the Schur complement of its block; the joint
    diagonalisation is that of a Sylvester operator (Golub and Van Loan, Matrix
    Computations, 4th ed., sections 7.6.3 and 12.3).

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.solvers.kronecker import KroneckerPreconditioner
    >>> precondition = KroneckerPreconditioner(
    ...     np.eye(2), np.zeros(2), np.eye(3), np.ones(2)
    ... )
    >>> precondition(np.ones((3, 3), dtype=np.float32))[0]
    array([0.5, 0.5, 1. ], dtype=float32)
    """

    def __init__(self, gram, mean, classes, ridge, dtype=np.float32):
        alpha, V = _positive_spectrum(classes)
        # In units where the ridge is the same for all features it stays diagonal
        # under any rotation.
        ridge = np.maximum(ridge, _FLOOR * alpha.max(initial=_TINY))
        unit = 1 / np.sqrt(ridge)
        unit /= unit.max()
        self._ridge = ridge.min()
        if gram.ndim == 1:
            gamma = gram * unit**2
            self._rotation = unit.astype(dtype)
        else:
            gamma, U = np.linalg.eigh(gram * unit * unit[:, None])
            self._rotation = (unit[:, None] * U).astype(dtype)
            self._rotation_t = np.ascontiguousarray(self._rotation.T)
        self._gamma = np.maximum(gamma, 0)
        self._mean = None if mean is None else mean.astype(dtype)
        self._set_classes(alpha, V)

    def _set_classes(self, alpha, V):
        dtype = self._rotation.dtype
        spectrum = np.multiply.outer(alpha, self._gamma) + self._ridge
        self._inverse = (1 / spectrum).astype(dtype)
        self._classes = V.astype(dtype)
        self._classes_t = np.ascontiguousarray(self._classes.T)
        self._class_inverse = ((V / alpha) @ V.T).astype(dtype)

    def with_classes(self, classes):
        """Preconditioner with another `classes` and the same features.

        Parameters
        ----------
        classes : ndarray of shape (K, K)
            A.

        Returns
        -------
        KroneckerPreconditioner
            At the cost of an eigendecomposition of `classes`.
        """
        other = copy.copy(self)
        other._set_classes(*_positive_spectrum(classes))
        return other

    def __call__(self, R):
        """Apply the preconditioner to a residual.

        Parameters
        ----------
        R : ndarray of shape (K, p + 1)
            Residual, the intercepts last.

        Returns
        -------
        ndarray of shape (K, p + 1)
        """
        out = np.empty_like(R)
        features, intercepts = R[:, :-1], R[:, -1]
        if self._mean is not None:
            features = features - np.multiply.outer(intercepts, self._mean)
        rotated = self._rotate(self._classes_t @ features, transpose=False)
        rotated *= self._inverse
        change = self._classes @ self._rotate(rotated, transpose=True)
        out[:, :-1] = change
        if self._mean is None:
            out[:, -1] = 0
        else:
            out[:, -1] = self._class_inverse @ intercepts - change @ self._mean
        return out

    def _rotate(self, W, transpose):
        if self._rotation.ndim == 1:
            return W * self._rotation
        return W @ (self._rotation_t if transpose else self._rotation)
