"""The best k medoids of all, by branch and bound on the Lagrangian bound."""

import heapq
import itertools
import math
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skloss.cluster._bound_reader import Reader, first_prices, representatives
from skloss.cluster._lagrangian import DualAscent, Incumbent, relative_gap

__all__ = ["ExactMedoids", "ExactProgress", "exact"]

_ROOT_STEPS = 2000  # the first bound decides how much is left to split
_NODE_STEPS = 60
_NODE_LENGTH = 1.5  # of the first steps of a node


class ExactProgress(NamedTuple):
    """State of the search, as handed to a callback.

    Parameters
    ----------
    n_iter : int
        Nodes done; 0 while the first bound is being raised.
    objective : float
        Loss of the best medoids so far.
    lower_bound : float
        Proven lower bound on the loss of any medoids.
    n_open : int
        Nodes that wait.
    """

    n_iter: int
    objective: float
    lower_bound: float
    n_open: int


@dataclass(frozen=True, eq=False, kw_only=True)
class ExactMedoids:
    """The best medoids found and what is proven of them.

    Parameters
    ----------
    medoids : ndarray of shape (k,), intp
        In no particular order.
    loss : float
        Their loss, the correctly rounded sum of weighted dissimilarities.
    lower_bound : float
        No k medoids have a smaller loss.
    n_nodes : int
        Parts of the problem that were bounded.
    status : {"optimal", "time_limit", "max_nodes", "stopped"}
        Why the search ended.
    """

    medoids: np.ndarray = field(repr=False)
    loss: float
    lower_bound: float
    n_nodes: int
    status: str

    @property
    def proved(self):
        """Whether the search was completed."""
        return self.status == "optimal"

    @property
    def gap(self):
        """Distance of `lower_bound` from `loss`, relative to it."""
        return relative_gap(self.lower_bound, self.loss)


class _Node(NamedTuple):
    """All solutions that hold the forced candidates and others of the free ones."""

    bound: float
    order: int  # among equal bounds the youngest first
    free: np.ndarray
    forced: np.ndarray
    prices: np.ndarray
    branch: int  # free candidate to be decided next


class _Search:
    """Best-first search; what is discarded is kept account of in `floor`."""

    def __init__(self, reader, n_clusters, incumbent, limits):
        self.reader, self.n_clusters = reader, n_clusters
        self.incumbent, self.limits = incumbent, limits
        self.floor = math.inf  # bound on all solutions that were discarded
        self.waiting = []
        self.n_nodes = 0
        self._orders = itertools.count()

    @property
    def lower_bound(self):
        open_ = self.waiting[0].bound if self.waiting else math.inf
        return float(self.incumbent.rounded_up(min(self.floor, open_)))

    def bound(self, ascent, inherited, max_iter, callback=None):
        """Bound one part of the problem; put it on the heap unless that closes it."""
        ascent.run(max_iter, callback)
        self.n_nodes += 1
        self.floor = min(self.floor, ascent.discarded)
        bound = max(ascent.bound, inherited)
        if ascent.exhausted or self.incumbent.is_beyond(bound):
            self.floor = min(self.floor, bound)
            return
        node = _Node(
            bound,
            -next(self._orders),
            ascent.free,
            ascent.forced,
            ascent.prices,
            _branching_position(ascent),
        )
        heapq.heappush(self.waiting, node)

    def split(self, node):
        """Decide one candidate of a node both ways."""
        chosen = node.free[node.branch : node.branch + 1]
        free = np.delete(node.free, node.branch)
        for forced in (np.concatenate([node.forced, chosen]), node.forced):
            ascent = DualAscent(
                self.reader,
                self.n_clusters,
                self.incumbent,
                node.prices,
                free=free,
                forced=forced,
                step=_NODE_LENGTH,
            )
            self.bound(ascent, node.bound, _NODE_STEPS)

    def run(self):
        """Split nodes until none can hold better medoids; return the status."""
        while self.waiting:
            if self.incumbent.is_beyond(self.waiting[0].bound):
                break
            status = self.limits.reached(self)
            if status is not None:
                return status
            self.split(heapq.heappop(self.waiting))
        return "optimal"


def _branching_position(ascent):
    """Return the free candidate of which the steps were least sure."""
    return int(np.argmin(np.abs(ascent.shares - 0.5)))


class _Limits:
    """When to give up."""

    def __init__(self, time_limit, max_nodes, callback):
        self._deadline = math.inf
        if time_limit is not None:
            self._deadline = time.monotonic() + time_limit
        self._max_nodes = math.inf if max_nodes is None else max_nodes
        self._callback = callback
        self.status = None

    def reached(self, search):
        """Return why to stop before the next node, or None."""
        progress = ExactProgress(
            search.n_nodes,
            search.incumbent.loss,
            search.lower_bound,
            len(search.waiting),
        )
        if self._callback is not None and self._callback(progress):
            return "stopped"
        if search.n_nodes >= self._max_nodes:
            return "max_nodes"
        return "time_limit" if time.monotonic() >= self._deadline else None

    def reached_at_root(self, ascent):
        """Say while the first bound is raised whether to stop."""
        if time.monotonic() >= self._deadline:
            self.status = "time_limit"
        elif self._callback is not None:
            incumbent = ascent.incumbent
            bound = incumbent.rounded_up(min(ascent.bound, ascent.discarded))
            progress = ExactProgress(0, incumbent.loss, bound, 1)
            if self._callback(progress):
                self.status = "stopped"
        return self.status is not None


def exact(
    rows,
    n_clusters,
    weights,
    start_medoids,
    *,
    time_limit=None,
    max_nodes=None,
    tol=1e-9,
    improve=None,
    n_jobs=None,
    callback=None,
):
    """Find the best k medoids of all and prove it.

    The Lagrangian bound first excludes most candidates; what is left is split again
    and again into solutions with and without one candidate, each bounded anew.

    Parameters
    ----------
    rows : CandidateRows
        Dissimilarities, a row for each candidate; as many candidates as points.
    n_clusters : int
        Number of medoids.
    weights : ndarray of shape (n_points,), float64
        Sample weights, not extreme. Points of weight zero are no candidates.
    start_medoids : ndarray of shape (k,), intp
        Medoids of positive weight. The better, the faster.
    time_limit : float, default=None
        Seconds after which to stop, looked at after each step of the first bound and
        after each node.
    max_nodes : int, default=None
        Largest number of nodes.
    tol : float, default=1e-9
        Relative gap that is as good as none. Where all weighted dissimilarities are
        multiples of a coarse unit (whole numbers) the optimum is found whatever it
        is.
    improve : callable, default=None
        ``improve(medoids)`` returns better medoids and their loss. Called with each
        set of medoids that turns out to be better than the best so far.
    n_jobs : int, default=None
        Largest number of threads; changes nothing but the time.
    callback : callable, default=None
        Called with an `ExactProgress` after each step of the first bound and each
        node; answers True to stop.

    Returns
    -------
    ExactMedoids
        With a true lower bound whatever the reason to stop.
    """
    limits = _Limits(time_limit, max_nodes, callback)
    reader = Reader(rows, weights, n_jobs)
    candidates = np.flatnonzero(weights > 0)
    incumbent = Incumbent(
        reader,
        start_medoids,
        tol=tol,
        least=reader.least_loss(candidates),
        unit=reader.unit(candidates),
        strict=False,
        improve=improve,
    )
    root = DualAscent(
        reader,
        n_clusters,
        incumbent,
        first_prices(reader, start_medoids, candidates),
        free=np.unique(representatives(reader, candidates, n_clusters)),
        forced=np.empty(0, dtype=np.intp),
    )
    search = _Search(reader, n_clusters, incumbent, limits)
    search.bound(root, -math.inf, _ROOT_STEPS, limits.reached_at_root)
    status = search.run() if limits.status is None else limits.status
    if not search.waiting:
        status = "optimal"
    return ExactMedoids(
        medoids=incumbent.medoids,
        loss=incumbent.loss,
        lower_bound=search.lower_bound,
        n_nodes=search.n_nodes,
        status=status,
    )
