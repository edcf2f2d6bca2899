"""Power laws against a root finder, published figures and the full theory."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import optimize

from skloss.random_features.power_law import (
    powerlaw_exponents,
    powerlaw_fitting_ratio,
)
from skloss.random_features.risk import optimal_alpha, rf_risk


@pytest.mark.parametrize("a, b", [(1.12, 1.36), (1.22, 1.2), (3.0, 1.01), (1.5, 3.9)])
@pytest.mark.parametrize("noise", [0.0, 1e-6, 0.3, 5.0, 50.0, 1e9])
def test_ratio_solves_its_equation(a, b, noise):
    def equation(s):
        return a - b - (a - 1) * b * s + a * (a - 1) * (1 - s) ** b * noise

    found = powerlaw_fitting_ratio(a, b, noise)
    if equation(0.0) <= 0:
        assert found == 0
    else:
        root = optimize.brentq(equation, 0, 1, xtol=1e-16, rtol=1e-15)
        assert_allclose(np.sqrt(found), root, rtol=1e-10)


def test_ratios_published_for_image_data():
    a, b = np.array([[1.12, 1.36], [1.22, 1.20], [1.17, 1.14]]).T
    found = powerlaw_fitting_ratio(a[:, None], b[:, None], [0, 5, 50])
    published = [[0.187, 0.771], [0.644, 0.932], [0.691, 0.948]]
    assert_allclose(found[:, 1:], published, atol=5.1e-4)
    assert found[:, 0].max() < 0.0241
    assert found[0, 0] == 0


def test_ratio_grows_with_noise_up_to_one():
    found = powerlaw_fitting_ratio(1.5, 1.4, np.r_[0, np.geomspace(1e-6, 1e300, 50)])
    assert (np.diff(found) >= 0).all()
    assert_allclose(found[-1], 1)
    assert isinstance(powerlaw_fitting_ratio(1.5, 1.4, 1.0), float)


@pytest.mark.parametrize("a, b, noise", [(2.5, 1.7, 0.0), (1.5, 1.5, 1.0), (2, 2.5, 5)])
def test_ratio_is_the_limit_of_the_full_theory(a, b, noise):
    i = np.arange(1.0, 400_001)
    n = 300
    noiseless = rf_risk(i**-a, i ** (-b / 2), n).test
    best = optimal_alpha(i**-a, i ** (-b / 2), n, noise=noise * noiseless)
    found = powerlaw_fitting_ratio(a, b, noise)
    assert_allclose(np.sqrt(best.fitting_ratio), np.sqrt(found), atol=0.02)


def test_exponents_come_back_from_predicted_curves():
    i = np.arange(1.0, 200_001)
    n = np.array([30, 60, 120, 240, 480])
    curves = rf_risk(i**-1.8, i**-0.7, n)
    found = powerlaw_exponents(n, curves.kappa, curves.test)
    assert_allclose([found.a, found.b], [1.8, 1.4], atol=0.03)


def test_exponents_come_back_from_samples():
    random = np.random.default_rng(0)
    i = np.arange(1.0, 5001)
    sizes, kappas, errors = [50, 100, 200, 400], [], []
    coefs = i**-0.75
    for n in sizes:
        rows = random.standard_normal((n, len(i))) * i**-0.9
        K = rows @ rows.T
        inverse = np.linalg.inv(K)
        kappas.append(1 / np.trace(inverse))
        weights = rows.T @ (inverse @ (rows @ (coefs * i**0.9)))
        errors.append(((coefs - weights * i**-0.9) ** 2).sum())
    found = powerlaw_exponents(sizes, kappas, errors)
    assert_allclose([found.a, found.b], [1.8, 1.5], atol=0.1)


def test_exponents_of_exact_lines():
    n = np.array([3.0, 10, 7])
    found = powerlaw_exponents(n, 1e-200 * n**-2.5, 1e200 * n**-0.25)
    assert_allclose([found.a, found.b], [2.5, 1.25], rtol=1e-12)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (([1, 2], [1, 2, 3], [1, 2]), "kappas must have .* 2 values .* got 3"),
        (([1, 2], [1, 2], [1, 2, 3]), "test_errors must have .* got 3"),
        (([1], [1], [1]), r"n_samples must be one-dimensional .* \(1,\)"),
        (([2, 2], [1, 2], [1, 2]), "n_samples must hold at least two different"),
        (([1, 0], [1, 2], [1, 2]), "n_samples must be positive .* got 0"),
        (([1, 2], [1, -2], [1, 2]), "kappas must be positive .* got -2"),
        (([1, 2], [1, 2], [1, np.inf]), "test_errors must be positive .* got inf"),
        ((["a", "b"], [1, 2], [1, 2]), "n_samples must be numeric; got "),
        (([1, 2], [1, 2j], [1, 2]), "kappas must be real; got "),
    ],
)
def test_bad_curves_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        powerlaw_exponents(*arguments)


@pytest.mark.parametrize(
    "a, b, noise, message",
    [
        (1.0, 1.2, 0, "a must be above 1 .* got 1.0"),
        (np.nan, 1.2, 0, "a must be above 1 .* got nan"),
        (1.5, 1.0, 0, "b must be above 1; got 1.0"),
        (1.5, [1.2, 4.0], 0, r"b must be below 2 \* a \+ 1; got 4.0"),
        (1.5, 1.2, -1, "noise_rel must be at least 0 .* got -1"),
        (1.5, 1.2, np.inf, "noise_rel must be at least 0 .* got inf"),
        ("wide", 1.2, 0, "a must be numeric; got 'wide'"),
        (1.5, 1.2j, 0, "b must be real; got 1.2j"),
        ([1.5, 2, 3], [1.2, 1.3], 0, r"broadcast: a \(3,\), b \(2,\), noise_rel \(\)"),
    ],
)
def test_bad_exponents_are_named(a, b, noise, message):
    with pytest.raises(ValueError, match=message):
        powerlaw_fitting_ratio(a, b, noise)
