"""Reliability diagram of a rare class, as a scikit-learn Display."""

import numpy as np
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skloss._panels import log_ticks, one_panel, shortened
from skloss._plots import name_of, pyplot
from skloss._validation import check_weights
from skloss.ordinal.metrics import calibration_bins

__all__ = ["RareCalibrationDisplay"]

# Normal quantile of two-sided 95% intervals.
_QUANTILE = 1.959963984540054
_DIAGONAL = "perfectly calibrated"
_NO_CASE = "no case: 95% upper limit"


class RareCalibrationDisplay:
    """Observed rate of a rare class against its predicted probability, on log axes.

    On linear axes all bins of a rare class huddle in a corner. Here a point on the
    diagonal is right by ratio: twice too high looks alike at 1% and at 0.01%. Make it
    with `from_estimator` or `from_predictions`.

    Parameters
    ----------
    mean : array-like of shape (n_bins,)
        Mean predicted probability of each bin.
    rate : array-like of shape (n_bins,)
        Share of the class in each bin.
    weight : array-like of shape (n_bins,)
        Number of rows in each bin, or their total weight.
    rare : object, default=None
        The class, for the axes.
    estimator_name : str, default=None
        For the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn.
    line_ : matplotlib Line2D
        Bins in ascending order, nan and a gap where the class does not occur.
    intervals_ : matplotlib LineCollection
        Their 95% intervals. What reaches far below all bins is cut off by the edge.
    limits_ : matplotlib Line2D or None
        Upper limits of the bins in which it does not occur, which have no place on a
        log axis; None if there are no such bins.
    diagonal_ : matplotlib Line2D
        Where predictions are right.

    See Also
    --------
    sklearn.calibration.CalibrationDisplay : The same on linear axes, without intervals.

    Notes
    -----
    Intervals are Wilson's [1]_: the rates r that a normal approximation with the
    variance r(1 - r)/n does not reject at 5%. A bin's weight counts as its number of
    rows n, as if a row of weight 2 were there twice. A bin of n rows without the class
    has the upper limit 3.84/(n + 3.84).

    References
    ----------
    .. [1] Wilson, E. B. (1927). Probable inference, the law of succession, and
       statistical inference. Journal of the American Statistical Association, 22(158),
       209-212.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal import RareCalibrationDisplay
    >>> rng = np.random.default_rng(0)
    >>> p = 10 ** rng.uniform(-3, -1, 20_000)
    >>> y = rng.random(20_000) < p
    >>> display = RareCalibrationDisplay.from_predictions(y, p, n_bins=4)
    >>> display.weight
    array([5000., 5000., 5000., 5000.])
    >>> bool((np.abs(display.rate / display.mean - 1) < 0.5).all())
    True
    """

    def __init__(self, mean, rate, weight, *, rare=None, estimator_name=None):
        self.mean = mean
        self.rate = rate
        self.weight = weight
        self.rare = rare
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_bins=10,
        rare=None,
        sample_weight=None,
        strategy="quantile",
        ax=None,
        name=None,
        **kwargs,
    ):
        """Predict the probabilities of X and plot them.

        Parameters
        ----------
        estimator : estimator
            Fitted classifier with ``predict_proba``.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, best not those of the fit.
        y : array-like of shape (n_samples,)
            Their classes.
        n_bins : int, default=10
            Number of bins.
        rare : object, default=None
            The class; by default the rarest in `y` by weight, the last of them if
            several are.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        strategy : {"quantile", "log"}, default="quantile"
            Bins of equal weight, or of equal width on the log axis.
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend; the class's by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        RareCalibrationDisplay
            The display.

        Raises
        ------
        ValueError
            If the estimator gives no probabilities or does not know the rare class.
        """
        pyplot()  # nothing is computed in vain
        check_is_fitted(estimator)
        if not (hasattr(estimator, "predict_proba") and hasattr(estimator, "classes_")):
            raise ValueError(
                f"{type(estimator).__name__} has no predict_proba; a reliability "
                "diagram needs a classifier that has."
            )
        y = column_or_1d(y)
        if rare is None:
            rare = _rarest(y, sample_weight)
        column = np.flatnonzero(estimator.classes_ == rare)
        if len(column) != 1:
            raise ValueError(
                f"rare is {rare!r}; {type(estimator).__name__} knows the classes "
                f"{list(estimator.classes_)}."
            )
        return cls.from_predictions(
            y == rare,
            estimator.predict_proba(X)[:, column[0]],
            n_bins=n_bins,
            rare=rare,
            sample_weight=sample_weight,
            strategy=strategy,
            ax=ax,
            name=name_of(estimator, name),
            **kwargs,
        )

    @classmethod
    def from_predictions(
        cls,
        y_true,
        p,
        *,
        n_bins=10,
        rare=None,
        sample_weight=None,
        strategy="quantile",
        ax=None,
        name=None,
        **kwargs,
    ):
        """Plot probabilities that were predicted before.

        Parameters
        ----------
        y_true : array-like of shape (n_samples,)
            True (or 1) in rows of the rare class.
        p : array-like of shape (n_samples,)
            Predicted probabilities of the rare class.
        n_bins : int, default=10
            Number of bins.
        rare : object, default=None
            The class, for the axes.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        strategy : {"quantile", "log"}, default="quantile"
            Bins of equal weight, or of equal width on the log axis.
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        RareCalibrationDisplay
            The display.

        Raises
        ------
        ValueError
            As :func:`calibration_bins` raises it.
        """
        pyplot()  # nothing is computed in vain
        bins = calibration_bins(
            y_true, p, n_bins, sample_weight=sample_weight, strategy=strategy
        )
        display = cls(*bins, rare=rare, estimator_name=name)
        return display.plot(ax=ax, name=name, **kwargs)

    def plot(self, ax=None, *, name=None, **kwargs):
        """Plot rates against predictions.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default. Those of another display may be given, to compare
            models.
        name : str, default=None
            Name in the legend.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for the bins.

        Returns
        -------
        RareCalibrationDisplay
            The display.

        Raises
        ------
        ValueError
            If shapes do not match, or all predictions are zero.
        """
        self.ax_, self.figure_ = one_panel(ax, size=(7.2, 4.8), layout="compressed")
        mean, rate, weight = _checked_bins(self.mean, self.rate, self.weight)
        lower, upper = _wilson(rate, weight)
        name = name or self.estimator_name or "bins"
        seen = rate > 0
        drawn = [mean[mean > 0], rate[seen], upper]
        low, high = _limits(np.concatenate(drawn), self.ax_)
        # Predictions of zero have no place but the edge.
        mean = np.maximum(mean, low)
        label = f"{name} (bars: 95%)"
        style = {"marker": "o", "markersize": 5, "lw": 1, "label": label}
        # The line breaks where the log axis has no place for a bin.
        heights = np.where(seen, rate, np.nan)
        (self.line_,) = self.ax_.plot(mean, heights, **style | kwargs)
        colour = self.line_.get_color()
        self.intervals_ = self.ax_.vlines(
            mean[seen], lower[seen], upper[seen], color=colour, lw=1.5, alpha=0.6
        )
        self.limits_ = None
        if not seen.all():
            self.limits_ = self._draw_limits(mean[~seen], upper[~seen], colour)
        self._name_axes()
        self.diagonal_ = _diagonal(self.ax_)
        self.ax_.set(xscale="log", yscale="log", xlim=(low, high), ylim=(low, high))
        self.ax_.set_aspect("equal", adjustable="box")
        for axis in (self.ax_.xaxis, self.ax_.yaxis):
            log_ticks(axis, low, high)
        place = {"loc": "best"}
        if self.figure_.get_layout_engine() is not None:  # makes room for it
            place = {"loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False}
        self.ax_.legend(fontsize="small", **place)
        return self

    def _name_axes(self):
        """Name the class, unless an earlier display has and this one does not know."""
        if self.rare is None and _drawn(self.ax_, _DIAGONAL) is not None:
            return
        rare = "the rare class"
        if self.rare is not None:
            rare = f"class {shortened(self.rare, 30)}"
        self.ax_.set_xlabel(f"Predicted probability of {rare}")
        self.ax_.set_ylabel(f"Observed rate of {rare}")

    def _draw_limits(self, mean, upper, colour):
        """Open triangles at the upper limits, with a line down to the edge."""
        # Far below any edge; the axes cut it off.
        self.ax_.vlines(mean, 1e-300, upper, color=colour, lw=1, alpha=0.4, ls=":")
        (limits,) = self.ax_.plot(
            mean,
            upper,
            ls="none",
            marker="v",
            markersize=6,
            color=colour,
            markerfacecolor="white",
            label=None if _drawn(self.ax_, _NO_CASE) else _NO_CASE,
        )
        return limits


def _rarest(y, sample_weight):
    """Class of the least total weight, the last one of several."""
    classes, codes = np.unique(y, return_inverse=True)
    totals = np.bincount(codes, weights=check_weights(sample_weight, len(y)))
    # Rows without weight are as good as absent.
    classes, totals = classes[totals > 0], totals[totals > 0]
    return classes[len(totals) - 1 - totals[::-1].argmin()]


def _checked_bins(mean, rate, weight):
    """Bins as arrays that belong together."""
    bins = [np.asarray(values, dtype=float) for values in (mean, rate, weight)]
    shapes = {values.shape for values in bins}
    if len(shapes) > 1 or bins[0].ndim != 1 or not len(bins[0]):
        raise ValueError(
            "mean, rate and weight must hold one number for each bin; got the shapes "
            f"{[values.shape for values in bins]}."
        )
    if not (bins[0] > 0).any():
        raise ValueError("All predicted probabilities are zero: no place on log axes.")
    return bins


def _wilson(rate, n):
    """95% intervals of a binomial rate (Wilson, 1927), equation for its roots."""
    spread = _QUANTILE**2 / n
    centre = rate + spread / 2
    half = np.sqrt(spread * (rate * (1 - rate) + spread / 4))
    return (centre - half) / (1 + spread), (centre + half) / (1 + spread)


def _limits(values, ax):
    """Where both axes end: around all values, and those drawn before."""
    low, high = values.min(), values.max()
    if _drawn(ax, _DIAGONAL) is not None:
        low, high = min(low, ax.get_xlim()[0]), max(high, ax.get_xlim()[1])
    else:
        low, high = low / 1.5, high * 1.3
    return low, high


def _drawn(ax, label):
    """Line of an earlier display with a label, or None."""
    lines = [line for line in ax.lines if line.get_label() == label]
    return lines[0] if lines else None


def _diagonal(ax):
    """Draw the diagonal, once on the same axes."""
    line = _drawn(ax, _DIAGONAL)
    if line is None:
        ends = [1e-300, 10]
        style = {"color": "black", "ls": "--", "lw": 1, "zorder": 0}
        (line,) = ax.plot(ends, ends, label=_DIAGONAL, **style)
    return line
