"""Findings as people read them."""

import math

import numpy as np

from skloss.compare.registry import registered
from skloss.compare.results import LEVEL, best_of, difference_table, paired
from skloss.compare.units import number, ratio, seconds

__all__ = ["answer"]

# A tied model may be recommended for its cost when it gives up no more than this part
# of what the better one gains over guessing.
_SMALL_PART = 0.05
# Splits from which on more repeats narrow the intervals only a little.
_USUAL_SPLITS = 10


def answer(run, problem):
    """Say what the comparison found, in two sentences.

    Parameters
    ----------
    run : Run
    problem : Problem

    Returns
    -------
    str
    """
    score = problem.scores[0]
    ours, rival = best_of(run, score, {"ours"}), best_of(run, score, {"built-in"})
    if ours is None and rival is None:
        return (
            f"No model finished on {problem.name}, so there is no answer yet. "
            "The table says what stopped each of them."
        )
    dummy = best_of(run, score, {"dummy"})
    best = _better(score, ours, rival)
    if dummy is not None and not _beats(run, score, best, dummy):
        return (
            f"On {problem.name} no model is clearly better than guessing: the best, "
            f"{best.model.name}, has {score.label} {_mean(best, score)} and "
            f"{dummy.model.name} {_mean(dummy, score)}. "
            f"Look for {_remedies(run)} before choosing a model."
        )
    if ours is None or rival is None:
        return _one_sided(run, problem, score, ours, rival)
    return _two_sided(run, problem, score, ours, rival)


def _mean(record, score):
    values = [scores[score.key] for scores in record.tuned.values()]
    return number(float(np.mean(values)))


def _better(score, ours, rival):
    if ours is None or rival is None:
        return ours or rival
    means = [
        np.mean([s[score.key] for s in record.tuned.values()])
        for record in (ours, rival)
    ]
    return ours if score.gain(*means) > 0 else rival


def _beats(run, score, record, other):
    test = paired(run, score, record, other)
    return test.mean > 0 and not test.p_value >= LEVEL


def _one_sided(run, problem, score, ours, rival):
    best = ours or rival
    first = (
        f"On {problem.name} the best {score.label} is that of {best.model.name}, "
        f"{_mean(best, score)}."
    )
    if ours is None and any(r.model.side == "ours" for r in run.records):
        return (
            f"{first} None of the models it was to be compared with has a score, for "
            "the reasons given below the table."
        )
    if ours is None and registered(problem.task, baseline=False):
        return f"{first} Only built-in models were asked for."
    if ours is None:
        return (
            f"{first} skloss has no estimator for {problem.task} yet, so only "
            "built-in models were compared."
        )
    return f"{first} There was no built-in model to compare it with."


def _two_sided(run, problem, score, ours, rival):
    table = difference_table(run, problem)
    row = table[table["model"] == ours.model.name].iloc[0]
    a, b = ours.model.name, rival.model.name
    unit = (row["high"] - row["low"]) / 2
    gain = number(abs(row["gain"]), unit)
    interval = f"{number(row['low'], unit)} to {number(row['high'], unit)}"
    evidence = f"95 % interval of the gain {interval}"
    alone = sum(record.model.side == "ours" for record in run.records) == 1
    if row["verdict"] == "better":
        return (
            f"On {problem.name} use {a}: its {score.label} of {_mean(ours, score)} "
            f"beats that of {b}, the best built-in model, by {gain} ({evidence}). "
            + _cost(ours, rival).removesuffix(".")
            + _reservation(run)
        )
    if row["verdict"] == "worse":
        return (
            f"On {problem.name} use {b}: its {score.label} of {_mean(rival, score)} "
            f"beats that of {a}{'' if alone else ', the best of the others,'} by "
            f"{gain} ({evidence}). " + _cost(ours, rival)
        )
    means = f"{score.label} {_mean(ours, score)} and {_mean(rival, score)}"
    if row["verdict"] == "tie":
        return (
            f"On {problem.name} {a} cannot be told apart from {b}, the best built-in "
            f"model: {means} ({evidence}). " + _choice(run, score, ours, rival)
        )
    return (
        f"On {problem.name}, {a} and {b} have {means}, but {row['n_splits']} split is "
        "too few to tell a difference from noise. Allow more time or more repeats."
    )


def _remedies(run):
    few = len(run.splits) < _USUAL_SPLITS
    return (
        "other columns, more rows or more repeats"
        if few
        else "other columns or more rows"
    )


def _reservation(run):
    """End a praise of ours with the rivals that the time budget cut short."""
    cut = [
        r.model.name
        for r in run.records
        if r.model.side == "built-in" and (r.curtailed or r.stopped)
    ]
    if not cut:
        return "."
    names = (
        " and ".join(cut) if len(cut) < 3 else f"{', '.join(cut[:-1])} and {cut[-1]}"
    )
    return (
        f"; {names} {'were' if len(cut) > 1 else 'was'} cut short by the time budget "
        "and might do better with more."
    )


def _times(*records):
    """Median seconds of a fit and a prediction together."""
    return [
        float(np.median(list(r.fit_seconds.values())))
        + float(np.nan_to_num(np.median(list(r.predict_seconds.values()))))
        for r in records
    ]


def _faster(ours, rival, quotient):
    """Say which of two models is faster, ``quotient`` being our time over theirs."""
    record, times = (ours, 1 / quotient) if quotient < 1 else (rival, quotient)
    # Clusters are found by the fit: there is nothing to predict.
    predicts = not np.isnan(list(record.predict_seconds.values())).all()
    does = "fits and predicts" if predicts else "fits"
    return f"{record.model.name} {does} {ratio(times)[:-1]} times faster"


def _cost(ours, rival):
    times = _times(ours, rival)
    return (
        f"{_faster(ours, rival, times[0] / times[1])} "
        f"({seconds(min(times))} against {seconds(max(times))})."
    )


def _choice(run, score, ours, rival):
    """Say what follows from a tie: the cheaper model, unless it hides too much."""
    a, b = ours.model.name, rival.model.name
    times = _times(ours, rival)
    quotient = times[0] / times[1]
    gain = paired(run, score, ours, rival).mean
    ahead, cheaper = (a if gain > 0 else b), (a if quotient < 1 else b)
    if abs(gain) > _SMALL_PART * _skill(run, score, ours, rival) and ahead != cheaper:
        return (
            f"{ahead} is ahead, but not by more than chance allows: more rows or "
            "repeats would settle it."
        )
    if 0.5 < quotient < 2:
        return f"They cost about the same too, so keep {b}, which you already have."
    return f"{_faster(ours, rival, quotient)}, so {cheaper} is the cheaper choice."


def _skill(run, score, ours, rival):
    """How far the better of two models is ahead of guessing."""
    dummy = best_of(run, score, {"dummy"})
    if dummy is None:
        return math.inf
    return paired(run, score, _better(score, ours, rival), dummy).mean
