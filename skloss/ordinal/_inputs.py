"""What the ordinal estimators ask of their data and options, in one place."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from skloss._validation import (
    check_weights,
    combine_weights,
    encode_labels,
    find_classes,
    weight_unit,
    working_dtype,
)
from skloss.losses.links import LINKS, get_link
from skloss.ordinal._repair import REPAIRS
from skloss.ordinal._structure import STRUCTURES

__all__ = [
    "FAMILIES",
    "MODEL_CONSTRAINTS",
    "ORDERINGS",
    "Sample",
    "check_alphas",
    "check_base",
    "check_box",
    "check_factors",
    "check_link",
    "check_ordering",
    "check_ratios",
    "read_sample",
]

FAMILIES = ("cumulative", "stopping", "continuation", "adjacent")
ORDERINGS = ("observed", "train", "box")

_LINK = [StrOptions(set(LINKS)), *LINKS.values()]

# Of the parameters that all models with a penalty on differences share.
MODEL_CONSTRAINTS = {
    "base_penalty": [Interval(Real, 0, None, closed="left")],
    "base": [StrOptions({"first", "last", "balanced"}), Integral],
    "structure": [StrOptions(set(STRUCTURES))],
    "family": [StrOptions(set(FAMILIES))],
    "link": _LINK,
    "reverse": ["boolean"],
    "ordering": [StrOptions(set(ORDERINGS))],
    "feature_range": ["array-like", None],
    "repair": [StrOptions(set(REPAIRS))],
    "penalty_factors": ["array-like", None],
    "standardize": ["boolean"],
    "class_weight": [dict, StrOptions({"balanced"}), None],
    "categories": ["array-like", None],
    "decision": [StrOptions({"mode", "median"})],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "tol": [Interval(Real, 0, None, closed="neither")],
    "verbose": ["verbose"],
}


class Sample(NamedTuple):
    """Data of a fit, checked.

    Parameters
    ----------
    X : C-contiguous ndarray or CSR matrix of shape (n, p)
        float32 or float64.
    codes : ndarray of shape (n,), intp
        Position of each label among the classes.
    weights : ndarray of shape (n,), float64
        Sample weights times class weights, summing to 1.
    total : float
        What they summed to.
    classes : ndarray of shape (K,)
        Labels from low to high.
    given : ndarray of shape (n,), float64, or None
        Sample weights alone, if there are any.
    """

    X: np.ndarray
    codes: np.ndarray
    weights: np.ndarray
    total: float
    classes: np.ndarray
    given: np.ndarray | None = None


def read_sample(estimator, X, y, sample_weight):
    """Check the data of a fit.

    Parameters
    ----------
    estimator : estimator
        With the parameters `categories` and `class_weight`.
    X, y, sample_weight : array-like
        As given to `fit`.

    Returns
    -------
    Sample
    """
    _refuse_missing(y)
    order = _ordered_categories(y)
    X, y = _validate(estimator, X, y)
    categories = estimator.categories
    classes, codes = _encode(y, order if categories is None else categories)
    given = check_weights(sample_weight, X.shape[0])
    unit = weight_unit(given)
    given = given / unit
    weights = combine_weights(given, estimator.class_weight, classes, codes)
    total = weights.sum()
    return Sample(
        X,
        codes,
        weights / total,
        float(total * unit),
        classes,
        None if sample_weight is None else given,
    )


def _validate(estimator, X, y):
    """Rows in the dtype and order of the kernels, and labels."""
    X, y = validate_data(estimator, X, y, accept_sparse="csr")
    dtype = working_dtype(X)
    with np.errstate(over="ignore"):  # it is looked for
        X = check_array(
            X,
            accept_sparse="csr",
            dtype=dtype,
            order="C",
            ensure_all_finite=X.dtype.itemsize > dtype.itemsize,
            input_name="X",
            estimator=estimator,
        )
    return X, y


def _refuse_missing(y):
    """Refuse missing labels of pandas, of which some have no truth value."""
    if hasattr(y, "isna") and np.asarray(y.isna()).any():
        raise ValueError("Input y contains NaN: labels are missing.")


def _ordered_categories(y):
    """Ordered categories of a pandas or polars column that occur, else None."""
    if getattr(y, "ndim", 1) == 2 and y.shape[1] == 1 and hasattr(y, "iloc"):
        y = y.iloc[:, 0]
    dtype = getattr(y, "dtype", None)
    if type(dtype).__name__ == "Enum" and hasattr(y, "to_physical"):  # of polars
        codes = y.drop_nulls().to_physical()
    elif getattr(dtype, "ordered", False) and hasattr(dtype, "categories"):
        codes = y.cat.codes if hasattr(y, "cat") else y.codes
    else:
        return None
    present = set(np.unique(np.asarray(codes)).tolist())
    return [label for i, label in enumerate(dtype.categories) if i in present]


def _encode(y, order):
    """Classes in order, in the dtype of y, and codes."""
    found = _distinct(y)
    codes = encode_labels(y, found)
    if order is None:
        return found, codes
    labels = _labels(order)
    rank = {label: i for i, label in enumerate(labels)}
    if len(rank) < len(labels):
        repeated = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"categories names {repeated!r} more than once.")
    # By Python's equality: NumPy would take 1 and "1" for the same.
    for label in found.tolist():
        if label not in rank:
            raise ValueError(
                f"y holds the label {label!r}, which categories {labels} does not name."
            )
    unseen = [label for label in labels if label not in set(found.tolist())]
    if unseen:
        raise ValueError(f"categories names {unseen[0]!r}, which does not occur in y.")
    ranks = np.array([rank[label] for label in found.tolist()], dtype=np.intp)
    return found[np.argsort(ranks)], ranks[codes]


def _distinct(y):
    """Sorted labels; see `find_classes`."""
    try:
        return find_classes(y)
    except TypeError:  # of what cannot be compared
        kinds = sorted({type(label).__name__ for label in y.tolist()})
        raise ValueError(
            f"y mixes labels of the types {', '.join(kinds)}, which have no order."
        ) from None


def _labels(order):
    classes = np.asarray(order)
    if classes.ndim != 1:
        raise ValueError(
            f"categories must be one-dimensional; got shape {classes.shape}."
        )
    # NumPy would turn numbers beside strings into strings.
    return [c.item() if isinstance(c, np.generic) else c for c in order]


def _numbers(name, values):
    """Array of floats."""
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold numbers; got {values!r}.") from None


def check_link(estimator):
    """Refuse links that the family does not have."""
    if estimator.family == "adjacent" and get_link(estimator.link).name != "logit":
        raise ValueError(
            "family='adjacent' is defined for link='logit' only; got "
            f"link={estimator.link!r}."
        )


def check_base(base, n_thresholds):
    """Refuse a base that is no threshold."""
    if isinstance(base, Integral) and not 0 <= base < n_thresholds:
        raise ValueError(
            f"base={base!r} is not one of the {n_thresholds} thresholds, which are "
            f"counted from 0 to {n_thresholds - 1}."
        )


def check_ordering(estimator):
    """Refuse a box for weights whose differences are not what is penalised."""
    wanted = estimator.ordering == "box" and estimator.family == "cumulative"
    if wanted and estimator.structure not in ("fused", "parallel"):
        raise ValueError(
            "ordering='box' needs structure='fused' (or 'parallel', which never "
            f"crosses); got structure={estimator.structure!r}. Use ordering='train'."
        )


def check_factors(factors, n_features):
    """Return penalty factors (p,) as an array, or None."""
    if factors is None:
        return None
    factors = _numbers("penalty_factors", factors)
    if factors.shape != (n_features,):
        raise ValueError(
            f"penalty_factors must have one entry for each of the {n_features} "
            f"features; got shape {factors.shape}."
        )
    wrong = np.flatnonzero(~((factors >= 0) & np.isfinite(factors)))
    if len(wrong):
        raise ValueError(
            "penalty_factors must be finite and not negative; got "
            f"{factors[wrong[0]]} for feature {wrong[0]}."
        )
    return factors


def check_box(feature_range, X, weights):
    """Return the lower and upper ends (p,) of the box.

    Parameters
    ----------
    feature_range : None or pair of scalars or array-like of shape (n_features,)
        Ends; None means the smallest and largest training values.
    X : ndarray or CSR matrix of shape (n, p)
        Training rows.
    weights : ndarray of shape (n,)
        Their weights; rows without weight span no box.

    Returns
    -------
    low, high : ndarray of shape (p,)
    """
    n_features = X.shape[1]
    if feature_range is None:
        X = X if weights.all() else X[weights > 0]
        ends = X.min(axis=0), X.max(axis=0)
        ends = [e.toarray().ravel() if hasattr(e, "toarray") else e for e in ends]
        return [np.asarray(e, dtype=np.float64) for e in ends]
    if len(feature_range) != 2:
        raise ValueError(
            "feature_range must be a pair (low, high) of numbers or of arrays with one "
            f"entry for each feature; got {len(feature_range)} entries."
        )
    ends = []
    for name, end in zip(("low", "high"), feature_range):
        end = _numbers("feature_range", end)
        if end.ndim > 1 or (end.ndim == 1 and len(end) != n_features):
            raise ValueError(
                f"feature_range: the {name} ends have shape {end.shape}, but there "
                f"are {n_features} features."
            )
        ends.append(np.broadcast_to(end, (n_features,)))
    low, high = ends
    wrong = np.flatnonzero(~((low <= high) & np.isfinite(low) & np.isfinite(high)))
    if len(wrong):
        j = wrong[0]
        raise ValueError(
            f"feature_range: feature {j} has low={low[j]} and high={high[j]}; ends "
            "must be finite, low at most high."
        )
    return low, high


def check_alphas(alphas):
    """Return strengths of the penalty as an array, falling."""
    alphas = _numbers("alphas", alphas)
    if alphas.ndim != 1 or not len(alphas):
        raise ValueError(
            f"alphas must be one-dimensional and not empty; got shape {alphas.shape}."
        )
    wrong = alphas[~((alphas >= 0) & np.isfinite(alphas))]
    if len(wrong):
        raise ValueError(f"alphas must be finite and not negative; got {wrong[0]}.")
    return np.sort(alphas)[::-1]


def check_ratios(l1_ratio):
    """Return shares of the absolute value in the penalty as a list."""
    ratios = np.atleast_1d(_numbers("l1_ratio", l1_ratio))
    inside = ((ratios >= 0) & (ratios <= 1)).all()
    if ratios.ndim != 1 or not len(ratios) or not inside:
        raise ValueError(
            "l1_ratio must be a number from 0 to 1 or a list of such; got "
            f"{l1_ratio!r}."
        )
    return ratios.tolist()
