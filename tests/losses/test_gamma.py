"""The gamma loss at targets of all sizes, against 220 digits."""

import mpmath as mp
import numpy as np
import pytest

from skloss import losses
from skloss._jit import kernel

overflow_expected = pytest.mark.filterwarnings("ignore:The .* loss overflows")


@pytest.fixture(autouse=True)
def _settings():
    with mp.workdps(220), np.errstate(all="ignore"):
        yield


GAMMA = losses.Gamma()
TARGETS_OF_GAMMA = {
    np.float64: [2.3e-308, 1e-300, 1e-30, 1.0, 3.7, 1e30, 1e300, 1.7e308],
    np.float32: [1.2e-38, 1e-30, 1e-3, 1.0, 3.7, 1e20, 3e38],
}


def gamma_grid(real):
    """Targets and predictions up to and beyond where the loss leaves the floats."""
    limits = np.finfo(real)
    end = float(np.log(np.float64(limits.max)))
    steps = np.concatenate([np.linspace(-2.2, 2.2, 89) * end, [-0.3, 0.0, 1e-5, 0.3]])
    pairs = [
        (y, f)
        for y in np.array(TARGETS_OF_GAMMA[real], real)
        # around the target's own logarithm and around zero
        for f in (*steps, *(steps + np.log(np.float64(y))))
    ]
    return (np.array(column, real) for column in zip(*pairs))


@overflow_expected
@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_gamma_is_right_wherever_a_float_is(real):
    y, f = gamma_grid(real)
    limits = np.finfo(real)
    values, gradient = losses.value_and_gradient(GAMMA, y, f)
    assert values.dtype == gradient.dtype == real
    largest, smallest = mp.mpf(float(limits.max)), float(limits.smallest_subnormal)
    eps = float(limits.eps)
    n_finite = n_infinite = 0
    for pair in zip(y, f, values, gradient, losses.evaluate(GAMMA, y, f)):
        y_, f_, *computed = (mp.mpf(float(x)) for x in pair)
        ratio = y_ * mp.exp(-f_)
        exact = (f_ + ratio, 1 - ratio, f_ + ratio)
        for ours, truth in zip(computed, exact):
            # the exponential, two products and the sum
            allowed = 8 * eps * (ratio + abs(f_) + 1) + smallest
            if abs(truth) > largest * (1 + 8 * eps):
                assert mp.isinf(ours) and (ours > 0) == (truth > 0)
                n_infinite += 1
            elif abs(truth) < largest * (1 - 8 * eps):
                assert abs(ours - truth) <= allowed, pair
                n_finite += 1
    assert n_infinite > 500 and n_finite > 500  # both sides of the limit were seen


@overflow_expected
def test_gamma_at_denormal_targets():
    """Right as long as exp(-f / 2) is finite; infinite, never nan, beyond."""
    y, f = np.full(4, 5e-324), np.array([-700.0, -1400.0, -1419.0, -1460.0])
    values = losses.evaluate(GAMMA, y, f)
    exact = [t + mp.mpf(s) * mp.exp(-mp.mpf(t)) for s, t in zip(y[:3], f[:3])]
    np.testing.assert_allclose(values[:3], np.array(exact, float), rtol=1e-14)
    assert values[3] == np.inf


def test_gammas_curvature_and_conjugate_at_extreme_targets():
    for y in TARGETS_OF_GAMMA[np.float64]:
        level = float(np.log(y))
        for f in level + np.array([-600.0, -30.0, -1.0, 0.0, 1.0, 30.0]):
            ratio = mp.mpf(y) * mp.exp(-mp.mpf(f))
            curvature = losses.curvature(GAMMA, y, f)
            assert abs(curvature - ratio) <= 8e-16 * ratio
            # the conjugate at the slope a is a f - value where a is the derivative
            a = 1.0 - float(ratio)
            slope = 1 - mp.mpf(a)
            if slope > 0:
                exact = slope * mp.log(slope / mp.mpf(y)) - slope
                error = abs(losses.conjugate(GAMMA, y, a) - exact)
                assert error <= 1e-13 * slope * (1 + abs(level) + abs(mp.log(slope)))


@kernel
def _gamma_conjugates(loss, y, a, out):
    for i in range(y.size):
        out[i] = losses.conjugate(loss, y[i], a[i])


def test_gammas_compiled_conjugate_at_extreme_targets():
    y = np.array(TARGETS_OF_GAMMA[np.float64]).repeat(4)
    a = np.tile([0.999, 0.5, -3.0, -1e200], y.size // 4)
    out = np.empty_like(y)
    _gamma_conjugates(GAMMA, y, a, out)
    exact = [
        (1 - mp.mpf(s)) * (mp.log((1 - mp.mpf(s)) / mp.mpf(t)) - 1)
        for t, s in zip(y, a)
    ]
    np.testing.assert_allclose(out, np.array(exact, float), rtol=1e-12)
