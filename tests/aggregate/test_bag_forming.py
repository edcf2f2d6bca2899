"""Bags of similar scores against exhaustive search; sizes and chance of the others."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import linear_sum_assignment

from skloss.aggregate.bag_forming import make_bags, ordered_bags


def spread(scores, labels):
    """Sum of squares within bags, without rounding."""
    total = Fraction(0)
    for a in np.unique(labels):
        of = [Fraction(float(x)) for x in np.asarray(scores)[labels == a]]
        total += sum(x * x for x in of) - sum(of) ** 2 / len(of)
    return total


def cuts(n, k):
    """All ways to cut n rows in order into parts of at least k, as ends."""
    if n >= k:
        yield [n]
    for last in range(k, n - k + 1):
        for head in cuts(n - last, k):
            yield [*head, n]


def least_of_consecutive(scores, k):
    scores, n = np.sort(scores), len(scores)
    losses = {
        (i, j): spread(scores[i:j], np.zeros(j - i, int))
        for i in range(n)
        for j in range(i + k, n + 1)
    }
    return min(sum(losses[at] for at in pairwise([0, *ends])) for ends in cuts(n, k))


def divisions(n, k):
    """All ways to put n rows in bags of at least k, consecutive or not."""

    def extend(labels, sizes):
        missing = sum(max(0, k - size) for size in sizes)
        if missing > n - len(labels):
            return
        if len(labels) == n:
            yield np.array(labels)
            return
        for a in range(len(sizes) + 1):
            more = [*sizes, 0] if a == len(sizes) else list(sizes)
            more[a] += 1
            yield from extend([*labels, a], more)

    return extend([], [])


def check_bags(scores, labels, k):
    sizes = np.bincount(labels)
    assert labels.dtype == np.intp and sizes.min() >= k and sizes.max() < 2 * k
    order = np.argsort(labels, kind="stable")
    for a, b in pairwise(order):  # no bag reaches into the next
        if labels[a] != labels[b]:
            assert (
                scores[labels == labels[a]].max() <= scores[labels == labels[b]].min()
            )


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("kind", ["normal", "far", "heavy", "ties", "equal", "tiny"])
def test_no_consecutive_bags_are_better(k, kind):
    rng = np.random.default_rng(k)
    for n in range(k, 14):
        scores = {
            "normal": rng.normal(size=n),
            "far": 1e9 + rng.normal(size=n),
            "heavy": rng.standard_cauchy(n) ** 3,
            "ties": rng.integers(0, 4, n).astype(float),
            "equal": np.full(n, 0.1),
            "tiny": 1e-200 * rng.normal(size=n),
        }[kind]
        labels = ordered_bags(scores, k)
        check_bags(scores, labels, k)
        least = least_of_consecutive(scores, k)
        # Fractions: what is not exactly least is so to rounding.
        assert least <= spread(scores, labels) <= least * (1 + Fraction(1, 10**13))


@pytest.mark.parametrize(("n", "k"), [(7, 2), (8, 3), (9, 3), (9, 4), (6, 1)])
def test_no_bags_at_all_are_better(n, k):
    for seed in range(3):
        scores = np.random.default_rng(seed).normal(size=n)
        least = min(spread(scores, labels) for labels in divisions(n, k))
        found = spread(scores, ordered_bags(scores, k))
        assert_allclose(float(found), float(least), rtol=1e-12)


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=13), st.data())
def test_whole_scores_with_many_ties(values, data):
    k = data.draw(st.integers(1, len(values)))
    scores = np.array(values)
    labels = ordered_bags(scores, k)
    check_bags(scores, labels, k)
    least = least_of_consecutive(scores, k)
    assert_allclose(float(spread(scores, labels)), float(least), rtol=1e-12, atol=1e-12)


def test_equal_scores_keep_the_order_of_rows():
    assert_array_equal(ordered_bags(np.zeros(7), 2), [0, 0, 0, 1, 1, 2, 2])


def test_scores_in_any_order_and_of_any_scale(rng):
    scores = rng.normal(size=500)
    labels = ordered_bags(scores, 7)
    moved = rng.permutation(500)
    assert_array_equal(ordered_bags(scores[moved], 7), labels[moved])
    assert_array_equal(ordered_bags(list(scores), np.int64(7)), labels)
    for power in (2.0**1020, 2.0**-1000):
        assert_array_equal(ordered_bags(scores * power, 7), labels)


@pytest.mark.parametrize("seed", range(4))
def test_fine_scores_far_from_others_are_told_apart(seed):
    """Prefix sums of all scores would lose the digits that decide here."""
    rng = np.random.default_rng(seed)
    fine = 2.0**-30 * rng.integers(0, 2**10, 11)
    scores = np.r_[fine, 1e6 + np.arange(3.0)]
    labels = ordered_bags(scores, 3)
    check_bags(scores, labels, 3)
    least = least_of_consecutive(fine, 3)
    assert_allclose(float(spread(fine, labels[:11])), float(least), rtol=1e-9)


@pytest.mark.parametrize(("n", "size"), [(11, 3), (12, 3), (5, 5), (9, 5), (7, 1)])
@pytest.mark.parametrize("strategy", ["random", "kmeans"])
def test_sizes_are_as_equal_as_they_can_be(n, size, strategy):
    X = np.random.default_rng(0).normal(size=(n, 2))
    labels = make_bags(X, size, strategy=strategy, random_state=1)
    sizes = np.bincount(labels)
    assert labels.dtype == np.intp and len(labels) == n
    assert len(sizes) == n // size and sizes.min() >= size
    assert sizes.max() - sizes.min() <= 1


def test_random_bags_are_random():
    """Each pair of rows shares a bag with one probability."""
    n, size, draws = 9, 3, 4000
    random = np.random.RandomState(0)
    together = np.zeros((n, n))
    for _ in range(draws):
        labels = make_bags(n, size, random_state=random)
        together += labels[:, None] == labels
    share = (size - 1) / (n - 1)
    error = np.sqrt(share * (1 - share) / draws)
    of_pairs = together[np.triu_indices(n, 1)] / draws
    assert np.abs(of_pairs - share).max() < 4.5 * error


@pytest.mark.parametrize("strategy", ["random", "kmeans"])
def test_one_random_state_one_result(strategy, rng):
    X = rng.normal(size=(200, 3))
    first = make_bags(X, 8, strategy=strategy, random_state=3)
    assert_array_equal(first, make_bags(X, 8, strategy=strategy, random_state=3))
    random = np.random.RandomState(3)
    assert_array_equal(first, make_bags(X, 8, strategy=strategy, random_state=random))
    again = make_bags(X, 8, strategy=strategy, random_state=random)
    other = make_bags(X, 8, strategy=strategy, random_state=4)
    assert (first != again).any() and (first != other).any()


def test_random_bags_need_only_a_number(rng):
    by_number = make_bags(50, 4, random_state=0)
    for rows in (rng.normal(size=50), rng.normal(size=(50, 2)), [0] * 50):
        assert_array_equal(make_bags(rows, 4, random_state=0), by_number)


def test_ordered_strategy_is_ordered_bags(rng):
    scores = rng.normal(size=60)
    expected = ordered_bags(scores, 4)
    assert_array_equal(make_bags(scores, 4, strategy="ordered"), expected)


def within(X, labels):
    return sum(
        ((X[labels == a] - X[labels == a].mean(0)) ** 2).sum() for a in set(labels)
    )


def test_clusters_far_apart_are_found():
    corners = 100 * np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    truth = np.repeat(np.arange(4), 10)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        code = rng.permutation(truth)
        X = corners[code] + rng.normal(size=(40, 2))
        labels = make_bags(X, 10, strategy="kmeans", random_state=seed)
        assert len(set(zip(labels, code))) == 4


def balanced_by_assignment(X, size, random):
    """k-means with clusters of one size, each assignment the best there is."""
    m = len(X) // size
    centers = X[random.permutation(len(X))[:m]]
    for _ in range(30):
        distances = ((X[:, None] - np.repeat(centers, size, axis=0)) ** 2).sum(axis=2)
        labels = linear_sum_assignment(distances)[1] // size
        centers = np.array([X[labels == a].mean(axis=0) for a in range(m)])
    return labels


@pytest.mark.parametrize("d", [1, 2, 5])
def test_clusters_are_about_as_good_as_by_exact_assignment(d):
    ours, theirs = 0.0, 0.0
    for seed in range(5):
        random = np.random.RandomState(seed)
        X = random.normal(size=(120, d))
        ours += within(X, make_bags(X, 6, strategy="kmeans", random_state=seed))
        theirs += within(X, balanced_by_assignment(X, 6, random))
    assert ours < 1.1 * theirs


def test_clusters_on_a_line_are_close_to_the_best(rng):
    X = rng.normal(size=(600, 1))
    best = within(X, ordered_bags(X[:, 0], 10))
    found = within(X, make_bags(X, 10, strategy="kmeans", random_state=0))
    assert best <= found < 1.1 * best


@settings(max_examples=20)
@given(st.floats(-1e307, 1e307), st.floats(1e-300, 1e306), st.integers(1, 20))
def test_clusters_of_features_on_any_scale(center, scale, size):
    X = center + scale * np.random.default_rng(0).normal(size=(20, 2))
    labels = make_bags(X, size, strategy="kmeans", random_state=0)
    assert np.bincount(labels).min() >= size


def test_equal_rows_are_divided_too():
    labels = make_bags(np.ones((9, 2)), 2, strategy="kmeans", random_state=0)
    assert sorted(np.bincount(labels)) == [2, 2, 2, 3]


@pytest.mark.parametrize("size", [0, -1, 11, 2.0, 1.5, True, "3", None, np.nan])
def test_impossible_sizes_are_refused(size):
    with pytest.raises(ValueError, match="min_size must be an integer from 1 to"):
        ordered_bags(np.arange(10.0), size)
    for strategy, rows in [("random", 10), ("ordered", np.arange(10.0))]:
        with pytest.raises(ValueError, match=r"bag_size must be .* 10; got"):
            make_bags(rows, size, strategy=strategy)
    with pytest.raises(ValueError, match="bag_size must be an integer"):
        make_bags(np.ones((10, 1)), size, strategy="kmeans")


@pytest.mark.parametrize(
    ("rows", "strategy", "message"),
    [
        (10, "sorted", 'strategy must be one of "random", "ordered", "kmeans"'),
        (10, "ordered", r"needs scores of shape \(n,\); got 10"),
        (10, "kmeans", r"needs features of shape \(n, d\); got 10"),
        (0, "random", "at least 1 row; got 0"),
        (2.5, "random", "must be a number of rows or an array; got 2.5"),
        (np.ones((3, 2)), "ordered", r"scores must have one dimension.*\(3, 2\)"),
        ([], "ordered", "bag_size must be"),
        ([1.0, np.nan], "ordered", r"scores\[1\] is nan"),
        ([1.0, -np.inf], "ordered", r"scores\[1\] is -inf"),
        ([[1.0], [np.nan]], "kmeans", "NaN"),
        ([1.0, 2.0], "kmeans", "2D array"),
    ],
)
def test_bad_rows_are_named(rows, strategy, message):
    with pytest.raises(ValueError, match=message):
        make_bags(rows, 1, strategy=strategy)
