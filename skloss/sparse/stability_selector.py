"""Features that complementary halves of the rows select again and again."""

import math
from numbers import Integral, Real
from typing import NamedTuple

import numpy as np
from joblib import Parallel, delayed
from scipy import sparse
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.callback import CallbackSupportMixin
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.sparse._entry_order import HalvesDesign, first_to_enter
from skloss.sparse._error_control import (
    ASSUMPTIONS,
    expected_false_bound,
    largest_count,
    least_threshold,
    votes_needed,
)
from skloss.sparse._inputs import canonical, read_sample
from skloss.sparse._preconditioner import read_scaling

__all__ = ["StabilitySelector"]

_USUAL_THRESHOLD = 0.9  # found to select more than lower ones at the same bound
_MOST_HALVES = 32  # in step
_AT_ONCE = 1 << 23  # numbers in the columns that they keep
_SEEDS = np.iinfo(np.int32).max


class StabilitySelector(CallbackSupportMixin, SelectorMixin, BaseEstimator):
    """Select the features that are selected on most halves of the rows.

    The rows are split into two halves many times. On each half, the features that
    enter the path of the Lasso first are noted. Those noted by at least a share
    `threshold_` of the halves are selected, with a bound on the expected number of
    those among them that a half would hardly select [1]_.

    Parameters
    ----------
    estimator : estimator, default=None
        Fitted to each half in place of the Lasso. It needs `coef_` or
        `feature_importances_`; of the features for which these are not zero, those of
        the largest magnitude count, coefficients times the standard deviations of the
        features.
    n_pairs : int, default=50
        Number of splits into two halves.
    n_features_per_half : int or "auto", default="auto"
        Number of features noted on each half. "auto" is the largest number that keeps
        the bound at `expected_false`.
    threshold : float or "auto", default="auto"
        Share of the halves, above 0.5 and at most 1. "auto" is the smallest share that
        keeps the bound at `expected_false`, or 0.9 where `n_features_per_half` is
        "auto" as well.
    expected_false : float, default=1.0
        Largest bound; not used where both of the above are numbers.
    assumption : {"r_concave", "unimodal", "none"}, default="r_concave"
        What is assumed of the distribution of a feature's frequencies. The less it
        is, the larger is the bound.
    random_state : int, RandomState instance or None, default=None
        Splits the rows, and seeds estimators whose own `random_state` is None.
    n_jobs : int, default=None
        Number of jobs that share the halves, through joblib; threads unless
        `estimator` is given. Changes no result.
    verbose : int, default=0
        Whether to print a line now and then.

    Attributes
    ----------
    selection_frequencies_ : ndarray of shape (n_features,)
        Share of the halves that noted each feature.
    simultaneous_frequencies_ : ndarray of shape (n_features,)
        Share of the pairs of which both halves did.
    threshold_ : float
        Smallest frequency of a selected feature.
    n_features_per_half_ : int
        Largest number of features noted on a half.
    pfer_bound_ : float
        Bound on the expected number of features selected wrongly; see Notes.
    estimator_ : estimator or None
        The estimator, unfitted; None for the Lasso.
    dual_gap_ : float
        Largest duality gap of the Lasso's solutions where the last features entered, as
        a share of half the sum of squares of the target; nan with an `estimator`.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    See Also
    --------
    stability_bound : The bound for given numbers.
    KnockoffSelector : Selection with a bound on the share of false discoveries.
    SubsetStabilityDisplay : A plot of frequencies, for any estimator.

    Notes
    -----
    A feature is selected wrongly if the chance that a half notes it is at most the
    average chance, `n_features_per_half_` divided by the number of features. The bound
    holds for the number of these whatever the data are like ("none"), if for each of
    them the share of pairs that agree on it has a unimodal distribution ("unimodal"),
    or if these shares are -1/2-concave and the shares of halves -1/4-concave
    ("r_concave"), which [1]_ finds to be so in practice. That features without effect
    are of this kind is a matter of the data: those that are correlated with features
    of effect may be not. Features count if they are neither constant nor equal to one
    before them. With "none" the bound is at most that of [2]_.

    Columns are standardised within each half. The path is followed from event to
    event, so the order of entry is exact; a duality gap certifies where it ends. Halves
    go in step: a pass over X serves up to 32 of them.

    There are no sample weights. One that stands for repeated rows cannot be had, as
    copies of a row may fall into both halves of a pair, which then are not independent.

    A dense X is copied twice in float64, one of a sparse X keeps its pattern.

    References
    ----------
    .. [1] R. D. Shah, R. J. Samworth. "Variable selection with error control: another
       look at stability selection". Journal of the Royal Statistical Society B 75(1),
       2013.
    .. [2] N. Meinshausen, P. Bühlmann. "Stability selection". Journal of the Royal
       Statistical Society B 72(4), 2010.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse.stability_selector import StabilitySelector
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> selector = StabilitySelector(random_state=0).fit(X, y)
    >>> selector.n_features_per_half_
    5
    >>> selector.get_feature_names_out().tolist()
    ['bmi', 'bp', 's3', 's5']
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods("fit"), None],
        "n_pairs": [Interval(Integral, 1, None, closed="left")],
        "n_features_per_half": [
            Interval(Integral, 1, None, closed="left"),
            StrOptions({"auto"}),
        ],
        "threshold": [Interval(Real, 0.5, 1, closed="right"), StrOptions({"auto"})],
        "expected_false": [Interval(Real, 0, None, closed="neither")],
        "assumption": [StrOptions(set(ASSUMPTIONS))],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        n_pairs=50,
        n_features_per_half="auto",
        threshold="auto",
        expected_false=1.0,
        assumption="r_concave",
        random_state=None,
        n_jobs=None,
        verbose=0,
    ):
        self.estimator = estimator
        self.n_pairs = n_pairs
        self.n_features_per_half = n_features_per_half
        self.threshold = threshold
        self.expected_false = expected_false
        self.assumption = assumption
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y):
        """Select features.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Data, of at least 4 rows.
        y : array-like of shape (n_samples,)
            Target; of any kind that `estimator` takes, numbers without one.

        Returns
        -------
        self : StabilitySelector
            The fitted selector.

        Raises
        ------
        ValueError
            If X or y holds nan or infinity, there are fewer than 4 rows, or no choice
            of the numbers keeps the bound at `expected_false`.
        """
        with unchanged_if_it_fails(self):
            if self.estimator is None:
                work, usable = self._lasso_work(X, y)
            else:
                work, usable = self._estimator_work(X, y)
            plan = self._plan(int(np.count_nonzero(usable)))
            blocks = self._blocks(work, plan.count)
            with Progress(
                self,
                X,
                y,
                max_iter=len(blocks),
                verbose=self.verbose,
                task_name="block of halves",
            ) as progress:
                noted, gaps = self._note(work, plan.count, blocks, progress)
                self._keep(noted, gaps, plan)
        return self

    def _lasso_work(self, X, y):
        sample = read_sample(self, X, y, None)
        _check_rows(sample.X.shape[0])
        with one_blas_thread():
            design = HalvesDesign.read(sample)
        return _LassoWork(design), design.usable

    def _estimator_work(self, X, y):
        X, y = validate_data(
            self, X, y, accept_sparse="csr", dtype=[np.float64, np.float32]
        )
        n = X.shape[0]
        _check_rows(n)
        columns = X
        if sparse.issparse(X):
            X = canonical(X, type(X))
            columns = sparse.csc_array(X)
        with one_blas_thread():
            _, scale, usable = read_scaling(columns, np.full(n, 1.0 / n), True)
        return _EstimatorWork(self.estimator, X, y, scale * usable), usable

    def _plan(self, n_features):
        """Find the numbers that were left open."""
        count, threshold = self.n_features_per_half, self.threshold
        rest = self.n_pairs, self.assumption
        if count != "auto" and count > self.n_features_in_:
            raise ValueError(
                f"n_features_per_half={count} is more than the {self.n_features_in_} "
                "features of X."
            )
        most = max(n_features, 1)
        if count == "auto":
            threshold = _USUAL_THRESHOLD if threshold == "auto" else threshold
            count = largest_count(self.expected_false, most, threshold, *rest)
            lacking = count == 0
        else:
            count = min(int(count), most)
            if threshold == "auto":
                wanted = self.expected_false
                threshold = least_threshold(wanted, count, most, *rest)
            lacking = threshold is None
        if lacking:
            raise ValueError(
                f"expected_false={self.expected_false} cannot be had from {most} "
                "usable features with n_features_per_half="
                f"{self.n_features_per_half!r}, threshold={self.threshold!r}, "
                f"n_pairs={self.n_pairs} and "
                f"assumption={self.assumption!r}: allow more, or change these."
            )
        bound = expected_false_bound(count, most, threshold, *rest)
        return _Plan(count, float(threshold), bound)

    def _draw(self, n_rows):
        """Rows (2 * n_pairs, n_rows // 2) of each half, pair by pair, and its seed."""
        random = check_random_state(self.random_state)
        seeds = random.randint(_SEEDS, size=2 * self.n_pairs)
        m = n_rows // 2
        drawn = [random.permutation(n_rows)[: 2 * m] for _ in range(self.n_pairs)]
        return np.sort(np.reshape(drawn, (-1, m)), axis=1).astype(np.intp), seeds

    def _blocks(self, work, count):
        """Rows and seeds of the halves that go in step."""
        halves, seeds = self._draw(work.n_rows)
        step = work.halves_at_once(halves.shape[1], count)
        starts = range(0, len(halves), step)
        return [(halves[i : i + step], seeds[i : i + step]) for i in starts]

    def _note(self, work, count, blocks, progress):
        """Note the features of all halves."""
        parallel = Parallel(
            n_jobs=self.n_jobs, return_as="generator", prefer=work.prefer
        )
        parts = parallel(delayed(work.note)(*block, count) for block in blocks)
        noted, gaps = np.zeros((2 * self.n_pairs, self.n_features_in_), dtype=bool), []
        n_halves = 0
        for features, gap in parts:
            for chosen in features:
                noted[n_halves, chosen] = True
                n_halves += 1
            gaps.append(gap)
            done = len(gaps)
            if not progress.stopped:  # a part of the halves is not what was asked for
                progress(_Noted(done, n_halves, done == len(blocks)))
        return noted, gaps

    def _keep(self, noted, gaps, plan):
        votes, both = noted.sum(axis=0), (noted[::2] & noted[1::2]).sum(axis=0)
        self.selection_frequencies_ = votes / (2 * self.n_pairs)
        self.simultaneous_frequencies_ = both / self.n_pairs
        self.n_features_per_half_ = plan.count
        self.threshold_ = plan.threshold
        self.pfer_bound_ = plan.bound
        self.dual_gap_ = float(np.max(gaps))
        self.estimator_ = None if self.estimator is None else clone(self.estimator)

    def _get_support_mask(self):
        check_is_fitted(self)
        n_halves = 2 * self.n_pairs
        votes = np.rint(self.selection_frequencies_ * n_halves)
        return votes >= votes_needed(self.threshold_, self.n_pairs)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.input_tags.sparse = True
        return tags


class _Plan(NamedTuple):
    """Numbers of a fit."""

    count: int
    threshold: float
    bound: float


class _Noted(NamedTuple):
    """What callbacks and `verbose` see."""

    n_iter: int
    halves: int
    converged: bool


class _LassoWork(NamedTuple):
    """Note what enters the path of the Lasso first."""

    design: HalvesDesign
    prefer: str = "threads"

    @property
    def n_rows(self):
        return len(self.design.target)

    def halves_at_once(self, n_rows, count):
        """How many halves go in step; this depends on the data alone."""
        return int(np.clip(_AT_ONCE // (n_rows * max(count, 1)), 1, _MOST_HALVES))

    def note(self, halves, seeds, count):
        """Return features of each half, and the largest duality gap."""
        entries = first_to_enter(self.design, halves, count)
        return entries.features, float(entries.dual_gaps.max())


class _EstimatorWork(NamedTuple):
    """Note what is largest in a fitted estimator."""

    estimator: object
    X: object
    y: np.ndarray
    scale: np.ndarray
    prefer: str | None = None

    @property
    def n_rows(self):
        return self.X.shape[0]

    def halves_at_once(self, n_rows, count):
        """Each fit is a job of its own."""
        return 1

    def note(self, halves, seeds, count):
        """Return features of each half, and no duality gap."""
        found = []
        for rows, seed in zip(halves, seeds):
            fitted = _seeded(clone(self.estimator), int(seed))
            fitted.fit(self.X[rows], self.y[rows])
            size = _sizes(fitted, self.scale)
            order = np.argsort(-size, kind="stable")[:count]
            found.append(order[size[order] > 0])
        return found, math.nan


def _check_rows(n_rows):
    if n_rows < 4:
        raise ValueError(
            "StabilitySelector needs halves of at least 2 rows; got X with "
            f"n_samples = {n_rows}."
        )


def _seeded(estimator, seed):
    """Set every `random_state` that is None."""
    random = np.random.RandomState(seed)
    for name, value in sorted(estimator.get_params(deep=True).items()):
        if (name + "$").endswith("random_state$") and value is None:
            estimator.set_params(**{name: int(random.randint(_SEEDS))})
    return estimator


def _sizes(fitted, scale):
    """Magnitudes of what an estimator makes of each feature."""
    for name, factor in (("coef_", scale), ("feature_importances_", 1.0)):
        values = getattr(fitted, name, None)
        if values is None:
            continue
        values = values.toarray() if sparse.issparse(values) else np.asarray(values)
        values = np.abs(values.reshape(-1, values.shape[-1])).sum(axis=0)
        if values.shape == scale.shape:
            return np.where(scale > 0, values * factor, 0.0)
        raise ValueError(
            f"estimator={fitted!r} has a {name} of {values.size} numbers for "
            f"{scale.size} features."
        )
    raise ValueError(
        f"estimator={fitted!r} has neither coef_ nor feature_importances_, one of "
        "which is needed."
    )
