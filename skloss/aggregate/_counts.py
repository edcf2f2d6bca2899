"""Likelihood of counts in bags: rows laid out by bag, threads over bags."""

import numpy as np

from skloss._parallel import effective_threads, map_row_blocks
from skloss._validation import as_kernel_array
from skloss.aggregate._count_kernels import (
    LANES,
    CountResult,
    CountWork,
    count_bags,
    table_size,
)

__all__ = ["CountLikelihood"]

_ROWS = 1024  # side by side: their probabilities stay in the nearest cache
_BLOCK = 1 << 14  # rows for a thread at a time: a millisecond
_WORTH_THREADS = 1 << 16  # rows from which threads pay


class CountLikelihood:
    """Likelihood of the numbers of positive rows in bags, as a function of logits.

    Parameters
    ----------
    bags : Bags
        Which row is in which bag.
    counts : ndarray of shape (m,)
        Number of positive rows of each bag, whole numbers. Those that are negative or
        exceed the size of the bag are impossible: their log-likelihood is -inf and
        the posteriors of their rows are nan.
    n_jobs : int, default=None
        At most this many threads; results do not depend on it.
    """

    def __init__(self, bags, counts, n_jobs=None):
        sizes = bags.sizes
        self.counts = as_kernel_array(counts, np.intp)
        self.largest = int(sizes.max(initial=0))
        self.n_jobs = n_jobs
        start = np.zeros(len(sizes) + 1, dtype=np.intp)
        np.cumsum(sizes, out=start[1:])
        # Stable, so that rows stay in the order in which they lie in memory.
        # 16 bits are sorted by counting.
        few = bags.count <= 1 << 16
        codes = bags.codes.astype(np.uint16) if few else bags.codes
        order = np.argsort(codes, kind="stable")
        self.start = as_kernel_array(start, np.intp)
        self.order = as_kernel_array(order, np.intp)
        self._edges = _block_edges(start)

    def evaluate(self, logits):
        """Compute log-likelihoods and what their derivatives are made of.

        The derivative of the sum of log-likelihoods by the logit of a row is its
        posterior minus its probability.

        Parameters
        ----------
        logits : ndarray of shape (n,)
            Log-odds of the rows, finite.

        Returns
        -------
        CountResult
            float64, newly allocated.

        Raises
        ------
        ValueError
            If a logit is nan or infinite.
        """
        logits = as_kernel_array(logits, np.float64)
        if not np.isfinite(logits).all():
            row = np.flatnonzero(~np.isfinite(logits))[0]
            raise ValueError(f"The logit of row {row} is {logits[row]}: not finite.")
        n = len(logits)
        result = CountResult(
            np.empty(len(self.counts)), np.empty(n), np.empty(n), np.empty(n)
        )

        def work_on(first, last):
            edges = self._edges
            count_bags(
                logits,
                self.order,
                self.start,
                self.counts,
                edges[first],
                edges[last],
                _ROWS,
                result,
                self._work(),
            )

        threads = effective_threads(self.n_jobs) if n >= _WORTH_THREADS else 1
        map_row_blocks(work_on, len(self._edges) - 1, 1, threads)
        return result

    def _work(self):
        """Room for one thread."""
        rows, bag = max(_ROWS, self.largest) + LANES, self.largest + LANES
        # Vectors read a few numbers beyond the last row: they must be numbers.
        return CountWork(
            *(np.zeros(rows) for _ in range(5)),
            *(np.zeros(bag) for _ in range(4)),
            *(np.zeros(table_size(self.largest)) for _ in range(3)),
            np.zeros(LANES),
        )


def _block_edges(start):
    """First bags of blocks of about as many rows, then the number of bags."""
    n_bags, n_rows = len(start) - 1, int(start[-1])
    wanted = np.arange(0, n_rows, _BLOCK)
    edges = np.searchsorted(start[:-1], wanted).tolist()
    return sorted({*edges, n_bags} | {0})
