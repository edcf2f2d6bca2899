"""Plots hold the numbers that they claim to hold."""

import itertools
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array
from scipy.stats import sem
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skloss.ordinal import (
    CVCurveDisplay,
    PrestoClassifier,
    PrestoClassifierCV,
    PrestoPathDisplay,
    ProportionalOddsClassifier,
    ThresholdProfileDisplay,
)
from skloss.ordinal._panels import shortened, spread_labels

mpl.use("Agg")
import matplotlib.pyplot as plt

CLASSES = np.array(["shown", "clicked", "bought"])
NAMES = np.array(["age", "price", "hour", "visits", "blood pressure at rest"])
ALPHAS = np.geomspace(0.5, 1e-3, 12)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class Bare(ClassifierMixin, BaseEstimator):
    """Attributes of a fit, without the fit: shapes are at the test's will."""

    def __init__(self, scoring=None, l1_ratio=1.0):
        self.scoring = scoring
        self.l1_ratio = l1_ratio

    def fit(self, X, y):
        raise NotImplementedError

    def with_attributes(self, **attributes):
        vars(self).update(attributes)
        return self


def fitted_path(rng, *, n_l1=None):
    """Stand-in for a cross-validated fit of five features at two thresholds.

    With several shares of the L1 penalty each has strengths of its own.
    """
    sizes = np.array([1.0, 0.3, 0.0, 2.0, 0.5]) * rng.choice([-1, 1], 5)
    coefs = np.log(ALPHAS[0] / ALPHAS)[:, None, None] * sizes
    coefs = np.repeat(coefs, 2, axis=1)
    coefs[:, 1, :2] *= rng.uniform(-1, 1, (len(ALPHAS), 2))
    shape = (len(ALPHAS), 5) if n_l1 is None else (n_l1, len(ALPHAS), 5)
    scores = -1 + 0.05 * rng.standard_normal(shape)
    means = scores.mean(axis=-1)
    at = np.unravel_index(means.argmax(), means.shape)
    ratios, grid = [0.1, 0.5, 1.0][:n_l1], ALPHAS
    if n_l1 is not None:
        grid = ALPHAS / np.array(ratios)[:, None]
    return Bare(l1_ratio=1.0 if n_l1 is None else ratios).with_attributes(
        alphas_=grid,
        alpha_=grid[at],
        l1_ratio_=1.0 if n_l1 is None else ratios[at[0]],
        coefs_path_=coefs,
        coef_=coefs[at[-1]],
        scores_path_=scores,
        mean_scores_=means,
        classes_=CLASSES,
        feature_names_in_=NAMES,
        n_features_in_=5,
    )


@pytest.fixture
def path(rng):
    return fitted_path(rng)


def texts(artists):
    return [artist.get_text() for artist in artists]


def boxes_of(artists):
    # Those of annotations hold their leader lines, which begin at the axes.
    return [
        mpl.text.Text.get_window_extent(artist)
        if isinstance(artist, mpl.text.Annotation)
        else artist.get_window_extent()
        for artist in artists
    ]


def assert_apart(boxes):
    for first, second in itertools.combinations(boxes, 2):
        assert not first.overlaps(second)


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


def iris():
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


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


class TestCVCurve:
    def test_curve_band_and_marks(self, path):
        display = CVCurveDisplay.from_estimator(path)
        (line,) = display.lines_
        np.testing.assert_array_equal(line.get_xdata(), ALPHAS)
        np.testing.assert_array_equal(line.get_ydata(), path.mean_scores_)
        errors = sem(path.scores_path_, axis=1)
        corners = display.band_.get_paths()[0].vertices
        for alpha, mean, error in zip(ALPHAS, path.mean_scores_, errors):
            heights = corners[np.isclose(corners[:, 0], alpha, rtol=1e-12), 1]
            assert heights.min() == pytest.approx(mean - error, rel=1e-12)
            assert heights.max() == pytest.approx(mean + error, rel=1e-12)
        best = path.mean_scores_.argmax()
        within = path.mean_scores_ >= path.mean_scores_[best] - errors[best]
        expected = max(a for a, good in zip(ALPHAS, within) if good)
        assert expected > path.alpha_
        assert display.one_se_alpha_ == expected
        assert display.one_se_line_.get_xdata()[0] == expected
        assert display.chosen_line_.get_xdata()[0] == path.alpha_
        assert texts(display.ax_.get_legend().get_texts()) == [
            "Bare",
            "± one standard error",
            f"chosen: {path.alpha_:.3g}",
            f"one-standard-error rule: {expected:.3g}",
        ]

    def test_chosen_by_the_rule(self, path):
        path.alpha_ = CVCurveDisplay.from_estimator(path).one_se_alpha_
        display = CVCurveDisplay.from_estimator(path)
        assert display.one_se_line_ is display.chosen_line_
        assert "chosen, one-standard-error rule" in display.chosen_line_.get_label()

    def test_several_shares_of_l1(self, rng):
        path = fitted_path(rng, n_l1=3)
        display = CVCurveDisplay.from_estimator(path)
        assert len(display.lines_) == 3
        for line, alphas, means in zip(
            display.lines_, path.alphas_, path.mean_scores_, strict=True
        ):
            np.testing.assert_array_equal(line.get_xdata(), alphas)
            np.testing.assert_array_equal(line.get_ydata(), means)
        assert texts(display.labels_) == ["l1_ratio 0.1", "l1_ratio 0.5", "l1_ratio 1"]
        for label, alphas, means in zip(
            display.labels_, path.alphas_, path.mean_scores_
        ):
            assert label.xy == (alphas[-1], means[-1])
        limits = path.alphas_.max(), path.alphas_.min()
        np.testing.assert_allclose(display.ax_.get_xlim(), limits)
        display.figure_.canvas.draw()
        width = display.figure_.canvas.get_width_height()[0]
        assert all(box.x1 <= width for box in boxes_of(display.labels_))

    def test_band_belongs_to_the_chosen_share(self, rng):
        path = fitted_path(rng, n_l1=3)
        display = CVCurveDisplay.from_estimator(path)
        chosen = path.l1_ratio.index(path.l1_ratio_)
        scores, means = path.scores_path_[chosen], path.mean_scores_[chosen]
        heights = display.band_.get_paths()[0].vertices[:, 1]
        top = (means + sem(scores, axis=1)).max()
        assert heights.max() == pytest.approx(top, rel=1e-12)
        alone = CVCurveDisplay(path.alphas_[chosen], scores).plot()
        assert display.one_se_alpha_ == alone.one_se_alpha_
        by_score = CVCurveDisplay(
            path.alphas_, path.scores_path_, l1_ratios=path.l1_ratio
        ).plot()
        assert by_score.one_se_alpha_ == alone.one_se_alpha_

    def test_shares_of_l1_with_the_same_strengths(self, rng):
        scores = rng.standard_normal((2, len(ALPHAS), 4))
        display = CVCurveDisplay(ALPHAS, scores, l1_ratios=[0.5, 1.0]).plot()
        for line, own in zip(display.lines_, scores, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), ALPHAS)
            np.testing.assert_allclose(line.get_ydata(), own.mean(axis=1))

    def test_a_single_fold_has_no_error(self):
        display = CVCurveDisplay(ALPHAS, -ALPHAS[:, None], alpha=ALPHAS[-1]).plot()
        assert display.band_ is display.one_se_alpha_ is display.one_se_line_ is None
        assert display.chosen_line_.get_xdata()[0] == ALPHAS[-1]

    def test_failed_fits(self):
        scores = np.array([[-1.0, -1.1], [np.nan, -0.5], [-0.9, -1.2]])
        display = CVCurveDisplay([1.0, 0.1, 0.01], scores).plot()
        assert display.one_se_alpha_ == 1.0
        nothing = CVCurveDisplay([1.0], [[np.nan, np.nan]]).plot()
        assert nothing.one_se_alpha_ is None

    def test_weighted_means(self):
        scores = np.array([[-1.0, -3.0], [-2.0, -1.9]])
        display = CVCurveDisplay([1.0, 0.1], scores, mean_scores=[-1.2, -1.97]).plot()
        np.testing.assert_array_equal(display.lines_[0].get_ydata(), [-1.2, -1.97])

    @pytest.mark.parametrize(
        ("scoring", "label"),
        [
            (None, "Mean log-likelihood of held-out rows"),
            ("neg_log_loss", "Mean neg log loss of held-out rows"),
            (lambda *_: 0.0, "Mean score of held-out rows"),
        ],
    )
    def test_name_of_the_score(self, path, scoring, label):
        path.scoring = scoring
        assert CVCurveDisplay.from_estimator(path).ax_.get_ylabel() == label

    def test_wrong_input(self, path):
        scores = path.scores_path_
        with pytest.raises(ValueError, match="LogisticRegression has no scores_path_"):
            CVCurveDisplay.from_estimator(LogisticRegression().fit(*iris()))
        with pytest.raises(ValueError, match=r"for alphas of shape \(3,\)"):
            CVCurveDisplay(ALPHAS[:3], scores).plot()
        with pytest.raises(ValueError, match=r"got \(12, 5\) for alphas of shape"):
            CVCurveDisplay([ALPHAS], scores).plot()
        with pytest.raises(ValueError, match="none negative"):
            CVCurveDisplay(-ALPHAS, scores).plot()
        with pytest.raises(ValueError, match=r"mean_scores must have shape \(12,\)"):
            CVCurveDisplay(ALPHAS, scores, mean_scores=[1.0]).plot()
        with pytest.raises(ValueError, match="l1_ratios must name 2 curves"):
            CVCurveDisplay(ALPHAS, np.stack([scores] * 2)).plot()
        with pytest.raises(ValueError, match=r"l1_ratio is 0.3; .* \[0.1, 0.5\]"):
            CVCurveDisplay(
                ALPHAS, np.stack([scores] * 2), l1_ratios=[0.1, 0.5], l1_ratio=0.3
            ).plot()


@pytest.fixture(scope="module")
def ordered():
    """Rows with named features and three classes, "c" the rare one."""
    rng = np.random.default_rng(7)
    X = pd.DataFrame(rng.standard_normal((600, 4)), columns=list("pqrs"))
    X["q"] *= 10
    latent = X @ [1.0, 0.1, 0.0, 0.0] + rng.logistic(size=600)
    return X, pd.Series(np.array(["a", "b", "c"])[np.digitize(latent, [0, 3])])


class TestFits:
    """The estimators keep what the plots read."""

    def test_profile(self, ordered):
        X, y = ordered
        model = PrestoClassifier(alpha=1e-3).fit(X, y)
        common = ProportionalOddsClassifier().fit(X, y)
        display = ThresholdProfileDisplay.from_estimator(
            model, proportional_odds=common, features=["q", "s"]
        )
        for place, j in enumerate([1, 3]):
            line, level = display.lines_[place], display.proportional_lines_[place]
            np.testing.assert_array_equal(line.get_ydata(), model.coef_[:, j])
            assert level.get_ydata()[0] == common.coef_[0, j]
            assert display.axes_[place].get_title() == "pqrs"[j]
        assert texts(display.axes_[0].get_xticklabels()) == ["> a", "> b"]
        with pytest.raises(ValueError, match="one row for each threshold"):
            ThresholdProfileDisplay.from_estimator(common)

    @pytest.mark.parametrize("l1_ratio", [1.0, [0.5, 1.0]])
    def test_path_and_scores(self, ordered, l1_ratio):
        X, y = ordered
        model = PrestoClassifierCV(
            alphas=8, cv=3, l1_ratio=l1_ratio, random_state=0
        ).fit(X, y)
        ratios = np.atleast_1d(l1_ratio).tolist()
        chosen = ratios.index(model.l1_ratio_)
        alphas = np.atleast_2d(model.alphas_)[chosen]
        path = PrestoPathDisplay.from_estimator(model, X=X, standardized=True)
        sd = X.to_numpy().std(axis=0)
        for k, lines in enumerate(path.lines_):
            for j, line in lines.items():
                np.testing.assert_array_equal(line.get_xdata(), alphas)
                np.testing.assert_allclose(
                    line.get_ydata(), model.coefs_path_[:, k, j] * sd[j]
                )
        # The curves cross the line at the fit itself.
        at = path.lines_[1][0].get_xdata() == path.alpha_lines_[0].get_xdata()[0]
        assert at.sum() == 1
        for j, line in path.lines_[1].items():
            drawn = line.get_ydata()[at]
            np.testing.assert_allclose(drawn, model.coef_[1, j] * sd[j], atol=1e-4)
        curve = CVCurveDisplay.from_estimator(model)
        assert len(curve.lines_) == len(ratios)
        best = max(line.get_ydata().max() for line in curve.lines_)
        heights = curve.lines_[chosen].get_ydata()
        assert heights[alphas == model.alpha_] == best
        assert curve.one_se_alpha_ >= model.alpha_

    def test_one_standard_error_rules_agree(self, ordered):
        X, y = ordered
        options = {"alphas": 15, "cv": 4, "random_state": 0}
        best = PrestoClassifierCV(**options).fit(X, y)
        simple = PrestoClassifierCV(selection="1se", **options).fit(X, y)
        assert CVCurveDisplay.from_estimator(best).one_se_alpha_ == simple.alpha_


DRAW = [
    PrestoPathDisplay.from_estimator,
    ThresholdProfileDisplay.from_estimator,
    CVCurveDisplay.from_estimator,
]


@pytest.mark.parametrize("draw", DRAW)
class TestAll:
    def test_refuses_unfitted_estimators(self, draw):
        with pytest.raises(NotFittedError):
            draw(LogisticRegression())

    def test_says_what_is_missing(self, draw, path, monkeypatch):
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
        with pytest.raises(ImportError, match=r"skloss\[plot\]"):
            draw(path)


def test_axes_and_name(path):
    figure, axes = plt.subplots(1, 2)
    display = CVCurveDisplay.from_estimator(path, ax=axes[1], name="mine")
    assert display.ax_ is axes[1]
    assert display.figure_ is figure
    assert texts(axes[1].get_legend().get_texts())[0] == "mine"
    again = display.plot(ax=axes[0], name="other")
    assert again is display
    assert texts(axes[0].get_legend().get_texts())[0] == "other"
    assert CVCurveDisplay.from_estimator(path).ax_ not in axes
