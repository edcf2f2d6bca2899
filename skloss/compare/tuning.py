"""The inner search: the same for every model."""

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs

from skloss.compare.errors import first_line
from skloss.compare.scores import SCORES
from skloss.compare.trials import try_model

__all__ = ["best_candidate", "start_processes"]


def start_processes(n_jobs):
    """Start the processes of inner searches, which takes seconds that nobody owns.

    Parameters
    ----------
    n_jobs : int or None
    """
    if n_jobs not in (None, 1):
        count = 4 * effective_n_jobs(n_jobs)
        Parallel(n_jobs=n_jobs)(delayed(_mean_gain)([[0.0]]) for _ in range(count))


def best_candidate(problem, model, candidates, split, seed, n_jobs=None):
    """Candidate with the best mean score over the inner folds.

    Parameters
    ----------
    problem : Problem
    model : Model
    candidates : list of dict
        The first wins ties.
    split : Split
    seed : int
    n_jobs : int, default=None
        Processes that share the fits; changes speed only.

    Returns
    -------
    best : int
    faults : dict of int to str
        Candidates that failed on some fold, and how.

    Raises
    ------
    RuntimeError
        When every candidate failed.
    """
    results, light = [], problem.light()
    for fold in range(len(split.folds)):
        rows = split.inner_rows(model, fold)
        results.append(
            Parallel(n_jobs=n_jobs)(
                delayed(_score)(light, model, params, rows, seed)
                for params in candidates
            )
        )
    faults = {
        number: error
        for fold in results
        for number, (_, _, error) in enumerate(fold)
        if error
    }
    score = problem.tuning_score
    gains = _mean_gain([[first for first, _, _ in fold] for fold in results], score)
    if np.isnan(gains).all():
        # Without probabilities there is no log-loss; share of hits is what is left.
        gains = _mean_gain([[second for _, second, _ in f] for f in results])
    if np.isnan(gains).all():
        raise RuntimeError(next(iter(faults.values()), "no candidate could be scored"))
    return int(np.nanargmax(gains)), faults


def _mean_gain(values, score=None):
    """Mean over folds, greater is better; nan for candidates that failed on a fold."""
    values = np.asarray(values, dtype=float).mean(axis=0)
    return values if score is None or score.greater_is_better else -values


def _score(problem, model, params, rows, seed):
    """Deciding score, share of hits when that is undefined, and what went wrong."""
    score = problem.tuning_score
    try:
        trial = try_model(problem, model, params, rows, seed, reads=score.reads)
        value = score(trial.outcome)
        hits = np.nan
        if np.isnan(value) and problem.is_classification:
            hits = SCORES["accuracy"](trial.outcome)
    except Exception as error:
        return np.nan, np.nan, first_line(error)
    return value, hits, ""
