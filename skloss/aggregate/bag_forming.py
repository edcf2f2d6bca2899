"""Which rows to put together in bags."""

import numbers

import numpy as np
from sklearn.utils import check_array, check_random_state

from skloss.aggregate._aggregates import check_option
from skloss.aggregate._bag_splits import balanced_clusters, best_divisions

__all__ = ["make_bags", "ordered_bags"]

_STRATEGIES = ("random", "ordered", "kmeans")


def ordered_bags(scores, min_size):
    """Form the bags of similar scores that lose least to averaging.

    Among all divisions of the rows into bags of at least `min_size` rows, the sum of
    squared deviations of scores from the means of their bags is least. Such bags are
    consecutive in the order of the scores and hold fewer than ``2 * min_size`` rows,
    or could be split [1]_. If scores are expected responses, no bags make the loss of
    rows from bag means smaller.

    Parameters
    ----------
    scores : array-like of shape (n,)
        A finite number for each row.
    min_size : int
        Fewest rows in a bag, from 1 to n.

    Returns
    -------
    ndarray of shape (n,), intp
        Bag of each row, numbered from 0 in the order of the scores. Rows of equal
        score may be in neighbouring bags, earlier rows first; of equally good
        divisions, the one with the smallest last bag is taken, and so on downwards.

    Raises
    ------
    ValueError
        If a score is not finite, or `min_size` is no integer from 1 to n.

    See Also
    --------
    make_bags : The same and other ways to form bags.

    Notes
    -----
    Takes ``O(n * min_size)`` after sorting: a dynamic programme over the size of the
    last bag [1]_.

    References
    ----------
    .. [1] S. L. Hansen, S. Mukherjee, "A polynomial algorithm for optimal univariate
       microaggregation", IEEE Transactions on Knowledge and Data Engineering 15(4),
       2003.

    Examples
    --------
    >>> from skloss.aggregate import ordered_bags
    >>> ordered_bags([0.1, 5.0, 0.2, 5.2, 5.1], min_size=2)
    array([0, 1, 0, 1, 1])
    """
    scores = _check_scores(scores)
    k = _check_size("min_size", min_size, len(scores))
    order = np.argsort(scores, kind="stable")
    labels = np.empty(len(scores), dtype=np.intp)
    labels[order] = best_divisions(scores[order], k)
    return labels


def make_bags(n_or_scores, bag_size, *, strategy="random", random_state=None):
    """Form bags of rows.

    Parameters
    ----------
    n_or_scores : int or array-like
        What bags are formed from: for "random", the number of rows n, or an array
        with an entry for each; for "ordered", scores of shape (n,); for "kmeans",
        features of shape (n, d), on scales that can be compared.
    bag_size : int
        Fewest rows in a bag, from 1 to n.
    strategy : {"random", "ordered", "kmeans"}, default="random"
        How rows are put together:

        - "random": by chance. There are ``n // bag_size`` bags, whose sizes differ by
          at most one.
        - "ordered": by score, see `ordered_bags`.
        - "kmeans": by features, in as many bags of the same sizes as with "random".
          Rows are split in two, and the parts again, by k-means with two means and
          prescribed sizes: rows go by the difference of their squared distances from
          the two means, until that settles. In the end clusters exchange rows in the
          same way with those whose means are nearest. Good but not best of all. With
          many features, time grows with the square of the number of bags.
    random_state : int, RandomState or None, default=None
        Chance of "random", and where the splits of "kmeans" start.

    Returns
    -------
    ndarray of shape (n,), intp
        Bag of each row, from 0.

    Raises
    ------
    ValueError
        If the strategy is unknown, `bag_size` is no integer from 1 to n, or the array
        does not fit the strategy or is not finite.

    See Also
    --------
    ordered_bags : The best bags of similar scores.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.aggregate import make_bags
    >>> np.bincount(make_bags(11, 3, random_state=0))
    array([4, 4, 3])
    >>> make_bags([0.1, 5.0, 0.2, 5.2, 5.1], 2, strategy="ordered")
    array([0, 1, 0, 1, 1])
    """
    check_option("strategy", strategy, _STRATEGIES)
    if strategy == "ordered":
        return ordered_bags(
            n_or_scores, _check_size("bag_size", bag_size, _n_rows(n_or_scores))
        )
    if strategy == "kmeans":
        _refuse_count("features of shape (n, d)", n_or_scores)
        X = check_array(n_or_scores, dtype=np.float64, input_name="n_or_scores")
        sizes = _even_sizes(bag_size, len(X))
        return balanced_clusters(X, sizes, check_random_state(random_state))
    n = _n_rows(n_or_scores)
    sizes = _even_sizes(bag_size, n)
    places = check_random_state(random_state).permutation(n)
    return np.repeat(np.arange(len(sizes)), sizes)[places]


def _even_sizes(bag_size, n):
    """Return sizes of as many bags as there can be, as equal as they can be."""
    m = n // _check_size("bag_size", bag_size, n)
    sizes = np.full(m, n // m)
    sizes[: n % m] += 1
    return sizes


def _n_rows(n_or_scores):
    if _is_integer(n_or_scores):
        if n_or_scores < 1:
            raise ValueError(f"There must be at least 1 row; got {n_or_scores}.")
        return int(n_or_scores)
    shape = getattr(n_or_scores, "shape", None)
    if shape is None and isinstance(n_or_scores, (list, tuple)):
        shape = (len(n_or_scores),)
    if not shape:
        raise ValueError(
            f"n_or_scores must be a number of rows or an array; got {n_or_scores!r}."
        )
    return int(shape[0])


def _refuse_count(expected, n_or_scores):
    if isinstance(n_or_scores, numbers.Number):
        raise ValueError(f"This strategy needs {expected}; got {n_or_scores!r}.")


def _check_scores(scores):
    _refuse_count("scores of shape (n,)", scores)
    scores = np.asarray(scores, dtype=np.float64)
    if scores.ndim != 1 or not len(scores):
        raise ValueError(
            "scores must have one dimension, with a number for each row; got shape "
            f"{scores.shape}."
        )
    wrong = np.flatnonzero(~np.isfinite(scores))
    if wrong.size:
        raise ValueError(f"scores[{wrong[0]}] is {scores[wrong[0]]}; must be finite.")
    return scores


def _check_size(name, size, n):
    if not _is_integer(size) or not 1 <= size <= n:
        raise ValueError(
            f"{name} must be an integer from 1 to the number of rows, {n}; got "
            f"{size!r}."
        )
    return int(size)


def _is_integer(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
