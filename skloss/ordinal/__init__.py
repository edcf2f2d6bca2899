"""Ordinal regression: classes with an order, the rare one at an end of it.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "CalibrationBins": "skloss.ordinal.metrics",
    "CVCurveDisplay": "skloss.ordinal.cv_curve_display",
    "CoefficientTable": "skloss.ordinal.inference",
    "PrestoClassifier": "skloss.ordinal.presto",
    "PrestoClassifierCV": "skloss.ordinal.presto_cv",
    "PrestoPathDisplay": "skloss.ordinal.display",
    "ProportionalOddsClassifier": "skloss.ordinal.proportional_odds",
    "ProportionalOddsTest": "skloss.ordinal.inference",
    "RareCalibrationDisplay": "skloss.ordinal.calibration_display",
    "RestrictionTest": "skloss.ordinal.inference",
    "ThresholdProfileDisplay": "skloss.ordinal.profile_display",
    "calibration_bins": "skloss.ordinal.metrics",
    "grouped_calibration_error": "skloss.ordinal.metrics",
    "presto_path": "skloss.ordinal.path",
    "proportional_odds_test": "skloss.ordinal.inference",
    "rare_log_loss": "skloss.ordinal.metrics",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.ordinal' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
