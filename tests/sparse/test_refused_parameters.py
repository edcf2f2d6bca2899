"""Parameters that would be ignored, and those that no fit can have, are refused."""

import numpy as np
import pytest

from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from skloss.sparse.design_preconditioner import DesignPreconditioner
from skloss.sparse.knockoff_selector import KnockoffSelector
from skloss.sparse.path import duality_gap, sparse_path
from skloss.sparse.preconditioned_lasso import PreconditionedLasso
from skloss.sparse.preconditioned_lasso_cv import PreconditionedLassoCV
from skloss.sparse.sparse_regressor import SparseRegressor
from skloss.sparse.sparse_regressor_cv import SparseRegressorCV
from skloss.sparse.support_condition import random_support_condition

N, D = 40, 12
GROUPS = np.arange(D) // 2
SUBSETS = {"cv": 3, "max_features": 3}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((N, D))
    return X, 2.0 * X[:, 0] + X[:, 3] + 0.1 * rng.standard_normal(N)


def by_regressor(X, y, **options):
    return SparseRegressor(alpha=0.1, **options).fit(X, y)


def by_cv(X, y, **options):
    return SparseRegressorCV(alphas=3, cv=3, **options).fit(X, y)


def by_path(X, y, **options):
    return sparse_path(X, y, n_alphas=3, **options)


def by_gap(X, y, **options):
    return duality_gap(X, y, np.zeros(D), 0.1, **options)


PENALISED = [by_regressor, by_cv, by_path, by_gap]
NEEDED = {
    "group": {"groups": GROUPS},
    "sparse_group": {"groups": GROUPS},
    "sparse_envelope": {"n_nonzero_coefs": 2},
}


@pytest.mark.parametrize("fit", PENALISED)
@pytest.mark.parametrize(
    ("name", "value", "penalties"),
    [
        ("groups", GROUPS, ["l1", "elasticnet", "mcp", "scad", "slope"]),
        (
            "n_nonzero_coefs",
            2,
            ["l1", "elasticnet", "mcp", "scad", "slope", "group", "sparse_group"],
        ),
        (
            "feature_weights",
            np.ones(D),
            ["slope", "group", "sparse_group", "sparse_envelope"],
        ),
    ],
)
def test_what_a_penalty_does_not_look_at(data, fit, name, value, penalties):
    for penalty in penalties:
        options = NEEDED.get(penalty, {}) | {name: value}
        match = f"{name} do not go with penalty='{penalty}'"
        with pytest.raises(ValueError, match=match):
            fit(*data, penalty=penalty, **options)


@pytest.mark.parametrize("fit", PENALISED)
def test_groups_of_the_envelope_are_looked_at(data, fit):
    fit(*data, penalty="sparse_envelope", n_nonzero_coefs=2, groups=GROUPS)


@pytest.mark.parametrize(
    ("groups", "match"),
    [
        (GROUPS, "from 1 to 6, that of groups; got 7"),
        (None, "from 1 to 12, the number of features; got 13"),
    ],
)
def test_full_shares_are_counted(data, groups, match):
    count = 13 if groups is None else 7
    model = SparseRegressor("sparse_envelope", n_nonzero_coefs=count, groups=groups)
    with pytest.raises(ValueError, match=f"n_nonzero_coefs .*{match}"):
        model.fit(*data)


def test_shares_of_penalties_without_them(data):
    for penalty in ("l1", "mcp", "scad", "slope"):
        with pytest.raises(ValueError, match=r"l1_ratio=\[0.1, 0.9\] is a list"):
            SparseRegressorCV(penalty, l1_ratio=[0.1, 0.9]).fit(*data)


@pytest.mark.parametrize("ratios", [[], ["some"], [[0.5]], np.array(0.5), [np.nan]])
def test_lists_of_shares(data, ratios):
    with pytest.raises(ValueError, match="l1_ratio must be"):
        SparseRegressorCV("elasticnet", l1_ratio=ratios).fit(*data)


@pytest.mark.parametrize("model", [PreconditionedLasso(0.1), PreconditionedLassoCV()])
def test_ridge_without_a_subset(data, model):
    with pytest.raises(ValueError, match=r"l2=0.5 needs n_nonzero_coefs"):
        model.set_params(l2=0.5).fit(*data)
    model.set_params(n_nonzero_coefs=2).fit(*data)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"groups": GROUPS}, "pair_swaps=True does not go with groups"),
        ({"positive": True}, "pair_swaps=True does not go with positive=True"),
    ],
)
def test_exchanges_of_pairs(data, options, match):
    with pytest.raises(ValueError, match=match):
        BestSubsetRegressor(2, pair_swaps=True, **options).fit(*data)


def test_one_standard_error_needs_folds(data):
    for criterion in ("bic", "ebic"):
        model = BestSubsetRegressorCV(3, criterion=criterion, one_se=True)
        with pytest.raises(ValueError, match=f"one_se=True .* criterion='{criterion}'"):
            model.fit(*data)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"support_size": 13, "max_pivots": 38}, "support_size=13 .* 12 features"),
        ({"support_size": 11}, "support_size=11 .* 10 pivots"),
        ({"support_size": 4, "max_pivots": 3}, "support_size=4 .* 3 pivots"),
    ],
)
def test_supports_that_cannot_be_drawn(data, options, match):
    X, y = data
    with pytest.raises(ValueError, match=match):
        DesignPreconditioner(**options).fit(X)
    for model in (PreconditionedLasso(0.1), PreconditionedLassoCV()):
        with pytest.raises(ValueError, match=match):
            model.set_params(**options).fit(X, y)


def test_supports_that_nobody_draws(data):
    """Without rounds their size does not matter, nor does a size that was not given."""
    X, y = data
    assert DesignPreconditioner(30, max_pivots=0).fit(X).n_rounds_ == 0
    PreconditionedLasso(0.1, support_size=30, precondition=False).fit(X, y)
    assert DesignPreconditioner().fit(X[:4]).n_rounds_ == 0
    drawn = DesignPreconditioner(12, 0.99, max_pivots=12, random_state=0).fit(X)
    assert drawn.n_features_in_ == 12


def test_folds_of_knockoffs(data):
    X, y = data
    with pytest.raises(ValueError, match="n_folds=9 is more than the 8 rows"):
        KnockoffSelector(n_folds=9).fit(X[:8], y[:8])
    KnockoffSelector(n_folds=8).fit(X[:8], y[:8])

    def first(X, knockoffs, y):
        return np.abs(X[0]) - np.abs(knockoffs[0])

    KnockoffSelector(n_folds=9, statistic=first).fit(X[:8], y[:8])


@pytest.mark.parametrize(
    "model", [SparseRegressorCV(), PreconditionedLassoCV(), BestSubsetRegressorCV(3)]
)
def test_more_folds_than_rows(data, model):
    with pytest.raises(ValueError, match=r"cv=41 does not go with the data: .*=40"):
        model.set_params(cv=41).fit(*data)


STRENGTHS = [
    (lambda given: SparseRegressorCV(alphas=given, cv=3).fit, "alphas"),
    (lambda given: PreconditionedLassoCV(alphas=given, cv=3).fit, "alphas"),
    (lambda given: lambda X, y: sparse_path(X, y, alphas=given), "alphas"),
    (lambda given: BestSubsetRegressorCV(**SUBSETS, l2s=given).fit, "l2s"),
]


@pytest.mark.parametrize(("fit", "name"), STRENGTHS)
@pytest.mark.parametrize(
    "given",
    [
        [],
        [np.nan],
        [1.0, np.inf],
        [1.0, -1.0],
        [[1.0, 0.1]],
        ["strong"],
        [1j],
        np.array(0.5),
        {1.0},
    ],
    ids=str,
)
def test_lists_of_strengths(data, fit, name, given):
    with pytest.raises(ValueError, match=f"^{name} must be "):
        fit(given)(*data)


@pytest.mark.parametrize(("fit", "name"), STRENGTHS)
@pytest.mark.parametrize("given", [0, -1, 0.5, "strong"])
def test_numbers_of_strengths(data, fit, name, given):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        fit(given)(*data)


def test_strength_of_nothing(data):
    """A path on pivots needs a penalty; others may do without."""
    with pytest.raises(ValueError, match="alphas must be finite numbers above 0"):
        PreconditionedLassoCV(alphas=[1.0, 0.0]).fit(*data)
    model = SparseRegressorCV(alphas=[0.0], cv=3).fit(*data)
    X, y = data
    least, *_ = np.linalg.lstsq(X - X.mean(axis=0), y - y.mean())
    np.testing.assert_allclose(model.coef_, least, atol=1e-9)


@pytest.mark.parametrize("eps", [0, 1, 1.5, -0.1, np.nan, "small", None])
def test_ratio_of_strengths(data, eps):
    for fit in (
        SparseRegressorCV(alphas=3, eps=eps).fit,
        PreconditionedLassoCV(alphas=3, eps=eps).fit,
        lambda X, y: sparse_path(X, y, eps=eps),
    ):
        with pytest.raises(ValueError, match="'eps' parameter"):
            fit(*data)


def test_one_strength_is_the_largest(data):
    X, y = data
    largest = np.abs((X - X.mean(axis=0)).T @ (y - y.mean())).max() / N
    model = SparseRegressorCV(alphas=1, cv=3).fit(X, y)
    assert model.alpha_ == pytest.approx(largest)
    assert not model.coef_.any()
    (alpha,), _, _ = sparse_path(X, y, n_alphas=1)
    assert alpha == pytest.approx(np.abs(X.T @ y).max() / N)


def test_given_strengths_are_left_alone(data):
    l2s = np.array([0.1, 0.0])
    model = BestSubsetRegressorCV(**SUBSETS, l2s=l2s).fit(*data)
    assert not np.shares_memory(model.l2s_, l2s)
    np.testing.assert_array_equal(l2s, [0.1, 0.0])


def test_words_in_place_of_numbers(data):
    with pytest.raises(ValueError, match="feature_weights must be numbers"):
        SparseRegressor(feature_weights=["much"] * D).fit(*data)
    for coef in (["much"] * D, np.full(D, 1j)):
        with pytest.raises(ValueError, match="coef must be numbers"):
            duality_gap(*data, coef, 0.1)


@pytest.mark.parametrize(
    "model",
    [
        SparseRegressor(),
        SparseRegressorCV(cv=3),
        PreconditionedLasso(),
        PreconditionedLassoCV(cv=3),
        BestSubsetRegressor(),
        BestSubsetRegressorCV(3, cv=3),
        BestSubsetRegressorCV(3, criterion="bic"),
        DesignPreconditioner(),
    ],
)
def test_a_single_row_of_weight(data, model):
    """Rows without weight are absent, and one row is too few."""
    weight = np.zeros(N)
    weight[7] = 2.0
    with pytest.raises(ValueError, match="sample_weight is positive for a single"):
        model.fit(*data, sample_weight=weight)
    with pytest.raises(ValueError, match="sample_weight is positive for a single"):
        random_support_condition(data[0], 2, sample_weight=weight)


@pytest.mark.parametrize("model", [PreconditionedLasso(0.1), BestSubsetRegressor()])
def test_as_many_columns_as_rows_of_weight(data, model):
    weight = np.where(np.arange(N) < 5, 1.0, 0.0)
    model.set_params(n_nonzero_coefs=5)
    with pytest.raises(ValueError, match=r"n_nonzero_coefs must be .* from 1 to 4"):
        model.fit(*data, sample_weight=weight)
    model.set_params(n_nonzero_coefs=4).fit(*data, sample_weight=weight)
