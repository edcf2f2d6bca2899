"""Following the lasso's solution ends where every other solver ends."""

import numpy as np
import pytest
from sklearn.linear_model import lars_path_gram

from skloss.penalties import L1, NonNegative, kkt_distances
from skloss.solvers._active_set import minimize_block
from skloss.solvers._homotopy import Homotopy


def problem(seed=0, n=60, k=40, r=0.9):
    """Gram matrix and linear part of correlated columns."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, k))
    for j in range(1, k):
        X[:, j] = r * X[:, j - 1] + np.sqrt(1 - r**2) * X[:, j]
    y = X[:, :5].sum(axis=1) + rng.normal(size=n)
    return X.T @ X / n, X.T @ y / n


def reference(Q, c, strength, positive=False):
    """Solution of coordinate descent with active-set Newton."""
    x = np.zeros(c.size)
    penalty = NonNegative(1.0, 1.0) if positive else L1(1.0)
    weight = np.maximum(strength, 1e-300) if positive else strength
    minimize_block(penalty, Q, c, x, weight, 1e-13)
    return x


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_every_level_of_a_path(seed, positive):
    Q, c = problem(seed)
    homotopy, x = Homotopy(), np.zeros(c.size)
    for alpha in np.abs(c).max() * np.geomspace(1, 1e-4, 20):
        strength = np.full(c.size, alpha)
        x = homotopy.solve(Q, c, x, strength, 1e-12, positive=positive)
        expected = reference(Q, c, strength, positive)
        np.testing.assert_allclose(x, expected, atol=1e-9)
        np.testing.assert_array_equal(x == 0, np.abs(expected) < 1e-11)


def test_least_angle_regression_has_the_same_path():
    Q, c = problem(n=200)
    alphas, _, coefs = lars_path_gram(c, Q, n_samples=1, method="lasso")
    homotopy, x = Homotopy(), np.zeros(c.size)
    for alpha, expected in zip(alphas, coefs.T):
        x = homotopy.solve(Q, c, x, np.full(c.size, alpha), 1e-11)
        np.testing.assert_allclose(x, expected, atol=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_any_start_and_any_strengths(seed):
    Q, c = problem(seed)
    rng = np.random.default_rng(seed)
    homotopy = Homotopy()
    for _ in range(10):
        strength = rng.exponential(size=c.size) * 0.3 * (rng.random(c.size) > 0.2)
        start = rng.normal(size=c.size) * (rng.random(c.size) > 0.7)
        x = homotopy.solve(Q, c, start, strength, 1e-11)
        # From far away the way may be blocked, but a solution given is one.
        if x is not None:
            np.testing.assert_allclose(x, reference(Q, c, strength), atol=1e-8)
    x = homotopy.solve(Q, c, np.zeros(c.size), strength, 1e-11)
    np.testing.assert_allclose(x, reference(Q, c, strength), atol=1e-8)


def test_columns_are_added_in_between():
    Q, c = problem()
    homotopy, x = Homotopy(), np.zeros(0)
    room = np.empty((64, 64))  # more is reserved than is used
    for k in (3, 10, 11, 40):
        room[:k, :k] = Q[:k, :k]
        x = np.concatenate([x, np.zeros(k - x.size)])
        x = homotopy.solve(room, c[:k], x, np.full(k, 0.05), 1e-12)
        expected = reference(Q[:k, :k].copy(), c[:k], np.full(k, 0.05))
        np.testing.assert_allclose(x, expected, atol=1e-10)


def test_the_inverse_stays_accurate_over_thousands_of_changes():
    Q, c = problem(n=45, r=0.99)
    homotopy, x = Homotopy(), np.zeros(c.size)
    rng = np.random.default_rng(0)
    for _ in range(500):
        strength = np.full(c.size, 10.0 ** rng.uniform(-4, 0))
        x = homotopy.solve(Q, c, x, strength, 1e-10)
        assert x is not None
    distances = np.empty(c.size)
    off = kkt_distances(L1(1.0), x, Q @ x - c, strength, distances)
    assert off <= 1e-10


def test_dependent_columns_are_left_to_others():
    Q, c = problem(n=20)  # of rank 20
    homotopy = Homotopy()
    assert homotopy.solve(Q, c, np.ones(c.size), np.zeros(c.size), 1e-10) is None
    # It goes on with what it can solve.
    x = homotopy.solve(Q, c, np.zeros(c.size), np.full(c.size, 0.1), 1e-10)
    np.testing.assert_allclose(x, reference(Q, c, np.full(c.size, 0.1)), atol=1e-8)


def test_columns_without_a_gram_matrix_stay():
    Q, c = problem()
    Q[:, 3] = Q[3] = c[3] = 0.0
    x = Homotopy().solve(Q, c, np.zeros(c.size), np.zeros(c.size), 1e-11)
    assert x[3] == 0
    rest = np.arange(c.size) != 3
    expected = np.linalg.solve(Q[np.ix_(rest, rest)], c[rest])
    np.testing.assert_allclose(x[rest], expected, atol=1e-8)
