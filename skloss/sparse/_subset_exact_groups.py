"""Best sets of groups of columns with a proof, by branch and bound.

The bound of a node is the loss with all its free groups. It is computed anew for each
node, so that some dozens of groups are what one can ask for.
"""

import time

import numpy as np

from skloss.sparse._subset_exact import Certified, never, subset_loss

_NODES = 100  # between two reports

__all__ = ["certify_groups"]


def certify_groups(
    gram,
    q,
    l2,
    layout,
    support,
    k,
    *,
    positive=False,
    time_limit=None,
    report=never,
):
    """Find the best set of k groups, or prove that there is none better.

    Parameters
    ----------
    gram : ndarray of shape (p, p)
        Gram matrix of columns of mean square 1.
    q : ndarray of shape (p,)
        Correlations with the target.
    l2 : float
        Ridge penalty.
    layout : Layout
        Groups.
    support : ndarray of intp
        Groups to beat.
    k : int
        Number of groups.
    positive : bool, default=False
        Whether coefficients must not be negative.
    time_limit : float, default=None
        Seconds.
    report : callable
        ``report(loss, lower_bound, n_nodes)`` is called now and then and answers True
        to stop.

    Returns
    -------
    Certified
    """
    end = np.inf if time_limit is None else time.perf_counter() + time_limit
    A = gram + l2 * np.eye(len(gram))

    def bound(groups):
        return subset_loss(A, q, layout.columns(groups))

    def loss(groups):
        return subset_loss(A, q, layout.columns(groups), positive)

    free = [h for h in range(len(layout.offsets)) if len(layout.columns([h]))]
    best, found = loss(support), list(support)
    stack, n_nodes = [(bound(free), [], free)], 0
    while stack and time.perf_counter() < end:
        lowest, fixed, free = stack.pop()
        if lowest >= best * (1.0 - 1e-10):
            continue
        n_nodes += 1
        if n_nodes % _NODES == 0 and report(
            best, _lowest(best, lowest, stack), n_nodes
        ):
            stack.append((lowest, fixed, free))
            break
        # A group that is missing from at most k already costs nothing to leave out.
        if len(fixed) == k or not free:
            value = loss(fixed)
            if value < best * (1.0 - 1e-10):
                best, found = value, fixed
            continue
        stack += reversed(_children(fixed, free, k, bound))
    lower = _lowest(best, best, stack)
    return Certified(np.array(sorted(found), dtype=np.intp), best, lower, n_nodes)


def _lowest(best, bound, stack):
    return max(0.0, min([best, bound, *(node[0] for node in stack)]))


def _children(fixed, free, k, bound):
    """Nodes that fix one free group each and lose those before it."""
    free = sorted(free, key=lambda h: bound([*fixed, h]))
    children = []
    for i, h in enumerate(free):
        last = len(fixed) + 1 == k
        rest = [] if last else free[i + 1 :]
        if len(fixed) + 1 + len(rest) < k:
            break  # too few groups are left; they are in the nodes before
        children.append((bound([*fixed, h, *rest]), [*fixed, h], rest))
    return children
