"""Ordinal models where people use them: refits, searches, callbacks, predictions."""

import copy
import pickle
import re

import numpy as np
import pandas as pd
import pytest
import skops.io
from joblib import parallel_backend
from scipy import sparse
from scipy.special import expit
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar, ScoringMonitor
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
)

ESTIMATORS = {
    "presto": PrestoClassifier(alpha=0.01),
    "box": PrestoClassifier(alpha=0.001, ordering="box"),
    "stopping": PrestoClassifier(alpha=0.01, family="stopping", link="probit"),
    "adjacent": PrestoClassifier(alpha=0.01, family="adjacent"),
    "cv": PrestoClassifierCV(alphas=4, cv=3, random_state=0),
    "odds": ProportionalOddsClassifier(),
}
METHODS = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "predict_cumulative",
    "decision_function",
)
by_estimator = pytest.mark.parametrize(
    "estimator", ESTIMATORS.values(), ids=ESTIMATORS.keys()
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((300, 4))
    first, second = np.array([[1, -0.5, 0, 0], [1, 0.2, -0.7, 0]])
    scores = np.column_stack([1.5 - X @ first, -0.3 - X @ second, -2 - X[:, 0]])
    y = (rng.uniform(size=300)[:, None] < expit(np.sort(scores)[:, ::-1])).sum(axis=1)
    return X, y


@pytest.fixture(scope="module")
def crossing(data):
    """A fit whose cumulative probabilities cross far from the data, and such rows."""
    X, y = data
    model = PrestoClassifier(alpha=1e-4).fit(X, y)
    far = 6 * np.random.default_rng(1).standard_normal((200, 4))
    assert (np.diff(model.predict_cumulative(far), axis=1) > 0).any()
    return model, far


def predictions(model, X):
    return [getattr(model, method)(X) for method in METHODS]


# ----------------------------------------------------------------------- refits


@pytest.mark.parametrize("name", ["presto", "box", "stopping", "odds"])
def test_warm_start_gives_the_same_answer_sooner(data, name):
    X, y = data
    model = clone(ESTIMATORS[name]).set_params(warm_start=True, tol=1e-9)
    assert model.fit(X, y).n_iter_ > 2
    w = np.random.default_rng(0).uniform(0.95, 1.05, 300)
    cold = clone(model).fit(X, y, w)
    model.fit(X, y, w)
    assert model.n_iter_ < cold.n_iter_
    np.testing.assert_allclose(model.coef_, cold.coef_, atol=1e-6)
    again = model.fit(X, y, w)
    assert again.n_iter_ == 1


@pytest.mark.parametrize("name", ["presto", "stopping", "adjacent", "odds"])
@pytest.mark.parametrize(("factor", "offset"), [(1.8, 32.0), (1.0, 273.15), (1e5, 0.0)])
def test_warm_start_survives_a_change_of_units(name, factor, offset):
    rng = np.random.default_rng(1)
    X = np.column_stack([rng.normal(20, 8, 300), rng.standard_normal(300)])
    y = np.digitize(0.2 * (X[:, 0] - 20) + rng.logistic(size=300), [-1, 1, 2.5])
    converted = X * [factor, 1.0] + [offset, 0.0]
    model = clone(ESTIMATORS[name]).set_params(warm_start=True)
    cold = clone(model).fit(converted, y)
    model.fit(X, y).fit(converted, y)
    assert model.objective_ == pytest.approx(cold.objective_, rel=1e-8)


@pytest.mark.parametrize("name", ["presto", "box", "stopping", "odds"])
@pytest.mark.parametrize(
    "change",
    [
        lambda X, y: (X, np.minimum(y, 2)),
        lambda X, y: (X, y + 1),
        lambda X, y: (X[:, :2], y),
        lambda X, y: (np.hstack([X, X**2]), y),
    ],
)
def test_warm_start_ignores_fits_of_other_problems(data, name, change):
    X, y = change(*data)
    model = clone(ESTIMATORS[name]).set_params(warm_start=True).fit(*data)
    np.testing.assert_array_equal(
        model.fit(X, y).predict_proba(X),
        clone(model).fit(X, y).predict_proba(X),
    )


@by_estimator
@pytest.mark.parametrize("fitted", [True, False])
def test_a_failed_fit_leaves_the_old_model_or_none(data, estimator, fitted):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = clone(estimator)
    if fitted:
        model.fit(frame, y)
        before, expected = vars(model).copy(), predictions(model, frame)
    for bad_X, bad_y, w in (
        (X[:, :2] * 1e300, y % 2, None),
        (X[:, :2], y % 2, (y == 1) * 1.0),
        (X[:, :2], y % 2 + np.nan, None),
    ):
        with pytest.raises(ValueError, match=r"feature 0|weight of zero|NaN"):
            model.fit(bad_X, bad_y, w)
    if not fitted:
        assert not hasattr(model, "classes_")
        assert not hasattr(model, "n_features_in_")
        with pytest.raises(NotFittedError):
            check_is_fitted(model)
        return
    after = vars(model)
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    for prediction, old in zip(predictions(model, frame), expected, strict=True):
        np.testing.assert_array_equal(prediction, old)


@by_estimator
def test_parameters_are_read_when_fitting(data, estimator):
    X, y = data
    model = clone(estimator)
    name, value = ("link", "cauchit") if "odds" in str(type(model)) else ("tol", 1e-3)
    model.fit(X, y).set_params(**{name: value})
    other = clone(estimator).set_params(**{name: value})
    assert clone(model).get_params() == other.get_params()
    np.testing.assert_array_equal(model.fit(X, y).coef_, other.fit(X, y).coef_)


# ---------------------------------------------------------------------- copies


@by_estimator
@pytest.mark.parametrize("sparsified", [False, True])
def test_copies_predict_the_same(data, estimator, sparsified, tmp_path):
    X, y = data
    labels = np.array(["low", "mid", "high", "top"])[y]
    model = clone(estimator).set_params(categories=["low", "mid", "high", "top"])
    model.fit(X, labels)
    if sparsified:
        model.sparsify()
    path = tmp_path / "model.skops"
    skops.io.dump(model, path)
    trusted = skops.io.get_untrusted_types(file=path)
    assert all(name.startswith(("skloss.", "scipy.sparse.")) for name in trusted)
    for other in (
        pickle.loads(pickle.dumps(model)),
        copy.deepcopy(model),
        skops.io.load(path, trusted=trusted),
    ):
        for new, old in zip(predictions(other, X), predictions(model, X), strict=True):
            np.testing.assert_array_equal(new, old)
    unfitted = clone(model)
    assert unfitted.get_params() == model.get_params()
    with pytest.raises(NotFittedError):
        unfitted.predict(X)


@by_estimator
def test_sparsify_changes_no_prediction(data, estimator):
    X, y = data
    model = clone(estimator).fit(X, y)
    expected, coef, steps = predictions(model, X), model.coef_, model.differences_
    model.sparsify()
    assert sparse.issparse(model.coef_)
    for new, old in zip(predictions(model, X), expected, strict=True):
        np.testing.assert_allclose(new, old, rtol=1e-12, atol=1e-14)
    np.testing.assert_array_equal(model.differences_, steps)
    np.testing.assert_array_equal(model.densify().coef_, coef)


# -------------------------------------------------------------- pipes and searches


@pytest.mark.parametrize("backend", ["loky", "threading"])
@pytest.mark.parametrize("name", ["presto", "odds"])
def test_grid_search_with_several_jobs(data, name, backend):
    X, y = data
    grid = {"alpha": [0.1, 0.01, 0.001]}
    options = {"scoring": "neg_log_loss", "cv": 3, "error_score": "raise"}
    serial = GridSearchCV(ESTIMATORS[name], grid, **options).fit(X, y)
    with parallel_backend(backend):
        search = GridSearchCV(ESTIMATORS[name], grid, n_jobs=2, **options).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], serial.cv_results_["mean_test_score"]
    )
    assert search.best_params_ == serial.best_params_
    np.testing.assert_array_equal(
        search.best_estimator_.coef_, serial.best_estimator_.coef_
    )


@by_estimator
def test_sample_weight_is_routed(data, estimator):
    X, y = data
    w = np.random.default_rng(0).integers(0, 3, 300).astype(float)
    rows = np.arange(300)
    with config_context(enable_metadata_routing=True):
        routed = clone(estimator).set_fit_request(sample_weight=True)
        routed.set_score_request(sample_weight=True)
        results = cross_validate(
            routed,
            X,
            y,
            cv=[(rows[::2], rows[1::2])],
            params={"sample_weight": w},
            return_estimator=True,
        )
    direct = clone(estimator).fit(X[::2], y[::2], sample_weight=w[::2])
    np.testing.assert_array_equal(results["estimator"][0].coef_, direct.coef_)
    expected = direct.score(X[1::2], y[1::2], sample_weight=w[1::2])
    assert results["test_score"][0] == expected


@by_estimator
def test_feature_names_are_kept_and_checked(data, estimator):
    X, y = data
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = clone(estimator).fit(frame, pd.Series(y))
    assert model.feature_names_in_.tolist() == list("abcd")
    assert model.n_features_in_ == 4
    np.testing.assert_array_equal(
        model.predict_proba(frame), clone(estimator).fit(X, y).predict_proba(X)
    )
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[list("dcba")])


# ------------------------------------------------------------ lines and callbacks


@pytest.mark.parametrize("name", ["presto", "box", "stopping", "odds"])
def test_verbose_prints_a_line_for_each_step(data, name, capsys):
    model = clone(ESTIMATORS[name]).set_params(verbose=1).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    assert lines
    if name != "box":  # which counts the steps of its last round only
        assert len(lines) == model.n_iter_
    head = rf"\[{type(model).__name__}\] iteration \d+/100  objective (\S+)"
    objectives = [float(re.match(head, line)[1]) for line in lines]
    assert objectives[-1] == pytest.approx(model.objective_, rel=1e-3)
    clone(ESTIMATORS[name]).fit(*data)
    assert capsys.readouterr().out == ""


class Stop:
    """A scikit-learn callback that ends the fit after some steps."""

    max_estimator_depth = None

    def __init__(self, steps):
        self.steps = steps

    def setup(self, estimator, context):
        self.seen = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, metadata=None):
        self.seen += context.parent is not None
        return self.seen >= self.steps


class Interrupt(Stop):
    """A scikit-learn callback that raises at a step."""

    def on_fit_task_end(self, estimator, context, *, metadata=None):
        if super().on_fit_task_end(estimator, context, metadata=metadata):
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", ["presto", "stopping", "odds"])
def test_callbacks_score_every_step(data, name):
    X, y = data
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = clone(ESTIMATORS[name]).set_callbacks(monitor).fit(X, y)
    rows = [r for r in monitor.get_logs().data if r["task_name"] == "iteration"]
    assert len(rows) == model.n_iter_
    last = -log_loss(y, model.predict_proba(X))
    assert rows[-1]["neg_log_loss"] == pytest.approx(last, rel=1e-9)
    assert rows[0]["neg_log_loss"] < last


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["presto", "stopping"])
def test_a_callback_can_stop_a_fit(data, name):
    X, y = data
    model = clone(ESTIMATORS[name]).set_callbacks(Stop(2)).fit(X, y)
    assert model.n_iter_ == 2
    assert model.kkt_violation_ > 1e-6
    # The gap bounds what was lost, also where a fit stopped early.
    best = clone(ESTIMATORS[name]).set_params(tol=1e-10).fit(X, y).objective_
    assert 0 < model.objective_ - best <= model.dual_gap_


@pytest.mark.filterwarnings("error")
def test_a_callback_can_stop_proportional_odds(data):
    model = ProportionalOddsClassifier().set_callbacks(Stop(1)).fit(*data)
    assert model.n_iter_ == 1
    assert model.kkt_violation_ > 1e-8


@by_estimator
def test_an_interrupted_fit_leaves_the_old_model(data, estimator):
    X, y = data
    model = clone(estimator).fit(X, y)
    old = model.coef_
    with pytest.raises(KeyboardInterrupt):
        model.set_callbacks(Interrupt(2)).fit(X[:, :2], y)
    assert model.coef_ is old
    assert model.n_features_in_ == 4
    assert model.set_callbacks().fit(X[:, :3], y).coef_.shape[1] == 3


def test_progress_bars_reach_the_end(data, capsys):
    for estimator in ESTIMATORS.values():
        clone(estimator).set_callbacks(ProgressBar()).fit(*data)
        assert type(estimator).__name__ in capsys.readouterr().out


# ------------------------------------------------------------------- predictions


FAMILIES = [
    {"family": family, "reverse": reverse}
    for family in ("cumulative", "stopping", "continuation", "adjacent")
    for reverse in (False, True)
]


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("link", ["logit", "cloglog"])
def test_cumulative_probabilities_add_up_those_of_classes(data, model, link):
    X, y = data
    if model["family"] == "adjacent":
        link = "logit"
    fitted = PrestoClassifier(alpha=0.02, link=link, **model).fit(X, y)
    P = fitted.predict_proba(X)
    above = np.cumsum(P[:, ::-1], axis=1)[:, -2::-1]
    cumulative = fitted.predict_cumulative(X)
    assert cumulative.shape == (300, 3)
    ordered = (np.diff(cumulative, axis=1) <= 0).all(axis=1)
    assert ordered.sum() == 300 - fitted.n_crossings_ > 250
    if model["family"] != "cumulative":
        assert ordered.all()
    np.testing.assert_allclose(cumulative[ordered], above[ordered], atol=1e-12)


def test_cumulative_probabilities_are_not_repaired(crossing):
    model, far = crossing
    g = far @ model.coef_.T + model.intercept_
    np.testing.assert_allclose(model.predict_cumulative(far), expit(g), rtol=1e-10)


@pytest.mark.parametrize("how", ["isotonic", "sort", "clip"])
def test_repaired_rows_are_probabilities(crossing, how):
    model, far = crossing
    repaired = copy.copy(model).set_params(repair=how)
    P = repaired.predict_proba(far)
    assert (P >= 0).all()
    np.testing.assert_allclose(P.sum(axis=1), 1, rtol=1e-12)
    cumulative = model.predict_cumulative(far)
    crossed = (np.diff(cumulative, axis=1) > 0).any(axis=1)
    above = np.cumsum(P[:, ::-1], axis=1)[:, -2::-1]
    np.testing.assert_allclose(above[~crossed], cumulative[~crossed], atol=1e-12)
    if how == "sort":
        np.testing.assert_allclose(above, -np.sort(-cumulative), atol=1e-12)
    if how == "clip":
        ends = np.ones(len(far)), np.zeros(len(far))
        signed = -np.diff(np.column_stack([ends[0], cumulative, ends[1]]))
        clipped = np.maximum(signed, 0)
        expected = clipped / clipped.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(P, expected, atol=1e-12)


def test_crossing_rows_can_be_refused(crossing):
    model, far = crossing
    strict = copy.copy(model).set_params(repair="raise")
    crossed = (np.diff(model.predict_cumulative(far), axis=1) > 0).any(axis=1)
    with pytest.raises(ValueError, match=str(crossed.sum())):
        strict.predict_proba(far)
    np.testing.assert_array_equal(
        strict.predict_proba(far[~crossed]), model.predict_proba(far[~crossed])
    )


@by_estimator
def test_median_has_the_least_expected_absolute_error(data, estimator):
    X, y = data
    model = clone(estimator).set_params(decision="median").fit(X, 3 * y)
    P = model.predict_proba(X)
    codes = np.arange(4)
    risk = P @ np.abs(codes[:, None] - codes)
    np.testing.assert_array_equal(model.predict(X), 3 * risk.argmin(axis=1))
    mode = model.set_params(decision="mode")
    np.testing.assert_array_equal(mode.predict(X), 3 * P.argmax(axis=1))
    assert model.score(X, 3 * y) == np.mean(mode.predict(X) == 3 * y)


@by_estimator
def test_log_probabilities_and_decisions(data, estimator):
    X, y = data
    model = clone(estimator).fit(X, y)
    logs = model.predict_log_proba(X)
    np.testing.assert_allclose(np.exp(logs), model.predict_proba(X), rtol=1e-12)
    np.testing.assert_array_equal(model.decision_function(X), logs)
    binary = clone(estimator).fit(X, y > 1)
    score = binary.decision_function(X)
    assert score.shape == (300,)
    np.testing.assert_array_equal(binary.predict(X), score > 0)
    np.testing.assert_allclose(
        score, X @ binary.coef_[0] + binary.intercept_[0], rtol=1e-10, atol=1e-12
    )


@pytest.mark.parametrize("family", ["stopping", "continuation", "adjacent"])
def test_log_probabilities_that_underflow_stay_finite(data, family):
    X, y = data
    model = PrestoClassifier(alpha=0.01, family=family).fit(X, y)
    logs = model.predict_log_proba(1e5 * X)
    assert (model.predict_proba(1e5 * X) == 0).any()
    assert np.isfinite(logs).all()
    assert (logs <= 0).all()
    assert logs.min() < -1e4


@by_estimator
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_predictions_do_not_depend_on_the_batch(data, estimator, form):
    X, y = data
    model = clone(estimator).fit(X, y)
    X = X[:61]
    for method in METHODS:
        whole = getattr(model, method)(form(X))
        for size in (1, 7, 40):
            parts = [
                getattr(model, method)(form(X[i : i + size]))
                for i in range(0, len(X), size)
            ]
            np.testing.assert_array_equal(np.concatenate(parts), whole)


@by_estimator
def test_single_precision(data, estimator):
    X, y = data
    X32 = X.astype(np.float32)
    model = clone(estimator).fit(X32, y)
    # Coefficients that keep an order stay double: rounding them might undo it.
    kept = np.float64 if getattr(model, "ordering", "") == "box" else np.float32
    assert model.coef_.dtype == model.intercept_.dtype == kept
    for method in METHODS[1:]:
        assert getattr(model, method)(X32).dtype == np.float32
        assert getattr(model, method)(X).dtype == np.float64
    double = clone(estimator).fit(X32.astype(np.float64), y)
    np.testing.assert_allclose(
        model.predict_proba(X32), double.predict_proba(X32), atol=1e-5
    )


@by_estimator
def test_threads_change_no_digit(estimator):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((3000, 40))
    y = np.digitize(X[:, 0] + rng.logistic(size=3000), [0, 1, 3])
    results = []
    for n_threads in (1, 2, 4):
        with threadpool_limits(n_threads):
            model = clone(estimator).fit(X, y)
            results.append([model.coef_, model.intercept_, *predictions(model, X)])
    for other in results[1:]:
        for array, expected in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(array, expected)
