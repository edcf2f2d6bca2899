"""Labels and ticks that the Displays share do not overlap."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from skloss._panels import shortened, spread_labels
from skloss.ordinal import PrestoPathDisplay

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_drawing", Path(__file__).with_name("drawing.py")
)
drawing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawing)

boxes_of, assert_apart = drawing.boxes_of, drawing.assert_apart


class TestLabels:
    def test_spread_is_the_closest_one(self, rng):
        wanted = np.array([0.3, 0.31, 0.33, 0.9, 0.02, 0.3])
        found = spread_labels(wanted, 0.1)
        order = np.argsort(wanted, kind="stable")
        result = minimize(
            lambda z: ((z - wanted[order]) ** 2).sum(),
            np.linspace(0, 1, 6),
            method="SLSQP",
            bounds=[(0, 1)] * 6,
            constraints={"type": "ineq", "fun": lambda z: np.diff(z) - 0.1},
            options={"ftol": 1e-14},
        )
        np.testing.assert_allclose(found[order], result.x, atol=1e-6)

    def test_too_many_share_the_room(self):
        found = spread_labels(np.full(5, 0.7), 1.0, 0.0, 1.0)
        np.testing.assert_allclose(found, np.linspace(0, 1, 5), atol=1e-12)
        assert len(spread_labels([], 0.1)) == 0

    def test_long_names_are_cut(self):
        assert shortened("x" * 18) == "x" * 18
        assert shortened("x" * 19) == "x" * 17 + "…"


class TestTicks:
    @pytest.mark.parametrize("decades", [0.3, 0.6, 0.8, 1.2, 1.7, 1.99, 2.5, 6])
    @pytest.mark.parametrize("start", [1e-7, 0.0037, 0.09])
    def test_labels_of_log_axes_are_apart(self, decades, start):
        ends = start * np.array([1, 10**decades])
        ax = PrestoPathDisplay.from_path(ends, np.ones((2, 3, 1))).axes_[2]
        ax.figure.canvas.draw()
        low, high = sorted(ax.get_xlim())
        labels = [
            label
            for label, at in zip(
                ax.get_xticklabels(which="both"),
                [*ax.get_xticks(), *ax.get_xticks(minor=True)],
            )
            if label.get_text() and low <= at <= high
        ]
        assert len(labels) >= 2
        assert_apart(boxes_of(labels))
