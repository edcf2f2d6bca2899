"""Divisions of rows into bags: the best for scores, good ones for features."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from skloss._jit import kernel

__all__ = ["balanced_clusters", "best_divisions"]

_SETTLED = 20  # improvements of a split, at most
_NEAR, _SWEEPS = 4, 2  # clusters that exchange rows with each, and how often
_TURNS = 8  # of a random direction towards that of the largest variance


def best_divisions(scores, k):
    """Divide sorted scores into bags of at least k of least variance within.

    Parameters
    ----------
    scores : ndarray of shape (n,), float64
        Sorted, finite.
    k : int
        From 1 to n.

    Returns
    -------
    ndarray of shape (n,), intp
        Bags from 0.
    """
    # A power of two changes no digits, and squares neither overflow nor vanish.
    largest = max(abs(scores[0]), abs(scores[-1]))
    scaled = np.ldexp(scores, -np.frexp(largest)[1])
    last = np.empty(len(scores) + 1, dtype=np.intp)
    least = np.full(len(scores) + 1, np.inf)
    _find_best(scaled, k, 1.0 / np.arange(1, 2 * k), least, last)
    starts = np.zeros(len(scores), dtype=np.intp)
    end = len(scores)
    while end > 0:
        end -= last[end]
        starts[end] = 1
    return np.cumsum(starts) - 1


@kernel
def _find_best(scores, k, inverse, least, last):
    """Find the least sum of squares of the first j scores, and its last bag's size.

    Sums are of differences from the last score of a bag: those from a point far away
    would cancel. One of the differences is 0, so that their squares are at most as
    many times the sum around the mean as there are rows in the bag.
    """
    least[0] = 0.0
    for j in range(k, scores.shape[0] + 1):
        end = scores[j - 1]
        total, squares = 0.0, 0.0
        for i in range(1, k):
            difference = scores[j - 1 - i] - end
            total += difference
            squares += difference * difference
        best, best_size = least[j - k] + (squares - total * total * inverse[k - 1]), k
        for size in range(k + 1, min(2 * k - 1, j) + 1):
            difference = scores[j - size] - end
            total += difference
            squares += difference * difference
            loss = least[j - size] + (squares - total * total * inverse[size - 1])
            if loss < best:
                best, best_size = loss, size
        least[j], last[j] = best, best_size


def balanced_clusters(X, sizes, random):
    """Divide rows into clusters of given sizes.

    They are split in two repeatedly, and then neighbouring clusters exchange rows.

    Parameters
    ----------
    X : ndarray of shape (n, d), float64
        Finite features.
    sizes : ndarray of shape (m,)
        Numbers of rows in the clusters; they sum to n.
    random : RandomState
        Where splits start.

    Returns
    -------
    ndarray of shape (n,), intp
        Clusters from 0.
    """
    if len(sizes) == len(X):
        return np.arange(len(X))
    largest = np.abs(X).max()
    if largest > 0:
        X = X / largest  # so that squares do not overflow
    X = np.ascontiguousarray(X - X.mean(axis=0))
    clusters = [None] * len(sizes)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    parts = [(np.arange(len(X)), 0, len(sizes))]
    while parts:
        rows, first, stop = parts.pop()
        if stop - first == 1:
            clusters[first] = rows
            continue
        middle = (first + stop) // 2
        left = _split(X[rows], ends[middle] - ends[first], random)
        parts.append((rows[~left], middle, stop))
        parts.append((rows[left], first, middle))
    _exchange(X, clusters)
    labels = np.empty(len(X), dtype=np.intp)
    labels[np.concatenate(clusters)] = np.repeat(np.arange(len(sizes)), sizes)
    return labels


def _split(X, n_left, random):
    """Choose rows for the left of two clusters: 2-means of prescribed sizes."""
    X = X - X.mean(axis=0)
    direction = _main_direction(X, random.standard_normal(X.shape[1]))
    left = np.zeros(len(X), dtype=bool)
    left[np.argpartition(X @ direction, n_left - 1)[:n_left]] = True
    _settle(X, left)
    return left


@kernel(fastmath={"reassoc", "contract"})
def _settle(X, left):
    """Exchange rows of two clusters until none is on the wrong side, in `left`.

    With two means, the best rows for the left are those with the least difference of
    squared distances, which is linear in the row; so the sum of squares within the
    clusters falls at every turn.
    """
    n, d = X.shape
    n_left = 0
    for i in range(n):
        n_left += left[i]
    direction, values, scratch = np.empty(d), np.empty(n), np.empty(n)
    for _ in range(_SETTLED):
        direction[:] = 0.0
        for i in range(n):
            share = -1.0 / n_left if left[i] else 1.0 / (n - n_left)
            for j in range(d):
                direction[j] += share * X[i, j]
        for i in range(n):
            value = 0.0
            for j in range(d):
                value += X[i, j] * direction[j]
            values[i] = scratch[i] = value
        if not _take_lowest(values, _select(scratch, n_left - 1), n_left, left):
            break


@kernel
def _take_lowest(values, limit, count, taken):
    """Take the lowest values, of those at the limit the first; tell what changed."""
    for i in range(values.shape[0]):
        count -= values[i] < limit
    changed = False
    for i in range(values.shape[0]):
        at_limit = values[i] == limit and count > 0
        count -= at_limit
        takes = values[i] < limit or at_limit
        changed |= takes != taken[i]
        taken[i] = takes
    return changed


@kernel
def _select(values, rank):
    """Return the value of a rank from 0 by quickselect, which reorders values."""
    low, high = 0, values.shape[0] - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i, j = i + 1, j - 1
        if rank <= j:
            high = j
        elif rank >= i:
            low = i
        else:
            break
    return values[rank]


def _exchange(X, clusters):
    """Exchange rows between clusters whose means are close, in place."""
    if len(clusters) < 2:
        return
    n_near = min(_NEAR, len(clusters) - 1)
    for _ in range(_SWEEPS):
        means = np.array([X[rows].mean(axis=0) for rows in clusters])
        near = NearestNeighbors(n_neighbors=n_near).fit(means).kneighbors()[1]
        pairs = {(min(a, b), max(a, b)) for a in range(len(near)) for b in near[a]}
        for a, b in sorted(pairs):
            rows = np.concatenate([clusters[a], clusters[b]])
            left = np.arange(len(rows)) < len(clusters[a])
            _settle(X[rows], left)
            clusters[a], clusters[b] = rows[left], rows[~left]


def _main_direction(X, direction):
    """Turn a direction towards that of the largest variance, by the power method."""
    for _ in range(_TURNS):
        turned = X.T @ (X @ direction)
        length = np.linalg.norm(turned)
        if length == 0:
            return direction
        direction = turned / length
    return direction
