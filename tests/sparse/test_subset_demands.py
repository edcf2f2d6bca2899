"""What must hold of best subsets at the edges: scales, ranks, ties, odd data."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.subset_path import best_subset_path
from tests.sparse.subset_cases import correlated, enumerated, objective

METHODS = ["search", "exact"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("l2", [0.0, 0.5])
def test_orthonormal_columns_are_cut_and_shrunk(method, l2):
    random = np.random.RandomState(0)
    Q = np.linalg.qr(random.standard_normal((60, 12)))[0]
    y = random.standard_normal(60)
    model = BestSubsetRegressor(4, method=method, l2=l2, fit_intercept=False)
    products = Q.T @ y
    kept = np.abs(products) >= np.sort(np.abs(products))[-4]
    np.testing.assert_allclose(model.fit(Q, y).coef_, kept * products / (1 + l2))


@pytest.mark.parametrize("x_scale", [1e-150, 1e140])
@pytest.mark.parametrize("y_scale", [1e-150, 1e140])
@pytest.mark.parametrize("options", [{}, {"positive": True}, {"method": "exact"}])
def test_units_may_be_tiny_or_huge(x_scale, y_scale, options):
    X, y = correlated(50, 15, 0)
    plain = BestSubsetRegressor(3, random_state=0, **options).fit(X, y)
    scaled = BestSubsetRegressor(3, random_state=0, **options)
    scaled.fit(X * x_scale, y * y_scale)
    np.testing.assert_array_equal(scaled.support_, plain.support_)
    np.testing.assert_allclose(scaled.coef_ * x_scale, plain.coef_ * y_scale, rtol=1e-7)
    np.testing.assert_allclose(
        scaled.predict(X * x_scale), plain.predict(X) * y_scale, rtol=1e-7
    )


def test_values_whose_squares_overflow_are_refused():
    X, y = correlated(50, 15, 0)
    with pytest.raises(ValueError, match="values in X are too large"):
        BestSubsetRegressor(3).fit(X * 1e150, y)
    with pytest.raises(ValueError, match="values in y are too large"):
        BestSubsetRegressor(3).fit(X, y * 1e150)


def test_means_far_from_zero_cost_few_digits():
    X, y = correlated(60, 20, 0)
    plain = BestSubsetRegressor(4, random_state=0).fit(X, y)
    moved = BestSubsetRegressor(4, random_state=0).fit(X + 1e6, y - 1e6)
    np.testing.assert_array_equal(moved.support_, plain.support_)
    np.testing.assert_allclose(moved.coef_, plain.coef_, rtol=1e-6)
    np.testing.assert_allclose(moved.predict(X + 1e6) + 1e6, plain.predict(X), 1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_constant_and_equal_columns(method):
    X, y = correlated(40, 8, 0)
    expected = BestSubsetRegressor(2, method=method).fit(X, y)
    wide = np.column_stack([np.full(40, 1e9), X, X[:, ::-1], np.full(40, 0.1)])
    model = BestSubsetRegressor(2, method=method, random_state=0).fit(wide, y)
    np.testing.assert_array_equal(model.support_, expected.support_ + 1)
    np.testing.assert_allclose(model.coef_[1:9], expected.coef_, rtol=1e-8)
    assert np.isfinite(model.coef_).all()


@pytest.mark.parametrize("method", METHODS)
def test_all_columns_constant(method):
    y = np.random.RandomState(0).standard_normal(20)
    X = np.tile([3.0, -1.0, 0.1], (20, 1))
    model = BestSubsetRegressor(2, method=method).fit(X, y)
    np.testing.assert_array_equal(model.coef_, 0.0)
    assert len(model.support_) == 0
    np.testing.assert_allclose(model.predict(X), y.mean())


def test_more_columns_wanted_than_independent_ones():
    X, y = correlated(40, 6, 0)
    X = np.column_stack([X[:, :3], X[:, :3] @ np.ones((3, 4))])
    model = BestSubsetRegressor(6).fit(X, y)
    assert len(model.support_) == 3
    np.testing.assert_allclose(model.objective_, objective(X, y, [0, 1, 2]))


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize(
    "options", [{"positive": True}, {"groups": np.arange(10) // 2}]
)
def test_sparse_data_with_weights_signs_and_groups(container, options):
    random = np.random.RandomState(0)
    X = random.standard_normal((60, 10)) * (random.uniform(size=(60, 10)) < 0.4)
    y = X[:, :3] @ [1.0, 2.0, 1.0] + 0.3 * random.standard_normal(60)
    weight = random.randint(0, 3, 60)
    dense = BestSubsetRegressor(2, **options).fit(X, y, weight)
    model = BestSubsetRegressor(2, **options).fit(container(X), y, weight)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-9, atol=1e-12)
    lowest = enumerated(X, y, 2, weight=weight, **options)
    assert model.objective_ == pytest.approx(lowest, rel=1e-9)


def test_positive_coefficients_are_those_of_scipy():
    X, y = correlated(60, 12, 1)
    model = BestSubsetRegressor(5, positive=True).fit(X, y)
    chosen = model.support_
    assert (model.coef_[chosen] > 0).all()
    centred = X[:, chosen] - X[:, chosen].mean(0)
    expected = nnls(centred, y - y.mean())[0]
    np.testing.assert_allclose(model.coef_[chosen], expected, rtol=1e-8)


def test_float32_of_large_mean():
    X, y = correlated(60, 12, 1)
    X = (X + 100).astype(np.float32)
    single = BestSubsetRegressor(3, random_state=0).fit(X, y.astype(np.float32))
    double = BestSubsetRegressor(3, random_state=0).fit(X.astype(np.float64), y)
    assert single.coef_.dtype == np.float32
    np.testing.assert_array_equal(single.support_, double.support_)
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-4)


@pytest.mark.parametrize("order", ["C", "F"])
def test_data_are_left_as_they_were(order):
    X, y = correlated(60, 12, 1)
    X, weight = np.array(X, order=order), np.arange(60.0)
    before = X.copy(), y.copy(), weight.copy()
    for array in (X, y, weight):
        array.flags.writeable = False
    BestSubsetRegressor(3, method="exact").fit(X, y, weight)
    for array, copy in zip((X, y, weight), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_more_wanted_than_rows_allow():
    X, y = correlated(6, 20, 0)
    with pytest.raises(
        ValueError, match="n_nonzero_coefs must be an integer from 1 to 5"
    ):
        BestSubsetRegressor(6).fit(X, y)
    assert len(BestSubsetRegressor(5).fit(X, y).support_) <= 5
    weight = np.array([1, 1, 1, 0, 0, 0])
    with pytest.raises(ValueError, match="from 1 to 2"):
        BestSubsetRegressor(3).fit(X, y, weight)


@pytest.mark.parametrize("model", [BestSubsetRegressor(1), BestSubsetRegressorCV(1)])
def test_one_row_is_refused(model):
    with pytest.raises(ValueError, match=r"1 sample|minimum of 2"):
        model.fit([[1.0, 2.0]], [1.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("which", ["X", "y"])
def test_numbers_that_are_not_finite_are_refused(bad, which):
    X, y = correlated(20, 4, 0)
    (X if which == "X" else y).flat[3] = bad
    with pytest.raises(ValueError, match=rf"{which} contains (NaN|infinity)"):
        BestSubsetRegressor(2).fit(X, y)
    with pytest.raises(ValueError, match=rf"{which} contains (NaN|infinity)"):
        best_subset_path(X, y, 2)


@pytest.mark.parametrize("patience", [-1, 1.5, "long"])
def test_bad_patience_is_named(patience):
    X, y = correlated(20, 4, 0)
    for kind in (BestSubsetRegressor, BestSubsetRegressorCV):
        with pytest.raises(ValueError, match="patience"):
            kind(patience=patience).fit(X, y)
