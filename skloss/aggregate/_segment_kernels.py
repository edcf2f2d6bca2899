"""Weighted sums of rows by bag, in one pass over the rows.

Sums are float64 whatever the dtype of the data.
"""

import numpy as np
from scipy import sparse

from skloss._blocks import csr_parts, row_blocks
from skloss._jit import kernel
from skloss._validation import as_kernel_array

__all__ = ["add_rows", "add_sparse_rows", "weighted_sums"]


@kernel
def add_rows(X, codes, weights, sums):
    """Add each weighted row to the sums of its bag.

    Parameters
    ----------
    X : ndarray of shape (n, d), float32 or float64
        Rows.
    codes : ndarray of shape (n,), intp
        Bag of each row.
    weights : ndarray of shape (n,), float64
        Of the rows.
    sums : ndarray of shape (m, d), float64
        Added to.
    """
    for i in range(X.shape[0]):
        row, total, weight = X[i], sums[codes[i]], weights[i]
        for j in range(row.shape[0]):
            total[j] += weight * np.float64(row[j])


@kernel
def add_sparse_rows(data, indices, indptr, codes, weights, sums):
    """Add each weighted row of a CSR matrix to the sums of its bag.

    Parameters
    ----------
    data : ndarray of shape (n_stored,), float32 or float64
        Stored values.
    indices : ndarray of shape (n_stored,), intp
        Their columns.
    indptr : ndarray of shape (n + 1,), intp
        Where each row begins.
    codes : ndarray of shape (n,), intp
        Bag of each row.
    weights : ndarray of shape (n,), float64
        Of the rows.
    sums : ndarray of shape (m, d), float64
        Added to.
    """
    for i in range(indptr.shape[0] - 1):
        total, weight = sums[codes[i]], weights[i]
        for p in range(indptr[i], indptr[i + 1]):
            total[indices[p]] += weight * np.float64(data[p])


def weighted_sums(X, bags, weights):
    """Sum weighted rows within bags.

    Parameters
    ----------
    X : RowBlocks, ndarray or sparse of shape (n, d)
        Rows, read once; neither made dense nor copied if they are C-contiguous and
        float32 or float64.
    bags : Bags
        Of the rows.
    weights : ndarray of shape (n,)
        Of the rows.

    Returns
    -------
    ndarray of shape (m, d), float64
        A dense sum for each bag.
    """
    blocks = row_blocks(X)
    codes = as_kernel_array(bags.codes, np.intp)
    weights = as_kernel_array(weights, np.float64)
    sums = np.zeros((bags.count, blocks.n_columns))
    for start, stop, block in blocks.iterate():
        rows = slice(start, stop)
        if sparse.issparse(block):
            add_sparse_rows(*csr_parts(block), codes[rows], weights[rows], sums)
        else:
            add_rows(block, codes[rows], weights[rows], sums)
    return sums
