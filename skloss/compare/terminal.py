"""The comparison as a table in the terminal."""

import os
import sys

from skloss.compare.errors import require
from skloss.compare.layout import columns, splits_in_words

__all__ = ["console", "discard_output", "print_comparison"]

_PLAIN_WIDTH = 120
_STYLES = {"ours": "bold", "built-in": "", "dummy": "dim"}
_VERDICTS = {"better": "bold green", "worse": "red", "tie": "yellow"}


def console(stream=None):
    """Make a console for a stream; wide enough for a table when it is no terminal.

    Parameters
    ----------
    stream : file, default=None
        Standard output by default.

    Returns
    -------
    rich.console.Console
    """
    stream = sys.stdout if stream is None else stream
    width = None if stream.isatty() else _PLAIN_WIDTH
    rich_console = require("rich.console").Console

    class Console(rich_console):
        """A console that leaves a closed pipe to the command line's exit code."""

        def on_broken_pipe(self):
            raise BrokenPipeError

    return Console(file=stream, width=width, highlight=False)


def discard_output():
    """Print to nobody from now on, because the reader of a pipe has had enough."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def print_comparison(comparison, out):
    """Print heading, notes, table, remarks and answer.

    Parameters
    ----------
    comparison : Comparison
    out : rich.console.Console
    """
    from rich.text import Text

    out.print()
    heading = Text(comparison.name, style="bold")
    reason = comparison.task_reason
    override = "" if reason.startswith("as ") else "; --task to override"
    heading.append(f" · {comparison.task} ({reason}{override})", style="")
    out.print(heading)
    out.print(Text(splits_in_words(comparison), style="dim"))
    for note in comparison.notes:
        out.print(Text(f"note: {note}", style="dim"))
    out.print(_table(comparison, out.width))
    frame = comparison.to_frame()
    for model, status in zip(frame["model"], frame["status"]):
        if status:
            out.print(Text(f"{model}: {status}", style="dim"))
    out.print(Text(comparison.answer))


def _table(comparison, width):
    from rich import box
    from rich.table import Table
    from rich.text import Text

    frame = comparison.to_frame()
    chosen = _fitting(columns(comparison), width)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in chosen:
        table.add_column(
            column.title,
            justify="right" if column.right else "left",
            no_wrap=column.rank > 0,
            overflow="fold",
        )
    for i, side in enumerate(frame["side"]):
        row = [Text(c.cells[i], style=_cell_style(c, c.cells[i])) for c in chosen]
        table.add_row(*row, style=_STYLES[side])
    return table


def _cell_style(column, cell):
    return _VERDICTS.get(cell, "") if column.title == "verdict" else ""


def _fitting(shown, width):
    """Columns that fit into a width, those of high rank left out first."""
    kept = list(shown)
    while len(kept) > 2 and _width(kept) > width:
        kept.remove(max(kept, key=lambda column: column.rank))
    return kept


def _width(kept):
    widths = [max(map(len, [column.title, *column.cells])) for column in kept]
    return sum(widths) + 3 * len(widths)
