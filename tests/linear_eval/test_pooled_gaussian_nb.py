"""The model itself: against LDA, against densities, and its bad input."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax, softmax
from scipy.stats import norm
from sklearn.base import BaseEstimator
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import NotFittedError
from sklearn.naive_bayes import GaussianNB

from skloss.linear_eval import PooledGaussianNB

DATA = {
    "iris": load_iris,
    "wine": load_wine,
    "breast cancer": load_breast_cancer,
    "digits": load_digits,
}


class DiagonalVariance(BaseEstimator):
    """Covariance of independent features; LDA fits it to each class apart.

    LDA averages the classes' covariances by their priors, which are the class
    frequencies: this makes the pooled maximum likelihood variances.
    """

    def fit(self, X):
        self.covariance_ = np.diag(X.var(0))
        return self


@pytest.fixture(params=[2, 3, 20])
def problem(request, rng):
    n_classes = request.param
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, 80)])
    means = rng.normal(size=(n_classes, 6))
    X = means[y] + rng.normal(size=(len(y), 6)) * np.arange(1, 7)
    return X, y


def pooled_variance(X, y, weights=None):
    """Two passes, straight from the definition."""
    weights = np.ones(len(y)) if weights is None else weights
    squares = np.zeros(X.shape[1])
    for k in np.unique(y):
        Xk, wk = X[y == k], weights[y == k]
        squares += wk @ (Xk - np.average(Xk, axis=0, weights=wk)) ** 2
    return squares / weights.sum()


@pytest.mark.parametrize("name", DATA)
def test_equals_discriminant_analysis_with_diagonal_covariance(name):
    X, y = DATA[name](return_X_y=True)
    lda = LinearDiscriminantAnalysis(
        solver="lsqr", covariance_estimator=DiagonalVariance()
    ).fit(X, y)
    ours = PooledGaussianNB(var_smoothing=0).fit(X, y)
    np.testing.assert_allclose(
        ours.predict_proba(X), lda.predict_proba(X), rtol=0, atol=1e-8
    )


def test_parameters_are_the_maximum_likelihood_estimates(problem):
    X, y = problem
    model = PooledGaussianNB(var_smoothing=0).fit(X, y)
    peer = GaussianNB(var_smoothing=0).fit(X, y)
    np.testing.assert_allclose(model.theta_, peer.theta_, rtol=1e-12)
    np.testing.assert_allclose(model.class_prior_, peer.class_prior_, rtol=1e-15)
    np.testing.assert_array_equal(model.class_count_, peer.class_count_)
    np.testing.assert_allclose(model.var_, peer.class_prior_ @ peer.var_, rtol=1e-12)
    np.testing.assert_allclose(model.var_, pooled_variance(X, y), rtol=1e-12)


def test_smoothing_adds_part_of_the_largest_variance(problem):
    X, y = problem
    variance = pooled_variance(X, y)
    model = PooledGaussianNB(var_smoothing=0.25).fit(X, y)
    assert model.epsilon_ == pytest.approx(variance.max() / 4)
    np.testing.assert_allclose(model.var_, variance + variance.max() / 4)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
def test_predictions_are_those_of_the_densities(make, problem):
    X, y = problem
    model = PooledGaussianNB().fit(make(X), y)
    scale = np.sqrt(model.var_)
    joint = np.stack(
        [
            np.log(prior) + norm.logpdf(X, theta, scale).sum(axis=1)
            for prior, theta in zip(model.class_prior_, model.theta_)
        ],
        axis=1,
    )
    X = make(X)
    np.testing.assert_allclose(model.predict_joint_log_proba(X), joint, rtol=1e-11)
    np.testing.assert_allclose(
        model.predict_log_proba(X), log_softmax(joint, axis=1), atol=1e-10
    )
    np.testing.assert_allclose(
        model.predict_proba(X), softmax(joint, axis=1), atol=1e-12
    )
    np.testing.assert_array_equal(model.predict(X), joint.argmax(axis=1))


def test_scores_are_linear_and_binary_ones_are_log_odds(problem):
    X, y = problem
    model = PooledGaussianNB().fit(X, y)
    n_classes = len(model.classes_)
    assert model.coef_.shape == (n_classes, 6)
    assert model.intercept_.shape == (n_classes,)
    scores = X @ model.coef_.T + model.intercept_
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(softmax(scores, axis=1), probabilities, atol=1e-12)
    decision = model.decision_function(X)
    if n_classes == 2:
        odds = np.log(probabilities[:, 1] / probabilities[:, 0])
        np.testing.assert_allclose(decision, odds, rtol=1e-8, atol=1e-10)
    else:
        np.testing.assert_allclose(decision, scores, atol=1e-10)


def test_log_probabilities_do_not_underflow():
    X, y = np.array([[0.0], [1.0], [1e3], [1e3 + 1]]), np.array([0, 0, 1, 1])
    log_proba = PooledGaussianNB(var_smoothing=0).fit(X, y).predict_log_proba([[0.5]])
    assert log_proba[0, 0] == 0
    assert log_proba[0, 1] == pytest.approx(-(1000.0**2) / (2 * 0.25))


def test_given_priors(problem):
    X, y = problem
    n_classes = y.max() + 1
    priors = np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum()
    model = PooledGaussianNB(priors=priors.tolist()).fit(X, y)
    plain = PooledGaussianNB().fit(X, y)
    np.testing.assert_allclose(model.class_prior_, priors)
    expected = plain.predict_log_proba(X) + np.log(priors / plain.class_prior_)
    np.testing.assert_allclose(
        model.predict_log_proba(X), log_softmax(expected, axis=1), atol=1e-10
    )


def test_class_of_prior_zero_is_never_predicted(rng):
    X, y = rng.normal(size=(30, 2)), np.arange(30) % 3
    model = PooledGaussianNB(priors=[0.5, 0, 0.5]).fit(X, y)
    assert (model.predict_proba(X)[:, 1] == 0).all()
    assert (model.predict_log_proba(X)[:, 1] == -np.inf).all()
    assert 1 not in model.predict(X)
    assert np.isfinite(model.predict_proba(X)).all()


def test_features_constant_within_classes_are_ignored_without_smoothing(problem):
    X, y = problem
    constant = np.column_stack([X, np.full(len(y), 0.1), y / 10, y * 1e7 + 0.3])
    with_constant = PooledGaussianNB(var_smoothing=0).fit(constant, y)
    without = PooledGaussianNB(var_smoothing=0).fit(X, y)
    np.testing.assert_array_equal(with_constant.var_[6:], 0)
    np.testing.assert_array_equal(with_constant.coef_[:, 6:], 0)
    np.testing.assert_allclose(
        with_constant.predict_proba(constant), without.predict_proba(X), atol=1e-12
    )
    np.testing.assert_allclose(
        with_constant.predict_joint_log_proba(constant),
        without.predict_joint_log_proba(X),
        rtol=1e-12,
    )


def test_nothing_but_constant_features_leaves_the_priors():
    model = PooledGaussianNB().fit([[1.0], [1.0], [1.0]], [0, 1, 1])
    np.testing.assert_allclose(model.predict_proba([[7.0]]), [[1 / 3, 2 / 3]])


@pytest.mark.parametrize("label", [str, np.float64, np.int8, lambda k: f"class {k}"])
def test_labels_of_any_kind(label, problem):
    X, y = problem
    labels = np.array([label(k) for k in y])
    model = PooledGaussianNB().fit(X, labels)
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    order = np.unique(labels, return_index=True)[1]
    expected = PooledGaussianNB().fit(X, y).predict_proba(X)[:, y[order]]
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-12)
    assert set(model.predict(X)) <= set(labels)


X_OK, Y_OK = np.arange(12.0).reshape(6, 2), np.array([0, 1, 0, 1, 0, 1])


def poisoned(value, row=3):
    X = X_OK.copy()
    X[row, 1] = value
    return X


@pytest.mark.parametrize(
    "parameters, arguments, message",
    [
        ({}, (poisoned(np.nan), Y_OK), "Input X contains NaN"),
        ({}, (poisoned(np.inf), Y_OK), "Input X contains infinity"),
        ({}, (poisoned(np.nan), Y_OK, [1, 1, 1, 0, 1, 1]), "Input X contains NaN"),
        ({}, (sparse.csr_array(poisoned(np.nan)), Y_OK), "Input X contains NaN"),
        ({}, (poisoned(1e200), Y_OK), "values in X are too large"),
        ({}, (poisoned(1e30).astype("f4"), Y_OK), "too large.*float32"),
        ({}, (X_OK, np.zeros(6, int)), "at least 2 classes.*1 class"),
        ({}, (X_OK[:0], Y_OK[:0]), "minimum of 1 is required"),
        ({}, (X_OK[:, :0], Y_OK), "0 feature"),
        ({}, (X_OK[0], Y_OK), "Expected 2D array"),
        ({}, (X_OK, Y_OK + 0.5), "Unknown label type.*continuous"),
        ({}, (X_OK, Y_OK[:5]), "inconsistent numbers of samples"),
        ({}, (X_OK, [0, 1, np.nan, 1, 0, 1]), "Input y contains NaN"),
        ({}, (X_OK, Y_OK, [1, 1, -1, 1, 1, 1]), r"sample_weight\[2\] is -1"),
        ({}, (X_OK, Y_OK, [1, 1, np.nan, 1, 1, 1]), r"sample_weight\[2\] is nan"),
        ({}, (X_OK, Y_OK, np.zeros(6)), "All values of sample_weight are zero"),
        ({}, (X_OK, Y_OK, Y_OK), "class 0 has a total weight of zero"),
        ({"priors": [0.5, 0.6]}, (X_OK, Y_OK), "priors must sum to 1"),
        ({"priors": [1.5, -0.5]}, (X_OK, Y_OK), "priors must not be negative"),
        ({"priors": [0.5, np.nan]}, (X_OK, Y_OK), "priors"),
        ({"priors": [1.0]}, (X_OK, Y_OK), r"priors has shape \(1,\).*2 classes"),
        ({"var_smoothing": -1}, (X_OK, Y_OK), "var_smoothing"),
        ({"shrinkage": 1.5}, (X_OK, Y_OK), "shrinkage"),
        ({"shrinkage": "max"}, (X_OK, Y_OK), "shrinkage"),
    ],
)
def test_bad_input_is_named(parameters, arguments, message):
    with pytest.raises(ValueError, match=message):
        PooledGaussianNB(**parameters).fit(*arguments)


@pytest.mark.parametrize("n_classes", [2, 40])  # the compiled pass, and BLAS
@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_invalid_rows_are_refused_even_where_the_feature_does_not_count(
    value, make, n_classes, rng
):
    X, y = rng.normal(size=(400, 3)), np.arange(400) % n_classes
    X[:, 1] = 5
    model = PooledGaussianNB().fit(X, y)
    bad = X[:50].copy()
    bad[-1, 1] = value
    for method in ("predict", "predict_proba", "predict_log_proba"):
        with pytest.raises(ValueError, match="Input X contains"):
            getattr(model, method)(make(bad))


def test_predicting_asks_for_the_fitted_features():
    with pytest.raises(NotFittedError):
        PooledGaussianNB().predict(X_OK)
    with pytest.raises(ValueError, match=r"3 features.*expecting 2"):
        PooledGaussianNB().fit(X_OK, Y_OK).predict(np.zeros((2, 3)))
