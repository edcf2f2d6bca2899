"""Expectations of products of any function of two Gaussian numbers, by quadrature.

For standard normal x and y of correlation c, Mehler's formula (1866) reads
E[f(x) g(y)] = sum_h a_h b_h c^h with the coefficients of f and g in normalised Hermite
polynomials. Those are one-dimensional integrals, one set for each variance, so that a
matrix of expectations costs one polynomial an entry. What the series leaves out is
known from the mean squares; entries for which that is too much are integrated in polar
coordinates, where the lines on which either number is 0 are lines of constant angle.
"""

import warnings

import numpy as np

from skloss._validation import as_kernel_array
from skloss.kernels._dual_kernels import fill_series

__all__ = ["HermiteSeries"]

# Relative to the root of the product of the mean squares.
_TOLERANCE = 1e-10
_LOG_TOLERANCE = np.log(_TOLERANCE)
# Of an entry in polar coordinates, in terms of a series, measured.
_POLAR_COST = 10**6
# What rules of neighbouring orders may differ by before a warning is given.
_WARN = 1e-8
_DEGREES = (32, 128, 512)
# Standard deviations beyond which the normal density is nothing.
_REACH = 14.0
_NODES_PER_PANEL = 20
_BLOCK = 1 << 20  # function values held at once


class HermiteSeries:
    """Duals of a function for given variances.

    Parameters
    ----------
    function : callable
        Of a float64 array, returning an array of its shape.
    q, r : ndarray of shape (n,) and (m,), float64
        Variances of the rows' and of the columns' numbers.

    Attributes
    ----------
    mean_squares : ndarray of shape (n,)
        E function(u)^2 for the rows' numbers.
    """

    def __init__(self, function, q, r):
        self._function = function
        variances = np.unique(np.concatenate([q, r]))
        nodes, weights = self._rule = self._choose_rule(variances)
        coefs, squares = self._expand(variances, nodes, weights)
        rows, columns = np.searchsorted(variances, q), np.searchsorted(variances, r)
        tails = np.array(
            [squares - (coefs[:, :degree] ** 2).sum(axis=1) for degree in _DEGREES]
        )
        # logarithms of the share that each degree leaves out, halved
        floor = np.finfo(np.float64).tiny
        shares = np.maximum(tails, 0) / np.maximum(squares, floor)
        half_logs = 0.5 * np.log(np.maximum(shares, 1e-32))
        self._left_x, self._left_y = half_logs[:, rows], half_logs[:, columns]
        self._coefs_x = as_kernel_array(coefs[rows], np.float64)
        self._coefs_y = as_kernel_array(coefs[columns].T, np.float64)
        self._x = as_kernel_array(np.stack([q, np.sqrt(q)], axis=1), np.float64)
        self._y = as_kernel_array(np.stack([r, np.sqrt(r)]), np.float64)
        self.mean_squares = squares[rows]

    def fill(self, S, distances, measured, rows, out):
        """Write the duals of some rows.

        Parameters
        ----------
        S : ndarray of shape (n_rows, m)
            Covariances.
        distances, measured : ndarray, bool
            Not used.
        rows : slice
            Which rows these are.
        out : ndarray of shape (n_rows, m)
            Of the dtype of `S`; may be `S`.
        """
        x = self._x[rows]
        cosines = _cosines(S, x[:, 1], self._y[1])
        same = (cosines == 1) & (x[:, :1] == self._y[0])
        degree, poor = self._choose_degree(cosines, same, rows)
        coefs_x = as_kernel_array(self._coefs_x[rows, :degree], np.float64)
        fill_series(coefs_x, S, x, self._y, self._coefs_y[:degree], out)
        i, j = np.nonzero(same)
        out[i, j] = self.mean_squares[rows][i]
        on_line = np.abs(cosines) == 1
        for some, integrate in (
            (poor & on_line, self._on_a_line),
            (poor & ~on_line, self._in_polar_coordinates),
        ):
            i, j = np.nonzero(some)
            if len(i):
                pairs = np.stack([x[i, 1], self._y[1, j]])
                pairs.sort(axis=0)  # mirrored entries are the same pair
                pairs = np.vstack([pairs, cosines[i, j]])
                pairs, inverse = np.unique(pairs, axis=1, return_inverse=True)
                out[i, j] = integrate(*pairs)[inverse.ravel()]

    def _choose_degree(self, cosines, same, rows):
        """Cheapest number of terms, and the entries for which it is not enough."""
        with np.errstate(divide="ignore"):
            logs = np.log(np.abs(cosines))
        best = np.inf
        for level, degree in enumerate(_DEGREES):
            left = self._left_x[level, rows, None] + self._left_y[level]
            poor = (degree * logs + left > _LOG_TOLERANCE) & ~same
            cost = degree * cosines.size + _POLAR_COST * np.count_nonzero(poor)
            if cost < best:
                best, chosen = cost, (degree, poor)
        return chosen

    def _values(self, points):
        values = np.asarray(self._function(points), dtype=np.float64)
        if values.shape != points.shape:
            raise ValueError(
                f"activation={self._function!r} returned shape {values.shape} for an "
                f"array of shape {points.shape}."
            )
        return values

    def _choose_rule(self, variances):
        """Panels fine enough for the function at a few of the variances."""
        some = np.unique(np.quantile(variances, [0, 0.5, 1], method="nearest"))
        worst = np.inf
        for splits in (1, 2, 4):
            nodes, weights = _line_rule(_NODES_PER_PANEL, splits)
            _, finer = self._expand(some, nodes, weights, degree=1)
            _, coarser = self._expand(some, *_line_rule(14, splits), degree=1)
            if not np.isfinite(finer).all():
                raise ValueError(
                    f"activation={self._function!r} has no finite mean square at "
                    f"variances {some}."
                )
            worst = np.max(np.abs(finer - coarser) / np.maximum(finer, 1e-300))
            if worst < _TOLERANCE:
                return nodes, weights
        if worst > _WARN:
            warnings.warn(
                f"activation={self._function!r} is not smooth enough away from 0 for "
                f"the quadrature: mean squares are uncertain by {worst:.1e}.",
                RuntimeWarning,
                stacklevel=4,
            )
        return nodes, weights

    def _expand(self, variances, nodes, weights, degree=_DEGREES[-1]):
        """Coefficients (n, degree) and mean squares (n,) for some variances."""
        table = _hermite_table(nodes, degree) * weights[:, None]
        coefs, squares = np.empty((len(variances), degree)), np.empty(len(variances))
        step = max(1, _BLOCK // len(nodes))
        for start in range(0, len(variances), step):
            rows = slice(start, start + step)
            values = self._values(np.sqrt(variances[rows])[:, None] * nodes)
            coefs[rows] = values @ table
            squares[rows] = (values * values) @ weights
        return coefs, squares

    def _on_a_line(self, root_q, root_r, cosines):
        """Duals of single pairs of which one is a multiple of the other."""
        nodes, weights = self._rule
        results = np.empty(len(cosines))
        step = max(1, _BLOCK // len(nodes))
        for start in range(0, len(cosines), step):
            some = slice(start, start + step)
            u = root_q[some, None] * nodes
            v = (root_r[some] * cosines[some])[:, None] * nodes
            results[some] = (self._values(u) * self._values(v)) @ weights
        return results

    def _in_polar_coordinates(self, root_q, root_r, cosines):
        """Duals of single pairs, given standard deviations and correlations."""
        results = np.empty(len(cosines))
        largest = max(root_q.max(), root_r.max())
        levels = int(np.clip(np.ceil(np.log2(max(largest, 1.0))) + 3, 3, 12))
        radii, radial = _radial_rule(levels)
        shares, angular = _sector_rule(levels)
        step = max(1, _BLOCK // (len(radii) * len(shares)))
        for start in range(0, len(cosines), step):
            some = slice(start, start + step)
            a, b, c = root_q[some], root_r[some], cosines[some]
            # the angle between the half planes u > 0 and v > 0, and the rest
            angle = 2 * np.arctan2(np.sqrt((1 - c) / 2), np.sqrt((1 + c) / 2))
            total = 0.0
            for opening, sign in ((np.pi - angle, 1.0), (angle, -1.0)):
                # distances from the sector's two sides, on which u = 0 and v = 0
                beta = opening[:, None] * shares
                u = (a[:, None] * np.sin(beta))[:, :, None] * radii
                v = (b[:, None] * np.sin(opening[:, None] - beta))[:, :, None] * radii
                v *= sign
                products = self._values(u) * self._values(v)
                products += self._values(-u) * self._values(-v)
                total = total + opening * ((products @ radial) @ angular)
            results[some] = total / (2 * np.pi)
        return results


def _cosines(S, root_q, root_r):
    scale = root_q[:, None] * root_r
    cosines = np.zeros(S.shape)
    np.divide(S, scale, out=cosines, where=scale > 0)
    # multiples of each other, whatever the rounding of the product
    on_line = np.abs(cosines) > 1 - 4e-16
    return np.where(on_line, np.sign(cosines), cosines)


def _panels(breaks, n_nodes):
    """Gauss-Legendre nodes and weights on consecutive intervals."""
    nodes, weights = np.polynomial.legendre.leggauss(n_nodes)
    lows, widths = breaks[:-1, None], np.diff(breaks)[:, None]
    return (lows + 0.5 * widths * (nodes + 1)).ravel(), (0.5 * widths * weights).ravel()


def _line_rule(n_nodes, splits):
    """Rule for the normal distribution, with panels that shrink towards 0."""
    shrinking = np.concatenate([[0.0], 2.0 ** np.arange(-16, -1)])
    breaks = np.concatenate([shrinking, np.arange(0.5, _REACH + 0.25, 0.5)])
    whole = np.arange(len(breaks))
    fine = np.linspace(0, len(breaks) - 1, splits * (len(breaks) - 1) + 1)
    nodes, weights = _panels(np.interp(fine, whole, breaks), n_nodes)
    weights = weights * np.exp(-0.5 * nodes * nodes) / np.sqrt(2 * np.pi)
    return np.concatenate([-nodes, nodes]), np.concatenate([weights, weights])


def _radial_rule(levels):
    """Rule for the distance from 0 of two standard normal numbers."""
    shrinking = np.concatenate([[0.0], 2.0 ** np.arange(-levels, 1)])
    radii, weights = _panels(np.concatenate([shrinking, np.arange(2.0, 11.0)]), 10)
    return radii, weights * radii * np.exp(-0.5 * radii * radii)


def _sector_rule(levels):
    """Rule for [0, 1] with panels that shrink towards both ends."""
    half = np.concatenate([[0.0], 2.0 ** np.arange(-levels, 0)])
    return _panels(np.concatenate([half, 1 - half[-2::-1]]), 10)


def _hermite_table(x, degree):
    """Normalised Hermite polynomials of the normal distribution, (len(x), degree)."""
    table = np.empty((len(x), degree))
    table[:, 0] = 1
    if degree > 1:
        table[:, 1] = x
    for k in range(1, degree - 1):
        table[:, k + 1] = (x * table[:, k] - np.sqrt(k) * table[:, k - 1]) / np.sqrt(
            k + 1
        )
    return table
