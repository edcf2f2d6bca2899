"""Lasso paths of many halves at once, from one feature's entry to the next, compiled.

Columns and target of a half are less their means over it, and of length 1. Between two
events the coefficients of a Lasso path move on a line: all features in the model keep a
correlation with the residuals of the same size, the strength of the penalty, while it
falls. An event is the entry of a feature whose correlation reaches that size, or the
exit of one whose coefficient reaches zero. The features that enter first are found
exactly, whatever the distance of their strengths.

B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, "Least angle regression", Annals of
Statistics 32(2), 2004.
"""

from typing import NamedTuple

import numpy as np

from skloss._jit import kernel

__all__ = ["DONE", "DROPPED", "Walks", "begin", "move", "turn"]

DONE = -2  # no event will follow
DROPPED = -1  # a feature left
_NEVER, _SHUT_OUT = -1, -2  # places of features that did not enter, or cannot
_FLAT = 1e-10  # what is no difference between slopes
_TIE = 1e-12  # share of the strength within which entries are at once
_DEPENDENT = 1e-10  # share of a column's square left by those in the model
_OVER = 1e-10  # share of the first strength that is none


class Walks(NamedTuple):
    """Where the paths of b halves of m rows are.

    Parameters
    ----------
    rows : ndarray of shape (b, m), intp
        Rows of each half.
    mean, scale : ndarray of shape (b, d)
        Means of the columns over the half, and one over their lengths; 0 for those
        that are constant there.
    pull : ndarray of shape (b, d)
        Correlations with the residuals.
    place : ndarray of shape (b, d), intp
        Rank of entry of each feature, or a negative number.
    entered : ndarray of shape (b, q), intp
        Features in the order of entry; the following four are by this rank.
    sign, coef : ndarray of shape (b, q)
        Sign of the correlation at entry, and coefficient.
    panel : ndarray of shape (b, q, m)
        Their columns.
    gram : ndarray of shape (b, q, q)
        Products of these.
    active : ndarray of shape (b, q), intp
        Ranks of those in the model.
    velocity : ndarray of shape (b, q)
        Growth of their coefficients while the strength falls by 1.
    factor : ndarray of shape (b, q, q)
        Lower Cholesky factor of their products.
    strength, first, drift : ndarray of shape (b,)
        Of the penalty, now and at first; sum over the rows of the residuals' move.
    event, n_entered, n_active, n_events : ndarray of shape (b,), intp
        Feature that is about to enter, or what else happens; counts.
    """

    rows: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    pull: np.ndarray
    place: np.ndarray
    entered: np.ndarray
    sign: np.ndarray
    coef: np.ndarray
    panel: np.ndarray
    gram: np.ndarray
    active: np.ndarray
    velocity: np.ndarray
    factor: np.ndarray
    strength: np.ndarray
    first: np.ndarray
    drift: np.ndarray
    event: np.ndarray
    n_entered: np.ndarray
    n_active: np.ndarray
    n_events: np.ndarray

    @classmethod
    def over(cls, rows, mean, scale, most):
        """Start paths that end with the entry of feature number `most`."""
        (b, m), d = rows.shape, mean.shape[1]
        places = np.full((b, d), _NEVER, dtype=np.intp)
        ranks, counts = np.zeros((b, most), np.intp), np.zeros(b, np.intp)
        figures, strengths = np.zeros((b, most)), np.zeros(b)
        squares = np.zeros((b, most, most))
        return cls(
            rows=rows,
            mean=mean,
            scale=scale,
            pull=np.zeros((b, d)),
            place=places,
            entered=ranks,
            sign=figures,
            coef=figures.copy(),
            panel=np.zeros((b, most, m)),
            gram=squares,
            active=ranks.copy(),
            velocity=figures.copy(),
            factor=squares.copy(),
            strength=strengths,
            first=strengths.copy(),
            drift=strengths.copy(),
            event=np.full(b, DONE, dtype=np.intp),
            n_entered=counts,
            n_active=counts.copy(),
            n_events=counts.copy(),
        )


@kernel
def begin(walks, product):
    """Find the features that enter first.

    Parameters
    ----------
    walks : Walks
        The paths.
    product : ndarray of shape (b, d)
        Products of the design's columns with the targets of the halves.
    """
    for h in range(len(product)):
        pull, largest = walks.pull[h], 0.0
        for j in range(pull.size):
            pull[j] = product[h, j] * walks.scale[h, j]
            largest = max(largest, abs(pull[j]))
        walks.strength[h] = walks.first[h] = largest
        if not largest > _OVER:  # what rounding leaves of orthogonal columns
            walks.event[h] = DONE
            continue
        for j in range(pull.size):
            if abs(pull[j]) >= (1.0 - _TIE) * largest:
                walks.event[h] = j
                break


@kernel(forceinline=True)
def _reach(pull, slope, strength):
    """How far the strength falls until a correlation is as large."""
    gap = np.inf
    if 1.0 - slope > _FLAT:
        gap = max((strength - pull) / (1.0 - slope), 0.0)
    if 1.0 + slope > _FLAT:
        gap = min(gap, max((strength + pull) / (1.0 + slope), 0.0))
    return gap


@kernel(forceinline=True)
def _can_enter(walks, h, j):
    """Whether a feature is outside the model and may join it."""
    if walks.scale[h, j] == 0.0:
        return False
    rank = walks.place[h, j]
    if rank == _NEVER:
        return True
    if rank == _SHUT_OUT:
        return False
    return np.isnan(walks.velocity[h, rank])


@kernel
def move(walks, product, paths):
    """Follow paths to their next events.

    Parameters
    ----------
    walks : Walks
        The paths.
    product : ndarray of shape (c, d)
        Products of the design's columns with the moves of the residuals.
    paths : ndarray of shape (c,), intp
        Paths that go on.
    """
    for at in range(paths.size):
        h = paths[at]
        slope, scale, mean = product[at], walks.scale[h], walks.mean[h]
        strength, drift = walks.strength[h], walks.drift[h]
        entry = np.inf
        for j in range(slope.size):
            slope[j] = (slope[j] - drift * mean[j]) * scale[j]
            if _can_enter(walks, h, j):
                entry = min(entry, _reach(walks.pull[h, j], slope[j], strength))
        length, leaving = min(entry, strength), -1
        for position in range(walks.n_active[h]):
            rank = walks.active[h, position]
            speed = walks.velocity[h, rank]
            # A coefficient still at zero leaves at once if it would get a wrong sign.
            if speed * (walks.coef[h, rank] or walks.sign[h, rank]) < 0.0:
                end = -walks.coef[h, rank] / speed
                if end < length:
                    length, leaving = end, position
        event = DONE if leaving < 0 else DROPPED
        if leaving < 0 and entry < strength:
            for j in range(slope.size):
                if _can_enter(walks, h, j):
                    gap = _reach(walks.pull[h, j], slope[j], strength)
                    if gap <= entry + _TIE * strength:
                        event = j
                        break
        _advance(walks, h, slope, length)
        if leaving >= 0:
            _leave(walks, h, leaving)
        walks.event[h] = event
        walks.n_events[h] += 1
        spent = walks.strength[h] <= _OVER * walks.first[h]
        # Cycles are those of rounding, among features that enter at once.
        if spent or walks.n_events[h] > 10 * walks.entered.shape[1] + 100:
            walks.event[h] = DONE


@kernel
def _advance(walks, h, slope, length):
    """Move along the line."""
    walks.strength[h] -= length
    for position in range(walks.n_active[h]):
        rank = walks.active[h, position]
        walks.coef[h, rank] += length * walks.velocity[h, rank]
    pull = walks.pull[h]
    for j in range(pull.size):
        pull[j] -= length * slope[j]


@kernel
def _leave(walks, h, position):
    """Take a feature out of the model, and factor the rest again."""
    active, count = walks.active[h], walks.n_active[h] - 1
    walks.coef[h, active[position]] = 0.0
    walks.velocity[h, active[position]] = np.nan
    for i in range(position, count):
        active[i] = active[i + 1]
    walks.n_active[h] = position
    while walks.n_active[h] < count:
        _extend_factor(walks, h, active[walks.n_active[h]])


@kernel
def _extend_factor(walks, h, rank):
    """Add a feature's row to the Cholesky factor; False if others make it up."""
    L, k = walks.factor[h], walks.n_active[h]
    gram = walks.gram[h, rank]
    rest = gram[rank]
    for i in range(k):
        value = gram[walks.active[h, i]]
        for s in range(i):
            value -= L[i, s] * L[k, s]
        L[k, i] = value / L[i, i]
        rest -= L[k, i] ** 2
    if not rest > _DEPENDENT * gram[rank]:
        return False
    L[k, k] = np.sqrt(rest)
    walks.active[h, k] = rank
    walks.n_active[h] += 1
    return True


@kernel(fastmath={"reassoc", "contract"})
def _dot(u, v):
    total = 0.0
    for i in range(u.size):
        total += u[i] * v[i]
    return total


@kernel
def _read_column(walks, h, j, column):
    """Give a feature the next rank, with its column and products."""
    rank, panel = walks.n_entered[h], walks.panel[h]
    own, rows = panel[rank], walks.rows[h]
    mean, scale = walks.mean[h, j], walks.scale[h, j]
    for i in range(own.size):
        own[i] = (column[rows[i]] - mean) * scale
    for i in range(rank + 1):
        value = _dot(panel[i], own)
        walks.gram[h, rank, i] = walks.gram[h, i, rank] = value
    walks.entered[h, rank] = j
    walks.coef[h, rank] = 0.0
    return rank


@kernel
def turn(walks, columns, source, moves):
    """Let features enter, and find the directions in which the paths go on.

    Parameters
    ----------
    walks : Walks
        The paths.
    columns : ndarray of shape (c, n)
        Columns of the design.
    source : ndarray of shape (b,), intp
        Which of them enters each path for the first time; -1 for none.
    moves : ndarray of shape (b, n)
        Overwritten by the moves of the residuals, for the paths that go on.
    """
    for h in range(len(moves)):
        j = walks.event[h]
        if j == DONE:
            continue
        if j >= 0:
            again = source[h] < 0
            if again:
                rank = walks.place[h, j]
            else:
                rank = _read_column(walks, h, j, columns[source[h]])
            if _extend_factor(walks, h, rank):
                walks.sign[h, rank] = 1.0 if walks.pull[h, j] > 0.0 else -1.0
                walks.place[h, j] = rank
                walks.n_entered[h] += 0 if again else 1
                if walks.n_entered[h] == walks.entered.shape[1]:
                    walks.event[h] = DONE
                    continue
            else:
                walks.place[h, j] = _SHUT_OUT
        _aim(walks, h, moves[h])


@kernel
def _aim(walks, h, moved):
    """Solve for the direction in which all correlations in the model fall alike."""
    k, L, panel = walks.n_active[h], walks.factor[h], walks.panel[h]
    if k == 0:
        walks.event[h] = DONE
        return
    w = np.empty(k)
    for i in range(k):
        w[i] = walks.sign[h, walks.active[h, i]]
        for s in range(i):
            w[i] -= L[i, s] * w[s]
        w[i] /= L[i, i]
    for i in range(k - 1, -1, -1):
        for s in range(i + 1, k):
            w[i] -= L[s, i] * w[s]
        w[i] /= L[i, i]
        walks.velocity[h, walks.active[h, i]] = w[i]
    total = np.zeros(panel.shape[1])
    for i in range(k):
        own, speed = panel[walks.active[h, i]], w[i]
        for row in range(total.size):
            total[row] += speed * own[row]
    walks.drift[h] = total.sum()
    for row in range(total.size):
        moved[walks.rows[h, row]] = total[row]
