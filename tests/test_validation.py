import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.utils.class_weight import compute_sample_weight

from skloss._validation import (
    as_kernel_array,
    check_class_totals,
    check_weights,
    column_scale,
    combine_weights,
    encode_labels,
    find_classes,
    scores_dtype,
    weight_unit,
    working_dtype,
)

labels = st.one_of(
    hnp.arrays(np.int64, st.integers(2, 30), elements=st.integers(-5, 5)),
    hnp.arrays(np.int64, st.integers(2, 30)),
    hnp.arrays(np.uint64, st.integers(2, 30)),
    hnp.arrays(np.uint8, st.integers(2, 30)),
    hnp.arrays(np.bool_, st.integers(2, 30)),
    hnp.arrays("U3", st.integers(2, 30)),
    hnp.arrays(np.float64, st.integers(2, 30), elements=st.integers(-5, 5).map(float)),
)


@given(labels)
def test_labels_are_encoded_as_numpy_unique_does(y):
    expected, codes = np.unique(y, return_inverse=True)
    if len(expected) < 2:
        with pytest.raises(ValueError, match="at least 2 classes"):
            find_classes(y)
        return
    classes = find_classes(y)
    assert classes.dtype == y.dtype
    np.testing.assert_array_equal(classes, expected)
    np.testing.assert_array_equal(encode_labels(y, classes), codes)


def test_objects_are_labels_too():
    y = np.array(["b", "a", "b"], dtype=object)
    np.testing.assert_array_equal(find_classes(y), ["a", "b"])
    np.testing.assert_array_equal(
        encode_labels(y, np.array(["a", "b", "c"])), [1, 0, 1]
    )


@pytest.mark.parametrize(
    "y, classes, named",
    [
        ([1, 5, 9], [1, 9], r"\[5\]"),
        ([-1, 10], [0, 1], r"\[-1, 10\]"),
        ([0, 10**12], [0, 1], "1000000000000"),
        ([0.5], [0, 1], "0.5"),
        (["a", "z"], ["a", "b"], "'z'"),
    ],
)
def test_unknown_labels_are_named(y, classes, named):
    with pytest.raises(ValueError, match=named):
        encode_labels(np.array(y), np.array(classes))


@pytest.mark.parametrize("y, classes", [([1, 2], ["1", "2"]), (["1"], [1, 2])])
def test_numbers_and_strings_are_never_the_same_label(y, classes):
    with pytest.raises(ValueError, match="not among the classes"):
        encode_labels(np.array(y), np.array(classes))


def test_continuous_targets_are_refused():
    with pytest.raises(ValueError, match="continuous"):
        find_classes(np.array([0.1, 0.2, 0.3]))


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("others", [[0.0, 1.0], [0.5, 1.0]])
def test_labels_that_are_not_finite_are_named(value, others):
    with pytest.raises(ValueError, match=f"y contains {value}; labels must be finite"):
        find_classes(np.array([*others, value]))


@pytest.mark.parametrize(
    "y",
    [
        np.arange(50),
        np.arange(50.0),
        np.array([f"label {i}" for i in range(50)]),
        np.array([f"label {i}" for i in range(50)], dtype=object),
    ],
)
def test_many_classes_are_no_reason_to_warn(y):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(find_classes(y)) == 50
        with pytest.raises(ValueError, match="continuous"):
            find_classes(np.arange(50) + 0.5)


def test_objects_that_are_no_labels_are_refused():
    with pytest.raises(ValueError, match="Unknown label type"):
        find_classes(np.array([1, 2, 2], dtype=object))


@given(
    hnp.arrays(
        np.float64,
        st.integers(1, 60),
        elements=st.floats(0, allow_nan=False, allow_infinity=False),
    )
)
def test_weights_are_summed_in_their_unit(weights):
    """Exact fractions know the sum that floats may not hold."""
    if not weights.any():
        return
    unit = weight_unit(weights)
    assert np.frexp(unit)[0] == 0.5  # a power of two
    exact = sum(map(Fraction, weights)) / Fraction(unit)
    assert (weights / unit).sum() == pytest.approx(float(exact), rel=1e-13)
    assert (weights / unit).max() <= 2**400


def test_ordinary_weights_keep_their_unit():
    assert weight_unit(np.array([0.0, 1e-9, 1e9])) == 1


def test_weights_default_to_one_and_numbers_are_spread():
    np.testing.assert_array_equal(check_weights(None, 3), [1, 1, 1])
    np.testing.assert_array_equal(check_weights(2, 3), [2, 2, 2])


def test_fitting_weights_are_not_copied():
    weights = np.array([0.0, 1.0])
    assert check_weights(weights, 2) is weights


@pytest.mark.parametrize(
    "weights, message",
    [
        ([1, -2, 1], r"sample_weight\[1\] is -2.0"),
        ([1, 1, np.nan], r"sample_weight\[2\] is nan"),
        ([np.inf, 1, 1], r"sample_weight\[0\] is inf"),
        ([0, 0, 0], "All values of sample_weight are zero"),
        ([1, 1], "2 values for 3 samples"),
        ([[1], [1], [1]], "1D array or scalar"),
        (-1, r"sample_weight\[0\] is -1.0"),
    ],
)
def test_bad_weights_are_named(weights, message):
    with pytest.raises(ValueError, match=message):
        check_weights(weights, 3)


def test_all_zero_weights_where_allowed():
    assert not check_weights([0, 0], 2, allow_all_zero=True).any()


def test_a_class_without_weight_is_named():
    classes = np.array(["cat", "dog"])
    with pytest.raises(ValueError, match="'dog' has a total weight of zero"):
        check_class_totals(np.array([1.0, 0.0]), classes)
    with pytest.raises(ValueError, match=r"'dog'.*class_weight"):
        combine_weights(np.ones(2), {"cat": 1, "dog": 0}, classes, np.array([0, 1]))


@pytest.mark.parametrize("class_weight", ["balanced", {3: 2.5}, {3: 0.5, 8: 7}])
def test_class_weights_are_scikit_learns(class_weight, rng):
    y = rng.choice([3, 8, 9], p=[0.7, 0.2, 0.1], size=50)
    classes = find_classes(y)
    got = combine_weights(np.ones(50), class_weight, classes, encode_labels(y, classes))
    np.testing.assert_allclose(got, compute_sample_weight(class_weight, y))


def test_balanced_counts_the_sample_weights(rng):
    y, weights = rng.integers(0, 3, 40), rng.integers(1, 5, 40)
    repeated = np.repeat(y, weights)
    got = combine_weights(weights.astype(float), "balanced", np.arange(3), y)
    expected = compute_sample_weight("balanced", repeated)
    totals = np.bincount(y, weights=got)
    np.testing.assert_allclose(totals, np.bincount(repeated, weights=expected))


def test_products_with_class_weights_must_be_numbers():
    codes, classes = np.array([0, 1, 1]), np.array(["cat", "dog"])
    with pytest.raises(ValueError, match="class_weight is too large"):
        combine_weights(np.full(3, 1e200), {"cat": 1e200}, classes, codes)
    with pytest.raises(ValueError, match="'cat' has a total weight of zero"):
        combine_weights(np.array([1e-200, 1, 1]), {"cat": 1e-200}, classes, codes)


@pytest.mark.parametrize("factor", [-1.0, np.nan, np.inf])
def test_bad_class_weights_are_named(factor):
    with pytest.raises(ValueError, match=r"class_weight\[1\]"):
        combine_weights(
            np.ones(2), {0: 1.0, 1: factor}, np.array([0, 1]), np.array([0, 1])
        )


@pytest.mark.parametrize(
    "given_dtype, expected",
    [
        ("f2", "f4"),
        ("f4", "f4"),
        ("f8", "f8"),
        ("i8", "f8"),
        ("?", "f8"),
        (">f8", "f8"),
        (">f4", "f4"),
        ("<f4", "f4"),
        (">f2", "f4"),
    ],
)
def test_working_dtype(given_dtype, expected):
    got = working_dtype(np.zeros(2, dtype=given_dtype))
    assert got == expected and got.isnative


@pytest.mark.parametrize("code", ["?", *"bBhHiIlLqQefdg", ">f4", ">f8", ">i2", ">i8"])
def test_scores_are_single_only_where_it_holds_every_value(code):
    dtype = np.dtype(code)
    if dtype.kind == "f":
        exact = np.finfo(dtype).nmant <= np.finfo(np.float32).nmant
    elif dtype.kind == "b":
        exact = True
    else:  # the last of its integers are the first to be rounded
        last = int(np.iinfo(dtype).max)
        exact = all(int(np.float32(i)) == i for i in (last, last - 1))
    X = np.zeros(2, dtype)
    got = scores_dtype(X, np.ones(2, np.float32))
    assert got == (np.float32 if exact else np.float64)
    assert scores_dtype(X, np.ones(2)) == np.float64


def test_kernel_arrays_share_memory_when_they_fit_and_are_read_only(tmp_path):
    x = np.arange(6.0).reshape(2, 3)
    view = as_kernel_array(x, np.float64)
    assert np.shares_memory(view, x)
    assert not view.flags.writeable
    assert x.flags.writeable
    mapped = np.memmap(tmp_path / "x", mode="w+", shape=(2, 3))
    assert type(as_kernel_array(mapped, np.float64)) is np.ndarray


@pytest.mark.parametrize(
    "misfit",
    [
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12.0).reshape(2, 6)[:, ::2] / 2,
        np.arange(6, dtype=">f8").reshape(2, 3),
        np.arange(6).reshape(2, 3),
        np.frombuffer(b"x" + np.arange(6.0).tobytes(), offset=1).reshape(2, 3),
    ],
)
def test_kernel_arrays_are_converted_when_they_do_not_fit(misfit):
    got = as_kernel_array(misfit, np.float64)
    assert got.flags.c_contiguous and got.flags.aligned and got.dtype.isnative
    np.testing.assert_array_equal(got, np.arange(6.0).reshape(2, 3))


@given(st.integers(-900, 900))
def test_column_scale_does_not_depend_on_the_unit(exponent):
    unit = 2.0**exponent
    center, deviation = np.array([3.0, 3.0, 0.0]), np.array([0.5, 1e-13, 0.0])
    got = column_scale(center * unit, deviation * unit)
    np.testing.assert_array_equal(got, [0.5 * unit, 1.0, 1.0])


def test_overflowed_deviation_names_the_feature():
    with pytest.raises(ValueError, match="feature 1 are too large"):
        column_scale(np.zeros(2), np.array([1.0, np.inf]))
