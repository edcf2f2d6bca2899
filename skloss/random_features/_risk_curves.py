"""Predicted errors along curves and over grids of sizes, for the Display."""

from typing import NamedTuple

import numpy as np

from skloss.random_features._risk_inputs import real_numbers
from skloss.random_features.risk import optimal_alpha, rf_risk

__all__ = [
    "PARAMS",
    "Plan",
    "Theory",
    "plan_curves",
    "predictions",
]

_BEST = "best"
PARAMS = ("n_samples", "n_components", "alpha")
_SURFACE = ("n_samples", "n_components")
_ON_CURVE = 101  # positions between the ends of a curve
_ON_SURFACE = 41  # and of each side of a surface


class Theory(NamedTuple):
    """What errors are predicted from."""

    eigenvalues: np.ndarray
    coefs: np.ndarray
    noise: float
    n_pool: float
    fit_intercept: bool

    def errors(self, n_samples, n_components, alpha):
        """Predict test errors, with the best ridges if alpha is "best"."""
        if isinstance(alpha, str):
            return self.best(n_samples, n_components)[1]
        rows, factor = self._rows(n_samples)
        found = rf_risk(
            self.eigenvalues,
            self.coefs,
            rows,
            n_components,
            alpha,
            self.noise,
            self.n_pool,
        )
        return factor * found.test

    def best(self, n_samples, n_components):
        """Predict the best ridges and their test errors."""
        rows, factor = self._rows(n_samples)
        found = optimal_alpha(
            self.eigenvalues,
            self.coefs,
            rows,
            n_components,
            self.noise,
            self.n_pool,
        )
        return found.alpha, factor * found.test

    def _rows(self, n_samples):
        """Rows that are left for the features, and what an intercept costs."""
        n = np.asarray(n_samples, dtype=np.float64)
        if not self.fit_intercept:
            return n, 1.0
        if not (n > 1).all():
            raise ValueError(
                "n_samples must be above 1 for a model with an intercept; got "
                f"{n[~(n > 1)].flat[0]:g}."
            )
        return n - 1.0, 1.0 + 1.0 / n


class Plan(NamedTuple):
    """Curves over a parameter, or a surface over two of them.

    `points` are the positions asked for: a vector, or for a surface a pair of them.
    `curves` hold, for each curve, a number by name for each of the other parameters.
    """

    param: str | tuple
    points: np.ndarray | tuple
    curves: list

    @property
    def is_surface(self):
        """Whether there are two parameters."""
        return self.param == _SURFACE

    @property
    def names(self):
        """What tells curves apart."""
        return [
            ", ".join(_setting(name, curve[name]) for name in PARAMS if name in curve)
            for curve in self.curves
        ]

    def settings(self, positions):
        """Give all three parameters at all positions.

        Parameters
        ----------
        positions : ndarray or pair of them
            As `points`.

        Returns
        -------
        dict of ndarray
            Each of shape (n_curves, n_positions), or (n_components, n_samples) for a
            surface; "best" stays as it is.
        """
        if self.is_surface:
            n, k = np.meshgrid(*positions)
            found, shape = {"n_samples": n, "n_components": k}, n.shape
        else:
            shape = len(self.curves), len(positions)
            found = {self.param: positions}
        for name in self.curves[0]:
            column = [curve[name] for curve in self.curves]
            found[name] = _BEST if _BEST in column else np.array(column)[:, None]
        return {
            name: value if isinstance(value, str) else np.broadcast_to(value, shape)
            for name, value in found.items()
        }

    def thresholds(self, fit_intercept):
        """Positions, one for each curve, where features just fit all training rows.

        An intercept fits one of them. They are nan where there is no such position.
        """
        if self.is_surface or self.param == "alpha":
            return np.full(len(self.curves), np.nan)
        shift = float(fit_intercept)
        if self.param == "n_components":
            found = [curve["n_samples"] - shift for curve in self.curves]
        else:
            found = [curve["n_components"] + shift for curve in self.curves]
        found = np.array(found, dtype=np.float64)
        found[~np.isfinite(found)] = np.nan
        return found

    def between(self, thresholds):
        """Positions between the points, these and thresholds among them."""
        if self.is_surface:
            return tuple(
                _between(name, points, [], _ON_SURFACE)
                for name, points in zip(self.param, self.points)
            )
        low, high = self.points[0], self.points[-1]
        inside = thresholds[(thresholds > low) & (thresholds < high)]
        return _between(self.param, self.points, inside, _ON_CURVE)


def _between(name, points, others, count):
    """Logarithmic steps between points, with the points and others."""
    steps = np.geomspace(points[0], points[-1], count)
    if name == "n_components":
        steps = np.round(steps)
    # The ends must not move by rounding.
    return np.unique(np.concatenate([steps[1:-1], points, others]))


def _setting(name, value):
    """Describe a parameter's value in a legend."""
    if name == "n_samples":
        return f"{value:g} rows"
    if name == "n_components":
        return "infinite width" if value == np.inf else f"{value:g} features"
    return "best alpha" if value == _BEST else f"alpha {value:g}"


def plan_curves(param, given):
    """Read what is varied along the axis, and from curve to curve.

    Parameters
    ----------
    param : str or tuple of str
        One of `PARAMS`, or the pair of sizes.
    given : dict
        Values of all of `PARAMS`: numbers or lists of them; alpha may be "best".

    Returns
    -------
    Plan

    Raises
    ------
    ValueError
        If `param` is unknown, its values make no axis, or too many others are lists.
    """
    param = tuple(param) if isinstance(param, list) else param
    if param not in (*PARAMS, _SURFACE):
        raise ValueError(
            f"param must be one of {list(PARAMS)} or {_SURFACE}; got {param!r}."
        )
    values = {name: _numbers(name, given[name]) for name in PARAMS}
    varied = param if param == _SURFACE else (param,)
    points = [_axis(name, values.pop(name)) for name in varied]
    lists = [name for name, value in values.items() if np.ndim(value)]
    most = 0 if param == _SURFACE else 1
    if len(lists) > most:
        raise ValueError(
            f"{lists[most]} must be a number: along {param!r} "
            f"{'no' if not most else 'one'} other parameter can be a list."
        )
    curves = [dict(values)]
    for name in lists:
        curves = [{**values, name: value} for value in values[name].tolist()]
    return Plan(param, tuple(points) if param == _SURFACE else points[0], curves)


def _numbers(name, value):
    """Read a number or a list of them; "best" as it is."""
    if name == "alpha" and isinstance(value, str) and value == _BEST:
        return _BEST
    found = real_numbers(name, value, "a number or a list of numbers")
    if found.ndim > 1 or not found.size or np.isnan(found).any():
        raise ValueError(
            f"{name} must be a number or a list of numbers; got {value!r}."
        )
    return found if found.ndim else float(found)


def _axis(name, value):
    """Check values for a logarithmic axis, and sort them."""
    if not np.ndim(value) or len(np.unique(value)) < 2:
        raise ValueError(
            f"{name} is what varies: it must be a list of two or more different "
            f"numbers; got {value}."
        )
    good = (value > 0) & (value < np.inf)
    if not good.all():
        raise ValueError(
            f"{name} must be positive and finite on an axis; got {value[~good][0]:g}."
        )
    return np.unique(value)


def predictions(plan, theory):
    """Predict errors along all curves, or over a map.

    Parameters
    ----------
    plan : Plan
        What varies.
    theory : Theory
        What errors are predicted from.

    Returns
    -------
    dict
        Arguments of the Display.
    """
    thresholds = plan.thresholds(theory.fit_intercept)
    values = plan.between(thresholds)
    at = plan.settings(values)
    _, optimal = theory.best(at["n_samples"], at["n_components"])
    return {
        "param": plan.param,
        "values": values,
        "predicted": theory.errors(**at),
        "optimal": optimal,
        "thresholds": thresholds,
        "curve_names": plan.names,
    }
