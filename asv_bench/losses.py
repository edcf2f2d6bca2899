"""Loss kernels and elementary functions against their strongest peers.

Ratios below 1 mean that ours is faster. Peers run alternately with ours in one process
and on one thread.
"""

import numpy as np
from numba import njit
from scipy.special import expit, ndtri
from sklearn._loss import loss as peers

from skloss import losses
from skloss._elementary import (
    arccos,
    cos,
    exp,
    expm1,
    log,
    log1p,
    normal_quantile,
    sigmoid,
    softplus,
)
from skloss._jit import kernel
from skloss._random import fill_normal, fill_uniform

from ._pairs import ratio

N = 10**6
DTYPES = ("float64", "float32")


def _sign_data(dtype):
    random = np.random.RandomState(0)
    f = 3 * random.standard_normal(N).astype(dtype)
    return np.where(random.rand(N) < 0.5, -1, 1).astype(dtype), f


class Scalar:
    """Value and derivative on a million rows, written to given arrays."""

    params = (("logistic", "squared", "huber", "poisson", "gamma"), DTYPES)
    param_names = ("loss", "dtype")

    def setup(self, loss, dtype):
        y, f = _sign_data(dtype)
        peer, y_peer = {
            "logistic": (peers.HalfBinomialLoss(), (y + 1) / 2),
            "squared": (peers.HalfSquaredError(), y),
            "huber": (peers.HuberLoss(delta=1.35), y),
            "poisson": (peers.HalfPoissonLoss(), np.abs(y)),
            "gamma": (peers.HalfGammaLoss(), np.abs(y)),
        }[loss]
        y_ours = y if loss == "logistic" else y_peer
        a, b, c, d = (np.empty_like(f) for _ in range(4))
        y_peer = y_peer.astype(dtype)
        self.ours = lambda: losses.value_and_gradient(
            loss, y_ours, f, value_out=a, gradient_out=b
        )
        self.peer = lambda: peer.loss_gradient(y_peer, f, None, c, d, n_threads=1)
        self.ours()
        self.peer()

    def time_ours(self, loss, dtype):
        self.ours()

    def track_ratio_to_scikit_learn(self, loss, dtype):
        return ratio(self.ours, self.peer, repeat=15)


class Softmax:
    """Cross-entropy and its gradient on rows of class scores."""

    params = ((3, 10, 100), DTYPES)
    param_names = ("n_classes", "dtype")

    def setup(self, n_classes, dtype):
        random = np.random.RandomState(0)
        n = N // n_classes
        F = 3 * random.standard_normal((n, n_classes)).astype(dtype)
        y = random.randint(n_classes, size=n)
        peer, y_peer = peers.HalfMultinomialLoss(n_classes=n_classes), y.astype(dtype)
        a, b, c, d = np.empty(n, dtype), np.empty_like(F), np.empty(n, dtype), F.copy()
        self.ours = lambda: losses.value_and_gradient(
            "softmax_cross_entropy", y, F, value_out=a, gradient_out=b
        )
        self.peer = lambda: peer.loss_gradient(y_peer, F, None, c, d, n_threads=1)
        self.ours()
        self.peer()

    def track_ratio_to_scikit_learn(self, n_classes, dtype):
        return ratio(self.ours, self.peer, repeat=15)


def _arrays(dtype):
    x = np.random.RandomState(0).uniform(0, 1, 20_000).astype(dtype)
    return x, np.empty_like(x)


def _loop(function):
    def apply(x, out):
        for i in range(x.size):
            out[i] = function(x[i])

    return apply


FUNCTIONS = {
    "exp": (exp, np.exp),
    "expm1": (expm1, np.expm1),
    "log": (log, np.log),
    "log1p": (log1p, np.log1p),
    "cos": (cos, np.cos),
    "arccos": (arccos, np.arccos),
    "sigmoid": (sigmoid, expit),
    "softplus": (softplus, lambda x, out: np.logaddexp(0, x, out=out)),
    "normal_quantile": (normal_quantile, ndtri),
}
IN_C_LIBRARY = ("exp", "expm1", "log", "log1p", "cos", "arccos")


class Elementary:
    """One function in a loop, against NumPy or SciPy on the same array."""

    params = (tuple(FUNCTIONS), DTYPES)
    param_names = ("function", "dtype")

    def setup(self, name, dtype):
        ours, peer = FUNCTIONS[name]
        x, out = _arrays(dtype)
        compiled = kernel(_loop(ours))
        self.ours = lambda: compiled(x, out)
        self.peer = lambda: peer(x, out=out)

    def track_ratio_to_numpy(self, name, dtype):
        return ratio(self.ours, self.peer, repeat=50)


class ElementaryCompiled:
    """The same loops, compiled with the C library's function in place of ours."""

    params = (IN_C_LIBRARY, DTYPES)
    param_names = ("function", "dtype")

    def setup(self, name, dtype):
        ours, peer = FUNCTIONS[name]
        x, out = _arrays(dtype)
        compiled, in_c = kernel(_loop(ours)), njit(_loop(peer))
        self.ours = lambda: compiled(x, out)
        self.peer = lambda: in_c(x, out)

    def track_ratio_to_c_library(self, name, dtype):
        return ratio(self.ours, self.peer, repeat=50)


class Random:
    """Counter-based numbers against NumPy's default generator."""

    params = (("uniform", "normal"),)
    param_names = ("law",)

    def setup(self, law):
        out = np.empty(100_000)
        generator = np.random.default_rng(0)
        fill = {"uniform": fill_uniform, "normal": fill_normal}[law]
        draw = {"uniform": generator.random, "normal": generator.standard_normal}[law]
        self.ours = lambda: fill(0, 0, 0, out)
        self.peer = lambda: draw(out=out)
        self.ours()

    def track_ratio_to_numpy(self, law):
        return ratio(self.ours, self.peer, repeat=30)
