"""What solvers ask of their arguments; messages name the argument and the value."""

import math
import numbers

import numpy as np
from scipy import sparse

__all__ = [
    "check_count",
    "check_finite",
    "check_offers",
    "check_tol",
    "design",
    "indices",
    "shares",
    "vector",
]

_REAL_KINDS = "biuf"


def check_tol(tol):
    """Refuse a tolerance that no comparison could mean."""
    if not (isinstance(tol, numbers.Real) and math.isfinite(tol) and tol >= 0):
        raise ValueError(f"tol must be a finite number of at least 0; got {tol!r}.")


def check_count(name, count, smallest=0):
    """Refuse a number of times that is not an integer, or too small."""
    if not (isinstance(count, numbers.Integral) and count >= smallest):
        raise ValueError(
            f"{name} must be an integer of at least {smallest}; got {count!r}."
        )


def check_finite(name, array):
    """Refuse nan and infinity in an array, or in what a sparse one stores."""
    stored = array.data if sparse.issparse(array) else array
    # A finite sum has finite terms; only a sum that overflows needs a second look.
    with np.errstate(over="ignore", invalid="ignore"):
        if not (np.isfinite(stored.sum()) or np.isfinite(stored).all()):
            raise ValueError(f"{name} must be finite; it has nan or infinite values.")


def check_offers(name, given, members, model):
    """Refuse an object that lacks what a solver will ask of it.

    Parameters
    ----------
    name : str
        The argument.
    given : object
        What was handed over.
    members : sequence of str
        Attributes and methods that it must have.
    model : str
        What has them all.
    """
    missing = [member for member in members if not hasattr(given, member)]
    if missing:
        raise TypeError(
            f"{name} must be a {model} or offer what it offers; "
            f"{type(given).__name__} has no {', '.join(missing)}."
        )


def vector(name, given, size, *, broadcast=True):
    """Copy to a float64 vector of the right size, or broadcast a number to it."""
    vector = np.empty(size)
    given = np.asarray(given, dtype=np.float64)
    if given.shape != (size,) and not (broadcast and given.shape == ()):
        raise ValueError(f"{name} must have shape ({size},); got {given.shape}.")
    vector[:] = given
    check_finite(name, vector)
    return vector


def indices(name, given, size):
    """Sorted distinct coordinates; None means none."""
    given = np.asarray([] if given is None else given)
    found = np.unique(given).astype(np.intp)
    integers = given.dtype.kind in "iu" or given.size == 0
    if not integers or (found.size and not 0 <= found[0] <= found[-1] < size):
        raise ValueError(f"{name} must hold integers from 0 to {size - 1}.")
    return found


def design(name, X):
    """Check a matrix of real numbers with a row per sample; make sparse ones CSC.

    Returns
    -------
    ndarray or sparse CSC array of shape (n, p)
        Without duplicate entries if sparse. The caller's own wherever it will do.
    """
    if not sparse.issparse(X):
        X = np.asarray(X)
    if X.ndim != 2 or X.shape[0] == 0:
        raise ValueError(
            f"{name} must be a matrix of at least one row; got shape {X.shape}."
        )
    if X.dtype.kind == "O":
        X = X.astype(np.float64)
    if X.dtype.kind not in _REAL_KINDS:
        raise ValueError(f"{name} must hold real numbers; got dtype {X.dtype}.")
    if sparse.issparse(X):
        X = X.tocsc()
        if not X.has_canonical_format:
            X = X.copy()  # it may be the caller's
            X.sum_duplicates()
    check_finite(name, X)
    return X


def shares(name, weights):
    """Divide weights by their sum, whatever their scale."""
    largest = weights.max(initial=0.0)
    if not (largest > 0 and weights.min() >= 0):
        raise ValueError(f"{name} must be at least 0 and not all 0.")
    # By the largest first: the sum of the weights themselves may overflow.
    relative = weights / largest
    return relative / relative.sum()
