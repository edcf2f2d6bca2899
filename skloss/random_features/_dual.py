"""Ridge regression from products of rows: for more features than rows."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas, lapack

from skloss._blocks import rows_per_block
from skloss.random_features._primal import (
    decompose,
    factorised,
    least_eigenvalue,
    trace_of_inverse,
    warn_of_small,
)

__all__ = [
    "DualFit",
    "block_of_features",
    "centre",
    "coef_of_features",
    "gram_of_features",
    "solve_dual",
]

_BLOCK_BYTES = 1 << 24


class DualFit(NamedTuple):
    """Coefficients of rows.

    Parameters
    ----------
    dual_coef : ndarray of shape (n, t)
        Coefficients of the rows; they sum to 0 where there is an intercept.
    y_mean : ndarray of shape (t,)
        Prediction at the mean, or at 0 without intercept.
    degrees : ndarray of shape (t,)
        Effective number of coefficients, without the intercept.
    residual : ndarray of shape (t,)
        Weighted sum of squared residuals.
    gcv : ndarray of shape (t,)
        Generalised cross-validation; finite as a penalty tends to 0.
    """

    dual_coef: np.ndarray
    y_mean: np.ndarray
    degrees: np.ndarray
    residual: np.ndarray
    gcv: np.ndarray


def block_of_features(feature_map, n_rows):
    """Return how many features are to be computed at a time: no part of a block."""
    unit = feature_map.weights.block * (2 if feature_map.is_paired else 1)
    count = rows_per_block(max(n_rows, 1), n_bytes=_BLOCK_BYTES, at_least=256)
    return max(count - count % unit, unit)


def gram_of_features(feature_map, X, weight, dtype, *, center):
    """Products of the features of rows, computed a block of features at a time.

    Parameters
    ----------
    feature_map : FeatureMap
        What the features are; those of one block exist at a time.
    X : ndarray or CSR array of shape (n, d)
        Rows.
    weight : ndarray of shape (n,)
        Of the rows.
    dtype : numpy dtype
        Of the features.
    center : bool
        Whether features are measured from their means: products of centred features
        keep digits that centred products lose.

    Returns
    -------
    ndarray of shape (n, n), float64
        Symmetric, Fortran order.
    """
    n = X.shape[0]
    gram = np.zeros((n, n), order="F")
    for _, _, features in _blocks_of_features(feature_map, X, dtype):
        if center:
            features -= _mean(features, weight)
        columns = features.T.astype(np.float64, copy=False)
        blas.dsyrk(1.0, columns, beta=1.0, c=gram, trans=1, lower=1, overwrite_c=1)
    for j in range(n):
        gram[j, j + 1 :] = gram[j + 1 :, j]
    return gram


def _mean(features, weight):
    return (weight @ features / weight.sum()).astype(features.dtype)


def centre(gram, weight):
    """Centre a symmetric matrix of products in place.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Products of rows.
    weight : ndarray of shape (n,)
        Of the rows.

    Returns
    -------
    ndarray of shape (n,)
        Products of the rows with their mean, as they were.
    """
    mean = gram @ weight / weight.sum()
    gram -= mean
    gram -= (mean - weight @ mean / weight.sum())[:, None]
    return mean


def solve_dual(gram, Y, weight, alpha, *, center):
    """Solve ridge systems of rows.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Products of rows, centred if there is an intercept; overwritten.
    Y : ndarray of shape (n, t)
        Targets.
    weight : ndarray of shape (n,)
        Positive weights of the rows.
    alpha : ndarray of shape (t,)
        Penalties; with 0 the shortest coefficients are taken.
    center : bool
        Whether there is an intercept.

    Returns
    -------
    DualFit
    """
    y_mean = weight @ Y / weight.sum() if center else np.zeros(Y.shape[1])
    root = np.sqrt(weight)[:, None]
    gram *= root
    gram *= root.T
    coef, degrees, residual, gcv = _solve_scaled(
        gram, root * (Y - y_mean), alpha, weight.sum(), root[:, : int(center)]
    )
    return DualFit(root * coef, y_mean, degrees, residual, gcv)


def _solve_scaled(gram, Y, alpha, weight, fixed):
    """Solve for unit weights, which stand for rows of another sum of weights.

    `fixed` of shape (n, 0) or (n, 1) has the direction of the intercept, in which there
    is nothing but rounding.

    Returns
    -------
    coef : ndarray of shape (n, t)
        Coefficients.
    degrees, residual, gcv : ndarray of shape (t,)
        As in `DualFit`.
    """
    coef, others = np.empty_like(Y), np.empty((3, alpha.size))
    least, spectrum = least_eigenvalue(gram.diagonal()), None
    rank, more = len(gram) - fixed.shape[1], weight - len(gram)
    # There it gets an eigenvalue above all others, so that its inverse is nothing.
    beyond = 2.0 * np.trace(gram)
    gram += fixed @ fixed.T * (beyond / weight)
    for value in np.unique(alpha):
        which, trace = alpha == value, None
        factor = factorised(gram, value) if value > least else None
        if factor is not None:
            coef[:, which] = lapack.dpotrs(factor, Y[:, which], lower=1)[0]
            trace = trace_of_inverse(factor) - (len(gram) - rank) / (beyond + value)
            degrees, left = rank - value * trace, _squares(value * coef[:, which])
        else:
            if value > 0:
                warn_of_small(value, gram.diagonal().max())
            if spectrum is None:
                S, V = decompose(gram)
                spectrum = S[:rank], V[:, :rank]
            kept = spectrum[0] > least_eigenvalue(spectrum[0])
            S, V = spectrum[0][kept], spectrum[1][:, kept]
            rotated = V.T @ Y[:, which]
            coef[:, which] = V @ (rotated / (S + value)[:, None])
            degrees = (S / (S + value)).sum()
            left = _squares(Y[:, which] - V @ (rotated * (S / (S + value))[:, None]))
            if kept.all():  # it interpolates as the penalty tends to 0
                trace = (1.0 / (S + value)).sum()
        others[0, which], others[1, which] = degrees, left
        if trace is None:
            free = weight - degrees - (len(gram) - rank)
        elif value == 0.0 and abs(more) <= 1e-9 * weight:
            free, left = trace, _squares(coef[:, which])
        else:
            free = value * trace + more
        least_free = 1e-12 * weight if trace is None else 0.0
        others[2, which] = left * weight / free**2 if free > least_free else np.inf
    return coef, *others


def _squares(A):
    return np.einsum("ij,ij->j", A, A)


def coef_of_features(feature_map, X, weight, dual_coef, dtype, *, center):
    """Coefficients of features from those of rows.

    Parameters
    ----------
    feature_map : FeatureMap
        What the features are; those of one block exist at a time.
    X : ndarray or CSR array of shape (n, d)
        Rows.
    weight : ndarray of shape (n,)
        Of the rows.
    dual_coef : ndarray of shape (n, t)
        Their coefficients.
    dtype : numpy dtype
        Of the features.
    center : bool
        Whether there is an intercept.

    Returns
    -------
    coef : ndarray of shape (k, t), float64
        Coefficients.
    at_mean : ndarray of shape (t,)
        Their products with the mean of the features; 0 without intercept.
    """
    k = feature_map.n_components
    coef, at_mean = np.empty((k, dual_coef.shape[1])), np.zeros(dual_coef.shape[1])
    for start, stop, features in _blocks_of_features(feature_map, X, dtype):
        mean = _mean(features, weight) if center else 0.0
        features -= mean
        coef[start:stop] = features.T @ dual_coef
        if center:
            at_mean += mean @ coef[start:stop]
    return coef, at_mean


def _blocks_of_features(feature_map, X, dtype):
    """Yield the features of all rows, a block of features at a time."""
    n, k = X.shape[0], feature_map.n_components
    step = min(block_of_features(feature_map, n), k)
    for start in range(0, k, step):
        stop = min(start + step, k)
        units = feature_map.units(start, stop, dtype)
        out = np.empty((n, stop - start), dtype)
        yield start, stop, feature_map.features(X, units, out)
