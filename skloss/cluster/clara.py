"""k-medoids of very many samples, by subsamples."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._random import seed_from
from skloss._refit import unchanged_if_it_fails
from skloss._validation import check_weights, weight_unit
from skloss.cluster._base import MedoidsMixin
from skloss.cluster._chunks import Past, add_chunk
from skloss.cluster._full_data import Rows
from skloss.cluster._initial import INITIALISATIONS
from skloss.cluster._inputs import check_init, check_n_clusters, check_weights_for
from skloss.cluster._methods import METHODS, Settings
from skloss.cluster._subsamples import Plan, best_of_subsamples, objective_of

__all__ = ["CLARA"]


class CLARA(CallbackSupportMixin, MedoidsMixin):
    r"""Clustering of very many samples around k medoids, by way of subsamples.

    Finds the medoids of several subsamples, as :class:`KMedoids` does, assigns all
    samples to each of these sets, and keeps the set with the smallest total deviation
    (Clustering LARge Applications [1]_, with the fast searches of [2]_). The result is
    good where subsamples show all clusters; the cost is proportional to the number of
    samples.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of medoids, k.
    n_subsamples : int, default=5
        Number of subsamples.
    sample_size : int or "auto", default="auto"
        Number of samples in each, kept medoids among them: at least k, and more to be
        of use; 80 + 4 k by default. At most all samples of positive weight are drawn.
    keep_medoids : bool, default=True
        Whether every subsample contains the best medoids so far. Subsamples then come
        in rounds of 1, 2, 4 and so on; those of a round contain the best medoids of
        the rounds before.
    metric : str or callable, default="euclidean"
        As in :class:`KMedoids`: a name of :func:`skloss.kernels.known_metrics`,
        "precomputed", or a function of a point and a medoid.
    metric_params : dict, default=None
        Parameters of the metric. Those that depend on the data, such as the variances
        of "seuclidean", are fixed by the fit.
    method : str, default="fasterpam"
        How to search a subsample: "fasterpam", "fastpam1", "fastpam2", "pam",
        "alternate", "fastermsc", "fastmsc" or "pammedsil"; see :class:`KMedoids`. The
        last three maximise the average medoid silhouette, by which sets of medoids are
        then compared.
    init : str or array-like of shape (n_clusters,), default="build"
        Initial medoids of each search, as in :class:`KMedoids`. An array holds indices
        of samples that are in every subsample to begin with; with `keep_medoids`,
        later searches start from the best medoids so far instead.
    max_iter : int, default=300
        Largest number of passes over a subsample.
    random_state : int, RandomState instance or None, default=None
        For the subsamples, and for random starts.
    n_jobs : int, default=None
        Number of joblib's workers, each of which searches a subsample, and largest
        number of threads that assign all samples. It changes speed, never results.
        Workers are threads unless :func:`joblib.parallel_config` chooses others, which
        get subsamples, never all the data.
    verbose : int, default=0
        Print a line for each subsample.

    Attributes
    ----------
    medoid_indices_ : ndarray of shape (n_clusters,)
        Indices of the medoids, in slot order.
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample, from 0; ``labels_[medoid_indices_[c]] == c``.
    cluster_centers_ : {ndarray, CSR} of shape (n_clusters, n_features)
        The medoids, rows of X. Absent if precomputed.
    cluster_weights_ : ndarray of shape (n_clusters,)
        Total weight of the samples in each cluster.
    inertia_ : float
        Total deviation of all samples, weighted.
    medoid_silhouette_ : float
        Average medoid silhouette of all samples, weighted; nan for one cluster or
        negative dissimilarities.
    n_clusters_ : int
        Number of medoids.
    n_iter_, n_swaps_ : int
        Passes and swaps of the search of the best subsample.
    n_distances_ : int
        Dissimilarities that were computed, or read if precomputed.
    init_medoid_indices_ : ndarray of shape (n_clusters,)
        Initial medoids in the best subsample.
    subsample_losses_ : ndarray of shape (n_subsamples,)
        Total deviation of all samples from the medoids of each subsample; for methods
        that maximise the average medoid silhouette, that.
    loss_curve_ : ndarray of shape (n_subsamples,)
        The best of `subsample_losses_` up to each.
    n_samples_seen_ : int
        Number of samples, in all chunks if there were several.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they are all strings.

    See Also
    --------
    KMedoids : Searches all samples.
    CLARANS : Searches all samples at random.
    sklearn.cluster.MiniBatchKMeans : Means of squared Euclidean distances.

    Notes
    -----
    With m samples in a subsample, each costs :math:`O(m^2)` for every pass of its
    search and :math:`O(nk)` dissimilarities for the assignment. Memory beside the
    data: :math:`O(n)`, that of the subsamples of a round, and blocks of at most 4096
    samples to k medoids for each thread; never :math:`n^2` numbers.

    Samples are drawn in proportion to their weights, each at most once, and count so
    that a subsample represents all samples (priority sampling [3]_): one that outweighs
    many others is not missed, and without weights the draw is uniform. A subsample of
    all samples is searched with the weights as they are, in the order of the data.

    References
    ----------
    .. [1] L. Kaufman, P. J. Rousseeuw, "Finding groups in data", Wiley, 1990.
    .. [2] E. Schubert, P. J. Rousseeuw, "Fast and eager k-medoids clustering: O(k)
       runtime improvement of the PAM, CLARA, and CLARANS algorithms", Information
       Systems 101, 2021.
    .. [3] N. Duffield, C. Lund, M. Thorup, "Priority sampling for estimation of
       arbitrary subset sums", Journal of the ACM 54, 2007.

    Examples
    --------
    >>> from sklearn.datasets import make_blobs
    >>> from skloss.cluster import CLARA
    >>> X, _ = make_blobs(20_000, centers=4, random_state=0)
    >>> model = CLARA(n_clusters=4, random_state=0).fit(X)
    >>> model.cluster_centers_.shape, len(model.labels_)
    ((4, 2), 20000)
    """

    _parameter_constraints: dict = {
        "n_clusters": [Integral],
        "n_subsamples": [Interval(Integral, 1, None, closed="left")],
        "sample_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "keep_medoids": ["boolean"],
        "metric": [str, callable],
        "metric_params": [dict, None],
        "method": [StrOptions(set(METHODS) - {"dynmsc"})],
        "init": [StrOptions(set(INITIALISATIONS)), "array-like"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        n_subsamples=5,
        sample_size="auto",
        keep_medoids=True,
        metric="euclidean",
        metric_params=None,
        method="fasterpam",
        init="build",
        max_iter=300,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.n_clusters = n_clusters
        self.n_subsamples = n_subsamples
        self.sample_size = sample_size
        self.keep_medoids = keep_medoids
        self.metric = metric
        self.metric_params = metric_params
        self.method = method
        self.init = init
        self.max_iter = max_iter
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
        self : CLARA
            The fitted estimator. If an error is raised, it is as before.

        Raises
        ------
        ValueError
            If X, `sample_weight` or a parameter is invalid; the message names it.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` passes were not enough for the best subsample, or fewer than
            `n_clusters` samples are distinct.
        """
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        # One thread: the number of threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            data = self._check_data(X, sample_weight)
            k = check_n_clusters(self.n_clusters, data.n_points)
            weights, unit = check_weights_for(k, sample_weight, data.n_points)
            plan = self._plan(k, weights > 0)
            self._refuse_negative(data)
            random = check_random_state(self.random_state)
            with self._progress(given, data) as progress:
                best = best_of_subsamples(
                    data,
                    weights,
                    k,
                    plan,
                    random,
                    n_jobs=self.n_jobs,
                    callback=progress,
                )
                self._keep(best, data, unit)
                self._seed = seed_from(random)
        self._warn(best.fit, best.outcome, progress.stopped)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Bring the medoids up to date with a chunk of samples.

        One subsample is drawn from the chunk and searched together with the medoids so
        far, each of which counts for all earlier samples that were assigned to it. The
        medoids found replace these if chunk and earlier samples together are nearer to
        them. Earlier samples are not kept. Hence, after this method:

        - `medoid_indices_` counts all rows ever seen, in the order of the chunks: the
          row i of a chunk that came after n others is n + i; the medoids themselves
          are in `cluster_centers_`;
        - `labels_`, `inertia_` and `medoid_silhouette_` are of this chunk alone;
        - `cluster_weights_` and `n_samples_seen_` are of all chunks; samples stay with
          the medoid that they were assigned to, or with the one nearest to that;
        - `subsample_losses_` and `loss_curve_` have a further value: the loss of the
          chunk for the medoids of its subsample, and for those that are kept.

        It may follow `fit`. Parameters of the metric stay those of the first chunk.
        Callbacks are not called.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_chunk, n_features)
            A chunk; the first must have at least `n_clusters` rows.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_chunk,), default=None
            Weights of the rows.

        Returns
        -------
        self : CLARA
            The fitted estimator. If an error is raised, it is as before.

        Raises
        ------
        ValueError
            As `fit`; also if the dissimilarities are precomputed, since those to
            earlier medoids are not in a chunk, or if `n_clusters` has changed.

        Warns
        -----
        ConvergenceWarning
            As `fit`.
        """
        if self._is_precomputed():
            raise ValueError(
                "metric='precomputed' has no partial_fit: a chunk does not hold the "
                "dissimilarities to earlier medoids."
            )
        with unchanged_if_it_fails(self), one_blas_thread():
            past, data = self._next_chunk(X)
            k, n = self.n_clusters, data.n_points
            if past is None:
                k = check_n_clusters(k, n)
                weights, unit = check_weights_for(k, sample_weight, n)
                self._seed = seed_from(self.random_state)
            else:
                weights = check_weights(sample_weight, n)
                unit = weight_unit(np.concatenate([past.totals, weights]))
                weights = weights / unit
                past = past._replace(totals=past.totals / unit)
            plan = self._plan(k, weights > 0, first=past is None)
            n_before = 0 if past is None else past.n_samples
            random = np.random.RandomState([self._seed % 2**32, n_before % 2**32])
            updated = add_chunk(
                data, weights, past, k, plan, random, n_jobs=self.n_jobs
            )
            self._keep_chunk(updated, unit, first=past is None)
        self._warn(updated.fit, updated.outcome, False)
        return self

    def _plan(self, k, allowed, first=True):
        size = self.sample_size
        if size == "auto":
            size = 80 + 4 * k
        elif size < k:
            raise ValueError(f"sample_size={size} must be at least n_clusters={k}.")
        init = self.init
        if first:
            init = check_init(init, k, allowed)
        settings = Settings(method=self.method, init=init, max_iter=self.max_iter)
        return Plan(self.n_subsamples, size, self.keep_medoids, settings)

    def _progress(self, given, data):
        def attributes(info):
            return self._medoid_attributes(data, info.medoids.copy())

        return Progress(
            self,
            **given,
            max_iter=self.n_subsamples,
            verbose=self.verbose,
            attributes=attributes,
            task_name="subsample",
        )

    def _keep(self, best, data, unit):
        """Set the fitted attributes, all at once."""
        _, sign = objective_of(self.method, len(best.fit.medoids))
        losses = best.objectives * (unit if sign > 0 else 1.0)
        self._replace_fitted(
            self._medoid_attributes(data, best.fit.medoids)
            | _common(best.fit, best.outcome, best.outcome.totals, unit)
            | {
                "n_distances_": best.n_distances,
                "subsample_losses_": losses,
                "loss_curve_": sign * np.minimum.accumulate(sign * losses),
                "n_samples_seen_": data.n_points,
            }
        )

    def _next_chunk(self, X):
        """Return what is known of the chunks before this one, and this one."""
        if not hasattr(self, "cluster_centers_"):
            return None, self._check_data(X)
        centers = self.cluster_centers_
        if self.n_clusters != centers.shape[0]:
            raise ValueError(
                f"n_clusters={self.n_clusters} has changed since the first chunk, "
                f"whose {centers.shape[0]} medoids partial_fit carries on. Use fit."
            )
        rows = self._validate_rows(X, reset=False)
        if hasattr(rows, "toarray") != hasattr(centers, "toarray"):
            raise ValueError("X must be sparse in all chunks or dense in all chunks.")
        past = Past(
            centers, self.medoid_indices_, self.cluster_weights_, self.n_samples_seen_
        )
        rows = rows.astype(centers.dtype, copy=False)
        return past, Rows(rows, self._metric, self._metric_params, self.n_jobs)

    def _keep_chunk(self, updated, unit, first):
        past, fit = updated.past, updated.fit
        field, sign = objective_of(self.method, len(past.indices))
        scale = unit if sign > 0 else 1.0
        before = [] if first else [self.n_distances_]
        curves = {
            "subsample_losses_": scale * getattr(updated.found, field),
            "loss_curve_": scale * getattr(updated.outcome, field),
        }
        for name, value in curves.items():
            curves[name] = np.append([] if first else getattr(self, name), value)
        self._replace_fitted(
            {
                "medoid_indices_": past.indices,
                "cluster_centers_": past.centers,
                "n_clusters_": len(past.indices),
                "n_distances_": sum(before) + updated.n_distances,
                "n_samples_seen_": past.n_samples,
            }
            | _common(fit, updated.outcome, past.totals, unit)
            | curves
        )
        if self.verbose:
            print(
                f"[CLARA] {past.n_samples} samples seen  objective "
                f"{curves['loss_curve_'][-1]:.10g}",
                flush=True,
            )

    def _warn(self, fit, outcome, stopped):
        if not fit.converged and not stopped:
            warnings.warn(
                f"CLARA did not converge in {fit.n_iter} passes. Raise max_iter.",
                ConvergenceWarning,
                stacklevel=3,
            )
        self._warn_of_duplicates(outcome)


def _common(fit, outcome, totals, unit):
    """Fitted attributes that do not depend on whether the data came in chunks."""
    with np.errstate(over="ignore"):  # the sum of extreme weights
        cluster_weights = totals * unit
    return {
        "labels_": outcome.labels,
        "cluster_weights_": cluster_weights,
        "inertia_": outcome.loss * unit,
        "medoid_silhouette_": outcome.silhouette,
        "n_iter_": fit.n_iter,
        "n_swaps_": fit.n_swaps,
        "init_medoid_indices_": fit.initial,
    }
