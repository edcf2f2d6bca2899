"""A better conditioned basis of a design, found from random supports.

Columns that a few random others nearly reproduce are replaced by what these leave of
them, round after round. The new basis ``X_c @ M`` is kept as the list of its rounds,
never as a matrix of all pairs of columns.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy import linalg, sparse

from skloss._validation import column_scale
from skloss.solvers._columns import columns_of

__all__ = [
    "FLOOR",
    "Basis",
    "DenseDesign",
    "Round",
    "Scaling",
    "Search",
    "SparseDesign",
    "count_distinct_rows",
    "find_rounds",
    "independent",
    "read_scaling",
]

FLOOR = 1e-6  # columns with less left of them are numerically dependent
_RANK_TOL = 1e-8  # pivots with less left of them are dependent
_PATIENCE = 5
_MOST_ROUNDS = 50
_AT_ONCE = 1 << 20  # numbers in a block of columns


class Scaling(NamedTuple):
    """How columns are standardised.

    Parameters
    ----------
    center : ndarray of shape (d,)
        Weighted means, or zeros.
    scale : ndarray of shape (d,)
        Roots of the weighted mean squares about them; 1 for constant columns.
    usable : ndarray of shape (d,), bool
        Columns that are neither constant nor equal to one before them.
    """

    center: np.ndarray
    scale: np.ndarray
    usable: np.ndarray


def read_scaling(X, weight, center):
    """Find out how the columns of X are standardised.

    Parameters
    ----------
    X : ndarray or CSC array of shape (n, d)
        Design.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    center : bool
        Whether to subtract means.

    Returns
    -------
    Scaling
    """
    columns = columns_of(X, weight, center)
    mean = np.zeros(X.shape[1])
    if center:
        mean = X.T @ weight if sparse.issparse(X) else columns.center.copy()
    deviation = np.sqrt(columns.squares())
    scale = column_scale(mean, deviation)
    seen = X if weight.all() else X[weight > 0]
    usable = _is_first(sparse.csc_array(seen) if sparse.issparse(X) else seen)
    usable &= (scale == deviation) & (deviation > 0)
    return Scaling(mean, scale, usable)


def count_distinct_rows(X, weight):
    """Count rows of positive weight, equal ones once.

    As many directions as random columns can have; unlike the number of rows it does
    not change when rows are repeated instead of weighted.
    """
    rows = X if weight.all() else X[weight > 0]
    rows = sparse.csc_array(rows.T) if sparse.issparse(X) else rows.T
    return int(_is_first(rows).sum())


def _is_first(X):
    """Say of each column whether no column before it is equal to it."""
    first, seen = np.zeros(X.shape[1], dtype=bool), {}
    for j, content in enumerate(_contents(X)):
        twins = seen.setdefault(hash(content), [])
        # Two contents may have one hash: look at the columns themselves.
        first[j] = not any(_equal(X, i, j) for i in twins)
        if first[j]:
            twins.append(j)
    return first


def _contents(X):
    """Yield the content of each column in bytes, the same for equal columns."""
    if sparse.issparse(X):
        for j in range(X.shape[1]):
            index, values = _stored(X, j)
            yield index.tobytes() + values.tobytes()
        return
    for columns in _blocks(X.shape[1], X.shape[0]):
        block = np.asfortranarray(X[:, columns] + X.dtype.type(0))  # no -0.0
        for j in range(block.shape[1]):
            yield block[:, j].tobytes()


def _stored(X, j):
    part = slice(X.indptr[j], X.indptr[j + 1])
    values = X.data[part]
    nonzero = values != 0
    return X.indices[part][nonzero].astype(np.int64), values[nonzero]


def _equal(X, i, j):
    if sparse.issparse(X):
        return all(map(np.array_equal, _stored(X, i), _stored(X, j)))
    return np.array_equal(X[:, i], X[:, j])


def _blocks(n_columns, n_rows):
    step = max(1, _AT_ONCE // max(1, n_rows))
    for start in range(0, n_columns, step):
        yield slice(start, min(start + step, n_columns))


class Round(NamedTuple):
    """Columns, and what some pivots leave of them.

    Parameters
    ----------
    pivots : ndarray of shape (k,), intp
        R, columns as they were before the round.
    columns : ndarray of shape (m,), intp
        V, the columns replaced.
    coef : ndarray of shape (k, m)
        C, least squares coefficients of V on R.
    left : ndarray of shape (m,)
        Root mean squares of the residuals, by which these are divided.
    """

    pivots: np.ndarray
    columns: np.ndarray
    coef: np.ndarray
    left: np.ndarray


class Basis:
    """The matrix ``M = D**-1 @ T_1 @ ... @ T_t``, factored.

    D has the scales of the columns on its diagonal. T of a round maps the unit vector
    of a column j in V to ``(e_j - sum(C[r, j] * e_r for r in R)) / left_j``, and no
    other. Each product costs ``t * k * len(V)`` per row.

    Parameters
    ----------
    scale : ndarray of shape (d,)
        Diagonal of D.
    rounds : list of Round
        In the order in which they were made.
    """

    def __init__(self, scale, rounds=()):
        self.scale, self.rounds = scale, list(rounds)

    @property
    def log_volume(self):
        """Logarithm of the determinant of ``D @ M``."""
        return float(-sum(np.log(r.left).sum() for r in self.rounds))

    def forward(self, Z):
        """Return ``Z @ M`` for rows Z (m, d), or for centred rows of a design."""
        return run_rounds(self.rounds, Z / self.scale)

    def backward(self, A):
        """Return ``A @ M**-1`` for rows A (m, d)."""
        A = A.copy()
        for r in reversed(self.rounds):
            A[:, r.columns] = A[:, r.columns] * r.left + A[:, r.pivots] @ r.coef
        return A * self.scale

    def apply(self, U):
        """Return ``U @ M.T``: original coefficients of each row of U (m, d)."""
        U = U.copy()
        for r in reversed(self.rounds):
            U[:, r.columns] /= r.left
            U[:, r.pivots] -= U[:, r.columns] @ r.coef.T
        return U / self.scale

    def solve(self, W):
        """Return the rows (m, d) of which `apply` makes W."""
        W = W * self.scale
        for r in self.rounds:
            W[:, r.pivots] += W[:, r.columns] @ r.coef.T
            W[:, r.columns] *= r.left
        return W


def run_rounds(rounds, A):
    """Return ``A @ T_1 @ ... @ T_t`` for rows A (m, d), which are overwritten."""
    for r in rounds:
        A[:, r.columns] = (A[:, r.columns] - A[:, r.pivots] @ r.coef) / r.left
    return A


class DenseDesign:
    """Standardised columns in the newest basis, stored: n * d numbers.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Design. It is copied.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    scaling : Scaling
        How its columns are standardised.
    """

    def __init__(self, X, weight, scaling):
        self.weight = weight
        self.A = np.empty(X.shape, order="F")
        for columns in _blocks(X.shape[1], X.shape[0]):
            block = self.A[:, columns]
            np.subtract(X[:, columns], scaling.center[columns], out=block)
            block /= scaling.scale[columns]

    def columns(self, indices):
        """Return a copy of some columns (n, m)."""
        return self.A[:, indices]

    def products(self, Q):
        """Products (k, d) of vectors Q (n, k) with all columns."""
        return Q.T @ self.A

    def replace(self, pivots, columns, coef):
        """Make a round: replace columns by what pivots leave of them."""
        at, left = self.A[:, pivots], np.empty(columns.size)
        for part in _blocks(columns.size, len(self.A)):
            rest = self.A[:, columns[part]] - at @ coef[:, part]
            left[part] = root_mean_squares(rest, self.weight)
            self.A[:, columns[part]] = rest / left[part]
        return Round(pivots, columns, coef, left)

    def repeat(self, done):
        """Make a round that is known."""
        at = self.A[:, done.pivots]
        for part in _blocks(done.columns.size, len(self.A)):
            rest = self.A[:, done.columns[part]] - at @ done.coef[:, part]
            self.A[:, done.columns[part]] = rest / done.left[part]

    def dense(self):
        """All columns (n, d), in Fortran order; they may be overwritten."""
        return self.A


class SparseDesign:
    """Standardised columns of a sparse design in the newest basis, made when asked for.

    Parameters
    ----------
    X : CSC array of shape (n, d)
        Design.
    weight : ndarray of shape (n,)
        Row weights, summing to 1.
    scaling : Scaling
        How its columns are standardised.
    """

    def __init__(self, X, weight, scaling):
        self.X, self.weight, self.scaling = X, weight, scaling
        self.rounds, self._history = [], []

    def columns(self, indices):
        """Return some columns (n, m), through all rounds."""
        center, scale, _ = self.scaling
        A = self.X[:, indices].toarray().astype(np.float64)
        A -= center[indices]
        A /= scale[indices]
        for done, (at, place) in zip(self.rounds, self._history):
            mine = np.flatnonzero(place[indices] >= 0)
            places = place[indices[mine]]
            A[:, mine] -= at @ done.coef[:, places]
            A[:, mine] /= done.left[places]
        return A

    def products(self, Q):
        """Products (k, d) of vectors Q (n, k) with all columns."""
        center, scale, _ = self.scaling
        B = (self.X.T @ Q).T - np.outer(Q.sum(axis=0), center)
        return run_rounds(self.rounds, B / scale)

    def replace(self, pivots, columns, coef):
        """Make a round: replace columns by what pivots leave of them."""
        at, left = self.columns(pivots), np.empty(columns.size)
        for part in _blocks(columns.size, len(at)):
            rest = self.columns(columns[part]) - at @ coef[:, part]
            left[part] = root_mean_squares(rest, self.weight)
        done = Round(pivots, columns, coef, left)
        self._keep(done, at)
        return done

    def repeat(self, done):
        """Make a round that is known."""
        self._keep(done, self.columns(done.pivots))

    def _keep(self, done, at):
        place = np.full(self.X.shape[1], -1, dtype=np.intp)
        place[done.columns] = np.arange(done.columns.size)
        self.rounds.append(done)
        self._history.append((at, place))

    def dense(self):
        """All columns (n, d), in Fortran order."""
        A = np.empty(self.X.shape, order="F")
        for columns in _blocks(*self.X.shape[::-1]):
            A[:, columns] = self.columns(np.arange(columns.start, columns.stop))
        return A


def root_mean_squares(A, weight):
    """Weighted root mean squares (m,) of columns (n, m)."""
    return np.sqrt(weight @ np.square(A))


class Search(NamedTuple):
    """What is looked for.

    Parameters
    ----------
    support_size : int
        Columns drawn in a round.
    threshold : float
        Share of a column, what chance leaves of it aside, up to which what is left of
        it makes it be replaced.
    max_pivots : int
        Largest number of pivots.
    n_rows : int
        Number of distinct rows.
    """

    support_size: int
    threshold: float
    max_pivots: int
    n_rows: int


def find_rounds(design, usable, search, random):
    """Draw random supports, and replace what they nearly reproduce.

    Parameters
    ----------
    design : DenseDesign or SparseDesign
        Standardised columns; they change.
    usable : ndarray of shape (d,), bool
        Columns that may be drawn or replaced.
    search : Search
        What is looked for.
    random : RandomState
        Draws the supports.

    Returns
    -------
    list of Round
    """
    size = search.support_size
    candidates = np.flatnonzero(usable)
    free = usable.copy()  # neither a pivot nor unusable
    rounds, n_failures = [], 0
    # k random vectors leave the share sqrt(1 - k / n) of an unrelated column.
    limit = search.threshold * math.sqrt(max(0.0, 1.0 - size / search.n_rows))
    least = max(1.0, candidates.size / (2 * size))
    while (
        n_failures < _PATIENCE
        and size <= candidates.size
        and candidates.size - free.sum() + size <= search.max_pivots
        and len(rounds) < _MOST_ROUNDS
    ):
        drawn = np.sort(random.choice(candidates, size, replace=False))
        pivots, Q, R = independent(design.columns(drawn), design.weight)
        pivots = drawn[pivots]
        shadow = design.products(Q)
        left = np.sqrt(np.maximum(1.0 - np.square(shadow).sum(axis=0), 0.0))
        replaced = free & (left <= limit) & (left >= FLOOR)
        replaced[drawn] = False
        columns = np.flatnonzero(replaced)
        if columns.size < least:
            n_failures += 1
            continue
        coef = linalg.solve_triangular(R, shadow[:, columns])
        rounds.append(design.replace(pivots, columns, coef))
        free[pivots] = False
        n_failures = 0
    return rounds


def independent(A, weight):
    """Choose independent columns, and orthogonalise them.

    Parameters
    ----------
    A : ndarray of shape (n, m)
        Columns.
    weight : ndarray of shape (n,)
        Row weights s.

    Returns
    -------
    chosen : ndarray of shape (k,), intp
        Positions of columns that the others depend on.
    Q : ndarray of shape (n, k)
        ``Q.T @ a`` are products of any a with an orthonormal basis of these columns,
        in the inner product ``sum(s * a * b)``.
    R : ndarray of shape (k, k)
        Upper triangular: the basis is ``A[:, chosen] @ inv(R)``.
    """
    root = np.sqrt(weight)[:, None]
    Q, R, order = linalg.qr(root * A, mode="economic", pivoting=True)
    sizes = np.abs(R.diagonal())
    rank = int(np.count_nonzero(sizes > _RANK_TOL * sizes.max(initial=0.0)))
    return order[:rank].astype(np.intp), root * Q[:, :rank], R[:rank, :rank]
