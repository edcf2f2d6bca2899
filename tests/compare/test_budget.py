import time

import pytest

from skloss.compare.budget import (
    Clock,
    OutOfTime,
    affordable_candidates,
    extrapolate,
    search_seconds,
    shares,
    time_limit,
)


def test_small_needs_are_met_and_the_rest_is_divided():
    assert shares([1.0, 100.0, 5.0, 100.0], 16.0) == [1.0, 5.0, 5.0, 5.0]
    assert shares([1.0, 2.0], 10.0) == [1.0, 2.0]
    assert shares([], 3.0) == []
    assert shares([float("inf"), 1.0], 4.0) == [3.0, 1.0]


def test_nobody_within_an_equal_share_is_cut(rng):
    for _ in range(50):
        needs = list(rng.exponential(size=6))
        total = rng.exponential() * 4
        given = shares(needs, total)
        assert sum(given) <= total * (1 + 1e-12)
        for need, grant in zip(needs, given):
            assert grant == need or grant >= total / 6 * (1 - 1e-12)


def test_the_predicted_search_counts_every_fit():
    # 2 splits: default, chosen, and 4 candidates on 3 inner folds of two thirds
    assert search_seconds(1.0, n_splits=2, n_inner=3, n=4) == pytest.approx(
        2 * (2 + 4 * 3 * 2 / 3)
    )
    assert search_seconds(1.0, n_splits=2, n_inner=3, n=0) == 2


def test_candidates_are_cut_by_halves():
    arguments = {"n_splits": 10, "n_inner": 3, "n_candidates": 9}
    full = search_seconds(1.0, n_splits=10, n_inner=3, n=9)
    assert affordable_candidates(1.0, full, **arguments) == 9
    assert affordable_candidates(1.0, full * 0.9, **arguments) == 4
    assert affordable_candidates(1.0, 20.0, **arguments) == 0


@pytest.mark.parametrize("power", [0, 0.5, 1, 2, 3])
def test_growth_is_extrapolated(power):
    half, full, truth = 500**power, 1000**power, 8000**power
    predicted = extrapolate((half, full), 8)
    assert truth * (1 - 1e-12) <= predicted <= 2 * truth


def test_a_long_block_is_interrupted():
    start = time.perf_counter()
    with pytest.raises(OutOfTime), time_limit(0.2):
        time.sleep(5)
    assert time.perf_counter() - start < 1


def test_a_swallowed_interruption_comes_again():
    swallowed = 0
    with pytest.raises(OutOfTime), time_limit(0.1):
        for _ in range(2):
            try:
                time.sleep(5)
            except OutOfTime:
                swallowed += 1
        time.sleep(5)
    assert swallowed == 2


def test_an_error_caused_by_the_interruption_counts_as_one():
    def clumsy():
        try:
            time.sleep(5)
        except OutOfTime:
            raise ValueError("something broke") from None

    with pytest.raises(OutOfTime), time_limit(0.1):
        clumsy()
    with pytest.raises(ValueError, match="own"), time_limit(5):
        raise ValueError("own")


def test_a_short_block_is_left_alone():
    with time_limit(0.2):
        pass
    time.sleep(0.3)


def test_clock():
    clock = Clock(0.05)
    assert 0 < clock.left <= 0.05
    time.sleep(0.06)
    assert clock.left == 0 and clock.spent >= 0.06


def test_compiling_is_not_charged():
    import numba

    @numba.njit
    def slow_to_compile(a):
        return (a * a).sum() + a.mean()

    import numpy as np

    clock = Clock(100)
    start = time.perf_counter()
    with time_limit(0.05):  # far less than the compiler needs
        slow_to_compile(np.ones(3))
    took = time.perf_counter() - start
    assert took > 0.05
    assert clock.compiling > 0.8 * took
    assert clock.spent < 0.2 * took
