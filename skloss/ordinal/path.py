"""The path of PRESTO's solutions as a function on arrays."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, validate_parameter_constraints

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss.ordinal._base import SEPARATED
from skloss.ordinal._inputs import read_sample
from skloss.ordinal._path import Path, public_path
from skloss.ordinal.presto import PrestoClassifier

__all__ = ["presto_path"]

_CONSTRAINTS = {
    "alphas": ["array-like", None],
    "n_alphas": [Interval(Integral, 1, None, closed="left")],
    "eps": [Interval(Real, 0, 1, closed="neither")],
}


def presto_path(
    X, y, *, alphas=None, n_alphas=100, eps=1e-3, sample_weight=None, **options
):
    """Fit PRESTO at many strengths of the penalty, each from the one before.

    Parameters
    ----------
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training data.
    y : array-like of shape (n_samples,)
        Ordered labels.
    alphas : array-like of shape (n_alphas,), default=None
        Strengths; they are sorted to fall. By default `n_alphas` from the smallest
        that leaves all penalised coefficients at zero down to `eps` times that.
    n_alphas : int, default=100
        Number of strengths where `alphas` is None.
    eps : float, default=1e-3
        Smallest strength as a share of the largest.
    sample_weight : array-like of shape (n_samples,), default=None
        Non-negative weights.
    **options
        Parameters of `PrestoClassifier` but for `alpha` and `warm_start`.

    Returns
    -------
    alphas : ndarray of shape (n_alphas,)
        Strengths, falling.
    intercepts : ndarray of shape (n_alphas, n_classes - 1)
        Intercepts of the thresholds.
    coefs : ndarray of shape (n_alphas, n_classes - 1, n_features)
        Weights of the thresholds.
    info : dict
        ``classes``; ``alpha_max``; for each strength ``n_iter`` (Newton steps),
        ``kkt_violation``, ``converged``.

    Raises
    ------
    ValueError
        As of ``PrestoClassifier.fit``, or if a strength is negative or not finite.
    TypeError
        If an option is none of these.

    Warns
    -----
    ConvergenceWarning
        If fits did not reach the tolerance.

    Examples
    --------
    >>> from skloss.datasets import load
    >>> from skloss.ordinal import presto_path
    >>> data = load("anes96")
    >>> X, y = data.data, data.target
    >>> alphas, intercepts, coefs, info = presto_path(X, y, n_alphas=5)
    >>> coefs.shape
    (5, 6, 8)
    >>> bool((coefs[0] == 0).all())
    True
    """
    given = {"alphas": alphas, "n_alphas": n_alphas, "eps": eps}
    validate_parameter_constraints(_CONSTRAINTS, given, "presto_path")
    for name in ("alpha", "warm_start"):
        if name in options:
            raise TypeError(f"presto_path() has no parameter {name!r}.")
    model = PrestoClassifier(**options)
    model._validate_params()
    with one_blas_thread():
        sample = read_sample(model, X, y, sample_weight)
        ratio = float(model.l1_ratio)
        engine = model._engine(sample, model._model(sample.X.shape[1], l1_ratio=ratio))
        alphas = n_alphas if alphas is None else alphas
        path = Path.prepare(model, engine, sample, alphas=alphas, eps=eps)
        count = len(path.alphas)
        lines = {"max_iter": count, "verbose": model.verbose, "task_name": "alpha"}
        with Progress(model, **lines) as progress:
            solutions = path.fit(model, report=progress)
    _warn_of_failed(solutions)
    if solutions[-1].separated:
        warnings.warn(
            SEPARATED.format("presto_path", solutions[-1].kkt_violation),
            ConvergenceWarning,
            stacklevel=2,
        )
    intercepts, coefs = public_path(engine, solutions)
    info = {
        "classes": sample.classes,
        "alpha_max": path.alpha_max,
        "n_iter": np.array([s.n_iter for s in solutions]),
        "kkt_violation": np.array([s.kkt_violation for s in solutions]),
        "converged": np.array([s.status == "converged" for s in solutions]),
    }
    return path.alphas, intercepts, coefs, info


def _warn_of_failed(solutions):
    failed = [s.kkt_violation for s in solutions if s.status != "converged"]
    if failed:
        warnings.warn(
            f"presto_path: {len(failed)} of {len(solutions)} fits stopped above the "
            f"tolerance, with KKT violations of up to {max(failed):.2g}. Raise "
            "max_iter, tol or the smallest of the alphas.",
            ConvergenceWarning,
            stacklevel=3,
        )
