"""FasterPAM for metrics, with only those distances that may matter.

By the triangle inequality a candidate far from a cluster's medoid cannot come near
most of the cluster's points; the distances to these are never computed. The swaps are
those of plain FasterPAM, up to ties within rounding.
"""

import numpy as np

from skloss.cluster._pruned_kernels import (
    BATCH,
    STRIP,
    Groups,
    Scratch,
    compact,
    find_touched,
    regroup,
    scan_pruned,
)
from skloss.cluster._search import Swapping

__all__ = ["fasterpam_pruned"]

# Candidates that are scanned at once, for an interrupt to be heard in between.
_SCANNED = 1024


class _PrunedSwapping(Swapping):
    """The state of the search, with the points of each cluster by their reach."""

    def __init__(self, problem, medoids):
        super().__init__(problem, medoids)
        k, n_points = self.state.to_medoids.shape
        self.features = self.source.features
        dtype, n_features = self.source.dtype, len(self.features.values)
        # Room for all clusters twice: closing gaps always makes enough of it.
        n_places = 2 * n_points
        self.groups = Groups(
            begin=np.zeros(k, dtype=np.intp),
            size=np.zeros(k, dtype=np.intp),
            farthest=np.empty(k),
            points=np.empty(n_places, dtype=np.intp),
            reach=np.empty(n_places),
            to_nearest=np.empty(n_places, dtype=dtype),
            to_second=np.empty(n_places, dtype=dtype),
            weights=np.empty(n_places),
            values=np.empty((n_features, n_places), dtype=dtype),
        )
        self.free, self.has_left = 0, np.zeros(n_points, dtype=bool)
        self.scratch_memory = Scratch(
            y=np.empty(n_features, dtype=dtype),
            distances=np.empty(STRIP, dtype=dtype),
            limits=np.empty((BATCH, k)),
            near=np.empty(k, dtype=np.intp),
        )
        self._regroup(np.arange(n_points), np.ones(k, dtype=bool))

    def scan(self, candidates, last):
        """Look for the next swap; what `scan_pruned` returns, without the count."""
        position, slot, round_ended, n_distances = scan_pruned(
            self.features,
            self.groups,
            self.scratch_memory,
            candidates,
            self.state,
            self.losses,
            self.changes,
            self.excluded,
            last,
            self.source.slack,
        )
        self.source.count(n_distances)
        return position, slot, round_ended

    def swap(self, candidate, row, slot):
        state, touched = self.state, self.scratch
        n_touched = find_touched(state, candidate, row, slot, touched)
        touched = touched[:n_touched].copy()
        changed = np.zeros(len(self.losses), dtype=bool)
        changed[state.nearest[touched]] = True
        super().swap(candidate, row, slot)
        changed[state.nearest[touched]] = True
        self._regroup(touched, changed)

    def _regroup(self, touched, changed):
        state, k = self.state, len(changed)
        # Changed clusters keep at most what they have, and get what is touched.
        n_new = self.groups.size[changed].sum() + len(touched)
        if self.free + n_new > len(self.groups.points):
            self.free = compact(self.groups, np.argsort(self.groups.begin))
        clusters = state.nearest[touched]
        reach = np.add(
            state.to_nearest[touched], state.to_second[touched], dtype=np.float64
        )
        order = np.lexsort((-reach, clusters))
        starts = np.searchsorted(clusters[order], np.arange(k + 1))
        self.free = regroup(
            self.groups,
            self.features,
            state,
            touched[order],
            starts,
            changed,
            self.has_left,
            self.free,
        )


def fasterpam_pruned(problem, medoids, *, max_iter=300, order=None, callback=None):
    """Do every swap that lowers the deviation, as soon as it is found.

    Parameters
    ----------
    problem : Problem
        Its source is of class `PrunedCandidates`.
    medoids, max_iter, order, callback
        As in `skloss.cluster._search.fasterpam`.

    Returns
    -------
    Search
    """
    search = _PrunedSwapping(problem, medoids)
    if order is None:
        order = np.arange(problem.source.n_rows)
    order = np.ascontiguousarray(order, dtype=np.intp)
    last = -1
    for n_iter in range(1, max_iter + 1):
        before, total = search.n_swaps, search.total
        last, round_ended = _one_pass(search, order, last)
        # As in plain FasterPAM: rounding could go on for ever.
        converged = round_ended or search.n_swaps == before or search.total >= total
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def _one_pass(search, order, last):
    """Visit all candidates; the one of the last swap, and whether it was met again."""
    position = 0
    while position < len(order):
        candidates = order[position : position + _SCANNED]
        step, slot, round_ended = search.scan(candidates, last)
        position += step
        if round_ended:
            return last, True
        if slot >= 0:
            last = int(order[position])
            search.swap(last, search.source.take([last])[0], slot)
            position += 1
    return last, False
