"""Plots of predicted and measured errors refuse what makes no sense."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.random_features.display import RiskCurveDisplay
from skloss.random_features.ridge import RandomFeatureRidge

mpl.use("Agg")
import matplotlib.pyplot as plt

X, y = load_diabetes(return_X_y=True)
X, y = X[:150], y[:150]
N = len(y)
MODES = np.arange(1, 301)
SPECTRUM = MODES**-1.5, MODES**-0.75
SURFACE = ("n_samples", "n_components")


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn."""
    yield
    plt.close("all")


def predict(**given):
    return RiskCurveDisplay.from_predictions(SPECTRUM, **given)


def measure(model, X=X, y=y, **given):
    return RiskCurveDisplay.from_estimator(model, X, y, random_state=0, **given)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"param": "width"}, "param must be one of .*'width'"),
        ({"param": ("n_components", "alpha")}, "param must be one of"),
        ({"n_components": 50}, "n_components is what varies: .*50"),
        ({"n_components": [50, 50]}, "n_components is what varies"),
        ({"n_components": [5, np.inf]}, "n_components must be positive .*inf"),
        ({"n_components": [0, 5]}, "n_components must be positive .*got 0"),
        ({"n_components": [5, 7.5]}, "n_components must be whole.*7.5"),
        ({"n_components": "many"}, "n_components must be a number .*'many'"),
        ({"n_components": [[5, 9]]}, "n_components must be a number"),
        ({"n_samples": np.nan}, "n_samples must be a number .*nan"),
        ({"n_samples": []}, "n_samples must be a number"),
        ({"n_samples": [20, 30], "alpha": [1, 2]}, "alpha must be a number: .*one"),
        ({"alpha": -1}, "alpha must be .*-1"),
        ({"alpha": ["best", 1]}, "alpha must be a number"),
        (
            {"param": SURFACE, "n_samples": [20, 30], "alpha": [1, 2]},
            "alpha must be a number: .* no other",
        ),
        ({"param": "alpha", "alpha": "best"}, "alpha is what varies.*best"),
        ({"param": "alpha", "alpha": [0, 1]}, "alpha must be positive .*got 0"),
    ],
)
def test_both_ways_refuse(given, message):
    given = {"n_samples": 40, "n_components": [5, 50], "alpha": 0.1} | given
    with pytest.raises(ValueError, match=message):
        predict(**given)
    with pytest.raises(ValueError, match=message):
        measure(RandomFeatureRidge(), **given)
    assert plt.get_fignums() == []  # no empty figure is left


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"n_samples": N}, f"less than the {N} rows given; got {N}"),
        ({"n_samples": 20.5}, "n_samples must be whole, .*20.5"),
        ({"n_samples": 1}, "n_samples must be whole, at least 2 .*got 1"),
        ({"alpha": np.inf}, "alpha must be finite .*inf"),
        ({"n_repeats": 0}, "n_repeats must be an integer above 0; got 0"),
        ({"n_repeats": 1.5}, "n_repeats must be an integer"),
    ],
)
def test_what_cannot_be_measured(given, message):
    given = {"n_samples": 40, "n_components": [5, 50]} | given
    with pytest.raises(ValueError, match=message):
        measure(RandomFeatureRidge(), **given)


def test_other_estimators():
    with pytest.raises(ValueError, match=r"estimator must be one of .*got Ridge"):
        measure(Ridge())
    pipeline = make_pipeline(StandardScaler(), RandomFeatureRidge())
    with pytest.raises(ValueError, match="Transform rows before"):
        measure(pipeline)


def test_other_rows():
    with pytest.raises(ValueError, match="8 is required"):
        measure(RandomFeatureRidge(), X[:7], y[:7])
    with pytest.raises(ValueError, match="NaN"):
        measure(RandomFeatureRidge(), np.where(X > 0.1, np.nan, X))
    ridges = RandomFeatureRidge(alpha=np.array([0.1, 1.0]))
    with pytest.raises(ValueError, match="alpha must be given"):
        measure(ridges, y=np.column_stack([y, y]))


def test_intercept_needs_two_rows():
    with pytest.raises(ValueError, match=r"n_samples must be above 1 .*got 1"):
        predict(n_samples=1, n_components=[5, 50], fit_intercept=True)


def test_shapes_must_match():
    wrong = np.ones((1, 3, 2))
    with pytest.raises(ValueError, match=r"measured must have shape \(1, 2,"):
        predict(n_samples=40, n_components=[5, 50], measured=wrong)
    with pytest.raises(ValueError, match=r"measured must have shape \(2, 2,"):
        predict(param=SURFACE, n_samples=[9, 20], n_components=[5, 50], measured=wrong)
    with pytest.raises(ValueError, match=r"spectrum must hold .*got int"):
        RiskCurveDisplay.from_predictions(3, n_samples=40, n_components=[5, 50])
