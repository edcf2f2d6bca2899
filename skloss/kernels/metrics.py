"""The metrics between rows: what they are called, take, support and are computed by.

Everything that depends on the data, such as the ranges of Gower's metric or the
variances of the standardised one, is fixed once by :func:`prepare`, so that fitting
and predicting measure with the same ruler.
"""

from typing import NamedTuple

import numpy as np
from scipy import sparse

from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import check_weights, working_dtype
from skloss.kernels import _distance_kernels as kernels
from skloss.kernels import _engines as engines
from skloss.kernels._metric_params import COMPLETIONS, check_vector

__all__ = [
    "METRICS",
    "Metric",
    "cross_distances",
    "engine_for",
    "find_metric",
    "known_metrics",
    "prepare",
    "work_threads",
]

# Features up to which distances made of squares are computed one feature after the
# other. That is exact for near-duplicates and, for so few, no slower than products by
# BLAS, which win beyond.
_DIRECT_FEATURES = 32
# Points whose distances to all centres a thread computes at once.
_QUERIES = 4096


class Metric(NamedTuple):
    """What the package knows of a metric.

    Parameters
    ----------
    params : tuple of str
        Names that `metric_params` may hold.
    symmetric : bool, default=True
        Whether the distance of x to y is that of y to x.
    triangle : bool, default=True
        Whether the triangle inequality holds, the parameters' defaults taken.
    sparse : bool, default=False
        Whether rows may be sparse.
    native : bool, default=True
        Whether kernels of this package compute it; else scikit-learn does.
    boolean : bool, default=False
        Whether rows are taken as truth values.
    reflexive : bool, default=True
        Whether rows are at distance 0 from themselves, if need be by definition.

    Examples
    --------
    >>> from skloss.kernels import METRICS
    >>> METRICS["minkowski"].params
    ('p', 'w')
    """

    params: tuple = ()
    symmetric: bool = True
    triangle: bool = True
    sparse: bool = False
    native: bool = True
    boolean: bool = False
    reflexive: bool = True


_MANHATTAN = Metric(("w",), sparse=True)
_EUCLIDEAN = Metric(("w",), sparse=True)
_BOOLEAN = Metric(("w",), native=False, boolean=True)
_NO_TRIANGLE = _BOOLEAN._replace(triangle=False)

# fmt: off
METRICS = {
    # name            parameters, triangle inequality, sparse, native, boolean
    "euclidean":      _EUCLIDEAN,   # sqrt Σ w (x − y)²
    "l2":             _EUCLIDEAN,
    "sqeuclidean":    _EUCLIDEAN._replace(triangle=False),  # Σ w (x − y)²
    "cosine":         Metric(triangle=False, sparse=True),  # 1 − x·y / (|x| |y|)
    "manhattan":      _MANHATTAN,   # Σ w |x − y|
    "cityblock":      _MANHATTAN,
    "l1":             _MANHATTAN,
    "chebyshev":      Metric(("w",)),                       # max |x − y| [w > 0]
    "minkowski":      Metric(("p", "w")),                   # (Σ w |x − y|^p)^(1/p)
    "hamming":        Metric(("w",)),                       # Σ w [x ≠ y] / Σ w
    "canberra":       Metric(("w",)),                       # Σ w |x − y| / (|x| + |y|)
    "gower":          Metric(("categorical", "ranges", "weights")),  # mixed columns
    "braycurtis":     Metric(("w",), triangle=False, native=False),
    "correlation":    Metric(("w",), triangle=False, native=False),
    "haversine":      Metric(native=False),
    "mahalanobis":    Metric(("V", "VI"), native=False),
    "nan_euclidean":  Metric(("missing_values",), triangle=False, native=False),
    "seuclidean":     Metric(("V",), native=False),
    "dice":           _NO_TRIANGLE,
    "jaccard":        _BOOLEAN,
    "matching":       _BOOLEAN,
    "rogerstanimoto": _BOOLEAN,
    "russellrao":     _NO_TRIANGLE._replace(reflexive=False),  # share not True in both
    "sokalsneath":    _BOOLEAN,
    "yule":           _NO_TRIANGLE,
}
# fmt: on

_CALLABLE = Metric(symmetric=False, triangle=False, native=False, reflexive=False)

_SQUARES = {
    "euclidean": kernels.Euclidean(),
    "l2": kernels.Euclidean(),
    "sqeuclidean": kernels.SquaredEuclidean(),
    "cosine": kernels.HalfSquared(),
}


def known_metrics():
    """List the names of all metrics.

    Returns
    -------
    list of str
        Sorted.

    Examples
    --------
    >>> from skloss.kernels import known_metrics
    >>> "gower" in known_metrics()
    True
    """
    return sorted(METRICS)


def find_metric(metric):
    """Return what is known of a metric.

    Parameters
    ----------
    metric : str or callable
        A name of `known_metrics`, or a function of two rows.

    Returns
    -------
    Metric
        Its row in the table; for callables one that promises nothing.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the known ones.

    Examples
    --------
    >>> from skloss.kernels import find_metric
    >>> find_metric("sqeuclidean").triangle
    False
    """
    if callable(metric):
        return _CALLABLE
    if isinstance(metric, str) and metric in METRICS:
        return METRICS[metric]
    raise ValueError(
        f"metric={metric!r} is unknown; it must be a function of two rows or one of "
        f"{known_metrics()}."
    )


def prepare(metric, X, metric_params=None, sample_weight=None):
    """Check the parameters of a metric and fix those that depend on the data.

    Parameters
    ----------
    metric : str or callable
        As in `find_metric`.
    X : ndarray or CSR array of shape (n_samples, n_features)
        The data of the fit.
    metric_params : dict, default=None
        Parameters by name: ``w`` (n_features,) >= 0 for weighted metrics, ``p`` > 0
        for "minkowski" (default 2), ``V`` or ``VI`` for "seuclidean" and
        "mahalanobis" (default: the variances and the inverse covariance of `X`). For
        "gower": ``categorical``, a mask or indices of the columns whose values are
        only equal or not; ``ranges`` (n_features,) of the numeric columns (default:
        those of `X`); ``weights`` (n_features,) >= 0. A callable gets all of them.
    sample_weight : array-like of shape (n_samples,), default=None
        How many times each row of `X` counts in what is taken from `X`: variances and
        covariances are those of repeated rows, by the same formula where the weights
        are not whole, that is divided by the sum of the weights less 1; or by the sum
        itself if that is at most 1. Ranges are those of rows with a positive weight.

    Returns
    -------
    dict
        Complete parameters, with which blocks of any rows are measured alike.

    Raises
    ------
    ValueError
        If the metric is unknown, takes no such parameter, or the parameter is wrong;
        if the weights are.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import prepare
    >>> X = np.array([[1.0, 0.0], [3.0, 1.0], [5.0, 1.0]])
    >>> prepare("gower", X, {"categorical": [1]})["ranges"]
    array([4., 0.])
    """
    known = find_metric(metric)
    params = dict(metric_params or {})
    if callable(metric):
        return params
    unknown = sorted(set(params) - set(known.params))
    if unknown:
        raise ValueError(
            f"metric_params holds {unknown}, which metric={metric!r} does not take; "
            f"allowed are {list(known.params)}."
        )
    if sparse.issparse(X):
        if not known.sparse:
            names = sorted(name for name in METRICS if METRICS[name].sparse)
            raise ValueError(f"metric={metric!r} needs dense rows; sparse: {names}.")
        if params.get("w") is not None:
            raise ValueError(f"metric={metric!r} takes no weights w for sparse rows.")
    if params.get("w", 0) is None:
        del params["w"]
    if "w" in params:
        params["w"] = check_vector("w", params["w"], X.shape[1])
    complete = COMPLETIONS.get(metric)
    if not complete:
        return params
    if sample_weight is not None:
        sample_weight = check_weights(sample_weight, X.shape[0], allow_all_zero=True)
        if (sample_weight == 1).all():
            sample_weight = None
    return complete(X, params, sample_weight)


def engine_for(metric, params, X, dtype, *, direct=False):
    """Return what computes distances of candidates to points.

    Parameters
    ----------
    metric : str or callable
        As in `find_metric`.
    params : dict
        From `prepare`.
    X : ndarray or CSR array of shape (n_points, n_features)
        The points.
    dtype : numpy dtype
        float32 or float64.
    direct : bool, default=False
        Whether distances must not depend on other rows to the last bit, which
        products by BLAS do.

    Returns
    -------
    object
        With ``fill(candidates, out, first)``: see `skloss.kernels._engines`.
    """
    if callable(metric):
        return engines.WithScikitLearn(metric, params, X)
    if metric in _SQUARES:
        return _engine_of_squares(metric, params, X, dtype, direct)
    if metric in _PARTS and not sparse.issparse(X):
        return engines.Directly(_PARTS[metric](params), X, dtype)
    return engines.WithScikitLearn(metric, params, X, boolean=METRICS[metric].boolean)


def cross_distances(
    X, centers, *, metric="euclidean", metric_params=None, dtype=None, n_jobs=None
):
    """Compute the distances of points to a few centres.

    A distance depends on its two rows alone, to the last bit, whatever else is asked
    for: points get the same distances, hence labels, in any company.

    Parameters
    ----------
    X : ndarray or CSR array of shape (n_points, n_features)
        The points.
    centers : ndarray or CSR array of shape (n_centers, n_features)
        The centres.
    metric : str or callable, default="euclidean"
        As in `find_metric`. A callable is given a point and a centre.
    metric_params : dict, default=None
        From `prepare`; None where the metric needs nothing from the data.
    dtype : numpy dtype, default=None
        float32 or float64; by default that of `X`.
    n_jobs : int, default=None
        Most threads to use. It changes speed, never results.

    Returns
    -------
    ndarray of shape (n_points, n_centers)
        C-contiguous.

    Raises
    ------
    ValueError
        If the metric is unknown, or a distance is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.kernels import cross_distances
    >>> X = np.array([[0.0, 0.0], [3.0, 4.0]])
    >>> cross_distances(X, X[:1], metric="manhattan")
    array([[0.],
           [7.]])
    """
    dtype = np.dtype(dtype or working_dtype(X))
    if metric_params is None:
        metric_params = prepare(metric, X)
    if find_metric(metric).boolean:
        X, centers = X.astype(bool, copy=False), centers.astype(bool, copy=False)
    distances = np.empty((X.shape[0], centers.shape[0]), dtype)

    def measure(start, stop):
        points = X[start:stop]
        out = np.empty((centers.shape[0], stop - start), dtype)
        engine_for(metric, metric_params, points, dtype, direct=True).fill(centers, out)
        distances[start:stop] = out.T

    map_row_blocks(
        measure,
        X.shape[0],
        _QUERIES,
        work_threads(*distances.shape, X.shape[1], n_jobs),
    )
    return distances


def work_threads(n_candidates, n_points, n_features, n_jobs):
    """Return the number of threads that a block of distances is worth."""
    return threads_for(n_candidates * n_points * max(8, n_features) // 2, n_jobs)


def _engine_of_squares(metric, params, X, dtype, direct):
    part = engines.Part(_SQUARES[metric])
    if metric == "cosine":
        part = part._replace(encode=engines.unit_rows)
    elif "w" in params:
        part = part._replace(encode=engines.scaled(np.sqrt(params["w"])))
    if sparse.issparse(X):
        engine = engines.BySparseProducts(part, X, dtype)
    elif direct or X.shape[1] <= _DIRECT_FEATURES:
        engine = engines.Directly([part], X, dtype)
    else:
        engine = engines.ByProducts(part, X, dtype)
    return engines.OfDirections(engine, X) if metric == "cosine" else engine


def _weighted_sum(metric):
    def parts(params):
        if "w" in params:
            return [engines.Part(metric, engines.scaled(params["w"]))]
        return [engines.Part(metric)]

    return parts


def _chebyshev_parts(params):
    # The limit of a sum of weighted powers: a weight counts features in or out.
    limit = {"w": params["w"] > 0} if "w" in params else {}
    return _weighted_sum(kernels.Chebyshev())(limit)


def _minkowski_parts(params):
    p, w = params["p"], params.get("w")
    if np.isinf(p):
        return _chebyshev_parts(params)
    special = {1.0: kernels.Manhattan(), 2.0: kernels.Euclidean()}
    metric = special.get(p) or kernels.Minkowski(p)
    return _weighted_sum(metric)({} if w is None else {"w": w ** (1 / p)})


def _hamming_parts(params):
    w = params["w"]
    return [engines.Part(kernels.Hamming(), weights=w / w.sum())]


def _canberra_parts(params):
    return [engines.Part(kernels.Canberra(), weights=params["w"])]


def _gower_parts(params):
    mask, ranges = params["categorical"], params["ranges"]
    shares = params["weights"] / params["weights"].sum()
    # A column without range is constant: it tells no two rows apart.
    scale = np.divide(shares, ranges, out=np.zeros_like(ranges), where=ranges > 0)
    numeric, categorical = np.flatnonzero(~mask), np.flatnonzero(mask)
    return [
        engines.Part(kernels.Manhattan(), engines.scaled(scale[numeric], numeric)),
        engines.Part(
            kernels.Hamming(), lambda X: X[:, categorical], shares[categorical]
        ),
    ]


_PARTS = {
    "manhattan": _weighted_sum(kernels.Manhattan()),
    "cityblock": _weighted_sum(kernels.Manhattan()),
    "l1": _weighted_sum(kernels.Manhattan()),
    "chebyshev": _chebyshev_parts,
    "minkowski": _minkowski_parts,
    "hamming": _hamming_parts,
    "canberra": _canberra_parts,
    "gower": _gower_parts,
}
