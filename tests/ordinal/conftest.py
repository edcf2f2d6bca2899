"""Fixtures of the tests of Displays."""

import importlib.util
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_drawing", Path(__file__).with_name("drawing.py")
)
drawing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawing)

mpl.use("Agg")


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn."""
    yield
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close("all")


@pytest.fixture
def path(rng):
    """Stand-in for a cross-validated fit."""
    return drawing.fitted_path(rng)
