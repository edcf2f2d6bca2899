"""Rows of a data set in blocks: one interface for every way of keeping them.

Kernels and streaming fits ask for rows ``start`` to ``stop`` and do not care whether
these are stored densely, sparsely or in a file, are computed on demand (kernel
matrices, random features) or belong to a dask array. Conventions:

- dense blocks are C-contiguous and have the source's working dtype; they are copied
  only where the source does not fit already;
- dense blocks are read-only, so that compiled kernels see one type of array whether
  or not the source may be written to, and cannot change the caller's data;
- sparse blocks are CSR arrays that share the source's memory.
"""

import numpy as np
from scipy import sparse
from sklearn import get_config

from skloss._validation import as_kernel_array, working_dtype

__all__ = [
    "BLOCK_BYTES",
    "ComputedRows",
    "DaskRows",
    "DenseRows",
    "RowBlocks",
    "SparseRows",
    "csr_parts",
    "fits_working_memory",
    "narrow_csr_parts",
    "row_blocks",
    "rows_per_block",
]

# About a core's share of the second-level cache, several times over: large enough
# for a thread to be worth waking, small enough for a second look to be cheap.
BLOCK_BYTES = 1 << 22


def rows_per_block(n_columns, itemsize=8, *, n_bytes=BLOCK_BYTES, at_least=1):
    """Return the number of rows that fill a block of about `n_bytes`.

    Parameters
    ----------
    n_columns : int
        Values in a row.
    itemsize : int, default=8
        Bytes in a value.
    n_bytes : int, default=4 MiB
        Size to aim at.
    at_least : int, default=1
        Smallest number of rows worth a block, whatever its size.

    Returns
    -------
    int

    Examples
    --------
    >>> from skloss._blocks import rows_per_block
    >>> rows_per_block(1024)
    512
    >>> rows_per_block(10**9, at_least=8)
    8
    """
    return max(1, at_least, n_bytes // max(1, n_columns * itemsize))


def fits_working_memory(n_bytes):
    """Tell whether an array fits scikit-learn's ``working_memory``.

    Parameters
    ----------
    n_bytes : int
        Size of the array.

    Returns
    -------
    bool

    Examples
    --------
    >>> from sklearn import config_context
    >>> from skloss._blocks import fits_working_memory
    >>> with config_context(working_memory=1):  # MiB
    ...     fits_working_memory(2**20), fits_working_memory(2**20 + 1)
    (True, False)
    """
    return n_bytes <= get_config()["working_memory"] * 2**20


class RowBlocks:
    """Base of all row sources: `rows` is what a source has to define.

    Parameters
    ----------
    n_rows, n_columns : int
        Shape of the whole.
    dtype : numpy dtype
        float32 or float64, the dtype of all blocks.
    """

    is_sparse = False

    def __init__(self, n_rows, n_columns, dtype):
        self.n_rows = int(n_rows)
        self.n_columns = int(n_columns)
        self.dtype = np.dtype(dtype)

    def rows(self, start, stop):
        """Return rows ``start`` to ``stop``; may be called from several threads.

        Parameters
        ----------
        start, stop : int
            ``0 <= start <= stop <= n_rows``.

        Returns
        -------
        ndarray or scipy.sparse.csr_array of shape (stop - start, n_columns)
        """
        raise NotImplementedError

    def iterate(self, block_rows=None):
        """Go through all rows once, in order.

        Parameters
        ----------
        block_rows : int, default=None
            Largest number of rows in a block; by default `default_block_rows`.

        Yields
        ------
        start, stop : int
            Which rows these are.
        block : ndarray or scipy.sparse.csr_array of shape (stop - start, n_columns)
        """
        block_rows = block_rows or self.default_block_rows()
        for start in range(0, self.n_rows, block_rows):
            stop = min(start + block_rows, self.n_rows)
            yield start, stop, self.rows(start, stop)

    def default_block_rows(self):
        """Return a block size that depends on the data alone."""
        return rows_per_block(self.n_columns, self.dtype.itemsize)

    @property
    def n_bytes(self):
        """Bytes that one pass over the blocks reads."""
        return self.n_rows * self.n_columns * self.dtype.itemsize


class DenseRows(RowBlocks):
    """Rows of an array, or of anything that can be sliced like one.

    Memory-mapped arrays and array-likes such as those of HDF5 or zarr are read block
    by block. Integers become float64 one block at a time.

    Parameters
    ----------
    array : array-like of shape (n_rows, n_columns)
        With ``shape``, ``dtype`` and row slices.
    """

    def __init__(self, array):
        super().__init__(*array.shape, working_dtype(array))
        self._array = array

    def rows(self, start, stop):
        return as_kernel_array(self._array[start:stop], self.dtype)


class SparseRows(RowBlocks):
    """Rows of a CSR array or matrix, never made dense.

    Parameters
    ----------
    array : scipy.sparse CSR array or matrix of shape (n_rows, n_columns)
        Other formats are converted once.
    """

    is_sparse = True

    def __init__(self, array):
        super().__init__(*array.shape, working_dtype(array))
        array = array.tocsr()
        if not array.has_canonical_format:  # entries given twice mean their sum
            array = array.copy()
            array.sum_duplicates()
        self._data = as_kernel_array(array.data, self.dtype)
        self._indices, self._indptr = array.indices, array.indptr

    def rows(self, start, stop):
        begin, end = self._indptr[start], self._indptr[stop]
        # Slicing copies the entries, and so does the constructor when they are part
        # of a larger array; attributes are taken as they are.
        block = sparse.csr_array((stop - start, self.n_columns), dtype=self.dtype)
        block.data = self._data[begin:end]
        block.indices = self._indices[begin:end]
        block.indptr = self._indptr[start : stop + 1] - begin
        block.has_canonical_format = True
        return block

    def default_block_rows(self):
        return rows_per_block(1, -(-self.n_bytes // max(1, self.n_rows)))

    @property
    def n_bytes(self):
        return self._data.nbytes + self._indices.nbytes


class ComputedRows(RowBlocks):
    """Rows that exist only while they are looked at.

    Parameters
    ----------
    compute : callable
        ``compute(start, stop)`` returns an array (stop - start, n_columns). It must
        return the same values whenever it is asked for the same rows.
    n_rows, n_columns : int
        Shape of the whole.
    dtype : numpy dtype, default=float64
        float32 or float64.
    """

    def __init__(self, compute, n_rows, n_columns, dtype=np.float64):
        super().__init__(n_rows, n_columns, dtype)
        self._compute = compute

    def rows(self, start, stop):
        block = as_kernel_array(self._compute(start, stop), self.dtype)
        if block.shape != (stop - start, self.n_columns):
            raise ValueError(
                f"Computed rows {start}:{stop} have shape {block.shape}; expected "
                f"{(stop - start, self.n_columns)}."
            )
        return block


class DaskRows(RowBlocks):
    """Rows of a dask array: one chunk of rows in memory at a time.

    Parameters
    ----------
    array : dask.array.Array of shape (n_rows, n_columns)
        The sizes of its chunks must be known (``array.compute_chunk_sizes()``).
    """

    def __init__(self, array):
        if np.isnan(array.shape).any():
            raise ValueError(
                f"The dask array has unknown shape {array.shape}: call its "
                "compute_chunk_sizes() first."
            )
        super().__init__(*array.shape, working_dtype(array))
        self.array = array

    def rows(self, start, stop):
        return as_kernel_array(self.array[start:stop].compute(), self.dtype)

    def iterate(self, block_rows=None):
        """Go through all rows once, in order, computing every chunk once.

        Parameters
        ----------
        block_rows : int, default=None
            Largest number of rows in a block; blocks also end where chunks do.

        Yields
        ------
        start, stop : int
            Which rows these are.
        block : ndarray of shape (stop - start, n_columns)
        """
        block_rows = block_rows or self.default_block_rows()
        first = 0
        for chunk_rows in self.array.chunks[0]:
            chunk = DenseRows(self.rows(first, first + chunk_rows))
            for start, stop, block in chunk.iterate(block_rows):
                yield first + start, first + stop, block
            first += chunk_rows


def csr_parts(block):
    """Return the three arrays of a CSR block as compiled kernels want them.

    Parameters
    ----------
    block : scipy.sparse.csr_array
        A block from `SparseRows`.

    Returns
    -------
    data : ndarray of shape (n_stored,)
        Stored values.
    indices : ndarray of shape (n_stored,), intp
        Their columns.
    indptr : ndarray of shape (n_rows + 1,), intp
        Where each row begins.
    """
    return (
        as_kernel_array(block.data, block.dtype),
        as_kernel_array(block.indices, np.intp),
        as_kernel_array(block.indptr, np.intp),
    )


def narrow_csr_parts(X):
    """Return the arrays of a CSR matrix with indices as short as they can be.

    SciPy's own indices are short already, so that a large matrix is not copied.

    Parameters
    ----------
    X : scipy.sparse CSR matrix or array
        Any.

    Returns
    -------
    data : ndarray of shape (n_stored,)
        Stored values.
    indices, indptr : ndarray
        Their columns, and where each row begins; int32 unless too large for it.
    """
    small = max(X.nnz, *X.shape) <= np.iinfo(np.int32).max
    index = np.int32 if small else np.int64
    return (
        as_kernel_array(X.data, X.data.dtype),
        as_kernel_array(X.indices, index),
        as_kernel_array(X.indptr, index),
    )


def row_blocks(source):
    """Wrap a data set in the class that knows how to read its rows.

    Parameters
    ----------
    source : RowBlocks, array-like, scipy.sparse array or matrix, or dask array
        A two-dimensional data set. Computed rows have no shape of their own: make
        them with `ComputedRows`.

    Returns
    -------
    RowBlocks

    Raises
    ------
    ValueError
        If `source` is not two-dimensional.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._blocks import row_blocks
    >>> blocks = row_blocks(np.arange(10.0).reshape(5, 2))
    >>> [(start, stop) for start, stop, _ in blocks.iterate(block_rows=2)]
    [(0, 2), (2, 4), (4, 5)]
    """
    if isinstance(source, RowBlocks):
        return source
    if not hasattr(source, "shape") or not hasattr(source, "dtype"):
        source = np.asarray(source)
    if len(source.shape) != 2:
        raise ValueError(f"Expected two dimensions, got shape {source.shape}.")
    if sparse.issparse(source):
        return SparseRows(source)
    if type(source).__module__.partition(".")[0] == "dask":
        return DaskRows(source)
    return DenseRows(source)
