"""Ordinal models on awkward and on bad data: the right answer, or an error that says.

Everything is asked of the three estimators and of the path.
"""

import importlib.util
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from skloss.ordinal import PrestoClassifier

_SPEC = importlib.util.spec_from_file_location(
    "ordinal_kinds", Path(__file__).with_name("kinds.py")
)
kinds = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(kinds)
make_fit, of_all, of_presto = kinds.make_fit, kinds.of_all, kinds.of_presto
scores_of, classes_of = kinds.scores_of, kinds.classes_of

NAMES = np.array(["low", "mid", "high", "top"])


@pytest.fixture(scope="module")
def data():
    return kinds.drawn()


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


@pytest.mark.parametrize("kind", ["one", "cv", "odds"])
def test_coefficients_that_overflow_single_precision_are_named(data, kind):
    X, y = data
    X = (X * [1, 1e-40, 1]).astype(np.float32)
    options = {"alphas": [1e-3]} if kind == "cv" else {}
    with pytest.raises(ValueError, match="feature 1 are too small"):
        make_fit(kind, X, y, **options)


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
