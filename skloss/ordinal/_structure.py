"""How the weight vectors of the thresholds are built from blocks of coefficients."""

import numpy as np

__all__ = ["STRUCTURES", "Structure", "structure_of"]

STRUCTURES = ("fused", "nonparallel", "parallel", "semiparallel")


class Structure:
    """A map from blocks of coefficients to thresholds.

    Parameters
    ----------
    name : {"fused", "nonparallel", "parallel", "semiparallel"}
        Which.
    T : ndarray of shape (m, q)
        Ones where a block (column) takes part in a threshold (row).
    base : int or None
        The block that all thresholds share; None if there is none.
    """

    def __init__(self, name, T, base):
        self.name, self.T, self.base = name, T, base
        self.n_thresholds, self.n_blocks = T.shape
        self.is_common = T.shape[1] == 1 and bool(T.all())

    def steps(self):
        """Blocks that are the change at a threshold, and its sign, from the second on.

        Returns
        -------
        blocks : ndarray of shape (m - 1,), intp
            ``coef[k + 1] - coef[k]`` is ``signs[k]`` times block ``blocks[k]``.
        signs : ndarray of shape (m - 1,)
            1 after the base, -1 before it.
        """
        m = self.n_thresholds
        after = np.arange(m - 1) >= self.base
        return np.arange(m - 1) + after, np.where(after, 1.0, -1.0)

    def blocks_of(self, coef):
        """Blocks (q, p) whose sums the weights (m, p) are; least squares if not so."""
        if self.name == "semiparallel":
            common = coef.mean(axis=0)
            return np.concatenate([common[None], coef - common])
        return np.linalg.lstsq(self.T, coef)[0]


def structure_of(name, base, shares):
    """Build a structure.

    Parameters
    ----------
    name : {"fused", "nonparallel", "parallel", "semiparallel"}
        Which.
    base : {"first", "last", "balanced"} or int
        Threshold whose weights are the base of the fused structure.
    shares : ndarray of shape (m + 1,)
        Weights of the classes, summing to 1.

    Returns
    -------
    Structure
        fused: the base block is in all thresholds, block k after the base in
        thresholds >= k, block k before it in thresholds <= k.
    """
    m = len(shares) - 1
    if name == "nonparallel":
        return Structure(name, np.eye(m), None)
    if name == "parallel":
        return Structure(name, np.ones((m, 1)), 0)
    if name == "semiparallel":
        return Structure(name, np.hstack([np.ones((m, 1)), np.eye(m)]), 0)
    at = _position(base, shares)
    k, block = np.ogrid[:m, :m]
    inside = np.where(block > at, k >= block, k <= block) | (block == at)
    return Structure(name, inside.astype(np.float64), at)


def _position(base, shares):
    if base == "balanced":
        below = np.cumsum(shares)[:-1]
        balance = below * (1.0 - below)
        # The first of equals, whatever rounding makes of them.
        return int(np.flatnonzero(balance >= balance.max() * (1 - 1e-9))[0])
    return {"first": 0, "last": len(shares) - 2}.get(base, base)
