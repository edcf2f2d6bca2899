"""Brant's Wald test of proportional odds.

References
----------
Brant, R. (1990). Assessing proportionality in the proportional odds model for ordinal
logistic regression. Biometrics 46, 1171-1178.
"""

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.special import expit

from skloss.ordinal._restriction import chi_squared_test, unit_columns

__all__ = ["brant"]

# How far a Newton step may move the log-odds of a row at a maximum. Where outcomes are
# separated the gradient vanishes on the way to infinity, but the steps do not.
_LARGEST_STEP = 0.1


def brant(X, codes, weights, intercepts, coefs):
    """Compare the slopes of separate logistic fits of y > k.

    If odds are proportional, the fits estimate the same slopes. Their covariance across
    thresholds follows from that of the indicators of y > k, which is
    P(y > l) (1 - P(y > k)) for k <= l.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The features.
    codes : ndarray of shape (n_samples,)
        Classes, 0 to n_thresholds.
    weights : ndarray of shape (n_samples,)
        How often each row was observed.
    intercepts : ndarray of shape (n_thresholds,)
        Of maximum-likelihood logistic regressions of ``codes > k``.
    coefs : ndarray of shape (n_thresholds, n_features)
        Of the same.

    Returns
    -------
    RestrictionTest

    Raises
    ------
    ValueError
        If features are linearly dependent.
    LinAlgError
        If a logistic fit has no finite maximum or the covariance is not positive
        definite; the message says which.
    """
    Z, center, scale = unit_columns(X, weights)
    slopes = coefs * scale
    above = [
        expit(Z[:, 1:] @ slope + intercept)
        for slope, intercept in zip(slopes, intercepts + coefs @ center)
    ]
    covariance = _slope_covariance(Z, codes, weights, above)
    # Differences from the first threshold, in both pairs of axes.
    covariance = covariance[1:] - covariance[:1]
    covariance = covariance[:, :, 1:] - covariance[:, :, :1]
    return chi_squared_test(slopes[1:] - slopes[0], covariance)


def _slope_covariance(Z, codes, weights, above):
    """Covariance of all slopes, (n_thresholds, n_features) twice."""
    m, p = len(above), Z.shape[1] - 1
    inverses = [_inverse(Z, codes > k, weights, above[k], k) for k in range(m)]
    covariance = np.empty((m, p, m, p))
    for k in range(m):
        covariance[k, :, k] = inverses[k][1:, 1:]
        for other in range(k + 1, m):
            joint = weights * above[other] * (1 - above[k])
            middle = _gram(Z, joint)
            block = inverses[k][1:] @ middle @ inverses[other][:, 1:]
            covariance[k, :, other] = block
            covariance[other, :, k] = block.T
    return covariance


def _gram(Z, weights):
    return Z.T @ (Z * weights[:, None])


def _inverse(Z, is_above, weights, above, threshold):
    """Inverse information of the fit at one threshold."""
    information = _gram(Z, weights * above * (1 - above))
    try:
        inverse = cho_solve(cho_factor(information), np.eye(len(information)))
        step = inverse @ (Z.T @ (weights * (is_above - above)))
        at_maximum = np.abs(Z @ step).max() < _LARGEST_STEP
    except LinAlgError:
        at_maximum = False
    if not at_maximum:
        raise LinAlgError(
            f"the logistic regression of y > {threshold} (classes numbered from 0) is "
            "not at a maximum of its likelihood, which has none if outcomes are "
            "separated"
        )
    return inverse
