"""The one kernel decorator, and functions chosen by the type of a loss.

Every compiled function of the package is made by :func:`kernel`; every function that
means something different for each loss or penalty by :func:`dispatched`, and for each
dtype by :func:`compiled_for`. Nothing else in the package calls numba's decorators.
"""

import contextlib
import functools
import zlib
from typing import NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import overload

from skloss._kernel_cache import KernelCache, is_packaged, record_implementation

__all__ = [
    "KernelCount",
    "compiled_for",
    "compiled_kernels",
    "dispatched",
    "kernel",
]

# Flags that reorder or fuse arithmetic but keep inf and nan meaningful. "nnan" and
# "ninf" are left out on purpose: kernels must see the nan they are handed.
_SAFE_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}

_PLAIN = (int, float, str, tuple, type, np.generic)  # what a name may be made of

_KERNELS = []  # every kernel of the package, in the order of definition


def kernel(function=None, *, fastmath=False, inline="never", forceinline=False):
    """Compile a function for numba, cached on disk and without the GIL.

    Parameters
    ----------
    function : callable, default=None
        The Python function; None when used with options.
    fastmath : set of str or False, default=False
        Floating-point freedoms, of {"reassoc", "contract", "arcp", "nsz"}. Sums
        vectorise only with "reassoc".
    inline : {"never", "always"}, default="never"
        "always" inlines before type inference; LLVM inlines small functions anyway.
    forceinline : bool, default=False
        Make LLVM inline the function whatever its size, so that loops over it
        vectorise; compiles faster than ``inline="always"``.

    Returns
    -------
    numba dispatcher

    Raises
    ------
    ValueError
        If `fastmath` would let the compiler assume that nan or inf do not occur.
    """
    if function is None:
        options = {"fastmath": fastmath, "inline": inline, "forceinline": forceinline}
        return functools.partial(kernel, **options)
    if fastmath is True or (fastmath and not set(fastmath) <= _SAFE_FASTMATH):
        raise ValueError(
            f"fastmath={fastmath!r}: kernels may use only {sorted(_SAFE_FASTMATH)}."
        )
    _name_apart(function)
    compiled = njit(
        nogil=True,
        error_model="numpy",
        fastmath=fastmath,
        inline=inline,
        forceinline=forceinline,
    )(function)
    with contextlib.suppress(RuntimeError):  # no folder can be written: no cache
        compiled._cache = KernelCache(function)
    if is_packaged(function):
        _KERNELS.append(compiled)
    return compiled


class KernelCount(NamedTuple):
    """How many signatures of a kernel this process compiled and loaded from disk."""

    name: str
    compiled: int
    loaded: int


def compiled_kernels():
    """List the package's kernels that are ready to run in this process.

    Returns
    -------
    list of KernelCount
        Kernels with at least one signature, in the order of their definition.
        Kernels that only served inside others do not count.
    """
    counts = []
    for kernel_ in _KERNELS:
        loaded = sum(kernel_.stats.cache_hits.values())
        compiled = len(kernel_.signatures) - loaded
        if compiled or loaded:
            function = kernel_.py_func
            name = f"{function.__module__}.{function.__qualname__}"
            counts.append(KernelCount(name, compiled, loaded))
    return counts


def dispatched(stub):
    """Make a function whose implementation is chosen by its first argument's type.

    The first argument is a ``NamedTuple`` (a loss, a penalty). Plain Python looks the
    implementation up in a table; compiled code chooses it at compile time, so that
    loops hold no branches.

    Parameters
    ----------
    stub : callable
        Gives the name, the signature and the docstring; its body is not used.

    Returns
    -------
    callable
        With ``implement(cls)``, a decorator that registers an implementation;
        ``otherwise``, a decorator that registers one for all classes without their
        own; ``implementations``, the table; and ``supports(instance)``.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> from skloss._jit import dispatched
    >>> class Power(NamedTuple):
    ...     exponent: float = 2.0
    >>> @dispatched
    ... def value(loss, f):
    ...     "Value of a loss."
    >>> @value.implement(Power)
    ... def _(loss, f):
    ...     return f**loss.exponent
    >>> value(Power(3.0), 2.0)
    8.0
    """
    table, fallback = {}, []

    def find(cls):
        return table.get(cls) or (fallback[0] if fallback else None)

    @functools.wraps(stub)
    def function(chosen, *args):
        implementation = find(type(chosen))
        if implementation is None:
            raise TypeError(
                f"{stub.__name__} is not defined for {type(chosen).__name__}."
            )
        return implementation(chosen, *args)

    def choose(chosen, *args):
        if isinstance(chosen, types.BaseNamedTuple):
            return find(chosen.instance_class)
        return None

    overload(function, inline="always", strict=False)(choose)

    def implement(cls):
        if cls in table:
            raise ValueError(f"{stub.__name__} of {cls.__name__} is defined already.")

        def register(implementation):
            table[cls] = implementation
            record_implementation(cls, implementation)
            return implementation

        return register

    def otherwise(implementation):
        fallback[:] = [implementation]
        return implementation

    function.implement = implement
    function.otherwise = otherwise
    function.implementations = table
    function.supports = lambda instance: type(instance) in table
    return function


def _name_apart(function):
    """Give a function made by a factory a name that no other one has.

    Compiled code is linked by name: the qualified name, the types of the arguments,
    and a number that counts the functions of a process. Code from the disk brings the
    number of the process that compiled it, so that only the name can keep functions
    apart that are all called "compiled" by their factories.
    """
    if "<locals>" not in function.__qualname__:
        return
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    cells = [getattr(value, "py_func", value) for value in cells]
    made_of = "".join(
        repr(value)
        if isinstance(value, _PLAIN)
        else getattr(value, "__qualname__", type(value).__name__)
        for value in cells
    )
    line = function.__code__.co_firstlineno
    tag = zlib.crc32(f"{line} {made_of}".encode())
    function.__qualname__ += f"_{tag:08x}"


def compiled_for(function):
    """Give a plain function of one real number a compiled form for each dtype.

    Compiled code that calls `function` runs the kernel made for its argument's type,
    float32 or float64 (integers are converted to float64); plain Python runs
    `function` itself, which thus is an independent statement of what is computed.

    Parameters
    ----------
    function : callable
        The plain function of one argument.

    Returns
    -------
    callable
        Decorator for a factory that takes a NumPy dtype class and returns the kernel.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._jit import compiled_for, kernel
    >>> def half(x):
    ...     return 0.5 * x
    >>> @compiled_for(half)
    ... def _(real):
    ...     factor = real(0.5)
    ...     return kernel(lambda x: factor * x)
    >>> kernel(lambda x: half(x))(3.0)
    1.5
    """

    def register(factory):
        single, double = factory(np.float32), factory(np.float64)

        def choose(x):
            if x == types.float32:
                return lambda x: single(x)
            if isinstance(x, types.Number):
                return lambda x: double(np.float64(x))
            return None

        overload(function, inline="always", strict=False)(choose)
        function.kernels = {np.float32: single, np.float64: double}
        return factory

    return register
