"""Scores of widths and penalties, by each way of leaving rows out."""

import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin

from skloss.random_features._data import read_data
from skloss.random_features._dual import centre, gram_of_features
from skloss.random_features._fitting import Step
from skloss.random_features._folds import fold_sums, held_out_errors, sums_of
from skloss.random_features._leave_one_out import (
    GCV_LOST,
    dual_errors,
    dual_gcv,
    dual_predictions,
    gcv_scores,
    primal_errors,
)
from skloss.random_features._primal import decompose
from skloss.random_features._rows import FeatureRows
from skloss.random_features.limiting_kernel import kernel_of

__all__ = ["Scores", "Search", "left_out"]


class Scores(NamedTuple):
    """Scores of penalties at each width; greater is better.

    Parameters
    ----------
    values : ndarray of shape (n_widths, t, L)
        Scores of each target, or of all of them together with t = 1.
    stored : list of ndarray of shape (n, t, L)
        What was stored of the rows, for each width.
    """

    values: np.ndarray
    stored: list


class _Given(RegressorMixin, BaseEstimator):
    """A regressor whose predictions are made already, for scorers."""

    def predict(self, X):
        return X


class Search:
    """Scores of the widths and penalties of a grid.

    Parameters
    ----------
    data : Data
        Rows.
    feature_map : FeatureMap
        Of the features; its width does not matter.
    widths : ndarray of shape (W,)
        Numbers of features, infinity for the limit.
    alphas : ndarray of shape (L,)
        Penalties.
    center : bool
        Whether there is an intercept.
    scorer : callable or None
        As of scikit-learn; None means the negative mean squared error.
    per_target : bool
        Whether targets are scored one by one.
    progress : Progress
        Told of each block.
    """

    def __init__(
        self, data, feature_map, widths, alphas, *, center, scorer, per_target, progress
    ):
        self.data, self.map, self.widths, self.alphas = (
            data,
            feature_map,
            widths,
            alphas,
        )
        self.center, self.scorer, self.per_target = center, scorer, per_target
        self.progress, self._n_steps = progress, 0
        self.sums = None
        n = data.n_rows
        self.summed = [width for width in widths if width < n]

    def map_of(self, width):
        """Features of a width."""
        return self.map._replace(n_components=width)

    def _report(self, count, stop):
        self._n_steps += 1
        self.progress(Step(self._n_steps, stop))

    def _rows(self, width):
        """Features of all rows, in double precision."""
        feature_map = self.map_of(width)
        units = feature_map.units(0, width, np.float64)
        return FeatureRows(feature_map, units, self.data.blocks, np.float64)

    def leave_one_out(self, *, store=False):
        """Score by predictions of rows that are left out, one at a time."""
        self._sum_all()
        values, stored = [], []
        for width in self.widths:
            kept = None
            if store or self.scorer is not None:
                kept = np.empty((*self.data.Y.shape, self.alphas.size))
            total = 0.0
            for start, stop, errors in self._left_out_errors(width):
                weight = self._weight(start, stop)
                if kept is not None:
                    kept[start:stop] = errors
                total = total + np.einsum("i,itl->tl", weight, errors**2)
            if self.scorer is None:
                values.append(-total / len(self.data.Y))
                if store:
                    kept **= 2
                    kept *= self._weight(0, len(kept))[:, None, None]
            else:
                kept = self.data.Y[:, :, None] - kept
                values.append(self._scored(kept, self.data.Y, None))
            stored.append(kept if store else None)
        return Scores(np.array(values), stored)

    def left_out(self, width):
        """Predictions of rows that are left out, one at a time, of shape (n, t, L)."""
        self._sum_all()
        out = np.repeat(self.data.Y[:, :, None], self.alphas.size, axis=2)
        for start, stop, errors in self._left_out_errors(width):
            out[start:stop] -= errors
        return out

    def gcv(self):
        """Score by generalised cross-validation."""
        self._sum_all()
        values = []
        for width in self.widths:
            if width not in self.summed:
                gram, Y, weight, _ = self._gram(width)
                values.append(
                    -dual_gcv(gram, Y, weight, self.alphas, center=self.center)
                )
                continue
            centred = self.sums.centred(self.center, width)
            S, V = decompose(centred.squares)
            found, share = gcv_scores(
                S,
                V.T @ centred.products,
                centred.y_squares,
                self.sums.weight,
                self.alphas,
                center=self.center,
            )
            if (share < GCV_LOST).any():
                warnings.warn(
                    f"cv='gcv': models of {width} features leave less than "
                    f"{GCV_LOST:g} of the targets' squares, which sums cannot tell; "
                    "rows are left out one at a time instead.",
                    UserWarning,
                    stacklevel=2,
                )
                return self.leave_one_out()
            values.append(-found)
        return Scores(np.array(values), [])

    def folds(self, splits):
        """Score by the rows that each split holds out; the mean over splits."""
        values = np.zeros(
            (len(self.widths), self._n_scores, self.alphas.size), dtype=np.float64
        )
        for number, (_, test) in enumerate(splits):
            if not self._weight_of(test).any():
                raise ValueError(f"Fold {number} holds out no row of positive weight.")
        if self.summed:
            self._fold_sums(splits, values)
        for at, width in enumerate(self.widths):
            if width not in self.summed:
                values[at] = self._dual_folds(width, splits)
        return Scores(values / len(splits), [])

    @property
    def _n_scores(self):
        t = self.data.Y.shape[1]
        return t if self.scorer is None or self.per_target else 1

    def _sum_all(self):
        if self.summed:
            rows = self._rows(max(self.summed))
            all_rows = np.zeros(rows.n_rows, dtype=np.intp)
            self.sums = sums_of(rows, self.data, all_rows, 1, self._report)[0]

    def _weight(self, start, stop):
        weight = self.data.weight
        return np.ones(stop - start) if weight is None else weight[start:stop]

    def _weight_of(self, rows):
        weight = self.data.weight
        return np.ones(len(rows)) if weight is None else weight[rows]

    def _left_out_errors(self, width):
        """Blocks of errors of rows that are left out, one at a time."""
        if width in self.summed:
            return self._primal_errors(width)
        return self._dual_errors(width)

    def _primal_errors(self, width):
        centred = self.sums.centred(self.center, width)
        spectrum = decompose(centred.squares)
        yield from primal_errors(
            self._rows(width),
            self.data,
            spectrum,
            centred,
            self.sums.weight,
            self.alphas,
            center=self.center,
        )

    def _gram(self, width):
        """Products of the rows of positive weight, their targets and weights."""
        data = self.data
        kept = np.flatnonzero(self._weight(0, len(data.Y)))
        X = data.blocks.rows(0, data.blocks.n_rows)
        X = X[kept] if kept.size < len(data.Y) or sparse.issparse(X) else np.asarray(X)
        weight, feature_map = self._weight_of(kept), self.map_of(width)
        if width == np.inf:
            gram = np.array(kernel_of(feature_map, X, X), dtype=np.float64, order="F")
            if self.center:
                centre(gram, weight)
        else:
            gram = gram_of_features(
                feature_map, X, weight, np.dtype(np.float64), center=self.center
            )
        self._report(0, kept.size)
        return gram, data.Y[kept], weight, kept

    def _dual_errors(self, width):
        gram, Y, weight, kept = self._gram(width)
        errors = np.zeros((*self.data.Y.shape, self.alphas.size))
        errors[kept] = dual_errors(gram, Y, weight, self.alphas, center=self.center)
        yield 0, len(errors), errors

    def _dual_folds(self, width, splits):
        gram, Y, weight, kept = self._gram(width)
        place = np.full(len(self.data.Y), -1, dtype=np.intp)
        place[kept] = np.arange(kept.size)
        total = 0.0
        for train, test in splits:
            train, test = (part[part >= 0] for part in (place[train], place[test]))
            predicted = dual_predictions(
                gram, Y, weight, train, test, self.alphas, center=self.center
            )
            total = total + self._scored(predicted, Y[test], weight[test])
        return total

    def _fold_sums(self, splits, values):
        rows = self._rows(max(self.summed))
        self.sums, pairs = fold_sums(rows, self.data, splits, self._report)
        for (_, test), (train_sums, test_sums) in zip(splits, pairs):
            for at, width in enumerate(self.widths):
                if width not in self.summed:
                    continue
                errors, coef, centred, are_lost = held_out_errors(
                    train_sums, test_sums, width, self.alphas, center=self.center
                )
                if are_lost or self.scorer is not None:
                    predicted = self._predicted(width, test, coef, centred)
                    weight = self._weight_of(test)
                    values[at] += self._scored(predicted, self.data.Y[test], weight)
                else:
                    values[at] -= errors

    def _predicted(self, width, test, coef, centred):
        """Predictions of some rows for all penalties, from the rows themselves."""
        data = self.data
        wanted = np.zeros(len(data.Y), dtype=bool)
        wanted[test] = True
        out = np.empty((len(data.Y), *coef.shape[1:]))
        flat = coef.reshape(width, -1)
        for start, stop, features in self._rows(width).blocks(centred.center):
            if wanted[start:stop].any():
                out[start:stop] = (features @ flat).reshape(-1, *coef.shape[1:])
        return out[test] + centred.y_center[:, None]

    def _scored(self, predicted, Y, weight):
        """Scores of predictions of shape (n, t, L); shape (t or 1, L)."""
        if self.scorer is None:
            weight = np.ones(len(Y)) if weight is None else weight
            squares = (Y[:, :, None] - predicted) ** 2
            return -np.einsum("i,itl->tl", weight, squares) / weight.sum()
        options = (
            {} if weight is None or (weight == 1).all() else {"sample_weight": weight}
        )
        out = np.empty((self._n_scores, self.alphas.size))
        for at in range(self.alphas.size):
            if self.per_target or Y.shape[1] == 1:
                for t in range(Y.shape[1]):
                    out[t, at] = self.scorer(
                        _Given(), predicted[:, t, at], Y[:, t], **options
                    )
            else:
                out[0, at] = self.scorer(_Given(), predicted[:, :, at], Y, **options)
        return out


def left_out(model, X, Y, weight):
    """Predictions of rows by a model that has not seen them.

    Parameters
    ----------
    model : RandomFeatureRidge
        Fitted to these rows.
    X, Y, weight : array-like
        Rows, targets and weights.

    Returns
    -------
    ndarray of shape (n,) or (n, t)
    """
    data = read_data(model, X, Y, weight, reset=False)
    width = model._machine.map.n_components
    search = Search(
        data,
        model._machine.map,
        [width],
        np.array([model.alpha], dtype=np.float64),
        center=model.fit_intercept,
        scorer=None,
        per_target=False,
        progress=lambda step: None,
    )
    found = search.left_out(width)[:, :, 0]
    return found[:, 0] if data.is_single else found
