"""Curves of predicted and measured errors hold what they claim to hold."""

import matplotlib as mpl
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.stats import sem
from sklearn.datasets import load_diabetes, load_digits
from sklearn.preprocessing import KernelCenterer

from skloss.random_features.classifier import RandomFeatureRidgeClassifier
from skloss.random_features.display import RiskCurveDisplay
from skloss.random_features.features import RandomFeatures
from skloss.random_features.ridge import RandomFeatureRidge
from skloss.random_features.ridge_cv import RandomFeatureRidgeCV
from skloss.random_features.risk import optimal_alpha, rf_risk
from skloss.random_features.spectrum import kernel_spectrum

mpl.use("Agg")
import matplotlib.pyplot as plt

X, y = load_diabetes(return_X_y=True)
X, y = X[:150], (y[:150] - y[:150].mean()) / y[:150].std()
N = len(y)
MODES = np.arange(1, 301)
SPECTRUM = MODES**-1.5, MODES**-0.75
SURFACE = ("n_samples", "n_components")


@pytest.fixture(autouse=True)
def close_figures():
    """Close what a test has drawn."""
    yield
    plt.close("all")


@pytest.fixture
def model():
    return RandomFeatureRidge(60, alpha=0.02, fit_intercept=False, random_state=3)


def predict(**given):
    return RiskCurveDisplay.from_predictions(SPECTRUM, **given)


def measure(model, X=X, y=y, **given):
    return RiskCurveDisplay.from_estimator(model, X, y, random_state=0, **given)


def labels(display):
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def at(display, points):
    """Where predictions for some points are."""
    places = np.searchsorted(display.values, points)
    assert_array_equal(display.values[places], points)
    return places


class TestPredictions:
    def test_curves_over_widths(self):
        widths = [5, 40, 400]
        display = predict(n_samples=80, n_components=widths, alpha=[1e-3, 0.1])
        assert [display.values[0], display.values[-1]] == [5, 400]
        assert_array_equal(display.values, np.round(display.values))
        for alpha, line in zip([1e-3, 0.1], display.lines_, strict=True):
            expected = rf_risk(*SPECTRUM, 80, display.values, alpha).test
            assert_allclose(line.get_ydata(), expected, rtol=1e-13)
            assert_array_equal(line.get_xdata(), display.values)
        at(display, widths)
        (envelope,) = display.optimal_lines_
        best = optimal_alpha(*SPECTRUM, 80, display.values).test
        assert_allclose(envelope.get_ydata(), best, rtol=1e-13)
        assert (display.optimal <= display.predicted * (1 + 1e-6)).all()
        assert (np.diff(best) < 0).all()
        assert labels(display)[:2] == ["80 rows, alpha 0.001", "80 rows, alpha 0.1"]

    def test_peak_is_at_the_threshold(self):
        display = predict(n_samples=80, n_components=[5, 400], alpha=1e-7)
        (line,) = display.threshold_lines_
        assert line.get_xdata()[0] == 80 == display.thresholds[0]
        assert display.values[display.predicted[0].argmax()] == 80
        other = predict(
            param="n_samples", n_samples=[5, 200], n_components=[40, np.inf], alpha=1e-7
        )
        assert other.thresholds[0] == 40 and np.isnan(other.thresholds[1])
        assert len(other.threshold_lines_) == 1
        assert_allclose(other.values[other.predicted[0].argmax()], 40)
        assert "infinite width, alpha 1e-07" in labels(other)

    def test_without_a_ridge_the_peak_has_no_top(self):
        display = predict(n_samples=80, n_components=[5, 400])
        (top,) = display.predicted[0][at(display, [80])]
        assert top == np.inf
        assert np.isfinite(display.ax_.get_ylim()).all()
        display.figure_.canvas.draw()

    def test_curves_over_rows(self):
        display = predict(
            param="n_samples", n_samples=[10, 200], n_components=[20, 90], alpha=0.01
        )
        for k, line in zip([20, 90], display.lines_, strict=True):
            expected = rf_risk(*SPECTRUM, display.values, k, 0.01).test
            assert_allclose(line.get_ydata(), expected, rtol=1e-13)
        assert len(display.optimal_lines_) == 2
        colours = [line.get_color() for line in display.lines_]
        assert [line.get_color() for line in display.optimal_lines_] == colours

    def test_curves_over_ridges(self):
        display = predict(
            param="alpha", n_samples=[30, 90], n_components=60, alpha=[1e-6, 1e3]
        )
        for n, line, least in zip(
            [30, 90], display.lines_, display.optimal_lines_, strict=True
        ):
            expected = rf_risk(*SPECTRUM, n, 60, display.values).test
            assert_allclose(line.get_ydata(), expected, rtol=1e-13)
            (height,) = set(least.get_ydata())
            assert_allclose(height, expected.min(), rtol=1e-3)
            assert height <= expected.min() * (1 + 1e-9)
        assert display.threshold_lines_ == []
        assert "least error of each" in labels(display)

    def test_best_ridges_are_their_own_envelope(self):
        display = predict(n_samples=80, n_components=[5, 400], alpha="best")
        assert_array_equal(display.predicted, display.optimal)
        assert display.optimal_lines_ == []
        assert labels(display)[0] == "80 rows, best alpha"

    def test_noise_and_pool_are_handed_on(self):
        noisy = predict(n_samples=80, n_components=[5, 400], alpha=1.0, noise=0.4)
        expected = rf_risk(*SPECTRUM, 80, noisy.values, 1.0, noise=0.4).test
        assert_allclose(noisy.predicted[0], expected, rtol=1e-13)
        pool = predict(n_samples=80, n_components=[5, 400], alpha=1.0, n_pool=300)
        expected = rf_risk(*SPECTRUM, 80, pool.values, 1.0, n_pool=300).test
        assert_allclose(pool.predicted[0], expected, rtol=1e-13)
        best = optimal_alpha(*SPECTRUM, 80, pool.values, n_pool=300).test
        assert_allclose(pool.optimal[0], best, rtol=1e-13)

    def test_an_intercept_is_one_row_and_the_error_of_a_mean(self):
        given = {"n_components": [12, 100], "alpha": 0.05}
        display = predict(n_samples=8, fit_intercept=True, **given)
        expected = rf_risk(*SPECTRUM, 7, display.values, 0.05).test * (1 + 1 / 8)
        assert_allclose(display.predicted[0], expected, rtol=1e-13)
        best = optimal_alpha(*SPECTRUM, 7, display.values).test * (1 + 1 / 8)
        assert_allclose(display.optimal[0], best, rtol=1e-13)

    def test_which_is_what_it_costs_with_gaussian_rows(self):
        eigenvalues, coefs = MODES[:40] ** -1.5, MODES[:40] ** -0.75
        random = np.random.default_rng(0)

        def errors(n, mean, fit_intercept):
            """Errors of ridges in 4000 draws."""
            weights = random.normal(size=(4000, 40, 12))
            weights *= np.sqrt(eigenvalues / 12)[:, None]
            rows = random.normal(size=(4000, n, 40))
            Z, t = rows @ weights, rows @ coefs + mean
            middle, level = np.zeros((4000, 1, 12)), np.zeros((4000, 1))
            if fit_intercept:
                middle, level = Z.mean(1, keepdims=True), t.mean(1, keepdims=True)
            Z, t, Zt = Z - middle, t - level, (Z - middle).transpose(0, 2, 1)
            solved = np.linalg.solve(Zt @ Z + 0.05 * np.eye(12), Zt @ t[..., None])
            left = coefs - (weights @ solved)[..., 0]
            intercept = level - (middle @ solved)[..., 0]
            return (left**2).sum(axis=1) + (intercept[:, 0] - mean) ** 2

        with_one, without = errors(8, 3.0, True), errors(7, 0.0, False) * (1 + 1 / 8)
        gap = with_one.mean() - without.mean()
        assert abs(gap) < 4 * np.hypot(sem(with_one), sem(without))
        # The test would see a row more or less, or a mean that is known.
        assert 4 * np.hypot(sem(with_one), sem(without)) < without.mean() / 8

    def test_threshold_with_an_intercept(self):
        display = predict(
            n_samples=80, n_components=[5, 400], alpha=1e-7, fit_intercept=True
        )
        assert display.thresholds[0] == 79
        assert display.values[display.predicted[0].argmax()] == 79

    def test_measured_errors_given(self):
        given = np.random.default_rng(0).uniform(1, 2, size=(2, 3, 4))
        display = predict(
            n_samples=80, n_components=[5, 50, 400], alpha=[0.1, 1], measured=given
        )
        for errors, bars in zip(given, display.errorbars_, strict=True):
            assert_array_equal(bars[0].get_xdata(), [5, 50, 400])
            assert_allclose(bars[0].get_ydata(), errors.mean(axis=1))
            lower, upper = (caps.get_ydata() for caps in bars[1])
            assert_allclose(upper - lower, 2 * sem(errors, axis=1), rtol=1e-10)
        assert "measured, ± one standard error" in labels(display)
        single = predict(
            n_samples=80, n_components=[5, 400], measured=given[:1, :2, :1]
        )
        assert single.errorbars_[0][1] == () and "measured" in labels(single)

    def test_title_style_and_axes(self):
        _, ax = plt.subplots()
        display = predict(n_samples=80, n_components=[5, 400], name="law", ax=ax, lw=4)
        assert display.ax_ is ax and ax.get_title() == "law"
        assert display.lines_[0].get_lw() == 4
        again = display.plot(optimal=False)
        assert again is display and display.ax_ is not ax
        assert display.optimal_lines_ == [] and len(display.lines_) == 1


class TestMap:
    def test_holds_predictions(self):
        rows, widths = [10, 60, 200], [5, 400]
        display = predict(param=SURFACE, n_samples=rows, n_components=widths, alpha=0.1)
        n, k = display.values
        assert (n[0], n[-1], k[0], k[-1]) == (10, 200, 5, 400)
        expected = rf_risk(*SPECTRUM, n[None, :], k[:, None], 0.1).test
        assert_allclose(display.predicted, expected, rtol=1e-13)
        assert_allclose(display.mesh_.get_array(), expected, rtol=1e-13)
        (diagonal,) = display.threshold_lines_
        assert_array_equal(diagonal.get_xdata(), [10, 200])
        assert_array_equal(diagonal.get_ydata(), [10, 200])
        assert display.ax_.get_title() == "alpha 0.1"

    def test_more_is_better_with_the_best_ridge(self):
        display = predict(
            param=list(SURFACE),
            n_samples=[10, 200],
            n_components=[5, 400],
            alpha="best",
        )
        assert (np.diff(display.predicted, axis=0) <= 0).all()
        assert (np.diff(display.predicted, axis=1) <= 0).all()

    def test_measured_points(self):
        given = np.random.default_rng(0).uniform(1, 2, size=(2, 3, 4))
        rows, widths = [10, 60, 200], [5, 400]
        display = predict(
            param=SURFACE,
            n_samples=rows,
            n_components=widths,
            alpha=0.1,
            measured=given,
        )
        places = [(n, k) for k in widths for n in rows]
        assert_array_equal(display.points_.get_offsets(), places)
        assert_allclose(display.points_.get_array(), given.mean(axis=2).ravel())
        assert display.points_.norm is display.mesh_.norm

    def test_no_diagonal_where_there_is_none(self):
        display = predict(
            param=SURFACE, n_samples=[10, 20], n_components=[50, 90], alpha=0.1
        )
        assert display.threshold_lines_ == []


class TestEstimators:
    def test_predictions_are_those_of_the_kernel(self, model):
        display = measure(model, n_samples=40, n_components=[20, 90], n_repeats=1)
        spectrum = kernel_spectrum(RandomFeatures(1).fit(X).kernel(X), y)
        expected = rf_risk(
            **spectrum, n_samples=40, n_components=display.values, alpha=0.02, n_pool=N
        ).test
        assert_allclose(display.predicted[0], expected, rtol=1e-9)
        assert_allclose(display.spectrum.eigenvalues, spectrum.eigenvalues)
        assert display.ax_.get_title() == "RandomFeatureRidge"

    def test_an_intercept_centres(self):
        model = RandomFeatureRidge(60, alpha=0.02, activation="cos")
        display = measure(
            model, y=y + 5, n_samples=40, n_components=[20, 90], n_repeats=1
        )
        K = RandomFeatures(1, activation="cos").fit(X).kernel(X)
        spectrum = kernel_spectrum(KernelCenterer().fit_transform(K), y)
        expected = rf_risk(
            **spectrum, n_samples=39, n_components=display.values, alpha=0.02, n_pool=N
        ).test * (1 + 1 / 40)
        assert_allclose(display.predicted[0], expected, rtol=1e-9)

    @pytest.mark.parametrize("param", ["n_samples", "n_components", "alpha"])
    def test_measured_errors_are_those_of_fits(self, param, model):
        """Every fit again, by hand: rows, seeds and gamma as documented."""
        given = {"n_samples": 40, "n_components": 20, "alpha": 0.1}
        points = {"n_samples": [9, 70], "n_components": [7, 90], "alpha": [1e-3, 1.0]}
        display = measure(
            model, param=param, n_repeats=3, **given | {param: points[param]}
        )
        random = np.random.RandomState(0)
        gamma = 1 / (X.shape[1] * X.var())
        for repeat in range(3):
            order = random.permutation(N)
            seed = random.randint(np.iinfo(np.int32).max)
            for i, point in enumerate(points[param]):
                here = given | {param: point}
                n = here.pop("n_samples")
                fit = RandomFeatureRidge(
                    fit_intercept=False, gamma=gamma, random_state=seed, **here
                ).fit(X[order[:n]], y[order[:n]])
                left = fit.predict(X[order[n:]]) - y[order[n:]]
                assert_allclose(
                    display.measured[0, i, repeat], np.mean(left**2), rtol=1e-7
                )
        bars = display.errorbars_[0]
        assert_allclose(bars[0].get_ydata(), display.measured[0].mean(axis=1))

    def test_targets_add_up(self, model):
        given = {"n_samples": 40, "n_components": [20, 90], "n_repeats": 2}
        parts = [measure(model, y=each, **given) for each in (y, y**2)]
        both = measure(model, y=np.column_stack([y, y**2]), **given)
        assert_allclose(both.measured, sum(part.measured for part in parts), rtol=1e-7)
        assert_allclose(
            both.predicted, sum(part.predicted for part in parts), rtol=1e-9
        )

    def test_predicts_what_is_measured(self):
        """Digits, a ridge per class: up to 14 % off, at half of the pool."""
        pixels, label = load_digits(return_X_y=True)
        pixels = pixels[:900] - pixels[:900].mean(axis=0)
        targets = np.equal.outer(label[:900], np.arange(10)) - 0.1
        display = measure(
            RandomFeatureRidge(alpha=0.01),
            pixels,
            targets,
            n_samples=150,
            n_components=[30, 150, 800],
            alpha=[1e-3, 0.1, 10],
            n_repeats=4,
        )
        where = at(display, [30, 150, 800])
        found = display.predicted[:, where]
        assert_allclose(found, display.measured.mean(axis=2), rtol=0.14)
        # The peak of the least ridge is there, and not that of the largest.
        assert found[0, 1] > 1.3 * found[0, 2] and found[2, 1] < 1.05 * found[2, 2]

    def test_map_measures_the_grid(self, model):
        display = measure(
            model,
            param=SURFACE,
            n_samples=[9, 40],
            n_components=[7, 20, 90],
            alpha=0.1,
            n_repeats=2,
        )
        assert display.measured.shape == (3, 2, 2)
        row = measure(
            model, n_samples=40, n_components=[7, 20, 90], alpha=0.1, n_repeats=2
        )
        assert_allclose(display.measured[:, 1], row.measured[0], rtol=1e-12)

    def test_best_ridges_are_fitted(self, model):
        best = measure(
            model, n_samples=40, n_components=[20, 90], alpha="best", n_repeats=2
        )
        spectrum = best.spectrum
        for i, width in enumerate([20, 90]):
            alpha = optimal_alpha(
                **spectrum, n_samples=40, n_components=width, n_pool=N
            ).alpha
            same = measure(
                model, n_samples=40, n_components=[20, 90], alpha=alpha, n_repeats=2
            )
            assert_allclose(best.measured[0, i], same.measured[0, i], rtol=1e-6)

    def test_a_target_of_noise_is_best_fitted_by_nothing(self, model):
        noise = np.random.default_rng(0).normal(size=N)
        display = measure(
            model,
            y=noise,
            param="n_samples",
            n_samples=[20, 40],
            alpha="best",
            n_repeats=2,
        )
        assert_allclose(display.measured.mean(), np.mean(noise**2), rtol=0.1)

    def test_infinite_width(self, model):
        display = measure(
            model,
            param="n_samples",
            n_samples=[10, 60],
            n_components=np.inf,
            n_repeats=1,
        )
        expected = rf_risk(
            **display.spectrum, n_samples=display.values, alpha=0.02, n_pool=N
        ).test
        assert_allclose(display.predicted[0], expected, rtol=1e-12)
        assert np.isfinite(display.measured).all()

    def test_defaults(self, model):
        widths = measure(model, n_repeats=1)
        assert widths.curve_names == ["37 rows, alpha 0.02"]
        assert widths.points[0] == 4 and widths.points[-1] == 370
        rows = measure(model, param="n_samples", n_repeats=1)
        assert rows.curve_names == ["60 features, alpha 0.02"]
        assert rows.points[-1] == 112
        ridges = measure(model, param="alpha", n_repeats=1)
        assert ridges.curve_names == ["37 rows, 60 features"]
        # From where a ridge hardly matters to where little is left of the fit.
        ends = ridges.predicted[0, [0, -1]]
        (least,) = set(ridges.optimal[0])
        assert least < ends[0] and least < ends[1]

    def test_classifier_has_errors_of_indicators(self):
        label = np.where(y > 0, "high", "low")
        given = {"n_samples": 40, "n_components": [20, 90], "n_repeats": 2}
        model = RandomFeatureRidgeClassifier(alpha=0.1, fit_intercept=False)
        display = measure(model, y=label, **given)
        ridge = RandomFeatureRidge(alpha=0.1, fit_intercept=False)
        same = measure(ridge, y=np.where(label == "low", 1.0, -1.0), **given)
        assert_allclose(display.measured, same.measured, rtol=1e-12)
        three = measure(model, y=np.arange(N) % 3, **given)
        assert display.ax_.get_title() == "RandomFeatureRidgeClassifier"
        targets = np.where(np.equal.outer(np.arange(N) % 3, np.arange(3)), 1.0, -1.0)
        assert_allclose(three.measured, measure(ridge, y=targets, **given).measured)

    def test_tuned_ridge_has_what_it_chose(self):
        tuned = RandomFeatureRidgeCV([20, 50], alphas=np.logspace(-4, 4, 9))
        tuned.set_params(random_state=0)
        with pytest.raises(ValueError, match="alpha must be given"):
            measure(tuned, n_repeats=1)
        tuned.fit(X, y)
        display = measure(tuned, n_repeats=1)
        assert display.curve_names == [f"37 rows, alpha {tuned.alpha_:g}"]
        rows = measure(tuned, param="n_samples", n_repeats=1)
        assert rows.curve_names == [
            f"{tuned.n_components_} features, alpha {tuned.alpha_:g}"
        ]

    def test_sparse_rows(self, model):
        thin = np.where(np.abs(X) > 0.05, X, 0.0)
        given = {"n_samples": 40, "n_components": [20, 90], "n_repeats": 2}
        dense, sparse = (
            measure(model, X=thin, **given),
            measure(model, X=csr_array(thin), **given),
        )
        assert_allclose(sparse.predicted, dense.predicted, rtol=1e-6)
        assert_allclose(sparse.measured, dense.measured, rtol=1e-6)

    def test_same_seed_same_errors(self, model):
        given = {"n_samples": 40, "n_components": [20, 90], "n_repeats": 3}
        first = measure(model, **given)
        assert_array_equal(measure(model, n_jobs=2, **given).measured, first.measured)
        other = RiskCurveDisplay.from_estimator(model, X, y, random_state=1, **given)
        assert not np.array_equal(other.measured, first.measured)
        assert not hasattr(model, "coef_")  # clones were fitted
