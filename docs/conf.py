"""Sphinx configuration; ``python -m sphinx -W docs docs/_build/html`` builds."""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import skloss  # noqa: E402

project = "skloss"
author = "The skloss developers"
copyright = "The skloss developers, BSD-3-Clause"
version = release = skloss.__version__

extensions = [
    "mathml",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "_ext"]
templates_path = ["_templates"]
html_math_renderer = "mathml"

# Links into other projects' documentation need the network, so they are asked for.
if os.environ.get("SKLOSS_DOCS_INTERSPHINX"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "numpy": ("https://numpy.org/doc/stable/", None),
        "scipy": ("https://docs.scipy.org/doc/scipy/", None),
        "sklearn": ("https://scikit-learn.org/stable/", None),
    }

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "filename_pattern": r"/plot_",
    # Scripts that rerun tables take minutes: they are listed in the guide, not run.
    "ignore_pattern": r"/reproduce/",
    "within_subsection_order": "FileNameSortKey",
    "backreferences_dir": None,
    "reference_url": {"skloss": None},
    "abort_on_example_error": True,
    "write_computation_times": False,  # its page loads scripts from a network
    "remove_config_comments": True,
    "show_memory": False,
    "download_all_examples": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "skloss"
html_static_path = ["_static"]
html_css_files = ["skloss.css"]
html_show_sourcelink = False
html_theme_options = {
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "show_toc_level": 2,
    "show_prev_next": False,
    "header_links_before_dropdown": 6,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
html_sidebars = {"install": [], "benchmarks": [], "changelog": [], "contributing": []}


def _skip_what_explains_nothing(app, what, name, obj, skip, options):
    """Leave out named tuples' fields and what every scikit-learn estimator has."""
    field = type(obj).__name__ == "_tuplegetter"
    routing = name.startswith("set_") and name.endswith("_request")
    owner = getattr(obj, "__qualname__", "").partition(".")[0]
    common = owner in {"BaseEstimator", "CallbackSupportMixin", "_MetadataRequester"}
    return True if field or routing or common else None


def _unlink_sklearn_pages(app, what, name, obj, options, lines):
    """Keep the text of links from inherited docstrings to pages of scikit-learn."""
    if (getattr(obj, "__module__", None) or "").startswith("sklearn."):
        link = re.compile(r":ref:`([^<`]+?)\s*(?:<[^>`]*>)?`")
        lines[:] = [link.sub(r"\1", line) for line in lines]


def _changelog_as_rst(app, path, parent, source):
    """Turn the little Markdown of the changelog into reStructuredText."""
    if path.suffix == ".md":
        text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", source[0])
        for mark, line in (("## ", "-"), ("# ", "=")):
            text = re.sub(
                rf"^{mark}(.+)$",
                lambda found, line=line: f"{found[1]}\n{line * len(found[1])}",
                text,
                flags=re.MULTILINE,
            )
        source[0] = text


def setup(app):
    app.connect("autodoc-skip-member", _skip_what_explains_nothing)
    app.connect("autodoc-process-docstring", _unlink_sklearn_pages)
    app.connect("include-read", _changelog_as_rst)
