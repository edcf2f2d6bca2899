"""PAM's steepest descent at the cost of the points that a swap concerns."""

from skloss.cluster._search import Swapping, fastpam1
from skloss.cluster._swap import swap_change
from skloss.cluster._tables import DRIFT, Tables, can_keep_tables

__all__ = ["pam"]


def pam(problem, medoids, *, max_iter=300, callback=None):
    """PAM: do the best swap of all until none lowers the deviation.

    Parameters are those of `skloss.cluster._search.fasterpam`; a pass does one swap.
    The outcome is that of `fastpam1`, up to swaps that are equal within rounding.

    Returns
    -------
    Search
    """
    if not can_keep_tables(problem.source):
        return fastpam1(problem, medoids, max_iter=max_iter, callback=callback)
    search = Swapping(problem, medoids)
    tables = Tables(search)
    for n_iter in range(1, max_iter + 1):
        converged = not _descend(search, tables)
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def _descend(search, tables):
    """Do the best swap; whether it lowered the deviation."""
    for attempt in range(2):
        changes = tables.changes()
        candidate = int(changes.argmin())
        row = search.source.take([candidate])[0]
        slot, change = swap_change(row, search.state, search.losses, search.changes)
        if attempt or abs(change - changes[candidate]) <= DRIFT * abs(search.total):
            break
        tables.rebuild()
    if not change < 0:
        return False
    total = search.total
    tables.swap(candidate, row, slot)
    return search.total < total
