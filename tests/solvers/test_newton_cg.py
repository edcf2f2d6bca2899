"""Newton-CG on problems whose minimisers are known independently."""

import warnings

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from skloss.solvers import LinearProblem
from skloss.solvers.newton_cg import NewtonProblem, conjugate_gradient, newton_cg


class Ridge(NewtonProblem):
    """Binary logistic regression with a ridge, in plain NumPy."""

    def __init__(self, X, y, ridge, *, bounded=True):
        self.X, self.y, self.ridge, self.bounded = X, y, ridge, bounded
        self.parameters = np.zeros(X.shape[1])
        self.objective = self.value(self.parameters)
        self.n_products = 0

    def value(self, w):
        f = self.X @ w
        return np.mean(np.logaddexp(0, f) - self.y * f) + 0.5 * self.ridge * w @ w

    def gradient(self):
        w = self.parameters
        residuals = expit(self.X @ w) - self.y
        return self.X.T @ residuals / len(self.y) + self.ridge * w

    def hessian_product(self, V):
        self.n_products += 1
        p = expit(self.X @ self.parameters)
        weights = p * (1 - p) / len(self.y)
        return self.X.T @ (weights * (self.X @ V)) + self.ridge * V

    def begin_line(self, direction):
        self.start, self.direction = self.parameters, direction

    def try_step(self, step):
        self.trial = self.start + step * self.direction
        self.trial_value = self.value(self.trial)
        return self.trial_value

    def accept(self):
        self.parameters, self.objective = self.trial, self.trial_value

    def dual_gap(self, gradient):
        return gradient @ gradient / (2 * self.ridge) if self.bounded else np.nan


@pytest.fixture
def data(rng):
    X = rng.standard_normal((300, 8)) @ np.diag(np.geomspace(0.1, 10, 8))
    return X, (X @ rng.standard_normal(8) + rng.logistic(size=300) > 0).astype(float)


@pytest.mark.parametrize("bounded", [True, False])
def test_reaches_the_minimum(data, bounded):
    problem = Ridge(*data, 1e-3, bounded=bounded)
    truth = minimize(
        problem.value,
        np.zeros(8),
        jac=lambda w: _gradient_at(problem, w),
        method="BFGS",
        options={"gtol": 1e-10},
    )
    result = newton_cg(Ridge(*data, 1e-3, bounded=bounded), tol=1e-12)
    assert result.converged
    assert result.objective == pytest.approx(truth.fun, rel=1e-11)
    np.testing.assert_allclose(result.x, truth.x, rtol=1e-4, atol=1e-6)
    assert result.objective - truth.fun <= result.dual_gap + 1e-14


def _gradient_at(problem, w):
    kept = problem.parameters
    problem.parameters = w
    gradient = problem.gradient()
    problem.parameters = kept
    return gradient


def test_objective_never_rises_and_history_is_complete(data):
    problem = Ridge(*data, 1e-4)
    seen = []
    result = newton_cg(problem, tol=1e-10, callback=lambda info: seen.append(info))
    objectives = [entry["objective"] for entry in result.history]
    assert all(np.diff(objectives) <= 0)
    assert [info.objective for info in seen] == objectives
    assert [info.converged for info in seen] == [False] * (len(seen) - 1) + [True]
    assert sum(e["n_products"] for e in result.history) == problem.n_products


def test_backtracks_where_full_steps_rise():
    """Newton's method on log cosh diverges from 2 without a line search."""

    class LogCosh(NewtonProblem):
        def __init__(self):
            self.parameters = np.array([2.0])
            self.objective = float(np.log(np.cosh(2.0)))

        def gradient(self):
            return np.tanh(self.parameters)

        def hessian_product(self, V):
            return V / np.cosh(self.parameters) ** 2

        def begin_line(self, direction):
            self.start, self.direction = self.parameters, direction

        def try_step(self, step):
            self.trial = self.start + step * self.direction
            self.trial_value = float(np.logaddexp(*(self.trial * [1, -1])) - np.log(2))
            return self.trial_value

        def accept(self):
            self.parameters, self.objective = self.trial, self.trial_value

        def dual_gap(self, gradient):
            return float(gradient @ gradient)

    result = newton_cg(LogCosh(), tol=1e-4)
    assert result.history[0]["step"] < 1
    assert abs(result.x[0]) < 1e-2


def test_stops_when_told(data):
    result = newton_cg(
        Ridge(*data, 1e-3), tol=1e-12, callback=lambda info: info.n_iter == 2
    )
    assert result.status == "stopped"
    assert result.n_iter == 2


def test_iterations_run_out(data):
    result = newton_cg(Ridge(*data, 1e-3), tol=1e-12, max_iter=2)
    assert result.status == "max_iter"
    assert result.n_iter == 2
    assert result.dual_gap > 1e-12 * result.objective


def test_says_when_rounding_stops_it(data):
    result = newton_cg(Ridge(*data, 1e-3), tol=1e-40)
    assert result.status == "stalled"
    assert result.n_iter < 30


def test_refines_before_it_claims_convergence(data):
    """A coarse gradient may end neither the search nor the proof."""

    class Coarse(Ridge):
        exact = False

        def gradient(self):
            gradient = super().gradient()
            return gradient if self.exact else gradient.astype(np.float16) + 0.0

        def refine(self):
            self.exact, done = True, self.exact
            return not done

    result = newton_cg(Coarse(*data, 1e-3), tol=1e-10)
    best = newton_cg(Ridge(*data, 1e-3), tol=1e-14).objective
    assert result.converged
    assert result.objective == pytest.approx(best, rel=1e-10)


class Blurred(Ridge):
    """Its Hessian products are wrong by up to a half until `sharpen`."""

    sharp = False

    def hessian_product(self, V):
        product = super().hessian_product(V)
        if self.sharp:
            return product
        blur = 1 - 0.5 * np.sign(np.sin(1e4 * np.arange(len(V)))) * (V > 0)
        return product * blur

    def sharpen(self):
        self.sharp, done = True, self.sharp
        return not done


@pytest.mark.parametrize("max_products", [9, 150])
def test_asks_for_better_directions_before_it_gives_up(data, max_products):
    best = newton_cg(Ridge(*data, 1e-5), tol=1e-14).objective
    problem = Blurred(*data, 1e-5)
    result = newton_cg(problem, tol=1e-12, max_products=max_products)
    assert problem.sharp
    assert result.converged
    assert result.objective == pytest.approx(best, rel=1e-12)


def test_good_directions_are_not_doubted(data):
    problem = Blurred(*data, 1e-3)
    problem.hessian_product = lambda V: Ridge.hessian_product(problem, V)
    assert newton_cg(problem, tol=1e-12).converged
    assert not problem.sharp


def test_directions_that_overflow_end_the_search(data):
    class Overflowing(Ridge):
        def hessian_product(self, V):
            return V * 1e-310

    start = Ridge(*data, 1e-3).objective
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = newton_cg(Overflowing(*data, 1e-3), tol=1e-12)
    assert result.status == "stalled"
    assert np.isfinite(result.x).all()
    assert result.objective <= start


def test_conjugate_gradient_solves_in_as_many_products_as_eigenvalues(rng):
    Q = np.linalg.qr(rng.standard_normal((20, 20)))[0]
    A = Q @ np.diag(np.repeat([1.0, 3, 7, 50], 5)) @ Q.T
    b = rng.standard_normal(20)
    x, n_products = conjugate_gradient(A.dot, b, lambda r: r, rtol=1e-10)
    assert n_products == 4
    np.testing.assert_allclose(x, np.linalg.solve(A, b), rtol=1e-8)


def test_conjugate_gradient_with_the_inverse_needs_one_product(rng):
    A = np.diag(np.geomspace(1, 1e6, 10))
    b = rng.standard_normal(10)
    x, n_products = conjugate_gradient(A.dot, b, np.linalg.inv(A).dot, rtol=1e-8)
    assert n_products == 1
    np.testing.assert_allclose(x, b / np.diag(A))


def test_conjugate_gradient_keeps_the_shape_and_handles_zero():
    A = np.full((2, 3), 2.0)
    x, n_products = conjugate_gradient(
        lambda v: A * v, np.zeros((2, 3)), lambda r: r, rtol=0.1
    )
    assert x.shape == (2, 3)
    assert not x.any()
    assert n_products == 0


def test_the_tolerance_has_a_default(data):
    best = newton_cg(Ridge(*data, 1e-3), tol=1e-14).objective
    result = newton_cg(Ridge(*data, 1e-3))
    assert result.converged
    assert result.objective == pytest.approx(best, rel=1e-8)


class Pointless(NewtonProblem):
    """It has all methods and no current point."""


@pytest.mark.parametrize(
    "problem, missing",
    [
        (LinearProblem("squared", np.eye(2), [1.0, 2.0]), "parameters, .*begin_line"),
        (np.eye(2), "parameters, .*begin_line"),
        (Pointless(), "parameters, objective"),
    ],
)
def test_what_is_no_problem_is_refused(problem, missing):
    with pytest.raises(TypeError, match=f"must be a NewtonProblem.*has no {missing}"):
        newton_cg(problem)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"tol": np.nan}, "tol must be .* nan"),
        ({"tol": -1.0}, "tol must be .* -1"),
        ({"max_iter": -1}, "max_iter must be .* -1"),
        ({"max_iter": 2.5}, "max_iter must be .* 2.5"),
        ({"max_products": 0}, "max_products must be .* 0"),
    ],
)
def test_bad_options(data, options, message):
    with pytest.raises(ValueError, match=message):
        newton_cg(Ridge(*data, 1e-3), **options)


def test_no_iteration_is_a_look_at_the_start(data):
    start = Ridge(*data, 1e-3)
    result = newton_cg(Ridge(*data, 1e-3), max_iter=0)
    assert (result.status, result.n_iter, result.history) == ("max_iter", 0, [])
    np.testing.assert_array_equal(result.x, start.parameters)
    assert result.objective == start.objective
