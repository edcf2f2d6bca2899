"""L1-penalised least squares in a better conditioned basis."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.sparse._inputs import read_sample
from skloss.sparse._preconditioned_base import BasePreconditioned, warn_of_gaps
from skloss.sparse._preconditioned_design import Target

__all__ = ["PreconditionedLasso"]


class PreconditionedLasso(BasePreconditioned):
    """Lasso in a basis in which near-dependent columns are apart.

    `DesignPreconditioner` finds a basis ``A = X_c @ M`` of standardised columns from X
    alone. Then this minimises

    ``sum(s * (y - b - A @ u)**2) / (2 * sum(s)) + alpha * sum(v * abs(u))``

    where v is 0 for pivots, which so are free, and for another column the root mean
    square of what the pivots leave of it (1 where that is below 1e-6). The
    coefficients are ``M @ u``. Where no round was accepted, this is the Lasso on
    standardised columns.

    A practical realisation inspired by [1]_: it makes no claim to the guarantees
    proved there.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength of the penalty, at least 0, in units of y.
    support_size : int or "auto", default="auto"
        Columns drawn in a round, no more than X has or than there may be pivots.
        "auto" is a twentieth of the number of distinct rows, at least 2 and at most 10.
    n_nonzero_coefs : int, default=None
        If given, the columns with the largest coefficients start a search by
        exchanges for the best subset of that many columns, and so does an empty set;
        the better one is refitted by least squares.
    threshold : float, default=0.5
        Largest share of a column's root mean square that a round may leave of it, what
        chance would leave taken out, for it to be replaced. Between 0 and 1.
    max_pivots : int, default=None
        Largest number of pivots; None means a quarter of the number of distinct rows.
    penalize_pivots : bool, default=False
        Whether pivots are penalised as all other columns are; v is 1 then.
    precondition : bool, default=True
        Whether to look for a basis at all.
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
        Largest number of passes over the design.
    warm_start : bool, default=False
        Whether a fit to the X and weights of the one before keeps its basis, for
        another y or `alpha`.
    random_state : int, RandomState instance or None, default=None
        Draws the supports.
    verbose : int, default=0
        Whether to print what the fit reached.

    Attributes
    ----------
    coef_ : ndarray of shape (n_features,)
        Coefficients, in units of X.
    intercept_ : float
        Intercept.
    coef_preconditioned_ : ndarray of shape (n_features,)
        Solution u in the new basis, before `n_nonzero_coefs`.
    preconditioner_ : DesignPreconditioner
        The basis.
    pivots_ : ndarray of shape (n_pivots,), intp
        Columns that others were measured against.
    dual_gap_ : float
        Upper bound on the distance of the objective from its minimum.
    n_iter_ : int
        Passes over the design.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached.
    UserWarning
        If `l2` is given without `n_nonzero_coefs`.

    See Also
    --------
    PreconditionedLassoCV : Strength, number of columns, and whether to use the new
        basis at all, chosen by cross-validation.
    random_support_condition : Whether the Lasso needs help.

    Notes
    -----
    The design in the new basis is stored once (n x d, float64). A sparse X stays
    sparse only if no round was accepted, as is usual for it.

    Constant columns, and columns equal to one before them, have coefficient 0.

    References
    ----------
    .. [1] Gautam Chandrasekaran, Raghu Meka, Konstantinos Stavropoulos. "Sparse Linear
       Regression is Easy on Random Supports". STOC 2026. arXiv:2511.06211.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.sparse import PreconditionedLasso
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 50))
    >>> X += 0.01 * rng.standard_normal((200, 50))
    >>> y = X[:, 3] + 0.01 * rng.standard_normal(200)
    >>> model = PreconditionedLasso(0.01, n_nonzero_coefs=1, random_state=0).fit(X, y)
    >>> model.get_support(indices=True)
    array([3])
    """

    _parameter_constraints: dict = BasePreconditioned._parameter_constraints | {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "precondition": ["boolean"],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        support_size="auto",
        n_nonzero_coefs=None,
        threshold=0.5,
        max_pivots=None,
        penalize_pivots=False,
        precondition=True,
        l2=0.0,
        fit_intercept=True,
        tol=1e-6,
        max_iter=1000,
        warm_start=False,
        random_state=None,
        verbose=0,
    ):
        self.alpha = alpha
        self.support_size = support_size
        self.n_nonzero_coefs = n_nonzero_coefs
        self.threshold = threshold
        self.max_pivots = max_pivots
        self.penalize_pivots = penalize_pivots
        self.precondition = precondition
        self.l2 = l2
        self.fit_intercept = fit_intercept
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Target.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights.

        Returns
        -------
        self : PreconditionedLasso
            The fitted estimator.

        Raises
        ------
        ValueError
            If X or y holds nan or infinity, there is a single row, a weight is
            negative, all are zero, or `n_nonzero_coefs` or `support_size` does not fit
            X.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            self._check_subset(sample)
            known = getattr(self, "preconditioner_", None) if self.warm_start else None
            phase = self._first_phase(sample, self.precondition, known)
            target = Target.read(sample.y, sample.weight, self.fit_intercept)
            self.preconditioner_ = phase.preconditioner
            self.pivots_ = phase.preconditioner.pivots_

            def attributes(point):
                return self._linear(phase, point.solution, target, sample.dtype)

            alphas = np.array([self.alpha])
            with Progress(
                self, **data, max_iter=1, verbose=self.verbose, attributes=attributes
            ) as progress:
                report = self._reporter(progress, alphas, phase, n_fits=1)
                ((solution,),) = phase.design.path(
                    target,
                    alphas,
                    tol=self.tol,
                    max_iter=self.max_iter,
                    report=report,
                )
                solution = phase.design.polished(self.alpha, solution)
                vars(self).update(self._linear(phase, solution, target, sample.dtype))
                if self.n_nonzero_coefs is not None:
                    self._keep_subset(sample, target, phase, self.n_nonzero_coefs)
            self.n_iter_, self.dual_gap_ = solution.n_iter, solution.dual_gap
            warn_of_gaps(self, [solution], target)
        return self
