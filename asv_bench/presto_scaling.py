"""How PRESTO's time and memory grow, and how near they are to what machines can do."""

import numpy as np

from skloss.ordinal import (
    PrestoClassifier,
    PrestoClassifierCV,
    ProportionalOddsClassifier,
    presto_path,
)
from skloss.ordinal._inputs import read_sample

from ._ordinal_data import load
from ._pairs import Ratio, peak_bytes, ratio


class Rows:
    """Time per row, in units of that of 10,000 rows; 1 is linear."""

    params = (100_000, 1_000_000)
    param_names = ("n_samples",)
    timeout = 1800
    unit = "per row/per row"
    few = 10_000

    def setup(self, n_samples):
        self.X, self.y = load(f"{n_samples}x10x4")
        self.n = n_samples

    def per_row(self, fit, repeat):
        def run(n):
            return lambda: fit(self.X[:n], self.y[:n])

        once = ratio(run(self.n), run(self.few), repeat=repeat)
        return Ratio(once.ours / self.n, once.peer / self.few)

    def track_fit(self, n_samples):
        return self.per_row(PrestoClassifier().fit, repeat=5)

    def track_path(self, n_samples):
        return self.per_row(lambda X, y: presto_path(X, y, n_alphas=20), repeat=3)

    def track_proportional_odds(self, n_samples):
        return self.per_row(ProportionalOddsClassifier().fit, repeat=5)


class Memory:
    """Most bytes held at once, X itself excepted, in units of X."""

    params = ("200000x10x4", "100000x50x4", "20000x200x4")
    param_names = ("data",)
    timeout = 600
    unit = "bytes/bytes of X"

    def setup(self, data):
        self.X, self.y = load(data)

    def over_X(self, fit):
        return Ratio(peak_bytes(fit), self.X.nbytes)

    def track_fit(self, data):
        return self.over_X(lambda: PrestoClassifier().fit(self.X, self.y))

    def track_path(self, data):
        return self.over_X(lambda: presto_path(self.X, self.y, n_alphas=5))

    def track_cv(self, data):
        model = PrestoClassifierCV(alphas=3, cv=3, random_state=0)
        return self.over_X(lambda: model.fit(self.X, self.y))

    def track_proportional_odds(self, data):
        return self.over_X(lambda: ProportionalOddsClassifier().fit(self.X, self.y))


class FamilyMemory:
    """The same with 10 classes and as many columns: there scores outgrow X."""

    params = ("cumulative", "stopping", "adjacent")
    param_names = ("family",)
    timeout = 600
    unit = "bytes/bytes of X"

    def setup(self, family):
        self.X, self.y = load("200000x10x10")

    def track_fit(self, family):
        model = PrestoClassifier(family=family)
        return Ratio(peak_bytes(lambda: model.fit(self.X, self.y)), self.X.nbytes)


class _Steps:
    """A fit stopped before its first Newton step, to take that step again and again.

    It is all that a step does with the rows: the Hessian, the scores of the direction,
    one value of the line search, and loss and gradient at the new point.
    """

    def __init__(self, X, y, structure="fused"):
        model = PrestoClassifier(structure=structure)
        sample = read_sample(model, X, y, None)
        engine = model._engine(sample, model._model(X.shape[1], l1_ratio=1.0))
        self.rows = engine.rows.Z[:, : engine.rows.n_rows]
        start, _ = engine.unpenalized(tol=1e-6)
        self.point = engine.problem(0.01).at(start)
        self.every = np.arange(len(start))
        self.direction = -1e-3 * self.point.gradient

    def take(self):
        self.point.model(self.every, 0.0)
        loss_at, point_at = self.point.along(self.direction)
        loss_at(1.0)
        point_at(1.0)


class NewtonStep:
    """A Newton step beside the least that can be done with as many rows."""

    params = (
        ("fused", "parallel"),
        ("1000000x5x4", "500000x10x4", "100000x50x4", "50000x100x4", "20000x200x4"),
    )
    param_names = ("structure", "data")
    timeout = 600
    unit = "step/product"

    def setup(self, structure, data):
        self.steps = _Steps(*load(data), structure)
        self.rows = self.steps.rows

    def track_ratio_to_gram(self, structure, data):
        """One product of the rows with themselves, which BLAS does as syrk."""
        return ratio(self.steps.take, lambda: self.rows @ self.rows.T, repeat=7)

    def track_ratio_to_sum(self, structure, data):
        """A sum reads the rows once and does nothing else: the memory's speed."""
        return ratio(self.steps.take, lambda: self.rows.sum(), repeat=7)


class Classes:
    """A Newton step with 20 classes, in units of one with 5.

    A row of the first or last class is in one Gram matrix, any other in three: that
    alone makes 1.27.
    """

    unit = "20 classes/5"

    def setup(self):
        self.few, self.many = (_Steps(*load(f"100000x10x{k}")) for k in (5, 20))

    def track_step(self):
        return ratio(self.many.take, self.few.take, repeat=7)
