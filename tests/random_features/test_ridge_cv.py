"""Leave-one-out, GCV and folds against refits, scikit-learn and each other."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneOut,
    RepeatedKFold,
    ShuffleSplit,
    cross_val_score,
)

from skloss.random_features import RandomFeatureRidge, RandomFeatureRidgeCV

ALPHAS = np.logspace(-3, 2, 11)
OPTIONS = {"gamma": 0.1, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore:The best alpha")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 4))
    Y = np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2, X[:, 2] - 7.0])
    return X, Y + 0.3 * rng.normal(size=Y.shape), rng.integers(1, 4, 120).astype(float)


@pytest.mark.parametrize("width", [50, 300])
@pytest.mark.parametrize("n_targets", [1, 2])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_leave_one_out_is_ridge_cv_on_the_features(
    rows, width, n_targets, weighted, fit_intercept
):
    X, Y, weight = rows
    y, weight = (Y[:, 0] if n_targets == 1 else Y), weight if weighted else None
    model = RandomFeatureRidgeCV(
        width,
        alphas=ALPHAS,
        fit_intercept=fit_intercept,
        store_cv_results=True,
        **OPTIONS,
    ).fit(X, y, weight)
    Z = model.random_features_.transform(X)
    peer = RidgeCV(ALPHAS, store_cv_results=True, fit_intercept=fit_intercept)
    peer.fit(Z, y, weight)
    assert model.alpha_ == peer.alpha_
    np.testing.assert_allclose(model.best_score_, peer.best_score_, rtol=1e-9)
    np.testing.assert_allclose(model.cv_results_, peer.cv_results_, rtol=1e-7)
    np.testing.assert_allclose(model.predict(X), peer.predict(Z), rtol=1e-8, atol=1e-9)


def test_scores_by_a_scorer_and_one_penalty_for_each_target(rows):
    X, Y, _ = rows
    model = RandomFeatureRidgeCV(
        50,
        alphas=ALPHAS,
        scoring="neg_mean_absolute_error",
        alpha_per_target=True,
        store_cv_results=True,
        **OPTIONS,
    ).fit(X, Y)
    Z = model.random_features_.transform(X)
    peer = RidgeCV(
        ALPHAS,
        scoring="neg_mean_absolute_error",
        alpha_per_target=True,
        store_cv_results=True,
    ).fit(Z, Y)
    np.testing.assert_array_equal(model.alpha_, peer.alpha_)
    np.testing.assert_allclose(model.best_score_, peer.best_score_, rtol=1e-9)
    np.testing.assert_allclose(model.coef_, peer.coef_, rtol=1e-7, atol=1e-9)
    left_out = np.array(
        [
            Ridge(ALPHAS[3]).fit(np.delete(Z, i, 0), np.delete(Y, i, 0)).predict(Z[[i]])
            for i in range(len(X))
        ]
    )[:, 0]
    np.testing.assert_allclose(model.cv_results_[:, :, 3], left_out, rtol=1e-9)


@pytest.mark.parametrize("width", [30, 200, np.inf])
def test_leave_one_out_is_what_refits_say(rows, width):
    X, Y, weight = (part[:40] for part in rows)
    model = RandomFeatureRidgeCV(
        width, alphas=[1e-2, 1.0], store_cv_results=True, **OPTIONS
    ).fit(X, Y, weight)
    for at, alpha in enumerate((1e-2, 1.0)):
        ridge = RandomFeatureRidge(width, alpha=alpha, **OPTIONS)
        for i in range(0, 40, 7):
            rest = np.arange(40) != i
            left_out = ridge.fit(X[rest], Y[rest], weight[rest]).predict(X[[i]])[0]
            np.testing.assert_allclose(
                model.cv_results_[i, :, at], weight[i] * (Y[i] - left_out) ** 2, 1e-6
            )


@pytest.mark.parametrize("width", [300, np.inf])
def test_interpolating_models_have_finite_errors(rows, width):
    X, Y, _ = rows
    model = RandomFeatureRidgeCV(
        width, alphas=[0.0, 1e-15, 1e-12], activation="cos", gamma=2.0, random_state=0
    ).fit(X, Y)
    assert np.isfinite(model.cv_scores_).all()
    np.testing.assert_allclose(model.cv_scores_, model.cv_scores_[0, 0], rtol=1e-6)


@pytest.mark.parametrize("width", [50, 300, np.inf])
@pytest.mark.parametrize("weighted", [False, True])
def test_gcv_is_that_of_each_fit(rows, width, weighted):
    X, Y, weight = rows
    weight = weight if weighted else None
    model = RandomFeatureRidgeCV(width, alphas=ALPHAS, cv="gcv", **OPTIONS)
    model.fit(X, Y, weight)
    for at in (0, 5, 10):
        ridge = RandomFeatureRidge(
            width, alpha=ALPHAS[at], precision="float64", **OPTIONS
        ).fit(X, Y, weight)
        np.testing.assert_allclose(
            -model.cv_scores_[0, at], np.mean(ridge.gcv_score_), rtol=1e-8
        )


def test_gcv_leaves_rows_out_where_sums_have_no_digits(rows):
    X = rows[0]
    y = X @ [1.0, -2.0, 0.5, 3.0]
    model = RandomFeatureRidgeCV(
        20, activation="linear", alphas=[1e-12, 1e-9], cv="gcv", **OPTIONS
    )
    with pytest.warns(UserWarning, match="which sums cannot tell"):
        model.fit(X, y)
    assert -1e-15 < model.best_score_ <= 0


@pytest.mark.parametrize(
    "cv",
    [
        4,
        KFold(4, shuffle=True, random_state=0),
        ShuffleSplit(3, random_state=0),
        RepeatedKFold(n_splits=3, n_repeats=2, random_state=0),
    ],
    ids=lambda cv: type(cv).__name__,
)
@pytest.mark.parametrize("scoring", [None, "r2"])
def test_folds_are_refits(rows, cv, scoring):
    X, Y, _ = rows
    widths = (30, 60, 300, np.inf)
    model = RandomFeatureRidgeCV(
        widths, alphas=ALPHAS, cv=cv, scoring=scoring, **OPTIONS
    ).fit(X, Y)
    scoring = scoring or "neg_mean_squared_error"
    for i, width in enumerate(widths):
        for j in (0, 4, 10):
            ridge = RandomFeatureRidge(width, alpha=ALPHAS[j], **OPTIONS)
            expected = cross_val_score(ridge, X, Y, cv=cv, scoring=scoring).mean()
            np.testing.assert_allclose(model.cv_scores_[i, j], expected, rtol=1e-9)
    best = np.unravel_index(model.cv_scores_.argmax(), model.cv_scores_.shape)
    assert (model.n_components_, model.alpha_) == (widths[best[0]], ALPHAS[best[1]])
    refit = RandomFeatureRidge(model.n_components_, alpha=model.alpha_, **OPTIONS)
    np.testing.assert_allclose(
        model.predict(X), refit.fit(X, Y).predict(X), rtol=1e-7, atol=1e-8
    )


def test_folds_of_one_row_are_leave_one_out(rows):
    X, Y, _ = rows
    scores = [
        RandomFeatureRidgeCV([20, 200], alphas=ALPHAS, cv=cv, **OPTIONS)
        .fit(X[:60], Y[:60])
        .cv_scores_
        for cv in (None, LeaveOneOut())
    ]
    np.testing.assert_allclose(scores[0], scores[1], rtol=1e-8)


def test_weights_of_folds_are_repetitions(rows):
    X, Y, weight = rows
    group = np.arange(120) % 3
    repeat = np.repeat(np.arange(120), weight.astype(int))
    weighted = RandomFeatureRidgeCV([40, 200], alphas=ALPHAS, cv=GroupKFold(3))
    weighted.set_params(**OPTIONS).fit(X, Y, weight, groups=group)
    repeated = RandomFeatureRidgeCV([40, 200], alphas=ALPHAS, cv=GroupKFold(3))
    repeated.set_params(**OPTIONS).fit(X[repeat], Y[repeat], groups=group[repeat])
    np.testing.assert_allclose(weighted.cv_scores_, repeated.cv_scores_, rtol=1e-8)
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=1e-7)


@pytest.mark.parametrize("cv", [None, 3])
def test_rows_without_weight_do_not_cost_digits(rows, cv):
    X, Y, _ = rows
    far = np.full((30, 4), 1e9)
    weight = np.r_[np.zeros(30), np.ones(120)]
    options = {"alphas": ALPHAS, "scoring": None, **OPTIONS}
    present = GroupKFold(3) if cv else None
    group = np.r_[np.arange(30) % 3, np.arange(120) % 3]
    model = RandomFeatureRidgeCV(40, cv=present, **options)
    model.fit(np.r_[far, X], np.r_[far[:, :2], Y], weight, groups=group)
    absent = RandomFeatureRidgeCV(40, cv=present, **options)
    absent.fit(X, Y, groups=group[30:])
    share = 1.0 if cv else 150 / 120  # leaving one out, the mean counts all rows
    np.testing.assert_allclose(model.cv_scores_ * share, absent.cv_scores_, rtol=1e-7)


def test_small_errors_are_computed_from_the_rows(rows):
    """Sums lose errors of 1e-15 of the squares of targets; predictions do not."""
    X = rows[0]
    y = X @ [1.0, -2.0, 0.5, 3.0] + 1e-7 * rows[1][:, 0]
    model = RandomFeatureRidgeCV(
        12, activation="linear", alphas=[1e-9, 1e-8], cv=3, **OPTIONS
    ).fit(X, y)
    ridge = RandomFeatureRidge(
        12, activation="linear", alpha=1e-9, solver="dual", **OPTIONS
    )
    expected = cross_val_score(ridge, X, y, cv=3, scoring="neg_mean_squared_error")
    np.testing.assert_allclose(model.cv_scores_[0, 0], expected.mean(), rtol=1e-3)


def test_blocks_sparse_rows_and_narrow_types_agree(rows):
    X, Y, _ = rows
    X = np.where(X > 0.5, X, 0.0)
    whole = RandomFeatureRidgeCV([30, 60], alphas=ALPHAS, cv=3, **OPTIONS).fit(X, Y)
    for other in (sparse.csr_array(X), np.asfortranarray(X), X.tolist()):
        again = RandomFeatureRidgeCV([30, 60], alphas=ALPHAS, cv=3, **OPTIONS)
        np.testing.assert_allclose(
            again.fit(other, Y).cv_scores_, whole.cv_scores_, rtol=1e-9
        )
    narrow = RandomFeatureRidgeCV([30, 60], alphas=ALPHAS, cv=3, **OPTIONS)
    narrow.fit(X.astype(np.float32), Y.astype(np.float32))
    assert narrow.coef_.dtype == np.float32
    assert narrow.predict(X.astype(np.float32)).dtype == np.float32
    np.testing.assert_allclose(narrow.cv_scores_, whole.cv_scores_, rtol=1e-4)


def test_an_end_of_the_grid_is_told(rows):
    X, Y, _ = rows
    with pytest.warns(UserWarning, match="at an end of alphas"):
        RandomFeatureRidgeCV(30, alphas=[1e3, 1e4], **OPTIONS).fit(X, Y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alphas": []}, "alphas must be a list"),
        ({"alphas": [-1.0]}, "alphas must be finite"),
        ({"alphas": [np.nan]}, "alphas must be finite"),
        ({"n_components": [10, 0]}, "n_components must be"),
        ({"n_components": []}, "n_components must be"),
        ({"n_components": [2.5]}, "n_components must be"),
        ({"n_components": 0}, "n_components"),
        ({"cv": 3, "store_cv_results": True}, "store_cv_results=True needs cv=None"),
        ({"cv": "gcv", "scoring": "r2"}, "scoring is for other cv"),
        ({"cv": 500}, "n_splits=500"),
        ({"scoring": "no such thing"}, "scoring"),
    ],
)
def test_bad_parameters_are_refused(rows, parameters, message):
    X, Y, _ = rows
    with pytest.raises(ValueError, match=message):
        RandomFeatureRidgeCV(**{"n_components": 20, **OPTIONS, **parameters}).fit(X, Y)


def test_folds_without_weight_are_refused(rows):
    X, Y, _ = rows
    weight = np.r_[np.zeros(60), np.ones(60)]
    with pytest.raises(
        ValueError, match="cv: split 0 has no row of positive weight to predict"
    ):
        RandomFeatureRidgeCV(20, cv=2, **OPTIONS).fit(X, Y, weight)
