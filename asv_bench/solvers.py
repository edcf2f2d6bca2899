"""The shared solvers against scikit-learn and SciPy on the problems they share.

Ratios below 1 mean that ours is faster.
"""

import warnings

import numpy as np
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, lasso_path

from skloss.penalties import L1, NonNegative
from skloss.solvers import DesignGram, LinearProblem, gram_descent, prox_newton

from ._pairs import UNIT, ratio

GAP = 1e-6


def autoregressive(n, p, correlation, random):
    """Gaussian rows whose neighbouring columns have the given correlation."""
    X = random.standard_normal((n, p))
    fresh = np.sqrt(1 - correlation**2)
    for j in range(1, p):
        X[:, j] = correlation * X[:, j - 1] + fresh * X[:, j]
    return X


def near_duplicates(n, p, random):
    """Groups of ten columns that differ by one part in a hundred."""
    sources = np.repeat(random.standard_normal((n, p // 10)), 10, axis=1)
    return sources + 0.01 * random.standard_normal((n, p))


class LassoPath:
    """A hundred penalties from the largest down to a hundredth of it.

    Both sides stop each penalty at a duality gap of 1e-6 of the squared target.
    """

    params = ("independent", "correlation 0.95", "near duplicates")
    param_names = ("design",)
    timeout = 600
    unit = UNIT

    def setup(self, design):
        random = np.random.RandomState(0)
        # scikit-learn takes minutes for larger groups of near duplicates
        n, p = (200, 500) if design == "near duplicates" else (500, 2000)
        self.X = np.asfortranarray(
            {
                "independent": lambda: random.standard_normal((n, p)),
                "correlation 0.95": lambda: autoregressive(n, p, 0.95, random),
                "near duplicates": lambda: near_duplicates(n, p, random),
            }[design]()
        )
        coef = np.zeros(p)
        coef[random.choice(p, 10, replace=False)] = 1
        self.y = self.X @ coef + random.standard_normal(n)
        largest = np.abs(self.X.T @ self.y).max() / n
        self.alphas = largest * np.logspace(0, -2, 100)

    def ours(self):
        n = len(self.y)
        gram, c = DesignGram(self.X), self.X.T @ self.y / n
        y_squared = self.y @ self.y / n
        x = np.zeros(len(c))
        for alpha in self.alphas:
            result = gram_descent(
                gram, c, L1(alpha), x0=x, y_squared=y_squared, tol=GAP
            )
            assert result.converged
            x = result.x
        return x

    def peer(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            lasso_path(self.X, self.y, alphas=self.alphas, tol=GAP, max_iter=100_000)

    def track_ratio_to_scikit_learn(self, design):
        return ratio(self.ours, self.peer, repeat=3)


class LogisticL1:
    """One L1 logistic regression without intercept, to a relative gap of 1e-6."""

    params = ("2000x200", "20000x50")
    param_names = ("shape",)
    timeout = 600
    unit = UNIT

    def setup(self, shape):
        random = np.random.RandomState(0)
        n, p = map(int, shape.split("x"))
        self.X = np.asfortranarray(autoregressive(n, p, 0.8, random))
        coef = np.zeros(p)
        coef[:10] = 1
        self.y = np.where(self.X @ coef + random.logistic(size=n) > 0, 1.0, -1.0)
        self.alpha = 0.05 * np.abs(self.X.T @ self.y).max() / (2 * n)
        self.peer_model = self._loosest_peer()

    def ours(self):
        problem = LinearProblem("logistic", self.X, self.y, fit_intercept=False)
        return prox_newton(problem, L1(self.alpha), tol=GAP)

    def _objective(self, coef):
        losses = np.logaddexp(0, -self.y * (self.X @ coef))
        return losses.mean() + self.alpha * np.abs(coef).sum()

    def _loosest_peer(self):
        """liblinear with the largest tolerance that reaches the accuracy."""
        best = prox_newton(
            LinearProblem("logistic", self.X, self.y, fit_intercept=False),
            L1(self.alpha),
            tol=1e-12,
        ).objective
        for tol in 10.0 ** -np.arange(1, 12):
            model = LogisticRegression(
                l1_ratio=1,
                C=1 / (self.alpha * len(self.y)),
                solver="liblinear",
                fit_intercept=False,
                tol=tol,
                max_iter=10_000,
            ).fit(self.X, self.y)
            if self._objective(model.coef_.ravel()) <= best * (1 + GAP):
                return model
        raise RuntimeError("liblinear does not reach the accuracy.")

    def track_ratio_to_liblinear(self, shape):
        return ratio(self.ours, lambda: self.peer_model.fit(self.X, self.y), repeat=5)


class NonNegativeLeastSquares:
    """Dense non-negative least squares, both to the accuracy of rounding."""

    params = ("500x100", "5000x300")
    param_names = ("shape",)
    unit = UNIT

    def setup(self, shape):
        random = np.random.RandomState(0)
        n, p = map(int, shape.split("x"))
        self.X = random.random_sample((n, p))
        self.y = self.X @ np.maximum(random.standard_normal(p), 0)
        self.y += 0.1 * random.standard_normal(n)

    def ours(self):
        gram = self.X.T @ self.X
        return gram_descent(gram, self.X.T @ self.y, NonNegative(), tol=1e-12).x

    def track_ratio_to_scipy(self, shape):
        assert np.allclose(self.ours(), nnls(self.X, self.y)[0], atol=1e-8)
        return ratio(self.ours, lambda: nnls(self.X, self.y), repeat=5)
