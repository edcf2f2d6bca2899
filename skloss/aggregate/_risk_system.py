"""The equation behind the risk of regression on aggregates, and what follows from it.

Rows are Gaussian, n of them with d features each, in m bags at random; k = n/m, psi =
n/d, psi_b = psi/k, psi_w = psi - psi_b. An orthogonal map within bags turns the rows
shrunk towards their bag means into m rows x with response x'theta + noise and n - m
rows sqrt(rho) x with response 0, all independent. The resolvent of such a mixture has
a deterministic equivalent q > 0: with

    b = q/(1 + q),  w = rho q/(1 + rho q),  mu = psi_b b,  spare = alpha q,

it solves spare + psi_b b + psi_w w = 1. Its left side increases with q. Without a
ridge and with too few rows for a solution, q is infinite and `spare` the rest of 1.
With nu = 1 - mu, c1 = mu b, c2 = psi_w w² and D = 1 - c1 - c2, estimates are on average
mu times the true slopes; a signal of power 1 adds nu² + (c1 nu² + c2 mu²)/D to the
expected squared error of predictions, noise of variance 1 adds c1/D.

Work is done in log q, with every small difference as a sum of positive terms, like
D = spare + mu (1 - b) + psi_w w (1 - w), so that nothing cancels or overflows.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import expit

__all__ = ["Roots", "best_rho", "best_scale", "rho_for_scale", "scaled_risk", "solve"]

_HALVINGS = 64
_LARGEST_STEP = 1e-6  # of Newton after bisection; more is a division by nothing
_LARGEST_SCALE = 1e150  # whose square is a number
_LOG_LARGEST = 709.0  # of float64
_LOG_BEST = 575.0  # beyond it, about 1e250, the best rho is infinite or 0


class Roots(NamedTuple):
    """Solutions: shares learnt of bags b and within them w, their rests, mu, nu, D."""

    b: np.ndarray
    rest_b: np.ndarray
    w: np.ndarray
    rest_w: np.ndarray
    mu: np.ndarray
    nu: np.ndarray
    within: np.ndarray
    D: np.ndarray


class _Equation(NamedTuple):
    """What the equation is made of; `excess` is the left side at infinity, less 1."""

    between: np.ndarray
    within: np.ndarray
    excess: np.ndarray
    log_rho: np.ndarray
    log_alpha: np.ndarray


def solve(bag_size, aspect, log_rho, alpha):
    """Solve the equation for q.

    Parameters
    ----------
    bag_size, aspect, log_rho, alpha : ndarray of one shape
        k >= 1, psi > 0, log rho (infinity of either sign allowed), ridge over d.

    Returns
    -------
    Roots
        `within` is psi_w w, what the rows within bags take away from nu.
    """
    # Beyond the largest number rho does not matter any more.
    log_rho = np.minimum(log_rho, _LOG_LARGEST)
    between = aspect / bag_size
    within = aspect * ((bag_size - 1) / bag_size)
    excess = np.where(log_rho == -np.inf, between, aspect) - 1
    endless = (alpha == 0) & (excess <= 0)
    with np.errstate(all="ignore"):
        log_alpha = np.log(alpha)
        equation = _Equation(between, within, excess, log_rho, log_alpha)
        log_q = np.where(endless, np.inf, _log_q(equation))
        spare = np.where(endless, -excess, np.exp(log_q + log_alpha))
        log_rho_q = np.where(log_rho == -np.inf, -np.inf, log_q + log_rho)
    b, rest_b = expit(log_q), expit(-log_q)
    w, rest_w = expit(log_rho_q), expit(-log_rho_q)
    # Rounding of log q may take a share a little above the 1 it cannot exceed.
    mu, taken = np.minimum(between * b, 1.0), within * w
    D = spare + mu * rest_b + taken * rest_w
    return Roots(b, rest_b, w, rest_w, mu, spare + taken, taken, D)


def _log_q(equation):
    """Halve a bracket of log q, then correct by one step of Newton."""
    between, within, excess, log_rho, log_alpha = equation
    # The left side is at most its slope at 0 times q. It is more than 1 where alpha q
    # is, or where 1 + excess - (1 + excess)/(1 + min(1, rho) q) is.
    slopes = log_alpha, np.log(between), np.log(within) + log_rho
    low = -np.logaddexp.reduce(slopes)
    slower = np.where(log_rho == -np.inf, 0.0, np.minimum(log_rho, 0.0))
    high = np.where(excess > 0, -np.log(excess) - slower, np.inf)
    high = np.maximum(low, np.minimum(high, -log_alpha))
    for _ in range(_HALVINGS):
        t = 0.5 * (low + high)
        negative = _residual(equation, t) < 0
        low, high = np.where(negative, t, low), np.where(negative, high, t)
    slope = np.exp(t + log_alpha) + between * expit(t) * expit(-t)
    slope += within * expit(t + log_rho) * expit(-t - log_rho)
    step = _residual(equation, t) / slope
    return t - np.where(np.abs(step) < _LARGEST_STEP, step, 0.0)


def _residual(equation, t):
    """Left side less 1; shares above 1/2 count as 1 less a small part."""
    between, within, excess, log_rho, log_alpha = equation
    s = t + log_rho
    most_b, most_w = t > 0, s > 0
    whole = np.where(most_b, between, np.where(most_w, within, 0.0)) - 1
    whole = np.where(most_b & most_w, excess, whole)
    parts = np.where(most_b, -between * expit(-t), between * expit(t))
    parts += np.where(most_w, -within * expit(-s), within * expit(s))
    return np.exp(t + log_alpha) + parts + whole


def _spreads(roots):
    """Compute (c1 nu² + c2 mu²)/D and c1/D, infinite where the risk is."""
    c1, c2 = roots.mu * roots.b, roots.within * roots.w
    with np.errstate(all="ignore"):
        spread = c1 * roots.nu * roots.nu + c2 * roots.mu * roots.mu
        return _ratio(spread, roots.D), _ratio(c1, roots.D)


def _ratio(a, b):
    """Divide; nothing is spread where nothing is there to spread, even if D is 0."""
    return np.where(a == 0, 0.0, a / b)


def best_scale(roots, signal, noise):
    """Compute the factor by which predictions should be multiplied.

    Parameters
    ----------
    roots : Roots
        From `solve`.
    signal, noise : ndarray
        Powers.

    Returns
    -------
    ndarray
    """
    spread_signal, spread_noise = _spreads(roots)
    with np.errstate(all="ignore"):
        spread = spread_signal + _product(noise / signal, spread_noise)
        scale = np.minimum(1 / (roots.mu + spread / roots.mu), _LARGEST_SCALE)
    return np.where((signal == 0) | (roots.mu == 0), 0.0, scale)


def scaled_risk(roots, signal, noise, scale):
    """Compute squared bias and variance of predictions times a scale.

    Parameters
    ----------
    roots : Roots
        From `solve`.
    signal, noise, scale : ndarray
        Not negative.

    Returns
    -------
    bias2, variance : ndarray
    """
    spread_signal, spread_noise = _spreads(roots)
    # For scales up to 1 this difference loses nothing that is left of nu.
    missed = np.where(scale <= 1, (1 - scale) + scale * roots.nu, 1 - scale * roots.mu)
    with np.errstate(all="ignore"):
        bias2 = missed * (missed * signal)
        bias2 = bias2 + _product(scale * (scale * signal), spread_signal)
        variance = _product(scale * (scale * noise), spread_noise)
    return bias2, variance


def _product(a, b):
    """Multiply; 0 times infinity is 0."""
    return np.where((a == 0) | (b == 0), 0.0, a * b)


def best_rho(bag_size, aspect, signal, noise):
    """Find the positive rho of least risk without a ridge or a scale.

    Without a ridge D = 1 - mu²/psi_b - nu²/psi_w and the risk is a rational function of
    mu alone. It is stationary where the noise-to-signal ratio is

        h = rho mu² + psi_b nu (1 - b) + nu² ((1 - w)/b - 1),

    which increases with rho, so that there is one minimum.

    Parameters
    ----------
    bag_size, aspect, signal, noise : ndarray of one shape
        k >= 1, psi > 1, powers of which at least one is positive.

    Returns
    -------
    ndarray
        0 or infinity where the risk keeps falling towards these.
    """
    low = np.full(bag_size.shape, -_LOG_BEST)
    high = np.full(bag_size.shape, _LOG_BEST)
    unit = np.maximum(signal, noise)
    signal, noise = signal / unit, noise / unit
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        wanted = _wants_more(bag_size, aspect, middle, signal, noise)
        low, high = np.where(wanted, middle, low), np.where(wanted, high, middle)
    # At the ends only one side of the bracket has moved.
    rho = np.where(low == -_LOG_BEST, 0.0, np.exp(0.5 * (low + high)))
    return np.where((high == _LOG_BEST) | (signal == 0), np.inf, rho)


def _wants_more(bag_size, aspect, log_rho, signal, noise):
    """Whether the risk falls with rho."""
    roots = solve(bag_size, aspect, log_rho, np.zeros(aspect.shape))
    b, rest_b, w, rest_w, mu, nu, _, _ = roots
    learnt = nu * nu * rest_w * (rest_w - b)
    learnt += mu * nu * rest_b * rest_w + mu * mu * w * rest_b
    return signal * learnt < noise * (b * rest_w)


def rho_for_scale(aspect, signal, noise):
    """Compute the best rho without a ridge for predictions with the best scale.

    Parameters
    ----------
    aspect, signal, noise : ndarray
        psi > 0 and powers of which at least one is positive.

    Returns
    -------
    ndarray
        noise/(noise + psi signal), whatever the bag size.
    """
    unit = np.maximum(signal, noise)
    signal, noise = signal / unit, noise / unit
    return noise / (noise + aspect * signal)
