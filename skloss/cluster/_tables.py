"""Changes of the deviation by all swaps in tables, kept up to date.

The change of the total deviation by putting candidate j into slot i is

    shared_j + r_i + own_ij,   own_ij <= 0,

see `skloss.cluster._swap`. Both tables are sums over points. A swap changes the nearest
or second nearest medoid of few points, about 3 of k: their old terms are taken out of
the tables and their new ones put in, which reads only their own dissimilarities.
"""

import numpy as np

from skloss._jit import kernel
from skloss.cluster._sources import of_points

__all__ = ["DRIFT", "Tables", "can_keep_tables"]

# Of the total deviation: by how much the tables may be off before they are made anew.
DRIFT = 1e-9


@kernel
def _add(rows, place, points, slots, nearest, second, weights, shared, own):
    """Add the terms of points to the tables.

    ``rows[place[p]]`` holds the dissimilarities of ``points[p]`` to the candidates;
    ``slots``, ``nearest`` and ``second`` say by point where it belongs, and how far.
    """
    for p in range(points.size):
        o = points[p]
        row, mine = rows[place[p]], own[slots[o]]
        a, s = np.float64(nearest[o]), np.float64(second[o])
        w = weights[o]
        for j in range(row.size):
            d = np.float64(row[j])
            shared[j] += w * (min(d, a) - a)
            mine[j] += w * (min(max(d, a), s) - s)


@kernel
def _move(
    rows, place, points, slots, nearest, second,
    new_slots, new_nearest, new_second, weights, shared, own,
):  # fmt: skip
    """Replace the terms of points that belong elsewhere now, or at other distances."""
    for p in range(points.size):
        o = points[p]
        row, left, entered = rows[place[p]], own[slots[o]], own[new_slots[o]]
        a, s = np.float64(nearest[o]), np.float64(second[o])
        b, t = np.float64(new_nearest[o]), np.float64(new_second[o])
        w = weights[o]
        if slots[o] == new_slots[o]:
            for j in range(row.size):
                d = np.float64(row[j])
                shared[j] += w * ((min(d, b) - b) - (min(d, a) - a))
                before, after = min(max(d, a), s) - s, min(max(d, b), t) - t
                entered[j] += w * (after - before)
        else:
            for j in range(row.size):
                d = np.float64(row[j])
                shared[j] += w * ((min(d, b) - b) - (min(d, a) - a))
                left[j] -= w * (min(max(d, a), s) - s)
                entered[j] += w * (min(max(d, b), t) - t)


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
def _lowest_of_slots(losses, own, best):
    """Find the lowest change over all slots for each candidate."""
    best[:] = np.inf
    for i in range(losses.size):
        mine, loss = own[i], losses[i]
        for j in range(best.size):
            best[j] = min(best[j], loss + mine[j])


def can_keep_tables(source):
    """Whether the dissimilarities of single points to all candidates can be had.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities.

    Returns
    -------
    bool
        False for asymmetric dissimilarities that are computed by candidates.
    """
    return bool(source.is_symmetric) or hasattr(source, "points")


class Tables:
    """Changes of the total deviation by all swaps.

    Parameters
    ----------
    search : Swapping
        The search whose state the tables follow.
    """

    def __init__(self, search):
        self._search, self._source = search, search.source
        k, n = search.state.medoids.size, self._source.n_rows
        self._own, self._shared = np.empty((k, n)), np.empty(n)
        self._best = np.empty(n)
        self.rebuild()

    def rebuild(self):
        """Make the tables anew from all points."""
        self._own[:], self._shared[:] = 0.0, 0.0
        self._before = self._belonging()
        everyone = np.arange(self._search.state.nearest.size)
        step = self._source.default_block_rows()
        for start in range(0, len(everyone), step):
            points = everyone[start : start + step]
            rows, place = of_points(self._source, points)
            _add(rows, place, points, *self._before, *self._sums())

    def _belonging(self):
        state = self._search.state
        parts = state.nearest, state.to_nearest, state.to_second
        return tuple(part.copy() for part in parts)

    def _sums(self):
        return self._search.state.weights, self._shared, self._own

    def changes(self):
        """Return the change by the best swap with each candidate, infinite if none."""
        _lowest_of_slots(self._search.losses, self._own, self._best)
        changes = self._shared + self._best
        changes[self._search.excluded] = np.inf
        return changes

    def swap(self, candidate, row, slot):
        """Do a swap and follow it.

        Parameters
        ----------
        candidate, slot : int
            The swap.
        row : ndarray of shape (n_points,)
            Dissimilarity of every point to the candidate.
        """
        self._search.swap(candidate, row, slot)
        before, after = self._before, self._belonging()
        changed = np.empty(len(before[0]) + 1, dtype=np.intp)
        changed = changed[: _changed(*before, self._search.state, changed)]
        rows, place = of_points(self._source, changed)
        _move(rows, place, changed, *before, *after, *self._sums())
        self._before = after
