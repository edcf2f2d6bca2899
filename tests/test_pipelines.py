"""Every public classifier where people use it: pipelines, searches, pickles, frames."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
import skops.io
from joblib import parallel_backend
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.linear_eval import MultinomialLogistic, PooledGaussianNB
from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
)

CLASSIFIERS = {
    "MultinomialLogistic": (MultinomialLogistic(), {"C": [0.1, 10.0]}),
    "PooledGaussianNB": (PooledGaussianNB(), {"shrinkage": [None, 0.5]}),
    "PrestoClassifier": (PrestoClassifier(), {"alpha": [0.1, 0.001]}),
    "PrestoClassifierCV": (
        PrestoClassifierCV(alphas=4, cv=3, random_state=0),
        {"family": ["cumulative", "stopping"]},
    ),
    "ProportionalOddsClassifier": (
        ProportionalOddsClassifier(alpha=1e-3),
        {"link": ["logit", "probit"]},
    ),
}
by_classifier = pytest.mark.parametrize(
    ("estimator", "grid"), CLASSIFIERS.values(), ids=CLASSIFIERS.keys()
)


@by_classifier
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_in_a_pipeline(estimator, grid, backend):
    X, y = load_iris(return_X_y=True)
    pipeline = make_pipeline(StandardScaler(), clone(estimator))
    step = pipeline.steps[-1][0]
    grid = {f"{step}__{name}": values for name, values in grid.items()}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise")
    with parallel_backend(backend):
        search.fit(X, y)
    serial = GridSearchCV(pipeline, grid, cv=3, error_score="raise").fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )
    assert search.best_score_ > 0.9


@by_classifier
def test_pickle_and_skops_round_trip(estimator, grid, tmp_path):
    X, y = load_iris(return_X_y=True)
    fitted = clone(estimator).fit(X, y)
    expected = fitted.predict_proba(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), expected)
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)
    trusted = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith("skloss.") for name in trusted)
    loaded = skops.io.load(path, trusted=trusted)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)


@by_classifier
@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_frames_give_feature_names(estimator, grid, frame):
    iris = load_iris()
    X = frame({n: iris.data[:, j] for j, n in enumerate(iris.feature_names)})
    fitted = clone(estimator).fit(X, iris.target_names[iris.target])
    assert list(fitted.feature_names_in_) == iris.feature_names
    assert set(fitted.predict(X)) <= set(iris.target_names)
    plain = clone(estimator).fit(iris.data, iris.target_names[iris.target])
    np.testing.assert_allclose(
        fitted.predict_proba(X), plain.predict_proba(iris.data), rtol=1e-10
    )


@by_classifier
def test_sample_weight_is_routed(estimator, grid):
    X, y = load_iris(return_X_y=True)
    weight = np.where(y == 2, 0.0, 1.0)
    weight[100] = 1e-9  # the class stays, all but absent
    with config_context(enable_metadata_routing=True):
        routed = (
            clone(estimator)
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True)
        )
        results = cross_validate(
            routed,
            X,
            y,
            cv=[(np.arange(150), np.arange(150))],
            params={"sample_weight": weight},
            return_estimator=True,
        )
    direct = clone(estimator).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(results["estimator"][0].coef_, direct.coef_, rtol=1e-12)


@by_classifier
def test_float32_stays_float32(estimator, grid):
    X, y = load_iris(return_X_y=True)
    single = clone(estimator).fit(X.astype(np.float32), y)
    double = clone(estimator).fit(X, y)
    assert single.coef_.dtype == single.intercept_.dtype == np.float32
    assert single.predict_proba(X.astype(np.float32)).dtype == np.float32
    assert double.coef_.dtype == np.float64
    np.testing.assert_allclose(
        single.predict_proba(X.astype(np.float32)), double.predict_proba(X), atol=2e-4
    )
