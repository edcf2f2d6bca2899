"""Solvers: how an objective is minimised, each with a certificate of its optimum.

- `gram_descent`: a quadratic plus a separable penalty, over a Gram matrix;
- `prox_newton`: a smooth loss plus a separable penalty, coefficient by coefficient;
- `newton_cg`: a smooth problem with a good preconditioner;
- `lbfgs`: any smooth function.

All return a `SolverResult` and call ``callback(Iteration)`` once per iteration. Names
are loaded on first use.
"""

import importlib

# A function named as its file must be bound here, or whoever imports the file first
# leaves the module in the function's place. It costs nothing: it needs only NumPy.
from skloss.solvers.newton_cg import newton_cg as newton_cg

# Public name -> module that defines it.
_HOMES = {
    "DenseGram": "skloss.solvers.gram",
    "DesignGram": "skloss.solvers.gram",
    "Iteration": "skloss.solvers._result",
    "KroneckerPreconditioner": "skloss.solvers.kronecker",
    "LinearProblem": "skloss.solvers.linear_problem",
    "NewtonProblem": "skloss.solvers.newton_cg",
    "SolverResult": "skloss.solvers._result",
    "conjugate_gradient": "skloss.solvers.newton_cg",
    "gram_descent": "skloss.solvers.quadratic",
    "lbfgs": "skloss.solvers.quasi_newton",
    "newton_cg": "skloss.solvers.newton_cg",
    "prox_newton": "skloss.solvers.proximal_newton",
    "warn_unless_converged": "skloss.solvers._result",
}

__all__ = list(_HOMES)


def __getattr__(name):
    if name in _HOMES:
        value = getattr(importlib.import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'skloss.solvers' has no attribute {name!r}")


def __dir__():
    return sorted({*globals(), *__all__})
