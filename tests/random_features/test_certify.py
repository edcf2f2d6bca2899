"""Fits of random-feature ridge before a conic solver."""

import numpy as np
import pytest

from skloss import RandomFeatureRidge, RandomFeatureRidgeCV, certify


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4)) + 2.0
    Y = np.column_stack([np.sin(X[:, 0]), 100.0 * X[:, 1] ** 2])
    return X, Y + 0.1 * rng.normal(size=Y.shape), rng.integers(0, 3, 150)


@pytest.mark.parametrize(
    "options",
    [
        {"alpha": 0.1},
        {"alpha": 0.1, "fit_intercept": False, "activation": "cos"},
        {"alpha": 1e-4, "precision": "mixed"},
        {"alpha": 0.1, "n_components": 300},
    ],
    ids=str,
)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_fits_are_certified(rows, options, n_targets):
    X, Y, weight = rows
    y = Y[:, 0] if n_targets == 1 else Y
    options = {"n_components": 40, "random_state": 0} | options
    model = RandomFeatureRidge(**options).fit(X, y, weight)
    certificate = certify(model, X, y, sample_weight=weight)
    assert certificate.relative_gap <= 1e-6
    other = RandomFeatureRidge(**options | {"alpha": 3.0}).fit(X, y, weight)
    other.alpha = options["alpha"]
    assert certify(other, X, y, sample_weight=weight).verdict == "failed"


def test_what_cross_validation_chose_is_certified(rows):
    X, Y, _ = rows
    model = RandomFeatureRidgeCV(
        [20, 40], alphas=np.logspace(-3, 2, 6), cv=3, random_state=0
    ).fit(X, Y[:, 1])
    assert certify(model, X, Y[:, 1]).relative_gap <= 1e-6
    model.alpha_ *= 10.0
    assert certify(model, X, Y[:, 1]).verdict == "failed"


def test_without_features_there_is_no_problem(rows):
    X, Y, _ = rows
    model = RandomFeatureRidge(np.inf, activation="cos").fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="no features"):
        certify(model, X, Y[:, 0])
