"""Paths of penalties of whole vectors: optima by conic solvers, gaps, limits."""

import math

import cvxpy as cp
import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls

from skloss.penalties import (
    L1,
    GroupLasso,
    Slope,
    SparseEnvelope,
    SparseGroupLasso,
    benjamini_hochberg,
)
from skloss.solvers._composite_whole import WholeProblem
from skloss.solvers._fold_grams import FoldGrams
from skloss.solvers.composite import composite_path
from skloss.solvers.path import Level, quadratic_path

P = 24
LABELS = np.repeat(np.arange(8), 3)[np.random.default_rng(5).permutation(P)]
PENALTIES = {
    "group": GroupLasso(1.0, LABELS),
    "group positive": GroupLasso(1.0, LABELS, positive=True),
    "sparse group": SparseGroupLasso(1.0, LABELS, 0.4),
    "sparse group positive": SparseGroupLasso(1.0, LABELS, 0.4, positive=True),
    "envelope": SparseEnvelope(1.0, 4, range(P)),
    "envelope groups": SparseEnvelope(1.0, 2, LABELS),
    "slope": Slope(1.0, benjamini_hochberg(P)),
    "slope falling to 0": Slope(1.0, np.linspace(1.0, 0.0, P)),
}
every_penalty = pytest.mark.parametrize("name", PENALTIES)
KINDS = ["iid", "ar", "near duplicates", "wide"]


def design(kind, rng, n=40, p=P):
    noise = rng.normal(size=(n, p))
    if kind == "ar":
        X = noise.copy()
        for j in range(1, p):
            X[:, j] = 0.95 * X[:, j - 1] + math.sqrt(1 - 0.95**2) * noise[:, j]
        return X
    if kind == "near duplicates":
        return rng.normal(size=(n, p // 4)).repeat(4, axis=1) + 0.05 * noise
    return noise[: 15 if kind == "wide" else n]


def sample(kind, seed=0):
    rng = np.random.default_rng(seed)
    X = design(kind, rng) * rng.uniform(0.5, 2.0, P) + rng.normal(size=P)
    y = X[:, :4] @ [1.0, -1.0, 2.0, 0.5] + 0.5 * rng.normal(size=len(X)) + 3.0
    return X, y, rng.uniform(0.2, 2.0, len(X))


def cost(penalty, w):
    """The penalty for cvxpy, from its definition."""
    if isinstance(penalty, Slope):
        drops = penalty.weights - np.append(penalty.weights[1:], 0.0)
        terms = [
            d * cp.sum_largest(cp.abs(w), i + 1) for i, d in enumerate(drops) if d > 0
        ]
        return penalty.alpha * sum(terms), []
    blocks = [
        np.flatnonzero(penalty.groups.index == g) for g in range(penalty.groups.n)
    ]
    if isinstance(penalty, SparseEnvelope):
        u = cp.Variable(len(blocks))
        terms = [cp.quad_over_lin(w[b], u[j]) for j, b in enumerate(blocks)]
        shares = [u >= 0, u <= 1, cp.sum(u) <= penalty.n_nonzero]
        return penalty.alpha / 2 * sum(terms), shares
    norms = sum(f * cp.norm(w[b], 2) for f, b in zip(penalty.weights, blocks))
    r = penalty.l1_ratio
    total = penalty.alpha * (r * cp.norm1(w) + (1 - r) * norms)
    return total, [w >= 0] if penalty.positive else []


def conic_minimum(X, y, weight, penalty, ridge=0.0):
    s = weight / weight.sum()
    Xc, yc = X - s @ X, y - s @ y
    R, z = np.sqrt(s)[:, None] * Xc, np.sqrt(s) * yc
    w = cp.Variable(X.shape[1])
    total, constraints = cost(penalty, w)
    objective = cp.sum_squares(z - R @ w) / 2 + total + ridge / 2 * cp.sum_squares(w)
    problem = cp.Problem(cp.Minimize(objective), constraints)
    accuracy = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-10)
    return problem.solve(solver=cp.CLARABEL, **accuracy)


def data_of(X, y, weight=None, left_out=None, center=True):
    weight = np.ones(len(y)) if weight is None else weight
    return FoldGrams(X, y, weight, left_out or [[]], center=center)


def falling(penalty, data, n=6, eps=1e-2):
    top = min(penalty.critical_alpha(data.linear[0]), 10.0)
    return [Level(penalty.with_alpha(a), 0.0) for a in top * np.geomspace(1, eps, n)]


def dense(solution, p=P):
    w = np.zeros(p)
    w[solution.support] = solution.values
    return w


def objective(X, y, weight, penalty, w):
    s = weight / weight.sum()
    r = (y - s @ y) - (X - s @ X) @ w
    return 0.5 * s @ r**2 + penalty.value(w)


@every_penalty
@pytest.mark.parametrize("kind", KINDS)
def test_optimum_of_a_conic_solver(name, kind):
    X, y, weight = sample(kind)
    data = data_of(X, y, weight)
    levels = falling(PENALTIES[name], data)
    [path] = composite_path(data, levels, tol=1e-9)
    square = data.square[0]
    for level, solution in zip(levels, path, strict=True):
        assert solution.converged and solution.dual_gap <= 1e-9 * square
        w = dense(solution)
        value = objective(X, y, weight, level.penalty, w)
        assert solution.objective == pytest.approx(value, rel=1e-10)
        expected = conic_minimum(X, y, weight, level.penalty)
        assert value == pytest.approx(expected, rel=1e-7)


@every_penalty
def test_gap_is_a_bound_for_any_accuracy(name):
    """Loose solutions say how loose they are."""
    X, y, weight = sample("ar", 1)
    seen = 0.0
    for tol in (1e-1, 1e-2, 1e-4):
        data = data_of(X, y, weight)
        levels = falling(PENALTIES[name], data, n=4)
        [path] = composite_path(data, levels, tol=tol)
        tight = data_of(X, y, weight)
        [best] = composite_path(tight, levels, tol=1e-11)
        for solution, least in zip(path, best, strict=True):
            excess = solution.objective - least.objective
            assert excess <= solution.dual_gap + 1e-10 * data.square[0]
            seen = max(seen, excess)
    assert seen > 1e-6 * data.square[0]  # loose ones were among them


@every_penalty
def test_folds_are_fits_on_their_rows(name):
    X, y, weight = sample("near duplicates", 2)
    folds = [np.arange(40)[f::4] for f in range(4)]
    data = data_of(X, y, weight, folds)
    levels = falling(PENALTIES[name], data)
    paths = composite_path(data, levels, tol=1e-10)
    for path, rows in zip(paths, folds, strict=True):
        kept = np.setdiff1d(np.arange(40), rows)
        alone = data_of(X[kept], y[kept], weight[kept])
        [own] = composite_path(alone, levels, tol=1e-10)
        for mine, other in zip(path, own, strict=True):
            expected = other.objective
            bound = 2e-10 * alone.square[0]
            assert mine.objective == pytest.approx(expected, abs=bound)


@every_penalty
def test_sparse_designs(name):
    rng = np.random.default_rng(3)
    X = np.where(rng.random((60, P)) < 0.2, rng.normal(size=(60, P)), 0.0)
    y = X[:, 0] - X[:, 1] + 0.1 * rng.normal(size=60)
    levels = falling(PENALTIES[name], data_of(X, y))
    [one] = composite_path(data_of(X, y), levels, tol=1e-11)
    [two] = composite_path(data_of(sparse.csc_array(X), y), levels, tol=1e-11)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(dense(a), dense(b), atol=1e-4)
        assert a.objective == pytest.approx(b.objective, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_lasso_in_disguise(kind):
    """Singletons, equal weights, a share of 1: all are the lasso's path."""
    X, y, weight = sample(kind, 4)
    lasso = data_of(X, y, weight)
    alphas = np.abs(lasso.linear).max() * np.geomspace(1, 0.01, 5)
    levels = [Level(L1(a), a) for a in alphas]
    [expected] = quadratic_path(lasso, levels, np.ones(P), tol=1e-11)
    for penalty in (
        GroupLasso(1.0, np.arange(P)[::-1]),
        SparseGroupLasso(1.0, LABELS, 1.0),
        Slope(1.0, np.ones(P)),
    ):
        levels = [Level(penalty.with_alpha(a), a) for a in alphas]
        [path] = composite_path(data_of(X, y, weight), levels, tol=1e-11)
        for mine, other in zip(path, expected, strict=True):
            assert mine.objective == pytest.approx(other.objective, rel=1e-9)
            np.testing.assert_allclose(dense(mine), dense(other), atol=2e-4)


def test_envelope_of_all_is_ridge():
    X, y, weight = sample("ar", 5)
    data = data_of(X, y, weight)
    s = weight / weight.sum()
    Xc, yc = X - s @ X, y - s @ y
    for alpha in (1e-3, 0.1, 10.0):
        penalty = SparseEnvelope(alpha, P, range(P))
        [[solution]] = composite_path(data, [Level(penalty, 0.0)], tol=1e-13)
        G = (Xc.T * s) @ Xc + alpha * np.eye(P)
        expected = np.linalg.solve(G, (Xc.T * s) @ yc)
        np.testing.assert_allclose(dense(solution), expected, atol=1e-5)


def test_ridge_of_a_level():
    X, y, weight = sample("ar", 6)
    for penalty in (GroupLasso(0.1, LABELS), Slope(0.05, benjamini_hochberg(P))):
        data = data_of(X, y, weight)
        levels = [Level(penalty, 0.0, 0.3)]
        [[solution]] = composite_path(data, levels, tol=1e-10)
        expected = conic_minimum(X, y, weight, penalty, ridge=0.3)
        assert solution.converged
        assert solution.objective == pytest.approx(expected - 0.0, rel=1e-7)


@every_penalty
@pytest.mark.parametrize("kind", ["ar", "wide"])
def test_alpha_of_zero_is_least_squares(name, kind):
    X, y, _ = sample(kind, 7)
    data = data_of(X, y)
    penalty = PENALTIES[name]
    levels = [*falling(penalty, data, n=3), Level(penalty.with_alpha(0.0), 0.0)]
    [path] = composite_path(data, levels, tol=1e-9)
    Xc, yc = X - X.mean(axis=0), y - y.mean()
    if getattr(penalty, "positive", False):
        best = nnls(Xc, yc)[0]
    else:
        best = np.linalg.lstsq(Xc, yc)[0]
    expected = 0.5 * np.mean((yc - Xc @ best) ** 2)
    assert path[-1].converged
    assert path[-1].objective == pytest.approx(expected, abs=2e-9 * data.square[0])


def test_free_groups():
    """A group of weight 0 is fitted by least squares at every level."""
    X, y, _ = sample("ar", 8)
    weights = np.sqrt(np.full(8, 3.0))
    weights[2] = 0.0
    penalty = GroupLasso(1e3, LABELS, weights=weights)
    data = data_of(X, y)
    [[solution]] = composite_path(data, [Level(penalty, 0.0)], tol=1e-12)
    mine = np.flatnonzero(LABELS == 2)
    Xc = X[:, mine] - X[:, mine].mean(axis=0)
    expected = np.linalg.lstsq(Xc, y - y.mean())[0]
    assert solution.converged
    np.testing.assert_array_equal(solution.support, mine)
    np.testing.assert_allclose(solution.values, expected, rtol=1e-7)


@every_penalty
def test_constant_and_duplicate_columns(name):
    X, y, weight = sample("iid", 9)
    X[:, 5] = 1e3 / 3
    X[:, 11] = X[:, 0]
    X[:, 12] = -X[:, 1]
    data = data_of(X, y, weight)
    levels = falling(PENALTIES[name], data)
    [path] = composite_path(data, levels, tol=1e-9)
    for level, solution in zip(levels, path, strict=True):
        assert solution.converged and 5 not in solution.support
        expected = conic_minimum(X, y, weight, level.penalty)
        assert solution.objective == pytest.approx(expected, rel=1e-7)
    [again] = composite_path(data_of(X, y, weight), levels, tol=1e-9)
    for one, two in zip(path, again, strict=True):
        np.testing.assert_array_equal(one.values, two.values)


@every_penalty
@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_scale_of_the_target(name, scale):
    """Norms scale with the target, and the envelope with nothing."""
    X, y, weight = sample("ar", 10)
    penalty = PENALTIES[name]
    unit = 1.0 if "envelope" in name else scale
    levels = falling(penalty, data_of(X, y, weight), n=4)
    larger = [Level(penalty.with_alpha(unit * lv.penalty.alpha), 0.0) for lv in levels]
    [path] = composite_path(data_of(X, y, weight), levels, tol=1e-10)
    [scaled] = composite_path(data_of(X, scale * y, weight), larger, tol=1e-10)
    for one, two in zip(path, scaled, strict=True):
        assert two.converged
        assert two.objective == pytest.approx(scale**2 * one.objective, rel=1e-7)


@every_penalty
def test_constant_target_and_no_levels(name):
    X, _, weight = sample("iid", 11)
    penalty = PENALTIES[name]
    [[solution]] = composite_path(
        data_of(X, np.full(40, 7.0), weight), [Level(penalty, 0.0)]
    )
    assert solution.converged and solution.support.size == 0
    assert composite_path(data_of(X, np.ones(40)), []) == [[]]


@every_penalty
def test_report_stops_and_the_limit_of_passes_tells(name):
    X, y, weight = sample("ar", 12)
    data = data_of(X, y, weight)
    levels = falling(PENALTIES[name], data)
    seen = []

    def report(task, solved):
        seen.append((task, len(solved)))
        return len(solved) == 3

    [path] = composite_path(data, levels, report=report)
    assert len(path) == 3 and seen == [(0, 1), (0, 2), (0, 3)]
    data = data_of(X, y, weight)
    [path] = composite_path(data, levels, tol=0.0, max_iter=1)
    assert len(path) == len(levels)
    assert all(s.n_iter == 1 for s in path)
    assert all(s.converged == (s.dual_gap == 0.0) for s in path)


@pytest.mark.parametrize("n", [60, 800])
@pytest.mark.parametrize("kind", ["group", "sparse group", "positive"])
def test_columns_and_gram_matrices_and_large_groups(n, kind):
    """Wide and tall working sets; one group is too large for its eigenvectors."""
    rng = np.random.default_rng(n)
    labels = np.repeat([0, 1, 2, 3, 4], [300, 1, 40, 2, 17])
    labels = labels[rng.permutation(labels.size)]
    X = rng.normal(size=(n, labels.size)) + rng.normal(size=(n, 5))[:, labels]
    y = X[:, labels >= 2][:, ::7].sum(axis=1) + X[:, labels == 0][:, :9].sum(axis=1)
    y += rng.normal(size=n)
    weight = rng.uniform(0.5, 1.5, n)
    penalty = {
        "group": GroupLasso(1.0, labels),
        "sparse group": SparseGroupLasso(1.0, labels, 0.3),
        "positive": GroupLasso(1.0, labels, positive=True),
    }[kind]
    data = data_of(X, y, weight)
    levels = falling(penalty, data, n=4, eps=0.05)
    [path] = composite_path(data, levels, tol=1e-9)
    assert all(s.converged for s in path)
    assert (data.kept.size == 0) == (n == 60)  # without a Gram matrix
    expected = conic_minimum(X, y, weight, levels[2].penalty)
    assert path[2].objective == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("kind", ["near duplicates", "ar"])
def test_groups_of_near_duplicates_need_few_passes(kind):
    """Hundreds of sweeps over such groups do not replace exact steps on each."""
    rng = np.random.default_rng(14)
    X = design(kind, rng, n=100, p=200)
    y = X[:, ::20].sum(axis=1) + rng.normal(size=100)
    penalty = GroupLasso(1.0, np.arange(200) // 4)
    data = data_of(X, y)
    levels = falling(penalty, data, n=20)
    [path] = composite_path(data, levels, tol=1e-10)
    assert all(s.converged and s.n_iter <= 4 for s in path)


def test_many_columns_join_the_working_set(rng):
    """Wide designs: the certificate sees columns that no Gram matrix was made of."""
    n, p = 80, 600
    X = rng.normal(size=(n, p // 6)).repeat(6, axis=1) + 0.3 * rng.normal(size=(n, p))
    y = X[:, :40:4] @ rng.normal(size=10) + rng.normal(size=n)
    weight = np.ones(n)
    for penalty in (
        GroupLasso(1.0, np.arange(p) // 6),
        SparseEnvelope(1.0, 5, range(p)),
        Slope(1.0, np.repeat([2.0, 1.0, 0.5], [20, 100, 480])),
    ):
        data = data_of(X, y)
        levels = falling(penalty, data, n=8, eps=0.1)
        [path] = composite_path(data, levels, tol=1e-8)
        assert all(s.converged for s in path)
        assert data.kept.size < p
        expected = conic_minimum(X, y, weight, levels[-1].penalty)
        assert path[-1].objective == pytest.approx(expected, rel=1e-6)


def interpolating(seed):
    """More active groups than rows, at a strength so small that all rows are met."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 30))
    p = int(rng.integers(n, 120))
    X = rng.standard_normal((n, p))
    y = X[:, 0] + 0.3 * rng.standard_normal(n)
    labels = np.arange(p) // int(rng.integers(2, 6))
    return X, y, labels, 10.0 ** rng.uniform(-6, -3)


# Directions of no curvature: of what looks like a descent, most is rounding.
@pytest.mark.parametrize("seed", [27, 79, 89, 117, 157, 186, 317, 642])
@pytest.mark.parametrize("kind", ["group", "sparse group", "positive"])
def test_more_active_groups_than_rows(seed, kind):
    X, y, labels, alpha = interpolating(seed)
    penalty = {
        "group": GroupLasso(alpha, labels),
        "sparse group": SparseGroupLasso(alpha, labels, 0.5),
        "positive": GroupLasso(alpha, labels, positive=True),
    }[kind]
    data = data_of(X, y)
    [[solution]] = composite_path(data, [Level(penalty, 0.0)])
    assert solution.converged
    expected = conic_minimum(X, y, np.ones(len(y)), penalty)
    assert -1e-9 <= solution.objective - expected <= 2e-6 * data.square[0]


def complementary():
    """Dummies of both answers to a question, as they are made from tables."""
    answer = np.tile([0.0, 1.0], 20)
    return np.column_stack([answer, 1.0 - answer]), 3.0 * answer


def signs():
    """Ones and minus ones, all of whose columns are also there with the other sign."""
    X = np.random.default_rng(15).choice([-1.0, 1.0], (32, 6))
    return np.hstack([X, -X]), 2.0 * X[:, 0] - X[:, 3]


# The sums of the Gram matrices' rows are zero.
@pytest.mark.parametrize("make", [complementary, signs])
@pytest.mark.parametrize("kind", ["slope", "flat slope", "envelope", "group"])
def test_columns_that_cancel(make, kind):
    X, y = make()
    y += np.random.default_rng(16).standard_normal(len(y))
    p = X.shape[1]
    penalty = {
        "slope": Slope(0.01, benjamini_hochberg(p)),
        "flat slope": Slope(0.01, np.ones(p)),
        "envelope": SparseEnvelope(0.01, 1, range(p)),
        "group": GroupLasso(0.01, np.arange(p) % (p // 2)),
    }[kind]
    [[solution]] = composite_path(data_of(X, y), [Level(penalty, 0.0)], tol=1e-9)
    assert solution.converged and solution.support.size
    expected = conic_minimum(X, y, np.ones(len(y)), penalty)
    assert solution.objective == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("half", [1, 3, 300])
@pytest.mark.parametrize("scale", [1e-300, 1.0, 1e280])
def test_steps_are_short_enough_and_not_zero(half, scale):
    """Sums of rows are in the null space; the matrix of 300 pairs is a large one."""
    X = np.random.default_rng(17).standard_normal((40, half))
    Q = scale * np.kron([[1.0, -1.0], [-1.0, 1.0]], X.T @ X / 40)
    largest = scale * 2.0 * (np.linalg.norm(X, 2) ** 2 / 40)
    steepest = WholeProblem(Q, Q[0].copy(), 1.0).steepest
    assert largest * (1 - 1e-12) <= steepest <= 1.06 * largest


@every_penalty
@pytest.mark.parametrize("scale", [1e-150, 1e-88, 1e140])
def test_scale_of_the_columns(name, scale):
    """Coefficients shrink as columns grow; nothing is lost below or above."""
    X, y, _ = sample("iid", 18)
    penalty = PENALTIES[name]
    alpha = 0.1 * min(penalty.critical_alpha(data_of(X, y).linear[0]), 10.0)
    power = scale**2 if "envelope" in name else scale
    levels = [Level(penalty.with_alpha(alpha), 0.0)]
    [[one]] = composite_path(data_of(X, y), levels, tol=1e-10)
    levels = [Level(penalty.with_alpha(power * alpha), 0.0)]
    [[two]] = composite_path(data_of(scale * X, y), levels, tol=1e-10)
    assert two.converged
    assert two.objective == pytest.approx(one.objective, rel=1e-8)
    np.testing.assert_allclose(scale * dense(two), dense(one), atol=1e-4)
