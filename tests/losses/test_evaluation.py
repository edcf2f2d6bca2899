"""Losses as values, and the functions that apply them to arrays."""

import copy
import pickle
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from skloss import losses
from skloss.losses import Hinge, Huber, Logistic, Quantile, SmoothedHinge


class Constant(BaseEstimator):
    """Predicts nothing; its score tells which loss it was given."""

    def __init__(self, loss="hinge"):
        self.loss = loss

    def fit(self, X, y):
        return self

    def score(self, X, y):
        return -losses.evaluate(self.loss, 1.0, -5.0).sum()


@pytest.mark.parametrize("name", losses.LOSSES)
def test_losses_are_values(name):
    loss = losses.get(name)
    assert loss
    assert loss.name == name
    assert loss == type(loss)()
    assert hash(loss) == hash(type(loss)())
    assert loss != tuple(loss)
    for other in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert other == loss
        assert type(other) is type(loss)
    assert repr(loss).startswith(type(loss).__name__ + "(")
    assert clone(Constant(loss)).get_params() == {"loss": loss}


def test_losses_differ_by_type():
    assert len({losses.get(name) for name in losses.LOSSES}) == len(losses.LOSSES)
    assert Huber(1.0) != SmoothedHinge(1.0)


def test_losses_go_into_a_parameter_grid():
    grid = [Hinge(), "squared_hinge", SmoothedHinge(0.5), SmoothedHinge(2.0)]
    assert len(ParameterGrid({"loss": grid})) == 4
    X = np.zeros((4, 1))
    search = GridSearchCV(Constant(), {"loss": grid}, cv=2).fit(X, [0, 1, 0, 1])
    assert search.best_params_ == {"loss": SmoothedHinge(2.0)}


def test_get_turns_parameters_into_floats():
    loss = losses.get(Huber(delta=np.int64(2)))
    assert type(loss.delta) is float
    assert losses.get("hinge") == Hinge()


@pytest.mark.parametrize(
    ("loss", "error", "words"),
    [
        ("hing", ValueError, ["'hing'", "'hinge'", "'logistic'", "'quantile'"]),
        (1.0, TypeError, ["1.0", "'hinge'"]),
        ((1.35,), TypeError, ["(1.35,)"]),
        (Huber, TypeError, ["Huber", "'huber'"]),
        (Huber(delta=0.0), ValueError, ["delta", "Huber", "0.0", "above 0"]),
        (Huber(delta=np.inf), ValueError, ["delta", "inf", "finite"]),
        (Huber(delta=np.nan), ValueError, ["delta", "nan", "finite"]),
        (Huber(delta=10**400), ValueError, ["delta", "000", "finite"]),
        (Huber(delta="1"), TypeError, ["delta", "Huber", "'1'", "above 0"]),
        (Huber(delta=True), TypeError, ["delta", "True", "above 0"]),
        (Huber(delta=np.True_), TypeError, ["delta", "True", "above 0"]),
        (Huber(delta=None), TypeError, ["delta", "None", "above 0"]),
        (Huber(delta=1j), TypeError, ["delta", "1j", "above 0"]),
        (Huber(delta=[1.0]), TypeError, ["delta", "[1.0]", "above 0"]),
        (SmoothedHinge(width=-1), ValueError, ["width", "SmoothedHinge", "-1"]),
        (losses.EpsilonInsensitive(-0.1), ValueError, ["epsilon", "-0.1", "at least"]),
        (losses.SquaredEpsilonInsensitive(np.nan), ValueError, ["epsilon", "nan"]),
        (Quantile(1.0), ValueError, ["quantile", "1.0", "between 0 and 1"]),
    ],
)
def test_refused_losses(loss, error, words):
    for use in (
        lambda: losses.get(loss),
        lambda: losses.evaluate(loss, 1.0, 0.0),
        lambda: losses.evaluate_gradient(loss, 1.0, 0.0),
        lambda: losses.value_and_gradient(loss, 1.0, 0.0),
    ):
        with pytest.raises(error) as caught:
            use()
        for word in words:
            assert word in str(caught.value)


def test_names_are_not_taken_over():
    with pytest.raises(ValueError, match=r"'huber' belongs to .*regression\.Huber"):

        @losses.register("huber")
        class Other(NamedTuple):
            targets = "real"
            lipschitz = smoothness = 1.0

    assert losses.get("huber") == Huber()
    try:
        for _ in range(2):  # as when a notebook's cell is run again

            @losses.register("quartic")
            class Quartic(NamedTuple):
                scale: float = 1.0
                targets = "real"
                lipschitz = smoothness = np.inf

        assert losses.get("quartic") == Quartic()
        with pytest.raises(TypeError, match="scale of Quartic must be a number"):
            losses.get(Quartic("large"))
    finally:
        del losses.LOSSES["quartic"]


@pytest.mark.parametrize(
    ("loss", "y", "f", "words"),
    [
        ("hinge", [0, 1], [1.0, 2.0], r"-1 or \+1"),
        ("poisson", [-1.0], [1.0], "at least 0"),
        ("gamma", [0.0], [1.0], "above 0"),
        ("squared", [np.nan], [1.0], "y contains NaN"),
        ("squared", [1.0], [np.inf], "f contains infinity"),
        ("softmax_cross_entropy", [0], [[1.0, np.nan]], "f contains NaN"),
        ("softmax_cross_entropy", [2], [[1.0, 2.0]], "from 0 to 1"),
        ("softmax_cross_entropy", [-1], [[1.0, 2.0]], "from 0 to 1"),
        ("softmax_cross_entropy", [0.5], [[1.0, 2.0]], "integers"),
        ("softmax_cross_entropy", [0], [1.0, 2.0], r"\(n, n_classes\)"),
        ("softmax_cross_entropy", [0, 1], [[1.0, 2.0]], r"\(1, 2\)"),
    ],
)
def test_refused_data(loss, y, f, words):
    for function in (
        losses.evaluate,
        losses.evaluate_gradient,
        losses.value_and_gradient,
    ):
        with pytest.raises(ValueError, match=words):
            function(loss, y, f)


@pytest.mark.parametrize(
    "weight, message",
    [
        ([-1.0], r"sample_weight must not be negative; got -1\.0"),
        ([np.nan], "sample_weight contains NaN"),
        ([1.0, 1.0, 1.0], r"sample_weight of shape \(3,\).*\(2,\)"),
    ],
)
def test_refused_weights(weight, message):
    with pytest.raises(ValueError, match=message):
        losses.evaluate("squared", [1.0, 2.0], [1.0, 2.0], weight)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"y has shape \(2,\) and f has shape \(3,\)"):
        losses.evaluate("squared", [1.0, 2.0], [1.0, 2.0, 3.0])


def test_shapes():
    assert losses.evaluate("hinge", 1, 0.0).shape == ()
    assert losses.evaluate("hinge", 1, np.zeros((2, 3))).shape == (2, 3)
    assert losses.evaluate("hinge", [[1], [-1]], np.zeros(3)).shape == (2, 3)
    assert losses.evaluate("hinge", [], []).shape == (0,)
    assert losses.evaluate_gradient("hinge", [], []).shape == (0,)
    empty = np.empty((0, 3))
    values, gradient = losses.value_and_gradient(
        "softmax_cross_entropy", np.empty(0, int), empty, []
    )
    assert values.shape == (0,)
    assert gradient.shape == (0, 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_dtypes_and_strides(dtype):
    f = np.arange(-6, 6).astype(dtype)
    y = np.where(np.arange(12) % 2, 1, -1)
    expected = np.maximum(1 - y * f, 0)
    values = losses.evaluate("hinge", y, f)
    assert values.dtype == (np.float32 if dtype == np.float32 else np.float64)
    np.testing.assert_array_equal(values, expected)
    strided = losses.evaluate("hinge", np.repeat(y, 2)[::2], np.repeat(f, 3)[::3])
    np.testing.assert_array_equal(strided, expected)


def test_weights():
    y, f = np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 4.0])
    weight = np.array([2, 0, 1])
    values, gradient = losses.value_and_gradient("squared", y, f, weight)
    np.testing.assert_array_equal(values, [1.0, 0.0, 0.5])
    np.testing.assert_array_equal(gradient, [-2.0, 0.0, 1.0])
    np.testing.assert_array_equal(losses.evaluate("squared", y, f, weight), values)
    np.testing.assert_array_equal(losses.evaluate("squared", y, f, 3), [1.5, 6, 1.5])
    repeated = losses.evaluate("squared", y.repeat(weight), f.repeat(weight))
    assert repeated.sum() == values.sum()


def test_weight_zero_means_absent_even_at_overflow():
    with pytest.warns(RuntimeWarning, match="exponential loss overflows"):
        values = losses.evaluate("exponential", 1, [-1e4, 0.0], [0, 2])
    np.testing.assert_array_equal(values, [0.0, 2.0])


def test_outputs():
    y, f = np.ones(5), np.linspace(-2, 2, 5)
    value, gradient = np.empty(5), np.empty(5)
    outputs = losses.value_and_gradient(
        "logistic", y, f, value_out=value, gradient_out=gradient
    )
    assert outputs[0] is value
    assert outputs[1] is gradient
    np.testing.assert_array_equal(value, losses.evaluate("logistic", y, f))
    for wrong in (np.empty(4), np.empty(5, np.float32), np.empty(10)[::2], [0.0] * 5):
        with pytest.raises(ValueError, match="gradient_out"):
            losses.value_and_gradient("logistic", y, f, gradient_out=wrong)


def by_hand(name):
    """Data of two losses, with values and gradients written for NumPy."""
    random = np.random.RandomState(0)
    weight = random.uniform(0.5, 2, 40)
    if name == "squared":
        y, f = random.standard_normal((2, 40))
        return y, f, weight, weight * (f - y) ** 2 / 2, weight * (f - y)
    y, F = random.randint(3, size=40), random.standard_normal((40, 3))
    p = np.exp(F) / np.exp(F).sum(axis=1, keepdims=True)
    value = -np.log(p[np.arange(40), y])
    return y, F, weight, weight * value, weight[:, None] * (p - np.eye(3)[y])


@pytest.mark.parametrize("loss", ["squared", "softmax_cross_entropy"])
@pytest.mark.parametrize("value_at", ["y", "weight", "f", None])
@pytest.mark.parametrize("gradient_at", ["f", "y", "weight", None])
def test_outputs_may_lie_in_inputs(loss, value_at, gradient_at):
    y, f, weight, value, gradient = by_hand(loss)
    inputs = {"y": y, "f": f, "weight": weight, None: None}
    if value_at == gradient_at and value_at is not None:
        return  # two outputs in one place: refused, see below
    outputs = []
    for at, expected in ((value_at, value), (gradient_at, gradient)):
        out = inputs[at]
        fits = out is not None and out.dtype == float and out.shape == expected.shape
        outputs.append(out if fits else None)
    results = losses.value_and_gradient(
        loss, y, f, weight, value_out=outputs[0], gradient_out=outputs[1]
    )
    for result, out, expected in zip(results, outputs, (value, gradient)):
        assert out is None or result is out
        np.testing.assert_allclose(result, expected, rtol=1e-12, atol=1e-15)


def test_outputs_may_overlap_inputs_in_part():
    y, f, _, _, _ = by_hand("squared")
    for shift in (1, 7):
        memory = np.concatenate([f, np.zeros(shift)])
        losses.value_and_gradient(
            "squared", y, memory[:40], gradient_out=memory[shift:]
        )
        np.testing.assert_array_equal(memory[shift:], f - y)
        memory = np.concatenate([np.zeros(shift), y])
        losses.value_and_gradient("squared", memory[shift:], f, value_out=memory[:40])
        np.testing.assert_array_equal(memory[:40], 0.5 * (f - y) * (f - y))


def test_outputs_must_not_overlap_each_other():
    y, f, _, _, _ = by_hand("squared")
    memory = np.empty(60)
    for gradient in (memory[:40], memory[20:]):
        with pytest.raises(ValueError, match="must not share memory"):
            losses.value_and_gradient(
                "squared", y, f, value_out=memory[:40], gradient_out=gradient
            )


def kinds(x, path):
    """The same numbers in arrays that numba would tell apart."""
    read_only = x.copy()
    read_only.flags.writeable = False
    mapped = np.memmap(path, dtype=x.dtype, mode="w+", shape=x.shape)
    mapped[:] = x
    mapped.flush()
    buffer = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = buffer[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    return {
        "plain": x,
        "read-only": read_only,
        "strided": np.repeat(x, 2, axis=0)[::2],
        "fortran": np.asfortranarray(x),
        "memmap": mapped,
        "read-only memmap": np.memmap(path, dtype=x.dtype, mode="r", shape=x.shape),
        "unaligned": unaligned,
        "byte order": x.astype(x.dtype.newbyteorder()),
    }


@pytest.mark.parametrize("loss", ["smoothed_hinge", "softmax_cross_entropy"])
def test_kernels_see_one_form_of_arrays(loss, tmp_path):
    from skloss.losses import _evaluation

    random = np.random.RandomState(0)
    rows = loss == "softmax_cross_entropy"
    y = random.randint(2, size=20) if rows else random.choice([-1.0, 1.0], 20)
    f = random.standard_normal((20, 2) if rows else 20)
    expected = losses.value_and_gradient(loss, y, f)
    ys, fs = kinds(y, tmp_path / "y"), kinds(f, tmp_path / "f")
    outs = np.memmap(tmp_path / "out", dtype=float, mode="w+", shape=(20,))
    for kind in fs:
        values, gradient = losses.value_and_gradient(
            loss, ys[kind], fs[kind], value_out=outs
        )
        np.testing.assert_array_equal(values, expected[0], err_msg=kind)
        np.testing.assert_array_equal(gradient, expected[1], err_msg=kind)
        values = losses.evaluate(loss, ys[kind], fs[kind])
        np.testing.assert_allclose(values, expected[0], rtol=1e-13)
    kernels = (
        [_evaluation._block_gradients]
        if rows
        else [_evaluation._values, _evaluation._values_and_derivatives]
    )
    for kernel in kernels:
        mine = [
            signature
            for signature in kernel.signatures
            if signature[0].instance_class is type(losses.get(loss))
            and str(signature[2].dtype) == "float64"
        ]
        assert len(mine) == 1, mine


@pytest.mark.parametrize("loss", ["logistic", "softmax_cross_entropy"])
def test_numbers_do_not_depend_on_threads(loss, monkeypatch):
    from skloss.losses import _evaluation

    n = 200_001
    random = np.random.RandomState(0)
    if loss == "logistic":
        y, f = np.where(random.rand(n) < 0.5, -1, 1), random.standard_normal(n)
    else:
        y, f = random.randint(3, size=n), random.standard_normal((n, 3))
    results = []
    for threads in (1, 2, 3):
        monkeypatch.setattr(_evaluation, "threads_for", lambda size, t=threads: t)
        results.append(losses.value_and_gradient(loss, y, f))
    for value, gradient in results[1:]:
        np.testing.assert_array_equal(value, results[0][0])
        np.testing.assert_array_equal(gradient, results[0][1])


def test_gradient_can_be_optimised():
    """The public functions are enough to fit a quantile."""
    from scipy.optimize import minimize

    x = np.random.RandomState(0).standard_normal(1001)
    loss = losses.Huber(delta=0.5)

    def objective(centre):
        value, gradient = losses.value_and_gradient(loss, x, np.full_like(x, centre[0]))
        return value.sum(), np.array([gradient.sum()])

    best = minimize(objective, [3.0], jac=True)
    grid = np.linspace(-0.2, 0.2, 4001)
    brute = [
        np.where(
            np.abs(x - c) <= 0.5, (x - c) ** 2 / 2, 0.5 * (np.abs(x - c) - 0.25)
        ).sum()
        for c in grid
    ]
    assert best.x[0] == pytest.approx(grid[np.argmin(brute)], abs=1e-4)


def test_unsupported_combination_is_named():
    with pytest.raises(TypeError, match="row_value is not defined for Logistic"):
        losses.row_value(Logistic(), 0, np.zeros(2))
    with pytest.raises(TypeError, match="probability is not defined for Hinge"):
        losses.probability(Hinge(), 0.0)
