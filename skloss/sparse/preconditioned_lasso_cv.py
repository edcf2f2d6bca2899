"""Preconditioned L1 regression with its strength chosen by cross-validation."""

import functools
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.sparse._inputs import read_sample
from skloss.sparse._preconditioned_base import (
    BasePreconditioned,
    FirstPhase,
    warn_of_gaps,
)
from skloss.sparse._preconditioned_design import Target
from skloss.sparse._preconditioned_reach import FIRST_EPS, go_on, held_out_errors
from skloss.sparse._preconditioned_subset import best_subsets, by_size
from skloss.sparse._selection import alphas_of, best_position, splits_of

__all__ = ["PreconditionedLassoCV"]

_MOST_COLUMNS = 20  # sizes of subsets that are compared


class _Candidate(NamedTuple):
    """A path that was fitted to all folds and to all rows."""

    phase: FirstPhase
    alphas: np.ndarray  # (A,)
    solutions: list  # of all rows, then of each fold
    errors: np.ndarray  # (A, n_folds)
    used: bool  # whether there is a preconditioner


class PreconditionedLassoCV(BasePreconditioned):
    """Preconditioned Lasso with its strength chosen by cross-validation.

    Whether the Lasso runs on standardised columns or in the basis that
    `DesignPreconditioner` finds is chosen on the same folds. That basis depends on X
    alone, so it is found once, on all rows; which pivots are free, the strength and
    all coefficients are a fold's own.

    A practical realisation inspired by [1]_: it makes no claim to the guarantees
    proved there.

    Parameters
    ----------
    precondition : bool or "cv", default="cv"
        Whether to use the new basis; "cv" keeps the path with the lower error.
    alphas : int or array-like of shape (n_alphas,), default=100
        Strengths, above 0 and in any order, or their number: then they fall
        geometrically from the least one at which all penalised coefficients are zero
        to `eps` times that.
    eps : float or "auto", default="auto"
        Smallest strength as a share of the largest, where `alphas` is a number.
        "auto" is 1e-3, from where a path goes on, in the same steps and down to 1e-6,
        until its error on held-out rows is a tenth above the least, the residuals
        cannot get smaller, or rounding keeps it from `tol`. These strengths are kept
        if the best is better by more than a standard error of the difference.
    n_nonzero_coefs : int, "cv" or None, default=None
        If given, a search for the best subset of that many columns follows, started
        from the largest coefficients at the chosen strength. "cv" chooses the number,
        of up to 20, on the same folds.
    cv : int, splitter or iterable, default=None
        Folds; None means 5. A fold whose test rows have no weight is left out.
    one_se : bool, default=False
        Whether to prefer the largest strength (and the smallest number of columns)
        within one standard error of the best.
    n_jobs : int, default=None
        Folds at a time in the search of ``n_nonzero_coefs="cv"``, in threads. The
        paths of all folds are computed together in any case.
    support_size : int or "auto", default="auto"
        Columns drawn in a round, no more than X has or than there may be pivots.
        "auto" is a twentieth of the number of distinct rows, at least 2 and at most 10.
    threshold : float, default=0.5
        Largest share of a column's root mean square that a round may leave of it, what
        chance would leave taken out, for it to be replaced. Between 0 and 1.
    max_pivots : int, default=None
        Largest number of pivots; None means a quarter of the number of distinct rows.
    penalize_pivots : bool, default=False
        Whether pivots are penalised as all other columns are.
    l2 : float, default=0.0
        Ridge penalty of the search and the refit of `n_nonzero_coefs`: half of it
        times the squares of the coefficients of standardised columns is added. It is
        not used with ``n_nonzero_coefs=None``.
    fit_intercept : bool, default=True
        Whether to fit an intercept, and to centre columns; if not they are scaled by
        their root mean squares about zero.
    tol : float, default=1e-6
        Largest duality gap, as a share of the mean square of the centred target.
    max_iter : int, default=1000
        Largest number of passes over the design for each strength.
    random_state : int, RandomState instance or None, default=None
        Draws the supports.
    verbose : int, default=0
        Whether to print a line for each strength of the paths on all rows. Strengths
        that ``eps="auto"`` adds are not reported, to callbacks neither.

    Attributes
    ----------
    alpha_ : float
        The chosen strength.
    alphas_ : ndarray of shape (n_alphas,)
        Strengths of the path that was kept, falling; more than `alphas` of them where
        ``eps="auto"`` went on.
    mse_path_ : ndarray of shape (n_alphas, n_folds)
        Its mean squared errors on test rows.
    used_preconditioner_ : bool
        Whether it ran in the new basis; False also if there is no such basis.
    least_mse_ : dict
        Least mean error of each path, "plain" and "preconditioned", where it was
        computed.
    n_nonzero_coefs_ : int
        Number of nonzero coefficients.
    subset_mse_path_ : ndarray of shape (n_sizes, n_folds)
        Mean squared errors of subsets of 1, 2, ... columns, with
        ``n_nonzero_coefs="cv"``.
    coef_ : ndarray of shape (n_features,)
        Coefficients, in units of X.
    intercept_ : float
        Intercept.
    coef_preconditioned_ : ndarray of shape (n_features,)
        Solution u in the basis of the path, before `n_nonzero_coefs`.
    preconditioner_ : DesignPreconditioner
        The basis; without rounds where it is not used.
    pivots_ : ndarray of shape (n_pivots,), intp
        Columns that others were measured against.
    dual_gap_ : float
        Upper bound on the distance of the objective from its minimum, at `alpha_`.
    n_iter_ : int
        Passes over the design in which the path on all rows was looked at.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached, on all rows or in a fold.
    UserWarning
        If `l2` is given without `n_nonzero_coefs`.

    See Also
    --------
    PreconditionedLasso : The fit at one strength.

    Notes
    -----
    Folds are scored by the mean of their (weighted) mean squared errors.

    Two designs of n x d numbers in float64 are stored; with ``precondition=False`` or
    True there is one. A sparse X stays sparse where no basis is used.

    References
    ----------
    .. [1] Gautam Chandrasekaran, Raghu Meka, Konstantinos Stavropoulos. "Sparse Linear
       Regression is Easy on Random Supports". STOC 2026. arXiv:2511.06211.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.sparse import PreconditionedLassoCV
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 3)) @ rng.standard_normal((3, 150))
    >>> X += 0.05 * rng.standard_normal((200, 150))
    >>> signal = X[:, :5] @ np.linalg.svd(X[:, :5])[2][-1]  # they nearly cancel
    >>> y = signal / signal.std() + 0.2 * rng.standard_normal(200)
    >>> model = PreconditionedLassoCV(random_state=0).fit(X, y)
    >>> model.used_preconditioner_
    True
    """

    _parameter_constraints: dict = BasePreconditioned._parameter_constraints | {
        "precondition": ["boolean", StrOptions({"cv"})],
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither"), StrOptions({"auto"})],
        "n_nonzero_coefs": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"cv"}),
            None,
        ],
        "cv": ["cv_object"],
        "one_se": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        precondition="cv",
        alphas=100,
        eps="auto",
        n_nonzero_coefs=None,
        cv=None,
        one_se=False,
        n_jobs=None,
        support_size="auto",
        threshold=0.5,
        max_pivots=None,
        penalize_pivots=False,
        l2=0.0,
        fit_intercept=True,
        tol=1e-6,
        max_iter=1000,
        random_state=None,
        verbose=0,
    ):
        self.precondition = precondition
        self.alphas = alphas
        self.eps = eps
        self.n_nonzero_coefs = n_nonzero_coefs
        self.cv = cv
        self.one_se = one_se
        self.n_jobs = n_jobs
        self.support_size = support_size
        self.threshold = threshold
        self.max_pivots = max_pivots
        self.penalize_pivots = penalize_pivots
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.random_state = random_state
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
            Handed to the splitter.

        Returns
        -------
        self : PreconditionedLassoCV
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y holds nan or infinity, there is a single row, a weight is
            negative, all are zero, a strength is not above 0, `n_nonzero_coefs` does
            not fit X, or `cv` gives no fold with weight.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            self._check_subset(sample)
            target = Target.read(sample.y, sample.weight, self.fit_intercept)
            splits = splits_of(self.cv, sample, groups)
            phases = self._phases(sample)
            grids = [self._grid(phase, target) for phase in phases]

            def attributes(point):
                return self._linear(point.phase, point.solution, target, sample.dtype)

            with Progress(
                self,
                **data,
                max_iter=sum(map(len, grids)),
                verbose=self.verbose,
                attributes=attributes,
                task_name="alpha",
            ) as progress:
                candidates = self._paths(phases, grids, target, splits, progress)
                chosen = min(candidates, key=lambda c: c.errors.mean(axis=1).min())
                self._keep_path(candidates, chosen, sample, target)
                if self.n_nonzero_coefs is not None:
                    self._keep_size(sample, target, chosen, splits)
            self.n_nonzero_coefs_ = int(np.count_nonzero(self.coef_))
            warn_of_gaps(
                self, [fit for path in chosen.solutions for fit in path], target
            )
        return self

    def _phases(self, sample):
        """First phases of the paths to compare: without a basis first."""
        phases = []
        if self.precondition is not True:
            phases.append(self._first_phase(sample, False))
        if self.precondition:
            phase = self._first_phase(sample, True)
            # Without a round it is the same path again.
            if phase.preconditioner.n_rounds_ or not phases:
                phases.append(phase)
        return phases

    def _grid(self, phase, target):
        eps = FIRST_EPS if self.eps == "auto" else self.eps
        most = functools.partial(phase.design.alpha_max, target)
        return alphas_of(self.alphas, most, eps, zero=False)

    def _goes_on(self):
        """Whether smaller strengths may be added to the grid."""
        given = np.ndim(self.alphas) == 0 and self.alphas > 1
        return given and isinstance(self.eps, str)

    def _paths(self, phases, grids, target, splits, progress):
        """Fit paths to all folds and all rows, in lockstep."""
        rows = np.arange(target.y.size)
        left_out = [rows[:0], *(np.setdiff1d(rows, train) for train, _ in splits)]
        scored = [rows[:0], *(test for _, test in splits)]
        candidates, done = [], 0
        for phase, alphas in zip(phases, grids):
            report = self._reporter(progress, alphas, phase, done, sum(map(len, grids)))
            solutions = phase.design.path(
                target,
                alphas,
                left_out,
                scored,
                tol=self.tol,
                max_iter=self.max_iter,
                report=report,
            )
            done += len(solutions[0])
            # A path that was stopped has no fits to choose further down.
            solutions = [path[: len(solutions[0])] for path in solutions]
            if self._goes_on() and not progress.stopped:
                alphas, solutions = go_on(
                    phase.design,
                    target,
                    alphas,
                    solutions,
                    tol=self.tol,
                    max_iter=self.max_iter,
                )
            errors = held_out_errors(solutions)
            used = phase.preconditioner.n_rounds_ > 0
            candidates.append(_Candidate(phase, alphas, solutions, errors, used))
            if progress.stopped:
                break
        return candidates

    def _keep_path(self, candidates, chosen, sample, target):
        """Keep the best strength of the best path, and its fit to all rows."""
        at = best_position(chosen.errors, one_se=self.one_se)
        self.alphas_, self.mse_path_ = chosen.alphas, chosen.errors
        self.alpha_ = float(chosen.alphas[at])
        self.used_preconditioner_ = chosen.used
        names = {True: "preconditioned", False: "plain"}
        self.least_mse_ = {
            names[c.used]: float(c.errors.mean(axis=1).min()) for c in candidates
        }
        self.preconditioner_ = chosen.phase.preconditioner
        self.pivots_ = self.preconditioner_.pivots_
        path = chosen.solutions[0]
        best = chosen.phase.design.polished(self.alpha_, path[at])
        vars(self).update(self._linear(chosen.phase, best, target, sample.dtype))
        self.dual_gap_ = best.dual_gap
        self.n_iter_ = sum(solution.n_iter for solution in path)
        self._at = at

    def _keep_size(self, sample, target, chosen, splits):
        """Search the subset of the number of columns asked for, or of the best one."""
        size = self.n_nonzero_coefs
        if size == "cv":
            most = min(
                np.count_nonzero(sample.weight[train]) - 1 for train, _ in splits
            )
            most = max(1, min(most, sample.X.shape[1], _MOST_COLUMNS))
            parallel = Parallel(n_jobs=self.n_jobs, prefer="threads")
            errors = parallel(
                delayed(self._subset_errors)(sample, chosen, fold, *split, most)
                for fold, split in enumerate(splits)
            )
            self.subset_mse_path_ = np.stack(errors, axis=1)
            best = best_position(self.subset_mse_path_, one_se=self.one_se)
            size = best + 1
        self._keep_subset(sample, target, chosen.phase, size)

    def _subset_errors(self, sample, chosen, fold, train, test, most):
        """Errors (most,) of subsets of 1, 2, ... columns on a fold's test rows."""
        solution, phase = chosen.solutions[1 + fold][self._at], chosen.phase
        u = phase.design.preconditioned(solution.support, solution.values)
        w = phase.preconditioner._basis.apply(u[None])[0]
        weight = np.zeros_like(sample.weight)
        weight[train] = sample.weight[train]
        with one_blas_thread():
            subsets = best_subsets(
                sample.X,
                sample.y,
                weight / weight.sum(),
                by_size(w, phase.preconditioner.scale_),
                most,
                center=self.fit_intercept,
                l2=self.l2,
            )
            predicted = subsets.predictions(sample.X[test], range(1, most + 1))
        share = sample.weight[test] / sample.weight[test].sum()
        return share @ np.square(sample.y[test, None] - predicted)
