"""What the subcommands ``compare`` and ``list`` do."""

import contextlib
import importlib
import inspect
import json
import os
import time
from pathlib import Path

from skloss.compare.comparison import Comparison, compare
from skloss.compare.errors import (
    InputError,
    MissingExtra,
    first_line,
    require,
    suggestion,
)
from skloss.compare.recipes import rerun_command
from skloss.compare.registry import TASKS, registered
from skloss.compare.tables import read_table
from skloss.compare.terminal import console, discard_output, print_comparison

__all__ = ["run_compare", "run_list"]

# Task -> bundled data for a run without arguments, which shows the tasks that skloss
# has an estimator for.
_SHOWCASE = {
    "classification": ("breast_cancer", "wine", "vowel"),
    "ordinal": ("anes96",),
    "regression": ("diabetes",),
    "sparse": ("diabetes",),
    "clustering": ("wine",),
}
# Part of the budget that data sets share even when compiling used up the time.
_LEAST = 0.3
_DEFAULTS = {
    "--task": "auto",
    "--repeats": 5,
    "--folds": 2,
    "--time-budget": 60,
    "--max-rows": 20_000,
    "--seed": 0,
    "--report": "report.html",
}


def run_compare(arguments):
    """Compare on a file, a bundled data set or the showcase.

    Parameters
    ----------
    arguments : argparse.Namespace

    Returns
    -------
    int
        Exit code.
    """
    _check_combinations(arguments)
    _check_outputs(arguments)
    out = console()
    comparisons = []
    for source, left in _sources(arguments):
        comparison = _compare_one(arguments, source, left)
        comparison._source |= {"command": _command(arguments, source, left)}
        comparisons.append(comparison)
        try:
            print_comparison(comparison, out)
        except BrokenPipeError:
            discard_output()  # the report is still wanted
        if comparison.interrupted:
            break
    _write(arguments, comparisons, out)
    if comparisons[-1].interrupted:
        return 130
    return 3 if any(c.failed for c in comparisons) else 0


def _check_combinations(arguments):
    for name in ("data", "target", "dataset", "bags", "order", "estimators", "report"):
        value = getattr(arguments, name)
        if value is not None and not value.strip(" ,"):
            raise InputError("must not be empty", name)
    if arguments.data and arguments.dataset:
        raise InputError("give either a file or a data set, not both", "dataset")
    if not arguments.data:
        for name in ("target", "bags"):
            if getattr(arguments, name) is not None:
                raise InputError("needs --data FILE to take the column from", name)
    if arguments.order and not arguments.data:
        raise InputError("needs --data FILE", "order")
    known = ["auto", *TASKS]
    if arguments.task not in known:
        raise InputError(
            f"unknown task {arguments.task!r}{suggestion(arguments.task, TASKS)}; "
            f"choose from {', '.join(TASKS)}",
            "task",
        )


def _check_outputs(arguments):
    """Refuse now what could not be written after a minute of work."""
    if not arguments.no_report:
        require("matplotlib")
        require("jinja2")
    outputs = {"json": arguments.json}
    outputs["report"] = None if arguments.no_report else arguments.report
    taken = {} if arguments.data is None else {_resolved(arguments.data): "the data"}
    for name, file in outputs.items():
        if file is None:
            continue
        with _writing(name):
            path = _resolved(file)
            if path.is_dir():
                raise InputError(f"{file} is a folder, not a file", name)
            if not path.parent.is_dir():
                raise InputError(f"there is no folder {path.parent}", name)
            if path in taken:
                raise InputError(f"{file} would overwrite {taken[path]}", name)
            if not os.access(path if path.exists() else path.parent, os.W_OK):
                raise PermissionError(file)
        taken[path] = f"the file of --{name}"


def _resolved(file):
    try:
        return Path(file).resolve()
    except ValueError:  # a name that no file can have
        return Path(file)


def _sources(arguments):
    """Yield sources to compare on, each with its share of the time left by then."""
    budget, start = arguments.time_budget, time.perf_counter()
    if arguments.data:
        yield {"file": arguments.data}, budget
        return
    if arguments.dataset:
        yield {"dataset": arguments.dataset}, budget
        return
    names = _showcase(arguments.task)
    for position, name in enumerate(names):
        left = budget - (time.perf_counter() - start)
        yield {"dataset": name}, max(left, _LEAST * budget) / (len(names) - position)


def _showcase(task):
    """Pick data sets of a task, or of every task that skloss has estimators for."""
    served = {entry.task for entry in registered(baseline=False)}
    wanted = served & _SHOWCASE.keys() if task == "auto" else {task}
    names = [name for key, sets in _SHOWCASE.items() if key in wanted for name in sets]
    if not names:
        raise InputError(
            f"no bundled data set serves {task!r}; give --data FILE", "task"
        )
    return names


def _compare_one(arguments, source, time_budget):
    X, y, bags, task, notes = _data(arguments, source)
    estimators = None
    if arguments.estimators:
        names = arguments.estimators.split(",")
        estimators = [name.strip() for name in names if name.strip()]
    result = compare(
        X,
        y,
        task=task,
        estimators=estimators,
        bags=bags,
        order=arguments.order.split(",") if arguments.order else None,
        scoring=arguments.scoring,
        n_repeats=arguments.repeats,
        n_folds=arguments.folds,
        time_budget=time_budget,
        max_rows=arguments.max_rows,
        random_state=arguments.seed,
        n_jobs=arguments.jobs,
        name=source.get("dataset") or Path(source["file"]).name,
    )
    if "dataset" in source and arguments.task == "auto":
        result._problem.reason = "as the data set says"
    source |= {"target": arguments.target, "bags": arguments.bags}
    return Comparison(result._problem, result._run, result._settings, source, notes)


def _data(arguments, source):
    """Table, target, bags, task and notes of a source."""
    if "file" in source:
        from skloss.compare.cleaning import split_columns

        table, notes = read_table(source["file"])
        name = Path(source["file"]).name
        X, y, bags = split_columns(table, arguments.target, arguments.bags, source=name)
        if y is None and arguments.task not in ("auto", "clustering"):
            raise InputError(
                f"the task {arguments.task} needs a target column", "target"
            )
        return X, y, bags, arguments.task, notes
    from skloss.datasets import list_datasets, load

    if source["dataset"] not in list_datasets():
        raise InputError(
            f"unknown data set {source['dataset']!r}"
            f"{suggestion(source['dataset'], list_datasets())}; "
            f"choose from {', '.join(list_datasets())}",
            "dataset",
        )
    bunch = load(source["dataset"])
    task = bunch.task if arguments.task == "auto" else arguments.task
    y = None if task == "clustering" else bunch.target
    return bunch.data, y, None, task, []


def _command(arguments, source, time_budget):
    """Write the exact command that repeats this comparison."""
    options = {
        "--data": source.get("file"),
        "--target": arguments.target,
        "--dataset": source.get("dataset"),
        "--bags": arguments.bags,
        "--order": arguments.order,
        "--task": arguments.task,
        "--estimators": arguments.estimators,
        "--scoring": arguments.scoring,
        "--repeats": arguments.repeats,
        "--folds": arguments.folds,
        "--time-budget": float(f"{time_budget:.3g}"),
        "--max-rows": arguments.max_rows,
        "--seed": arguments.seed,
        "--jobs": arguments.jobs,
        "--report": None if arguments.no_report else arguments.report,
        "--no-report": arguments.no_report,
        "--json": arguments.json,
    }
    return rerun_command(
        {
            option: value
            for option, value in options.items()
            if option not in _DEFAULTS or value != _DEFAULTS[option]
        }
    )


def _write(arguments, comparisons, out):
    """Write the report and the JSON file, and say where they are."""
    from rich.text import Text

    out.print()
    # The tables first: drawing can fail in more ways than writing numbers can.
    if arguments.json:
        tables = [comparison.to_dict() for comparison in comparisons]
        text = json.dumps({"comparisons": tables}, indent=2, ensure_ascii=False)
        with _writing("json"):
            Path(arguments.json).write_text(text + "\n", encoding="utf-8")
        out.print(Text(f"tables: {arguments.json}", style="dim"))
    if not arguments.no_report:
        from skloss.compare.report import write_report

        with _writing("report"):
            path = write_report(arguments.report, comparisons)
        out.print(Text(f"report: {path}", style="dim"))


@contextlib.contextmanager
def _writing(name):
    """Blame the option when its file cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(f"cannot be written ({first_line(error)})", name) from error


def run_list():
    """Print families and estimators, one line each.

    Returns
    -------
    int
        Exit code.
    """
    out = console()
    families = {}
    for entry in registered(baseline=False):
        if entry.family:
            families.setdefault(entry.family, {}).setdefault(entry.name, []).append(
                entry
            )
    from rich.text import Text

    for family, estimators in families.items():
        out.print(Text(f"skloss.{family}", style="bold"))
        width = max(map(len, estimators))
        for name, entries in estimators.items():
            tasks = ", ".join(entry.task for entry in entries)
            line = f"  {name:<{width}}  {tasks}: {_summary(entries[0])}"
            out.print(Text(line), soft_wrap=True)
    out.print()
    out.print(Text("tasks and their built-in rivals", style="bold"))
    width = max(map(len, TASKS))
    for task, purpose in TASKS.items():
        rivals = ", ".join(entry.name for entry in registered(task, baseline=True))
        out.print(Text(f"  {task:<{width}}  {purpose}; {rivals}"), soft_wrap=True)
    return 0


def _summary(entry):
    """First line of an estimator's documentation."""
    try:
        if isinstance(entry.estimator, str):
            module, _, name = entry.estimator.partition(":")
            source = getattr(importlib.import_module(module), name)
        else:
            source = entry.estimator
        return (inspect.getdoc(source) or "").partition("\n")[0].rstrip(".")
    except MissingExtra:
        raise
    except Exception as error:
        return f"cannot be imported ({first_line(error)})"
