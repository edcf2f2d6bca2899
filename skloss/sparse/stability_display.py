"""How often features are selected on half of the rows, as a scikit-learn Display."""

from numbers import Integral

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils.validation import check_is_fitted

from skloss._display_inputs import check_names
from skloss._panels import one_panel, shortened
from skloss._parallel import one_blas_thread
from skloss._plots import name_of, pyplot
from skloss._validation import check_weights

__all__ = ["SubsetStabilityDisplay"]

_SEEDS = np.iinfo(np.int32).max


class SubsetStabilityDisplay:
    """Frequencies with which features are selected on random halves of the rows.

    A feature that half of the data do not always ask for is not one to tell stories
    about. Two features that stand for each other share their frequency. Make it with
    `from_estimator`.

    Parameters
    ----------
    frequencies : array-like of shape (n_features,)
        Share of the fits that selected each feature, from 0 to 1.
    n_repeats : int, default=None
        Number of fits, for the axis.
    selected : array-like of bool of shape (n_features,), default=None
        Features of a fit to all rows, drawn in another colour.
    feature_names : array-like of shape (n_features,), default=None
        Names of the features; x0, x1, ... by default.
    estimator_name : str, default=None
        For the title.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
        Where it is drawn.
    features_ : ndarray of intp
        Features with a bar, the most frequent first; of equals the first.
    bars_ : matplotlib BarContainer
        Their bars, in that order.

    See Also
    --------
    SparsePathDisplay : Coefficients along the path.

    Notes
    -----
    Halves are drawn without replacement, as in [1]_; nothing is claimed here about
    the number of features that are selected wrongly.

    References
    ----------
    .. [1] N. Meinshausen, P. Bühlmann. "Stability Selection". Journal of the Royal
       Statistical Society B 72(4), 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse import SparseRegressor
    >>> from skloss.sparse import SubsetStabilityDisplay
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> display = SubsetStabilityDisplay.from_estimator(
    ...     SparseRegressor(alpha=1.0), X, y, n_repeats=20, random_state=0
    ... )
    >>> X.columns[display.features_[:2]].tolist()
    ['bmi', 's5']
    >>> display.frequencies[display.features_[:2]]
    array([1., 1.])
    """

    def __init__(
        self,
        frequencies,
        *,
        n_repeats=None,
        selected=None,
        feature_names=None,
        estimator_name=None,
    ):
        self.frequencies = frequencies
        self.n_repeats = n_repeats
        self.selected = selected
        self.feature_names = feature_names
        self.estimator_name = estimator_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_repeats=50,
        sample_weight=None,
        max_features=20,
        feature_names=None,
        name=None,
        random_state=None,
        n_jobs=None,
        ax=None,
        **kwargs,
    ):
        """Fit an estimator to random halves of the rows and plot what it selects.

        Parameters
        ----------
        estimator : estimator or Pipeline
            With ``get_support`` or ``coef_``; of a pipeline, the last step. Clones are
            fitted. If it is fitted itself, its own features are drawn in another
            colour.
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data.
        y : array-like of shape (n_samples,)
            Target.
        n_repeats : int, default=50
            Number of fits.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples in the fits. Halves are drawn from the rows of
            positive weight, each row as likely as any other.
        max_features : int, default=20
            As `plot` takes it.
        feature_names : array-like of shape (n_features,), default=None
            Names of the features; by default those that a fit has seen.
        name : str, default=None
            Name in the title; the class's by default.
        random_state : int, RandomState instance or None, default=None
            Draws the halves, and seeds estimators whose own `random_state` is None.
        n_jobs : int, default=None
            Fits at a time, through joblib. Changes no result.
        ax : matplotlib Axes, default=None
            New ones by default.
        **kwargs : dict
            As `plot` takes them.

        Returns
        -------
        SubsetStabilityDisplay
            The display.

        Raises
        ------
        ValueError
            If `n_repeats` is not a positive integer, fewer than 4 rows have weight, or
            the estimator does not tell what it selects.
        """
        pyplot()  # nothing is computed in vain
        if not isinstance(n_repeats, Integral) or n_repeats < 1:
            raise ValueError(
                f"n_repeats must be an integer above 0; got {n_repeats!r}."
            )
        X, y = indexable(X, y)
        weights = None
        if sample_weight is not None:
            weights = check_weights(sample_weight, len(y))
        random = check_random_state(random_state)
        halves = _halves(len(y), weights, n_repeats, random)
        seeds = random.randint(_SEEDS, size=n_repeats)
        found = Parallel(n_jobs=n_jobs)(
            delayed(_fit_half)(clone(estimator), X, y, weights, half, int(seed))
            for half, seed in zip(halves, seeds)
        )
        masks = np.array([mask for mask, _ in found])
        display = cls(
            masks.mean(axis=0),
            n_repeats=n_repeats,
            selected=_selected_already(estimator),
            feature_names=found[0][1] if feature_names is None else feature_names,
            estimator_name=name_of(_last_step(estimator), name),
        )
        return display.plot(ax=ax, max_features=max_features, **kwargs)

    def plot(self, ax=None, *, max_features=20, **kwargs):
        """Plot the frequencies.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            New ones by default.
        max_features : int, default=20
            Most bars. Features that were never selected have none.
        **kwargs : dict
            Passed to :meth:`matplotlib.axes.Axes.barh`.

        Returns
        -------
        SubsetStabilityDisplay
            The display.

        Raises
        ------
        ValueError
            If frequencies are not shares, or shapes do not match.
        """
        frequencies = np.asarray(self.frequencies, dtype=float)
        shares = (frequencies >= 0) & (frequencies <= 1)
        if frequencies.ndim != 1 or not frequencies.size or not shares.all():
            raise ValueError(
                "frequencies must hold a number from 0 to 1 for each feature; got "
                f"shape {frequencies.shape}."
            )
        names = check_names(self.feature_names, len(frequencies))
        order = np.argsort(-frequencies, kind="stable")
        order = order[frequencies[order] > 0]
        self.features_ = order[: max(int(max_features), 0)]
        size = None if ax is not None else (6.4, 1.2 + 0.24 * len(self.features_))
        self.ax_, self.figure_ = one_panel(ax, size=size)
        self.bars_ = self.ax_.barh(
            np.arange(len(self.features_)),
            frequencies[self.features_],
            **{"color": self._colours(len(frequencies)), "height": 0.7} | kwargs,
        )
        labels = [shortened(names[j]) for j in self.features_]
        self.ax_.set_yticks(np.arange(len(labels)), labels, fontsize="small")
        self.ax_.set_ylim(max(len(labels), 1) - 0.5, -0.5)  # the most frequent on top
        self.ax_.set_xlim(0, 1)
        of = "" if self.n_repeats is None else f"{self.n_repeats} "
        self.ax_.set_xlabel(f"Share of {of}fits to half of the rows")
        if self.estimator_name:
            self.ax_.set_title(self.estimator_name, fontsize="medium")
        return self

    def _colours(self, n_features):
        """Colours of the bars: grey for features that the whole data do not select."""
        if self.selected is None:
            return "C0"
        selected = np.asarray(self.selected, dtype=bool)
        if selected.shape != (n_features,):
            raise ValueError(
                f"selected must have shape ({n_features},), one value for each "
                f"feature; got {selected.shape}."
            )
        return ["C0" if selected[j] else "0.75" for j in self.features_]


def _halves(n_samples, weights, n_repeats, random):
    """Draw sorted halves of the rows of positive weight."""
    rows = np.arange(n_samples) if weights is None else np.flatnonzero(weights)
    if len(rows) < 4:
        raise ValueError(
            f"Halves need at least 4 rows of positive weight; there are {len(rows)}."
        )
    half = len(rows) // 2
    return [np.sort(random.choice(rows, half, replace=False)) for _ in range(n_repeats)]


def _fit_half(estimator, X, y, weights, rows, seed):
    """Fit to some rows; return the mask of the features and their names."""
    own = estimator.get_params()
    ends = [p for p in own if p.rpartition("__")[2] == "random_state"]
    estimator.set_params(**{p: seed for p in ends if own[p] is None})
    extra = {}
    if weights is not None:
        step = f"{estimator.steps[-1][0]}__" if isinstance(estimator, Pipeline) else ""
        extra[f"{step}sample_weight"] = weights[rows]
    X, y = _safe_indexing(X, rows), _safe_indexing(y, rows)
    with one_blas_thread():  # the number of threads would change the last digits
        estimator.fit(X, y, **extra)
    return _mask(estimator), _names(estimator)


def _last_step(estimator):
    return estimator.steps[-1][1] if isinstance(estimator, Pipeline) else estimator


def _mask(estimator):
    """Which features a fitted estimator uses."""
    last = _last_step(estimator)
    if hasattr(last, "get_support"):
        return np.asarray(last.get_support())
    coef = getattr(last, "coef_", None)
    coef = coef.toarray() if sparse.issparse(coef) else coef
    if coef is None or np.squeeze(coef).ndim > 1:
        raise ValueError(
            f"{type(last).__name__} has neither get_support nor one coefficient for "
            "each feature, so what it selects is not known."
        )
    return np.ravel(coef) != 0


def _names(estimator):
    """Names of the features, or None."""
    if isinstance(estimator, Pipeline) and len(estimator.steps) > 1:
        try:
            return list(estimator[:-1].get_feature_names_out())
        except AttributeError:  # a step that does not tell
            return None
    return getattr(_last_step(estimator), "feature_names_in_", None)


def _selected_already(estimator):
    """Mask of the features of an estimator that is fitted, else None."""
    try:
        check_is_fitted(_last_step(estimator))
    except NotFittedError:
        return None
    return _mask(estimator)
