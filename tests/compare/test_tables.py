import bz2
import gzip
import lzma
import zipfile

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pytest

from skloss.compare import InputError, load_table
from skloss.compare.tables import read_table

TABLE = pd.DataFrame(
    {"größe": [1.5, 2.25, -3.0], "name": ["Ä b", "ç", "d"], "n": [1, 2, 3]}
)
CSV = "größe,name,n\n1.5,Ä b,1\n2.25,ç,2\n-3.0,d,3\n"


def write(tmp_path, data, name="table.csv"):
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


@pytest.mark.parametrize(
    "data",
    [
        CSV.encode(),
        CSV.encode("utf-8-sig"),
        CSV.encode("utf-16"),
        CSV.encode("cp1252"),
        CSV.replace(",", ";").encode(),
        CSV.replace(",", "\t").encode(),
        CSV.replace(",", "|").encode(),
        CSV.replace(",", ";").replace(".", ",").encode("utf-8-sig"),
        CSV.replace("\n", "\r\n").encode(),
        ("\n" + CSV).encode(),
        gzip.compress(CSV.encode(), mtime=0),
        bz2.compress(CSV.encode()),
        lzma.compress(CSV.encode()),
    ],
)
def test_every_dialect_gives_the_same_table(tmp_path, data):
    table, _ = read_table(write(tmp_path, data))
    pd.testing.assert_frame_equal(table, TABLE, check_dtype=False)
    assert table["größe"].dtype == float


def test_decimal_commas_with_points_for_thousands(tmp_path):
    table, _ = read_table(write(tmp_path, "a;b\n1.234,5;x\n12.000,25;y\n7,5;z\n"))
    assert table["a"].tolist() == [1234.5, 12000.25, 7.5]


def test_quoted_decimal_commas_in_a_comma_file(tmp_path):
    table, _ = read_table(write(tmp_path, 'a,b\n"1,5",x\n"2,5",y\n'))
    assert table["a"].tolist() == [1.5, 2.5]


def test_decimal_points_with_semicolons(tmp_path):
    table, _ = read_table(write(tmp_path, "a;b\n1.5;1\n2.125;2\n"))
    assert table["a"].tolist() == [1.5, 2.125]


def test_parquet_arrow_and_feather(tmp_path):
    TABLE.to_parquet(tmp_path / "t.parquet")
    arrow = pa.Table.from_pandas(TABLE)
    pa.feather.write_feather(arrow, tmp_path / "t.feather")
    with pa.ipc.new_file(tmp_path / "t.arrow", arrow.schema) as sink:
        sink.write_table(arrow)
    with pa.ipc.new_stream(tmp_path / "t.stream", arrow.schema) as sink:
        sink.write_table(arrow)
    packed = gzip.compress((tmp_path / "t.parquet").read_bytes())
    (tmp_path / "t.parquet.gz").write_bytes(packed)
    for name in ("t.parquet", "t.feather", "t.arrow", "t.stream", "t.parquet.gz"):
        table, _ = read_table(tmp_path / name)
        pd.testing.assert_frame_equal(table, TABLE, check_dtype=False)


def test_repeated_names_are_numbered(tmp_path):
    table, notes = read_table(write(tmp_path, "a,b,a,a\n1,2,3,4\n"))
    assert table.columns.tolist() == ["a", "b", "a_2", "a_3"]
    assert any("'a_2', 'a_3'" in note for note in notes)
    arrow = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pa.ipc.new_file(tmp_path / "t.arrow", arrow.schema) as sink:
        sink.write_table(arrow)
    table, _ = read_table(tmp_path / "t.arrow")
    assert table.columns.tolist() == ["a", "a_2"]


def test_a_table_without_header_is_noticed(tmp_path):
    _, notes = read_table(write(tmp_path, "1,2\n3,4\n"))
    assert any("only numbers" in note for note in notes)


def test_line_ends_of_old_macintoshes(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"a,b\r1,2\r3,4\r")
    table, notes = read_table(tmp_path / "t.csv")
    assert table.to_dict("list") == {"a": [1, 3], "b": [2, 4]} and notes == []


def test_spaces_around_names_are_dropped(tmp_path):
    (tmp_path / "t.csv").write_text(" a , b ,a\n1,2,3\n4,5,6\n")
    table, _ = read_table(tmp_path / "t.csv")
    assert table.columns.tolist() == ["a", "b", "a_2"]


@pytest.mark.parametrize("end", [",", ""])
def test_values_stay_below_their_names(tmp_path, end):
    # A delimiter at the end of the rows only, or row names without a name of their own.
    first = "" if end else "row,"
    rows = "".join(f"{first}{i},{2 * i}{end}\n" for i in range(5))
    (tmp_path / "t.csv").write_text("a,b\n" + rows)
    table, _ = read_table(tmp_path / "t.csv")
    assert table["a"].tolist() == list(range(5))
    assert table["b"].tolist() == list(range(0, 10, 2))


def test_archives_and_workbooks_are_named_as_such(tmp_path):
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("t.csv", "a,b\n1,2\n")
    with pytest.raises(InputError, match="unpack the archive, or save the workbook"):
        read_table(tmp_path / "t.zip")


def test_question_marks_are_missing_values(tmp_path):
    table, _ = read_table(write(tmp_path, "a,b\n?,x\n2,y\n"))
    assert np.isnan(table["a"][0])


@pytest.mark.parametrize(
    "data, message",
    [
        (b"", "is empty"),
        (b" \n \n", "is empty"),
        (b"a,b\n", "no rows"),
        (b"PAR1 this is no parquet PAR1", "damaged or no table"),
        (b"ARROW1 neither", "damaged or no table"),
        (b"\x1f\x8b broken gzip", "decompressed"),
        (b"PK\x03\x04\x00\x00workbook", "save the workbook as CSV"),
        (b"\x00\x01\x02\x03", "not CSV, Parquet or Arrow"),
        (b"a,b\n1,2\n1,2,3,4\n", "is not a table"),
    ],
)
def test_bad_files_are_explained_in_one_line(tmp_path, data, message):
    with pytest.raises(InputError, match=message) as caught:
        read_table(write(tmp_path, data))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["t.parquet", "t.PQ", "t.feather", "t.arrow"])
def test_text_under_a_binary_name_is_not_guessed_at(tmp_path, name):
    with pytest.raises(InputError, match="does not hold what its name says"):
        read_table(write(tmp_path, "a,b\n1,2\n", name))


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        read_table(tmp_path / "absent.csv")
    with pytest.raises(InputError, match="is a folder"):
        read_table(tmp_path)


def test_load_table_cleans_as_a_comparison_does(tmp_path):
    rows = "".join(f"{i},{i % 3},0,{'' if i == 4 else i % 2}\n" for i in range(30))
    path = write(tmp_path, "id,x,constant,y\n" + rows)
    X, y = load_table(path, target="y")
    assert X.columns.tolist() == ["x"]
    assert len(X) == len(y) == 29
    X, y, bags = load_table(path, target="y", bags="x")
    assert len(bags) == 29 and "x" not in X


def test_load_table_names_the_missing_column(tmp_path):
    with pytest.raises(InputError, match="did you mean 'name'"):
        load_table(write(tmp_path, CSV), target="nmae")
    with pytest.raises(InputError, match="it has 'größe', 'name', 'n'"):
        load_table(write(tmp_path, CSV), target="zzz")
