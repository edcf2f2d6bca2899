"""Data of the ordinal benchmarks, and the objectives in plain NumPy."""

import numpy as np
from scipy.special import log_expit
from statsmodels.datasets import fair

__all__ = [
    "assert_optimal",
    "load",
    "log_likelihood",
    "penalised_objective",
    "steps",
]

GAP = 1e-8  # relative distance from the optimum that both sides must reach
SURVEY = (0.38, 0.14, 0.07, 0.07, 0.22, 0.12)  # shares of the classes


def load(name):
    """Features (n, p) and classes 0, ..., K-1.

    Parameters
    ----------
    name : str
        "fair"; "survey", 1847 rows of 22 indicators in 6 classes; or a shape such as
        "40000x20x5" (rows, features, classes), with independent normal columns unless
        "correlated" (each pair at 0.9) or "units" (of 10**-3 to 10**3) follows.
    """
    if name == "fair":
        frame = fair.load_pandas().data
        y = frame.pop("rate_marriage").to_numpy().astype(np.intp) - 1
        return np.ascontiguousarray(frame.to_numpy()), y
    random = np.random.default_rng(0)
    if name == "survey":
        X = (random.random((1847, 22)) < random.uniform(0.1, 0.5, 22)).astype(float)
        return X, _classes(X, SURVEY, random)
    shape, _, design = name.partition(" ")
    n, p, n_classes = map(int, shape.split("x"))
    X = random.standard_normal((n, p))
    if design == "correlated":
        X = np.sqrt(0.1) * X + np.sqrt(0.9) * random.standard_normal((n, 1))
    y = _classes(X, np.full(n_classes, 1 / n_classes), random)
    if design == "units":
        X = X * 10 ** random.uniform(-3, 3, p)
    return X, y


def _classes(X, shares, random):
    """Classes of the given shares: proportional odds but for two features."""
    n, p = X.shape
    weights = random.standard_normal(p) / np.sqrt(p)
    noise = random.logistic(size=n)
    score = X @ weights + noise
    # Above the median the first two features count for more.
    high = score > np.median(score)
    score[high] += 0.5 * np.abs(X[high, :2]).sum(axis=1)
    cuts = np.quantile(score, np.cumsum(shares)[:-1])
    return np.searchsorted(cuts, score)


def steps(y, k):
    """Rows that reach threshold k of a stopping model, and whether they stop there."""
    reached = np.flatnonzero(y >= k)
    return reached, y[reached] == k


def log_likelihood(X, y, intercept, coef, family="cumulative"):
    """Log-likelihood of logit scores (n, m) of "y > k"."""
    eta = -(intercept + X @ np.broadcast_to(coef, (len(intercept), X.shape[1])).T)
    if family == "stopping":
        total = 0.0
        for k in range(eta.shape[1]):
            reached, stops = steps(y, k)
            total += log_expit(np.where(stops, 1, -1) * eta[reached, k]).sum()
        return total
    end = np.full((len(y), 1), np.inf)
    rows = np.arange(len(y))
    below = np.hstack([-end, eta])[rows, y]
    above = np.hstack([eta, end])[rows, y]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = np.where(above > below, np.log(-np.expm1(below - above)), -np.inf)
    return (log_expit(above) + log_expit(-below) + between).sum()


def penalised_objective(X, y, intercept, coef, alpha, family="cumulative"):
    """PRESTO's objective of public coefficients, by its definition."""
    changes = np.diff(coef * X.std(axis=0), axis=0, prepend=0.0)
    loss = -log_likelihood(X, y, intercept, coef, family) / len(y)
    return loss + alpha * np.abs(changes).sum()


def assert_optimal(value, best):
    """Refuse a comparison in which one side is not at the optimum.

    Parameters
    ----------
    value, best : float
        An objective, and that of our fit with a tolerance of 1e-10.
    """
    assert abs(value - best) <= GAP * abs(best), f"{(value - best) / abs(best):.1e}"
