"""MultinomialLogistic on awkward and on bad input, and as a citizen of scikit-learn."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from skloss.linear_eval import MultinomialLogistic


@pytest.fixture
def iris():
    return load_iris(return_X_y=True)


def test_constant_columns_get_zero(iris):
    X, y = iris
    padded = np.column_stack([np.full(150, 7.3), X, np.zeros(150), np.full(150, 1e9)])
    model = MultinomialLogistic(tol=1e-12).fit(padded, y)
    plain = MultinomialLogistic(tol=1e-12).fit(X, y)
    assert not model.coef_[:, [0, 5, 6]].any()
    np.testing.assert_allclose(
        model.predict_proba(padded), plain.predict_proba(X), rtol=0, atol=1e-5
    )


def test_repeated_columns_share_their_coefficient(iris):
    X, y = iris
    model = MultinomialLogistic(C=0.5, tol=1e-13).fit(np.hstack([X, X]), y)
    # two halves w with w² + w² stand for one column with twice the C
    single = MultinomialLogistic(C=1.0, tol=1e-13).fit(X, y)
    np.testing.assert_allclose(model.coef_[:, :4], model.coef_[:, 4:], atol=1e-6)
    np.testing.assert_allclose(2 * model.coef_[:, :4], single.coef_, atol=1e-4)


def test_repeated_rows_are_a_larger_C(iris):
    X, y = iris
    twice = MultinomialLogistic(C=0.5, tol=1e-13).fit(
        np.vstack([X, X]), np.hstack([y, y])
    )
    once = MultinomialLogistic(C=1.0, tol=1e-13).fit(X, y)
    np.testing.assert_allclose(twice.coef_, once.coef_, atol=1e-4)


def test_one_sample_per_class():
    X, y = np.diag([1.0, 2.0, 3.0]), [5, 1, 3]
    model = MultinomialLogistic().fit(X, y)
    peer = LogisticRegression(solver="newton-cholesky", tol=1e-12).fit(X, y)
    np.testing.assert_allclose(
        model.predict_proba(X), peer.predict_proba(X), rtol=0, atol=2e-3
    )
    assert model.predict(X).tolist() == y


def test_one_hot_columns_reach_the_optimum(rng):
    codes = rng.integers(0, 12, (800, 3))
    X = np.hstack([np.eye(12)[column] for column in codes.T])
    y = (codes.sum(axis=1) + rng.integers(0, 6, 800)) // 10
    for C in (1e-3, 1.0, 1e3):
        model = MultinomialLogistic(C=C).fit(X, y)
        peer = LogisticRegression(
            C=C, solver="newton-cholesky", tol=1e-12, max_iter=1000
        ).fit(X, y)
        assert model.converged_
        np.testing.assert_allclose(
            model.predict_proba(X), peer.predict_proba(X), rtol=0, atol=5e-3
        )


@pytest.mark.parametrize("unit", [1e-30, 1e-8, 1e8])
def test_extreme_units_do_not_break_the_fit(iris, unit):
    X, y = iris
    X = X * np.array([unit, 1, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MultinomialLogistic().fit(X, y)
    assert model.converged_
    assert np.isfinite(model.coef_).all()


def test_a_gap_that_rounding_leaves_open_is_told(iris):
    """At 1e30 the rounding of the gradient alone is worth a large gap."""
    X, y = iris
    X = X * np.array([1e30, 1, 1, 1])
    with pytest.warns(ConvergenceWarning, match="floating-point accuracy"):
        model = MultinomialLogistic().fit(X, y)
    assert not model.converged_
    assert model.dual_gap_ > 1e-6
    assert model.score(X, y) > 0.95


def test_advice_at_the_limit_of_rounding_helps(iris):
    X, y = iris
    X = X * np.array([1e30, 1, 1, 1])
    with pytest.warns(ConvergenceWarning, match="Scale the columns of X") as record:
        MultinomialLogistic().fit(X, y)
    assert "max_iter" not in str(record[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert MultinomialLogistic().fit(X / X.std(axis=0), y).converged_
        assert MultinomialLogistic(C=1e-60).fit(X, y).converged_
    with pytest.warns(ConvergenceWarning, match="Raise max_iter"):
        MultinomialLogistic(max_iter=1).fit(*iris)


@pytest.mark.parametrize("C", [1e-300, 1e-20, 1e12])
def test_extreme_C_does_not_break_the_fit(rng, C):
    X = rng.standard_normal((300, 4))
    y = rng.integers(0, 3, 300)
    model = MultinomialLogistic(C=C).fit(X, y)
    assert model.converged_
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("n_classes", [2, 3])
def test_separable_data_without_penalty(iris, n_classes):
    X, y = iris
    keep = (y == 0) | (y == 1) if n_classes == 2 else np.ones(150, bool)
    labels = np.minimum(y, n_classes - 1)[keep]
    X = X[keep] if n_classes == 2 else np.eye(3)[labels] + 0.1
    with pytest.warns(ConvergenceWarning, match="separable"):
        model = MultinomialLogistic(C=np.inf).fit(X, labels)
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.intercept_).all()
    assert model.score(X, labels) == 1


def test_quasi_separable_data_without_penalty():
    X = np.array([[-2.0], [-1], [0], [0], [1], [2]])
    y = [0, 0, 0, 1, 1, 1]  # tied at zero, separated elsewhere
    with pytest.warns(ConvergenceWarning, match="separable"):
        model = MultinomialLogistic(C=np.inf).fit(X, y)
    assert np.isfinite(model.coef_).all()


def test_overlapping_data_without_penalty_do_not_warn(iris):
    X, y = iris
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = MultinomialLogistic(C=np.inf).fit(X[y > 0], y[y > 0])
    assert model.converged_


def test_unconverged_fit_warns_with_the_gap(iris):
    X, y = iris
    with pytest.warns(ConvergenceWarning, match="gap") as record:
        model = MultinomialLogistic(max_iter=2, tol=1e-9).fit(X, y)
    assert f"{model.dual_gap_:.2g}" in str(record[0].message)


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["virginica", "setosa", "versicolor"]),
        np.array([7, -3, 100]),
        np.array([2.0, 0.0, 1.0]),
        np.array(["b", "ä", "c"], dtype=object),
    ],
)
def test_labels_of_any_kind(iris, labels):
    X, y = iris
    model = MultinomialLogistic().fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, np.unique(labels))
    assert model.predict(X).dtype == labels.dtype
    assert model.score(X, labels[y]) > 0.95


def test_boolean_labels_and_two_classes(iris):
    X, y = iris
    model = MultinomialLogistic().fit(X, y == 1)
    assert model.coef_.shape == (1, 4)
    assert model.intercept_.shape == (1,)
    assert model.decision_function(X).shape == (150,)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1)


def test_pandas_input_keeps_names(iris):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = MultinomialLogistic().fit(frame, pd.Series(y).astype("category"))
    assert model.feature_names_in_.tolist() == list("abcd")
    np.testing.assert_array_equal(
        model.predict(frame), MultinomialLogistic().fit(X, y).predict(X)
    )


@pytest.mark.parametrize(
    ("parameters", "culprit"),
    [
        ({"C": 0}, "C"),
        ({"C": -1.0}, "C"),
        ({"C": np.nan}, "C"),
        ({"tol": 0}, "tol"),
        ({"max_iter": 0}, "max_iter"),
        ({"precision": "half"}, "precision"),
    ],
)
def test_bad_parameters_are_named(iris, parameters, culprit):
    with pytest.raises(ValueError, match=f"'{culprit}' parameter"):
        MultinomialLogistic(**parameters).fit(*iris)


def test_bad_data_are_named(iris):
    X, y = iris
    for value in (np.nan, np.inf):
        bad = X.copy()
        bad[3, 1] = value
        with pytest.raises(ValueError, match="X contains"):
            MultinomialLogistic().fit(bad, y)
    with pytest.raises(ValueError, match="class"):
        MultinomialLogistic().fit(X, np.zeros(150))
    with pytest.raises(ValueError, match="label type"):
        MultinomialLogistic().fit(X, np.linspace(0, 1, 150))
    with pytest.raises(ValueError, match="minimum of 1 is required"):
        MultinomialLogistic().fit(X[:0], y[:0])
    with pytest.raises(ValueError, match="features"):
        MultinomialLogistic().fit(X, y).predict(X[:, :2])


def test_bad_weights_are_named(iris):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    for weights, message in (
        (-np.ones(150), "sample_weight"),
        (np.zeros(150), "sample_weight"),
        (np.full(150, np.nan), "sample_weight"),
        (np.ones(149), "sample_weight"),
        ((y != 1).astype(float), "versicolor"),
    ):
        with pytest.raises(ValueError, match=message):
            MultinomialLogistic().fit(X, names, weights)


def test_overflowing_columns_are_named():
    X = np.array([[1e200, 1.0], [-1e200, 2.0], [0.0, 3.0]])
    with pytest.raises(ValueError, match="feature 0"):
        MultinomialLogistic().fit(X, [0, 1, 1])


@given(
    seed=st.integers(0, 2**32 - 1),
    n_samples=st.integers(2, 40),
    n_features=st.integers(1, 50),
    n_classes=st.integers(2, 6),
    log_unit=st.integers(-6, 6),
    log_C=st.integers(-6, 4),
    rank=st.integers(0, 5),
)
def test_awkward_shapes_are_solved(
    seed, n_samples, n_features, n_classes, log_unit, log_C, rank
):
    """The certificate holds against the dual objective, computed independently."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_samples, rank)) @ rng.standard_normal((rank, n_features))
    X = (X + rng.integers(-3, 3, n_features)) * 10.0**log_unit
    y = rng.integers(0, n_classes, n_samples)
    y[:2] = 0, 1
    C = 10.0**log_C
    model = MultinomialLogistic(C=C).fit(X, y)
    assert model.converged_
    P = model.predict_proba(X)
    Y = (y[:, None] == model.classes_).astype(float)
    # sums of residuals are zero, so P is dual feasible
    assert np.abs((P - Y).sum(axis=0)).max() <= 1e-10 * n_samples
    coef = C * (Y - P).T @ X
    entropy = -np.sum(P * np.log(np.maximum(P, 1e-300)))
    if P.shape[1] == 2:
        coef = coef[1:]
    dual = entropy - 0.5 * (coef**2).sum() / C
    primal = model.objective_ * n_samples
    assert primal - dual <= (model.dual_gap_ + 1e-9) * primal + 1e-9
    assert primal - dual >= -1e-9 * primal


def test_pickle_and_clone(iris):
    X, y = iris
    model = MultinomialLogistic(C=2.0).fit(X, y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    assert clone(model).get_params() == model.get_params()


def test_fits_are_reproducible(rng):
    X = rng.standard_normal((3000, 10))
    y = rng.integers(0, 4, 3000)
    first, second = (MultinomialLogistic().fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(first.coef_, second.coef_)


def test_fit_changes_no_input(rng):
    X = rng.standard_normal((300, 10))
    y = rng.integers(0, 4, 300)
    s = rng.uniform(size=300)
    copies = X.copy(), y.copy(), s.copy()
    for array in (X, y, s):
        array.flags.writeable = False
    MultinomialLogistic(class_weight="balanced").fit(X, y, s)
    for array, copy in zip((X, y, s), copies):
        np.testing.assert_array_equal(array, copy)


def test_verbose_prints_a_line_for_each_step_with_the_relative_gap(iris, capsys):
    model = MultinomialLogistic(verbose=1).fit(*iris)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    for line, entry in zip(lines, model.history_, strict=True):
        assert "objective" in line
        gap = float(re.search(r"dual gap (\S+)", line)[1])
        assert gap == pytest.approx(entry["dual_gap"], rel=1e-3)
    assert entry["dual_gap"] == model.dual_gap_ <= 1e-6
    assert model.objective_ < 0.5  # so that an absolute gap is another number


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


def test_callbacks_score_every_step(iris):
    X, y = iris
    monitor = ScoringMonitor(scoring="neg_log_loss")
    model = MultinomialLogistic().set_callbacks(monitor).fit(X, y)
    rows = [r for r in monitor.get_logs().data if r["task_name"] == "iteration"]
    assert len(rows) == model.n_iter_
    last = -log_loss(y, model.predict_proba(X))
    assert rows[-1]["neg_log_loss"] == pytest.approx(last, rel=1e-9)
    scores = [row["neg_log_loss"] for row in rows]
    assert scores[0] < scores[1] < last


def test_a_callback_can_stop_the_fit(iris):
    X, y = iris
    model = MultinomialLogistic().set_callbacks(Stop(2)).fit(X, y)
    assert model.n_iter_ == 2
    assert not model.converged_
