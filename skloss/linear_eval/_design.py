"""Rows of a data matrix in standardised coordinates, one block at a time.

A design stands for the matrix ``[X̃, 1]`` (n, p + 1), where X̃ is X with its columns
centred and scaled. Parameters are (K, p + 1), class-major, the intercept last. Each
design knows two products with a block of rows, and hides how X is stored:

- `Columns`: standardised and feature-major, so that products vectorise over rows;
- `SparseRows`: compressed rows, scaled and centred through the parameters, so that
  zeros stay unstored.
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import dispatched, kernel
from skloss.linear_eval._products import add_products, multiply
from skloss.losses.softmax_blocks import BLOCK_ROWS

__all__ = [
    "Columns",
    "SparseRows",
    "accumulate",
    "arrange",
    "collect",
    "scores",
    "workspace",
]


class Columns(NamedTuple):
    """Standardised features, stored feature by feature: data (p, n)."""

    data: np.ndarray


class SparseRows(NamedTuple):
    """Raw compressed rows with the center and inverse scale (p,) to apply."""

    data: np.ndarray
    indices: np.ndarray
    indptr: np.ndarray
    center: np.ndarray
    scale: np.ndarray


@dispatched
def workspace(design, T):
    """Memory for one block of rows."""


@dispatched
def arrange(design, T):
    """Parameters (K, p + 1) in the order and units in which the blocks use them."""


@dispatched
def scores(design, T, start, stop, work, Z):
    """Fill `Z` (K, rows) with the scores of a block under arranged parameters."""


@dispatched
def accumulate(design, R, start, stop, work, G):
    """Add the block's ``R [X̃, 1]`` to the arranged `G`."""


@dispatched
def collect(design, G, out):
    """Bring the arranged `G` back to (K, p + 1) in `out`."""


@kernel
def _sparse_scores(data, indices, indptr, T, start, stop, work, Z):
    n_classes = Z.shape[0]
    intercept = T[T.shape[0] - 1]
    for i in range(stop - start):
        s = work[i]
        for k in range(n_classes):
            s[k] = intercept[k]
        for at in range(indptr[start + i], indptr[start + i + 1]):
            value = data[at]
            t = T[indices[at]]
            for k in range(n_classes):
                s[k] += value * t[k]
    for k in range(n_classes):
        for i in range(stop - start):
            Z[k, i] = work[i, k]


@kernel
def _sparse_add_products(data, indices, indptr, R, start, stop, work, G):
    n_classes = R.shape[0]
    for k in range(n_classes):
        for i in range(stop - start):
            work[i, k] = R[k, i]
    total = G[G.shape[0] - 1]
    for i in range(stop - start):
        r = work[i]
        for k in range(n_classes):
            total[k] += r[k]
        for at in range(indptr[start + i], indptr[start + i + 1]):
            value = data[at]
            g = G[indices[at]]
            for k in range(n_classes):
                g[k] += value * r[k]


@workspace.implement(Columns)
def _(design, T):
    return np.empty((0, 0), T.dtype)


@workspace.implement(SparseRows)
def _(design, T):
    return np.empty((BLOCK_ROWS, T.shape[0]), T.dtype)


@arrange.implement(Columns)
def _(design, T):
    return T


@arrange.implement(SparseRows)
def _(design, T):
    n_features = design.scale.shape[0]
    out = np.empty((n_features + 1, T.shape[0]), T.dtype)
    for k in range(T.shape[0]):
        shift = 0.0
        for j in range(n_features):
            scaled = T[k, j] * design.scale[j]
            shift += scaled * design.center[j]
            out[j, k] = scaled
        out[n_features, k] = T[k, n_features] - shift
    return out


@scores.implement(Columns)
def _(design, T, start, stop, work, Z):
    multiply(design.data, start, stop, T, Z)


@scores.implement(SparseRows)
def _(design, T, start, stop, work, Z):
    _sparse_scores(design.data, design.indices, design.indptr, T, start, stop, work, Z)


@accumulate.implement(Columns)
def _(design, R, start, stop, work, G):
    add_products(design.data, start, stop, R, G)


@accumulate.implement(SparseRows)
def _(design, R, start, stop, work, G):
    _sparse_add_products(
        design.data, design.indices, design.indptr, R, start, stop, work, G
    )


@collect.implement(Columns)
def _(design, G, out):
    for k in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[k, j] = G[k, j]


@collect.implement(SparseRows)
def _(design, G, out):
    n_features = design.scale.shape[0]
    for k in range(out.shape[0]):
        total = G[n_features, k]
        for j in range(n_features):
            centred = G[j, k] - design.center[j] * total
            out[k, j] = design.scale[j] * centred
        out[k, n_features] = total
