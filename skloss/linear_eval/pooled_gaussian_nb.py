"""Gaussian naive Bayes with one variance per feature, shared by all classes."""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import assert_all_finite
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._blocks import row_blocks, rows_per_block
from skloss._linear_scores import FEW_SCORES, centered_scores, refuse_overflow
from skloss._refit import unchanged_if_it_fails
from skloss._validation import (
    check_class_totals,
    check_weights,
    encode_labels,
    find_classes,
    scores_dtype,
    working_dtype,
)
from skloss.linear_eval._class_moments import class_moments
from skloss.linear_eval._linear_scores import LinearScoresMixin
from skloss.linear_eval._pooled_gaussian import (
    check_priors,
    linear_scores,
    pooled_gaussian,
    precisions,
)

__all__ = ["PooledGaussianNB"]

# Of the deviations in joint densities, for which scores leave no block over.
_BLOCK_BYTES = 1 << 19


class PooledGaussianNB(LinearScoresMixin, BaseEstimator):
    r"""Gaussian naive Bayes whose classes share the variance of each feature.

    Class k is modelled as :math:`x \mid y = k \sim N(\mu_k, \mathrm{diag}(\sigma^2))`.
    Since the variances do not depend on the class, the log-odds are linear in x: this
    is the generative twin of logistic regression [1]_ [2]_. It needs far fewer samples
    than logistic regression to come close to its own best error, which may however be
    larger.

    Fitting takes one pass over dense data, prediction one matrix product. Batches
    stream through :meth:`partial_fit` and models fitted apart are put together by
    :meth:`merge`; both give the model of one :meth:`fit` on all rows. Sparse data are
    never made dense.

    Parameters
    ----------
    priors : array-like of shape (n_classes,), default=None
        Probabilities of the classes, in the order of ``classes_``. By default they are
        estimated from the (weighted) class frequencies.
    var_smoothing : float, default=1e-9
        Part of the largest pooled variance that is added to all variances.
        With 0, features that do not vary within classes are ignored.
    shrinkage : "auto" or float in [0, 1], default=None
        How far to move each variance toward the median of the positive variances.
        "auto" estimates the intensity that loses least expected squared error from
        the data [3]_. Useful below about 10 samples per class. None means 0.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels.
    class_count_ : ndarray of shape (n_classes,)
        Total sample weight of each class.
    class_prior_ : ndarray of shape (n_classes,)
        Probability of each class.
    theta_ : ndarray of shape (n_classes, n_features)
        Mean of each feature in each class.
    var_ : ndarray of shape (n_features,)
        Variance of each feature within classes (maximum likelihood), after shrinkage
        and smoothing, in squared units of the feature.
    epsilon_ : float
        What smoothing added to each variance.
    shrinkage_ : float
        Intensity of the shrinkage, in [0, 1].
    coef_ : ndarray of shape (n_classes, n_features)
        Weights of the linear scores, one row for each class also if there are two
        classes. ``softmax(X @ coef_.T + intercept_)`` are the probabilities.
    intercept_ : ndarray of shape (n_classes,)
        Intercepts of the linear scores; -inf for a class of probability zero.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if they are all strings.

    See Also
    --------
    sklearn.naive_bayes.GaussianNB : One variance per feature and class.
    sklearn.discriminant_analysis.LinearDiscriminantAnalysis : Full shared covariance.

    Notes
    -----
    Sums are float64 for any dtype of X and do not depend on the number of threads.
    Each block of rows is summed relative to one row of each class, and blocks and
    batches are put together by the update of Chan, Golub and LeVeque [4]_, so that
    neither data far from zero (a time stamp, say) nor classes far apart cost digits.
    A feature counts as constant within classes if its standard deviation is below 4
    units in the last place of its largest mean.

    ``coef_`` is defined up to one vector added to all rows; here the scores are those
    relative to the mean of the data, which keeps them small. A class that
    :meth:`partial_fit` has been told of and has not seen yet gets probability zero.

    Memory beyond X: 16 bytes per row, one block of 4 MB for each thread, and the sums
    of all blocks, at most a quarter of X (with very many classes). Integers and
    Fortran-ordered arrays are converted block by block. Predicting takes the
    (n_samples, n_classes) scores, 8 bytes per row for labels, and one block for each
    thread; sparse rows of another dtype than the model's are converted as a whole.

    References
    ----------
    .. [1] A. Y. Ng, M. I. Jordan, "On discriminative vs. generative classifiers: a
       comparison of logistic regression and naive Bayes", NIPS 2001.
    .. [2] C. Zheng, G. Wu, F. Bao, Y. Cao, C. Li, J. Zhu, "Revisiting discriminative
       vs. generative classifiers: theory and implications", ICML 2023,
       arXiv:2302.02334.
    .. [3] R. Opgen-Rhein, K. Strimmer, "Accurate ranking of differentially expressed
       genes by a distribution-free shrinkage approach", Statistical Applications in
       Genetics and Molecular Biology 6(1), article 9, 2007.
    .. [4] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample
       variance: analysis and recommendations", The American Statistician 37(3), 1983.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.linear_eval import PooledGaussianNB
    >>> X, y = load_iris(return_X_y=True)
    >>> model = PooledGaussianNB().fit(X, y)
    >>> model.predict(X[:3])
    array([0, 0, 0])
    >>> round(model.score(X, y), 2)
    0.96

    Two halves fitted apart are the whole:

    >>> halves = [PooledGaussianNB().fit(X[i::2], y[i::2]) for i in range(2)]
    >>> round(halves[0].merge(halves[1]).score(X, y), 2)
    0.96
    """

    _parameter_constraints: dict = {
        "priors": ["array-like", None],
        "var_smoothing": [Interval(Real, 0, None, closed="left")],
        "shrinkage": [Interval(Real, 0, 1, closed="both"), StrOptions({"auto"}), None],
    }

    def __init__(self, *, priors=None, var_smoothing=1e-9, shrinkage=None):
        self.priors = priors
        self.var_smoothing = var_smoothing
        self.shrinkage = shrinkage

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model to all rows of X.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Labels of at least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples; an integer weight means repeated rows.

        Returns
        -------
        self : PooledGaussianNB
            The fitted estimator. If an error is raised, it is as before.

        Raises
        ------
        ValueError
            If X, y, `sample_weight` or a parameter is invalid, or if the total weight
            of a class is zero or overflows.
        """
        with unchanged_if_it_fails(self):
            X, y = self._validate_rows(X, y, reset=True)
            weights = check_weights(sample_weight, X.shape[0])
            classes = find_classes(y)
            moments = self._moments_of(X, y, weights, classes)
            check_class_totals(moments.count, classes)
            self._set_model(classes, moments, working_dtype(X))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Update the model by another batch of rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            More training data.
        y : array-like of shape (n_samples,)
            Labels, all of them among the classes.
        classes : array-like of shape (n_classes,), default=None
            All labels that may ever occur. Needed in the first call; optional later,
            and then it must be the same.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples. A later batch may have no weight at all.

        Returns
        -------
        self : PooledGaussianNB
            The updated estimator. If an error is raised, it is as before.

        Raises
        ------
        ValueError
            If an argument or a parameter is invalid, y holds a label that is not among
            the classes, or X has another number of features than before.
        """
        with unchanged_if_it_fails(self):
            self._add_batch(X, y, classes, sample_weight)
        return self

    def merge(self, other):
        """Add what another model has seen, as if this one had seen those rows too.

        Parameters
        ----------
        other : PooledGaussianNB
            A fitted model of the same features. Its classes may differ; its
            parameters are not looked at.

        Returns
        -------
        self : PooledGaussianNB
            The updated estimator; `other` stays as it is. If an error is raised, so
            does this one.

        Raises
        ------
        TypeError
            If `other` is another kind of estimator.
        ValueError
            If the features differ, or if `shrinkage` is "auto" and `other` was fitted
            with another setting, so that it lacks the fourth moments.
        """
        if not isinstance(other, PooledGaussianNB):
            raise TypeError(
                f"other must be a PooledGaussianNB, got {type(other).__name__}."
            )
        check_is_fitted(self)
        check_is_fitted(other)
        names = [getattr(m, "feature_names_in_", None) for m in (self, other)]
        if self.n_features_in_ != other.n_features_in_ or (
            all(n is not None for n in names) and not np.array_equal(*names)
        ):
            raise ValueError(
                "other was fitted on other features: "
                f"{other.n_features_in_} of them, here {self.n_features_in_}"
                + ("." if names[0] is None else f" named {names[0].tolist()}.")
            )
        classes = np.union1d(self.classes_, other.classes_)
        mine, others = (
            model._moments.spread(encode_labels(model.classes_, classes), len(classes))
            for model in (self, other)
        )
        dtype = np.result_type(self.coef_, other.coef_)
        with unchanged_if_it_fails(self):
            self._set_model(classes, self._joined(mine, others), dtype)
        return self

    def predict_joint_log_proba(self, X):
        """Return log P(x, y = k) for each row and class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Joint log-densities. Ignored features (of zero variance) do not count.
        """
        return self._scores(X, joint=True)

    def decision_function(self, X):
        """Return the linear scores whose largest decides.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            With two classes the log-odds of the second; else the log-probability of
            each class up to a term that all classes of a row share.
        """
        scores = self._scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def _add_batch(self, X, y, classes, sample_weight):
        first = not hasattr(self, "classes_")
        classes = self._stream_classes(classes)
        X, y = self._validate_rows(X, y, reset=first)
        weights = check_weights(sample_weight, X.shape[0], allow_all_zero=not first)
        if not weights.any():
            encode_labels(y, classes)  # wrong labels are wrong at any weight
            return
        dtype = working_dtype(X)
        moments = self._moments_of(X, y, weights, classes)
        if not first:
            moments = self._joined(self._moments, moments)
            dtype = np.result_type(dtype, self.coef_)
        self._set_model(classes, moments, dtype)

    def _validate_rows(self, X, y, *, reset):
        # Whether values are finite shows in their moments, without a pass of its own.
        return validate_data(
            self, X, y, reset=reset, accept_sparse="csr", ensure_all_finite=False
        )

    def _stream_classes(self, classes):
        """Classes of the stream, from the first call or from this one."""
        known = getattr(self, "classes_", None)
        if classes is None:
            if known is None:
                raise ValueError(
                    "classes must be given in the first call to partial_fit."
                )
            return known
        classes = find_classes(classes)
        if known is not None and not np.array_equal(classes, known):
            raise ValueError(
                f"classes={classes.tolist()} differ from those of the earlier calls to "
                f"partial_fit: {known.tolist()}."
            )
        return classes

    def _moments_of(self, X, y, weights, classes):
        moments = class_moments(
            row_blocks(X),
            encode_labels(y, classes),
            weights,
            len(classes),
            with_powers=self.shrinkage == "auto",
        )
        if not moments.is_finite:
            self._raise_not_finite(X, "float64")
        return moments

    def _raise_not_finite(self, X, dtype):
        """Say why a result is not finite."""
        assert_all_finite(X, estimator_name=type(self).__name__, input_name="X")
        raise ValueError(_TOO_LARGE.format(dtype))

    def _joined(self, mine, others):
        joined = mine.merged(others)
        if self.shrinkage == "auto" and joined.powers is None:
            raise ValueError(
                "shrinkage='auto' needs the fourth moments of all batches, but some "
                "were fitted with another setting of shrinkage."
            )
        return joined

    def _set_model(self, classes, moments, dtype):
        """Turn moments into the model; the only place that sets attributes."""
        priors = self.priors
        if priors is not None:
            priors = check_priors(priors, len(classes))
        model = pooled_gaussian(
            moments,
            priors=priors,
            var_smoothing=self.var_smoothing,
            shrinkage=self.shrinkage,
        )
        scores = linear_scores(model, moments, dtype)
        fitted = {
            "class_prior_": model.prior,
            "theta_": model.theta,
            "var_": model.var,
            "coef_": scores.coef,
            "intercept_": scores.intercept - scores.coef @ scores.center,
        }
        with np.errstate(over="ignore"):
            fitted["class_count_"] = moments.count * moments.unit
            fitted = {name: array.astype(dtype) for name, array in fitted.items()}
        if not np.isfinite(fitted["class_count_"]).all():
            raise ValueError(
                "sample_weight is too large: the total weight of a class overflows "
                f"{dtype}. Divide all weights by a constant."
            )
        if not all(np.isfinite(fitted[n]).all() for n in ("theta_", "var_", "coef_")):
            raise ValueError(_TOO_LARGE.format(dtype))
        fitted |= {
            "classes_": classes,
            "epsilon_": model.epsilon,
            "shrinkage_": model.shrinkage,
            "_moments": moments,
            "_center": scores.center,
            "_centered_intercept": scores.intercept,
        }
        # All at once: nothing can come between them.
        vars(self).update(fitted)

    def _scores(self, X, *, joint=False):
        """Linear scores (n, K); with `joint`, the terms of x alone are added."""
        check_is_fitted(self)
        # With few classes, invalid values show in the scores: no pass of its own.
        in_scores = len(self.classes_) <= FEW_SCORES and not sparse.issparse(X)
        X = validate_data(
            self, X, reset=False, accept_sparse="csr", ensure_all_finite=not in_scores
        )
        if sparse.issparse(X):
            with np.errstate(over="ignore", invalid="ignore"):
                scores = self._sparse_scores(X, joint)
            refuse_overflow(scores[:, self._centered_intercept.argmax()])
            return scores
        blocks = row_blocks(X)
        dtype = scores_dtype(X, self.coef_)
        intercept = self._centered_intercept
        scores = centered_scores(blocks, self._center, self.coef_, intercept, dtype)
        if not np.isfinite(scores[:, intercept.argmax()]).all():
            self._raise_not_finite(X, dtype)
        if joint:
            center, precision, log_norm = self._densities()
            block_rows = rows_per_block(blocks.n_columns, n_bytes=_BLOCK_BYTES)
            for start, stop, rows in blocks.iterate(block_rows):
                deviation = rows - center
                squares = np.square(deviation, out=deviation) @ precision
                scores[start:stop] += (log_norm - 0.5 * squares)[:, None]
        return scores

    def _sparse_scores(self, X, joint):
        dtype = scores_dtype(X, self.coef_)
        X = X.astype(dtype, copy=False)
        scores = np.ascontiguousarray(X @ self.coef_.T.astype(dtype))
        scores += self.intercept_
        if joint:
            # The terms of x relative to the center, opened up so that zeros stay zero.
            center, precision, log_norm = self._densities()
            squares = X.multiply(X) @ precision - X @ (2 * center * precision)
            squares += center**2 @ precision
            scores += (log_norm - 0.5 * squares)[:, None]
        return scores

    def _densities(self):
        """Center of the data, precisions (0 if ignored), log of the normalisation."""
        var = self.var_.astype(np.float64)
        log_norm = -0.5 * np.log(2 * np.pi * var[var > 0]).sum()
        return self._moments.grand_mean, precisions(var), log_norm


_TOO_LARGE = (
    "The values in X are too large: a sum, a variance or a score overflows {}. "
    "Divide X by a constant."
)
