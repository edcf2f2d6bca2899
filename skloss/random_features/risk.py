"""Test and train errors that random-feature ridge regression will have."""

import numpy as np
from sklearn.utils import Bunch

from skloss.random_features import _risk_system as system
from skloss.random_features._risk_inputs import broadcast_sizes, checked_spectrum
from skloss.random_features._risk_points import best_point, point, solutions

__all__ = ["optimal_alpha", "rf_risk"]


def rf_risk(
    eigenvalues,
    coefs,
    n_samples,
    n_components=np.inf,
    alpha=0.0,
    noise=0.0,
    n_pool=np.inf,
):
    """Predict the test and train error of random-feature ridge regression.

    The mean squared errors of a ridge on `n_components` random features, fitted to
    `n_samples` rows, follow from the spectrum of the features' limiting kernel and
    the target's coefficients in its eigenbasis; see `kernel_spectrum` for both. The
    ridge is that of `RandomFeatureRidge` without an intercept. A point takes a few
    passes over the spectrum, about 0.2 ms for 10,000 modes.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_modes,)
        Eigenvalues of the kernel, not negative, in any order. With those that
        `kernel_spectrum` found from N rows comes ``n_pool=N``, if the training rows are
        among these. What the target has at eigenvalues of zero (or below 1e-100 of the
        largest) cannot be learnt and counts like noise.
    coefs : array-like of shape (n_modes,) or (n_modes, n_targets)
        Coefficients of the target. Errors are summed over targets.
    n_samples : float or array-like
        Number of training rows, positive. Need not be whole.
    n_components : float or array-like, default=inf
        Number of random features; infinity means kernel ridge regression.
    alpha : float or array-like, default=0.0
        Ridge. 0 means the limit of ever smaller ridges, the solution of minimum norm;
        infinity a fit of zero.
    noise : float or array-like, default=0.0
        Variance of the noise in the target, summed over targets; part of the test
        error. Must be 0 where `n_pool` is finite.
    n_pool : float or array-like, default=inf
        Number of rows from which the spectrum was computed, if the training rows are
        `n_samples` of them, drawn without replacement. At least `n_samples` and the
        number of eigenvalues. The coefficients then hold the noise, and the test error
        is that of the rows held out. For ``n_samples == n_pool`` nothing is held out:
        train is the error of the ridge itself, if `n_components` is infinite exactly
        so, and test its generalised cross-validation score.

    Returns
    -------
    sklearn.utils.Bunch
        Arrays of the shape to which the arguments broadcast, or floats:

        - `test`: expected mean squared error on new rows. Infinite where features
          interpolate without a ridge (n_components = n_samples, alpha = 0).
        - `train`: expected mean squared error on the training rows.
        - `kappa`: effective ridge.
        - `gamma`: eigenvalue of which one half is learnt.
        - `df`: degrees of freedom; ``train = (1 - df/n_samples)**2 * test``.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not fit.

    See Also
    --------
    optimal_alpha : The ridge of least test error.
    kernel_spectrum : Eigenvalues and coefficients from a kernel matrix.

    Notes
    -----
    The formulas are asymptotic ones for eigenfunctions that look Gaussian [1]_, found
    within a few per cent on real data from about 100 rows. A spectrum computed from N
    rows describes samples of at most N/4 rows; larger samples from the same rows need
    ``n_pool=N``, which extends the theory to draws without replacement. That is least
    exact at half the pool, where errors of up to 14 % have been seen: predictions for
    the digits data were below the errors measured.

    References
    ----------
    .. [1] J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is better in modern
       machine learning: when infinite overparameterization is optimal and overfitting
       is obligatory", ICLR 2024, arXiv 2311.14646.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.random_features import rf_risk
    >>> modes = np.arange(1, 10_001)
    >>> widths = [10, 100, 1000]
    >>> rf_risk(modes**-1.5, modes**-0.75, 256, widths, 2.154, noise=0.5).test.round(4)
    array([1.6342, 1.0135, 0.9018])
    """
    spectrum = checked_spectrum(eigenvalues, coefs)
    sizes, noise, shape = broadcast_sizes(
        spectrum, n_samples, n_components, noise, n_pool, alpha
    )
    found, at = np.unique(sizes, axis=0, return_inverse=True)
    roots = solutions(spectrum, found)
    table = np.empty((len(sizes), 5))
    for i, (row, extra) in enumerate(zip(at.ravel(), noise)):
        where, root = roots[row]
        table[i, :2] = system.risk_at(
            spectrum.eigenvalues,
            spectrum.powers,
            spectrum.unlearnable + extra,
            where,
            root,
        )
        share = 1.0 if where.k == np.inf else root.b / where.k
        gamma = root.gamma * spectrum.unit
        table[i, 2:] = gamma * share, gamma, root.df
    names = ("test", "train", "kappa", "gamma", "df")
    return _bunch(names, table, shape)


def _bunch(names, table, shape):
    """Name the columns of a table of results."""
    columns = (column.reshape(shape) for column in table.T.copy())
    return Bunch(**{name: value[()] for name, value in zip(names, columns)})


def optimal_alpha(
    eigenvalues,
    coefs,
    n_samples,
    n_components=np.inf,
    noise=0.0,
    n_pool=np.inf,
):
    """Find the ridge of least predicted test error.

    The whole path of ridges is swept at once, a few milliseconds for 10,000 modes.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_modes,)
        Eigenvalues of the kernel, as for `rf_risk`: with those that `kernel_spectrum`
        found from N rows comes ``n_pool=N``, if the training rows are among these.
    coefs : array-like of shape (n_modes,) or (n_modes, n_targets)
        Coefficients of the target. One ridge serves all targets.
    n_samples : float or array-like
        Number of training rows, positive.
    n_components : float or array-like, default=inf
        Number of random features; infinity means kernel ridge regression.
    noise : float or array-like, default=0.0
        Variance of the noise in the target, summed over targets.
    n_pool : float or array-like, default=inf
        Number of rows from which the spectrum was computed, as for `rf_risk`.

    Returns
    -------
    sklearn.utils.Bunch
        Arrays of the shape to which the arguments broadcast, or floats:

        - `alpha`: the best ridge, to about three digits. 0 if overfitting as much as
          possible is best; infinity if the target is so noisy or so badly aligned
          with the kernel that a fit of zero is best.
        - `test`: predicted test error at this ridge.
        - `train`: predicted train error at this ridge.
        - `fitting_ratio`: train error over test error; well below 1 where fitting the
          training data closely is best, and 1 where `alpha` is infinite.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not fit.

    See Also
    --------
    rf_risk : Errors at a given ridge.
    suggest_n_components : The least width whose best ridge is about as good as that of
        infinite width.

    Notes
    -----
    With the best ridge, test errors fall with `n_samples` and with `n_components` [1]_.
    Their accuracy is that of `rf_risk`: for samples of half the pool predictions are up
    to 14 % off.

    References
    ----------
    .. [1] J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is better in modern
       machine learning: when infinite overparameterization is optimal and overfitting
       is obligatory", ICLR 2024, arXiv 2311.14646.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.random_features import optimal_alpha
    >>> modes = np.arange(1, 10_001)
    >>> best = optimal_alpha(modes**-1.5, modes**-0.75, 256, [100, 1000], noise=0.5)
    >>> best.test.round(3)
    array([1.008, 0.862])
    """
    spectrum = checked_spectrum(eigenvalues, coefs)
    sizes, noise, shape = broadcast_sizes(
        spectrum, n_samples, n_components, noise, n_pool
    )
    sizes[:, 3] = noise
    found, at = np.unique(sizes, axis=0, return_inverse=True)
    table = np.empty((len(found), 4))
    for i, (n, k, pool, extra) in enumerate(found):
        table[i] = best_point(spectrum, point(n, k, pool), extra)
    names = ("alpha", "test", "train", "fitting_ratio")
    return _bunch(names, table[at.ravel()], shape)
