import contextlib
import io
import pickle
import re
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin, _fit_context, clone
from sklearn.callback import CallbackSupportMixin, ProgressBar, ScoringMonitor
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.utils.validation import validate_data

from skloss._progress import Progress


class Step(NamedTuple):
    n_iter: int
    x: np.ndarray
    objective: float
    dual_gap: float = float("nan")
    converged: bool = False


class Descent(CallbackSupportMixin, RegressorMixin, BaseEstimator):
    """Gradient descent on least squares: every step changes the score."""

    _parameter_constraints = {}

    def __init__(self, max_iter=5, n_steps=None, verbose=0):
        self.max_iter = max_iter
        self.n_steps = n_steps
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        X_checked, y_checked = validate_data(self, X, y, dtype=np.float64)
        with Progress(
            self,
            X,
            y,
            max_iter=self.max_iter,
            verbose=self.verbose,
            sample_weight=sample_weight,
            attributes=self._attributes,
        ) as progress:
            coef = np.zeros(X_checked.shape[1])
            n_steps = self.max_iter if self.n_steps is None else self.n_steps
            for n_iter in range(1, n_steps + 1):
                residual = X_checked @ coef - y_checked
                coef -= 0.3 * X_checked.T @ residual / len(y_checked)
                last = self.n_steps is not None and n_iter == n_steps
                loss = 0.5 * np.mean(residual**2)
                if progress(Step(n_iter, coef, loss, converged=last)):
                    break
            self.n_iter_ = n_iter
            self.coef_ = coef
        return self

    def _attributes(self, info):
        return {"coef_": info.x.copy()}

    def predict(self, X):
        return X @ self.coef_


class Recorder:
    """A callback that writes down every hook, and may ask to stop."""

    def __init__(self, stop_at=None):
        self.stop_at = stop_at
        self.events = []
        self.n_ended = 0

    def setup(self, estimator, context):
        self.events.append("setup")

    def teardown(self, estimator, context):
        self.events.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.events.append(f"begin {context.task_name} {context.task_id}")

    def on_fit_task_end(self, estimator, context, *, metadata=None):
        self.events.append(f"end {context.task_name} {context.task_id}")
        self.metadata = metadata
        if context.parent is not None:
            self.n_ended += 1
            return self.n_ended == self.stop_at


@pytest.fixture
def data():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 3))
    return X, X @ [1.0, -2.0, 0.5] + 0.1 * generator.normal(size=60)


def test_scoring_monitor_sees_every_iterate(data):
    X, y = data
    monitor = ScoringMonitor(scoring="r2")
    model = Descent(max_iter=4).set_callbacks(monitor).fit(X, y)
    rows = [r for r in monitor.get_logs().data if r["task_name"] == "iteration"]
    assert [r["task_id"] for r in rows] == [0, 1, 2, 3]
    # The truth: the same descent, stopped after 1, 2, 3, 4 steps.
    expected = [
        r2_score(y, Descent(max_iter=k).fit(X, y).predict(X)) for k in (1, 2, 3, 4)
    ]
    np.testing.assert_allclose([r["r2"] for r in rows], expected, rtol=1e-14)
    root = [r for r in monitor.get_logs().data if r["task_name"] == "fit"]
    assert root[0]["r2"] == model.score(X, y)


def test_scoring_monitor_uses_sample_weight(data):
    X, y = data
    weight = np.random.default_rng(1).uniform(size=60)
    monitor = ScoringMonitor(scoring="r2")
    model = Descent(max_iter=2).set_callbacks(monitor).fit(X, y, sample_weight=weight)
    assert monitor.get_logs().data[-1]["r2"] == model.score(X, y, weight)


def test_dataframe_scores_without_warning(data):
    X, y = data
    monitor = ScoringMonitor(scoring="r2")
    Descent(max_iter=2).set_callbacks(monitor).fit(pd.DataFrame(X), y)
    assert len(monitor.get_logs().data) == 3


def test_progress_bar_reaches_the_end(data):
    screen = io.StringIO()
    with contextlib.redirect_stdout(screen):
        Descent(max_iter=7, n_steps=3).set_callbacks(ProgressBar()).fit(*data)
    assert "Descent - fit" in screen.getvalue()
    assert "100%" in screen.getvalue()


@pytest.mark.parametrize("n_steps", [None, 3])
def test_tasks_begin_and_end_in_pairs(data, n_steps):
    recorder = Recorder()
    Descent(max_iter=4, n_steps=n_steps).set_callbacks(recorder).fit(*data)
    steps = [
        f"{hook} iteration {i}"
        for i in range(n_steps or 4)
        for hook in ("begin", "end")
    ]
    expected = ["setup", "begin fit 0", *steps, "end fit 0", "teardown"]
    assert recorder.events == expected


def test_a_task_begun_in_vain_is_closed(data):
    class Stalling(Descent):
        def fit(self, X, y):
            with Progress(self, X, y, max_iter=9) as progress:
                progress(Step(1, np.zeros(1), 0.0))  # then gives up unannounced
            return self

    recorder = Recorder()
    Stalling().set_callbacks(recorder).fit(*data)
    begun = [e[6:] for e in recorder.events if e.startswith("begin")]
    ended = [e[4:] for e in recorder.events if e.startswith("end")]
    assert sorted(begun) == sorted(ended)


def test_a_callback_stops_the_fit(data):
    recorder = Recorder(stop_at=2)
    model = Descent(max_iter=50).set_callbacks(recorder).fit(*data)
    assert model.n_iter_ == 2
    assert recorder.events[-2:] == ["end fit 0", "teardown"]


def test_failing_fit_tears_down_and_shows_its_own_error(data):
    class Failing(Descent):
        def _attributes(self, info):
            raise RuntimeError("inside")

    monitor = ScoringMonitor(scoring="r2")
    model = Failing().set_callbacks(monitor)
    with pytest.raises(RuntimeError, match="inside"):
        model.fit(*data)
    assert not hasattr(model, "_callback_fit_ctx")


def test_grid_search_propagates_its_callbacks(data):
    monitor = ScoringMonitor(scoring="r2")
    search = GridSearchCV(Descent().set_callbacks(monitor), {"max_iter": [2, 3]}, cv=2)
    search.fit(*data)
    assert search.best_params_["max_iter"] == 3
    names = {row["task_name"] for row in monitor.get_logs().data}
    assert "iteration" in names


def test_verbose_prints_one_line_per_iteration(data, capsys):
    Descent(max_iter=3, verbose=1).fit(*data)
    lines = capsys.readouterr().out.splitlines()
    pattern = r"\[Descent\] iteration (\d)/3  objective [\d.e+-]+  [\d.]+ s"
    assert [re.fullmatch(pattern, line)[1] for line in lines] == ["1", "2", "3"]
    Descent(max_iter=3).fit(*data)
    assert capsys.readouterr().out == ""


def test_fitted_estimators_and_progress_pickle(data):
    model = Descent().fit(*data)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.coef_, model.coef_)
    progress = Progress(clone(model), max_iter=3, attributes=model._attributes)
    assert pickle.loads(pickle.dumps(progress)).max_iter == 3


def test_estimators_without_the_mixin_only_print(capsys):
    class Plain(BaseEstimator):
        pass

    with Progress(Plain(), max_iter=None, verbose=1) as progress:
        assert progress(Step(1, np.zeros(1), 2.0, dual_gap=0.5)) is False
    out = capsys.readouterr().out
    assert "[Plain] iteration 1  objective 2  dual gap 0.5" in out
