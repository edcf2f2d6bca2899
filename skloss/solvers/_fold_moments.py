"""Second moments of all columns, from one pass over X for all folds together."""

import numpy as np

__all__ = ["FoldMoments"]

_LOSS = 0.01  # share of a variance that may be left before rounding is too much of it
_CANCELLATION = 1e4  # sum of sizes over sum, in what is added up to an error


class FoldMoments:
    """Products of columns over the rows that each task leaves out.

    What they leave of those over all rows are the Gram matrices of the tasks. The error
    of any coefficients on the rows left out is a quadratic form in them, and costs no
    pass over these rows.

    Parameters
    ----------
    data : FoldGrams
        Design, of dense columns, target and tasks.
    """

    def __init__(self, data):
        self.data, self.parts = data, []
        n_shared = np.zeros(data.n_rows, dtype=np.intp)
        for task, rows in enumerate(data.left_out):
            rows = np.asarray(rows, dtype=np.intp)
            target = data.target[:, task]
            more = np.stack([target, np.ones_like(target)], axis=1)
            self.parts.append(data.columns.second_moments(rows, data.weight, more))
            n_shared[rows] += 1
        are_apart = n_shared.max(initial=0) <= 1
        rest = np.flatnonzero(n_shared == 0) if are_apart else np.arange(data.n_rows)
        self.total = data.columns.second_moments(rest, data.weight)
        if are_apart:
            self.total += sum(part[: data.size, : data.size] for part in self.parts)

    def products(self, task):
        """Products (p, p) of all columns over a task's rows, less their centers.

        Returns
        -------
        ndarray or None
            None if the rows left out have nearly all of the variance of some column.
        """
        data = self.data
        product = self.total - self.parts[task][: data.size, : data.size]
        product /= data.shares[task]
        variances = product.diagonal() - data.shifts[task] ** 2
        everything = self.total.diagonal()
        # Of columns that do not vary at all there is rounding alone.
        noise = (64 * np.finfo(np.float64).eps * data.columns.center) ** 2
        if ((variances < _LOSS * everything) & (everything > noise)).any():
            return None
        return product

    def errors(self, task, W):
        """Mean squares of residuals on the rows scored.

        Parameters
        ----------
        task : int
            Number of the task.
        W : ndarray of shape (p, b)
            Coefficients.

        Returns
        -------
        ndarray of shape (b,)
            nan where they are too small to be told from rounding, or where the rows
            scored are not those left out.
        """
        data, A = self.data, self.parts[task]
        if not np.array_equal(data.scored[task], data.left_out[task]):
            return np.full(W.shape[1], np.nan)
        offset = data.shifts[task] @ W
        B = np.vstack([-W, np.ones_like(offset), offset])
        squares = np.einsum("jb,jb->b", B, A @ B)
        sizes = (np.sqrt(A.diagonal()) @ np.abs(B)) ** 2
        return np.where(sizes <= _CANCELLATION * squares, squares / A[-1, -1], np.nan)
