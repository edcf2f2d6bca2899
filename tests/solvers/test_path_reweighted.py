"""Other losses take the path solver: each Newton step is weighted least squares."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, PoissonRegressor

from skloss.losses import Logistic, Poisson, curvature, derivative, evaluate
from skloss.penalties import L1
from skloss.solvers import LinearProblem, prox_newton
from skloss.solvers._fold_grams import FoldGrams
from skloss.solvers.path import Level, quadratic_path

NOTHING = np.empty(0, dtype=np.intp)


def reweighted(loss, X, y, alphas, weight, n_steps=40):
    """Penalised fits at falling strengths, by weighted least squares in turn."""
    w, b, path = np.zeros(X.shape[1]), 0.0, []
    for alpha in alphas:
        for _ in range(n_steps):
            f = X @ w + b
            slope = np.array([derivative(loss, *pair) for pair in zip(y, f)])
            bend = np.array([curvature(loss, *pair) for pair in zip(y, f)])
            data = FoldGrams(X, f - slope / bend, bend, [NOTHING], center=True)
            level = Level(L1(alpha / bend.mean()), alpha / bend.mean())
            start = np.flatnonzero(w)
            ((step,),) = quadratic_path(data, [level], weight, start=start, tol=1e-14)
            new = np.zeros_like(w)
            new[step.support] = step.values
            moved = np.abs(new - w).max()
            w, b = new, data.target_means[0] - data.means[0] @ new
            if moved < 1e-12:
                break
        path.append((w, b))
    return path


def objective(loss, X, y, w, b, alpha, weight):
    return evaluate(loss, y, X @ w + b).mean() + alpha * np.abs(w) @ weight


@pytest.mark.parametrize("sparsely", [False, True])
@pytest.mark.parametrize("loss", [Logistic(), Poisson()])
def test_reweighting_reaches_the_optimum(loss, sparsely):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 120)) * (rng.random((80, 120)) < 0.6)
    signal = X[:, :4] @ [0.7, -0.5, 0.5, 0.4]
    if isinstance(loss, Logistic):
        y = np.where(signal + rng.logistic(size=80) > 0, 1.0, -1.0)
    else:
        y = rng.poisson(np.exp(signal)).astype(float)
    design = sparse.csc_array(X) if sparsely else np.asfortranarray(X)
    weight = rng.uniform(0.5, 2.0, size=120)
    alphas = 0.1 * np.geomspace(1, 0.3, 4)
    for alpha, (w, b) in zip(alphas, reweighted(loss, design, y, alphas, weight)):
        reached = objective(loss, X, y, w, b, alpha, weight)
        problem = LinearProblem(loss, X, y, fit_intercept=True)
        other = prox_newton(problem, L1(alpha), weight=weight, tol=1e-12)
        assert reached == pytest.approx(other.objective, rel=1e-9)
        assert 0 < np.count_nonzero(w) < 80


def test_scikit_learn_has_the_same_lasso_of_logistic_regression():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(100, 30))
    y = np.where(X[:, 0] + rng.logistic(size=100) > 0, 1.0, -1.0)
    ((w, b),) = reweighted(Logistic(), np.asfortranarray(X), y, [0.05], np.ones(30))
    options = {"l1_ratio": 1.0, "C": 1 / (100 * 0.05), "tol": 1e-10, "max_iter": 10**5}
    peer = LogisticRegression(solver="saga", random_state=0, **options).fit(X, y)
    np.testing.assert_allclose(w, peer.coef_[0], atol=1e-6)
    assert b == pytest.approx(peer.intercept_[0], abs=1e-6)


def test_scikit_learn_has_the_same_poisson_regression():
    rng = np.random.default_rng(2)
    X = rng.normal(size=(100, 5))
    y = rng.poisson(np.exp(0.3 * X[:, 0])).astype(float)
    ((w, b),) = reweighted(Poisson(), np.asfortranarray(X), y, [0.0], np.ones(5))
    peer = PoissonRegressor(alpha=0, tol=1e-12, max_iter=1000).fit(X, y)
    np.testing.assert_allclose(w, peer.coef_, atol=1e-6)
    assert b == pytest.approx(peer.intercept_, abs=1e-6)
