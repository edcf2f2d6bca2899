"""Which estimators compete in which task.

One call of :func:`register` adds an estimator to every comparison of a task. Estimators
may be named by strings, so that registering imports nothing.
"""

import importlib
import inspect
from dataclasses import dataclass

from sklearn.base import clone

from skloss.compare.errors import InputError

__all__ = ["NEEDS", "TASKS", "Entry", "register", "registered"]

# Task -> what it is for, in the words of the command line.
TASKS = {
    "classification": "predict a class, with probabilities",
    "ordinal": "predict an ordered class",
    "regression": "predict a number",
    "sparse": "predict a number from few of many columns",
    "aggregate": "predict rows from labels known for bags of rows",
    "clustering": "group rows without a target",
}

# What an entry may ask for.
NEEDS = {
    "scaling": "columns brought to mean 0 and variance 1 on the training rows",
    "few rows": "left out above 10,000 training rows: memory grows with their square",
    "binary": "left out unless the target has two classes",
    "unit target": "left out unless the target lies between 0 and 1",
}

_ENTRIES = []


@dataclass(frozen=True)
class Entry:
    """One registered estimator.

    Attributes
    ----------
    task : str
        Task it competes in.
    estimator : estimator, class, callable or str
        Where it comes from; see :func:`register`.
    grid : dict
        Values to try for each parameter.
    baseline : bool
        Whether it is one of scikit-learn's rivals rather than one of skloss's own.
    needs : frozenset of str
        Keys of :data:`NEEDS`.
    name : str
        Name in tables.
    """

    task: str
    estimator: object
    grid: dict
    baseline: bool
    needs: frozenset
    name: str

    def make(self):
        """Make a new, unfitted estimator.

        Returns
        -------
        estimator
        """
        source = self.estimator
        if isinstance(source, str):
            module, _, attribute = source.partition(":")
            source = getattr(importlib.import_module(module), attribute)
        return source() if callable(source) else clone(source)

    @property
    def family(self):
        """Subpackage of skloss that the estimator lives in, or None."""
        source = self.estimator
        module = (
            source.partition(":")[0]
            if isinstance(source, str)
            else (source if inspect.isclass(source) else type(source)).__module__
        )
        parts = module.split(".")
        return parts[1] if parts[0] == "skloss" and len(parts) > 1 else None


def _name_of(estimator):
    if isinstance(estimator, str):
        return estimator.partition(":")[2]
    return getattr(estimator, "__name__", type(estimator).__name__)


def register(
    task, estimator, grid, *, baseline=False, needs=(), name=None, replace=False
):
    """Add an estimator to every comparison of a task.

    Parameters
    ----------
    task : {"classification", "ordinal", "regression", "sparse", "aggregate", \
"clustering"}
        Task it competes in.
    estimator : str, class, callable or estimator
        ``"package.module:Name"``, resolved on first use; a class or a function that is
        called without arguments; or an estimator, which is cloned. Its parameters as
        made are the "default" of the tables.
    grid : dict of str to list
        Values to try for each parameter in the inner search; empty for an estimator
        that tunes itself or has nothing to tune. Grids of about eight candidates are
        comparable with those already registered.
    baseline : bool, default=False
        True for scikit-learn's rivals, False for skloss's own.
    needs : str or iterable of str, default=()
        Any of "scaling", "few rows", "binary", "unit target".
    name : str, default=None
        Name in tables; the class's name by default.
    replace : bool, default=False
        Whether to take the place of another entry of that name. Registering the same
        entry twice is no fault.

    Returns
    -------
    Entry
        What was registered.

    Raises
    ------
    InputError
        When the task or a need is unknown, the grid is no dict, or the name is taken.

    Examples
    --------
    >>> from skloss.compare import register
    >>> entry = register(
    ...     "regression", "sklearn.linear_model:HuberRegressor",
    ...     {"epsilon": [1.1, 1.35, 2.0]}, baseline=True, needs="scaling",
    ... )
    >>> entry.name
    'HuberRegressor'
    >>> from skloss.compare.registry import unregister
    >>> unregister(entry)
    """
    needs = frozenset([needs] if isinstance(needs, str) else needs)
    if task not in TASKS:
        raise InputError(f"unknown task {task!r}; choose from {', '.join(TASKS)}")
    if not needs <= NEEDS.keys():
        raise InputError(
            f"unknown need {sorted(needs - NEEDS.keys())[0]!r}; "
            f"choose from {', '.join(NEEDS)}"
        )
    if not isinstance(grid, dict):
        raise InputError(f"grid must be a dict of lists, got {type(grid).__name__}")
    entry = Entry(
        task, estimator, grid, bool(baseline), needs, name or _name_of(estimator)
    )
    same_name = [e for e in _ENTRIES if (e.task, e.name) == (task, entry.name)]
    if not replace and any(e != entry for e in same_name):
        raise InputError(
            f"{task} already has an entry named {entry.name!r}; give another name, or "
            "replace=True to take its place"
        )
    for earlier in same_name:
        _ENTRIES.remove(earlier)
    _ENTRIES.append(entry)
    return entry


def unregister(entry):
    """Remove an entry.

    Parameters
    ----------
    entry : Entry
    """
    _ENTRIES.remove(entry)


def registered(task=None, *, baseline=None):
    """List the entries of a task, in the order of registration.

    Parameters
    ----------
    task : str, default=None
        All tasks by default.
    baseline : bool, default=None
        Only rivals (True) or only skloss's own (False); both by default.

    Returns
    -------
    list of Entry
        Each with ``name``, ``task``, ``grid``, ``baseline`` and ``make()``.

    Examples
    --------
    >>> from skloss.compare import registered
    >>> [entry.name for entry in registered("sparse", baseline=True)][:2]
    ['LassoCV', 'ElasticNetCV']
    """
    # The tables register themselves when they are imported, which happens here so that
    # a family registered from outside may come first.
    for module in ("entries", "baselines"):
        importlib.import_module(f"skloss.compare.{module}")
    return [
        entry
        for entry in _ENTRIES
        if task in (None, entry.task) and baseline in (None, entry.baseline)
    ]
