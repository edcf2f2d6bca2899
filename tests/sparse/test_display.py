"""Plots of sparse paths hold the values that they claim to hold."""

import matplotlib as mpl
import numpy as np
import pytest
from scipy.sparse import csc_array, csr_array
from scipy.stats import sem
from sklearn.base import BaseEstimator, clone
from sklearn.datasets import load_diabetes
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.preprocessing import StandardScaler

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.display import SparsePathDisplay
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor import SparseRegressor
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV

mpl.use("Agg")
import matplotlib.pyplot as plt

X, y = load_diabetes(return_X_y=True, as_frame=True)


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn."""
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def lasso():
    return SparseRegressorCV(alphas=15).fit(X, y)


@pytest.fixture(scope="module")
def elasticnet():
    return SparseRegressorCV("elasticnet", alphas=8, l1_ratio=[0.2, 0.9]).fit(X, y)


@pytest.fixture(scope="module")
def subsets():
    return BestSubsetRegressorCV(6, l2s=[0.0, 0.1], n_starts=2).fit(X, y)


def texts(artists):
    return [artist.get_text() for artist in artists]


def band_at(display, position):
    """Lower and upper end of the band."""
    corners = display.band_.get_paths()[0].vertices
    heights = corners[np.isclose(corners[:, 0], position, rtol=1e-12), 1]
    return heights.min(), heights.max()


class TestCoefficients:
    def test_curves_hold_the_coefficients(self, lasso):
        display = SparsePathDisplay.from_estimator(lasso)
        coefs = lasso.coefs_path_.toarray()
        assert set(display.lines_) == set(np.flatnonzero(coefs.any(axis=1)))
        for j, line in display.lines_.items():
            np.testing.assert_array_equal(line.get_xdata(), lasso.alphas_)
            np.testing.assert_array_equal(line.get_ydata(), coefs[j])
        assert display.ax_.get_xscale() == "log"
        limits = lasso.alphas_[0], lasso.alphas_[-1]
        np.testing.assert_allclose(display.ax_.get_xlim(), limits)

    def test_chosen_strength(self, lasso):
        display = SparsePathDisplay.from_estimator(lasso)
        assert display.chosen_line_.get_xdata()[0] == lasso.alpha_
        n_used = lasso.get_support().sum()
        assert f"alpha = {lasso.alpha_:.3g}: {n_used} features" in texts(
            display.ax_.texts
        )
        bare = SparsePathDisplay(alphas=lasso.alphas_, coefs=lasso.coefs_path_).plot()
        assert bare.chosen_line_ is None
        one = SparsePathDisplay(alphas=[2, 1], coefs=[[0, 1], [0, 0]], alpha=1).plot()
        assert "alpha = 1: 1 feature" in texts(one.ax_.texts)
        off = SparsePathDisplay(alphas=[2, 1], coefs=[[0, 1]], alpha=1.5).plot()
        assert "alpha = 1.5" in texts(off.ax_.texts)

    def test_largest_are_named_where_they_end(self, lasso):
        display = SparsePathDisplay.from_estimator(lasso, max_labels=3)
        coefs = lasso.coefs_path_.toarray()
        expected = np.argsort(-np.abs(coefs).max(axis=1))[:3]
        assert texts(display.labels_) == X.columns[expected].tolist()
        for label, j in zip(display.labels_, expected, strict=True):
            assert label.xy == (lasso.alphas_[-1], coefs[j, -1])
            assert label.get_color() == display.lines_[j].get_color()
        others = {display.lines_[j].get_color() for j in set(display.lines_)}
        assert len(others) == 3 + 1

    def test_only_features_that_are_used(self):
        given = csr_array([[0.0, 0.0], [3.0, 0.0], [1.0, -2.0]])
        given.data[0] = 0.0  # stored all the same
        display = SparsePathDisplay(alphas=[1.0, 0.1], coefs=given).plot()
        assert set(display.lines_) == {2}
        assert texts(display.labels_) == ["x2"]
        assert given.nnz == 3  # left as it was
        none = SparsePathDisplay(alphas=[1.0], coefs=csc_array((4, 1))).plot()
        assert none.lines_ == {} and none.labels_ == []

    def test_largest_are_named_in_standard_deviations(self, lasso):
        raw = X * np.logspace(-3, 3, X.shape[1])
        model = SparseRegressorCV(alphas=6).fit(raw, y)
        weights = np.arange(len(y)) % 3
        display = SparsePathDisplay.from_estimator(
            model, raw, standardized=True, sample_weight=weights, max_labels=1
        )
        scale = StandardScaler().fit(raw.to_numpy(), sample_weight=weights).scale_
        expected = model.coefs_path_.toarray() * scale[:, None]
        for j, line in display.lines_.items():
            np.testing.assert_allclose(line.get_ydata(), expected[j], rtol=1e-10)
        largest = np.abs(expected).max(axis=1).argmax()
        assert texts(display.labels_) == [X.columns[largest]]
        assert "standard deviation" in display.ax_.get_ylabel()

    def test_strengths_of_the_chosen_share(self, elasticnet):
        display = SparsePathDisplay.from_estimator(elasticnet)
        row = [0.2, 0.9].index(elasticnet.l1_ratio_)
        assert elasticnet.alpha_ in elasticnet.alphas_[row]
        for line in display.lines_.values():
            np.testing.assert_array_equal(line.get_xdata(), elasticnet.alphas_[row])

    def test_zero_has_a_place(self):
        coefs = np.array([[0.0, 1.0, 2.0]])
        display = SparsePathDisplay(alphas=[1.0, 0.1, 0.0], coefs=coefs).plot()
        to_axes = display.ax_.transData + display.ax_.transAxes.inverted()
        assert np.isfinite(to_axes.transform([0.0, 1.0])).all()

    def test_style(self, lasso):
        display = SparsePathDisplay.from_estimator(lasso, lw=4)
        assert {line.get_lw() for line in display.lines_.values()} == {4}


class TestErrors:
    def test_curve_band_and_marks(self, lasso):
        display = SparsePathDisplay.from_estimator(lasso, kind="cv")
        (line,) = display.lines_
        means, errors = lasso.mse_path_.mean(axis=1), sem(lasso.mse_path_, axis=1)
        np.testing.assert_array_equal(line.get_xdata(), lasso.alphas_)
        np.testing.assert_allclose(line.get_ydata(), means, rtol=1e-14)
        for alpha, mean, error in zip(lasso.alphas_, means, errors):
            expected = mean - error, mean + error
            np.testing.assert_allclose(band_at(display, alpha), expected, rtol=1e-12)
        assert display.chosen_line_.get_xdata()[0] == lasso.alpha_
        assert display.one_se_line_.get_xdata()[0] == display.one_se_
        assert texts(display.ax_.get_legend().get_texts()) == [
            "SparseRegressorCV",
            "± one standard error",
            f"chosen: {lasso.alpha_:.3g}",
            f"one-standard-error rule: {display.one_se_:.3g}",
        ]

    def test_one_standard_error_by_hand(self):
        # Means 4, 3, 2, 1.5, 2.6. Folds of the least are 0.5 and 2.5: their standard
        # deviation is sqrt(2), its standard error 1, and the limit 2.5.
        middle, half = np.array([4.0, 3.0, 2.0, 1.5, 2.6]), [0, 0, 0.1, 1, 0]
        mse = np.column_stack([middle - half, middle + half])
        alphas = [1.0, 0.5, 0.25, 0.1, 0.01]
        display = SparsePathDisplay(alphas=alphas, mse=mse, alpha=0.1).plot(kind="cv")
        assert display.one_se_ == 0.25
        assert display.one_se_line_.get_xdata()[0] == 0.25
        assert display.one_se_line_ is not display.chosen_line_
        same = SparsePathDisplay(alphas=alphas, mse=mse, alpha=0.25).plot(kind="cv")
        assert same.one_se_line_ is same.chosen_line_
        assert "chosen, one-standard-error rule" in same.chosen_line_.get_label()

    @pytest.mark.parametrize(
        "model",
        [
            SparseRegressorCV(alphas=30, one_se=True),
            SparseRegressorCV(
                "elasticnet", alphas=12, l1_ratio=[0.3, 1.0], one_se=True
            ),
            PreconditionedLassoCV(alphas=30, one_se=True, random_state=0),
            BestSubsetRegressorCV(8, l2s=[0.0, 0.1], n_starts=2, one_se=True),
        ],
        ids=lambda model: f"{type(model).__name__}",
    )
    def test_rule_of_the_estimators(self, model):
        model = clone(model).fit(X, y)
        display = SparsePathDisplay.from_estimator(model, kind="cv")
        sizes = isinstance(model, BestSubsetRegressorCV)
        assert display.one_se_ == (model.n_nonzero_coefs_ if sizes else model.alpha_)
        assert display.one_se_line_ is display.chosen_line_

    def test_rule_moves_the_choice(self, lasso):
        """Or the test above would hold for a rule that takes the least error."""
        display = SparsePathDisplay.from_estimator(lasso, kind="cv")
        assert display.one_se_ > lasso.alpha_

    def test_several_shares_of_l1(self, elasticnet):
        display = SparsePathDisplay.from_estimator(elasticnet, kind="cv")
        means = elasticnet.mse_path_.mean(axis=-1)
        for line, alphas, mean in zip(
            display.lines_, elasticnet.alphas_, means, strict=True
        ):
            np.testing.assert_array_equal(line.get_xdata(), alphas)
            np.testing.assert_allclose(line.get_ydata(), mean, rtol=1e-14)
        assert texts(display.labels_) == ["l1_ratio 0.2", "l1_ratio 0.9"]
        row = [0.2, 0.9].index(elasticnet.l1_ratio_)
        errors = sem(elasticnet.mse_path_[row], axis=1)
        expected = means[row, -1] - errors[-1], means[row, -1] + errors[-1]
        found = band_at(display, elasticnet.alphas_[row, -1])
        np.testing.assert_allclose(found, expected, rtol=1e-12)

    def test_numbers_of_features(self, subsets):
        display = SparsePathDisplay.from_estimator(subsets, kind="cv")
        assert texts(display.labels_) == ["l2 0", "l2 0.1"]
        for line, mean in zip(display.lines_, subsets.mse_path_.mean(axis=-1)):
            np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 7))
            np.testing.assert_allclose(line.get_ydata(), mean, rtol=1e-14)
        assert display.chosen_line_.get_xdata()[0] == subsets.n_nonzero_coefs_
        assert display.ax_.get_xscale() == "linear"
        assert display.ax_.get_xlabel() == "Number of features"
        ticks = display.ax_.get_xticks()
        np.testing.assert_array_equal(ticks, np.round(ticks))

    def test_size_by_hand_from_any_curve(self):
        # The least is 1 with a standard error of 0.5; the other curve has 1.4 earlier.
        first = [[3.0, 3.0], [2.0, 2.0], [0.5, 1.5]]
        second = [[3.0, 3.0], [1.4, 1.4], [1.2, 1.2]]
        display = SparsePathDisplay(
            mse=[first, second], curve_names=["a", "b"], size=3
        ).plot(kind="cv")
        assert display.one_se_ == 2
        # With strengths each curve goes its own way: only the best one counts.
        display = SparsePathDisplay(
            alphas=[3.0, 2.0, 1.0], mse=[first, second], curve_names=["a", "b"]
        ).plot(kind="cv")
        assert display.one_se_ == 1

    def test_single_fold_has_no_error(self):
        display = SparsePathDisplay(alphas=[1, 0.1], mse=[[2.0], [1.0]], alpha=0.1)
        display.plot(kind="cv")
        assert display.band_ is display.one_se_ is display.one_se_line_ is None
        assert display.chosen_line_.get_xdata()[0] == 0.1

    def test_failed_fits(self):
        mse = [[2.0, 2.2], [np.nan, 1.0], [1.9, 2.3]]
        display = SparsePathDisplay(alphas=[1.0, 0.1, 0.01], mse=mse).plot(kind="cv")
        assert display.one_se_ == 1.0
        nothing = SparsePathDisplay(alphas=[1.0], mse=[[np.nan, np.nan]])
        assert nothing.plot(kind="cv").one_se_ is None

    def test_path_that_was_stopped_early(self):
        class Stopped(BaseEstimator):
            def fit(self, X, y):
                raise NotImplementedError

        model = Stopped()
        model.alphas_, model.alpha_ = np.array([1.0, 0.5, 0.1]), 0.5
        model.mse_path_, model.coefs_path_ = np.ones((2, 3)), csc_array([[0.0, 1.0]])
        display = SparsePathDisplay.from_estimator(model, kind="cv")
        np.testing.assert_array_equal(display.lines_[0].get_xdata(), [1.0, 0.5])
        display.plot(kind="coefficients")
        np.testing.assert_array_equal(display.lines_[0].get_xdata(), [1.0, 0.5])


class TestResiduals:
    def test_sums_of_squares(self, subsets):
        display = SparsePathDisplay.from_estimator(subsets, kind="rss")
        (line,) = display.lines_
        sizes = np.arange(1, subsets.n_nonzero_coefs_ + 1)
        np.testing.assert_array_equal(line.get_xdata(), sizes)
        np.testing.assert_array_equal(line.get_ydata(), subsets.rss_path_)
        assert display.bound_ is None

    def test_last_point_is_the_fit(self):
        model = BestSubsetRegressor(3).fit(X, y)
        display = SparsePathDisplay.from_estimator(model, kind="rss")
        rss = ((y - model.predict(X)) ** 2).sum()
        assert display.lines_[0].get_ydata()[-1] == pytest.approx(rss, rel=1e-10)
        assert display.bound_ is None  # a search proves nothing

    def test_proof(self):
        model = BestSubsetRegressor(3, method="exact").fit(X, y)
        display = SparsePathDisplay.from_estimator(model, kind="rss")
        assert display.bound_.get_label() == "proved to be the least"
        bound = 2 * len(y) * model.lower_bound_
        assert display.bound_.get_segments()[0][0] == pytest.approx([3, bound])

    def test_open_gap(self):
        model = BestSubsetRegressor(4, method="exact", time_limit=0).fit(X, y)
        assert 0 < model.gap_ < 1
        display = SparsePathDisplay.from_estimator(model, kind="rss")
        low, high = display.bound_.get_segments()[0]
        assert low == pytest.approx([4, 2 * len(y) * model.lower_bound_])
        assert high == pytest.approx([4, model.rss_path_[-1]])
        assert "not proved" in display.bound_.get_label()

    def test_bound_on_more_than_residuals_is_not_drawn(self):
        model = BestSubsetRegressor(2, method="exact", l2=0.1).fit(X, y)
        assert model.lower_bound_ > 0
        assert SparsePathDisplay.from_estimator(model, kind="rss").bound_ is None

    def test_groups(self):
        model = BestSubsetRegressor(2, groups=np.arange(10) // 2).fit(X, y)
        display = SparsePathDisplay.from_estimator(model, kind="rss")
        assert display.ax_.get_xlabel() == "Number of groups"


class TestUse:
    def test_fits_what_is_not_fitted(self, lasso):
        unfitted = SparseRegressorCV(alphas=15)
        display = SparsePathDisplay.from_estimator(unfitted, X, y)
        for j, line in display.lines_.items():
            np.testing.assert_array_equal(
                line.get_ydata(), lasso.coefs_path_.toarray()[j]
            )
        assert not hasattr(unfitted, "coef_")
        weights = np.arange(len(y)) % 2 + 0.0
        weighted = SparsePathDisplay.from_estimator(
            unfitted, X, y, sample_weight=weights
        )
        expected = clone(unfitted).fit(X, y, weights).coefs_path_.toarray()
        for j, line in weighted.lines_.items():
            np.testing.assert_array_equal(line.get_ydata(), expected[j])
        with pytest.raises(NotFittedError):
            SparsePathDisplay.from_estimator(unfitted, X)

    def test_axes_name_and_other_kinds(self, lasso):
        figure, axes = plt.subplots(1, 2)
        display = SparsePathDisplay.from_estimator(lasso, ax=axes[0], name="mine")
        assert display.ax_ is axes[0] and display.figure_ is figure
        assert display.plot(kind="cv", ax=axes[1]) is display
        assert display.ax_ is axes[1]
        assert texts(axes[1].get_legend().get_texts())[0] == "mine"
        display.plot(kind="cv", name="other")
        assert texts(display.ax_.get_legend().get_texts())[0] == "other"
        display.plot()
        assert display.band_ is None and display.one_se_ is None

    def test_wrong_kind(self, lasso):
        with pytest.raises(ValueError, match=r"\['coefficients', 'cv', .*'rss'\]; got"):
            SparsePathDisplay.from_estimator(lasso, kind="aic")
        with pytest.raises(
            ValueError, match=r"needs rss_path_.*'coefficients' or 'cv'"
        ):
            SparsePathDisplay.from_estimator(lasso, kind="rss")
        single = SparseRegressor().fit(X, y)
        with pytest.raises(ValueError, match="this SparseRegressor has not"):
            SparsePathDisplay.from_estimator(single)
        with pytest.raises(ValueError, match="needs coefs_path_"):
            SparsePathDisplay.from_estimator(LinearRegression().fit(X, y))
        with pytest.raises(ValueError, match="mse, which this display lacks"):
            SparsePathDisplay(rss=[1.0]).plot(kind="cv")

    def test_wrong_shapes(self):
        with pytest.raises(ValueError, match=r"a column for each .* \(2, 2\)"):
            SparsePathDisplay(alphas=[1, 0.1, 0.01], coefs=np.eye(2)).plot()
        with pytest.raises(ValueError, match="a column for each"):
            SparsePathDisplay(coefs=np.eye(2)).plot()
        with pytest.raises(ValueError, match="none negative"):
            SparsePathDisplay(alphas=[1, -1], coefs=np.eye(2)).plot()
        with pytest.raises(ValueError, match="2 names for 3 features"):
            SparsePathDisplay(
                alphas=[1, 2, 3], coefs=np.eye(3), feature_names=["a", "b"]
            ).plot()
        with pytest.raises(ValueError, match="pass X to from_estimator"):
            SparsePathDisplay(alphas=[1, 2], coefs=np.eye(2)).plot(standardized=True)
        with pytest.raises(ValueError, match=r"scale must have shape \(2,\)"):
            SparsePathDisplay(alphas=[1, 2], coefs=np.eye(2), scale=[1.0]).plot(
                standardized=True
            )
        with pytest.raises(ValueError, match="mse must have shape"):
            SparsePathDisplay(mse=[1.0]).plot(kind="cv")
        with pytest.raises(ValueError, match=r"alphas of shape \(3,\)"):
            SparsePathDisplay(alphas=[1, 2, 3], mse=np.ones((2, 5))).plot(kind="cv")
        with pytest.raises(ValueError, match="curve_names must name 2 curves"):
            SparsePathDisplay(mse=np.ones((2, 3, 4))).plot(kind="cv")
        with pytest.raises(ValueError, match="rss must hold one number for each"):
            SparsePathDisplay(rss=np.eye(2)).plot(kind="rss")

    def test_errors_of_scikit_learn_fit_in(self):
        model = LassoCV(alphas=20).fit(X, y)
        display = SparsePathDisplay.from_estimator(model, kind="cv")
        means = model.mse_path_.mean(axis=1)
        np.testing.assert_allclose(display.lines_[0].get_ydata(), means, rtol=1e-14)
        assert display.chosen_line_.get_xdata()[0] == model.alpha_


class TestSizes:
    def test_criterion(self):
        model = BestSubsetRegressorCV(6, l2s=[0.0, 0.1], criterion="bic").fit(X, y)
        display = SparsePathDisplay.from_estimator(model, kind="criterion")
        for line, path in zip(display.lines_, model.criterion_path_, strict=True):
            np.testing.assert_array_equal(line.get_xdata(), np.arange(1, 7))
            np.testing.assert_array_equal(line.get_ydata(), path)
        assert display.chosen_line_.get_xdata()[0] == model.n_nonzero_coefs_
        assert display.band_ is None
        assert texts(display.labels_) == ["l2 0", "l2 0.1"]
        assert "Criterion" in display.ax_.get_ylabel()
        with pytest.raises(ValueError, match="it has what kind='criterion' or 'rss'"):
            SparsePathDisplay.from_estimator(model, kind="cv")

    def test_mean_errors_are_the_criterion_of_folds(self, subsets):
        display = SparsePathDisplay.from_estimator(subsets, kind="criterion")
        for line, errors in zip(display.lines_, subsets.mse_path_, strict=True):
            np.testing.assert_allclose(line.get_ydata(), errors.mean(axis=-1))

    def test_subsets_after_a_lasso(self):
        model = PreconditionedLassoCV(
            alphas=10, n_nonzero_coefs="cv", random_state=0
        ).fit(X, y)
        display = SparsePathDisplay.from_estimator(model, kind="subset_cv")
        (line,) = display.lines_
        expected = model.subset_mse_path_.mean(axis=1)
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert display.chosen_line_.get_xdata()[0] == model.n_nonzero_coefs_
        _, upper = band_at(display, 1.0)
        assert upper == pytest.approx(expected[0] + sem(model.subset_mse_path_[0]))
        assert display.ax_.get_xlabel() == "Number of features"
