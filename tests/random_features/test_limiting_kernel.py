"""Kernels of random features before quadrature, closed forms, and many features."""

import mpmath
import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist, squareform
from sklearn.gaussian_process.kernels import Matern
from sklearn.metrics.pairwise import rbf_kernel

from skloss import RandomFeatureRidge
from tests.random_features.feature_cases import LAWS, NUMPY, drawn

DISTANCES = np.array([0.0, 1e-18, 1e-9, 1e-4, 0.03, 0.2, 0.7, 1.3, 2.5, 4.0, 9.0])


@pytest.fixture
def X(rng):
    return rng.normal(size=(40, 6))


def expected_kernel(activation, distribution, X):
    if distribution == "cauchy":
        return np.exp(-0.2 * squareform(pdist(X, "cityblock")))
    if distribution == "student":
        return Matern(1 / np.sqrt(0.4), nu=1.5)(X)
    if distribution == "uniform":
        t = np.sqrt(1.2) * (X[:, None] - X)
        return np.prod(np.sin(t + 1e-300) / (t + 1e-300), axis=2)
    if activation in ("cos", "sincos"):
        return rbf_kernel(X, gamma=0.2)
    nodes, weights = np.polynomial.hermite_e.hermegauss(200)
    weights = weights / weights.sum()
    S = 0.4 * X @ X.T + 0.5**2
    root = np.sqrt(S.diagonal())
    if activation in ("step", "sign"):  # Sheppard, 1899
        angle = np.arcsin(np.clip(S / np.outer(root, root), -1, 1)) / (2 * np.pi)
        return 0.25 + angle if activation == "step" else 4 * angle
    # Gauss-Hermite quadrature, slow to converge where there is a bend.
    out = np.empty_like(S)
    function = NUMPY[activation]
    for i, j in np.ndindex(*S.shape):
        rho = np.clip(S[i, j] / (root[i] * root[j]), -1, 1)
        u = root[i] * nodes
        v = root[j] * (rho * nodes[:, None] + np.sqrt(1 - rho**2) * nodes)
        out[i, j] = (weights * function(u)) @ (function(v) @ weights)
    return out


@pytest.mark.parametrize(
    ("activation", "tol"),
    [
        ("linear", 1e-12),
        ("square", 1e-12),
        ("erf", 1e-10),
        ("gelu", 1e-10),
        ("sin", 1e-12),
        ("tanh", 1e-5),
        ("sigmoid", 1e-8),
        ("relu", 5e-3),
        ("leaky_relu", 5e-3),
        ("abs", 1e-2),
        ("step", 1e-7),
        ("sign", 1e-7),
    ],
)
def test_kernels_of_products(X, activation, tol):
    X = X[:8]
    model = drawn(X, 10, activation=activation, bias=0.5, negative_slope=0.3)
    expected = expected_kernel(activation, "gaussian", X)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(model.kernel(X), expected, rtol=0, atol=tol * scale)


def test_kernels_in_closed_form(X):
    """Cho and Saul's for angles; the last entry is a row that is always 0."""
    X = np.vstack([X, np.zeros(6)])
    norms = np.linalg.norm(X, axis=1)
    cosines = X @ X.T / np.maximum(np.outer(norms, norms), 1e-300)
    theta = np.arccos(np.clip(cosines, -1, 1))
    np.fill_diagonal(theta, 0)
    inner = slice(0, 40)
    step = drawn(X, 5, activation="step").kernel(X)
    expected = (np.pi - theta) / (2 * np.pi)
    np.testing.assert_allclose(step[inner, inner], expected[inner, inner], atol=1e-14)
    assert not step[-1].any()
    scale = 0.4 * np.outer(norms, norms)
    angular = np.sin(theta) + (np.pi - theta) * np.cos(theta)
    relu = drawn(X, 5).kernel(X)
    np.testing.assert_allclose(relu, scale * angular / (2 * np.pi), atol=1e-13)
    positive = drawn(X, 5, activation="exp", bias=0.3).kernel(X)
    np.testing.assert_allclose(positive, np.exp(0.4 * X @ X.T + 0.09), rtol=1e-13)


@pytest.mark.parametrize(("distribution", "sampling"), LAWS)
def test_kernels_of_differences(X, distribution, sampling):
    model = drawn(
        X, 9, activation="sincos", distribution=distribution, sampling=sampling
    )
    expected = expected_kernel("sincos", distribution, X)
    np.testing.assert_allclose(model.kernel(X), expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(model.kernel(X, X[:3]), expected[:, :3], atol=1e-12)


@pytest.mark.parametrize("activation", [*sorted(NUMPY), "sincos", "exp", np.arctan])
def test_features_tend_to_the_kernel(X, activation):
    errors = []
    gamma = 0.01 if activation == "exp" else 0.05
    for k in (200, 20_000):
        squares = 0.0
        for seed in range(4):
            model = drawn(
                X, k, activation=activation, gamma=gamma, bias=0.3, random_state=seed
            )
            Z, K = model.transform(X), model.kernel(X)
            squares += np.mean((Z @ Z.T - K) ** 2) / np.mean(K**2) / 4
        errors.append(np.sqrt(squares))
    # A hundred times as many features: a tenth of the error.
    assert 0.06 < errors[1] / errors[0] < 0.16
    assert errors[0] < 0.35


@pytest.mark.parametrize(("distribution", "sampling"), LAWS)
def test_every_law_tends_to_its_kernel(X, distribution, sampling):
    law = {"distribution": distribution, "sampling": sampling, "activation": "sincos"}
    errors = []
    for k in (100, 10_000):
        model = drawn(X, k, **law)
        Z = model.transform(X)
        errors.append(np.sqrt(np.mean((Z @ Z.T - model.kernel(X)) ** 2)))
    assert errors[1] < 0.015
    assert errors[1] < 0.4 * errors[0]


def test_orthogonal_and_quasi_random_weights_beat_independent_ones(rng):
    X = rng.normal(size=(60, 8))
    K = rbf_kernel(X, gamma=0.06)

    def error(sampling):
        squares = []
        for seed in range(10):
            options = {"gamma": 0.06, "sampling": sampling, "random_state": seed}
            Z = drawn(X, 128, activation="sincos", **options).transform(X)
            squares.append(np.mean((Z @ Z.T - K) ** 2))
        return np.mean(squares)

    independent = error("iid")
    assert error("orthogonal") < 0.7 * independent
    assert error("qmc") < 0.7 * independent
    assert error("hadamard") < 0.7 * independent


def test_distances_of_near_rows_are_told_by_the_angle(X):
    """Rows that nearly coincide: products alone would leave an error of 1e-8."""
    near = X * (1 + 1e-9)
    near[:, 0] += 1e-10
    K = drawn(X, 4, activation="sign").kernel(X, near).diagonal()
    cross = np.linalg.norm(
        X / np.linalg.norm(X, axis=1)[:, None]
        - near / np.linalg.norm(near, axis=1)[:, None],
        axis=1,
    )
    np.testing.assert_allclose(1 - K, 2 / np.pi * cross, rtol=0, atol=3e-14 + 1e-9)
    assert cdist(X, near).diagonal().max() < 1e-8
    np.testing.assert_allclose(
        drawn(X, 4, activation="step").kernel(X).diagonal(), 0.5, rtol=1e-13
    )


def student_kernel(nu, distances=DISTANCES, gamma=0.7):
    rows = np.zeros((len(distances), 3))
    rows[:, 1] = distances
    law = {"distribution": "student", "nu": nu, "gamma": gamma}
    return drawn(rows, 4, activation="sincos", **law).kernel(rows[:1], rows)[0]


@pytest.mark.parametrize(
    "nu", [0.01, 0.3, 1.0, 3.0, 8.2, 17.9, 18.0, 19.5, 19.99, 25.0, 60.0]
)
def test_student_kernel_before_more_digits(nu):
    with mpmath.workdps(60):
        expected = [1.0]
        for distance in DISTANCES[1:]:
            z = 2 * mpmath.sqrt(mpmath.mpf(0.7) * mpmath.mpf(nu)) * mpmath.mpf(distance)
            bessel = mpmath.besselk(nu, z) / mpmath.gamma(nu)
            expected.append(float(2 * (z / 2) ** mpmath.mpf(nu) * bessel))
    np.testing.assert_allclose(student_kernel(nu), expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize(
    ("nu", "polynomial"),
    [(0.5, [1]), (1.5, [1, 1]), (2.5, [1, 1, 1 / 3]), (3.5, [1, 1, 2 / 5, 1 / 15])],
)
def test_student_kernel_at_half_integers(nu, polynomial):
    z = 2 * np.sqrt(0.7 * nu) * DISTANCES
    expected = np.polynomial.Polynomial(polynomial)(z) * np.exp(-z)
    np.testing.assert_allclose(student_kernel(nu), expected, rtol=1e-13)


@pytest.mark.parametrize("nu", [5.0, 19.5, 100.0, 171.0, 172.5, 1e4, 1e6])
def test_student_kernel_is_the_mean_of_gaussian_ones(nu):
    """Student's law is a Gaussian one of random variance: quadrature over that."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    # Logarithms of the inverse variance, relative to its mean.
    width = 12 / np.sqrt(nu)
    t = width * nodes
    log_density = nu * (t - np.expm1(t))
    weights = weights * np.exp(log_density - log_density.max())
    shrunk = -0.7 * DISTANCES**2 * np.exp(-t[:, None])
    expected = weights @ np.exp(shrunk) / weights.sum()
    np.testing.assert_allclose(student_kernel(nu), expected, rtol=1e-9, atol=1e-14)


def test_student_kernel_changes_smoothly_up_to_the_gaussian_one():
    orders = np.geomspace(0.1, 1e8, 1000)
    orders = np.sort(np.r_[orders, 18 - 1e-9, 18, 19.5, 20, 171, 171.7])
    kernels = np.array([student_kernel(nu) for nu in orders])
    assert np.isfinite(kernels).all()
    assert (kernels[:, 0] == 1).all()
    assert (kernels <= 1).all()
    steps = np.abs(np.diff(kernels, axis=0))
    assert (steps <= 0.6 * np.diff(np.log(orders))[:, None] + 1e-14).all()
    # The mean of exp(-q / g), to the first order: 1 / g has a mean of 1 + 1 / nu and
    # a variance of 1 / nu.
    q = 0.7 * DISTANCES**2
    for nu in (1e6, 1e8, 1e100):
        first = np.exp(-q) * (1 + (q**2 / 2 - q) / nu)
        np.testing.assert_allclose(student_kernel(nu), first, atol=20 / nu**2 + 1e-15)


@pytest.mark.parametrize("nu", [19.7, 50.0, 300.0])
def test_student_features_of_many_degrees_of_freedom_tend_to_the_kernel(X, nu):
    law = {"distribution": "student", "nu": nu, "activation": "sincos", "gamma": 0.1}
    model = drawn(X, 40_000, **law)
    Z, K = model.transform(X), model.kernel(X)
    assert np.sqrt(np.mean((Z @ Z.T - K) ** 2)) < 0.01
    assert np.linalg.eigvalsh(K).min() > 0


def test_distances_whose_squares_overflow(X):
    for nu in (0.4, 1.5, 30.0):
        near = student_kernel(nu, 1e150 * DISTANCES, gamma=0.7e-300)
        np.testing.assert_allclose(near, student_kernel(nu), rtol=1e-12, atol=1e-15)
        far = student_kernel(nu, np.array([0, 1e160, 1e300]), gamma=1.0)
        np.testing.assert_array_equal(far, [1, 0, 0])


def test_kernels_that_overflow_are_refused(X):
    large = drawn(X, 4, activation="exp", gamma=0.1)
    with pytest.raises(ValueError, match=r"activation='exp' .* not finite .*gamma=0.1"):
        large.kernel(1e8 * X)
    with pytest.raises(ValueError, match="not finite"):
        drawn(X, 4, activation="square", gamma=0.1).kernel(1e90 * X)
    with pytest.raises(ValueError, match="not finite"):
        drawn(X, 4, gamma=0.1).kernel(1e22 * X.astype(np.float32))
    ridge = RandomFeatureRidge(np.inf, activation="exp", gamma=0.1)
    with pytest.raises(ValueError, match="not finite"):
        ridge.fit(1e8 * X, X[:, 0])
    ridge.fit(X, X[:, 0])
    with pytest.raises(ValueError, match="not finite"):
        ridge.predict(1e8 * X)
