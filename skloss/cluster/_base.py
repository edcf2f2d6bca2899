"""What the k-medoids estimators share: metrics, prediction, transformation."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from skloss._parallel import effective_threads
from skloss._validation import check_weights, weight_unit, working_dtype
from skloss.cluster._full_data import Matrix, Rows
from skloss.cluster._inputs import check_n_clusters, check_sum
from skloss.cluster._methods import SILHOUETTE_METHODS
from skloss.cluster._silhouette_search import check_nonnegative
from skloss.kernels import (
    check_dissimilarities,
    cross_distances,
    find_metric,
    prepare,
)

__all__ = ["MedoidsMixin"]


class MedoidsMixin(
    ClassNamePrefixFeaturesOutMixin, ClusterMixin, TransformerMixin, BaseEstimator
):
    """Estimators that are defined by their medoids.

    A subclass has the parameters `n_clusters`, `metric`, `metric_params` and `n_jobs`,
    and after fitting `medoid_indices_`, `cluster_centers_` (unless precomputed) and
    `_metric_params`.
    """

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        precomputed = self._is_precomputed()
        tags.input_tags.pairwise = precomputed
        known = None
        if isinstance(self.metric, str) and not precomputed:
            known = _known(self.metric)
        tags.input_tags.sparse = known is not None and known.sparse
        tags.input_tags.allow_nan = self.metric == "nan_euclidean"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _is_precomputed(self):
        return _is_precomputed(self.metric)

    def _validate_rows(self, X, *, reset):
        """Rows of X as the metric takes them, dense C-ordered or CSR.

        After the fit it is the metric of the fit that counts.
        """
        metric = self.metric if reset else self._metric
        known = find_metric(metric)
        X = validate_data(
            self,
            X,
            reset=reset,
            accept_sparse="csr",
            ensure_all_finite="allow-nan" if metric == "nan_euclidean" else True,
        )
        if known.boolean and X.dtype == bool:
            return np.ascontiguousarray(X)
        if sparse.issparse(X):
            return X.astype(working_dtype(X), copy=False)
        # Conversion may overflow: it is looked for.
        with np.errstate(over="ignore"):
            converted = np.asarray(X, dtype=working_dtype(X), order="C")
        return converted

    def fit_predict(self, X, y=None, sample_weight=None):
        """Fit the medoids and return the cluster of each row of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, or dissimilarities (n_samples, n_samples) if precomputed.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels from 0 to n_clusters - 1.
        """
        return self.fit(X, sample_weight=sample_weight).labels_

    def predict(self, X):
        """Return the cluster of the nearest medoid of each row of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            Data, measured by the metric of the fit. If precomputed, dissimilarities to
            all samples of the fit (n_queries, n_samples) or to the medoids alone
            (n_queries, n_clusters); where both numbers are equal, to all samples.

        Returns
        -------
        ndarray of shape (n_queries,)
            Labels from 0 to n_clusters - 1; the lowest of equally near ones.

        Raises
        ------
        ValueError
            If X is not finite or has another number of columns than expected.
        """
        return self._to_medoids(X).argmin(axis=1)

    def transform(self, X):
        """Return the dissimilarity of each row of X to each medoid.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            As in `predict`.

        Returns
        -------
        ndarray of shape (n_queries, n_clusters)
            In slot order.

        Raises
        ------
        ValueError
            As `predict`.
        """
        return self._to_medoids(X)

    def score(self, X, y=None, sample_weight=None):
        """Return minus the total deviation of X from the medoids.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_queries, n_features)
            As in `predict`.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_queries,), default=None
            Weights of the rows.

        Returns
        -------
        float
            Larger is better.
        """
        to_nearest = self._to_medoids(X).min(axis=1).astype(np.float64)
        weights = check_weights(sample_weight, len(to_nearest))
        unit = weight_unit(weights)
        with np.errstate(over="ignore"):  # it is looked for
            return -float(check_sum((weights / unit @ to_nearest) * unit))

    @property
    def _n_features_out(self):
        return len(self.medoid_indices_)

    def _to_medoids(self, X):
        """Dissimilarities (n_queries, k) of new rows to the medoids."""
        check_is_fitted(self)
        if _is_precomputed(self._metric):
            return self._columns_of_medoids(X)
        rows = self._validate_rows(X, reset=False)
        return self._distances(rows, self.cluster_centers_)

    def _distances(self, X, centers):
        if sparse.issparse(X) and not sparse.issparse(centers):
            centers = sparse.csr_array(centers)
        elif sparse.issparse(centers) and not sparse.issparse(X):
            centers = centers.toarray()
        params = self._metric_params
        distances = cross_distances(
            X, centers, metric=self._metric, metric_params=params, n_jobs=self.n_jobs
        )
        if not np.isfinite(distances).all():
            raise ValueError(
                "The values in X are too large: a distance to a medoid overflows "
                f"{distances.dtype}. Divide X by a constant."
            )
        return distances

    def _columns_of_medoids(self, D):
        D = check_array(D, estimator=self, input_name="X")
        k = len(self.medoid_indices_)
        if D.shape[1] == self.n_features_in_:
            D = D[:, self.medoid_indices_]
        elif D.shape[1] != k:
            raise ValueError(
                f"X has {D.shape[1]} columns. With metric='precomputed', it must hold "
                f"dissimilarities to the {self.n_features_in_} samples of the fit, or "
                f"to the {k} medoids alone."
            )
        return np.asarray(D, dtype=working_dtype(D))

    def _check_data(self, X, sample_weight=None):
        """Take the data of a fit, with all that the metric needs from them."""
        self._metric = self.metric
        effective_threads(self.n_jobs)  # refuses 0, whatever the size of the data
        if self._is_precomputed():
            return self._check_matrix(X)
        rows = self._validate_rows(X, reset=True)
        check_n_clusters(self.n_clusters, rows.shape[0])
        if sample_weight is not None:
            sample_weight = check_weights(sample_weight, rows.shape[0])
        self._metric_params = prepare(
            self.metric, rows, self.metric_params, sample_weight
        )
        return Rows(rows, self.metric, self._metric_params, self.n_jobs)

    def _check_matrix(self, D):
        D = validate_data(self, D, ensure_all_finite=False)
        facts = check_dissimilarities(D, n_jobs=self.n_jobs)
        if facts.nonzero_diagonal:
            warnings.warn(
                "The diagonal of the precomputed dissimilarities is not zero: some "
                "sample is dissimilar to itself.",
                UserWarning,
                stacklevel=4,
            )
        return Matrix(D, facts, self.n_jobs)

    def _refuse_negative(self, data):
        """Refuse given dissimilarities of which no silhouette can be made."""
        by_silhouette = self.method in SILHOUETTE_METHODS
        if by_silhouette and self._is_precomputed() and data.facts.minimum < 0:
            check_nonnegative(data.source()[0])

    def _medoid_attributes(self, data, medoids):
        """Attributes that make the estimator able to predict."""
        attributes = {"medoid_indices_": medoids, "n_clusters_": len(medoids)}
        if not self._is_precomputed():
            attributes["cluster_centers_"] = data.X[medoids]
        return attributes

    def _replace_fitted(self, fitted, optional=("cluster_centers_",)):
        """Set fitted attributes all at once, without those of an earlier fit."""
        for name in optional:
            if name not in fitted:
                vars(self).pop(name, None)
        vars(self).update(fitted)

    def _warn_of_duplicates(self, outcome):
        if outcome.duplicates:
            warnings.warn(
                f"Fewer samples are distinct than n_clusters={self.n_clusters_}, or "
                "the search ended too early: some clusters hold their medoid and "
                "nothing else.",
                ConvergenceWarning,
                stacklevel=3,
            )


def _is_precomputed(metric):
    return isinstance(metric, str) and metric == "precomputed"


def _known(metric):
    try:
        return find_metric(metric)
    except ValueError:  # fit will say so
        return None
