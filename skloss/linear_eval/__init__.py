"""Linear classifiers at their best: generative and discriminative.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "MultinomialLogistic": "skloss.linear_eval.multinomial_logistic",
    "PooledGaussianNB": "skloss.linear_eval.pooled_gaussian_nb",
}

__all__ = ["MultinomialLogistic", "PooledGaussianNB"]


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.linear_eval' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
