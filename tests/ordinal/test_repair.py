"""Repaired probabilities against scikit-learn's isotonic fit and exact fractions."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.isotonic import isotonic_regression

from skloss.ordinal._repair import REPAIRS, crossing_rows, decide, repair

REPAIRING = sorted(set(REPAIRS) - {"raise"})


def signed(survival):
    """Class probabilities by definition, from P(y > k)."""
    edge = np.ones((len(survival), 1))
    padded = np.hstack([edge, survival, 0 * edge])
    return padded[:, :-1] - padded[:, 1:]


def draw(rng, n, m, spread=3.0):
    survival = expit(rng.normal(size=(n, m), scale=spread))
    return signed(survival), survival


@pytest.mark.parametrize("how", REPAIRING)
@pytest.mark.parametrize("m", [2, 3, 7])
def test_results_are_probabilities(rng, how, m):
    probabilities, survival = draw(rng, 5000, m)
    assert crossing_rows(probabilities).mean() > 0.3
    repaired = repair(probabilities, survival, how)
    assert repaired.min() >= 0
    np.testing.assert_allclose(repaired.sum(axis=1), 1, rtol=0, atol=1e-15 * (m + 1))


@pytest.mark.parametrize("how", sorted(REPAIRS))
def test_rows_in_order_are_untouched(rng, how):
    probabilities, survival = draw(rng, 500, 3)
    in_order = ~crossing_rows(probabilities)
    assert 0 < in_order.sum() < len(in_order)
    alone = repair(probabilities[in_order], survival[in_order], how)
    assert np.array_equal(alone, probabilities[in_order])
    if how != "raise":
        before = probabilities.copy()
        repaired = repair(probabilities, survival, how)
        assert np.array_equal(repaired[in_order], probabilities[in_order])
        assert np.array_equal(probabilities, before)  # the argument is left alone


@pytest.mark.parametrize("m", [2, 3, 7])
def test_isotonic_is_the_least_squares_fit(rng, m):
    probabilities, survival = draw(rng, 300, m)
    repaired = repair(probabilities, survival, "isotonic")
    expected = [isotonic_regression(row, increasing=False) for row in survival]
    found = 1 - np.cumsum(repaired, axis=1)[:, :-1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)


def test_sort_is_sorting(rng):
    probabilities, survival = draw(rng, 300, 4)
    repaired = repair(probabilities, survival, "sort")
    expected = signed(np.sort(survival, axis=1)[:, ::-1])
    np.testing.assert_allclose(repaired, expected, rtol=0, atol=1e-15)


def test_clip_keeps_the_proportions_of_what_is_positive():
    probabilities = np.array([[0.5, -0.25, 0.25, 0.5]])
    repaired = repair(probabilities, 1 - np.cumsum(probabilities)[None, :-1], "clip")
    np.testing.assert_allclose(repaired, [[0.4, 0, 0.2, 0.4]], rtol=1e-15)


def test_raise_counts_the_rows_and_names_the_first(rng):
    survival = np.array([[0.5, 0.25], [0.25, 0.5], [0.75, 0.5], [0.125, 0.25]])
    message = r"of 2 of 4 rows .* row 1: P\(y > k\) = \[0.25, 0.5\]"
    with pytest.raises(ValueError, match=message):
        repair(signed(survival), survival, "raise")


@pytest.mark.parametrize("how", ["isotonic", "sort"])
def test_tiny_probabilities_keep_their_digits(how):
    """A class of probability 1e-30 at either end survives a crossing elsewhere."""
    below = np.array([1e-30, 3e-30, 2e-30, 0.75])  # P(y <= k), crossing at k = 2
    classes = np.array([[1e-30, 2e-30, -1e-30, 0.75, 0.25]])
    fits = {"isotonic": [1e-30, 2.5e-30, 2.5e-30, 0.75], "sort": sorted(below)}
    edges = [0, *(Fraction(value) for value in fits[how]), 1]
    exact = np.array([[float(b - a) for a, b in pairwise(edges)]])
    found = repair(classes, 1 - below[None], how)
    np.testing.assert_allclose(found, exact, rtol=1e-14)
    # The mirror image: the small ones are now P(y > k).
    found = repair(classes[:, ::-1].copy(), below[None, ::-1].copy(), how)
    np.testing.assert_allclose(found, exact[:, ::-1], rtol=1e-14)


@given(
    st.integers(1, 6).flatmap(
        lambda m: st.lists(
            st.lists(
                st.sampled_from([0.0, 1e-300, 1e-17, 0.3, 0.5, 0.7, 1 - 1e-16, 1.0]),
                min_size=m,
                max_size=m,
            ),
            min_size=1,
            max_size=5,
        )
    ),
    st.sampled_from(REPAIRING),
)
def test_awkward_values(rows, how):
    survival = np.array(rows)
    repaired = repair(signed(survival), survival, how)
    assert repaired.min() >= 0
    np.testing.assert_allclose(repaired.sum(axis=1), 1, atol=1e-14)


@pytest.mark.parametrize("how", REPAIRING)
def test_sums_that_round_below_zero(how):
    """The third cumulative probability is zero up to a rounding either way."""
    first, second = np.meshgrid(*2 * [np.arange(1, 30) / 30])
    first, second = first.ravel(), second.ravel()
    third = -(first + second)
    classes = np.column_stack([first, second, np.nextafter(third, -9), 1 - first])
    assert (np.cumsum(classes, axis=1) < 0).any()
    above = np.column_stack([1 - first, 1 - first - second, np.ones(len(first))])
    repaired = repair(classes, above.clip(0, 1), how)
    assert repaired.min() >= 0


@pytest.mark.parametrize("how", REPAIRING)
def test_float32_is_kept(rng, how):
    probabilities, survival = draw(rng, 100, 3)
    wide = repair(probabilities, survival, how)
    found = repair(probabilities.astype(np.float32), survival.astype(np.float32), how)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wide, rtol=0, atol=3e-7)


def test_two_classes_never_cross():
    probabilities = np.array([[0.0, 1.0], [0.75, 0.25]])
    assert repair(probabilities, probabilities[:, 1:], "raise") is probabilities


def test_median_has_the_least_expected_absolute_error(rng):
    probabilities = rng.dirichlet(np.ones(5), size=400)
    distance = abs(np.subtract.outer(np.arange(5), np.arange(5)))
    expected = (probabilities @ distance).argmin(axis=1)
    np.testing.assert_array_equal(decide(probabilities, "median"), expected)
    assert (expected != decide(probabilities, "mode")).any()


def test_mode_is_the_most_probable_and_the_first_of_ties():
    probabilities = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4], [0.0, 0.5, 0.5]])
    np.testing.assert_array_equal(decide(probabilities, "mode"), [1, 0, 1])
    np.testing.assert_array_equal(decide(probabilities, "median"), [1, 1, 1])


def test_certain_rows_have_their_class_as_median():
    np.testing.assert_array_equal(decide(np.eye(4), "median"), np.arange(4))


def test_unknown_choices_are_named():
    probabilities = np.array([[0.5, 0.5]])
    with pytest.raises(ValueError, match="repair='fix'; allowed are"):
        repair(probabilities, probabilities[:, 1:], "fix")
    with pytest.raises(ValueError, match="decision='mean'; allowed are"):
        decide(probabilities, "mean")
