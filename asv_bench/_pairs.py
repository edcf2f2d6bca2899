"""Fair comparisons on shared machines.

A time means little where other programs come and go. Here two functions run in turn,
on one thread unless said otherwise, and the ratio of their best times is kept: what
slows one run of a pair down slows its neighbour down too, and the minimum is what the
code itself needs.
"""

import gc
import time
import tracemalloc

from threadpoolctl import threadpool_limits

__all__ = ["Ratio", "limit_repeats", "peak_bytes", "ratio"]

UNIT = "ours/peer"  # below 1: ours needs less

# A run shorter than this is repeated within one measurement.
_SHORTEST = 2e-3
_most_repeats = None


class Ratio(float):
    """The ratio ours/peer, and what it was made of.

    Attributes
    ----------
    ours, peer : float
        Best seconds, or bytes, of each.
    """

    def __new__(cls, ours, peer):
        """Divide, and remember."""
        self = super().__new__(cls, ours / peer)
        self.ours, self.peer = ours, peer
        return self


def limit_repeats(most):
    """Let all later comparisons take at most so many repeats, for a quick look."""
    global _most_repeats
    _most_repeats = most


def _seconds(function, number):
    start = time.perf_counter()
    for _ in range(number):
        function()
    return (time.perf_counter() - start) / number


def ratio(ours, peer, repeat=15, n_threads=1):
    """Run two functions alternately and compare their best times.

    Parameters
    ----------
    ours, peer : callable
        Functions without arguments that do the same work.
    repeat : int, default=15
        Measurements of each; who goes first changes every time.
    n_threads : int or None, default=1
        Most threads of BLAS and OpenMP for both; None for what the process has.

    Returns
    -------
    Ratio
        Best time of `ours` over best time of `peer`.
    """
    functions = ours, peer
    best = [float("inf"), float("inf")]
    with threadpool_limits(n_threads):
        # The first call compiles, the second tells how long one takes.
        numbers = []
        for function in functions:
            function()
            numbers.append(1 + int(_SHORTEST / max(_seconds(function, 1), 1e-7)))
        collecting = gc.isenabled()
        gc.disable()
        try:
            for i in range(min(repeat, _most_repeats or repeat)):
                for j in (0, 1) if i % 2 else (1, 0):
                    best[j] = min(best[j], _seconds(functions[j], numbers[j]))
        finally:
            if collecting:
                gc.enable()
    return Ratio(*best)


def peak_bytes(function):
    """Return the most memory that a function held at any one time.

    Parameters
    ----------
    function : callable
        Called twice: first to compile and to fill caches, then to be measured.

    Returns
    -------
    int
        Bytes that Python and NumPy allocated; libraries that call malloc themselves
        are not counted (asv's ``peakmem_`` benchmarks count the whole process).
    """
    with threadpool_limits(1):
        function()
        gc.collect()
        tracemalloc.start()
        try:
            function()
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
