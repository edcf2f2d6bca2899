"""The medoid silhouette: how much nearer points are to their medoid than to another.

M. van der Laan, K. Pollard and J. Bryan, "A new partitioning around medoids
algorithm", J. Statist. Comput. Simul. 73 (2003); L. Lenssen and E. Schubert,
"Clustering by direct optimization of the medoid silhouette", SISAP 2022.
"""

import numpy as np
from sklearn.utils import check_array

from skloss._blocks import rows_per_block
from skloss._validation import check_weights, weight_unit
from skloss.kernels import cross_distances, prepare

__all__ = ["medoid_silhouette_samples", "medoid_silhouette_score"]

_NUMBERS = [np.float64, np.float32]


def medoid_silhouette_samples(
    X, medoids=None, *, metric="euclidean", metric_params=None
):
    """Compute the medoid silhouette of every sample.

    It is :math:`1 - a / s` for a sample whose nearest medoid is at the dissimilarity
    a and whose second nearest is at s; 1 if a = 0, also where s = 0 too. It lies
    between 0, halfway between two medoids, and 1, at a medoid. In contrast to
    :func:`sklearn.metrics.silhouette_samples` it takes O(n k) dissimilarities instead
    of O(n^2), and every sample counts as a member of the cluster of its nearest medoid.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, m)
        Samples; if `metric` is "precomputed", dissimilarities: of the samples to m
        candidates of which `medoids` are the chosen ones, or to the m = k medoids
        themselves if `medoids` is None.
    medoids : array-like of shape (k,), default=None
        Indices of the medoids, k >= 2 distinct ones: rows of `X`, or its columns if
        `metric` is "precomputed". None is allowed for "precomputed" alone.
    metric : str or callable, default="euclidean"
        What :func:`sklearn.metrics.pairwise_distances` takes. Where it is a name, the
        dissimilarity of a medoid to itself is 0, whatever rounding says.
    metric_params : dict, default=None
        Further arguments of the metric.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        Beyond `X` and the result, memory is taken for one block of dissimilarities of
        a few MB.

    Raises
    ------
    ValueError
        If there are fewer than 2 medoids, if indices are no integers, repeated or out
        of range, if the metric is unknown, or if values are nan (unless `metric` is
        "nan_euclidean"), infinite or, for dissimilarities, nan or negative.

    See Also
    --------
    medoid_silhouette_score : Their weighted mean.
    sklearn.metrics.silhouette_samples : The silhouette of any clustering.

    Examples
    --------
    >>> from skloss.cluster.medoid_silhouette import medoid_silhouette_samples
    >>> X = [[0.0], [1.0], [2.0], [4.0]]
    >>> medoid_silhouette_samples(X, [0, 3])
    array([1.        , 0.66666667, 0.        , 1.        ])

    From dissimilarities to the medoids alone, as ``transform`` returns them:

    >>> distances = [[0.0, 4.0], [1.0, 3.0], [2.0, 2.0], [4.0, 0.0]]
    >>> medoid_silhouette_samples(distances, metric="precomputed")
    array([1.        , 0.66666667, 0.        , 1.        ])
    """
    precomputed = isinstance(metric, str) and metric == "precomputed"
    may_miss = isinstance(metric, str) and metric == "nan_euclidean"
    X = check_array(
        X,
        accept_sparse=False if precomputed else "csr",
        dtype=_NUMBERS,
        ensure_all_finite="allow-nan" if may_miss else True,
    )
    n_samples = X.shape[0]
    if medoids is not None:
        medoids = _check_medoids(medoids, X.shape[1] if precomputed else n_samples)
    elif not precomputed:
        raise ValueError(
            f"medoids=None needs metric='precomputed', that is dissimilarities to the "
            f"medoids as X; metric is {metric!r}."
        )
    elif X.shape[1] < 2:
        raise ValueError(
            "The medoid silhouette needs at least 2 medoids; X has "
            f"{X.shape[1]} column of dissimilarities."
        )
    if not precomputed:
        metric_params = prepare(metric, X, metric_params)
    samples = np.empty(n_samples)
    k = X.shape[1] if medoids is None else len(medoids)
    step = rows_per_block(k)
    for start in range(0, n_samples, step):
        stop = min(start + step, n_samples)
        if precomputed:
            block = X[start:stop] if medoids is None else X[start:stop, medoids]
        else:
            block = _dissimilarities(X, start, stop, medoids, metric, metric_params)
        samples[start:stop] = _silhouettes(block, start)
    return samples


def medoid_silhouette_score(
    X, medoids=None, *, metric="euclidean", metric_params=None, sample_weight=None
):
    """Compute the average medoid silhouette (AMS).

    This is what `KMedoids` maximises with the methods "fastermsc", "fastmsc",
    "pammedsil" and "dynmsc". It is comparable between different numbers of medoids, but
    reaches 1 when every distinct sample is a medoid: compare numbers far below that.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features) or (n_samples, m)
        Samples or dissimilarities, as `medoid_silhouette_samples` takes them.
    medoids : array-like of shape (k,), default=None
        Indices of the medoids.
    metric : str or callable, default="euclidean"
        Metric.
    metric_params : dict, default=None
        Further arguments of the metric.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights, not negative; 1 by default.

    Returns
    -------
    float
        Weighted mean of the medoid silhouettes, between 0 and 1.

    Raises
    ------
    ValueError
        Where `medoid_silhouette_samples` does, and if weights are negative, not
        finite, or all zero.

    See Also
    --------
    sklearn.metrics.silhouette_score : The mean silhouette of any clustering.

    Examples
    --------
    >>> from skloss.cluster.medoid_silhouette import medoid_silhouette_score
    >>> X = [[0.0], [1.0], [2.0], [4.0]]
    >>> round(medoid_silhouette_score(X, [0, 3]), 6)
    0.666667
    >>> medoid_silhouette_score(X, [0, 3], sample_weight=[1, 0, 1, 0])
    0.5
    """
    samples = medoid_silhouette_samples(
        X, medoids, metric=metric, metric_params=metric_params
    )
    weights = check_weights(sample_weight, len(samples))
    return float(np.average(samples, weights=weights / weight_unit(weights)))


def _check_medoids(medoids, n_candidates):
    medoids = np.asarray(medoids)
    if medoids.ndim != 1 or medoids.dtype.kind not in "iu":
        raise ValueError(
            "medoids must hold integers, the indices of the medoids, in one dimension; "
            f"got an array of {medoids.dtype} of shape {medoids.shape}."
        )
    if len(medoids) < 2:
        raise ValueError(
            f"The medoid silhouette needs at least 2 medoids; got {len(medoids)}."
        )
    outside = medoids[(medoids < 0) | (medoids >= n_candidates)]
    if len(outside):
        raise ValueError(
            f"medoids holds {outside[0]}, which is not an index from 0 to "
            f"{n_candidates - 1}."
        )
    values, counts = np.unique(medoids, return_counts=True)
    if len(values) < len(medoids):
        raise ValueError(f"medoids holds {values[counts > 1][0]} more than once.")
    return medoids.astype(np.intp)


def _dissimilarities(X, start, stop, medoids, metric, metric_params):
    """Dissimilarities of rows `start` to `stop` to the medoids."""
    block = cross_distances(
        X[start:stop], X[medoids], metric=metric, metric_params=metric_params
    )
    if isinstance(metric, str):
        slots = np.flatnonzero((medoids >= start) & (medoids < stop))
        block[medoids[slots] - start, slots] = 0.0
    return block


def _silhouettes(to_medoids, first_row):
    """Medoid silhouettes of a block of rows of dissimilarities."""
    if not (to_medoids.min() >= 0 and to_medoids.max() < np.inf):
        o, slot = np.argwhere(~((to_medoids >= 0) & (to_medoids < np.inf)))[0]
        raise ValueError(
            f"The dissimilarity of sample {first_row + o} to medoid {slot} is "
            f"{to_medoids[o, slot]}; medoid silhouettes need dissimilarities that are "
            "finite and not negative."
        )
    a, s = np.partition(to_medoids, 1, axis=1)[:, :2].T.astype(np.float64)
    return 1.0 - np.divide(a, s, out=np.zeros(len(a)), where=a > 0)
