"""Exact samples of the discrete Laplace and Gaussian laws, by integers alone.

A floating-point number that was meant to be Laplace or Gaussian noise betrays what it
was added to: not every sum can be reached from every number (I. Mironov, "On
significance of the least significant bits for differential privacy", CCS 2012). Here
noise is an integer, and its law is exactly the stated one: it is built from uniform
integers by comparisons, after C. L. Canonne, G. Kamath, T. Steinke, "The discrete
Gaussian for differential privacy", NeurIPS 2020, whose loops run here over arrays.

Scales are integers up to `LARGEST_SCALE`, so that 64 bits hold everything: a magnitude
beyond them has a probability below exp(-2**20).

A source of randomness is a function that takes a count and returns that many
independent uniform 64-bit words, uint64.
"""

import os

import numpy as np

__all__ = [
    "LARGEST_SCALE",
    "bernoulli_exp",
    "discrete_gaussian",
    "discrete_laplace",
    "seeded_words",
    "system_words",
    "uniform_below",
]

LARGEST_SCALE = 2**42
_U = np.uint64
_LAST = _U(2**64 - 1)


def system_words(count):
    """Return random words from the operating system, which nobody can predict."""
    return np.frombuffer(os.urandom(8 * count), dtype=np.uint64)


def seeded_words(seed):
    """Return a source of words that a seed determines, for simulations.

    Parameters
    ----------
    seed : int
        From 0 to 2**64 - 1.

    Returns
    -------
    callable
        The source.
    """
    return np.random.Philox(key=seed).random_raw


def uniform_below(words, bounds):
    """Draw integers that are uniform from 0 to ``bounds - 1``, exactly.

    Parameters
    ----------
    words : callable
        Source of randomness.
    bounds : ndarray of shape (n,), int64
        Positive.

    Returns
    -------
    ndarray of shape (n,), int64
    """
    bounds = bounds.astype(np.uint64)
    # The words up to `last` are a whole number of runs of `bounds` words, so that each
    # remainder is as frequent as any other; later words are drawn again.
    last = _LAST - (_LAST % bounds + _U(1)) % bounds
    drawn = words(len(bounds))
    beyond = np.flatnonzero(drawn > last)
    if len(beyond):
        drawn = drawn.copy()  # what the system hands out cannot be written
    while len(beyond):
        drawn[beyond] = words(len(beyond))
        beyond = beyond[drawn[beyond] > last[beyond]]
    return (drawn % bounds).astype(np.int64)


def _coins(words, count):
    """Toss fair coins."""
    return (words(count) >> _U(63)).astype(bool)


def _alternate(words, happens, count):
    """Return true with probability exp(-c), where an event has probability c <= 1.

    Of independent trials of which the k-th succeeds with probability c/k, the number
    of the first to fail is odd with probability 1 - c + c^2/2 - ... = exp(-c).

    Parameters
    ----------
    words : callable
        Source of randomness.
    happens : callable
        Draws the event, afresh, for the samples whose positions it is given.
    count : int
        Number of samples.

    Returns
    -------
    ndarray of shape (count,), bool
    """
    outcome = np.zeros(count, dtype=bool)
    active, k = np.arange(count), 1
    while len(active):
        success = happens(active)
        if k > 1:
            success &= uniform_below(words, np.full(len(active), k)) == 0
        outcome[active[~success]] = k % 2 == 1
        active = active[success]
        k += 1
    return outcome


def _always(active):
    return np.ones(len(active), dtype=bool)


def bernoulli_exp(words, numerators, denominators):
    """Return true with probability exp(-p/q), exactly.

    Parameters
    ----------
    words : callable
        Source of randomness.
    numerators, denominators : ndarray of shape (n,), int64
        p, not negative, and q, positive.

    Returns
    -------
    ndarray of shape (n,), bool
    """
    whole, rest = np.divmod(numerators, denominators)

    def happens(active):
        return uniform_below(words, denominators[active]) < rest[active]

    outcome = _alternate(words, happens, len(whole))
    active = np.flatnonzero(outcome & (whole > 0))
    while len(active):  # a factor exp(-1) for each whole one
        outcome[active] = _alternate(words, _always, len(active))
        whole[active] -= 1
        active = active[outcome[active] & (whole[active] > 0)]
    return outcome


def _geometric(words, count):
    """Draw v = 0, 1, ... with probabilities that fall by the factor exp(-1)."""
    drawn = np.zeros(count, dtype=np.int64)
    active = np.arange(count)
    while len(active):
        active = active[_alternate(words, _always, len(active))]
        drawn[active] += 1
    return drawn


def discrete_laplace(words, scales):
    """Draw integers x with probabilities proportional to exp(-|x|/t).

    Parameters
    ----------
    words : callable
        Source of randomness.
    scales : ndarray of shape (n,), int64
        t, from 1 to `LARGEST_SCALE`.

    Returns
    -------
    ndarray of shape (n,), int64
        The variance is ``1 / (2 sinh(1/(2t))**2)``.
    """
    drawn = np.empty(len(scales), dtype=np.int64)
    pending = np.arange(len(scales))
    while len(pending):
        scale = scales[pending]
        below = uniform_below(words, scale)
        kept = bernoulli_exp(words, below, scale)
        size = below + scale * _geometric(words, len(pending))
        negative = _coins(words, len(pending))
        kept &= ~(negative & (size == 0))  # or zero would come twice as often
        drawn[pending] = np.where(negative, -size, size)
        pending = pending[~kept]
    return drawn


def discrete_gaussian(words, scales):
    """Draw integers x with probabilities proportional to exp(-x^2 / (2 t^2)).

    Parameters
    ----------
    words : callable
        Source of randomness.
    scales : ndarray of shape (n,), int64
        t, from 1 to `LARGEST_SCALE`.

    Returns
    -------
    ndarray of shape (n,), int64
        The variance is below t^2, by a share that is below 1e-6 at t = 1 and below the
        rounding of floats from t = 2 on.
    """
    drawn = np.empty(len(scales), dtype=np.int64)
    pending = np.arange(len(scales))
    while len(pending):
        # exp(-|x|/t) exp(-(|x| - t)^2 / (2t^2)) is as wanted, but for a constant.
        drawn[pending] = discrete_laplace(words, scales[pending])
        distance = np.abs(np.abs(drawn[pending]) - scales[pending])
        pending = pending[~_bernoulli_half_square(words, distance, scales[pending])]
    return drawn


def _bernoulli_half_square(words, numerators, denominators):
    """Return true with probability exp(-(p/q)^2 / 2), exactly.

    No square is formed, which 64 bits would not hold. With p/q = a + r, a whole and r
    a fraction, (p/q)^2 / 2 is r^2/2 plus the sum of r + (2j + 1)/2 over j < a.
    """
    whole, rest = np.divmod(numerators, denominators)

    def fraction(active):
        return uniform_below(words, denominators[active]) < rest[active]

    def half_square(active):
        return fraction(active) & fraction(active) & _coins(words, len(active))

    outcome = _alternate(words, half_square, len(whole))
    j, active = 0, np.flatnonzero(outcome & (whole > 0))
    while len(active):
        count = len(active)
        outcome[active] = bernoulli_exp(
            words, np.full(count, 2 * j + 1), np.full(count, 2)
        ) & bernoulli_exp(words, rest[active], denominators[active])
        j += 1
        active = active[outcome[active] & (whole[active] > j)]
    return outcome
