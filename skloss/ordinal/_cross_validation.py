"""Scores of whole paths on held-out folds."""

import inspect
import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import get_scorer

from skloss._linear_scores import LinearScores, score_rows
from skloss._parallel import one_blas_thread
from skloss.ordinal._base import fitted_attributes, public_scores
from skloss.ordinal._path import Path
from skloss.ordinal._probabilities import class_probability_rows

__all__ = [
    "FLOOR",
    "fold_scores",
    "one_standard_error",
    "scorer_of",
    "stratified_folds",
    "weighted_splits",
]

FLOOR = 1e-12  # probability of what a model holds impossible, a class unseen included
_SCORES_AT_ONCE = 1 << 16  # so few that memory is no matter


def scorer_of(scoring):
    """Resolve the parameter `scoring`.

    Returns
    -------
    "log_likelihood", "rare_log_loss" or a scikit-learn scorer
    """
    if scoring is None:
        return "log_likelihood"
    if isinstance(scoring, str) and scoring in ("log_likelihood", "rare_log_loss"):
        return scoring
    return get_scorer(scoring)


def one_standard_error(alphas, scores):
    """Position of the largest strength within a standard error of the best.

    Parameters
    ----------
    alphas : ndarray of shape (A,)
        Falling strengths.
    scores : ndarray of shape (A, n_folds)
        Greater is better.

    Returns
    -------
    int
    """
    mean = scores.mean(axis=1)
    best = int(np.nanargmax(mean))
    n_folds = scores.shape[1]
    if n_folds == 1 or not np.isfinite(mean[best]):
        return best
    error = scores[best].std(ddof=1) / np.sqrt(n_folds)
    return int(np.flatnonzero(mean >= mean[best] - error)[0])


def stratified_folds(n_folds, codes):
    """Return how many stratified folds there can be, at most `n_folds`."""
    largest = int(np.bincount(codes).max())
    if not 2 <= largest < n_folds <= len(codes):
        return n_folds
    warnings.warn(
        f"cv={n_folds} folds, but the largest class has {largest} rows: {largest} "
        "folds are made.",
        stacklevel=4,
    )
    return largest


def weighted_splits(splits, weights):
    """Folds with test rows, as positions of rows.

    Parameters
    ----------
    splits : iterable of (train, test)
        Positions or masks of rows.
    weights : ndarray of shape (n,)
        A fold whose test rows have no weight has no score and is left out.

    Returns
    -------
    list of (train, test)
    """
    rows = np.arange(len(weights))
    try:
        splits = [(rows[train], rows[test]) for train, test in splits]
    except IndexError as error:
        raise ValueError(f"cv names rows that there are not: {error}.") from None
    splits = [(train, test) for train, test in splits if weights[test].any()]
    if not splits:
        raise ValueError("cv gives no fold with test rows of positive weight.")
    return splits


def fold_scores(estimator, sample, splits, grids, scorer, n_jobs):
    """Score paths on all folds.

    Parameters
    ----------
    estimator : PrestoClassifierCV
        Options.
    sample : Sample
        Data.
    splits : list of (train, test)
        Folds.
    grids : list of (l1_ratio, alphas)
        Paths.
    scorer : "log_likelihood", "rare_log_loss" or scorer
        How they are scored.
    n_jobs : int or None
        Folds at a time.

    Returns
    -------
    ndarray of shape (n_ratios, A, n_folds)
    """
    parallel = Parallel(n_jobs=n_jobs)
    results = parallel(
        delayed(_one_fold)(estimator, sample, train, test, grids, scorer)
        for train, test in splits
    )
    # Here, because warnings of other processes would not arrive.
    scores, missing, failed = zip(*results)
    _warn_of_missing(missing)
    _warn_of_failed(np.concatenate(failed), estimator)
    return np.stack(scores, axis=-1)


def _warn_of_missing(missing):
    for labels in missing:
        if labels:
            warnings.warn(
                f"A fold has no training row of class {labels}; it gives them the "
                f"probability {FLOOR}. Use fewer folds.",
                stacklevel=5,
            )


def _warn_of_failed(violations, estimator):
    if len(violations):
        warnings.warn(
            f"{type(estimator).__name__}: {len(violations)} fits of the folds stopped "
            f"above the tolerance, with KKT violations of up to {violations.max():.2g}."
            " Raise max_iter, tol or the smallest of the alphas.",
            ConvergenceWarning,
            stacklevel=5,
        )


def _one_fold(estimator, sample, train, test, grids, scorer):
    """Scores (n_ratios, A), classes missing, KKT violations of what failed."""
    with one_blas_thread():
        fold = _Fold(estimator, sample, train, test)
        scores = np.stack([fold.scores(*grid, scorer) for grid in grids])
        return scores, fold.missing, fold.failed


def _takes_weights(scorer):
    """Whether a scorer can be given sample weights."""
    function = getattr(scorer, "_score_func", scorer)
    try:
        return "sample_weight" in inspect.signature(function).parameters
    except (TypeError, ValueError):  # of compiled functions
        return False


class _Fold:
    """Training rows of a fold, made ready once for all paths."""

    def __init__(self, estimator, sample, train, test):
        self.sample = sample
        train, self.test = (rows[sample.weights[rows] > 0] for rows in (train, test))
        if not len(train):
            raise ValueError("cv gives a fold without training rows.")
        self.seen, codes = np.unique(sample.codes[train], return_inverse=True)
        if len(self.seen) < 2:
            label = sample.classes[self.seen[0]].item()
            raise ValueError(
                f"A fold's training rows are all of class {label!r}. Use fewer folds."
            )
        missing = np.setdiff1d(np.arange(len(sample.classes)), self.seen)
        self.missing = sample.classes[missing].tolist()
        self.failed = []
        self.fold = sample._replace(
            X=sample.X[train],
            codes=codes.astype(np.intp, copy=False),
            weights=sample.weights[train],
            classes=sample.classes[self.seen],
        )
        self.estimator = clone(estimator).set_params(
            base=_base_among(estimator.base, self.seen),
            repair="isotonic" if estimator.repair == "raise" else estimator.repair,
        )
        model = self.estimator._model(sample.X.shape[1])
        self.engine = self.estimator._engine(self.fold, model)
        self.fold = self.fold._replace(X=None)  # the engine has its own copy

    def scores(self, ratio, alphas, scorer):
        """Scores (A,) of a path."""
        engine, estimator = self.engine.at_ratio(ratio), self.estimator
        # The box is that of all rows, or folds would be asked for less.
        path = Path.prepare(estimator, engine, self.sample, alphas=alphas)
        solutions = path.fit(estimator)
        self.failed += [s.kkt_violation for s in solutions if s.status != "converged"]
        fits = [public_scores(engine, solution.x) for solution in solutions]
        if isinstance(scorer, str):
            return self._likelihoods(fits, scorer)
        return self._by_scorer(fits, scorer)

    def _likelihoods(self, fits, scorer):
        """Mean log-likelihood of test rows, of all classes or of "rare or not"."""
        sample, test = self.sample, self.test
        X, codes, weights = sample.X[test], sample.codes[test], sample.weights[test]
        rare = _rarest(sample) if scorer == "rare_log_loss" else None
        at_once = max(1, _SCORES_AT_ONCE // max(1, len(test) * self.engine.m))
        out = []
        for start in range(0, len(fits), at_once):
            P = self._probabilities(X, fits[start : start + at_once])
            if rare is None:
                hit = P[np.arange(len(codes)), :, codes]
            else:
                p = P[:, :, rare]
                hit = np.where((codes == rare)[:, None], p, 1.0 - p)
            logs = np.log(np.maximum(hit, FLOOR))
            out.append(np.average(logs, axis=0, weights=weights))
        return np.concatenate(out)

    def _probabilities(self, X, fits):
        """Probabilities (n, n_fits, K) of all classes, from scores of the seen ones."""
        estimator, m = self.estimator, self.engine.m
        coef, intercept = (np.concatenate(part) for part in list(zip(*fits))[:2])
        stacked = LinearScores(coef, intercept, fits[0].center)
        g = score_rows(X, stacked, np.float64).reshape(-1, m)
        P = class_probability_rows(g, **estimator._likelihood(), how=estimator.repair)
        if self.missing:
            full = np.full((len(P), len(self.sample.classes)), FLOOR)
            full[:, self.seen] = P
            P = full
        return P.reshape(X.shape[0], len(fits), -1)

    def _by_scorer(self, fits, scorer):
        """Scores of estimators that predict as the path's fits do."""
        sample, test = self.sample, self.test
        X, y = sample.X[test], sample.classes[sample.codes[test]]
        model = clone(self.estimator)
        model.classes_ = self.fold.classes
        model.n_features_in_ = sample.X.shape[1]
        keywords = {}
        if sample.given is not None and _takes_weights(scorer):
            keywords["sample_weight"] = sample.given[test]
        judged = model
        if self.missing:
            judged = _WithMissing(model, sample.classes, self.seen)
        out = np.empty(len(fits))
        for a, fit in enumerate(fits):
            vars(model).update(fitted_attributes(fit, model._dtype(X)))
            out[a] = scorer(judged, X, y, **keywords)
        return out


class _WithMissing(ClassifierMixin, BaseEstimator):
    """A fitted model of some classes, as one of all classes."""

    def __init__(self, model, classes, seen):
        self.model, self.classes, self.seen = model, classes, seen
        self.classes_ = classes

    def __sklearn_is_fitted__(self):
        return True

    def predict(self, X):
        return self.model.predict(X)

    def predict_proba(self, X):
        P = np.full((X.shape[0], len(self.classes)), FLOOR)
        P[:, self.seen] = self.model.predict_proba(X)
        return P


def _base_among(base, seen):
    """Return the base of a model for some of the classes: of the same cut."""
    if isinstance(base, str):
        return base
    below = int(np.searchsorted(seen, base, side="right"))
    return min(max(below - 1, 0), len(seen) - 2)


def _rarest(sample):
    """Code of the class of least weight; the last of several."""
    totals = np.bincount(sample.codes, sample.given, minlength=len(sample.classes))
    return len(totals) - 1 - int(np.argmin(totals[::-1]))
