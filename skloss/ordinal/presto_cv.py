"""PRESTO with its penalty chosen by cross-validation along one path per fold."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.model_selection import StratifiedKFold, check_cv
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from skloss._parallel import one_blas_thread
from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.ordinal._base import (
    BasePresto,
    fitted_attributes,
    keep_certificate,
    public_scores,
    warn_of_trouble,
)
from skloss.ordinal._cross_validation import (
    fold_scores,
    one_standard_error,
    scorer_of,
)
from skloss.ordinal._inputs import MODEL_CONSTRAINTS, read_sample
from skloss.ordinal._path import Path, public_path

__all__ = ["PrestoClassifierCV"]


class PrestoClassifierCV(BasePresto):
    """Docstring."""

    _parameter_constraints: dict = MODEL_CONSTRAINTS | {
        "alphas": [Interval(Integral, 1, None, closed="left"), "array-like"],
        "eps": [Interval(Real, 0, 1, closed="neither")],
        "cv": ["cv_object"],
        "scoring": [str, callable, None],
        "selection": [StrOptions({"min", "1se"})],
        "l1_ratio": [Interval(Real, 0, 1, closed="both"), "array-like"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        alphas=50,
        eps=1e-3,
        cv=5,
        scoring=None,
        selection="min",
        l1_ratio=1.0,
        random_state=None,
        n_jobs=None,
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
        verbose=0,
    ):
        self.alphas = alphas
        self.eps = eps
        self.cv = cv
        self.scoring = scoring
        self.selection = selection
        self.l1_ratio = l1_ratio
        self.random_state = random_state
        self.n_jobs = n_jobs
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
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None):
        """Choose the penalty and fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training data.
        y : array-like of shape (n_samples,)
            Ordered labels, of at least two classes.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of training and of test rows.
        groups : array-like of shape (n_samples,), default=None
            Handed to the splitter.

        Returns
        -------
        self : PrestoClassifierCV
            The fitted estimator.
        """
        data = {"X": X, "y": y, "sample_weight": sample_weight}
        # The number of BLAS threads would change the last digits.
        with unchanged_if_it_fails(self), one_blas_thread():
            sample = read_sample(self, X, y, sample_weight)
            scorer = scorer_of(self.scoring)
            splits = self._splits(sample, groups)
            paths = self._paths(sample)
            grids = [(path.engine.model.l1_ratio, path.alphas) for path in paths]
            scores = fold_scores(self, sample, splits, grids, scorer, self.n_jobs)
            self._refit(sample, self._choose(paths, scores), data)
        return self

    def _ratios(self):
        ratios = np.atleast_1d(np.asarray(self.l1_ratio, dtype=np.float64))
        wrong = ratios[~((ratios >= 0) & (ratios <= 1))]
        if ratios.ndim != 1 or not len(ratios) or len(wrong):
            raise ValueError(
                "l1_ratio must be a number from 0 to 1 or a list of such; got "
                f"{self.l1_ratio!r}."
            )
        return ratios.tolist()

    def _splits(self, sample, groups):
        cv = self.cv
        if cv is None or isinstance(cv, Integral):
            seed = check_random_state(self.random_state)
            cv = StratifiedKFold(cv or 5, shuffle=True, random_state=seed)
        y = sample.codes
        splitter = check_cv(cv, y, classifier=True)
        return list(splitter.split(sample.X, y, groups))

    def _paths(self, sample):
        """Engine, start and strengths for each ratio of the penalties."""
        engine = self._engine(sample, self._model(sample.X.shape[1]))
        options = {"alphas": self.alphas, "eps": self.eps}
        return [
            Path.prepare(self, engine.at_ratio(ratio), sample.X, **options)
            for ratio in self._ratios()
        ]

    def _choose(self, paths, scores):
        """Keep the scores and the best strength and ratio."""
        mean = scores.mean(axis=-1)
        if np.isnan(mean).all():
            raise ValueError(
                f"scoring={self.scoring!r} gave nan for every strength of the penalty."
            )
        best = np.unravel_index(np.nanargmax(mean), mean.shape)
        at = int(best[1])
        path = paths[best[0]]
        if self.selection == "1se":
            at = one_standard_error(path.alphas, scores[best[0]])
        alphas = np.stack([other.alphas for other in paths])
        if np.ndim(self.l1_ratio) == 0:
            alphas, mean, scores = alphas[0], mean[0], scores[0]
        self.alphas_, self.mean_scores_, self.scores_path_ = alphas, mean, scores
        self.best_index_ = at
        self.alpha_ = float(path.alphas[at])
        self.l1_ratio_ = path.engine.model.l1_ratio
        return path

    def _refit(self, sample, path, data):
        """Fit the path of the chosen ratio on all rows."""
        dtype = self._dtype(sample.X)
        engine = path.engine

        def attributes(info):
            own = {"classes_": sample.classes, "n_iter_": info.n_iter}
            return own | fitted_attributes(public_scores(engine, info.x), dtype)

        with Progress(
            self,
            **data,
            max_iter=len(path.alphas),
            verbose=self.verbose,
            attributes=attributes,
            task_name="alpha",
        ) as progress:
            solutions = path.fit(self, report=progress)
            self.intercepts_path_, self.coefs_path_ = public_path(engine, solutions)
            at = min(self.best_index_, len(solutions) - 1)
            solution = path.ordering.solve(
                path.alphas[at],
                solutions[at].x,
                tol=self.tol,
                max_iter=self.max_iter,
            )
            vars(self).update(attributes(solution))
            self.n_iter_ = sum(s.n_iter for s in solutions) + solution.n_iter
            keep_certificate(self, path.ordering, path.alphas[at], solution)
        self.alpha_max_ = path.alpha_max
        self.n_crossings_ = self._count_crossings(sample.X)
        warn_of_trouble(self, solution, separated=False)
