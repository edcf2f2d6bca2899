"""Kernels of swaps that compute only distances which the metric cannot exclude.

Let point o belong to medoid m, at distance a, and be at distance s from its second
nearest. By the triangle inequality d(o, j) >= d(m, j) - a, so that candidate j cannot
come nearer to o than s if a + s <= d(m, j). The points of each cluster are kept in the
order of a + s, largest first: the others are a tail that is never looked at.
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel
from skloss._simd import LANES, equal_bits, less_bits, trailing_zeros
from skloss.cluster._swap import any_below, lowest
from skloss.kernels._distance_kernels import conclude, update

__all__ = [
    "BATCH",
    "STRIP",
    "Features",
    "Groups",
    "Scratch",
    "compact",
    "find_touched",
    "measure",
    "regroup",
    "scan_pruned",
]

# Points whose distances are computed before they are used: they stay in the
# first-level cache.
STRIP = 1024
# Candidates whose distances to the medoids are gathered together: each lies in
# another place of memory than that to the next medoid.
BATCH = 64
_ONE = np.uint64(1)
# As in the kernels that compute whole rows, so that distances agree to the last bit.
_FUSED = {"contract"}
_SUMS = {"contract", "reassoc"}


class Features(NamedTuple):
    """What distances are computed from.

    Parameters
    ----------
    metric : NamedTuple
        Metric of the first features.
    others : NamedTuple
        Metric of the rest, whose distance is added.
    n_first : int
        Number of first features.
    values : ndarray of shape (n_features, n_points)
        The points, encoded.
    weights : ndarray of shape (n_features,)
        Weights of the features.
    """

    metric: NamedTuple
    others: NamedTuple
    n_first: int
    values: np.ndarray
    weights: np.ndarray


class Groups(NamedTuple):
    """Points by clusters, each in a stretch of places, the largest reach first.

    Clusters that change are written anew behind all others; what they leave behind is
    not used until `compact` closes the gaps.

    Parameters
    ----------
    begin, size : ndarray of shape (k,), intp
        First place and number of points of each cluster.
    farthest : ndarray of shape (k,), float64
        Largest reach in each cluster.
    points : ndarray of shape (n_places,), intp
        Point in each place.
    reach : ndarray of shape (n_places,), float64
        Its a + s.
    to_nearest, to_second, weights : ndarray of shape (n_places,)
        Its a, s and sample weight.
    values : ndarray of shape (n_features, n_places)
        Its features, encoded.
    """

    begin: np.ndarray
    size: np.ndarray
    farthest: np.ndarray
    points: np.ndarray
    reach: np.ndarray
    to_nearest: np.ndarray
    to_second: np.ndarray
    weights: np.ndarray
    values: np.ndarray


class Scratch(NamedTuple):
    """Memory that the kernels use and leave as it happens to be.

    Parameters
    ----------
    y : ndarray of shape (n_features,)
        The candidate.
    distances : ndarray of shape (STRIP,)
        Distances of points to it.
    limits : ndarray of shape (BATCH, k), float64
        For each of some candidates, up to which reach points are excluded.
    near : ndarray of shape (k,), intp
        Clusters with points that are not.
    """

    y: np.ndarray
    distances: np.ndarray
    limits: np.ndarray
    near: np.ndarray


@kernel(fastmath=_FUSED, forceinline=True)
def _add_four(metric, x0, x1, x2, x3, y, weights, k, totals):
    w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
    y0, y1, y2, y3 = y[k], y[k + 1], y[k + 2], y[k + 3]
    for o in range(totals.size):
        total = update(metric, totals[o], x0[o], y0, w0)
        total = update(metric, total, x1[o], y1, w1)
        total = update(metric, total, x2[o], y2, w2)
        totals[o] = update(metric, total, x3[o], y3, w3)


@kernel(fastmath=_FUSED, forceinline=True)
def _add_one(metric, x, y, weight, totals):
    for o in range(totals.size):
        totals[o] = update(metric, totals[o], x[o], y, weight)


@kernel(fastmath=_FUSED, forceinline=True)
def _conclude_all(metric, totals):
    for o in range(totals.size):
        totals[o] = conclude(metric, totals[o])


@kernel(forceinline=True)
def _add(metric, first, last, y, values, weights, start, stop, totals):
    """Add the distances in some features, of which there is one at least."""
    in_fours = last - (last - first) % 4
    for k in range(first, in_fours, 4):
        x0, x1 = values[k, start:stop], values[k + 1, start:stop]
        x2, x3 = values[k + 2, start:stop], values[k + 3, start:stop]
        _add_four(metric, x0, x1, x2, x3, y, weights, k, totals)
    for k in range(in_fours, last):
        _add_one(metric, values[k, start:stop], y[k], weights[k], totals)
    _conclude_all(metric, totals)


@kernel(forceinline=True)
def measure(features, y, values, start, stop, totals):
    """Compute the distances of some places to a candidate.

    Parameters
    ----------
    features : Features
        How to compute them.
    y : ndarray of shape (n_features,)
        The candidate.
    values : ndarray of shape (n_features, n_places)
        Points, of which those from `start` to `stop` (intp) are wanted.
    totals : ndarray of shape (stop - start,)
        Overwritten by the distances.
    """
    totals[:] = 0
    n_first, rest, weights = features.n_first, y.size, features.weights
    if n_first:
        _add(features.metric, 0, n_first, y, values, weights, start, stop, totals)
    if n_first < rest:
        _add(features.others, n_first, rest, y, values, weights, start, stop, totals)


@kernel(fastmath=_SUMS, forceinline=True)
def _sum_contributions(distances, to_nearest, to_second, weights):
    shared, change = 0.0, 0.0
    for o in range(distances.size):
        d = np.float64(distances[o])
        a, s, w = np.float64(to_nearest[o]), np.float64(to_second[o]), weights[o]
        shared += w * (min(d, a) - a)
        # 0 where d >= s: no branch is needed.
        change += w * (min(max(d, a), s) - s)
    return shared, change


@kernel(forceinline=True)
def _n_within_reach(reach, begin, size, limit):
    """Count the points of a cluster whose reach is above a limit."""
    first, last = begin, begin + size
    while first < last:
        middle = (first + last) >> 1
        if reach[middle] > limit:
            first = middle + 1
        else:
            last = middle
    return first - begin


@kernel(forceinline=True)
def _visit(features, groups, scratch, i, limit):
    """Sum what the points of cluster i contribute: shared, not shared, of how many."""
    begin = groups.begin[i]
    n_points = _n_within_reach(groups.reach, begin, groups.size[i], limit)
    shared, change = 0.0, 0.0
    for start in range(begin, begin + n_points, STRIP):
        stop = min(start + STRIP, begin + n_points)
        d = scratch.distances[: stop - start]
        measure(features, scratch.y, groups.values, start, stop, d)
        terms = _sum_contributions(
            d,
            groups.to_nearest[start:stop],
            groups.to_second[start:stop],
            groups.weights[start:stop],
        )
        shared += terms[0]
        change += terms[1]
    return shared, change, n_points


@kernel
def _find_near(limits, farthest, near):
    """List the clusters that have points to visit; how many they are."""
    n_near = 0
    whole = limits.size - limits.size % LANES
    for start in range(0, whole, LANES):
        bits = less_bits(limits, farthest, start)
        while bits:
            near[n_near] = start + trailing_zeros(bits)
            bits &= bits - _ONE
            n_near += 1
    for i in range(whole, limits.size):
        near[n_near] = i
        n_near += limits[i] < farthest[i]
    return n_near


@kernel
def pruned_changes(features, groups, scratch, j, limits, losses, changes):
    """Compute what putting candidate j into each slot changes.

    Parameters
    ----------
    features, groups, scratch : Features, Groups, Scratch
        How to compute distances, points by clusters, and memory.
    j : intp
        The candidate.
    limits : ndarray of shape (k,), float64
        For each cluster, up to which reach its points are excluded.
    losses, changes : ndarray of shape (k,), float64
        As in `skloss.cluster._swap.swap_changes`.

    Returns
    -------
    shared : float
        The term that all slots share.
    n_distances : int
        Distances that were computed.
    """
    changes[:] = losses
    for k in range(scratch.y.size):
        scratch.y[k] = features.values[k, j]
    shared, n_distances = 0.0, 0
    for b in range(_find_near(limits, groups.farthest, scratch.near)):
        i = scratch.near[b]
        term, change, n_points = _visit(features, groups, scratch, i, limits[i])
        shared += term
        changes[i] += change
        n_distances += n_points
    return shared, n_distances


@kernel
def _set_limits(candidates, to_medoids, slack, limits):
    """Up to which reach points of each cluster are excluded for each candidate."""
    factor, absolute = 1.0 - slack[0], slack[1]
    for i in range(to_medoids.shape[0]):
        row = to_medoids[i]
        for b in range(candidates.size):
            limit = np.float64(row[candidates[b]]) * factor - absolute
            # Of a distance that overflowed nothing follows.
            limits[b, i] = limit if limit < np.inf else -np.inf


@kernel
def scan_pruned(
    features, groups, scratch, candidates, state, losses, changes, excluded, last, slack
):
    """Go through candidates in order up to the first whose swap lowers the deviation.

    Parameters
    ----------
    features, groups, scratch, losses, changes : as in `pruned_changes`
    candidates, state, excluded, last : as in `skloss.cluster._swap.scan`
        None of them is changed.
    slack : (float, float)
        Relative and absolute rounding errors that the triangle inequality may have.

    Returns
    -------
    position : intp
        Position of the candidate to be swapped, or where the scan ended.
    slot : intp
        The slot it is for, -1 if there is no swap to be done.
    round_ended : bool
        Whether `last` was met.
    n_distances : int
        Distances that were computed.
    """
    n_distances = 0
    for start in range(0, candidates.size, BATCH):
        batch = candidates[start : start + BATCH]
        _set_limits(batch, state.to_medoids, slack, scratch.limits)
        for b in range(batch.size):
            j = batch[b]
            if j == last:
                return start + b, -1, True, n_distances
            if excluded[j]:
                continue
            limits = scratch.limits[b]
            shared, n_computed = pruned_changes(
                features, groups, scratch, j, limits, losses, changes
            )
            n_distances += n_computed
            if any_below(changes, -shared):
                return start + b, lowest(changes), False, n_distances
    return candidates.size, -1, False, n_distances


@kernel(forceinline=True)
def _is_touched(state, row, o, slot):
    belongs = state.nearest[o] == slot or state.second[o] == slot
    return belongs or row[o] < state.to_second[o]


@kernel
def find_touched(state, candidate, row, slot, touched):
    """Find all points that a swap may assign anew.

    Parameters
    ----------
    state : Assignment
        As it is before the swap; every candidate is a point, in the same order.
    candidate : intp
        The new medoid.
    row : ndarray of shape (n_points,)
        Distances of the points to it.
    slot : intp
        Slot of the medoid that leaves.
    touched : ndarray of shape (n_points,), intp
        Receives the points.

    Returns
    -------
    int
        How many they are.
    """
    n_touched = 0
    whole = row.size - row.size % LANES
    for start in range(0, whole, LANES):
        bits = less_bits(row, state.to_second, start)
        bits |= equal_bits(state.nearest, slot, start)
        bits |= equal_bits(state.second, slot, start)
        while bits:
            touched[n_touched] = start + trailing_zeros(bits)
            bits &= bits - _ONE
            n_touched += 1
    for o in range(whole, row.size):
        touched[n_touched] = o
        n_touched += _is_touched(state, row, o, slot)
    # Beside duplicates even a medoid's own distance need not be the smallest.
    if not _is_touched(state, row, candidate, slot):
        touched[n_touched] = candidate
        n_touched += 1
    return n_touched


@kernel(forceinline=True)
def _copy_place(groups, source, target):
    groups.points[target] = groups.points[source]
    groups.reach[target] = groups.reach[source]
    groups.to_nearest[target] = groups.to_nearest[source]
    groups.to_second[target] = groups.to_second[source]
    groups.weights[target] = groups.weights[source]
    for k in range(groups.values.shape[0]):
        groups.values[k, target] = groups.values[k, source]


@kernel(forceinline=True)
def _keep(groups, place, target, has_left):
    """Copy a place unless its point has left; the next free place."""
    if has_left[groups.points[place]]:
        return target
    _copy_place(groups, place, target)
    return target + 1


@kernel(forceinline=True)
def _put_point(groups, features, state, o, target):
    a, s = state.to_nearest[o], state.to_second[o]
    groups.points[target] = o
    groups.reach[target] = np.float64(a) + np.float64(s)
    groups.to_nearest[target], groups.to_second[target] = a, s
    groups.weights[target] = state.weights[o]
    for k in range(features.values.shape[0]):
        groups.values[k, target] = features.values[k, o]


@kernel
def _merge(groups, features, state, i, arrivals, has_left, free):
    """Write cluster i anew at a free place; the next one."""
    place, end = groups.begin[i], groups.begin[i] + groups.size[i]
    target = free
    for o in arrivals:
        reach = np.float64(state.to_nearest[o]) + np.float64(state.to_second[o])
        while place < end and (
            has_left[groups.points[place]] or groups.reach[place] >= reach
        ):
            target = _keep(groups, place, target, has_left)
            place += 1
        _put_point(groups, features, state, o, target)
        target += 1
    for rest in range(place, end):
        target = _keep(groups, rest, target, has_left)
    groups.begin[i], groups.size[i] = free, target - free
    groups.farthest[i] = groups.reach[free] if target > free else -np.inf
    return target


@kernel
def regroup(groups, features, state, arrivals, starts, changed, has_left, free):
    """Bring clusters up to date after a swap.

    Parameters
    ----------
    groups : Groups
        Changed in place; has room for all changed clusters from `free` on.
    features : Features
        The points.
    state : Assignment
        As it is after the swap.
    arrivals : ndarray of shape (n_touched,), intp
        Points assigned anew, by their clusters, the largest reach first.
    starts : ndarray of shape (k + 1,), intp
        Where those of each cluster start.
    changed : ndarray of shape (k,), bool
        Clusters that such points belong to, or did.
    has_left : ndarray of shape (n_points,), bool
        Scratch, False everywhere.
    free : intp
        First place behind all clusters.

    Returns
    -------
    intp
        The same afterwards.
    """
    for o in arrivals:
        has_left[o] = True
    for i in range(changed.size):
        if changed[i]:
            new = arrivals[starts[i] : starts[i + 1]]
            free = _merge(groups, features, state, i, new, has_left, free)
    for o in arrivals:
        has_left[o] = False
    return free


@kernel
def compact(groups, by_place):
    """Close the gaps between clusters.

    Parameters
    ----------
    groups : Groups
        Changed in place.
    by_place : ndarray of shape (k,), intp
        The clusters in the order of their places.

    Returns
    -------
    intp
        First place behind all clusters.
    """
    free = 0
    for i in by_place:
        begin, size = groups.begin[i], groups.size[i]
        if begin > free:
            for t in range(size):
                _copy_place(groups, begin + t, free + t)
        groups.begin[i] = free
        free += size
    return free
