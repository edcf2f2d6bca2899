"""Solve a fitted estimator's problem again, with an independent solver."""

import math
import time
from dataclasses import dataclass, replace

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._validation import check_weights
from skloss.certification._inputs import check_solver, check_targets, check_tol
from skloss.certification._reference import references
from skloss.certification._registry import find_problem

__all__ = ["Certificate", "certify"]

# Solvers resolve an optimum to about 1e-8 of the null model's objective: a relative
# 1e-6 of optima down to this share of it, the scale of smaller ones.
_RESOLVED = 0.01
_SENTENCES = {
    "passed": "passed",
    "void": "void: the reference solver did worse than the fit",
    "failed": "FAILED: the fit is not at its optimum",
}


@dataclass(frozen=True)
class Certificate:
    """An independent solver's judgement of a fit; true if the fit passed.

    Parameters
    ----------
    estimator : str
        The estimator, as it prints.
    objective : float
        Its objective at the fitted attributes.
    reference_objective : float
        The optimum that the reference solver found.
    tol : float
        Relative gap allowed.
    solver : str
        Name of the reference solver.
    seconds : float
        Time it took, building the problem included.
    null_objective : float, default=0.0
        Objective of the null model: no feature counts, and the intercept is a good
        constant, as the weighted mean. It is the scale on which an objective is
        small.

    Examples
    --------
    >>> from skloss.certification import Certificate
    >>> verdict = Certificate("Lasso()", 1.5, 1.0, 1e-6, "CLARABEL", 0.1)
    >>> verdict.gap, verdict.passed
    (0.5, False)
    """

    estimator: str
    objective: float
    reference_objective: float
    tol: float
    solver: str
    seconds: float
    null_objective: float = 0.0

    @property
    def gap(self):
        """Objective less the reference's; negative if the estimator did better."""
        return self.objective - self.reference_objective

    @property
    def relative_gap(self):
        """Gap divided by the reference's objective, or by 0.01 of the null model's.

        The larger of both: the relative gap of a perfect fit, whose objective is
        zero but for rounding, would mean nothing.
        """
        scale = max(abs(self.reference_objective), _RESOLVED * abs(self.null_objective))
        if self.gap == 0:
            return 0.0
        return self.gap / scale if scale > 0 else math.copysign(math.inf, self.gap)

    @property
    def verdict(self):
        """What the comparison says: "passed", "failed" or "void".

        "void" if the reference solver did worse than the fit, by more than the
        tolerance: then it proves nothing, for or against the fit.
        """
        if abs(self.relative_gap) <= self.tol:
            return "passed"
        # A fit whose objective is not a number fails.
        return "void" if self.gap < 0 else "failed"

    @property
    def passed(self):
        """Whether both found the same optimum, within the tolerance."""
        return self.verdict == "passed"

    def __bool__(self):
        return self.passed

    def __repr__(self):
        return (
            f"<Certificate {_SENTENCES[self.verdict]}>\n"
            f"  estimator   {self.estimator}\n"
            f"  objective   {self.objective:.12g}\n"
            f"  reference   {self.reference_objective:.12g}"
            f"  ({self.solver}, {self.seconds:.2g} s)\n"
            f"  null model  {self.null_objective:.12g}\n"
            f"  gap         {self.gap:.3g}"
            f"  (relative {self.relative_gap:.3g}, allowed {self.tol:.3g})"
        )


def certify(estimator, X, y, *, sample_weight=None, solver=None, tol=1e-6):
    """Check that a fitted model is at the optimum of its convex problem.

    The problem is written anew for cvxpy, from the estimator's parameters and the
    training data, and solved by an interior-point solver that shares no code with
    the estimator. Those known are listed in the notes; `certification.register`
    adds others.

    Parameters
    ----------
    estimator : estimator
        Fitted, and known. Of a pipeline the last step is certified, of a search its
        best estimator.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The data it was fitted on, unchanged.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The targets it was fitted on.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights it was fitted with, at least 0.
    solver : str, default=None
        Name of an installed cvxpy solver, the only one asked. None means Clarabel,
        and, where it does worse than the fit or fails, Clarabel with other settings
        and then SCS; the best of their objectives is the reference.
    tol : float, default=1e-6
        Relative gap up to which the certificate passes, positive. Relative to the
        optimum, or to 0.01 of the null model's objective if that is larger.

    Returns
    -------
    Certificate
        With `objective`, `reference_objective`, `null_objective`, `gap`,
        `relative_gap`, `verdict`, `passed`, `solver` and `seconds`. It is true if the
        verdict is "passed", false if it is "failed" or "void".

    Raises
    ------
    TypeError
        If the estimator's problem is not known, or not with these parameters, or
        `tol` is not a number.
    ValueError
        If the solver is not installed, `tol` not positive, a weight negative or nan,
        or if the data do not fit the estimator or each other.
    RuntimeError
        If the solver finds no optimum.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

    Notes
    -----
    Known are `MultinomialLogistic`; PrestoClassifier, PrestoClassifierCV and
    ProportionalOddsClassifier with the logit link; RandomFeatureRidge,
    RandomFeatureRidgeCV and RandomFeatureRidgeClassifier, at infinite width too;
    SparseRegressor and SparseRegressorCV with convex penalties; and, of scikit-learn,

    - LinearRegression, Ridge, RidgeCV, Lasso, LassoCV, LassoLars, LassoLarsCV,
      LassoLarsIC, ElasticNet, ElasticNetCV, HuberRegressor, QuantileRegressor and
      LinearSVR;
    - PoissonRegressor, GammaRegressor, and TweedieRegressor with power 0 and the
      identity link or with powers 1 and 2 and the log link;
    - LogisticRegression and LogisticRegressionCV, but not with an intercept that
      liblinear penalises, and the latter with ``refit=True`` only;
    - RidgeClassifier and RidgeClassifierCV with one label per row, and LinearSVC of
      two classes with ``multi_class="ovr"``.

    Models chosen by cross-validation are judged as the fit to all data that they end
    with, at the strength that they chose; the choice is not judged. Subclasses are not
    known, since they may minimise something else.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from sklearn.linear_model import Lasso
    >>> from skloss import certify
    >>> X, y = load_diabetes(return_X_y=True)
    >>> verdict = certify(Lasso(alpha=0.1, tol=1e-8).fit(X, y), X, y)
    >>> verdict.passed, verdict.relative_gap < 1e-6
    (True, True)
    """
    tol, solver = check_tol(tol), check_solver(solver)
    estimator, X = _unwrap(estimator, X)
    build = find_problem(estimator)
    check_is_fitted(estimator)
    X = validate_data(estimator, X, reset=False, accept_sparse="csr")
    y = check_targets(estimator, y, X.shape[0])
    weight = check_weights(sample_weight, X.shape[0])
    start = time.perf_counter()
    problem, objective = build(estimator, X, y, weight)
    null = _null_objective(problem)
    best = None
    for name, reference in references(problem, solver, null):
        seconds = time.perf_counter() - start
        found = Certificate(
            repr(estimator), objective, reference, tol, name, seconds, null
        )
        if best is None or reference < best.reference_objective:
            best = found
        if best.verdict != "void":
            break
    return replace(best, seconds=seconds)


def _null_objective(problem):
    """Objective with all variables at zero; 0 if it is not finite there."""
    for variable in problem.variables():
        variable.value = np.zeros(variable.shape)
    with np.errstate(all="ignore"):
        null = problem.objective.value
    return float(null) if null is not None and np.isfinite(null) else 0.0


def _unwrap(estimator, X):
    """Return the model inside searches and pipelines, and the data that it saw."""
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        else:
            return estimator, X
