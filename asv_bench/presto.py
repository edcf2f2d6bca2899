"""PRESTO against the strongest peers for its problems, at the same optimum.

Ratios below 1 mean that ours is faster. No other package in Python fits these models
as such, so the peers are a sparse solver given the expanded design, ready made, and a
conic solver. Setup checks that both sides are within a relative 1e-8 of the optimum.
"""

import warnings

import cvxpy as cp
import numpy as np
from skglm.datafits import Logistic
from skglm.penalties import WeightedL1
from skglm.solvers import ProxNewton

from skloss.ordinal import PrestoClassifier, PrestoClassifierCV, presto_path

from ._ordinal_data import assert_optimal, load, penalised_objective, steps
from ._pairs import UNIT, Ratio, ratio

N_ALPHAS = 20
# The fastest of skglm's solvers here; AndersonCD and FISTA take three times as long,
# and so do sparse matrices. Tolerances as large as the gap allows.
SKGLM = (
    {"ws_strategy": "subdiff", "tol": 5e-6},
    {"ws_strategy": "fixpoint", "tol": 5e-5},
)


def objective(fitted, X, y):
    """Objective of a fitted PrestoClassifier, by its definition."""
    intercept, coef = fitted.intercept_, fitted.coef_
    return penalised_objective(X, y, intercept, coef, fitted.alpha, fitted.family)


class PersonSteps:
    """The expanded design of a stopping model: a row for each step a row reaches.

    Its first columns are the blocks of the fused structure, of standardised features,
    and its last ones the indicators of the steps.
    """

    def __init__(self, X, y):
        self.n, p = X.shape
        m = y.max()
        Z = (X - X.mean(axis=0)) / X.std(axis=0)
        parts, targets = [], []
        for k in range(m):
            reached, stops = steps(y, k)
            part = np.zeros((len(reached), m * (p + 1)))
            for block in range(k + 1):
                part[:, block * p : (block + 1) * p] = Z[reached]
            part[:, m * p + k] = 1.0
            parts.append(part)
            targets.append(np.where(stops, 1.0, -1.0))
        self.design = np.asfortranarray(np.vstack(parts))  # which suits the peer
        self.target = np.concatenate(targets)
        self.penalised = np.arange(m * (p + 1)) < m * p

    def objective(self, w, alpha):
        """Objective of weights of the columns, in our units."""
        losses = np.logaddexp(0.0, -self.target * (self.design @ w))
        return losses.sum() / self.n + alpha * np.abs(w[self.penalised]).sum()


class Stopping:
    """Stopping family on `fair` against skglm on the expanded design."""

    timeout = 600
    unit = UNIT
    alpha = 0.001

    def setup(self):
        X, y = load("fair")
        model = PrestoClassifier(self.alpha, family="stopping")
        self.ours = lambda: model.fit(X, y)
        tight = PrestoClassifier(self.alpha, family="stopping", tol=1e-10)
        best = objective(tight.fit(X, y), X, y)
        assert_optimal(objective(self.ours(), X, y), best)

        expanded = PersonSteps(X, y)
        # Its mean is over steps, ours over rows.
        alpha = self.alpha * expanded.n / len(expanded.target)
        loss, penalty = Logistic(), WeightedL1(alpha, expanded.penalised.astype(float))
        solvers = [
            ProxNewton(p0=100, max_iter=100, fit_intercept=False, **options)
            for options in SKGLM
        ]
        data = expanded.design, expanded.target, loss, penalty
        self.peers = [lambda solver=solver: solver.solve(*data) for solver in solvers]
        for peer in self.peers:
            assert_optimal(expanded.objective(peer()[0], self.alpha), best)

    def time_ours(self):
        self.ours()

    def track_ratio_to_skglm(self):
        return max(ratio(self.ours, peer, repeat=5) for peer in self.peers)


class ConicProgram:
    """The cumulative model at one strength of the penalty, for Clarabel."""

    def __init__(self, X, y, alpha):
        self.X, self.y, self.alpha = X, y, alpha
        self.center, self.scale = X.mean(axis=0), X.std(axis=0)
        n, p = X.shape
        m = y.max()
        Z = (X - self.center) / self.scale
        self.theta = cp.Variable(m)
        self.blocks = cp.Variable((m, p))
        weights = cp.Variable((m, p))
        constraints = [weights == np.tri(m) @ self.blocks]
        # Scores of their own keep X from being written into every cone, and only
        # the scores that the likelihood needs are there.
        lower, upper, loss = {}, {}, 0.0
        for k in range(m):
            for scores, owner in ((upper, k), (lower, k + 1)):
                rows = np.flatnonzero(y == owner)
                scores[owner] = cp.Variable(len(rows))
                value = Z[rows] @ weights[k] + self.theta[k]
                constraints.append(scores[owner] == value)
        for c in range(m + 1):
            if c in upper:
                loss += cp.sum(cp.logistic(-upper[c]))
            if c in lower:
                loss += cp.sum(cp.logistic(lower[c]))
            if c in upper and c in lower:
                # s >= -log(1 - exp(-gap))
                s = cp.Variable(upper[c].size)
                gap = upper[c] - lower[c]
                constraints.append(cp.exp(-s) + cp.exp(-gap) <= 1)
                loss += cp.sum(s)
        penalty = alpha * cp.sum(cp.abs(self.blocks))
        self.program = cp.Problem(cp.Minimize(loss / n + penalty), constraints)

    def solve(self):
        """Solve the program; return the seconds in Clarabel."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            self.program.solve(solver=cp.CLARABEL, max_threads=1)
        return self.program.solver_stats.solve_time

    def objective(self):
        """Objective of the solution, by its definition."""
        coef = -np.cumsum(self.blocks.value, axis=0) / self.scale
        intercept = -self.theta.value - coef @ self.center
        return penalised_objective(self.X, self.y, intercept, coef, self.alpha)


class Path:
    """A path of 20 penalties against one conic solve at its middle."""

    params = ("fair", "survey")
    param_names = ("data",)
    timeout = 1800
    unit = UNIT

    def setup(self, data):
        X, y = load(data)
        self.ours = lambda: presto_path(X, y, n_alphas=N_ALPHAS)
        alphas, intercepts, coefs, _ = self.ours()
        middle = N_ALPHAS // 2
        alpha = alphas[middle]
        best = objective(PrestoClassifier(alpha, tol=1e-10).fit(X, y), X, y)
        found = penalised_objective(X, y, intercepts[middle], coefs[middle], alpha)
        assert_optimal(found, best)
        self.conic = ConicProgram(X, y, alpha)
        self.inside = [self.conic.solve()]
        assert_optimal(self.conic.objective(), best)

    def peer(self):
        self.inside.append(self.conic.solve())

    def time_ours(self, data):
        self.ours()

    def track_ratio_to_cvxpy(self, data):
        """Against all of cvxpy's work but for its compilation, which it keeps."""
        return ratio(self.ours, self.peer, repeat=3)

    def track_ratio_to_clarabel(self, data):
        """Against the time that the solver itself reports."""
        once = ratio(self.ours, self.peer, repeat=3)
        return Ratio(once.ours, min(self.inside))


class CrossValidation:
    """5 folds and the refit, in units of one path with the same penalties."""

    params = ("fair", "survey")
    param_names = ("data",)
    timeout = 600
    unit = "CV/path"

    def setup(self, data):
        X, y = load(data)
        alphas, _, coefs, _ = presto_path(X, y, n_alphas=N_ALPHAS)
        model = PrestoClassifierCV(alphas=alphas, cv=5, random_state=0)
        self.ours = lambda: model.fit(X, y)
        self.path = lambda: presto_path(X, y, alphas=alphas)
        refit = self.ours().coefs_path_
        assert np.abs(refit - coefs).max() <= 1e-3 * np.abs(coefs).max()

    def track_ratio_to_path(self, data):
        return ratio(self.ours, self.path, repeat=5)


class Ordering:
    """What it costs to keep probabilities in order, at the middle of the path."""

    params = (("fair", "survey"), ("box", "train"))
    param_names = ("data", "ordering")
    timeout = 600
    unit = "ordered/observed"

    def setup(self, data, ordering):
        X, y = load(data)
        alpha = PrestoClassifier(1.0).fit(X, y).alpha_max_ * 10**-1.5
        ordered = PrestoClassifier(alpha, ordering=ordering)
        free = PrestoClassifier(alpha)
        self.ordered, self.free = lambda: ordered.fit(X, y), lambda: free.fit(X, y)
        best = objective(PrestoClassifier(alpha, tol=1e-10).fit(X, y), X, y)
        assert_optimal(objective(self.free(), X, y), best)
        value = objective(self.ordered(), X, y)
        assert ordered.n_crossings_ == 0 and value >= best * (1 - 1e-12)
        assert ordered.dual_gap_ <= 1e-6 * value, ordered.dual_gap_

    def track_ratio_to_observed(self, data, ordering):
        return ratio(self.ordered, self.free, repeat=5)
