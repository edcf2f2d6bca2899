"""The convex problem of `MultinomialLogistic`, written for cvxpy."""

from skloss._conic import logistic_regression

__all__ = ["problem"]


def problem(estimator, X, y, sample_weight):
    """Problem and fitted objective, see `skloss.certification`."""
    return logistic_regression(
        estimator,
        X,
        y,
        sample_weight,
        C=estimator.C,
        l1_ratio=getattr(estimator, "l1_ratio", 0.0),
    )
