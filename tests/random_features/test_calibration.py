"""Temperatures of classifiers against refits, weights, and what there is to tell."""

import warnings

import numpy as np
import pytest
from scipy import optimize, special

from skloss.random_features import RandomFeatureRidge, RandomFeatureRidgeClassifier
from skloss.random_features._calibration import best_temperature


@pytest.fixture(scope="module")
def labelled():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(90, 4))
    scores = np.sin(X[:, 0]) + X[:, 1] + 0.5 * rng.normal(size=90)
    return X, np.digitize(scores, [-0.5, 0.5]), rng.uniform(0.2, 3.0, 90)


def calibrated(width=30, alpha=0.1, **options):
    return RandomFeatureRidgeClassifier(
        width, alpha=alpha, gamma=0.1, random_state=0, calibrate=True, **options
    )


def brute_force(scores, codes, weight):
    """Temperature of greatest likelihood, its targets those of effective numbers."""
    logits = np.c_[-scores / 2, scores / 2] if scores.ndim == 1 else scores
    n_classes = logits.shape[1]
    seen = np.array(
        [
            weight[codes == c].sum() ** 2 / (weight[codes == c] ** 2).sum()
            for c in range(n_classes)
        ]
    )
    own = codes[:, None] == np.arange(n_classes)
    targets = (seen[codes, None] * own + 1) / (seen[codes, None] + n_classes)

    def loss(log_t):
        p = special.log_softmax(logits / np.exp(log_t), axis=1)
        return -weight @ (targets * p).sum(axis=1)

    grid = np.linspace(np.log(1e-4), np.log(1e4), 400)
    start = grid[np.argmin([loss(t) for t in grid])]
    found = optimize.minimize_scalar(
        loss, bracket=(start - 0.05, start + 0.05), options={"xtol": 1e-10}
    )
    return np.exp(found.x)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_weighted_temperature_is_that_of_refits_without_each_row(labelled, n_classes):
    X, y, weight = labelled
    y = np.minimum(y, n_classes - 1)
    model = calibrated(alpha=0.5).fit(X, y, weight)
    Y = np.where(y[:, None] == np.arange(n_classes), 1.0, -1.0)
    Y = Y[:, 1] if n_classes == 2 else Y
    scores = np.empty_like(Y)
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        ridge = RandomFeatureRidge(30, alpha=0.5, gamma=0.1, random_state=0)
        refit = ridge.fit(X[rest], Y[rest], weight[rest])
        scores[i] = refit.predict(X[i : i + 1])[0]
    expected = brute_force(scores, y, weight)
    assert model.temperature_ == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("unit", [1 / 150, 2.0, 1e-200, 1e100])
@pytest.mark.parametrize("weighted", [False, True])
def test_unit_of_weights_does_not_matter(labelled, unit, weighted):
    X, y, weight = labelled
    weight = weight if weighted else np.ones(90)
    expected = calibrated(alpha=0.1).fit(X, y, weight).temperature_
    found = calibrated(alpha=0.1 * unit).fit(X, y, unit * weight).temperature_
    assert found == pytest.approx(expected, rel=1e-6)


def test_rows_without_weight_do_not_count(labelled):
    X, y, weight = labelled
    weight = np.where(np.arange(90) % 3, weight, 0.0)
    kept = weight > 0
    expected = calibrated().fit(X[kept], y[kept], weight[kept]).temperature_
    found = calibrated().fit(X, y, weight).temperature_
    assert found == pytest.approx(expected, rel=1e-8)


def test_scores_that_mislead_give_equal_probabilities_and_a_warning(labelled):
    X, y = labelled[0], np.arange(90) % 3
    # A penalty so large leaves the means of the other rows, which lean to other labels.
    with pytest.warns(UserWarning, match=r"temperature_=.* largest end of its range"):
        model = calibrated(alpha=1e12).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), 1 / 3, atol=1e-5)
    # Of all classes at the same score nothing can be told either.
    with pytest.warns(UserWarning, match="largest end"):
        assert best_temperature(np.zeros((4, 2)), np.array([0, 1, 0, 1]), np.ones(4))


def test_interpolation_by_as_many_coefficients_as_rows_is_reported(labelled):
    X, y, _ = labelled
    model = calibrated(89, alpha=0.0)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(X, y)
    # Either the scores without each row tell something, or that is said.
    Y = np.where(y[:, None] == np.arange(3), 1.0, -1.0)
    scores = np.empty_like(Y)
    for i in range(90):
        rest = np.arange(90) != i
        ridge = RandomFeatureRidge(89, alpha=0.0, gamma=0.1, random_state=0)
        scores[i] = ridge.fit(X[rest], Y[rest]).predict(X[i : i + 1])[0]
    said = any("temperature_" in str(warning.message) for warning in caught)
    expected = brute_force(scores, y, np.ones(90))
    assert said or model.temperature_ == pytest.approx(expected, rel=0.05)


def test_smallest_temperature_is_reported():
    # One row is so sure of itself that the others would need a smaller temperature.
    n = 60_000
    codes = np.ones(n, dtype=np.intp)
    codes[1:100] = 0
    scores = np.where(codes, 5e-9, -5e-9)
    scores[0] = 2.0
    with pytest.warns(UserWarning, match=r"temperature_=.* smallest end of its range"):
        found = best_temperature(scores, codes, np.ones(n))
    seen = np.bincount(codes)[codes]

    def loss(temperature):
        own = np.where(codes, scores, -scores) / temperature
        right = np.logaddexp(0, -own)
        return np.sum(right + own / (seen + 2))

    assert loss(0.9 * found) < loss(found) < loss(1.1 * found)


def test_rows_whose_scores_are_no_numbers_are_left_out_or_refused():
    scores = np.array([1.0, -2.0, 0.3, np.nan, -0.1, 1.2])
    codes = np.array([1, 0, 0, 1, 1, 1])
    finite = np.isfinite(scores)
    with pytest.warns(UserWarning, match="temperature_ is found without 1 row"):
        found = best_temperature(scores, codes, np.ones(6))
    expected = brute_force(scores[finite], codes[finite], np.ones(5))
    assert found == pytest.approx(expected, rel=1e-6)
    with pytest.raises(ValueError, match=r"calibrate=True: .* no finite scores"):
        best_temperature(np.full(6, np.inf), codes, np.ones(6))


def test_probabilities_are_there_where_a_temperature_is(labelled):
    X, y, _ = labelled
    model = calibrated()
    assert hasattr(model, "predict_proba")  # so that stacks know before a fit
    model.set_params(calibrate=False).fit(X, y)
    assert not hasattr(model, "predict_proba")
    model.set_params(calibrate=True)
    assert not hasattr(model, "predict_proba")
    with pytest.raises(AttributeError, match="predict_proba") as raised:
        model.predict_proba(X)
    assert "fitted with calibrate=False" in str(raised.value.__cause__)
    first = model.fit(X, y).temperature_
    assert model.predict_proba(X).shape == (90, 3)
    # A temperature of other coefficients is no temperature of these.
    model.set_params(calibrate=False, alpha=10.0).fit(X, y)
    assert not hasattr(model, "temperature_")
    model.set_params(calibrate=True)
    assert not hasattr(model, "predict_proba")
    assert model.fit(X, y).temperature_ != pytest.approx(first, rel=0.01)
    model.set_params(calibrate=False).partial_fit(X[:10], y[:10])
    assert not hasattr(model, "temperature_")


def test_a_failed_fit_keeps_the_temperature(labelled):
    X, y, _ = labelled
    model = calibrated().fit(X, y)
    before = model.temperature_
    with pytest.raises(ValueError, match="alpha"):
        model.set_params(calibrate=False, alpha=-1.0).fit(X, y)
    assert model.temperature_ == before
