import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skloss.compare import InputError
from skloss.compare.cleaning import as_table, clean_table, echoes, unique_names

N = 30


def cleaned(**columns):
    table = pd.DataFrame({"x": np.arange(N) % 7 * 1.0, **columns})
    return clean_table(table)


def test_useless_columns_go_with_a_note():
    table, notes = cleaned(
        empty=np.full(N, np.nan),
        same="s",
        PassengerId=np.arange(N) * 3,
        row_id=np.arange(N)[::-1],
        number=np.arange(N) + 10,
        key=[f"k-{i}" for i in range(N)],
    )
    assert table.columns.tolist() == ["x"]
    text = "; ".join(notes)
    assert "1 column that has no values: 'empty'" in text
    assert "1 column that never changes: 'same'" in text
    for name in ("PassengerId", "row_id", "number", "key"):
        assert repr(name) in text


def test_informative_columns_stay():
    rng = np.random.default_rng(0)
    table, notes = cleaned(
        paid=rng.permutation(N) * 7,
        humid=rng.random(N),
        text=[f"some words {i}" for i in range(N)],
        day=[f"2024-01-{i + 1:02d}" for i in range(N)],
        half_missing=[None] * 15 + ["only"] * 15,
        yes=np.arange(N) % 2 == 0,
    )
    assert notes == []
    assert table.shape[1] == 7


def test_infinities_become_missing():
    table, notes = cleaned(wild=[np.inf, -np.inf, 0.5, *range(N - 3)])
    assert table["wild"].isna().sum() == 2
    assert any("'wild'" in note for note in notes)


def test_a_table_without_use_is_refused():
    with pytest.raises(InputError, match="no usable column"):
        clean_table(pd.DataFrame({"a": [1] * N, "b": [np.nan] * N}))


def test_a_lone_numbered_column_stays():
    table, _ = clean_table(pd.DataFrame({"time": np.arange(N)}))
    assert table.columns.tolist() == ["time"]


def test_columns_of_lists_are_no_trouble():
    table, _ = clean_table(pd.DataFrame({"x": range(3), "l": [[1], [2], [1]]}))
    assert table.shape == (3, 2)


def test_any_container_becomes_a_table():
    X = np.arange(6.0).reshape(3, 2)
    for given in (
        X,
        X.tolist(),
        sparse.csr_matrix(X),
        pl.DataFrame(X),
        pd.DataFrame(X),
    ):
        assert np.array_equal(as_table(given).to_numpy(), X)
    assert as_table(X[:, 0]).shape == (3, 1)


def test_complex_numbers_are_refused():
    with pytest.raises(InputError, match="complex"):
        as_table(np.ones((3, 2)) * 1j)


def test_columns_that_echo_the_target_are_named(rng):
    y = rng.integers(0, 3, 200)
    table = pd.DataFrame(
        {
            "renamed": np.array(["x", "y", "z"])[y],
            "merged": np.minimum(y, 1),
            "split": y + 3 * rng.integers(0, 2, 200),
            "once wrong": np.r_[(y[0] + 1) % 3, y[1:]],
        }
    )
    (note,) = echoes(table, y, classes=True)
    assert note.startswith("'renamed' says exactly what the target says")
    price = rng.standard_normal(200)
    table = pd.DataFrame({"in cents": 100 * price + 3, "close": price + 1e-3 * y})
    (note,) = echoes(table, price, classes=False)
    assert note.startswith("'in cents' says")
    # Every row of its own says nothing about classes, nor do few rows.
    assert echoes(pd.DataFrame({"id": range(40)}), np.arange(40), classes=True) == []
    assert echoes(pd.DataFrame({"x": [0, 1]}), np.array([0, 1]), classes=True) == []


def test_echoes_are_looked_for_in_all_rows(rng):
    y = rng.integers(0, 2, 5_000)
    late = y.copy()
    late[-1] = 1 - late[-1]
    assert echoes(pd.DataFrame({"late": late}), y, classes=True) == []
    assert echoes(pd.DataFrame({"same": y}), y, classes=True)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (2, 2, 2)])
def test_what_is_no_table_is_refused(shape):
    with pytest.raises(InputError):
        as_table(np.zeros(shape))


def test_names_become_unique_text():
    table = pd.DataFrame(np.zeros((1, 4)), columns=["a", "a", "a_2", 3])
    table, notes = unique_names(table)
    assert table.columns.tolist() == ["a", "a_3", "a_2", "3"]
    assert len(notes) == 1
