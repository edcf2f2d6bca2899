"""One fit and what came of it; the rows of one split."""

import time
import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils.validation import has_fit_parameter

from skloss.compare.costs import made_by
from skloss.compare.features import TableFeatures, preparation, reads_tables
from skloss.compare.problem import inner_folds
from skloss.compare.scores import Outcome

__all__ = ["Rows", "Split", "Trial", "configure", "try_model"]

# Prepared inner folds are kept for the next model up to this many numbers.
_CACHE_NUMBERS = 5_000_000


@dataclass(frozen=True)
class Rows:
    """Training and test part as one estimator receives them.

    Attributes
    ----------
    X, y, bags
        Of the training part; y and bags may be None.
    X_test, y_test, bags_test
        Of the test part.
    folds : list of (ndarray, ndarray)
        Inner folds of the training part, for estimators that tune themselves.
    """

    X: object
    y: np.ndarray
    bags: np.ndarray
    X_test: object
    y_test: np.ndarray
    bags_test: np.ndarray
    folds: list


@dataclass
class Trial:
    """A fitted estimator, what it did on the test part, and its costs."""

    estimator: object
    outcome: Outcome
    fit_seconds: float
    predict_seconds: float
    warnings: Counter
    converged: bool


def configure(estimator, params, seed, folds=None):
    """Copy of an estimator with parameters, seeds and inner folds set.

    Parameters
    ----------
    estimator : estimator
    params : dict
    seed : int
        Given to every ``random_state`` that is None.
    folds : list, default=None
        Given to a ``cv`` that is None.

    Returns
    -------
    estimator
    """
    # Values are cloned: an estimator inside a grid must not carry over its fit.
    params = {key: clone(value, safe=False) for key, value in params.items()}
    estimator = clone(estimator).set_params(**params)
    known = estimator.get_params(deep=True)
    seeds = {
        key: seed
        for key, value in known.items()
        if value is None and (key == "random_state" or key.endswith("__random_state"))
    }
    if folds and "cv" in known and known["cv"] is None:
        seeds["cv"] = folds
    return estimator.set_params(**seeds)


def _bag_argument(estimator):
    """Name under which an estimator takes bags, or None."""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        return f"{name}__bags" if has_fit_parameter(last, "bags") else None
    return "bags" if has_fit_parameter(estimator, "bags") else None


def try_model(problem, model, params, rows, seed, *, reads="everything"):
    """Fit a configured model on a training part and look at the test part.

    Parameters
    ----------
    problem : Problem
    model : Model
    params : dict
    rows : Rows
    seed : int
    reads : {"everything", "probabilities", "predictions"}
        What the scores to come look at; the rest is not computed.

    Returns
    -------
    Trial
    """
    estimator = configure(model.estimator, params, seed, rows.folds)
    clusters = problem.task == "clustering"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        if clusters:
            predicted = estimator.fit_predict(rows.X_test)
        else:
            argument = None if rows.bags is None else _bag_argument(estimator)
            estimator.fit(rows.X, rows.y, **({argument: rows.bags} if argument else {}))
        fitted = time.perf_counter()
        converged = not any(
            issubclass(warning.category, ConvergenceWarning) for warning in caught
        )
        probability = None
        if not clusters:
            predicted, probability, used = _predict(problem, estimator, rows, reads)
    outcome = Outcome(
        y=rows.y_test,
        predicted=predicted,
        probability=probability,
        bags=rows.bags_test,
        X=rows.X_test,
        estimator=estimator,
        rare=problem.rare,
    )
    kinds = Counter(warning.category.__name__ for warning in caught)
    predict_seconds = np.nan if clusters else used
    return Trial(estimator, outcome, fitted - start, predict_seconds, kinds, converged)


def _predict(problem, estimator, rows, reads):
    """Predictions, aligned probabilities and the seconds of the first of them."""
    start = time.perf_counter()
    probability = None
    if problem.is_classification and hasattr(estimator, "predict_proba"):
        raw = estimator.predict_proba(rows.X_test)
        seconds = time.perf_counter() - start
        probability = np.zeros((len(raw), len(problem.classes)))
        probability[:, np.asarray(estimator.classes_, dtype=np.intp)] = raw
        if reads == "probabilities":
            return None, probability, seconds
        return estimator.predict(rows.X_test), probability, seconds
    predicted = np.asarray(estimator.predict(rows.X_test))
    if predicted.ndim == 2 and predicted.shape[1] == 1:
        predicted = predicted[:, 0]
    return predicted, probability, time.perf_counter() - start


class Split:
    """One training and test part, encoded once for all models.

    Parameters
    ----------
    problem : Problem
    train, test : ndarray
        Row numbers.
    seed : int
        Seed of the inner folds.
    """

    def __init__(self, problem, train, test, seed):
        self.problem, self.train, self.test = problem, train, test
        table = problem.X.iloc[train]
        # Encoders warn about single odd columns; the notes on the table say it better.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._encoder = TableFeatures().fit(table)
            self._train = self._encoder.transform(table)
            self._test = self._encoder.transform(problem.X.iloc[test])
        if problem.task == "clustering":
            everything = np.arange(len(train))
            self.folds = [(everything, everything)]
        else:
            self.folds = inner_folds(problem, train, seed)
        self._prepared = {}

    def rows(self, model):
        """Both parts as a model receives them.

        Parameters
        ----------
        model : Model

        Returns
        -------
        Rows
        """
        problem = self.problem
        X, X_test = self._matrices(model, None)
        inner = None if problem.task == "clustering" else self.folds
        return Rows(
            X,
            _take(problem.y, self.train),
            _take(problem.bags, self.train),
            X_test,
            _take(problem.truth, self.test),
            _take(problem.bags, self.test),
            inner,
        )

    def inner_rows(self, model, fold):
        """Parts of one inner fold; validation targets are those models train on.

        Parameters
        ----------
        model : Model
        fold : int

        Returns
        -------
        Rows
        """
        fit, check = (self.train[part] for part in self.folds[fold])
        y, bags = self.problem.y, self.problem.bags
        X, X_check = self._matrices(model, fold)
        return Rows(
            X,
            _take(y, fit),
            _take(bags, fit),
            X_check,
            _take(y, check),
            _take(bags, check),
            None,
        )

    def _matrices(self, model, fold):
        if reads_tables(model.estimator):
            return tuple(self.problem.X.iloc[part] for part in self._parts(fold))
        train, test = self._shared(model, fold)
        if made_by(model.estimator, "sklearn", "skloss"):
            return train, test
        # What a stranger does to its rows must not reach the others.
        return train.copy(), test.copy()

    def _shared(self, model, fold):
        """Matrices that all models with the same preparation have in common."""
        steps = preparation(
            model.estimator, scale=model.scale, impute=self.problem.has_missing
        )
        key = (fold, *(type(step).__name__ for step in steps))
        if key in self._prepared:
            return self._prepared[key]
        if fold is None:
            train, test = self._train, self._test
        else:
            train, test = (self._train[part] for part in self.folds[fold])
        if steps:
            prepare = make_pipeline(*steps)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                train = np.ascontiguousarray(prepare.fit_transform(train))
                test = np.ascontiguousarray(prepare.transform(test))
        if fold is None or self._train.size <= _CACHE_NUMBERS:
            self._prepared[key] = train, test
        return train, test

    def _parts(self, fold):
        if fold is None:
            return self.train, self.test
        return tuple(self.train[part] for part in self.folds[fold])


def _take(values, rows):
    return None if values is None else values[rows]
