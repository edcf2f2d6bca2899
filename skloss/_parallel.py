"""Row blocks over plain threads, with results that do not depend on the threads.

Compiled kernels release the interpreter lock, so plain threads are enough: nothing is
pickled, nothing is copied, and no parallel runtime is loaded that could clash with
another one in the process.

Rules of use:

- the caller chooses blocks from the data alone, never from the number of threads;
- results come back in block order, and reductions combine them in that order;
- only regions of 5 ms and more are worth threads (`threads_for` says when).
"""

import contextlib
import contextvars
import functools
import itertools
import threading

import joblib
from joblib.parallel import get_active_backend
from threadpoolctl import ThreadpoolController, threadpool_info

__all__ = ["effective_threads", "map_row_blocks", "one_blas_thread", "threads_for"]

# Bytes that a kernel bound by memory reads in about 5 ms on one core; for less,
# threads do not pay.
_WORTH_THREADS = 1 << 26


def effective_threads(n_jobs=None):
    """Return the number of threads that a kernel may use here and now.

    This is what scikit-learn's own OpenMP estimators would use: ``OMP_NUM_THREADS``,
    threadpoolctl's limits, cgroup quotas and the limits that joblib sets in its
    worker processes all count. Inside a joblib worker *thread* it is 1, because the
    loop outside already keeps the cores busy.

    Parameters
    ----------
    n_jobs : int, default=None
        At most this many threads; None and -1 mean all that are allowed, -2 all but
        one, and so on, as everywhere in scikit-learn.

    Returns
    -------
    int
        At least 1.

    Raises
    ------
    ValueError
        If `n_jobs` is 0.

    Examples
    --------
    >>> from skloss._parallel import effective_threads
    >>> effective_threads(n_jobs=1)
    1
    """
    if n_jobs == 0:
        raise ValueError("n_jobs=0 is not allowed: use None, -1 or a positive number.")
    allowed = 1 if _in_joblib_thread() else _openmp_threads()
    if n_jobs is None:
        return allowed
    if n_jobs < 0:
        return max(1, allowed + n_jobs + 1)
    return min(n_jobs, allowed)


def threads_for(n_bytes, n_jobs=None):
    """Return the number of threads for one pass over `n_bytes` of data.

    Parameters
    ----------
    n_bytes : int
        Size of the data that the region reads.
    n_jobs : int, default=None
        As in `effective_threads`.

    Returns
    -------
    int
        1 when the region is too small for threads to pay.
    """
    if n_bytes < _WORTH_THREADS:
        return 1
    return effective_threads(n_jobs)


def map_row_blocks(function, n_rows, block_rows, n_threads=1):
    """Apply a function to consecutive blocks of rows.

    Parameters
    ----------
    function : callable
        Called as ``function(start, stop)``. It runs in several threads at once and
        sees the caller's context (``numpy.errstate``, for one). If it uses BLAS, enter
        `one_blas_thread` in it, and around the call, which makes that cheap.
    n_rows : int
        Number of rows in all.
    block_rows : int
        Rows in each block; the last block holds the rest.
    n_threads : int, default=1
        The calling thread counts as one and works too.

    Returns
    -------
    list
        One result for each block, in block order for any number of threads.

    Raises
    ------
    Exception
        What `function` raised; of several exceptions, that of the first block. No
        block is begun after one has failed.

    Examples
    --------
    >>> from skloss._parallel import map_row_blocks
    >>> map_row_blocks(lambda start, stop: (start, stop), 10, 4, n_threads=2)
    [(0, 4), (4, 8), (8, 10)]
    """
    starts = range(0, n_rows, block_rows)
    n_threads = min(n_threads, len(starts))
    if n_threads <= 1:
        return [function(i, min(i + block_rows, n_rows)) for i in starts]

    results = [None] * len(starts)
    failures = []
    # next() of a counter is a single step of the interpreter: no lock is needed.
    ticket = itertools.count()

    def work():
        while not failures and (block := next(ticket)) < len(starts):
            start = starts[block]
            try:
                results[block] = function(start, min(start + block_rows, n_rows))
            except BaseException as error:  # also an interrupt: it is raised below
                failures.append((block, error))

    helpers = [
        threading.Thread(target=contextvars.copy_context().run, args=(work,))
        for _ in range(n_threads - 1)
    ]
    for helper in helpers:
        helper.start()
    work()
    for helper in helpers:
        helper.join()
    if failures:
        raise min(failures, key=lambda failure: failure[0])[1]
    return results


@contextlib.contextmanager
def one_blas_thread():
    """Context in which BLAS runs on the calling thread alone.

    For functions that call BLAS from several threads at once. Most libraries have one
    limit for the whole process: it holds as long as any thread is in such a context,
    and the last one to leave restores what the first one found.

    Yields
    ------
    None
    """
    own = [lib for lib in _blas_libraries() if _limits_one_thread(lib)]
    shared = [lib for lib in _blas_libraries() if lib not in own]
    before = [lib.num_threads for lib in own]
    _shared_limit.enter(shared)
    _set_threads(own, [1] * len(own))
    try:
        yield
    finally:
        _set_threads(own, before)
        _shared_limit.leave()


class _SharedLimit:
    """A limit of one thread that all who ask for it share, counted.

    Were each to restore what it found, one could restore another one's limit.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._n_users = 0
        self._libraries, self._before = [], []

    def enter(self, libraries):
        with self._lock:
            if self._n_users == 0:
                self._libraries = libraries
                self._before = [lib.num_threads for lib in libraries]
                _set_threads(libraries, [1] * len(libraries))
            self._n_users += 1

    def leave(self):
        with self._lock:
            self._n_users -= 1
            if self._n_users == 0:
                _set_threads(self._libraries, self._before)


_shared_limit = _SharedLimit()


def _set_threads(libraries, numbers):
    for lib, number in zip(libraries, numbers, strict=True):
        # From 3.8 on, threadpoolctl ignores all threads but the one that first set a
        # limit. Here any thread may be the first or the last.
        release = getattr(lib, "clear_controlling_thread", None)
        if release:
            release(force=True)
        lib.set_num_threads(number)
        if release:
            release(force=True)


def _limits_one_thread(lib):
    """Whether the limit of a BLAS library holds for the thread that sets it alone."""
    return lib.internal_api == "openblas" and lib.threading_layer == "openmp"


@functools.cache
def _blas_libraries():
    # Finding the libraries takes milliseconds, limiting them microseconds. Only those
    # that are loaded are found: SciPy's BLAS, which is not NumPy's, comes with linalg.
    import scipy.linalg  # noqa: F401

    found = ThreadpoolController().select(user_api="blas").lib_controllers
    return [lib for lib in found if lib.num_threads is not None]


def _in_joblib_thread():
    """Whether the caller is a thread of a joblib loop (and not a worker process)."""
    if threading.current_thread() is threading.main_thread():
        return False
    return (get_active_backend()[0].nesting_level or 0) > 0


def _openmp_threads():
    try:  # microseconds, but not promised to stay
        from sklearn.utils._openmp_helpers import _openmp_effective_n_threads
    except ImportError:
        return _openmp_threads_by_inspection()
    return _openmp_effective_n_threads()


def _openmp_threads_by_inspection():
    """Find the same number with public means, in milliseconds."""
    limits = [
        library["num_threads"]
        for library in threadpool_info()
        if library["user_api"] == "openmp"
    ]
    return max(1, min([*limits, joblib.cpu_count(only_physical_cores=True)]))
