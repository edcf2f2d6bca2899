"""Proportional odds: one weight vector for all thresholds, by Newton's method."""

from numbers import Real

import numpy as np
from scipy.linalg import pinvh
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.linear_model._base import SparseCoefMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from skloss._parallel import one_blas_thread
from skloss._refit import unchanged_if_it_fails
from skloss.losses.links import get_link
from skloss.ordinal._base import minimise, previous_start, public_scores
from skloss.ordinal._engine import Engine, Model
from skloss.ordinal._inputs import MODEL_CONSTRAINTS, read_sample
from skloss.ordinal._ordering import Observed
from skloss.ordinal._predictions import OrdinalPredictionsMixin
from skloss.ordinal._subsample import subsample_start
from skloss.ordinal.inference import CoefficientTable

__all__ = ["ProportionalOddsClassifier"]

_SHARED = ("link", "class_weight", "categories", "decision", "max_iter", "tol")


class ProportionalOddsClassifier(
    CallbackSupportMixin, OrdinalPredictionsMixin, SparseCoefMixin, BaseEstimator
):
    """Docstring."""

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
            start = previous_start(self, engine, sample.classes, None)
            if start is None:
                start = subsample_start(engine, self.alpha, engine.null())
            solution = minimise(
                self,
                sample,
                engine,
                Observed(engine),
                start,
                data,
                dtype=sample.X.dtype,
                public=lambda x: _common(public_scores(engine, x)),
            )
            self._keep_inference(engine, solution, sample.total)
        return self

    def _keep_inference(self, engine, solution, total):
        point = solution.problem.at(solution.x)
        self.log_likelihood_ = -total * point.row_loss
        self.n_effective_ = total
        every = np.arange(solution.problem.size)
        H, _, _ = point.model(every, 0.0)
        self.covariance_ = _covariance(H * total, engine)

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


def _common(scores):
    """Scores of thresholds that share one row of coefficients."""
    return scores._replace(coef=scores.coef[:1])


def _covariance(H, engine):
    """Covariance of public intercepts and coefficients from the Hessian inside.

    Outside are ``coef = -scale * inside`` and intercepts ``-inside - center @ coef``.
    """
    m, scale, center = engine.m, engine.scaling.scale, engine.scaling.center
    used = np.append(np.ones(m, dtype=bool), engine.used)
    inside = np.zeros_like(H)
    inside[np.ix_(used, used)] = _inverse(H[np.ix_(used, used)])
    change = -np.diag(np.append(np.ones(m), scale))
    change[:m, m:] = center * scale
    return change @ inside @ change.T


def _inverse(H):
    unit = 1.0 / np.sqrt(np.maximum(H.diagonal(), 1e-300))
    return pinvh(H * np.outer(unit, unit)) * np.outer(unit, unit)
