"""`RandomFeatureRidge` among scikit-learn's tools."""

import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
from joblib import parallel_backend
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skloss.random_features import RandomFeatureRidge, _solution
from tests.random_features.ridge_cases import (
    SOLVERS,
    model_of,
    same_model,
    sample,
)


@pytest.fixture
def data(rng):
    return sample(rng)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_searches_and_pipelines(data, backend):
    X, y = data
    pipeline = make_pipeline(StandardScaler(), model_of(gamma="scale"))
    grid = {
        "randomfeatureridge__alpha": [1e-2, 1.0],
        "randomfeatureridge__n_components": [20, 200, np.inf],
    }
    with parallel_backend(backend):
        search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2).fit(X, y)
    alone = GridSearchCV(pipeline, grid, cv=3).fit(X, y)
    for name in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(
            search.cv_results_[name], alone.cv_results_[name], rtol=1e-9
        )
    assert search.best_params_ == alone.best_params_


def test_routed_weights(data, rng):
    X, y = data
    weight = rng.integers(0, 3, len(y)).astype(float)
    with config_context(enable_metadata_routing=True):
        model = model_of().set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        model.set_partial_fit_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        pipeline = make_pipeline(scaler, model).fit(X, y, sample_weight=weight)
    Z = StandardScaler().fit_transform(X)
    same_model(pipeline[-1], model_of().fit(Z, y, weight), Z)


def test_fits_solve_at_once(data, monkeypatch):
    """Predictions of a fit cost no decomposition; streams put it off."""
    X, y = data
    fitted, stream = model_of().fit(X, y), model_of().partial_fit(X, y)
    calls = []
    monkeypatch.setattr(_solution, "solve", lambda *args: calls.append(args))
    fitted.predict(X)
    assert not calls
    with pytest.raises(TypeError):
        stream.predict(X)
    assert len(calls) == 1


def test_copies(data):
    X, y = data
    for options in ({}, {"n_components": np.inf}, {"n_components": 300}):
        model = model_of(**options).fit(X, y)
        again = pickle.loads(pickle.dumps(model))
        np.testing.assert_array_equal(again.predict(X), model.predict(X))
        copied = clone(model)
        assert not hasattr(copied, "intercept_")
        np.testing.assert_array_equal(copied.fit(X, y).predict(X), model.predict(X))
    # Parameters take effect at the next fit.
    before = model.predict(X)
    model.set_params(n_components=7, activation="cos")
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.fit(X, y).coef_.shape == (7,)


@pytest.mark.parametrize("n_components", [40, 300, np.inf])
def test_skops(data, n_components):
    X, y = data
    model = model_of(n_components, activation="cos").fit(X, y)
    stored = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=stored)
    loaded = skops.io.loads(stored, trusted=trusted)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.gcv_score_ == model.gcv_score_


def test_data_frames(data):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = model_of().fit(frame, pd.Series(y))
    assert list(model.feature_names_in_) == list("abcd")
    names = model.random_features_.get_feature_names_out()
    assert len(names) == 40
    same_model(model, model_of().fit(X, y), X)
    features = model.random_features_.transform(frame)
    fitted = np.asarray(features) @ model.coef_ + model.intercept_
    np.testing.assert_allclose(model.predict(frame), fitted, rtol=0, atol=1e-12)
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("dcba")])


@pytest.mark.parametrize("how", SOLVERS, ids=str)
def test_verbose(data, capsys, how):
    X, y = data
    model_of(verbose=1, batch_size=50, **how).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    expected = 1 if how.get("solver") == "dual" else 3
    assert len(lines) == expected
    assert all(line.startswith("[RandomFeatureRidge] block") for line in lines)
    assert "n rows 150" in lines[-1]
    model_of(batch_size=50, **how).fit(X, y)
    assert not capsys.readouterr().out


def test_verbose_by_default(rng, capsys):
    """A line for some million features, not for each look at a few rows."""
    X = rng.normal(size=(50_000, 2))
    model_of(100, verbose=1).fit(X, X[:, 0])
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.parametrize("alpha", [0.1, 0.0])
@pytest.mark.parametrize("how", SOLVERS, ids=str)
def test_progress_bars(data, capsys, how, alpha):
    pytest.importorskip("rich")
    X, y = data
    model = model_of(batch_size=50, alpha=alpha, **how)
    model.set_callbacks(ProgressBar()).fit(X, y)
    assert "RandomFeatureRidge" in capsys.readouterr().out
    same_model(model, model_of(alpha=alpha, **how).fit(X, y), X)


def test_random_state(data):
    X, y = data
    instance = np.random.RandomState(0)
    one, two = (model_of(random_state=instance).fit(X, y) for _ in range(2))
    assert np.abs(one.coef_ - two.coef_).max() > 1e-3
    np.testing.assert_array_equal(
        one.coef_, model_of(random_state=np.random.RandomState(0)).fit(X, y).coef_
    )


def test_few_rows():
    for X, y in ((np.ones((1, 2)), [3.0]), (np.ones((4, 2)), np.arange(4.0))):
        for how in SOLVERS:
            model = model_of(gamma="scale", **how).fit(X, y)
            np.testing.assert_allclose(model.predict(X), np.mean(y), rtol=1e-12)
            assert model.degrees_of_freedom_ == pytest.approx(1.0)


@parametrize_with_checks(
    [
        RandomFeatureRidge(activation="cos"),
        RandomFeatureRidge(20),
        RandomFeatureRidge(solver="dual"),
        RandomFeatureRidge(np.inf),
        RandomFeatureRidge(np.inf, activation="cos", fit_intercept=False),
        RandomFeatureRidge(precision="float32", alpha=10.0),
        RandomFeatureRidge(20, precision="mixed"),
        RandomFeatureRidge(30, solver="primal", precision="mixed"),
        RandomFeatureRidge(sampling="hadamard"),
        RandomFeatureRidge(20, sampling="qmc"),
        RandomFeatureRidge(sampling="orthogonal", alpha=0.0),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
