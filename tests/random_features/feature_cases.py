"""Random features and their laws for tests."""

import numpy as np
from scipy import special, stats

from skloss.random_features import RandomFeatures

NUMPY = {
    "linear": lambda u: u,
    "relu": lambda u: np.maximum(u, 0),
    "leaky_relu": lambda u: np.where(u > 0, u, 0.3 * u),
    "abs": np.abs,
    "step": lambda u: (u > 0).astype(float),
    "sign": np.sign,
    "erf": special.erf,
    "gelu": lambda u: u * stats.norm.cdf(u),
    "tanh": np.tanh,
    "sigmoid": special.expit,
    "sin": np.sin,
    "cos": lambda u: np.sqrt(2) * np.cos(u),
    "square": np.square,
}
LAWS = [
    ("gaussian", "iid"),
    ("cauchy", "iid"),
    ("student", "iid"),
    ("uniform", "iid"),
    ("gaussian", "orthogonal"),
    ("student", "orthogonal"),
    ("gaussian", "qmc"),
    ("cauchy", "qmc"),
    ("student", "qmc"),
    ("uniform", "qmc"),
    ("gaussian", "hadamard"),
    ("student", "hadamard"),
]


def drawn(X, n_components, **options):
    options = {"gamma": 0.2, "random_state": 3, **options}
    return RandomFeatures(n_components, **options).fit(X)
