"""The bridge from solvers to scikit-learn's callbacks and to ``verbose``.

A solver knows only ``callback(info)``, called once per outer iteration and answering
True to stop. An estimator hands it a :class:`Progress`.
"""

import math
import numbers
import time

__all__ = ["Progress"]


class Progress:
    """Report the iterations of a fit; use it as the solver's `callback`.

    It opens the estimator's task for scikit-learn's callbacks when entered, makes
    every iteration a subtask, and closes the task at the end of the ``with`` block,
    where the estimator must hold its fitted attributes. `fit` must be decorated by
    scikit-learn's ``_fit_context``, which tears the callbacks down. Where it is not
    entered, as in fits to parts of the data, it prints only. Without callbacks
    and with ``verbose=0`` an iteration costs one comparison.

    Parameters
    ----------
    estimator : estimator
        The estimator being fitted. Without ``CallbackSupportMixin`` only `verbose`
        has an effect.
    X, y : array-like, default=None
        Training data for callbacks that score, as the user gave them.
    max_iter : int or None
        Largest number of iterations, the length of progress bars; None if unknown.
    verbose : int or bool, default=0
        Print one line per iteration when true.
    attributes : callable, default=None
        ``attributes(info)`` returns the dictionary of fitted attributes that make the
        estimator able to predict as if the fit stopped there. Called only when a
        callback needs it; copy ``info.x``.
    sample_weight : array-like of shape (n_samples,), default=None
        Handed to callbacks that score.
    task_name : str, default="iteration"
        What one subtask is called.

    Attributes
    ----------
    stopped : bool
        Whether a callback asked to stop.

    Examples
    --------
    >>> from typing import NamedTuple
    >>> from sklearn.base import BaseEstimator
    >>> from skloss._progress import Progress
    >>> class Step(NamedTuple):
    ...     n_iter: int
    ...     objective: float
    >>> class Toy(BaseEstimator):
    ...     pass
    >>> with Progress(Toy(), max_iter=2, verbose=1) as progress:
    ...     stop = progress(Step(1, 0.5))  # doctest: +ELLIPSIS
    [Toy] iteration 1/2  objective 0.5  ... s
    """

    def __init__(
        self,
        estimator,
        X=None,
        y=None,
        *,
        max_iter,
        verbose=0,
        attributes=None,
        sample_weight=None,
        task_name="iteration",
    ):
        self.estimator = estimator
        self.max_iter = max_iter
        self.verbose = verbose
        self.attributes = attributes
        self.task_name = task_name
        metadata = None if sample_weight is None else {"sample_weight": sample_weight}
        self._data = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = self._step = None
        self._start, self._listened = time.perf_counter(), False
        self.stopped = False

    def __enter__(self):
        self._start = time.perf_counter()
        if hasattr(self.estimator, "_init_callback_context"):
            # Also without callbacks: a search over this estimator keeps one tree of
            # tasks, in which this fit must take its place.
            self._context = self.estimator._init_callback_context(
                max_subtasks=self.max_iter
            )
            self._context.call_on_fit_task_begin(**self._data)
        self._listened = self._context is not None and hasattr(
            self.estimator, "_skl_callbacks"
        )
        self._begin_step(0)
        return self

    def __call__(self, info):
        """Report one iteration.

        Parameters
        ----------
        info : named tuple
            With `n_iter` and any other figures; ``converged=True`` says that no
            iteration will follow. Numbers are printed when verbose.

        Returns
        -------
        bool
            Whether a callback asks to stop.
        """
        if self.verbose:
            print(self._line(info), flush=True)
        if not self._listened:
            return False
        attributes = self.attributes
        stop = self._step.call_on_fit_task_end(
            **self._data,
            reconstruction_attributes=attributes and (lambda: attributes(info)),
        )
        self._step = None
        self.stopped = bool(stop)
        if not (stop or getattr(info, "converged", False)):
            self._begin_step(info.n_iter)
        return stop

    def __exit__(self, error_type, error, traceback):
        if error_type is not None or self._context is None:
            return
        if self._step is not None:  # begun, but the solver had stopped
            self._step.call_on_fit_task_end(estimator=self.estimator)
        self._context.call_on_fit_task_end(**self._data, reconstruction_attributes={})

    def _begin_step(self, n_done):
        if self._listened and (self.max_iter is None or n_done < self.max_iter):
            self._step = self._context.subcontext(task_name=self.task_name)
            self._step.call_on_fit_task_begin(**self._data)

    def _line(self, info):
        total = "" if self.max_iter is None else f"/{self.max_iter}"
        figures = [
            f"{name.replace('_', ' ')} {value:.{10 if name == 'objective' else 4}g}"
            for name, value in info._asdict().items()
            if name != "n_iter" and _is_figure(value)
        ]
        head = f"[{type(self.estimator).__name__}] {self.task_name}"
        seconds = f"{time.perf_counter() - self._start:.1f} s"
        return "  ".join([f"{head} {info.n_iter}{total}", *figures, seconds])


def _is_figure(value):
    """Whether a field is a number worth printing (flags, arrays and nan are not)."""
    return (
        isinstance(value, numbers.Real)
        and not isinstance(value, bool)
        and not math.isnan(value)
    )
