"""Errors of the RBF kernel from random features, by how the weights are drawn.

    python examples/reproduce/random_features_sampling.py

Root mean squares over all pairs of 300 Gaussian rows, means of eight draws of rows and
512 features: the table of the user guide.
"""

import os

import numpy as np
from sklearn.metrics.pairwise import rbf_kernel

from skloss.random_features import RandomFeatures

SMOKE = bool(os.environ.get("SKLOSS_EXAMPLES_SMOKE"))
SAMPLINGS = ("iid", "orthogonal", "qmc", "hadamard")
COLUMNS = (2, 10) if SMOKE else (2, 4, 10, 30, 100)
N_DRAWS = 2 if SMOKE else 8


def error(sampling, d, seed):
    """Root mean square error of products of features."""
    X = np.random.default_rng(seed).normal(size=(300, d))
    features = RandomFeatures(
        512, activation="cos", sampling=sampling, random_state=seed
    ).fit(X)
    Z = features.transform(X)
    return np.sqrt(np.mean((Z @ Z.T - rbf_kernel(X, gamma=features.gamma_)) ** 2))


print(f"{'columns':12s}" + "".join(f"{d:8d}" for d in COLUMNS))
for sampling in SAMPLINGS:
    row = [np.mean([error(sampling, d, s) for s in range(N_DRAWS)]) for d in COLUMNS]
    print(f"{sampling:12s}" + "".join(f"{value:8.3f}" for value in row))
