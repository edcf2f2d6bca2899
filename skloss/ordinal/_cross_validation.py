"""Scores of whole paths on held-out folds."""

import warnings

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import get_scorer

from skloss._parallel import one_blas_thread
from skloss.ordinal._path import Path, public_path
from skloss.ordinal._probabilities import class_probability_rows

__all__ = ["FLOOR", "fold_scores", "one_standard_error", "scorer_of"]

FLOOR = 1e-12  # probability of what a model holds impossible, a class unseen included


def scorer_of(scoring):
    """Resolve `scoring`.

    Returns
    -------
    "log_likelihood", "rare_log_loss" or a scikit-learn scorer
    """
    if scoring is None or scoring in ("log_likelihood", "neg_log_loss"):
        return "log_likelihood"
    if isinstance(scoring, str) and scoring == "rare_log_loss":
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
    best = int(np.argmax(mean))
    error = scores[best].std(ddof=1) / np.sqrt(scores.shape[1])
    return int(np.flatnonzero(mean >= mean[best] - error)[0])


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
    return np.stack(results, axis=-1)


def _one_fold(estimator, sample, train, test, grids, scorer):
    """Scores (n_ratios, A) on one fold."""
    with one_blas_thread():
        fold = _Fold(estimator, sample, train, test)
        return np.stack([fold.scores(*grid, scorer) for grid in grids])


class _Fold:
    """Training rows of a fold, made ready once for all paths."""

    def __init__(self, estimator, sample, train, test):
        self.estimator, self.sample, self.test = estimator, sample, test
        train = train[sample.weights[train] > 0]
        self.seen, codes = np.unique(sample.codes[train], return_inverse=True)
        if len(self.seen) < 2:
            label = sample.classes[self.seen[0]].item()
            raise ValueError(
                f"A fold's training rows are all of class {label!r}. Use fewer folds."
            )
        missing = np.setdiff1d(np.arange(len(sample.classes)), self.seen)
        if len(missing):
            labels = sample.classes[missing].tolist()
            warnings.warn(
                f"A fold has no training row of class {labels}; it gives them the "
                f"probability {FLOOR}. Use fewer folds.",
                stacklevel=2,
            )
        self.fold = sample._replace(
            X=sample.X[train],
            codes=codes.astype(np.intp, copy=False),
            weights=sample.weights[train],
            classes=sample.classes[self.seen],
        )
        model = estimator._model(sample.X.shape[1])
        self.engine = estimator._engine(self.fold, model)

    def scores(self, ratio, alphas, scorer):
        """Scores (A,) of a path."""
        engine, estimator = self.engine.at_ratio(ratio), self.estimator
        # The box is that of all rows, or folds would be asked for less.
        path = Path.prepare(estimator, engine, self.sample, alphas=alphas)
        intercepts, coefs = public_path(engine, path.fit(estimator))
        if isinstance(scorer, str):
            return self._likelihoods(intercepts, coefs, scorer)
        return self._by_scorer(intercepts, coefs, scorer)

    def _likelihoods(self, intercepts, coefs, scorer):
        """Mean log-likelihood of test rows, of all classes or of "rare or not"."""
        sample, test = self.sample, self.test
        X, codes, weights = sample.X[test], sample.codes[test], sample.weights[test]
        if not weights.any():
            return np.zeros(len(coefs))
        A, m, p = coefs.shape
        # All strengths at once: X is read once.
        g = np.asarray(X @ coefs.reshape(A * m, p).T).reshape(len(test), A, m)
        g = g + intercepts
        totals = np.bincount(sample.codes, sample.weights)
        rare = int(np.argmin(totals))
        out = np.empty(A)
        for a in range(A):
            P = self._probabilities(np.ascontiguousarray(g[:, a]))
            if scorer == "rare_log_loss":
                hit = np.where(codes == rare, P[:, rare], 1.0 - P[:, rare])
            else:
                hit = P[np.arange(len(codes)), codes]
            out[a] = np.average(np.log(np.maximum(hit, FLOOR)), weights=weights)
        return out

    def _probabilities(self, g):
        """Probabilities of all classes from scores of the seen ones."""
        estimator = self.estimator
        how = estimator.repair if estimator.repair != "raise" else "isotonic"
        P = class_probability_rows(g, **estimator._likelihood(), how=how)
        full = np.full((len(P), len(self.sample.classes)), FLOOR)
        full[:, self.seen] = P
        return full

    def _by_scorer(self, intercepts, coefs, scorer):
        """Scores of estimators that predict as the path's fits do."""
        sample, test = self.sample, self.test
        X, y = sample.X[test], sample.classes[sample.codes[test]]
        model = clone(self.estimator)
        model.classes_ = self.fold.classes
        model.n_features_in_ = sample.X.shape[1]
        out = np.empty(len(coefs))
        for a, (intercept, coef) in enumerate(zip(intercepts, coefs)):
            model.intercept_, model.coef_ = intercept, coef
            out[a] = scorer(model, X, y)
        return out
