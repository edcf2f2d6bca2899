"""Dissimilarities that are stored, kept as a half, or computed when needed."""

import numpy as np

from skloss._blocks import fits_working_memory
from skloss.cluster._pruned_source import PrunedCandidates
from skloss.kernels import (
    ComputedCandidates,
    CondensedCandidates,
    StoredCandidates,
    condense,
    find_metric,
    stored,
)

__all__ = [
    "make_source",
    "n_computed",
    "of_points",
    "restricted_matrix",
    "restricted_rows",
    "whole",
]


def make_source(X, metric, metric_params, precompute, n_jobs):
    """Make the source of the dissimilarities between all rows.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        Data.
    metric : str or callable
        As in `skloss.kernels.find_metric`.
    metric_params : dict
        From `skloss.kernels.prepare`.
    precompute : bool, "auto", "condensed" or "pruned"
        How to keep them.
    n_jobs : int or None
        Most threads to use.

    Returns
    -------
    source : CandidateRows
    kept : {"stored", "condensed", "computed", "pruned"}
        What "auto" chose.

    Raises
    ------
    ValueError
        If half a matrix is asked for and the metric may be asymmetric, or the metric
        does not allow pruning.
    """
    if precompute == "pruned":
        return PrunedCandidates(X, metric, metric_params, n_jobs), "pruned"
    computed = ComputedCandidates(
        X, metric=metric, metric_params=metric_params, n_jobs=n_jobs
    )
    n = computed.n_rows
    if precompute == "auto":
        precompute = fits_working_memory(computed.n_bytes)
    if precompute == "condensed":
        if not find_metric(metric).symmetric:
            raise ValueError(
                "precompute='condensed' keeps half the matrix and needs a symmetric "
                f"metric; metric={metric!r} may not be one."
            )
        return CondensedCandidates(condense(computed, n_jobs=n_jobs), n), "condensed"
    if precompute:
        source = StoredCandidates(stored(computed, n_jobs=n_jobs))
        source.is_symmetric = computed.is_symmetric
        return source, "stored"
    return computed, "computed"


def restricted_rows(X, batch, metric, metric_params, n_jobs):
    """Make the source of dissimilarities of a few points to all rows.

    Parameters
    ----------
    X, metric, metric_params, n_jobs : as in `make_source`
    batch : ndarray of shape (n_batch,), intp
        The points.

    Returns
    -------
    CandidateRows
        Stored if they fit scikit-learn's ``working_memory``.
    """
    computed = ComputedCandidates(
        X,
        metric=metric,
        metric_params=metric_params,
        points=X[batch],
        own=batch,
        n_jobs=n_jobs,
    )
    if fits_working_memory(computed.n_bytes):
        return StoredCandidates(computed.rows(0, computed.n_rows).T)
    return computed


def restricted_matrix(D, batch):
    """Make the source of a few rows of a dissimilarity matrix.

    Parameters
    ----------
    D : ndarray of shape (n, n)
        Dissimilarities.
    batch : ndarray of shape (n_batch,), intp
        The points.

    Returns
    -------
    CandidateRows
    """
    return StoredCandidates(np.asfortranarray(D[batch]))


def whole(source):
    """Return all rows of a source if they exist already.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities.

    Returns
    -------
    ndarray of shape (n_candidates, n_points) or None
        A view; None if rows would have to be computed or copied.
    """
    if np.may_share_memory(source.rows(0, 1), source.rows(0, 1)):
        return source.rows(0, source.n_rows)
    return None


def n_computed(source):
    """Count the dissimilarities that were computed, or are there, if given.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities.

    Returns
    -------
    int
    """
    if isinstance(source, ComputedCandidates):
        return source.n_distances
    if isinstance(source, CondensedCandidates):
        return source.n_rows * (source.n_rows - 1) // 2
    return source.n_rows * source.n_columns


def of_points(source, points):
    """Return the dissimilarities of some points to all candidates.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities, symmetric or stored.
    points : ndarray of shape (n,), intp
        The points.

    Returns
    -------
    rows : ndarray of shape (m, n_candidates)
    places : ndarray of shape (n,), intp
        Row of each point.
    """
    if not source.is_symmetric:
        return source.points(points), np.arange(len(points))
    rows = whole(source)
    if rows is not None:
        return rows, points
    return source.take(points), np.arange(len(points))
