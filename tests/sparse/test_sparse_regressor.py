"""One strength of the penalty against built-in models, a conic solver, closed forms."""

import pickle
import warnings

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import parametrize_with_checks

from skloss.sparse import SparseRegressor, duality_gap, sparse_path


class GroupedByPairs(SparseRegressor):
    """Groups for any number of columns, as scikit-learn's checks use many."""

    def fit(self, X, y, sample_weight=None):
        given = self.groups
        shape = X.shape if hasattr(X, "shape") else np.asarray(X).shape
        self.groups = np.arange((shape or (1,))[-1]) // 2
        try:
            return super().fit(X, y, sample_weight)
        finally:
            self.groups = given


# One for each solver, constraints with the penalty that they do most to.
@parametrize_with_checks(
    [
        SparseRegressor(alpha=0.1),
        SparseRegressor("mcp", alpha=0.1, positive=True),
        SparseRegressor("slope", alpha=0.1),
        SparseRegressor("sparse_envelope", alpha=0.1, n_nonzero_coefs=1),
        GroupedByPairs("group", alpha=0.1),
        GroupedByPairs("sparse_group", alpha=0.1, positive=True),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 1.0])
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
def test_lasso(data, alpha, positive, fit_intercept, weighted):
    X, y = data
    weight = np.random.default_rng(1).uniform(size=120) if weighted else None
    options = {"alpha": alpha, "positive": positive, "fit_intercept": fit_intercept}
    ours = SparseRegressor(**options, tol=1e-12).fit(X, y, weight)
    other = Lasso(**options, tol=1e-12, max_iter=10**6).fit(X, y, weight)
    np.testing.assert_allclose(ours.coef_, other.coef_, atol=1e-7)
    assert ours.intercept_ == pytest.approx(other.intercept_, abs=1e-6)
    assert ours.dual_gap_ <= 1e-12 * y.var()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 0.9, 1.0])
def test_elastic_net(data, l1_ratio):
    X, y = data
    ours = SparseRegressor("elasticnet", alpha=0.3, l1_ratio=l1_ratio).fit(X, y)
    if l1_ratio == 0:
        other = Ridge(alpha=0.3 * len(y), tol=1e-14).fit(X, y)
    else:
        other = ElasticNet(0.3, l1_ratio=l1_ratio, tol=1e-13, max_iter=10**6).fit(X, y)
    np.testing.assert_allclose(ours.coef_, other.coef_, atol=1e-7)
    assert ours.intercept_ == pytest.approx(other.intercept_, abs=1e-6)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.4, 1.0])
def test_feature_weights_against_a_conic_solver(data, positive, l1_ratio):
    X, y = data
    v = np.random.default_rng(2).uniform(0, 3, size=30)
    v[[0, 5]] = 0.0
    alpha = 0.5
    model = SparseRegressor(
        "elasticnet",
        alpha=alpha,
        l1_ratio=l1_ratio,
        feature_weights=v,
        positive=positive,
        tol=1e-12,
    ).fit(X, y)
    w, b = cp.Variable(30, nonneg=positive), cp.Variable()
    penalty = l1_ratio * cp.sum(cp.multiply(v, cp.abs(w)))
    penalty += (1 - l1_ratio) / 2 * cp.sum_squares(w)
    objective = cp.sum_squares(y - b - X @ w) / (2 * len(y)) + alpha * penalty
    optimum = cp.Problem(cp.Minimize(objective)).solve(
        solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11
    )
    assert model.objective_ == pytest.approx(optimum, rel=1e-8)
    assert model.dual_gap_ <= 1e-12 * y.var()
    if positive:
        assert model.coef_.min() >= 0


def test_orthonormal_columns_have_a_closed_form():
    rng = np.random.default_rng(3)
    Q = np.linalg.qr(rng.normal(size=(50, 10)))[0] * np.sqrt(50)
    y = Q @ rng.normal(size=10) + 0.1 * rng.normal(size=50)
    z, alpha, gamma = Q.T @ y / 50, 0.4, 3.0
    soft = np.sign(z) * np.maximum(np.abs(z) - alpha, 0)
    expected = {
        "l1": soft,
        "elasticnet": np.sign(z)
        * np.maximum(np.abs(z) - alpha / 2, 0)
        / (1 + alpha / 2),
        "mcp": np.where(np.abs(z) <= gamma * alpha, soft / (1 - 1 / gamma), z),
        "scad": np.where(
            np.abs(z) <= 2 * alpha,
            soft,
            np.where(
                np.abs(z) <= gamma * alpha,
                ((gamma - 1) * z - np.sign(z) * gamma * alpha) / (gamma - 2),
                z,
            ),
        ),
    }
    for name, coef in expected.items():
        model = SparseRegressor(name, alpha, gamma=gamma, fit_intercept=False)
        np.testing.assert_allclose(model.fit(Q, y).coef_, coef, atol=1e-6)
        model.set_params(positive=True).fit(Q, y)
        np.testing.assert_allclose(model.coef_, np.maximum(coef, 0), atol=1e-6)


@pytest.mark.parametrize("penalty", ["mcp", "scad"])
def test_concave_penalties_become_the_lasso(data, penalty):
    X, y = data
    model = SparseRegressor(penalty, alpha=0.2, gamma=1e9).fit(X, y)
    lasso = Lasso(alpha=0.2, tol=1e-12, max_iter=10**6).fit(X, y)
    np.testing.assert_allclose(model.coef_, lasso.coef_, atol=1e-6)


@pytest.mark.parametrize("penalty", ["mcp", "scad"])
@pytest.mark.parametrize("positive", [False, True])
def test_concave_solutions_are_stationary(data, penalty, positive):
    X, y = data
    alpha, gamma = 0.1, 3.0
    model = SparseRegressor(penalty, alpha, gamma=gamma, positive=positive).fit(X, y)
    g = X.T @ (model.predict(X) - y) / len(y)
    w = np.abs(model.coef_)
    slope = np.maximum(alpha - w / gamma, 0)
    if penalty == "scad":
        slope = np.clip((gamma * alpha - w) / (gamma - 1), 0, alpha)
    at_zero = np.maximum((-g if positive else np.abs(g)) - alpha, 0)
    violation = np.where(w > 0, np.abs(g + slope * np.sign(model.coef_)), at_zero)
    assert violation.max() <= 1e-4 * alpha
    assert model.kkt_violation_ == pytest.approx(violation.max(), abs=1e-9)
    if positive:
        assert model.coef_.min() >= 0 and (g[w == 0] > alpha).any()
    else:
        assert set(model.get_support(indices=True)) >= {2, 7, 20}


@pytest.mark.parametrize("penalty", ["mcp", "scad"])
def test_concave_and_positive_against_brute_force(penalty):
    """Two coefficients: the global minimum on a fine grid, and where it is."""
    rng = np.random.default_rng(8)
    X = rng.normal(size=(40, 2)) @ [[1.0, 0.3], [0.0, 1.0]]
    alpha, gamma = 0.3, 3.5
    for truth in ([1.0, 0.4], [0.5, -1.0], [-1.0, -0.5]):
        y = X @ truth + 0.3 * rng.normal(size=40)
        model = SparseRegressor(
            penalty, alpha, gamma=gamma, positive=True, fit_intercept=False
        ).fit(X, y)
        grid = np.linspace(0, 2, 801)
        if penalty == "mcp":
            t = np.minimum(grid, gamma * alpha)
            cost = alpha * t - t**2 / (2 * gamma)
        else:
            steps = np.clip((gamma * alpha - grid) / (gamma - 1), 0, alpha)
            cost = np.append(0, np.cumsum((steps[1:] + steps[:-1]) / 2)) * grid[1]
        G, c = X.T @ X / 40, X.T @ y / 40
        one, two = np.meshgrid(grid, grid, indexing="ij")
        values = (
            (G[0, 0] * one**2 + 2 * G[0, 1] * one * two + G[1, 1] * two**2) / 2
            - c[0] * one
            - c[1] * two
            + cost[:, None]
            + cost
        )
        i, j = np.unravel_index(np.argmin(values), values.shape)
        np.testing.assert_allclose(model.coef_, [grid[i], grid[j]], atol=3e-3)


def test_concave_and_positive_with_a_free_feature(data):
    """A feature that is not penalised must be of the right sign all the same."""
    X, y = data
    free = np.ones(30)
    free[[2, 7]] = 0.0
    for sign in (1, -1):
        model = SparseRegressor("mcp", 0.5, feature_weights=free, positive=True)
        model.fit(X, sign * y)
        assert model.coef_.min() >= 0
        g = X.T @ (model.predict(X) - sign * y) / len(y)
        used = model.coef_[[2, 7]] > 0
        assert np.abs(g[[2, 7]][used]).max(initial=0) <= 1e-6
        assert g[[2, 7]].min() >= -1e-6


@pytest.mark.parametrize("groups", [None, np.arange(30) // 3])
@pytest.mark.parametrize("alike", [0.0, 0.99])
def test_first_strength_of_the_envelope_leaves_little(data, groups, alike):
    """A tenth of what the best step along the k largest gradients gains, by hand."""
    X, y = data
    X = (1 - alike) * X + alike * X.mean(axis=1, keepdims=True)
    y, k = y - y.mean(), 4
    options = {"penalty": "sparse_envelope", "n_nonzero_coefs": k, "groups": groups}
    alphas, *_ = sparse_path(X, y, n_alphas=1, tol=1e-10, **options)
    u = X.T @ y / len(y)
    labels = np.arange(30) if groups is None else groups
    sizes = np.bincount(labels, u**2)
    d = np.where(np.isin(labels, np.argsort(sizes)[-k:]), u, 0.0)
    unpenalised = (u @ d) ** 2 / (2 * np.mean((X @ d) ** 2))
    model = SparseRegressor(
        "sparse_envelope", alphas[0], n_nonzero_coefs=k, groups=groups
    ).fit(X - X.mean(axis=0), y)
    gained = np.mean(y**2) / 2 - model.objective_
    assert 0 < gained <= 0.1 * unpenalised * (1 + 1e-6)
    at_zero = duality_gap(X, y, np.zeros(30), alphas[0], **options)
    assert at_zero == pytest.approx(0.1 * unpenalised, rel=1e-9)
    larger, *_ = sparse_path(3 * X, 5 * y, n_alphas=1, **options)
    assert larger[0] == pytest.approx(9 * alphas[0], rel=1e-9)


def test_no_penalty_is_least_squares(data):
    X, y = data
    expected = LinearRegression().fit(X, y)
    for model in (
        SparseRegressor(alpha=0),
        SparseRegressor(alpha=5.0, feature_weights=np.zeros(30)),
    ):
        model.fit(X, y)
        np.testing.assert_allclose(model.coef_, expected.coef_, atol=1e-9)
        assert model.intercept_ == pytest.approx(expected.intercept_, abs=1e-7)


@pytest.mark.parametrize("far", [1e3, 1e7])
def test_columns_far_from_zero_lose_nothing(data, far):
    X, y = data
    near = SparseRegressor(alpha=0.1).fit(X, y)
    shifted = SparseRegressor(alpha=0.1).fit(X + far, y + 1e5)
    np.testing.assert_allclose(shifted.coef_, near.coef_, atol=1e-15 * far * 100)
    np.testing.assert_allclose(
        shifted.predict(X + far) - 1e5, near.predict(X), atol=1e-13 * far + 1e-9
    )


@pytest.mark.parametrize("scale", [1e-60, 1e-3, 1e60])
def test_scales_carry_over(data, scale):
    X, y = data
    plain = SparseRegressor(alpha=0.1).fit(X, y)
    scaled = SparseRegressor(alpha=0.1 * scale).fit(X * scale, y)
    np.testing.assert_allclose(scaled.coef_ * scale, plain.coef_, atol=1e-8)
    scaled = SparseRegressor(alpha=0.1 * scale).fit(X, y * scale)
    np.testing.assert_allclose(scaled.coef_ / scale, plain.coef_, atol=1e-8)


@pytest.mark.parametrize("container", [sparse.csr_array, sparse.csc_matrix])
def test_sparse_rows_give_the_same(data, container):
    X, y = data
    X = X * (np.random.default_rng(4).random(X.shape) < 0.3)
    weight = np.random.default_rng(5).integers(0, 3, len(y))
    dense = SparseRegressor(alpha=0.05).fit(X, y, weight)
    model = SparseRegressor(alpha=0.05).fit(container(X), y, weight)
    np.testing.assert_allclose(model.coef_, dense.coef_, atol=1e-9)
    np.testing.assert_allclose(model.predict(container(X)), dense.predict(X), atol=1e-8)


def test_weights_count_repetitions(data):
    X, y = data
    weight = np.random.default_rng(6).integers(0, 4, len(y))
    weighted = SparseRegressor(alpha=0.1).fit(X, y, weight)
    repeated = SparseRegressor(alpha=0.1).fit(X.repeat(weight, 0), y.repeat(weight))
    np.testing.assert_allclose(weighted.coef_, repeated.coef_, atol=1e-9)


def test_columns_that_do_not_vary_are_left_alone(data):
    X, y = data
    X = X.copy()
    X[:, [0, 7]] = 0.1, 123.456
    free = np.ones(30)
    free[[0, 7]] = 0.0
    for model in (
        SparseRegressor(alpha=0.0),
        SparseRegressor(alpha=0.1),
        SparseRegressor(alpha=0.1, feature_weights=free),
    ):
        for rows in (X, sparse.csr_array(X)):
            assert (model.fit(rows, y).coef_[[0, 7]] == 0).all()
            assert np.isfinite(model.dual_gap_)
    constant = SparseRegressor(alpha=0.1).fit(X, np.full(120, 4.2))
    assert not constant.coef_.any()
    assert constant.intercept_ == pytest.approx(4.2)


def test_the_lowest_of_equal_columns_wins(data):
    X, y = data
    X = np.hstack([X, X])
    for penalty in ("l1", "mcp"):
        model = SparseRegressor(penalty, alpha=0.1).fit(X, y)
        assert model.get_support(indices=True).max() < 30


def test_more_columns_than_rows():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(60, 1500))
    y = X[:, :5].sum(axis=1) + 0.1 * rng.normal(size=60)
    model = SparseRegressor(alpha=0.05, tol=1e-10).fit(X, y)
    other = Lasso(alpha=0.05, tol=1e-10, max_iter=10**6).fit(X, y)
    np.testing.assert_allclose(model.coef_, other.coef_, atol=1e-5)
    assert model.dual_gap_ <= 1e-10 * y.var()


def test_dtypes(data):
    X, y = data
    double = SparseRegressor(alpha=0.1).fit(X, y)
    single = SparseRegressor(alpha=0.1).fit(X.astype(np.float32), y)
    assert (
        single.coef_.dtype == single.predict(X.astype(np.float32)).dtype == np.float32
    )
    np.testing.assert_allclose(single.coef_, double.coef_, atol=1e-5)


def test_gaps_bound_the_distance_from_the_minimum(data):
    X, y = data
    rng = np.random.default_rng(8)
    best = SparseRegressor(alpha=0.2, tol=1e-12).fit(X, y)

    def objective(w):
        r = y - X @ w
        return r.var() / 2 + 0.2 * np.abs(w).sum()

    assert objective(best.coef_) == pytest.approx(best.objective_, rel=1e-12)
    for size in (0.0, 1e-6, 1e-2, 1.0):
        w = best.coef_ + size * rng.normal(size=30)
        gap = duality_gap(X, y, w, 0.2, fit_intercept=True)
        assert gap >= objective(w) - best.objective_ - 1e-13
        assert gap <= 1e3 * (objective(w) - best.objective_) + 1e-10


def test_warm_start_and_pickle(data):
    X, y = data
    model = SparseRegressor(alpha=0.1, warm_start=True).fit(X, y)
    coef = model.coef_.copy()
    np.testing.assert_allclose(model.fit(X, y).coef_, coef, atol=1e-12)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))


def test_frames_and_searches(data):
    X, y = data
    frame = pd.DataFrame(X, columns=[f"c{j}" for j in range(30)])
    grid = {"alpha": [0.01, 0.1, 1.0], "penalty": ["l1", "mcp"]}
    search = GridSearchCV(SparseRegressor(), grid).fit(frame, y)
    assert search.best_estimator_.feature_names_in_[2] == "c2"
    assert search.best_score_ > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1.0}, "alpha"),
        ({"penalty": "l3"}, "penalty"),
        ({"l1_ratio": 1.5}, "l1_ratio"),
        ({"penalty": "mcp", "gamma": 1.0}, "gamma"),
        ({"penalty": "scad", "gamma": 2.0}, "gamma must be above 2"),
        ({"penalty": "group"}, "needs groups"),
        ({"penalty": "group", "groups": [0, 1]}, "groups must have one label"),
        ({"penalty": "sparse_envelope"}, "needs n_nonzero_coefs"),
        ({"penalty": "slope", "positive": True}, "positive=True does not go"),
        ({"feature_weights": np.ones(3)}, "feature_weights must have one number"),
        ({"feature_weights": -np.ones(30)}, "feature_weights must not be negative"),
        ({"penalty": "slope", "feature_weights": np.arange(30)}, "do not go with"),
    ],
)
def test_bad_parameters(data, options, message):
    with pytest.raises(ValueError, match=message):
        SparseRegressor(**options).fit(*data)


def test_bad_data(data):
    X, y = data
    with pytest.raises(ValueError, match="NaN"):
        SparseRegressor().fit(np.where(X[3, 4] == X, np.nan, X), y)
    with pytest.raises(ValueError, match="minimum of 2"):
        SparseRegressor().fit(X[:1], y[:1])
    with pytest.raises(ValueError, match="weight"):
        SparseRegressor().fit(X, y, np.zeros(120))
    with pytest.raises(ValueError, match="squares overflow"):
        SparseRegressor().fit(X * 1e200, y)


def test_unfinished_fits_warn():
    rng = np.random.default_rng(9)
    X = rng.normal(size=(100, 400))
    y = X[:, :50].sum(axis=1)
    model = SparseRegressor(alpha=1e-3, max_iter=1)
    with pytest.warns(ConvergenceWarning, match="duality gap of .* Raise max_iter"):
        model.fit(X, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(model).set_params(max_iter=1000).fit(X, y)


@pytest.mark.parametrize("penalty", ["group", "slope", "sparse_envelope", "l1"])
def test_dummies_of_both_answers(penalty):
    """Either column alone, or both with half of it, are the same model."""
    answer = np.tile([0.0, 1.0], 20)
    y = 3.0 * answer + np.random.default_rng(0).standard_normal(40)
    X = np.column_stack([answer, 1.0 - answer])
    own = {"group": {"groups": [0, 0]}, "sparse_envelope": {"n_nonzero_coefs": 1}}
    model = SparseRegressor(penalty, 1e-5, tol=1e-9, **own.get(penalty, {}))
    means = np.array([y[answer == a].mean() for a in (0, 1)])[answer.astype(int)]
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        predicted = model.fit(X, y).predict(X)
    np.testing.assert_allclose(predicted, means, atol=1e-3)
