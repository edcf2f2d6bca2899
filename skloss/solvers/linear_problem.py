"""The average of a scalar loss over the scores of a linear model."""

import functools
import math

import numpy as np
from scipy import sparse

from skloss._jit import kernel
from skloss.losses import conjugate, curvature, derivative, evaluate, get, value
from skloss.solvers._checks import design, shares, vector
from skloss.solvers._columns import row_parts
from skloss.solvers._lowest import lowest
from skloss.solvers._working_set import FREE_TOL, ROUNDING, penalty_gap
from skloss.solvers.gram import DesignGram

__all__ = ["LinearProblem", "is_smooth"]


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
def _loss_gap(loss, y, f, at, weight, s):
    """Loss's part of the duality gap at scores f.

    The dual point is s times the derivatives at the scores `at`.
    """
    total = 0.0
    for i in range(f.size):
        if weight[i] > 0.0:
            a = s * derivative(loss, y[i], at[i])
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
    X : array-like or sparse array of shape (n, p)
        Rows of finite numbers; computed with in float64 whatever their dtype. Sparse
        data are kept as CSC.
    y : array-like of shape (n,)
        Targets as the loss takes them: -1 and +1 for margin losses.
    sample_weight : array-like of shape (n,), default=None
        Weights s_i of at least 0; None means 1.
    fit_intercept : bool, default=True
        Whether there is an intercept.

    Raises
    ------
    ValueError
        If the loss has kinks, a shape is wrong, a number is not finite, the loss does
        not take a target, or the weights are negative or all zero.

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
        self.X = design("X", X)
        n, self.n_features = self.X.shape
        self.y = vector("y", y, n, broadcast=False)
        evaluate(self.loss, self.y, np.zeros(n))  # refuses targets it does not take
        weights = 1.0 if sample_weight is None else sample_weight
        self.row_weight = shares("sample_weight", vector("sample_weight", weights, n))
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
        return self.products(coef) + intercept

    def at(self, x):
        """Look at the problem at one point.

        Parameters
        ----------
        x : ndarray of shape (size,)
            Unknowns; the point has its own copy, with the intercept at its optimum.

        Returns
        -------
        LinearPoint
            Loss, gradient and quadratic model there.
        """
        return LinearPoint(self, np.array(x, dtype=np.float64))

    def gradient_scale(self):
        """Size that gradient entries can have at zero: what makes them comparable.

        A gradient entry is the covariance of its column with the derivatives of the
        loss. The largest it could be, if they were perfectly correlated, is the
        product of their standard deviations.

        Returns
        -------
        ndarray of shape (size,)
            That product at the point where all coefficients are 0.
        """
        null = self.at(np.zeros(self.size))
        return self.spreads * self.root_mean_square(null.first)

    @functools.cached_property
    def lengths(self):
        """Root mean square of each column, 1 for the intercept's."""
        return self._lengths(center=False)

    @functools.cached_property
    def spreads(self):
        """Standard deviation of each column, 1 for the intercept's.

        Without an intercept, which takes care of means, it is the root mean square.
        """
        return self._lengths(center=True) if self.fit_intercept else self.lengths

    def root_mean_square(self, terms):
        """Root mean square over the rows.

        Parameters
        ----------
        terms : ndarray of shape (n,)
            The quantity in each row, times the row's weight.

        Returns
        -------
        float
            The weighted root mean square of the quantity.
        """
        counted = self.row_weight > 0
        return math.sqrt((terms[counted] ** 2 / self.row_weight[counted]).sum())

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
        if self._is_narrow():
            parts = (r[rows] @ part for rows, part in row_parts(self.X))
            gradient[: self.n_features] = sum(parts)
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

    def products(self, coef):
        """Compute the scores of coefficients without an intercept.

        Parameters
        ----------
        coef : ndarray of shape (p,)
            Coefficients.

        Returns
        -------
        ndarray of shape (n,)
            ``X @ coef``.
        """
        support = np.flatnonzero(coef)
        if 4 * support.size < self.n_features:
            return self._widen(self.X[:, support]) @ coef[support]
        if self._is_narrow():
            return np.concatenate([part @ coef for _, part in row_parts(self.X)])
        return self.X @ coef

    def _is_narrow(self):
        return self.X.dtype != np.float64 and not sparse.issparse(self.X)

    def _lengths(self, center):
        lengths = np.ones(self.size)
        gram = DesignGram(self.X, self.row_weight, center=center)
        lengths[: self.n_features] = np.sqrt(gram.diagonal())
        return lengths

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
    """

    def __init__(self, problem, x):
        self.problem, self.x = problem, x
        coef, intercept = problem.split(x)
        # Always computed from x: kept up to date by adding to them, scores would
        # drift away from it.
        products = problem.products(coef)
        self.start = products + intercept
        if problem.fit_intercept:
            x[-1] += lowest(self.shift)
            self.scores = products + x[-1]
        else:
            self.shift(0.0)
            self.scores = self.settled
        args = problem.loss, problem.y, self.scores, problem.row_weight
        self.loss = _loss(*args)
        self.gradient = problem.back_product(self.first)

    def shift(self, change):
        """Change the intercept; tell `lowest` of the loss as a function of that."""
        problem = self.problem
        # Scores that cancel large numbers are finer than the intercept's digits. The
        # dual point needs all of them; `scores` are then those of x itself.
        self.settled = self.start + change
        self.first, self.second = np.empty((2, self.settled.size))
        arrays = problem.row_weight, self.first, self.second
        value = _derivatives(problem.loss, problem.y, self.settled, *arrays)
        slope, bend = float(self.first.sum()), float(self.second.sum())
        terms = np.abs(self.first).sum() + self.second @ np.abs(self.start)
        self.noise = 4 * np.finfo(float).eps * float(terms + bend * abs(change))
        return value, slope, bend, self.noise

    def rounding(self):
        """Bound what rounding may leave of gradient entries that are zero.

        Returns
        -------
        ndarray of shape (size,)
            By the size of the terms that gradients, and in them scores, are sums of.
        """
        problem = self.problem
        rms = problem.root_mean_square
        scores = problem.lengths @ np.abs(self.x)
        own = problem.lengths * rms(self.first)
        # What all scores have in common the intercept takes away.
        return ROUNDING * (own + problem.spreads * rms(self.second) * scores)

    def along(self, direction):
        """Prepare the line search: value and new point at any step length."""
        problem, moved = self.problem, self.problem.scores(direction)

        def loss_at(length):
            scores = self.scores + length * moved
            return _loss(problem.loss, problem.y, scores, problem.row_weight)

        def point_at(length):
            return LinearPoint(problem, self.x + length * direction)

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
        share = d / max(total, 1e-300)
        mean = columns.T @ share
        if not sparse.issparse(columns):  # so that constant columns are centred to 0
            mean += (columns - mean).T @ share
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
        if not self._free_have_settled(weight):
            return math.inf
        s, gap = penalty_gap(penalty, self.x, self.gradient, weight)
        scores = self.scores, self.settled
        return gap + _loss_gap(problem.loss, problem.y, *scores, problem.row_weight, s)

    def _free_have_settled(self, weight):
        """Whether the unpenalised are at their minimum, where alone a dual exists."""
        problem, n_features = self.problem, self.problem.n_features
        size = FREE_TOL * problem.root_mean_square(self.first)
        if problem.fit_intercept and not abs(self.gradient[-1]) <= size + self.noise:
            return False
        free = np.flatnonzero(weight[:n_features] == 0)
        if not free.size:
            return True
        limit = problem.spreads * size + self.rounding()
        return bool((np.abs(self.gradient) <= limit)[free].all())


def _gram(columns, d, mean):
    """``(columns - mean).T @ diag(d) @ (columns - mean)``; overwrites dense columns."""
    if sparse.issparse(columns):
        Q = (columns.T @ columns.multiply(d[:, None])).toarray()
        if mean is not None:
            squares = Q.diagonal().copy()
            Q -= d.sum() * np.outer(mean, mean)
            constant = Q.diagonal() <= 1e-14 * squares  # but for rounding
            Q[constant] = Q[:, constant] = 0.0
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
