"""Errors of rows that are left out, for all penalties, from one decomposition."""

import numpy as np

from skloss.random_features._dual import centre
from skloss.random_features._primal import decompose, least_eigenvalue

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
    kept = least_eigenvalue(S) < S
    S, V = S[kept], np.ascontiguousarray(V[:, kept])
    shares = 1.0 / (S[:, None] + alphas)
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
        if data.weight is not None:
            leverage *= data.weight[start:stop, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            left /= (1.0 - leverage)[:, None, :]
        yield start, stop, left


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
    shares = _shares(S, alphas)
    c = V.T @ (root * (Y - _mean(Y, weight, center)))
    inverse = (V * V) @ shares
    out = np.empty((*Y.shape, alphas.size))
    for at in range(Y.shape[1]):
        out[:, at] = V @ (c[:, at, None] * shares) / inverse / root
    return out


def _mean(Y, weight, center):
    return weight @ Y / weight.sum() if center else np.zeros(Y.shape[1])


def _dual_spectrum(gram, weight, *, center):
    """Decompose weighted products of rows, without the direction of the intercept."""
    root = np.sqrt(weight)
    gram *= root
    gram *= root[:, None]
    if not center:
        return decompose(gram)
    # That direction gets an eigenvalue above all others, by which it is known again.
    beyond = 2.0 * np.trace(gram) + 1.0
    gram += np.multiply.outer(root, root * (beyond / weight.sum()))
    S, V = decompose(gram)
    return S[:-1], V[:, :-1]


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
    shares = _shares(S, alphas)
    c = V.T @ (np.sqrt(weight)[:, None] * (Y - _mean(Y, weight, center)))
    # Squares left are alpha^2 times these, and so is the square of the free share.
    left = (c**2).T @ shares**2
    free = weight.sum() - len(weight)  # of repeated rows
    with np.errstate(divide="ignore", invalid="ignore"):
        total = shares.sum(axis=0) + (free / alphas if free else 0.0)
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
    kept = least_eigenvalue(S) < S
    shares = 1.0 / (S[kept, None] + alphas)
    n_columns = Y.shape[1] * alphas.size
    scaled = (c[kept, :, None] * shares[:, None, :]).reshape(-1, n_columns)
    out = cross @ (root * (V[:, kept] @ scaled))
    return out.reshape(len(test), Y.shape[1], alphas.size) + y_mean[:, None]


def _shares(S, alphas):
    """One over eigenvalues plus penalties, up to a factor of each penalty.

    At 0, and for penalties that are lost beside rounding, directions of no variance
    are all that matters, if there are any.
    """
    least = least_eigenvalue(S)
    shares = np.empty((S.size, alphas.size))
    flat = least >= S
    for at, alpha in enumerate(alphas):
        if alpha > least or not flat.any():
            shares[:, at] = 1.0 / (np.where(flat, 0.0, S) + alpha)
        else:
            shares[:, at] = flat
    return shares


def gcv_scores(S, c, y_squares, weight, alphas, *, center):
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

    Returns
    -------
    scores : ndarray of shape (t, L)
        Estimates of the mean squared error.
    share : ndarray of shape (t, L)
        What is left of the targets' squares: below `GCV_LOST` it has no digits.
    """
    kept = least_eigenvalue(S) < S
    S, squares = S[kept], c[kept] ** 2
    shares = 1.0 / (S[:, None] + alphas)
    explained = squares.T @ (shares * (1.0 + alphas * shares))
    left = np.maximum(y_squares[:, None] - explained, 0.0)
    degrees = S @ shares + float(center)
    free = np.maximum(weight - degrees, 0.0)
    none = np.full(free.shape, np.inf)
    factor = np.divide(weight, free, out=none, where=free > 0)
    total = np.where(y_squares > 0, y_squares, 1.0)[:, None]
    return left / weight * factor**2, left / total
