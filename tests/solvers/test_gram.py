from fractions import Fraction

import numpy as np
import pytest
from scipy import sparse

import skloss.solvers._columns as columns_module
from skloss.solvers import DenseGram, DesignGram


@pytest.fixture
def design():
    generator = np.random.default_rng(3)
    X = generator.normal(size=(40, 12)) * (generator.random((40, 12)) < 0.5) + 0.3
    return X, generator.uniform(size=40)


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("storage", [np.ascontiguousarray, sparse.csr_array])
def test_design_gram_is_the_matrix(design, center, storage):
    X, weight = design
    mean = np.average(X, axis=0, weights=weight) if center else 0.0
    expected = (X - mean).T @ np.diag(weight) @ (X - mean) + 0.7 * np.eye(12)
    gram = DesignGram(storage(X), weight, center=center, ridge=0.7)
    np.testing.assert_allclose(gram.diagonal(), expected.diagonal(), rtol=1e-12)
    w = np.zeros(12)
    for support in ([3], [2, 7, 5], range(12)):
        w[list(support)] = np.arange(1.0, 1 + len(support))
        np.testing.assert_allclose(gram.product(w), expected @ w, rtol=1e-11)
    # Blocks grow one after the other, in any order of coordinates.
    for indices in ([4, 1], [1, 9, 4, 0], [11], range(12)):
        indices = np.array(list(indices))
        block = gram.block(indices)
        np.testing.assert_allclose(
            block, expected[np.ix_(indices, indices)], rtol=1e-11, atol=1e-14
        )
        np.testing.assert_array_equal(block, block.T)


def test_dense_gram():
    G = np.array([[2.0, 1.0, 0.0], [1.0, 3.0, 0.5], [0.0, 0.5, 1.0]])
    gram = DenseGram(G)
    assert gram.block(np.arange(3)) is gram.G
    np.testing.assert_array_equal(gram.block(np.array([2, 0])), [[1, 0], [0, 2]])
    for w in ([0.0, 2.0, 0.0], [1.0, 2.0, 3.0]):
        np.testing.assert_allclose(gram.product(np.array(w)), G @ w)
    with pytest.raises(ValueError, match="square"):
        DenseGram(np.ones((2, 3)))


def exact_gram(X, weight, center):
    """The definition in rational arithmetic, where nothing cancels."""
    rows = [[Fraction(float(x)) for x in row] for row in X]
    weight = [Fraction(float(s)) for s in weight]
    n, p = range(len(rows)), range(len(rows[0]))
    mean = [Fraction(0)] * len(p)
    if center:
        mean = [sum(weight[i] * rows[i][j] for i in n) / sum(weight) for j in p]
    return np.array(
        [
            [
                float(
                    sum(
                        weight[i] * (rows[i][j] - mean[j]) * (rows[i][k] - mean[k])
                        for i in n
                    )
                )
                for k in p
            ]
            for j in p
        ]
    )


STORAGES = [np.ascontiguousarray, np.asfortranarray, sparse.csr_array]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("mean", [1.0, 1e3, 1e6, 1e9])
def test_means_cost_no_accuracy(storage, mean):
    """Columns: full and nearly constant, constant, mostly zero, a mean of its own."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(30, 6))
    X[:, :3] += mean
    X[:, 3] = mean
    X[:, 4] *= generator.random(30) < 0.3
    weight = generator.uniform(size=30)
    expected = exact_gram(X, weight, center=True)
    length = np.sqrt(expected.diagonal())
    atol = 1e-12 * np.outer(length, length)
    gram = DesignGram(storage(X), weight, center=True)
    assert gram.diagonal()[3] == 0.0
    block = gram.block(np.arange(6))
    w = np.linspace(-1, 2, 6)
    assert (np.abs(gram.diagonal() - expected.diagonal()) <= atol.diagonal()).all()
    assert (np.abs(block - expected) <= atol).all()
    for vector in (w, w * (np.arange(6) == 2)):
        error = np.abs(gram.product(vector) - expected @ vector)
        assert (error <= atol @ np.abs(vector)).all()
    # One after the other, in an order of their own.
    gram = DesignGram(storage(X), weight, center=True)
    for some in ([5, 0], [2, 4, 5], [3, 1]):
        within = np.ix_(some, some)
        error = np.abs(gram.block(np.array(some)) - expected[within])
        assert (error <= atol[within]).all()


@pytest.mark.parametrize("storage", [np.asarray, sparse.csc_array])
@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.float32, bool])
def test_any_dtype_is_computed_with_in_float64(storage, center, dtype):
    generator = np.random.default_rng(0)
    X = generator.integers(0, 127, size=(500, 4)) * generator.integers(0, 2, (500, 4))
    X = (X / 3 if dtype is np.float32 else X).astype(dtype)
    weight = np.full(500, 0.002)
    gram = DesignGram(storage(X), center=center)
    expected = exact_gram(X, weight, center)
    np.testing.assert_allclose(gram.diagonal(), expected.diagonal(), rtol=1e-13)
    np.testing.assert_allclose(gram.block(np.arange(4)), expected, rtol=1e-12)
    w = np.array([1.0, -2.0, 3.0, 0.5])
    np.testing.assert_allclose(gram.product(w), expected @ w, rtol=1e-12)


def test_many_rows_are_taken_in_parts(monkeypatch):
    generator = np.random.default_rng(0)
    X = (generator.normal(size=(300, 5)) + 100).astype(np.float32)
    monkeypatch.setattr(columns_module, "_PART", 1)  # 64 rows at a time
    gram = DesignGram(X, center=True)
    expected = np.cov(X.astype(float).T, bias=True)
    np.testing.assert_allclose(gram.diagonal(), expected.diagonal(), rtol=1e-12)
    w = np.arange(1.0, 6.0)
    np.testing.assert_allclose(gram.product(w), expected @ w, rtol=1e-12)


def test_duplicate_entries_add_up_in_a_copy():
    X = sparse.csc_array(
        (np.array([1.0, 2.0, 5.0]), np.array([0, 0, 1]), np.array([0, 2, 3]))
    )
    assert DesignGram(X).diagonal().tolist() == [4.5, 12.5]
    assert X.nnz == 3


@pytest.mark.parametrize("weight", [1e-310, 1e300])
def test_means_do_not_depend_on_the_scale_of_weights(weight):
    X = np.array([[1.0], [3.0], [5.0]])
    gram = DesignGram(X, np.full(3, weight), center=True)
    assert gram.diagonal()[0] == pytest.approx(8 * weight, rel=1e-12)


def test_weights_are_copied():
    weight = np.ones(2)
    gram = DesignGram(np.eye(2), weight)
    weight[:] = 7
    assert gram.diagonal().tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value):
    X, one = np.array([[1.0, 0.0], [value, 1.0]]), np.eye(2)
    for design in (X, X.astype(np.float32), sparse.csr_array(X)):
        with pytest.raises(ValueError, match="X must be finite"):
            DesignGram(design)
    with pytest.raises(ValueError, match="weight must be finite"):
        DesignGram(one, [1.0, value])
    with pytest.raises(ValueError, match="ridge must be finite"):
        DesignGram(one, ridge=value)
    with pytest.raises(ValueError, match="G must be finite"):
        DenseGram(X)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"X": np.ones(3)}, r"X must be a matrix .* \(3,\)"),
        ({"X": np.empty((0, 3))}, "at least one row"),
        ({"X": np.eye(2), "weight": [1.0, -1.0]}, "weight must not be negative"),
        ({"X": np.eye(2), "weight": [0.0, 0.0], "center": True}, "not all 0"),
    ],
)
def test_bad_designs(arguments, message):
    with pytest.raises(ValueError, match=message):
        DesignGram(**arguments)


@pytest.mark.parametrize("size", [3, 150])  # one strip of rows, and several
@pytest.mark.parametrize("scale", [1e-200, 1.0, 1e200])
def test_asymmetric_matrices_are_refused_and_named(size, scale):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(2 * size, size))
    G = X.T @ X * scale
    assert DenseGram(G).size == size
    i, j = size - 1, 1
    G[i, j] += 1e-3 * np.sqrt(G[i, i]) * np.sqrt(G[j, j])
    with pytest.raises(ValueError, match=rf"symmetric; got G\[1, {i}\] = .* G\[{i}, 1"):
        DenseGram(G)


def test_rounding_is_no_asymmetry():
    """Of products in single precision, whose two halves are summed differently."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(2000, 60)).astype(np.float32)
    weight = generator.random(2000).astype(np.float32)
    G = X.T @ (weight[:, None] * X)
    assert (G != G.T).any()
    np.testing.assert_array_equal(DenseGram(G).diagonal(), G.diagonal())
    X[:, 3] = 7
    X -= X.mean(axis=0)  # a column of nothing but rounding
    DenseGram(X.T @ X)


@pytest.mark.parametrize(
    "G, message",
    [
        ([[1.0, 2.0], [2.0, 1.0]], r"semi-definite; got G\[0, 1\] = 2.0"),
        ([[0.0, 1.0], [1.0, 0.0]], "semi-definite"),
        ([[1.0, 0.1], [0.1, 0.0]], "semi-definite"),
        (np.diag([2.0, -1.0]), "semi-definite; its diagonal has -1.0 at 1"),
        (np.diag([0.0, -1e-9]), "semi-definite; its diagonal has -1e-09 at 1"),
    ],
)
def test_pairs_of_negative_curvature_are_refused(G, message):
    assert np.linalg.eigvalsh(G)[0] < 0
    with pytest.raises(ValueError, match=message):
        DenseGram(G)
