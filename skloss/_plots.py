"""What all Displays share; matplotlib is imported when something is drawn."""

__all__ = ["axes_for", "name_of", "pyplot"]


def pyplot():
    """Import matplotlib, which plots alone need.

    Returns
    -------
    module
        matplotlib.pyplot.

    Raises
    ------
    ImportError
        If matplotlib is missing, with the way to get it.
    """
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            "Plots need matplotlib: python -m pip install 'skloss[plot]'."
        ) from error
    return plt


def axes_for(ax):
    """Return axes to draw into, and their figure.

    Parameters
    ----------
    ax : matplotlib Axes or None
        Those given; None for new ones.

    Returns
    -------
    ax : matplotlib Axes
    figure : matplotlib Figure
    """
    if ax is None:
        _, ax = pyplot().subplots()
    return ax, ax.figure


def name_of(estimator, name):
    """Return the name given, or the class's.

    Parameters
    ----------
    estimator : estimator
        Plotted.
    name : str or None
        Given.

    Returns
    -------
    str
    """
    return type(estimator).__name__ if name is None else name
