"""Duals of activations against quadrature, mpmath and what must hold of a kernel."""

import warnings

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf, expit, ndtr

from skloss.kernels import dual_activation, dual_diagonal, known_activations

SLOPE = 0.1


def sech_squared(u):
    return 1 / np.cosh(np.clip(u, -350, 350)) ** 2


def density(u):
    return np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi)


def piecewise(below):
    return (
        lambda u: np.where(u > 0, u, below * u),
        lambda u: np.where(u > 0, 1.0, below),
    )


# Activation and its derivative, straight from their definitions.
FUNCTIONS = {
    "linear": (lambda u: u, np.ones_like),
    "relu": piecewise(0.0),
    "leaky_relu": piecewise(SLOPE),
    "abs": piecewise(-1.0),
    "step": (lambda u: np.where(u > 0, 1.0, 0.0), None),
    "sign": (np.sign, None),
    "erf": (erf, lambda u: 2 / np.sqrt(np.pi) * np.exp(-u * u)),
    "gelu": (lambda u: u * ndtr(u), lambda u: ndtr(u) + u * density(u)),
    "square": (lambda u: u * u, lambda u: 2 * u),
    "gaussian": (lambda u: np.exp(-u * u), lambda u: -2 * u * np.exp(-u * u)),
    "sin": (np.sin, np.cos),
    "cos": (np.cos, lambda u: -np.sin(u)),
    "rbf": (
        lambda u: np.sqrt(2) * np.sin(np.sqrt(2) * u + np.pi / 4),
        lambda u: 2 * np.cos(np.sqrt(2) * u + np.pi / 4),
    ),
    "tanh": (np.tanh, sech_squared),
    "sigmoid": (expit, lambda u: expit(u) * expit(-u)),
}
# What is left has no function of one number: see test_waves and test_exp.
OTHERS = {"random_phase", "sincos", "exp"}
WAVES = {"sin", "cos", "rbf"}  # nothing is left of them at large variances
RULES = {"tanh", "sigmoid"}
SMOOTH = {
    "silu": lambda u: u * expit(u),
    "softplus": lambda u: np.logaddexp(0, u),
    "tanh": np.tanh,
}
BENT = {
    "elu": lambda u: np.where(u > 0, u, np.expm1(np.minimum(u, 0))),
    "relu": lambda u: np.maximum(u, 0),
    "step": lambda u: np.where(u > 0, 1.0, 0.0),
}

VARIANCES = [(1.0, 1.0), (0.3, 2.0), (1e-4, 0.5), (30.0, 4.0), (1e4, 1.0), (1e4, 2e4)]
CORRELATIONS = [0.0, 0.3, -0.7, 0.99, -0.999, 1 - 2**-20, 1 - 2**-33, 1.0, -1.0]


def panels(breaks, n_nodes):
    x, w = np.polynomial.legendre.leggauss(n_nodes)
    lows, widths = breaks[:-1, None], np.diff(breaks)[:, None]
    return (lows + widths * (x + 1) / 2).ravel(), (widths * w / 2).ravel()


_shrinking = 2.0 ** np.arange(-40, 0)
_X, _W = panels(np.concatenate([[0], _shrinking, np.arange(1, 13.5, 0.5)]), 16)
_W = np.tile(_W * density(_X), 2)
_X = np.concatenate([-_X, _X])
_T, _WT = panels(np.concatenate([[0], _shrinking[28:35], np.arange(1, 33) / 32]), 12)


def mean(phi, q):
    return np.sum(_W * phi(np.sqrt(q) * _X))


def integral(phi, k, q, r, other=None):
    """E[phi(u) other(v)]: over u, of the mean of other(v) given u."""
    other = phi if other is None else other
    u = np.sqrt(q) * _X
    means, variance = k / q * u, r - k * k / q
    if variance <= 0:
        return np.sum(_W * phi(u) * other(means))
    spread = np.sqrt(variance)
    bend = np.clip(-means / spread, -13, 13)  # where v is 0
    inner = np.zeros_like(u)
    for sign in (-1, 1):
        width = 13 - sign * bend
        y = bend[:, None] + sign * width[:, None] * _T
        inner += width * ((other(means[:, None] + spread * y) * density(y)) @ _WT)
    return np.sum(_W * phi(u) * inner)


def covariance(c, q, r):
    return c * (np.sqrt(q) * np.sqrt(r))


def one(activation, k, q, r, **options):
    if activation == "leaky_relu":
        options["negative_slope"] = SLOPE
    S = np.array([[k]], dtype=np.float64)
    return dual_activation(activation, S, np.array([q]), np.array([r]), **options)[0, 0]


def angle_noise(c):
    """What rounding the covariance does to the angle: nothing can undo it."""
    return 1e-15 / np.sqrt(max(1 - c * c, 1e-15))


def test_the_table_is_tested():
    assert set(FUNCTIONS) | OTHERS == set(known_activations())


def test_the_reference_is_right():
    """The quadrature above against SciPy's, once for a bend and once without."""
    q, r, k = 0.7, 2.0, -0.9
    spread = np.sqrt(r - k * k / q)
    for name in ("abs", "tanh"):
        phi = FUNCTIONS[name][0]

        def given(u, phi=phi):
            bend = min(max(-k / q * u / spread, -9), 9)
            options = {"points": [bend], "epsabs": 1e-12, "epsrel": 1e-12}
            return quad(
                lambda y: phi(k / q * u + spread * y) * density(y), -9, 9, **options
            )[0]

        def outer(x, phi=phi, given=given):
            u = np.sqrt(q) * x
            return phi(u) * given(u) * density(x)

        exact = quad(outer, -9, 9, points=[0], epsabs=1e-12, epsrel=1e-12)[0]
        assert integral(phi, k, q, r) == pytest.approx(exact, abs=1e-12)


@pytest.mark.parametrize("q, r", VARIANCES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_against_quadrature(name, q, r):
    phi = FUNCTIONS[name][0]
    if name in WAVES and max(q, r) > 100:
        q, r = q / 1e4, r / 1e4
    scale = np.sqrt(mean(lambda u: phi(u) ** 2, q) * mean(lambda u: phi(u) ** 2, r))
    for c in CORRELATIONS:
        k = covariance(c, q, r)
        allowed = 2e-11 if name in RULES else 3e-14
        if name in ("step", "sign"):
            allowed += 4 * angle_noise(c)
        if name == "gaussian":  # its width makes it feel the last digit
            allowed += 1e-15 * max(q, r)
        error = abs(one(name, k, q, r) - integral(phi, k, q, r))
        assert error <= allowed * scale, c


@pytest.mark.parametrize("q, r", VARIANCES)
@pytest.mark.parametrize("name", [n for n in FUNCTIONS if FUNCTIONS[n][1]])
def test_derivatives_against_quadrature(name, q, r):
    slope = FUNCTIONS[name][1]
    if name in WAVES and max(q, r) > 100:
        q, r = q / 1e4, r / 1e4
    scale = np.sqrt(mean(lambda u: slope(u) ** 2, q) * mean(lambda u: slope(u) ** 2, r))
    for c in CORRELATIONS:
        k = covariance(c, q, r)
        allowed = 2e-11 if name in RULES else 3e-14
        if name in ("relu", "leaky_relu", "abs"):
            allowed += 4 * angle_noise(c)
        if name in ("gaussian", "erf"):
            allowed += 3e-15 * max(q, r)
        error = abs(one(name, k, q, r, derivative=True) - integral(slope, k, q, r))
        assert error <= allowed * scale, c


@pytest.mark.parametrize("name", sorted(set(known_activations()) - {"step", "sign"}))
def test_derivatives_are_those_of_the_duals(name):
    q, r, h = 0.8, 1.7, 1e-5
    for c in (-0.9, -0.2, 0.0, 0.6, 0.95):
        k = covariance(c, q, r)
        slope = one(name, k, q, r, derivative=True)
        found = (one(name, k + h, q, r) - one(name, k - h, q, r)) / (2 * h)
        assert slope == pytest.approx(found, abs=3e-8)


@pytest.mark.parametrize("name", ["step", "sign"])
def test_jumps_have_no_derivative_by_convention(name):
    assert one(name, 0.5, 1.0, 1.0, derivative=True) == 0


@pytest.mark.parametrize("name", ["random_phase", "sincos"])
@pytest.mark.parametrize("q, r", [(1.0, 1.0), (0.3, 2.0), (1e-4, 0.5)])
def test_waves(name, q, r):
    for c in CORRELATIONS:
        k = covariance(c, q, r)
        if name == "sincos":
            expected = integral(np.sin, k, q, r) + integral(np.cos, k, q, r)
        else:  # three phases integrate waves of period pi exactly
            phases = np.pi * np.arange(3) / 3
            parts = [
                integral(lambda u, b=b: np.sqrt(2) * np.cos(u + b), k, q, r)
                for b in phases
            ]
            expected = np.mean(parts)
        assert one(name, k, q, r) == pytest.approx(expected, abs=1e-13)


def test_exp():
    for q, r in [(1.0, 1.0), (0.3, 2.0), (1e-4, 0.5)]:
        for c in CORRELATIONS:
            k = covariance(c, q, r)
            expected = integral(
                lambda u, q=q: np.exp(u - q / 2),
                k,
                q,
                r,
                lambda v, r=r: np.exp(v - r / 2),
            )
            assert one("exp", k, q, r) == pytest.approx(expected, rel=1e-12)
    assert one("exp", 1e4, 1e4, 1e4) == np.inf
    assert one("exp", -1e4, 1e4, 1e4) == 0


@pytest.mark.parametrize("name", sorted(RULES))
def test_rules_over_all_variances(name):
    phi = FUNCTIONS[name][0]
    variances = 10.0 ** np.arange(-6, 4.5, 0.5)
    for i, q in enumerate(variances):
        r = variances[-1 - i]
        for a, b in ((q, q), (q, r)):
            own = [mean(lambda u: phi(u) ** 2, v) for v in (a, b)]
            for c in (0.5, -0.97):
                k = covariance(c, a, b)
                error = abs(one(name, k, a, b) - integral(phi, k, a, b))
                assert error <= 1e-11 * np.sqrt(own[0] * own[1])


def exact_step(gap):
    """Dual of the step for 1 less the correlation, in many digits."""
    with mp.workdps(60):
        return float((mp.pi - mp.acos(1 - mp.mpf(gap))) / (2 * mp.pi))


def test_angles_near_0_are_those_of_the_given_numbers():
    for power in (10, 20, 30, 40, 50, 52):
        gap = 2.0**-power
        found = one("step", 1 - gap, 1.0, 1.0)
        assert found == pytest.approx(exact_step(gap), abs=1e-16)


@pytest.mark.parametrize("q, r", [(1e-8, 1e11), (1e11, 1e-8), (3.0, 1e4), (1.0, 1.7)])
def test_angles_near_0_of_rows_of_different_sizes(q, r):
    for c in (1 - 1e-3, 1 - 1e-6, 1 - 1e-10, 0.9):
        k = covariance(c, q, r)
        with mp.workdps(60):
            exact = exact_step(1 - mp.mpf(k) / mp.sqrt(mp.mpf(q) * mp.mpf(r)))
        assert one("step", k, q, r) == pytest.approx(exact, abs=angle_noise(c))


@pytest.mark.parametrize("variance", [0.1, 3.0, 1e5, 7e10, 1e300])
@pytest.mark.parametrize("name", ["erf", "gelu"])
def test_wide_variances_do_not_cancel(name, variance):
    """Diagonals: 1 - sin^2 of the angle is lost in the last digits otherwise."""
    with mp.workdps(700):
        q = mp.mpf(variance)
        if name == "erf":
            exact = 2 / mp.pi * mp.asin(2 * q / (1 + 2 * q))
        else:
            D = (1 + q) ** 2 - q * q
            exact = q * (mp.mpf(1) / 4 + mp.asin(q / (1 + q)) / (2 * mp.pi))
            exact += (2 * q * q - 2 * q**3 / (1 + q)) / (2 * mp.pi * mp.sqrt(D))
    assert one(name, variance, variance, variance) == pytest.approx(
        float(exact), rel=1e-15
    )
    found = dual_diagonal(name, [variance])
    assert found[0] == pytest.approx(float(exact), rel=1e-15)


@pytest.mark.parametrize("name", known_activations())
@pytest.mark.parametrize("derivative", [False, True])
def test_the_diagonal(name, derivative):
    """E phi^2 where x = y, with no noise from angles near 0."""
    q = 10.0 ** np.linspace(-3, 1, 23)
    found = dual_diagonal(name, q, derivative=derivative, negative_slope=SLOPE)
    S = np.diag(q)
    own = dual_activation(name, S, q, q, derivative=derivative, negative_slope=SLOPE)
    np.testing.assert_allclose(own.diagonal(), found, rtol=4e-15)
    phi = FUNCTIONS[name][derivative] if name in FUNCTIONS else None
    if phi is not None:
        expected = [mean(lambda u: phi(u) ** 2, v) for v in q]
        np.testing.assert_allclose(found, expected, rtol=2e-11)
    if name in ("random_phase", "sincos") and not derivative:
        assert (own.diagonal() == 1).all()


@pytest.mark.parametrize("name", ["linear", "relu", "leaky_relu", "abs"])
@pytest.mark.parametrize("power", [-490, 490])
def test_homogeneous_at_all_scales(name, power, rng):
    A = rng.standard_normal((6, 3))
    S, unit = A @ A.T, 2.0**power
    q = S.diagonal().copy()
    expected = dual_activation(name, S, q, q)
    found = dual_activation(name, S * unit * unit, q * unit * unit, q * unit * unit)
    np.testing.assert_array_equal(found, expected * unit * unit)


@pytest.mark.parametrize("name", known_activations())
@pytest.mark.parametrize("derivative", [False, True])
@pytest.mark.parametrize("scale", [1e-150, 1e-75, 1e75, 1e150])
def test_no_scale_gives_nan(name, derivative, scale, rng):
    A = rng.standard_normal((9, 2))
    A[4], A[7] = 0, A[2]
    products = A @ A.T
    q = products.diagonal() * scale * scale
    S = products * scale * scale
    mixed = dual_activation(name, S, q, q, derivative=derivative)
    assert not np.isnan(mixed).any()
    if name not in ("exp", "square"):
        assert np.isfinite(mixed).all()
    # one side large and the other small
    r = products.diagonal() / scale / scale
    far = dual_activation(name, products, q, r, derivative=derivative)
    assert not np.isnan(far).any()


@pytest.mark.parametrize("name, limit", [("tanh", "sign"), ("erf", "sign")])
def test_saturation(name, limit, rng):
    A = rng.standard_normal((8, 3))
    S = A @ A.T
    q = S.diagonal().copy()
    large = dual_activation(name, 1e250 * S, 1e250 * q, 1e250 * q)
    np.testing.assert_allclose(large, dual_activation(limit, S, q, q), atol=1e-14)
    small = dual_activation("tanh", 1e-250 * S, 1e-250 * q, 1e-250 * q)
    np.testing.assert_allclose(small, 1e-250 * S, rtol=1e-7)


def gram(rng, n=41, d=3):
    A = rng.standard_normal((n, d))
    A[5], A[17], A[30] = 0, A[3], -2 * A[8]
    S = A @ A.T
    return A, (S + S.T) / 2


@pytest.mark.parametrize("name", known_activations())
@pytest.mark.parametrize("derivative", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_symmetry_is_exact(name, derivative, dtype, rng):
    S = gram(rng, n=1063)[1].astype(dtype)
    q = S.diagonal().copy()
    K = dual_activation(name, S, q, q, derivative=derivative)
    np.testing.assert_array_equal(K, K.T)
    part = dual_activation(name, S[3:50], q[3:50], q, derivative=derivative)
    np.testing.assert_array_equal(part, K[3:50])
    turned = dual_activation(name, S[3:50].T, q, q[3:50], derivative=derivative)
    np.testing.assert_array_equal(turned, K[3:50].T)


@pytest.mark.parametrize("name", known_activations())
def test_positive_semidefinite(name, rng):
    S = gram(rng)[1]
    q = S.diagonal().copy()
    K = dual_activation(name, S, q, q)
    values = np.linalg.eigvalsh(K)
    assert values[0] >= -1e-13 * values[-1]
    # beyond rank 3, which the covariances have
    if name != "linear":
        assert np.sum(values > 1e-10 * values[-1]) > 4


@pytest.mark.parametrize("name", [*known_activations(), np.tanh])
def test_single_precision(name, rng):
    S = gram(rng)[1].astype(np.float32)
    q = S.diagonal().copy()
    K = dual_activation(name, S, q, q)
    assert K.dtype == np.float32
    wide = dual_activation(name, S.astype(np.float64), q, q)
    assert wide.dtype == np.float64
    np.testing.assert_array_equal(K, wide.astype(np.float32))
    assert dual_diagonal(name, q).dtype == np.float32


@pytest.mark.parametrize("name", ["relu", "tanh", "random_phase", np.tanh])
def test_out(name, rng):
    S = gram(rng)[1]
    q = S.diagonal().copy()
    expected = dual_activation(name, S, q, q)
    out = np.empty_like(S)
    assert dual_activation(name, S, q, q, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert dual_activation(name, S, q, q, out=S) is S
    np.testing.assert_array_equal(S, expected)


def test_memory_is_one_strip():
    import tracemalloc

    n = 1500
    S, q = np.eye(n), np.ones(n)
    dual_activation("gelu", S, q, q, out=S)
    tracemalloc.start()
    dual_activation("gelu", S, q, q, out=S)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < S.nbytes / 20


def test_zero_rows():
    """What is always 0 has products with the activation's value at 0."""
    S, q, r = np.zeros((2, 2)), np.array([0.0, 2.0]), np.array([0.0, 3.0])
    S[1, 1] = 1.0
    for name in ("linear", "relu", "leaky_relu", "abs", "step", "sign", "erf", "gelu"):
        K = dual_activation(name, S, q, r)
        assert (K[0] == 0).all() and (K[:, 0] == 0).all()
    for name in ("relu", "leaky_relu", "abs"):
        K = dual_activation(name, S, q, r, derivative=True, negative_slope=SLOPE)
        below = {"relu": 0.0, "leaky_relu": SLOPE, "abs": -1.0}[name]
        np.testing.assert_allclose(K[0], ((1 + below) / 2) ** 2, atol=1e-16)
    for name in ("cos", "sigmoid", "gaussian"):
        phi = FUNCTIONS[name][0]
        expected = phi(0.0) * mean(phi, 3.0)
        assert one(name, 0.0, 0.0, 3.0) == pytest.approx(expected, rel=1e-12)
    for phi in (np.cos, np.exp, BENT["step"]):
        expected = phi(0.0) * mean(phi, 3.0)
        assert one(phi, 0.0, 0.0, 3.0) == pytest.approx(expected, rel=1e-12, abs=1e-15)


def test_distances_tell_near_duplicates_apart(rng):
    """Angles of 1e-9, which no rounded product of rows can know."""
    x = rng.standard_normal(7)
    direction = rng.standard_normal(7)
    y = x + 1e-9 * direction
    S, q, r = np.array([[x @ y]]), np.array([x @ x]), np.array([y @ y])
    D = np.array([[np.sum((x - y) ** 2)]])
    with mp.workdps(60):
        a, b = mp.matrix(x.tolist()), mp.matrix(y.tolist())
        dot = sum(s * t for s, t in zip(a, b))
        squares = sum(s * s for s in a) * sum(t * t for t in b)
        angle = float(mp.acos(dot / mp.sqrt(squares)))
        apart = float(sum((s - t) ** 2 for s, t in zip(a, b)))
    found = dual_activation("sign", S, q, r, squared_distances=D)[0, 0]
    # 1 - found itself is rounded at 1e-16
    assert (1 - found) * np.pi / 2 == pytest.approx(angle, abs=3e-16)
    found = dual_activation("random_phase", S, q, r, squared_distances=D)
    assert found[0, 0] == np.exp(-apart / 2)
    for name in set(known_activations()) - {"exp"}:
        with_them = dual_activation(name, S, q, r, squared_distances=D)
        without = dual_activation(name, S, q, r)
        np.testing.assert_allclose(with_them, without, atol=3e-8, rtol=1e-6)


def test_distances_change_nothing_elsewhere(rng):
    A, S = gram(rng)
    q = S.diagonal().copy()
    D = np.sum((A[:, None] - A[None]) ** 2, axis=2)
    for name in set(known_activations()) - {"step", "sign"}:
        with_them = dual_activation(name, S, q, q, squared_distances=D)
        np.testing.assert_allclose(
            with_them, dual_activation(name, S, q, q), rtol=1e-12, atol=1e-13
        )


@pytest.mark.parametrize("name", [*SMOOTH, *BENT])
def test_callables(name):
    phi = {**SMOOTH, **BENT}[name]
    for q, r in [(1.0, 1.0), (0.3, 2.0), (1e-4, 0.5), (30.0, 4.0), (1e4, 30.0)]:
        square = [mean(lambda u: phi(u) ** 2, v) for v in (q, r)]
        for c in CORRELATIONS:
            k = covariance(c, q, r)
            found, expected = one(phi, k, q, r), integral(phi, k, q, r)
            allowed = 2e-10 + (20 * angle_noise(c) if name == "step" else 0)
            assert abs(found - expected) <= allowed * np.sqrt(square[0] * square[1]), c


@pytest.mark.parametrize("name", ["tanh", "gelu", "erf", "relu"])
def test_callables_equal_names(name, rng):
    """A matrix, so that all degrees and ways of integrating meet."""
    S = gram(rng)[1]
    q = S.diagonal().copy()
    found = dual_activation(FUNCTIONS[name][0], S, q, q)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, dual_activation(name, S, q, q), atol=2e-9)
    own = dual_diagonal(FUNCTIONS[name][0], q)
    np.testing.assert_allclose(own, dual_diagonal(name, q), rtol=1e-10, atol=1e-300)


def test_callables_are_not_called_too_often(rng):
    A = rng.standard_normal((300, 40))
    S = A @ A.T / 40
    q = S.diagonal().copy()
    n_values = 0

    def counting(u):
        nonlocal n_values
        n_values += u.size
        return np.tanh(u)

    dual_activation(counting, S, q, q)
    assert n_values < 40 * S.size


def test_rough_callables_are_told():
    with pytest.warns(RuntimeWarning, match="not smooth enough"):
        one(lambda u: np.where(u > 0.7, 1.0, 0.0), 0.5, 1.0, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one(np.tanh, 0.5, 1e4, 1.0)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"activation": "reluu"}, "'reluu' is unknown.*'relu'"),
        ({"S_xx": [1.0, -2.0]}, r"S_xx\[1\] is -2.0"),
        ({"S_yy": [np.nan, 1.0, 1.0]}, r"S_yy\[0\] is nan"),
        ({"S_yy": [1.0, 1.0]}, r"S_xy has shape \(2, 3\).*\(2, 2\)"),
        ({"S_xx": [[1.0, 1.0]]}, "S_xx must be one-dimensional"),
        ({"squared_distances": np.ones((3, 3))}, r"squared_distances has shape"),
        ({"out": np.ones((2, 3), np.float32)}, "out must be.*float64"),
        ({"out": np.ones((3, 2)).T}, "out must be a C-contiguous"),
        ({"activation": "leaky_relu", "negative_slope": np.inf}, "negative_slope=inf"),
        ({"activation": np.tanh, "derivative": True}, "hand over its derivative"),
        ({"activation": np.sum}, "returned shape"),
        ({"activation": lambda u: u / 0.0 * 0}, "no finite mean square"),
    ],
)
def test_bad_input(change, message):
    arguments = {
        "activation": "relu",
        "S_xy": np.zeros((2, 3)),
        "S_xx": np.ones(2),
        "S_yy": np.ones(3),
    }
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=message):
        dual_activation(**{**arguments, **change})


def test_nothing_to_do():
    for activation in ("relu", "tanh", np.tanh):
        K = dual_activation(activation, np.ones((0, 3)), np.ones(0), np.ones(3))
        assert K.shape == (0, 3)
        assert dual_diagonal(activation, np.ones(0)).shape == (0,)
