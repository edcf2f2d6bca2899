"""Classification by ridge regression on random features."""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._refit import unchanged_if_it_fails
from skloss._validation import (
    check_weights,
    combine_weights,
    encode_labels,
    find_classes,
)
from skloss.random_features._base import streaming
from skloss.random_features._calibration import best_temperature, probabilities
from skloss.random_features._data import is_streamed
from skloss.random_features._fitting import NotForStreamsError
from skloss.random_features._labels import check_class_weight, checked_labels
from skloss.random_features._parameters import COMPONENTS, CONSTRAINTS
from skloss.random_features._selection import left_out
from skloss.random_features.ridge import RandomFeatureRidge

__all__ = ["RandomFeatureRidgeClassifier", "calibrated_classifier"]

_READ = {"accept_sparse": "csr", "dtype": [np.float64, np.float32]}


def _calibrates(estimator):
    """Whether there are probabilities, or will be once it is fitted."""
    is_fitted = hasattr(estimator, "ridge_")
    if estimator.calibrate and is_fitted and not hasattr(estimator, "temperature_"):
        raise AttributeError(
            "This model was fitted with calibrate=False, so that it has no "
            "temperature_: fit it again."
        )
    return estimator.calibrate


class RandomFeatureRidgeClassifier(ClassifierMixin, BaseEstimator):
    """Classification by ridge regression of class indicators on random features.

    Each class is told from all others by a `RandomFeatureRidge` with targets of 1 and
    -1; one such model tells two classes apart. Like it, the classifier sees rows once,
    adds them, forgets them and merges.

    Parameters
    ----------
    n_components : int or numpy.inf, default=500
        Number of features, k. At infinity the kernel that they tend to is used.
    alpha : float, default=1.0
        Penalty.
    activation : str or callable, default="relu"
        As in `RandomFeatures`, like the parameters up to `nu`.
    gamma : float or "scale", default="scale"
        Half of the variance of the weights.
    bias : float, default=0.0
        Standard deviation of the offsets.
    distribution : {"gaussian", "cauchy", "student", "uniform"}, default="gaussian"
        Law of the weights.
    sampling : {"iid", "orthogonal", "qmc", "hadamard"}, default="iid"
        How weights are drawn.
    negative_slope : float, default=0.01
        Of "leaky_relu".
    nu : float, default=1.5
        Half of the degrees of freedom of "student".
    fit_intercept : bool, default=True
        Whether to fit intercepts, which are not penalised.
    class_weight : dict, "balanced" or None, default=None
        Factors of the sample weights of each class; "balanced" gives every class the
        same total weight and needs all rows at once.
    calibrate : bool, default=False
        Whether to offer `predict_proba`. Scores are divided by the temperature that
        makes the labels of rows left out, one at a time and with all of their weight,
        most likely; that costs one decomposition and one more pass over the rows. It
        does not depend on the unit of the weights, but an integer weight is not exactly
        that many repeated rows, of which only one would be left out at a time. For
        `fit` only.
    solver : {"auto", "primal", "dual"}, default="auto"
        As in `RandomFeatureRidge`, like the parameters below.
    precision : {"auto", "float64", "mixed", "float32"}, default="auto"
        Of sums of products of features.
    batch_size : int, default=None
        Rows in a block.
    n_jobs : int, default=None
        Threads for predictions.
    random_state : int, RandomState instance or None, default=None
        Draws the weights.
    verbose : bool or int, default=0
        Whether to print a line for each block.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels, sorted.
    coef_ : ndarray of shape (1, k) or (n_classes, k)
        Coefficients of the features. Not there at infinite width.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts.
    ridge_ : RandomFeatureRidge
        The regression of the indicators.
    temperature_ : float
        By which scores are divided, with `calibrate`: from a millionth of the spread of
        scores to a million times it.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    See Also
    --------
    sklearn.linear_model.RidgeClassifier : On features as they are.

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On Calibration of Modern Neural
    Networks", ICML 2017: one temperature for all scores.

    L. Kish, "Survey Sampling", Wiley 1965: how many rows of equal weight weighted ones
    are worth, which those targets depend on.

    J. Platt, "Probabilistic Outputs for Support Vector Machines and Comparisons to
    Regularized Likelihood Methods", 1999: targets short of 0 and 1.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.random_features import RandomFeatureRidgeClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = RandomFeatureRidgeClassifier(
    ...     100, alpha=0.01, calibrate=True, random_state=0
    ... ).fit(X, y)
    >>> model.score(X, y) > 0.95
    True
    >>> model.predict_proba(X).shape
    (150, 3)
    """

    _parameter_constraints: dict = {
        "n_components": [*COMPONENTS, Options(Real, {np.inf})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        **CONSTRAINTS,
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "calibrate": ["boolean"],
        "solver": [StrOptions({"auto", "primal", "dual"})],
        "precision": [StrOptions({"auto", "float64", "mixed", "float32"})],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=500,
        *,
        alpha=1.0,
        activation="relu",
        gamma="scale",
        bias=0.0,
        distribution="gaussian",
        sampling="iid",
        negative_slope=0.01,
        nu=1.5,
        fit_intercept=True,
        class_weight=None,
        calibrate=False,
        solver="auto",
        precision="auto",
        batch_size=None,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.alpha = alpha
        self.activation = activation
        self.gamma = gamma
        self.bias = bias
        self.distribution = distribution
        self.sampling = sampling
        self.negative_slope = negative_slope
        self.nu = nu
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.calibrate = calibrate
        self.solver = solver
        self.precision = precision
        self.batch_size = batch_size
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; see `RandomFeatureRidge.fit`.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. An integer weight equals repeated rows, except for
            `temperature_`: see `calibrate`.

        Returns
        -------
        self : RandomFeatureRidgeClassifier
            The fitted model.

        Raises
        ------
        ValueError
            If there are fewer than two classes, one has no weight, or as in
            `RandomFeatureRidge.fit`.

        Warns
        -----
        UserWarning
            If `temperature_` is at an end of its range, or rows that are left out have
            no finite scores; or as in `RandomFeatureRidge.fit`.
        """
        with unchanged_if_it_fails(self):
            X, y = self._read(X, y, reset=True)
            check_class_weight(self.class_weight)
            self.classes_ = find_classes(y)
            codes = encode_labels(y, self.classes_)
            given = check_weights(sample_weight, len(codes))
            weight = combine_weights(given, self.class_weight, self.classes_, codes)
            Y = self._indicators(codes)
            self.ridge_ = self._new_ridge().fit(X, Y, weight)
            self._drop_temperature()
            if self.calibrate:
                scores = left_out(self.ridge_, X, Y, weight)
                self.temperature_ = best_temperature(scores, codes, weight)
        return self

    @streaming
    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, sample_weight=None):
        """Add rows to the model; not with options that need all rows at once.

        Parameters
        ----------
        X, y : array-like
            Further rows; as in `fit`.
        classes : array-like of shape (n_classes,), default=None
            All labels that will be seen; needed by the first call alone.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : RandomFeatureRidgeClassifier
            The model fitted to all rows so far.

        Raises
        ------
        ValueError
            If `classes` is missing or another one, a label is none of them, or as in
            `RandomFeatureRidge.partial_fit`.
        """
        first = not hasattr(self, "ridge_")
        with unchanged_if_it_fails(self):
            X, y = self._read(X, y, reset=first)
            self._take_classes(classes, first)
            Y, weight = self._of_batch(y, sample_weight)
            self.ridge_ = self._current_ridge().partial_fit(X, Y, weight)
            self._drop_temperature()
        return self

    @streaming
    def forget(self, X, y, sample_weight=None):
        """Take rows out of the model, as if they had never been seen.

        Parameters
        ----------
        X, y, sample_weight : array-like
            Rows that the model was fitted to, with their labels and weights.

        Returns
        -------
        self : RandomFeatureRidgeClassifier
            The model fitted to all other rows.

        Raises
        ------
        ValueError
            If a label is none of the classes, or as in `RandomFeatureRidge.forget`.
        """
        check_is_fitted(self)
        X, y = self._read(X, y, reset=False)
        Y, weight = self._of_batch(y, sample_weight)
        self.ridge_ = self._current_ridge().forget(X, Y, weight)
        self._drop_temperature()
        return self

    @streaming
    def merge(self, other):
        """Add all rows that another model has seen.

        Parameters
        ----------
        other : RandomFeatureRidgeClassifier
            A model with the same features and classes.

        Returns
        -------
        self : RandomFeatureRidgeClassifier
            The model fitted to the rows of both.

        Raises
        ------
        TypeError
            If it is no classifier of this kind.
        ValueError
            If its classes are others, or as in `RandomFeatureRidge.merge`.
        """
        if not isinstance(other, RandomFeatureRidgeClassifier):
            raise TypeError(
                "other must be a RandomFeatureRidgeClassifier; got "
                f"{type(other).__name__}."
            )
        check_is_fitted(self)
        check_is_fitted(other)
        if not np.array_equal(self.classes_, other.classes_):
            raise ValueError(
                f"The models have classes {self.classes_.tolist()} and "
                f"{other.classes_.tolist()}."
            )
        self.ridge_ = self._current_ridge().merge(other.ridge_)
        self._drop_temperature()
        return self

    def decision_function(self, X):
        """Score rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            Predicted indicators: of the second of two classes, or of each class.
        """
        check_is_fitted(self)
        if not is_streamed(X):
            X = validate_data(self, X, reset=False, **_READ)
        return self.ridge_.predict(X)

    def predict(self, X):
        """Predict labels.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        scores = self.decision_function(X)
        codes = scores > 0 if scores.ndim == 1 else scores.argmax(axis=1)
        return self.classes_[codes.astype(np.intp)]

    @available_if(_calibrates)
    def predict_proba(self, X):
        """Predict probabilities; with `calibrate` only.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Probabilities of the classes.
        """
        return probabilities(self.decision_function(X), self.temperature_)

    @property
    def coef_(self):
        """Coefficients of the features."""
        return np.atleast_2d(self._fitted("coef_").coef_)

    @property
    def intercept_(self):
        """Intercepts."""
        return np.atleast_1d(self._fitted("intercept_").intercept_)

    def _fitted(self, name):
        if not hasattr(self, "ridge_"):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r} before fit."
            )
        return self.ridge_

    def _new_ridge(self):
        return RandomFeatureRidge(**self._of_ridge())

    def _of_ridge(self):
        """Parameters of the ridge."""
        names, mine = RandomFeatureRidge().get_params(), self.get_params(deep=False)
        return {name: mine[name] for name in names}

    def _current_ridge(self):
        """Copy the ridge, with the parameters of now.

        What goes wrong with the copy leaves the ridge as it was.
        """
        if not hasattr(self, "ridge_"):
            return self._new_ridge()
        return copy.copy(self.ridge_).set_params(**self._of_ridge())

    def _drop_temperature(self):
        """Forget the temperature of other coefficients."""
        vars(self).pop("temperature_", None)

    def _read(self, X, y, *, reset):
        if is_streamed(X):
            if reset:
                self.n_features_in_ = X.shape[1]
            return X, checked_labels("y", y)
        X, y = validate_data(self, X, y, reset=reset, **_READ)
        return X, checked_labels("y", y)

    def _indicators(self, codes):
        """Targets of 1 and -1: of the second of two classes, or of each class."""
        if self.classes_.size == 2:
            return 2.0 * codes - 1.0
        return np.where(codes[:, None] == np.arange(self.classes_.size), 1.0, -1.0)

    def _of_batch(self, y, sample_weight):
        """Targets and weights of rows of which some classes may be missing."""
        codes = encode_labels(y, self.classes_)
        if self.class_weight is None:
            return self._indicators(codes), sample_weight
        check_class_weight(self.class_weight)
        every = np.arange(self.classes_.size)
        ones = np.ones(every.size)
        factors = combine_weights(ones, self.class_weight, self.classes_, every)
        weight = check_weights(sample_weight, len(codes)) * factors[codes]
        return self._indicators(codes), weight

    def _take_classes(self, classes, first):
        if first:
            if classes is None:
                raise ValueError("classes must be given to the first partial_fit.")
            self.classes_ = find_classes(checked_labels("classes", classes))
        elif classes is not None:
            given = np.unique(checked_labels("classes", classes))
            if not np.array_equal(given, self.classes_):
                raise ValueError(
                    f"classes={given.tolist()} differ from those of the first call, "
                    f"{self.classes_.tolist()}."
                )

    def _check_stream(self, action):
        """Raise unless the model can be fitted to a stream, or go on with one."""
        option = "class_weight" if isinstance(self.class_weight, str) else "calibrate"
        if self.calibrate or isinstance(self.class_weight, str):
            raise NotForStreamsError(
                f"{option}={getattr(self, option)!r} needs all rows at once, which "
                f"{action} has not."
            )
        self._current_ridge()._check_stream(action)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def calibrated_classifier():
    """Make a classifier that gives probabilities, for comparisons."""
    return RandomFeatureRidgeClassifier(calibrate=True)
