"""Ridge regression on random features, tuned in one pass over the rows."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.metrics import check_scoring, get_scorer_names
from sklearn.utils._param_validation import Options, StrOptions
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    _raise_for_params,
    _routing_enabled,
    process_routing,
)

from skloss._progress import Progress
from skloss._refit import unchanged_if_it_fails
from skloss.random_features._base import FittedRidge
from skloss.random_features._data import read_data
from skloss.random_features._fitting import Fitted, How, fit_dual
from skloss.random_features._machine import FeatureMachine
from skloss.random_features._parameters import COMPONENTS, CONSTRAINTS
from skloss.random_features._selection import Search
from skloss.random_features._solution import PrimalSolution
from skloss.random_features._splits import read_splits

__all__ = ["RandomFeatureRidgeCV"]

_ALPHAS = tuple(np.logspace(-6, 6, 49).tolist())


class RandomFeatureRidgeCV(FittedRidge):
    """Ridge regression on random features with cross-validated ridge and width.

    Leaving out one row at a time costs one decomposition and a second pass over the
    rows for all penalties. Folds cost one pass: sums over each fold serve all widths
    and penalties. The model is then fitted to all rows, without a further pass.

    Parameters
    ----------
    n_components : int, numpy.inf, or list of them, default=500
        Numbers of features to try. At infinity the limiting kernel is used.
    alphas : array-like of shape (n_alphas,), default=1e-6 to 1e6 in 49 steps
        Penalties to try, not negative.
    cv : None, "gcv", int, splitter or iterable, default=None
        None leaves out one row at a time, exactly; "gcv" is generalised
        cross-validation, which needs no second pass. Others as in scikit-learn: a
        number of folds, a splitter, or an iterable of splits.
    scoring : str or callable, default=None
        A scorer of scikit-learn; by default the negative mean squared error. Not for
        "gcv". It is called once for each penalty with the rows that are left out, all
        of them or those of a split, and their `sample_weight`, if there is one; rows
        of weight 0 are left away. With metadata routing it gets what it requests.
    alpha_per_target : bool, default=False
        Whether each target gets its own penalty.
    store_cv_results : bool, default=False
        Whether to keep what was found for each row left out; for ``cv=None``.
    activation : str or callable, default="relu"
        As in `RandomFeatures`, like the parameters up to `nu`.
    gamma : float or "scale", default="scale"
        Half of the variance of the weights.
    bias : float, default=0.0
        Standard deviation of the offsets.
    distribution : {"gaussian", "cauchy", "student", "uniform"}, default="gaussian"
        Law of the weights.
    sampling : {"iid", "orthogonal", "qmc", "hadamard"}, default="iid"
        How weights are drawn.
    negative_slope : float, default=0.01
        Of "leaky_relu".
    nu : float, default=1.5
        Half of the degrees of freedom of "student".
    fit_intercept : bool, default=True
        Whether to fit an intercept, which is not penalised.
    n_jobs : int, default=None
        Threads for predictions; fits leave threads to BLAS.
    random_state : int, RandomState instance or None, default=None
        Draws the weights.
    verbose : bool or int, default=0
        Whether to print a line for each block of rows.

    Attributes
    ----------
    alpha_ : float or ndarray of shape (n_targets,)
        Penalty with the best score.
    n_components_ : int or float
        Width with the best score.
    best_score_ : float or ndarray of shape (n_targets,)
        That score.
    cv_scores_ : ndarray of shape (n_widths, n_alphas)
        Mean scores, over targets too.
    cv_results_ : ndarray of shape (n_samples, n_alphas) or \
(n_samples, n_targets, n_alphas)
        With `store_cv_results`, at the best width: weights times squared errors of
        rows left out or, with `scoring`, their predictions, which are nan for rows of
        weight 0.
    coef_ : ndarray of shape (k,) or (n_targets, k)
        Coefficients of the features. Not there at infinite width.
    dual_coef_ : ndarray of shape (n_samples,) or (n_samples, n_targets)
        Coefficients of the rows of positive weight, at infinite width.
    intercept_ : float or ndarray of shape (n_targets,)
        Intercept.
    random_features_ : RandomFeatures
        The features, ready to transform; None at infinite width.
    gamma_ : float
        What `gamma` came to.
    degrees_of_freedom_, effective_ridge_, gcv_score_ : float or ndarray
        As in `RandomFeatureRidge`.
    n_features_in_ : int
        Number of features seen during fit.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of features seen during fit, if they are all strings.

    Warns
    -----
    UserWarning
        If the best penalty is at an end of `alphas` and better than all others, or some
        scores are nan, which are never the best.

    See Also
    --------
    RandomFeatureRidge : With given width and penalty.
    sklearn.linear_model.RidgeCV : On features as they are.

    Notes
    -----
    As in `sklearn.linear_model.RidgeCV`, a row that is left out is left out with all
    of its weight, and the mean squared error is the mean of weights times squared
    errors over all rows; over those of a split, it is divided by the sum of weights.

    At a penalty of 0 the errors of rows that are left out are the limits of those at
    small penalties: the errors of the shortest coefficients.

    Memory: a matrix of the largest width squared for each fold and for each halving of
    their number, or three of them when
    rows are left out one at a time, and one block of features. Widths of at least the
    number of rows take three matrices of n_samples squared.

    References
    ----------
    D. M. Allen, "The Relationship between Variable Selection and Data Augmentation
    and a Method for Prediction", Technometrics 16, 1974.

    G. H. Golub, M. Heath, G. Wahba, "Generalized Cross-Validation as a Method for
    Choosing a Good Ridge Parameter", Technometrics 21, 1979.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from skloss.random_features import RandomFeatureRidgeCV
    >>> X, y = load_diabetes(return_X_y=True)
    >>> model = RandomFeatureRidgeCV([100, 300], cv=5, random_state=0).fit(X, y)
    >>> model.cv_scores_.shape
    (2, 49)
    """

    # Handed to the splitter, which may request it; nothing else uses it.
    __metadata_request__fit = {"groups": UNUSED}

    _parameter_constraints: dict = {
        "n_components": ["array-like", *COMPONENTS, Options(Real, {np.inf})],
        "alphas": ["array-like"],
        "cv": ["cv_object", StrOptions({"gcv"})],
        "scoring": [StrOptions(set(get_scorer_names())), callable, None],
        "alpha_per_target": ["boolean"],
        "store_cv_results": ["boolean"],
        **CONSTRAINTS,
        "fit_intercept": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        n_components=500,
        *,
        alphas=_ALPHAS,
        cv=None,
        scoring=None,
        alpha_per_target=False,
        store_cv_results=False,
        activation="relu",
        gamma="scale",
        bias=0.0,
        distribution="gaussian",
        sampling="iid",
        negative_slope=0.01,
        nu=1.5,
        fit_intercept=True,
        n_jobs=None,
        random_state=None,
        verbose=0,
    ):
        self.n_components = n_components
        self.alphas = alphas
        self.cv = cv
        self.scoring = scoring
        self.alpha_per_target = alpha_per_target
        self.store_cv_results = store_cv_results
        self.activation = activation
        self.gamma = gamma
        self.bias = bias
        self.distribution = distribution
        self.sampling = sampling
        self.negative_slope = negative_slope
        self.nu = nu
        self.fit_intercept = fit_intercept
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, sample_weight=None, groups=None, **params):
        """Choose width and penalty, and fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows; see `RandomFeatureRidge.fit`.
        y : array-like of shape (n_samples,) or (n_samples, n_targets)
            Targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of training rows, and of rows that are left out.
        groups : array-like of shape (n_samples,), default=None
            Labels of the rows, handed to the splitter.
        **params : dict
            With metadata routing, what the splitter and the scorer request.

        Returns
        -------
        self : RandomFeatureRidgeCV
            The fitted model.

        Raises
        ------
        ValueError
            If parameters exclude each other, a width or a penalty is none, X or y
            hold nan or infinity, there is a single row, a split has no rows to fit or
            to predict, or all scores are nan.
        """
        alphas, widths = _check_alphas(self.alphas), _check_widths(self.n_components)
        if self.cv is not None and self.store_cv_results:
            raise ValueError("store_cv_results=True needs cv=None.")
        if self.cv == "gcv" and self.scoring is not None:
            raise ValueError(
                "cv='gcv' estimates the squared error: scoring is for other cv."
            )
        given = {"X": X, "y": y, "sample_weight": sample_weight}
        split_params, score_params = self._routed(sample_weight, groups, params)
        with unchanged_if_it_fails(self):
            data = read_data(self, X, y, sample_weight, reset=True)
            if data.n_rows < 2:
                raise ValueError(
                    "Rows cannot be left out of 1 sample of positive weight: give two."
                )
            if "sample_weight" in score_params:
                score_params["sample_weight"] = data.weight
            with Progress(
                self, **given, max_iter=None, verbose=self.verbose, task_name="block"
            ) as progress:
                search = Search(
                    data,
                    self._begin(data),
                    widths,
                    alphas,
                    center=self.fit_intercept,
                    scorer=self._scorer(),
                    score_params=score_params,
                    per_target=self.alpha_per_target,
                    progress=progress,
                )
                scores = self._score(search, X, y, split_params)
                self._choose(search, scores)
        return self

    def _scorer(self):
        if self.scoring is None:
            return None
        return check_scoring(self, scoring=self.scoring)

    def get_metadata_routing(self):
        """Tell what splitter and scorer request of the metadata given to `fit`.

        Returns
        -------
        routing : MetadataRouter
            Requests of the model itself, of the splitter and of the scorer.
        """
        router = MetadataRouter(owner=self).add_self_request(self)
        if self.scoring is not None:
            mapping = MethodMapping().add(caller="fit", callee="score")
            router.add(scorer=self._scorer(), method_mapping=mapping)
        if hasattr(self.cv, "split"):
            mapping = MethodMapping().add(caller="fit", callee="split")
            router.add(splitter=self.cv, method_mapping=mapping)
        return router

    def _routed(self, sample_weight, groups, params):
        """Find what the splitter and the scorer are to be given."""
        if not _routing_enabled():
            _raise_for_params(params, self, "fit")
            weighted = sample_weight is not None
            score_params = {"sample_weight": sample_weight} if weighted else {}
            return {"groups": groups}, score_params
        if groups is not None:
            params = {"groups": groups, **params}
        routed = process_routing(self, "fit", sample_weight=sample_weight, **params)
        found = []
        for name, method in (("splitter", "split"), ("scorer", "score")):
            found.append(dict(routed[name][method]) if name in routed else {})
        return found

    def _score(self, search, X, y, split_params):
        if self.cv is None:
            return search.leave_one_out(store=self.store_cv_results)
        if self.cv == "gcv":
            return search.gcv()
        return search.folds(
            read_splits(self.cv, X, y, search.data.weight, **split_params)
        )

    def _choose(self, search, scores):
        """Keep what scored best, and fit it."""
        values = (
            scores.values
            if self.alpha_per_target
            else scores.values.mean(axis=1, keepdims=True)
        )
        unknown = np.isnan(values)
        values = np.where(unknown, -np.inf, values)
        best_alpha = values.argmax(axis=2)
        best = np.take_along_axis(values, best_alpha[:, :, None], axis=2)[:, :, 0]
        at = int(best.mean(axis=1).argmax())
        self._tell_of_nan(unknown, unknown[at].all(axis=1).any())
        width, alphas = search.widths[at], search.alphas[best_alpha[at]]
        self.cv_scores_ = np.ldexp(scores.values.mean(axis=1), scores.exponent)
        if self.store_cv_results:
            stored = scores.stored[at]
            self.cv_results_ = stored[:, 0] if self._is_single else stored
        each = self.alpha_per_target and not self._is_single
        self.alpha_ = alphas if each else float(alphas[0])
        score = np.ldexp(best[at], scores.exponent)
        self.best_score_ = score if each else float(score[0])
        self.n_components_ = width
        self._warn_of_ends(search.alphas, values[at], best_alpha[at], scores.noise)
        t = search.data.Y.shape[1]
        self._fit_best(search, width, np.broadcast_to(alphas, (t,)).copy())

    def _tell_of_nan(self, unknown, is_all):
        if is_all:
            raise ValueError(
                f"scoring={self.scoring!r} gives nan for all alphas: none is the best."
            )
        if unknown.any():
            warnings.warn(
                f"{unknown.sum()} of {unknown.size} scores are nan; the best is among "
                "the others.",
                UserWarning,
                stacklevel=5,
            )

    def _warn_of_ends(self, grid, values, best, noise):
        """Warn of penalties at an end that are better than all others.

        Parameters
        ----------
        grid : ndarray of shape (L,)
            Penalties.
        values : ndarray of shape (t, L)
            Their scores.
        best : ndarray of shape (t,), intp
            Which are the best.
        noise : float
            By how much scores differ without meaning anything.
        """
        for row, at in zip(values, best):
            others = row[grid != grid[at]]
            if grid[at] not in (grid.min(), grid.max()) or not others.size:
                continue
            if row[at] > others.max() + max(noise, 1e-12 * abs(row[at])):
                warnings.warn(
                    f"The best alpha, {grid[at]:.3g}, is at an end of alphas, which "
                    f"go from {grid.min():.3g} to {grid.max():.3g}: try others beyond.",
                    UserWarning,
                    stacklevel=5,
                )
                return

    def _fit_best(self, search, width, alpha):
        feature_map, data = search.map_of(width), search.given
        if width not in search.summed:
            how = How(
                map=feature_map,
                alpha=alpha,
                center=self.fit_intercept,
                solver="dual",
                precision="float64",
                given=data.dtype,
                block_rows=None,
                progress=None,
            )
            self._keep(fit_dual(data, how), "dual")
            return
        sums = search.sums
        if width < sums.shift.size:
            sums = sums.narrowed(width)
        fitted = Fitted(
            FeatureMachine(feature_map, data.dtype),
            PrimalSolution(sums, alpha, self.fit_intercept),
            None,
            "float64",
            1,
            data.n_rows,
        )
        self._keep(fitted, "primal")


def _check_alphas(alphas):
    values = np.asarray(alphas, dtype=np.float64)
    if values.ndim != 1 or not values.size:
        raise ValueError(
            f"alphas must be a list of numbers, at least one; got {alphas!r}."
        )
    if not ((values >= 0) & (values < np.inf)).all():
        raise ValueError(f"alphas must be finite and not negative; got {alphas!r}.")
    return values


def _check_widths(n_components):
    widths = np.atleast_1d(np.asarray(n_components, dtype=object))
    valid = [
        width == np.inf or (isinstance(width, Integral) and width >= 1)
        for width in widths.ravel()
    ]
    if widths.ndim != 1 or not widths.size or not all(valid):
        raise ValueError(
            "n_components must be a positive integer or infinity, or a list of such; "
            f"got {n_components!r}."
        )
    return [width if width == np.inf else int(width) for width in widths]
