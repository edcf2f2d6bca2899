"""What the estimators with a penalty on differences share: options into a fit."""

import warnings

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackSupportMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model._base import SparseCoefMixin

from skloss._fitted_scores import attributes_of, fitted_scores, rounded
from skloss._linear_scores import LinearScores
from skloss._progress import Progress
from skloss.ordinal._box import ordering_of
from skloss.ordinal._engine import Engine, Model
from skloss.ordinal._inputs import (
    check_base,
    check_box,
    check_factors,
    check_link,
    check_ordering,
)
from skloss.ordinal._ordering import Train
from skloss.ordinal._predictions import OrdinalPredictionsMixin
from skloss.ordinal._probabilities import signed_rows
from skloss.ordinal._repair import crossing_rows

__all__ = [
    "SEPARATED",
    "BasePresto",
    "better_start",
    "fitted_attributes",
    "keep_certificate",
    "minimise",
    "previous_start",
    "public_scores",
    "warn_of_trouble",
]

_ADVICE = {
    "max_iter": "Raise max_iter, or tol.",
    "stalled": "Raise alpha, or tol.",
    "overflow": "Raise alpha.",
}
_ROWS = 1 << 14  # whose probabilities are held at once
SEPARATED = (
    "{}: a combination of features separates classes, so that without a penalty the "
    "objective has no minimum; the fit stopped at finite coefficients (KKT violation "
    "{:.2g}). Use a larger alpha."
)


class BasePresto(
    CallbackSupportMixin, OrdinalPredictionsMixin, SparseCoefMixin, BaseEstimator
):
    """Options of a model with a weight vector for each threshold."""

    def _model(self, n_features, **changes):
        """Check what the options mean together."""
        check_link(self)
        check_ordering(self)
        model = Model(
            family=self.family,
            link=self.link,
            structure=self.structure,
            base=self.base,
            base_penalty=float(self.base_penalty),
            reverse=bool(self.reverse),
            ordering=self.ordering,
            standardize=bool(self.standardize),
            penalty_factors=check_factors(self.penalty_factors, n_features),
        )
        return model._replace(**changes)

    def _engine(self, sample, model):
        """Engine of a sample."""
        check_base(self.base, len(sample.classes) - 1)
        return Engine(
            sample.X,
            sample.codes,
            sample.weights / sample.weights.sum(),
            len(sample.classes),
            model,
        )

    def _ordering(self, engine, sample):
        """How an engine is fitted; the rows of `sample` span the box."""
        if self.ordering != "box":
            return ordering_of(engine)
        box = check_box(self.feature_range, sample.X, sample.weights)
        return ordering_of(engine, *box)

    def _likelihood(self):
        return {"family": self.family, "link": self.link, "reverse": self.reverse}

    def _dtype(self, X):
        """Dtype of the coefficients: rounding them must not undo an ordering."""
        return np.float64 if self.ordering != "observed" else X.dtype

    def _count_crossings(self, sample):
        """Training rows on which cumulative probabilities are out of order."""
        if self.family != "cumulative" or len(self.classes_) == 2:
            return 0
        X, weights = sample.X, sample.weights
        X = X if weights.all() else X[weights > 0]
        total = 0
        for start in range(0, X.shape[0], _ROWS):
            g, _ = self._scores_of(X[start : start + _ROWS])
            signed = signed_rows(g, link=self.link, reverse=self.reverse)
            total += int(crossing_rows(signed).sum())
        return total


def public_scores(engine, x):
    """Scores of "y > k" for the columns of X, from unknowns of an engine."""
    coef, at_center = engine.outside(x)
    _refuse_overflow(coef)
    return LinearScores(coef, at_center, engine.scaling.center)


def minimise(estimator, sample, engine, ordering, start, data, *, dtype, public):
    """Fit an estimator at one strength of the penalty and keep what was found.

    Parameters
    ----------
    estimator : estimator
        With the parameters `alpha`, `tol`, `max_iter` and `verbose`.
    sample : Sample
        Data.
    engine : Engine
        The same, ready to be fitted.
    ordering : Observed, Train or Box
        How it is fitted.
    start : ndarray of shape (size,)
        Unknowns to start from.
    data : dict
        What the user gave to `fit`, for callbacks.
    dtype : dtype
        Of the coefficients.
    public : callable
        ``public(x)`` returns the scores that unknowns stand for.

    Returns
    -------
    Solution
    """

    def attributes(info):
        own = {"classes_": sample.classes, "n_iter_": max(info.n_iter, 1)}
        return own | fitted_attributes(public(info.x), dtype)

    with Progress(
        estimator,
        **data,
        max_iter=None if isinstance(ordering, Train) else estimator.max_iter,
        verbose=estimator.verbose,
        attributes=attributes,
    ) as progress:
        solution = ordering.solve(
            estimator.alpha,
            start,
            tol=estimator.tol,
            max_iter=estimator.max_iter,
            callback=progress,
        )
        solution = ordering.polished(estimator.alpha, solution, estimator.tol)
        vars(estimator).update(attributes(solution))
        keep_certificate(estimator, ordering, estimator.alpha, solution)
    separated = ordering.is_separated(estimator.alpha, solution)
    warn_of_trouble(estimator, solution, separated)
    return solution


def fitted_attributes(scores, dtype):
    """Public coefficients in the dtype of the estimator; see `fitted_scores`."""
    scores = rounded(scores, dtype)
    _refuse_overflow(scores.coef)
    return attributes_of(scores)


def _refuse_overflow(coef):
    if not np.isfinite(coef).all():
        j = int(np.flatnonzero(~np.isfinite(coef).all(axis=0))[0])
        raise ValueError(
            f"The values of feature {j} are too small: its coefficients overflow "
            f"{coef.dtype}. Multiply them by a constant."
        )


def keep_certificate(estimator, ordering, alpha, solution):
    """Keep the objective of a solution and the proofs of its quality."""
    certificate = ordering.certificate(alpha, solution)
    estimator.objective_ = certificate.objective
    estimator.dual_gap_ = certificate.dual_gap
    estimator.kkt_violation_ = float(solution.kkt_violation)


def previous_start(estimator, engine, classes):
    """Unknowns of the last fit; None where a warm start cannot use them."""
    if not (estimator.warm_start and hasattr(estimator, "coef_")):
        return None
    same = np.array_equal(estimator.classes_, classes)
    rows = engine.m if engine.model.structure != "parallel" else len(estimator.coef_)
    if not same or estimator.coef_.shape != (rows, engine.p):
        return None
    scores = fitted_scores(estimator)
    shift = engine.scaling.center - scores.center
    at_center = scores.intercept + scores.coef @ shift
    coef = np.broadcast_to(scores.coef, (engine.m, engine.p))
    return engine.inside(coef, at_center)


def better_start(engine, alpha, old, cold):
    """Return the last fit's unknowns if they are the better start.

    On other data, a column in other units say, they may be far worse than none: rows
    that are all but certain have no curvature to lead back.
    """
    if old is None:
        return cold
    with np.errstate(over="ignore", invalid="ignore"):  # such a start is not taken
        better = engine.objective(alpha, old) <= engine.objective(alpha, cold)
    return old if better else cold


def warn_of_trouble(estimator, solution, separated):
    """Warn of a fit that did not reach its tolerance, or has no optimum."""
    name = type(estimator).__name__
    if separated:
        message = SEPARATED.format(name, solution.kkt_violation)
    elif solution.status in ("converged", "stopped"):
        return
    else:
        message = (
            f"{name} stopped after {solution.n_iter} iterations with a KKT violation "
            f"of {solution.kkt_violation:.2g} ({solution.status}). "
            f"{_ADVICE[solution.status]}"
        )
    warnings.warn(message, ConvergenceWarning, stacklevel=4)
