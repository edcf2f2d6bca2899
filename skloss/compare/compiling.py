"""How long numba has been compiling, so that nobody's share of time pays for it."""

import sys
import time

__all__ = ["compiled_functions", "compiled_seconds", "is_compiling"]

_watch = None


def _watcher():
    """Make a listener of numba's events when numba is first seen; None before."""
    global _watch
    if _watch is None and "numba" in sys.modules:
        from numba.core import event

        class Watch(event.Listener):
            """Counts compilations and adds up the outermost ones' time."""

            def __init__(self):
                self.functions, self.seconds = 0, 0.0
                self._depth, self._start = 0, 0.0

            def on_start(self, event):
                if self._depth == 0:
                    self._start = time.perf_counter()
                self._depth += 1
                self.functions += 1

            def on_end(self, event):
                self._depth -= 1
                if self._depth == 0:
                    self.seconds += time.perf_counter() - self._start

        _watch = Watch()
        event.register("numba:compile", _watch)
    return _watch


def compiled_seconds():
    """Seconds spent compiling since numba was first seen.

    Returns
    -------
    float
    """
    watch = _watcher()
    return 0.0 if watch is None else watch.seconds


def compiled_functions():
    """Functions compiled since numba was first seen; loading from disk is free.

    Returns
    -------
    int
    """
    watch = _watcher()
    return 0 if watch is None else watch.functions


def is_compiling():
    """Whether this thread is inside numba's compiler, which must not be interrupted.

    Returns
    -------
    bool
    """
    if "numba" not in sys.modules:
        return False
    from numba.core.compiler_lock import global_compiler_lock

    return bool(global_compiler_lock.is_locked())
