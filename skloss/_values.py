"""Losses and penalties as values: named, compared by type and parameters."""

__all__ = ["register_in", "resolve"]


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
        ``register(name)``, a class decorator.
    """

    def register(name):
        def decorate(cls):
            cls.__eq__, cls.__ne__, cls.__hash__ = _same, _differs, _hash
            cls.__bool__ = lambda self: True
            cls.name = name
            table[name] = cls
            return cls

        return decorate

    return register


def resolve(spec, table, kind):
    """Turn a public name or an instance into an instance with valid parameters.

    Parameters
    ----------
    spec : str or named tuple
        A name in `table`, which stands for the default parameters, or an instance of
        one of its classes.
    table : dict
        Public name -> class.
    kind : str
        What the table holds, for messages: "loss", "penalty".

    Returns
    -------
    named tuple
        An instance whose parameters annotated as float are floats, so that kernels
        compile once for ``delta=1`` and ``delta=1.0``. If its class has a method
        ``check``, it was called and may have raised.

    Raises
    ------
    ValueError
        If the name is unknown or a parameter is out of range.
    TypeError
        If `spec` is neither a name nor an instance.
    """
    if isinstance(spec, str):
        if spec not in table:
            raise ValueError(
                f"Unknown {kind} {spec!r}; the {kind} may be one of {sorted(table)}."
            )
        return table[spec]()
    if type(spec) not in table.values():
        raise TypeError(
            f"The {kind} must be one of the names {sorted(table)} or an instance of "
            f"their classes; got {spec!r}."
        )
    if hasattr(spec, "check"):
        spec.check()
    return spec._replace(
        **{
            name: float(getattr(spec, name))
            for name, declared in type(spec).__annotations__.items()
            if declared in (float, "float")
        }
    )
