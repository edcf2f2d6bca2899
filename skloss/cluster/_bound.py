"""How far k medoids are from the best possible ones, and a proof of it."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from skloss._validation import as_kernel_array
from skloss.cluster._bound_reader import Reader, first_prices, representatives
from skloss.cluster._build import greedy
from skloss.cluster._inputs import check_n_clusters, check_weights_for, make_problem
from skloss.cluster._lagrangian import DualAscent, Incumbent, relative_gap
from skloss.kernels import StoredCandidates
from skloss.solvers._checks import check_count

__all__ = [
    "BoundProgress",
    "MedoidBound",
    "k_medoids_bound",
    "lagrangian_bound",
]

_TOL = 1e-9


class BoundProgress(NamedTuple):
    """One step of the bound, as handed to a callback.

    Parameters
    ----------
    n_iter : int
        Steps done.
    objective : float
        Loss of the best medoids so far.
    lower_bound : float
        Proven lower bound on the loss of any medoids.
    n_free : int
        Candidates of which nothing is decided.
    """

    n_iter: int
    objective: float
    lower_bound: float
    n_free: int


@dataclass(frozen=True, eq=False, kw_only=True)
class MedoidBound:
    """Medoids, their loss, and a proven lower bound on the loss of any others.

    Parameters
    ----------
    lower_bound : float
        No k medoids have a smaller loss.
    upper_bound : float
        Loss of `medoids`.
    medoids : ndarray of shape (k,), intp
        The best medoids found: those given, unless better ones turned up.
    fixed_out : ndarray of intp
        Candidates that are proven to be in no optimal solution.
    fixed_in : ndarray of intp
        Candidates that are proven to be in every optimal solution.
    n_iter : int
        Steps done.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.cluster._bound import k_medoids_bound
    >>> x = np.array([0.0, 1.0, 2.0, 10.0, 11.0, 12.0])
    >>> bound = k_medoids_bound(np.abs(x[:, None] - x), 2)
    >>> bound.lower_bound, bound.upper_bound, bound.is_optimal
    (4.0, 4.0, True)
    >>> np.sort(bound.medoids)
    array([1, 4])
    """

    lower_bound: float
    upper_bound: float
    medoids: np.ndarray = field(repr=False)
    fixed_out: np.ndarray = field(repr=False)
    fixed_in: np.ndarray = field(repr=False)
    n_iter: int

    @property
    def gap(self):
        """The distance of the bounds relative to the upper one; 0.0 is optimal."""
        return relative_gap(self.lower_bound, self.upper_bound)

    @property
    def is_optimal(self):
        """Whether `medoids` are proven optimal, up to a relative gap of 1e-9."""
        return self.gap <= _TOL

    def __repr__(self):
        return (
            f"MedoidBound(lower_bound={self.lower_bound:.10g}, "
            f"upper_bound={self.upper_bound:.10g}, gap={self.gap:.2g}, "
            f"{len(self.fixed_out)} candidates fixed out, {len(self.fixed_in)} of "
            f"{len(self.medoids)} medoids fixed in, n_iter={self.n_iter})"
        )


def k_medoids_bound(D, n_clusters, *, medoids=None, sample_weight=None, max_iter=600):
    """Bound the loss of the best k medoids from below, and say which are theirs.

    The bound is a Lagrangian relaxation, raised by subgradient steps; it is true for
    any dissimilarities, and often so close that it proves the medoids optimal.

    Parameters
    ----------
    D : array-like of shape (n, n)
        Dissimilarity of each point (row) to each candidate medoid (column). Need not
        be symmetric; may be negative. float32 is read as it is, without a copy if
        symmetric or in Fortran order.
    n_clusters : int
        Number of medoids, k.
    medoids : array-like of shape (k,), default=None
        Medoids whose quality is asked for, as indices. The better they are, the
        better is the bound. By default they are found by a greedy search.
    sample_weight : array-like of shape (n,), default=None
        Weights of the points. Points of weight zero are no candidates.
    max_iter : int, default=600
        Largest number of steps. Each reads at most the candidates that are not yet
        excluded.

    Returns
    -------
    MedoidBound
        With `lower_bound`, `upper_bound`, `gap`, `fixed_out`, `fixed_in`, `medoids`
        and `n_iter`. No k medoids have a loss below `lower_bound`, where a loss is
        the correctly rounded sum over the points of the weighted dissimilarity to
        the nearest medoid.

    Raises
    ------
    ValueError
        If `D` is not square, is empty, not finite or so large that sums overflow; if
        `n_clusters` is not an integer from 1 to the number of points of positive
        weight; if `medoids` are not k distinct candidates; if weights are negative,
        not finite or all zero; or if `max_iter` is not a positive integer.

    Notes
    -----
    Memory beside `D`: O(n k), and a copy of `D` if it is neither symmetric nor in
    Fortran order or has another type than float32 or float64.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.metrics import pairwise_distances
    >>> from skloss.cluster._bound import k_medoids_bound
    >>> bound = k_medoids_bound(pairwise_distances(load_iris().data), 3)
    >>> round(bound.upper_bound, 4), bound.is_optimal
    (98.1312, True)
    """
    D = _check_dissimilarities(D)
    n_clusters = check_n_clusters(n_clusters, len(D))
    weights, scale = check_weights_for(n_clusters, sample_weight, len(D))
    check_count("max_iter", max_iter, 1)
    _check_total(D, weights)
    rows = StoredCandidates(D)
    if medoids is None:
        medoids = _starting_medoids(rows, n_clusters, weights)
    else:
        medoids = _check_medoids(medoids, n_clusters, weights)
    found = lagrangian_bound(rows, n_clusters, medoids, weights, max_iter=max_iter)
    return MedoidBound(
        lower_bound=found.lower_bound * scale,
        upper_bound=found.upper_bound * scale,
        medoids=found.medoids,
        fixed_out=found.fixed_out,
        fixed_in=found.fixed_in,
        n_iter=found.n_iter,
    )


def lagrangian_bound(
    rows,
    n_clusters,
    medoids,
    weights,
    *,
    max_iter=600,
    improve=None,
    n_jobs=None,
    callback=None,
):
    """Bound the least loss of k medoids, starting from good ones.

    Parameters
    ----------
    rows : CandidateRows
        Dissimilarities, a row for each candidate; as many candidates as points.
    n_clusters : int
        Number of medoids.
    medoids : ndarray of shape (k,), intp
        Good medoids of positive weight.
    weights : ndarray of shape (n_points,), float64
        Sample weights, not extreme.
    max_iter : int, default=600
        Largest number of steps.
    improve : callable, default=None
        ``improve(medoids)`` returns better medoids and their loss. Called with each
        set of medoids that turns out to be better than the best so far.
    n_jobs : int, default=None
        Largest number of threads; changes nothing but the time.
    callback : callable, default=None
        Called with a `BoundProgress` after each step; answers True to stop.

    Returns
    -------
    MedoidBound
    """
    reader = Reader(rows, weights, n_jobs)
    candidates = np.flatnonzero(weights > 0)
    twins = representatives(reader, candidates, n_clusters)
    incumbent = Incumbent(
        reader,
        medoids,
        tol=_TOL,
        least=reader.least_loss(candidates),
        unit=reader.unit(candidates),
        improve=improve,
    )
    ascent = DualAscent(
        reader,
        n_clusters,
        incumbent,
        first_prices(reader, medoids, candidates),
        free=np.unique(twins),
        forced=np.empty(0, dtype=np.intp),
    )
    ascent.run(max_iter, callback and (lambda ascent: callback(_progress(ascent))))
    remaining = np.union1d(ascent.free, ascent.forced)
    # Where one of several alike is needed, none of them is.
    unlike, counts = np.unique(twins, return_counts=True)
    unlike = unlike[counts == 1]
    return MedoidBound(
        lower_bound=float(incumbent.rounded_up(max(ascent.bound, ascent.certified()))),
        upper_bound=incumbent.loss,
        medoids=incumbent.medoids,
        fixed_out=candidates[~np.isin(twins, remaining)],
        fixed_in=np.intersect1d(ascent.forced, unlike),
        n_iter=ascent.n_iter,
    )


def _progress(ascent):
    incumbent = ascent.incumbent
    return BoundProgress(
        ascent.n_iter,
        incumbent.loss,
        incumbent.rounded_up(ascent.bound),
        len(ascent.free),
    )


def _starting_medoids(rows, n_clusters, weights):
    """Choose medoids one by one, each where it lowers the loss most (PAM's BUILD).

    Parameters
    ----------
    rows : CandidateRows
        Dissimilarities.
    n_clusters : int
        Number of medoids.
    weights : ndarray of shape (n_points,), float64
        Sample weights; only points of positive weight are chosen.

    Returns
    -------
    ndarray of shape (n_clusters,), intp
        In order of choice.
    """
    return greedy(make_problem(rows, weights), n_clusters)


def _check_dissimilarities(D):
    """Return a finite square array of real numbers."""
    D = np.asarray(D)
    if D.ndim != 2 or D.shape[0] != D.shape[1] or not len(D):
        raise ValueError(f"D must be a square matrix; got shape {D.shape}.")
    if D.dtype.kind not in "biuf":
        raise ValueError(f"D must hold real numbers; got dtype {D.dtype}.")
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(D.sum(dtype=np.float64)) or np.isfinite(D).all()
    if not finite:
        o, j = np.argwhere(~np.isfinite(D))[0]
        raise ValueError(f"D[{o}, {j}] is {D[o, j]}; dissimilarities must be finite.")
    return D


def _check_total(D, weights):
    largest = max(abs(float(D.max())), abs(float(D.min())))
    if not math.isfinite(4 * largest * float(weights.sum())):
        raise ValueError(
            f"D holds values as large as {largest:g}: their weighted sum overflows. "
            "Divide D by a constant."
        )


def _check_medoids(medoids, n_clusters, weights):
    """Return distinct indices of points that may be medoids."""
    given = np.asarray(medoids)
    if given.shape != (n_clusters,) or given.dtype.kind not in "iu":
        raise ValueError(
            f"medoids must be {n_clusters} integers, one for each cluster; got "
            f"{medoids!r}."
        )
    outside = given[(given < 0) | (given >= len(weights))]
    if len(outside):
        raise ValueError(
            f"medoids must be indices from 0 to {len(weights) - 1}; got {outside[0]}."
        )
    values, counts = np.unique(given, return_counts=True)
    if len(values) < n_clusters:
        raise ValueError(
            f"medoids must be distinct; {values[counts > 1][0]} occurs twice."
        )
    weightless = given[weights[given] == 0]
    if len(weightless):
        raise ValueError(
            f"medoids must have positive weight; sample_weight[{weightless[0]}] is 0."
        )
    return as_kernel_array(given, np.intp)
