"""Searches for the best subset, against abess, and proofs that one is the best."""

import numpy as np
from abess.linear import LinearRegression
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import PolynomialFeatures

from skloss.sparse import BestSubsetRegressor

from ._pairs import Ratio, ratio

SIZE = 10
SEEDS = range(25)


def planted(design, seed):
    """300 × 1000 with ten coefficients of plus or minus one, SNR 10."""
    rng = np.random.default_rng(seed)
    n, d = 300, 1000
    X = rng.normal(size=(n, d))
    if design == "AR(0.99)":
        for j in range(1, d):
            X[:, j] = 0.99 * X[:, j - 1] + np.sqrt(1 - 0.99**2) * X[:, j]
    elif design == "smooth":
        grid = np.linspace(0, 1, d)
        shapes = np.exp(-((grid[:, None] - np.linspace(0, 1, 60)) ** 2) / 2e-4)
        X = rng.normal(size=(n, 60)) @ shapes.T + 0.05 * X
    elif design == "tree":
        for j in range(1, d):
            X[:, j] = 0.9 * X[:, (j - 1) // 2] + np.sqrt(1 - 0.81) * X[:, j]
    elif design == "latent":
        X += rng.normal(size=(n, 20)) @ rng.normal(size=(20, d))
    elif design == "power law":
        X = X / np.arange(1, d + 1) @ np.linalg.qr(rng.normal(size=(d, d)))[0].T
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    support = rng.choice(d, SIZE, replace=False)
    signal = X[:, support] @ rng.choice([-1.0, 1.0], SIZE)
    y = signal + rng.normal(size=n) * signal.std() / np.sqrt(10)
    return X, y, support


def rss(X, y, support):
    """Residual sum of squares of least squares on some columns, with an intercept."""
    A = np.column_stack([np.ones(len(y)), X[:, support]])
    return float(np.sum((y - A @ np.linalg.lstsq(A, y)[0]) ** 2))


def failures(model, data):
    """Count fits with a larger sum of squares than the planted columns have."""
    bad = 0
    for X, y, support in data:
        found = np.flatnonzero(model.fit(X, y).coef_)
        bad += rss(X, y, found) > rss(X, y, support) * (1 + 1e-9)
    return bad


class Search:
    """Default settings of both, ten columns."""

    params = ("AR(0.99)", "smooth", "tree", "power law")
    param_names = ("design",)
    timeout = 1800
    unit = "ours/peer"

    def setup(self, design):
        self.data = [planted(design, seed) for seed in SEEDS]
        self.ours = BestSubsetRegressor(SIZE, random_state=0)
        self.peer = LinearRegression(support_size=SIZE)

    def track_time(self, design):
        def each(model):
            return lambda: [model.fit(X, y) for X, y, _ in self.data]

        return ratio(each(self.ours), each(self.peer), repeat=3)

    def track_failures(self, design):
        """Fits with a larger sum of squares than the planted columns have."""
        counts = [failures(model, self.data) for model in (self.ours, self.peer)]
        return Ratio(counts[0], max(counts[1], 1))


class Starts:
    """Searches that start from Lasso fits, too, against those that do not."""

    params = ("latent", "power law", "tree")
    param_names = ("design",)
    timeout = 1800
    unit = "with/without"

    def setup(self, design):
        self.data = [planted(design, seed) for seed in SEEDS]
        self.models = [
            BestSubsetRegressor(SIZE, l1_starts=starts, random_state=0)
            for starts in (True, False)
        ]

    def track_time(self, design):
        def each(model):
            return lambda: [model.fit(X, y) for X, y, _ in self.data]

        return ratio(*map(each, self.models), repeat=1)

    def track_failures(self, design):
        """Fits with a larger sum of squares than the planted columns have."""
        counts = [failures(model, self.data) for model in self.models]
        return Ratio(counts[0], max(counts[1], 1))


class Exact:
    """Seconds to a proof, in units of one search."""

    params = ("diabetes, k=8", "spectra, k=4")
    param_names = ("data",)
    timeout = 600
    unit = "proof/search"

    def setup(self, data):
        if data.startswith("diabetes"):
            X, self.y = load_diabetes(return_X_y=True)
            X = PolynomialFeatures(include_bias=False).fit_transform(X)
            keep = [j for j in range(X.shape[1]) if len(np.unique(X[:, j])) > 2]
            self.X, self.size = X[:, sorted({1, *keep})], 8
        else:
            rng = np.random.default_rng(0)
            curves = np.cumsum(rng.normal(size=(60, 401)), axis=1)
            width = np.ones(25) / 25
            smooth = [np.convolve(curve, width, mode="same") for curve in curves]
            self.X, self.size = np.array(smooth), 4
            self.y = self.X[:, [40, 150, 260, 380]] @ [1.0, -2.0, 1.5, 0.5]
            self.y += rng.normal(size=60) * self.y.std() / 10

    def track_proof(self, data):
        exact = BestSubsetRegressor(self.size, method="exact", random_state=0)
        assert exact.fit(self.X, self.y).gap_ <= 1e-9
        search = BestSubsetRegressor(self.size, random_state=0)
        return ratio(
            lambda: exact.fit(self.X, self.y),
            lambda: search.fit(self.X, self.y),
            repeat=1,
        )
