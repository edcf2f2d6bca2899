"""Ordinal losses against many digits, brute force and each other."""

import importlib.util
from itertools import pairwise
from pathlib import Path

import mpmath as mp
import numpy as np
import pytest
from scipy.special import log_softmax, xlogy

from skloss import losses
from skloss._jit import kernel
from skloss.losses import ordinal, ordinal_passes

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_reference", Path(__file__).with_name("ordinal_reference.py")
)
exact = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(exact)

NAMES = ["logit", "probit", "cloglog", "loglog", "cauchit"]
CONVEX = NAMES[:-1]
WIDTHS = [1e-12, 1e-9, 1e-6, 1e-3, 1e-2, 0.1, 0.3, 0.7, 0.99, 1.01, 2.0, 5.0, 25.0]
MIDDLES = [-30.0, -9.0, -3.1, -1.0, -0.2, 0.0, 0.3, 0.9, 2.5, 3.9, 4.4, 8.0, 30.0]
SHARES = [1.0 - 1e-9, 0.995, 0.985, 0.6, 0.05]


@kernel
def _compiled_interval(link, a, b):
    return ordinal.interval(link, a, b)


def pairs(name, middles=MIDDLES, widths=WIDTHS):
    """Ends of intervals; those of the log-logs where their logarithms are floats."""
    for middle in middles:
        if abs(middle) < 9 or name in ("logit", "probit", "cauchit"):
            for width in widths:
                yield middle - width / 2, middle + width / 2


def projection(aa, bb, ab):
    """Nearest positive semidefinite matrix, by LAPACK."""
    values, vectors = np.linalg.eigh(np.array([[aa, ab], [ab, bb]], float))
    matrix = vectors * np.maximum(values, 0) @ vectors.T
    return matrix[0, 0], matrix[1, 1], matrix[0, 1]


@pytest.mark.parametrize("name", NAMES)
def test_interval_in_many_digits(name):
    """Narrow and wide, in the middle and in both tails."""
    link = losses.get_link(name)
    with mp.workdps(120):
        for a, b in pairs(name):
            expected = exact.interval(name, a, b)
            computed = ordinal.interval(link, a, b)
            if name == "cauchit":
                aa, bb, ab = (float(x) for x in expected[3:])
                np.testing.assert_allclose(
                    computed[3:], projection(aa, bb, ab), rtol=1e-9, atol=1e-9 * abs(ab)
                )
                expected, computed = expected[:3], computed[:3]
            expected = [float(x) for x in expected]
            np.testing.assert_allclose(computed, expected, rtol=1e-13, atol=1e-300)
            value = ordinal.interval_value(link, a, b)
            np.testing.assert_allclose(value, expected[0], rtol=1e-13)
            p = float(exact.between(name, a, b))
            np.testing.assert_allclose(
                ordinal.between(link, a, b), p, rtol=3e-13, atol=1e-300
            )
            assert _compiled_interval(link, a, b)[:3] == pytest.approx(
                computed[:3], rel=1e-15
            )


@pytest.mark.parametrize("name", NAMES)
def test_ends_in_many_digits(name):
    link = losses.get_link(name)
    ts = np.concatenate([np.linspace(-9.3, 6.2, 120), [-600.0, -80.0]])
    with mp.workdps(600):  # 1 - F(-600) in full
        for t in map(float, ts):
            for computed, mirror in (
                (ordinal.lower(link, t), name),
                (ordinal.upper(link, -t), exact.MIRROR.get(name, name)),
            ):
                value, slope, curvature = (float(x) for x in exact.lower(mirror, t))
                slope *= 1 if computed[1] < 0 else -1
                if name == "cauchit":
                    curvature = max(curvature, 0.0)
                np.testing.assert_allclose(computed[:2], (value, slope), rtol=1e-13)
                np.testing.assert_allclose(
                    computed[2], curvature, rtol=2e-13, atol=1e-280
                )


@pytest.mark.parametrize("name", NAMES)
def test_derivatives_by_differences(name):
    link, step = losses.get_link(name), 1e-5
    for a, b in [(-1.0, 0.4), (0.2, 0.25), (-0.6, 1.9), (0.9, 1.1)]:
        _, ga, gb, aa, bb, ab = ordinal.interval(link, a, b)

        def around(*moves, a=a, b=b):
            ends = [(a + step * x, b + step * y) for x, y in moves]
            return [np.array(ordinal.interval(link, *end)) for end in ends]

        up, down = around((1, 0), (-1, 0))
        along_a = (up - down) / (2 * step)
        up, down = around((0, 1), (0, -1))
        along_b = (up - down) / (2 * step)
        np.testing.assert_allclose([along_a[0], along_b[0]], [ga, gb], rtol=1e-5)
        if link.log_concave:
            np.testing.assert_allclose(
                [along_a[1], along_b[2], along_b[1]], [aa, bb, ab], rtol=1e-5
            )


@pytest.mark.parametrize("name", NAMES)
def test_hessian_is_semidefinite(name, rng):
    """In floating point, not only on paper."""
    link = losses.get_link(name)
    for _ in range(2000):
        a = rng.normal() * 4
        b = a + 10.0 ** rng.uniform(-10, 1)
        *_, aa, bb, ab = ordinal.interval(link, a, b)
        if np.isfinite(aa) and np.isfinite(bb):
            assert aa >= 0
            assert bb >= 0
            assert aa * bb >= ab * ab * (1 - 4e-16 if name == "cauchit" else 1)


@pytest.mark.parametrize("name", NAMES)
def test_no_probability_is_an_infinite_loss(name):
    link = losses.get_link(name)
    for a, b in [(1.0, 1.0), (2.0, -1.0)]:
        assert ordinal.interval_value(link, a, b) == np.inf
        assert ordinal.interval(link, a, b)[0] == np.inf
        total = ordinal_passes.interval_value(
            link, np.array([0.0, a]), np.array([1.0, b]), np.ones(2)
        )
        assert total == np.inf


def test_barrier_in_many_digits():
    with mp.workdps(400):
        for t in [1e-300, 1e-100, 1e-12, 1e-3, 0.5, 0.7, 2.0, 30.0, 600.0]:
            q = 1 / mp.expm1(mp.mpf(t))
            expected = [-mp.log(-mp.expm1(-mp.mpf(t))), -q, q * (1 + q)]
            value, slope, curvature = ordinal.gap_barrier(t)
            np.testing.assert_allclose(value, float(expected[0]), rtol=1e-14)
            np.testing.assert_allclose(slope, float(expected[1]), rtol=1e-14)
            if t > 1e-150:
                np.testing.assert_allclose(curvature, float(expected[2]), rtol=1e-14)
    assert ordinal.gap_barrier(0.0)[0] == ordinal.gap_barrier(-1.0)[0] == np.inf
    assert ordinal.gap_barrier(1e6) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize("name", CONVEX)
def test_gaps_of_ends(name):
    link, mirror = losses.get_link(name), exact.MIRROR.get(name, name)
    with mp.workdps(40):
        for t in [-20.0, -3.0, 0.0, 0.8, 2.5]:
            for s in SHARES:
                for computed, kind in (
                    (ordinal.lower_gap(link, t, s), name),
                    (ordinal.upper_gap(link, -t, s), mirror),
                ):
                    expected = float(exact.lower_gap(kind, t, s))
                    loss = float(exact.lower(kind, t)[0])
                    assert computed == pytest.approx(expected, rel=1e-5, abs=0)
                    assert computed == pytest.approx(expected, rel=0, abs=1e-14 * loss)


@pytest.mark.parametrize("name", CONVEX)
def test_gaps_of_intervals(name):
    """Against Newton's method in 40 digits."""
    link = losses.get_link(name)
    middles, widths = [-2.5, -0.3, 0.4, 1.5], [1e-6, 0.1, 1.3, 4.0]
    with mp.workdps(40):
        for a, b in pairs(name, middles, widths):
            loss = float(exact.interval(name, a, b)[0])
            for s in SHARES:
                computed = ordinal.interval_gap(link, a, b, s)
                expected = float(exact.interval_gap(name, a, b, s))
                assert computed == pytest.approx(expected, rel=1e-5, abs=0)
                assert computed == pytest.approx(expected, rel=0, abs=2e-14 * loss)


@pytest.mark.parametrize("name", CONVEX)
def test_gaps_fall_from_the_loss_to_nothing(name):
    link = losses.get_link(name)
    shares = np.concatenate([[0.0], np.linspace(1e-6, 1, 60)])
    for a, b in pairs(name, [-8.0, -1.0, 0.5, 3.0], [1e-9, 1e-2, 1.0, 9.0]):
        for gap, value in (
            (
                [ordinal.interval_gap(link, a, b, s) for s in shares],
                ordinal.interval_value(link, a, b),
            ),
            (
                [ordinal.lower_gap(link, b, s) for s in shares],
                ordinal.lower(link, b)[0],
            ),
            (
                [ordinal.upper_gap(link, a, s) for s in shares],
                ordinal.upper(link, a)[0],
            ),
        ):
            assert gap[0] == pytest.approx(value, rel=1e-12)
            assert gap[-1] == 0
            assert (np.diff(gap) <= 1e-14 * value).all()
            assert min(gap) >= 0


@pytest.mark.parametrize("name", CONVEX)
def test_gaps_near_1_are_newton_decrements(name):
    """(1 - s)^2 / 2 times the gradient in the norm of the inverse Hessian."""
    link, rest = losses.get_link(name), 1e-6
    for a, b in [(-1.2, 0.3), (0.1, 0.11), (0.5, 2.0)]:
        _, ga, gb, aa, bb, ab = ordinal.interval(link, a, b)
        g = np.array([ga, gb])
        expected = 0.5 * rest**2 * g @ np.linalg.solve([[aa, ab], [ab, bb]], g)
        computed = ordinal.interval_gap(link, a, b, 1 - rest)
        assert computed == pytest.approx(expected, rel=1e-4)


def test_no_gaps_without_convexity():
    link = losses.Cauchit()
    assert np.isnan(ordinal.interval_gap(link, -1.0, 1.0, 0.5))
    assert np.isnan(ordinal.lower_gap(link, 1.0, 0.5))
    assert np.isnan(ordinal.upper_gap(link, 1.0, 0.5))


@pytest.mark.parametrize("name", NAMES)
def test_passes_are_sums_of_rows(name, rng):
    link, n = losses.get_link(name), 301
    a = 2 * rng.normal(size=n)
    b, weight = a + 10 ** rng.uniform(-3, 0.5, n), rng.uniform(0.1, 2, n)
    rows = weight[:, None] * [ordinal.interval(link, *ab) for ab in zip(a, b)]
    total = rows[:, 0].sum()
    outs = np.empty((5, n))
    approx = {"rel": 1e-12, "nan_ok": True}
    assert ordinal_passes.interval_value(link, a, b, weight) == pytest.approx(total)
    sum_ = ordinal_passes.interval_derivatives(link, a, b, weight, *outs)
    assert sum_ == pytest.approx(total, rel=1e-13)
    np.testing.assert_allclose(outs.T, rows[:, 1:], rtol=1e-13)
    gaps = [ordinal.interval_gap(link, *ab, 0.7) for ab in zip(a, b)]
    sum_ = ordinal_passes.interval_gaps(link, a, b, weight, 0.7)
    assert sum_ == pytest.approx(weight @ gaps, **approx)
    for side in ("lower", "upper"):
        rows = weight[:, None] * [getattr(ordinal, side)(link, x) for x in a]
        value = getattr(ordinal_passes, f"{side}_value")(link, a, weight)
        assert value == pytest.approx(rows[:, 0].sum(), rel=1e-13)
        derivatives = getattr(ordinal_passes, f"{side}_derivatives")
        assert derivatives(link, a, weight, *outs[:2]) == pytest.approx(value)
        np.testing.assert_allclose(outs[:2].T, rows[:, 1:], rtol=1e-13)
        gaps = [getattr(ordinal, f"{side}_gap")(link, x, 0.7) for x in a]
        sum_ = getattr(ordinal_passes, f"{side}_gaps")(link, a, weight, 0.7)
        assert sum_ == pytest.approx(weight @ gaps, **approx)


def test_barrier_passes_are_sums_of_rows(rng):
    t, weight = 10 ** rng.uniform(-4, 2, 133), rng.uniform(0.1, 2, 133)
    rows = weight[:, None] * [ordinal.gap_barrier(x) for x in t]
    outs = np.empty((2, 133))
    value = ordinal_passes.barrier_value(t, weight)
    assert value == pytest.approx(rows[:, 0].sum(), rel=1e-13)
    assert ordinal_passes.barrier_derivatives(t, weight, *outs) == value
    np.testing.assert_allclose(outs.T, rows[:, 1:], rtol=1e-13, atol=1e-300)


@pytest.mark.parametrize("name", NAMES)
def test_class_probabilities(name, rng):
    """Of scores that cross as well; small ones keep their digits."""
    link = losses.get_link(name)
    eta = 3 * rng.normal(size=(40, 3))
    eta[:20].sort(axis=1)
    out, beyond = np.empty((40, 4)), np.empty((40, 3))
    ordinal_passes.class_probabilities(link, eta, out)
    ordinal_passes.survivals(link, eta, beyond)
    with mp.workdps(60):
        for row, probabilities, tails in zip(eta, out, beyond, strict=True):
            exact_tails = [exact.survival(name, t) for t in row]
            steps = [exact.cdf(name, row[0])]
            steps += [
                exact.between(name, *pair)
                if pair[0] < pair[1]
                else -exact.between(name, *pair[::-1])
                for pair in pairwise(row)
            ]
            steps.append(exact_tails[-1])
            np.testing.assert_allclose(
                probabilities, [float(p) for p in steps], rtol=1e-12
            )
            np.testing.assert_allclose(
                tails, [float(p) for p in exact_tails], rtol=1e-12
            )


@pytest.mark.parametrize("m", [1, 4])
def test_adjacent_is_a_softmax(m, rng):
    n, s = 700, 0.8
    S, weight = 3 * rng.normal(size=(m, n)), rng.uniform(0.1, 2, n)
    # log P(y = k) - log P(y = k + 1) = S[k]
    scores = np.vstack([np.cumsum(S[::-1], axis=0)[::-1], np.zeros(n)])
    logs = log_softmax(scores, axis=0)
    below = np.cumsum(np.exp(logs), axis=0)[:-1]
    for c in range(m + 1):
        lo, hi = 13, n - 7
        own = slice(lo, hi)
        total = -(weight * logs[c])[own].sum()
        G, cumulative = np.full((2, m, n), np.nan)
        args = S, lo, hi, c, weight
        value = ordinal_passes.adjacent_value(*args)
        assert value == pytest.approx(total, rel=1e-13)
        value = ordinal_passes.adjacent_derivatives(*args, G, cumulative)
        assert value == pytest.approx(total, rel=1e-13)
        expected = weight * (below - (c <= np.arange(m))[:, None])
        np.testing.assert_allclose(G[:, own], expected[:, own], rtol=1e-9, atol=1e-15)
        np.testing.assert_allclose(cumulative[:, own], below[:, own], rtol=1e-12)
        assert np.isnan(G[:, :lo]).all()
        assert np.isnan(cumulative[:, hi:]).all()
        # divergence of (1 - s) e_c + s pi from pi
        q = s * np.exp(logs)
        q[c] += 1 - s
        gaps = weight * (xlogy(q, q) - q * logs).sum(axis=0)
        computed = ordinal_passes.adjacent_gaps(*args, s)
        assert computed == pytest.approx(gaps[own].sum(), rel=1e-11)


def test_adjacent_far_out():
    """Nothing overflows, and a tiny loss keeps its digits."""
    S = np.array([[800.0, -800.0, 40.0], [300.0, -900.0, 50.0]])
    weight, outs = np.ones(3), np.empty((2, 2, 3))
    value = ordinal_passes.adjacent_value(S, 2, 3, 0, weight)
    assert value == pytest.approx(np.exp(-40.0), rel=1e-14)
    value = ordinal_passes.adjacent_derivatives(S, 0, 2, 0, weight, *outs)
    assert value == pytest.approx(1700.0)
    # class 0 has almost no probability in row 1 only
    np.testing.assert_allclose(outs[0][:, :2], [[0.0, -1.0], [0.0, -1.0]], atol=1e-15)
    assert ordinal_passes.adjacent_gaps(S, 0, 3, 0, weight, 1.0) == 0
    assert np.isfinite(ordinal_passes.adjacent_gaps(S, 0, 3, 1, weight, 0.5))
