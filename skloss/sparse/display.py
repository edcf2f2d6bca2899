"""Plots of paths of sparse regressors, as a scikit-learn Display."""

import numpy as np
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
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
    one_panel,
    shortened,
)
from skloss._plots import name_of, pyplot
from skloss.sparse._error_curve import ErrorCurves, draw_errors, size_axis

__all__ = ["SparsePathDisplay"]

# Kind of plot -> the estimator's attribute that it shows, and the Display's.
_SHOWN = {
    "coefficients": ("coefs_path_", "coefs"),
    "cv": ("mse_path_", "mse"),
    "subset_cv": ("subset_mse_path_", "subset_mse"),
    "criterion": ("criterion_path_", "criterion"),
    "rss": ("rss_path_", "rss"),
}
_ALPHA_LABEL = "alpha (the penalty falls to the right)"


class SparsePathDisplay:
    """Coefficients, cross-validated errors or residuals along a path.

    Make it with `from_estimator`; `plot` draws the other kinds that the estimator has.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,) or (n_curves, n_alphas), default=None
        Strengths of the penalty, not negative; those of each curve of `mse`, or of
        all. None for a path of numbers of features 1, 2, and so on.
    coefs : array-like or sparse array of shape (n_features, n_alphas), default=None
        Coefficients at the strengths, for "coefficients".
    mse : array-like of shape (n_positions, n_folds) or (n_curves, n_positions, \
            n_folds), default=None
        Mean squared errors on held-out folds, for "cv".
    subset_mse : array-like of shape (n_sizes, n_folds), default=None
        The same for best subsets of 1, 2, ... features, for "subset_cv".
    criterion : array-like of shape (n_curves, n_sizes), default=None
        What chose the number of features, less being better, for "criterion".
    rss : array-like of shape (n_sizes,), default=None
        Residual sums of squares of the best 1, 2, ... features, for "rss".
    alpha : float, default=None
        Strength that was chosen, marked if given.
    size : int, default=None
        Number of features that was chosen, marked if given.
    rss_gap : float, default=None
        Share of the last of `rss` by which a proof has it that no subset of that size
        can be better: 0 if it is the least. None without a proof.
    curve_names : array-like of str, default=None
        Names of several curves of errors, or of a criterion.
    curve : int, default=None
        The curve that was chosen; that with the least mean by default.
    feature_names : array-like of shape (n_features,), default=None
        Names of the features; x0, x1, ... by default.
    scale : array-like of shape (n_features,), default=None
        Standard deviations of the features, for standardised weights.
    size_name : str, default="Number of features"
        For the axis of sizes.
    estimator_name : str, default=None
        For the legend of errors.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it was drawn last.
    lines_ : dict or list of matplotlib Line2D
        For "coefficients" the curve of each feature that is ever used, by its index;
        otherwise a list of curves.
    chosen_line_ : matplotlib Line2D or None
        Line at the strength, or number of features, that was chosen.
    labels_ : list of matplotlib Annotation
        Names at the ends of curves.
    band_ : matplotlib PolyCollection or None
        For errors: one standard error around the chosen curve; None with a single fold.
    one_se_ : float or None
        For errors: the largest strength, or least number of features, whose mean error
        is within one standard error of the least; None with a single fold.
    one_se_line_ : matplotlib Line2D or None
        For errors: a line there; `chosen_line_` itself if they are the same.
    bound_ : matplotlib LineCollection or None
        For "rss": from the last point down to what was proved.

    See Also
    --------
    SubsetStabilityDisplay : Which features are selected on half of the rows.

    Notes
    -----
    A standard error is the standard deviation over folds with divisor ``n_folds - 1``,
    divided by the square root of their number [1]_. Folds share training rows, so it
    is a guide rather than a test.

    References
    ----------
    .. [1] Hastie, T., Tibshirani, R., Friedman, J. (2009). The Elements of Statistical
       Learning, second edition, section 7.10. Springer.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse import SparseRegressorCV
    >>> from skloss.sparse import SparsePathDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = SparseRegressorCV(alphas=20).fit(X, y)
    >>> display = SparsePathDisplay.from_estimator(model, max_labels=3)
    >>> [label.get_text() for label in display.labels_]
    ['s5', 's1', 'bmi']
    >>> bool(display.plot(kind="cv").one_se_ > model.alpha_)
    True
    """

    def __init__(
        self,
        *,
        alphas=None,
        coefs=None,
        mse=None,
        subset_mse=None,
        criterion=None,
        rss=None,
        alpha=None,
        size=None,
        rss_gap=None,
        curve_names=None,
        curve=None,
        feature_names=None,
        scale=None,
        size_name="Number of features",
        estimator_name=None,
    ):
        self.alphas = alphas
        self.coefs = coefs
        self.mse = mse
        self.subset_mse = subset_mse
        self.criterion = criterion
        self.rss = rss
        self.alpha = alpha
        self.size = size
        self.rss_gap = rss_gap
        self.curve_names = curve_names
        self.curve = curve
        self.feature_names = feature_names
        self.scale = scale
        self.size_name = size_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        y=None,
        *,
        kind="coefficients",
        sample_weight=None,
        standardized=False,
        max_labels=8,
        name=None,
        ax=None,
        **kwargs,
    ):
        """Plot the path of an estimator.

        Parameters
        ----------
        estimator : estimator
            `SparseRegressorCV` for "coefficients" and "cv", `PreconditionedLassoCV`
            for "cv" and "subset_cv", `BestSubsetRegressor` for "rss",
            `BestSubsetRegressorCV` for "cv", "criterion" and "rss".
        X : {array-like, sparse matrix} of shape (n_samples, n_features), default=None
            Training data: for standardised weights, and for an estimator that is not
            fitted.
        y : array-like of shape (n_samples,), default=None
            Target. Only an estimator that is not fitted needs it: a clone is fitted.
        kind : {"coefficients", "cv", "subset_cv", "criterion", "rss"}, \
                default="coefficients"
            What is drawn, see `plot`.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in `X`.
        standardized : bool, default=False
            As `plot` takes it; needs `X`.
        max_labels : int, default=8
            As `plot` takes it.
        name : str, default=None
            Name in the legend of errors; the class's by default.
        ax : matplotlib Axes, default=None
            New ones by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        SparsePathDisplay
            The display.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted, and X or y is missing.
        ValueError
            If the estimator has nothing of this kind, or a parameter is not allowed.
        """
        pyplot()  # nothing is computed in vain
        _check_kind(kind)
        estimator = _fitted(estimator, X, y, sample_weight)
        _check_has(estimator, kind)
        scale = None if X is None else feature_spread(estimator, X, sample_weight)
        display = cls(
            **_read_path(estimator),
            feature_names=getattr(estimator, "feature_names_in_", None),
            scale=scale,
            estimator_name=name_of(estimator, name),
        )
        options = {"standardized": standardized, "max_labels": max_labels}
        return display.plot(ax=ax, kind=kind, **options, **kwargs)

    def plot(
        self,
        ax=None,
        *,
        kind="coefficients",
        standardized=False,
        max_labels=8,
        name=None,
        **kwargs,
    ):
        """Plot one kind of path.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default.
        kind : {"coefficients", "cv", "subset_cv", "criterion", "rss"}, \
                default="coefficients"
            Coefficients against the strength of the penalty; mean squared errors on
            held-out folds against the strength or the number of features; those of best
            subsets after a lasso; the criterion that chose a number of features;
            residual sums of squares against the number of features.
        standardized : bool, default=False
            Multiply coefficients by the standard deviations of their features.
        max_labels : int, default=8
            Features drawn in colour and named, those with the largest coefficients
            anywhere on the path. The others are grey.
        name : str, default=None
            Name in the legend of errors.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        SparsePathDisplay
            The display.

        Raises
        ------
        ValueError
            If there is nothing of this kind, shapes do not match, or `standardized`
            without standard deviations.
        """
        pyplot()
        _check_kind(kind)
        if getattr(self, _SHOWN[kind][1]) is None:
            raise ValueError(
                f"kind={kind!r} needs {_SHOWN[kind][1]}, which this display lacks."
            )
        for each in ("chosen_line_", "band_", "one_se_", "one_se_line_", "bound_"):
            setattr(self, each, None)
        self.labels_ = []
        alphas = None if self.alphas is None else _checked_alphas(self.alphas)
        if kind == "coefficients":
            self._plot_coefficients(ax, alphas, standardized, max_labels, kwargs)
        elif kind == "rss":
            self._plot_rss(ax, kwargs)
        else:
            curves = self._curves(kind, alphas)
            self._plot_errors(ax, curves, kind, name, kwargs)
        return self

    def _plot_coefficients(self, ax, alphas, standardized, max_labels, style):
        alphas = self._alphas_of_coefs(alphas)
        names = check_names(self.feature_names, np.shape(self.coefs)[0])
        scale = check_scale(self.scale, len(names)) if standardized else None
        used, curves = _used_rows(self.coefs, scale)
        self.ax_, self.figure_ = one_panel(ax)
        self.ax_.axhline(0, color="0.6", lw=0.8, zorder=0)
        largest = np.abs(curves).max(axis=1, initial=0.0)
        order = np.argsort(-largest, kind="stable")
        named = first_of(order, max_labels, largest > 0)
        styles = curve_styles(used[named].tolist(), used)
        self.lines_ = {
            int(j): self.ax_.plot(alphas, curve, **styles[int(j)] | style)[0]
            for j, curve in zip(used, curves)
        }
        alpha_axis(self.ax_, alphas)
        if self.alpha is not None:
            text = f"alpha = {self.alpha:.3g}"
            for at in np.flatnonzero(alphas == self.alpha)[:1]:
                n_used = int(np.count_nonzero(curves[:, at]))
                text += f": {n_used} feature{'' if n_used == 1 else 's'}"
            self.chosen_line_ = mark_alpha(self.ax_, self.alpha, text)
        self.ax_.set_xlabel(_ALPHA_LABEL)
        self.ax_.set_ylabel(weight_label(standardized))
        last = alphas.argmin()
        self.labels_ = label_ends(
            self.ax_,
            [alphas[last]] * len(named),
            curves[named, last],
            [shortened(names[j]) for j in used[named]],
            [self.lines_[int(j)].get_color() for j in used[named]],
        )

    def _alphas_of_coefs(self, alphas):
        """Strengths of the coefficients, which are those of the chosen curve."""
        if alphas is not None and alphas.ndim == 2:
            alphas = alphas[self._chosen_curve(alphas)]
        n_alphas, shape = np.size(alphas), np.shape(self.coefs)
        if alphas is None or len(shape) != 2 or shape[1] != n_alphas:
            raise ValueError(
                "coefs must have shape (n_features, n_alphas), a column for each of "
                f"alphas; got {shape}, and alphas of shape {np.shape(alphas)}."
            )
        return alphas

    def _chosen_curve(self, alphas):
        if self.curve is not None:
            return self.curve
        return ErrorCurves.read(alphas, self.mse, self.curve_names).lowest

    def _curves(self, kind, alphas):
        """Curves of errors, or of a criterion as if of a single fold."""
        if kind == "cv":
            return ErrorCurves.read(alphas, self.mse, self.curve_names)
        if kind == "subset_cv":
            return ErrorCurves.read(None, self.subset_mse, None)
        values = np.atleast_2d(np.asarray(self.criterion, dtype=float))
        return ErrorCurves.read(None, values[..., None], self.curve_names)

    def _plot_errors(self, ax, curves, kind, name, style):
        self.ax_, self.figure_ = one_panel(ax)
        unnamed = "criterion" if kind == "criterion" else "mean over folds"
        given = None if kind == "subset_cv" else self.curve
        drawn = draw_errors(
            self.ax_,
            curves,
            chosen=curves.lowest if given is None else given,
            marked=self.size if curves.of_sizes else self.alpha,
            label=name or self.estimator_name or unnamed,
            style=style,
        )
        vars(self).update(drawn)
        self.ax_.set_xlabel(self.size_name if curves.of_sizes else _ALPHA_LABEL)
        if kind == "criterion":
            self.ax_.set_ylabel("Criterion (less is better)")

    def _plot_rss(self, ax, style):
        rss = np.asarray(self.rss, dtype=float)
        if rss.ndim != 1 or not rss.size:
            raise ValueError(
                f"rss must hold one number for each size; got shape {rss.shape}."
            )
        sizes = np.arange(1, len(rss) + 1)
        self.ax_, self.figure_ = one_panel(ax)
        look = {"color": "C0", "marker": "o", "ms": 4, "label": "best subset found"}
        self.lines_ = self.ax_.plot(sizes, rss, **look | style)
        size_axis(self.ax_, sizes)
        if self.rss_gap is not None:
            self._draw_bound(sizes[-1], rss[-1])
        self.ax_.set_xlabel(self.size_name)
        self.ax_.set_ylabel("Residual sum of squares")

    def _draw_bound(self, size, rss):
        """Draw how far below the last point a better subset might be."""
        gap = float(self.rss_gap)
        label = "proved to be the least" if gap <= 0 else f"not proved: {gap:.2g} of it"
        lowest = rss * (1 - gap)
        self.bound_ = self.ax_.vlines(size, lowest, rss, color="C3", lw=4, label=label)
        self.ax_.plot(size, lowest, "_", color="C3", ms=14, mew=2)
        self.ax_.legend(loc="best", fontsize="small")


def _check_kind(kind):
    if kind not in _SHOWN:
        raise ValueError(f"kind must be one of {list(_SHOWN)}; got {kind!r}.")


def _check_has(estimator, kind):
    """Refuse an estimator that keeps nothing of this kind; say what it keeps."""
    if hasattr(estimator, _SHOWN[kind][0]):
        return
    has = [each for each, (name, _) in _SHOWN.items() if hasattr(estimator, name)]
    raise ValueError(
        f"kind={kind!r} needs {_SHOWN[kind][0]}, which this "
        f"{type(estimator).__name__} has not"
        + (f"; it has what kind={' or '.join(map(repr, has))} needs." if has else ".")
    )


def _fitted(estimator, X, y, sample_weight):
    """Return the estimator, or a fitted clone of one that is not fitted."""
    try:
        check_is_fitted(estimator)
        return estimator
    except NotFittedError:
        if X is None or y is None:
            raise
    weights = {} if sample_weight is None else {"sample_weight": sample_weight}
    return clone(estimator).fit(X, y, **weights)


def _read_path(estimator):
    """Give what a fitted estimator keeps of its path, as arguments of the Display."""
    found = {name: getattr(estimator, own, None) for own, name in _SHOWN.values()}
    found |= {
        "alpha": getattr(estimator, "alpha_", None),
        "size": getattr(estimator, "n_nonzero_coefs_", None),
    }
    if getattr(estimator, "groups", None) is not None:
        found["size_name"] = "Number of groups"
    # A bound on the objective is one on the residuals if there is nothing else in it.
    if getattr(estimator, "method", None) == "exact" and estimator.l2 == 0:
        found["rss_gap"] = estimator.gap_
    if hasattr(estimator, "alphas_") and found["mse"] is not None:
        # A path that was stopped has not come to the smallest ones.
        found["alphas"] = estimator.alphas_[..., : np.shape(found["mse"])[-2]]
    if np.ndim(found["mse"]) == 3 or found["criterion"] is not None:
        found |= _curves_of(estimator)
    return found


def _curves_of(estimator):
    """Names of several curves of errors, and which one was chosen."""
    if hasattr(estimator, "l2s_"):
        name, values, chosen = "l2", estimator.l2s_, estimator.l2_
    else:
        name, values, chosen = "l1_ratio", estimator.l1_ratio, estimator.l1_ratio_
    values = np.atleast_1d(values)
    return {
        "curve_names": [f"{name} {value:g}" for value in values],
        "curve": int(np.abs(values - chosen).argmin()),
    }


def _checked_alphas(alphas):
    """Read strengths as an array."""
    alphas = np.asarray(alphas, dtype=float)
    if alphas.ndim not in (1, 2) or not alphas.size or not (alphas >= 0).all():
        raise ValueError(
            "alphas must hold one number for each point of the path, none negative; "
            f"got shape {alphas.shape}."
        )
    return alphas


def _used_rows(coefs, scale):
    """Find features with a coefficient anywhere, and their coefficients, dense."""
    rows = sparse.csr_array(coefs, dtype=float, copy=True)
    rows.eliminate_zeros()
    used = np.flatnonzero(np.diff(rows.indptr))
    curves = rows[used].toarray()
    return used, curves if scale is None else curves * scale[used, None]
