"""Solve a cvxpy problem accurately, with what solvers there are."""

import warnings

import numpy as np

__all__ = ["DEFAULT_SOLVER", "references"]

DEFAULT_SOLVER = "CLARABEL"
# Where the solver comes as close as this to the null model, relative to the latter's
# objective, the null model is its answer: its objective is exact.
_SAME = 1e-9
# Stopping rules tight enough to judge a relative gap of 1e-6 and less. What Clarabel
# accepts when rounding stops it short of them ("reduced") still is.
_CLARABEL = {
    "tol_gap_abs": 1e-10,
    "tol_gap_rel": 1e-9,
    "tol_feas": 1e-9,
    "reduced_tol_gap_abs": 1e-7,
    "reduced_tol_gap_rel": 1e-7,
    "reduced_tol_feas": 1e-7,
}
# Where that gives up: every point it may end at has an objective that bounds the
# optimum from above, so the comparison with the fit judges it, and less regularisation
# lets it come closer where the optimum is far out.
_CLARABEL_LOOSER = {
    **_CLARABEL,
    "reduced_tol_gap_abs": 1e-4,
    "reduced_tol_gap_rel": 1e-4,
    "reduced_tol_feas": 1e-4,
    "static_regularization_constant": 1e-11,
    "iterative_refinement_max_iter": 50,
}
_SCS = {"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iters": 200_000}
_SETTINGS = {
    "CLARABEL": (_CLARABEL, _CLARABEL_LOOSER),
    "SCS": (_SCS,),
    "OSQP": ({"eps_abs": 1e-9, "eps_rel": 1e-9, "max_iter": 200_000},),
}
# First-order, so slow: only where the others did worse than the fit.
_LAST_RESORT = ("SCS", {**_SCS, "max_iters": 20_000})


def references(problem, solver, null):
    """Try for the optimal value, until the caller has had enough.

    Parameters
    ----------
    problem : cvxpy.Problem
        The problem.
    solver : str or None
        Name of the only solver to ask; None means Clarabel, then SCS.
    null : float
        Objective with all variables at zero; 0 if unknown.

    Yields
    ------
    solver : str
        Name.
    reference : float
        Objective at the solution it found.

    Raises
    ------
    RuntimeError
        If no attempt found any.
    """
    import cvxpy

    name = solver or DEFAULT_SOLVER
    attempts = [(name, settings) for settings in _SETTINGS.get(name, ({},))]
    if solver is None and _LAST_RESORT[0] in cvxpy.installed_solvers():
        attempts.append(_LAST_RESORT)
    failures = []
    for name, settings in attempts:
        try:
            reference = _solve(problem, name, settings, null)
        except RuntimeError as error:
            failures.append(error)
        else:
            yield name, reference
    if len(failures) == len(attempts):
        raise failures[0]


def _solve(problem, solver, settings, null):
    """Objective at the solution of a cvxpy problem.

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
            scaled.solve(solver=solver, **settings)
    except cvxpy.SolverError as error:
        raise RuntimeError(
            f"{solver} failed on this problem; try another solver of "
            f"{', '.join(sorted(cvxpy.installed_solvers()))}."
        ) from error
    if scaled.status not in ("optimal", "optimal_inaccurate"):
        raise RuntimeError(f"{solver} found no optimum: {scaled.status}.")
    reference = _attained(scaled) * unit
    return null if abs(reference - null) <= _SAME * unit else reference


def _attained(problem):
    """Objective at the variables' values.

    A solver's own value is that of its conic form, whose constraints it meets up to a
    tolerance: it may lie below what any coefficients attain.
    """
    with np.errstate(all="ignore"):
        value = problem.objective.value
    return float(value if value is not None and np.isfinite(value) else problem.value)
