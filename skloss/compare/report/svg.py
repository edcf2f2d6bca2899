"""Figures as SVG that lives inside a page: its fonts, its colours, its own names."""

import io
import re

from skloss.compare.errors import require
from skloss.compare.figures import COLOURS, PLAIN_TEXT

__all__ = ["draw_svg"]

_SIZE = (5.2, 3.3)
_IDS = re.compile(r'(\bid="|xlink:href="#|url\(#)')


def draw_svg(draw, name, size=_SIZE):
    """Draw a figure as an SVG element.

    Parameters
    ----------
    draw : callable
        Takes matplotlib axes and returns the figure's text, or None to give up.
    name : str
        Prefix of all identifiers; unique in the page.
    size : (float, float), default=(5.2, 3.3)
        Inches; small, so that the text stays readable on a telephone.

    Returns
    -------
    svg, text : str
        Or None when nothing was drawn.
    """
    matplotlib = require("matplotlib")
    figure_type = require("matplotlib.figure").Figure
    settings = {"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 10}
    settings |= PLAIN_TEXT
    with matplotlib.rc_context(settings):
        figure = figure_type(figsize=size, layout="constrained")
        text = draw(figure.subplots())
        if text is None:
            return None
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return _embed(buffer.getvalue(), name), text


def _embed(svg, name):
    """Strip what belongs to files, and take fonts and colours from the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    # A style element would apply to the whole page; these two are inherited instead.
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = re.sub(r"\bfont: ([\d.]+px) [^;\"]*", r"font-size: \1", svg)
    for role, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{role})")
    svg = _IDS.sub(lambda match: f"{match[0]}{name}-", svg)
    head = (
        '<svg style="stroke-linejoin: round; stroke-linecap: butt" '
        'aria-hidden="true" focusable="false"'
    )
    svg = svg.replace("<svg", head, 1)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)
    return re.sub(r"\s*\n\s*", "\n", svg).strip()
