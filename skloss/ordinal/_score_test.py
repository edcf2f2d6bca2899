"""Rao's score test of proportional odds.

References
----------
Peterson, B., Harrell, F. E. (1990). Partial proportional odds models for ordinal
response variables. Journal of the Royal Statistical Society C 39, 205-217.
"""

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit, log_expit

from skloss.ordinal._restriction import chi_squared_test, unit_columns

__all__ = ["score_test"]


def score_test(X, codes, weights, intercepts, coef):
    r"""Test equal slopes by the slope of the likelihood at the restricted maximum.

    The alternative gives each threshold its own slopes: its slopes at the first
    threshold are :math:`\beta`, at the others :math:`\beta + \delta_k`. The test asks
    whether the score of :math:`\delta` at the fit with :math:`\delta = 0` is larger
    than its expected (Fisher) information explains. Scores of intercepts and
    :math:`\beta`, zero at the exact maximum, are projected out.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The features.
    codes : ndarray of shape (n_samples,)
        Classes, 0 to n_thresholds.
    weights : ndarray of shape (n_samples,)
        How often each row was observed.
    intercepts : ndarray of shape (n_thresholds,)
        Of the maximum-likelihood proportional odds model, in log-odds of
        ``codes > k``: descending.
    coef : ndarray of shape (n_features,)
        Of the same.

    Returns
    -------
    RestrictionTest

    Raises
    ------
    ValueError
        If features are linearly dependent.
    LinAlgError
        If the information is not positive definite.
    """
    Z, center, scale = unit_columns(X, weights)
    scores = Z[:, 1:] @ (coef * scale)
    # P(y <= k) is expit(eta_k), with minus and plus infinity at the ends.
    thresholds = np.r_[-np.inf, -(intercepts + coef @ center), np.inf]
    score = _score(Z, codes, weights, thresholds, scores)
    information = _information(Z, weights, thresholds, scores)
    return chi_squared_test(*_efficient(score, information))


def _score(Z, codes, weights, thresholds, scores):
    """Differentiate the log-likelihood by each threshold's line, (m, 1 + p)."""
    m = len(thresholds) - 2
    lower, upper = thresholds[codes] - scores, thresholds[codes + 1] - scores
    gap = -np.expm1(lower - upper)
    # For the logistic distribution F: density / (F(upper) - F(lower)), without
    # overflow. At infinite ends both are zero.
    by_upper = weights * np.exp(log_expit(-upper) - log_expit(-lower)) / gap
    by_lower = -weights * np.exp(log_expit(lower) - log_expit(upper)) / gap
    score = np.zeros((m, Z.shape[1]))
    for k in range(m):
        score[k] = by_upper[codes == k] @ Z[codes == k]
        score[k] += by_lower[codes == k + 1] @ Z[codes == k + 1]
    return score


def _information(Z, weights, thresholds, scores):
    """Compute the information about each threshold's line, (m, 1 + p) twice."""
    m = len(thresholds) - 2
    information = np.zeros((m, Z.shape[1], m, Z.shape[1]))
    for k in range(m):
        before, here, after = (t - scores for t in thresholds[k : k + 3])
        own = weights * (_squared(-here, -before) + _squared(here, after))
        information[k, :, k] = Z.T @ (Z * own[:, None])
        if k + 1 < m:
            joint = -weights * expit(here) * expit(-after) / -np.expm1(here - after)
            block = Z.T @ (Z * joint[:, None])
            information[k, :, k + 1] = information[k + 1, :, k] = block
    return information


def _squared(a, b):
    """Squared density at a over F(b) - F(a), for a < b."""
    ratio = np.exp(log_expit(a) - log_expit(b)) / -np.expm1(a - b)
    return expit(a) * expit(-a) * ratio


def _efficient(score, information):
    """Score of the departures given all else, and its covariance.

    All else is the intercepts and the common slopes; as departures are free from the
    second threshold on, the score of a common slope is the sum over thresholds.
    """
    m, width = score.shape
    kept = (m - 1) * (width - 1)
    nuisance = np.r_[score[:, 0], score[:, 1:].sum(axis=0)]
    from_intercepts = information[:, 0]
    from_common = information[:, 1:].sum(axis=0)
    both = np.concatenate([from_intercepts, from_common])  # (m + p, m, 1 + p)
    among = np.hstack([both[:, :, 0], both[:, :, 1:].sum(axis=1)])
    across = both[:, 1:, 1:].reshape(len(both), kept)
    projection = cho_solve(cho_factor(among), across)
    values = score[1:, 1:].ravel() - nuisance @ projection
    own = information[1:, 1:, 1:, 1:].reshape(kept, kept)
    covariance = own - across.T @ projection
    shape = (m - 1, width - 1)
    return values.reshape(shape), covariance.reshape(shape + shape)
