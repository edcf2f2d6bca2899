"""Numbers near the ends of floating point: the right model, or the error says why."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.design_preconditioner import DesignPreconditioner
from skloss.sparse.knockoff_selector import KnockoffSelector
from skloss.sparse.path import duality_gap
from skloss.sparse.preconditioned_lasso import PreconditionedLasso
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor import SparseRegressor
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV
from skloss.sparse.stability_selector import StabilitySelector
from skloss.sparse.support_condition import random_support_condition

GROUPS = np.arange(12) // 2
PENALTIES = {
    "l1": {},
    "elasticnet": {"l1_ratio": 1.0},
    "mcp": {},
    "group": {"groups": GROUPS},
    "sparse_group": {"groups": GROUPS},
    "sparse_envelope": {"n_nonzero_coefs": 2},
    "slope": {},
}
DECADES = [-300, -200, -160, -155, -150, -140, -100, -75, 0, 75, 100, 140, 143]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((40, 12))
    return X, 2.0 * X[:, 0] + X[:, 3] + 0.1 * rng.standard_normal(40)


def power(decades):
    """Power of two near one of ten: products with it are exact."""
    return float(np.ldexp(1.0, round(decades * np.log2(10.0))))


def scaled(penalty, x, y):
    """Model for X times x and y times y whose coefficients are y / x times as large."""
    own = dict(PENALTIES[penalty])
    if penalty == "mcp":
        own["gamma"] = 3.0 / x / x
    alpha = 0.1 * x * (x if penalty == "sparse_envelope" else y)
    return SparseRegressor(penalty, alpha, **own)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_units_do_not_matter_or_are_refused(data, penalty):
    X, y = data
    expected = scaled(penalty, 1.0, 1.0).fit(X, y).coef_
    n_fitted = 0
    for x_unit in map(power, DECADES):
        if penalty == "mcp" and not 1e-150 < x_unit <= 1.0:
            continue  # gamma is out of range
        for y_unit in map(power, DECADES):
            model = scaled(penalty, x_unit, y_unit)
            if model.alpha == 0.0:
                continue  # nor is it a number
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("error")
                    coef = model.fit(X * x_unit, y * y_unit).coef_
            except ValueError as error:
                assert "constant" in str(error)  # what to multiply or to divide by
                continue
            n_fitted += 1
            np.testing.assert_allclose(
                coef * x_unit / y_unit, expected, rtol=1e-5, atol=1e-5
            )
    assert n_fitted > 20


@pytest.mark.parametrize(
    ("penalty", "x", "y", "match"),
    [
        ("l1", 1e-160, 1.0, "values in X are too small.*Multiply X"),
        ("l1", 1.0, 1e-160, "values in y are too small.*Multiply y"),
        ("l1", 1e150, 1.0, "values in X are too large.*Divide X"),
        ("group", 1e-140, 1e140, "y is too large beside X for penalty='group'"),
        ("sparse_group", 1e-100, 1e75, "y is too large beside X"),
        ("sparse_envelope", 1e-100, 1e75, "y is too large beside X"),
        ("sparse_envelope", 1e140, 1e140, "products of X and y are too large"),
        ("sparse_envelope", 1e-100, 1e-100, "products of X and y are too small"),
    ],
)
def test_the_culprit_is_named(data, penalty, x, y, match):
    X, target = data[0] * x, data[1] * y
    own = PENALTIES[penalty]
    with pytest.raises(ValueError, match=match):
        SparseRegressor(penalty, 1e-3, **own).fit(X, target)
    with pytest.raises(ValueError, match=match):
        SparseRegressorCV(penalty, alphas=3, cv=3, **own).fit(X, target)
    with pytest.raises(ValueError, match=match):
        duality_gap(X, target, np.zeros(12), 1e-3, penalty=penalty, **own)


@pytest.mark.parametrize(
    "model",
    [
        PreconditionedLasso(0.1),
        PreconditionedLassoCV(cv=3),
        BestSubsetRegressor(2),
        StabilitySelector(random_state=0),
        KnockoffSelector(random_state=0),
    ],
)
@pytest.mark.parametrize("tiny", ["X", "y"])
def test_squares_that_underflow_are_refused(data, model, tiny):
    X, y = data
    X, y = (X * 1e-200, y) if tiny == "X" else (X, y * 1e-200)
    with pytest.raises(ValueError, match=f"values in {tiny} are too small"):
        model.fit(X, y)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_designs_alone(data, size):
    X = data[0] * size
    word = "small" if size < 1 else "large"
    with pytest.raises(ValueError, match=f"values in X are too {word}"):
        DesignPreconditioner().fit(X)
    with pytest.raises(ValueError, match=f"values in X are too {word}"):
        random_support_condition(X, 2)


def test_zeros_are_not_small(data):
    X, y = data
    for design, target in ((np.zeros_like(X), y), (X, np.zeros_like(y))):
        for model in (SparseRegressor(), PreconditionedLasso(), BestSubsetRegressor(2)):
            model.fit(design, target)
            assert not model.coef_.any()
            assert model.intercept_ == pytest.approx(target.mean())


@pytest.mark.parametrize("penalty", ["group", "sparse_envelope"])
def test_orthogonal_targets_are_no_matter_of_scale(penalty):
    """Rounding in gradients of zero is not taken for a tiny design."""
    X = np.kron(np.array([[1.0, 1.0], [1.0, -1.0]]), np.ones((8, 6)))
    X = np.ascontiguousarray(X[:, :12]) + 1e3
    y = np.tile([1e30, -1e30], 8)  # is balanced over equal rows
    own = PENALTIES[penalty]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SparseRegressor(penalty, 1.0, **own).fit(X, y)
    assert np.abs(model.predict(X)).max() <= 1e-9 * 1e30
