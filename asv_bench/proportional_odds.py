"""ProportionalOddsClassifier against skordinal, statsmodels and mord.

Ratios below 1 mean that ours is faster; ours also computes the Hessian of the
covariance and a bound on its gap. Each peer runs with the largest tolerance, of a half
or a whole power of ten, that brings its log-likelihood within a relative 1e-8 of the
optimum; setup checks it. Where skordinal has two solvers that get there, the ratio is
to the faster.
"""

import warnings

import numpy as np
from mord import LogisticAT
from skordinal.classifiers import POM
from statsmodels.miscmodels.ordinal_model import OrderedModel

from skloss.ordinal import ProportionalOddsClassifier

from ._ordinal_data import assert_optimal, load, log_likelihood
from ._pairs import UNIT, ratio

# data set: settings of POM that reach the optimum. On mixed units L-BFGS ends 3% short
# of it after 5000 iterations, and Newton-CG 1e-4 after thirty times BFGS's time.
PEERS = {
    "fair": (("lbfgs", 1e-10), ("bfgs", 1e-4)),
    "40000x20x5": (("lbfgs", 1e-7), ("bfgs", 1e-4)),
    "40000x20x5 correlated": (("lbfgs", 1e-8), ("bfgs", 3e-5)),
    "40000x20x5 units": (("bfgs", 1e-7),),
}


def optimum(X, y):
    """Log-likelihood of our fit at a tolerance of 1e-10."""
    return likelihood_of(ProportionalOddsClassifier(tol=1e-10).fit(X, y), X, y)


def likelihood_of(fitted, X, y):
    """Log-likelihood by its definition, of ours or of a model with `thresholds_`."""
    coef = fitted.coef_.reshape(1, -1)
    return log_likelihood(X, y, -np.asarray(fitted.thresholds_), coef)


class Likelihood:
    """Time of a maximum likelihood fit."""

    params = tuple(PEERS)
    param_names = ("data",)
    timeout = 600
    unit = UNIT

    def setup(self, data):
        X, y = load(data)
        best = optimum(X, y)
        ours = ProportionalOddsClassifier()
        self.ours = lambda: ours.fit(X, y)
        peers = [POM(solver=s, tol=tol, max_iter=5000) for s, tol in PEERS[data]]
        self.peers = [lambda peer=peer: peer.fit(X, y) for peer in peers]
        for fit in (self.ours, *self.peers):
            assert_optimal(likelihood_of(fit(), X, y), best)

    def time_ours(self, data):
        self.ours()

    def track_ratio_to_skordinal(self, data):
        return max(ratio(self.ours, peer, repeat=7) for peer in self.peers)


class LikelihoodInStatsmodels:
    """The same on `fair` against OrderedModel.

    Of its methods BFGS is the fastest that gets there, with its own tolerance;
    Nelder-Mead, its default, ends 2e-4 short.
    """

    timeout = 600
    unit = UNIT

    def setup(self):
        X, y = load("fair")
        ours = ProportionalOddsClassifier()
        self.ours = lambda: ours.fit(X, y)
        self.peer = lambda: OrderedModel(y, X, distr="logit").fit(method="bfgs", disp=0)
        best = optimum(X, y)
        assert_optimal(likelihood_of(self.ours(), X, y), best)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert_optimal(self.peer().llf, best)

    def track_ratio_to_statsmodels(self):
        return ratio(self.ours, self.peer, repeat=3)


class AllThreshold:
    """mord's all-threshold model, which minimises another loss: a report."""

    timeout = 600

    def setup(self):
        self.X, self.y = load("fair")
        self.ours = ProportionalOddsClassifier()
        self.peer = LogisticAT(alpha=0.0, max_iter=5000)
        self.ours.fit(self.X, self.y)
        self.peer.fit(self.X, self.y)

    def track_time_ratio_to_mord(self):
        return ratio(
            lambda: self.ours.fit(self.X, self.y),
            lambda: self.peer.fit(self.X, self.y),
            repeat=3,
        )

    def track_log_likelihood_above_mord(self):
        """Log-likelihood of the training rows, ours less theirs; below 0 is worse."""
        rows = np.arange(len(self.y)), self.y
        logs = [
            np.log(np.maximum(model.predict_proba(self.X)[rows], 1e-300)).sum()
            for model in (self.ours, self.peer)
        ]
        return float(logs[0] - logs[1])
