"""Corners where something once went wrong."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skloss.ordinal import PrestoClassifier, ProportionalOddsClassifier


@pytest.mark.parametrize("seed", range(8))
def test_boxes_hold_far_from_zero(seed):
    random = np.random.default_rng(seed)
    p = int(random.integers(2, 7))
    offset = 10.0 ** random.integers(0, 9, p)
    scale = 10.0 ** random.integers(-3, 3, p)
    X = random.standard_normal((150, p)) * scale + offset
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    noise = 0.6 * random.logistic(size=150)
    y = np.digitize(z[:, 0] * (1 + 0.5 * random.random(150)) + noise, [-1, 0, 1])
    model = PrestoClassifier(1e-4, ordering="box", repair="raise").fit(X, y)
    low, high = X.min(axis=0), X.max(axis=0)
    corners = np.where(random.integers(0, 2, (2000, p)), high, low)
    worst = np.where(np.diff(model.coef_, axis=0) > 0, high, low)
    for rows in (X, corners, worst):
        assert model.predict_proba(rows).min() >= 0


def test_equal_balances_choose_the_first_whatever_the_unit_of_weights():
    random = np.random.default_rng(7)
    X = random.standard_normal((28, 2))
    y = np.repeat([0, 1, 2, 3], [12, 4, 4, 8])  # shares of 3/7 and 4/7 below: a tie
    model = PrestoClassifier(0.02, base="balanced")
    expected = model.fit(X, y).predict_proba(X)
    for unit in (0.1, 0.3, 7.3, 1 / 3, 3.0):
        weighted = model.fit(X, y, np.full(28, unit)).predict_proba(X)
        np.testing.assert_allclose(weighted, expected, atol=1e-8)


def test_rows_without_weight_do_not_cross():
    random = np.random.default_rng(1)
    X = random.standard_normal((200, 3))
    y = np.digitize(X[:, 0] + random.logistic(size=200), [-1, 0, 1])
    far = 50 * random.standard_normal((20, 3))
    model = PrestoClassifier(0.001, ordering="train").fit(
        np.vstack([X, far]),
        np.r_[y, random.integers(0, 4, 20)],
        np.r_[np.ones(200), np.zeros(20)],
    )
    assert model.n_crossings_ == 0


@pytest.mark.parametrize("alpha", [1e-300, 1e-12, 1e-7])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_weak_penalties_have_tight_gaps(alpha, l1_ratio):
    random = np.random.default_rng(0)
    X = random.standard_normal((300, 4))
    y = np.digitize(X[:, 0] + random.logistic(size=300), [0, 1, 2])
    model = PrestoClassifier(alpha, l1_ratio=l1_ratio).fit(X, y)
    assert 0 <= model.dual_gap_ <= 1e-6


def test_penalties_of_unequal_strength_have_tight_gaps():
    random = np.random.default_rng(10)
    X = random.standard_normal((200, 6))
    X[:, 2] *= 1e6
    X[:, 3] = X[:, 2]
    y = np.digitize(X[:, 0] + random.logistic(size=200), [-1, 1])
    model = PrestoClassifier(1e-3, standardize=False).fit(X, y)
    assert model.dual_gap_ <= 1e-5


def test_boxes_with_fewer_rows_than_features():
    random = np.random.default_rng(1)
    X = random.standard_normal((8, 20))
    model = PrestoClassifier(0.02, ordering="box").fit(X, [0, 1, 2, 3] * 2)
    assert model.kkt_violation_ <= 1e-6
    assert model.dual_gap_ <= 1e-5


def test_binary_columns_with_many_crossings():
    """The barrier's last distances are of the size of rounding there."""
    random = np.random.default_rng(3)
    X = (random.random((400, 8)) < 0.4) * 1.0
    scores = X @ random.standard_normal((8, 3)) + np.array([0.5, -1.0, -2.0])
    y = (scores + random.logistic(size=(400, 1)) > 0).sum(axis=1)
    assert PrestoClassifier(1e-4).fit(X, y).n_crossings_ > 0
    model = PrestoClassifier(1e-4, ordering="train").fit(X, y)
    assert model.n_crossings_ == 0
    assert model.dual_gap_ <= 1e-5


def test_too_many_parameters_for_a_covariance():
    random = np.random.default_rng(0)
    X = random.standard_normal((100, 4100))
    model = ProportionalOddsClassifier(alpha=0.1).fit(X, np.arange(100) % 4)
    assert model.covariance_ is None
    assert model.kkt_violation_ <= 1e-8


@pytest.mark.parametrize("seed", [3, 14, 21, 30])
def test_boxes_hold_where_columns_nearly_cancel(seed):
    rng = np.random.default_rng(seed)
    X = np.repeat(rng.standard_normal((200, 1)), 4, 1)
    X += 1e-7 * rng.standard_normal((200, 4))
    scores = np.tanh(X) @ rng.standard_normal(4) + rng.logistic(size=200)
    y = np.digitize(scores, [-2, -0.5, 0.5, 2])
    model = PrestoClassifier(
        ordering="box", alpha=0.01, l1_ratio=0.5, base_penalty=0, repair="raise"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(X, y)
    assert model.n_crossings_ == 0
    assert model.predict_proba(X).min() >= 0
