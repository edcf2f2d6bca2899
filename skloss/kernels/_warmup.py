"""Every way in which the kernels here are compiled, run once on small data."""

import numpy as np
from scipy import sparse

from skloss.kernels.candidate_rows import (
    ComputedCandidates,
    CondensedCandidates,
    StoredCandidates,
)
from skloss.kernels.dissimilarities import check_dissimilarities, condense, stored
from skloss.kernels.dual_activations import (
    dual_activation,
    dual_diagonal,
    known_activations,
)
from skloss.kernels.metrics import METRICS, cross_distances, prepare

__all__ = ["ALIASES", "PARAMS", "warmup"]

# Metrics that several names share kernels with are left to the first of them.
ALIASES = {"l2", "cityblock", "l1"}
# Enough columns for products by BLAS to be worth it in single precision, too.
_MANY = 80
# Without them these metrics share the kernels of others.
PARAMS = {"gower": {"categorical": [0]}, "minkowski": {"p": 3.0}}


def warmup():
    """Compute and keep a few distances by every metric, and duals of activations.

    Returns
    -------
    list of str
        Names of the metrics that have kernels here, and of the activations.
    """
    names = [n for n, known in METRICS.items() if known.native and n not in ALIASES]
    random = np.random.RandomState(0)
    for dtype in (np.float64, np.float32):
        few = random.standard_normal((12, 4)).astype(dtype)
        many = random.standard_normal((12, _MANY)).astype(dtype)
        for name in names:
            _keep(few, name)
            _keep(many, name)
            if METRICS[name].sparse:
                _keep(sparse.csr_array(few), name)
            params = prepare(name, few, PARAMS.get(name))
            cross_distances(few, few[:3], metric=name, metric_params=params)
        _duals(np.eye(3, dtype=dtype))
    return [*names, *known_activations()]


def _duals(S):
    """Compute the duals of all activations, of their derivatives and of a function."""
    ones = np.ones(len(S))
    dual_activation(np.tanh, S, ones, ones)
    for name in known_activations():
        for derivative in (False, True):
            dual_activation(name, S, ones, ones, derivative=derivative)
            dual_diagonal(name, ones, derivative=derivative)


def _keep(X, name):
    """Compute all distances once, and keep and read them in every way."""
    computed = ComputedCandidates(X, metric=name, metric_params=PARAMS.get(name))
    computed.take([3, 1])
    D = stored(computed)
    check_dissimilarities(D)
    StoredCandidates(D)
    turned = StoredCandidates(np.array(D[:, ::-1], order="C"))
    turned.points(np.arange(2))
    turned.take([3, 1])
    CondensedCandidates(condense(computed), len(D)).take([3, 1])
