"""Newton's steps where the second derivatives may be singular."""

import numpy as np
from scipy.linalg import cho_solve, lapack

__all__ = ["VANISHED", "inverse", "newton_step"]

VANISHED = 1e-290  # curvature of which no root can be inverted
_FLAT = 1e-11  # curvature below this share of the largest may be rounding


def newton_step(H, gradient):
    """Shortest step that minimises a quadratic model, held as a matrix or not."""
    if hasattr(H, "solve"):
        return -H.solve(gradient)
    return -_solve(H, gradient)


def inverse(H):
    """Pseudo-inverse of a positive semi-definite matrix, whatever its units.

    Parameters
    ----------
    H : ndarray of shape (k, k)
        Symmetric; rows of zeros are left out.

    Returns
    -------
    ndarray of shape (k, k)
    """
    return _solve(H, np.eye(len(H)))


def _solve(H, target):
    """Product of the pseudo-inverse with a vector or with columns."""
    out = np.zeros_like(target)
    seen = np.flatnonzero(H.diagonal() > VANISHED)
    if not len(seen):
        return out
    unit = 1.0 / np.sqrt(H.diagonal()[seen])
    scaled = H[np.ix_(seen, seen)] * np.outer(unit, unit)
    out[seen] = (unit * _solve_scaled(scaled, (unit * target[seen].T).T).T).T
    return out


def _solve_scaled(scaled, target):
    factor, failed = lapack.dpotrf(scaled, lower=1)
    if not failed:
        norm = np.abs(scaled).sum(axis=0).max()
        condition, failed = lapack.dpocon(factor, norm, uplo="L")
        if not failed and condition > _FLAT:
            return cho_solve((factor, True), target)
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _FLAT * values[-1]
    return (vectors[:, kept] / values[kept]) @ (vectors[:, kept].T @ target)
