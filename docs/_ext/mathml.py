"""Render mathematics as MathML, which browsers display by themselves.

No script, no font and no network: docutils' own converter turns LaTeX into MathML when
the pages are built. A formula that the converter does not know is a warning and is
shown as its source.
"""

import re

from docutils.nodes import SkipNode
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.util import logging

logger = logging.getLogger(__name__)

# LaTeX that docutils does not know, and what says the same: brackets in MathML grow
# by themselves.
_SYNONYMS = (
    (re.compile(r"\\[bB]igg?[lr]?(?![a-zA-Z])"), ""),
    (re.compile(r"\\dots(?![a-zA-Z])"), r"\\ldots"),
)


def _convert(translator, node, *, as_block):
    source = node.astext()
    for unknown, known in _SYNONYMS:
        source = unknown.sub(known, source)
    # Several lines need the environment that reads them.
    if as_block and "\\\\" in source and "\\begin" not in source:
        source = f"\\begin{{align}}{source}\\end{{align}}"
    try:
        return tex2mathml(source, as_block=as_block)
    except MathError as error:
        logger.warning("no MathML for %r: %s", source, error, location=node)
        return f"<code>{translator.encode(source)}</code>"


def _visit_inline(translator, node):
    translator.body.append(_convert(translator, node, as_block=False))
    raise SkipNode


def _visit_block(translator, node):
    formula = _convert(translator, node, as_block=True)
    translator.body.append(f'<div class="math">{formula}</div>\n')
    raise SkipNode


def setup(app):
    app.add_html_math_renderer("mathml", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
