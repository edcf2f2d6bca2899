import warnings

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris, make_regression
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    RidgeClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR

from skloss import MultinomialLogistic, certify
from skloss.certification import Certificate, register, supported

newton = {"solver": "newton-cholesky", "tol": 1e-10}

REGRESSORS = [
    Ridge(alpha=3.0),
    Ridge(alpha=3.0, fit_intercept=False),
    Ridge(alpha=0.5, positive=True, tol=1e-10),
    Lasso(alpha=0.05, tol=1e-9),
    Lasso(alpha=0.05, positive=True, tol=1e-9),
    ElasticNet(alpha=0.1, l1_ratio=0.3, tol=1e-10),
    ElasticNet(alpha=0.1, fit_intercept=False, tol=1e-10),
    PoissonRegressor(alpha=0.2, solver="newton-cholesky", tol=1e-10),
    GammaRegressor(alpha=0.2, solver="newton-cholesky", tol=1e-10),
    QuantileRegressor(quantile=0.3, alpha=0.01),
    LinearSVR(epsilon=0.1, C=0.3, tol=1e-9, max_iter=1_000_000, random_state=0),
    LinearSVR(
        loss="squared_epsilon_insensitive",
        dual=False,
        intercept_scaling=2.0,
        C=0.3,
        tol=1e-9,
    ),
]
CLASSIFIERS = [
    LogisticRegression(C=0.7, **newton),
    LogisticRegression(C=0.7, fit_intercept=False, **newton),
    LogisticRegression(C=0.7, class_weight="balanced", **newton),
    LogisticRegression(C=0.7, class_weight={0: 3.0, 1: 0.5}, **newton),
    LogisticRegression(
        C=0.1, l1_ratio=1.0, solver="saga", tol=1e-9, max_iter=20_000, random_state=0
    ),
    LogisticRegression(
        C=0.1, l1_ratio=0.4, solver="saga", tol=1e-9, max_iter=20_000, random_state=0
    ),
    MultinomialLogistic(C=0.7),
    MultinomialLogistic(C=50.0, fit_intercept=False),
    MultinomialLogistic(C=0.7, class_weight="balanced"),
]


@pytest.fixture
def positive_targets(rng):
    X = rng.normal(size=(80, 6))
    X[:, 0] += 5.0
    return X, np.exp(0.3 * (X[:, 1] - X[:, 2]) + 0.5 * rng.normal(size=80))


@pytest.fixture
def classes(rng):
    X, y = load_iris(return_X_y=True)
    keep = rng.permutation(150)[:90]
    return X[keep], y[keep]


def perturbed(model):
    """The same fit a little off its optimum."""
    other = clone(model)
    other.__dict__.update(vars(model))
    other.coef_ = model.coef_ * 1.01 + 1e-3
    return other


@pytest.mark.parametrize("model", REGRESSORS, ids=repr)
def test_sklearns_regressors_pass_and_wrong_fits_fail(model, positive_targets, rng):
    X, y = positive_targets
    weight = rng.uniform(size=80)
    weight[:5] = 0.0
    for sample_weight in (None, weight):
        fitted = clone(model).fit(X, y, sample_weight=sample_weight)
        verdict = certify(fitted, X, y, sample_weight=sample_weight)
        assert verdict, verdict
        assert not certify(perturbed(fitted), X, y, sample_weight=sample_weight)
    # The weights matter: without them it is another problem.
    assert not certify(fitted, X, y)


@pytest.mark.parametrize("model", CLASSIFIERS, ids=repr)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers_pass_and_wrong_fits_fail(model, n_classes, classes, rng):
    X, y = classes
    X, y = X[y < n_classes], y[y < n_classes]
    weight = rng.uniform(size=len(y))
    weight[:5] = 0.0
    for sample_weight in (None, weight):
        fitted = clone(model).fit(X, y, sample_weight=sample_weight)
        verdict = certify(fitted, X, y, sample_weight=sample_weight)
        assert verdict, verdict
        assert not certify(perturbed(fitted), X, y, sample_weight=sample_weight)
    assert not certify(fitted, X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_multinomial_logistic_tells_the_truth_about_itself(n_classes, classes):
    X, y = classes
    X, y = X[y < n_classes] * [1, 100, 0.01, 1], y[y < n_classes]
    model = MultinomialLogistic(C=2.0).fit(X, y)
    verdict = certify(model, X, y)
    assert model.objective_ == pytest.approx(verdict.objective, rel=1e-10)
    assert verdict.gap <= model.dual_gap_ * verdict.objective + 1e-9


def test_string_labels_frames_and_several_targets(classes):
    pandas = pytest.importorskip("pandas")
    X, y = classes
    frame = pandas.DataFrame(X, columns=list("abcd"))
    names = pandas.Series(np.array(["x", "y", "z"])[y])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert certify(LogisticRegression(**newton).fit(frame, names), frame, names)
    X, Y = make_regression(60, 5, n_targets=3, noise=3.0, random_state=0)
    assert certify(Ridge(alpha=[0.1, 1.0, 10.0]).fit(X, Y), X, Y)
    assert certify(Lasso(alpha=0.5, tol=1e-9).fit(X, Y), X, Y)


@pytest.mark.parametrize("model", [Lasso(0.01, tol=1e-9), MultinomialLogistic()])
def test_sparse_data(model):
    X = sparse.random_array((120, 8), density=0.3, random_state=0, format="csr")
    y = (X.sum(axis=1) > 1.2).astype(int)
    assert certify(model.fit(X, y), X, y)


def test_constant_and_badly_scaled_columns(classes):
    X, y = classes
    X = np.column_stack([X * [1e4, 1.0, 1e-3, 1.0] + 50.0, np.full(len(y), 0.1)])
    assert certify(LogisticRegression(max_iter=1000, **newton).fit(X, y), X, y)
    assert certify(Ridge(1.0, solver="cholesky").fit(X, y), X, y)


def test_pipelines_and_searches_are_opened(classes):
    X, y = classes
    steps = make_pipeline(StandardScaler(), LogisticRegression(**newton))
    assert certify(steps.fit(X, y), X, y)
    search = GridSearchCV(steps, {"logisticregression__C": [0.1, 1.0]}).fit(X, y)
    verdict = certify(search, X, y)
    assert verdict and "LogisticRegression" in verdict.estimator


def test_a_fit_that_stopped_early_is_caught():
    X, y = load_diabetes(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        short = Lasso(alpha=0.01, max_iter=3).fit(X, y)
    verdict = certify(short, X, y)
    assert not verdict and verdict.gap > 0
    assert "FAILED" in repr(verdict)


def test_the_reference_objective_is_the_closed_form(rng):
    X, y = rng.normal(size=(50, 4)), rng.normal(size=50)
    coef = np.linalg.solve(X.T @ X + 2 * np.eye(4), X.T @ y)
    best = 0.5 * np.sum((y - X @ coef) ** 2) + coef @ coef
    verdict = certify(Ridge(2.0, fit_intercept=False).fit(X, y), X, y)
    assert verdict.reference_objective == pytest.approx(best, rel=1e-9)
    assert verdict.objective == pytest.approx(best, rel=1e-12)
    assert (verdict.solver, verdict.tol) == ("CLARABEL", 1e-6)


def test_other_solvers_and_tolerances():
    X, y = load_diabetes(return_X_y=True)
    model = Lasso(alpha=0.1).fit(X, y)  # scikit-learn's tol=1e-4
    assert certify(model, X, y, solver="osqp", tol=1e-3).solver == "OSQP"
    assert not certify(model, X, y, tol=1e-13)
    with pytest.raises(ValueError, match=r"solver='mosek'.*CLARABEL"):
        certify(model, X, y, solver="mosek")


def test_solvers_that_cannot_are_said_to_fail(classes):
    X, y = classes  # the log-loss needs exponential cones, which OSQP does not have
    with pytest.raises(RuntimeError, match="OSQP failed on this problem"):
        certify(LogisticRegression(**newton).fit(X, y), X, y, solver="OSQP")


def test_certificates_print_and_judge():
    passed = Certificate("Lasso()", 1.0 + 1e-9, 1.0, 1e-6, "SCS", 0.5)
    assert passed and passed.gap == pytest.approx(1e-9)
    assert "passed" in repr(passed) and "SCS" in repr(passed)
    # A reference above the fit proves nothing about the fit.
    void = Certificate("Lasso()", 1.0, 1.1, 1e-6, "SCS", 0.5)
    assert not void and "void" in repr(void)
    assert void.relative_gap == pytest.approx(-0.1 / 1.1)


def test_unknown_estimators_are_refused(classes):
    with pytest.raises(TypeError, match=r"RidgeClassifier.*sklearn.Lasso.*register"):
        certify(RidgeClassifier().fit(*classes), *classes)

    class MyLasso(Lasso):  # may minimise something else
        pass

    with pytest.raises(TypeError, match="MyLasso"):
        certify(MyLasso().fit(*classes), *classes)
    penalised = LogisticRegression(solver="liblinear")
    X, y = classes
    with pytest.raises(TypeError, match="liblinear"):
        certify(penalised.fit(X, y > 0), X, y > 0)


def test_bad_input(classes):
    X, y = classes
    with pytest.raises(NotFittedError):
        certify(Lasso(), X, y)
    with pytest.raises(ValueError, match="features"):
        certify(Lasso().fit(X, y), X[:, :2], y)


def test_registration():
    assert supported() == sorted(supported())
    assert "skloss.MultinomialLogistic" in supported()
    with pytest.raises(ValueError, match="already"):
        register("sklearn.Lasso", "somewhere:else")
    with pytest.raises(ValueError, match="module:function"):
        register("mypackage.Model", "somewhere.else")
