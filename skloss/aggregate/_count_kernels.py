"""Compiled passes of the likelihood of counts in bags.

The number of positive rows of a bag has a Poisson-binomial distribution. Shifting all
logits of a bag by one number changes its probabilities by a known factor and the
posterior probabilities of its rows, given the count, not at all. A shift that makes
the count likely is what keeps everything here in the range of doubles.

With F the probabilities of the counts of all rows and G those of all rows but one, of
odds r < 1, ``F[j] = (1 - q) (G[j] + r G[j - 1])`` with q the probability of that row:
going up from a count that is impossible, G follows from F without loss of digits, as
the errors are multiplied by -r. Rows of odds above 1 are the same from the other end.
So one table serves all rows of a bag, and rows go side by side through registers.
"""

from math import ceil, floor, inf, log, log1p, nan, sqrt
from typing import NamedTuple

import numpy as np

from skloss._elementary import exp
from skloss._jit import kernel

__all__ = ["LANES", "CountResult", "CountWork", "count_bags", "table_size"]

LANES = 16  # rows that are worked on side by side
_FAST = {"reassoc", "contract", "nsz"}
_FUSE = {"contract"}
_EDGE = 4  # zeros around the table: each step looks at 4 counts beyond its ends
_FLUSH = 32  # factors up to 2 in each lane, whose product is far from overflow
_NARROW = 64  # rows up to which the whole table is computed
_WINDOW_ROWS = 16  # rows between updates of the window
_1, _2, _3, _4 = (np.uintp(i) for i in range(1, 5))


class CountWork(NamedTuple):
    """Room for what a thread works on.

    Parameters
    ----------
    logits, positive, negative, odds, posterior : ndarray of shape (capacity,)
        Of rows side by side, LANES more than there are.
    tilted, tilted_positive, tilted_negative, tilted_odds : ndarray of shape (size,)
        Of the rows of the largest bag, LANES more than there are.
    table, low, high : ndarray of shape (table_size(largest bag),)
        Probabilities of counts: downwards; those below and above the observed count.
    lanes : ndarray of shape (LANES,)
        One product for each row side by side.
    """

    logits: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    odds: np.ndarray
    posterior: np.ndarray
    tilted: np.ndarray
    tilted_positive: np.ndarray
    tilted_negative: np.ndarray
    tilted_odds: np.ndarray
    table: np.ndarray
    low: np.ndarray
    high: np.ndarray
    lanes: np.ndarray


class CountResult(NamedTuple):
    """What the likelihood of counts says of bags and rows.

    Parameters
    ----------
    log_likelihood : ndarray of shape (m,)
        Log-probability of the count of each bag.
    posterior : ndarray of shape (n,)
        Probability that a row is positive, given the count of its bag.
    probability : ndarray of shape (n,)
        The same before the count is known: sigmoid of the logits.
    variance : ndarray of shape (n,)
        ``probability * (1 - probability)``, without cancellation.
    """

    log_likelihood: np.ndarray
    posterior: np.ndarray
    probability: np.ndarray
    variance: np.ndarray


def table_size(largest):
    """Return the length of the tables of probabilities.

    Parameters
    ----------
    largest : int
        Rows of the largest bag.

    Returns
    -------
    int
    """
    return largest + 1 + 2 * _EDGE


@kernel
def count_bags(logits, order, start, counts, first, last, room, result, work):
    """Compute log-likelihoods and posteriors of bags `first` to `last` - 1.

    Parameters
    ----------
    logits : ndarray of shape (n,)
        Log-odds of the rows, finite.
    order : ndarray of shape (n,), intp
        Rows, bag after bag.
    start : ndarray of shape (m + 1,), intp
        Where the rows of each bag start in `order`.
    counts : ndarray of shape (m,), intp
        Positive rows of each bag.
    first, last : int
        Which bags.
    room : int
        Rows that `work` has room for, unless a single bag has more.
    result : CountResult
        Filled in for these bags, the posteriors for their rows. Probabilities and
        variances, which need no bags, are filled in for as many rows where they lie
        side by side in memory: ``start[first]`` to ``start[last] - 1``.
    work : CountWork
        Overwritten.
    """
    _row_moments(logits, start[first], start[last], result.probability, result.variance)
    bag = first
    while bag < last:
        end = bag + 1
        while end < last and start[end + 1] - start[bag] <= room:
            end += 1
        begin, n = start[bag], start[end] - start[bag]
        for i in range(n):
            work.logits[i] = logits[order[begin + i]]
        _sigmoids(work.logits, 0.0, work.positive, work.negative, work.odds, n)
        for a in range(bag, end):
            result.log_likelihood[a] = _one_bag(
                start[a] - begin, start[a + 1] - start[a], counts[a], work
            )
        for i in range(n):
            result.posterior[order[begin + i]] = work.posterior[i]
        bag = end


@kernel(fastmath=_FUSE)
def _row_moments(logits, first, last, probability, variance):
    """Probabilities and variances of consecutive rows."""
    for i in range(np.uintp(first), np.uintp(last)):
        x = logits[i]
        e = exp(-abs(x))
        larger = 1.0 / (1.0 + e)
        smaller = e * larger
        probability[i] = larger if x >= 0.0 else smaller
        variance[i] = smaller * larger


@kernel(fastmath=_FUSE)
def _sigmoids(logits, shift, positive, negative, odds, n):
    """Probabilities of both outcomes at shifted logits, and the odds of the rarer."""
    for i in range(n):
        x = logits[i] + shift
        e = exp(-abs(x))
        larger = 1.0 / (1.0 + e)
        smaller = e * larger
        up = x >= 0.0
        positive[i] = larger if up else smaller
        negative[i] = smaller if up else larger
        odds[i] = e


@kernel
def _one_bag(at, size, count, work):
    """Log-likelihood of a bag; fills in the posteriors of its rows."""
    if count <= 0 or count >= size:
        return _sure_bag(at, size, count, work)
    end = at + size
    total, spread = _moments(work.positive[at:end], work.negative[at:end])
    log_factor = 0.0
    if not _is_likely(total, spread, count):
        log_factor = _tilt(at, size, count, total, spread, work)
    low, high = _count_table(work.positive, work.negative, at, size, work.table)
    here = work.table[size - count + _EDGE]
    if here == 0.0:  # only logits too large for a shift to be seen beside them
        work.posterior[at:end] = nan
        return -inf
    steps = _split_table(size, count, low, high, work)
    _posteriors(at, size, steps, 1.0 / here, work)
    return min(log(here) + log_factor, 0.0)


@kernel
def _sure_bag(at, size, count, work):
    """Log-likelihood of a bag of which all rows or none are positive."""
    if count < 0 or count > size:
        work.posterior[at : at + size] = nan
        return -inf
    work.posterior[at : at + size] = 0.0 if count == 0 else 1.0
    sign, loss = (1.0 if count == 0 else -1.0), 0.0
    for i in range(at, at + size):
        loss += max(sign * work.logits[i], 0.0)
    return 0.0 - (loss + _sum_log1p(work.odds[at : at + size], work.lanes))


@kernel(fastmath=_FAST)
def _moments(positive, negative):
    """Mean and variance of the count."""
    total, spread = 0.0, 0.0
    for i in range(len(positive)):
        total += positive[i]
        spread += positive[i] * negative[i]
    return total, spread


@kernel(fastmath=_FUSE)
def _sum_log1p(odds, lanes):
    """Sum log(1 + odds) of odds up to 1, with a logarithm for hundreds of rows.

    What is multiplied is kept as the product minus 1, so that small odds count.
    """
    total, size = 0.0, len(odds)
    for begin in range(0, size, LANES * _FLUSH):
        end = min(begin + LANES * _FLUSH, size)
        whole = end - (end - begin) % LANES
        lanes[:] = 0.0
        for i in range(begin, whole, LANES):
            for m in range(LANES):
                lanes[m] += odds[i + m] * (1.0 + lanes[m])
        product = 0.0
        for i in range(whole, end):
            product += odds[i] * (1.0 + product)
        for m in range(LANES):
            product += lanes[m] * (1.0 + product)
        total += log1p(product)
    return total


@kernel
def _is_likely(total, spread, count):
    """Whether a count is within two standard deviations of the mean, or very near it.

    There its probability is not much below the largest one, which is all that the
    computation needs: errors are relative to the largest.
    """
    return (total - count) ** 2 <= max(4.0 * spread, 0.0025)


@kernel
def _tilt(at, size, count, total, spread, work):
    """Shift the logits of a bag until its count is likely.

    Newton's method for the log-odds of the mean, which a shift moves by about as much
    as itself, between bounds that a bisection narrows.

    Returns
    -------
    float
        Log of the ratio of the probabilities of the count, before and after.
    """
    logits, x = work.logits, work.tilted
    least, most = logits[at], logits[at]
    for i in range(size):
        x[i] = logits[at + i]
        least, most = min(least, x[i]), max(most, x[i])
    x[size : size + LANES] = -inf
    padded = size + (-size) % 8  # no row is left over by the widest vectors
    odds = log(count / (size - count))
    low, high, shift = odds - most, odds - least, 0.0
    while not _is_likely(total, spread, count):
        if total < count:
            low = max(low, shift)
        else:
            high = min(high, shift)
        ahead = odds - log(total / (size - total))
        step = shift + ahead * total * (size - total) / (size * spread)
        if not low <= step <= high:
            step = 0.5 * low + 0.5 * high
        if step == shift:
            break
        shift = step
        p, q, r = work.tilted_positive, work.tilted_negative, work.tilted_odds
        _sigmoids(x, shift, p, q, r, padded)
        total, spread = _moments(p[:padded], q[:padded])
    return _use_tilted(at, size, count, shift, work)


@kernel(fastmath=_FAST)
def _use_tilted(at, size, count, shift, work):
    """Put shifted rows in place; return the log of the ratio of probabilities.

    That is the sum of the rows' ``softplus(x + shift) - softplus(x)`` minus
    ``count * shift``. Whole multiples of the shift are cancelled first.
    """
    before = _sum_log1p(work.odds[at : at + size], work.lanes)
    after = _sum_log1p(work.tilted_odds[:size], work.lanes)
    n_up, crossed = -count, 0.0
    for i in range(size):
        x = work.tilted[i]
        was_up, is_up = x > 0.0, x + shift > 0.0
        n_up += is_up
        crossed += (x if is_up else -x) if is_up != was_up else 0.0
    for i in range(size):
        work.positive[at + i] = work.tilted_positive[i]
    for i in range(size):
        work.negative[at + i] = work.tilted_negative[i]
    for i in range(size):
        work.odds[at + i] = work.tilted_odds[i]
    return (n_up * shift + crossed) + (after - before)


@kernel(fastmath=_FUSE)
def _count_table(positive, negative, at, size, table):
    """Probabilities of counts, that of j at ``size - j + _EDGE``.

    Four rows at a time multiply the table by a polynomial of degree 4. In bags that
    are not small, counts are left out that are improbable beyond double precision.

    Returns
    -------
    low, high : int
        Counts outside of these are left out.
    """
    table[: size + 1 + 2 * _EDGE] = 0.0
    table[size + _EDGE] = 1.0
    low, high, mean, variance = 0, size, 0.0, 0.0
    for t in range(0, size, 4):
        if size > _NARROW and t % _WINDOW_ROWS == 0:
            before = mean
            for i in range(at + t, at + min(t + _WINDOW_ROWS, size)):
                mean += positive[i]
                variance += positive[i] * negative[i]
            reach = 9.0 * sqrt(variance) + 8.0
            low = max(0, floor(before - reach))
            high = min(size, ceil(mean + reach))
        i = at + t
        p, q = positive[i], negative[i]
        p1, q1 = (positive[i + 1], negative[i + 1]) if t + 1 < size else (0.0, 1.0)
        p2, q2 = (positive[i + 2], negative[i + 2]) if t + 2 < size else (0.0, 1.0)
        p3, q3 = (positive[i + 3], negative[i + 3]) if t + 3 < size else (0.0, 1.0)
        a0, a1, a2 = q * q1, q * p1 + p * q1, p * p1
        b0, b1, b2 = q2 * q3, q2 * p3 + p2 * q3, p2 * p3
        c0, c1, c3, c4 = a0 * b0, a0 * b1 + a1 * b0, a1 * b2 + a2 * b1, a2 * b2
        c2 = a0 * b2 + a1 * b1 + a2 * b0
        top = min(t + 4, high)
        # Unsigned positions: those that might count from the end do not vectorise.
        begin = np.uintp(size - top + _EDGE)
        for m in range(begin, begin + np.uintp(top - low + 1)):
            table[m] = (
                c0 * table[m]
                + c1 * table[m + _1]
                + c2 * table[m + _2]
                + c3 * table[m + _3]
                + c4 * table[m + _4]
            )
    return low, high


@kernel
def _split_table(size, count, low, high, work):
    """Lay out probabilities towards the count, from below and from above.

    Returns
    -------
    int
        How many there are, a multiple of 4: zeros come first.
    """
    steps = max(count - low, high - count)
    steps += (-steps) % 4
    for t in range(steps):
        j = count - steps + t
        work.low[t] = work.table[size - j + _EDGE] if j >= low else 0.0
        j = count + steps - t
        work.high[t] = work.table[size - j + _EDGE] if j <= high else 0.0
    return steps


@kernel(fastmath=_FUSE)
def _posteriors(at, size, steps, per_here, work):
    """Posterior probabilities, from the tables without each of the rows.

    What is written beyond the end of the bag belongs to bags whose turn is yet to come.
    """
    positive, odds, rest = work.positive, work.odds, work.posterior
    low, high = work.low, work.high
    for i in range(at, at + size, LANES):
        first, last = np.uintp(i), np.uintp(i + LANES)
        for m in range(first, last):
            rest[m] = 0.0
        for t in range(0, steps, 4):
            f0, f1, f2, f3 = low[t], low[t + 1], low[t + 2], low[t + 3]
            g0, g1, g2, g3 = high[t], high[t + 1], high[t + 2], high[t + 3]
            for m in range(first, last):
                up, r, h = positive[m] >= 0.5, odds[m], rest[m]
                h = (g0 if up else f0) - r * h
                h = (g1 if up else f1) - r * h
                h = (g2 if up else f2) - r * h
                rest[m] = (g3 if up else f3) - r * h
        for m in range(first, last):
            rarer = min(max(odds[m] * rest[m] * per_here, 0.0), 1.0)
            rest[m] = 1.0 - rarer if positive[m] >= 0.5 else rarer
