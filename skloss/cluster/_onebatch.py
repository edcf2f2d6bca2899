"""OneBatchPAM: every point is a candidate, but the loss runs over a sample.

A. de Mathelin et al., "OneBatchPAM: a fast and frugal k-medoids algorithm", AAAI 2025.
"""

import math

import numpy as np
from sklearn.utils import check_random_state

from skloss._jit import kernel
from skloss._validation import as_kernel_array
from skloss.cluster._drawing import draw
from skloss.cluster._search import Problem

__all__ = ["default_batch_size", "one_batch"]


@kernel
def _add_to_nearest(rows, weights, totals):
    """Give the weight of each candidate to the reference point nearest to it."""
    for b in range(weights.size):
        nearest = 0
        for c in range(1, totals.size):
            if rows[b, c] < rows[b, nearest]:
                nearest = c
        totals[nearest] += weights[b]


def default_batch_size(n_samples, n_clusters):
    """Return how many reference points the method's authors advise.

    Parameters
    ----------
    n_samples, n_clusters : int
        Size of the problem.

    Returns
    -------
    int
        100 log(n k), at least k and at most n.
    """
    size = math.ceil(100 * math.log(max(2, n_samples * n_clusters)))
    return min(n_samples, max(n_clusters, size))


def one_batch(problem, n_clusters, batch_size, restrict, random_state):
    """Confine the loss to a sample of reference points.

    They are drawn in proportion to the weights, each at most once. Each counts for the
    points that are nearer to it than to the others.

    Parameters
    ----------
    problem : Problem
        With all points.
    n_clusters : int
        Number of medoids.
    batch_size : int or "auto"
        Number of reference points, at least `n_clusters`.
    restrict : callable
        ``restrict(batch)`` returns the source of the dissimilarities of some points.
    random_state : int, RandomState or None
        Source of random numbers.

    Returns
    -------
    Problem
        With all candidates and the reference points only.
    """
    n = problem.source.n_rows
    if batch_size == "auto":
        batch_size = default_batch_size(n, n_clusters)
    elif batch_size < n_clusters:
        raise ValueError(
            f"batch_size={batch_size} must be at least n_clusters={n_clusters}."
        )
    nobody = np.empty(0, dtype=np.intp)
    random = check_random_state(random_state)
    drawn, _, _ = draw(problem.weights, batch_size, nobody, random)
    batch = as_kernel_array(drawn, np.intp)
    source = restrict(batch)
    totals = np.zeros(len(batch))
    for start, stop, rows in source.iterate():
        _add_to_nearest(rows, problem.weights[start:stop], totals)
    weights = as_kernel_array(totals * (len(batch) / totals.sum()), np.float64)
    return Problem(source, weights, batch, problem.allowed)
