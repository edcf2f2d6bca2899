"""Checks of what users hand to the k-medoids estimators and functions."""

from numbers import Integral

import numpy as np

from skloss._validation import as_kernel_array, check_weights, weight_unit
from skloss.cluster._initial import INITIALISATIONS
from skloss.cluster._search import Problem

__all__ = [
    "check_init",
    "check_n_clusters",
    "check_sum",
    "check_weights_for",
    "make_problem",
]


def check_n_clusters(n_clusters, n_samples, name="n_clusters"):
    """Check a number of clusters.

    Parameters
    ----------
    n_clusters : int
        What the user asked for.
    n_samples : int
        Number of points.
    name : str, default="n_clusters"
        Its name, for messages.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If it is no integer or not between 1 and `n_samples`.
    """
    if isinstance(n_clusters, bool | np.bool_) or not isinstance(n_clusters, Integral):
        raise ValueError(f"{name} must be an integer; got {n_clusters!r}.")
    if n_clusters < 1:
        raise ValueError(f"{name}={n_clusters} must be at least 1.")
    if n_clusters > n_samples:
        raise ValueError(
            f"n_samples={n_samples} must be at least {name}={n_clusters}: every "
            "cluster needs a sample of its own."
        )
    return int(n_clusters)


def check_sum(deviations):
    """Refuse sums of dissimilarities that overflowed.

    Parameters
    ----------
    deviations : float or ndarray
        Total deviations.

    Returns
    -------
    float or ndarray
        The same.

    Raises
    ------
    ValueError
        If one is infinite or nan.
    """
    if not np.isfinite(deviations).all():
        raise ValueError(
            "The dissimilarities are too large: their sum overflows. Divide them by a "
            "constant."
        )
    return deviations


def check_weights_for(n_clusters, sample_weight, n_samples):
    """Check sample weights of points that are to have so many medoids.

    Parameters
    ----------
    n_clusters : int
        Number of medoids.
    sample_weight : array-like of shape (n_samples,) or None
        Weights of the samples.
    n_samples : int
        Number of samples.

    Returns
    -------
    weights : ndarray of shape (n_samples,), float64
        Weights divided by `unit`.
    unit : float
        A power of two, 1 unless weights are extreme.

    Raises
    ------
    ValueError
        If weights are invalid, or too few of them positive.
    """
    weights = check_weights(sample_weight, n_samples)
    n_positive = np.count_nonzero(weights)
    if n_positive < n_clusters:
        raise ValueError(
            f"sample_weight has {n_positive} positive values, fewer than "
            f"n_clusters={n_clusters}; samples without weight are never medoids."
        )
    unit = weight_unit(weights)
    # Beside extreme weights small ones may underflow; they stay positive.
    least = np.where(weights > 0, np.finfo(np.float64).tiny, 0.0)
    weights = weights if unit == 1 else np.maximum(weights / unit, least)
    return as_kernel_array(weights, np.float64), unit


def check_init(init, n_clusters, allowed):
    """Check initial medoids.

    Parameters
    ----------
    init : str or array-like of shape (n_clusters,)
        Name of an initialisation, or the indices of the medoids.
    n_clusters : int
        Number of medoids.
    allowed : ndarray of shape (n_candidates,), bool
        Which candidates may be medoids.

    Returns
    -------
    str or ndarray of shape (n_clusters,), intp

    Raises
    ------
    ValueError
        If the name is unknown, or the indices are not as many distinct integers in
        range, of samples with positive weight.
    """
    if isinstance(init, str):
        if init not in INITIALISATIONS:
            raise ValueError(
                f"init={init!r} is unknown; it must be an array of indices or one of "
                f"{sorted(INITIALISATIONS)}."
            )
        return init
    medoids = np.asarray(init)
    if medoids.dtype.kind not in "iu":
        raise ValueError(
            "init must hold integers, the indices of the initial medoids; got an "
            f"array of {medoids.dtype}."
        )
    if medoids.shape != (n_clusters,):
        raise ValueError(
            f"init has shape {medoids.shape}; it must hold one index for each of the "
            f"n_clusters={n_clusters} medoids."
        )
    wrong = medoids[(medoids < 0) | (medoids >= len(allowed))]
    if len(wrong):
        raise ValueError(
            f"init holds {wrong[0]}, which is not an index from 0 to "
            f"{len(allowed) - 1}."
        )
    values, counts = np.unique(medoids, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"init holds {values[counts > 1][0]} more than once.")
    refused = medoids[~allowed[medoids]]
    if len(refused):
        raise ValueError(
            f"init holds {refused[0]}, a sample without weight, which cannot be a "
            "medoid."
        )
    return medoids.astype(np.intp)


def make_problem(source, weights):
    """Make the problem of choosing medoids among the points themselves.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities; candidates are the points.
    weights : ndarray of shape (n_points,), float64
        Sample weights; points without weight are no candidates.

    Returns
    -------
    Problem
    """
    own = as_kernel_array(np.arange(source.n_rows), np.intp)
    return Problem(source, weights, own, weights > 0)
