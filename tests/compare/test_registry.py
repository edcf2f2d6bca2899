import subprocess
import sys

import pytest
from sklearn.base import is_classifier, is_regressor
from sklearn.linear_model import Ridge
from sklearn.model_selection import ParameterGrid

from skloss.compare import InputError, register, registered
from skloss.compare.registry import TASKS, unregister


@pytest.mark.parametrize("entry", registered(), ids=lambda e: f"{e.task}-{e.name}")
def test_every_entry_makes_an_estimator_that_knows_its_grid(entry):
    estimator = entry.make()
    assert hasattr(estimator, "fit")
    for candidate in ParameterGrid(entry.grid or {}):
        estimator.set_params(**candidate)
    if entry.task in ("classification", "ordinal"):
        assert is_classifier(estimator)
    elif entry.task != "clustering":
        assert is_regressor(estimator)


@pytest.mark.parametrize("task", TASKS)
def test_every_task_has_rivals_and_something_to_beat(task):
    names = [entry.name for entry in registered(task, baseline=True)]
    assert len(names) >= 3
    assert any("Dummy" in name or "Random" in name for name in names)


def test_grids_are_of_comparable_size():
    for entry in registered():
        size = len(ParameterGrid(entry.grid)) if entry.grid else 0
        assert size == 0 or 6 <= size <= 12, entry.name


def test_one_call_adds_an_estimator_and_replaces_an_earlier_one():
    first = register("regression", Ridge, {"alpha": [1.0]}, name="Mine")
    second = register("regression", Ridge(alpha=3), {}, name="Mine")
    try:
        mine = [e for e in registered("regression") if e.name == "Mine"]
        assert mine == [second]
        assert mine[0].make().alpha == 3
        assert first not in registered()
    finally:
        unregister(second)


@pytest.mark.parametrize(
    "arguments, options",
    [
        (("regresion", Ridge, {}), {}),
        (("regression", Ridge, [1]), {}),
        (("regression", Ridge, {}), {"needs": "scale"}),
    ],
)
def test_wrong_registrations_are_explained(arguments, options):
    with pytest.raises(InputError):
        register(*arguments, **options)


def test_registering_and_importing_load_nothing_heavy():
    code = (
        "import sys, skloss.compare; from skloss.compare import registered, compare; "
        "registered(); "
        "heavy = {'numba', 'matplotlib', 'cvxpy', 'skrub'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
