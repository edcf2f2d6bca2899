"""Imports go down only, and families never import each other."""

import ast
from pathlib import Path

import pytest

import skloss

ROOT = Path(skloss.__file__).parent
FAMILIES = {
    "ordinal",
    "kernel_machine",
    "random_features",
    "aggregate",
    "sparse",
    "linear_eval",
    "ensloss",
    "cluster",
}
# Each floor may import from the floors before it; private modules sit at the bottom.
FLOORS = [
    {"_kernel_cache"},
    {"_jit"},
    {"losses", "penalties"},
    {"solvers", "kernels"},
    FAMILIES | {"datasets"},
    {"certification"},
    {"compare"},
    {"__main__"},
]
PRIVATE_FLOOR = 1.5  # _elementary, _random, _parallel, ...: above _jit, below losses


def floor_of(part):
    for height, members in enumerate(FLOORS):
        if part in members:
            return height
    if part.startswith("_") and part != "__init__":
        return PRIVATE_FLOOR
    return None


def imported_modules(path):
    """Absolute names of the skloss modules that a file imports, wherever it does."""
    package = path.relative_to(ROOT.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level] if node.level else ()
            stem = ".".join([*base, *([node.module] if node.module else [])])
            names = [stem, *(f"{stem}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "skloss")


@pytest.mark.parametrize(
    "path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT))
)
def test_imports_go_down(path):
    own = path.relative_to(ROOT).with_suffix("").parts[0]
    own_floor = floor_of(own)
    if own_floor is None:
        assert own == "__init__", f"{path.name} stands on no floor"
        return
    for name in imported_modules(path):
        parts = name.split(".")
        if len(parts) < 2 or parts[1] == own:
            continue
        other_floor = floor_of(parts[1])
        if other_floor is None:  # a name such as skloss.__version__
            continue
        both_private = own_floor == other_floor == PRIVATE_FLOOR
        assert other_floor < own_floor or both_private, (
            f"{own} imports {name}, which is not below it"
        )
