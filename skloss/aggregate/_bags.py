"""Bags of rows: labels of any kind, read as numbers."""

from typing import NamedTuple

import numpy as np

__all__ = ["Bags", "read_bags"]

_SPREAD = 4  # integers that are as many times as many as rows are counted, not sorted


class Bags(NamedTuple):
    """Which row is in which bag.

    Parameters
    ----------
    codes : ndarray of shape (n,), intp
        Number of the bag of each row.
    labels : ndarray of shape (m,)
        Labels of the bags, sorted; none is without rows.
    """

    codes: np.ndarray
    labels: np.ndarray

    @property
    def count(self):
        """Number of bags."""
        return len(self.labels)

    @property
    def sizes(self):
        """Number of rows in each bag, intp."""
        return np.bincount(self.codes, minlength=self.count)

    def sums(self, values):
        """Sum numbers of rows within bags.

        Parameters
        ----------
        values : ndarray of shape (n,)
            Of the rows.

        Returns
        -------
        ndarray of shape (m,), float64
        """
        return np.bincount(self.codes, weights=values, minlength=self.count)

    def kept(self, rows):
        """Return the bags of some rows; those left without rows are gone."""
        present = np.zeros(self.count, dtype=bool)
        codes = self.codes[rows]
        present[codes] = True
        number = np.cumsum(present) - 1
        return Bags(number[codes], self.labels[present])


def read_bags(bags, n_rows, name="bags"):
    """Read the labels of bags.

    Parameters
    ----------
    bags : array-like of shape (n,) or None
        Label of the bag of each row: integers, strings, dates, categories or anything
        else that can be compared. None makes a bag of each row.
    n_rows : int
        Number of rows.
    name : str, default="bags"
        What messages call them.

    Returns
    -------
    Bags

    Raises
    ------
    ValueError
        If there is not one label for each row, one is missing, or they cannot be
        compared.

    Examples
    --------
    >>> from skloss.aggregate._bags import read_bags
    >>> read_bags(["b", "a", "b"], 3)
    Bags(codes=array([1, 0, 1]), labels=array(['a', 'b'], dtype='<U1'))
    """
    if bags is None:
        return Bags(np.arange(n_rows), np.arange(n_rows))
    values = np.asarray(bags)
    if values.ndim != 1:
        raise ValueError(
            f"{name} must have one dimension, with a label for each row; got shape "
            f"{values.shape}."
        )
    if len(values) != n_rows:
        raise ValueError(f"{name} has {len(values)} labels for {n_rows} rows.")
    missing = np.flatnonzero(_is_missing(values))
    if missing.size:
        raise ValueError(
            f"{name}[{missing[0]}] is missing ({values[missing[0]]!r}): each row must "
            "be in a bag."
        )
    if values.dtype.kind in "iu" and len(values):
        counted = _count_integers(values)
        if counted is not None:
            return counted
    try:
        labels, codes = np.unique(values, return_inverse=True)
    except TypeError as error:
        raise ValueError(
            f"{name} holds labels that cannot be sorted: {error}."
        ) from error
    return Bags(codes.astype(np.intp, copy=False), labels)


def _is_missing(values):
    if values.dtype.kind == "f":
        return np.isnan(values)
    if values.dtype.kind in "mM":
        return np.isnat(values)
    if values.dtype.kind != "O":
        return np.zeros(len(values), dtype=bool)
    # A missing value is None or, as nan and pandas.NaT, differs from itself; that of
    # pandas.NA with itself is neither true nor false.
    return np.fromiter((_is_missing_object(v) for v in values), bool, len(values))


def _is_missing_object(value):
    if value is None:
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return True


def _count_integers(values):
    """Return bags of integers by counting; None if they are too far apart."""
    low = int(values.min())
    span = int(values.max()) - low + 1
    if span > _SPREAD * len(values) + 1024:
        return None
    # Differences of small integers may overflow their own dtype.
    shifted = (values.astype(np.int64) - low) if low >= -(2**62) else None
    if shifted is None:
        return None
    present = np.zeros(span, dtype=bool)
    present[shifted] = True
    number = np.cumsum(present) - 1
    labels = (np.flatnonzero(present) + low).astype(values.dtype)
    return Bags(number[shifted], labels)
