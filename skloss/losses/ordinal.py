"""Losses of ordinal models: a class is an interval of a latent distribution.

``interval`` is the loss of a class between two thresholds, ``lower`` and ``upper``
those of the classes at the ends (and of the steps of stopping models). All are in the
scores eta with P(y <= k) = F(eta_k); the link comes first and chooses the arithmetic.
``interval_gap``, ``lower_gap`` and ``upper_gap`` measure how much a duality gap owes
to one row when its dual variable is `s` times the row's gradient.
"""

from math import nan

from skloss._jit import dispatched
from skloss.losses._interval_parts import (
    barrier,
    cauchit_between,
    cauchit_interval,
    cauchit_lower,
    cauchit_value,
    cloglog_between,
    cloglog_lower,
    cloglog_parts,
    cloglog_upper,
    logit_between,
    logit_interval,
    logit_lower,
    logit_value,
    probit_between,
    probit_lower,
    probit_parts,
)
from skloss.losses._ordinal_gaps import (
    cloglog_interval_gap,
    cloglog_lower_gap,
    cloglog_upper_gap,
    logit_interval_gap,
    logit_lower_gap,
    probit_interval_gap,
    probit_lower_gap,
)
from skloss.losses.links import Cauchit, CLogLog, Logit, LogLog, Probit

__all__ = [
    "between",
    "gap_barrier",
    "interval",
    "interval_gap",
    "interval_value",
    "lower",
    "lower_gap",
    "upper",
    "upper_gap",
]

gap_barrier = barrier


@dispatched
def interval(link, a, b):
    """Loss of a class between two thresholds, -log(F(b) - F(a)), and derivatives.

    Parameters
    ----------
    link : named tuple
        The link.
    a, b : float
        Scores of the thresholds below and above.

    Returns
    -------
    tuple of float
        The value; its derivatives in `a` and in `b`; the curvatures in `a` twice, in
        `b` twice and in both. The curvatures form a positive semidefinite matrix: for
        the cauchit link, whose loss is not convex, the nearest one to the Hessian.
        Where `a` is not below `b` the value is inf and the others mean nothing.

    Examples
    --------
    >>> from skloss.losses import Logit
    >>> from skloss.losses.ordinal import interval
    >>> [round(x, 6) for x in interval(Logit(), -1.0, 1.0)]
    [0.771937, 0.425459, -0.425459, 0.377627, 0.377627, -0.181015]
    """


@dispatched
def interval_value(link, a, b):
    """Value of `interval` alone.

    Parameters
    ----------
    link : named tuple
        The link.
    a, b : float
        Scores of the thresholds below and above.

    Returns
    -------
    float
        The loss; inf where `a` is not below `b`.

    Examples
    --------
    >>> from skloss.losses import Logit
    >>> from skloss.losses.ordinal import interval_value
    >>> round(interval_value(Logit(), -1.0, 1.0), 6)
    0.771937
    """


@dispatched
def lower(link, b):
    """Loss of the lowest class, -log F(b), and derivatives.

    Parameters
    ----------
    link : named tuple
        The link.
    b : float
        Score of the threshold above.

    Returns
    -------
    tuple of float
        Value, derivative and curvature; negative curvatures of the cauchit link are
        replaced by 0.

    Examples
    --------
    >>> from skloss.losses import Logit
    >>> from skloss.losses.ordinal import lower
    >>> [round(x, 6) for x in lower(Logit(), 0.0)]
    [0.693147, -0.5, 0.25]
    """


@dispatched
def upper(link, a):
    """Loss of the highest class, -log(1 - F(a)), and derivatives.

    Parameters
    ----------
    link : named tuple
        The link.
    a : float
        Score of the threshold below.

    Returns
    -------
    tuple of float
        Value, derivative and curvature, as of `lower`.

    Examples
    --------
    >>> from skloss.losses import CLogLog
    >>> from skloss.losses.ordinal import upper
    >>> [float(x) for x in upper(CLogLog(), 0.0)]
    [1.0, 1.0, 1.0]
    """


@dispatched
def between(link, a, b):
    """Probability of an interval, F(b) - F(a), for ordered scores.

    Parameters
    ----------
    link : named tuple
        The link.
    a, b : float
        Scores with a <= b.

    Returns
    -------
    float
        The probability, without cancellation in the tails or over narrow intervals.

    Examples
    --------
    >>> from skloss.losses import Cauchit
    >>> from skloss.losses.ordinal import between
    >>> round(between(Cauchit(), -1.0, 1.0), 6)
    0.5
    """


@dispatched
def interval_gap(link, a, b, s):
    """Gap of `interval` and its conjugate at `s` times its gradient.

    Parameters
    ----------
    link : named tuple
        The link.
    a, b : float
        Scores of the thresholds below and above.
    s : float
        From 0 to 1.

    Returns
    -------
    float
        ``l(z) + l*(s g) - s g @ z`` for the loss l, its gradient g and z = (a, b); at
        least 0, 0 at `s` = 1. Its upper bound (1 - s) l(z) if an iteration fails, nan
        for the cauchit link, whose loss is not convex.

    Examples
    --------
    >>> from skloss.losses import Logit
    >>> from skloss.losses.ordinal import interval_gap
    >>> interval_gap(Logit(), -1.0, 1.0, 1.0)
    0.0
    """


@dispatched
def lower_gap(link, b, s):
    """Gap of `lower` and its conjugate at `s` times its derivative.

    Parameters
    ----------
    link : named tuple
        The link.
    b : float
        Score of the threshold above.
    s : float
        From 0 to 1.

    Returns
    -------
    float
        As from `interval_gap`.

    Examples
    --------
    >>> from skloss.losses import Logit
    >>> from skloss.losses.ordinal import lower_gap
    >>> round(lower_gap(Logit(), 0.0, 0.0), 6)
    0.693147
    """


@dispatched
def upper_gap(link, a, s):
    """Gap of `upper` and its conjugate at `s` times its derivative.

    Parameters
    ----------
    link : named tuple
        The link.
    a : float
        Score of the threshold below.
    s : float
        From 0 to 1.

    Returns
    -------
    float
        As from `interval_gap`.

    Examples
    --------
    >>> from skloss.losses import CLogLog
    >>> from skloss.losses.ordinal import upper_gap
    >>> round(upper_gap(CLogLog(), 0.0, 0.0), 6)
    1.0
    """


# Symmetric links: the highest class is the mirror image of the lowest.
@upper.otherwise
def _(link, a):
    value, slope, curvature = lower(link, -a)
    return value, -slope, curvature


@upper_gap.otherwise
def _(link, a, s):
    return lower_gap(link, -a, s)


@interval_value.otherwise
def _(link, a, b):
    return interval(link, a, b)[0]


@interval.implement(Logit)
def _(link, a, b):
    return logit_interval(a, b)


@interval_value.implement(Logit)
def _(link, a, b):
    return logit_value(a, b)


@lower.implement(Logit)
def _(link, b):
    return logit_lower(b)


@between.implement(Logit)
def _(link, a, b):
    return logit_between(a, b)


@interval_gap.implement(Logit)
def _(link, a, b, s):
    return logit_interval_gap(a, b, s)


@lower_gap.implement(Logit)
def _(link, b, s):
    return logit_lower_gap(b, s)


@interval.implement(Probit)
def _(link, a, b):
    value, ra, rb, ea, eb, _ = probit_parts(a, b, b - a)
    h = ra * rb
    return value, ra, -rb, ea + h, eb + h, -h


@lower.implement(Probit)
def _(link, b):
    return probit_lower(b)


@between.implement(Probit)
def _(link, a, b):
    return probit_between(a, b)


@interval_gap.implement(Probit)
def _(link, a, b, s):
    return probit_interval_gap(a, b, s)


@lower_gap.implement(Probit)
def _(link, b, s):
    return probit_lower_gap(b, s)


@interval.implement(CLogLog)
def _(link, a, b):
    value, ra, rb, ea, eb, _ = cloglog_parts(a, b, b - a)
    h = ra * rb
    return value, ra, -rb, ea + h, eb + h, -h


@lower.implement(CLogLog)
def _(link, b):
    return cloglog_lower(b)


@upper.implement(CLogLog)
def _(link, a):
    return cloglog_upper(a)


@between.implement(CLogLog)
def _(link, a, b):
    return cloglog_between(a, b)


@interval_gap.implement(CLogLog)
def _(link, a, b, s):
    return cloglog_interval_gap(a, b, s)


@lower_gap.implement(CLogLog)
def _(link, b, s):
    return cloglog_lower_gap(b, s)


@upper_gap.implement(CLogLog)
def _(link, a, s):
    return cloglog_upper_gap(a, s)


@interval.implement(LogLog)
def _(link, a, b):
    value, rb, ra, eb, ea, _ = cloglog_parts(-b, -a, b - a)
    h = ra * rb
    return value, ra, -rb, ea + h, eb + h, -h


@lower.implement(LogLog)
def _(link, b):
    value, slope, curvature = cloglog_upper(-b)
    return value, -slope, curvature


@upper.implement(LogLog)
def _(link, a):
    value, slope, curvature = cloglog_lower(-a)
    return value, -slope, curvature


@between.implement(LogLog)
def _(link, a, b):
    return cloglog_between(-b, -a)


@interval_gap.implement(LogLog)
def _(link, a, b, s):
    return cloglog_interval_gap(-b, -a, s)


@lower_gap.implement(LogLog)
def _(link, b, s):
    return cloglog_upper_gap(-b, s)


@upper_gap.implement(LogLog)
def _(link, a, s):
    return cloglog_lower_gap(-a, s)


@interval.implement(Cauchit)
def _(link, a, b):
    return cauchit_interval(a, b)


@interval_value.implement(Cauchit)
def _(link, a, b):
    return cauchit_value(a, b)


@lower.implement(Cauchit)
def _(link, b):
    return cauchit_lower(b)


@between.implement(Cauchit)
def _(link, a, b):
    return cauchit_between(a, b)


@interval_gap.implement(Cauchit)
def _(link, a, b, s):
    return nan


@lower_gap.implement(Cauchit)
def _(link, b, s):
    return nan
