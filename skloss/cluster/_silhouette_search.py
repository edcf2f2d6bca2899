"""Searches for the medoids with the highest average medoid silhouette (AMS).

L. Lenssen, E. Schubert, "Medoid silhouette clustering with automatic cluster number
selection", Information Systems 120 (2024), arXiv 2309.03751: FastMSC, FasterMSC and
DynMSC. PAMMEDSIL is by M. van der Laan, K. Pollard and J. Bryan, "A new partitioning
around medoids algorithm", J. Statist. Comput. Simul. 73 (2003).

Dissimilarities must not be negative (`check_nonnegative`), and there must be at least
two medoids. Swaps that raise the AMS by less than 1e-14 do not count: sums of rounding
errors come near to that.
"""

from typing import NamedTuple

import numpy as np

from skloss._validation import as_kernel_array
from skloss.cluster._assignment import Assignment, assign_points
from skloss.cluster._search import Pass, Search, blocks_in_order
from skloss.cluster._silhouette_kernels import (
    Nearest3,
    assign_top3,
    best_swap,
    best_swap_afresh,
    put_medoid,
    removal_effects,
    scan,
)

__all__ = [
    "DynamicSearch",
    "check_nonnegative",
    "dynmsc",
    "fastermsc",
    "fastmsc",
    "pammedsil",
]

_LEAST_GAIN = 1e-14  # in units of the AMS


class DynamicSearch(NamedTuple):
    """Outcome of a search over numbers of medoids.

    Parameters
    ----------
    state : Assignment
        The best medoids of all in slot order and the points' assignment to them.
    n_iter, n_swaps : int
        Passes and swaps for all numbers of medoids together.
    curve : ndarray of shape (n_swaps + n_k,)
        AMS before the first swap and after every swap, for each number of medoids
        from the largest to the smallest.
    converged : bool
        Whether the searches for all numbers of medoids ended by themselves.
    k_range : ndarray of shape (n_k,), intp
        Numbers of medoids tried, ascending.
    silhouette_curve : ndarray of shape (n_k,)
        AMS reached with each.
    """

    state: Assignment
    n_iter: int
    n_swaps: int
    curve: np.ndarray
    converged: bool
    k_range: np.ndarray
    silhouette_curve: np.ndarray


class _Swapping:
    """What all searches share: the nearest medoids, the curve, who is excluded."""

    def __init__(self, problem, to_medoids, medoids, fixed=None):
        self.problem = problem
        self.state = _nearest3(problem, to_medoids, medoids, fixed)
        self.excluded = ~problem.allowed
        self.excluded[self.state.medoids] = True
        self.effects, self.changes = np.empty((2, len(medoids)))
        self.total_weight = problem.weights.sum()
        self.threshold = -_LEAST_GAIN * self.total_weight
        self.losses = [removal_effects(self.state, self.effects)]

    @property
    def n_swaps(self):
        return len(self.losses) - 1

    def silhouettes(self):
        """AMS of the initial medoids and after every swap."""
        return 1.0 - np.array(self.losses) / self.total_weight

    def swap(self, candidate, row, slot):
        """Put a candidate into a slot."""
        self.excluded[self.state.medoids[slot]] = False
        self.excluded[candidate] = True
        put_medoid(self.state, candidate, row, slot)
        self.losses.append(removal_effects(self.state, self.effects))

    def stopped(self, n_iter, converged, callback):
        """Report a pass; whether it was the last."""
        silhouette = 1.0 - self.losses[-1] / self.total_weight
        report = Pass(n_iter, silhouette, self.n_swaps, converged, self.state.medoids)
        return (callback is not None and callback(report)) or converged

    def outcome(self, n_iter, converged):
        state = assign_points(self.problem, self.state.medoids)
        return Search(state, n_iter, self.n_swaps, self.silhouettes(), converged)


def _nearest3(problem, to_medoids, medoids, fixed):
    k, n_points = to_medoids.shape
    if k < 2:
        raise ValueError(f"The medoid silhouette needs at least 2 medoids; got {k}.")
    if fixed is None:
        fixed = np.zeros(k, dtype=bool)
    state = Nearest3(
        medoids=np.array(medoids, dtype=np.intp),
        to_medoids=to_medoids,
        slots=np.empty((n_points, 3), dtype=np.intp),
        to_third=np.empty(n_points, dtype=to_medoids.dtype),
        terms=np.empty((n_points, 6)),
        weights=as_kernel_array(problem.weights, np.float64),
        fixed=as_kernel_array(fixed, np.bool_),
    )
    assign_top3(state)
    return state


def _begin(problem, medoids):
    to_medoids = np.array(problem.source.take(medoids))
    return _Swapping(problem, to_medoids, medoids, problem.fixed)


def check_nonnegative(source):
    """Refuse negative dissimilarities, of which no silhouette can be made.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities; all of them are read.

    Raises
    ------
    ValueError
        Naming the first negative dissimilarity.
    """
    for start, _, rows in source.iterate():
        if rows.size and rows.min() < 0:
            b, o = np.argwhere(rows < 0)[0]
            raise ValueError(
                f"The dissimilarity of point {o} to candidate {start + b} is "
                f"{rows[b, o]}; medoid silhouettes need dissimilarities that are "
                "not negative."
            )


def fastermsc(problem, medoids, *, max_iter=300, order=None, callback=None):
    """FasterMSC: do every swap that raises the AMS, as soon as it is found.

    Parameters
    ----------
    problem : Problem
        Dissimilarities, not negative, and what limits the choice.
    medoids : array-like of shape (k,)
        Initial medoids in slot order, k >= 2.
    max_iter : int, default=300
        Largest number of passes.
    order : ndarray, default=None
        Order of the candidates, as `blocks_in_order` takes it.
    callback : callable, default=None
        Called with a `Pass` after each pass, whose objective is the AMS; True stops
        the search.

    Returns
    -------
    Search
        Its curve holds the AMS.

    Raises
    ------
    ValueError
        If there are fewer than 2 medoids.
    """
    search = _begin(problem, medoids)
    return search.outcome(*_eager(search, max_iter, order, callback))


def _eager(search, max_iter, order, callback):
    last, n_iter, converged = -1, 0, False
    for n_iter in range(1, max_iter + 1):
        before, loss = search.n_swaps, search.losses[-1]
        for candidates, rows in blocks_in_order(search.problem.source, order):
            curve = np.empty(len(candidates))
            n_swaps, last, round_ended = scan(
                rows,
                as_kernel_array(candidates, np.intp),
                search.state,
                search.effects,
                search.changes,
                search.excluded,
                search.threshold,
                last,
                curve,
            )
            search.losses += curve[:n_swaps].tolist()
            if round_ended:
                break
        # Rounding could make swaps that do not raise the AMS follow each other for
        # ever.
        converged = round_ended or search.n_swaps == before or search.losses[-1] >= loss
        if search.stopped(n_iter, converged, callback):
            break
    return n_iter, converged


def fastmsc(problem, medoids, *, max_iter=300, order=None, callback=None):
    """FastMSC: do the best swap of all, as PAMMEDSIL does; a pass does one swap.

    Parameters and result are those of `fastermsc`. Of equally good swaps that with the
    first candidate in `order` is done.

    Returns
    -------
    Search
    """

    def find(search, candidates, rows):
        return best_swap(
            rows, candidates, search.state, search.effects, search.excluded
        )

    return _steepest(_begin(problem, medoids), find, max_iter, order, callback)


def pammedsil(problem, medoids, *, max_iter=300, order=None, callback=None):
    """PAMMEDSIL: FastMSC's result, with every pair of medoid and candidate apart.

    A pass costs k^2 times as much. It is here to be compared with. Parameters and
    result are those of `fastermsc`.

    Returns
    -------
    Search
    """

    def find(search, candidates, rows):
        return best_swap_afresh(rows, candidates, search.state, search.excluded)

    return _steepest(_begin(problem, medoids), find, max_iter, order, callback)


def _steepest(search, find, max_iter, order, callback):
    n_iter, converged = 0, False
    source = search.problem.source
    for n_iter in range(1, max_iter + 1):
        candidate, best, best_change = -1, -1, search.threshold
        for candidates, rows in blocks_in_order(source, order):
            candidates = as_kernel_array(candidates, np.intp)
            position, slot, change = find(search, candidates, rows)
            if change < best_change:
                candidate, best, best_change = candidates[position], slot, change
        loss = search.losses[-1]
        if candidate >= 0:
            search.swap(candidate, source.take([candidate])[0], best)
        converged = search.losses[-1] >= loss
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def dynmsc(
    problem, medoids, *, min_clusters=2, max_iter=300, order=None, callback=None
):
    """DynMSC: FasterMSC for every number of medoids from the largest downwards.

    Each search but the first begins with the medoids of the one before, without that
    whose removal leaves the highest AMS.

    Parameters
    ----------
    problem : Problem
        As for `fastermsc`. Fixed medoids are never removed: when no others are left,
        smaller numbers are not tried.
    medoids : array-like of shape (k,)
        Initial medoids of the largest number.
    min_clusters : int, default=2
        Smallest number of medoids, from 2 to k.
    max_iter : int, default=300
        Largest number of passes for each number of medoids.
    order, callback :
        As for `fastermsc`; passes are counted through, and when the callback stops
        the search, smaller numbers of medoids are not tried.

    Returns
    -------
    DynamicSearch
        With the highest AMS of all; of equal ones the fewest medoids.

    Raises
    ------
    ValueError
        If there are fewer than 2 medoids, or `min_clusters` is not between 2 and
        their number.
    """
    search = _begin(problem, medoids)
    k = len(medoids)
    if not 2 <= min_clusters <= k:
        raise ValueError(
            f"min_clusters={min_clusters}: must be from 2 to the number of initial "
            f"medoids, {k}."
        )
    tally = _Tally(callback)
    while True:
        tally.add(search, *_eager(search, max_iter, order, tally.report))
        if k == min_clusters or tally.is_stopped or search.state.fixed.all():
            return tally.outcome(problem)
        search = _without_weakest(search)
        k -= 1


def _without_weakest(search):
    """Begin again without the medoid whose removal costs least."""
    state = search.state
    kept = np.arange(state.medoids.size) != np.argmin(search.effects)
    return _Swapping(
        search.problem,
        state.to_medoids[kept],
        state.medoids[kept],
        state.fixed[kept],
    )


class _Tally:
    """The searches of DynMSC that are done, and the best of them."""

    def __init__(self, callback):
        self._callback = callback
        self.is_stopped = False
        self._n_iter = self._n_swaps = 0
        self._converged = True
        self._curves, self._sizes = [], []
        self._best, self._best_medoids = -np.inf, None

    def report(self, report):
        """Hand a report of one search on as one of the whole."""
        if self._callback is not None:
            whole = report._replace(
                n_iter=self._n_iter + report.n_iter,
                n_swaps=self._n_swaps + report.n_swaps,
                converged=False,  # another search may follow
            )
            self.is_stopped = bool(self._callback(whole))
        return self.is_stopped

    def add(self, search, n_iter, converged):
        self._n_iter += n_iter
        self._n_swaps += search.n_swaps
        self._converged &= converged
        curve = search.silhouettes()
        self._curves.append(curve)
        self._sizes.append(search.state.medoids.size)
        if curve[-1] >= self._best:
            self._best, self._best_medoids = curve[-1], search.state.medoids.copy()

    def outcome(self, problem):
        reached = [curve[-1] for curve in self._curves]
        return DynamicSearch(
            state=assign_points(problem._replace(fixed=None), self._best_medoids),
            n_iter=self._n_iter,
            n_swaps=self._n_swaps,
            curve=np.concatenate(self._curves),
            converged=self._converged,
            k_range=np.array(self._sizes[::-1], dtype=np.intp),
            silhouette_curve=np.array(reached[::-1]),
        )
