"""Sparse linear regression: few columns out of many, correlated ones included.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "BestSubsetRegressor": "skloss.sparse.best_subset",
    "BestSubsetRegressorCV": "skloss.sparse.best_subset_cv",
    "DesignPreconditioner": "skloss.sparse.design_preconditioner",
    "KnockoffSelector": "skloss.sparse.knockoff_selector",
    "PreconditionedLasso": "skloss.sparse.preconditioned_lasso",
    "PreconditionedLassoCV": "skloss.sparse.preconditioned_lasso_cv",
    "SparsePathDisplay": "skloss.sparse.display",
    "SparseRegressor": "skloss.sparse.sparse_regressor",
    "SparseRegressorCV": "skloss.sparse.sparse_regressor_cv",
    "StabilitySelector": "skloss.sparse.stability_selector",
    "SubsetStabilityDisplay": "skloss.sparse.stability_display",
    "best_subset_path": "skloss.sparse.subset_path",
    "duality_gap": "skloss.sparse.path",
    "gaussian_knockoffs": "skloss.sparse.knockoffs",
    "random_support_condition": "skloss.sparse.support_condition",
    "sparse_path": "skloss.sparse.path",
    "stability_bound": "skloss.sparse.stability_theory",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.sparse' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
