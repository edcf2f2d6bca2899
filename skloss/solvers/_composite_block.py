"""Small dense quadratics with a penalty of the whole vector.

First-order steps find which coefficients are zero or equal: sweeps over the blocks of
a penalty that is a sum over groups, accelerated proximal gradient steps for others.
Newton's method on the smooth piece of the penalty then finishes what would take them
thousands of steps on correlated columns.
"""

import math

import numpy as np
from scipy.linalg import cho_solve

from skloss._jit import kernel
from skloss.penalties._vector_contract import prox_residual
from skloss.solvers._active_set import _factor, _gradient
from skloss.solvers._working_set import FREE_TOL

__all__ = ["BlockProblem"]

_MAX_PASSES = 200
_PATIENCE = 8  # passes without progress after which rounding is to blame
_FIRST_STEPS, _MOST_STEPS = 50, 1000  # accelerated steps per pass
_STEPS_PER_SWEEP = 10  # a sweep skips the groups that stay zero
# Newton steps per pass. Clusters change one at a time in a Newton step, many at once
# in a proximal gradient step; signs and groups are left to Newton for longer.
_MOST_NEWTON = {"blocks": 6, "whole": 3}
_ROUNDING = 16 * np.finfo(np.float64).eps


class BlockProblem:
    """``w @ Q @ w / 2 - c @ w + square / 2 + penalty(w)`` for a small Q.

    Parameters
    ----------
    Q : ndarray of shape (k, k)
        C-contiguous, symmetric, positive semi-definite.
    c : ndarray of shape (k,)
        Linear part.
    square : float
        Mean square of the target.
    """

    def __init__(self, Q, c, square):
        self.Q, self.c, self.square = Q, c, square
        self.steepest = _largest_curvature(Q)
        self._curvatures = None

    def minimize(self, penalty, w, tol, max_passes=_MAX_PASSES):
        """Minimise from a start.

        Parameters
        ----------
        penalty : VectorPenalty
            The penalty of these coefficients.
        w : ndarray of shape (k,)
            Start.
        tol : float
            Largest duality gap.
        max_passes : int
            Largest number of rounds of first-order steps and Newton steps.

        Returns
        -------
        ndarray of shape (k,)
            The best point found.
        """
        blocks = penalty.blocks()
        w, q = w.copy(), _gradient(self.Q, self.c, w)
        gap = self.gap(penalty, w, q)
        best, result, patience = gap, w.copy(), _PATIENCE
        n_steps = _FIRST_STEPS
        for _ in range(max_passes):
            if best <= tol or patience == 0:
                break
            before = gap
            if blocks is None:
                w, q = self._accelerate(penalty, w, q, n_steps)
            else:
                self._sweep(blocks, w, q, n_steps // _STEPS_PER_SWEEP)
            gap = self.gap(penalty, w, q)
            if not gap <= max(tol, 0.01 * before):
                w = self._newton(penalty, w, q)
                q = _gradient(self.Q, self.c, w)
                gap = self.gap(penalty, w, q)
            n_steps = min(2 * n_steps, _MOST_STEPS)
            patience = _PATIENCE if gap < 0.5 * best else patience - 1
            if gap < best:
                best, result = gap, w.copy()
        return result

    def gap(self, penalty, w, q):
        """Duality gap at w, where the gradient is q; large until the free settle."""
        s, part = penalty.gap(w, -q)
        residual = max(self.square - self.c @ w + q @ w, 0.0)
        gap = part + 0.5 * residual * (1.0 - s) ** 2
        free = penalty.free & (self.Q.diagonal() > 0.0)
        if free.any() and self.square > 0.0:
            step = 1.0 / self.steepest
            left = prox_residual(penalty, w, -q, step)[free]
            size = np.sqrt(self.Q.diagonal()[free] * self.square)
            excess = float((left / size).max())
            if excess > 0.1 * FREE_TOL:
                gap += self.square * excess / FREE_TOL
        return gap

    def _sweep(self, blocks, w, q, factor):
        """Sweeps over the blocks, in place."""
        curvatures = self._block_curvatures(blocks)
        n = int(np.clip(np.count_nonzero(w) ** 2 / (24 * w.size), 3, 30))
        for _ in range(n * factor):
            _sweep(self.Q, q, w, *blocks, curvatures)

    def _block_curvatures(self, blocks):
        """Largest eigenvalue of each diagonal block, from above."""
        if self._curvatures is None:
            values = []
            for begin, end in zip(blocks.starts, blocks.starts[1:]):
                block = self.Q[np.ix_(*[blocks.order[begin:end]] * 2)]
                values.append(
                    block[0, 0] if len(block) == 1 else np.linalg.eigvalsh(block)[-1]
                )
            self._curvatures = np.maximum(np.array(values), 0.0) * (1.0 + 1e-12)
        return self._curvatures

    def _accelerate(self, penalty, w, q, n_steps):
        """Accelerated proximal gradient steps, restarted where they turn back.

        B. O'Donoghue, E. Candès, "Adaptive Restart for Accelerated Gradient Schemes",
        Foundations of Computational Mathematics 15, 2015.
        """
        at, q_at, theta = w, q, 1.0
        for _ in range(n_steps):
            if self.steepest <= 0.0:
                break
            new = penalty.prox(at - q_at / self.steepest, 1.0 / self.steepest)
            q_new = _gradient(self.Q, self.c, new)
            step = new - at
            length, curvature = step @ step, step @ (q_new - q_at)
            if curvature > (1.0 + 1e-9) * self.steepest * length:
                self.steepest = 1.05 * curvature / length
                continue
            move = new - w
            if -step @ move > 0.0:
                theta, momentum = 1.0, 0.0
            else:
                last, theta = theta, 0.5 * (1.0 + math.sqrt(1.0 + 4.0 * theta**2))
                momentum = (last - 1.0) / theta
            at, q_at = new + momentum * move, q_new + momentum * (q_new - q)
            w, q = new, q_new
        return w, q

    def _newton(self, penalty, w, q):
        """Newton steps on the smooth pieces that follow each other from w on."""
        whole = "whole" if penalty.blocks() is None else "blocks"
        for _ in range(_MOST_NEWTON[whole]):
            piece = penalty.piece(w)
            if piece.z.size == 0:
                break
            new, ended = self._newton_step(penalty, piece, w, q)
            if new is None:
                break
            w = new
            if ended:
                break
            q = _gradient(self.Q, self.c, w)
        return w

    def _newton_step(self, penalty, piece, w, q):
        """One step; None if none descends, and whether the next one is in vain."""
        active, sign, merge, z, slope, bend, bounded, ordered = piece
        moves = self.Q[active, active] > 0.0
        H = self.Q[np.ix_(active, active)] * np.outer(sign, sign)
        g = sign * q[active]
        if merge is not None:
            starts = np.flatnonzero(np.diff(merge, prepend=-1))
            H = np.add.reduceat(np.add.reduceat(H, starts, axis=0), starts, axis=1)
            g = np.add.reduceat(g, starts)
            moves = np.logical_or.reduceat(moves, starts)
        g = g + slope
        if bend is not None:
            H = H + bend
        d = np.zeros_like(z)
        d[moves] = _solve(H[np.ix_(moves, moves)], -g[moves])
        descent = float(g @ d)
        if not descent < 0.0:
            return None, True
        start, curvature = penalty.value(w), float(d @ (H @ d))
        if bend is not None:
            curvature -= float(d @ (bend @ d))
        linear = descent - float(slope @ d)
        end, first = _reach(z, d, bounded, ordered)
        for t in (1.0, end, 0.5 * min(end, 1.0), 0.1 * min(end, 1.0)):
            if t > 1.0:
                continue
            at = z + t * d
            if t == end:
                at[first] = at[first + 1] if ordered and first + 1 < z.size else 0.0
            elif t > end:
                continue
            new = np.zeros_like(w)
            new[active] = sign * (at if merge is None else at[merge])
            change = t * linear + 0.5 * t * t * curvature + penalty.value(new) - start
            if change <= 1e-4 * t * descent + _ROUNDING * start:
                return new, t == 1.0 and -descent <= _ROUNDING * self.square
        return None, True


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


def _largest_curvature(Q):
    """Largest eigenvalue, by the power method; it may be a little too small."""
    v = Q.diagonal() + np.abs(Q).sum(axis=0)
    value = 0.0
    for _ in range(20):
        length = math.sqrt(v @ v)
        if not 0.0 < length < math.inf:
            break
        v = Q @ (v / length)
        value = math.sqrt(v @ v)
    return 1.02 * value


@kernel(fastmath={"reassoc", "contract"})
def _add_row(q, row, step):
    for i in range(q.size):
        q[i] += step * row[i]


@kernel
def _sweep(Q, q, w, order, starts, l1, l2, positive, curvatures):
    """One pass over the groups, keeping ``q = Q @ w - c``.

    Each takes a proximal gradient step of the length that its block's curvature
    allows.
    """
    new = np.empty(w.size)
    for g in range(l2.size):
        bend = curvatures[g]
        if bend <= 0.0:
            continue
        square = 0.0
        for i in range(starts[g], starts[g + 1]):
            v = w[order[i]] - q[order[i]] / bend
            if positive:
                v = max(v - l1 / bend, 0.0)
            else:
                v = max(v - l1 / bend, 0.0) + min(v + l1 / bend, 0.0)
            new[i] = v
            square += v * v
        norm = math.sqrt(square)
        shrink = l2[g] / bend
        factor = 1.0 - shrink / norm if norm > shrink else 0.0
        for i in range(starts[g], starts[g + 1]):
            j = order[i]
            step = factor * new[i] - w[j]
            if step != 0.0:
                w[j] = factor * new[i]
                _add_row(q, Q[j], step)
