"""The searches by name, from how many starts, and what comes out."""

import functools
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.utils import check_random_state

from skloss._random import seed_from
from skloss.cluster import _search, _silhouette_search
from skloss.cluster._alternate import alternate
from skloss.cluster._assignment import assign_points
from skloss.cluster._build import best_single
from skloss.cluster._initial import choose_medoids
from skloss.cluster._pruned import fasterpam_pruned
from skloss.cluster._pruned_source import PrunedCandidates
from skloss.cluster._steepest import pam

__all__ = [
    "EAGER",
    "METHODS",
    "SILHOUETTE_METHODS",
    "Found",
    "Run",
    "Settings",
    "find_medoids",
]

# Public name -> search from given medoids.
_BY_DEVIATION = {
    "fasterpam": _search.fasterpam,
    "fastpam1": _search.fastpam1,
    "fastpam2": _search.fastpam2,
    "pam": pam,
    "alternate": alternate,
}
_BY_SILHOUETTE = {
    "fastermsc": _silhouette_search.fastermsc,
    "fastmsc": _silhouette_search.fastmsc,
    "pammedsil": _silhouette_search.pammedsil,
    "dynmsc": _silhouette_search.dynmsc,
}
METHODS = _BY_DEVIATION | _BY_SILHOUETTE
SILHOUETTE_METHODS = frozenset(_BY_SILHOUETTE)
# Searches that take the order of the candidates.
EAGER = frozenset({"fasterpam", "fastermsc", "dynmsc"})
_DETERMINISTIC = frozenset({"build", "first"})


class Settings(NamedTuple):
    """How to search.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    init : str or ndarray of shape (k,), intp
        How to choose the initial medoids, or these.
    n_init : int
        Number of starts.
    max_iter : int
        Largest number of passes from each start.
    shuffle : bool
        Whether eager searches visit the candidates in random order.
    min_clusters : int
        Smallest number of medoids that "dynmsc" tries.
    """

    method: str = "fasterpam"
    init: object = "build"
    n_init: int = 1
    max_iter: int = 300
    shuffle: bool = False
    min_clusters: int = 2


class Found(NamedTuple):
    """What a search from one start found.

    Parameters
    ----------
    initial : ndarray of shape (k,), intp
        Medoids that it started from.
    search : Search or DynamicSearch
        Its outcome.
    """

    initial: np.ndarray
    search: object


class Run(NamedTuple):
    """Report of a search from one of several starts, for progress."""

    n_iter: int
    objective: float
    n_swaps: int
    converged: bool
    medoids: np.ndarray


def find_medoids(problem, n_clusters, settings, random_state, *, n_jobs, callback):
    """Search from one or several starts and keep the best outcome.

    The first start is `init`'s. Where that is deterministic, the later ones are random:
    they would otherwise all be the same.

    Parameters
    ----------
    problem : Problem
        Dissimilarities, weights and constraints.
    n_clusters : int
        Number of medoids; the largest one for "dynmsc".
    settings : Settings
        How to search.
    random_state : int, RandomState or None
        Source of the random numbers.
    n_jobs : int or None
        Threads that search from different starts at once. The outcome is the same.
    callback : callable or None
        Called with a `Pass` for each pass if there is one start, else with a `Run`
        after each.

    Returns
    -------
    Found
        The best, the first of equals.
    """
    random = check_random_state(random_state)
    if settings.n_init == 1:
        return _from_one_start(problem, n_clusters, settings, random, callback)
    later = settings
    if isinstance(settings.init, str) and settings.init in _DETERMINISTIC:
        later = settings._replace(init="random")
    seeds = [seed_from(random) % 2**32 for _ in range(settings.n_init)]
    calls = (
        joblib.delayed(_from_one_start)(
            problem,
            n_clusters,
            later if start else settings,
            np.random.RandomState(seed),
        )
        for start, seed in enumerate(seeds)
    )
    # Threads: the dissimilarities are shared, and kernels hold no interpreter lock.
    parallel = joblib.Parallel(n_jobs, require="sharedmem", return_as="generator")
    return _best_of(parallel(calls), settings, callback)


def _best_of(outcomes, settings, callback):
    sign = -1.0 if settings.method in SILHOUETTE_METHODS else 1.0
    best = None
    for start, found in enumerate(outcomes, 1):
        if best is None or sign * _objective(found) < sign * _objective(best):
            best = found
        report = Run(
            start,
            _objective(best),
            found.search.n_swaps,
            start == settings.n_init,
            best.search.state.medoids,
        )
        if callback is not None and callback(report):
            break
    return best


def _objective(found):
    search = found.search
    if hasattr(search, "silhouette_curve"):
        return search.silhouette_curve.max()
    return search.curve[-1]


# Sums that overflow make the result infinite, which is refused at the end.
@np.errstate(over="ignore", invalid="ignore")
def _from_one_start(problem, n_clusters, settings, random, callback=None):
    medoids = settings.init
    if isinstance(medoids, str):
        medoids = choose_medoids(medoids, problem, n_clusters, random)
    medoids = np.array(medoids, dtype=np.intp)
    if n_clusters == 1:
        return Found(medoids, _single(problem))
    search = _search_for(problem.source, settings.method)
    if settings.method in EAGER and settings.shuffle:
        search = functools.partial(
            search, order=random.permutation(len(problem.allowed))
        )
    if settings.method == "dynmsc":
        search = functools.partial(search, min_clusters=settings.min_clusters)
    found = search(problem, medoids, max_iter=settings.max_iter, callback=callback)
    return Found(medoids, found)


def _search_for(source, method):
    if method == "fasterpam" and isinstance(source, PrunedCandidates):
        return fasterpam_pruned
    return METHODS[method]


def _single(problem):
    """Search for one medoid, which needs no swaps."""
    medoid, deviation = best_single(problem)
    state = assign_points(problem, [medoid])
    return _search.Search(state, 1, 0, np.array([deviation]), True)
