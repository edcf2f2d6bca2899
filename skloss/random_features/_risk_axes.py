"""Axes and maps of errors: checked, with a unit and a scale that fit them."""

import numpy as np

from skloss._panels import log_ticks

__all__ = ["checked_axes", "checked_measured", "draw_mesh", "scale_for", "unit_for"]

_ERROR = "Mean squared error of held-out rows"
# Beyond these matplotlib takes numbers for zero, or overflows.
_LEAST, _LARGEST = 1e-100, 1e100


def checked_axes(ax):
    """Refuse what cannot be drawn into, before anything is computed.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Those given; None for new ones.

    Raises
    ------
    TypeError
        If it is something else, as an array of Axes.
    """
    from matplotlib.axes import Axes

    if ax is not None and not isinstance(ax, Axes):
        raise TypeError(
            f"ax must be one matplotlib Axes or None; got {type(ax).__name__}."
        )


def checked_measured(measured, shape):
    """Check measured errors.

    Parameters
    ----------
    measured : array-like of shape (*shape, n_repeats), or None
        Errors.
    shape : tuple of int
        Numbers of curves and of points, or of widths and sizes.

    Returns
    -------
    ndarray of shape (*shape, n_repeats), or None

    Raises
    ------
    ValueError
        If the shape is another one.
    """
    if measured is None:
        return None
    measured = np.asarray(measured, dtype=np.float64)
    if measured.ndim != 3 or measured.shape[:2] != shape or not measured.size:
        raise ValueError(
            f"measured must have shape {(*shape, 'n_repeats')}; got {measured.shape}."
        )
    return measured


def _shown(errors):
    """Errors that a logarithmic axis can show."""
    given = [np.ravel(np.ma.filled(e, np.nan)) for e in errors if e is not None]
    given = np.concatenate(given).astype(np.float64)
    return given[(given > 0) & (given < np.inf)]


def scale_for(*errors):
    """Choose the scale of an axis: logarithmic where that shows any error.

    Parameters
    ----------
    *errors : array-like or None
        What is drawn.

    Returns
    -------
    {"log", "linear"}
    """
    return "log" if _shown(errors).size else "linear"


def unit_for(*errors):
    """Choose a unit in which errors can be drawn.

    Parameters
    ----------
    *errors : array-like or None
        What is drawn.

    Returns
    -------
    unit : float
        1 unless errors are extreme, else a power of ten.
    label : str
        Of the axis.
    """
    largest = _shown(errors).max(initial=0.0)
    if largest == 0 or _LEAST < largest < _LARGEST:
        return 1.0, _ERROR
    unit = float(f"1e{int(np.floor(np.log10(largest)))}")
    return unit, f"{_ERROR} / {unit:.0e}"


def draw_mesh(ax, values, predicted, label, style):
    """Draw a map of errors and its colours.

    Parameters
    ----------
    ax : matplotlib Axes
        Where.
    values : pair of ndarray
        Positions: numbers of rows and of features.
    predicted : masked array of shape (n_widths, n_sizes)
        Errors.
    label : str
        Of the colours.
    style : dict
        Passed to ``pcolormesh``.

    Returns
    -------
    matplotlib QuadMesh
    """
    look = {"norm": scale_for(predicted), "shading": "gouraud", "cmap": "viridis"}
    mesh = ax.pcolormesh(*values, predicted, **look | style)
    bar = ax.figure.colorbar(mesh, ax=ax, label=label)
    if bar.ax.get_yscale() == "log":
        log_ticks(bar.ax.yaxis, mesh.norm.vmin, mesh.norm.vmax)
    return mesh
