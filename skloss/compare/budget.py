"""Keeping to a time budget without favouring anybody.

Time is shared as water fills a vessel: models that need little get what they need, and
the rest is divided equally among the others. So no model whose work fits into an equal
share is ever cut, whatever its rivals do.
"""

import contextlib
import math
import signal
import threading
import time

from skloss.compare.compiling import compiled_seconds, is_compiling

__all__ = [
    "Clock",
    "OutOfTime",
    "affordable_candidates",
    "extrapolate",
    "search_seconds",
    "shares",
    "time_limit",
]


_REPEAT = 0.1


class OutOfTime(BaseException):  # past any "except Exception" inside a fit
    """A fit was stopped because its time was up."""


class Clock:
    """Seconds spent and left, those of numba's compiler not counted.

    Compiling happens once on a machine and says nothing about a model; charging it
    would cut whatever runs first.

    Parameters
    ----------
    budget : float
        Seconds in all.
    """

    def __init__(self, budget):
        self.budget = float(budget)
        self._start = time.perf_counter()
        self._compiled = compiled_seconds()

    @property
    def compiling(self):
        """Seconds that went into compiling since the start."""
        return compiled_seconds() - self._compiled

    @property
    def spent(self):
        """Seconds since the start, without compiling."""
        return time.perf_counter() - self._start - self.compiling

    @property
    def left(self):
        """Seconds left, never negative."""
        return max(0.0, self.budget - self.spent)


def shares(needs, total):
    """Divide a total so that small needs are met and large ones get equal parts.

    Parameters
    ----------
    needs : list of float
    total : float

    Returns
    -------
    list of float
        Each at most its need; the sum is at most the total.

    Examples
    --------
    >>> from skloss.compare.budget import shares
    >>> shares([1.0, 10.0, 10.0], 9.0)
    [1.0, 4.0, 4.0]
    """
    given = [0.0] * len(needs)
    left = total
    order = sorted(range(len(needs)), key=needs.__getitem__)
    for position, i in enumerate(order):
        given[i] = min(needs[i], left / (len(order) - position))
        left -= given[i]
    return given


def affordable_candidates(fit_seconds, share, *, n_splits, n_inner, n_candidates):
    """Most candidates whose whole search fits into a share of the time.

    Cuts go by halves, so that small changes of speed rarely change the plan.

    Parameters
    ----------
    fit_seconds : float
        One fit on a training part.
    share : float
        Seconds granted.
    n_splits, n_inner, n_candidates : int
        Splits, inner folds, and size of the full grid.

    Returns
    -------
    int
        0 when only the defaults can be afforded.
    """
    count = n_candidates
    while count and (
        search_seconds(fit_seconds, n_splits=n_splits, n_inner=n_inner, n=count) > share
    ):
        count //= 2
    return count if count > 1 else 0


def search_seconds(fit_seconds, *, n_splits, n_inner, n):
    """Predicted seconds for all splits of one model.

    Parameters
    ----------
    fit_seconds : float
        One fit on a training part.
    n_splits, n_inner : int
    n : int
        Candidates; 0 or 1 means that nothing is searched.

    Returns
    -------
    float
    """
    searched = n if n > 1 else 0
    inner = searched * n_inner * (1 - 1 / n_inner) * fit_seconds
    # The default, the chosen candidate, and the inner search on every split.
    return n_splits * ((2 if searched else 1) * fit_seconds + inner)


def extrapolate(times, factor):
    """Predict the time on many rows from the times on half of some rows and on all.

    A fixed cost and one for each row explain growth up to doubling; beyond, the power
    of the growth seen is continued, up to the cube.

    Parameters
    ----------
    times : (float, float)
        On half of the rows, and on all of them.
    factor : float
        How many times more rows there will be.

    Returns
    -------
    float

    Examples
    --------
    >>> from skloss.compare.budget import extrapolate
    >>> extrapolate((1.5, 2.0), 10), extrapolate((1.0, 4.0), 10)
    (11.0, 400.0)
    """
    half, full = times
    if full <= 2 * half:
        return full + 2 * max(full - half, 0.0) * (factor - 1)
    return full * factor ** min(math.log2(full / half), 3)


@contextlib.contextmanager
def time_limit(seconds):
    """Raise OutOfTime in the block when it runs longer than allowed.

    Works where signals do: in the main thread of POSIX systems. Elsewhere the block
    runs to its end. A single call into compiled code is interrupted when it returns,
    and numba's compiler is left alone: its time does not count, and an exception in the
    midst of it would be printed by the compiler and leave its state undefined.

    Parameters
    ----------
    seconds : float
    """
    usable = (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and math.isfinite(seconds)
    )
    if not usable:
        yield
        return
    clock, active, raised = Clock(max(seconds, 1e-3)), True, False

    def stop(signum, frame):
        nonlocal raised
        if active and not is_compiling() and clock.left <= 0:
            raised = True
            raise OutOfTime

    previous = signal.signal(signal.SIGALRM, stop)
    # Repeated, because what must not raise (a callback, a destructor) can swallow the
    # first signal, and because compiling moves the end.
    signal.setitimer(signal.ITIMER_REAL, clock.budget, _REPEAT)
    try:
        yield
    except Exception as error:
        # Compiled code that is interrupted may report the interruption as an error of
        # its own, whatever it was doing then.
        if raised:
            raise OutOfTime from error
        raise
    finally:
        active = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
