"""Errors of rows that are left out, for all penalties, from one decomposition."""

import numpy as np
from scipy.linalg import blas

from skloss.random_features._dual import centre
from skloss.random_features._primal import decompose, least_eigenvalue
from skloss.random_features._shares import damped_shares, shares_of_rest

__all__ = [
    "GCV_LOST",
    "dual_errors",
    "dual_gcv",
    "dual_predictions",
    "gcv_scores",
    "primal_errors",
]

_ROWS = 1024  # at a time, so that products of matrices are fast
GCV_LOST = 1e-10  # share of squares left below which sums have lost the rest
_ROUNDING_OF_WEIGHTS = 1e-9  # of their sum, below which it is the number of rows
_NEARLY_FIXED = 1e-3  # 1 - leverage below which it is looked at whether that is 0


def primal_errors(rows, data, spectrum, centred, weight, alphas, *, center):
    """Go through the errors of rows that are left out.

    With the decomposition ``V S V'`` of centred squares, features ``p = V' (phi - m)``
    and products ``c = V' B``, the fitted value is ``p . c / (S + alpha)`` and the
    leverage ``s (1 / W + sum_j p_j^2 / (S_j + alpha))`` with the weight s and the sum
    of weights W.

    Parameters
    ----------
    rows : FeatureRows
        Features in double precision.
    data : Data
        Targets and weights.
    spectrum : tuple of ndarray
        Eigenvalues and eigenvectors of the squares of features.
    centred : Centred
        Sums.
    weight : float
        Sum of the weights.
    alphas : ndarray of shape (L,)
        Penalties.
    center : bool
        Whether there is an intercept.

    Yields
    ------
    start, stop : int
        Which rows these are.
    errors : ndarray of shape (stop - start, t, L)
        Targets minus the predictions of models that have not seen the row.
    """
    S, V = spectrum
    kept, V = least_eigenvalue(S) < S, np.ascontiguousarray(V)
    shares, smallest = damped_shares(S, alphas), alphas.argmin()
    c = V.T @ centred.products
    to_fit = (c[:, :, None] * shares[:, None, :]).reshape(
        S.size, c.shape[1] * alphas.size
    )
    for start, stop, features in rows.blocks(centred.center, few=_ROWS):
        P = features @ V
        left = data.Y[start:stop] - centred.y_center
        left = left[:, :, None] - (P @ to_fit).reshape(*left.shape, alphas.size)
        P *= P
        leverage = P @ shares + (1.0 / weight if center else 0.0)
        of_rows = None if data.weight is None else data.weight[start:stop]
        if of_rows is not None:
            leverage *= of_rows[:, None]
        free = np.subtract(1.0, leverage, out=leverage)
        at = np.flatnonzero(free[:, smallest] < _NEARLY_FIXED)
        with np.errstate(divide="ignore", invalid="ignore"):
            left /= free[:, None, :]
        if at.size:
            s = np.ones(at.size) if of_rows is None else of_rows[at]
            share = s / weight if center else 0.0
            fixed, errors = _errors_of_fixed(
                features[at] @ V[:, kept], S[kept], c[kept], s, share, alphas
            )
            left[at] = np.where(fixed[:, None, :], errors, left[at])
        yield start, stop, left


def _errors_of_fixed(P, S, c, weight, share, alphas):
    """Errors of rows that alone have some direction, so that their leverage is 1.

    As the penalty a tends to 0, their residual and 1 - leverage do as well. With
    ``1 / (S + a) = 1 / S - a / (S (S + a))`` the parts that vanish, which rounding
    would make up, are left out, and a cancels in the ratio of the others.

    Parameters
    ----------
    P : ndarray of shape (n, k)
        Features in the basis of the eigenvectors.
    S : ndarray of shape (k,)
        Eigenvalues, none of them 0.
    c : ndarray of shape (k, t)
        Products of features and targets in that basis.
    weight : ndarray of shape (n,)
        Of the rows.
    share : ndarray of shape (n,) or float
        What the intercept adds to the leverages.
    alphas : ndarray of shape (L,)
        Penalties.

    Returns
    -------
    fixed : ndarray of shape (n, L)
        Whether 1 - leverage is rounding at no penalty, and the penalty is too small to
        make the rounding smaller.
    errors : ndarray of shape (n, t, L)
        Errors of such rows.
    """
    squares, rounding = P * P * weight[:, None], least_eigenvalue(S)
    damped = 1.0 / (S[:, None] + alphas)
    lost, lost_here = squares @ S**-2.0, squares @ damped**2
    fixed = 1.0 - share - squares @ (1.0 / S) <= rounding * lost
    fixed = fixed[:, None] & (lost_here >= 0.25 * lost[:, None])
    damped /= S[:, None]
    errors = np.empty((len(P), c.shape[1], alphas.size))
    with np.errstate(divide="ignore", invalid="ignore"):
        for at in range(c.shape[1]):
            errors[:, at] = P @ (c[:, at, None] * damped) / (squares @ damped)
    return fixed, errors


def dual_errors(gram, Y, weight, alphas, *, center):
    """Errors of rows that are left out, from products of rows.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Products of rows, centred if there is an intercept; overwritten.
    Y : ndarray of shape (n, t)
        Targets.
    weight : ndarray of shape (n,)
        Positive weights.
    alphas : ndarray of shape (L,)
        Penalties.
    center : bool
        Whether there is an intercept.

    Returns
    -------
    ndarray of shape (n, t, L)
        Targets minus the predictions of models that have not seen the row. They stay
        finite as a penalty tends to 0 where the model interpolates.
    """
    root = np.sqrt(weight)[:, None]
    S, V = _dual_spectrum(gram, weight, center=center)
    shares, _ = shares_of_rest(S, alphas)
    c = V.T @ (root * (Y - _mean(Y, weight, center)))
    rows, fixed, damped = _fixed_rows(S, V, alphas)
    inverse = (V * V) @ shares
    inverse[rows] = np.where(fixed, V[rows] ** 2 @ damped, inverse[rows])
    out = np.empty((*Y.shape, alphas.size))
    for at in range(Y.shape[1]):
        right = c[:, at, None]
        coef = V @ (right * shares)
        coef[rows] = np.where(fixed, V[rows] @ (right * damped), coef[rows])
        out[:, at] = coef / inverse / root
    return out


def _fixed_rows(S, V, alphas):
    """Find rows that alone have some direction, so that their leverage is 1.

    They have no part in directions of no variance but rounding, which a penalty near 0
    would raise above everything else.

    Returns
    -------
    rows : ndarray of shape (m,), intp
        Which rows may be such.
    fixed : ndarray of shape (m, L)
        Whether each is, as far as each penalty is concerned.
    damped : ndarray of shape (n, L)
        One over eigenvalues plus penalties, 0 in directions of no variance.
    """
    least = least_eigenvalue(S)
    kept = least < S
    damped = np.zeros((S.size, alphas.size))
    damped[kept] = 1.0 / (S[kept, None] + alphas)
    flat = np.einsum("ij,ij->i", V[:, ~kept], V[:, ~kept])
    rows = np.flatnonzero((flat > 0.0) & (flat < 1e-8)) if kept.any() else flat[:0]
    rows = rows.astype(np.intp)
    # How far rounding turns an eigenvector is inverse to its eigenvalue.
    squares = V[np.ix_(rows, kept)] ** 2
    lost, lost_here = squares @ S[kept] ** -2.0, squares @ damped[kept] ** 2
    fixed = (flat[rows] <= least**2 * lost)[:, None] & (lost_here >= lost[:, None] / 16)
    return rows, fixed, damped


def _mean(Y, weight, center):
    return weight @ Y / weight.sum() if center else np.zeros(Y.shape[1])


def _dual_spectrum(gram, weight, *, center):
    """Decompose weighted products of rows, without the direction of the intercept."""
    root = np.sqrt(weight)
    gram *= root
    gram *= root[:, None]
    if not center:
        return decompose(gram)
    # A reflection makes that direction the last one, of which nothing is kept.
    v = root / np.linalg.norm(root)
    v[-1] += 1.0
    scale = 2.0 / (v @ v)
    p = scale * (gram @ v)
    p -= 0.5 * scale * (v @ p) * v
    gram = blas.dsyr2(-1.0, v, p, lower=1, a=np.asfortranarray(gram), overwrite_a=1)
    S, reflected = decompose(gram[:-1, :-1])
    V = np.zeros((len(v), len(S)))
    V[:-1] = reflected
    V -= np.multiply.outer(scale * v, v[:-1] @ reflected)
    return S, V


def dual_gcv(gram, Y, weight, alphas, *, center):
    """Generalised cross-validation from products of rows.

    Parameters
    ----------
    gram, Y, weight, alphas, center
        As for `dual_errors`.

    Returns
    -------
    ndarray of shape (t, L)
        Estimates of the mean squared error, finite as a penalty tends to 0.
    """
    S, V = _dual_spectrum(gram, weight, center=center)
    shares, factor = shares_of_rest(S, alphas)
    c = V.T @ (np.sqrt(weight)[:, None] * (Y - _mean(Y, weight, center)))
    # Squares left are factor^2 times these, and so is the square of the free share.
    left, total = (c**2).T @ shares**2, shares.sum(axis=0)
    repeated = weight.sum() - len(weight)
    if abs(repeated) > _ROUNDING_OF_WEIGHTS * weight.sum():
        with np.errstate(divide="ignore"):
            total += repeated / factor
    none = np.full(left.shape, np.inf)
    return np.divide(left * weight.sum(), total**2, out=none, where=total > 0)


def dual_predictions(gram, Y, weight, train, test, alphas, *, center):
    """Predict rows that are held out, for all penalties.

    Parameters
    ----------
    gram : ndarray of shape (n, n)
        Products of rows.
    Y : ndarray of shape (n, t)
        Targets.
    weight : ndarray of shape (n,)
        Positive weights.
    train, test : ndarray of intp
        Rows to fit and to predict.
    alphas : ndarray of shape (L,)
        Penalties.
    center : bool
        Whether there is an intercept.

    Returns
    -------
    ndarray of shape (n_test, t, L)
    """
    K, w = np.array(gram[np.ix_(train, train)], order="F"), weight[train]
    cross, y_mean = gram[np.ix_(test, train)], _mean(Y[train], w, center)
    if center:
        cross = cross - centre(K, w)
    S, V = _dual_spectrum(K, w, center=center)
    root = np.sqrt(w)[:, None]
    c = V.T @ (root * (Y[train] - y_mean))
    shares, n_columns = damped_shares(S, alphas), Y.shape[1] * alphas.size
    scaled = (c[:, :, None] * shares[:, None, :]).reshape(-1, n_columns)
    out = cross @ (root * (V @ scaled))
    return out.reshape(len(test), Y.shape[1], alphas.size) + y_mean[:, None]


def gcv_scores(S, c, y_squares, weight, alphas, *, center, noise=0.0):
    """Generalised cross-validation from one decomposition.

    Parameters
    ----------
    S : ndarray of shape (k,)
        Eigenvalues of centred squares.
    c : ndarray of shape (k, t)
        Products of features and targets in the basis of the eigenvectors.
    y_squares : ndarray of shape (t,)
        Centred squares of targets.
    weight : float
        Sum of the weights.
    alphas : ndarray of shape (L,)
        Penalties.
    center : bool
        Whether there is an intercept.
    noise : float, default=0.0
        Squares of targets up to which targets are constant.

    Returns
    -------
    scores : ndarray of shape (t, L)
        Estimates of the mean squared error.
    share : ndarray of shape (t, L)
        What is left of the targets' squares: below `GCV_LOST` it has no digits. 1 for
        constant targets.
    """
    shares = damped_shares(S, alphas)
    explained = (c**2).T @ (shares * (1.0 + alphas * shares))
    left = np.maximum(y_squares[:, None] - explained, 0.0)
    degrees = S @ shares + float(center)
    free = np.maximum(weight - degrees, 0.0)
    none = np.full(free.shape, np.inf)
    factor = np.divide(weight, free, out=none, where=free > 0)
    share = np.ones(left.shape)
    total = np.broadcast_to(y_squares[:, None], left.shape)
    np.divide(left, total, out=share, where=total > noise)
    return left / weight * factor**2, share
