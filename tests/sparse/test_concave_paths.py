"""Concave penalties on columns that nearly depend on each other."""

import warnings

import numpy as np
import pytest

from skloss.penalties import MCP, SCAD
from skloss.solvers._concave_set import minimize_concave
from skloss.sparse import SparseRegressor, SparseRegressorCV, sparse_path

GAMMA = 3.0


def random_walks(seed):
    """Columns that are the steps of random walks, not scaled."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(40, 300)), int(rng.integers(10, 60))
    X = rng.standard_normal((n, d)).cumsum(1)
    return X, X[:, 0] - X[:, 2] + rng.standard_normal(n)


def slopes(name, t, alpha):
    """Derivative of the penalty at t > 0, written anew."""
    if name == "mcp":
        return np.maximum(alpha - t / GAMMA, 0.0)
    return np.where(
        t <= alpha, alpha, np.maximum(GAMMA * alpha - t, 0.0) / (GAMMA - 1.0)
    )


def penalties(name, t, alpha):
    """The penalty at t >= 0: its derivative is linear between these knots."""
    knots = np.array([0.0, alpha, GAMMA * alpha])
    heights = slopes(name, knots, alpha)
    ends = np.minimum(t[:, None], knots[None, 1:])
    begins = np.minimum(t[:, None], knots[None, :-1])
    rises = np.diff(heights) / np.diff(knots)
    mean = heights[:-1] + rises * ((begins + ends) / 2 - knots[:-1])
    return ((ends - begins) * mean).sum(axis=1)


def violation(name, w, gradient, alpha, weight, positive):
    """Largest distance from the subdifferential."""
    if positive and w.min() < 0:
        return np.inf
    # A constraint holds without a penalty, too.
    at_zero = -gradient if positive else np.abs(gradient)
    at_zero = np.maximum(at_zero - alpha * weight, 0.0)
    off = np.abs(gradient + np.sign(w) * weight * slopes(name, np.abs(w), alpha))
    return np.where(w == 0, at_zero, off).max()


def best_coefficient(name, v, square, alpha, weight, positive):
    """Minimiser of ``square * (x - v)**2 / 2 + weight * penalty(x)``, of candidates."""
    t = abs(v)
    if positive and v <= 0:
        return 0.0
    knot = 0.0 if name == "mcp" else alpha
    bend = weight * alpha / (GAMMA * alpha - knot)
    found = [0.0, knot, GAMMA * alpha, max(t, GAMMA * alpha)]
    found.append(np.clip(t - weight * alpha / square, 0.0, knot))
    if square > bend:
        inner = (square * t - bend * GAMMA * alpha) / (square - bend)
        found.append(np.clip(inner, knot, GAMMA * alpha))
    found = np.array(found)
    costs = square * (found - t) ** 2 / 2 + weight * penalties(name, found, alpha)
    return np.copysign(found[np.argmin(costs)], v)


def descend(name, Q, c, w, alpha, weight, positive, n_sweeps):
    """Plain cyclic coordinate descent."""
    w, q = w.copy(), Q @ w - c
    for _ in range(n_sweeps):
        for j in range(w.size):
            v = w[j] - q[j] / Q[j, j]
            new = best_coefficient(name, v, Q[j, j], alpha, weight[j], positive)
            q += (new - w[j]) * Q[j]
            w[j] = new
    return w


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("name", ["mcp", "scad"])
@pytest.mark.parametrize("seed", [0, 23, 27, 31, 37])
@pytest.mark.parametrize("scale", [1.0, 0.05])  # the latter: L_j * gamma below 1
def test_stationary_on_random_walks(seed, name, has_weights, positive, scale):
    X, y = random_walks(seed)
    X *= scale
    n, d = X.shape
    weight = np.ones(d)
    if has_weights:
        weight = np.random.default_rng(seed).choice([0.0, 0.5, 1.0, 2.0], d)
    Xc, yc = X - X.mean(0), y - y.mean()
    Q, c = Xc.T @ Xc / n, Xc.T @ yc / n

    def objective(w):
        penalty = penalties(name, np.abs(w), alpha)
        return np.mean((yc - Xc @ w) ** 2) / 2 + weight @ penalty

    for alpha in scale * np.array([0.3, 0.03, 0.01]):
        model = SparseRegressor(
            name,
            alpha,
            gamma=GAMMA,
            feature_weights=weight if has_weights else None,
            positive=positive,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            w = model.fit(X, y).coef_
        off = violation(name, w, Xc.T @ (Xc @ w - yc) / n, alpha, weight, positive)
        assert off <= 1e-4 * alpha
        assert model.objective_ == pytest.approx(objective(w), rel=1e-9)
        # Of short columns, some that were never looked at are stationary at zero and
        # could yet gain by a leap: of them stationarity is all that is promised.
        seen = np.flatnonzero(w) if scale < 1 else np.arange(d)
        further = w.copy()
        args = alpha, weight[seen], positive
        further[seen] = descend(
            name, Q[np.ix_(seen, seen)], c[seen], w[seen], *args, n_sweeps=40
        )
        assert objective(further) >= (1 - 1e-6) * objective(w)


@pytest.mark.parametrize("name", ["mcp", "scad"])
def test_no_warning_along_paths(name):
    for seed in range(12):
        X, y = random_walks(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            sparse_path(X, y, penalty=name, n_alphas=30)
            SparseRegressorCV(name, alphas=10, cv=3, tol=1e-8).fit(X, y)


@pytest.mark.parametrize("penalty", [MCP(0.1, 3.0), SCAD(0.1, 3.0)])
def test_saddles_are_left(penalty):
    """Two nearly equal columns on concave pieces: alike, they are at a saddle."""
    Q = np.array([[1.0, 0.99], [0.99, 1.0]])
    each = 0.2 if isinstance(penalty, MCP) else 0.15
    slope = slopes(type(penalty).__name__.lower(), np.array([each]), 0.1)[0]
    x = np.full(2, each)
    c = Q @ x + slope
    gradient = Q @ x - c + slope
    assert np.abs(gradient).max() < 1e-15
    assert minimize_concave(penalty, Q, c, x, np.ones(2), 1e-8)
    name = type(penalty).__name__.lower()

    def objective(w):
        return w @ Q @ w / 2 - c @ w + penalties(name, np.abs(w), 0.1).sum()

    assert objective(x) < objective(np.full(2, each)) - 1e-4
    assert violation(name, x, Q @ x - c, 0.1, np.ones(2), False) <= 1e-8


@pytest.mark.parametrize("name", ["mcp", "scad"])
def test_max_iter_is_kept_and_told(name):
    X, y = random_walks(27)
    X = np.hstack([X, np.random.default_rng(0).standard_normal((len(X), 200))])
    with pytest.warns(UserWarning, match="did not reach"):
        sparse_path(X, y - y.mean(), penalty=name, alphas=[0.03], max_iter=1)


@pytest.mark.parametrize("seed", range(8))
def test_bounded_ridge_is_certified_at_rounding(seed):
    """A violation of some units of rounding is none, however small `tol`."""
    from scipy.optimize import nnls

    rng = np.random.default_rng(seed)
    n, d = 30, 12
    X = rng.standard_normal((n, d)) * 10.0 ** rng.integers(-2, 3, d)
    y = X[:, :3].sum(1) + rng.standard_normal(n)
    alpha = 1e-3 * np.abs(X.T @ y).max() / n
    model = SparseRegressor(
        "elasticnet", alpha, l1_ratio=0.0, positive=True, tol=1e-10, fit_intercept=False
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        w = model.fit(X, y).coef_
    rows = np.vstack([X, np.sqrt(n * alpha) * np.eye(d)])
    reference = nnls(rows, np.append(y, np.zeros(d)))[0]
    np.testing.assert_allclose(X @ w, X @ reference, atol=1e-8 * np.abs(y).max())
