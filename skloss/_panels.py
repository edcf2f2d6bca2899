"""Panels, alpha axes and labels at the ends of curves, shared by the Displays."""

from typing import NamedTuple

import numpy as np
from sklearn.isotonic import isotonic_regression

from skloss._plots import pyplot

__all__ = [
    "Panels",
    "alpha_axis",
    "curve_styles",
    "label_ends",
    "log_ticks",
    "mark_alpha",
    "one_panel",
    "panels_for",
    "shortened",
    "spread_labels",
]

# Features without a label of their own.
_BACKGROUND = "0.75"
# Between the base lines of two labels, in units of the font size.
_LINE_HEIGHT = 1.3
_LABEL_SIZE = 8.0  # points


class Panels(NamedTuple):
    """Axes of small multiples.

    Parameters
    ----------
    axes : ndarray of shape (n_panels,)
        Of matplotlib Axes, row by row.
    figure : matplotlib Figure
        Figure of the first.
    first : list of matplotlib Axes
        Those that begin a row, and name the y axis; all of them if given.
    last : list of matplotlib Axes
        Those that end a column, and name the x axis; all of them if given.
    """

    axes: np.ndarray
    figure: object
    first: list
    last: list


def panels_for(n_panels, ax, *, size, max_columns, sharey):
    """Return axes for so many panels, new ones unless they are given.

    Parameters
    ----------
    n_panels : int
        Number of panels.
    ax : matplotlib Axes, array-like of them, or None
        Those given; a single one will do for one panel.
    size : tuple of float
        Width and height of a new panel, in inches.
    max_columns : int
        Most new panels in a row.
    sharey : bool
        Whether new panels have one y axis.

    Returns
    -------
    Panels
        The axes.

    Raises
    ------
    ValueError
        If the number of axes given is not the number of panels.
    """
    if ax is not None:
        axes = np.array(ax, dtype=object).ravel()
        if len(axes) != n_panels:
            raise ValueError(
                f"ax must hold one Axes for each of the {n_panels} panels; "
                f"{len(axes)} given."
            )
        return Panels(axes, axes[0].figure, list(axes), list(axes))
    rows = -(-n_panels // max_columns)
    columns = -(-n_panels // rows)  # four are two and two
    figure, grid = pyplot().subplots(
        rows,
        columns,
        figsize=(columns * size[0] + 0.5, rows * size[1] + 0.3),
        sharex=True,
        sharey=sharey,
        squeeze=False,
        layout="constrained",
    )
    axes, unused = np.split(grid.ravel(), [n_panels])
    for panel in unused:
        panel.remove()
    lowest = list(axes[-columns:])
    for panel in lowest:
        panel.tick_params(labelbottom=True)
    return Panels(axes, figure, list(axes[::columns]), lowest)


def one_panel(ax, *, size=None, layout="constrained"):
    """Return axes to draw into, and their figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Those given, whose figure is left as it is; None for new ones, whose figure
        makes room for what is written outside of them.
    size : tuple of float, default=None
        Width and height of a new figure, in inches.
    layout : str, default="constrained"
        How a new figure makes room; "compressed" for axes of a fixed aspect.

    Returns
    -------
    ax : matplotlib Axes
    figure : matplotlib Figure
    """
    if ax is None:
        _, ax = pyplot().subplots(layout=layout, figsize=size)
    return ax, ax.figure


def alpha_axis(ax, alphas):
    """Draw alpha on a logarithmic x axis, the largest on the left.

    Parameters
    ----------
    ax : matplotlib Axes
        Drawn on.
    alphas : ndarray
        Strengths of the penalty. A zero among them makes the axis linear below the
        smallest positive one.
    """
    positive = alphas[alphas > 0]
    if len(positive) == len(alphas):
        ax.set_xscale("log")
    elif len(positive):
        ax.set_xscale("symlog", linthresh=positive.min(), linscale=0.5)
    low, high = alphas.min(), alphas.max()
    if low < high:
        ax.set_xlim(high, low)
    if low > 0:
        log_ticks(ax.xaxis, low, high)


def log_ticks(axis, low, high):
    """Put ticks on a short logarithmic axis whose labels do not meet.

    Left alone, matplotlib labels up to nine values of a decade, or a single one.

    Parameters
    ----------
    axis : matplotlib Axis
        Logarithmic.
    low, high : float
        Its ends.
    """
    from matplotlib import ticker

    decades = np.log10(high / low)
    if not 0 < decades < 2:
        return
    steps = (1, 2, 5) if decades > 0.7 else (1, 1.5, 2, 3, 5, 7)
    axis.set_major_locator(ticker.LogLocator(subs=steps))
    axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(ticker.NullFormatter())


def mark_alpha(ax, alpha, text=None, **kwargs):
    """Draw a line at an alpha, named above the axes where it hides no curve.

    Parameters
    ----------
    ax : matplotlib Axes
        Drawn on.
    alpha : float
        Where.
    text : str, default=None
        Its name; "alpha = " and the number by default.
    **kwargs : dict
        Passed to :meth:`matplotlib.axes.Axes.axvline`.

    Returns
    -------
    matplotlib Line2D
        The line.
    """
    style = {"color": "black", "ls": "--", "lw": 1, "zorder": 1.5}
    ax.annotate(
        f"alpha = {alpha:.3g}" if text is None else text,
        xy=(alpha, 1),
        xytext=(0, 2),
        xycoords=ax.get_xaxis_transform(),
        textcoords="offset points",
        ha="center",
        va="bottom",
        fontsize=_LABEL_SIZE,
    )
    return ax.axvline(alpha, **style | kwargs)


def spread_labels(positions, gap, low=0.0, high=1.0):
    """Move labels apart as little as needed.

    The sum of squared moves is minimised over all positions in the same order that
    keep the gap: an isotonic regression once multiples of the gap are subtracted.

    Parameters
    ----------
    positions : array-like of shape (n,)
        Where labels would like to be.
    gap : float
        Least distance between two of them, less if there is no room.
    low, high : float
        Ends of the room.

    Returns
    -------
    ndarray of shape (n,)
        Where they go.

    Examples
    --------
    >>> from skloss._panels import spread_labels
    >>> spread_labels([0.5, 0.5, 0.9], 0.2).round(10).tolist()
    [0.4, 0.6, 0.9]
    """
    positions = np.asarray(positions, dtype=float)
    n = len(positions)
    if n == 0:
        return positions
    gap = min(gap, (high - low) / max(n - 1, 1))
    order = np.argsort(positions, kind="stable")
    steps = gap * np.arange(n)
    # Rounding must not turn the room around.
    last = max(low, high - steps[-1])
    placed = np.empty(n)
    placed[order] = steps + isotonic_regression(
        positions[order] - steps, y_min=low, y_max=last
    )
    return placed


def label_ends(ax, ends, heights, texts, colours):
    """Name curves to the right of the axes, where they end.

    Limits of both axes must be final.

    Parameters
    ----------
    ax : matplotlib Axes
        Drawn on.
    ends, heights : array-like of shape (n,)
        Where curves end, in data coordinates.
    texts : list of str
        Their names.
    colours : list of matplotlib colours
        Their colours.

    Returns
    -------
    list of matplotlib Annotation
        The labels.
    """
    low, high = ax.get_ylim()
    wanted = (np.asarray(heights, dtype=float) - low) / (high - low)
    in_points = ax.get_window_extent().height * 72 / ax.figure.dpi
    placed = spread_labels(wanted, _LINE_HEIGHT * _LABEL_SIZE / in_points)
    return [
        ax.annotate(
            text,
            xy=(end, height),
            xytext=(1.06, to),
            xycoords="data",
            textcoords="axes fraction",
            color=colour,
            fontsize=_LABEL_SIZE,
            va="center",
            annotation_clip=False,
            arrowprops={
                "arrowstyle": "-",
                "color": colour,
                "lw": 0.6,
                "shrinkA": 0,
                "shrinkB": 0,
                "relpos": (0, 0.5),
            },
        )
        for text, colour, end, height, to in zip(texts, colours, ends, heights, placed)
    ]


def shortened(name, length=18):
    """Cut a long name, and mark the cut.

    Parameters
    ----------
    name : object
        Name of a feature or a class.
    length : int, default=18
        Longest text, the mark included.

    Returns
    -------
    str

    Examples
    --------
    >>> from skloss._panels import shortened
    >>> shortened("age"), shortened("blood pressure at rest", 10)
    ('age', 'blood pre…')
    """
    text = str(name)
    return text if len(text) <= length else f"{text[: length - 1].rstrip()}…"


def curve_styles(named, drawn):
    """Give the style of each curve: colours for those named, grey for the others.

    Parameters
    ----------
    named : list of int
        Features with a name in the plot, in the order of the colours.
    drawn : array-like of int
        All features with a curve.

    Returns
    -------
    dict
        For each feature the keywords of its curve.
    """
    import matplotlib as mpl

    cycle = mpl.rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    # Greys of the cycle would pass for features without a name.
    cycle = [c for c in cycle if np.ptp(mpl.colors.to_rgb(c)) > 0.1] or cycle
    dashes = ["-", "--", ":", "-."]
    styles = {int(j): {"color": _BACKGROUND, "lw": 0.8, "zorder": 1} for j in drawn}
    for place, j in enumerate(named):
        styles[j] = {
            "color": cycle[place % len(cycle)],
            "ls": dashes[place // len(cycle) % len(dashes)],
            "lw": 1.5,
            "zorder": 2,
        }
    return styles
