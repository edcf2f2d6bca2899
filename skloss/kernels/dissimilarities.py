"""Whole dissimilarity matrices: looked at once, filled, and condensed to a half."""

from typing import NamedTuple

import numpy as np

from skloss._blocks import rows_per_block
from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import as_kernel_array, working_dtype
from skloss.kernels import _matrix_kernels as passes
from skloss.kernels.candidate_rows import BAND, ComputedCandidates

__all__ = ["DissimilarityFacts", "check_dissimilarities", "condense", "stored"]

# Two-sided agreement, relative, that makes a callable metric pass for symmetric.
_SYMMETRY = 1e-6


class DissimilarityFacts(NamedTuple):
    """What `check_dissimilarities` finds.

    Parameters
    ----------
    minimum, maximum : float
        Smallest and largest dissimilarity.
    nonzero_diagonal : bool
        Whether some object is not at 0 from itself.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import check_dissimilarities
    >>> check_dissimilarities(np.array([[0.0, 2.0], [1.0, 0.0]])).maximum
    2.0
    """

    minimum: float
    maximum: float
    nonzero_diagonal: bool


def check_dissimilarities(D, *, n_jobs=None, name="X"):
    """Check a square matrix of dissimilarities, reading it once.

    Parameters
    ----------
    D : ndarray of shape (n, n)
        Dissimilarity of every point (row) to every candidate (column), in any memory
        layout, memory-mapped or not. Rows or columns that are not contiguous are
        copied a band at a time, other dtypes than float32 and float64 as a whole.
    n_jobs : int, default=None
        Most threads to use. It changes speed, never results.
    name : str, default="X"
        What messages call the matrix.

    Returns
    -------
    DissimilarityFacts
        The extremes and whether the diagonal is 0.

    Raises
    ------
    ValueError
        If `D` is not a square matrix or holds NaN or an infinity; the message names
        the first such value by its row and column.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import check_dissimilarities
    >>> check_dissimilarities(np.array([[0.0, 2.0], [2.0, 0.0]]))
    DissimilarityFacts(minimum=0.0, maximum=2.0, nonzero_diagonal=False)
    """
    if len(D.shape) != 2 or D.shape[0] != D.shape[1] or D.shape[0] == 0:
        raise ValueError(
            f"A precomputed dissimilarity matrix must be square; {name} has shape "
            f"{D.shape}."
        )
    values = np.asarray(D)
    if values.T.flags.c_contiguous:
        values = values.T  # the facts of a matrix are those of its transpose
    dtype = working_dtype(D)
    bands = map_row_blocks(
        lambda start, stop: passes.scan_rows(
            as_kernel_array(values[start:stop], dtype)
        ),
        len(values),
        rows_per_block(len(values), dtype.itemsize),
        threads_for(values.nbytes, n_jobs),
    )
    lows, highs, invalid = zip(*bands)
    if any(invalid):
        _raise_for_value(D, name)
    diagonal = np.diagonal(values).any()
    return DissimilarityFacts(float(min(lows)), float(max(highs)), bool(diagonal))


def _raise_for_value(D, name):
    for i, row in enumerate(D):
        bad = np.flatnonzero(~np.isfinite(row))
        if len(bad):
            value = row[bad[0]]
            word = (
                "NaN" if np.isnan(value) else "infinity" if value > 0 else "-infinity"
            )
            raise ValueError(
                f"{name}[{i}, {bad[0]}] is {word}; dissimilarities must be finite."
            )


def stored(source, *, n_jobs=None):
    """Compute all dissimilarities and keep them.

    Parameters
    ----------
    source : CandidateRows
        Any source.
    n_jobs : int, default=None
        Most threads to use. It changes speed, never results.

    Returns
    -------
    ndarray of shape (n_points, n_candidates)
        In Fortran order, the one that `StoredCandidates` reads without copying.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import ComputedCandidates, stored
    >>> stored(ComputedCandidates(np.array([[0.0], [3.0]])))
    array([[0., 3.],
           [3., 0.]])
    """
    out = np.empty((source.n_rows, source.n_columns), source.dtype)
    if not isinstance(source, ComputedCandidates):
        for start, stop, block in source.iterate():
            out[start:stop] = block
        return out.T
    n_threads = source.threads(source.n_rows, n_jobs)
    mirrored = source.worth_mirroring()

    def fill(start, stop):
        source.fill_rows(start, stop, out[start:stop], start if mirrored else 0)

    source.over_bands(fill, source.n_rows, BAND, n_threads)
    if mirrored:
        view = as_kernel_array(out, source.dtype)
        map_row_blocks(
            lambda start, stop: passes.mirror(view, start, stop, out),
            source.n_rows,
            passes.TILE,
            n_threads,
        )
    return out.T


def condense(source, *, n_jobs=None):
    """Compute the dissimilarities of a symmetric source and keep the upper half.

    Parameters
    ----------
    source : CandidateRows
        Square and symmetric. A callable metric is computed both ways and compared.
    n_jobs : int, default=None
        Most threads to use. It changes speed, never results.

    Returns
    -------
    ndarray of shape (n * (n - 1) // 2,)
        In the order of `scipy.spatial.distance.squareform`. Beside it, only blocks of
        rows are ever in memory.

    Raises
    ------
    ValueError
        If the source is not square or not symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import ComputedCandidates, condense
    >>> condense(ComputedCandidates(np.array([[0.0], [3.0], [7.0]])))
    array([3., 7., 4.])
    """
    n = source.n_rows
    if source.n_columns != n:
        raise ValueError(
            f"Only square dissimilarities can be condensed; these have shape "
            f"{(source.n_columns, n)}."
        )
    values = np.empty(n * (n - 1) // 2, source.dtype)
    computed = isinstance(source, ComputedCandidates)
    upper_only = computed and source.is_symmetric

    def fill(start, stop):
        if upper_only:
            block = np.empty((stop - start, n), source.dtype)
            source.fill_rows(start, stop, block, start)
            block = as_kernel_array(block, source.dtype)
        else:
            block = source.rows(start, stop)
        passes.condense_rows(block, start, values)
        if not source.is_symmetric:
            _check_mirrored(values, block, start)

    if upper_only:
        n_threads = source.threads(n, n_jobs)
        source.over_bands(fill, n, source.default_block_rows(), n_threads)
    else:  # rows are compared with those before them, which have to be there
        map_row_blocks(fill, n, source.default_block_rows())
    return values


def _check_mirrored(values, block, start):
    """Compare rows from `start` on with what was condensed from the rows before."""
    candidates = as_kernel_array(np.arange(start, start + len(block)), np.intp)
    kept = np.empty(block.shape, block.dtype)
    passes.expand_rows(as_kernel_array(values, values.dtype), candidates, kept)
    off_diagonal = np.arange(block.shape[1]) != candidates[:, None]
    differs = (abs(block - kept) > _SYMMETRY * abs(kept)) & off_diagonal
    differs[:, start + len(block) :] = False  # not there yet
    if differs.any():
        i, o = np.argwhere(differs)[0]
        raise ValueError(
            f"Dissimilarities that are not symmetric cannot be condensed: that of "
            f"point {o} to candidate {start + i} is {block[i, o]}, the other way round "
            f"it is {kept[i, o]}."
        )
