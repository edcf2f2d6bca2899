"""Rows left out one at a time where digits are easily lost, against refits."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold, ShuffleSplit

from skloss.random_features import RandomFeatureRidgeCV

ALPHAS = np.logspace(-4, 1, 6)
OPTIONS = {"gamma": 0.1, "random_state": 0}
WAYS = [None, "gcv", 3]
pytestmark = pytest.mark.filterwarnings("ignore:The best alpha")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4))
    y = np.sin(X[:, 0]) + X[:, 1] + 0.2 * rng.normal(size=100)
    return X, y, rng.uniform(0.1, 1.0, size=100)


def errors_of_refits(Z, y, weight, alpha, *, center, which=None):
    """Errors of rows that are left out; the shortest coefficients at no penalty."""
    which = np.arange(len(y)) if which is None else which
    errors = []
    for i in which:
        rest = np.arange(len(y)) != i
        w, root = weight[rest], np.sqrt(weight[rest])[:, None]
        mean = w @ Z[rest] / w.sum() if center else np.zeros(Z.shape[1])
        y_mean = w @ y[rest] / w.sum() if center else 0.0
        U, S, Vt = np.linalg.svd(root * (Z[rest] - mean), full_matrices=False)
        kept = 1e-10 * S[0] < S
        right = U[:, kept].T @ (root[:, 0] * (y[rest] - y_mean))
        coef = Vt[kept].T @ (right * S[kept] / (S[kept] ** 2 + alpha))
        errors.append(y[i] - y_mean - (Z[i] - mean) @ coef)
    return np.array(errors)


@pytest.mark.parametrize("cv", WAYS)
@pytest.mark.parametrize("width", [20, 150, np.inf])
def test_scores_do_not_depend_on_the_scale_of_rows(rows, width, cv):
    X, y, _ = rows
    scores = [
        RandomFeatureRidgeCV(width, alphas=ALPHAS * s**2, cv=cv, **OPTIONS)
        .fit(X * s, y)
        .cv_scores_
        for s in (1.0, 1e-5, 1e-8, 1e-30, 1e5)
    ]
    for other in scores[1:]:
        np.testing.assert_allclose(other, scores[0], rtol=1e-10)


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("width", [20, 150, np.inf])
def test_scores_do_not_depend_on_the_scale_of_weights(rows, width, cv):
    X, y, weight = rows
    scores = []
    for s in (1.0, 1e-10, 1e-30, 1e30):
        model = RandomFeatureRidgeCV(width, alphas=ALPHAS * s, cv=cv, **OPTIONS)
        model.fit(X, y, weight * s)
        # Leaving one out, errors are multiplied by their weights.
        scores.append(model.cv_scores_ / (s if cv is None else 1.0))
    for other in scores[1:]:
        np.testing.assert_allclose(other, scores[0], rtol=1e-10)


@pytest.mark.parametrize("cv", WAYS)
@pytest.mark.parametrize("width", [20, 150, np.inf])
def test_the_best_penalty_does_not_depend_on_the_scale_of_targets(rows, width, cv):
    X, y, _ = rows
    model = RandomFeatureRidgeCV(width, alphas=ALPHAS, cv=cv, **OPTIONS).fit(X, y)
    for s in (1e-200, 1e-310, 1e130):
        other = RandomFeatureRidgeCV(width, alphas=ALPHAS, cv=cv, **OPTIONS)
        other.fit(X, y * s)
        assert other.alpha_ == model.alpha_
        np.testing.assert_allclose(other.predict(X) / s, model.predict(X), rtol=1e-9)
    np.testing.assert_allclose(
        other.best_score_ / 1e130**2, model.best_score_, rtol=1e-10
    )


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("width", [97, 99, 100, 101])
def test_as_many_features_as_rows(rows, width, center):
    X, y, weight = rows
    model = RandomFeatureRidgeCV(
        width, alphas=[0.0, 1e-4], fit_intercept=center, scoring="r2", **OPTIONS
    ).set_params(store_cv_results=True)
    model.fit(X, y, weight)
    Z = model.random_features_.transform(X)
    for at, alpha in enumerate((0.0, 1e-4)):
        errors = errors_of_refits(Z, y, weight, alpha, center=center)
        found = y - model.cv_results_[:, at]
        # Near as many features as rows, refits themselves have no more digits.
        np.testing.assert_allclose(found, errors, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("width", [8, 20, 150])
@pytest.mark.parametrize("size", [1.0, 1e3])
def test_rows_that_alone_have_some_direction(rows, width, weighted, center, size):
    """At no penalty their leverage is 1, and a refit has nothing to say of it."""
    X, y, weight = rows
    weight = weight if weighted else np.ones(100)
    X = np.c_[X, size * np.eye(100)[:, 4:6]]
    alphas = [0.0, 1e-17, 1e-14, 1e-11, 1e-8, 1e-4, 1.0]
    model = RandomFeatureRidgeCV(
        width, alphas=alphas, activation="linear", fit_intercept=center, **OPTIONS
    ).set_params(scoring="r2", store_cv_results=True)
    model.fit(X, y, weight)
    Z = model.random_features_.transform(X)
    for at, alpha in enumerate(alphas):
        errors = errors_of_refits(Z, y, weight, alpha, center=center)
        found = y - model.cv_results_[:, at]
        np.testing.assert_allclose(found, errors, rtol=1e-6, atol=1e-8)


def test_such_rows_among_many(rows):
    rng = np.random.default_rng(1)
    n = 5000
    X = np.c_[rng.normal(size=(n, 4)), 100.0 * np.eye(n)[:, 7:9]]
    y = rng.normal(size=n)
    model = RandomFeatureRidgeCV(
        20, alphas=[0.0, 1e-8], activation="linear", scoring="r2", **OPTIONS
    ).set_params(store_cv_results=True)
    Z = model.fit(X, y).random_features_.transform(X)
    which = [3, 7, 8]
    for at, alpha in enumerate((0.0, 1e-8)):
        errors = errors_of_refits(Z, y, np.ones(n), alpha, center=True, which=which)
        found = (y - model.cv_results_[:, at])[which]
        np.testing.assert_allclose(found, errors, rtol=1e-8)


@pytest.mark.parametrize("width", [20, 150])
@pytest.mark.parametrize("scoring", ["r2", "neg_mean_absolute_error"])
def test_scorers_get_the_weights(rows, width, scoring):
    """As in RidgeCV; rows of weight 0, of which that makes nan, are as if absent."""
    X, y, weight = rows
    weight, far = weight.copy(), y.copy()
    weight[:60], far[:60] = 0.0, 100.0 * (-1.0) ** np.arange(60)
    kept = slice(60, None)
    options = {"alphas": ALPHAS, "scoring": scoring, **OPTIONS}
    model = RandomFeatureRidgeCV(width, store_cv_results=True, **options)
    model.fit(X, far, weight)
    Z = model.random_features_.transform(X[kept])
    peer = RidgeCV(ALPHAS, scoring=scoring, store_cv_results=True)
    peer.fit(Z, y[kept], weight[kept])
    assert model.alpha_ == peer.alpha_
    np.testing.assert_allclose(model.best_score_, peer.best_score_, rtol=1e-9)
    np.testing.assert_allclose(model.cv_results_[kept], peer.cv_results_, rtol=1e-7)
    assert np.isnan(model.cv_results_[:60]).all()


def test_scorers_without_weights_say_so(rows):
    X, y, weight = rows
    scorer = make_scorer(lambda y, p: -mean_absolute_error(y, p))
    options = {"alphas": ALPHAS, "scoring": scorer}
    RandomFeatureRidgeCV(20, **options, **OPTIONS).fit(X, y)
    for model in (RandomFeatureRidgeCV(20, **options, **OPTIONS), RidgeCV(**options)):
        with pytest.raises(TypeError, match="sample_weight"):
            model.fit(X, y, weight)


@pytest.mark.parametrize("activation", ["relu", "square", "cos"])
@pytest.mark.parametrize("width", [30, 200])
@pytest.mark.parametrize("cv", [None, "gcv", GroupKFold(3), "shuffled"], ids=str)
def test_rows_without_weight_may_hold_anything(rows, activation, width, cv):
    X, y, weight = (part.copy() for part in rows)
    group, kept = np.arange(100) % 3, np.arange(100) != 5
    weight[5] = 0.0
    options = {"alphas": ALPHAS, "activation": activation, **OPTIONS}
    if cv == "shuffled":
        cv = list(ShuffleSplit(3, random_state=0).split(X))
        expected = RandomFeatureRidgeCV(width, cv=cv, **options).fit(X, y, weight)
    else:
        expected = RandomFeatureRidgeCV(width, cv=cv, **options)
        expected.fit(X[kept], y[kept], weight[kept], groups=group[kept])
    X[5], y[5] = 1e200, 1e139
    model = RandomFeatureRidgeCV(width, cv=cv, **options)
    model.fit(X, y, weight, groups=group)
    # As in RidgeCV, means over all rows count those without weight.
    share = 1.0 if cv is not None else 100 / 99
    np.testing.assert_allclose(model.cv_scores_ * share, expected.cv_scores_, rtol=1e-8)
    assert model.alpha_ == expected.alpha_
    np.testing.assert_allclose(model.predict(X[kept]), expected.predict(X[kept]), 1e-7)


def test_gcv_of_weights_that_are_repetitions_at_no_penalty(rows):
    """Repeated rows cannot be interpolated row by row: no penalty is the limit."""
    X, y, _ = rows
    weight = np.r_[np.full(10, 2.0), np.ones(90)]
    model = RandomFeatureRidgeCV(
        30, alphas=[0.0, 1e-16, 1e-9], activation="linear", cv="gcv", **OPTIONS
    )
    model.fit(X[:25], y[:25], weight[:25])
    Z = model.random_features_.transform(X[:25])
    w, y = weight[:25], y[:25]
    design = np.sqrt(w)[:, None] * np.c_[np.ones(25), Z]
    U, S, _ = np.linalg.svd(design, full_matrices=False)
    U = U[:, 1e-10 * S[0] < S]
    target = np.sqrt(w) * y
    left = np.sum((target - U @ (U.T @ target)) ** 2)
    expected = left * w.sum() / (w.sum() - U.shape[1]) ** 2
    np.testing.assert_allclose(-model.cv_scores_[0], expected, rtol=1e-6)
