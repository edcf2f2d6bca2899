"""Metrics of bags against loops and, without bags, against scikit-learn."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.linear_model import Ridge
from sklearn.metrics import log_loss, make_scorer, mean_squared_error, r2_score
from sklearn.model_selection import GroupKFold, cross_validate

from skloss.aggregate.bag_values import bag_means
from skloss.aggregate.metrics import bag_log_loss, bag_mean_squared_error, bag_r2_score

ERRORS = [(bag_mean_squared_error, mean_squared_error), (bag_r2_score, r2_score)]
OUTPUTS = ["raw_values", "uniform_average", [0.2, 0.5, 0.3]]


@pytest.fixture
def rows(rng):
    bags = np.array(["x", "z", "y", "w"])[np.r_[0, 1, 2, 3, rng.integers(0, 4, 26)]]
    y = rng.normal(3, 1, size=(30, 3))
    return y, y + rng.normal(size=y.shape), bags, rng.uniform(0.1, 3, 30)


def means_by_loops(values, bags, weights):
    return np.array(
        [
            np.average(values[bags == a], axis=0, weights=weights[bags == a])
            for a in sorted(set(bags))
        ]
    )


@pytest.mark.parametrize(("ours", "theirs"), ERRORS)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("weighted", [False, True])
def test_without_bags_they_are_those_of_sklearn(rows, ours, theirs, output, weighted):
    y, predicted, _, weights = rows
    options = {"sample_weight": weights if weighted else None, "multioutput": output}
    found = ours(y, predicted, **options)
    assert_allclose(found, theirs(y, predicted, **options), rtol=1e-13)


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("weighting", ["size", "uniform"])
def test_errors_of_bags_equal_loops(rows, output, weighted, weighting):
    y, predicted, bags, weights = rows
    w = weights if weighted else np.ones(30)
    true, mean = means_by_loops(y, bags, w), means_by_loops(predicted, bags, w)
    totals = np.array([w[bags == a].sum() for a in sorted(set(bags))])
    if weighting == "uniform":
        totals = np.ones(4)
    share = totals / totals.sum()
    error, variance = share @ (true - mean) ** 2, share @ (true - share @ true) ** 2
    over = {"raw_values": np.eye(3), "uniform_average": np.full(3, 1 / 3)}
    average = np.asarray(over[output] if isinstance(output, str) else output)
    options = {
        "sample_weight": weights if weighted else None,
        "multioutput": output,
        "bag_weighting": weighting,
    }
    found = bag_mean_squared_error(y, predicted, bags, **options)
    assert_allclose(found, average @ error, rtol=1e-12)
    found = bag_r2_score(y, predicted, bags, **options)
    assert_allclose(found, average @ (1 - error / variance), rtol=1e-11)


@pytest.mark.parametrize("metric", [bag_mean_squared_error, bag_r2_score])
def test_rows_means_and_sums_have_one_error(rows, metric):
    y, predicted, bags, weights = rows
    expected = metric(y, predicted, bags, sample_weight=weights)
    codes = np.unique(bags, return_inverse=True)[1]
    means = means_by_loops(y, bags, weights)
    found = metric(means[codes], predicted, bags, sample_weight=weights)
    assert_allclose(found, expected, rtol=1e-12)
    totals = (means * np.bincount(codes, weights)[:, None])[codes]
    options = {"sample_weight": weights, "aggregate": "sum"}
    assert_allclose(metric(totals, predicted, bags, **options), expected, rtol=1e-12)


@pytest.mark.parametrize("metric", [bag_mean_squared_error, bag_r2_score])
def test_weights_are_repetitions(rows, metric):
    y, predicted, bags, _ = rows
    weights = np.arange(30) % 4
    weights[bags == "w"] = 0  # a whole bag is absent
    again = np.repeat(np.arange(30), weights)
    found = metric(y, predicted, bags, sample_weight=weights)
    assert_allclose(found, metric(y[again], predicted[again], bags[again]), rtol=1e-12)


def test_scorers_are_handed_the_bags(rng):
    X, bags = rng.normal(size=(60, 2)), np.repeat(np.arange(20), 3)
    y = bag_means(X @ [1.0, 2.0] + rng.normal(size=60), bags)[bags]
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = make_scorer(bag_r2_score).set_score_request(bags=True)
        found = cross_validate(
            Ridge(),
            X,
            y,
            cv=GroupKFold(4),
            scoring=scorer,
            params={"bags": bags, "groups": bags},
        )["test_score"]
    expected = [
        bag_r2_score(
            y[test], Ridge().fit(X[train], y[train]).predict(X[test]), bags[test]
        )
        for train, test in GroupKFold(4).split(X, y, bags)
    ]
    assert_allclose(found, expected, rtol=1e-12)


def test_one_output_and_single_precision(rows):
    y, predicted, bags, _ = rows
    found = bag_mean_squared_error(y[:, 0], predicted[:, 0], bags)
    assert isinstance(found, float)
    column = bag_mean_squared_error(y[:, :1], predicted[:, :1], bags)
    assert found == column
    narrow = bag_mean_squared_error(*np.float32([y[:, 0], predicted[:, 0]]), bags)
    assert_allclose(narrow, found, rtol=1e-5)


def test_a_single_bag_has_no_variance(rows):
    y, predicted, _, _ = rows
    with pytest.warns(UserWarning, match="not well-defined"):
        assert np.isnan(bag_r2_score(y[:, 0], predicted[:, 0], np.zeros(30)))


def probabilities(rng, n, n_classes):
    return rng.dirichlet(np.ones(n_classes), n)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_log_loss_without_bags_is_that_of_sklearn(rng, n_classes, weighted, normalize):
    proba = probabilities(rng, 40, n_classes)
    labels = np.array(["s", "t", "u"])[:n_classes]
    y = labels[np.r_[0, 1, 2 % n_classes, rng.integers(0, n_classes, 37)]]
    weights = rng.uniform(0, 2, 40) if weighted else None
    options = {"sample_weight": weights, "normalize": normalize}
    expected = log_loss(y, proba, **options)
    assert_allclose(bag_log_loss(y, proba, **options), expected, rtol=1e-13)
    few = np.full(40, "s")
    expected = log_loss(few, proba, labels=labels, **options)
    found = bag_log_loss(few, proba, labels=labels, **options)
    assert_allclose(found, expected, rtol=1e-13)
    if n_classes == 2:
        expected = log_loss(y, proba[:, 1], **options)
        assert_allclose(bag_log_loss(y, proba[:, 1], **options), expected, rtol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_certain_predictions_are_kept_from_certainty_as_in_sklearn(dtype):
    y, proba = [0, 1, 1], np.array([1.0, 0.0, 0.5], dtype=dtype)
    assert_allclose(bag_log_loss(y, proba), log_loss(y, proba), rtol=1e-6)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weighting", ["size", "uniform"])
def test_log_loss_of_bags_equals_loops(rows, n_classes, weighting):
    _, _, bags, weights = rows
    rng = np.random.default_rng(2)
    proba = probabilities(rng, 30, n_classes)
    y = np.r_[np.arange(n_classes), rng.integers(0, n_classes, 30 - n_classes)]
    frequencies = means_by_loops(np.eye(n_classes)[y], bags, weights)
    mean = means_by_loops(proba, bags, weights)
    totals = np.array([weights[bags == a].sum() for a in sorted(set(bags))])
    of_bags = totals if weighting == "size" else np.ones(4)
    losses = [stats.entropy(f) + stats.entropy(f, p) for f, p in zip(frequencies, mean)]
    expected = np.average(losses, weights=of_bags)
    options = {"sample_weight": weights, "bag_weighting": weighting}
    assert_allclose(bag_log_loss(y, proba, bags, **options), expected, rtol=1e-12)

    codes = np.unique(bags, return_inverse=True)[1]
    counts = (frequencies * totals[:, None])[codes]
    given = {"proportion": frequencies[codes], "count": counts}
    for target, values in given.items():
        options["target"] = target
        found = bag_log_loss(values, proba, bags, **options)
        assert_allclose(found, expected, rtol=1e-12)
        if n_classes == 2:
            found = bag_log_loss(values[:, 1], proba[:, 1], bags, **options)
            assert_allclose(found, expected, rtol=1e-12)


def test_true_frequencies_have_the_least_log_loss(rng):
    bags, y = np.repeat([0, 1, 2], 10), rng.integers(0, 2, 30)
    truth = np.array([y[bags == a].mean() for a in range(3)])[bags]
    least = bag_log_loss(y, truth, bags)
    assert_allclose(least, np.mean([stats.entropy([p, 1 - p]) for p in truth]))
    for shift in (-0.05, 0.05):
        assert bag_log_loss(y, np.clip(truth + shift, 0, 1), bags) > least


def test_log_loss_weights_are_repetitions(rows):
    bags, rng = rows[2], np.random.default_rng(7)
    proba, y = probabilities(rng, 30, 3), np.arange(30) % 3
    weights = rng.integers(0, 3, 30)
    again = np.repeat(np.arange(30), weights)
    expected = bag_log_loss(y[again], proba[again], bags[again], labels=[0, 1, 2])
    assert_allclose(bag_log_loss(y, proba, bags, sample_weight=weights), expected)


@pytest.mark.parametrize("metric", [bag_mean_squared_error, bag_r2_score])
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([1, 2], [1, 2], [1]), {}, "bags has 1 labels for 2 rows"),
        (([1, 2], [1, 2, 3], None), {}, r"one shape; got \(2, 1\) and \(3, 1\)"),
        (([1, np.nan], [1, 2], None), {}, "y_true contains NaN"),
        (([1, 2], [1, np.inf], None), {}, "y_pred contains infinity"),
        (([1, 2], [1, 2], ["a", "a"]), {"aggregate": "sum"}, "in bag 'a' y_true is"),
        (([1, 2], [1, 2], [1, 1]), {"aggregate": "total"}, "aggregate must be one of"),
        (([1, 2], [1, 2], [1, 1]), {"bag_weighting": "rows"}, "bag_weighting must be"),
        (([1, 2], [1, 2], [1, 1]), {"sample_weight": [1, -1]}, r"\[1\] is -1"),
        (([1, 2], [1, 2], [1, 1]), {"sample_weight": [0, 0]}, "are zero"),
    ],
)
def test_bad_input_to_errors_is_named(metric, arguments, options, message):
    with pytest.raises(ValueError, match=message):
        metric(*arguments, **options)


@pytest.mark.parametrize(
    ("y", "proba", "options", "message"),
    [
        ([0, 1], [0.1, 1.2], {}, r"y_pred\[1\] is .* from 0 to 1 and sum to 1"),
        ([0, 1], [[0.5, 0.5], [0.5, 0.6]], {}, r"y_pred\[1\] is \[0.5, 0.6\]"),
        ([0, 0], [0.1, 0.2], {}, "at least 2 classes"),
        ([0, 1], [[0.2, 0.3, 0.5]] * 2, {}, "of 3 classes; those of y_true are"),
        ([0, 1, 1], [0.1, 0.2], {}, "y_true has 3 rows, y_pred 2"),
        ([0, 2], [0.1, 0.2], {"labels": [0, 1]}, "not among the classes"),
        ([0, 1], [0.1, 0.2], {"target": "odds"}, "target must be one of"),
        ([0.5, 1.5], [0.1, 0.2], {"target": "proportion"}, r"y_true\[1\] is"),
        ([1, 2], [0.1, 0.2], {"target": "count", "bags": [3, 3]}, "in bag 3 y_true"),
        ([3, 3], [0.1, 0.2], {"target": "count", "bags": [3, 3]}, "Bag 3 is"),
        ([1, 1, 1], [0.1, 0.2], {"target": "count"}, "same rows and classes"),
        ([1, 1], [0.1, 0.2], {"target": "count", "labels": [0, 1]}, "labels may be"),
        ([0, 1], [0.1, 0.2], {"bag_weighting": "rows"}, "bag_weighting must be"),
        ([0, 1], [0.1, 0.2], {"bags": [1, None]}, r"bags\[1\] is missing"),
    ],
)
def test_bad_input_to_the_log_loss_is_named(y, proba, options, message):
    with pytest.raises(ValueError, match=message):
        bag_log_loss(y, proba, **options)
