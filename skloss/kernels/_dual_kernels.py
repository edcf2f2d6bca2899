"""Compiled loops over the formulas of dual activations, in strips of columns.

A matrix of covariances comes with the sides of its rows, (n, 4), and of its columns,
(4, m): variance, its root, share and spread (see `_dual_formulas.Moments`). Mixtures
have as many shares and spreads as scales. What a strip needs is kept apart from the
arrays, so that the result may overwrite the covariances.
"""

import numpy as np

from skloss._jit import kernel
from skloss.kernels._dual_formulas import Moments, dual, moments_of

__all__ = [
    "fill",
    "fill_diagonal",
    "fill_mixture",
    "fill_mixture_diagonal",
    "fill_series",
]

# Columns in a strip: what is kept of it stays in the first-level cache.
_STRIP = 512


@kernel(forceinline=True)
def _distance(k, q, r):
    """E(u - v)^2: exact subtractions where u and v nearly coincide."""
    return max((q - k) + (r - k), 0.0)


@kernel
def _distances_of_strip(k, given, measured, q, r, distances):
    """Keep the squared distances of a strip, as given or from the covariances."""
    if measured:
        for j in range(distances.shape[0]):
            distances[j] = max(np.float64(given[j]), 0.0)
    else:
        for j in range(distances.shape[0]):
            distances[j] = _distance(np.float64(k[j]), q, r[j])


@kernel
def _fill_strip(activation, k, distances, x, y, start, results):
    """Duals of one u with the v from `start` on."""
    stop = start + results.shape[0]
    q, root_q, share_x, spread_x = x[0], x[1], x[2], x[3]
    r, root_r = y[0, start:stop], y[1, start:stop]
    share_y, spread_y = y[2, start:stop], y[3, start:stop]
    for j in range(results.shape[0]):
        share = share_x * share_y[j]
        d, other = distances[j], spread_y[j]
        cov = np.float64(k[j])
        m = moments_of(cov, d, q, r[j], root_q, root_r[j], share, spread_x, other)
        results[j] = dual(activation, m)


@kernel
def _copy(strip, target):
    for j in range(strip.shape[0]):
        target[j] = strip[j]


@kernel
def fill(activation, S, given, measured, x, y, out):
    """Write the duals of all rows' u with all columns' v.

    Rows of `x` (n, 4) and columns of `y` (4, m) are the sides: variance, its root,
    share and spread. `given` (n, m) holds the squared distances if `measured`; `out`
    may be `S`.
    """
    distances, results = np.empty(_STRIP), np.empty(_STRIP)
    for i in range(S.shape[0]):
        for start in range(0, S.shape[1], _STRIP):
            stop = min(start + _STRIP, S.shape[1])
            k, d = S[i, start:stop], distances[: stop - start]
            strip = results[: stop - start]
            variances = y[0, start:stop]
            _distances_of_strip(
                k, given[i, start:stop], measured, x[i, 0], variances, d
            )
            _fill_strip(activation, k, d, x[i], y, start, strip)
            _copy(strip, out[i, start:stop])


@kernel
def fill_diagonal(activation, y, out):
    """Write the dual of each column's v with itself."""
    q, root, share, spread = y[0], y[1], y[2], y[3]
    for j in range(out.shape[0]):
        a, own = root[j], spread[j]
        m = moments_of(q[j], 0.0, q[j], q[j], a, a, share[j] * share[j], own, own)
        out[j] = dual(activation, m)


@kernel
def _cosines_of_strip(k, distances, x, y, start, cosines, gaps):
    stop = start + cosines.shape[0]
    q, root_q = x[0], x[1]
    r, root_r = y[0, start:stop], y[1, start:stop]
    for j in range(cosines.shape[0]):
        cov = np.float64(k[j])
        m = moments_of(cov, distances[j], q, r[j], root_q, root_r[j], 0.0, 0.0, 0.0)
        cosines[j], gaps[j] = m.cosine, m.gap


@kernel
def _add_terms(activation, weight, x, y, start, a, b, cosines, gaps, totals):
    """Add the duals of the scales (a, b) and (b, a), in a sum that is symmetric."""
    stop = start + totals.shape[0]
    n = y.shape[0] // 2 - 1
    share_xa, share_xb = x[2 + a], x[2 + b]
    spread_xa, spread_xb = x[2 + n + a], x[2 + n + b]
    share_ya, share_yb = y[2 + a, start:stop], y[2 + b, start:stop]
    spread_ya, spread_yb = y[2 + n + a, start:stop], y[2 + n + b, start:stop]
    for j in range(totals.shape[0]):
        c, g = cosines[j], gaps[j]
        ab, ba = share_xa * share_yb[j], share_xb * share_ya[j]
        left = Moments(0.0, 0.0, c, g, 0.0, 0.0, ab, spread_xa, spread_yb[j])
        right = Moments(0.0, 0.0, c, g, 0.0, 0.0, ba, spread_xb, spread_ya[j])
        totals[j] += weight * (dual(activation, left) + dual(activation, right))


@kernel
def fill_mixture(activation, S, given, measured, x, y, weights, constant, out):
    """As `fill`, for a weighted sum of one activation at several scales.

    Sides hold the variance, its root, the shares at all scales and the spreads.
    """
    distances, results = np.empty(_STRIP), np.empty(_STRIP)
    cosines, gaps = np.empty(_STRIP), np.empty(_STRIP)
    for i in range(S.shape[0]):
        for start in range(0, S.shape[1], _STRIP):
            stop = min(start + _STRIP, S.shape[1])
            k, d = S[i, start:stop], distances[: stop - start]
            strip = results[: stop - start]
            c, g = cosines[: stop - start], gaps[: stop - start]
            variances = y[0, start:stop]
            _distances_of_strip(
                k, given[i, start:stop], measured, x[i, 0], variances, d
            )
            _cosines_of_strip(k, d, x[i], y, start, c, g)
            strip[:] = constant
            for a in range(weights.shape[0]):
                for b in range(a + 1):
                    weight = weights[a] * weights[b] * (0.5 if a == b else 1.0)
                    _add_terms(activation, weight, x[i], y, start, a, b, c, g, strip)
            _copy(strip, out[i, start:stop])


@kernel
def fill_mixture_diagonal(activation, x, y, weights, constant, out):
    """As `fill_diagonal`, for a mixture; `x` holds the columns of `y` as rows."""
    one, zero = np.ones(1), np.zeros(1)
    for j in range(out.shape[0]):
        strip = out[j : j + 1]
        strip[0] = constant
        for a in range(weights.shape[0]):
            for b in range(a + 1):
                weight = weights[a] * weights[b] * (0.5 if a == b else 1.0)
                _add_terms(activation, weight, x[j], y, j, a, b, one, zero, strip)


@kernel
def fill_series(coefs_x, S, x, y, coefs_y, out):
    """Write sum_h coefs_x[i, h] coefs_y[h, j] correlation[i, j]^h (Mehler, 1866).

    The first two columns of `x` (n, 2) and rows of `y` (2, m) are variances and their
    roots. `out` may be `S`.
    """
    distances, results = np.empty(_STRIP), np.empty(_STRIP)
    cosines, gaps = np.empty(_STRIP), np.empty(_STRIP)
    for i in range(S.shape[0]):
        for start in range(0, S.shape[1], _STRIP):
            stop = min(start + _STRIP, S.shape[1])
            k, d = S[i, start:stop], distances[: stop - start]
            strip = results[: stop - start]
            c, g = cosines[: stop - start], gaps[: stop - start]
            _distances_of_strip(k, k, False, x[i, 0], y[0, start:stop], d)
            _cosines_of_strip(k, d, x[i], y, start, c, g)
            strip[:] = 0.0
            for h in range(coefs_y.shape[0] - 1, -1, -1):
                a, b = coefs_x[i, h], coefs_y[h, start:stop]
                for j in range(strip.shape[0]):
                    strip[j] = strip[j] * c[j] + a * b[j]
            _copy(strip, out[i, start:stop])
