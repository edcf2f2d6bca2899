"""Every way in which the family's kernels are compiled, run once on small data."""

import numpy as np

from skloss.random_features import (
    RandomFeatureRidge,
    RandomFeatures,
    optimal_alpha,
    rf_risk,
)
from skloss.random_features._activations import ACTIVATIONS

__all__ = ["warmup"]


def warmup():
    """Compile all kernels of the family.

    Returns
    -------
    list of str
        Names of the estimators that were fitted.
    """
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 3))
    for dtype in (np.float32, np.float64):
        rows = X.astype(dtype)
        for activation in ACTIVATIONS:
            RandomFeatures(4, activation=activation).fit(rows).transform(rows)
        RandomFeatures(4, sampling="hadamard").fit(rows).transform(rows)
    RandomFeatureRidge(4).fit(X, X[:, 0]).predict(X)
    RandomFeatureRidge(np.inf).fit(X, X[:, 0]).predict(X)
    rf_risk([1.0, 0.5], [1.0, 1.0], 1)
    optimal_alpha([1.0, 0.5], [1.0, 1.0], 1)
    return ["RandomFeatures", "RandomFeatureRidge"]
