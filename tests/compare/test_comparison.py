import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.cluster import MiniBatchKMeans
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_regression
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import log_loss
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC, SVR
from statsmodels.stats.multitest import multipletests

from skloss.cluster import KMedoids
from skloss.compare import InputError, compare, prepare
from skloss.compare.costs import certificate_of, size_of
from skloss.compare.statistics import corrected_t_test
from skloss.compare.words import _faster, answer
from skloss.sparse import BestSubsetRegressor

QUICK = {"baselines": ["GaussianNB", "DummyClassifier"], "n_repeats": 2, "verbose": 0}


@pytest.fixture(scope="module")
def result(numbers):
    return compare(
        *numbers,
        estimators=[
            "PooledGaussianNB",
            LogisticRegression(),
            RandomForestClassifier(5),
        ],
        baselines=["GaussianNB", "LinearDiscriminantAnalysis", "DummyClassifier"],
        verbose=0,
    )


def test_the_frame_is_tidy_and_sorted(result):
    frame = result.to_frame()
    assert not isinstance(frame.columns, pd.MultiIndex)
    assert len(frame) == 6 and frame["model"].is_unique
    assert frame["score"].is_monotonic_increasing
    assert set(frame["side"]) == {"ours", "built-in", "dummy"}
    assert (frame["n_splits"] == 10).all()
    models = frame[frame["side"] != "dummy"]
    assert (models["low"] < models["score"]).all()
    assert (models["score"] < models["high"]).all()
    assert frame["model"][0] == result.winner
    fits = frame[frame["side"] == "built-in"]["fit_ratio"]
    assert fits.min() == 1
    frame["score"] = 0
    assert result.to_frame()["score"].ne(0).all()


def test_scores_and_pairs_equal_a_computation_by_hand(result, numbers):
    X, y = numbers
    run, records = result._run, {r.model.name: r for r in result._run.records}
    scores = {}
    for name, record in records.items():
        scores[name] = []
        for number, (train, test) in enumerate(run.splits):
            model = clone(record.model.estimator)
            model = prepare(model, pd.DataFrame(X), scale=record.model.scale)
            last = model.steps[-1][1]
            last.set_params(**record.chosen[number])
            if "random_state" in last.get_params():
                last.set_params(random_state=0)
            model.fit(X[train], y[train])
            scores[name].append(log_loss(y[test], model.predict_proba(X[test])))
    frame = result.to_frame().set_index("model")
    for name, values in scores.items():
        assert frame.loc[name, "score"] == pytest.approx(np.mean(values), rel=1e-6)
    pairs = result.pairs()
    rival = pairs["against"][0]
    means = {
        n: np.mean(scores[n]) for n in ("GaussianNB", "LinearDiscriminantAnalysis")
    }
    assert rival == min(means, key=means.get)
    p_values = []
    for row in pairs.itertuples():
        gains = np.subtract(scores[rival], scores[row.model])
        test = corrected_t_test(gains, 40, 40)
        p_values.append(test.p_value)
        assert row.gain == pytest.approx(test.mean, rel=1e-5, abs=1e-9)
        assert (row.low, row.high) == pytest.approx((test.low, test.high), rel=1e-5)
        assert row.p_value == pytest.approx(test.p_value, rel=1e-4)
    adjusted = multipletests(p_values, method="holm")[1]
    assert pairs["p_holm"].to_numpy() == pytest.approx(adjusted, rel=1e-4)


def test_verdicts_follow_the_adjusted_p_values(result):
    for row in result.pairs().itertuples():
        if row.p_holm >= 0.05:
            assert row.verdict == "tie"
        else:
            assert row.verdict == ("better" if row.gain > 0 else "worse")


def test_pairs_by_another_score(result):
    pairs = result.pairs("accuracy")
    assert set(pairs["metric"]) == {"accuracy"}
    with pytest.raises(InputError, match="choose from log_loss, accuracy"):
        result.pairs("r2")


def test_the_best_estimator_is_fitted_on_all_rows(mixed):
    X, y = mixed
    result = compare(X, y, estimators=[LogisticRegression()], **QUICK)
    model = result.best_estimator_
    assert result.winner == "LogisticRegression"
    assert model is result.best_estimator_
    assert set(model.predict(X)) == {"up", "down"}
    assert model.score(X, y) > 0.8
    assert model.n_features_in_ == X.shape[1]


def test_json_holds_the_tables(result, tmp_path):
    loaded = json.loads(result.to_json(tmp_path / "out.json"))
    assert loaded == json.loads((tmp_path / "out.json").read_text())
    assert [m["model"] for m in loaded["models"]] == list(result.to_frame()["model"])
    assert len(loaded["pairs"]) == 3
    assert loaded["winner"] == result.winner
    assert loaded["settings"]["random_state"] == 0


def test_the_answer_has_two_sentences_and_the_right_name(result):
    text = result.answer
    assert text.count(". ") == 1 and text.endswith(".")
    assert result.winner in text


def test_plot_and_notebook_view(result):
    figure = result.plot()
    assert len(figure.axes) == 2
    html = result._repr_html_()
    assert "<table>" in html and html.count("<svg") == 2
    assert result.winner in repr(result)


def test_estimators_come_in_many_forms(numbers):
    X, y = numbers
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    result = compare(
        X,
        y,
        estimators={
            "mine": pipeline,
            "tuned": (pipeline, {"logisticregression__C": [0.1, 1.0]}),
            "class": RandomForestClassifier,
        },
        **QUICK,
    )
    frame = result.to_frame().set_index("model")
    assert {"mine", "tuned", "class"} <= set(frame.index)
    assert frame["status"].eq("").all()
    names = compare(
        X,
        y,
        estimators=[Ridge, Ridge()],
        task="regression",
        verbose=0,
        baselines=[],
        n_repeats=1,
    ).to_frame()["model"]
    assert sorted(names) == ["Ridge", "Ridge (2)"]


def test_pipelines_that_read_tables_get_the_raw_table(mixed):
    X, y = mixed
    chooser = make_column_transformer(
        (OneHotEncoder(), ["sort"]), ("passthrough", ["größe"])
    )
    result = compare(
        X, y, estimators=make_pipeline(chooser, LogisticRegression()), **QUICK
    )
    assert result.complete
    assert result.best_estimator_.score(X, y) > 0.8


def test_naming_built_in_models_restricts_the_rivals(numbers):
    result = compare(*numbers, estimators=["PooledGaussianNB", "GaussianNB"], verbose=0)
    assert set(result.to_frame()["model"]) == {
        "PooledGaussianNB",
        "GaussianNB",
        "DummyClassifier",
    }


@pytest.mark.parametrize(
    "arguments, parameter",
    [
        ({"estimators": "NoSuchModel"}, "estimators"),
        ({"estimators": "sklearn.svm:NoSuchModel"}, "estimators"),
        ({"estimators": [object()]}, "estimators"),
        ({"estimators": [], "baselines": []}, "estimators"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"n_folds": 1}, "n_folds"),
        ({"time_budget": -1}, "time_budget"),
        ({"max_rows": 2.5}, "max_rows"),
        ({"random_state": None}, "random_state"),
        ({"task": "guess"}, "task"),
        ({"estimators": 3}, "estimators"),
        ({"estimators": (Ridge(), {}, 1)}, "estimators"),
        ({"estimators": (LogisticRegression(), {"C": 1.0})}, "estimators"),
        ({"estimators": (LogisticRegression(), {"c": [1.0]})}, "estimators"),
        ({"n_jobs": 0}, "n_jobs"),
        ({"n_jobs": "all"}, "n_jobs"),
        ({"random_state": 2**40}, "random_state"),
        ({"time_budget": None}, "time_budget"),
    ],
)
def test_bad_arguments_are_named(numbers, arguments, parameter):
    with pytest.raises(InputError) as caught:
        compare(*numbers, verbose=0, **arguments)
    assert caught.value.parameter == parameter
    assert "\n" not in str(caught.value)


def test_named_built_in_models_stay_when_baselines_are_given(numbers):
    result = compare(
        *numbers,
        estimators=["LogisticRegression", "PooledGaussianNB"],
        **QUICK,
    )
    frame = result.to_frame().set_index("model")
    assert frame["side"].to_dict() == {
        "LogisticRegression": "built-in",
        "PooledGaussianNB": "ours",
        "GaussianNB": "built-in",
        "DummyClassifier": "dummy",
    }


def test_only_built_in_models_is_not_called_a_gap_of_ours(numbers):
    result = compare(*numbers, estimators="GaussianNB", **QUICK)
    assert result.answer.endswith("Only built-in models were asked for.")


def test_regression_has_a_model_of_ours():
    X, y = make_regression(60, 4, noise=1.0, random_state=0)
    result = compare(X, y, **QUICK | {"baselines": "Ridge", "task": "regression"})
    sides = result.to_frame().set_index("model")["side"].to_dict()
    assert sides["RandomFeatureRidgeCV"] == "ours"


@pytest.mark.parametrize("container", ["dict", "lazy", "frame", "polars"])
def test_tables_of_other_libraries(numbers, container):
    X, y = numbers
    forms = {
        "dict": {"a": X[:, 0], "b": X[:, 1]},
        "lazy": pl.DataFrame(X, schema=["a", "b"]).lazy(),
        "polars": pl.DataFrame(X, schema=["a", "b"]),
        "frame": pd.DataFrame(X, columns=["a", "b"]),
    }
    options = {"estimators": "PooledGaussianNB", "baselines": "GaussianNB", **QUICK}
    table = compare(forms[container], y, **options).to_frame()
    assert (
        table["score"].tolist() == compare(X, y, **options).to_frame()["score"].tolist()
    )


def test_labels_of_mixed_kinds_are_read_as_text(numbers):
    X, y = numbers
    labels = np.array([1, "a"], dtype=object)[y]
    result = compare(X, labels, estimators="PooledGaussianNB", **QUICK)
    assert set(result.best_estimator_.predict(X)) == {"1", "a"}


def test_praise_names_the_rivals_that_were_cut_short(numbers):
    result = compare(
        *numbers,
        estimators=LogisticRegression(),
        baselines={"tuned": (GaussianNB(), {"var_smoothing": [1.0, 2.0]})},
        verbose=0,
    )
    ours, rival = result._run.records
    for split, scores in ours.tuned.items():
        scores["log_loss"] = rival.tuned[split]["log_loss"] - 1 - split / 1000
    whole = answer(result._run, result._problem)
    assert "beats that of tuned" in whole and "cut short" not in whole
    rival.n_candidates = 0
    cut = answer(result._run, result._problem)
    assert "; tuned was cut short by the time budget" in cut
    assert cut.count(". ") == 1


def run(X, y=None, **options):
    return compare(X, y, n_repeats=2, time_budget=30, verbose=0, **options)


def test_regression_against_its_rivals(rng):
    X = rng.standard_normal((80, 3))
    y = X[:, 0] + 0.1 * rng.standard_normal(80)
    rivals = ["Ridge", "KernelRidge (RBF)", "RBFSampler + Ridge", "DummyRegressor"]
    result = run(X, y, estimators=SVR(), baselines=rivals)
    assert result.task == "regression"
    frame = result.to_frame().set_index("model")
    assert frame.loc[["Ridge", "SVR", "KernelRidge (RBF)"], "r2"].gt(0.5).all()
    assert frame.loc["DummyRegressor", "r2"] < 0.1
    assert result.best_estimator_.predict(X[:2]).shape == (2,)


def test_sparse_finds_the_columns(rng):
    X = rng.standard_normal((80, 30))
    y = 2 * X[:, 3] - X[:, 7] + 0.1 * rng.standard_normal(80)
    frame = run(X, y, task="sparse", estimators=[]).to_frame().set_index("model")
    assert frame.loc["OrthogonalMatchingPursuitCV", "size"] < 8
    assert frame.loc["RidgeCV", "size"] == 30
    assert set(frame["size_unit"]) == {"features", ""}


def test_ordered_classes(rng):
    X = rng.standard_normal((120, 2))
    y = np.array(["low", "mid", "high"])[np.digitize(X[:, 0], [-0.6, 0.6])]
    result = run(
        X,
        y,
        order=["low", "mid", "high"],
        estimators=[],
        baselines=["LogisticRegression", "DummyClassifier"],
    )
    assert result.task == "ordinal"
    frame = result.to_frame().set_index("model")
    assert {"rare_log_loss", "absolute_error"} <= set(frame.columns)
    assert frame.loc["LogisticRegression", "score"] < 0.6
    # Codes follow the order given, not the alphabet.
    low = result.best_estimator_.predict(X[X[:, 0] < -1.5])
    assert set(low) == {0}


@pytest.mark.parametrize("kind", ["numbers", "shares", "rows"])
def test_bags(rng, kind):
    bags = np.repeat(np.arange(40), 4)
    X = rng.standard_normal((160, 2)) + 0.7 * rng.standard_normal((40, 2))[bags]
    rows = X[:, 0] if kind != "shares" else (X[:, 0] > 0) * 1.0
    means = np.bincount(bags, weights=rows) / 4
    y = rows if kind == "rows" else means[bags]
    result = run(X, y, bags=bags, estimators=[])
    assert result.task == "aggregate" and result.complete
    frame = result.to_frame().set_index("model")
    best, dummy = frame["score"].iloc[0], frame.loc["DummyRegressor", "score"]
    assert best < 0.5 * dummy
    left_out = frame.loc["LogisticRegression on bag means", "status"]
    assert left_out.startswith("left out") == (kind != "shares")
    assert "Ridge" in result.winner or "Logistic" in result.winner
    assert len(result.best_estimator_.predict(X)) == 160


def test_clusters(rng):
    centres = np.repeat([[0, 0], [8, 0], [0, 8]], 30, axis=0)
    X = rng.standard_normal((90, 2)) + centres
    ours = (MiniBatchKMeans(n_init=3), {"n_clusters": [2, 3, 4]})
    result = run(X, estimators=ours)
    assert result.task == "clustering"
    frame = result.to_frame().set_index("model")
    assert frame.loc["KMeans", "size"] == 3
    assert (
        frame.loc["KMeans", "score"] > 0.7 > 0.1 > frame.loc["Random labels", "score"]
    )
    assert "medoid_loss" in frame
    assert len(np.unique(result.best_estimator_.fit_predict(X))) == 3


def test_medoids_take_part(rng):
    centres = np.repeat([[0, 0], [8, 0], [0, 8]], 30, axis=0)
    result = run(rng.standard_normal((90, 2)) + centres)
    frame = result.to_frame().set_index("model")
    for name in ("KMedoids", "CLARA"):
        assert frame.loc[name, "size"] == 3
        assert frame.loc[name, "score"] > 0.7
    ours, *_, rival = result._run.records
    said = _faster(ours, rival, 0.25)  # there is nothing to predict
    assert said == f"{ours.model.name} fits 4 times faster"


def test_bounds_are_certificates(rng):
    X = np.repeat([[0.0], [9.0]], 5, axis=0) + rng.standard_normal((10, 1))
    proven = make_pipeline(StandardScaler(), KMedoids(2, bound=True)).fit(X)
    assert certificate_of(proven).startswith("gap")
    assert certificate_of(KMedoids(2).fit(X)) == ""


def test_subsets_have_a_size_and_proofs_show_the_relative_gap(rng):
    X, y = rng.standard_normal((40, 6)), rng.standard_normal(40)
    searched = BestSubsetRegressor(3, random_state=0).fit(X, y)
    assert certificate_of(searched) == ""
    proven = BestSubsetRegressor(3, method="exact", random_state=0).fit(X, y)
    assert certificate_of(proven) == "gap 0"
    assert size_of(proven) == (3, "features")
    machine = SVC(kernel="rbf").fit(X, y > 0)
    assert size_of(machine) == (len(machine.support_vectors_), "support vectors")


def test_noise_is_called_noise(rng):
    X, y = rng.standard_normal((60, 3)), np.repeat([0, 1], 30)
    result = compare(X, y, estimators=LogisticRegression(), **QUICK)
    assert "no model is clearly better than guessing" in result.answer


def test_clusters_are_scored_in_the_same_space(rng):
    X = rng.standard_normal((60, 2)) * [1, 1000]
    X[30:, 0] += 8
    result = run(X, estimators={"given": (MiniBatchKMeans(), {"n_clusters": [2]})})
    frame = result.to_frame().set_index("model")
    assert frame.loc["Random labels", "medoid_loss"] < 4
    assert frame.loc["given", "medoid_loss"] < 4


def test_given_estimators_are_scaled_but_pipelines_are_left_alone(numbers):
    X, y = numbers
    forms = {
        "bare": KNeighborsClassifier(),
        "pipeline": make_pipeline(StandardScaler(), KNeighborsClassifier()),
        "unscaled": make_pipeline(KNeighborsClassifier()),
    }
    result = compare(X * [1, 1000], y, estimators=forms, **QUICK)
    accuracy = result.to_frame().set_index("model")["accuracy"]
    assert accuracy["bare"] == accuracy["pipeline"] > accuracy["unscaled"] + 0.1
