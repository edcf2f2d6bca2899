"""The simulated data of ``sparse.py``."""

from typing import NamedTuple

import numpy as np


class Draw(NamedTuple):
    """Rows, their target, and what it was made from."""

    X: np.ndarray  # (n, d), columns of mean 0 and variance 1
    y: np.ndarray  # (n,), signal and noise
    signal: np.ndarray  # (n,), of variance 1
    support: np.ndarray  # (k,), columns that it is made from

    def error(self, prediction):
        """Mean squared error, levels aside: they are not what is compared."""
        return np.mean((prediction - prediction.mean() - self.signal) ** 2)

    def f1(self, chosen):
        """Balance of how many columns were found and how many of those are right."""
        right = np.isin(chosen, self.support).sum()
        return 2 * right / (len(chosen) + len(self.support))


def factors(rng, n, d, noise=0.01):
    """Mix five factors, and add a little noise."""
    F = rng.standard_normal((n, 5)) @ rng.standard_normal((5, d))
    return F + noise * rng.standard_normal((n, d))


def latent(rng, n, d):
    """Mix twenty factors, and add as much noise as a factor has."""
    F = rng.standard_normal((n, 20)) @ rng.standard_normal((20, d))
    return F + rng.standard_normal((n, d))


def power_law(rng, n, d):
    """Vary by 1 / i along the i-th of random directions."""
    Q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (rng.standard_normal((n, d)) / np.arange(1, d + 1)) @ Q.T


def random_walk(rng, n, d):
    """Sum independent steps from column to column."""
    return np.cumsum(rng.standard_normal((n, d)), axis=1)


def autoregressive(rng, n, d, rho=0.95):
    """Give neighbours the correlation rho."""
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    return X


def smooth(rng, n, d):
    """Average white noise over windows of a Gaussian of five columns' width."""
    at = np.arange(-20, 21)
    window = np.exp(-0.5 * (at / 5) ** 2)
    noise = rng.standard_normal((n, d + 40))
    return np.stack([np.convolve(row, window, mode="valid") for row in noise])


def tree(rng, n, d):
    """Make each column of its parent in a binary tree and a little noise."""
    X = rng.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = 0.95 * X[:, (j - 1) // 2] + np.sqrt(1 - 0.95**2) * X[:, j]
    return X


def independent(rng, n, d):
    """Draw all numbers on their own."""
    return rng.standard_normal((n, d))


DESIGNS = {
    "factors": factors,
    "latent": latent,
    "power law": power_law,
    "random walk": random_walk,
    "AR(0.95)": autoregressive,
    "smooth": smooth,
    "tree": tree,
    "independent": independent,
}


def draw(name, seed, *, d, k, snr, n=300, cancel=False, **options):
    """Draw a design, a random support, and a target made from it.

    Parameters
    ----------
    name : str
        Which of `DESIGNS`.
    seed : int
        Which draw.
    d, k, n : int
        Columns, columns of the support, rows.
    snr : float
        Variance of the signal over that of the noise.
    cancel : bool, default=False
        Whether coefficients are the direction in which the columns of the support
        vary least, instead of plus or minus one.
    **options
        Of the design.

    Returns
    -------
    Draw
    """
    rng = np.random.default_rng(seed)
    X = DESIGNS[name](rng, n, d, **options)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    support = rng.choice(d, k, replace=False)
    if cancel:
        w = np.linalg.svd(X[:, support], full_matrices=False)[2][-1]
    else:
        w = rng.choice([-1.0, 1.0], k)
    signal = X[:, support] @ w
    signal /= signal.std()
    y = signal + rng.standard_normal(n) / np.sqrt(snr)
    return Draw(X, y, signal, support)


def spectra(seed, n=60, n_wavelengths=401):
    """Draw spectra like those of near-infrared light through mixtures.

    Six substances have three to five absorption bands each, broad and overlapping.
    Baselines are smooth curves, the path length varies by 2 %, the instrument's noise
    is 1e-4. What is to be predicted is linear in the concentrations, with a standard
    deviation of 1.5 and an error of 0.2, about as the octane numbers of gasoline.

    Parameters
    ----------
    seed : int
        Which draw.
    n, n_wavelengths : int
        Spectra, and points of each.

    Returns
    -------
    X : ndarray of shape (n, n_wavelengths)
        Absorbances.
    y : ndarray of shape (n,)
        Target.
    """
    rng = np.random.default_rng(seed)
    at = np.linspace(0, 1, n_wavelengths)
    pure = np.empty((6, n_wavelengths))
    for substance in pure:
        count = rng.integers(3, 6)
        centres, widths = rng.uniform(0, 1, count), rng.uniform(0.015, 0.06, count)
        heights = rng.uniform(0.2, 1.0, count)
        bands = np.exp(-0.5 * ((at - centres[:, None]) / widths[:, None]) ** 2)
        substance[:] = heights @ bands
    share = rng.dirichlet(np.full(6, 8.0), n)
    length = 1 + 0.02 * rng.standard_normal((n, 1))
    waves = np.stack([np.ones_like(at), at, at**2, np.cos(3 * at)])
    baseline = 0.01 * rng.standard_normal((n, 4)) @ waves
    X = length * (share @ pure) + baseline
    X += 1e-4 * rng.standard_normal((n, n_wavelengths))
    octane = share @ rng.standard_normal(6)
    y = 87 + 1.5 * octane / octane.std() + 0.2 * rng.standard_normal(n)
    return X, y
