"""Parameters that are ignored are told of; those that no fit can have are refused."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV

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
    ],
)
def test_what_a_penalty_does_not_look_at(data, fit, name, value, penalties):
    """The fit is the one without."""
    for penalty in penalties:
        needed = {"penalty": penalty} | NEEDED.get(penalty, {})
        if fit is by_gap and penalty in ("mcp", "scad"):
            continue  # which have no duality gap
        match = f"{name} is not used with penalty='{penalty}': .*sparse_envelope.* got "
        with pytest.warns(UserWarning, match=match) as told:
            given = fit(*data, **needed, **{name: value})
        assert len(told) == 1
        np.testing.assert_array_equal(numbers(given), numbers(fit(*data, **needed)))


def numbers(found):
    """Of an estimator, a path or a gap."""
    found = found[1] if isinstance(found, tuple) else found
    return getattr(found, "coef_", found)


def test_several_ratios_are_told_of_once(data):
    model = SparseRegressorCV("elasticnet", l1_ratio=[0.2, 0.9], alphas=3, cv=3)
    with pytest.warns(UserWarning, match="groups is not used") as told:
        model.set_params(groups=GROUPS).fit(*data)
    assert len(told) == 1


@pytest.mark.parametrize("fit", PENALISED)
def test_weights_of_features_that_a_penalty_does_not_have(data, fit):
    """Going on would fit another model, but where all of them are 1."""
    for penalty in ("slope", "group", "sparse_group", "sparse_envelope"):
        options = {"penalty": penalty} | NEEDED.get(penalty, {})
        match = f"feature_weights other than 1 do not go with penalty='{penalty}'"
        with pytest.raises(ValueError, match=match):
            fit(*data, feature_weights=np.arange(D), **options)
        with pytest.raises(ValueError, match="feature_weights must have one number"):
            fit(*data, feature_weights=np.ones(3), **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fit(*data, feature_weights=np.ones(D), **options)


@pytest.mark.parametrize("fit", PENALISED)
def test_signs_that_a_penalty_cannot_have(data, fit):
    for penalty in ("slope", "sparse_envelope"):
        options = {"penalty": penalty} | NEEDED.get(penalty, {})
        with pytest.raises(ValueError, match="positive=True does not go with"):
            fit(*data, positive=True, **options)


GRIDS = [
    (
        SparseRegressor(alpha=0.1, groups=GROUPS),
        {"penalty": ["l1", "group", "sparse_group"]},
    ),
    (
        SparseRegressor(alpha=0.1, n_nonzero_coefs=3),
        {"penalty": ["l1", "sparse_envelope"]},
    ),
    (
        SparseRegressor(alpha=0.1, feature_weights=np.ones(D), groups=GROUPS),
        {"penalty": ["l1", "group"]},
    ),
    (PreconditionedLasso(0.1), {"n_nonzero_coefs": [None, 3], "l2": [0.0, 0.1]}),
    (
        BestSubsetRegressorCV(**SUBSETS),
        {"criterion": ["cv", "bic", "ebic"], "one_se": [False, True]},
    ),
    (
        BestSubsetRegressor(2),
        {"pair_swaps": [False, True], "positive": [False, True]},
    ),
    (
        BestSubsetRegressor(2),
        {"pair_swaps": [False, True], "groups": [None, GROUPS]},
    ),
]


@pytest.mark.parametrize(("estimator", "grid"), GRIDS)
@pytest.mark.filterwarnings("ignore:.* is not used with")
def test_grids_have_no_empty_cells(data, estimator, grid):
    search = GridSearchCV(estimator, grid, cv=3, error_score="raise").fit(*data)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    "model",
    [
        SparseRegressor(alpha=0.1),
        SparseRegressorCV(cv=3),
        PreconditionedLasso(0.1, n_nonzero_coefs=2, l2=0.1),
        PreconditionedLassoCV(cv=3, n_nonzero_coefs="cv", l2=0.1),
        BestSubsetRegressor(2, pair_swaps=True),
        BestSubsetRegressorCV(**SUBSETS, one_se=True),
        BestSubsetRegressorCV(3, criterion="bic"),
    ],
)
def test_what_is_used_is_not_told_of(data, model):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(*data)


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
    plain = model.fit(*data).coef_
    match = "l2 is not used with n_nonzero_coefs=None: .* l2=0.5"
    with pytest.warns(UserWarning, match=match):
        given = model.set_params(l2=0.5).fit(*data).coef_
    np.testing.assert_array_equal(given, plain)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"groups": GROUPS}, "pair_swaps is not used with groups: .* pair_swaps=True"),
        ({"positive": True}, "pair_swaps is not used with positive=True: .*=True"),
    ],
)
def test_exchanges_of_pairs(data, options, match):
    with pytest.warns(UserWarning, match=match):
        model = BestSubsetRegressor(2, pair_swaps=True, **options).fit(*data)
    plain = BestSubsetRegressor(2, **options).fit(*data)
    np.testing.assert_array_equal(model.coef_, plain.coef_)
    assert model.n_iter_ == plain.n_iter_


def test_one_standard_error_needs_folds(data):
    for criterion in ("bic", "ebic"):
        model = BestSubsetRegressorCV(3, criterion=criterion, one_se=True)
        match = f"one_se is not used with criterion='{criterion}': .* one_se=True"
        with pytest.warns(UserWarning, match=match):
            model.fit(*data)
        plain = BestSubsetRegressorCV(3, criterion=criterion).fit(*data)
        np.testing.assert_array_equal(model.coef_, plain.coef_)


@pytest.mark.parametrize("criterion", ["bic", "ebic"])
def test_criteria_that_fall_to_the_end(criterion):
    """Of 100 columns of noise, some always fit 20 rows; not so 3 of 5."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 100)), rng.standard_normal(20)
    model = BestSubsetRegressorCV(criterion=criterion)
    match = f"criterion='{criterion}' fell to the end: size 19.*criterion='cv', or a"
    with pytest.warns(UserWarning, match=match):
        model.fit(X, y)
    assert model.n_nonzero_coefs_ == model.criterion_path_.shape[1] == 19
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # A real effect of all columns, an end that is not too far, and folds.
        few = X[:, :5]
        model.fit(few, few @ np.arange(1.0, 6.0) + 0.1 * y)
        assert model.n_nonzero_coefs_ == 5
        clipped = BestSubsetRegressorCV(2, criterion=criterion)
        clipped.fit(X, X[:, 0] - X[:, 1] + 0.01 * y)
        assert clipped.n_nonzero_coefs_ == 2
        BestSubsetRegressorCV(19, l2s=[0.0], cv=3).fit(X, y)


@pytest.mark.parametrize("kind", ["single", "cv"])
def test_strengths_that_rounding_hides(kind):
    """What cannot be reached for lack of strength is said to be so."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 60)) * 10.0 ** rng.uniform(-4, 4, 60)
    y = rng.standard_normal(30) + 1e6
    for alpha, advised in ((1e-12, True), (1e-3, False)):
        model = SparseRegressor(alpha=alpha, tol=1e-13, max_iter=2)
        if kind == "cv":
            model = SparseRegressorCV(alphas=[alpha], tol=1e-13, max_iter=2, cv=3)
        with pytest.warns(ConvergenceWarning, match="stopped after") as told:
            model.fit(X, y)
        assert ("Raise alpha: 1e-12 is lost" in str(told[0].message)) == advised


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
