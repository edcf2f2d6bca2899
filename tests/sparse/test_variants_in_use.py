"""Every penalty and method: searches, pickles, frames, float32, routed weights."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from joblib import parallel_backend
from sklearn import config_context
from sklearn.base import clone
from sklearn.linear_model import Lasso
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.sparse import (
    BestSubsetRegressor,
    BestSubsetRegressorCV,
    DesignPreconditioner,
    PreconditionedLasso,
    PreconditionedLassoCV,
    SparseRegressor,
    SparseRegressorCV,
)

GROUPS = np.arange(12) // 3
VARIANTS = {
    "elasticnet": SparseRegressor("elasticnet", 0.1),
    "mcp": SparseRegressor("mcp", 0.1, positive=True),
    "scad": SparseRegressor("scad", 0.1),
    "group": SparseRegressor("group", 0.1, groups=GROUPS),
    "sparse group": SparseRegressor("sparse_group", 0.1, groups=GROUPS, positive=True),
    "envelope": SparseRegressor("sparse_envelope", 0.1, n_nonzero_coefs=4),
    "envelope of groups": SparseRegressor(
        "sparse_envelope", 0.1, groups=GROUPS, n_nonzero_coefs=2
    ),
    "slope": SparseRegressor("slope", 0.1),
    "group cv": SparseRegressorCV("group", groups=GROUPS, alphas=4, cv=3, one_se=True),
    "relaxed cv": SparseRegressorCV("group", groups=GROUPS, alphas=4, cv=3, relax=True),
    "subset": BestSubsetRegressor(3, method="exact"),
    "subset of groups": BestSubsetRegressor(2, groups=GROUPS, random_state=0),
    "subset cv": BestSubsetRegressorCV(4, criterion="ebic", random_state=0),
    "preconditioned": PreconditionedLasso(
        0.1, n_nonzero_coefs=3, l2=0.1, random_state=0
    ),
    "preconditioned cv": PreconditionedLassoCV(
        alphas=4, cv=3, n_nonzero_coefs="cv", random_state=0
    ),
}
every_variant = pytest.mark.parametrize(
    "estimator", VARIANTS.values(), ids=VARIANTS.keys()
)


@pytest.fixture(scope="module")
def sample():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 12)) + rng.normal(size=(60, 1))
    y = X[:, :3] @ [2.0, 1.0, 1.5] + 0.3 * rng.normal(size=60)
    return X, y


@every_variant
def test_parallel_searches_equal_serial_ones(sample, estimator):
    pipeline = make_pipeline(StandardScaler(), clone(estimator))
    grid = {f"{pipeline.steps[-1][0]}__fit_intercept": [True, False]}
    serial = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(*sample)
    assert serial.best_score_ > 0.6
    assert serial.best_params_[next(iter(grid))]  # y has a mean
    for backend in ("loky", "threading"):
        with parallel_backend(backend):
            search = clone(serial).set_params(n_jobs=2).fit(*sample)
        np.testing.assert_array_equal(
            search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
        )


@every_variant
def test_pickles_clones_and_skops(sample, estimator, tmp_path):
    X, y = sample
    fitted = clone(estimator).fit(X, y)
    expected = fitted.predict(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), expected)
    np.testing.assert_array_equal(clone(fitted).fit(X, y).predict(X), expected)
    skops.io.dump(fitted, tmp_path / "model.skops")
    trusted = skops.io.get_untrusted_types(file=tmp_path / "model.skops")
    assert all(name.startswith(("skloss.", "scipy.sparse.")) for name in trusted)
    loaded = skops.io.load(tmp_path / "model.skops", trusted=trusted)
    np.testing.assert_array_equal(loaded.predict(X), expected)


@every_variant
def test_frames_give_feature_names(sample, estimator):
    X, y = sample
    plain = clone(estimator).fit(X, y).predict(X)
    for frame in (pd.DataFrame, pl.DataFrame):
        data = frame({f"column {j}": X[:, j] for j in range(12)})
        model = clone(estimator).fit(data, y)
        assert model.feature_names_in_[-1] == "column 11"
        np.testing.assert_allclose(model.predict(data), plain, rtol=1e-7)


@every_variant
def test_float32_stays_float32(sample, estimator):
    X, y = sample
    single = clone(estimator).fit(X.astype(np.float32), y)
    double = clone(estimator).fit(X, y)
    assert single.coef_.dtype == single.predict(X.astype(np.float32)).dtype
    assert (single.coef_.dtype, double.coef_.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single.predict(X), double.predict(X), atol=1e-3)


@every_variant
def test_weights_are_routed(sample, estimator):
    X, y = sample
    weight = np.where(np.arange(60) % 4, 1.0, 3.0)
    with config_context(enable_metadata_routing=True):
        routed = clone(estimator).set_fit_request(sample_weight=True)
        routed.set_score_request(sample_weight=True)
        results = cross_validate(
            routed,
            X,
            y,
            cv=[(np.arange(60), np.arange(60))],
            params={"sample_weight": weight},
            return_estimator=True,
        )
    direct = clone(estimator).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(results["estimator"][0].coef_, direct.coef_, rtol=1e-9)
    unweighted = clone(estimator).fit(X, y)
    assert np.abs(direct.coef_ - unweighted.coef_).max() > 1e-6


def test_the_preconditioner_is_a_transformer(sample):
    X, y = sample
    step = DesignPreconditioner(support_size=2, threshold=0.9, random_state=0)
    names = [f"column {j}" for j in range(12)]
    frame = pd.DataFrame(X, columns=names)
    out = clone(step).set_output(transform="pandas").fit_transform(frame)
    assert list(out.columns) == names
    np.testing.assert_allclose(out, clone(step).fit_transform(X), atol=1e-13)
    pipeline = make_pipeline(clone(step), Lasso(alpha=0.01))
    grid = {"designpreconditioner__threshold": [0.5, 0.9]}
    with parallel_backend("loky"):
        search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, y)
    serial = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    assert search.best_score_ == serial.best_score_ > 0.9
    again = pickle.loads(pickle.dumps(search))
    np.testing.assert_array_equal(again.predict(X), search.predict(X))
