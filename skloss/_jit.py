"""The one kernel decorator, and functions chosen by the type of a loss.

Every compiled function of the package is made by :func:`kernel`, and every function
that means something different for each loss or penalty by :func:`dispatched`. Nothing
else in the package calls numba's decorators.
"""

import functools
import hashlib
from pathlib import Path

from numba import njit, types
from numba.core.caching import FunctionCache
from numba.extending import overload

__all__ = ["dispatched", "kernel", "kernel_sources_hash"]

# Flags that reorder or fuse arithmetic but keep inf and nan meaningful. "nnan" and
# "ninf" are left out on purpose: kernels must see the nan they are handed.
_SAFE_FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


@functools.cache
def kernel_sources_hash(root=None):
    """Hash of every source file that takes part in compilation.

    A file takes part when it mentions this module, which all files that define
    kernels do. Constants that kernels read must therefore live in such a file too.

    Parameters
    ----------
    root : path-like, default=None
        Folder to hash; the installed package by default.

    Returns
    -------
    str
        Hexadecimal SHA-256 digest.
    """
    root = Path(__file__).parent if root is None else Path(root)
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        source = path.read_bytes()
        if b"_jit" in source:
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(source)
    return digest.hexdigest()


def _tuple_classes(signature):
    """Classes of the named tuples in a signature, nested ones included."""
    for argument in signature:
        if isinstance(argument, types.BaseNamedTuple):
            yield argument.instance_class
        if isinstance(argument, types.BaseTuple):
            yield from _tuple_classes(argument)


class _KernelCache(FunctionCache):
    """Disk cache that notices edits in other files and never stops a fit.

    Numba's own cache is keyed by the caller's file alone, so that an edited helper
    leaves stale numbers in its callers. Here the freshness stamp is the hash of all
    kernel sources. Index keys are plain strings: numba pickles the classes of the
    signature, and an index naming a class that a later version moved cannot be read.
    """

    def __init__(self, py_func):
        super().__init__(py_func)
        self._cache_file._source_stamp = kernel_sources_hash()

    def _index_key(self, sig, codegen):
        classes = [f"{c.__module__}.{c.__qualname__}" for c in _tuple_classes(sig)]
        code = hashlib.sha256(self._py_func.__code__.co_code).hexdigest()
        return repr((str(sig), classes, codegen.magic_tuple(), code))

    @staticmethod
    def _is_ours(sig):
        """Whether all losses in the signature are covered by the sources' hash."""
        package = __name__.partition(".")[0]
        return all(
            c.__module__.partition(".")[0] == package for c in _tuple_classes(sig)
        )

    def load_overload(self, sig, target_context):
        if not self._is_ours(sig):
            return None
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged entry costs a compilation, not the fit
            return None

    def save_overload(self, sig, data):
        if not self._is_ours(sig):
            return
        try:
            super().save_overload(sig, data)
        except OSError:  # a full disk or a folder that became read-only
            self.disable()


def kernel(function=None, *, fastmath=False, inline="never"):
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

    Returns
    -------
    numba dispatcher

    Raises
    ------
    ValueError
        If `fastmath` would let the compiler assume that nan or inf do not occur.
    """
    if function is None:
        return functools.partial(kernel, fastmath=fastmath, inline=inline)
    if fastmath is True or (fastmath and not set(fastmath) <= _SAFE_FASTMATH):
        raise ValueError(
            f"fastmath={fastmath!r}: kernels may use only {sorted(_SAFE_FASTMATH)}."
        )
    compiled = njit(
        nogil=True, error_model="numpy", fastmath=fastmath, inline=inline
    )(function)
    try:
        compiled._cache = _KernelCache(function)
    except RuntimeError:  # no folder on this machine can be written: compile anew
        pass
    return compiled


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
        With ``implement(cls)``, a decorator that registers an implementation,
        ``implementations``, the table, and ``supports(instance)``.

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
    table = {}

    @functools.wraps(stub)
    def function(chosen, *args):
        try:
            implementation = table[type(chosen)]
        except KeyError:
            raise TypeError(
                f"{stub.__name__} is not defined for {type(chosen).__name__}."
            ) from None
        return implementation(chosen, *args)

    def choose(chosen, *args):
        if isinstance(chosen, types.BaseNamedTuple):
            return table.get(chosen.instance_class)
        return None

    overload(function, inline="always", strict=False)(choose)

    def implement(cls):
        if cls in table:
            raise ValueError(f"{stub.__name__} of {cls.__name__} is defined already.")

        def register(implementation):
            table[cls] = implementation
            return implementation

        return register

    function.implement = implement
    function.implementations = table
    function.supports = lambda instance: type(instance) in table
    return function
