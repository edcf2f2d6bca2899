"""A fit of MultinomialLogistic that fails leaves no broken model."""

import numpy as np
import pandas as pd
import pytest
from sklearn.callback import ScoringMonitor
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from skloss.linear_eval import MultinomialLogistic


class Interrupt:
    """A scikit-learn callback that raises at a step, or when the fit ends."""

    max_estimator_depth = None

    def __init__(self, step):
        self.step = step

    def setup(self, estimator, context):
        self.seen = 0

    def teardown(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context, *, metadata=None):
        self.seen += context.parent is not None
        if self.seen == self.step or (self.step is None and context.parent is None):
            raise KeyboardInterrupt


def too_large(X, y):
    return X[:100] * 1e300, y[:100], None, ValueError


def weightless_class(X, y):
    return X, y, (y > 0) * 1.0, ValueError


def interrupted(X, y):
    return X[:, :2], y % 2, Interrupt(2), KeyboardInterrupt


def interrupted_at_the_end(X, y):
    return X[:, :2], y % 2, Interrupt(None), KeyboardInterrupt


@pytest.mark.parametrize(
    "fail", [too_large, weightless_class, interrupted, interrupted_at_the_end]
)
@pytest.mark.parametrize("fitted", [True, False])
def test_a_failed_fit_leaves_the_old_model_or_none(fail, fitted):
    X, y = load_iris(return_X_y=True)
    frame = pd.DataFrame(X, columns=list("abcd"))
    model = MultinomialLogistic()
    if fitted:
        model.fit(frame, y)
        before = {n: v for n, v in vars(model).items() if not n.startswith("_skl")}
        proba = model.predict_proba(frame)
    data, labels, extra, error = fail(X, y)
    weights = extra if isinstance(extra, np.ndarray) else None
    if isinstance(extra, Interrupt):
        model.set_callbacks(extra)
    with pytest.raises(error):
        model.fit(data, labels, weights)
    if not fitted:
        with pytest.raises(NotFittedError):
            check_is_fitted(model)
        assert not hasattr(model, "n_features_in_")
        return
    after = {n: v for n, v in vars(model).items() if not n.startswith("_skl")}
    assert after.keys() == before.keys()
    assert all(after[name] is before[name] for name in before)
    np.testing.assert_array_equal(model.predict_proba(frame), proba)
    model.set_callbacks().fit(X[:, :3], y)  # and it can be fitted again
    assert model.predict(X[:3, :3]).shape == (3,)


def test_callbacks_score_a_refit_by_its_own_classes():
    X, y = load_iris(return_X_y=True)
    monitor = ScoringMonitor(scoring="accuracy")
    names = np.array(["setosa", "versicolor", "virginica"])
    model = MultinomialLogistic().fit(X, y)
    model.set_callbacks(monitor).fit(X[y > 0], names[y[y > 0]])
    rows = [r for r in monitor.get_logs().data if r["task_name"] == "iteration"]
    assert len(rows) == model.n_iter_
    assert rows[-1]["accuracy"] == model.score(X[y > 0], names[y[y > 0]]) > 0.9
