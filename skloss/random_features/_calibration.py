"""Probabilities from scores: one temperature for all of them."""

import warnings

import numpy as np
from scipy import optimize, special

__all__ = ["best_temperature", "probabilities"]

# Where the best one is looked for, in units of the spread of the scores of a row.
_LEAST, _LARGEST = 1e-6, 1e6


def probabilities(scores, temperature):
    """Probabilities of classes.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, n_classes)
        Of the second of two classes, or of each class.
    temperature : float
        By which they are divided.

    Returns
    -------
    ndarray of shape (n, n_classes)
    """
    return special.softmax(_logits(scores) / temperature, axis=1)


def _logits(scores):
    """Scores of all classes; those of two classes differ by the given one."""
    if scores.ndim == 2:
        return scores
    return np.column_stack([-0.5 * scores, 0.5 * scores])


def best_temperature(scores, codes, weight):
    """Temperature at which the labels are most likely.

    A label of a class that was seen N times is taken for one with probability
    ``(N + 1) / (N + n_classes)``, the others sharing the rest: scores that tell all
    rows apart would make sure of everything otherwise (Platt, 1999). N is the effective
    number of rows, ``sum(w)**2 / sum(w**2)`` (Kish, 1965): that of the rows themselves
    for equal weights, whatever their unit.

    Parameters
    ----------
    scores : ndarray of shape (n,) or (n, n_classes)
        Of rows that were left out.
    codes : ndarray of shape (n,)
        Their classes.
    weight : ndarray of shape (n,)
        Their weights; no class has none.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no row has finite scores.

    Warns
    -----
    UserWarning
        If rows have no finite scores, or the temperature is at an end of its range.
    """
    logits, codes, weight = _usable(_logits(scores), codes, weight / weight.max())
    n_classes = logits.shape[1]
    # Probabilities depend on differences within a row only.
    logits = logits - logits.mean(axis=1, keepdims=True)
    size = np.abs(logits).max()
    if size == 0:
        _warn_of_end("largest", 1.0)
        return 1.0
    unit = size * np.sqrt(
        np.average(np.mean((logits / size) ** 2, axis=1), weights=weight)
    )
    logits /= unit
    seen = _effective_numbers(codes, weight, n_classes)[codes]
    own = np.take_along_axis(logits, codes[:, None], axis=1)[:, 0]
    expected = seen * own / (seen + n_classes)

    def slope(log_inverse):
        """Of the convex loss, in the inverse of the temperature."""
        p = special.softmax(logits * np.exp(log_inverse), axis=1)
        return weight @ (np.einsum("ij,ij->i", p, logits) - expected)

    low, high = -np.log(_LARGEST), -np.log(_LEAST)
    if slope(low) >= 0:
        _warn_of_end("largest", _LARGEST * unit)
        return float(_LARGEST * unit)
    if slope(high) <= 0:
        _warn_of_end("smallest", _LEAST * unit)
        return float(_LEAST * unit)
    return float(unit * np.exp(-optimize.brentq(slope, low, high, xtol=1e-10)))


def _usable(logits, codes, weight):
    """Rows of positive weight whose scores are numbers."""
    finite = np.isfinite(logits).all(axis=1)
    count = np.count_nonzero(~finite & (weight > 0))
    if count:
        if not (finite & (weight > 0)).any():
            raise ValueError(
                "calibrate=True: rows that are left out have no finite scores; take a "
                "larger alpha."
            )
        warnings.warn(
            f"temperature_ is found without {count} rows whose scores are not finite "
            "when they are left out; take a larger alpha.",
            UserWarning,
            stacklevel=4,
        )
    kept = finite & (weight > 0)
    return logits[kept], codes[kept], weight[kept]


def _effective_numbers(codes, weight, n_classes):
    """Kish's effective number of rows of each class; 0 without rows."""
    first = np.bincount(codes, weights=weight, minlength=n_classes)
    second = np.bincount(codes, weights=weight**2, minlength=n_classes)
    return np.divide(first**2, second, out=np.zeros(n_classes), where=second > 0)


def _warn_of_end(end, value):
    reason = (
        "scores of rows that are left out say nothing of their classes"
        if end == "largest"
        else "scores of rows that are left out nearly make sure of their classes"
    )
    warnings.warn(
        f"temperature_={value:.3g} is at the {end} end of its range: {reason}.",
        UserWarning,
        stacklevel=4,
    )
