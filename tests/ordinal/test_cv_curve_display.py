"""Plots of cross-validated scores hold the scores that they claim to hold."""

import importlib.util
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.stats import sem
from sklearn.linear_model import LogisticRegression

from skloss.ordinal import CVCurveDisplay

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_drawing", Path(__file__).with_name("drawing.py")
)
drawing = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(drawing)

ALPHAS = drawing.ALPHAS
fitted_path = drawing.fitted_path
iris = drawing.iris
texts = drawing.texts
boxes_of = drawing.boxes_of


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
