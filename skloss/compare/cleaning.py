"""From any table to one that models can use, with a note for everything changed."""

import re

import numpy as np
from scipy import sparse

from skloss.compare.errors import InputError, require, suggestion

__all__ = ["as_table", "clean_table", "echoes", "split_columns", "unique_names"]

_ID_NAME = re.compile(
    r"(^|[\W_])(id|ids|uid|uuid|guid|idx|index|row|rownames|row_?(id|nr|number))$"
    r"|[a-z0-9](Id|ID|Index)$|^unnamed: \d+$",
)
_MANY = 20
# Enough rows to rule out almost every column before all rows are looked at.
_FIRST_ROWS = 2_000
_MAX_DENSE_CELLS = 100_000_000


def listed(names, limit=6):
    """Put some names in quotes, and say how many more there are.

    Parameters
    ----------
    names : iterable of str
    limit : int, default=6
        Most names to show.

    Returns
    -------
    str
    """
    names = [repr(str(name)) for name in names]
    shown = ", ".join(names[:limit])
    return shown + (f" and {len(names) - limit} more" if len(names) > limit else "")


def as_table(X):
    """Make a pandas table out of whatever a user has.

    Parameters
    ----------
    X : array-like, sparse matrix or dataframe of any library

    Returns
    -------
    DataFrame
        With a plain range index.

    Raises
    ------
    InputError
        When X has no rows or columns, or is no table.
    """
    pandas = require("pandas")
    if isinstance(X, dict):
        X = pandas.DataFrame(X)
    if hasattr(X, "collect") and not hasattr(X, "to_pandas"):
        X = X.collect()  # a lazy table
    if sparse.issparse(X):
        if X.shape[0] * X.shape[1] > _MAX_DENSE_CELLS:
            raise InputError(
                f"a sparse matrix of {X.shape[0]} x {X.shape[1]} is too large here: "
                "tables are compared in dense form",
                "X",
            )
        X = X.toarray()
    if hasattr(X, "to_pandas"):
        X = X.to_pandas()
    if not isinstance(X, pandas.DataFrame):
        array = X.to_numpy() if hasattr(X, "to_numpy") else np.asarray(X)
        if array.ndim == 1:
            array = array[:, None]
        if array.ndim != 2:
            raise InputError(f"X must be a table, got {array.ndim} dimensions", "X")
        if array.dtype.kind == "c":
            raise InputError("complex numbers have no order or size to learn from", "X")
        X = pandas.DataFrame(array, columns=[f"x{i}" for i in range(array.shape[1])])
    if not X.shape[0] or not X.shape[1]:
        raise InputError(f"the table is empty: {X.shape[0]} x {X.shape[1]}", "X")
    return X.reset_index(drop=True)


def unique_names(table):
    """Give every column a text name of its own.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    table : DataFrame
    notes : list of str
    """
    taken = set(map(str, table.columns))
    names, renamed = [], []
    for name in map(str, table.columns):
        if name in names:
            number = 2
            while f"{name}_{number}" in taken:
                number += 1
            name = f"{name}_{number}"
            taken.add(name)
            renamed.append(name)
        names.append(name)
    table = table.set_axis(names, axis=1)
    if not renamed:
        return table, []
    return table, [f"repeated column names were numbered: {listed(renamed)}"]


def split_columns(table, target=None, bags=None, *, source="the table"):
    """Take the target and the bags out of a table.

    Parameters
    ----------
    table : DataFrame
    target, bags : str, default=None
        Names of columns.
    source : str, default="the table"
        Where the table came from, for messages.

    Returns
    -------
    X : DataFrame
    y, bags : Series or None

    Raises
    ------
    InputError
        When a column is missing or none is left.
    """
    for name, parameter in ((target, "target"), (bags, "bags")):
        if name is not None and name not in table.columns:
            raise InputError(
                f"{source} has no column {name!r}{suggestion(name, table.columns)}; "
                f"it has {listed(table.columns, 12)}",
                parameter,
            )
    if target is not None and target == bags:
        raise InputError(f"{target!r} cannot be both target and bags", "bags")
    chosen = [name for name in (target, bags) if name is not None]
    X = table.drop(columns=chosen)
    if not X.shape[1]:
        raise InputError(f"{source} has no column to predict from", "data")
    return (
        X,
        None if target is None else table[target],
        None if bags is None else table[bags],
    )


def clean_table(table):
    """Drop what no model can use, and say so.

    Infinite values become missing; columns without any value, with a single value, or
    that only number the rows are dropped.

    Parameters
    ----------
    table : DataFrame

    Returns
    -------
    table : DataFrame
    notes : list of str

    Raises
    ------
    InputError
        When no column is left.
    """
    table, notes = unique_names(table)
    table, infinite = _without_infinities(table)
    notes += infinite
    kinds = {"have no values": [], "never change": [], "only name the rows": []}
    for name in table.columns:
        column = table[name]
        present = column.dropna()
        if present.empty:
            kinds["have no values"].append(name)
        elif len(present) == len(column) and _is_constant(present):
            kinds["never change"].append(name)
        elif _names_rows(name, column):
            kinds["only name the rows"].append(name)
    if sum(map(len, kinds.values())) == table.shape[1]:
        kinds["only name the rows"] = []  # a poor column is better than none
    dropped = [name for names in kinds.values() for name in names]
    if len(dropped) == table.shape[1]:
        reasons = "; ".join(
            f"{listed(names)} {reason}" for reason, names in kinds.items() if names
        )
        raise InputError(f"no usable column is left: {reasons}", "data")
    for reason, names in kinds.items():
        if names:
            verb = reason if len(names) > 1 else _SINGULAR[reason]
            notes.append(
                f"dropped {len(names)} column{'s' * (len(names) > 1)} that {verb}: "
                + listed(names)
            )
    return table.drop(columns=dropped), notes


_SINGULAR = {
    "have no values": "has no values",
    "never change": "never changes",
    "only name the rows": "only names the rows",
}


def echoes(table, y, *, classes):
    """Name columns that say exactly what the target says.

    Such a column is rarely known when predictions are wanted, and with it every model
    looks perfect.

    Parameters
    ----------
    table : DataFrame
    y : Series or ndarray
        Target without missing values.
    classes : bool
        Whether the target is a class: then a column with another name for each class
        counts too. A column echoes numbers when it is a straight line of them.

    Returns
    -------
    list of str
        Notes; empty when there is no such column.
    """
    if len(table) < _MANY:
        return []
    pandas = require("pandas")
    same = _same_classes if classes else _same_numbers
    y = pandas.Series(np.asarray(y))
    head = slice(0, _FIRST_ROWS)
    found = [
        name
        for name, column in table.items()
        if same(column.iloc[head], y.iloc[head]) and same(column, y)
    ]
    if not found:
        return []
    verb = "says" if len(found) == 1 else "say"
    return [
        f"{listed(found)} {verb} exactly what the target says; leave out what is not "
        "known when predictions are wanted"
    ]


def _same_classes(column, y):
    """Whether each class has a value of its own and each value a class."""
    pandas = require("pandas")
    try:
        values = pandas.factorize(column, use_na_sentinel=False)[0]
    except TypeError:  # values without a hash
        return False
    codes = pandas.factorize(y)[0]
    n_classes = codes.max() + 1
    if values.max() + 1 != n_classes or 2 * n_classes > len(y):
        return False
    return len(np.unique(values * n_classes + codes)) == n_classes


def _same_numbers(column, y):
    if not is_numeric(column) or column.isna().any():
        return False
    values, numbers = column.to_numpy(np.float64), y.to_numpy(np.float64)
    if np.ptp(values) == 0 or np.ptp(numbers) == 0:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(abs(np.corrcoef(values, numbers)[0, 1]) > 1 - 1e-12)


def is_numeric(column):
    """Whether a column holds real numbers or booleans.

    Parameters
    ----------
    column : Series

    Returns
    -------
    bool
    """
    types = require("pandas").api.types
    return (
        types.is_numeric_dtype(column.dtype) or types.is_bool_dtype(column.dtype)
    ) and not types.is_complex_dtype(column.dtype)


def _is_constant(present):
    try:
        return present.nunique() == 1
    except TypeError:  # lists and other values without a hash
        return present.astype(str).nunique() == 1


def _without_infinities(table):
    changed = {}
    for name in table.columns:
        column = table[name]
        if column.dtype.kind == "f" and np.isinf(column.to_numpy()).any():
            changed[name] = column.where(~np.isinf(column.to_numpy()))
    if not changed:
        return table, []
    return table.assign(**changed), [
        f"infinite values were taken as missing in {listed(changed)}"
    ]


def _names_rows(name, column):
    """Whether a column is a key: all values differ and carry nothing else."""
    if len(column) < _MANY or column.isna().any():
        return False
    types = require("pandas").api.types
    if types.is_integer_dtype(column.dtype):
        values = column.to_numpy(dtype=np.int64, na_value=0)
        numbered = np.array_equal(np.diff(values), np.ones(len(values) - 1))
        looks = bool(_ID_NAME.search(name)) or bool(_ID_NAME.search(name.lower()))
        return (looks or numbered) and column.is_unique
    if types.is_string_dtype(column.dtype) or column.dtype == object:
        if not all(isinstance(value, str) for value in column.head(_MANY)):
            return False
        # Free text has spaces and dates have separators; keys have neither.
        first = column.iloc[:200].astype(str)
        key = first.str.fullmatch(r"[^\W_]+([-_][^\W_]+)*").all()
        dates = first.str.fullmatch(r"\d{1,4}-\d{1,2}-\d{1,4}").any()
        return bool(key and not dates and column.is_unique)
    return False
