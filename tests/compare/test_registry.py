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


def test_one_call_adds_an_estimator():
    mine = register("regression", Ridge(alpha=3), {}, name="Mine")
    try:
        assert mine in registered("regression")
        assert mine not in registered("sparse")
        assert mine.make().alpha == 3
    finally:
        unregister(mine)


def test_a_name_is_taken_over_only_on_request():
    first = register("regression", Ridge, {"alpha": [1.0]}, name="Mine")
    try:
        assert register("regression", Ridge, {"alpha": [1.0]}, name="Mine") == first
        with pytest.raises(InputError, match="already has an entry named 'Mine'"):
            register("regression", Ridge, {"alpha": [2.0]}, name="Mine")
        assert [e for e in registered("regression") if e.name == "Mine"] == [first]
        other = register("sparse", Ridge, {"alpha": [2.0]}, name="Mine")
        unregister(other)
        first = register("regression", Ridge(), {}, name="Mine", replace=True)
        assert [e for e in registered("regression") if e.name == "Mine"] == [first]
    finally:
        unregister(first)


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
