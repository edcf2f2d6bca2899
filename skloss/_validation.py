"""What scikit-learn's own validation does not cover.

Messages name the argument, the offending value and what is allowed.
"""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets

__all__ = [
    "as_kernel_array",
    "check_class_totals",
    "check_weights",
    "column_scale",
    "combine_weights",
    "encode_labels",
    "find_classes",
    "scores_dtype",
    "weight_unit",
    "working_dtype",
]

# Integer labels within this range are looked up in a table instead of sorted.
_TABLE_SIZE = 1 << 16
# Sums and products of weights within this range neither overflow nor lose digits.
_LARGEST_WEIGHT = 2.0**400


def working_dtype(X):
    """Return the dtype in which kernels see `X`.

    Parameters
    ----------
    X : array-like
        With a ``dtype``.

    Returns
    -------
    numpy dtype
        float32 if `X` is float32 or float16 (in any byte order), else float64.
    """
    narrow = X.dtype.newbyteorder("=") in (np.float32, np.float16)
    return np.dtype(np.float32 if narrow else np.float64)


def scores_dtype(X, coef):
    """Return the dtype in which rows meet the coefficients of a fitted model.

    Parameters
    ----------
    X : array-like
        With a ``dtype``.
    coef : ndarray
        Coefficients, float32 or float64.

    Returns
    -------
    numpy dtype
        float32 if the coefficients are and it holds every value that `X` can have
        (integers of up to 16 bits, booleans), else float64.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._validation import scores_dtype
    >>> coef = np.ones(2, dtype=np.float32)
    >>> scores_dtype(np.zeros(2, np.int8), coef), scores_dtype(np.zeros(2, int), coef)
    (dtype('float32'), dtype('float64'))
    """
    narrow = coef.dtype == np.float32 and np.can_cast(X.dtype, np.float32)
    return np.dtype(np.float32 if narrow else np.float64)


def as_kernel_array(array, dtype):
    """Return an array as compiled kernels want it, copied only where it must be.

    Parameters
    ----------
    array : array-like
        Anything that NumPy can read.
    dtype : numpy dtype
        float32, float64 or intp.

    Returns
    -------
    ndarray
        C-contiguous, aligned, native byte order and read-only. Numba compiles apart
        for read-only arrays (memory-mapped ones, for instance), hence all of them
        are.
    """
    # asarray first: subclasses such as numpy.memmap are types of their own to numba.
    view = np.asarray(array, dtype=dtype, order="C").view()
    if not view.flags.aligned:
        view = view.copy()
    view.flags.writeable = False
    return view


def check_weights(sample_weight, n_samples, *, allow_all_zero=False):
    """Check and complete sample weights.

    Parameters
    ----------
    sample_weight : None, number or array-like of shape (n_samples,)
        None means a weight of 1 for every sample, a number the same for all.
    n_samples : int
        Number of samples.
    allow_all_zero : bool, default=False
        Whether the weights may sum to zero.

    Returns
    -------
    ndarray of shape (n_samples,), float64
        Newly allocated unless `sample_weight` is such an array already.

    Raises
    ------
    ValueError
        If a weight is negative, nan or infinite, if their number is wrong, or if all
        of them are zero.

    Examples
    --------
    >>> from skloss._validation import check_weights
    >>> check_weights([1, 0, 2], 3)
    array([1., 0., 2.])
    """
    if sample_weight is None:
        return np.ones(n_samples)
    weights = np.asarray(sample_weight, dtype=np.float64, order="C")
    if weights.ndim == 0:
        weights = np.full(n_samples, weights.item())
    if weights.ndim != 1:
        raise ValueError(
            f"Sample weights must be 1D array or scalar; sample_weight has shape "
            f"{weights.shape}."
        )
    if len(weights) != n_samples:
        raise ValueError(
            f"sample_weight has {len(weights)} values for {n_samples} samples."
        )
    # A minimum is nan if any weight is.
    if n_samples and not (weights.min() >= 0 and weights.max() < np.inf):
        culprit = np.flatnonzero(~((weights >= 0) & (weights < np.inf)))[0]
        raise ValueError(
            f"sample_weight[{culprit}] is {weights[culprit]}; weights must be finite "
            "and not negative."
        )
    if not allow_all_zero and not weights.any():
        raise ValueError("All values of sample_weight are zero.")
    return weights


def weight_unit(weights):
    """Return a unit in which sums and products of the weights are representable.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Checked weights, not all zero.

    Returns
    -------
    float
        A power of two, by which one divides exactly: 1 unless the largest weight is
        extreme, else about that weight.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._validation import weight_unit
    >>> weight_unit(np.array([0.0, 3.0]))
    1.0
    >>> heavy = np.full(4, 2.0**1023)
    >>> (heavy / weight_unit(heavy)).sum()
    np.float64(4.0)
    """
    largest = weights.max()
    if 1 / _LARGEST_WEIGHT <= largest <= _LARGEST_WEIGHT:
        return 1.0
    return float(np.ldexp(1.0, np.frexp(largest)[1] - 1))


def find_classes(y):
    """Return the sorted distinct labels of a classification target.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels: integers, booleans, strings, or floats that are whole numbers.

    Returns
    -------
    ndarray of shape (n_classes,)
        At least two classes.

    Raises
    ------
    ValueError
        If `y` is continuous, holds nan or infinity or fewer than two classes.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._validation import find_classes
    >>> find_classes(np.array([7, -3, 7]))
    array([-3,  7])
    """
    y = np.asarray(y)
    table = _present(y)
    if table is None:
        classes = np.unique(y)
    else:
        classes = (np.flatnonzero(table) + int(y.min())).astype(y.dtype)
    _check_labels(classes)
    if len(classes) < 2:
        raise ValueError(
            "A classifier needs at least 2 classes in y; found "
            f"{len(classes)} class: {classes.tolist()}."
        )
    return classes


def _check_labels(classes):
    """Refuse what is no label; scikit-learn alone would take longer to see it."""
    if classes.dtype.kind in "iubUS":
        return
    if classes.dtype.kind == "f":
        infinite = classes[~np.isfinite(classes)]
        if len(infinite):
            raise ValueError(f"y contains {infinite[0]}; labels must be finite.")
        classes = classes[classes != np.floor(classes)]
    # Of more than 20 distinct labels it would say that they are too many.
    check_classification_targets(classes[:20])


def encode_labels(y, classes):
    """Return the position of every label among the classes.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
        Labels.
    classes : ndarray of shape (n_classes,)
        Sorted distinct labels.

    Returns
    -------
    ndarray of shape (n_samples,), intp

    Raises
    ------
    ValueError
        If a label is not among the classes; the message names it.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._validation import encode_labels
    >>> encode_labels(np.array(["b", "a", "b"]), np.array(["a", "b", "c"]))
    array([1, 0, 1])
    """
    y, classes = np.asarray(y), np.asarray(classes)
    present = _present(y)
    if present is not None and classes.dtype.kind in "iub":
        low = int(y.min())
        positions = np.arange(low, low + len(present))
        return _encode_sorted(positions, classes, present)[y.astype(np.intp) - low]
    return _encode_sorted(y, classes, np.ones(len(y), dtype=bool))


def _encode_sorted(y, classes, wanted):
    """Positions of `y` among sorted classes, right where `wanted`."""
    codes = np.minimum(np.searchsorted(classes, y), len(classes) - 1)
    unknown = wanted & (classes[codes] != y)
    if unknown.any():
        labels = np.unique(y[unknown]).tolist()
        raise ValueError(
            f"y holds labels {labels}, which are not among the classes "
            f"{classes.tolist()}."
        )
    return codes


def _present(y):
    """Table of which integers from y.min() to y.max() occur, or None."""
    if y.dtype.kind not in "iub" or not len(y):
        return None
    low, high = int(y.min()), int(y.max())
    if high - low >= _TABLE_SIZE or high > np.iinfo(np.intp).max:
        return None
    table = np.zeros(high - low + 1, dtype=bool)
    table[y.astype(np.intp) - low] = True
    return table


def check_class_totals(totals, classes, *, argument="sample_weight"):
    """Check that every class has weight.

    Parameters
    ----------
    totals : ndarray of shape (n_classes,)
        Total weight of each class.
    classes : ndarray of shape (n_classes,)
        Labels, for the message.
    argument : str, default="sample_weight"
        Which argument is to blame.

    Raises
    ------
    ValueError
        If a class has a total weight of zero; the message names it.
    """
    empty = np.flatnonzero(totals == 0)
    if len(empty):
        raise ValueError(
            f"The class {classes[empty[0]].item()!r} has a total weight of zero: give "
            f"it positive {argument} or leave its samples out."
        )


def combine_weights(weights, class_weight, classes, codes):
    """Multiply sample weights by the weights of their classes.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Checked sample weights.
    class_weight : None, "balanced" or dict
        As in scikit-learn: "balanced" gives every class the same total weight,
        counting the sample weights; a dict maps labels to factors, 1 if absent.
    classes : ndarray of shape (n_classes,)
        Sorted labels.
    codes : ndarray of shape (n_samples,)
        Position of each sample's label among `classes`.

    Returns
    -------
    ndarray of shape (n_samples,)
        `weights` itself if `class_weight` is None.

    Raises
    ------
    ValueError
        If a class has zero weight in all, a factor is negative or not finite, or a
        product overflows.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._validation import combine_weights
    >>> codes = np.array([0, 0, 0, 1])
    >>> combine_weights(np.ones(4), {"a": 2.0}, np.array(["a", "b"]), codes)
    array([2., 2., 2., 1.])
    """
    totals = np.bincount(codes, weights=weights, minlength=len(classes))
    check_class_totals(totals, classes)
    if class_weight is None:
        return weights
    if isinstance(class_weight, str) and class_weight == "balanced":
        factors = totals.sum() / (len(classes) * totals)
    else:
        factors = compute_class_weight(class_weight, classes=classes, y=classes)
        for label, factor in zip(classes.tolist(), factors):
            if not 0 <= factor < np.inf:
                raise ValueError(
                    f"class_weight[{label!r}] is {factor}; weights must be finite "
                    "and not negative."
                )
        check_class_totals(factors, classes, argument="class_weight")
    with np.errstate(over="ignore"):
        products, totals = weights * factors[codes], totals * factors
    if not np.isfinite(totals).all():
        raise ValueError(
            "class_weight is too large: its products with the weights overflow."
        )
    check_class_totals(totals, classes, argument="class_weight")
    return products


def column_scale(center, deviation):
    """Return a scale to divide each column by, 1 for constant columns.

    Parameters
    ----------
    center : ndarray of shape (n_columns,)
        Means.
    deviation : ndarray of shape (n_columns,)
        Standard deviations.

    Returns
    -------
    ndarray of shape (n_columns,)
        `deviation`, or 1 where it is nothing but rounding beside the mean. The rule
        does not depend on the unit of a column: tiny data are data.

    Raises
    ------
    ValueError
        If a standard deviation overflowed.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss._validation import column_scale
    >>> column_scale(np.array([5.0, 1e7, 0.0]), np.array([2.0, 1e-9, 1e-200]))
    array([2.e+000, 1.e+000, 1.e-200])
    """
    overflowed = np.flatnonzero(~np.isfinite(deviation))
    if len(overflowed):
        raise ValueError(
            f"The values of feature {overflowed[0]} are too large: their variance is "
            "beyond the largest float64. Divide them by a constant."
        )
    rounding = 1e-12 * np.abs(center)
    return np.where(deviation > rounding, deviation, 1.0)
