"""Greedy choice of medoids (BUILD), looking only at candidates that may be best.

The gain of a candidate never grows when medoids are added, nor does its computed
value: every term shrinks or stays, and rounding is monotone as long as the terms are
added in one order. A gain computed earlier is therefore an upper bound. Candidates wait
in a heap under such bounds, and only the top one is computed again until it is up to
date: the same medoids as by computing all gains for every medoid.
"""

import numpy as np

from skloss._jit import kernel
from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import as_kernel_array
from skloss.cluster._sources import whole

__all__ = ["best_single", "greedy"]

# Candidates whose rows are computed together when rows are not at hand.
_BATCH = 64


@kernel(fastmath={"reassoc", "contract"})
def _deviation(row, weights):
    total = 0.0
    for o in range(row.size):
        total += weights[o] * np.float64(row[o])
    return total


@kernel(fastmath={"reassoc", "contract"})
def _gain(row, to_nearest, weights):
    total = 0.0
    for o in range(row.size):
        saved = np.float64(to_nearest[o]) - np.float64(row[o])
        total += weights[o] * max(saved, 0.0)
    return total


@kernel
def _deviations(rows, weights, out):
    for b in range(out.size):
        out[b] = _deviation(rows[b], weights)


@kernel
def _gains(rows, to_nearest, weights, out):
    for b in range(out.size):
        out[b] = _gain(rows[b], to_nearest, weights)


@kernel
def _sink(heap, n_heap, position, bounds):
    """Move an entry down to where its bound belongs; of equals lower ids are first."""
    moved = heap[position]
    while True:
        child = 2 * position + 1
        if child >= n_heap:
            break
        if child + 1 < n_heap and _precedes(heap[child + 1], heap[child], bounds):
            child += 1
        if not _precedes(heap[child], moved, bounds):
            break
        heap[position] = heap[child]
        position = child
    heap[position] = moved


@kernel(forceinline=True)
def _precedes(left, right, bounds):
    return bounds[left] > bounds[right] or (
        bounds[left] == bounds[right] and left < right
    )


@kernel
def _heapify(heap, n_heap, bounds):
    for position in range(n_heap // 2 - 1, -1, -1):
        _sink(heap, n_heap, position, bounds)


@kernel
def _refresh(rows, place, bounds, fresh, heap, n_heap, to_nearest, weights):
    """Compute gains from the top of the heap until the top is up to date.

    Ends also when the row of the top is not at hand (``place`` is -1).
    """
    while True:
        top = heap[0]
        if fresh[top] or place[top] < 0:
            return
        bounds[top] = _gain(rows[place[top]], to_nearest, weights)
        fresh[top] = True
        _sink(heap, n_heap, 0, bounds)


def _over_candidates(source, kernel, *arguments):
    """Compute one number for each candidate."""
    values = np.empty(source.n_rows)

    def compute(start, stop):
        kernel(source.rows(start, stop), *arguments, values[start:stop])

    n_threads = threads_for(source.n_bytes)
    map_row_blocks(compute, source.n_rows, source.default_block_rows(), n_threads)
    return values


def best_single(problem):
    """Find the best medoid of all points together.

    Parameters
    ----------
    problem : Problem
        Dissimilarities, weights and constraints.

    Returns
    -------
    medoid : int
        The first of the best candidates.
    deviation : float
        Total deviation from it.
    """
    deviations = _over_candidates(problem.source, _deviations, problem.weights)
    deviations[~problem.allowed] = np.inf
    medoid = int(deviations.argmin())
    return medoid, float(deviations[medoid])


def greedy(problem, n_clusters, chosen=()):
    """Choose medoids one after the other, each lowering the deviation most.

    Parameters
    ----------
    problem : Problem
        Dissimilarities, weights and constraints.
    n_clusters : int
        Medoids to choose.
    chosen : sequence of int, default=()
        Medoids that are given, the first of those returned.

    Returns
    -------
    ndarray of shape (n_clusters,), intp
        In order of choice. When no candidate lowers the deviation any more, the
        lowest unused ones follow.
    """
    source, weights = problem.source, as_kernel_array(problem.weights, np.float64)
    medoids = list(chosen) or [best_single(problem)[0]]
    to_nearest = np.array(source.take(medoids)).min(axis=0)
    waiting = _Waiting(problem, medoids, to_nearest, weights)
    while len(medoids) < n_clusters:
        candidate = waiting.best()
        if candidate is None:
            break
        medoids.append(candidate)
        np.minimum(to_nearest, source.take([candidate])[0], out=to_nearest)
    unused = problem.allowed.copy()
    unused[medoids] = False
    rest = np.flatnonzero(unused)[: n_clusters - len(medoids)]
    return np.concatenate([np.array(medoids, dtype=np.intp), rest])[:n_clusters]


class _Waiting:
    """Candidates in a heap under upper bounds of their gains."""

    def __init__(self, problem, medoids, to_nearest, weights):
        self.source, self.to_nearest, self.weights = problem.source, to_nearest, weights
        self.bounds = _over_candidates(problem.source, _gains, to_nearest, weights)
        self.fresh = np.ones(len(self.bounds), dtype=bool)
        open_ = problem.allowed.copy()
        open_[medoids] = False
        self.heap = np.flatnonzero(open_)
        self.n_heap = len(self.heap)
        _heapify(self.heap, self.n_heap, self.bounds)
        self.place = np.full(len(self.bounds), -1)
        self.rows = whole(problem.source)
        if self.rows is not None:
            self.place[:] = np.arange(len(self.place))

    def best(self):
        """Take the candidate of the largest gain; None if none gains anything."""
        if not self.n_heap:
            return None
        while not self.fresh[self.heap[0]]:
            if self.place[self.heap[0]] < 0:
                self._fetch()
            _refresh(
                self.rows,
                self.place,
                self.bounds,
                self.fresh,
                self.heap,
                self.n_heap,
                self.to_nearest,
                self.weights,
            )
        best = int(self.heap[0])
        if not self.bounds[best] > 0:
            return None
        self.n_heap -= 1
        self.heap[0] = self.heap[self.n_heap]
        _sink(self.heap, self.n_heap, 0, self.bounds)
        self.fresh[:] = False
        return best

    def _fetch(self):
        """Compute the rows of those stale candidates that are nearest to the top."""
        entries = self.heap[: self.n_heap]
        stale = entries[~self.fresh[entries]]
        n_rows = min(_BATCH, len(stale))
        front = stale[np.argpartition(-self.bounds[stale], n_rows - 1)[:n_rows]]
        # The top is among the largest bounds, but so may be others equal to it.
        front[-1:] = front[-1:] if self.heap[0] in front else self.heap[0]
        self.place[:] = -1
        self.place[front] = np.arange(n_rows)
        self.rows = self.source.take(front)
