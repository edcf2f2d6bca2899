"""The convex problems of scikit-learn's own linear classifiers.

Objectives are those of scikit-learn's documentation, divided by a constant where that
makes them averages. Cross-validated models are judged as the fit to all data that they
end with, at the strength that they chose.
"""

import cvxpy as cp
import numpy as np
from sklearn.utils.class_weight import compute_sample_weight

from skloss import _conic
from skloss.certification.regressors import ridge_regression

__all__ = [
    "cross_validated_logistic_regression",
    "logistic_regression",
    "ridge_classification",
    "support_vector_classification",
]


def logistic_regression(estimator, X, y, sample_weight):
    """Weighted mean log-loss plus the elastic net of strength ``1 / (C sum(s))``."""
    return _logistic(estimator, X, y, sample_weight, estimator.C, estimator.l1_ratio)


def cross_validated_logistic_regression(estimator, X, y, sample_weight):
    """`logistic_regression` at the C and `l1_ratio` chosen."""
    if not estimator.refit:
        raise TypeError(
            "certify knows LogisticRegressionCV with refit=True only: the mean of the "
            "folds' coefficients is the optimum of nothing."
        )
    C, l1_ratio = np.ravel(estimator.C_)[0], np.ravel(estimator.l1_ratio_)[0]
    return _logistic(estimator, X, y, sample_weight, C, l1_ratio or 0.0)


def _logistic(estimator, X, y, sample_weight, C, l1_ratio):
    if estimator.solver == "liblinear" and estimator.fit_intercept:
        raise TypeError(
            f"certify does not know {type(estimator).__name__}(solver='liblinear') "
            f"with an intercept, which it penalises; use another solver or "
            f"fit_intercept=False."
        )
    penalty = estimator.penalty
    return _conic.logistic_regression(
        estimator,
        X,
        y,
        sample_weight,
        C=np.inf if penalty is None else C,
        l1_ratio={"l1": 1.0, "l2": 0.0}.get(penalty, l1_ratio),
    )


def ridge_classification(estimator, X, y, sample_weight):
    """Ridge regression on targets of 1 for the own class and -1 for the others."""
    sample_weight = sample_weight * compute_sample_weight(estimator.class_weight, y)
    return ridge_regression(estimator, X, _signs(estimator, y), sample_weight)


def _signs(estimator, y):
    """1 where a row is of a class, else -1: (n, n_classes), or (n, 1) for two."""
    classes = (
        estimator.classes_[1:] if len(estimator.classes_) == 2 else (estimator.classes_)
    )
    return np.where(np.asarray(y)[:, None] == classes, 1.0, -1.0)


def support_vector_classification(estimator, X, y, sample_weight):
    """Penalty plus ``C sum(s * loss)`` of two classes, divided by C and sum(s).

    The penalty is ``(|w|**2 + (b / scaling)**2) / 2`` or ``|w|_1 + |b / scaling|``:
    liblinear penalises the intercept, as the weight of a constant column.
    """
    if len(estimator.classes_) > 2 or estimator.multi_class != "ovr":
        raise TypeError(
            f"certify knows LinearSVC of two classes with multi_class='ovr' only; got "
            f"{len(estimator.classes_)} and {estimator.multi_class!r}."
        )
    X, labels, weight = _conic.labelled_rows(estimator, X, y, sample_weight)
    strength = 1 / (estimator.C * weight.sum())
    weight /= weight.sum()
    l1_ratio = 1.0 if estimator.penalty == "l1" else 0.0
    model = _conic.linear_model(
        X,
        weight,
        1,
        fit_intercept=estimator.fit_intercept,
        ridge=None if l1_ratio else strength,
    )
    sign = 2.0 * labels - 1.0
    missing = cp.pos(1 - cp.multiply(sign, model.scores[:, 0]))
    fitted = _conic.numeric_scores(X, estimator)[:, 0]
    short = np.maximum(1 - sign * fitted, 0)
    if estimator.loss == "squared_hinge":
        missing, short = cp.square(missing), short**2
    coef, intercept = _conic.fitted_coef(estimator).T, model.intercept
    loss = weight @ missing + model.elastic_net(strength, l1_ratio)
    value = weight @ short + _conic.elastic_net(coef, strength, l1_ratio)
    if estimator.fit_intercept:
        scaling = estimator.intercept_scaling
        size = cp.norm1(intercept) if l1_ratio else cp.sum_squares(intercept) / 2
        loss = loss + strength / scaling ** (1 if l1_ratio else 2) * size
        level = np.asarray(estimator.intercept_, np.float64) / scaling
        value = value + _conic.elastic_net(level, strength, l1_ratio)
    return cp.Problem(cp.Minimize(loss)), float(value)
