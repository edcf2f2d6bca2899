"""Sums and means within bags, and responses read from rows, against loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

from skloss._blocks import ComputedRows
from skloss.aggregate._aggregates import read_aggregates
from skloss.aggregate._bags import read_bags
from skloss.aggregate._segment_kernels import (
    add_rows,
    add_sparse_rows,
    weighted_sums,
)


def by_loops(X, codes, weights):
    sums = np.zeros((max(codes) + 1, X.shape[1]))
    for row, code, weight in zip(X.astype(float), codes, weights):
        sums[code] += weight * row
    return sums


def case(rng, n=300, d=7, m=40, dtype=np.float64):
    X = rng.normal(size=(n, d)).astype(dtype)
    X[rng.uniform(size=X.shape) < 0.5] = 0
    codes = np.r_[np.arange(m), rng.integers(0, m, n - m)]
    return X, rng.permutation(codes), rng.uniform(0, 2, n)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", ["C", "F", "csr", "csc", "strided", "computed"])
def test_sums_equal_loops(rng, kind, dtype):
    X, codes, weights = case(rng, dtype=dtype)
    expected = by_loops(X, codes, weights)
    given = {
        "C": X,
        "F": np.asfortranarray(X),
        "csr": sparse.csr_array(X),
        "csc": sparse.csc_array(X),
        "strided": np.repeat(X, 2, axis=1)[:, ::2],
        "computed": ComputedRows(lambda i, j: X[i:j], *X.shape, dtype),
    }[kind]
    found = weighted_sums(given, read_bags(codes, 300), weights)
    assert found.dtype == np.float64
    assert_allclose(found, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
def test_many_blocks_of_rows(rng, make):
    n, d = 12_000, 90  # three blocks of dense rows
    X, codes = rng.normal(size=(n, d)), rng.integers(0, 500, n)
    weights = rng.uniform(0, 2, n)
    found = weighted_sums(make(X), read_bags(codes, n), weights)
    assert_allclose(found, by_loops(X, codes, weights), rtol=1e-11, atol=1e-11)


def test_single_precision_is_summed_in_double():
    X = np.full((10_000, 1), 0.1, dtype=np.float32)
    X[0] = 2.0**24  # adding a tenth to it changes nothing in single precision
    bags = read_bags(np.zeros(10_000, int), 10_000)
    exact = 2.0**24 + 9_999 * float(np.float32(0.1))
    assert_allclose(weighted_sums(X, bags, np.ones(10_000)), [[exact]], rtol=1e-14)


def test_entries_given_twice_mean_their_sum():
    X = sparse.csr_array(
        (np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1]), np.array([0, 2, 3])), (2, 2)
    )
    found = weighted_sums(X, read_bags(None, 2), np.array([1.0, 2.0]))
    assert_array_equal(found, [[3.0, 0.0], [0.0, 10.0]])


def test_kernels_compile_once_for_each_dtype(rng):
    for dtype in (np.float32, np.float64):
        X, codes, weights = case(rng, dtype=dtype)
        for given in (X, np.asfortranarray(X), sparse.csr_array(X)):
            weighted_sums(given, read_bags(codes, 300), weights)
            weighted_sums(given, read_bags(None, 300), np.ones(300))
    assert len(add_rows.signatures) == 2 and len(add_sparse_rows.signatures) == 2


@pytest.mark.parametrize("t", [0, 1, 3], ids=["vector", "column", "matrix"])
def test_responses_of_rows_means_and_sums_are_one(rng, t):
    _, codes, weights = case(rng)
    weights += 0.1
    y = 1e6 + rng.normal(size=(300, t) if t else 300)
    bags = read_bags(codes, 300)
    expected = np.array(
        [
            np.average(y[codes == a], axis=0, weights=weights[codes == a])
            for a in bags[1]
        ]
    ).reshape(40, -1)
    means = read_aggregates(y, bags, weights)
    assert means.shape == (40, t or 1)
    assert_allclose(means, expected, rtol=1e-14)
    repeated = means[codes]
    assert_array_equal(read_aggregates(repeated, bags, weights), means)
    totals = (means * bags.sums(weights)[:, None])[codes]
    assert_allclose(read_aggregates(totals, bags, weights, "sum"), means, rtol=1e-15)


def test_integer_weights_are_repeated_rows(rng):
    y, codes = rng.normal(size=12), np.arange(12) % 3
    weights = rng.integers(1, 4, 12)
    again = np.repeat(np.arange(12), weights)
    for aggregate, values in (("mean", y), ("sum", np.array([4.0, 5.0, 6.0])[codes])):
        found = read_aggregates(values, read_bags(codes, 12), weights, aggregate)
        bags, ones = read_bags(codes[again], len(again)), np.ones(len(again))
        expected = read_aggregates(values[again], bags, ones, aggregate)
        assert_allclose(found, expected, rtol=1e-14)


def test_totals_that_differ_are_refused_with_their_bag():
    bags = read_bags(["x", "y", "y", "x"], 4)
    with pytest.raises(ValueError, match=r"in bag 'y' y is both 3.0 and 4.0"):
        read_aggregates(np.array([1, 3, 4, 1]), bags, np.ones(4), "sum")
    with pytest.raises(ValueError, match=r"in bag 2 z is both \[1.0, 5.0\] and"):
        values = np.array([[1, 5], [1, 6]])
        read_aggregates(values, read_bags([2, 2], 2), np.ones(2), "sum", "z")
    with pytest.raises(ValueError, match=r'aggregate must be one of "mean", "sum"'):
        read_aggregates(np.ones(4), bags, np.ones(4), "total")
