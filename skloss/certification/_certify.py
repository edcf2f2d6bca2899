"""Solve a fitted estimator's problem again, with an independent solver."""

import math
import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._validation import check_weights
from skloss.certification._inputs import check_solver, check_targets, check_tol
from skloss.certification._registry import find_problem

__all__ = ["Certificate", "certify"]

# Solvers resolve an optimum to about 1e-8 of the null model's objective: a relative
# 1e-6 of optima down to this share of it, the scale of smaller ones.
_RESOLVED = 0.01
# Where the solver comes as close as this to the null model, relative to the latter's
# objective, the null model is its answer: its objective is exact.
_SAME = 1e-9
# Stopping rules tight enough to judge a relative gap of 1e-6 and less. What Clarabel
# accepts when rounding stops it short of them ("reduced") still is.
_ACCURATE = {
    "CLARABEL": {
        "tol_gap_abs": 1e-10,
        "tol_gap_rel": 1e-9,
        "tol_feas": 1e-9,
        "reduced_tol_gap_abs": 1e-7,
        "reduced_tol_gap_rel": 1e-7,
        "reduced_tol_feas": 1e-7,
    },
    "SCS": {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 200_000},
    "OSQP": {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iter": 200_000},
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
    def passed(self):
        """Whether both found the same optimum, within the tolerance."""
        return bool(abs(self.relative_gap) <= self.tol)

    def __bool__(self):
        return self.passed

    def __repr__(self):
        if self.passed:
            verdict = "passed"
        elif self.gap < 0:
            verdict = "void: the reference solver did worse than the fit"
        else:  # also if the fit's objective is not a number
            verdict = "FAILED: the fit is not at its optimum"
        return (
            f"<Certificate {verdict}>\n"
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
    the estimator. For scikit-learn's own linear models it works as well.

    Parameters
    ----------
    estimator : estimator
        Fitted. Of a pipeline the last step is certified, of a search its best
        estimator.
    X : array-like or sparse matrix of shape (n_samples, n_features)
        The data it was fitted on, unchanged.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        The targets it was fitted on.
    sample_weight : array-like of shape (n_samples,), default=None
        The weights it was fitted with, at least 0.
    solver : str, default=None
        Name of an installed cvxpy solver; None means Clarabel.
    tol : float, default=1e-6
        Relative gap up to which the certificate passes, positive. Relative to the
        optimum, or to 0.01 of the null model's objective if that is larger.

    Returns
    -------
    Certificate
        With `objective`, `reference_objective`, `null_objective`, `gap`,
        `relative_gap`, `passed`, `solver` and `seconds`.

    Raises
    ------
    TypeError
        If the estimator's problem is not known, or `tol` not a number.
    ValueError
        If the solver is not installed, `tol` not positive, a weight negative or nan,
        or if the data do not fit the estimator or each other.
    RuntimeError
        If the solver finds no optimum.
    sklearn.exceptions.NotFittedError
        If the estimator is not fitted.

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
    reference = _solve(problem, solver, null)
    seconds = time.perf_counter() - start
    return Certificate(
        repr(estimator), objective, reference, tol, solver, seconds, null
    )


def _null_objective(problem):
    """Objective with all variables at zero; 0 if it is not finite there."""
    for variable in problem.variables():
        variable.value = np.zeros(variable.shape)
    with np.errstate(all="ignore"):
        null = problem.objective.value
    return float(null) if null is not None and np.isfinite(null) else 0.0


def _solve(problem, solver, null):
    """Optimal value of a cvxpy problem.

    Solvers have absolute tolerances: they see the objective in units of the null
    model's, and the data's units do not matter.
    """
    import cvxpy

    unit = abs(null) or 1.0
    objective = type(problem.objective)(problem.objective.expr / unit)
    scaled = cvxpy.Problem(objective, problem.constraints)
    try:
        with warnings.catch_warnings():
            # The comparison with the fit judges the accuracy.
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            scaled.solve(solver=solver, **_ACCURATE.get(solver, {}))
    except cvxpy.SolverError as error:
        raise RuntimeError(
            f"{solver} failed on this problem; try another solver of "
            f"{', '.join(sorted(cvxpy.installed_solvers()))}."
        ) from error
    if scaled.status not in ("optimal", "optimal_inaccurate"):
        raise RuntimeError(f"{solver} found no optimum: {scaled.status}.")
    reference = float(scaled.value) * unit
    return null if abs(reference - null) <= _SAME * unit else reference


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
