"""Folds that keep groups of rows together."""

import numpy as np
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import LassoCV
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_validate,
)

from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV

N, D = 60, 8
CV = GroupKFold(3)
ESTIMATORS = [
    SparseRegressorCV(alphas=5, cv=CV),
    SparseRegressorCV("group", alphas=5, groups=np.arange(D) // 2, cv=CV),
    PreconditionedLassoCV(alphas=5, cv=CV, random_state=0),
    PreconditionedLassoCV(alphas=5, n_nonzero_coefs="cv", cv=CV, random_state=0),
    BestSubsetRegressorCV(3, l2s=[0.0, 0.1], cv=CV),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    groups = rng.integers(6, size=N)
    X = rng.standard_normal((N, D)) + rng.standard_normal((6, D))[groups]
    noise = 0.3 * rng.standard_normal(N) + rng.standard_normal(6)[groups]
    return X, X[:, 0] - 0.5 * X[:, 3] + noise, groups


@every_estimator
def test_a_splitter_of_groups_and_its_splits(data, estimator):
    X, y, groups = data
    model = clone(estimator).fit(X, y, groups=groups)
    splits = list(CV.split(X, y, groups))
    same = clone(estimator).set_params(cv=splits).fit(X, y)
    np.testing.assert_array_equal(model.mse_path_, same.mse_path_)
    np.testing.assert_array_equal(model.coef_, same.coef_)
    mixed = clone(estimator).set_params(cv=3).fit(X, y)
    assert np.abs(model.mse_path_ - mixed.mse_path_).max() > 1e-3


@every_estimator
def test_splits_of_groups_need_groups(data, estimator):
    X, y, groups = data
    with pytest.raises(ValueError, match=r"cv=GroupKFold.* 'groups' parameter"):
        clone(estimator).fit(X, y)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        clone(estimator).fit(X, y, groups=groups[1:])


@every_estimator
def test_groups_without_weight_are_no_folds(data, estimator):
    X, y, groups = data
    weight = (groups < 4) * 1.0
    estimator = clone(estimator).set_params(cv=LeaveOneGroupOut())
    model = clone(estimator).fit(X, y, weight, groups=groups)
    assert model.mse_path_.shape[-1] == 4
    kept = weight > 0
    same = clone(estimator).fit(X[kept], y[kept], groups=groups[kept])
    np.testing.assert_allclose(model.mse_path_, same.mse_path_, rtol=1e-4)


def test_the_choice_is_that_of_sklearn(data):
    """`LassoCV` gets its groups by routing."""
    X, y, groups = data
    model = SparseRegressorCV(alphas=20, cv=CV, tol=1e-10).fit(X, y, groups=groups)
    with config_context(enable_metadata_routing=True):
        peer = LassoCV(alphas=model.alphas_, cv=CV, tol=1e-10)
        peer.fit(X, y, groups=groups)
    np.testing.assert_allclose(model.mse_path_, peer.mse_path_, rtol=1e-5)
    assert model.alpha_ == peer.alpha_


@every_estimator
def test_groups_are_routed(data, estimator):
    """To the outer folds and to the inner ones, of the training rows."""
    X, y, groups = data
    outer = GroupKFold(2)
    with config_context(enable_metadata_routing=True):
        routed = clone(estimator).set_fit_request(groups=True)
        results = cross_validate(
            routed,
            X,
            y,
            cv=outer,
            params={"groups": groups},
            return_estimator=True,
            error_score="raise",
        )
        grid = {"fit_intercept": [True, False]}
        search = GridSearchCV(routed, grid, cv=outer, error_score="raise")
        search.fit(X, y, groups=groups)
    for (train, _), model in zip(outer.split(X, y, groups), results["estimator"]):
        direct = clone(estimator).fit(X[train], y[train], groups=groups[train])
        np.testing.assert_array_equal(model.coef_, direct.coef_)
    best = clone(estimator).set_params(**search.best_params_)
    best.fit(X, y, groups=groups)
    np.testing.assert_array_equal(search.best_estimator_.coef_, best.coef_)
