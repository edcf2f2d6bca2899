"""Parameters of metrics: checked, completed from the data and its weights."""

import numpy as np
import pytest
from scipy import sparse

from skloss.kernels import ComputedCandidates, prepare


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("metric", ["seuclidean", "mahalanobis", "gower"])
def test_weights_repeat_rows(metric, dtype, rng):
    X = rng.standard_normal((40, 3)).astype(dtype)
    X[5] = 100  # of weight 0
    weights = rng.integers(0, 4, 40)
    weights[5] = 0
    got = prepare(metric, X, sample_weight=weights)
    expected = prepare(metric, np.repeat(X, weights, axis=0))
    assert got.keys() == expected.keys()
    for name in got:
        np.testing.assert_allclose(got[name], expected[name], rtol=1e-9, atol=1e-12)
    same = prepare(metric, X, sample_weight=np.ones(40))
    for name, value in prepare(metric, X).items():
        np.testing.assert_array_equal(same[name], value)


def test_weights_that_are_not_whole(rng):
    X, weights = rng.standard_normal((30, 3)), 5 * rng.random(30)
    centred = X - weights @ X / weights.sum()
    scatter = (weights[:, None] * centred).T @ centred
    for total, divisor in ((60.0, 59.0), (1.5, 0.5), (0.4, 0.4)):
        w = weights * total / weights.sum()
        V = scatter * total / weights.sum() / divisor
        got = prepare("seuclidean", X, sample_weight=w)["V"]
        np.testing.assert_allclose(got, np.diag(V), rtol=1e-9)
        got = prepare("mahalanobis", X, sample_weight=w)["VI"]
        np.testing.assert_allclose(got, np.linalg.inv(V), rtol=1e-9)


def test_weights_leave_given_parameters_alone(rng):
    X, w = rng.standard_normal((9, 3)), rng.random(9)
    assert_same = np.testing.assert_array_equal
    assert_same(prepare("seuclidean", X, {"V": [1, 2, 3]}, w)["V"], [1, 2, 3])
    assert_same(prepare("mahalanobis", X, {"VI": np.eye(3)}, w)["VI"], np.eye(3))
    assert_same(prepare("gower", X, {"ranges": [1, 2, 3]}, w)["ranges"], [1, 2, 3])
    with pytest.raises(ValueError, match="sample_weight"):
        prepare("gower", X, sample_weight=-w)


@pytest.mark.parametrize("dtype", [object, str])
def test_gower_asks_for_encoded_categories(dtype):
    X = np.array([["red", 1], ["blue", 2]], dtype=object).astype(dtype)
    with pytest.raises(ValueError, match="OrdinalEncoder"):
        prepare("gower", X, {"categorical": [0]})
    with pytest.raises(ValueError, match="OrdinalEncoder"):
        ComputedCandidates(X, metric="gower", metric_params={"categorical": [0]})


@pytest.mark.parametrize(
    ("metric", "params", "match"),
    [
        ("euclid", None, r"metric='euclid' is unknown.*'gower'"),
        (3, None, "metric=3 is unknown"),
        ("manhattan", {"p": 3}, r"holds \['p'\], which metric='manhattan'"),
        ("minkowski", {"p": 0}, r"\['p'\] is 0"),
        ("minkowski", {"p": "2"}, r"\['p'\] is '2'"),
        ("minkowski", {"p": np.nan}, r"\['p'\] is nan"),
        ("euclidean", {"w": [1.0, 2.0]}, r"\['w'\] has shape \(2,\)"),
        ("euclidean", {"w": [1.0, -2.0, 1.0]}, r"\['w'\] must be finite and not neg"),
        ("hamming", {"w": [0.0, 0.0, 0.0]}, r"\['w'\] are zero"),
        ("canberra", {"w": ["a", "b", "c"]}, "must hold numbers"),
        ("gower", {"categorical": [3]}, "holds 3"),
        ("gower", {"categorical": [0.5]}, "mask or indices"),
        ("gower", {"categorical": [True]}, "mask or indices"),
        ("gower", {"ranges": [1.0]}, r"\['ranges'\] has shape"),
        ("gower", {"weights": [1.0, np.inf, 1.0]}, r"\['weights'\] must be finite"),
        ("mahalanobis", {"VI": np.eye(2)}, r"\['VI'\]"),
        ("mahalanobis", {"V": np.zeros((3, 3))}, "singular"),
        ("seuclidean", {"V": [1.0, 0.0, 1.0]}, "feature 1"),
    ],
)
def test_errors_name_the_parameter(metric, params, match, rng):
    with pytest.raises(ValueError, match=match):
        prepare(metric, rng.standard_normal((6, 3)), params)


def test_metrics_that_need_dense_rows_say_so():
    X = sparse.csr_array(np.eye(3))
    with pytest.raises(ValueError, match="'chebyshev' needs dense rows"):
        prepare("chebyshev", X)
    with pytest.raises(ValueError, match="no weights w for sparse"):
        prepare("euclidean", X, {"w": np.ones(3)})


@pytest.mark.parametrize("metric", ["gower", "mahalanobis", "hamming", "minkowski"])
def test_prepared_parameters_stay_as_they_are(metric, rng):
    X = rng.standard_normal((9, 3))
    once = prepare(metric, X)
    again = prepare(metric, 5 * X, once)
    assert once.keys() == again.keys()
    for name in once:
        np.testing.assert_array_equal(once[name], again[name])
