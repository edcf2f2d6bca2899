"""What every loss is and can do: the contract that the losses implement.

A loss is an immutable ``NamedTuple`` of its parameters. What it does lives in the
dispatched functions below, implemented beside each loss in `margin`, `regression`
and `rows`. Conventions, stated once:

- scalar losses take a target ``y`` and a prediction ``f`` (the raw score; the log of
  the mean for losses with a log link); margin losses take ``y`` in {-1, +1};
- row losses take an integer class ``y`` and one row of raw scores ``F`` (K,);
- all derivatives are with respect to the prediction;
- at a kink, `derivative` is one subgradient and `curvature` is 0;
- in compiled code, float32 arguments keep exponentials and logarithms in float32.

Every class also says, as attributes of its instances:

- ``name``, its public name;
- ``targets``, the values allowed for ``y``: "sign", "real", "nonnegative",
  "positive" or "class";
- ``lipschitz``, the largest absolute derivative, and ``smoothness``, the Lipschitz
  constant of the derivative (Euclidean norms for row losses), either may be inf.
"""

from skloss._jit import dispatched
from skloss._values import register_in

__all__ = [
    "LOSSES",
    "block_gradient",
    "conjugate",
    "curvature",
    "derivative",
    "probability",
    "register",
    "row_conjugate",
    "row_curvature_product",
    "row_gradient",
    "row_value",
    "value",
    "value_derivative",
]

LOSSES = {}  # public name -> class


def register(name):
    """Make a class decorator that gives a loss its public name.

    The class is a named tuple of float parameters with the attributes ``targets``,
    ``lipschitz`` and ``smoothness``. The attribute ``allowed``, a dict, may say which
    values the parameters take (`skloss._values.Allowed`), a method ``check`` may raise
    ValueError when they do not go together. What the loss does is added with
    ``value.implement(cls)``, ``derivative.implement(cls)`` and so on. The kernels of
    losses that live outside of this package are compiled anew in every process.

    Parameters
    ----------
    name : str
        The name that estimators and `get` accept.

    Returns
    -------
    callable
        Class decorator; registered losses compare by type as well as by parameters.

    Raises
    ------
    ValueError
        If another class has the name already.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> from skloss import losses
    >>> @losses.register("quartic")
    ... class Quartic(NamedTuple):
    ...     scale: float = 1.0
    ...     targets = "real"
    ...     lipschitz = smoothness = float("inf")
    >>> @losses.value.implement(Quartic)
    ... def _(loss, y, f):
    ...     return loss.scale * (f - y) ** 4
    >>> losses.evaluate(Quartic(scale=0.5), 1.0, [1.0, 3.0])
    array([0., 8.])
    >>> del losses.LOSSES["quartic"]  # so that this example leaves no trace
    """
    return register_in(LOSSES)(name)


@dispatched
def value(loss, y, f):
    """Value of a scalar loss.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : float
        Target.
    f : float
        Prediction.

    Returns
    -------
    float
        The loss of predicting `f` for `y`.

    Examples
    --------
    >>> from skloss.losses import Hinge, value
    >>> value(Hinge(), 1.0, 0.25)
    0.75
    """


@dispatched
def derivative(loss, y, f):
    """First derivative of a scalar loss in the prediction.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : float
        Target.
    f : float
        Prediction.

    Returns
    -------
    float
        The derivative; at a kink, one subgradient.

    Examples
    --------
    >>> from skloss.losses import Squared, derivative
    >>> derivative(Squared(), 1.0, 4.0)
    3.0
    """


@dispatched
def curvature(loss, y, f):
    """Second derivative of a scalar loss in the prediction.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : float
        Target.
    f : float
        Prediction.

    Returns
    -------
    float
        The second derivative; 0 where it does not exist.

    Examples
    --------
    >>> from skloss.losses import Huber, curvature
    >>> curvature(Huber(delta=1.0), 0.0, 0.5)
    1.0
    """


@dispatched
def value_derivative(loss, y, f):
    """Value and derivative of a scalar loss together, sharing what they can.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : float
        Target.
    f : float
        Prediction.

    Returns
    -------
    tuple of float
        The value and the derivative.

    Examples
    --------
    >>> from skloss.losses import SquaredHinge, value_derivative
    >>> value_derivative(SquaredHinge(), 1.0, -1.0)
    (4.0, -4.0)
    """


@value_derivative.otherwise
def _(loss, y, f):
    return value(loss, y, f), derivative(loss, y, f)


@dispatched
def conjugate(loss, y, a):
    """Convex conjugate of a scalar loss.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : float
        Target.
    a : float
        Slope.

    Returns
    -------
    float
        The supremum over ``f`` of ``a * f - value(loss, y, f)``; inf outside of the
        conjugate's domain, which is the closure of the derivative's range.

    Examples
    --------
    >>> from skloss.losses import Squared, conjugate
    >>> conjugate(Squared(), 1.0, 2.0)
    4.0
    """


@dispatched
def probability(loss, f):
    """Probability of the class +1 that a margin loss's score stands for.

    Defined for losses whose expected value is smallest at a score that determines the
    probability: not for the hinge, for one.

    Parameters
    ----------
    loss : named tuple
        The loss.
    f : float
        Score.

    Returns
    -------
    float
        A number in [0, 1].

    Examples
    --------
    >>> from skloss.losses import ModifiedHuber, probability
    >>> probability(ModifiedHuber(), 0.5)
    0.75
    """


@dispatched
def row_value(loss, y, F):
    """Value of a row loss.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : int
        Class, from 0 to K - 1.
    F : ndarray of shape (K,)
        Scores of the classes.

    Returns
    -------
    float
        The loss of the scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.losses import SoftmaxCrossEntropy, row_value
    >>> print(round(row_value(SoftmaxCrossEntropy(), 0, np.zeros(2)), 6))
    0.693147
    """


@dispatched
def row_gradient(loss, y, F, out):
    """Gradient of a row loss in the scores, and its value.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : int
        Class, from 0 to K - 1.
    F : ndarray of shape (K,)
        Scores of the classes.
    out : ndarray of shape (K,)
        Filled with the gradient; may be `F` itself.

    Returns
    -------
    float
        The value of the loss.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.losses import SoftmaxCrossEntropy, row_gradient
    >>> gradient = np.empty(2)
    >>> _ = row_gradient(SoftmaxCrossEntropy(), 0, np.zeros(2), gradient)
    >>> gradient
    array([-0.5,  0.5])
    """


@dispatched
def block_gradient(loss, y, F, values, out):
    """Compute gradients and values of a row loss for a block of rows.

    Row by row, unless a loss implements it faster.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : ndarray of shape (n,), intp
        Classes, from 0 to K - 1.
    F : ndarray of shape (n, K)
        Scores of the classes, C-contiguous.
    values : ndarray of shape (n,)
        Filled with the values; shares no memory with the other arrays.
    out : ndarray of shape (n, K)
        Filled with the gradients, C-contiguous; may be `F` itself.

    Returns
    -------
    None
        The results are in `values` and `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.losses import SoftmaxCrossEntropy, block_gradient
    >>> values, gradients = np.empty(1), np.empty((1, 2))
    >>> scores, y = np.zeros((1, 2)), np.array([0])
    >>> block_gradient(SoftmaxCrossEntropy(), y, scores, values, gradients)
    >>> gradients
    array([[-0.5,  0.5]])
    """


@block_gradient.otherwise
def _(loss, y, F, values, out):
    for i in range(F.shape[0]):
        values[i] = row_gradient(loss, y[i], F[i], out[i])


@dispatched
def row_curvature_product(loss, y, F, v, out):
    """Product of a row loss's Hessian in the scores with a vector.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : int
        Class, from 0 to K - 1.
    F : ndarray of shape (K,)
        Scores of the classes.
    v : ndarray of shape (K,)
        Vector.
    out : ndarray of shape (K,)
        Filled with the product; may be `F` or `v` itself.

    Returns
    -------
    None
        The result is in `out`.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.losses import SoftmaxCrossEntropy, row_curvature_product
    >>> product = np.empty(2)
    >>> scores, v = np.zeros(2), np.array([1.0, -1.0])
    >>> row_curvature_product(SoftmaxCrossEntropy(), 0, scores, v, product)
    >>> product
    array([ 0.5, -0.5])
    """


@dispatched
def row_conjugate(loss, y, a):
    """Convex conjugate of a row loss.

    Parameters
    ----------
    loss : named tuple
        The loss.
    y : int
        Class, from 0 to K - 1.
    a : ndarray of shape (K,)
        Slope.

    Returns
    -------
    float
        The supremum over ``F`` of ``a @ F - row_value(loss, y, F)``; inf outside of
        its domain, whose equations may be missed by rounding.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.losses import SoftmaxCrossEntropy, row_conjugate
    >>> slope = np.array([-0.5, 0.5])
    >>> print(round(row_conjugate(SoftmaxCrossEntropy(), 0, slope), 6))
    -0.693147
    """
