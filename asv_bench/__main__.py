"""Run the comparisons without asv and print them: ``python -m asv_bench [name]``."""

import argparse
import importlib
import inspect
import itertools
import pkgutil
import sys
from pathlib import Path

from ._pairs import Ratio, limit_repeats


def benchmark_classes():
    """Yield all classes with ``track_`` methods, by module."""
    for found in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if found.name.startswith("_"):
            continue
        module = importlib.import_module(f"{__package__}.{found.name}")
        for name, member in vars(module).items():
            local = inspect.isclass(member) and member.__module__ == module.__name__
            if local and tracks(member):
                yield f"{found.name}.{name}", member


def tracks(cls):
    """Return the names of the methods that measure something comparable."""
    return [name for name in vars(cls) if name.startswith("track_")]


def parameter_sets(cls):
    """Return all combinations of a benchmark's parameters, as asv makes them."""
    params = getattr(cls, "params", ())
    if params and not isinstance(params[0], (list, tuple)):
        params = (params,)
    return itertools.product(*params)


def rows(pattern):
    """Yield one line of the table for each measurement whose name holds `pattern`."""
    for name, cls in benchmark_classes():
        wanted = [t for t in tracks(cls) if pattern in f"{name}.{t}"]
        for values in parameter_sets(cls) if wanted else ():
            instance = cls()
            what = ", ".join(map(str, values))
            missing = False
            if hasattr(instance, "setup"):
                try:
                    instance.setup(*values)
                except NotImplementedError:  # how asv is told to pass over it
                    missing = True
            for track in wanted:
                value = None if missing else getattr(instance, track)(*values)
                yield f"{name}.{track.removeprefix('track_')}", what, value


def cell(amount):
    """Write seconds in ms, and bytes (which come as int) in MB."""
    return (
        f"{amount / 1e6:.2f} MB" if isinstance(amount, int) else f"{amount * 1e3:.3f}"
    )


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m asv_bench", description=__doc__)
    parser.add_argument("pattern", nargs="?", default="", help="part of a name")
    parser.add_argument("--quick", action="store_true", help="three repeats of each")
    arguments = parser.parse_args()
    if arguments.quick:
        limit_repeats(3)
    line = "{:54} {:22} {:>10} {:>10} {:>10}"
    print(line.format("benchmark", "parameters", "ours (ms)", "peer (ms)", "ours/peer"))
    count = 0
    for count, (name, what, value) in enumerate(rows(arguments.pattern), 1):  # noqa: B007
        cells = ("", "", "not installed" if value is None else f"{value:.4g}")
        if isinstance(value, Ratio):
            cells = cell(value.ours), cell(value.peer), f"{value:.3f}"
        print(line.format(name, what, *cells), flush=True)
    if not count:
        sys.exit(f"No benchmark is called {arguments.pattern!r}.")


if __name__ == "__main__":
    main()
