"""L-BFGS for smooth functions, through SciPy."""

import math

import numpy as np
from scipy.optimize import minimize

from skloss.solvers._checks import check_count, check_finite, check_tol
from skloss.solvers._result import Iteration, Recorder

__all__ = ["lbfgs"]


def lbfgs(
    function,
    x0,
    *,
    dual_gap=None,
    reference=None,
    tol=1e-8,
    max_iter=1000,
    memory=10,
    callback=None,
):
    """Minimise a smooth function by limited-memory BFGS.

    For problems too wide for second derivatives. SciPy's implementation runs; this
    adds the certificate, the callback and a plain account of why it stopped.

    Parameters
    ----------
    function : callable
        ``function(x)`` returns the value, a number, and the gradient, which may be any
        array of the shape of `x0`.
    x0 : array-like
        Start, of any shape.
    dual_gap : callable, default=None
        ``dual_gap(x, gradient)`` bounds the distance of the value from its minimum.
    reference : array-like, default=None
        Point of the shape of `x0` whose gradient says how large gradients are, used
        without `dual_gap`; None means zero. Not `x0`: the better the start, the
        smaller its gradient, and the worse, the less the rest would mean beside it.
    tol : float, default=1e-8
        Stop when the gap is at most `tol` times the value's size or, without
        `dual_gap`, when the largest gradient entry is at most `tol` times the largest
        at `reference`.
    max_iter : int, default=1000
        Largest number of iterations; with 0 the start is only looked at.
    memory : int, default=10
        Number of past steps that shape the next.
    callback : callable, default=None
        Called with an `Iteration` after each; returns True to stop.

    Returns
    -------
    SolverResult
        `kkt_violation` is the largest gradient entry.

    Raises
    ------
    TypeError
        If `function` does not return a number and an array.
    ValueError
        If the gradient has another shape than `x0`, if `x0`, `reference` or the
        gradient there is not finite, or if an option is out of range.

    References
    ----------
    R. H. Byrd, P. Lu, J. Nocedal, C. Zhu, "A Limited Memory Algorithm for Bound
    Constrained Optimization", SIAM Journal on Scientific Computing 16(5), 1995.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.solvers import lbfgs
    >>> def cosh(x):
    ...     return np.cosh(x - 1.0).sum(), np.sinh(x - 1.0)
    >>> lbfgs(cosh, np.zeros(3)).x.round(6).tolist()
    [1.0, 1.0, 1.0]
    """
    check_tol(tol)
    check_count("memory", memory, 1)
    recorder = Recorder(callback, max_iter)
    x0 = np.array(x0, dtype=np.float64)
    check_finite("x0", x0)
    watch = _Watch(function, x0, dual_gap, tol)
    if dual_gap is None:
        watch.set_scale(np.zeros(x0.shape) if reference is None else reference)
    info = watch.certify(watch.x0.ravel(), 0)
    if recorder.ends(info):
        return recorder.result(info)

    def after_iteration(x):
        nonlocal info
        info = watch.certify(np.array(x), info.n_iter + 1)
        if recorder.ends(info):
            raise StopIteration

    # SciPy's own criteria are switched off: the certificate decides.
    options = {"maxiter": max_iter, "maxfun": 10**9, "ftol": 0.0, "gtol": 0.0}
    options |= {"maxcor": memory, "maxls": 50}
    minimize(
        watch.evaluate,
        info.x.ravel(),
        jac=True,
        method="L-BFGS-B",
        callback=after_iteration,
        options=options,
    )
    if recorder.status is None:  # SciPy's line search found no decrease
        recorder.status = "stalled"
    return recorder.result(info)


def _pair(returned):
    """Unpack what the user's function returned."""
    try:
        value, gradient = returned
        return float(value), gradient
    except (TypeError, ValueError):
        raise TypeError(
            "function must return the pair (value, gradient), a number and an array; "
            f"got {type(returned).__name__}."
        ) from None


class _Watch:
    """Evaluates the function and remembers the last values for the certificate."""

    def __init__(self, function, x0, dual_gap, tol):
        self.function = function
        self.x0 = x0
        self.dual_gap = dual_gap
        self.tol = tol
        self.last = None

    def set_scale(self, reference):
        """Measure how large gradients are."""
        reference = np.array(reference, dtype=np.float64)
        if reference.shape != self.x0.shape:
            raise ValueError(
                f"reference must have the shape of x0, {self.x0.shape}; got "
                f"{reference.shape}."
            )
        check_finite("reference", reference)
        self.evaluate(reference.ravel())
        gradient = self.last[2]
        check_finite("the gradient at reference", gradient)
        self.gradient_scale = np.abs(gradient).max(initial=0.0)

    def evaluate(self, x):
        value, gradient = _pair(self.function(x.reshape(self.x0.shape)))
        gradient = np.array(gradient, dtype=np.float64)  # it may be written again
        if gradient.shape != self.x0.shape:
            raise ValueError(
                f"The gradient that function returns must have the shape of x0, "
                f"{self.x0.shape}; got {gradient.shape}."
            )
        self.last = x.copy(), value, gradient
        return value, gradient.ravel()

    def certify(self, x, n_iter):
        if self.last is None or not np.array_equal(self.last[0], x):
            self.evaluate(x)
        _, value, gradient = self.last
        violation = float(np.abs(gradient).max(initial=0.0))
        x, gap = x.reshape(self.x0.shape), math.nan
        if self.dual_gap is None:
            converged = violation <= self.tol * self.gradient_scale
        else:
            gap = float(self.dual_gap(x, gradient))
            converged = gap <= self.tol * abs(value)
        return Iteration(n_iter, x, value, gap, violation, converged=converged)
