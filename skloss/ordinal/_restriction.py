"""What tests of equal slopes share: the statistic, and columns on one scale."""

from typing import NamedTuple

import numpy as np
from scipy.linalg import cho_factor, cho_solve, eigvalsh
from scipy.stats import chi2

__all__ = ["RestrictionTest", "chi_squared_test", "unit_columns", "untested"]


class RestrictionTest(NamedTuple):
    """Chi-squared statistics against equal slopes at all thresholds.

    Parameters
    ----------
    statistic : float
        For all features together.
    df : int
        Degrees of freedom: (n_thresholds - 1) * n_features.
    p_value : float
        Chance of so large a statistic if slopes are equal, in large samples.
    feature_statistics : ndarray of shape (n_features,)
        For one feature at a time.
    feature_df : int
        Degrees of freedom of those: n_thresholds - 1.
    feature_p_values : ndarray of shape (n_features,)
        Chance of each, not corrected for their number.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal._restriction import chi_squared_test
    >>> values = np.array([[0.0, 1.0], [2.0, 0.0]])
    >>> test = chi_squared_test(values, np.eye(4).reshape(2, 2, 2, 2))
    >>> test.statistic, test.df, test.feature_statistics, test.feature_df
    (5.0, 4, array([4., 1.]), 2)
    """

    statistic: float
    df: int
    p_value: float
    feature_statistics: np.ndarray
    feature_df: int
    feature_p_values: np.ndarray


def untested(n_restrictions, n_features):
    """Return a test without statistics, for what could not be computed."""
    absent = np.full(n_features, np.nan)
    n_all = n_restrictions * n_features
    return RestrictionTest(np.nan, n_all, np.nan, absent, n_restrictions, absent)


def chi_squared_test(values, covariance):
    """Test whether all values are zero, and those of one feature at a time.

    Parameters
    ----------
    values : ndarray of shape (n_restrictions, n_features)
        Estimates, or scores.
    covariance : ndarray of shape (n_restrictions, n_features) * 2
        Their covariance if the hypothesis is true.

    Returns
    -------
    RestrictionTest

    Raises
    ------
    LinAlgError
        If the covariance is not positive definite.
    """
    size, (n_restrictions, n_features) = values.size, values.shape
    statistic = _quadratic(covariance.reshape(size, size), values.ravel())
    by_feature = np.array(
        [_quadratic(covariance[:, j, :, j], values[:, j]) for j in range(n_features)]
    )
    return RestrictionTest(
        statistic,
        size,
        float(chi2.sf(statistic, size)),
        by_feature,
        n_restrictions,
        chi2.sf(by_feature, n_restrictions),
    )


def _quadratic(matrix, vector):
    return float(vector @ cho_solve(cho_factor(matrix), vector))


def unit_columns(X, weights):
    """Centre and scale columns, and put a column of ones before them.

    The tests do not depend on the units of the features, their arithmetic does.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The features.
    weights : ndarray of shape (n_samples,)
        Not negative.

    Returns
    -------
    Z : ndarray of shape (n_samples, 1 + n_features)
        The design.
    center, scale : ndarray of shape (n_features,)
        Weighted mean and standard deviation of each column of `X`.

    Raises
    ------
    ValueError
        If columns are linearly dependent, the ones counted.
    """
    center = np.average(X, axis=0, weights=weights)
    Z = np.empty((len(X), 1 + X.shape[1]))
    Z[:, 0] = 1
    np.subtract(X, center, out=Z[:, 1:])
    scale = np.sqrt(np.average(Z[:, 1:] ** 2, axis=0, weights=weights))
    constant = scale <= 1e-12 * np.abs(center)
    if constant.any():
        raise ValueError(
            f"Column {constant.argmax()} of X is constant: there are no slopes to "
            "compare. Leave it out."
        )
    Z[:, 1:] /= scale
    correlation = Z.T @ (Z * (weights / weights.sum())[:, None])
    # Rounding of n_features + 1 terms; what is below cannot be told from zero.
    if eigvalsh(correlation)[0] <= 4 * len(correlation) * np.finfo(float).eps:
        raise ValueError(
            "Columns of X are linearly dependent, so that their slopes are not "
            "determined. Leave out those that follow from others."
        )
    return Z, center, scale
