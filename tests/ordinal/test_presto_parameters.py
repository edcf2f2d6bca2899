"""Bad options of ordinal models are refused by name and value; extreme ones work."""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from skloss.ordinal import PrestoClassifier, PrestoClassifierCV, presto_path

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_kinds", Path(__file__).with_name("kinds.py")
)
kinds = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(kinds)
make_fit, of_all, of_presto = kinds.make_fit, kinds.of_all, kinds.of_presto


@pytest.fixture(scope="module")
def data():
    return kinds.drawn()


@pytest.mark.parametrize("kind", ["one", "odds"])
@pytest.mark.parametrize("alpha", [-1, np.nan, np.inf, "strong"])
def test_bad_alpha_is_named(data, kind, alpha):
    with pytest.raises(ValueError, match=f"'alpha' parameter.*Got '?{alpha}"):
        make_fit(kind, *data, alpha=alpha)


@of_all
@pytest.mark.parametrize(
    "option",
    [
        {"link": "logistic"},
        {"decision": "mean"},
        {"max_iter": 0},
        {"tol": 0},
        {"tol": np.nan},
        {"verbose": -1},
    ],
)
def test_bad_options_are_named(data, kind, option):
    (name, value), *_ = option.items()
    with pytest.raises(ValueError, match=f"'{name}' parameter.*Got '?{value}"):
        make_fit(kind, *data, **option)


@of_presto
@pytest.mark.parametrize(
    "option",
    [
        {"l1_ratio": -0.1},
        {"l1_ratio": 1.1},
        {"l1_ratio": np.nan},
        {"family": "binomial"},
        {"structure": "lasso"},
        {"ordering": "all"},
        {"repair": "hope"},
        {"base": "middle"},
        {"base": 1.5},
        {"base_penalty": -1},
        {"base_penalty": np.inf},
        {"standardize": "no"},
        {"feature_range": 5},
        {"penalty_factors": 2},
    ],
)
def test_bad_options_of_presto_are_named(data, kind, option):
    (name, value), *_ = option.items()
    with pytest.raises(ValueError, match=f"'{name}' parameter.*Got '?{value}"):
        make_fit(kind, *data, **option)


@of_presto
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": 3}, "base=3 is not one of the 3 thresholds"),
        ({"base": -1}, "base=-1 is not one of the 3 thresholds"),
        ({"family": "adjacent", "link": "probit"}, "link='logit' only.*'probit'"),
        ({"penalty_factors": [1, 1]}, r"penalty_factors.* 3 features.*\(2,\)"),
        ({"penalty_factors": [[1, 1, 1]]}, r"penalty_factors.*\(1, 3\)"),
        ({"penalty_factors": [1, -2, 1]}, "penalty_factors.*-2.0 for feature 1"),
        ({"penalty_factors": [1, 1, np.nan]}, "penalty_factors.*nan for feature 2"),
        ({"penalty_factors": [np.inf, 1, 1]}, "penalty_factors.*inf for feature 0"),
        ({"penalty_factors": list("abc")}, "penalty_factors must hold numbers"),
        (
            {"ordering": "box", "structure": "nonparallel"},
            "structure='fused'.*'nonparallel'",
        ),
        (
            {"ordering": "box", "structure": "semiparallel"},
            "structure='fused'.*'semiparallel'",
        ),
    ],
)
def test_bad_models_are_named(data, kind, options, message):
    with pytest.raises(ValueError, match=message):
        make_fit(kind, *data, **options)


@of_presto
@pytest.mark.parametrize(
    ("feature_range", "message"),
    [
        ([0, 1, 2], "pair.*got 3 entries"),
        ([], "pair.*got 0 entries"),
        ((1, 0), "feature 0 has low=1.0 and high=0.0"),
        (([0, 0, 5], [1, 1, 1]), "feature 2 has low=5.0 and high=1.0"),
        (([0, 0], [1, 1]), r"low ends have shape \(2,\).* 3 features"),
        ((0, [[1, 1, 1]]), r"high ends have shape \(1, 3\)"),
        ((np.nan, 1), "low=nan"),
        ((-np.inf, 1), "low=-inf"),
        (("a", "b"), "must hold numbers"),
    ],
)
def test_bad_feature_ranges_are_named(data, kind, feature_range, message):
    with pytest.raises(ValueError, match=f"feature_range.*{message}"):
        make_fit(kind, *data, ordering="box", feature_range=feature_range)


@pytest.mark.parametrize("kind", ["one", "cv", "odds"])
def test_other_features_at_prediction_are_refused(data, kind):
    X, y = data
    options = {"alphas": [0.01]} if kind == "cv" else {}
    fitted = make_fit(kind, X, y, **options)
    for method in (
        fitted.predict,
        fitted.predict_proba,
        fitted.predict_log_proba,
        fitted.predict_cumulative,
        fitted.decision_function,
    ):
        with pytest.raises(ValueError, match=r"2 features.*expecting 3 features"):
            method(X[:, :2])
        with pytest.raises(ValueError, match="X contains NaN"):
            method(np.full((2, 3), np.nan))
        with pytest.raises(ValueError, match="too large: a score overflows"):
            method(np.full((2, 3), 1.7e308) * [1, -1, 1])


@pytest.mark.parametrize("alpha", [1e-300, 1e-12, 1e6, 1e300])
def test_extreme_penalties(data, alpha):
    X, y = data
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = PrestoClassifier(alpha=alpha).fit(X, y)
    assert np.isfinite(kinds.scores_of("one", fitted, X)).all()
    other = PrestoClassifier(alpha=0.0 if alpha < 1 else 1e3).fit(X, y)
    np.testing.assert_allclose(
        fitted.predict_proba(X), other.predict_proba(X), atol=1e-5
    )


# ---------------------------------------------------------- the path and the folds


@pytest.mark.parametrize("fit", ["path", "cv"])
@pytest.mark.parametrize(
    ("alphas", "message"),
    [
        ([], "alphas must be one-dimensional and not empty"),
        ([[1.0, 2.0]], "alphas must be one-dimensional"),
        ([1.0, -1.0], "alphas must be finite and not negative; got -1.0"),
        ([1.0, np.nan], "alphas must be finite and not negative; got nan"),
        ([np.inf], "alphas must be finite and not negative; got inf"),
        (["a"], "alphas must hold numbers"),
        ("a", "'alphas' parameter"),
        (2.5, "'alphas' parameter"),
    ],
)
def test_bad_alphas_are_named(data, fit, alphas, message):
    with pytest.raises(ValueError, match=message):
        if fit == "path":
            presto_path(*data, alphas=alphas)
        else:
            PrestoClassifierCV(alphas=alphas).fit(*data)


def test_bad_options_of_the_path_are_named(data):
    for option in (
        {"n_alphas": 0},
        {"n_alphas": 2.5},
        {"eps": 0},
        {"eps": 1},
        {"eps": np.nan},
    ):
        (name, _), *_ = option.items()
        with pytest.raises(ValueError, match=f"'{name}' parameter of presto_path"):
            presto_path(*data, **option)
    for option in ({"alpha": 1.0}, {"warm_start": True}, {"nonsense": 1}):
        (name, _), *_ = option.items()
        with pytest.raises(TypeError, match=name):
            presto_path(*data, **option)


def test_unfinished_paths_warn_with_the_violation(data):
    with pytest.warns(ConvergenceWarning, match="presto_path: 3 of 4 fits") as record:
        *_, info = presto_path(*data, n_alphas=4, max_iter=1)
    assert info["converged"].tolist() == [True, False, False, False]
    assert f"{info['kkt_violation'].max():.2g}" in str(record[0].message)
    with pytest.warns(ConvergenceWarning, match="fits of the folds stopped above"):
        PrestoClassifierCV(alphas=4, cv=3, max_iter=1, random_state=0).fit(*data)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alphas": 0}, "'alphas' parameter"),
        ({"eps": 0}, "'eps' parameter"),
        ({"eps": 1.0}, "'eps' parameter"),
        ({"cv": 1}, "'cv' parameter"),
        ({"cv": 200}, "n_splits=200"),
        ({"cv": []}, "cv gives no fold"),
        ({"cv": [([], [1, 2])]}, "without training rows"),
        ({"cv": [([0, 1, 2, 3, 4, 5], [])]}, "cv gives no fold"),
        ({"cv": [([0, 500], [1, 2])]}, "cv names rows that there are not"),
        ({"scoring": "beauty"}, "'beauty' is not a valid scoring value"),
        ({"scoring": 3}, "'scoring' parameter"),
        ({"scoring": lambda e, X, y: np.nan}, "scoring=.* gave nan for every"),
        ({"selection": "max"}, "'selection' parameter"),
        ({"l1_ratio": []}, "l1_ratio must be a number from 0 to 1 or a list"),
        ({"l1_ratio": [0.5, 2]}, "l1_ratio must be a number from 0 to 1 or a list"),
        ({"l1_ratio": ["a"]}, "l1_ratio must hold numbers"),
        ({"random_state": "a"}, "'random_state' parameter"),
        ({"n_jobs": 1.5}, "'n_jobs' parameter"),
    ],
)
def test_bad_options_of_cross_validation_are_named(data, options, message):
    X, y = data
    for selection in ("min", "1se"):
        with pytest.raises(ValueError, match=message):
            make_fit("cv", X, y, **({"selection": selection} | options))


def test_folds_of_one_class_are_refused(data):
    X, y = data
    splits = [(np.flatnonzero(y == 2), np.arange(60))]
    with pytest.raises(ValueError, match="fold's training rows are all of class 2"):
        make_fit("cv", X, y, cv=splits)
