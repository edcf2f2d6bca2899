"""Models, data and references of the tests of `RandomFeatureRidge`."""

import numpy as np
import pytest
from scipy.sparse import csr_array, csr_matrix
from sklearn.linear_model import Ridge

from skloss.random_features import RandomFeatureRidge

SOLVERS = [
    {"solver": "primal", "precision": "float64"},
    {"solver": "primal", "precision": "mixed"},
    {"solver": "dual"},
    {},
]


def sample(rng):
    """Rows and a smooth target."""
    X = rng.normal(size=(150, 4))
    y = np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.1 * rng.normal(size=150)
    return X, y


def model_of(n_components=40, **options):
    options = {"gamma": 0.3, "bias": 0.5, "alpha": 0.1, "random_state": 0, **options}
    return RandomFeatureRidge(n_components, **options)


def reference(model, X, y, weight=None):
    """Coefficients and intercepts from a solver of the normal equations' root."""
    Z = model.random_features_.transform(X)
    ridge = Ridge(model.alpha, fit_intercept=model.fit_intercept, solver="svd")
    return Z, ridge.fit(Z, y, weight)


def same_model(first, second, X, tol=1e-8):
    np.testing.assert_allclose(first.predict(X), second.predict(X), rtol=tol, atol=tol)
    np.testing.assert_allclose(first.coef_, second.coef_, rtol=tol, atol=tol)
    np.testing.assert_allclose(first.intercept_, second.intercept_, rtol=tol, atol=tol)


class Shelf:
    """Rows that can be sliced, as those of an HDF5 file, and nothing else."""

    def __init__(self, array):
        self._array, self.shape, self.dtype = array, array.shape, array.dtype
        self.most = 0

    def __len__(self):
        return len(self._array)

    def __getitem__(self, key):
        part = self._array[key]
        self.most = max(self.most, len(part))
        return part.copy()


def stored(kind, X, tmp_path):
    if kind == "memmap":
        np.save(tmp_path / "X.npy", X)
        return np.load(tmp_path / "X.npy", mmap_mode="r")
    if kind == "dask":
        array = pytest.importorskip("dask.array")
        return array.from_array(X, chunks=(37, 2))
    wrap = {"shelf": Shelf, "csr": csr_array, "matrix": csr_matrix, "list": np.asarray}
    return wrap[kind](X)
