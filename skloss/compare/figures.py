"""Figures of a comparison: differences, score against time, a closer look.

Every drawing function takes a comparison and matplotlib axes, draws, and returns what
the figure says in words, so that nobody needs to see it to know.
"""

import itertools

import numpy as np

from skloss.compare.errors import require
from skloss.compare.results import best_of, paired
from skloss.compare.units import number, seconds

__all__ = [
    "COLOURS",
    "PLAIN_TEXT",
    "bare",
    "draw_costs",
    "draw_differences",
    "draw_scores",
    "marker_of",
    "overview",
]

# Chosen to keep apart in print and for the colour-blind; the report replaces them by
# its own, which follow the reader's light or dark setting.
COLOURS = {
    "ours": "#c2410c",
    "built-in": "#1d4ed8",
    "dummy": "#6b7280",
    "ink": "#1f2933",
    "faint": "#d5dae1",
}
# Names may hold dollar signs, which are no mathematics.
PLAIN_TEXT = {"text.parse_math": False}


def overview(comparison):
    """Scores with intervals, and score against fit time.

    Parameters
    ----------
    comparison : Comparison

    Returns
    -------
    matplotlib Figure
    """
    matplotlib = require("matplotlib")
    figure_type = require("matplotlib.figure").Figure
    with matplotlib.rc_context(PLAIN_TEXT):
        figure = figure_type(figsize=(11, 4.2), layout="constrained")
        left, right = figure.subplots(1, 2)
        draw_scores(comparison, left)
        draw_costs(comparison, right)
        figure.suptitle(comparison.name)
    return figure


def marker_of(side):
    """Sign of a side, so that it can be told without its colour.

    Parameters
    ----------
    side : {"ours", "built-in", "dummy"}

    Returns
    -------
    dict
        For matplotlib's ``plot``.
    """
    return {"marker": "s" if side == "built-in" else "o", "color": COLOURS[side]}


def _scored(comparison, dummies=True):
    """Rows of models with a score, best first."""
    frame = comparison.to_frame()
    known = frame["score"].notna() & (dummies | (frame["side"] != "dummy"))
    return frame[known]


def _score_axis(comparison):
    score = comparison._problem.scores[0]
    way = "higher" if score.greater_is_better else "lower"
    return score, f"{score.label} ({way} is better)"


def bare(ax):
    """Take away all lines that carry no meaning.

    Parameters
    ----------
    ax : matplotlib Axes
    """
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(COLOURS["faint"])
    ax.tick_params(colors=COLOURS["ink"], length=0)
    ax.xaxis.label.set_color(COLOURS["ink"])
    ax.yaxis.label.set_color(COLOURS["ink"])
    ax.set_axisbelow(True)


def _intervals(ax, names, values, sides):
    """Dots with intervals, one model a line, the first on top.

    ``values`` holds (centre, low, high) of each model; without bounds, only a dot.
    """
    for i, ((centre, low, high), side) in enumerate(zip(values, sides)):
        if np.isfinite(high - low):
            colour = COLOURS[side]
            ax.plot([low, high], [i, i], color=colour, lw=2, solid_capstyle="round")
        ax.plot(centre, i, **marker_of(side), ms=6)
        # Above the line, where long names do not take room from the intervals.
        ax.text(
            0,
            i - 0.28,
            names[i],
            transform=ax.get_yaxis_transform(),
            va="center",
            color=COLOURS["ink"],
        )
    ax.set_yticks([])
    ax.set_ylim(len(names) - 0.6, -0.6)
    ax.grid(axis="x", color=COLOURS["faint"], lw=0.6)
    bare(ax)


def draw_scores(comparison, ax):
    """Draw the score of every model with its interval.

    Parameters
    ----------
    comparison : Comparison
    ax : matplotlib Axes

    Returns
    -------
    str
        What the figure says.
    """
    _, label = _score_axis(comparison)
    shown = _scored(comparison, dummies=False)
    values = shown[["score", "low", "high"]].to_numpy()
    _intervals(ax, shown["model"].tolist(), values, shown["side"])
    ax.set_xlabel(label)
    parts = [f"{m} {number(s)}" for m, s in zip(shown["model"], shown["score"])]
    return f"{label}: " + ", ".join(parts)


def draw_differences(comparison, ax):
    """Draw the gain of every model over the best built-in one.

    Parameters
    ----------
    comparison : Comparison
    ax : matplotlib Axes

    Returns
    -------
    str
        What the figure says; None when there is nothing to compare with.
    """
    run, score = comparison._run, comparison._problem.scores[0]
    rival = best_of(run, score, {"built-in"})
    if rival is None:
        return None
    names = list(_scored(comparison, dummies=False)["model"])
    records = {record.model.name: record for record in run.records}
    others = [records[name] for name in names if name != rival.model.name]
    tests = [paired(run, score, record, rival) for record in others]
    if not tests:
        return None
    values = [(test.mean, test.low, test.high) for test in tests]
    names = [record.model.name for record in others]
    _intervals(ax, names, values, [record.model.side for record in others])
    ax.axvline(0, color=COLOURS["ink"], lw=1)
    ax.set_xlabel(f"gain in {score.label} over {rival.model.name}  (better →)")
    said = [
        f"{name} {number(mean, high - low)} ({number(low, high - low)} to "
        f"{number(high, high - low)})"
        for name, (mean, low, high) in zip(names, values)
    ]
    return (
        f"Gain in {score.label} over {rival.model.name} with 95 % intervals, positive "
        "is better: " + ", ".join(said)
    )


def draw_costs(comparison, ax):
    """Draw score against fit time, every model labelled.

    Parameters
    ----------
    comparison : Comparison
    ax : matplotlib Axes

    Returns
    -------
    str
        What the figure says.
    """
    score, label = _score_axis(comparison)
    shown = _scored(comparison, dummies=False)
    times, values = shown["fit_seconds"].to_numpy(), shown["score"].to_numpy()
    for x, y, side in zip(times, values, shown["side"]):
        ax.plot(x, y, **marker_of(side), ms=7)
    _time_axis(ax)
    if not score.greater_is_better:
        ax.invert_yaxis()  # better is up in every report
    ax.margins(0.12)
    ax.set_xlabel("time of one fit (faster ←)")
    ax.set_ylabel(label)
    ax.grid(color=COLOURS["faint"], lw=0.6)
    bare(ax)
    _label_points(ax, times, values, shown["model"].tolist(), list(shown["side"]))
    said = [
        f"{model} {number(value)} in {seconds(time)}"
        for model, value, time in zip(shown["model"], values, times)
    ]
    return f"{score.label} and time of one fit: " + ", ".join(said)


def _time_axis(ax):
    """Logarithmic axis with durations at one, two and five of each decade."""
    ticker = require("matplotlib.ticker")
    ax.set_xscale("log")
    low, high = ax.dataLim.intervalx
    wide = high > 30 * low
    steps = (1.0,) if wide else (1.0, 2.0, 5.0)
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=steps, numticks=6))
    ax.xaxis.set_major_formatter(lambda value, _: seconds(value))
    ax.xaxis.set_minor_locator(ticker.NullLocator())


def _label_points(ax, x, y, names, sides):
    """Write names beside the axes, spread out, each tied to its point by a line."""
    if not names:
        return
    low, high = ax.get_ylim()
    heights = (np.asarray(y) - low) / (high - low)
    places = _spread(heights, gap=0.085)
    for i, name in enumerate(names):
        ax.annotate(
            name,
            xy=(x[i], y[i]),
            xytext=(1.04, places[i]),
            textcoords=ax.transAxes,
            va="center",
            color=COLOURS[sides[i]],
            arrowprops={
                "arrowstyle": "-",
                "color": COLOURS["faint"],
                "lw": 0.8,
                "shrinkA": 2,
                "shrinkB": 4,
            },
        )


def _spread(heights, gap):
    """Move heights as little as needed for a gap between neighbours."""
    order = np.argsort(heights)
    placed = np.array(heights, dtype=float)
    for _ in range(50):
        for a, b in itertools.pairwise(order):
            overlap = gap - (placed[b] - placed[a])
            if overlap > 1e-9:
                placed[a] -= overlap / 2
                placed[b] += overlap / 2
    return placed
