import sys
import types
import warnings

import numpy as np
import pandas
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.datasets import load_diabetes, load_iris, make_regression
from sklearn.linear_model import (
    ElasticNet,
    GammaRegressor,
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    QuantileRegressor,
    Ridge,
    SGDClassifier,
)
from sklearn.metrics import mean_gamma_deviance, mean_poisson_deviance
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVR
from sklearn.utils.validation import validate_data

from skloss import MultinomialLogistic, certify
from skloss.certification import Certificate, register

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
    assert verdict.verdict == "failed" and verdict.gap > 0
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
    assert not void and void.verdict == "void" and "void" in repr(void)
    assert void.relative_gap == pytest.approx(-0.1 / 1.1)
    # An optimum of zero: the null model's objective is the scale.
    assert Certificate("Ridge()", 1e-12, 1e-300, 1e-6, "SCS", 0.5, 1.0)
    assert not Certificate("Ridge()", 1e-7, 1e-300, 1e-6, "SCS", 0.5, 1.0)
    assert not Certificate("Ridge()", 2e-300, 1e-300, 1e-6, "SCS", 0.5)
    assert Certificate("Ridge()", 0.0, 0.0, 1e-6, "SCS", 0.5)
    assert not Certificate("Ridge()", 1e-300, 0.0, 1e-6, "SCS", 0.5)


def test_unknown_estimators_are_refused(classes):
    with pytest.raises(TypeError, match=r"SGDClassifier.*sklearn.Lasso.*register"):
        certify(SGDClassifier().fit(*classes), *classes)

    class MyLasso(Lasso):  # may minimise something else
        pass

    with pytest.raises(TypeError, match="MyLasso"):
        certify(MyLasso().fit(*classes), *classes)
    penalised = LogisticRegression(solver="liblinear")
    X, y = classes
    with pytest.raises(TypeError, match="liblinear"):
        certify(penalised.fit(X, y > 0), X, y > 0)


def entropy(y):
    share = np.bincount(y) / len(y)
    return -np.sum(share * np.log(share))


def test_the_null_models_objective_is_the_closed_form(positive_targets, classes):
    X, y = positive_targets
    variance = np.mean((y - y.mean()) ** 2)
    deviance = mean_poisson_deviance(y, np.full(80, y.mean()))
    gamma_deviance = mean_gamma_deviance(y, np.full(80, y.mean()))
    below = np.maximum(y.mean() - y, 0).mean()
    expected = {
        Ridge(2.0): 40 * variance,
        Ridge(2.0, fit_intercept=False): 0.5 * np.sum(y**2),
        Lasso(0.1): variance / 2,
        PoissonRegressor(): deviance / 2,
        GammaRegressor(): gamma_deviance / 2,
        # as much lies above the mean as below it
        QuantileRegressor(quantile=0.3, alpha=0.01): below,
    }
    for model, null in expected.items():
        verdict = certify(model.fit(X, y), X, y)
        assert verdict.null_objective == pytest.approx(null, rel=1e-10), model
    X, y = classes
    for labels in (y, np.minimum(y, 1)):
        verdict = certify(LogisticRegression(**newton).fit(X, labels), X, labels)
        assert verdict.null_objective == pytest.approx(entropy(labels), rel=1e-10)


def test_objectives_are_half_deviances(positive_targets):
    X, y = positive_targets
    for model, deviance in (
        (PoissonRegressor(alpha=0.2), mean_poisson_deviance),
        (GammaRegressor(alpha=0.2), mean_gamma_deviance),
    ):
        model.fit(X, y)
        expected = deviance(y, model.predict(X)) / 2 + 0.1 * model.coef_ @ model.coef_
        assert certify(model, X, y).objective == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize("power, model", [(0, Ridge(3.0)), (1, Lasso(0.05, tol=1e-12))])
def test_units_of_the_targets_do_not_matter(power, model, scale, positive_targets):
    """Targets, coefficients and (for the lasso) alpha in another unit."""
    X, y = positive_targets
    model = clone(model).fit(X, y)
    wrong, gaps = perturbed(model), []
    reference = certify(model, X, y).reference_objective
    for factor in (1.0, scale):
        scaled = clone(model).set_params(alpha=model.alpha * factor**power)
        for fitted in (model, wrong):
            scaled.__dict__.update(
                n_features_in_=6,
                coef_=fitted.coef_ * factor,
                intercept_=fitted.intercept_ * factor,
            )
            verdict = certify(scaled, X, y * factor)
            assert verdict.passed == (fitted is model)
            expected = reference * factor**2
            assert verdict.reference_objective == pytest.approx(expected, 1e-9, 0.0)
        gaps.append(verdict.relative_gap)
    assert gaps[1] == pytest.approx(gaps[0], rel=1e-6)


PERFECT = [
    Ridge(1e-3),
    Ridge(1e-12),
    Ridge(1e-300),
    Ridge(1e-300, fit_intercept=False),
    Lasso(1e-10, tol=1e-14, max_iter=100_000),
    QuantileRegressor(alpha=1e-12),
]


@pytest.mark.filterwarnings("ignore:.*ill-conditioned")
@pytest.mark.parametrize("model", PERFECT, ids=repr)
def test_perfect_fits_pass(model, rng):
    """The optimum is zero but for the penalty: ``y`` is linear in ``X``."""
    X, coef = rng.normal(size=(60, 4)), np.array([1.0, -2.0, 0.0, 3.0])
    for scale in (1.0, 1e-6):
        if scale < 1 and isinstance(model, Lasso | QuantileRegressor):
            continue  # scikit-learn's own tolerances for these are absolute
        y = scale * (X @ coef)
        fitted = clone(model).fit(X, y)
        verdict = certify(fitted, X, y)
        assert verdict, verdict
        assert verdict.objective < 1e-4 * verdict.null_objective
        assert not certify(perturbed(fitted), X, y)


@pytest.mark.parametrize("level", [0.0, 0.1, 1.0, -5.0])
def test_constant_targets(level, rng):
    """The optimum is exactly zero, the intercept the constant."""
    X, y = rng.normal(size=(60, 4)), np.full(60, level)
    models = [Ridge(), Lasso(), QuantileRegressor(), LinearSVR(epsilon=10.0)]
    if level > 0:
        models += [PoissonRegressor(), GammaRegressor()]
    for model in models:
        verdict = certify(model.fit(X, y), X, y)
        assert verdict, verdict
        assert abs(verdict.reference_objective) < 1e-9
        if level and not isinstance(model, LinearSVR):
            model.intercept_ = model.intercept_ + 0.01
            assert not certify(model, X, y)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_separable_classes_with_hardly_a_penalty(rng):
    X = rng.normal(size=(60, 3))
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    model = LogisticRegression(C=1e8, max_iter=500, **newton).fit(X, y)
    verdict = certify(model, X, y)
    assert verdict and verdict.objective < 1e-4
    assert not certify(LogisticRegression(C=1e8, max_iter=3).fit(X, y), X, y)


def test_fits_outside_of_the_constraints_fail(positive_targets):
    """The unconstrained optimum is lower than that of the estimator's problem."""
    X, y = positive_targets
    constrained = Ridge(positive=True).fit(X, y)
    constrained.coef_ = Ridge().fit(X, y).coef_
    assert (constrained.coef_ < 0).any()
    verdict = certify(constrained, X, y)
    assert not verdict and "FAILED" in repr(verdict)


def test_fits_that_are_not_numbers_fail(positive_targets):
    X, y = positive_targets
    model = Ridge().fit(X, y)
    model.coef_ = model.coef_ * np.nan
    verdict = certify(model, X, y)
    assert verdict.verdict == "failed" and "FAILED" in repr(verdict)


def test_own_problems_can_be_registered(monkeypatch, rng):
    """A problem whose null model has no finite objective is judged as it is."""
    from skloss.certification import _registry

    class Scale(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            validate_data(self, X, y)
            self.scale_ = np.mean(np.abs(y))
            return self

    def problem(estimator, X, y, sample_weight):
        import cvxpy as cp

        s, size = cp.Variable(), np.average(np.abs(y), weights=sample_weight)
        objective = cp.Minimize(size * cp.inv_pos(s) + s / size)
        return cp.Problem(objective), size / estimator.scale_ + estimator.scale_ / size

    module = types.ModuleType("own_certificates")
    module.problem = problem
    monkeypatch.setitem(sys.modules, "own_certificates", module)
    monkeypatch.setattr(_registry, "_PROBLEMS", dict(_registry._PROBLEMS))
    register(f"{Scale.__module__.partition('.')[0]}.Scale", "own_certificates:problem")
    X, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    model = Scale().fit(X, y)
    verdict = certify(model, X, y)
    assert verdict and verdict.reference_objective == pytest.approx(2.0)
    assert verdict.null_objective == 0.0
    model.scale_ *= 1.1
    assert not certify(model, X, y)
