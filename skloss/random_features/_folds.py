"""Cross-validation of widths and penalties in one pass over the rows.

Sums over the rows of each fold give the training sums of the others by addition, and
the errors of the fold itself without a second look at its rows. The first features of a
wide map are those of a narrow one, so that the same sums serve all widths.
"""

import numpy as np
from scipy.linalg import blas, lapack

from skloss.random_features._primal import (
    decompose,
    factorised,
    least_eigenvalue,
    solve,
)
from skloss.random_features._shares import damped_shares
from skloss.random_features._sums import Adder, RidgeSums

__all__ = ["coefficients", "fold_of_rows", "fold_sums", "held_out_errors", "sums_of"]

_BLOCK_NUMBERS, _LEAST_ROWS = 1 << 21, 256  # of features, over all folds
_LOST = 1e-6  # share of squares left below which sums have lost digits
_DIGITS = 1e7  # how far above rounding errors from sums are to be
_FIRST_ROWS = 256  # of which medians are near the data
_FEW = 24  # penalties up to which factors cost less than one decomposition


def fold_of_rows(splits, present):
    """Find the fold that each row is in.

    Parameters
    ----------
    splits : list of (ndarray of intp, ndarray of intp)
        Rows to fit and to predict.
    present : ndarray of shape (n,), bool
        Which rows have weight; splits hold no others.

    Returns
    -------
    ndarray of shape (n,), intp, or None
        -1 for rows without weight. None unless each other row is predicted once, from
        all rows of other folds.
    """
    fold, n_present = np.full(present.size, -1, dtype=np.intp), present.sum()
    for number, (train, test) in enumerate(splits):
        if (fold[test] >= 0).any() or len(train) + len(test) != n_present:
            return None
        fold[test] = number
        seen = np.zeros(present.size, dtype=bool)
        seen[train] = seen[test] = True
        if seen.sum() != n_present:
            return None
    return None if (fold[present] < 0).any() else fold


def _points_near(rows, data):
    """Find points near the data, from which features and targets are measured.

    Medians, for means are drawn away from the data by a row that is far off, and
    differences from them then have no digits for other rows.
    """
    features, Y = rows.first(_FIRST_ROWS), data.Y[:_FIRST_ROWS]
    if data.weight is not None and data.weight[:_FIRST_ROWS].any():
        present = data.weight[:_FIRST_ROWS] > 0
        features, Y = features[present], Y[present]
    shift = np.median(features, axis=0).astype(rows.dtype)
    return shift.astype(np.float64), np.median(Y, axis=0)


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
    shift, y_shift = _points_near(rows, data)
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
    present = np.ones(n, dtype=bool) if data.weight is None else data.weight > 0
    fold = fold_of_rows(splits, present)
    if fold is not None:
        tests = sums_of(rows, data, fold, len(splits), report)
        none = RidgeSums(tests[0].shift, tests[0].y_shift)
        return _added(none.copy(), tests), zip(_all_but_each(tests, none), tests)
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


def _added(sums, parts):
    """Add sums from the same points, in place."""
    for part in parts:
        for name in ("squares", "features", "products", "targets", "target_squares"):
            getattr(sums, name).__iadd__(getattr(part, name))
        sums.weight += part.weight
        sums.n_rows += part.n_rows
    return sums


def _all_but_each(parts, others):
    """Go through sums over all parts but one, and over others.

    Halves are added to what is outside the other half, and so on: the additions are
    few, and a part that is much larger than the rest does not leave its rounding
    behind, as it would if it were subtracted.
    """
    if len(parts) == 1:
        yield others
        return
    middle = len(parts) // 2
    first, last = parts[:middle], parts[middle:]
    yield from _all_but_each(first, _added(others.copy(), last))
    yield from _all_but_each(last, _added(others.copy(), first))


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
    least = least_eigenvalue(centred.squares.diagonal())
    if alphas.size > _FEW or alphas.min() <= least:
        S, V = decompose(centred.squares)
        shares = damped_shares(S, alphas, least)
        scaled = (V.T @ centred.products)[:, :, None] * shares[:, None, :]
        return (V @ scaled.reshape(-1, t * alphas.size)).reshape(out.shape)
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
    rounding = np.finfo(np.float64).eps * np.einsum(
        "ktl,ktl,k->tl", coef, coef, here.squares.diagonal()
    )
    lost = errors < np.maximum(_LOST * here.y_squares[:, None], _DIGITS * rounding)
    lost = lost.any()
    return np.maximum(errors, 0.0) / test.weight, coef, centred, bool(lost)
