import numpy as np
import pytest
from scipy import sparse

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
