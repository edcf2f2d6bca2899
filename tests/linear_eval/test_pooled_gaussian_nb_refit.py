"""A fit that fails or is interrupted leaves the model as it was."""

import sys
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest

from skloss.linear_eval import PooledGaussianNB, pooled_gaussian_nb


def state(model):
    """All attributes, in a form that can be compared."""
    kept = dict(vars(model))
    if "classes_" not in kept:  # private attributes of an unfitted model mean nothing
        return {n: repr(value) for n, value in kept.items() if not n.startswith("_")}
    moments = vars(kept.pop("_moments"))
    return {name: repr(value) for name, value in (kept | moments).items()}


def interrupted_at(step, action):
    """Run an action, interrupted at its n-th line; say whether it got that far.

    Lines are counted in the estimator's own file, where all attributes are set.
    """
    seen = 0

    def watch(frame, event, arg):
        nonlocal seen
        if frame.f_code.co_filename != pooled_gaussian_nb.__file__:
            return None
        if event == "line":
            seen += 1
            if seen == step:
                raise KeyboardInterrupt
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        action()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


@pytest.fixture
def data(rng):
    X = rng.normal(size=(60, 3))
    return pd.DataFrame(X, columns=["a", "b", "c"]), np.arange(60) % 3


def other_rows(data):
    X, y = data
    return (X.to_numpy()[:40, :2] + 5).astype(np.float32), y[:40] % 2 + 7


def more_rows(data):
    X, y = data
    return X.iloc[:40] + 5, y[:40]


ACTIONS = {
    "fit": lambda model, data: model.fit(*other_rows(data)),
    "partial_fit": lambda model, data: model.partial_fit(*more_rows(data)),
    "merge": lambda model, data: model.merge(PooledGaussianNB().fit(*more_rows(data))),
    "first fit": lambda model, data: model.fit(*more_rows(data)),
    "first batch": lambda model, data: model.partial_fit(*more_rows(data), [0, 1, 2]),
}


@pytest.mark.parametrize("name", ACTIONS)
def test_an_interrupt_anywhere_leaves_the_old_model_or_the_new(name, data):
    start = PooledGaussianNB()
    if "first" not in name:
        start.fit(*data)
    old, finished = state(start), deepcopy(start)
    ACTIONS[name](finished, data)
    new = state(finished)
    met = set()
    for step in range(1, 1000):
        model = deepcopy(start)
        if not interrupted_at(step, lambda m=model: ACTIONS[name](m, data)):
            break
        found = state(model)
        assert found in (old, new), step
        met.add(found == old)
    assert step > 20 and True in met
    assert state(model) == new


@pytest.mark.parametrize(
    "change, message",
    [
        ({"X": np.full((40, 2), np.nan)}, "contains NaN"),
        ({"X": np.full((40, 2), 1e300)}, "too large"),
        ({"y": np.zeros(40, int)}, "at least 2 classes"),
        ({"y": np.arange(39)}, "inconsistent numbers"),
        ({"sample_weight": -np.ones(40)}, "sample_weight"),
        ({"sample_weight": np.r_[np.full(38, 1e308), 1e308, 1e308]}, "sample_weight"),
        ({"priors": [0.5, 0.25, 0.25]}, "priors has shape"),
    ],
)
def test_a_refused_fit_leaves_the_old_model(change, message, data):
    X, y = other_rows(data)
    X[:, 1] *= np.where(y == 7, 1, -1)
    if "X" in change:
        change["X"][::2] *= -1
    model = PooledGaussianNB().fit(*data)
    fresh = PooledGaussianNB()
    for estimator in (model, fresh):
        estimator.set_params(priors=change.get("priors"))
        before, rows = state(estimator), {"X": X, "y": y} | change
        rows.pop("priors", None)
        with pytest.raises(ValueError, match=message):
            estimator.fit(**rows)
        assert state(estimator) == before
    np.testing.assert_array_equal(
        model.predict_proba(data[0]),
        PooledGaussianNB().fit(*data).predict_proba(data[0]),
    )
