"""Group lasso paths against adelie, at equal accuracy.

adelie is no requirement of these benchmarks, as its metadata asks for NumPy below 2.
Where it is not installed, `setup` raises NotImplementedError, so that asv passes over
them.
"""

import warnings
from importlib.util import find_spec

import numpy as np

from skloss.sparse import duality_gap, sparse_path

from ._pairs import ratio

GAP = 1e-6  # of all, as a share of the mean square of y
TOLS = (1e-12, 1e-13, 1e-14, 1e-15)  # adelie's, of which one reaches the gap


def designs(name):
    """Columns in groups, and a target with ten of the groups."""
    rng = np.random.default_rng(0)
    n, d, size = 500, 2000, 10
    if name == "iid":
        d = 5000
        X = rng.normal(size=(n, d))
    elif name == "AR(0.95)":
        size = 5
        X = rng.normal(size=(n, d))
        for j in range(1, d):
            X[:, j] = 0.95 * X[:, j - 1] + np.sqrt(1 - 0.95**2) * X[:, j]
    else:
        factors = np.repeat(rng.normal(size=(n, d // size)), size, axis=1)
        X = np.sqrt(0.99) * factors + np.sqrt(0.01) * rng.normal(size=(n, d))
    groups = np.arange(d) // size
    w = np.where(np.isin(groups, rng.choice(d // size, 10, replace=False)), 1.0, 0.0)
    signal = X @ (w * rng.normal(size=d))
    y = signal + signal.std() / np.sqrt(10) * rng.normal(size=n)
    return np.asfortranarray(X - X.mean(axis=0)), y - y.mean(), groups


def adelie_path(X, y, groups, alphas, tol=None):
    """Solve with adelie, at its default tolerance if none is given."""
    import adelie

    state = adelie.grpnet(
        X=X,
        glm=adelie.glm.gaussian(y=y),
        groups=np.flatnonzero(np.diff(groups, prepend=-1)),
        intercept=False,
        lmda_path=alphas,
        n_threads=1,
        progress_bar=False,
        early_exit=False,
        **({} if tol is None else {"tol": tol, "max_iters": 10**7}),
    )
    return state.betas.toarray()


class Path:
    """100 strengths down to a hundredth of the largest, to the same largest gap."""

    params = ("AR(0.95)", "near-duplicates", "iid")
    param_names = ("design",)
    timeout = 1800
    unit = "ours/peer"

    def setup(self, design):
        if find_spec("adelie") is None:
            raise NotImplementedError("adelie is not installed.")
        X, y, self.groups = designs(design)
        sizes = np.bincount(self.groups)
        top = np.sqrt(np.bincount(self.groups, (X.T @ y / len(y)) ** 2) / sizes)
        self.data = X, y, top.max() * np.geomspace(1, 1e-2, 100)

    def worst_gap(self, coefs):
        """Largest duality gap on the path, as a share of the mean square of y."""
        X, y, alphas = self.data
        options = {"penalty": "group", "groups": self.groups}
        gaps = [duality_gap(X, y, w, a, **options) for a, w in zip(alphas, coefs)]
        return max(gaps) / np.mean(y**2)

    def peer(self, tol=None):
        X, y, alphas = self.data
        return adelie_path(X, y, self.groups, alphas, tol)

    def compare(self, gap, tol):
        """Compare with adelie's time at one of its tolerances, which has this gap."""
        X, y, alphas = self.data
        options = {"penalty": "group", "groups": self.groups, "alphas": alphas}
        ours = lambda: sparse_path(X, y, tol=gap, **options)  # noqa: E731
        assert ours()[2].max() <= gap * np.mean(y**2)
        return ratio(ours, lambda: self.peer(tol), repeat=5)

    def track_ratio_at_the_accuracy_of_adelie(self, design):
        return self.compare(self.worst_gap(self.peer()), None)

    def track_ratio_at_a_gap_of_a_millionth(self, design):
        """Compare at adelie's loosest tolerance that reaches the gap."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for tol in TOLS:
                if self.worst_gap(self.peer(tol)) <= 1.05 * GAP:
                    return self.compare(GAP, tol)
        raise AssertionError("adelie does not reach the gap.")
