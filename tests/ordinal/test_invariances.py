"""What must not change a fit, and what predictions must be whatever the fit."""

import copy
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.isotonic import isotonic_regression

from skloss.ordinal import PrestoClassifier, ProportionalOddsClassifier

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_conic", Path(__file__).with_name("conic.py")
)
conic = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(conic)

pytestmark = pytest.mark.filterwarnings(
    "error::sklearn.exceptions.ConvergenceWarning",
)

MODELS = {
    "paper": {},
    "elastic net": {"l1_ratio": 0.5, "base_penalty": 0.3, "base": "last"},
    "train": {"ordering": "train"},
    "box": {"ordering": "box"},
    "probit": {"link": "probit", "base": "balanced"},
    "stopping": {"family": "stopping", "link": "cloglog"},
    "adjacent": {"family": "adjacent", "structure": "semiparallel", "l1_ratio": 0.9},
}


@pytest.fixture(params=MODELS.values(), ids=list(MODELS))
def model(request):
    return {"alpha": 0.008} | request.param


@pytest.fixture(scope="module")
def data():
    return conic.ordinal_data(n=150, p=4, K=4, seed=6)


@pytest.fixture(scope="module")
def crossed():
    """A fit whose hyperplanes cross on some training rows, with its data."""
    X, y, w = conic.ordinal_data(n=300, p=6, K=4, seed=3)
    return X, fit(X, y, w, alpha=0.001)


def fit(X, y, w=None, **model):
    # The barrier and multipliers of an ordering leave less to rounding.
    tol = 1e-8 if "ordering" in model else 1e-10
    estimator = PrestoClassifier(tol=tol, max_iter=1000, **model)
    return estimator.fit(X, y, sample_weight=w)


def assert_same(one, other, X, other_X=None, *, atol=1e-8):
    """Both give the same probabilities and claim the same objective."""
    np.testing.assert_allclose(
        other.predict_proba(X if other_X is None else other_X),
        one.predict_proba(X),
        atol=atol,
    )
    assert other.objective_ == pytest.approx(one.objective_, rel=1e-10)
    assert other.alpha_max_ == pytest.approx(one.alpha_max_, rel=1e-8)


# ------------------------------------------------------------- weights and rows


def test_whole_weights_are_repeated_rows(data, model):
    X, y, _ = data
    times = np.random.default_rng(0).integers(1, 4, len(y))
    repeated = fit(np.repeat(X, times, axis=0), np.repeat(y, times), **model)
    assert_same(repeated, fit(X, y, times, **model), X)


def test_weights_count_relative_to_each_other(data, model):
    X, y, w = data
    one = fit(X, y, w, **model)
    assert_same(one, fit(X, y, 1e-6 * w, **model), X)
    assert_same(one, fit(X, y, 4096 * w, **model), X)


def test_zero_weight_is_a_removed_row(data, model):
    X, y, w = data
    keep = np.random.default_rng(1).random(len(y)) < 0.8
    far = np.where(keep[:, None], X, X + 1000)  # would move scales, ends and crossings
    removed = fit(X[keep], y[keep], w[keep], **model)
    assert_same(removed, fit(far, y, w * keep, **model), X)


def test_order_of_rows_does_not_matter(data, model):
    X, y, w = data
    order = np.random.default_rng(2).permutation(len(y))
    assert_same(fit(X, y, w, **model), fit(X[order], y[order], w[order], **model), X)


def test_class_weights_multiply_sample_weights(data):
    X, y, w = data
    weights = {0: 1.0, 1: 0.5, 2: 3.0, 3: 2.0}
    one = fit(X, y, w * np.array([weights[k] for k in y]), alpha=0.01)
    assert_same(one, fit(X, y, w, alpha=0.01, class_weight=weights), X)


def test_balanced_class_weights(data):
    X, y, _ = data
    balanced = 1 / np.bincount(y)[y]
    one = fit(X, y, balanced, alpha=0.01)
    assert_same(one, fit(X, y, alpha=0.01, class_weight="balanced"), X)


# ---------------------------------------------------------------------- columns


def test_units_and_origins_of_features_do_not_matter(data, model):
    X, y, w = data
    unit, origin = np.array([1e3, -0.02, 7.0, 1.0]), np.array([5.0, 40.0, -3e3, 0.1])
    moved = X * unit + origin
    one, other = fit(X, y, w, **model), fit(moved, y, w, **model)
    assert_same(one, other, X, moved)
    np.testing.assert_allclose(other.coef_ * unit, one.coef_, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("ordering", ["observed", "train", "box"])
def test_origins_do_not_matter_without_standardising(data, ordering):
    X, y, w = data
    model = {"alpha": 0.004, "standardize": False, "ordering": ordering}
    moved = X + np.array([3.0, -50.0, 0.5, 8.0])
    one, other = fit(X, y, w, **model), fit(moved, y, w, **model)
    assert_same(one, other, X, moved)


def test_order_of_features_does_not_matter(data, model):
    X, y, w = data
    order = [2, 0, 3, 1]
    one, other = fit(X, y, w, **model), fit(X[:, order], y, w, **model)
    assert_same(one, other, X, X[:, order])
    np.testing.assert_allclose(other.coef_, one.coef_[:, order], rtol=1e-5, atol=1e-7)


def test_a_constant_feature_changes_nothing(data, model):
    X, y, w = data
    wide = np.insert(X, 1, 4.0, axis=1)
    one, other = fit(X, y, w, **model), fit(wide, y, w, **model)
    assert_same(one, other, X, wide)
    assert np.all(other.coef_[:, 1] == 0)


def test_odds_follow_units_and_weights(data):
    X, y, _ = data
    unit, origin = np.array([1e3, 0.02, 7.0, 1.0]), np.array([5.0, 40.0, -3e3, 0.1])
    times = np.random.default_rng(0).integers(0, 4, len(y))
    one = ProportionalOddsClassifier(tol=1e-10).fit(
        np.repeat(X, times, axis=0), np.repeat(y, times)
    )
    other = ProportionalOddsClassifier(tol=1e-10).fit(X * unit + origin, y, times)
    np.testing.assert_allclose(
        other.predict_proba(X * unit + origin), one.predict_proba(X), atol=1e-8
    )
    assert other.log_likelihood_ == pytest.approx(one.log_likelihood_, rel=1e-10)


# ------------------------------------------------------------ dtypes and memory


@pytest.mark.parametrize("order", ["C", "F"])
def test_single_precision_is_kept_and_close(data, model, order):
    X, y, w = data
    single = X.astype(np.float32, order=order)
    one = PrestoClassifier(tol=1e-7, **model).fit(single, y, w.astype(np.float32))
    # Where an ordering is promised, rounded coefficients might break the promise.
    kept = np.float64 if "ordering" in model else np.float32
    assert one.coef_.dtype == one.intercept_.dtype == kept
    assert one.predict_proba(single).dtype == np.float32
    other = fit(single.astype(np.float64), y, w.astype(np.float32), **model)
    assert one.objective_ == pytest.approx(other.objective_, rel=1e-6)
    np.testing.assert_allclose(
        one.predict_proba(single), other.predict_proba(single), atol=1e-4
    )


def test_data_are_left_as_they_were(data, model):
    X, y, w = (a.copy() for a in data)
    for a in (X, y, w):
        a.flags.writeable = False
    fit(X, y, w, **model)
    for now, before in zip((X, y, w), data):
        np.testing.assert_array_equal(now, before)


def test_warm_start_repeats_a_fit_at_once(data, model):
    X, y, w = data
    estimator = PrestoClassifier(tol=1e-8, max_iter=1000, warm_start=True, **model)
    first = estimator.fit(X, y, w).predict_proba(X)
    value = estimator.objective_
    estimator.fit(X, y, w)
    np.testing.assert_allclose(estimator.predict_proba(X), first, atol=1e-7)
    assert estimator.objective_ == pytest.approx(value, rel=1e-10)
    if model.get("ordering") is None:
        assert estimator.n_iter_ <= 2


# ------------------------------------------------------------------------ labels


def test_categories_give_the_order(data):
    X, y, w = data
    names = np.array(["never", "at times", "often", "always"])
    one = fit(X, y, w, alpha=0.01)
    listed = fit(X, names[y], w, alpha=0.01, categories=list(names))
    ordered = pd.Series(pd.Categorical(names[y], categories=names, ordered=True))
    for other in (listed, fit(X, ordered, w, alpha=0.01)):
        np.testing.assert_array_equal(other.classes_, names)
        assert_same(one, other, X)
        np.testing.assert_array_equal(other.predict(X), names[one.predict(X)])


def test_labels_are_sorted_without_categories(data):
    X, y, w = data
    labels = np.array([2.0, 5.0, 7.0, 30.0])
    one, other = fit(X, y, w, alpha=0.01), fit(X, labels[y], w, alpha=0.01)
    np.testing.assert_array_equal(other.classes_, labels)
    np.testing.assert_array_equal(other.coef_, one.coef_)


def test_reversed_categories_are_reversed_classes(data):
    X, y, w = data
    one = fit(X, 3 - y, w, alpha=0.01)
    other = fit(X, y, w, alpha=0.01, categories=[3, 2, 1, 0])
    np.testing.assert_array_equal(other.coef_, one.coef_)
    np.testing.assert_array_equal(other.predict(X), 3 - one.predict(X))


# ------------------------------------------------------------------- predictions


def test_probabilities_are_those_of_the_coefficients(data, model):
    X, y, w = data
    estimator = fit(X, y, w, **model)
    kind = {k: model[k] for k in ("family", "link") if k in model}
    P = conic.probabilities(X, estimator.intercept_, estimator.coef_, **kind)
    sound = np.isclose(P.sum(axis=1), 1, rtol=1e-12)  # where no scores cross
    assert sound.sum() > 100
    ours = estimator.predict_proba(X)
    np.testing.assert_allclose(ours[sound], P[sound], rtol=1e-10, atol=1e-14)
    with np.errstate(divide="ignore"):
        expected = np.log(ours)
    np.testing.assert_allclose(
        estimator.predict_log_proba(X), expected, rtol=1e-10, atol=1e-12
    )
    above = np.cumsum(P[sound, ::-1], axis=1)[:, -2::-1]
    np.testing.assert_allclose(
        estimator.predict_cumulative(X)[sound], above, rtol=1e-9, atol=1e-13
    )


def _cumulative(estimator, X):
    """P(y <= k), (n, m), of a logit fit, crossings and all."""
    scores = estimator.intercept_ + X @ estimator.coef_.T
    return 1 / (1 + np.exp(scores))


def _repaired(below, how):
    """Class probabilities from cumulative ones that may fall, row by row."""
    edges = np.zeros((len(below), 1))
    if how == "sort":
        below = np.sort(below, axis=1)
    if how == "isotonic":
        below = np.array([isotonic_regression(row) for row in below])
    P = np.diff(np.hstack([edges, below, edges + 1]), axis=1)
    P = np.maximum(P, 0)
    return P / P.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("how", ["isotonic", "sort", "clip"])
def test_repaired_probabilities(crossed, how):
    X, fitted = crossed
    rng = np.random.default_rng(0)
    rows = np.vstack([X, X[:50] + 3 * rng.normal(size=(50, 6)) * X.std(axis=0)])
    P = copy.deepcopy(fitted).set_params(repair=how).predict_proba(rows)
    assert conic.crossings(rows, fitted.intercept_, fitted.coef_) > 20
    np.testing.assert_allclose(
        P, _repaired(_cumulative(fitted, rows), how), rtol=1e-9, atol=1e-13
    )
    assert P.min() >= 0
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)


def test_crossings_are_counted_and_can_be_refused(crossed):
    X, fitted = crossed
    scores = fitted.intercept_ + X @ fitted.coef_.T
    bad = np.any(np.diff(scores, axis=1) > 0, axis=1)
    assert fitted.n_crossings_ == bad.sum() > 0
    below = 1 - fitted.predict_cumulative(X)
    np.testing.assert_allclose(below, _cumulative(fitted, X), atol=1e-14)
    strict = copy.deepcopy(fitted).set_params(repair="raise")
    strict.predict_proba(X[~bad])
    with pytest.raises(ValueError, match="repair"):
        strict.predict_proba(X)


def test_decisions(crossed):
    X, fitted = crossed
    P = fitted.predict_proba(X)
    np.testing.assert_array_equal(fitted.predict(X), P.argmax(axis=1))
    middle = copy.deepcopy(fitted).set_params(decision="median").predict(X)
    distance = np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    np.testing.assert_array_equal(middle, (P @ distance).argmin(axis=1))
    assert np.any(middle != P.argmax(axis=1))


def test_derived_attributes(data):
    X, y, w = data
    estimator = fit(X, y, w, alpha=0.01)
    np.testing.assert_array_equal(estimator.thresholds_, -estimator.intercept_)
    expected = np.vstack([estimator.coef_[:1], np.diff(estimator.coef_, axis=0)])
    np.testing.assert_allclose(estimator.differences_, expected, atol=1e-15)
    np.testing.assert_allclose(
        estimator.decision_function(X), estimator.predict_log_proba(X)
    )
