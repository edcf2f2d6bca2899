"""Counter-based random numbers for kernels: a number is a function of its position.

Every number is determined by a key (from ``random_state``), a stream (an integer that
tells uses apart: a block of features, an epoch) and an index. Nothing has a state, so
the numbers are the same for any number of threads, any order of the work and any
division into blocks; and they are computed in float64 and rounded when stored, so that
float32 sees the same numbers.

The generator is Philox4x32-10 of J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw,
"Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, with the counter (index, index's
high word, stream, stream's high word). One application gives 128 bits, which serve two
indices. Normal numbers are quantiles of the uniform ones.
"""

import numpy as np
from sklearn.utils import check_random_state

from skloss._elementary import normal_quantile
from skloss._jit import kernel

__all__ = [
    "fill_normal",
    "fill_uniform",
    "integer",
    "normal",
    "philox",
    "seed_from",
    "sign",
    "uniform",
]

_U = np.uint64
_LOW, _WORD = _U(0xFFFFFFFF), _U(32)
# Multipliers and key increments of the paper.
_M0, _M1 = _U(0xD2511F53), _U(0xCD9E8D57)
_W0, _W1 = _U(0x9E3779B9), _U(0xBB67AE85)
_ONE, _DISCARDED = _U(1), _U(12)
_STEP = 2.0**-52
_BELOW_1 = 1.0 - 2.0**-24  # the largest float32 below 1


def seed_from(random_state):
    """Draw a generator's key.

    Parameters
    ----------
    random_state : int, RandomState or None
        As everywhere in scikit-learn: an instance is advanced.

    Returns
    -------
    int
        Key from 0 to 2**63 - 1.

    Raises
    ------
    ValueError
        If `random_state` cannot seed a ``RandomState``.
    """
    random = check_random_state(random_state)
    return int(random.randint(np.iinfo(np.int64).max, dtype=np.int64))


@kernel(forceinline=True)
def philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10.

    Parameters
    ----------
    c0, c1, c2, c3 : uint64
        Words of the counter, below 2**32.
    k0, k1 : uint64
        Words of the key, below 2**32.

    Returns
    -------
    tuple of 4 uint64
        Random words below 2**32.
    """
    for _ in range(10):
        p0, p1 = _M0 * c0, _M1 * c2
        c0, c1, c2, c3 = (
            (p1 >> _WORD) ^ c1 ^ k0,
            p1 & _LOW,
            (p0 >> _WORD) ^ c3 ^ k1,
            p0 & _LOW,
        )
        k0, k1 = (k0 + _W0) & _LOW, (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@kernel(forceinline=True)
def _word(key, stream, index):
    """Random 64-bit word; two consecutive indices share one application."""
    k, s, i = _U(key), _U(stream), _U(index)
    pair = i >> _ONE
    a, b, c, d = philox(
        pair & _LOW, pair >> _WORD, s & _LOW, s >> _WORD, k & _LOW, k >> _WORD
    )
    return (c << _WORD) | d if i & _ONE else (a << _WORD) | b


@kernel(forceinline=True)
def _fraction(word):
    """Odd multiple of 2**-53 in (0, 1): never 0 or 1, and symmetric about 1/2."""
    return (np.float64(np.int64(word >> _DISCARDED)) + 0.5) * _STEP


@kernel(forceinline=True)
def uniform(key, stream, index):
    """Uniform number in the open interval (0, 1), float64."""
    return _fraction(_word(key, stream, index))


@kernel(forceinline=True)
def normal(key, stream, index):
    """Draw from the standard normal law, float64, at most 8.3 in magnitude."""
    return normal_quantile(uniform(key, stream, index))


@kernel(forceinline=True)
def sign(key, stream, index):
    """-1.0 or 1.0 with probability 1/2 each."""
    return 1.0 if _word(key, stream, index) >> _U(63) else -1.0


@kernel(forceinline=True)
def integer(key, stream, index, n):
    """Integer from 0 to n - 1, for 0 < n < 2**32.

    Probabilities deviate from 1 / n by less than 2**-32 relative.
    """
    word, count = _word(key, stream, index), _U(n)
    # high part of the product of the word, as a fraction, with n
    carry = ((word & _LOW) * count) >> _WORD
    return np.int64(((word >> _WORD) * count + carry) >> _WORD)


@kernel
def fill_uniform(key, stream, start, out):
    """Fill `out` (n,), float32 or float64, with uniform numbers in (0, 1).

    Parameters
    ----------
    key, stream : int
        Generator and use.
    start : int
        Index of the first number.
    out : ndarray of shape (n,)
        Filled with the numbers of the indices `start` to ``start + n - 1``.
    """
    # rounding to float32 must not reach 1
    largest = _BELOW_1 if out.itemsize == 4 else 1.0
    for i in range(out.size):
        out[i] = min(uniform(key, stream, start + i), largest)


@kernel(fastmath={"contract"})
def fill_normal(key, stream, start, out):
    """Fill `out` (n,) with standard normal numbers; parameters as `fill_uniform`."""
    for i in range(out.size):
        out[i] = normal(key, stream, start + i)
