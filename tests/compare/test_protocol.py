import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from skloss.compare import compare
from skloss.compare.features import TableFeatures
from skloss.compare.models import select_models
from skloss.compare.problem import make_problem, outer_splits
from skloss.compare.protocol import run_protocol

RIVALS = ["GaussianNB", "DummyClassifier"]
TIMES = ["seconds", "ratio", "memory"]


class Slow(ClassifierMixin, BaseEstimator):
    """Predicts class shares after a nap."""

    def __init__(self, nap=0.3, level=0):
        self.nap = nap
        self.level = level

    def fit(self, X, y):
        time.sleep(self.nap)
        self.classes_, counts = np.unique(y, return_counts=True)
        self.share_ = counts / counts.sum()
        return self

    def predict_proba(self, X):
        return np.tile(self.share_, (len(X), 1))

    def predict(self, X):
        return np.full(len(X), self.classes_[self.share_.argmax()])


class Failing(Slow):
    """Fails in fit."""

    def fit(self, X, y):
        raise RuntimeError("cannot be fitted\nwith details on a second line")


class Interrupting(Slow):
    """Behaves for some fits, then does what Ctrl-C does."""

    fits = 0

    def fit(self, X, y):
        Interrupting.fits += 1
        if Interrupting.fits > 6:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        return super().fit(X, y)


class Recording(Slow):
    """Keeps every training part it sees."""

    seen = []

    def fit(self, X, y):
        Recording.seen.append(np.array(X))
        return super().fit(X, y)


@pytest.fixture
def ctrl_c():
    """Python's own handler of Ctrl-C, which background processes run without."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def steady(frame):
    """A table without what depends on the clock."""
    return frame.drop(columns=[c for c in frame if any(t in c for t in TIMES)])


def test_the_same_seed_gives_the_same_table(numbers):
    def table(seed):
        estimators = [DecisionTreeClassifier(max_depth=2), "PooledGaussianNB"]
        result = compare(
            *numbers,
            estimators=estimators,
            baselines=["LogisticRegression", *RIVALS],
            n_repeats=2,
            random_state=seed,
            verbose=0,
        )
        return steady(result.to_frame()), result.pairs()

    for one, other in zip(table(1), table(1)):
        pd.testing.assert_frame_equal(one, other)
    assert not table(1)[0].equals(table(2)[0])


def test_processes_change_speed_only(numbers):
    def table(n_jobs):
        result = compare(
            *numbers,
            estimators=(KNeighborsClassifier(), {"n_neighbors": [3, 9, 15]}),
            baselines=RIVALS,
            n_repeats=1,
            n_jobs=n_jobs,
            verbose=0,
        )
        return steady(result.to_frame())

    pd.testing.assert_frame_equal(table(None), table(2))


def test_tuning_by_inner_folds_equals_grid_search(numbers):
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from skloss.compare.problem import inner_folds

    X, y = numbers
    grid = {"C": [1e-3, 1e-2, 0.1]}
    problem = make_problem(X, y)
    models = select_models(problem, (LogisticRegression(), grid), RIVALS)
    run = run_protocol(problem, models, n_repeats=1)
    for number, (train, test) in enumerate(run.splits):
        search = GridSearchCV(
            make_pipeline(StandardScaler(), LogisticRegression()),
            {"logisticregression__C": [*grid["C"], 1.0]},
            scoring="neg_log_loss",
            cv=inner_folds(problem, train, number),
        ).fit(X[train], y[train])
        record = run.records[0]
        chosen = record.chosen[number].get("C", 1.0)
        assert chosen == search.best_params_["logisticregression__C"]
        expected = -search.score(X[test], y[test])
        assert record.tuned[number]["log_loss"] == pytest.approx(expected, rel=1e-6)


def test_all_models_meet_the_same_rows(numbers):
    Recording.seen = []
    compare(
        *numbers,
        estimators={"a": Recording(0)},
        baselines={"b": Recording(0)},
        n_repeats=2,
        verbose=0,
    )
    # Memory is measured on one more fit of each, on the first split.
    parts = {}
    for X in Recording.seen:
        parts[X.tobytes()] = parts.get(X.tobytes(), 0) + 1
    assert len(parts) == 4
    assert all(count % 2 == 0 for count in parts.values())


def test_the_encoder_never_sees_test_rows(mixed, monkeypatch):
    X, y = mixed
    X = X.assign(row=np.arange(len(X))[::-1] * 2.0 + (np.arange(len(X)) % 2))
    seen = []
    fit = TableFeatures.fit

    def spy(self, table, y=None):
        seen.append(set(table["row"]))
        return fit(self, table, y)

    monkeypatch.setattr(TableFeatures, "fit", spy)
    problem = make_problem(X, y)
    run_protocol(problem, select_models(problem, [], RIVALS), n_repeats=2)
    splits = outer_splits(problem, 2, 2, 0)
    rows = problem.X["row"].to_numpy()
    assert seen == [set(rows[train]) for train, _ in splits]


@pytest.mark.parametrize("leak", ["number", "text"])
def test_a_target_leaked_into_test_rows_changes_nothing(numbers, leak):
    X, y = numbers
    train, test = np.arange(40), np.arange(40, 80)
    column = np.zeros(80) if leak == "number" else np.full(80, "same", dtype=object)
    column[test] = y[test] if leak == "number" else np.where(y[test], "yes", "no")

    def scores(table):
        problem = make_problem(table, y)
        # Models on which a column that is constant in training rows has no effect.
        names = ["LogisticRegression", "GaussianNB", "HistGradientBoostingClassifier"]
        models = select_models(problem, [DecisionTreeClassifier(max_depth=2)], names)
        run = run_protocol(problem, models, splits=[(train, test)])
        return {
            r.model.name: (r.chosen[0], r.tuned[0], r.default[0]) for r in run.records
        }

    plain = pd.DataFrame(X, columns=["a", "b"])
    clean, leaking = scores(plain), scores(plain.assign(leak=column))
    assert clean.keys() == leaking.keys()
    for name, (chosen, *both) in clean.items():
        assert leaking[name][0] == chosen
        for before, after in zip(both, leaking[name][1:]):
            assert after == pytest.approx(before, rel=1e-6)


def test_a_failing_model_stops_nobody_else(numbers):
    result = compare(*numbers, estimators=Failing(), baselines=RIVALS, verbose=0)
    frame = result.to_frame().set_index("model")
    assert frame.loc["Failing", "status"] == "failed: RuntimeError: cannot be fitted"
    assert np.isnan(frame.loc["Failing", "score"])
    assert frame.loc["GaussianNB", "n_splits"] == 10
    assert result.winner == "GaussianNB"
    assert list(result.unfinished()) == ["Failing"]
    assert not result.complete


def test_an_estimator_that_cannot_be_imported_is_a_failure_in_the_table(numbers):
    from skloss.compare import register
    from skloss.compare.registry import unregister

    entry = register("classification", "skloss_nowhere:Nothing", {})
    try:
        result = compare(*numbers, baselines=RIVALS, n_repeats=1, verbose=0)
    finally:
        unregister(entry)
    status = result.to_frame().set_index("model").loc["Nothing", "status"]
    assert status.startswith("failed: ModuleNotFoundError")


@pytest.mark.parametrize("nap", [0.15, 1.0, 30.0])
def test_the_time_budget_is_kept(numbers, nap):
    budget = 4.0
    start = time.perf_counter()
    result = compare(
        *numbers,
        estimators=(Slow(nap), {"level": [1, 2, 3, 4, 5, 6]}),
        baselines=RIVALS,
        time_budget=budget,
        verbose=0,
    )
    assert time.perf_counter() - start < 1.2 * budget
    frame = result.to_frame().set_index("model")
    assert frame.loc["GaussianNB", "n_splits"] == 10
    status = frame.loc["Slow", "status"]
    assert "time allowed" in status or "out of time" in status
    assert not result.interrupted


def test_interrupting_keeps_what_was_finished(numbers, ctrl_c):
    Interrupting.fits = 0
    result = compare(*numbers, estimators=Interrupting(0), baselines=RIVALS, verbose=0)
    assert result.interrupted
    frame = result.to_frame().set_index("model")
    assert 2 <= frame.loc["GaussianNB", "n_splits"] < 10
    assert "interrupted after" in frame.loc["GaussianNB", "status"]
    assert np.isfinite(frame.loc["GaussianNB", "score"])


def test_it_works_outside_the_main_thread(numbers):
    results = []
    thread = threading.Thread(
        target=lambda: results.append(
            compare(*numbers, estimators=[], baselines=RIVALS, verbose=0)
        )
    )
    thread.start()
    thread.join()
    assert results[0].complete


def test_models_without_probabilities_keep_their_other_scores(numbers):
    from sklearn.svm import LinearSVC

    result = compare(
        *numbers, estimators=(LinearSVC(), {"C": [0.1, 1]}), baselines=RIVALS, verbose=0
    )
    row = result.to_frame().set_index("model").loc["LinearSVC"]
    assert np.isnan(row["score"]) and row["accuracy"] > 0.6
    assert "log_loss is not defined" in row["status"]
    decided = compare(
        *numbers,
        estimators=LinearSVC(),
        baselines=RIVALS,
        scoring="accuracy",
        verbose=0,
    )
    assert decided.to_frame()["score"].notna().all()


def test_convergence_is_reported_and_nothing_is_printed(numbers, capfd, recwarn):
    X, y = numbers
    model = LogisticRegression(max_iter=2)
    result = compare(X * [1, 1e3], y, estimators=(model, {}), baselines=[], verbose=0)
    status = result.to_frame()["status"][0]
    assert status == "not converged in 10 of 10 fits"
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list
