"""Branch and bound against enumeration; bounds below what is found."""

from itertools import combinations

import numpy as np
import pytest

from skloss.sparse._subset_exact import bounding_diagonal
from skloss.sparse.best_subset import BestSubsetRegressor
from tests.sparse.subset_cases import (
    correlated,
    diabetes_with_squares,
    enumerated,
    mean_square,
    objective,
)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_diabetes_is_proved(k):
    X, y = diabetes_with_squares()
    model = BestSubsetRegressor(k, method="exact", random_state=0).fit(X, y)
    expected = {2: 3205.190, 3: 3083.051, 4: 2990.232}[k]
    assert mean_square(X, y, model.support_) == pytest.approx(expected, abs=6e-4)
    assert model.gap_ == 0.0


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "options",
    [{}, {"l2": 0.05}, {"positive": True}, {"positive": True, "l2": 0.05}],
    ids=str,
)
def test_bad_starts_end_at_the_subset_of_enumeration(k, options, monkeypatch):
    # The search is kept from improving, so that the tree has to find the subset.
    from skloss.sparse import best_subset

    def worst(design, most, **_):
        return [np.arange(size) for size in range(1, most + 1)]

    monkeypatch.setattr(best_subset, "search_path", worst)
    for seed in range(3):
        X, y = correlated(30, 10, seed)
        model = BestSubsetRegressor(k, method="exact", **options).fit(X, y)
        lowest = enumerated(X, y, k, **options)
        assert model.objective_ == pytest.approx(lowest, rel=1e-9)
        assert model.lower_bound_ <= model.objective_
        assert model.gap_ <= 1e-9


def test_more_columns_than_rows(monkeypatch):
    from skloss.sparse import best_subset

    monkeypatch.setattr(
        best_subset,
        "search_path",
        lambda design, most, **_: [np.arange(k) for k in range(1, most + 1)],
    )
    X, y = correlated(12, 18, 0)
    model = BestSubsetRegressor(4, method="exact").fit(X, y)
    assert model.objective_ == pytest.approx(enumerated(X, y, 4), rel=1e-8)
    assert model.gap_ <= 1e-8


@pytest.mark.parametrize("positive", [False, True])
def test_groups_are_proved(positive):
    groups = [0, 0, 1, 1, 2, 3, 3, 4, 5, 5]
    for seed in range(3):
        X, y = correlated(40, 10, seed)
        model = BestSubsetRegressor(
            3, method="exact", groups=groups, positive=positive, n_starts=0
        ).fit(X, y)
        lowest = enumerated(X, y, 3, groups=groups, positive=positive)
        assert model.objective_ == pytest.approx(lowest, rel=1e-9)
        assert model.gap_ <= 1e-9


def test_interrupted_proof_still_bounds():
    X, y = diabetes_with_squares()
    model = BestSubsetRegressor(8, method="exact", time_limit=0.0, random_state=0).fit(
        X, y
    )
    proved = BestSubsetRegressor(8, method="exact", random_state=0).fit(X, y)
    assert proved.gap_ == 0.0
    everything = objective(X, y, range(64))
    assert everything < model.lower_bound_ < proved.objective_
    assert model.gap_ == pytest.approx(1 - model.lower_bound_ / model.objective_)


@pytest.mark.parametrize("l2", [0.0, 0.1])
def test_bounding_diagonal_leaves_a_semidefinite_matrix(l2):
    X, _ = correlated(50, 15, 0, rho=0.95)
    A = np.corrcoef(X.T) + l2 * np.eye(15)
    D = bounding_diagonal(A)
    assert D.min() > 0
    assert np.linalg.eigvalsh(A - np.diag(D))[0] >= -1e-12
    assert D.sum() > 15 * np.linalg.eigvalsh(A)[0]  # better than a multiple of 1


@pytest.mark.parametrize("method", ["search", "exact"])
@pytest.mark.parametrize("positive", [False, True])
def test_dependent_columns_of_groups_have_small_coefficients(method, positive):
    random = np.random.default_rng(0)
    levels = random.integers(0, 3, (60, 4))
    X = np.hstack([np.eye(3)[levels[:, j]] for j in range(4)])
    X = np.hstack([X, -X[:, :3]]) if positive else X
    groups = np.repeat(np.arange(4), 3)
    groups = np.append(groups, [0, 0, 0]) if positive else groups
    y = X[:, 0] - X[:, 4] + random.standard_normal(60)
    options = {"groups": groups, "method": method, "positive": positive}
    model = BestSubsetRegressor(2, **options).fit(X, y)
    assert np.abs(model.coef_).max() < 3
    squares = np.sum((y - model.predict(X)) ** 2)
    assert model.rss_path_[-1] == pytest.approx(squares, rel=1e-9)
    if positive:
        return
    expected = min(
        np.sum((y - A @ np.linalg.lstsq(A, y)[0]) ** 2)
        for pair in combinations(range(4), 2)
        for A in [np.column_stack([np.ones(60), X[:, np.isin(groups, pair)]])]
    )
    assert squares == pytest.approx(expected, rel=1e-9)
    assert model.gap_ == (0.0 if method == "exact" else 1.0)


@pytest.mark.parametrize("left", [3e-4, 1e-4, 3e-5, 1e-5, 1e-6])
@pytest.mark.parametrize("k", [2, 3, 4, 8])
def test_what_gram_matrices_cannot_tell_is_not_proved(left, k):
    random = np.random.default_rng(0)
    X, z = random.standard_normal((100, 8)), random.standard_normal(100)
    X[:, 2] = X[:, 0] + X[:, 1] + left * z
    y = z + 0.1 * random.standard_normal(100)
    model = BestSubsetRegressor(k, method="exact").fit(X, y)
    centred = X - X.mean(axis=0)
    lowest = min(
        np.sum((y - y.mean() - A @ np.linalg.lstsq(A, y)[0]) ** 2)
        for chosen in combinations(range(8), k)
        for A in [centred[:, chosen]]
    )
    assert model.lower_bound_ <= 0.5 * lowest / 100 * (1 + 1e-6)
    if model.gap_ == 0.0:
        assert model.rss_path_[-1] == pytest.approx(lowest, rel=1e-6)
    if left >= 1e-4 and k >= 3:  # found, whether or not it is proved
        assert model.rss_path_[-1] == pytest.approx(lowest, rel=1e-6)


def test_dummies_that_depend_on_each_other_are_proved():
    for seed in range(6):
        random = np.random.default_rng(seed)
        codes = [np.eye(n)[random.integers(0, n, 120)] for n in (3, 4, 2)]
        X = np.hstack([*codes, codes[0][:, :1] * 0.3, -codes[1][:, 1:2]])
        X = X + random.uniform(-5, 5, X.shape[1])
        y = X @ random.standard_normal(X.shape[1]) + random.standard_normal(120)
        assert BestSubsetRegressor(3, method="exact").fit(X, y).gap_ == 0.0
