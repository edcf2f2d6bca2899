"""Plots of paths hold the weights that they claim to hold."""

import importlib.util
import itertools
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skloss.ordinal import PrestoPathDisplay

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_drawing", Path(__file__).with_name("drawing.py")
)
drawing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawing)

ALPHAS = drawing.ALPHAS
NAMES = drawing.NAMES
fitted_path = drawing.fitted_path
iris = drawing.iris
texts = drawing.texts
boxes_of = drawing.boxes_of
assert_apart = drawing.assert_apart


class TestPath:
    def test_curves_hold_the_weights(self, path):
        display = PrestoPathDisplay.from_estimator(path)
        assert len(display.axes_) == len(display.lines_) == 2
        for k, lines in enumerate(display.lines_):
            assert set(lines) == {0, 1, 3, 4}  # the other is zero throughout
            for j, line in lines.items():
                assert line.axes is display.axes_[k]
                np.testing.assert_array_equal(line.get_xdata(), path.alphas_)
                np.testing.assert_array_equal(
                    line.get_ydata(), path.coefs_path_[:, k, j]
                )
        titles = [ax.get_title() for ax in display.axes_]
        assert titles == ["class > shown", "class > clicked"]

    def test_largest_features_are_named_in_all_panels(self, path):
        display = PrestoPathDisplay.from_estimator(path, max_labels=2)
        assert [texts(labels) for labels in display.labels_] == [["visits", "age"]] * 2
        for k, (visits, age) in enumerate(display.labels_):
            lines = display.lines_[k]
            assert visits.get_color() == lines[3].get_color()
            assert age.get_color() == lines[0].get_color()
            assert lines[1].get_color() == lines[4].get_color() != age.get_color()

    def test_labels_are_where_curves_end(self, path):
        display = PrestoPathDisplay.from_estimator(path)
        for k, labels in enumerate(display.labels_):
            for label, j in zip(labels, [3, 0, 4, 1]):
                assert label.xycoords == "data"
                assert label.xy == (ALPHAS[-1], path.coefs_path_[-1, k, j])

    @pytest.mark.parametrize("n_thresholds", [1, 2, 3, 5])
    def test_nothing_overlaps(self, rng, n_thresholds):
        steps = rng.uniform(-1, 1, (n_thresholds, 30)) * (rng.random(30) < 0.7)
        coefs = np.log(ALPHAS[0] / ALPHAS)[:, None, None] * steps
        names = [f"a long name, namely {j}" for j in range(30)]
        display = PrestoPathDisplay.from_path(
            ALPHAS, coefs, feature_names=names, max_labels=12, alpha=0.02
        )
        display.figure_.canvas.draw()
        panels = [ax.get_window_extent() for ax in display.axes_]
        labels = boxes_of(itertools.chain(*display.labels_))
        for box in panels:
            assert not any(box.overlaps(label) for label in labels)
        titles = boxes_of(ax.title for ax in display.axes_)
        marks = boxes_of(
            text for ax in display.axes_ for text in ax.texts if "alpha" in str(text)
        )
        assert len(marks) == n_thresholds
        names = [ax.xaxis.label for ax in display.axes_ if ax.get_xlabel()]
        assert len(names) == min(n_thresholds, 3)
        assert_apart(labels + titles + marks + boxes_of(names))
        width, height = display.figure_.canvas.get_width_height()
        for box in labels + titles + marks:
            assert box.x0 >= 0 and box.x1 <= width and box.y0 >= 0 and box.y1 <= height

    def test_labels_of_a_panel_are_a_line_apart(self, rng):
        coefs = np.ones((len(ALPHAS), 2, 10)) + 1e-6 * rng.random(10)
        display = PrestoPathDisplay.from_path(ALPHAS, coefs, max_labels=10)
        display.figure_.canvas.draw()
        for ax, labels in zip(display.axes_, display.labels_):
            heights = np.sort([label.xyann[1] for label in labels])
            in_pixels = np.diff(heights) * ax.get_window_extent().height
            size = labels[0].get_fontsize() * display.figure_.dpi / 72
            assert (in_pixels > size).all()

    def test_large_alphas_are_on_the_left(self, path):
        ax = PrestoPathDisplay.from_estimator(path).axes_[0]
        assert ax.get_xscale() == "log"
        np.testing.assert_allclose(ax.get_xlim(), (ALPHAS[0], ALPHAS[-1]))

    def test_zero_has_a_place(self, path):
        alphas = [*ALPHAS[:-1], 0.0]
        display = PrestoPathDisplay.from_path(alphas, path.coefs_path_)
        ends = display.axes_[0].transAxes.inverted() + display.axes_[0].transData
        assert np.isfinite(ends.transform([0.0, 0.0])).all()
        assert display.axes_[0].get_xlim() == (ALPHAS[0], 0.0)

    def test_one_alpha(self):
        display = PrestoPathDisplay.from_path([0.1], np.ones((1, 1, 2)), alpha=0.1)
        display.figure_.canvas.draw()
        assert len(display.lines_[0]) == 2

    def test_chosen_alpha(self, path):
        display = PrestoPathDisplay.from_estimator(path)
        for ax, line in zip(display.axes_, display.alpha_lines_, strict=True):
            assert line.get_xdata()[0] == path.alpha_
            assert f"alpha = {path.alpha_:.3g}" in texts(ax.texts)
        bare = PrestoPathDisplay.from_path(ALPHAS, path.coefs_path_)
        assert bare.alpha_lines_ == []

    @pytest.mark.parametrize("container", [np.asarray, csr_array])
    def test_standardised(self, path, rng, container):
        X = rng.standard_normal((40, 5)) * [1, 10, 1, 0.1, 3] + 1
        weights = rng.integers(0, 4, 40)
        del path.feature_names_in_
        display = PrestoPathDisplay.from_estimator(
            path, X=container(X), sample_weight=weights, standardized=True
        )
        sd = StandardScaler().fit(X, sample_weight=weights).scale_
        for k, lines in enumerate(display.lines_):
            for j, line in lines.items():
                np.testing.assert_allclose(
                    line.get_ydata(), path.coefs_path_[:, k, j] * sd[j], rtol=1e-10
                )
        largest = np.argmax(np.abs(path.coefs_path_ * sd).max(axis=(0, 1)))
        assert display.labels_[0][0].get_text() == f"x{largest}"
        assert "standard deviation" in display.axes_[0].get_ylabel()

    def test_strengths_of_the_chosen_share(self, rng):
        path = fitted_path(rng, n_l1=3)
        display = PrestoPathDisplay.from_estimator(path)
        chosen = path.alphas_[path.l1_ratio.index(path.l1_ratio_)]
        assert path.alpha_ in chosen
        np.testing.assert_array_equal(display.lines_[0][0].get_xdata(), chosen)

    def test_path_that_was_stopped_early(self, path):
        path.coefs_path_ = path.coefs_path_[:7]
        display = PrestoPathDisplay.from_estimator(path)
        np.testing.assert_array_equal(display.lines_[0][0].get_xdata(), ALPHAS[:7])

    def test_greys_are_for_features_without_a_name(self):
        coefs = ALPHAS[::-1, None, None] * np.arange(1.0, 15)
        display = PrestoPathDisplay.from_path(ALPHAS, coefs, max_labels=12)
        lines = display.lines_[0].values()
        saturation = [np.ptp(mpl.colors.to_rgb(line.get_color())) for line in lines]
        assert (np.array(saturation) > 0.1).tolist() == [False] * 2 + [True] * 12
        looks = {(line.get_color(), line.get_ls()) for line in lines}
        assert len(looks) == 12 + 1

    def test_style(self, path):
        display = PrestoPathDisplay.from_estimator(path, lw=4)
        assert {line.get_lw() for line in display.lines_[0].values()} == {4}

    @pytest.mark.parametrize(
        ("n_thresholds", "per_row"), [(1, [1]), (3, [3]), (4, [2, 2]), (5, [3, 2])]
    )
    def test_rows_of_panels(self, n_thresholds, per_row):
        coefs = np.ones((len(ALPHAS), n_thresholds, 1))
        display = PrestoPathDisplay.from_path(ALPHAS, coefs)
        display.figure_.canvas.draw()
        tops = [round(ax.get_position().y1, 6) for ax in display.axes_]
        assert sorted(np.unique(tops, return_counts=True)[1])[::-1] == per_row

    def test_axes_of_the_user(self, path):
        figure, axes = plt.subplots(1, 2)
        display = PrestoPathDisplay.from_estimator(path, ax=axes)
        assert display.figure_ is figure
        assert list(display.axes_) == list(axes)
        single = PrestoPathDisplay.from_path(
            ALPHAS, path.coefs_path_[:, :1], ax=axes[0]
        )
        assert list(single.axes_) == [axes[0]]
        assert display.plot() is display
        assert display.figure_ is not figure
        with pytest.raises(ValueError, match=r"each of the 2 panels; 1 given"):
            display.plot(ax=axes[0])

    def test_wrong_input(self, path, rng):
        draw = PrestoPathDisplay.from_path
        coefs = path.coefs_path_
        with pytest.raises(ValueError, match="n_alphas = 3"):
            draw(ALPHAS[:3], coefs)
        with pytest.raises(ValueError, match=r"coefs must have .* got \(12, 5\)"):
            draw(ALPHAS, coefs[:, 0])
        with pytest.raises(ValueError, match=r"none negative; got shape .* -1.0"):
            draw([-1.0], coefs[:1])
        with pytest.raises(ValueError, match=r"none negative; got shape \(0,\)"):
            draw([], coefs[:0])
        with pytest.raises(ValueError, match="4 names for 5 features"):
            draw(ALPHAS, coefs, feature_names=NAMES[:4])
        with pytest.raises(ValueError, match="2 thresholds lie between 3 classes"):
            draw(ALPHAS, coefs, classes=[0, 1])
        with pytest.raises(ValueError, match="standardized=True needs"):
            draw(ALPHAS, coefs, standardized=True)
        with pytest.raises(ValueError, match=r"scale must have shape \(5,\)"):
            draw(ALPHAS, coefs, scale=[1.0], standardized=True)
        with pytest.raises(ValueError, match="LogisticRegression has no coefs_path_"):
            PrestoPathDisplay.from_estimator(LogisticRegression().fit(*iris()))
        with pytest.raises(ValueError, match="3 features"):
            del path.feature_names_in_
            PrestoPathDisplay.from_estimator(path, X=np.ones((4, 3)))
