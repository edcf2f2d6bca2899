import math

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from skloss.solvers import lbfgs


def rosenbrock(x):
    return rosen(x), rosen_der(x)


@pytest.fixture(scope="module")
def logistic_ridge():
    """Value, gradient and duality gap of ridge logistic regression."""
    X, y = load_breast_cancer(return_X_y=True)
    X, s = StandardScaler().fit_transform(X), 2.0 * y - 1
    n, alpha = len(y), 0.01

    def function(w):
        z = s * (X @ w)
        g = -s * np.exp(-np.logaddexp(0, z)) / n
        return np.logaddexp(0, -z).mean() + alpha / 2 * w @ w, X.T @ g + alpha * w

    def gap(w, gradient):
        # The point -gradient of the loss is dual feasible: the loss parts are tight
        # and the gap is that of the ridge alone.
        return gradient @ gradient / (2 * alpha)

    return X, y, function, gap, alpha


def test_rosenbrock():
    result = lbfgs(rosenbrock, np.full(4, -1.0), tol=1e-10)
    assert result.converged
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-8)


def test_logistic_regression_is_sklearns_and_certified(logistic_ridge):
    X, y, function, gap, alpha = logistic_ridge
    result = lbfgs(function, np.zeros(X.shape[1]), dual_gap=gap, tol=1e-10)
    peer = LogisticRegression(
        C=1 / (alpha * len(y)), fit_intercept=False, solver="newton-cholesky", tol=1e-12
    ).fit(X, y)
    best = function(peer.coef_[0])[0]
    assert result.converged
    assert -1e-14 <= result.objective - best <= result.dual_gap <= 1e-10 * best
    np.testing.assert_allclose(result.x, peer.coef_[0], atol=1e-5)


def test_any_shape_and_float32_gradients():
    target = np.arange(6.0).reshape(2, 3)

    def function(x):
        assert x.shape == (2, 3)
        return 0.5 * np.sum((x - target) ** 2), (x - target).astype(np.float32)

    result = lbfgs(function, np.zeros((2, 3)), tol=1e-6)
    assert result.x.shape == (2, 3) and result.x.dtype == np.float64
    np.testing.assert_allclose(result.x, target, atol=1e-5)


def test_callback_history_and_status():
    seen = []
    result = lbfgs(rosenbrock, np.full(4, -1.0), callback=seen.append)
    assert [info.n_iter for info in seen] == list(range(1, result.n_iter + 1))
    for info in seen:
        assert info.objective == rosen(info.x)
        assert info.kkt_violation == np.abs(rosen_der(info.x)).max()
    assert seen[-1].converged and len(result.history) == result.n_iter
    stopped = lbfgs(rosenbrock, np.full(4, -1.0), callback=lambda i: i.n_iter == 3)
    assert (stopped.status, stopped.n_iter) == ("stopped", 3)
    short = lbfgs(rosenbrock, np.full(4, -1.0), max_iter=4)
    assert (short.status, short.n_iter) == ("max_iter", 4)
    assert math.isnan(short.dual_gap)
    done = lbfgs(rosenbrock, result.x, tol=1.0)
    assert (done.status, done.n_iter) == ("converged", 0)


def test_rounding_ends_as_stalled():
    def noisy(x):  # no decrease below 1e-3 can be seen
        value, gradient = rosenbrock(x)
        return np.round(value, 3), gradient

    result = lbfgs(noisy, np.full(4, -1.0), tol=1e-14)
    assert result.status == "stalled"
    assert result.objective < 0.01


@pytest.mark.parametrize("start", [1e-3, 1.0, 1e4, 1e8])
def test_a_far_start_buys_nothing(start):
    """A quadratic, whose minimum is a linear system's solution."""
    A, b = np.diag([1.0, 10.0, 100.0]), np.array([1.0, 2.0, 3.0])

    def function(x):
        return 0.5 * x @ A @ x - b @ x, A @ x - b

    result = lbfgs(function, np.full(3, start), tol=1e-7)
    assert result.converged
    np.testing.assert_allclose(result.x, b / A.diagonal(), atol=3e-7)
    again = lbfgs(function, result.x, tol=1e-7)
    assert (again.status, again.n_iter) == ("converged", 0)


def test_reference_sets_the_scale():
    def function(x):  # not defined at zero
        return float(np.sum(x - np.log(x))), 1.0 - 1.0 / x

    with np.errstate(all="ignore"), pytest.raises(ValueError, match="at reference"):
        lbfgs(function, np.full(2, 0.5))
    result = lbfgs(function, np.full(2, 0.5), reference=np.full(2, 0.1), tol=1e-8)
    assert result.converged and result.kkt_violation <= 9e-8
    np.testing.assert_allclose(result.x, 1.0, atol=1e-7)


def test_gradients_may_share_memory():
    buffer = np.empty(4)

    def function(x):
        buffer[:] = rosen_der(x)
        return rosen(x), buffer

    result = lbfgs(function, np.full(4, -1.0), tol=1e-10)
    assert result.converged
    np.testing.assert_allclose(result.x, 1.0, rtol=1e-8)


@pytest.mark.parametrize("gap", [None, lambda x, gradient: 0.0])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_never_convergence(value, gap):
    def function(x):
        far = np.abs(x).max() > 1
        return (value if far else 0.5 * x @ x + x[0]), x + np.eye(2)[0]

    result = lbfgs(function, np.array([5.0, 5.0]), dual_gap=gap)
    assert result.status == "overflow"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"x0": [np.nan]}, "x0 must be finite"),
        ({"tol": np.nan}, "tol must be .* nan"),
        ({"tol": -1.0}, "tol must be .* -1"),
        ({"max_iter": -1}, "max_iter must be .* -1"),
        ({"memory": 0}, "memory must be .* 0"),
        ({"reference": [1.0, 2.0]}, "reference must have the shape of x0"),
        ({"reference": [np.inf]}, "reference must be finite"),
    ],
)
def test_bad_input(change, message):
    arguments = {"function": rosenbrock, "x0": [0.0]} | change
    with pytest.raises(ValueError, match=message):
        lbfgs(**arguments)


@pytest.mark.parametrize(
    "function, got",
    [
        (lambda x: x @ x, "float"),
        (lambda x: None, "NoneType"),
        (lambda x: (x @ x, x, x), "tuple"),
        (lambda x: (x, x), "tuple"),
        (lambda x: 2 * x, "ndarray"),
    ],
)
def test_functions_without_value_and_gradient_are_refused(function, got):
    with pytest.raises(TypeError, match=rf"pair \(value, gradient\).*got {got}"):
        lbfgs(function, np.zeros(3))


@pytest.mark.parametrize("gradient", [0.0, np.zeros(2), np.zeros((3, 1))])
def test_gradients_of_another_shape_are_refused(gradient):
    with pytest.raises(ValueError, match=r"shape of x0, \(3,\); got"):
        lbfgs(lambda x: (x @ x, gradient), np.zeros(3))


def test_no_iteration_is_a_look_at_the_start():
    result = lbfgs(rosenbrock, np.full(4, -1.0), max_iter=0)
    assert (result.status, result.n_iter, result.history) == ("max_iter", 0, [])
    assert result.objective == rosen(np.full(4, -1.0))
    assert result.kkt_violation == np.abs(rosen_der(np.full(4, -1.0))).max()
