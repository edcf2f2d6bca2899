"""Weighted dissimilarities of candidates, read for the bound on the loss."""

import math

import numpy as np

from skloss._blocks import fits_working_memory, rows_per_block
from skloss._parallel import map_row_blocks, threads_for
from skloss._random import fill_uniform
from skloss._validation import as_kernel_array
from skloss.cluster._bound_kernels import common_unit, cover, reduced_costs
from skloss.cluster._sources import whole

__all__ = ["Reader", "first_prices", "representatives"]

# With units coarser than this part of the largest value, sums of 2**33 are exact.
_COARSE = 2.0**-20
_TOGETHER = 64  # rows that are copied together


class Reader:
    """Reads weighted dissimilarities of candidates for the kernels.

    Rows that are stored are read in place. Others are computed block by block until
    those asked for fit scikit-learn's ``working_memory``; then they are kept.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities, a row for each candidate.
    weights : ndarray of shape (n_points,), float64
        Sample weights.
    n_jobs : int, default=None
        Largest number of threads.
    """

    def __init__(self, source, weights, n_jobs=None):
        self.weights = as_kernel_array(weights, np.float64)
        self.n_candidates, self.n_points = source.n_rows, source.n_columns
        self._source, self._n_jobs = source, n_jobs
        self._matrix, self._places = whole(source), np.arange(source.n_rows)

    def keep(self, ids):
        """Keep these rows if they fit; others are read anew from then on."""
        n_bytes = len(ids) * self.n_points * self._source.dtype.itemsize
        if self._matrix is None and fits_working_memory(n_bytes):
            self._matrix = self._source.take(ids)
            self._places = np.full(self.n_candidates, -1)
            self._places[ids] = np.arange(len(ids))

    def locate(self, ids):
        """Return a matrix and the rows in which it holds these candidates."""
        if self._matrix is None:
            matrix, places = self._source.take(ids), np.arange(len(ids))
        else:
            matrix, places = self._matrix, self._places[ids]
            if len(places) and places.min() < 0:  # better medoids from elsewhere
                matrix, places = self._source.take(ids), np.arange(len(ids))
        return matrix, as_kernel_array(places, np.intp)

    def blocks(self, function, ids):
        """Apply ``function(matrix, places)`` to blocks of candidates, in order."""
        itemsize = self._source.dtype.itemsize
        n_threads = 1
        if self._matrix is not None:
            n_threads = threads_for(len(ids) * self.n_points * itemsize, self._n_jobs)
            if n_threads == 1:
                return [function(*self.locate(ids))]
        block_rows = rows_per_block(self.n_points, itemsize)
        return map_row_blocks(
            lambda start, stop: function(*self.locate(ids[start:stop])),
            len(ids),
            block_rows,
            n_threads,
        )

    def reduced_costs(self, ids, prices):
        r"""Return :math:`\rho_j` of candidates, each off by rounding only."""
        prices = as_kernel_array(prices, np.float64)

        def evaluate(matrix, places):
            costs = np.empty(len(places))
            reduced_costs(matrix, places, self.weights, prices, costs)
            return costs

        parts = self.blocks(evaluate, ids)
        return parts[0] if len(parts) == 1 else np.concatenate([np.empty(0), *parts])

    def highest(self, ids):
        """Return the largest weighted dissimilarity of each point.

        With these prices a reduced cost is the loss of a candidate as the only
        medoid, less the sum of the prices.
        """
        highest = np.full(self.n_points, -np.inf)
        for start in range(0, len(ids), _TOGETHER):
            matrix, places = self.locate(ids[start : start + _TOGETHER])
            np.maximum(highest, matrix[places].max(axis=0), out=highest)
        return self.weights * highest

    def least_loss(self, ids):
        """Return the loss if all candidates were medoids."""
        lowest = np.full(self.n_points, np.inf)
        for start in range(0, len(ids), _TOGETHER):
            nearest = self.cover(ids[start : start + _TOGETHER], lowest)[1]
            np.minimum(lowest, nearest, out=lowest)
        return math.fsum(lowest)

    def cover(self, ids, prices):
        """Return how often and how cheaply candidates serve each point."""
        prices = as_kernel_array(prices, np.float64)
        counts, nearest = np.empty(self.n_points), np.empty(self.n_points)
        cover(*self.locate(ids), self.weights, prices, counts, nearest)
        return counts, nearest

    def loss(self, medoids):
        """Return the correctly rounded loss of some medoids."""
        medoids = as_kernel_array(medoids, np.intp)
        return math.fsum(self.cover(medoids, np.zeros(self.n_points))[1])

    def twins(self, ids):
        """Return for each candidate the first one that serves all points alike."""
        prices = np.empty(self.n_points)
        fill_uniform(0, 0, 0, prices)
        # Equal rows have equal sums, different ones hardly ever.
        keys = self.reduced_costs(ids, prices * self.highest(ids))
        order = np.argsort(keys, kind="stable")
        ends = np.flatnonzero(np.diff(keys[order])) + 1
        first = np.array(ids)
        for group in np.split(order, ends):
            while len(group) > 1:
                alike = self._are_alike(ids[group])
                first[group[alike]] = ids[group[0]]
                group = group[~alike]
        return first

    def _are_alike(self, ids):
        matrix, places = self.locate(ids)
        counted = self.weights > 0
        model = matrix[places[0]][counted]
        return np.array([(matrix[i][counted] == model).all() for i in places])

    def unit(self, ids):
        """Return a power of two that divides all weighted dissimilarities.

        Losses are then multiples of it, and so is the least. It is 0.0 unless it is
        coarse enough to be of use, as with whole numbers.
        """
        matrix, places = self.locate(ids[:1])
        values = self.weights * matrix[places[0]]
        largest = np.abs(values).max()
        smallest = _COARSE * largest
        # Of equal points there is nothing to go by, of subnormal numbers no fraction.
        if not np.finfo(np.float64).tiny < smallest < np.inf:
            return 0.0
        unit = 2.0 ** math.frexp(largest)[1]
        for start in range(0, len(ids), _TOGETHER):
            matrix, places = self.locate(ids[start : start + _TOGETHER])
            block = as_kernel_array(matrix[places], matrix.dtype)
            unit = common_unit(block, self.weights, unit, smallest)
            if not unit:
                break
        return unit


def representatives(reader, candidates, n_clusters):
    """Return candidates among which the best medoids are, without repetitions.

    Of candidates that serve all points alike one is enough, as long as there are more
    different ones than medoids: whoever uses two can exchange one for another.

    Parameters
    ----------
    reader : Reader
        Dissimilarities.
    candidates : ndarray of intp
        All candidates.
    n_clusters : int
        Number of medoids.

    Returns
    -------
    twins : ndarray of shape (n_candidates,), intp
        For each candidate the one that stands for it, itself if it is unlike others
        or if too few are different.
    """
    twins = reader.twins(candidates)
    return twins if len(np.unique(twins)) > n_clusters else candidates


def first_prices(reader, medoids, candidates):
    """Return prices to begin with: between the two nearest medoids of each point.

    For a single medoid, prices at which the bound is exact.
    """
    if len(medoids) == 1:
        return reader.highest(candidates)
    matrix, places = reader.locate(medoids)
    costs = reader.weights * np.asarray(matrix[places], dtype=np.float64)
    return np.partition(costs, 1, axis=0)[:2].mean(axis=0)
