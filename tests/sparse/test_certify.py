"""Fits of `SparseRegressor` before a conic solver."""

import numpy as np
import pytest

from skloss import certify
from skloss.sparse import SparseRegressor, SparseRegressorCV

GROUPS = np.arange(30) // 5


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": "l1"},
        {"penalty": "l1", "positive": True, "fit_intercept": False},
        {"penalty": "l1", "feature_weights": np.linspace(0, 2, 30)},
        {"penalty": "elasticnet", "l1_ratio": 0.3},
        {"penalty": "group", "groups": GROUPS},
        {"penalty": "sparse_group", "groups": GROUPS, "l1_ratio": 0.4},
        {"penalty": "slope"},
        {"penalty": "sparse_envelope", "n_nonzero_coefs": 3},
        {"penalty": "sparse_envelope", "n_nonzero_coefs": 2, "groups": GROUPS},
    ],
    ids=lambda options: "-".join(map(str, list(options.values())[:1])),
)
def test_fits_are_certified(data, options):
    X, y = data
    weight = np.random.default_rng(0).integers(0, 3, len(y))
    model = SparseRegressor(**options, alpha=0.1, tol=1e-9).fit(X, y, weight)
    certificate = certify(model, X, y, sample_weight=weight)
    assert certificate.gap <= 1e-6


def test_spoilt_fits_are_not(data):
    X, y = data
    model = SparseRegressorCV(alphas=10).fit(X, y)
    assert certify(model, X, y).gap <= 1e-5
    model.coef_ = model.coef_ + 0.05
    assert certify(model, X, y).gap > 1e-3


@pytest.mark.parametrize("n_nonzero_coefs", [1, 2, 30])
def test_cost_of_the_envelope_in_its_limits(data, n_nonzero_coefs):
    """Half the squared sum of absolute values, a quadratic program, ridge."""
    X, y = data
    model = SparseRegressor("sparse_envelope", 0.5, n_nonzero_coefs=n_nonzero_coefs)
    model.fit(X, y)
    w, residuals = model.coef_, y - model.predict(X)
    if n_nonzero_coefs == 2:  # the best split of the shares: the largest, and the rest
        u = np.linspace(1e-9, 1, 20001)
        falling = np.sort(np.abs(w))[::-1]
        cost = (falling[0] ** 2 / u + falling[1:].sum() ** 2 / (2 - u)).min()
    else:
        cost = np.abs(w).sum() ** 2 if n_nonzero_coefs == 1 else w @ w
    expected = np.mean(residuals**2) / 2 + 0.5 * cost / 2
    certificate = certify(model, X, y)
    assert certificate.objective == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("penalty", ["mcp", "scad"])
def test_concave_penalties_are_refused(data, penalty):
    X, y = data
    model = SparseRegressor(penalty, alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match=r"not convex.*stationary points"):
        certify(model, X, y)
