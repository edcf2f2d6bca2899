"""Checks of what `certify` is given."""

import math
import numbers

import numpy as np
from sklearn.base import is_classifier, is_regressor
from sklearn.utils import check_array, column_or_1d

__all__ = ["check_solver", "check_targets", "check_tol"]


def check_tol(tol):
    """Return `tol` as a float.

    Raises
    ------
    TypeError
        If it is not a number.
    ValueError
        If it is not positive and finite.
    """
    if isinstance(tol, bool) or not isinstance(tol, numbers.Real):
        raise TypeError(f"tol must be a positive number; got {tol!r}.")
    if not 0 < tol < math.inf:
        raise ValueError(f"tol must be positive and finite; got {tol!r}.")
    return float(tol)


def check_solver(solver):
    """Return the name of an installed cvxpy solver; None stays None.

    Raises
    ------
    ValueError
        If it is not installed.
    """
    import cvxpy

    if solver is None:
        return None
    name = str(solver).upper()
    if name not in cvxpy.installed_solvers():
        raise ValueError(
            f"solver={solver!r} is not installed; there are "
            f"{', '.join(sorted(cvxpy.installed_solvers()))}."
        )
    return name


def check_targets(estimator, y, n_samples):
    """Return the targets as an array that the fitted estimator can have seen.

    Parameters
    ----------
    estimator : estimator
        Fitted.
    y : array-like
        Labels of a classifier, numbers of a regressor; of other estimators anything
        of the right length.
    n_samples : int
        Number of rows of X.

    Returns
    -------
    ndarray of shape (n_samples,) or (n_samples, n_outputs)

    Raises
    ------
    ValueError
        If the shape is wrong, a label was not seen in the fit, or a number is not
        finite.
    """
    if is_classifier(estimator):
        y = _labels(estimator, y)
    elif is_regressor(estimator):
        y = _numbers(estimator, y)
    else:
        y = np.asarray(y)
    if y.ndim == 0 or len(y) != n_samples:
        raise ValueError(f"y has shape {y.shape}, but X has {n_samples} rows.")
    return y


def _labels(estimator, y):
    y = np.asarray(y)
    if y.ndim not in (1, 2) or y.size != y.shape[0]:
        raise ValueError(f"y must have the shape (n_samples,); got {y.shape}.")
    labels, classes = column_or_1d(y).tolist(), estimator.classes_.tolist()
    # equal to their labels, so that 1.0 or True may stand for 1
    position = {label: k for k, label in enumerate(classes)}
    if unseen := [label for label in labels if label not in position]:
        raise ValueError(
            f"y holds the label {unseen[0]!r}, which {type(estimator).__name__} was "
            f"not fitted on; its classes are {classes}."
        )
    return estimator.classes_[[position[label] for label in labels]]


def _numbers(estimator, y):
    try:
        y = np.asarray(y, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must be numbers: {error}.") from error
    if y.ndim not in (1, 2):
        raise ValueError(
            f"y must have the shape (n_samples,) or (n_samples, n_outputs); got "
            f"{y.shape}."
        )
    y = check_array(y, ensure_2d=False, ensure_min_samples=0, input_name="y")
    n_outputs = y.shape[1] if y.ndim == 2 else 1
    if hasattr(estimator, "coef_"):
        expected = 1 if estimator.coef_.ndim == 1 else estimator.coef_.shape[0]
        if n_outputs != expected:
            raise ValueError(
                f"y has shape {y.shape}, but {type(estimator).__name__} was fitted on "
                f"{expected} target{'s' if expected > 1 else ''}."
            )
    return y
