"""The links as values: named tuples that print, compare, pickle and tune."""

from typing import NamedTuple

from skloss._values import register_in, resolve

__all__ = ["LINKS", "CLogLog", "Cauchit", "LogLog", "Logit", "Probit", "get_link"]

LINKS = {}  # public name -> class
_register = register_in(LINKS)


@_register("logit")
class Logit(NamedTuple):
    """Logistic distribution function, 1 / (1 + exp(-t)).

    The link of proportional odds: differences of scores are logarithms of odds ratios.

    References
    ----------
    P. McCullagh, "Regression Models for Ordinal Data", JRSS B 42, 1980.

    Examples
    --------
    >>> from skloss.losses import Logit
    >>> from skloss.losses.links import cdf
    >>> float(cdf(Logit(), 0.0))
    0.5
    """

    symmetric = True
    log_concave = True


@_register("probit")
class Probit(NamedTuple):
    """Normal distribution function.

    A normal latent variable is cut into classes.

    References
    ----------
    J. Aitchison, S. D. Silvey, "The Generalization of Probit Analysis to the Case of
    Multiple Responses", Biometrika 44, 1957.

    Examples
    --------
    >>> from skloss.losses import Probit
    >>> from skloss.losses.links import cdf
    >>> round(cdf(Probit(), 1.96), 3)
    0.975
    """

    symmetric = True
    log_concave = True


@_register("cloglog")
class CLogLog(NamedTuple):
    """Complementary log-log, 1 - exp(-exp(t)).

    The link of grouped proportional hazards.

    References
    ----------
    P. McCullagh, "Regression Models for Ordinal Data", JRSS B 42, 1980.

    Examples
    --------
    >>> from skloss.losses import CLogLog
    >>> from skloss.losses.links import log_survival
    >>> float(log_survival(CLogLog(), 0.0))
    -1.0
    """

    symmetric = False
    log_concave = True


@_register("loglog")
class LogLog(NamedTuple):
    """Log-log, exp(-exp(-t)), the mirror image of the complementary log-log.

    Reversing the classes turns one of the two models into the other.

    References
    ----------
    P. McCullagh, "Regression Models for Ordinal Data", JRSS B 42, 1980.

    Examples
    --------
    >>> from skloss.losses import LogLog
    >>> from skloss.losses.links import log_cdf
    >>> float(log_cdf(LogLog(), 0.0))
    -1.0
    """

    symmetric = False
    log_concave = True


@_register("cauchit")
class Cauchit(NamedTuple):
    """Cauchy distribution function, 1/2 + arctan(t) / pi.

    Its heavy tails forgive single surprising rows. Its density is not log-concave:
    losses may have several local minima.

    References
    ----------
    B. J. T. Morgan, D. M. Smith, "A Note on Wadley's Problem with Overdispersion",
    Applied Statistics 41, 1992.

    Examples
    --------
    >>> from skloss.losses import Cauchit
    >>> from skloss.losses.links import cdf
    >>> round(cdf(Cauchit(), 1.0), 12)
    0.75
    """

    symmetric = True
    log_concave = False


def get_link(link):
    """Resolve a link given by name or as an instance.

    Parameters
    ----------
    link : str or named tuple
        One of the names in `LINKS` or an instance of one of its classes.

    Returns
    -------
    named tuple
        The link.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the names.
    TypeError
        If `link` is neither a name nor a link.

    Examples
    --------
    >>> from skloss.losses import get_link
    >>> get_link("probit")
    Probit()
    """
    return resolve(link, LINKS, "link")
