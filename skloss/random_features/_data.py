"""Data of fits: rows kept in whatever way, targets and weights."""

from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import (
    _check_feature_names,
    _check_n_features,
    assert_all_finite,
    validate_data,
)

from skloss._blocks import DaskRows, RowBlocks, row_blocks
from skloss._validation import check_weights, working_dtype

__all__ = [
    "Data",
    "checked_rows",
    "dask_array",
    "is_fetched",
    "is_streamed",
    "read_data",
    "read_rows",
]

_LARGEST_TARGET = {  # of which products and predictions are numbers
    np.dtype(np.float64): 1e140,
    np.dtype(np.float32): 1e34,
}


class Data(NamedTuple):
    """Checked data of a fit.

    Parameters
    ----------
    blocks : RowBlocks
        Rows.
    Y : ndarray of shape (n, t), float64
        Targets.
    weight : ndarray of shape (n,), float64, or None
        Sample weights; None without any.
    is_single : bool
        Whether the target came as a vector.
    """

    blocks: RowBlocks
    Y: np.ndarray
    weight: np.ndarray | None
    is_single: bool

    @property
    def dtype(self):
        """Dtype of the features."""
        return self.blocks.dtype

    @property
    def n_rows(self):
        """Number of rows of positive weight."""
        n = self.blocks.n_rows
        return n if self.weight is None else int(np.count_nonzero(self.weight))


class _CheckedRows(RowBlocks):
    """Rows that are looked at for nan and infinity whenever they are read."""

    def __init__(self, blocks):
        super().__init__(blocks.n_rows, blocks.n_columns, blocks.dtype)
        self.blocks = blocks

    def default_block_rows(self):
        return self.blocks.default_block_rows()

    def rows(self, start, stop):
        block = self.blocks.rows(start, stop)
        assert_all_finite(block, input_name="X")
        return block

    def iterate(self, block_rows=None):
        for start, stop, block in self.blocks.iterate(block_rows):
            assert_all_finite(block, input_name="X")
            yield start, stop, block


def checked_rows(X):
    """Wrap rows that nobody has looked at for nan and infinity yet."""
    return _CheckedRows(row_blocks(X))


def is_fetched(blocks):
    """Whether rows are fetched from elsewhere whenever they are read."""
    return isinstance(blocks, _CheckedRows)


def dask_array(blocks):
    """Return the dask array that rows are from; None if they are not."""
    source = getattr(blocks, "blocks", blocks)
    return source.array if isinstance(source, DaskRows) else None


def is_streamed(X):
    """Whether rows are to be read a block at a time, and checked then.

    That is so for dask arrays, for array-likes of other libraries that can be sliced,
    HDF5 and zarr among them, and for memory-mapped arrays that would have to be copied
    into another dtype; not for other arrays, sparse matrices and data frames.
    """
    if isinstance(X, np.memmap) and X.dtype.kind in "biuf":
        return X.ndim == 2 and working_dtype(X) != X.dtype
    if isinstance(X, np.ndarray) or sparse.issparse(X) or hasattr(X, "columns"):
        return False
    has_shape = all(hasattr(X, name) for name in ("shape", "__getitem__"))
    is_ours = isinstance(getattr(X, "dtype", None), np.dtype)
    return has_shape and is_ours and not hasattr(X, "iloc")


def read_rows(estimator, X, *, reset):
    """Check rows alone.

    Parameters
    ----------
    estimator : estimator
        Which knows the number and the names of the features, or is told.
    X : array-like, sparse matrix, or sliceable array
        Rows.
    reset : bool
        Whether to tell the estimator.

    Returns
    -------
    RowBlocks
    """
    if is_streamed(X):
        return _read_stream(estimator, X, reset)
    X = validate_data(
        estimator,
        X,
        reset=reset,
        accept_sparse="csr",
        dtype=[np.float64, np.float32],
    )
    return row_blocks(X)


def _read_stream(estimator, X, reset):
    if len(X.shape) != 2:
        raise ValueError(f"Expected two dimensions, got shape {X.shape}.")
    if 0 in X.shape:
        raise ValueError(
            f"Found array with shape {X.shape} while a minimum of 1 sample and 1 "
            "feature is required."
        )
    if X.dtype.kind not in "biuf":
        raise ValueError(f"X must hold real numbers; its dtype is {X.dtype}.")
    _check_feature_names(estimator, X, reset=reset)
    _check_n_features(estimator, X, reset=reset)
    return _CheckedRows(row_blocks(X))


def read_data(estimator, X, y, sample_weight, *, reset, allow_all_zero=False):
    """Check the data of a fit.

    Parameters
    ----------
    estimator : estimator
        Which knows the number and the names of the features, or is told.
    X : array-like, sparse matrix, or sliceable array
        Rows.
    y : array-like of shape (n,) or (n, t)
        Targets.
    sample_weight : array-like of shape (n,) or None
        Weights.
    reset : bool
        Whether to tell the estimator.
    allow_all_zero : bool, default=False
        Whether all weights may be 0.

    Returns
    -------
    Data

    Raises
    ------
    ValueError
        If lengths differ, X or y holds nan or infinity, y is too large for its squares
        or the dtype of X, or weights are not weights.
    """
    if is_streamed(X):
        blocks = _read_stream(estimator, X, reset)
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        if len(y) != blocks.n_rows:
            raise ValueError(f"X has {blocks.n_rows} rows and y has {len(y)}.")
    else:
        X, y = validate_data(
            estimator,
            X,
            y,
            reset=reset,
            accept_sparse="csr",
            dtype=[np.float64, np.float32],
            multi_output=True,
            y_numeric=True,
        )
        blocks = row_blocks(X)
    if y.ndim > 2:
        raise ValueError(f"y must have one or two dimensions; got shape {y.shape}.")
    weight = None
    if sample_weight is not None:
        options = {"allow_all_zero": allow_all_zero}
        weight = check_weights(sample_weight, blocks.n_rows, **options)
    Y = np.asarray(y, dtype=np.float64).reshape(blocks.n_rows, -1)
    largest = max(Y.max(initial=0.0), -Y.min(initial=0.0))
    if largest > _LARGEST_TARGET[blocks.dtype]:
        raise ValueError(
            f"y has values up to {largest:.3g}, with which sums overflow for X in "
            f"{blocks.dtype}: rescale it to at most {_LARGEST_TARGET[blocks.dtype]:g}."
        )
    return Data(blocks, Y, weight, y.ndim == 1)
