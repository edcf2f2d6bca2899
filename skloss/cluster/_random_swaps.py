"""Randomised search for medoids: swaps with candidates in random order.

R. Ng, J. Han, "CLARANS: a method for clustering objects for spatial data mining", IEEE
Transactions on Knowledge and Data Engineering 14(5), 2002; all slots at once as in
E. Schubert, P. J. Rousseeuw, "Fast and eager k-medoids clustering", Information Systems
101, 2021.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skloss._jit import kernel
from skloss._validation import as_kernel_array
from skloss.cluster._assignment import (
    Assignment,
    assign_points,
    removal_losses,
    replace_medoid,
)
from skloss.cluster._build import best_single
from skloss.cluster._search import Swapping
from skloss.cluster._sources import whole
from skloss.cluster._swap import swap_change

__all__ = ["Restart", "distinct_rows", "limit_of", "random_swaps"]

# A swap must lower the deviation by more than this share of it: less is rounding.
_TOLERANCE = 1e-12
_U = np.uint64
_GOLDEN = _U(0x9E3779B97F4A7C15)


@kernel(fastmath={"reassoc", "contract"})
def _change_of_slot(row, state, slot):
    """Compute what putting a candidate into one slot changes."""
    change = 0.0
    for o in range(row.size):
        d, a = np.float64(row[o]), np.float64(state.to_nearest[o])
        bound = a
        if state.nearest[o] == slot:
            bound = np.float64(state.to_second[o])
        change += state.weights[o] * (min(d, bound) - a)
    return change


@kernel
def _try_candidates(
    rows, places, candidates, slots, state, losses, changes, excluded, scratch,
    total, n_failures, limit, curve,
):  # fmt: skip
    """Go through candidates in order, and swap whenever that lowers the deviation.

    Parameters
    ----------
    rows : ndarray of shape (n_rows, n_points)
        Dissimilarities of all points to candidates.
    places : ndarray of shape (n_candidates,), intp
        Row of each candidate.
    candidates : ndarray of shape (n_candidates,), intp
        The candidates.
    slots : ndarray of shape (n_candidates,), intp
        The only slot that each is tried in; -1 for the best of all.
    state, losses, changes, excluded, scratch : as in `skloss.cluster._swap.scan`
        All but the scratch are kept up to date.
    total : float
        Total deviation.
    n_failures : int
        Candidates in vain since the last swap.
    limit : int
        Number of them to stop at.
    curve : ndarray of shape (n_candidates,), float64
        Receives the deviation after each swap.

    Returns
    -------
    n_tried, n_swaps, n_failures : int
        Candidates looked at and swapped in, and those in vain since the last swap.
    """
    n_tried = n_swaps = 0
    for b in range(candidates.size):
        candidate = candidates[b]
        if excluded[candidate]:
            continue
        n_tried += 1
        row, slot = rows[places[b]], slots[b]
        if slot < 0:
            slot, change = swap_change(row, state, losses, changes)
        else:
            change = _change_of_slot(row, state, slot)
        if change < -_TOLERANCE * abs(total):
            excluded[state.medoids[slot]] = False
            excluded[candidate] = True
            replace_medoid(state, candidate, row, slot, scratch)
            total = removal_losses(state, losses)
            curve[n_swaps] = total
            n_swaps += 1
            n_failures = 0
        else:
            n_failures += 1
            if n_failures >= limit:
                break
    return n_tried, n_swaps, n_failures


def distinct_rows(X, allowed, n_clusters):
    """Return one sample for each distinct row, in an order that the rows decide.

    What is drawn from these does not depend on how often a row is repeated, nor on the
    order of the rows. They are told apart by 64-bit keys: equal keys of different rows
    are as unlikely as 1e-9 among 200,000 rows, and cost no more than a candidate.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_samples, n_features)
        Data.
    allowed : ndarray of shape (n_samples,), bool
        Which samples count.
    n_clusters : int
        Smallest number of samples to return, if need be by repeated rows.

    Returns
    -------
    ndarray of shape (n_distinct,), intp
        The first sample with each row.
    """
    samples = np.flatnonzero(allowed)
    _, first = np.unique(_row_keys(X)[samples], return_index=True)
    distinct = samples[first]
    if len(distinct) < n_clusters:
        others = np.setdiff1d(samples, distinct)
        distinct = np.append(distinct, others[: n_clusters - len(distinct)])
    return distinct


def _row_keys(X):
    """Sum up a 64-bit key for each entry of a row; zeros have none."""
    if sparse.issparse(X):
        sums = np.append(_U(0), np.cumsum(_entry_keys(X.data, X.indices)))
        return sums[X.indptr[1:]] - sums[X.indptr[:-1]]
    keys = np.zeros(len(X), dtype=_U)
    for j in range(X.shape[1]):
        keys += _entry_keys(X[:, j], j)
    return keys


def _entry_keys(values, columns):
    """Scramble values and the columns they stand in.

    By the finaliser of SplitMix64: G. L. Steele, D. Lea, C. H. Flood, "Fast splittable
    pseudorandom number generators", OOPSLA 2014.
    """
    values = np.ascontiguousarray(values, dtype=np.float64)
    # Arrays, unlike scalars, overflow without a warning.
    places = np.atleast_1d(columns).astype(_U) + _U(1)
    z = values.view(_U) + _GOLDEN * places
    z = (z ^ (z >> _U(30))) * _U(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> _U(27))) * _U(0x94D049BB133111EB)
    return np.where(values != 0, z ^ (z >> _U(31)), _U(0))


class Restart(NamedTuple):
    """Outcome of a search from one random start.

    Parameters
    ----------
    state : Assignment
        Medoids in slot order and the points' assignment to them.
    initial : ndarray of shape (k,), intp
        Medoids to begin with.
    curve : ndarray of shape (n_swaps + 1,)
        Total deviation to begin with and after every swap.
    n_iter : int
        Permutations of the candidates that were begun.
    n_tried : int
        Swaps that were evaluated, or candidates if for all slots at once.
    n_distances : int
        Dissimilarities that were computed, or read if stored.
    """

    state: Assignment
    initial: np.ndarray
    curve: np.ndarray
    n_iter: int
    n_tried: int
    n_distances: int


def limit_of(max_neighbors, n_candidates, n_clusters, fast):
    """Return after how many failures to stop.

    Parameters
    ----------
    max_neighbors : int, inf or "auto"
        What the user asked for.
    n_candidates, n_clusters : int
        Samples that may be medoids, and those that are.
    fast : bool
        Whether a candidate is evaluated for all slots at once.

    Returns
    -------
    int
        The largest integer if only a local optimum ends the search.
    """
    n_others = n_candidates - n_clusters
    n_neighbors = n_others if fast else n_clusters * n_others
    if max_neighbors == "auto":
        max_neighbors = (
            max(1, int(0.025 * n_others))
            if fast
            else max(250, int(0.0125 * n_neighbors))
        )
    if max_neighbors >= n_neighbors:
        return np.iinfo(np.intp).max
    return int(max_neighbors)


def random_swaps(problem, candidates, n_clusters, limit, fast, seed):
    """Search from random medoids.

    Candidates come in random order, each once before any comes again; with one slot at
    a time, the slots of a candidate come in cyclic order from a random one. So, when
    every permutation that tries all swaps was in vain, none lowers the deviation. A
    single medoid needs no search: the best is found by looking at all candidates.

    Parameters
    ----------
    problem : Problem
        Dissimilarities, weights and constraints.
    candidates : ndarray of shape (n_candidates,), intp
        Samples to draw from, at least `n_clusters`.
    n_clusters : int
        Number of medoids.
    limit : int
        Failures in a row to stop after.
    fast : bool
        Whether to evaluate a candidate for all slots at once.
    seed : int
        Seed of the random numbers, below 2**32.

    Returns
    -------
    Restart
    """
    if n_clusters == 1:
        return _best_of_all(problem)
    random = np.random.RandomState(seed)
    initial = random.choice(candidates, n_clusters, replace=False)
    search = _RandomSearch(problem, initial, limit)
    first_slots = None
    if not fast:
        first_slots = random.randint(n_clusters, size=len(candidates))
    # Permutations that try every swap.
    n_complete = 1 if first_slots is None else n_clusters
    n_iter = n_in_vain = 0
    while n_in_vain < n_complete and search.n_failures < limit:
        total = search.swapping.total
        order = random.permutation(len(candidates))
        slots = np.full(len(order), -1)
        if first_slots is not None:
            slots = (first_slots[order] + n_iter) % n_clusters
        search.run(
            as_kernel_array(candidates[order], np.intp), as_kernel_array(slots, np.intp)
        )
        n_iter += 1
        # Rounding could make swaps that do not lower the deviation follow each other
        # for ever.
        n_in_vain = 0 if search.swapping.total < total else n_in_vain + 1
    return search.outcome(initial, n_iter)


def _best_of_all(problem):
    medoid, deviation = best_single(problem)
    state = assign_points(problem, [medoid])
    return Restart(
        state=state,
        initial=state.medoids.copy(),
        curve=np.array([deviation]),
        n_iter=1,
        n_tried=int(np.count_nonzero(problem.allowed)),
        n_distances=problem.source.n_rows * problem.source.n_columns,
    )


class _RandomSearch:
    """State of a search from one start."""

    def __init__(self, problem, initial, limit):
        self.swapping = Swapping(problem, initial)
        self.n_failures, self._limit = 0, limit
        self._n_tried, self._n_rows = 0, len(initial)
        self._whole = whole(problem.source)

    def run(self, order, slots):
        """Try candidates in order, until too many are in vain."""
        source = self.swapping.source
        if self._whole is not None:
            n_before = self._n_tried
            self._try(self._whole, order, order, slots)
            self._n_rows += self._n_tried - n_before
            return
        start = 0
        while start < len(order) and self.n_failures < self._limit:
            # No more rows than will be looked at if all are in vain.
            size = min(source.default_block_rows(), self._limit - self.n_failures)
            block = slice(start, start + size)
            rows = source.take(order[block])
            places = as_kernel_array(np.arange(len(rows)), np.intp)
            self._n_rows += len(rows)
            self._try(rows, places, order[block], slots[block])
            start += size

    def _try(self, rows, places, candidates, slots):
        search = self.swapping
        curve = np.empty(len(candidates))
        n_tried, n_swaps, self.n_failures = _try_candidates(
            rows, places, candidates, slots, search.state, search.losses,
            search.changes, search.excluded, search.scratch, float(search.total),
            self.n_failures, self._limit, curve,
        )  # fmt: skip
        search.curve += curve[:n_swaps].tolist()
        self._n_tried += n_tried

    def outcome(self, initial, n_iter):
        state, curve = self.swapping.state, np.array(self.swapping.curve)
        n_distances = self._n_rows * len(state.nearest)
        return Restart(state, initial, curve, n_iter, self._n_tried, n_distances)
