"""What every penalty is and can do: the contract that the penalties implement.

A penalty is an immutable ``NamedTuple`` of its parameters and acts on one coefficient
at a time. Conventions, stated once:

- `weight` >= 0 multiplies the penalty of one coefficient (``feature_weights``);
- a constraint is a penalty of 0 inside and infinity outside; weights leave it alone;
- weight 0 frees the coefficient of penalty and constraint alike (an intercept).
"""

from skloss._jit import dispatched
from skloss._values import register_in

__all__ = [
    "PENALTIES",
    "conjugate",
    "dual_scale",
    "piece",
    "prox",
    "register",
    "subdifferential_distance",
    "value",
]

PENALTIES = {}  # public name -> class


def register(name):
    """Give a penalty its public name.

    Parameters
    ----------
    name : str
        What users write for it.

    Returns
    -------
    callable
        Decorator of a ``NamedTuple`` class, which makes its instances compare by type
        and parameters. The attribute ``allowed`` of the class, a dict, may say which
        values its parameters take (`skloss._values.Allowed`), a method ``check`` may
        raise ValueError when they do not go together.

    Raises
    ------
    ValueError
        If another class has the name already.

    Examples
    --------
    >>> from skloss.penalties import PENALTIES
    >>> PENALTIES["l1"]()  # class L1 is decorated by @register("l1")
    L1(alpha=1.0)
    """
    return register_in(PENALTIES)(name)


@dispatched
def value(penalty, w, weight=1.0):
    """Penalty of one coefficient.

    Parameters
    ----------
    penalty : named tuple
        The penalty.
    w : float
        Coefficient.
    weight : float, default=1.0
        Factor of the penalty.

    Returns
    -------
    float
        The weighted penalty; inf where a constraint is violated.

    Examples
    --------
    >>> from skloss.penalties import L1, value
    >>> value(L1(alpha=0.5), -3.0)
    1.5
    """


@dispatched
def prox(penalty, v, step):
    """Proximal operator for one coefficient.

    Parameters
    ----------
    penalty : named tuple
        The penalty.
    v : float
        Point.
    step : float
        Step length, times the weight of the coefficient if it has one.

    Returns
    -------
    float
        The minimiser over x of ``(x - v)**2 / 2 + step * value(penalty, x)``.

    Examples
    --------
    >>> from skloss.penalties import L1, prox
    >>> prox(L1(alpha=0.5), 2.0, 1.0)
    1.5
    """


@dispatched
def subdifferential_distance(penalty, w, g, weight=1.0):
    """Distance of one coefficient from stationarity.

    Parameters
    ----------
    penalty : named tuple
        The penalty.
    w : float
        Coefficient.
    g : float
        Derivative of the smooth part of the objective.
    weight : float, default=1.0
        Factor of the penalty.

    Returns
    -------
    float
        Distance of ``-g`` from the subdifferential of the weighted penalty at `w`:
        zero exactly at an optimum, inf where a constraint is violated.

    Examples
    --------
    >>> from skloss.penalties import L1, subdifferential_distance
    >>> subdifferential_distance(L1(alpha=0.5), 0.0, 0.75)
    0.25
    """


@dispatched
def conjugate(penalty, u, weight=1.0):
    """Convex conjugate of the penalty of one coefficient.

    Parameters
    ----------
    penalty : named tuple
        The penalty.
    u : float
        Dual variable.
    weight : float, default=1.0
        Factor of the penalty.

    Returns
    -------
    float
        Supremum over w of ``u * w - value(penalty, w, weight)``; may be inf.

    Examples
    --------
    >>> from skloss.penalties import L1, L2, conjugate
    >>> conjugate(L2(alpha=2.0), 3.0), conjugate(L1(alpha=2.0), 3.0)
    (2.25, inf)
    """


@dispatched
def dual_scale(penalty, u, weight=1.0):
    """Largest scaling of a dual variable that keeps the conjugate finite.

    Scaling a dual point that is not yet feasible makes a duality gap out of any
    iterate.

    Parameters
    ----------
    penalty : named tuple
        The penalty.
    u : float
        Dual variable.
    weight : float, default=1.0
        Factor of the penalty.

    Returns
    -------
    float
        Largest s in [0, 1] with ``conjugate(penalty, s * u, weight)`` finite.

    Examples
    --------
    >>> from skloss.penalties import L1, dual_scale
    >>> dual_scale(L1(alpha=0.5), 0.25), round(dual_scale(L1(alpha=0.5), 2.0), 12)
    (1.0, 0.25)
    """


@dispatched
def piece(penalty, w, weight=1.0):
    """Where and how the penalty of one coefficient is quadratic.

    Parameters
    ----------
    penalty : named tuple
        The penalty.
    w : float
        Coefficient.
    weight : float, default=1.0
        Factor of the penalty.

    Returns
    -------
    lower, upper : float
        The largest interval around `w` on which the penalty is one quadratic
        function; both are `w` at a kink.
    slope, curvature : float
        First and second derivative of the weighted penalty at `w`.

    Examples
    --------
    >>> from skloss.penalties import L1, piece
    >>> piece(L1(alpha=0.5), 2.0)
    (0.0, inf, 0.5, 0.0)
    """
