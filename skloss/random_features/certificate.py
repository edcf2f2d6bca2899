"""The convex problem of ridge regression on random features, written for cvxpy."""

from types import SimpleNamespace

import cvxpy as cp
import numpy as np

from skloss._conic import fitted_coef, linear_model, numeric_scores

__all__ = ["problem"]


def problem(estimator, X, y, sample_weight):
    """Problem and fitted objective, see `skloss.certification`.

    The features are taken as given: what is certified is the fit to them.
    """
    if estimator.random_features_ is None:
        raise ValueError(
            "At infinite width there are no features, of which the problem is one."
        )
    Z = estimator.random_features_.transform(X.astype(np.float64))
    rows = np.flatnonzero(sample_weight > 0)
    Z, weight = Z[rows], sample_weight[rows]
    Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)[rows]
    total, n_targets = weight.sum(), Y.shape[1]
    center = np.zeros(n_targets)
    if estimator.fit_intercept:
        center = weight @ Y / total
    unit = np.sqrt(np.mean(weight @ (Y - center) ** 2) / total) or 1.0
    alpha = np.broadcast_to(
        np.asarray(getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0))),
        (n_targets,),
    ).astype(np.float64)
    model = linear_model(
        Z,
        weight,
        n_targets,
        fit_intercept=estimator.fit_intercept,
        center=center,
        unit=unit,
        ridge=float(alpha.mean() / total),
    )
    root = np.sqrt(weight)[:, None]
    errors = model.scores - (Y - center) / unit
    loss = unit**2 * cp.sum_squares(cp.multiply(root, errors))
    coef = fitted_coef(estimator)
    given = SimpleNamespace(coef_=coef, intercept_=np.atleast_1d(estimator.intercept_))
    value = np.sum((root * (numeric_scores(Z, given) - Y)) ** 2)
    value += np.sum(alpha[:, None] * coef**2)
    penalty = model.elastic_net(2.0 * alpha, 0.0)
    return cp.Problem(cp.Minimize(loss + penalty)), float(value)
