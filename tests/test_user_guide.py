"""The pages of the user guide say what happens."""

import doctest
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
PAGES = [DOCS / "index.rst", *sorted((DOCS / "user_guide").glob("*.rst"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run(page):
    results = doctest.testfile(str(page), module_relative=False, encoding="utf-8")
    assert results.failed == 0


def test_index_lists_every_page():
    index = (DOCS / "user_guide" / "index.rst").read_text(encoding="utf-8").split()
    assert {page.stem for page in PAGES[1:]} - {"index"} <= set(index)
