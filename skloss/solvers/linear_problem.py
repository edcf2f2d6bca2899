"""The average of a scalar loss over the scores of a linear model."""

import math

import numpy as np
from scipy import sparse

from skloss._jit import kernel
from skloss.losses import conjugate, curvature, derivative, evaluate, get, value
from skloss.solvers._working_set import penalty_gap, vector

__all__ = ["LinearProblem", "is_smooth"]

_CHUNK = 4096  # rows of float32 data that are widened to float64 at a time
_INTERCEPT_STEPS = 20


@kernel
def _loss(loss, y, f, weight):
    """Weighted sum of the loss; rows without weight do not count, even at infinity."""
    total = 0.0
    for i in range(f.size):
        if weight[i] > 0.0:
            total += weight[i] * value(loss, y[i], f[i])
    return total


@kernel
def _derivatives(loss, y, f, weight, first, second):
    """Write the weighted derivatives in the scores; return the weighted loss."""
    total = 0.0
    for i in range(f.size):
        first[i] = second[i] = 0.0
        if weight[i] > 0.0:
            total += weight[i] * value(loss, y[i], f[i])
            first[i] = weight[i] * derivative(loss, y[i], f[i])
            second[i] = weight[i] * curvature(loss, y[i], f[i])
    return total


@kernel
def _loss_gap(loss, y, f, weight, s):
    """Loss's part of the duality gap at the dual point s times the derivative."""
    total = 0.0
    for i in range(f.size):
        if weight[i] > 0.0:
            a = s * derivative(loss, y[i], f[i])
            gap = value(loss, y[i], f[i]) + conjugate(loss, y[i], a) - a * f[i]
            total += weight[i] * max(gap, 0.0)
    return total


class LinearProblem:
    """``sum(s_i * loss(y_i, x_i @ coef + intercept)) / sum(s_i)`` for `prox_newton`.

    The unknowns are the coefficients and, last, the intercept, whose penalty weight
    is 0. The quadratic model is formed in columns centred by its own curvature, where
    the intercept decouples, so that data far from the origin do no harm.

    Parameters
    ----------
    loss : str or named tuple
        A smooth scalar loss of `skloss.losses`.
    X : ndarray or sparse array of shape (n, p)
        Rows; float32 data are computed with in float64. Sparse data are kept as CSC.
    y : array-like of shape (n,)
        Targets as the loss takes them: -1 and +1 for margin losses.
    sample_weight : array-like of shape (n,), default=None
        Weights s_i of at least 0; None means 1.
    fit_intercept : bool, default=True
        Whether there is an intercept.

    Raises
    ------
    ValueError
        If the loss has kinks, or the weights are negative or all zero.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import L2
    >>> from skloss.solvers import LinearProblem, prox_newton
    >>> problem = LinearProblem("squared", np.eye(2), [1.0, 3.0], fit_intercept=False)
    >>> prox_newton(problem, L2(alpha=0.5)).x.round(6).tolist()
    [0.5, 1.5]
    """

    def __init__(self, loss, X, y, sample_weight=None, *, fit_intercept=True):
        self.loss = get(loss)
        _check_smooth(self.loss)
        self.X = X.tocsc() if sparse.issparse(X) else np.asarray(X)
        n, self.n_features = self.X.shape
        self.y = vector("y", y, n)
        evaluate(self.loss, self.y, np.zeros(n))  # refuses targets it does not take
        self.row_weight = vector(
            "sample_weight", 1.0 if sample_weight is None else sample_weight, n
        )
        if not (self.row_weight.min() >= 0 and self.row_weight.any()):
            raise ValueError("sample_weight must be at least 0 and not all 0.")
        self.row_weight /= self.row_weight.sum()
        self.fit_intercept = fit_intercept
        self.size = self.n_features + bool(fit_intercept)

    def penalty_weight(self, weight):
        """Penalty weights of all unknowns: 0 for the intercept.

        Parameters
        ----------
        weight : array-like of shape (p,) or None
            Penalty weights of the coefficients; None means 1.

        Returns
        -------
        ndarray of shape (size,)
            Weights to hand to penalties.
        """
        weights = np.zeros(self.size)
        weights[: self.n_features] = vector(
            "weight", 1.0 if weight is None else weight, self.n_features
        )
        return weights

    def split(self, x):
        """Split the unknowns into coefficients and intercept.

        Parameters
        ----------
        x : ndarray of shape (size,)
            Unknowns.

        Returns
        -------
        coef : ndarray of shape (p,)
            Coefficients.
        intercept : float
            Intercept; 0 if there is none.
        """
        return x[: self.n_features], x[self.n_features] if self.fit_intercept else 0.0

    def scores(self, x):
        """Compute the scores of unknowns, or their change along a direction.

        Parameters
        ----------
        x : ndarray of shape (size,)
            Unknowns.

        Returns
        -------
        ndarray of shape (n,)
            Scores.
        """
        coef, intercept = self.split(x)
        support = np.flatnonzero(coef)
        if 4 * support.size < self.n_features:
            return self._widen(self.X[:, support]) @ coef[support] + intercept
        if self.X.dtype != np.float64 and not sparse.issparse(self.X):
            chunks = [chunk @ coef for chunk in self._chunks()]
            return np.concatenate(chunks) + intercept
        return self.X @ coef + intercept

    def at(self, x):
        """Look at the problem at one point.

        Parameters
        ----------
        x : ndarray of shape (size,)
            Unknowns; the intercept is overwritten by its optimum.

        Returns
        -------
        LinearPoint
            Loss, gradient and quadratic model there.
        """
        return LinearPoint(self, x, self.scores(x))

    def back_product(self, r):
        """Gradient that derivatives in the scores give.

        Parameters
        ----------
        r : ndarray of shape (n,)
            Weighted derivatives.

        Returns
        -------
        ndarray of shape (size,)
            ``X.T @ r`` and, for the intercept, the sum of `r`.
        """
        gradient = np.empty(self.size)
        if self.X.dtype != np.float64 and not sparse.issparse(self.X):
            parts = (r[i : i + _CHUNK] for i in range(0, len(r), _CHUNK))
            pairs = zip(self._chunks(), parts)
            gradient[: self.n_features] = sum(part @ chunk for chunk, part in pairs)
        else:
            gradient[: self.n_features] = self.X.T @ r
        gradient[self.n_features :] = r.sum()
        return gradient

    def columns(self, indices):
        """Copy columns of X.

        Parameters
        ----------
        indices : ndarray of intp
            Which.

        Returns
        -------
        ndarray or sparse array of shape (n, len(indices))
            In float64.
        """
        return self._widen(self.X[:, indices])

    def _chunks(self):
        for i in range(0, self.X.shape[0], _CHUNK):
            yield self.X[i : i + _CHUNK].astype(np.float64)

    @staticmethod
    def _widen(block):
        return block.astype(np.float64, copy=False)


class LinearPoint:
    """A linear problem at one point: loss, gradient, quadratic model, dual gap.

    Parameters
    ----------
    problem : LinearProblem
        The problem.
    x : ndarray of shape (size,)
        The unknowns; the intercept is moved to its minimum given the coefficients.
    scores : ndarray of shape (n,)
        Scores at `x`.
    """

    def __init__(self, problem, x, scores):
        self.problem, self.x, self.scores = problem, x, scores
        self.first, self.second = np.empty((2, scores.size))
        self._settle_intercept()
        self.gradient = problem.back_product(self.first)

    def along(self, direction):
        """Prepare the line search: value and new point at any step length."""
        problem, moved = self.problem, self.problem.scores(direction)

        def loss_at(length):
            scores = self.scores + length * moved
            return _loss(problem.loss, problem.y, scores, problem.row_weight)

        def point_at(length):
            x = self.x + length * direction
            return LinearPoint(problem, x, self.scores + length * moved)

        return loss_at, point_at

    def has_flat_rows(self):
        """Whether some rows have no curvature, so that the model needs damping."""
        return bool(((self.second == 0) & (self.problem.row_weight > 0)).any())

    def model(self, working, damping):
        """Quadratic model on the working set, in coordinates where it is best posed.

        Parameters
        ----------
        working : ndarray of intp
            Sorted coordinates; with an intercept, its coordinate is among them.
        damping : float
            Smallest curvature of a row, as a fraction of the largest possible.

        Returns
        -------
        Q : ndarray of shape (k, k)
            Matrix.
        q : ndarray of shape (k,)
            Gradient.
        back : callable
            Maps a step in the model's coordinates to one of the unknowns.
        """
        problem, d = self.problem, self.second
        if damping:
            largest = problem.loss.smoothness
            if math.isinf(largest):
                largest = (d / np.maximum(problem.row_weight, 1e-300)).max() or 1.0
            d = np.maximum(d, damping * largest * problem.row_weight)
        if not problem.fit_intercept:
            columns = problem.columns(working)
            return _gram(columns, d, None), self.gradient[working], lambda step: step
        columns = problem.columns(working[:-1])
        total = d.sum()
        mean = (columns.T @ d) / max(total, 1e-300)
        Q = np.zeros((working.size, working.size))
        Q[:-1, :-1] = _gram(columns, d, mean)
        Q[-1, -1] = total
        q = self.gradient[working]
        q[:-1] -= mean * q[-1]

        def back(step):
            step = step.copy()
            step[-1] -= mean @ step[:-1]
            return step

        return Q, q, back

    def dual_gap(self, penalty, weight):
        """Bound the distance to the minimum; nan if the loss has no conjugate."""
        problem = self.problem
        if not conjugate.supports(problem.loss):
            return math.nan
        free = np.abs(self.gradient[weight == 0]).max(initial=0.0)
        if free > 1e-9 * np.abs(self.first).sum():
            return math.inf
        s, gap = penalty_gap(penalty, self.x, self.gradient, weight)
        args = problem.loss, problem.y, self.scores, problem.row_weight, s
        return gap + _loss_gap(*args)

    def _settle_intercept(self):
        """Newton's method in the intercept alone, as the dual requires, O(n) a step."""
        problem = self.problem
        arrays = problem.row_weight, self.first, self.second
        self.loss = _derivatives(problem.loss, problem.y, self.scores, *arrays)
        if not problem.fit_intercept:
            return
        for _ in range(_INTERCEPT_STEPS):
            slope, bend = self.first.sum(), self.second.sum()
            if abs(slope) <= 1e-15 * np.abs(self.first).sum() or bend <= 0:
                return
            step = -slope / bend
            scores = self.scores + step
            first, second = np.empty((2, scores.size))
            arrays = problem.row_weight, first, second
            loss = _derivatives(problem.loss, problem.y, scores, *arrays)
            if not (loss <= self.loss and abs(first.sum()) < 0.9 * abs(slope)):
                return
            self.x[-1] += step
            self.scores, self.loss = scores, loss
            self.first, self.second = first, second


def _gram(columns, d, mean):
    """``(columns - mean).T @ diag(d) @ (columns - mean)``; overwrites dense columns."""
    if sparse.issparse(columns):
        Q = (columns.T @ columns.multiply(d[:, None])).toarray()
        if mean is not None:
            Q -= d.sum() * np.outer(mean, mean)
        return np.ascontiguousarray((Q + Q.T) / 2)
    if mean is not None:
        columns -= mean
    columns *= np.sqrt(d)[:, None]
    return columns.T @ columns


def is_smooth(loss):
    """Whether a scalar loss has no kink; bounded slopes that may jump betray one."""
    return math.isfinite(loss.smoothness) or math.isinf(loss.lipschitz)


def _check_smooth(loss):
    if loss.targets == "class":
        raise ValueError(f"{loss!r} takes a row of scores, not a single one.")
    if not is_smooth(loss):
        raise ValueError(
            f"{loss!r} is not smooth: it has a kink, where Newton's method fails."
        )
