"""The mixture against its moments, and the best rule's error in closed form."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from skloss.datasets import make_regime_mixture

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
