"""Scores of a fitted linear model, with the digits that its dtype cannot hold.

Rounding coefficients to float32 shifts all scores by as much as the data are far from
zero. Scores measured from a center near the data, with an intercept in float64 that
makes up for the rounding there, are shifted by no more than the data vary.
"""

import numpy as np
from scipy.sparse import issparse

from skloss._linear_scores import LinearScores

__all__ = ["attributes_of", "fitted_scores", "rounded"]


def rounded(scores, dtype):
    """Round coefficients and center, and let the intercept make up for it.

    Parameters
    ----------
    scores : LinearScores
        In float64.
    dtype : numpy dtype
        float32 or float64.

    Returns
    -------
    LinearScores
        The same scores at the old center; the intercept stays float64.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # the caller looks at `coef`
        coef, center = scores.coef.astype(dtype), scores.center.astype(dtype)
        shift = coef.astype(np.float64) @ (center - scores.center)
        return LinearScores(coef, scores.intercept + shift, center)


def attributes_of(scores):
    """Return the attributes in which an estimator keeps its scores.

    Parameters
    ----------
    scores : LinearScores
        Rounded to the dtype of the estimator.

    Returns
    -------
    dict
        The public ``coef_`` and ``intercept_``, and what `fitted_scores` needs.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        intercept = scores.intercept - _in_double(scores.coef) @ scores.center
        return {
            "coef_": scores.coef,
            "intercept_": intercept.astype(scores.coef.dtype),
            "_center": scores.center,
            "_centered_intercept": scores.intercept,
        }


def fitted_scores(estimator):
    """Return the scores that `coef_` and `intercept_` of an estimator stand for.

    Whoever changes them changes the scores: the kept intercept is used for a row of
    coefficients only where it says the same as the public attributes, rounding apart.

    Parameters
    ----------
    estimator : estimator
        With `coef_`, dense or sparse, and `intercept_`.

    Returns
    -------
    LinearScores
        Coefficients and intercept in float64.
    """
    coef = estimator.coef_
    coef = _in_double(coef.toarray() if issparse(coef) else coef)
    public = np.asarray(estimator.intercept_)
    center = getattr(estimator, "_center", None)
    if center is None or center.shape != coef.shape[1:]:  # not made by a fit
        center = np.zeros(coef.shape[1])
        return LinearScores(coef, _in_double(public), center)
    moved = _in_double(public) + coef @ center
    kept = estimator._centered_intercept
    if kept.shape != moved.shape:
        return LinearScores(coef, moved, center)
    terms = np.abs(coef) @ np.abs(center)
    rounding = len(center) * np.finfo(np.float64).eps * terms
    rounding = rounding + np.spacing(np.abs(public))
    same = np.abs(kept - moved) <= rounding
    return LinearScores(coef, np.where(same, kept, moved), center)


def _in_double(array):
    return np.asarray(array, dtype=np.float64)
