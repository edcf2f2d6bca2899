"""k-medoids of a dissimilarity matrix, as functions."""

from dataclasses import dataclass, field

import numpy as np
from sklearn.utils.validation import check_array

from skloss.cluster._build import greedy
from skloss.cluster._inputs import (
    check_n_clusters,
    check_sum,
    check_weights_for,
    make_problem,
)
from skloss.cluster.kmedoids import KMedoids
from skloss.kernels import StoredCandidates, check_dissimilarities

__all__ = ["MedoidsResult", "k_medoids", "pam_build"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MedoidsResult:
    """Medoids of a dissimilarity matrix.

    Parameters
    ----------
    medoids : ndarray of shape (k,), intp
        Indices of the medoids, in slot order.
    labels : ndarray of shape (n,), intp
        Cluster of each point, from 0.
    loss : float
        Total deviation, weighted.
    silhouette : float
        Average medoid silhouette; nan for one cluster or negative dissimilarities.
    n_iter, n_swaps : int
        Passes, the last one without a swap included, and swaps.
    lower_bound : float or None
        What no medoids can undercut, if it was asked for.
    """

    medoids: np.ndarray = field(repr=False)
    labels: np.ndarray = field(repr=False)
    loss: float
    silhouette: float
    n_iter: int
    n_swaps: int
    lower_bound: float | None = None


def k_medoids(D, n_clusters, *, sample_weight=None, **parameters):
    """Find k medoids of a dissimilarity matrix.

    The same as ``KMedoids(n_clusters, metric="precomputed", ...).fit(D)``, for those
    who prefer a function.

    Parameters
    ----------
    D : array-like of shape (n, n)
        Dissimilarity of each point (row) to each candidate medoid (column); need not
        be symmetric. float32 and float64 are not copied.
    n_clusters : int
        Number of medoids.
    sample_weight : array-like of shape (n,), default=None
        Weights of the points; an integer weight means repeated points.
    **parameters : dict
        Further parameters of :class:`KMedoids`: `method`, `init`, `n_init`,
        `max_iter`, `shuffle`, `batch_size`, `min_clusters`, `bound`, `random_state`,
        `n_jobs`, `verbose`.

    Returns
    -------
    MedoidsResult
        With `medoids`, `labels`, `loss`, `silhouette`, `n_iter`, `n_swaps` and
        `lower_bound`.

    Raises
    ------
    ValueError
        As :meth:`KMedoids.fit`.
    TypeError
        If `parameters` has a name that KMedoids does not take.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.cluster import k_medoids
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = k_medoids(np.abs(x[:, None] - x), 2)
    >>> result.medoids, result.labels, result.loss
    (array([1, 4]), array([0, 0, 0, 1, 1, 1]), 4.0)
    """
    model = KMedoids(n_clusters, metric="precomputed", **parameters)
    model.fit(D, sample_weight=sample_weight)
    return MedoidsResult(
        medoids=model.medoid_indices_,
        labels=model.labels_,
        loss=model.inertia_,
        silhouette=model.medoid_silhouette_,
        n_iter=model.n_iter_,
        n_swaps=model.n_swaps_,
        lower_bound=getattr(model, "lower_bound_", None),
    )


def pam_build(D, n_clusters, *, sample_weight=None):
    """Choose medoids one after the other, each lowering the deviation most.

    The BUILD phase of PAM (Kaufman and Rousseeuw, 1990), which looks again only at
    candidates that may be best: usually 1 to 4 times instead of k times at each.

    Parameters
    ----------
    D : array-like of shape (n, n)
        Dissimilarity of each point (row) to each candidate medoid (column).
    n_clusters : int
        Number of medoids.
    sample_weight : array-like of shape (n,), default=None
        Weights of the points. Points without weight are not chosen.

    Returns
    -------
    ndarray of shape (n_clusters,)
        Indices in order of choice, the lowest of equals first.

    Raises
    ------
    ValueError
        If `D` is not square or not finite, `n_clusters` is not an integer from 1 to
        the number of points of positive weight, or weights are invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.cluster import pam_build
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> pam_build(np.abs(x[:, None] - x), 3)
    array([2, 4, 0])
    """
    D = check_array(D, ensure_all_finite=False, input_name="D")
    facts = check_dissimilarities(D)
    source = StoredCandidates(D)
    n_clusters = check_n_clusters(n_clusters, source.n_rows)
    weights, _ = check_weights_for(n_clusters, sample_weight, source.n_rows)
    largest = max(abs(facts.minimum), abs(facts.maximum))
    check_sum(largest * float(weights.sum()))
    return greedy(make_problem(source, weights), n_clusters)
