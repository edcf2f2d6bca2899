"""Certificates of ordinal fits: right ones pass, wrong ones fail, and figures agree."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pandas
import pytest
from scipy import sparse
from scipy.optimize import minimize_scalar
from sklearn.base import clone

from skloss import certify
from skloss.losses import Logit
from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
)

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_conic", Path(__file__).with_name("conic.py")
)
conic = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(conic)

FAMILIES = ("cumulative", "stopping", "continuation", "adjacent")
STRUCTURES = ("fused", "nonparallel", "parallel", "semiparallel")
ORDERINGS = ("observed", "train", "box")
MIXED = {"l1_ratio": 0.4, "base_penalty": 0.3}


def presto(alpha=0.01, **options):
    return PrestoClassifier(alpha, tol=1e-8, max_iter=1000, **options)


MODELS = [
    *[presto(family=family) for family in FAMILIES],
    *[presto(family=family, reverse=True, base="last") for family in FAMILIES],
    *[presto(structure=structure, **MIXED) for structure in STRUCTURES],
    *[presto(structure="semiparallel", family=family) for family in FAMILIES],
    presto(structure="semiparallel", l1_ratio=0.0, base_penalty=0.0),
    presto(structure="semiparallel", base_penalty=2.5),
    presto(0.02, l1_ratio=0.0, base="balanced"),
    presto(0.02, l1_ratio=0.0, base="balanced", reverse=True),
    presto(0.003, base=1, base_penalty=0.0),
    presto(0.0, structure="nonparallel"),
    presto(standardize=False),
    presto(standardize=False, **MIXED),
    presto(penalty_factors=[0.0, 1.0, 3.0, 0.2]),
    presto(l1_ratio=0.0, penalty_factors=[0.0, 1.0, 3.0, 0.2]),
    presto(structure="semiparallel", penalty_factors=[0, 1, 3, 0.2], **MIXED),
    presto(class_weight="balanced", base="balanced"),
    presto(class_weight={0: 3.0, 3: 0.5}),
    presto(categories=[2, 0, 3, 1]),
    presto(categories=[2, 0, 3, 1], class_weight={0: 3.0, 3: 0.5}, family="stopping"),
    presto(link=Logit()),
    ProportionalOddsClassifier(),
    ProportionalOddsClassifier(alpha=0.3, class_weight="balanced"),
    ProportionalOddsClassifier(categories=[3, 2, 1, 0]),
]


@pytest.fixture(scope="module")
def data():
    X, y, w = conic.ordinal_data(n=160, p=4, K=4, seed=0)
    w[5:10] = 0.0
    return X, y, w


@pytest.fixture(scope="module")
def crossing_data():
    """Thresholds of different directions, so that plain fits cross."""
    X, y, w = conic.ordinal_data(n=300, p=6, K=4, seed=3)
    w[5:10] = 0.0
    X[5] = 20 * X[5]  # without weight: it must not widen the box
    return X, y, w


def altered(model, **attributes):
    """The same fit with other attributes."""
    other = clone(model)
    other.__dict__.update(vars(model))
    other.__dict__.update(attributes)
    return other


def check(model, X, y, w=None):
    """Assert that a fit passes, that its objective is so, and that others fail."""
    fitted = clone(model).fit(X, y, sample_weight=w)
    verdict = certify(fitted, X, y, sample_weight=w)
    assert verdict.verdict == "passed", verdict
    assert verdict.objective == pytest.approx(fitted.objective_, rel=1e-7)
    seen = X if w is None else X[w > 0]
    for wrong in (
        altered(fitted, coef_=1.02 * fitted.coef_),
        altered(fitted, coef_=fitted.coef_ + 0.02 / np.ptp(seen, axis=0)),
        altered(fitted, intercept_=fitted.intercept_ + 0.01),
    ):
        verdict = certify(wrong, X, y, sample_weight=w)
        assert verdict.verdict == "failed", verdict
    return fitted


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_right_fits_pass_and_wrong_ones_fail(model, data):
    X, y, w = data
    fitted = check(model, X, y, w)
    # The weights matter: without them it is another problem.
    assert not certify(fitted, X, y)


@pytest.mark.parametrize("K", [2, 3, 6])
@pytest.mark.parametrize("family", FAMILIES)
def test_numbers_of_classes(family, K):
    X, y, _ = conic.ordinal_data(n=150, p=3, K=K, seed=2)
    check(presto(family=family, base="balanced", reverse=K == 3), X, y)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize(
    ("structure", "ordering"),
    [("fused", "train"), ("fused", "box"), ("semiparallel", "train")],
)
def test_orderings(crossing_data, structure, ordering, reverse):
    X, y, w = crossing_data
    options = {"structure": structure, "reverse": reverse}
    fitted = check(presto(0.001, ordering=ordering, **options), X, y, w)
    plain = clone(fitted).set_params(ordering="observed").fit(X, y, w)
    # It has the lower objective, and crosses.
    assert plain.objective_ < (1 - 1e-5) * fitted.objective_
    verdict = certify(altered(plain, ordering=ordering), X, y, sample_weight=w)
    assert verdict.verdict == "failed" and verdict.objective == np.inf
    # It is ordered, and not the best that may cross.
    verdict = certify(altered(fitted, ordering="observed"), X, y, sample_weight=w)
    assert verdict.verdict == "failed" and verdict.objective < np.inf


@pytest.mark.parametrize("wide", ["arrays", "scalars"])
def test_boxes_that_the_user_gives(crossing_data, wide):
    X, y, w = crossing_data
    box = (X.min(axis=0) - 0.5, X.max(axis=0) + 1.0)
    box = box if wide == "arrays" else (min(box[0]), max(box[1]))
    model = presto(0.001, ordering="box", base=1, feature_range=box)
    fitted = check(model, X, y, w)
    assert not certify(altered(fitted, feature_range=None), X, y, sample_weight=w)


@pytest.mark.parametrize("ordering", ["train", "box"])
@pytest.mark.parametrize("family", ["stopping", "cumulative"])
def test_orderings_that_change_nothing(data, family, ordering):
    X, y, w = data
    structure = "parallel" if family == "cumulative" else "fused"
    fitted = check(
        presto(family=family, structure=structure, ordering=ordering), X, y, w
    )
    free = certify(altered(fitted, ordering="observed"), X, y, sample_weight=w)
    assert free.passed


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_the_references_agree_with_another_formulation(crossing_data, ordering):
    X, y, w = crossing_data
    for family, options in (("cumulative", MIXED), ("stopping", {}), ("adjacent", {})):
        model = {"alpha": 0.002, "family": family, "ordering": ordering, **options}
        fitted = PrestoClassifier(**model).fit(X, y, w)
        verdict = certify(fitted, X, y, sample_weight=w)
        best = conic.exponential_cone_optimum(X, y, w, **model)
        assert verdict.reference_objective == pytest.approx(best.objective, rel=1e-7)
        parts = fitted.intercept_, fitted.coef_
        again = conic.objective(X, y, w, *parts, **model)
        assert verdict.objective == pytest.approx(again, rel=1e-12)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("rho", [0.0, 0.7, 5.0])
def test_semiparallel_weights_are_split_at_least_cost(data, l1_ratio, rho):
    """Against a search for the common part, at coefficients that are no optimum."""
    X, y, w = data
    options = {"l1_ratio": l1_ratio, "base_penalty": rho, "structure": "semiparallel"}
    # Of this family all coefficients have a finite loss.
    model = presto(0.01, standardize=False, family="stopping", **options).fit(X, y, w)
    coef = np.random.default_rng(1).normal(size=model.coef_.shape)
    model = altered(model, coef_=coef)

    def cost(c, z):
        u, s = np.append(c - z, z), np.append(np.ones(len(c)), rho)
        return s @ (l1_ratio * np.abs(u) + (1 - l1_ratio) / 2 * u**2)

    def cheapest(c):
        bounds = (min(c.min(), 0), max(c.max(), 0))
        search = {"bounds": bounds, "method": "bounded", "options": {"xatol": 1e-12}}
        return minimize_scalar(lambda z: cost(c, z), **search).fun

    def objective(fit):
        return certify(fit, X, y, sample_weight=w, tol=1e9).objective

    penalty = objective(model) - objective(altered(model, alpha=0.0))
    expected = 0.01 * sum(cheapest(c) for c in coef.T)
    assert penalty == pytest.approx(expected, rel=1e-8)


def test_cross_validated_models_are_judged_at_what_they_chose(data):
    X, y, w = data
    cv = {"alphas": 6, "cv": 3, "random_state": 0, "tol": 1e-8, "max_iter": 1000}
    for options in (
        {"l1_ratio": [0.3, 0.9]},
        {"structure": "semiparallel", "selection": "1se"},
        {"ordering": "box", "class_weight": "balanced", "alphas": [0.02, 0.002]},
    ):
        fitted = check(PrestoClassifierCV(**(cv | options)), X, y, w)
        other = altered(fitted, alpha_=1.5 * fitted.alpha_)
        assert certify(other, X, y, sample_weight=w).verdict == "failed"
    assert certify(PrestoClassifierCV(**cv).fit(X, y), X, y)


@pytest.mark.parametrize("link", ["probit", "cloglog", "loglog", "cauchit"])
def test_other_links_are_refused(data, link):
    X, y, w = data
    for model in (
        PrestoClassifier(link=link),
        PrestoClassifierCV(link=link, alphas=2, cv=2),
        ProportionalOddsClassifier(link=link),
    ):
        name = type(model).__name__
        with pytest.raises(TypeError, match=f"logit link of {name} only.*'{link}'"):
            certify(model.fit(X, y, sample_weight=w), X, y, sample_weight=w)


@pytest.mark.parametrize("ordering", ORDERINGS)
def test_sparse_rows(data, ordering):
    X, y, w = data
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.6, 0, X)
    model = presto(0.004, ordering=ordering).fit(sparse.csr_array(X), y, w)
    verdict = certify(model, sparse.csc_matrix(X), y, sample_weight=w)
    assert verdict
    dense = certify(model, X, y, sample_weight=w)
    assert verdict.objective == pytest.approx(dense.objective, rel=1e-13)
    assert certify(model.sparsify(), X, y, sample_weight=w)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("ordering", ORDERINGS)
def test_sparse_rows_too_many_to_make_dense(data, ordering, standardize, monkeypatch):
    X, y, w = data
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.6, 0, X)
    model = presto(0.004, ordering=ordering, standardize=standardize, **MIXED)
    model.fit(X, y, w)
    dense = certify(model, X, y, sample_weight=w)
    for module in ("skloss.ordinal.certificate", "skloss._conic"):
        monkeypatch.setattr(f"{module}._SMALL", 0)
    verdict = certify(model, sparse.csr_array(X), y, sample_weight=w)
    assert dense and verdict
    assert verdict.objective == pytest.approx(dense.objective, rel=1e-13)


def test_labels_frames_and_single_precision(data):
    X, y, _ = data
    frame = pandas.DataFrame(X, columns=list("abcd"))
    names = pandas.Series(np.array(["low", "mid", "high", "top"])[y])
    ranks = names.astype(
        pandas.CategoricalDtype(["low", "mid", "high", "top"], ordered=True)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in (presto(), ProportionalOddsClassifier()):
            ranked = clone(model).fit(frame, ranks)
            assert ranked.classes_.tolist() == ["low", "mid", "high", "top"]
            assert certify(ranked, frame, ranks)
            given = clone(model).set_params(categories=["low", "mid", "high", "top"])
            assert certify(given.fit(frame, names), frame, names)
    shifted = (X + 1000.0).astype(np.float32)
    for ordering in ORDERINGS:
        model = presto(ordering=ordering).fit(shifted, y)
        assert certify(model, shifted, y)


@pytest.mark.parametrize("l1_ratio", [0.0, 1.0])
def test_constant_equal_and_badly_scaled_columns(data, l1_ratio):
    X, y, _ = data
    X = X * [1e6, 1.0, 1e-5, 1.0] + [0.0, 1e3, 0.0, -1e3]
    X = np.hstack([X, X[:, :1], np.full((len(X), 2), [0.1, 0.0])])
    for ordering in ORDERINGS:
        model = presto(0.005, l1_ratio=l1_ratio, ordering=ordering)
        assert certify(model.fit(X, y), X, y)


def test_more_columns_than_rows():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((50, 80))
    y = np.digitize(X[:, :3].sum(axis=1) + rng.logistic(size=50), [-1.5, 0.5, 2.0])
    for structure in ("fused", "semiparallel"):
        assert certify(presto(0.06, structure=structure).fit(X, y), X, y)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("reverse", [False, True])
def test_the_null_model_predicts_the_shares_of_the_classes(data, family, reverse):
    X, y, w = data
    share = np.bincount(y, w) / w.sum()
    model = presto(10.0, family=family, reverse=reverse).fit(X, y, w)
    verdict = certify(model, X, y, sample_weight=w)
    assert verdict
    entropy = -share @ np.log(share)
    assert verdict.null_objective == pytest.approx(entropy, rel=1e-12)
    assert verdict.objective == pytest.approx(entropy, rel=1e-9)


def test_rare_classes():
    X, y, _ = conic.ordinal_data(n=400, p=4, K=5, seed=5)
    for k in (2, 4):
        rare = np.flatnonzero(y == k)[2:]
        X, y = np.delete(X, rare, axis=0), np.delete(y, rare)
    assert np.bincount(y)[[2, 4]].tolist() == [2, 2]
    for ordering in ORDERINGS:
        check(presto(0.003, ordering=ordering), X, y)
