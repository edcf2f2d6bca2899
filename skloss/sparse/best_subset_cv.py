"""Best subset with its size and ridge penalty chosen by the data."""

import warnings
from numbers import Integral
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy.special import gammaln
from sklearn.base import _fit_context
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.sparse._inputs import read_sample, warn_idle
from skloss.sparse._selection import check_strengths, splits_of
from skloss.sparse.best_subset import (
    BaseBestSubset,
    BestSubsetRegressor,
    Problem,
    orders_of,
)

__all__ = ["BestSubsetRegressorCV"]


class BestSubsetRegressorCV(BaseBestSubset):
    """Best-subset regression with the number of columns chosen by the data.

    One search gives the subsets of all sizes, for each fold and each ridge penalty.
    See :class:`BestSubsetRegressor` for what is minimised.

    Parameters
    ----------
    max_features : int, default=20
        Largest number of columns, or of groups; fewer if folds have fewer rows.
    l2s : array-like of shape (n_l2s,), default=(0.0, 0.001, 0.01, 0.1, 1.0, 10.0)
        Ridge penalties to choose from, in units of columns of mean square 1. A
        little of it helps where columns are nearly dependent, much where noise is
        strong.
    criterion : {"cv", "bic", "ebic"}, default="cv"
        Squared error on held-out folds, or ``n log(RSS / n) + df log(n)`` on all rows,
        with the trace of the hat matrix for df and the sum of the weights for n;
        "ebic" adds twice the logarithm of the number of subsets of the size (Chen and
        Chen, Biometrika 2008, with gamma 1), which is for many columns.
    cv : int, splitter or iterable, default=None
        Folds, as in scikit-learn; None means 5. For ``criterion="cv"`` alone.
    one_se : bool, default=False
        Whether to take the smallest size whose error is within one standard error of
        the lowest. It is not used with ``criterion="bic"`` and ``criterion="ebic"``.
    n_starts : int or "auto", default="auto"
        Random subsets of each size from which to search; "auto" means 15 with up to
        500 columns, else none. This, `l1_starts` and `patience` are for the first of
        `l2s`; with each of the others the search starts from the subsets found with
        the one before.
    l1_starts : bool, default=True
        Whether to search from the largest coefficients of Lasso fits, too. Their paths
        are computed for all folds in step. See :class:`BestSubsetRegressor`.
    patience : int, default=1
        Detours in a row that may fail to improve the best subset of a size.
    groups : array-like of shape (n_features,), default=None
        Integer label for each column. Whole groups enter and leave.
    positive : bool, default=False
        Whether coefficients must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    random_state : int, RandomState instance or None, default=None
        Draws the random subsets.
    n_jobs : int, default=None
        Folds at a time, through joblib. Changes no result.
    verbose : int, default=0
        Print one line per fold, or per penalty where there are no folds.

    Attributes
    ----------
    n_nonzero_coefs_ : int
        Number of columns, or of groups, that was chosen.
    l2_ : float
        Ridge penalty that was chosen.
    l2s_ : ndarray of shape (n_l2s,)
        Ridge penalties.
    criterion_path_ : ndarray of shape (n_l2s, n_sizes)
        Mean squared errors on held-out rows, or the criterion; less is better. Sizes
        are 1, 2, and so on.
    mse_path_ : ndarray of shape (n_l2s, n_sizes, n_folds)
        Weighted mean squared errors of folds, with ``criterion="cv"``.
    coef_ : ndarray of shape (n_features,)
        Coefficients, zero outside the support.
    intercept_ : float
        Intercept.
    support_ : ndarray of intp
        Sorted columns of the support.
    rss_path_ : ndarray of shape (`n_nonzero_coefs_`,)
        Weighted sums of squared residuals, for sizes up to the one chosen.
    objective_, lower_bound_, gap_, n_nodes_, dual_gap_, n_iter_
        As in :class:`BestSubsetRegressor` with ``method="search"``; `n_iter_` is that
        of the search on all rows, after the choice.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    Warns
    -----
    UserWarning
        If "bic" or "ebic" chose the largest size, and its product with the logarithm
        of the number of columns is more than half the number of rows; or if `one_se`
        is given with them.

    Notes
    -----
    "bic" and "ebic" compare subsets that were chosen as if they had been given. That
    means something only while ``size * log(n_features)`` is small beside the number of
    rows. In a larger one of many columns there is always a subset that fits noise, and
    the criterion falls without end: then use "cv", or a smaller `max_features`.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse import BestSubsetRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> BestSubsetRegressorCV(criterion="bic", l2s=[0.0]).fit(X, y).support_
    array([1, 2, 3, 6, 8])
    """

    _parameter_constraints: dict = {
        "max_features": [Interval(Integral, 1, None, closed="left")],
        "l2s": ["array-like"],
        "criterion": [StrOptions({"cv", "bic", "ebic"})],
        "cv": ["cv_object"],
        "one_se": ["boolean"],
        "n_starts": BestSubsetRegressor._parameter_constraints["n_starts"],
        "l1_starts": ["boolean"],
        "patience": BestSubsetRegressor._parameter_constraints["patience"],
        "groups": ["array-like", None],
        "positive": ["boolean"],
        "fit_intercept": ["boolean"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        max_features=20,
        *,
        l2s=(0.0, 0.001, 0.01, 0.1, 1.0, 10.0),
        criterion="cv",
        cv=None,
        one_se=False,
        n_starts="auto",
        l1_starts=True,
        patience=1,
        groups=None,
        positive=False,
        fit_intercept=True,
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.max_features = max_features
        self.l2s = l2s
        self.criterion = criterion
        self.cv = cv
        self.one_se = one_se
        self.n_starts = n_starts
        self.l1_starts = l1_starts
        self.patience = patience
        self.groups = groups
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose the size and the penalty, and fit the subset on all rows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of training and of test rows.
        groups : array-like of shape (n_samples,), default=None
            Labels of the rows, handed to the splitter. They have nothing to do with
            the groups of features that the class has a parameter for.

        Returns
        -------
        self : BestSubsetRegressorCV
            The fitted estimator.
        """
        if self.one_se and self.criterion != "cv":
            warn_idle("one_se", True, f"criterion={self.criterion!r}", "criterion='cv'")
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            self.l2s_ = check_strengths("l2s", self.l2s)
            seed = _seed(self.random_state)
            problem = Problem.of(self, sample.X, sample.y, sample.weight, 0.0)
            by_folds = self.criterion == "cv"
            splits = splits_of(self.cv, sample, groups) if by_folds else []
            most = self._most(sample, problem, splits)
            orders = orders_of(self, sample, most, seed, splits)
            with Progress(
                self,
                **{"X": X, "y": y, "sample_weight": sample_weight},
                max_iter=len(splits) if by_folds else len(self.l2s_),
                verbose=self.verbose,
                task_name="fold" if by_folds else "penalty",
            ) as progress:
                if by_folds:
                    work = list(zip(splits, orders[1:]))
                    self._score_folds(sample, work, most, seed, progress)
                else:
                    search = _Search(self, most, seed, orders[0])
                    self._score_all(sample, problem, search, progress)
                self._choose()
                problem, steps = problem.with_l2(self.l2_), []
                supports = problem.search(
                    self.n_nonzero_coefs_,
                    n_starts=self.n_starts,
                    patience=self.patience,
                    random=seed,
                    orders=orders[0],
                    report=steps.append,  # which answers that it should go on
                )
                self._keep(sample, problem, supports)
                self.n_iter_ = len(steps)
            self._warn_of_the_end(problem.n_items, sample.total)
        return self

    def _score_folds(self, sample, work, most, seed, progress):
        """Squared errors of all sizes and penalties on held-out rows."""
        options = SimpleNamespace(**self.get_params(deep=False))
        parts = Parallel(n_jobs=self.n_jobs, return_as="generator")(
            delayed(_fold_errors)(
                _Search(options, most, seed, orders), sample, *split, self.l2s_
            )
            for split, orders in work
        )
        errors = []
        for part in parts:
            errors.append(part)
            done = len(errors)
            if not progress.stopped:  # a part of the folds is not what was asked for
                progress(_Scored(done, float(part.min()), done == len(work)))
        self.mse_path_ = np.stack(errors, axis=-1)
        self.criterion_path_ = self.mse_path_.mean(axis=-1)

    def _score_all(self, sample, problem, search, progress):
        """Information criteria of all sizes and penalties."""
        most = search.most
        sizes = np.arange(1, most + 1)
        n = sample.total
        path = np.empty((len(self.l2s_), most))
        found = search.fits(problem, self.l2s_)
        for done, (row, fits) in enumerate(zip(path, found), 1):
            rss = np.array([fit.rss for fit in fits])
            freedom = np.array([fit.freedom for fit in fits])
            least = np.finfo(np.float64).tiny  # a perfect fit has the best criterion
            row[:] = n * np.log(np.maximum(rss, least)) + freedom * np.log(n)
            if self.criterion == "ebic":
                row += 2.0 * _log_choose(problem.n_items, sizes)
            if not progress.stopped:
                progress(_Scored(done, float(row.min()), done == len(path)))
        self.criterion_path_ = path

    def _most(self, sample, problem, splits):
        """Largest size that every search can have."""
        trained = [np.count_nonzero(sample.weight[train]) for train, _ in splits]
        n_rows = min(trained, default=problem.design.n_rows)
        return max(1, min(self.max_features, problem.n_items, n_rows - 1))

    def _choose(self):
        """Keep the best penalty and size; of equal ones, the smallest size."""
        path = self.criterion_path_
        lowest = np.unravel_index(np.argmin(path), path.shape)
        limit = path[lowest]
        if self.one_se and self.criterion == "cv" and self.mse_path_.shape[-1] > 1:
            errors = self.mse_path_[lowest]
            limit = limit + errors.std(ddof=1) / np.sqrt(len(errors))
        size = int(np.flatnonzero((path <= limit).any(axis=0))[0])
        self.n_nonzero_coefs_ = size + 1
        self.l2_ = float(self.l2s_[path[:, size].argmin()])

    def _warn_of_the_end(self, n_items, n_samples):
        """Warn if a criterion fell with the size to the last one of too many."""
        size, compared = self.n_nonzero_coefs_, self.criterion_path_.shape[1]
        if self.criterion == "cv" or not 1 < size == compared:
            return
        if size * np.log(n_items) <= n_samples / 2:
            return
        warnings.warn(
            f"criterion={self.criterion!r} fell to the end: size {size}, the largest "
            f"that was compared, was chosen of {n_items} columns (or groups) and "
            f"{n_samples:g} rows. So large a subset fits noise as well as signal. Use "
            "criterion='cv', or a smaller max_features.",
            UserWarning,
            stacklevel=4,
        )


class _Scored(NamedTuple):
    """What callbacks and `verbose` see."""

    n_iter: int
    lowest: float
    converged: bool


def _seed(random_state):
    """Return what gives every search the same random numbers."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


class _Search(NamedTuple):
    """How subsets are searched.

    Parameters
    ----------
    options : object
        With the parameters of the estimator.
    most : int
        Largest size.
    seed : int
        Of random starts.
    orders : list of ndarray of intp
        Columns by falling importance.
    """

    options: object
    most: int
    seed: int
    orders: list

    def fits(self, problem, l2s):
        """Yield the fits of sizes 1 to `most` for each penalty.

        The first search makes all the effort; the others go on from its subsets.
        """
        effort = {
            "n_starts": self.options.n_starts,
            "patience": self.options.patience,
            "random": self.seed,
            "orders": self.orders,
            "at_all_sizes": True,
        }
        for l2 in l2s:
            penalised = problem.with_l2(l2)
            found = penalised.search(self.most, **effort)
            yield penalised.fits(found)
            effort = {"n_starts": 0, "known": found}


def _fold_errors(search, sample, train, test, l2s):
    """Mean squared errors (n_l2s, most) on the test rows of a fold."""
    with one_blas_thread():
        weight = sample.weight[train]
        problem = Problem.of(
            search.options,
            sample.X[train],
            sample.y[train],
            weight / weight.sum(),
            0.0,
        )
        rows, y, weight = sample.X[test], sample.y[test], sample.weight[test]
        errors = np.empty((len(l2s), search.most))
        for row, fits in zip(errors, search.fits(problem, l2s)):
            for k, fit in enumerate(fits):
                residual = y - _predict(rows, problem.design, fit)
                row[k] = np.average(residual**2, weights=weight)
        return errors


def _predict(rows, design, fit):
    columns = rows[:, fit.support]
    columns = columns.toarray() if hasattr(columns, "toarray") else columns
    centred = columns.astype(np.float64) - design.center[fit.support]
    return design.y_center + centred @ fit.coef


def _log_choose(n, k):
    return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
