"""How much of a response is signal and how much noise, from aggregates alone."""

import numpy as np
from scipy import linalg, sparse
from sklearn.utils import check_X_y

from skloss.aggregate._aggregates import read_aggregates
from skloss.aggregate._bags import read_bags
from skloss.aggregate._segment_kernels import weighted_sums

__all__ = ["estimate_signal_noise"]

_RANK_TOLERANCE = 1e-10  # eigenvalues of a correlation matrix that count as 0


def estimate_signal_noise(X, y, bags):
    """Estimate the variances of signal and noise in the rows' responses.

    Only the mean response of each bag is used. Estimates are moments: they neither fit
    nor need a good linear model of many features, and work with fewer bags than
    features.

    Parameters
    ----------
    X : {array-like, sparse} of shape (n, d)
        Rows, more than features. A dense copy of them is centred; of sparse ones only
        d x d numbers and a row for each bag become dense.
    y : array-like of shape (n,) or (n, t)
        Responses, of which only the mean over each bag is used: be they the rows' own
        or the bag's mean, repeated.
    bags : array-like of shape (n,) or None
        Label of the bag of each row; None makes a bag of each row.

    Returns
    -------
    signal : float or ndarray of shape (t,)
        Variance of ``x @ true``, the part of a row's response linear in its features.
    noise : float or ndarray of shape (t,)
        Variance of the rest of a row's response. Noise of variance v added to each
        bag's mean counts as the bag size times v.

    Raises
    ------
    ValueError
        If rows are no more than features (one more for the intercept), there are
        fewer than two bags, or values are missing or not finite.

    See Also
    --------
    optimal_rho : The interpolation that they make best.
    aggregate_risk : The risk that they lead to.

    Notes
    -----
    Let Z and z hold the bags' mean rows and responses about the total means, times the
    square roots of their sizes, T the scatter matrix of all rows, N = n - 1 and p one
    less than the number of bags. For Gaussian rows in random bags, ``inv(T) @ Z.T @ Z``
    follows a matrix beta distribution and

    - ``E[z @ z] = p * (signal + noise)``,
    - ``E[z @ Z @ inv(T) @ Z.T @ z] = N * beta * signal + (d * p / N) * noise`` with
      ``beta = p * (d * (N - p) + N * (p + 1) - 2) / (N * (N + 2) * (N - 1))``,

    whatever the covariance of the features and the sizes of the bags. Solved for both
    variances they give unbiased estimates; with bags of one row the noise is that of
    ordinary least squares. Estimates below 0 are replaced by 0. For large bags the
    standard error of the noise is about the root of ``2 * (signal**2 + noise**2 +
    (d / p) * (signal + noise)**2) / p``, so that a few bags give rough ones.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.aggregate import estimate_signal_noise
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(20_000, 10))
    >>> y = X.sum(axis=1) + 2 * rng.normal(size=20_000)  # variances 10 and 4
    >>> signal, noise = estimate_signal_noise(X, y, np.arange(20_000) // 5)
    >>> print(f"{signal:.1f} {noise:.1f}")
    10.8 3.8
    """
    X, y = check_X_y(
        X,
        y,
        accept_sparse="csr",
        dtype=(np.float64, np.float32),
        multi_output=True,
        y_numeric=True,
    )
    bags = read_bags(bags, X.shape[0])
    if bags.count < 2:
        raise ValueError(f"bags must be at least two; got {bags.count}.")
    found = [np.maximum(part, 0.0) for part in _moments(X, y, bags)]
    return tuple(found) if y.ndim > 1 else tuple(float(part[0]) for part in found)


def _moments(X, y, bags):
    """Return the unbiased estimates, which may be negative, for each target."""
    means = read_aggregates(y, bags, np.ones(len(y)))
    roots = np.sqrt(bags.sizes)[:, None]
    z = roots * (means - roots.ravel() ** 2 @ means / len(y))
    Z, T = _scatter(X, bags, roots)
    fitted, rank = _explained(T, Z.T @ z)
    N, p = len(y) - 1, bags.count - 1
    if rank >= N:
        raise ValueError(
            "X must have at least two rows more than linearly independent features; "
            f"got {len(y)} rows and {rank} features."
        )
    total = (z * z).sum(axis=0)
    weight = N * (N + 2.0) * (N - 1) / (p * (N - rank) * (N * (p + 1.0) - 2))
    signal = weight * (fitted - rank / N * total)
    return signal, total / p - signal


def _scatter(X, bags, roots):
    """Return bags' means about the total mean, scaled, and the scatter of all rows."""
    n = X.shape[0]
    center = np.asarray(X.mean(axis=0, dtype=np.float64)).ravel()
    ones = np.ones(n)
    if sparse.issparse(X):
        Z = weighted_sums(X, bags, ones) / roots - roots * center
        X = X.astype(np.float64)
        return Z, (X.T @ X).toarray() - n * np.outer(center, center)
    X = X - center
    return weighted_sums(X, bags, ones) / roots, X.T @ X


def _explained(T, c):
    """Compute the squares of c in the metric of inv(T), and the rank of T.

    Directions in which rows do not vary, such as those of constant or repeated
    features, are left out.
    """
    scale = np.sqrt(np.diag(T).clip(0))
    scale = np.where(scale > 0, scale, 1.0)
    values, vectors = linalg.eigh(T / np.outer(scale, scale))
    kept = values > _RANK_TOLERANCE * max(len(T), 1)
    coordinates = vectors[:, kept].T @ (c / scale[:, None])
    squares = coordinates**2 / values[kept, None]
    return squares.sum(axis=0), np.count_nonzero(kept)
