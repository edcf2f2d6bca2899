"""Where a model coincides with another one, and how its path begins and goes on."""

import importlib.util
from pathlib import Path

import cvxpy as cp
import numpy as np
import pytest
import statsmodels.api as sm
from sklearn.linear_model import LogisticRegression
from statsmodels.miscmodels.ordinal_model import OrderedModel

from skloss.ordinal import PrestoClassifier, ProportionalOddsClassifier, presto_path

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_conic", Path(__file__).with_name("conic.py")
)
conic = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(conic)

pytestmark = pytest.mark.filterwarnings(
    "error::sklearn.exceptions.ConvergenceWarning",
)

FAMILIES = ("cumulative", "stopping", "continuation", "adjacent")
STRUCTURES = ("fused", "nonparallel", "parallel", "semiparallel")


@pytest.fixture(scope="module")
def data():
    return conic.ordinal_data(n=160, p=4, K=4, seed=0)


def fit(X, y, w=None, *, tol=1e-9, **model):
    estimator = PrestoClassifier(tol=tol, max_iter=1000, **model)
    return estimator.fit(X, y, sample_weight=w)


def standardised(X, w):
    center = np.average(X, axis=0, weights=w)
    scale = np.sqrt(np.average((X - center) ** 2, axis=0, weights=w))
    return (X - center) / scale, center, scale


def logistic_regression(Z, y, w, alpha, l1_ratio=1.0):
    """Minimum of sum w loss + alpha * penalty, weights as they are."""
    model = LogisticRegression(
        C=1 / alpha, l1_ratio=l1_ratio, solver="saga", tol=1e-10, max_iter=100_000
    )
    model.fit(Z, y, sample_weight=w)
    return model.intercept_[0], model.coef_[0]


def blocks_of(estimator, X, w, structure, base="first"):
    """Blocks (q, p) in standardised units."""
    _, _, scale = standardised(X, w)
    T, _ = conic.blocks(structure, base, len(estimator.coef_))
    return np.linalg.lstsq(T, estimator.coef_ * scale, rcond=None)[0]


# --------------------------------------------------------- other models as limits


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("structure", ["fused", "nonparallel", "parallel"])
@pytest.mark.parametrize("family", FAMILIES)
def test_two_classes_are_logistic_regression(family, structure, l1_ratio):
    X, y, w = conic.ordinal_data(n=150, p=5, K=2, seed=1)
    Z, center, scale = standardised(X, w)
    intercept, coef = logistic_regression(Z, y, w / w.sum(), 0.02, l1_ratio)
    coef = coef / scale
    estimator = fit(
        X, y, w, alpha=0.02, l1_ratio=l1_ratio, family=family, structure=structure
    )
    np.testing.assert_allclose(estimator.coef_, [coef], rtol=1e-5, atol=1e-6)
    expected = intercept - coef @ center
    assert estimator.intercept_ == pytest.approx(expected, rel=1e-5, abs=1e-6)
    losses = np.logaddexp(0, -(2 * y - 1) * (expected + X @ coef))
    size = np.abs(coef * scale)
    penalty = np.sum(l1_ratio * size + (1 - l1_ratio) / 2 * size**2)
    value = np.average(losses, weights=w) + 0.02 * penalty
    assert estimator.objective_ == pytest.approx(value, rel=1e-7)


def test_two_classes_predict_as_logistic_regression(data):
    X, y, w = conic.ordinal_data(n=150, p=5, K=2, seed=1)
    estimator = fit(X, y, w, alpha=0.01)
    score = estimator.intercept_ + X @ estimator.coef_[0]
    assert estimator.decision_function(X).shape == (150,)
    np.testing.assert_allclose(estimator.decision_function(X), score)
    np.testing.assert_allclose(
        estimator.predict_proba(X)[:, 1], 1 / (1 + np.exp(-score))
    )


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("base", ["first", "last"])
def test_free_base_and_much_penalty_are_proportional_odds(data, base, l1_ratio):
    X, y, w = data
    estimator = fit(X, y, w, alpha=1e3, base_penalty=0.0, base=base, l1_ratio=l1_ratio)
    odds = ProportionalOddsClassifier(tol=1e-10).fit(X, y, w)
    reference = conic.exponential_cone_optimum(X, y, w, structure="parallel", alpha=0.0)
    np.testing.assert_allclose(odds.coef_, reference.coef[:1], rtol=1e-6, atol=1e-8)
    if l1_ratio == 1:
        assert np.all(estimator.coef_ == estimator.coef_[0])
    # With a share of ridge the differences only fade, as 1 / alpha.
    tolerance = {"rtol": 1e-6} if l1_ratio == 1 else {"rtol": 5e-3, "atol": 1e-3}
    for row in estimator.coef_:
        np.testing.assert_allclose(row, odds.coef_[0], **tolerance)


@pytest.mark.parametrize("penalised", [True, False])
def test_stopping_without_sharing_is_one_logistic_regression_per_threshold(
    data, penalised
):
    X, y, w = data
    Z, center, scale = standardised(X, w)
    alpha = 0.01 if penalised else 1e-6
    estimator = fit(
        X, y, w, alpha=alpha, family="stopping", structure="nonparallel", tol=1e-10
    )
    for k in range(3):
        at_risk = y >= k
        intercept, coef = logistic_regression(
            Z[at_risk], y[at_risk] > k, w[at_risk] / w.sum(), alpha
        )
        coef = coef / scale
        np.testing.assert_allclose(estimator.coef_[k], coef, rtol=1e-4, atol=1e-6)
        expected = intercept - coef @ center
        assert estimator.intercept_[k] == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("base", ["first", "last"])
def test_stopping_fused_is_lasso_logistic_on_the_expanded_design(data, base):
    """One row for each step that a row faces, one column for each block's feature."""
    X, y, w = data
    Z, _, scale = standardised(X, w)
    T, _ = conic.blocks("fused", base, 3)
    i, k = np.nonzero(np.arange(3) <= y[:, None])
    design = (T[k][:, :, None] * Z[i][:, None, :]).reshape(len(i), -1)
    went_on = np.where(y[i] > k, 1.0, -1.0)
    intercepts, weights = cp.Variable(3), cp.Variable(design.shape[1])
    margin = cp.multiply(went_on, np.eye(3)[k] @ intercepts + design @ weights)
    loss = (w[i] / w.sum()) @ cp.logistic(-margin)
    program = cp.Problem(cp.Minimize(loss + 0.007 * cp.norm1(weights)))
    least = conic.solve(program)
    estimator = fit(X, y, w, alpha=0.007, family="stopping", base=base)
    assert estimator.objective_ == pytest.approx(least, rel=1e-8)
    expected = T @ weights.value.reshape(3, -1) / scale
    np.testing.assert_allclose(estimator.coef_, expected, rtol=1e-4, atol=1e-5)


def test_adjacent_without_sharing_is_multinomial_regression(data):
    X, y, w = data
    estimator = fit(X, y, w, alpha=0.0, family="adjacent", structure="nonparallel")
    Z, _, scale = standardised(X, w)
    model = LogisticRegression(C=np.inf, solver="newton-cg", tol=1e-12, max_iter=10_000)
    model.fit(Z, y, sample_weight=w)
    np.testing.assert_allclose(
        estimator.coef_ * scale, np.diff(model.coef_, axis=0), rtol=1e-5, atol=1e-6
    )
    np.testing.assert_allclose(
        estimator.predict_proba(X), model.predict_proba(Z), atol=1e-7
    )


@pytest.mark.parametrize("link", ["logit", "probit", "cauchit"])
def test_continuation_is_stopping_for_symmetric_links(data, link):
    X, y, w = data
    one, other = (
        fit(X, y, w, alpha=0.01, link=link, family=family)
        for family in ("stopping", "continuation")
    )
    np.testing.assert_allclose(one.coef_, other.coef_, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-9)


# --------------------------------------------------------------------- reversing


@pytest.mark.parametrize("link", ["logit", "probit", "cauchit"])
def test_reversed_classes_negate_a_fit_with_a_free_base(data, link):
    X, y, w = data
    model = {"alpha": 0.01, "base_penalty": 0.0, "link": link}
    here, there = fit(X, y, w, **model), fit(X, 3 - y, w, **model)
    np.testing.assert_allclose(there.coef_, -here.coef_[::-1], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(there.intercept_, -here.intercept_[::-1], rtol=1e-5)


@pytest.mark.parametrize("family", ["cumulative", "adjacent"])
@pytest.mark.parametrize("ordering", ["observed", "train", "box"])
def test_last_base_mirrors_the_first(data, ordering, family):
    X, y, w = data
    model = {"alpha": 0.006, "family": family, "ordering": ordering, "tol": 1e-8}
    here = fit(X, y, w, base="first", **model)
    there = fit(X, 3 - y, w, base="last", **model)
    assert here.objective_ == pytest.approx(there.objective_, rel=1e-8)
    np.testing.assert_allclose(there.coef_, -here.coef_[::-1], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog", "cauchit"])
@pytest.mark.parametrize("family", FAMILIES[:3])
def test_reverse_is_a_fit_of_the_reversed_classes(data, family, link):
    X, y, w = data
    model = {"alpha": 0.006, "family": family, "link": link}
    here = fit(X, y, w, reverse=True, **model)
    there = fit(X, 3 - y, w, **model)
    np.testing.assert_allclose(here.coef_, -there.coef_[::-1], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(here.intercept_, -there.intercept_[::-1], rtol=1e-7)
    np.testing.assert_allclose(
        here.predict_proba(X), there.predict_proba(X)[:, ::-1], atol=1e-9
    )
    assert here.objective_ == pytest.approx(there.objective_, rel=1e-10)
    assert here.alpha_max_ == pytest.approx(there.alpha_max_, rel=1e-10)


# ---------------------------------------------------------------------- the path


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
@pytest.mark.parametrize("base", ["first", "last"])
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("family", FAMILIES)
def test_at_alpha_max_nothing_moves_and_just_below_one_coordinate(
    data, family, structure, base, l1_ratio
):
    X, y, w = data
    model = {"family": family, "structure": structure, "base": base}
    model["l1_ratio"] = l1_ratio
    top = fit(X, y, w, alpha=1.0, **model).alpha_max_
    for factor in (1 + 1e-10, 2.0):
        null = fit(X, y, w, alpha=factor * top, **model)
        assert np.all(null.coef_ == 0)
        share = np.bincount(y, w) / w.sum()
        np.testing.assert_allclose(
            null.predict_proba(X), np.tile(share, (len(X), 1)), rtol=1e-7
        )
    below = fit(X, y, w, alpha=0.995 * top, **model)
    moved = below.coef_
    if structure == "fused":
        moved = blocks_of(below, X, w, structure, base)
    if structure in ("parallel", "semiparallel"):  # common to all thresholds
        moved = np.abs(moved).max(axis=0)
    assert np.sum(np.abs(moved) > 1e-12) == 1


@pytest.mark.parametrize("link", ["probit", "cloglog", "loglog"])
@pytest.mark.parametrize("family", FAMILIES[:3])
def test_alpha_max_of_links(data, family, link):
    X, y, w = data
    top = fit(X, y, w, alpha=1.0, family=family, link=link).alpha_max_
    null = fit(X, y, w, alpha=top * (1 + 1e-10), family=family, link=link)
    assert np.all(null.coef_ == 0)
    share = np.bincount(y, w) / w.sum()
    np.testing.assert_allclose(null.predict_proba(X)[0], share, rtol=1e-7)
    below = fit(X, y, w, alpha=0.995 * top, family=family, link=link)
    assert np.sum(np.abs(blocks_of(below, X, w, "fused")) > 1e-12) == 1


@pytest.mark.parametrize(
    "model",
    [
        {"penalty_factors": [0.0, 1.0, 2.0, 0.5]},
        {"base_penalty": 0.0},
        {"base_penalty": 0.2, "l1_ratio": 0.3},
        {"l1_ratio": 0.0},
    ],
    ids=str,
)
def test_alpha_max_with_free_coordinates(data, model):
    """Largest slope of the loss where only free coordinates are fitted."""
    X, y, w = data
    v = np.array(model.get("penalty_factors", np.ones(4)), dtype=float)
    rho = np.array([model.get("base_penalty", 1.0), 1.0, 1.0])
    cost = rho[:, None] * v
    # Fit of the free part: a penalty that holds everything else at zero.
    held = conic.exponential_cone_optimum(
        X, y, w, alpha=100.0, penalty_factors=v, base_penalty=rho[0]
    )
    T, _ = conic.blocks("fused", "first", 3)
    _, center, scale = standardised(X, w)

    def loss(block, j, h):
        change = np.zeros((3, 4))
        change[:, j] = h * T[:, block] / scale[j]
        intercept = held.intercept - change @ center
        return conic.objective(X, y, w, intercept, held.coef + change, alpha=0.0)

    slopes = [
        abs(loss(b, j, 1e-5) - loss(b, j, -1e-5)) / 2e-5 / cost[b, j]
        for b, j in zip(*np.nonzero(cost))
    ]
    expected = max(slopes) / max(model.get("l1_ratio", 1.0), 0.01)
    estimator = fit(X, y, w, alpha=0.01, **model)
    assert estimator.alpha_max_ == pytest.approx(expected, rel=1e-5)


PATHS = {
    "paper": {},
    "elastic net, free base": {"l1_ratio": 0.5, "base_penalty": 0.0},
    "train": {"ordering": "train"},
    "box": {"ordering": "box"},
    "stopping, probit": {"family": "stopping", "link": "probit"},
    "adjacent, semiparallel": {"family": "adjacent", "structure": "semiparallel"},
}


@pytest.mark.parametrize("model", PATHS.values(), ids=PATHS)
def test_path_is_the_fits_and_its_objective_rises_in_alpha_and_is_concave(data, model):
    X, y, w = data
    tol = 1e-8
    alphas, intercepts, coefs, _ = presto_path(
        X, y, n_alphas=12, eps=1e-2, sample_weight=w, tol=tol, max_iter=1000, **model
    )
    assert alphas.shape == (12,)
    assert intercepts.shape == (12, 3)
    assert coefs.shape == (12, 3, 4)
    np.testing.assert_allclose(alphas, alphas[0] * np.geomspace(1, 1e-2, 12))
    values = []
    for alpha, intercept, coef in zip(alphas, intercepts, coefs):
        cold = fit(X, y, w, alpha=alpha, tol=tol, **model)
        assert alphas[0] == pytest.approx(cold.alpha_max_, rel=1e-9)
        value = conic.objective(X, y, w, intercept, coef, alpha=alpha, **model)
        assert abs(value - cold.objective_) <= 10 * tol
        values.append(value)
        here, there = (
            conic.probabilities(
                X,
                *fitted,
                model.get("family", "cumulative"),
                model.get("link", "logit"),
            )
            for fitted in ((intercept, coef), (cold.intercept_, cold.coef_))
        )
        np.testing.assert_allclose(here, there, atol=1e-4)
    slopes = np.diff(values) / np.diff(alphas)
    assert np.all(slopes >= -1e-9)
    assert np.all(np.diff(slopes) >= -1e-6)  # alphas fall


def test_path_follows_given_alphas(data):
    X, y, w = data
    alphas, _, coefs, _ = presto_path(X, y, alphas=[0.001, 0.03], sample_weight=w)
    np.testing.assert_array_equal(alphas, [0.03, 0.001])
    reference = conic.exponential_cone_optimum(X, y, w, alpha=0.001)
    np.testing.assert_allclose(coefs[1], reference.coef, rtol=1e-2, atol=1e-2)


def test_weaker_penalties_never_freeze(data):
    """Crossing hyperplanes do not stop the path: each step lowers the loss."""
    X, y, w = conic.ordinal_data(n=300, p=6, K=4, seed=3)
    _, intercepts, coefs, _ = presto_path(X, y, n_alphas=20, eps=1e-4, sample_weight=w)
    losses = [
        conic.objective(X, y, w, intercept, coef, alpha=0.0)
        for intercept, coef in zip(intercepts, coefs)
    ]
    assert np.all(np.diff(losses) < 0)
    crossed = conic.crossings(X, intercepts[-1], coefs[-1])
    assert crossed > 10


# --------------------------------------------------------------- proportional odds


def _fair():
    table = sm.datasets.fair.load_pandas().data
    y = table.pop("rate_marriage")
    return table.to_numpy(dtype=float), y.to_numpy(dtype=int)


def _anes96():
    table = sm.datasets.anes96.load_pandas()
    return table.exog.to_numpy(dtype=float), table.endog.to_numpy(dtype=int)


@pytest.mark.parametrize("link", ["logit", "probit"])
@pytest.mark.parametrize("load", [_fair, _anes96])
def test_proportional_odds_is_the_ordered_model_of_statsmodels(load, link):
    X, y = load()
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    peer = OrderedModel(y, Z, distr=link)
    result = peer.fit(method="bfgs", maxiter=500, gtol=1e-7, disp=0)
    ours = ProportionalOddsClassifier(link=link).fit(X, y)
    assert ours.log_likelihood_ == pytest.approx(result.llf, abs=1e-5)
    p = X.shape[1]
    np.testing.assert_allclose(
        ours.coef_[0] * X.std(axis=0), result.params[:p], rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(
        ours.predict_proba(X), result.predict(Z), rtol=1e-4, atol=1e-7
    )
    errors = np.sqrt(np.diagonal(ours.covariance_))[-p:] * X.std(axis=0)
    np.testing.assert_allclose(errors, result.bse[:p], rtol=2e-3)
    thresholds = peer.transform_threshold_params(result.params)[1:-1]
    shift = ours.coef_[0] @ X.mean(axis=0)
    np.testing.assert_allclose(ours.thresholds_ - shift, thresholds, rtol=1e-4)


def test_known_log_likelihoods_of_anes96():
    """Those of two other optimisers, which agree to the digits given."""
    X, y = _anes96()
    for link, expected in {"logit": -1494.619506978, "probit": -1501.439806424}.items():
        ours = ProportionalOddsClassifier(link=link).fit(X, y)
        assert ours.log_likelihood_ == pytest.approx(expected, abs=1e-6)
        model = {"structure": "parallel", "alpha": 0.0, "link": link}
        again = conic.newton_optimum(X, y, **model)
        assert ours.log_likelihood_ == pytest.approx(-again.objective * len(y))


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "loglog"])
def test_covariance_is_the_inverse_of_the_curvature_of_the_log_likelihood(data, link):
    """Second differences where features are centred, carried over to those given."""
    X, y, w = data
    Z, center, scale = standardised(X, w)
    fitted = ProportionalOddsClassifier(link=link).fit(Z, y, w)
    estimate = np.append(fitted.intercept_, fitted.coef_[0])
    h = 2e-3

    def loss(*steps):
        at = estimate.copy()
        for j, step in steps:
            at[j] += step
        coef = np.tile(at[3:], (3, 1))
        model = {"structure": "parallel", "alpha": 0.0, "link": link}
        return w.sum() * conic.objective(Z, y, w, at[:3], coef, **model)

    H = np.empty((7, 7))
    for i, j in np.ndindex(7, 7):
        there = loss((i, h), (j, h)) + loss((i, -h), (j, -h))
        H[i, j] = (there - loss((i, h), (j, -h)) - loss((i, -h), (j, h))) / (4 * h * h)
    change = np.diag(np.append(np.ones(3), 1 / scale))
    change[:3, 3:] = -center / scale
    expected = change @ np.linalg.inv(H) @ change.T
    covariance = ProportionalOddsClassifier(link=link).fit(X, y, w).covariance_
    unit = np.sqrt(np.diagonal(expected))
    np.testing.assert_allclose(
        covariance / np.outer(unit, unit), expected / np.outer(unit, unit), atol=1e-3
    )
