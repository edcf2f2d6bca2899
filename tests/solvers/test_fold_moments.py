"""Gram matrices and errors of all folds from one pass, against plain formulas."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import KFold, RepeatedKFold, ShuffleSplit

from skloss.solvers._fold_grams import FoldGrams

N, D = 600, 7
SPLITTERS = {
    "in order": KFold(5),
    "shuffled": KFold(5, shuffle=True, random_state=0),
    "halves": KFold(2),
    "overlapping": RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    "mostly left out": ShuffleSplit(2, test_size=0.9, random_state=0),
}


def sample(kind):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(N, D)), np.ones(N)
    y = X[:, :3].sum(axis=1) + rng.normal(size=N)
    if kind == "far from zero":
        X, y = X + 8.0, y + 1e6
    elif kind == "very far":
        X[:, 0] += 2.0**20
    elif kind == "weighted":
        weight = rng.integers(0, 3, N).astype(float)
    elif kind == "single precision":
        X = X.astype(np.float32)
    elif kind == "rows":
        X = np.ascontiguousarray(X)
    elif kind == "in one fold":  # varies where some fold does not look
        X[:, 2] = 1e-2 * X[:, 2]
        X[:100, 2] += 1.0
        X[:, 3] = 7.0
        X[5:7, 3] += 1e5, -1e5
    elif kind == "constant":
        X[:, 4], X[:, 5] = 3.3, 0.0
    return X if kind == "rows" else np.asfortranarray(X), y, weight


def centered(A, weight):
    """Less weighted means, in an order that loses no digit to far values."""
    A = A.astype(np.float64) - A[0].astype(np.float64)
    return A - np.average(A, axis=0, weights=weight)


KINDS = [
    "plain",
    "rows",
    "far from zero",
    "very far",
    "weighted",
    "single precision",
    "in one fold",
    "constant",
]


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("splitter", SPLITTERS.values(), ids=SPLITTERS)
def test_gram_matrices(splitter, kind, center):
    X, y, weight = sample(kind)
    left_out = [test for _, test in splitter.split(X)]
    data = FoldGrams(X, y, weight, left_out, center=center)
    data.read_all()
    data.extend(np.arange(D))
    assert data.moments is not None
    for gram, rows in zip(data.grams, left_out):
        s = weight.copy()
        s[rows] = 0.0
        A = centered(X, s) if center else X.astype(np.float64)
        expected = A.T @ (A * s[:, None]) / s.sum()
        # Means of all rows are subtracted first.
        moved = center * np.average(centered(X, weight), axis=0, weights=s)
        unit = np.sqrt(expected.diagonal() + 0.1 * moved**2 + 1e-20)
        off = (gram.matrix - expected) / np.outer(unit, unit)
        assert np.abs(off).max() < 1e-11


@pytest.mark.parametrize("noise", [1.0, 1e-7], ids=["", "hardly any noise"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("splitter", SPLITTERS.values(), ids=SPLITTERS)
def test_errors(splitter, kind, noise):
    X, y, weight = sample(kind)
    rng = np.random.default_rng(1)
    coef = np.array([1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])
    y = noise * (y - X @ coef) + X @ coef
    W = np.stack([np.zeros(D), coef, coef + 1e-3, rng.normal(size=D)], axis=1)
    left_out = [test for _, test in splitter.split(X)]
    data = FoldGrams(X, y, weight, left_out, center=True)
    data.read_all()
    data.extend(np.arange(D))
    owners = np.repeat(np.arange(len(left_out)), 4).tolist()
    supports = [np.arange(D)] * len(owners)
    _, _, errors = data.look(owners, supports, [*W.T] * len(left_out))
    for rows, found in zip(left_out, errors.reshape(-1, 4)):
        s = weight.copy()
        s[rows] = 0.0
        residuals = centered(y, s)[:, None] - centered(X, s) @ W
        expected = np.average(residuals[rows] ** 2, axis=0, weights=weight[rows])
        # What rounding may make of residuals, which are differences of such sizes.
        size = np.abs(y).max() + np.abs(X).max(axis=0) @ np.abs(W)
        digits = np.finfo(np.float64).eps * (D + 2) * size * np.sqrt(expected)
        limit = 1e-10 * expected + 2 * digits
        np.testing.assert_array_less(np.abs(found - expected), limit)


def test_errors_on_other_rows_than_those_left_out():
    X, y, weight = sample("plain")
    rows = np.arange(200)
    data = FoldGrams(X, y, weight, [rows], scored=[rows[:50]], center=False)
    data.read_all()
    data.extend(np.arange(D))
    coef = np.linspace(-1.0, 1.0, D)
    _, _, errors = data.look([0], [np.arange(D)], [coef])
    assert errors[0] == pytest.approx(np.mean((y - X @ coef)[:50] ** 2), rel=1e-12)


@pytest.mark.parametrize("make", [sparse.csc_array, lambda X: X[:, :1].repeat(500, 1)])
def test_designs_that_one_pass_does_not_suit(make):
    X, y, weight = sample("plain")
    data = FoldGrams(make(X), y, weight, [np.arange(9)], center=True)
    data.read_all()
    assert data.moments is None
