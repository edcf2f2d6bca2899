"""Random-feature ridge regression, and what theory says of its errors.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "RandomFeatureRidge": "skloss.random_features.ridge",
    "RandomFeatureRidgeCV": "skloss.random_features.ridge_cv",
    "RandomFeatureRidgeClassifier": "skloss.random_features.classifier",
    "RandomFeatures": "skloss.random_features.features",
    "RiskCurveDisplay": "skloss.random_features.display",
    "kernel_spectrum": "skloss.random_features.spectrum",
    "optimal_alpha": "skloss.random_features.risk",
    "powerlaw_exponents": "skloss.random_features.power_law",
    "powerlaw_fitting_ratio": "skloss.random_features.power_law",
    "rf_risk": "skloss.random_features.risk",
    "suggest_n_components": "skloss.random_features.spectrum",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.random_features' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
