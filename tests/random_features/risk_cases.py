"""Spectra, and their risks to many digits."""

import mpmath
import numpy as np

INF = np.inf


def spectrum(kind, n_modes=60):
    """Spectra of several shapes with coefficients that follow another law."""
    i = np.arange(1, n_modes + 1.0)
    eigenvalues = {
        "power": i**-1.5,
        "flat": np.ones(n_modes),
        "geometric": 0.5**i,
        "gap": np.where(i <= n_modes // 2, 1.0, 1e-9),
        "slow": i**-0.5,
    }[kind]
    coefs = np.cos(i) * i**-0.7
    return eigenvalues, coefs


def exact(eigenvalues, coefs, n, k, alpha, noise=0.0, pool=INF):
    """The published system for an infinite pool, its extension else, to 60 digits.

    Unlike the code under test it solves by plain bisection and evaluates the formulas
    as published, differences and all. `alpha` must be positive.
    """
    with mpmath.workdps(700 if alpha < 1e-200 else 70):
        lam = [mpmath.mpf(float(x)) for x in eigenvalues]
        v2 = [mpmath.mpf(float(x)) ** 2 for x in coefs]
        n, delta, noise = mpmath.mpf(n), mpmath.mpf(alpha), mpmath.mpf(noise)
        width = mpmath.mpf(k) if k < INF else None

        def over(gamma):
            z = sum(x / (x + gamma) for x in lam)
            if n <= z or (width is not None and width <= z):
                return mpmath.mpf(-1)
            kappa = gamma if width is None else gamma * (width - z) / width
            effective = n - z if pool == INF else (n - z) / (1 - z / mpmath.mpf(pool))
            return kappa * effective - delta

        reach = 800 if abs(mpmath.log(alpha)) > 110 else 120
        low, high = mpmath.mpf(-reach), mpmath.mpf(reach)
        for _ in range(2300 if alpha < 1e-200 else 220):
            middle = (low + high) / 2
            low, high = (
                (low, middle) if over(mpmath.exp(middle)) > 0 else (middle, high)
            )
        gamma = mpmath.exp(high)
        L = [x / (x + gamma) for x in lam]
        z, q = sum(L), sum(x * x for x in L)
        kappa = gamma if width is None else gamma * (width - z) / width
        if pool == INF:
            test, train = _published(
                lam, v2, n, width, delta, noise, gamma, kappa, z, q
            )
        else:
            test, train = _of_pool(L, v2, n, width, z, q, mpmath.mpf(pool))
        return [float(value) for value in (test, train, kappa, gamma, z)]


def _published(lam, v2, n, k, delta, noise, gamma, kappa, z, q):
    """Test and train error of Simon et al., equations as printed."""
    if k is None:
        bias = sum((gamma / (x + gamma)) ** 2 * v for x, v in zip(lam, v2))
        test = (bias + noise) / (1 - q / n)
    else:
        bias = sum(
            (gamma / (x + gamma) - kappa * x / (x + gamma) ** 2 * k / (k - q)) * v
            for x, v in zip(lam, v2)
        )
        test = (bias + noise) / (1 - (q * (k - 2 * z) + z**2) / (n * (k - q)))
    return test, (delta / (n * kappa)) ** 2 * test


def _of_pool(L, v2, n, k, z, q, pool):
    """Whole-pool error split into training rows and rows held out."""
    c, p = z - q, 1 - z / pool
    g, h = (n - z) / p, (1 - n / pool) / p**2
    r = 1 if k is None else (k - z) / (k - z + c)
    bias = sum((1 - x) * (1 - x * r) * v for x, v in zip(L, v2))
    whole = (g + h * z) / (g + h * c * r) * bias
    train = g**2 / (n * (g + h * z)) * whole
    return (pool * whole - n * train) / (pool - n), train
