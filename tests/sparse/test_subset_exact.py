"""Branch and bound against enumeration; bounds below what is found."""

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
