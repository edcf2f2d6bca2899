import numpy as np
import pytest

from skloss.compare.units import number, ratio, seconds, with_interval


@pytest.mark.parametrize(
    "value, unit, text",
    [
        (0.123456, None, "0.123"),
        (12.3456, None, "12.3"),
        (1234.56, None, "1,235"),
        (0.123456, 0.01, "0.123"),
        (0.123456, 0.2, "0.12"),
        (123.456, 20, "123"),
        (-0.00001, 0.1, "0.00"),
        (0.0, None, "0"),
        (3.2e-7, None, "3.20e-07"),
        (2.5e9, None, "2.50e+09"),
        (np.nan, None, "–"),
        (np.inf, 1, "–"),
    ],
)
def test_numbers(value, unit, text):
    assert number(value, unit) == text


def test_intervals_and_scores_share_their_decimals():
    assert with_interval(0.5, 0.45, 0.55) == "0.500 ± 0.050"
    assert with_interval(0.5, 0.45, 0.55, unit=1.0) == "0.5 ± 0.1"
    assert with_interval(0.5, np.nan, np.nan) == "0.500"


def test_ratios_and_durations():
    assert [ratio(v) for v in (0.5, 1, 2.34, 12.3, 1234, np.nan)] == [
        "0.5×",
        "1×",
        "2.3×",
        "12×",
        "1,234×",
        "–",
    ]
    assert [seconds(v) for v in (2e-6, 0.0123, 1.5, np.nan)] == [
        "2 µs",
        "12.3 ms",
        "1.5 s",
        "–",
    ]
