"""Points of linear problems: intercept, scores and what certificates rest on."""

import math

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from scipy.special import logit

from skloss import losses
from skloss.losses import (
    Exponential,
    Gamma,
    Huber,
    Logistic,
    ModifiedHuber,
    Poisson,
    SmoothedHinge,
    Squared,
    SquaredHinge,
)
from skloss.penalties import L1, L2, NonNegative, evaluate
from skloss.solvers import LinearProblem, prox_newton
from skloss.solvers._lowest import lowest

SMOOTH = [
    Logistic(),
    SquaredHinge(),
    Exponential(),
    SmoothedHinge(),
    SmoothedHinge(0.01),
    ModifiedHuber(),
    Squared(),
    Huber(0.1),
    Poisson(),
    Gamma(),
]


def targets(loss, generator, n):
    if loss.targets == "sign":
        return generator.choice([-1.0, 1.0], size=n, p=[0.3, 0.7])
    return generator.poisson(3.0, size=n) + 1.0


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
@pytest.mark.parametrize("offset", [-600.0, -40.0, 0.0, 40.0, 600.0])
def test_the_intercept_is_optimal_from_any_start(loss, offset):
    """Brent's method on the same function, which needs no derivatives."""
    generator = np.random.default_rng(0)
    y = targets(loss, generator, 50)
    x = generator.normal(size=50)

    def mean_loss(intercept):
        return losses.evaluate(loss, y, x + intercept).mean()

    best = minimize_scalar(mean_loss, bracket=(-1.0, 1.0), options={"xtol": 1e-12})
    point = LinearProblem(loss, x[:, None], y).at(np.array([1.0, offset]))
    assert point.loss <= best.fun * (1 + 1e-14)
    assert point.loss == pytest.approx(mean_loss(point.x[1]), rel=1e-13)
    # What the rounding of scores as large as the offset leaves.
    limit = 8 * np.finfo(float).eps * (10 + abs(offset))
    assert abs(point.first.sum()) <= limit * max(1.0, point.second.sum())


@pytest.mark.parametrize("loss", SMOOTH, ids=repr)
def test_off_centre_data_converge(loss):
    generator = np.random.default_rng(1)
    y = targets(loss, generator, 80)
    X = generator.normal(size=(80, 3)) + 1000.0
    near = prox_newton(LinearProblem(loss, X - 1000.0, y), L2(0.1), tol=1e-10)
    far = prox_newton(LinearProblem(loss, X, y), L2(0.1), x0=[0.1, 0, 0, 0], tol=1e-10)
    assert near.converged and far.converged
    assert far.objective == pytest.approx(near.objective, rel=1e-9)


def test_lowest_of_a_function_without_minimum_ends():
    calls = []

    def line(b):
        calls.append(b)
        return math.exp(-b), -math.exp(-b), math.exp(-b), 0.0

    b = lowest(line)
    assert math.exp(-b) == 0.0 and len(calls) < 30
    assert calls[-1] == b


def test_one_class_is_fitted_by_the_intercept_alone():
    X = np.random.default_rng(0).normal(size=(30, 2))
    result = prox_newton(LinearProblem("logistic", X, np.ones(30)), L1(0.1))
    assert result.converged and result.objective < 1e-8
    np.testing.assert_array_equal(result.x[:2], 0.0)


@pytest.mark.parametrize("penalty", [L1(0.0), L1(1e-3), NonNegative()], ids=repr)
def test_objective_is_that_of_the_unknowns(penalty):
    """A constant column and the intercept can drift apart without limit."""
    generator = np.random.default_rng(0)
    X = np.column_stack([np.full(60, 1e6), generator.normal(size=(60, 3))])
    y = np.where(X[:, 1] + generator.logistic(size=60) > 0, 1.0, -1.0)
    problem = LinearProblem("logistic", X, y)
    for x0 in ([0, 0, 0, 0, 0], [3.0, 0, 0, 0, -3e6]):
        result = prox_newton(problem, penalty, x0=x0, tol=1e-12)
        coef, intercept = problem.split(result.x)
        direct = np.logaddexp(0, -y * (X @ coef + intercept)).mean()
        direct += evaluate(penalty, coef)
        assert result.objective == pytest.approx(direct, rel=1e-9)


def test_loss_is_that_of_the_unknowns_where_the_intercept_is_coarse():
    """Beside -1e16 the intercept cannot be told from one that is off by 1."""
    generator = np.random.default_rng(0)
    X = 1e6 + generator.normal(size=(60, 1))
    y = np.where(generator.random(60) < 0.5, 1.0, -1.0)
    point = LinearProblem("logistic", X, y).at(np.array([1e10, -1e16]))
    direct = np.logaddexp(0, -y * (X @ point.x[:1] + point.x[1])).mean()
    assert point.loss == pytest.approx(direct, rel=1e-14)
    gap = point.dual_gap(L2(1.0), np.array([1.0, 0.0]))
    assert gap >= point.loss + 0.5e20 - math.log(2.0)  # zero does no worse than that


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_column_without_effect_is_left_to_the_penalty(value):
    X = np.random.default_rng(0).normal(size=(60, 4))
    y = np.where(X[:, 0] > 0.3, 1.0, -1.0)
    expected = prox_newton(LinearProblem("logistic", X[:, :3], y), L1(0.05), tol=1e-12)
    X[:, 3] = value
    for design in (X, sparse.csr_array(X)):
        problem = LinearProblem("logistic", design, y)
        result = prox_newton(problem, L1(0.05), x0=[0, 0, 0, 2.0, 0], tol=1e-12)
        assert result.converged and result.x[3] == 0.0
        assert result.objective == pytest.approx(expected.objective, rel=1e-11)


@pytest.mark.parametrize("weight", [1e308, 1e-310, 5e-324])
def test_weights_of_any_scale_are_relative(weight):
    X, y = np.eye(3), np.array([1.0, 2.0, 4.0])
    problem = LinearProblem("squared", X, y, np.full(3, weight), fit_intercept=False)
    np.testing.assert_allclose(problem.row_weight, 1 / 3, rtol=1e-15)
    result = prox_newton(problem, L2(1 / 3))
    np.testing.assert_allclose(result.x, y / 2, rtol=1e-12)  # (1 + 1) x = y


def test_gap_is_infinite_until_unpenalised_coefficients_have_settled():
    """With no penalty at all the gap's other terms are 0 wherever one looks."""
    generator = np.random.default_rng(0)
    X = generator.normal(size=(50, 4))
    y = X @ [1.0, 2.0, 0.0, 0.0] + generator.normal(size=50)
    problem = LinearProblem("squared", X, y)
    rough = prox_newton(problem, L1(0.1), weight=np.zeros(4), max_iter=0)
    design = np.column_stack([X, np.ones(50)])
    residual = y - design @ np.linalg.lstsq(design, y)[0]
    best = residual @ residual / 100
    assert rough.objective > 1.5 * best
    assert rough.dual_gap >= rough.objective - best
    exact = prox_newton(problem, L1(0.1), weight=np.zeros(4), tol=1e-12)
    assert exact.converged and exact.objective == pytest.approx(best, rel=1e-12)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e6, 1e12])
@pytest.mark.parametrize("shift", [0.0, 1e4])
@pytest.mark.parametrize("loss", ["squared", "logistic"])
def test_units_of_an_unpenalised_column_do_not_matter(scale, shift, loss):
    generator = np.random.default_rng(0)
    X = generator.normal(size=(80, 6)) + shift
    y = X[:, 0] - X[:, 1] + generator.logistic(size=80)
    y = np.where(y > 0, 1.0, -1.0) if loss == "logistic" else y
    weight = np.array([0.0, 1, 1, 1, 1, 1])
    reference = prox_newton(
        LinearProblem(loss, X - shift, y), L1(0.05), weight=weight, tol=1e-13
    )
    X[:, 0] *= scale
    result = prox_newton(LinearProblem(loss, X, y), L1(0.05), weight=weight, tol=1e-9)
    assert result.converged, result
    assert result.dual_gap <= 1e-9 * result.objective
    assert result.objective == pytest.approx(reference.objective, rel=2e-9)
    assert result.objective - reference.objective <= result.dual_gap + 1e-12


@pytest.mark.parametrize("x0", [0.0, 1e3, 1e6, 1e9])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_without_a_gap_a_far_start_buys_nothing(x0, scale):
    """Nonnegative least squares has no dual point at hand; scipy's nnls is exact."""
    from scipy.optimize import nnls

    generator = np.random.default_rng(0)
    X = generator.normal(size=(60, 5)) * [1, scale, 1, 1, 1]
    y = X @ [1.0, 1.0 / scale, 0, 0, 0] + generator.normal(size=60)
    problem = LinearProblem("squared", X, y, fit_intercept=False)
    result = prox_newton(problem, NonNegative(), x0=np.full(5, x0), tol=1e-6)
    assert result.converged
    best = nnls(X, y)[1] ** 2 / 120
    assert result.objective == pytest.approx(best, rel=1e-9)


def test_gradient_scale_bounds_gradients_at_zero():
    generator = np.random.default_rng(0)
    X = generator.normal(size=(200, 4)) * [1e-3, 1, 1e3, 0] + 5
    y = np.where(X[:, 1] > 5, 1.0, -1.0)
    rate = (y > 0).mean()
    residual = rate - (y > 0)
    expected = X.std(0) * residual.std()
    scale = LinearProblem("logistic", X, y).gradient_scale()
    np.testing.assert_allclose(scale[:4], expected, rtol=1e-10, atol=1e-13)
    assert LinearProblem("logistic", X, y).at(np.zeros(5)).x[-1] == pytest.approx(
        logit(rate)
    )


def test_arguments_are_left_alone():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.ones(20)
    y[::2] = -1
    arrays = X, y, np.full(20, 2.0), np.array([5.0, 0.0, 0.0, 0.0]), np.ones(3)
    before = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    X, y, sample_weight, x0, weight = arrays
    problem = LinearProblem("logistic", X, y, sample_weight)
    problem.at(x0)
    prox_newton(problem, L1(0.01), x0=x0, weight=weight)
    # Duplicate entries of a sparse matrix are summed in a copy.
    doubled = sparse.csc_array(
        (np.ones(4), np.array([0, 0, 1, 1]), np.array([0, 2, 4])), shape=(20, 2)
    )
    point = LinearProblem("logistic", doubled, y).at(np.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(point.start[:3], [2.0, 2.0, 0.0])
    assert doubled.nnz == 4
    for array, copy in zip(arrays, before):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"X": np.empty((0, 2)), "y": []}, r"X must be .* one row; got shape \(0, 2\)"),
        ({"X": np.ones(2)}, r"X must be a matrix .* \(2,\)"),
        ({"X": np.ones((2, 2, 2))}, "X must be a matrix"),
        ({"X": np.eye(2) * 1j}, "X must hold real numbers"),
        ({"X": [[1.0, np.nan], [0.0, 1.0]]}, "X must be finite"),
        ({"X": np.diag([1.0, np.inf]).astype(np.float32)}, "X must be finite"),
        ({"X": sparse.csr_array(np.diag([1.0, -np.inf]))}, "X must be finite"),
        ({"X": sparse.coo_array([1.0, 2.0])}, "X must be a matrix"),
        ({"y": [[1.0], [1.0]]}, r"y must have shape \(2,\); got \(2, 1\)"),
        ({"y": 1.0}, r"y must have shape \(2,\); got \(\)"),
        ({"y": [1.0, np.nan]}, "y must be finite"),
        ({"sample_weight": [1.0, np.nan]}, "sample_weight must be finite"),
        ({"sample_weight": [1.0, np.inf]}, "sample_weight must be finite"),
        ({"sample_weight": [1.0]}, "sample_weight must have shape"),
    ],
)
def test_bad_problems(change, message):
    arguments = {"loss": "logistic", "X": np.eye(2), "y": [1.0, -1.0]} | change
    with pytest.raises(ValueError, match=message):
        LinearProblem(**arguments)


def test_the_largest_finite_numbers_are_finite():
    """Their sum is not, which the quick check must not mistake for them."""
    X = np.full((3, 1), 1e308)
    assert LinearProblem("squared", X, np.zeros(3)).size == 2
