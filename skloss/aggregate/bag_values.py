"""Values of bags from those of rows, and back."""

from collections.abc import Mapping

import numpy as np
from scipy import sparse
from sklearn.utils import Bunch, check_array

from skloss._validation import check_weights
from skloss.aggregate._aggregates import row_means
from skloss.aggregate._bags import read_bags

__all__ = ["bag_means", "expand_bag_values", "explode_bags"]

_FLOATS = (np.float64, np.float32)


def bag_means(X, bags, *, sample_weight=None):
    """Average rows within bags.

    Parameters
    ----------
    X : {array-like, sparse} of shape (n, d) or array-like of shape (n,)
        Rows, or one number for each row. Read once; means are accumulated in float64.
    bags : array-like of shape (n,) or None
        Label of the bag of each row; None makes a bag of each row.
    sample_weight : array-like of shape (n,), default=None
        Weights of the rows; 1 by default. A bag in which all weights are 0 has the
        plain mean of its rows, so that there is a mean for each label.

    Returns
    -------
    ndarray or CSR array of shape (m, d), or ndarray of shape (m,)
        Mean of each bag, in the order of ``numpy.unique(bags)``: float32 if `X` is,
        else float64; sparse if `X` is.

    Raises
    ------
    ValueError
        If `X` holds nan or infinity, if there is not one label for each row, one is
        missing, or a weight is negative.

    See Also
    --------
    expand_bag_values : From bags to rows.
    shrink_to_bags : Moves rows towards these means.

    Examples
    --------
    >>> from skloss.aggregate import bag_means
    >>> bag_means([[1.0, 0.0], [5.0, 4.0], [3.0, 2.0]], ["b", "a", "b"])
    array([[5., 4.],
           [2., 1.]])
    """
    X = check_array(X, accept_sparse="csr", dtype=_FLOATS, ensure_2d=False)
    bags = read_bags(bags, X.shape[0])
    weights = check_weights(sample_weight, X.shape[0])
    return row_means(X, bags, weights)


def expand_bag_values(values, bags):
    """Give every row the value of its bag.

    Parameters
    ----------
    values : array-like of shape (m,) or (m, t), or mapping
        A value for each bag in the order of ``numpy.unique(bags)``, or a mapping from
        labels to values, which may hold other labels too. A pandas series is read in
        its own order, whatever its index.
    bags : array-like of shape (n,)
        Label of the bag of each row.

    Returns
    -------
    ndarray of shape (n,) or (n, t)
        Value of the bag of each row.

    Raises
    ------
    ValueError
        If there is not one value for each bag, or a label is missing.

    See Also
    --------
    bag_means : From rows to bags.

    Examples
    --------
    >>> from skloss.aggregate import expand_bag_values
    >>> expand_bag_values([10.0, 20.0], ["b", "a", "b"])
    array([20., 10., 20.])
    >>> expand_bag_values({"a": 10.0, "b": 20.0}, ["b", "a", "b"])
    array([20., 10., 20.])
    """
    if bags is None:
        raise ValueError("bags must hold a label for each row; got None.")
    bags = np.asarray(bags)
    bags = read_bags(bags, bags.size)
    if isinstance(values, Mapping):
        labels = bags.labels.tolist()
        absent = [label for label in labels if label not in values]
        if absent:
            raise ValueError(f"values has no value for bag {absent[0]!r}.")
        values = [values[label] for label in labels]
    values = np.asarray(values)
    if values.ndim == 0 or len(values) != bags.count:
        raise ValueError(
            f"values must hold one value for each of {bags.count} bags; got shape "
            f"{values.shape}."
        )
    return values[bags.codes]


def explode_bags(X, membership, values):
    """Repeat rows so that bags which overlap become bags that do not.

    A row in several bags appears once in each. The bag-level loss of the repeated rows
    is that of the overlapping bags exactly, for a bag's loss depends on others only
    through the coefficients. The errors of a bag left out are not independent of the
    rest, however: bags that share rows belong in one fold.

    Parameters
    ----------
    X : {array-like, sparse} of shape (n, d)
        Rows.
    membership : {array-like, sparse} of shape (n, m)
        Weight of each row in each bag, 0 where it is not a member; booleans will do.
        ``sklearn.preprocessing.MultiLabelBinarizer`` makes it from the sets of bags
        of the rows.
    values : array-like of shape (m,) or (m, t)
        Response of each bag, handed on as it is.

    Returns
    -------
    sklearn.utils.Bunch
        With N entries, one for each member of each bag, by bags and then rows:

        - `X`: repeated rows, shape (N, d); CSR if `X` is sparse.
        - `y`: responses of their bags, shape (N,) or (N, t).
        - `bags`: column of `membership`, shape (N,).
        - `sample_weight`: weights, shape (N,).
        - `rows`: which row of `X` each one is, shape (N,).

    Raises
    ------
    ValueError
        If shapes do not fit, a weight is negative, nan or infinite, or a bag has no
        member.

    Examples
    --------
    >>> from skloss.aggregate import explode_bags
    >>> membership = [[1, 0], [1, 1], [0, 1]]
    >>> found = explode_bags([[1.0], [2.0], [3.0]], membership, [7.0, 8.0])
    >>> found.X.ravel(), found.y, found.bags
    (array([1., 2., 2., 3.]), array([7., 7., 8., 8.]), array([0, 0, 1, 1]))
    """
    X = check_array(X, accept_sparse="csr", dtype=_FLOATS)
    values = np.asarray(values)
    members = _members(membership)
    if members.shape[0] != X.shape[0]:
        raise ValueError(
            f"membership has {members.shape[0]} rows for {X.shape[0]} rows of X."
        )
    if values.ndim not in (1, 2) or len(values) != members.shape[1]:
        raise ValueError(
            f"values must hold one response for each of {members.shape[1]} bags; got "
            f"shape {values.shape}."
        )
    sizes = np.diff(members.indptr)
    if not sizes.all():
        raise ValueError(f"Bag {np.flatnonzero(sizes == 0)[0]} has no member.")
    bags = np.repeat(np.arange(len(sizes)), sizes)
    rows = members.indices.astype(np.intp)
    return Bunch(
        X=X[rows], y=values[bags], bags=bags, sample_weight=members.data, rows=rows
    )


def _members(membership):
    """Return weights of members as a CSC array without zeros, its rows sorted."""
    membership = check_array(
        membership,
        accept_sparse="csc",
        dtype=np.float64,
        ensure_all_finite=False,
        input_name="membership",
    )
    members = sparse.csc_array(membership, copy=sparse.issparse(membership))
    members.sum_duplicates()
    wrong = np.flatnonzero(~((members.data >= 0) & (members.data < np.inf)))
    if wrong.size:
        bag = np.searchsorted(members.indptr, wrong[0], side="right") - 1
        raise ValueError(
            f"membership[{members.indices[wrong[0]]}, {bag}] is "
            f"{members.data[wrong[0]]}; weights must be finite and not negative."
        )
    members.eliminate_zeros()
    return members
