"""Arithmetic of -log(F(b) - F(a)) for each link, without cancellation.

With p = F(b) - F(a), r_a = f(a) / p, r_b = f(b) / p and the mean L of the density's
score over (a, b), which equals r_b - r_a, the gradient is (r_a, -r_b) and the Hessian

    h [[1, -1], [-1, 1]] + diag(e_a, e_b),   h = r_a r_b,
    e_a = r_a (l(a) - L),   e_b = r_b (L - l(b)),   l = (log f)'.

For a log-concave density l decreases, so that e_a and e_b are not negative and the
matrix is visibly positive semidefinite. The kernels return (value, r_a, r_b, e_a, e_b,
r_a - r_b), every number accurate by itself. The value is inf unless a < b, and the
others mean nothing then.
"""

from math import atan2, inf, nan, pi, sqrt

from skloss._elementary import exp, expm1, log, log1p, softplus_sigmoid
from skloss._jit import kernel
from skloss.losses._normal_tail import (
    LOG_ROOT_2PI,
    log_normal_tail,
    normal_density,
    normal_hazard,
    normal_tail,
)

__all__ = [
    "barrier",
    "bose",
    "cauchit_between",
    "cauchit_interval",
    "cauchit_lower",
    "cauchit_value",
    "cloglog_between",
    "cloglog_lower",
    "cloglog_parts",
    "cloglog_upper",
    "logit_between",
    "logit_interval",
    "logit_lower",
    "logit_value",
    "probit_between",
    "probit_lower",
    "probit_parts",
]

_CONTRACT = {"contract"}
_NOTHING = (inf, nan, nan, nan, nan, nan)


@kernel(fastmath=_CONTRACT, forceinline=True)
def barrier(t):
    """Value, derivative and curvature of -log(1 - exp(-t)); the value is inf at t <= 0.

    Parameters
    ----------
    t : float

    Returns
    -------
    tuple of float
    """
    z, gap = exp(-t), -expm1(-t)
    per_gap = 1.0 / gap
    q = z * per_gap
    value = log1p(q)
    return (inf if t <= 0.0 else value), -q, q * per_gap


@kernel(fastmath=_CONTRACT, forceinline=True)
def logit_value(a, b):
    """Value for the logit link: one logarithm for two softplus terms and the barrier.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    float
    """
    t = b - a
    u, v, z, gap = exp(-abs(a)), exp(-abs(b)), exp(-t), -expm1(-t)
    # (1 + u) (1 + v) / (1 - z) less 1: small losses keep their digits
    value = max(a, 0.0) + max(-b, 0.0) + log1p((u + v + u * v + z) / gap)
    return inf if t <= 0.0 else value


@kernel(fastmath=_CONTRACT, forceinline=True)
def logit_interval(a, b):
    """Value, gradient and Hessian for the logit link.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    tuple of float
        Value, the two derivatives, the curvatures aa, bb and ab.
    """
    t = b - a
    u, v, z, gap = exp(-abs(a)), exp(-abs(b)), exp(-t), -expm1(-t)
    # divisions are what this waits for: one serves three reciprocals
    one_u, one_v = 1.0 + u, 1.0 + v
    product = one_u * one_v
    shared = 1.0 / (product * gap)
    per_gap = product * shared
    shared *= gap
    per_u, per_v = one_v * shared, one_u * shared
    q = z * per_gap
    h = q * per_gap
    value = max(a, 0.0) + max(-b, 0.0) + log1p((u + v + u * v + z) * per_gap)
    return (
        inf if t <= 0.0 else value,
        (1.0 if a >= 0.0 else u) * per_u + q,
        -((v if b >= 0.0 else 1.0) * per_v) - q,
        u * per_u * per_u + h,
        v * per_v * per_v + h,
        -h,
    )


@kernel(fastmath=_CONTRACT, forceinline=True)
def logit_lower(b):
    """Value, derivative and curvature of -log F(b) for the logit link.

    Parameters
    ----------
    b : float

    Returns
    -------
    tuple of float
    """
    value, miss = softplus_sigmoid(-b)
    e = exp(-abs(b))
    per = 1.0 / (1.0 + e)
    return value, -miss, e * per * per


@kernel(fastmath=_CONTRACT, forceinline=True)
def logit_between(a, b):
    """Probability of (a, b) under the logistic distribution, for a <= b.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    float
    """
    u, v, gap = exp(-abs(a)), exp(-abs(b)), -expm1(a - b)
    above_a = (u if a >= 0.0 else 1.0) / (1.0 + u)
    below_b = (1.0 if b >= 0.0 else v) / (1.0 + v)
    return above_a * below_b * gap


@kernel
def _probit_narrow(c, width):
    """For intervals that hold little of the density's change: a series in the width.

    The terms are Hermite polynomials at the midpoint c times powers of the half width
    w: exp(-c s - s^2 / 2) = sum of He_n(c) (-s)^n / n!, integrated term by term.
    """
    w = 0.5 * width
    x, y = c * w, w * w
    even, odd = 1.0, 0.0
    before, term = 1.0, x
    for n in range(1, 20, 2):
        odd += term / (n + 2)
        before, term = term, (x * term - y * before) / (n + 1)
        even += term / (n + 2)
        before, term = term, (x * term - y * before) / (n + 2)
    mass = 2.0 * w * even  # p over the density at the midpoint
    shift = -w * odd / even
    ra = exp(w * (c - 0.5 * w)) / mass
    rb = exp(-w * (c + 0.5 * w)) / mass
    value = 0.5 * c * c + LOG_ROOT_2PI - log(mass)
    return value, ra, rb, ra * (w + shift), rb * (w - shift), c + shift


@kernel
def _probit_one_side(a, b, t):
    """For 0 <= a: everything in units of the density at a."""
    decay = exp(-t * (0.5 * a + 0.5 * b))
    hazard_a, excess_a = normal_hazard(a)
    hazard_b, excess_b = normal_hazard(b)
    tail_a, tail_b = 1.0 / hazard_a, decay / hazard_b
    ra = 1.0 / (tail_a - tail_b)
    rb = decay * ra
    # distances of the conditional mean from the ends
    from_a = ra * (excess_a * tail_a - tail_b * (excess_b + t))
    from_b = ra * ((t - excess_a) * tail_a + excess_b * tail_b)
    value = 0.5 * a * a + LOG_ROOT_2PI + log(ra)
    return value, ra, rb, ra * from_a, rb * from_b, a + from_a


@kernel
def _probit_both_sides(a, b):
    """For a < 0 < b."""
    outside = normal_tail(-a) + normal_tail(b)
    p = 1.0 - outside
    ra, rb = normal_density(a) / p, normal_density(b) / p
    mean = ra - rb
    return -log1p(-outside), ra, rb, ra * (mean - a), rb * (b - mean), mean


@kernel
def _probit_right(a, b, t):
    """For a + b >= 0."""
    c = 0.5 * a + 0.5 * b
    if t <= 1.0 and t * c <= 0.5:
        return _probit_narrow(c, t)
    return _probit_one_side(a, b, t) if a >= 0.0 else _probit_both_sides(a, b)


@kernel
def probit_parts(a, b, t):
    """Parts for the probit link; ``r_a - r_b`` is the conditional mean.

    Parameters
    ----------
    a, b : float
    t : float
        b - a, which the caller may know better than the rounded ends do.

    Returns
    -------
    tuple of float
    """
    if t <= 0.0:
        return _NOTHING
    if a + b >= 0.0:
        return _probit_right(a, b, t)
    value, rb, ra, eb, ea, mean = _probit_right(-b, -a, t)
    return value, ra, rb, ea, eb, -mean


@kernel
def probit_lower(b):
    """Value, derivative and curvature of -log F(b) for the probit link.

    Parameters
    ----------
    b : float

    Returns
    -------
    tuple of float
    """
    hazard, excess = normal_hazard(-b)
    return -log_normal_tail(-b), -hazard, hazard * excess


@kernel
def probit_between(a, b):
    """Probability of (a, b) under the normal distribution, for a <= b.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    float
    """
    if b <= a:
        return 0.0
    if a < 0.0 < b and b - a > 1.0:
        return 1.0 - (normal_tail(-a) + normal_tail(b))
    density = normal_density(a) if a + b >= 0.0 else normal_density(b)
    parts = probit_parts(a, b, b - a)
    ratio = parts[1] if a + b >= 0.0 else parts[2]
    return density / ratio if density > 0.0 else 0.0


@kernel(fastmath=_CONTRACT)
def bose(x):
    """E = x / (exp(x) - 1) and 1 - E, for x >= 0.

    Parameters
    ----------
    x : float

    Returns
    -------
    tuple of float
    """
    if x < 0.5:
        y = x * x
        # Bernoulli numbers over factorials
        tail = 1.0 / 74724249600.0
        tail = tail * y - 691.0 / 1307674368000.0
        tail = tail * y + 1.0 / 47900160.0
        tail = tail * y - 1.0 / 1209600.0
        tail = tail * y + 1.0 / 30240.0
        tail = tail * y - 1.0 / 720.0
        tail = tail * y + 1.0 / 12.0
        loss = 0.5 * x - y * tail
        return 1.0 - loss, loss
    ratio = x / expm1(x) if x < 745.0 else 0.0
    return ratio, 1.0 - ratio


@kernel(fastmath=_CONTRACT)
def cloglog_upper(a):
    """Value, derivative and curvature of -log(1 - F(a)), complementary log-log.

    Parameters
    ----------
    a : float

    Returns
    -------
    tuple of float
        Three times exp(a).
    """
    u = exp(a)
    return u, u, u


@kernel
def cloglog_lower(b):
    """Value, derivative and curvature of -log F(b), complementary log-log.

    Parameters
    ----------
    b : float

    Returns
    -------
    tuple of float
    """
    u = exp(b)
    ratio, loss = bose(u)
    value = 0.5 * u - b if b < -40.0 else barrier(u)[0]
    return value, -ratio, ratio * (u - loss) if ratio > 0.0 else 0.0


@kernel
def cloglog_parts(a, b, t):
    """Parts for the complementary log-log link.

    With D = exp(b) - exp(a) the value is exp(a) - log(1 - exp(-D)).

    Parameters
    ----------
    a, b : float
    t : float
        b - a, which the caller may know better than the rounded ends do.

    Returns
    -------
    tuple of float
    """
    if t <= 0.0:
        return _NOTHING
    gap = -expm1(-t)
    q = exp(-t) / gap
    u = exp(a)
    D = exp(b) * gap
    ratio, loss = bose(D)
    # far below, where D may underflow, in terms of its logarithm
    value = u + (barrier(D)[0] if b > -20.0 else 0.5 * D + barrier(t)[0] - b)
    ra = q * (ratio + D) if D < 1.0 else u / -expm1(-D)
    rb = (1.0 + q) * ratio
    eb = rb * (D - loss) if rb > 0.0 else 0.0
    return value, ra, rb, ra * loss, eb, u - ratio


@kernel
def cloglog_between(a, b):
    """Probability of (a, b) under the complementary log-log, for a <= b.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    float
    """
    if b <= a:
        return 0.0
    return exp(-exp(a)) * -expm1(exp(b) * expm1(a - b))


@kernel
def cauchit_between(a, b):
    """Probability of (a, b) under the Cauchy distribution, for a <= b.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    float
    """
    return atan2(b - a, 1.0 + a * b) / pi


@kernel
def cauchit_value(a, b):
    """Value for the cauchit link.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    float
    """
    width, turn = b - a, 1.0 + a * b
    if width <= 0.0:
        return inf
    if turn >= 0.0:
        return -log(atan2(width, turn) / pi)
    return -log1p(-atan2(width, -turn) / pi)


@kernel
def cauchit_lower(b):
    """Value, derivative and curvature of -log F(b) for the cauchit link.

    Parameters
    ----------
    b : float

    Returns
    -------
    tuple of float
        A negative curvature is replaced by 0.
    """
    angle = atan2(1.0, -b)
    value = -log(angle / pi) if b <= 0.0 else -log1p(-atan2(1.0, b) / pi)
    per = 1.0 / (1.0 + b * b)
    ratio = per / angle
    return value, -ratio, max(ratio * (ratio + 2.0 * b * per), 0.0)


@kernel
def cauchit_interval(a, b):
    """Value, gradient and projected Hessian for the cauchit link.

    The loss is not convex: the negative eigenvalue that the Hessian may have is
    replaced by 0, which gives the nearest positive semidefinite matrix.

    Parameters
    ----------
    a, b : float

    Returns
    -------
    tuple of float
        Value, the two derivatives, the curvatures aa, bb and ab.
    """
    if b <= a:
        return _NOTHING
    value, angle = cauchit_value(a, b), atan2(b - a, 1.0 + a * b)
    per_a, per_b = 1.0 / (1.0 + a * a), 1.0 / (1.0 + b * b)
    ra, rb = per_a / angle, per_b / angle
    aa = ra * (ra - 2.0 * a * per_a)
    bb = rb * (rb + 2.0 * b * per_b)
    aa, bb, ab = nearest_semidefinite(aa, bb, -ra * rb)
    return value, ra, -rb, aa, bb, ab


@kernel
def nearest_semidefinite(aa, bb, ab):
    """Project a symmetric matrix of size 2 onto the positive semidefinite cone.

    Parameters
    ----------
    aa, bb, ab : float
        The diagonal and the element off it.

    Returns
    -------
    tuple of float
        The same of the projection.
    """
    if aa >= 0.0 and bb >= 0.0 and aa * bb >= ab * ab:
        return aa, bb, ab
    center, half = 0.5 * (aa + bb), 0.5 * (aa - bb)
    radius = sqrt(half * half + ab * ab)
    top = center + radius
    if top <= 0.0:
        return 0.0, 0.0, 0.0
    # top v v' with the unit eigenvector v, whose squares are (1 +- half / radius) / 2
    scale = 0.5 * top / radius
    if half >= 0.0:
        larger = radius + half
        return scale * larger, scale * ab * (ab / larger), scale * ab
    larger = radius - half
    return scale * ab * (ab / larger), scale * larger, scale * ab
