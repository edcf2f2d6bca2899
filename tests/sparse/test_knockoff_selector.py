"""Knockoffs: their law, their scales, the filter, the selector."""

import pickle
import warnings

import cvxpy as cp
import numpy as np
import pandas as pd
import pytest
from joblib import parallel_backend
from scipy import linalg, sparse
from scipy.optimize import minimize
from sklearn.base import clone
from sklearn.callback import ScoringMonitor
from sklearn.covariance import OAS, LedoitWolf
from sklearn.datasets import load_diabetes
from sklearn.decomposition import PCA
from sklearn.linear_model import LassoCV, LinearRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skloss.sparse._knockoff_filter import (
    e_values,
    knockoff_threshold,
    lasso_statistics,
    select_by_e_values,
)
from skloss.sparse._knockoff_scales import METHODS, inverse_of, knockoff_scales
from skloss.sparse.knockoff_selector import KnockoffSelector
from skloss.sparse.knockoffs import FeatureModel, GaussianKnockoffs, gaussian_knockoffs


@parametrize_with_checks(
    [
        KnockoffSelector(),
        KnockoffSelector(method="sdp", offset=0),
        KnockoffSelector(n_draws=2),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def autoregressive(d, rho):
    return rho ** np.abs(np.subtract.outer(np.arange(d), np.arange(d)))


def correlations():
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(25, 3))
    loaded = factors @ factors.T + 0.05 * np.eye(25)
    root = np.sqrt(loaded.diagonal())
    shrunk = LedoitWolf().fit(rng.normal(size=(10, 25))).covariance_
    unit = np.sqrt(shrunk.diagonal())
    return {
        "autoregressive": autoregressive(20, 0.9),
        "equal": 0.6 * np.ones((12, 12)) + 0.4 * np.eye(12),
        "factors": loaded / root / root[:, None],
        "shrunk": shrunk / unit / unit[:, None],
        "identity": np.eye(5),
        "single": np.eye(1),
    }


CORRELATIONS = correlations()
by_correlation = pytest.mark.parametrize(
    "C", CORRELATIONS.values(), ids=CORRELATIONS.keys()
)


@by_correlation
@pytest.mark.parametrize("method", METHODS)
def test_joint_second_moments_are_as_designed(C, method):
    """The conditional law gives exactly the joint covariance that defines knockoffs."""
    d = len(C)
    scale = np.geomspace(1e-3, 1e3, d)
    covariance = C * scale * scale[:, None]
    model = FeatureModel.read(np.zeros((2, d)), covariance, np.ones(d))
    law = GaussianKnockoffs(model, method)
    cross = C @ law.coef
    own = law.coef.T @ C @ law.coef + law.residual @ law.residual.T
    np.testing.assert_allclose(cross, C - np.diag(law.s), atol=1e-9)
    np.testing.assert_allclose(own, C, atol=1e-9)
    joint = np.block([[C, cross], [cross.T, own]])
    assert linalg.eigvalsh(joint)[0] > -1e-9
    assert law.s.min() >= 0


@by_correlation
def test_sdp_equals_a_conic_solver(C):
    s = cp.Variable(len(C))
    problem = cp.Problem(
        cp.Maximize(cp.sum(s)), [s >= 0, s <= 1, 2 * C - cp.diag(s) >> 0]
    )
    exact = dict.fromkeys(["tol_gap_abs", "tol_gap_rel", "tol_feas"], 2e-7)
    problem.solve(solver=cp.CLARABEL, **exact)
    found = knockoff_scales(C, "sdp")
    assert found.values.sum() == pytest.approx(problem.value, abs=2e-6 * len(C))
    assert problem.value - found.values.sum() <= found.gap + 1e-6
    assert found.gap <= 1e-6 * len(C)


@by_correlation
@pytest.mark.parametrize("method", ["mvr", "maxent"])
def test_smooth_scales_equal_a_general_optimiser(C, method):
    """The objective is that of the joint matrix, which is written down as such here."""

    def objective(logs):
        S = np.diag(np.exp(logs))
        joint = np.block([[C, C - S], [C - S, C]])
        values = linalg.eigvalsh(joint)
        if values[0] <= 1e-12:
            return 1e10
        return (1 / values).sum() if method == "mvr" else -np.log(values).sum()

    found = knockoff_scales(C, method)
    ours = objective(np.log(found.values))
    start = np.log(np.full(len(C), 0.5 * linalg.eigvalsh(C)[0]))
    best = minimize(objective, start, method="BFGS", options={"maxiter": 2000}).fun
    assert ours <= best + 1e-6 * abs(best)
    rng = np.random.default_rng(0)
    for _ in range(200):  # nowhere near is it smaller
        near = np.log(found.values) + 1e-2 * rng.normal(size=len(C))
        assert objective(near) >= ours - 1e-9 * abs(ours)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.5, 0.8])
def test_equal_correlations_have_closed_forms(rho):
    d = 6
    C = rho * np.ones((d, d)) + (1 - rho) * np.eye(d)
    expected = min(1.0, 2 * (1 - rho))
    for method in ("equicorrelated", "sdp"):
        found = knockoff_scales(C, method).values
        np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("method", METHODS)
def test_singular_correlations_are_refused(method):
    with pytest.raises(ValueError, match="positive definite"):
        knockoff_scales(np.ones((3, 3)), method)


def test_inverse_and_determinant():
    C = autoregressive(30, 0.95)
    inverse, log_det = inverse_of(C)
    np.testing.assert_allclose(inverse @ C, np.eye(30), atol=1e-10)
    assert log_det == pytest.approx(np.linalg.slogdet(C)[1])
    assert inverse_of(-C) is None


def test_drawn_knockoffs_may_change_places():
    """First two moments of many rows, with any features and knockoffs exchanged."""
    rng, n, d = np.random.default_rng(0), 200_000, 4
    root, mean = rng.normal(size=(d, d)), np.array([5.0, -3.0, 0.0, 100.0])
    covariance = root @ root.T + np.eye(d)
    X = rng.multivariate_normal(mean, covariance, size=n)
    copies = gaussian_knockoffs(X, covariance=covariance, mean=mean, random_state=0)
    size = np.sqrt(np.tile(covariance.diagonal(), 2))
    original = np.hstack([X, copies])
    for swapped in ([0], [1, 3], [0, 1, 2, 3]):
        order = np.arange(2 * d)
        order[swapped], order[np.add(swapped, d)] = np.add(swapped, d), swapped
        exchanged = original[:, order]
        shift = (exchanged.mean(axis=0) - original.mean(axis=0)) / size
        assert np.abs(shift).max() < 5 / np.sqrt(n)
        change = np.cov(exchanged.T) - np.cov(original.T)
        assert np.abs(change / size / size[:, None]).max() < 10 / np.sqrt(n)


def brute_threshold(W, fdr, offset):
    for t in np.sort(np.abs(W)):
        above, below = np.sum(t <= W), np.sum(t <= -W)
        if t > 0 and (offset + below) / max(above, 1) <= fdr + 1e-12:
            return t
    return np.inf


@pytest.mark.parametrize("offset", [0, 1])
@pytest.mark.parametrize("fdr", [0.05, 0.1, 0.2, 0.5])
def test_threshold_equals_brute_force(fdr, offset):
    rng = np.random.default_rng(0)
    for _ in range(100):
        W = rng.normal(rng.uniform(0, 2), 1, size=rng.integers(1, 40))
        W[rng.random(W.size) < 0.3] = 0
        W = np.round(W, rng.integers(0, 3))  # with ties
        assert knockoff_threshold(W, fdr, offset) == brute_threshold(W, fdr, offset)


def test_threshold_by_hand():
    W = np.array([10.0, 9, 8, 7, 6, 5, 4, -3, 2, 0])
    assert knockoff_threshold(W, 0.2, 1) == 4.0  # (1 + 0) / 7; next is (1 + 1) / 8
    assert knockoff_threshold(W, 0.1, 1) == np.inf
    assert knockoff_threshold(W, 0.1, 0) == 4.0
    assert knockoff_threshold(np.zeros(5), 0.5, 0) == np.inf


def test_e_values_of_one_draw_select_what_the_threshold_does():
    rng = np.random.default_rng(0)
    for _ in range(100):
        W = np.round(rng.normal(1, 1, size=40), 2)
        selected, _ = select_by_e_values(e_values(W, 0.2, 1), 0.2)
        np.testing.assert_array_equal(selected, brute_threshold(W, 0.2, 1) <= W)


def test_e_values_select_as_benjamini_and_hochberg():
    rng = np.random.default_rng(0)
    for _ in range(100):
        values = rng.exponential(5, size=20) * (rng.random(20) < 0.7)
        counts = [
            k
            for k in range(1, 21)
            if (values >= 20 / (0.2 * k)).sum() >= k  # k of them are large enough
        ]
        selected, least = select_by_e_values(values, 0.2)
        expected = 20 / (0.2 * max(counts)) if counts else np.inf
        np.testing.assert_array_equal(selected, values >= expected)
        assert selected.sum() == (values >= least).sum()


@pytest.fixture
def strong():
    """Correlated features, of which 15 matter."""
    rng = np.random.default_rng(0)
    X = rng.multivariate_normal(np.zeros(40), autoregressive(40, 0.4), size=200)
    w = np.where(np.arange(40) % 8 < 3, 1.0, 0.0)
    return X, X @ w + rng.normal(size=200)


def test_statistics_change_sign_with_places_to_the_last_digit(strong):
    X, y = strong
    copies = gaussian_knockoffs(X, random_state=0)
    W = lasso_statistics(X, copies, y, n_folds=5, seed=0)
    assert np.count_nonzero(W) > 15
    rng = np.random.default_rng(0)
    for share in (0.02, 0.5, 1.0):
        swap = rng.random(40) < share
        other = lasso_statistics(
            np.where(swap, copies, X), np.where(swap, X, copies), y, n_folds=5, seed=0
        )
        np.testing.assert_array_equal(other, np.where(swap, -W, W))


def test_statistics_are_those_of_a_lasso(strong):
    X, y = strong
    copies = gaussian_knockoffs(X, random_state=0)
    W = lasso_statistics(X, copies, y, n_folds=5, seed=0)
    Z = np.hstack([X, copies])
    Z = (Z - Z.mean(axis=0)) / Z.std(axis=0)
    folds = KFold(5, shuffle=True, random_state=0)
    lasso = LassoCV(alphas=20, eps=0.1, cv=folds, tol=1e-8, max_iter=10**5).fit(Z, y)
    if lasso.alpha_ < lasso.alphas_[17]:  # then weaker ones are tried as well
        grid = {"alphas": 30, "eps": 10**-1.5}
        lasso = LassoCV(**grid, cv=folds, tol=1e-8, max_iter=10**5).fit(Z, y)
    size = np.abs(lasso.coef_)
    np.testing.assert_allclose(W, size[:40] - size[40:], atol=2e-3)


def test_what_equals_its_knockoff_has_no_statistic(strong):
    X, y = strong
    copies = gaussian_knockoffs(X, random_state=0)
    copies[:, 0] = X[:, 0]
    W = lasso_statistics(X, copies, y, n_folds=5, seed=0)
    assert W[0] == 0
    assert W[1] > 0


def discoveries(fits, n, d, n_true, fdr, **options):
    """False discovery proportions and powers of simulations."""
    rng, C = np.random.default_rng(0), autoregressive(d, 0.5)
    root, false, power = np.linalg.cholesky(C), [], []
    known = options.pop("known", False)
    for _ in range(fits):
        X = rng.normal(size=(n, d)) @ root.T
        true = rng.permutation(d) < n_true
        w = np.where(true, rng.choice([-0.5, 0.5], size=d), 0.0)
        y = X @ w + rng.normal(size=n)
        selector = KnockoffSelector(
            fdr,
            covariance=C if known else None,
            mean=np.zeros(d) if known else None,
            random_state=rng.integers(2**31),
            **options,
        )
        selected = selector.fit(X, y).get_support()
        false.append((selected & ~true).sum() / max(selected.sum(), 1))
        power.append((selected & true).sum() / n_true)
    return np.array(false), np.array(power)


@pytest.mark.parametrize(
    ("fits", "n", "d", "options"),
    [
        (80, 150, 50, {"known": True}),
        (40, 150, 50, {"method": "sdp"}),
        (30, 100, 120, {}),  # more features than rows
        (20, 150, 50, {"n_draws": 4}),
    ],
    ids=["known law", "sdp", "wide", "draws"],
)
def test_false_discovery_rate(fits, n, d, options):
    false, power = discoveries(fits, n, d, 20, 0.2, **options)
    error = false.std() / np.sqrt(fits)
    assert false.mean() <= 0.2 + 3 * error
    assert power.mean() > 0.3


def test_nothing_to_find():
    """Without any effect every selection is false: it must be rare."""
    rng, selections = np.random.default_rng(0), []
    for _ in range(60):
        X, y = rng.normal(size=(80, 30)), rng.normal(size=80)
        fit = KnockoffSelector(0.2, random_state=rng.integers(2**31)).fit(X, y)
        selections.append(fit.get_support().any())
    assert np.mean(selections) <= 0.2 + 3 * np.sqrt(0.16 / 60)


def test_attributes(strong):
    X, y = strong
    fit = KnockoffSelector(random_state=0).fit(X, y)
    np.testing.assert_array_equal(
        fit.get_support(), fit.statistics_ >= brute_threshold(fit.statistics_, 0.1, 1)
    )
    assert fit.threshold_ == brute_threshold(fit.statistics_, 0.1, 1)
    assert set(fit.get_support(indices=True)) >= set(
        np.flatnonzero(np.arange(40) % 8 < 3)
    )
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = LedoitWolf().fit(Z).covariance_ * X.std(axis=0) * X.std(axis=0)[:, None]
    np.testing.assert_allclose(fit.covariance_, expected, rtol=1e-9, atol=1e-12)
    joint = 2 * fit.covariance_ - np.diag(fit.s_)
    assert linalg.eigvalsh(joint)[0] > 0
    draws = KnockoffSelector(n_draws=3, random_state=0).fit(X, y)
    assert draws.statistics_.shape == (3, 40)
    assert draws.threshold_.shape == (3,)
    values = [e_values(w, 0.05, 1) for w in draws.statistics_]
    np.testing.assert_allclose(draws.e_values_, np.mean(values, axis=0))


def test_units_do_not_matter(strong):
    X, y = strong
    plain = KnockoffSelector(random_state=0).fit(X, y)
    unit = 2.0 ** np.random.default_rng(0).integers(-300, 300, size=40)
    for Z, target, factor in [(X * unit, y, 1), (X, 2.0**-200 * y, 2.0**-200)]:
        fit = KnockoffSelector(random_state=0).fit(Z, target)
        np.testing.assert_allclose(
            fit.statistics_, factor * plain.statistics_, rtol=1e-6, atol=1e-9 * factor
        )
        np.testing.assert_array_equal(fit.get_support(), plain.get_support())
    moved = KnockoffSelector(random_state=0).fit(X + 1e3, y - 1e4)
    np.testing.assert_allclose(moved.statistics_, plain.statistics_, atol=1e-5)


def test_constant_and_equal_columns(strong):
    X, y = strong
    plain = KnockoffSelector(random_state=0).fit(X, y)
    more = np.column_stack([np.full(200, 0.1), X, np.zeros(200)])
    fit = KnockoffSelector(random_state=0).fit(more, y)
    np.testing.assert_allclose(
        fit.statistics_, np.concatenate([[0], plain.statistics_, [0]]), atol=1e-9
    )
    assert fit.s_[0] == fit.s_[-1] == 0
    copies = gaussian_knockoffs(more, random_state=0)
    np.testing.assert_array_equal(copies[:, [0, -1]], more[:, [0, -1]])
    twice = KnockoffSelector(random_state=0).fit(np.hstack([X, X]), y)
    assert np.isfinite(twice.statistics_).all()


def test_corners():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 1))
    one = KnockoffSelector(random_state=0).fit(X, X[:, 0])
    assert one.statistics_[0] > 0
    assert not one.get_support().any()  # a single one is never enough
    with pytest.warns(UserWarning, match="No features were selected"):
        assert one.transform(X).shape == (30, 0)
    lenient = KnockoffSelector(offset=0, random_state=0).fit(X, X[:, 0])
    assert lenient.get_support().all()
    constant = KnockoffSelector(random_state=0).fit(
        rng.normal(size=(9, 20)), np.ones(9)
    )
    assert not constant.statistics_.any()
    flat = KnockoffSelector(random_state=0).fit(np.ones((9, 2)), np.arange(9))
    assert not flat.statistics_.any()
    few = KnockoffSelector(n_folds=3, random_state=0)
    few.fit(rng.normal(size=(3, 5)), [0, 1, 3])
    assert np.isfinite(few.statistics_).all()


def test_a_given_law(strong):
    X, y = strong
    C = autoregressive(40, 0.4)
    fit = KnockoffSelector(covariance=C, mean=np.zeros(40), random_state=0).fit(X, y)
    np.testing.assert_array_equal(fit.covariance_, C)
    np.testing.assert_array_equal(fit.mean_, np.zeros(40))
    estimated = KnockoffSelector(covariance=OAS(), random_state=0).fit(X, y)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    expected = OAS().fit(Z).covariance_ * X.std(axis=0) * X.std(axis=0)[:, None]
    np.testing.assert_allclose(estimated.covariance_, expected, rtol=1e-9, atol=1e-12)


def test_a_statistic_of_ones_own(strong):
    X, y = strong

    def correlations(X, copies, y):
        return np.abs(X.T @ y) - np.abs(copies.T @ y)

    fit = KnockoffSelector(statistic=correlations, random_state=0).fit(X, y)
    seeds = np.random.RandomState(0).randint(np.iinfo(np.int32).max, size=(1, 2))
    copies = gaussian_knockoffs(X, random_state=np.random.RandomState(seeds[0, 0]))
    np.testing.assert_allclose(fit.statistics_, correlations(X, copies, y))
    with pytest.raises(ValueError, match="statistic must return 40 finite numbers"):
        KnockoffSelector(statistic=lambda X, Z, y: np.ones(3)).fit(X, y)


def test_same_result_for_any_jobs_and_backend(strong):
    X, y = strong
    fits = [KnockoffSelector(n_draws=3, random_state=0).fit(X, y)]
    for backend in ("loky", "threading"):
        with parallel_backend(backend):
            other = KnockoffSelector(n_draws=3, random_state=0, n_jobs=2)
            fits.append(other.fit(X, y))
    for fit in fits[1:]:
        np.testing.assert_array_equal(fit.statistics_, fits[0].statistics_)


def test_float32(strong):
    X, y = strong
    single = KnockoffSelector(random_state=0).fit(X.astype(np.float32), y)
    double = KnockoffSelector(random_state=0).fit(X, y)
    np.testing.assert_array_equal(single.get_support(), double.get_support())
    np.testing.assert_allclose(single.statistics_, double.statistics_, atol=1e-4)
    assert single.transform(X.astype(np.float32)).dtype == np.float32
    copies = gaussian_knockoffs(X.astype(np.float32), random_state=0)
    assert copies.dtype == np.float32
    np.testing.assert_allclose(copies, gaussian_knockoffs(X, random_state=0), atol=1e-4)


def test_in_pipelines_and_searches():
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    pipeline = make_pipeline(KnockoffSelector(random_state=0), LinearRegression())
    grid = {"knockoffselector__fdr": [0.3, 0.5]}
    scores = []
    for backend in ("loky", "threading"):
        with parallel_backend(backend):
            search = GridSearchCV(pipeline, grid, cv=3, n_jobs=2, error_score="raise")
            scores.append(search.fit(X, y).cv_results_["mean_test_score"])
    np.testing.assert_array_equal(*scores)
    assert scores[0].max() > 0.3
    selector = clone(pipeline[0]).set_params(fdr=0.5).set_output(transform="pandas")
    out = selector.fit(X, y).transform(X)
    assert isinstance(out, pd.DataFrame)
    assert list(out) == list(selector.get_feature_names_out())
    again = pickle.loads(pickle.dumps(selector))
    pd.testing.assert_frame_equal(again.transform(X), out)
    back = selector.inverse_transform(out)
    np.testing.assert_array_equal(back, np.where(selector.get_support(), X, 0.0))


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({"fdr": 0.0}, "fdr"),
        ({"fdr": 1.0}, "fdr"),
        ({"method": "asdp"}, "method"),
        ({"offset": 2}, "offset"),
        ({"n_draws": 0}, "n_draws"),
        ({"n_draws": 2, "offset": 0}, "offset"),
        ({"n_folds": 1}, "n_folds"),
        ({"covariance": np.eye(3)}, "covariance"),
        ({"covariance": -np.eye(40)}, "covariance"),
        ({"covariance": np.triu(np.ones((40, 40)))}, "covariance must be symmetric"),
        ({"covariance": np.ones((40, 40))}, "positive definite"),
        ({"covariance": PCA()}, "covariance=PCA"),
        ({"mean": np.zeros(3)}, "mean"),
        ({"statistic": "ridge"}, "statistic"),
    ],
)
def test_bad_parameters(strong, options, name):
    with pytest.raises(ValueError, match=name):
        KnockoffSelector(**options).fit(*strong)


def test_bad_data_leave_a_fit_as_it_was(strong):
    X, y = strong
    selector = KnockoffSelector(random_state=0).fit(X, y)
    before = selector.statistics_
    for Z in (np.where(X > 2, np.nan, X), np.where(X > 2, np.inf, X), X[:2], X[:0]):
        with pytest.raises(ValueError, match=r"NaN|infinity|n_samples|minimum of"):
            selector.fit(Z, y[: len(Z)])
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        selector.fit(sparse.csr_array(X), y)
    assert selector.statistics_ is before
    with pytest.raises(ValueError, match="method"):
        gaussian_knockoffs(X, method="asdp")


def test_lines_and_silence(strong, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        KnockoffSelector(n_draws=2, random_state=0, verbose=1).fit(*strong)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        "[KnockoffSelector] draw 1/2",
        "[KnockoffSelector] draw 2/2",
    ]


def test_callbacks_see_the_selection(strong):
    def count(selector, X, y):
        return float(selector.get_support().sum())

    monitor = ScoringMonitor(scoring={"n_selected": count})
    selector = KnockoffSelector(fdr=0.2, n_draws=3, random_state=0)
    selector.set_callbacks(monitor).fit(*strong)
    (row,) = monitor.get_logs().data  # nothing is selected before the last draw
    assert row["task_name"] == "fit"
    assert row["n_selected"] == selector.get_support().sum() > 0
