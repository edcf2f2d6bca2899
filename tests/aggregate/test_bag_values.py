"""Means of bags, rows moved towards them and bags that overlap, against loops."""

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.linear_model import Ridge
from sklearn.preprocessing import MultiLabelBinarizer

from skloss.aggregate.bag_values import bag_means, expand_bag_values, explode_bags
from skloss.aggregate.shrinkage import shrink_to_bags

LABELS = {
    "int": np.array([30, -4, 7]),
    "str": np.array(["west", "east", "north"]),
    "object": np.array(["west", "east", "north"], dtype=object),
    "date": np.array(["2021-03", "2020-01", "2020-02"], dtype="datetime64[M]"),
    "float": np.array([0.5, -1.0, 2.5]),
}


@pytest.fixture
def rows(rng):
    codes = np.r_[0, 1, 2, rng.integers(0, 3, 37)]
    return rng.normal(size=(40, 4)), codes, rng.uniform(0.1, 3, 40)


@pytest.mark.parametrize("kind", LABELS)
def test_means_equal_those_of_pandas(rows, kind):
    X, codes, weights = rows
    labels = LABELS[kind][codes]
    expected = pd.DataFrame(X).groupby(labels).mean().to_numpy()
    assert_allclose(bag_means(X, labels), expected, rtol=1e-13)
    assert_allclose(bag_means(X[:, 0], labels), expected[:, 0], rtol=1e-13)
    weighted = [
        np.average(X[labels == a], axis=0, weights=weights[labels == a])
        for a in np.unique(labels)
    ]
    found = bag_means(X, labels, sample_weight=weights)
    assert_allclose(found, weighted, rtol=1e-13, atol=1e-15)


def test_means_of_frames_and_categories(rows):
    X, codes, _ = rows
    labels = pd.Series(pd.Categorical(LABELS["str"][codes]), index=np.arange(40)[::-1])
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert_array_equal(bag_means(frame, labels), bag_means(X, np.asarray(labels)))


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(-(2**20), 2**20)), min_size=1)
)
def test_means_of_whole_numbers_are_exact(entries):
    labels, values = np.array(entries).T
    found = bag_means(values, labels)
    expected = [values[labels == a].sum() / (labels == a).sum() for a in set(labels)]
    assert_array_equal(np.sort(found), np.sort(expected))
    assert_array_equal(
        expand_bag_values(found, labels),
        [values[labels == a].sum() / (labels == a).sum() for a in labels],
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "make", [sparse.csr_array, sparse.csc_matrix, sparse.coo_array]
)
def test_sparse_means_stay_sparse(rows, make, dtype):
    X, codes, weights = rows
    X = np.where(X > 0, X, 0).astype(dtype)
    expected = bag_means(X, codes, sample_weight=weights)
    found = bag_means(make(X), codes, sample_weight=weights)
    assert sparse.issparse(found) and found.format == "csr"
    assert found.dtype == expected.dtype == dtype
    assert_allclose(found.toarray(), expected, rtol=1e-6 if dtype == "f4" else 1e-13)


def test_weights_of_zero_and_extreme_weights(rows):
    X, codes, weights = rows
    without = np.where(codes == 1, 0.0, weights)
    found = bag_means(X, codes, sample_weight=without)
    assert_allclose(found[1], X[codes == 1].mean(axis=0), rtol=1e-13)
    expected = bag_means(X, codes, sample_weight=weights)
    assert_array_equal(found[[0, 2]], expected[[0, 2]])
    for unit in (2.0**-1000, 2.0**1021):
        found = bag_means(X, codes, sample_weight=unit * weights)
        assert_allclose(found, expected, rtol=1e-13)
    part = np.where(np.arange(40) % 2, weights, 0.0)
    kept = np.flatnonzero(part)
    found = bag_means(X, codes, sample_weight=part)
    assert_allclose(found, bag_means(X[kept], codes[kept], sample_weight=part[kept]))


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array], ids=["dense", "csr"])
def test_means_of_values_whose_sum_overflows(make):
    value = 1.5 * 2.0**1023
    found = bag_means(make([[value, 1.0]] * 40), np.arange(40) % 2)
    found = found.toarray() if sparse.issparse(found) else found
    assert_allclose(found, [[value, 1.0]] * 2, rtol=1e-14)


def test_no_bags_leave_rows_alone(rows):
    X = rows[0]
    assert_array_equal(bag_means(X, None), X)
    for rho in (0, 0.3, 2):
        assert_allclose(shrink_to_bags(X, None, rho), X, rtol=1e-15)


def test_values_of_bags_reach_their_rows():
    bags = np.array(["b", "a", "c", "a"])
    assert_array_equal(expand_bag_values([1, 2, 3], bags), [2, 1, 3, 1])
    pairs = np.arange(6).reshape(3, 2)
    assert_array_equal(expand_bag_values(pairs, bags), pairs[[1, 0, 2, 0]])
    named = {"c": 3, "b": 2, "a": 1, "unused": 0}
    assert_array_equal(expand_bag_values(named, list(bags)), [2, 1, 3, 1])


@pytest.mark.parametrize("rho", [0.0, 0.2, 1.0, 3.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_rows_move_as_defined(rows, rho, weighted):
    X, codes, weights = rows
    weights = weights if weighted else None
    found = shrink_to_bags(X, codes, rho, sample_weight=weights)
    for i, code in enumerate(codes):
        of = codes == code
        mean = np.average(X[of], axis=0, weights=weights[of] if weighted else None)
        expected = mean + np.sqrt(rho) * (X[i] - mean)
        assert_allclose(found[i], expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ends_are_exact(rows, dtype):
    X = (1e3 + rows[0]).astype(dtype)
    codes = rows[1]
    at_1 = shrink_to_bags(X, codes, 1)
    assert_array_equal(at_1, X)
    assert not np.shares_memory(at_1, X)
    at_0 = shrink_to_bags(X, codes, 0)
    assert_array_equal(at_0, bag_means(X, codes)[codes])
    assert at_0.dtype == at_1.dtype == dtype


def test_sparse_rows_become_dense_only_where_they_move(rows):
    X, codes, weights = rows
    X = np.where(X > 0, X, 0)
    same = shrink_to_bags(sparse.csc_array(X), codes, 1.0)
    assert same.format == "csr"
    assert_array_equal(same.toarray(), X)
    found = shrink_to_bags(sparse.csc_array(X), codes, 0.5, sample_weight=weights)
    expected = shrink_to_bags(X, codes, 0.5, sample_weight=weights)
    assert isinstance(found, np.ndarray)
    assert_allclose(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("rho", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_ridge_on_moved_rows_minimises_the_mixed_loss(rows, rho, weighted):
    X, codes, weights = rows
    rng = np.random.default_rng(5)
    y, alpha = X @ rng.normal(size=4) + 2 + rng.normal(size=40), 0.7
    weights = weights if weighted else np.ones(40)
    means = bag_means(y, codes, sample_weight=weights)[codes]
    moved = shrink_to_bags(X, codes, rho, sample_weight=weights)
    model = Ridge(alpha=alpha, tol=1e-12).fit(moved, means, sample_weight=weights)

    coef, intercept = cp.Variable(4), cp.Variable()
    predicted = X @ coef + intercept
    bag_loss = sum(
        weights[codes == a].sum()
        * cp.square(
            means[codes == a][0]
            - cp.sum(cp.multiply(weights[codes == a], predicted[codes == a]))
            / weights[codes == a].sum()
        )
        for a in range(3)
    )
    row_loss = cp.sum(cp.multiply(weights, cp.square(means - predicted)))
    objective = (1 - rho) * bag_loss + rho * row_loss + alpha * cp.sum_squares(coef)
    cp.Problem(cp.Minimize(objective / 2)).solve(
        solver="CLARABEL", tol_gap_abs=1e-13, tol_gap_rel=1e-13, tol_feas=1e-13
    )
    assert_allclose(model.coef_, coef.value, rtol=2e-6, atol=2e-7)
    assert_allclose(model.intercept_, intercept.value, rtol=2e-6)


def test_moved_rows_have_the_mixed_loss(rows):
    X, codes, weights = rows
    y = np.random.default_rng(1).normal(size=40)
    means = bag_means(y, codes, sample_weight=weights)
    totals = np.bincount(codes, weights)
    for rho in (0.0, 0.4, 1.0, 2.5):
        moved = shrink_to_bags(X, codes, rho, sample_weight=weights)
        for seed in range(5):
            coef = np.random.default_rng(seed).normal(size=4)
            predicted = X @ coef + 0.3
            of_bags = bag_means(predicted, codes, sample_weight=weights)
            B = totals @ (means - of_bags) ** 2
            I = weights @ (means[codes] - predicted) ** 2  # noqa: E741
            found = weights @ (means[codes] - moved @ coef - 0.3) ** 2
            assert_allclose(found, (1 - rho) * B + rho * I, rtol=1e-12)


def overlapping(rng, n=30, m=8):
    membership = rng.uniform(size=(n, m)) * (rng.uniform(size=(n, m)) < 0.3)
    membership[0] = 1  # so that no bag is empty
    membership[3] = 0  # and one row is in none
    return membership


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.coo_matrix])
@pytest.mark.parametrize("t", [0, 2], ids=["vector", "matrix"])
def test_overlapping_bags_repeat_their_rows(rng, make, t):
    X, membership = rng.normal(size=(30, 3)), overlapping(rng)
    values = rng.normal(size=(8, t) if t else 8)
    found = explode_bags(X, make(membership), values)
    expected = [(a, i) for a in range(8) for i in range(30) if membership[i, a]]
    assert_array_equal(np.c_[found.bags, found.rows], expected)
    assert_array_equal(found.sample_weight, [membership[i, a] for a, i in expected])
    assert_array_equal(found.X, [X[i] for _, i in expected])
    assert_array_equal(found.y, [values[a] for a, _ in expected])
    of_sparse = explode_bags(sparse.csr_array(X), membership, values)
    assert of_sparse.X.format == "csr"
    assert_array_equal(of_sparse.X.toarray(), found.X)


def test_repeated_rows_have_the_loss_of_overlapping_bags(rng):
    X, membership = rng.normal(size=(30, 3)), overlapping(rng)
    values, predicted = rng.normal(size=8), X @ rng.normal(size=3)
    expected = sum(
        w.sum() * (value - w @ predicted / w.sum()) ** 2
        for w, value in zip(membership.T, values)
    )
    found = explode_bags(X, membership, values)
    means = bag_means(
        predicted[found.rows], found.bags, sample_weight=found.sample_weight
    )
    totals = np.bincount(found.bags, found.sample_weight)
    assert_allclose(totals @ (values - means) ** 2, expected, rtol=1e-13)


def test_sets_of_bags_and_entries_given_twice():
    sets = MultiLabelBinarizer().fit_transform([{"a", "b"}, {"b"}, set()])
    found = explode_bags([[1], [2], [3]], sets, [5, 6])
    assert_array_equal(found.X.ravel(), [1, 1, 2])
    assert_array_equal(found.y, [5, 6, 6])
    twice = sparse.csc_array(
        (np.array([1.0, 2.0, 0.0, 1.0]), np.array([0, 0, 1, 1]), np.array([0, 3, 4])),
        (2, 2),
    )
    found = explode_bags([[1], [2]], twice, [5, 6])
    assert_array_equal(found.sample_weight, [3, 1])
    assert_array_equal(found.rows, [0, 1])
    assert twice.nnz == 4


@pytest.mark.parametrize(
    ("call", "arguments", "message"),
    [
        (bag_means, ([[1], [2]], [1, 2, 3]), "bags has 3 labels for 2 rows"),
        (bag_means, ([[1], [2]], [[1], [2]]), "bags must have one dimension"),
        (bag_means, ([[1], [2]], ["a", None]), r"bags\[1\] is missing"),
        (bag_means, ([[1], [np.nan]], [1, 1]), "NaN"),
        (shrink_to_bags, ([[1], [2]], [1], 0.5), "bags has 1 labels for 2 rows"),
        (shrink_to_bags, ([[1], [2]], [1, 1], -0.5), "rho must be .* got -0.5"),
        (shrink_to_bags, ([[1], [2]], [1, 1], np.nan), "rho must be .* got nan"),
        (shrink_to_bags, ([[1], [2]], [1, 1], np.inf), "rho must be .* got inf"),
        (shrink_to_bags, ([[1], [2]], [1, 1], "loo"), "rho must be .* got 'loo'"),
        (shrink_to_bags, ([[1], [2]], [1, 1], True), "rho must be .* got True"),
        (expand_bag_values, ([1, 2, 3], ["a", "b"]), "one value for each of 2 bags"),
        (expand_bag_values, (1, ["a"]), "one value for each of 1 bags"),
        (expand_bag_values, ({"a": 1}, ["a", "b"]), "no value for bag 'b'"),
        (expand_bag_values, ([1], None), "bags must hold a label for each row"),
        (expand_bag_values, ([1], "a"), "bags must have one dimension"),
        (explode_bags, ([[1]], [[1], [1]], [1]), "membership has 2 rows for 1 rows"),
        (explode_bags, ([[1], [2]], [[1, 0], [1, 0]], [1, 2]), "Bag 1 has no member"),
        (explode_bags, ([[1], [2]], [[1, 1], [0, -2]], [1, 2]), r"\[1, 1\] is -2.0"),
        (explode_bags, ([[1], [2]], [[1, 1], [0, np.nan]], [1, 2]), r"\[1, 1\] is nan"),
        (explode_bags, ([[1]], [[1, 1]], [1]), "one response for each of 2 bags"),
    ],
)
def test_bad_input_is_named(call, arguments, message):
    with pytest.raises(ValueError, match=message):
        call(*arguments)


@pytest.mark.parametrize("call", [bag_means, shrink_to_bags])
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, -1], r"sample_weight\[1\] is -1"),
        ([1], "sample_weight has 1 values for 2"),
        ([0, 0], "All values of sample_weight are zero"),
        ([np.nan, 1], r"sample_weight\[0\] is nan"),
    ],
)
def test_bad_weights_are_named(call, weights, message):
    more = (0.5,) if call is shrink_to_bags else ()
    with pytest.raises(ValueError, match=message):
        call([[1], [2]], [0, 0], *more, sample_weight=weights)
