"""PAM's steepest descent at the cost of the points that a swap concerns.

The change of the total deviation by putting candidate j into slot i is

    shared_j + r_i + own_ij,   own_ij <= 0,

see `skloss.cluster._swap`. Both tables are sums over points. A swap changes the nearest
or second nearest medoid of few points, about 3 of k: their old terms are taken out of
the tables and their new ones put in, which reads only their own dissimilarities.
"""

import numpy as np

from skloss._jit import kernel
from skloss.cluster._search import Swapping, fastpam1
from skloss.cluster._sources import of_points
from skloss.cluster._swap import swap_change

__all__ = ["pam"]

# Of the total deviation: by how much the tables may be off before they are made anew.
_DRIFT = 1e-9


@kernel
def _push(rows, place, points, slots, nearest, second, weights, sign, shared, own):
    """Add the terms of points to the tables, or with sign -1 take them out.

    ``rows[place[p]]`` holds the dissimilarities of ``points[p]`` to the candidates;
    ``slots``, ``nearest`` and ``second`` say by point where it belongs, and how far.
    """
    for p in range(points.size):
        o = points[p]
        row, mine = rows[place[p]], own[slots[o]]
        a, s = np.float64(nearest[o]), np.float64(second[o])
        w = sign * weights[o]
        for j in range(row.size):
            d = np.float64(row[j])
            shared[j] += w * (min(d, a) - a)
            mine[j] += w * (min(max(d, a), s) - s)


@kernel
def _changed(before_slots, before_nearest, before_second, state, out):
    """List the points whose nearest medoid or two smallest dissimilarities changed."""
    n_changed = 0
    for o in range(before_slots.size):
        out[n_changed] = o
        n_changed += (
            (before_slots[o] != state.nearest[o])
            | (before_nearest[o] != state.to_nearest[o])
            | (before_second[o] != state.to_second[o])
        )
    return n_changed


@kernel
def _lowest_slots(losses, own, best, slots):
    """Find the best slot of each candidate, the lowest of equals."""
    best[:], slots[:] = np.inf, -1
    for i in range(losses.size):
        mine, loss = own[i], losses[i]
        for j in range(best.size):
            better = loss + mine[j] < best[j]
            best[j] = loss + mine[j] if better else best[j]
            slots[j] = i if better else slots[j]


class _Tables:
    """Changes of the total deviation by all swaps, kept up to date."""

    def __init__(self, search):
        self.search, self.source = search, search.source
        k, n = search.state.medoids.size, self.source.n_rows
        self.own, self.shared = np.empty((k, n)), np.empty(n)
        self.best, self.slots = np.empty(n), np.empty(n, dtype=np.intp)
        self.rebuild()

    def rebuild(self):
        """Make the tables anew from all points."""
        self.own[:], self.shared[:] = 0.0, 0.0
        state = self.search.state
        everyone = np.arange(state.nearest.size)
        step = self.source.default_block_rows()
        for start in range(0, len(everyone), step):
            self._push(everyone[start : start + step], self._belonging(), 1.0)
        self.before = self._belonging(copy=True)

    def update(self):
        """Bring the tables up to date after a swap."""
        changed = np.empty(self.search.scratch.size + 1, dtype=np.intp)
        changed = changed[: _changed(*self.before, self.search.state, changed)]
        self._push(changed, self.before, -1.0)
        self._push(changed, self._belonging(), 1.0)
        self.before = self._belonging(copy=True)

    def lowest(self):
        """Candidate, slot and change of the best swap; the first of equals."""
        _lowest_slots(self.search.losses, self.own, self.best, self.slots)
        changes = self.shared + self.best
        changes[self.search.excluded] = np.inf
        candidate = int(changes.argmin())
        return candidate, int(self.slots[candidate]), changes[candidate]

    def _belonging(self, copy=False):
        state = self.search.state
        parts = state.nearest, state.to_nearest, state.to_second
        return tuple(part.copy() for part in parts) if copy else parts

    def _push(self, points, belonging, sign):
        rows, place = of_points(self.source, points)
        weights = self.search.state.weights
        _push(rows, place, points, *belonging, weights, sign, self.shared, self.own)


def pam(problem, medoids, *, max_iter=300, callback=None):
    """PAM: do the best swap of all until none lowers the deviation.

    Parameters are those of `skloss.cluster._search.fasterpam`; a pass does one swap.
    The outcome is that of `fastpam1`, up to swaps that are equal within rounding.

    Returns
    -------
    Search
    """
    source = problem.source
    if not source.is_symmetric and not hasattr(source, "points"):
        # Only rows of candidates can be computed, not those of points.
        return fastpam1(problem, medoids, max_iter=max_iter, callback=callback)
    search = Swapping(problem, medoids)
    tables = _Tables(search)
    for n_iter in range(1, max_iter + 1):
        converged = not _descend(search, tables)
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def _descend(search, tables):
    """Do the best swap; whether it lowered the deviation."""
    candidate, slot, change, row = _verified(search, tables)
    if not change < 0:
        return False
    total = search.total
    search.swap(candidate, row, slot)
    tables.update()
    return search.total < total


def _verified(search, tables):
    """Compute the tables' best swap directly; make the tables anew if they drifted."""
    for attempt in range(2):
        candidate, _, estimate = tables.lowest()
        row = search.source.take([candidate])[0]
        slot, change = swap_change(row, search.state, search.losses, search.changes)
        if attempt or abs(change - estimate) <= _DRIFT * abs(search.total):
            break
        tables.rebuild()
    return candidate, slot, change, row
