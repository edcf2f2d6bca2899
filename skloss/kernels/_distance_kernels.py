"""Compiled distances of a block of candidates to all points.

Points come transposed, (n_features, n_points), so that the inner loops run along the
points and vectorise without reordering any sum: a distance depends on its two rows
alone, whatever the block it is computed in, and equal rows are exactly 0 apart.

A metric is an immutable value (see `skloss.kernels.metrics`); :func:`update` adds one
feature to a running total and :func:`conclude` turns the total into the distance.
"""

from typing import NamedTuple

import numpy as np

from skloss._elementary import exp, log
from skloss._jit import dispatched, kernel

__all__ = [
    "Canberra",
    "Chebyshev",
    "Euclidean",
    "HalfSquared",
    "Hamming",
    "Manhattan",
    "Minkowski",
    "SquaredEuclidean",
    "fill_block",
    "finish_products",
    "finish_sparse_products",
    "sparse_squared_norms",
    "squared_norms",
]

# Points in a strip: its totals stay in the first-level cache, its features in the
# second-level one. Shorter strips pay more for starting their loops.
_STRIP = 1024
# Points among which near-duplicates are looked for at once.
_CHUNK = 128
# Freedom to use fused multiply-adds; sums keep their order.
_FUSED = {"contract"}
# Sums along features may be split over vector lanes.
_SUMS = {"contract", "reassoc"}


class SquaredEuclidean(NamedTuple):
    """Sum of squared differences."""


class Euclidean(NamedTuple):
    """Root of the sum of squared differences."""


class HalfSquared(NamedTuple):
    """Half the sum of squared differences: for unit rows, 1 less their cosine."""


class Manhattan(NamedTuple):
    """Sum of absolute differences."""


class Chebyshev(NamedTuple):
    """Largest absolute difference."""


class Minkowski(NamedTuple):
    """Root of degree `p` of the sum of absolute differences to the power `p`."""

    p: float


class Hamming(NamedTuple):
    """Weighted share of features that differ."""


class Canberra(NamedTuple):
    """Weighted sum of absolute differences, each relative to both sizes' sum."""


@dispatched
def update(metric, total, x, y, weight):
    """Total after one more feature, in which the two rows have values x and y."""


@dispatched
def conclude(metric, total):
    """Distance that belongs to a total over all features."""


# Implementations of `update` are inlined before types are known, where branches are
# not allowed: these hold the branches.
@kernel(forceinline=True)
def _larger(a, b):
    return a if a > b else b


@kernel(forceinline=True)
def _add_if_different(total, x, y, weight):
    return total + weight if x != y else total


@kernel(forceinline=True)
def _relative_difference(x, y):
    size = abs(x) + abs(y)
    # Two zeros do not differ; 0 / 0 would be nan.
    return abs(x - y) / (size if size > 0 else type(size)(1))


@kernel(forceinline=True)
def _half(total):
    return total * type(total)(0.5)


def _squared(metric, total, x, y, weight):
    return total + (x - y) * (x - y)


update.implement(SquaredEuclidean)(_squared)
update.implement(Euclidean)(_squared)
update.implement(HalfSquared)(_squared)


@update.implement(Manhattan)
def _(metric, total, x, y, weight):
    return total + abs(x - y)


@update.implement(Chebyshev)
def _(metric, total, x, y, weight):
    return _larger(total, abs(x - y))


@update.implement(Minkowski)
def _(metric, total, x, y, weight):
    return total + exp(metric.p * log(abs(x - y)))  # 0 for 0: exp(-inf)


@update.implement(Hamming)
def _(metric, total, x, y, weight):
    return _add_if_different(total, x, y, weight)


@update.implement(Canberra)
def _(metric, total, x, y, weight):
    return total + weight * _relative_difference(x, y)


@conclude.otherwise
def _(metric, total):
    return total


@conclude.implement(Euclidean)
def _(metric, total):
    return np.sqrt(total)


@conclude.implement(HalfSquared)
def _(metric, total):
    return _half(total)


@conclude.implement(Minkowski)
def _(metric, total):
    return exp(log(total) / metric.p)


@kernel(fastmath=_FUSED)
def _add_four_twice(metric, x0, x1, x2, x3, y, z, weights, k, totals, others):
    # Two candidates together, so that every value of a point is loaded half as often.
    w0, w1, w2, w3 = weights[k], weights[k + 1], weights[k + 2], weights[k + 3]
    y0, y1, y2, y3 = y[k], y[k + 1], y[k + 2], y[k + 3]
    z0, z1, z2, z3 = z[k], z[k + 1], z[k + 2], z[k + 3]
    for o in range(totals.shape[0]):
        a0, a1, a2, a3 = x0[o], x1[o], x2[o], x3[o]
        total = update(metric, totals[o], a0, y0, w0)
        total = update(metric, total, a1, y1, w1)
        total = update(metric, total, a2, y2, w2)
        totals[o] = update(metric, total, a3, y3, w3)
        total = update(metric, others[o], a0, z0, w0)
        total = update(metric, total, a1, z1, w1)
        total = update(metric, total, a2, z2, w2)
        others[o] = update(metric, total, a3, z3, w3)


@kernel(fastmath=_FUSED)
def _add_one(metric, x, y, weight, totals):
    for o in range(totals.shape[0]):
        totals[o] = update(metric, totals[o], x[o], y, weight)


@kernel(fastmath=_FUSED)
def _conclude_all(metric, totals):
    for o in range(totals.shape[0]):
        totals[o] = conclude(metric, totals[o])


@kernel
def _fill_strip(metric, y, z, points, start, stop, weights, totals, others):
    """Add all features of two candidates; `z` and `others` may repeat `y`'s."""
    n_features = points.shape[0]
    in_fours = n_features - n_features % 4
    for k in range(0, in_fours, 4):
        x0, x1 = points[k, start:stop], points[k + 1, start:stop]
        x2, x3 = points[k + 2, start:stop], points[k + 3, start:stop]
        _add_four_twice(metric, x0, x1, x2, x3, y, z, weights, k, totals, others)
    for k in range(in_fours, n_features):
        x = points[k, start:stop]
        _add_one(metric, x, y[k], weights[k], totals)
        _add_one(metric, x, z[k], weights[k], others)


@kernel
def fill_block(metric, candidates, points, weights, first, fresh, out):
    """out[i, o] = distance of row i of `candidates` to column o >= first of `points`.

    Unless `fresh`, the distance is added to what `out` holds.
    """
    n_points = points.shape[1]
    n_candidates = candidates.shape[0]
    unused = np.zeros(min(_STRIP, n_points), out.dtype)
    for start in range(first, n_points, _STRIP):
        stop = min(start + _STRIP, n_points)
        for i in range(0, n_candidates, 2):
            paired = i + 1 < n_candidates
            totals = out[i, start:stop]
            others = out[i + 1, start:stop] if paired else unused[: stop - start]
            if fresh:
                totals[:] = 0
                others[:] = 0
            y, z = candidates[i], candidates[i + 1 if paired else i]
            _fill_strip(metric, y, z, points, start, stop, weights, totals, others)
            _conclude_all(metric, totals)
            if paired:
                _conclude_all(metric, others)


@kernel(fastmath=_SUMS)
def _squared_distance(x, y):
    total = x.dtype.type(0)
    for k in range(x.shape[0]):
        total += (x[k] - y[k]) * (x[k] - y[k])
    return total


@kernel(fastmath=_SUMS)
def squared_norms(X, out):
    """out[i] = squared norm of row i."""
    for i in range(X.shape[0]):
        row = X[i]
        total = X.dtype.type(0)
        for k in range(row.shape[0]):
            total += row[k] * row[k]
        out[i] = total


@kernel(fastmath=_FUSED)
def _square_from_product(products, norm, norms, nearby):
    """Squared distances in place of products; how many of them are nearly 0."""
    n_near = 0
    zero = products.dtype.type(0)  # a plain 0, or 2, would make it all float64
    infinity = products.dtype.type(np.inf)
    for o in range(products.shape[0]):
        sizes = norm + norms[o]
        square = sizes - (products[o] + products[o])
        n_near += square < nearby * sizes
        # Not a number: infinity less infinity, of norms that overflowed.
        least = zero if square <= zero else infinity
        products[o] = square if square > zero else least
    return n_near


@kernel
def finish_products(
    metric, candidates, norms, points, point_norms, nearby, first, last, out
):
    """Turn the products out[:, first:last] of rows into distances.

    `metric` is one of those that are made of squared differences. Where a squared
    distance is less than `nearby` times the two squared norms, it holds little but
    rounding errors and is computed again from the rows.
    """
    for i in range(out.shape[0]):
        y, norm = candidates[i], norms[i]
        for start in range(first, last, _CHUNK):
            stop = min(start + _CHUNK, last)
            squares, sizes = out[i, start:stop], point_norms[start:stop]
            if _square_from_product(squares, norm, sizes, nearby):
                for o in range(stop - start):
                    if squares[o] < nearby * (norm + sizes[o]):
                        squares[o] = _squared_distance(y, points[start + o])
            _conclude_all(metric, squares)


@kernel
def sparse_squared_norms(data, indptr, out):
    """out[i] = squared norm of row i of a CSR array."""
    for i in range(out.shape[0]):
        total = out.dtype.type(0)
        for k in range(indptr[i], indptr[i + 1]):
            total += data[k] * data[k]
        out[i] = total


@kernel
def _sparse_squared_distance(data, indices, k, end, others, positions, m, last):
    """Squared distance of two rows of CSR arrays with sorted indices."""
    total = data.dtype.type(0)
    while k < end or m < last:
        x = y = data.dtype.type(0)
        if m == last or (k < end and indices[k] <= positions[m]):
            column = indices[k]
        else:
            column = positions[m]
        if k < end and indices[k] == column:
            x = data[k]
            k += 1
        if m < last and positions[m] == column:
            y = others[m]
            m += 1
        total += (x - y) * (x - y)
    return total


@kernel
def finish_sparse_products(
    metric,
    data, indices, indptr, norms,
    point_data, point_indices, point_indptr, point_norms,
    nearby, first, out,
):  # fmt: skip
    """`finish_products` for rows of CSR arrays with sorted indices."""
    for i in range(out.shape[0]):
        norm = norms[i]
        begin, end = indptr[i], indptr[i + 1]
        for start in range(first, out.shape[1], _CHUNK):
            stop = min(start + _CHUNK, out.shape[1])
            squares, sizes = out[i, start:stop], point_norms[start:stop]
            if _square_from_product(squares, norm, sizes, nearby):
                for o in range(stop - start):
                    if squares[o] < nearby * (norm + sizes[o]):
                        m, last = point_indptr[start + o], point_indptr[start + o + 1]
                        squares[o] = _sparse_squared_distance(
                            data,
                            indices,
                            begin,
                            end,
                            point_data,
                            point_indices,
                            m,
                            last,
                        )
            _conclude_all(metric, squares)
