"""Public names: documented completely, listed in the docs, and nothing else."""

import doctest
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from numpydoc.validate import validate

import skloss

ROOT = Path(__file__).parents[1]
# numpydoc's codes for what DESIGN asks: summary, parameters, returns, examples. Left
# out are matters of taste (where the text starts, full stops in parameter lines).
DEMANDED = {
    "GL03",
    "GL08",
    "SS01",
    "SS02",
    "SS03",
    "SS04",
    "SS05",
    "PR01",
    "PR02",
    "PR03",
    "PR04",
    "PR05",
    "PR07",
    "PR10",
    "RT01",
    "RT03",
    "EX01",
}


def public_names():
    """Full dotted names of everything public, modules themselves excepted."""
    yield from (f"skloss.{name}" for name in skloss._HOMES)
    for module_name in skloss._MODULES:
        module = importlib.import_module(f"skloss.{module_name}")
        for name in module.__all__:
            if f"skloss.{module_name}" != skloss._HOMES.get(name):
                yield f"skloss.{module_name}.{name}"


def all_modules():
    """Full dotted names of all modules of the package, private ones included."""
    found = pkgutil.walk_packages(skloss.__path__, "skloss.")
    return [m.name for m in found if m.name != "skloss.__main__"]


def resolve(full_name):
    module, _, name = full_name.rpartition(".")
    return getattr(importlib.import_module(module), name)


NAMES = sorted(public_names())
CALLABLE = [n for n in NAMES if callable(resolve(n))]


def public_methods(cls):
    """Methods that the class itself defines (inherited ones have their own home)."""
    for name, member in vars(cls).items():
        if not name.startswith("_") and inspect.isfunction(member):
            yield name


@pytest.mark.parametrize("name", CALLABLE)
def test_docstring_is_complete(name):
    problems = validate(name)["errors"]
    found = [f"{code}: {text}" for code, text in problems if code in DEMANDED]
    assert not found


@pytest.mark.parametrize("name", [n for n in CALLABLE if inspect.isclass(resolve(n))])
def test_methods_are_documented(name):
    cls = resolve(name)
    for method in public_methods(cls):
        full = f"{name}.{method}"
        found = [
            f"{method} {code}: {text}"
            for code, text in validate(full)["errors"]
            if code in DEMANDED - {"EX01"}
        ]
        assert not found


@pytest.mark.parametrize("module_name", skloss._MODULES)
def test_all_holds_what_the_module_defines(module_name):
    """Each name once, none that belongs to another package."""
    module = importlib.import_module(f"skloss.{module_name}")
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        home = getattr(getattr(module, name), "__module__", module.__name__)
        assert home.startswith("skloss."), f"{name} comes from {home}"


@pytest.mark.parametrize("name", sorted(all_modules()))
def test_examples_in_docstrings_run(name):
    results = doctest.testmod(importlib.import_module(name), verbose=False)
    assert results.failed == 0


def test_most_modules_have_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    modules = [importlib.import_module(name) for name in all_modules()]
    assert sum(bool(t.examples) for m in modules for t in finder.find(m)) > 90


def test_api_page_lists_exactly_the_public_names():
    page = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    listed, module = set(), None
    for line in page.splitlines():
        if found := re.match(r"\.\. (?:currentmodule|module):: ([\w.]+)", line.strip()):
            module = found[1]
        elif found := re.fullmatch(r"   (?:~)?([A-Za-z_][\w.]*)", line):
            name = found[1]
            listed.add(name if name.startswith("skloss.") else f"{module}.{name}")
    assert listed == set(NAMES)


def test_unknown_names_are_refused():
    with pytest.raises(AttributeError, match="no_such_name"):
        skloss.no_such_name  # noqa: B018
    assert set(skloss.__all__) <= set(dir(skloss))
