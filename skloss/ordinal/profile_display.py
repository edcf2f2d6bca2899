"""Plot of weights across thresholds, as a scikit-learn Display."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skloss._display_inputs import (
    check_names,
    check_scale,
    feature_spread,
    first_of,
    weight_label,
)
from skloss._panels import panels_for, shortened
from skloss._plots import name_of, pyplot
from skloss.ordinal._display_inputs import (
    dense_coef,
    threshold_names,
)

__all__ = ["ThresholdProfileDisplay"]


class ThresholdProfileDisplay:
    """Weight of each feature across the thresholds, one panel for each feature.

    A profile that is flat, or close to the weight of the proportional odds model, says
    that the feature acts alike on every step from one class to the next. Make it with
    `from_estimator`.

    Parameters
    ----------
    coef : array-like of shape (n_thresholds, n_features)
        Weights at each threshold.
    proportional_odds : array-like of shape (n_features,), default=None
        Weights of the proportional odds model, drawn as lines if given.
    feature_names : array-like of shape (n_features,), default=None
        Names of the features; x0, x1, ... by default.
    classes : array-like of shape (n_thresholds + 1,), default=None
        Classes in order; 0, 1, ... by default.
    scale : array-like of shape (n_features,), default=None
        Standard deviations of the features, for standardised weights.
    estimator_name : str, default=None
        For the legend.

    Attributes
    ----------
    axes_ : ndarray of shape (n_panels,)
        Panels, of matplotlib Axes.
    figure_ : matplotlib Figure
        Where they are drawn.
    features_ : list of int
        Index of the feature in each panel.
    lines_ : list of matplotlib Line2D
        Profile in each panel.
    proportional_lines_ : list of matplotlib Line2D
        Weight of the proportional odds model in each; empty if there is none.
    legend_ : matplotlib Legend
        Names of the two, or None if there is no proportional odds model.

    See Also
    --------
    PrestoPathDisplay : The same weights along the path of penalties.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.ordinal import ThresholdProfileDisplay
    >>> coef = np.array([[1.0, 0.5, -0.2], [1.0, -0.5, 0.1]])
    >>> display = ThresholdProfileDisplay(
    ...     coef, proportional_odds=[1.0, 0.1, 0.0], classes=["low", "mid", "high"]
    ... ).plot(max_features=2)
    >>> display.features_
    [1, 2]
    >>> [text.get_text() for text in display.axes_[0].get_xticklabels()]
    ['> low', '> mid']
    """

    def __init__(
        self,
        coef,
        *,
        proportional_odds=None,
        feature_names=None,
        classes=None,
        scale=None,
        estimator_name=None,
    ):
        self.coef = coef
        self.proportional_odds = proportional_odds
        self.feature_names = feature_names
        self.classes = classes
        self.scale = scale
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        proportional_odds=None,
        features=None,
        X=None,
        sample_weight=None,
        standardized=False,
        max_features=9,
        ax=None,
        name=None,
        **kwargs,
    ):
        """Plot the weights of a fitted classifier.

        Parameters
        ----------
        estimator : PrestoClassifier or PrestoClassifierCV
            Fitted.
        proportional_odds : ProportionalOddsClassifier, default=None
            Fitted on the same features and classes.
        features : array-like of int or str, default=None
            Features to draw, by index or name; by default as `plot` chooses them.
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Training data, needed for standardised weights only.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the standard deviations.
        standardized : bool, default=False
            Draw the change of the score for one standard deviation of the feature
            instead of one unit.
        max_features : int, default=9
            As `plot` takes it.
        ax : matplotlib Axes or array-like of them, default=None
            As `plot` takes it.
        name : str, default=None
            Name in the legend; the class's by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        ThresholdProfileDisplay
            The display.

        Raises
        ------
        ValueError
            If the estimator has no weights for each threshold, or the proportional
            odds model belongs to other features or classes.
        """
        pyplot()  # nothing is computed in vain
        coef = _threshold_weights(estimator)
        common = None
        if proportional_odds is not None:
            common = _common_weights(proportional_odds, estimator, coef.shape[1])
        display = cls(
            coef,
            proportional_odds=common,
            feature_names=getattr(estimator, "feature_names_in_", None),
            classes=estimator.classes_,
            scale=None if X is None else feature_spread(estimator, X, sample_weight),
            estimator_name=name_of(estimator, name),
        )
        return display.plot(
            ax=ax,
            features=features,
            standardized=standardized,
            max_features=max_features,
            **kwargs,
        )

    def plot(
        self,
        ax=None,
        *,
        features=None,
        standardized=False,
        max_features=9,
        name=None,
        **kwargs,
    ):
        """Plot the profiles.

        Parameters
        ----------
        ax : matplotlib Axes or array-like of them, default=None
            One for each feature drawn; new ones by default.
        features : array-like of int or str, default=None
            Features to draw, by index or name, in this order. By default those whose
            weights spread the most between thresholds, the largest spread first.
        standardized : bool, default=False
            Multiply weights by the standard deviations of their features. New panels
            then have one y axis; else each has its own, zero included, as weights of
            different units cannot be compared.
        max_features : int, default=9
            Most panels if `features` is None.
        name : str, default=None
            Name in the legend.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for the profiles.

        Returns
        -------
        ThresholdProfileDisplay
            The display.

        Raises
        ------
        ValueError
            If shapes do not match, `standardized` without standard deviations, or for
            a feature that is not there.
        """
        pyplot()
        coef, common = _checked_profile(self.coef, self.proportional_odds)
        n_thresholds, n_features = coef.shape
        names = check_names(self.feature_names, n_features)
        ticks = threshold_names(self.classes, n_thresholds)
        if standardized:
            scale = check_scale(self.scale, n_features)
            coef, common = coef * scale, None if common is None else common * scale
        self.features_ = _chosen(features, coef, names, max_features)
        panels = panels_for(
            len(self.features_), ax, size=(2.5, 2.1), max_columns=3, sharey=standardized
        )
        self.axes_, self.figure_ = panels.axes, panels.figure
        self.lines_, self.proportional_lines_ = [], []
        label = name or self.estimator_name or "each threshold"
        style = {"marker": "o", "markersize": 5, "color": "C0", "label": label}
        for panel, j in zip(self.axes_, self.features_):
            panel.axhline(0, color="0.6", lw=0.8, zorder=0)
            if common is not None:
                line = _departures(panel, coef[:, j], common[j])
                self.proportional_lines_.append(line)
            self.lines_ += panel.plot(coef[:, j], **style | kwargs)
            panel.set_title(shortened(names[j], 28), fontsize="medium")
            _threshold_ticks(panel, ticks)
        if ax is None:
            self.figure_.supylabel(weight_label(standardized), fontsize="medium")
        else:
            for panel in panels.first:
                panel.set_ylabel(weight_label(standardized))
        self.legend_ = self._legend(ax is None)
        return self

    def _legend(self, own_figure):
        """Name the two curves once, outside of all panels where that is possible."""
        if not self.proportional_lines_:
            return None
        handles = [self.lines_[0], self.proportional_lines_[0]]
        if own_figure:
            return self.figure_.legend(
                handles=handles, loc="outside upper center", ncols=2, frameon=False
            )
        return self.axes_[0].legend(handles=handles, fontsize="small")


def _threshold_weights(estimator):
    """Weights of a fitted classifier with one row for each threshold."""
    check_is_fitted(estimator)
    kind = type(estimator).__name__
    if not (hasattr(estimator, "coef_") and hasattr(estimator, "classes_")):
        raise ValueError(
            f"{kind} has no coef_ and classes_; PrestoClassifier has both."
        )
    coef = dense_coef(estimator)
    if len(coef) != len(estimator.classes_) - 1:
        raise ValueError(
            f"{kind} has weights of shape {coef.shape} for {len(estimator.classes_)} "
            "classes; a profile needs one row for each threshold between two classes, "
            "as PrestoClassifier has it."
        )
    return coef


def _common_weights(model, estimator, n_features):
    """Weights of a proportional odds model that belongs to the estimator."""
    check_is_fitted(model)
    coef = dense_coef(model)
    if coef.shape != (1, n_features):
        raise ValueError(
            f"proportional_odds must have coef_ of shape (1, {n_features}), one weight "
            f"for each feature; that of {type(model).__name__} has {coef.shape}."
        )
    if not np.array_equal(model.classes_, estimator.classes_):
        raise ValueError(
            f"proportional_odds was fitted on the classes {list(model.classes_)}, the "
            f"estimator on {list(estimator.classes_)}."
        )
    return coef[0]


def _checked_profile(coef, common):
    """Weights as arrays that belong together."""
    coef = np.asarray(coef, dtype=float)
    if coef.ndim != 2 or 0 in coef.shape:
        raise ValueError(
            "coef must have shape (n_thresholds, n_features), neither of them zero; "
            f"got {coef.shape}."
        )
    if common is not None:
        common = np.asarray(common, dtype=float)
        if common.shape != coef.shape[1:]:
            raise ValueError(
                f"proportional_odds must have shape {coef.shape[1:]}, one weight for "
                f"each feature; got {common.shape}."
            )
    return coef, common


def _chosen(features, coef, names, count):
    """Features to draw: those asked for, or those that spread the most."""
    if features is not None:
        chosen = [_index_of(f, names) for f in features]
        if not chosen:
            raise ValueError("features is empty; there is nothing to draw.")
        return chosen
    size = np.abs(coef).max(axis=0)
    # Among equal spreads the largest weights; features that are out of the model last.
    order = np.lexsort((-size, -np.ptp(coef, axis=0)))
    return first_of(order, max(count, 1), size > 0) or [int(order[0])]


def _index_of(feature, names):
    """Index of a feature given by name or index."""
    if isinstance(feature, str):
        if feature not in names:
            raise ValueError(f"features: {feature!r} is not the name of a feature.")
        return names.index(feature)
    if not 0 <= feature < len(names):
        raise ValueError(
            f"features: {feature} is no index of a feature; there are {len(names)}."
        )
    return int(feature)


def _departures(panel, profile, level):
    """Line at the common weight, and what lies between it and the profile."""
    steps = np.arange(len(profile))
    panel.fill_between(steps, level, profile, color="C0", alpha=0.15, lw=0)
    return panel.axhline(
        level, color="C1", ls="--", lw=1.5, label="proportional odds", zorder=1
    )


def _threshold_ticks(panel, ticks):
    """Put a tick at each threshold, turned where names would meet."""
    panel.set_xticks(range(len(ticks)), ticks)
    panel.set_xlim(-0.4, len(ticks) - 0.6)
    if sum(len(tick) + 2 for tick in ticks) > 28:
        panel.tick_params(axis="x", rotation=30, labelsize="small")
        for label in panel.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
