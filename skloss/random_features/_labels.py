"""Checks of labels and of their weights that name what is wrong."""

from numbers import Real

import numpy as np
from sklearn.utils.validation import column_or_1d

__all__ = ["check_class_weight", "checked_labels"]


def checked_labels(name, labels):
    """Return labels as a vector that can be sorted.

    Parameters
    ----------
    name : str
        Of the argument.
    labels : array-like of shape (n,)
        Labels.

    Returns
    -------
    ndarray of shape (n,)

    Raises
    ------
    ValueError
        If they cannot be compared with each other.
    """
    labels = column_or_1d(np.asarray(labels))
    if labels.dtype.kind == "O":
        kinds = sorted({type(label).__name__ for label in labels})
        numbers = all(isinstance(label, Real | np.bool_) for label in labels)
        if not numbers and (len(kinds) > 1 or "NoneType" in kinds):
            raise ValueError(
                f"{name} must hold labels that can be compared, all numbers or all "
                f"strings; got {', '.join(kinds)}."
            )
    return labels


def check_class_weight(class_weight):
    """Refuse factors of classes that are no numbers.

    Parameters
    ----------
    class_weight : dict, str or None
        As given to a classifier.

    Raises
    ------
    ValueError
        If one is something else.
    """
    if not isinstance(class_weight, dict):
        return
    for label, factor in class_weight.items():
        if not isinstance(factor, Real):
            raise ValueError(
                f"class_weight[{label!r}] is {factor!r}; weights must be numbers."
            )
