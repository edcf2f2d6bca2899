"""The likelihoods of ordinal regression, over rows sorted by class.

A family sees the scores of each threshold on a range of rows, one after the other in
one array, and gives the loss, its derivatives in the scores and its curvature: a list
of `Term`. Internally scores belong to the event "y <= k": they are the negative of the
public ones.
"""

from typing import NamedTuple

import numpy as np

from skloss.losses._adjacent import (
    adjacent_derivatives,
    adjacent_gaps,
    adjacent_value,
)
from skloss.losses.ordinal_passes import (
    barrier_derivatives,
    barrier_value,
    interval_derivatives,
    interval_gaps,
    interval_value,
    lower_derivatives,
    lower_gaps,
    lower_value,
    upper_derivatives,
    upper_gaps,
    upper_value,
)
from skloss.ordinal._links import quantile_of

__all__ = ["Adjacent", "Cumulative", "Stopping", "Term"]


class Term(NamedTuple):
    """Second derivatives in the scores of two thresholds, on a range of rows."""

    k: int
    other: int
    lo: int
    hi: int
    sign: float
    weight: np.ndarray  # (hi - lo,), at least 0: the derivatives' absolute value


class _Covariance(NamedTuple):
    """A `Term` of adjacent categories: K (K - 1) / 2 of them are not held at once."""

    k: int
    other: int
    lo: int
    hi: int
    weights: np.ndarray  # (n,), of the rows
    below: np.ndarray  # (m, n): P(y <= k)

    sign = 1.0

    @property
    def weight(self):
        """Covariance of the indicators of "y <= k" and "y <= other", k being less."""
        # Rounding may take sums of probabilities beyond 1.
        above = np.maximum(1.0 - self.below[self.other], 0.0)
        return self.weights * self.below[self.k] * above


class _Family:
    """What the families share: where each threshold's scores lie.

    Parameters
    ----------
    starts : ndarray of shape (K + 1,)
        First row of each class, and the number of rows.
    weights : ndarray of shape (n,)
        Weights of the rows.
    link : named tuple
        The link.
    """

    def __init__(self, starts, weights, link):
        self.starts = [int(start) for start in starts]
        self.weights, self.link = weights, link
        self.n_classes = len(starts) - 1
        self.m = self.n_classes - 1
        self.ranges = [self._range(k) for k in range(self.m)]
        sizes = [hi - lo for lo, hi in self.ranges]
        self._ends = np.cumsum([0, *sizes]).tolist()
        self.n_scores = self._ends[-1]
        # Where each class has its scores of the thresholds below and above it.
        self._below = [None] + [self._slot(c - 1, c) for c in range(1, self.n_classes)]
        self._above = [self._slot(c, c) for c in range(self.m)] + [None]
        self._class_weights = [
            weights[slice(*self._rows(c))] for c in range(self.n_classes)
        ]

    def _slot(self, k, c):
        """Slice of an array of scores: threshold k, rows of class c."""
        shift = self._ends[k] - self.ranges[k][0]
        lo, hi = self._rows(c)
        return slice(shift + lo, shift + hi)

    def segment(self, array, k, lo=None, hi=None):
        """View of an array of scores: threshold k, rows ``lo`` to ``hi``."""
        first, last = self.ranges[k]
        shift = self._ends[k] - first
        lo, hi = first if lo is None else lo, last if hi is None else hi
        return array[shift + lo : shift + hi]

    def likelihood(self, scores):
        """Weighted sum of the loss."""
        return self.value(scores)

    def gaps(self, scores, s):
        """Sum of the loss's Fenchel-Young gaps at `s` times its derivatives.

        A barrier's part is what its multipliers leave open. nan without convexity.
        """
        if s == 1.0 and self.link.log_concave:  # no row has a gap then
            return self._complementarity(scores)
        return self._row_gaps(scores, s) + s * self._complementarity(scores)

    def _complementarity(self, scores):
        return 0.0

    def recession_signs(self):
        """Sign in which each score may grow for ever without raising any loss.

        Returns
        -------
        ndarray of shape (n_scores,) or None
            None if it is not a matter of single scores.
        """
        return None

    def _rows(self, c):
        return self.starts[c], self.starts[c + 1]


class Cumulative(_Family):
    """P(y <= k) = F(score of k).

    Parameters
    ----------
    starts, weights, link
        See `_Family`.
    everywhere : bool, default=False
        Score all thresholds on all rows, for the barrier.

    Attributes
    ----------
    barrier : float
        Weight of the barrier that keeps the scores of all rows in order, where the
        likelihood of a row does not see to it.
    """

    def __init__(self, starts, weights, link, *, everywhere=False):
        self.everywhere = everywhere
        self.barrier = 0.0
        super().__init__(starts, weights, link)

    def _range(self, k):
        if self.everywhere:
            return 0, self.starts[-1]
        return self.starts[k], self.starts[k + 2]

    def null_intercepts(self, shares):
        """Return the intercepts whose probabilities are the classes' `shares`."""
        below = np.cumsum(shares[:-1])
        above = np.cumsum(shares[:0:-1])[::-1]
        return quantile_of(self.link, below, above)

    def recession_signs(self):
        """Up for the own class's score, down for the one below."""
        if self.everywhere:
            return None
        signs = np.empty(self.n_scores)
        for c in range(self.n_classes):
            if c < self.m:
                signs[self._above[c]] = 1.0
            if c > 0:
                signs[self._below[c]] = -1.0
        return signs

    def likelihood(self, scores):
        """Weighted sum of the loss, without the barrier."""
        return sum(self._class_value(scores, c) for c in range(self.n_classes))

    def value(self, scores):
        """Weighted sum of the loss, and the barrier."""
        total = self.likelihood(scores)
        if self.barrier:
            for k in range(1, self.m):
                gap = self.gap(scores, k)
                total += self.barrier * barrier_value(gap, self.weights)
        return total

    def gap(self, scores, k):
        """Distance between the scores of thresholds k - 1 and k on all rows."""
        return self.segment(scores, k) - self.segment(scores, k - 1)

    def _class_value(self, scores, c):
        link, weight = self.link, self._class_weights[c]
        if c == 0:
            return lower_value(link, scores[self._above[c]], weight)
        below = scores[self._below[c]]
        if c == self.m:
            return upper_value(link, below, weight)
        return interval_value(link, below, scores[self._above[c]], weight)

    def derivatives(self, scores):
        """Loss, its derivatives in the scores, and its curvature."""
        first = np.zeros(self.n_scores)
        second = np.zeros(self.n_scores)
        crossed = {}
        total = 0.0
        for c in range(self.n_classes):
            value, cross = self._class_derivatives(scores, c, first, second)
            total += value
            if cross is not None:
                crossed[c] = (*self._rows(c), cross)
        if self.barrier:
            total += self._add_barrier(scores, first, second, crossed)
        terms = [
            Term(k, k, *self.ranges[k], 1.0, self.segment(second, k))
            for k in range(self.m)
        ]
        terms += [
            Term(c - 1, c, lo, hi, -1.0, -cross)
            for c, (lo, hi, cross) in crossed.items()
        ]
        return total, first, terms

    def _class_derivatives(self, scores, c, first, second):
        link, weight = self.link, self._class_weights[c]
        below, above = self._below[c], self._above[c]
        if c == 0:
            out = first[above], second[above]
            return lower_derivatives(link, scores[above], weight, *out), None
        if c == self.m:
            out = first[below], second[below]
            return upper_derivatives(link, scores[below], weight, *out), None
        cross = np.empty(len(weight))
        value = interval_derivatives(
            link,
            scores[below],
            scores[above],
            weight,
            first[below],
            first[above],
            second[below],
            second[above],
            cross,
        )
        return value, cross

    def _add_barrier(self, scores, first, second, crossed):
        n = self.starts[-1]
        g, h = np.empty((2, n))
        weight = self.barrier * self.weights
        total = 0.0
        for k in range(1, self.m):
            total += barrier_derivatives(self.gap(scores, k), weight, g, h)
            self.segment(first, k)[:] += g
            self.segment(first, k - 1)[:] -= g
            self.segment(second, k)[:] += h
            self.segment(second, k - 1)[:] += h
            cross = -h
            lo, hi, own = crossed[k]
            cross[lo:hi] += own
            crossed[k] = 0, n, cross
        return total

    def _row_gaps(self, scores, s):
        total = 0.0
        for c, weight in enumerate(self._class_weights):
            below, above = self._below[c], self._above[c]
            if c == 0:
                total += lower_gaps(self.link, scores[above], weight, s)
            elif c == self.m:
                total += upper_gaps(self.link, scores[below], weight, s)
            else:
                ends = scores[below], scores[above]
                total += interval_gaps(self.link, *ends, weight, s)
        return total

    def _complementarity(self, scores):
        """Multipliers of the barrier times the distances they keep positive."""
        if not self.barrier:
            return 0.0
        total = 0.0
        g, h = np.empty((2, self.starts[-1]))
        for k in range(1, self.m):
            gap = self.gap(scores, k)
            barrier_derivatives(gap, self.weights, g, h)
            total -= self.barrier * (g @ gap)
        return total


class Stopping(_Family):
    """P(y = k | y >= k) = F(score of k): a binary model for each threshold."""

    def _range(self, k):
        return self.starts[k], self.starts[-1]

    def null_intercepts(self, shares):
        """Return the intercepts whose probabilities are the classes' `shares`."""
        rest = np.cumsum(shares[::-1])[::-1]
        return quantile_of(self.link, shares[:-1] / rest[:-1], rest[1:] / rest[:-1])

    def recession_signs(self):
        """Up where a row stops, down where it goes on."""
        signs = np.empty(self.n_scores)
        for k in range(self.m):
            (own, _), (later, _) = self._parts(signs, k)
            own[:], later[:] = 1.0, -1.0
        return signs

    def _parts(self, scores, k):
        end, n = self.starts[k + 1], self.starts[-1]
        lo = self.starts[k]
        own = self.segment(scores, k, lo, end), self.weights[lo:end]
        later = self.segment(scores, k, end, n), self.weights[end:]
        return own, later

    def value(self, scores):
        """Weighted sum of the loss."""
        total = 0.0
        for k in range(self.m):
            own, later = self._parts(scores, k)
            total += lower_value(self.link, *own) + upper_value(self.link, *later)
        return total

    def derivatives(self, scores):
        """Loss, its derivatives in the scores, and its curvature."""
        first, second = np.empty((2, self.n_scores))
        total, terms = 0.0, []
        for k in range(self.m):
            own, later = self._parts(scores, k)
            (g0, _), (g1, _) = self._parts(first, k)
            (h0, _), (h1, _) = self._parts(second, k)
            total += lower_derivatives(self.link, *own, g0, h0)
            total += upper_derivatives(self.link, *later, g1, h1)
            terms.append(Term(k, k, *self.ranges[k], 1.0, self.segment(second, k)))
        return total, first, terms

    def _row_gaps(self, scores, s):
        total = 0.0
        for k in range(self.m):
            own, later = self._parts(scores, k)
            total += lower_gaps(self.link, *own, s) + upper_gaps(self.link, *later, s)
        return total


class Adjacent(_Family):
    """log P(y = k) - log P(y = k + 1) = score of k."""

    def _range(self, k):
        return 0, self.starts[-1]

    def null_intercepts(self, shares):
        """Return the intercepts whose probabilities are the classes' `shares`."""
        return np.log(shares[:-1]) - np.log(shares[1:])

    def _table(self, scores):
        return scores.reshape(self.m, self.starts[-1])

    def value(self, scores):
        """Weighted sum of the loss."""
        S = self._table(scores)
        return sum(
            adjacent_value(S, *self._rows(c), c, self.weights)
            for c in range(self.n_classes)
        )

    def derivatives(self, scores):
        """Loss, its derivatives in the scores, and its curvature.

        The Hessian is the covariance of the indicators of "y <= k".
        """
        S = self._table(scores)
        first, below = np.empty_like(S), np.empty_like(S)
        total = sum(
            adjacent_derivatives(S, *self._rows(c), c, self.weights, first, below)
            for c in range(self.n_classes)
        )
        terms = [
            _Covariance(j, k, 0, self.starts[-1], self.weights, below)
            for k in range(self.m)
            for j in range(k + 1)
        ]
        return total, first.reshape(-1), terms

    def _row_gaps(self, scores, s):
        S = self._table(scores)
        return sum(
            adjacent_gaps(S, *self._rows(c), c, self.weights, s)
            for c in range(self.n_classes)
        )
