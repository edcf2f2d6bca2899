"""Plot of cross-validated scores, as a scikit-learn Display."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skloss._panels import alpha_axis, label_ends, one_panel
from skloss._plots import name_of, pyplot

__all__ = ["CVCurveDisplay"]


class CVCurveDisplay:
    """Cross-validated score against the strength of the penalty.

    The band is one standard error of the mean over folds on either side. The line at
    the one-standard-error alpha marks the strongest penalty whose mean score is within
    one standard error of the best one: where it lies far from the chosen alpha, the
    data can hardly tell them apart. Make it with `from_estimator`.

    Parameters
    ----------
    alphas : array-like of shape (n_alphas,) or (n_l1_ratios, n_alphas)
        Strengths of the penalty, not negative; those of each curve, or of all.
    scores : array-like of shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, n_folds)
        Score of each fold; greater is better.
    mean_scores : array-like of shape (n_alphas,) or (n_l1_ratios, n_alphas), \
            default=None
        Their means; by default every fold counts alike.
    alpha : float, default=None
        The one that was chosen, marked if given.
    l1_ratios : array-like of shape (n_l1_ratios,), default=None
        Shares of the L1 penalty, which name the curves.
    l1_ratio : float, default=None
        The one that was chosen; by default that of the best mean score.
    score_name : str, default="Mean score"
        For the axis.
    estimator_name : str, default=None
        For the legend.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn.
    lines_ : list of matplotlib Line2D
        Mean scores, one curve for each share of the L1 penalty.
    band_ : matplotlib PolyCollection or None
        One standard error around the curve of the chosen share; None with a single
        fold, as for `one_se_alpha_` and `one_se_line_`.
    one_se_alpha_ : float or None
        The one-standard-error alpha of that curve.
    chosen_line_ : matplotlib Line2D or None
        At the chosen alpha.
    one_se_line_ : matplotlib Line2D or None
        At the one-standard-error alpha; `chosen_line_` itself if they are the same.
    labels_ : list of matplotlib Annotation
        Names of several curves, at their ends.

    See Also
    --------
    PrestoPathDisplay : Weights against the strength of the penalty.

    Notes
    -----
    The standard error is that of [1]_, section 7.10: the standard deviation over folds
    with divisor ``n_folds - 1``, divided by the square root of their number. Folds
    share training rows, so it is a guide rather than a test.

    References
    ----------
    .. [1] Hastie, T., Tibshirani, R., Friedman, J. (2009). The Elements of Statistical
       Learning, second edition. Springer.

    Examples
    --------
    >>> from skloss.ordinal import CVCurveDisplay
    >>> scores = [[-1.2, -1.4], [-1.0, -1.2], [-0.9, -1.2], [-1.0, -1.3]]
    >>> display = CVCurveDisplay([1, 0.1, 0.01, 0.001], scores, alpha=0.01).plot()
    >>> display.one_se_alpha_
    0.1
    """

    def __init__(
        self,
        alphas,
        scores,
        *,
        mean_scores=None,
        alpha=None,
        l1_ratios=None,
        l1_ratio=None,
        score_name="Mean score",
        estimator_name=None,
    ):
        self.alphas = alphas
        self.scores = scores
        self.mean_scores = mean_scores
        self.alpha = alpha
        self.l1_ratios = l1_ratios
        self.l1_ratio = l1_ratio
        self.score_name = score_name
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(cls, estimator, *, ax=None, name=None, **kwargs):
        """Plot the scores of a cross-validated fit.

        Parameters
        ----------
        estimator : PrestoClassifierCV
            Fitted.
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend; the class's by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        CVCurveDisplay
            The display.

        Raises
        ------
        ValueError
            If the estimator keeps no scores of a path.
        """
        pyplot()  # nothing is computed in vain
        check_is_fitted(estimator)
        if not hasattr(estimator, "scores_path_"):
            raise ValueError(
                f"{type(estimator).__name__} has no scores_path_; PrestoClassifierCV "
                "has one."
            )
        several = np.ndim(estimator.scores_path_) == 3
        display = cls(
            estimator.alphas_,
            estimator.scores_path_,
            mean_scores=estimator.mean_scores_,
            alpha=estimator.alpha_,
            l1_ratios=np.atleast_1d(estimator.l1_ratio) if several else None,
            l1_ratio=estimator.l1_ratio_ if several else None,
            score_name=_score_name(estimator.scoring),
            estimator_name=name_of(estimator, name),
        )
        return display.plot(ax=ax, name=name, **kwargs)

    def plot(self, ax=None, *, name=None, **kwargs):
        """Plot the scores.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default.
        name : str, default=None
            Name in the legend.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.plot` for all curves.

        Returns
        -------
        CVCurveDisplay
            The display.

        Raises
        ------
        ValueError
            If shapes do not match, or `l1_ratio` is none of `l1_ratios`.
        """
        alphas, scores, means, ratios = self._checked()
        chosen = self._chosen_curve(means, ratios)
        self.ax_, self.figure_ = one_panel(ax)
        label = name or self.estimator_name or "mean over folds"
        self.lines_ = []
        for place, (own, mean) in enumerate(zip(alphas, means)):
            style = {"lw": 1.2, "color": f"C{place % 10}", "zorder": 2}
            if place == chosen:
                style |= {"lw": 2, "zorder": 3, "label": label}
            self.lines_ += self.ax_.plot(own, mean, **style | kwargs)
        alpha_axis(self.ax_, alphas)
        errors = _standard_errors(scores[chosen])
        self.band_ = self.one_se_alpha_ = None
        if errors is not None:
            curve = alphas[chosen], means[chosen], errors
            self.band_ = self._draw_band(*curve, self.lines_[chosen].get_color())
            self.one_se_alpha_ = _one_se_alpha(*curve)
        self._mark_alphas()
        self.ax_.set_xlabel("alpha (the penalty falls to the right)")
        self.ax_.set_ylabel(self.score_name)
        self.ax_.legend(loc="best", fontsize="small")
        self.labels_ = []
        if ratios is not None:
            self.labels_ = self._label_curves(alphas, means, ratios)
        return self

    def _checked(self):
        """Arrays that belong together, with an axis for the shares of L1."""
        alphas = np.asarray(self.alphas, dtype=float)
        scores = np.asarray(self.scores, dtype=float)
        if alphas.ndim not in (1, 2) or alphas.size == 0 or not (alphas >= 0).all():
            raise ValueError(
                "alphas must hold one number for each point of the path, none "
                f"negative; got shape {alphas.shape}."
            )
        several = scores.ndim == 3
        fits = several or (scores.ndim == 2 and alphas.ndim == 1)
        if not fits or scores.shape[-1 - alphas.ndim : -1] != alphas.shape:
            raise ValueError(
                "scores must have shape (n_alphas, n_folds) or (n_l1_ratios, n_alphas, "
                f"n_folds); got {scores.shape} for alphas of shape {alphas.shape}."
            )
        means = scores.mean(axis=-1)
        if self.mean_scores is not None:
            given = np.asarray(self.mean_scores, dtype=float)
            if given.shape != means.shape:
                raise ValueError(
                    f"mean_scores must have shape {means.shape}; got {given.shape}."
                )
            means = given
        if not several:
            return alphas[None], scores[None], means[None], None
        ratios = self.l1_ratios
        if ratios is None or len(ratios) != len(scores):
            raise ValueError(
                f"l1_ratios must name {len(scores)} curves; got {ratios!r}."
            )
        alphas = np.broadcast_to(alphas, means.shape)
        return alphas, scores, means, np.asarray(ratios, dtype=float)

    def _chosen_curve(self, means, ratios):
        """Index of the curve with a band."""
        if ratios is None:
            return 0
        if self.l1_ratio is None:
            return int(np.nanargmax(np.nanmax(means, axis=1)))
        found = np.flatnonzero(ratios == self.l1_ratio)
        if not len(found):
            raise ValueError(
                f"l1_ratio is {self.l1_ratio}; the curves are those of "
                f"{ratios.tolist()}."
            )
        return int(found[0])

    def _draw_band(self, alphas, mean, errors, colour):
        return self.ax_.fill_between(
            alphas,
            mean - errors,
            mean + errors,
            color=colour,
            alpha=0.2,
            lw=0,
            label="± one standard error",
        )

    def _mark_alphas(self):
        """Lines at the chosen alpha and the one-standard-error alpha."""
        self.chosen_line_ = self.one_se_line_ = None
        if self.alpha is not None:
            same = self.alpha == self.one_se_alpha_
            text = (
                f"chosen{', one-standard-error rule' if same else ''}: {self.alpha:.3g}"
            )
            self.chosen_line_ = self.ax_.axvline(
                self.alpha, color="black", ls="--", lw=1, zorder=1.5, label=text
            )
            if same:
                self.one_se_line_ = self.chosen_line_
        if self.one_se_line_ is None and self.one_se_alpha_ is not None:
            self.one_se_line_ = self.ax_.axvline(
                self.one_se_alpha_,
                color="0.4",
                ls=":",
                lw=1.5,
                zorder=1.5,
                label=f"one-standard-error rule: {self.one_se_alpha_:.3g}",
            )

    def _label_curves(self, alphas, means, ratios):
        """Name each curve by its share of L1."""
        curves, last = np.arange(len(alphas)), alphas.argmin(axis=1)
        return label_ends(
            self.ax_,
            alphas[curves, last],
            means[curves, last],
            [f"l1_ratio {ratio:g}" for ratio in ratios],
            [line.get_color() for line in self.lines_],
        )


def _score_name(scoring):
    """Name of an estimator's parameter `scoring`, for an axis."""
    if scoring is None:
        return "Mean log-likelihood of held-out rows"
    if isinstance(scoring, str):
        return f"Mean {scoring.replace('_', ' ')} of held-out rows"
    return "Mean score of held-out rows"


def _standard_errors(scores):
    """Give the standard error of each mean over folds; None with a single fold."""
    n_folds = scores.shape[1]
    if n_folds < 2:
        return None
    return scores.std(axis=1, ddof=1) / np.sqrt(n_folds)


def _one_se_alpha(alphas, means, errors):
    """Largest alpha within one standard error of the best, or None without a best."""
    if not np.isfinite(means).any():
        return None
    best = np.nanargmax(means)
    within = means >= means[best] - errors[best]
    # The best one is within, whatever became of its error.
    within[best] = True
    return float(alphas[within].max())
