"""The parts of MultinomialLogistic against plain NumPy."""

import numpy as np
import pytest
from scipy import sparse
from scipy.special import log_softmax

from skloss.linear_eval import _passes
from skloss.linear_eval._curvature import Preconditioners, _covariance
from skloss.linear_eval._design import Columns
from skloss.linear_eval._exact_hessian import CholeskyPreconditioner
from skloss.linear_eval._rotation import rotate
from skloss.linear_eval._separation import margins, recedes, separates
from skloss.linear_eval._standardise import standardise
from skloss.losses.softmax_blocks import class_information, informativeness

SHAPES = [(1, 1, 2), (7, 3, 1), (513, 4, 3), (1100, 9, 7), (600, 6, 4)]


class Truth:
    """Loss, gradient and Hessian of softmax regression, written out."""

    def __init__(self, X, y, w, T):
        n = len(X)
        self.X1 = np.column_stack([X, np.ones(n)])
        self.scores = self.X1 @ T.T
        full = self.scores
        if len(T) == 1:  # a reference class with score zero
            full = np.column_stack([self.scores, np.zeros(n)])
        self.log_p = log_softmax(full, axis=1)
        self.loss = -w @ self.log_p[np.arange(n), y]
        self.P = np.exp(self.log_p)[:, : len(T)]
        Y = (y[:, None] == np.arange(len(T))).astype(float)
        self.gradient = (w[:, None] * (self.P - Y)).T @ self.X1
        self.blocks = [
            w[i] * (np.diag(p) - np.outer(p, p)) for i, p in enumerate(self.P)
        ]

    def hessian(self):
        return sum(np.kron(B, np.outer(x, x)) for B, x in zip(self.blocks, self.X1))


@pytest.fixture(params=SHAPES, ids=str)
def case(request):
    n, p, K = request.param
    rng = np.random.default_rng(n)
    X = rng.standard_normal((n, p))
    X[rng.random((n, p)) < 0.3] = 0
    y = rng.integers(0, max(K, 2), n)
    w = rng.uniform(0.1, 1, n)
    T = rng.standard_normal((K, p + 1))
    labels = np.where(y < K, y, -1)
    return X, labels, w / w.sum(), T, Truth(X, y, w / w.sum(), T)


def designs(X, w, dtype):
    """The same standardised data, dense and sparse, and in NumPy."""
    center = np.average(X, axis=0, weights=w)
    spread = np.sqrt(np.average((X - center) ** 2, axis=0, weights=w))
    settings = {"penalty": 1e-6, "center": True, "dtype": dtype}
    dense = standardise(X, w, **settings)
    stored = standardise(sparse.csr_array(X), w, **settings)
    for data in (dense, stored):
        np.testing.assert_allclose(data.center, center, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(data.scale[spread > 0], 1 / spread[spread > 0])
        assert not data.scale[spread == 0].any()
    return dense.fast, stored.fast, (X - center) * dense.scale


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_passes_equal_numpy(case, dtype):
    X, labels, w, T, _ = case
    K, n = len(T), len(X)
    y = np.where(labels < 0, K, labels)
    tol = 1e-12 if dtype == np.float64 else 2e-5
    dense, stored, standard = designs(X, w, dtype)
    truth = Truth(standard, y, w, T)
    V = np.random.default_rng(1).standard_normal(T.shape)
    H = truth.hessian()
    for design in (dense, stored):
        P = truth.P.T.astype(dtype).copy()
        G, Z = np.empty(T.shape), np.empty((K, n), dtype)
        _passes.gradient(design, P, labels, w.astype(dtype), G)
        np.testing.assert_allclose(G, truth.gradient, rtol=tol, atol=tol)
        out = np.empty(T.shape, dtype)
        _passes.hessian_product(design, V.astype(dtype), P, w.astype(dtype), out)
        np.testing.assert_allclose(out.ravel(), H @ V.ravel(), rtol=tol, atol=tol)
        _passes.score_changes(design, V.astype(dtype), Z)
        np.testing.assert_allclose(Z, V @ truth.X1.T, rtol=tol, atol=10 * tol)
        _passes.column_sums(design, P, out)
        np.testing.assert_allclose(out, P @ truth.X1, rtol=tol, atol=tol * n)


def test_evaluation_equals_numpy(case):
    X, labels, w, T, truth = case
    K, n = len(T), len(X)
    S, P, G = np.empty((K, n)), np.empty((K, n)), np.empty(T.shape)
    design = Columns(np.ascontiguousarray(X.T))
    arguments = labels, w, K == 1
    loss = _passes.evaluate(design, 0, n, T, *arguments, S, P, G)
    assert loss == pytest.approx(truth.loss, rel=1e-13)
    np.testing.assert_allclose(S, truth.scores.T, rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(P, truth.P.T, rtol=1e-12)
    np.testing.assert_allclose(G, truth.gradient, rtol=1e-11, atol=1e-14)
    # moving the scores, and shifting them, ends where the parameters say
    V = np.random.default_rng(1).standard_normal(T.shape)
    Z = V @ truth.X1.T
    y = np.where(labels < 0, K, labels)
    moved = Truth(X, y, w, T + 0.3 * V)
    loss = _passes.move(S, Z, 0.3, *arguments, P)
    assert loss == pytest.approx(moved.loss, rel=1e-12)
    np.testing.assert_allclose(P, moved.P.T, rtol=1e-11)
    change, totals = np.arange(K) - 0.5, np.empty(K)
    shifted = T + 0.3 * V
    shifted[:, -1] += change
    expected = Truth(X, y, w, shifted)
    loss = _passes.shift(S, change, *arguments, totals)
    assert loss == pytest.approx(expected.loss, rel=1e-12)
    np.testing.assert_allclose(totals, expected.gradient[:, -1], atol=1e-13)


def test_softmax_survives_extreme_scores():
    scores = np.array([[1e300, -1e300, 0.0, 800.0], [-1e300, 1e300, -1e5, -800.0]])
    labels, w = np.array([0, 0, 1, 1]), np.array([1.0, 0.0, 1.0, 1.0])
    P = np.empty_like(scores)
    loss = _passes.move(scores, np.zeros_like(scores), 0.0, labels, w, False, P)
    np.testing.assert_array_equal(P, [[1, 0, 1, 1], [0, 1, 0, 0]])
    assert loss == pytest.approx(1e5 + 1600)


@pytest.mark.parametrize("reference", [False, True])
def test_information_equals_numpy(rng, reference):
    full = rng.dirichlet(np.ones(4), size=700).T
    P = np.ascontiguousarray(full[:1] if reference else full)
    w = rng.uniform(size=700)
    expected = np.diag(P @ w) - (P * w) @ P.T
    np.testing.assert_allclose(class_information(P, w, reference), expected, atol=1e-12)
    out = np.empty(700)
    informativeness(P, w, reference, out)
    if reference:
        full = np.vstack([P, 1 - P])
    np.testing.assert_allclose(out, w * (1 - (full**2).sum(axis=0)), atol=1e-14)


@pytest.mark.parametrize("dtype, tol", [(np.float32, 1e-4), (np.float64, 1e-9)])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_factorised_hessian_is_the_inverse(rng, fit_intercept, dtype, tol):
    n, p, K = 300, 4, 3
    X, T = rng.standard_normal((n, p)), rng.standard_normal((K, p + 1))
    w, ridge = np.full(n, 1 / n), rng.uniform(0.01, 1, p)
    truth = Truth(X, rng.integers(0, K, n), w, T)
    H = truth.hessian() + np.kron(np.eye(K), np.diag(np.append(ridge, 0)))
    R = rng.standard_normal((K, p + 1))
    R -= R.mean(axis=0)
    if not fit_intercept:
        kept = np.tile(np.arange(p + 1) < p, K)
        H = H * kept * kept[:, None]
        R[:, -1] = 0
    precondition = CholeskyPreconditioner(
        Columns(X.T.astype(dtype, order="C")),
        truth.P.T.astype(dtype, order="C"),
        w.astype(dtype),
        ridge=ridge,
        fit_intercept=fit_intercept,
    )
    expected = np.linalg.pinv(H, rcond=1e-10) @ R.ravel()
    got = precondition(R.astype(dtype)).ravel()
    np.testing.assert_allclose(got, expected, rtol=tol, atol=tol)


def test_preconditioner_becomes_exact_when_solves_are_long(rng):
    X = rng.standard_normal((5, 2000))
    w = np.full(2000, 1 / 2000)
    P = rng.dirichlet(np.ones(3), size=2000).T.copy()
    chosen = Preconditioners(
        Columns(X), w, np.full(5, 1e-3), 3, reference=False, fit_intercept=True
    )
    first = chosen.choose(P, 0)
    assert not isinstance(first, CholeskyPreconditioner)
    assert not isinstance(chosen.choose(P, 1), CholeskyPreconditioner)
    exact = chosen.choose(P, 100)
    assert isinstance(exact, CholeskyPreconditioner)
    assert chosen.choose(P, 3) is exact  # kept while it is good
    assert chosen.choose(P, 30) is not exact


@pytest.mark.parametrize("dtype, tol", [(np.float32, 1e-6), (np.float64, 1e-14)])
@pytest.mark.parametrize("n, p, stride", [(7, 3, 1), (700, 1, 1), (2500, 300, 2)])
def test_covariance_is_that_of_numpy(rng, n, p, stride, dtype, tol):
    """Of every `stride`-th row, over several blocks of rows and panels of features."""
    X, w = rng.standard_normal((n, p)) + 2, rng.uniform(0.1, 1, n)
    X[rng.random((n, p)) < 0.3] = 0
    kept = slice(None, None, stride)
    for design in designs(X, w / w.sum(), dtype)[:2]:
        dense = isinstance(design, Columns)
        Z = design.data.T if dense else (X - design.center) * design.scale
        Z = Z[kept].astype(np.float64) + np.arange(p) / p * dense
        if dense:
            design = Columns((design.data + np.arange(p)[:, None] / p).astype(dtype))
        weights = w[kept].astype(dtype)
        gram, mean = _covariance(design, stride, weights, True)
        expected = np.cov(Z.T, aweights=w[kept], ddof=0).reshape(p, p)
        np.testing.assert_allclose(gram, expected, rtol=0, atol=30 * tol)
        np.testing.assert_allclose(
            mean, np.average(Z, axis=0, weights=w[kept]), rtol=0, atol=30 * tol
        )
        np.testing.assert_array_equal(gram, gram.T)
        moments, nothing = _covariance(design, stride, weights, False)
        expected = (Z * w[kept, None]).T @ Z / w[kept].sum()
        np.testing.assert_allclose(moments, expected, rtol=0, atol=30 * tol)
        assert nothing is None


@pytest.mark.parametrize("center", [True, False])
def test_rotation_keeps_products_and_norms(rng, center):
    X, w = rng.standard_normal((6, 20)) + 3, rng.dirichlet(np.ones(6))
    rotation = rotate(X, w, center=center)
    centred = X - (w @ X if center else 0)
    np.testing.assert_allclose(rotation.X @ rotation.X.T, centred @ centred.T)
    np.testing.assert_allclose(rotation.X @ rotation.basis.T, centred, atol=1e-13)
    np.testing.assert_allclose(rotation.basis.T @ rotation.basis, np.eye(6), atol=1e-13)


@pytest.mark.parametrize("offset", [1e3, 1e6])
def test_standardising_is_accurate_far_from_zero(rng, offset):
    X = rng.standard_normal((700, 3))
    w = np.full(700, 1 / 700)
    data = standardise(X + offset, w, penalty=1.0, center=True, dtype=np.float64)
    np.testing.assert_allclose(
        1 / data.scale, X.std(axis=0), rtol=1e-15 * offset + 1e-13
    )
    np.testing.assert_allclose(
        data.fast.data,
        ((X - X.mean(axis=0)) / X.std(axis=0)).T,
        atol=1e-15 * offset * 10,
    )


def test_margins_and_separation_by_brute_force(rng):
    scores, labels = rng.standard_normal((3, 50)), rng.integers(0, 3, 50)
    expected = [
        scores[y, i] - max(scores[k, i] for k in range(3) if k != y)
        for i, y in enumerate(labels)
    ]
    np.testing.assert_array_equal(margins(scores, labels, False), expected)
    one, binary = scores[:1], np.where(labels > 0, 0, -1)
    np.testing.assert_array_equal(
        margins(one, binary, True), np.where(binary == 0, one[0], -one[0])
    )
    w = np.ones(50)
    assert not separates(scores, labels, w, False)
    assert separates(scores, scores.argmax(axis=0), w, False)
    assert separates(scores, labels, (scores.argmax(axis=0) == labels) * 1.0, False)
    assert recedes(scores, scores.argmax(axis=0), w, False)
    assert not recedes(1e-3 * scores, scores.argmax(axis=0), w, False)
