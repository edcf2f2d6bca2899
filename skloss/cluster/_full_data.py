"""All samples of a data set and their medoids, a block of samples at a time.

Searches that look at some of the data only still label and judge all of it.
"""

from typing import NamedTuple

import numpy as np

from skloss._blocks import fits_working_memory, rows_per_block
from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import working_dtype
from skloss.cluster._assignment import assign, average_silhouette, total_deviation
from skloss.cluster._inputs import check_sum
from skloss.cluster._sources import (
    make_source,
    restricted_matrix,
    restricted_rows,
)
from skloss.kernels import StoredCandidates, cross_distances, find_metric
from skloss.kernels.metrics import work_threads

__all__ = ["Matrix", "Outcome", "Part", "Rows", "assign_all"]

# Most points whose distances to all medoids a thread holds at once.
_POINTS = 4096


class Part(NamedTuple):
    """Some samples, as they travel to a worker.

    Parameters
    ----------
    values : ndarray or CSR array
        Their rows, or the dissimilarities among them.
    metric : str, callable or None
        None for dissimilarities.
    metric_params : dict or None
        From `skloss.kernels.prepare`.
    precompute : bool
        Whether to store the dissimilarities of rows. The sender decides: workers may
        have other settings than it has.
    """

    values: object
    metric: object = None
    metric_params: dict | None = None
    precompute: bool = True

    def source(self, n_jobs=None):
        """Make the source of the dissimilarities among these samples."""
        if self.metric is None:
            return StoredCandidates(self.values)
        source, _ = make_source(
            self.values, self.metric, self.metric_params, self.precompute, n_jobs
        )
        return source


class Rows:
    """Samples that are described by features.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        Data, float32 or float64.
    metric : str or callable
        As in `skloss.kernels.find_metric`.
    metric_params : dict
        From `skloss.kernels.prepare`.
    n_jobs : int, default=None
        Most threads to use.
    """

    def __init__(self, X, metric, metric_params, n_jobs=None):
        self.X, self.n_points = X, X.shape[0]
        self._metric, self._params, self._n_jobs = metric, metric_params, n_jobs
        self.is_reflexive = find_metric(metric).reflexive

    def source(self, precompute="auto"):
        """Make the source of all dissimilarities; also how they are kept."""
        return make_source(self.X, self._metric, self._params, precompute, self._n_jobs)

    def restricted(self, batch):
        """Make the source of the dissimilarities of some samples to all."""
        return restricted_rows(self.X, batch, self._metric, self._params, self._n_jobs)

    def centers(self, medoids):
        """Return what `measure` takes to measure to some of the samples."""
        return self.X[medoids]

    def part(self, sample):
        """Return some of the samples."""
        return self.part_of(self.X[sample])

    def part_of(self, rows):
        """Return other rows as if they were some of the samples."""
        n = rows.shape[0]
        precompute = fits_working_memory(n * n * rows.dtype.itemsize)
        return Part(rows, self._metric, self._params, precompute)

    def measure(self, start, stop, centers):
        """Return the dissimilarities (stop - start, k) of samples to medoids."""
        return self.measure_rows(self.X[start:stop], centers)

    def measure_rows(self, rows, centers):
        """Return the dissimilarities (n_rows, k) of any rows to medoids."""
        return cross_distances(
            rows,
            centers,
            metric=self._metric,
            metric_params=self._params,
            n_jobs=1,
        )

    def n_threads(self, n_clusters):
        """Return the number of threads that measuring all samples is worth."""
        if callable(self._metric):  # threads would only wait for each other
            return 1
        return work_threads(n_clusters, self.n_points, self.X.shape[1], self._n_jobs)


class Matrix:
    """Samples that are described by their dissimilarities.

    Parameters
    ----------
    D : ndarray of shape (n_samples, n_samples)
        Dissimilarity of each sample (row) to each other as a medoid (column).
    facts : DissimilarityFacts
        What `skloss.kernels.check_dissimilarities` found.
    n_jobs : int, default=None
        Most threads to use.
    """

    is_reflexive = False  # the diagonal is what it is

    def __init__(self, D, facts, n_jobs=None):
        self.X, self.n_points, self.facts = D, D.shape[0], facts
        self._n_jobs = n_jobs
        self._source = None

    def source(self, precompute="auto"):
        """Make the source of all dissimilarities; also how they are kept."""
        if self._source is None:  # to make it may mean to look for symmetry
            self._source = StoredCandidates(self.X, n_jobs=self._n_jobs)
        return self._source, "given"

    def restricted(self, batch):
        """Make the source of the dissimilarities of some samples to all."""
        return restricted_matrix(self.X, batch)

    def centers(self, medoids):
        """Return what `measure` takes to measure to some of the samples."""
        return medoids

    def part(self, sample):
        """Return some of the samples."""
        among = self.X[np.ix_(sample, sample)]
        return Part(among.astype(working_dtype(among), copy=False))

    def measure(self, start, stop, centers):
        """Return the dissimilarities (stop - start, k) of samples to medoids."""
        block = self.X[start:stop, centers]
        return block.astype(working_dtype(block), copy=False)

    def n_threads(self, n_clusters):
        """Return the number of threads that reading the columns is worth."""
        return threads_for(self.n_points * n_clusters * 8, self._n_jobs)


class Outcome(NamedTuple):
    """All samples, assigned to their nearest medoids.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,), intp
        Slot of the nearest medoid.
    loss : float
        Total deviation.
    silhouette : float
        Average medoid silhouette; nan for one medoid or negative dissimilarities.
    totals : ndarray of shape (k,)
        Weight of the samples assigned to each medoid.
    duplicates : bool
        Whether some medoid equals another.
    """

    labels: np.ndarray
    loss: float
    silhouette: float
    totals: np.ndarray
    duplicates: bool


def assign_all(data, weights, medoids, centers=None):
    """Assign all samples to medoids, with sums in the order of the samples.

    Parameters
    ----------
    data : Rows or Matrix
        The samples.
    weights : ndarray of shape (n_samples,), float64
        Their weights.
    medoids : ndarray of shape (k,), intp
        Which samples the medoids are, in slot order; -1 for none of them.
    centers : ndarray or CSR array of shape (k, n_features), default=None
        The medoids themselves; by default rows of the data.

    Returns
    -------
    Outcome

    Raises
    ------
    ValueError
        If the sum of the dissimilarities overflows.
    """
    k = len(medoids)
    if centers is None:
        centers = data.centers(medoids)
    labels = np.empty(data.n_points, dtype=np.intp)

    def look_at(start, stop):
        to_medoids = data.measure(start, stop, centers).T
        slots = np.flatnonzero((medoids >= start) & (medoids < stop))
        here = medoids[slots] - start
        if data.is_reflexive:  # rows of zeros have no cosine
            to_medoids[slots, here] = 0
        own, block_weights = np.arange(start, stop), weights[start:stop]
        state = assign(to_medoids, medoids, block_weights, own)
        labels[start:stop] = state.nearest
        labels[medoids[slots]] = slots  # also if another medoid is nearer than 0
        loss = check_sum(total_deviation(state))
        total = block_weights.sum()
        return (
            loss,
            total * average_silhouette(state) if total else 0.0,
            np.bincount(state.nearest, block_weights, minlength=k),
            bool(((state.to_nearest == 0) & (state.to_second == 0))[here].any()),
        )

    step = min(_POINTS, rows_per_block(k, at_least=256))
    blocks = map_row_blocks(look_at, data.n_points, step, data.n_threads(k))
    losses, silhouettes, totals, duplicates = zip(*blocks)
    loss = check_sum(sum(losses))
    totals = np.sum(totals, axis=0)
    silhouette = float(sum(silhouettes) / totals.sum())
    return Outcome(labels, loss, silhouette, totals, any(duplicates))
