"""Which task a table asks for, and what its target means."""

import numpy as np

from skloss.compare.cleaning import is_numeric, listed
from skloss.compare.errors import InputError, require, suggestion
from skloss.compare.registry import TASKS

__all__ = ["encode_target", "infer_task"]

_FEW_VALUES = 20
# Share of numbers from which on a text column is taken for a damaged number column.
_MOSTLY = 0.9


def infer_task(X, y, *, task="auto", bags=None, order=None):
    """Infer the task from the table, unless it is given.

    Parameters
    ----------
    X : DataFrame of shape (n_samples, n_features)
    y : Series of shape (n_samples,) or None
    task : str, default="auto"
    bags : array-like or None
    order : sequence of str or None

    Returns
    -------
    task : str
    reason : str
        Why, in words for the reader.

    Raises
    ------
    InputError
        When the task is unknown or contradicts the arguments.
    """
    if task != "auto":
        _check_task(task, y, bags)
        return task, "as asked"
    if bags is not None:
        _check_task("aggregate", y, bags)
        return "aggregate", "rows come in bags"
    if y is None:
        return "clustering", "there is no target"
    pandas = require("pandas")
    dtype = y.dtype
    if order is not None or (
        isinstance(dtype, pandas.CategoricalDtype) and dtype.ordered
    ):
        return "ordinal", "the target's values are ordered"
    distinct = y.nunique(dropna=True)
    if not is_numeric(y) and not _written_numbers(y, distinct):
        return "classification", f"the target has {distinct} distinct texts"
    if distinct < _FEW_VALUES:
        return "classification", f"the target has only {distinct} distinct values"
    return "regression", f"the target is a number with {distinct} distinct values"


def _written_numbers(y, distinct):
    """Whether texts are numbers; refuses a number column with a few other texts."""
    if distinct < _FEW_VALUES:
        return False
    present = y.dropna()
    if not all(isinstance(value, str) for value in present.head(_FEW_VALUES)):
        return False
    bad = require("pandas").to_numeric(present, errors="coerce").isna()
    if not bad.any():
        return True
    if bad.mean() <= 1 - _MOSTLY:
        raise InputError(
            f"the target looks like a number, but {bad.sum()} of {len(present)} values "
            f"are not: {listed(sorted(set(map(str, present[bad]))), 3)}; mend them, or "
            "give the task classification",
            "target",
        )
    return False


def _check_task(task, y, bags):
    if task not in TASKS:
        raise InputError(
            f"unknown task {task!r}{suggestion(task, TASKS)}; "
            f"choose from {', '.join(TASKS)}",
            "task",
        )
    if task == "aggregate" and bags is None:
        raise InputError("the aggregate task needs the bag of each row", "bags")
    if task != "clustering" and y is None:
        raise InputError(f"the task {task} needs a target", "target")


def encode_target(y, task, *, order=None):
    """Numbers or class codes for a target without missing values.

    Parameters
    ----------
    y : Series of shape (n_samples,)
    task : str
    order : sequence, default=None
        Ordinal task: the classes from low to high.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        int64 codes of classes, or float64 numbers.
    classes : ndarray or None
        Label of each code.

    Raises
    ------
    InputError
        When the target does not suit the task.
    """
    if task in ("regression", "sparse", "aggregate"):
        return _numbers(y, task), None
    pandas = require("pandas")
    if pandas.api.types.is_datetime64_any_dtype(y.dtype):
        raise InputError("the target holds dates; choose a number or a class", "target")
    if task == "ordinal":
        classes = _ordered_classes(y, order)
        texts = not is_numeric(y)
        lookup = {str(c) if texts else c: code for code, c in enumerate(classes)}
        codes = np.array([lookup[str(v) if texts else v] for v in y], dtype=np.int64)
    else:
        labels = y.astype(str) if y.dtype == object else y
        classes, codes = np.unique(np.asarray(labels), return_inverse=True)
        codes = codes.astype(np.int64)
    if len(np.unique(codes)) < 2:
        raise InputError(
            f"the target has one class only, {str(classes[codes[0]])!r}", "target"
        )
    return codes, np.asarray(classes)


def _numbers(y, task):
    pandas = require("pandas")
    if pandas.api.types.is_datetime64_any_dtype(y.dtype):
        raise InputError("the target holds dates; choose a number", "target")
    numbers = pandas.to_numeric(
        y.astype(object) if not is_numeric(y) else y, errors="coerce"
    ).to_numpy(dtype=np.float64, na_value=np.nan)
    bad = np.isnan(numbers)
    if bad.any():
        words = sorted(set(map(str, y[bad])))
        raise InputError(
            f"{task} needs numbers, but {bad.sum()} of {len(y)} values of the target "
            f"are not: {listed(words, 3)}",
            "target",
        )
    if np.isinf(numbers).any():
        raise InputError("the target holds infinite values", "target")
    if np.ptp(numbers) == 0:
        raise InputError(f"the target never changes, it is {numbers[0]:g}", "target")
    return numbers


def _ordered_classes(y, order):
    pandas = require("pandas")
    if order is not None:
        order = [item.strip() if isinstance(item, str) else item for item in order]
        if len(set(order)) < len(order):
            raise InputError("a class is named twice", "order")
        if is_numeric(y):
            order = _as_numbers(order)
        known = set(map(str, order)) if not is_numeric(y) else set(order)
        found = {str(v) if not is_numeric(y) else v for v in y.unique()}
        if found - known:
            raise InputError(
                f"the target also has {listed(sorted(found - known, key=str), 4)}; "
                "name every class from low to high",
                "order",
            )
        return [c for c in order if (str(c) if not is_numeric(y) else c) in found]
    if isinstance(y.dtype, pandas.CategoricalDtype) and y.dtype.ordered:
        present = set(y.unique())
        return [c for c in y.dtype.categories if c in present]
    if is_numeric(y):
        return sorted(y.unique())
    raise InputError(
        f"the order of {listed(sorted(map(str, y.unique())), 5)} is not known; "
        "name the classes from low to high",
        "order",
    )


def _as_numbers(order):
    try:
        return [float(item) for item in order]
    except ValueError as error:
        raise InputError(
            "the target holds numbers, so the order must too", "order"
        ) from error
