"""Fits reach the optimum that cvxpy finds for the same model, and say so."""

import importlib.util
import itertools
import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skloss.ordinal import PrestoClassifier, ProportionalOddsClassifier

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
PENALTIES = {
    "paper": {"alpha": 0.01},
    "elastic net": {
        "alpha": 0.005,
        "l1_ratio": 0.4,
        "base_penalty": 0.3,
        "base": "last",
    },
    "free base": {"alpha": 0.003, "base_penalty": 0.0, "base": 1},
    "ridge": {"alpha": 0.02, "l1_ratio": 0.0, "base": "balanced"},
}
LINKS = ("probit", "cloglog", "loglog")


@pytest.fixture(scope="module")
def data():
    return conic.ordinal_data(n=160, p=4, K=4, seed=0)


@pytest.fixture(scope="module")
def crossing_data():
    """Thresholds of different directions, so that plain fits cross."""
    return conic.ordinal_data(n=300, p=6, K=4, seed=3)


def optimum(X, y, w, **model):
    if model.get("link", "logit") == "logit":
        return conic.exponential_cone_optimum(X, y, w, **model)
    return conic.newton_optimum(X, y, w, **model)


def fit(X, y, w=None, **model):
    estimator = PrestoClassifier(tol=1e-8, max_iter=1000, **model)
    return estimator.fit(X, y, sample_weight=w)


def check_optimum(estimator, X, y, w, **model):
    """Assert that the fit is the optimum and that its figures about itself are true.

    ``dual_gap_`` bounds from above how much ``objective_`` exceeds the least value.
    """
    best = optimum(X, y, w, **model)
    assert estimator.kkt_violation_ <= 1e-8
    assert estimator.objective_ == pytest.approx(best.objective, rel=1e-7)
    again = conic.objective(X, y, w, estimator.intercept_, estimator.coef_, **model)
    assert estimator.objective_ == pytest.approx(again, rel=1e-10)
    excess = estimator.objective_ - best.objective
    assert excess - 1e-9 <= estimator.dual_gap_ <= 1e-6


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_and_structure_reaches_the_optimum(
    data, family, structure, penalty
):
    model = {"family": family, "structure": structure} | PENALTIES[penalty]
    check_optimum(fit(*data, **model), *data, **model)


@pytest.mark.parametrize("penalty", ["paper", "elastic net"])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("family", FAMILIES[:3])
@pytest.mark.parametrize("link", LINKS)
def test_every_link_reaches_the_optimum(data, link, family, reverse, penalty):
    model = {"family": family, "link": link, "reverse": reverse} | PENALTIES[penalty]
    check_optimum(fit(*data, **model), *data, **model)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("structure", STRUCTURES[1:])
def test_links_reach_the_optimum_of_every_structure(data, structure, link):
    model = {"alpha": 0.004, "l1_ratio": 0.8, "structure": structure, "link": link}
    check_optimum(fit(*data, **model), *data, **model)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("family", FAMILIES[1:])
def test_reversed_families_reach_the_optimum(data, family, reverse):
    model = {"alpha": 0.008, "family": family, "base": "last", "reverse": reverse}
    check_optimum(fit(*data, **model), *data, **model)


@pytest.mark.parametrize("family", FAMILIES[:3])
@pytest.mark.parametrize("structure", ["fused", "parallel"])
def test_cauchit_stops_where_no_step_lowers_the_objective(data, structure, family):
    model = {"alpha": 0.01, "link": "cauchit", "structure": structure}
    model["family"] = family
    estimator = fit(*data, **model)
    start = (estimator.intercept_, estimator.coef_)
    lower = conic.newton_optimum(*data, start=start, **model)
    assert estimator.objective_ == pytest.approx(lower.objective, rel=1e-9)
    again = conic.objective(*data, *start, **model)
    assert estimator.objective_ == pytest.approx(again, rel=1e-10)
    assert estimator.kkt_violation_ <= 1e-8


# --------------------------------------------------------------------- ordering


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(
    ("ordering", "structure"),
    [("train", structure) for structure in STRUCTURES]
    + [("box", "fused"), ("box", "parallel")],
)
def test_ordered_fits_reach_the_constrained_optimum(data, ordering, structure, penalty):
    model = {"ordering": ordering, "structure": structure} | PENALTIES[penalty]
    check_optimum(fit(*data, **model), *data, **model)


@pytest.mark.parametrize("structure", ["nonparallel", "semiparallel"])
def test_box_is_refused_where_no_block_is_the_change_between_thresholds(
    data, structure
):
    with pytest.raises(ValueError, match=f"ordering='box'.*'{structure}'"):
        fit(*data, ordering="box", structure=structure)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("ordering", ["train", "box"])
@pytest.mark.parametrize("link", LINKS)
def test_ordered_fits_of_every_link_reach_the_constrained_optimum(
    data, link, ordering, reverse
):
    model = {"alpha": 0.003, "link": link, "ordering": ordering, "reverse": reverse}
    check_optimum(fit(*data, **model), *data, **model)


@pytest.mark.parametrize("alpha", [0.01, 0.001, 0.0001])
@pytest.mark.parametrize("ordering", ["observed", "train", "box"])
def test_ordering_where_plain_fits_cross(crossing_data, ordering, alpha):
    X, y, w = crossing_data
    model = {"alpha": alpha, "ordering": ordering}
    estimator = fit(X, y, w, **model)
    check_optimum(estimator, X, y, w, **model)
    crossed = conic.crossings(X, estimator.intercept_, estimator.coef_)
    assert estimator.n_crossings_ == crossed
    assert crossed > 10 if ordering == "observed" else crossed == 0


@pytest.mark.parametrize("alpha", [0.01, 0.0001])
@pytest.mark.parametrize("wide", [False, True])
def test_box_fits_do_not_cross_anywhere_in_the_box(crossing_data, wide, alpha):
    X, y, w = crossing_data
    low, high = X.min(axis=0), X.max(axis=0)
    model = {"alpha": alpha, "ordering": "box"}
    if wide:
        low, high = low - 0.5 * (high - low), high + (high - low)
        model["feature_range"] = (low, high)
    estimator = fit(X, y, w, **model)
    check_optimum(estimator, X, y, w, **model)
    corners = np.array(list(itertools.product(*zip(low, high))))
    points = np.random.default_rng(0).uniform(low, high, (100_000, len(low)))
    for rows in (corners, points):
        above = estimator.predict_cumulative(rows)
        assert np.diff(above, axis=1).max() <= 1e-12


@pytest.mark.parametrize("ordering", ["train", "box"])
@pytest.mark.parametrize("factors", [[0, 1, 1, 2], [0, 0, 0, 0]], ids=str)
@pytest.mark.parametrize("seed", [26, 28])
def test_ordered_fits_of_unpenalised_features(seed, factors, ordering):
    """Where those features would cross freely, and most of their entries are zero."""
    X, y, _ = conic.ordinal_data(n=150, p=4, K=6, seed=seed)
    X = np.where(np.random.default_rng(seed).random(X.shape) < 0.5, 0, X)
    model = {"alpha": 0.001, "ordering": ordering, "penalty_factors": factors}
    check_optimum(fit(X, y, **model), X, y, None, **model)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("ordering", ["observed", "box"])
def test_a_fit_warns_only_when_it_missed_its_tolerance(ordering, seed):
    X, y, w = conic.ordinal_data(n=150, p=4, K=4, seed=seed)
    estimator = PrestoClassifier(0.008, ordering=ordering, tol=1e-10, max_iter=1000)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        estimator.fit(X, y, sample_weight=w)
    assert bool(caught) == (estimator.kkt_violation_ > 1e-10)


def test_ordering_costs_what_it_must(crossing_data):
    values = [
        fit(*crossing_data, alpha=0.001, ordering=ordering).objective_
        for ordering in ("observed", "train", "box")
    ]
    assert values[0] < values[1] < values[2]


# ------------------------------------------------------------------ other inputs


@pytest.mark.parametrize(
    ("structure", "ordering"),
    [
        ("fused", "observed"),
        ("fused", "train"),
        ("fused", "box"),
        ("semiparallel", "observed"),
        ("semiparallel", "train"),
    ],
)
def test_penalty_factors(data, structure, ordering):
    model = {"alpha": 0.01, "structure": structure, "ordering": ordering}
    model["penalty_factors"] = np.array([0.0, 1.0, 3.0, 0.2])
    check_optimum(fit(*data, **model), *data, **model)


@pytest.mark.parametrize("ordering", ["observed", "box"])
@pytest.mark.parametrize("link", ["logit", "probit"])
def test_features_in_their_own_units(data, link, ordering):
    X, y, w = data
    X = (X - X.mean(axis=0)) / X.std(axis=0) * [0.5, 1.0, 2.0, 1.0]
    model = {"alpha": 0.01, "standardize": False, "link": link, "ordering": ordering}
    check_optimum(fit(X, y, w, **model), X, y, w, **model)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("K", [2, 3, 7])
def test_numbers_of_classes(K, family):
    X, y, w = conic.ordinal_data(n=150, p=3, K=K, seed=2)
    model = {"alpha": 0.01, "family": family, "base": "last"}
    check_optimum(fit(X, y, w, **model), X, y, w, **model)


def test_without_weights_or_with_few_rows_of_a_class():
    X, y, _ = conic.ordinal_data(n=200, p=4, K=4, seed=5)
    rare = np.flatnonzero(y == 3)[2:]
    X, y = np.delete(X, rare, axis=0), np.delete(y, rare)
    assert np.bincount(y)[3] == 2
    for ordering in ("observed", "train", "box"):
        model = {"alpha": 0.005, "ordering": ordering}
        check_optimum(fit(X, y, **model), X, y, None, **model)


@pytest.mark.parametrize("l1_ratio", [1.0, 0.5])
def test_equal_and_constant_columns(data, l1_ratio):
    X, y, w = data
    X = np.hstack([X, X[:, :2], np.full((len(X), 1), 3.0)])
    model = {"alpha": 0.005, "l1_ratio": l1_ratio}
    estimator = fit(X, y, w, **model)
    check_optimum(estimator, X, y, w, **model)
    assert np.all(estimator.coef_[:, -1] == 0)


@pytest.mark.parametrize(
    ("n", "p", "family", "structure"),
    [
        (80, 300, "cumulative", "fused"),
        (50, 120, "stopping", "fused"),
        (50, 120, "adjacent", "fused"),
        (50, 120, "cumulative", "nonparallel"),
        (50, 120, "cumulative", "semiparallel"),
    ],
)
def test_more_features_than_rows(n, p, family, structure):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((n, p))
    y = np.digitize(X[:, :3].sum(axis=1) + rng.logistic(size=n), [-1.5, 0.5, 2.0])
    model = {"alpha": 0.06, "family": family, "structure": structure}
    estimator = fit(X, y, **model)
    check_optimum(estimator, X, y, None, **model)
    assert 0 < np.any(estimator.coef_, axis=0).sum() < n


@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("ordering", ["observed", "train", "box"])
def test_sparse_rows(form, ordering):
    X, y, w = conic.ordinal_data(n=160, p=5, K=4, seed=4)
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.6, 0, X)
    model = {"alpha": 0.004, "ordering": ordering}
    estimator = fit(form(X), y, w, **model)
    check_optimum(estimator, X, y, w, **model)
    dense = fit(X, y, w, **model)
    np.testing.assert_allclose(
        estimator.predict_proba(form(X)), dense.predict_proba(X), atol=1e-6
    )


def test_sparse_rows_with_more_features_than_rows():
    rng = np.random.default_rng(2)
    X = sparse.random_array((60, 120), density=0.15, rng=rng).toarray()
    score = 3 * X[:, :4].sum(axis=1) + rng.logistic(size=60)
    y = np.digitize(score, np.quantile(score, [0.4, 0.7, 0.9]))
    model = {"alpha": 0.05}
    estimator = fit(sparse.csr_array(X), y, **model)
    check_optimum(estimator, X, y, None, **model)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("structure", ["nonparallel", "parallel"])
def test_no_penalty(data, family, structure):
    model = {"alpha": 0.0, "family": family, "structure": structure}
    estimator = fit(*data, **model)
    best = optimum(*data, **model)
    assert estimator.objective_ == pytest.approx(best.objective, rel=1e-9)
    np.testing.assert_allclose(estimator.coef_, best.coef, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
@pytest.mark.parametrize("link", ["logit", *LINKS])
def test_proportional_odds(data, link, alpha):
    X, y, w = data
    estimator = ProportionalOddsClassifier(link=link, alpha=alpha).fit(X, y, w)
    model = {"structure": "parallel", "l1_ratio": 0.0, "standardize": False}
    model["link"] = link
    best = optimum(X, y, w, alpha=alpha, **model)
    assert estimator.objective_ == pytest.approx(best.objective, rel=1e-9)
    np.testing.assert_allclose(estimator.coef_, best.coef[:1], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(estimator.intercept_, best.intercept, rtol=1e-5)
    loss = conic.objective(X, y, w, best.intercept, best.coef, **model | {"alpha": 0.0})
    assert estimator.log_likelihood_ == pytest.approx(-loss * w.sum(), rel=1e-8)
