"""Cross-validated errors as a curve with a band and marks."""

from typing import NamedTuple

import numpy as np

from skloss._panels import alpha_axis, label_ends

__all__ = ["ErrorCurves", "draw_errors", "one_se_position", "size_axis"]


class ErrorCurves(NamedTuple):
    """Errors on held-out folds.

    Parameters
    ----------
    positions : ndarray of shape (n_curves, n_positions)
        Strengths, or numbers of features.
    errors : ndarray of shape (n_curves, n_positions, n_folds)
        Mean squared errors.
    names : list of str or None
        Of the curves; None for a single one.
    of_sizes : bool
        Whether positions are numbers of features.
    """

    positions: np.ndarray
    errors: np.ndarray
    names: list | None
    of_sizes: bool

    @classmethod
    def read(cls, alphas, mse, names):
        """Check shapes, and give single curves an axis of curves.

        Parameters
        ----------
        alphas : ndarray or None
            Strengths; None for numbers of features 1, 2, and so on.
        mse : array-like
            Errors, one row of folds for each position, of one curve or several.
        names : array-like of str or None
            Of several curves.
        """
        errors = np.asarray(mse, dtype=float)
        several = errors.ndim == 3
        if not (several or errors.ndim == 2) or not errors.size:
            raise ValueError(
                "mse must have shape (n_positions, n_folds) or (n_curves, n_positions, "
                f"n_folds); got {errors.shape}."
            )
        of_sizes = alphas is None
        positions = np.arange(1.0, errors.shape[-2] + 1) if of_sizes else alphas
        if positions.shape not in (errors.shape[:-1], errors.shape[-2:-1]):
            raise ValueError(
                f"mse has shape {errors.shape}, which does not go with alphas of shape "
                f"{positions.shape}."
            )
        if several and (names is None or len(names) != len(errors)):
            raise ValueError(
                f"curve_names must name {len(errors)} curves; got {names}."
            )
        errors = errors if several else errors[None]
        positions = np.broadcast_to(positions, errors.shape[:2])
        return cls(positions, errors, list(names) if several else None, of_sizes)

    @property
    def means(self):
        """Mean errors over folds, of shape (n_curves, n_positions)."""
        return self.errors.mean(axis=-1)

    @property
    def lowest(self):
        """Curve with the least mean error; the first one if there is none."""
        least = np.where(np.isnan(self.means), np.inf, self.means).min(axis=1)
        return int(least.argmin())


def standard_errors(errors):
    """Give the standard error of each mean over folds; None with a single fold."""
    n_folds = errors.shape[-1]
    if n_folds < 2:
        return None
    return errors.std(axis=-1, ddof=1) / np.sqrt(n_folds)


def one_se_position(curves):
    """Simplest model whose mean error is within a standard error of the least.

    That is the largest strength on the curve with the least error, or the smallest
    number of features on any curve, since those of all curves are alike.

    Parameters
    ----------
    curves : ErrorCurves
        Errors.

    Returns
    -------
    float or None
        None with a single fold, or where no fit has an error.
    """
    means, lowest = curves.means, curves.lowest
    spread = standard_errors(curves.errors[lowest])
    if spread is None or np.isnan(means[lowest]).all():
        return None
    best = int(np.nanargmin(means[lowest]))
    within = means <= means[lowest, best] + spread[best]
    within[lowest, best] = True  # whatever became of its standard error
    if curves.of_sizes:
        return float(curves.positions[within].min())
    return float(curves.positions[lowest, within[lowest]].max())


def draw_errors(ax, curves, *, chosen, marked, label, style):
    """Draw the curves.

    Parameters
    ----------
    ax : matplotlib Axes
        Drawn on.
    curves : ErrorCurves
        Errors.
    chosen : int
        Curve with a band.
    marked : float or None
        Strength or number of features that was chosen.
    label : str
        Name of the chosen curve in the legend.
    style : dict
        Keywords of the curves.

    Returns
    -------
    dict
        Attributes of the Display.
    """
    lines = []
    for place, (own, mean) in enumerate(zip(curves.positions, curves.means)):
        look = {"lw": 1.2, "color": f"C{place % 10}", "zorder": 2}
        if curves.of_sizes:
            look |= {"marker": "o", "ms": 3}
        if place == chosen:
            look |= {"lw": 2, "zorder": 3, "label": label}
        lines += ax.plot(own, mean, **look | style)
    (size_axis if curves.of_sizes else alpha_axis)(ax, curves.positions)
    spread, band = standard_errors(curves.errors[chosen]), None
    if spread is not None:
        mean = curves.means[chosen]
        band = ax.fill_between(
            curves.positions[chosen],
            mean - spread,
            mean + spread,
            color=lines[chosen].get_color(),
            alpha=0.2,
            lw=0,
            label="± one standard error",
        )
    one_se = one_se_position(curves)
    chosen_line, one_se_line = _mark(ax, marked, one_se)
    ax.set_ylabel("Mean squared error of held-out rows")
    ax.legend(loc="best", fontsize="small")
    labels = [] if curves.names is None else _name_curves(ax, curves, lines)
    return {
        "lines_": lines,
        "band_": band,
        "one_se_": one_se,
        "chosen_line_": chosen_line,
        "one_se_line_": one_se_line,
        "labels_": labels,
    }


def _mark(ax, marked, one_se):
    """Lines at what was chosen and at the one-standard-error rule's choice."""
    chosen_line = None
    if marked is not None:
        rule = ", one-standard-error rule" if marked == one_se else ""
        chosen_line = ax.axvline(
            marked,
            color="black",
            ls="--",
            lw=1,
            zorder=1.5,
            label=f"chosen{rule}: {marked:.3g}",
        )
    if one_se is None or marked == one_se:
        return chosen_line, None if one_se is None else chosen_line
    one_se_line = ax.axvline(
        one_se,
        color="0.4",
        ls=":",
        lw=1.5,
        zorder=1.5,
        label=f"one-standard-error rule: {one_se:.3g}",
    )
    return chosen_line, one_se_line


def _name_curves(ax, curves, lines):
    """Name several curves where they end: on the right."""
    rows = np.arange(len(lines))
    at = curves.positions.argmax(axis=1)
    if not curves.of_sizes:
        at = curves.positions.argmin(axis=1)
    return label_ends(
        ax,
        curves.positions[rows, at],
        curves.means[rows, at],
        curves.names,
        [line.get_color() for line in lines],
    )


def size_axis(ax, sizes):
    """Draw numbers of features on the x axis, with ticks at whole numbers only.

    Parameters
    ----------
    ax : matplotlib Axes
        Drawn on.
    sizes : ndarray
        The numbers.
    """
    from matplotlib import ticker

    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
    ax.set_xlim(sizes.min() - 0.4, sizes.max() + 0.4)
