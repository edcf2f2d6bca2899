"""Elementary functions against mpmath over their whole range, in both dtypes."""

import re
from collections.abc import Callable
from typing import NamedTuple

import mpmath as mp
import numpy as np
import pytest
from numba import types

import skloss._elementary as elementary
from skloss._jit import kernel

REALS = (np.float32, np.float64)
RANDOM = np.random.RandomState(0)
N = 400


def spread(low, high, n=N):
    """Numbers of all magnitudes between two powers of ten, of both signs."""
    return 10.0 ** RANDOM.uniform(low, high, n) * RANDOM.choice([-1, 1], n)


def tiny(real):
    return -323 if real is np.float64 else -45


def exponents(real):
    low, high = (-746, 709.7) if real is np.float64 else (-104, 88.7)
    return np.concatenate(
        [RANDOM.uniform(low, high, N), RANDOM.uniform(-2, 2, N), spread(tiny(real), 0)]
    )


def any_size(real):
    top = 308 if real is np.float64 else 38
    return np.concatenate(
        [spread(tiny(real), top), RANDOM.uniform(0.4, 2.2, N), 1 + spread(-16, -1)]
    )


def positive(real):
    return np.abs(any_size(real))


def above_minus_1(real):
    x = np.concatenate([any_size(real), -1 + 10.0 ** RANDOM.uniform(-16, 0, N)])
    return x[x >= -1]


def angles(real):
    widest = 1e7 if real is np.float64 else 1e4
    return np.concatenate(
        [
            RANDOM.uniform(-10, 10, N),
            RANDOM.uniform(-widest, widest, N),
            np.pi / 2 * RANDOM.randint(-(10**4), 10**4, N) * widest / 1e7,
            spread(tiny(real), 0),
            np.pi / 2 * np.arange(-20, 21),
        ]
    )


def cosines(real):
    return np.concatenate(
        [
            RANDOM.uniform(-1, 1, N),
            np.clip(1 - 10.0 ** RANDOM.uniform(-16, 0, N), -1, 1),
            np.clip(-1 + 10.0 ** RANDOM.uniform(-16, 0, N), -1, 1),
            spread(-30, 0) / 2,
            [0.5, -0.5, 1, -1],
        ]
    )


def probabilities(real):
    p = np.concatenate(
        [
            RANDOM.uniform(0, 1, N),
            10.0 ** RANDOM.uniform(tiny(real), -0.4, N),
            1 - 10.0 ** RANDOM.uniform(-16, -0.4, N),
            0.5 + spread(-16, -0.5, N),
            [0.125, 0.875, np.exp(-(6.5**2) / 2)],
        ]
    ).astype(real)
    return p[(p > 0) & (p < 1)]


def deviations(real):
    """Down to where the normal distribution function underflows."""
    lowest = -38.6 if real is np.float64 else -14.3
    return np.concatenate(
        [
            RANDOM.uniform(lowest, 0, 2 * N),
            RANDOM.uniform(-4, 9, N),
            RANDOM.uniform(-0.1, 0.1, N),
            spread(tiny(real), 1),
        ]
    )


def saturating(real):
    return np.concatenate(
        [
            RANDOM.uniform(-1, 1, 2 * N),
            RANDOM.uniform(-25, 25, N),
            RANDOM.uniform(-6, 6, N),
            spread(tiny(real), 38),
        ]
    )


def exact_quantile(p):
    """Newton's method on the logarithm of the smaller tail."""
    tail = min(p, 1 - p)
    y = mp.sqrt(-2 * mp.log(tail))
    x = y - mp.log(mp.sqrt(2 * mp.pi) * y) / y if y > 2 else mp.mpf("0.5")
    for _ in range(60):
        above = mp.erfc(x / mp.sqrt(2)) / 2
        density = mp.npdf(x)
        step = (mp.log(above) - mp.log(tail)) * above / density
        x += step
        if abs(step) < mp.mpf(10) ** -35:
            break
    return x if p > mp.mpf(1) / 2 else -x


class Row(NamedTuple):
    """What a function's docstring promises, and where to look."""

    name: str
    exact: Callable
    bound: float  # in epsilons
    sample: Callable
    specials: tuple = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0)
    absolute: dict = {np.float32: 0.0, np.float64: 0.0}
    plain: dict = {np.float32: 20, np.float64: 20}  # of NumPy or SciPy, in epsilons


near_zeros = {np.float32: 1e-10, np.float64: 1e-26}
overflows = (1e4, -1e4, 710.0, 89.0, 3e38, -3e38)
ordinary = (np.nan, np.inf, -np.inf, 0.0, 1.0, -1.0)

TABLE = [
    Row("exp", mp.exp, 1, exponents, (*ordinary, *overflows)),
    Row(
        "exp_half",
        lambda x: mp.exp(x / 2),
        1,
        lambda real: 2 * exponents(real),
        (*ordinary, *overflows),
    ),
    Row("expm1", mp.expm1, 1.5, exponents, (*ordinary, *overflows)),
    Row(
        "sigmoid",
        lambda x: 1 / (1 + mp.exp(-x)),
        2,
        exponents,
        (*ordinary, *overflows),
    ),
    Row(
        "softplus",
        lambda x: mp.log1p(mp.exp(x)),
        2,
        exponents,
        (*ordinary, *overflows),
    ),
    Row("log", mp.log, 1, positive, (*ordinary, -1e-40)),
    Row("log1p", mp.log1p, 1.5, above_minus_1, (*ordinary, -2.0)),
    Row("cos", mp.cos, 2, angles, ordinary, near_zeros),
    Row("sin", mp.sin, 2, angles, ordinary, near_zeros),
    Row("sin_pi", mp.sinpi, 2, angles, ordinary),
    Row("arccos", mp.acos, 1.5, cosines, (*ordinary, 1.5, -1.5, 2.0)),
    Row(
        "arcsin_small",
        mp.asin,
        1,
        lambda real: np.concatenate(
            [RANDOM.uniform(-0.5, 0.5, N), spread(tiny(real), 0) / 2, [0.5, -0.5]]
        ),
        (np.nan, 0.0, -0.0, 0.5, -0.5),
    ),
    Row("normal_quantile", exact_quantile, 3, probabilities, (*ordinary, 0.5, 1.5)),
    Row("erf", mp.erf, 2, saturating, (*ordinary, -0.0, 7.0, -7.0, *overflows)),
    Row("tanh", mp.tanh, 2, saturating, (*ordinary, -0.0, 25.0, -25.0, *overflows)),
    Row(
        "normal_cdf",
        lambda x: mp.erfc(-x / mp.sqrt(2)) / 2,
        4,
        deviations,
        (*ordinary, 40.0, -40.0, *overflows),
        # SciPy rounds x / sqrt(2), of which the square is in the exponent.
        plain={np.float32: 20, np.float64: 1.25 * 37.5**2 + 20},
    ),
]
every_function = pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
both_dtypes = pytest.mark.parametrize("real", REALS, ids=lambda real: real.__name__)


def loop(function):
    @kernel
    def apply(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return apply


LOOPS = {row.name: loop(getattr(elementary, row.name)) for row in TABLE}


def compiled(name, x):
    out = np.empty_like(x)
    LOOPS[name](x, out)
    return out


@every_function
@both_dtypes
def test_error_bound(row, real):
    x = row.sample(real).astype(real)
    x = x[np.isfinite(x)]
    results = compiled(row.name, x)
    limits = np.finfo(real)
    with mp.workdps(60), np.errstate(all="ignore"):
        exact = [row.exact(mp.mpf(float(v))) for v in x]
        errors = [abs(mp.mpf(float(r)) - e) for r, e in zip(results, exact)]
        # below the normal numbers one denormal step is the unit
        floor = max(float(limits.smallest_subnormal), row.absolute[real])
        allowed = [row.bound * limits.eps * abs(e) + floor for e in exact]
        worst = max(range(len(x)), key=lambda i: errors[i] / allowed[i])
    assert errors[worst] <= allowed[worst], (x[worst], results[worst])


@every_function
@both_dtypes
def test_specials_are_numpys(row, real):
    with np.errstate(all="ignore"):
        x = np.array(row.specials).astype(real)
        expected = getattr(elementary, row.name)(x)
    rtol = 4 * np.finfo(real).eps
    np.testing.assert_allclose(compiled(row.name, x), expected, rtol=rtol, atol=1e-30)
    exactly = ~np.isfinite(expected) | (expected == 0)
    np.testing.assert_array_equal(
        np.abs(compiled(row.name, x)[exactly]), np.abs(expected[exactly])
    )


@every_function
@both_dtypes
def test_plain_python_is_the_same_function(row, real):
    x = row.sample(real).astype(real)
    x = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        plain = getattr(elementary, row.name)(x)
    assert plain.dtype == real
    limits = np.finfo(real)
    atol = max(float(limits.smallest_normal), row.absolute[real])
    rtol = row.plain[real] * limits.eps
    np.testing.assert_allclose(compiled(row.name, x), plain, rtol=rtol, atol=atol)


@every_function
@both_dtypes
def test_loops_vectorise(row, real):
    """LLVM's optimised code multiplies vectors, not single numbers."""
    x = np.ones(4, real)
    apply = loop(getattr(elementary, row.name))
    apply(x, x.copy())
    code = apply.inspect_llvm(apply.signatures[0])
    kind = "float" if real is np.float32 else "double"
    assert re.search(rf"fmul .*<\d+ x {kind}>", code)


@pytest.mark.parametrize("name", ["cos", "sin", "sin_pi"])
@both_dtypes
def test_huge_angles(name, real):
    """Never outside of [-1, 1], and as good as the last digit of the argument."""
    x = spread(4, 300 if real is np.float64 else 38).astype(real)
    results = compiled(name, x)
    assert np.all(np.abs(results) <= 1)
    with mp.workdps(350):
        for angle, result in zip(x, results):
            exact = getattr(mp, name.replace("_", ""))(mp.mpf(float(angle)))
            error = abs(exact - float(result))
            radians = abs(float(angle)) * (np.pi if name == "sin_pi" else 1.0)
            assert error <= 2 * np.finfo(real).eps * (1 + radians)


@pytest.mark.parametrize("name", ["erf", "tanh"])
@both_dtypes
def test_odd_functions_saturate_and_keep_the_sign_of_zero(name, real):
    x = np.array([0.0, 1e-30, 1e-300, 20.0, 40.0, 1e30, np.inf]).astype(real)
    results = compiled(name, np.concatenate([x, -x]))
    np.testing.assert_array_equal(results[:7], -results[7:])
    np.testing.assert_array_equal(np.signbit(results), np.arange(14) >= 7)
    np.testing.assert_array_equal(results[3:7], 1)


@both_dtypes
def test_normal_cdf_is_a_distribution(real):
    """Both tails add to 1, and no probability is above 1 or below 0."""
    x = np.linspace(0, 45, 4501).astype(real)
    below, above = compiled("normal_cdf", -x), compiled("normal_cdf", x)
    np.testing.assert_allclose(below + above, 1, rtol=0, atol=np.finfo(real).eps)
    assert below.min() == 0
    assert above.max() == 1
    assert np.all(np.diff(below[x > 1]) <= 0)


@both_dtypes
def test_softplus_sigmoid(real):
    @kernel
    def both(x, softplus, sigmoid):
        for i in range(x.size):
            softplus[i], sigmoid[i] = elementary.softplus_sigmoid(x[i])

    x = exponents(real).astype(real)
    softplus, sigmoid = np.empty_like(x), np.empty_like(x)
    both(x, softplus, sigmoid)
    with mp.workdps(60):
        for v, first, second in zip(x, softplus, sigmoid):
            e = mp.exp(mp.mpf(float(v)))
            floor = float(np.finfo(real).smallest_subnormal)
            for result, exact in ((first, mp.log1p(e)), (second, e / (1 + e))):
                error = abs(float(result) - exact)
                assert error <= 2.5 * np.finfo(real).eps * exact + 2 * floor
    np.testing.assert_allclose(
        elementary.softplus_sigmoid(x)[0], softplus, rtol=20 * np.finfo(real).eps
    )


@kernel
def _exp_of_integer(n):
    return elementary.exp(n)


def test_integers_are_converted():
    assert _exp_of_integer(2) == pytest.approx(np.exp(2), rel=1e-15)


def test_dtype_is_kept():
    """float32 arithmetic, so that single precision is twice as fast."""

    apply = kernel(lambda x: elementary.cos(x))
    for real in REALS:
        apply(real(1))
    returned = [signature.return_type for signature in apply.nopython_signatures]
    assert returned == [types.float32, types.float64]
