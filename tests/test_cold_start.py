"""What a new process has to wait for: counted, because seconds vary.

The kernels of the package are compiled once, by whoever needs them first; every later
process only loads them.
"""

import json
import subprocess
import sys

import pytest

HEAVY = {
    "cvxpy",
    "matplotlib",
    "numba",
    "pandas",
    "scipy.sparse",
    "joblib",
    "skloss._jit",
}

WARM_UP = """
from skloss.compare.warmup import warmups

for action in warmups().values():
    action()
"""
STANDARD_USE = """
from skloss.compare.registry import registered
from skloss.compare.warmup import _fit_all
from skloss import losses

_fit_all(registered(baseline=False))
losses.evaluate("logistic", [1, -1], [0.5, 1.0])
losses.value_and_gradient("huber", [1.0, -1.0], [0.5, 1.0])
"""
REPORT = """
import json
from skloss._jit import _KERNELS, compiled_kernels
from skloss._kernel_cache import _tuple_classes

signatures = {}
for kernel in _KERNELS:
    function = kernel.py_func
    for signature in kernel.signatures:
        losses = [c.__qualname__ for c in _tuple_classes(signature)]
        closed_over = [repr(c.cell_contents) for c in function.__closure__ or ()]
        name = f"{function.__module__}.{function.__qualname__} {losses} {closed_over}"
        signatures.setdefault(name, []).append(str(signature))
compiled = {k.name: k.compiled for k in compiled_kernels() if k.compiled}
loaded = sum(k.loaded for k in compiled_kernels())
print(json.dumps([compiled, loaded, signatures]))
"""


def output_of(code):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_import_loads_nothing_heavy():
    added = output_of(
        "import json, sys, sklearn; before = set(sys.modules); import skloss;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    assert not HEAVY & set(added)
    # nothing but the package itself and the standard library
    ours = [name for name in added if name.partition(".")[0] == "skloss"]
    assert ours == ["skloss"]
    assert set(added) - set(ours) <= set(sys.stdlib_module_names)


@pytest.fixture(scope="module")
def warm():
    return output_of(WARM_UP + REPORT)


def test_few_signatures(warm):
    """At most single and double precision of each kernel and loss."""
    _, _, signatures = warm
    assert signatures
    assert not {name: s for name, s in signatures.items() if len(s) > 2}


def test_second_process_compiles_nothing(warm):
    compiled, loaded, _ = output_of(WARM_UP + REPORT)
    assert not compiled
    assert loaded > 0


def test_first_fit_after_warm_up_compiles_nothing(warm):
    compiled, loaded, _ = output_of(STANDARD_USE + REPORT)
    assert not compiled
    assert loaded > 0
