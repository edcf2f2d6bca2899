"""Predicted and measured errors of random-feature ridges, as a scikit-learn Display."""

from numbers import Integral

import numpy as np

from skloss._panels import log_ticks, one_panel
from skloss._plots import name_of, pyplot
from skloss.random_features._risk_axes import (
    checked_axes,
    checked_measured,
    draw_mesh,
    scale_for,
    unit_for,
)
from skloss.random_features._risk_curves import (
    PARAMS,
    Theory,
    plan_curves,
    predictions,
)
from skloss.random_features._risk_inputs import modes_of
from skloss.random_features._risk_measured import (
    centred_kernel,
    checked_pool,
    held_out_errors,
    plain_ridge,
    settings_of,
    with_defaults,
)
from skloss.random_features.spectrum import kernel_spectrum

__all__ = ["RiskCurveDisplay"]

_LABELS = {
    "n_samples": "Training rows",
    "n_components": "Random features",
    "alpha": "alpha",
}


class RiskCurveDisplay:
    """Errors that theory predicts for random-feature ridges, beside measured ones.

    Curves over the number of training rows, the number of features or the ridge, or a
    map over the first two. Make it with `from_estimator`, which measures too, or with
    `from_predictions`.

    Parameters
    ----------
    param : {"n_samples", "n_components", "alpha"} or ("n_samples", "n_components")
        What varies along the axis, or along both of a map.
    values : ndarray of shape (n_values,) or pair of ndarray
        Positions of the predictions; for a map, numbers of rows and of features.
    predicted : ndarray of shape (n_curves, n_values) or (n_widths, n_sizes)
        Predicted test errors.
    optimal : ndarray of the shape of `predicted`, default=None
        Predicted test errors of the best ridges.
    thresholds : ndarray of shape (n_curves,), default=None
        Positions where features just interpolate all training rows; nan for none.
    curve_names : list of str, default=None
        For the legend; for a map, its title.
    points : ndarray of shape (n_points,) or pair of ndarray, default=None
        Positions of measured errors.
    measured : ndarray of shape (n_curves, n_points, n_repeats), default=None
        Measured errors; for a map of shape (n_widths, n_sizes, n_repeats).
    spectrum : Bunch, default=None
        Eigenvalues and coefficients that predictions come from, as those of
        `kernel_spectrum`.
    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    lines_ : list of matplotlib Line2D
        Predicted curves.
    optimal_lines_ : list of matplotlib Line2D
        Envelopes of all ridges, one for each number of rows or features that curves
        have; along "alpha" the least error of each curve. None where a curve is
        its own envelope.
    threshold_lines_ : list of matplotlib Line2D
        Lines at the interpolation thresholds; the diagonal of a map.
    errorbars_ : list of matplotlib ErrorbarContainer
        Means of measured errors, with their standard errors if there are repeats.
    mesh_ : matplotlib QuadMesh or None
        The map.
    points_ : matplotlib PathCollection or None
        Means of measured errors in a map, in the colours of the map.

    See Also
    --------
    rf_risk : The predictions.
    suggest_n_components : The width beyond which more features are of no use.

    Notes
    -----
    A standard error is the standard deviation over repeats with divisor ``n_repeats -
    1``, divided by the square root of their number. Repeats draw from the same rows,
    so that it understates what other rows would change.

    References
    ----------
    J. B. Simon, D. Karkada, N. Ghosh, M. Belkin, "More is better in modern machine
    learning: when infinite overparameterization is optimal and overfitting is
    obligatory", ICLR 2024, arXiv 2311.14646.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.random_features import RandomFeatureRidge, RiskCurveDisplay
    >>> X, y = load_diabetes(return_X_y=True)
    >>> display = RiskCurveDisplay.from_estimator(
    ...     RandomFeatureRidge(alpha=0.1),
    ...     X,
    ...     y,
    ...     n_samples=100,
    ...     n_components=[20, 100, 500],
    ...     n_repeats=3,
    ...     random_state=0,
    ... )
    >>> display.measured.shape, display.thresholds
    ((1, 3, 3), array([99.]))
    """

    def __init__(
        self,
        *,
        param,
        values,
        predicted,
        optimal=None,
        thresholds=None,
        curve_names=None,
        points=None,
        measured=None,
        spectrum=None,
        estimator_name=None,
    ):
        self.param = param
        self.values = values
        self.predicted = predicted
        self.optimal = optimal
        self.thresholds = thresholds
        self.curve_names = curve_names
        self.points = points
        self.measured = measured
        self.spectrum = spectrum
        self.estimator_name = estimator_name

    @classmethod
    def from_predictions(
        cls,
        spectrum,
        *,
        param="n_components",
        n_samples,
        n_components=np.inf,
        alpha=0.0,
        noise=0.0,
        n_pool=np.inf,
        fit_intercept=False,
        measured=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Predict errors from a spectrum and plot them.

        Parameters
        ----------
        spectrum : Bunch, dict or pair of array-like
            Eigenvalues and coefficients: what `kernel_spectrum` returns, or a tuple.
        param : {"n_samples", "n_components", "alpha"} or ("n_samples", \
                "n_components"), default="n_components"
            What varies along the axis, or along both of a map. A list of two or more
            positive numbers is needed for it; curves go from the least to the largest.
        n_samples : float or array-like
            Number of training rows. One of the parameters that do not vary along the
            axis may be a list, with a curve for each value.
        n_components : int, inf or array-like, default=inf
            Number of features.
        alpha : float, array-like or "best", default=0.0
            Ridge; "best" is that of least predicted error at each position.
        noise : float, default=0.0
            As `rf_risk` takes it.
        n_pool : float, default=inf
            As `rf_risk` takes it.
        fit_intercept : bool, default=False
            Whether predictions are for a model with an intercept; see
            `from_estimator`.
        measured : array-like of shape (n_curves, n_points, n_repeats), default=None
            Errors that were measured, at the values of `param` in rising order; for a
            map of shape (n_widths, n_sizes, n_repeats).
        name : str, default=None
            For the title.
        ax : matplotlib Axes, default=None
            New ones by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        RiskCurveDisplay
            The display.

        Raises
        ------
        TypeError
            If `ax` is something else than Axes.
        ValueError
            If a parameter is out of range, more than one parameter is a list besides
            those of the axes, or shapes do not match.
        """
        pyplot()  # nothing is computed in vain
        checked_axes(ax)
        given = dict(zip(PARAMS, (n_samples, n_components, alpha)))
        plan = plan_curves(param, given)
        eigenvalues, coefs = modes_of(spectrum)
        theory = Theory(eigenvalues, coefs, noise, n_pool, fit_intercept)
        display = cls(
            **predictions(plan, theory),
            points=plan.points,
            measured=measured,
            spectrum=spectrum,
            estimator_name=name,
        )
        return display.plot(ax=ax, **kwargs)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        param="n_components",
        n_samples=None,
        n_components=None,
        alpha=None,
        n_repeats=5,
        random_state=None,
        n_jobs=None,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Predict the errors of an estimator, measure them, and plot both.

        The N rows given are the pool. Predictions come from the matrix of the kernel
        that the estimator's features tend to, for training rows drawn without
        replacement. Errors are measured on all rows that a fit has not seen.

        Parameters
        ----------
        estimator : RandomFeatureRidge, RandomFeatureRidgeCV or \
                RandomFeatureRidgeClassifier
            Says which features are drawn, and whether there is an intercept. It need
            not be fitted. Of a classifier the squared errors of its indicators are
            shown, without class weights. ``gamma="scale"`` is found from all rows.
        X : {array-like, sparse matrix} of shape (N, n_features)
            Rows, up to some thousands: predictions take memory in proportion to N
            squared and time in proportion to N cubed.
        y : array-like of shape (N,) or (N, n_targets)
            Targets. Errors are summed over them.
        param : {"n_samples", "n_components", "alpha"} or ("n_samples", \
                "n_components"), default="n_components"
            What varies along the axis, or along both of a map.
        n_samples : int or array-like, default=None
            Numbers of training rows, below N: by default a quarter of N or, along the
            axis, up to three quarters. Errors are measured at the values of `param`
            that are given.
        n_components : int, inf or array-like, default=None
            Numbers of features: by default the estimator's or, along the axis, from a
            tenth of the number of training rows to ten times as many.
        alpha : float, array-like or "best", default=None
            Ridges: by default the estimator's. "best" is that of least predicted error
            at each position, which is then what is fitted, too.
        n_repeats : int, default=5
            Times that errors are measured, each time with other rows and features.
        random_state : int, RandomState instance or None, default=None
            Draws the rows and the features.
        n_jobs : int, default=None
            Repeats at a time, through joblib. Changes no result.
        name : str, default=None
            For the title; the class's name by default.
        ax : matplotlib Axes, default=None
            New ones by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        RiskCurveDisplay
            The display.

        Raises
        ------
        TypeError
            If `ax` is something else than Axes.
        ValueError
            If the estimator is another one, there are too few rows, a classifier has
            one class only, a parameter is out of range, or more than one is a list
            besides those of the axes.

        Notes
        -----
        The theory has no intercept. For an estimator with one, the kernel and the
        targets are centred over all N rows, and n training rows are predicted to be
        as good as n - 1 without it, at an error that is larger by a share of 1 / n:
        that of the mean. If rows are Gaussian, it is exactly so. Predictions for an
        estimator without an intercept are for kernel and targets as they are.
        """
        pyplot()
        checked_axes(ax)
        if not isinstance(n_repeats, Integral) or n_repeats < 1:
            raise ValueError(
                f"n_repeats must be an integer above 0; got {n_repeats!r}."
            )
        X, Y = checked_pool(estimator, X, y)
        ridge, features = plain_ridge(estimator, X)
        n_pool, centred = X.shape[0], bool(estimator.fit_intercept)
        K = centred_kernel(features, X) if centred else features.kernel(X)
        spectrum = kernel_spectrum(K, Y - Y.mean(axis=0) if centred else Y)
        given = with_defaults(
            estimator, param, n_samples, n_components, alpha, spectrum
        )
        plan = plan_curves(param, given)
        theory = Theory(**spectrum, noise=0.0, n_pool=n_pool, fit_intercept=centred)
        shape, settings = settings_of(plan, theory)
        measured = held_out_errors(
            ridge,
            X,
            Y,
            settings,
            n_repeats=n_repeats,
            random_state=random_state,
            n_jobs=n_jobs,
        )
        display = cls(
            **predictions(plan, theory),
            points=plan.points,
            measured=measured.reshape(*shape, n_repeats),
            spectrum=spectrum,
            estimator_name=name_of(estimator, name),
        )
        return display.plot(ax=ax, **kwargs)

    def plot(self, ax=None, *, optimal=True, **kwargs):
        """Plot the predictions, and what was measured.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default.
        optimal : bool, default=True
            Whether to draw the errors of the best ridges beside curves.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for all predicted curves, or to
            :meth:`matplotlib.axes.Axes.pcolormesh` for a map.

        Returns
        -------
        RiskCurveDisplay
            The display.

        Raises
        ------
        TypeError
            If `ax` is something else than Axes.
        ValueError
            If shapes do not match.
        """
        pyplot()
        checked_axes(ax)
        self.lines_, self.optimal_lines_, self.threshold_lines_ = [], [], []
        self.errorbars_, self.mesh_, self.points_ = [], None, None
        is_map = not isinstance(self.param, str)
        draw = self._plot_map if is_map else self._plot_curves
        points = self.points if is_map else (self.points, self.predicted)
        shape = None if self.measured is None else (len(points[1]), len(points[0]))
        measured = checked_measured(self.measured, shape)
        self.ax_, self.figure_ = one_panel(ax)
        draw(measured, optimal, kwargs)
        return self

    def _plot_curves(self, measured, optimal, style):
        envelope = self.optimal if optimal else None
        unit, label = unit_for(self.predicted, envelope, measured)
        predicted = np.asarray(self.predicted) / unit
        names = self.curve_names or [None] * len(predicted)
        for curve, name in zip(predicted, names):
            look = {} if name is None else {"label": name}
            self.lines_ += self.ax_.plot(self.values, curve, **look | style)
        if envelope is not None:
            self._draw_optimal(np.asarray(envelope) / unit, predicted)
        if measured is not None:
            self._draw_measured(measured / unit)
        self._draw_thresholds()
        scale = scale_for(predicted, measured)
        self.ax_.set(xscale="log", yscale=scale, ylabel=label)
        self.ax_.set_xlabel(_LABELS[self.param])
        self._finish(self.estimator_name)
        if self.ax_.get_legend_handles_labels()[1]:
            self.ax_.legend(loc="best", fontsize="small")

    def _draw_optimal(self, optimal, predicted):
        """Draw the errors of the best ridges, equal ones once."""
        of_curve = self.param == "alpha"
        label = "least error of each" if of_curve else "best alpha at each point"
        several = len(np.unique(optimal, axis=0)) > 1
        drawn = []
        for row, curve, line in zip(optimal, predicted, self.lines_):
            if any(np.array_equal(row, each) for each in (*drawn, curve)):
                continue
            self.optimal_lines_ += self.ax_.plot(
                self.values,
                row,
                color=line.get_color() if several else "black",
                ls="--",
                lw=1,
                zorder=1.8,
                label=None if drawn else label,
            )
            drawn.append(row)

    def _draw_measured(self, measured):
        """Draw means of measured errors with their standard errors."""
        n_repeats = measured.shape[2]
        spread = measured.std(axis=2, ddof=1) if n_repeats > 1 else None
        label = "measured" if n_repeats == 1 else "measured, ± one standard error"
        for i, (line, mean) in enumerate(zip(self.lines_, measured.mean(axis=2))):
            self.errorbars_.append(
                self.ax_.errorbar(
                    self.points,
                    mean,
                    None if spread is None else spread[i] / np.sqrt(n_repeats),
                    fmt="o",
                    ms=4,
                    capsize=2,
                    color=line.get_color(),
                    zorder=3,
                    label=label if i == 0 else None,
                )
            )

    def _draw_thresholds(self):
        """Draw a line wherever features just interpolate the training rows."""
        thresholds = [] if self.thresholds is None else np.ravel(self.thresholds)
        low, high = min(self.values), max(self.values)
        found = [at for at in np.unique(thresholds) if low <= at <= high]
        for place, at in enumerate(found):
            label = None if place else "interpolation threshold"
            self.threshold_lines_.append(
                self.ax_.axvline(
                    at, color="0.4", ls=":", lw=1.5, zorder=1.5, label=label
                )
            )

    def _finish(self, *parts):
        """Put ticks on both axes, and a title."""
        log_ticks(self.ax_.xaxis, *self.ax_.get_xlim())
        if self.ax_.get_yscale() == "log":
            log_ticks(self.ax_.yaxis, *self.ax_.get_ylim())
        title = ": ".join(part for part in parts if part)
        if title:
            self.ax_.set_title(title, fontsize="medium")

    def _plot_map(self, measured, optimal, style):
        n_samples, n_components = self.values
        predicted = np.ma.masked_invalid(self.predicted)
        if predicted.shape != (len(n_components), len(n_samples)):
            raise ValueError(
                f"predicted must have shape {(len(n_components), len(n_samples))}, a "
                f"row for each number of features; got {predicted.shape}."
            )
        unit, label = unit_for(predicted, measured)
        self.mesh_ = draw_mesh(self.ax_, self.values, predicted / unit, label, style)
        ends = max(n_samples[0], n_components[0]), min(n_samples[-1], n_components[-1])
        if ends[0] < ends[1]:
            self.threshold_lines_ = self.ax_.plot(ends, ends, color="white", ls=":")
        if measured is not None:
            columns, rows = np.meshgrid(*self.points)
            self.points_ = self.ax_.scatter(
                columns.ravel(),
                rows.ravel(),
                c=(measured / unit).mean(axis=2).ravel(),
                norm=self.mesh_.norm,
                cmap=self.mesh_.cmap,
                edgecolors="white",
                label="measured",
                zorder=3,
                clip_on=False,
            )
        self.ax_.set(xscale="log", yscale="log")
        self.ax_.set(xlabel=_LABELS["n_samples"], ylabel=_LABELS["n_components"])
        self._finish(self.estimator_name, *(self.curve_names or []))
