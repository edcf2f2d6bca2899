"""What the sparse regressors ask of their data and options, in one place."""

import reprlib
import warnings
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
    "canonical",
    "check_count",
    "check_count_of_columns",
    "check_factors",
    "read_sample",
    "read_weights",
    "refuse_scale",
    "warn_idle",
]


_LARGEST = 1e145  # products of squares with larger numbers are not finite
_LEAST = 1e-152  # squares of smaller numbers pass for zero


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
        If X or y holds nan or infinity, its largest numbers have squares that overflow
        or underflow, a weight is negative, all are zero, or there is a single row.
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
    if X.dtype != dtype:
        with np.errstate(over="ignore"):  # it is looked for
            X = check_array(
                X,
                accept_sparse="csc",
                dtype=dtype,
                ensure_all_finite=X.dtype.itemsize > dtype.itemsize,
                input_name="X",
            )
    y = np.asarray(y, dtype=np.float64)
    weight, total, given = read_weights(sample_weight, X.shape[0])
    if sparse.issparse(X):
        X = canonical(X)
    refuse_scale("X", X)
    refuse_scale("y", y)
    return Sample(
        X,
        y,
        weight,
        total,
        None if sample_weight is None else given,
    )


def canonical(X, kind=sparse.csc_array):
    """Sort the entries of a sparse matrix, and add up those of one place.

    Parameters
    ----------
    X : sparse matrix or array
        Left as it is: its buffers are the user's, and perhaps read-only.
    kind : type, default=csc_array
        Class of the result, CSC or CSR.

    Returns
    -------
    sparse matrix or array
        On the buffers of X where nothing had to be done.
    """
    X = kind(X)
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


def read_weights(sample_weight, n_samples):
    """Read sample weights; rows without weight are as good as absent.

    Parameters
    ----------
    sample_weight : array-like of shape (n_samples,) or None
        As given.
    n_samples : int
        Number of rows.

    Returns
    -------
    weight : ndarray of shape (n_samples,)
        Weights, summing to 1.
    total : float
        What they summed to.
    given : ndarray of shape (n_samples,)
        As they came.

    Raises
    ------
    ValueError
        If a weight is negative or not finite, or fewer than two are positive.
    """
    given = check_weights(sample_weight, n_samples)
    if np.count_nonzero(given) < 2:
        raise ValueError(
            "sample_weight is positive for a single sample while a minimum of 2 is "
            "required."
        )
    unit = weight_unit(given)
    weight = given / unit
    total = weight.sum()
    return weight / total, float(total * unit), given


def refuse_scale(name, values):
    """Refuse values of which no square, or not every one, is a number.

    Parameters
    ----------
    name : str
        What they are called.
    values : ndarray or sparse array
        Finite numbers.

    Raises
    ------
    ValueError
        If the largest has a square that overflows or underflows.
    """
    values = values.data if sparse.issparse(values) else values
    if values.dtype == np.float64 and values.flags.forc:
        flat = values.ravel(order="K")
        with np.errstate(over="ignore"):
            square = np.dot(flat, flat)
        if flat.size * _LEAST**2 <= square <= _LARGEST**2:  # one pass, not two
            return
    largest = max(-float(values.min(initial=0)), float(values.max(initial=0)))
    if largest > _LARGEST:
        raise ValueError(
            f"The values in {name} are too large: their squares overflow. Divide "
            f"{name} by a constant."
        )
    if 0.0 < largest < _LEAST:
        raise ValueError(
            f"The values in {name} are too small: their squares underflow. Multiply "
            f"{name} by a constant."
        )


def warn_idle(parameter, given, setting, use):
    """Tell of a parameter that a fit does not look at.

    It is no error: a grid over several parameters has such places.

    Parameters
    ----------
    parameter : str
        The parameter.
    given : object
        Its value.
    setting : str
        What makes it idle, as ``name=value``.
    use : str
        Where it is used.
    """
    value = " ".join(reprlib.repr(given).split())
    warnings.warn(
        f"{parameter} is not used with {setting}: it is for {use}; got "
        f"{parameter}={value}.",
        UserWarning,
        stacklevel=3,
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
    try:
        factors = check_array(given, ensure_2d=False, dtype=np.float64, input_name=name)
    except ValueError as error:
        if name in str(error):
            raise
        raise ValueError(f"{name} must be numbers: {error}") from error
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
    return check_count(name, given, most, "the smaller of n_samples - 1 and n_features")


def check_count(name, given, most, which):
    """Refuse what is not an integer from 1 to `most`, and say `which` number that is.

    Returns
    -------
    int
    """
    whole = isinstance(given, Integral) and not isinstance(given, bool)
    if not whole or not 1 <= given <= most:
        raise ValueError(
            f"{name} must be an integer from 1 to {most}, {which}; got {given!r}."
        )
    return int(given)
