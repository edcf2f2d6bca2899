"""From records to tidy tables: scores, costs, differences and verdicts."""

import numpy as np

from skloss.compare.errors import require
from skloss.compare.records import FEW_SPLITS
from skloss.compare.statistics import corrected_t_test, holm

__all__ = ["best_of", "difference_table", "score_table", "status_of"]

LEVEL = 0.05
_PAIR_COLUMNS = [
    "model",
    "against",
    "metric",
    "gain",
    "low",
    "high",
    "p_value",
    "p_holm",
    "n_splits",
    "verdict",
]


def values_of(record, score, kind="tuned"):
    """Scores of a model by split.

    Parameters
    ----------
    record : Record
    score : Score
    kind : {"tuned", "default"}

    Returns
    -------
    dict of int to float
    """
    return {split: s[score.key] for split, s in getattr(record, kind).items()}


def finished(record, score):
    """Whether a model has the score on at least one split and did not fail."""
    if record.error or record.model.problem:
        return False
    values = list(values_of(record, score).values())
    return bool(values) and not np.isnan(values).any()


def part_sizes(run):
    """Mean rows of training and test parts.

    Parameters
    ----------
    run : Run

    Returns
    -------
    n_train, n_test : float
    """
    sizes = np.array([[len(train), len(test)] for train, test in run.splits])
    return tuple(sizes.mean(axis=0))


def paired(run, score, first, second):
    """Corrected test of the gain of one model over another on their common splits.

    Parameters
    ----------
    run : Run
    score : Score
    first, second : Record

    Returns
    -------
    PairedTest
        Of the gain: positive when the first model is better.
    """
    ours, theirs = values_of(first, score), values_of(second, score)
    common = sorted(ours.keys() & theirs.keys())
    gains = [score.gain(ours[split], theirs[split]) for split in common]
    return corrected_t_test(gains, *part_sizes(run))


def best_of(run, score, sides):
    """Model with the best mean score on the splits that all have in common.

    Models with fewer splits than a test can use are left out where others have more.

    Parameters
    ----------
    run : Run
    score : Score
    sides : collection of str

    Returns
    -------
    Record or None
    """
    able = [r for r in run.records if r.model.side in sides and finished(r, score)]
    if not able:
        return None
    enough = min(FEW_SPLITS, max(len(r.tuned) for r in able))
    able = [r for r in able if len(r.tuned) >= enough]
    common = set.intersection(*(set(r.tuned) for r in able))
    means = [np.mean([values_of(r, score)[s] for s in common]) for r in able]
    return able[int(np.argmax(means) if score.greater_is_better else np.argmin(means))]


def status_of(record, n_splits):
    """Tell what a reader must know about a model's run; nothing when all went well.

    Parameters
    ----------
    record : Record
    n_splits : int

    Returns
    -------
    str
    """
    if record.model.problem:
        return record.model.problem
    if record.error:
        return f"failed: {record.error}"
    parts = []
    done = len(record.tuned)
    if record.stopped.startswith("left out"):
        return record.stopped
    if record.stopped:
        parts.append(f"{record.stopped} after {done} of {n_splits} splits")
    if record.curtailed:
        grid = len(record.model.candidates)
        tried = max(record.n_candidates, 1)
        since = f" after split {record.shortened}" * bool(record.shortened)
        parts.append(f"time allowed {tried} of {grid} candidates{since}")
    if record.faults:
        first = next(iter(record.faults.values()))
        count = f"{len(record.faults)} of {len(record.model.candidates)}"
        parts.append(f"{count} candidates failed, {first}")
    key, *_ = next(iter(record.tuned.values()), [""])
    if any(np.isnan(scores[key]) for scores in record.tuned.values()):
        parts.append(f"{key} is not defined for its predictions")
    if record.unconverged:
        parts.append(f"not converged in {record.unconverged} of {done} fits")
    return "; ".join(parts)


def score_table(run, problem):
    """One row per model, best first.

    Parameters
    ----------
    run : Run
    problem : Problem

    Returns
    -------
    DataFrame
        Columns as documented in :meth:`skloss.compare.Comparison.to_frame`.
    """
    pandas = require("pandas")
    score = problem.scores[0]
    pairs = {row["model"]: row for row in _differences(run, score)}
    rival = best_of(run, score, {"built-in"})
    fastest = _fastest(run, score)
    rows = []
    for record in run.records:
        row = _identity(record, problem, run)
        row |= _score_columns(record, problem, run, score)
        row |= _cost_columns(record, fastest)
        row["certificate"] = record.certificate
        verdict = pairs.get(record.model.name, {}).get("verdict", "")
        row["verdict"] = "best built-in" if record is rival else verdict
        row["status"] = status_of(record, len(run.splits))
        rows.append(row)
    frame = pandas.DataFrame(rows)
    order = frame["score"] if not score.greater_is_better else -frame["score"]
    partial = 2 * frame["n_splits"] < frame["n_splits"].max()
    keys = pandas.DataFrame({"partial": partial, "score": order})
    ranked = keys.sort_values(["partial", "score"], kind="stable").index
    return frame.loc[ranked].reset_index(drop=True)


def _identity(record, problem, run):
    return {
        "data": problem.name,
        "task": problem.task,
        "model": record.model.name,
        "side": record.model.side,
        "metric": problem.scores[0].key,
        "n_splits": len(record.tuned),
        "params": _plain(record.most_chosen()),
    }


def _plain(params):
    return ", ".join(f"{key}={value!r}" for key, value in params.items())


def _score_columns(record, problem, run, score):
    usable = finished(record, score)
    row = dict.fromkeys(("score", "low", "high", "default_score"), np.nan)
    if usable:
        test = corrected_t_test(
            list(values_of(record, score).values()), *part_sizes(run)
        )
        default = list(values_of(record, score, "default").values())
        row |= {
            "score": test.mean,
            "low": test.low,
            "high": test.high,
            "default_score": float(np.mean(default)),
        }
    for other in problem.scores[1:]:
        values = list(values_of(record, other).values())
        # nan marks a split on which the score is not defined, such as one class only.
        known = [v for v in values if not np.isnan(v)] if not record.error else []
        row[other.key] = float(np.mean(known)) if known else np.nan
    return row


def _cost_columns(record, fastest):
    fit, predict = _medians(record)
    return {
        "fit_seconds": fit,
        "predict_seconds": predict,
        "fit_ratio": fit / fastest[0],
        "predict_ratio": predict / fastest[1],
        "compile_seconds": record.compile_seconds,
        "peak_memory_mib": record.peak_memory,
        "size": float(np.median(record.sizes)) if record.sizes else np.nan,
        "size_unit": record.size_unit or "",
    }


def _medians(record):
    if record.error or not record.fit_seconds:
        return np.nan, np.nan
    return tuple(
        float(np.median(list(seconds.values())))
        for seconds in (record.fit_seconds, record.predict_seconds)
    )


def _fastest(run, score):
    """Smallest fit and predict time among the built-in models."""
    times = [
        _medians(r)
        for r in run.records
        if r.model.side == "built-in" and finished(r, score)
    ]
    if not times:
        return np.nan, np.nan
    fit, predict = np.array(times).T
    known = predict[~np.isnan(predict)]
    return fit.min(), known.min() if len(known) else np.nan


def difference_table(run, problem, score=None):
    """Each of our models against the best built-in one.

    Parameters
    ----------
    run : Run
    problem : Problem
    score : Score, default=None
        The deciding score by default.

    Returns
    -------
    DataFrame
        Columns as documented in :meth:`skloss.compare.Comparison.pairs`.
    """
    rows = _differences(run, problem.scores[0] if score is None else score)
    return require("pandas").DataFrame(rows, columns=_PAIR_COLUMNS)


def _differences(run, score):
    rival = best_of(run, score, {"built-in"})
    if rival is None:
        return []
    rows = []
    for record in run.records:
        if record.model.side != "ours" or not finished(record, score):
            continue
        test = paired(run, score, record, rival)
        rows.append(
            {
                "model": record.model.name,
                "against": rival.model.name,
                "metric": score.key,
                "gain": test.mean,
                "low": test.low,
                "high": test.high,
                "p_value": test.p_value,
                "n_splits": test.n_splits,
            }
        )
    adjusted = holm([row["p_value"] for row in rows])
    for row, p_holm in zip(rows, adjusted):
        row["p_holm"] = float(p_holm)
        row["verdict"] = verdict(row["gain"], row["p_holm"], row["n_splits"])
    return rows


def verdict(gain, p_holm, n_splits):
    """Whether a difference is real, in one word.

    Parameters
    ----------
    gain, p_holm : float
    n_splits : int

    Returns
    -------
    {"better", "worse", "tie", "too few splits"}
    """
    if np.isnan(p_holm) or n_splits < 2:
        return "too few splits"
    if p_holm >= LEVEL:
        return "tie"
    return "better" if gain > 0 else "worse"
