"""The convex problems of the ordinal estimators with the logit link, for cvxpy.

Everything here follows from public parameters, fitted attributes and the data: the
package's own losses and solvers have no part in it. Losses, penalties and conditions
are written once, for cvxpy's expressions and for the numbers of the fit.

Classes are 0, ..., K - 1, thresholds 0, ..., m - 1 with m = K - 1, and ``eta`` (n, m)
is minus the public scores of "y > k"; with ``reverse=True`` classes are counted from
the last, and ``eta`` is the scores themselves, from the last to the first.
"""

from typing import Any, NamedTuple

import cvxpy as cp
import numpy as np
from scipy import sparse
from scipy.special import logsumexp
from sklearn.utils.class_weight import compute_class_weight

from skloss._conic import linear_model
from skloss._fitted_scores import fitted_scores

__all__ = ["problem"]

# Sparse rows with no more entries than this, zeros included, are made dense.
_SMALL = 1_000_000
# How far out of order, relative to the largest score, rounding may leave a fit.
_ROUNDING = 1e-9


def problem(estimator, X, y, sample_weight):
    """Problem and fitted objective, see `skloss.certification`.

    With semiparallel weights the fitted coefficients do not say which part is common
    to all thresholds. The fitted objective counts the cheapest: the penalty of a
    feature as a function of its common part is convex and quadratic between the
    points where a term changes sign, so its least value is at such a point or where
    the slope of a piece vanishes, and all of these are tried.

    The fitted objective is infinite if the fit breaks the ordering asked for.

    Raises
    ------
    TypeError
        If the link is not the logit.
    """
    model = _options(estimator)
    rows = _rows(estimator, model, X, y, sample_weight)
    blocks = _blocks(model, rows)
    fitted = _fitted(estimator, model, rows)
    free, penalty = _free(model, rows, blocks)
    conditions = [gap >= 0 for gap in _gaps(model, rows, free, cp.abs)]
    loss = _loss(model, rows, free.eta, _EXPRESSIONS) + penalty
    with np.errstate(all="ignore"):  # of a fit gone wrong
        value = _loss(model, rows, fitted.eta, _NUMBERS)
        value = value + _penalty_of_fit(model, blocks, fitted.coef)
        room = -_ROUNDING * (1 + np.abs(fitted.eta).max())
        gaps = _gaps(model, rows, fitted, np.abs)
    ordered = all((gap >= room).all() for gap in gaps)
    value = float(value) if ordered else np.inf
    return cp.Problem(cp.Minimize(loss), conditions), value


class _Options(NamedTuple):
    """Parameters of `PrestoClassifier`; the defaults make it proportional odds."""

    alpha: float
    link: Any
    l1_ratio: float = 0.0
    base_penalty: float = 1.0
    base: str | int = "first"
    structure: str = "parallel"
    family: str = "cumulative"
    reverse: bool = False
    ordering: str = "observed"
    feature_range: tuple | None = None
    penalty_factors: Any = None
    standardize: bool = False


def _options(estimator):
    """Parameters, of cross-validation those that it chose."""
    found = vars(estimator)
    options = {name: found[name] for name in _Options._fields if name in found}
    for name in ("alpha", "l1_ratio"):
        options[name] = found.get(f"{name}_", options.get(name, 0.0))
    link = options["link"]
    name = link if isinstance(link, str) else type(link).__name__
    if name.lower() != "logit":
        raise TypeError(
            f"certify knows the logit link of {type(estimator).__name__} only; got "
            f"link={link!r}."
        )
    return _Options(**options)


class _Rows(NamedTuple):
    """Rows with weight, in the units of the penalty."""

    Z: Any  # (n, p), ``(X - center) / scale``
    codes: np.ndarray  # (n,), of classes in the order of the family
    weight: np.ndarray  # (n,), sums to 1
    share: np.ndarray  # (K,), weight of the classes
    center: np.ndarray  # (p,)
    scale: np.ndarray  # (p,)
    low: np.ndarray  # (p,), ends of the box in the units of Z
    high: np.ndarray


def _rows(estimator, model, X, y, sample_weight):
    classes, kept = estimator.classes_, np.flatnonzero(sample_weight > 0)
    X, y, weight = X[kept].astype(np.float64), np.asarray(y)[kept], sample_weight[kept]
    if sparse.issparse(X) and X.shape[0] * X.shape[1] <= _SMALL:
        X = X.toarray()
    weight = weight / weight.max()
    factor = compute_class_weight(
        estimator.class_weight, classes=classes, y=y, sample_weight=weight
    )
    position = {label: k for k, label in enumerate(classes.tolist())}
    codes = np.array([position[label] for label in y.tolist()])
    weight = weight * factor[codes]
    weight = weight / weight.sum()
    codes = len(classes) - 1 - codes if model.reverse else codes
    share = np.bincount(codes, weights=weight, minlength=len(classes))
    ends = model.feature_range
    ends = (_dense(X.min(axis=0)), _dense(X.max(axis=0))) if ends is None else ends
    Z, center, scale = _standardised(X, weight, model.standardize)
    low, high = ((np.asarray(end, np.float64) - center) / scale for end in ends)
    return _Rows(Z, codes, weight, share, center, scale, low, high)


def _dense(row):
    return row.toarray().ravel() if sparse.issparse(row) else row


def _standardised(X, weight, standardize):
    """``(X - center) / scale``, center and scale; sparse rows are not centred."""
    mean = np.asarray(weight @ X).ravel()
    if sparse.issparse(X):
        center, entries = np.zeros(len(mean)), X.tocoo()
        mass, at = weight[entries.row], entries.col
        square = np.bincount(at, mass * (entries.data - mean[at]) ** 2, len(mean))
        empty = 1 - np.bincount(at, mass, len(mean))
        spread = np.sqrt(square + np.maximum(empty, 0) * mean**2)
    else:
        center, X = mean, X - mean
        spread = np.sqrt(weight @ X**2)
    constant = spread <= 1e-12 * np.abs(mean)
    scale = np.where(constant | (not standardize), 1.0, spread)
    if sparse.issparse(X):
        return (X @ sparse.diags_array(1 / scale)).tocsr(), center, scale
    return np.where(constant, 0.0, X / scale), center, scale


class _Blocks(NamedTuple):
    """What is penalised: ``coef = T @ blocks``, each block (q,) with its strength."""

    T: np.ndarray  # (m, q)
    strength: np.ndarray  # (q, p)


def _blocks(model, rows):
    m, p = len(rows.share) - 1, len(rows.center)
    at, k = _base(model, rows.share), np.arange(m)
    T = {
        "fused": np.where(k > at, k[:, None] >= k, (k[:, None] <= k) | (k == at)),
        "nonparallel": np.eye(m),
        "parallel": np.ones((m, 1)),
        "semiparallel": np.hstack([np.ones((m, 1)), np.eye(m)]),
    }[model.structure]
    factors = np.ones(T.shape[1])
    if model.structure != "nonparallel":
        factors[at if model.structure == "fused" else 0] = model.base_penalty
    v = np.ones(p) if model.penalty_factors is None else model.penalty_factors
    strength = model.alpha * np.outer(factors, np.asarray(v, np.float64))
    return _Blocks(T.astype(np.float64), strength)


def _base(model, share):
    """Position of the base threshold in the order of the family."""
    if model.base == "balanced":
        below = np.cumsum(share)[:-1]
        return int(np.argmax(below * (1 - below)))
    return {"first": 0, "last": len(share) - 2}.get(model.base, model.base)


class _Model(NamedTuple):
    """Scores, in numbers or as expressions of cvxpy."""

    eta: Any  # (n, m)
    theta: Any  # (m,), eta where Z is 0
    coef: Any  # (m, p), of Z


def _fitted(estimator, model, rows):
    """Scores of the fitted attributes."""
    coef, intercept, at = fitted_scores(estimator)
    m = len(rows.share) - 1
    theta = -(intercept + coef @ (rows.center - at))
    coef = -np.broadcast_to(coef * rows.scale, (m, len(at)))
    if model.reverse:
        theta, coef = -theta[::-1], -coef[::-1]
    return _Model(rows.Z @ coef.T + theta, theta, coef)


def _free(model, rows, blocks):
    """Scores of free coefficients, and the penalty; all variables at 0 are the null."""
    smooth = model.l1_ratio == 0 or model.alpha == 0
    inner = linear_model(
        rows.Z,
        rows.weight,
        blocks.T.shape[1],
        fit_intercept=False,
        ridge=blocks.strength.max(axis=0) if smooth else None,
    )
    null = _null_thresholds(model, rows.share)
    shift = cp.Variable(len(null))
    each = np.ones((len(rows.codes), 1)) @ cp.reshape(shift, (1, len(null)), order="C")
    eta = inner.scores @ blocks.T.T + each + np.tile(null, (len(rows.codes), 1))
    coef = blocks.T @ cp.multiply(inner.factor, inner.coef).T
    penalty = inner.elastic_net(blocks.strength.T, model.l1_ratio)
    return _Model(eta, null + shift, coef), penalty


def _null_thresholds(model, share):
    """Thresholds (m,) of the best model without features."""
    above = np.cumsum(share[::-1])[::-1][1:]
    if model.family == "cumulative":
        return np.log(np.cumsum(share)[:-1]) - np.log(above)
    if model.family == "adjacent":
        return np.log(share[:-1]) - np.log(share[1:])
    return np.log(share[:-1]) - np.log(above)


class _Functions(NamedTuple):
    """The convex functions that losses are made of."""

    softplus: Any  # log(1 + exp(t))
    gap: Any  # -log(1 - exp(-t)), of t > 0
    logsumexp: Any  # of each row


def _numeric_gap(t):
    short = -np.log(-np.expm1(-t))
    return np.where(t < 0.69, np.where(t > 0, short, np.inf), -np.log1p(-np.exp(-t)))


_NUMBERS = _Functions(
    lambda t: np.logaddexp(0.0, t), _numeric_gap, lambda s: logsumexp(s, axis=1)
)
_EXPRESSIONS = _Functions(
    cp.logistic, lambda t: -cp.log(1 - cp.exp(-t)), lambda s: cp.log_sum_exp(s, axis=1)
)


def _loss(model, rows, eta, functions):
    """Weighted mean of the negative log-likelihood.

    With the logit ``P(a < score <= b)`` of the cumulative family is
    ``sigmoid(-a) sigmoid(b) (1 - exp(a - b))``. The stopping and the continuation
    family are the same: their links differ by a reflection, which this one survives.
    """
    codes, weight, m = rows.codes, rows.weight, len(rows.share) - 1
    if model.family == "adjacent":  # log P(k) - log P(K - 1) sums eta from k on
        scores = eta @ np.tri(m, m + 1).astype(np.float64)
        own = np.eye(m + 1)[codes] * weight[:, None]
        total = weight @ functions.logsumexp(scores)
        elementwise = cp.multiply if isinstance(scores, cp.Expression) else np.multiply
        return total - elementwise(own, scores).sum()
    cumulative, total = model.family == "cumulative", 0.0
    for k in range(m):
        own = np.flatnonzero(codes == k)
        passed = np.flatnonzero(codes == k + 1 if cumulative else codes > k)
        total = total + weight[own] @ functions.softplus(-eta[own, k])
        total = total + weight[passed] @ functions.softplus(eta[passed, k])
        if cumulative and k > 0:
            between = eta[own, k] - eta[own, k - 1]
            total = total + weight[own] @ functions.gap(between)
    return total


def _penalty_of_fit(model, blocks, coef):
    """Penalty of the coefficients (m, p)."""
    r, T, strength = model.l1_ratio, blocks.T, blocks.strength

    def size(u):
        return r * np.abs(u) + (1 - r) / 2 * u**2

    if model.structure == "parallel":
        return np.sum(strength * size(coef[:1]))
    if model.structure != "semiparallel":
        return np.sum(strength * size(_differences(T, coef)))
    # Row 0 is the common block itself, whose distance from 0 is penalised.
    points = np.vstack([np.zeros(coef.shape[1]), coef])
    common = points
    if r < 1:
        ends = np.sort(points, axis=0)
        middle = (ends[1:] + ends[:-1]) / 2
        slope = r * np.sum(strength * np.sign(middle[:, None] - points), axis=1)
        pull = (1 - r) * np.sum(strength * points, axis=0)
        curvature = (1 - r) * np.sum(strength, axis=0)
        flat = np.divide(
            pull - slope, curvature, out=np.zeros_like(middle), where=curvature > 0
        )
        common = np.vstack([points, flat])
    cost = np.sum(strength * size(common[:, None] - points), axis=1)
    return cost.min(axis=0).sum()


def _differences(T, coef):
    """Blocks of coefficients, where they are unique: exact differences or themselves.

    The inverse of the 0-1 matrix T has entries -1, 0 and 1.
    """
    return np.rint(np.linalg.inv(T)) @ coef


def _gaps(model, rows, scores, size):
    """Quantities that must not be negative; `size` is an absolute value."""
    never_cross = model.structure == "parallel" or model.family != "cumulative"
    if model.ordering == "observed" or never_cross:
        return []
    theta, coef, m = scores.theta, scores.coef, len(rows.share) - 1
    if model.ordering == "train":
        return [scores.eta[:, k + 1] - scores.eta[:, k] for k in range(m - 1)]
    middle, half = (rows.low + rows.high) / 2, (rows.high - rows.low) / 2
    steps = [(theta[k + 1] - theta[k], coef[k + 1] - coef[k]) for k in range(m - 1)]
    return [gap + step @ middle - size(step) @ half for gap, step in steps]
