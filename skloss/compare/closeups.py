"""One figure per task that shows how the winner's predictions look.

The table maps a task to a drawing function; a family that has a better Display for its
task replaces the entry.
"""

import numpy as np
from sklearn.metrics import silhouette_samples

from skloss.compare.figures import COLOURS, bare, marker_of
from skloss.compare.results import best_of
from skloss.compare.units import number

__all__ = ["CLOSEUPS", "draw_closeup"]

_MOST_POINTS = 600
_BINS = 10


def draw_closeup(comparison, ax):
    """Draw the figure of the comparison's task.

    Parameters
    ----------
    comparison : Comparison
    ax : matplotlib Axes

    Returns
    -------
    title, text : str
        What the figure is and what it says; None when there is nothing to draw.
    """
    title, draw = CLOSEUPS[comparison.task]
    records = _best_two(comparison)
    if not records:
        return None
    text = draw(comparison, records, ax)
    bare(ax)
    return None if text is None else (title, text)


def _best_two(comparison):
    """Pick the best of ours and the best built-in model, if they have outcomes."""
    score = comparison._problem.scores[0]
    best = [best_of(comparison._run, score, {side}) for side in ("ours", "built-in")]
    return [record for record in best if record is not None and record.outcomes]


def _stack(record, name):
    """One attribute over the test parts of the first repeat."""
    parts = [getattr(outcome, name) for outcome in record.outcomes.values()]
    return None if any(part is None for part in parts) else np.concatenate(parts)


def _reliability(comparison, records, ax):
    """Stated against observed frequency, over all classes."""
    said = []
    for record in records:
        probability, y = _stack(record, "probability"), _stack(record, "y")
        if probability is None:
            continue
        stated, happened = _frequencies(comparison.task, probability, y)
        x, f = _binned(stated, happened)
        ax.plot(
            x, f, **marker_of(record.model.side), ls="-", label=record.model.name, ms=5
        )
        said.append(f"{record.model.name} {number(np.abs(x - f).mean(), 0.01)}")
    if not said:
        return None
    ax.plot([0, 1], [0, 1], color=COLOURS["ink"], lw=0.8, ls="--")
    ax.set_xlabel("stated probability")
    ax.set_ylabel("share that happened")
    ax.set_aspect("equal")
    ax.legend(frameon=False, labelcolor=COLOURS["ink"])
    return (
        "Stated probabilities against what happened; the closer to the diagonal, the "
        "more they can be taken at their word. Mean distance: " + ", ".join(said)
    )


def _frequencies(task, probability, y):
    """Probabilities of events and whether they happened: classes, or ranks up to."""
    if task == "ordinal":
        below = probability.cumsum(axis=1)[:, :-1]
        return below.ravel(), (y[:, None] <= np.arange(below.shape[1])).ravel()
    if probability.shape[1] == 2:
        return probability[:, 1], y == 1
    return probability.ravel(), (y[:, None] == np.arange(probability.shape[1])).ravel()


def _binned(stated, happened):
    """Means of both in bins of equally many events."""
    order = np.argsort(stated, kind="stable")
    chunks = [c for c in np.array_split(order, _BINS) if len(c)]
    return (
        np.array([stated[c].mean() for c in chunks]),
        np.array([happened[c].mean() for c in chunks]),
    )


def _predictions(comparison, records, ax):
    """Prediction against truth, for rows or for bags."""
    said = []
    for record in records:
        truth, predicted = _stack(record, "y"), _stack(record, "predicted")
        if comparison.task == "aggregate":
            bags = _stack(record, "bags")
            _, index, sizes = np.unique(bags, return_inverse=True, return_counts=True)
            truth = np.bincount(index, weights=truth) / sizes
            predicted = np.bincount(index, weights=predicted) / sizes
        chosen = np.random.default_rng(0).permutation(len(truth))[:_MOST_POINTS]
        ax.plot(
            truth[chosen],
            predicted[chosen],
            **marker_of(record.model.side),
            ls="",
            alpha=0.45,
            ms=3,
            mew=0,
            label=record.model.name,
        )
        correlation = np.corrcoef(truth, predicted)[0, 1]
        said.append(f"{record.model.name} {number(correlation, 0.01)}")
    ends = [truth.min(), truth.max()]
    ax.plot(ends, ends, color=COLOURS["ink"], lw=0.8, ls="--")
    what = "of a bag" if comparison.task == "aggregate" else ""
    ax.set_xlabel(f"true value {what}".strip())
    ax.set_ylabel("predicted")
    ax.legend(frameon=False, labelcolor=COLOURS["ink"], markerscale=2)
    return (
        "Predictions against true values on rows that were not trained on; points on "
        "the diagonal are exact. Correlation: " + ", ".join(said)
    )


def _silhouettes(comparison, records, ax):
    """Sorted silhouettes of each cluster of the winner."""
    winner = comparison._winning_record()
    if not winner.outcomes:
        return None
    outcome = winner.outcomes[min(winner.outcomes)]
    chosen = np.random.default_rng(0).permutation(len(outcome.predicted))[:_MOST_POINTS]
    labels = outcome.predicted[chosen]
    if not 1 < len(np.unique(labels)) < len(labels):
        return None
    values = silhouette_samples(outcome.X[chosen], labels)
    base, said = 0, []
    for label in np.unique(labels):
        bars = np.sort(values[labels == label])
        ax.fill_betweenx(
            base + np.arange(len(bars)), 0, bars, color=COLOURS[winner.model.side], lw=0
        )
        said.append(f"{len(bars)} rows {number(bars.mean(), 0.01)}")
        base += len(bars) + max(2, len(labels) // 50)
    ax.axvline(values.mean(), color=COLOURS["ink"], lw=0.8, ls="--")
    ax.set_yticks([])
    ax.set_xlabel("silhouette of each row, grouped by cluster")
    return (
        f"Silhouettes of {winner.model.name}, one block per cluster; negative ones sit "
        "in the wrong cluster. Cluster sizes and means: " + ", ".join(said)
    )


# Task -> title and drawing function.
CLOSEUPS = {
    "classification": ("Can the probabilities be trusted?", _reliability),
    "ordinal": ("Can the probabilities be trusted?", _reliability),
    "regression": ("Predictions against truth", _predictions),
    "sparse": ("Predictions against truth", _predictions),
    "aggregate": ("Predictions against truth", _predictions),
    "clustering": ("How well the clusters hold together", _silhouettes),
}
