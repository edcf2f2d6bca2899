"""Compiled kernels on disk, fresh whatever file was edited.

Numba's own cache is keyed by the file of the cached function alone, so that an edited
helper in another file leaves stale numbers in its callers. Here an entry is stamped
with the sources of all modules of the package that the kernel's module imports,
directly or not, and of the modules that implement the losses in its signature.
"""

import functools
import hashlib
import re
from collections import defaultdict
from pathlib import Path

from numba import types
from numba.core.caching import FunctionCache

__all__ = ["KernelCache", "is_packaged", "record_implementation", "sources_hash"]

_PACKAGE = __name__.partition(".")[0]
_ROOT = Path(__file__).parent
_IMPORT = re.compile(
    rf"^[ ]*from\s+({_PACKAGE}[\w.]*)\s+import\s+(\([^)]*\)|.*)|"
    rf"^[ ]*import\s+({_PACKAGE}[\w.]*)",
    re.MULTILINE,
)

_implementing_modules = defaultdict(set)  # class -> names of modules


def is_packaged(code):
    """Whether a function or class belongs to this package.

    Parameters
    ----------
    code : function or class

    Returns
    -------
    bool
    """
    return code.__module__.partition(".")[0] == _PACKAGE


def record_implementation(cls, implementation):
    """Note that compiled code for `cls` depends on the module of `implementation`.

    Parameters
    ----------
    cls : type
        A loss or penalty.
    implementation : function
        One of its implementations.
    """
    _implementing_modules[cls].add(implementation.__module__)


@functools.cache
def _path(module):
    """Source file of a module of the package, None if there is no such module."""
    base = _ROOT.joinpath(*module.split(".")[1:])
    for path in (base / "__init__.py", base.with_suffix(".py")):
        if path.is_file():
            return path
    return None


@functools.cache
def _read(module):
    """Digest of a module's source, and the modules of the package it imports."""
    source = _path(module).read_bytes()
    imported = set()
    for parent, names, whole in _IMPORT.findall(source.decode()):
        imported.add(parent or whole)
        imported.update(f"{parent}.{name}" for name in re.findall(r"\w+", names))
    return hashlib.sha256(source).hexdigest(), {m for m in imported if _path(m)}


@functools.cache
def sources_hash(*modules):
    """Hash the sources of modules and of everything in the package they import.

    Parameters
    ----------
    *modules : str
        Full names of modules of the package.

    Returns
    -------
    str
        Hexadecimal SHA-256 digest.
    """
    digests, waiting = {}, [*modules]
    while waiting:
        module = waiting.pop()
        if module not in digests:
            digests[module], imported = _read(module)
            waiting.extend(imported)
    return hashlib.sha256(repr(sorted(digests.items())).encode()).hexdigest()


def _closed_over(function):
    """Functions that a function closed over, themselves included."""
    yield function
    for cell in function.__closure__ or ():
        inner = getattr(cell.cell_contents, "py_func", cell.cell_contents)
        if hasattr(inner, "__code__"):
            yield from _closed_over(inner)


def _fingerprint(value):
    """Describe what a compiled function sees of a value it closed over."""
    function = getattr(value, "py_func", value)
    if not hasattr(function, "__code__"):
        return f"{type(value).__name__} {value!r}"
    cells = [_fingerprint(c.cell_contents) for c in function.__closure__ or ()]
    return f"{function.__module__}.{function.__qualname__} {cells}"


def _tuple_classes(signature):
    """Classes of the named tuples in a signature, nested ones included."""
    for argument in signature:
        if isinstance(argument, types.BaseNamedTuple):
            yield argument.instance_class
        if isinstance(argument, types.BaseTuple):
            yield from _tuple_classes(argument)


class KernelCache(FunctionCache):
    """Disk cache of one kernel that is never stale and never stops a fit.

    Only what the hash covers is cached: no functions from other packages, no losses
    that a user wrote. Index keys are plain strings: numba pickles the classes of the
    signature, and an index naming a class that a later version moved cannot be read.
    Entries carry their key, because processes that save at the same time may
    overwrite each other's files.

    Parameters
    ----------
    py_func : function
        The kernel's Python function.

    Raises
    ------
    RuntimeError
        If no folder on this machine can be written.
    """

    def _index_key(self, sig, codegen):
        classes = [*_tuple_classes(sig)]
        implementers = {m for c in classes for m in _implementing_modules[c]}
        parts = (
            str(sig),
            [f"{c.__module__}.{c.__qualname__}" for c in classes],
            codegen.magic_tuple(),
            hashlib.sha256(self._py_func.__code__.co_code).hexdigest(),
            _fingerprint(self._py_func),
            self._stamp(),
            sources_hash(*sorted(implementers | {c.__module__ for c in classes})),
        )
        return repr(parts)

    def _stamp(self):
        modules = {function.__module__ for function in _closed_over(self._py_func)}
        return sources_hash(*sorted(modules))

    def _covers(self, sig):
        classes = [*_tuple_classes(sig)]
        modules = {m for c in classes for m in _implementing_modules[c]}
        return all(map(is_packaged, (*_closed_over(self._py_func), *classes))) and all(
            module.partition(".")[0] == _PACKAGE for module in modules
        )

    def load_overload(self, sig, target_context):
        """Return the compiled code of a signature, None if there is none."""
        if not self._covers(sig):
            return None
        try:
            self._cache_file._source_stamp = self._stamp()
            return super().load_overload(sig, target_context)
        except Exception:  # a damaged entry costs a compilation, not the fit
            return None

    def _load_overload(self, sig, target_context):
        key = self._index_key(sig, target_context.codegen())
        found, data = (self._enabled and self._cache_file.load(key)) or (None, None)
        return self._impl.rebuild(target_context, data) if found == key else None

    def save_overload(self, sig, data):
        """Save the compiled code of a signature."""
        if not self._covers(sig):
            return
        try:
            self._cache_file._source_stamp = self._stamp()
            super().save_overload(sig, data)
        except OSError:  # a full disk or a folder that became read-only
            self.disable()

    def _save_overload(self, sig, data):
        if not (self._enabled and self._impl.check_cachable(data)):
            return
        self._impl.locator.ensure_cache_path()
        key = self._index_key(sig, data.codegen)
        entry = key, self._impl.reduce(data)
        try:
            self._cache_file.save(key, entry)
        except OSError:
            raise
        except Exception:  # the index cannot be read: begin a new one
            self.flush()
            self._cache_file.save(key, entry)
