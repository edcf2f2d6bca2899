import threading

import dask.array
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skloss._blocks import (
    ComputedRows,
    DaskRows,
    DenseRows,
    RowBlocks,
    SparseRows,
    csr_parts,
    row_blocks,
    rows_per_block,
)


def dense(block):
    return block.toarray() if sparse.issparse(block) else block


@pytest.fixture
def X(rng):
    X = rng.normal(size=(23, 4))
    X[rng.random(X.shape) < 0.5] = 0
    return X


def memory_map(X, tmp_path):
    path = tmp_path / "X.npy"
    np.save(path, X)
    return np.load(path, mmap_mode="r")


class FileLike:
    """Sliceable by rows and nothing else, as HDF5 and zarr arrays are."""

    def __init__(self, X):
        self.shape, self.dtype, self._X = X.shape, X.dtype, X

    def __getitem__(self, rows):
        assert isinstance(rows, slice)
        return self._X[rows].copy()


SOURCES = {
    "stored": (lambda X, tmp: X, DenseRows),
    "fortran": (lambda X, tmp: np.asfortranarray(X), DenseRows),
    "list": (lambda X, tmp: X.tolist(), DenseRows),
    "memory-mapped": (memory_map, DenseRows),
    "file-like": (lambda X, tmp: FileLike(X), DenseRows),
    "csr": (lambda X, tmp: sparse.csr_array(X), SparseRows),
    "csr 64-bit": (lambda X, tmp: with_int64(sparse.csr_matrix(X)), SparseRows),
    "csc": (lambda X, tmp: sparse.csc_array(X), SparseRows),
    "coo": (lambda X, tmp: sparse.coo_matrix(X), SparseRows),
    "dask": (lambda X, tmp: dask.array.from_array(X, chunks=(5, 3)), DaskRows),
    "computed": (
        lambda X, tmp: ComputedRows(lambda a, b: X[a:b], *X.shape),
        ComputedRows,
    ),
}


def with_int64(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.mark.parametrize("block_rows", [None, 1, 7, 23, 100])
@pytest.mark.parametrize("source", SOURCES)
def test_blocks_are_the_rows_in_order(source, block_rows, X, tmp_path):
    make, cls = SOURCES[source]
    blocks = row_blocks(make(X, tmp_path))
    assert type(blocks) is cls
    assert (blocks.n_rows, blocks.n_columns) == X.shape
    assert blocks.dtype == np.float64
    end = 0
    for start, stop, block in blocks.iterate(block_rows):
        assert start == end and stop - start <= (block_rows or 23)
        np.testing.assert_array_equal(dense(block), X[start:stop])
        assert sparse.issparse(block) == blocks.is_sparse
        if not blocks.is_sparse:
            assert block.flags.c_contiguous and not block.flags.writeable
        end = stop
    assert end == len(X)
    np.testing.assert_array_equal(dense(blocks.rows(3, 11)), X[3:11])
    assert dense(blocks.rows(5, 5)).shape == (0, 4)


@pytest.mark.parametrize(
    "dtype, expected",
    [(np.float32, np.float32), (np.float16, np.float32), (np.int8, np.float64)],
)
@pytest.mark.parametrize("wrap", [np.asarray, sparse.csr_array, dask.array.from_array])
def test_dtype_of_blocks(wrap, dtype, expected):
    X = np.arange(6).reshape(3, 2).astype(dtype)
    if wrap is sparse.csr_array and dtype is np.float16:
        with pytest.raises(ValueError, match="float16"):  # none in SciPy
            wrap(X)
        return
    blocks = row_blocks(wrap(X))
    assert blocks.dtype == blocks.rows(0, 3).dtype == expected
    np.testing.assert_array_equal(dense(blocks.rows(0, 3)), X)


def test_stored_rows_are_views(X):
    assert np.shares_memory(DenseRows(X).rows(2, 9), X)
    stored = sparse.csr_array(X)
    assert np.shares_memory(SparseRows(stored).rows(2, 9).data, stored.data)


def test_sparse_entries_given_twice_are_summed_and_the_input_is_kept():
    twice = sparse.csr_array(
        (np.array([1.0, 2.0, 5.0]), np.array([1, 1, 0]), np.array([0, 2, 3])),
        shape=(2, 2),
    )
    block = SparseRows(twice).rows(0, 2)
    assert block.nnz == 2
    np.testing.assert_array_equal(block.toarray(), [[0, 3], [5, 0]])
    assert twice.nnz == 3


def test_csr_parts_rebuild_the_block(X):
    block = SparseRows(sparse.csr_array(X.astype(np.float32))).rows(4, 20)
    data, indices, indptr = csr_parts(block)
    assert (data.dtype, indices.dtype, indptr.dtype) == (np.float32, np.intp, np.intp)
    rebuilt = np.zeros((16, 4), dtype=np.float32)
    for i in range(16):
        rebuilt[i, indices[indptr[i] : indptr[i + 1]]] = data[indptr[i] : indptr[i + 1]]
    np.testing.assert_array_equal(rebuilt, X[4:20].astype(np.float32))


def test_dask_chunks_are_computed_once_each():
    computed, lock = [], threading.Lock()

    def make(block_info=None):
        with lock:
            computed.append(block_info[None]["chunk-location"])
        return np.full((5, 3), block_info[None]["chunk-location"][0], dtype=float)

    lazy = dask.array.map_blocks(make, chunks=((5,) * 4, (3,)), dtype=float)
    seen = [block[0, 0] for _, _, block in row_blocks(lazy).iterate(block_rows=2)]
    assert seen == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert len(computed) == 4


def test_dask_array_of_unknown_length_is_refused(X):
    lazy = dask.array.from_array(X, chunks=5)
    with pytest.raises(ValueError, match="compute_chunk_sizes"):
        row_blocks(lazy[lazy[:, 0] > 0])


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(3,\)"):
        row_blocks(np.zeros(3))
    wrong = ComputedRows(lambda a, b: np.zeros((1, 1)), 10, 2)
    with pytest.raises(ValueError, match=r"rows 0:4 have shape \(1, 1\)"):
        wrong.rows(0, 4)


def test_wrapping_twice_changes_nothing(X):
    blocks = row_blocks(X)
    assert row_blocks(blocks) is blocks
    with pytest.raises(NotImplementedError):
        RowBlocks(1, 1, np.float64).rows(0, 1)


@given(st.integers(0, 10**6), st.sampled_from([4, 8]), st.integers(1, 10**8))
def test_rows_per_block_fill_the_bytes_and_never_overflow_them(p, itemsize, n_bytes):
    rows = rows_per_block(p, itemsize, n_bytes=n_bytes)
    size = max(1, p * itemsize)
    assert rows == 1 or rows * size <= n_bytes < (rows + 1) * size


def test_default_block_size_of_sparse_rows_follows_the_stored_entries():
    thin = sparse.random_array((1000, 10**6), density=2e-6, format="csr", rng=0)
    assert SparseRows(thin).default_block_rows() > 10_000
