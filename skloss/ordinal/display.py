"""Plot of weights along a path of penalties, as a scikit-learn Display."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skloss._display_inputs import (
    check_names,
    check_scale,
    feature_spread,
    first_of,
    weight_label,
)
from skloss._panels import (
    alpha_axis,
    curve_styles,
    label_ends,
    mark_alpha,
    panels_for,
    shortened,
)
from skloss._plots import pyplot
from skloss.ordinal._display_inputs import (
    threshold_names,
)

__all__ = ["PrestoPathDisplay"]


class PrestoPathDisplay:
    """Weights against the strength of the penalty, one panel for each threshold.

    Where the curve of a feature differs between panels, the proportional odds model
    does not hold for it. Make it with `from_estimator` or `from_path`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,)
        Strengths of the penalty, not negative.
    coefs : array-like of shape (n_alphas, n_thresholds, n_features)
        Weights at each of them.
    feature_names : array-like of shape (n_features,), default=None
        Names of the features; x0, x1, ... by default.
    classes : array-like of shape (n_thresholds + 1,), default=None
        Classes in order; 0, 1, ... by default.
    alpha : float, default=None
        The one that was chosen, marked by a line if given.
    scale : array-like of shape (n_features,), default=None
        Standard deviations of the features, for standardised weights.

    Attributes
    ----------
    axes_ : ndarray of shape (n_thresholds,)
        Panels, of matplotlib Axes.
    figure_ : matplotlib Figure
        Where they are drawn.
    lines_ : list of dict
        For each threshold the matplotlib Line2D of every feature, by its index.
        Features whose weights are zero on the whole path have none.
    alpha_lines_ : list of matplotlib Line2D
        Line at the chosen alpha in each panel; empty if there is none.
    labels_ : list of list of matplotlib Annotation
        Names at the ends of the curves, for each panel.

    See Also
    --------
    ThresholdProfileDisplay : Weights of one fit across the thresholds.
    CVCurveDisplay : Cross-validated scores along the path.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal import PrestoPathDisplay
    >>> alphas = np.geomspace(1, 0.01, 20)
    >>> coefs = np.log(1 / alphas)[:, None, None] * [[[1.0, 0.0, -2.0]] * 2]
    >>> display = PrestoPathDisplay.from_path(
    ...     alphas, coefs, feature_names=["age", "height", "weight"]
    ... )
    >>> len(display.axes_), sorted(display.lines_[0])
    (2, [0, 2])
    >>> [label.get_text() for label in display.labels_[0]]
    ['weight', 'age']
    """

    def __init__(
        self,
        alphas,
        coefs,
        *,
        feature_names=None,
        classes=None,
        alpha=None,
        scale=None,
    ):
        self.alphas = alphas
        self.coefs = coefs
        self.feature_names = feature_names
        self.classes = classes
        self.alpha = alpha
        self.scale = scale

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        X=None,
        sample_weight=None,
        standardized=False,
        max_labels=8,
        ax=None,
        **kwargs,
    ):
        """Plot the path of a cross-validated fit.

        Parameters
        ----------
        estimator : PrestoClassifierCV
            Fitted.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Training data, needed for standardised weights only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the standard deviations.
        standardized : bool, default=False
            Draw the change of the score for one standard deviation of the feature
            instead of one unit.
        max_labels : int, default=8
            As `plot` takes it.
        ax : matplotlib Axes or array-like of them, default=None
            As `plot` takes it.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        PrestoPathDisplay
            The display.

        Raises
        ------
        ValueError
            If the estimator keeps no path, or `standardized` without `X`.
        """
        pyplot()  # nothing is computed in vain
        check_is_fitted(estimator)
        if not hasattr(estimator, "coefs_path_"):
            raise ValueError(
                f"{type(estimator).__name__} has no coefs_path_; PrestoClassifierCV "
                "has one. For a path of your own use PrestoPathDisplay.from_path."
            )
        display = cls(
            _alphas_of(estimator),
            estimator.coefs_path_,
            feature_names=getattr(estimator, "feature_names_in_", None),
            classes=estimator.classes_,
            alpha=estimator.alpha_,
            scale=None if X is None else feature_spread(estimator, X, sample_weight),
        )
        return display.plot(
            ax=ax, standardized=standardized, max_labels=max_labels, **kwargs
        )

    @classmethod
    def from_path(
        cls,
        alphas,
        coefs,
        *,
        feature_names=None,
        classes=None,
        alpha=None,
        scale=None,
        standardized=False,
        max_labels=8,
        ax=None,
        **kwargs,
    ):
        """Plot a path, such as `presto_path` returns it.

        Parameters
        ----------
        alphas : array-like of shape (n_alphas,)
            Strengths of the penalty, not negative.
        coefs : array-like of shape (n_alphas, n_thresholds, n_features)
            Weights at each of them.
        feature_names : array-like of shape (n_features,), default=None
            Names of the features; x0, x1, ... by default.
        classes : array-like of shape (n_thresholds + 1,), default=None
            Classes in order; 0, 1, ... by default.
        alpha : float, default=None
            One to be marked.
        scale : array-like of shape (n_features,), default=None
            Standard deviations of the features, for standardised weights.
        standardized : bool, default=False
            Multiply weights by `scale`.
        max_labels : int, default=8
            As `plot` takes it.
        ax : matplotlib Axes or array-like of them, default=None
            As `plot` takes it.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        PrestoPathDisplay
            The display.
        """
        display = cls(
            alphas,
            coefs,
            feature_names=feature_names,
            classes=classes,
            alpha=alpha,
            scale=scale,
        )
        return display.plot(
            ax=ax, standardized=standardized, max_labels=max_labels, **kwargs
        )

    def plot(self, ax=None, *, standardized=False, max_labels=8, **kwargs):
        """Plot the path.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of them, default=None
            One for each threshold; new ones by default.
        standardized : bool, default=False
            Multiply weights by the standard deviations of their features.
        max_labels : int, default=8
            Features drawn in colour and named, those with the largest weights
            anywhere on the path, the same in all panels. The others are grey.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        PrestoPathDisplay
            The display.

        Raises
        ------
        ValueError
            If shapes do not match, or `standardized` without standard deviations.
        """
        pyplot()
        alphas, coefs = _checked_path(self.alphas, self.coefs)
        n_thresholds, n_features = coefs.shape[1:]
        names = check_names(self.feature_names, n_features)
        titles = threshold_names(self.classes, n_thresholds)
        if standardized:
            coefs = coefs * check_scale(self.scale, n_features)
        panels = panels_for(
            n_thresholds, ax, size=(3.6, 3.4), max_columns=3, sharey=True
        )
        self.axes_, self.figure_ = panels.axes, panels.figure
        largest = np.abs(coefs).max(axis=(0, 1))
        named = first_of(np.argsort(-largest, kind="stable"), max_labels, largest > 0)
        styles = curve_styles(named, np.flatnonzero(largest))
        self.lines_, self.alpha_lines_ = [], []
        for k, panel in enumerate(self.axes_):
            panel.axhline(0, color="0.6", lw=0.8, zorder=0)
            self.lines_.append(
                {
                    j: panel.plot(alphas, coefs[:, k, j], **style | kwargs)[0]
                    for j, style in styles.items()
                }
            )
            alpha_axis(panel, alphas)
            if self.alpha is not None:
                self.alpha_lines_.append(mark_alpha(panel, self.alpha))
        _name_axes(panels, titles, standardized, self.alpha is not None)
        # Limits are shared, hence final only when all panels are drawn.
        last = np.argmin(alphas)
        self.labels_ = [
            label_ends(
                panel,
                [alphas[last]] * len(named),
                coefs[last, k, named],
                [shortened(names[j]) for j in named],
                [self.lines_[k][j].get_color() for j in named],
            )
            for k, panel in enumerate(self.axes_)
        ]
        return self


def _alphas_of(estimator):
    """Strengths at which a cross-validated fit keeps its weights."""
    alphas = np.asarray(estimator.alphas_)
    if alphas.ndim == 2:  # a path of its own for each share of the L1 penalty
        ratios = np.atleast_1d(estimator.l1_ratio)
        alphas = alphas[np.flatnonzero(ratios == estimator.l1_ratio_)[0]]
    # A fit that was stopped early has not come to the smallest ones.
    return alphas[: len(estimator.coefs_path_)]


def _checked_path(alphas, coefs):
    """Alphas and weights as arrays that belong together."""
    alphas = np.asarray(alphas, dtype=float)
    coefs = np.asarray(coefs, dtype=float)
    if alphas.ndim != 1 or len(alphas) == 0 or not (alphas >= 0).all():
        raise ValueError(
            "alphas must hold one number for each point of the path, none negative; "
            f"got shape {alphas.shape}"
            + (f" and {alphas.min()} among them." if alphas.size else ".")
        )
    if coefs.ndim != 3 or len(coefs) != len(alphas):
        raise ValueError(
            f"coefs must have shape (n_alphas, n_thresholds, n_features) with "
            f"n_alphas = {len(alphas)}; got {coefs.shape}."
        )
    return alphas, coefs


def _name_axes(panels, titles, standardized, above):
    """Titles, and names of the axes where they are not repeated."""
    for panel, title in zip(panels.axes, titles):
        # Above the value of alpha, if there is one.
        pad = {"pad": 16} if above else {}
        panel.set_title(f"class {title}", fontsize="medium", **pad)
    for panel in panels.first:
        panel.set_ylabel(weight_label(standardized))
    for panel in panels.last:
        panel.set_xlabel("alpha (the penalty falls to the right)")
