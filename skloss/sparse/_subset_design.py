"""Columns of unit mean square, and those of their Gram matrix that are needed."""

from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse
from scipy.optimize import nnls

from skloss.solvers._columns import columns_of
from skloss.sparse._subset_kernels import Grams

__all__ = ["Layout", "SubsetDesign", "SubsetFit"]

_COPIED = 1 << 27  # numbers up to which dense data are copied: 1 GB

_CACHE = 1 << 25  # numbers that the cached Gram columns may take: 256 MB
_BLOCK = 128  # Gram columns computed at a time
_ROOM = 64  # Gram columns for which there is room at the start
_CONSTANT = 8 * np.finfo(np.float64).eps  # spread of a column beside its mean


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

    def __init__(self, design, support):
        self.support = np.sort(np.asarray(support, dtype=np.intp))
        Z = design.columns.at(self.support)
        u = design.solve(Z)
        residual = design.y - Z @ u
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


class _CopiedColumns:
    """Standardised copy of a dense design, times the square roots of the weights."""

    def __init__(self, X, weight, center):
        self.X, self.mean = X, np.zeros(X.shape[1])
        Z = X.astype(np.float64, order="C")
        if center:
            self.mean += _subtract_mean(Z, weight)
            self.mean += _subtract_mean(Z, weight)  # what rounding has left
        # Equal weights, which are the rule, save a pass over the data.
        root = np.sqrt(weight) if np.ptp(weight) else np.sqrt(weight[:1])
        if len(root) > 1:
            Z *= root[:, None]
        square = np.einsum("ij,ij->j", Z, Z)
        self.scale = np.sqrt(square) if len(root) > 1 else np.sqrt(square) * root
        self.shrink = _shrink(self.scale, self.mean)
        Z *= self.shrink if len(root) > 1 else self.shrink * root
        self.Z = Z

    def at(self, support):
        return self.Z[:, support]

    def back_product(self, r, out=None):
        return np.dot(self.Z.T, r, out=out)


def _subtract_mean(Z, weight):
    """Subtract the weighted means in place; return them."""
    shift = weight @ Z
    if shift.any():
        Z -= shift
    return shift


class _CentredColumns:
    """The same for sparse or large designs, of which there is no copy."""

    def __init__(self, X, weight, center):
        self.columns = columns_of(X, weight, center)
        self.X, self.mean = X, self.columns.center
        self.root = np.sqrt(weight)[:, None]
        self.scale = np.sqrt(self.columns.squares())
        self.shrink = _shrink(self.scale, self.mean)

    def at(self, support):
        return (
            self.columns.scores_at(support, np.diag(self.shrink[support])) * self.root
        )

    def back_product(self, r, out=None):
        root = self.root if r.ndim == 2 else self.root[:, 0]
        product = self.columns.back_product(root * r)
        return np.multiply(product.T, self.shrink, out=out).T


def _shrink(scale, mean):
    """One over the scale; 0 for columns that are constant up to rounding."""
    usable = scale > _CONSTANT * np.abs(mean)
    return np.divide(1.0, scale, out=np.zeros_like(scale), where=usable)


class _GramCache:
    """Columns of a Gram matrix, computed when they are first asked for.

    Parameters
    ----------
    columns : _CopiedColumns or _CentredColumns
        Standardised columns.
    n_columns : int
        Their number.
    """

    def __init__(self, columns, n_columns):
        self.columns, self.n_columns = columns, n_columns
        self.most = _CACHE // n_columns
        self.slot = np.full(n_columns, -1, dtype=np.intp)
        self.count = np.zeros(1, dtype=np.intp)
        Z = getattr(columns, "Z", np.empty((0, n_columns)))
        room = min(_ROOM, self.most, n_columns)
        rows = np.empty((room, n_columns))
        self.grams = Grams(rows, self.slot, self.count, Z)

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
        copied = not sparse.issparse(X) and X.size <= _COPIED
        kind = _CopiedColumns if copied else _CentredColumns
        self.columns = kind(X, weight, center)
        self.n_rows, self.n_columns = X.shape
        self.center, self.scale = self.columns.mean, self.columns.scale
        self.usable = self.columns.shrink > 0
        self.y_center = float(weight @ y) if center else 0.0
        if center:
            self.y_center += float(weight @ (y - self.y_center))
        y = y - self.y_center
        self.y_square = float(weight @ y**2)
        self.is_constant = np.sqrt(self.y_square) <= _CONSTANT * abs(self.y_center)
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

    def solve(self, Z):
        """Coefficients of standardised columns, by QR."""
        k = Z.shape[1]
        if not k or self.is_constant:
            return np.zeros(k)
        Z, y = self._with_ridge(Z)
        if self.positive:
            return nnls(Z, y)[0]
        A = np.empty((len(Z), k + 1), order="F")
        A[:, :k], A[:, k] = Z, y
        R = linalg.lapack.dgeqrf(A, overwrite_a=True)[0][:k]
        pivots = np.abs(R.diagonal())
        if len(pivots) == k and pivots.min() > 1e-10 * pivots.max():
            return linalg.lapack.dtrtrs(R[:, :k], R[:, k])[0]
        # Columns of a group may depend on each other.
        return linalg.lstsq(Z, y, lapack_driver="gelsy", check_finite=False)[0]

    def _with_ridge(self, Z):
        """Return columns and target with rows that stand for the ridge."""
        if not self.l2:
            return Z, self.y
        k = Z.shape[1]
        ridge = np.sqrt(self.l2) * np.eye(k)
        return np.concatenate([Z, ridge]), np.concatenate([self.y, np.zeros(k)])

    def fit(self, support):
        """Fit a support.

        Returns
        -------
        SubsetFit
        """
        return SubsetFit(self, support)

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

    def lowest_equals(self, support):
        """Replace columns by the first columns equal to them.

        Parameters
        ----------
        support : ndarray of intp
            Columns, cached.

        Returns
        -------
        ndarray of intp
        """
        chosen = support.copy()
        close = self.grams.rows[self.grams.slot[chosen]] > 1.0 - 1e-12
        if np.count_nonzero(close) == len(chosen):  # each to itself
            return chosen
        for at, j in enumerate(chosen):
            for i in np.flatnonzero(close[at, :j]):
                if i not in chosen and self._equal(i, j):
                    chosen[at] = i
                    break
        return chosen

    def _equal(self, i, j):
        X = self.columns.X[:, [i, j]]
        X = X.toarray() if hasattr(X, "toarray") else X
        return np.array_equal(X[:, 0], X[:, 1])
