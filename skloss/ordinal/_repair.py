"""Probabilities where hyperplanes cross, and the class to predict.

A model with a weight vector for each threshold may put P(y > 1) above P(y > 0) in some
part of the space; the class between the two then has a negative probability there.
"""

import numpy as np

__all__ = ["REPAIRS", "absolute_errors", "crossing_rows", "decide", "repair"]


def crossing_rows(probabilities):
    """Tell where cumulative probabilities are out of order.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Signed class probabilities.

    Returns
    -------
    ndarray of shape (n_samples,), bool
        True for rows with a negative entry.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal._repair import crossing_rows
    >>> crossing_rows(np.array([[0.2, 0.3, 0.5], [0.6, -0.1, 0.5]]))
    array([False,  True])
    """
    return (probabilities < 0).any(axis=1)


def repair(probabilities, survival, how):
    """Make class probabilities of rows where hyperplanes cross proper ones.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Signed class probabilities; rows sum to 1.
    survival : ndarray of shape (n_samples, n_classes - 1)
        P(y > k) of each threshold, in any order.
    how : {"isotonic", "sort", "clip", "raise"}
        "isotonic" replaces the survival probabilities by the nearest non-increasing
        ones (least squares), "sort" sorts them; "clip" sets negative class
        probabilities to zero and divides by the sum; "raise" refuses.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Not negative, rows summing to 1. `probabilities` itself if no row crosses,
        else a copy in which other rows are untouched.

    Raises
    ------
    ValueError
        If `how` is "raise" and a row crosses, or if it is none of the four.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal._repair import repair
    >>> survival = np.array([[0.25, 0.5, 0.125]])
    >>> probabilities = np.array([[0.75, -0.25, 0.375, 0.125]])
    >>> repair(probabilities, survival, "isotonic")
    array([[0.625, 0.   , 0.25 , 0.125]])
    >>> repair(probabilities, survival, "sort")
    array([[0.5  , 0.25 , 0.125, 0.125]])
    """
    if how not in REPAIRS:
        raise ValueError(f"repair={how!r}; allowed are {sorted(REPAIRS)}.")
    rows = np.flatnonzero(crossing_rows(probabilities))
    if not len(rows):
        return probabilities
    if how == "raise":
        raise ValueError(
            f"The cumulative probabilities of {len(rows)} of {len(probabilities)} rows "
            f"are out of order, first in row {rows[0]}: "
            f"P(y > k) = {survival[rows[0]].tolist()}. Another repair than 'raise' "
            "gives them probabilities."
        )
    signed = probabilities[rows].astype(np.float64, copy=False)
    above = survival[rows].astype(np.float64, copy=False)
    repaired = probabilities.copy()
    repaired[rows] = REPAIRS[how](signed, above)
    return repaired


def absolute_errors(probabilities):
    """Compute the expected absolute error of predicting each class.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Not negative, rows summing to 1.

    Returns
    -------
    ndarray of shape (n_samples, n_classes)
        Expected number of classes between the prediction and the truth.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal._repair import absolute_errors
    >>> absolute_errors(np.array([[0.5, 0.25, 0.25]]))
    array([[0.75, 0.75, 1.25]])
    """
    ranks = np.arange(probabilities.shape[1])
    return probabilities @ np.abs(ranks[:, None] - ranks)


def decide(probabilities, decision):
    """Choose a class for every row.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        Class probabilities, not negative.
    decision : {"mode", "median"}
        "mode" is the most probable class, the first one in case of ties, which makes
        the fewest errors; "median" the first class at which the cumulative
        probability reaches 1/2, which has the least expected absolute error in
        classes.

    Returns
    -------
    ndarray of shape (n_samples,), intp
        Codes of classes.

    Raises
    ------
    ValueError
        If `decision` is neither of the two.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal._repair import decide
    >>> probabilities = np.array([[0.4, 0.3, 0.3]])
    >>> decide(probabilities, "mode"), decide(probabilities, "median")
    (array([0]), array([1]))
    """
    if decision == "mode":
        return probabilities.argmax(axis=1)
    if decision != "median":
        raise ValueError(f"decision={decision!r}; allowed are ['median', 'mode'].")
    below = np.cumsum(probabilities[:, :-1], axis=1, dtype=np.float64)
    return (below < 0.5).sum(axis=1)


def _clip(signed, above):
    kept = np.maximum(signed, 0)
    return kept / kept.sum(axis=1, keepdims=True)


def _isotonic(signed, above):
    below = np.cumsum(signed[:, :-1], axis=1)
    return _differences(_nonincreasing(above), -_nonincreasing(-below))


def _sorted(signed, above):
    below = np.cumsum(signed[:, :-1], axis=1)
    return _differences(-np.sort(-above, axis=1), np.sort(below, axis=1))


REPAIRS = {"isotonic": _isotonic, "sort": _sorted, "clip": _clip, "raise": None}


def _nonincreasing(values):
    """Nearest non-increasing rows: min over a <= j of max over b >= j of mean(a..b)."""
    width = values.shape[1]
    fit = np.full(values.shape, np.inf)
    for first in range(width):
        means = np.cumsum(values[:, first:], axis=1) / np.arange(1, width - first + 1)
        best = np.maximum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        np.minimum(fit[:, first:], best, out=fit[:, first:])
    return np.minimum.accumulate(fit, axis=1)  # rounding alone may break the order


def _differences(above, below):
    """Class probabilities from P(y > k) and P(y <= k), both in order.

    The two say the same; the smaller one has the digits. So the probability of a class
    in the upper half is a difference of the former, in the lower half of the latter.
    """
    edge = np.ones((len(above), 1))
    # Sums of signed probabilities may leave the unit interval by a rounding.
    above = np.hstack([edge, above.clip(0, 1), 0 * edge])
    below = np.hstack([0 * edge, below.clip(0, 1), edge])
    from_above = above[:, :-1] - above[:, 1:]
    from_below = below[:, 1:] - below[:, :-1]
    return np.where(above[:, :-1] <= 0.5, from_above, from_below)
