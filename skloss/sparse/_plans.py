"""From the names and parameters of penalties to levels that the path solvers take."""

from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from skloss.penalties import (
    L1,
    MCP,
    SCAD,
    GroupLasso,
    NonNegative,
    Slope,
    SparseEnvelope,
    SparseGroupLasso,
    benjamini_hochberg,
)
from skloss.penalties._vector_contract import prox_residual
from skloss.solvers.composite import composite_path
from skloss.solvers.path import (
    Level,
    PathSolution,
    look_at,
    polish,
    quadratic_path,
)
from skloss.sparse._inputs import check_count, check_factors, warn_idle

__all__ = ["PENALTY_CONSTRAINTS", "PENALTY_NAMES", "Plan", "plan_of", "plans_of"]

SEPARABLE = ("l1", "elasticnet", "mcp", "scad")
CONCAVE = ("mcp", "scad")
_PRACTICALLY_NULL = 0.1  # part of a first step's gain that is left
GROUPED = ("group", "sparse_group")
PENALTY_NAMES = (*SEPARABLE, *GROUPED, "sparse_envelope", "slope")

# Penalties that look at a parameter which others may be given in vain.
_USES = {
    "groups": (*GROUPED, "sparse_envelope"),
    "n_nonzero_coefs": ("sparse_envelope",),
}

# Of the parameters that say what is fitted.
PENALTY_CONSTRAINTS = {
    "penalty": [StrOptions(set(PENALTY_NAMES))],
    "l1_ratio": [Interval(Real, 0, 1, closed="both")],
    "gamma": [Interval(Real, 1, None, closed="neither")],
    "groups": ["array-like", None],
    "feature_weights": ["array-like", None],
    "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
    "positive": ["boolean"],
    "fit_intercept": ["boolean"],
    "tol": [Interval(Real, 0, None, closed="neither")],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "verbose": ["verbose"],
}


class Plan:
    """A penalty but for its strength, on the columns of one design.

    Parameters
    ----------
    penalty : str
        One of `PENALTY_NAMES`.
    is_concave : bool
        Whether solutions are stationary points only.
    """

    def __init__(self, penalty):
        self.penalty = penalty
        self.is_concave = penalty in CONCAVE

    def alpha_max(self, data):
        """Smallest strength at which nothing penalised is in the model of all rows."""
        raise NotImplementedError

    def solve(self, data, alphas, **options):
        """Solve at falling strengths; see `skloss.solvers.path.quadratic_path`."""
        raise NotImplementedError

    def evaluate(self, data, alpha, support, values):
        """Certificate of given coefficients; see `PathSolution`."""
        raise NotImplementedError

    def polish(self, data, alpha, solution):
        """Take a solution for all rows to the accuracy of floating point."""
        return solution


class _Separable(Plan):
    """Penalties of single coefficients."""

    def __init__(self, penalty, *, l1_ratio, gamma, weight, positive):
        super().__init__(penalty)
        self.share = l1_ratio if penalty == "elasticnet" else 1.0
        self.gamma, self.positive = gamma, positive
        # A constraint holds for what is not penalised, too.
        self.weight = np.maximum(weight, 1e-300) if positive else weight

    def level(self, alpha):
        """Level of a strength."""
        strength, ridge = alpha * self.share, alpha * (1.0 - self.share)
        if self.penalty == "mcp":
            penalty = MCP(strength, self.gamma, self.positive)
        elif self.penalty == "scad":
            penalty = SCAD(strength, self.gamma, self.positive)
        elif self.positive:
            penalty = NonNegative(strength, 1.0)
        else:
            penalty = L1(strength)
        return Level(penalty, strength, ridge)

    def alpha_max(self, data):
        gradient = -data.null_gradients(self.weight)[0]
        size = np.maximum(gradient, 0.0) if self.positive else np.abs(gradient)
        penalised = self.weight > 1e-299
        ratios = size[penalised] / self.weight[penalised]
        largest = np.abs(data.linear[0]).max(initial=0.0)
        if size[penalised].max(initial=0.0) <= 1e-13 * largest:
            # Free features leave rounding alone: any strength above it does.
            return 1e-6 * float(largest)
        return float(ratios.max(initial=0.0) / max(self.share, 1e-3))

    def solve(self, data, alphas, **options):
        levels = [self.level(alpha) for alpha in alphas]
        return quadratic_path(data, levels, self.weight, **options)

    def evaluate(self, data, alpha, support, values):
        return look_at(data, self.level(alpha), self.weight, support, values)

    def polish(self, data, alpha, solution):
        return polish(data, self.level(alpha), self.weight, solution)


class _Vector(Plan):
    """Penalties of groups of coefficients, or of all of them."""

    def __init__(self, penalty, shape):
        super().__init__(penalty)
        self.shape = shape  # at strength 1

    def alpha_max(self, data):
        _refuse_scales(self.penalty, data)
        largest = float(self.shape.critical_alpha(data.linear[0]))
        if np.isfinite(largest):
            return largest
        return self._practically_null(data)

    def _practically_null(self, data):
        """Strength at which the envelope leaves little of the model.

        Like ridge, it makes coefficients small but not zero. Without a penalty, the
        best step along the first direction d lowers the objective by
        ``(u @ d)**2 / (2 * mean((X @ d)**2))``, u being the gradient; with it, nothing
        lowers it by more than ``u @ d / (2 * alpha)``, which is the duality gap of
        zero. This alpha makes that a tenth.
        """
        u = data.linear[0]
        d = self.shape.first_direction(u)
        d /= np.abs(d).max()
        support = np.flatnonzero(d)
        scores = data.columns.scores_at(support, d[support, None])[:, 0]
        scores -= data.shifts[0, support] @ d[support]
        curvature = data.weights[:, 0] @ scores**2
        return float(0.5 * curvature / (_PRACTICALLY_NULL * self.shape.value(d)))

    def solve(self, data, alphas, start=(), **options):
        _refuse_scales(self.penalty, data)
        levels = [Level(self.shape.with_alpha(alpha), alpha) for alpha in alphas]
        return composite_path(data, levels, **options)

    def evaluate(self, data, alpha, support, values):
        _refuse_scales(self.penalty, data)
        penalty, w = self.shape.with_alpha(alpha), np.zeros(data.size)
        w[support] = values
        residuals = data.residuals([0], [support], [values])
        gradients, (square,) = data.gradients([0], residuals)
        u = -np.ascontiguousarray(gradients[:, 0])
        s, gap = penalty.gap(w, u)
        violation = prox_residual(penalty, w, u, 1.0).max(initial=0.0)
        return PathSolution(
            support=support,
            values=values,
            objective=0.5 * float(square) + penalty.value(w),
            dual_gap=gap + 0.5 * float(square) * (1.0 - s) ** 2,
            kkt_violation=violation,
            n_iter=1,
            converged=False,
        )


def _refuse_scales(penalty, data):
    """Refuse data whose coefficients or gradients have squares out of range."""
    steepest = float(np.abs(data.linear[0]).max(initial=0.0))
    if penalty == "slope" or steepest == 0.0:
        return
    coef = float(data.square[0]) / steepest  # no less than y is beside X
    if coef > 1e150:
        raise ValueError(
            f"y is too large beside X for penalty={penalty!r}: the squares of "
            "coefficients overflow. Divide y by a constant, or multiply X by one."
        )
    if penalty == "sparse_envelope" and not 1e-152 < steepest < 1e150:
        size = "small" if steepest < 1.0 else "large"
        raise ValueError(
            f"The products of X and y are too {size} for penalty={penalty!r}: the "
            "squares of gradients are out of range. Multiply or divide y by a constant."
        )


def plan_of(estimator, n_features):
    """Read what an estimator is to fit; see `plans_of`."""
    (plan,) = plans_of(estimator, n_features, [estimator.l1_ratio])
    return plan


def plans_of(estimator, n_features, l1_ratios):
    """Read what an estimator is to fit, for each of some ratios.

    Parameters
    ----------
    estimator : estimator
        With the parameters of `PENALTY_CONSTRAINTS` that say what is penalised.
    n_features : int
        Number of columns of the design.
    l1_ratios : list of float
        In place of the estimator's.

    Returns
    -------
    list of Plan

    Raises
    ------
    ValueError
        If parameters do not go together; the message names them.

    Warns
    -----
    UserWarning
        If a parameter is given that the penalty does not look at.
    """
    _refuse_mismatch(estimator, n_features)
    for parameter, penalties in _USES.items():
        given = getattr(estimator, parameter)
        if given is not None and estimator.penalty not in penalties:
            setting = f"penalty={estimator.penalty!r}"
            use = "penalty=" + " or ".join(map(repr, penalties))
            warn_idle(parameter, given, setting, use)
    return [_plan_of(estimator, n_features, float(ratio)) for ratio in l1_ratios]


def _plan_of(estimator, n_features, ratio):
    name = estimator.penalty
    if name in SEPARABLE:
        weight = check_factors("feature_weights", estimator.feature_weights, n_features)
        return _Separable(
            name,
            l1_ratio=ratio,
            gamma=float(estimator.gamma),
            weight=weight,
            positive=bool(estimator.positive),
        )
    if name == "slope":
        return _Vector(name, Slope(1.0, benjamini_hochberg(n_features)))
    groups = _groups(estimator.groups, n_features)
    positive = bool(estimator.positive)
    if name == "group":
        return _Vector(name, GroupLasso(1.0, groups, positive=positive))
    if name == "sparse_group":
        return _Vector(name, SparseGroupLasso(1.0, groups, ratio, positive=positive))
    most = len(np.unique(groups))
    which = "the number of features" if estimator.groups is None else "that of groups"
    count = check_count("n_nonzero_coefs", estimator.n_nonzero_coefs, most, which)
    return _Vector(name, SparseEnvelope(1.0, count, groups))


def _refuse_mismatch(estimator, n_features):
    """Refuse what cannot be fitted, and what would not be the fit asked for."""
    name = estimator.penalty
    if name in GROUPED and estimator.groups is None:
        raise ValueError(
            f"penalty={name!r} needs groups, an integer label for each feature; got "
            "groups=None."
        )
    if name == "sparse_envelope" and estimator.n_nonzero_coefs is None:
        raise ValueError(
            "penalty='sparse_envelope' needs n_nonzero_coefs, the number of features "
            "(or groups) at full share; got n_nonzero_coefs=None."
        )
    if name == "scad" and not estimator.gamma > 2:
        raise ValueError(
            f"gamma must be above 2 for penalty='scad'; got {estimator.gamma!r}."
        )
    if estimator.positive and name in ("sparse_envelope", "slope"):
        raise ValueError(f"positive=True does not go with penalty={name!r}.")
    if name not in SEPARABLE:
        given = estimator.feature_weights
        if (check_factors("feature_weights", given, n_features) != 1.0).any():
            raise ValueError(
                f"feature_weights other than 1 do not go with penalty={name!r}; they "
                f"may be given with {', '.join(SEPARABLE)}."
            )


def _groups(given, n_features):
    """Labels of the groups; each feature is its own by default."""
    if given is None:
        return np.arange(n_features)
    groups = np.asarray(given)
    if groups.shape != (n_features,):
        raise ValueError(
            f"groups must have one label for each of the {n_features} features; got "
            f"shape {groups.shape}."
        )
    if groups.dtype.kind not in "iu":
        raise ValueError(f"groups must be integers; got dtype {groups.dtype}.")
    return groups
