"""Newton's method on the smooth pieces of a penalty of the whole vector.

It finishes what would take first-order steps thousands of rounds on correlated columns.
"""

import math

import numpy as np
from scipy.linalg import cho_solve

from skloss.solvers._active_set import _factor, _gradient

__all__ = ["newton"]

_CUTS = 24  # of a step that does not descend, to a quarter each
_ROUNDING = 16 * np.finfo(np.float64).eps


def newton(Q, c, square, penalty, w, most):
    """Newton steps on the smooth pieces that follow each other from w on.

    Parameters
    ----------
    Q : ndarray of shape (k, k)
        C-contiguous, symmetric, positive semi-definite.
    c : ndarray of shape (k,)
        Linear part.
    square : float
        Mean square of the target.
    penalty : VectorPenalty
        The penalty of these coefficients.
    w : ndarray of shape (k,)
        Start.
    most : int
        Largest number of steps.

    Returns
    -------
    ndarray of shape (k,)
        A point that is not higher.
    """
    for _ in range(most):
        piece = penalty.piece(w)
        if piece.z.size == 0:
            break
        new, ended = _step(Q, penalty, piece, w, _gradient(Q, c, w), square)
        if new is None:
            break
        w = new
        if ended:
            break
    return w


def _step(Q, penalty, piece, w, q, square):
    """One step; None if none descends, and whether the next one is in vain."""
    active, sign, merge, z, _, _, bounded, ordered = piece
    H, g, moves = _on_piece(Q, piece, q)
    d = np.zeros_like(z)
    d[moves] = _solve(H[np.ix_(moves, moves)], -g[moves])
    descent = float(g @ d)
    if not descent < 0.0:
        return None, True
    end, first = _reach(z, d, bounded, ordered)
    full = np.zeros_like(w)
    full[active] = sign * (d if merge is None else d[merge])
    # A norm's curvature in d may be huge beside that of Q, and cancels badly.
    linear, curvature = float(q @ full), max(float(full @ (Q @ full)), 0.0)
    start = penalty.value(w)
    for t in _lengths(end):
        at = z + t * d
        if t == end:
            at[first] = at[first + 1] if ordered and first + 1 < z.size else 0.0
        new = np.zeros_like(w)
        new[active] = sign * (at if merge is None else at[merge])
        change = t * linear + 0.5 * t * t * curvature + penalty.value(new) - start
        if change <= 1e-4 * t * descent + _ROUNDING * start:
            return new, t == 1.0 and -descent <= _ROUNDING * square
    return None, True


def _lengths(end):
    """Lengths to try: a whole step, or to the piece's end, then shorter ones.

    Where more groups are active than there are rows, H is singular but for rounding,
    and a step may be larger than the point by many powers of ten.
    """
    most = min(end, 1.0)
    return [most * 0.25**i for i in range(_CUTS)]


def _on_piece(Q, piece, q):
    """Second and first derivatives on a piece, and the coordinates that may move."""
    active, sign, merge = piece.active, piece.sign, piece.merge
    moves = Q[active, active] > 0.0
    H = Q[np.ix_(active, active)] * np.outer(sign, sign)
    g = sign * q[active]
    if merge is not None:
        starts = np.flatnonzero(np.diff(merge, prepend=-1))
        H = np.add.reduceat(np.add.reduceat(H, starts, axis=0), starts, axis=1)
        g = np.add.reduceat(g, starts)
        moves = np.logical_or.reduceat(moves, starts)
    if piece.hessian is not None:
        H += piece.hessian
    return H, g + piece.gradient, moves


def _reach(z, d, bounded, ordered):
    """Length of a step to the end of a piece, and the coordinate that ends it."""
    room, closing = z, -d
    if ordered:
        room = z - np.append(z[1:], 0.0)
        closing = np.append(d[1:], 0.0) - d
        bounded = np.ones(z.size, dtype=bool)
    ends = np.full(z.size, math.inf)
    meets = bounded & (closing > 0.0)
    ends[meets] = room[meets] / closing[meets]
    first = int(np.argmin(ends))
    return float(ends[first]), first


def _solve(H, b):
    """Solve with Cholesky; a singular H gets a ridge at the level of rounding."""
    factor = _factor(H)
    return b if factor is None else cho_solve((factor, True), b, check_finite=False)
