"""Is a difference between two models real? Tests for repeated random splits.

Scores of repeated splits share training rows, so their spread understates how much the
mean would move on new data, and a plain t-test calls noise a discovery. Nadeau and
Bengio's correction adds the ratio of test to training rows to the variance of the mean.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import t as student_t

__all__ = ["PairedTest", "corrected_t_test", "holm"]


class PairedTest(NamedTuple):
    """Outcome of a corrected resampled t-test.

    Attributes
    ----------
    mean : float
        Mean difference.
    standard_error : float
        Corrected standard error of the mean.
    low, high : float
        Bounds of the interval at the chosen level.
    p_value : float
        Two-sided p-value of "the mean difference is zero".
    n_splits : int
        Number of differences.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    p_value: float
    n_splits: int


def corrected_t_test(differences, n_train, n_test, *, level=0.95):
    r"""Nadeau and Bengio's corrected resampled t-test.

    With J differences of sample variance :math:`s^2`, the mean's variance is taken as
    :math:`s^2 (1/J + n_{test}/n_{train})`, and the ratio of the mean to its root is
    compared with Student's t on J - 1 degrees of freedom.

    Parameters
    ----------
    differences : array-like of shape (n_splits,)
        Score of one model minus score of the other, split by split.
    n_train, n_test : float
        Rows in a training and in a test part.
    level : float, default=0.95
        Level of the interval.

    Returns
    -------
    PairedTest
        With fewer than two differences the interval and the p-value are nan.

    References
    ----------
    Nadeau and Bengio, "Inference for the Generalization Error", Machine Learning 52,
    2003, section 4, equation of the corrected resampled t-statistic.

    Examples
    --------
    >>> from skloss.compare.statistics import corrected_t_test
    >>> result = corrected_t_test([0.02, 0.01, 0.03, 0.02], n_train=50, n_test=50)
    >>> print(f"{result.mean:.3f} ({result.low:.3f} to {result.high:.3f})")
    0.020 (-0.009 to 0.049)
    """
    differences = np.asarray(differences, dtype=float)
    count = len(differences)
    if count == 0:
        return PairedTest(np.nan, np.nan, np.nan, np.nan, np.nan, 0)
    mean = float(differences.mean())
    if count == 1:
        return PairedTest(mean, np.nan, np.nan, np.nan, np.nan, 1)
    variance = differences.var(ddof=1)
    # Equal differences leave rounding noise in the variance; the mean must exceed the
    # same noise before it counts as a difference.
    noise = 64 * np.finfo(float).eps * np.abs(differences).max()
    error = float(np.sqrt(variance * (1 / count + n_test / n_train)))
    if error <= noise:
        p_value = 1.0 if mean == 0 else 0.0
        return PairedTest(mean, 0.0, mean, mean, p_value, count)
    freedom = count - 1
    half = student_t.ppf(0.5 + level / 2, freedom) * error
    p_value = float(2 * student_t.sf(abs(mean) / error, freedom))
    return PairedTest(mean, error, mean - half, mean + half, p_value, count)


def holm(p_values):
    """Holm's step-down adjustment of p-values for testing several hypotheses.

    Parameters
    ----------
    p_values : array-like of shape (n_tests,)
        Raw p-values; nan marks a test that could not be made and is left out.

    Returns
    -------
    ndarray of shape (n_tests,)
        Adjusted p-values, in the order given.

    References
    ----------
    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian
    Journal of Statistics 6, 1979.

    Examples
    --------
    >>> from skloss.compare.statistics import holm
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p_values = np.asarray(p_values, dtype=float)
    adjusted = np.full(p_values.shape, np.nan)
    made = np.flatnonzero(~np.isnan(p_values))
    order = made[np.argsort(p_values[made], kind="stable")]
    factors = len(order) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * p_values[order]), 1)
    return adjusted
