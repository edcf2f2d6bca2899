"""Every way in which the family's kernels are compiled, run once on small data."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skloss.linear_eval import MultinomialLogistic, PooledGaussianNB

__all__ = ["warmup"]


def warmup():
    """Compile all kernels of the family.

    Returns
    -------
    list of str
        Names of the estimators that were fitted.
    """
    for dtype in (np.float64, np.float32):
        for n_samples, n_features, n_classes in ((60, 4, 2), (60, 4, 12)):
            X, y = _noise(n_samples, n_features, n_classes, dtype)
            for data in (X, sparse.csr_array(X)):
                model = PooledGaussianNB().fit(data, y)
                model.predict(data)
                model.predict_proba(data)
        _fit_logistic(dtype)
    return ["MultinomialLogistic", "PooledGaussianNB"]


def _fit_logistic(dtype):
    """Fit with few columns and, sparse, with too many for their covariance.

    Both sizes are large enough for `precision` to matter.
    """
    model = MultinomialLogistic(max_iter=2, tol=0.5)
    few, y = _noise(10_000, 4, 3, dtype)
    many, y_many = _noise(300, 150, 3, dtype)
    for precision in ("mixed", "double"):
        model.set_params(precision=precision)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(few, y)
            model.fit(sparse.csr_array(few), y)
            model.fit(sparse.csr_array(many), y_many)


def _noise(n_samples, n_features, n_classes, dtype):
    random = np.random.RandomState(0)
    X = random.standard_normal((n_samples, n_features)).astype(dtype)
    return X, np.arange(n_samples) % n_classes
