"""Initial medoids."""

import math

import numpy as np

from skloss.cluster._build import greedy

__all__ = ["INITIALISATIONS", "choose_medoids"]


def choose_medoids(init, problem, n_clusters, random):
    """Choose initial medoids.

    Parameters
    ----------
    init : str
        One of `INITIALISATIONS`.
    problem : Problem
        Dissimilarities, weights and constraints.
    n_clusters : int
        Number of medoids, at most the number of allowed candidates.
    random : RandomState
        Source of random numbers.

    Returns
    -------
    ndarray of shape (n_clusters,), intp
        Distinct candidates in slot order.
    """
    return INITIALISATIONS[init](problem, n_clusters, random)


def _build(problem, n_clusters, random):
    return greedy(problem, n_clusters)


def _first(problem, n_clusters, random):
    return np.flatnonzero(problem.allowed)[:n_clusters]


def _random(problem, n_clusters, random):
    return random.choice(np.flatnonzero(problem.allowed), n_clusters, replace=False)


def _plus_plus(problem, n_clusters, random):
    """k-medoids++: draw points by their dissimilarity to the medoids so far.

    Arthur and Vassilvitskii (2007) with the dissimilarity in place of its square, as
    fits a sum of dissimilarities.
    """
    weights = np.where(problem.own >= 0, problem.weights, 0.0)
    weights = weights * problem.allowed[problem.own]
    medoids = [_draw(weights, problem, [], random)]
    to_nearest = np.full(len(weights), np.inf)
    for _ in range(1, n_clusters):
        row = problem.source.take(medoids[-1:])[0]
        np.minimum(to_nearest, np.maximum(row, 0), out=to_nearest)
        medoids.append(_draw(weights * to_nearest, problem, medoids, random))
    return np.array(medoids, dtype=np.intp)


def _draw(chances, problem, taken, random):
    """Draw a candidate by chances of the points, uniformly if there are none left."""
    chances = chances.copy()
    chances[np.isin(problem.own, taken)] = 0.0
    total = np.cumsum(chances)
    if total[-1] > 0:
        place = np.searchsorted(total, random.uniform() * total[-1], side="right")
        return problem.own[min(place, np.flatnonzero(chances)[-1])]
    free = problem.allowed.copy()
    free[taken] = False
    return random.choice(np.flatnonzero(free))


def _lab(problem, n_clusters, random):
    r"""LAB: the best of a small sample for each medoid (Schubert and Rousseeuw 2021).

    The sample has :math:`10 + \lceil\sqrt{n}\rceil` candidates that are no medoids;
    both the choice and its judgement are confined to it.
    """
    size = 10 + math.ceil(math.sqrt(problem.source.n_rows))
    point_of = np.full(problem.source.n_rows, -1)
    point_of[problem.own[problem.own >= 0]] = np.flatnonzero(problem.own >= 0)
    free = problem.allowed & (point_of >= 0)
    to_nearest = np.full(len(problem.weights), np.inf)
    medoids = []
    for _ in range(n_clusters):
        open_ = np.flatnonzero(free)
        if not len(open_):  # fewer reference points than medoids
            rest = np.setdiff1d(np.flatnonzero(problem.allowed), medoids)
            n_rest = n_clusters - len(medoids)
            medoids += random.choice(rest, n_rest, replace=False).tolist()
            break
        sample = random.choice(open_, min(size, len(open_)), replace=False)
        points = point_of[sample]
        among = problem.source.take(sample)[:, points].astype(np.float64)
        after = np.minimum(among, to_nearest[points]) @ problem.weights[points]
        best = sample[after.argmin()]
        medoids.append(best)
        free[best] = False
        np.minimum(to_nearest, problem.source.take([best])[0], out=to_nearest)
    return np.array(medoids, dtype=np.intp)


# Public name -> how medoids are chosen.
INITIALISATIONS = {
    "build": _build,
    "lab": _lab,
    "k-medoids++": _plus_plus,
    "random": _random,
    "first": _first,
}
