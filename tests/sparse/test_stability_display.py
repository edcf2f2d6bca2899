"""Bars of selection frequencies are those of fits to halves of the rows."""

import matplotlib as mpl
import numpy as np
import pytest
from joblib import parallel_config
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes
from sklearn.feature_selection import SelectKBest, f_regression
from sklearn.linear_model import Lasso, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.tree import DecisionTreeRegressor

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.sparse_regressor import SparseRegressor
from skloss.sparse.stability_display import SubsetStabilityDisplay

mpl.use("Agg")
import matplotlib.pyplot as plt

X, y = load_diabetes(return_X_y=True, as_frame=True)
SEEN = []  # by `Witness`


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn."""
    yield
    plt.close("all")


class Witness(BaseEstimator):
    """Selects the features whose names are the first entries of its rows."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None):
        SEEN.append((np.asarray(X), np.asarray(y), sample_weight, self.random_state))
        self.coef_ = np.zeros(X.shape[1])
        self.coef_[len(SEEN) % 2] = -1.0  # 1 and 0 in turns
        return self


def witnessed(X, y, **options):
    SEEN.clear()
    return SubsetStabilityDisplay.from_estimator(Witness(), X, y, **options)


def bars_of(display):
    names = [label.get_text() for label in display.ax_.get_yticklabels()]
    return dict(zip(names, [bar.get_width() for bar in display.bars_], strict=True))


class TestHalves:
    def test_each_is_half_of_the_rows_without_repetition(self):
        rows = np.arange(21.0)
        witnessed(rows[:, None] * [1, 2], rows + 100, n_repeats=40, random_state=0)
        assert len(SEEN) == 40
        for half, target, weights, _ in SEEN:
            assert half.shape == (10, 2) and len(np.unique(half[:, 0])) == 10
            np.testing.assert_array_equal(target, half[:, 0] + 100)
            assert weights is None
        # Each row is in 40 * 10 / 21 = 19 of them, give or take four standard errors.
        counts = np.bincount(np.concatenate([h[:, 0] for h, *_ in SEEN]).astype(int))
        assert (np.abs(counts - 400 / 21) < 4 * np.sqrt(40 * 10 / 21 * 11 / 21)).all()

    def test_weights(self):
        rows = np.arange(20.0)
        weights = rows % 4
        witnessed(rows[:, None] * [1, 2], rows, n_repeats=5, sample_weight=weights)
        for half, _, given, _ in SEEN:
            assert len(half) == 7  # of the 15 with weight
            np.testing.assert_array_equal(given, half[:, 0] % 4)
            assert given.all()

    def test_frequencies_are_shares_of_the_fits(self):
        display = witnessed(np.eye(12, 3), np.arange(12.0), n_repeats=5)
        np.testing.assert_array_equal(display.frequencies, [0.4, 0.6, 0.0])
        assert bars_of(display) == {"x1": 0.6, "x0": 0.4}
        assert display.features_.tolist() == [1, 0]
        assert display.ax_.get_xlabel() == "Share of 5 fits to half of the rows"

    def test_seeds(self):
        witnessed(np.eye(8, 2), np.arange(8.0), n_repeats=3, random_state=0)
        seeds = [seed for *_, seed in SEEN]
        assert len(set(seeds)) == 3 and all(isinstance(s, int) for s in seeds)
        first = [half for half, *_ in SEEN]
        witnessed(np.eye(8, 2), np.arange(8.0), n_repeats=3, random_state=0)
        assert seeds == [seed for *_, seed in SEEN]
        np.testing.assert_array_equal(first, [half for half, *_ in SEEN])
        SEEN.clear()
        pipeline = make_pipeline(StandardScaler(), Witness(random_state=7))
        SubsetStabilityDisplay.from_estimator(
            pipeline, np.eye(8, 2), np.arange(8.0), n_repeats=2
        )
        assert [seed for *_, seed in SEEN] == [7, 7]


class TestRealFits:
    def test_same_as_refits_by_hand(self):
        """The peer is scikit-learn's Lasso, on the same halves."""
        halves = []

        class Spy(Lasso):
            def fit(self, X, y):
                halves.append(X.index)
                return super().fit(X, y)

        options = {"n_repeats": 8, "random_state": 3}
        SubsetStabilityDisplay.from_estimator(Spy(alpha=0.7), X, y, **options)
        coefs = [Lasso(0.7, tol=1e-8).fit(X.loc[h], y.loc[h]).coef_ for h in halves]
        display = SubsetStabilityDisplay.from_estimator(
            SparseRegressor(alpha=0.7), X, y, **options
        )
        expected = np.mean(np.array(coefs) != 0, axis=0)
        np.testing.assert_array_equal(display.frequencies, expected)
        assert 0 < expected[np.argsort(expected)[-4]] < 1
        for name, width in bars_of(display).items():
            assert width == expected[X.columns.get_loc(name)]

    def test_jobs_and_sparse_rows_change_nothing(self):
        model = BestSubsetRegressor(3, n_starts=2)
        options = {"n_repeats": 6, "random_state": 0}
        cases = (X, None), (X, 2), (csr_array(X), 1)
        with parallel_config("threading"):
            one, two, stored = (
                SubsetStabilityDisplay.from_estimator(
                    model, data, y, n_jobs=jobs, **options
                )
                for data, jobs in cases
            )
        np.testing.assert_array_equal(one.frequencies, two.frequencies)
        np.testing.assert_array_equal(one.frequencies, stored.frequencies)
        assert one.frequencies.sum() == pytest.approx(3)

    def test_names_and_mask_of_a_pipeline(self):
        squares = PolynomialFeatures(2, include_bias=False)
        model = make_pipeline(squares, StandardScaler(), SparseRegressor(alpha=8.0))
        model.fit(X, y)
        display = SubsetStabilityDisplay.from_estimator(
            model, X, y, n_repeats=4, sample_weight=np.ones(len(y)), random_state=0
        )
        names = model[:-1].get_feature_names_out()
        assert display.frequencies.shape == names.shape
        assert set(bars_of(display)) <= set(names)
        assert display.ax_.get_title() == "SparseRegressor"
        selected = model[-1].coef_ != 0
        np.testing.assert_array_equal(display.selected, selected)

    def test_features_of_the_whole_data_have_a_colour(self):
        model = SparseRegressor(alpha=1.0).fit(X, y)
        display = SubsetStabilityDisplay.from_estimator(
            model, X, y, n_repeats=10, random_state=0
        )
        colours = [bar.get_facecolor() for bar in display.bars_]
        for j, colour in zip(display.features_, colours, strict=True):
            expected = "C0" if model.coef_[j] else "0.75"
            assert colour == mpl.colors.to_rgba(expected)
        assert len(set(colours)) == 2
        bare = SubsetStabilityDisplay.from_estimator(
            clone(model), X, y, n_repeats=4, random_state=0
        )
        assert {bar.get_facecolor() for bar in bare.bars_} == {mpl.colors.to_rgba("C0")}

    def test_selectors(self):
        display = SubsetStabilityDisplay.from_estimator(
            SelectKBest(f_regression, k=2), X, y, n_repeats=4, random_state=0
        )
        assert display.frequencies.sum() == pytest.approx(2)


class TestPlot:
    def test_most_frequent_first_and_ties_in_order(self):
        display = SubsetStabilityDisplay([0.5, 0.0, 1.0, 0.5, 0.9]).plot()
        assert display.features_.tolist() == [2, 4, 0, 3]
        assert display.ax_.get_xlim() == (0, 1)
        bottom, top = display.ax_.get_ylim()
        assert bottom > top  # the first bar is on top
        few = display.plot(max_features=2)
        assert few is display and bars_of(few) == {"x2": 1.0, "x4": 0.9}

    def test_axes_names_and_style(self):
        figure, ax = plt.subplots()
        display = SubsetStabilityDisplay(
            [0.2, 0.6], feature_names=["a", "b"], estimator_name="mine"
        ).plot(ax=ax, color="k")
        assert display.ax_ is ax and display.figure_ is figure
        assert bars_of(display) == {"b": 0.6, "a": 0.2}
        assert ax.get_title() == "mine"
        assert display.bars_[0].get_facecolor() == (0, 0, 0, 1)

    def test_nothing_was_selected(self):
        display = SubsetStabilityDisplay([0.0, 0.0]).plot()
        display.figure_.canvas.draw()
        assert len(display.bars_) == len(display.features_) == 0

    def test_wrong_input(self):
        draw = SubsetStabilityDisplay.from_estimator
        with pytest.raises(ValueError, match="n_repeats must be an integer above 0"):
            draw(Lasso(), X, y, n_repeats=0)
        with pytest.raises(ValueError, match=r"at least 4 rows .* there are 3"):
            draw(Lasso(), X[:3], y[:3])
        with pytest.raises(ValueError, match="there are 1"):
            draw(Lasso(), X, y, sample_weight=np.arange(len(y)) == 5)
        with pytest.raises(ValueError, match="inconsistent numbers of samples"):
            draw(Lasso(), X, y[:-1])
        with pytest.raises(ValueError, match="DecisionTreeRegressor has neither"):
            draw(DecisionTreeRegressor(max_depth=2), X, y, n_repeats=1)
        with pytest.raises(ValueError, match="LogisticRegression has neither"):
            draw(LogisticRegression(), X, np.arange(len(y)) % 3, n_repeats=1)
        with pytest.raises(ValueError, match="a number from 0 to 1 for each"):
            SubsetStabilityDisplay([1.5]).plot()
        with pytest.raises(ValueError, match="1 names for 2 features"):
            SubsetStabilityDisplay([0.5, 1], feature_names=["a"]).plot()
        with pytest.raises(ValueError, match=r"selected must have shape \(2,\)"):
            SubsetStabilityDisplay([0.5, 1], selected=[True]).plot()
