"""Labels of bags, whatever they are, are read as numbers."""

import numpy as np
import pytest

from skloss.aggregate._bags import read_bags

KINDS = {
    "int": np.array([7, -3, 7, 0, -3]),
    "far": np.array([2**62, -(2**62), 2**62, 0, -(2**62)]),
    "small": np.array([100, -100, 100, 0, -100], dtype=np.int8),
    "unsigned": np.array([2**63 + 9, 2, 2**63 + 9, 5, 2], dtype=np.uint64),
    "float": np.array([1.5, -2.0, 1.5, 0.0, -2.0]),
    "str": np.array(["c", "a", "c", "b", "a"]),
    "object": np.array(["c", "a", "c", "b", "a"], dtype=object),
    "date": np.array(["2020", "2018", "2020", "2019", "2018"], "datetime64[D]"),
    "bool": np.array([True, False, True, True, False]),
    "list": ["c", "a", "c", "b", "a"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_labels_are_sorted_and_rows_find_theirs(kind):
    given = KINDS[kind]
    bags = read_bags(given, 5)
    assert bags.codes.dtype == np.intp
    assert bags.labels.tolist() == sorted(set(np.asarray(given).tolist()))
    np.testing.assert_array_equal(bags.labels[bags.codes], given)
    assert bags.count == len(bags.labels) and bags.sizes.sum() == 5
    if not isinstance(given, list):
        assert bags.labels.dtype == given.dtype


def test_categories_of_pandas():
    pd = pytest.importorskip("pandas")
    bags = read_bags(pd.Categorical(["x", "y", "x"], categories=["z", "y", "x"]), 3)
    assert bags.labels.tolist() == ["x", "y"] and bags.codes.tolist() == [0, 1, 0]
    series = pd.Series(["x", "y", "x"], index=[5, 3, 1], dtype="string")
    assert read_bags(series, 3).codes.tolist() == [0, 1, 0]


def test_rows_alone():
    bags = read_bags(None, 4)
    assert bags.codes.tolist() == [0, 1, 2, 3] and bags.count == 4


def test_sums_and_subsets(rng):
    codes, values = rng.integers(0, 9, 60), rng.normal(size=60)
    bags = read_bags(codes * 3 - 5, 60)
    expected = [values[codes == c].sum() for c in np.unique(codes)]
    np.testing.assert_allclose(bags.sums(values), expected, atol=1e-12)
    rows = np.flatnonzero(codes % 2 == 0)
    kept = bags.kept(rows)
    assert kept.labels.tolist() == sorted(set((codes[rows] * 3 - 5).tolist()))
    np.testing.assert_array_equal(kept.labels[kept.codes], codes[rows] * 3 - 5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[1, 2], [3, 4]], "one dimension"),
        ([1, 2, 3], "has 3 labels for 2 rows"),
        ([1.0, np.nan], r"bags\[1\] is missing"),
        ([None, "a"], r"bags\[0\] is missing"),
        (np.array(["2020", "NaT"], "datetime64[D]"), r"bags\[1\] is missing"),
        (np.array(["a", 1], dtype=object), "cannot be sorted"),
    ],
    ids=["shape", "length", "nan", "none", "nat", "mixed"],
)
def test_labels_that_are_none(given, message):
    with pytest.raises(ValueError, match=message):
        read_bags(given, 2)


def test_missing_labels_of_pandas():
    pd = pytest.importorskip("pandas")
    for missing in (pd.NA, pd.NaT, None, np.nan):
        with pytest.raises(ValueError, match=r"groups\[1\] is missing"):
            read_bags(np.array(["a", missing], dtype=object), 2, name="groups")
