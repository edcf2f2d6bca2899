"""Dissimilarities of all points to blocks of candidates, however they are kept.

The rows of every source here are *candidates*: row j holds the dissimilarity of every
point to candidate j, that is ``D[:, j]`` in the notation ``D[o, j]`` = dissimilarity of
point o to candidate j, which need not be symmetric.
"""

import threading

import numpy as np
from scipy import sparse

from skloss._blocks import RowBlocks, fits_working_memory, rows_per_block
from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import as_kernel_array, working_dtype
from skloss.kernels import _matrix_kernels as passes
from skloss.kernels.metrics import engine_for, find_metric, prepare, work_threads

__all__ = [
    "BAND",
    "CandidateRows",
    "ComputedCandidates",
    "CondensedCandidates",
    "StoredCandidates",
]

# Size of a block that is expanded: it stays in a core's second-level cache until it has
# been looked at.
_EXPANDED_BYTES = 1 << 21
# Candidates that a thread computes at once, whatever the number of threads.
BAND = 256
# Rounding, in machine epsilons, that does not make a matrix asymmetric: in those that
# come from products, D[i, j] and D[j, i] may be summed in different orders.
_ROUNDING = 8
# Share of the columns that may be gathered before all are copied: little is lost if no
# more are asked for, much is saved if every pass asks for all.
_GATHERED = 1 / 8
# Features from which on copying a distance is cheaper than computing it again.
_MIRRORED_FEATURES = 32


class CandidateRows(RowBlocks):
    """Base of all sources of dissimilarities: `_read` is what a source defines.

    Parameters
    ----------
    n_candidates, n_points : int
        Numbers of rows and columns.
    dtype : numpy dtype
        float32 or float64.

    Attributes
    ----------
    is_symmetric : bool or None
        Whether the dissimilarity of x to y is that of y to x; None if not known.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import CandidateRows
    >>> class Steps(CandidateRows):
    ...     def _read(self, which):
    ...         steps = abs(np.arange(self.n_columns) - np.arange(self.n_rows)[:, None])
    ...         return steps[which].astype(self.dtype)
    >>> source = Steps(4, 4, np.float64)
    >>> source.take([3]), source.n_distances
    (array([[3., 2., 1., 0.]]), 4)
    """

    is_symmetric = None

    def __init__(self, n_candidates, n_points, dtype):
        super().__init__(n_candidates, n_points, dtype)
        self._counter = threading.Lock()
        self._n_distances = 0

    @property
    def n_distances(self):
        """Number of dissimilarities that were computed or handed out so far."""
        return self._n_distances

    def rows(self, start, stop):
        """Return the rows of candidates ``start`` to ``stop``.

        Parameters
        ----------
        start, stop : int
            ``0 <= start <= stop <= n_rows``.

        Returns
        -------
        ndarray of shape (stop - start, n_points)
            C-contiguous and read-only; a view of stored data where its layout allows.
        """
        self._count((stop - start) * self.n_columns)
        return self._read(slice(start, stop))

    def take(self, indices):
        """Return the rows of any candidates.

        Parameters
        ----------
        indices : array-like of int
            Positions of the candidates.

        Returns
        -------
        ndarray of shape (len(indices), n_points)
            C-contiguous and read-only.
        """
        indices = np.asarray(indices, dtype=np.intp)
        if len(indices) == 1 and indices[0] >= 0:  # a view may do
            return self.rows(indices[0], indices[0] + 1)
        self._count(len(indices) * self.n_columns)
        return self._read(indices)

    def _read(self, which):
        """Rows `which`, a slice or an array of intp."""
        raise NotImplementedError

    def _count(self, n_distances):
        with self._counter:
            self._n_distances += int(n_distances)


class StoredCandidates(CandidateRows):
    """Rows of a dissimilarity matrix that exists already, in any memory layout.

    Columns of `D` that are contiguous (Fortran order) are handed out as they are. If
    rows are, they serve as columns when the matrix is symmetric up to rounding, which
    is checked once; else blocks of columns are copied as they are asked for. After an
    eighth of the columns, all are copied once, to be kept, if the matrix is in C order
    and fits scikit-learn's ``working_memory``. Dtypes other than float32 and float64
    are converted, which takes a copy, too.

    Parameters
    ----------
    D : ndarray of shape (n_points, n_candidates)
        Dissimilarity of every point to every candidate. float16 becomes float32,
        integers and booleans float64.
    n_jobs : int, default=None
        Most threads to use for looking at the whole matrix and copying it.

    Attributes
    ----------
    is_symmetric : bool or None
        Whether ``D[i, j]`` and ``D[j, i]`` are equal up to rounding, that is differ
        by at most 8 machine epsilons times the sum of their absolute values. None if
        it was not necessary to know.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import StoredCandidates
    >>> D = np.array([[0.0, 1.0], [5.0, 0.0]])
    >>> StoredCandidates(D).rows(0, 1)  # of both points to the first candidate
    array([[0., 5.]])
    """

    def __init__(self, D, *, n_jobs=None):
        dtype = working_dtype(D)
        D = np.asarray(D, dtype=dtype)
        super().__init__(D.shape[1], D.shape[0], dtype)
        self._D, self._n_jobs = D, n_jobs
        if not D.T.flags.c_contiguous:
            self.is_symmetric = _is_symmetric(D, n_jobs)
        by_columns = D.T.flags.c_contiguous or D.strides[0] == D.itemsize
        # Rows of candidates, unless columns of D have to be gathered.
        self._rows = D.T if by_columns else D if self.is_symmetric else None
        self._turning = threading.Lock()
        self._n_gathered = 0

    def _read(self, which):
        if self._rows is None and self._D.flags.c_contiguous:
            columns = np.arange(self.n_rows)[which]
            if not self._turn_for(len(columns)):
                return self._gather(columns, 1)
        if self._rows is not None:
            return as_kernel_array(self._rows[which], self.dtype)
        return as_kernel_array(self._D[:, which].T, self.dtype)

    def _turn_for(self, n_columns):
        """Whether all columns are at hand once `n_columns` more are asked for."""
        with self._turning:  # who comes meanwhile waits for the copy
            self._n_gathered += n_columns
            many = self._n_gathered > _GATHERED * self.n_rows
            if self._rows is None and many and fits_working_memory(self._D.nbytes):
                n_threads = threads_for(self._D.nbytes, self._n_jobs)
                self._rows = self._gather(np.arange(self.n_rows), n_threads)
            return self._rows is not None

    def _gather(self, columns, n_threads):
        D = as_kernel_array(self._D, self.dtype)
        columns = as_kernel_array(columns, np.intp)
        out = np.empty((len(columns), self.n_columns), self.dtype)
        map_row_blocks(
            lambda start, stop: passes.copy_transposed(
                D, columns[start:stop], out[start:stop]
            ),
            len(columns),
            BAND,
            n_threads,
        )
        return as_kernel_array(out, self.dtype)

    def points(self, indices):
        """Return the dissimilarities of some points to all candidates.

        Parameters
        ----------
        indices : array-like of int
            Positions of the points.

        Returns
        -------
        ndarray of shape (len(indices), n_candidates)
            ``D[indices]``, C-contiguous and read-only; if `D` is symmetric and in
            Fortran order, its columns, which are the same up to rounding.
        """
        if self.is_symmetric is None:  # rows that are contiguous are worth a look
            self.is_symmetric = _is_symmetric(self._D.T, self._n_jobs)
        indices = np.asarray(indices, dtype=np.intp)
        by_points = self._rows if self.is_symmetric else self._D
        if len(indices) == 1 and indices[0] >= 0:
            return as_kernel_array(by_points[indices[0] :][:1], self.dtype)
        return as_kernel_array(by_points[indices], self.dtype)


def _is_symmetric(D, n_jobs):
    """Whether D is its own transpose up to rounding."""
    n = len(D)
    if D.shape[1] != n:
        return False
    rounding = D.dtype.type(_ROUNDING * np.finfo(D.dtype).eps)
    if not D.flags.c_contiguous:  # neither rows nor columns: in bands
        bands = (slice(start, start + BAND) for start in range(0, n, BAND))
        return all(_agree(D[band], D[:, band].T, rounding) for band in bands)
    view = as_kernel_array(D, D.dtype)
    differing = []  # once a band differs, the others need not be looked at

    def compare(start, stop):
        if not differing and not passes.are_mirrored(view, start, stop, rounding):
            differing.append(start)

    map_row_blocks(compare, n, passes.TILE, threads_for(D.nbytes, n_jobs))
    return not differing


def _agree(a, b, rounding):
    with np.errstate(over="ignore", invalid="ignore"):
        return bool((abs(a - b) <= rounding * abs(a) + rounding * abs(b)).all())


class CondensedCandidates(CandidateRows):
    """Rows of a symmetric matrix of which the upper half is kept.

    Parameters
    ----------
    values : ndarray of shape (n * (n - 1) // 2,)
        Dissimilarities right of the diagonal, row by row: the order of
        `scipy.spatial.distance.squareform`. The diagonal is 0.
    n : int
        Number of points.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import CondensedCandidates
    >>> CondensedCandidates(np.array([1.0, 2.0, 3.0]), 3).rows(1, 2)
    array([[1., 0., 3.]])
    """

    is_symmetric = True

    def __init__(self, values, n):
        values = np.asarray(values)
        if values.shape != (n * (n - 1) // 2,):
            raise ValueError(
                f"Condensed dissimilarities of {n} points are {n * (n - 1) // 2} "
                f"values; got an array of shape {values.shape}."
            )
        dtype = working_dtype(values)
        super().__init__(n, n, dtype)
        self._values = as_kernel_array(values, dtype)

    def _read(self, which):
        candidates = as_kernel_array(np.arange(self.n_rows)[which], np.intp)
        out = np.empty((len(candidates), self.n_columns), self.dtype)
        passes.expand_rows(self._values, candidates, out)
        return as_kernel_array(out, self.dtype)

    def default_block_rows(self):
        """Return a block size that depends on the data alone.

        Returns
        -------
        int
            Rows that fit in a core's second-level cache, at most 256.
        """
        return _block_rows(self, _EXPANDED_BYTES)


class ComputedCandidates(CandidateRows):
    """Rows that are computed from the data whenever they are asked for.

    Beside the data it keeps one copy of the points in the layout of the kernels.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_candidates, n_features)
        The candidates. float32 data give float32 dissimilarities, float64 and
        integers float64.
    metric : str or callable, default="euclidean"
        A name of `known_metrics` or a function of a point and a candidate.
    metric_params : dict, default=None
        As in `prepare`, which is applied to `X`.
    points : ndarray or CSR array of shape (n_points, n_features), default=None
        The points; by default the candidates themselves.
    own : ndarray of shape (n_points,), default=None
        Which candidate each of `points` is, -1 for none: these are at distance 0.
    n_jobs : int, default=None
        Most threads to use for a block. It changes speed, never results.

    Attributes
    ----------
    metric_params : dict
        Complete parameters, to be used for new data.
    is_symmetric : bool or None
        True if the points are the candidates and the metric is known to be symmetric,
        else None.

    Raises
    ------
    ValueError
        If the metric or its parameters are wrong.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import ComputedCandidates
    >>> X = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> ComputedCandidates(X).rows(0, 1)
    array([[0., 5., 1.]])
    """

    def __init__(
        self,
        X,
        *,
        metric="euclidean",
        metric_params=None,
        points=None,
        own=None,
        n_jobs=None,
    ):
        X = _as_rows(X)
        square = points is None
        points = X if square else _as_rows(points)
        super().__init__(X.shape[0], points.shape[0], working_dtype(X))
        known = find_metric(metric)
        self.metric_params = prepare(metric, X, metric_params)
        self.is_symmetric = True if square and known.symmetric else None
        self._X, self._n_jobs = X, n_jobs
        self._runs_python = callable(metric)
        self._is_slow = not known.native or sparse.issparse(X) or metric == "minkowski"
        self._engine = engine_for(metric, self.metric_params, points, self.dtype)
        if square:
            own = np.arange(self.n_rows)
        self._own = _Positions(own) if known.reflexive and own is not None else None

    def _read(self, which):
        candidates = self._X[which]
        out = np.empty((candidates.shape[0], self.n_columns), self.dtype)

        def fill(start, stop):
            self._engine.fill(candidates[start:stop], out[start:stop])

        n_threads = self.threads(len(out), self._n_jobs)
        self.over_bands(fill, len(out), BAND, n_threads)
        if self._own is not None:
            out[self._own.find(np.arange(self.n_rows)[which])] = 0
        return as_kernel_array(out, self.dtype)

    def fill_rows(self, start, stop, out, first=0):
        """Compute the rows start:stop on the calling thread alone.

        Parameters
        ----------
        start, stop : int
            Which rows.
        out : ndarray of shape (stop - start, n_points)
            Filled from column `first` on.
        first : int, default=0
            First column that is wanted.
        """
        self._count((stop - start) * (self.n_columns - first))
        self._engine.fill(self._X[start:stop], out, first)
        if self._own is not None:
            rows, columns = self._own.find(np.arange(start, stop))
            out[rows, columns] = 0

    def over_bands(self, function, n_rows, band, n_threads):
        """Apply a function to bands of rows, in threads that each compute alone.

        Parameters
        ----------
        function : callable
            ``function(start, stop)``.
        n_rows, band : int
            Number of rows in all and in a band.
        n_threads : int
            From `threads`.
        """
        with self._engine.context():
            map_row_blocks(function, n_rows, band, n_threads)

    def threads(self, n_rows, n_jobs=None):
        """Return the number of threads that some rows are worth.

        Parameters
        ----------
        n_rows : int
            How many rows are to be computed.
        n_jobs : int, default=None
            Most threads to use.

        Returns
        -------
        int
            At least 1.
        """
        if self._runs_python:  # threads would only wait for each other
            return 1
        return work_threads(n_rows, self.n_columns, self._X.shape[1], n_jobs)

    def worth_mirroring(self):
        """Tell whether half the distances and a copy of them take less than all.

        Returns
        -------
        bool
            Never True for a metric that is not known to be symmetric.
        """
        many = self._X.shape[1] >= _MIRRORED_FEATURES
        return bool(self.is_symmetric) and (many or self._is_slow)

    def default_block_rows(self):
        """Return a block size that depends on the data alone.

        Returns
        -------
        int
            Rows of a few megabytes, at most 256.
        """
        return _block_rows(self, self._engine.block_bytes)


def _as_rows(X):
    return X.tocsr() if sparse.issparse(X) else np.asarray(X)


def _block_rows(source, n_bytes):
    size = rows_per_block(
        source.n_columns, source.dtype.itemsize, n_bytes=n_bytes, at_least=16
    )
    return min(size, 256)


class _Positions:
    """Where the points that are candidates themselves stand."""

    def __init__(self, own):
        self._order = np.argsort(own, kind="stable")
        self._sorted = np.asarray(own)[self._order]

    def find(self, candidates):
        """Rows (among `candidates`) and columns of all self-distances."""
        begin = np.searchsorted(self._sorted, candidates, "left")
        counts = np.searchsorted(self._sorted, candidates, "right") - begin
        rows = np.repeat(np.arange(len(candidates)), counts)
        rank = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        return rows, self._order[np.repeat(begin, counts) + rank]
