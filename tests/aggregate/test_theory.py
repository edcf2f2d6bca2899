"""Predicted risks against simulation, high-precision solves and closed forms."""

import itertools

import mpmath as mp
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import linalg, optimize

from skloss.aggregate.theory import aggregate_risk, optimal_bag_size, optimal_rho

INF = np.inf
RHOS = np.r_[0, np.logspace(-6, 4, 201)]


def simulated_risks(rng, sizes, settings, n_features=150, n_repeats=14):
    """Errors of ridge on rows shrunk towards their bag means, one row per setting.

    A setting is (rho, alpha, scale, signal, noise, correlated, variance of the noise
    in the means).
    """
    d, ends = n_features, np.cumsum(sizes)
    chol = linalg.cholesky(linalg.toeplitz(0.8 ** np.arange(d)), lower=True)
    errors = np.empty((len(settings), n_repeats))
    for repeat in range(n_repeats):
        normal = rng.normal(size=(ends[-1], d))
        slopes, residuals = rng.normal(size=d), rng.normal(size=ends[-1])
        added = rng.laplace(scale=np.sqrt(0.5), size=len(sizes))
        means = np.add.reduceat(normal, ends - sizes) / sizes[:, None]
        means = np.repeat(means, sizes, axis=0)
        for i, (rho, alpha, scale, signal, noise, mixed, private) in enumerate(
            settings
        ):
            rows = means + np.sqrt(rho) * (normal - means)
            true = slopes * np.sqrt(signal / (slopes @ slopes))
            y = normal @ true + np.sqrt(noise) * residuals
            y = np.add.reduceat(y, ends - sizes) / sizes + np.sqrt(private) * added
            y = np.repeat(y, sizes)
            mix = chol.T if mixed else np.eye(d)
            rows = rows @ mix  # so that the true slopes are solve(mix, true)
            G, c = rows.T @ rows + alpha * d * np.eye(d), rows.T @ y
            found = (
                linalg.solve(G, c, assume_a="pos")
                if alpha or np.linalg.matrix_rank(rows) == d
                else linalg.lstsq(G, c, cond=1e-10)[0]
            )
            errors[i, repeat] = ((scale * mix @ found - true) ** 2).sum()
    return errors


# rho, alpha, scale, signal, noise, correlated, noise variance of the means
SETTINGS = [
    (0.0, 0.0, 1.0, 1.0, 1.0, False, 0.0),
    (0.0, 0.0, 1.0, 1.0, 1.0, False, 0.5),
    (0.0, 0.3, 0.8, 4.0, 0.5, False, 0.0),
    (0.02, 0.0, 1.3, 1.0, 1.0, True, 0.0),
    (0.1, 0.0, 1.0, 0.3, 2.0, True, 0.2),
    (0.1, 0.2, 1.0, 4.0, 0.5, False, 0.0),
    (1.0, 0.0, 1.0, 1.0, 1.0, True, 0.1),
    (1.0, 1.0, 2.0, 4.0, 0.5, False, 0.0),
    (3.0, 0.0, 1.0, 0.3, 2.0, True, 0.0),
]


@pytest.mark.parametrize(
    ("k", "aspect"), [(1, 3), (2, 1.5), (2, 6), (5, 4), (5, 10), (20, 8), (2, 0.6)]
)
def test_simulated_risks_agree(k, aspect):
    rng = np.random.default_rng([k, int(10 * aspect)])
    sizes = np.full(int(150 * aspect) // k, k)
    settings = SETTINGS if aspect > 1 else [s for s in SETTINGS if not s[5]]
    errors = simulated_risks(rng, sizes, settings)
    expected = [
        aggregate_risk(
            k,
            sizes.sum() / 150,
            rho=rho,
            alpha=alpha,
            scale=scale,
            signal=signal,
            noise=noise,
            mean_noise_variance=private,
        ).risk
        for rho, alpha, scale, signal, noise, _, private in settings
    ]
    se = errors.std(axis=1, ddof=1) / np.sqrt(errors.shape[1])
    assert (np.abs(errors.mean(axis=1) - expected) < 4 * se).all()


def test_bags_of_several_sizes_count_by_their_mean_size(rng):
    sizes = rng.permutation(np.repeat([1, 2, 3, 6], 100))
    settings = [s for s in SETTINGS if s[6] == 0]
    errors = simulated_risks(rng, sizes, settings)
    rho, alpha, scale, signal, noise = np.array(settings)[:, :5].T
    expected = aggregate_risk(
        3, 8, rho=rho, alpha=alpha, scale=scale, signal=signal, noise=noise
    ).risk
    se = errors.std(axis=1, ddof=1) / np.sqrt(errors.shape[1])
    assert (np.abs(errors.mean(axis=1) - expected) < 4 * se).all()


def precise(k, aspect, rho, alpha, signal, noise, scale):
    """The formulas as they are written, with many digits."""
    k, aspect, rho, alpha, signal, noise, scale = map(
        mp.mpf, (k, aspect, rho, alpha, signal, noise, scale)
    )
    between, within = aspect / k, aspect * (k - 1) / k

    def left(q):
        shares = between * q / (1 + q) + within * rho * q / (1 + rho * q)
        return alpha * q + shares

    if alpha == 0 and between + (within if rho > 0 else 0) <= 1:
        b, w = mp.mpf(1), mp.mpf(rho > 0)
    else:
        low, high = mp.mpf(-2000), mp.mpf(2000)
        for _ in range(mp.mp.prec):
            middle = (low + high) / 2
            if left(mp.exp(middle)) < 1:
                low = middle
            else:
                high = middle
        q = mp.exp(low)
        b, w = q / (1 + q), rho * q / (1 + rho * q)
    mu, c1, c2 = between * b, between * b**2, within * w**2
    rest = 1 - c1 - c2
    bias2 = (1 - mu) ** 2 + (c1 * (1 - mu) ** 2 + c2 * mu**2) / rest
    risk = signal * bias2 + noise * c1 / rest
    variance = scale**2 * noise * c1 / rest
    spread = risk - signal * (1 - mu) ** 2
    scaled = signal * (1 - scale * mu) ** 2 + scale**2 * spread
    return [float(v) for v in (scaled - variance, variance, scaled, mu)]


@pytest.mark.parametrize("scale", [1.0, 0.3, 5.0])
@pytest.mark.parametrize("alpha", [0.0, 1e-12, 1e-3, 1.0, 1e6])
def test_a_precise_solution_agrees(alpha, scale):
    sizes = (1, 1.5, 4, 100)
    aspects = (0.2, 0.999999999, 1 + 1e-9, 3.9999999, 4.0000001, 70, 1e5)
    with mp.workdps(60):
        for k, aspect, rho in itertools.product(sizes, aspects, (0, 1e-7, 0.3, 1, 1e5)):
            found = aggregate_risk(
                k, aspect, rho=rho, alpha=alpha, signal=2, noise=0.7, scale=scale
            )
            expected = precise(k, aspect, rho, alpha, 2, 0.7, scale)
            found = [found[name] for name in ("bias2", "variance", "risk", "overlap")]
            assert_allclose(found, expected, rtol=2e-9, atol=1e-25)


@pytest.mark.parametrize("alpha", [0.0, 1e-40, 1e40])
def test_extreme_arguments_keep_their_digits(alpha):
    sizes, aspects, rhos = (1, 3, 1e20), (1e-20, 1, 3, 1e20), (0, 1e-30, 1, 1e30)
    with mp.workdps(160):
        for k, aspect, rho in itertools.product(sizes, aspects, rhos):
            if alpha == 0 and aspect == (1 if rho else k):
                continue  # infinite
            found = aggregate_risk(k, aspect, rho=rho, alpha=alpha)
            expected = precise(k, aspect, rho, alpha, 1, 1, 1)
            found = [found[name] for name in ("bias2", "variance", "risk", "overlap")]
            assert_allclose(found, expected, rtol=1e-9, atol=1e-290)


@pytest.mark.filterwarnings("error")
def test_nothing_is_nan_and_nothing_warns():
    values = np.array([5e-324, 1e-300, 1e-9, 0.5, 1, 2, 1e9, 1e300, 1.7e308])
    zero = np.r_[0, values]
    k, aspect, rho, alpha = np.ix_(values[values >= 1], values, np.r_[zero, INF], zero)
    for signal, noise, scale in itertools.product((0, 1e-300, 1, 1e300), repeat=3):
        for factor in (scale, "best"):
            found = aggregate_risk(
                k,
                aspect,
                rho=rho,
                alpha=alpha,
                signal=signal,
                noise=noise,
                scale=factor,
            )
            for part in found.values():
                assert (part >= 0).all()
            assert (found.overlap <= 1).all()
    k, aspect, signal, noise = np.ix_(values[values >= 1], values, zero, zero)
    for scale in ("none", "best"):
        found = optimal_rho(k, aspect, signal=signal, noise=noise, scale=scale)
        assert (found >= 0).all()
    for rho, epsilon in itertools.product((0, 1e-300, 1, INF), (1e-300, 1, 1e300, INF)):
        size = optimal_bag_size(
            values,
            rho=rho,
            signal=1,
            noise=1,
            epsilon=epsilon,
            bounds=(-1e9, 1),
            max_size=20,
        )
        assert (size >= 1).all() and (size <= 20).all()


def test_bag_level_ends():
    k, aspect = np.array([1, 2, 7, 30]), np.array([[30.5], [31], [80], [1e4]])
    found = aggregate_risk(k, aspect, signal=3, noise=2)
    assert_array_equal(found.bias2, 0)
    assert_allclose(found.variance, 2 * k / (aspect - k), rtol=1e-12)
    assert_allclose(found.overlap, 1)
    # The solution of least norm where bags are fewer than features.
    aspect = np.array([[0.1], [0.5], [0.9]])
    share = aspect / k
    found = aggregate_risk(k, aspect, signal=3, noise=2)
    assert_allclose(found.bias2, 3 * (1 - share), rtol=1e-12)
    assert_allclose(found.variance, 2 * share / (1 - share), rtol=1e-12)


def test_instance_level_ends():
    k, aspect = np.array([1, 2, 7, 30]), np.array([[1.01], [3], [80], [1e4]])
    found = aggregate_risk(k, aspect, rho=1, signal=3, noise=2)
    expected = 3 * ((k - 1) ** 2 + (k - 1) / (aspect - 1)) / k**2
    assert_allclose(found.bias2, expected, rtol=1e-11, atol=1e-12)
    assert_allclose(found.variance, 2 / (k * (aspect - 1)), rtol=1e-12)
    assert_allclose(found.overlap, 1 / k + 0 * aspect, rtol=1e-12)


@pytest.mark.parametrize("rho", [0, 1e-9, 0.4, 1, 1e9, INF])
def test_bags_of_one_row_are_ridge_whatever_rho(rho):
    aspect, alpha = np.array([[0.3], [1], [5]]), np.array([1e-3, 0.2, 4])
    # The limit of ridge for white features, by the Marchenko-Pastur law.
    gamma, z = 1 / aspect, alpha / aspect
    half = 1 - gamma + z
    root = np.sqrt(half**2 + 4 * gamma * z)
    m = np.where(half > 0, 2 / (half + root), (root - half) / (2 * gamma * z))
    slope = (gamma * m**2 + m) / (2 * gamma * z * m + half)
    found = aggregate_risk(1, aspect, rho=rho, alpha=alpha, signal=3, noise=2)
    assert_allclose(found.bias2, 3 * z**2 * slope, rtol=1e-9)
    assert_allclose(found.variance, 2 * gamma * (m - z * slope), rtol=1e-9)


@pytest.mark.parametrize("rho", [0, 0.01, 1, 5])
def test_least_squares_diverges_where_equations_equal_unknowns(rho):
    k = np.array([1, 2, 4, 8.0])
    peak = k if rho == 0 else np.ones(4)
    found = aggregate_risk(k, peak, rho=rho)
    assert_array_equal(found.risk, INF)
    for factor in (1 - 2**-40, 1 + 2**-40):
        near = aggregate_risk(k, peak * factor, rho=rho)
        assert np.isfinite(near.risk).all() and (near.risk > 1e9).all()
    assert np.isfinite(aggregate_risk(k, peak, rho=rho, alpha=1e-12).risk).all()
    assert_array_equal(aggregate_risk(k, peak, rho=rho, scale=0.0).risk, 1)
    assert_array_equal(aggregate_risk(k, peak, rho=rho, scale="best").risk, 1)


def test_without_noise_as_many_equations_as_unknowns_are_solved():
    k = np.array([1, 2, 4, 8.0])
    assert_array_equal(aggregate_risk(k, k, noise=0).risk, 0)
    assert_array_equal(aggregate_risk(k, k, noise=0, scale="best").risk, 0)
    assert aggregate_risk(1, 1, rho=0.5, noise=0).risk == 0


def test_limits_of_parameters():
    k, aspect = np.array([1.5, 2, 10]), np.array([[0.5], [3], [40]])
    huge = aggregate_risk(k, aspect, rho=1e250)
    limit = aggregate_risk(k, aspect, rho=INF)
    assert_allclose(limit.risk, huge.risk, rtol=1e-9)
    strong = aggregate_risk(k, aspect, rho=0.1, alpha=1e200, signal=3)
    assert_allclose(strong.risk, 3)
    assert_allclose(strong.overlap, 0, atol=1e-190)
    weak = aggregate_risk(k, aspect, rho=0.1, alpha=1e-14)
    assert_allclose(weak.risk, aggregate_risk(k, aspect, rho=0.1).risk, rtol=1e-9)


def test_the_best_scale_is_best():
    k, aspect, rho, alpha = np.ix_([1, 3, 9], [0.7, 4, 30], [0, 0.05, 1], [0, 0.3])
    options = {"rho": rho, "alpha": alpha, "signal": 2, "noise": 3}
    best = aggregate_risk(k, aspect, **options, scale="best")
    plain = aggregate_risk(k, aspect, **options)
    assert_array_equal(best.overlap, plain.overlap)
    # A parabola in the scale through three of its points.
    at = np.array([0.0, 1.0, 2.0])
    risks = [aggregate_risk(k, aspect, **options, scale=s).risk for s in at]
    for index in np.ndindex(best.risk.shape):
        a, b, c = np.polyfit(at, [r[index] for r in risks], 2)
        assert_allclose(best.risk[index], c - b * b / (4 * a), rtol=1e-8)


@pytest.mark.parametrize(("signal", "noise"), [(1, 1), (5, 0.1), (0.2, 3), (0, 1)])
def test_best_rho_is_least_over_a_grid(signal, noise):
    k, aspect = np.ix_([1, 1.5, 3, 12, 60], [0.5, 1, 1.2, 4, 30, 1000])
    powers = {"signal": signal, "noise": noise}
    for scale, factor in (("none", 1.0), ("best", "best")):
        rho = optimal_rho(k, aspect, **powers, scale=scale)
        risk = aggregate_risk(k, aspect, rho=rho, **powers, scale=factor).risk
        grid = aggregate_risk(
            k[..., None], aspect[..., None], rho=RHOS, **powers, scale=factor
        ).risk
        assert (risk <= grid.min(axis=-1) * (1 + 1e-12)).all()


def test_best_rho_agrees_with_a_general_minimiser():
    for k, aspect, noise in itertools.product((2, 7), (1.7, 9, 80), (0.01, 1, 20)):
        rho = optimal_rho(k, aspect, signal=1, noise=noise)

        def risk(log_rho, k=k, aspect=aspect, noise=noise):
            return aggregate_risk(k, aspect, rho=np.exp(log_rho), noise=noise).risk

        found = optimize.minimize_scalar(risk, bounds=(-14, 9), method="bounded")
        if rho > 0:
            assert_allclose(np.log(rho), found.x, atol=1e-3)
        else:
            assert aspect < k
            assert aggregate_risk(k, aspect, noise=noise).risk < found.fun


@pytest.mark.parametrize(("signal", "noise"), [(1, 1), (5, 0.1), (0.2, 3)])
def test_best_rho_for_the_best_scale_does_not_depend_on_bags(signal, noise):
    aspect = np.array([[1.2], [4], [30], [1000]])
    k = np.array([1, 1.1, 2, 10, 300])
    expected = noise / (noise + aspect * signal) + 0 * k
    risk = aggregate_risk(
        k[..., None],
        aspect[..., None],
        rho=RHOS[1:],
        signal=signal,
        noise=noise,
        scale="best",
    ).risk
    at = aggregate_risk(
        k, aspect, rho=expected, signal=signal, noise=noise, scale="best"
    ).risk
    assert (at <= risk.min(axis=-1) * (1 + 1e-12)).all()
    found = optimal_rho(k, aspect, signal=signal, noise=noise, scale="best")
    least_norm = aggregate_risk(
        k, aspect, signal=signal, noise=noise, scale="best"
    ).risk
    exceptions = (k > aspect) & (least_norm < at)
    assert_allclose(found, np.where(exceptions, 0, expected), rtol=1e-12)


def test_least_norm_may_beat_every_positive_rho():
    # Closed form of the slopes of least norm; rho tends to 0 or is anything else.
    least_norm = 1 - 3 / 10
    assert aggregate_risk(10, 3, rho=RHOS[1:], noise=0).risk.min() > least_norm
    assert optimal_rho(10, 3, signal=1, noise=0) == 0
    assert optimal_rho(10, 3, signal=1, noise=0, scale="best") == 0
    assert optimal_rho(10, 3, signal=1, noise=1) > 0
    assert_array_equal(optimal_rho([1, 5], 0.9, signal=1, noise=[[0.1], [9]]), 0)


def test_best_rho_without_signal_or_noise():
    assert optimal_rho(3, 9, signal=0, noise=1) == INF
    assert optimal_rho(3, 9, signal=1, noise=0) == 0
    assert optimal_rho(3, 9, signal=0, noise=0) == 0
    assert optimal_rho(3, 9, signal=0, noise=1, scale="best") == 1
    assert_allclose(optimal_rho([1, 1 + 1e-9], 9, signal=2, noise=3), 1.5, rtol=1e-6)
    tiny = optimal_rho(3, 9, signal=1e-300, noise=2e-300)
    assert_allclose(tiny, optimal_rho(3, 9, signal=1, noise=2))


@pytest.mark.parametrize(("signal", "noise"), [(1, 1), (5, 0.1), (0.2, 3)])
def test_best_ridge_on_bag_means_is_never_worse_than_the_best_rho(signal, noise):
    k, aspect = np.ix_([1, 2, 8, 40], [0.5, 1, 3, 8, 100])
    powers = {"signal": signal, "noise": noise}
    ridge = aggregate_risk(k, aspect, alpha=noise / signal, **powers).risk
    grid = aggregate_risk(k[..., None], aspect[..., None], rho=RHOS, **powers).risk
    assert (ridge <= grid.min(axis=-1) * (1 + 1e-12)).all()
    alphas = np.logspace(-6, 4, 101)[:, None]
    for options in ({"alpha": alphas}, {"alpha": alphas, "rho": RHOS[::10]}):
        full = {**powers, **options}
        grid = aggregate_risk(k[..., None, None], aspect[..., None, None], **full).risk
        assert (ridge <= grid.min(axis=(-1, -2)) * (1 + 1e-12)).all()


def private_risk(k, aspect, signal, noise, width):
    u = 1 / k
    quadratic = (noise + signal) * u + (2 * width**2 - signal) * u**2
    return signal * (1 - u) ** 2 + quadratic / (aspect - 1)


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 2, 30])
def test_private_instance_level_risk_is_quadratic(epsilon):
    k, aspect = np.arange(1, 400), np.array([[1.5], [4], [60]])
    width = 7 / epsilon
    found = aggregate_risk(
        k,
        aspect,
        rho=1,
        signal=2,
        noise=3,
        mean_noise_variance=2 * (width / k) ** 2,
    ).risk
    expected = private_risk(k, aspect, 2, 3, width)
    assert_allclose(found, expected, rtol=1e-11)
    size = optimal_bag_size(
        aspect, signal=2, noise=3, epsilon=epsilon, bounds=(-3, 4), max_size=399
    )
    assert_array_equal(size.ravel(), 1 + expected.argmin(axis=1))
    a = aspect.ravel()
    bend, slope = 2 * 2 * (a - 2) + 4 * width**2, 2 * 2 * (a - 1) - 3 - 2
    u = slope[bend > 0] / bend[bend > 0]
    best = np.where(u > 0, np.clip(1 / np.where(u > 0, u, 1), 1, 399), 399)
    assert (np.abs(size.ravel()[bend > 0] - best) < 1).all()


def test_a_risk_that_bends_down_is_least_at_an_end():
    # With u < 0 where the risk is stationary, and yet not the largest size best.
    given = {"signal": 1.0, "noise": 0.1, "epsilon": 1.0, "bounds": (0, 0.2)}
    risk = private_risk(np.array([1, 1000]), 1.8, 1.0, 0.1, 0.2)
    assert risk[0] < risk[1] and optimal_bag_size(1.8, **given) == 1
    given["noise"] = 9.0
    risk = private_risk(np.array([1, 1000]), 1.8, 1.0, 9.0, 0.2)
    assert risk[0] > risk[1] and optimal_bag_size(1.8, **given) == 1000


def test_private_bag_level_risk_increases_with_the_bag_size():
    k, aspect = np.arange(1, 400), np.array([[0.7], [4], [60], [1000]])
    for width, noise in itertools.product((0, 0.3, 10, 1000), (0.1, 1, 10)):
        total = noise + 2 * width**2 / k
        private = {"noise": noise, "mean_noise_variance": 2 * (width / k) ** 2}
        ridge = aggregate_risk(k, aspect, alpha=total, **private).risk
        assert (np.diff(ridge, axis=1) > 0).all()
        plain = aggregate_risk(k, aspect, **private).risk
        more_bags = (k < aspect)[:, 1:]
        assert (np.diff(plain, axis=1)[more_bags] > 0).all()


def test_best_bag_size_is_least_among_those_allowed():
    options = {"signal": 1.0, "noise": 2.0}
    cases = [*itertools.product((0, 0.05, 1), (0.8, 30), (0, 5, 200), [900])]
    for rho, aspect, width, largest in [*cases, (1, 3, 60_000, 70_000)]:
        k = np.arange(3, largest + 1)
        risk = aggregate_risk(
            k, aspect, rho=rho, **options, mean_noise_variance=2 * (width / k) ** 2
        ).risk
        private = {"epsilon": 1 / width, "bounds": (0, 1)} if width else {}
        private |= {"min_size": 3, "max_size": largest}
        size = optimal_bag_size(aspect, rho=rho, **options, **private)
        assert type(size) is int and size == k[risk.argmin()]
    sizes = optimal_bag_size([[4], [30]], rho=[0, 0.1, 1], **options)
    assert sizes.shape == (2, 3) and sizes.dtype == np.intp
    without = optimal_bag_size(30, **options, epsilon=INF, bounds=(0, 9))
    assert without == optimal_bag_size(30, **options)


def test_results_have_the_shape_of_the_arguments():
    found = aggregate_risk(5, 20, rho=0.1)
    assert list(found) == ["bias2", "variance", "risk", "overlap"]
    assert all(isinstance(part, float) for part in found.values())
    assert found.risk == found.bias2 + found.variance
    shaped = aggregate_risk([2, 5], [[20], [30], [40]], alpha=np.ones((4, 1, 1)))
    assert all(part.shape == (4, 3, 2) for part in shaped.values())
    for i, j in np.ndindex(3, 2):
        single = aggregate_risk([2, 5][j], [20, 30, 40][i], alpha=1)
        assert shaped.risk[2, i, j] == single.risk
    assert aggregate_risk([], 3).risk.shape == (0,)
    assert isinstance(optimal_rho(5, 20, signal=1, noise=1), float)
    assert optimal_rho([2, 5], 20, signal=[[1], [2]], noise=1).shape == (2, 2)
