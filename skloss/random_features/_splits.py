"""Splits of rows into those to fit and those to predict."""

from numbers import Integral

import numpy as np
from sklearn.model_selection import check_cv

__all__ = ["read_splits"]


def read_splits(cv, X, y, weight, **options):
    """Make and check the splits of a cross-validation.

    Parameters
    ----------
    cv : int, splitter or iterable
        As in scikit-learn. Rows are positions, of which negative ones count from the
        end, or masks.
    X, y : array-like
        Data, as they were given.
    weight : ndarray of shape (n,) or None
        Weights of the rows.
    **options : dict
        For the splitter, such as groups.

    Returns
    -------
    list of (ndarray of intp, ndarray of intp)
        Rows of positive weight to fit and to predict.

    Raises
    ------
    ValueError
        If there is no split, one does not hold rows, or one has no row of positive
        weight to fit or to predict.
    """
    n, splits = len(y), []
    given = cv  # an iterable of splits
    if isinstance(cv, Integral) or hasattr(cv, "split"):
        splitter = check_cv(cv, np.asarray(y), classifier=False)
        given = splitter.split(X, y, **options)
    for number, split in enumerate(given):
        try:
            train, test = split
        except (TypeError, ValueError):
            raise ValueError(
                f"cv: split {number} must be a pair of training rows and test rows; "
                f"got {split!r}."
            ) from None
        parts = []
        for name, side, use in (("training", train, "fit"), ("test", test, "predict")):
            rows = _positions(side, n, f"cv: the {name} rows of split {number}")
            rows = rows if weight is None else rows[weight[rows] > 0]
            if not rows.size:
                raise ValueError(
                    f"cv: split {number} has no row of positive weight to {use}."
                )
            parts.append(rows)
        splits.append(tuple(parts))
    if not splits:
        raise ValueError(f"cv={cv!r} gives no splits.")
    return splits


def _positions(given, n, name):
    """Read the positions of rows, or a mask of them."""
    rows = np.asarray(given)
    if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "biu"):
        raise ValueError(
            f"{name} must be a list of integers or a mask; got an array of "
            f"{rows.dtype} of shape {rows.shape}."
        )
    if rows.dtype.kind == "b":
        if rows.size != n:
            raise ValueError(
                f"{name} are given by a mask of {rows.size} values for {n} samples."
            )
        return np.flatnonzero(rows)
    outside = rows[(rows >= n) | (rows < -n)] if rows.size else rows
    if outside.size:
        raise ValueError(f"{name} hold {outside[0]}, which is not one of {n} samples.")
    return rows.astype(np.intp) % n
