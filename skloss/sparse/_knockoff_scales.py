"""How far each feature's knockoff is from it: the diagonal matrix S of their design.

The knockoffs of features with correlation matrix C have the correlation matrix C too,
and C - S with the features. This is possible if S and ``A = 2C - S`` are positive
semi-definite. Within that, S is to make features and knockoffs differ:

- "mvr" minimises the trace of the inverse of the joint correlation matrix, which is,
  but for a factor, ``tr(inv(A)) + sum(1 / s)`` (A. Spector, L. Janson, "Powerful
  knockoffs via minimizing reconstructability", Annals of Statistics 50(1), 2022);
- "maxent" maximises its determinant, ``log det(A) + sum(log(s))`` (same paper);
- "sdp" minimises the sum of ``|1 - s|`` (R. F. Barber, E. Candès, "Controlling the
  false discovery rate via knockoffs", Annals of Statistics 43(5), 2015);
- "equicorrelated" takes the largest s that is the same for all (same paper).

The first two are smooth and convex, and tend to infinity at the border: Newton's method
minimises them. "sdp" follows the central path of its barrier by Newton's method. Any
inverse of A on that path gives a point of the dual problem, so a gap says how good the
result is.
"""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.linalg import lapack

__all__ = ["METHODS", "Scales", "inverse_of", "knockoff_scales"]

METHODS = ("mvr", "maxent", "sdp", "equicorrelated")
_TOL = 1e-9  # Newton decrement, as a share of the objective or of the barrier's weight
_GAP = 1e-6  # of "sdp", as a share of the number of features
_SHRINK = 0.03  # of the barrier's weight
_MOST_STEPS = 200
_INSIDE = 1e-9  # share of the largest equal scale that is left off


class Scales(NamedTuple):
    """The diagonal of S.

    Parameters
    ----------
    values : ndarray of shape (d,)
        Of features with variance 1.
    objective : float
        Value of what was minimised; minus the sum for the last two methods.
    gap : float
        Bound on its distance from the minimum: from the dual problem for "sdp", half
        the square of Newton's decrement for the smooth objectives, to first order.
    """

    values: np.ndarray
    objective: float
    gap: float


def knockoff_scales(correlation, method):
    """Find S for a positive definite correlation matrix.

    Parameters
    ----------
    correlation : ndarray of shape (d, d)
        With ones on the diagonal.
    method : {"mvr", "maxent", "sdp", "equicorrelated"}
        What S is to be good at.

    Returns
    -------
    Scales

    Raises
    ------
    ValueError
        If the matrix is not positive definite.
    """
    if method == "equicorrelated":
        return _equal(correlation)
    start = _feasible(correlation)
    if method == "sdp":
        return _central_path(correlation, np.minimum(start, 0.5))
    objective = _Reconstruction if method == "mvr" else _Entropy
    return _newton(objective(), correlation, start, _TOL)


def inverse_of(matrix):
    """Inverse and log determinant of a symmetric matrix; None if it is not positive.

    Returns
    -------
    tuple of (ndarray of shape (d, d), float), or None
    """
    # A symmetric matrix is its own transpose, which is what LAPACK wants.
    factor, info = lapack.dpotrf(matrix.T, lower=1, clean=0)
    if info != 0:
        return None
    log_det = 2.0 * float(np.log(factor.diagonal()).sum())
    inverse, info = lapack.dpotri(factor, lower=1)
    if info != 0 or not np.isfinite(log_det):
        return None
    lower = np.tril(inverse)
    return lower + np.tril(inverse, -1).T, log_det


def _equal(correlation):
    smallest = linalg.eigvalsh(correlation, subset_by_index=[0, 0])[0]
    if not smallest > 0.0:
        raise ValueError(_NOT_POSITIVE)
    share = min(1.0, 2.0 * smallest * (1.0 - _INSIDE))
    values = np.full(len(correlation), share)
    return Scales(values, -float(values.sum()), 0.0)


_NOT_POSITIVE = "The covariance matrix must be positive definite; it is not."


def _feasible(correlation):
    """Scales in proportion to what others leave of each feature, inside the cone."""
    found = inverse_of(correlation)
    if found is None:
        raise ValueError(_NOT_POSITIVE)
    values = np.minimum(1.0 / found[0].diagonal(), 1.0)
    while inverse_of(2.0 * correlation - np.diag(1.5 * values)) is None:
        values = values / 2.0
        if not values.max() > 1e-15:
            raise ValueError(_NOT_POSITIVE)
    return values


class _Reconstruction:
    """Trace of the joint inverse."""

    def value(self, s, inverse, log_det):
        return float(np.trace(inverse) + (1.0 / s).sum())

    def derivatives(self, s, inverse):
        square = inverse @ inverse
        hessian = 2.0 * inverse * square
        hessian[np.diag_indices(s.size)] += 2.0 / s**3
        return square.diagonal() - 1.0 / s**2, hessian

    def scale(self, value):
        return abs(value)

    def is_inside(self, s):
        return s.min() > 0.0


class _Entropy:
    """Minus the logarithm of the joint determinant."""

    def value(self, s, inverse, log_det):
        return float(-log_det - np.log(s).sum())

    def derivatives(self, s, inverse):
        hessian = np.square(inverse)
        hessian[np.diag_indices(s.size)] += 1.0 / s**2
        return inverse.diagonal() - 1.0 / s, hessian

    def scale(self, value):
        return 1.0

    def is_inside(self, s):
        return s.min() > 0.0


class _Barrier:
    """Minus the sum over the barrier's weight, plus the barrier of 0 <= s <= 1."""

    def __init__(self, weight):
        self.weight = weight

    def value(self, s, inverse, log_det):
        sides = np.log(s).sum() + np.log1p(-s).sum()
        return float(-s.sum() / self.weight - log_det - sides)

    def derivatives(self, s, inverse):
        hessian = np.square(inverse)
        hessian[np.diag_indices(s.size)] += 1.0 / s**2 + 1.0 / (1.0 - s) ** 2
        gradient = inverse.diagonal() - 1.0 / self.weight - 1.0 / s + 1.0 / (1.0 - s)
        return gradient, hessian

    def scale(self, value):
        return 1.0

    def is_inside(self, s):
        return s.min() > 0.0 and s.max() < 1.0


def _newton(objective, correlation, s, tol):
    """Minimise by Newton's method with steps that stay inside."""
    inverse, log_det = inverse_of(2.0 * correlation - np.diag(s))
    value, before = objective.value(s, inverse, log_det), np.inf
    for _ in range(_MOST_STEPS):
        gradient, hessian = objective.derivatives(s, inverse)
        step = -_solve(hessian, gradient)
        decrement = -float(gradient @ step)  # square of Newton's
        scale = objective.scale(value)
        # Near the minimum each step squares the decrement, until rounding is all of it.
        near = decrement <= 1e-3 * scale
        if decrement <= 2.0 * tol * scale or (near and decrement > 0.5 * before):
            break
        found = _step(objective, correlation, s, step, None if near else value)
        if found is None:
            break
        s, value, inverse = found
        before = decrement
    return Scales(s, value, 0.5 * decrement)


def _step(objective, correlation, s, step, value):
    """Go along a step, less of it if that leaves the inside or does not pay.

    Parameters
    ----------
    objective : object
        What is minimised.
    correlation : ndarray of shape (d, d)
        Correlations.
    s, step : ndarray of shape (d,)
        From where, and how far.
    value : float or None
        Value at `s`; None to go all the way inside, where rounding hides the gain.

    Returns
    -------
    tuple of (s, value, inverse), or None
        None without a gain.
    """
    length = 1.0
    while length > 1e-10:
        trial = s + length * step
        if objective.is_inside(trial):
            found = inverse_of(2.0 * correlation - np.diag(trial))
            if found is not None:
                new = objective.value(trial, *found)
                if value is None or new < value:
                    return trial, new, found[0]
        length /= 2.0
    return None


def _solve(hessian, gradient):
    """Solve for Newton's step, with as much of a ridge as rounding makes needed."""
    diagonal = hessian.diagonal().copy()
    for ridge in (0.0, 1e-14, 1e-12, 1e-10, 1e-8):
        hessian[np.diag_indices(diagonal.size)] = diagonal * (1.0 + ridge)
        factor, info = lapack.dpotrf(hessian.T, lower=1, clean=0)
        if info == 0:
            return lapack.dpotrs(factor, gradient, lower=1)[0]
    return gradient / diagonal  # hardly ever


def _central_path(correlation, s):
    """Follow the barrier's minima to where the gap is small."""
    # On the path the gap is the weight times the number of constraints, 3 per feature.
    last = _GAP / 4
    n_stages = int(np.ceil(np.log(last) / np.log(_SHRINK)))
    for weight in np.geomspace(1.0, last, n_stages + 1):
        # Off the path the dual point is poor, hence the last stage is exact.
        tol = 1e-12 if weight == last else 1e-2
        s = _newton(_Barrier(weight), correlation, s, tol).values
    return Scales(s, -float(s.sum()), _sdp_gap(correlation, s, last))


def _sdp_gap(correlation, s, weight):
    """Distance to the dual objective ``2 <C, Z> + sum(max(0, 1 - diag(Z)))``."""
    inverse, _ = inverse_of(2.0 * correlation - np.diag(s))
    Z = weight * inverse
    dual = 2.0 * float(np.vdot(correlation, Z))
    dual += float(np.maximum(1.0 - Z.diagonal(), 0.0).sum())
    return max(dual - float(s.sum()), 0.0)
