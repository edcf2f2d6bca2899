"""What is best for tasks whose eigenvalues and coefficients follow power laws."""

import numpy as np
from sklearn.utils import Bunch

from skloss.random_features._risk_inputs import real_numbers

__all__ = ["powerlaw_exponents", "powerlaw_fitting_ratio"]

# Halvings of an interval of length 1 until nothing is left of it in float64.
_HALVINGS = 60


def powerlaw_exponents(n_samples, kappas, test_errors):
    """Estimate the exponents of a task's eigenvalues and squared coefficients.

    If eigenvalues fall like ``i**-a`` and squared coefficients like ``i**-b``, the
    effective ridge of a kernel without a ridge falls like ``n**-a`` with the number of
    samples and the test error like ``n**-(b - 1)``. Both exponents are slopes of least
    squares lines through logarithms. Fitting lines to finite spectra is unreliable.

    Parameters
    ----------
    n_samples : array-like of shape (n_sizes,)
        Numbers of training rows, at least two different ones.
    kappas : array-like of shape (n_sizes,)
        Effective ridges: ``1 / trace(inv(K))`` for the kernel matrix K of the training
        rows.
    test_errors : array-like of shape (n_sizes,)
        Mean squared test errors of fits without noise and (nearly) without a ridge.

    Returns
    -------
    sklearn.utils.Bunch
        a : exponent of the eigenvalues.
        b : exponent of the squared coefficients.

    Raises
    ------
    ValueError
        If lengths differ or are below two, if a value is not positive and finite or if
        all values of `n_samples` are equal.

    See Also
    --------
    powerlaw_fitting_ratio : How closely such a task should be fitted.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is better in modern machine
    learning: when infinite overparameterization is optimal and overfitting is
    obligatory", ICLR 2024, arXiv 2311.14646.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.random_features import powerlaw_exponents
    >>> n = np.array([100, 200, 400])
    >>> found = powerlaw_exponents(n, 3 * n**-1.5, 0.2 * n**-0.3)
    >>> print(f"{found.a:.2f} {found.b:.2f}")
    1.50 1.30
    """
    n_samples = _positive("n_samples", n_samples)
    kappas = _positive("kappas", kappas)
    test_errors = _positive("test_errors", test_errors)
    for name, values in (("kappas", kappas), ("test_errors", test_errors)):
        if len(values) != len(n_samples):
            raise ValueError(
                f"{name} must have a value for each of {len(n_samples)} values of "
                f"n_samples; got {len(values)}."
            )
    if n_samples.min() == n_samples.max():
        raise ValueError(
            f"n_samples must hold at least two different values; got {n_samples}."
        )
    sizes = np.log(n_samples)
    a = -_slope(sizes, np.log(kappas))
    b = 1 - _slope(sizes, np.log(test_errors))
    return Bunch(a=a, b=b)


def _positive(name, values):
    """Convert to a vector of positive finite numbers."""
    values = real_numbers(name, values)
    if values.ndim != 1 or len(values) < 2:
        raise ValueError(
            f"{name} must be one-dimensional with at least two values; got shape "
            f"{values.shape}."
        )
    good = (values > 0) & (values < np.inf)
    if not good.all():
        raise ValueError(f"{name} must be positive and finite; got {values[~good][0]}.")
    return values


def _slope(x, y):
    """Slope of the least squares line."""
    x = x - x.mean()
    return float(x @ (y - y.mean()) / (x @ x))


def powerlaw_fitting_ratio(a, b, noise_rel):
    """Predict the best ratio of train to test error of a power-law task.

    With the best ridge, a kernel whose eigenvalues fall like ``i**-a``, on a target
    whose squared coefficients fall like ``i**-b``, has a train error of this multiple
    of its test error. The ratio R solves ``a - b - (a - 1) b sqrt(R) + a (a - 1)
    (1 - sqrt(R))**b noise_rel = 0``, or is 0 (fit the training data exactly) if the
    left side is not positive at 0.

    Parameters
    ----------
    a : float or array-like
        Exponent of the eigenvalues, above 1.
    b : float or array-like
        Exponent of the squared coefficients, above 1 and below ``2 * a + 1``.
    noise_rel : float or array-like
        Variance of the noise over the test error of a fit without noise and without a
        ridge, at least 0.

    Returns
    -------
    float or ndarray
        Ratio, at least 0 and at most 1, of the shape to which the arguments broadcast.

    Raises
    ------
    ValueError
        If an argument is no real number or out of range, or shapes do not broadcast.

    See Also
    --------
    powerlaw_exponents : Estimates of the exponents.
    optimal_alpha : The same for any spectrum and number of samples.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is better in modern machine
    learning: when infinite overparameterization is optimal and overfitting is
    obligatory", ICLR 2024, arXiv 2311.14646.

    Examples
    --------
    >>> from skloss.random_features import powerlaw_fitting_ratio
    >>> powerlaw_fitting_ratio(1.12, 1.36, [0, 5, 50]).round(3)
    array([0.   , 0.187, 0.771])
    """
    given = {"a": a, "b": b, "noise_rel": noise_rel}
    a, b, noise = (real_numbers(name, value) for name, value in given.items())
    for name, values, good, allowed in (
        ("a", a, (a > 1) & (a < np.inf), "above 1 and finite"),
        ("b", b, b > 1, "above 1"),
        ("noise_rel", noise, (noise >= 0) & (noise < np.inf), "at least 0 and finite"),
    ):
        if not good.all():
            raise ValueError(f"{name} must be {allowed}; got {values[~good].flat[0]}.")
    try:
        a, b, noise = np.broadcast_arrays(a, b, noise)
    except ValueError as error:
        raise ValueError(
            f"Shapes do not broadcast: a {a.shape}, b {b.shape}, noise_rel "
            f"{noise.shape}."
        ) from error
    large = ~(b < 2 * a + 1)
    if large.any():
        raise ValueError(f"b must be below 2 * a + 1; got {b[large].flat[0]}.")
    low, high = np.zeros(a.shape), np.ones(a.shape)
    for _ in range(_HALVINGS):
        root = 0.5 * (low + high)
        # Divided by a (a - 1), nothing overflows.
        excess = (a - b) / a / (a - 1) - b / a * root + (1 - root) ** b * noise
        low, high = np.where(excess > 0, root, low), np.where(excess > 0, high, root)
    # Where the left side is not positive at 0, only `high` moved.
    return (low * low)[()]
