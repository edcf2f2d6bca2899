import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skloss.compare import prepare
from skloss.compare.features import TableFeatures, preparation, reads_tables


def test_numbers_keep_double_precision_and_gaps():
    table = pd.DataFrame({"a": [1e9 + 0.25, np.nan], "b": [True, False], "c": [3, 4]})
    encoded = TableFeatures().fit_transform(table)
    expected = [[1e9 + 0.25, 1, 3], [np.nan, 0, 4]]
    assert np.array_equal(encoded, expected, equal_nan=True)


def test_missing_values_of_nullable_types():
    table = pd.DataFrame({"a": pd.array([1, None, 3], dtype="Int64")})
    encoded = TableFeatures().fit_transform(table)
    assert np.array_equal(encoded, [[1], [np.nan], [3]], equal_nan=True)


def test_texts_and_dates_are_encoded(mixed):
    X, _ = mixed
    encoder = TableFeatures().fit(X)
    encoded = encoder.transform(X)
    assert encoded.dtype == np.float64
    assert len(encoded) == len(X) and encoded.shape[1] > X.shape[1]
    # Columns are found by name, in any order.
    assert np.array_equal(
        encoder.transform(X[X.columns[::-1]]), encoded, equal_nan=True
    )
    with pytest.raises(ValueError, match="lacks the column 'sort'"):
        encoder.transform(X.drop(columns="sort"))


def test_steps_follow_what_the_estimator_can_do():
    def kinds(estimator, **options):
        return [type(s).__name__ for s in preparation(estimator, **options)]

    logistic, boosting = LogisticRegression(), HistGradientBoostingClassifier()
    both = ["SimpleImputer", "StandardScaler"]
    assert kinds(logistic, scale=True, impute=True) == both
    assert kinds(logistic, scale=False, impute=False) == []
    assert kinds(boosting, scale=False, impute=True) == []


def test_pipelines_that_choose_columns_get_the_table():
    chooser = make_column_transformer((OneHotEncoder(), ["sort"]))
    assert reads_tables(make_pipeline(chooser, LogisticRegression()))
    assert not reads_tables(make_pipeline(StandardScaler(), LogisticRegression()))
    assert not reads_tables(LogisticRegression())


def test_prepared_pipelines_take_raw_tables(mixed):
    X, y = mixed
    model = prepare(LogisticRegression(), X, scale=True).fit(X, y)
    assert model.score(X, y) > 0.8
    worse = X.assign(gap=np.nan, sort="never seen")
    assert len(model.predict(worse)) == len(X)
