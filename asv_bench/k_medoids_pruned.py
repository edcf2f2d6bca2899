"""k-medoids with pruned distances against all distances, stored or not.

Ratios below 1 mean that pruning is faster. Both sides start from the same medoids and
have to end at the same deviation.
"""

import numpy as np
from sklearn.datasets import load_digits, make_blobs

from skloss.cluster import KMedoids
from skloss.cluster._inputs import make_problem
from skloss.cluster._pruned import fasterpam_pruned
from skloss.cluster._search import fasterpam
from skloss.cluster._sources import make_source
from skloss.kernels import prepare

from ._pairs import UNIT, peak_bytes, ratio


def gaussian(n, p):
    return np.random.RandomState(0).standard_normal((n, p))


def blobs(n, p):
    return make_blobs(n, n_features=p, centers=200, random_state=0)[0]


def fit(X, k, precompute, init, weights=None):
    model = KMedoids(k, precompute=precompute, init=init, random_state=0)
    return model.fit(X, sample_weight=weights)


class VisitedShare:
    """Distances of a pass over the candidates, as a share of all of them."""

    params = ("plane k=50", "plane k=200", "blobs k=200", "digits k=200", "16-D k=200")
    param_names = ("data",)
    unit = "share"

    def setup(self, data):
        self.X = {
            "plane": lambda: gaussian(5000, 2),
            "blobs": lambda: blobs(5000, 8),
            "digits": lambda: load_digits().data,
            "16-D": lambda: gaussian(3000, 16),
        }[data.split()[0]]()
        self.k = int(data.split("=")[1])

    def track_visited_share(self, data):
        """Of a last pass, which finds no swap: it visits all candidates."""
        n = len(self.X)
        # Equal weights would make the two points of a small cluster equally good.
        weights = np.random.RandomState(0).randint(1, 1000, size=n)
        first = fit(self.X, self.k, True, "k-medoids++", weights)
        again = fit(self.X, self.k, "pruned", first.medoid_indices_, weights)
        assert again.n_swaps_ == 0
        return (again.n_distances_ - self.k * n) / (n * (n - self.k))


class Search:
    """The search alone, from the same random medoids of points in a plane."""

    params = (
        "stored n=5000 k=50",
        "stored n=5000 k=200",
        "computed n=20000 k=200",
        "computed n=50000 k=200",
    )
    param_names = ("case",)
    timeout = 1200
    unit = UNIT

    def setup(self, case):
        kept, *size = case.split()
        n, k = (int(part.split("=")[1]) for part in size)
        X = gaussian(n, 2)
        params = prepare("euclidean", X)
        self.medoids = np.random.RandomState(1).choice(n, k, replace=False)
        self.ours, self.peer = (
            make_problem(
                make_source(X, "euclidean", params, precompute, 1)[0], np.ones(n)
            )
            for precompute in ("pruned", kept == "stored")
        )

    def track_ratio(self, case):
        def ours():
            return fasterpam_pruned(self.ours, self.medoids)

        def peer():
            return fasterpam(self.peer, self.medoids)

        assert np.isclose(ours().curve[-1], peer().curve[-1], rtol=1e-6)
        return ratio(ours, peer, repeat=3)


class Large:
    """200 medoids of 200,000 points in a plane: no peer gets here."""

    timeout = 1200

    def setup(self):
        self.X = gaussian(200_000, 2)

    def fit(self):
        return fit(self.X, 200, "pruned", "k-medoids++")

    def time_fit(self):
        self.fit()

    def track_peak(self):
        return peak_bytes(self.fit)

    track_peak.unit = "bytes"
