"""Predicted errors against high-precision solves, simulation and closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats

from skloss.random_features.risk import optimal_alpha, rf_risk
from tests.random_features.risk_cases import exact, spectrum

INF = np.inf
MODES = np.arange(1, 10_001)
FIELDS = ("test", "train", "kappa", "gamma", "df")


# Around the 24 modes that these tests use.
SIZES = [(4, 8), (8, 4), (6, 6), (6, 7), (24, 24), (40, 25), (23, INF), (24, INF)]
SIZES += [(80, INF), (80, 120), (1, 1), (1, INF), (12, 1)]


@pytest.mark.parametrize("kind", ["power", "flat", "geometric", "gap", "slow"])
@pytest.mark.parametrize("alpha", [1e-9, 1e-2, 1.0, 1e6])
def test_predictions_solve_the_published_equations(kind, alpha):
    eigenvalues, coefs = spectrum(kind, 24)
    for n, k in SIZES:
        found = rf_risk(eigenvalues, coefs, n, k, alpha, noise=0.3)
        expected = exact(eigenvalues, coefs, n, k, alpha, noise=0.3)
        assert_allclose([found[name] for name in FIELDS], expected, rtol=2e-10)


@pytest.mark.parametrize("kind", ["power", "geometric", "gap"])
@pytest.mark.parametrize("alpha", [1e-9, 1e-2, 1.0, 1e6])
def test_predictions_for_a_pool_solve_its_equations(kind, alpha):
    eigenvalues, coefs = spectrum(kind, 24)
    for pool in (24, 30, 400):
        for n, k in SIZES:
            if n < pool:
                found = rf_risk(eigenvalues, coefs, n, k, alpha, n_pool=pool)
                expected = exact(eigenvalues, coefs, n, k, alpha, pool=pool)
                assert_allclose([found[name] for name in FIELDS], expected, rtol=2e-10)


@pytest.mark.parametrize("alpha", [1e-300, 1e-40, 1e40, 1e300])
def test_extreme_ridges_keep_all_digits(alpha):
    eigenvalues, coefs = spectrum("geometric", 5)
    for n, k in [(2, 3), (3, 2), (2, 2), (5, 5), (5, 9), (9, 5), (9, INF)]:
        found = rf_risk(eigenvalues, coefs, n, k, alpha)
        expected = exact(eigenvalues, coefs, n, k, alpha)
        assert_allclose([found[name] for name in FIELDS], expected, rtol=1e-9)


@pytest.mark.parametrize("alpha", [1e-10, 1e-5, 1e-2, 1, 1e3])
def test_both_equations_hold_in_double_precision(alpha):
    eigenvalues = MODES**-1.5
    n, k = np.array([[1], [100], [256], [5000]]), np.array([1, 100, 256, 257, 10**6])
    found = rf_risk(eigenvalues, eigenvalues, n, k, alpha)
    z = (eigenvalues / (eigenvalues + found.gamma[..., None])).sum(axis=-1)
    assert_allclose(z + alpha / found.kappa, n + 0 * k, rtol=1e-9)
    assert_allclose(z + k * found.kappa / found.gamma, k + 0 * n, rtol=1e-9)


def test_a_general_root_finder_agrees():
    eigenvalues, coefs = spectrum("power")

    def residuals(logs):
        kappa, gamma = np.exp(logs)
        z = (eigenvalues / (eigenvalues + gamma)).sum()
        return z + 0.01 / kappa - 20, z + 35 * kappa / gamma - 35

    solution = optimize.root(residuals, np.log([0.01, 0.02]), tol=1e-13)
    found = rf_risk(eigenvalues, coefs, 20, 35, 0.01)
    assert solution.success
    assert_allclose([found.kappa, found.gamma], np.exp(solution.x), rtol=1e-9)


def test_figures_published_for_a_synthetic_power_law():
    found = rf_risk(
        MODES**-1.5,
        MODES**-0.75,
        256,
        [10, 100, 1000, 10_000],
        [[2.154], [4.64e-3]],
        noise=0.5,
    )
    published = [[1.6342, 1.0135, 0.9018, 0.8901], [1.6412, 1.3686, 1.1962, 0.9976]]
    assert_allclose(found.test, published, atol=5.1e-5)


def test_pool_formula_is_that_of_the_population_for_large_pools():
    eigenvalues, coefs = spectrum("power")
    arguments = eigenvalues, coefs, [[5], [30], [90]], [4, 30, INF], 0.02
    near, limit = rf_risk(*arguments, n_pool=1e12), rf_risk(*arguments)
    for name in FIELDS:
        assert_allclose(near[name], limit[name], rtol=1e-8)


@pytest.mark.parametrize("alpha", [1e-8, 0.3, 50.0])
def test_a_whole_pool_is_exact_ridge_on_its_kernel(alpha):
    random = np.random.default_rng(0)
    A = random.standard_normal((25, 40))
    y = random.standard_normal((25, 2))
    K = A @ A.T
    eigenvalues, vectors = np.linalg.eigh(K / 25)
    hat = K @ np.linalg.inv(K + alpha * np.eye(25))
    residuals = y - hat @ y
    found = rf_risk(eigenvalues, vectors.T @ y / 5, 25, alpha=alpha, n_pool=25)
    train = (residuals**2).sum() / 25
    assert_allclose(found.train, train, rtol=1e-6 if alpha < 1e-3 else 1e-10)
    gcv = train / (1 - np.trace(hat) / 25) ** 2
    assert_allclose(found.test, gcv, rtol=1e-6 if alpha < 1e-3 else 1e-10)
    assert_allclose(found.df, np.trace(hat), rtol=1e-9)


def test_a_whole_pool_without_ridge_has_the_score_of_interpolation():
    random = np.random.default_rng(1)
    A = random.standard_normal((12, 30))
    y = random.standard_normal(12)
    K = A @ A.T
    eigenvalues, vectors = np.linalg.eigh(K / 12)
    found = rf_risk(eigenvalues, vectors.T @ y / np.sqrt(12), 12, n_pool=12)
    inverse = np.linalg.inv(K)
    # y - Hy is alpha K^-1 y and tr(I - H) is alpha tr K^-1 for small alpha.
    gcv = 12 * ((inverse @ y) ** 2).sum() / np.trace(inverse) ** 2
    assert_allclose([found.test, found.train], [gcv, 0], rtol=1e-9)


LIMITS = [(5, 9), (9, 5), (5, INF), (12, 20), (20, 12), (12, 12), (30, 40), (30, INF)]


@pytest.mark.parametrize("noise", [0.0, 0.4])
def test_no_ridge_is_the_limit_of_small_ridges(noise):
    eigenvalues, coefs = spectrum("geometric", 12)
    for n, k in LIMITS:
        found = rf_risk(eigenvalues, coefs, n, k, 0, noise)
        expected = exact(eigenvalues, coefs, n, k, 1e-40, noise)
        if found.test == INF:
            assert expected[0] > 1e12
        else:
            assert_allclose(found.test, expected[0], rtol=1e-9, atol=1e-12)
        assert_allclose(found.train, expected[1], rtol=1e-9, atol=1e-12)
        assert_allclose(found.df, expected[4], rtol=1e-12)


def test_no_ridge_in_a_pool_is_the_limit_of_small_ridges():
    eigenvalues, coefs = spectrum("geometric", 12)
    for pool in (12, 20, 50):
        for n, k in LIMITS:
            if n < pool:
                found = rf_risk(eigenvalues, coefs, n, k, 0, n_pool=pool)
                expected = exact(eigenvalues, coefs, n, k, 1e-40, pool=pool)
                assert_allclose(found.test, expected[0], rtol=1e-9, atol=1e-12)
                assert_allclose(found.train, expected[1], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 1e-9, 1e-3])
def test_risk_diverges_where_features_just_interpolate(alpha):
    eigenvalues, coefs = spectrum("power")
    found = rf_risk(eigenvalues, coefs, 20, [10, 20, 40], alpha, 0.1)
    assert found.test[1] > found.test[[0, 2]].max()
    assert (found.test[1] == INF) == (alpha == 0)
    assert np.isfinite(found.train).all()


def test_one_mode_has_a_closed_form():
    for power, n, alpha in [(1.0, 3, 0.5), (2.0, 1, 1e-3), (0.1, 7, 40.0)]:
        # gamma (n - z) = alpha with z = power/(power + gamma) is quadratic.
        half = (alpha + power - n * power) / (2 * n)
        gamma = half + np.sqrt(half**2 + alpha * power / n)
        z = power / (power + gamma)
        test = (4 * (1 - z) ** 2 + 0.3) / (1 - z * z / n)
        found = rf_risk([power], [2.0], n, alpha=alpha, noise=0.3)
        assert_allclose([found.gamma, found.test], [gamma, test], rtol=1e-12)


def test_modes_of_eigenvalue_zero_are_noise():
    eigenvalues, coefs = spectrum("power", 20)
    more = np.r_[0.0, eigenvalues, 0.0], np.r_[0.3, coefs, -0.4]
    for alpha in (0, 0.1):
        found = rf_risk(*more, 9, [4, INF], alpha, 0.5)
        expected = rf_risk(eigenvalues, coefs, 9, [4, INF], alpha, 0.75)
        assert_allclose(found.test, expected.test, rtol=1e-13)
    found = rf_risk([0.0, 0.0], [1.0, 2.0], 3, [2, INF], [[0], [1]], 0.5)
    assert_allclose(found.test, 5.5)
    assert_allclose(found.train, 5.5)
    assert_allclose(found.df, 0)


def test_order_of_modes_does_not_matter():
    eigenvalues, coefs = spectrum("power")
    shuffled = np.random.default_rng(0).permutation(60)
    found = rf_risk(eigenvalues[shuffled], coefs[shuffled], 20, 30, 0.1)
    assert_allclose(found.test, rf_risk(eigenvalues, coefs, 20, 30, 0.1).test)


def test_risks_add_over_targets():
    eigenvalues, coefs = spectrum("power")
    targets = np.c_[coefs, coefs[::-1], np.ones(60)]
    together = rf_risk(eigenvalues, targets, 20, [30, INF], 0.1, 0.6)
    apart = [rf_risk(eigenvalues, v, 20, [30, INF], 0.1, 0.2) for v in targets.T]
    assert_allclose(together.test, sum(risk.test for risk in apart), rtol=1e-13)
    assert_allclose(together.train, sum(risk.train for risk in apart), rtol=1e-13)


def test_rows_and_features_change_places():
    eigenvalues, coefs = spectrum("power")
    one = rf_risk(eigenvalues, coefs, 20, 50, 20 * 0.01)
    other = rf_risk(eigenvalues, coefs, 50, 20, 50 * 0.01)
    assert_allclose(one.gamma, other.gamma, rtol=1e-12)


def test_arguments_broadcast():
    eigenvalues, coefs = spectrum("power", 20)
    n = np.array([5, 9]).reshape(2, 1, 1, 1)
    k = np.array([4, 7, INF]).reshape(3, 1, 1)
    alpha, pool = np.array([0.1, 2.0, 0.0, 0.1]), np.array([[30], [INF]])
    shape = (2, 3, 2, 4)
    found = rf_risk(eigenvalues, coefs, n, k, alpha, n_pool=pool)
    table = np.broadcast_arrays(n, k, alpha, pool)
    for name in FIELDS:
        assert found[name].shape == shape
        one = [
            rf_risk(eigenvalues, coefs, a, b, c, n_pool=d)[name]
            for a, b, c, d in zip(*(column.ravel() for column in table))
        ]
        assert_allclose(found[name].ravel(), one, rtol=1e-11)
    assert isinstance(rf_risk(eigenvalues, coefs, 5).test, float)
    assert isinstance(optimal_alpha(eigenvalues, coefs, 5).alpha, float)
    assert optimal_alpha(eigenvalues, coefs, [5, 6], [[4], [5]]).test.shape == (2, 2)


SPECTRA = st.lists(
    st.one_of(st.just(0.0), st.floats(1e-15, 1e3), st.sampled_from([1.0, 1e-8])),
    min_size=1,
    max_size=12,
)
ANY_SPECTRA = st.lists(st.floats(0, 1e290), min_size=1, max_size=6)
SIZE = st.one_of(st.integers(1, 14), st.sampled_from([1, 100, 10**9]))
RIDGE = st.sampled_from(
    [0.0, 5e-324, 1e-300, 1e-100, 1e-16, 1e-3, 1.0, 1e6, 1e100, 1e300, INF]
)


@settings(max_examples=400, deadline=None)
@given(SPECTRA, SIZE, st.one_of(SIZE, st.just(INF)), RIDGE, st.data())
def test_errors_are_never_nan_or_negative(eigenvalues, n, k, alpha, data):
    coefs = data.draw(
        st.lists(
            st.sampled_from([0.0, 1.0, -0.3, 1e-150, 1e3]),
            min_size=len(eigenvalues),
            max_size=len(eigenvalues),
        )
    )
    pool = data.draw(
        st.sampled_from([INF, max(n, len(eigenvalues)), max(n, len(eigenvalues)) + 1])
    )
    noise = 0.0 if pool < INF else data.draw(st.sampled_from([0.0, 1e-12, 1.0]))
    found = rf_risk(eigenvalues, coefs, n, k, alpha, noise, pool)
    for name in FIELDS:
        assert found[name] >= 0
    assert found.df <= min(n, k) * (1 + 1e-12)
    if found.test < INF and n - found.df > 1e-6 * n:
        expected = (1 - found.df / n) ** 2 * found.test
        assert_allclose(found.train, expected, rtol=1e-8)
    best = optimal_alpha(eigenvalues, coefs, n, k, noise, pool)
    assert best.test <= found.test * (1 + 1e-9)
    assert best.alpha >= 0
    assert 0 <= best.fitting_ratio <= 1


@settings(max_examples=300, deadline=None)
@given(ANY_SPECTRA, st.floats(0, 1e140), SIZE, SIZE, RIDGE, st.floats(0, 1e300))
def test_nothing_representable_gives_nan(eigenvalues, coef, n, k, alpha, noise):
    coefs = np.full(len(eigenvalues), coef)
    pool = max(n, len(eigenvalues))
    for width in (k, n, INF):
        for extra in ((noise, INF), (0.0, pool), (0.0, 2 * pool)):
            found = rf_risk(eigenvalues, coefs, n, width, alpha, *extra)
            best = optimal_alpha(eigenvalues, coefs, n, width, *extra)
            assert not any(np.isnan(value) or value < 0 for value in found.values())
            assert not any(np.isnan(value) or value < 0 for value in best.values())


@settings(max_examples=150, deadline=None)
@given(SPECTRA, st.integers(1, 20), st.integers(1, 20), st.sampled_from([0, 1e-6, 1]))
def test_best_risk_falls_with_rows_and_features(eigenvalues, n, k, noise):
    coefs = np.cos(np.arange(len(eigenvalues)))
    widths = np.array([k, k + 1, 2 * k + 5, 10**6, INF])
    sizes = np.array([[n], [n + 1], [3 * n + 2], [10**6]])
    test = optimal_alpha(eigenvalues, coefs, sizes, widths, noise).test
    slack = 1e-10 * test.max()
    assert (np.diff(test, axis=0) <= slack).all()
    assert (np.diff(test, axis=1) <= slack).all()


def features_and_target(random, powers, coefs, n, k, noise):
    """Gaussian modes, random features of them, and a target."""
    rows = random.standard_normal((n, len(powers)))
    weights = random.standard_normal((len(powers), k)) * np.sqrt(powers / k)[:, None]
    y = rows @ coefs + np.sqrt(noise) * random.standard_normal(n)
    return rows, weights, y


@pytest.mark.parametrize(
    "n, k, alpha", [(60, 150, 0.05), (120, 40, 0.5), (80, 80, 2.0)]
)
def test_simulated_fits_have_the_predicted_errors(n, k, alpha):
    i = np.arange(1, 301.0)
    powers, coefs, noise = i**-1.2, i**-0.6, 0.3
    random = np.random.default_rng(n)
    errors = []
    for _ in range(200):
        rows, weights, y = features_and_target(random, powers, coefs, n, k, noise)
        features = rows @ weights
        gram = features.T @ features + alpha * np.eye(k)
        fitted = np.linalg.solve(gram, features.T @ y)
        test = ((coefs - weights @ fitted) ** 2).sum() + noise
        errors.append((test, ((y - features @ fitted) ** 2).mean()))
    found = rf_risk(powers, coefs, n, k, alpha, noise)
    mean, error = np.mean(errors, axis=0), stats.sem(errors, axis=0)
    assert (error < 0.03 * mean).all()
    assert (np.abs(mean - [found.test, found.train]) < 3.5 * error).all()


def test_simulated_draws_from_a_pool_have_the_predicted_errors():
    # The spectrum is the one for which 2.86 and, for an infinite pool, 1.84 follow.
    i = np.arange(1, 301.0)
    powers, coefs = i**-1.3, i**-0.6
    n, k, alpha, pool = 150, 100, 0.01, 300
    random = np.random.default_rng(4)
    errors = []
    for _ in range(60):
        basis = stats.ortho_group.rvs(pool, random_state=random) * np.sqrt(pool)
        weights = random.standard_normal((pool, k)) * np.sqrt(powers / k)[:, None]
        features, y = basis @ weights, basis @ coefs
        gram = features[:n].T @ features[:n] + alpha * np.eye(k)
        residuals = y - features @ np.linalg.solve(gram, features[:n].T @ y[:n])
        errors.append(((residuals[n:] ** 2).mean(), (residuals[:n] ** 2).mean()))
    found = rf_risk(powers, coefs, n, k, alpha, n_pool=[pool, INF])
    assert_allclose(found.test, [2.86, 1.84], atol=0.005)
    mean, error = np.mean(errors, axis=0), stats.sem(errors, axis=0)
    assert (error < 0.04 * mean).all()
    assert (np.abs(mean - [found.test[0], found.train[0]]) < 3.5 * error).all()
    assert mean[0] - found.test[1] > 10 * error[0]


@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize("noise", [1e-3, 0.5, 100.0])
def test_the_best_ridge_for_a_gaussian_prior_is_the_noise(n, noise):
    # If coefficients are as large as the kernel expects, ridge regression is Bayes'.
    powers = MODES**-1.5
    best = optimal_alpha(powers, np.sqrt(powers), n, noise=noise)
    # A minimum tells its place only to the root of the rounding in its value.
    assert_allclose(best.alpha, noise, rtol=1e-3)


@pytest.mark.parametrize("kind", ["power", "geometric", "gap", "slow"])
@pytest.mark.parametrize("pool", [INF, 90])
def test_the_best_ridge_is_the_best_of_many(kind, pool):
    eigenvalues, coefs = spectrum(kind)
    alphas = np.r_[0, np.geomspace(1e-12, 1e4, 1500)]
    for n, k in [(10, 20), (20, 10), (70, 65), (80, INF), (15, 15)]:
        noise = 0.05 if pool == INF else 0.0
        path = rf_risk(eigenvalues, coefs, n, k, alphas, noise, pool)
        best = optimal_alpha(eigenvalues, coefs, n, k, noise, pool)
        assert best.test <= path.test.min() * (1 + 1e-12)
        # Between neighbours of the grid the error can hide a fall as large as its
        # steps there.
        around = path.test[max(path.test.argmin() - 1, 0) :][:3]
        assert path.test.min() - best.test <= np.ptp(around)
        there = rf_risk(eigenvalues, coefs, n, k, best.alpha, noise, pool)
        assert_allclose([best.test, best.train], [there.test, there.train], rtol=1e-9)
        if best.test > 0:
            assert_allclose(best.fitting_ratio, best.train / best.test, rtol=1e-9)


def test_the_deeper_of_two_minima_is_found():
    powers = np.r_[np.full(30, 1.0), np.full(5000, 1e-5)]
    coefs = np.r_[np.full(30, 0.2), np.full(5000, 0.01)]
    for noise in (0.0, 0.01, 0.1, 1.0):
        alphas = np.r_[0, np.geomspace(1e-9, 1e3, 3000)]
        path = rf_risk(powers, coefs, 200, 300, alphas, noise)
        best = optimal_alpha(powers, coefs, 200, 300, noise)
        assert best.test <= path.test.min() * (1 + 1e-12)


def test_extremes_of_the_best_ridge():
    i = np.arange(1, 2001.0)
    overfit = optimal_alpha(i**-1.1, i**-1.0, 50)
    assert overfit.alpha == 0
    assert overfit.fitting_ratio == 0
    nothing = optimal_alpha(i**-1.1, 0 * i, 50, noise=2.0)
    assert nothing.alpha == INF
    assert_allclose([nothing.test, nothing.train, nothing.fitting_ratio], [2, 2, 1])
    learnt = optimal_alpha([1.0, 0.5], [1.0, 1.0], 5)
    assert [learnt.alpha, learnt.test] == [0, 0]
    # A pool's target that avoids its large eigenvalues is best not fitted at all.
    shy = optimal_alpha([1.0, 1e-3, 1e-3], [0.0, 1.0, 1.0], 2, n_pool=3)
    assert shy.alpha == INF
    assert_allclose(shy.test, 2)


GOOD = {"eigenvalues": [1.0, 0.5], "coefs": [1.0, 1.0], "n_samples": 3}


@pytest.mark.parametrize(
    "change, message",
    [
        ({"eigenvalues": [1.0, -0.5]}, r"eigenvalues\[1\] is -0.5"),
        ({"eigenvalues": [1.0, np.nan]}, r"eigenvalues\[1\] is nan"),
        ({"eigenvalues": [[1.0, 2.0]]}, r"eigenvalues must be one-dim.* \(1, 2\)"),
        ({"eigenvalues": [], "coefs": []}, r"eigenvalues .* \(0,\)"),
        ({"eigenvalues": [1e305, 1.0]}, "sum of eigenvalues .* 1e\\+305"),
        ({"coefs": [1.0]}, r"coefs must have one row .* \(1,\)"),
        ({"coefs": [1.0, INF]}, "coefs must be finite; got inf"),
        ({"coefs": [1.0, 1e160]}, "sum of squared coefs .* got inf"),
        ({"eigenvalues": ["a", "b"]}, r"eigenvalues must be numeric; got \['a', 'b'\]"),
        ({"eigenvalues": [1j, 0.5]}, "eigenvalues must be real; got "),
        ({"eigenvalues": [[1.0], 0.5]}, "eigenvalues must be numeric"),
        ({"coefs": [None, "x"]}, "coefs must be numeric; got "),
        ({"coefs": np.array([1.0, 1j])}, "coefs must be real; got "),
        ({"coefs": np.array([1.0, 1j], dtype=object)}, "coefs must be numeric; got "),
        ({"n_samples": 3 + 1j}, r"n_samples must be real; got \(3\+1j\)"),
        ({"n_samples": 0}, "n_samples must be positive.* got 0"),
        ({"n_samples": [3, INF]}, "n_samples must be positive.* got inf"),
        ({"n_samples": "many"}, "n_samples must be numeric; got 'many'"),
        ({"n_components": 0}, "n_components must be .* got 0"),
        ({"n_components": 2.5}, "n_components must be .* got 2.5"),
        ({"n_components": np.nan}, "n_components must be .* got nan"),
        ({"alpha": [0.1, -1]}, "alpha must be at least 0; got -1"),
        ({"alpha": np.nan}, "alpha must be at least 0; got nan"),
        ({"noise": -0.1}, "noise must be at least 0 .* got -0.1"),
        ({"noise": INF}, "noise must be at least 0 .* got inf"),
        ({"n_pool": 1}, "n_pool must be at least the number .* 2; got 1"),
        ({"n_pool": 2}, "n_samples must be at most n_pool=2.0; got 3"),
        ({"n_pool": 9, "noise": 0.5}, "noise must be 0 where n_pool .* got 0.5"),
        ({"n_samples": [1, 2], "noise": [1, 2, 3]}, "Shapes do not broadcast: n_s"),
    ],
)
def test_bad_input_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        rf_risk(**GOOD | change)
    if "alpha" not in change:
        with pytest.raises(ValueError, match=message):
            optimal_alpha(**GOOD | change)
