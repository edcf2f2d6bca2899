"""Losses on arrays: what a user calls to plot or optimise a loss."""

import warnings
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array

from skloss._jit import kernel
from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import as_kernel_array
from skloss._values import resolve
from skloss.losses._checks import TARGETS
from skloss.losses._contract import (
    LOSSES,
    block_gradient,
    value,
    value_derivative,
)

__all__ = ["evaluate", "evaluate_gradient", "get", "value_and_gradient"]

# Rows handed to a thread at a time; a choice of speed, results do not depend on it.
_BLOCK = 1 << 16
_CONTRACT = {"contract"}


@kernel(fastmath=_CONTRACT)
def _values(loss, y, f, start, stop, out):
    y, f, out = y[start:stop], f[start:stop], out[start:stop]
    for i in range(f.size):
        out[i] = value(loss, y[i], f[i])


@kernel(fastmath=_CONTRACT)
def _values_and_derivatives(loss, y, f, start, stop, values, derivatives):
    y, f = y[start:stop], f[start:stop]
    values, derivatives = values[start:stop], derivatives[start:stop]
    for i in range(f.size):
        values[i], derivatives[i] = value_derivative(loss, y[i], f[i])


@kernel(fastmath=_CONTRACT)
def _block_gradients(loss, y, F, start, stop, values, gradients):
    # blocks that stay in the first-level cache between the passes over them
    n_rows = max(1, 4096 // F.shape[1])
    for low in range(start, stop, n_rows):
        high = min(low + n_rows, stop)
        block = slice(low, high)
        block_gradient(loss, y[block], F[block], values[block], gradients[block])


class _Points(NamedTuple):
    """Validated arguments of an evaluation."""

    loss: tuple
    # Arrays are in the form of `as_kernel_array`, so that kernels compile once.
    y: np.ndarray  # (n,)
    f: np.ndarray  # (n,) or (n, K)
    weight: np.ndarray | None  # (n,)
    shapes: tuple  # of the values and of the gradient

    @property
    def by_rows(self):
        return self.loss.targets == "class"


def get(loss):
    """Resolve a loss given by name or as an instance.

    Parameters
    ----------
    loss : str or named tuple
        The public name of a loss, which stands for its default parameters, or an
        instance of a loss.

    Returns
    -------
    named tuple
        The loss, its parameters as floats.

    Raises
    ------
    ValueError
        If the name is unknown or a parameter is out of range; the message lists what
        is allowed.
    TypeError
        If `loss` is neither a name nor a loss, or a parameter is not a number.

    Examples
    --------
    >>> from skloss import losses
    >>> losses.get("huber")
    Huber(delta=1.35)
    >>> losses.get(losses.Huber(delta=2))
    Huber(delta=2.0)
    """
    return resolve(loss, LOSSES, "loss")


def _floats(x, name, dtype):
    """Finite array of any shape, as kernels want it."""
    x = check_array(
        x,
        dtype=dtype,
        order="C",
        ensure_2d=False,
        allow_nd=True,
        ensure_min_samples=0,
        input_name=name,
    )
    return as_kernel_array(x, x.dtype)


def _flat(x, shape):
    return as_kernel_array(np.broadcast_to(x, shape), x.dtype).reshape(-1)


def _check_weight(sample_weight, shape, dtype):
    if sample_weight is None:
        return None
    weight = _floats(sample_weight, "sample_weight", dtype)
    if weight.size and weight.min() < 0:
        raise ValueError(f"sample_weight must not be negative; got {weight.min()}.")
    try:
        return _flat(weight, shape)
    except ValueError:
        raise ValueError(
            f"sample_weight of shape {weight.shape} does not fit losses of shape "
            f"{shape}."
        ) from None


def _scalar_points(loss, y, f, sample_weight):
    f = _floats(f, "f", (np.float64, np.float32))
    y = _floats(y, "y", f.dtype)
    try:
        shape = np.broadcast_shapes(y.shape, f.shape)
    except ValueError:
        raise ValueError(
            "y and f must have shapes that broadcast together; y has shape "
            f"{y.shape} and f has shape {f.shape}."
        ) from None
    y, f = _flat(y, shape), _flat(f, shape)
    words, allowed = TARGETS[loss.targets]
    if y.size and not allowed(y):
        raise ValueError(f"y must be {words} for the {loss.name} loss.")
    weight = _check_weight(sample_weight, shape, f.dtype)
    return _Points(loss, y, f, weight, (shape, shape))


def _row_points(loss, y, F, sample_weight):
    F = _floats(F, "f", (np.float64, np.float32))
    y = np.asarray(y)
    if F.ndim != 2 or y.shape != F.shape[:1] or not F.shape[1]:
        raise ValueError(
            f"f must have the shape (n, n_classes) and y (n,) for the {loss.name} "
            f"loss; got {F.shape} and {y.shape}."
        )
    if y.size and (
        not np.issubdtype(y.dtype, np.integer) or y.min() < 0 or y.max() >= F.shape[1]
    ):
        raise ValueError(
            f"y must be integers from 0 to {F.shape[1] - 1}, the columns of f, for "
            f"the {loss.name} loss."
        )
    weight = _check_weight(sample_weight, y.shape, F.dtype)
    return _Points(loss, as_kernel_array(y, np.intp), F, weight, (y.shape, F.shape))


def _points(loss, y, f, sample_weight):
    loss = get(loss)
    prepare = _row_points if loss.targets == "class" else _scalar_points
    return prepare(loss, y, f, sample_weight)


def _output(out, name, shape, dtype):
    """Array to write to: a new one, or the caller's after a check."""
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or (out.shape, out.dtype) != (shape, dtype):
        raise ValueError(f"{name} must be an array of shape {shape} and dtype {dtype}.")
    flags = out.flags
    if not (flags.c_contiguous and flags.writeable and flags.aligned):
        raise ValueError(f"{name} must be C-contiguous, aligned and writeable.")
    return out


def _detach(points, *outputs):
    """Copy those inputs that lie in the memory of an output."""
    if np.may_share_memory(*outputs):
        raise ValueError("value_out and gradient_out must not share memory.")
    fields = ("y", "f", "weight")
    inputs = {name: getattr(points, name) for name in fields}
    return points._replace(
        **{
            name: as_kernel_array(x.copy(), x.dtype)
            for name, x in inputs.items()
            if x is not None and any(np.may_share_memory(x, out) for out in outputs)
        }
    )


def _run(kernel_, points, *outputs):
    """Run a kernel over blocks of rows, in threads where these pay."""
    loss, y, f, *_ = points
    # subclasses such as numpy.memmap are types of their own to numba
    outputs = [np.asarray(out) for out in outputs]
    threads = threads_for(4 * f.nbytes)

    def block(start, stop):
        kernel_(loss, y, f, start, stop, *outputs)

    map_row_blocks(block, len(f), _BLOCK if threads > 1 else max(1, len(f)), threads)


def _fill(points, values, gradient):
    """Write values and gradients of all points."""
    if points.by_rows:
        _run(_block_gradients, points, values, gradient)
    else:
        _run(_values_and_derivatives, points, values.ravel(), gradient.ravel())


def _finish(values, points):
    """Apply the weights in place and warn of overflow."""
    flat = values.reshape(len(points.f), values.size // max(1, len(points.f)))
    overflows = points.loss.lipschitz == np.inf and flat.size
    if overflows and np.isinf([flat.min(), flat.max()]).any():
        warnings.warn(
            f"The {points.loss.name} loss overflows at the largest predictions.",
            RuntimeWarning,
            stacklevel=3,
        )
    if points.weight is not None:
        with np.errstate(invalid="ignore"):
            flat *= points.weight[:, None]
        flat[points.weight == 0] = 0  # absent, even where the loss is infinite
    return values


def evaluate(loss, y, f, sample_weight=None):
    """Evaluate a loss on arrays.

    Parameters
    ----------
    loss : str or named tuple
        The loss, by name or as an instance.
    y : array-like
        Targets: -1 or +1 for margin losses, integers from 0 to K - 1 of shape (n,)
        for losses on rows of scores. Broadcast against `f` for scalar losses.
    f : array-like
        Predictions, of any shape; of shape (n, K) for losses on rows of scores.
        float32 is kept, all else becomes float64.
    sample_weight : array-like, default=None
        Weights of at least 0, broadcast against the values.

    Returns
    -------
    ndarray
        The weighted loss of each prediction, in the dtype of `f`; of shape (n,) for
        losses on rows of scores.

    Raises
    ------
    ValueError
        If the loss, a target, a weight or a shape is not allowed, or an input not
        finite.

    Warns
    -----
    RuntimeWarning
        If a loss that grows exponentially overflows to inf.

    Examples
    --------
    >>> from skloss.losses import evaluate
    >>> evaluate("hinge", 1, [-1.0, 0.0, 2.0])
    array([2., 1., 0.])
    """
    points = _points(loss, y, f, sample_weight)
    values = np.empty(points.shapes[0], points.f.dtype)
    if points.by_rows:
        _fill(points, values, np.empty_like(points.f))
    else:
        _run(_values, points, values.ravel())
    return _finish(values, points)


def evaluate_gradient(loss, y, f, sample_weight=None):
    """Evaluate the derivative of a loss on arrays.

    Parameters
    ----------
    loss : str or named tuple
        The loss, by name or as an instance.
    y : array-like
        Targets, as for `evaluate`.
    f : array-like
        Predictions, as for `evaluate`.
    sample_weight : array-like, default=None
        Weights of at least 0, broadcast against the values.

    Returns
    -------
    ndarray
        The weighted derivative (at a kink, one subgradient) at each prediction, in
        the shape and dtype of `f`.

    Raises
    ------
    ValueError
        If the loss, a target, a weight or a shape is not allowed, or an input not
        finite.

    Examples
    --------
    >>> from skloss.losses import evaluate_gradient
    >>> evaluate_gradient("squared", [1.0, 2.0], [1.5, 1.5])
    array([ 0.5, -0.5])
    """
    points = _points(loss, y, f, sample_weight)
    values, gradient = (np.empty(s, points.f.dtype) for s in points.shapes)
    _fill(points, values, gradient)
    return _finish(gradient, points)


def value_and_gradient(
    loss, y, f, sample_weight=None, *, value_out=None, gradient_out=None
):
    """Evaluate a loss and its derivative together, which costs less than twice one.

    Parameters
    ----------
    loss : str or named tuple
        The loss, by name or as an instance.
    y : array-like
        Targets, as for `evaluate`.
    f : array-like
        Predictions, as for `evaluate`.
    sample_weight : array-like, default=None
        Weights of at least 0, broadcast against the values.
    value_out : ndarray, default=None
        C-contiguous array for the values, in the dtype of the result. It may be one
        of the inputs, which then is copied first.
    gradient_out : ndarray, default=None
        The same for the derivatives; shares no memory with `value_out`.

    Returns
    -------
    values : ndarray
        As from `evaluate`.
    gradient : ndarray
        As from `evaluate_gradient`.

    Raises
    ------
    ValueError
        If the loss, a target, a weight, a shape or an output array is not allowed,
        or an input not finite.

    Examples
    --------
    >>> from skloss.losses import value_and_gradient
    >>> values, gradient = value_and_gradient("squared", [1.0, 2.0], [1.5, 1.5])
    >>> values
    array([0.125, 0.125])
    >>> gradient
    array([ 0.5, -0.5])
    """
    points = _points(loss, y, f, sample_weight)
    outs = (value_out, "value_out"), (gradient_out, "gradient_out")
    values, gradient = (
        _output(out, name, shape, points.f.dtype)
        for (out, name), shape in zip(outs, points.shapes, strict=True)
    )
    points = _detach(points, values, gradient)
    _fill(points, values, gradient)
    return _finish(values, points), _finish(gradient, points)
