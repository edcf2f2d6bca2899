"""Dissimilarities of which a search computes only those that may matter."""

import math

import numpy as np
from scipy import sparse

from skloss._validation import as_kernel_array
from skloss.cluster._pruned_kernels import Features
from skloss.kernels import METRICS, ComputedCandidates
from skloss.kernels import _distance_kernels as kernels
from skloss.kernels.metrics import engine_for

__all__ = ["PrunedCandidates", "prunable_metrics", "rounding_slack"]


def prunable_metrics():
    """List the metrics that obey the triangle inequality and have kernels here.

    Returns
    -------
    list of str
        Sorted. "minkowski" is among them for p >= 1.
    """
    return sorted(
        name for name, known in METRICS.items() if known.triangle and known.native
    )


def rounding_slack(metric, n_features, dtype):
    r"""Bound the rounding errors of the test that excludes distances.

    Let u be half the machine epsilon. A difference of two features, its power or
    relative size and its weight are each off by a factor within 1 ± u, p of them are
    added one after the other, and a root at most halves what is off: a distance is off
    by at most the factor :math:`1 \pm \gamma`, :math:`\gamma = (p + 8) u`. Powers
    and their root by exp and log add :math:`|\log t|` times a few u, where
    :math:`|\log t|` is at most that of the largest number. Squares and powers smaller
    than the least normal number t are lost, at most p of them: a distance may lack
    another :math:`\tau = (p t)^{1/q}`, q the exponent.

    With both, :math:`\hat d(o, j) \ge \hat s` follows from
    :math:`d(o, j) \ge d(m, j) - a` if
    :math:`\hat a + \hat s \le (1 - 2\gamma) \hat d(m, j) - 3\tau`; 8 u more are left
    for the arithmetic of this test.

    Parameters
    ----------
    metric : NamedTuple
        One of `skloss.kernels._distance_kernels`.
    n_features : int
        Number of features, p.
    dtype : numpy dtype
        float32 or float64.

    Returns
    -------
    relative, absolute : float
        The test is ``a + s <= (1 - relative) * d - absolute``.
    """
    limits = np.finfo(dtype)
    unit, tiny = float(limits.eps) / 2, float(limits.tiny)
    gamma, exponent = (n_features + 8) * unit, 1.0
    if isinstance(metric, kernels.Euclidean):
        exponent = 2.0
    elif isinstance(metric, kernels.Minkowski):
        exponent = metric.p
        gamma += 8 * math.log(limits.max) * unit
    lost = (max(1, n_features) * tiny) ** (1 / exponent)
    return 2 * gamma + 8 * unit, 3 * lost


class PrunedCandidates(ComputedCandidates):
    """Rows that are computed when asked for, and what single distances come from.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        The points, which are the candidates too.
    metric : str
        One of `prunable_metrics`.
    metric_params : dict
        From `skloss.kernels.prepare`.
    n_jobs : int, default=None
        Most threads to use for a block of rows.

    Attributes
    ----------
    features : Features
        The points as the kernels take them.
    slack : (float, float)
        From `rounding_slack`.

    Raises
    ------
    ValueError
        If the metric may violate the triangle inequality or has no kernel here, or X
        is sparse.
    """

    def __init__(self, X, metric, metric_params, n_jobs=None):
        _check_prunable(X, metric, metric_params)
        super().__init__(X, metric=metric, metric_params=metric_params, n_jobs=n_jobs)
        # Whole rows have to agree with single distances to the last bit.
        self._engine = engine_for(
            metric, self.metric_params, self._X, self.dtype, direct=True
        )
        metrics, values, weights = zip(*self._engine.features())
        self.features = Features(
            metrics[0],
            kernels.Hamming(),  # the second one of Gower's; else of no features
            len(values[0]),
            as_kernel_array(np.concatenate(values), self.dtype),
            as_kernel_array(np.concatenate(weights), self.dtype),
        )
        n_features = len(self.features.values)
        self.slack = rounding_slack(metrics[0], n_features, self.dtype)

    def count(self, n_distances):
        """Count distances that were computed from `features`."""
        self._count(n_distances)


def _check_prunable(X, metric, metric_params):
    allowed = prunable_metrics()
    if not isinstance(metric, str) or metric not in allowed:
        raise ValueError(
            "precompute='pruned' relies on the triangle inequality; metric="
            f"{metric!r} must be one of {allowed}."
        )
    if metric == "minkowski" and metric_params.get("p", 2.0) < 1:
        raise ValueError(
            "precompute='pruned' relies on the triangle inequality, for which "
            f"metric_params['p'] must be at least 1; got {metric_params['p']}."
        )
    if sparse.issparse(X):
        raise ValueError(
            "precompute='pruned' needs dense rows; X is sparse. precompute=False "
            "stores no dissimilarities either."
        )
