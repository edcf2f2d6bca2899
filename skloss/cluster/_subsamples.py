"""Medoids of subsamples, judged by all samples.

L. Kaufman, P. J. Rousseeuw, "Finding groups in data", Wiley, 1990, with the searches of
E. Schubert, P. J. Rousseeuw, "Fast and eager k-medoids clustering", Information Systems
101, 2021.
"""

import math
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.utils import check_random_state

from skloss._parallel import one_blas_thread
from skloss._random import seed_from
from skloss._validation import as_kernel_array
from skloss.cluster._drawing import draw
from skloss.cluster._fit import Fit, fit_medoids
from skloss.cluster._full_data import Outcome, assign_all
from skloss.cluster._methods import SILHOUETTE_METHODS, Settings
from skloss.cluster._silhouette_search import check_nonnegative

__all__ = [
    "Best",
    "Draw",
    "Plan",
    "best_of_subsamples",
    "objective_of",
    "search_part",
]


class Plan(NamedTuple):
    """What subsamples to draw, and how to search them.

    Parameters
    ----------
    n_subsamples, size : int
        How many, and of how many samples.
    keep : bool
        Whether the best medoids so far are in every subsample.
    settings : Settings
        How to search; an array `init` holds indices of samples.
    """

    n_subsamples: int
    size: int
    keep: bool
    settings: Settings


class Draw(NamedTuple):
    """Report of one subsample, for progress."""

    n_iter: int
    objective: float
    of_subsample: float
    n_swaps: int
    converged: bool
    medoids: np.ndarray


class Best(NamedTuple):
    """The best medoids of all subsamples.

    Parameters
    ----------
    fit : Fit
        What the search of its subsample found; medoids are indices of samples.
    outcome : Outcome
        All samples, assigned to its medoids.
    objectives : ndarray of shape (n_subsamples,)
        Objective of each subsample's medoids over all samples.
    n_distances : int
        Dissimilarities that were computed or read.
    """

    fit: Fit
    outcome: Outcome
    objectives: np.ndarray
    n_distances: int


def search_part(part, weights, n_clusters, settings, random_state, n_jobs):
    """Find medoids of some samples; what a worker does.

    Parameters
    ----------
    part : Part
        The samples.
    weights : ndarray of shape (n_part,), float64
        What they count.
    n_clusters : int
        Number of medoids.
    settings : Settings
        How to search; an array `init` holds indices into the part.
    random_state : int or RandomState
        Source of random numbers.
    n_jobs : int or None
        Most threads to use.

    Returns
    -------
    Fit
        With indices into the part.
    """
    # One thread: the number of threads would change the last digits.
    with one_blas_thread():
        source = part.source(n_jobs)
        if settings.method in SILHOUETTE_METHODS and callable(part.metric):
            check_nonnegative(source)
        # What was shipped may be writeable or mapped: kernels want one type.
        weights = as_kernel_array(weights, np.float64)
        return fit_medoids(
            source,
            weights,
            n_clusters,
            settings,
            random_state,
            batch_size="auto",
            restrict=None,
            bound=False,
            n_jobs=n_jobs,
            callback=None,
        )


def best_of_subsamples(
    data, weights, n_clusters, plan, random_state, *, n_jobs, callback
):
    """Search subsamples, and keep the medoids that are best for all samples.

    Subsamples come in rounds of 1, 2, 4 and so on. Those of a round are searched at
    once and contain the best medoids of the rounds before; rounds, not workers, decide
    what a subsample knows, so that the result is the same for any number of workers.
    If the best medoids are not kept, there is one round.

    A worker gets the samples that it is to search, never all of them: all are assigned
    here, by threads that share them.

    Parameters
    ----------
    data : Rows or Matrix
        All samples.
    weights : ndarray of shape (n_samples,), float64
        Their weights.
    n_clusters : int
        Number of medoids.
    plan : Plan
        What to draw and how to search.
    random_state : int, RandomState or None
        Source of random numbers.
    n_jobs : int or None
        Number of joblib's workers.
    callback : callable or None
        Called with a `Draw` after each subsample; True stops.

    Returns
    -------
    Best
        The first of equals.
    """
    random = check_random_state(random_state)
    randoms = [
        np.random.RandomState(seed_from(random) % 2**32)
        for _ in range(plan.n_subsamples)
    ]
    search = _Search(data, weights, n_clusters, plan, callback)
    # Searches hold no interpreter lock, hence threads unless the user chooses others.
    with joblib.Parallel(n_jobs, prefer="threads") as parallel:
        for members in _rounds(plan):
            samples, tasks = zip(*(search.task(randoms[i]) for i in members))
            inner = n_jobs if len(members) == 1 else 1
            fits = parallel(
                joblib.delayed(search_part)(*task, n_jobs=inner) for task in tasks
            )
            if any(search.judge(*pair) for pair in zip(samples, fits)):
                break
    return search.best()


def objective_of(method, n_clusters):
    """Return which field of an `Outcome` a method improves, and its sign.

    Parameters
    ----------
    method : str
        Name of the method.
    n_clusters : int
        Number of medoids. One medoid has no silhouette.

    Returns
    -------
    field : {"loss", "silhouette"}
    sign : {1, -1}
        What to multiply by to make smaller better.
    """
    if method in SILHOUETTE_METHODS and n_clusters > 1:
        return "silhouette", -1
    return "loss", 1


def _rounds(plan):
    """Divide the subsamples into rounds."""
    start, size = 0, 1 if plan.keep else plan.n_subsamples
    while start < plan.n_subsamples:
        stop = min(start + size, plan.n_subsamples)
        yield range(start, stop)
        start, size = stop, 2 * size


class _Search:
    """State of a search by subsamples."""

    def __init__(self, data, weights, n_clusters, plan, callback):
        self._data, self._weights, self._k = data, weights, n_clusters
        self._plan, self._callback = plan, callback
        init = plan.settings.init
        self._from_array = not isinstance(init, str)
        self._known = init if self._from_array else np.empty(0, dtype=np.intp)
        self._field, self._sign = objective_of(plan.settings.method, n_clusters)
        self._fit = self._outcome = None
        self._objectives, self._n_distances = [], 0

    def task(self, random):
        """Draw a subsample; its indices, and what a worker needs."""
        sample, weights, _ = draw(self._weights, self._plan.size, self._known, random)
        settings = self._plan.settings
        if self._from_array:
            settings = settings._replace(init=np.searchsorted(sample, self._known))
        seed = seed_from(random) % 2**32
        part = self._data.part(sample)
        return sample, (part, weights, self._k, settings, seed)

    def judge(self, sample, fit):
        """Take a subsample's medoids into account; whether to stop."""
        fit = fit._replace(medoids=sample[fit.medoids], initial=sample[fit.initial])
        outcome = assign_all(self._data, self._weights, fit.medoids)
        self._n_distances += fit.n_distances + self._data.n_points * self._k
        objective = getattr(outcome, self._field)
        if math.isnan(objective):
            raise ValueError(
                f"method={self._plan.settings.method!r} needs dissimilarities that are "
                "not negative."
            )
        self._objectives.append(objective)
        if self._is_better(objective):
            self._fit, self._outcome = fit, outcome
            if self._plan.keep:
                self._known = fit.medoids
        return self._callback is not None and self._report(fit, objective)

    def _is_better(self, objective):
        if self._outcome is None:
            return True
        return self._sign * objective < self._sign * getattr(self._outcome, self._field)

    def _report(self, fit, objective):
        n_done = len(self._objectives)
        return self._callback(
            Draw(
                n_iter=n_done,
                objective=getattr(self._outcome, self._field),
                of_subsample=objective,
                n_swaps=fit.n_swaps,
                converged=n_done == self._plan.n_subsamples,
                medoids=self._fit.medoids,
            )
        )

    def best(self):
        objectives = np.array(self._objectives)
        return Best(self._fit, self._outcome, objectives, self._n_distances)
