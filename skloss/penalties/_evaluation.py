"""Penalties on arrays: what a user calls."""

import numpy as np

from skloss._jit import kernel
from skloss._validation import as_kernel_array
from skloss._values import resolve
from skloss.penalties._arrays import total
from skloss.penalties._contract import PENALTIES, prox

__all__ = ["evaluate", "get", "proximal_point"]


@kernel
def _proximal_point(penalty, v, step, out):
    for j in range(v.size):
        out[j] = prox(penalty, v[j], step[j])


def get(penalty):
    """Resolve a penalty given by name or as an instance.

    Parameters
    ----------
    penalty : str or named tuple
        "l1", "l2", "elasticnet", "nonnegative", "box", "mcp" or "scad" with default
        parameters, or an instance.

    Returns
    -------
    named tuple
        The penalty, its parameters as floats.

    Raises
    ------
    ValueError
        If the name is unknown or a parameter out of range.
    TypeError
        If `penalty` is neither a name nor a penalty, or a parameter not a number.

    Examples
    --------
    >>> from skloss import penalties
    >>> penalties.get("elasticnet")
    ElasticNet(alpha=1.0, l1_ratio=0.5)
    """
    return resolve(penalty, PENALTIES, "penalty")


def evaluate(penalty, w, weight=None):
    """Total penalty of a coefficient array.

    Parameters
    ----------
    penalty : str or named tuple
        The penalty, by name or as an instance.
    w : array-like
        Coefficients, of any shape.
    weight : array-like, default=None
        Weights of at least 0, broadcast against `w`; None means 1.

    Returns
    -------
    float
        The sum; infinite if a constraint is violated.

    Raises
    ------
    ValueError
        If the penalty is not valid, or a weight is negative, nan or of another shape.
    TypeError
        If `penalty` is neither a name nor a penalty, or a parameter not a number.

    Examples
    --------
    >>> from skloss.penalties import L1, evaluate
    >>> evaluate(L1(alpha=0.5), [1.0, -3.0])
    2.0
    >>> evaluate(L1(alpha=0.5), [1.0, -3.0], weight=[1.0, 0.0])
    0.5
    """
    penalty = get(penalty)
    w = as_kernel_array(w, np.float64)
    weights = _factors(1.0 if weight is None else weight, "weight", w.shape, "w")
    return total(penalty, w.reshape(-1), weights)


def proximal_point(penalty, v, step):
    """Proximal operator on an array of coefficients.

    Parameters
    ----------
    penalty : str or named tuple
        The penalty, by name or as an instance.
    v : array-like
        Point, of any shape.
    step : float or array-like
        Step length of at least 0, times the coefficients' weights; broadcast against
        `v`.

    Returns
    -------
    ndarray
        The minimiser over x of ``||x - v||**2 / 2 + sum(step * penalty(x))``, in the
        shape of `v`; float32 if `v` is, else float64.

    Raises
    ------
    TypeError
        If `penalty` is neither a name nor a penalty.
    ValueError
        If the penalty is not valid, or a step is negative, nan or of another shape.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import L1, proximal_point
    >>> proximal_point(L1(alpha=1.0), np.array([-2.0, 0.3]), 0.5)
    array([-1.5,  0. ])
    """
    penalty, v = get(penalty), np.asarray(v)
    dtype = np.float32 if v.dtype == np.float32 else np.float64
    steps = _factors(step, "step", v.shape, "v")
    out = np.empty(v.shape, dtype)
    points = as_kernel_array(v, dtype).reshape(-1)
    _proximal_point(penalty, points, steps, out.reshape(-1))
    return out


def _factors(values, name, shape, of):
    """Broadcast numbers of at least 0 to one for each coefficient, flattened.

    Always in float64: a small number must not become 0, which frees a coefficient.
    """
    values = np.asarray(values, dtype=np.float64)
    try:
        wide = np.broadcast_to(values, shape)
    except ValueError:
        raise ValueError(
            f"{name} of shape {values.shape} does not fit {of} of shape {shape}."
        ) from None
    # A minimum is nan if any number is.
    if values.size and not values.min() >= 0:
        raise ValueError(f"{name} must be at least 0; got {values.min()}.")
    return as_kernel_array(wide, np.float64).reshape(-1)
