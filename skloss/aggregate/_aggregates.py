"""Means of bags: of rows, and of responses however rows hold them."""

import numpy as np
from scipy import sparse

from skloss._validation import weight_unit
from skloss.aggregate._segment_kernels import weighted_sums

__all__ = ["AGGREGATES", "check_option", "plain_label", "read_aggregates", "row_means"]

AGGREGATES = ("mean", "sum")


def read_aggregates(y, bags, weights, aggregate="mean", name="y"):
    """Read the mean response of each bag from its rows.

    Parameters
    ----------
    y : ndarray of shape (n,) or (n, t)
        Responses, finite numbers.
    bags : Bags
        Of the rows.
    weights : ndarray of shape (n,)
        Of the rows, positive.
    aggregate : {"mean", "sum"}, default="mean"
        What the rows hold: with "mean", responses whose weighted mean over the bag is
        meant, be they the rows' own or that mean itself; with "sum", each row its
        bag's weighted total.
    name : str, default="y"
        What messages call them.

    Returns
    -------
    ndarray of shape (m, t), float64
        Weighted mean response of each bag. Means that rows repeat come back exactly.

    Raises
    ------
    ValueError
        If `aggregate` is neither, or the rows of a bag hold different totals.
    """
    check_option("aggregate", aggregate, AGGREGATES)
    values = np.asarray(y, dtype=np.float64).reshape(len(y), -1)
    first = values[_first_rows(bags)]
    deviations = values - first[bags.codes]
    totals = bags.sums(weights)[:, None]
    if aggregate == "mean":
        return first + weighted_sums(deviations, bags, weights) / totals
    unequal = np.flatnonzero(deviations.any(axis=1))
    if unequal.size:
        row = unequal[0]
        bag = bags.codes[row]
        label = plain_label(bags.labels[bag])
        raise ValueError(
            f'With aggregate="sum" all rows of a bag must hold its total; in bag '
            f"{label!r} {name} is both {_shown(first[bag])} and {_shown(values[row])}."
        )
    return first / totals


def row_means(X, bags, weights):
    """Average checked rows within bags.

    Parameters
    ----------
    X : ndarray or CSR of shape (n, d), or ndarray of shape (n,)
        Rows, float32 or float64.
    bags : Bags
        Of the rows.
    weights : ndarray of shape (n,)
        Checked weights of the rows.

    Returns
    -------
    ndarray or CSR array
        Means as `bag_means` describes them, of shape (m, d) or (m,).
    """
    weights, totals = _counted_weights(bags, weights / weight_unit(weights))
    if sparse.issparse(X):
        shares = (weights / totals[bags.codes], (bags.codes, np.arange(X.shape[0])))
        averaging = sparse.csr_array(shares, shape=(bags.count, X.shape[0]))
        return sparse.csr_array(averaging @ X).astype(X.dtype, copy=False)
    rows = X.reshape(len(X), -1)
    means = weighted_sums(rows, bags, weights) / totals[:, None]
    if not np.isfinite(means).all():  # sums may overflow where means do not
        means = weighted_sums(rows, bags, weights / totals[bags.codes])
    return means.astype(X.dtype, copy=False).reshape(-1, *X.shape[1:])


def _counted_weights(bags, weights):
    """Return weights that sum to a positive number in each bag, and these sums.

    Rows of bags in which all weights are 0 weigh 1: their mean is a plain one.
    """
    totals = bags.sums(weights)
    if not totals.all():
        weights = np.where(totals[bags.codes] == 0, 1.0, weights)
        totals = bags.sums(weights)
    return weights, totals


def check_option(name, option, allowed):
    """Check that a parameter is one of a few words.

    Parameters
    ----------
    name : str
        Of the parameter.
    option : object
        Its value.
    allowed : tuple of str
        Words.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(option, str) or option not in allowed:
        words = ", ".join(f'"{word}"' for word in allowed)
        raise ValueError(f"{name} must be one of {words}; got {option!r}.")


def _first_rows(bags):
    """Return the first row of each bag."""
    first = np.empty(bags.count, dtype=np.intp)
    # Of several assignments to one place the last one stays.
    first[bags.codes[::-1]] = np.arange(len(bags.codes) - 1, -1, -1)
    return first


def plain_label(label):
    """Return a label as Python prints it, without NumPy's type around it.

    Parameters
    ----------
    label : object
        Of a bag.

    Returns
    -------
    object
        To be shown by ``repr``.
    """
    return label.item() if isinstance(label, np.generic) else label


def _shown(values):
    return values[0].item() if len(values) == 1 else values.tolist()
