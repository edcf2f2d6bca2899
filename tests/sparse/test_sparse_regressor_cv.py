"""The strength chosen by folds: against brute force and scikit-learn's own searches."""

import warnings

import numpy as np
import pytest
from joblib import parallel_backend
from scipy import sparse
from sklearn.callback import ScoringMonitor
from sklearn.linear_model import ElasticNetCV, LassoCV, LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit
from sklearn.utils.estimator_checks import parametrize_with_checks

from skloss.sparse import SparseRegressor, SparseRegressorCV


# Several ratios, one standard error, refits and penalties of the whole vector take
# ways of their own; other penalties differ only in what a single fit does.
@parametrize_with_checks(
    [
        SparseRegressorCV("elasticnet", alphas=4, l1_ratio=[0.5, 0.9], cv=3),
        SparseRegressorCV("mcp", alphas=4, cv=3, one_se=True, positive=True),
        SparseRegressorCV(alphas=4, cv=3, relax=True),
        SparseRegressorCV("slope", alphas=3, cv=3),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_lasso_cv(data, fit_intercept, weighted):
    X, y = data
    weight = np.random.default_rng(1).uniform(size=120) if weighted else None
    ours = SparseRegressorCV(fit_intercept=fit_intercept, tol=1e-12)
    other = LassoCV(alphas=100, fit_intercept=fit_intercept, tol=1e-12, max_iter=10**6)
    ours.fit(X, y, weight)
    other.fit(X, y, weight)
    np.testing.assert_allclose(ours.alphas_, other.alphas_, rtol=1e-10)
    np.testing.assert_allclose(ours.mse_path_, other.mse_path_, rtol=1e-7)
    assert ours.alpha_ == pytest.approx(other.alpha_)
    np.testing.assert_allclose(ours.coef_, other.coef_, atol=1e-8)


def test_elastic_net_cv_with_several_ratios(data):
    X, y = data
    ratios, cv = [0.1, 0.5, 0.95], KFold(4, shuffle=True, random_state=0)
    options = {"alphas": 30, "l1_ratio": ratios, "cv": cv}
    ours = SparseRegressorCV("elasticnet", tol=1e-12, **options).fit(X, y)
    other = ElasticNetCV(tol=1e-12, max_iter=10**6, **options).fit(X, y)
    np.testing.assert_allclose(ours.alphas_, other.alphas_, rtol=1e-10)
    np.testing.assert_allclose(ours.mse_path_, other.mse_path_, rtol=1e-6)
    assert ours.l1_ratio_ == other.l1_ratio_
    assert ours.alpha_ == pytest.approx(other.alpha_)


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": "l1"},
        {"penalty": "l1", "positive": True},
        {"penalty": "elasticnet", "l1_ratio": 0.7},
    ],
)
def test_grid_search_finds_the_same(data, options):
    X, y = data
    cv = KFold(5, shuffle=True, random_state=1)
    search = SparseRegressorCV(**options, alphas=15, cv=cv, tol=1e-10).fit(X, y)
    general = GridSearchCV(
        SparseRegressor(**options, tol=1e-10),
        {"alpha": search.alphas_},
        cv=cv,
        scoring="neg_mean_squared_error",
    ).fit(X, y)
    scores = -general.cv_results_["mean_test_score"]
    np.testing.assert_allclose(search.mse_path_.mean(axis=1), scores, rtol=1e-7)
    assert general.best_params_["alpha"] == search.alpha_


def test_folds_that_are_no_partition(data):
    X, y = data
    cv = list(ShuffleSplit(3, train_size=0.5, test_size=0.2, random_state=0).split(X))
    search = SparseRegressorCV(alphas=[1.0, 0.1], cv=cv, tol=1e-12).fit(X, y)
    for f, (train, test) in enumerate(cv):
        for a, alpha in enumerate(search.alphas_):
            fold = SparseRegressor(alpha=alpha, tol=1e-12).fit(X[train], y[train])
            error = np.mean((y[test] - fold.predict(X[test])) ** 2)
            assert search.mse_path_[a, f] == pytest.approx(error, rel=1e-8)


def test_columns_that_vary_in_some_folds_only(data):
    X, y = data
    X = np.hstack([X, np.zeros((120, 2))])
    X[:10, 30], X[:, 31] = 1.0, 7.0
    free = np.ones(32)
    free[[30, 31]] = 0.0
    cv = KFold(12)
    for rows in (X, sparse.csc_array(X)):
        search = SparseRegressorCV(
            alphas=[0.5, 0.01], cv=cv, feature_weights=free, tol=1e-12
        ).fit(rows, y)
        train, test = next(cv.split(X))  # column 30 is constant there
        fold = SparseRegressor(alpha=0.5, tol=1e-12).fit(X[train, :30], y[train])
        error = np.mean((y[test] - fold.predict(X[test, :30])) ** 2)
        assert search.mse_path_[0, 0] == pytest.approx(error, rel=1e-8)


def test_one_standard_error(data):
    X, y = data
    best = SparseRegressorCV().fit(X, y)
    careful = SparseRegressorCV(one_se=True).fit(X, y)
    mean = best.mse_path_.mean(axis=1)
    at = mean.argmin()
    limit = mean[at] + best.mse_path_[at].std(ddof=1) / np.sqrt(5)
    assert careful.alpha_ == best.alphas_[np.flatnonzero(mean <= limit)[0]]
    assert careful.get_support().sum() < best.get_support().sum()


def test_relaxed_fits_are_least_squares(data):
    X, y = data
    search = SparseRegressorCV(relax=True).fit(X, y)
    support = search.get_support(indices=True)
    refit = LinearRegression().fit(X[:, support], y)
    np.testing.assert_allclose(search.coef_[support], refit.coef_, atol=1e-8)
    assert search.intercept_ == pytest.approx(refit.intercept_, abs=1e-6)
    train, test = next(KFold(5).split(X))
    fold = SparseRegressor(alpha=search.alphas_[40]).fit(X[train], y[train])
    support = fold.get_support()
    refit = LinearRegression().fit(X[train][:, support], y[train])
    error = np.mean((y[test] - refit.predict(X[test][:, support])) ** 2)
    assert search.mse_path_[40, 0] == pytest.approx(error, rel=1e-6)


def test_jobs_change_nothing(data):
    X, y = data
    one = SparseRegressorCV(alphas=20).fit(X, y)
    for backend in ("loky", "threading"):
        with parallel_backend(backend):
            two = SparseRegressorCV(alphas=20, n_jobs=2).fit(X, y)
        np.testing.assert_allclose(two.mse_path_, one.mse_path_, rtol=1e-5)
        np.testing.assert_allclose(two.coef_, one.coef_, atol=1e-9)


def test_the_path_is_kept(data):
    X, y = data
    search = SparseRegressorCV(alphas=8, eps=0.01).fit(X, y)
    assert search.coefs_path_.shape == (30, 8)
    column = search.coefs_path_[:, [search.best_index_]].toarray().ravel()
    np.testing.assert_allclose(column, search.coef_, atol=1e-4)
    assert search.coefs_path_[:, [0]].nnz == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": [-1.0, 1.0]}, "alphas must be finite numbers of at least 0"),
        ({"alphas": []}, "alphas"),
        ({"alphas": 0}, "alphas"),
        ({"eps": 1.0}, "eps"),
        ({"penalty": "elasticnet", "l1_ratio": [0.5, 2.0]}, "l1_ratio must be"),
        ({"cv": [(np.arange(10), np.array([500]))]}, "cv names rows"),
    ],
)
def test_bad_parameters(data, options, message):
    with pytest.raises(ValueError, match=message):
        SparseRegressorCV(**options).fit(*data)


def test_folds_without_weight(data):
    X, y = data
    weight = np.ones(120)
    weight[:24] = 0.0
    search = SparseRegressorCV(alphas=5).fit(X, y, weight)
    assert search.mse_path_.shape == (5, 4)
    with pytest.raises(ValueError, match="fewer than 2 training rows"):
        cv = [(np.arange(24), np.arange(24, 120))]
        SparseRegressorCV(alphas=5, cv=cv).fit(X, y, weight)


@pytest.mark.parametrize("value", [0.1, 1e10, 0.0])
def test_constant_target_in_some_folds(value):
    X = np.random.default_rng(0).normal(size=(10, 3))
    y = np.full(10, value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SparseRegressorCV(alphas=10).fit(X, y)
    np.testing.assert_array_equal(model.coef_, 0)
    assert model.intercept_ == value
    y[:2] = value + 1  # constant on the training rows of one fold
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = SparseRegressorCV(alphas=10).fit(X, y)
    np.testing.assert_allclose(model.mse_path_[:, 0], 1.0, rtol=1e-6)


@pytest.mark.parametrize("l1_ratio", [0.5, [0.3, 0.9]], ids=str)
def test_callbacks_score_the_fit(data, l1_ratio, capsys):
    X, y = data
    monitor = ScoringMonitor(scoring="r2")
    model = SparseRegressorCV("elasticnet", alphas=6, l1_ratio=l1_ratio, verbose=1)
    model.set_callbacks(monitor).fit(X, y)
    (row,) = monitor.get_logs().data  # there is no model before the last choice
    assert row["task_name"] == "fit"
    np.testing.assert_allclose(row["r2"], model.score(X, y))
    n = 6 * np.size(l1_ratio)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        f"[SparseRegressorCV] alpha {i}/{n}" for i in range(1, n + 1)
    ]


class _Stop:
    """Ask to stop after some subtasks."""

    def __init__(self, after):
        self.after = after

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        if context.task_name == "alpha":
            self.after -= 1
        return self.after <= 0

    def teardown(self, estimator, context):
        pass


def test_a_stopped_path_is_chosen_from(data):
    X, y = data
    model = SparseRegressorCV("elasticnet", alphas=12, l1_ratio=[0.5, 0.9])
    whole = SparseRegressorCV("elasticnet", alphas=12, l1_ratio=[0.5]).fit(X, y)
    model.set_callbacks(_Stop(3)).fit(X, y)
    assert model.mse_path_.shape == (1, 3, 5)
    np.testing.assert_allclose(model.mse_path_, whole.mse_path_[:, :3], rtol=1e-5)
    assert model.alpha_ == pytest.approx(whole.alphas_[0, 2])
