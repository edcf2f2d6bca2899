"""Matérn's kernel for every smoothness."""

from functools import cache

import numpy as np
from numpy.polynomial import Polynomial
from scipy import special
from scipy.spatial.distance import cdist
from sklearn.utils import gen_batches

from skloss._blocks import rows_per_block

__all__ = ["matern_kernel"]

# Powers of z in front of exp(-z); all half-integers have a polynomial.
_CLOSED = {0.5: (1.0,), 1.5: (1.0, 1.0), 2.5: (1.0, 1.0, 1.0 / 3.0)}
# From this order on, Debye's series of so many terms has all digits.
_LARGE, _N_TERMS = 18.0, 13
# Distances of which the kernel is 0 in double precision, for orders below and above.
_FAR_BESSEL, _FAR_SQUARE = 2000.0, 1e6


def matern_kernel(X, Y, *, nu, gamma):
    """Evaluate the characteristic function of Student's law at differences of rows.

    With the distance r and ``z = 2 * sqrt(gamma * nu) * r`` that is
    ``2 / Gamma(nu) * (z / 2)**nu * K_nu(z)``. It tends to ``exp(-gamma * r**2)`` as
    `nu` grows.

    Parameters
    ----------
    X, Y : ndarray of shape (n, d) and (m, d)
        Rows.
    nu : float
        Half of the degrees of freedom, positive.
    gamma : float
        Half of the factor of the covariances of the law.

    Returns
    -------
    ndarray of shape (n, m), float64
        Kernel, within some 1e-14.

    References
    ----------
    NIST Digital Library of Mathematical Functions, sections 10.30 and 10.41: Bessel
    functions of small arguments, and of large order uniformly in the argument.
    """
    out = np.empty((len(X), len(Y)))
    # The root first: squares of distances could overflow where the kernel is not 0.
    root = np.sqrt(gamma)
    X, Y = X * np.float64(root), Y * np.float64(root)
    for rows in gen_batches(len(X), rows_per_block(len(Y), n_bytes=1 << 22)):
        out[rows] = _of_distances(cdist(X[rows], Y), float(nu))
    return out


def _of_distances(r, nu):
    if nu >= _LARGE:
        return _of_large_order(r, nu)
    z = np.minimum(2.0 * np.sqrt(nu) * r, _FAR_BESSEL)
    if nu in _CLOSED:
        return Polynomial(_CLOSED[nu])(z) * np.exp(-z)
    out = np.ones_like(z)
    # Where the Bessel function overflows, the kernel is 1 but for rounding.
    bessel = special.kve(nu, z)
    some = np.isfinite(bessel)
    z, bessel = z[some], bessel[some]
    half = (0.5 * z) ** nu
    out[some] = 2.0 * special.rgamma(nu) * half * bessel * np.exp(-z)
    return np.minimum(out, 1.0, out=out)


def _of_large_order(r, nu):
    """Debye's series for K, beside Stirling's for Gamma.

    With ``z = nu x`` and ``s = sqrt(1 + x^2) - 1`` their leading parts, which neither
    overflow nor cancel, leave ``(1 + x^2)**(-1 / 4) exp(nu (log(1 + s / 2) - s))``, and
    Stirling's series is Debye's at x = 0.
    """
    squares = (4.0 / nu) * np.minimum(r * r, _FAR_SQUARE)
    root = np.sqrt(1.0 + squares)
    s = squares / (1.0 + root)
    series = _debye(nu)
    out = series(1.0 / root) / (series(1.0) * np.sqrt(root))
    out *= np.exp(nu * (np.log1p(0.5 * s) - s))
    return np.minimum(out, 1.0, out=out)


@cache
def _terms():
    """Debye's polynomials U_0, U_1, ... (DLMF 10.41.9)."""
    p = Polynomial([0.0, 1.0])
    found = [Polynomial([1.0])]
    for _ in range(_N_TERMS - 1):
        u = found[-1]
        found.append(
            0.5 * p**2 * (1.0 - p**2) * u.deriv()
            + ((1.0 - 5.0 * p**2) * u).integ() / 8.0
        )
    return found


def _debye(nu):
    """Sum of the terms: a polynomial in ``1 / sqrt(1 + x^2)``."""
    return sum(
        (term * (-1.0 / nu) ** k for k, term in enumerate(_terms())), Polynomial([0.0])
    )
