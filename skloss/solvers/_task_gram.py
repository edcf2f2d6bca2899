"""Gram matrices of columns chosen one after the other."""

import numpy as np

__all__ = ["TaskGram"]

_FEW_ROWS = 0.5  # of all: then they are gathered, not weighted by zeros
_STRIP = 1 << 17  # numbers compared at a time in the search for equal columns


class TaskGram:
    """Gram matrix of some columns over the rows of one task.

    With weights s that sum to 1 over these rows, and columns less their weighted means
    over them, it is ``X.T @ diag(s) @ X``.

    Parameters
    ----------
    data : FoldGrams
        Design and tasks.
    task : int
        Number of the task.

    Attributes
    ----------
    kept : ndarray of shape (k,), intp
        Columns chosen so far.
    place : ndarray of shape (p,), intp
        Where each column is among them, or -1.
    buffer : ndarray of shape (capacity, capacity)
        Its leading (k, k) part is the matrix.
    """

    def __init__(self, data, task):
        self.data, self.task = data, task
        self.kept = np.empty(0, dtype=np.intp)
        self.place = np.full(data.size, -1, dtype=np.intp)
        self.buffer = np.empty((0, 0))
        weight, left_out = data.weights[:, task], data.left_out[task]
        self._rows = None
        if len(left_out) > (1 - _FEW_ROWS) * len(weight):
            self._rows = np.setdiff1d(np.arange(len(weight)), left_out)
            weight = weight[self._rows]
        self._weight = np.ascontiguousarray(weight)

    @property
    def matrix(self):
        """The Gram matrix (k, k)."""
        k = self.kept.size
        return self.buffer[:k, :k]

    def extend(self, new):
        """Choose more columns; those chosen before are left out."""
        new = new[self.place[new] < 0]
        if not len(new):
            return
        data, old = self.data, self.kept.size
        self.kept = np.concatenate([self.kept, new])
        self.place[new] = np.arange(old, self.kept.size)
        self._reserve(old)
        product, shift = None, data.shifts[self.task, self.kept]
        if data.moments is not None and np.array_equal(new, np.arange(data.size)):
            product = data.moments.products(self.task)
        if product is None:
            product = data.columns.suffix_products(
                self.kept, len(new), self._weight, self._rows
            )
        if data.center:
            product -= np.outer(shift, shift[old:])
        G = self.matrix
        G[:, old:] = product
        G[old:, :old] = product[:old].T
        inside = G[old:, old:]
        inside[:] = (inside + inside.T) / 2
        # What rounding leaves of the squares of columns that are constant.
        eps = np.finfo(np.float64).eps
        noise = (64 * eps * data.columns.center[new]) ** 2 + 64 * eps * shift[old:] ** 2
        silent = data.silent[self.task, self.kept]
        silent[old:] |= inside.diagonal() <= noise
        self.silence(
            self.kept[silent]
        )  # those of before as well: they have new products

    def _reserve(self, old):
        """Make room for the columns chosen; `old` of them are there already."""
        if self.kept.size <= len(self.buffer):
            return
        # By halves, so that each number is moved few times. No power of two: columns
        # of such matrices fall on each other in caches.
        capacity = max(self.kept.size, 3 * len(self.buffer) // 2) // 16 * 16 + 24
        buffer = np.empty((capacity, capacity))
        buffer[:old, :old] = self.buffer[:old, :old]
        self.buffer = buffer

    def silence(self, columns):
        """Let chosen columns have no effect."""
        places, G = self.place[columns], self.matrix
        G[:, places] = G[places] = 0.0
        self.data.silent[self.task, columns] = True
        self.data.linear[self.task, columns] = 0.0

    def copies(self, columns, weight):
        """Chosen columns that equal one chosen before them, or before in number.

        Parameters
        ----------
        columns : ndarray of intp
            Those chosen last.
        weight : ndarray of shape (p,)
            Penalty weights: of a smaller one no copy is made.

        Returns
        -------
        ndarray of intp
        """
        squares = self.matrix.diagonal()
        step, found = _STRIP // max(1, self.kept.size) + 1, []
        for start in range(0, len(columns), step):
            places = self.place[columns[start : start + step]]
            own = squares[places, None]
            noise = 64 * np.finfo(np.float64).eps * own
            close = np.abs(self.matrix[places] - own) <= noise
            close &= (np.abs(squares - own) <= noise) & (squares > 0)
            close &= np.arange(self.kept.size) < places[:, None]
            for at, before in np.argwhere(close):
                i, j = self.kept[before], self.kept[places[at]]
                is_known = found and found[-1] == j
                if is_known or weight[i] > weight[j]:
                    continue
                if self.data.columns.are_equal(i, j):
                    found.append(j)
        return np.array(found, dtype=np.intp)
