"""Newton's steps where the second derivatives may be singular."""

import numpy as np
from scipy.linalg import cho_solve, lapack

__all__ = ["inverse", "newton_step"]

_VANISHED = 1e-290  # curvature of which no root can be inverted
_FLAT = 1e-11  # curvature below this share of the largest may be rounding


def newton_step(H, gradient):
    """Shortest step that minimises a quadratic model, held as a matrix or not."""
    if hasattr(H, "solve"):
        return -H.solve(gradient)
    return -inverse(H) @ gradient


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
    seen = np.flatnonzero(H.diagonal() > _VANISHED)
    out = np.zeros_like(H)
    if not len(seen):
        return out
    unit = 1.0 / np.sqrt(H.diagonal()[seen])
    scaled = H[np.ix_(seen, seen)] * np.outer(unit, unit)
    out[np.ix_(seen, seen)] = _inverse(scaled) * np.outer(unit, unit)
    return out


def _inverse(scaled):
    factor, failed = lapack.dpotrf(scaled, lower=1)
    if not failed:
        condition, failed = lapack.dpocon(
            factor, np.abs(scaled).sum(axis=0).max(), uplo="L"
        )
        if not failed and condition > _FLAT:
            return cho_solve((factor, True), np.eye(len(scaled)))
    values, vectors = np.linalg.eigh(scaled)
    kept = values > _FLAT * values[-1]
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
