"""`RandomFeatureRidge` on rows kept in any way, and on what it refuses."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from skloss.random_features import RandomFeatureRidge
from skloss.random_features._feature_map import FeatureMap
from tests.random_features.ridge_cases import (
    SOLVERS,
    Shelf,
    model_of,
    same_model,
    sample,
    stored,
)


@pytest.fixture
def data(rng):
    return sample(rng)


@pytest.mark.parametrize("how", SOLVERS[:3], ids=str)
def test_blocks_and_threads_change_nothing(data, rng, how):
    X, y = data
    weight = rng.uniform(0, 2, len(y))
    model = model_of(**how).fit(X, y, weight)
    for batch_size in (1, 7, 64, 1000):
        same_model(model_of(batch_size=batch_size, **how).fit(X, y, weight), model, X)
    many = np.tile(X, (800, 1))
    with threadpool_limits(2):
        expected = model.predict(many)
        one = model.set_params(n_jobs=1).predict(many)
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_allclose(expected[:150], model.predict(X), rtol=0, atol=1e-11)


@pytest.mark.parametrize("kind", ["memmap", "dask", "shelf", "csr", "matrix"])
@pytest.mark.parametrize("how", SOLVERS[:3], ids=str)
@pytest.mark.parametrize("gamma", [0.3, "scale"])
def test_storage_changes_nothing(data, rng, tmp_path, kind, how, gamma):
    X, y = data
    X = np.where(np.abs(X) < 0.5, 0.0, X)
    weight = rng.uniform(0, 2, len(y))
    there = stored(kind, X, tmp_path)
    model = model_of(gamma=gamma, **how).fit(there, y, weight)
    expected = model_of(gamma=gamma, **how).fit(X, y, weight)
    same_model(model, expected, X)
    np.testing.assert_allclose(model.predict(there), expected.predict(X), atol=1e-9)
    assert model.score(there, y) == pytest.approx(expected.score(X, y))


@pytest.mark.parametrize("kind", ["csr", "shelf", "dask"])
@pytest.mark.parametrize("activation", ["cos", "relu"])
def test_storage_at_infinite_width(data, tmp_path, kind, activation):
    X, y = data
    there = stored(kind, X, tmp_path)
    model = model_of(np.inf, activation=activation).fit(there, y)
    expected = model_of(np.inf, activation=activation).fit(X, y).predict(X)
    np.testing.assert_allclose(model.predict(there), expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize(
    ("sampling", "activation"),
    [("iid", "relu"), ("orthogonal", "sincos"), ("hadamard", "relu")],
)
def test_wide_models_never_hold_all_features(monkeypatch, sampling, activation):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 300))
    y = X[:, 0]
    most = []

    def features(self, X, units, out, shift=None):
        most.append(out.size)
        return original(self, X, units, out, shift)

    original = FeatureMap.features
    options = {"sampling": sampling, "activation": activation, "gamma": 1e-3}
    model = model_of(15_000, **options)
    with monkeypatch.context() as context:
        context.setattr(FeatureMap, "features", features)
        predicted = model.fit(X[:100], y[:100]).predict(X)
    assert max(most) < 600 * 15_000 / 5
    Z = model.random_features_.transform(X[:200])
    expected = Ridge(0.1, solver="svd").fit(Z[:100], y[:100]).predict(Z)
    np.testing.assert_allclose(predicted[:200], expected, rtol=0, atol=1e-9)


def test_rows_are_read_a_block_at_a_time():
    rng = np.random.default_rng(0)
    X = Shelf(rng.normal(size=(60_000, 20)))
    y = X._array[:, 0]
    X.most = 0
    model = model_of(10).fit(X, y)
    assert 0 < X.most <= 30_000
    model.predict(X)
    assert X.most <= 30_000


def test_dask_chunks_are_computed_once():
    array = pytest.importorskip("dask.array")
    calls = []

    def chunk(block_info=None):
        calls.append(block_info[None]["chunk-location"])
        rng = np.random.default_rng(block_info[None]["chunk-location"][0])
        return rng.normal(size=(3000, 3))

    X = array.map_blocks(chunk, chunks=((3000,) * 3, (3,)), dtype=float)
    y = array.ones(9000, chunks=3000)
    model = model_of(200, precision="float64").fit(X, y)
    assert len(calls) <= 4  # the first one is looked at once more
    calls.clear()
    model.predict(X)
    assert len(calls) == 3


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("kind", ["shelf", "dask", "list"])
def test_nan_in_stored_rows(data, tmp_path, kind, bad):
    X, y = data
    spoilt = X.copy()
    spoilt[140, 1] = bad
    model = model_of().fit(X, y)
    coef = model.coef_
    there = stored(kind, spoilt, tmp_path)
    for share, call in ((1, model.fit), (0.5, model.partial_fit), (0.2, model.forget)):
        with pytest.raises(ValueError, match="X contains"):
            call(there, y, np.full(len(y), share))
    with pytest.raises(ValueError, match="X contains"):
        model.predict(there)
    np.testing.assert_array_equal(model.coef_, coef)
    # Nor did sums change from which it goes on.
    again = model_of().fit(np.vstack([X, X[:5]]), np.append(y, y[:5]))
    same_model(model.partial_fit(X[:5], y[:5]), again, X)


# --- Refused ---


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components.*0"),
        ({"n_components": -3}, "n_components.*-3"),
        ({"n_components": 2.5}, "n_components.*2.5"),
        ({"n_components": -np.inf}, "n_components.*-inf"),
        ({"n_components": np.nan}, "n_components.*nan"),
        ({"alpha": -1.0}, "alpha.*-1"),
        ({"alpha": np.nan}, "alpha.*nan"),
        ({"alpha": np.inf}, "alpha.*inf"),
        ({"alpha": []}, "alpha.*shape \\(0,\\)"),
        ({"alpha": [1.0, 2.0]}, "alpha.*shape \\(2,\\)"),
        ({"alpha": [-2.0]}, "alpha=\\[-2.0\\]"),
        ({"activation": "rely"}, "activation.*rely"),
        ({"distribution": "normal"}, "distribution.*normal"),
        ({"sampling": "sobol"}, "sampling.*sobol"),
        ({"solver": "svd"}, "solver.*svd"),
        ({"precision": "half"}, "precision.*half"),
        ({"gamma": "auto"}, "gamma.*auto"),
        ({"gamma": -1.0}, "gamma.*-1"),
        ({"batch_size": 0}, "batch_size.*0"),
        ({"distribution": "cauchy"}, "distribution='cauchy'.*'relu'"),
        ({"n_components": np.inf, "solver": "primal"}, "solver='primal'.*inf"),
        ({"precision": "mixed", "solver": "dual"}, "precision='mixed'.*'dual'"),
        ({"activation": "square", "gamma": 1e200}, "activation='square'.*1e\\+200"),
        ({"activation": np.arccos}, "activation=.*not finite"),
        ({"activation": np.ravel}, "activation returned.*shape"),
    ],
    ids=lambda value: str(value).split(" at ")[0],  # addresses change
)
@pytest.mark.parametrize("solver", ["auto", "dual"])
def test_bad_parameters(data, options, message, solver):
    X, y = data
    options = {"n_components": 10, "solver": solver, **options}
    with pytest.raises(ValueError, match=message), np.errstate(all="ignore"):
        RandomFeatureRidge(**options).fit(X, y)


@pytest.mark.parametrize("wrap", [np.asarray, Shelf])
def test_bad_data(data, wrap):
    X, y = data
    model, X = model_of(), wrap(X)
    with pytest.raises(ValueError, match="NaN"):
        model.fit(X, np.where(y > 0, y, np.nan))
    with pytest.raises(ValueError, match=r"inconsistent|150 rows and y has 149"):
        model.fit(X, y[1:])
    with pytest.raises(ValueError, match=r"sample_weight\[3\] is -1"):
        model.fit(X, y, np.where(np.arange(150) == 3, -1.0, 1.0))
    with pytest.raises(ValueError, match="sample_weight are zero"):
        model.fit(X, y, np.zeros(150))
    with pytest.raises(ValueError, match="149 values for 150"):
        model.fit(X, y, np.ones(149))
    with pytest.raises(ValueError, match="dim"):
        model.fit(X, np.zeros((150, 2, 2)))
    assert not hasattr(model, "coef_") and not hasattr(model, "n_features_in_")
    model.fit(X, y)
    with pytest.raises(ValueError, match="features"):
        model.predict(wrap(np.zeros((5, 3))))


def test_bad_streams(data):
    _, y = data
    for array, message in (
        (np.zeros(150), "two dimensions"),
        (np.zeros((0, 3)), "minimum of 1 sample"),
        (np.zeros((150, 2), dtype=complex), "real numbers.*complex"),
    ):
        with pytest.raises(ValueError, match=message):
            model_of().fit(Shelf(array), y[: len(array)])


def test_a_failed_fit_changes_nothing(data):
    X, y = data
    model = model_of().fit(X, y)
    before = model.predict(X)
    model.set_params(alpha=[1.0, 2.0])
    with pytest.raises(ValueError, match="alpha"):
        model.fit(X[:, :2], y)
    np.testing.assert_array_equal(model.predict(X), before)
    assert model.n_features_in_ == 4
