"""Data of the subset tests, and their losses by plain least squares."""

from itertools import combinations

import numpy as np
from scipy.optimize import nnls
from sklearn.datasets import load_diabetes


def diabetes_with_squares():
    """Diabetes with squares and interactions: 64 columns, standardised."""
    X, y = load_diabetes(return_X_y=True)
    squares = [X[:, j] ** 2 for j in range(10) if j != 1]  # sex has two values
    products = [X[:, i] * X[:, j] for i in range(10) for j in range(i)]
    Z = np.column_stack([X, *squares, *products])
    return (Z - Z.mean(0)) / Z.std(0), y


def correlated(n, d, seed, rho=0.8):
    """Autoregressive columns of unequal scale, and a target of four of them."""
    random = np.random.RandomState(seed)
    X = random.standard_normal((n, d))
    for j in range(1, d):
        X[:, j] = rho * X[:, j - 1] + np.sqrt(1 - rho**2) * X[:, j]
    w = np.zeros(d)
    w[random.choice(d, 4, replace=False)] = [1.0, -1.0, 2.0, 1.0]
    y = X @ w + random.standard_normal(n)
    return X * random.uniform(0.1, 10.0, d) + random.standard_normal(d), y


def objective(X, y, columns, *, l2=0.0, positive=False, weight=None, center=True):
    """Objective of a subset: 1/2 mean square plus the ridge on scaled columns."""
    s = np.ones(len(y)) if weight is None else np.asarray(weight, dtype=float)
    s = s / s.sum()
    Z, t = X[:, list(columns)], y
    if center:
        Z, t = Z - s @ Z, t - s @ t
    Z = Z / np.sqrt(s @ Z**2)
    k = Z.shape[1]
    A = np.vstack([np.sqrt(s)[:, None] * Z, np.sqrt(l2) * np.eye(k)])
    b = np.concatenate([np.sqrt(s) * t, np.zeros(k)])
    u = nnls(A, b)[0] if positive else np.linalg.lstsq(A, b, rcond=None)[0]
    return 0.5 * np.sum((b - A @ u) ** 2)


def enumerated(X, y, k, groups=None, **options):
    """Lowest objective of all subsets of k columns, or groups."""
    labels = np.arange(X.shape[1]) if groups is None else np.asarray(groups)
    return min(
        objective(X, y, np.flatnonzero(np.isin(labels, chosen)), **options)
        for chosen in combinations(np.unique(labels), k)
    )


def mean_square(X, y, columns):
    """Mean squared residual of least squares with an intercept."""
    return 2.0 * objective(X, y, columns)


def power_law(n, d, k, seed, snr=10.0):
    """Columns whose spectrum falls as 1 / i, a target of k of them, and which."""
    random = np.random.RandomState(seed)
    Q = np.linalg.qr(random.standard_normal((d, d)))[0]
    X = (random.standard_normal((n, d)) / np.arange(1, d + 1)) @ Q.T
    X = (X - X.mean(0)) / X.std(0)
    planted = random.choice(d, k, replace=False)
    signal = X[:, planted] @ random.choice([-1.0, 1.0], k)
    y = signal + random.standard_normal(n) * signal.std() / np.sqrt(snr)
    return X, y, planted
