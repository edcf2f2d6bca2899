"""Fits leave the caller's arrays as they are, and read any layout of them alike."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.linear_model import Lasso

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.design_preconditioner import DesignPreconditioner
from skloss.sparse.knockoff_selector import KnockoffSelector
from skloss.sparse.path import duality_gap, sparse_path
from skloss.sparse.preconditioned_lasso import PreconditionedLasso
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor import SparseRegressor
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV
from skloss.sparse.stability_selector import StabilitySelector
from skloss.sparse.subset_path import best_subset_path
from skloss.sparse.support_condition import random_support_condition

N, D = 40, 8
GROUPS = np.arange(D) // 2
ESTIMATORS = [
    SparseRegressor("l1", 0.1),
    SparseRegressor("elasticnet", 0.1),
    SparseRegressor("mcp", 0.1),
    SparseRegressor("scad", 0.1),
    SparseRegressor("group", 0.1, groups=GROUPS),
    SparseRegressor("sparse_group", 0.1, groups=GROUPS),
    SparseRegressor("sparse_envelope", 0.1, n_nonzero_coefs=2),
    SparseRegressor("slope", 0.1),
    SparseRegressorCV(alphas=5, cv=3),
    PreconditionedLasso(0.1, n_nonzero_coefs=2, random_state=0),
    PreconditionedLassoCV(alphas=5, cv=3, n_nonzero_coefs="cv", random_state=0),
    BestSubsetRegressor(2),
    BestSubsetRegressor(2, method="exact", l1_starts=True),
    BestSubsetRegressorCV(3, cv=3),
    StabilitySelector(n_pairs=5, random_state=0),
    StabilitySelector(Lasso(0.1), n_pairs=5, random_state=0),
    DesignPreconditioner(2, 0.9, random_state=0),
]
every_estimator = pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D)) * (rng.random((N, D)) < 0.6)
    return X, 2.0 * X[:, 0] - X[:, 3] + 0.1 * rng.standard_normal(N)


def in_parts(X, kind, *, writeable, seed=0):
    """X with each entry in two parts, out of order; and its buffers."""
    rng = np.random.default_rng(seed)
    rows, columns = (np.tile(at.astype(np.int32), 2) for at in np.nonzero(X))
    values = X[rows, columns] * np.repeat([0.25, 0.75], rows.size // 2)
    if kind == "coo":
        order = rng.permutation(rows.size)
        at = rows[order], columns[order]
        A = sparse.coo_array((values[order], at), shape=X.shape)
        buffers = [A.data, *A.coords]
    else:
        major, minor = (columns, rows) if kind == "csc" else (rows, columns)
        order = np.lexsort((rng.random(rows.size), major))
        lines = np.arange(X.shape[kind == "csc"] + 1)
        starts = np.searchsorted(major[order], lines).astype(np.int32)
        make = sparse.csc_array if kind == "csc" else sparse.csr_array
        A = make((values[order], minor[order], starts), shape=X.shape)
        buffers = [A.data, A.indices, A.indptr]
    for buffer in buffers:
        buffer.flags.writeable = writeable
    np.testing.assert_allclose(A.toarray(), X, rtol=1e-15)
    return A, buffers


def fitted(estimator):
    """What a fit found."""
    names = ("coef_", "selection_frequencies_", "scale_")
    return next(getattr(estimator, name) for name in names if hasattr(estimator, name))


def outputs(estimator, X):
    """What a fitted estimator makes of rows."""
    if hasattr(estimator, "predict"):
        return estimator.predict(X)
    out = estimator.transform(X)
    return out.toarray() if sparse.issparse(out) else out


@pytest.mark.parametrize("writeable", [True, False])
@pytest.mark.parametrize("kind", ["csc", "csr", "coo"])
@every_estimator
def test_entries_in_parts_and_out_of_order(data, estimator, kind, writeable):
    X, y = data
    dense = clone(estimator).fit(X, y)
    A, buffers = in_parts(X, kind, writeable=writeable)
    before = [buffer.copy() for buffer in buffers]
    model = clone(estimator).fit(A, y)
    np.testing.assert_allclose(fitted(model), fitted(dense), atol=1e-6)
    np.testing.assert_allclose(outputs(dense, A), outputs(dense, X), atol=1e-12)
    for buffer, was in zip(buffers, before):
        np.testing.assert_array_equal(buffer, was)


@pytest.mark.parametrize("form", [np.array, np.asfortranarray, sparse.csc_array])
@every_estimator
def test_arrays_that_cannot_be_written(data, estimator, form):
    """In order and in one piece, so that they are read where they are."""
    X, y = (given.copy() for given in data)
    A = form(X)
    sparse_parts = [A.data, A.indices, A.indptr] if sparse.issparse(A) else [A]
    for buffer in (*sparse_parts, y):
        buffer.flags.writeable = False
    options = {}
    if isinstance(estimator, (SparseRegressor, BestSubsetRegressor)):
        options["sample_weight"] = np.arange(N) % 3.0
        options["sample_weight"].flags.writeable = False
    model = clone(estimator).fit(A, y, **options)
    plain = clone(estimator).fit(*data, **options)
    np.testing.assert_allclose(fitted(model), fitted(plain), atol=1e-6)
    np.testing.assert_allclose(outputs(model, A), outputs(plain, X), atol=1e-5)


def test_knockoffs_of_arrays_that_cannot_be_written(data):
    X, y = (given.copy() for given in data)
    X.flags.writeable = y.flags.writeable = False
    model = KnockoffSelector(random_state=0).fit(X, y)
    plain = KnockoffSelector(random_state=0).fit(*data)
    np.testing.assert_array_equal(model.statistics_, plain.statistics_)


@pytest.mark.parametrize("kind", ["csc", "csr", "coo"])
def test_functions(data, kind):
    X, y = data
    coef = np.zeros(D)
    coef[0] = 1.9
    for use in (
        lambda X: sparse_path(X, y, n_alphas=4)[1],
        lambda X: duality_gap(X, y, coef, 0.1),
        lambda X: best_subset_path(X, y, 3)[1],
        lambda X: random_support_condition(X, 2, random_state=0),
    ):
        A, buffers = in_parts(X, kind, writeable=False)
        before = [buffer.copy() for buffer in buffers]
        np.testing.assert_allclose(use(A), use(X), atol=1e-6)
        for buffer, was in zip(buffers, before):
            np.testing.assert_array_equal(buffer, was)


def test_parts_whose_sum_is_not_a_number():
    """Each of them is one in float32."""
    values = np.array([3e38, 3e38, 1.0], dtype=np.float32)
    at = np.array([0, 0, 1]), np.array([0, 3])
    X = sparse.csc_array((values, *at), shape=(3, 1))
    with pytest.raises(ValueError, match="values in X are too large"):
        SparseRegressor().fit(X, [1.0, 2.0, 0.0])
