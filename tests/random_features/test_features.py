"""`RandomFeatures` before plain NumPy, laws of weights, and sparse and other rows."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.sparse import csr_array, csr_matrix, random_array
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_limits

from skloss._blocks import row_blocks
from skloss.random_features import RandomFeatures
from skloss.random_features._parameters import scale_gamma
from skloss.random_features._weights import Weights
from tests.random_features.feature_cases import LAWS, NUMPY, drawn


@pytest.fixture
def X(rng):
    return rng.normal(size=(40, 6))


@pytest.mark.parametrize(("distribution", "sampling"), LAWS)
@pytest.mark.parametrize("activation", ["cos", "sincos"])
def test_narrow_maps_are_the_beginning_of_wide_ones(
    X, distribution, sampling, activation
):
    law = {
        "distribution": distribution,
        "sampling": sampling,
        "activation": activation,
    }
    wide = drawn(X, 600, **law)
    Z = wide.transform(X)
    for k in (1, 2, 7, 255, 256, 257):
        narrow = drawn(X, k, **law)
        assert narrow.transform(X).shape == (40, k)
        expected = Z[:, :k] * np.sqrt(600 / k)
        np.testing.assert_allclose(narrow.transform(X), expected, rtol=0, atol=1e-11)
        n_units = narrow.random_offset_.size
        assert n_units == ((k + 1) // 2 if activation == "sincos" else k)
        for name in ("random_weights_", "random_offset_"):
            part = getattr(wide, name)[..., :n_units]
            np.testing.assert_allclose(getattr(narrow, name), part, rtol=1e-12)


@pytest.mark.parametrize(("distribution", "sampling"), LAWS)
def test_weights_do_not_depend_on_how_they_are_asked_for(distribution, sampling):
    weights = Weights(11, 5, distribution, sampling, 1.3, 1.5)
    whole = weights.rows(0, 64)
    for start, stop in ((0, 1), (1, 2), (3, 17), (16, 48), (63, 64)):
        np.testing.assert_array_equal(weights.rows(start, stop), whole[start:stop])


@pytest.mark.parametrize(("distribution", "sampling"), LAWS)
def test_single_precision_weights_are_rounded_double_ones(X, distribution, sampling):
    law = {"distribution": distribution, "sampling": sampling, "activation": "cos"}
    double = drawn(X, 100, **law)
    single = drawn(X.astype(np.float32), 100, **law)
    for name in ("random_weights_", "random_offset_"):
        assert getattr(single, name).dtype == np.float32
        rounded = getattr(double, name).astype(np.float32)
        np.testing.assert_array_equal(getattr(single, name), rounded)


@pytest.mark.parametrize("sampling", ["iid", "hadamard"])
def test_threads_and_blocks_change_nothing(sampling):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_001, 6))  # enough for several threads
    features = drawn(X, 500, sampling=sampling)
    with threadpool_limits(2):
        Z = features.transform(X)
    with threadpool_limits(1):
        np.testing.assert_array_equal(features.transform(X), Z)
    part = features.transform(X[777:1000])
    np.testing.assert_allclose(part, Z[777:1000], rtol=0, atol=1e-14)


def test_weights_follow_their_laws():
    laws = {
        "gaussian": stats.norm(scale=np.sqrt(0.4)),
        "cauchy": stats.cauchy(scale=0.2),
        "student": stats.t(df=3, scale=np.sqrt(0.4)),
        "uniform": stats.uniform(-np.sqrt(1.2), 2 * np.sqrt(1.2)),
    }
    for distribution, sampling in LAWS:
        # One entry of each unit: those of the same unit may depend on each other.
        model = drawn(
            np.zeros((2, 8)),
            4000,
            distribution=distribution,
            sampling=sampling,
            activation="cos",
        )
        entries = model.random_weights_[2]
        if sampling == "hadamard":  # a sum of few terms: nearly normal only
            continue
        assert stats.kstest(entries, laws[distribution].cdf).pvalue > 1e-3
        phases = model.random_offset_
        assert stats.kstest(phases, stats.uniform(0, 2 * np.pi).cdf).pvalue > 1e-3


def test_heavy_tails_stay_finite():
    law = {"distribution": "student", "nu": 0.01, "activation": "cos"}
    for dtype in (np.float64, np.float32):
        X = np.ones((3, 2), dtype=dtype)
        model = drawn(X, 20_000, **law)
        assert np.isfinite(model.random_weights_).all()
        assert np.isfinite(model.transform(X)).all()


@pytest.mark.parametrize("d", [1, 4, 6, 16])
def test_orthogonal_blocks(d):
    W = drawn(np.zeros((1, d)), 400, gamma=0.5, sampling="orthogonal").random_weights_
    for start in range(0, 400 - d, d):
        block = W[:, start : start + d]
        gram = block.T @ block
        lengths = np.sqrt(np.diagonal(gram))
        expected = np.diag(lengths**2)
        np.testing.assert_allclose(gram, expected, rtol=0, atol=1e-12 * d)
    law = stats.chi(d)
    lengths = np.linalg.norm(W, axis=0)
    assert stats.kstest(lengths, law.cdf).pvalue > 1e-3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("d", [1, 2, 3, 6, 8, 17])
def test_hadamard_products_are_those_of_its_weights(rng, d, dtype):
    X = rng.normal(size=(30, d)).astype(dtype)
    model = drawn(X, 77, activation="linear", bias=0.5, sampling="hadamard")
    W, b = model.random_weights_, model.random_offset_
    expected = (X @ W + b) / np.sqrt(77)
    tol = 1e-13 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(model.transform(X), expected, rtol=0, atol=tol * d)


@pytest.mark.parametrize("d", [64, 128])
def test_lengths_of_hadamard_weights(d):
    W = drawn(np.zeros((1, d)), 3 * d, gamma=0.5, sampling="hadamard").random_weights_
    for start in range(0, 3 * d, d):
        block = W[:, start : start + d]
        np.testing.assert_allclose(block.T @ block, d * np.eye(d), atol=1e-10)


@pytest.mark.parametrize("d", [1, 5, 70])
def test_lengths_of_parts_of_hadamard_weights(d):
    options = {"gamma": 0.5, "sampling": "hadamard"}
    W = drawn(np.zeros((1, d)), 4096, **options).random_weights_
    assert np.mean(W**2) == pytest.approx(1.0, rel=1e-12 if d == 1 else 0.05)
    # Whole blocks of orthogonal columns: so are the rows.
    np.testing.assert_allclose(W @ W.T, 4096 * np.eye(d), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("activation", sorted(NUMPY))
def test_activations(X, activation, dtype):
    X = X.astype(dtype)
    model = drawn(X, 50, activation=activation, bias=0.7, negative_slope=0.3)
    u = X.astype(float) @ model.random_weights_.astype(float)
    u += model.random_offset_.astype(float)
    expected = NUMPY[activation](u) / np.sqrt(50)
    near_0 = np.abs(u) < 1e-5  # where single precision may not know the sign
    Z = model.transform(X)
    assert Z.dtype == dtype
    tol = 1e-13 if dtype == np.float64 else 5e-6
    np.testing.assert_allclose(Z[~near_0], expected[~near_0], rtol=tol, atol=tol)
    assert near_0.mean() < 0.01


def test_pairs_of_sines_and_cosines(X):
    for k in (6, 7):
        model = drawn(X, k, activation="sincos", bias=0.4)
        u = X @ model.random_weights_ + model.random_offset_
        both = np.stack([np.sin(u), np.cos(u)], axis=2).reshape(len(X), -1)
        expected = np.sqrt(2 / k) * both[:, :k]
        np.testing.assert_allclose(model.transform(X), expected, rtol=0, atol=1e-13)


def test_exponential_features(X):
    model = drawn(X, 50, activation="exp", bias=0.4)
    u = X @ model.random_weights_ + model.random_offset_
    variance = 2 * 0.2 * (X**2).sum(axis=1) + 0.4**2
    expected = np.exp(u - variance[:, None] / 2) / np.sqrt(50)
    np.testing.assert_allclose(model.transform(X), expected, rtol=1e-12)
    wide = drawn(X, 100_000, activation="exp")
    # Their mean is that of the law, 1.
    means = wide.transform(X[:5]).mean(axis=1) * np.sqrt(100_000)
    np.testing.assert_allclose(means, 1.0, atol=0.05)


def test_offsets(X):
    assert not drawn(X, 300).random_offset_.any()
    offsets = drawn(X, 5000, bias=2.0).random_offset_
    assert stats.kstest(offsets, stats.norm(scale=2.0).cdf).pvalue > 1e-3
    phases = drawn(X, 300, activation="cos").random_offset_
    # "cos" knows no bias.
    other = drawn(X, 300, activation="cos", bias=2.0)
    np.testing.assert_array_equal(other.random_offset_, phases)
    np.testing.assert_array_equal(other.transform(X), other.transform(X))


@pytest.mark.parametrize("sampling", ["iid", "orthogonal", "qmc", "hadamard"])
@pytest.mark.parametrize("activation", ["relu", "cos", "sincos", "exp", "step"])
def test_sparse_rows_are_dense_rows(activation, sampling):
    rng = np.random.default_rng(1)
    A = random_array((50, 30), density=0.2, rng=rng, dtype=np.float64)
    X = A.toarray()
    X[7] = 0.0
    options = {"activation": activation, "sampling": sampling, "gamma": "scale"}
    dense = drawn(X, 41, **options)
    for wrap in (csr_array, csr_matrix):
        model = drawn(wrap(X), 41, **options)
        assert model.gamma_ == pytest.approx(dense.gamma_, rel=1e-13)
        Z = model.transform(wrap(X))
        assert isinstance(Z, np.ndarray)
        np.testing.assert_allclose(Z, dense.transform(X), rtol=1e-12, atol=1e-13)
        K = dense.kernel(X)
        np.testing.assert_allclose(model.kernel(wrap(X)), K, rtol=0, atol=2e-8)
        np.testing.assert_allclose(model.kernel(X, wrap(X)), K, rtol=0, atol=2e-8)


def test_sparse_rows_are_not_made_dense_at_once(monkeypatch):
    X = random_array((2000, 3000), density=1e-3, rng=0, format="csr")
    most = []

    def toarray(self, *args, **kwargs):
        most.append(self.shape[0])
        return original(self, *args, **kwargs)

    original = csr_array.toarray
    monkeypatch.setattr(csr_array, "toarray", toarray)
    drawn(X, 10, sampling="hadamard").transform(X)
    assert most and max(most) <= 200
    most.clear()
    drawn(X, 10).transform(X)
    assert not most


def test_names(X):
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = RandomFeatures(3, random_state=0).fit(frame)
    names = ["randomfeatures0", "randomfeatures1", "randomfeatures2"]
    assert list(model.get_feature_names_out()) == names
    assert list(model.feature_names_in_) == list("abcdef")
    out = model.set_output(transform="pandas").transform(frame)
    assert list(out.columns) == names
    np.testing.assert_array_equal(out.index, frame.index)
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame[list("fedcba")])
    polars = pytest.importorskip("polars")
    table = model.set_output(transform="polars").transform(frame)
    assert isinstance(table, polars.DataFrame) and table.columns == names


def test_dtypes(X):
    narrow = X.astype(np.float32)
    assert drawn(X, 5).transform(X).dtype == np.float64
    assert drawn(narrow, 5).transform(narrow).dtype == np.float32
    assert drawn(narrow, 5).transform(X).dtype == np.float64
    assert drawn(X, 5, dtype=np.float32).transform(X).dtype == np.float32
    assert drawn(X, 5, dtype=np.float64).transform(narrow).dtype == np.float64
    assert drawn(narrow, 5).kernel(narrow).dtype == np.float32
    assert drawn(narrow, 5, activation="cos").kernel(narrow).dtype == np.float32
    counts = np.arange(12).reshape(4, 3)
    assert drawn(counts, 5).transform(counts).dtype == np.float64
    np.testing.assert_allclose(
        drawn(narrow, 50).transform(narrow), drawn(X, 50).transform(X), atol=1e-6
    )


def shifted(u):
    return np.sinh(u) + 0.1


def test_functions(X):
    model = drawn(X, 20, activation=shifted, bias=0.2)
    u = X @ model.random_weights_ + model.random_offset_
    expected = shifted(u) / np.sqrt(20)
    np.testing.assert_allclose(model.transform(X), expected, rtol=1e-12)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    named = drawn(X, 20, activation="tanh")
    same = drawn(X, 20, activation=np.tanh)
    np.testing.assert_allclose(same.transform(X), named.transform(X), rtol=1e-12)
    np.testing.assert_allclose(same.kernel(X), named.kernel(X), rtol=0, atol=1e-9)


def test_functions_of_a_wrong_shape(X):
    for wrong in (lambda u: u[:, :1], lambda u: u.sum(), lambda u: u.T):
        with pytest.raises(ValueError, match="activation returned an array of shape"):
            drawn(X, 20, activation=wrong).transform(X)


def test_copies(X):
    model = drawn(X, 20, sampling="qmc", activation="cos")
    Z = model.transform(X)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), Z)
    copied = clone(model)
    assert not hasattr(copied, "random_weights_")
    np.testing.assert_array_equal(copied.fit(X).transform(X), Z)
    # Parameters take effect at the next fit.
    model.set_params(n_components=7)
    np.testing.assert_array_equal(model.transform(X), Z)
    pipeline = make_pipeline(StandardScaler(), copied).fit(X)
    Z = pipeline.transform(X)
    again = clone(copied).fit_transform(StandardScaler().fit_transform(X))
    np.testing.assert_array_equal(Z, again)


def test_random_state(X):
    first, again = (drawn(X, 9, random_state=5).transform(X) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(drawn(X, 9, random_state=6).transform(X) - first).max() > 0.01
    instance = np.random.RandomState(0)
    one, two = (drawn(X, 9, random_state=instance).transform(X) for _ in range(2))
    assert np.abs(one - two).max() > 0.01


def test_scale_of_gamma(X, rng):
    X = 3.0 * X + 1.0
    X[np.abs(X) < 1] = 0.0
    expected = 1 / (6 * X.var())
    for given in (X, csr_array(X), X.astype(np.float32), csr_array(X, dtype="f")):
        model = RandomFeatures(4).fit(given)
        tol = 1e-12 if given.dtype == np.float64 else 1e-6
        assert model.gamma_ == pytest.approx(expected, rel=tol)
    far = rng.normal(size=(500, 6)) + 1e9
    gamma = RandomFeatures(4).fit(far).gamma_
    exact = 1 / (6 * (far - 1e9).var())
    assert gamma == pytest.approx(exact, rel=1e-9)


@pytest.mark.parametrize("wrap", [np.asarray, csr_array])
def test_scale_of_gamma_with_weights(X, wrap, rng):
    weight = rng.integers(0, 4, len(X)).astype(float)
    weight[0] = 0.0
    repeated = np.repeat(X, weight.astype(int), axis=0)
    found = scale_gamma("scale", row_blocks(wrap(X)), weight)
    assert found == pytest.approx(1 / (6 * repeated.var()), rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 1.0, 0.1, 1e300, -1e-300, 1e5 / 3])
@pytest.mark.parametrize("wrap", [np.asarray, csr_array])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_constant_rows(value, wrap, dtype):
    value = min(value, 1e30) if dtype == np.float32 else value
    X = wrap(np.full((50, 3), value, dtype=dtype))
    with np.errstate(over="ignore"):
        assert RandomFeatures(4).fit(X).gamma_ == 1.0


def test_one_component(X):
    for activation in ("relu", "cos", "sincos"):
        assert drawn(X, 1, activation=activation).transform(X).shape == (40, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 0}, "n_components.*0"),
        ({"n_components": 2.5}, "n_components.*2.5"),
        ({"activation": "rely"}, "activation.*rely"),
        ({"distribution": "normal"}, "distribution.*normal"),
        ({"sampling": "sobol"}, "sampling.*sobol"),
        ({"gamma": 0.0}, "gamma.*0.0"),
        ({"gamma": np.inf}, "gamma.*inf"),
        ({"bias": -1.0}, "bias.*-1"),
        ({"nu": 0}, "nu.*0"),
        ({"dtype": int}, "dtype"),
        ({"distribution": "student"}, "distribution='student'.*'relu'"),
        ({"distribution": "cauchy", "activation": "sin"}, "'cauchy'.*'sin'"),
        (
            {"distribution": "cauchy", "activation": "cos", "sampling": "orthogonal"},
            "sampling='orthogonal'.*'cauchy'",
        ),
        (
            {"distribution": "uniform", "activation": "cos", "sampling": "hadamard"},
            "sampling='hadamard'.*'uniform'",
        ),
        (
            {"activation": "leaky_relu", "negative_slope": np.nan},
            "negative_slope.*nan",
        ),
    ],
)
def test_bad_parameters(X, options, message):
    with pytest.raises(ValueError, match=message):
        RandomFeatures(**options).fit(X)


def test_bad_rows(X):
    X[3, 2] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        RandomFeatures().fit(X)
    with pytest.raises(ValueError, match="gamma='scale'"), np.errstate(all="ignore"):
        RandomFeatures().fit(np.array([[1e300], [-1e300]]))
    wide = csr_array((2, 30_000), dtype=np.float64)
    with pytest.raises(ValueError, match="sampling='qmc'"):
        RandomFeatures(sampling="qmc").fit(wide)


@parametrize_with_checks(
    [
        RandomFeatures(activation="cos"),
        RandomFeatures(31, activation="sincos", sampling="orthogonal"),
        RandomFeatures(sampling="hadamard"),
        RandomFeatures(sampling="qmc"),
        RandomFeatures(activation=np.tanh),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
