"""Tests of proportional odds against brute force, statsmodels and simulation."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import expit
from scipy.stats import chi2, kstest, norm
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from statsmodels.api import Logit
from statsmodels.miscmodels.ordinal_model import OrderedModel

from skloss.ordinal._brant import brant
from skloss.ordinal._restriction import untested
from skloss.ordinal._score_test import score_test
from skloss.ordinal.inference import CoefficientTable, proportional_odds_test


def draw(rng, n, p=2, change=0.0, cuts=(-1.0, 1.0)):
    """Ordered classes whose slopes for the first feature rise by `change`."""
    X = rng.uniform(-1, 1, size=(n, p))
    slopes = np.ones((len(cuts), p))
    slopes[:, 0] += change * np.arange(len(cuts))
    above = expit(X @ slopes.T - cuts)
    return X, (rng.random((n, 1)) < above).sum(axis=1)


def binary_fits(X, codes, weights):
    fits = [
        LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-10).fit(
            X, codes > k, sample_weight=weights
        )
        for k in range(codes.max())
    ]
    return np.ravel([f.intercept_ for f in fits]), np.vstack([f.coef_ for f in fits])


def log_likelihood(intercepts, slopes, X, codes):
    """Of each row, straight from the definition; complex arguments are welcome."""
    g = intercepts + X @ slopes.T
    above = np.hstack(
        [np.ones((len(X), 1)), 1 / (1 + np.exp(-g)), np.zeros((len(X), 1))]
    )
    rows = np.arange(len(X))
    return np.log(above[rows, codes] - above[rows, codes + 1])


def proportional_odds_fit(X, codes, weights):
    """Maximum likelihood by BFGS, intercepts as a first one and logarithms of gaps."""
    m = codes.max()

    def unpack(z):
        return z[0] - np.r_[0, np.cumsum(np.exp(z[1:m]))], z[m:]

    def loss(z):
        intercepts, coef = unpack(z)
        logs = log_likelihood(intercepts, np.tile(coef, (m, 1)), X, codes)
        return -weights @ logs / weights.sum()

    def gradient(z):
        steps = 1e-30j * np.eye(len(z))
        return np.array([loss(z + step).imag / 1e-30 for step in steps])

    start = np.zeros(m + X.shape[1])
    found = minimize(loss, start, jac=gradient, options={"gtol": 1e-10})
    return unpack(found.x)


def stacked_wald(X, codes, weights, intercepts, coefs):
    """Brant's statistics from the M-estimator that stacks the m logistic fits.

    The covariance of a row's stacked scores is summed over the classes it can have.
    """
    m, p = coefs.shape
    Z = np.column_stack([np.ones(len(X)), X])
    width = m * (p + 1)
    bread, meat = np.zeros((width, width)), np.zeros((width, width))
    for z, weight in zip(Z, weights):
        above = expit(intercepts + coefs @ z[1:])
        padded = np.r_[1, above, 0]
        for c, probability in enumerate(padded[:-1] - padded[1:]):
            score = np.kron((c > np.arange(m)) - above, z)
            meat += weight * probability * np.outer(score, score)
        bread += weight * np.kron(np.diag(above * (1 - above)), np.outer(z, z))
    covariance = np.linalg.inv(bread) @ meat @ np.linalg.inv(bread)
    parameters = np.column_stack([intercepts, coefs]).ravel()
    wald = []
    for features in (range(p), *([j] for j in range(p))):
        contrast = np.zeros(((m - 1) * len(features), m, p + 1))
        pairs = [(k, j) for k in range(1, m) for j in features]
        for row, (k, j) in enumerate(pairs):
            contrast[row, k, 1 + j], contrast[row, 0, 1 + j] = 1, -1
        contrast = contrast.reshape(len(pairs), width)
        value = contrast @ parameters
        variance = contrast @ covariance @ contrast.T
        wald.append(value @ np.linalg.solve(variance, value))
    return wald


def numeric_rao(X, codes, weights, intercepts, coef):
    """Score statistics from complex-step derivatives and enumerated outcomes."""
    m, p = len(intercepts), len(coef)

    def row_scores(outcomes, departing):
        """Derivatives by intercepts, common slopes and departures, (n, q)."""
        count = m + p + (m - 1) * len(departing)
        columns = []
        for j in range(count):
            z = np.zeros(count, dtype=complex)
            z[j] = 1e-30j
            slopes = np.tile(coef + z[m : m + p], (m, 1))
            slopes[1:, departing] += z[m + p :].reshape(m - 1, len(departing))
            logs = log_likelihood(intercepts + z[:m], slopes, X, outcomes)
            columns.append(logs.imag / 1e-30)
        return np.transpose(columns)

    statistics = []
    for departing in (list(range(p)), *([j] for j in range(p))):
        score = weights @ row_scores(codes, departing)
        information = 0
        for c in range(m + 1):
            outcomes = np.full(len(X), c)
            slopes = np.tile(coef, (m, 1))
            chance = np.exp(log_likelihood(intercepts, slopes, X, outcomes))
            S = row_scores(outcomes, departing)
            information = information + S.T @ (S * (weights * chance)[:, None])
        statistics.append(score @ np.linalg.solve(information, score))
    return statistics


def flat(test):
    return [test.statistic, *test.feature_statistics]


SHAPES = {"two thresholds": (-1.0, 1.0), "four thresholds": (-2.0, -0.5, 0.5, 1.5)}


@pytest.fixture(params=SHAPES)
def problem(request, rng):
    X, codes = draw(rng, 250, 3, change=0.3, cuts=SHAPES[request.param])
    return X, codes, rng.integers(0, 4, len(X)).astype(float)


def test_brant_is_the_wald_test_of_the_stacked_fits(problem):
    fits = binary_fits(*problem)
    found, expected = brant(*problem, *fits), stacked_wald(*problem, *fits)
    np.testing.assert_allclose(flat(found), expected, rtol=1e-9)


def test_brant_with_statsmodels_fits(rng):
    X, codes = draw(rng, 400, 2, change=0.5)
    Z = np.column_stack([np.ones(len(X)), X])
    fits = np.array([Logit(codes > k, Z).fit(disp=0, tol=1e-12).params for k in (0, 1)])
    ours = brant(X, codes, np.ones(400), *binary_fits(X, codes, np.ones(400)))
    theirs = brant(X, codes, np.ones(400), fits[:, 0], fits[:, 1:])
    np.testing.assert_allclose(flat(ours), flat(theirs), rtol=1e-6)


def test_brant_agrees_with_the_empirical_sandwich(rng):
    """Scores as observed instead of as expected: the same in large samples."""
    X, codes = draw(rng, 40_000, 2, change=0.1)
    weights = np.ones(len(X))
    intercepts, coefs = binary_fits(X, codes, weights)
    Z = np.column_stack([np.ones(len(X)), X])
    residuals = (codes[:, None] > [0, 1]) - expit(intercepts + X @ coefs.T)
    influence = []
    for k in (0, 1):
        above = expit(Z @ np.r_[intercepts[k], coefs[k]])
        bread = Z.T @ (Z * (above * (1 - above))[:, None])
        influence.append(np.linalg.solve(bread, Z.T * residuals[:, k])[1:])
    difference = coefs[1] - coefs[0]
    rows = influence[1] - influence[0]
    expected = difference @ np.linalg.solve(rows @ rows.T, difference)
    found = brant(X, codes, weights, intercepts, coefs).statistic
    assert found == pytest.approx(expected, rel=0.05)


def test_score_test_is_raos_with_numeric_derivatives(problem):
    fit = proportional_odds_fit(*problem)
    found, expected = score_test(*problem, *fit), numeric_rao(*problem, *fit)
    np.testing.assert_allclose(flat(found), expected, rtol=1e-7)


def test_score_test_with_a_statsmodels_fit(rng):
    X, codes = draw(rng, 400, 2, change=0.5)
    model = OrderedModel(codes, X, distr="logit")
    fit = model.fit(method="bfgs", gtol=1e-9, maxiter=500, disp=0)
    thresholds = model.transform_threshold_params(fit.params)[1:-1]
    found = score_test(X, codes, np.ones(400), -thresholds, fit.params[:2])
    weights = np.ones(400)
    expected = numeric_rao(X, codes, weights, -thresholds, fit.params[:2])
    np.testing.assert_allclose(flat(found), expected, rtol=1e-5)


def test_score_test_does_not_hang_on_the_last_digits_of_the_fit(rng):
    """Scores of nuisance parameters are projected out: errors enter squared."""
    X, codes = draw(rng, 500, 2, change=0.5)
    intercepts, coef = proportional_odds_fit(X, codes, np.ones(500))
    exact = score_test(X, codes, np.ones(500), intercepts, coef)
    rough = score_test(X, codes, np.ones(500), intercepts + 1e-4, coef - 1e-4)
    np.testing.assert_allclose(flat(rough), flat(exact), rtol=1e-3)


def brant_of(X, codes, weights):
    return brant(X, codes, weights, *binary_fits(X, codes, weights))


def score_of(X, codes, weights):
    return score_test(X, codes, weights, *proportional_odds_fit(X, codes, weights))


BOTH = pytest.mark.parametrize("test", [brant_of, score_of])


@BOTH
def test_p_values_are_uniform_when_odds_are_proportional(test):
    overall, single = [], []
    for seed in range(200):
        X, codes = draw(np.random.default_rng(seed), 400)
        found = test(X, codes, np.ones(400))
        overall.append(found.p_value)
        single.append(found.feature_p_values[0])
    for p_values in (overall, single):
        assert kstest(p_values, "uniform").pvalue > 0.01


@BOTH
def test_power_and_which_feature_it_is(test):
    for seed in range(20):
        X, codes = draw(np.random.default_rng(seed), 2000, change=1.5)
        found = test(X, codes, np.ones(2000))
        assert found.p_value < 1e-3
        assert found.feature_p_values[0] < 1e-3
        assert found.feature_statistics[0] > 5 * found.feature_statistics[1]


def test_brant_of_one_feature_is_not_misled_by_another():
    """Feature 1 has proportional odds; a score test of it alone sees feature 0's."""
    draws = [draw(np.random.default_rng(seed), 1000, change=1.5) for seed in range(200)]
    tests = [brant_of(X, codes, np.ones(1000)) for X, codes in draws]
    p_values = [test.feature_p_values[1] for test in tests]
    assert kstest(p_values, "uniform").pvalue > 0.01


@BOTH
def test_degrees_of_freedom_and_p_values(problem, test):
    found, m, p = test(*problem), problem[1].max(), 3
    assert (found.df, found.feature_df) == ((m - 1) * p, m - 1)
    assert found.p_value == pytest.approx(chi2.sf(found.statistic, (m - 1) * p))
    np.testing.assert_allclose(
        found.feature_p_values, chi2.sf(found.feature_statistics, m - 1)
    )
    absent = untested(m - 1, p)
    assert (absent.df, absent.feature_df) == (found.df, found.feature_df)
    assert np.isnan([*flat(absent), absent.p_value, *absent.feature_p_values]).all()


@BOTH
def test_weights_are_frequencies(problem, test):
    X, codes, weights = problem
    repeated = np.repeat(X, weights.astype(int), axis=0)
    counted = np.repeat(codes, weights.astype(int))
    expected = flat(test(repeated, counted, np.ones(len(counted))))
    np.testing.assert_allclose(flat(test(X, codes, weights)), expected, rtol=1e-6)
    doubled = flat(test(X, codes, 2 * weights))
    np.testing.assert_allclose(doubled, 2 * np.array(expected), rtol=1e-6)


def test_units_and_origin_of_features_do_not_matter(problem):
    X, codes, weights = problem
    shift, unit = np.array([1e3, -50.0, 0.0]), np.array([1e-6, 1.0, 1e8])
    moved = (X + shift) * unit
    intercepts, coefs = binary_fits(*problem)
    found = brant(moved, codes, weights, intercepts - coefs @ shift, coefs / unit)
    expected = brant(*problem, intercepts, coefs)
    np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-7)
    intercepts, coef = proportional_odds_fit(*problem)
    found = score_test(moved, codes, weights, intercepts - coef @ shift, coef / unit)
    expected = score_test(*problem, intercepts, coef)
    np.testing.assert_allclose(flat(found), flat(expected), rtol=1e-7)


@BOTH
def test_the_order_of_classes_can_be_reversed(problem, test):
    X, codes, weights = problem
    found = flat(test(X, codes.max() - codes, weights))
    np.testing.assert_allclose(found, flat(test(*problem)), rtol=1e-6)


def test_far_out_rows_do_not_overflow(rng):
    """Scores of +-1e3: probabilities of classes underflow, statistics must not."""
    X, codes = draw(rng, 300, 2)
    X = np.vstack([X, [[1000.0, 0.0], [-1000.0, 0.0]]])
    codes = np.r_[codes, 2, 0]
    weights = np.ones(302)
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        fit = np.array([1.0, -1.0]), np.array([1.0, 1.0])
        assert np.isfinite(flat(score_test(X, codes, weights, *fit))).all()


@pytest.mark.parametrize("slope", [5.0, 15.0, 40.0, 1e5])
def test_separated_fits_are_refused(rng, slope):
    X, codes = draw(rng, 500, 2)
    codes = np.minimum(codes, 1)
    codes[X[:, 0] > 0.9] = 2
    weights = np.ones(500)
    intercepts, coefs = np.zeros(2), np.zeros((2, 2))
    first = LogisticRegression(C=np.inf, tol=1e-8).fit(X, codes > 0)
    intercepts[0], coefs[0] = first.intercept_[0], first.coef_[0]
    intercepts[1], coefs[1] = -0.9 * slope, [slope, 0.0]  # on its way to infinity
    with pytest.raises(np.linalg.LinAlgError, match=r"y > 1 .* separated"):
        brant(X, codes, weights, intercepts, coefs)


def test_steep_slopes_are_not_taken_for_separation(rng):
    X = rng.normal(size=(50_000, 2))
    codes = (rng.random((50_000, 1)) < expit(100 * X[:, :1] - [0, 30])).sum(axis=1)
    found = brant_of(X, codes, np.ones(50_000))
    assert np.isfinite(flat(found)).all() and found.p_value > 1e-3


def test_table_of_coefficients():
    rng = np.random.default_rng(0)
    root = rng.normal(size=(3, 3))
    covariance, estimates = root @ root.T, np.array([1.5, -0.2, 0.0])
    table = CoefficientTable.from_estimates(
        ["a", "b", "c"], estimates, covariance, level=0.9, header={"link": "logit"}
    )
    errors = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(table.standard_errors, errors)
    np.testing.assert_allclose(table.z, estimates / errors)
    np.testing.assert_allclose(table.p_values, 2 * (1 - norm.cdf(abs(table.z))))
    lower, upper = norm.interval(0.9, estimates, errors)
    np.testing.assert_allclose([table.lower, table.upper], [lower, upper])
    frame = table.to_frame()
    assert frame.index.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(frame["upper"], table.upper)
    lines = str(table).splitlines()
    assert lines[0] == "link: logit"
    assert lines[1].split() == ["estimate", "std.", "error", "z", "p", "5%", "95%"]
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[2].split()[:2] == ["a", "1.5"]


def test_table_shows_what_is_unknown_as_nan():
    covariance = np.diag([np.nan, 1.0, 0.0])
    table = CoefficientTable.from_estimates("abc", [1.0, 1.0, 0.0], covariance)
    assert np.isnan(table.standard_errors[0]) and np.isnan(table.p_values[0])
    assert np.isfinite(table.p_values[1])
    assert "nan" in str(table)


def test_bad_tables_are_refused():
    with pytest.raises(ValueError, match="2 names, 3 estimates and 3 variances"):
        CoefficientTable.from_estimates(["a", "b"], np.zeros(3), np.eye(3))
    with pytest.raises(ValueError, match="level=95"):
        CoefficientTable.from_estimates(["a"], np.zeros(1), np.eye(1), level=95)


def ordinal_problem(rng, n=600, change=0.5):
    X, codes = draw(rng, n, 3, change=change)
    return X, np.array(["low", "middle", "high"])[codes], codes


ORDER = ["low", "middle", "high"]


def test_public_function_makes_both_tests(rng):
    X, y, codes = ordinal_problem(rng)
    weights = rng.integers(0, 4, len(X)).astype(float)
    found = proportional_odds_test(X, y, sample_weight=weights, categories=ORDER)
    # Fits stop at a gradient of 1e-8: statistics then are good to about 1e-6.
    for test, ours in ((brant_of, found.brant), (score_of, found.score)):
        expected = flat(test(X, codes, weights))
        np.testing.assert_allclose(flat(ours), expected, rtol=1e-5, atol=1e-6)
    assert found.classes.tolist() == ORDER
    assert found.feature_names == ("x0", "x1", "x2")


def test_order_of_classes_comes_from_a_categorical(rng):
    X, y, _ = ordinal_problem(rng)
    named = pd.DataFrame(X, columns=["age", "dose", "weight"])
    ordered = pd.Series(pd.Categorical(y, categories=ORDER, ordered=True))
    found = proportional_odds_test(named, ordered)
    expected = proportional_odds_test(X, y, categories=ORDER)
    assert found.feature_names == ("age", "dose", "weight")
    np.testing.assert_allclose(flat(found.brant), flat(expected.brant), rtol=1e-6)
    alphabetic = proportional_odds_test(X, y)
    assert alphabetic.brant.statistic != pytest.approx(found.brant.statistic, rel=0.01)


def test_results_print_and_become_a_frame(rng):
    X, y, _ = ordinal_problem(rng)
    found = proportional_odds_test(X, y, categories=ORDER)
    frame = found.to_frame()
    assert frame.index.tolist() == ["all features", "x0", "x1", "x2"]
    assert frame["df"].tolist() == [3, 1, 1, 1]
    np.testing.assert_array_equal(frame["brant"], flat(found.brant))
    np.testing.assert_array_equal(frame["score"], flat(found.score))
    assert frame.loc["x1", "score_p_value"] == found.score.feature_p_values[1]
    lines = str(found).splitlines()
    assert "low < middle < high" in lines[0]
    assert len({len(line) for line in lines[1:]}) == 1
    assert lines[2].startswith("all features   3")
    assert f"{found.brant.statistic:.2f}" in lines[2]
    assert f"{found.score.feature_statistics[2]:.2f}" in lines[5]


def test_a_separated_threshold_leaves_the_score_test(rng):
    X, codes = draw(rng, 300, 2)
    codes = np.minimum(codes, 1)
    codes[np.argsort(X[:, 0])[-2:]] = 2
    with pytest.warns(ConvergenceWarning, match=r"Brant's test .* y > 1"):
        found = proportional_odds_test(X, codes)
    assert np.isnan(flat(found.brant)).all() and np.isfinite(flat(found.score)).all()
    assert "nan" in str(found)
    expected = score_of(X, codes, np.ones(300))
    np.testing.assert_allclose(flat(found.score), flat(expected), rtol=1e-5)


def test_separated_classes_leave_no_test():
    X = np.linspace(-1, 1, 60)[:, None]
    with pytest.warns(ConvergenceWarning) as caught:
        found = proportional_odds_test(X, np.repeat([0, 1, 2], 20))
    messages = " ".join(str(warning.message) for warning in caught)
    assert "Brant's test" in messages and "The score test" in messages
    assert np.isnan([*flat(found.brant), *flat(found.score)]).all()


def test_two_classes_leave_nothing_to_test(rng):
    X, codes = draw(rng, 50, 2, cuts=(0.0,))
    with pytest.raises(ValueError, match="nothing to test with the 2 classes"):
        proportional_odds_test(X, codes)


def test_columns_without_information_are_named(rng):
    X, codes = draw(rng, 200, 3)
    X[:, 1] = 7.1
    with pytest.raises(ValueError, match="Column 1 of X is constant"):
        proportional_odds_test(X, codes)
    X[:, 1] = X[:, 0] - 3 * X[:, 2] + 2
    with pytest.raises(ValueError, match="linearly dependent"):
        proportional_odds_test(X, codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": [[np.nan], [0.0], [1.0]]}, "NaN"),
        ({"y": [0.5, 1.2, 2.0]}, "[Cc]ontinuous|continuous"),
        ({"sample_weight": [1, -1, 1]}, "sample_weight"),
        ({"categories": [0, 1, 3]}, "categories|classes"),
    ],
)
def test_bad_input_is_refused(change, message):
    arguments = {"X": [[0.0], [1.0], [2.0]], "y": [0, 1, 2], **change}
    with pytest.raises(ValueError, match=message):
        proportional_odds_test(**arguments)
