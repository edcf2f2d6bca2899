"""Batches, weights and merging: all of them give the model of one fit."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris

from skloss.linear_eval import PooledGaussianNB

SETTINGS = [{}, {"var_smoothing": 0.0}, {"shrinkage": "auto"}, {"shrinkage": 0.3}]


def assert_same_model(got, expected, rtol=1e-10):
    """Equality in units of each feature's deviation."""
    scale = np.sqrt(np.where(expected.var_ > 0, expected.var_, 1))
    np.testing.assert_array_equal(got.classes_, expected.classes_)
    np.testing.assert_allclose(got.class_count_, expected.class_count_, rtol=rtol)
    np.testing.assert_allclose(got.class_prior_, expected.class_prior_, rtol=rtol)
    np.testing.assert_allclose(
        got.theta_ / scale, expected.theta_ / scale, rtol=rtol, atol=rtol
    )
    np.testing.assert_allclose(got.var_, expected.var_, rtol=rtol, atol=1e-300)
    assert got.epsilon_ == pytest.approx(expected.epsilon_, rel=rtol)
    assert got.shrinkage_ == pytest.approx(expected.shrinkage_, rel=rtol)
    np.testing.assert_allclose(
        got.coef_ * scale, expected.coef_ * scale, rtol=rtol, atol=rtol
    )


def streamed(model, X, y, cuts, classes, weights=None):
    weights = np.ones(len(y)) if weights is None else weights
    for rows in np.split(np.arange(len(y)), cuts):
        if len(rows):
            model.partial_fit(X[rows], y[rows], classes, weights[rows])
    return model


@pytest.mark.parametrize("parameters", SETTINGS)
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("size", [1, 7, 500])
@pytest.mark.parametrize("load", [load_iris, load_digits])
def test_chunks_are_one_fit(load, size, make, parameters):
    X, y = load(return_X_y=True)
    X, y = X[:300], y[:300]
    model = streamed(
        PooledGaussianNB(**parameters),
        make(X),
        y,
        np.arange(size, len(y), size),
        np.unique(y),
    )
    expected = PooledGaussianNB(**parameters).fit(X, y)
    assert_same_model(model, expected)
    np.testing.assert_allclose(
        model.predict_proba(X), expected.predict_proba(X), atol=1e-10
    )


@st.composite
def weighted_streams(draw):
    n = draw(st.integers(6, 40))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(3), rng.integers(0, 3, n - 3)])
    X = rng.normal(size=(n, 4)) * 10.0 ** rng.integers(-5, 6, 4)
    X += draw(st.sampled_from([0.0, 1.0, 1e6])) * rng.normal(size=(3, 1))[y]
    weights = rng.integers(0, 4, n)
    weights[:3] = 1 + weights[:3]
    cuts = sorted(draw(st.lists(st.integers(0, n), max_size=5)))
    return X, y, weights, cuts


@pytest.mark.parametrize("parameters", SETTINGS)
@given(data=weighted_streams())
def test_any_chunks_with_any_weights_are_repeated_rows(parameters, data):
    X, y, weights, cuts = data
    first = cuts[0] if cuts and cuts[0] else None
    if not weights[:first].any():
        weights = weights + 1
    expected = PooledGaussianNB(**parameters).fit(
        np.repeat(X, weights, axis=0), np.repeat(y, weights)
    )
    assert_same_model(PooledGaussianNB(**parameters).fit(X, y, weights), expected, 1e-9)
    model = PooledGaussianNB(**parameters)
    assert_same_model(streamed(model, X, y, cuts, [0, 1, 2], weights), expected, 1e-9)


@pytest.mark.parametrize("parameters", SETTINGS)
@given(data=weighted_streams())
def test_merging_is_fitting_all_and_associative(parameters, data):
    X, y, weights, _ = data
    weights = weights + 1
    expected = PooledGaussianNB(**parameters).fit(X, y, weights)
    parts = []
    for i in range(3):
        rows = np.arange(i, len(y), 3)
        part = PooledGaussianNB(**parameters)
        parts.append(part.partial_fit(X[rows], y[rows], [0, 1, 2], weights[rows]))
    a, b, c = parts
    left = merged(merged(a, b), c)
    right = merged(a, merged(b, c))
    assert_same_model(left, expected, 1e-9)
    assert_same_model(right, expected, 1e-9)
    assert_same_model(merged(c, merged(b, a)), expected, 1e-9)


def merged(a, b):
    """Merge copies, so that the parts can be merged again."""
    return deepcopy(a).merge(b)


def test_merge_returns_self_and_keeps_the_other(rng):
    X, y = rng.normal(size=(40, 3)), np.arange(40) % 2
    a, b = (PooledGaussianNB().fit(X[m], y[m]) for m in (slice(20), slice(20, 40)))
    before = b.theta_.copy(), b.var_.copy(), b.class_count_.copy()
    assert a.merge(b) is a
    for was, now in zip(before, (b.theta_, b.var_, b.class_count_)):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize("parameters", SETTINGS)
def test_merging_models_of_different_classes(parameters, rng):
    y = np.array(["a", "b", "c", "d"])[np.arange(60) % 4]
    X = rng.normal(size=(60, 3))
    low, high = np.isin(y, ["a", "c"]), np.isin(y, ["b", "d"])
    parts = [PooledGaussianNB(**parameters).fit(X[m], y[m]) for m in (high, low)]
    expected = PooledGaussianNB(**parameters).fit(X, y)
    assert_same_model(parts[0].merge(parts[1]), expected)


@pytest.mark.parametrize("make_first", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("make_second", [np.asarray, sparse.csr_array])
def test_sparse_and_dense_batches_mix(make_first, make_second, rng):
    X, y = rng.poisson(0.5, size=(50, 4)).astype(float), np.arange(50) % 3
    model = PooledGaussianNB().partial_fit(make_first(X[:20]), y[:20], [0, 1, 2])
    model.partial_fit(make_second(X[20:]), y[20:])
    assert_same_model(model, PooledGaussianNB().fit(X, y))
    parts = [
        PooledGaussianNB().fit(make_first(X[:20]), y[:20]),
        PooledGaussianNB().fit(make_second(X[20:]), y[20:]),
    ]
    assert_same_model(parts[0].merge(parts[1]), PooledGaussianNB().fit(X, y))


def test_features_constant_within_classes_stay_constant_in_streams_and_merges(rng):
    y = np.arange(90) % 3
    X = np.column_stack([rng.normal(size=90), np.array([0.1, 0.2, 1e5 + 0.3])[y]])
    parameters = {"var_smoothing": 0.0}
    cuts = np.arange(7, 90, 7)
    for make in (np.asarray, sparse.csr_array):
        stream = PooledGaussianNB(**parameters)
        assert streamed(stream, make(X), y, cuts, [0, 1, 2]).var_[1] == 0
        parts = [
            PooledGaussianNB(**parameters).fit(make(X[i::7]), y[i::7]) for i in range(7)
        ]
        for part in parts[1:]:
            assert parts[0].merge(part).var_[1] == 0


def test_classes_not_seen_yet_have_no_probability(rng):
    X = rng.normal(size=(20, 2))
    model = PooledGaussianNB().partial_fit(X, np.arange(20) % 2, classes=[0, 1, 2])
    assert (model.predict_proba(X)[:, 2] == 0).all()
    np.testing.assert_array_equal(model.class_prior_, [0.5, 0.5, 0])
    model.partial_fit(X + 100, np.full(20, 2))
    assert (model.predict(X + 100) == 2).all()


def test_given_priors_count_only_for_classes_seen(rng):
    X = rng.normal(size=(20, 2))
    model = PooledGaussianNB(priors=[0.2, 0.3, 0.5])
    model.partial_fit(X, np.arange(20) % 2, classes=[0, 1, 2])
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)
    assert (model.predict_proba(X)[:, 2] == 0).all()
    never = PooledGaussianNB(priors=[0, 0, 1]).partial_fit(
        X[:1], [0], classes=[0, 1, 2]
    )
    np.testing.assert_array_equal(never.predict_proba(X[:1]), [[0, 0, 1]])


def test_fit_forgets_and_partial_fit_continues(rng):
    X, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    model = PooledGaussianNB().fit(X[:20] + 50, y[:20])
    assert_same_model(model.fit(X[20:], y[20:]), PooledGaussianNB().fit(X[20:], y[20:]))
    assert_same_model(model.partial_fit(X[:20], y[:20]), PooledGaussianNB().fit(X, y))


def test_later_batches_may_weigh_nothing(rng):
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    model = PooledGaussianNB().fit(X, y)
    model.partial_fit(X + 9, y, sample_weight=np.zeros(20))
    assert_same_model(model, PooledGaussianNB().fit(X, y), 0)
    with pytest.raises(ValueError, match="All values of sample_weight are zero"):
        PooledGaussianNB().partial_fit(X, y, [0, 1], np.zeros(20))


@pytest.mark.parametrize(
    "batch, message",
    [
        ((np.zeros((2, 3)), [0, 5]), r"y holds labels \[5\]"),
        ((np.zeros((2, 3)), [0, 5], None, [0, 0]), r"y holds labels \[5\]"),
        ((np.zeros((2, 4)), [0, 1]), "4 features.*expecting 3"),
        ((np.full((2, 3), np.nan), [0, 1]), "Input X contains NaN"),
        ((np.zeros((2, 3)), [0, 1], [0, 1, 2]), r"classes=\[0, 1, 2\] differ"),
        ((np.zeros((2, 3)), [0, 1], None, [1, -1]), r"sample_weight\[1\] is -1"),
    ],
)
def test_bad_batches_are_named_and_change_nothing(batch, message, rng):
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    model = PooledGaussianNB().fit(X, y)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*batch)
    assert_same_model(model, PooledGaussianNB().fit(X, y), 0)


def test_first_batch_needs_classes():
    with pytest.raises(ValueError, match="classes must be given in the first call"):
        PooledGaussianNB().partial_fit([[1.0]], [0])
    with pytest.raises(ValueError, match="at least 2 classes"):
        PooledGaussianNB().partial_fit([[1.0]], [0], classes=[0])


def test_merge_refuses_what_does_not_fit(rng):
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    model = PooledGaussianNB().fit(X, y)
    with pytest.raises(TypeError, match="PooledGaussianNB, got int"):
        model.merge(3)
    with pytest.raises(ValueError, match="not fitted"):
        model.merge(PooledGaussianNB())
    with pytest.raises(ValueError, match="other features: 2 of them, here 3"):
        model.merge(PooledGaussianNB().fit(X[:, :2], y))
    with pytest.raises(ValueError, match="priors has shape"):
        clone(model).set_params(priors=[0.5, 0.5]).fit(X, y).merge(
            PooledGaussianNB().fit(X, y + 1)
        )


def test_feature_names_must_agree(rng):
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    a = PooledGaussianNB().fit(pd.DataFrame(X, columns=["u", "v"]), y)
    b = PooledGaussianNB().fit(pd.DataFrame(X, columns=["v", "u"]), y)
    with pytest.raises(ValueError, match=r"named.*'u', 'v'"):
        a.merge(b)


def test_automatic_shrinkage_needs_fourth_moments_of_all(rng):
    X, y = rng.normal(size=(20, 2)), np.arange(20) % 2
    plain = PooledGaussianNB().fit(X, y)
    auto = PooledGaussianNB(shrinkage="auto").fit(X, y)
    with pytest.raises(ValueError, match="fourth moments"):
        auto.merge(plain)
    with pytest.raises(ValueError, match="fourth moments"):
        plain.set_params(shrinkage="auto").partial_fit(X, y)
