"""The convex problems of `SparseRegressor`, written for cvxpy."""

import cvxpy as cp
import numpy as np

from skloss._conic import fitted_coef, linear_model, numeric_scores
from skloss.penalties import benjamini_hochberg

__all__ = ["problem"]


def problem(estimator, X, y, sample_weight):
    """Problem and fitted objective, see `skloss.certification`."""
    name = estimator.penalty
    if name not in _PENALTIES:
        raise ValueError(
            f"penalty={name!r} is not convex and cannot be certified: its fits are "
            "stationary points, as exact as kkt_violation_ says. These penalties can: "
            f"{', '.join(sorted(_PENALTIES))}."
        )
    if getattr(estimator, "relax", False):
        raise ValueError("A relaxed fit minimises no penalised objective.")
    rows = np.flatnonzero(sample_weight > 0)
    X, y = X[rows], np.asarray(y, dtype=np.float64)[rows]
    weight = sample_weight[rows] / sample_weight[rows].sum()
    center = weight @ y if estimator.fit_intercept else 0.0
    unit = np.sqrt(weight @ (y - center) ** 2) or 1.0
    alpha = float(getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0)))
    model = linear_model(
        X,
        weight,
        1,
        fit_intercept=estimator.fit_intercept,
        center=center,
        unit=unit,
        ridge=None,
    )
    root = np.sqrt(weight / 2)
    errors = model.scores[:, 0] - (y - center) / unit
    loss = unit**2 * cp.sum_squares(cp.multiply(root, errors))
    coef = fitted_coef(estimator).ravel()
    residuals = numeric_scores(X, estimator).ravel() - y
    value = np.sum((root * residuals) ** 2)
    variable = cp.multiply(model.factor[:, 0], model.coef[:, 0])
    constraints = [variable >= 0] if estimator.positive else []
    value += alpha * _value_at(estimator, coef)
    if estimator.positive and coef.min() < 0:
        value = np.inf
    if name == "sparse_envelope":
        # All at full share where variables are zero, so that the null model costs 0.
        withheld = cp.Variable(len(_members(estimator, coef.size)))
        shares = 1 - withheld
        most = estimator.n_nonzero_coefs
        constraints += [shares >= 0, shares <= 1, cp.sum(shares) <= most]
        penalty = _envelope(estimator, variable, shares)
    else:
        penalty = _PENALTIES[name](estimator, variable)
    loss = loss + alpha * penalty
    return cp.Problem(cp.Minimize(loss), constraints), float(value)


def _absolute(estimator, w):
    v = estimator.feature_weights
    v = np.ones(w.size) if v is None else np.asarray(v, dtype=np.float64)
    return cp.sum(cp.multiply(v, cp.abs(w)))


def _elastic_net(estimator, w):
    ratio = getattr(estimator, "l1_ratio_", estimator.l1_ratio)
    return ratio * _absolute(estimator, w) + (1 - ratio) / 2 * cp.sum_squares(w)


def _members(estimator, n_features):
    """Features of each group; each is its own without groups."""
    labels = np.arange(n_features)
    if estimator.groups is not None:
        labels = np.asarray(estimator.groups)
    return [np.flatnonzero(labels == label) for label in np.unique(labels)]


def _group(estimator, w):
    members = _members(estimator, w.size)
    return sum(np.sqrt(len(each)) * cp.norm(w[each], 2) for each in members)


def _sparse_group(estimator, w):
    ratio = getattr(estimator, "l1_ratio_", estimator.l1_ratio)
    return ratio * cp.norm(w, 1) + (1 - ratio) * _group(estimator, w)


def _slope(estimator, w):
    falling = np.append(benjamini_hochberg(w.size), 0.0)
    steps = falling[:-1] - falling[1:]
    terms = [
        step * cp.sum_largest(cp.abs(w), k + 1) for k, step in enumerate(steps[:-1])
    ]
    return sum(terms) + steps[-1] * cp.sum(cp.abs(w))


def _envelope(estimator, w, shares):
    members = _members(estimator, w.size)
    return sum(cp.quad_over_lin(w[each], u) for each, u in zip(members, shares)) / 2


def _value_at(estimator, coef):
    """Penalty of numbers at strength 1."""
    if estimator.penalty != "sparse_envelope":
        return float(_PENALTIES[estimator.penalty](estimator, coef).value)
    # The best shares are 1 for some of the largest, and proportional to size for the
    # rest: of those that are possible, the least costs.
    k = estimator.n_nonzero_coefs
    sizes = [np.linalg.norm(coef[each]) for each in _members(estimator, coef.size)]
    sizes = np.sort(sizes)[::-1]
    rests = np.cumsum(sizes[::-1])[::-1]
    costs = [np.sum(sizes**2)] if np.count_nonzero(sizes) <= k else []
    for n in range(min(k, sizes.size)):
        if sizes[n] * (k - n) <= rests[n]:
            costs.append(np.sum(sizes[:n] ** 2) + rests[n] ** 2 / (k - n))
    return float(min(costs)) / 2


_PENALTIES = {
    "l1": _absolute,
    "elasticnet": _elastic_net,
    "group": _group,
    "sparse_group": _sparse_group,
    "slope": _slope,
    "sparse_envelope": _envelope,
}
