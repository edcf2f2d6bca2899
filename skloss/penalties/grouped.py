"""Group lasso and sparse group lasso: whole groups of coefficients are zero.

M. Yuan and Y. Lin, "Model selection and estimation in regression with grouped
variables", JRSS B 68(1), 2006; N. Simon, J. Friedman, T. Hastie, R. Tibshirani,
"A sparse-group lasso", JCGS 22(2), 2013.
"""

import math

import numpy as np

from skloss._jit import kernel
from skloss.penalties._groups import Groups, check_factors
from skloss.penalties._vector_contract import Blocks, Piece, VectorPenalty

__all__ = ["GroupLasso", "SparseGroupLasso"]


@kernel
def _dual_norm(size, starts, l1, l2):
    """Largest over groups of the t with ``||(size_g - t * l1)_+|| = t * l2[g]``.

    Parameters
    ----------
    size : ndarray of shape (p,)
        Numbers of at least 0, group by group, falling within each group.
    starts : ndarray of shape (n_groups + 1,), intp
        Where the groups begin.
    l1 : float
        Factor of absolute values.
    l2 : ndarray of shape (n_groups,)
        Factors of norms; groups with both 0 are passed over.
    """
    largest = 0.0
    for g in range(l2.size):
        begin, end = starts[g], starts[g + 1]
        unit, b = size[begin], l2[g]
        if unit == 0.0 or (l1 == 0.0 and b == 0.0):
            continue
        total = square = 0.0
        for i in range(begin, end):
            x = size[i] / unit
            total += x
            square += x * x
            n = i + 1 - begin
            if l1 > 0.0 and i + 1 < end:
                # At t = y / l1 the next one vanishes; is the root beyond that?
                y = size[i + 1] / unit
                if square - 2.0 * y * total + n * y * y > (y * b / l1) ** 2:
                    break
        root = l1 * l1 * (total * total - n * square) + b * b * square
        t = square / (l1 * total + math.sqrt(max(root, 0.0)))
        largest = max(largest, t * unit)
    return largest


class _Grouped(VectorPenalty):
    """``alpha * sum_g (l1_ratio * ||w_g||_1 + (1 - l1_ratio) * weights[g] * ||w_g||)``.

    Infinite for negative coefficients if `positive`.
    """

    def __init__(self, alpha, groups, l1_ratio, weights, positive):
        self.groups = Groups(groups)
        super().__init__(alpha, self.groups.index.size)
        if not 0 <= l1_ratio <= 1:
            raise ValueError(f"l1_ratio must be from 0 to 1; got {l1_ratio!r}.")
        self.l1_ratio, self.positive = float(l1_ratio), bool(positive)
        if weights is None:
            weights = np.sqrt(self.groups.sizes)
        self.weights = check_factors("weights", weights, self.groups.n)

    def _strengths(self):
        l1 = self.alpha * self.l1_ratio
        return l1, self.alpha * (1.0 - self.l1_ratio) * self.weights

    def value(self, w):
        """Penalty of coefficients.

        Parameters
        ----------
        w : ndarray of shape (size,)
            Coefficients.

        Returns
        -------
        float
            The number.
        """
        if self.positive and w.min(initial=0.0) < 0.0:
            return math.inf
        l1, l2 = self._strengths()
        return float(l1 * np.abs(w).sum() + l2 @ self.groups.norms(w))

    def _shrunk(self, v, l1):
        """Soft threshold, where the sign is that of the coefficients allowed."""
        if self.positive:
            return np.maximum(v - l1, 0.0)
        return np.sign(v) * np.maximum(np.abs(v) - l1, 0.0) if l1 else v

    def prox(self, v, step):
        """Proximal operator: coefficients shrink, then groups do.

        Parameters
        ----------
        v : ndarray of shape (size,)
            Point.
        step : float
            Step length.

        Returns
        -------
        ndarray of shape (size,)
            One for each coefficient.
        """
        l1, l2 = self._strengths()
        v = self._shrunk(v, step * l1)
        norms = self.groups.norms(v)
        kept = norms > step * l2
        factors = np.where(kept, 1.0 - step * l2 / np.where(kept, norms, 1.0), 0.0)
        return v * factors[self.groups.index]

    def _dual_norm(self, u):
        """Smallest alpha for which u is feasible, on groups that are penalised."""
        size = np.maximum(u, 0.0) if self.positive else np.abs(u)
        groups = self.groups
        l2 = (1.0 - self.l1_ratio) * self.weights
        if self.l1_ratio == 0.0:
            norms, bound = groups.norms(size), l2 > 0
            return float((norms[bound] / l2[bound]).max(initial=0.0))
        order = np.lexsort((-size, groups.index))
        return _dual_norm(size[order], groups.starts, self.l1_ratio, l2)

    def critical_alpha(self, u):
        """Smallest alpha at which all penalised coefficients are zero.

        Parameters
        ----------
        u : ndarray of shape (size,)
            Negative gradient where they are.

        Returns
        -------
        float
            The number.
        """
        return self._dual_norm(u)

    def gap(self, w, u):
        """Scaling of a dual point and the penalty's part of the duality gap.

        Parameters
        ----------
        w, u : ndarray of shape (size,)
            Coefficients and dual point.

        Returns
        -------
        tuple of float
            The scaling s and the part of the gap.
        """
        s = 1.0
        if self.alpha > 0.0:
            norm = self._dual_norm(u)
            if norm > self.alpha:
                s = self.alpha / norm * (1.0 - 1e-15)
        if self.positive and w.min(initial=0.0) < 0.0:
            return s, math.inf
        l1, l2 = self._strengths()
        groups = self.groups
        primal = l1 * groups.sums(np.abs(w)) + l2 * groups.norms(w)
        parts = primal - s * groups.sums(u * w)
        free = self._free_groups()
        parts[free] = s * groups.sums(np.abs(u * w))[free]
        return s, float(np.maximum(parts, 0.0).sum())

    def activity(self, u, slack):
        """How far the gradient of each group is beyond what keeps the group at zero.

        Parameters
        ----------
        u : ndarray of shape (size,)
            Negative gradient.
        slack : float
            Factor of the penalty.

        Returns
        -------
        ndarray of shape (size,)
            One for each coefficient.
        """
        l1, l2 = self._strengths()
        excess = self.groups.norms(self._shrunk(u, slack * l1)) - slack * l2
        excess[self._free_groups()] = math.inf
        return np.maximum(excess, 0.0)[self.groups.index]

    def _free_groups(self):
        l1, l2 = self._strengths()
        return (l2 == 0.0) & (l1 == 0.0)

    @property
    def free(self):
        """Mask of coefficients without a penalty, but perhaps a sign."""
        return self._free_groups()[self.groups.index]

    def closure(self, columns):
        """Add the rest of the groups of some columns.

        Parameters
        ----------
        columns : ndarray of intp
            Distinct coefficients.

        Returns
        -------
        ndarray of intp
            The coefficients.
        """
        return self.groups.closure(columns)

    def restrict(self, columns):
        """Return the penalty of coefficients that are zero but for some groups.

        Parameters
        ----------
        columns : ndarray of intp
            Distinct coefficients.

        Returns
        -------
        VectorPenalty
            The penalty.
        """
        groups, which = self.groups.restrict(columns)
        return self._changed(
            groups=groups, weights=self.weights[which], size=columns.size
        )

    def blocks(self):
        """Return the groups and their factors.

        Returns
        -------
        Blocks
            The penalty.
        """
        l1, l2 = self._strengths()
        return Blocks(self.groups.order, self.groups.starts, l1, l2, self.positive)

    def piece(self, w):
        """Smooth piece around a point: the groups and signs stay.

        Parameters
        ----------
        w : ndarray of shape (size,)
            Coefficients.

        Returns
        -------
        Piece
            The penalty.
        """
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
