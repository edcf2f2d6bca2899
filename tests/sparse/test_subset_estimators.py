"""The estimators: what must hold of them, and what they refuse."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.utils.estimator_checks import parametrize_with_checks

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.subset_path import best_subset_path
from tests.sparse.subset_cases import correlated, objective

MODELS = [
    BestSubsetRegressor(),
    BestSubsetRegressor(l2=0.1, method="exact"),
    BestSubsetRegressor(positive=True),
    BestSubsetRegressor(l1_starts=True),
    BestSubsetRegressorCV(),
    BestSubsetRegressorCV(3, criterion="ebic", l2s=[0.0]),
]


@parametrize_with_checks(MODELS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def test_coefficients_are_those_of_least_squares_on_the_support():
    X, y = correlated(60, 20, 0)
    weight = np.random.RandomState(0).uniform(0.5, 2.0, 60)
    model = BestSubsetRegressor(4, random_state=0).fit(X, y, weight)
    chosen = model.get_support(indices=True)
    np.testing.assert_array_equal(chosen, model.support_)
    expected = LinearRegression().fit(X[:, chosen], y, weight)
    np.testing.assert_allclose(model.coef_[chosen], expected.coef_, rtol=1e-9)
    assert model.intercept_ == pytest.approx(expected.intercept_, rel=1e-9)
    residual = y - model.predict(X)
    assert model.rss_path_[-1] == pytest.approx(weight @ residual**2, rel=1e-10)


def test_all_columns_with_a_penalty_are_ridge_on_scaled_columns():
    X, y = correlated(60, 6, 0)
    Z = (X - X.mean(0)) / X.std(0)
    model = BestSubsetRegressor(6, l2=0.3).fit(X, y)
    expected = Ridge(alpha=0.3 * 60).fit(Z, y)
    np.testing.assert_allclose(model.coef_ * X.std(0), expected.coef_, rtol=1e-9)
    value = 0.5 * np.mean((y - expected.predict(Z)) ** 2)
    value += 0.15 * np.sum(expected.coef_**2)
    assert model.objective_ == pytest.approx(value, rel=1e-10)


@pytest.mark.parametrize("options", [{}, {"l2": 0.1}, {"positive": True}], ids=str)
def test_scaling_a_column_scales_its_coefficient(options):
    X, y = correlated(60, 20, 1)
    factors = 10.0 ** np.random.RandomState(0).uniform(-6, 6, 20)
    model = BestSubsetRegressor(4, random_state=0, **options).fit(X, y)
    scaled = BestSubsetRegressor(4, random_state=0, **options).fit(X * factors, y)
    np.testing.assert_array_equal(model.support_, scaled.support_)
    np.testing.assert_allclose(scaled.coef_ * factors, model.coef_, rtol=1e-7)
    np.testing.assert_allclose(scaled.predict(X * factors), model.predict(X), rtol=1e-7)


@pytest.mark.parametrize("options", [{}, {"l2": 0.1}, {"positive": True}], ids=str)
def test_integer_weights_repeat_rows(options):
    X, y = correlated(50, 20, 2)
    weight = np.random.RandomState(0).randint(0, 4, 50)
    rows = np.repeat(np.arange(50), weight)
    model = BestSubsetRegressor(4, random_state=0, **options).fit(X, y, weight)
    repeated = BestSubsetRegressor(4, random_state=0, **options).fit(X[rows], y[rows])
    np.testing.assert_allclose(model.coef_, repeated.coef_, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(model.rss_path_, repeated.rss_path_, rtol=1e-8)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("intercept", [True, False])
def test_sparse_data_give_the_dense_fit(container, intercept):
    random = np.random.RandomState(0)
    X = random.standard_normal((80, 30)) * (random.uniform(size=(80, 30)) < 0.3)
    y = X[:, :3] @ [1.0, -2.0, 1.0] + 5.0 + 0.5 * random.standard_normal(80)
    options = {"fit_intercept": intercept, "random_state": 0}
    dense = BestSubsetRegressor(4, **options).fit(X, y)
    model = BestSubsetRegressor(4, **options).fit(container(X), y)
    np.testing.assert_allclose(model.coef_, dense.coef_, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.predict(container(X)), dense.predict(X))
    expected = objective(X, y, model.support_, center=intercept)
    assert model.objective_ == pytest.approx(expected, rel=1e-9)


def test_float32_is_kept():
    X, y = correlated(60, 20, 0)
    single = BestSubsetRegressor(4, random_state=0).fit(X.astype(np.float32), y)
    double = BestSubsetRegressor(4, random_state=0).fit(X, y)
    assert single.coef_.dtype == single.predict(X.astype(np.float32)).dtype
    assert single.coef_.dtype == np.float32
    np.testing.assert_allclose(single.coef_, double.coef_, rtol=1e-4)


def test_first_of_equal_columns_is_chosen_and_constant_ones_never():
    X, y = correlated(60, 20, 0)
    best = BestSubsetRegressor(3, random_state=0).fit(X, y).support_
    double = np.column_stack([np.full(60, 7.3), X, X, np.zeros(60)])
    for container in (np.asarray, sparse.csc_array):
        model = BestSubsetRegressor(3, random_state=1).fit(container(double), y)
        np.testing.assert_array_equal(model.support_, best + 1)
    flipped = BestSubsetRegressor(3, random_state=1).fit(double[:, ::-1], y)
    assert (flipped.support_ < 21).all()


def test_constant_target_has_no_coefficients():
    X, _ = correlated(30, 5, 0)
    for model in (BestSubsetRegressor(2, method="exact"), BestSubsetRegressorCV(3)):
        model.fit(X, np.full(30, 0.1))
        assert not model.coef_.any()
        np.testing.assert_allclose(model.predict(X), 0.1, rtol=1e-14)


def test_exact_fit_stops_where_nothing_is_left():
    X, _ = correlated(50, 20, 0)
    y = 3.0 * X[:, 2] - X[:, 11]
    model = BestSubsetRegressor(5, method="exact").fit(X, y)
    assert {2, 11} <= set(model.support_)
    np.testing.assert_allclose(model.predict(X), y, atol=1e-8)


def test_positive_coefficients_are_positive_and_groups_whole():
    X, y = correlated(60, 12, 0)
    assert (BestSubsetRegressor(6, positive=True).fit(X, y).coef_ >= 0).all()
    groups = np.array([5, 5, 5, 1, 1, 1, 8, 8, 8, 2, 2, 2])
    model = BestSubsetRegressor(2, groups=groups).fit(X, y)
    assert len(model.support_) == 6
    assert len(np.unique(groups[model.support_])) == 2


def test_starts_of_the_caller_are_used():
    X, y = correlated(100, 700, 0, rho=0.97)
    plain = BestSubsetRegressor(6).fit(X, y)
    many = BestSubsetRegressor(6, n_starts=40, random_state=0).fit(X, y)
    given = BestSubsetRegressor(6, starts=[many.support_]).fit(X, y)
    assert given.objective_ <= many.objective_ * (1 + 1e-9)
    assert many.objective_ <= plain.objective_ * (1 + 1e-9)


def test_fits_are_the_same_for_the_same_seed():
    X, y = correlated(60, 40, 0, rho=0.99)
    first, second = (
        BestSubsetRegressor(6, random_state=3).fit(X, y).coef_ for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_path_is_that_of_the_estimator():
    X, y = correlated(60, 15, 0)
    sizes, coefs, rss = best_subset_path(X, y, 5, random_state=0)
    np.testing.assert_array_equal(sizes, np.arange(1, 6))
    np.testing.assert_array_equal(np.count_nonzero(coefs, axis=0), sizes)
    for k in sizes:
        model = BestSubsetRegressor(int(k), fit_intercept=False, random_state=0)
        model.fit(X, y)
        np.testing.assert_allclose(coefs[:, k - 1], model.coef_, rtol=1e-9)
        assert rss[k - 1] == pytest.approx(np.sum((y - X @ coefs[:, k - 1]) ** 2))


def test_choice_is_that_of_a_grid_search():
    X, y = load_diabetes(return_X_y=True)
    cv, l2s = KFold(4), [0.0, 0.02, 0.2]
    model = BestSubsetRegressorCV(6, l2s=l2s, cv=cv, random_state=0).fit(X, y)
    grid = {"n_nonzero_coefs": range(1, 7), "l2": l2s}
    search = GridSearchCV(
        BestSubsetRegressor(random_state=0),
        grid,
        cv=cv,
        scoring="neg_mean_squared_error",
    ).fit(X, y)
    found = -search.cv_results_["mean_test_score"].reshape(3, 6)
    np.testing.assert_allclose(model.criterion_path_, found, rtol=1e-9)
    assert model.n_nonzero_coefs_ == search.best_params_["n_nonzero_coefs"]
    assert model.l2_ == search.best_params_["l2"]
    np.testing.assert_allclose(model.coef_, search.best_estimator_.coef_, rtol=1e-9)


def test_one_standard_error_gives_fewer_columns():
    X, y = correlated(60, 20, 3)
    best = BestSubsetRegressorCV(8, random_state=0).fit(X, y)
    small = BestSubsetRegressorCV(8, random_state=0, one_se=True).fit(X, y)
    at = np.unravel_index(best.criterion_path_.argmin(), best.criterion_path_.shape)
    errors = best.mse_path_[at]
    limit = errors.mean() + errors.std(ddof=1) / np.sqrt(5)
    within = (best.criterion_path_ <= limit).any(axis=0)
    assert small.n_nonzero_coefs_ == np.flatnonzero(within)[0] + 1
    assert small.n_nonzero_coefs_ < best.n_nonzero_coefs_


@pytest.mark.parametrize("criterion", ["bic", "ebic"])
def test_information_criteria_are_their_formulas(criterion):
    from math import comb, log

    X, y = load_diabetes(return_X_y=True)
    n = len(y)
    model = BestSubsetRegressorCV(5, criterion=criterion, l2s=[0.0]).fit(X, y)
    for k in range(1, 6):
        residuals = BestSubsetRegressor(k).fit(X, y).rss_path_[-1]
        expected = n * log(residuals / n) + k * log(n)
        expected += 2 * log(comb(10, k)) if criterion == "ebic" else 0.0
        assert model.criterion_path_[0, k - 1] == pytest.approx(expected, rel=1e-9)


def test_number_of_jobs_changes_nothing():
    X, y = correlated(60, 30, 0)
    fits = [
        BestSubsetRegressorCV(5, cv=3, n_jobs=n_jobs, random_state=0).fit(X, y)
        for n_jobs in (None, 2)
    ]
    np.testing.assert_array_equal(fits[0].mse_path_, fits[1].mse_path_)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_nonzero_coefs": 0}, "n_nonzero_coefs"),
        ({"n_nonzero_coefs": 11}, "n_nonzero_coefs must be an integer from 1 to 10"),
        ({"n_nonzero_coefs": True}, "n_nonzero_coefs"),
        ({"l2": -1.0}, "l2"),
        ({"n_starts": -1}, "n_starts"),
        ({"method": "fast"}, "method"),
        ({"groups": [0, 1]}, "groups must have one label for each of the 10"),
        ({"groups": np.linspace(0, 1, 10)}, "groups must be integers"),
        ({"starts": [[0, 10]]}, "starts must hold lists of integers from 0 to 9"),
        ({"time_limit": -1.0}, "time_limit"),
    ],
)
def test_bad_parameters_are_named(options, message):
    X, y = correlated(30, 10, 0)
    with pytest.raises(ValueError, match=message):
        BestSubsetRegressor(**options).fit(X, y)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_features": 0}, "max_features"),
        ({"l2s": [-0.1]}, "l2s must be finite numbers of at least 0"),
        ({"criterion": "aic"}, "criterion"),
        ({"cv": [(np.arange(30), [])]}, "no fold with test rows"),
        ({"cv": [([0], np.arange(1, 30))]}, "fewer than 2 training rows"),
    ],
)
def test_bad_parameters_of_the_search_are_named(options, message):
    X, y = correlated(30, 10, 0)
    with pytest.raises(ValueError, match=message):
        BestSubsetRegressorCV(**options).fit(X, y)


@pytest.mark.parametrize("weight", [np.zeros(30), -np.ones(30)])
def test_bad_weights_are_refused(weight):
    X, y = correlated(30, 10, 0)
    with pytest.raises(ValueError, match="weight"):
        BestSubsetRegressor(2).fit(X, y, weight)
    with pytest.raises(ValueError, match="max_features"):
        best_subset_path(X, y, 11)
