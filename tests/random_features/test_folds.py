"""Folds with rows that are far off, splits of all kinds, and what is routed to them."""

import warnings

import numpy as np
import pytest
import sklearn
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GroupKFold, KFold, ShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skloss.random_features import RandomFeatureRidgeCV, RandomFeatures

ALPHAS = np.logspace(-4, 1, 6)
OPTIONS = {"gamma": 0.1, "random_state": 0}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4))
    y = np.sin(X[:, 0]) + X[:, 1] + 0.2 * rng.normal(size=100)
    return X, y, rng.uniform(0.1, 1.0, size=100)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def fitted(X, y, width=20, alphas=ALPHAS, **parameters):
    model = RandomFeatureRidgeCV(width, alphas=alphas, **OPTIONS, **parameters)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The best alpha")
        return model.fit(X, y)


@pytest.mark.parametrize("activation", ["square", "relu"])
@pytest.mark.parametrize("n_folds", [2, 5, 7])
@pytest.mark.parametrize("size", [1e3, 1e5])
def test_a_fold_far_off_leaves_the_others_their_digits(rows, activation, n_folds, size):
    """The fold's own errors are nearly all of the mean: those of models of the rest."""
    X, y, _ = rows
    X = X.copy()
    X[-1] *= size
    model = fitted(X, y, 30, [1e-2, 1.0], cv=n_folds, activation=activation)
    features = RandomFeatures(30, activation=activation, **OPTIONS)
    Z = features.fit(X).transform(X)
    for at, alpha in enumerate((1e-2, 1.0)):
        expected = cross_val_score(
            Ridge(alpha, solver="svd"),
            Z,
            y,
            cv=n_folds,
            scoring="neg_mean_squared_error",
        )
        assert expected[-1] == expected.min()
        np.testing.assert_allclose(model.cv_scores_[0, at], expected.mean(), rtol=1e-9)


@pytest.mark.parametrize("cv", [None, 4])
def test_directions_below_rounding_count_for_penalties_above(cv):
    """Many features nearly coincide; penalties are small, yet not lost in rounding."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 3))
    y = np.sin(3.0 * X[:, 0]) + 0.01 * rng.normal(size=1000)
    alphas, cosines = [1e-13, 1e-9, 1e-8], {"activation": "cos", "gamma": 0.02}
    model = RandomFeatureRidgeCV(200, alphas=alphas, cv=cv, random_state=0, **cosines)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The best alpha")
        model.fit(X, y)
    Z = RandomFeatures(200, random_state=0, **cosines).fit(X).transform(X)
    for at in (1, 2):
        if cv is None:
            U, S, _ = np.linalg.svd(Z - Z.mean(axis=0), full_matrices=False)
            share = S**2 / (S**2 + alphas[at])
            residual = y - y.mean() - U @ (share * (U.T @ (y - y.mean())))
            expected = -np.mean((residual / (1.0 - 1e-3 - U**2 @ share)) ** 2)
        else:
            ridge, score = Ridge(alphas[at], solver="svd"), "neg_mean_squared_error"
            expected = cross_val_score(ridge, Z, y, cv=cv, scoring=score).mean()
        np.testing.assert_allclose(model.cv_scores_[0, at], expected, rtol=1e-5)


@pytest.mark.parametrize("width", [20, 150])
@pytest.mark.parametrize(
    ("cv", "message"),
    [
        ([], r"cv=\[\] gives no splits"),
        ([1, 2], "split 0 must be a pair of training rows and test rows; got 1"),
        ([([0, 1], [2]), ([0],)], "split 1 must be a pair"),
        ([([0, 1], [2]), ([], [3])], "split 1 has no row of positive weight to fit"),
        ([(np.arange(50), [])], "split 0 has no row of positive weight to predict"),
        ([(np.arange(50), [100])], "test rows of split 0 hold 100, which is not one"),
        ([([0, -101], [3])], "training rows of split 0 hold -101, which is not one"),
        ([(np.arange(50), [50.5])], "test rows of split 0 must be a list of integers"),
        ([(np.arange(50), [[50]])], "test rows of split 0 must be a list of integers"),
        ([(np.ones(7, bool), [50])], "training rows of split 0 .* mask of 7 values"),
    ],
)
def test_splits_that_are_none_are_refused(rows, width, cv, message):
    X, y, _ = rows
    with pytest.raises(ValueError, match=message):
        fitted(X, y, width, cv=cv)


@pytest.mark.parametrize("width", [20, 150])
@pytest.mark.parametrize("test_side", [True, False])
def test_splits_without_weight_are_refused(rows, width, test_side):
    X, y, _ = rows
    sides = (np.arange(50), np.arange(50, 100))
    weight = np.ones(100)
    weight[sides[test_side]] = 0.0
    model = RandomFeatureRidgeCV(width, alphas=ALPHAS, cv=[sides], **OPTIONS)
    with pytest.raises(ValueError, match="split 0 has no row of positive weight"):
        model.fit(X, y, weight)


@pytest.mark.parametrize("width", [20, 150])
def test_ways_of_giving_positions(rows, width):
    X, y, _ = rows
    expected = fitted(X, y, width, cv=KFold(4)).cv_scores_
    splits = list(KFold(4).split(X))
    masks = [tuple(np.isin(np.arange(100), part) for part in s) for s in splits]
    negative = [(train - 100, list(test - 100)) for train, test in splits]
    small = [(train.astype(np.uint8), test) for train, test in splits]
    for cv in (splits, iter(splits), masks, negative, small):
        found = fitted(X, y, width, cv=cv).cv_scores_
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_splitters_see_the_rows(rows):
    X, y, _ = rows

    class BySign:
        def get_n_splits(self, X=None, y=None, groups=None):
            return 1

        def split(self, X, y=None, groups=None):
            yield np.flatnonzero(X[:, 0] > 0), np.flatnonzero(X[:, 0] <= 0)

    model = fitted(X, y, cv=BySign())
    Z = model.random_features_.transform(X)
    kept = X[:, 0] > 0
    for at, alpha in enumerate(ALPHAS):
        ridge = Ridge(alpha).fit(Z[kept], y[kept])
        expected = -np.mean((ridge.predict(Z[~kept]) - y[~kept]) ** 2)
        np.testing.assert_allclose(model.cv_scores_[0, at], expected, rtol=1e-8)


@pytest.mark.parametrize("cv", [None, 3])
def test_scores_that_are_nan(rows, cv):
    X, y, _ = rows

    def never(model, X, y):
        return np.nan

    def unless_small(model, X, y):
        error = np.mean(np.abs(model.predict(X) - y))
        return np.nan if error < 0.3 else -error

    with pytest.raises(ValueError, match="gives nan for all alphas"):
        fitted(X, y, cv=cv, scoring=never)
    with pytest.warns(UserWarning, match="of 6 scores are nan"):
        model = fitted(X, y, cv=cv, scoring=unless_small)
    assert np.isnan(model.cv_scores_).any()
    assert model.best_score_ == np.nanmax(model.cv_scores_)


@pytest.mark.parametrize("cv", [None, "gcv", 3])
@pytest.mark.parametrize("width", [20, 150, np.inf])
@pytest.mark.parametrize("case", ["constant y", "constant X", "one alpha"])
def test_ties_say_nothing_of_ends(rows, cv, width, case):
    X, y, _ = rows
    X = np.full_like(X, 1.7) if case == "constant X" else X
    y = np.full_like(y, 5.3) if case == "constant y" else y
    alphas = [1.0, 1.0, 1.0] if case == "one alpha" else ALPHAS
    model = RandomFeatureRidgeCV(width, alphas=alphas, cv=cv, **OPTIONS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.fit(X, y)
    assert np.ptp(model.cv_scores_) <= 1e-10


def test_small_differences_of_large_targets_are_told(rows):
    X, y, _ = rows
    with pytest.warns(UserWarning, match="at an end of alphas"):
        model = RandomFeatureRidgeCV(20, alphas=[1e2, 1e3], cv=3, **OPTIONS)
        model.fit(X, y + 1e6)
    expected = RandomFeatureRidgeCV(20, alphas=[1e2, 1e3], cv=3, **OPTIONS)
    with pytest.warns(UserWarning, match="at an end of alphas"):
        expected.fit(X, y)
    np.testing.assert_allclose(model.cv_scores_, expected.cv_scores_, rtol=1e-6)


def test_groups_are_routed_through_pipelines(rows, routing):
    X, y, _ = rows
    group = np.arange(100) // 10
    scale = StandardScaler()
    model = RandomFeatureRidgeCV(20, alphas=ALPHAS, cv=GroupKFold(5), **OPTIONS)
    pipeline = make_pipeline(scale, model).fit(X, y, groups=group)
    with sklearn.config_context(enable_metadata_routing=False):
        plain = RandomFeatureRidgeCV(20, alphas=ALPHAS, cv=GroupKFold(5), **OPTIONS)
        plain.fit(scale.fit_transform(X), y, groups=group)
    np.testing.assert_array_equal(pipeline[-1].cv_scores_, plain.cv_scores_)
    with pytest.raises(TypeError, match="groups"):
        RandomFeatureRidgeCV(20, cv=KFold(5)).fit(X, y, groups=group)


def test_weights_are_routed_to_scorers_that_request_them(rows, routing):
    X, y, weight = rows
    seen = []

    def error(y, predicted, sample_weight=None):
        seen.append(sample_weight)
        return -mean_absolute_error(y, predicted, sample_weight=sample_weight)

    for cv in (None, KFold(2)):
        for request in (True, False):
            seen.clear()
            scorer = make_scorer(error).set_score_request(sample_weight=request)
            model = RandomFeatureRidgeCV(
                20, alphas=[0.1, 1.0, 10.0], cv=cv, scoring=scorer, **OPTIONS
            )
            model.set_fit_request(sample_weight=True)
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "The best alpha")
                make_pipeline(model).fit(X, y, sample_weight=weight)
            expected = weight if cv is None else weight[:50]
            np.testing.assert_array_equal(seen[0], expected if request else None)
    unset = RandomFeatureRidgeCV(20, scoring=make_scorer(error))
    with pytest.raises(ValueError, match="not explicitly set as requested"):
        unset.fit(X, y, sample_weight=weight)


def test_other_metadata_are_routed(rows, routing):
    X, y, _ = rows
    cost, seen = np.arange(100.0), []

    def priced(y, predicted, cost):
        seen.append(cost)
        return -np.mean(cost * np.abs(y - predicted))

    scorer = make_scorer(priced).set_score_request(cost=True)
    model = RandomFeatureRidgeCV(20, alphas=ALPHAS, scoring=scorer, **OPTIONS)
    model.set_params(cv=ShuffleSplit(1, random_state=0)).fit(X, y, cost=cost)
    test = next(ShuffleSplit(1, random_state=0).split(X))[1]
    np.testing.assert_array_equal(seen[0], cost[test])


def test_unknown_metadata_are_refused_without_routing(rows):
    X, y, _ = rows
    with pytest.raises(ValueError, match="cost"):
        RandomFeatureRidgeCV(20).fit(X, y, cost=y)
