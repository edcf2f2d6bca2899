"""Bounds on the number of features that complementary halves select wrongly.

A feature is selected when it is among those of at least a share tau of 2B halves, B
pairs of disjoint ones. One whose chance to be selected by a half is at most theta is in
both halves of a pair with a chance of at most theta squared, as the halves are
independent. So the mean of the share of pairs that agree on it is bounded, and that
share is at least ``2 tau - 1`` if the feature is selected. What is known of the shape
of the share's distribution bounds the chance of that:

- nothing: Markov's inequality;
- it has one mode: the largest tail of all such distributions with that mean;
- it is r-concave: likewise, with r = -1/2 for the share of pairs and r = -1/4 for the
  share of halves, whose mean is theta. The smaller of both bounds holds.

R. D. Shah, R. J. Samworth, "Variable selection with error control: another look at
stability selection", JRSS B 75(1), 2013 (bounds). M. Fradelizi, O. Guédon, "A
generalized localization theorem and geometric inequalities for convex bodies", Advances
in Mathematics 204(2), 2006 (where such maxima are found).
"""

import functools
import math

import numpy as np

__all__ = [
    "ASSUMPTIONS",
    "expected_false_bound",
    "largest_count",
    "least_threshold",
    "r_concave_tail",
    "unimodal_tail",
    "votes_needed",
]

ASSUMPTIONS = ("r_concave", "unimodal", "none")
_BISECTIONS = 80
_SQUARINGS = {-0.5: 1, -0.25: 2}  # of 1 / x, that make x ** (1 / r)


def votes_needed(threshold, n_pairs):
    """Smallest number of halves that is a share of at least `threshold`."""
    # A share such as 0.6 is hardly ever the float that it is meant to be.
    return math.ceil(threshold * 2 * n_pairs - 1e-9)


@functools.lru_cache(maxsize=4096)
def r_concave_tail(mean, least, size, r):
    """Largest chance of large values among r-concave distributions.

    A distribution f on an interval of the integers is r-concave, for r < 0, if
    ``f ** r`` is convex. With one condition on the mean, the chance is largest where
    ``f ** r`` is linear, on the numbers from 0 to some k.

    Parameters
    ----------
    mean : float
        Largest mean.
    least : int
        Values from it on are large; positive.
    size : int
        The largest value of all.
    r : {-1/2, -1/4}
        Power.

    Returns
    -------
    float
    """
    if mean >= least:
        return 1.0
    if mean <= 0.0 or least > size:
        return 0.0
    ends = np.arange(least, size + 1)[:, None]
    value = np.arange(size + 1)
    inside = value <= ends
    # Falling where the mean is small. Rising ones are such, seen from the end.
    rises = mean > ends / 2
    distance = np.where(rises, ends - value, value)

    def weights(log_start):
        f = 1.0 / (1.0 + np.where(inside, distance, 0) * np.exp(-log_start))
        for _ in range(_SQUARINGS[r]):
            f = np.square(f)
        f = np.where(inside, f, 0.0)
        return f / f.sum(axis=1, keepdims=True)

    low, high = np.full(ends.shape, -60.0), np.full(ends.shape, 60.0)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        # A later start is flatter: the mean moves towards the middle.
        below = weights(middle) @ value < mean
        flatter = below[:, None] ^ rises
        low, high = np.where(flatter, middle, low), np.where(flatter, high, middle)
    tails = weights((low + high) / 2)[:, least:].sum(axis=1)
    return float(min(tails.max(), 1.0))


@functools.lru_cache(maxsize=4096)
def unimodal_tail(mean, least, size):
    """Largest chance of large values among distributions with a mode.

    Distributions with a given mode are mixtures of uniform ones on intervals that hold
    it. By linear programming duality the largest chance is the minimum, over prices
    of the mean, of a maximum over intervals.

    Parameters
    ----------
    mean, least, size
        See `r_concave_tail`.

    Returns
    -------
    float
    """
    if mean >= least:
        return 1.0
    if least > size:
        return 0.0
    first, last = np.triu_indices(size + 1)
    middle = (first + last) / 2
    chance = np.maximum(last - np.maximum(first, least) + 1, 0) / (last - first + 1)
    modes = np.arange(size + 1)[:, None]
    outside = (first > modes) | (last < modes)
    outside = outside[modes[:, 0] <= 2 * mean]  # for others all means are larger

    def worth(price):
        value = chance - price * (middle - mean)
        return np.where(outside, -np.inf, value).max(axis=1, keepdims=True)

    # Means of intervals differ by 1/2 or more, so no chance is dearer than 2.
    low = np.zeros((len(outside), 1))
    high = np.full(low.shape, 2.0)
    golden = (math.sqrt(5) - 1) / 2
    for _ in range(_BISECTIONS):
        step = golden * (high - low)
        left, right = high - step, low + step
        drops = worth(left) <= worth(right)
        low, high = np.where(drops, low, left), np.where(drops, right, high)
    return float(min(worth((low + high) / 2).max(), 1.0))


def expected_false_bound(count, n_features, threshold, n_pairs, assumption):
    """Bound the expected number of features that are selected wrongly.

    Parameters
    ----------
    count : float
        Number of features that a half selects, at most.
    n_features : int
        Number of features.
    threshold : float
        Share of halves.
    n_pairs : int
        Number of pairs.
    assumption : {"r_concave", "unimodal", "none"}
        On the distribution of the shares.

    Returns
    -------
    float
    """
    chance = count / n_features
    votes = votes_needed(threshold, n_pairs)
    agree = votes - n_pairs  # pairs of which both halves select the feature, at least
    both = chance**2 * n_pairs
    if assumption == "r_concave":
        tail = r_concave_tail(chance * 2 * n_pairs, votes, 2 * n_pairs, -0.25)
        if agree > 0:
            tail = min(tail, r_concave_tail(both, agree, n_pairs, -0.5))
    elif agree <= 0:
        tail = 1.0
    elif assumption == "unimodal":
        tail = unimodal_tail(both, agree, n_pairs)
    else:
        tail = min(both / agree, 1.0)
    return tail * n_features


def largest_count(expected_false, n_features, threshold, n_pairs, assumption):
    """Largest number of features per half that keeps a bound; 0 if there is none."""
    low, high = 0, n_features
    while low < high:
        middle = (low + high + 1) // 2
        bound = expected_false_bound(middle, n_features, threshold, n_pairs, assumption)
        if bound <= expected_false:
            low = middle
        else:
            high = middle - 1
    return low


def least_threshold(expected_false, count, n_features, n_pairs, assumption):
    """Smallest threshold above 1/2 that keeps a bound; None if there is none."""
    low, high = n_pairs + 1, 2 * n_pairs + 1  # votes
    while low < high:
        middle = (low + high) // 2
        bound = expected_false_bound(
            count, n_features, middle / (2 * n_pairs), n_pairs, assumption
        )
        if bound <= expected_false:
            high = middle
        else:
            low = middle + 1
    return low / (2 * n_pairs) if low <= 2 * n_pairs else None
