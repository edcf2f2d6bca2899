"""Local search for the best subsets of all sizes up to one.

A support is a local optimum if no exchange of one of its columns lowers the loss. Its
neighbours of other sizes start searches, and so do random supports and those of
others; the best of each size is kept.
"""

import numpy as np

from skloss.sparse._subset_item_kernels import improve_items
from skloss.sparse._subset_kernels import improve

__all__ = ["ItemSearch", "SubsetSearch", "search_path"]

_FEW_COLUMNS = 500  # up to here the whole Gram matrix is computed and starts are many
_STARTS = 50
_SWEEPS = 10


class SubsetSearch:
    """Best supports found so far.

    Parameters
    ----------
    design : SubsetDesign
        Data.
    most : int
        Largest size.

    Attributes
    ----------
    supports : list of ndarray
        Of sizes 0 to `most`, or what is left of dependent columns.
    losses : ndarray of shape (most + 1,)
    """

    def __init__(self, design, most):
        self.design, self.most = design, most
        self.supports = [np.zeros(0, dtype=np.intp)] * (most + 1)
        self.losses = np.ones(most + 1)
        self.losses[1:] = np.inf
        self._tried = set()

    def offer(self, support, target):
        """Improve a support of any size at a size; return whether it is the best."""
        start = (support.tobytes(), target)
        if start in self._tried:
            return False
        self._tried.add(start)
        support, loss = self.improved(support, target)
        if loss >= self.losses[target] - 1e-12:
            return False
        self.losses[target], self.supports[target] = loss, support
        return True

    def improved(self, support, target):
        """Local optimum near a support, and its loss."""
        size = len(support)
        work = np.zeros(max(size, target), dtype=np.intp)
        work[:size] = support
        while True:
            self.design.require(self.columns(work[:size]))
            size, loss, missing = self._improve(work, size, target)
            if missing < 0:
                found = work[:size].copy()
                found.sort()
                return found, loss

    def columns(self, support):
        """Return the columns of what a support holds."""
        return support

    def candidates(self):
        """Return what may be drawn at random."""
        return np.flatnonzero(self.design.usable)

    def polished(self, support):
        """Put the first of equal columns in the place of the others."""
        self.design.require(support)
        return self.design.lowest_equals(support)

    def _improve(self, work, size, target):
        design = self.design
        return improve(
            design.cache,
            design.slot,
            design.q,
            design.blocked,
            design.diagonal,
            work,
            size,
            target,
            100 * (target + 1),
        )

    def sweep(self):
        """Grow and shrink supports until no size improves."""
        for _ in range(_SWEEPS):
            better = False
            for k in range(1, self.most + 1):
                better |= self.offer(self.supports[k - 1], k)
            for k in range(self.most - 1, 0, -1):
                better |= self.offer(self.supports[k + 1], k)
            if not better:
                return

    def offer_pursuit(self):
        """Offer what orthogonal matching pursuit finds, where it is the better."""
        design, chosen = self.design, np.zeros(0, dtype=np.intp)
        g, better = design.q, False
        for k in range(1, self.most + 1):
            score = np.abs(g) * design.usable
            score[chosen] = 0.0
            j = int(score.argmax())
            if score[j] <= 1e-10:
                break
            chosen = np.append(chosen, j)
            design.require(chosen)
            rows = design.cache[design.slot[chosen]]
            gram = rows[:, chosen] + design.l2 * np.eye(len(chosen))
            try:
                w = np.linalg.solve(gram, design.q[chosen])
            except np.linalg.LinAlgError:
                break
            g = design.q - w @ rows
            if k == self.most or 1.0 - w @ design.q[chosen] < self.losses[k]:
                better |= self.offer(chosen, k)
        return better


class ItemSearch(SubsetSearch):
    """The same for groups of columns, or coefficients that must not be negative.

    Parameters
    ----------
    design : SubsetDesign
        Data.
    most : int
        Largest number of groups.
    layout : Layout
        Which columns are in which group.
    """

    def __init__(self, design, most, layout):
        super().__init__(design, most)
        self.layout = layout

    def columns(self, support):
        return self.layout.columns(support)

    def candidates(self):
        return np.flatnonzero(np.diff(self.layout.starts))

    def polished(self, support):
        return support

    def offer_pursuit(self):
        return False

    def _improve(self, work, size, target):
        design = self.design
        return improve_items(
            design.cache,
            design.slot,
            design.q,
            design.diagonal,
            tuple(self.layout),
            work,
            size,
            target,
            design.positive,
            100 * (target + 1),
        )


def searched(search, *, n_starts="auto", random=None, starts=()):
    """Search the best supports of all sizes.

    Parameters
    ----------
    search : SubsetSearch
        Empty.
    n_starts : int or "auto", default="auto"
        Random starts; "auto" means many where they cost little.
    random : RandomState, default=None
        Draws them.
    starts : iterable of ndarray of intp, default=()
        Other supports to start from.

    Returns
    -------
    list of ndarray of intp
        Supports of sizes 1 to `most`.
    """
    design, most = search.design, search.most
    if design.is_constant:
        return search.supports[:1] * most
    few = design.n_columns <= _FEW_COLUMNS
    if n_starts == "auto":
        n_starts = _STARTS if few else 0
    if n_starts and few:
        design.require_all()
    search.sweep()
    better = search.offer_pursuit()
    candidates = search.candidates()
    for start in starts:
        start = np.intersect1d(np.asarray(start, dtype=np.intp), candidates)
        better |= search.offer(start, most)
    for _ in range(n_starts if len(candidates) > most else 0):
        better |= search.offer(random.choice(candidates, most, replace=False), most)
    if better:
        search.sweep()
    return [search.polished(support) for support in search.supports[1:]]


def search_path(design, most, *, layout=None, **options):
    """Search the best supports of all sizes up to one.

    Parameters
    ----------
    design : SubsetDesign
        Data.
    most : int
        Largest size.
    layout : Layout, default=None
        Groups; needed where coefficients must not be negative.
    **options
        See `searched`.

    Returns
    -------
    list of ndarray of intp
        Supports of sizes 1 to `most`: columns, or groups with a layout.
    """
    if layout is None:
        return searched(SubsetSearch(design, most), **options)
    return searched(ItemSearch(design, most, layout), **options)
