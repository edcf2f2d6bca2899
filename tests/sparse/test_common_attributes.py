"""What every sparse regressor keeps, and what the subset searches say of their work."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from sklearn.callback import ScoringMonitor

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.preconditioned_lasso import PreconditionedLasso
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor import SparseRegressor
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV
from tests.sparse.subset_cases import correlated

SMALL = {"n_starts": 3, "random_state": 0}


@pytest.mark.parametrize(
    "model",
    [
        SparseRegressor(alpha=0.1),
        SparseRegressorCV(alphas=5, cv=3),
        SparseRegressorCV(alphas=5, cv=3, relax=True),
        PreconditionedLasso(0.1, random_state=0),
        PreconditionedLasso(0.1, n_nonzero_coefs=3, random_state=0),
        PreconditionedLassoCV(alphas=5, cv=3, random_state=0),
        BestSubsetRegressor(3, **SMALL),
        BestSubsetRegressor(3, method="exact", **SMALL),
        BestSubsetRegressor(3, groups=np.arange(20) // 2, **SMALL),
        BestSubsetRegressorCV(3, cv=3, **SMALL),
        BestSubsetRegressorCV(3, criterion="bic", **SMALL),
    ],
)
def test_common_attributes(model):
    X, y = correlated(60, 20, 0)
    table = pd.DataFrame(X, columns=[f"c{j}" for j in range(20)])
    model.fit(table, y)
    assert model.coef_.shape == (20,)
    assert np.ndim(model.intercept_) == 0
    np.testing.assert_allclose(
        model.predict(table), X @ model.coef_ + model.intercept_, rtol=1e-9, atol=1e-9
    )
    assert model.n_features_in_ == 20
    assert model.feature_names_in_.tolist() == list(table.columns)
    assert isinstance(model.n_iter_, int)
    assert model.n_iter_ >= 1
    assert isinstance(model.dual_gap_, float)
    assert model.dual_gap_ >= 0
    support = model.get_support(indices=True)
    np.testing.assert_array_equal(support, np.flatnonzero(model.coef_))
    np.testing.assert_array_equal(np.flatnonzero(model.get_support()), support)


def least_objective(X, y, size):
    """Of all subsets, by least squares on each."""
    X, y = X - X.mean(axis=0), y - y.mean()
    least = np.inf
    for subset in combinations(range(X.shape[1]), size):
        columns = X[:, subset]
        coef, *_ = np.linalg.lstsq(columns, y)
        least = min(least, 0.5 * np.mean((y - columns @ coef) ** 2))
    return least


@pytest.mark.parametrize(
    ("options", "proved"),
    [
        ({"method": "search"}, False),
        ({"method": "exact"}, True),
        ({"method": "exact", "time_limit": 0.0}, None),  # however far it came
    ],
)
def test_gap_bounds_the_distance_from_the_minimum(options, proved):
    X, y = correlated(60, 12, 1)
    model = BestSubsetRegressor(4, **SMALL, **options).fit(X, y)
    least = least_objective(X, y, 4)
    assert model.objective_ - model.dual_gap_ <= least * (1 + 1e-9)
    assert model.dual_gap_ == pytest.approx(model.objective_ - model.lower_bound_)
    if proved:
        assert model.dual_gap_ == 0.0
        assert model.objective_ == pytest.approx(least, rel=1e-9)
    if proved is False:
        assert model.dual_gap_ == model.objective_  # nothing is known


@pytest.mark.parametrize("options", [{}, {"positive": True}, {"method": "exact"}])
def test_steps_are_those_that_callbacks_see(options):
    X, y = correlated(60, 12, 0)
    monitor = ScoringMonitor(scoring="r2")
    model = BestSubsetRegressor(3, **SMALL, **options)
    model.set_callbacks(monitor).fit(X, y)
    seen = [row for row in monitor.get_logs().data if row["task_name"] == "step"]
    if options.get("method") == "exact":
        assert 5 <= model.n_iter_ <= len(seen)  # the proof reports, too
    else:
        assert model.n_iter_ == len(seen)


def test_more_starts_are_more_steps():
    X, y = correlated(60, 20, 0)
    few, many = (
        BestSubsetRegressor(3, n_starts=n, patience=0, random_state=0).fit(X, y).n_iter_
        for n in (3, 13)
    )
    assert many == few + 10


@pytest.mark.parametrize("criterion", ["cv", "bic"])
def test_steps_after_the_choice(criterion):
    X, y = correlated(60, 20, 0)
    effort = {"l1_starts": False, "patience": 1, **SMALL}
    chosen = BestSubsetRegressorCV(4, criterion=criterion, cv=3, **effort).fit(X, y)
    again = BestSubsetRegressor(chosen.n_nonzero_coefs_, l2=chosen.l2_, **effort)
    assert chosen.n_iter_ == again.fit(X, y).n_iter_
    assert chosen.dual_gap_ == pytest.approx(again.dual_gap_)


def test_constant_targets_take_no_steps():
    X, _ = correlated(60, 20, 0)
    for model in (BestSubsetRegressor(3), BestSubsetRegressorCV(3, cv=3)):
        model.fit(X, np.full(60, 3.0))
        assert model.n_iter_ == 0
        assert model.dual_gap_ == 0.0


def test_time_limit_ends_the_search():
    X, y = correlated(60, 20, 0)
    hurried = BestSubsetRegressor(4, time_limit=0.0, random_state=0).fit(X, y)
    patient = BestSubsetRegressor(4, time_limit=1e3, random_state=0).fit(X, y)
    unlimited = BestSubsetRegressor(4, random_state=0).fit(X, y)
    assert hurried.n_iter_ == 1
    assert len(hurried.support_) == 4
    assert patient.n_iter_ == unlimited.n_iter_ > 50
    np.testing.assert_array_equal(patient.coef_, unlimited.coef_)
    assert unlimited.objective_ <= hurried.objective_
