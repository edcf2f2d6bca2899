"""Alternating assignment and choice of medoids, as k-means does."""

import numpy as np

from skloss._jit import kernel
from skloss.cluster._assignment import assign_points, total_deviation
from skloss.cluster._search import Pass, Search, blocks_in_order

__all__ = ["alternate"]


@kernel
def _costs_within(rows, candidates, clusters, state, out):
    """Sum, for each candidate, the dissimilarities of its cluster's points to it."""
    for b in range(candidates.size):
        j = candidates[b]
        row, total = rows[b], 0.0
        for o in range(row.size):
            if state.nearest[o] == clusters[j]:
                total += state.weights[o] * np.float64(row[o])
        out[j] = total


def alternate(problem, medoids, *, max_iter=300, callback=None):
    """Assign the points, take the medoid of each cluster, repeat until none changes.

    Much weaker than swaps: a medoid never leaves its cluster. A medoid is replaced
    only by a strictly better one, the first of equals, so that no cycle can occur.

    Parameters
    ----------
    problem : Problem
    medoids : array-like of shape (k,)
        Initial medoids in slot order.
    max_iter : int, default=300
        Largest number of assignments.
    callback : callable, default=None
        Called with a `Pass` after each; True stops.

    Returns
    -------
    Search
        Its curve has the total deviation after each assignment.
    """
    state = assign_points(problem, medoids)
    curve, n_swaps = [total_deviation(state)], 0
    for n_iter in range(1, max_iter + 1):
        better = _medoids_of_clusters(problem, state)
        changed = int(np.count_nonzero(better != state.medoids))
        if changed:
            state = assign_points(problem, better)
            n_swaps += changed
            curve.append(total_deviation(state))
        converged = not changed or curve[-1] >= curve[-2]
        report = Pass(n_iter, curve[-1], n_swaps, converged, state.medoids)
        if (callback is not None and callback(report)) or converged:
            break
    return Search(state, n_iter, n_swaps, np.array(curve), converged)


def _medoids_of_clusters(problem, state):
    """Find the medoid of each cluster among its own points."""
    clusters = np.full(problem.source.n_rows, -1)
    points = np.flatnonzero(problem.own >= 0)
    clusters[problem.own[points]] = state.nearest[points]
    costs = np.empty(len(clusters))
    for candidates, rows in blocks_in_order(problem.source):
        _costs_within(rows, candidates, clusters, state, costs)
    costs[~problem.allowed] = np.inf
    medoids = state.medoids.copy()
    for slot, medoid in enumerate(state.medoids):
        members = np.flatnonzero(clusters == slot)
        if not state.fixed[slot] and len(members):
            best = members[costs[members].argmin()]
            # A medoid among the candidates without a cost of its own is kept.
            if costs[best] < costs[medoid]:
                medoids[slot] = best
    return medoids
