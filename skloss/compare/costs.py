"""What a fit costs besides its score: memory, compilation, size, convergence."""

import tracemalloc
from pathlib import Path

import numpy as np

__all__ = ["certificate_of", "is_scikit_learn", "made_by", "peak_memory", "size_of"]


def peak_memory(function):
    """Extra memory at the worst moment of a call.

    The larger of what Python's allocator saw (NumPy's arrays included) and, on Linux,
    how far the process's resident memory rose: compiled code allocates outside the
    former, and memory that was free before hides from the latter.

    Parameters
    ----------
    function : callable
        Called without arguments.

    Returns
    -------
    float
        Mebibytes.
    """
    resident = _reset_high_water()
    started = not tracemalloc.is_tracing()
    if started:
        tracemalloc.start()
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    try:
        function()
        traced = tracemalloc.get_traced_memory()[1] - before
    finally:
        if started:
            tracemalloc.stop()
    risen = 0 if resident is None else _status("VmHWM") - resident
    return max(traced, risen, 0) / 2**20


def _status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(field)


def _reset_high_water():
    """Bytes resident now, after Linux was told to forget its high-water mark."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
        return _status("VmRSS")
    except (OSError, ValueError):
        return None


def is_scikit_learn(estimator):
    """Whether an estimator and all its parts are scikit-learn's own.

    Nothing in those compiles, so their first fit costs no more than the second.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    bool
    """
    return made_by(estimator, "sklearn")


def made_by(estimator, *packages):
    """Whether an estimator and all its parts come from some packages.

    Parameters
    ----------
    estimator : estimator
    *packages : str

    Returns
    -------
    bool
    """
    parts = [estimator, *estimator.get_params(deep=True).values()]
    return all(
        type(part).__module__.partition(".")[0] in packages
        for part in parts
        if hasattr(part, "get_params") and not isinstance(part, type)
    )


def size_of(estimator):
    """Size of a fitted model in its own unit.

    Parameters
    ----------
    estimator : estimator
        Fitted; the last step counts in a pipeline.

    Returns
    -------
    int or None
        Features with a coefficient, support vectors, medoids or clusters.
    unit : str or None
    """
    model = estimator[-1] if hasattr(estimator, "steps") else estimator
    model = getattr(model, "estimator_", model)
    if hasattr(model, "support_") and hasattr(model, "dual_coef_"):
        return len(model.support_), "support vectors"
    medoids = getattr(model, "medoid_indices_", None)
    if medoids is not None:
        return len(medoids), "medoids"
    labels = getattr(model, "labels_", None)
    if labels is not None:
        return len(np.unique(labels)), "clusters"
    coefficients = getattr(model, "coef_", None)
    if coefficients is not None:
        coefficients = np.asarray(coefficients)
        used = coefficients != 0
        return int(used.any(axis=tuple(range(used.ndim - 1))).sum()), "features"
    return None, None


# Fitted attribute -> its name in tables. A relative gap says more than an absolute one.
_CERTIFICATES = {"gap_": "gap", "dual_gap_": "gap", "kkt_violation_": "KKT"}


def certificate_of(estimator):
    """Show a fitted model's own bound on its distance from the optimum.

    Parameters
    ----------
    estimator : estimator
        Fitted; the last step counts in a pipeline.

    Returns
    -------
    str
        Empty when the model gives none.
    """
    model = estimator[-1] if hasattr(estimator, "steps") else estimator
    for attribute, word in _CERTIFICATES.items():
        value = getattr(model, attribute, None)
        if attribute == "gap_" and value == 1:
            return ""  # nothing was proved
        if value is not None and np.isscalar(value) and not _is_builtin(model):
            return f"{word} ≤ {value:.0e}" if value > 0 else f"{word} 0"
    return ""


def _is_builtin(model):
    # Scikit-learn's dual gaps are neither scaled nor bounds in the sense of skloss.
    return type(model).__module__.partition(".")[0] == "sklearn"
