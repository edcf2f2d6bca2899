r"""Lagrangian relaxation of the k-medoids problem: prices, bounds and fixed candidates.

Every point o must be served by one of the k medoids. With a price :math:`\lambda_o`
instead of that constraint, candidates are independent of one another:

.. math::

    L(\lambda) = \sum_o \lambda_o + \text{sum of the } k \text{ least } \rho_j, \quad
    \rho_j = \sum_o \min(0, w_o D_{oj} - \lambda_o)

is at most the loss of any k medoids, whatever the prices. Raising it by subgradient
steps is the classic way to bound p-median problems (G. Cornuejols, M. L. Fisher,
G. L. Nemhauser, Management Science 23(8), 1977); the steps follow P. M. Camerini,
L. Fratta, F. Maffioli, Mathematical Programming Study 3, 1975.

The problem is stated for the products :math:`w_o D_{oj}` as float64 rounds them, and
the loss of k medoids is their correctly rounded sum (`math.fsum`). Rounding is
monotone, so a bound on the exact sums also bounds the rounded ones.
"""

import itertools
import math

import numpy as np

__all__ = ["DualAscent", "Incumbent", "relative_gap"]

_ROUNDING = 2.0**-53
_FEW = 32  # solutions that are faster tried than bounded
_IMPROVE_EVERY = 25  # offers after which even poor medoids are improved, at first
_MOMENTUM = 0.9
_PATIENCE = 20  # steps without progress before the step length is reduced
_SHORTER = 0.7
_SHORTEST = 1e-4
_PROGRESS = 1e-5  # smallest part of the gap whose closing counts as progress


class Incumbent:
    """The best medoids so far, and which bounds make others uninteresting.

    Parameters
    ----------
    reader : Reader
        Dissimilarities.
    medoids : ndarray of shape (k,), intp
        Medoids to begin with.
    tol : float
        Relative gap that is as good as none.
    least : float, default=-inf
        A lower bound that is known beforehand.
    unit : float, default=0.0
        What all losses are multiples of; 0.0 if nothing is known.
    strict : bool, default=True
        Discard only what is worse than the incumbent, so that nothing which is part
        of an optimum is lost; otherwise all that is not better by the tolerance.
    improve : callable, default=None
        ``improve(medoids)`` returns better medoids and their loss.
    """

    def __init__(
        self,
        reader,
        medoids,
        *,
        tol,
        least=-math.inf,
        unit=0.0,
        strict=True,
        improve=None,
    ):
        self._reader, self._improve = reader, improve
        self._n_offers, self._patience = 0, _IMPROVE_EVERY
        self._tol, self._unit, self._strict = tol, unit, strict
        self._least = least
        self.medoids = np.array(medoids, dtype=np.intp)
        self.loss = reader.loss(self.medoids)

    @property
    def _enough(self):
        return self.loss - max(self._tol * abs(self.loss), self._unit)

    @property
    def discard_above(self):
        """Whatever has a bound above this need not be looked at again."""
        return self.loss if self._strict else self._enough

    def is_beyond(self, bound):
        """Tell whether solutions with such a bound are no better, by the tolerance."""
        return bound > self._enough or self.loss <= self._least

    def offer(self, medoids, estimate):
        """Take medoids with a smaller loss; `estimate` is that loss up to rounding."""
        if self._improve is not None:
            medoids, estimate = self._improved(medoids, estimate)
        if not estimate < self.loss:
            return
        loss = self._reader.loss(medoids)
        if loss < self.loss:
            self.medoids, self.loss = np.array(medoids, dtype=np.intp), loss

    def _improved(self, medoids, estimate):
        """Improve medoids if they are good, and others now and then.

        The longer this is in vain, the more rarely poor medoids are tried.
        """
        self._n_offers += 1
        if not estimate < self.loss:
            if self._n_offers < self._patience:
                return medoids, estimate
            self._patience *= 1.2
        self._n_offers = 0
        medoids, estimate = self._improve(medoids)
        if estimate < self.loss:
            self._patience = _IMPROVE_EVERY
        return medoids, estimate

    def rounded_up(self, bound):
        """Return a bound on the optimum from one on all losses but the incumbent's."""
        bound = max(bound, self._least)
        if self._unit and math.isfinite(bound):
            bound = self._unit * math.ceil(bound / self._unit)
        return min(self.loss, bound)


def relative_gap(lower, upper):
    """Return the distance of two bounds relative to the upper one.

    Parameters
    ----------
    lower, upper : float
        Bounds, ``lower <= upper``.

    Returns
    -------
    float
        0.0 if they are equal, infinite if only the upper one is zero.
    """
    if lower == upper:
        return 0.0
    return (upper - lower) / abs(upper) if upper else math.inf


class DualAscent:
    r"""Raise the bound over all solutions that hold some candidates and avoid others.

    Rows are read only where they can matter: raising prices by :math:`\delta` lowers
    no :math:`\rho_j` by more than :math:`\sum_o \max(\delta_o, 0)`, so most stay
    out of the k least without being looked at.

    Parameters
    ----------
    reader : Reader
        Dissimilarities.
    n_clusters : int
        Number of medoids.
    incumbent : Incumbent
        Best medoids; replaced where better ones turn up.
    prices : ndarray of shape (n_points,)
        Where to begin.
    free, forced : ndarray of intp
        Candidates that may and that must be medoids.
    step : float, default=1.0
        Length of the first steps.

    Attributes
    ----------
    free, forced : ndarray of intp
        What is left of them: candidates that are in no better solution are dropped.
    bound : float
        Proven lower bound on the loss of all solutions not discarded.
    discarded : float
        Proven lower bound on the loss of those that were.
    prices : ndarray of shape (n_points,)
        Prices that gave `bound`.
    shares : ndarray of shape (n_free,)
        How often each free candidate was chosen lately, from 0 to 1.
    exhausted : bool
        Whether every solution that was left has been tried.
    n_iter : int
        Steps done.
    """

    def __init__(
        self, reader, n_clusters, incumbent, prices, *, free, forced, step=1.0
    ):
        self.reader, self.incumbent = reader, incumbent
        self.n_clusters = n_clusters
        self.free, self.forced = free, forced
        self.prices, self._prices = prices, prices
        self.bound, self.discarded = -math.inf, math.inf
        self.shares = np.zeros(len(free))
        self.exhausted = False
        self.n_iter = 0
        self._lower = np.full(len(free), -np.inf)  # bounds on reduced costs
        self._chosen = np.arange(len(free))  # positions in free
        self._direction = self._best_slope = None
        self._length, self._waited, self._largest = step, 0, 0.0

    @property
    def n_open(self):
        """Number of medoids still to be chosen."""
        return self.n_clusters - len(self.forced)

    @property
    def closed(self):
        """Whether no better solution is left."""
        return self.incumbent.is_beyond(self.bound)

    def run(self, max_iter, callback=None):
        """Do at most `max_iter` steps; the callback sees each and may end them."""
        while not self._few_are_left():
            if self.n_iter >= max_iter or self._length <= _SHORTEST:
                return self
            self.n_iter += 1
            value = self._evaluate()
            slope = self._propose()
            self._record(value, slope)
            self._fix(value)
            if callback is not None and callback(self):
                break
            if self.closed or not slope.any() or not self._step(value, slope):
                break
        if self._few_are_left():
            self._enumerate()
        return self

    def _few_are_left(self):
        n_free, n_open = len(self.free), self.n_open
        if 0 < n_open < n_free and n_free > _FEW:  # the number itself may be huge
            return False
        return math.comb(n_free, n_open) <= _FEW

    def certified(self):
        """Evaluate the bound at the best prices once more, by compensated sums.

        Reduced costs are sums of n terms of one sign, each of them off by at most two
        roundings: a sum in any order is off by less than n + 4 units of rounding of
        its size. `math.fsum` adds one rounding to each of the two sums that are left.
        """
        if not math.isfinite(self.bound):
            return self.bound
        prices = self.prices
        fixed = self.reader.reduced_costs(self.forced, prices)
        costs = np.sort(self.reader.reduced_costs(self.free, prices))
        off = (self.reader.n_points + 8) * _ROUNDING
        gains, total = math.fsum([*fixed, *costs[: self.n_open]]), math.fsum(prices)
        value = total + (1 + off) * gains
        return value - 4 * _ROUNDING * (abs(total) + abs(gains))

    def _enumerate(self):
        """Try all solutions that are left; keep what the best of them consist of."""
        self.exhausted = True
        self.bound, best = math.inf, []
        for rest in itertools.combinations(self.free, self.n_open):
            medoids = np.array([*self.forced, *rest], dtype=np.intp)
            loss = self.reader.loss(medoids)
            self.incumbent.offer(medoids, loss)
            if loss < self.bound:
                self.bound, best = loss, []
            if loss == self.bound:
                best.append(set(medoids.tolist()))
        if best:
            in_all, in_some = set.intersection(*best), set.union(*best)
            self.forced = np.array(sorted(in_all), dtype=np.intp)
            self.free = np.array(sorted(in_some - in_all), dtype=np.intp)

    def _evaluate(self):
        """Find the candidates of least reduced cost; return the bound they give."""
        fixed = self.reader.reduced_costs(self.forced, self._prices)
        lower, chosen = self._lower, self._chosen
        lower[chosen] = self.reader.reduced_costs(self.free[chosen], self._prices)
        n_open = self.n_open
        # At least n_open are known now: the largest of these needs to be beaten.
        near = lower <= np.partition(lower[chosen], n_open - 1)[n_open - 1]
        near[chosen] = False
        near = np.flatnonzero(near)
        if len(near):
            lower[near] = self.reader.reduced_costs(self.free[near], self._prices)
        order = np.argpartition(lower, (n_open - 1, n_open))
        self._chosen = order[:n_open]
        self._last_in, self._first_out = lower[order[n_open - 1]], lower[order[n_open]]
        least = min(lower[self._chosen].min(), fixed.min(initial=0.0))
        self._largest = max(self._largest, -least)
        value = self._prices.sum() + fixed.sum() + lower[self._chosen].sum()
        return value - self._allowance()

    def _allowance(self):
        """Bound the rounding error of the value and of differences of reduced costs.

        All is in units of rounding (2**-53) times the size of what is summed. Every
        reduced cost that counts is at most `_largest` in size. It is a sum of n terms
        of one sign: off by n for the additions, in any order, and 1 for the terms. If
        carried from step to step it is off by 1 more for every step, and by n for the
        rises, whose total is at most `_largest` too, or it would have been evaluated.
        Adding up at most n such costs, and n prices, is off by n once more. That is
        3 n + n_iter + 1; the rest covers the second order.
        """
        n_errors = 4 * (self.reader.n_points + self.n_iter + 16) * _ROUNDING
        sizes = np.abs(self._prices).sum() + (self.n_clusters + 2) * self._largest
        return n_errors * sizes

    def _propose(self):
        """Offer the chosen candidates as medoids; return the slope at the prices."""
        medoids = np.concatenate([self.forced, self.free[self._chosen]])
        counts, nearest = self.reader.cover(medoids, self._prices)
        self.incumbent.offer(medoids, nearest.sum())
        self.shares *= 0.9
        self.shares[self._chosen] += 0.1
        # Points without weight cost nothing; their prices stay at 0.
        return np.where(self.reader.weights > 0, 1.0 - counts, 0.0)

    def _record(self, value, slope):
        gap = self.incumbent.loss - self.bound
        self._waited += 1
        if value > self.bound:
            if not value <= self.bound + _PROGRESS * gap:
                self._waited = 0
            self.bound, self.prices, self._best_slope = value, self._prices, slope

    def _fix(self, value):
        """Drop candidates that no better solution holds, force those that all hold."""
        limit = self.incumbent.discard_above
        with_each = value + np.maximum(self._lower - self._last_in, 0.0)
        chosen = np.zeros(len(self.free), dtype=bool)
        chosen[self._chosen] = True
        without_each = value + (self._first_out - self._lower)
        out = ~chosen & (with_each > limit)
        into = chosen & (without_each > limit)
        fixed = out | into
        if not fixed.any():
            return
        least = min(
            with_each[out].min(initial=np.inf), without_each[into].min(initial=np.inf)
        )
        self.discarded = min(self.discarded, least)
        self.forced = np.concatenate([self.forced, self.free[into]])
        kept = ~fixed
        self.free, self._lower = self.free[kept], self._lower[kept]
        self.shares = self.shares[kept]
        self._chosen = np.flatnonzero(chosen[kept])
        self.reader.keep(np.concatenate([self.forced, self.free]))

    def _step(self, value, slope):
        """Change the prices; return False where no direction is left."""
        evaluated = self._prices
        if self._waited >= _PATIENCE:
            self._length *= _SHORTER
            self._waited, self._direction = 0, None
            self._prices, slope = self.prices, self._best_slope
            value = self.bound
        direction = slope
        if self._direction is not None:
            direction = slope + _MOMENTUM * self._direction
            if not direction.any():
                direction = slope
        gap = self.incumbent.loss - value
        size = self._length * gap / (direction @ direction)
        if not 0 < size < np.inf:
            return False
        self._direction = direction
        self._prices = self._prices + size * direction
        self._lower -= np.maximum(self._prices - evaluated, 0.0).sum()
        return True
