"""Ridge regression from sums of squares and products of features."""

import warnings

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

__all__ = [
    "decompose",
    "factorised",
    "least_eigenvalue",
    "solve",
    "trace_of_inverse",
    "warn_of_small",
]


def least_eigenvalue(diagonal):
    """Eigenvalue below which others are rounding, from the diagonal of a matrix."""
    largest = diagonal.max(initial=0.0)
    return diagonal.size * np.finfo(np.float64).eps * largest


def solve(centred, alpha):
    """Ridge coefficients.

    Parameters
    ----------
    centred : Centred
        Sums of squares and products.
    alpha : ndarray of shape (t,)
        Penalty of each target; with 0 the shortest coefficients are taken.

    Returns
    -------
    ndarray of shape (k, t)
        Coefficients.

    Warns
    -----
    LinAlgWarning
        If a penalty is positive but too small for a decomposition, so that directions
        in which features do not vary are left out.
    """
    coef = np.empty_like(centred.products)
    least = least_eigenvalue(centred.squares.diagonal())
    spectrum = None
    for value in np.unique(alpha):
        which = alpha == value
        factor = factorised(centred.squares, value) if value > least else None
        if factor is not None:
            coef[:, which] = lapack.dpotrs(factor, centred.products[:, which], lower=1)[
                0
            ]
            continue
        if value > 0:
            warn_of_small(value, centred.squares.diagonal().max())
        if spectrum is None:
            spectrum = decompose(centred.squares)
        S, V = spectrum
        kept = least_eigenvalue(S) < S
        rotated = V[:, kept].T @ centred.products[:, which]
        coef[:, which] = V[:, kept] @ (rotated / (S[kept] + value)[:, None])
    return coef


def warn_of_small(alpha, largest):
    """Warn of a penalty that is lost beside a diagonal."""
    warnings.warn(
        f"alpha={alpha:.3g} is too small beside sums of squares of up to "
        f"{largest:.3g}: directions in which the features do not vary are left out.",
        linalg.LinAlgWarning,
        stacklevel=3,
    )


def factorised(squares, alpha):
    """Cholesky factor of a matrix plus a multiple of the identity; None if none."""
    A = squares.copy(order="F")
    A[np.diag_indices_from(A)] += alpha
    factor, info = lapack.dpotrf(A, lower=1, clean=0, overwrite_a=1)
    return None if info else factor


def trace_of_inverse(factor):
    """Trace of the inverse of a matrix, from its Cholesky factor, which is lost."""
    inverse = lapack.dtrtri(factor, lower=1, overwrite_c=1)[0]
    # It is the sum of squares of the inverse of the factor.
    return sum(inverse[j:, j] @ inverse[j:, j] for j in range(len(inverse)))


def decompose(squares):
    """Eigenvalues, at least 0, and eigenvectors of a matrix given by a triangle."""
    S, V = linalg.eigh(squares, lower=True, check_finite=False, driver="evd")
    return np.maximum(S, 0.0), V
