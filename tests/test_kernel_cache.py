"""The disk cache of kernels: fresh after any edit, and never in the way.

Each test writes a small package around the real decorator and runs it in new
processes, which print a number and what they found in the cache.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import skloss

SOURCES = {
    "__init__.py": "",
    "constants.py": "FACTOR = 2.0\n",
    "unrelated.py": "from tiny._jit import kernel\n",
    "helper.py": """
        from tiny._jit import kernel
        from tiny.constants import FACTOR

        @kernel
        def scaled(x):
            return FACTOR * x
        """,
    "contract.py": """
        from tiny._jit import dispatched

        @dispatched
        def value(loss, x):
            "Value of a loss."
        """,
    "losses.py": """
        from typing import NamedTuple

        class Shift(NamedTuple):
            offset: float = 1.0
        """,
    "values.py": """
        from tiny.contract import value
        from tiny.losses import Shift

        @value.implement(Shift)
        def _(loss, x):
            return x + 10.0 * loss.offset
        """,
    "caller.py": """
        from tiny._jit import kernel
        from tiny.contract import value
        from tiny.helper import (
            scaled,
        )

        @kernel
        def plus_1(x):
            return scaled(x) + 1

        @kernel
        def shifted(loss, x):
            return value(loss, x)

        def made(amount):
            @kernel
            def function(x):
                return x + amount
            return function
        """,
}
RUN = """
import json
from tiny import values
from tiny.caller import made, plus_1, shifted
from tiny.losses import Shift
{code}
print(json.dumps([
    result,
    sum(function.stats.cache_hits.values()),
    sum(function.stats.cache_misses.values()),
    str(function.stats.cache_path),
]))
"""
PLUS_1 = "function, result = plus_1, plus_1(3.0)"
SHIFTED = "function, result = shifted, shifted(Shift(), 3.0)"


class Package:
    """The small package, and processes that use it."""

    def __init__(self, folder):
        self.root = folder / "tiny"
        self.folder = folder
        self.root.mkdir()
        real = Path(skloss.__file__).parent
        for name in ("_jit.py", "_kernel_cache.py"):
            source = (real / name).read_text(encoding="utf-8")
            (self.root / name).write_text(source.replace("skloss", "tiny"))
        for name, source in SOURCES.items():
            (self.root / name).write_text(textwrap.dedent(source))

    def edit(self, name, old, new):
        """Edit a source file without changing its size or its time stamp."""
        path = self.root / name
        before, source = path.stat(), path.read_text()
        assert old in source
        assert len(old) == len(new)
        path.write_text(source.replace(old, new))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        for bytecode in self.root.glob("__pycache__/*.pyc"):
            bytecode.unlink()  # Python itself would not notice the edit either

    def run(self, code=PLUS_1, **environment):
        """Result, cache hits, cache misses and the cache's folder of a new process."""
        done = subprocess.run(
            [sys.executable, "-c", RUN.format(code=code)],
            cwd=self.folder,
            env=self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return tuple(json.loads(done.stdout))

    @property
    def environment(self):
        return {k: v for k, v in os.environ.items() if k != "NUMBA_CACHE_DIR"}

    def entries(self, kind):
        return sorted(self.root.glob(f"__pycache__/*.{kind}"))


@pytest.fixture
def package(tmp_path):
    return Package(tmp_path)


def outcome(run):
    return run[:3]


def test_second_process_compiles_nothing(package):
    assert outcome(package.run()) == (7.0, 0, 1)
    assert outcome(package.run()) == (7.0, 1, 0)


def test_edits_anywhere_are_noticed(package):
    assert outcome(package.run()) == (7.0, 0, 1)
    package.edit("helper.py", "FACTOR * x", "FACTOR - x")
    assert outcome(package.run()) == (0.0, 0, 1)
    package.edit("constants.py", "2.0", "5.0")
    assert outcome(package.run()) == (3.0, 0, 1)
    package.edit("caller.py", "+ 1", "+ 2")
    assert outcome(package.run()) == (4.0, 0, 1)
    assert outcome(package.run()) == (4.0, 1, 0)


def test_edits_elsewhere_cost_nothing(package):
    package.run()
    package.edit("unrelated.py", "kernel\n", "kernel ")
    assert outcome(package.run()) == (7.0, 1, 0)


def test_edit_of_an_implementation_is_noticed(package):
    """Although the kernel's module imports neither the loss nor what implements it."""
    assert outcome(package.run(SHIFTED)) == (13.0, 0, 1)
    assert outcome(package.run(SHIFTED)) == (13.0, 1, 0)
    package.edit("values.py", "10.0", "20.0")
    assert outcome(package.run(SHIFTED)) == (23.0, 0, 1)


def test_functions_that_differ_in_what_they_close_over(package):
    for amount in (1.0, 2.0, 1.0):
        code = f"function = made({amount}); result = function(3.0)"
        assert package.run(code)[0] == 3.0 + amount


def outcomes_in_one_process(package, tamper):
    """Outcomes of fresh kernels, two for each tampering with the entries."""
    code = f"""
from pathlib import Path
from numpy import float32
from tiny._jit import kernel

folder = Path(plus_1.stats.cache_path)
plus_1(3.0), plus_1(float32(3))
result = []

def entries(kind):
    return sorted(folder.glob("*plus_1*." + kind))

def call():
    global function
    function = kernel(plus_1.py_func)
    numbers = function(3.0), function(float32(3))
    stats = function.stats
    counts = [sum(c.values()) for c in (stats.cache_hits, stats.cache_misses)]
    result.append([*numbers, *counts])

call()
{textwrap.dedent(tamper)}
"""
    return package.run(code)[0]


def test_damaged_entries_are_compiled_again(package):
    found, *outcomes = outcomes_in_one_process(
        package,
        """
        for kind in ("nbi", "nbc"):
            for part in (0, 0.5, "garbage"):
                for entry in entries(kind):
                    whole = entry.read_bytes()
                    entry.write_bytes(
                        b"garbage" if part == "garbage"
                        else whole[:int(part * len(whole))]
                    )
                call()
                call()
        """,
    )
    assert found == [7.0, 7.0, 2, 0]
    assert outcomes == [[7.0, 7.0, 0, 2], [7.0, 7.0, 2, 0]] * 6


def test_swapped_entries_are_not_mistaken_for_each_other(package):
    """As left behind by two processes that saved at the same moment."""
    outcomes = outcomes_in_one_process(
        package,
        """
        first, second = entries("nbc")
        content = first.read_bytes()
        first.write_bytes(second.read_bytes())
        second.write_bytes(content)
        call()
        call()
        """,
    )
    assert outcomes == [[7.0, 7.0, 2, 0], [7.0, 7.0, 0, 2], [7.0, 7.0, 2, 0]]


def user_folders(folder):
    """Environment that puts the user's cache below `folder` on any system."""
    return dict.fromkeys(("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"), str(folder))


def forbid_writing(package):
    """Take away the folder next to the sources, even from a superuser."""
    (package.root / "__pycache__").write_text("a file where the folder should be")


def test_read_only_install_uses_the_users_cache(package, tmp_path):
    forbid_writing(package)
    home = tmp_path / "home"
    home.mkdir()
    first = package.run(**user_folders(home))
    assert outcome(first) == (7.0, 0, 1)
    assert Path(first[3]).is_relative_to(home)
    assert outcome(package.run(**user_folders(home))) == (7.0, 1, 0)


def test_nowhere_to_write(package, tmp_path):
    forbid_writing(package)
    home = tmp_path / "home"
    home.write_text("not a folder")
    for _ in range(2):
        assert package.run(**user_folders(home))[0] == 7.0


def test_disk_that_fills_up(package):
    code = """
import errno

def full():
    raise OSError(errno.ENOSPC, "No space left on device")

plus_1._cache._impl.locator.ensure_cache_path = full
function, result = plus_1, plus_1(3.0)
"""
    assert package.run(code)[0] == 7.0
    assert not [p for p in package.entries("nbc") if "plus_1" in p.name]


USERS_LOSS = """
from typing import NamedTuple
from tiny.contract import value

class Mine(NamedTuple):
    slope: float = 1.0

@value.implement(Mine)
def _(loss, x):
    return {slope} * x * loss.slope

function, result = shifted, shifted(Mine(), 3.0)
"""


def test_users_losses_work_and_are_never_cached(package):
    for slope in (2.0, 4.0):
        run = package.run(USERS_LOSS.format(slope=slope))
        assert run[0] == 3 * slope
        assert run[1] == 0
    assert not [p for p in package.entries("nbc") if "shifted" in p.name]


def test_users_implementation_of_our_loss_is_never_cached(package):
    code = """
from tiny.contract import value
value.implementations.pop(Shift)

@value.implement(Shift)
def _(loss, x):
    return {number} + loss.offset

function, result = shifted, shifted(Shift(), 3.0)
"""
    assert outcome(package.run(SHIFTED)) == (13.0, 0, 1)
    assert package.run(code.format(number=100.0))[0] == 101
    assert outcome(package.run(SHIFTED)) == (13.0, 1, 0)
