"""Ordinal models on awkward and on bad input: the right answer, or an error that says.

Everything is asked of the three estimators and of the path.
"""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)

PRESTO = ("one", "cv", "path")
ALL = (*PRESTO, "odds")
NAMES = np.array(["low", "mid", "high", "top"])
of_all = pytest.mark.parametrize("kind", ALL)
of_presto = pytest.mark.parametrize("kind", PRESTO)


def make_fit(kind, X, y, w=None, **options):
    """Fit; what comes back has the attributes of an estimator's scores."""
    if kind == "path":
        return presto_path(X, y, n_alphas=3, sample_weight=w, **options)
    if kind == "cv":
        options = {"alphas": 3, "cv": 3, "random_state": 0} | options
    cls = {
        "one": PrestoClassifier,
        "cv": PrestoClassifierCV,
        "odds": ProportionalOddsClassifier,
    }[kind]
    return cls(**options).fit(X, y, sample_weight=w)


def scores_of(kind, fitted, X):
    """Scores (n, m), or those of the whole path: what the fit says of the data."""
    if kind == "path":
        _, intercepts, coefs, _ = fitted
        assert intercepts.dtype == coefs.dtype == np.float64
        X = X.toarray() if sparse.issparse(X) else np.asarray(X, dtype=np.float64)
        return np.einsum("np,amp->nam", X, coefs) + intercepts
    P = fitted.predict_proba(X)
    assert np.isfinite(P).all()
    assert (P >= 0).all()
    np.testing.assert_allclose(P.sum(axis=1), 1, atol=1e-6)
    assert np.isfinite(fitted.coef_).all()
    assert np.isfinite(fitted.intercept_).all()
    for name in ("objective_", "kkt_violation_", "dual_gap_"):
        assert np.isfinite(getattr(fitted, name))
    return P


def classes_of(kind, fitted):
    return (fitted[3]["classes"] if kind == "path" else fitted.classes_).tolist()


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((120, 3))
    y = np.digitize(X @ [1, -0.5, 0] + rng.logistic(size=120), [-1, 0.5, 1.5])
    return X, y


@pytest.fixture
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


# ------------------------------------------------------------------------- rows


@of_all
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (np.where(X > 2, np.nan, X), y), "X contains NaN"),
        (lambda X, y: (np.where(X > 2, np.inf, X), y), "X contains infinity"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X[:, :0], y), "0 feature"),
        (lambda X, y: (X[:, 0], y), "Expected 2D array"),
        (lambda X, y: (X[None], y), "dim 3"),
        (lambda X, y: (X * 1j, y), "Complex data"),
        (lambda X, y: (np.full(X.shape, "a"), y), "strings"),
        (lambda X, y: (X, y[:-1]), r"\[120, 119\]"),
        (lambda X, y: (X, None), "y"),
        (lambda X, y: (X, np.column_stack([y, y])), "y should be a 1d array"),
        (lambda X, y: (X, y + X[:, 0]), "continuous"),
        (lambda X, y: (X, np.where(y == 0, np.nan, y)), "y contains NaN"),
        (lambda X, y: (X, np.where(y == 0, np.inf, y)), "infinity"),
        (lambda X, y: (X, np.zeros(120)), r"found 1 class: \[0.0\]"),
        (lambda X, y: (X[:1], y[:1]), "found 1 class"),
    ],
)
def test_bad_data_are_named(data, kind, change, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        make_fit(kind, *change(X, y))


@of_all
@pytest.mark.parametrize(("odd", "kinds"), [(None, "NoneType, str"), (3, "int, str")])
def test_labels_without_an_order_are_refused(data, kind, odd, kinds):
    X, y = data
    y = np.array([odd if label == 1 else "a" for label in y], dtype=object)
    with pytest.raises(ValueError, match=f"types {kinds}, which have no order"):
        make_fit(kind, X, y)


@of_all
@pytest.mark.parametrize("unit", [1e300, 1e307])
def test_overflowing_columns_are_named(data, kind, unit):
    X, y = data
    with pytest.raises(ValueError, match="feature 1 are too large"):
        make_fit(kind, X * [1, unit, 1], y)


@of_all
@pytest.mark.parametrize("unit", [1e-170, 1e-300, 1e-320])
def test_underflowing_columns_are_named(data, kind, unit):
    X, y = data
    with pytest.raises(ValueError, match="feature 1 are too small"):
        make_fit(kind, X * [1, unit, 1], y)


@of_all
@pytest.mark.parametrize("unit", [1e-140, 1e-20, 1e20, 1e140, 1e150])
def test_extreme_units_change_nothing(data, kind, unit, no_warnings):
    X, y = data
    units = np.array([1, unit, 1])
    scores = scores_of(kind, make_fit(kind, X * units, y), X * units)
    np.testing.assert_allclose(scores, scores_of(kind, make_fit(kind, X, y), X), 1e-6)


@of_all
def test_far_origins_change_little(data, kind, no_warnings):
    X, y = data
    far = X + 1e6
    scores = scores_of(kind, make_fit(kind, far, y), far)
    np.testing.assert_allclose(
        scores, scores_of(kind, make_fit(kind, X, y), X), rtol=1e-6, atol=1e-7
    )


@of_all
def test_constant_columns_get_zero(data, kind, no_warnings):
    X, y = data
    padded = np.column_stack([np.full(120, 7.3), X, np.zeros(120), np.full(120, 1e9)])
    fitted = make_fit(kind, padded, y)
    coef = fitted[2] if kind == "path" else fitted.coef_
    assert not coef[..., [0, 4, 5]].any()
    np.testing.assert_allclose(
        scores_of(kind, fitted, padded),
        scores_of(kind, make_fit(kind, X, y), X),
        rtol=1e-6,
        atol=1e-7,
    )


@of_all
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_without_information_shares_are_predicted(data, kind, value, no_warnings):
    _, y = data
    X = np.full((120, 2), value)
    fitted = make_fit(kind, X, y)
    if kind == "path":
        assert fitted[0].tolist() == [0.0]
        P_above = 1 / (1 + np.exp(-fitted[1][0]))
        expected = [(y > k).mean() for k in range(3)]
        np.testing.assert_allclose(P_above, expected, rtol=1e-7)
        return
    shares = np.bincount(y) / 120
    np.testing.assert_allclose(fitted.predict_proba(X[:1]), [shares], rtol=1e-7)


@of_all
def test_equal_columns_and_equal_rows(data, kind, no_warnings):
    X, y = data
    twice = np.hstack([X, X])
    # A ridge would prefer to share a weight between two columns; nothing else cares.
    expected = scores_of(kind, make_fit(kind, X, y), X)
    scores = scores_of(kind, make_fit(kind, twice, y), twice)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-5)
    if kind == "cv":  # equal rows on both sides of a fold are another problem
        return
    rows = np.vstack([X, X]), np.append(y, y)
    np.testing.assert_allclose(
        scores_of(kind, make_fit(kind, *rows), X), expected, rtol=1e-6, atol=1e-7
    )


@pytest.mark.parametrize("ordering", ["observed", "train", "box"])
def test_more_features_than_rows(ordering):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((8, 20)), np.array([0, 1, 2, 3] * 2)
    fitted = PrestoClassifier(alpha=0.05, ordering=ordering).fit(X, y)
    scores_of("one", fitted, X)
    assert fitted.kkt_violation_ <= 1e-6
    assert fitted.score(X, y) > 0.5


@pytest.mark.parametrize("n_rare", [1, 2])
@of_all
def test_a_class_of_few_rows(data, kind, n_rare):
    X, y = data
    y = np.minimum(y, 2)
    y[:n_rare] = 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # folds cannot be stratified
        fitted = make_fit(kind, X, y)
        assert np.isfinite(scores_of(kind, fitted, X)).all()
    assert classes_of(kind, fitted) == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", ["one", "path", "odds"])
def test_two_rows(kind):
    X = np.array([[0.0, 1.0], [1.0, 0.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted = make_fit(kind, X, [0, 1])
    assert np.isfinite(scores_of(kind, fitted, X)).all()
    if kind != "path":
        assert fitted.predict(X).tolist() == [0, 1]


# ------------------------------------------------------------------ kinds of data


@of_all
@pytest.mark.parametrize(
    "convert",
    [
        np.asfortranarray,
        lambda X: np.repeat(X, 2, axis=1)[:, ::2],
        lambda X: X.astype(">f8"),
        lambda X: X.astype(np.longdouble),
        lambda X: X.astype(object),
        lambda X: X.tolist(),
        sparse.csr_matrix,
        sparse.csc_array,
        sparse.coo_array,
        lambda X: sparse.csr_array(X).tolil(),
    ],
)
def test_containers_of_rows(data, kind, convert):
    X, y = data
    X = np.round(4 * X) / 4  # exact in any of them
    converted = convert(X)
    np.testing.assert_allclose(
        scores_of(kind, make_fit(kind, converted, y), converted),
        scores_of(kind, make_fit(kind, X, y), X),
        rtol=1e-6,
        atol=1e-7,
    )


@of_all
@pytest.mark.parametrize("dtype", [np.int8, np.int64, bool, np.float32, np.float16])
def test_dtypes_of_rows(data, kind, dtype):
    X, y = data
    X = np.round(X).astype(dtype)
    scores = scores_of(kind, make_fit(kind, X, y), X)
    double = X.astype(np.float64)
    expected = scores_of(kind, make_fit(kind, double, y), double)
    np.testing.assert_allclose(scores, expected, rtol=1e-4, atol=1e-6)


@of_all
@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (np.array([3, 5, 6, 100]), [0, 1, 2, 3]),
        (np.array([-10, -3, 4, 11], dtype=np.int8), [0, 1, 2, 3]),
        (np.array([0, 1, 2, 3]) * 2**60, [0, 1, 2, 3]),
        (np.array([0.0, 1.0, 2.0, 5.0]), [0, 1, 2, 3]),
        (np.array(["d", "c", "b", "a"]), [3, 2, 1, 0]),
        (np.array(["ä", "b", "c", "z"], dtype=object), [1, 2, 3, 0]),
        (np.array([b"a", b"b", b"c", b"d"]), [0, 1, 2, 3]),
    ],
)
def test_labels_are_sorted(data, kind, labels, order):
    X, y = data
    fitted = make_fit(kind, X, labels[y])
    assert classes_of(kind, fitted) == labels[order].tolist()
    rank = np.argsort(order)
    plain = make_fit(kind, X, rank[y])
    np.testing.assert_array_equal(scores_of(kind, fitted, X), scores_of(kind, plain, X))
    if kind != "path":
        assert fitted.predict(X).dtype == labels.dtype
        assert set(fitted.predict(X)) <= set(labels)


@of_all
def test_boolean_labels(data, kind):
    X, y = data
    fitted = make_fit(kind, X, y > 1)
    assert classes_of(kind, fitted) == [False, True]
    if kind != "path":
        assert fitted.coef_.shape == (1, 3)
        assert fitted.intercept_.shape == (1,)
        assert fitted.predict(X).dtype == bool


ORDERED = pd.CategoricalDtype(NAMES, ordered=True)
WIDER = pd.CategoricalDtype(["none", "low", "mid", "?", "high", "top"], ordered=True)


@of_all
@pytest.mark.parametrize(
    "column",
    [
        lambda text: pd.Series(text, dtype=ORDERED),
        lambda text: pd.Series(text, dtype=ORDERED, index=np.arange(120)[::-1]),
        lambda text: pd.Categorical(text, dtype=ORDERED),
        lambda text: pd.Series(text, dtype=WIDER),
        lambda text: pd.Categorical(text, dtype=WIDER),
        lambda text: pl.Series(text, dtype=pl.Enum(WIDER.categories.tolist())),
    ],
)
def test_ordered_columns_bring_their_order(data, kind, column):
    X, y = data
    fitted = make_fit(kind, X, column(NAMES[y]))
    assert classes_of(kind, fitted) == NAMES.tolist()
    plain = make_fit(kind, X, y)
    np.testing.assert_array_equal(scores_of(kind, fitted, X), scores_of(kind, plain, X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.DataConversionWarning")
def test_a_frame_of_one_ordered_column(data):
    X, y = data
    frame = pd.DataFrame({"y": pd.Categorical(NAMES[y], dtype=ORDERED)})
    assert PrestoClassifier().fit(X, frame).classes_.tolist() == NAMES.tolist()


@of_all
def test_unordered_columns_are_sorted(data, kind):
    X, y = data
    for column in (pd.Series(NAMES[y], dtype="category"), pl.Series(NAMES[y])):
        assert classes_of(kind, make_fit(kind, X, column)) == sorted(NAMES)


@of_all
@pytest.mark.parametrize("dtype", [ORDERED, "string", "Int64"])
def test_missing_labels_are_refused(data, kind, dtype):
    X, y = data
    column = pd.Series(y if dtype == "Int64" else NAMES[y], dtype=dtype)
    column[0] = pd.NA
    with pytest.raises(ValueError, match="y contains NaN"):
        make_fit(kind, X, column)


# ------------------------------------------------------------------- categories


@of_all
@pytest.mark.parametrize("order", [NAMES.tolist(), NAMES, pd.Index(NAMES)])
def test_categories_give_the_order(data, kind, order):
    X, y = data
    reversed_column = pd.Series(NAMES[y], dtype=pd.CategoricalDtype(NAMES[::-1], True))
    for labels in (NAMES[y], NAMES[y].astype(object), reversed_column):
        fitted = make_fit(kind, X, labels, categories=order)
        assert classes_of(kind, fitted) == NAMES.tolist()
    np.testing.assert_array_equal(
        scores_of(kind, fitted, X), scores_of(kind, make_fit(kind, X, y), X)
    )


def test_categories_need_not_have_the_dtype_of_the_labels(data):
    X, y = data
    for labels in (y, y.astype(float), y.astype(np.int8)):
        fitted = PrestoClassifier(categories=[2, 0, 1, 3]).fit(X, labels)
        assert fitted.classes_.tolist() == [2, 0, 1, 3]
        assert fitted.classes_.dtype == labels.dtype


@of_all
@pytest.mark.parametrize(
    ("categories", "message"),
    [
        ([0, 1, 2, 3, 3], "categories names 3 more than once"),
        ([0, 1, 2], "y holds the label 3, which categories"),
        ([], "y holds the label 0, which categories"),
        ([0, 1, 2, 3, 7], "categories names 7, which does not occur in y"),
        (list("0123"), "y holds the label 0, which categories"),
        ([0, 1, 2, np.nan], "y holds the label 3, which categories"),
        ([[0, 1, 2, 3]], "categories must be one-dimensional"),
        ("0123", "'categories' parameter"),
        (3, "'categories' parameter"),
    ],
)
def test_bad_categories_are_named(data, kind, categories, message):
    with pytest.raises(ValueError, match=message):
        make_fit(kind, *data, categories=categories)


# ---------------------------------------------------------------------- weights


@of_all
@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda y: -np.ones(120), r"sample_weight\[0\] is -1"),
        (lambda y: np.where(np.arange(120) == 3, np.nan, 1), r"sample_weight\[3\] is "),
        (lambda y: np.where(np.arange(120) == 3, np.inf, 1), r"sample_weight\[3\] is "),
        (lambda y: np.zeros(120), "sample_weight are zero"),
        (lambda y: np.ones(119), "119 values for 120 samples"),
        (lambda y: np.ones((120, 1)), "sample_weight has shape"),
        (lambda y: (y != 2) * 1.0, "class 2 has a total weight of zero"),
    ],
)
def test_bad_weights_are_named(data, kind, weights, message):
    X, y = data
    with pytest.raises(ValueError, match=message):
        make_fit(kind, X, y, weights(y))


@of_all
@pytest.mark.parametrize("unit", [1e-300, 1e-3, 1e300])
def test_units_of_weights_change_nothing(data, kind, unit):
    X, y = data
    w = np.random.default_rng(0).uniform(0.5, 2, 120)
    np.testing.assert_allclose(
        scores_of(kind, make_fit(kind, X, y, w * unit), X),
        scores_of(kind, make_fit(kind, X, y, w), X),
        rtol=1e-7,
    )


@of_all
def test_rows_without_weight_are_absent(data, kind):
    X, y = data
    w = (np.arange(120) % 3 > 0) * 1.0
    wild = np.where(w[:, None] > 0, X, 1e140)  # and hold anything finite
    options = {}
    if kind == "cv":  # the same folds of the rows that count
        fold = np.arange(120) % 4
        rows = np.cumsum(w > 0) - 1
        kept = [
            (rows[(fold != k) & (w > 0)], rows[(fold == k) & (w > 0)]) for k in range(4)
        ]
        options = {"cv": kept}
    expected = make_fit(kind, X[w > 0], y[w > 0], **options)
    if kind == "cv":
        splits = [(np.flatnonzero(fold != k), fold == k) for k in range(4)]
        options = {"cv": splits}
    fitted = make_fit(kind, wild, y, w, **options)
    np.testing.assert_allclose(
        scores_of(kind, fitted, X), scores_of(kind, expected, X), rtol=1e-6, atol=1e-7
    )
    if kind == "cv":
        np.testing.assert_allclose(fitted.scores_path_, expected.scores_path_, 1e-7)


@of_all
@pytest.mark.parametrize(
    ("class_weight", "message"),
    [
        ({0: -1}, r"class_weight\[0\] is -1"),
        ({0: np.nan}, r"class_weight\[0\] is nan"),
        ({0: 0}, "class 0 has a total weight of zero"),
        ({9: 2}, "not in class_weight"),
        ({0: 1e308}, "class_weight is too large"),
        ("even", "'class_weight' parameter"),
    ],
)
def test_bad_class_weights_are_named(data, kind, class_weight, message):
    with pytest.raises(ValueError, match=message):
        make_fit(kind, *data, class_weight=class_weight)


# ------------------------------------------------------------------- parameters


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
def test_extreme_penalties(data, alpha, no_warnings):
    X, y = data
    fitted = PrestoClassifier(alpha=alpha).fit(X, y)
    assert np.isfinite(scores_of("one", fitted, X)).all()
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
