"""The columns of the table, shared by terminal and report."""

from typing import NamedTuple

import numpy as np

from skloss.compare.units import number, ratio, seconds, with_interval

__all__ = ["Column", "columns", "legend", "splits_in_words"]


class Column(NamedTuple):
    """One column as text.

    Attributes
    ----------
    title : str
    cells : list of str
    right : bool
        Whether cells are numbers, aligned right.
    rank : int
        Columns of low rank stay when there is little room.
    """

    title: str
    cells: list
    right: bool
    rank: int


def columns(comparison):
    """Columns of a comparison's table, without those that say nothing.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of Column
    """
    frame = comparison.to_frame()
    scores = comparison._problem.scores
    # One number of decimals for the whole column, taken from the best row.
    half = float((frame["high"] - frame["low"]).iloc[0] / 2)

    def cells(name, show):
        return [show(value) for value in frame[name]]

    scored = [
        with_interval(*row, unit=half)
        for row in frame[["score", "low", "high"]].itertuples(index=False)
    ]
    default = cells("default_score", lambda value: number(value, half))
    shown = [
        Column("model", frame["model"].tolist(), False, 0),
        Column(scores[0].label, scored, True, 1),
        Column("gain", _gains(comparison, frame), True, 2),
        Column("verdict", _verdicts(frame), False, 2),
        Column("untuned", default, True, 4),
        Column("fit", cells("fit_ratio", ratio), True, 3),
        Column("predict", cells("predict_ratio", ratio), True, 6),
        Column("certificate", frame["certificate"].tolist(), False, 8),
    ]
    for rank, score in enumerate(scores[1:]):
        cell = cells(score.key, lambda v: number(v, 0.01) if abs(v) <= 1 else number(v))
        shown.append(Column(score.label, cell, True, 5 + 2 * rank))
    shown += [
        Column("memory", cells("peak_memory_mib", _memory), True, 12),
        Column("compile", cells("compile_seconds", _compile), True, 13),
        Column("size", _sizes(frame), True, 11),
    ]
    return [c for c in shown if any(cell not in ("", "–") for cell in c.cells)]


def _memory(mebibytes):
    if np.isnan(mebibytes):
        return "–"
    return f"{mebibytes:.3g} MiB" if mebibytes >= 1 else f"{mebibytes * 1024:.0f} KiB"


def _compile(value):
    return "–" if np.isnan(value) or value == 0 else seconds(value)


def _sizes(frame):
    return [
        "" if np.isnan(size) else f"{size:,.0f} {unit}"
        for size, unit in zip(frame["size"], frame["size_unit"])
    ]


def _gains(comparison, frame):
    """Differences to the best built-in model; nothing where there is no test."""
    pairs = comparison.pairs().set_index("model")

    def cell(name):
        if name not in pairs.index:
            return ""
        gain, low, high = pairs.loc[name, ["gain", "low", "high"]]
        text = with_interval(gain, low, high)
        return f"+{text}" if gain > 0 else text

    return [cell(name) for name in frame["model"]]


def _verdicts(frame):
    """Verdicts; for models without a score, the kind of reason."""

    def cell(verdict, score, status):
        if verdict or np.isfinite(score):
            return verdict
        kind, colon, _ = status.partition(":")
        return kind if colon and kind in ("failed", "left out") else "no score"

    return [
        cell(*row) for row in zip(frame["verdict"], frame["score"], frame["status"])
    ]


def legend(comparison):
    """Explain the columns, in the order of the table.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    list of (str, str)
    """
    scores = comparison._problem.scores
    way = "higher" if scores[0].greater_is_better else "lower"
    meanings = {
        scores[0].label: f"{scores[0].meaning}; {way} is better; "
        "± half the 95 % interval, corrected for repeated splits",
        "gain": f"how much better {scores[0].label} is than that of the best built-in "
        "model; ± half the 95 % interval of the difference",
        "untuned": f"the same {scores[0].label} with the estimator's own defaults",
        **{score.label: score.meaning for score in scores[1:]},
        "fit": "time of one fit over that of the fastest built-in model",
        "predict": "time of predicting the test part, likewise",
        "memory": "extra memory at the worst moment of one fit",
        "compile": "extra time of the very first fit in this process",
        "size": "median over the splits",
        "certificate": "the model's own bound on its distance from the optimum",
        "verdict": "against the best built-in model; 'better' and 'worse' below 5 % "
        "after Holm's adjustment, otherwise 'tie'",
    }
    titles = [column.title for column in columns(comparison)]
    return [(title, meanings[title]) for title in titles if title in meanings]


def splits_in_words(comparison):
    """Table size and splits in one line.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    str
    """
    X, settings = comparison._problem.X, comparison._settings
    return (
        f"{len(X):,} rows, {X.shape[1]:,} columns, "
        f"{settings['n_repeats']} × {settings['n_folds']}-fold splits, "
        f"seed {settings['random_state']}, {comparison._run.seconds:.0f} s"
    )
