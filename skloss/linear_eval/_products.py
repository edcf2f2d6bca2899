"""Products of a block of rows with few columns, the inner loops of the solver.

BLAS packs the block before it multiplies, which with a handful of classes costs as
much as the product. These loops run along the rows in place; on blocks that fit in
cache they keep up with BLAS in float32, are up to twice as fast in float64, and can be
called between other steps on the same block.
"""

from skloss._jit import kernel
from skloss.losses.softmax_blocks import SUMS

__all__ = ["add_products", "multiply"]

# Register tiles: two classes by four features below, four by four in
# `add_products`. Larger tiles run out of vector registers, smaller ones load and
# store more than they multiply.


@kernel(fastmath=SUMS)
def _tile_scores(x0, x1, x2, x3, T, k, j, z0, z1):
    a0, a1, a2, a3 = T[k, j], T[k, j + 1], T[k, j + 2], T[k, j + 3]
    b0, b1, b2, b3 = T[k + 1, j], T[k + 1, j + 1], T[k + 1, j + 2], T[k + 1, j + 3]
    for i in range(z0.shape[0]):
        z0[i] += a0 * x0[i] + a1 * x1[i] + a2 * x2[i] + a3 * x3[i]
        z1[i] += b0 * x0[i] + b1 * x1[i] + b2 * x2[i] + b3 * x3[i]


@kernel(fastmath=SUMS)
def _column_scores(x, T, k, j, z):
    a = T[k, j]
    for i in range(z.shape[0]):
        z[i] += a * x[i]


@kernel(fastmath=SUMS)
def multiply(X, start, stop, T, Z):
    """Z[:, :rows] = T [X, 1]ᵀ for the columns start:stop of X (p, n)."""
    n_features = X.shape[0]
    n_classes = T.shape[0]
    size = stop - start
    for k in range(n_classes):
        Z[k, :size] = T[k, n_features]
    tiled_features = n_features - n_features % 4
    tiled_classes = n_classes - n_classes % 2
    for j in range(0, tiled_features, 4):
        x0, x1 = X[j, start:stop], X[j + 1, start:stop]
        x2, x3 = X[j + 2, start:stop], X[j + 3, start:stop]
        for k in range(0, tiled_classes, 2):
            _tile_scores(x0, x1, x2, x3, T, k, j, Z[k, :size], Z[k + 1, :size])
        if tiled_classes < n_classes:
            k = tiled_classes
            z = Z[k, :size]
            a0, a1, a2, a3 = T[k, j], T[k, j + 1], T[k, j + 2], T[k, j + 3]
            for i in range(size):
                z[i] += a0 * x0[i] + a1 * x1[i] + a2 * x2[i] + a3 * x3[i]
    for j in range(tiled_features, n_features):
        for k in range(n_classes):
            _column_scores(X[j, start:stop], T, k, j, Z[k, :size])


@kernel
def _add_four(g, j, a, b, c, d):
    g[j] += a
    g[j + 1] += b
    g[j + 2] += c
    g[j + 3] += d


@kernel(fastmath=SUMS)
def _tile_products(X, j, start, stop, R, k, G):
    x0, x1 = X[j, start:stop], X[j + 1, start:stop]
    x2, x3 = X[j + 2, start:stop], X[j + 3, start:stop]
    size = stop - start
    r0, r1, r2, r3 = R[k, :size], R[k + 1, :size], R[k + 2, :size], R[k + 3, :size]
    zero = X.dtype.type(0)
    a0 = a1 = a2 = a3 = b0 = b1 = b2 = b3 = zero
    c0 = c1 = c2 = c3 = d0 = d1 = d2 = d3 = zero
    for i in range(size):
        a0 += x0[i] * r0[i]
        a1 += x1[i] * r0[i]
        a2 += x2[i] * r0[i]
        a3 += x3[i] * r0[i]
        b0 += x0[i] * r1[i]
        b1 += x1[i] * r1[i]
        b2 += x2[i] * r1[i]
        b3 += x3[i] * r1[i]
        c0 += x0[i] * r2[i]
        c1 += x1[i] * r2[i]
        c2 += x2[i] * r2[i]
        c3 += x3[i] * r2[i]
        d0 += x0[i] * r3[i]
        d1 += x1[i] * r3[i]
        d2 += x2[i] * r3[i]
        d3 += x3[i] * r3[i]
    _add_four(G[k], j, a0, a1, a2, a3)
    _add_four(G[k + 1], j, b0, b1, b2, b3)
    _add_four(G[k + 2], j, c0, c1, c2, c3)
    _add_four(G[k + 3], j, d0, d1, d2, d3)


@kernel(fastmath=SUMS)
def add_products(X, start, stop, R, G):
    """G += R[:, :rows] [X, 1] for the columns start:stop of X (p, n)."""
    n_features = X.shape[0]
    n_classes = R.shape[0]
    size = stop - start
    zero = X.dtype.type(0)
    tiled_features = n_features - n_features % 4
    tiled_classes = n_classes - n_classes % 4
    for j in range(0, tiled_features, 4):
        for k in range(0, tiled_classes, 4):
            _tile_products(X, j, start, stop, R, k, G)
        x0, x1 = X[j, start:stop], X[j + 1, start:stop]
        x2, x3 = X[j + 2, start:stop], X[j + 3, start:stop]
        for k in range(tiled_classes, n_classes):
            r = R[k, :size]
            a0 = a1 = a2 = a3 = zero
            for i in range(size):
                a0 += x0[i] * r[i]
                a1 += x1[i] * r[i]
                a2 += x2[i] * r[i]
                a3 += x3[i] * r[i]
            _add_four(G[k], j, a0, a1, a2, a3)
    for j in range(tiled_features, n_features):
        x = X[j, start:stop]
        for k in range(n_classes):
            r = R[k, :size]
            a0 = zero
            for i in range(size):
                a0 += x[i] * r[i]
            G[k, j] += a0
    for k in range(n_classes):
        r = R[k, :size]
        a0 = zero
        for i in range(size):
            a0 += r[i]
        G[k, n_features] += a0
