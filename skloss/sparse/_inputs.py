"""What the sparse regressors ask of their data and options, in one place."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import validate_data

from skloss._validation import check_weights, weight_unit, working_dtype

__all__ = [
    "Sample",
    "as_sample",
    "check_count_of_columns",
    "check_factors",
    "read_sample",
]


class Sample(NamedTuple):
    """Data of a fit, checked.

    Parameters
    ----------
    X : ndarray or CSC array of shape (n, d)
        float32 or float64; dense in the order it came in.
    y : ndarray of shape (n,), float64
        Target.
    weight : ndarray of shape (n,), float64
        Row weights, summing to 1.
    total : float
        What they summed to.
    given : ndarray of shape (n,), float64, or None
        Sample weights as they came; None without any.
    """

    X: np.ndarray
    y: np.ndarray
    weight: np.ndarray
    total: float
    given: np.ndarray | None = None

    @property
    def dtype(self):
        """Dtype of the coefficients."""
        return self.X.dtype


def read_sample(estimator, X, y, sample_weight):
    """Check the data of a fit.

    Parameters
    ----------
    estimator : estimator
        Which is told the number and the names of the features.
    X, y, sample_weight : array-like
        As given to `fit`.

    Returns
    -------
    Sample

    Raises
    ------
    ValueError
        If X or y holds nan, infinity or numbers whose squares overflow, a weight is
        negative, all are zero, or there is a single row.
    """
    X, y = validate_data(
        estimator, X, y, accept_sparse="csc", y_numeric=True, ensure_min_samples=2
    )
    return as_sample(X, y, sample_weight)


def as_sample(X, y, sample_weight):
    """Bring checked data to the dtypes of the solvers.

    Parameters
    ----------
    X : ndarray or sparse matrix of shape (n, d)
        Finite numbers.
    y : ndarray of shape (n,)
        Finite numbers.
    sample_weight : array-like of shape (n,) or None
        As given.

    Returns
    -------
    Sample
    """
    dtype = working_dtype(X)
    with np.errstate(over="ignore"):  # it is looked for
        X = check_array(
            X,
            accept_sparse="csc",
            dtype=dtype,
            ensure_all_finite=X.dtype.itemsize > dtype.itemsize,
            input_name="X",
        )
    y = np.asarray(y, dtype=np.float64)
    given = check_weights(sample_weight, X.shape[0])
    unit = weight_unit(given)
    weight = given / unit
    total = weight.sum()
    _refuse_overflow("X", X.data if sparse.issparse(X) else X)
    _refuse_overflow("y", y)
    if sparse.issparse(X):
        X = sparse.csc_array(X)
        X.sum_duplicates()
    return Sample(
        X,
        y,
        weight / total,
        float(total * unit),
        None if sample_weight is None else given,
    )


def _refuse_overflow(name, values):
    largest = max(-float(values.min(initial=0)), float(values.max(initial=0)))
    if largest > 1e145:  # products of squares with such numbers are not finite
        raise ValueError(
            f"The values in {name} are too large: their squares overflow. Divide "
            f"{name} by a constant."
        )


def check_factors(name, given, n_features):
    """Read one factor of at least 0 for each feature; None means 1.

    Parameters
    ----------
    name : str
        The parameter.
    given : array-like of shape (n_features,) or None
        As the user gave it.
    n_features : int
        Number of features.

    Returns
    -------
    ndarray of shape (n_features,)
    """
    if given is None:
        return np.ones(n_features)
    factors = check_array(given, ensure_2d=False, dtype=np.float64, input_name=name)
    if factors.shape != (n_features,):
        raise ValueError(
            f"{name} must have one number for each of the {n_features} features; got "
            f"shape {factors.shape}."
        )
    if factors.min() < 0:
        raise ValueError(f"{name} must not be negative; got {factors.min()}.")
    return factors


def check_count_of_columns(name, given, n_samples, n_features):
    """Refuse a number of nonzero coefficients that no fit can have.

    Returns
    -------
    int
    """
    most = min(n_samples - 1, n_features)
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    if not whole or not 1 <= given <= most:
        raise ValueError(
            f"{name} must be an integer from 1 to {most}, the smaller of n_samples - 1 "
            f"and n_features; got {given!r}."
        )
    return int(given)
