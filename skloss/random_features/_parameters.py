"""The parameters that say which features are drawn, checked together."""

from numbers import Integral, Real

import numpy as np
from scipy import sparse
from scipy.stats import qmc
from sklearn.utils._param_validation import Interval, StrOptions

from skloss._random import seed_from
from skloss.random_features._activations import ACTIVATIONS, find_activation
from skloss.random_features._feature_map import FeatureMap
from skloss.random_features._weights import DISTRIBUTIONS, SAMPLINGS, Weights

__all__ = ["CONSTRAINTS", "check_features", "draw_map", "scale_gamma"]

CONSTRAINTS = {
    "activation": [StrOptions(set(ACTIVATIONS)), callable],
    "gamma": [Interval(Real, 0, None, closed="neither"), StrOptions({"scale"})],
    "bias": [Interval(Real, 0, None, closed="left")],
    "distribution": [StrOptions(set(DISTRIBUTIONS))],
    "sampling": [StrOptions(set(SAMPLINGS))],
    "negative_slope": [Real],
    "nu": [Interval(Real, 0, None, closed="neither")],
    "random_state": ["random_state"],
}
COMPONENTS = [Interval(Integral, 1, None, closed="left")]
_OF_PHASES = ("cos", "sincos")  # activations whose kernel is one of differences


def draw_map(estimator, n_features, gamma):
    """Draw random features for an estimator with the parameters of `RandomFeatures`.

    Parameters
    ----------
    estimator : estimator
        Whose `random_state` is used.
    n_features : int
        Columns of its data.
    gamma : float
        What its `gamma` comes to.

    Returns
    -------
    FeatureMap

    Raises
    ------
    ValueError
        If parameters exclude each other.
    """
    _check_together(estimator)
    if estimator.sampling == "qmc" and n_features >= qmc.Sobol.MAXDIM:
        raise ValueError(
            f"sampling='qmc' is for less than {qmc.Sobol.MAXDIM} features; X has "
            f"{n_features}."
        )
    find_activation(estimator.activation, estimator.negative_slope, np.float64)
    weights = Weights(
        seed_from(estimator.random_state),
        n_features,
        estimator.distribution,
        estimator.sampling,
        _scale(estimator.distribution, gamma),
        float(estimator.nu),
    )
    return FeatureMap(
        weights,
        estimator.activation,
        float(estimator.negative_slope),
        float(estimator.bias),
        estimator.n_components,
        gamma,
    )


def check_features(estimator, feature_map):
    """Check that an estimator's parameters are still those of its features.

    Parameters
    ----------
    estimator : estimator
        With the parameters of `RandomFeatures`.
    feature_map : FeatureMap
        What it was fitted with.

    Raises
    ------
    ValueError
        If one is another.
    """
    weights = feature_map.weights
    fitted = {
        "n_components": feature_map.n_components,
        "activation": feature_map.activation,
        "negative_slope": feature_map.negative_slope,
        "bias": feature_map.bias,
        "distribution": weights.distribution,
        "sampling": weights.sampling,
        "nu": weights.nu,
    }
    if estimator.gamma != "scale":
        fitted["gamma"] = feature_map.gamma
    for name, value in fitted.items():
        now = getattr(estimator, name)
        if now is not value and now != value:
            raise ValueError(
                f"{name}={now!r}, and the model was fitted with {value!r}: features "
                "cannot change in a stream."
            )
    seed = estimator.random_state
    if isinstance(seed, Integral) and seed_from(seed) != weights.seed:
        raise ValueError(
            f"random_state={seed}, and the model was fitted with another one: features "
            "cannot change in a stream."
        )


def _scale(distribution, gamma):
    """Factor of weights of unit scale."""
    if distribution == "cauchy":
        return gamma
    # The variance of numbers uniform in [-1, 1] is a third.
    return np.sqrt(6.0 * gamma if distribution == "uniform" else 2.0 * gamma)


def _check_together(estimator):
    distribution, sampling = estimator.distribution, estimator.sampling
    if isinstance(estimator.n_components, bool | np.bool_):
        raise ValueError(f"n_components={estimator.n_components}: expected a number.")
    if distribution != "gaussian" and estimator.activation not in _OF_PHASES:
        raise ValueError(
            f"distribution={distribution!r} needs activation 'cos' or 'sincos', of "
            f"which the kernel is known; got activation={estimator.activation!r}."
        )
    if sampling in ("orthogonal", "hadamard") and distribution in (
        "cauchy",
        "uniform",
    ):
        raise ValueError(
            f"sampling={sampling!r} needs weights of which all directions are equally "
            f"likely, 'gaussian' or 'student'; got distribution={distribution!r}."
        )


def scale_gamma(gamma, blocks, weight=None):
    """Resolve `gamma`: "scale" is one over the columns times the variance of X.

    Parameters
    ----------
    gamma : float or "scale"
        As given.
    blocks : RowBlocks
        Rows, of which there is one pass.
    weight : ndarray of shape (n,), default=None
        Of the rows.

    Returns
    -------
    float
        1 where X is constant.

    Raises
    ------
    ValueError
        If the variance overflows.
    """
    if gamma != "scale":
        return float(gamma)
    shift = total = first = second = 0.0
    for start, stop, X in blocks.iterate():
        w = np.ones(stop - start) if weight is None else weight[start:stop]
        kept = np.flatnonzero(w)
        if kept.size < w.size:
            X, w = X[kept], w[kept]
        if not w.size:
            continue
        if not total:
            # Rounding alone must not move it off the one value of a constant.
            shift = float(np.clip(X.mean(dtype=np.float64), X.min(), X.max()))
        first_here, second_here = _sums_around(X, w, shift)
        first, second = first + first_here, second + second_here
        total += w.sum() * X.shape[1]
    mean = first / total
    variance = second / total - mean**2
    if not np.isfinite(variance):
        raise ValueError("gamma='scale': the variance of X is too large for a number.")
    # What rounding leaves of a constant does not count.
    rounding = (8 * np.finfo(np.float64).eps * (shift + mean)) ** 2
    if variance <= max(rounding, np.finfo(np.float64).tiny):
        return 1.0
    return 1.0 / (blocks.n_columns * variance)


def _sums_around(X, weight, shift):
    """Weighted sums of the numbers of a block minus a shift, and of their squares."""
    if not sparse.issparse(X):
        left = np.subtract(X, shift, dtype=np.float64)
        return weight @ left.sum(axis=1), weight @ np.einsum("ij,ij->i", left, left)
    of_entry = np.repeat(weight, np.diff(X.indptr))
    others = weight.sum() * X.shape[1] - of_entry.sum()
    left = np.subtract(X.data, shift, dtype=np.float64)
    first = of_entry @ left - others * shift
    return first, of_entry @ left**2 + others * shift * shift
