"""Metrics of predictions for rows against aggregates of bags."""

import numpy as np
from scipy.special import xlogy
from sklearn.metrics import mean_squared_error, r2_score
from sklearn.utils import check_array, column_or_1d

from skloss._validation import check_weights, encode_labels, find_classes
from skloss.aggregate._aggregates import (
    AGGREGATES,
    check_option,
    plain_label,
    read_aggregates,
)
from skloss.aggregate._bags import read_bags

__all__ = ["bag_log_loss", "bag_mean_squared_error", "bag_r2_score"]

_TARGETS = ("label", "proportion", "count")


def bag_mean_squared_error(
    y_true,
    y_pred,
    bags=None,
    *,
    sample_weight=None,
    aggregate="mean",
    bag_weighting="size",
    multioutput="uniform_average",
):
    """Compute the mean squared error of the bags' mean predictions.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, t)
        Responses, as `aggregate` says.
    y_pred : array-like of shape (n,) or (n, t)
        Predictions for the rows.
    bags : array-like of shape (n,), default=None
        Label of the bag of each row. None makes a bag of each row: scikit-learn's
        ``mean_squared_error``.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows in the means of their bags; 1 by default. Rows of weight 0
        are left out.
    aggregate : {"mean", "sum"}, default="mean"
        With "mean", rows of one bag are averaged, so that responses of rows and
        repeated means of bags give one result. With "sum", each row holds its bag's
        total, which is divided by the weight of the bag.
    bag_weighting : {"size", "uniform"}, default="size"
        Whether a bag counts by the sum of its weights, or as much as any other.
    multioutput : {"raw_values", "uniform_average"} or array-like of shape (t,), \
            default="uniform_average"
        How errors of several outputs are averaged, as in scikit-learn.

    Returns
    -------
    float or ndarray of shape (t,)
        Error, in squared units of a row's response.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, a weight is negative, all are 0,
        or a bag holds different totals.

    See Also
    --------
    bag_r2_score : Relative to the variance of the bags' means.

    Examples
    --------
    >>> from skloss.aggregate import bag_mean_squared_error
    >>> error = bag_mean_squared_error([2, 2, 7], [1, 4, 7], ["a", "a", "b"])
    >>> print(f"{error:.4f}")
    0.1667
    """
    means = _bag_level(y_true, y_pred, bags, sample_weight, aggregate, bag_weighting)
    return mean_squared_error(
        means[0], means[1], sample_weight=means[2], multioutput=multioutput
    )


def bag_r2_score(
    y_true,
    y_pred,
    bags=None,
    *,
    sample_weight=None,
    aggregate="mean",
    bag_weighting="size",
    multioutput="uniform_average",
):
    """Compute the coefficient of determination of the bags' mean predictions.

    It judges means: in large random bags these hardly vary, and it is low even for
    good predictions of rows.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, t)
        Responses, as `aggregate` says.
    y_pred : array-like of shape (n,) or (n, t)
        Predictions for the rows.
    bags : array-like of shape (n,), default=None
        Label of the bag of each row. None makes a bag of each row: scikit-learn's
        ``r2_score``.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows in the means of their bags; 1 by default. Rows of weight 0
        are left out.
    aggregate : {"mean", "sum"}, default="mean"
        What rows hold, as in `bag_mean_squared_error`.
    bag_weighting : {"size", "uniform"}, default="size"
        Whether a bag counts by the sum of its weights, or as much as any other.
    multioutput : {"raw_values", "uniform_average", "variance_weighted"} or array-like \
            of shape (t,), default="uniform_average"
        How scores of several outputs are averaged, as in scikit-learn.

    Returns
    -------
    float or ndarray of shape (t,)
        At most 1; 0 for the mean of all responses. With a single bag nan, and a
        warning, as from scikit-learn.

    Raises
    ------
    ValueError
        If shapes do not fit, a number is not finite, a weight is negative, all are 0,
        or a bag holds different totals.

    See Also
    --------
    bag_mean_squared_error : In units of the response.

    Examples
    --------
    >>> from skloss.aggregate import bag_r2_score
    >>> score = bag_r2_score([2, 2, 5], [1, 4, 5], ["a", "a", "b"])
    >>> print(f"{score:.4f}")
    0.9167
    """
    means = _bag_level(y_true, y_pred, bags, sample_weight, aggregate, bag_weighting)
    return r2_score(means[0], means[1], sample_weight=means[2], multioutput=multioutput)


def _bag_level(y_true, y_pred, bags, sample_weight, aggregate, bag_weighting):
    """Return mean responses and predictions of the bags, and the bags' weights."""
    y_true = _numbers("y_true", y_true)
    y_pred = _numbers("y_pred", y_pred)
    if y_true.shape != y_pred.shape:
        raise ValueError(
            f"y_true and y_pred must have one shape; got {y_true.shape} and "
            f"{y_pred.shape}."
        )
    check_option("aggregate", aggregate, AGGREGATES)
    rows, bags, weights = _counted_rows(bags, sample_weight, len(y_true))
    true = read_aggregates(y_true[rows], bags, weights, aggregate, "y_true")
    predicted = read_aggregates(y_pred[rows], bags, weights)
    return true, predicted, _bag_weights(bags, weights, bag_weighting)


def _numbers(name, values):
    values = check_array(
        values, ensure_2d=False, dtype=[np.float64, np.float32], input_name=name
    )
    return values.reshape(len(values), -1)


def _counted_rows(bags, sample_weight, n):
    """Return the rows of positive weight, their bags and their weights."""
    bags, weights = read_bags(bags, n), check_weights(sample_weight, n)
    rows = np.flatnonzero(weights)
    if len(rows) == n:
        return slice(None), bags, weights
    return rows, bags.kept(rows), weights[rows]


def _bag_weights(bags, weights, bag_weighting):
    check_option("bag_weighting", bag_weighting, ("size", "uniform"))
    if bag_weighting == "uniform":
        return np.ones(bags.count)
    return bags.sums(weights)


def bag_log_loss(
    y_true,
    y_pred,
    bags=None,
    *,
    sample_weight=None,
    labels=None,
    normalize=True,
    target="label",
    bag_weighting="size",
):
    """Compute the cross-entropy of the bags' class frequencies.

    A bag with frequencies ``f`` of the classes and mean predicted probabilities ``p``
    contributes ``-sum(f * log(p))``. The least value, for ``p = f``, is the entropy of
    the frequencies: not 0 unless bags are pure.

    Parameters
    ----------
    y_true : array-like of shape (n,) or (n, K)
        Classes, proportions or counts, as `target` says.
    y_pred : array-like of shape (n,) or (n, K)
        Probabilities predicted for the rows, in the sorted order of the classes; with
        one dimension, those of the second of two classes.
    bags : array-like of shape (n,), default=None
        Label of the bag of each row. None makes a bag of each row: scikit-learn's
        ``log_loss``.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows in the means of their bags; 1 by default. Rows of weight 0
        are left out.
    labels : array-like of shape (K,), default=None
        Classes, if not all of them are in `y_true`; only with ``target="label"``.
    normalize : bool, default=True
        Whether to divide the sum over bags by their weights.
    target : {"label", "proportion", "count"}, default="label"
        What rows hold: "label", a class each, of which only the frequencies in bags
        count; "proportion", frequencies in [0, 1], of shape (n, K) or, for the second
        of two classes, (n,), averaged over a bag; "count", the bag's counts (sums of
        weights) in the same shapes, repeated on its rows.
    bag_weighting : {"size", "uniform"}, default="size"
        Whether a bag counts by the sum of its weights, or as much as any other.

    Returns
    -------
    float
        Cross-entropy in nats. As in scikit-learn, probabilities are kept away from 0
        and 1 by the resolution of the dtype of `y_pred`.

    Raises
    ------
    ValueError
        If shapes do not fit, there are fewer than two classes, a probability or
        proportion is outside [0, 1] or those of a row do not sum to 1, a weight is
        negative, all are 0, or a bag holds different counts.

    Examples
    --------
    >>> from skloss.aggregate import bag_log_loss
    >>> loss = bag_log_loss([0, 1, 1], [0.2, 0.8, 0.9], ["a", "a", "b"])
    >>> print(f"{loss:.4f}")
    0.4972
    """
    check_option("target", target, _TARGETS)
    proba = _probabilities("y_pred", y_pred)
    rows, bags, weights = _counted_rows(bags, sample_weight, len(proba))
    if target == "label":
        frequencies = _indicators(y_true, labels, proba.shape)[rows]
        true = read_aggregates(frequencies, bags, weights)
    elif labels is not None:
        raise ValueError('labels may be given only with target="label".')
    else:
        true = _read_frequencies(y_true, proba.shape, rows, bags, weights, target)
    predicted = read_aggregates(proba[rows], bags, weights)
    resolution = np.finfo(proba.dtype).eps
    predicted = np.clip(predicted, resolution, 1 - resolution)
    losses = -xlogy(true, predicted).sum(axis=1)
    of_bags = _bag_weights(bags, weights, bag_weighting)
    total = float(of_bags @ losses)
    return total / float(of_bags.sum()) if normalize else total


def _indicators(y_true, labels, shape):
    """Return an indicator of each row's class, of the shape of the probabilities."""
    y_true = column_or_1d(y_true)
    if len(y_true) != shape[0]:
        raise ValueError(f"y_true has {len(y_true)} rows, y_pred {shape[0]}.")
    classes = find_classes(y_true if labels is None else column_or_1d(labels))
    if len(classes) != shape[1]:
        raise ValueError(
            f"y_pred has probabilities of {shape[1]} classes; those of "
            f"{'y_true' if labels is None else 'labels'} are {classes.tolist()}. Name "
            "all of them in labels."
        )
    return np.eye(len(classes))[encode_labels(y_true, classes)]


def _read_frequencies(y_true, shape, rows, bags, weights, target):
    """Return the class frequencies of the bags from proportions or counts."""
    if target == "proportion":
        values = _probabilities("y_true", y_true)
        _check_shape(values, shape)
        return read_aggregates(values[rows], bags, weights)
    values = _numbers("y_true", y_true)
    with_first = values.shape[1] == 1
    _check_shape(values, (shape[0], 1) if with_first and shape[1] == 2 else shape)
    true = read_aggregates(values[rows], bags, weights, "sum", "y_true")
    if with_first:
        true = np.column_stack([1.0 - true, true])
    _check_simplex(true, 1e-9, lambda a: f"Bag {plain_label(bags.labels[a])!r}")
    return true


def _check_shape(values, shape):
    if values.shape != shape:
        raise ValueError(
            f"y_true and y_pred must be for the same rows and classes; got shapes "
            f"{values.shape} and {shape}."
        )


def _probabilities(name, values):
    """Return probabilities of shape (n, K); for one dimension, of two classes."""
    values = _numbers(name, values)
    if values.shape[1] == 1:
        values = np.column_stack([1 - values, values])
    allowance = np.sqrt(np.finfo(values.dtype).eps)
    _check_simplex(values, allowance, lambda i: f"{name}[{i}]")
    return values


def _check_simplex(values, allowance, name_of):
    """Check that rows are frequencies: in [0, 1], with a sum of 1."""
    outside = ((values < 0) | (values > 1)).any(axis=1)
    wrong = np.flatnonzero(outside | (np.abs(values.sum(axis=1) - 1) > allowance))
    if wrong.size:
        raise ValueError(
            f"{name_of(wrong[0])} is {values[wrong[0]].tolist()}; frequencies must be "
            "from 0 to 1 and sum to 1."
        )
