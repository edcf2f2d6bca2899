"""Predictions at single points: what the public functions broadcast."""

import numpy as np

from skloss.random_features import _risk_system as system

__all__ = ["best_point", "point", "solutions"]


def point(n_samples, n_components, n_pool):
    """Return the sizes of one prediction as kernels take them."""
    left = 1.0 if n_pool == np.inf else (n_pool - n_samples) / n_pool
    return system.Point(
        float(n_samples), float(n_components), float(n_pool), float(left)
    )


def solutions(spectrum, sizes):
    """Solve for every row of a table.

    Parameters
    ----------
    spectrum : Spectrum
        Checked spectrum.
    sizes : ndarray of shape (n_points, 4)
        Distinct sorted rows of n_samples, n_components, n_pool and alpha. Where only
        the ridge grows, a solution is a lower bound for the next.

    Returns
    -------
    list of (Point, Root)
    """
    found, previous, warm = [], None, 0.0
    for n, k, pool, alpha in sizes:
        where = point(n, k, pool)
        if where != previous:
            previous, warm = where, 0.0
        with np.errstate(over="ignore"):  # an infinite ridge is as good
            scaled = alpha / spectrum.unit
        root = system.solve_ridge(
            spectrum.eigenvalues, spectrum.trace, where, scaled, warm
        )
        root = system.Root(*root)
        # Less a little, for rounding in the solution.
        warm = root.gamma * (1 - 1e-9)
        found.append((where, root))
    return found


def best_point(spectrum, where, noise):
    """Return the best ridge, its errors and their ratio at one point.

    Parameters
    ----------
    spectrum : Spectrum
        Checked spectrum.
    where : Point
        Sizes.
    noise : float
        Variance of the noise.

    Returns
    -------
    alpha, test, train, fitting_ratio : float
    """
    eigenvalues, powers, trace, unlearnable, _, unit = spectrum
    rest = unlearnable + noise
    alpha = system.best_ridge(eigenvalues, powers, trace, rest, where)
    root = system.Root(*system.solve_ridge(eigenvalues, trace, where, alpha, 0.0))
    test, train = system.risk_at(eigenvalues, powers, rest, where, root)
    return alpha * unit, test, train, (root.a / where.n) ** 2
