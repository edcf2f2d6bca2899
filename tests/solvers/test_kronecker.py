"""The Kronecker preconditioner against the matrix it stands for, inverted densely."""

import numpy as np
import pytest

from skloss.solvers.kronecker import KroneckerPreconditioner


def random_covariance(rng, size, rank=None):
    root = rng.standard_normal((size, rank or 2 * size))
    return root @ root.T / root.shape[1]


def full_matrix(gram, mean, classes, ridge):
    """The matrix of the docstring on parameters (K, p + 1), flattened."""
    p, K = len(ridge), len(classes)
    features = np.zeros((p + 1, p + 1))
    features[:p, :p] = np.diag(gram) if gram.ndim == 1 else gram
    features[:p, :p] += np.multiply.outer(mean, mean)
    features[:p, p] = features[p, :p] = mean
    features[p, p] = 1
    return np.kron(classes, features) + np.kron(np.eye(K), np.diag(np.append(ridge, 0)))


@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_inverts_the_matrix(rng, diagonal, scale):
    p, K = 6, 4
    gram = random_covariance(rng, p)
    gram = np.diag(gram).copy() if diagonal else gram
    mean, classes = rng.standard_normal(p), random_covariance(rng, K)
    ridge = scale * rng.uniform(0.1, 10, p)
    R = rng.standard_normal((K, p + 1))
    expected = np.linalg.solve(full_matrix(gram, mean, classes, ridge), R.ravel())
    result = KroneckerPreconditioner(gram, mean, classes, ridge, np.float64)(R)
    np.testing.assert_allclose(result.ravel(), expected, rtol=1e-7, atol=1e-12)
    single = KroneckerPreconditioner(gram, mean, classes, ridge)
    result = single(R.astype(np.float32))
    assert result.dtype == np.float32
    np.testing.assert_allclose(
        result.ravel(), expected, rtol=0, atol=1e-3 * np.abs(expected).max()
    )


def test_projects_the_null_space_of_the_classes_out(rng):
    """The information of a softmax is blind to shifts of all classes."""
    p, K = 5, 3
    P = rng.dirichlet(np.ones(K), size=50)
    classes = np.diag(P.mean(axis=0)) - P.T @ P / 50
    gram, mean, ridge = random_covariance(rng, p), rng.standard_normal(p), np.ones(p)
    R = rng.standard_normal((K, p + 1))
    result = KroneckerPreconditioner(gram, mean, classes, ridge, np.float64)(R)
    np.testing.assert_allclose(result.sum(axis=0), 0, atol=1e-12)
    centred = R - R.mean(axis=0)
    expected = np.linalg.pinv(full_matrix(gram, mean, classes, ridge), rcond=1e-12)
    np.testing.assert_allclose(
        result.ravel(), expected @ centred.ravel(), rtol=1e-7, atol=1e-10
    )


def test_without_intercept_its_column_is_zero(rng):
    p, K = 5, 3
    gram, classes = random_covariance(rng, p), random_covariance(rng, K)
    ridge = rng.uniform(0.5, 2, p)
    R = rng.standard_normal((K, p + 1))
    result = KroneckerPreconditioner(gram, None, classes, ridge, np.float64)(R)
    assert not result[:, -1].any()
    matrix = np.kron(classes, gram) + np.kron(np.eye(K), np.diag(ridge))
    np.testing.assert_allclose(
        result[:, :-1].ravel(), np.linalg.solve(matrix, R[:, :-1].ravel()), rtol=1e-9
    )


@pytest.mark.parametrize("ridge", [0.0, 1e-60, 1e60])
@pytest.mark.parametrize("rank", [2, None])
def test_is_finite_and_positive_at_the_extremes(rng, ridge, rank):
    p, K = 6, 3
    gram, classes = random_covariance(rng, p, rank), random_covariance(rng, K)
    penalties = np.full(p, 1e-3)
    penalties[0] = ridge
    precondition = KroneckerPreconditioner(gram, np.zeros(p), classes, penalties)
    for _ in range(20):
        R = rng.standard_normal((K, p + 1)).astype(np.float32)
        result = precondition(R)
        assert np.isfinite(result).all()
        assert np.vdot(R, result) > 0


def test_other_classes_give_what_a_new_one_gives(rng):
    p, K = 6, 4
    gram, mean, ridge = random_covariance(rng, p), rng.standard_normal(p), np.ones(p)
    first, second = random_covariance(rng, K), random_covariance(rng, K, rank=2)
    R = rng.standard_normal((K, p + 1))
    old = KroneckerPreconditioner(gram, mean, first, ridge, np.float64)
    before = old(R)
    expected = KroneckerPreconditioner(gram, mean, second, ridge, np.float64)(R)
    np.testing.assert_allclose(old.with_classes(second)(R), expected, rtol=1e-12)
    np.testing.assert_array_equal(old(R), before)
