"""Shared fixtures and the settings every test runs under."""

import importlib.util
import os
from pathlib import Path

# Each pytest-xdist worker keeps to one thread, or the workers fight for the cores.
# This must happen before NumPy loads its BLAS.
if "PYTEST_XDIST_WORKER" in os.environ:
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(variable, "1")

import hypothesis
import numpy as np
import pytest
import threadpoolctl

# A plugin may have loaded it already.
if "PYTEST_XDIST_WORKER" in os.environ:
    threadpoolctl.threadpool_limits(1, user_api="blas")

# Compilation makes the first example slow; a deadline would measure that.
hypothesis.settings.register_profile(
    "skloss", deadline=None, max_examples=30, derandomize=True
)
hypothesis.settings.load_profile("skloss")


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def keel():
    """``load(name) -> (X, y)`` of the real data sets in tests/data."""
    path = Path(__file__).parent / "data" / "loader.py"
    spec = importlib.util.spec_from_file_location("loader", path)
    loader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loader)
    return loader.load
