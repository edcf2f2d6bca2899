"""Fits of random-feature ridge before a conic solver."""

import numpy as np
import pytest
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics.pairwise import rbf_kernel

from skloss import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeCV,
    certify,
)


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


KERNELS = [
    {"activation": "relu"},
    {"activation": "cos", "gamma": 0.1},
    {"activation": "cos", "distribution": "student", "nu": 30.0, "alpha": 1e-3},
    {"activation": "step", "bias": 1.0, "fit_intercept": False},
    {"activation": "linear"},  # a kernel matrix of rank 4
]


@pytest.mark.parametrize("options", KERNELS, ids=str)
@pytest.mark.parametrize("n_targets", [1, 2])
def test_infinite_width_is_certified(rows, options, n_targets):
    X, Y, weight = rows
    y = Y[:, 0] if n_targets == 1 else Y
    options = {"n_components": np.inf, "alpha": 0.1, "random_state": 0} | options
    model = RandomFeatureRidge(**options).fit(X, y, weight)
    certificate = certify(model, X, y, sample_weight=weight)
    assert abs(certificate.relative_gap) <= 1e-6
    assert certify(model, X[::-1], y[::-1], sample_weight=weight[::-1]).passed
    other = RandomFeatureRidge(**options | {"alpha": 3.0}).fit(X, y, weight)
    other.alpha = options["alpha"]
    assert certify(other, X, y, sample_weight=weight).verdict == "failed"
    assert not certify(model, X, y)  # without the weights


def test_infinite_width_has_the_objective_of_kernel_ridge(rows):
    X, Y, weight = rows
    weight = weight + 1.0
    K = rbf_kernel(X, gamma=0.1)
    peer = KernelRidge(alpha=0.3, kernel="precomputed").fit(K, Y, sample_weight=weight)
    model = RandomFeatureRidge(
        np.inf, alpha=0.3, activation="cos", gamma=0.1, fit_intercept=False
    ).fit(X, Y, weight)
    a = peer.dual_coef_
    expected = np.sum(weight[:, None] * (Y - K @ a) ** 2) + 0.3 * np.trace(a.T @ K @ a)
    found = certify(model, X, Y, sample_weight=weight)
    assert found.objective == pytest.approx(expected, rel=1e-9)
    assert found.reference_objective == pytest.approx(expected, rel=1e-6)


def test_infinite_width_that_cross_validation_chose(rows):
    X, Y, _ = rows
    model = RandomFeatureRidgeCV(
        np.inf, alphas=np.logspace(-3, 2, 6), activation="cos", gamma=0.1
    ).fit(X, Y[:, 0])
    assert certify(model, X, Y[:, 0]).passed
    model.alpha_ *= 10.0
    assert certify(model, X, Y[:, 0]).verdict == "failed"


def test_targets_of_infinite_width_are_counted(rows):
    X, Y, _ = rows
    model = RandomFeatureRidge(np.inf, activation="cos").fit(X, Y[:, 0])
    with pytest.raises(ValueError, match="number of targets is 2 in y, but 1"):
        certify(model, X, Y)
    model.fit(X, Y)
    with pytest.raises(ValueError, match="number of targets is 1 in y, but 2"):
        certify(model, X, Y[:, 0])


@pytest.mark.parametrize("width", [30, np.inf])
@pytest.mark.parametrize("class_weight", [None, "balanced", {"b": 3.0}])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers_are_certified(rows, width, class_weight, n_classes):
    X, Y, weight = rows
    codes = np.digitize(Y[:, 0], [0.0, 0.8][: n_classes - 1])
    y = np.array(["c", "a", "b"])[3 - n_classes :][codes]
    options = {"class_weight": class_weight, "gamma": 0.1, "random_state": 0}
    model = RandomFeatureRidgeClassifier(width, alpha=0.1, **options)
    model.fit(X, y, weight)
    assert certify(model, X, y, sample_weight=weight).passed
    assert certify(model, X, y).verdict == "failed"  # without the weights
    if class_weight is not None:
        other = RandomFeatureRidgeClassifier(
            width, alpha=0.1, **options | {"class_weight": None}
        ).fit(X, y, weight)
        other.class_weight = class_weight
        assert certify(other, X, y, sample_weight=weight).verdict == "failed"
    model.alpha = 1.0
    assert certify(model, X, y, sample_weight=weight).verdict == "failed"


def test_classifiers_have_the_objective_of_ridge_classification(rows):
    X, Y, weight = rows
    y = (Y[:, 0] > 0).astype(int)
    model = RandomFeatureRidgeClassifier(
        30, alpha=0.1, class_weight={1: 2.0}, random_state=0
    ).fit(X, y, weight)
    Z = model.ridge_.random_features_.transform(X)
    peer = RidgeClassifier(0.1, class_weight={1: 2.0}, solver="svd").fit(Z, y, weight)
    expected = np.sum(
        weight * (1 + y) * (2 * y - 1 - peer.decision_function(Z)) ** 2
    ) + 0.1 * np.sum(peer.coef_**2)
    found = certify(model, X, y, sample_weight=weight).objective
    assert found == pytest.approx(expected, rel=1e-9)


def test_classifiers_of_streams_are_certified(rows):
    X, Y, weight = rows
    y = (Y[:, 0] > 0).astype(int)
    model = RandomFeatureRidgeClassifier(
        30, alpha=5.0, class_weight={1: 2.0}, gamma=0.1, random_state=0
    )
    model.partial_fit(X[:70], y[:70], classes=[0, 1], sample_weight=weight[:70])
    model.set_params(alpha=0.1).partial_fit(X[70:], y[70:], sample_weight=weight[70:])
    assert certify(model, X, y, sample_weight=weight).passed
