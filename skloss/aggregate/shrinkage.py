"""Rows moved towards the means of their bags."""

import math
import numbers

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from skloss._blocks import rows_per_block
from skloss._validation import check_weights
from skloss.aggregate._aggregates import row_means
from skloss.aggregate._bags import read_bags

__all__ = ["shrink_to_bags"]


def shrink_to_bags(X, bags, rho, *, sample_weight=None):
    """Move rows towards the means of their bags.

    Row ``x`` of a bag with mean ``m`` becomes ``m + sqrt(rho) * (x - m)``. Least
    squares on these rows, each with the mean response of its bag, minimises ``(1 -
    rho) * B + rho * I``, where B and I are half the squared errors of the bags' mean
    predictions and of the rows' own predictions, both against the mean responses: for
    I exceeds B by half the squared deviations of predictions within bags. Any
    penalty, kernel or weight may be added, so that each model of least squares can
    learn from aggregates.

    Parameters
    ----------
    X : {array-like, sparse} of shape (n, d)
        Rows.
    bags : array-like of shape (n,) or None
        Label of the bag of each row; None makes a bag of each row, so that nothing
        moves.
    rho : float
        How much of the variance within bags is left, at least 0: 0 puts the bag's
        mean in place of each row, 1 changes nothing, above 1 rows move apart.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows in the means; 1 by default. Give the same to the model. In
        a bag in which all weights are 0 all rows count alike.

    Returns
    -------
    ndarray of shape (n, d), or CSR array
        Moved rows, float32 if `X` is, else float64. Sparse input is made dense unless
        `rho` is 1, for most means of columns are not 0.

    Raises
    ------
    ValueError
        If `rho` is negative or no finite number, `X` holds nan or infinity, there is
        not one label for each row, one is missing, or a weight is negative.

    See Also
    --------
    bag_means : Means of the bags.
    expand_bag_values : Gives each row the mean response of its bag.

    Examples
    --------
    >>> from skloss.aggregate import shrink_to_bags
    >>> shrink_to_bags([[0.0], [4.0], [9.0]], ["a", "a", "b"], rho=0.25)
    array([[1.],
           [3.],
           [9.]])
    """
    root = math.sqrt(_check_rho(rho))
    floats = (np.float64, np.float32)
    X = check_array(X, accept_sparse="csr", dtype=floats)
    bags = read_bags(bags, X.shape[0])
    weights = check_weights(sample_weight, X.shape[0])
    if root == 1.0:
        return X.copy()
    if sparse.issparse(X):
        X = X.toarray()
    # In this form both ends of the path are exact: the means at 0, the rows at 1.
    towards = (1.0 - root) * row_means(X, bags, weights)
    shrunk = root * X
    block = rows_per_block(X.shape[1], X.itemsize)
    for start in range(0, len(X), block):  # no second array of the size of X
        rows = slice(start, start + block)
        shrunk[rows] += towards[bags.codes[rows]]
    return shrunk


def _check_rho(rho):
    if isinstance(rho, bool) or not isinstance(rho, numbers.Real):
        raise ValueError(f"rho must be a number of at least 0; got {rho!r}.")
    if not 0 <= rho < np.inf:
        raise ValueError(f"rho must be finite and at least 0; got {rho}.")
    return float(rho)
