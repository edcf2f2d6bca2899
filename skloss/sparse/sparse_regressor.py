"""Penalised least squares with many penalties, one strength."""

from numbers import Real

import numpy as np
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
from skloss.sparse._plans import PENALTY_CONSTRAINTS, plan_of

__all__ = ["SparseRegressor"]

_STEPS = 20  # strengths on the way to that of a concave penalty


class SparseRegressor(CallbackSupportMixin, SparseLinear, BaseEstimator):
    r"""Linear regression with a penalty that makes most coefficients zero.

    It minimises

    .. math::

        \frac{1}{2 W} \sum_i s_i (y_i - b - x_i^\top w)^2 + \Omega(w),

    with sample weights s that sum to W. The intercept b is not penalised, and columns
    are not standardised. With :math:`\alpha` = `alpha`, :math:`\rho` = `l1_ratio` and
    feature weights v the penalty :math:`\Omega` is, by name,

    - "l1": :math:`\alpha \sum_j v_j |w_j|`;
    - "elasticnet": :math:`\alpha [\rho \sum_j v_j |w_j| + (1 - \rho)
      \|w\|^2 / 2]`;
    - "mcp", "scad": concave penalties of single coefficients, which leave large ones
      as they are (`skloss.penalties.MCP`, `skloss.penalties.SCAD`);
    - "group": :math:`\alpha \sum_g \sqrt{p_g} \|w_g\|`, for groups of
      :math:`p_g` features;
    - "sparse_group": :math:`\alpha [\rho \|w\|_1 + (1 - \rho) \sum_g
      \sqrt{p_g} \|w_g\|]`;
    - "sparse_envelope": ridge that allows `n_nonzero_coefs` features (or groups) at
      full share, half the squared k-support norm;
    - "slope": :math:`\alpha \sum_i \lambda_i |w|_{(i)}`, whose falling weights are
      normal quantiles of Benjamini and Hochberg at 10 %.

    Parameters
    ----------
    penalty : str, default="l1"
        Name of the penalty, see above.
    alpha : float, default=1.0
        Strength of the penalty, at least 0.
    l1_ratio : float, default=0.5
        Share of absolute values in "elasticnet" and "sparse_group", from 0 to 1.
    gamma : float, default=3.0
        Shape of "mcp" (above 1) and "scad" (above 2): the larger, the nearer to "l1".
    groups : array-like of shape (n_features,), default=None
        Integer label of each feature's group, for "group", "sparse_group" and
        "sparse_envelope". It is not used with other penalties.
    feature_weights : array-like of shape (n_features,), default=None
        Factors v of at least 0 for "l1", "elasticnet", "mcp" and "scad"; a feature
        with 0 is not penalised. None means 1, and so it must be with other penalties.
    n_nonzero_coefs : int, default=None
        Number of features or groups at full share, for "sparse_envelope". It is not
        used with other penalties.
    positive : bool, default=False
        Whether coefficients must be at least 0; for all penalties but
        "sparse_envelope" and "slope".
    fit_intercept : bool, default=True
        Whether to fit an intercept.
    tol : float, default=1e-6
        Largest duality gap, as a share of the mean square of the target less its mean.
        For "mcp" and "scad", which have none, 100 times it is the largest violation of
        stationarity, as a share of `alpha`.
    max_iter : int, default=1000
        Largest number of passes over X.
    warm_start : bool, default=False
        Whether to look first at the features of the previous fit.
    verbose : int, default=0
        Whether to print a line when done.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, in float32 if X is float32 or float16, else in float64.
    intercept_ : float
        Intercept.
    n_iter_ : int
        Number of passes over X.
    objective_ : float
        The objective at the solution.
    dual_gap_ : float
        Upper bound on the distance of the objective from its minimum; nan for "mcp"
        and "scad".
    kkt_violation_ : float
        Largest distance of a coefficient from stationarity.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached.
    UserWarning
        If `groups` or `n_nonzero_coefs` is given with a penalty that does not look at
        it.

    Notes
    -----
    Beside X, memory is for Gram matrices of the features that were looked at, and for
    up to 16 vectors of residuals. X is not copied, sparse X not made dense. With
    "group" and "sparse_group", features that were looked at are copied instead, and
    made dense, once they are more than half as many as the rows: the smaller of both.

    "mcp" and "scad" may have many stationary points. The one that is found is that of
    a path of falling strengths, which starts from zero.

    References
    ----------
    R. Tibshirani, JRSS B 58(1), 1996 ("l1"); H. Zou and T. Hastie, JRSS B 67(2), 2005
    ("elasticnet"); C.-H. Zhang, Annals of Statistics 38(2), 2010 ("mcp"); J. Fan and
    R. Li, JASA 96(456), 2001 ("scad"); M. Yuan and Y. Lin, JRSS B 68(1), 2006
    ("group"); N. Simon et al., JCGS 22(2), 2013 ("sparse_group"); A. Argyriou,
    R. Foygel, N. Srebro, NIPS 2012 ("sparse_envelope"); M. Bogdan et al., Annals of
    Applied Statistics 9(3), 2015 ("slope").

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.sparse import SparseRegressor
    >>> X, y = load_diabetes(return_X_y=True, as_frame=True)
    >>> model = SparseRegressor(penalty="l1", alpha=1.0).fit(X, y)
    >>> X.columns[model.get_support()].tolist()
    ['bmi', 'bp', 's5']
    """

    _parameter_constraints = {
        **PENALTY_CONSTRAINTS,
        "alpha": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        penalty="l1",
        alpha=1.0,
        *,
        l1_ratio=0.5,
        gamma=3.0,
        groups=None,
        feature_weights=None,
        n_nonzero_coefs=None,
        positive=False,
        fit_intercept=True,
        tol=1e-6,
        max_iter=1000,
        warm_start=False,
        verbose=0,
    ):
        self.penalty = penalty
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.gamma = gamma
        self.groups = groups
        self.feature_weights = feature_weights
        self.n_nonzero_coefs = n_nonzero_coefs
        self.positive = positive
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data, of at least two rows.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; 1 for each sample by default.

        Returns
        -------
        self : SparseRegressor
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y holds nan or infinity, or numbers near the ends of floating point
            that the penalty cannot be computed for, fewer than two rows have weight, a
            weight is negative, a parameter is out of range or lacks one that it needs,
            `feature_weights` or `positive` is given with a penalty that has none.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            plan = plan_of(self, sample.X.shape[1])
            grams = fold_grams(sample, center=self.fit_intercept)
            alphas = self._way(plan, grams)
            with Progress(
                self,
                **data,
                max_iter=len(alphas),
                verbose=self.verbose,
                attributes=lambda info: {"n_iter_": info.n_iter},
            ) as progress:
                (solutions,) = plan.solve(
                    grams,
                    alphas,
                    start=self._start(sample.X.shape[1]),
                    tol=self.tol,
                    max_iter=self.max_iter,
                    report=progress_report(progress, alphas),
                )
                solution = solutions[-1]
                if len(solutions) == len(alphas):  # nobody stopped it
                    solution = plan.polish(grams, self.alpha, solution)
                keep_solution(self, grams, 0, solution, sample.dtype)
                keep_certificate(self, solution)
                self.n_iter_ = sum(each.n_iter for each in solutions)
        warn_unless_certified(self, solution, grams, plan, self.alpha)
        return self

    def _way(self, plan, grams):
        """Strengths that lead to the one asked for."""
        if not plan.is_concave:
            return np.array([self.alpha])
        most = plan.alpha_max(grams)
        if not 0 < self.alpha < most:
            return np.array([self.alpha])
        return np.geomspace(most, self.alpha, _STEPS)

    def _start(self, n_features):
        if not (self.warm_start and hasattr(self, "coef_")):
            return ()
        support = np.flatnonzero(self.coef_)
        return support if self.coef_.shape == (n_features,) else ()
