"""Links of ordinal models: distribution functions F with P(y <= k) = F(eta_k).

A link is a named tuple without parameters. What it does lives in the dispatched
functions below, for one real number in plain Python and in kernels. Each class says,
as attributes of its instances:

- ``name``, its public name;
- ``symmetric``, whether F(-t) = 1 - F(t);
- ``log_concave``, whether the density is log-concave, which makes the losses of
  ordinal models convex.
"""

from math import atan2, inf, pi
from math import log as log_of

import numpy as np
from scipy import special

from skloss._elementary import exp, expm1, log, log1p, sigmoid, softplus
from skloss._jit import dispatched, kernel
from skloss.losses._link_classes import (
    LINKS,
    Cauchit,
    CLogLog,
    Logit,
    LogLog,
    Probit,
    get_link,
)
from skloss.losses._normal_tail import (
    LOG_ROOT_2PI,
    log_normal_tail,
    normal_tail,
)

__all__ = [
    "LINKS",
    "CLogLog",
    "Cauchit",
    "LogLog",
    "Logit",
    "Probit",
    "cdf",
    "density_score",
    "get_link",
    "log_cdf",
    "log_density",
    "log_survival",
    "quantile",
    "survival",
]

_LOG_PI = log_of(pi)


@dispatched
def cdf(link, t):
    """Distribution function F(t).

    Parameters
    ----------
    link : named tuple
        The link.
    t : float
        Score.

    Returns
    -------
    float
        Small values keep their relative accuracy.

    Examples
    --------
    >>> from skloss.losses.links import Cauchit, cdf
    >>> cdf(Cauchit(), 0.0)
    0.5
    """


@dispatched
def survival(link, t):
    """Probability beyond the score, 1 - F(t), without cancellation.

    Parameters
    ----------
    link : named tuple
        The link.
    t : float
        Score.

    Returns
    -------
    float
        Small values keep their relative accuracy.

    Examples
    --------
    >>> from skloss.losses.links import Cauchit, survival
    >>> survival(Cauchit(), 0.0)
    0.5
    """


@dispatched
def log_cdf(link, t):
    """Logarithm of the distribution function, log F(t).

    Parameters
    ----------
    link : named tuple
        The link.
    t : float
        Score.

    Returns
    -------
    float
        Of small relative error in both tails.

    Examples
    --------
    >>> from skloss.losses.links import Logit, log_cdf
    >>> float(log_cdf(Logit(), -1000.0))
    -1000.0
    """


@dispatched
def log_survival(link, t):
    """Logarithm of the probability beyond the score, log(1 - F(t)).

    Parameters
    ----------
    link : named tuple
        The link.
    t : float
        Score.

    Returns
    -------
    float
        Of small relative error in both tails.

    Examples
    --------
    >>> from skloss.losses.links import Logit, log_survival
    >>> float(log_survival(Logit(), 1000.0))
    -1000.0
    """


@dispatched
def log_density(link, t):
    """Logarithm of the density, log F'(t).

    Parameters
    ----------
    link : named tuple
        The link.
    t : float
        Score.

    Returns
    -------
    float
        The logarithm.

    Examples
    --------
    >>> from skloss.losses.links import CLogLog, log_density
    >>> float(log_density(CLogLog(), 0.0))
    -1.0
    """


@dispatched
def density_score(link, t):
    """Differentiate the logarithm of the density in the score.

    Parameters
    ----------
    link : named tuple
        The link.
    t : float
        Score.

    Returns
    -------
    float
        The derivative.

    Examples
    --------
    >>> from skloss.losses.links import Probit, density_score
    >>> density_score(Probit(), 2.0)
    -2.0
    """


@dispatched
def quantile(link, p):
    """Score whose distribution function is `p`.

    Parameters
    ----------
    link : named tuple
        The link.
    p : float or ndarray
        Probabilities; 0 and 1 give -inf and inf. For plain Python only.

    Returns
    -------
    float or ndarray
        The scores.

    Examples
    --------
    >>> from skloss.losses.links import Logit, quantile
    >>> float(quantile(Logit(), 0.5))
    0.0
    """


# A symmetric link says what it does on one side; the other is its mirror image.
@log_cdf.otherwise
def _(link, t):
    return log_survival(link, -t)


@cdf.otherwise
def _(link, t):
    return survival(link, -t)


@survival.implement(Logit)
def _(link, t):
    return sigmoid(-t)


@log_survival.implement(Logit)
def _(link, t):
    return -softplus(t)


@log_density.implement(Logit)
def _(link, t):
    return -abs(t) - 2.0 * log1p(exp(-abs(t)))


@density_score.implement(Logit)
def _(link, t):
    e = expm1(-abs(t))
    return e / (2.0 + e) if t >= 0.0 else -e / (2.0 + e)


@quantile.implement(Logit)
def _(link, p):
    return special.logit(p)


@survival.implement(Probit)
def _(link, t):
    return normal_tail(t)


@log_survival.implement(Probit)
def _(link, t):
    return log_normal_tail(t)


@log_density.implement(Probit)
def _(link, t):
    return -0.5 * t * t - LOG_ROOT_2PI


@density_score.implement(Probit)
def _(link, t):
    return -t


@quantile.implement(Probit)
def _(link, p):
    return special.ndtri(p)


@kernel
def _cloglog_log_cdf(t):
    u = exp(t)
    if t < -40.0:
        return t - 0.5 * u
    return log(-expm1(-u)) if u < 0.7 else log1p(-exp(-u))


@kernel
def _cloglog_density_score(t):
    return -expm1(t)


@kernel
def _cloglog_log_density(t):
    return t - exp(t) if t < inf else -inf


@kernel
def _cloglog_cdf(t):
    return -expm1(-exp(t))


@kernel
def _cloglog_survival(t):
    return exp(-exp(t))


@kernel
def _cloglog_log_survival(t):
    return -exp(t)


@cdf.implement(CLogLog)
def _(link, t):
    return _cloglog_cdf(t)


@survival.implement(CLogLog)
def _(link, t):
    return _cloglog_survival(t)


@log_cdf.implement(CLogLog)
def _(link, t):
    return _cloglog_log_cdf(t)


@log_survival.implement(CLogLog)
def _(link, t):
    return _cloglog_log_survival(t)


@log_density.implement(CLogLog)
def _(link, t):
    return _cloglog_log_density(t)


@density_score.implement(CLogLog)
def _(link, t):
    return _cloglog_density_score(t)


@quantile.implement(CLogLog)
def _(link, p):
    with np.errstate(divide="ignore"):
        return np.log(-np.log1p(-np.asarray(p, float)))[()]


@cdf.implement(LogLog)
def _(link, t):
    return _cloglog_survival(-t)


@survival.implement(LogLog)
def _(link, t):
    return _cloglog_cdf(-t)


@log_cdf.implement(LogLog)
def _(link, t):
    return _cloglog_log_survival(-t)


@log_survival.implement(LogLog)
def _(link, t):
    return _cloglog_log_cdf(-t)


@log_density.implement(LogLog)
def _(link, t):
    return _cloglog_log_density(-t)


@density_score.implement(LogLog)
def _(link, t):
    return -_cloglog_density_score(-t)


@quantile.implement(LogLog)
def _(link, p):
    with np.errstate(divide="ignore"):
        return -np.log(-np.log(np.asarray(p, float)))[()]


@survival.implement(Cauchit)
def _(link, t):
    return atan2(1.0, t) / pi


@log_survival.implement(Cauchit)
def _(link, t):
    # atan2(1, t) is pi times the probability, small or not
    if t >= 0.0:
        return log(atan2(1.0, t) / pi)
    return log1p(-atan2(1.0, -t) / pi)


@log_density.implement(Cauchit)
def _(link, t):
    if abs(t) > 1e100:
        return -_LOG_PI - 2.0 * log(abs(t))
    return -_LOG_PI - log1p(t * t)


@density_score.implement(Cauchit)
def _(link, t):
    return -2.0 / (t + 1.0 / t) if abs(t) > 1.0 else -2.0 * t / (1.0 + t * t)


@quantile.implement(Cauchit)
def _(link, p):
    p = np.asarray(p, float)
    # cot and not tan of the shifted angle: small probabilities keep their digits
    with np.errstate(divide="ignore"):
        lower = -1.0 / np.tan(pi * np.minimum(p, 0.5))
        upper = 1.0 / np.tan(pi * np.minimum(1.0 - p, 0.5))
    return np.where(p <= 0.5, lower, upper)[()]
