"""PRESTO: ordinal regression that finds where the steps differ."""

from numbers import Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from skloss._parallel import one_blas_thread
from skloss._refit import unchanged_if_it_fails
from skloss.ordinal._base import (
    BasePresto,
    better_start,
    minimise,
    previous_start,
    public_scores,
)
from skloss.ordinal._inputs import MODEL_CONSTRAINTS, read_sample

__all__ = ["PrestoClassifier"]


class PrestoClassifier(BasePresto):
    r"""Ordinal regression whose weights change between thresholds where data say so.

    For classes 0 < 1 < ... < K - 1 there are K - 1 scores, one for each "y > k":
    :math:`g_k(x) = c_k + x^\top C_k`, with :math:`P(y \le k) = F(-g_k)` for the
    cumulative family. The fit minimises the weighted mean of the negative
    log-likelihood plus

    .. math::

        \alpha \sum_j v_j \Big[\rho\,\mathrm{pen}(\Gamma_{\mathrm{base}, j})
        + \sum_{b \ne \mathrm{base}} \mathrm{pen}(\Gamma_{b j})\Big], \qquad
        \mathrm{pen}(u) = r |u| + \tfrac{1 - r}{2} u^2,

    where the blocks :math:`\Gamma` of the fused structure are the weights of the base
    threshold and the changes from one threshold to the next. A feature whose steps do
    not differ keeps one weight for all, as in proportional odds; a rare last class
    borrows from the plentiful ones wherever it may.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty, at least 0. It does not depend on the number of rows.
    l1_ratio : float, default=1.0
        Share r of the absolute value in the penalty, from 0 (ridge) to 1 (lasso).
    base_penalty : float, default=1.0
        Factor on the penalty of the block that all thresholds share (``rho``): 1 is
        the paper's penalty, 0 leaves the common weights free, so that a large `alpha`
        gives proportional odds instead of no features.
    base : {"first", "last", "balanced"} or int, default="first"
        Threshold whose weights are the base of the fused structure: "balanced" is the
        one that cuts the weight of the rows most evenly.
    structure : {"fused", "nonparallel", "parallel", "semiparallel"}, default="fused"
        What is penalised: the base's weights and the changes from one threshold to
        the next ("fused", PRESTO); each threshold's own weights; one common vector of
        weights (proportional odds); a common vector and each threshold's departure
        from it.
    family : str, default="cumulative"
        One of "cumulative", "stopping", "continuation" and "adjacent".
        Which probability a score is about: of ``y <= k``; of ``y = k`` given
        ``y >= k``; of ``y > k`` given ``y >= k``; of ``y = k`` against ``y = k + 1``
        (logit only). Only cumulative scores can cross.
    link : {"logit", "probit", "cloglog", "loglog", "cauchit"} or link, default="logit"
        Distribution function F; see `skloss.losses.Logit` and its neighbours. With
        "cauchit" the loss is not convex: a stationary point is found, and there is no
        `dual_gap_`.
    reverse : bool, default=False
        Run the family from the last class to the first.
    ordering : {"observed", "train", "box"}, default="observed"
        Where cumulative probabilities must be in order: only so far as every row's
        own class has positive probability (the paper's objective); on all training
        rows; in the whole of `feature_range`, for any future row inside it. "box"
        needs ``structure="fused"``.
    feature_range : pair of scalars or array-likes of shape (n_features,), default=None
        Lower and upper ends of the box of ``ordering="box"``; None means the smallest
        and largest training values.
    repair : {"isotonic", "sort", "clip", "raise"}, default="isotonic"
        What predictions do with rows whose cumulative probabilities are out of order:
        replace them by the nearest that are in order, sort them, set negative class
        probabilities to zero, or raise ValueError.
    penalty_factors : array-like of shape (n_features,), default=None
        Factors of at least 0 on each feature's penalty; 1 by default, 0 leaves a
        feature unpenalised.
    standardize : bool, default=True
        Whether the penalty is on weights of columns divided by their (weighted,
        population) standard deviations. `coef_` is in units of X in any case.
    class_weight : dict or "balanced", default=None
        Factors on the sample weights of each class. They change what is estimated:
        probabilities are then those of a population with such weights.
    categories : array-like of shape (n_classes,), default=None
        Labels from low to high. By default the order of an ordered pandas
        Categorical or of a polars Enum, else sorted.
    decision : {"mode", "median"}, default="mode"
        What `predict` returns: the most probable class, or the one in which the
        cumulative probability reaches one half, of the least expected absolute error.
    max_iter : int, default=100
        Largest number of Newton steps of a fit; with ``ordering="train"``, of each of
        its stages.
    tol : float, default=1e-6
        Largest distance from stationarity, of any coefficient of a standardised
        column, with weights that sum to 1.
    warm_start : bool, default=False
        Whether to start from the solution of the previous fit.
    verbose : int, default=0
        Whether to print a line for each Newton step.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels from low to high.
    coef_ : ndarray of shape (n_classes - 1, n_features)
        Weights of the score of "y > k" for each k, in units of X.
    intercept_ : ndarray of shape (n_classes - 1,)
        Intercepts of those scores.
    thresholds_ : ndarray of shape (n_classes - 1,)
        Their negatives.
    differences_ : ndarray of shape (n_classes - 1, n_features)
        Weights of each threshold less those of the one before; the first as they are.
    n_iter_ : int
        Number of Newton steps, at least 1.
    objective_ : float
        Mean loss plus penalty.
    kkt_violation_ : float
        Largest distance from stationarity, at most `tol` where the fit converged; with
        an ordering, of the Lagrangian (of the barrier problem, for "train").
    dual_gap_ : float
        Upper bound on the distance of `objective_` from its minimum, under the
        ordering asked for; nan for "cauchit".
    n_crossings_ : int
        Training rows on which cumulative probabilities are out of order.
    alpha_max_ : float
        Smallest penalty at which all penalised coefficients are zero.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, where X has them.

    Warns
    -----
    ConvergenceWarning
        If the tolerance was not reached, or if with ``alpha=0`` classes can be
        separated, so that there is no optimum.

    See Also
    --------
    PrestoClassifierCV : Chooses `alpha` by cross-validation along a path.
    ProportionalOddsClassifier : The same weights for all thresholds, with inference.
    sklearn.linear_model.LogisticRegression : For classes without an order.

    Notes
    -----
    Proximal Newton: rows are sorted by class once; the design in which every row
    appears once per threshold never exists. In the cumulative family each row enters
    at most three Gram matrices per step, whatever the number of classes; in the
    others, and with ``ordering="train"``, one for every threshold that its loss
    knows (``family="adjacent"``: for every pair of them).

    Memory beyond X: one standardised copy of X in float64, about 15 numbers per row,
    and matrices of the order of the coefficients that are not zero (of all, if they
    are at most 4000). The other families and ``ordering="train"`` hold a few numbers
    more per row and class, and ``family="adjacent"`` one for each pair of thresholds.
    Sparse X is never made dense as a whole.

    Coefficients of float32 data are float32, but with an ordering they stay float64:
    rounding them might undo it.

    References
    ----------
    .. [1] Gregory Faletto, Jacob Bien. "Predicting Rare Events by Shrinking Towards
       Proportional Odds". ICML 2023. arXiv:2305.18700.
    .. [2] Michael J. Wurm, Paul J. Rathouz, Bret M. Hanlon. "Regularized Ordinal
       Regression and the ordinalNet R Package". Journal of Statistical Software
       99(6), 2021. (The families and the other structures.)

    Examples
    --------
    >>> from skloss.datasets import make_rare_ordinal
    >>> from skloss.ordinal import PrestoClassifier
    >>> X, y = make_rare_ordinal(random_state=0)
    >>> model = PrestoClassifier(alpha=0.01).fit(X, y)
    >>> model.predict_proba(X[:2]).shape
    (2, 4)
    >>> model.kkt_violation_ <= 1e-6
    True
    """

    _parameter_constraints: dict = MODEL_CONSTRAINTS | {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "l1_ratio": [Interval(Real, 0, 1, closed="both")],
        "warm_start": ["boolean"],
    }

    def __init__(
        self,
        alpha=0.01,
        *,
        l1_ratio=1.0,
        base_penalty=1.0,
        base="first",
        structure="fused",
        family="cumulative",
        link="logit",
        reverse=False,
        ordering="observed",
        feature_range=None,
        repair="isotonic",
        penalty_factors=None,
        standardize=True,
        class_weight=None,
        categories=None,
        decision="mode",
        max_iter=100,
        tol=1e-6,
        warm_start=False,
        verbose=0,
    ):
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.base_penalty = base_penalty
        self.base = base
        self.structure = structure
        self.family = family
        self.link = link
        self.reverse = reverse
        self.ordering = ordering
        self.feature_range = feature_range
        self.repair = repair
        self.penalty_factors = penalty_factors
        self.standardize = standardize
        self.class_weight = class_weight
        self.categories = categories
        self.decision = decision
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Ordered labels, of at least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights; 1 for each sample by default. Only their ratios
            matter.

        Returns
        -------
        self : PrestoClassifier
            The fitted estimator.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            model = self._model(sample.X.shape[1], l1_ratio=float(self.l1_ratio))
            engine = self._engine(sample, model)
            start, self.alpha_max_ = engine.unpenalized(tol=self.tol)
            old = previous_start(self, engine, sample.classes)
            start = better_start(engine, self.alpha, old, start)
            minimise(
                self,
                sample,
                engine,
                self._ordering(engine, sample),
                start,
                data,
                dtype=self._dtype(sample.X),
                public=lambda x: public_scores(engine, x),
            )
            self.n_crossings_ = self._count_crossings(sample)
        return self
