"""k-medoids by randomised search."""

import warnings
from numbers import Integral, Real
from typing import NamedTuple

import joblib
import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._random import seed_from
from skloss._refit import unchanged_if_it_fails
from skloss.cluster._base import MedoidsMixin
from skloss.cluster._full_data import assign_all
from skloss.cluster._inputs import check_n_clusters, check_weights_for, make_problem
from skloss.cluster._random_swaps import distinct_rows, limit_of, random_swaps

__all__ = ["CLARANS"]


class _Tried(NamedTuple):
    """Report of one start, for progress."""

    n_iter: int
    objective: float
    of_start: float
    n_swaps: int
    converged: bool
    medoids: np.ndarray


class CLARANS(CallbackSupportMixin, MedoidsMixin):
    r"""Clustering around k medoids by randomised search.

    From random medoids, draws samples at random and swaps one in wherever that lowers
    the total deviation, until `max_neighbors` of them in a row were in vain; does so
    `n_local` times and keeps the best result (Clustering Large Applications based on
    RANdomized Search [1]_). By default a sample is evaluated for all medoids at once,
    at the cost of one (FastCLARANS [2]_).

    Parameters
    ----------
    n_clusters : int, default=8
        Number of medoids, k.
    n_local : int, default=2
        Number of random starts.
    max_neighbors : int, inf or "auto", default="auto"
        Number of draws in a row that must be in vain to end a search. By default
        0.025 (n - k) of n samples; without `fast`, 0.0125 k (n - k) and at least 250.
        As many as there are swaps, or inf, ends it where no swap lowers the deviation
        by more than rounding, a share of 1e-12. The default is small: raise it for
        few samples.
    fast : bool, default=True
        Whether a sample that is drawn is evaluated for all medoids at once; else for
        one at random, as in the original.
    metric : str or callable, default="euclidean"
        As in :class:`KMedoids`: a name of :func:`skloss.kernels.known_metrics`,
        "precomputed", or a function of a point and a medoid.
    metric_params : dict, default=None
        Parameters of the metric. Those that depend on the data, such as the variances
        of "seuclidean", are fixed by the fit.
    random_state : int, RandomState instance or None, default=None
        For the starts and the draws.
    n_jobs : int, default=None
        Largest number of threads, which search from different starts at once. It
        changes speed, never results.
    verbose : int, default=0
        Print a line for each start.

    Attributes
    ----------
    medoid_indices_ : ndarray of shape (n_clusters,)
        Indices of the medoids, in slot order.
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample, from 0; ``labels_[medoid_indices_[c]] == c``.
    cluster_centers_ : {ndarray, CSR} of shape (n_clusters, n_features)
        The medoids, rows of X. Absent if precomputed.
    inertia_ : float
        Total deviation, weighted.
    medoid_silhouette_ : float
        Average medoid silhouette, weighted; nan for one cluster or negative
        dissimilarities.
    n_clusters_ : int
        Number of medoids.
    n_iter_, n_swaps_ : int
        Random orders of the samples that the best search began, and its swaps.
    n_neighbors_tried_ : int
        Draws of the best search.
    n_distances_ : int
        Dissimilarities that all searches computed, or read if stored.
    init_medoid_indices_ : ndarray of shape (n_clusters,)
        Medoids that the best search started from.
    loss_curve_ : ndarray of shape (`n_swaps_` + 1,)
        Total deviation at the start of the best search and after every swap.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they are all strings.

    See Also
    --------
    KMedoids : Looks at all samples systematically.
    CLARA : Searches subsamples.

    Notes
    -----
    Samples are drawn without replacement: all of positive weight, in a random order,
    before any a second time. Of equal rows one is drawn, and the order depends on the
    rows alone, so that weights mean repetition here too. One medoid is not searched
    for: the best of all samples is taken. A draw costs :math:`O(n)`
    dissimilarities. All of them are stored if they fit scikit-learn's
    ``working_memory``, else computed as samples are drawn. Memory beside that:
    :math:`O(nk)` for each start that is being searched.

    References
    ----------
    .. [1] R. Ng, J. Han, "CLARANS: a method for clustering objects for spatial data
       mining", IEEE Transactions on Knowledge and Data Engineering 14(5), 2002.
    .. [2] E. Schubert, P. J. Rousseeuw, "Fast and eager k-medoids clustering: O(k)
       runtime improvement of the PAM, CLARA, and CLARANS algorithms", Information
       Systems 101, 2021.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from skloss.cluster import CLARANS
    >>> X, _ = load_iris(return_X_y=True)
    >>> model = CLARANS(3, max_neighbors=np.inf, metric="manhattan", random_state=0)
    >>> round(model.fit(X).inertia_, 1)
    162.5
    """

    _parameter_constraints: dict = {
        "n_clusters": [Integral],
        "n_local": [Interval(Integral, 1, None, closed="left")],
        "max_neighbors": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
            StrOptions({"auto"}),
        ],
        "fast": ["boolean"],
        "metric": [str, callable],
        "metric_params": [dict, None],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        n_local=2,
        max_neighbors="auto",
        fast=True,
        metric="euclidean",
        metric_params=None,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.n_clusters = n_clusters
        self.n_local = n_local
        self.max_neighbors = max_neighbors
        self.fast = fast
        self.metric = metric
        self.metric_params = metric_params
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Find medoids of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data. If precomputed, dissimilarities (n_samples, n_samples), of each row
            to each column as a medoid.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; an integer weight means repeated rows.

        Returns
        -------
        self : CLARANS
            The fitted estimator. If an error is raised, it is as before.

        Raises
        ------
        ValueError
            If X, `sample_weight` or a parameter is invalid; the message names it.

        Warns
        -----
        ConvergenceWarning
            If fewer than `n_clusters` samples are distinct.
        """
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        # One thread: the number of threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            data = self._check_data(X, sample_weight)
            k = check_n_clusters(self.n_clusters, data.n_points)
            weights, unit = check_weights_for(k, sample_weight, data.n_points)
            problem = make_problem(data.source()[0], weights)
            n_starts = self.n_local if k > 1 else 1
            with self._progress(given, data, n_starts) as progress:
                candidates = self._candidates(data, problem, k)
                best, n_distances = self._search(
                    problem, candidates, k, n_starts, progress
                )
                medoids = best.state.medoids.copy()
                outcome = assign_all(data, weights, medoids)
                self._replace_fitted(
                    self._medoid_attributes(data, medoids)
                    | {
                        "labels_": outcome.labels,
                        "inertia_": outcome.loss * unit,
                        "medoid_silhouette_": outcome.silhouette,
                        "n_iter_": best.n_iter,
                        "n_swaps_": len(best.curve) - 1,
                        "n_neighbors_tried_": best.n_tried,
                        "n_distances_": n_distances,
                        "init_medoid_indices_": best.initial,
                        "loss_curve_": best.curve * unit,
                    }
                )
        self._warn_of_duplicates(outcome)
        return self

    def _candidates(self, data, problem, k):
        if self._is_precomputed():
            return np.flatnonzero(problem.allowed)
        return distinct_rows(data.X, problem.allowed, k)

    def _search(self, problem, candidates, k, n_starts, callback):
        """Search from all starts; the best, the first of equals, and its price."""
        random = check_random_state(self.random_state)
        seeds = [seed_from(random) % 2**32 for _ in range(n_starts)]
        limit = limit_of(self.max_neighbors, len(candidates), k, self.fast)
        # Threads: the dissimilarities are shared, and kernels hold no interpreter lock.
        parallel = joblib.Parallel(
            self.n_jobs, require="sharedmem", return_as="generator"
        )
        starts = parallel(
            joblib.delayed(random_swaps)(problem, candidates, k, limit, self.fast, seed)
            for seed in seeds
        )
        best, n_distances = None, 0
        for n_done, start in enumerate(starts, 1):
            n_distances += start.n_distances
            if best is None or start.curve[-1] < best.curve[-1]:
                best = start
            report = _Tried(
                n_iter=n_done,
                objective=best.curve[-1],
                of_start=start.curve[-1],
                n_swaps=len(start.curve) - 1,
                converged=n_done == n_starts,
                medoids=best.state.medoids,
            )
            if callback(report):
                with warnings.catch_warnings():  # joblib regrets the rest
                    warnings.simplefilter("ignore", UserWarning)
                    starts.close()
        return best, n_distances

    def _progress(self, given, data, n_starts):
        def attributes(info):
            return self._medoid_attributes(data, info.medoids.copy())

        return Progress(
            self,
            **given,
            max_iter=n_starts,
            verbose=self.verbose,
            attributes=attributes,
            task_name="start",
        )
