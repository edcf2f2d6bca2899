import numpy as np
import pytest


@pytest.fixture
def data():
    """Correlated columns far from zero, of which four matter."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 1)) + rng.normal(size=(120, 30)) + 3.0
    w = np.zeros(30)
    w[[2, 7, 11, 20]] = 2.0, -1.0, 0.5, 1.5
    return X, X @ w + rng.normal(size=120) + 10.0
