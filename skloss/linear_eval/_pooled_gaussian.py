"""From the moments of classes to the Gaussian model and its linear scores."""

from typing import NamedTuple

import numpy as np

from skloss._linear_scores import LinearScores
from skloss.linear_eval._variance_shrinkage import (
    shrink_variances,
    shrinkage_intensity,
)

__all__ = [
    "PooledGaussian",
    "check_priors",
    "linear_scores",
    "pooled_gaussian",
    "precisions",
]


class PooledGaussian(NamedTuple):
    """Parameters of the classes' densities, float64."""

    prior: np.ndarray  # (n_classes,)
    theta: np.ndarray  # (n_classes, n_features)
    var: np.ndarray  # (n_features,)
    epsilon: float
    shrinkage: float


def check_priors(priors, n_classes):
    """Check given probabilities of the classes.

    Parameters
    ----------
    priors : array-like of shape (n_classes,)
        Probabilities.
    n_classes : int
        Number of classes.

    Returns
    -------
    ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If there is not one for each class, one is negative, or they do not sum to 1.
    """
    priors = np.array(priors, dtype=np.float64)
    if priors.shape != (n_classes,):
        raise ValueError(
            f"priors has shape {priors.shape}, but there are {n_classes} classes."
        )
    if not (priors >= 0).all():
        raise ValueError(f"priors must not be negative, got {priors.tolist()}.")
    if not np.isclose(priors.sum(), 1.0):
        raise ValueError(f"priors must sum to 1, got a sum of {priors.sum()}.")
    return priors


def pooled_gaussian(moments, *, priors, var_smoothing, shrinkage):
    """Estimate the densities of the classes.

    Parameters
    ----------
    moments : ClassMoments
        Of all rows so far, with powers if `shrinkage` is "auto".
    priors, var_smoothing, shrinkage
        Parameters of the estimator, checked.

    Returns
    -------
    PooledGaussian
    """
    total = moments.count.sum()
    theta = moments.origin + moments.mean
    raw = moments.within / total
    # What summing sparse batches may leave of a feature that is constant.
    rounding = 4 * np.finfo(np.float64).eps * np.abs(theta).max(axis=0)
    raw[np.sqrt(raw) <= rounding] = 0
    intensity = shrinkage or 0.0
    if intensity == "auto":
        n_seen = np.count_nonzero(moments.count)
        fourth = moments.powers.fourth / total
        intensity = shrinkage_intensity(raw, fourth, total * moments.unit, n_seen)
    epsilon = var_smoothing * raw.max()
    return PooledGaussian(
        prior=moments.count / total if priors is None else priors,
        theta=theta,
        var=shrink_variances(raw, intensity) + epsilon,
        epsilon=float(epsilon),
        shrinkage=float(intensity),
    )


def linear_scores(model, moments, dtype):
    """Return the scores that tell the classes apart.

    Parameters
    ----------
    model : PooledGaussian
        Densities.
    moments : ClassMoments
        What they were estimated from.
    dtype : numpy dtype
        Of the rows to be scored. The center, near which the scores are small and
        lose no digits, is rounded to it, and the intercept makes up for that.

    Returns
    -------
    LinearScores
        A class that has not been seen or has no probability has an intercept of -inf.
    """
    middle = moments.grand_mean
    center = middle.astype(dtype)
    gap = moments.mean + (moments.origin - middle)
    gap[moments.count == 0] = 0
    coef = gap * precisions(model.var)
    possible = (model.prior > 0) & (moments.count > 0)
    if not possible.any():  # no class that may occur has been seen: go by the priors
        possible = model.prior > 0
    intercept = np.full(len(model.prior), -np.inf)
    np.log(model.prior, out=intercept, where=possible)
    intercept -= 0.5 * np.einsum("kj,kj->k", gap, coef) - coef @ (center - middle)
    return LinearScores(coef, intercept, center)


def precisions(var):
    """Return the inverse variances, 0 for features of no variance.

    Parameters
    ----------
    var : ndarray of shape (n_features,)
        Variances.

    Returns
    -------
    ndarray of shape (n_features,)
    """
    return np.divide(1.0, var, out=np.zeros_like(var), where=var > 0)
