"""Penalties of whole vectors against conic solvers, closed forms and each other."""

import copy
import math
import pickle

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from skloss.penalties import (
    L1,
    GroupLasso,
    Slope,
    SparseEnvelope,
    SparseGroupLasso,
    benjamini_hochberg,
    proximal_point,
)
from skloss.penalties._vector_contract import prox_residual

LABELS = np.array([3, 0, 3, 0, 7, 3, 1])
N = LABELS.size
FACTORS = np.array([0.5, 1.0, 2.0, 0.7])  # of groups 0, 1, 3, 7
FALLING = np.array([3.0, 2.0, 2.0, 1.0, 0.5, 0.5, 0.0])
FEW = {0: [1, 3], 1: [6], 3: [0, 2, 5], 7: [4]}


def group_norms(w, factors):
    return sum(f * cp.norm(w[FEW[g]], 2) for f, g in zip(factors, sorted(FEW)))


def envelope(w, k, blocks, weights):
    """The definition: a minimum over shares."""
    u = cp.Variable(len(blocks))
    cost = sum(
        weights[j] * cp.quad_over_lin(w[block], u[j]) for j, block in enumerate(blocks)
    )
    return cost / 2, [u >= 0, u <= 1, cp.sum(u) <= k]


def slope(w, weights):
    """Sorted sums as sums of the largest, by parts."""
    drops = weights - np.append(weights[1:], 0.0)
    return sum(
        d * cp.sum_largest(cp.abs(w), i + 1) for i, d in enumerate(drops) if d > 0
    )


SINGLE = [[j] for j in range(N)]
IN_GROUPS = [FEW[g] for g in sorted(FEW)]
ROOTS = np.sqrt([2, 1, 3, 1])
# Each penalty with its definition for cvxpy: a function of w to (value, constraints).
TABLE = {
    "group": (GroupLasso(0.7, LABELS), lambda w: (0.7 * group_norms(w, ROOTS), [])),
    "group weights": (
        GroupLasso(0.7, LABELS, weights=FACTORS),
        lambda w: (0.7 * group_norms(w, FACTORS), []),
    ),
    "group positive": (
        GroupLasso(0.7, LABELS, positive=True),
        lambda w: (0.7 * group_norms(w, ROOTS), [w >= 0]),
    ),
    "sparse group": (
        SparseGroupLasso(0.8, LABELS, 0.4),
        lambda w: (0.32 * cp.norm1(w) + 0.48 * group_norms(w, ROOTS), []),
    ),
    "sparse group positive": (
        SparseGroupLasso(0.8, LABELS, 0.4, weights=FACTORS, positive=True),
        lambda w: (0.32 * cp.norm1(w) + 0.48 * group_norms(w, FACTORS), [w >= 0]),
    ),
    "lasso as sparse group": (
        SparseGroupLasso(0.8, LABELS, 1.0),
        lambda w: (0.8 * cp.norm1(w), []),
    ),
    "envelope": (
        SparseEnvelope(0.9, 3, range(N)),
        lambda w: scaled(0.9, envelope(w, 3, SINGLE, np.ones(N))),
    ),
    "envelope groups": (
        SparseEnvelope(0.9, 2, LABELS, weights=FACTORS),
        lambda w: scaled(0.9, envelope(w, 2, IN_GROUPS, FACTORS)),
    ),
    "slope": (Slope(0.6, FALLING), lambda w: (0.6 * slope(w, FALLING), [])),
    "slope bh": (
        Slope(0.6, benjamini_hochberg(N)),
        lambda w: (0.6 * slope(w, benjamini_hochberg(N)), []),
    ),
}
POINTS = [
    np.array([1.0, -2.0, 0.5, 0.1, -3.0, 2.5, 1.4]),
    np.array([1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0]),
    np.array([0.0, 0.0, 4.0, 0.0, 0.0, 0.0, -0.2]),
    np.array([0.3, -0.3, 0.2, 0.9, -2.0, 2.0, 2.0]),
    np.array([-1.0, -2.0, -0.5, -1.0, -3.0, -0.5, -0.1]),
]
every_penalty = pytest.mark.parametrize("name", TABLE)


def scaled(alpha, pair):
    return alpha * pair[0], pair[1]


def conic(objective, constraints):
    accuracy = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-11)
    problem = cp.Problem(cp.Minimize(objective), constraints)
    return problem.solve(solver=cp.CLARABEL, **accuracy)


@every_penalty
def test_value_is_the_definition(name):
    penalty, definition = TABLE[name]
    for point in POINTS:
        w = cp.Variable(N)
        cost, constraints = definition(w)
        if getattr(penalty, "positive", False):
            assert penalty.value(point - 10.0) == math.inf
            point = np.abs(point)
        expected = conic(cost, [*constraints, w == point])
        assert penalty.value(point) == pytest.approx(expected, rel=1e-6)
    assert penalty.value(np.zeros(N)) == 0.0


@every_penalty
@pytest.mark.parametrize("step", [0.3, 1.0, 4.0])
def test_prox_minimises(name, step):
    """No worse than the conic solver's minimum, and near its minimiser."""
    penalty, definition = TABLE[name]
    for v in POINTS:
        w = cp.Variable(N)
        cost, constraints = definition(w)
        expected = conic(cp.sum_squares(w - v) / 2 + step * cost, constraints)
        x = penalty.prox(v, step)
        mine = 0.5 * np.sum((x - v) ** 2) + step * penalty.value(x)
        assert mine <= expected * (1 + 1e-8) + 1e-9
        np.testing.assert_allclose(x, w.value, atol=2e-4)


@every_penalty
def test_moreau(name):
    """What the prox leaves is a subgradient: Fenchel-Young holds with equality."""
    penalty, _ = TABLE[name]
    for v in POINTS:
        for step in (0.2, 1.0, 3.0):
            x = penalty.prox(v, step)
            s, part = penalty.gap(x, (v - x) / step)
            assert s == pytest.approx(1.0, abs=1e-12)
            assert part == pytest.approx(0.0, abs=1e-12 * (1 + v @ v / step))
            assert prox_residual(penalty, x, (v - x) / step, step).max() < 1e-12


@every_penalty
def test_gap_part_is_value_plus_conjugate_less_product(name, rng):
    """The conjugate is computed anew, as a conic supremum."""
    penalty, definition = TABLE[name]
    for v in POINTS:
        u = 2.0 * rng.normal(size=N)
        point = np.abs(v) if getattr(penalty, "positive", False) else v
        s, part = penalty.gap(point, u)
        assert 0.0 < s <= 1.0
        w = cp.Variable(N)
        cost, constraints = definition(w)
        inside = 0.999 * s * u if s < 1.0 else u  # at its edge the cone is all there is
        conjugate = -conic(cost - inside @ w, constraints)
        expected = penalty.value(point) + conjugate - s * u @ point
        assert part == pytest.approx(expected, rel=1e-6, abs=1e-6)
        if s < 1.0:  # no larger scaling is feasible
            w = cp.Variable(N)
            cost, constraints = definition(w)
            box = [w >= -1, w <= 1]
            assert conic(cost - 1.001 * s * u @ w, [*constraints, *box]) < -1e-6


@every_penalty
@given(
    u=st.lists(st.floats(-5, 5), min_size=N, max_size=N),
    w=st.lists(st.floats(-5, 5), min_size=N, max_size=N),
)
def test_fenchel_young(name, u, w):
    penalty, _ = TABLE[name]
    s, part = penalty.gap(np.array(w), np.array(u))
    assert 0.0 <= s <= 1.0 and part >= 0.0


@every_penalty
def test_restriction_is_the_penalty_of_vectors_that_are_zero_elsewhere(name):
    penalty, _ = TABLE[name]
    columns = penalty.closure(np.array([6, 2]))
    columns = columns[::-1].copy()  # in any order
    part = penalty.restrict(columns)
    for v in POINTS:
        whole = np.zeros(N)
        whole[columns] = np.abs(v[columns])
        assert part.value(whole[columns]) == pytest.approx(penalty.value(whole))
        expected = penalty.prox(whole, 0.4)
        np.testing.assert_allclose(part.prox(whole[columns], 0.4), expected[columns])
        assert np.count_nonzero(expected) == np.count_nonzero(expected[columns])


@every_penalty
def test_piece_is_a_taylor_expansion(name):
    penalty, _ = TABLE[name]
    for v in POINTS:
        w = penalty.prox(np.abs(v), 0.3)
        piece = penalty.piece(w)
        if not piece.z.size:
            assert not w.any()
            continue

        def value(z, piece=piece):
            x = np.zeros(N)
            x[piece.active] = piece.sign * (
                z if piece.merge is None else z[piece.merge]
            )
            return penalty.value(x)

        assert value(piece.z) == pytest.approx(penalty.value(w))
        h = 1e-4 * piece.z.min()
        bend = 0.0 if piece.hessian is None else piece.hessian
        bend = bend * np.ones((piece.z.size, piece.z.size))
        for i in range(piece.z.size):
            d = h * np.eye(piece.z.size)[i]
            if piece.ordered:
                d = h * (np.arange(piece.z.size) <= i)  # stays in order
            up, down = value(piece.z + d), value(piece.z - d)
            if piece.ordered and i + 1 < piece.z.size:
                assert piece.z[i] - h > piece.z[i + 1]
            slope = piece.gradient @ d
            assert (up - down) / 2 == pytest.approx(slope, rel=1e-5, abs=1e-12)
            curved = up + down - 2 * value(piece.z)
            assert curved == pytest.approx(d @ bend @ d, abs=1e-4 * h * h + 1e-14)


@every_penalty
def test_zero_exactly_from_the_critical_alpha_on(name):
    penalty, _ = TABLE[name]
    for u in POINTS[:4]:
        critical = penalty.critical_alpha(u)
        if math.isinf(critical):
            assert "envelope" in name
            assert penalty.with_alpha(1e6).prox(u, 1.0).any()
            continue
        assert not penalty.with_alpha(critical * (1 + 1e-9)).prox(u, 1.0).any()
        assert penalty.with_alpha(critical * (1 - 1e-6)).prox(u, 1.0).any()
        assert not penalty.with_alpha(critical * 1.001).activity(u, 1.0).any()
        assert penalty.with_alpha(critical * 0.999).activity(u, 1.0).any()


@every_penalty
@pytest.mark.parametrize("scale", [1e-100, 1e100])
def test_scales(name, scale):
    """Norms are homogeneous, the envelope is so of degree two."""
    penalty, _ = TABLE[name]
    for v in POINTS:
        if "envelope" in name:
            scaled_prox = penalty.prox(scale * v, 0.5)
        else:
            scaled_prox = penalty.with_alpha(scale * penalty.alpha).prox(scale * v, 0.5)
        expected = penalty.prox(v, 0.5)
        np.testing.assert_allclose(scaled_prox / scale, expected, rtol=1e-12)


@every_penalty
def test_alpha_of_zero_is_no_penalty(name):
    penalty, _ = TABLE[name]
    penalty = penalty.with_alpha(0.0)
    v = np.abs(POINTS[0])
    np.testing.assert_array_equal(penalty.prox(v, 2.0), v)
    assert penalty.value(v) == 0.0
    assert penalty.free.all()
    assert penalty.gap(v, np.zeros(N)) == (1.0, 0.0)


@every_penalty
def test_copies(name):
    penalty, _ = TABLE[name]
    for other in (pickle.loads(pickle.dumps(penalty)), copy.deepcopy(penalty)):
        np.testing.assert_array_equal(
            other.prox(POINTS[0], 0.5), penalty.prox(POINTS[0], 0.5)
        )
    assert f"alpha={penalty.alpha}" in repr(penalty)


def test_limits(rng):
    singletons = np.array([5, 3, 9, 1, 0, 7, 2])
    for v in [*POINTS, rng.normal(size=N)]:
        lasso = proximal_point(L1(0.4), v, 0.7)
        for penalty in (
            GroupLasso(0.4, singletons),
            SparseGroupLasso(0.4, singletons, 0.3),
            SparseGroupLasso(0.4, LABELS, 1.0),
            Slope(0.4, np.ones(N)),
        ):
            np.testing.assert_allclose(penalty.prox(v, 0.7), lasso, atol=1e-15)
            assert penalty.value(v) == pytest.approx(0.4 * np.abs(v).sum())
        np.testing.assert_allclose(
            SparseGroupLasso(0.4, LABELS, 0.0).prox(v, 0.7),
            GroupLasso(0.4, LABELS).prox(v, 0.7),
        )
        ridge = SparseEnvelope(0.4, N, range(N))
        np.testing.assert_allclose(ridge.prox(v, 0.7), v / 1.28)
        assert ridge.value(v) == pytest.approx(0.2 * v @ v)
        one = SparseEnvelope(0.4, 1, range(N))
        assert one.value(v) == pytest.approx(0.2 * np.abs(v).sum() ** 2)


def test_envelope_prox_of_many_sizes(rng):
    """The root of the piecewise linear function, against bisection."""
    for n, k, alpha in [(50, 7, 1e-6), (50, 7, 1e6), (400, 1, 0.1), (400, 399, 2.0)]:
        weights = rng.uniform(0.1, 3.0, n)
        v = rng.normal(size=n) * 10.0 ** rng.uniform(-3, 3, n)
        beta = alpha * weights
        a = np.sqrt(beta) * np.abs(v)
        low, high = 0.0, ((1 + beta) / a).max()
        for _ in range(200):
            middle = 0.5 * (low + high)
            over = np.clip(middle * a - beta, 0, 1).sum() > k
            low, high = (low, middle) if over else (middle, high)
        u = np.clip(low * a - beta, 0, 1)
        x = SparseEnvelope(alpha, k, range(n), weights=weights).prox(v, 1.0)
        np.testing.assert_allclose(x, v * u / (u + beta), rtol=1e-9, atol=1e-12)


def test_slope_keeps_ties_and_signs():
    v = np.array([2.0, -2.0, 1.9, 0.0, -0.0, 1e-9, -2.0])
    x = Slope(1.0, np.linspace(1.0, 0.1, N)).prox(v, 0.5)
    assert abs(x[0]) == abs(x[1]) == abs(x[6])
    np.testing.assert_array_equal(x * v >= 0, True)
    np.testing.assert_array_equal(x[3:6], 0.0)


def test_benjamini_hochberg_weights():
    expected = norm.isf(np.arange(1, 6) * 0.2 / 10)
    np.testing.assert_allclose(benjamini_hochberg(5, q=0.2), expected)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: GroupLasso(-1.0, LABELS), ["alpha", "-1.0", "at least 0"]),
        (lambda: GroupLasso(math.nan, LABELS), ["alpha", "nan"]),
        (lambda: GroupLasso(1.0, [0.5, 1.0]), ["groups", "integer"]),
        (lambda: GroupLasso(1.0, [[0], [1]]), ["groups", "(2, 1)"]),
        (lambda: GroupLasso(1.0, [0, 1], weights=[1.0]), ["weights", "(2,)", "(1,)"]),
        (lambda: GroupLasso(1.0, [0, 1], weights=[1, -1]), ["weights", "at least 0"]),
        (lambda: SparseGroupLasso(1.0, LABELS, 1.5), ["l1_ratio", "1.5", "0 to 1"]),
        (lambda: SparseEnvelope(1.0, 0, range(3)), ["n_nonzero", "0", "at least 1"]),
        (lambda: SparseEnvelope(1.0, 1.5, range(3)), ["n_nonzero", "1.5", "integer"]),
        (
            lambda: SparseEnvelope(1.0, 1, [0, 1], weights=[1.0, 0.0]),
            ["weights", "above 0"],
        ),
        (lambda: Slope(1.0, [1.0, 2.0]), ["weights", "not increase"]),
        (lambda: Slope(1.0, [0.0, 0.0]), ["weights", "above 0"]),
        (lambda: Slope(1.0, [1.0, -1.0]), ["weights", "at least 0"]),
        (lambda: benjamini_hochberg(3, q=1.0), ["q", "1.0", "between 0 and 1"]),
    ],
)
def test_bad_parameters(make, words):
    with pytest.raises(ValueError) as caught:
        make()
    for word in words:
        assert word in str(caught.value)
