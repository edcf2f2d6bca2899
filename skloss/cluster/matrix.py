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


def k_medoids(
    D,
    n_clusters,
    *,
    sample_weight=None,
    method="fasterpam",
    init="build",
    n_init=1,
    max_iter=300,
    shuffle=False,
    batch_size="auto",
    min_clusters=2,
    bound=False,
    random_state=None,
    n_jobs=None,
    verbose=0,
):
    """Find k medoids of a dissimilarity matrix.

    The same as ``KMedoids(n_clusters, metric="precomputed", ...).fit(D)``, for those
    who prefer a function.

    Parameters
    ----------
    D : array-like of shape (n, n)
        Dissimilarity of each point (row) to each candidate medoid (column); need not
        be symmetric. float32 and float64 are not copied.
    n_clusters : int
        Number of medoids; the largest one to try for ``method="dynmsc"``.
    sample_weight : array-like of shape (n,), default=None
        Weights of the points; an integer weight means repeated points.
    method : str, default="fasterpam"
        How to search: any method of :class:`KMedoids`, which explains them.
    init : str or array-like of shape (n_clusters,), default="build"
        Initial medoids: "build", "lab", "k-medoids++", "random", "first" or indices.
    n_init : int, default=1
        Number of starts, of which the best result is kept.
    max_iter : int, default=300
        Largest number of passes from each start; for ``method="exact"`` also of parts
        that branch and bound looks at.
    shuffle : bool, default=False
        Whether eager methods visit the points in random order.
    batch_size : int or "auto", default="auto"
        Number of reference points of ``method="onebatch"``.
    min_clusters : int, default=2
        Smallest number of medoids that ``method="dynmsc"`` tries.
    bound : bool, default=False
        Whether to bound the least possible deviation from below.
    random_state : int, RandomState instance or None, default=None
        For random starts, orders and samples.
    n_jobs : int, default=None
        Largest number of threads. It changes speed, never results.
    verbose : int, default=0
        Print a line for each pass, or each start if there are several.

    Returns
    -------
    MedoidsResult
        With `medoids`, `labels`, `loss`, `silhouette`, `n_iter`, `n_swaps` and
        `lower_bound`.

    Raises
    ------
    ValueError
        As :meth:`KMedoids.fit`, where `D` is called X.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.cluster import k_medoids
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> result = k_medoids(np.abs(x[:, None] - x), 2)
    >>> result.medoids, result.labels, result.loss
    (array([1, 4]), array([0, 0, 0, 1, 1, 1]), 4.0)
    """
    model = KMedoids(
        n_clusters,
        metric="precomputed",
        method=method,
        init=init,
        n_init=n_init,
        max_iter=max_iter,
        shuffle=shuffle,
        batch_size=batch_size,
        min_clusters=min_clusters,
        bound=bound,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
    )
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
        Distinct indices in order of choice, the lowest of equals first. There are
        always as many as asked for: when no point lowers the deviation any more, the
        lowest unused ones of positive weight follow.

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
    facts = check_dissimilarities(D, name="D")
    source = StoredCandidates(D)
    n_clusters = check_n_clusters(n_clusters, source.n_rows)
    weights, _ = check_weights_for(n_clusters, sample_weight, source.n_rows)
    largest = max(abs(facts.minimum), abs(facts.maximum))
    check_sum(largest * float(weights.sum()))
    return greedy(make_problem(source, weights), n_clusters)
