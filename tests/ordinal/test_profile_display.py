"""Plots of profiles hold the weights that they claim to hold."""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skloss.ordinal import ThresholdProfileDisplay

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_drawing", Path(__file__).with_name("drawing.py")
)
drawing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawing)

Bare = drawing.Bare
iris = drawing.iris
texts = drawing.texts
boxes_of = drawing.boxes_of
assert_apart = drawing.assert_apart


class TestProfile:
    coef = np.array(
        [[1.0, 0.0, -2.0, 0.5], [1.0, 0.0, -2.5, 0.4], [1.0, 0.0, 1.0, -0.4]]
    )
    classes = ["none", "mild", "severe", "fatal"]

    def fitted(self, coef=None, classes=None):
        return Bare().with_attributes(
            coef_=self.coef if coef is None else coef,
            classes_=np.array(self.classes if classes is None else classes),
            n_features_in_=4,
        )

    def test_profiles_and_lines(self):
        common = self.fitted(coef=np.array([[0.9, 0.1, -1.5, 0.2]]))
        display = ThresholdProfileDisplay.from_estimator(
            self.fitted(), proportional_odds=common
        )
        # The largest spread first; a feature out of the model has none to show.
        assert display.features_ == [2, 3, 0]
        assert [ax.get_title() for ax in display.axes_] == ["x2", "x3", "x0"]
        for place, j in enumerate(display.features_):
            line, level = display.lines_[place], display.proportional_lines_[place]
            assert line.axes is level.axes is display.axes_[place]
            np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2])
            np.testing.assert_array_equal(line.get_ydata(), self.coef[:, j])
            assert level.get_ydata()[0] == common.coef_[0, j]
        lowest = display.axes_[0]
        assert list(lowest.get_xticks()) == [0, 1, 2]
        assert texts(lowest.get_xticklabels()) == ["> none", "> mild", "> severe"]
        assert texts(display.legend_.get_texts()) == ["Bare", "proportional odds"]

    def test_shade_lies_between_the_two(self):
        display = ThresholdProfileDisplay(
            self.coef, proportional_odds=[0.9, 0.1, -1.5, 0.2]
        ).plot(features=[2])
        (shade,) = display.axes_[0].collections
        heights = shade.get_paths()[0].vertices[:, 1]
        assert heights.min() == -2.5 and heights.max() == 1.0
        assert -1.5 in heights

    def test_without_the_proportional_odds_model(self):
        display = ThresholdProfileDisplay.from_estimator(self.fitted())
        assert display.proportional_lines_ == [] and display.legend_ is None
        assert not display.axes_[0].collections

    def test_most_features(self, rng):
        coef = rng.standard_normal((3, 40))
        display = ThresholdProfileDisplay(coef).plot(max_features=7)
        spreads = coef.max(axis=0) - coef.min(axis=0)
        assert display.features_ == sorted(range(40), key=lambda j: -spreads[j])[:7]
        assert len(ThresholdProfileDisplay(coef).plot().axes_) == 9

    def test_a_model_of_zeros_is_drawn(self):
        display = ThresholdProfileDisplay(np.zeros((2, 3))).plot()
        assert display.features_ == [0]

    def test_features_of_choice(self):
        display = ThresholdProfileDisplay(self.coef, feature_names=list("abcd"))
        assert display.plot(features=["d", 1]).features_ == [3, 1]
        with pytest.raises(ValueError, match="'z' is not the name"):
            display.plot(features=["z"])
        with pytest.raises(ValueError, match="4 is no index of a feature; there are 4"):
            display.plot(features=[4])
        with pytest.raises(ValueError, match="features is empty"):
            display.plot(features=[])

    def test_standardised_profiles_have_one_axis(self, rng):
        X = rng.standard_normal((30, 4)) * [1, 1, 0.1, 9]
        display = ThresholdProfileDisplay.from_estimator(
            self.fitted(), X=X, standardized=True
        )
        sd = StandardScaler().fit(X).scale_
        assert display.features_[0] == 3
        np.testing.assert_allclose(
            display.lines_[0].get_ydata(), self.coef[:, 3] * sd[3]
        )
        assert len({ax.get_ylim() for ax in display.axes_}) == 1
        raw = ThresholdProfileDisplay.from_estimator(self.fitted())
        assert len({ax.get_ylim() for ax in raw.axes_}) == 3
        for ax in raw.axes_:
            low, high = ax.get_ylim()
            assert low < 0 < high

    def test_sparse_weights(self):
        display = ThresholdProfileDisplay.from_estimator(
            self.fitted(coef=csr_array(self.coef))
        )
        np.testing.assert_array_equal(display.lines_[0].get_ydata(), self.coef[:, 2])

    @pytest.mark.parametrize("length", [2, 25])
    def test_nothing_overlaps(self, rng, length):
        display = ThresholdProfileDisplay(
            rng.standard_normal((4, 8)),
            proportional_odds=np.zeros(8),
            classes=[f"{k}" * length for k in range(5)],
        ).plot()
        display.figure_.canvas.draw()
        lowest = display.axes_[-3:]
        assert all(any(texts(ax.get_xticklabels())) for ax in lowest)
        outside = [ax.title for ax in display.axes_] + [display.legend_]
        if length == 2:  # turned texts have boxes larger than themselves
            outside += [label for ax in lowest for label in ax.get_xticklabels()]
        assert_apart(boxes_of(outside))

    def test_axes_of_the_user(self):
        figure, axes = plt.subplots(2, 2)
        display = ThresholdProfileDisplay(
            self.coef, proportional_odds=np.ones(4), estimator_name="mine"
        )
        display.plot(ax=axes, features=range(4), name="other")
        assert list(display.axes_) == list(axes.ravel())
        assert display.figure_ is figure
        assert texts(axes[0, 0].get_legend().get_texts())[0] == "other"
        display.plot(ax=axes[0, 0], features=[0])
        assert texts(axes[0, 0].get_legend().get_texts())[0] == "mine"

    def test_wrong_input(self):
        draw = ThresholdProfileDisplay.from_estimator
        with pytest.raises(ValueError, match="one row for each threshold"):
            draw(LogisticRegression().fit(*iris()))
        with pytest.raises(ValueError, match="StandardScaler has no coef_"):
            draw(StandardScaler().fit(*iris()))
        with pytest.raises(ValueError, match=r"of shape \(1, 4\).* has \(3, 4\)"):
            draw(self.fitted(), proportional_odds=self.fitted())
        other = self.fitted(coef=np.ones((1, 4)), classes=list("abcd"))
        with pytest.raises(ValueError, match="was fitted on the classes"):
            draw(self.fitted(), proportional_odds=other)
        with pytest.raises(NotFittedError):
            draw(self.fitted(), proportional_odds=LogisticRegression())
        with pytest.raises(ValueError, match=r"coef must have .* got \(4,\)"):
            ThresholdProfileDisplay(np.ones(4)).plot()
        with pytest.raises(ValueError, match="one weight for each feature; got"):
            ThresholdProfileDisplay(self.coef, proportional_odds=[1.0]).plot()
