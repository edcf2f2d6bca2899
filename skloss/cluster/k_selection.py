"""Losses and silhouettes for a whole range of numbers of medoids."""

import warnings
from dataclasses import dataclass, field

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skloss._parallel import one_blas_thread
from skloss.cluster._assignment import assign_points, average_silhouette
from skloss.cluster._build import best_single, greedy
from skloss.cluster._fit import fit_medoids
from skloss.cluster._inputs import check_weights_for, make_problem
from skloss.cluster._methods import Settings
from skloss.cluster.kmedoids import KMedoids

__all__ = ["MedoidCurve", "medoid_curve"]


@dataclass(frozen=True, eq=False, kw_only=True)
class MedoidCurve:
    """Medoids for each of several numbers of them, and how good they are.

    Parameters
    ----------
    k_range : ndarray of shape (n_k,), intp
        Numbers of medoids, ascending.
    losses : ndarray of shape (n_k,), float64
        Total deviation for each, weighted.
    silhouettes : ndarray of shape (n_k,), float64
        Average medoid silhouette for each; nan for one medoid and for negative
        dissimilarities.
    medoids : tuple of n_k ndarrays of intp
        Indices of the medoids for each, in slot order.
    n_iter, n_swaps : ndarray of shape (n_k,), intp
        Passes and swaps for each.

    Examples
    --------
    >>> from skloss.cluster import medoid_curve
    >>> X = [[0.0], [1.0], [2.0], [10.0], [11.0], [12.0]]
    >>> curve = medoid_curve(X, range(1, 4))
    >>> curve.best_n_clusters, curve.medoids[1]
    (2, array([1, 4]))
    """

    k_range: np.ndarray
    losses: np.ndarray
    silhouettes: np.ndarray
    medoids: tuple = field(repr=False)
    n_iter: np.ndarray = field(repr=False)
    n_swaps: np.ndarray = field(repr=False)

    @property
    def best_n_clusters(self):
        """The number with the highest silhouette, the lowest of equals; or None."""
        if np.isnan(self.silhouettes).all():
            return None
        return int(self.k_range[np.nanargmax(self.silhouettes)])


def medoid_curve(
    X,
    k_range,
    *,
    metric="euclidean",
    metric_params=None,
    precompute="auto",
    max_iter=300,
    sample_weight=None,
    n_jobs=None,
):
    """Find medoids for a range of numbers of clusters in one sweep.

    The numbers are visited in ascending order. Each search by FasterPAM starts from the
    medoids of the number before and those that lower the deviation most beside them, as
    in the BUILD phase of PAM. So the dissimilarities are computed once, most searches
    need few swaps, and the deviation never increases with the number of medoids.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data, or dissimilarities (n_samples, n_samples) if precomputed.
    k_range : array-like of int
        Distinct numbers of medoids, in any order.
    metric : str or callable, default="euclidean"
        As in :class:`KMedoids`.
    metric_params : dict, default=None
        Parameters of the metric.
    precompute : bool, "condensed", "pruned" or "auto", default="auto"
        Whether dissimilarities are stored, as in :class:`KMedoids`. The sweep begins
        as BUILD does: even with "pruned" all of them are computed more than once.
    max_iter : int, default=300
        Largest number of passes for each number of medoids.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    n_jobs : int, default=None
        Largest number of threads. It changes speed, never results.

    Returns
    -------
    MedoidCurve
        With `k_range`, `losses`, `silhouettes`, `medoids`, `n_iter`, `n_swaps` and
        `best_n_clusters`.

    Raises
    ------
    ValueError
        If `k_range` is empty, not one-dimensional, repeats a number or holds something
        else than integers from 1 to the number of samples of positive weight; or if
        X, `sample_weight` or a parameter is invalid.

    Warns
    -----
    ConvergenceWarning
        If `max_iter` passes were not enough for some number of medoids, or fewer
        samples are distinct.

    See Also
    --------
    KSelectionDisplay : Its plot.
    KMedoids : With ``method="dynmsc"``, a sweep that maximises the silhouette.

    Notes
    -----
    The search of each number is a local optimum, but rarely the best of many starts.
    It takes 3 to 5 passes over all dissimilarities for each number, and memory as a
    fit of the largest number.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.cluster import medoid_curve
    >>> curve = medoid_curve(load_iris().data, range(1, 6))
    >>> curve.losses.round(1)
    array([284.8, 129.3,  98.1,  85.9,  79.1])
    >>> curve.silhouettes.round(3)
    array([  nan, 0.774, 0.647, 0.61 , 0.605])
    >>> curve.best_n_clusters
    2
    """
    numbers = _check_range(k_range)
    largest = int(numbers[-1])
    model = KMedoids(
        1,  # or errors would name `n_clusters`
        metric=metric,
        metric_params=metric_params,
        precompute=precompute,
        max_iter=max_iter,
        n_jobs=n_jobs,
    )
    model._validate_params()
    model._check_combinations(largest)
    # One thread: the number of threads would change the last digits.
    with one_blas_thread():
        source = model._source(model._check_data(X))
        if largest > source.n_rows:
            raise ValueError(
                f"k_range holds {largest}, more than the {source.n_rows} samples."
            )
        weights, unit = check_weights_for(largest, sample_weight, source.n_rows)
        found = list(_sweep(source, weights, numbers, max_iter, n_jobs))
    _warn(numbers, found, max_iter)
    return MedoidCurve(
        k_range=numbers,
        losses=np.array([fit.curve[-1] for fit, _, _ in found]) * unit,
        silhouettes=np.array([silhouette for _, silhouette, _ in found]),
        medoids=tuple(fit.medoids for fit, _, _ in found),
        n_iter=np.array([fit.n_iter for fit, _, _ in found]),
        n_swaps=np.array([fit.n_swaps for fit, _, _ in found]),
    )


def _warn(numbers, found, max_iter):
    open_ended = [k for k, (fit, _, _) in zip(numbers, found) if not fit.converged]
    if open_ended:
        warnings.warn(
            f"The searches for {', '.join(map(str, open_ended))} medoids did not "
            f"converge in {max_iter} passes. Raise max_iter.",
            ConvergenceWarning,
            stacklevel=3,
        )
    too_many = [k for k, (_, _, duplicates) in zip(numbers, found) if duplicates]
    if too_many:
        warnings.warn(
            f"Fewer samples are distinct than {too_many[0]}, which k_range holds: some "
            "clusters hold their medoid and nothing else.",
            ConvergenceWarning,
            stacklevel=3,
        )


def _check_range(k_range):
    numbers = np.asarray(k_range)
    if numbers.ndim != 1 or not numbers.size or numbers.dtype.kind not in "iu":
        raise ValueError(
            "k_range must be a one-dimensional array of at least one integer; got "
            f"{k_range!r}."
        )
    numbers, counts = np.unique(numbers, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"k_range holds {numbers[counts > 1][0]} more than once.")
    if numbers[0] < 1:
        raise ValueError(f"k_range holds {numbers[0]}; numbers must be at least 1.")
    return numbers.astype(np.intp)


def _sweep(source, weights, numbers, max_iter, n_jobs):
    """Yield the fit, its silhouette and whether medoids are equal, for each number."""
    problem = make_problem(source, weights)
    medoids = np.array([best_single(problem)[0]])
    for k in map(int, numbers):
        medoids = greedy(problem, k, medoids)
        fit = fit_medoids(
            source,
            weights,
            k,
            Settings(init=medoids, max_iter=max_iter),
            None,
            bound=False,
            n_jobs=n_jobs,
            callback=None,
        )
        medoids = fit.medoids
        state = assign_points(problem, medoids)
        duplicates = fit.curve[-1] == 0 and (state.to_second[medoids] == 0).any()
        yield fit, average_silhouette(state), duplicates
