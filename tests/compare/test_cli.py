import io
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import skloss
from skloss.compare import compare
from skloss.compare.cli import main
from skloss.compare.terminal import console, print_comparison

FAST = ["--estimators", "GaussianNB", "--repeats", "1", "--no-report"]


@pytest.fixture
def folder(tmp_path, monkeypatch, mixed):
    X, y = mixed
    table = X.assign(target=y, price=np.arange(len(X)) * 1.5, one="same")
    table["bag"] = np.arange(len(X)) // 3
    ranks = np.digitize(X["größe"], [-0.5, 0.5])
    table["rank"] = np.array(["low", "mid", "high"])[ranks]
    table.to_csv(tmp_path / "data.csv", index=False)
    table.to_parquet(tmp_path / "data.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 broken")
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "header.csv").write_text("a,b\n")
    prices = [f"{2 + i / 7:.2f}" for i in range(60)]
    for file, texts in {
        "prices": ["unknown", *prices[1:]],
        "euros": [f"{price} €" for price in prices],
    }.items():
        rows = [f"{i % 7},{text}" for i, text in enumerate(texts)]
        (tmp_path / f"{file}.csv").write_text("\n".join(["x,price", *rows]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments):
    return main(["compare", *map(str, arguments)])


def test_version_help_and_nothing(capsys):
    for flag in ("--version", "--help"):
        with pytest.raises(SystemExit) as caught:
            main([flag])
        assert caught.value.code == 0
    printed = capsys.readouterr().out
    assert skloss.__version__ in printed
    assert "skloss compare --data flowers.csv --target species" in printed
    assert main([]) == 0
    assert "examples:" in capsys.readouterr().out


def test_help_needs_none_of_the_heavy_packages():
    code = (
        "import sys; from skloss.compare.cli import main\n"
        "try: main(['compare', '--help'])\n"
        "except SystemExit: pass\n"
        "assert not {'numpy', 'sklearn', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_a_file_gives_table_answer_report_and_json(folder, capsys):
    code = run(
        "--data",
        "data.csv",
        "--target",
        "target",
        "--estimators",
        "GaussianNB",
        "--repeats",
        1,
        "--json",
        "out.json",
    )
    printed = capsys.readouterr()
    assert code == 0 and printed.err == ""
    for words in (
        "data.csv",
        "classification",
        "log-loss",
        "GaussianNB",
        "0.69",
        "report: report.html",
        "dropped 1 column that never changes: 'one'",
    ):
        assert words in printed.out
    assert (folder / "report.html").stat().st_size > 10_000
    (tables,) = json.loads((folder / "out.json").read_text())["comparisons"]
    assert {m["model"] for m in tables["models"]} == {"GaussianNB", "DummyClassifier"}


@pytest.mark.parametrize(
    "arguments, task",
    [
        (["--target", "target"], "classification"),
        (["--target", "rank", "--order", "low,mid,high"], "ordinal"),
        (["--target", "price"], "regression"),
        (["--target", "price", "--task", "sparse"], "sparse"),
        (["--target", "price", "--bags", "bag"], "aggregate"),
        ([], "clustering"),
    ],
)
def test_every_task_from_a_file(folder, capsys, arguments, task):
    rivals = {
        "classification": "GaussianNB",
        "ordinal": "LogisticRegression",
        "regression": "Ridge",
        "sparse": "LassoCV",
        "aggregate": "Ridge on bag means",
        "clustering": "KMeans",
    }
    options = ["--estimators", rivals[task], "--repeats", 1, "--no-report"]
    assert run("--data", "data.parquet", *arguments, *options) == 0
    assert f"data.parquet · {task} (" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments, option, words",
    [
        (["--data", "absent.csv", "--target", "y"], "--data", "no file absent.csv"),
        (["--data", "empty.csv"], "--data", "is empty"),
        (["--data", "header.csv"], "--data", "no rows"),
        (["--data", "broken.parquet"], "--data", "damaged"),
        (["--data", ".", "--target", "y"], "--data", "folder"),
        (["--data", "data.csv", "--target", "targte"], "--target", "did you mean"),
        (["--data", "data.csv", "--target", "one"], "--target", "one class only"),
        (
            ["--data", "data.csv", "--target", "target", "--task", "regression"],
            "--target",
            "needs numbers",
        ),
        (
            ["--data", "data.csv", "--target", "rank", "--task", "ordinal"],
            "--order",
            "order",
        ),
        (["--data", "data.csv", "--task", "regression"], "--target", "needs a target"),
        (
            ["--data", "data.csv", "--target", "price", "--bags", "x"],
            "--bags",
            "no column",
        ),
        (["--data", "data.csv", "--dataset", "wine"], "--dataset", "not both"),
        (["--target", "y"], "--target", "needs --data"),
        (["--dataset", "titanic"], "--dataset", "choose from"),
        (["--task", "guessing"], "--task", "choose from classification"),
        (["--dataset", "wine", "--estimators", "Nope"], "--estimators", "choose from"),
        (["--dataset", "wine", "--scoring", "nope"], "--scoring", "unknown score"),
        (["--dataset", "wine", "--repeats", "0"], "--repeats", "at least 1"),
        (["--dataset", "wine", "--folds", "1"], "--folds", "at least 2"),
        (["--dataset", "wine", "--time-budget", "0"], "--time-budget", "positive"),
        (["--dataset", "wine", "--seed", "-1"], "--seed", "at least 0"),
        (["--dataset", "wine", "--time-budget", "nan"], "--time-budget", "positive"),
        (["--dataset", "wine", "--seed", str(10**12)], "--seed", "at most"),
        (["--dataset", "wine", "--jobs", "0"], "--jobs", "other than 0"),
        (["--dataset", "wine", "--folds", "72"], "--folds", "no class has 72 rows"),
        (["--dataset", "wine", "--estimators", " , "], "--estimators", "empty"),
        (["--dataset", ""], "--dataset", "empty"),
        (["--data", ""], "--data", "empty"),
        (["--data", "a\0.csv"], "--data", "cannot be read"),
        (["--data", "data.csv", "--target", "Target"], "--target", "mean 'target'"),
        (["--dataset", "Winee"], "--dataset", "did you mean 'wine'"),
        (["--dataset", "wine", "--estimators", "Ridge"], "--estimators", "regression"),
        (
            ["--dataset", "wine", "--estimators", "GausianNB"],
            "--estimators",
            "did you mean 'GaussianNB'",
        ),
        (["--data", "data.csv", "--report", "data.csv"], "--report", "the data"),
        (
            ["--dataset", "wine", "--report", "one", "--json", "one"],
            "--report",
            "the file of --json",
        ),
        (
            ["--dataset", "wine", "--report", "r" * 300],
            "--report",
            "cannot be written",
        ),
        (["--data", "prices.csv", "--target", "price"], "--target", "1 of 60 values"),
        (["--data", "euros.csv", "--target", "price"], "--target", "number or a name"),
        (["--dataset", "wine", "--report", "no/such/r.html"], "--report", "no folder"),
        (["--dataset", "wine", "--json", "."], "--json", "is a folder"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    folder, capsys, arguments, option, words
):
    assert run(*arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (line,) = printed.err.splitlines()
    assert line.startswith(f"skloss compare: argument {option}: ")
    assert words in line


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["compare", "--nonsense"], "arguments: --nonsense"),
        (["compare", "--time-budget", "soon"], "argument --time-budget: "),
        (["compare", "--repeats", "2.5"], "argument --repeats: "),
        (["compare", "--target"], "argument --target: "),
        (["compair"], "choose from 'compare', 'list', 'warmup'"),
    ],
)
def test_what_the_parser_refuses_is_one_line_too(capsys, arguments, words):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_an_unknown_family_is_one_line_too(capsys):
    assert main(["warmup", "nosuch"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("skloss warmup: argument family: unknown family 'nosuch'")


def test_tables_are_written_when_the_report_cannot_be(folder, capsys, monkeypatch):
    def full(path, comparisons):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("skloss.compare.report.write_report", full)
    options = ["--estimators", "GaussianNB", "--repeats", 1, "--json", "out.json"]
    assert run("--dataset", "wine", *options) == 2
    assert "argument --report: cannot be written" in capsys.readouterr().err
    assert json.loads((folder / "out.json").read_text())["comparisons"]


def test_consoles_without_signs_get_letters_and_straight_columns(folder):
    options = ["--estimators", "GaussianNB", "--repeats", "2", "--no-report"]
    done = subprocess.run(
        [sys.executable, "-m", "skloss", "compare", "--dataset", "wine", *options],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        check=True,
    )
    text = done.stdout.decode("ascii")
    assert done.stderr == b"" and "?" not in text
    rows = [line for line in text.splitlines() if " ~ " in line]
    assert len(rows) == 2
    assert len({row.index("~") for row in rows}) == 1


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_tables_fit_narrow_and_wide_terminals(numbers, width):
    options = {"estimators": "PooledGaussianNB", "baselines": "GaussianNB"}
    result = compare(*numbers, n_repeats=2, verbose=0, **options)
    stream = io.StringIO()
    out = console(stream)
    out.width = width
    print_comparison(result, out)
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    shown = "PooledGaussianNB" in stream.getvalue()
    assert shown or width < 40
    assert ("memory" in stream.getvalue()) == (width == 200)


def test_unfinished_estimators_mean_exit_code_3(folder, capsys):
    (folder / "broken_model.py").write_text(
        "from sklearn.naive_bayes import GaussianNB\n"
        "class Broken(GaussianNB):\n"
        "    def fit(self, X, y):\n"
        "        raise ValueError('out of order')\n"
    )
    sys.path.insert(0, str(folder))
    try:
        code = run(
            "--dataset",
            "wine",
            "--estimators",
            "broken_model:Broken,GaussianNB",
            "--repeats",
            1,
            "--no-report",
        )
    finally:
        sys.path.remove(str(folder))
    assert code == 3
    assert "Broken: failed: ValueError: out of order" in capsys.readouterr().out


def test_results_of_some_splits_are_results(monkeypatch, capsys):
    """A model that is slow on a busy machine is told of, but is no failure."""
    from skloss.compare.comparison import Comparison

    monkeypatch.setattr(Comparison, "complete", False)
    assert run("--dataset", "wine", *FAST) == 0


def test_a_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    assert run("--dataset", "wine", *FAST) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert 'pip install "skloss[compare]"' in error and "rich" in error


def test_a_report_without_matplotlib_is_refused_before_the_work(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run("--dataset", "wine", "--estimators", "GaussianNB") == 2
    printed = capsys.readouterr()
    assert printed.out == "" and "matplotlib" in printed.err
    assert run("--dataset", "wine", *FAST) == 0


def test_list_names_every_estimator_once_with_its_task(capsys):
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "skloss.linear_eval" in lines
    for name in ("PooledGaussianNB", "MultinomialLogistic"):
        (line,) = [line for line in lines if line.strip().startswith(name)]
        assert "classification: " in line and "cannot be imported" not in line


def test_ctrl_c_reports_what_was_finished(folder):
    # Python in a background process ignores Ctrl-C unless it is told otherwise.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from skloss.compare.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    (folder / "slow_model.py").write_text(
        "import pathlib, time\n"
        "from sklearn.naive_bayes import GaussianNB\n"
        "class Slow(GaussianNB):\n"
        "    def fit(self, X, y):\n"
        "        fits = pathlib.Path('fits'); fits.open('a').write('x')\n"
        "        time.sleep(0.2)\n"
        "        return super().fit(X, y)\n"
    )
    names = "slow_model:Slow,GaussianNB"
    command = [
        sys.executable,
        "-c",
        code,
        "compare",
        "--dataset",
        "wine",
        "--estimators",
        names,
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        encoding="utf-8",
    )
    fits = folder / "fits"
    while process.poll() is None and not (fits.exists() and fits.stat().st_size >= 6):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert "interrupted after" in out and "GaussianNB" in out
    assert "Traceback" not in out + err
    assert (folder / "report.html").exists()


def test_a_million_rows_are_sampled(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    x = rng.standard_normal(1_000_000).round(3)
    y = np.where(x + rng.standard_normal(1_000_000) > 0, "b", "a")
    pd.DataFrame({"x": x, "y": y}).to_parquet("big.parquet")
    assert run("--data", "big.parquet", "--target", "y", *FAST) == 0
    assert "random sample of 20,000 of 1,000,000 rows" in capsys.readouterr().out


def test_awkward_columns_from_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    n = 6_000
    level = rng.integers(0, 5_000, n)
    table = pd.DataFrame(
        {
            "level": [f"Straße {i}" for i in level],
            "date": pd.date_range("2000-01-01", periods=n, freq="h").astype(str),
            "空": np.nan,
            "wahr": rng.random(n) > 0.5,
            "y": np.where(level % 2, "nein", "ja"),
        }
    )
    text = table.to_csv(index=False, sep=";")
    (tmp_path / "t.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert run("--data", "t.csv", "--target", "y", *FAST) == 0
    assert "'空'" in capsys.readouterr().out


def test_two_thousand_columns(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.standard_normal((100, 2_000))).add_prefix("x")
    X.assign(y=np.where(X["x0"] > 0, "a", "b")).to_csv("wide.csv.gz", index=False)
    assert run("--data", "wide.csv.gz", "--target", "y", *FAST) == 0
    assert "2,000 columns" in capsys.readouterr().out


def test_the_report_is_written_for_a_reader_of_the_first_lines(tmp_path):
    options = ["--dataset", "wine", "--estimators", "GaussianNB", "--repeats", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "skloss", "compare", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    )
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_a_reader_who_has_had_enough_is_no_error():
    command = [sys.executable, "-m", "skloss", "list"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    assert process.stderr.read() == ""
    assert process.wait() == 0
