"""Samples drawn by their weights."""

import numpy as np

__all__ = ["draw"]


def draw(weights, size, included, random):
    r"""Draw samples in proportion to their weights, each at most once.

    Priority sampling: with :math:`u_o` uniform, those of the largest
    :math:`q_o = w_o/u_o` are drawn, and count :math:`\max(w_o, \tau)` each, with
    :math:`\tau` the largest :math:`q_o` not drawn. Any sum over the drawn ones then has
    the same sum over all as its expectation (N. Duffield, C. Lund, M. Thorup, "Priority
    sampling for estimation of arbitrary subset sums", Journal of the ACM 54, 2007).
    Equal weights make it uniform; without :math:`\tau`, all keep their own.

    Samples that are included for certain count as if they had been drawn. These are
    good medoids, each in the midst of many samples: counting them for themselves alone,
    as the expectation wants it, gave losses that were up to 4 percent larger on most
    data tried, and smaller (by 2 percent) on one.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Weights; samples without weight are never drawn.
    size : int
        Number of samples, `included` among them.
    included : ndarray of shape (n_included,), intp
        Samples that are in for certain, of positive weight.
    random : RandomState
        Source of random numbers.

    Returns
    -------
    sample : ndarray of shape (n_drawn,), intp
        In the order of the data; all of positive weight if there are not more.
    sample_weights : ndarray of shape (n_drawn,)
        What each counts.
    unit : float
        What `sample_weights` are multiples of: where all weights are equal, those
        drawn count 1, so that sums of integers stay exact.
    """
    free = weights > 0
    free[included] = False
    others = np.flatnonzero(free)
    n_left = len(others) - max(0, size - len(included))
    threshold = 0.0
    if n_left > 0:
        priorities = weights[others] / (1.0 - random.uniform(size=len(others)))
        order = np.argpartition(priorities, n_left - 1)
        threshold = priorities[order[n_left - 1]]
        others = others[order[n_left:]]
    unit = threshold or 1.0
    sample = np.sort(np.concatenate([included, others]))
    return sample, np.maximum(weights[sample], threshold) / unit, unit
