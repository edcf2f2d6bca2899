"""From any table to one that models can use, with a note for everything changed."""

import difflib
import re

import numpy as np
from scipy import sparse

from skloss.compare.errors import InputError, require

__all__ = ["as_table", "clean_table", "split_columns", "unique_names"]

_ID_NAME = re.compile(
    r"(^|[\W_])(id|ids|uid|uuid|guid|idx|index|row|rownames|row_?(id|nr|number))$"
    r"|[a-z0-9](Id|ID|Index)$|^unnamed: \d+$",
)
_MANY = 20
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
            close = difflib.get_close_matches(name, table.columns, n=1)
            hint = f"did you mean {close[0]!r}?" if close else ""
            raise InputError(
                f"{source} has no column {name!r}; "
                + (hint or f"it has {listed(table.columns, 12)}"),
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
