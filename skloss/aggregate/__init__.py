"""Learning from aggregate responses: labels of bags, predictions of rows.

Names are loaded on first use.
"""

import importlib

# Public name -> module that defines it.
_HOMES = {
    "aggregate_risk": "skloss.aggregate.theory",
    "bag_count_log_likelihood": "skloss.aggregate.count_likelihood",
    "bag_log_loss": "skloss.aggregate.metrics",
    "bag_mean_squared_error": "skloss.aggregate.metrics",
    "bag_means": "skloss.aggregate.bag_values",
    "bag_r2_score": "skloss.aggregate.metrics",
    "estimate_signal_noise": "skloss.aggregate.signal_noise",
    "expand_bag_values": "skloss.aggregate.bag_values",
    "explode_bags": "skloss.aggregate.bag_values",
    "gaussian_noise_scale": "skloss.aggregate.privacy",
    "label_sensitivity": "skloss.aggregate.privacy",
    "make_bags": "skloss.aggregate.bag_forming",
    "optimal_bag_size": "skloss.aggregate.theory",
    "optimal_rho": "skloss.aggregate.theory",
    "ordered_bags": "skloss.aggregate.bag_forming",
    "privatize_bags": "skloss.aggregate.privacy",
    "shrink_to_bags": "skloss.aggregate.shrinkage",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.aggregate' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
