"""PRESTO: ordinal regression that finds where the steps differ."""

from numbers import Real

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval

from skloss._parallel import one_blas_thread
from skloss._refit import unchanged_if_it_fails
from skloss.ordinal._base import (
    BasePresto,
    minimise,
    previous_start,
    public_scores,
)
from skloss.ordinal._inputs import MODEL_CONSTRAINTS, read_sample

__all__ = ["PrestoClassifier"]


class PrestoClassifier(BasePresto):
    """Docstring."""

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
            start = previous_start(self, engine, sample.classes, start)
            minimise(
                self,
                sample,
                engine,
                self._ordering(engine, sample.X),
                start,
                data,
                dtype=self._dtype(sample.X),
                public=lambda x: public_scores(engine, x),
            )
            self.n_crossings_ = self._count_crossings(sample.X)
        return self
