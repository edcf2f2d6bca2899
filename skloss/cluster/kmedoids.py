"""k-medoids as a scikit-learn estimator."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.cluster._base import MedoidsMixin
from skloss.cluster._fit import fit_medoids
from skloss.cluster._full_data import assign_all
from skloss.cluster._initial import INITIALISATIONS
from skloss.cluster._inputs import check_n_clusters, check_sum, check_weights_for
from skloss.cluster._lagrangian import relative_gap
from skloss.cluster._methods import METHODS, SILHOUETTE_METHODS, Settings
from skloss.cluster._silhouette_search import check_nonnegative

__all__ = ["KMedoids"]

_ALL_METHODS = {*METHODS, "onebatch", "exact"}
# Fitted attributes that only some settings give.
_OPTIONAL = {
    "cluster_centers_",
    "gap_",
    "k_range_",
    "lower_bound_",
    "silhouette_curve_",
}


class KMedoids(CallbackSupportMixin, MedoidsMixin):
    r"""Clustering around k medoids: samples that represent all the others.

    Minimises the total deviation :math:`\sum_o w_o \min_i D_{o,m_i}` over the medoids
    :math:`m_1, \dots, m_k`, which are samples themselves, for any dissimilarity D: it
    need be neither a metric nor symmetric. By default FasterPAM [1]_ swaps a medoid for
    another sample as soon as that lowers the deviation, from the greedy start of PAM.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of medoids, k. For ``method="dynmsc"`` the largest number to try.
    metric : str or callable, default="euclidean"
        A name of :func:`skloss.kernels.known_metrics`, among them all of
        :func:`sklearn.metrics.pairwise_distances` and "gower" for columns of mixed
        kinds; "precomputed", and then X holds the dissimilarity of each row to each
        column; or a function of a point and a medoid.
    metric_params : dict, default=None
        Parameters of the metric. Those that depend on the data, such as the variances
        of "seuclidean", are fixed by the fit.
    method : str, default="fasterpam"
        - "fasterpam": every swap that lowers the deviation, as it is found;
        - "pam" and "fastpam1": the best swap of all, again and again. The first keeps
          tables of k n numbers and reads little; the second keeps none and reads
          everything each time;
        - "fastpam2": the best swap of every medoid in each pass;
        - "alternate": assign and choose the medoid of each cluster, as k-means does;
          quick, and much weaker;
        - "fastermsc", "fastmsc", "pammedsil": maximise the average medoid silhouette
          [2]_ instead: eagerly, by the best swap, and by the best swap found slowly.
          One cluster has none: then the deviation decides;
        - "dynmsc": the same for every number of medoids from `n_clusters` down to
          `min_clusters`, of which the best is kept [3]_;
        - "onebatch": FasterPAM with a loss over a sample of `batch_size` points [4]_;
        - "exact": the best medoids of all, proven by branch and bound.
    init : str or array-like of shape (n_clusters,), default="build"
        Initial medoids: "build", PAM's greedy choice; "lab", the greedy choice within
        small samples; "k-medoids++", drawn by their dissimilarity to those before;
        "random", drawn uniformly; "first", the first samples; or given by their
        indices, in slot order.
    n_init : int, default=1
        Number of starts, of which the best result is kept. The first is `init`'s. If
        that is deterministic, the others are random. An array is used once.
    max_iter : int, default=300
        Largest number of passes over the samples from each start. For
        ``method="exact"`` also of parts that branch and bound looks at.
    shuffle : bool, default=False
        Whether eager methods visit the samples in random order.
    precompute : bool, "condensed", "pruned" or "auto", default="auto"
        Whether all dissimilarities are computed at once and stored. "condensed" keeps
        one half, for symmetric metrics; False computes them in blocks as they are
        needed; "auto" stores what fits scikit-learn's ``working_memory``. "pruned"
        stores none and computes only those that the triangle inequality does not
        exclude: a few percent for many clusters in few dimensions. It is for
        ``method="fasterpam"``, dense rows, and the metrics euclidean (l2), manhattan
        (cityblock, l1), chebyshev, minkowski with p >= 1, hamming, canberra and
        gower. The medoids are the same, up to ties within rounding.
    batch_size : int or "auto", default="auto"
        Number of reference points of ``method="onebatch"``, at least `n_clusters`;
        100 log(n k) by default. They are drawn in proportion to the weights.
    min_clusters : int, default=2
        Smallest number of medoids that ``method="dynmsc"`` tries.
    bound : bool, default=False
        Whether to bound the least possible deviation from below. Methods that
        maximise a silhouette have no bound.
    random_state : int, RandomState instance or None, default=None
        For random starts, orders and samples.
    n_jobs : int, default=None
        Largest number of threads. It changes speed, never results.
    warm_start : bool, default=False
        Whether to start from the medoids of the last fit, if there are as many.
    verbose : int, default=0
        Print a line for each pass, or each start if there are several.

    Attributes
    ----------
    medoid_indices_ : ndarray of shape (`n_clusters_`,)
        Indices of the medoids, in slot order.
    labels_ : ndarray of shape (n_samples,)
        Cluster of each sample, from 0; ``labels_[medoid_indices_[c]] == c``.
    cluster_centers_ : {ndarray, CSR} of shape (`n_clusters_`, n_features)
        The medoids, rows of X. Absent if precomputed.
    inertia_ : float
        Total deviation, weighted.
    medoid_silhouette_ : float
        Average medoid silhouette, weighted; nan for one cluster or negative
        dissimilarities.
    n_clusters_ : int
        Number of medoids.
    n_iter_, n_swaps_ : int
        Passes, the last one without a swap included, and swaps of the best start.
    n_distances_ : int
        Dissimilarities that were computed to find the medoids; all of them if
        precomputed or stored.
    init_medoid_indices_ : ndarray of shape (n_clusters,)
        Initial medoids of the best start.
    loss_curve_ : ndarray
        Objective at the start and after every swap: the deviation, or the average
        medoid silhouette for methods that maximise it. "onebatch" has the estimate
        from its reference points, "alternate" a value for each assignment, "dynmsc"
        one more for each number of medoids.
    k_range_, silhouette_curve_ : ndarray
        Numbers of medoids that "dynmsc" tried, and the average medoid silhouette of
        each.
    lower_bound_, gap_ : float
        With `bound` or ``method="exact"``: no medoids have a smaller deviation than
        the first; the second is its relative distance from `inertia_`. A gap of 0 is
        a proof that the medoids are the best.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Their names, if they are all strings.

    See Also
    --------
    CLARA : The same on subsamples, for very many samples.
    CLARANS : Randomised search.
    sklearn.cluster.KMeans : Squared Euclidean distances to means.

    Notes
    -----
    A pass costs :math:`O(n^2)` whatever k. Memory: :math:`n^2` numbers of the data's
    precision if stored, half of them if condensed; else :math:`O(nk)` and blocks of
    about 1 MB. With ``precompute="pruned"`` a pass costs :math:`O(nk)` and the
    distances that are not excluded; ``init="build"`` still computes all of them, more
    than once, whereas "lab", "k-medoids++", "random", "first" and given medoids do
    not. Integer dissimilarities are summed exactly. Samples without weight are never
    medoids, but are labelled.

    References
    ----------
    .. [1] E. Schubert, P. J. Rousseeuw, "Fast and eager k-medoids clustering: O(k)
       runtime improvement of the PAM, CLARA, and CLARANS algorithms", Information
       Systems 101, 2021.
    .. [2] L. Lenssen, E. Schubert, "Clustering by direct optimization of the medoid
       silhouette", SISAP 2022.
    .. [3] L. Lenssen, E. Schubert, "Medoid silhouette clustering with automatic cluster
       number selection", Information Systems 120, 2024.
    .. [4] A. de Mathelin et al., "OneBatchPAM: a fast and frugal k-medoids algorithm",
       AAAI 2025.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.cluster import KMedoids
    >>> X, _ = load_iris(return_X_y=True)
    >>> model = KMedoids(n_clusters=3, bound=True).fit(X)
    >>> model.medoid_indices_
    array([ 78,   7, 112])
    >>> round(model.inertia_, 2), bool(model.gap_ < 1e-9)  # proven to be the best
    (98.13, True)
    """

    _parameter_constraints: dict = {
        "n_clusters": [Integral],
        "metric": [str, callable],
        "metric_params": [dict, None],
        "method": [StrOptions(_ALL_METHODS)],
        "init": [StrOptions(set(INITIALISATIONS)), "array-like"],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "precompute": ["boolean", StrOptions({"auto", "condensed", "pruned"})],
        "batch_size": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "min_clusters": [Integral],
        "bound": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_clusters=8,
        *,
        metric="euclidean",
        metric_params=None,
        method="fasterpam",
        init="build",
        n_init=1,
        max_iter=300,
        shuffle=False,
        precompute="auto",
        batch_size="auto",
        min_clusters=2,
        bound=False,
        random_state=None,
        n_jobs=None,
        warm_start=False,
        verbose=0,
    ):
        self.n_clusters = n_clusters
        self.metric = metric
        self.metric_params = metric_params
        self.method = method
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.precompute = precompute
        self.batch_size = batch_size
        self.min_clusters = min_clusters
        self.bound = bound
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.warm_start = warm_start
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Find the medoids of X.

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
        self : KMedoids
            The fitted estimator. If an error is raised, it is as before.

        Raises
        ------
        ValueError
            If X, `sample_weight` or a parameter is invalid; the message names it.

        Warns
        -----
        ConvergenceWarning
            If `max_iter` passes were not enough, or fewer than `n_clusters` samples
            are distinct.
        """
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        # One thread: the number of threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            data = self._check_data(X, sample_weight)
            k = check_n_clusters(self.n_clusters, data.n_points)
            self._check_combinations(k)
            weights, unit = check_weights_for(k, sample_weight, data.n_points)
            settings = self._settings(k, weights)
            source = self._source(data)
            with self._progress(given, data, settings) as progress:
                fit = fit_medoids(
                    source,
                    weights,
                    k,
                    settings,
                    self.random_state,
                    batch_size=self.batch_size,
                    restrict=data.restricted,
                    bound=self.bound,
                    n_jobs=self.n_jobs,
                    callback=progress,
                    watch=self._print_part if self.verbose else None,
                )
                outcome = assign_all(data, weights, fit.medoids)
                self._keep(fit, outcome, data, unit)
        self._warn(fit, outcome, progress.stopped)
        return self

    def _source(self, data):
        # One batch is taken before anything is computed.
        precompute = self.precompute if self.method != "onebatch" else False
        source, kept = data.source(precompute)
        if self.verbose and self.method != "onebatch":
            name, n = type(self).__name__, source.n_rows
            print(f"[{name}] dissimilarities of {n} samples: {kept}", flush=True)
        self._refuse_negative(data)
        if self.method in SILHOUETTE_METHODS and callable(self.metric):
            check_nonnegative(source)
        return source

    def _print_part(self, info):
        """Print what an exact search has reached, at times that get longer."""
        if info.n_iter & (info.n_iter - 1) == 0:
            print(
                f"[KMedoids] part {info.n_iter}/{self.max_iter}  objective "
                f"{info.objective:.10g}  lower bound {info.lower_bound:.10g}  open "
                f"{info.n_open}",
                flush=True,
            )
        return False

    def _check_pruned(self):
        if self.method != "fasterpam":
            raise ValueError(
                "precompute='pruned' is for method='fasterpam'; got "
                f"method={self.method!r}."
            )
        if self._is_precomputed():
            raise ValueError(
                "precompute='pruned' computes distances from rows; "
                "metric='precomputed' gives none."
            )

    def _check_combinations(self, k):
        """Refuse parameters that do not go together."""
        if self.method in SILHOUETTE_METHODS and self.bound:
            raise ValueError(
                "bound=True bounds the total deviation, which "
                f"method={self.method!r} does not minimise."
            )
        if isinstance(self.precompute, str) and self.precompute == "pruned":
            self._check_pruned()
        least = self.min_clusters
        if self.method == "dynmsc" and (least is True or not 2 <= least <= k):
            raise ValueError(
                f"min_clusters={least!r} must be an integer from 2 to n_clusters={k}."
            )

    def _settings(self, k, weights):
        init = self.init
        before = getattr(self, "medoid_indices_", None)
        if (
            self.warm_start
            and before is not None
            and len(before) == k
            and before.max() < len(weights)
            and weights[before].all()
        ):
            init = before
        return Settings(
            method=self.method,
            init=init,
            n_init=self.n_init,
            max_iter=self.max_iter,
            shuffle=self.shuffle,
            min_clusters=self.min_clusters,
        )

    def _progress(self, given, data, settings):
        def attributes(info):
            return self._medoid_attributes(data, info.medoids.copy())

        several = settings.n_init > 1 and isinstance(settings.init, str)
        # Each number of medoids has passes of its own.
        n_passes = None if settings.method == "dynmsc" else settings.max_iter
        return Progress(
            self,
            **given,
            max_iter=settings.n_init if several else n_passes,
            verbose=self.verbose,
            attributes=attributes,
            task_name="start" if several else "pass",
        )

    def _keep(self, fit, outcome, data, unit):
        """Set the fitted attributes, all at once."""
        with np.errstate(over="ignore"):  # it is looked for
            loss = check_sum(outcome.loss * unit)
        by_silhouette = self.method in SILHOUETTE_METHODS and len(fit.medoids) > 1
        fitted = self._medoid_attributes(data, fit.medoids) | {
            "labels_": outcome.labels,
            "inertia_": loss,
            "medoid_silhouette_": outcome.silhouette,
            "n_iter_": fit.n_iter,
            "n_swaps_": fit.n_swaps,
            "n_distances_": fit.n_distances,
            "init_medoid_indices_": fit.initial,
            "loss_curve_": fit.curve if by_silhouette else fit.curve * unit,
        }
        if fit.k_range is not None:
            fitted["k_range_"] = fit.k_range
            fitted["silhouette_curve_"] = fit.silhouette_curve
        if fit.proof is not None:
            # Another order of summation may differ in the last digit.
            lower, gap = min(fit.proof.lower * unit, loss), fit.proof.gap
            fitted["lower_bound_"] = lower
            fitted["gap_"] = relative_gap(lower, loss) if gap is None else gap
        self._replace_fitted(fitted, _OPTIONAL)

    def _warn(self, fit, outcome, stopped):
        if not fit.converged and not stopped:
            what = (
                f"did not prove its medoids optimal in {self.max_iter} parts (gap "
                f"{self.gap_:.2g})"
                if self.method == "exact"
                else f"did not converge in {fit.n_iter} passes"
            )
            warnings.warn(
                f"KMedoids {what}. Raise max_iter.", ConvergenceWarning, stacklevel=3
            )
        self._warn_of_duplicates(outcome)
