import ast
import shlex

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import ElasticNet, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skloss.compare import compare
from skloss.compare.cli import main
from skloss.compare.recipes import estimator_code, rerun_command, winner_code
from skloss.compare.registry import registered


def execute(code, **names):
    exec(compile(code, "<recipe>", "exec"), names)
    return names


def made_by(imports, expression):
    return eval(expression, execute("\n".join(imports)))


@pytest.mark.parametrize("entry", registered(), ids=lambda e: f"{e.task}-{e.name}")
def test_code_makes_the_same_estimator(entry):
    estimator = entry.make()
    imports, expression = estimator_code(estimator)
    if expression is None:  # arrays cannot be written in one line
        assert entry.name == "RidgeCV"
        return
    assert repr(made_by(imports, expression)) == repr(estimator)
    assert all("._" not in line for line in imports)


def test_only_what_differs_from_defaults_is_written():
    imports, expression = estimator_code(ElasticNet(alpha=0.1))
    assert imports == ["from sklearn.linear_model import ElasticNet"]
    assert expression == "ElasticNet(alpha=0.1)"
    nested = make_pipeline(StandardScaler(), LogisticRegression(C=2.0))
    assert repr(made_by(*estimator_code(nested))) == repr(nested)


def test_what_cannot_be_written_is_not_invented():
    step = FunctionTransformer(func=lambda X: X)
    assert estimator_code(make_pipeline(step, LogisticRegression()))[1] is None


def test_the_winner_of_a_file_runs_in_six_lines(tmp_path, monkeypatch, mixed, capsys):
    X, y = mixed
    X.assign(result=y).to_csv(tmp_path / "t able.csv", index=False)
    monkeypatch.chdir(tmp_path)
    options = "--estimators PooledGaussianNB,LogisticRegression --repeats 1"
    assert (
        main(
            ["compare", "--data", "t able.csv", "--target", "result", *options.split()]
        )
        == 0
    )
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    code = html_block(html, "Code that fits the best model")
    assert len(code.splitlines()) <= 6
    names = execute(code)
    assert set(names["model"].predict(X)) == {"up", "down"}
    assert names["model"].score(X, y) > 0.8
    assert (
        len(
            ast.literal_eval(capsys.readouterr().out.splitlines()[-1].replace(" ", ","))
        )
        == 5
    )


def html_block(html, label):
    import html as entities
    import re

    block = re.search(rf'aria-label="{label}"><code>(.*?)</code>', html, re.DOTALL)[1]
    return entities.unescape(block)


def test_the_winner_of_a_data_set_runs_in_six_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    options = "--estimators LogisticRegression --repeats 1 --report r.html"
    assert main(["compare", "--dataset", "wine", *options.split()]) == 0
    html = (tmp_path / "r.html").read_text(encoding="utf-8")
    code = html_block(html, "Code that fits the best model")
    assert len(code.splitlines()) <= 6
    assert hasattr(execute(code)["model"], "classes_")
    command = shlex.split(html_block(html, "Command that repeats this comparison"))
    assert command[:3] == ["python", "-m", "skloss"]

    def scores():
        lines = capsys.readouterr().out.splitlines()
        return next(line for line in lines if "LogisticRegression " in line).split()[:4]

    first = scores()
    assert main(command[3:]) == 0
    assert scores() == first


def test_the_winner_of_a_call_runs_on_the_same_names(numbers):
    X, y = numbers
    result = compare(
        X, y, estimators=LogisticRegression(), baselines=[], n_repeats=1, verbose=0
    )
    X = pd.DataFrame(X)
    names = execute(winner_code(result), X=X, y=y)
    expected = result.best_estimator_.predict(X.to_numpy())
    assert np.array_equal(names["model"].predict(X), expected)


def test_clusters_and_bags_have_code_that_runs(rng):
    X = pd.DataFrame(
        np.r_[rng.standard_normal((30, 2)), rng.standard_normal((30, 2)) + 6]
    )
    result = compare(X, estimators=[], baselines="KMeans", n_repeats=1, verbose=0)
    execute(winner_code(result), X=X)
    bags = np.repeat(np.arange(20), 3)
    y = np.repeat(X[0].to_numpy().reshape(20, 3).mean(axis=1), 3)
    result = compare(
        X,
        y,
        bags=bags,
        estimators=[],
        baselines="Ridge on bag means",
        n_repeats=1,
        verbose=0,
    )
    code = winner_code(result)
    assert "bagmeans__bags=bags" in code
    execute(code, X=X, y=y, bags=bags)


def test_commands_are_quoted():
    command = rerun_command(
        {"--data": "my file.csv", "--no-report": True, "--json": None}
    )
    assert command == "python -m skloss compare --data 'my file.csv' --no-report"
