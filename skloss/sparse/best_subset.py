"""Linear regression on the best subset of columns."""

import copy
import time
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.sparse._base import SparseLinear
from skloss.sparse._inputs import check_count_of_columns, read_sample, warn_idle
from skloss.sparse._subset_design import Layout, SubsetDesign
from skloss.sparse._subset_exact import certify
from skloss.sparse._subset_exact_groups import certify_groups
from skloss.sparse._subset_search import search_path
from skloss.sparse._subset_starts import Starts, l1_starts

__all__ = ["BaseBestSubset", "BestSubsetRegressor", "Problem", "orders_of"]

_DEFAULT_SIZE = 5


class Problem(NamedTuple):
    """Data of a search, made ready."""

    design: SubsetDesign
    labels: np.ndarray | None
    layout: Layout | None

    @classmethod
    def of(cls, estimator, X, y, weight, l2):
        """Make data ready for an estimator's options."""
        design = SubsetDesign(
            X,
            y,
            weight,
            center=estimator.fit_intercept,
            l2=float(l2),
            positive=estimator.positive,
        )
        labels = check_labels(estimator.groups, design.n_columns)
        single = labels is None and not estimator.positive
        return cls(design, labels, None if single else Layout.of(design, labels))

    @property
    def n_items(self):
        """Number of columns, or of groups."""
        if self.labels is None:
            return self.design.n_columns
        return int(self.labels.max()) + 1

    def with_l2(self, l2):
        """Return the same data with another ridge penalty."""
        return self._replace(design=self.design.with_l2(float(l2)))

    def search(self, most, **options):
        """Supports of sizes 1 to `most`; for options see `searched`."""
        return search_path(self.design, most, layout=self.layout, **options)

    def fit(self, support):
        """Fit the columns of a support."""
        return self.design.fit(self._columns(support))

    def fits(self, supports):
        """Fit the columns of supports; less exact than one at a time, but faster."""
        return self.design.fits([*map(self._columns, supports)])

    def mean_squares_left(self, supports):
        """Mean squared residuals of supports."""
        if self.layout is None:
            return self.design.mean_squares_left(supports)
        return [fit.rss for fit in self.fits(supports)]

    def _columns(self, support):
        return support if self.layout is None else self.layout.columns(support)


class BaseBestSubset(CallbackSupportMixin, SparseLinear, BaseEstimator):
    """What a best subset is kept in."""

    def _as_if_kept(self, *args):
        """Attributes that `_keep` would set."""
        other = copy.copy(self)
        other._keep(*args)
        mine = vars(self)
        return {
            n: value for n, value in vars(other).items() if mine.get(n) is not value
        }

    def _keep(self, sample, problem, supports, lower=0.0, n_nodes=0):
        """Keep the last support, and the residuals of all."""
        design = problem.design
        fit = problem.fit(supports[-1])
        left = [*problem.mean_squares_left(supports[:-1]), fit.rss]
        # Bounds come from Gram matrices, objectives from columns.
        if lower >= fit.objective * (1.0 - 1e-9):
            lower = fit.objective
        self.support_ = fit.support[fit.coef != 0]
        self.rss_path_ = np.array(left) * sample.total
        self.objective_, self.lower_bound_ = fit.objective, lower
        self.dual_gap_ = fit.objective - lower
        self.gap_ = 1.0 - lower / fit.objective if fit.objective > 0 else 0.0
        self.n_nodes_ = n_nodes
        coef = np.zeros(design.n_columns)
        coef[fit.support] = fit.coef
        self._keep_scores(coef, design.y_center, design.center, sample.dtype)


class Found(NamedTuple):
    """What callbacks and `verbose` see."""

    n_iter: int
    objective: float
    lower_bound: float
    n_nodes: int
    converged: bool = False


class BestSubsetRegressor(BaseBestSubset):
    """Least squares on the best `n_nonzero_coefs` columns.

    Minimises ``1 / (2 W) sum_i s_i (y_i - b - x_i w)^2 + l2 / 2 sum_j (c_j w_j)^2``
    over vectors w with at most that many nonzero entries, with the sample weights s,
    their sum W and the root mean squares c_j of the centred columns. Scaling a column
    thus changes nothing but its coefficient.

    The search looks at the exact change of the residual sum of squares for *every*
    exchange of a chosen column for another one, so that at the end no single exchange
    improves; it starts from forward and backward selection, orthogonal matching
    pursuit and, with up to 500 columns, random subsets, and goes on from the best
    subset by detours over larger ones. ``method="exact"`` goes on
    with branch and bound until it has proved that there is no better subset.

    Parameters
    ----------
    n_nonzero_coefs : int or "auto", default="auto"
        Number of columns, or of groups of them. "auto" means 5, or as many as
        there can be: one less than the rows of positive weight, at most.
    method : {"search", "exact"}, default="search"
        Whether to search only, or to prove the result too. The proof needs the whole
        Gram matrix; its time grows fast with the columns and `n_nonzero_coefs`. With
        groups it is made for some dozens of groups.
    l2 : float, default=0.0
        Ridge penalty, where columns are measured in units of their root mean square:
        1 halves the coefficients of uncorrelated columns.
    n_starts : int or "auto", default="auto"
        Random subsets from which to search. "auto" means 50 with up to 500 columns,
        else none.
    starts : iterable of array-like of int, default=None
        Further subsets from which to search: columns, or positions of groups among
        the sorted labels.
    l1_starts : bool, default=False
        Whether to search from the largest coefficients of Lasso fits, too: some along
        the path on standardised columns and, where columns nearly reproduce others,
        some in the basis of a `DesignPreconditioner`. That finds better subsets where
        columns are mixtures of some dozens of factors, or vary much more in some
        directions than in others. It takes two to eleven times as long as the search.
    patience : int, default=1
        Detours in a row that may fail to improve the best subset before the search
        ends. By turns they add columns, half as many again, and take the worst away,
        or keep three columns out until the others have settled. More of them find
        better subsets where many columns can stand for one another.
    pair_swaps : bool, default=False
        Whether to go on until no exchange of two columns for two others improves
        the subset either. Takes the whole Gram matrix, and time that grows with the
        squares of `n_features` and of `n_nonzero_coefs`. It is not used with `groups`
        or ``positive=True``.
    groups : array-like of shape (n_features,), default=None
        Integer label for each column. Whole groups enter and leave.
    positive : bool, default=False
        Whether coefficients must not be negative.
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    time_limit : float, default=None
        Seconds after which the proof of ``method="exact"`` stops; `gap_` then says how
        far it came. With ``method="search"`` there is no proof, and the search takes
        no further step after that time; its first one is always completed.
    random_state : int, RandomState instance or None, default=None
        Draws the random subsets.
    verbose : int, default=0
        Print one line per step of the search, and now and then during the proof.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, zero outside the support.
    intercept_ : float
        Intercept.
    support_ : ndarray of intp
        Sorted columns of the support.
    rss_path_ : ndarray of shape (n_nonzero_coefs,)
        Weighted sums of squared residuals of the best supports of all sizes found.
        Smaller sizes are by-products; `best_subset_path` searches each of them.
    objective_ : float
        What was minimised.
    lower_bound_ : float
        What no subset can be below; 0 where nothing was proved.
    gap_ : float
        ``(objective_ - lower_bound_) / objective_``: 0 means proved to be optimal.
        Rounding in the Gram matrix counts as proof, up to 1e-9.
    dual_gap_ : float
        ``objective_ - lower_bound_``: how far, at most, the objective is from its
        minimum. Without a proof this says nothing, as the bound is 0 then.
    n_iter_ : int
        Steps of the search, which are its starts and its detours; 0 where the target
        is constant.
    n_nodes_ : int
        Nodes of branch and bound.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    Warns
    -----
    UserWarning
        If `pair_swaps` is given with `groups` or ``positive=True``.

    Notes
    -----
    A column of which the support leaves less than 1e-9 of its square is never added:
    Gram matrices do not hold enough digits to tell what it would do. Where more than
    1e-13 is left, ``method="exact"`` says so by a gap: `lower_bound_` then is the
    objective with all columns. With groups it does not: what varies by less than 1e-12
    of the most counts as nothing there. Of equal columns the first is chosen.
    Coefficients come from a QR decomposition of the support; of columns of a group
    that depend on each other they are the smallest.

    Memory: no copy of X where it is sparse, or contiguous in float64 with columns whose
    means are at most 16 times their spread; else one in float64, unless it would take
    more than 1 GB. Rows of weight 0 are left out by a copy of all others. Two vectors
    of length n_features for each column that was ever in a support, 256 MB at most;
    all n_features squared for "exact" and for `pair_swaps`, and, for "exact", again
    for each chosen column. `l1_starts` takes one or two more copies of X.

    Bounds of branch and bound: O. Gunluk and J. Linderoth, "Perspective
    reformulations of mixed integer nonlinear programs with indicator variables", 2010,
    with a diagonal split off the Gram matrix.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse import BestSubsetRegressor
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = BestSubsetRegressor(3, method="exact").fit(X, y)
    >>> model.support_, model.gap_
    (array([2, 3, 8]), 0.0)
    """

    _parameter_constraints: dict = {
        "n_nonzero_coefs": [Integral, StrOptions({"auto"})],
        "method": [StrOptions({"search", "exact"})],
        "l2": [Interval(Real, 0, None, closed="left")],
        "n_starts": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "starts": ["array-like", list, tuple, None],
        "l1_starts": ["boolean"],
        "patience": [Interval(Integral, 0, None, closed="left")],
        "pair_swaps": ["boolean"],
        "groups": ["array-like", None],
        "positive": ["boolean"],
        "fit_intercept": ["boolean"],
        "time_limit": [Interval(Real, 0, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_nonzero_coefs="auto",
        *,
        method="search",
        l2=0.0,
        n_starts="auto",
        starts=None,
        l1_starts=False,
        patience=1,
        pair_swaps=False,
        groups=None,
        positive=False,
        fit_intercept=True,
        time_limit=None,
        random_state=None,
        verbose=0,
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.method = method
        self.l2 = l2
        self.n_starts = n_starts
        self.starts = starts
        self.l1_starts = l1_starts
        self.patience = patience
        self.pair_swaps = pair_swaps
        self.groups = groups
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Search the best subset and fit its coefficients.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights. An integer weight equals repeated rows.

        Returns
        -------
        self : BestSubsetRegressor
            The fitted estimator.
        """
        pair_swaps = self._swaps_pairs()
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            problem = Problem.of(self, sample.X, sample.y, sample.weight, self.l2)
            size = self._size(problem)
            starts = _check_starts(self.starts, problem.n_items)
            steps = _Steps(self, sample, problem)
            data = {"X": X, "y": y, "sample_weight": sample_weight}
            with Progress(
                self,
                **data,
                max_iter=None,
                verbose=self.verbose,
                attributes=steps.attributes,
                task_name="step",
            ) as steps.progress:
                supports = problem.search(
                    size,
                    n_starts=self.n_starts,
                    patience=self.patience,
                    pair_swaps=pair_swaps,
                    random=self.random_state,
                    starts=starts,
                    orders=orders_of(self, sample, size, self.random_state)[0],
                    report=steps.searched,
                )
                proof = ()
                if self.method == "exact" and not problem.design.is_constant:
                    proof = self._prove(problem, supports, steps)
                self._keep(sample, problem, supports, *proof)
                self.n_iter_ = steps.n_searched
        return self

    def _swaps_pairs(self):
        if self.pair_swaps and (self.positive or self.groups is not None):
            other = "positive=True" if self.positive else "groups"
            warn_idle("pair_swaps", True, other, "single columns of any sign")
            return False
        return self.pair_swaps

    def _size(self, problem):
        k, n_rows = self.n_nonzero_coefs, problem.design.n_rows
        if k == "auto":
            return max(1, min(_DEFAULT_SIZE, n_rows - 1, problem.n_items))
        return check_count_of_columns("n_nonzero_coefs", k, n_rows, problem.n_items)

    def _prove(self, problem, supports, steps):
        """Put the best support last; return a lower bound, and the number of nodes."""
        if steps.progress.stopped:
            return 0.0, 0
        design, layout = problem.design, problem.layout
        data = (design.gram(), design.q, design.l2)
        options = {"positive": self.positive, "time_limit": self.time_limit}
        options["report"] = steps.proved
        start, k = supports[-1], len(supports)
        if problem.labels is None:
            proof = certify(*data, start, k, floor=design.least_loss, **options)
            supports[-1] = design.lowest_equals(proof.support)
        else:
            proof = certify_groups(*data, layout, start, k, **options)
            supports[-1] = proof.support
        return 0.5 * proof.lower_bound * design.y_square, proof.n_nodes


class _Steps:
    """Tell callbacks of the steps of a fit."""

    def __init__(self, estimator, sample, problem):
        self.estimator, self.sample, self.problem = estimator, sample, problem
        self.supports, self.n_done, self.n_searched = [], 0, 0
        searches = estimator.method == "search" and estimator.time_limit is not None
        self.ends = time.monotonic() + estimator.time_limit if searches else np.inf

    def searched(self, search):
        self.n_searched += 1
        self.supports = search.supports
        stops = self._tell(search.loss, 0.0, 0)
        return stops or time.monotonic() >= self.ends

    def proved(self, loss, lower_bound, n_nodes):
        return self._tell(loss, lower_bound, n_nodes)

    def _tell(self, loss, lower_bound, n_nodes):
        self.n_done += 1
        unit = 0.5 * self.problem.design.y_square
        found = Found(self.n_done, unit * loss, unit * lower_bound, n_nodes)
        return self.progress(found)

    def attributes(self, found):
        """Attributes of a fit that stopped here, before its coefficients were made."""
        kept = self.estimator._as_if_kept(
            self.sample, self.problem, self.supports, found.lower_bound, found.n_nodes
        )
        return kept | {"n_iter_": self.n_searched}


def orders_of(estimator, sample, most, random, splits=()):
    """Orders of columns to start from, of all rows and of each fold."""
    if not estimator.l1_starts:
        return [()] * (1 + len(splits))
    how = Starts(most, estimator.fit_intercept, estimator.positive, random)
    return l1_starts(sample, splits, how)


def check_labels(groups, n_features):
    """Read the labels of groups as numbers from 0; None if there are no groups.

    Raises
    ------
    ValueError
        If there is not one integer for each feature.
    """
    if groups is None:
        return None
    labels = np.asarray(groups)
    if labels.shape != (n_features,):
        raise ValueError(
            f"groups must have one label for each of the {n_features} features; got "
            f"shape {labels.shape}."
        )
    if labels.dtype.kind not in "iu":
        raise ValueError(f"groups must be integers; got dtype {labels.dtype}.")
    return np.unique(labels, return_inverse=True)[1].astype(np.intp)


def _check_starts(starts, n_items):
    arrays = [np.asarray(start) for start in (() if starts is None else starts)]
    for start in arrays:
        whole = start.ndim == 1 and start.dtype.kind in "iu"
        if not whole or (start < 0).any() or (start >= n_items).any():
            raise ValueError(
                f"starts must hold lists of integers from 0 to {n_items - 1}; got "
                f"{start!r}."
            )
    return arrays
