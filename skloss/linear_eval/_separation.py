"""Whether linear scores separate the classes, so that no finite optimum exists.

A. Albert and J. A. Anderson, "On the existence of maximum likelihood estimates in
logistic regression models", Biometrika 71, 1984: without a penalty the optimum is at
infinity exactly if some direction raises no row's rival classes above its own.
"""

import numpy as np

__all__ = ["margins", "recedes", "separates"]

# A step that still moves some score by this much when the objective has converged
# is a step towards infinity.
_LARGE_STEP = 0.1
_ROUNDING = 1e-3


def margins(scores, labels, reference):
    """How far each row's own class is above the best other one.

    Parameters
    ----------
    scores : ndarray of shape (K, n)
        Scores.
    labels : ndarray of shape (n,)
        Class of each row, -1 for the reference class.
    reference : bool
        Whether a class with score zero takes part.

    Returns
    -------
    ndarray of shape (n,)
    """
    rows = np.flatnonzero(labels >= 0)
    own = np.zeros(scores.shape[1])
    own[rows] = scores[labels[rows], rows]
    rivals = np.array(scores, dtype=np.float64)
    rivals[labels[rows], rows] = -np.inf
    best = rivals.max(axis=0)
    if reference:
        best[rows] = np.maximum(best[rows], 0.0)
    return own - best


def separates(scores, labels, weights, reference):
    """Whether every row that has weight is classified correctly without a tie."""
    return bool((margins(scores, labels, reference)[weights > 0] > 0).all())


def recedes(changes, labels, weights, reference):
    """Whether changes of the scores are large and harm no row that has weight."""
    size = np.abs(changes).max()
    if size < _LARGE_STEP:
        return False
    gains = margins(changes, labels, reference)[weights > 0]
    return bool((gains > -_ROUNDING * size).all())
