"""Signal and noise estimated from aggregates are those that made the data."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import sparse

from skloss.aggregate._bags import read_bags
from skloss.aggregate.signal_noise import _moments, estimate_signal_noise


@pytest.mark.parametrize(
    ("n", "d", "n_bags"), [(40, 8, 40), (120, 6, 40), (150, 30, 60), (120, 30, 20)]
)
def test_means_of_estimates_are_the_truth(n, d, n_bags):
    # Before those below 0 are replaced, which biases the rest.
    rng = np.random.default_rng([n, d, n_bags])
    mix = rng.normal(size=(d, d))
    true = np.linalg.solve(mix, np.ones(d)) * np.sqrt(9 / d)
    found = []
    for _ in range(600):
        X = rng.normal(size=(n, d)) @ mix + 3
        y = 5 + X @ true + 3 * rng.normal(size=n)
        bags = rng.permutation(np.r_[:n_bags, rng.integers(0, n_bags, n - n_bags)])
        found.append(np.ravel(_moments(X, y, read_bags(bags, n))))
    found = np.array(found)
    se = found.std(axis=0) / np.sqrt(len(found))
    assert (np.abs(found.mean(axis=0) - 9) < 4 * se).all()


def test_rows_alone_give_the_noise_of_least_squares(rng):
    X, y = rng.normal(size=(50, 4)) + 7, rng.normal(size=50)
    y = y + X @ [1, -2, 0, 3]
    design = np.c_[np.ones(50), X]
    residuals = y - design @ np.linalg.lstsq(design, y)[0]
    signal, noise = estimate_signal_noise(X, y, None)
    assert_allclose(noise, residuals @ residuals / 45, rtol=1e-10)
    assert_allclose(signal, y.var(ddof=1) - noise, rtol=1e-10)


def test_many_rows_recover_what_made_them(rng):
    X = rng.normal(size=(60_000, 6)) * [1, 2, 3, 4, 5, 6]
    y = X @ (2 / np.arange(1, 7)) + 3 * rng.normal(size=60_000)
    bags = rng.permutation(60_000) // 3
    signal, noise = estimate_signal_noise(X, y, bags)
    assert_allclose([signal, noise], [24, 9], rtol=0.05)


def test_noise_added_to_means_counts_by_the_bag_size(rng):
    X = rng.normal(size=(60_000, 6))
    bags = np.arange(60_000) // 4
    added = rng.laplace(scale=1.0, size=15_000)[bags]  # variance 2
    _, noise = estimate_signal_noise(X, X[:, 0] + added, bags)
    assert_allclose(noise, 8, rtol=0.05)


def data(rng):
    X = rng.normal(size=(90, 5))
    y = X @ [1, 2, 3, 4, 5] + rng.normal(size=(90, 2)).T
    return X, y.T, rng.integers(0, 25, 90)


def test_only_means_matter_and_neither_units_nor_order(rng):
    X, y, bags = data(rng)
    expected = estimate_signal_noise(X, y, bags)
    means = np.array([y[bags == bag].mean(axis=0) for bag in bags])
    changed = X @ rng.normal(size=(5, 5)) * 1e6 - 1e3
    order = rng.permutation(90)
    for given in (
        (X, means, bags),
        (changed, y, bags),
        (X[order], y[order], bags[order]),
        (X, y + 100, np.array(list("abcdefghijklmnopqrstuvwxyz"))[bags]),
    ):
        assert_allclose(estimate_signal_noise(*given), expected, rtol=1e-7)
    scaled = estimate_signal_noise(X, 3 * y, bags)
    assert_allclose(scaled, 9 * np.array(expected), rtol=1e-10)


def test_storage_targets_and_redundant_features(rng):
    X, y, bags = data(rng)
    X[rng.random(X.shape) < 0.5] = 0
    expected = estimate_signal_noise(X, y, bags)
    assert [part.shape for part in expected] == [(2,), (2,)]
    single = estimate_signal_noise(X, y[:, 1], bags)
    assert all(isinstance(part, float) for part in single)
    assert_allclose(single, [part[1] for part in expected], rtol=1e-12)
    for made in (sparse.csr_array, sparse.csc_matrix):
        found = estimate_signal_noise(made(X), y, bags)
        assert_allclose(found, expected, rtol=1e-9)
    redundant = np.c_[X, X[:, 0] - 2 * X[:, 3], np.full(90, 4.0)]
    assert_allclose(estimate_signal_noise(redundant, y, bags), expected, rtol=1e-9)
    small = estimate_signal_noise(X.astype(np.float32), y, bags)
    assert_allclose(small, expected, rtol=1e-4)


def test_fewer_bags_than_features_suffice_for_rough_estimates():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(8_000, 400))
    y = 3 * X[:, 0] + 4 * rng.normal(size=8_000)
    found = estimate_signal_noise(X, y, np.arange(8_000) % 320)
    p, d, signal, noise = 319, 400, 9.0, 16.0
    se = np.sqrt(2 * (signal**2 + noise**2 + d / p * (signal + noise) ** 2) / p)
    assert np.abs(np.subtract(found, (signal, noise))).max() < 3 * 1.4 * se


def test_no_estimate_is_negative(rng):
    X = rng.normal(size=(60, 10))
    found = [
        estimate_signal_noise(X, y, np.arange(60) % 6)
        for y in rng.normal(size=(60, 60))
    ]
    assert np.min(found) == 0
    constant = estimate_signal_noise(X, np.ones(60), np.arange(60) % 6)
    assert_allclose(constant, 0, atol=1e-28)


@pytest.mark.parametrize(
    ("X", "y", "bags", "message"),
    [
        (
            np.eye(4),
            np.ones(4),
            [1, 1, 2, 2],
            "at least two rows more than .* features",
        ),
        (np.ones((4, 1)), np.ones(4), [1, 1, 1, 1], "bags must be at least two; got 1"),
        (np.ones((4, 1)), np.ones(4), [1, 1, 2], "bags has 3 labels for 4 rows"),
        (np.ones((4, 1)), np.ones(3), [1, 1, 2, 2], "inconsistent numbers of samples"),
        (np.full((4, 1), np.nan), np.ones(4), [1, 1, 2, 2], "NaN"),
        (np.ones((4, 1)), [1, 2, 3, np.inf], [1, 1, 2, 2], "infinity"),
    ],
)
def test_bad_input_is_named(X, y, bags, message):
    with pytest.raises(ValueError, match=message):
        estimate_signal_noise(X, y, bags)
