"""Sums in single precision: solutions in double that start from them, and scales."""

import numpy as np
import pytest
from sklearn.base import clone

from tests.random_features.ridge_cases import model_of


def residual(model, X, y, weight=None):
    """Of the normal equations on features in double precision, beside right sides."""
    Z = model.random_features_.transform(X)
    Y, coef = y.reshape(len(y), -1), np.atleast_2d(model.coef_).T
    weight = np.ones(len(Y)) if weight is None else weight
    if model.fit_intercept:
        Z = Z - np.average(Z, axis=0, weights=weight)
        Y = Y - np.average(Y, axis=0, weights=weight)
    right = Z.T @ (weight[:, None] * Y)
    left = Z.T @ (weight[:, None] * (Z @ coef)) + model.alpha * coef
    return np.linalg.norm(left - right, axis=0) / np.linalg.norm(right, axis=0)


@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alpha", [0.01, 1.0, 30.0])
@pytest.mark.parametrize("activation", ["cos", "relu", "step", "square"])
def test_residuals_are_those_of_double_precision(
    rng, activation, alpha, weighted, fit_intercept
):
    """Among them that of the last step, which is estimated and not measured."""
    X = rng.normal(size=(4000, 6))
    Y = np.column_stack([np.sin(X[:, 0]) + 3.0, X[:, 1] ** 2, rng.normal(size=4000)])
    weight = rng.uniform(0, 2, 4000) if weighted else None
    model = model_of(
        320, activation=activation, alpha=alpha, fit_intercept=fit_intercept
    ).fit(X, Y, weight)
    assert model.precision_ == "mixed"
    assert residual(model, X, Y, weight).max() < 4e-12
    double = clone(model).set_params(precision="float64").fit(X, Y, weight)
    np.testing.assert_allclose(model.predict(X), double.predict(X), rtol=0, atol=1e-9)
    # Degrees of freedom are those of sums in single precision.
    np.testing.assert_allclose(model.gcv_score_, double.gcv_score_, rtol=1e-3)


def test_two_passes_are_enough_where_the_penalty_is_not_small(rng):
    X = rng.normal(size=(5000, 6))
    model = model_of(300, activation="cos", alpha=10.0, gamma=1 / 6)
    model.fit(X, np.sin(X[:, 0]) + X[:, 1])
    assert model.precision_ == "mixed" and model.n_iter_ == 2


@pytest.mark.parametrize("far", ["offset", "gamma", "rows"])
def test_features_that_single_precision_cannot_tell(rng, far):
    X = rng.normal(size=(1500, 3))
    options = {"activation": "cos", "precision": "mixed"}
    if far == "offset":
        X += 1e6
    if far == "gamma":
        options["gamma"] = 1e12
    if far == "rows":  # which come late, and overflow
        options["activation"], X[-1] = "linear", 1e39
    y = np.sin(np.arange(1500.0))
    model = model_of(300, **options).fit(X, y)
    double = clone(model).set_params(precision="float64").fit(X, y)
    assert model.precision_ == "float64"
    np.testing.assert_array_equal(model.coef_, double.coef_)


@pytest.mark.parametrize("precision", ["mixed", "float32"])
@pytest.mark.parametrize("unit", [1e-200, 1e-60, 1e60, 1e120])
def test_units_of_targets(rng, precision, unit):
    X, Y = rng.normal(size=(1000, 4)), rng.normal(size=(1000, 2))
    model = model_of(310, precision=precision, solver="primal").fit(X, Y)
    scaled = clone(model).fit(X, Y * [unit, 1.0])
    tol = {"mixed": 1e-9, "float32": 1e-4}[precision]
    scale = np.abs(model.coef_).max() * np.array([unit, 1.0])
    error = np.abs(scaled.coef_ - model.coef_ * np.array([[unit], [1.0]])).max(axis=1)
    assert (error <= tol * scale).all()
    if unit > 1e-100:  # of others not even squares are numbers
        assert scaled.precision_ == precision


@pytest.mark.parametrize("precision", ["mixed", "float32"])
@pytest.mark.parametrize("unit", [1e-100, 1e-45, 1e45, 1e100])
def test_units_of_weights(rng, precision, unit):
    """Rows and penalty in another unit are the same problem."""
    X, y = rng.normal(size=(1000, 4)), rng.normal(size=1000)
    weight = rng.uniform(0.5, 2.0, 1000)
    model = model_of(310, precision=precision, solver="primal", alpha=1.0)
    other = clone(model).set_params(alpha=unit).fit(X, y, weight * unit)
    model.fit(X, y, weight)
    tol = {"mixed": 1e-9, "float32": 1e-4}[precision]
    scale = np.abs(model.coef_).max()
    np.testing.assert_allclose(other.coef_, model.coef_, rtol=0, atol=tol * scale)
    assert other.precision_ == precision


def test_targets_that_cannot_be_squared(rng):
    X = rng.normal(size=(30, 2))
    with pytest.raises(ValueError, match=r"y has values up to 3e\+200"):
        model_of(5).fit(X, np.full(30, -3e200))
