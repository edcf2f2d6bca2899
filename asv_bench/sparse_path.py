"""Lasso paths and searches for their strength, against those who solve the same."""

import warnings

import numpy as np
from celer import celer_path
from skglm import Lasso
from sklearn.linear_model import LassoCV, lasso_path

from skloss.sparse import SparseRegressorCV, duality_gap, sparse_path

from ._pairs import Ratio, peak_bytes, ratio

GAP = 1e-6  # of all, as a share of the mean square of y
TOLS = (1e-6, 1e-7, 1e-8, 1e-9, 1e-10)
CHECKED = slice(9, 100, 10)  # of 100 strengths


def designs(name):
    """Columns of mean square 1, and a target with 20 of them."""
    rng = np.random.default_rng(0)
    n, d = 500, 5000 if name == "iid" else 2000
    X = rng.normal(size=(n, d))
    if name == "AR(0.95)":
        for j in range(1, d):
            X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
    elif name == "near-duplicates":
        factors = np.repeat(rng.normal(size=(n, d // 10)), 10, axis=1)
        X = np.sqrt(0.99) * factors + np.sqrt(0.01) * X
    X = np.asfortranarray((X - X.mean(axis=0)) / X.std(axis=0))
    w = np.zeros(d)
    w[rng.choice(d, 20, replace=False)] = rng.choice([-1.0, 1.0], 20)
    signal = X @ w
    y = signal + rng.normal(size=n) * signal.std() / 3
    return X, y - y.mean()


def worst_gap(X, y, alphas, coefs):
    """Largest duality gap of some points of a path."""
    found = [
        duality_gap(X, y, np.asarray(w, dtype=float), alpha)
        for alpha, w in zip(alphas[CHECKED], coefs.T[CHECKED])
    ]
    return max(found) / np.mean(y**2)


class Path:
    """100 strengths down to a hundredth of the largest, all to the same gap."""

    params = ("AR(0.95)", "near-duplicates", "iid")
    param_names = ("design",)
    timeout = 1800
    unit = "ours/peer"

    def setup(self, design):
        X, y = designs(design)
        alphas = np.abs(X.T @ y).max() / len(y) * np.logspace(0, -2, 100)
        self.data = X, y, alphas
        self.ours = lambda: sparse_path(X, y, alphas=alphas, tol=GAP)
        _, _, gaps = self.ours()
        assert gaps.max() <= GAP * np.mean(y**2)

    def against(self, solve, repeat):
        """Compare with a peer at its loosest tolerance that reaches the gap."""
        X, y, alphas = self.data
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for tol in TOLS:
                if worst_gap(X, y, alphas, solve(tol)) <= 1.05 * GAP:
                    break
            else:
                raise AssertionError("The peer does not reach the gap.")
            return ratio(self.ours, lambda: solve(tol), repeat=repeat)

    def track_ratio_to_sklearn(self, design):
        X, y, alphas = self.data
        options = {"alphas": alphas, "max_iter": 10**6}
        return self.against(lambda tol: lasso_path(X, y, tol=tol, **options)[1], 3)

    def track_ratio_to_celer(self, design):
        X, y, alphas = self.data
        options = {"alphas": alphas, "max_iter": 1000}
        return self.against(
            lambda tol: celer_path(X, y, "lasso", tol=tol, **options)[1], 3
        )

    def track_ratio_to_skglm(self, design):
        X, y, alphas = self.data

        def solve(tol):
            model = Lasso(tol=tol, fit_intercept=False, max_iter=1000)
            return model.path(X, y, alphas)[1]

        return self.against(solve, 3)


class CrossValidation:
    """Five folds and 100 strengths.

    `LassoCV` runs at its default tolerance, looser than ours, down to a thousandth;
    and at a tolerance that means the same, down to a hundredth: further down it takes
    many minutes.
    """

    params = ("AR(0.95)", "near-duplicates")
    param_names = ("design",)
    timeout = 1800
    unit = "ours/peer"

    def setup(self, design):
        self.X, self.y = designs(design)

    def against(self, model, peer):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ratio(
                lambda: model.fit(self.X, self.y),
                lambda: peer.fit(self.X, self.y),
                repeat=1,
            )

    def track_ratio_to_looser_lasso_cv(self, design):
        return self.against(SparseRegressorCV(), LassoCV())

    def track_ratio_to_lasso_cv_at_the_same_gap(self, design):
        peer = LassoCV(tol=GAP, max_iter=10**5, eps=1e-2)
        return self.against(SparseRegressorCV(tol=GAP, eps=1e-2), peer)

    def track_ratio_to_own_path(self, design):
        X, y = self.X, self.y
        model = SparseRegressorCV()
        alphas = model.fit(X, y).alphas_
        ours = lambda: model.fit(X, y)  # noqa: E731
        return ratio(ours, lambda: sparse_path(X, y, alphas=alphas), repeat=3)


class Memory:
    """Most bytes held at once, X itself excepted, in units of X."""

    unit = "bytes/bytes of X"

    def setup(self):
        self.X, self.y = designs("AR(0.95)")

    def track_path(self):
        return Ratio(
            peak_bytes(lambda: sparse_path(self.X, self.y, eps=1e-2)), self.X.nbytes
        )

    def track_cv(self):
        model = SparseRegressorCV(eps=1e-2)
        return Ratio(peak_bytes(lambda: model.fit(self.X, self.y)), self.X.nbytes)


class TallCrossValidation:
    """The same with far more rows than columns, at the same tolerance."""

    params = (10, 100)
    param_names = ("n_columns",)
    unit = "ours/peer"

    def setup(self, n_columns):
        rng = np.random.default_rng(0)
        self.X = np.asfortranarray(rng.normal(size=(20_000, n_columns)))
        self.y = self.X[:, :5].sum(axis=1) + rng.normal(size=20_000)

    def track_ratio_to_lasso_cv(self, n_columns):
        model, peer = SparseRegressorCV(), LassoCV(tol=GAP, max_iter=10**5)
        return ratio(
            lambda: model.fit(self.X, self.y), lambda: peer.fit(self.X, self.y), 5
        )
