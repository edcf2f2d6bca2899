"""The convex problem of ridge regression on random features, written for cvxpy."""

from types import SimpleNamespace
from typing import NamedTuple

import cvxpy as cp
import numpy as np
from scipy import linalg
from sklearn.utils.class_weight import compute_class_weight

from skloss._conic import fitted_coef, linear_model, numeric_scores
from skloss.random_features.limiting_kernel import kernel_of

__all__ = ["classifier_problem", "problem"]

_ROUNDING = 1e-15  # of eigenvalues of a kernel matrix, beside the largest


class _Rows(NamedTuple):
    """Rows of positive weight, and what a fitted model makes of them."""

    Z: np.ndarray  # (n, k), features
    weight: np.ndarray  # (n,)
    Y: np.ndarray  # (n, t)
    fitted: np.ndarray  # (n, t), predictions of the fit
    squares: np.ndarray  # (t,), squared norms of its coefficients


def problem(estimator, X, y, sample_weight):
    """Problem and fitted objective, see `skloss.certification`.

    The features are taken as given: what is certified is the fit to them. At infinite
    width they are the rows of a root of the kernel matrix, ``K = L L'``: a function
    ``sum_j a_j k(x, x_j)`` has the values ``L w`` at the rows and the squared norm
    ``w' w`` with ``w = L' a``.
    """
    alpha = getattr(estimator, "alpha_", getattr(estimator, "alpha", 0.0))
    Y = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    return _problem(estimator, alpha, X, Y, sample_weight)


def classifier_problem(estimator, X, y, sample_weight):
    """Problem and fitted objective of the ridge on targets of 1 and -1.

    Sample weights are multiplied by the weights of classes, as in the fit.
    """
    classes, labels = estimator.classes_, np.asarray(y)
    present = sample_weight > 0
    factor = np.ones(len(classes))
    if estimator.class_weight is not None:
        factor = compute_class_weight(
            estimator.class_weight,
            classes=classes,
            y=labels[present],
            sample_weight=sample_weight[present],
        )
    weight = sample_weight * factor[np.searchsorted(classes, labels)]
    own = classes[1:] if len(classes) == 2 else classes
    Y = np.where(labels[:, None] == own, 1.0, -1.0)
    return _problem(estimator.ridge_, estimator.alpha, X, Y, weight)


def _problem(ridge, alpha, X, Y, sample_weight):
    rows = _described(ridge, X, Y, sample_weight)
    weight, Y = rows.weight, rows.Y
    total, n_targets = weight.sum(), Y.shape[1]
    center = np.zeros(n_targets)
    if ridge.fit_intercept:
        center = weight @ Y / total
    unit = np.sqrt(np.mean(weight @ (Y - center) ** 2) / total) or 1.0
    alpha = np.broadcast_to(np.asarray(alpha), (n_targets,)).astype(np.float64)
    model = linear_model(
        rows.Z,
        weight,
        n_targets,
        fit_intercept=ridge.fit_intercept,
        center=center,
        unit=unit,
        ridge=float(alpha.mean() / total),
    )
    root = np.sqrt(weight)[:, None]
    errors = model.scores - (Y - center) / unit
    loss = unit**2 * cp.sum_squares(cp.multiply(root, errors))
    value = np.sum((root * (rows.fitted - Y)) ** 2) + alpha @ rows.squares
    penalty = model.elastic_net(2.0 * alpha, 0.0)
    return cp.Problem(cp.Minimize(loss + penalty)), float(value)


def _described(ridge, X, Y, sample_weight):
    """Features of the rows of positive weight, and the fit to them."""
    kept = np.flatnonzero(sample_weight > 0)
    X, weight, Y = X[kept].astype(np.float64), sample_weight[kept], Y[kept]
    intercept = np.atleast_1d(ridge.intercept_)
    if ridge.random_features_ is not None:
        Z, coef = ridge.random_features_.transform(X), fitted_coef(ridge)
        given = SimpleNamespace(coef_=coef, intercept_=intercept)
        fitted = numeric_scores(Z, given)
        return _Rows(Z, weight, Y, fitted, np.sum(coef**2, axis=1))
    machine = ridge._machine
    # The rows that the coefficients belong to: these, perhaps in another order.
    trained = machine.X.astype(np.float64)
    dual = ridge.dual_coef_.reshape(trained.shape[0], -1)
    if Y.shape[1] != dual.shape[1]:
        raise ValueError(
            f"The number of targets is {Y.shape[1]} in y, but {dual.shape[1]} in what "
            f"{type(ridge).__name__} was fitted on."
        )
    fitted = kernel_of(machine.map, X, trained) @ dual + intercept
    norms = np.einsum("it,it->t", dual, kernel_of(machine.map, trained, trained) @ dual)
    return _Rows(_root(kernel_of(machine.map, X, X)), weight, Y, fitted, norms)


def _root(K):
    """Matrix L of full rank for which ``L L'`` is K but for rounding."""
    values, vectors = linalg.eigh(K)
    some = values > _ROUNDING * len(K) * max(values[-1], 0.0)
    return vectors[:, some] * np.sqrt(values[some])
