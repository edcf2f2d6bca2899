"""Compare estimators with scikit-learn's own on your table, on equal terms.

:func:`compare` tunes every model in the same way, scores all of them on the same
splits, and says which differences are real. The command line
``python -m skloss compare`` is a shell over it. Names are loaded on first use, so
that ``--help`` is quick and the optional packages are needed only when they are used.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "Comparison": "comparison",
    "InputError": "errors",
    "compare": "comparison",
    "load_table": "tables",
    "prepare": "features",
    "register": "registry",
    "registered": "registry",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__():
    return sorted({*globals(), *__all__})
