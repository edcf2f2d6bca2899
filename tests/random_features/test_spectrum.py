"""Spectra of kernel matrices against linear algebra, widths against a full scan."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.metrics.pairwise import rbf_kernel

from skloss.random_features.risk import optimal_alpha, rf_risk
from skloss.random_features.spectrum import kernel_spectrum, suggest_n_components


def kernel_matrix(n=30, rank=40, seed=0):
    random = np.random.default_rng(seed)
    A = random.standard_normal((n, rank))
    return A, A @ A.T, random.standard_normal((n, 3))


def test_eigenvalues_are_squared_singular_values_of_the_features():
    A, K, y = kernel_matrix()
    found = kernel_spectrum(K, y)
    expected = np.linalg.svd(A, compute_uv=False) ** 2 / 30
    assert_allclose(found.eigenvalues, expected, rtol=1e-10)
    assert (np.diff(found.eigenvalues) <= 0).all()


@pytest.mark.parametrize("power", [-1, 0, 1, 2])
def test_coefficients_belong_to_their_eigenvalues(power):
    _, K, y = kernel_matrix()
    found = kernel_spectrum(K, y)
    assert found.coefs.shape == (30, 3)
    sums = (found.eigenvalues**power) @ found.coefs**2
    quadratic = np.einsum("it,ij,jt->t", y, np.linalg.matrix_power(K, power), y)
    assert_allclose(sums, quadratic / 30 / 30.0**power, rtol=1e-9)
    one = kernel_spectrum(K, y[:, 1])
    assert_allclose(np.abs(one.coefs), np.abs(found.coefs[:, 1]), rtol=1e-9)


def test_eigenvalues_that_rounding_made_negative_are_zero():
    _, K, y = kernel_matrix(rank=10)
    found = kernel_spectrum(K, y)
    assert (found.eigenvalues >= 0).all()
    assert (found.eigenvalues[10:] < 1e-12).all()


def test_an_indefinite_matrix_is_reported():
    with pytest.warns(UserWarning, match="eigenvalue of -1, so that it is no kernel"):
        found = kernel_spectrum(np.diag([3.0, -1.0]), [1.0, 2.0])
    assert_allclose(found.eigenvalues, [1.5, 0])
    assert_allclose(found.coefs**2, [0.5, 2])


def test_input_is_kept_and_converted():
    _, K, y = kernel_matrix()
    kept = K.copy()
    double = kernel_spectrum(K, y)
    assert (kept == K).all()
    single = kernel_spectrum(K.astype(np.float32), y)
    assert single.eigenvalues.dtype == np.float64
    assert_allclose(single.eigenvalues[:20], double.eigenvalues[:20], rtol=1e-3)


def test_held_out_errors_on_real_data_are_those_predicted():
    # Kernel ridge on draws from the digits, within the accuracy that is stated.
    X, labels = load_digits(return_X_y=True)
    X, labels = X[:600], labels[:600]
    y = np.eye(10)[labels] - np.eye(10)[labels].mean(axis=0)
    K = rbf_kernel(X, gamma=1 / X.var() / 64)
    random = np.random.default_rng(0)
    measured = []
    for _ in range(20):
        rows = random.permutation(600)
        train, test = rows[:150], rows[150:]
        dual = np.linalg.solve(K[np.ix_(train, train)] + 0.1 * np.eye(150), y[train])
        gaps = y[test] - K[np.ix_(test, train)] @ dual
        measured.append((gaps**2).sum(axis=1).mean())
    found = kernel_spectrum(K, y)
    risk = rf_risk(found.eigenvalues, found.coefs, 150, alpha=0.1, n_pool=600)
    assert_allclose(risk.test, np.mean(measured), rtol=0.14)


@pytest.mark.parametrize(
    "K, y, message",
    [
        (np.ones((2, 3)), [1, 2], r"K must be a square matrix; got shape \(2, 3\)"),
        (np.ones(4), [1, 2], r"K must be a square matrix; got shape \(4,\)"),
        (np.zeros((0, 0)), [], "K must be a square matrix"),
        ([[1.0, 2.0], [1.0, 1.0]], [1, 2], "K must be symmetric; .* up to 1"),
        ([[1.0, np.nan], [1.0, 1.0]], [1, 2], "K must be finite; got nan"),
        (np.eye(2), [1.0, np.inf], "y must be finite; got inf"),
        (np.eye(2) * 1j, [1.0, 2.0], "K must be real; got "),
        ([["a", "b"], ["b", "a"]], [1.0, 2.0], "K must be numeric; got "),
        (np.eye(2), ["low", "high"], "y must be numeric; got "),
        (np.eye(2), [1.0, 2j], "y must be real; got "),
        (np.eye(2), [1.0, 2.0, 3.0], r"y must have one row .* 2 .* \(3,\)"),
    ],
)
def test_bad_matrices_are_named(K, y, message):
    with pytest.raises(ValueError, match=message):
        kernel_spectrum(K, y)


@pytest.mark.parametrize("noise", [0.0, 0.3])
@pytest.mark.parametrize("tolerance", [0.01, 0.05, 0.5])
def test_the_suggested_width_is_the_least_of_all(noise, tolerance):
    i = np.arange(1, 41.0)
    spectrum = i**-1.3, i**-0.6
    for n in (3, 20, 100):
        allowed = (1 + tolerance) * optimal_alpha(*spectrum, n, noise=noise).test
        widths = np.arange(1, 1500)
        good = optimal_alpha(*spectrum, n, widths, noise=noise).test <= allowed
        found = suggest_n_components(spectrum, n, tolerance, noise=noise)
        if good.any():
            assert found == widths[good.argmax()]
        else:
            assert found >= 1500


def test_a_spectrum_from_data_is_taken_as_it_comes():
    _, K, y = kernel_matrix()
    found = kernel_spectrum(K, y)
    width = suggest_n_components(found, 10, 0.02)
    assert isinstance(width, int)
    assert width == suggest_n_components((found.eigenvalues, found.coefs), 10, 0.02)
    assert width == suggest_n_components({**found}, 10, 0.02)
    # Fits of rows from the pool need another width than those of new rows.
    inside = suggest_n_components(found, 25, 0.02, n_pool=30)
    arguments = found.eigenvalues, found.coefs, 25, [inside - 1, inside, np.inf]
    test = optimal_alpha(*arguments, n_pool=30).test
    assert test[0] > 1.02 * test[2] >= test[1]


def test_one_feature_is_enough_where_nothing_can_be_learnt():
    assert suggest_n_components(([1.0, 0.5], [0.0, 0.0]), 5, noise=1.0) == 1


@pytest.mark.parametrize(
    "change, message",
    [
        ({"tolerance": 0}, "tolerance must be positive.* got 0"),
        ({"tolerance": np.inf}, "tolerance must be positive.* got inf"),
        ({"tolerance": "1 %"}, "tolerance must be positive.* got '1 %'"),
        ({"n_samples": [3, 4]}, r"n_samples, .* numbers; got shape \(2,\)"),
        ({"n_samples": -3}, "n_samples must be positive.* got -3"),
        ({"spectrum": None}, "spectrum must hold .* got NoneType"),
        ({"spectrum": {"eigenvalues": [1.0], "coef": [1.0]}}, "spectrum .* got dict"),
        ({"spectrum": {"a": 1, "b": 2}}, "spectrum must hold .* got dict"),
        ({"spectrum": "ab"}, "eigenvalues must be numeric; got 'a'"),
        ({"spectrum": ([1.0], [1.0, 2.0])}, "coefs must have one row"),
        ({"n_pool": 1}, "n_pool must be at least .* got 1"),
    ],
)
def test_bad_arguments_are_named(change, message):
    arguments = {"spectrum": ([1.0, 0.5], [1.0, 1.0]), "n_samples": 2}
    with pytest.raises(ValueError, match=message):
        suggest_n_components(**arguments | change)
