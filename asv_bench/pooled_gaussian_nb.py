"""PooledGaussianNB against GaussianNB and against the memory's speed."""

import numpy as np
from scipy import sparse
from sklearn.datasets import load_digits
from sklearn.naive_bayes import GaussianNB

from skloss.linear_eval import PooledGaussianNB

from ._pairs import UNIT, Ratio, peak_bytes, ratio


def make_data(name):
    """Load digits, or draw Gaussian classes of the shape that the name says."""
    if name == "digits":
        return load_digits(return_X_y=True)
    shape, _, dtype = name.partition(" ")
    n, p, n_classes = map(int, shape.split("x"))
    random = np.random.RandomState(0)
    y = random.randint(n_classes, size=n)
    X = random.standard_normal((n, p)) + random.standard_normal((n_classes, p))[y]
    return X.astype(dtype or float), y


class GaussianNaiveBayes:
    """Both fit one Gaussian per class and feature; ours shares the variances."""

    params = (
        "digits",
        "20000x100x10",
        "100000x50x5",
        "100000x200x10",
        "200000x10x3",
        "20000x100x100",
        "100000x50x5 float32",
    )
    param_names = ("data",)
    unit = UNIT

    def setup(self, data):
        self.X, self.y = make_data(data)
        self.ours = PooledGaussianNB().fit(self.X, self.y)
        self.peer = GaussianNB().fit(self.X, self.y)

    def time_fit(self, data):
        self.ours.fit(self.X, self.y)

    def time_predict(self, data):
        self.ours.predict(self.X)

    def track_fit(self, data):
        return ratio(
            lambda: self.ours.fit(self.X, self.y), lambda: self.peer.fit(self.X, self.y)
        )

    def track_predict(self, data):
        return ratio(
            lambda: self.ours.predict(self.X), lambda: self.peer.predict(self.X)
        )

    def track_predict_proba(self, data):
        return ratio(
            lambda: self.ours.predict_proba(self.X),
            lambda: self.peer.predict_proba(self.X),
        )

    def track_fit_memory(self, data):
        return Ratio(
            peak_bytes(lambda: self.ours.fit(self.X, self.y)),
            peak_bytes(lambda: self.peer.fit(self.X, self.y)),
        )

    def track_fit_to_plain_sum(self, data):
        """A sum reads X once and does nothing else: the speed of the memory."""
        return ratio(lambda: self.ours.fit(self.X, self.y), lambda: self.X.sum())


class SparseRows:
    """Peers accept no sparse X: they would have to make it dense first."""

    params = (0.01, 0.1)
    param_names = ("density",)
    unit = UNIT

    def setup(self, density):
        self.X = sparse.random_array(
            (20_000, 500), density=density, format="csr", rng=0
        )
        self.y = np.arange(20_000) % 5

    def track_fit(self, density):
        return ratio(
            lambda: PooledGaussianNB().fit(self.X, self.y),
            lambda: GaussianNB().fit(self.X.toarray(), self.y),
            repeat=7,
        )
