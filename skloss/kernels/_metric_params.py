"""Checks of the parameters of metrics, and values for those that the data decide."""

import numbers

import numpy as np

__all__ = ["COMPLETIONS", "check_vector"]


def check_vector(name, values, n_features):
    try:
        values = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"metric_params[{name!r}] must hold numbers.") from error
    if values.shape != (n_features,):
        raise ValueError(
            f"metric_params[{name!r}] has shape {values.shape}; expected one value "
            f"for each of {n_features} features."
        )
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise ValueError(
            f"metric_params[{name!r}] must be finite and not negative; got {values}."
        )
    if name in ("w", "weights") and not values.any():
        raise ValueError(f"All values of metric_params[{name!r}] are zero.")
    return values


def _complete_weights(X, params, sample_weight):
    return {"w": params.get("w", np.ones(X.shape[1]))}


def _complete_minkowski(X, params, sample_weight):
    p = params.get("p", 2.0)
    if isinstance(p, bool) or not isinstance(p, numbers.Real) or not p > 0:
        raise ValueError(f"metric_params['p'] is {p!r}; it must be a number above 0.")
    return {**params, "p": float(p)}


def _variances(X, sample_weight):
    if sample_weight is None:
        return np.var(X, axis=0, ddof=1, dtype=np.float64)
    present = sample_weight > 0
    rows, weights = np.asarray(X[present], np.float64), sample_weight[present]
    squares = (rows - np.average(rows, axis=0, weights=weights)) ** 2
    return np.average(squares, axis=0, weights=weights) * _unbiased(weights)


def _covariance(X, sample_weight):
    if sample_weight is None:
        return np.atleast_2d(np.cov(np.asarray(X, np.float64).T))
    present = sample_weight > 0
    rows, weights = np.asarray(X[present], np.float64), sample_weight[present]
    covariance = np.atleast_2d(np.cov(rows.T, aweights=weights, ddof=0))
    return covariance * _unbiased(weights)


def _unbiased(weights):
    """Return what makes a mean of squares a variance if weights count rows."""
    total = weights.sum()
    return total / (total - 1) if total > 1 else 1.0


def _complete_seuclidean(X, params, sample_weight):
    V = params.get("V")
    if V is None:
        V = _variances(X, sample_weight)
    V = check_vector("V", V, X.shape[1])
    if not V.all():
        raise ValueError(
            f"metric='seuclidean' divides by the variance of feature "
            f"{np.flatnonzero(V == 0)[0]}, which is 0: leave constant features out."
        )
    return {"V": V}


def _complete_mahalanobis(X, params, sample_weight):
    n_features = X.shape[1]
    VI, V = params.get("VI"), params.get("V")
    if VI is None:
        if V is None:
            V = _covariance(X, sample_weight)
        try:
            VI = np.linalg.inv(np.asarray(V, dtype=np.float64))
        except np.linalg.LinAlgError as error:
            raise ValueError(
                "metric='mahalanobis' needs the inverse of the covariance of X, which "
                "is singular: give metric_params={'VI': ...}."
            ) from error
    VI = np.asarray(VI, dtype=np.float64)
    if VI.shape != (n_features, n_features) or not np.isfinite(VI).all():
        raise ValueError(
            f"metric_params['VI'] must be finite and have shape "
            f"{(n_features, n_features)}; got {VI.shape}."
        )
    return {"VI": VI}


def _complete_gower(X, params, sample_weight):
    n_features = X.shape[1]
    _check_numbers(X)
    mask = _check_categorical(params.get("categorical"), n_features)
    ranges, weights = params.get("ranges"), params.get("weights")
    if ranges is None:
        rows = X
        if sample_weight is not None and sample_weight.any():
            rows = X[sample_weight > 0]
        if rows.dtype == bool:  # these have no differences
            rows = rows.astype(np.float64)
        ranges = np.ptp(rows, axis=0).astype(np.float64)
        ranges[mask] = 0
    if weights is None:
        weights = np.ones(n_features)
    return {
        "categorical": mask,
        "ranges": check_vector("ranges", ranges, n_features),
        "weights": check_vector("weights", weights, n_features),
    }


def _check_numbers(X):
    if X.dtype.kind in "biuf":
        return
    try:
        if X.dtype.kind == "O":
            X.astype(np.float64)
            return
    except (TypeError, ValueError):
        pass
    raise ValueError(
        "metric='gower' takes numbers only: encode categories as numbers, for instance "
        "by sklearn.preprocessing.OrdinalEncoder, and name their columns by "
        "metric_params={'categorical': ...}."
    )


def _check_categorical(categorical, n_features):
    mask = np.zeros(n_features, dtype=bool)
    if categorical is None:
        return mask
    categorical = np.asarray(categorical)
    if categorical.dtype == bool and categorical.shape == (n_features,):
        return categorical.copy()
    allowed = f"a mask or indices of {n_features} features"
    if categorical.ndim != 1 or (
        len(categorical) and categorical.dtype.kind not in "iu"
    ):
        raise ValueError(f"metric_params['categorical'] must be {allowed}.")
    indices = categorical.astype(np.intp)
    outside = indices[(indices < -n_features) | (indices >= n_features)]
    if len(outside):
        raise ValueError(
            f"metric_params['categorical'] holds {outside[0]}; it must be {allowed}."
        )
    mask[indices] = True
    return mask


COMPLETIONS = {
    "minkowski": _complete_minkowski,
    "hamming": _complete_weights,
    "canberra": _complete_weights,
    "seuclidean": _complete_seuclidean,
    "mahalanobis": _complete_mahalanobis,
    "gower": _complete_gower,
}
