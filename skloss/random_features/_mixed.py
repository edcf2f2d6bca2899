"""Exact ridge coefficients from sums of squares in single precision.

Products of features take half of the time in single precision. A decomposition of
their sums is good to some digits; conjugate gradients on the features themselves, with
it as preconditioner, add all others in a few passes.
"""

import numpy as np
from scipy.linalg import lapack

from skloss.random_features._primal import factorised

__all__ = ["refined"]

_TOL = 1e-12  # residual beside the right side
_MOST = 15  # passes after which sums in double precision would have cost less
_ERROR = 6e-8  # of sums in single precision, beside their trace
_LEAST = 1e-2  # penalty beside that error below which it is no use to try


def refined(rows, weight, centred, alpha):
    """Solve ridge systems to double precision.

    Parameters
    ----------
    rows : FeatureRows
        Features in double precision.
    weight : ndarray of shape (n,) or None
        Of the rows.
    centred : Centred
        Sums; all but those of squares are in double precision.
    alpha : ndarray of shape (t,)
        Penalties.

    Returns
    -------
    coef : ndarray of shape (k, t) or None
        Coefficients; None if sums in double precision are needed.
    n_passes : int
        Over the data.
    """
    error = _ERROR * np.trace(centred.squares)
    if error * _LEAST > alpha.min():
        return None, 0
    factors = {}
    for value in np.unique(alpha):
        factors[value] = factorised(centred.squares, value)
        if factors[value] is None:
            return None, 0

    def preconditioned(R):
        out = np.empty_like(R)
        for value, factor in factors.items():
            which = alpha == value
            out[:, which] = lapack.dpotrs(factor, R[:, which], lower=1)[0]
        return out

    def product(P):
        return alpha * P + _times_squares(rows, weight, centred.center, P)

    return _conjugate_gradients(product, preconditioned, centred.products)


def _times_squares(rows, weight, center, P):
    """Centred sums of squares of features times vectors."""
    out = np.zeros_like(P)
    for start, stop, features in rows.blocks(center):
        G = features @ P
        if weight is not None:
            G *= weight[start:stop, None]
        out += features.T @ G
    return out


def _conjugate_gradients(product, preconditioned, B):
    """Solve for each column; return None where that takes too long."""
    size = np.sqrt(np.einsum("ij,ij->j", B, B))
    X = preconditioned(B)
    R = B - product(X)
    P = np.zeros_like(B)
    before = np.ones(B.shape[1])
    for n_passes in range(1, _MOST + 1):
        left = np.sqrt(np.einsum("ij,ij->j", R, R))
        if (left <= _TOL * size).all():
            return X, n_passes
        Z = preconditioned(R)
        now = np.einsum("ij,ij->j", R, Z)
        P = Z + P * (now / before if n_passes > 1 else 0.0)
        Q = product(P)
        curvature = np.einsum("ij,ij->j", P, Q)
        step = np.divide(now, curvature, out=np.zeros_like(now), where=curvature > 0)
        X += step * P
        R -= step * Q
        before = np.where(now > 0, now, 1.0)
    return None, _MOST
