"""Softmax regression with an L2 penalty, as a problem for `newton_cg`."""

import numpy as np

from skloss.linear_eval import _passes
from skloss.linear_eval._curvature import Preconditioners
from skloss.linear_eval._design import SparseRows
from skloss.linear_eval._separation import recedes, separates
from skloss.losses.softmax_blocks import class_information
from skloss.solvers.newton_cg import NewtonProblem

__all__ = ["SoftmaxRidge"]

_TINY = np.finfo(np.float64).tiny
# Of the sums of residuals: relative to the loss, but no more than rounding allows.
_INTERCEPT_ACCURACY = 1e-13, 1e-17
_MAX_INTERCEPT_STEPS = 50
_MAX_CENTRINGS = 3

# Relative changes of the objective below this drown in the rounding of the fast copy.
_FAST_RESOLUTION = 1e-7

# How accurately the problem computes, in the order in which `refine` proceeds.
_FAST, _EXACT, _CENTRED = range(3)


class SoftmaxRidge(NewtonProblem):
    """Weighted mean cross-entropy plus half a ridge, in standardised units.

    F(T) = Σ_i w_i [log Σ_k exp S_ik - S_iy] + ½ Σ_kj r_j T_kj², S = [X̃, 1] Tᵀ.

    It computes in three stages. *Fast*: the gradient comes from the float32 copy of
    the data, and scores are updated along the steps rather than computed anew.
    *Exact*: scores and gradient come from the data in float64. *Centred*: besides,
    the intercepts are optimal, so that the class probabilities are a feasible point
    of the dual problem and the gap is exactly Σ_kj G_kj² / (2 r_j).

    Parameters
    ----------
    data : Standardised
        The data.
    labels : ndarray of shape (n,), intp
        Class of each row; -1 for the reference class of the binomial problem.
    weights : ndarray of shape (n,), float64
        Weights of the rows, summing to 1.
    start : ndarray of shape (K, p + 1), float64
        Where to start, in standardised units.
    penalty : float
        λ in the units of X; 0 for none.
    fit_intercept : bool
        Whether the last column of the parameters is free, or zero.

    Notes
    -----
    Memory besides the data: K n float64 scores, and K n probabilities and score
    changes in the precision of the fast copy.
    """

    def __init__(self, data, labels, weights, start, *, penalty, fit_intercept):
        self.labels = labels
        self.weights = weights
        self.penalty = penalty
        self.fit_intercept = fit_intercept
        self.reference = start.shape[0] == 1
        self.parameters = _without_shift(start)
        used = data.used
        # Columns that are left out have zeros for data; their ridge must be positive.
        self._ridge = np.full(used.shape, float(penalty > 0))
        ridge = penalty * data.scale[used] * data.scale[used]
        self._ridge[used] = np.maximum(ridge, _TINY) if penalty > 0 else 0.0
        self._scores = np.zeros((start.shape[0], labels.shape[0]))
        self._stage = _FAST
        self.resolution = _FAST_RESOLUTION
        self._step = 0.0
        self._n_products = 0
        self._set_data(data)
        self._set_scores()

    def _set_data(self, data):
        """Take the data, whose fast copy sets the precision of directions."""
        self.data = data
        self.dtype = data.fast.data.dtype
        self._ridge_fast = self._ridge.astype(self.dtype)
        self._weights_fast = self.weights.astype(self.dtype)
        self._changes = np.zeros(self._scores.shape, self.dtype)
        self._probabilities = np.empty(self._scores.shape, self.dtype)
        self._preconditioners = Preconditioners(
            data.fast,
            self._weights_fast,
            self._ridge,
            len(self._scores),
            reference=self.reference,
            fit_intercept=self.fit_intercept,
        )

    def _set_scores(self):
        T = self.parameters
        if T[:, :-1].any():
            self._evaluate()
        else:
            self._scores += T[:, -1:]
            self._move(0.0)

    def _move(self, step):
        self._loss = _passes.move(
            self._scores,
            self._changes,
            step,
            self.labels,
            self.weights,
            self.reference,
            self._probabilities,
        )
        self.objective = self._loss + self._penalty_at(self.parameters)

    def _evaluate(self):
        """Scores, probabilities and the loss's gradient in float64 from the data."""
        total = np.zeros(self.parameters.shape)
        G = np.empty(self.parameters.shape)
        self._loss = 0.0
        for first, last, rows in self._exact_blocks():
            self._loss += _passes.evaluate(
                rows,
                first,
                last,
                self.parameters,
                self.labels,
                self.weights,
                self.reference,
                self._scores,
                self._probabilities,
                G,
            )
            total += G
        self.objective = self._loss + self._penalty_at(self.parameters)
        return total

    def _exact_blocks(self):
        exact = self.data.exact
        if isinstance(exact, SparseRows):
            return [(0, len(self.labels), exact)]
        return exact.blocks()

    def _penalty_at(self, T):
        W = T[:, :-1]
        return 0.5 * float(np.vdot(W, W * self._ridge))

    def gradient(self):
        """Gradient (K, p + 1) in the accuracy of the stage."""
        if self._stage == _FAST:
            G = np.empty(self.parameters.shape)
            _passes.gradient(
                self.data.fast,
                self._probabilities,
                self.labels,
                self._weights_fast,
                G,
            )
        else:
            G = self._evaluate()
            if self._stage == _CENTRED and self.fit_intercept:
                for _ in range(_MAX_CENTRINGS):
                    if np.abs(G[:, -1]).max() <= self._intercept_accuracy():
                        break
                    self._centre(G[:, -1])
                    G = self._evaluate()
        G[:, :-1] += self.parameters[:, :-1] * self._ridge
        if not self.fit_intercept:
            G[:, -1] = 0
        return G

    def _centre(self, totals):
        """Newton's method on the intercepts alone."""
        inverse = np.linalg.pinv(
            class_information(self._probabilities, self._weights_fast, self.reference),
            rcond=1e-7,
            hermitian=True,
        )
        totals = totals.copy()
        size = np.abs(totals).max()
        for _ in range(_MAX_INTERCEPT_STEPS):
            change = -inverse @ totals
            _passes.shift(
                self._scores,
                change,
                self.labels,
                self.weights,
                self.reference,
                totals,
            )
            size, previous = np.abs(totals).max(), size
            if not size < previous:
                break
            self.parameters[:, -1] += change
            if size <= self._intercept_accuracy():
                break

    def _intercept_accuracy(self):
        relative, least = _INTERCEPT_ACCURACY
        return max(relative * min(self._loss, 1.0), least)

    def dual_gap(self, gradient):
        """Primal minus dual objective at the class probabilities; nan without ridge."""
        if self.penalty == 0:
            return np.nan
        G = gradient[:, :-1]
        with np.errstate(over="ignore"):  # then nothing is known
            return 0.5 * float(np.sum(G / self._ridge * G))

    def refine(self):
        """Go on to the next stage."""
        if self._stage == _CENTRED:
            return False
        self._stage += 1
        self.resolution = 0.0
        return True

    def sharpen(self):
        """Go on with directions in float64."""
        if self.dtype == np.float64:
            return False
        changes = self._changes
        self._set_data(self.data.with_fast(np.float64))
        self._changes[...] = changes
        self._evaluate()
        return True

    def hessian_product(self, V):
        """Hessian applied to `V` (K, p + 1), in the precision of the fast copy."""
        self._n_products += 1
        out = np.empty_like(V)
        _passes.hessian_product(
            self.data.fast, V, self._probabilities, self._weights_fast, out
        )
        out[:, :-1] += V[:, :-1] * self._ridge_fast
        if not self.fit_intercept:
            out[:, -1] = 0
        return out

    def preconditioner(self):
        """Approximate inverse of the Hessian at the current point."""
        n_products, self._n_products = self._n_products, 0
        return self._preconditioners.choose(self._probabilities, n_products)

    def begin_line(self, direction):
        """Compute the changes of all scores along `direction`."""
        self._direction = _without_shift(direction.astype(np.float64))
        self._step = 0.0
        _passes.score_changes(self.data.fast, direction, self._changes)
        self._overflowed = not np.isfinite(self._changes).all()
        if self._overflowed:
            self._changes[:] = 0
        W, D = self.parameters[:, :-1], self._direction[:, :-1]
        self._line = (
            float(np.vdot(W, W * self._ridge)),
            float(np.vdot(W, D * self._ridge)),
            float(np.vdot(D, D * self._ridge)),
        )

    def try_step(self, step):
        """Objective after `step` along the line; moves the scores there."""
        if self._overflowed and step > 0:
            return np.nan
        self._move(step - self._step)
        self._step = step
        constant, linear, quadratic = self._line
        penalty = 0.5 * (constant + step * (2 * linear + step * quadratic))
        return self._loss + penalty

    def accept(self):
        """Move the parameters to where the scores already are."""
        self.parameters = self.parameters + self._step * self._direction
        self.objective = self._loss + self._penalty_at(self.parameters)

    def objective_at(self, T):
        """Objective at the parameters `T` in float64; moves there."""
        self.parameters = T
        self._evaluate()
        return self.objective

    def separated(self):
        """Whether no minimum exists because the current scores separate the classes."""
        return self.penalty == 0 and separates(
            self._scores, self.labels, self.weights, self.reference
        )

    def separable(self):
        """Whether no minimum exists, by the current scores or the last step."""
        if self.penalty > 0:
            return False
        return self.separated() or recedes(
            self._changes * self._step, self.labels, self.weights, self.reference
        )


def _without_shift(T):
    """Remove what all classes have in common, which changes no probability.

    The preconditioner is blind to it: what rounding once added would stay for good,
    with its share of the ridge.
    """
    return T - T.mean(axis=0) if len(T) > 1 else T
