"""Calibration of rare events against the definition, written row by row."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, log_loss

from skloss.ordinal.metrics import (
    calibration_bins,
    grouped_calibration_error,
    rare_log_loss,
)


def by_definition(y_true, p, n_bins):
    """Groups of equal size, for numbers of rows that n_bins divides."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    size, rest = divmod(len(p), n_bins)
    assert rest == 0
    total = Fraction(0)
    for start in range(0, len(p), size):
        rows = order[start : start + size]
        rate = Fraction(int(sum(y_true[i] for i in rows)), size)
        total += sum((Fraction(p[i]) - rate) ** 2 for i in rows)
    return float(total / len(p))


def draw(rng, n):
    p = rng.beta(0.3, 5, size=n)
    return rng.random(n) < p, p


@pytest.mark.parametrize("n_bins", [1, 2, 5, 12, 60])
def test_error_is_its_definition(rng, n_bins):
    y_true, p = draw(rng, 60)
    p[10:20] = p[10]  # ties, which keep their order
    found = grouped_calibration_error(y_true, p, n_bins)
    assert found == pytest.approx(by_definition(y_true, p.tolist(), n_bins), rel=1e-12)


def test_rates_belong_to_the_rows_own_group():
    """The order of the rows must not matter; with the published code it does."""
    p = np.array([0.9, 0.1, 0.8, 0.2, 0.7, 0.3])
    y_true = p > 0.5
    # Rates are 1 and 0: deviations are 0.1, 0.2 and 0.3 in either group.
    assert grouped_calibration_error(y_true, p, 2) == pytest.approx(0.14 / 3)


def test_as_many_groups_as_rows_give_the_brier_score(rng):
    y_true, p = draw(rng, 50)
    expected = brier_score_loss(y_true, p)
    assert grouped_calibration_error(y_true, p, 50) == pytest.approx(expected)
    assert grouped_calibration_error(y_true, p, 150) == pytest.approx(expected)


def test_one_group_separates_into_variance_and_bias(rng):
    y_true, p = draw(rng, 50)
    expected = p.var() + (p.mean() - y_true.mean()) ** 2
    assert grouped_calibration_error(y_true, p, 1) == pytest.approx(expected)


@given(
    st.lists(
        st.tuples(
            st.booleans(), st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 4)
        ),
        min_size=1,
        max_size=12,
    ).filter(lambda rows: any(row[2] for row in rows)),
    st.integers(1, 7),
)
def test_integer_weights_equal_repeated_rows(rows, n_bins):
    y_true, p, weights = (np.array(column) for column in zip(*rows))
    repeated = np.repeat(y_true, weights), np.repeat(p, weights)
    for score in (grouped_calibration_error, calibration_bins):
        weighted = score(y_true, p, n_bins, sample_weight=weights)
        np.testing.assert_allclose(
            weighted, score(*repeated, n_bins), rtol=1e-9, atol=1e-12
        )
    scaled = grouped_calibration_error(y_true, p, n_bins, sample_weight=weights / 7)
    assert scaled == pytest.approx(weighted_error(rows, n_bins), rel=1e-9, abs=1e-12)


def weighted_error(rows, n_bins):
    """Every row in n_bins copies for each unit of weight, so that groups come out."""
    copies = [row[2] * n_bins for row in rows]
    y_true, p, _ = (np.repeat(column, copies) for column in zip(*rows))
    return by_definition(y_true, p.tolist(), n_bins)


def test_quantile_bins_agree_with_scikit_learn(rng):
    y_true, p = draw(rng, 200)
    bins = calibration_bins(y_true, p, 8)
    rate, mean = calibration_curve(y_true, p, n_bins=8, strategy="quantile")
    np.testing.assert_allclose(bins.rate, rate, rtol=1e-12)
    np.testing.assert_allclose(bins.mean, mean, rtol=1e-12)
    np.testing.assert_allclose(bins.weight, 25, rtol=1e-12)


def test_log_bins_are_equally_wide_in_the_logarithm():
    p = np.array([0.0, 1e-4, 5e-4, 2e-3, 0.5, 1.0])  # borders at 1e-3, 1e-2 and 0.1
    y_true = np.array([0, 0, 1, 0, 1, 1])
    weights = np.array([2.0, 1.0, 1.0, 3.0, 1.0, 1.0])
    bins = calibration_bins(y_true, p, 4, weights, strategy="log")
    np.testing.assert_allclose(bins.mean, [1.5e-4, 2e-3, 0.75])
    np.testing.assert_allclose(bins.rate, [0.25, 0, 1])
    np.testing.assert_allclose(bins.weight, [4, 3, 2])


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_log_bins_of_equal_predictions_are_one(value):
    bins = calibration_bins([0, 1, 1, 1], [value] * 4, 5, strategy="log")
    np.testing.assert_array_equal(np.ravel(bins), [value, 0.75, 4])


@pytest.mark.parametrize("weighted", [False, True])
def test_rare_log_loss_is_scikit_learns(rng, weighted):
    y_true, p = draw(rng, 100)
    p[:4], y_true[:4] = [0, 0, 1, 1], [False, True, False, True]
    weights = rng.random(100) if weighted else None
    found = rare_log_loss(y_true, p, sample_weight=weights)
    expected = log_loss(y_true, p, sample_weight=weights)
    assert found == pytest.approx(expected, rel=1e-12)
    single = rare_log_loss(y_true, p.astype(np.float32))
    assert single == pytest.approx(log_loss(y_true, p.astype(np.float32)), rel=1e-6)


BAD = {
    r"y_true has 2 values, p has 3": {"y_true": [0, 1]},
    r"empty": {"y_true": [], "p": []},
    r"p\[1\] is nan": {"p": [0.1, np.nan, 0.2]},
    r"p\[2\] is 1.5": {"p": [0.1, 0.5, 1.5]},
    r"p\[0\] is -0.1": {"p": [-0.1, 0.5, 0.5]},
    r"y_true\[0\] is 2": {"y_true": [2, 0, 1]},
    r"y_true\[1\] is nan": {"y_true": [0, np.nan, 1]},
    r"y_true\[0\] is b": {"y_true": ["b", "a", "a"]},
    r"p must have one dimension; got \(1, 3\)": {"p": [[0.1, 0.2, 0.3]]},
    r"sample_weight\[0\] is -1": {"sample_weight": [-1, 1, 1]},
    r"sample_weight has 2 values": {"sample_weight": [1, 1]},
    r"All values of sample_weight are zero": {"sample_weight": [0, 0, 0]},
    r"n_bins is 0": {"n_bins": 0},
    r"n_bins is 2.0": {"n_bins": 2.0},
    r"n_bins is True": {"n_bins": True},
}


@pytest.mark.parametrize("message", BAD)
def test_bad_input_is_named(message):
    good = {"y_true": [0, 1, 0], "p": [0.1, 0.2, 0.3]}
    arguments = {**good, **BAD[message]}
    for score in (grouped_calibration_error, calibration_bins):
        with pytest.raises(ValueError, match=message):
            score(**arguments)
    if "n_bins" not in arguments:
        with pytest.raises(ValueError, match=message):
            rare_log_loss(**arguments)


def test_unknown_strategy_is_named():
    with pytest.raises(ValueError, match="strategy='width'; allowed are"):
        calibration_bins([0, 1], [0.1, 0.2], strategy="width")
