"""Scores of widths and penalties, by each way of leaving rows out."""

import copy
import warnings
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import _check_method_params

from skloss.random_features._data import read_data
from skloss.random_features._dual import centre, gram_of_features
from skloss.random_features._fitting import Step, too_large
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

# Numbers that differ by less than this share of the largest target do not differ.
_ROUNDING = 1e3 * np.finfo(np.float64).eps


class Scores(NamedTuple):
    """Scores of penalties at each width; greater is better.

    Parameters
    ----------
    values : ndarray of shape (n_widths, t, L)
        Scores of each target, or of all of them together with t = 1.
    stored : list of ndarray of shape (n, t, L)
        What was stored of the rows, for each width.
    exponent : int
        Power of 2 by which scores are to be multiplied.
    noise : float
        By how much scores differ without meaning anything.
    """

    values: np.ndarray
    stored: list
    exponent: int
    noise: float


class _Given(RegressorMixin, BaseEstimator):
    """A regressor whose predictions are made already, for scorers."""

    def predict(self, X):
        return X


class Search:
    """Scores of the widths and penalties of a grid.

    Targets are measured in a power of 2 near the largest of them, so that their squares
    neither overflow nor vanish; scorers get them as they are.

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
    score_params : dict
        What is handed to the scorer beside predictions and targets; arrays with one
        value for each row are cut to the rows that are scored.
    per_target : bool
        Whether targets are scored one by one.
    progress : Progress
        Told of each block.
    """

    def __init__(
        self,
        data,
        feature_map,
        widths,
        alphas,
        *,
        center,
        scorer,
        score_params,
        per_target,
        progress,
    ):
        self.given, self.map, self.widths, self.alphas = (
            data,
            feature_map,
            widths,
            alphas,
        )
        self.center, self.scorer, self.per_target = center, scorer, per_target
        self.score_params, self.progress = score_params, progress
        self.data, self._exponent = _in_units(data)
        self._n_steps, self._sums = 0, None
        # With as many features as rows without their mean, a model interpolates, and
        # sums over rows do not tell what one row less would have meant.
        n_free = data.n_rows - int(center)
        self.summed = [width for width in widths if width < n_free]

    @property
    def sums(self):
        """Sums over all rows, at the largest of the widths that are `summed`."""
        sums = copy.copy(self._sums)
        for name, power in (
            ("y_shift", 1),
            ("products", 1),
            ("targets", 1),
            ("target_squares", 2),
        ):
            values = np.ldexp(getattr(sums, name), power * self._exponent)
            setattr(sums, name, values)
        return sums

    def _scores(self, values, stored=()):
        """Scores that were found at all widths."""
        exponent, noise = 2 * self._exponent, _ROUNDING**2
        if self.scorer is not None:
            exponent, noise = 0, 0.0
        present = self.data.Y[self._present]
        if (np.ptp(present, axis=0) <= _ROUNDING).all():
            noise = np.inf
        return Scores(np.array(values), list(stored), exponent, noise)

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
        data = self.data
        return FeatureRows(feature_map, units, data.blocks, np.float64, data.weight)

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
                    kept = np.ldexp(kept, self._exponent) ** 2
                    kept *= self._weight(0, len(kept))[:, None, None]
            else:
                kept = self.data.Y[:, :, None] - kept
                rows = self._present
                values.append(self._scored(kept[rows], rows))
                if store:
                    kept = self._as_given(kept)
            stored.append(kept if store else None)
        return self._scores(values, stored)

    def left_out(self, width):
        """Predictions of rows that are left out, one at a time, of shape (n, t, L).

        Nan for rows without weight.
        """
        self._sum_all()
        out = np.repeat(self.data.Y[:, :, None], self.alphas.size, axis=2)
        for start, stop, errors in self._left_out_errors(width):
            out[start:stop] -= errors
        return self._as_given(out)

    def _as_given(self, predicted):
        """Measure predictions of all rows as targets were; nan without weight."""
        predicted = np.ldexp(predicted, self._exponent)
        predicted[self._weight(0, len(predicted)) == 0] = np.nan
        return predicted

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
            centred = self._sums.centred(self.center, width)
            S, V = decompose(centred.squares)
            found, share = gcv_scores(
                S,
                V.T @ centred.products,
                centred.y_squares,
                self._sums.weight,
                self.alphas,
                center=self.center,
                noise=self._sums.weight * _ROUNDING**2,
            )
            if (share < GCV_LOST).any():
                warnings.warn(
                    f"cv='gcv': models of {width} features leave less than "
                    f"{GCV_LOST:g} of the targets' squares, which sums cannot tell; "
                    "rows are left out one at a time instead.",
                    UserWarning,
                    stacklevel=5,
                )
                return self.leave_one_out()
            values.append(-found)
        return self._scores(values)

    def folds(self, splits):
        """Score by the rows that each split holds out; the mean over splits.

        No split has rows without weight.
        """
        values = np.zeros(
            (len(self.widths), self._n_scores, self.alphas.size), dtype=np.float64
        )
        if self.summed:
            self._fold_sums(splits, values)
        for at, width in enumerate(self.widths):
            if width not in self.summed:
                values[at] = self._dual_folds(width, splits)
        return self._scores(values / len(splits))

    @property
    def _n_scores(self):
        t = self.data.Y.shape[1]
        return t if self.scorer is None or self.per_target else 1

    def _sum_all(self):
        if self.summed:
            rows = self._rows(max(self.summed))
            all_rows = np.zeros(rows.n_rows, dtype=np.intp)
            self._keep(sums_of(rows, self.data, all_rows, 1, self._report)[0])

    def _keep(self, sums):
        """Keep sums over all rows."""
        if not sums.is_finite:
            raise too_large(self.map)
        self._sums = sums

    @property
    def _present(self):
        """Positions of the rows of positive weight."""
        return np.flatnonzero(self._weight(0, len(self.data.Y)))

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
        centred = self._sums.centred(self.center, width)
        spectrum = decompose(centred.squares)
        yield from primal_errors(
            self._rows(width),
            self.data,
            spectrum,
            centred,
            self._sums.weight,
            self.alphas,
            center=self.center,
        )

    def _gram(self, width):
        """Products of the rows of positive weight, their targets and weights."""
        data, kept = self.data, self._present
        X = data.blocks.rows(0, data.blocks.n_rows)
        X = X[kept] if kept.size < len(data.Y) or sparse.issparse(X) else np.asarray(X)
        weight, feature_map = self._weight_of(kept), self.map_of(width)
        if width == np.inf:
            X = X.astype(np.float64, copy=False)
            gram = np.array(kernel_of(feature_map, X, X), order="F")
            if self.center:
                centre(gram, weight)
        else:
            gram = gram_of_features(
                feature_map, X, weight, np.dtype(np.float64), center=self.center
            )
        if not np.isfinite(gram.diagonal()).all():
            raise too_large(feature_map)
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
            predicted = dual_predictions(
                gram,
                Y,
                weight,
                place[train],
                place[test],
                self.alphas,
                center=self.center,
            )
            total = total + self._scored(predicted, test)
        return total

    def _fold_sums(self, splits, values):
        rows = self._rows(max(self.summed))
        sums, pairs = fold_sums(rows, self.data, splits, self._report)
        self._keep(sums)
        for (_, test), (train_sums, test_sums) in zip(splits, pairs):
            for at, width in enumerate(self.widths):
                if width not in self.summed:
                    continue
                errors, coef, centred, are_lost = held_out_errors(
                    train_sums, test_sums, width, self.alphas, center=self.center
                )
                if are_lost or self.scorer is not None:
                    predicted = self._predicted(width, test, coef, centred)
                    values[at] += self._scored(predicted, test)
                else:
                    values[at] -= errors

    def _predicted(self, width, test, coef, centred):
        """Predictions of some rows for all penalties, from the rows themselves."""
        wanted, place = np.unique(test, return_inverse=True)
        out = np.empty((wanted.size, *coef.shape[1:]))
        flat = coef.reshape(width, -1)
        for start, stop, features in self._rows(width).blocks(centred.center):
            first, last = np.searchsorted(wanted, (start, stop))
            if first < last:
                here = features[wanted[first:last] - start]
                out[first:last] = (here @ flat).reshape(-1, *coef.shape[1:])
        return out[place] + centred.y_center[:, None]

    def _scored(self, predicted, rows):
        """Scores of predictions of shape (n, t, L) for some rows; shape (t or 1, L)."""
        Y = self.data.Y[rows]
        if self.scorer is None:
            weight = self._weight_of(rows)
            squares = (Y[:, :, None] - predicted) ** 2
            return -np.einsum("i,itl->tl", weight, squares) / weight.sum()
        Y, predicted = self.given.Y[rows], np.ldexp(predicted, self._exponent)
        options = _check_method_params(self.given.Y, self.score_params, rows)
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


def _in_units(data):
    """Measure targets in a power of 2; rows without weight get targets of 0.

    Returns
    -------
    data : Data
        With these targets.
    exponent : int
        Of the power of 2.
    """
    Y = data.Y
    if data.weight is not None and not data.weight.all():
        Y = np.where(data.weight[:, None] > 0, Y, 0.0)
    exponent = int(np.frexp(max(Y.max(), -Y.min()))[1])
    return data._replace(Y=np.ldexp(Y, -exponent)), exponent


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
        score_params={},
        per_target=False,
        progress=lambda step: None,
    )
    found = search.left_out(width)[:, :, 0]
    return found[:, 0] if data.is_single else found
