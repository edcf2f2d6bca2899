"""Every scalar loss against its definition in 220 digits, scikit-learn and theory."""

from collections.abc import Callable
from typing import Any, NamedTuple

import mpmath as mp
import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from sklearn._loss import _loss as glm
from sklearn.linear_model import _sgd_fast as sgd

from skloss import losses
from skloss._jit import kernel


class Row(NamedTuple):
    """A loss beside independent statements of the same loss.

    `formula` is the definition, written for mpmath. `kinks` are the predictions where
    a derivative jumps. `slopes` is the range of the derivative, for target `targets[0]`
    (its ends may or may not belong to it). `peer` is scikit-learn's compiled loss and
    `factor` what ours is of it.
    """

    loss: Any
    formula: Callable
    targets: tuple
    slopes: tuple
    kinks: Callable = lambda y: ()
    peer: Any = None
    terms: Callable = lambda y, f: 0.0


def plus(x):
    return max(x, mp.mpf(0))


def binary(y):
    return (y + 1) / 2


def of_glm(loss, targets=lambda y: y):
    def value_and_gradient(y, f):
        values, gradient = np.empty_like(f), np.empty_like(f)
        loss.loss_gradient(targets(y), f, None, values, gradient, n_threads=1)
        return values, gradient

    return value_and_gradient


def of_sgd(loss):
    def value_and_gradient(y, f):
        pairs = [*zip(f, y)]
        return [loss.py_loss(*p) for p in pairs], [loss.py_dloss(*p) for p in pairs]

    return value_and_gradient


def smoothed_hinge(h):
    def formula(y, f):
        z = y * f
        if z >= 1:
            return mp.mpf(0)
        return 1 - z - mp.mpf(h) / 2 if z <= 1 - h else (1 - z) ** 2 / (2 * mp.mpf(h))

    return formula


def modified_huber(y, f):
    return plus(1 - y * f) ** 2 if y * f >= -1 else -4 * y * f


def huber(delta):
    def formula(y, f):
        r, d = abs(f - y), mp.mpf(delta)
        return r**2 / 2 if r <= d else d * (r - d / 2)

    return formula


def pinball(tau):
    tau = mp.mpf(tau)
    return lambda y, f: tau * (y - f) if y >= f else (1 - tau) * (f - y)


SIGNS = (1.0, -1.0)
REALS = (0.75, -3.0, 1e3)


def residual_terms(y, f):
    return abs(y) + abs(f)


INF = float("inf")

TABLE = [
    Row(
        losses.Logistic(),
        lambda y, f: mp.log1p(mp.exp(-y * f)),
        SIGNS,
        slopes=(-1, 0),
        peer=of_glm(glm.CyHalfBinomialLoss(), binary),
    ),
    Row(
        losses.Hinge(),
        lambda y, f: plus(1 - y * f),
        SIGNS,
        slopes=(-1, 0),
        kinks=lambda y: (y,),
        peer=of_sgd(sgd.Hinge()),
    ),
    Row(
        losses.SquaredHinge(),
        lambda y, f: plus(1 - y * f) ** 2,
        SIGNS,
        slopes=(-INF, 0),
        kinks=lambda y: (y,),
        peer=of_sgd(sgd.SquaredHinge()),
    ),
    Row(
        losses.SmoothedHinge(),
        smoothed_hinge(1.0),
        SIGNS,
        slopes=(-1, 0),
        kinks=lambda y: (0.0, y),
    ),
    Row(
        losses.SmoothedHinge(width=0.25),
        smoothed_hinge(0.25),
        SIGNS,
        slopes=(-1, 0),
        kinks=lambda y: (0.75 * y, y),
    ),
    Row(
        losses.ModifiedHuber(),
        modified_huber,
        SIGNS,
        slopes=(-4, 0),
        kinks=lambda y: (-y, y),
        peer=of_sgd(sgd.ModifiedHuber()),
    ),
    Row(
        losses.Exponential(),
        lambda y, f: mp.exp(-y * f),
        SIGNS,
        slopes=(-INF, 0),
        peer=of_glm(glm.CyExponentialLoss(), binary),
    ),
    Row(
        losses.Squared(),
        lambda y, f: (f - y) ** 2 / 2,
        REALS,
        terms=residual_terms,
        slopes=(-INF, INF),
        peer=of_glm(glm.CyHalfSquaredError()),
    ),
    Row(
        losses.Absolute(),
        lambda y, f: abs(f - y),
        REALS,
        terms=residual_terms,
        slopes=(-1, 1),
        kinks=lambda y: (y,),
        peer=of_glm(glm.CyAbsoluteError()),
    ),
    Row(
        losses.Huber(),
        huber(1.35),
        REALS,
        terms=residual_terms,
        slopes=(-1.35, 1.35),
        kinks=lambda y: (y - 1.35, y + 1.35),
        peer=of_glm(glm.CyHuberLoss(delta=1.35)),
    ),
    Row(
        losses.Huber(delta=0.01),
        huber(0.01),
        REALS,
        terms=residual_terms,
        slopes=(-0.01, 0.01),
        kinks=lambda y: (y - 0.01, y + 0.01),
        peer=of_glm(glm.CyHuberLoss(delta=0.01)),
    ),
    Row(
        losses.EpsilonInsensitive(epsilon=0.5),
        lambda y, f: plus(abs(f - y) - 0.5),
        REALS,
        terms=residual_terms,
        slopes=(-1, 1),
        kinks=lambda y: (y - 0.5, y + 0.5),
        peer=of_sgd(sgd.EpsilonInsensitive(0.5)),
    ),
    Row(
        losses.SquaredEpsilonInsensitive(epsilon=0.5),
        lambda y, f: plus(abs(f - y) - 0.5) ** 2,
        REALS,
        terms=residual_terms,
        slopes=(-INF, INF),
        kinks=lambda y: (y - 0.5, y + 0.5),
        peer=of_sgd(sgd.SquaredEpsilonInsensitive(0.5)),
    ),
    Row(
        losses.Quantile(quantile=0.75),
        pinball(0.75),
        REALS,
        terms=residual_terms,
        slopes=(-0.75, 0.25),
        kinks=lambda y: (y,),
        peer=of_glm(glm.CyPinballLoss(quantile=0.75)),
    ),
    Row(
        losses.Poisson(),
        lambda y, f: mp.exp(f) - y * f,
        (2.0, 0.0, 500.0),
        slopes=(-2, INF),
        terms=lambda y, f: 1 + y + abs(y * f),
        peer=of_glm(glm.CyHalfPoissonLoss()),
    ),
    Row(
        losses.Gamma(),
        lambda y, f: f + y * mp.exp(-f),
        (2.0, 1e-3, 500.0),
        slopes=(-INF, 1),
        terms=lambda y, f: 1 + abs(f),
        peer=of_glm(glm.CyHalfGammaLoss()),
    ),
]

every_loss = pytest.mark.parametrize("row", TABLE, ids=lambda row: repr(row.loss))
margin_losses = pytest.mark.parametrize(
    "row", [r for r in TABLE if r.loss.targets == "sign"], ids=lambda r: repr(r.loss)
)
overflow_expected = pytest.mark.filterwarnings("ignore:The .* loss overflows")


@pytest.fixture(autouse=True)
def _settings():
    with mp.workdps(220), np.errstate(all="ignore"):
        yield


def points(row, n=25):
    """Targets, and predictions around them but not at kinks."""
    random = np.random.RandomState(0)
    steps = np.concatenate([random.uniform(-3, 3, n), random.uniform(-20, 20, n)])
    pairs = [
        (y, f)
        for y in row.targets
        for f in (y if row.loss.targets == "real" else 0) + steps
        if all(abs(f - kink) > 1e-3 for kink in row.kinks(y))
    ]
    return (np.ascontiguousarray(column) for column in zip(*pairs))


def definition(row, y, f, order=0):
    """Derivative of the definition in the prediction."""
    y, f, h = mp.mpf(float(y)), mp.mpf(float(f)), mp.mpf(10) ** -20
    value, lower, upper = (row.formula(y, x) for x in (f, f - h, f + h))
    return float(
        (value, (upper - lower) / (2 * h), (upper - 2 * value + lower) / h**2)[order]
    )


def assert_accurate(row, computed, y, f, order):
    expected = np.array([definition(row, *pair, order) for pair in zip(y, f)])
    allowed = 1e-13 * abs(expected) + 1e-15 * row.terms(y, f)
    infinite = np.isinf(expected)
    assert np.array_equal(computed[infinite], expected[infinite])
    error = np.abs(computed - expected)[~infinite]
    assert np.all(error <= allowed[~infinite])


@every_loss
def test_value_derivative_and_curvature_are_the_definitions(row):
    y, f = points(row)
    values, gradient = losses.value_and_gradient(row.loss, y, f)
    assert_accurate(row, values, y, f, 0)
    assert_accurate(row, losses.evaluate(row.loss, y, f), y, f, 0)
    assert_accurate(row, gradient, y, f, 1)
    curvature = [losses.curvature(row.loss, *pair) for pair in zip(y, f)]
    assert_accurate(row, np.array(curvature), y, f, 2)


@kernel
def _all(loss, y, f, a, out):
    for i in range(f.size):
        out[0, i] = losses.value(loss, y[i], f[i])
        out[1, i] = losses.derivative(loss, y[i], f[i])
        out[2, i] = losses.curvature(loss, y[i], f[i])
        out[3, i] = losses.conjugate(loss, y[i], a[i])


@every_loss
def test_compiled_equals_plain_python(row):
    y, f = points(row)
    a = np.sin(f) * 1.2
    compiled = np.empty((4, f.size))
    _all(row.loss, y, f, a, compiled)
    plain = [
        [function(row.loss, *pair) for pair in zip(y, x)]
        for function, x in (
            (losses.value, f),
            (losses.derivative, f),
            (losses.curvature, f),
            (losses.conjugate, a),
        )
    ]
    np.testing.assert_allclose(compiled, plain, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(
    "row", [r for r in TABLE if r.peer is not None], ids=lambda r: repr(r.loss)
)
def test_equals_scikit_learn(row):
    y, f = points(row)
    values, gradient = losses.value_and_gradient(row.loss, y, f)
    expected, expected_gradient = row.peer(y, f)
    np.testing.assert_allclose(values, expected, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-12, atol=1e-12)


@every_loss
@overflow_expected
def test_extreme_predictions(row):
    """Right to the last digits, or infinite where no float64 is right."""
    f = np.array([-1e150, -1e6, -1.1e3, -40.0, 40.0, 1.1e3, 1e6, 1e150])
    for y in row.targets:
        for order, out in enumerate(losses.value_and_gradient(row.loss, y, f)):
            assert not np.isnan(out).any()
            assert_accurate(row, out, np.full_like(f, y), f, order)


@every_loss
def test_float32(row):
    y, f = points(row)
    f32, y32 = f.astype(np.float32), y.astype(np.float32)
    single = losses.value_and_gradient(row.loss, y32, f32)
    double = losses.value_and_gradient(row.loss, y32.astype(float), f32.astype(float))
    for a, b in zip(single, double):
        assert a.dtype == np.float32
        atol = 1e-6 * (np.abs(row.terms(y, f)) + 1e-30)
        assert np.all(np.abs(a - b) <= 1e-6 * np.abs(b) + atol)


@every_loss
@overflow_expected
def test_extreme_predictions_in_float32(row):
    f = np.float32([-3e38, -1e6, -1e3, 1e3, 1e6, 3e38])
    for y in row.targets:
        values, gradient = losses.value_and_gradient(row.loss, y, f)
        expected = [definition(row, np.float32(y), x) for x in f]
        with np.errstate(over="ignore"):
            np.testing.assert_allclose(values, np.float32(expected), rtol=1e-6)
        assert not np.isnan(gradient).any()
        assert np.all(np.abs(gradient) <= np.float32(row.loss.lipschitz))


@every_loss
def test_nan_is_not_hidden(row):
    y, f, out = np.array(row.targets[:1]), np.array([np.nan]), np.empty((4, 1))
    _all(row.loss, y, f, f, out)
    assert np.isnan(out[0, 0])
    assert np.isnan(losses.value(row.loss, y[0], np.nan))


@every_loss
def test_convex_on_a_grid(row):
    f = np.linspace(-30, 30, 601)
    for y in row.targets:
        values, gradient = losses.value_and_gradient(row.loss, y, f)
        assert np.all(np.diff(gradient) >= 0)
        # the tangent at each point stays below the loss
        tangents = values[:, None] + gradient[:, None] * (f - f[:, None])
        assert np.all(tangents <= values + 1e-12 * (1 + np.abs(values) + abs(tangents)))


@every_loss
def test_lipschitz_and_smoothness_constants_are_the_smallest(row):
    y = row.targets[0]
    f = np.linspace(y - 10.0, y + 10.0, 40_001)  # a step of 0.0005
    gradient = losses.evaluate_gradient(row.loss, y, f)
    steepest = np.abs(losses.evaluate_gradient(row.loss, y, [-700.0, 700.0])).max()
    if np.isinf(row.loss.lipschitz):
        assert steepest > 100
    else:
        assert steepest == pytest.approx(row.loss.lipschitz)
    ratio = np.max(np.diff(gradient) / np.diff(f))
    if np.isinf(row.loss.smoothness):
        assert ratio > 500
    else:
        assert ratio == pytest.approx(row.loss.smoothness, rel=1e-3)


@every_loss
def test_fenchel_young(row):
    """Equality at the derivative; elsewhere the conjugate is the supremum."""
    y, f = points(row)
    values, slopes = losses.value_and_gradient(row.loss, y, f)
    conjugates = np.array([losses.conjugate(row.loss, *p) for p in zip(y, slopes)])
    size = 1 + np.abs(values) + np.abs(slopes * f) + row.terms(y, f)
    assert np.all(np.abs(values + conjugates - slopes * f) <= 1e-12 * size)

    y, (lowest, highest) = row.targets[0], row.slopes
    inner = np.linspace(max(lowest, -3), min(highest, 3), 14)[1:-1]
    for a in inner:
        best = minimize_scalar(
            lambda f, a=a: float(row.formula(mp.mpf(y), mp.mpf(f)) - a * f),
            bounds=(-50, 50),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert losses.conjugate(row.loss, y, a) == pytest.approx(-best.fun, abs=1e-7)
    for a in (np.nextafter(lowest, -np.inf), np.nextafter(highest, np.inf)):
        if abs(a) < np.inf:
            assert losses.conjugate(row.loss, y, a) == np.inf


@every_loss
def test_conjugate_at_the_ends_of_its_domain(row):
    """The conjugate is closed: its limit from inside is its value at the end."""
    y = row.targets[0]
    for end, inward in zip(row.slopes, (1, -1)):
        if abs(end) < np.inf:
            inside = losses.conjugate(row.loss, y, end + inward * 1e-12)
            at_end = losses.conjugate(row.loss, y, float(end))
            assert at_end == pytest.approx(inside, abs=1e-9)


@margin_losses
def test_classification_calibrated(row):
    assert losses.derivative(row.loss, 1.0, 0.0) < 0
    assert losses.derivative(row.loss, -1.0, 0.0) > 0


@margin_losses
def test_probability_minimises_the_expected_loss(row):
    if not losses.probability.supports(row.loss):
        assert row.loss.name in ("hinge", "smoothed_hinge")
        return
    for f in (-0.9, -0.25, 0.0, 0.5, 0.99):
        p = losses.probability(row.loss, f)
        slope = p * losses.derivative(row.loss, 1.0, f)
        slope += (1 - p) * losses.derivative(row.loss, -1.0, f)
        assert slope == pytest.approx(0, abs=1e-15)
    assert losses.probability(row.loss, -1e3) == pytest.approx(0)
    assert losses.probability(row.loss, 1e3) == 1


LIMITS = [
    (losses.SmoothedHinge(width=1e-12), 1.0, losses.Hinge()),
    (losses.Huber(delta=1e9), 1.0, losses.Squared()),
    (losses.Huber(delta=1e-12), 1e12, losses.Absolute()),
    (losses.Quantile(quantile=0.5), 2.0, losses.Absolute()),
    (losses.EpsilonInsensitive(epsilon=0.0), 1.0, losses.Absolute()),
    (losses.SquaredEpsilonInsensitive(epsilon=0.0), 0.5, losses.Squared()),
]


@pytest.mark.parametrize(("loss", "factor", "limit"), LIMITS)
def test_limits(loss, factor, limit):
    f = np.linspace(-3, 3, 50)
    ours = losses.value_and_gradient(loss, 1.0, f)
    theirs = losses.value_and_gradient(limit, 1.0, f)
    np.testing.assert_allclose(ours[0] * factor, theirs[0], rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(ours[1] * factor, theirs[1], rtol=1e-11, atol=1e-11)
