"""A line of progress while models compete, in terminals only."""

import contextlib
import importlib.util
import sys

__all__ = ["shown_progress"]


@contextlib.contextmanager
def shown_progress(verbose, title):
    """Show progress on the error stream while the block runs, then remove it.

    Parameters
    ----------
    verbose : int
        0 shows nothing.
    title : str

    Yields
    ------
    callable or None
        For ``run_protocol``.
    """
    wanted = verbose and sys.stderr.isatty() and importlib.util.find_spec("rich")
    if not wanted:
        yield None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn(f"[bold]{escape(title)}[/bold]"),
        BarColumn(bar_width=30),
        TextColumn("{task.percentage:3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.description}[/dim]"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def report(done, total, name):
            bar.update(task, completed=done, total=total, description=escape(name))

        yield report
