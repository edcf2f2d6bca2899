"""Every penalty is one row of the table; every test runs over the table."""

import copy
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skloss import penalties
from skloss._jit import kernel
from skloss.penalties import L1, L2, MCP, SCAD, Box, ElasticNet, NonNegative


def mcp(w, alpha, gamma):
    t = np.minimum(np.abs(w), gamma * alpha)
    return alpha * t - t**2 / (2 * gamma)


def scad(w, alpha, gamma):
    t = np.abs(w)
    middle = (2 * gamma * alpha * t - t**2 - alpha**2) / (2 * (gamma - 1))
    flat = alpha**2 * (gamma + 1) / 2
    return np.where(t <= alpha, alpha * t, np.where(t <= gamma * alpha, middle, flat))


# Each penalty with its own formula, written for NumPy, as the independent truth.
TABLE = {
    L1(0.7): lambda w: 0.7 * np.abs(w),
    L2(1.3): lambda w: 0.65 * w**2,
    ElasticNet(0.8, 0.25): lambda w: 0.2 * np.abs(w) + 0.3 * w**2,
    NonNegative(): lambda w: np.where(w >= 0, 0.0, np.inf),
    NonNegative(0.5, 0.4): lambda w: np.where(w >= 0, 0.2 * w + 0.15 * w**2, np.inf),
    Box(-0.5, 2.0): lambda w: np.where((w >= -0.5) & (w <= 2.0), 0.0, np.inf),
    Box(0.3, math.inf): lambda w: np.where(w >= 0.3, 0.0, np.inf),
    MCP(0.7, 3.1): lambda w: mcp(w, 0.7, 3.1),
    MCP(0.4, 1.5): lambda w: mcp(w, 0.4, 1.5),
    SCAD(0.6, 3.7): lambda w: scad(w, 0.6, 3.7),
    SCAD(0.45, 2.1): lambda w: scad(w, 0.45, 2.1),
    MCP(0.4, 1.5, positive=True): lambda w: np.where(w >= 0, mcp(w, 0.4, 1.5), np.inf),
    SCAD(0.6, 3.7, positive=True): lambda w: np.where(
        w >= 0, scad(w, 0.6, 3.7), np.inf
    ),
}
CONVEX = [penalty for penalty in TABLE if not isinstance(penalty, (MCP, SCAD))]
POINTS = [-3.0, -1.1, -0.5, -0.2, 0.0, 0.2, 0.3, 0.9, 2.0, 4.0]
WEIGHTS = [1.0, 0.3, 2.5]

every_penalty = pytest.mark.parametrize("penalty", TABLE, ids=repr)
every_convex_penalty = pytest.mark.parametrize("penalty", CONVEX, ids=repr)


def weighted(penalty, w, weight):
    """The formula times the weight, where a constraint stays a constraint."""
    with np.errstate(invalid="ignore"):
        return weight * TABLE[penalty](np.asarray(w))


def brute_minimum(function, around):
    """Minimiser of a function of one variable that may be infinite.

    Local minima must differ by more than the first grid can tell.
    """
    best, width = 0.0, 8.0
    for _ in range(4):
        grid = np.append(best + width * np.linspace(-1, 1, 2001), around)
        best = grid[np.argmin(function(grid))]
        width /= 500
    return best


@every_penalty
@pytest.mark.parametrize("weight", WEIGHTS)
def test_value_is_the_formula(penalty, weight):
    for w in POINTS:
        expected = float(weighted(penalty, w, weight))
        assert penalties.value(penalty, w, weight) == pytest.approx(expected)


@every_penalty
@pytest.mark.parametrize("step", [0.1, 1.0, 3.0])
def test_prox_minimises(penalty, step):
    for v in POINTS:

        def objective(x, v=v):
            return 0.5 * (x - v) ** 2 + step * TABLE[penalty](x)

        expected = brute_minimum(objective, [0.0, -0.5, 0.3, 2.0])
        assert penalties.prox(penalty, v, step) == pytest.approx(expected, abs=1e-7)


@every_convex_penalty
@pytest.mark.parametrize("weight", WEIGHTS)
def test_distance_vanishes_exactly_at_fixed_points_of_the_prox(penalty, weight):
    """The prox of v at step t is optimal for the smooth part (x - v)**2 / (2 t)."""
    for v in POINTS:
        for t in (0.2, 1.0):
            x = penalties.prox(penalty, v, t * weight)
            g = (x - v) / t
            distance = penalties.subdifferential_distance(penalty, x, g, weight)
            assert distance == pytest.approx(0.0, abs=1e-14)
            for other in POINTS:
                if abs(other - x) > 1e-9:
                    g = (other - v) / t
                    assert (
                        penalties.subdifferential_distance(penalty, other, g, weight)
                        > 1e-3
                    )


@every_penalty
@pytest.mark.parametrize("weight", WEIGHTS)
def test_distance_is_that_of_one_sided_slopes(penalty, weight):
    """The subdifferential is the interval between the left and right derivative."""
    h = 1e-7
    for w in POINTS:
        centre = weighted(penalty, w, weight)
        if not np.isfinite(centre):
            distance = penalties.subdifferential_distance(penalty, w, 0.1, weight)
            assert distance == math.inf
            continue
        left = (centre - weighted(penalty, w - h, weight)) / h
        right = (weighted(penalty, w + h, weight) - centre) / h
        for g in (-4.0, -0.7, 0.0, 0.1, 2.0):
            expected = max(left + g, -g - right, 0.0)
            distance = penalties.subdifferential_distance(penalty, w, g, weight)
            assert distance == pytest.approx(expected, abs=1e-6)


@every_penalty
@pytest.mark.parametrize("weight", WEIGHTS)
def test_conjugate_is_the_supremum(penalty, weight):
    grid = np.unique(np.concatenate([np.linspace(-60, 60, 240001), [-0.5, 0.3, 2.0]]))
    for u in (-1.9, -0.6, -0.1, 0.0, 0.15, 0.8, 2.2):
        conjugate = penalties.conjugate(penalty, u, weight)
        supremum = np.max(u * grid - weighted(penalty, grid, weight))
        if math.isinf(conjugate):
            assert supremum > 2.0  # grows with the grid: 60 * (|u| - slope)
        else:
            assert conjugate == pytest.approx(supremum, abs=1e-4)
            assert conjugate >= supremum - 1e-12


@every_penalty
@pytest.mark.parametrize("weight", [*WEIGHTS, 0.0])
@given(u=st.floats(-50, 50), w=st.floats(-50, 50))
@settings(max_examples=50, deadline=None)
def test_fenchel_young(penalty, weight, u, w):
    value = penalties.value(penalty, w, weight)
    conjugate = penalties.conjugate(penalty, u, weight)
    excess = value + conjugate - u * w
    assert excess >= -1e-10 * (1 + abs(u * w))
    distance = penalties.subdifferential_distance(penalty, w, -u, weight)
    if distance == 0.0 and penalty in CONVEX:
        assert excess == pytest.approx(0.0, abs=1e-8 * (1 + abs(u * w)))


@every_penalty
@pytest.mark.parametrize("weight", WEIGHTS)
def test_dual_scale_is_the_largest(penalty, weight):
    for u in (-3.0, -0.4, 0.0, 0.2, 5.0):
        s = penalties.dual_scale(penalty, u, weight)
        assert 0.0 <= s <= 1.0
        assert math.isfinite(penalties.conjugate(penalty, s * (1 - 1e-12) * u, weight))
        if s < 1.0:
            beyond = penalties.conjugate(penalty, (s + 1e-9) * u, weight)
            assert beyond == math.inf


@every_penalty
@pytest.mark.parametrize("weight", [*WEIGHTS, 0.0])
def test_piece_is_a_taylor_expansion_up_to_its_ends(penalty, weight):
    for w in POINTS:
        lower, upper, slope, curvature = penalties.piece(penalty, w, weight)
        assert lower <= w <= upper
        if lower == upper:
            continue
        centre = penalties.value(penalty, w, weight)
        for x in np.linspace(max(lower, w - 5), min(upper, w + 5), 9):
            d = x - w
            expected = centre + slope * d + 0.5 * curvature * d * d
            value = penalties.value(penalty, float(x), weight)
            assert value == pytest.approx(expected, abs=1e-12)
        for end in (lower, upper):
            if math.isfinite(end):  # there is no longer interval
                beyond = end + math.copysign(1.0, end - w)
                d = beyond - w
                extension = centre + slope * d + 0.5 * curvature * d * d
                value = penalties.value(penalty, beyond, weight)
                assert abs(value - extension) > 1e-3


@every_penalty
def test_weight_zero_frees_the_coefficient(penalty):
    for v in POINTS:
        assert penalties.value(penalty, v, 0.0) == 0.0
        assert penalties.prox(penalty, v, 0.0) == v
        assert penalties.subdifferential_distance(penalty, v, -0.3, 0.0) == 0.3
        assert penalties.piece(penalty, v, 0.0)[:2] == (-math.inf, math.inf)
        assert penalties.dual_scale(penalty, 1.0, 0.0) == 0.0
    assert penalties.conjugate(penalty, 0.0, 0.0) == 0.0
    assert penalties.conjugate(penalty, 1e-9, 0.0) == math.inf


CONCAVE = [penalty for penalty in TABLE if penalty not in CONVEX]


@pytest.mark.parametrize("penalty", CONCAVE, ids=repr)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_concave_penalties_are_stationary_at_their_prox(penalty, weight):
    """Of several local minima the prox is the lowest one, so stationary too."""
    for v in [*POINTS, *np.linspace(-5, 5, 101)]:
        for t in (0.2, 1.0, 2.0):
            x = penalties.prox(penalty, v, t * weight)
            g = (x - v) / t
            distance = penalties.subdifferential_distance(penalty, x, g, weight)
            assert distance == pytest.approx(0.0, abs=1e-13)
            grid = np.linspace(-6, 6, 4001)
            least = np.min(0.5 * (grid - v) ** 2 + t * weighted(penalty, grid, weight))
            mine = 0.5 * (x - v) ** 2 + t * float(weighted(penalty, x, weight))
            assert mine <= least + 1e-13


def test_limits():
    for v in POINTS:
        for weight in WEIGHTS:
            for almost in (MCP(0.6, 1e12), SCAD(0.6, 1e12)):
                lasso = penalties.prox(L1(0.6), v, weight)
                assert penalties.prox(almost, v, weight) == pytest.approx(lasso)
                lasso = penalties.value(L1(0.6), v, weight)
                assert penalties.value(almost, v, weight) == pytest.approx(lasso)
                assert penalties.prox(almost._replace(alpha=0.0), v, weight) == v
    for v in POINTS:
        for weight in WEIGHTS:
            args = (v, weight)
            prox = penalties.prox
            assert prox(ElasticNet(0.6, 1.0), *args) == prox(L1(0.6), *args)
            assert prox(ElasticNet(0.6, 0.0), *args) == prox(L2(0.6), *args)
            assert prox(Box(0.0, math.inf), *args) == prox(NonNegative(), *args)
            assert prox(L1(0.0), *args) == v
            positive = prox(NonNegative(0.6, 0.3), *args)
            assert positive == max(0.0, prox(ElasticNet(0.6, 0.3), *args))


@every_penalty
def test_arrays_and_kernels_agree_with_python(penalty):
    v = np.array(POINTS)
    weight = np.tile([1.0, 0.0, 2.0, 0.5, 1.0], 2)
    prox = penalties.proximal_point(penalty, v, weight)
    expected = [penalties.prox(penalty, *pair) for pair in zip(v, weight)]
    np.testing.assert_array_equal(prox, expected)
    total = sum(penalties.value(penalty, *pair) for pair in zip(prox, weight))
    assert penalties.evaluate(penalty, prox, weight) == pytest.approx(total)
    out = np.empty_like(v)
    largest = penalties.kkt_distances(penalty, prox, prox - v, weight, out)
    assert largest == out.max()
    np.testing.assert_allclose(out, 0.0, atol=1e-15)


@every_penalty
def test_float32(penalty):
    v = np.array(POINTS)
    single = penalties.proximal_point(penalty, v.astype(np.float32), 0.7)
    assert single.dtype == np.float32
    double = penalties.proximal_point(penalty, v, 0.7)
    np.testing.assert_allclose(single, double, rtol=3e-7, atol=3e-7)


@every_penalty
def test_huge_coefficients_stay_finite_or_infinite(penalty):
    for v in (1e150, -1e150, 1e-300):
        assert not math.isnan(penalties.value(penalty, v))
        assert not math.isnan(penalties.prox(penalty, v, 2.0))
        assert not math.isnan(penalties.subdifferential_distance(penalty, v, 1.0))
        assert not math.isnan(penalties.conjugate(penalty, v))


@every_penalty
def test_values(penalty):
    assert pickle.loads(pickle.dumps(penalty)) == penalty
    assert copy.deepcopy(penalty) == penalty
    assert eval(repr(penalty), {**vars(penalties), "inf": math.inf}) == penalty
    assert penalties.get(penalty) == penalty
    assert penalties.PENALTIES[penalty.name] is type(penalty)
    assert bool(penalty) and hash(penalty) == hash(copy.copy(penalty))


def test_penalties_are_compared_by_type():
    assert L1(1.0) != L2(1.0) and L1(1.0) != (1.0,)
    assert L1(1) == L1(1.0)


def test_get():
    assert penalties.get("elasticnet") == ElasticNet()
    assert isinstance(penalties.get(L1(2)).alpha, float)
    with pytest.raises(ValueError, match=r"'lasso'.*elasticnet.*l1"):
        penalties.get("lasso")
    with pytest.raises(TypeError, match="penalty"):
        penalties.get(3.0)


@pytest.mark.parametrize(
    "bad, error, words",
    [
        (L1(-1.0), ValueError, ["alpha of L1", "-1.0", "at least 0"]),
        (L1(math.nan), ValueError, ["alpha of L1", "nan", "at least 0"]),
        (L1("x"), TypeError, ["alpha of L1", "'x'", "at least 0"]),
        (L1(True), TypeError, ["alpha of L1", "True", "at least 0"]),
        (L1(None), TypeError, ["alpha of L1", "None", "at least 0"]),
        (L1(10**400), ValueError, ["alpha of L1", "finite"]),
        (L2(math.inf), ValueError, ["alpha of L2", "inf", "finite"]),
        (L2(np.ones(2)), TypeError, ["alpha of L2", "array", "at least 0"]),
        (ElasticNet(math.nan), ValueError, ["alpha of ElasticNet", "nan"]),
        (ElasticNet(1.0, 1.5), ValueError, ["l1_ratio of", "1.5", "from 0 to 1"]),
        (ElasticNet(1.0, False), TypeError, ["l1_ratio of", "False", "from 0 to 1"]),
        (NonNegative(1.0, -0.1), ValueError, ["l1_ratio of NonNegative", "-0.1"]),
        (Box(2.0, 1.0), ValueError, ["lower of Box", "at most upper", "2.0", "1.0"]),
        (Box(math.inf, math.inf), ValueError, ["lower of Box", "below inf", "inf"]),
        (Box(-math.inf, -math.inf), ValueError, ["upper of Box", "above -inf"]),
        (Box(math.nan, 1.0), ValueError, ["lower of Box", "nan"]),
        (Box(0.0, math.nan), ValueError, ["upper of Box", "nan"]),
        (Box("0", 1.0), TypeError, ["lower of Box", "'0'"]),
        (MCP(1.0, 1.0), ValueError, ["gamma of MCP", "1.0", "above 1"]),
        (MCP(1.0, math.inf), ValueError, ["gamma of MCP", "inf", "finite"]),
        (MCP(-1.0), ValueError, ["alpha of MCP", "-1.0", "at least 0"]),
        (SCAD(1.0, 2.0), ValueError, ["gamma of SCAD", "2.0", "above 2"]),
        (SCAD(math.nan), ValueError, ["alpha of SCAD", "nan"]),
        (MCP(positive=1), TypeError, ["positive of MCP", "True or False", "1"]),
    ],
)
def test_bad_parameters(bad, error, words):
    for use in (
        lambda: penalties.get(bad),
        lambda: penalties.evaluate(bad, [1.0]),
        lambda: penalties.proximal_point(bad, [1.0], 1.0),
    ):
        with pytest.raises(error) as caught:
            use()
        for word in words:
            assert word in str(caught.value)


def test_ends_of_ranges_are_allowed():
    for good in (L1(0), L2(0.0), ElasticNet(1, 0), ElasticNet(1, 1), Box(1, 1)):
        assert penalties.get(good) == good
    free = Box(-math.inf, math.inf)
    assert penalties.evaluate(free, [-1e300, 1e300]) == 0.0


@pytest.mark.parametrize(
    "bad, message",
    [
        ([-1.0], "must be at least 0; got -1.0"),
        ([math.nan], "must be at least 0; got nan"),
        ([1.0, 2.0, 3.0], r"of shape \(3,\) does not fit . of shape \(2,\)"),
    ],
)
def test_bad_weights_and_steps(bad, message):
    with pytest.raises(ValueError, match="weight " + message):
        penalties.evaluate("l1", [1.0, 2.0], weight=bad)
    with pytest.raises(ValueError, match="step " + message):
        penalties.proximal_point("l1", [1.0, 2.0], bad)


def soft_threshold(v, t):
    return np.sign(v) * np.maximum(np.abs(v) - t, 0)


@pytest.mark.parametrize("dtype", [int, np.int8, np.uint8, bool, np.float16, float])
def test_proximal_points_of_any_numbers_are_float64(dtype):
    v = np.array([0, 1, 3, 2, 0, 1]).astype(dtype)
    before = v.copy()
    for penalty in ("l1", L1(), L1(1)):
        point = penalties.proximal_point(penalty, v, 0.25)
        assert point.dtype == np.float64
        expected = soft_threshold(v.astype(float), 0.25)
        np.testing.assert_array_equal(point, expected)
    np.testing.assert_array_equal(v, before)
    np.testing.assert_array_equal(penalties.proximal_point("l1", [3, -2], 1), [2, -1])


def test_proximal_points_keep_their_shape():
    v = np.linspace(-2, 2, 12).reshape(3, 4)
    step = np.array([0.1, 0.2, 0.3, 0.4])
    for array in (v, np.asfortranarray(v), np.repeat(v, 2, axis=0)[::2]):
        point = penalties.proximal_point("l1", array, step)
        np.testing.assert_allclose(point, soft_threshold(v, step), rtol=1e-15)
    assert penalties.proximal_point("l1", 3.0, 1.0).shape == ()


def test_tiny_steps_do_not_free_float32_coefficients():
    v = np.array([-1.0, 2.0], np.float32)
    point = penalties.proximal_point(NonNegative(), v, 1e-300)
    np.testing.assert_array_equal(point, [0.0, 2.0])


def test_distances_may_be_written_into_an_input():
    w, g, weight = np.array([0.0, 1.0, -2.0]), np.array([0.75, -0.5, 0.1]), np.ones(3)
    expected = [0.25, 0.0, 0.4]
    for place in range(3):
        arrays = [w.copy(), g.copy(), weight.copy()]
        largest = penalties.kkt_distances(L1(0.5), *arrays, arrays[place])
        assert largest == pytest.approx(0.4)
        np.testing.assert_allclose(arrays[place], expected, atol=1e-15)


def test_kernels_see_one_form_of_arrays(tmp_path):
    """Numba compiles anew for read-only and memory-mapped arrays."""
    from skloss.penalties import _evaluation

    mapped = np.memmap(tmp_path / "v", dtype=float, mode="w+", shape=(4,))
    mapped[:] = [-2.0, -0.1, 0.1, 2.0]
    read_only = np.array(mapped)
    read_only.flags.writeable = False
    for v in (np.array(mapped), read_only, mapped, np.repeat(mapped, 2)[::2]):
        point = penalties.proximal_point(L2(2.0), v, read_only + 2.0)
        np.testing.assert_allclose(point, mapped / (5.0 + 2.0 * mapped))
        assert penalties.evaluate(L2(2.0), v) == pytest.approx(8.02)
    mine = [
        signature
        for signature in _evaluation._proximal_point.signatures
        if signature[0].instance_class is L2 and str(signature[1].dtype) == "float64"
    ]
    assert len(mine) == 1, mine


def test_kernels_choose_by_type():
    @kernel
    def both(first, second, v):
        return penalties.prox(first, v, 1.0), penalties.prox(second, v, 1.0)

    assert both(L1(1.0), Box(0.0, 2.0), 2.5) == (1.5, 2.0)
