"""Searches for medoids by swaps, over any source of dissimilarities."""

from typing import NamedTuple

import numpy as np

from skloss.cluster._assignment import (
    Assignment,
    assign_points,
    removal_losses,
    replace_medoid,
)
from skloss.cluster._swap import (
    GROUP,
    best_swap,
    best_swap_per_slot,
    scan,
    swap_changes,
)

__all__ = [
    "Pass",
    "Problem",
    "Search",
    "Swapping",
    "blocks_in_order",
    "fasterpam",
    "fastpam1",
    "fastpam2",
]


class Problem(NamedTuple):
    """What a search works on.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities, one row per candidate.
    weights : ndarray of shape (n_points,), float64
        Sample weights.
    own : ndarray of shape (n_points,), intp
        The candidate that each point is itself, -1 for none.
    allowed : ndarray of shape (n_candidates,), bool
        Which candidates may become medoids.
    fixed : ndarray of shape (k,), bool, or None
        Slots whose medoids stay.
    """

    source: object
    weights: np.ndarray
    own: np.ndarray
    allowed: np.ndarray
    fixed: np.ndarray | None = None


class Pass(NamedTuple):
    """Report of one pass over the candidates, for progress."""

    n_iter: int
    objective: float
    n_swaps: int
    converged: bool
    medoids: np.ndarray


class Search(NamedTuple):
    """Outcome of a search.

    Parameters
    ----------
    state : Assignment
        Medoids in slot order and the points' assignment to them.
    n_iter : int
        Passes over the candidates, the last, fruitless one included.
    n_swaps : int
        Swaps done.
    curve : ndarray of shape (n_swaps + 1,)
        Total deviation of the initial medoids and after every swap.
    converged : bool
        Whether the search ended by itself.
    """

    state: Assignment
    n_iter: int
    n_swaps: int
    curve: np.ndarray
    converged: bool


class Swapping:
    """What all searches share: the assignment, the curve, who is excluded."""

    def __init__(self, problem, medoids):
        self.source = problem.source
        self.state = assign_points(problem, medoids)
        k = self.state.medoids.size
        self.excluded = ~problem.allowed
        self.excluded[self.state.medoids] = True
        self.losses, self.changes = np.empty(k), np.empty(k)
        self.group = np.empty((GROUP, k))
        self.scratch = np.empty(self.state.nearest.size, dtype=np.intp)
        self.curve = [removal_losses(self.state, self.losses)]

    @property
    def n_swaps(self):
        return len(self.curve) - 1

    @property
    def total(self):
        """Total deviation of the present medoids."""
        return self.curve[-1]

    def arguments(self, candidates, rows):
        """Arguments that the kernels over blocks of candidates share."""
        return rows, candidates, self.state, self.losses, self.group, self.excluded

    def swap(self, candidate, row, slot):
        """Put a candidate into a slot."""
        self.excluded[self.state.medoids[slot]] = False
        self.excluded[candidate] = True
        replace_medoid(self.state, candidate, row, slot, self.scratch)
        self.curve.append(removal_losses(self.state, self.losses))

    def stopped(self, n_iter, converged, callback):
        """Report a pass; whether it was the last."""
        report = Pass(n_iter, self.total, self.n_swaps, converged, self.state.medoids)
        return (callback is not None and callback(report)) or converged

    def outcome(self, n_iter, converged):
        curve = np.array(self.curve)
        return Search(self.state, n_iter, self.n_swaps, curve, converged)


def blocks_in_order(source, order=None):
    """Go through the candidates of a source once, block by block.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities.
    order : ndarray of shape (n,), intp, default=None
        Candidates to visit, in this order; all in their own order by default.

    Yields
    ------
    candidates : ndarray of shape (n_block,), intp
    rows : ndarray of shape (n_block, n_points)
    """
    if order is None:
        for start, stop, rows in source.iterate():
            yield np.arange(start, stop), rows
        return
    step = source.default_block_rows()
    for start in range(0, len(order), step):
        candidates = order[start : start + step]
        yield candidates, source.take(candidates)


def fasterpam(problem, medoids, *, max_iter=300, order=None, callback=None):
    """FasterPAM: do every swap that lowers the deviation, as soon as it is found.

    Parameters
    ----------
    problem : Problem
    medoids : array-like of shape (k,)
        Initial medoids in slot order, k >= 2.
    max_iter : int, default=300
        Largest number of passes.
    order : ndarray, default=None
        Order of the candidates, as `blocks_in_order` takes it.
    callback : callable, default=None
        Called with a `Pass` after each pass; True stops the search.

    Returns
    -------
    Search
    """
    search = Swapping(problem, medoids)
    last = -1
    for n_iter in range(1, max_iter + 1):
        before, total = search.n_swaps, search.total
        for candidates, rows in blocks_in_order(problem.source, order):
            curve = np.empty(len(candidates))
            arguments = search.arguments(candidates, rows)
            n_swaps, last, round_ended = scan(*arguments, search.scratch, last, curve)
            search.curve += curve[:n_swaps].tolist()
            if round_ended:
                break
        # Rounding could make swaps that do not lower the deviation follow each other
        # for ever.
        converged = round_ended or search.n_swaps == before or search.total >= total
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def fastpam1(problem, medoids, *, max_iter=300, callback=None):
    """FastPAM1: do the best swap of all, as the original PAM does.

    Parameters are those of `fasterpam`; a pass does one swap.

    Returns
    -------
    Search
    """
    search = Swapping(problem, medoids)
    for n_iter in range(1, max_iter + 1):
        candidate, slot, change = _steepest(search)
        total = search.total
        if change < 0:
            search.swap(candidate, problem.source.take([candidate])[0], slot)
        converged = not (change < 0 and search.total < total)
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def _steepest(search):
    """Candidate, slot and change of the best swap; the first of equals wins."""
    best = (-1, -1, np.inf)
    for block in blocks_in_order(search.source):
        best = min(best, best_swap(*search.arguments(*block)), key=lambda swap: swap[2])
    return best


def fastpam2(problem, medoids, *, max_iter=300, callback=None):
    """FastPAM2: find the best swap of every medoid in one pass, and do them all.

    They are done in the order of their gain; each after the first is evaluated again
    and done only if it still lowers the deviation.

    Parameters are those of `fasterpam`.

    Returns
    -------
    Search
    """
    search = Swapping(problem, medoids)
    k = search.state.medoids.size
    for n_iter in range(1, max_iter + 1):
        before, total = search.n_swaps, search.total
        best, of = np.full(k, np.inf), np.full(k, -1)
        for block in blocks_in_order(problem.source):
            best_swap_per_slot(*search.arguments(*block), best, of)
        for slot in np.argsort(best, kind="stable"):
            if best[slot] < 0:
                _swap_if_better(search, of[slot], slot)
        converged = search.n_swaps == before or search.total >= total
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def _swap_if_better(search, candidate, slot):
    if search.excluded[candidate]:  # another slot has taken it
        return
    row = search.source.take([candidate])[0]
    shared = swap_changes(row, search.state, search.losses, search.changes)
    if shared + search.changes[slot] < 0:
        search.swap(candidate, row, slot)
