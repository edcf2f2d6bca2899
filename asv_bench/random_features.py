"""Random-feature ridge against `RBFSampler` with `Ridge` and `RidgeCV`.

Rows are as many, with as many columns, as in the RAND health experiment. Both sides
have features of the same kernel and reach the exact optimum: same accuracy.
"""

import time
import warnings

import numpy as np
from scipy.linalg import blas
from sklearn.kernel_approximation import RBFSampler
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skloss.random_features import (
    RandomFeatureRidge,
    RandomFeatureRidgeCV,
    RandomFeatures,
    optimal_alpha,
    rf_risk,
)

from ._pairs import Ratio, peak_bytes, ratio

GAMMA = 1 / 9
OURS = {"activation": "cos", "gamma": GAMMA, "random_state": 0}


def data(n=20_190, d=9, dtype=np.float64):
    """Rows and a target that no line fits."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d)).astype(dtype)
    y = np.sin(X[:, 0]) + X[:, 1] ** 2 + 0.1 * rng.normal(size=n)
    return X, y.astype(dtype)


def peer(k, model):
    """Random features of scikit-learn, and a model on them."""
    return make_pipeline(RBFSampler(gamma=GAMMA, n_components=k, random_state=0), model)


class Transform:
    """Features of all rows."""

    params = (300, 600, 1200)
    param_names = ("width",)
    unit = "ours/peer"

    def track_time(self, k):
        X, _ = data()
        ours = RandomFeatures(k, **OURS).fit(X)
        theirs = RBFSampler(gamma=GAMMA, n_components=k, random_state=0).fit(X)
        return ratio(lambda: ours.transform(X), lambda: theirs.transform(X), repeat=5)


class Fit:
    """One fit; `loop` compares with BLAS's products of the same blocks alone."""

    params = (300, 600, 1200)
    param_names = ("width",)
    timeout = 600
    unit = "ours/peer"

    def track_time(self, k):
        X, y = data()
        ours, theirs = RandomFeatureRidge(k, **OURS), peer(k, Ridge(1.0))
        return ratio(lambda: ours.fit(X, y), lambda: theirs.fit(X, y), repeat=5)

    def track_time_float32(self, k):
        X, y = data(dtype=np.float32)
        ours, theirs = RandomFeatureRidge(k, **OURS), peer(k, Ridge(1.0))
        return ratio(lambda: ours.fit(X, y), lambda: theirs.fit(X, y), repeat=5)

    def track_loop_float64(self, k):
        return self.loop(k, "float64", np.float64, blas.dsyrk)

    def track_loop_float32(self, k):
        return self.loop(k, "float32", np.float32, blas.ssyrk)

    def loop(self, k, precision, dtype, syrk):
        X, y = data(dtype=dtype)
        ours = RandomFeatureRidge(k, precision=precision, **OURS)
        rows = max(2**18 // k, 512)
        block = np.random.default_rng(0).normal(size=(rows, k)).astype(dtype)
        into = {"c": np.zeros((k, k), dtype, order="F"), "lower": 1, "overwrite_c": 1}

        def bare():
            for start in range(0, len(X), rows):
                syrk(1.0, block[: len(X) - start].T, beta=1.0, **into)

        return ratio(lambda: ours.partial_fit(X, y), bare, repeat=5)


class LeaveOneOut:
    """All penalties from one decomposition."""

    params = ((300, 600), (40, 100))
    param_names = ("width", "penalties")
    timeout = 1800
    unit = "ours/peer"

    def track_time(self, k, n_alphas):
        X, y = data()
        alphas = np.logspace(-6, 6, n_alphas)
        ours = RandomFeatureRidgeCV(k, alphas=alphas, **OURS)
        theirs = peer(k, RidgeCV(alphas))
        return ratio(lambda: ours.fit(X, y), lambda: theirs.fit(X, y), repeat=2)


class Grid:
    """Three widths, six penalties and five folds: 90 fits; or 4, 7 and 5: 140."""

    params = ("90 fits", "140 fits")
    param_names = ("grid",)
    timeout = 1800
    unit = "ours/peer"

    def track_time(self, grid):
        X, y = data()
        n_widths, n_alphas = (3, 6) if grid == "90 fits" else (4, 7)
        widths, alphas = [150, 300, 600, 900][:n_widths], np.logspace(-4, 2, n_alphas)
        ours = RandomFeatureRidgeCV(widths, alphas=alphas, cv=5, **OURS)
        cells = {"rbfsampler__n_components": widths, "ridge__alpha": alphas}
        options = {"cv": 5, "scoring": "neg_mean_squared_error"}
        theirs = GridSearchCV(peer(1, Ridge()), cells, **options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            return ratio(lambda: ours.fit(X, y), lambda: theirs.fit(X, y), repeat=1)


class Risk:
    """Milliseconds for predictions from 10,000 modes."""

    unit = "ms"

    def setup(self):
        modes = np.arange(1, 10_001)
        self.spectrum = modes**-1.5, modes**-0.75

    def best(self, function):
        function()
        seconds = []
        for _ in range(20):
            start = time.perf_counter()
            function()
            seconds.append(time.perf_counter() - start)
        return 1e3 * min(seconds)

    def track_one_point(self):
        return self.best(lambda: rf_risk(*self.spectrum, 256, 1000, 2.154))

    def track_best_ridge(self):
        return self.best(lambda: optimal_alpha(*self.spectrum, 256, 1000, 0.5))


class Rows:
    """Time for each row, and memory beyond the rows, as rows grow in number."""

    timeout = 1800

    def track_time_per_row(self):
        """400,000 rows against 50,000, in units of rows."""
        many, few = data(400_000), data(50_000)
        model = RandomFeatureRidge(400, precision="float64", **OURS)
        found = ratio(lambda: model.fit(*many), lambda: model.fit(*few), repeat=3)
        return Ratio(found.ours / 8, found.peer)

    def track_memory(self):
        """Bytes of a fit in single precision, beside those of all features."""
        X, y = data(400_000, dtype=np.float32)
        model = RandomFeatureRidge(400, **OURS)
        return Ratio(peak_bytes(lambda: model.fit(X, y)), 4 * 400 * len(X))

    track_time_per_row.unit = "time/time for each row"
    track_memory.unit = "bytes/bytes of features"
