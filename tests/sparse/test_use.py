"""The sparse regressors where people use them: searches, pickles, frames."""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from joblib import parallel_backend
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.sparse import (
    BestSubsetRegressor,
    BestSubsetRegressorCV,
    PreconditionedLasso,
    PreconditionedLassoCV,
    SparseRegressor,
    SparseRegressorCV,
)

ESTIMATORS = {
    "sparse": (SparseRegressor(), {"alpha": [0.01, 0.1]}),
    "sparse cv": (SparseRegressorCV(alphas=5, cv=3), {"penalty": ["l1", "mcp"]}),
    "subset": (BestSubsetRegressor(random_state=0), {"n_nonzero_coefs": [2, 4]}),
    "subset cv": (
        BestSubsetRegressorCV(max_features=5, random_state=0, cv=3),
        {"criterion": ["cv", "bic"]},
    ),
    "preconditioned": (PreconditionedLasso(random_state=0), {"alpha": [0.01, 0.1]}),
    "preconditioned cv": (
        PreconditionedLassoCV(alphas=5, cv=3, random_state=0),
        {"one_se": [False, True]},
    ),
}
by_estimator = pytest.mark.parametrize(
    ("estimator", "grid"), ESTIMATORS.values(), ids=ESTIMATORS.keys()
)


@by_estimator
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_grid_search_in_a_pipeline(data, estimator, grid, backend):
    X, y = data
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
    assert search.best_score_ > 0.8


@by_estimator
def test_pickle_and_skops_round_trip(data, estimator, grid, tmp_path):
    X, y = data
    fitted = clone(estimator).fit(X, y)
    expected = fitted.predict(X)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict(X), expected)
    path = tmp_path / "model.skops"
    skops.io.dump(fitted, path)
    trusted = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith(("skloss.", "scipy.sparse.")) for name in trusted)
    loaded = skops.io.load(path, trusted=trusted)
    np.testing.assert_array_equal(loaded.predict(X), expected)


@by_estimator
def test_frames_keep_their_names(data, estimator, grid):
    X, y = data
    frame = pd.DataFrame(X, columns=[f"column {j}" for j in range(30)])
    model = clone(estimator).fit(frame, y)
    assert model.feature_names_in_[-1] == "column 29"
    expected = clone(model).fit(X, y).predict(X)
    np.testing.assert_allclose(model.predict(frame), expected, rtol=1e-10)
