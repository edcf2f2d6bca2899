"""Label privacy: release what bags have in all, and hide each row's part of it."""

import math
from fractions import Fraction
from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch

from skloss._random import seed_from
from skloss._values import FRACTION, POSITIVE
from skloss.aggregate import _discrete_noise as noise
from skloss.aggregate._aggregates import AGGREGATES, check_option
from skloss.aggregate._bags import read_bags
from skloss.aggregate._noise_scale import discrete_gaussian_unit, largest_ratio

__all__ = ["gaussian_noise_scale", "label_sensitivity", "privatize_bags"]

_MECHANISMS = ("laplace", "gaussian")
# The scale of the noise is between 2**(bits - 1) and 2**bits steps of the grid.
_GRID_BITS = 40
# More noise, as a multiple of the sensitivity, the integers could not hold.
_LARGEST_UNIT = 2**40
# Less noise, as a fraction of the sensitivity, no float could tell from none.
_LEAST_UNIT = Fraction(1, 2**100)
_LABEL_BITS = 52  # labels are multiples of this fraction of their range
_PART_BITS = 18  # sums of so short integers are exact in float64: 2**35 rows


def label_sensitivity(bags, bounds, *, aggregate="mean"):
    """Compute how far one row's label can move what its bag has in all.

    Parameters
    ----------
    bags : array-like of shape (n,)
        Label of the bag of each row.
    bounds : tuple of two floats
        Least and largest label; labels beyond them are taken to be them.
    aggregate : {"mean", "sum"}, default="mean"
        What is released of each bag.

    Returns
    -------
    ndarray of shape (m,)
        In units of the labels, bags in sorted order: the width of the bounds, for means
        divided by the number of rows. One row is in one bag, so that noise for these
        sensitivities spends epsilon once, not once for each bag.

    Raises
    ------
    ValueError
        If the bounds are not finite and increasing, or `bags` are not labels of rows.

    Examples
    --------
    >>> from skloss.aggregate import label_sensitivity
    >>> label_sensitivity(["a", "b", "b", "b", "b"], (0, 10))
    array([10. ,  2.5])
    """
    low, high = _checked_bounds(bounds)
    check_option("aggregate", aggregate, AGGREGATES)
    return _sensitivity(_labelled_bags(bags).sizes, low, high, aggregate)


def _sensitivity(sizes, low, high, aggregate):
    width = high - low
    return width / sizes if aggregate == "mean" else np.full(len(sizes), width)


def gaussian_noise_scale(sensitivity, epsilon, delta):
    """Find the least Gaussian noise that is (epsilon, delta)-private.

    Parameters
    ----------
    sensitivity : float or array-like
        How far one person's data can move the number that is released, positive. For a
        vector that is released, the Euclidean length of its largest move.
    epsilon : float
        Privacy loss, positive.
    delta : float
        Probability that the loss is larger, roughly; between 0 and 1.

    Returns
    -------
    float or ndarray of the shape of `sensitivity`
        Standard deviation of the noise, proportional to `sensitivity`. No smaller one
        will do; `epsilon` may be above 1, where the familiar
        ``sqrt(2 log(1.25 / delta)) / epsilon`` is wrong.

    Raises
    ------
    ValueError
        If an argument is out of range.

    See Also
    --------
    privatize_bags : Release noisy means or sums of bags.

    Notes
    -----
    The scale s solves [1]_, with x = sensitivity/s,

        delta = Phi(x/2 - epsilon/x) - exp(epsilon) Phi(-x/2 - epsilon/x).

    References
    ----------
    .. [1] B. Balle, Y.-X. Wang, "Improving the Gaussian mechanism for differential
       privacy: analytical calibration and optimal denoising", ICML 2018.

    Examples
    --------
    >>> from skloss.aggregate import gaussian_noise_scale
    >>> round(gaussian_noise_scale(1.0, epsilon=1.0, delta=1e-6), 4)
    4.2247
    """
    epsilon = _checked_number("epsilon", epsilon, POSITIVE)
    delta = _checked_number("delta", delta, FRACTION)
    moves = np.asarray(sensitivity, dtype=np.float64)
    bad = np.flatnonzero(~((moves > 0) & (moves < np.inf)))
    if bad.size:
        raise ValueError(
            f"sensitivity must hold finite numbers above 0; got {moves.flat[bad[0]]}."
        )
    scale = moves / largest_ratio(epsilon, delta)
    return scale if scale.ndim else float(scale)


def privatize_bags(
    y,
    bags,
    *,
    epsilon,
    bounds,
    mechanism="laplace",
    delta=0.0,
    aggregate="mean",
    secure=True,
    random_state=None,
):
    """Release noisy means or sums of bags that hide each row's label.

    Whoever sees what is released, and knows the features, the bags and all labels but
    one, still learns little about that one: no outcome's probability changes by more
    than a factor of exp(epsilon), whatever the label is.

    Parameters
    ----------
    y : array-like of shape (n,)
        Labels of the rows, numbers. They are clipped to `bounds`, infinite ones too.
    bags : array-like of shape (n,) or None
        Label of the bag of each row; None makes a bag of each row. Bags and their
        sizes are not hidden: they must not have been formed by looking at `y`.
    epsilon : float
        Privacy loss, positive. It is spent by every call: two releases of the same
        labels lose the sum of their epsilons.
    bounds : tuple of two floats
        Least and largest label. They must be known without looking at `y`.
    mechanism : {"laplace", "gaussian"}, default="laplace"
        Law of the noise. Laplace noise has a standard deviation of ``sqrt(2)``
        sensitivities over `epsilon`.
    delta : float, default=0.0
        For Gaussian noise the probability that the loss is larger, roughly: between 0
        and 1, and well below one over the number of rows. 0 for Laplace noise.
    aggregate : {"mean", "sum"}, default="mean"
        What is released of each bag.
    secure : bool, default=True
        Whether the noise comes from the operating system's entropy. If not, it may be
        predicted, and nothing is private: for simulations.
    random_state : int, RandomState or None, default=None
        Seed of the simulation; only with ``secure=False``.

    Returns
    -------
    sklearn.utils.Bunch
        - `y` : ndarray of shape (n,), what was released of each row's bag.
        - `bag_labels` : ndarray of shape (m,), labels of the bags, sorted.
        - `bag_values` : ndarray of shape (m,), what was released of them. Noise may
          take it beyond the bounds.
        - `noise_variance` : ndarray of shape (m,), variance of the noise.
        - `sensitivity` : ndarray of shape (m,), as by `label_sensitivity`.
        - `epsilon`, `delta` : float, as given.

    Raises
    ------
    ValueError
        If an argument is out of range, a label is nan, a seed is given for secure
        noise, or the noise is beyond what floats can tell.

    See Also
    --------
    label_sensitivity : How far one label can move a bag's mean or sum.
    gaussian_noise_scale : The scale of Gaussian noise.

    Notes
    -----
    Noise in floating point is not private: some digits of the sum give away what it was
    added to [1]_. Here labels become integers, their sums are exact, and each bag's
    mean or sum is rounded to a grid whose step is a power of two, between ``2**-40``
    and ``2**-39`` of the scale of the noise. The noise is a whole number of steps,
    drawn by integer arithmetic from exactly the discrete Laplace or Gaussian law [2]_,
    scaled to the most steps by which one label can move the rounded number.

    The time that the draws take, some microseconds for each bag, depends on them a
    little, and is not hidden from whoever can measure it.

    References
    ----------
    .. [1] I. Mironov, "On significance of the least significant bits for differential
       privacy", CCS 2012.
    .. [2] C. L. Canonne, G. Kamath, T. Steinke, "The discrete Gaussian for differential
       privacy", NeurIPS 2020.

    Examples
    --------
    >>> from skloss.aggregate import privatize_bags
    >>> spend, segments = [3.0, 5.0, 40.0, 1.0], ["a", "a", "b", "b"]
    >>> released = privatize_bags(
    ...     spend, segments, epsilon=2.0, bounds=(0, 20), secure=False, random_state=0
    ... )
    >>> released.noise_variance.round(6)
    array([50., 50.])
    >>> released.bag_values.shape, released.y.shape
    ((2,), (4,))
    """
    low, high = _checked_bounds(bounds)
    check_option("aggregate", aggregate, AGGREGATES)
    words = _source(secure, random_state)
    unit = _noise_per_sensitivity(mechanism, epsilon, delta)
    labels = _checked_labels(y)
    bags = read_bags(bags, len(labels))
    steps, grids, row = _rounded(labels, bags, low, high, unit, aggregate)
    scales = np.array([grid.scale for grid in grids])[row]
    laplace = mechanism == "laplace"
    draw = noise.discrete_laplace if laplace else noise.discrete_gaussian
    steps = steps + draw(words, scales).astype(object)
    # From here on nothing is secret but `steps`, which may be published: rounding to
    # floats is as harmless as whatever a reader may do.
    step = np.array([grid.step for grid in grids])[row]
    with np.errstate(over="ignore", invalid="ignore"):
        lows = low * (1.0 if aggregate == "mean" else bags.sizes)
        values = lows + steps.astype(np.float64) * step
        variance = np.square(_deviation(scales, laplace) * step)
    _check_range(bounds, values, variance)
    return Bunch(
        y=values[bags.codes],
        bag_labels=bags.labels,
        bag_values=values,
        noise_variance=variance,
        sensitivity=_sensitivity(bags.sizes, low, high, aggregate),
        epsilon=float(epsilon),
        delta=float(delta),
    )


class _Grid(NamedTuple):
    """What the noise of bags of one size is measured in.

    Parameters
    ----------
    step : float
        Distance of the points, a power of two.
    scale : int
        Scale of the noise in steps.
    range : Fraction
        How far one label can move the bag's mean or sum, in steps.
    """

    step: float
    scale: int
    range: Fraction


def _grid(sensitivity, unit):
    """Choose the grid of bags of one size.

    Numbers u, v with |u - v| <= r, rounded by floor(. + 1/2), are at most ceil(r)
    apart: floor(u + 1/2) - floor(v + 1/2) < u - v + 1 and is a whole number. So the
    noise is scaled to ceil(r) steps. (Rounding halves to even numbers would need one
    more where r is odd.)

    Parameters
    ----------
    sensitivity : Fraction
        How far one label can move the bag's mean or sum.
    unit : Fraction
        Scale of the noise over the sensitivity.

    Returns
    -------
    _Grid
    """
    exponent = _ceil_log2(sensitivity * unit) - _GRID_BITS
    steps = sensitivity / Fraction(2) ** exponent
    scale = math.ceil(math.ceil(steps) * unit)
    # With a larger step the variance overflows, which is refused.
    return _Grid(math.ldexp(1.0, min(exponent, 1023)), scale, steps)


def _ceil_log2(number):
    """Return the least e with ``2**e >= number``, for a positive Fraction."""
    e = number.numerator.bit_length() - number.denominator.bit_length()
    # number is between 2**(e - 1) and 2**(e + 1), both excluded
    return e if number <= Fraction(2) ** e else e + 1


def _rounded(labels, bags, low, high, unit, aggregate):
    """Round what bags have in all to their grids.

    Parameters
    ----------
    labels : ndarray of shape (n,), float64
        Not clipped.
    bags : Bags
        Bags of the rows.
    low, high : float
        Bounds of the labels.
    unit : Fraction
        Scale of the noise over the sensitivity.
    aggregate : {"mean", "sum"}
        What is rounded.

    Returns
    -------
    steps : ndarray of shape (m,), object
        Integers: steps of the grid above what the bag would have if each label were
        `low`.
    grids : list of _Grid
        One for each size of bags, or one for all.
    row : ndarray of shape (m,), intp
        Which grid is each bag's.
    """
    width = Fraction(high) - Fraction(low)
    if aggregate == "mean":
        sizes, row = np.unique(bags.sizes, return_inverse=True)
    else:
        sizes, row = np.ones(1, dtype=np.intp), np.zeros(bags.count, dtype=np.intp)
    grids = [_grid(width / size, unit) for size in sizes.tolist()]
    # A label is a whole number from 0 to 2**52 that depends on nothing but the label,
    # whatever the rounding: so one label moves the whole sum by at most 2**52, and
    # sum * range / 2**52, which is never rounded but once, by at most the range.
    part = np.clip(labels, low, high) - low
    whole = np.rint(np.ldexp(part / (high - low), _LABEL_BITS)).astype(np.int64)
    totals = _exact_sums(whole, bags)
    numerators = np.array([grid.range.numerator for grid in grids], dtype=object)[row]
    denominators = [grid.range.denominator << _LABEL_BITS for grid in grids]
    denominators = np.array(denominators, dtype=object)[row]
    steps = (2 * totals * numerators + denominators) // (2 * denominators)
    return steps, grids, row


def _exact_sums(whole, bags):
    """Sum integers from 0 to 2**52 within bags, as Python's integers."""
    totals = np.zeros(bags.count, dtype=object)
    for shift in range(0, _LABEL_BITS + 1, _PART_BITS):
        part = (whole >> shift) & (2**_PART_BITS - 1)
        totals += bags.sums(part).astype(np.int64).astype(object) * 2**shift
    return totals


def _deviation(scales, laplace):
    """Return the standard deviation of discrete noise, in steps."""
    return math.sqrt(0.5) / np.sinh(0.5 / scales) if laplace else scales * 1.0


def _noise_per_sensitivity(mechanism, epsilon, delta):
    """Return the scale of the noise for a sensitivity of 1, rounded up, a Fraction."""
    check_option("mechanism", mechanism, _MECHANISMS)
    epsilon = _checked_number("epsilon", epsilon, POSITIVE)
    if mechanism == "laplace":
        if delta != 0:
            raise ValueError(
                f"delta must be 0 for Laplace noise, which needs none; got {delta!r}. "
                "mechanism='gaussian' spends it."
            )
        unit = 1 / Fraction(epsilon)
    else:
        delta = _checked_number("delta", delta, FRACTION)
        unit = discrete_gaussian_unit(epsilon, delta, _GRID_BITS)
    if unit > _LARGEST_UNIT:
        raise ValueError(
            f"epsilon={epsilon} is too small: the noise would be more than "
            f"{_LARGEST_UNIT:.1e} times as large as what it hides."
        )
    return max(unit, _LEAST_UNIT)


def _source(secure, random_state):
    """Return the source of random words."""
    if not isinstance(secure, (bool, np.bool_)):
        raise ValueError(f"secure must be True or False; got {secure!r}.")
    if not secure:
        return noise.seeded_words(seed_from(random_state))
    if random_state is not None:
        raise ValueError(
            f"random_state={random_state!r} needs secure=False: noise from a seed can "
            "be predicted, and hides nothing."
        )
    return noise.system_words


def _labelled_bags(bags):
    """Read bags that cannot be None, as there are no rows beside them."""
    if bags is None:
        raise ValueError("bags must hold a label for each row; got None.")
    values = np.asarray(bags)
    return read_bags(bags, len(values) if values.ndim else 0)


def _checked_labels(y):
    """Return labels as float64."""
    values = np.asarray(y)
    if values.ndim != 1 or not len(values):
        raise ValueError(
            f"y must have one dimension, with a label for each row; got shape "
            f"{values.shape}."
        )
    try:
        if values.dtype.kind not in "biufO":
            raise TypeError(f"its dtype is {values.dtype}")
        labels = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"y must hold numbers; {error}.") from error
    missing = np.flatnonzero(np.isnan(labels))
    if missing.size:
        raise ValueError(f"y[{missing[0]}] is nan: each row must have a label.")
    return labels


def _checked_bounds(bounds):
    """Return the least and the largest label as floats."""
    try:
        low, high = (float(bound) for bound in bounds)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"bounds must be two numbers, the least and the largest label; got "
            f"{bounds!r}."
        ) from error
    if not (low < high and math.isfinite(low) and math.isfinite(high - low)):
        raise ValueError(
            f"bounds must be finite, with a finite difference, and the first below the "
            f"second; got {bounds!r}."
        )
    return low, high


def _checked_number(name, value, allowed):
    """Return a number as a float, if it is as allowed."""
    try:
        number = math.nan if isinstance(value, (bool, np.bool_, str)) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if number not in allowed:
        raise ValueError(f"{name} must be {allowed.words}; got {value!r}.")
    return number


def _check_range(bounds, values, variance):
    """Refuse releases that overflow, which says no more than the release would."""
    fine = np.isfinite(values) & np.isfinite(variance) & (variance > 0)
    if not fine.all():
        raise ValueError(
            f"bounds={bounds!r} with this noise are beyond the range of floats: choose "
            "another unit for y."
        )
