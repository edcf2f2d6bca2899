"""What tests of bad input share: the same call of every estimator and of the path."""

import numpy as np
import pytest
from scipy import sparse

from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)

PRESTO = ("one", "cv", "path")
ALL = (*PRESTO, "odds")
of_all = pytest.mark.parametrize("kind", ALL)
of_presto = pytest.mark.parametrize("kind", PRESTO)


def make_fit(kind, X, y, w=None, **options):
    """Fit; what comes back has the attributes of an estimator's scores."""
    if kind == "path":
        return presto_path(X, y, n_alphas=3, sample_weight=w, **options)
    if kind == "cv":
        options = {"alphas": 3, "cv": 3, "random_state": 0} | options
    cls = {
        "one": PrestoClassifier,
        "cv": PrestoClassifierCV,
        "odds": ProportionalOddsClassifier,
    }[kind]
    return cls(**options).fit(X, y, sample_weight=w)


def scores_of(kind, fitted, X):
    """Scores (n, m), or those of the whole path: what the fit says of the data."""
    if kind == "path":
        _, intercepts, coefs, _ = fitted
        assert intercepts.dtype == coefs.dtype == np.float64
        X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)
        return np.einsum("np,amp->nam", X, coefs) + intercepts
    P = fitted.predict_proba(X)
    assert np.isfinite(P).all()
    assert (P >= 0).all()
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-6)
    assert np.isfinite(fitted.coef_).all()
    assert np.isfinite(fitted.intercept_).all()
    for name in ("objective_", "kkt_violation_", "dual_gap_"):
        assert np.isfinite(getattr(fitted, name))
    return P


def classes_of(kind, fitted):
    return (fitted[3]["classes"] if kind == "path" else fitted.classes_).tolist()


def drawn():
    """Rows and four ordered classes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 3))
    y = np.digitize(X @ [1, -0.5, 0] + rng.logistic(size=120), [-1, 0.5, 1.5])
    return X, y
