"""Moments of classes: counts, means and scatter that merge exactly.

Every block of rows is reduced to a `ClassMoments`; these merge, in a fixed order,
into those of the batch and of the stream. Means are kept relative to one row of their
class, so that neither data far from zero nor classes far apart cost any digits.

References
----------
.. [1] T. F. Chan, G. H. Golub, R. J. LeVeque, "Algorithms for computing the sample
   variance: analysis and recommendations", The American Statistician 37(3), 1983.
.. [2] P. Pébay, "Formulas for robust, one-pass parallel computation of covariances
   and arbitrary-order statistical moments", Sandia report SAND2008-6212, 2008.
"""

import functools
from dataclasses import dataclass, replace

import numpy as np

from skloss._blocks import csr_parts
from skloss._parallel import map_row_blocks, threads_for
from skloss._validation import weight_unit
from skloss.linear_eval._class_moments_kernels import (
    add_powers,
    add_sparse_powers,
    add_sparse_squares,
    add_sparse_sums,
    add_sums,
)

__all__ = ["CentralPowers", "ClassMoments", "class_moments"]

# Squares this many times the scatter cost four digits of it: look again, from the
# means. Happens where the first row of a class lies 100 deviations from its mean.
_LOOK_AGAIN = 1e4
# A block holds this many times more bytes than the sums it is reduced to.
_BLOCK_OVER_SUMS = 4


@dataclass(frozen=True)
class CentralPowers:
    """Weighted sums of powers of the deviations from the class means.

    Attributes
    ----------
    second, third : ndarray of shape (n_classes, n_features)
        For each class apart: merging needs them.
    fourth : ndarray of shape (n_features,)
        Over all classes.
    """

    second: np.ndarray
    third: np.ndarray
    fourth: np.ndarray


@dataclass(frozen=True)
class ClassMoments:
    """What is known of the classes after some rows.

    Attributes
    ----------
    origin : ndarray of shape (n_classes, n_features)
        A row of each class, which its mean is relative to.
    count : ndarray of shape (n_classes,)
        Total weight of each class.
    mean : ndarray of shape (n_classes, n_features)
        Class means minus the origin; 0 for classes of no weight.
    within : ndarray of shape (n_features,)
        Sum of the weighted squared deviations from the class means.
    powers : CentralPowers or None
        Higher powers, where asked for.
    unit : float
        A power of two. All sums are of weights divided by it, so that extreme weights
        neither overflow nor lose digits.
    """

    origin: np.ndarray
    count: np.ndarray
    mean: np.ndarray
    within: np.ndarray
    powers: CentralPowers | None = None
    unit: float = 1.0

    @property
    def is_finite(self):
        """Whether no sum met a nan, an infinity or an overflow."""
        arrays = [self.origin, self.mean, self.within]
        if self.powers is not None:
            arrays.append(self.powers.fourth)
        return all(np.isfinite(array).all() for array in arrays)

    @property
    def grand_mean(self):
        """Mean of all rows, shape (n_features,)."""
        return self.count @ (self.origin + self.mean) / self.count.sum()

    def in_unit(self, unit):
        """Return the same moments with weights in another unit."""
        if unit == self.unit:
            return self
        ratio = self.unit / unit
        powers = self.powers and CentralPowers(
            ratio * self.powers.second,
            ratio * self.powers.third,
            ratio * self.powers.fourth,
        )
        return replace(
            self,
            count=ratio * self.count,
            within=ratio * self.within,
            powers=powers,
            unit=unit,
        )

    def moved(self, origin):
        """Return the same moments relative to other origins."""
        moved = self.mean + (self.origin - origin)
        moved[self.count == 0] = 0
        return replace(self, origin=origin, mean=moved)

    def spread(self, codes, n_classes):
        """Return the same moments with class ``i`` at position ``codes[i]``."""

        def place(array):
            placed = np.zeros((n_classes, *array.shape[1:]))
            placed[codes] = array
            return placed

        powers = self.powers and replace(
            self.powers,
            second=place(self.powers.second),
            third=place(self.powers.third),
        )
        return replace(
            self,
            origin=place(self.origin),
            count=place(self.count),
            mean=place(self.mean),
            powers=powers,
        )

    def merged(self, other):
        """Return the moments of the rows of both.

        Origins are those of this one; for classes that only `other` has seen, its own.
        A feature that is constant in a class has the same origin and mean in both, so
        that its scatter stays exactly zero.
        """
        unit = max(self.unit, other.unit)
        if self.unit != unit:
            return self.in_unit(unit).merged(other)
        other = other.in_unit(unit)
        origin = np.where(self.count[:, None] > 0, self.origin, other.origin)
        other = other.moved(origin)
        count = self.count + other.count
        share = np.divide(other.count, count, out=np.zeros_like(count), where=count > 0)
        gap = other.mean - self.mean
        between = (self.count * share) @ gap**2
        powers = None
        if self.powers is not None and other.powers is not None:
            powers = _merged_powers(self, other, gap, count)
        return ClassMoments(
            origin=origin,
            count=count,
            mean=self.mean + share[:, None] * gap,
            within=self.within + other.within + between,
            powers=powers,
            unit=unit,
        )


def _merged_powers(a, b, gap, count):
    """Central powers of two sets of rows together ([2]_)."""
    safe = np.where(count > 0, count, 1.0)[:, None]
    na, nb = a.count[:, None], b.count[:, None]
    fa, fb = na / safe, nb / safe
    A, B = a.powers, b.powers
    second = A.second + B.second + na * fb * gap**2
    third = A.third + B.third + na * fb * (fa - fb) * gap**3
    third += 3 * gap * (fa * B.second - fb * A.second)
    change = na * fb * (fa**2 - fa * fb + fb**2) * gap**4
    change += 6 * gap**2 * (fa**2 * B.second + fb**2 * A.second)
    change += 4 * gap * (fa * B.third - fb * A.third)
    return CentralPowers(second, third, A.fourth + B.fourth + change.sum(axis=0))


def class_moments(blocks, codes, weights, n_classes, *, with_powers=False):
    """Reduce a batch of rows to the moments of its classes.

    Parameters
    ----------
    blocks : RowBlocks
        The rows. Dense rows are read once (twice `with_powers`, and where a class
        begins with an outlier), sparse ones twice, stored entries only.
    codes : ndarray of shape (n_rows,), intp
        Class of each row.
    weights : ndarray of shape (n_rows,)
        Weight of each row; at least one is positive.
    n_classes : int
        Number of classes.
    with_powers : bool, default=False
        Whether to sum third and fourth powers as well.

    Returns
    -------
    ClassMoments
        The same for any number of threads. Not finite if a value in the rows is not,
        or if a sum overflowed.
    """
    reduce_block = _sparse_block if blocks.is_sparse else _dense_block
    unit = weight_unit(weights)
    if unit != 1:
        weights = weights / unit

    def reduce_rows(start, stop):
        rows = blocks.rows(start, stop), codes[start:stop], weights[start:stop]
        return reduce_block(*rows, n_classes, with_powers)

    # Invalid and huge values show as non-finite moments, which the caller looks for.
    with np.errstate(invalid="ignore", over="ignore"):
        parts = map_row_blocks(
            reduce_rows,
            blocks.n_rows,
            _block_rows(blocks, n_classes),
            threads_for(blocks.n_bytes),
        )
        return replace(functools.reduce(ClassMoments.merged, parts), unit=unit)


def _block_rows(blocks, n_classes):
    """Rows in a block: enough that the sums of all blocks stay small beside X."""
    sums_bytes = 2 * 8 * n_classes * blocks.n_columns
    row_bytes = max(1, blocks.n_bytes // max(1, blocks.n_rows))
    return max(blocks.default_block_rows(), _BLOCK_OVER_SUMS * sums_bytes // row_bytes)


def _dense_block(X, codes, weights, n_classes, with_powers):
    shape = n_classes, X.shape[1]
    # Shifts have the data's dtype: they are rows, and as such are exact.
    shift = np.zeros(shape, dtype=X.dtype)
    count, mean, within, squares = _shifted(X, codes, weights, shift, True)
    origin = shift.astype(np.float64)
    if (squares > _LOOK_AGAIN * within).any():
        shift += mean.astype(X.dtype)
        count, mean, within, squares = _shifted(X, codes, weights, shift, False)
    powers = None
    if with_powers:
        powers = CentralPowers(np.zeros(shape), np.zeros(shape), np.zeros(shape[1]))
        sums = powers.second, powers.third, powers.fourth
        add_powers(X, codes, weights, shift, mean, *sums)
    mean += shift - origin
    mean[count == 0] = 0
    return ClassMoments(origin, count, mean, within, powers)


def _shifted(X, codes, weights, shift, choose_shift):
    """Return counts, means relative to the shifts, scatter and squares."""
    count, sums = np.zeros(len(shift)), np.zeros(shift.shape)
    squares = np.zeros(X.shape[1])
    add_sums(X, codes, weights, choose_shift, shift, count, sums, squares)
    mean, excess = _mean_and_excess(count, sums)
    return count, mean, np.maximum(squares - excess, 0.0), squares


def _sparse_block(X, codes, weights, n_classes, with_powers):
    shape = n_classes, X.shape[1]
    rows = (*csr_parts(X), codes, weights)
    count, origin = np.zeros(n_classes), np.zeros(shape)
    mean, stored = np.zeros(shape), np.zeros(shape)
    add_sparse_sums(*rows, origin, count, mean, stored)
    mean = _mean_and_excess(count, mean)[0]
    absent = np.subtract(count[:, None], stored, out=stored)  # weight of the zeros

    # The corrected two-pass algorithm ([1]_): the second pass also finds by how much
    # rounding put the means off.
    sums = -absent * mean
    squares = np.einsum("kj,kj->j", sums, -mean)
    add_sparse_squares(*rows, mean, sums, squares)
    error, excess = _mean_and_excess(count, sums)
    within = np.maximum(squares - excess, 0.0)

    powers = None
    if with_powers:
        second, third = absent * mean**2, -absent * mean**3
        fourth = np.einsum("kj,kj->j", absent, mean**4)
        add_sparse_powers(*rows, mean, second, third, fourth)
        powers = CentralPowers(second, third, fourth)
    mean = (mean - origin) + error
    mean[count == 0] = 0
    return ClassMoments(origin, count, mean, within, powers)


def _mean_and_excess(count, sums):
    """Means, and by how much squares exceed those around the means."""
    mean = sums / np.where(count > 0, count, 1.0)[:, None]
    return mean, np.einsum("kj,kj->j", sums, mean)
