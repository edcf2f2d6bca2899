"""Medoids of data that come in chunks, of which nothing but the medoids is kept."""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skloss._validation import weight_unit
from skloss.cluster._assignment import assign, average_silhouette, total_deviation
from skloss.cluster._fit import Fit
from skloss.cluster._full_data import Outcome, assign_all
from skloss.cluster._subsamples import draw, objective_of, search_part

__all__ = ["Past", "Updated", "add_chunk", "stacked"]


class Past(NamedTuple):
    """What is known of earlier chunks: each medoid stands for the samples nearest it.

    Parameters
    ----------
    centers : ndarray or CSR array of shape (k, n_features)
        The medoids.
    indices : ndarray of shape (k,), intp
        Their places among all samples so far.
    totals : ndarray of shape (k,), float64
        Weight of the samples that each stands for.
    n_samples : int
        Number of samples so far.
    """

    centers: object
    indices: np.ndarray
    totals: np.ndarray
    n_samples: int


class Updated(NamedTuple):
    """Medoids after a chunk.

    Parameters
    ----------
    past : Past
        What is known now.
    outcome : Outcome
        The chunk, assigned to the medoids.
    found : Outcome
        The chunk, assigned to the medoids of its subsample, which may be no better.
    fit : Fit
        What the search of the subsample found, in places among all samples.
    n_distances : int
        Dissimilarities that were computed.
    """

    past: Past
    outcome: Outcome
    found: Outcome
    fit: Fit
    n_distances: int


class _Candidates(NamedTuple):
    """Medoids so far, if there are any, and then a subsample of the chunk.

    `here` are places in the chunk, -1 for none; `places` are among all samples.
    """

    rows: object
    weights: np.ndarray
    here: np.ndarray
    places: np.ndarray


def add_chunk(data, weights, past, n_clusters, plan, random, *, n_jobs):
    """Bring medoids up to date with a chunk.

    A subsample of the chunk is searched together with the medoids so far. What is found
    replaces these if it is better for the chunk and the past together.

    Parameters
    ----------
    data : Rows
        The chunk.
    weights : ndarray of shape (n_chunk,), float64
        Its weights.
    past : Past or None
        What is known of earlier chunks, if there are any.
    n_clusters : int
        Number of medoids.
    plan : Plan
        Size of the subsample and how to search it. An array `init` holds indices into
        the first chunk; later searches start from the medoids so far.
    random : RandomState
        Source of random numbers.
    n_jobs : int or None
        Most threads to use.

    Returns
    -------
    Updated
    """
    candidates, settings = _candidates(data, weights, past, n_clusters, plan, random)
    counts = candidates.weights / weight_unit(candidates.weights)
    part = data.part_of(candidates.rows)
    fit = search_part(part, counts, n_clusters, settings, random, n_jobs)
    centers = candidates.rows[fit.medoids]
    found = assign_all(data, weights, candidates.here[fit.medoids], centers)
    n_measured = data.n_points
    now = Past(centers, candidates.places[fit.medoids], found.totals, data.n_points)
    outcome = found
    if past is not None:
        stay = assign_all(data, weights, np.full(n_clusters, -1), past.centers)
        moved = _assign_past(data, past, centers, fit.medoids)
        n_measured += data.n_points + n_clusters
        totals, n_samples = past.totals, past.n_samples
        if _is_better(settings.method, found, moved, stay):
            totals = np.bincount(moved.nearest, totals, minlength=n_clusters)
        else:
            outcome, now = stay, past
        now = now._replace(
            totals=totals + outcome.totals, n_samples=n_samples + data.n_points
        )
    return Updated(
        past=now,
        outcome=outcome,
        found=found,
        fit=fit._replace(
            medoids=candidates.places[fit.medoids],
            initial=candidates.places[fit.initial],
        ),
        n_distances=fit.n_distances + n_measured * n_clusters,
    )


def _candidates(data, weights, past, n_clusters, plan, random):
    """Draw the candidates; with them, how to search them."""
    settings, given = plan.settings, None
    if not isinstance(settings.init, str):
        given = settings.init
    if past is None:
        included = np.empty(0, dtype=np.intp) if given is None else given
        sample, counts, _ = draw(weights, plan.size, included, random)
        candidates = _Candidates(data.X[sample], counts, sample, sample)
        start = None if given is None else np.searchsorted(sample, given)
    else:
        size, nothing = plan.size - n_clusters, np.empty(0, dtype=np.intp)
        sample, counts, unit = draw(weights, size, nothing, random)
        candidates = _Candidates(
            stacked(past.centers, data.X[sample]),
            np.concatenate([past.totals / unit, counts]),
            np.concatenate([np.full(n_clusters, -1), sample]),
            np.concatenate([past.indices, past.n_samples + sample]),
        )
        start = np.arange(n_clusters)
    if given is not None:
        settings = settings._replace(init=start)
    return candidates, settings


def stacked(above, below):
    """Put rows below others; both are dense or both sparse."""
    if sparse.issparse(above):
        return sparse.vstack([above, below], format="csr")
    return np.concatenate([above, below])


def _assign_past(data, past, centers, medoids):
    """Assign the medoids so far, with all they stand for, to those found.

    The first candidates are the medoids so far: such a one may be found again.
    """
    to_medoids = data.measure_rows(past.centers, centers).T
    return assign(to_medoids, medoids, past.totals, np.arange(len(medoids)))


def _is_better(method, found, moved, stay):
    """Whether what was found is better for the chunk and the past together.

    Where the medoids stay, the past is where they are.
    """
    if objective_of(method, len(moved.medoids))[0] == "loss":
        return found.loss + total_deviation(moved) < stay.loss
    chunk, before = found.totals.sum(), moved.weights.sum()
    gain = chunk * (found.silhouette - stay.silhouette)
    return gain + before * (average_silhouette(moved) - 1.0) > 0
