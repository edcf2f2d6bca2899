"""What Displays of ordinal fits read from estimators and check."""

import numpy as np
from scipy.sparse import issparse

from skloss._panels import shortened

__all__ = ["dense_coef", "threshold_names"]


def threshold_names(classes, n_thresholds):
    """Return "> class" for each threshold.

    Parameters
    ----------
    classes : array-like of shape (n_thresholds + 1,) or None
        In order; None for 0, 1, ...
    n_thresholds : int
        Number of thresholds.

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If the number of classes is wrong.

    Examples
    --------
    >>> from skloss.ordinal._display_inputs import threshold_names
    >>> threshold_names(["shown", "clicked", "bought"], 2)
    ['> shown', '> clicked']
    """
    if classes is None:
        classes = range(n_thresholds + 1)
    if len(classes) != n_thresholds + 1:
        raise ValueError(
            f"classes has {len(classes)} values; {n_thresholds} thresholds lie "
            f"between {n_thresholds + 1} classes."
        )
    return [f"> {shortened(c)}" for c in list(classes)[:-1]]


def dense_coef(estimator):
    """Return the weights of a fitted estimator, sparsified or not.

    Parameters
    ----------
    estimator : estimator
        With ``coef_``.

    Returns
    -------
    ndarray of shape (n_thresholds, n_features)
    """
    coef = estimator.coef_
    return np.atleast_2d(coef.toarray() if issparse(coef) else np.asarray(coef))
