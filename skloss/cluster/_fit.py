"""From dissimilarities to medoids, with what is known of their quality."""

from typing import NamedTuple

import numpy as np

from skloss.cluster._bound import lagrangian_bound
from skloss.cluster._exact import exact
from skloss.cluster._inputs import check_init, check_sum, make_problem
from skloss.cluster._methods import find_medoids
from skloss.cluster._onebatch import one_batch
from skloss.cluster._search import fasterpam
from skloss.cluster._sources import n_computed

__all__ = ["Fit", "Proof", "fit_medoids"]


class Proof(NamedTuple):
    """What is proven: no medoids have a smaller loss than `lower`.

    `gap` is that of the medoids found, None where their loss is still to be computed.
    """

    lower: float
    gap: float | None


class Fit(NamedTuple):
    """Medoids and how they were found.

    Parameters
    ----------
    medoids, initial : ndarray of shape (k,), intp
        Medoids in slot order, found and to begin with.
    n_iter, n_swaps : int
        Passes and swaps of the best start.
    curve : ndarray
        Objective at the start and after every swap.
    converged : bool
        Whether the search ended by itself.
    k_range, silhouette_curve : ndarray or None
        Average medoid silhouette for each number of medoids, from "dynmsc".
    proof : Proof or None
        Lower bound on the loss.
    n_distances : int
        Dissimilarities that were computed, or are there, if given.
    """

    medoids: np.ndarray
    initial: np.ndarray
    n_iter: int
    n_swaps: int
    curve: np.ndarray
    converged: bool
    k_range: np.ndarray | None = None
    silhouette_curve: np.ndarray | None = None
    proof: Proof | None = None
    n_distances: int = 0


def fit_medoids(source, weights, n_clusters, settings, random_state, **options):
    """Find medoids by any method.

    Parameters
    ----------
    source : CandidateRows
        Dissimilarities; candidates are the points.
    weights : ndarray of shape (n_points,), float64
        Sample weights.
    n_clusters : int
        Number of medoids; the largest one for "dynmsc".
    settings : Settings
        How to search; `init` is not checked yet.
    random_state : int, RandomState or None
        Source of random numbers.
    **options : dict
        `batch_size` ("auto" or int), `restrict` (as `one_batch` takes it), `bound`
        (bool), `n_jobs` (int or None), and `callback` and `watch` (callable or None),
        which see the passes and the parts of an exact search.

    Returns
    -------
    Fit

    Raises
    ------
    ValueError
        If `init` is invalid, a silhouette is to be made of negative dissimilarities,
        or sums overflow.
    """
    problem = make_problem(source, weights)
    init = check_init(settings.init, n_clusters, problem.allowed)
    n_init = settings.n_init if isinstance(init, str) else 1
    settings = settings._replace(init=init, n_init=n_init)
    n_jobs, callback = options["n_jobs"], options["callback"]
    inner = settings
    if settings.method == "onebatch":
        batch_size, restrict = options["batch_size"], options["restrict"]
        problem = one_batch(problem, n_clusters, batch_size, restrict, random_state)
    if settings.method in ("onebatch", "exact"):
        inner = settings._replace(method="fasterpam")
    found = find_medoids(
        problem, n_clusters, inner, random_state, n_jobs=n_jobs, callback=callback
    )
    fit = _outcome(found)
    if settings.method == "onebatch":  # from the batch's estimate to that of the whole
        scale = weights.sum() / problem.weights.sum()
        fit = fit._replace(curve=fit.curve * scale)
    if settings.method == "exact":
        limit = settings.max_iter
        fit = _exactly(fit, problem, n_clusters, limit, n_jobs, options["watch"])
    elif options["bound"]:
        fit = fit._replace(proof=_bounded(fit, source, weights, n_clusters, n_jobs))
    return fit._replace(n_distances=n_computed(problem.source))


def _outcome(found):
    search = found.search
    check_sum(search.curve)
    return Fit(
        medoids=search.state.medoids.copy(),
        initial=found.initial,
        n_iter=search.n_iter,
        n_swaps=search.n_swaps,
        curve=search.curve,
        converged=search.converged,
        k_range=getattr(search, "k_range", None),
        silhouette_curve=getattr(search, "silhouette_curve", None),
    )


def _bounded(fit, source, weights, n_clusters, n_jobs):
    bound = lagrangian_bound(source, n_clusters, fit.medoids, weights, n_jobs=n_jobs)
    if _are_same(bound.medoids, fit.medoids):
        return Proof(bound.lower_bound, bound.gap)
    return Proof(bound.lower_bound, None)  # it has come upon better ones


def _are_same(medoids, others):
    return np.array_equal(np.sort(medoids), np.sort(others))


def _exactly(fit, problem, n_clusters, max_nodes, n_jobs, watch):
    """Improve on good medoids until nothing better can exist."""

    def improve(medoids):
        search = fasterpam(problem, medoids)
        return search.state.medoids, search.curve[-1]

    best = exact(
        problem.source,
        n_clusters,
        problem.weights,
        fit.medoids,
        max_nodes=max_nodes,
        improve=improve if n_clusters > 1 else None,
        n_jobs=n_jobs,
        callback=watch,
    )
    curve, medoids = fit.curve, fit.medoids
    if not _are_same(best.medoids, medoids):
        medoids, curve = np.sort(best.medoids), np.append(curve, best.loss)
    return fit._replace(
        medoids=medoids,
        curve=curve,
        converged=best.proved,
        proof=Proof(best.lower_bound, best.gap),
    )
