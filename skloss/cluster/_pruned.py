"""FasterPAM for metrics, with only those distances that may matter.

By the triangle inequality a candidate far from a cluster's medoid cannot come near
most of the cluster's points; the distances to these are never computed. The swaps are
those of plain FasterPAM, up to ties within rounding.
"""

import math

import numpy as np
from scipy import sparse

from skloss._validation import as_kernel_array
from skloss.cluster._pruned_kernels import (
    BATCH,
    STRIP,
    Features,
    Groups,
    Scratch,
    compact,
    find_touched,
    regroup,
    scan_pruned,
)
from skloss.cluster._search import Swapping
from skloss.kernels import METRICS, ComputedCandidates
from skloss.kernels import _distance_kernels as kernels
from skloss.kernels.metrics import engine_for

__all__ = ["PrunedCandidates", "fasterpam_pruned", "prunable_metrics", "rounding_slack"]

# Candidates that are scanned at once, for an interrupt to be heard in between.
_SCANNED = 1024


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


class _PrunedSwapping(Swapping):
    """The state of the search, with the points of each cluster by their reach."""

    def __init__(self, problem, medoids):
        super().__init__(problem, medoids)
        k, n_points = self.state.to_medoids.shape
        self.features = self.source.features
        dtype, n_features = self.source.dtype, len(self.features.values)
        # Room for all clusters twice: closing gaps always makes enough of it.
        n_places = 2 * n_points
        self.groups = Groups(
            begin=np.zeros(k, dtype=np.intp),
            size=np.zeros(k, dtype=np.intp),
            farthest=np.empty(k),
            points=np.empty(n_places, dtype=np.intp),
            reach=np.empty(n_places),
            to_nearest=np.empty(n_places, dtype=dtype),
            to_second=np.empty(n_places, dtype=dtype),
            weights=np.empty(n_places),
            values=np.empty((n_features, n_places), dtype=dtype),
        )
        self.free, self.has_left = 0, np.zeros(n_points, dtype=bool)
        self.scratch_memory = Scratch(
            y=np.empty(n_features, dtype=dtype),
            distances=np.empty(STRIP, dtype=dtype),
            limits=np.empty((BATCH, k)),
            near=np.empty(k, dtype=np.intp),
        )
        self._regroup(np.arange(n_points), np.ones(k, dtype=bool))

    def scan(self, candidates, last):
        """Look for the next swap; what `scan_pruned` returns, without the count."""
        position, slot, round_ended, n_distances = scan_pruned(
            self.features,
            self.groups,
            self.scratch_memory,
            candidates,
            self.state,
            self.losses,
            self.changes,
            self.excluded,
            last,
            self.source.slack,
        )
        self.source.count(n_distances)
        return position, slot, round_ended

    def swap(self, candidate, row, slot):
        state, touched = self.state, self.scratch
        n_touched = find_touched(state, candidate, row, slot, touched)
        touched = touched[:n_touched].copy()
        changed = np.zeros(len(self.losses), dtype=bool)
        changed[state.nearest[touched]] = True
        super().swap(candidate, row, slot)
        changed[state.nearest[touched]] = True
        self._regroup(touched, changed)

    def _regroup(self, touched, changed):
        state, k = self.state, len(changed)
        # Changed clusters keep at most what they have, and get what is touched.
        n_new = self.groups.size[changed].sum() + len(touched)
        if self.free + n_new > len(self.groups.points):
            self.free = compact(self.groups, np.argsort(self.groups.begin))
        clusters = state.nearest[touched]
        reach = np.add(
            state.to_nearest[touched], state.to_second[touched], dtype=np.float64
        )
        order = np.lexsort((-reach, clusters))
        starts = np.searchsorted(clusters[order], np.arange(k + 1))
        self.free = regroup(
            self.groups,
            self.features,
            state,
            touched[order],
            starts,
            changed,
            self.has_left,
            self.free,
        )


def fasterpam_pruned(problem, medoids, *, max_iter=300, order=None, callback=None):
    """Do every swap that lowers the deviation, as soon as it is found.

    Parameters
    ----------
    problem : Problem
        Its source is of class `PrunedCandidates`.
    medoids, max_iter, order, callback
        As in `skloss.cluster._search.fasterpam`.

    Returns
    -------
    Search
    """
    search = _PrunedSwapping(problem, medoids)
    if order is None:
        order = np.arange(problem.source.n_rows)
    order = np.ascontiguousarray(order, dtype=np.intp)
    last = -1
    for n_iter in range(1, max_iter + 1):
        before, total = search.n_swaps, search.total
        last, round_ended = _one_pass(search, order, last)
        # As in plain FasterPAM: rounding could go on for ever.
        converged = round_ended or search.n_swaps == before or search.total >= total
        if search.stopped(n_iter, converged, callback):
            break
    return search.outcome(n_iter, converged)


def _one_pass(search, order, last):
    """Visit all candidates; the one of the last swap, and whether it was met again."""
    position = 0
    while position < len(order):
        candidates = order[position : position + _SCANNED]
        step, slot, round_ended = search.scan(candidates, last)
        position += step
        if round_ended:
            return last, True
        if slot >= 0:
            last = int(order[position])
            search.swap(last, search.source.take([last])[0], slot)
            position += 1
    return last, False
