"""Models, data and references of the tests of streams."""

import numpy as np
from sklearn.linear_model import Ridge

from skloss.random_features import RandomFeatureRidge

RNG = np.random.default_rng(7)
X = RNG.normal(size=(200, 4))
Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1], X[:, 2] ** 2 + 3.0])
WEIGHT = RNG.uniform(0, 2, 200)
WEIGHT[::17] = 0.0


def model_of(n_components=30, **options):
    options = {"gamma": 0.3, "bias": 0.5, "alpha": 0.1, "random_state": 0, **options}
    return RandomFeatureRidge(n_components, **options)


def from_scratch(rows=slice(None), weight=WEIGHT, y=Y, **options):
    """The ridge of scikit-learn on the features of some rows."""
    features = model_of(**options).partial_fit(X, y).random_features_
    intercept = options.get("fit_intercept", True)
    ridge = Ridge(options.get("alpha", 0.1), fit_intercept=intercept, solver="svd")
    weight = None if weight is None else weight[rows]
    return ridge.fit(features.transform(X[rows]), y[rows], weight)


def is_the_model(model, expected, n_rows=None, tol=1e-8):
    np.testing.assert_allclose(model.coef_, expected.coef_, rtol=tol, atol=tol)
    np.testing.assert_allclose(
        model.intercept_, expected.intercept_, rtol=tol, atol=tol
    )
    if n_rows is not None:
        assert model.n_samples_seen_ == n_rows


def blocks_of(weighted=True):
    for start in range(0, 200, 30):
        rows = slice(start, start + 30)
        yield (X[rows], Y[rows], WEIGHT[rows]) if weighted else (X[rows], Y[rows])
