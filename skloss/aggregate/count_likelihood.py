"""Probability of the numbers of positive rows in bags."""

import numpy as np
from scipy.special import logit

from skloss.aggregate._bags import Bags, read_bags
from skloss.aggregate._counts import CountLikelihood

__all__ = ["bag_count_log_likelihood"]

_WHOLE = 1e-6  # how far from a whole number a count may be


def bag_count_log_likelihood(proba, bags, counts, *, return_posterior=False):
    """Log-probability of the number of positive rows in each bag.

    Rows are positive independently of each other, so that the number of positive rows
    of a bag has a Poisson-binomial distribution. It is computed exactly: to about
    double precision whatever the probabilities, also far below the smallest double,
    in time that grows as the size of a bag to the power 1.5.

    Parameters
    ----------
    proba : array-like of shape (n,)
        Probability that a row is positive, in [0, 1].
    bags : array-like of shape (n,) or None
        Label of the bag of each row: integers, strings, dates, categories or anything
        else that can be sorted. None makes a bag of each row.
    counts : array-like of shape (m,)
        Number of positive rows of each bag, in the order of the sorted labels: whole
        numbers from 0 to the size of the bag.
    return_posterior : bool, default=False
        Whether to return the probabilities of the rows given the counts as well.

    Returns
    -------
    log_likelihood : ndarray of shape (m,)
        In natural logarithms, in the order of the sorted labels. -inf where
        probabilities of 0 or 1 make the count impossible.
    posterior : ndarray of shape (n,)
        Only if `return_posterior`: probability that a row is positive, given the count
        of its bag. Those of a bag add up to its count. nan where the count is
        impossible.

    Raises
    ------
    ValueError
        If a probability is outside of [0, 1], a label is missing, or `counts` does not
        hold a possible whole number for each bag.

    Notes
    -----
    All odds of a bag are multiplied by one number that makes its count likely. That
    changes the probability of the count by a known factor and posteriors not at all,
    and the distribution can then be computed, by multiplying the rows' generating
    functions, without underflow. Posteriors follow by dividing the generating function
    of a row out again: upwards from a count of 0 for a probability below one half, else
    downwards, which keeps all digits. The derivative of the log-likelihood with respect
    to the log-odds of a row is its posterior minus its probability.

    References
    ----------
    Chen, X.-H., Dempster, A. P. and Liu, J. S. (1994). "Weighted finite population
    sampling to maximize entropy." Biometrika 81(3), 457-469: the distribution given its
    sum, its derivatives, and the freedom to multiply all odds by one number.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.aggregate import bag_count_log_likelihood
    >>> proba, bags = [0.5, 0.5, 0.9, 0.2], ["b", "b", "a", "a"]
    >>> log_likelihood, posterior = bag_count_log_likelihood(
    ...     proba, bags, counts=[1, 2], return_posterior=True
    ... )
    >>> np.exp(log_likelihood).round(4)
    array([0.74, 0.25])
    >>> posterior.round(4)
    array([1.   , 1.   , 0.973, 0.027])
    """
    proba = _check_proba(proba)
    bags = read_bags(bags, len(proba))
    counts = _check_counts(counts, bags)
    # Rows that are sure have no finite log-odds: they only move the count.
    sure = (proba == 0.0) | (proba == 1.0)
    certain = np.bincount(bags.codes[proba == 1.0], minlength=bags.count)
    open_bags = Bags(bags.codes[~sure], bags.labels)
    found = CountLikelihood(open_bags, counts - certain).evaluate(logit(proba[~sure]))
    if not return_posterior:
        return found.log_likelihood
    posterior = proba.copy()
    posterior[~sure] = found.posterior
    posterior[np.isneginf(found.log_likelihood)[bags.codes]] = np.nan
    return found.log_likelihood, posterior


def _check_proba(proba):
    proba = np.asarray(proba, dtype=np.float64)
    if proba.ndim != 1:
        raise ValueError(
            "proba must have one dimension, with the probability of the positive class "
            f"of each row; got shape {proba.shape}."
        )
    outside = np.flatnonzero(~((proba >= 0.0) & (proba <= 1.0)))
    if outside.size:
        raise ValueError(
            f"proba[{outside[0]}] is {proba[outside[0]]}; probabilities must be in "
            "[0, 1]."
        )
    return proba


def _check_counts(counts, bags):
    counts = np.asarray(counts, dtype=np.float64)
    if counts.shape != (bags.count,):
        raise ValueError(
            f"counts must have shape ({bags.count},), with a number for each bag; got "
            f"shape {counts.shape}."
        )
    whole = np.rint(counts)
    # A difference is nan, and not small, if the count is nan or infinite.
    with np.errstate(invalid="ignore"):
        fits = (np.abs(counts - whole) <= _WHOLE) & (whole >= 0.0)
        fits &= whole <= bags.sizes
    wrong = np.flatnonzero(~fits)
    if wrong.size:
        a = wrong[0]
        raise ValueError(
            f"counts[{a}] is {counts[a]}; that of bag {bags.labels[a]!r} must be a "
            f"whole number from 0 to {bags.sizes[a]}."
        )
    return whole.astype(np.intp)
