"""Links and interval losses in many digits, straight from their definitions."""

import mpmath as mp

MIRROR = {"cloglog": "loglog", "loglog": "cloglog"}

_CDF = {
    "logit": lambda t: 1 / (1 + mp.exp(-t)),
    "probit": lambda t: mp.erfc(-t / mp.sqrt(2)) / 2,
    "cloglog": lambda t: -mp.expm1(-mp.exp(t)),
    "loglog": lambda t: mp.exp(-mp.exp(-t)),
    "cauchit": lambda t: mp.atan2(1, -t) / mp.pi,
}
_LOG_DENSITY = {
    "logit": lambda t: -abs(t) - 2 * mp.log1p(mp.exp(-abs(t))),
    "probit": lambda t: -t * t / 2 - mp.log(2 * mp.pi) / 2,
    "cloglog": lambda t: t - mp.exp(t),
    "loglog": lambda t: -t - mp.exp(-t),
    "cauchit": lambda t: -mp.log(mp.pi * (1 + t * t)),
}
_SCORE = {
    "logit": lambda t: -mp.tanh(t / 2),
    "probit": lambda t: -t,
    "cloglog": lambda t: -mp.expm1(t),
    "loglog": lambda t: mp.expm1(-t),
    "cauchit": lambda t: -2 * t / (1 + t * t),
}


def cdf(name, t):
    return _CDF[name](mp.mpf(t))


def survival(name, t):
    return _CDF[MIRROR.get(name, name)](-mp.mpf(t))


def log_density(name, t):
    return _LOG_DENSITY[name](mp.mpf(t))


def density(name, t):
    return mp.exp(log_density(name, t))


def score(name, t):
    return _SCORE[name](mp.mpf(t))


def log_cdf(name, t):
    p = cdf(name, t)
    return mp.log(p) if p < 0.5 else mp.log1p(-survival(name, t))


def log_survival(name, t):
    return log_cdf(MIRROR.get(name, name), -mp.mpf(t))


def between(name, a, b):
    if cdf(name, b) < 0.5:
        return cdf(name, b) - cdf(name, a)
    return survival(name, a) - survival(name, b)


def interval(name, a, b):
    """Value, gradient and unprojected Hessian (aa, bb, ab)."""
    p = between(name, a, b)
    outside = cdf(name, a) + survival(name, b)
    value = -mp.log(p) if p < 0.5 else -mp.log1p(-outside)
    ra, rb = density(name, a) / p, density(name, b) / p
    aa, bb = ra * (ra + score(name, a)), rb * (rb - score(name, b))
    return value, ra, -rb, aa, bb, -ra * rb


def lower(name, b):
    ratio = density(name, b) / cdf(name, b)
    return -log_cdf(name, b), -ratio, ratio * (ratio - score(name, b))


def lower_gap(name, b, s):
    """Gap at s times the gradient, the dual point found by bisection."""
    b, s = mp.mpf(b), mp.mpf(s)
    value, slope, _ = lower(name, b)
    low, high = b, b + 1
    while lower(name, high)[1] < s * slope:
        high += high - b
    for _ in range(60):
        middle = (low + high) / 2
        below = lower(name, middle)[1] < s * slope
        low, high = (middle, high) if below else (low, middle)
    return value - lower(name, low)[0] - s * slope * (b - low)


def interval_gap(name, a, b, s):
    """Gap at s times the gradient, the dual point found by damped Newton steps."""
    a, b, s = mp.mpf(a), mp.mpf(b), mp.mpf(s)
    value, ga, gb, *_ = interval(name, a, b)
    x, y = a, b

    def tilted(x, y):
        return interval(name, x, y)[0] - s * (ga * (x - a) + gb * (y - b))

    for _ in range(200):
        _, gx, gy, xx, yy, xy = interval(name, x, y)
        gx, gy, det = gx - s * ga, gy - s * gb, xx * yy - xy * xy
        dx, dy = -(yy * gx - xy * gy) / det, -(xx * gy - xy * gx) / det
        decrement = -(gx * dx + gy * dy)
        step = min(mp.mpf(1), 2 / max(abs(dx), abs(dy)))
        current = tilted(x, y)
        while x + step * dx >= y + step * dy or (
            tilted(x + step * dx, y + step * dy) > current
        ):
            step /= 2
        x, y = x + step * dx, y + step * dy
        if decrement < mp.mpf(10) ** -25:
            return value - tilted(x, y)
    raise AssertionError("the reference did not converge")
