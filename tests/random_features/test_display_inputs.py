"""Plots of predicted and measured errors refuse what makes no sense."""

import matplotlib as mpl
import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.random_features.classifier import RandomFeatureRidgeClassifier
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


def test_axes_must_be_axes_before_anything_is_computed():
    given = {"n_samples": 40, "n_components": [5, 50]}
    _, axes = plt.subplots(2)
    display = predict(**given)
    for wrong in (axes, list(axes), axes[0].figure, "axes"):
        message = f"ax must be one matplotlib Axes or None; got {type(wrong).__name__}"
        with pytest.raises(TypeError, match=message):
            RiskCurveDisplay.from_predictions(None, **given, ax=wrong)
        with pytest.raises(TypeError, match=message):
            measure(None, **given, ax=wrong)
        with pytest.raises(TypeError, match=message):
            display.plot(ax=wrong)
    assert predict(**given, ax=axes[1]).ax_ is axes[1]


@pytest.mark.parametrize("labels", [np.zeros(N), np.full(N, "a")])
def test_a_classifier_needs_two_classes(labels):
    with pytest.raises(ValueError, match="at least 2 classes"):
        measure(RandomFeatureRidgeClassifier(), y=labels, n_components=[5, 50])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("y", [np.zeros(N), np.full(N, 7.25)], ids=["zeros", "ones"])
@pytest.mark.parametrize("param", ["n_components", "n_samples", "alpha", SURFACE])
def test_targets_without_error_are_drawn(y, param):
    """No logarithm shows an error of 0."""
    display = measure(RandomFeatureRidge(alpha=0.1), y=y, param=param, n_repeats=2)
    display.figure_.canvas.draw()
    np.testing.assert_allclose(display.predicted, 0, atol=1e-20)
    if param == SURFACE:
        assert display.mesh_.norm.vmin <= 0 <= display.mesh_.norm.vmax
        return
    shown = display.lines_[0].get_ydata()
    np.testing.assert_allclose(shown, display.predicted[0])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("factor", [2e137, 1e-151])
@pytest.mark.parametrize("param", ["n_components", "alpha", SURFACE])
def test_targets_of_any_unit_look_alike(param, factor):
    given = {"param": param, "n_repeats": 2, "n_samples": 40, "alpha": 0.1}
    given["n_components"] = [10, 100]
    if param == "alpha":
        given |= {"n_components": 50, "alpha": [0.01, 1.0]}
    elif param == SURFACE:
        given["n_samples"] = [20, 40]
    usual = measure(RandomFeatureRidge(), y=y, **given)
    extreme = measure(RandomFeatureRidge(), y=factor * y, **given)
    extreme.figure_.canvas.draw()
    np.testing.assert_allclose(extreme.predicted, factor**2 * usual.predicted)
    if param == SURFACE:
        shown, label = extreme.mesh_.get_array(), extreme.mesh_.colorbar.ax.get_ylabel()
        points = extreme.points_.get_array()
        expected = usual.mesh_.get_array()
    else:
        shown, label = extreme.lines_[0].get_ydata(), extreme.ax_.get_ylabel()
        points = extreme.errorbars_[0].lines[0].get_ydata()
        expected = usual.lines_[0].get_ydata()
    unit = float(label.rpartition("/")[2])
    largest = max(np.max(extreme.predicted), np.max(extreme.optimal))
    assert 0.01 < largest / unit < 100
    np.testing.assert_allclose(np.ravel(shown) * unit, factor**2 * np.ravel(expected))
    means = np.ravel(extreme.measured.mean(axis=2))
    np.testing.assert_allclose(np.ravel(points) * unit, means)


def test_complex_sizes_are_refused():
    with pytest.raises(ValueError, match="n_components must be real; got "):
        predict(n_samples=40, n_components=[5j, 50])
    with pytest.raises(ValueError, match="eigenvalues must be real; got "):
        RiskCurveDisplay.from_predictions(
            (1j * SPECTRUM[0], SPECTRUM[1]), n_samples=40, n_components=[5, 50]
        )
    with pytest.raises(ValueError, match=r"spectrum must hold .*got dict"):
        RiskCurveDisplay.from_predictions({}, n_samples=40, n_components=[5, 50])


@pytest.mark.filterwarnings("error")
def test_a_map_of_errors_without_bound_is_drawn():
    display = RiskCurveDisplay(
        param=SURFACE,
        values=(np.array([2.0, 4.0]), np.array([2.0, 4.0])),
        predicted=np.full((2, 2), np.inf),
    )
    display.plot().figure_.canvas.draw()
