"""Random weights, each a function of a seed and of the number of its unit.

A unit has the same weights whatever the number of units, and whichever of them are
asked for: networks of different widths share their units, and the weights of a very
wide one never exist all at once.
"""

from inspect import signature
from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.stats import qmc

from skloss._random import fill_normal, fill_uniform
from skloss.random_features._hadamard import fill_signs, padded, project

__all__ = ["DISTRIBUTIONS", "SAMPLINGS", "Weights"]

DISTRIBUTIONS = ("gaussian", "cauchy", "student", "uniform")
SAMPLINGS = ("iid", "orthogonal", "qmc", "hadamard")

# Streams of the generator, one for each use; blocks of orthogonal and of structured
# weights take theirs from further ones.
_ENTRIES, _LENGTHS, _MIXING, _OFFSETS, _BLOCKS = 0, 1, 2, 3, 16
# SciPy took the generator by another name before 1.15.
_SEED = "rng" if "rng" in signature(qmc.Sobol).parameters else "seed"
_LEAST_BLOCK = 64  # structured weights of smaller blocks are far from normal
_LEAST_CHI = 1e-60  # whose inverse single precision can hold
_SMALLEST = 2.0**-32  # share nearest to 0 and 1 of points of a net


class Weights(NamedTuple):
    """What determines the weights of all units.

    Parameters
    ----------
    seed : int
        Key of the generator.
    n_features : int
        Features of a row, d.
    distribution : {"gaussian", "cauchy", "student", "uniform"}
        Law of the weights.
    sampling : {"iid", "orthogonal", "qmc", "hadamard"}
        How they are drawn.
    scale : float
        Factor of weights of unit scale.
    nu : float
        Half of the degrees of freedom of "student".
    """

    seed: int
    n_features: int
    distribution: str
    sampling: str
    scale: float
    nu: float

    @property
    def is_structured(self):
        """Whether products with weights cost less than their number."""
        return self.sampling == "hadamard"

    @property
    def block(self):
        """Number of consecutive units that are drawn together."""
        if self.is_structured:
            return max(padded(self.n_features), _LEAST_BLOCK)
        return self.n_features if self.sampling == "orthogonal" else 1

    def rows(self, start, stop):
        """Weights of units `start` to ``stop - 1``.

        Returns
        -------
        ndarray of shape (stop - start, n_features), float64
        """
        draw = {
            "iid": self._independent,
            "orthogonal": self._orthogonal,
            "qmc": self._net,
            "hadamard": self._structured,
        }
        return draw[self.sampling](start, stop) * self.scale

    def uniform_offsets(self, start, stop):
        """Phases of units, uniform in [0, 2 pi)."""
        return 2.0 * np.pi * self._uniform(_OFFSETS, start, stop)

    def normal_offsets(self, start, stop):
        """Offsets of units from the standard normal law."""
        return self._normal(_OFFSETS, start, stop)

    def _uniform(self, stream, start, stop):
        out = np.empty(stop - start)
        fill_uniform(self.seed, stream, start, out)
        return out

    def _normal(self, stream, start, stop):
        out = np.empty(stop - start)
        fill_normal(self.seed, stream, start, out)
        return out

    def _independent(self, start, stop):
        d = self.n_features
        if self.distribution in ("cauchy", "uniform"):
            u = self._uniform(_ENTRIES, start * d, stop * d).reshape(-1, d)
            return _quantile(self.distribution, u)
        entries = self._normal(_ENTRIES, start * d, stop * d).reshape(-1, d)
        return entries * self._mixing(start, stop)[:, None]

    def _mixing(self, start, stop):
        """Factors that make normal vectors those of the law."""
        if self.distribution != "student":
            return np.ones(stop - start)
        return _student_factor(self._uniform(_MIXING, start, stop), self.nu)

    def _orthogonal(self, start, stop):
        """Blocks of d orthogonal vectors, each as long as a normal one.

        F. X. Yu et al., "Orthogonal Random Features", NeurIPS 2016, section 3.
        """
        d = self.n_features
        blocks = range(start // d, -(-stop // d))
        parts = [self._orthogonal_block(b, min(stop - b * d, d)) for b in blocks]
        first = blocks.start * d
        rows = np.concatenate(parts)[start - first : stop - first]
        u = self._uniform(_LENGTHS, start, stop)
        lengths = np.sqrt(2.0 * special.gammaincinv(0.5 * d, u))
        return rows * (lengths * self._mixing(start, stop))[:, None]

    def _orthogonal_block(self, block, count):
        """Return the first vectors of a block: no vector depends on later ones."""
        d = self.n_features
        matrix = self._normal(_BLOCKS + block, 0, count * d).reshape(count, d).T
        Q, R = np.linalg.qr(matrix)
        # With these signs Q is uniform among orthogonal matrices (Mezzadri, 2007).
        return (Q * np.copysign(1.0, R.diagonal())).T

    def _net(self, start, stop):
        """Quantiles of a scrambled Sobol net, of which each point is a unit."""
        student = self.distribution == "student"
        net = qmc.Sobol(
            self.n_features + student,
            scramble=True,
            **{_SEED: np.random.default_rng(self.seed)},
        )
        if start:
            u = net.fast_forward(start).random(stop - start)
        else:  # SciPy warns of nets whose first points are not a power of two
            u = net.random(padded(stop))[:stop]
        u = np.clip(u, _SMALLEST, 1.0 - _SMALLEST)
        if not student:
            return _quantile(self.distribution, u)
        factor = _student_factor(u[:, -1], self.nu)
        return special.ndtri(u[:, :-1]) * factor[:, None]

    def _structured(self, start, stop):
        return self.project(np.eye(self.n_features), start, stop).T / self.scale

    def project(self, X, start, stop):
        """Products of rows with structured weights.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Rows.
        start, stop : int
            Units.

        Returns
        -------
        ndarray of shape (n, stop - start)
        """
        p = self.block
        blocks = range(start // p, -(-stop // p))
        signs = np.empty((len(blocks), 3, p), X.dtype)
        for block, out in zip(blocks, signs):
            fill_signs(self.seed, _BLOCKS + block, 0, out.reshape(-1))
        # Three transforms multiply lengths by p^(3/2); a normal vector has sqrt(p).
        factor = X.dtype.type(self.scale / p)
        out = np.empty((len(X), stop - start), X.dtype)
        project(np.ascontiguousarray(X), signs, start % p, factor, out)
        out *= self._mixing(start, stop).astype(X.dtype)
        return out


def _quantile(distribution, u):
    """Numbers of a law at levels between 0 and 1."""
    if distribution == "cauchy":
        return np.tan(np.pi * (u - 0.5))
    if distribution == "uniform":
        return 2.0 * u - 1.0
    return special.ndtri(u)


def _student_factor(u, nu):
    """Factors that make normal vectors those of Student's law, at levels of chi^2."""
    return np.sqrt(nu / np.maximum(special.gammaincinv(nu, u), _LEAST_CHI))
