"""What every penalty of a whole coefficient vector is and can do.

Such a penalty is an object, not a named tuple: it is called on arrays, a few times per
step of a solver, and its kernels do the loops. Conventions, stated once:

- it is convex, 0 at 0, and scales with its attribute `alpha`, at least 0;
- `size` is the number of coefficients; arrays of them are (size,) and float64;
- ``value(w)`` is the penalty, inf where a constraint is violated;
- ``prox(v, step)`` is the minimiser over x of
  ``||x - v||**2 / 2 + step * value(x)``;
- ``gap(w, u)``, for a dual point u, is a pair: s in [0, 1], a scaling for which the
  convex conjugate at ``s * u`` is finite, and ``value(w)`` plus that conjugate less
  ``s * u @ w``, which is at least 0 (Fenchel-Young). Coefficients in `free` must be at
  their minimum but for rounding; they count with ``|u_j w_j|``;
- ``activity(u, slack)`` is a number for each coefficient, above 0 for those that may
  be nonzero at a solution whose negative gradient is u, and larger for likelier ones;
  `slack` shrinks the strength of the penalty by that factor. At a minimum over some
  coefficients, only those with activity above 0 among the others can lower the
  objective;
- ``free`` is a mask of coefficients that are not penalised, though they may have to
  be at least 0;
- ``closure(columns)`` adds to some columns those that are never zero without them;
- ``restrict(columns)`` is the penalty of coefficients that are zero but for these;
- ``critical_alpha(u)`` is the smallest alpha for which a solution with negative
  gradient u at zero is zero;
- ``blocks()`` is the `Blocks` of a penalty that is a sum over groups, else None;
- ``piece(w)`` is the `Piece` around w on which the penalty is smooth.
"""

from typing import NamedTuple

import numpy as np

__all__ = ["Blocks", "Piece", "VectorPenalty", "prox_residual"]


class Blocks(NamedTuple):
    """A penalty ``sum_g l1 * ||w_g||_1 + l2[g] * ||w_g||``.

    Parameters
    ----------
    order : ndarray of shape (size,), intp
        Coefficients, group by group.
    starts : ndarray of shape (n_groups + 1,), intp
        Where each group begins in `order`.
    l1 : float
        Factor of absolute values.
    l2 : ndarray of shape (n_groups,)
        Factors of norms.
    positive : bool
        Whether coefficients must be at least 0.
    """

    order: np.ndarray
    starts: np.ndarray
    l1: float
    l2: np.ndarray
    positive: bool


class Piece(NamedTuple):
    """A set around a point on which a penalty is smooth, with coordinates z.

    The coefficients are ``w[active] = sign * z[merge]``, zero elsewhere.

    Parameters
    ----------
    active : ndarray of shape (a,), intp
        Coefficients that may be nonzero.
    sign : ndarray of shape (a,)
        1 or -1.
    merge : ndarray of shape (a,), intp, or None
        Coordinate of each; None if each has its own.
    z : ndarray of shape (m,)
        The point.
    gradient : ndarray of shape (m,)
        Of the penalty.
    hessian : ndarray of shape (m, m), or None
        Of the penalty; None if it is zero.
    bounded : ndarray of shape (m,), bool
        Coordinates that must stay at least 0.
    ordered : bool
        Whether the coordinates must not increase.
    """

    active: np.ndarray
    sign: np.ndarray
    merge: np.ndarray | None
    z: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray | None
    bounded: np.ndarray
    ordered: bool = False


class VectorPenalty:
    """Base of the penalties of whole vectors.

    What users call is here, documented once; penalties say how it is computed.
    """

    def __init__(self, alpha, size):
        if not (np.isfinite(alpha) and alpha >= 0):
            raise ValueError(
                f"alpha must be a finite number of at least 0; got {alpha!r}."
            )
        self.alpha, self.size = float(alpha), size

    def __repr__(self):
        return f"{type(self).__name__}(alpha={self.alpha!r}, size={self.size})"

    def _changed(self, **attributes):
        """Copy with some attributes replaced, the others shared."""
        new = object.__new__(type(self))
        new.__dict__.update(self.__dict__)
        new.__dict__.update(attributes)
        return new

    def with_alpha(self, alpha):
        """Return the same penalty at another strength.

        Parameters
        ----------
        alpha : float
            At least 0.

        Returns
        -------
        VectorPenalty
            The penalty.
        """
        return self._changed(alpha=float(alpha))

    def value(self, w):
        """Penalty of coefficients.

        Parameters
        ----------
        w : ndarray of shape (size,)
            Coefficients.

        Returns
        -------
        float
            At least 0; inf where a constraint is violated.
        """
        return float(self._value(w))

    def prox(self, v, step):
        """Proximal operator.

        Parameters
        ----------
        v : ndarray of shape (size,)
            Point.
        step : float
            Step length.

        Returns
        -------
        ndarray of shape (size,)
            The x that minimises ``||x - v||**2 / 2 + step * value(x)``.
        """
        return self._prox(v, step)

    def critical_alpha(self, u):
        """Smallest alpha at which all penalised coefficients are zero.

        Parameters
        ----------
        u : ndarray of shape (size,)
            Negative gradient where they are.

        Returns
        -------
        float
            The dual norm of u; infinite if no alpha is large enough.
        """
        return float(self._critical_alpha(u))

    def gap(self, w, u):
        """Scaling of a dual point and the penalty's part of the duality gap.

        Parameters
        ----------
        w, u : ndarray of shape (size,)
            Coefficients and dual point.

        Returns
        -------
        tuple of float
            The scaling s and the part of the gap, at least 0.
        """
        s = self._scaling(u) if self.alpha > 0.0 else 1.0
        return s, max(float(self._part(w, u, s)), 0.0)

    def activity(self, u, slack):
        """How likely coefficients are nonzero at a solution; 0 where they are not.

        Parameters
        ----------
        u : ndarray of shape (size,)
            Negative gradient.
        slack : float
            Factor of the penalty.

        Returns
        -------
        ndarray of shape (size,)
            One for each coefficient; infinite for those without a penalty.
        """
        if self.alpha == 0.0:
            return np.full(self.size, np.inf)
        return self._activity(u, slack)

    @property
    def free(self):
        """Mask of coefficients that are not penalised, though perhaps constrained."""
        return np.full(self.size, self.alpha == 0.0)

    def closure(self, columns):
        """Add what is never zero without some columns.

        Parameters
        ----------
        columns : ndarray of intp
            Distinct coefficients.

        Returns
        -------
        ndarray of intp
            The coefficients.
        """
        return columns

    def restrict(self, columns):
        """Return the penalty of coefficients that are zero but for some.

        Parameters
        ----------
        columns : ndarray of intp
            Distinct coefficients, whole groups where there are groups.

        Returns
        -------
        VectorPenalty
            The penalty.
        """
        return self._changed(size=columns.size, **self._restricted(columns))

    def piece(self, w):
        """Smooth piece around a point.

        Parameters
        ----------
        w : ndarray of shape (size,)
            Coefficients.

        Returns
        -------
        Piece
            The penalty on it.
        """
        return self._piece(w)

    def blocks(self):
        """Return the groups of a penalty that is a sum over them, else None."""
        return None

    def _value(self, w):
        raise NotImplementedError

    def _prox(self, v, step):
        raise NotImplementedError

    def _critical_alpha(self, u):
        raise NotImplementedError

    def _activity(self, u, slack):
        raise NotImplementedError

    def _restricted(self, columns):
        """Attributes that differ, but for the size."""
        raise NotImplementedError

    def _piece(self, w):
        raise NotImplementedError

    def _scaling(self, u):
        """Scaling that makes u feasible, for alpha above 0: for a norm, of its dual."""
        norm = self.critical_alpha(u)
        # Rounded into what is feasible.
        return 1.0 if norm <= self.alpha else self.alpha / norm * (1.0 - 1e-15)

    def _part(self, w, u, s):
        """Part of the gap at ``s * u``."""
        if self.alpha == 0.0:
            return np.abs(u * w).sum()
        return self.value(w) + self._conjugate(s * u) - s * float(u @ w)

    def _conjugate(self, u):
        """Convex conjugate at a feasible point, for alpha above 0: 0 for a norm."""
        return 0.0


def prox_residual(penalty, w, u, step):
    """How far a proximal gradient step moves each coefficient, per unit of its length.

    It is zero exactly at a minimum.

    Parameters
    ----------
    penalty : VectorPenalty
        The penalty.
    w, u : ndarray of shape (size,)
        Coefficients and negative gradient of the smooth part.
    step : float
        Length of the step, above 0.

    Returns
    -------
    ndarray of shape (size,)
    """
    return np.abs(w - penalty.prox(w + step * u, step)) / step
