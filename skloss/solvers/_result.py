"""What a solver tells while it runs and hands back when it stops."""

import math
import warnings
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skloss.solvers._checks import check_count

__all__ = ["Iteration", "Recorder", "SolverResult", "warn_unless_converged"]

_PATIENCE = 8  # iterations without progress after which rounding is to blame


class Iteration(NamedTuple):
    """One outer iteration, as handed to the solver's `callback`.

    `x` is the solver's own array: read it, copy what must last, never write to it.
    Certificates that a problem does not have are nan.

    Parameters
    ----------
    n_iter : int
        Number of iterations completed.
    x : ndarray
        The iterate.
    objective : float
        Value of the objective at `x`.
    dual_gap : float, default=nan
        Upper bound on the distance of `objective` from its minimum.
    kkt_violation : float, default=nan
        Largest distance of a coordinate from stationarity.
    n_active : int or None, default=None
        Number of coordinates off zero, where the solver counts them.
    converged : bool, default=False
        Whether this iterate meets the tolerance, so that no other will follow.

    Examples
    --------
    >>> from skloss.solvers import gram_descent
    >>> def watch(info):
    ...     print(info.n_iter, info.objective, info.converged)
    >>> result = gram_descent([[1.0]], [2.0], "l2", callback=watch)
    1 -1.0 True
    """

    n_iter: int
    x: np.ndarray
    objective: float
    dual_gap: float = math.nan
    kkt_violation: float = math.nan
    n_active: int | None = None
    converged: bool = False


@dataclass(frozen=True, eq=False, kw_only=True)
class SolverResult:
    """A solver's answer and the proof of its quality.

    Parameters
    ----------
    x : ndarray
        The minimiser found.
    objective : float
        Value of the objective at `x`.
    n_iter : int
        Number of outer iterations.
    status : {"converged", "max_iter", "stopped", "stalled", "overflow"}
        Why the solver stopped: the tolerance was met; the iterations ran out; the
        callback asked for it; rounding allows no further decrease; or numbers grew
        beyond those of floating point, so that nothing is known of `x`.
    dual_gap : float, default=nan
        Upper bound on the distance of `objective` from its minimum; nan when the
        problem has no known dual bound.
    kkt_violation : float, default=nan
        Largest distance of a coordinate from stationarity.
    history : list of Iteration without `x`, default=[]
        One dictionary per iteration with the figures the callback saw.

    Examples
    --------
    >>> from skloss.solvers import gram_descent
    >>> result = gram_descent([[1.0]], [2.0], "l2")
    >>> result.converged, result.objective, result.n_iter
    (True, -1.0, 1)
    """

    x: np.ndarray
    objective: float
    n_iter: int
    status: str
    dual_gap: float = math.nan
    kkt_violation: float = math.nan
    history: list = field(default_factory=list)

    @property
    def converged(self):
        """Whether the tolerance was met."""
        return self.status == "converged"

    def __repr__(self):
        return (
            f"SolverResult({self.status} after {self.n_iter} iterations: "
            f"objective={self.objective:.10g}, dual_gap={self.dual_gap:.2g}, "
            f"kkt_violation={self.kkt_violation:.2g})"
        )


class Recorder:
    """Keeps the history of a run, calls the callback, and decides when it is over.

    Parameters
    ----------
    callback : callable or None
        Called with each `Iteration`; returns True to stop.
    max_iter : int
        Largest number of iterations.
    """

    def __init__(self, callback, max_iter):
        check_count("max_iter", max_iter)
        self.callback = callback
        self.max_iter = max_iter
        self.history = []
        self.status = None
        self._patience = _PATIENCE
        self._best_violation = self._best_objective = math.inf
        self._n_working = 0

    def ends(self, info, *, n_working=0, stalled=False):
        """Record an iteration; say whether it was the last.

        The start (``n_iter=0``) is looked at but neither recorded nor reported. A run
        has stalled when the solver says so, or when for some iterations neither the
        objective nor the violation has improved and no working set has grown.

        Comparisons with nan and infinity can make any certificate come true, so that
        nothing counts as converged whose objective or violation is not a number.
        """
        overflow = not math.isfinite(info.objective) or math.isnan(info.kkt_violation)
        info = info._replace(converged=info.converged and not overflow)
        stalled = stalled or self._waits_in_vain(info, n_working)
        stop = False
        if info.n_iter > 0:
            figures = info._asdict()
            del figures["x"], figures["converged"]
            self.history.append(figures)
            stop = self.callback is not None and self.callback(info)
        if info.converged:
            self.status = "converged"
        elif stop:
            self.status = "stopped"
        elif overflow:
            self.status = "overflow"
        elif stalled:
            self.status = "stalled"
        elif info.n_iter >= self.max_iter:
            self.status = "max_iter"
        return self.status is not None

    def _waits_in_vain(self, info, n_working):
        gain = self._best_objective - info.objective
        progress = (
            n_working > self._n_working
            or info.kkt_violation < 0.5 * self._best_violation
            or gain > 1e-13 * abs(info.objective)
        )
        self._patience = _PATIENCE if progress else self._patience - 1
        self._best_violation = min(self._best_violation, info.kkt_violation)
        self._best_objective = min(self._best_objective, info.objective)
        self._n_working = n_working
        return self._patience == 0

    def result(self, info):
        """Make the result out of the last iteration."""
        return SolverResult(
            x=info.x,
            objective=info.objective,
            n_iter=info.n_iter,
            status=self.status,
            dual_gap=info.dual_gap,
            kkt_violation=info.kkt_violation,
            history=self.history,
        )


def warn_unless_converged(result, estimator, *, advice=""):
    """Warn that a fit is less accurate than asked for, and say how accurate it is.

    Nothing is said when the user's callback stopped the fit.

    Parameters
    ----------
    result : SolverResult
        The solver's answer.
    estimator : estimator
        The estimator being fitted, for its name.
    advice : str, default=""
        What the user can do about it.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached.

    Examples
    --------
    >>> from sklearn.linear_model import Lasso
    >>> from skloss.solvers import gram_descent, warn_unless_converged
    >>> result = gram_descent([[1.0]], [2.0], "l1")
    >>> warn_unless_converged(result, Lasso(), advice="Raise max_iter.")
    """
    if result.status in ("converged", "stopped"):
        return
    reason = {
        "max_iter": f"did not converge in {result.n_iter} iterations",
        "stalled": f"stopped improving after {result.n_iter} iterations, "
        "at the limit of floating-point accuracy",
        "overflow": f"met numbers beyond floating point after {result.n_iter} "
        "iterations",
    }[result.status]
    figures = {"gap": result.dual_gap, "KKT violation": result.kkt_violation}
    reached = ", ".join(
        f"{name} {value:.2g}" for name, value in figures.items() if value == value
    )
    warnings.warn(
        f"{type(estimator).__name__} {reason} ({reached}). {advice}".rstrip(),
        ConvergenceWarning,
        stacklevel=3,
    )
