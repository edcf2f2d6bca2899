"""One over eigenvalues plus penalties, where eigenvalues may be rounding."""

import numpy as np

from skloss.random_features._primal import least_eigenvalue

__all__ = ["damped_shares", "shares_of_rest"]


def damped_shares(S, alphas, least=None):
    """One over eigenvalues plus penalties.

    Directions of no variance count for penalties that are not lost beside rounding, as
    in a solution without a decomposition; for others they are left out.

    Parameters
    ----------
    S : ndarray of shape (k,)
        Eigenvalues, at least 0.
    alphas : ndarray of shape (L,)
        Penalties.
    least : float, default=None
        Penalties up to this are lost; by default, what is rounding among eigenvalues.

    Returns
    -------
    ndarray of shape (k, L)
    """
    rounding = least_eigenvalue(S)
    least = rounding if least is None else least
    kept = (rounding < S)[:, None] | (alphas > least)
    total = S[:, None] + alphas
    return np.divide(1.0, total, out=np.zeros(kept.shape), where=kept)


def shares_of_rest(S, alphas):
    """One over eigenvalues plus penalties, up to a factor of each penalty.

    At 0, and for penalties that are lost beside rounding, directions of no variance
    are all that matters, if there are any.

    Parameters
    ----------
    S, alphas : ndarray
        As for `damped_shares`.

    Returns
    -------
    shares : ndarray of shape (n, L)
        These, multiplied by a factor.
    factor : ndarray of shape (L,)
        By which squares are to be multiplied, to be residuals: the penalties where
        `shares` is what it says, and 1 where it is the limit of penalties times it.
    """
    least = least_eigenvalue(S)
    shares, factor = np.empty((S.size, alphas.size)), alphas.copy()
    flat = least >= S
    for at, alpha in enumerate(alphas):
        if alpha > least or not flat.any():
            shares[:, at] = 1.0 / (np.where(flat, 0.0, S) + alpha)
        else:
            shares[:, at], factor[at] = flat, 1.0
    return shares, factor
