"""Best subsets with a proof, by branch and bound."""

import functools
import time
from typing import NamedTuple

import numpy as np
from scipy import linalg

from skloss.sparse._subset_exact_kernels import explore, open_node
from skloss.sparse._subset_item_kernels import nonnegative_loss
from skloss.sparse._subset_support import DEPENDENT

__all__ = ["Certified", "certify", "never"]

_BUDGET = 1 << 27  # work between two looks at the clock
_ROOT_ROUNDS = 20  # of the relaxation at the root, for the bound without a search
_SINGULAR = 1e-12  # share of the largest eigenvalue up to which one counts as 0
_SAME = 1e-8  # relative: losses of the same columns, from Gram matrices or not
_SLACK = 1e-10  # relative: losses that close count as equal
_FEW = 300  # columns up to which the diagonal of the bounds is made by Newton's method


class Certified(NamedTuple):
    """What a search proved."""

    support: np.ndarray
    loss: float
    lower_bound: float
    n_nodes: int


def never(loss, lower_bound, n_nodes):
    """Report nothing, and stop for nothing."""
    return False


def certify(
    gram,
    q,
    l2,
    support,
    k,
    *,
    positive=False,
    time_limit=None,
    report=never,
    floor=lambda: 0.0,
):
    """Find the best subset of k columns, or prove that there is none better.

    Parameters
    ----------
    gram : ndarray of shape (p, p)
        Gram matrix of columns of mean square 1 (or 0: never chosen).
    q : ndarray of shape (p,)
        Correlations with the target.
    l2 : float
        Ridge penalty.
    support : ndarray of intp
        Subset to beat.
    k : int
        Size.
    positive : bool, default=False
        Whether coefficients must not be negative.
    time_limit : float, default=None
        Seconds.
    report : callable
        ``report(loss, lower_bound, n_nodes)`` is called now and then and answers True
        to stop.
    floor : callable
        Returns a loss that no subset can be below, where Gram matrices cannot tell.

    Returns
    -------
    Certified
    """
    end = np.inf if time_limit is None else time.perf_counter() + time_limit
    usable = np.flatnonzero(np.diag(gram) > 0)
    A = gram[np.ix_(usable, usable)]
    A[np.diag_indices_from(A)] = 1.0 + l2
    q = q[usable]
    incumbent = np.searchsorted(usable, support)
    loss = subset_loss(A, q, incumbent, positive)
    p = len(usable)
    if p <= k:
        lowest = 0.0 if positive else floor()  # which knows of no signs
        lowest = lowest or subset_loss(A, q, np.arange(p), positive)
        if lowest < loss * (1.0 - _SAME):  # for columns that the search has left out
            return Certified(usable, lowest, lowest, 1)
        return Certified(support, loss, loss, 1)
    if loss <= _SLACK:
        return Certified(support, loss, 0.0, 1)
    if k == 1:
        losses = 1.0 - (np.maximum(q, 0.0) if positive else q) ** 2 / (1.0 + l2)
        best = int(losses.argmin())
        if loss > losses[best] * (1.0 + _SLACK):
            incumbent = np.array([best])
        return Certified(usable[incumbent], losses[best], losses[best], p)
    tree = _Tree(A, q, k, loss, positive, floor)
    tree.run(end, report)
    chosen = incumbent if tree.chosen is None else tree.chosen
    loss = subset_loss(A, q, chosen, positive)
    return Certified(usable[chosen], loss, min(loss, tree.lower_bound()), tree.n_nodes)


def subset_loss(A, q, support, positive=False):
    """Loss of a subset, from the Gram matrix with its ridge."""
    part, target = np.ascontiguousarray(A[np.ix_(support, support)]), q[support]
    if positive:
        return nonnegative_loss(part, target, len(target))
    w = linalg.lstsq(part, target, cond=_SINGULAR, check_finite=False)[0]
    return float(1.0 - 2 * w @ target + w @ part @ w)


class _Tree:
    """Open nodes of a depth-first search."""

    def __init__(self, A, q, k, loss, positive, floor):
        p = len(q)
        self.floor = functools.cache(floor)
        self.k, self.least = k, DEPENDENT * A[0, 0]
        self.best = loss * (1.0 - _SLACK)
        self.n_nodes = 0
        self.chosen, self.doubt = None, np.zeros(1, dtype=np.intp)
        depths = max(1, k - 1)
        self.A = np.empty((depths, p, p))
        self.q, self.z = np.empty((depths, p)), np.empty((depths, p))
        self.names = np.empty((depths, p), dtype=np.intp)
        self.sizes = np.full(depths, -1, dtype=np.intp)
        self.at = np.zeros(depths, dtype=np.intp)
        self.bounds = np.zeros((depths, p))
        self.losses = np.ones(depths)
        self.fixed = np.zeros(depths, dtype=np.intp)
        self.sign = (A, q) if positive else (np.empty((0, 0)), np.empty(0))
        self.D = bounding_diagonal(A) if k > 2 else np.zeros(0)
        self.A[0], self.q[0], self.names[0] = A, q, np.arange(p)
        self.z[0] = k / p
        self.sizes[0] = p
        self.least_loss = 0.0 if self.D.size else subset_loss(A, q, np.arange(p))
        if k > 2:
            self._open_root()

    def _open_root(self):
        p = len(self.names[0])
        scratch = np.empty((p + 3, p))
        for _ in range(_ROOT_ROUNDS if self.D.size else 1):
            self.sizes[0] = open_node(
                self.A[0],
                self.q[0],
                self.z[0],
                self.names[0],
                self.sizes[0],
                self.D,
                self.k,
                1.0,
                self.best,
                self.least,
                self.bounds[0],
                scratch,
                self.doubt,
                True,
            )
            if not self.sizes[0]:  # nothing can be better
                self.sizes[0] = -1
                break
        self.z[0] = self.k / p  # even shares are the better ones for nodes to start

    def run(self, end, report):
        """Explore until the end of the tree or of the time, or until it is stopped."""
        chosen = np.full(self.k, -1, dtype=np.intp)
        tree = (self.A, self.q, self.z, self.names)
        tree += (self.sizes, self.at, self.bounds, self.losses)
        depth = 0
        while depth >= 0 and time.perf_counter() < end:
            self.best, depth, n_nodes = explore(
                tree,
                self.fixed,
                self.sign,
                self.D,
                self.k,
                self.least,
                self.best,
                chosen,
                self.doubt,
                _BUDGET,
            )
            self.n_nodes += n_nodes
            if report(self.best, self.lower_bound(), self.n_nodes):
                break
        if chosen[0] >= 0:
            self.chosen = chosen

    def lower_bound(self):
        """Lowest loss that any subset can have."""
        bound = self.best
        if self.doubt[0]:  # what was left out may have all columns but no more
            return min(bound, self.floor())
        for depth, size in enumerate(self.sizes):
            if size >= 0:
                bound = min(bound, self.bounds[depth, self.at[depth] : size].min())
        return max(bound, self.least_loss, 0.0)


def bounding_diagonal(A):
    """Diagonal that leaves a matrix positive semidefinite, of large sum.

    Returns
    -------
    ndarray of shape (p,) or (0,)
        Empty if the matrix is singular.
    """
    p = len(A)
    smallest = linalg.eigvalsh(A, subset_by_index=[0, 0])[0]
    if smallest <= 1e-8:
        return np.zeros(0)
    D = np.full(p, 0.5 * smallest)
    if p > _FEW:
        return 1.98 * D
    for mu in 10.0 ** -np.arange(1, 6):
        D = _centred(A, D, mu)
    while np.linalg.eigvalsh(A - np.diag(D))[0] < 0:
        D *= 1.0 - 1e-6
    return D


def _centred(A, D, mu):
    """Maximise ``sum(D) + mu (logdet(A - D) + sum(log(D)))`` by Newton's method."""
    for _ in range(50):
        inverse = np.linalg.inv(A - np.diag(D))
        gradient = 1.0 - mu * np.diag(inverse) + mu / D
        step = np.linalg.solve(mu * inverse**2 + np.diag(mu / D**2), gradient)
        length = 1.0
        while length > 1e-10 and not _is_inside(A, D + length * step):
            length *= 0.5
        D = D + length * step
        if gradient @ step < 1e-2 * mu:
            break
    return D


def _is_inside(A, D):
    if D.min() <= 0:
        return False
    try:
        np.linalg.cholesky(A - np.diag(D))
    except np.linalg.LinAlgError:
        return False
    return True
