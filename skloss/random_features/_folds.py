"""Cross-validation of widths and penalties in one pass over the rows.

Sums over the rows of each fold give the training sums of the others by subtraction,
and the errors of the fold itself without a second look at its rows. The first features
of a wide map are those of a narrow one, so that the same sums serve all widths.
"""

import numpy as np
from scipy.linalg import blas, lapack

from skloss.random_features._fitting import points_near
from skloss.random_features._primal import (
    decompose,
    factorised,
    least_eigenvalue,
    solve,
)
from skloss.random_features._sums import Adder, RidgeSums

__all__ = ["coefficients", "fold_of_rows", "fold_sums", "held_out_errors", "sums_of"]

_BLOCK_NUMBERS, _LEAST_ROWS = 1 << 21, 256  # of features, over all folds
_LOST = 1e-6  # share of squares left below which sums have lost digits
_FEW = 24  # penalties up to which factors cost less than one decomposition


def fold_of_rows(splits, n_rows):
    """Find the fold that each row is in.

    Parameters
    ----------
    splits : list of (ndarray of intp, ndarray of intp)
        Rows to fit and to predict.
    n_rows : int
        Number of rows.

    Returns
    -------
    ndarray of shape (n_rows,), intp, or None
        None unless each row is predicted once, from all rows of other folds.
    """
    fold = np.full(n_rows, -1, dtype=np.intp)
    for number, (train, test) in enumerate(splits):
        if (fold[test] >= 0).any() or len(train) + len(test) != n_rows:
            return None
        fold[test] = number
        seen = np.zeros(n_rows, dtype=bool)
        seen[train] = seen[test] = True
        if not seen.all():
            return None
    return None if (fold < 0).any() else fold


def sums_of(rows, data, fold, n_folds, report):
    """Sum over the rows of each fold.

    Parameters
    ----------
    rows : FeatureRows
        Features.
    data : Data
        Targets and weights.
    fold : ndarray of shape (n,), intp
        The fold of each row; rows of -1 are left out.
    n_folds : int
        Number of folds.
    report : callable
        ``report(count, stop)`` is called after each block.

    Returns
    -------
    list of RidgeSums
        Of the folds, all from the same points.
    """
    shift, y_shift = points_near(rows, data)
    block_rows = max(_BLOCK_NUMBERS // (rows.n_columns * n_folds), _LEAST_ROWS)
    adders = [
        Adder(
            RidgeSums(shift, y_shift),
            rows.dtype,
            max(block_rows, rows.few),
        )
        for _ in range(n_folds)
    ]
    for count, (start, stop, features) in enumerate(rows.blocks(shift), 1):
        here = fold[start:stop]
        for number in np.unique(here[here >= 0]):
            at = np.flatnonzero(here == number)
            room = adders[number].room(at.size)
            room[...] = features if at.size == here.size else features[at]
            weight = None if data.weight is None else data.weight[start:stop][at]
            adders[number].add(room, data.Y[start:stop][at], weight)
        report(count, stop)
    for adder in adders:
        adder.flush()
    return [adder.sums for adder in adders]


def fold_sums(rows, data, splits, report):
    """Sum over the training rows and the test rows of each split.

    Parameters
    ----------
    rows, data, report
        As for `sums_of`.
    splits : list of (ndarray of intp, ndarray of intp)
        Rows to fit and to predict.

    Returns
    -------
    total : RidgeSums
        Of all rows.
    pairs : iterator of (RidgeSums, RidgeSums)
        Of training rows and of test rows, made one at a time.
    """
    n = rows.n_rows
    fold = fold_of_rows(splits, n)
    if fold is not None:
        tests = sums_of(rows, data, fold, len(splits), report)
        total = tests[0].copy()
        for sums in tests[1:]:
            total.merge(sums)
        return total, ((_without(total, sums), sums) for sums in tests)
    total = sums_of(rows, data, np.zeros(n, dtype=np.intp), 1, report)[0]

    def pairs():
        for train, test in splits:
            # Rows in both, or twice in one of them, need sums of their own.
            parts = []
            for chosen in (train, test):
                counts = np.bincount(chosen, minlength=n).astype(float)
                weight = counts if data.weight is None else counts * data.weight
                part = data._replace(weight=weight)
                at = np.where(counts > 0, 0, -1)
                parts.append(sums_of(rows, part, at, 1, report)[0])
            yield tuple(parts)

    return total, pairs()


def _without(total, part):
    rest = total.copy()
    rest.merge(part, -1)
    return rest


def coefficients(centred, alphas):
    """Ridge coefficients for all penalties.

    Parameters
    ----------
    centred : Centred
        Sums of squares and products.
    alphas : ndarray of shape (L,)
        Penalties.

    Returns
    -------
    ndarray of shape (k, t, L)
    """
    k, t = centred.products.shape
    out = np.empty((k, t, alphas.size))
    if alphas.size > _FEW or alphas.min() <= least_eigenvalue(
        centred.squares.diagonal()
    ):
        S, V = decompose(centred.squares)
        kept = least_eigenvalue(S) < S
        c = V[:, kept].T @ centred.products
        shares = 1.0 / (S[kept][:, None] + alphas)
        scaled = c[:, :, None] * shares[:, None, :]
        return (V[:, kept] @ scaled.reshape(-1, t * alphas.size)).reshape(out.shape)
    for at, alpha in enumerate(alphas):
        factor = factorised(centred.squares, alpha)
        if factor is None:
            out[:, :, at] = solve(centred, np.full(t, alpha))
        else:
            out[:, :, at] = lapack.dpotrs(factor, centred.products, lower=1)[0]
    return out


def held_out_errors(train, test, width, alphas, *, center):
    """Mean squared errors of models of one fold, from sums.

    Parameters
    ----------
    train, test : RidgeSums
        Of the rows to fit and to predict.
    width : int
        Number of features.
    alphas : ndarray of shape (L,)
        Penalties.
    center : bool
        Whether there is an intercept.

    Returns
    -------
    errors : ndarray of shape (t, L)
        Weighted means.
    coef : ndarray of shape (width, t, L)
        Coefficients.
    centred : Centred
        From which they come.
    are_lost : bool
        Whether an error is too small for sums to tell.
    """
    centred = train.centred(center, width)
    coef = coefficients(centred, alphas)
    here = test.around(centred.center, centred.y_center, width)
    flat = coef.reshape(width, -1)
    square = blas.dsymm(1.0, here.squares, flat, lower=1).reshape(coef.shape)
    errors = np.einsum("ktl,ktl->tl", coef, square)
    errors -= 2.0 * np.einsum("ktl,kt->tl", coef, here.products)
    errors += here.y_squares[:, None]
    lost = (errors < _LOST * here.y_squares[:, None]).any()
    return np.maximum(errors, 0.0) / test.weight, coef, centred, bool(lost)
