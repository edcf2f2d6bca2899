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
