"""Exact ridge coefficients from sums of squares in single precision.

Features and their products take half of the time in single precision. A decomposition
of the sums is good to some digits; conjugate gradients on features in double
precision, with it as preconditioner, add all others, mostly in one pass.
"""

import numpy as np
from scipy.linalg import blas, lapack

from skloss.random_features._primal import factorised
from skloss.random_features._sums import RidgeSums

__all__ = ["refined", "single_precision_holds", "single_precision_tells"]

_TOL = 1e-12  # residual beside the right side
_LAST = 2e-12  # the same, where it is estimated
_MOST = 15  # passes after which sums in double precision would have cost less
_ERROR = 6e-8  # of sums in single precision, beside their trace
_LEAST = 1e-2  # penalty beside that error below which it is no use to try
_FEATURE_ERROR = 1e-5  # of features in single precision, beside features
_RANGE = 1e12  # of features of which squares are numbers in single precision
_N_PROBES = 1
_LARGEST = 1e130  # norm of which products are numbers


def single_precision_tells(rows, narrow_rows):
    """Tell whether features in single precision resemble those in double.

    Where a phase is large they have nothing in common.

    Parameters
    ----------
    rows, narrow_rows : FeatureRows
        Features in both precisions.

    Returns
    -------
    bool
    """
    few = rows.few
    with np.errstate(over="ignore", invalid="ignore"):
        features = rows.first(few)
        error = np.linalg.norm(narrow_rows.first(few) - features)
        # A nan is an error too.
        return bool(error <= _FEATURE_ERROR * np.linalg.norm(features))


def single_precision_holds(narrow_rows):
    """Tell whether squares of features neither overflow nor vanish.

    Parameters
    ----------
    narrow_rows : FeatureRows
        Features in single precision.

    Returns
    -------
    bool
    """
    with np.errstate(over="ignore", invalid="ignore"):
        largest = np.abs(narrow_rows.first(narrow_rows.few)).max(initial=0.0)
        return bool(largest == 0.0 or 1.0 / _RANGE < largest < _RANGE)


def refined(rows, data, sums, alpha, *, center):
    """Solve ridge systems to double precision.

    Parameters
    ----------
    rows : FeatureRows
        Features in double precision.
    data : Data
        Targets and weights.
    sums : RidgeSums
        Over features in single precision.
    alpha : ndarray of shape (t,)
        Penalties.
    center : bool
        Whether there is an intercept.

    Returns
    -------
    coef : ndarray of shape (k, t) or None
        Coefficients; None if sums in double precision are needed.
    sums : RidgeSums
        Of which all but the squares are in double precision now.
    n_passes : int
        Over the data.
    """
    if not (sums.is_finite and np.isfinite(sums.products).all()):
        return None, sums, 0
    centred = sums.centred(center)
    preconditioned = _preconditioner(centred.squares, alpha)
    if preconditioned is None:
        return None, sums, 0
    X = preconditioned(centred.products)
    k, t = X.shape
    probes = np.random.default_rng(0).choice([-1.0, 1.0], (k, _N_PROBES))
    V = np.hstack([X, probes])
    exact, products = _first_pass(rows, data, centred, V, sums.n_rows)
    mean = exact.features / exact.weight if center else np.zeros(k)
    B = exact.products - np.multiply.outer(mean, exact.targets)
    products -= np.multiply.outer(mean, exact.features @ V)
    products, of_probes = products[:, :t], products[:, t:]
    for column in range(_N_PROBES):
        probe = probes[:, column]
        of_probes[:, column] -= blas.dsymv(1.0, centred.squares, probe, lower=1)
    R = B - (products + alpha * X)
    # Of a matrix times random signs the mean square is that of its Frobenius norm, and
    # one of unrelated numbers stretches no vector by more than 2 / sqrt(k) of that
    # norm. Errors that are related may show in the residual.
    frobenius = np.linalg.norm(of_probes) / np.sqrt(_N_PROBES)
    sizes = _norms(X)
    seen = np.divide(_norms(R), sizes, out=np.zeros(t), where=sizes > 0)
    error = max(2.0 * frobenius / np.sqrt(k), 2.0 * seen.max())
    mean += centred.center

    def product(P):
        return alpha * P + _times_squares(rows, data.weight, mean, P)

    sizes = _norms(B)
    usual = (sizes > 1 / _LARGEST) & (sizes < _LARGEST)
    if not (usual | ~B.any(axis=0)).all():
        return None, sums, 1
    X, more = _conjugate_gradients(product, preconditioned, X, R, sizes, error)
    return X, exact, 1 + more


def _preconditioner(squares, alpha):
    """Return a function that solves with sums in single precision, or None."""
    error = _ERROR * np.trace(squares)
    if not error * _LEAST <= alpha.min():
        return None
    factors = {value: factorised(squares, value) for value in np.unique(alpha)}
    if any(factor is None for factor in factors.values()):
        return None

    def preconditioned(R):
        out = np.empty_like(R)
        for value, factor in factors.items():
            which = alpha == value
            out[:, which] = lapack.dpotrs(factor, R[:, which], lower=1)[0]
        return out

    return preconditioned


def _first_pass(rows, data, centred, V, n_rows):
    """Sum in double precision, and multiply vectors by sums of squares.

    Returns
    -------
    exact : RidgeSums
        All but its squares in double precision.
    products : ndarray of shape (k, m)
        Of the sums of squares with the columns of V.
    """
    (k, m), t = V.shape, data.Y.shape[1]
    exact = RidgeSums(centred.center, centred.y_center, centred.squares)
    sums_of, total = np.zeros((k, m + t + 1)), np.zeros(m + t + 1)
    for start, stop, features in rows.blocks(centred.center):
        right = np.ones((stop - start, m + t + 1))
        right[:, :m] = features @ V
        right[:, m : m + t] = data.Y[start:stop] - centred.y_center
        if data.weight is not None:
            right *= data.weight[start:stop, None]
        sums_of += features.T @ right
        total += right.sum(axis=0)
    exact.products, exact.features = sums_of[:, m : m + t], sums_of[:, -1]
    exact.targets, exact.target_squares = total[m : m + t], centred.y_squares
    exact.weight, exact.n_rows = float(total[-1]), n_rows
    return exact, sums_of[:, :m]


def _times_squares(rows, weight, center, P):
    """Centred sums of squares of features times vectors."""
    out = np.zeros_like(P)
    for start, stop, features in rows.blocks(center):
        G = features @ P
        if weight is not None:
            G *= weight[start:stop, None]
        out += features.T @ G
    return out


def _norms(V):
    return np.sqrt(np.einsum("ij,ij->j", V, V))


def _conjugate_gradients(product, preconditioned, X, R, sizes, error):
    """Go on from solutions X with residuals R until these are small.

    Parameters
    ----------
    product, preconditioned : callable
        Multiply by the matrix, and solve with one whose difference from it stretches
        vectors by `error` at most.
    X, R : ndarray of shape (k, t)
        Solutions and residuals, changed in place.
    sizes : ndarray of shape (t,)
        Norms of the right sides.
    error : float
        As above.

    Returns
    -------
    X : ndarray of shape (k, t) or None
        None where that takes too long.
    n_passes : int
        How many products were made.
    """
    P, before = np.zeros_like(R), np.ones(R.shape[1])
    for n_passes in range(_MOST):
        Z = preconditioned(R)
        # The residual of X + Z is the difference of the matrices times -Z.
        last, now = error * _norms(Z) <= _LAST * sizes, _norms(R) <= _TOL * sizes
        if (last | now).all():
            return X + Z, n_passes
        now = np.einsum("ij,ij->j", R, Z)
        P = Z + P * (now / before if n_passes else 0.0)
        Q = product(P)
        curvature = np.einsum("ij,ij->j", P, Q)
        step = np.divide(now, curvature, out=np.zeros_like(now), where=curvature > 0)
        X += step * P
        R -= step * Q
        before = np.where(now > 0, now, 1.0)
    return None, _MOST
