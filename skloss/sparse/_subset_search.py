"""Local search for the best subsets of all sizes up to one.

A support is a local optimum if no exchange of one of its columns lowers the loss. Its
neighbours of other sizes start searches, and so do random supports and those of
others; the best of each size is kept.
"""

import itertools

import numpy as np
from sklearn.utils import check_random_state

from skloss.sparse._subset_item_kernels import improve_items
from skloss.sparse._subset_kernels import GROWS, SWAPS, SWEEPS, Best, improve
from skloss.sparse._subset_pairs import better_pairs
from skloss.sparse._subset_support import Support

__all__ = ["ItemSearch", "SubsetSearch", "search_path"]

_FEW_COLUMNS = 500  # up to here the whole Gram matrix is computed and starts are many
_STARTS, _STARTS_OF_EACH = 50, 15  # of the largest size, or of all sizes
_LEFT_OUT = 3  # columns that leave at a time when a local optimum is to be left
_TURNS = 4  # detours to ever larger subsets, each by half of the size
_GOLDEN = 0.5 * (5**0.5 - 1.0)
_PERFECT = 1e-12  # a loss that is as good as none
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
    best : Best
        Supports of sizes 0 to `most`, or what is left of dependent columns.
    """

    def __init__(self, design, most):
        self.design, self.most = design, most
        self.best = Best.empty(most)
        self._tried, self._n_left_out = set(), 0
        self._held = Support.empty(2 * most + 1, design.q, design.diagonal)

    @property
    def supports(self):
        """Supports of sizes 1 to `most`."""
        return [self.best.support(k) for k in range(1, self.most + 1)]

    @property
    def loss(self):
        """Loss of the largest subset."""
        return self.best.losses[-1]

    def offer(self, support, target):
        """Improve a support of any size at a size; return whether it is the best."""
        start = (support.tobytes(), target)
        if start in self._tried:
            return False
        self._tried.add(start)
        support, loss = self.improved(support, target)
        if not self.best.is_better(loss, target):
            return False
        self.best.keep(support, loss, target)
        return True

    def improved(self, support, target):
        """Local optimum near a support, sorted, and its loss."""
        found, loss = self._settled(support, target)
        found.sort()
        return found, loss

    def _settled(self, support, target, mode=SWAPS):
        size = len(support)
        room = max(size, target)
        if room > len(self.best.work):
            work = np.zeros(room, dtype=np.intp)
            self.best = self.best._replace(work=work)
        if room > len(self._held.columns):
            self._held = Support.empty(room, self.design.q, self.design.diagonal)
        self.best.work[:size] = support
        loss = self._run(size, target, mode)
        return self.best.work[: self.best.state[0]].copy(), loss

    def _run(self, size, target, mode):
        """Let the kernel work; return the loss of the last support."""
        best, design = self.best, self.design
        best.state[:] = size, target, mode, 0, 0
        while True:
            data = design.grams, design.q, design.blocked, design.diagonal
            loss, ended = improve(*data, self._held, best)
            if ended:
                return loss
            design.require(best.work[: best.state[0]])

    def columns(self, support):
        """Return the columns of what a support holds."""
        return support

    def items(self, columns):
        """Return what supports hold of some columns, in their order."""
        return columns

    def candidates(self):
        """Return what may be drawn at random."""
        return np.flatnonzero(self.design.usable)

    def polished(self):
        """Supports with the first of equal columns in the place of the others."""
        found, design = self.supports, self.design
        if not design.have_equals(np.unique(np.concatenate(found))):
            return found
        return [design.lowest_equals(support) for support in found]

    def sweep(self):
        """Grow and shrink supports until no size improves."""
        for _ in range(_SWEEPS):
            if not self._sweep_once():
                return

    def _sweep_once(self):
        self._run(0, 0, SWEEPS)
        return bool(self.best.state[4])

    def escapes(self, patience, k):
        """Leave the best subset of a size on detours to where no exchange leads.

        Detours go by turns to a larger subset, which then shrinks, and to one without
        some of the columns.

        Parameters
        ----------
        patience : int
            Detours in a row that may fail; once more as many after each success, for
            where there is one, there are others.
        k : int
            The size.

        Yields
        ------
        bool
            Whether the subset was improved.
        """
        failed, allowed = 0, patience
        while failed < allowed and self.best.losses[k] > _PERFECT:
            turn, odd = divmod(failed, 2)
            grows = turn < _TURNS and not odd
            found = self._grown(turn + 1, k) if grows else self._left_out(k)
            better = self.offer(found, k)
            failed = 0 if better else failed + 1
            allowed += patience if better else 0
            yield better

    def _grown(self, turn, k):
        """Local optimum with more columns than the best subset: pairs come in."""
        more = turn * ((k + 1) // 2)
        size = min(k + more, len(self.candidates()), self.design.n_rows - 1)
        return self.improved(self.best.support(k), size)[0]

    def _left_out(self, k):
        """Local optimum from the best subset without some of its columns.

        They are kept out until the others have settled.
        """
        left_out, kept = _split(self.best.support(k), self._n_left_out)
        self._n_left_out += 1
        self.design.blocked[left_out] = np.inf
        found = self.improved(kept, k)[0]
        self.design.blocked[left_out] = 0.0
        return found

    def exchange_pairs(self):
        """Exchange two columns of the largest subset at a time until none helps.

        Yields
        ------
        bool
            Whether the subset was improved.
        """
        better = True
        while better:
            better = False
            best = self.best.support(self.most)
            for support in better_pairs(self.design, best, self.loss):
                if self.offer(support, self.most):
                    better = True
                    break
            yield better

    def offer_order(self, columns, sizes):
        """Offer the first of some columns, most important first, at some sizes."""
        items, better = self.items(columns), False
        for k in sizes:
            better |= self.offer(np.sort(items[: 2 * k]), k)
            better |= self.offer(np.sort(items[:k]), k)
        return better

    def pursued(self):
        """Columns as orthogonal matching pursuit adds them."""
        start = np.zeros(0, dtype=np.intp)
        return self._settled(start, self.most, GROWS)[0]

    def offer_pursuit(self):
        """Offer what orthogonal matching pursuit finds, where it is the better."""
        order, better = self.pursued(), False
        for k, loss in enumerate(self.design.losses(order), 1):
            if k == self.most or loss < self.best.losses[k]:
                better |= self.offer(np.sort(order[:k]), k)
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

    def items(self, columns):
        owner = np.empty(self.design.n_columns, dtype=np.intp)
        counts = np.diff(self.layout.starts)
        owner[self.layout.members] = np.repeat(np.arange(len(counts)), counts)
        groups = owner[columns]
        return groups[np.sort(np.unique(groups, return_index=True)[1])]

    def candidates(self):
        return np.flatnonzero(np.diff(self.layout.starts))

    def polished(self):
        return self.supports

    def offer_pursuit(self):
        return False

    def _left_out(self, k):
        kept = _split(self.best.support(k), self._n_left_out)[1]
        self._n_left_out += 1
        return self.improved(kept, len(kept))[0]

    def exchange_pairs(self):
        return iter(())

    def _sweep_once(self):
        best, better = self.best, False
        for k in range(1, self.most + 1):
            better |= self.offer(best.support(k - 1), k)
        for k in range(self.most - 1, 0, -1):
            better |= self.offer(best.support(k + 1), k)
        return better

    def _settled(self, support, target):
        size, design = len(support), self.design
        work = np.zeros(max(size, target), dtype=np.intp)
        work[:size] = support
        while True:
            design.require(self.columns(work[:size]))
            size, loss, missing = improve_items(
                design.grams.rows,
                design.grams.slot,
                design.q,
                design.diagonal,
                tuple(self.layout),
                work,
                size,
                target,
                design.positive,
                100 * (target + 1),
            )
            if missing < 0:
                return work[:size].copy(), loss


def _go_on(search):
    return False


def _split(support, attempt):
    """Columns that an attempt leaves out, another few each time, and the others.

    Multiples of the golden ratio are spread evenly over the unit interval, so that
    all columns get their turn, in ever new company.
    """
    size = len(support)
    shares = np.arange(attempt * size, (attempt + 1) * size) * _GOLDEN % 1.0
    order = np.argsort(shares)
    few = min(_LEFT_OUT, size - 1)
    return support[order[:few]], support[order[few:]]


def searched(
    search,
    *,
    n_starts="auto",
    patience=0,
    pair_swaps=False,
    random=None,
    starts=(),
    orders=(),
    known=(),
    at_all_sizes=False,
    report=_go_on,
):
    """Search the best supports of all sizes.

    Parameters
    ----------
    search : SubsetSearch
        Empty.
    n_starts : int or "auto", default="auto"
        Random starts; "auto" means many where they cost little.
    patience : int, default=0
        Detours in a row from the best subset that may fail.
    pair_swaps : bool, default=False
        Whether to exchange two columns at a time as well.
    random : int, RandomState or None, default=None
        Draws the starts.
    starts : iterable of ndarray of intp, default=()
        Other supports to start from.
    orders : iterable of ndarray of intp, default=()
        Columns by falling importance, of which the first ones are starts.
    known : iterable of ndarray of intp, default=()
        Supports to start from at their own sizes, before all others.
    at_all_sizes : bool, default=False
        Whether to start at each size instead of the largest one alone.
    report : callable, default=None
        ``report(search)`` is called after each step and answers True to stop.

    Returns
    -------
    list of ndarray of intp
        Supports of sizes 1 to `most`.
    """
    design = search.design
    if design.is_constant:
        return search.supports
    few = design.n_columns <= _FEW_COLUMNS
    if n_starts == "auto":
        n_starts = _STARTS_OF_EACH if at_all_sizes else _STARTS
        n_starts = n_starts if few else 0
    if n_starts and few:
        design.require_all()
    for support in known:
        search.offer(support, len(support))
    search.sweep()
    effort = (n_starts, patience, random, starts, orders, at_all_sizes)
    steps = [_steps(search, *effort)]
    if pair_swaps:
        steps.append(search.exchange_pairs())
    _go_through(itertools.chain(*steps), search, report)
    return search.polished()


def _go_through(steps, search, report):
    """Take steps until they end or are stopped; spread what they found."""
    better, stopped = False, report(search)
    while not stopped:
        found = next(steps, None)
        if found is None:
            break
        better |= found
        stopped = report(search)
    if better and not stopped:
        search.sweep()


def _steps(search, n_starts, patience, random, starts, orders, at_all_sizes):
    """Yield whether each step of a search improved a subset."""
    most, candidates = search.most, search.candidates()
    yield search.offer_pursuit()
    for start in starts:
        start = np.intersect1d(np.asarray(start, dtype=np.intp), candidates)
        yield search.offer(start, most)
    sizes = range(most, 0, -1) if at_all_sizes else [most]
    of_orders = sizes if at_all_sizes else [most >> i for i in range(most.bit_length())]
    for order in orders:
        yield search.offer_order(order, of_orders)
    random = check_random_state(random)
    for k in sizes:
        for _ in range(n_starts if len(candidates) > k else 0):
            yield search.offer(random.choice(candidates, k, replace=False), k)
        yield from search.escapes(patience, k)


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
