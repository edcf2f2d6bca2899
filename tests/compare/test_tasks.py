import numpy as np
import pandas as pd
import pytest

from skloss.compare import InputError
from skloss.compare.tasks import encode_target, infer_task

X = pd.DataFrame({"x": np.arange(40.0)})


@pytest.mark.parametrize(
    "y, arguments, task",
    [
        (["a", "b"] * 20, {}, "classification"),
        ([True, False] * 20, {}, "classification"),
        (list(range(10)) * 4, {}, "classification"),
        (list(range(20)) * 2, {}, "regression"),
        (np.linspace(0, 1, 40), {}, "regression"),
        ([f"word {i}" for i in range(40)], {}, "classification"),
        (["a", "b"] * 20, {"order": ["a", "b"]}, "ordinal"),
        (pd.Categorical([1, 2] * 20, ordered=True), {}, "ordinal"),
        (pd.Categorical([1, 2] * 20), {}, "classification"),
        (np.linspace(0, 1, 40), {"bags": np.arange(40) // 4}, "aggregate"),
    ],
)
def test_inference(y, arguments, task):
    inferred, reason = infer_task(X, pd.Series(y), **arguments)
    assert inferred == task
    assert reason


def test_numbers_written_as_text_are_regression():
    texts = pd.Series([f"{i}.5" for i in range(30)])
    assert infer_task(None, texts)[0] == "regression"
    assert infer_task(None, texts.str[0])[0] == "classification"


def test_a_damaged_number_column_is_not_taken_for_classes():
    texts = pd.Series([f"{i}.5" for i in range(30)] + ["n/a?"])
    with pytest.raises(InputError, match="1 of 31 values are not: 'n/a\\?'"):
        infer_task(None, texts)
    assert infer_task(None, texts, task="classification")[0] == "classification"


def test_no_target_means_clustering():
    assert infer_task(X, None)[0] == "clustering"


@pytest.mark.parametrize(
    "y, arguments, parameter",
    [
        ([0, 1] * 20, {"task": "clasification"}, "task"),
        (None, {"task": "regression"}, "target"),
        ([0, 1] * 20, {"task": "aggregate"}, "bags"),
    ],
)
def test_contradictions_name_the_argument(y, arguments, parameter):
    with pytest.raises(InputError) as caught:
        infer_task(X, None if y is None else pd.Series(y), **arguments)
    assert caught.value.parameter == parameter


def test_classes_are_coded_in_order():
    codes, classes = encode_target(pd.Series(["b", "a", "b"]), "classification")
    assert codes.tolist() == [1, 0, 1]
    assert classes.tolist() == ["a", "b"]


def test_order_decides_the_codes():
    y = pd.Series(["mid", "low", "high"])
    codes, classes = encode_target(y, "ordinal", order=["low", " mid", "high", "top"])
    assert codes.tolist() == [1, 0, 2]
    assert classes.tolist() == ["low", "mid", "high"]
    codes, _ = encode_target(pd.Series([3, 1, 2]), "ordinal", order=["3", "2", "1"])
    assert codes.tolist() == [0, 2, 1]
    categories = pd.Categorical(["m", "l"], categories=["l", "m", "h"], ordered=True)
    assert encode_target(pd.Series(categories), "ordinal")[0].tolist() == [1, 0]


@pytest.mark.parametrize(
    "y, task, order, message",
    [
        (["a", "a"], "classification", None, "one class only, 'a'"),
        (["1", "2", "x"], "regression", None, "1 of 3 values .* not: 'x'"),
        ([1.0, np.inf], "regression", None, "infinite"),
        ([2.0, 2.0], "regression", None, "never changes, it is 2"),
        (["a", "b"], "ordinal", None, "order of 'a', 'b' is not known"),
        (["a", "b"], "ordinal", ["a"], "also has 'b'"),
        (["a", "b"], "ordinal", ["a", "a"], "twice"),
        ([1, 2], "ordinal", ["one", "two"], "holds numbers"),
        (pd.date_range("2024", periods=2), "classification", None, "dates"),
        (pd.date_range("2024", periods=2), "regression", None, "dates"),
    ],
)
def test_unsuitable_targets_are_explained(y, task, order, message):
    with pytest.raises(InputError, match=message):
        encode_target(pd.Series(y), task, order=order)


def test_numbers_written_as_text_are_numbers():
    codes, classes = encode_target(pd.Series(["1", "2.5"]), "regression")
    assert codes.tolist() == [1.0, 2.5]
    assert classes is None
