"""Each of scikit-learn's linear models that `certify` knows, right and wrong."""

import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_diabetes, load_iris
from sklearn.linear_model import (
    ElasticNetCV,
    GammaRegressor,
    HuberRegressor,
    LassoCV,
    LassoLars,
    LassoLarsCV,
    LassoLarsIC,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    PoissonRegressor,
    RidgeClassifier,
    RidgeClassifierCV,
    RidgeCV,
    TweedieRegressor,
)
from sklearn.linear_model._huber import _huber_loss_and_gradient
from sklearn.metrics import hinge_loss
from sklearn.svm import LinearSVC

from skloss import MultinomialLogistic, certify
from skloss.certification import supported

newton = {"solver": "newton-cholesky", "tol": 1e-10}
newton_cv = {
    **newton,
    "scoring": "neg_log_loss",
    "use_legacy_attributes": False,
    "l1_ratios": (0.0,),
}
precise = {"tol": 1e-10, "max_iter": 1_000_000, "random_state": 0}
huber = {"tol": 1e-9, "max_iter": 10_000}

REGRESSORS = [
    LinearRegression(),
    LinearRegression(fit_intercept=False),
    LinearRegression(positive=True),
    HuberRegressor(alpha=0.1, **huber),
    HuberRegressor(epsilon=1.05, alpha=3.0, fit_intercept=False, **huber),
    TweedieRegressor(power=0, alpha=0.3, **newton),
    TweedieRegressor(power=1, alpha=0.3, **newton),
    TweedieRegressor(power=2, alpha=0.3, fit_intercept=False, **newton),
    RidgeCV(alphas=[0.3, 3.0, 30.0]),
    RidgeCV(alphas=[0.3, 3.0, 30.0], cv=3, fit_intercept=False),
    LassoCV(cv=3, tol=1e-9, max_iter=100_000),
    LassoCV(cv=3, tol=1e-9, max_iter=100_000, positive=True),
    ElasticNetCV(l1_ratio=[0.3, 0.8], cv=3, tol=1e-10, max_iter=100_000),
]
PATHS = [  # these take no weights
    LassoLars(alpha=0.05),
    LassoLarsCV(cv=3),
    LassoLarsIC(criterion="bic"),
]
CLASSIFIERS = [
    RidgeClassifier(alpha=2.0),
    RidgeClassifier(alpha=2.0, class_weight="balanced", fit_intercept=False),
    RidgeClassifier(alpha=2.0, positive=True, tol=1e-10),
    RidgeClassifierCV(alphas=[0.1, 1.0], class_weight={0: 2.0, 1: 0.5}),
    LogisticRegressionCV(Cs=[0.1, 1.0], cv=3, **newton_cv),
    LogisticRegressionCV(
        Cs=[0.1, 1.0], cv=3, class_weight="balanced", fit_intercept=False, **newton_cv
    ),
]
MACHINES = [
    LinearSVC(C=0.3, loss="hinge", **precise),
    LinearSVC(C=0.3, loss="hinge", class_weight="balanced", **precise),
    LinearSVC(C=0.3, dual=False, intercept_scaling=3.0, **precise),
    LinearSVC(C=0.3, dual=False, fit_intercept=False, **precise),
    LinearSVC(C=0.3, dual=False, penalty="l1", intercept_scaling=2.0, **precise),
    LinearSVC(
        C=0.3, dual=False, penalty="l1", class_weight={0: 3.0, 1: 0.5}, **precise
    ),
]


def perturbed(model, factor=1.01, shift=1e-3):
    """The same fit a little off its optimum."""
    other = clone(model)
    other.__dict__.update(vars(model))
    other.coef_ = model.coef_ * factor + shift
    return other


def targets_of(model, X, rng):
    noise = rng.normal(size=len(X))
    if is_classifier(model):
        return (X[:, 1] - X[:, 2] + noise > 0.3).astype(int)
    return np.exp(0.3 * (X[:, 1] - X[:, 2]) + 0.5 * noise)


@pytest.fixture
def X(rng):
    X = rng.normal(size=(80, 6))
    X[:, 0] += 5.0
    return X


@pytest.mark.parametrize("model", REGRESSORS + CLASSIFIERS + MACHINES, ids=repr)
def test_right_fits_pass_and_wrong_ones_fail(model, X, rng):
    y, weight = targets_of(model, X, rng), rng.uniform(size=80)
    weight[:5] = 0.0
    for sample_weight in (None, weight):
        fitted = clone(model).fit(X, y, sample_weight=sample_weight)
        verdict = certify(fitted, X, y, sample_weight=sample_weight)
        assert verdict.verdict == "passed", verdict
        wrong = certify(perturbed(fitted), X, y, sample_weight=sample_weight)
        assert wrong.verdict == "failed", wrong
    # The weights matter: without them it is another problem.
    assert not certify(fitted, X, y)


@pytest.mark.parametrize("model", PATHS, ids=repr)
def test_paths_pass_and_wrong_fits_fail(model):
    X, y = load_diabetes(return_X_y=True)
    fitted = clone(model).fit(X, y)
    assert certify(fitted, X, y)
    assert certify(perturbed(fitted, shift=1.0), X, y).verdict == "failed"


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
def test_several_classes(model):
    X, y = load_iris(return_X_y=True)
    fitted = clone(model).fit(X, y)
    assert certify(fitted, X, y)
    assert certify(perturbed(fitted), X, y).verdict == "failed"


def test_attributes_of_cross_validation(X, rng):
    """Legacy arrays of C, one alpha per target, elastic nets chosen."""
    labels = targets_of(RidgeClassifier(), X, rng)
    legacy = LogisticRegressionCV(
        Cs=[0.1, 1.0], cv=3, **{**newton_cv, "use_legacy_attributes": True}
    )
    assert certify(legacy.fit(X, labels), X, labels)
    Y = np.column_stack([X[:, 1] + rng.normal(size=80), X[:, 2], rng.normal(size=80)])
    ridge = RidgeCV(alphas=[0.01, 1.0, 100.0], alpha_per_target=True).fit(X, Y)
    assert len(set(ridge.alpha_)) > 1
    assert certify(ridge, X, Y)
    saga = LogisticRegressionCV(
        Cs=[0.05],
        cv=2,
        solver="saga",
        l1_ratios=[0.7],
        tol=1e-9,
        max_iter=50_000,
        random_state=0,
        scoring="neg_log_loss",
        use_legacy_attributes=False,
    )
    assert certify(saga.fit(X, labels), X, labels)


def test_the_objective_is_the_estimators_own(X, rng):
    y = targets_of(LinearRegression(), X, rng)
    weight = rng.uniform(size=80)
    model = HuberRegressor(epsilon=1.2, alpha=0.5).fit(X, y, sample_weight=weight)
    parameters = np.r_[model.coef_, model.intercept_, model.scale_]
    expected, _ = _huber_loss_and_gradient(parameters, X, y, 1.2, 0.5, weight)
    found = certify(model, X, y, sample_weight=weight).objective
    assert found == pytest.approx(expected / weight.sum(), rel=1e-12)

    labels = targets_of(RidgeClassifier(), X, rng)
    model = LinearSVC(C=2.0, loss="hinge", intercept_scaling=3.0, max_iter=100_000)
    model.fit(X, labels)
    size = np.sum(model.coef_**2) + (model.intercept_[0] / 3.0) ** 2
    expected = hinge_loss(labels, model.decision_function(X)) + size / 2 / (2.0 * 80)
    assert certify(model, X, labels).objective == pytest.approx(expected, rel=1e-12)


def test_least_squares_of_collinear_columns(X, rng):
    y = targets_of(LinearRegression(), X, rng)
    X = np.column_stack([X, X[:, 0] + X[:, 1], np.ones(80)])
    verdict = certify(LinearRegression().fit(X, y), X, y)
    design = np.column_stack([X, np.ones(80)])
    error = y - design @ np.linalg.lstsq(design, y)[0]
    assert verdict
    assert verdict.reference_objective == pytest.approx(np.mean(error**2) / 2, rel=1e-9)


def test_tweedie_agrees_with_its_special_cases(X, rng):
    y = targets_of(LinearRegression(), X, rng)
    for power, other in ((1, PoissonRegressor), (2, GammaRegressor)):
        model = TweedieRegressor(power=power, link="log", **newton).fit(X, y)
        same = other(**newton).fit(X, y)
        expected = certify(same, X, y).reference_objective
        found = certify(model, X, y).reference_objective
        assert found == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    "model",
    [
        TweedieRegressor(power=1.5),
        TweedieRegressor(power=3),
        TweedieRegressor(power=0, link="log"),
    ],
    ids=repr,
)
def test_other_tweedie_models_are_refused(model, X, rng):
    y = targets_of(model, X, rng)
    with pytest.raises(TypeError, match="powers 1 and 2 and the log link"):
        certify(model.fit(X, y), X, y)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_what_is_no_optimum_or_no_known_one_is_refused(X, rng):
    y = targets_of(RidgeClassifier(), X, rng)
    averaged = LogisticRegressionCV(Cs=[1.0], cv=2, refit=False).fit(X, y)
    with pytest.raises(TypeError, match="refit=True"):
        certify(averaged, X, y)
    penalised = LogisticRegressionCV(Cs=[1.0], cv=2, solver="liblinear").fit(X, y)
    with pytest.raises(TypeError, match=r"LogisticRegressionCV\(solver='liblinear'\)"):
        certify(penalised, X, y)
    labels = y + (X[:, 3] > 1)
    with pytest.raises(TypeError, match="two classes"):
        certify(LinearSVC().fit(X, labels), X, labels)
    with pytest.raises(TypeError, match="crammer_singer"):
        certify(LinearSVC(multi_class="crammer_singer").fit(X, y), X, y)
    both = np.column_stack([y, 1 - y])
    with pytest.raises(ValueError, match="y must have the shape"):
        certify(RidgeClassifier().fit(X, both), X, both)


def test_hubers_scale_is_part_of_the_problem(X, rng):
    y = targets_of(LinearRegression(), X, rng)
    model = HuberRegressor(alpha=0.1, **huber).fit(X, y)
    assert certify(model, X, y)
    for scale in (1.1 * model.scale_, 0.9 * model.scale_, 0.0):
        model.scale_ = scale
        assert certify(model, X, y).verdict == "failed"


@pytest.mark.parametrize(
    "model", [LinearRegression(), RidgeCV(), HuberRegressor(**huber), RidgeClassifier()]
)
def test_columns_that_say_nothing(model, rng):
    y = rng.normal(size=30)
    y = (y > 0).astype(int) if is_classifier(model) else y
    for X in (np.full((30, 3), 0.1), np.zeros((30, 3))):
        assert certify(model.fit(X, y), X, y)


@pytest.mark.parametrize("model", [LinearRegression(), RidgeCV(), RidgeClassifier()])
def test_more_columns_than_rows(model, rng):
    X, y = rng.normal(size=(30, 40)), rng.integers(2, size=30)
    assert certify(model.fit(X, y), X, y)


@pytest.mark.parametrize(
    "model",
    [
        MultinomialLogistic(C=0.1),
        LogisticRegression(C=0.1, **newton),
        LinearSVC(C=0.1, dual=False, **precise),
    ],
)
def test_sparsified_coefficients(model, X, rng):
    y = targets_of(model, X, rng)
    fitted = model.fit(X, y)
    dense = certify(fitted, X, y)
    sparsified = certify(fitted.sparsify(), X, y)
    assert sparsified
    assert sparsified.objective == pytest.approx(dense.objective, rel=1e-14)


def test_the_docs_list_what_is_supported_and_the_tests_try_it():
    names = {name for name in supported() if name.startswith(("skloss.", "sklearn."))}
    guide = Path(__file__).parents[1] / "docs" / "user_guide" / "certify.rst"
    listed = set(re.findall(r"``(\w+)``", guide.read_text(encoding="utf-8")))
    tried = {type(m).__name__ for m in REGRESSORS + PATHS + CLASSIFIERS + MACHINES}
    ordinal = {  # tests/ordinal/test_certify.py
        "PrestoClassifier",
        "PrestoClassifierCV",
        "ProportionalOddsClassifier",
    }
    sparse = {"SparseRegressor", "SparseRegressorCV"}  # tests/sparse/test_certify.py
    # tests/random_features/test_certify.py
    random = {
        "RandomFeatureRidge",
        "RandomFeatureRidgeCV",
        "RandomFeatureRidgeClassifier",
    }
    elsewhere = (
        ordinal
        | sparse
        | random
        | {  # tests/test_certify.py
            "ElasticNet",
            "GammaRegressor",
            "Lasso",
            "LinearSVR",
            "LogisticRegression",
            "PoissonRegressor",
            "QuantileRegressor",
            "Ridge",
            "MultinomialLogistic",
        }
    )
    classes = {name.partition(".")[2] for name in names}
    assert classes == tried | elsewhere
    for name in classes - {"MultinomialLogistic"}:
        assert name in listed
        assert re.search(rf"\b{name}\b", certify.__doc__)
