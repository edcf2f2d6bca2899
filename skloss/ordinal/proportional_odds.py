"""Proportional odds: one weight vector for all thresholds, by Newton's method."""

from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skloss._parallel import one_blas_thread
from skloss._refit import unchanged_if_it_fails
from skloss.losses.links import get_link
from skloss.ordinal._base import (
    better_start,
    minimise,
    previous_start,
    public_scores,
)
from skloss.ordinal._engine import Engine, Model
from skloss.ordinal._inputs import MODEL_CONSTRAINTS, read_sample
from skloss.ordinal._limits import LARGEST_HESSIAN
from skloss.ordinal._newton import newton
from skloss.ordinal._ordering import Observed, solution_of
from skloss.ordinal._predictions import OrdinalPredictionsMixin
from skloss.ordinal._steps import inverse
from skloss.ordinal._subsample import subsample_start
from skloss.ordinal.inference import CoefficientTable

__all__ = ["ProportionalOddsClassifier"]

_SHARED = ("link", "class_weight", "categories", "decision", "max_iter", "tol")


class ProportionalOddsClassifier(
    CallbackSupportMixin, OrdinalPredictionsMixin, SparseCoefMixin, BaseEstimator
):
    r"""Proportional odds: one weight vector, shifted from threshold to threshold.

    With :math:`g_k(x) = c_k + x^\top\beta` and :math:`P(y \le k) = F(-g_k(x))`, the
    fit minimises the weighted mean of the negative log-likelihood plus
    :math:`\tfrac{\alpha}{2}\|\beta\|^2`. With the logit, odds of exceeding any class
    change by the factor :math:`e^{\beta_j}` per unit of feature j, hence the name.

    Parameters
    ----------
    link : {"logit", "probit", "cloglog", "loglog", "cauchit"} or link, default="logit"
        Distribution function F. With "cauchit" the loss is not convex.
    alpha : float, default=0.0
        Ridge penalty on the weights in units of X, at least 0; 0 is maximum
        likelihood.
    class_weight : dict or "balanced", default=None
        Factors on the sample weights of each class.
    categories : array-like of shape (n_classes,), default=None
        Labels from low to high. By default the order of an ordered pandas
        Categorical or of a polars Enum, else sorted.
    decision : {"mode", "median"}, default="mode"
        What `predict` returns: the most probable class, or the one in which the
        cumulative probability reaches one half, of the least expected absolute error.
    max_iter : int, default=100
        Largest number of Newton steps.
    tol : float, default=1e-8
        Largest gradient entry, for standardised columns and weights that sum to 1.
    warm_start : bool, default=False
        Whether to start from the solution of the previous fit.
    verbose : int, default=0
        Whether to print a line for each Newton step.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels from low to high.
    coef_ : ndarray of shape (1, n_features)
        Weights of the scores of "y > k", in units of X.
    intercept_ : ndarray of shape (n_classes - 1,)
        Intercepts of those scores, falling.
    thresholds_ : ndarray of shape (n_classes - 1,)
        Their negatives.
    log_likelihood_ : float
        Weighted sum over the training rows.
    covariance_ : ndarray of shape (n_classes - 1 + n_features,) * 2
        Inverse of the second derivatives of the negative log-likelihood (plus
        penalty): the covariance of the maximum likelihood estimates of intercepts and
        weights. Zero for constant features; None with more than 4000 parameters.
    n_iter_ : int
        Number of Newton steps, at least 1.
    objective_ : float
        Mean loss plus penalty.
    kkt_violation_ : float
        Largest gradient entry.
    dual_gap_ : float
        Upper bound on the distance of `objective_` from its minimum, rounding apart;
        nan for "cauchit".
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached, or if without a penalty the classes can be
        separated, so that there is no optimum.

    See Also
    --------
    PrestoClassifier : Weights that may change from threshold to threshold.
    proportional_odds_test : Whether they should.

    Notes
    -----
    Newton's method on all parameters, started from the solution on every tenth row
    where there are more than 200 rows to a feature. Memory beyond X: one standardised
    copy in float64 and about 15 numbers per row.

    References
    ----------
    .. [1] Peter McCullagh. "Regression Models for Ordinal Data". Journal of the Royal
       Statistical Society B 42(2), 1980.

    Examples
    --------
    >>> from skloss.datasets import load
    >>> from skloss.ordinal import ProportionalOddsClassifier
    >>> X, y = load("anes96", return_X_y=True)
    >>> model = ProportionalOddsClassifier().fit(X, y)
    >>> model.coef_.shape, model.intercept_.shape
    ((1, 8), (6,))
    >>> model.log_likelihood_ < 0
    True
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "verbose": ["verbose"],
    } | {name: MODEL_CONSTRAINTS[name] for name in _SHARED}

    def __init__(
        self,
        *,
        link="logit",
        alpha=0.0,
        class_weight=None,
        categories=None,
        decision="mode",
        max_iter=100,
        tol=1e-8,
        warm_start=False,
        verbose=0,
    ):
        self.link = link
        self.alpha = alpha
        self.class_weight = class_weight
        self.categories = categories
        self.decision = decision
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Ordered labels, of at least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, counted as repetitions by `log_likelihood_` and
            `covariance_`; 1 for each sample by default.

        Returns
        -------
        self : ProportionalOddsClassifier
            The fitted estimator.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            model = Model(
                link=self.link, structure="parallel", l1_ratio=0.0, standardize=False
            )
            n_classes = len(sample.classes)
            engine = Engine(sample.X, sample.codes, sample.weights, n_classes, model)
            old = previous_start(self, engine, sample.classes)
            start = better_start(engine, self.alpha, old, engine.null())
            if start is not old:
                start = subsample_start(engine, self.alpha, start)
            ordering = _Smooth(engine)
            solution = minimise(
                self,
                sample,
                engine,
                ordering,
                start,
                data,
                dtype=sample.X.dtype,
                public=lambda x: _common(public_scores(engine, x)),
            )
            self.log_likelihood_ = -sample.total * solution.point.row_loss
            self.covariance_ = self._covariance(engine, ordering, solution, sample)
        return self

    def _covariance(self, engine, ordering, solution, sample):
        H = ordering.hessian
        if not isinstance(H, np.ndarray):  # of too many parameters
            return None
        if not get_link(self.link).log_concave:
            H = _numeric_hessian(solution.problem, solution.x)
        return _covariance(H * sample.total, engine)

    def summary(self, *, level=0.95):
        """Tabulate estimates, standard errors and tests.

        Parameters
        ----------
        level : float, default=0.95
            Coverage of the confidence intervals.

        Returns
        -------
        CoefficientTable
            Prints as a table; ``to_frame()`` makes a pandas DataFrame of it.

        Raises
        ------
        ValueError
            With a penalty, whose estimates are biased, so that intervals around them
            do not cover the truth as often as they say.
        """
        check_is_fitted(self)
        if self.alpha > 0:
            raise ValueError(
                f"summary() describes maximum likelihood; this fit has alpha="
                f"{self.alpha}. Fit with alpha=0."
            )
        if self.covariance_ is None:
            raise ValueError(
                "summary() needs covariance_, which a fit of more than "
                f"{LARGEST_HESSIAN} parameters does not hold."
            )
        features = getattr(self, "feature_names_in_", None)
        if features is None:
            features = [f"x{j}" for j in range(self.n_features_in_)]
        labels = self.classes_.tolist()
        names = [f"y > {label}" for label in labels[:-1]] + list(features)
        estimates = np.concatenate([self.intercept_, self.coef_[0]])
        n_parameters = len(estimates)
        header = {
            "link": get_link(self.link).name,
            "log-likelihood": f"{self.log_likelihood_:.6g}",
            "AIC": f"{2 * (n_parameters - self.log_likelihood_):.6g}",
        }
        return CoefficientTable.from_estimates(
            names, estimates, self.covariance_, level=level, header=header
        )

    def _likelihood(self):
        return {"family": "cumulative", "link": self.link, "reverse": False}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # One direction of the features cannot tell classes in any order apart.
        tags.classifier_tags.poor_score = True
        return tags


class _Smooth(Observed):
    """Newton's method, which keeps the Hessian that the covariance needs."""

    def solve(self, alpha, x0, **options):
        """Minimise the objective; see `Observed.solve`."""
        problem = self.engine.problem(alpha)
        result, self.hessian, self._receding = newton(problem, x0, **options)
        return solution_of(result, problem)

    def polished(self, alpha, solution, tol):
        """Return the solution as it is: Newton's method has taken its last step."""
        return solution

    def is_separated(self, alpha, solution):
        """Whether the objective has no minimum."""
        return alpha == 0.0 and self._receding


def _common(scores):
    """Scores of thresholds that share one row of coefficients."""
    return scores._replace(coef=scores.coef[:1])


def _numeric_hessian(problem, x):
    """Second derivatives where the solver's are made convex: differences."""
    H = np.empty((len(x), len(x)))
    for j in range(len(x)):
        step = np.zeros(len(x))
        step[j] = 1e-5 * max(1.0, abs(x[j]))
        above, below = problem.at(x + step), problem.at(x - step)
        H[j] = (above.gradient - below.gradient) / (2 * step[j])
    return (H + H.T) / 2


def _covariance(H, engine):
    """Covariance of public intercepts and coefficients from the Hessian inside.

    Outside are ``coef = -scale * inside`` and intercepts ``-inside - center @ coef``.
    """
    m, scale, center = engine.m, engine.scaling.scale, engine.scaling.center
    change = -np.diag(np.append(np.ones(m), scale))
    change[:m, m:] = center * scale
    return change @ inverse(H) @ change.T
