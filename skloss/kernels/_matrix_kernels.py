"""Compiled passes over a stored dissimilarity matrix, in square tiles.

Tiles are what makes reading a matrix along both of its directions cheap: a tile and
its mirror image fit in the first-level cache together.
"""

import numpy as np

from skloss._jit import kernel

__all__ = [
    "TILE",
    "are_mirrored",
    "condense_rows",
    "copy_transposed",
    "expand_rows",
    "mirror",
    "scan_rows",
]

TILE = 64


@kernel
def copy_transposed(D, columns, out):
    """out[c] = column columns[c] of D."""
    n_rows = D.shape[0]
    for first in range(0, n_rows, TILE):
        last = min(first + TILE, n_rows)
        for start in range(0, columns.shape[0], TILE):
            stop = min(start + TILE, columns.shape[0])
            for o in range(first, last):
                row = D[o]
                for c in range(start, stop):
                    out[c, o] = row[columns[c]]


@kernel
def _turn(D, start, stop, first, last, tile):
    """Copy a tile of D, transposed: whatever reads it then runs along rows."""
    for i in range(start, stop):
        row = D[i, first:last]
        position = i - start
        for j in range(row.shape[0]):
            tile[j, position] = row[j]


@kernel
def _count_differences(D, start, stop, first, last, tile, rounding):
    n_different = 0
    for i in range(start, stop):
        row, other = D[i, first:last], tile[i - start]
        for j in range(row.shape[0]):
            a, b = row[j], other[j]
            allowed = rounding * abs(a) + rounding * abs(b)
            n_different += not abs(a - b) <= allowed
    return n_different


@kernel
def are_mirrored(D, start, stop, rounding):
    """Whether D[i, j] and D[j, i] agree for at most TILE rows from `start` on.

    They may differ by `rounding`, of the dtype of `D`, times the sum of their absolute
    values.
    """
    n = D.shape[0]
    tile = np.empty((TILE, TILE), D.dtype)
    for first in range(start, n, TILE):
        last = min(first + TILE, n)
        _turn(D, first, last, start, stop, tile)
        if _count_differences(D, start, stop, first, last, tile, rounding):
            return False
    return True


@kernel
def scan_rows(D):
    """Least and greatest value of some rows, and whether a value is not finite."""
    # Extremes of every TILE-th value, so that the loop vectorises. Only what is not
    # finite gives other than 0 when multiplied by 0.
    lows = np.full(TILE, D.dtype.type(np.inf))
    highs = np.full(TILE, D.dtype.type(-np.inf))
    zeros = np.zeros(TILE, D.dtype)
    whole = D.shape[1] - D.shape[1] % TILE
    for i in range(D.shape[0]):
        row = D[i]
        for first in range(0, whole, TILE):
            for c in range(TILE):
                _scan(row[first + c], c, lows, highs, zeros)
        for j in range(whole, D.shape[1]):
            _scan(row[j], 0, lows, highs, zeros)
    return lows.min(), highs.max(), zeros.sum() != 0


@kernel(forceinline=True)
def _scan(d, c, lows, highs, zeros):
    lows[c] = d if d < lows[c] else lows[c]
    highs[c] = d if d > highs[c] else highs[c]
    zeros[c] += d * zeros.dtype.type(0)


@kernel
def mirror(D, start, stop, out):
    """Copy what is right of the diagonal in at most TILE rows to below it.

    `D` is a read-only view of `out`, so that there is one type of tile to read.
    """
    n = D.shape[0]
    tile = np.empty((TILE, TILE), D.dtype)
    for first in range(start, n, TILE):
        last = min(first + TILE, n)
        _turn(D, start, stop, first, last, tile)
        for j in range(first, last):
            row, turned = out[j], tile[j - first]
            for i in range(start, min(stop, j)):
                row[i] = turned[i - start]


@kernel
def condense_rows(block, start, condensed):
    """Keep of the rows from `start` on what is right of the diagonal."""
    n = block.shape[1]
    for i in range(block.shape[0]):
        j = start + i
        position = j * n - j * (j + 1) // 2
        row = block[i]
        for o in range(j + 1, n):
            condensed[position + o - j - 1] = row[o]


@kernel
def expand_rows(condensed, candidates, out):
    """out[c] = the full row candidates[c] of a condensed matrix."""
    n = out.shape[1]
    for start in range(0, candidates.shape[0], TILE):
        stop = min(start + TILE, candidates.shape[0])
        # What is left of the diagonal lies scattered; neighbouring candidates share
        # its cache lines.
        for i in range(n):
            position = i * n - i * (i + 1) // 2 - i - 1
            for c in range(start, stop):
                if i < candidates[c]:
                    out[c, i] = condensed[position + candidates[c]]
        for c in range(start, stop):
            j, row = candidates[c], out[c]
            row[j] = 0
            position = j * n - j * (j + 1) // 2 - j - 1
            for o in range(j + 1, n):
                row[o] = condensed[position + o]
