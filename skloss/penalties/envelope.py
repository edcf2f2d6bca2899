"""The sparse envelope: the convex function nearest to a ridge on k coefficients.

Half the squared k-support norm: A. Argyriou, R. Foygel, N. Srebro, "Sparse Prediction
with the k-Support Norm", NeurIPS 2012. In groups: Y. Refael, G. Arbel, W. Huleihel,
"Learning k-Level Structured Sparse Neural Networks Using Group Envelope
Regularization", arXiv:2212.12921.
"""

import math
from numbers import Integral

import numpy as np

from skloss.penalties._groups import GroupedPenalty, check_factors
from skloss.penalties._vector_contract import Piece

__all__ = ["SparseEnvelope"]


class SparseEnvelope(GroupedPenalty):
    """Ridge that allows k of the coefficients, or groups, at full share.

    ``alpha / 2`` times the minimum of ``sum_j weights[j] * ||w_j||**2 / u_j`` over u
    in [0, 1] with a sum of at most k. With k of all it is ridge, with one coefficient
    half the squared sum of absolute values.

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    n_nonzero : int
        The number k, at least 1.
    groups : array-like of shape (size,)
        An integer for each coefficient; equal ones make a group. Distinct ones make
        each coefficient its own: ``range(size)``.
    weights : array-like of shape (n_groups,), default=None
        Factor of each group, above 0; None means 1.

    Raises
    ------
    ValueError
        If a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import SparseEnvelope
    >>> penalty = SparseEnvelope(1.0, 1, range(2))
    >>> penalty.value(np.array([1.0, -3.0]))
    8.0
    >>> penalty.prox(np.array([1.0, -3.0]), 1.0)
    array([ 0. , -1.5])
    """

    def __init__(self, alpha, n_nonzero, groups, *, weights=None):
        super().__init__(alpha, np.asarray(groups))
        if not isinstance(n_nonzero, Integral) or n_nonzero < 1:
            raise ValueError(
                f"n_nonzero must be an integer of at least 1; got {n_nonzero!r}."
            )
        self.n_nonzero = int(n_nonzero)
        self.weights = check_factors("weights", weights, self.groups.n, above_zero=True)

    def _sizes(self, w):
        return np.sqrt(self.weights) * self.groups.norms(w)

    def _split(self, sizes):
        """Find the sizes at full share.

        Returns
        -------
        full : ndarray of bool
            Where u is 1.
        rest : float
            Sum of the other sizes.
        share : int
            What is left of k for them, at least 1 if there are any.
        """
        k = self.n_nonzero
        if np.count_nonzero(sizes) <= k:
            return sizes > 0.0, 0.0, 1
        order = np.argsort(-sizes, kind="stable")
        falling = sizes[order]
        tails = np.cumsum(falling[::-1])[::-1][:k]
        # The first of the rest must get a share of at most 1.
        n = int(np.argmax(falling[:k] * (k - np.arange(k)) <= tails))
        full = np.zeros(sizes.size, dtype=bool)
        full[order[:n]] = True
        return full, float(tails[n]), k - n

    def _value(self, w):
        sizes = self._sizes(w)
        full, rest, share = self._split(sizes)
        squares = float(sizes[full] @ sizes[full])
        return 0.5 * self.alpha * (squares + rest * rest / share)

    def _prox(self, v, step):
        """By the root of a piecewise linear function."""
        strength = step * self.alpha
        if strength == 0.0:
            return v.copy()
        beta = strength * self.weights
        norms = self.groups.norms(v)
        unit = norms.max(initial=0.0)
        u = np.ones(norms.size)
        if np.count_nonzero(norms) > self.n_nonzero:
            seen = np.flatnonzero(norms)
            u[:] = 0.0
            a = np.sqrt(beta[seen]) * (norms[seen] / unit)
            u[seen] = _shares(a, beta[seen], self.n_nonzero)
        return v * (u / (u + beta))[self.groups.index]

    def _top(self, u):
        """Sizes of a dual point, and the k-th largest of them."""
        sizes = self.groups.norms(u) / np.sqrt(self.weights)
        k = min(self.n_nonzero, sizes.size)
        falling = np.partition(sizes, sizes.size - k)[sizes.size - k :]
        return sizes, falling

    def first_direction(self, u):
        """Direction of the minimum where alpha is large: the k largest gradients.

        At strength alpha, no coefficients lower the objective by more than
        ``u @ first_direction(u) / (2 * alpha)``, the conjugate.

        Parameters
        ----------
        u : ndarray of shape (size,)
            Negative gradient at zero.

        Returns
        -------
        ndarray of shape (size,)
            The limit of alpha times the minimum as alpha grows.
        """
        sizes, top = self._top(u)
        order = np.argsort(-sizes, kind="stable")[: top.size]
        factors = np.zeros(sizes.size)
        factors[order] = 1.0 / self.weights[order]
        return u * factors[self.groups.index]

    def _critical_alpha(self, u):
        """Infinite: like ridge it leaves coefficients nonzero at any strength."""
        return math.inf if np.any(u) else 0.0

    def _scaling(self, u):
        return 1.0  # the conjugate is finite everywhere

    def _conjugate(self, u):
        """Half the sum of the k largest ``||u_j||**2 / weights[j]``, over alpha."""
        _, top = self._top(u)
        return 0.5 * float(top @ top) / self.alpha

    def _activity(self, u, slack):
        """Size of the gradient of those among the k largest."""
        sizes, top = self._top(u)
        return np.where(sizes >= slack * top.min(), sizes, 0.0)[self.groups.index]

    def _piece(self, w):
        """Which groups share what stays."""
        groups, alpha = self.groups, self.alpha
        norms = groups.norms(w)
        full, rest, share = self._split(np.sqrt(self.weights) * norms)
        if alpha == 0.0:
            full = np.ones_like(full)
        shared = (norms > 0.0) & ~full
        active = np.flatnonzero((full | shared)[groups.index])
        of = groups.index[active]
        bounded = shared[of] & (groups.sizes[of] == 1)
        sign = np.where(bounded & (w[active] < 0.0), -1.0, 1.0)
        z = sign * w[active]
        root = np.sqrt(self.weights)[of] * shared[of]
        unit = z / np.where(norms > 0.0, norms, 1.0)[of]
        level = alpha * rest / share  # derivative in each size that shares
        slope = root * unit
        ridge = alpha * self.weights[of] * full[of]
        gradient = level * slope + ridge * z
        # Norms bend across their direction, and the squared sum of them along it.
        bend = level * root / np.where(norms > 0.0, norms, 1.0)[of]
        same = of[:, None] == of
        hessian = same * (-unit[:, None] * (bend * unit))
        hessian += alpha / share * np.outer(slope, slope)
        hessian[np.diag_indices(active.size)] += bend + ridge
        return Piece(active, sign, None, z, gradient, hessian, bounded)


def _shares(a, beta, k):
    """Solve ``sum(clip(eta * a - beta, 0, 1)) = k`` for eta; return the terms.

    The sum is piecewise linear in eta and grows from 0 to more than k.
    """
    enters, fills = beta / a, (1.0 + beta) / a
    ends = np.concatenate([enters, fills])
    order = np.argsort(ends, kind="stable")
    ends = ends[order]
    slopes = np.cumsum(np.concatenate([a, -a])[order])
    sums = np.concatenate([[0.0], np.cumsum(slopes[:-1] * np.diff(ends))])
    # Afresh on its segment, where no rounding has gathered.
    last = min(int(np.searchsorted(sums, k, side="right")), ends.size - 1)
    middle = 0.5 * (ends[last - 1] + ends[last])
    full = fills <= middle
    part = (enters < middle) & ~full
    if not part.any():
        return full.astype(np.float64)
    eta = (k - np.count_nonzero(full) + beta[part].sum()) / a[part].sum()
    return np.clip(eta * a - beta, 0.0, 1.0)
