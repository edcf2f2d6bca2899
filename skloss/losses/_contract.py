"""What every loss is and can do: the contract that the losses implement.

A loss is an immutable ``NamedTuple`` of its parameters. What it does lives in the
dispatched functions below, implemented beside each loss in `margin`, `regression`
and `rows`. Conventions, stated once:

- scalar losses take a target ``y`` and a prediction ``f`` (the raw score; the log of
  the mean for losses with a log link); margin losses take ``y`` in {-1, +1};
- row losses take an integer class ``y`` and one row of raw scores ``F`` (K,);
- all derivatives are with respect to the prediction;
- at a kink, `derivative` is one subgradient and `curvature` is 0.
"""

from skloss._jit import dispatched

__all__ = [
    "LOSSES",
    "conjugate",
    "curvature",
    "derivative",
    "register",
    "row_curvature_product",
    "row_gradient",
    "row_value",
    "value",
]

LOSSES = {}  # public name -> class


@dispatched
def value(loss, y, f):
    """Value of a scalar loss at target `y` and prediction `f`."""


@dispatched
def derivative(loss, y, f):
    """Derivative (or one subgradient) of a scalar loss in `f`."""


@dispatched
def curvature(loss, y, f):
    """Second derivative of a scalar loss in `f`; 0 where it does not exist."""


@dispatched
def conjugate(loss, y, a):
    """Convex conjugate, the supremum over `f` of ``a f - value(loss, y, f)``.

    Infinite outside of its domain.
    """


@dispatched
def row_value(loss, y, F):
    """Value of a row loss for class `y` and scores `F` (K,)."""


@dispatched
def row_gradient(loss, y, F, out):
    """Write the gradient of a row loss in `F` to `out` (K,); return the value."""


@dispatched
def row_curvature_product(loss, y, F, v, out):
    """Write the Hessian of a row loss at `F` times `v` to `out` (K,)."""


def _same_loss(self, other):
    return type(self) is type(other) and tuple.__eq__(self, other)


def _differs(self, other):
    return not _same_loss(self, other)


def _hash(self):
    return hash((type(self), tuple(self)))


def register(name):
    """Give a loss its public name.

    A plain named tuple equals any tuple of the same numbers and is false when it has
    no parameters; losses are compared by type as well and are always true.
    """

    def decorate(cls):
        cls.__eq__, cls.__ne__, cls.__hash__ = _same_loss, _differs, _hash
        cls.__bool__ = lambda self: True
        cls.name = name
        LOSSES[name] = cls
        return cls

    return decorate
