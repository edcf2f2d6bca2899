"""The counter-based generator against published vectors, laws and its own promises."""

import numpy as np
import pytest
from scipy import stats

from skloss._jit import kernel
from skloss._random import (
    fill_normal,
    fill_uniform,
    integer,
    normal,
    philox,
    seed_from,
    sign,
    uniform,
)

# Known answers of the authors' library Random123 for philox4x32-10.
KNOWN_ANSWERS = [
    ("00000000 " * 4, "00000000 " * 2, "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff " * 4, "ffffffff " * 2, "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    (
        "243f6a88 85a308d3 13198a2e 03707344",
        "a4093822 299f31d0",
        "d16cfe09 94fdcceb 5001e420 24126ea1",
    ),
]


def words(text):
    return [np.uint64(int(word, 16)) for word in text.split()]


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_known_answers(counter, key, expected):
    assert [*philox(*words(counter), *words(key))] == words(expected)


def test_words_are_the_generators():
    """Indices 2i and 2i + 1 are the two halves of counter (i, stream)."""
    key, stream, index = (7 << 32) + 5, (3 << 32) + 11, (2 << 33) + 20
    block = philox(*(np.uint64(c) for c in (10, 2, 11, 3, 5, 7)))
    for half in range(2):
        word = (int(block[2 * half]) << 32) + int(block[2 * half + 1])
        assert uniform(key, stream, index + half) == ((word >> 12) + 0.5) / 2**52


@pytest.mark.parametrize("fill", [fill_uniform, fill_normal])
def test_numbers_depend_on_position_only(fill):
    whole = np.empty(1001)
    fill(1, 2, 0, whole)
    for size in (1, 7, 64):
        pieces = np.empty_like(whole)
        for start in reversed(range(0, 1001, size)):
            fill(1, 2, start, pieces[start : start + size])
        np.testing.assert_array_equal(pieces, whole)
    single = np.empty(1001, np.float32)
    fill(1, 2, 0, single)
    np.testing.assert_array_equal(single, whole.astype(np.float32))


def test_uniform_law():
    u = np.empty(200_000)
    fill_uniform(seed_from(0), 0, 0, u)
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert 0 < u.min() < 1e-4
    assert 1 - 1e-4 < u.max() < 1
    # also the low bits: multiplying them up gives a uniform number again
    assert stats.kstest((u * 2**30) % 1, "uniform").pvalue > 1e-3


def test_normal_law():
    x = np.empty(200_000)
    fill_normal(seed_from(1), 3, 0, x)
    assert stats.kstest(x, "norm").pvalue > 1e-3
    assert stats.cramervonmises(x, "norm").pvalue > 1e-3
    np.testing.assert_allclose(
        [x.mean(), x.var(), (x**3).mean(), (x**4).mean()], [0, 1, 0, 3], atol=0.05
    )
    assert normal(seed_from(1), 3, 17) == x[17]


def test_neighbouring_keys_streams_and_indices_are_independent():
    n = 100_000
    a, b, c = np.empty(n), np.empty(n), np.empty(n)
    fill_normal(5, 0, 0, a)
    fill_normal(5, 1, 0, b)
    fill_normal(6, 0, 0, c)
    bound = 5 / np.sqrt(n)
    for first, second in ((a, b), (a, c), (b, c), (a[1:], a[:-1]), (a[2:], a[:-2])):
        assert abs(np.corrcoef(first, second)[0, 1]) < bound
        assert abs(np.corrcoef(first**2, second**2)[0, 1]) < bound


@kernel
def _integers(key, n, out):
    for i in range(out.size):
        out[i] = integer(key, 0, i, n)


@kernel
def _signs(key, out):
    for i in range(out.size):
        out[i] = sign(key, 0, i)


@pytest.mark.parametrize("n", [1, 2, 10, 1000])
def test_integer_law(n):
    draws = np.empty(100_000, np.intp)
    _integers(3, n, draws)
    counts = np.bincount(draws, minlength=n)
    assert counts.size == n
    assert n == 1 or stats.chisquare(counts).pvalue > 1e-3


def test_integer_of_large_range():
    n = 2**32 - 1
    draws = np.empty(50_000, np.int64)
    _integers(4, n, draws)
    assert draws.min() >= 0
    assert draws.max() < n
    assert stats.kstest(draws / n, "uniform").pvalue > 1e-3


def test_sign_law():
    draws = np.empty(100_000)
    _signs(9, draws)
    assert set(draws) == {-1.0, 1.0}
    assert abs(draws.mean()) < 5 / np.sqrt(draws.size)


def test_seed_from():
    assert seed_from(0) == seed_from(0) != seed_from(1)
    state = np.random.RandomState(0)
    assert seed_from(state) != seed_from(state)
    assert 0 <= seed_from(None) < 2**63
    with pytest.raises(ValueError, match="seed"):
        seed_from("seed")
