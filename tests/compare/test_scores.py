import numpy as np
import pytest
from sklearn import metrics

from skloss.compare import InputError
from skloss.compare.scores import SCORES, Outcome, scores_for


def outcome(y, predicted=None, probability=None, **rest):
    rest = {"bags": None, "X": None, "estimator": None, **rest}
    return Outcome(y=y, predicted=predicted, probability=probability, **rest)


@pytest.fixture
def classes(rng):
    y = rng.integers(0, 3, 60)
    probability = rng.dirichlet(np.ones(3), 60)
    return outcome(y, probability.argmax(axis=1), probability, rare=2)


def test_class_scores_equal_scikit_learn(classes):
    y, p = classes.y, classes.probability
    assert SCORES["log_loss"](classes) == pytest.approx(metrics.log_loss(y, p))
    assert SCORES["accuracy"](classes) == metrics.accuracy_score(y, classes.predicted)
    area = metrics.roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert SCORES["auc"](classes) == pytest.approx(area)
    recall = metrics.recall_score(y, classes.predicted, labels=[2], average="macro")
    assert SCORES["rare_recall"](classes) == pytest.approx(recall)
    rare = metrics.log_loss(y == 2, p[:, 2])
    assert SCORES["rare_log_loss"](classes) == pytest.approx(rare)


def test_ranked_probability_score_by_hand():
    # cumulative 0.2, 0.7 against 0, 1: 0.04 + 0.09
    one = outcome(np.array([1]), probability=np.array([[0.2, 0.5, 0.3]]))
    assert SCORES["ranked_probability"](one) == pytest.approx(0.13)


def test_a_class_without_probability_is_finite():
    one = outcome(np.array([1]), probability=np.array([[1.0, 0.0]]))
    assert SCORES["log_loss"](one) == pytest.approx(-np.log(np.finfo(float).eps))


def test_number_scores_equal_scikit_learn(rng):
    y, predicted = rng.standard_normal((2, 50))
    one = outcome(y, predicted)
    expected = metrics.mean_squared_error(y, predicted)
    assert SCORES["squared_error"](one) == pytest.approx(expected)
    assert SCORES["r2"](one) == pytest.approx(metrics.r2_score(y, predicted))
    expected = metrics.mean_absolute_error(y, predicted)
    assert SCORES["absolute_error"](one) == pytest.approx(expected)


def test_bag_scores_equal_weighted_scores_of_means(rng):
    bags = np.repeat([3, 1, 7], [5, 2, 8])
    y, predicted = rng.standard_normal((2, 15))
    one = outcome(y, predicted, bags=bags)
    means = np.array([[v[bags == b].mean() for b in (1, 3, 7)] for v in (y, predicted)])
    weights = [2, 5, 8]
    expected = metrics.mean_squared_error(*means, sample_weight=weights)
    assert SCORES["bag_squared_error"](one) == pytest.approx(expected)
    expected = metrics.r2_score(*means, sample_weight=weights)
    assert SCORES["bag_r2"](one) == pytest.approx(expected)


def test_cluster_scores(rng):
    X = rng.standard_normal((40, 2))
    labels = (X[:, 0] > 0).astype(int)
    one = outcome(None, labels, X=X)
    assert SCORES["silhouette"](one) == pytest.approx(
        metrics.silhouette_score(X, labels)
    )
    distances = metrics.pairwise_distances(X)
    expected = sum(
        distances[np.ix_(labels == k, labels == k)].sum(axis=0).min() for k in (0, 1)
    )
    assert SCORES["medoid_loss"](one) == pytest.approx(expected / 40)


def test_without_probabilities_there_is_no_log_loss():
    one = outcome(np.array([0, 1]), np.array([0, 1]))
    assert np.isnan(SCORES["log_loss"](one))
    assert np.isnan(SCORES["auc"](one))


def test_gain_is_positive_for_the_better():
    assert SCORES["log_loss"].gain(0.1, 0.3) == pytest.approx(0.2)
    assert SCORES["accuracy"].gain(0.9, 0.7) == pytest.approx(0.2)


def test_another_score_can_decide():
    keys = [score.key for score in scores_for("classification", "accuracy")]
    assert keys[0] == "accuracy"
    assert sorted(keys) == sorted(s.key for s in scores_for("classification"))
    foreign = scores_for("regression", "neg_median_absolute_error")[0]
    assert foreign.label == "median absolute error"
    assert not foreign.greater_is_better


@pytest.mark.parametrize(
    "task, name", [("regression", "accuracy"), ("ordinal", "nope")]
)
def test_unknown_scores_are_refused(task, name):
    with pytest.raises(InputError) as caught:
        scores_for(task, name)
    assert caught.value.parameter == "scoring"
