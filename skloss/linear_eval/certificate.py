"""The convex problem of `MultinomialLogistic`, written for cvxpy."""

from types import SimpleNamespace

from skloss._conic import logistic_regression
from skloss._fitted_scores import fitted_scores

__all__ = ["problem"]


def problem(estimator, X, y, sample_weight):
    """Problem and fitted objective, see `skloss.certification`."""
    coef, intercept, center = fitted_scores(estimator)
    predicting = SimpleNamespace(
        classes_=estimator.classes_,
        coef_=coef,
        intercept_=intercept - coef @ center,
        class_weight=estimator.class_weight,
        fit_intercept=estimator.fit_intercept,
    )
    return logistic_regression(
        predicting,
        X,
        y,
        sample_weight,
        C=estimator.C,
        l1_ratio=getattr(estimator, "l1_ratio", 0.0),
    )
