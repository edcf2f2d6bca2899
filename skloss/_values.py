"""Losses and penalties as values: named, compared by type, their parameters checked.

A named tuple cannot check its parameters when it is made. `resolve` does, and whatever
takes a loss or a penalty from a user calls it first.
"""

import math
import numbers
from typing import NamedTuple

__all__ = [
    "ANY_NUMBER",
    "FRACTION",
    "NONNEGATIVE",
    "POSITIVE",
    "SHARE",
    "Allowed",
    "register_in",
    "resolve",
]


class Allowed(NamedTuple):
    """The values that a parameter may take.

    Parameters
    ----------
    words : str
        The values in words, for messages: "a finite number above 0".
    lowest, highest : float
        The ends of the interval.
    ends : tuple of bool
        Whether each end belongs to it.
    """

    words: str
    lowest: float = -math.inf
    highest: float = math.inf
    ends: tuple = (True, True)

    def __contains__(self, number):
        above = number >= self.lowest if self.ends[0] else number > self.lowest
        below = number <= self.highest if self.ends[1] else number < self.highest
        return above and below


ANY_NUMBER = Allowed("a number other than nan")
POSITIVE = Allowed("a finite number above 0", 0.0, math.inf, (False, False))
NONNEGATIVE = Allowed("a finite number of at least 0", 0.0, math.inf, (True, False))
FRACTION = Allowed("a number strictly between 0 and 1", 0.0, 1.0, (False, False))
SHARE = Allowed("a number from 0 to 1", 0.0, 1.0)


def _same(self, other):
    return type(self) is type(other) and tuple.__eq__(self, other)


def _differs(self, other):
    return not _same(self, other)


def _hash(self):
    return hash((type(self), tuple(self)))


def register_in(table):
    """Make the decorator ``register(name)`` that adds named tuples to `table`.

    A plain named tuple equals any tuple of the same numbers and is false when it has
    no parameters; registered ones are compared by type as well and are always true.

    Parameters
    ----------
    table : dict
        Public name -> class, filled by the decorator.

    Returns
    -------
    callable
        ``register(name)``, a class decorator. It raises ValueError if another class
        has the name; the same definition may be run again.
    """

    def register(name):
        def decorate(cls):
            taken = table.get(name, cls)
            if _place(taken) != _place(cls):
                raise ValueError(f"The name {name!r} belongs to {_place(taken)}.")
            cls.__eq__, cls.__ne__, cls.__hash__ = _same, _differs, _hash
            cls.__bool__ = lambda self: True
            cls.name = name
            table[name] = cls
            return cls

        return decorate

    return register


def _place(cls):
    return f"{cls.__module__}.{cls.__qualname__}"


def resolve(spec, table, kind):
    """Turn a public name or an instance into an instance with valid parameters.

    Parameters
    ----------
    spec : str or named tuple
        A name in `table`, which stands for the default parameters, or an instance of
        one of its classes.
    table : dict
        Public name -> class. Parameters of the class that are annotated as float must
        be numbers; its attribute ``allowed``, a dict from their names to `Allowed`,
        narrows that down. A method ``check`` may raise for reasons of its own; it
        sees the parameters as floats.
    kind : str
        What the table holds, for messages: "loss", "penalty".

    Returns
    -------
    named tuple
        An instance whose parameters annotated as float are floats, so that kernels
        compile once for ``delta=1`` and ``delta=1.0``.

    Raises
    ------
    ValueError
        If the name is unknown or a parameter is out of range.
    TypeError
        If `spec` is neither a name nor an instance, or a parameter is not a number.
    """
    if isinstance(spec, str):
        if spec not in table:
            raise ValueError(
                f"Unknown {kind} {spec!r}; the {kind} may be one of {sorted(table)}."
            )
        spec = table[spec]()
    if type(spec) not in table.values():
        raise TypeError(
            f"The {kind} must be one of the names {sorted(table)} or an instance of "
            f"their classes; got {spec!r}."
        )
    spec = spec._replace(**_numbers(spec))
    if hasattr(spec, "check"):
        spec.check()
    return spec


def _numbers(spec):
    """Parameters annotated as float, as floats within their ranges."""
    allowed = getattr(type(spec), "allowed", {})
    return {
        name: _number(spec, name, allowed.get(name, ANY_NUMBER))
        for name, declared in type(spec).__annotations__.items()
        if declared in (float, "float")
    }


def _number(spec, name, allowed):
    parameter = getattr(spec, name)
    message = (
        f"{name} of {type(spec).__name__} must be {allowed.words}; got {parameter!r}."
    )
    # True and False are integers to Python, but nobody means a number by them.
    if isinstance(parameter, bool) or not isinstance(parameter, numbers.Real):
        raise TypeError(message)
    try:
        number = float(parameter)
    except OverflowError:  # an integer beyond all floats
        number = math.inf if parameter > 0 else -math.inf
    if number not in allowed:
        raise ValueError(message)
    return number
