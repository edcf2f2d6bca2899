"""Selection of features with a bound on the share of false discoveries."""

from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.sparse._inputs import as_sample
from skloss.sparse._knockoff_filter import (
    e_values,
    knockoff_threshold,
    lasso_statistics,
    select_by_e_values,
)
from skloss.sparse._knockoff_scales import METHODS
from skloss.sparse.knockoffs import FeatureModel, GaussianKnockoffs

__all__ = ["KnockoffSelector"]

_SEEDS = np.iinfo(np.int32).max


class KnockoffSelector(CallbackSupportMixin, SelectorMixin, BaseEstimator):
    """Select features so that few of those selected are without effect.

    Each feature competes with a knockoff, a column that resembles it and is related to
    the other features as it is, but drawn without the target. A feature without effect
    wins as often as its knockoff does, so the knockoffs that win by much tell how many
    of the features that do so are false discoveries. Who wins is told by the
    coefficients of a Lasso on all features and knockoffs [1]_ [2]_.

    Parameters
    ----------
    fdr : float, default=0.1
        False discovery rate: largest expected share of features without effect among
        those selected. Strictly between 0 and 1. With ``offset=1`` either no feature is
        selected or at least ``1 / fdr`` are.
    method : {"mvr", "maxent", "sdp", "equicorrelated"}, default="mvr"
        What the knockoffs are to be good at; see `gaussian_knockoffs`.
    offset : {0, 1}, default=1
        1 bounds the false discovery rate ("knockoffs+"). 0 selects more features and
        bounds the expected ratio of false discoveries to all of them plus ``1 / fdr``.
    n_draws : int, default=1
        Number of draws of the knockoffs. With several, the evidence of all draws is
        averaged as e-values [3]_: the selection depends less on the random numbers,
        and `fdr` is bounded all the same, often with fewer features selected.
    covariance : array-like of shape (n_features, n_features), estimator or None, \
            default=None
        Covariance matrix of the rows, an estimator of it from `sklearn.covariance`, or
        `LedoitWolf` by default; see `gaussian_knockoffs`.
    mean : array-like of shape (n_features,), default=None
        Means; by default those of X.
    statistic : "lasso" or callable, default="lasso"
        "lasso" is the difference of the absolute coefficients of a feature and its
        knockoff, both scaled to variance 1, in a `SparseRegressorCV`. A callable
        ``statistic(X, knockoffs, y)`` returns one number for each feature, which must
        change its sign, and no other, when the feature and its knockoff change places.
    n_folds : int, default=5
        Folds that choose the strength of the Lasso, no more than there are rows; they
        are drawn at random.
    random_state : int, RandomState instance or None, default=None
        Draws knockoffs and folds.
    n_jobs : int, default=None
        Number of jobs that share the draws, through joblib. Changes no result.
    verbose : int, default=0
        Whether to print a line for each draw.

    Attributes
    ----------
    statistics_ : ndarray of shape (n_features,) or (n_draws, n_features)
        Evidence for each feature, against it where negative; 0 for constant features.
        In rows if there are several draws.
    threshold_ : float or ndarray of shape (n_draws,)
        Smallest statistic that is enough; infinite where no feature reaches one.
    e_values_ : ndarray of shape (n_features,)
        Mean of the e-values over the draws.
    covariance_ : ndarray of shape (n_features, n_features)
        Covariance matrix of the features; zero for constant ones.
    mean_ : ndarray of shape (n_features,)
        Their means.
    s_ : ndarray of shape (n_features,)
        By how much the covariance of a feature with its knockoff is below its variance.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    See Also
    --------
    gaussian_knockoffs : The knockoffs themselves.
    StabilitySelector : Selection with a bound on the number of false discoveries.

    Notes
    -----
    The bound holds if the rows are independent and normal with the given covariance
    matrix and mean, whatever the target is like, and however few rows there are. With
    an estimated matrix it holds approximately. A feature has no effect, here, if the
    target is independent of it given all others: one that only stands for another is
    a false discovery. Nothing is bounded for a selection that is refined afterwards.

    There are no sample weights: copies of a row would have different knockoffs, so
    that a weight could not stand for repeated rows.

    Knockoffs need dense features. Time for them is proportional to the cube of the
    number of features; memory is for a few matrices of its square, and for four copies
    of X in float64.

    References
    ----------
    .. [1] R. F. Barber, E. Candès. "Controlling the false discovery rate via
       knockoffs". Annals of Statistics 43(5), 2015.
    .. [2] E. Candès, Y. Fan, L. Janson, J. Lv. "Panning for gold: model-X knockoffs for
       high dimensional controlled variable selection". Journal of the Royal
       Statistical Society B 80(3), 2018.
    .. [3] Z. Ren, R. F. Barber. "Derandomised knockoffs: leveraging e-values for false
       discovery rate control". Journal of the Royal Statistical Society B 86(1), 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.sparse.knockoff_selector import KnockoffSelector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((300, 60))
    >>> y = X[:, :15].sum(axis=1) + rng.standard_normal(300)
    >>> selector = KnockoffSelector(fdr=0.1, random_state=0).fit(X, y)
    >>> selector.get_support(indices=True).tolist()
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 28]
    """

    _parameter_constraints: dict = {
        "fdr": [Interval(Real, 0, 1, closed="neither")],
        "method": [StrOptions(set(METHODS))],
        "offset": [Options(Integral, {0, 1})],
        "n_draws": [Interval(Integral, 1, None, closed="left")],
        "covariance": ["array-like", HasMethods("fit"), None],
        "mean": ["array-like", None],
        "statistic": [StrOptions({"lasso"}), callable],
        "n_folds": [Interval(Integral, 2, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        fdr=0.1,
        *,
        method="mvr",
        offset=1,
        n_draws=1,
        covariance=None,
        mean=None,
        statistic="lasso",
        n_folds=5,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.fdr = fdr
        self.method = method
        self.offset = offset
        self.n_draws = n_draws
        self.covariance = covariance
        self.mean = mean
        self.statistic = statistic
        self.n_folds = n_folds
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Select features.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, of at least 3 rows, and of `n_folds` with ``statistic="lasso"``.
        y : array-like of shape (n_samples,)
            Target; numbers with ``statistic="lasso"``.

        Returns
        -------
        self : KnockoffSelector
            The fitted selector.

        Raises
        ------
        ValueError
            If X or y holds nan or infinity, there are fewer than 3 rows or than
            `n_folds`, the covariance matrix is not positive definite, or a statistic
            has the wrong shape.
        """
        if self.n_draws > 1 and self.offset != 1:
            raise ValueError(
                f"n_draws={self.n_draws} needs offset=1; got offset={self.offset}."
            )
        with unchanged_if_it_fails(self):
            rows, target = self._read(X, y)
            random = check_random_state(self.random_state)
            with one_blas_thread():
                model = FeatureModel.read(rows, self.covariance, self.mean)
                knockoffs = GaussianKnockoffs(model, self.method)
            seeds = random.randint(_SEEDS, size=(self.n_draws, 2))
            with Progress(
                self,
                X,
                y,
                max_iter=self.n_draws,
                verbose=self.verbose,
                task_name="draw",
            ) as progress:
                found = self._statistics(rows, target, knockoffs, seeds, progress)
                self._select(np.array(found), knockoffs)
        return self

    def _read(self, X, y):
        lasso = self.statistic == "lasso"
        X, y = validate_data(
            self, X, y, dtype=[np.float64, np.float32], y_numeric=lasso
        )
        if len(X) < 3:
            raise ValueError(
                "KnockoffSelector needs at least 3 rows; got X with n_samples = "
                f"{len(X)}."
            )
        if lasso:
            if self.n_folds > len(X):
                raise ValueError(
                    f"n_folds={self.n_folds} is more than the {len(X)} rows of X."
                )
            sample = as_sample(X, y, None)
            X, y = sample.X, sample.y
        return X, y

    def _statistics(self, X, y, knockoffs, seeds, progress):
        """Compute the statistics of every draw."""
        parallel = Parallel(n_jobs=self.n_jobs, return_as="generator")
        parts = parallel(
            delayed(_draw_statistics)(
                X, y, knockoffs, pair, self.statistic, self.n_folds
            )
            for pair in seeds
        )
        found = []
        for statistics in parts:
            found.append(statistics)
            done = len(found)
            n_positive = int(np.count_nonzero(statistics > 0))
            if not progress.stopped:  # a part of the draws is not what was asked for
                progress(_Drawn(done, n_positive, done == self.n_draws))
        return found

    def _select(self, statistics, knockoffs):
        """Select, and keep what the selection comes from."""
        single = self.n_draws == 1
        # Averages need headroom: half the rate is what the method's authors advise.
        rate = self.fdr if single else self.fdr / 2
        thresholds = [knockoff_threshold(w, rate, self.offset) for w in statistics]
        values = [e_values(w, rate, self.offset) for w in statistics]
        self.e_values_ = np.mean(values, axis=0)
        if single:
            self.statistics_, self.threshold_ = statistics[0], thresholds[0]
            self._selected = statistics[0] >= thresholds[0]
        else:
            self.statistics_, self.threshold_ = statistics, np.array(thresholds)
            self._selected, _ = select_by_e_values(self.e_values_, self.fdr)
        model = knockoffs.model
        self.covariance_, self.mean_ = model.covariance, model.mean
        self.s_ = knockoffs.s * np.square(model.scale)

    def _get_support_mask(self):
        check_is_fitted(self)
        return self._selected

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags


class _Drawn(NamedTuple):
    """What callbacks and `verbose` see."""

    n_iter: int
    n_positive: int
    converged: bool


def _draw_statistics(X, y, knockoffs, seeds, statistic, n_folds):
    """Draw knockoffs once, and compare features with them."""
    model = knockoffs.model
    v, out = model.varies, np.zeros(model.varies.size)
    with one_blas_thread():
        Z = model.standardised(X)
        copies = knockoffs.draw(Z, np.random.RandomState(seeds[0]))
        if statistic == "lasso":
            if v.any():
                out[v] = lasso_statistics(
                    Z[:, v], copies[:, v], y, n_folds=n_folds, seed=int(seeds[1])
                )
            return out
    copies = np.where(v, model.mean + copies * model.scale, X)
    values = np.asarray(statistic(X, copies, y), dtype=np.float64)
    if values.shape != out.shape or not np.isfinite(values).all():
        raise ValueError(
            f"statistic must return {out.size} finite numbers, one for each feature; "
            f"got shape {values.shape}."
        )
    return np.where(v, values, 0.0)
