"""Sums over rows that determine a ridge regression on their features.

They add, subtract and merge, so that a model can be fitted to a stream, forget rows
and be put together from parts.
"""

from typing import NamedTuple

import numpy as np
from scipy.linalg import blas

__all__ = ["Adder", "RidgeSums", "Units"]

_LOST = 1e-5  # of sums of squares, by rounding when rows are taken away
_SINGLE_ROWS = 10_000  # that are summed in single precision


class RidgeSums:
    """Weighted sums of products of features and targets.

    All are measured from fixed points near the data, for products of numbers far from
    0 would cancel where means are subtracted.

    Parameters
    ----------
    shift : ndarray of shape (k,)
        Point from which features are measured.
    y_shift : ndarray of shape (t,)
        Point from which targets are measured.
    squares : ndarray of shape (k, k), default=None
        Products of features to begin with; by default 0.

    Attributes
    ----------
    squares : ndarray of shape (k, k), float64
        Products of features, lower triangle.
    features : ndarray of shape (k,)
        Features.
    products : ndarray of shape (k, t)
        Products of features and targets.
    targets, target_squares : ndarray of shape (t,)
        Targets, and their squares.
    weight : float
        Weights.
    n_rows : int
        Rows of positive weight.
    """

    def __init__(self, shift, y_shift, squares=None):
        self.shift, self.y_shift = shift, y_shift
        k, t = shift.size, y_shift.size
        self.squares = np.zeros((k, k), order="F") if squares is None else squares
        self.features, self.products = np.zeros(k), np.zeros((k, t))
        self.targets, self.target_squares = np.zeros(t), np.zeros(t)
        self.weight, self.n_rows = 0.0, 0

    @property
    def is_finite(self):
        """Whether no feature is too large to be squared."""
        return bool(np.isfinite(self.squares.diagonal()).all())

    def is_possible_after(self, other):
        """Tell whether these can be what is left of other sums without some rows."""
        for name in ("squares", "target_squares"):
            mine, theirs = (_variances(sums, name) for sums in (self, other))
            if (mine < -_LOST * theirs).any():
                return False
        return True

    def merge(self, other, sign=1):
        """Add the sums of other rows, or subtract them.

        Parameters
        ----------
        other : RidgeSums
            Of the same features, from whatever points.
        sign : {1, -1}, default=1
            Whether to add or to subtract.
        """
        d, e = other.shift - self.shift, other.y_shift - self.y_shift
        cross = np.multiply.outer(d, other.features)
        squares = other.squares + cross + cross.T
        squares += other.weight * np.multiply.outer(d, d)
        products = other.products + np.multiply.outer(d, other.targets)
        products += np.multiply.outer(other.features + other.weight * d, e)
        self.squares += sign * squares
        self.products += sign * products
        self.features += sign * (other.features + other.weight * d)
        self.target_squares += sign * (
            other.target_squares + e * (2.0 * other.targets + other.weight * e)
        )
        self.targets += sign * (other.targets + other.weight * e)
        self.weight += sign * other.weight
        self.n_rows += sign * other.n_rows

    def narrowed(self, width):
        """Return the sums of the features of a map of a smaller width."""
        k = self.shift.size
        root = np.sqrt(k / width)
        other = self.copy()
        other.shift, other.features = (
            root * self.shift[:width],
            root * self.features[:width],
        )
        other.squares = np.array(self.squares[:width, :width] * root**2, order="F")
        other.products = root * self.products[:width]
        return other

    def copy(self):
        """Return sums that change apart from these."""
        other = object.__new__(type(self))
        vars(other).update(
            {
                name: value.copy(order="K") if isinstance(value, np.ndarray) else value
                for name, value in vars(self).items()
            }
        )
        return other

    def centred(self, center=True, width=None):
        """Measure from the means, or from 0.

        Parameters
        ----------
        center : bool, default=True
            Whether to measure from the means; else from 0.
        width : int, default=None
            How many features are meant, scaled as those of a map of that width; by
            default all.

        Returns
        -------
        Centred
        """
        k = self.shift.size if width is None else width
        root = np.sqrt(self.shift.size / k)
        point, y_point = np.zeros(k), np.zeros(self.y_shift.size)
        if center:
            point = root * (self.shift[:k] + self.features[:k] / self.weight)
            y_point = self.y_shift + self.targets / self.weight
        return self.around(point, y_point, k)

    def around(self, point, y_point, width=None):
        """Measure from given points.

        Parameters
        ----------
        point : ndarray of shape (width,)
            Features of a map of that width.
        y_point : ndarray of shape (t,)
            Targets.
        width : int, default=None
            How many features are meant, scaled as those of a map of that width; by
            default all.

        Returns
        -------
        Centred
        """
        k = self.shift.size if width is None else width
        root = np.sqrt(self.shift.size / k)
        d, e = self.shift[:k] - point / root, self.y_shift - y_point
        squares = np.array(self.squares[:k, :k], order="F")
        _add_outer(squares, self.features[:k] + 0.5 * self.weight * d, d)
        products = self.products[:k] + np.multiply.outer(d, self.targets)
        products += np.multiply.outer(self.features[:k] + self.weight * d, e)
        y_squares = self.target_squares + e * (2.0 * self.targets + self.weight * e)
        if k < self.shift.size:
            squares *= root**2
            products *= root
        return Centred(squares, products, np.maximum(y_squares, 0.0), point, y_point)


def _variances(sums, name):
    """Return sums of squares around the means of features or of targets."""
    of, square = (sums.features, sums.squares.diagonal())
    if name == "target_squares":
        of, square = sums.targets, sums.target_squares
    return square - of**2 / sums.weight


class Units(NamedTuple):
    """Powers of 2 in which sums in single precision neither overflow nor vanish.

    Parameters
    ----------
    targets : ndarray of shape (t,)
        Of the targets, measured from their point.
    weight : float
        Of the weights.
    """

    targets: np.ndarray
    weight: float = 1.0

    @classmethod
    def of(cls, Y, y_shift, weight=None):
        """Find the units of given targets of shape (n, t) and weights of shape (n,)."""
        at = {"axis": 0}
        if weight is not None:
            at |= {"where": (weight > 0)[:, None], "initial": 0.0}
        left = Y - y_shift
        largest = np.maximum(left.max(**at), -left.min(**at))
        of_weight = 1.0 if weight is None else _power(weight.max())
        return cls(_power(largest), float(of_weight))


def _power(numbers):
    """Powers of 2 above positive numbers; 1 for 0 and for what is not finite."""
    usable = (numbers > 0) & (numbers < 2.0**1023)
    return np.ldexp(1.0, np.frexp(np.where(usable, numbers, 0.5))[1])


class Adder:
    """Adds rows to sums, a few at a time.

    Products of features with targets are made while the features are in the cache;
    for products among themselves, BLAS wants many rows at once.

    Parameters
    ----------
    sums : RidgeSums
        To which rows are added.
    dtype : numpy dtype
        Of the features; also that in which products are summed within a block:
        float32 takes half of the time of float64.
    block_rows : int
        Rows in a block.
    sign : {1, -1}, default=1
        Whether to add or to subtract.
    units : Units, default=None
        In which targets and weights are multiplied; by default 1.
    """

    def __init__(self, sums, dtype, block_rows, sign=1, units=None):
        self.sums, self.sign, self._count = sums, sign, 0
        k = sums.shift.size
        self._block, self._n_scratched = np.empty((block_rows, k), dtype), 0
        self._syrk, self._scratch = blas.dsyrk, None
        if dtype == np.float32:
            self._syrk = blas.ssyrk
            self._scratch = np.zeros((k, k), np.float32, order="F")
        self._units = Units(np.ones(sums.y_shift.size)) if units is None else units

    def room(self, n):
        """Array of shape (n, k) for the features of the next rows."""
        if self._count + n > len(self._block):
            self._multiply()
        return self._block[self._count : self._count + n]

    def add(self, features, Y, weight=None):
        """Add rows.

        Parameters
        ----------
        features : ndarray of shape (n, k)
            What `room` returned, with the features minus the shift of the sums in it.
        Y : ndarray of shape (n, t)
            Targets.
        weight : ndarray of shape (n,), default=None
            Of the rows; by default 1.
        """
        sums, (n, t) = self.sums, Y.shape
        units, unit = self._units
        right = np.ones((n, t + 1))
        right[:, :t] = (Y - sums.y_shift) / units
        if weight is not None:
            root = np.sqrt(weight / unit)[:, None]
            features *= root.astype(features.dtype)
            right *= root
        products = features.T @ right.astype(features.dtype, copy=False)
        products = products.astype(np.float64, copy=False)
        of_targets = right.T @ right
        unit *= self.sign
        sums.products += unit * units * products[:, :t]
        sums.features += unit * products[:, t]
        sums.targets += unit * units * of_targets[t, :t]
        sums.target_squares += unit * units**2 * of_targets.diagonal()[:t]
        sums.weight += unit * float(of_targets[t, t])
        sums.n_rows += self.sign * (n if weight is None else np.count_nonzero(weight))
        self._count += n

    def _multiply(self):
        """Add the products of features of the rows so far."""
        rows = self._block[: self._count].T  # in Fortran order, as BLAS wants it
        if self._scratch is None:
            into = {"c": self.sums.squares, "beta": 1.0}
            self._syrk(
                self.sign * self._units.weight, rows, lower=1, overwrite_c=1, **into
            )
        else:
            into = {"c": self._scratch, "beta": float(self._n_scratched > 0)}
            self._syrk(1.0, rows, lower=1, overwrite_c=1, **into)
            self._n_scratched += self._count
            if self._n_scratched > _SINGLE_ROWS:
                self._widen()
        self._count = 0

    def _widen(self):
        """Move sums in single precision to those in double precision."""
        unit = self.sign * self._units.weight
        if unit == 1.0:
            self.sums.squares += self._scratch
        else:
            self.sums.squares += unit * self._scratch.astype(np.float64)
        self._n_scratched = 0

    def flush(self):
        """Finish the sums."""
        self._multiply()
        if self._n_scratched:
            self._widen()


def _add_outer(squares, a, b):
    """Add ``a b' + b a'`` to the lower triangle."""
    blas.dsyr2(1.0, a, b, lower=1, a=squares, overwrite_a=1)


class Centred:
    """Sums of squares and products around a centre.

    Parameters
    ----------
    squares : ndarray of shape (k, k)
        Of features, lower triangle, Fortran order.
    products : ndarray of shape (k, t)
        Of features and targets.
    y_squares : ndarray of shape (t,)
        Of targets.
    center : ndarray of shape (k,)
        Features of the centre.
    y_center : ndarray of shape (t,)
        Targets of the centre.
    """

    def __init__(self, squares, products, y_squares, center, y_center):
        self.squares, self.products, self.y_squares = squares, products, y_squares
        self.center, self.y_center = center, y_center

    def intercept(self, coef):
        """Return the intercepts of coefficients of shape (k, t)."""
        return self.y_center - self.center @ coef
