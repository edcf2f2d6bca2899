"""What `certify` and its registry refuse, and how they say so."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    GammaRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
)

from skloss import MultinomialLogistic, certify
from skloss.certification import register, supported


@pytest.fixture
def classes(rng):
    X, y = load_iris(return_X_y=True)
    keep = rng.permutation(150)[:90]
    return X[keep], y[keep]


def test_bad_input(classes):
    X, y = classes
    with pytest.raises(NotFittedError):
        certify(Lasso(), X, y)
    with pytest.raises(ValueError, match="features"):
        certify(Lasso().fit(X, y), X[:, :2], y)


@pytest.mark.parametrize(
    "y, message",
    [
        (lambda y: y[:-1], r"y has shape \(89,\), but X has 90 rows"),
        (lambda y: np.append(y, 1.0), r"y has shape \(91,\)"),
        (lambda y: 1.0, r"y must have the shape.*; got \(\)"),
        (lambda y: np.column_stack([y, y]), r"y has shape \(90, 2\).* 1 target"),
        (
            lambda y: y[:, None, None] * np.ones(2),
            r"y must have the shape.*\(90, 1, 2\)",
        ),
        (lambda y: np.where(np.arange(90) == 7, np.nan, y), "y contains NaN"),
        (lambda y: np.where(np.arange(90) == 7, np.inf, y), "y contains infinity"),
        (lambda y: np.repeat("a", 90), "y must be numbers"),
        (lambda y: None, r"y must have the shape.*; got \(\)"),
    ],
)
def test_bad_targets_of_regressors(y, message, classes):
    X, targets = classes
    for model in (Lasso(0.1), Ridge()):
        with pytest.raises(ValueError, match=message):
            certify(model.fit(X, targets), X, y(targets.astype(float)))


@pytest.mark.parametrize(
    "y, message",
    [
        (lambda y: y[:-1], r"y has shape \(89,\), but X has 90 rows"),
        (lambda y: np.column_stack([y, y]), r"y must have the shape.*\(90, 2\)"),
        (lambda y: np.where(np.arange(90) == 7, 5, y), r"label 5,.*\[0, 1, 2\]"),
        (lambda y: np.where(np.arange(90) == 7, np.nan, y), "label nan"),
        (lambda y: np.array(["x", "y", "z"])[y], "label '[xyz]'"),
    ],
)
@pytest.mark.parametrize("model", [LogisticRegression(), MultinomialLogistic()])
def test_bad_targets_of_classifiers(model, y, message, classes):
    X, labels = classes
    with pytest.raises(ValueError, match=message):
        certify(model.fit(X, labels), X, y(labels))


def test_targets_outside_of_a_losss_domain():
    X, y = np.arange(6.0).reshape(6, 1), np.ones(6)
    bad = np.array([1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"y must be above 0 for GammaRegressor"):
        certify(GammaRegressor().fit(X, y), X, bad)
    with pytest.raises(ValueError, match=r"y must be at least 0 for PoissonRegressor"):
        certify(PoissonRegressor().fit(X, y), X, -bad)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_bad_weights(bad, classes):
    X, y = classes
    weight = np.ones(90)
    weight[3] = bad
    model = Ridge().fit(X, y)
    with pytest.raises(ValueError, match=r"sample_weight\[3\]"):
        certify(model, X, y, sample_weight=weight)
    with pytest.raises(ValueError, match="sample_weight"):
        certify(model, X, y, sample_weight=np.ones(89))
    with pytest.raises(ValueError, match="sample_weight"):
        certify(model, X, y, sample_weight=np.zeros(90))


@pytest.mark.parametrize(
    "tol, error",
    [
        ("1e-6", TypeError),
        (None, TypeError),
        (True, TypeError),
        ([1e-6], TypeError),
        (np.nan, ValueError),
        (-1e-6, ValueError),
        (0, ValueError),
        (np.inf, ValueError),
    ],
)
def test_bad_tolerances(tol, error, classes):
    X, y = classes
    with pytest.raises(error, match="tol must be"):
        certify(Ridge().fit(X, y), X, y, tol=tol)


def test_registration(monkeypatch):
    from skloss.certification import _registry

    monkeypatch.setattr(_registry, "_PROBLEMS", dict(_registry._PROBLEMS))
    assert supported() == sorted(supported())
    assert "skloss.MultinomialLogistic" in supported()
    with pytest.raises(ValueError, match=r"already.*overwrite=True"):
        register("sklearn.Lasso", "somewhere:else")
    with pytest.raises(ValueError, match="module:function"):
        register("mypackage.Model", "somewhere.else")
    with pytest.raises(TypeError, match="must be str"):
        register("mypackage.Model", lambda: None)
    register("mypackage.Model", "somewhere:function")
    register("mypackage.Model", "somewhere:function")  # the same again does no harm
    with pytest.raises(ValueError, match="somewhere:function"):
        register("mypackage.Model", "another:function")
    register("mypackage.Model", "another:function", overwrite=True)
    assert _registry._PROBLEMS["mypackage.Model"] == "another:function"


def test_a_taken_name_still_certifies_what_it_did(classes):
    X, y = classes
    with pytest.raises(ValueError, match="already"):
        register("sklearn.Lasso", "somewhere:else")
    assert certify(Lasso(0.1, tol=1e-9).fit(X, y), X, y)
