"""Newton's method where the objective is smooth: no penalty, or a ridge."""

import numpy as np

from skloss.ordinal._separation import is_receding, may_recede, unpenalized
from skloss.ordinal._steps import newton_step
from skloss.solvers._line_search import backtrack
from skloss.solvers._result import Iteration, Recorder, SolverResult

__all__ = ["newton"]


def newton(problem, x0, *, tol, max_iter, callback=None):
    """Minimise an ordinal problem without L1 penalty.

    Steps are the shortest that minimise the quadratic model, so that directions
    without effect (more features than rows) are left alone.

    Parameters
    ----------
    problem : OrdinalProblem
        The problem.
    x0 : ndarray of shape (size,)
        Start.
    tol : float
        Largest gradient entry.
    max_iter : int
        Largest number of steps.
    callback : callable, default=None
        Called with an `Iteration` after each; returns True to stop.

    Returns
    -------
    result : SolverResult
        The minimiser.
    hessian : ndarray of shape (size, size)
        Second derivatives there.
    receding : bool
        Whether the next step would be one towards infinity.
    """
    recorder = Recorder(callback, max_iter)
    point, stalled = problem.at(x0), False
    every = np.arange(problem.size)
    for n_iter in range(max_iter + 1):
        violation = float(np.abs(point.gradient).max())
        converged = violation <= tol
        info = Iteration(
            n_iter, point.x, point.loss, kkt_violation=violation, converged=converged
        )
        # Looked at before the end is decided: the last step needs it too.
        H, gradient, _ = point.model(every, 0.0)
        if recorder.ends(info, stalled=stalled):
            break
        step = newton_step(H, gradient)
        moved, _ = backtrack(point, step, point.loss, min(gradient @ step, 0.0))
        stalled, point = moved is None, moved or point
    receding = False
    if recorder.status == "converged":
        # The last digits come at no cost, since the Hessian is there.
        step = newton_step(H, gradient)
        free = unpenalized(problem)
        receding = free.size > 0 and may_recede(problem, H, step)
        receding = receding and is_receding(problem, free, step)
        if not receding:
            polished = problem.at(point.x + step)
            better = np.abs(polished.gradient).max()
            if better < violation:
                point, violation = polished, float(better)
    problem.latest = point.seen()
    result = SolverResult(
        x=point.x,
        objective=point.loss,
        n_iter=n_iter,
        status=recorder.status,
        kkt_violation=violation,
        history=recorder.history,
    )
    return result, H, receding
