"""Spectra of kernel matrices, and the width that they call for."""

import warnings

import numpy as np
from scipy import linalg
from sklearn.utils import Bunch

from skloss.random_features._risk_inputs import (
    broadcast_sizes,
    check_real,
    checked_spectrum,
    modes_of,
    real_numbers,
)
from skloss.random_features._risk_points import best_point, point

__all__ = ["kernel_spectrum", "suggest_n_components"]

_WIDEST = 2**53  # beyond which integers are not all float64
_NEGATIVE = 1e-6  # of the largest eigenvalue: more than rounding
_BLOCK = 256


def kernel_spectrum(K, y):
    """Estimate a kernel's eigenvalues and a target's coefficients from a sample.

    Parameters
    ----------
    K : array-like of shape (n_pool, n_pool)
        Kernel matrix of a sample: symmetric, finite. Left unchanged.
    y : array-like of shape (n_pool,) or (n_pool, n_targets)
        Target of the sample. Centre it if the model has an intercept.

    Returns
    -------
    sklearn.utils.Bunch
        eigenvalues : ndarray of shape (n_pool,), those of ``K / n_pool``, descending,
            with negative ones set to zero.
        coefs : ndarray of shape (n_pool,) or (n_pool, n_targets), coefficients of the
            target in the eigenvectors, divided by ``sqrt(n_pool)``. Their squares sum
            to the mean square of the target, its noise included.

    Raises
    ------
    ValueError
        If K is not real, square, symmetric and finite or y does not fit to it.

    Warns
    -----
    UserWarning
        If K has negative eigenvalues of more than a millionth of the largest one, so
        that it is not a kernel matrix.

    See Also
    --------
    rf_risk : Errors that follow from a spectrum.

    Notes
    -----
    The decomposition holds two more matrices of the size of K and takes time
    proportional to ``n_pool**3``. The spectrum describes samples of up to a quarter of
    the pool; for larger ones, and whenever the training rows are among those of K, give
    ``n_pool=len(K)`` to `rf_risk`, `optimal_alpha` and `suggest_n_components` [1]_: the
    coefficients hold the noise of y, which ``noise`` must not add again.

    References
    ----------
    .. [1] J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is better in modern
       machine learning: when infinite overparameterization is optimal and overfitting
       is obligatory", ICLR 2024, arXiv 2311.14646.

    Examples
    --------
    >>> from skloss.random_features import kernel_spectrum
    >>> found = kernel_spectrum([[2.0, 1.0], [1.0, 2.0]], [1.0, 1.0])
    >>> found.eigenvalues, abs(found.coefs).round(6)
    (array([1.5, 0.5]), array([1., 0.]))
    """
    K, y = _checked_kernel(K, y)
    n = len(K)
    eigenvalues, vectors = linalg.eigh(
        K / n, driver="evd", overwrite_a=True, check_finite=False
    )
    eigenvalues, vectors = eigenvalues[::-1], vectors[:, ::-1]
    if eigenvalues[-1] < -_NEGATIVE * abs(eigenvalues[0]):
        warnings.warn(
            f"K has an eigenvalue of {n * eigenvalues[-1]:.3g}, so that it is no "
            "kernel matrix; negative eigenvalues are taken as zero.",
            stacklevel=2,
        )
    coefs = vectors.T @ (y / np.sqrt(n))
    return Bunch(eigenvalues=np.maximum(eigenvalues, 0.0), coefs=coefs)


def _checked_kernel(K, y):
    """Convert to float64 and refuse what is no symmetric matrix with its target."""
    given, K = K, real_numbers("K", K)
    if K.ndim != 2 or K.shape[0] != K.shape[1] or not K.size:
        raise ValueError(f"K must be a square matrix; got shape {K.shape}.")
    dtype = np.asarray(given).dtype
    rounding = np.sqrt(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)
    y = real_numbers("y", y)
    if y.ndim not in (1, 2) or len(y) != len(K):
        raise ValueError(
            f"y must have one row for each of {len(K)} rows of K; got shape {y.shape}."
        )
    for name, values in (("K", K), ("y", y)):
        if not np.isfinite(values).all():
            culprit = values[~np.isfinite(values)][0]
            raise ValueError(f"{name} must be finite; got {culprit}.")
    largest = max(K.max(), -K.min())
    for start in range(0, len(K), _BLOCK):
        rows = slice(start, start + _BLOCK)
        gap = np.abs(K[rows] - K[:, rows].T).max()
        if gap > rounding * largest:
            raise ValueError(
                "K must be symmetric; got entries that differ from those across the "
                f"diagonal by up to {gap:.3g}."
            )
    return K, y


def suggest_n_components(
    spectrum, n_samples, tolerance=0.01, *, noise=0.0, n_pool=np.inf
):
    """Find the least number of random features that is about as good as infinity.

    Parameters
    ----------
    spectrum : Bunch, dict or pair of array-like
        Eigenvalues and coefficients: what `kernel_spectrum` returns, or a tuple.
    n_samples : float
        Number of training rows, positive; may exceed the number of eigenvalues.
    tolerance : float, default=0.01
        By how much, as a share, the least predicted test error may exceed that of
        infinite width. Positive.
    noise : float, default=0.0
        Variance of the noise in the target that the coefficients do not hold.
    n_pool : float, default=inf
        Number of rows from which the spectrum was computed, if the training rows are
        among them, as for `rf_risk`.

    Returns
    -------
    int
        Number of features, at least 1, both errors being those of the best ridges.

    Raises
    ------
    ValueError
        If an argument is out of range or no width up to ``2**53`` is good enough.

    See Also
    --------
    optimal_alpha : The best ridge and its test error.

    Notes
    -----
    The least test error falls with the number of features [1]_, hence bisection. Both
    errors are predictions: see `rf_risk` for where these are off (up to 14 % for
    training sets of half the pool).

    References
    ----------
    .. [1] J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is better in modern
       machine learning: when infinite overparameterization is optimal and overfitting
       is obligatory", ICLR 2024, arXiv 2311.14646.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.random_features import suggest_n_components
    >>> modes = np.arange(1, 1001)
    >>> suggest_n_components((modes**-1.5, modes**-0.75), 256, noise=0.5)
    2361
    """
    eigenvalues, coefs = modes_of(spectrum)
    spectrum = checked_spectrum(eigenvalues, coefs)
    check_real("tolerance", tolerance, "positive and finite", lambda t: 0 < t < np.inf)
    sizes, extra, shape = broadcast_sizes(spectrum, n_samples, np.inf, noise, n_pool)
    if shape:
        raise ValueError(
            f"n_samples, noise and n_pool must be numbers; got shape {shape}."
        )
    n, _, pool, _ = sizes[0]

    def error(width):
        return best_point(spectrum, point(n, width, pool), extra[0])[1]

    allowed = (1 + tolerance) * error(np.inf)
    low, high = 0, 1
    while error(high) > allowed:
        low, high = high, 2 * high
        if high > _WIDEST:
            raise ValueError(
                f"tolerance={tolerance} is so small that no number of features is "
                "enough."
            )
    while high - low > 1:
        middle = (low + high) // 2
        if error(middle) > allowed:
            low = middle
        else:
            high = middle
    return high
