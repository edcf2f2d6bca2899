"""Comparisons of 64 numbers at once, against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skloss._jit import kernel
from skloss._simd import LANES, equal_bits, less_bits, trailing_zeros


@kernel
def less(values, limits, start):
    return less_bits(values, limits, start)


@kernel
def equal(values, value, start):
    return equal_bits(values, value, start)


@kernel
def lowest_bit(bits):
    return trailing_zeros(bits)


@kernel
def visit(values, limits, out):
    """Positions where values are below their limits, as the package's loops go."""
    n_found = 0
    for start in range(0, values.size - values.size % LANES, LANES):
        bits = less_bits(values, limits, start)
        while bits:
            out[n_found] = start + trailing_zeros(bits)
            bits &= bits - np.uint64(1)
            n_found += 1
    return n_found


def bits_of(flags):
    return sum(1 << int(b) for b in np.flatnonzero(flags))


SPECIAL = [0.0, -0.0, 1.0, -1.0, np.nan, np.inf, -np.inf, 5e-324, 1e-40, 3e38]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(seed=st.integers(0, 10**6), start=st.integers(0, 70))
def test_less_equals_numpy(dtype, seed, start):
    rng = np.random.default_rng(seed)
    values, limits = rng.choice(SPECIAL, (2, 70 + LANES)).astype(dtype)
    values, limits = np.ascontiguousarray(values), np.ascontiguousarray(limits)
    chosen = slice(start, start + LANES)
    assert less(values, limits, start) == bits_of(values[chosen] < limits[chosen])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("lane", range(LANES))
def test_every_lane_has_its_bit(dtype, lane):
    values, limits = np.ones((2, LANES), dtype)
    values[lane] = 0
    assert less(values, limits, 0) == 1 << lane
    assert lowest_bit(np.uint64(1 << lane)) == lane
    assert lowest_bit(np.uint64((2**64 - 1) >> lane << lane)) == lane


@given(seed=st.integers(0, 10**6), start=st.integers(0, 70))
def test_equal_equals_numpy(seed, start):
    rng = np.random.default_rng(seed)
    values = rng.choice([-1, 0, 1, 2**40, -(2**63)], 70 + LANES).astype(np.intp)
    for value in (-1, 0, 2**40, -(2**63), 7):
        expected = bits_of(values[start : start + LANES] == value)
        assert equal(values, value, start) == expected


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 1.0])
def test_loops_visit_what_passes_in_order(dtype, share, rng):
    values = (rng.random(640) >= share).astype(dtype)
    out = np.empty(640, dtype=np.intp)
    n_found = visit(values, np.full(640, 0.5, dtype), out)
    np.testing.assert_array_equal(out[:n_found], np.flatnonzero(values < 0.5))


def test_unaligned_views_are_read_right(rng):
    # elements need not stand at multiples of 64 bytes
    buffer = rng.random(LANES * 2 + 3)
    for offset in range(8):
        values = buffer[offset : offset + LANES]
        assert less(values, np.full(LANES, 0.5), 0) == bits_of(values < 0.5)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (np.zeros(LANES, np.float32), np.zeros(LANES)),  # two dtypes
        (np.zeros((LANES, 1)), np.zeros((LANES, 1))),  # not vectors
        (np.zeros(2 * LANES)[::2], np.zeros(LANES)),  # not contiguous
        (np.zeros(LANES, np.intp), np.zeros(LANES, np.intp)),  # not floating
    ],
)
def test_other_arrays_do_not_compile(left, right):
    from numba.core.errors import TypingError

    with pytest.raises(TypingError):
        less(left, right, 0)
