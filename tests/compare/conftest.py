"""Small tables and quick runs shared by the tests of compare."""

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="session")
def mixed():
    """A table of every kind of column, and a target it tells something about."""
    rng = np.random.default_rng(1)
    n = 120
    signal = rng.standard_normal(n)
    table = pd.DataFrame(
        {
            "größe": signal,
            "day": pd.date_range("2024-01-01", periods=n, freq="D"),
            "yes": rng.random(n) > 0.5,
            "sort": rng.choice(["a", "b", "c"], n),
            "gap": np.where(rng.random(n) > 0.8, np.nan, rng.random(n)),
        }
    )
    target = pd.Series(
        np.where(signal + 0.3 * rng.standard_normal(n) > 0, "up", "down")
    )
    return table, target


@pytest.fixture(scope="session")
def numbers():
    """Two columns, two overlapping classes."""
    rng = np.random.default_rng(2)
    y = np.repeat([0, 1], 40)
    X = rng.standard_normal((80, 2))
    X[:, 0] += 2.5 * y
    order = rng.permutation(80)
    return X[order], y[order]
