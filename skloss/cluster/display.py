"""Plots of k-medoids clusterings, as scikit-learn Displays."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skloss._plots import axes_for, name_of, pyplot
from skloss._validation import check_weights
from skloss.cluster._methods import SILHOUETTE_METHODS
from skloss.cluster.k_selection import medoid_curve
from skloss.cluster.medoid_silhouette import medoid_silhouette_samples

__all__ = ["KSelectionDisplay", "LossCurveDisplay", "MedoidSilhouetteDisplay"]

# Beyond so many clusters their numbers would overlap.
_MOST_TICKS = 25


class MedoidSilhouetteDisplay:
    """Medoid silhouettes of all samples, sorted within their clusters.

    Broad blocks that reach far to the right are clusters that hold together. Make it
    with `from_estimator`.

    Parameters
    ----------
    silhouettes : ndarray of shape (n_samples,)
        Medoid silhouette of each sample, from 0 to 1.
    labels : ndarray of shape (n_samples,)
        Cluster of each sample.
    average : float
        Average medoid silhouette.
    estimator_name : str, default=None
        For the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn.
    bars_ : list of matplotlib PolyCollection
        One block of bars for each cluster, the lowest label at the top.
    line_ : matplotlib Line2D
        The average.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.cluster import KMedoids, MedoidSilhouetteDisplay
    >>> X = load_iris().data
    >>> model = KMedoids(n_clusters=3).fit(X)
    >>> display = MedoidSilhouetteDisplay.from_estimator(model, X)
    >>> len(display.bars_), round(display.average, 2)
    (3, 0.65)
    """

    def __init__(self, silhouettes, labels, average, *, estimator_name=None):
        self.silhouettes = silhouettes
        self.labels = labels
        self.average = average
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls, estimator, X, *, sample_weight=None, ax=None, name=None, **kwargs
    ):
        """Compute the silhouettes of X and plot them.

        Parameters
        ----------
        estimator : estimator
            Fitted, with at least two clusters, whose ``transform`` returns the
            dissimilarity to each medoid or centre.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, of the fit or new. If precomputed, dissimilarities as ``transform``
            takes them.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the average.
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend; the class's by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        MedoidSilhouetteDisplay
            The display.
        """
        pyplot()  # nothing is computed in vain
        check_is_fitted(estimator)
        to_medoids = np.asarray(estimator.transform(X))
        silhouettes = medoid_silhouette_samples(to_medoids, metric="precomputed")
        weights = check_weights(sample_weight, len(silhouettes))
        display = cls(
            silhouettes,
            to_medoids.argmin(axis=1),
            float(np.average(silhouettes, weights=weights)),
            estimator_name=name_of(estimator, name),
        )
        return display.plot(ax=ax, name=name, **kwargs)

    def plot(self, ax=None, *, name=None, **kwargs):
        """Plot the silhouettes.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.fill_betweenx`.

        Returns
        -------
        MedoidSilhouetteDisplay
            The display.
        """
        self.ax_, self.figure_ = axes_for(ax)
        name = name or self.estimator_name
        clusters = np.unique(self.labels)
        gap = max(1.0, len(self.labels) / (20 * len(clusters)))
        colours = {} if {"color", "facecolor"} & kwargs.keys() else _colours(clusters)
        self.bars_, centres, top = [], [], 0.0
        for cluster in clusters:
            values = np.sort(self.silhouettes[self.labels == cluster])[::-1]
            # Two corners for each sample: a single one is a bar, too.
            edges = top + np.repeat(np.arange(len(values) + 1.0), 2)[1:-1]
            style = {"lw": 0, **colours.get(cluster, {}), **kwargs}
            bars = self.ax_.fill_betweenx(edges, 0, np.repeat(values, 2), **style)
            self.bars_.append(bars)
            centres.append(top + len(values) / 2)
            top += len(values) + gap
        label = f"average {self.average:.3f}"
        self.line_ = self.ax_.axvline(
            self.average,
            color="black",
            ls="--",
            lw=1,
            label=f"{name}: {label}" if name else label,
        )
        step = -(-len(clusters) // _MOST_TICKS)
        self.ax_.set_yticks(centres[::step], [str(c) for c in clusters[::step]])
        self.ax_.set(xlim=(0, 1), ylim=(top - gap / 2, -gap / 2))
        self.ax_.set(xlabel="Medoid silhouette", ylabel="Cluster")
        # Above the axes, where it hides no bar.
        self.ax_.legend(loc="lower right", bbox_to_anchor=(1, 1), frameon=False)
        return self


def _colours(clusters):
    """Colours of the style's cycle, one after the other."""
    import matplotlib as mpl

    cycle = mpl.rcParams["axes.prop_cycle"].by_key().get("color", ["C0"])
    return {c: {"color": cycle[i % len(cycle)]} for i, c in enumerate(clusters)}


class KSelectionDisplay:
    """Average medoid silhouette and deviation against the number of clusters.

    Make it with `from_estimator` or `from_data`, which calls :func:`medoid_curve`.

    Parameters
    ----------
    k_range : ndarray of shape (n_k,)
        Numbers of clusters.
    silhouettes : ndarray of shape (n_k,)
        Average medoid silhouette of each; nan where there is none.
    losses : ndarray of shape (n_k,), default=None
        Total deviation of each, drawn against an axis of its own if given.
    n_clusters : int, default=None
        The number that was chosen.
    estimator_name : str, default=None
        For the legend.

    Attributes
    ----------
    ax_, loss_ax_, figure_ : matplotlib Axes and Figure
        Axes of the silhouettes and of the losses, None if not drawn.
    line_, loss_line_, chosen_line_ : matplotlib Line2D
        Silhouettes, losses and the number that was chosen; None if not drawn.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.cluster import KMedoids, KSelectionDisplay
    >>> X = load_iris().data
    >>> model = KMedoids(n_clusters=6, method="dynmsc").fit(X)
    >>> KSelectionDisplay.from_estimator(model).n_clusters
    2
    >>> KSelectionDisplay.from_data(X, range(1, 7)).n_clusters
    2
    """

    def __init__(
        self,
        k_range,
        silhouettes,
        *,
        losses=None,
        n_clusters=None,
        estimator_name=None,
    ):
        self.k_range = k_range
        self.silhouettes = silhouettes
        self.losses = losses
        self.n_clusters = n_clusters
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, **kwargs):
        """Plot what a fit by DynMSC tried.

        Parameters
        ----------
        estimator : KMedoids
            Fitted with ``method="dynmsc"``.
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend; the class's by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        KSelectionDisplay
            The display, of silhouettes alone: DynMSC does not minimise the deviation.

        Raises
        ------
        ValueError
            If the estimator was fitted by another method.
        """
        pyplot()  # nothing is computed in vain
        check_is_fitted(estimator)
        if not hasattr(estimator, "k_range_"):
            raise ValueError(
                "The estimator has tried one number of clusters only. Fit KMedoids "
                "with method='dynmsc', or use KSelectionDisplay.from_data."
            )
        display = cls(
            estimator.k_range_,
            estimator.silhouette_curve_,
            n_clusters=estimator.n_clusters_,
            estimator_name=name_of(estimator, name),
        )
        return display.plot(ax=ax, name=name, **kwargs)

    @classmethod
    def from_data(cls, X, k_range, *, ax=None, name=None, curve_params=None, **kwargs):
        """Fit a range of numbers of clusters in one sweep and plot it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, or dissimilarities (n_samples, n_samples) if precomputed.
        k_range : array-like of int
            Numbers of clusters.
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend.
        curve_params : dict, default=None
            Further parameters of :func:`medoid_curve`, such as ``metric``.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        KSelectionDisplay
            The display, with the number of the highest silhouette as chosen.
        """
        pyplot()  # nothing is computed in vain
        curve = medoid_curve(X, k_range, **(curve_params or {}))
        display = cls(
            curve.k_range,
            curve.silhouettes,
            losses=curve.losses,
            n_clusters=curve.best_n_clusters,
            estimator_name=name,
        )
        return display.plot(ax=ax, name=name, **kwargs)

    def plot(self, ax=None, *, name=None, **kwargs):
        """Plot the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for the silhouettes.

        Returns
        -------
        KSelectionDisplay
            The display.
        """
        self.ax_, self.figure_ = axes_for(ax)
        name = name or self.estimator_name
        style = {"marker": "o", "color": "C0", "label": "average medoid silhouette"}
        if name:
            style["label"] = f"{name}: {style['label']}"
        (self.line_,) = self.ax_.plot(self.k_range, self.silhouettes, **style | kwargs)
        self.ax_.set(xlabel="Number of clusters", ylabel="Average medoid silhouette")
        self.ax_.locator_params(axis="x", integer=True, steps=[1, 2, 5, 10])
        self.loss_ax_ = self.loss_line_ = self.chosen_line_ = None
        if self.losses is not None:
            self.loss_ax_ = self.ax_.twinx()
            (self.loss_line_,) = self.loss_ax_.plot(
                self.k_range,
                self.losses,
                marker="s",
                markersize=4,
                ls=":",
                color="C1",
                label="total deviation",
            )
            self.loss_ax_.set_ylabel("Total deviation")
        if self.n_clusters is not None:
            self.chosen_line_ = self.ax_.axvline(
                self.n_clusters,
                color="black",
                ls="--",
                lw=1,
                zorder=0,
                label=f"chosen: {self.n_clusters}",
            )
        lines = [self.line_, self.loss_line_, self.chosen_line_]
        handles = [line for line in lines if line is not None]
        if self.loss_ax_ is None:
            self.ax_.legend(handles=handles)
        else:
            # On top, in a place that is kept free: each axes knows its own line only.
            _leave_room_above(self.ax_)
            _leave_room_above(self.loss_ax_)
            self.loss_ax_.legend(handles=handles, loc="upper right")
        return self


def _leave_room_above(ax):
    low, high = ax.get_ylim()
    ax.set_ylim(low, high + 0.35 * (high - low))


class LossCurveDisplay:
    """Objective of a fit after each of its swaps, or each subsample of CLARA.

    Make it with `from_estimator`.

    Parameters
    ----------
    curve : ndarray of shape (n,)
        Objective at the start and after every swap, or after every other step.
    steps : str, default="Swaps"
        What it is drawn against: "Swaps", "Subsamples" of CLARA, "Assignments" of
        ``method="alternate"``, or "Swaps and removals" of ``method="dynmsc"``. Swaps
        are counted from 0, the start; the others from 1.
    objective : str, default="Total deviation"
        What it is, for the axis.
    lower_bound : float, default=None
        What no medoids can undercut, drawn if given. `from_estimator` gives none for
        ``method="onebatch"``, whose curve is an estimate that may fall below it.
    estimator_name : str, default=None
        For the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn.
    line_, bound_line_ : matplotlib Line2D
        The objective and its lower bound; None if there is no bound.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skloss.cluster import KMedoids, LossCurveDisplay
    >>> model = KMedoids(3, init="first", bound=True).fit(load_iris().data)
    >>> display = LossCurveDisplay.from_estimator(model)
    >>> len(display.line_.get_ydata()) == model.n_swaps_ + 1
    True
    """

    def __init__(
        self,
        curve,
        *,
        steps="Swaps",
        objective="Total deviation",
        lower_bound=None,
        estimator_name=None,
    ):
        self.curve = curve
        self.steps = steps
        self.objective = objective
        self.lower_bound = lower_bound
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, **kwargs):
        """Plot the objective of a fit against its steps.

        Parameters
        ----------
        estimator : estimator
            Fitted, with the attribute ``loss_curve_``.
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend; the class's by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        ValueError
            If the estimator keeps no such curve.
        """
        pyplot()  # nothing is computed in vain
        check_is_fitted(estimator)
        if not hasattr(estimator, "loss_curve_"):
            raise ValueError(
                f"{type(estimator).__name__} has no loss_curve_; KMedoids has one."
            )
        display = cls(
            estimator.loss_curve_,
            estimator_name=name_of(estimator, name),
            **_description_of(estimator),
        )
        return display.plot(ax=ax, name=name, **kwargs)

    def plot(self, ax=None, *, name=None, **kwargs):
        """Plot the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.step`.

        Returns
        -------
        LossCurveDisplay
            The display.
        """
        self.ax_, self.figure_ = axes_for(ax)
        name = name or self.estimator_name
        style = {"where": "post", "color": "C0"}
        if len(self.curve) == 1:  # nothing was swapped: a line would be invisible
            style["marker"] = "o"
        if name:
            style["label"] = name
        # Before the first swap there is an objective, before the first subsample or
        # assignment none.
        steps = np.arange(len(self.curve)) + (not self.steps.startswith("Swaps"))
        (self.line_,) = self.ax_.step(steps, self.curve, **style | kwargs)
        self.bound_line_ = None
        if self.lower_bound is not None:
            self.bound_line_ = self.ax_.axhline(
                self.lower_bound, color="black", ls="--", lw=1, label="lower bound"
            )
        self.ax_.set(xlabel=self.steps, ylabel=self.objective)
        self.ax_.locator_params(axis="x", integer=True, steps=[1, 2, 5, 10])
        if self.ax_.get_legend_handles_labels()[0]:
            self.ax_.legend()
        return self


# What curves are drawn against if not against swaps.
_STEPS = {"alternate": "Assignments", "dynmsc": "Swaps and removals"}


def _description_of(estimator):
    """Say what a fit's curve holds, what it is drawn against and what bounds it."""
    method = getattr(estimator, "method", None)
    steps = _STEPS.get(method, "Swaps")
    if hasattr(estimator, "subsample_losses_"):
        steps = "Subsamples"
    objective, bound = "Total deviation", getattr(estimator, "lower_bound_", None)
    if method in SILHOUETTE_METHODS and estimator.n_clusters_ > 1:
        objective = "Average medoid silhouette"
    elif method == "onebatch":  # an estimate may fall below the bound
        objective, bound = "Total deviation, estimated from the batch", None
    return {"steps": steps, "objective": objective, "lower_bound": bound}
