"""How well predicted probabilities of a rare class agree with what happened."""

from numbers import Integral
from typing import NamedTuple

import numpy as np

from skloss._validation import check_weights

__all__ = [
    "CalibrationBins",
    "calibration_bins",
    "grouped_calibration_error",
    "rare_log_loss",
]


class CalibrationBins(NamedTuple):
    """Groups of rows with similar predictions, in ascending order of those.

    Parameters
    ----------
    mean : ndarray of shape (n_groups,)
        Mean predicted probability.
    rate : ndarray of shape (n_groups,)
        Share of the rows in which the event occurred.
    weight : ndarray of shape (n_groups,)
        Total weight: the number of rows, where all weights are 1.

    Examples
    --------
    >>> from skloss.ordinal.metrics import calibration_bins
    >>> calibration_bins([0, 1, 0, 1], [0.25, 0.25, 1.0, 1.0], n_bins=2).rate
    array([0.5, 0.5])
    """

    mean: np.ndarray
    rate: np.ndarray
    weight: np.ndarray


def grouped_calibration_error(y_true, p, n_bins=10, *, sample_weight=None):
    r"""Compare predicted probabilities with the rates in groups of similar ones.

    Rows are sorted by their prediction and cut into `n_bins` groups of equal weight.
    The error is the weighted mean over all rows of

    .. math:: (p_i - r_{g(i)})^2,

    where :math:`r_{g(i)}` is the share of events in the row's own group. So it is
    small when predictions are right on average in every group and differ little
    within one.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) where the event occurred, e.g. where the class is the rare one.
    p : array-like of shape (n_samples,)
        Predicted probabilities of the event.
    n_bins : int, default=10
        Number of groups. With one for each row the error is the Brier score.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows; an integer weight equals repeated rows.

    Returns
    -------
    float
        0 is best; at most 1.

    Raises
    ------
    ValueError
        If the arguments differ in length or are empty, `y_true` is not binary, `p`
        holds nan or values outside 0 to 1, or `n_bins` is not a positive integer.

    Notes
    -----
    Rows of equal predictions keep their order. Where `n_bins` does not divide the
    number of rows, a row on a border between groups belongs to each of them in
    proportion, which is what makes integer weights equal repeated rows.

    Figures of the same name were published in [1]_ for another quantity: the code
    behind them subtracts the rates of the sorted groups from the predictions in their
    original order.

    References
    ----------
    .. [1] Faletto, G., Bien, J. (2023). Predicting Rare Events by Shrinking Towards
       Proportional Odds. ICML. arXiv:2305.18700.

    Examples
    --------
    >>> from skloss.ordinal.metrics import grouped_calibration_error
    >>> y_true = [0, 0, 0, 1, 1, 1]
    >>> p = [0.25, 0.25, 0.25, 0.75, 0.75, 0.75]
    >>> grouped_calibration_error(y_true, p, n_bins=2)
    0.0625
    """
    y_true, p, weights = _check(y_true, p, sample_weight)
    rows, groups, parts = _equal_groups(p, weights, _check_n_bins(n_bins))
    rate = _averages(groups, parts, y_true[rows])
    return float(parts @ (p[rows] - rate[groups]) ** 2 / parts.sum())


def calibration_bins(y_true, p, n_bins=10, sample_weight=None, strategy="quantile"):
    """Group rows by predicted probability, for a reliability diagram.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) where the event occurred.
    p : array-like of shape (n_samples,)
        Predicted probabilities of the event.
    n_bins : int, default=10
        Number of groups.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.
    strategy : {"quantile", "log"}, default="quantile"
        "quantile" makes groups of equal weight, those of
        :func:`grouped_calibration_error`; "log" groups of equal width in the
        logarithm of `p`, from the smallest to the largest positive prediction.
        Predictions of zero belong to the lowest group. Groups without weight are left
        out.

    Returns
    -------
    CalibrationBins
        Mean prediction, rate and weight of each group.

    Raises
    ------
    ValueError
        As in :func:`grouped_calibration_error`, or if `strategy` is unknown.

    Examples
    --------
    >>> from skloss.ordinal.metrics import calibration_bins
    >>> bins = calibration_bins([0, 1, 0, 1], [0.25, 0.25, 0.5, 1.0], n_bins=2)
    >>> bins.mean, bins.rate, bins.weight
    (array([0.25, 0.75]), array([0.5, 0.5]), array([2., 2.]))
    """
    y_true, p, weights = _check(y_true, p, sample_weight)
    n_bins = _check_n_bins(n_bins)
    if strategy == "quantile":
        rows, groups, parts = _equal_groups(p, weights, n_bins)
    elif strategy == "log":
        rows, groups, parts = slice(None), _log_groups(p, n_bins), weights
    else:
        raise ValueError(f"strategy={strategy!r}; allowed are ['log', 'quantile'].")
    kept, groups = np.unique(groups, return_inverse=True)
    weight = np.bincount(groups, weights=parts, minlength=len(kept))
    return CalibrationBins(
        _averages(groups, parts, p[rows]),
        _averages(groups, parts, y_true[rows]),
        weight,
    )


def rare_log_loss(y_true, p, *, sample_weight=None):
    """Average minus log-likelihood of whether the rare class occurred.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True (or 1) where the class is the rare one.
    p : array-like of shape (n_samples,)
        Its predicted probabilities.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the rows.

    Returns
    -------
    float
        In nats. The probability of what happened counts as no less than one rounding
        unit of the dtype of `p`, as in :func:`sklearn.metrics.log_loss`.

    Raises
    ------
    ValueError
        As in :func:`grouped_calibration_error`.

    Examples
    --------
    >>> from skloss.ordinal.metrics import rare_log_loss
    >>> rare_log_loss([0, 1], [0.0, 1.0]) < 1e-15
    True
    """
    p = np.asarray(p)
    floor = np.finfo(p.dtype if p.dtype.kind == "f" else np.float64).eps
    y_true, p, weights = _check(y_true, p, sample_weight)
    p = np.clip(p, floor, 1 - floor)
    loss = -np.where(y_true > 0, np.log(p), np.log1p(-p))
    return float(weights @ loss / weights.sum())


def _check(y_true, p, sample_weight):
    """All three as float64 vectors of rows with positive weight."""
    y_true, p = np.asarray(y_true), np.asarray(p, dtype=np.float64)
    for name, values in (("y_true", y_true), ("p", p)):
        if values.ndim != 1:
            raise ValueError(f"{name} must have one dimension; got {values.shape}.")
    if len(y_true) != len(p):
        raise ValueError(f"y_true has {len(y_true)} values, p has {len(p)}.")
    if not len(p):
        raise ValueError("y_true and p are empty; at least one row is needed.")
    wrong = np.flatnonzero(~((p >= 0) & (p <= 1)))
    if len(wrong):
        raise ValueError(
            f"p[{wrong[0]}] is {p[wrong[0]]}; probabilities lie between 0 and 1."
        )
    strange = np.flatnonzero(~((y_true == 0) | (y_true == 1)))
    if len(strange):
        raise ValueError(
            f"y_true[{strange[0]}] is {y_true[strange[0]]}; allowed are False and "
            "True, or 0 and 1. Pass y == rare_class."
        )
    weights = check_weights(sample_weight, len(p))
    present = weights > 0
    return y_true[present].astype(np.float64), p[present], weights[present]


def _check_n_bins(n_bins):
    if isinstance(n_bins, bool) or not isinstance(n_bins, Integral) or n_bins < 1:
        raise ValueError(f"n_bins is {n_bins!r}; it must be an integer of at least 1.")
    return int(n_bins)


def _equal_groups(p, weights, n_bins):
    """Cut the rows, sorted by `p`, into groups of equal weight.

    Returns three equally long arrays, one entry for each part of a row that lies in
    one group: the row, the group and the part's weight.
    """
    order = np.argsort(p, kind="stable")
    ends = np.cumsum(weights[order])
    borders = ends[-1] * (np.arange(1, n_bins) / n_bins)
    cuts = np.sort(np.concatenate([ends, borders]))
    parts = np.diff(cuts, prepend=0.0)
    kept = parts > 0
    middles = (cuts - parts / 2)[kept]
    rows = order[np.searchsorted(ends, middles)]
    return rows, np.searchsorted(borders, middles), parts[kept]


def _log_groups(p, n_bins):
    positive = p[p > 0]
    if not len(positive):
        return np.zeros(len(p), dtype=np.intp)
    borders = np.geomspace(positive.min(), positive.max(), n_bins + 1)[1:-1]
    return np.searchsorted(borders, p, side="right")


def _averages(groups, parts, values):
    totals = np.bincount(groups, weights=parts * values)
    return totals / np.bincount(groups, weights=parts)
