"""Penalised least squares, the strength chosen by cross-validation."""

import functools
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.sparse._base import SparseLinear
from skloss.sparse._fits import (
    fold_grams,
    keep_certificate,
    keep_solution,
    progress_report,
    warn_unless_certified,
)
from skloss.sparse._inputs import read_sample
from skloss.sparse._plans import PENALTY_CONSTRAINTS, plans_of
from skloss.sparse._relaxed import relaxed
from skloss.sparse._selection import (
    alphas_of,
    best_position,
    check_strengths,
    solve_folds,
    splits_of,
)

__all__ = ["SparseRegressorCV"]


class SparseRegressorCV(CallbackSupportMixin, SparseLinear, BaseEstimator):
    """Sparse linear regression with the strength of its penalty chosen by folds.

    All folds, and the fit to all rows, are solved in step: whatever needs a pass over
    X is done for all of them at once.

    Parameters
    ----------
    penalty : str, default="l1"
        Name of the penalty; see `SparseRegressor`.
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, or how many: then from the smallest at which all penalised
        coefficients are zero (see `sparse_path` for "sparse_envelope"), geometrically
        down to `eps` times that.
    eps : float, default=1e-3
        Smallest of the strengths beside the largest.
    l1_ratio : float or list of float, default=0.5
        Share of absolute values in "elasticnet" and "sparse_group", from 0 to 1; the
        best of a list is taken.
    gamma : float, default=3.0
        Shape of "mcp" and "scad".
    groups : array-like of shape (n_features,), default=None
        Integer label of each feature's group, for "group", "sparse_group" and
        "sparse_envelope". It is not used with other penalties.
    feature_weights : array-like of shape (n_features,), default=None
        Factors of at least 0 on the penalty of each feature, for "l1", "elasticnet",
        "mcp" and "scad". None means 1, and so it must be with other penalties.
    n_nonzero_coefs : int, default=None
        Number of features or groups at full share, for "sparse_envelope". It is not
        used with other penalties.
    positive : bool, default=False
        Whether coefficients must be at least 0; for all penalties but
        "sparse_envelope" and "slope".
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    cv : int, splitter or iterable, default=None
        Folds, as scikit-learn takes them; 5 consecutive ones by default.
    one_se : bool, default=False
        Whether to take the largest strength whose mean error is within a standard
        error of the smallest.
    relax : bool, default=False
        Whether every fit is replaced by least squares on the features it uses.
    tol : float, default=1e-6
        See `SparseRegressor`.
    max_iter : int, default=1000
        Largest number of passes over X per strength.
    n_jobs : int, default=None
        Number of processes that share the folds, -1 for all processors. One is
        usually best: folds of one process share their passes over X.
    verbose : int, default=0
        Whether to print a line for each strength, of the fit to all rows.

    Attributes
    ----------
    alpha_ : float
        Strength chosen.
    l1_ratio_ : float
        Share of absolute values chosen.
    alphas_ : ndarray of shape (n_alphas,) or (n_ratios, n_alphas)
        Strengths, falling; in rows where `l1_ratio` is a list.
    mse_path_ : ndarray of shape (n_alphas, n_folds) or (n_ratios, n_alphas, n_folds)
        Mean squared errors on held-out rows, weighted by the sample weights.
    coefs_path_ : sparse array of shape (n_features, n_alphas)
        Coefficients of the fits to all rows, with the chosen `l1_ratio`.
    best_index_ : int
        Position of `alpha_`.
    coef_, intercept_, n_iter_, objective_, dual_gap_, kkt_violation_
        See `SparseRegressor`; `n_iter_` is the sum over the path, and with `relax` the
        certificate is that of the fit before least squares.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    Warns
    -----
    ConvergenceWarning
        If the fit at `alpha_` did not reach its tolerance.
    UserWarning
        If `groups` or `n_nonzero_coefs` is given with a penalty that does not look at
        it.

    Notes
    -----
    With a convex penalty the choice is that of `GridSearchCV` on the same strengths and
    folds. With "mcp" and "scad", which have several stationary points, each fit starts
    from that of the strength before, and `SparseRegressor` from a path of its own: they
    may differ.

    Beside X, memory is for one Gram matrix per fold of the features that were looked
    at, and residuals for some strengths of all folds.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse import SparseRegressorCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = SparseRegressorCV(one_se=True).fit(X, y)
    >>> model.get_support(indices=True).tolist()
    [1, 2, 3, 6, 8, 9]
    """

    _parameter_constraints = {
        **PENALTY_CONSTRAINTS,
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"],
        "cv": ["cv_object"],
        "one_se": ["boolean"],
        "relax": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        penalty="l1",
        *,
        alphas=100,
        eps=1e-3,
        l1_ratio=0.5,
        gamma=3.0,
        groups=None,
        feature_weights=None,
        n_nonzero_coefs=None,
        positive=False,
        fit_intercept=True,
        cv=None,
        one_se=False,
        relax=False,
        tol=1e-6,
        max_iter=1000,
        n_jobs=None,
        verbose=0,
    ):
        self.penalty = penalty
        self.alphas = alphas
        self.eps = eps
        self.l1_ratio = l1_ratio
        self.gamma = gamma
        self.groups = groups
        self.feature_weights = feature_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.one_se = one_se
        self.relax = relax
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose the strength and fit the model.

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
        self : SparseRegressorCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y holds nan or infinity, or numbers near the ends of floating point
            that the penalty cannot be computed for, fewer than two rows have weight, a
            weight is negative, a parameter is out of range or lacks one that it needs,
            `feature_weights` or `positive` is given with a penalty that has none, or
            `cv` does not go with the data.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            splits = splits_of(self.cv, sample, groups)
            grams = fold_grams(sample, center=self.fit_intercept)
            plans = self._plans(sample, grams)
            with Progress(
                self,
                **data,
                max_iter=sum(len(alphas) for _, _, alphas in plans),
                verbose=self.verbose,
                task_name="alpha",
            ) as progress:
                found, report = [], _Reported(progress, len(plans))
                for plan in plans:
                    found.append(self._search(sample, splits, plan, report))
                    if progress.stopped:
                        break
                plan, solution = self._choose(found, grams, sample.dtype)
        warn_unless_certified(self, solution, grams, plan, self.alpha_)
        return self

    def _ratios(self):
        if isinstance(self.l1_ratio, Real):
            return [float(self.l1_ratio)]
        if self.penalty not in ("elasticnet", "sparse_group"):
            raise ValueError(
                f"l1_ratio={self.l1_ratio!r} is a list, which does not go with "
                f"penalty={self.penalty!r}; it may be given with elasticnet and "
                "sparse_group."
            )
        ratios = check_strengths("l1_ratio", self.l1_ratio)
        if ratios.max() > 1:
            raise ValueError(
                "l1_ratio must be a number from 0 to 1 or a list of such; got "
                f"{self.l1_ratio!r}."
            )
        return ratios.tolist()

    def _plans(self, sample, grams):
        """Read each ratio of the penalties, with its plan and its strengths."""
        found, ratios = [], self._ratios()
        for ratio, plan in zip(ratios, plans_of(self, sample.X.shape[1], ratios)):
            most = functools.partial(plan.alpha_max, grams)
            found.append((ratio, plan, alphas_of(self.alphas, most, self.eps)))
        return found

    def _search(self, sample, splits, plan, report):
        """Solve the paths of one ratio of the penalties."""
        ratio, plan, alphas = plan
        solve = functools.partial(
            _solve,
            plan=plan,
            alphas=alphas,
            relax=self.relax,
            options={"tol": self.tol, "max_iter": self.max_iter},
        )
        if self.n_jobs in (None, 1):  # other processes could not report
            solve.keywords["report"] = progress_report(report, alphas)
        path, errors, _ = solve_folds(
            sample, splits, solve, center=self.fit_intercept, n_jobs=self.n_jobs
        )
        # A path that was stopped has no fits to choose further down.
        return _Searched(plan, ratio, alphas[: len(path)], path, errors[: len(path)])

    def _choose(self, found, grams, dtype):
        """Keep the errors and the best fit; return it, and its plan."""
        means = [np.nanmin(each.errors.mean(axis=1)) for each in found]
        best = found[int(np.argmin(means))]
        path, at = best.path, best_position(best.errors, one_se=self.one_se)
        self.alphas_ = np.stack([each.alphas for each in found])
        self.mse_path_ = np.stack([each.errors for each in found])
        if np.ndim(self.l1_ratio) == 0:
            self.alphas_, self.mse_path_ = self.alphas_[0], self.mse_path_[0]
        self.alpha_, self.l1_ratio_ = float(best.alphas[at]), best.ratio
        self.best_index_ = at
        solution = path[at]
        if not self.relax:
            solution = best.plan.polish(grams, self.alpha_, solution)
        starts = np.cumsum([0, *(len(s.support) for s in path)])
        values = np.concatenate([s.values for s in path])
        rows = np.concatenate([s.support for s in path])
        shape = grams.size, len(path)
        self.coefs_path_ = sparse.csc_array((values, rows, starts), shape)
        keep_solution(self, grams, 0, solution, dtype)
        keep_certificate(self, solution)
        self.n_iter_ = sum(each.n_iter for each in path)
        return best.plan, solution


class _Reported:
    """Count the fits of several paths as one."""

    def __init__(self, progress, n_paths):
        self.progress, self.n_paths, self.n_done, self.n_ended = progress, n_paths, 0, 0

    def __call__(self, info):
        self.n_done += 1
        self.n_ended += info.converged
        ends = self.n_ended == self.n_paths
        return self.progress(info._replace(n_iter=self.n_done, converged=ends))


class _Searched(NamedTuple):
    """The paths of one ratio of the penalties."""

    plan: object
    ratio: float
    alphas: np.ndarray
    path: list
    errors: np.ndarray


def _solve(grams, *, plan, alphas, relax, options, report=None):
    paths = plan.solve(grams, alphas, report=report, **options)
    if relax:
        paths = [relaxed(grams, task, path) for task, path in enumerate(paths)]
    return paths
