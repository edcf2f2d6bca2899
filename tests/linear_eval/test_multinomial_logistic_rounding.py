"""MultinomialLogistic in float32: what is promised is what predictions deliver."""

import copy
import pickle
import warnings

import numpy as np
import pytest
import skops.io
from scipy import sparse
from scipy.special import log_softmax
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

import skloss
from skloss.linear_eval import MultinomialLogistic

FORMS = [np.asarray, sparse.csr_array]


def far_from_zero(kind):
    """Iris with all columns, or one more, far from zero; in float32."""
    X, y = load_iris(return_X_y=True)
    if kind == "offset":
        return (X + 1e5).astype(np.float32), y
    stamps = 1.7e9 + 3e6 * np.random.default_rng(0).random(len(y))
    return np.column_stack([X, stamps]).astype(np.float32), y


def objective(model, X, y, scores):
    """F of the docstring at C=1, from scores."""
    if scores.ndim == 1:
        scores = np.column_stack([0 * scores, scores])
    codes = np.searchsorted(model.classes_, y)
    loss = -log_softmax(scores.astype(float), axis=1)[np.arange(len(y)), codes].mean()
    return loss + 0.5 * (model.coef_.astype(float) ** 2).sum() / len(y)


def minimum(X, y):
    """The minimum of F by scikit-learn, on columns whose mean is zero."""
    X = X.astype(np.float64)
    X -= X.mean(axis=0)
    peer = LogisticRegression(solver="newton-cholesky", tol=1e-12, max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        peer.fit(X, y)
    return objective(peer, X, y, peer.decision_function(X))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["offset", "stamp"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_predictions_are_as_near_the_optimum_as_the_gap_says(kind, n_classes, form):
    X, y = far_from_zero(kind)
    X, y = X[y < n_classes], y[y < n_classes]
    model = MultinomialLogistic().fit(form(X), y)
    assert model.coef_.dtype == model.intercept_.dtype == np.float32
    assert model.converged_
    assert model.dual_gap_ <= 1e-6
    best = minimum(X, y)
    exact = objective(model, X, y, model.decision_function(form(X.astype(float))))
    assert exact == pytest.approx(model.objective_, rel=1e-12)
    assert (exact - best) / exact <= model.dual_gap_ + 1e-12
    # and in the arithmetic of float32
    scores = model.decision_function(form(X))
    assert scores.dtype == np.float32
    assert objective(model, X, y, scores) == pytest.approx(best, rel=2e-6)


def test_rounding_that_costs_more_than_tol_is_told():
    """Nothing makes up for rounded coefficients where there is no intercept."""
    X, y = far_from_zero("offset")
    with pytest.warns(ConvergenceWarning, match="Pass X in float64") as record:
        model = MultinomialLogistic(fit_intercept=False).fit(X, y)
    assert f"{model.dual_gap_:.2g}" in str(record[0].message)
    assert not model.converged_
    exact = objective(model, X, y, X.astype(float) @ model.coef_.T.astype(float))
    assert exact == pytest.approx(model.objective_, rel=1e-9)
    double = MultinomialLogistic(fit_intercept=False, tol=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        double.fit(X.astype(float), y)  # the advice helps
    true_gap = (exact - double.objective_) / exact
    assert 1e-6 < true_gap <= model.dual_gap_


@pytest.mark.parametrize("kind", ["offset", "stamp"])
def test_certify_judges_what_predictions_deliver(kind):
    X, y = far_from_zero(kind)
    model = MultinomialLogistic().fit(X, y)
    certificate = skloss.certify(model, X, y)
    assert certificate.objective == pytest.approx(model.objective_, rel=1e-9)
    assert abs(certificate.gap) < 1e-6


@pytest.mark.parametrize("form", FORMS)
def test_predictions_follow_attributes_set_by_hand(form):
    X, y = far_from_zero("offset")
    model = MultinomialLogistic().fit(X, y)
    double = X.astype(float)
    given = np.array([[1.0, 2, 3, 4], [0, 0, 0, 0], [-1, 2, -3, 1]], np.float32)
    for coef in (given, sparse.csr_array(given)):
        model.coef_ = coef
        scores = model.decision_function(form(double))
        np.testing.assert_allclose(
            scores, double @ given.T.astype(float) + model.intercept_, rtol=1e-14
        )
    model.fit(X, y)
    model.intercept_ = np.float32([5, model.intercept_[1] + 1000, 0])
    np.testing.assert_allclose(
        model.decision_function(form(double)),
        double @ model.coef_.T.astype(float) + model.intercept_,
        atol=np.spacing(np.abs(model.intercept_).max()),
    )
    model.coef_, model.intercept_ = np.zeros((3, 4)), np.zeros(3)
    assert not model.decision_function(form(double)).any()


def test_a_model_made_by_hand_predicts():
    X, y = load_iris(return_X_y=True)
    fitted, made = MultinomialLogistic().fit(X, y), MultinomialLogistic()
    made.classes_ = fitted.classes_
    made.coef_, made.intercept_ = fitted.coef_, fitted.intercept_
    np.testing.assert_allclose(
        made.decision_function(X), fitted.decision_function(X), atol=1e-12
    )


@pytest.mark.parametrize("kind", ["offset", "stamp"])
def test_digits_survive_storage_and_sparse_coefficients(kind):
    X, y = far_from_zero(kind)
    model = MultinomialLogistic().fit(X, y)
    expected = model.decision_function(X)
    blob = skops.io.dumps(model)
    trusted = skops.io.get_untrusted_types(data=blob)
    for loaded in (
        pickle.loads(pickle.dumps(model)),
        skops.io.loads(blob, trusted=trusted),
        copy.deepcopy(model).sparsify(),
    ):
        np.testing.assert_array_equal(loaded.decision_function(X), expected)


def test_warm_starts_keep_their_digits():
    X, y = far_from_zero("stamp")
    model = MultinomialLogistic(warm_start=True).fit(X, y)
    first, cold = model.objective_, model.n_iter_
    model.set_params(tol=0.1).fit(X, y)
    assert model.objective_ == pytest.approx(first, rel=1e-9)
    assert model.n_iter_ < cold


@pytest.mark.parametrize("dtype", [np.float16, ">f4", "<f4"])
def test_narrow_floats_are_float32(dtype):
    X, y = load_iris(return_X_y=True)
    X = X.astype(dtype)
    plain = MultinomialLogistic().fit(X.astype(np.float32), y)
    model = MultinomialLogistic().fit(X, y)
    assert model.coef_.dtype == np.float32
    assert model.coef_.dtype.isnative
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    proba = model.predict_proba(X)
    assert proba.dtype == np.float32
    np.testing.assert_array_equal(proba, plain.predict_proba(X.astype(np.float32)))


@pytest.mark.parametrize("dtype", [np.longdouble, ">f8", np.int32, bool, object])
def test_other_numbers_are_float64(dtype):
    X, y = load_iris(return_X_y=True)
    X = (np.rint(10 * X).astype(int) % 5 % (2 if dtype is bool else 5)).astype(dtype)
    plain = MultinomialLogistic().fit(X.astype(np.float64), y)
    model = MultinomialLogistic().fit(X, y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    proba = model.predict_proba(X)
    assert proba.dtype == np.float64
    np.testing.assert_array_equal(proba, plain.predict_proba(X.astype(np.float64)))
    np.testing.assert_array_equal(model.predict(X), plain.predict(X.astype(np.float64)))


@pytest.mark.parametrize("n_classes", [3, 20])
def test_scores_are_as_precise_as_rows_and_coefficients_allow(n_classes, rng):
    X, y = rng.integers(-9, 9, (200, 4)), np.arange(200) % n_classes
    model = MultinomialLogistic().fit(X.astype(np.float32), y)
    exact = X @ model.coef_.T.astype(float) + model.intercept_
    for dtype, expected in (
        (np.int8, np.float32),
        (np.float32, np.float32),
        (np.int64, np.float64),
        (np.float64, np.float64),
    ):
        for form in FORMS:
            scores = model.decision_function(form(X.astype(dtype)))
            assert scores.dtype == expected
            np.testing.assert_allclose(scores, exact, atol=1e-5)


def test_numbers_beyond_float64_are_named():
    X, y = load_iris(return_X_y=True)
    model = MultinomialLogistic().fit(X, y)
    huge = X.astype(np.longdouble)
    huge[3, 1] = np.longdouble("1e4000")
    if not np.isfinite(huge).all():  # long doubles are no wider here
        huge[3, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        MultinomialLogistic().fit(huge, y)
    with pytest.raises(ValueError, match=r"X contains infinity|X are too large"):
        model.predict(huge)
