"""What learning from bags costs, and which bag size and interpolation are best."""

from numbers import Integral

import numpy as np
from sklearn.utils import Bunch

from skloss.aggregate import _risk_system as system

__all__ = ["aggregate_risk", "optimal_bag_size", "optimal_rho"]

_BLOCK = 1 << 16  # bag sizes tried at a time
_WIDEST = 1e150  # range of labels over epsilon, whose square is a number
_LONGEST_TEXT = 80  # of a value in a message


def aggregate_risk(
    bag_size,
    aspect,
    *,
    rho=0.0,
    alpha=0.0,
    signal=1.0,
    noise=1.0,
    scale=1.0,
    mean_noise_variance=0.0,
):
    """Predict the error of linear regression on the means of random bags.

    The risk is the expected squared error of predictions of new rows, without their
    own noise: ``E[(x @ coef - x @ true)**2]``. Add `noise` for the error against new
    responses. No intercept is counted; one costs about as much as a feature.

    Parameters
    ----------
    bag_size : float or array-like
        Rows in a bag, at least 1. If bags differ in size, their mean size.
    aspect : float or array-like
        Rows over features, positive. Need not exceed 1.
    rho : float or array-like, default=0.0
        Interpolation: 0 is the bag-level loss, 1 the instance-level one. At least 0,
        infinity included.
    alpha : float or array-like, default=0.0
        Ridge penalty over the number of features, in units of a feature's variance. 0
        means least squares; of several solutions, the one of least norm.
    signal : float or array-like, default=1.0
        Variance of the rows' expected responses.
    noise : float or array-like, default=1.0
        Variance of a row's response about its expectation.
    scale : float or array-like or "best", default=1.0
        Predictions are multiplied by it. "best" is the factor of least risk.
    mean_noise_variance : float or array-like, default=0.0
        Variance of the noise added to each bag's mean for privacy. Counts like
        `bag_size` times as much noise in the rows.

    Returns
    -------
    sklearn.utils.Bunch
        Arrays of the shape to which the arguments broadcast, or floats:

        - `bias2`: what the risk would be without noise.
        - `variance`: what noise adds.
        - `risk`: their sum. Infinite where least squares has as many equations as
          unknowns: ``bag_size == aspect`` for `rho` 0, ``aspect == 1`` for others.
        - `overlap`: multiple of the true slopes that the estimate is on average,
          before `scale`.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not broadcast.

    See Also
    --------
    optimal_rho : The interpolation of least risk.
    optimal_bag_size : The bag size of least risk.
    estimate_signal_noise : Signal and noise from aggregates.

    Notes
    -----
    Exact in the limit of many Gaussian rows and features; with 150 features simulated
    risks agree within their errors. Bags must be formed at random. With `alpha` 0, and
    more rows than features (more bags than features for `rho` 0), the risk does not
    depend on how features correlate. Otherwise features are taken to be uncorrelated
    with equal variances. The risk follows from one scalar equation, derived here for
    rows shrunk towards bag means; [1]_ study the same model.

    With rho = 0 and k < n/d the bias is 0 and the variance ``k * noise / (n/d - k)``,
    which grows without limit towards one bag per feature and falls beyond.

    References
    ----------
    .. [1] A. Javanmard, L. Chen, V. Mirrokni, A. Badanidiyuru, G. Fu, "Learning from
       aggregate responses: instance level versus bag level loss functions", ICLR 2024,
       arXiv 2401.11081.

    Examples
    --------
    >>> from skloss.aggregate import aggregate_risk
    >>> aggregate_risk([1, 5, 20], 50, rho=[[0], [0.02], [1]]).risk.round(3)
    array([[0.02 , 0.111, 0.667],
           [0.02 , 0.1  , 0.353],
           [0.02 , 0.647, 0.904]])
    """
    best = isinstance(scale, str)
    if best and scale != "best":
        raise ValueError(f'scale must be numeric or "best"; got {scale!r}.')
    k, psi, rho, alpha, signal, noise, scale, added = _broadcast(
        _at_least_one("bag_size", bag_size),
        _positive("aspect", aspect),
        _not_negative("rho", rho, infinity=True),
        _not_negative("alpha", alpha),
        _not_negative("signal", signal),
        _not_negative("noise", noise),
        _not_negative("scale", 1.0 if best else scale),
        _not_negative("mean_noise_variance", mean_noise_variance),
    )
    with np.errstate(over="ignore"):
        noise = noise + k * added
    roots = _solved(k, psi, rho, alpha)
    if best:
        scale = system.best_scale(roots, signal, noise)
    bias2, variance = system.scaled_risk(roots, signal, noise, scale)
    with np.errstate(over="ignore"):
        risk = bias2 + variance
    found = Bunch(bias2=bias2, variance=variance, risk=risk, overlap=roots.mu)
    return Bunch(**{name: value[()] for name, value in found.items()})


def _solved(k, psi, rho, alpha):
    with np.errstate(divide="ignore"):
        return system.solve(k, psi, np.log(rho), alpha)


def optimal_rho(bag_size, aspect, *, signal, noise, scale="none"):
    """Find the interpolation of least predicted risk without a ridge.

    That is the one at which `aggregate_risk` with `alpha` 0 is least.

    Parameters
    ----------
    bag_size : float or array-like
        Rows in a bag, at least 1. If bags differ in size, their mean size.
    aspect : float or array-like
        Rows over features, positive.
    signal : float or array-like
        Variance of the rows' expected responses, as from `estimate_signal_noise`.
    noise : float or array-like
        Variance of a row's response about its expectation. To noise of variance v
        added to the bags' means belongs ``noise + bag_size * v``.
    scale : {"none", "best"}, default="none"
        Whether predictions are multiplied by the best factor afterwards.

    Returns
    -------
    float or ndarray
        Interpolation of the shape to which the arguments broadcast. Above 1 where
        noise so dominates that estimates should be shrunk more than `rho` 1 does;
        infinity if there is no signal at all; 0 if there is no noise and there are at
        least as many bags as features.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not broadcast.

    See Also
    --------
    aggregate_risk : The risk at any interpolation.
    estimate_signal_noise : Signal and noise from aggregates.

    Notes
    -----
    With the best scale the answer is ``noise / (noise + aspect * signal)`` whatever
    the bag size, as long as there are at least as many bags as features. Without a
    scale it solves a rational equation and depends on the bag size a little; for bags
    of one row, where interpolation changes nothing, it is the limit of small bags,
    ``noise / signal``.

    With fewer bags than features, a `rho` of exactly 0 means the solution of least
    norm, which for uncorrelated features may be better than any positive one: then
    the answer is 0. It always is if there are no more rows than features, where every
    positive `rho` gives the same predictions.

    Examples
    --------
    >>> from skloss.aggregate import optimal_rho
    >>> optimal_rho([2, 10, 40], 50, signal=1.0, noise=1.0).round(4)
    array([0.0386, 0.022 , 0.0209])
    >>> optimal_rho([2, 10, 40], 50, signal=1.0, noise=1.0, scale="best").round(4)
    array([0.0196, 0.0196, 0.0196])
    """
    if scale not in ("none", "best"):
        raise ValueError(f'scale must be "none" or "best"; got {scale!r}.')
    k, psi, signal, noise = _broadcast(
        _at_least_one("bag_size", bag_size),
        _positive("aspect", aspect),
        _not_negative("signal", signal),
        _not_negative("noise", noise),
    )
    unknown = (signal == 0) & (noise == 0)  # everything is 0
    noise = np.where(unknown, 1.0, noise)
    if scale == "best":
        rho = system.rho_for_scale(psi, signal, noise)
    else:
        rho = system.best_rho(k, np.maximum(psi, np.nextafter(1, 2)), signal, noise)
    least_norm = _least_norm_wins(k, psi, rho, signal, noise, scale)
    return np.where(unknown | least_norm, 0.0, rho)[()]


def _least_norm_wins(k, psi, rho, signal, noise, scale):
    """Whether there are fewer bags than features and a rho of 0 is better."""
    factor = {"none": 1.0, "best": "best"}[scale]
    powers = {"signal": signal, "noise": noise, "scale": factor}
    positive = aggregate_risk(k, psi, rho=np.where(rho > 0, rho, 1e-300), **powers)
    least_norm = aggregate_risk(k, psi, rho=0.0, **powers)
    return (psi < k) & (least_norm.risk <= positive.risk) | (psi <= 1)


def optimal_bag_size(
    aspect,
    *,
    rho=1.0,
    signal,
    noise,
    epsilon=None,
    bounds=None,
    min_size=1,
    max_size=1000,
):
    """Find the bag size of least predicted risk without a ridge.

    Noise alone seldom asks for large bags; privacy can. If labels are kept private by
    Laplace noise in the mean of each bag, larger bags need less of it: its variance
    is ``2 * ((hi - lo) / (bag_size * epsilon))**2``.

    Parameters
    ----------
    aspect : float or array-like
        Rows over features, positive.
    rho : float or array-like, default=1.0
        Interpolation: 0 is the bag-level loss, 1 the instance-level one. At least 0,
        infinity included.
    signal : float or array-like
        Variance of the rows' expected responses.
    noise : float or array-like
        Variance of a row's response about its expectation.
    epsilon : float or array-like, default=None
        Label privacy, positive. None means no noise for privacy.
    bounds : tuple of (float, float), default=None
        Least and largest label, lo < hi. Needed with `epsilon`.
    min_size, max_size : int, default=1 and 1000
        Smallest and largest size allowed, at least 1. The risk of every size between
        them is computed.

    Returns
    -------
    int or ndarray of int
        Best size, of the shape to which the arguments broadcast; of equally good ones
        the smallest.

    Raises
    ------
    ValueError
        If an argument is out of range, `epsilon` comes without `bounds`, or shapes do
        not broadcast.

    See Also
    --------
    aggregate_risk : The risk at any size.

    Notes
    -----
    With `rho` 1 and more rows than features the risk is quadratic in one over the
    bag size u, least at ``u = (2 * s * (a - 1) - noise - s) / (2 * s * (a - 2) + 4 *
    W**2)`` for signal s, aspect a and ``W = (hi - lo) / epsilon``, or at the largest
    size if that is not positive. If the denominator is negative, the smallest or the
    largest size is best.

    With `rho` 0 and fewer features than bags the private risk increases with the bag
    size: the noise saved is less than the bags lost, and with the best ridge it
    increases throughout. Without a ridge bags so large that there are fewer of them
    than features do better again, because predictions shrink to 0; if the labels are
    that noisy the answer may be `max_size`, and a ridge the better remedy.

    Examples
    --------
    >>> from skloss.aggregate import optimal_bag_size
    >>> powers = {"signal": 1.0, "noise": 1.0}
    >>> optimal_bag_size(50, **powers, epsilon=[0.2, 1.0, 5.0], bounds=(-3, 3))
    array([39,  3,  1])
    """
    smallest, largest = _sizes(min_size, max_size)
    width = _privacy_width(epsilon, bounds)
    rows = _broadcast(
        _positive("aspect", aspect),
        _not_negative("rho", rho, infinity=True),
        _not_negative("signal", signal),
        _not_negative("noise", noise),
        width,
    )
    table = np.stack([column.ravel() for column in rows], axis=1)
    found, at = np.unique(table, axis=0, return_inverse=True)
    best = np.array([_best_size(*row, smallest, largest) for row in found], np.intp)
    best = best[at.ravel()].reshape(rows[0].shape)
    return best if best.ndim else int(best)


def _best_size(aspect, rho, signal, noise, width, smallest, largest):
    """Try all sizes."""
    best, least = smallest, np.inf
    for start in range(smallest, largest + 1, _BLOCK):
        k = np.arange(start, min(start + _BLOCK, largest + 1), dtype=np.float64)
        found = aggregate_risk(
            k,
            aspect,
            rho=rho,
            signal=signal,
            noise=noise,
            mean_noise_variance=2 * (width / k) ** 2,
        )
        at = np.argmin(found.risk)
        if found.risk[at] < least:
            best, least = start + int(at), found.risk[at]
    return best


def _sizes(min_size, max_size):
    """Check the range of sizes."""
    for name, size in (("min_size", min_size), ("max_size", max_size)):
        if not isinstance(size, Integral) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name} must be whole and at least 1; got {size!r}.")
    if min_size > max_size:
        raise ValueError(
            f"min_size must be at most max_size={max_size}; got {min_size}."
        )
    return int(min_size), int(max_size)


def _privacy_width(epsilon, bounds):
    """Return the width of the labels' range over epsilon, 0 without privacy."""
    if bounds is not None:
        lo, hi = _bounds(bounds)
    if epsilon is None:
        return "epsilon", np.zeros(())
    values = _real_numbers("epsilon", epsilon)
    _check("epsilon", values, values > 0, "positive")
    if bounds is None:
        raise ValueError("bounds must be given with epsilon; got None.")
    with np.errstate(over="ignore"):
        return "epsilon", np.minimum((hi - lo) / values, _WIDEST)


def _bounds(bounds):
    """Check the range of labels."""
    values = _real_numbers("bounds", bounds)
    if values.shape != (2,):
        raise ValueError(f"bounds must be two numbers, lo and hi; got {bounds!r}.")
    lo, hi = values.tolist()
    if not -np.inf < lo < hi < np.inf:
        raise ValueError(f"bounds must be finite with lo < hi; got {bounds!r}.")
    return lo, hi


def _at_least_one(name, value):
    values = _real_numbers(name, value)
    good = (values >= 1) & (values < np.inf)
    return name, _check(name, values, good, "at least 1 and finite")


def _positive(name, value):
    values = _real_numbers(name, value)
    good = (values > 0) & (values < np.inf)
    return name, _check(name, values, good, "positive and finite")


def _not_negative(name, value, *, infinity=False):
    values = _real_numbers(name, value)
    if infinity:
        return name, _check(name, values, values >= 0, "at least 0")
    good = (values >= 0) & (values < np.inf)
    return name, _check(name, values, good, "at least 0 and finite")


def _real_numbers(name, value):
    """Convert to float64, naming the argument if that fails."""
    try:
        values = np.asarray(value)
        if values.dtype.kind in "iufO":
            return values.astype(np.float64)
    except (TypeError, ValueError):
        pass
    text = repr(value)
    text = text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
    raise ValueError(f"{name} must be numeric; got {text}.")


def _check(name, values, good, allowed):
    """Refuse values out of range."""
    if not good.all():
        raise ValueError(f"{name} must be {allowed}; got {values[~good].flat[0]}.")
    return values


def _broadcast(*arguments):
    """Broadcast named arrays against each other."""
    try:
        return np.broadcast_arrays(*(values for _, values in arguments))
    except ValueError as error:
        shapes = ", ".join(f"{name} {values.shape}" for name, values in arguments)
        raise ValueError(f"Shapes do not broadcast: {shapes}.") from error
