"""Checked spectra and sizes for the functions that predict risks."""

from collections.abc import Mapping
from numbers import Real
from typing import NamedTuple

import numpy as np

from skloss._validation import weight_unit

__all__ = [
    "Spectrum",
    "broadcast_sizes",
    "check_real",
    "checked_spectrum",
    "modes_of",
    "real_numbers",
]

_LARGEST = 1e300  # sums of eigenvalues and of squared coefficients
_LONGEST_TEXT = 80  # of a value in a message
_SMALLEST = 1e-100  # eigenvalues, as a share of the largest, that are not zero


class Spectrum(NamedTuple):
    """Positive eigenvalues, descending, their trace, squared coefficients, the rest.

    Eigenvalues are in a `unit` of their own, in which they neither overflow nor
    underflow. `powers` are summed over targets; `unlearnable` is their sum over
    eigenvalues of zero; `n_modes` counts these, too.
    """

    eigenvalues: np.ndarray
    powers: np.ndarray
    trace: float
    unlearnable: float
    n_modes: int
    unit: float


def checked_spectrum(eigenvalues, coefs):
    """Check eigenvalues and coefficients and sort them.

    Parameters
    ----------
    eigenvalues : array-like of shape (n_modes,)
        Not negative, in any order.
    coefs : array-like of shape (n_modes,) or (n_modes, n_targets)
        Coefficients of the targets.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        If values are no real numbers, negative or not finite, if sums overflow or if
        lengths differ.
    """
    eigenvalues = real_numbers("eigenvalues", eigenvalues)
    coefs = real_numbers("coefs", coefs)
    if eigenvalues.ndim != 1 or not eigenvalues.size:
        raise ValueError(
            "eigenvalues must be one-dimensional with at least one value; got shape "
            f"{eigenvalues.shape}."
        )
    if coefs.ndim not in (1, 2) or len(coefs) != len(eigenvalues):
        raise ValueError(
            f"coefs must have one row for each of {len(eigenvalues)} eigenvalues; got "
            f"shape {coefs.shape}."
        )
    wrong = ~((eigenvalues >= 0) & (eigenvalues < np.inf))
    if wrong.any():
        at = np.flatnonzero(wrong)[0]
        raise ValueError(
            f"eigenvalues must be finite and not negative; eigenvalues[{at}] is "
            f"{eigenvalues[at]}."
        )
    if not np.isfinite(coefs).all():
        culprit = coefs[~np.isfinite(coefs)][0]
        raise ValueError(f"coefs must be finite; got {culprit}.")
    return _sorted_spectrum(eigenvalues, coefs)


def _sorted_spectrum(eigenvalues, coefs):
    """Sort checked modes and set those of eigenvalue zero apart."""
    with np.errstate(over="ignore"):
        trace = float(eigenvalues.sum())
        powers = (coefs * coefs).reshape(len(coefs), -1).sum(axis=1)
        total = powers.sum()
    for name, size in (("eigenvalues", trace), ("squared coefs", total)):
        if size > _LARGEST:
            raise ValueError(
                f"The sum of {name} must be at most {_LARGEST}; got {size}."
            )
    order = np.argsort(-eigenvalues, kind="stable")
    n_positive = np.count_nonzero(eigenvalues > _SMALLEST * eigenvalues.max())
    learnable, rest = order[:n_positive], order[n_positive:]
    unit = weight_unit(eigenvalues) if n_positive else 1.0
    return Spectrum(
        eigenvalues[learnable] / unit,
        powers[learnable],
        trace / unit,
        float(powers[rest].sum()),
        len(eigenvalues),
        unit,
    )


def broadcast_sizes(spectrum, n_samples, n_components, noise, n_pool, alpha=0.0):
    """Check the numeric arguments and broadcast them against each other.

    Parameters
    ----------
    spectrum : Spectrum
        Checked spectrum.
    n_samples, n_components, noise, n_pool, alpha : float or array-like
        Numeric arguments, of shapes that broadcast.

    Returns
    -------
    sizes : ndarray of shape (n_points, 4)
        Columns n_samples, n_components, n_pool, alpha.
    noise : ndarray of shape (n_points,)
        Noise variances.
    shape : tuple of int
        Of the results.

    Raises
    ------
    ValueError
        If an argument is out of range or shapes do not broadcast.
    """
    values = {
        "n_samples": real_numbers("n_samples", n_samples),
        "n_components": real_numbers("n_components", n_components),
        "n_pool": real_numbers("n_pool", n_pool),
        "alpha": real_numbers("alpha", alpha),
        "noise": real_numbers("noise", noise),
    }
    n, k, pool, alpha, noise = values.values()
    _check("n_samples", n, (n > 0) & (n < np.inf), "positive and finite")
    _check("n_components", k, (k >= 1) & (k == np.floor(k)), "whole, at least 1 or inf")
    _check("alpha", alpha, alpha >= 0, "at least 0")
    _check("noise", noise, (noise >= 0) & (noise <= _LARGEST), "at least 0 and finite")
    allowed = f"at least the number of eigenvalues, {spectrum.n_modes}"
    _check("n_pool", pool, pool >= spectrum.n_modes, allowed)
    try:
        table = np.broadcast_arrays(n, k, pool, alpha, noise)
    except ValueError as error:
        shapes = ", ".join(f"{name} {np.shape(v)}" for name, v in values.items())
        raise ValueError(f"Shapes do not broadcast: {shapes}.") from error
    n, _, pool, _, noise = table
    if (n > pool).any():
        at = np.argmax(n > pool)
        raise ValueError(
            f"n_samples must be at most n_pool={pool.flat[at]}; got {n.flat[at]}."
        )
    if ((pool < np.inf) & (noise > 0)).any():
        at = np.argmax((pool < np.inf) & (noise > 0))
        raise ValueError(
            "noise must be 0 where n_pool is finite, since the coefficients of a pool "
            f"hold its noise; got {noise.flat[at]}."
        )
    sizes = np.stack([column.ravel() for column in table[:4]], axis=1)
    return sizes, noise.ravel(), n.shape


def real_numbers(name, value, allowed="numeric"):
    """Convert to float64, naming the argument if that fails.

    Parameters
    ----------
    name : str
        Of the argument.
    value : array-like
        Numbers.
    allowed : str, default="numeric"
        What it must be, in words.

    Returns
    -------
    ndarray of float64

    Raises
    ------
    ValueError
        If it holds something else than real numbers, or rows of several lengths.
    """
    try:
        found = np.asarray(value)
        if found.dtype.kind in "biufO":
            return found.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be {allowed}; got {_shown(value)}.") from error
    if found.dtype.kind == "c":
        raise ValueError(f"{name} must be real; got {_shown(value)}.")
    raise ValueError(f"{name} must be {allowed}; got {_shown(value)}.")


def _shown(value):
    """Describe a value in a message, briefly."""
    text = repr(value)
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."


def modes_of(spectrum):
    """Take eigenvalues and coefficients from what holds them.

    Parameters
    ----------
    spectrum : Bunch, dict or pair of array-like
        What `kernel_spectrum` returns, a dict with the same keys, or a tuple.

    Returns
    -------
    eigenvalues, coefs : array-like

    Raises
    ------
    ValueError
        If it holds something else.
    """
    if hasattr(spectrum, "eigenvalues") and hasattr(spectrum, "coefs"):
        return spectrum.eigenvalues, spectrum.coefs
    try:
        if isinstance(spectrum, Mapping):
            return spectrum["eigenvalues"], spectrum["coefs"]
        eigenvalues, coefs = spectrum
    except (TypeError, ValueError, KeyError) as error:
        raise ValueError(
            "spectrum must hold eigenvalues and coefs, as kernel_spectrum returns "
            f"them; got {type(spectrum).__name__}."
        ) from error
    return eigenvalues, coefs


def _check(name, values, good, allowed):
    """Refuse values out of range."""
    if not good.all():
        culprit = values[~good].flat[0] if values.ndim else values
        raise ValueError(f"{name} must be {allowed}; got {culprit}.")


def check_real(name, value, allowed, good):
    """Refuse what is not a number in a range.

    Parameters
    ----------
    name : str
        Of the argument.
    value : object
        To check.
    allowed : str
        The range in words.
    good : callable
        Whether a number is in the range.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not isinstance(value, Real) or isinstance(value, bool) or not good(value):
        raise ValueError(f"{name} must be {allowed}; got {value!r}.")
