"""Every way in which the family's kernels are compiled, run once on small data."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skloss.losses.links import LINKS
from skloss.ordinal import PrestoClassifier, ProportionalOddsClassifier

__all__ = ["warmup"]


def warmup():
    """Compile all kernels of the family.

    Returns
    -------
    list of str
        Names of the estimators that were fitted.
    """
    X, y = _noise(60, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        for dtype in (np.float64, np.float32):
            for data in (X.astype(dtype), sparse.csr_array(X.astype(dtype))):
                PrestoClassifier().fit(data, y).predict(data)
        for link in LINKS:
            for family in ("cumulative", "stopping"):
                model = PrestoClassifier(link=link, family=family)
                model.fit(X, y).predict_proba(X)
        for options in (
            {"family": "adjacent"},
            {"ordering": "train", "alpha": 0.0},
            {"ordering": "box", "alpha": 1e-4},
        ):
            PrestoClassifier(**options).fit(X, y).predict_cumulative(X)
        ProportionalOddsClassifier().fit(X, y)
    return [
        "PrestoClassifier",
        "PrestoClassifierCV",
        "ProportionalOddsClassifier",
    ]


def _noise(n_samples, n_features):
    random = np.random.RandomState(0)
    X = random.standard_normal((n_samples, n_features))
    return X, np.arange(n_samples) % 4
