"""What Displays of weights read from estimators and check."""

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import validate_data

from skloss._validation import check_weights

__all__ = [
    "check_names",
    "check_scale",
    "feature_spread",
    "first_of",
    "weight_label",
]


def check_names(feature_names, n_features):
    """Return names of all features.

    Parameters
    ----------
    feature_names : array-like of shape (n_features,) or None
        Those given; None for x0, x1, ...
    n_features : int
        How many there must be.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If their number is wrong.
    """
    if feature_names is None:
        return [f"x{j}" for j in range(n_features)]
    names = [str(name) for name in feature_names]
    if len(names) != n_features:
        raise ValueError(
            f"feature_names has {len(names)} names for {n_features} features."
        )
    return names


def check_scale(scale, n_features):
    """Return the standard deviations, which standardised weights need.

    Parameters
    ----------
    scale : array-like of shape (n_features,) or None
        Those known.
    n_features : int
        How many there must be.

    Returns
    -------
    ndarray of shape (n_features,)

    Raises
    ------
    ValueError
        If there are none, or their number is wrong.
    """
    if scale is None:
        raise ValueError(
            "standardized=True needs the standard deviations of the features: pass "
            "X to from_estimator, or scale."
        )
    scale = np.asarray(scale, dtype=float)
    if scale.shape != (n_features,):
        raise ValueError(
            f"scale must have shape ({n_features},), one value for each feature; got "
            f"{scale.shape}."
        )
    return scale


def feature_spread(estimator, X, sample_weight=None):
    """Return the standard deviation of each feature.

    Parameters
    ----------
    estimator : estimator
        Fitted; its features must be those of X.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Data.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.

    Returns
    -------
    ndarray of shape (n_features,)
        Weighted, with divisor sum of weights.
    """
    X = validate_data(
        estimator, X, reset=False, accept_sparse=["csr", "csc"], dtype=np.float64
    )
    weights = check_weights(sample_weight, X.shape[0])
    if issparse(X):
        return np.sqrt(mean_variance_axis(X, axis=0, weights=weights)[1])
    mean = np.average(X, axis=0, weights=weights)
    return np.sqrt(np.average((X - mean) ** 2, axis=0, weights=weights))


def first_of(order, count, allowed):
    """Return the first few features of an order, among those allowed.

    Parameters
    ----------
    order : ndarray of int
        Features, the most wanted first.
    count : int
        How many at most.
    allowed : ndarray of bool
        Whether a feature may be taken.

    Returns
    -------
    list of int
    """
    return [int(j) for j in order if allowed[j]][: max(int(count), 0)]


def weight_label(standardized):
    """Return the name of a y axis of weights.

    Parameters
    ----------
    standardized : bool
        Whether they were multiplied by standard deviations.

    Returns
    -------
    str
    """
    return "Weight for one standard deviation" if standardized else "Weight"
