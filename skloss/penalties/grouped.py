"""Group lasso and sparse group lasso: whole groups of coefficients are zero.

M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped
variables", JRSS B 68(1), 2006; N. Simon, J. Friedman, T. Hastie, R. Tibshirani,
"A sparse-group lasso", JCGS 22(2), 2013.
"""

import math

import numpy as np

from skloss.penalties._group_kernels import critical, shrunk_norms
from skloss.penalties._groups import GroupedPenalty, check_factors
from skloss.penalties._vector_contract import Blocks, Piece

__all__ = ["GroupLasso", "SparseGroupLasso"]


class _Grouped(GroupedPenalty):
    """``alpha * sum_g (l1_ratio * ||w_g||_1 + (1 - l1_ratio) * weights[g] * ||w_g||)``.

    Infinite for negative coefficients if `positive`.
    """

    def __init__(self, alpha, groups, l1_ratio, weights, positive):
        super().__init__(alpha, groups)
        if not 0 <= l1_ratio <= 1:
            raise ValueError(f"l1_ratio must be from 0 to 1; got {l1_ratio!r}.")
        self.l1_ratio, self.positive = float(l1_ratio), bool(positive)
        if weights is None:
            weights = np.sqrt(self.groups.sizes)
        self.weights = check_factors("weights", weights, self.groups.n)

    def _strengths(self):
        l1 = self.alpha * self.l1_ratio
        return l1, self.alpha * (1.0 - self.l1_ratio) * self.weights

    def _norms(self, v, l1=0.0, positive=False):
        """Norms of the groups after soft thresholds."""
        groups, norms = self.groups, np.empty(self.groups.n)
        shrunk_norms(v[groups.order], groups.starts, float(l1), positive, norms)
        return norms

    def _value(self, w):
        if self.positive and (w < 0.0).any():
            return math.inf
        l1, l2 = self._strengths()
        return l1 * np.abs(w).sum() + l2 @ self._norms(w)

    def _prox(self, v, step):
        """Coefficients shrink, then groups do."""
        l1, l2 = self._strengths()
        l1, l2 = step * l1, step * l2
        if self.positive:
            v = np.maximum(v - l1, 0.0)
        elif l1 > 0.0:
            v = np.maximum(v - l1, 0.0) + np.minimum(v + l1, 0.0)
        norms, factors = self._norms(v), np.zeros(self.groups.n)
        kept = norms > l2
        factors[kept] = 1.0 - l2[kept] / norms[kept]
        return factors[self.groups.index] * v

    def _critical_alpha(self, u):
        l1, l2 = self.with_alpha(1.0)._strengths()
        groups = self.groups
        return critical(u[groups.order], groups.starts, l1, l2, self.positive)

    def _part(self, w, u, s):
        if self.positive and (w < 0.0).any():
            return math.inf
        l1, l2 = self._strengths()
        parts = self.groups.sums(l1 * np.abs(w) - s * u * w) + l2 * self._norms(w)
        free = self._free_groups()
        if free.any():
            parts[free] = s * self.groups.sums(np.abs(u * w))[free]
        return np.maximum(parts, 0.0).sum()  # nan stays nan

    def _activity(self, u, slack):
        """How far the gradient of each group is beyond what keeps the group at zero."""
        l1, l2 = self._strengths()
        beyond = self._norms(u, slack * l1, self.positive) - slack * l2
        beyond[self._free_groups()] = math.inf
        return np.maximum(beyond, 0.0)[self.groups.index]

    def _free_groups(self):
        l1, l2 = self._strengths()
        return np.zeros(l2.size, dtype=bool) if l1 > 0.0 else l2 == 0.0

    @property
    def free(self):
        """Mask of coefficients without a penalty, but perhaps a sign."""
        return self._free_groups()[self.groups.index]

    def blocks(self):
        """Return the groups and their factors.

        Returns
        -------
        Blocks
            The penalty.
        """
        l1, l2 = self._strengths()
        return Blocks(self.groups.order, self.groups.starts, l1, l2, self.positive)

    def _piece(self, w):
        """Keep the groups and signs."""
        l1, l2 = self._strengths()
        groups = self.groups
        norms = groups.norms(w)
        signed = l1 > 0.0 or self.positive
        # With signs, coefficients of a group may be zero alone.
        moves = (norms > 0.0) | (l2 == 0.0)
        active = np.flatnonzero(w if signed else moves[groups.index])
        of = groups.index[active]
        bounded = signed | (groups.sizes[of] == 1) & (l2[of] > 0.0)
        bounded &= w[active] != 0.0
        sign = np.where(bounded & (w[active] < 0.0), -1.0, 1.0)
        z = sign * w[active]
        unit = z / np.where(norms > 0.0, norms, 1.0)[of]
        curvature = l2 / np.where(norms > 0.0, norms, np.inf)
        same = of[:, None] == of
        hessian = same * (-unit[:, None] * (curvature[of] * unit))
        hessian[np.diag_indices(active.size)] += curvature[of]
        gradient = l1 * bounded + l2[of] * unit
        return Piece(active, sign, None, z, gradient, hessian, bounded)


class GroupLasso(_Grouped):
    """Sum of the norms of groups: a group is zero as a whole, or none of it.

    ``alpha * sum_g weights[g] * ||w_g||``

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    groups : array-like of shape (size,)
        An integer for each coefficient; equal ones make a group.
    weights : array-like of shape (n_groups,), default=None
        Factor of each group, in the order of their labels; 0 frees a group. None means
        the square roots of their sizes.
    positive : bool, default=False
        Whether coefficients must be at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import GroupLasso
    >>> penalty = GroupLasso(1.0, [0, 0, 1], weights=[1.0, 2.0])
    >>> penalty.value(np.array([3.0, 4.0, -1.0]))
    7.0
    >>> penalty.prox(np.array([3.0, 4.0, -1.0]), 1.0)
    array([ 2.4,  3.2, -0. ])
    """

    def __init__(self, alpha, groups, *, weights=None, positive=False):
        super().__init__(alpha, groups, 0.0, weights, positive)


class SparseGroupLasso(_Grouped):
    """Group lasso and lasso together: few groups, and few coefficients in them.

    ``alpha * sum_g (l1_ratio * ||w_g||_1 + (1 - l1_ratio) * weights[g] * ||w_g||)``

    Parameters
    ----------
    alpha : float
        Strength, at least 0.
    groups : array-like of shape (size,)
        An integer for each coefficient; equal ones make a group.
    l1_ratio : float, default=0.5
        From 0, which is the group lasso, to 1, which is the lasso.
    weights : array-like of shape (n_groups,), default=None
        Factor of each group's norm, in the order of their labels. None means the
        square roots of their sizes.
    positive : bool, default=False
        Whether coefficients must be at least 0.

    Examples
    --------
    >>> import numpy as np
    >>> from skloss.penalties import SparseGroupLasso
    >>> penalty = SparseGroupLasso(1.0, [0, 0, 1], weights=[1.0, 2.0])
    >>> penalty.value(np.array([3.0, 4.0, -1.0]))
    7.5
    """

    def __init__(self, alpha, groups, l1_ratio=0.5, *, weights=None, positive=False):
        super().__init__(alpha, groups, l1_ratio, weights, positive)
