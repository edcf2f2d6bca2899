"""Putting the page together."""

import datetime
import platform
import re
from importlib import metadata
from pathlib import Path

from skloss import __version__
from skloss.compare.closeups import draw_closeup
from skloss.compare.errors import require
from skloss.compare.figures import draw_costs, draw_differences
from skloss.compare.layout import columns, legend, splits_in_words
from skloss.compare.recipes import rerun_call, winner_code
from skloss.compare.report.svg import draw_svg
from skloss.compare.units import number

__all__ = ["html_fragment", "write_report"]

_PACKAGES = ("scikit-learn", "numpy", "scipy", "pandas", "skrub", "numba")


def write_report(path, comparisons):
    """Write one self-contained HTML file.

    Parameters
    ----------
    path : path-like
    comparisons : list of Comparison

    Returns
    -------
    Path
    """
    path = Path(path)
    path.write_text(_render("page.html", comparisons), encoding="utf-8")
    return path


def html_fragment(comparison):
    """Answer, table and figures for notebooks, with styles of their own.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    return _render("fragment.html", [comparison])


def _render(template, comparisons):
    jinja2 = require("jinja2")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("skloss.compare.report", "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["humps"] = _humps
    return environment.get_template(template).render(
        version=__version__,
        date=datetime.date.today().isoformat(),
        versions=_versions(),
        sections=[_section(c, f"c{i}") for i, c in enumerate(comparisons)],
    )


def _humps(name):
    """Let a long class name break before its capitals."""
    markup = require("markupsafe")
    parts = re.split(r"(?<=[a-z])(?=[A-Z])", name)
    return markup.Markup("<wbr>").join(parts)


def _versions():
    parts = [f"skloss {__version__}", f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            parts.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(parts)


def _section(comparison, anchor):
    """Everything the template shows of one comparison."""
    frame = comparison.to_frame()
    return {
        "anchor": anchor,
        "name": comparison.name,
        "answer": comparison.answer,
        "task": comparison.task,
        "columns": columns(comparison),
        "sides": frame["side"].tolist(),
        "remarks": [
            (model, status)
            for model, status in zip(frame["model"], frame["status"])
            if status
        ],
        "legend": legend(comparison),
        "figures": list(_figures(comparison, anchor)),
        "closeups": list(_closeups(comparison, anchor)),
        "facts": _facts(comparison),
        "searches": _searches(comparison),
        "pairs": _pairs(comparison),
        "rerun": comparison._source.get("command") or rerun_call(comparison),
        "code": winner_code(comparison),
        "winner": comparison.winner,
    }


def _figures(comparison, anchor):
    """Yield the figures that every task has, with title, drawing and text."""
    plain = {
        "What is really different": draw_differences,
        "What a score costs": draw_costs,
    }
    for key, (title, draw) in enumerate(plain.items()):
        drawn = draw_svg(lambda ax, d=draw: d(comparison, ax), f"{anchor}f{key}")
        if drawn is not None:
            yield {"title": title, "svg": drawn[0], "text": drawn[1]}


def _closeups(comparison, anchor):
    """Yield the figure of the task, if there is one."""
    titles = []

    def closer(ax):
        found = draw_closeup(comparison, ax)
        if found is None:
            return None
        titles.append(found[0])
        return found[1]

    drawn = draw_svg(closer, f"{anchor}f9")
    if drawn is not None:
        yield {"title": titles[0], "svg": drawn[0], "text": drawn[1]}


def _facts(comparison):
    """List what was done, as terms and descriptions."""
    problem, run = comparison._problem, comparison._run
    facts = [
        ("Data", splits_in_words(comparison)),
        (
            "Task",
            f"{comparison.task}, because {comparison.task_reason}"
            if not comparison.task_reason.startswith("as ")
            else f"{comparison.task}, {comparison.task_reason}",
        ),
    ]
    if problem.classes is not None:
        facts.append(("Classes", _classes(problem)))
    facts += [("Note", note) for note in comparison.notes]
    inner = "the same rows" if problem.task == "clustering" else "the same folds"
    facts += [
        (
            "Splits",
            f"{len(run.splits)} random splits, the same for every model; encoding, "
            "imputation and scaling learned from training rows only",
        ),
        (
            "Tuning",
            f"inner search by {problem.tuning_score.label} within each training part "
            f"({inner} and the same share of the time); defaults take part",
        ),
        (
            "Threads",
            "one per fit, for all models, because the table is small"
            if run.one_thread
            else "as each model chooses",
        ),
        (
            "Test",
            "corrected resampled t-test (Nadeau and Bengio, 2003) against the best "
            "built-in model, Holm's adjustment, level 5 %",
        ),
        (
            "Time",
            f"{run.seconds:.1f} of {comparison._settings['time_budget']:.3g} s"
            + (
                f", and {run.compiling:.1f} s for compiling once"
                * (run.compiling > 0.1)
            ),
        ),
    ]
    return facts


def _classes(problem):
    counts = [(problem.y == code).sum() for code in range(len(problem.classes))]
    shown = [f"{label} ({count:,})" for label, count in zip(problem.classes, counts)]
    more = f" and {len(shown) - 12} more" if len(shown) > 12 else ""
    order = "from low to high: " if problem.task == "ordinal" else ""
    return order + ", ".join(shown[:12]) + more


def _searches(comparison):
    """Grid, candidates tried and choice of each model."""
    rows = []
    for record in comparison._run.records:
        candidates = record.model.candidates
        names = sorted({key for candidate in candidates for key in candidate})
        grid = "; ".join(f"{name}: {_values(candidates, name)}" for name in names)
        chosen = ", ".join(f"{k}={_value(v)}" for k, v in record.most_chosen().items())
        rows.append(
            (
                record.model.name,
                grid or "nothing to tune",
                f"{max(record.n_candidates, 1)} of {len(candidates)}",
                chosen or "the defaults",
            )
        )
    return rows


def _values(candidates, name):
    seen = []
    for candidate in candidates:
        if name in candidate and candidate[name] not in seen:
            seen.append(candidate[name])
    if all(isinstance(v, (int, float)) for v in seen):
        seen.sort()
    return ", ".join(map(_value, seen))


def _value(value):
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _pairs(comparison):
    """Differences as rows of text."""
    rows = []
    for row in comparison.pairs().itertuples():
        unit = (row.high - row.low) / 2
        rows.append(
            (
                row.model,
                row.against,
                number(row.gain, unit),
                f"{number(row.low, unit)} to {number(row.high, unit)}",
                _p_value(row.p_value),
                _p_value(row.p_holm),
                row.verdict,
            )
        )
    return rows


def _p_value(p):
    if p != p:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
