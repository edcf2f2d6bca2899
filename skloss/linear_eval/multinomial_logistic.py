"""Multinomial logistic regression, solved to a certified optimum."""

import dataclasses
import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._fitted_scores import attributes_of, fitted_scores, rounded
from skloss._linear_scores import refuse_overflow, score_rows
from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss._validation import (
    check_weights,
    combine_weights,
    encode_labels,
    find_classes,
    scores_dtype,
    weight_unit,
    working_dtype,
)
from skloss.linear_eval._coordinates import Coordinates
from skloss.linear_eval._linear_scores import LinearScoresMixin
from skloss.linear_eval._softmax_ridge import SoftmaxRidge
from skloss.solvers._result import warn_unless_converged
from skloss.solvers.newton_cg import newton_cg

__all__ = ["MultinomialLogistic"]

# Rows times features times classes below which float32 would save no time.
_SMALL = 100_000
_ADVICE = {
    "max_iter": "Raise max_iter, or tol.",
    "stalled": "Scale the columns of X to similar sizes, or lower C.",
}
_ROUNDED = (
    "{} reached tol, but in float32, the dtype of X, its coefficients do not (gap "
    "{:.2g}). Pass X in float64, or raise tol."
)
_SEPARABLE = (
    "The classes are separable, so that without a penalty (C=inf) the objective has "
    "no minimum: the fit stopped at finite coefficients. Use a finite C."
)


class MultinomialLogistic(
    CallbackSupportMixin, LinearScoresMixin, SparseCoefMixin, BaseEstimator
):
    r"""Multinomial logistic regression with an L2 penalty and a certified optimum.

    Minimises, over the coefficients W (p, K) and the intercepts b (K,),

    .. math::

        F(W, b) = \sum_i w_i \Big[\log \sum_k e^{S_{ik}} - S_{i y_i}\Big]
        + \frac{\lambda}{2} \|W\|_F^2, \qquad S = X W + 1 b^\top,

    with :math:`w_i = s_i / \sum_i s_i` and :math:`\lambda = 1 / (C \sum_i s_i)`, where
    s are the sample weights times the class weights. This is the objective of
    scikit-learn's ``LogisticRegression`` divided by :math:`C \sum_i s_i`, so both have
    the same solution. Two classes use one vector of coefficients and the binomial
    loss, as there.

    The data need no scaling: Newton's method runs in standardised units with a
    preconditioner built from the covariance of the features and that of the classes,
    and the penalty is carried over exactly. It stops when a duality gap proves that
    the objective is within ``tol`` of its minimum.

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the penalty, positive. ``np.inf`` removes the penalty; if
        the classes can be separated, no minimum exists then, and the fit stops at a
        separating solution with a warning.
    fit_intercept : bool, default=True
        Whether to fit intercepts. They are not penalised.
    class_weight : dict or "balanced", default=None
        Factors on the sample weights of each class, or "balanced" for classes of
        equal total weight.
    tol : float, default=1e-6
        Largest relative distance of the objective from its minimum.
    max_iter : int, default=100
        Largest number of Newton steps.
    precision : {"mixed", "double"}, default="mixed"
        "mixed" computes directions from a float32 copy of the data, unless they are
        small, and goes over to float64 where float32 proves too coarse: with classes
        nearly separable, or features nearly collinear. The solution and its
        certificate are float64 in any case. "double" is slower, except on data where
        "mixed" would end there.
    warm_start : bool, default=False
        Whether to start from the solution of the previous fit. A solution for other
        classes or another number of features is not used.
    verbose : int, default=0
        Whether to print a line for each Newton step.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels in sorted order.
    coef_ : ndarray of shape (n_classes, n_features) or (1, n_features)
        Coefficients; one row for two classes. With more they sum to zero over the
        classes. In float32 if X is float32 or float16, else in float64.
    intercept_ : ndarray of shape (n_classes,) or (1,)
        Intercepts, in the dtype of `coef_`.
    n_iter_ : int
        Number of Newton steps.
    n_products_ : int
        Number of products with the Hessian, the bulk of the work.
    objective_ : float
        F at the solution, rounded as it is to the dtype of `coef_`.
    dual_gap_ : float
        Upper bound on the relative distance ``(F - F*) / F`` from the minimum F*,
        what rounding the coefficients costs included.
        Without a penalty no such bound is known, and this is an estimate, half the
        squared Newton decrement before the last step over F.
    converged_ : bool
        Whether `dual_gap_` is at most `tol`.
    history_ : list of dict
        For each Newton step: n_iter, objective, dual_gap (relative; computed in
        float32 before the last steps), n_products and step.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached, or is lost in rounding the coefficients to
        float32, or if ``C=np.inf`` and the classes are separable.

    See Also
    --------
    PooledGaussianNB : The generative classifier with the same decision functions.
    sklearn.linear_model.LogisticRegression : The same model, other solvers.

    Notes
    -----
    Memory beyond X: a copy in float32 (in float64 if X is small, with
    ``precision="double"``, and where float32 proves too coarse), 24 bytes for each row
    and class, three (n_features, n_features) matrices in float64, and 4 MB. Of sparse
    data only the values are copied, and once more if they are float32. Where products
    with the Hessian are many, it is factorised if its order, n_classes times
    ``n_features + 1``, is at most 2000; that takes up to 96 MB. Dense data with fewer
    rows than columns, 2000 at most, are solved in the span of the rows, exactly; what
    takes memory then are a float64 copy of X, five (n_samples, n_samples) matrices and
    two copies of the coefficients.

    float32 data give float32 coefficients. Predictions measure rows from the mean of
    the training data, with intercepts kept in float64, so that data far from zero (a
    time stamp, say) lose no digits to rounding; ``X @ coef_.T + intercept_`` loses
    them. Whoever sets `coef_` or `intercept_` by hand changes the predictions
    accordingly. Sums are float64 in any case. Without an intercept nothing makes up for
    the rounding of float32 coefficients and scores, and `dual_gap_` does not count that
    of the scores: center data far from zero, or pass float64.

    BLAS runs on one thread during a fit: the number of threads changes no result. A
    fit that fails or is interrupted leaves the estimator as it was before.

    Constant features get the coefficient zero, as does any feature so small that the
    penalty suppresses it altogether (λ over its variance above 1e12).

    A penalty so weak that it is lost in rounding (C or units of X extremely large)
    leaves nothing to certify the optimum by: the fit is good, but its gap stays open
    and is told in a warning.

    References
    ----------
    .. [1] Chenyu Zheng, Guoqiang Wu, Fan Bao, Yue Cao, Chongxuan Li, Jun Zhu.
       "Revisiting Discriminative vs. Generative Classifiers: Theory and
       Implications". ICML 2023. arXiv:2302.02334.
    .. [2] Hsiang-Fu Yu, Fang-Lan Huang, Chih-Jen Lin. "Dual coordinate descent
       methods for logistic regression and maximum entropy models". Machine Learning
       85, 2011. (The dual problem.)

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skloss.linear_eval import MultinomialLogistic
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MultinomialLogistic().fit(X, y)
    >>> model.converged_, model.dual_gap_ < 1e-6
    (True, True)
    >>> model.predict_proba(X).shape
    (1797, 10)
    """

    _parameter_constraints: dict = {
        "C": [Interval(Real, 0, None, closed="right")],
        "fit_intercept": ["boolean"],
        "class_weight": [dict, StrOptions({"balanced"}), None],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "precision": [StrOptions({"mixed", "double"})],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        C=1.0,
        fit_intercept=True,
        class_weight=None,
        tol=1e-6,
        max_iter=100,
        precision="mixed",
        warm_start=False,
        verbose=0,
    ):
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.precision = precision
        self.warm_start = warm_start
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data. C-ordered arrays and CSR matrices are not copied.
        y : array-like of shape (n_samples,)
            Labels, of at least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; 1 for each sample by default. Of any size: only
            their ratios and C times their sum matter.

        Returns
        -------
        self : MultinomialLogistic
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or the weights are not finite, if a weight is negative, if there are
            fewer than two classes, or if a class has no weight, or if values of X are
            so large or small that variances or coefficients are not representable;
            the message names the argument.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            X, y = self._validate(X, y)
            classes = find_classes(y)
            codes = encode_labels(y, classes)
            weights = check_weights(sample_weight, X.shape[0])
            unit = weight_unit(weights)
            weights = combine_weights(weights / unit, self.class_weight, classes, codes)
            self._minimise(X, codes, weights, unit, classes, data)
        return self

    def _validate(self, X, y):
        """Rows in the dtype and order of the solver, and labels."""
        X, y = validate_data(self, X, y, accept_sparse="csr")
        dtype = working_dtype(X)
        with np.errstate(over="ignore"):  # it is looked for
            X = check_array(
                X,
                accept_sparse="csr",
                dtype=dtype,
                order="C",
                ensure_all_finite=X.dtype.itemsize > dtype.itemsize,
                input_name="X",
                estimator=self,
            )
        return X, y

    def _minimise(self, X, codes, weights, unit, classes, data):
        total = weights.sum()
        weights = weights / total
        penalty = self._penalty(unit, total)
        coordinates = Coordinates(
            X,
            weights,
            penalty=penalty,
            fit_intercept=self.fit_intercept,
            dtype=self._fast_dtype(X, classes),
        )
        problem = SoftmaxRidge(
            coordinates.data,
            codes - 1 if len(classes) == 2 else codes,
            weights,
            self._start(coordinates, classes, np.bincount(codes, weights)),
            penalty=penalty,
            fit_intercept=self.fit_intercept,
        )

        def attributes(info):
            scores = rounded(coordinates.outside(info.x), X.dtype)
            own = {"classes_": classes, "n_iter_": info.n_iter}
            return own | attributes_of(scores)

        with Progress(
            self,
            **data,
            max_iter=self.max_iter,
            verbose=self.verbose,
            attributes=attributes,
        ) as progress:
            result = newton_cg(
                problem,
                tol=self.tol,
                max_iter=self.max_iter,
                callback=lambda info: (
                    progress(_with_relative_gap(info)) or problem.separated()
                ),
            )
            separable = problem.separable()
            fitted = attributes(result)
            self._refuse_overflow(fitted["coef_"])
            if X.dtype != np.float64:
                result = _after_rounding(result, problem, coordinates, X.dtype)
            self._keep(result, fitted)
        self._warn(result, separable)

    def _start(self, coordinates, classes, priors):
        """Parameters to start from: the last solution, or the class priors."""
        if (
            self.warm_start
            and hasattr(self, "coef_")
            and np.array_equal(self.classes_, classes)
            and self.coef_.shape[1] == len(coordinates.center)
        ):
            return coordinates.inside(fitted_scores(self))
        scores = np.log(priors)
        scores = scores - scores.mean() if len(priors) > 2 else scores[1:] - scores[0]
        start = np.zeros((len(scores), coordinates.n_features + 1))
        if self.fit_intercept:
            start[:, -1] = scores
        return start

    def _penalty(self, unit, total):
        """λ for weights that sum to ``unit * total``; at most the largest float."""
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            penalty = 1 / (np.float64(self.C) * unit) / total
        return min(float(penalty), np.finfo(np.float64).max)

    def _fast_dtype(self, X, classes):
        """Precision of the copy of the data on which the iterations run."""
        size = X.shape[0] * X.shape[1] * len(classes)
        if self.precision == "double" or size <= _SMALL:
            return np.float64
        return np.float32

    def _refuse_overflow(self, coef):
        if not np.isfinite(coef).all():
            raise ValueError(
                "The values of X are too small: coefficients overflow "
                f"{coef.dtype}. Multiply X by a constant."
            )

    def _keep(self, result, fitted):
        """Set the fitted attributes, all at once."""
        gap = _relative(result.dual_gap, result.objective)
        fitted = fitted | {
            "history_": [
                {**entry, "dual_gap": _relative(entry["dual_gap"], entry["objective"])}
                for entry in result.history
            ],
            "n_products_": sum(entry["n_products"] for entry in result.history),
            "objective_": result.objective,
            "dual_gap_": gap,
            "converged_": result.converged and gap <= self.tol,
        }
        vars(self).update(fitted)

    def _warn(self, result, separable):
        """Tell what the user should know about the result."""
        message = None
        if separable:
            message = _SEPARABLE
        elif result.converged and not self.converged_:
            message = _ROUNDED.format(type(self).__name__, self.dual_gap_)
        if message:
            warnings.warn(message, ConvergenceWarning, stacklevel=5)
        else:
            relative = dataclasses.replace(result, dual_gap=self.dual_gap_)
            advice = _ADVICE.get(result.status, "")
            warn_unless_converged(relative, self, advice=advice)

    def decision_function(self, X):
        """Compute the scores whose softmax are the probabilities.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.

        Returns
        -------
        ndarray of shape (n_samples, n_classes) or (n_samples,)
            For two classes the log-odds of the second.
        """
        check_is_fitted(self)
        X = validate_data(self, X, accept_sparse="csr", reset=False)
        scores = score_rows(X, fitted_scores(self), scores_dtype(X, self.coef_))
        refuse_overflow(scores)
        return scores if len(self.classes_) > 2 else scores.ravel()

    def _scores(self, X):
        return self.decision_function(X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def _relative(gap, objective):
    """Gap as a share of the objective, which may be zero."""
    return gap / max(objective, np.finfo(np.float64).tiny)


def _with_relative_gap(info):
    return info._replace(dual_gap=_relative(info.dual_gap, info.objective))


def _after_rounding(result, problem, coordinates, dtype):
    """Take the objective and the gap at coefficients rounded to `dtype`."""
    scores = rounded(coordinates.outside(result.x), dtype)
    objective = problem.objective_at(coordinates.inside(scores))
    loss = max(objective - result.objective, 0.0)
    return dataclasses.replace(
        result, objective=objective, dual_gap=result.dual_gap + loss
    )
