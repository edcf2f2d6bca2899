"""Draws against the moments and probabilities that define them."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import chisquare, norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skloss.datasets import make_rare_ordinal, make_regime_mixture

MODES = ("easy", "correlated")


def class_means(n_classes):
    return [-1, *(2 ** (k - 1) for k in range(1, n_classes))]


def bayes_error(covariance, n_classes):
    """Error of the best rule: means lie on one line, so only neighbours meet."""
    ones = np.ones(len(covariance))
    length = np.sqrt(ones @ np.linalg.solve(covariance, ones))
    gaps = np.diff(class_means(n_classes))
    return 2 * norm.cdf(-gaps * length / 2).sum() / n_classes


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_features", [1, 2, 7])
def test_moments(mode, n_features):
    n_samples, n_classes = 200_000, 4
    X, y = make_regime_mixture(
        n_samples, n_features, n_classes, mode=mode, random_state=3
    )
    assert X.shape == (n_samples, n_features) and X.dtype == np.float64
    half = n_features // 2
    variances = np.r_[np.full(half, n_features), np.ones(n_features - half)]
    for k, mean in enumerate(class_means(n_classes)):
        rows = X[y == k]
        # Five standard errors of each estimate.
        assert abs(len(rows) / n_samples - 0.25) < 5 * np.sqrt(0.1875 / n_samples)
        error = np.sqrt(variances / len(rows))
        assert np.all(abs(rows.mean(axis=0) - mean) < 5 * error)
        np.testing.assert_allclose(
            rows.var(axis=0), variances, rtol=5 * np.sqrt(2 / len(rows))
        )


def test_features_are_independent_only_when_easy():
    X, y = make_regime_mixture(100_000, 6, mode="easy", random_state=0)
    within = np.corrcoef(X[y == 0], rowvar=False) - np.eye(6)
    assert abs(within).max() < 5 / np.sqrt((y == 0).sum())
    X, y = make_regime_mixture(100_000, 6, mode="correlated", random_state=0)
    within = np.corrcoef(X[y == 0], rowvar=False) - np.eye(6)
    assert abs(within).max() > 0.3


def test_correlations_do_not_depend_on_random_state():
    correlations = []
    for seed in (1, 2):
        X, y = make_regime_mixture(100_000, 6, mode="correlated", random_state=seed)
        correlations.append(np.corrcoef(X[y == 1], rowvar=False))
    np.testing.assert_allclose(*correlations, atol=0.03)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_best_linear_rule_reaches_the_bayes_error(mode, n_classes):
    X, y = make_regime_mixture(200_000, 4, n_classes, mode=mode, random_state=0)
    covariance = np.cov(X - np.array(class_means(n_classes))[y][:, None], rowvar=False)
    expected = bayes_error(covariance, n_classes)
    rule = LinearDiscriminantAnalysis().fit(X, y)
    found = 1 - rule.score(X, y)
    assert expected > 0.01
    assert abs(found - expected) < 5 * np.sqrt(expected / len(y))


@pytest.mark.parametrize("mode", MODES)
def test_random_state_decides(mode):
    first, second, other = (
        make_regime_mixture(50, 6, 3, mode=mode, random_state=seed)
        for seed in (0, np.random.RandomState(0), 1)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


@pytest.mark.parametrize(
    "bad",
    [
        {"n_samples": 0},
        {"n_features": 0},
        {"n_classes": 1},
        {"n_classes": 2.5},
        {"mode": "hard"},
        {"random_state": "seed"},
    ],
)
def test_bad_parameters_are_named(bad):
    arguments = {"n_samples": 5, "n_features": 4, **bad}
    (name,) = bad
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        make_regime_mixture(**arguments)


DESIGNS = ({"density": 1 / 3}, {"density": 0.5}, {"design": "uniform"})


@pytest.mark.parametrize("design", DESIGNS)
def test_ordinal_truth_is_the_model(design):
    X, y, truth = make_rare_ordinal(
        3000, 8, thresholds=(-1, 2, 6), return_truth=True, random_state=0, **design
    )
    assert X.shape == (3000, 8) and y.shape == (3000,) and y.dtype == np.int64
    assert -1 <= X.min() < -0.99 and 0.99 < X.max() <= 1
    np.testing.assert_array_equal(truth.intercept, [1, -2, -6])
    above = expit(truth.intercept + X @ truth.coef.T)
    padded = np.column_stack([np.ones(3000), above, np.zeros(3000)])
    np.testing.assert_allclose(
        truth.probabilities, padded[:, :-1] - padded[:, 1:], rtol=1e-12, atol=1e-15
    )
    assert truth.probabilities.min() >= 0
    np.testing.assert_allclose(truth.probabilities.sum(axis=1), 1, rtol=1e-14)
    again = make_rare_ordinal(3000, 8, thresholds=(-1, 2, 6), random_state=0, **design)
    np.testing.assert_array_equal(again[0], X)
    np.testing.assert_array_equal(again[1], y)


def test_ordinal_classes_have_their_probabilities():
    X, y, truth = make_rare_ordinal(
        200_000, 3, thresholds=(0, 3), return_truth=True, random_state=1
    )
    for column in X.T:  # as a function of each feature
        cells = np.digitize(column, [-0.5, 0, 0.5])
        for cell in range(4):
            rows = cells == cell
            counts = np.bincount(y[rows], minlength=3)
            expected = truth.probabilities[rows].sum(axis=0)
            assert chisquare(counts, expected).pvalue > 1e-4


@pytest.mark.parametrize("density", [0.0, 0.25, 1.0])
def test_sparse_slopes(density):
    draws = [
        make_rare_ordinal(
            1,
            200,
            thresholds=(0, 300),
            density=density,
            return_truth=True,
            random_state=seed,
        )[2].coef
        for seed in range(20)
    ]
    steps = -np.diff(draws, axis=1, prepend=0)  # slopes of P(y <= k)
    first, change = steps[:, 0].ravel(), steps[:, 1].ravel()
    assert set(first) <= {0.0, 0.5} and set(change) <= {-0.5, 0.0, 0.5}
    for values in (first, change):
        error = np.sqrt(density * (1 - density) / len(values))
        assert abs((values != 0).mean() - density) <= 5 * error
    changed = change[change != 0]
    if len(changed):
        assert abs((changed > 0).mean() - 0.5) < 2.5 / np.sqrt(len(changed))


def test_uniform_slopes():
    truth = make_rare_ordinal(
        1,
        4000,
        thresholds=(0, 4000),
        design="uniform",
        return_truth=True,
        random_state=0,
    )[2]
    steps = -np.diff(truth.coef, axis=0, prepend=0)
    assert abs(steps).max() <= 0.5
    # Moments of the uniform distribution, to five standard errors.
    assert abs(steps.mean()) < 5 / np.sqrt(12 * steps.size)
    assert abs(steps.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / steps.size)


@pytest.mark.parametrize(
    ("settings", "percent"),
    [
        ({"density": 1 / 3}, 1.00),
        ({"density": 0.5}, 1.17),
        ({"design": "uniform"}, 0.99),
        ({"density": 1 / 3, "thresholds": (0, 4, 6)}, 0.37),
        ({"density": 0.5, "thresholds": (0, 3.5, 5.5)}, 0.71),
    ],
)
def test_rarity_is_the_published_one(settings, percent):
    rates = [
        make_rare_ordinal(return_truth=True, random_state=seed, **settings)[2]
        .probabilities[:, -1]
        .mean()
        for seed in range(60)
    ]
    assert 100 * np.mean(rates) == pytest.approx(percent, rel=0.06)


def test_ordinal_random_state_decides():
    first, second, other = (
        make_rare_ordinal(50, 4, random_state=seed)
        for seed in (0, np.random.RandomState(0), 1)
    )
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert not np.array_equal(first[0], other[0])


def test_two_ordinal_classes():
    _, y, truth = make_rare_ordinal(
        100, 2, thresholds=[1.0], return_truth=True, random_state=0
    )
    assert set(y) == {0, 1} and truth.probabilities.shape == (100, 2)


def test_crossing_that_cannot_be_avoided_is_refused():
    with pytest.raises(ValueError, match=r"thresholds=\[0.0, 0.01\] are too close"):
        make_rare_ordinal(500, 10, thresholds=(0, 0.01), density=1, random_state=0)


@pytest.mark.parametrize(
    "bad",
    [
        {"n_samples": 0},
        {"n_features": 0},
        {"thresholds": 3},
        {"design": "dense"},
        {"density": 1.5},
        {"return_truth": "yes"},
        {"random_state": "seed"},
    ],
)
def test_bad_ordinal_parameters_are_named(bad):
    (name,) = bad
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        make_rare_ordinal(**bad)


@pytest.mark.parametrize(
    "thresholds", [[], [[0.0, 1.0]], [1.0, 0.0], [0.0, 0.0], [0.0, np.inf], [np.nan]]
)
def test_bad_thresholds_are_named(thresholds):
    with pytest.raises(ValueError, match=r"thresholds=\["):
        make_rare_ordinal(thresholds=thresholds)
