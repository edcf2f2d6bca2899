"""Penalised ordinal models written out plainly, and their optima by cvxpy.

Nothing here knows the package. Classes are 0, ..., K-1 and there are m = K-1
thresholds; ``eta = -(intercept + X coef^T)``, (n, m), is minus the public scores of
"y > k", and F is the distribution function of the link. A model is described by the
keywords of `PrestoClassifier`; defaults are the same.

`exponential_cone_optimum` solves the logit models exactly as convex programs and
`newton_optimum` any link by quadratic programs. Both return an `Optimum`.
"""

import warnings
from typing import NamedTuple

import cvxpy as cp
import numpy as np
from scipy.optimize import brentq
from scipy.special import log_expit, log_ndtr, logsumexp


class Model(NamedTuple):
    """What is minimised; names and defaults of `PrestoClassifier`."""

    alpha: float = 0.01
    l1_ratio: float = 1.0
    base_penalty: float = 1.0
    base: str | int = "first"
    structure: str = "fused"
    family: str = "cumulative"
    link: str = "logit"
    reverse: bool = False
    ordering: str = "observed"
    feature_range: tuple | None = None
    penalty_factors: np.ndarray | None = None
    standardize: bool = True


class Optimum(NamedTuple):
    """A minimiser in public coefficients and units of the data."""

    objective: float
    intercept: np.ndarray  # (m,)
    coef: np.ndarray  # (m, p)


# --------------------------------------------------------------------- links


def _log1mexp(x):
    """``log(1 - exp(-x))``, minus infinity where x is not positive."""
    with np.errstate(all="ignore"):
        small = np.log(-np.expm1(-x))
        value = np.where(x < 0.69, small, np.log1p(-np.exp(-x)))
    return np.where(x > 0, value, -np.inf)


def log_cdf(link, t):
    """``log F(t)``."""
    if link == "logit":
        return log_expit(t)
    if link == "probit":
        return log_ndtr(t)
    if link == "cloglog":
        return _log1mexp(np.exp(t))
    if link == "loglog":
        return -np.exp(-t)
    assert link == "cauchit"
    return np.log(np.arctan2(1, -t) / np.pi)


def log_survival(link, t):
    """``log(1 - F(t))``."""
    mirrored = {"cloglog": "loglog", "loglog": "cloglog"}
    return log_cdf(mirrored.get(link, link), -t)


def log_density(link, t):
    """``log F'(t)``."""
    if link == "logit":
        return log_expit(t) + log_expit(-t)
    if link == "probit":
        return -(t**2) / 2 - np.log(2 * np.pi) / 2
    if link == "cloglog":
        return t - np.exp(t)
    if link == "loglog":
        return -t - np.exp(-t)
    assert link == "cauchit"
    return -np.log(np.pi * (1 + t**2))


def _log_between(link, a, b):
    """``log(F(b) - F(a))``, minus infinity unless a < b."""
    left = log_cdf(link, b) + _log1mexp(log_cdf(link, b) - log_cdf(link, a))
    upper, lower = log_survival(link, a), log_survival(link, b)
    return np.where(a > 0, upper + _log1mexp(upper - lower), left)


# ------------------------------------------------------- loss of rows, by NumPy


def log_probabilities(eta, family, link):
    """Log probabilities (n, K) of the classes, given ``eta`` (n, m)."""
    n = len(eta)
    if family == "cumulative":
        first = log_cdf(link, eta[:, :1])
        between = _log_between(link, eta[:, :-1], eta[:, 1:])
        return np.hstack([first, between, log_survival(link, eta[:, -1:])])
    if family == "adjacent":
        assert link == "logit"
        scores = np.hstack([np.zeros((n, 1)), np.cumsum(-eta, axis=1)])
        return scores - logsumexp(scores, axis=1, keepdims=True)
    if family == "stopping":
        stop, go = log_cdf(link, eta), log_survival(link, eta)
    else:
        assert family == "continuation"
        stop, go = log_survival(link, -eta), log_cdf(link, -eta)
    reached = np.hstack([np.zeros((n, 1)), np.cumsum(go, axis=1)])
    return reached + np.hstack([stop, np.zeros((n, 1))])


def _eta_gradient(y, eta, family, link):
    """Gradient (n, m) of ``-log P(y)`` in eta."""
    n, m = eta.shape
    rows, k = np.arange(n), np.arange(m)
    if family == "adjacent":
        P = np.exp(log_probabilities(eta, family, link))
        above = np.cumsum(P[:, ::-1], axis=1)[:, ::-1][:, 1:]
        return (y[:, None] > k) - above
    if family == "cumulative":
        logp = log_probabilities(eta, family, link)[rows, y][:, None]
        ratio = np.exp(log_density(link, eta) - logp)
        return ratio * ((k == y[:, None] - 1) * 1.0 - (k == y[:, None]))
    t = eta if family == "stopping" else -eta
    stop, go = log_cdf(link, t), log_survival(link, t)
    if family == "continuation":
        stop, go = go, stop
    density = log_density(link, t)
    passed = np.exp(density - go) * (k < y[:, None])
    return passed - np.exp(density - stop) * (k == y[:, None])


# ------------------------------------------------------------- what is penalised


def blocks(structure, base, m, class_weight=None):
    """Matrix T (m, q) of ``coef = T Gamma``, and which block is the base (q,) bool."""
    k = np.arange(m)
    if structure == "nonparallel":
        return np.eye(m), np.zeros(m, dtype=bool)
    if structure == "parallel":
        return np.ones((m, 1)), np.ones(1, dtype=bool)
    if structure == "semiparallel":
        return np.hstack([np.ones((m, 1)), np.eye(m)]), np.arange(m + 1) == 0
    assert structure == "fused"
    if base == "balanced":
        below = np.cumsum(class_weight)[:-1]
        base = int(np.argmax(below * (1 - below)))
    base = {"first": 0, "last": m - 1}.get(base, base)
    T = np.where(k > base, k[:, None] >= k, k[:, None] <= k)
    return np.where(k == base, 1.0, T), k == base


def _penalty(u, r):
    return r * np.abs(u) + (1 - r) / 2 * u**2


def _cheapest_split(c, r, rho):
    """Penalty of the best ``c = common + own``, of one feature; c (m,).

    The function of `common` is convex and quadratic between the points where a term
    changes sign, so its least value is at such a point or where a slope vanishes.
    """
    points = np.append(c, 0.0)
    weight = np.append(np.ones(len(c)), rho)
    candidates = list(points)
    if r < 1:
        for between in np.convolve(np.sort(points), [0.5, 0.5], "valid"):
            slope = r * weight @ np.sign(between - points)
            curvature = (1 - r) * weight.sum()
            candidates.append(((1 - r) * weight @ points - slope) / curvature)
    return min(weight @ _penalty(z - points, r) for z in candidates)


class _Problem:
    """Rows, units and blocks that a `Model` puts together from the data."""

    def __init__(self, X, y, w, model):
        y = np.asarray(y, dtype=int)
        w = np.ones(len(y)) if w is None else np.asarray(w, dtype=float)
        keep = w > 0
        X = np.asarray(X, dtype=float)[keep]
        self.model, self.m = model, y.max()
        self.y = (self.m - y if model.reverse else y)[keep]
        self.w = w[keep] / w.sum()
        self.X = X
        self.center = self.w @ X
        spread = np.sqrt(self.w @ (X - self.center) ** 2)
        self.constant = np.ptp(X, axis=0) == 0
        self.scale = np.where(self.constant, 1, spread if model.standardize else 1.0)
        self.Z = np.where(self.constant, 0, (X - self.center) / self.scale)
        self.T, self.is_base = blocks(
            model.structure, model.base, self.m, np.bincount(self.y, self.w)
        )
        v = model.penalty_factors
        v = np.ones(X.shape[1]) if v is None else np.asarray(v, dtype=float)
        rho = np.where(self.is_base, model.base_penalty, 1.0)
        self.weights = model.alpha * rho[:, None] * v  # (q, p)
        self.v = v

    def public(self, theta, gamma):
        """Public (intercept, coef) of theta (m,) and blocks (q, p)."""
        coef = -(self.T @ np.where(self.constant, 0, gamma)) / self.scale
        intercept = -theta - coef @ self.center
        if self.model.reverse:
            return -intercept[::-1], -coef[::-1]
        return intercept, coef

    def penalty(self, coef):
        """Penalty of standardised coefficients (m, p)."""
        r, model = self.model.l1_ratio, self.model
        if model.structure == "semiparallel":
            each = [_cheapest_split(c, r, model.base_penalty) for c in coef.T]
            return model.alpha * self.v @ each
        gamma = np.linalg.lstsq(self.T, coef, rcond=None)[0]
        assert np.allclose(self.T @ gamma, coef, rtol=1e-12, atol=1e-12)
        return np.sum(self.weights * _penalty(gamma, r))

    def ordered_gaps(self, theta, gamma):
        """What must be at least 0, as a list of expressions of NumPy or cvxpy."""
        model = self.model
        if model.ordering == "observed" or model.family != "cumulative":
            return []
        step = np.diff(np.eye(self.m), axis=0)
        change, gap = (step @ self.T) @ gamma, step @ theta
        if model.ordering == "train":
            return [gap[k] + self.Z @ change[k] for k in range(self.m - 1)]
        assert model.ordering == "box"
        given = model.feature_range
        low, high = given if given is not None else (self.X.min(0), self.X.max(0))
        middle = ((low + high) / 2 - self.center) / self.scale
        half = np.where(self.constant, 0, (high - low) / 2 / self.scale)
        middle = np.where(self.constant, 0, middle)
        size = cp.abs if isinstance(gamma, cp.Expression) else np.abs
        return [
            gap[k] + change[k] @ middle - size(change[k]) @ half
            for k in range(self.m - 1)
        ]


def objective(X, y, w, intercept, coef, **model):
    """Objective of public coefficients; infinite outside the loss's domain.

    X (n, p), y (n,) in 0, ..., K-1, w (n,) or None, intercept (m,), coef (m, p).
    """
    problem = _Problem(X, y, w, Model(**model))
    eta = -(intercept + problem.X @ coef.T)
    standardised = -coef * problem.scale
    if problem.model.reverse:
        eta, standardised = -eta[:, ::-1], -standardised[::-1]
    logp = log_probabilities(eta, problem.model.family, problem.model.link)
    losses = -logp[np.arange(len(eta)), problem.y]
    return problem.w @ losses + problem.penalty(standardised)


def probabilities(X, intercept, coef, family="cumulative", link="logit", reverse=False):
    """Class probabilities (n, K) of public coefficients; no crossing is repaired."""
    eta = -(intercept + X @ coef.T)
    if reverse:
        return np.exp(log_probabilities(-eta[:, ::-1], family, link))[:, ::-1]
    return np.exp(log_probabilities(eta, family, link))


def crossings(X, intercept, coef):
    """Number of rows with some score of "y > k" above that of "y > k - 1"."""
    scores = intercept + X @ coef.T
    return int(np.sum(np.any(np.diff(scores, axis=1) > 0, axis=1)))


# ----------------------------------------------------------------------- optima


def solve(program):
    """Solve a program of cvxpy; its value.

    The accuracy asked is more than rounding allows for some programs, and cvxpy warns
    where Clarabel stopped short of it. Objectives are evaluated at the solution, so
    that one far from the minimum could only be above it.
    """
    accuracy = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), 1e-12)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return program.solve(solver=cp.CLARABEL, **accuracy)


def _loss_expression(problem, eta):
    """Loss of a logit model as (expression, constraints)."""
    y, w, family = problem.y, problem.w, problem.model.family
    assert problem.model.link == "logit"
    terms, constraints = [], []

    def add(rows, expression):
        if len(rows):
            terms.append(w[rows] @ expression(rows))

    if family == "adjacent":
        up = np.triu(np.ones((problem.m, problem.m + 1)), 1)
        scores = -eta @ up
        own = np.eye(problem.m + 1)[y] * w[:, None]
        loss = cp.sum(cp.multiply(w, cp.log_sum_exp(scores, axis=1)))
        return loss - cp.sum(cp.multiply(own, scores)), []
    for k in range(problem.m):
        t = eta[:, k]
        at_most = np.flatnonzero(y == k)
        if family == "cumulative":
            passed = np.flatnonzero(y == k + 1)
        else:
            passed = np.flatnonzero(y > k)
        add(at_most, lambda rows, t=t: cp.logistic(-t[rows]))
        add(passed, lambda rows, t=t: cp.logistic(t[rows]))
        if family == "cumulative" and k > 0 and len(at_most):
            s = cp.Variable(len(at_most))
            gap = (t - eta[:, k - 1])[at_most]
            constraints.append(cp.exp(-s) + cp.exp(-gap) <= 1)
            terms.append(w[at_most] @ s)
    return sum(terms), constraints


def _penalty_expression(problem, gamma):
    """Penalty of the blocks as an expression of cvxpy."""
    r, weights = problem.model.l1_ratio, problem.weights
    result = 0.0
    if r > 0 and weights.any():
        result = result + r * cp.sum(cp.multiply(weights, cp.abs(gamma)))
    if r < 1 and weights.any():
        result = result + (1 - r) / 2 * cp.sum(cp.multiply(weights, cp.square(gamma)))
    return result


def _optimum(X, y, w, problem, theta, gamma):
    intercept, coef = problem.public(theta, gamma)
    value = objective(X, y, w, intercept, coef, **problem.model._asdict())
    return Optimum(value, intercept, coef)


def exponential_cone_optimum(X, y, w=None, **model):
    """Optimum of a logit model, all of it one convex program for Clarabel."""
    problem = _Problem(X, y, w, Model(**model))
    theta = cp.Variable(problem.m)
    gamma = cp.Variable((problem.T.shape[1], problem.Z.shape[1]))
    # Variables of their own keep a wide X from being written into every cone.
    coef = cp.Variable((problem.m, problem.Z.shape[1]))
    eta = cp.Variable((len(problem.y), problem.m))
    each = cp.reshape(theta, (1, problem.m), order="C")
    loss, constraints = _loss_expression(problem, eta)
    constraints += [
        coef == problem.T @ gamma,
        eta == problem.Z @ coef.T + np.ones((len(problem.y), 1)) @ each,
    ]
    constraints += [gap >= 0 for gap in problem.ordered_gaps(theta, gamma)]
    target = cp.Minimize(loss + _penalty_expression(problem, gamma))
    program = cp.Problem(target, constraints)
    solve(program)
    return _optimum(X, y, w, problem, theta.value, gamma.value)


def _null_theta(problem):
    """Intercepts that give every class the same probability."""
    left = problem.m - np.arange(problem.m)
    share = 1 / (left + 1)
    if problem.model.family == "cumulative":
        share = 1 - left / (problem.m + 1)

    def excess(t, share):
        return np.exp(log_cdf(problem.model.link, t)) - share

    return np.array([brentq(excess, -20, 20, args=(s,)) for s in share])


def newton_optimum(X, y, w=None, *, start=None, tol=1e-13, **model):
    """Optimum of any link: a quadratic model of the loss, minimised again and again.

    Penalty and ordering are kept exactly in each program, so a point is optimal when
    its program promises no decrease. Second derivatives are differences of first
    ones: their error slows the last steps and leaves the optimum where it is. `start`
    is a public (intercept, coef) for models that are not convex.
    """
    problem = _Problem(X, y, w, Model(**model))
    m, (q, p) = problem.m, problem.weights.shape
    x = np.append(_null_theta(problem), np.zeros(q * p))
    if start is not None:
        x = _from_public(problem, *start)
    losses, gradient = _smooth_part(problem)

    step_by = cp.Variable(m + q * p)
    at, slope = cp.Parameter(m + q * p), cp.Parameter(m + q * p)
    root = cp.Parameter((m + q * p, m + q * p))
    theta = (at + step_by)[:m]
    gamma = cp.reshape((at + step_by)[m:], (q, p), order="C")
    penalty = _penalty_expression(problem, gamma)
    curve = cp.sum_squares(root @ step_by) / 2
    ordered = [gap >= 0 for gap in problem.ordered_gaps(theta, gamma)]
    program = cp.Problem(cp.Minimize(slope @ step_by + curve + penalty), ordered)

    def value(x):
        return problem.w @ losses(x), np.sum(
            problem.weights * _penalty(x[m:].reshape(q, p), problem.model.l1_ratio)
        )

    for _ in range(200):
        at.value, slope.value = x, gradient(x)
        root.value = _root(_second_derivatives(gradient, x))
        solve(program)
        promised = value(x)[1] - program.value
        size = _step_size(lambda x: sum(value(x)), losses, x, step_by.value, promised)
        x = x + size * step_by.value
        if promised <= tol or size == 0:
            break
    return _optimum(X, y, w, problem, x[:m], x[m:].reshape(q, p))


def _step_size(total, losses, x, d, promised):
    """Largest of 1, 1/2, 1/4, ... that lowers `total` enough, or 0.

    No row's loss may rise by more than 3, as a step that ends where an observed class
    has no probability left would have no second derivatives.
    """
    now, rows_now = total(x), losses(x)
    for size in 0.5 ** np.arange(40):
        if np.all(losses(x + size * d) <= rows_now + 3) and (
            total(x + size * d) <= now - 1e-4 * size * max(promised, 0)
        ):
            return size
    return 0.0


def _from_public(problem, intercept, coef):
    """Inverse of ``_Problem.public``, of least squares where blocks are redundant."""
    if problem.model.reverse:
        intercept, coef = -intercept[::-1], -coef[::-1]
    gamma = np.linalg.lstsq(problem.T, -coef * problem.scale, rcond=None)[0]
    return np.append(-(intercept + coef @ problem.center), gamma.ravel())


def _smooth_part(problem):
    """Losses of rows and gradient of their mean.

    Functions of ``(theta, Gamma)`` in one vector.
    """
    m, (q, p) = problem.m, problem.weights.shape
    model, rows = problem.model, np.arange(len(problem.y))

    def eta_of(x):
        return x[:m] + problem.Z @ (problem.T @ x[m:].reshape(q, p)).T

    def losses(x):
        return -log_probabilities(eta_of(x), model.family, model.link)[rows, problem.y]

    def gradient(x):
        G = _eta_gradient(problem.y, eta_of(x), model.family, model.link)
        G = G * problem.w[:, None]
        return np.append(G.sum(0), problem.T.T @ G.T @ problem.Z)

    return losses, gradient


def _second_derivatives(gradient, x, h=1e-6):
    H = [(gradient(x + h * e) - gradient(x - h * e)) / (2 * h) for e in np.eye(len(x))]
    return (np.array(H) + np.transpose(H)) / 2


def _root(H):
    """R with ``R^T R`` positive definite, and H itself where H is."""
    values, vectors = np.linalg.eigh(H)
    return np.sqrt(np.maximum(np.abs(values), 1e-9))[:, None] * vectors.T


# ------------------------------------------------------------------------- data


def ordinal_data(n=160, p=4, K=4, seed=0):
    """X uniform on (-1, 1)^p in mixed units, y (n,) of every class, weights (n,).

    Each threshold has a weight vector of its own: where it differs little from its
    neighbour's, ordering holds, and at the edge of the cube it may not.
    """
    rng = np.random.default_rng(seed)
    X = rng.uniform(-1, 1, (n, p))
    theta = np.linspace(-1.2, 1.5, K - 1)
    coef = rng.choice([0.0, 1.0], p) + np.cumsum(
        rng.choice([-0.7, 0.0, 0.7], (K - 1, p)), axis=0
    )
    eta = np.maximum.accumulate(theta - X @ coef.T, axis=1)
    below = 1 / (1 + np.exp(-eta))
    y = np.sum(rng.random((n, 1)) > below, axis=1)
    y[:K] = np.arange(K)
    units = 10.0 ** rng.integers(-1, 2, p)
    return X * units + rng.normal(size=p), y, rng.uniform(0.2, 2, n)
