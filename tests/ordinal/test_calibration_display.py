"""Reliability diagrams hold the numbers that they claim to hold."""

import sys

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC
from statsmodels.stats.proportion import proportion_confint

from skloss.ordinal import PrestoClassifier, RareCalibrationDisplay


@pytest.fixture(scope="module")
def rare():
    """Rows, classes of which "c" is rare, and a fitted model."""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((3000, 2))
    scores = X @ [1.5, -1.0] + rng.logistic(size=3000)
    y = np.array(["a", "b", "c"])[np.digitize(scores, [0.0, 5.0])]
    return X, y, LogisticRegression().fit(X, y)


def texts(artists):
    return [artist.get_text() for artist in artists]


class TestCalibration:
    def test_bins_of_equal_size(self, rare):
        X, y, model = rare
        display = RareCalibrationDisplay.from_estimator(model, X, y, n_bins=6)
        p = model.predict_proba(X)[:, 2]
        order = np.argsort(p)
        mean = [p[rows].mean() for rows in np.split(order, 6)]
        rate = np.array([(y[rows] == "c").mean() for rows in np.split(order, 6)])
        np.testing.assert_allclose(display.mean, mean, rtol=1e-12)
        np.testing.assert_allclose(display.rate, rate, rtol=1e-12)
        np.testing.assert_array_equal(display.line_.get_xdata(), display.mean)
        np.testing.assert_array_equal(
            display.line_.get_ydata(), np.where(rate > 0, display.rate, np.nan)
        )

    def test_intervals_are_wilson_s(self, rare):
        X, y, model = rare
        display = RareCalibrationDisplay.from_estimator(model, X, y, n_bins=6)
        low, high = proportion_confint(
            np.rint(display.rate * 500), 500, alpha=0.05, method="wilson"
        )
        seen = display.rate > 0
        assert 0 < seen.sum() < 6
        drawn = np.array(display.intervals_.get_segments())
        np.testing.assert_allclose(drawn[:, 0, 1], low[seen], rtol=1e-9)
        np.testing.assert_allclose(drawn[:, 1, 1], high[seen], rtol=1e-9)
        limits = display.limits_
        np.testing.assert_array_equal(limits.get_xdata(), display.mean[~seen])
        np.testing.assert_allclose(limits.get_ydata(), high[~seen], rtol=1e-9)

    def test_axes_show_everything(self, rare):
        X, y, model = rare
        display = RareCalibrationDisplay.from_estimator(model, X, y, n_bins=6)
        ax = display.ax_
        assert ax.get_xscale() == ax.get_yscale() == "log"
        assert ax.get_xlim() == ax.get_ylim()
        low, high = ax.get_xlim()
        ends = np.array(display.intervals_.get_segments())
        assert low < min(display.mean.min(), np.nanmin(display.line_.get_ydata()))
        assert high > max(display.mean.max(), ends.max())
        np.testing.assert_array_equal(*display.diagonal_.get_data())
        display.figure_.canvas.draw()
        legend = ax.get_legend().get_window_extent()
        assert not legend.overlaps(ax.get_window_extent())
        assert legend.x1 <= display.figure_.canvas.get_width_height()[0]

    def test_the_rarest_class(self, rare):
        X, y, model = rare
        display = RareCalibrationDisplay.from_estimator(model, X, y)
        assert display.rare == "c"
        assert display.ax_.get_xlabel() == "Predicted probability of class c"
        weights = np.where(y == "a", 1e-4, 1.0)
        by_weight = RareCalibrationDisplay.from_estimator(
            model, X, y, sample_weight=weights
        )
        assert by_weight.rare == "a"
        given = RareCalibrationDisplay.from_estimator(model, X, y, rare="b")
        assert given.rate @ given.weight == pytest.approx((y == "b").sum())

    def test_the_last_of_several_rarest(self):
        X = np.arange(8.0)[:, None]
        y = np.array([0, 0, 0, 0, 1, 1, 2, 2])
        model = LogisticRegression().fit(X, y)
        assert RareCalibrationDisplay.from_estimator(model, X, y).rare == 2
        # Without weight a class is absent, not rare.
        display = RareCalibrationDisplay.from_estimator(
            model, X, y, sample_weight=(y != 2).astype(float)
        )
        assert display.rare == 1

    def test_weights_repeat_rows(self, rare, rng):
        X, y, model = rare
        weights = rng.integers(0, 3, len(y))
        weighted = RareCalibrationDisplay.from_estimator(
            model, X, y, sample_weight=weights, n_bins=5
        )
        again = np.repeat(np.arange(len(y)), weights)
        repeated = RareCalibrationDisplay.from_estimator(
            model, X[again], y[again], n_bins=5
        )
        np.testing.assert_allclose(weighted.mean, repeated.mean, rtol=1e-10)
        np.testing.assert_allclose(weighted.rate, repeated.rate, atol=1e-12)
        np.testing.assert_allclose(
            np.array(weighted.intervals_.get_segments()),
            np.array(repeated.intervals_.get_segments()),
            rtol=1e-9,
        )

    def test_bins_of_equal_width(self, rare):
        X, y, model = rare
        display = RareCalibrationDisplay.from_estimator(
            model, X, y, n_bins=4, strategy="log"
        )
        p = model.predict_proba(X)[:, 2]
        assert display.weight.sum() == len(y)
        steps = np.log(display.mean[[0, -1]] / p.min()) / np.log(p.max() / p.min())
        assert 0 < steps[0] < 0.25 and 0.75 < steps[1] < 1

    def test_no_case_at_all(self):
        display = RareCalibrationDisplay.from_predictions(
            np.zeros(50), np.geomspace(1e-4, 1e-2, 50), n_bins=5
        )
        assert np.isnan(display.line_.get_ydata()).all()
        assert len(display.limits_.get_xdata()) == 5
        display.figure_.canvas.draw()
        shown = texts(display.ax_.get_legend().get_texts())
        assert "no case: 95% upper limit" in shown

    def test_cases_only(self):
        display = RareCalibrationDisplay.from_predictions([1, 1, 1], [0.2, 0.5, 1.0])
        assert display.limits_ is None
        assert (display.line_.get_ydata() == 1).all()

    def test_predictions_of_zero_are_at_the_edge(self):
        p = np.r_[np.zeros(20), np.full(20, 0.1)]
        y = np.r_[1, np.zeros(20), np.ones(2), np.zeros(17)]
        display = RareCalibrationDisplay.from_predictions(y, p, n_bins=2)
        assert display.mean[0] == 0
        assert display.line_.get_xdata()[0] == display.ax_.get_xlim()[0] > 0
        with pytest.raises(ValueError, match="All predicted probabilities are zero"):
            RareCalibrationDisplay.from_predictions([0, 1], [0.0, 0.0])

    def test_two_models_in_one_plot(self, rare):
        X, y, model = rare
        first = RareCalibrationDisplay.from_estimator(model, X, y, name="one")
        before = first.ax_.get_xlim()
        p = model.predict_proba(X)[:, 2]
        second = RareCalibrationDisplay.from_predictions(
            y == "c", p**2, ax=first.ax_, name="two"
        )
        assert second.diagonal_ is first.diagonal_
        after = first.ax_.get_xlim()
        assert after[0] < before[0] and after[1] >= before[1]
        assert first.ax_.get_xlim() == first.ax_.get_ylim()
        assert first.ax_.get_xlabel() == "Predicted probability of class c"
        assert second.line_.get_color() != first.line_.get_color()
        shown = texts(first.ax_.get_legend().get_texts())
        assert len(shown) == len(set(shown)) == 4
        assert {"one (bars: 95%)", "two (bars: 95%)"} < set(shown)

    def test_wrong_input(self, rare):
        X, y, model = rare
        draw = RareCalibrationDisplay.from_estimator
        with pytest.raises(ValueError, match="LinearSVC has no predict_proba"):
            draw(LinearSVC().fit(X, y), X, y)
        with pytest.raises(ValueError, match=r"rare is 'd'; .* knows the classes"):
            draw(model, X, y, rare="d")
        with pytest.raises(ValueError, match="n_bins is 0"):
            draw(model, X, y, n_bins=0)
        with pytest.raises(ValueError, match="one number for each bin"):
            RareCalibrationDisplay([0.1], [0.1, 0.2], [3.0]).plot()

    def test_presto(self, rare):
        X, y, _ = rare
        model = PrestoClassifier(alpha=1e-3).fit(X, y)
        display = RareCalibrationDisplay.from_estimator(model, X, y, n_bins=4)
        assert display.rare == "c"
        p = np.sort(model.predict_proba(X)[:, 2])
        np.testing.assert_allclose(display.mean, p.reshape(4, -1).mean(axis=1))

    def test_axes_and_name(self, rare):
        X, y, model = rare
        figure, axes = plt.subplots(1, 2)
        display = RareCalibrationDisplay.from_estimator(
            model, X, y, ax=axes[1], name="mine"
        )
        assert display.ax_ is axes[1]
        assert display.figure_ is figure
        assert texts(axes[1].get_legend().get_texts())[0] == "mine (bars: 95%)"
        again = display.plot(ax=axes[0], name="other")
        assert again is display
        assert texts(axes[0].get_legend().get_texts())[0] == "other (bars: 95%)"
        assert RareCalibrationDisplay.from_estimator(model, X, y).ax_ not in axes

    def test_refuses_unfitted_estimators(self, rare):
        X, y, _ = rare
        with pytest.raises(NotFittedError):
            RareCalibrationDisplay.from_estimator(LogisticRegression(), X, y)

    def test_says_what_is_missing(self, rare, monkeypatch):
        X, y, model = rare
        monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
        with pytest.raises(ImportError, match=r"skloss\[plot\]"):
            RareCalibrationDisplay.from_estimator(model, X, y)
