"""Columns of unit mean square, and those of their Gram matrix that are needed."""

from typing import NamedTuple

import numpy as np
from scipy import linalg
from scipy.optimize import nnls

from skloss.sparse._subset_columns import CONSTANT, standardised
from skloss.sparse._subset_kernels import Grams

__all__ = ["Layout", "SubsetDesign", "SubsetFit"]

_CACHE = 1 << 25  # numbers that the cached Gram columns may take: 256 MB
_BLOCK = 128  # Gram columns computed at a time
_TINY = 1e-6  # root of a ridge that changes nothing but rounding
_DEPENDENT = 1e-10  # pivot beside the largest below which columns are dependent
_ROOM = 64  # Gram columns for which there is room at the start


class Layout(NamedTuple):
    """Which columns enter together.

    Parameters
    ----------
    members : ndarray of intp
        Columns, group by group.
    starts : ndarray of shape (n_groups + 1,), intp
        Where the groups begin.
    within : ndarray
        Gram matrices of the groups, one after the other.
    offsets : ndarray of shape (n_groups,), intp
        Where they begin.
    """

    members: np.ndarray
    starts: np.ndarray
    within: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, design, labels=None):
        """Layout of labelled columns; without labels, each is a group.

        Columns that are constant are in no group.
        """
        if labels is None:
            labels = np.arange(design.n_columns)
        order = np.argsort(labels, kind="stable")
        members = order[design.usable[order]]
        values = np.unique(labels)
        starts = np.searchsorted(labels[members], [*values, values[-1] + 1])
        sizes = np.diff(starts)
        if sizes.max() <= 1:
            within = np.ones(len(members))
        else:
            blocks = [design.columns.at(part) for part in np.split(members, starts[1:])]
            within = np.concatenate([(Z.T @ Z).ravel() for Z in blocks])
        offsets = np.concatenate([[0], np.cumsum(sizes**2)[:-1]])
        return cls(*map(np.ascontiguousarray, (members, starts, within, offsets)))

    def columns(self, items):
        """Columns of some groups."""
        parts = [self.members[self.starts[h] : self.starts[h + 1]] for h in items]
        return np.concatenate([np.zeros(0, dtype=np.intp), *parts])


class SubsetFit:
    """Coefficients of a support.

    Parameters
    ----------
    design : SubsetDesign
        Data.
    support : ndarray of intp
        Columns.
    Z, y : ndarray of shape (m, k) and (m,)
        Its standardised columns and the target, or what an orthogonal matrix makes of
        them.

    Attributes
    ----------
    support : ndarray of shape (k,), intp
        Sorted columns.
    coef : ndarray of shape (k,)
        Coefficients in the units of the data.
    rss : float
        Mean squared residual.
    objective : float
        Half of it, and the ridge penalty.
    """

    def __init__(self, design, support, Z, y):
        self.support = support
        u = design.solve(Z, y)
        residual = y - Z @ u
        self.rss = float(residual @ residual) * design.y_square
        penalty = design.l2 * float(u @ u) * design.y_square
        self.objective = 0.5 * (self.rss + penalty)
        self.coef = u * np.sqrt(design.y_square) / design.scale[self.support]
        self.freedom = _freedom(Z, design.l2)


def _freedom(Z, l2):
    """Effective number of coefficients: the trace of the hat matrix."""
    if not l2:
        return float(Z.shape[1])
    squares = np.linalg.svd(Z, compute_uv=False) ** 2
    return float((squares / (squares + l2)).sum())


class _GramCache:
    """Columns of a Gram matrix, computed when they are first asked for.

    Parameters
    ----------
    columns : object
        Standardised columns.
    n_columns : int
        Their number.
    """

    def __init__(self, columns, n_columns):
        self.columns, self.n_columns = columns, n_columns
        self.most = _CACHE // n_columns
        self.slot = np.full(n_columns, -1, dtype=np.intp)
        self.count = np.zeros(1, dtype=np.intp)
        room = min(_ROOM, self.most, n_columns)
        rows = np.empty((room, n_columns))
        self.grams = Grams(rows, self.slot, self.count, *columns.table)

    def require(self, wanted):
        new = wanted[self.slot[wanted] < 0]
        if not new.size:
            return
        if self.count[0] + new.size > max(2 * len(wanted), self.most):
            self.slot[:] = -1
            self.count[0], new = 0, wanted
        self._add(np.unique(new) if len(new) > 1 else new)

    def require_all(self):
        self._add(np.flatnonzero(self.slot < 0))

    def _add(self, new):
        n_cached, rows = self.count[0], self.grams.rows
        total = n_cached + len(new)
        if total > len(rows):
            bigger = np.empty(
                (min(max(total, 2 * len(rows)), self.n_columns), rows.shape[1])
            )
            bigger[:n_cached] = rows[:n_cached]
            self.grams = self.grams._replace(rows=bigger)
        for start in range(0, len(new), _BLOCK):
            self._compute(new[start : start + _BLOCK])

    def _compute(self, new):
        first = self.count[0]
        stop, rows = first + len(new), self.grams.rows
        Z = self.columns.at(new)
        if len(new) == 1:  # a product with a vector is the faster one
            self.columns.back_product(Z[:, 0].copy(), out=rows[first])
        else:
            rows[first:stop] = self.columns.back_product(Z).T
        self.slot[new] = np.arange(first, stop)
        self.count[0] = stop


def _ridged(Z, y, root):
    """Add rows that stand for a ridge, given by its root."""
    if not root:
        return Z, y
    k = Z.shape[1]
    return np.concatenate([Z, root * np.eye(k)]), np.concatenate([y, np.zeros(k)])


def _triangle(Z, y):
    """Triangular factor of columns and a target."""
    k = Z.shape[1]
    A = np.empty((len(Z), k + 1), order="F")
    A[:, :k], A[:, k] = Z, y
    R = linalg.lapack.dgeqrf(A, overwrite_a=True)[0][: k + 1]
    R[np.tri(*R.shape, -1, dtype=bool)] = 0.0
    return R


class SubsetDesign:
    """Weighted, centred columns scaled to mean square 1; so is the target.

    Gram columns are computed when they are first asked for.

    Parameters
    ----------
    X : ndarray or CSC array of shape (n, d)
        Rows.
    y : ndarray of shape (n,)
        Target.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    center : bool
        Whether there is an intercept.
    l2 : float
        Ridge penalty in the units of the scaled columns.
    positive : bool
        Whether coefficients must not be negative.
    """

    def __init__(self, X, y, weight, *, center, l2=0.0, positive=False):
        if not weight.all():
            kept = np.flatnonzero(weight)
            X, y, weight = X[kept], y[kept], weight[kept]
        self.l2, self.positive = l2, positive
        self.diagonal = 1.0 + l2
        self.columns = standardised(X, weight, center)
        self.n_rows, self.n_columns = X.shape
        self.center, self.scale = self.columns.mean, self.columns.scale
        self.usable = self.columns.shrink > 0
        self.y_center = float(weight @ y) if center else 0.0
        if center:
            self.y_center += float(weight @ (y - self.y_center))
        y = y - self.y_center
        self.y_square = float(weight @ y**2)
        self.is_constant = np.sqrt(self.y_square) <= CONSTANT * abs(self.y_center)
        unit = 1.0 if self.is_constant else np.sqrt(self.y_square)
        self.y = np.sqrt(weight) * (y / unit)
        self.q = self.columns.back_product(self.y)
        self.blocked = np.where(self.usable, 0.0, np.inf)
        self._gram = _GramCache(self.columns, self.n_columns)

    @property
    def grams(self):
        """Gram columns that were needed so far."""
        return self._gram.grams

    def with_l2(self, l2):
        """Return the same data with another ridge penalty."""
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        other.l2, other.diagonal = l2, 1.0 + l2
        return other

    def solve(self, Z, y):
        """Coefficients of columns for a target, by QR."""
        k = Z.shape[1]
        if not k or self.is_constant:
            return np.zeros(k)
        Z, y = self._with_ridge(Z, y)
        R = _triangle(Z, y)[:k]
        pivots = np.abs(R.diagonal())
        are_apart = len(pivots) == k and pivots.min() > _DEPENDENT * pivots.max()
        if self.positive:
            # Of dependent columns a ridge that is next to nothing keeps the smallest.
            return nnls(*_ridged(Z, y, 0.0 if are_apart else _TINY))[0]
        if are_apart:
            return linalg.lapack.dtrtrs(R[:, :k], R[:, k])[0]
        return linalg.lstsq(
            Z, y, cond=_DEPENDENT, lapack_driver="gelsy", check_finite=False
        )[0]

    def _with_ridge(self, Z, y):
        return _ridged(Z, y, np.sqrt(self.l2))

    def fit(self, support):
        """Fit a support.

        Returns
        -------
        SubsetFit
        """
        support = np.sort(np.asarray(support, dtype=np.intp))
        return SubsetFit(self, support, self.columns.at(support), self.y)

    def fits(self, supports):
        """Fit supports, from one decomposition of all of their columns.

        Returns
        -------
        list of SubsetFit
        """
        columns, reduced = self._reduced(supports)
        if reduced is None:
            return [self.fit(support) for support in supports]
        Z, y = reduced[:, :-1], reduced[:, -1]
        places = [np.searchsorted(columns, np.sort(support)) for support in supports]
        return [SubsetFit(self, columns[at], Z[:, at], y) for at in places]

    def mean_squares_left(self, supports):
        """Mean squared residuals of supports of independent columns, without ridge.

        Returns
        -------
        ndarray of shape (n_supports,)
        """
        if not supports:
            return np.zeros(0)
        columns, reduced = self._reduced(supports)
        if reduced is None or self.l2 or self.positive or self.is_constant:
            return np.array([fit.rss for fit in self.fits(supports)])
        sizes = np.array([len(support) for support in supports])
        held = np.arange(sizes.max()) < sizes[:, None]
        stack = np.zeros((len(sizes), sizes.max() + 1, len(reduced)))
        stack[:, -1] = reduced[:, -1]
        at = np.searchsorted(columns, np.concatenate(supports))
        stack[:, :-1][held] = reduced.T[at]
        # The rows beside columns of zeros hold parts of the residual, too.
        parts = np.linalg.qr(stack.transpose(0, 2, 1), mode="r")[:, :, -1] ** 2
        left = parts[:, ::-1].cumsum(axis=1)[:, ::-1]
        return left[np.arange(len(sizes)), sizes] * self.y_square

    def _reduced(self, supports):
        """Columns of supports, and the triangle of them and of the target.

        It is None if it would not be smaller than the data.
        """
        columns = np.unique(np.concatenate([np.zeros(0, dtype=np.intp), *supports]))
        if len(columns) >= self.n_rows:
            return columns, None
        return columns, _triangle(self.columns.at(columns), self.y)

    def require(self, wanted):
        """Put Gram columns into the cache; if it is full, all others leave."""
        self._gram.require(wanted)

    def require_all(self):
        """Put the whole Gram matrix into the cache."""
        self._gram.require_all()

    def gram(self):
        """Whole Gram matrix (d, d), without ridge, symmetric."""
        self.require_all()
        gram = self.grams.rows[self.grams.slot]
        gram = 0.5 * (gram + gram.T)
        np.fill_diagonal(gram, np.where(self.usable, 1.0, 0.0))
        return gram

    def losses(self, order):
        """Losses of the first columns of an order, cached: of one, of two, and so on.

        Parameters
        ----------
        order : ndarray of shape (k,), intp
            Columns.

        Returns
        -------
        ndarray of shape (k,)
            Shorter if columns depend on those before them.
        """
        if not len(order):
            return np.zeros(0)
        gram = self.grams.rows[self.grams.slot[order]][:, order]
        gram[np.diag_indices_from(gram)] = self.diagonal
        root, info = linalg.lapack.dpotrf(gram, lower=True)
        held = len(order) if not info else info - 1
        root, q = root[:held, :held], self.q[order[:held]]
        return 1.0 - np.cumsum(linalg.lapack.dtrtrs(root, q, lower=True)[0] ** 2)

    def least_loss(self):
        """Loss with all columns, which no subset can be below."""
        usable = np.flatnonzero(self.usable)
        if len(usable) >= self.n_rows - 1:
            return 0.0
        return 2.0 * self.fit(usable).objective / self.y_square

    def lowest_equals(self, support):
        """Replace columns by the first columns equal to them.

        Parameters
        ----------
        support : ndarray of intp
            Columns.

        Returns
        -------
        ndarray of intp
        """
        chosen = support.copy()
        if not self.have_equals(chosen):
            return chosen
        close = self.grams.rows[self.grams.slot[chosen]] > 1.0 - 1e-12
        for at, j in enumerate(chosen):
            for i in np.flatnonzero(close[at, :j]):
                if i not in chosen and self._equal(i, j):
                    chosen[at] = i
                    break
        return chosen

    def have_equals(self, columns):
        """Whether other columns may be equal to some."""
        self.require(columns)
        close = self.grams.rows[self.grams.slot[columns]] > 1.0 - 1e-12
        return np.count_nonzero(close) > len(columns)  # each is to itself

    def _equal(self, i, j):
        X = self.columns.X[:, [i, j]]
        X = X.toarray() if hasattr(X, "toarray") else X
        return np.array_equal(X[:, 0], X[:, 1])
