import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear, nnls
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet as SklearnElasticNet
from sklearn.linear_model import Lasso

from skloss.penalties import L1, L2, Box, ElasticNet, NonNegative, evaluate
from skloss.solvers import (
    DenseGram,
    DesignGram,
    gram_descent,
    warn_unless_converged,
)
from skloss.solvers._working_set import penalty_gap, stationarity

PENALTIES = [
    L1(0.1),
    L2(0.2),
    ElasticNet(0.2, 0.6),
    NonNegative(),
    NonNegative(0.1, 0.5),
    NonNegative(0.1, 1.0),
    Box(-0.3, 0.5),
    Box(-math.inf, 0.1),
]
every_penalty = pytest.mark.parametrize("penalty", PENALTIES, ids=repr)


def autoregressive(n, p, r, seed=0):
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, p))
    for j in range(1, p):
        X[:, j] = r * X[:, j - 1] + math.sqrt(1 - r * r) * X[:, j]
    coef = np.zeros(p)
    coef[generator.choice(p, 8, replace=False)] = generator.choice([-1.0, 1.0], 8)
    y = X @ coef + 0.5 * generator.normal(size=n)
    return np.asfortranarray(X - X.mean(0)), y - y.mean()


def least_squares(X, y):
    n = len(y)
    return X.T @ X / n, X.T @ y / n, y @ y / n


@every_penalty
@pytest.mark.parametrize("shape", [(80, 20), (60, 260)], ids=str)
def test_minimum_is_the_conic_solvers(penalty, shape, conic_minimum):
    import cvxpy as cp

    X, y = autoregressive(*shape, r=0.8)
    weight = np.random.default_rng(1).uniform(0.5, 2.0, size=shape[1])
    weight[:2] = 0.0
    G, c, y_squared = least_squares(X, y)
    expected = conic_minimum(
        lambda w: cp.sum_squares(y - X @ w) / (2 * len(y)), penalty, weight
    )
    gram = G if shape[1] < 100 else DesignGram(X)
    result = gram_descent(
        gram, c, penalty, weight=weight, y_squared=y_squared, tol=1e-10
    )
    assert result.converged
    assert result.objective == pytest.approx(expected, rel=1e-7)
    # The objective reported is that of the coefficients reported.
    residual = y - X @ result.x
    direct = 0.5 * np.mean(residual**2) + evaluate(penalty, result.x, weight)
    assert result.objective == pytest.approx(direct, rel=1e-11)
    assert result.objective - expected <= result.dual_gap + 1e-7 or math.isnan(
        result.dual_gap
    )


@every_penalty
def test_gap_is_never_below_the_distance_to_the_minimum(penalty):
    X, y = autoregressive(100, 60, r=0.9)
    G, c, y_squared = least_squares(X, y)
    weight = np.ones(60)
    weight[0] = 0.0
    args = {"weight": weight, "y_squared": y_squared}
    best = gram_descent(G, c, penalty, tol=1e-14, **args).objective
    generator = np.random.default_rng(0)
    for scale in (0.0, 1e-4, 1e-2, 1.0):
        start = scale * generator.normal(size=60)
        rough = gram_descent(G, c, penalty, x0=start, max_iter=0, **args)
        if not math.isnan(rough.dual_gap):
            assert rough.dual_gap >= rough.objective - best - 1e-13
        assert rough.objective >= best - 1e-13


def test_gap_shrinks_with_the_distance():
    X, y = autoregressive(100, 60, r=0.9)
    G, c, y_squared = least_squares(X, y)
    exact = gram_descent(G, c, L1(0.05), y_squared=y_squared, tol=1e-14)
    gaps = [
        gram_descent(
            G, c, L1(0.05), x0=exact.x * (1 + e), y_squared=y_squared, max_iter=0
        ).dual_gap
        for e in (1e-2, 1e-4, 1e-6, 1e-8)
    ]
    assert gaps == sorted(gaps, reverse=True)
    # In proportion to the distance: what scaling a dual point costs.
    np.testing.assert_allclose(np.divide(gaps[:-1], gaps[1:]), 100, rtol=0.2)
    assert exact.dual_gap < 1e-13


@pytest.mark.parametrize("r", [0.0, 0.95])
@pytest.mark.parametrize("alpha", [0.3, 0.02, 0.002])
def test_lasso_is_sklearns(r, alpha):
    X, y = autoregressive(100, 400, r=r)
    result = gram_descent(
        DesignGram(X), X.T @ y / 100, L1(alpha), y_squared=y @ y / 100, tol=1e-10
    )
    peer = Lasso(alpha, fit_intercept=False, tol=1e-10, max_iter=200_000).fit(X, y)
    peer_objective = 0.5 * np.mean((y - X @ peer.coef_) ** 2)
    peer_objective += alpha * np.abs(peer.coef_).sum()
    assert result.objective <= peer_objective * (1 + 1e-9)
    np.testing.assert_allclose(X @ result.x, X @ peer.coef_, atol=2e-4)


@pytest.mark.parametrize("positive", [False, True])
def test_elastic_net_is_sklearns(positive):
    X, y = autoregressive(120, 50, r=0.7)
    G, c, y_squared = least_squares(X, y)
    penalty = NonNegative(0.1, 0.3) if positive else ElasticNet(0.1, 0.3)
    result = gram_descent(G, c, penalty, y_squared=y_squared, tol=1e-12)
    peer = SklearnElasticNet(
        0.1, l1_ratio=0.3, positive=positive, fit_intercept=False, tol=1e-12
    ).fit(X, y)
    np.testing.assert_allclose(result.x, peer.coef_, atol=1e-6)


def test_nonnegative_is_nnls_and_box_is_lsq_linear():
    X, y = autoregressive(80, 60, r=0.5)
    G, c, y_squared = least_squares(X, y)
    args = {"y_squared": y_squared, "tol": 1e-11}
    result = gram_descent(G, c, NonNegative(), **args)
    coef, norm = nnls(X, y)
    assert result.objective == pytest.approx(norm**2 / 160, rel=1e-10)
    np.testing.assert_allclose(result.x, coef, atol=1e-7)
    result = gram_descent(G, c, Box(-0.1, 0.2), **args)
    peer = lsq_linear(X, y, (-0.1, 0.2), tol=1e-14)
    assert result.objective == pytest.approx(peer.cost / 80, rel=1e-9)
    assert result.x.min() >= -0.1 and result.x.max() <= 0.2


def test_ridge_is_a_linear_system():
    X, y = autoregressive(50, 30, r=0.9)
    G, c, _ = least_squares(X, y)
    result = gram_descent(G, c, L2(0.3), tol=1e-14)
    expected = np.linalg.solve(G + 0.3 * np.eye(30), c)
    np.testing.assert_allclose(result.x, expected, rtol=1e-9)


def test_free_coordinates_alone_are_least_squares():
    X, y = autoregressive(50, 30, r=0.9)
    G, c, y_squared = least_squares(X, y)
    result = gram_descent(G, c, L1(1.0), weight=np.zeros(30), y_squared=y_squared)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(X, y)[0], rtol=1e-8)


@pytest.mark.parametrize("alpha", [1e-9, 0.4, 2.5, 1e9])
def test_l1_without_y_squared_has_no_gap_and_stops_on_stationarity(alpha):
    result = gram_descent(np.diag([2.0, 1.0]), [4.0, 0.5], L1(alpha), tol=1e-12)
    expected = np.maximum(np.array([4.0, 0.5]) - alpha, 0) / [2.0, 1.0]
    np.testing.assert_allclose(result.x, expected, rtol=1e-12)
    assert result.converged and math.isnan(result.dual_gap)


def test_orthonormal_design_is_a_soft_threshold():
    c = np.array([3.0, -0.2, 0.5, -2.0, 0.0])
    result = gram_descent(np.eye(5), c, L1(0.4), y_squared=20.0, tol=1e-15)
    np.testing.assert_allclose(result.x, [2.6, 0.0, 0.1, -1.6, 0.0], rtol=1e-14)


def test_duplicate_and_constant_columns():
    X, y = autoregressive(60, 10, r=0.3)
    twice = np.hstack([X, X, np.zeros((60, 1))])
    for penalty in (L1(0.05), NonNegative(0.05), Box(-0.2, 0.2), L2(0.0)):
        single = gram_descent(*least_squares(X, y)[:2], penalty, tol=1e-10)
        G, c, y_squared = least_squares(twice, y)
        result = gram_descent(G, c, penalty, y_squared=y_squared, tol=1e-10)
        assert result.converged and np.isfinite(result.x).all()
        assert result.x[-1] == 0.0
        if penalty != Box(-0.2, 0.2):  # two columns may use both boxes
            objective = single.objective + 0.5 * y_squared
            assert result.objective == pytest.approx(objective, rel=1e-8)


def test_nearly_collinear_columns_need_newton():
    generator = np.random.default_rng(0)
    groups = generator.normal(size=(200, 30))
    X = np.repeat(groups, 10, axis=1) + 1e-3 * generator.normal(size=(200, 300))
    y = groups[:, :5].sum(axis=1) + generator.normal(size=200)
    G, c, y_squared = least_squares(X, y)
    result = gram_descent(G, c, L1(0.01), y_squared=y_squared, tol=1e-10)
    assert result.converged and result.n_iter < 30
    assert result.dual_gap <= 1e-10 * y_squared


def test_warm_start_needs_no_iteration():
    X, y = autoregressive(100, 300, r=0.9)
    args = (DesignGram(X), X.T @ y / 100, L1(0.05))
    options = {"y_squared": y @ y / 100, "tol": 1e-9}
    first = gram_descent(*args, **options)
    again = gram_descent(*args, x0=first.x, **options)
    assert again.n_iter == 0 and again.converged
    hinted = gram_descent(*args, working_set=np.flatnonzero(first.x), **options)
    assert hinted.n_iter <= first.n_iter
    np.testing.assert_allclose(hinted.x, first.x, atol=1e-6)


def test_large_scales():
    X, y = autoregressive(60, 30, r=0.5)
    G, c, y_squared = least_squares(X, y)
    reference = gram_descent(G, c, L1(0.1), y_squared=y_squared, tol=1e-11)
    for s in (1e-6, 1e6):
        scaled = gram_descent(
            s * s * G, s * c, L1(0.1 * s), y_squared=y_squared, tol=1e-11
        )
        np.testing.assert_allclose(s * scaled.x, reference.x, rtol=1e-6, atol=1e-12)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 12),
    p=st.integers(1, 12),
    which=st.integers(0, len(PENALTIES) - 1),
    rounded=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_any_small_problem_is_stationary(seed, n, p, which, rounded):
    """Rank-deficient, duplicate and zero columns included."""
    generator = np.random.default_rng(seed)
    X = generator.normal(size=(n, p))
    X = np.round(X) if rounded else X
    y = np.round(generator.normal(size=n), 1)
    G, c, y_squared = least_squares(X, y)
    result = gram_descent(G, c, PENALTIES[which], y_squared=y_squared, tol=1e-9)
    assert result.converged, result
    assert result.kkt_violation <= 1e-3 * (1 + np.abs(c).max())


def test_callback_and_history():
    X, y = autoregressive(100, 400, r=0.9)
    args = (DesignGram(X), X.T @ y / 100, L1(0.005))
    seen = []
    full = gram_descent(*args, y_squared=y @ y / 100, callback=seen.append)
    assert [info.n_iter for info in seen] == list(range(1, full.n_iter + 1))
    assert full.n_iter > 2
    assert [h["objective"] for h in full.history] == [i.objective for i in seen]
    assert seen[-1].converged and not seen[0].converged
    objectives = [info.objective for info in seen]
    assert objectives == sorted(objectives, reverse=True)
    stopped = gram_descent(
        *args, y_squared=y @ y / 100, callback=lambda info: info.n_iter == 2
    )
    assert (stopped.status, stopped.n_iter) == ("stopped", 2)
    short = gram_descent(*args, y_squared=y @ y / 100, max_iter=1)
    assert (short.status, short.n_iter) == ("max_iter", 1)
    assert "max_iter after 1" in repr(short)


def test_an_impossible_tolerance_ends_as_stalled():
    X, y = autoregressive(100, 40, r=0.9)
    G, c, y_squared = least_squares(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = gram_descent(G, c, L1(0.01), y_squared=y_squared, tol=0.0)
    assert result.status in ("stalled", "converged")
    assert result.dual_gap <= 1e-13 * y_squared


def test_results_are_reproducible():
    X, y = autoregressive(100, 300, r=0.9)
    runs = [
        gram_descent(DesignGram(X), X.T @ y / 100, L1(0.01), y_squared=y @ y / 100)
        for _ in range(2)
    ]
    np.testing.assert_array_equal(runs[0].x, runs[1].x)


@pytest.mark.parametrize("penalty", [L1(0.3), ElasticNet(0.3), L2(0.3)], ids=repr)
def test_a_coordinate_without_effect_is_left_to_the_penalty(penalty):
    """However the start and the working set would have it."""
    G, c = np.diag([2.0, 0.0]), [1.0, 0.0]
    for start in ([0.0, 5.0], [0.2, -1.0]):
        result = gram_descent(G, c, penalty, x0=start, y_squared=1.0, tol=1e-12)
        alone = gram_descent([[2.0]], [1.0], penalty, y_squared=1.0, tol=1e-12)
        assert result.converged and result.x[1] == 0.0
        assert result.objective == pytest.approx(alone.objective, rel=1e-12)


def test_one_free_coordinate_is_bounded_near_its_minimum():
    """f(x) = (x - 1)^2 / 2, whose distance to the minimum is f itself."""
    for x in (0.9, 0.999, 1.001, 1.1):
        for weight in (0.0, 1.0):
            args = np.array([x]), np.array([x - 1.0]), np.array([weight])
            scaling, gap = penalty_gap(L2(0.0 if weight == 0 else 1e-9), *args)
            assert scaling == 1.0
            assert gap >= (x - 1.0) ** 2 / 2
    # A coordinate far from zero and with a slope is not certified.
    _, gap = penalty_gap(L1(1.0), np.array([3.0]), np.array([-0.5]), np.zeros(1))
    assert gap == 1.5


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6])
def test_units_of_a_free_coordinate_do_not_matter(scale):
    X, y = autoregressive(60, 8, r=0.5)
    weight = np.array([0.0, 0.0, 1, 1, 1, 1, 1, 1])
    options = {"weight": weight, "tol": 1e-10}
    G, c, y_squared = least_squares(X, y)
    expected = gram_descent(G, c, L1(0.05), y_squared=y_squared, **options)
    X[:, 0] *= scale
    G, c, y_squared = least_squares(X, y)
    result = gram_descent(G, c, L1(0.05), y_squared=y_squared, **options)
    assert result.converged
    assert result.objective == pytest.approx(expected.objective, rel=1e-9)
    assert result.x[0] * scale == pytest.approx(expected.x[0], rel=1e-6)


def test_distant_means_do_no_harm():
    X, y = autoregressive(100, 300, r=0.9)
    c, y_squared = X.T @ y / 100, y @ y / 100
    near = gram_descent(DesignGram(X), c, L1(0.05), y_squared=y_squared, tol=1e-9)
    gram = DesignGram(X + 1e6, center=True)
    far = gram_descent(gram, c, L1(0.05), y_squared=y_squared, tol=1e-9)
    assert far.converged and far.n_iter <= near.n_iter + 1
    np.testing.assert_allclose(far.x, near.x, atol=1e-7)


@pytest.mark.parametrize("y_squared", [None, 1.0])
def test_overflow_is_never_convergence(y_squared):
    G, c = np.array([[1e300, 1e300], [1e300, 1e300]]), [1e300, -1e300]
    result = gram_descent(G, c, L1(1.0), x0=[1e200, 0.0], y_squared=y_squared)
    assert result.status == "overflow"
    with pytest.warns(ConvergenceWarning, match="beyond floating point"):
        warn_unless_converged(result, Lasso())


@pytest.mark.parametrize("size", [3, 60, 300])
@pytest.mark.parametrize(
    "penalty", [L1(0.1), L2(0.1), ElasticNet(0.1), NonNegative(0.1), Box(-9.0, 9.0)]
)
@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_negative_curvature_is_noticed(penalty, weight, size):
    """Every pair of coordinates is convex; all together are not, nor is any minimum."""
    r = -1.8 / (size - 1)
    G = (1 - r) * np.eye(size) + r * np.ones((size, size))
    assert np.linalg.eigvalsh(G)[0] == pytest.approx(-0.8)
    with pytest.raises(ValueError, match="G must be positive semi-definite"):
        gram_descent(G, np.ones(size), penalty, weight=weight)


@pytest.mark.parametrize("penalty", [L1(0.1), L2(0.1)], ids=repr)
def test_negative_curvature_is_noticed_beyond_floating_point(penalty):
    """So strong that one round of sweeps overflows."""
    G = 1.99 * np.eye(300) - 0.99
    with pytest.raises(ValueError, match="it has negative curvature on 50 coord"):
        gram_descent(G, np.ones(300), penalty)


def test_saddle_points_are_no_solutions():
    """The gradient vanishes at c / 1.9, where x @ G @ x is positive."""
    G, c = 1.9 * np.eye(3) - 0.9, np.array([1.0, -1.0, 0.0])
    np.testing.assert_allclose(G @ c, 1.9 * c)
    with pytest.raises(ValueError, match="it has negative curvature on 3 coord"):
        gram_descent(G, c, L1(0.1), weight=0.0)


@pytest.mark.parametrize("y_squared", [None, 4.0])
def test_singular_matrices_are_no_negative_curvature(y_squared):
    """Their smallest eigenvalues are rounding, of either sign."""
    X, y = autoregressive(30, 80, r=0.99)
    X = np.hstack([X, X, 1e-6 * X[:, :3]])
    G, c, _ = least_squares(X, y)
    assert np.linalg.eigvalsh(G)[0] < 0
    for tol, max_iter in ((1e-9, 200), (0.0, 200), (0.0, 0), (0.0, 2)):
        options = {"y_squared": y_squared, "tol": tol, "max_iter": max_iter}
        result = gram_descent(G, c, L1(1e-4), **options)
        assert result.status in ("converged", "stalled", "max_iter")


def test_no_iteration_is_a_look_at_the_start():
    G, c, x0 = np.diag([2.0, 1.0]), np.array([4.0, 0.5]), np.array([1.0, -2.0])
    result = gram_descent(G, c, L1(0.5), x0=x0, max_iter=0)
    assert (result.status, result.n_iter, result.history) == ("max_iter", 0, [])
    np.testing.assert_array_equal(result.x, x0)
    assert result.objective == 0.5 * x0 @ G @ x0 - c @ x0 + 0.5 * 3.0


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("place", [0, 2])
def test_stationarity_does_not_pass_over_nan(value, place):
    gradient = np.zeros(3)
    gradient[place] = value
    args = np.zeros(3), gradient, np.ones(3), np.empty(3)
    assert math.isnan(stationarity(L1(1.0), *args))


def test_a_gram_that_answers_nan_is_never_converged():
    class Broken(DenseGram):
        def product(self, w):
            return super().product(w) * np.nan

    result = gram_descent(Broken(np.eye(2)), [1.0, 2.0], L1(5.0), y_squared=5.0)
    assert result.status == "overflow"
    broken = Broken(np.eye(2))
    broken.diagonal = lambda: np.array([1.0, np.nan])
    with pytest.raises(ValueError, match="diagonal of G must be finite"):
        gram_descent(broken, [1.0, 2.0], L1(5.0))


def test_arguments_are_left_alone():
    G, c = 2 * np.eye(3), np.array([1.0, -2.0, 0.5])
    arrays = G, c, np.array([0.0, 1.0, 1.0]), np.array([9.0, 9.0, 9.0])
    for array in arrays:
        array.flags.writeable = False
    result = gram_descent(G, c, L1(0.1), weight=arrays[2], x0=arrays[3], y_squared=9.0)
    assert not any(np.shares_memory(result.x, array) for array in arrays)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"weight": [-1.0, 1.0]}, "weight"),
        ({"weight": [1.0]}, "weight must have shape"),
        ({"weight": [np.nan, 1.0]}, "weight must be finite"),
        ({"G": [[1.0, np.nan], [np.nan, 1.0]]}, "G must be finite"),
        ({"G": np.diag([1.0, np.inf])}, "G must be finite"),
        ({"c": [1.0, np.nan]}, "c must be finite"),
        ({"c": 1.0}, "c must have shape"),
        ({"x0": [0.0, np.inf]}, "x0 must be finite"),
        ({"y_squared": np.nan}, "y_squared must be finite .* nan"),
        ({"y_squared": -1.0}, "y_squared must be finite .* -1"),
        ({"tol": np.nan}, "tol must be .* nan"),
        ({"tol": np.inf}, "tol must be .* inf"),
        ({"tol": -1e-3}, "tol must be .* -0.001"),
        ({"tol": "small"}, "tol must be .* 'small'"),
        ({"max_iter": -1}, "max_iter must be .* -1"),
        ({"max_iter": 2.5}, "max_iter must be .* 2.5"),
        ({"working_set": [2]}, "working_set must hold integers from 0 to 1"),
        ({"working_set": [-1]}, "working_set"),
        ({"working_set": [True, False]}, "working_set"),
        ({"x0": [1.0, 2.0, 3.0]}, "x0"),
        ({"penalty": "lasso"}, "elasticnet"),
        ({"penalty": L1(-1.0)}, "alpha"),
    ],
)
def test_bad_input(change, message):
    arguments = {"G": np.eye(2), "c": [1.0, 2.0], "penalty": "l1"} | change
    with pytest.raises(ValueError, match=message):
        gram_descent(**arguments)
