"""Ordinal regression: classes with an order, the rare one at an end of it.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "PrestoClassifier": "skloss.ordinal.presto",
    "PrestoClassifierCV": "skloss.ordinal.presto_cv",
    "ProportionalOddsClassifier": "skloss.ordinal.proportional_odds",
    "presto_path": "skloss.ordinal.path",
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
