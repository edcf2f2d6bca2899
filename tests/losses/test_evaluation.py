"""Losses as values, and the functions that apply them to arrays."""

import copy
import pickle

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
        (Huber(delta="1"), ValueError, ["delta", "'1'"]),
        (Huber(delta=True), ValueError, ["delta", "True"]),
        (SmoothedHinge(width=-1), ValueError, ["width", "SmoothedHinge", "-1"]),
        (losses.EpsilonInsensitive(-0.1), ValueError, ["epsilon", "-0.1", "at least"]),
        (losses.SquaredEpsilonInsensitive(np.nan), ValueError, ["epsilon", "nan"]),
        (Quantile(1.0), ValueError, ["quantile", "1.0", "between 0 and 1"]),
    ],
)
def test_refused_losses(loss, error, words):
    with pytest.raises(error) as caught:
        losses.evaluate(loss, 1.0, 0.0)
    for word in words:
        assert word in str(caught.value)


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


@pytest.mark.parametrize("weight", [[-1.0], [np.nan], [1.0, 1.0, 1.0]])
def test_refused_weights(weight):
    with pytest.raises(ValueError, match=r"sample_weight|shape|broadcast"):
        losses.evaluate("squared", [1.0, 2.0], [1.0, 2.0], weight)


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
