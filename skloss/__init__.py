"""Estimators defined by the loss they minimise, for scikit-learn pipelines.

Names are loaded on first use: importing the package imports neither numba, cvxpy
nor matplotlib.
"""

import importlib

__version__ = "0.1.0.dev0"

# Public name -> module that defines it.
_HOMES = {
    "BestSubsetRegressor": "skloss.sparse",
    "BestSubsetRegressorCV": "skloss.sparse",
    "CLARA": "skloss.cluster",
    "CLARANS": "skloss.cluster",
    "DesignPreconditioner": "skloss.sparse",
    "KMedoids": "skloss.cluster",
    "KnockoffSelector": "skloss.sparse",
    "MultinomialLogistic": "skloss.linear_eval",
    "PooledGaussianNB": "skloss.linear_eval",
    "PreconditionedLasso": "skloss.sparse",
    "PreconditionedLassoCV": "skloss.sparse",
    "PrestoClassifier": "skloss.ordinal",
    "PrestoClassifierCV": "skloss.ordinal",
    "ProportionalOddsClassifier": "skloss.ordinal",
    "RandomFeatureRidge": "skloss.random_features",
    "RandomFeatureRidgeCV": "skloss.random_features",
    "RandomFeatureRidgeClassifier": "skloss.random_features",
    "RandomFeatures": "skloss.random_features",
    "SparseRegressor": "skloss.sparse",
    "SparseRegressorCV": "skloss.sparse",
    "StabilitySelector": "skloss.sparse",
    "certify": "skloss.certification",
}
_MODULES = (
    "aggregate",
    "certification",
    "cluster",
    "compare",
    "datasets",
    "kernels",
    "linear_eval",
    "losses",
    "ordinal",
    "penalties",
    "random_features",
    "solvers",
    "sparse",
)

__all__ = [  # noqa: PLE0604
    *_HOMES,
    *_MODULES,
]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"skloss.{name}")
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
