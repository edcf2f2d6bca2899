import os
import signal
import threading
import time

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.cluster import DBSCAN, KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
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


class Leaving(Slow):
    """Ends the program."""

    def fit(self, X, y):
        raise SystemExit("enough")


class Unclonable(Slow):
    """Changes a parameter in its constructor."""

    def __init__(self, nap=0):
        self.nap = nap + 1


class Fickle(Slow):
    """Fails from the third fit on, or for some parameters."""

    fits = 0

    def fit(self, X, y):
        if self.level == 2:
            raise ValueError("level 2 is not possible")
        Fickle.fits += 1
        if self.level == 3 and Fickle.fits > 2:
            raise ValueError("not again")
        return super().fit(X, y)


class Spoiling(Slow):
    """Overwrites the rows it is given."""

    def fit(self, X, y):
        X[:] = 0
        return super().fit(X, y)

    def predict_proba(self, X):
        X[:] = 0
        return super().predict_proba(X)


class Deaf(Slow):
    """Ignores every interruption, as compiled code does."""

    def fit(self, X, y):
        end = time.perf_counter() + self.nap
        while time.perf_counter() < end:
            try:
                time.sleep(0.05)
            except BaseException:
                continue
        return super().fit(X, y) if self.nap == 0 else Slow(0).fit(X, y)


class Warming(Slow):
    """Needs more time for the first fit than for all others."""

    fits, first = 0, 0.0

    def fit(self, X, y):
        Warming.fits += 1
        if Warming.fits == 1:
            time.sleep(Warming.first)
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


@pytest.mark.parametrize(
    "estimator, reason",
    [
        (Leaving(), "failed: SystemExit: enough"),
        (Unclonable(), "failed: RuntimeError: Cannot clone"),
        (Fickle(0, level=3), "failed: ValueError: not again"),
        (SVR(), "failed: it does not predict classes"),
        (KMeans(), "failed: it does not predict classes"),
        (StandardScaler(), "failed: it has no predict"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_whatever_goes_wrong_is_told_in_the_table(numbers, estimator, reason):
    result = compare(
        *numbers, estimators=estimator, baselines=RIVALS, n_repeats=2, verbose=0
    )
    name = type(estimator).__name__
    frame = result.to_frame().set_index("model")
    assert frame.loc[name, "status"].startswith(reason)
    assert frame.loc["GaussianNB", "n_splits"] == 4
    assert list(result.unfinished()) == [name]
    assert "has a score, for the reasons given below the table" in result.answer


def test_estimators_of_the_wrong_kind_are_turned_away_from_numbers(rng):
    X = rng.standard_normal((40, 2))
    options = {"baselines": "Ridge", "n_repeats": 1, "verbose": 0}
    classifier = LogisticRegression()
    frame = compare(X, X[:, 0], estimators=classifier, **options).to_frame()
    assert frame["status"].iloc[-1] == "failed: it does not predict numbers"
    options["baselines"] = "KMeans"
    frame = compare(X, estimators=DBSCAN(), **options).to_frame().set_index("model")
    assert not frame.loc["DBSCAN", "status"].startswith("failed")
    frame = compare(X, estimators=classifier, **options).to_frame()
    assert frame["status"].iloc[-1] == "failed: it has no fit_predict"


def test_candidates_that_fail_are_counted(numbers):
    grid = {"level": [0, 1, 2], "nap": [0]}
    result = compare(
        *numbers,
        estimators=(Fickle(0), grid),
        baselines=RIVALS,
        n_repeats=1,
        verbose=0,
    )
    status = result.to_frame().set_index("model").loc["Fickle", "status"]
    reason = "ValueError: level 2 is not possible"
    assert status == f"1 of 4 candidates failed, {reason}"
    assert result.complete


def test_rows_that_a_stranger_overwrites_stay_whole_for_others(numbers):
    def scores(estimators):
        result = compare(
            *numbers, estimators=estimators, baselines=RIVALS, n_repeats=2, verbose=0
        )
        return result.to_frame().set_index("model")["score"]

    neighbours = KNeighborsClassifier()
    alone = scores([neighbours])
    beside = scores([Spoiling(0), neighbours])
    for name in ("KNeighborsClassifier", "GaussianNB"):
        assert beside[name] == alone[name]


@pytest.mark.parametrize("first", [1.0, 3.0])
def test_a_slow_first_fit_does_not_cut_the_search(numbers, first):
    # As after an import or a load from disk inside the first fit.
    Warming.fits, Warming.first = 0, first
    result = compare(
        *numbers,
        estimators=(Warming(0), {"level": [1, 2, 3, 4]}),
        baselines=RIVALS,
        n_repeats=1,
        time_budget=12,
        verbose=0,
    )
    row = result.to_frame().set_index("model").loc["Warming"]
    assert row["status"] == ""
    assert row["compile_seconds"] == pytest.approx(first, abs=0.3)
    assert row["fit_seconds"] < 0.3


def test_what_was_fitted_before_time_ran_out_is_kept(numbers):
    result = compare(
        *numbers,
        estimators=[LogisticRegression(), Deaf(1.5)],
        baselines=RIVALS,
        time_budget=0.5,
        verbose=0,
    )
    frame = result.to_frame().set_index("model")
    for name in ("LogisticRegression", *RIVALS):
        assert frame.loc[name, "n_splits"] == 1
        assert np.isfinite(frame.loc[name, "score"])
        status = frame.loc[name, "status"]
        assert status.startswith("out of time after 1 of 10 splits")
    assert "too few to tell a difference" in result.answer
    # One fit that cannot be stopped, not two.
    assert result._run.seconds < 2.5


def test_who_is_too_slow_for_the_time_is_no_failure_unless_all_are(numbers):
    result = compare(
        *numbers,
        estimators=[LogisticRegression()],
        baselines=RIVALS,
        n_repeats=1,
        verbose=0,
    )
    assert not result.failed
    for record in result._run.records:
        record.tuned.clear()
        assert result.failed
        record.stopped = "left out: one fit takes about 9 s, too long for its share"
        everybody = record is result._run.records[-1]
        assert result.failed == everybody


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
    reasons = ("time allowed", "out of time", "left out")
    assert any(reason in status for reason in reasons)
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
