"""The classifier against ridge regression of indicators, refits, and scikit-learn."""

import numpy as np
import pytest
from scipy import special
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_iris
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from skloss.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeClassifier,
    RandomFeatureRidgeCV,
)


@pytest.fixture(scope="module", params=["two classes", "three classes"])
def labelled(request):
    load = load_breast_cancer if request.param == "two classes" else load_iris
    X, y = load(return_X_y=True)
    return StandardScaler().fit_transform(X), np.array(["c", "a", "b"])[y]


@pytest.mark.parametrize("class_weight", [None, "balanced", {"a": 3.0}])
@pytest.mark.parametrize("weighted", [False, True])
def test_is_the_ridge_classifier_on_the_features(labelled, class_weight, weighted):
    X, y = labelled
    weight = np.random.default_rng(0).integers(1, 4, len(y)) if weighted else None
    model = RandomFeatureRidgeClassifier(
        80, alpha=0.1, class_weight=class_weight, random_state=0
    ).fit(X, y, weight)
    Z = model.ridge_.random_features_.transform(X)
    factor = class_weight
    if class_weight == "balanced" and weighted:
        # scikit-learn counts rows, not their weights.
        totals = {c: weight[y == c].sum() for c in model.classes_}
        factor = {c: weight.sum() / (len(totals) * t) for c, t in totals.items()}
    peer = RidgeClassifier(0.1, class_weight=factor, solver="svd").fit(Z, y, weight)
    peer_coef = np.atleast_2d(peer.coef_)
    np.testing.assert_allclose(model.coef_, peer_coef, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(model.intercept_, peer.intercept_, rtol=1e-8)
    np.testing.assert_allclose(
        model.decision_function(X), peer.decision_function(Z), rtol=1e-8, atol=1e-9
    )
    np.testing.assert_array_equal(model.predict(X), peer.predict(Z))


@pytest.mark.parametrize("width", [60, 400, np.inf])
def test_temperature_is_that_of_refits_without_each_row(width):
    X, y = load_iris(return_X_y=True)
    chosen = np.random.default_rng(0).choice(150, 45, replace=False)
    X, y = X[chosen, :2], y[chosen]  # two columns do not tell all classes apart
    options = {"alpha": 0.05, "gamma": 0.2, "random_state": 0}
    model = RandomFeatureRidgeClassifier(width, calibrate=True, **options).fit(X, y)
    scores = np.empty((45, 3))
    for i in range(45):
        rest = np.arange(45) != i
        Y = np.where(y[rest, None] == np.arange(3), 1.0, -1.0)
        refit = RandomFeatureRidge(width, **options).fit(X[rest], Y)
        scores[i] = refit.predict(X[i : i + 1])[0]

    seen = np.bincount(y)[y][:, None]
    targets = (seen * (y[:, None] == np.arange(3)) + 1) / (seen + 3)

    def loss(temperature):
        return -np.sum(targets * special.log_softmax(scores / temperature, axis=1))

    best = loss(model.temperature_)
    assert best <= min(loss(model.temperature_ * f) for f in (0.5, 0.99, 1.01, 2.0))
    expected = special.softmax(model.decision_function(X) / model.temperature_, axis=1)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)


def test_probabilities_of_two_classes_agree_with_decisions(labelled):
    X, y = labelled
    model = RandomFeatureRidgeClassifier(50, calibrate=True, random_state=0).fit(X, y)
    probability = model.predict_proba(X)
    np.testing.assert_allclose(probability.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_array_equal(
        model.classes_[probability.argmax(axis=1)], model.predict(X)
    )


def test_scores_that_tell_all_rows_apart_do_not_make_sure():
    X = np.repeat([[-1.0], [1.0]], 10, axis=0) + np.linspace(0, 0.1, 20)[:, None]
    y = np.repeat([0, 1], 10)
    model = RandomFeatureRidgeClassifier(
        100, alpha=1e-6, calibrate=True, random_state=0
    ).fit(X, y)
    assert 0.5 / 12 < model.predict_proba(X).min() < 2 / 12


def test_calibration_is_as_good_as_by_refits():
    X, y = load_breast_cancer(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    X, X_test, y, y_test = train_test_split(X, y, random_state=0)
    options = {"n_components": 150, "alpha": 1.0, "random_state": 0}
    model = RandomFeatureRidgeClassifier(calibrate=True, **options).fit(X, y)
    peer = CalibratedClassifierCV(
        RandomFeatureRidgeClassifier(**options), ensemble=False, cv=5
    ).fit(X, y)
    ours = log_loss(y_test, model.predict_proba(X_test))
    assert ours < 1.1 * log_loss(y_test, peer.predict_proba(X_test))


def test_streams_equal_one_fit(labelled):
    X, y = labelled
    options = {
        "n_components": 40,
        "gamma": 0.1,
        "random_state": 0,
        "precision": "float64",
        "class_weight": {"a": 2.0},
    }
    whole = RandomFeatureRidgeClassifier(**options).fit(X, y)
    expected = whole.decision_function(X)
    order = np.argsort(y, kind="stable")  # batches of one class
    stream = RandomFeatureRidgeClassifier(**options)
    for batch in np.array_split(order, 4):
        stream.partial_fit(X[batch], y[batch], classes=np.unique(y))
    np.testing.assert_allclose(stream.decision_function(X), expected, atol=1e-9)
    parts = []
    for batch in np.array_split(order[::-1], 2):
        part = RandomFeatureRidgeClassifier(**options)
        parts.append(part.partial_fit(X[batch], y[batch], classes=np.unique(y)))
    merged = parts[0].merge(parts[1])
    np.testing.assert_allclose(merged.decision_function(X), expected, atol=1e-9)
    rest = np.arange(len(y)) >= 30
    merged.forget(X[~rest], y[~rest])
    refit = RandomFeatureRidgeClassifier(**options)
    refit.partial_fit(X[rest], y[rest], classes=np.unique(y))
    np.testing.assert_allclose(
        merged.decision_function(X), refit.decision_function(X), atol=1e-8
    )


def test_what_needs_all_rows_has_no_streams(labelled):
    X, y = labelled
    for options in ({"calibrate": True}, {"class_weight": "balanced"}):
        model = RandomFeatureRidgeClassifier(**options)
        assert not hasattr(model, "partial_fit")
        with pytest.raises(ValueError, match="needs all rows at once"):
            model.partial_fit(X, y, classes=np.unique(y))
    assert not hasattr(RandomFeatureRidgeClassifier().fit(X, y), "predict_proba")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y": np.zeros(150)}, "at least 2 classes"),
        ({"y": np.linspace(0, 1, 150)}, "[Uu]nknown label type"),
        ({"sample_weight": np.r_[np.zeros(50), np.ones(100)]}, "weight of zero"),
    ],
)
def test_bad_data_are_refused(change, message):
    X, y = load_iris(return_X_y=True)
    data = {"X": X, "y": y} | change
    with pytest.raises(ValueError, match=message):
        RandomFeatureRidgeClassifier(20).fit(**data)


def test_classes_of_streams_are_checked():
    X, y = load_iris(return_X_y=True)
    model = RandomFeatureRidgeClassifier(20)
    with pytest.raises(ValueError, match="classes must be given"):
        model.partial_fit(X, y)
    model.partial_fit(X, y, classes=[0, 1, 2])
    with pytest.raises(ValueError, match="differ from those of the first call"):
        model.partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match=r"\[7\]"):
        model.partial_fit(X, np.full(150, 7))


def test_streams_take_the_penalty_of_now():
    X, y = load_iris(return_X_y=True)
    options = {"n_components": 20, "gamma": 0.1, "random_state": 0}

    def stream(rows):
        model = RandomFeatureRidgeClassifier(alpha=5.0, **options)
        return model.partial_fit(X[rows], y[rows], classes=[0, 1, 2])

    Y = np.where(y[:, None] == np.arange(3), 1.0, -1.0)

    def expected(rows):
        ridge = RandomFeatureRidge(alpha=0.01, **options).fit(X[rows], Y[rows])
        return ridge.predict(X)

    first, rest, everything = slice(0, 150, 2), slice(1, 150, 2), slice(None)
    added = stream(first).set_params(alpha=0.01).partial_fit(X[rest], y[rest])
    np.testing.assert_allclose(
        added.decision_function(X), expected(everything), atol=1e-9
    )
    merged = stream(first).set_params(alpha=0.01).merge(stream(rest))
    np.testing.assert_allclose(
        merged.decision_function(X), expected(everything), atol=1e-9
    )
    less = stream(everything).set_params(alpha=0.01).forget(X[rest], y[rest])
    np.testing.assert_allclose(less.decision_function(X), expected(first), atol=1e-8)


@pytest.mark.parametrize(
    "change",
    [{"n_components": 30}, {"gamma": 0.2}, {"activation": "tanh"}, {"bias": 1.0}],
    ids=str,
)
def test_streams_refuse_other_features(change):
    X, y = load_iris(return_X_y=True)
    model = RandomFeatureRidgeClassifier(20, gamma=0.1, random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    before = model.decision_function(X)
    with pytest.raises(ValueError, match=next(iter(change))):
        model.set_params(**change).partial_fit(X, y)
    np.testing.assert_array_equal(model.decision_function(X), before)


def test_streams_that_fail_change_nothing():
    X, y = load_iris(return_X_y=True)
    model = RandomFeatureRidgeClassifier(20, gamma=0.1, random_state=0)
    model.partial_fit(X, y, classes=[0, 1, 2])
    before = model.decision_function(X)
    bad = np.where(X > 7, np.nan, X)
    for action in (model.partial_fit, model.forget):
        with pytest.raises(ValueError, match="NaN"):
            action(bad, y)
        with pytest.raises(ValueError, match="alpha"):
            model.set_params(alpha=-1.0)
            action(X[:9], y[:9])
        model.set_params(alpha=0.5)
    assert model.ridge_.alpha == 1.0
    np.testing.assert_array_equal(model.decision_function(X), before)


def test_only_its_own_kind_is_merged():
    X, y = load_iris(return_X_y=True)
    options = {"gamma": 0.1, "random_state": 0}
    model = RandomFeatureRidgeClassifier(20, **options).fit(X, y)
    for other in (
        RandomFeatureRidge(20, **options).fit(X, y),
        RandomFeatureRidgeCV(20, **options).fit(X, y),
        RidgeClassifier().fit(X, y),
        None,
    ):
        name = type(other).__name__
        with pytest.raises(
            TypeError, match=f"RandomFeatureRidgeClassifier; got {name}"
        ):
            model.merge(other)
    fewer = RandomFeatureRidgeClassifier(20, **options).fit(X[:100], y[:100])
    with pytest.raises(ValueError, match="have classes"):
        model.merge(fewer)


@pytest.mark.parametrize(
    ("options", "labels", "message"),
    [
        ({"class_weight": {0: "a"}}, None, r"class_weight\[0\] is 'a'"),
        ({"class_weight": {0: None}}, None, r"class_weight\[0\] is None"),
        ({"class_weight": {0: -1.0}}, None, r"class_weight\[0\] is -1"),
        ({"class_weight": {7: 1.0}}, None, "class_weight"),
        ({}, [None, 1, 2], "y must hold labels .* got NoneType, int"),
        ({}, [None, None, None], "y must hold labels .* got NoneType"),
        ({}, ["a", 1, 2], "y must hold labels .* got int, str"),
    ],
)
def test_messages_name_labels_and_their_weights(options, labels, message):
    X, y = load_iris(return_X_y=True)
    y = y if labels is None else np.array(labels, dtype=object)[y]
    with pytest.raises(ValueError, match=message):
        RandomFeatureRidgeClassifier(20, **options).fit(X, y)
    classes = [0, 1, 2] if labels is None else labels
    with pytest.raises(ValueError, match=message.replace("y must", "(y|classes) must")):
        RandomFeatureRidgeClassifier(20, **options).partial_fit(X, y, classes=classes)


def test_labels_that_are_objects_are_labels():
    X, y = load_iris(return_X_y=True)
    names = np.array(["c", "a", "b"], dtype=object)[y]
    model = RandomFeatureRidgeClassifier(30, alpha=0.1, random_state=0).fit(X, names)
    assert (model.predict(X) == names).mean() > 0.9
