"""Bregman gaps of the ordinal losses: what one row adds to a duality gap.

For a row with scores z, loss l and a number s in [0, 1] let z' solve
grad l(z') = s grad l(z). By the equality of Fenchel and Young

    l(z) + l*(s grad l(z)) - s grad l(z).z = l(z) - l(z') - grad l(z').(z - z'),

the Bregman divergence of z from z', at least 0 and 0 at s = 1. Nothing here subtracts
numbers that are nearly equal when s is near 1: either the divergence is a sum of
terms p kappa(x) that are not negative, or the Hessian is integrated along the segment
from z' to z. A Gauss rule of three nodes does so where s is near 1 and the Hessian
changes by a tenth at most; elsewhere the definition loses nothing that matters beside
the loss. Should an iteration fail, (1 - s) l(z) takes its place: the divergence is
convex in s, from l(z) at 0 to 0 at 1, and thus no larger.
"""

from math import inf, isfinite, sqrt

from scipy.special import roots_jacobi

from skloss._elementary import exp, expm1, log, log1p
from skloss._jit import kernel
from skloss.losses._interval_parts import (
    bose,
    cloglog_lower,
    cloglog_parts,
    probit_lower,
    probit_parts,
)

__all__ = [
    "cloglog_interval_gap",
    "cloglog_lower_gap",
    "cloglog_upper_gap",
    "logit_interval_gap",
    "logit_lower_gap",
    "probit_interval_gap",
    "probit_lower_gap",
]

_NEAR = 1e-2  # 1 - s up to which the divergence may be an integral
_CHANGE = 0.1  # relative change of the Hessian up to which it is one
_STEPS = 100

# Gauss rule on [0, 1] for the weight 1 - x
_NODES, _WEIGHTS = roots_jacobi(3, 1.0, 0.0)
_RULE = tuple(
    (float(0.5 * (1.0 + x)), float(0.25 * w))
    for x, w in zip(_NODES, _WEIGHTS, strict=True)
)
# Of the Taylor series of `_kappa`, highest degree first.
_KAPPA = tuple(1.0 / (k * (k - 1)) for k in range(16, 1, -1))


@kernel
def _kappa(x):
    """Compute (1 + x) log(1 + x) - x, at least 0, for x >= -1."""
    if abs(x) >= 0.1:
        return (1.0 + x) * log1p(x) - x if x > -1.0 else 1.0
    total = 0.0
    for coefficient in _KAPPA:
        total = coefficient - x * total
    return x * x * total


@kernel
def _toward(p, log_p, change):
    """One term of a divergence, p kappa(change / p), even where p underflowed."""
    if change <= 0.5 * p:
        return p * _kappa(change / p) if p > 0.0 else 0.0
    moved = p + change
    return moved * (log(moved) - log_p) - change


@kernel
def _bernoulli(score, change):
    """Divergence of a Bernoulli distribution from the one with p = sigmoid(score).

    `change` is the difference of their probabilities.
    """
    e = exp(-abs(score))
    p = (1.0 if score >= 0.0 else e) / (1.0 + e)
    not_p = (e if score >= 0.0 else 1.0) / (1.0 + e)
    shared = log1p(e)
    log_p, log_not_p = min(score, 0.0) - shared, min(-score, 0.0) - shared
    return _toward(p, log_p, change) + _toward(not_p, log_not_p, -change)


@kernel
def logit_lower_gap(b, s):
    """Gap of softplus(-b): a Bernoulli divergence.

    Parameters
    ----------
    b, s : float

    Returns
    -------
    float
    """
    e = exp(-abs(b))
    return _bernoulli(-b, (s - 1.0) * (e if b >= 0.0 else 1.0) / (1.0 + e))


@kernel
def logit_interval_gap(a, b, s):
    """Gap of softplus(a) + softplus(-b) - log(1 - exp(a - b)).

    Divergences add up over the three terms, the last of which belongs to a geometric
    distribution. In the probabilities p1 below a, p3 above b, and q = p1 p3 / p2, the
    gradient is (u, -w) = (p1 + q, -p3 - q), whence 1 + 2 q = sqrt(1 + 4 u w) =: root
    and p3 = 2 w (1 - u + w) / (1 + 2 w + root), the same for p1 by symmetry. Dashes
    (here ``_``) mark the point with the gradient s (u, -w).

    Parameters
    ----------
    a, b, s : float

    Returns
    -------
    float
    """
    t, rest = b - a, 1.0 - s
    if t <= 0.0:
        return inf
    ea, eb = exp(-abs(a)), exp(-abs(b))
    p1, not_p1 = (1.0 if a >= 0.0 else ea), (ea if a >= 0.0 else 1.0)
    p3, not_p3 = (eb if b >= 0.0 else 1.0), (1.0 if b >= 0.0 else eb)
    p1, not_p1 = p1 / (1.0 + ea), not_p1 / (1.0 + ea)
    p3, not_p3 = p3 / (1.0 + eb), not_p3 / (1.0 + eb)
    q = exp(-t) / -expm1(-t)
    u, w = p1 + q, p3 + q
    q_one = q * (1.0 + q)  # = u w
    root, root_ = 1.0 + 2.0 * q, sqrt(1.0 + 4.0 * s * s * q_one)
    roots = root + root_
    q_ = 2.0 * s * s * q_one / (1.0 + root_)
    p1_ = 2.0 * s * u * (rest + s * (p1 + not_p3)) / (1.0 + 2.0 * s * u + root_)
    p3_ = 2.0 * s * w * (rest + s * (not_p1 + p3)) / (1.0 + 2.0 * s * w + root_)
    change1 = -2.0 * rest * u * (not_p3 - p3_) / roots
    change3 = -2.0 * rest * w * (not_p1 - p1_) / roots
    # success probabilities 1 / (1 + q) of the geometric distributions
    x = 2.0 * rest * (1.0 + s) * (1.0 + q) / (roots * (1.0 + q_))
    geometric = (_kappa(x * q) + q * _kappa(-x)) * ((1.0 + q_) / (1.0 + q))
    return _bernoulli(a, change1) + _bernoulli(-b, change3) + geometric


@kernel
def cloglog_upper_gap(a, s):
    """Gap of exp(a).

    Parameters
    ----------
    a, s : float

    Returns
    -------
    float
    """
    return exp(a) * _kappa(s - 1.0)


@kernel
def _alike(curvature, curvature_):
    return abs(curvature - curvature_) <= _CHANGE * curvature


@kernel
def _probit_dual_end(b, target):
    """Score whose slope has the logarithm `target`, by Newton's method on it.

    The logarithm is concave: the iterates come back from beyond the solution in a
    monotone sequence. inf if they do not.
    """
    low, high, x = b, inf, b
    for _ in range(_STEPS):
        _, slope, curvature = probit_lower(x)
        miss = log(-slope) - target
        if not (isfinite(miss) and curvature > 0.0):
            high, x = x, 0.5 * (low + x)
            continue
        low, high = (max(low, x), high) if miss > 0.0 else (low, min(high, x))
        x -= miss * slope / curvature
        if not low <= x <= high:
            x = 0.5 * (low + high)
        # the step just made squared the error, down to rounding
        if abs(miss) <= 1e-13 * (1.0 + abs(target)):
            return x
    return inf


@kernel
def probit_lower_gap(b, s):
    """Gap of -log F(b).

    Parameters
    ----------
    b, s : float

    Returns
    -------
    float
    """
    value, slope, curvature = probit_lower(b)
    if s <= 0.0 or s >= 1.0 or slope == 0.0:
        return value * (1.0 - s)
    x = _probit_dual_end(b, log(-slope) + log(s))
    if not isfinite(x):
        return value * (1.0 - s)
    move = b - x
    value_, _, curvature_ = probit_lower(x)
    if 1.0 - s > _NEAR or not _alike(curvature, curvature_):
        return max(value - value_ - s * slope * move, 0.0)
    total = 0.0
    for node, weight in _RULE:
        total += weight * probit_lower(x + node * move)[2]
    return move * move * total


@kernel
def _quadratic(width, shift, ea, eb, h):
    """Curvature along a change of a by `shift` and of b - a by `width`."""
    return shift * shift * ea + (shift + width) ** 2 * eb + width * width * h


@kernel
def _alike_parts(start, end):
    _, ra, rb, ea, eb, _ = start
    _, ra_, rb_, ea_, eb_, _ = end
    return _alike(ea, ea_) and _alike(eb, eb_) and _alike(ra * rb, ra_ * rb_)


@kernel
def _cloglog_dual(u, w, slack):
    """D' = exp(b') - exp(a') where the gradient is (u, -w), 0 < w.

    It solves E(D) + u exp(-D) = w with E(D) = D / (exp(D) - 1), or with nothing
    cancelling, 1 - E(D) + u (1 - exp(-D)) = 1 + u - w =: slack. The left side is
    concave and Newton's method from below monotone; far out, where the left side
    saturates, the logarithm of the first form is nearly linear.
    """
    D, low, high = slack / (0.5 + u), 0.0, inf
    for _ in range(_STEPS):
        ratio, loss = bose(D)
        decay = exp(-D)
        # -E'(D) = (E (E + D) - E) / D
        bend = ratio * (D - loss) / D if D > 0.0 else 0.5
        near = slack <= 0.5 * (1.0 + u)
        if near:
            miss = slack - loss + u * expm1(-D)
            step = miss / (bend + u * decay)
        else:
            miss = log(ratio + u * decay) - log(w)
            step = miss * (ratio + u * decay) / (bend + u * decay)
        if miss > 0.0:
            low = max(low, D)
        else:
            high = min(high, D)
        if abs(step) <= 4e-16 * D:
            return D
        moved = D + step
        if not low <= moved <= high:
            moved = 0.5 * (low + high)
        if abs(step) <= 1e-9 * D:  # the next step would be below rounding
            return moved
        D = moved
    return inf


@kernel
def cloglog_lower_gap(b, s):
    """Gap of -log F(b).

    Parameters
    ----------
    b, s : float

    Returns
    -------
    float
    """
    value, slope, curvature = cloglog_lower(b)
    if s <= 0.0 or s >= 1.0 or slope == 0.0:
        return value * (1.0 - s)
    # an interval from -inf: nothing is below it
    D = _cloglog_dual(0.0, -s * slope, 1.0 - s + s * bose(exp(b))[1])
    if not isfinite(D):
        return value * (1.0 - s)
    x = log(D)
    move = b - x
    value_, _, curvature_ = cloglog_lower(x)
    if 1.0 - s > _NEAR or not _alike(curvature, curvature_):
        return max(value - value_ - s * slope * move, 0.0)
    total = 0.0
    for node, weight in _RULE:
        total += weight * cloglog_lower(x + node * move)[2]
    return move * move * total


@kernel
def cloglog_interval_gap(a, b, s):
    """Gap of an interval's loss.

    Parameters
    ----------
    a, b, s : float

    Returns
    -------
    float
    """
    t = b - a
    start = cloglog_parts(a, b, t)
    value, ra, rb, _, _, drift = start
    if b <= a or s <= 0.0 or s >= 1.0:
        return value if s < 1.0 else 0.0
    if rb == 0.0:
        return cloglog_upper_gap(a, s)
    if ra == 0.0:
        return cloglog_lower_gap(b, s)
    u, w = s * ra, s * rb
    loss = bose(exp(b) * -expm1(-t))[1]
    D = _cloglog_dual(u, w, 1.0 - s + s * (exp(a) + loss))
    below = -u * expm1(-D)  # = exp(a')
    if not isfinite(D) or below == 0.0:
        return value * (1.0 - s)
    a_, t_ = log(below), log1p(D / below)
    shift, width = a - a_, t - t_
    end = cloglog_parts(a_, a_ + t_, t_)
    if 1.0 - s > _NEAR or not _alike_parts(start, end):
        change = value - end[0]
        return max(change - s * (drift * shift - rb * width), 0.0)
    total = 0.0
    for node, weight in _RULE:
        x, y = a_ + node * shift, t_ + node * width
        _, ra, rb, ea, eb, _ = cloglog_parts(x, x + y, y)
        total += weight * _quadratic(width, shift, ea, eb, ra * rb)
    return total


@kernel
def _probit_step(parts, s, ra, rb, mean):
    """Newton step in a and in b - a, and its decrement.

    The gradient's components and their sum are differences of accurate numbers.
    """
    _, ra_, rb_, ea, eb, mean_ = parts
    ga, gb, both, h = ra_ - s * ra, s * rb - rb_, mean_ - s * mean, ra_ * rb_
    det = ea * eb + (ea + eb) * h
    da, dt = -(eb * ga + h * both) / det, (eb * ga - ea * gb) / det
    return da, dt, -(both * da + gb * dt)


@kernel
def _probit_dual(a, t, s, start):
    """Scores (a', t') whose gradient is s times that of (a, t), by damped Newton."""
    value, ra, rb, _, _, mean = start
    x, y, current, parts = a, t, value, start
    for _ in range(_STEPS):
        dx, dy, decrement = _probit_step(parts, s, ra, rb, mean)
        if not isfinite(decrement):
            return inf, inf
        if decrement <= 1e-12 * value and y + dy > 0.0:
            return x + dx, y + dy
        step = 1.0
        while step > 1e-10:
            x_, y_ = x + step * dx, y + step * dy
            if y_ > 0.0:
                parts = probit_parts(x_, x_ + y_, y_)
                moved = parts[0] - s * (mean * (x_ - a) - rb * (y_ - t))
                if moved <= current - 1e-4 * step * decrement:
                    break
            step *= 0.5
        if step <= 1e-10:
            return inf, inf
        x, y, current = x_, y_, moved
    return inf, inf


@kernel
def probit_interval_gap(a, b, s):
    """Gap of an interval's loss.

    Parameters
    ----------
    a, b, s : float

    Returns
    -------
    float
    """
    t = b - a
    if a + b < 0.0:  # the density is largest at a then
        a, b = -b, -a
    start = probit_parts(a, b, t)
    value, ra, rb, _, _, mean = start
    if b <= a or s <= 0.0 or s >= 1.0:
        return value if s < 1.0 else 0.0
    if rb == 0.0:
        return probit_lower_gap(-a, s)
    a_, t_ = _probit_dual(a, t, s, start)
    if not isfinite(a_):
        return value * (1.0 - s)
    shift, width = a - a_, t - t_
    end = probit_parts(a_, a_ + t_, t_)
    if 1.0 - s > _NEAR or not _alike_parts(start, end):
        change = value - end[0]
        return max(change - s * (mean * shift - rb * width), 0.0)
    total = 0.0
    for node, weight in _RULE:
        x, y = a_ + node * shift, t_ + node * width
        _, ra, rb, ea, eb, _ = probit_parts(x, x + y, y)
        total += weight * _quadratic(width, shift, ea, eb, ra * rb)
    return total
