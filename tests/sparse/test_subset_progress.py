"""Callbacks, printed lines, interruption, and what a fit compiles."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.callback import ScoringMonitor

from skloss.sparse import _subset_exact, best_subset
from skloss.sparse.best_subset import BestSubsetRegressor
from skloss.sparse.best_subset_cv import BestSubsetRegressorCV
from tests.sparse.subset_cases import correlated, diabetes_with_squares


@pytest.mark.parametrize("options", [{}, {"positive": True}, {"method": "exact"}])
def test_callbacks_see_each_step(options):
    X, y = correlated(60, 20, 0)
    monitor = ScoringMonitor(scoring="r2")
    model = BestSubsetRegressor(4, n_starts=3, random_state=0, **options)
    model.set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    steps = [row["r2"] for row in rows if row["task_name"] == "step"]
    # The path, the pursuit and three starts at least.
    assert len(steps) >= 5
    assert (np.diff(steps) >= -1e-12).all()  # the best so far
    (whole,) = [row["r2"] for row in rows if row["task_name"] == "fit"]
    np.testing.assert_allclose(whole, model.score(X, y))
    assert steps[-1] <= whole + 1e-12
    plain = BestSubsetRegressor(4, n_starts=3, random_state=0, **options).fit(X, y)
    np.testing.assert_array_equal(model.coef_, plain.coef_)


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize(("criterion", "n_steps"), [("cv", 3), ("bic", 2)])
def test_callbacks_see_each_fold_or_penalty(criterion, n_steps, n_jobs, capsys):
    X, y = correlated(60, 20, 0)
    monitor = ScoringMonitor(scoring="r2")
    model = BestSubsetRegressorCV(
        3, l2s=[0.0, 0.1], criterion=criterion, cv=3, n_jobs=n_jobs, random_state=0
    )
    plain = clone(model).fit(X, y)
    model.set_params(verbose=1).set_callbacks(monitor).fit(X, y)
    name = "fold" if criterion == "cv" else "penalty"
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in lines] == [
        f"[BestSubsetRegressorCV] {name} {i}/{n_steps}" for i in range(1, n_steps + 1)
    ]
    (row,) = monitor.get_logs().data  # there is no model before the last fit
    assert row["task_name"] == "fit"
    np.testing.assert_allclose(row["r2"], model.score(X, y))
    np.testing.assert_array_equal(model.coef_, plain.coef_)


def test_lines_are_printed(capsys):
    X, y = correlated(60, 20, 0)
    BestSubsetRegressor(3, n_starts=2, verbose=1).fit(X, y)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("[BestSubsetRegressor] step 1  objective ")
    assert len(lines) >= 4
    BestSubsetRegressor(3).fit(X, y)
    assert capsys.readouterr().out == ""


class _Stop:
    """What asks to stop after some reports."""

    def __init__(self, after):
        self.after = after

    def __call__(self, *_):
        self.after -= 1
        return self.after < 0


@pytest.mark.parametrize("after", [0, 2])
def test_stopped_proof_still_bounds(after, monkeypatch):
    monkeypatch.setattr(_subset_exact, "_BUDGET", 1 << 18)
    X, y = diabetes_with_squares()
    design = best_subset.SubsetDesign(X, y, np.full(442, 1 / 442), center=True)
    start = np.arange(6)
    data = (design.gram(), design.q, 0.0)
    stopped = _subset_exact.certify(*data, start, 6, report=_Stop(after))
    proved = _subset_exact.certify(*data, start, 6)
    assert stopped.n_nodes < proved.n_nodes
    assert stopped.lower_bound < proved.loss <= stopped.loss
    assert proved.lower_bound == pytest.approx(proved.loss)


def test_groups_report_and_stop(monkeypatch):
    from skloss.sparse import _subset_exact_groups as exact_groups

    monkeypatch.setattr(exact_groups, "_NODES", 1)
    X, y = correlated(60, 16, 0, rho=0.95)
    groups = np.arange(16) // 2
    design = best_subset.SubsetDesign(X, y, np.full(60, 1 / 60), center=True)
    layout = best_subset.Layout.of(design, groups)
    data = (design.gram(), design.q, 0.0, layout, np.arange(3), 3)
    stopped = exact_groups.certify_groups(*data, report=_Stop(0))
    proved = exact_groups.certify_groups(*data)
    assert stopped.n_nodes < proved.n_nodes
    assert stopped.lower_bound < proved.loss <= stopped.loss


def test_interrupted_proof_leaves_the_estimator_as_it_was(monkeypatch):
    X, y = correlated(60, 20, 0)
    model = BestSubsetRegressor(3, method="exact", random_state=0).fit(X, y)
    coef, objective = model.coef_.copy(), model.objective_

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(_subset_exact, "explore", interrupted)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X[:, ::-1], -y)
    np.testing.assert_array_equal(model.coef_, coef)
    assert model.objective_ == objective
    model.predict(X)


def test_search_compiles_one_kernel_and_no_proof():
    code = """
import numpy as np
from skloss._jit import compiled_kernels
from skloss.sparse import BestSubsetRegressor
rng = np.random.default_rng(0)
X = rng.normal(size=(40, 8))
BestSubsetRegressor(3).fit(X, X[:, 0] + rng.normal(size=40))
print(*(kernel.name for kernel in compiled_kernels()))
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "skloss.sparse._subset_kernels.improve" in run.stdout.split()
    assert "exact" not in run.stdout and "item" not in run.stdout
