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


@pytest.mark.parametrize("penalty", ["mcp", "scad"])
def test_concave_penalties_are_refused(data, penalty):
    X, y = data
    model = SparseRegressor(penalty, alpha=0.1).fit(X, y)
    with pytest.raises(ValueError, match="cannot be certified"):
        certify(model, X, y)
